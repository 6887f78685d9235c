// Activations: flat buffers in one contiguous share a thread, as in elementwise.c.
#include <math.h>

#include "columns.h"

static bool valid(const oct_activation *a, ptrdiff_t count) {
  if (count < 0) return false;
  switch (a->kind) {
    case OCT_CLAMP: return a->low < a->high;
    // A slope that is not above 0 hides the input's sign from backward, which has the output only.
    case OCT_LEAKY_RELU: return a->low > 0.0f && isfinite(a->low);
    case OCT_RELU:
    case OCT_SIGMOID:
    case OCT_SILU:
    case OCT_GELU: return true;
  }
  return false;
}

bool oct_activation_keeps_output(oct_activation_kind kind) { return kind != OCT_SILU && kind != OCT_GELU; }

oct_status oct_activation_forward(const oct_activation *a, ptrdiff_t count, const float *src, float *dst, int threads) {
  if (!valid(a, count)) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  OCT_EACH_SHARE(count, threads, begin, end,
                 { leaves->activate(a->kind, a->low, a->high, end - begin, src + begin, dst + begin); });
  return OCT_OK;
}

oct_status oct_activation_backward(const oct_activation *a, ptrdiff_t count, const float *kept, const float *diff_dst,
                                   float *diff_src, bool accumulate, int threads) {
  if (!valid(a, count)) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  OCT_EACH_SHARE(count, threads, begin, end, {
    leaves->differentiate(a->kind, a->low, a->high, end - begin, kept + begin, diff_dst + begin, diff_src + begin,
                          accumulate);
  });
  return OCT_OK;
}
