// Upsampling by whole factors, nearest or bilinear. Forward a task is one row of the large map, backward one of the small one.
#include "maps.h"

static bool valid(const oct_upsample_desc *d) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){d->n, d->oh, d->ow, d->c}, 4, &count)) return false;
  if (!oct_product((ptrdiff_t[]){d->n, d->ih, d->iw, d->c}, 4, &count) || d->scale < 1) return false;
  // Cropped by less than a pixel of the small map.
  return d->ih == oct_ceil_div(d->oh, d->scale) && d->iw == oct_ceil_div(d->ow, d->scale);
}

oct_status oct_upsample_forward(const oct_upsample_desc *d, const float *src, float *dst, int threads) {
  if (!valid(d)) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const oct_row_tasks tasks = oct_cut_rows(d->n * d->oh, d->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, d->n * d->oh * d->ow * d->c))
  for (ptrdiff_t t = 0; t < tasks.count; t++) {
    ptrdiff_t begin, end, row = t / tasks.ranges;
    oct_task_channels(d->c, t % tasks.ranges, tasks.ranges, &begin, &end);
    leaves->resample_row(d, row % d->oh, end - begin, src + row / d->oh * d->ih * d->iw * d->c + begin,
                         dst + row * d->ow * d->c + begin);
  }
  return OCT_OK;
}

oct_status oct_upsample_backward(const oct_upsample_desc *d, const float *diff_dst, float *diff_src, bool accumulate,
                                 int threads) {
  if (!valid(d)) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const oct_row_tasks tasks = oct_cut_rows(d->n * d->ih, d->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, d->n * d->oh * d->ow * d->c))
  for (ptrdiff_t t = 0; t < tasks.count; t++) {
    ptrdiff_t begin, end, row = t / tasks.ranges;
    oct_task_channels(d->c, t % tasks.ranges, tasks.ranges, &begin, &end);
    leaves->resample_backward_row(d, row % d->ih, end - begin,
                                  diff_dst + row / d->ih * d->oh * d->ow * d->c + begin,
                                  diff_src + row * d->iw * d->c + begin, accumulate);
  }
  return OCT_OK;
}
