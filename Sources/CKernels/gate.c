// Maps times a number for each image and channel, biases of maps, and copies between maps of unlike numbers of channels.
#include "maps.h"

/// Pixels of an image that a task takes: a few tasks for each thread whatever the shape, by the shape alone.
static ptrdiff_t pixels_of_task(ptrdiff_t n, ptrdiff_t pixels) {
  const ptrdiff_t parts = oct_max(1, oct_min(pixels / 16, oct_ceil_div(64, oct_max(1, n))));
  return oct_ceil_div(pixels, parts);
}

oct_status oct_gate_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, const float *gate, float *dst,
                            bool accumulate, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){n, pixels, c}, 3, &count)) return OCT_INVALID_DESCRIPTOR;
  if (count == 0) return OCT_OK;
  const oct_maps_leaves *leaves = oct_maps();
  const ptrdiff_t part = pixels_of_task(n, pixels), parts = oct_ceil_div(pixels, part);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t t = 0; t < n * parts; t++) {
    const ptrdiff_t image = t / parts, first = t % parts * part, at = (image * pixels + first) * c;
    leaves->gate_rows(oct_min(part, pixels - first), c, src + at, c, gate + image * c, dst + at, c, accumulate);
  }
  return OCT_OK;
}

oct_status oct_gate_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, const float *diff_dst,
                             float *diff_gate, bool accumulate, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){n, pixels, c}, 3, &count)) return OCT_INVALID_DESCRIPTOR;
  if (count == 0) {
    for (ptrdiff_t i = 0; i < n * c && !accumulate; i++) diff_gate[i] = 0.0f;
    return OCT_OK;
  }
  const oct_maps_leaves *leaves = oct_maps();
  const oct_row_tasks tasks = oct_cut_rows(n, c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t t = 0; t < tasks.count; t++) {
    ptrdiff_t begin, end, image = t / tasks.ranges;
    oct_task_channels(c, t % tasks.ranges, tasks.ranges, &begin, &end);
    leaves->product_sums(pixels, c, end - begin, src + image * pixels * c + begin, diff_dst + image * pixels * c + begin,
                         diff_gate + image * c + begin, accumulate);
  }
  return OCT_OK;
}

oct_status oct_copy_channels(ptrdiff_t rows, ptrdiff_t channels, const float *src, ptrdiff_t src_stride, float *dst,
                             ptrdiff_t dst_stride, bool accumulate, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){rows, channels}, 2, &count) || src_stride < channels || dst_stride < channels)
    return OCT_INVALID_DESCRIPTOR;
  if (count == 0) return OCT_OK;
  const oct_maps_leaves *leaves = oct_maps();
  const ptrdiff_t part = pixels_of_task(1, rows);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t first = 0; first < rows; first += part)
    leaves->gate_rows(oct_min(part, rows - first), channels, src + first * src_stride, src_stride, NULL,
                      dst + first * dst_stride, dst_stride, accumulate);
  return OCT_OK;
}

oct_status oct_bias_forward(ptrdiff_t rows, ptrdiff_t c, const float *bias, float *dst, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){rows, c}, 2, &count)) return OCT_INVALID_DESCRIPTOR;
  if (count == 0) return OCT_OK;
  const oct_maps_leaves *leaves = oct_maps();
  const ptrdiff_t part = pixels_of_task(1, rows);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t first = 0; first < rows; first += part)
    leaves->spread(oct_min(part, rows - first), c, c, 1.0f, bias, dst + first * c, true);
  return OCT_OK;
}
