// Exponentials and what activations make of them, for every vector width. NaN stays NaN.
//
// Include after vector.h, inside the target attribute.
#ifndef OCT_VECTOR_MATH_H
#define OCT_VECTOR_MATH_H

#include "vector.h"

typedef uint32_t vec_uint __attribute__((ext_vector_type(OCT_VECTOR_WIDTH)));

/// e^x for x ≤ 0; at and below −87 it is e^−87 = 1.6e-38. Within two units in the last place.
///
/// x = n·ln 2 + r with |r| ≤ ½ ln 2; e^r is Cephes' polynomial of degree 6, 2^n goes into the exponent.
OCT_INLINE vec vec_exp_of_negative(vec x) {
  const vec lowest = vec_set(-87.0f);
  x = vec_select(x < lowest, lowest, x);
  // Adding 1.5·2²³ rounds to a whole number, which then stands in the lowest bits.
  const vec shifter = vec_set(0x1.8p23f);
  const vec shifted = vec_fma(x, vec_set(0x1.715476p+0f), shifter);
  const vec n = shifted - shifter;
  // ln 2 in two parts: the first has so few digits that its product with n is exact.
  vec r = vec_fma(n, vec_set(-0x1.63p-1f), x);
  r = vec_fma(n, vec_set(0x1.bd0106p-13f), r);
  vec p = vec_set(1.9875691500e-4f);
  p = vec_fma(p, r, vec_set(1.3981999507e-3f));
  p = vec_fma(p, r, vec_set(8.3334519073e-3f));
  p = vec_fma(p, r, vec_set(4.1665795894e-2f));
  p = vec_fma(p, r, vec_set(1.6666665459e-1f));
  p = vec_fma(p, r, vec_set(5.0000001201e-1f));
  p = vec_fma(p, r * r, r) + vec_set(1.0f);
  return p * (vec)(((vec_uint)shifted << 23) + 0x3f800000u);
}

OCT_INLINE vec vec_abs(vec x) { return (vec)((vec_uint)x & 0x7fffffffu); }

/// 1 / (1 + e^−x). Its small values, too, have all their digits.
OCT_INLINE vec vec_sigmoid(vec x) {
  const vec e = vec_exp_of_negative(-vec_abs(x));
  return vec_select(x < vec_set(0.0f), e, vec_set(1.0f)) / (vec_set(1.0f) + e);
}

/// Φ(x) = ½ erfc(−x / √2), the normal distribution, and its density e^(−x²/2) / √2π.
///
/// erfc(z) for z ≥ 0 is t · e^(−z² + P(t)), t = 1 / (1 + z / 2), with the relative error 1.2e-7 (Press et al., Numerical
/// Recipes, section 6.2).
OCT_INLINE vec vec_normal(vec x, vec *density) {
  const vec half = vec_set(0.5f), one = vec_set(1.0f);
  const vec z = vec_abs(x) * vec_set(0x1.6a09e6p-1f);
  const vec gauss = vec_exp_of_negative(-half * x * x);
  *density = gauss * vec_set(0x1.988454p-2f);
  const vec t = one / vec_fma(half, z, one);
  vec p = vec_set(0.17087277f);
  p = vec_fma(p, t, vec_set(-0.82215223f));
  p = vec_fma(p, t, vec_set(1.48851587f));
  p = vec_fma(p, t, vec_set(-1.13520398f));
  p = vec_fma(p, t, vec_set(0.27886807f));
  p = vec_fma(p, t, vec_set(-0.18628806f));
  p = vec_fma(p, t, vec_set(0.09678418f));
  p = vec_fma(p, t, vec_set(0.37409196f));
  p = vec_fma(p, t, vec_set(1.00002368f));
  p = vec_fma(p, t, vec_set(-1.26551223f));
  // P(t) is −1.27 … 0 and e^(−z²) the density's.
  const vec upper = half * t * gauss * vec_exp_of_negative(p);
  return vec_select(x < vec_set(0.0f), upper, one - upper);
}

#endif  // OCT_VECTOR_MATH_H
