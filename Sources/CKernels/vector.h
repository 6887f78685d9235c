// One vector type for all instruction sets. A leaf file defines OCT_ISA_SUFFIX and OCT_VECTOR_WIDTH (and pushes its
// target attribute) before it includes this; every kernel template is then written once.
//
// The OpenMP loop bodies lose target attributes, so leaf functions are plain single-threaded functions that the
// instruction-set-free drivers call through a table.
#ifndef OCT_VECTOR_H
#define OCT_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define OCT_CONCAT_(a, b) a##_##b
#define OCT_CONCAT(a, b) OCT_CONCAT_(a, b)
/// oct_name(foo) → foo_avx512 and so on.
#define OCT_LEAF(name) OCT_CONCAT(name, OCT_ISA_SUFFIX)
#define OCT_INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((ext_vector_type(OCT_VECTOR_WIDTH)));
typedef int32_t vec_int __attribute__((ext_vector_type(OCT_VECTOR_WIDTH)));
typedef float vec_unaligned __attribute__((ext_vector_type(OCT_VECTOR_WIDTH), aligned(4)));

OCT_INLINE vec vec_load(const float *p) { return *(const vec_unaligned *)p; }
OCT_INLINE void vec_store(float *p, vec v) { *(vec_unaligned *)p = v; }
OCT_INLINE vec vec_set(float x) { return (vec)(x); }

/// a·b + c. Without a fused instruction __builtin_elementwise_fma would call libm once a lane.
OCT_INLINE vec vec_fma(vec a, vec b, vec c) {
#if OCT_HAS_FMA
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// mask (all ones or zero a lane) ? a : b.
OCT_INLINE vec vec_select(vec_int mask, vec a, vec b) {
  return (vec)(((vec_int)a & mask) | ((vec_int)b & ~mask));
}
/// max(0, v); NaN stays NaN, so that a diverged network shows it.
OCT_INLINE vec vec_relu(vec v) { return vec_select(v < vec_set(0.0f), vec_set(0.0f), v); }

#endif  // OCT_VECTOR_H
