// Activations for every vector width: one function of each element, and its derivative. `low` and `high` are those of
// oct_activation.
//
// Include after vector.h, inside the target attribute.
#ifndef OCT_VECTOR_ACTIVATION_H
#define OCT_VECTOR_ACTIVATION_H

#include "CKernels.h"
#include "vector_math.h"

/// min(max(v, low), high); NaN stays NaN.
OCT_INLINE vec vec_clamp(vec v, vec low, vec high) { return vec_select(v < low, low, vec_select(v > high, high, v)); }

/// f(x) and, at the same time, f′(x); callers use one of them, and the other one's work folds away.
///
/// The kinds that keep their output find f′ from it as well as from x: `x` is then either of them. The sigmoid finds it from
/// its output alone.
OCT_INLINE vec activation(oct_activation_kind kind, float low, float high, vec x, vec *slope) {
  const vec zero = vec_set(0.0f), one = vec_set(1.0f);
  switch (kind) {
    case OCT_IDENTITY: break;
    case OCT_RELU:
      *slope = vec_select(x > zero, one, zero);
      return vec_relu(x);
    case OCT_CLAMP: {
      const vec lowest = vec_set(low), highest = vec_set(high);
      *slope = vec_select((x > lowest) & (x < highest), one, zero);
      return vec_clamp(x, lowest, highest);
    }
    case OCT_LEAKY_RELU:
      *slope = vec_select(x > zero, one, vec_set(low));
      return vec_select(x < zero, vec_set(low) * x, x);
    case OCT_SIGMOID:
      *slope = x * (one - x);
      return vec_sigmoid(x);
    case OCT_SILU: {
      const vec s = vec_sigmoid(x);
      *slope = s * vec_fma(x, one - s, one);
      return x * s;
    }
    case OCT_GELU: {
      vec density;
      const vec normal = vec_normal(x, &density);
      *slope = vec_fma(x, density, normal);
      return x * normal;
    }
  }
  *slope = one;
  return x;
}

/// g · f′(x). `x` is f's output where `is_output`, for kinds that keep it, else its argument.
///
/// A gradient of infinity that is masked is gone, not 0 · ∞.
OCT_INLINE vec activation_gradient(oct_activation_kind kind, float low, float high, bool is_output, vec x, vec g) {
  const vec zero = vec_set(0.0f);
  if (kind == OCT_IDENTITY) return g;
  if (kind == OCT_RELU) return vec_select(x > zero, g, zero);
  if (kind == OCT_CLAMP) return vec_select((x > vec_set(low)) & (x < vec_set(high)), g, zero);
  if (kind == OCT_SIGMOID && !is_output) x = vec_sigmoid(x);
  vec slope;
  activation(kind, low, high, x, &slope);
  return vec_select(slope == zero, zero, slope * g);
}

// Runs call(constant) with the constant that `kind` is: each kind's loop has no test inside.
#define OCT_EACH_KIND(kind, call)                     \
  switch (kind) {                                     \
    case OCT_IDENTITY: call(OCT_IDENTITY); break;     \
    case OCT_RELU: call(OCT_RELU); break;             \
    case OCT_CLAMP: call(OCT_CLAMP); break;           \
    case OCT_LEAKY_RELU: call(OCT_LEAKY_RELU); break; \
    case OCT_SIGMOID: call(OCT_SIGMOID); break;       \
    case OCT_SILU: call(OCT_SILU); break;             \
    case OCT_GELU: call(OCT_GELU); break;             \
  }

#endif  // OCT_VECTOR_ACTIVATION_H
