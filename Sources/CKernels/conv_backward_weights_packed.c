// Backward with respect to the weights of 1×1 convolutions: outer products of packed pixels.
//
// A chunk's source pixels are copied once for all blocks, in the order in which the micro-kernel reads them, and so are a
// block's columns of diff_dst:
//
//   source [ic tile][pixel][rows of the tile]      panels [panel][pixel][columns of a panel]
//
// Read where they lie, a pixel would give a tile a third of a cache line, a power of two apart from the next one's, and a
// panel would touch a quarter of the first-level cache's sets. The panel stays in that cache while the tiles run past it.
//
// Packing would wait for memory. So the micro-kernel fetches, a line every few pixels, what is packed next: the following
// block's columns, and the following chunk's pixels.
#include <string.h>

#include "conv_backward_weights.h"

enum {
  STEP = 16,  // pixels that are packed together: what they fill are whole lines
};

/// Where the pixels of a chunk lie.
typedef struct chunk {
  const float **src, **diff_dst;
  ptrdiff_t pixels;
} chunk;

typedef struct workspace {
  float *source, *panels;
  chunk chunks[2];  // this one and the next
} workspace;

/// 1×1 without padding, where every pixel has its tap. A copy pays where several blocks read it, where it takes the wait for
/// memory upon itself, and where pixels lie whole pages apart, which the first-level cache keeps few of.
bool oct_outer_packs(const oct_conv2d_desc *d, ptrdiff_t blocks) {
  if (!oct_conv_leaf_active()->outer_packed || d->kh != 1 || d->kw != 1 || d->ph != 0 || d->pw != 0) return false;
  const ptrdiff_t pixel_bytes = d->ic * (ptrdiff_t)sizeof(float);
  return blocks >= 3 || pixel_bytes * d->n * d->ih * d->iw > oct_far_bytes() / 2 || pixel_bytes % 4096 == 0;
}

/// Floats of the packed source of a run of ic, with room for a last tile that is not full.
static ptrdiff_t source_floats(const oct_outer_plan *p) {
  return p->chunk * (oct_ceil_div(p->icg, p->ic_runs) + OCT_MOST_OUTER_ROWS);
}

ptrdiff_t oct_outer_packed_thread_bytes(const oct_outer_plan *p) {
  const ptrdiff_t floats = source_floats(p) + p->chunk * OCT_BLOCK;
  const ptrdiff_t bytes = floats * (ptrdiff_t)sizeof(float) + 4 * p->chunk * (ptrdiff_t)sizeof(float *);
  return oct_ceil_div(bytes, 64) * 64;
}

static workspace carve(void *scratch, const oct_outer_plan *p) {
  workspace w;
  w.panels = scratch;
  w.source = w.panels + p->chunk * OCT_BLOCK;
  const float **pointers = (const float **)(w.source + source_floats(p));
  for (int i = 0; i < 2; i++, pointers += 2 * p->chunk)
    w.chunks[i] = (chunk){.src = pointers, .diff_dst = pointers + p->chunk, .pixels = 0};
  return w;
}

static void locate(const oct_conv2d_desc *d, const float *src, const float *diff_dst, ptrdiff_t first, ptrdiff_t last,
                   chunk *c) {
  ptrdiff_t x = first % d->ow, y = first / d->ow % d->oh, image = first / (d->ow * d->oh);
  c->pixels = last - first;
  for (ptrdiff_t i = 0; i < c->pixels; i++) {
    c->src[i] = src + ((image * d->ih + y * d->sh) * d->iw + x * d->sw) * d->ic;
    c->diff_dst[i] = diff_dst + (first + i) * d->oc;
    if (++x < d->ow) continue;
    x = 0;
    if (++y < d->oh) continue;
    y = 0;
    image++;
  }
}

/// to[pixel][0 ..< taken] = pixels[pixel][channel …], rows of `width` floats. `taken` becomes a constant: copies of a constant
/// length are a few instructions.
static inline __attribute__((always_inline)) void copy_columns(const float *const *pixels, ptrdiff_t count, ptrdiff_t channel,
                                                               const ptrdiff_t taken, ptrdiff_t width, float *to) {
  for (ptrdiff_t p = 0; p < count; p++, to += width) memcpy(to, pixels[p] + channel, (size_t)taken * sizeof(float));
}

/// to[part][pixel][0 ..< width] = pixels[pixel][channel + part·width …], so many `channels` in all; what lies behind the last
/// one is left as it is.
static void pack(const float *const *pixels, ptrdiff_t count, ptrdiff_t channel, ptrdiff_t channels, ptrdiff_t width,
                 float *to) {
  for (ptrdiff_t q = 0; q < count; q += STEP) {
    const ptrdiff_t together = oct_min(STEP, count - q);
    for (ptrdiff_t c = 0; c < channels; c += width) {
      float *at = to + c * count + q * width;
      const ptrdiff_t taken = oct_min(width, channels - c);
      switch (taken) {
        case 2: copy_columns(pixels + q, together, channel + c, 2, width, at); break;
        case 4: copy_columns(pixels + q, together, channel + c, 4, width, at); break;
        case 6: copy_columns(pixels + q, together, channel + c, 6, width, at); break;
        case 8: copy_columns(pixels + q, together, channel + c, 8, width, at); break;
        case 16: copy_columns(pixels + q, together, channel + c, 16, width, at); break;
        default: copy_columns(pixels + q, together, channel + c, taken, width, at); break;
      }
    }
  }
}

/// Zeros in the columns of a block that are no channels.
static void clear_padding(float *panels, ptrdiff_t count, ptrdiff_t columns, ptrdiff_t width, ptrdiff_t panel) {
  for (ptrdiff_t c = columns / panel * panel; c < width; c += panel) {
    const ptrdiff_t first = oct_max(columns - c, 0);
    if (first == panel) continue;
    for (ptrdiff_t p = 0; p < count; p++)
      memset(panels + c * count + p * panel + first, 0, (size_t)(panel - first) * sizeof(float));
  }
}

/// Lines that are fetched one after the other: line l of `pixels` pixels each, first those of one map, then of another.
typedef struct fetching {
  const float *const *first, *const *second;  // the two maps' pixels
  ptrdiff_t first_channel, first_lines, second_channel, second_lines;
  ptrdiff_t pixels;
  ptrdiff_t at;  // pixels times lines that were asked for
} fetching;

/// What the next call of the micro-kernel fetches: at most `most` pixels of one line.
static oct_outer_fetch next_lines(fetching *f, ptrdiff_t most) {
  const ptrdiff_t line = f->pixels > 0 ? f->at / f->pixels : 0, pixel = f->at - line * f->pixels;
  if (f->pixels == 0 || line >= f->first_lines + f->second_lines) return (oct_outer_fetch){NULL, 0, 0};
  const ptrdiff_t count = oct_min(most, f->pixels - pixel);
  f->at += count;
  if (line < f->first_lines) return (oct_outer_fetch){f->first + pixel, count, f->first_channel + line * OCT_LANE};
  return (oct_outer_fetch){f->second + pixel, count, f->second_channel + (line - f->first_lines) * OCT_LANE};
}

static ptrdiff_t lines_of(ptrdiff_t channels) { return oct_ceil_div(channels, OCT_LANE); }

void oct_outer_packed_run(const oct_conv2d_desc *d, const oct_outer_plan *p, const oct_outer_unit *u, const float *src,
                          const float *diff_dst, float *weights, bool accumulate, void *scratch) {
  const oct_conv_leaf *leaf = oct_conv_leaf_active();
  workspace w = carve(scratch, p);
  const ptrdiff_t rows = leaf->packed_rows, panel = leaf->packed_columns;
  const ptrdiff_t ic = u->ic1 - u->ic0, tiles = oct_ceil_div(ic, rows), blocks = u->block1 - u->block0;
  const ptrdiff_t src_channel = u->group * p->icg + u->ic0, diff_channel = u->group * p->ocg;
  const ptrdiff_t chunks = oct_ceil_div(u->pixel1 - u->pixel0, p->chunk);
  for (ptrdiff_t i = 0; i < chunks; i++) {
    ptrdiff_t first, last;
    if (i == 0) {
      oct_share(u->pixel1 - u->pixel0, 0, chunks, &first, &last);
      locate(d, src, diff_dst, u->pixel0 + first, u->pixel0 + last, &w.chunks[0]);
    }
    const chunk *now = &w.chunks[i % 2];
    chunk *next = &w.chunks[(i + 1) % 2];
    next->pixels = 0;
    if (i + 1 < chunks) {
      oct_share(u->pixel1 - u->pixel0, i + 1, chunks, &first, &last);
      locate(d, src, diff_dst, u->pixel0 + first, u->pixel0 + last, next);
    }
    pack(now->src, now->pixels, src_channel, ic, rows, w.source);
    for (ptrdiff_t b = u->block0; b < u->block1; b++) {
      const ptrdiff_t width = oct_block_width(p->ocg, b), columns = oct_min(OCT_BLOCK, p->ocg - b * OCT_BLOCK);
      pack(now->diff_dst, now->pixels, diff_channel + b * OCT_BLOCK, columns, panel, w.panels);
      clear_padding(w.panels, now->pixels, columns, width, panel);
      // The next block's columns, or the next chunk's first ones, and this block's share of the next chunk's source.
      const bool ends = b + 1 == u->block1;
      const ptrdiff_t after = ends ? u->block0 : b + 1;
      ptrdiff_t line0, line1;
      oct_share(lines_of(ic), b - u->block0, blocks, &line0, &line1);
      fetching f = {
          .first = ends ? next->diff_dst : now->diff_dst,
          .first_channel = diff_channel + after * OCT_BLOCK,
          .first_lines = ends && next->pixels == 0 ? 0 : lines_of(oct_min(OCT_BLOCK, p->ocg - after * OCT_BLOCK)),
          .second = next->src,
          .second_channel = src_channel + line0 * OCT_LANE,
          .second_lines = next->pixels == 0 ? 0 : line1 - line0,
          .pixels = next->pixels == 0 ? now->pixels : oct_min(now->pixels, next->pixels),
      };
      float *out = weights + (u->group * oct_padded(p->ocg) + b * OCT_BLOCK) * p->icg;
      for (ptrdiff_t c = 0; c < width; c += panel)
        for (ptrdiff_t t = 0; t < tiles; t++) {
          const ptrdiff_t ic0 = t * rows;
          leaf->outer_packed(w.source + ic0 * now->pixels, oct_min(rows, ic - ic0), w.panels + c * now->pixels,
                             oct_min(panel, width - c), now->pixels, out + (u->ic0 + ic0) * width + c, width,
                             accumulate || i > 0, next_lines(&f, now->pixels / OCT_OUTER_FETCH_STEP));
        }
    }
  }
}
