// Element-wise drivers: flat buffers in one contiguous share a thread; elements do not depend on each other,
// so any cut gives the same bits.
#include <string.h>

#include "columns.h"

oct_status oct_add(ptrdiff_t count, const float *a, const float *b, float *dst, int threads) {
  if (count < 0) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  OCT_EACH_SHARE(count, threads, begin, end, { leaves->add(end - begin, a + begin, b + begin, dst + begin); });
  return OCT_OK;
}

oct_status oct_axpby(ptrdiff_t count, float a, const float *x, float b, float *y, int threads) {
  if (count < 0) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  OCT_EACH_SHARE(count, threads, begin, end, { leaves->axpby(end - begin, a, x + begin, b, y + begin); });
  return OCT_OK;
}

oct_status oct_copy(ptrdiff_t count, const float *src, float *dst, int threads) {
  if (count < 0) return OCT_INVALID_DESCRIPTOR;
  OCT_EACH_SHARE(count, threads, begin, end, {
    if (begin < end) memmove(dst + begin, src + begin, (size_t)(end - begin) * sizeof(float));
  });
  return OCT_OK;
}

oct_status oct_scale(ptrdiff_t count, float a, const float *src, float *dst, bool accumulate, int threads) {
  if (count < 0) return OCT_INVALID_DESCRIPTOR;
  OCT_EACH_SHARE(count, threads, begin, end, {
    for (ptrdiff_t i = begin; i < end; i++) dst[i] = accumulate ? dst[i] + a * src[i] : a * src[i];
  });
  return OCT_OK;
}

/// Neighbouring seeds must not give shifted copies of one sequence.
static uint64_t dropout_key(uint64_t seed) {
  uint64_t z = seed + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

oct_status oct_dropout(ptrdiff_t count, float p, uint64_t seed, const float *src, float *dst, bool accumulate,
                       int threads) {
  if (count < 0 || !(p >= 0.0f && p <= 1.0f)) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const uint64_t key = dropout_key(seed);
  // The generator's 24 top bits are compared: at p = 1 none reaches the threshold, and the scale is never
  // used.
  const uint32_t threshold = (uint32_t)((double)p * 16777216.0 + 0.5);
  const float scale = p < 1.0f ? (float)(1.0 / (1.0 - (double)p)) : 0.0f;
  OCT_EACH_SHARE(count, threads, begin, end, {
    leaves->dropout(begin, end - begin, threshold, scale, key, src + begin, dst + begin, accumulate);
  });
  return OCT_OK;
}

ptrdiff_t oct_bias_backward_scratch_bytes(ptrdiff_t rows, ptrdiff_t c) {
  if (rows <= 0 || c <= 0) return 0;
  const column_plan plan = plan_columns(rows, c);
  return partial_count(&plan) * (ptrdiff_t)sizeof(double) + 64;
}

oct_status oct_bias_backward(ptrdiff_t rows, ptrdiff_t c, const float *diff_dst, float *diff_bias,
                             void *scratch, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){rows, c}, 2, &count)) return OCT_INVALID_DESCRIPTOR;
  if (count == 0) {
    for (ptrdiff_t i = 0; i < c; i++) diff_bias[i] = 0.0f;
    return OCT_OK;
  }
  const oct_maps_leaves *leaves = oct_maps();
  const column_plan plan = plan_columns(rows, c);
  double *sums = align_scratch(scratch);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t t = 0; t < plan.tasks; t++) {
    const column_task task = task_at(&plan, t);
    leaves->column_sums(task.rows, task.stride, task.width, diff_dst + task.offset, sums + task.partial);
  }
  for (ptrdiff_t i = 0; i < c; i++) diff_bias[i] = (float)joined_sum(&plan, sums, i);
  return OCT_OK;
}
