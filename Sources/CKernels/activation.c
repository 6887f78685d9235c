// Activations: flat buffers in one contiguous share a thread, as in elementwise.c.
#include <math.h>

#include "columns.h"

oct_status oct_activation_check(const oct_activation *a) {
  switch (a->kind) {
    case OCT_CLAMP: return a->low < a->high ? OCT_OK : OCT_INVALID_DESCRIPTOR;
    // A slope that is not above 0 hides the input's sign from backward, which has the output only.
    case OCT_LEAKY_RELU: return a->low > 0.0f && isfinite(a->low) ? OCT_OK : OCT_INVALID_DESCRIPTOR;
    case OCT_IDENTITY:
    case OCT_RELU:
    case OCT_SIGMOID:
    case OCT_SILU:
    case OCT_GELU: return OCT_OK;
  }
  return OCT_INVALID_DESCRIPTOR;
}

bool oct_activation_keeps_output(oct_activation_kind kind) { return kind != OCT_SILU && kind != OCT_GELU; }

oct_status oct_activation_forward(const oct_activation *a, ptrdiff_t count, const float *src, float *dst, int threads) {
  if (count < 0 || oct_activation_check(a) != OCT_OK) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  OCT_EACH_SHARE(count, threads, begin, end,
                 { leaves->activate(a, end - begin, src + begin, dst + begin); });
  return OCT_OK;
}

oct_status oct_activation_backward(const oct_activation *a, ptrdiff_t count, const float *kept, const float *diff_dst,
                                   float *diff_src, bool accumulate, int threads) {
  if (count < 0 || oct_activation_check(a) != OCT_OK) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  OCT_EACH_SHARE(count, threads, begin, end, {
    leaves->differentiate(a, end - begin, kept + begin, diff_dst + begin, diff_src + begin, accumulate);
  });
  return OCT_OK;
}

oct_status oct_bias_activation_backward(const oct_activation *a, ptrdiff_t rows, ptrdiff_t c, const float *dst,
                                        float *diff, float *diff_bias, void *scratch, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){rows, c}, 2, &count) || oct_activation_check(a) != OCT_OK ||
      !oct_activation_keeps_output(a->kind))
    return OCT_INVALID_DESCRIPTOR;
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
    leaves->activated_sums(task.rows, task.stride, task.width, a, dst + task.offset, diff + task.offset,
                           sums + task.partial);
  }
  for (ptrdiff_t i = 0; i < c; i++) diff_bias[i] = (float)joined_sum(&plan, sums, i);
  return OCT_OK;
}
