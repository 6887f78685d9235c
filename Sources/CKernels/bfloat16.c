// Sums in bfloat16: the upper half of a float. Rounding is integer arithmetic, so that every processor has the same bits; the
// instructions that some have for it take subnormal numbers for zero.
#include <string.h>

#include "columns.h"

// To nearest, ties to even. What is too large becomes infinite, and NaN stays NaN: its upper half alone may be that of infinity,
// hence the quiet bit.
static inline uint16_t rounded(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t up = bits + 0x7fff + (bits >> 16 & 1);
  const uint32_t quiet = bits | 0x00400000;
  return (uint16_t)(((bits & 0x7fffffff) > 0x7f800000 ? quiet : up) >> 16);
}

static inline float widened(uint16_t value) {
  const uint32_t bits = (uint32_t)value << 16;
  float number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

oct_status oct_bfloat16_round(ptrdiff_t count, const float *src, uint16_t *dst, int threads) {
  if (count < 0) return OCT_INVALID_DESCRIPTOR;
  OCT_EACH_SHARE(count, threads, begin, end, {
    for (ptrdiff_t i = begin; i < end; i++) dst[i] = rounded(src[i]);
  });
  return OCT_OK;
}

oct_status oct_bfloat16_widen(ptrdiff_t count, const uint16_t *src, float *dst, int threads) {
  if (count < 0) return OCT_INVALID_DESCRIPTOR;
  OCT_EACH_SHARE(count, threads, begin, end, {
    for (ptrdiff_t i = begin; i < end; i++) dst[i] = widened(src[i]);
  });
  return OCT_OK;
}

oct_status oct_bfloat16_add(ptrdiff_t count, const uint16_t *a, const uint16_t *b, uint16_t *dst, int threads) {
  if (count < 0) return OCT_INVALID_DESCRIPTOR;
  OCT_EACH_SHARE(count, threads, begin, end, {
    for (ptrdiff_t i = begin; i < end; i++) dst[i] = rounded(widened(a[i]) + widened(b[i]));
  });
  return OCT_OK;
}

oct_status oct_bfloat16_sum(ptrdiff_t count, const uint16_t *a, const uint16_t *b, float *dst, int threads) {
  if (count < 0) return OCT_INVALID_DESCRIPTOR;
  OCT_EACH_SHARE(count, threads, begin, end, {
    for (ptrdiff_t i = begin; i < end; i++) dst[i] = widened(a[i]) + widened(b[i]);
  });
  return OCT_OK;
}
