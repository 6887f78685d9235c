// Nearest upsampling by two. A task is one row of the small map, which owns one or two rows of the large one.
#include "maps.h"

static bool valid(const oct_upsample2x_desc *d) {
  ptrdiff_t count;
  return oct_product((ptrdiff_t[]){d->n, d->oh, d->ow, d->c}, 4, &count) && d->ih == d->oh / 2 + d->oh % 2 &&
         d->iw == d->ow / 2 + d->ow % 2;
}

oct_status oct_upsample2x_forward(const oct_upsample2x_desc *d, const float *src, float *dst, bool accumulate,
                                  int threads) {
  if (!valid(d)) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const oct_row_tasks tasks = oct_cut_rows(d->n * d->ih, d->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, d->n * d->oh * d->ow * d->c))
  for (ptrdiff_t t = 0; t < tasks.count; t++) {
    ptrdiff_t begin, end, row = t / tasks.ranges;
    oct_task_channels(d->c, t % tasks.ranges, tasks.ranges, &begin, &end);
    leaves->upsample_row(d, row % d->ih, end - begin, src + row * d->iw * d->c + begin,
                         dst + row / d->ih * d->oh * d->ow * d->c + begin, accumulate);
  }
  return OCT_OK;
}

oct_status oct_upsample2x_backward(const oct_upsample2x_desc *d, const float *diff_dst, float *diff_src,
                                   bool accumulate, int threads) {
  if (!valid(d)) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const oct_row_tasks tasks = oct_cut_rows(d->n * d->ih, d->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, d->n * d->oh * d->ow * d->c))
  for (ptrdiff_t t = 0; t < tasks.count; t++) {
    ptrdiff_t begin, end, row = t / tasks.ranges;
    oct_task_channels(d->c, t % tasks.ranges, tasks.ranges, &begin, &end);
    leaves->upsample_backward_row(d, row % d->ih, end - begin,
                                  diff_dst + row / d->ih * d->oh * d->ow * d->c + begin,
                                  diff_src + row * d->iw * d->c + begin, accumulate);
  }
  return OCT_OK;
}
