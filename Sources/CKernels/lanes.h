// Partial vectors: the first lanes of a vector read or written without touching memory behind them.
//
// Masked instructions where they exist; a memcpy of variable length is a library call, which a map of three
// channels would pay for every pixel. Include after vector.h, inside the target attribute.
#ifndef OCT_LANES_H
#define OCT_LANES_H

#include "vector.h"

typedef int32_t vec_int_unaligned __attribute__((ext_vector_type(OCT_VECTOR_WIDTH), aligned(4)));

#if OCT_VECTOR_WIDTH == 16
OCT_INLINE __mmask16 lanes_mask(ptrdiff_t lanes) { return (__mmask16)((1u << lanes) - 1u); }
OCT_INLINE vec lanes_load_part(const float *p, ptrdiff_t lanes) {
  return (vec)_mm512_maskz_loadu_ps(lanes_mask(lanes), p);
}
OCT_INLINE void lanes_store_part(float *p, vec v, ptrdiff_t lanes) {
  _mm512_mask_storeu_ps(p, lanes_mask(lanes), (__m512)v);
}
OCT_INLINE vec_int lanes_load_int_part(const int32_t *p, ptrdiff_t lanes) {
  return (vec_int)_mm512_maskz_loadu_epi32(lanes_mask(lanes), p);
}
OCT_INLINE void lanes_store_int_part(int32_t *p, vec_int v, ptrdiff_t lanes) {
  _mm512_mask_storeu_epi32(p, lanes_mask(lanes), (__m512i)v);
}
#elif OCT_VECTOR_WIDTH == 8
OCT_INLINE __m256i lanes_mask(ptrdiff_t lanes) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
OCT_INLINE vec lanes_load_part(const float *p, ptrdiff_t lanes) {
  return (vec)_mm256_maskload_ps(p, lanes_mask(lanes));
}
OCT_INLINE void lanes_store_part(float *p, vec v, ptrdiff_t lanes) {
  _mm256_maskstore_ps(p, lanes_mask(lanes), (__m256)v);
}
OCT_INLINE vec_int lanes_load_int_part(const int32_t *p, ptrdiff_t lanes) {
  return (vec_int)_mm256_maskload_epi32(p, lanes_mask(lanes));
}
OCT_INLINE void lanes_store_int_part(int32_t *p, vec_int v, ptrdiff_t lanes) {
  _mm256_maskstore_epi32(p, lanes_mask(lanes), (__m256i)v);
}
#else
OCT_INLINE vec lanes_load_part(const float *p, ptrdiff_t lanes) {
  vec v = (vec)(0.0f);
  for (int k = 0; k < OCT_VECTOR_WIDTH - 1; k++)
    if (k < lanes) v[k] = p[k];
  return v;
}
OCT_INLINE void lanes_store_part(float *p, vec v, ptrdiff_t lanes) {
  for (int k = 0; k < OCT_VECTOR_WIDTH - 1; k++)
    if (k < lanes) p[k] = v[k];
}
OCT_INLINE vec_int lanes_load_int_part(const int32_t *p, ptrdiff_t lanes) {
  vec_int v = (vec_int)(0);
  for (int k = 0; k < OCT_VECTOR_WIDTH - 1; k++)
    if (k < lanes) v[k] = p[k];
  return v;
}
OCT_INLINE void lanes_store_int_part(int32_t *p, vec_int v, ptrdiff_t lanes) {
  for (int k = 0; k < OCT_VECTOR_WIDTH - 1; k++)
    if (k < lanes) p[k] = v[k];
}
#endif

/// `lanes` is 1 … width. Where it is the constant width (see OCT_EACH_VECTOR) the test folds away.
OCT_INLINE vec lanes_load(const float *p, ptrdiff_t lanes) {
  return lanes == OCT_VECTOR_WIDTH ? vec_load(p) : lanes_load_part(p, lanes);
}
/// The same where `lanes` is not known to be less than the width: masks need no test.
OCT_INLINE vec lanes_load_any(const float *p, ptrdiff_t lanes) {
#if OCT_VECTOR_WIDTH >= 8
  return lanes_load_part(p, lanes);
#else
  return lanes_load(p, lanes);
#endif
}
OCT_INLINE void lanes_store(float *p, vec v, ptrdiff_t lanes) {
  if (lanes == OCT_VECTOR_WIDTH)
    vec_store(p, v);
  else
    lanes_store_part(p, v, lanes);
}
OCT_INLINE vec_int lanes_load_int(const int32_t *p, ptrdiff_t lanes) {
  return lanes == OCT_VECTOR_WIDTH ? *(const vec_int_unaligned *)p : lanes_load_int_part(p, lanes);
}
OCT_INLINE void lanes_store_int(int32_t *p, vec_int v, ptrdiff_t lanes) {
  if (lanes == OCT_VECTOR_WIDTH)
    *(vec_int_unaligned *)p = v;
  else
    lanes_store_int_part(p, v, lanes);
}

/// The first `count` lanes, all of them where count is the width or more and none where it is not positive; the others read
/// as zero.
OCT_INLINE vec vec_load_part(const float *p, ptrdiff_t count) {
  if (count >= OCT_VECTOR_WIDTH) return vec_load(p);
  return count > 0 ? lanes_load_part(p, count) : vec_set(0);
}
OCT_INLINE void vec_store_part(float *p, vec v, ptrdiff_t count) {
  if (count >= OCT_VECTOR_WIDTH)
    vec_store(p, v);
  else if (count > 0)
    lanes_store_part(p, v, count);
}

/// dst = v, or dst += v.
OCT_INLINE void lanes_put(float *p, vec v, bool accumulate, ptrdiff_t lanes) {
  if (accumulate) v += lanes_load(p, lanes);
  lanes_store(p, v, lanes);
}

/// Runs the body for i = 0, width, 2·width … < count, with `lanes` the constant vector width while whole
/// vectors last and once with what is left.
#define OCT_EACH_VECTOR(i, lanes, count, ...)                                  \
  do {                                                                         \
    const ptrdiff_t whole_##i = (count) / OCT_VECTOR_WIDTH * OCT_VECTOR_WIDTH; \
    for (ptrdiff_t i = 0; i < whole_##i; i += OCT_VECTOR_WIDTH) {              \
      enum { lanes = OCT_VECTOR_WIDTH };                                       \
      __VA_ARGS__                                                              \
    }                                                                          \
    if (whole_##i < (count)) {                                                 \
      const ptrdiff_t i = whole_##i, lanes = (count) - whole_##i;              \
      __VA_ARGS__                                                              \
    }                                                                          \
  } while (0)

#endif  // OCT_LANES_H
