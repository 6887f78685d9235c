// Pooling drivers. A task is one row of pixels of one image (and a range of channels where rows are few);
// backward gathers into rows of the source, so no two tasks write the same place and nothing is atomic.
#include "maps.h"

static bool axis_is_valid(ptrdiff_t in, ptrdiff_t out, ptrdiff_t taps, ptrdiff_t stride, ptrdiff_t padding) {
  if (taps < 1 || stride < 1 || padding < 0 || padding >= taps) return false;
  if (out == 0) return true;
  // The last window must still touch the map. An overflow here is far outside of it.
  ptrdiff_t last;
  if (__builtin_mul_overflow(out - 1, stride, &last)) return false;
  return in > 0 && last - padding < in;
}

oct_status oct_pool2d_check(const oct_pool2d_desc *d) {
  ptrdiff_t count, taps;
  const bool valid = oct_product((ptrdiff_t[]){d->n, d->ih, d->iw, d->c}, 4, &count) &&
                     oct_product((ptrdiff_t[]){d->n, d->oh, d->ow, d->c}, 4, &count) &&
                     oct_product((ptrdiff_t[]){d->kh, d->kw}, 2, &taps) && taps <= INT32_MAX &&
                     axis_is_valid(d->ih, d->oh, d->kh, d->sh, d->ph) &&
                     axis_is_valid(d->iw, d->ow, d->kw, d->sw, d->pw);
  return valid ? OCT_OK : OCT_INVALID_DESCRIPTOR;
}

/// A task's image, row and channels, from its index; `rows` rows an image.
typedef struct row_task {
  ptrdiff_t image, y, channel, channels;
} row_task;

static row_task row_task_at(ptrdiff_t index, ptrdiff_t ranges, ptrdiff_t rows, ptrdiff_t c) {
  ptrdiff_t begin, end;
  oct_task_channels(c, index % ranges, ranges, &begin, &end);
  return (row_task){index / ranges / rows, index / ranges % rows, begin, end - begin};
}

oct_status oct_avg_pool2d_forward(const oct_pool2d_desc *d, const float *src, float *dst, int threads) {
  if (oct_pool2d_check(d) != OCT_OK) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const oct_row_tasks tasks = oct_cut_rows(d->n * d->oh, d->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, d->n * d->oh * d->ow * d->c))
  for (ptrdiff_t t = 0; t < tasks.count; t++) {
    const row_task k = row_task_at(t, tasks.ranges, d->oh, d->c);
    leaves->avg_pool_row(d, k.y, k.channels, src + k.image * d->ih * d->iw * d->c + k.channel,
                         dst + (k.image * d->oh + k.y) * d->ow * d->c + k.channel);
  }
  return OCT_OK;
}

oct_status oct_avg_pool2d_backward(const oct_pool2d_desc *d, const float *diff_dst, float *diff_src,
                                   bool accumulate, int threads) {
  if (oct_pool2d_check(d) != OCT_OK) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const oct_row_tasks tasks = oct_cut_rows(d->n * d->ih, d->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, d->n * d->ih * d->iw * d->c))
  for (ptrdiff_t t = 0; t < tasks.count; t++) {
    const row_task k = row_task_at(t, tasks.ranges, d->ih, d->c);
    leaves->avg_pool_backward_row(d, k.y, k.channels, diff_dst + k.image * d->oh * d->ow * d->c + k.channel,
                                  diff_src + (k.image * d->ih + k.y) * d->iw * d->c + k.channel, accumulate);
  }
  return OCT_OK;
}

oct_status oct_max_pool2d_forward(const oct_pool2d_desc *d, const float *src, float *dst, int32_t *argmax,
                                  int threads) {
  if (oct_pool2d_check(d) != OCT_OK) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const oct_row_tasks tasks = oct_cut_rows(d->n * d->oh, d->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, d->n * d->oh * d->ow * d->c))
  for (ptrdiff_t t = 0; t < tasks.count; t++) {
    const row_task k = row_task_at(t, tasks.ranges, d->oh, d->c);
    const ptrdiff_t row = (k.image * d->oh + k.y) * d->ow * d->c + k.channel;
    leaves->max_pool_row(d, k.y, k.channels, src + k.image * d->ih * d->iw * d->c + k.channel, dst + row,
                         argmax == NULL ? NULL : argmax + row);
  }
  return OCT_OK;
}

oct_status oct_max_pool2d_backward(const oct_pool2d_desc *d, const float *diff_dst, const int32_t *argmax,
                                   float *diff_src, bool accumulate, int threads) {
  if (oct_pool2d_check(d) != OCT_OK) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const oct_row_tasks tasks = oct_cut_rows(d->n * d->ih, d->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, d->n * d->ih * d->iw * d->c))
  for (ptrdiff_t t = 0; t < tasks.count; t++) {
    const row_task k = row_task_at(t, tasks.ranges, d->ih, d->c);
    const ptrdiff_t image = k.image * d->oh * d->ow * d->c + k.channel;
    leaves->max_pool_backward_row(d, k.y, k.channels, diff_dst + image, argmax + image,
                                  diff_src + (k.image * d->ih + k.y) * d->iw * d->c + k.channel, accumulate);
  }
  return OCT_OK;
}

oct_status oct_global_avg_pool_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src,
                                       float *dst, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){n, pixels, c}, 3, &count)) return OCT_INVALID_DESCRIPTOR;
  if (n == 0 || c == 0) return OCT_OK;
  if (pixels == 0) return OCT_INVALID_DESCRIPTOR;  // there is no mean of nothing
  const oct_maps_leaves *leaves = oct_maps();
  // Channels are always cut into chunks of the column leaf, finer where images are few.
  const ptrdiff_t ranges = oct_max(oct_cut_rows(n, c).ranges, oct_ceil_div(c, OCT_COLUMNS));
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t t = 0; t < n * ranges; t++) {
    const row_task k = row_task_at(t, ranges, 1, c);
    double sums[OCT_COLUMNS];
    leaves->column_sums(pixels, c, k.channels, src + k.image * pixels * c + k.channel, sums);
    float *row = dst + k.image * c + k.channel;
    for (ptrdiff_t i = 0; i < k.channels; i++) row[i] = (float)(sums[i] / (double)pixels);
  }
  return OCT_OK;
}

oct_status oct_global_avg_pool_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *diff_dst,
                                        float *diff_src, bool accumulate, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){n, pixels, c}, 3, &count)) return OCT_INVALID_DESCRIPTOR;
  if (count == 0) return OCT_OK;
  const oct_maps_leaves *leaves = oct_maps();
  const ptrdiff_t ranges = oct_cut_rows(n, c).ranges;
  const float scale = (float)(1.0 / (double)pixels);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t t = 0; t < n * ranges; t++) {
    const row_task k = row_task_at(t, ranges, 1, c);
    leaves->spread(pixels, c, k.channels, scale, diff_dst + k.image * c + k.channel,
                   diff_src + k.image * pixels * c + k.channel, accumulate);
  }
  return OCT_OK;
}
