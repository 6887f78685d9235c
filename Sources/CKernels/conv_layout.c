// Descriptors and the blocked weight layout.
#include <string.h>

#include "conv_internal.h"

/// ⌊(size + 2·padding − kernel) / stride⌋ + 1, or 0 where the kernel does not fit.
static ptrdiff_t extent(ptrdiff_t size, ptrdiff_t kernel, ptrdiff_t stride, ptrdiff_t padding) {
  const ptrdiff_t span = size + 2 * padding - kernel;
  return span < 0 ? 0 : span / stride + 1;
}

oct_status oct_conv2d_check(const oct_conv2d_desc *d) {
  const ptrdiff_t limit = (ptrdiff_t)1 << 31;
  const ptrdiff_t sizes[] = {d->n, d->ih, d->iw, d->ic, d->oh, d->ow, d->oc, d->kh, d->kw, d->sh, d->sw, d->g};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (sizes[i] < 1 || sizes[i] >= limit) return OCT_INVALID_DESCRIPTOR;
  if (d->ph < 0 || d->pw < 0 || d->ph >= limit || d->pw >= limit) return OCT_INVALID_DESCRIPTOR;
  if (d->ic % d->g != 0 || d->oc % d->g != 0) return OCT_INVALID_DESCRIPTOR;
  if (d->oh > extent(d->ih, d->kh, d->sh, d->ph) || d->ow > extent(d->iw, d->kw, d->sw, d->pw))
    return OCT_INVALID_DESCRIPTOR;
  return OCT_OK;
}

ptrdiff_t oct_conv2d_weights_count(const oct_conv2d_desc *d) {
  const ptrdiff_t taps = d->kh * d->kw;
  if (oct_conv_is_depthwise(d)) return taps * d->ic;
  return d->g * oct_padded(d->oc / d->g) * (d->ic / d->g) * taps;
}

/// Calls `body` with the index of each element in OIHW order and in the blocked layout.
#define FOR_EACH_WEIGHT(d, body)                                                                       \
  do {                                                                                                 \
    const ptrdiff_t taps = (d)->kh * (d)->kw, icg = (d)->ic / (d)->g, ocg = (d)->oc / (d)->g;          \
    for (ptrdiff_t o = 0; o < (d)->oc; o++) {                                                          \
      const ptrdiff_t group = o / ocg, block = o % ocg / OCT_BLOCK, lane = o % ocg % OCT_BLOCK;        \
      const ptrdiff_t width = oct_block_width(ocg, block);                                             \
      const ptrdiff_t base = (group * oct_padded(ocg) + block * OCT_BLOCK) * icg * taps + lane;        \
      for (ptrdiff_t i = 0; i < icg; i++)                                                              \
        for (ptrdiff_t t = 0; t < taps; t++) {                                                         \
          const ptrdiff_t plain = (o * icg + i) * taps + t;                                            \
          const ptrdiff_t blocked = oct_conv_is_depthwise(d) ? t * (d)->ic + o : base + (t * icg + i) * width; \
          body;                                                                                        \
        }                                                                                              \
    }                                                                                                  \
  } while (0)

void oct_conv2d_pack_weights(const oct_conv2d_desc *d, const float *restrict oihw, float *restrict weights) {
  memset(weights, 0, (size_t)oct_conv2d_weights_count(d) * sizeof(float));
  FOR_EACH_WEIGHT(d, weights[blocked] = oihw[plain]);
}

void oct_conv2d_unpack_weights(const oct_conv2d_desc *d, const float *restrict weights, float *restrict oihw) {
  FOR_EACH_WEIGHT(d, oihw[plain] = weights[blocked]);
}
