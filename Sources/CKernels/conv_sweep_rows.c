// Where the rows of a sweep lie, and how dst is written: what the orders of a sweep build on.
#include "conv_sweep.h"

void oct_sweep_point_rows(const oct_sweep *s, const oct_rectangle *r, ptrdiff_t group, ptrdiff_t first, ptrdiff_t last,
                          const oct_sweep_scratch *scratch) {
  const ptrdiff_t w = r->x1 - r->x0, h = r->y1 - r->y0;
  const oct_sweep_source *one = &s->sources[0];
  ptrdiff_t x = r->x0 + first % w, y = r->y0 + first / w % h, image = first / (w * h);
  for (ptrdiff_t row = 0; row < last - first; row++) {
    for (ptrdiff_t i = 0; i < s->count; i++) {
      const oct_sweep_source *source = &s->sources[i];
      const ptrdiff_t py = source->y.src_base + source->y.src_step * y;
      const ptrdiff_t px = source->x.src_base + source->x.src_step * x;
      const ptrdiff_t pixel = (image * source->y.src_size + py) * source->x.src_size + px;
      scratch->rows[i * OCT_CHUNK_ROWS + row] = oct_offset_pointer(source->src, pixel * source->channels + group * source->k);
    }
    const ptrdiff_t dst_y = one->y.dst_first + one->y.dst_step * y, dst_x = one->x.dst_first + one->x.dst_step * x;
    const ptrdiff_t group_channel = group * (s->dst_channels / s->g);
    scratch->dst[row] = s->dst + ((image * s->dst_h + dst_y) * s->dst_w + dst_x) * s->dst_channels + group_channel;
    if (s->low)
      scratch->start[row] =
          s->low + ((image * s->low_h + dst_y / 2) * s->low_w + dst_x / 2) * s->dst_channels + group_channel;
    if (++x == r->x1) {
      x = r->x0;
      if (++y == r->y1) {
        y = r->y0;
        image++;
      }
    }
  }
}

/// A map that no cache holds is written past them: lines need not be read before they are overwritten, and the source
/// stays where it is.
bool oct_sweep_streams(const oct_sweep *s) {
  const ptrdiff_t bytes = s->n * s->dst_h * s->dst_w * s->dst_channels * (ptrdiff_t)sizeof(float);
  return bytes > oct_far_bytes() && !s->accumulate && s->dst_channels % OCT_LANE == 0 && s->g == 1 && (uintptr_t)s->dst % 64 == 0;
}
