#include "ref_conv.h"

#include <string.h>

typedef struct term {
  ptrdiff_t src, weight, dst;
} term;

/// Visits every product of the convolution that lies inside the map.
#define FOR_EACH_TERM(d, body)                                                                       \
  for (ptrdiff_t n = 0; n < (d)->n; n++)                                                             \
    for (ptrdiff_t y = 0; y < (d)->oh; y++)                                                          \
      for (ptrdiff_t x = 0; x < (d)->ow; x++)                                                        \
        for (ptrdiff_t o = 0; o < (d)->oc; o++)                                                      \
          for (ptrdiff_t i = 0; i < (d)->ic / (d)->g; i++)                                           \
            for (ptrdiff_t ky = 0; ky < (d)->kh; ky++)                                               \
              for (ptrdiff_t kx = 0; kx < (d)->kw; kx++) {                                           \
                const ptrdiff_t iy = y * (d)->sh - (d)->ph + ky, ix = x * (d)->sw - (d)->pw + kx;    \
                if (iy < 0 || iy >= (d)->ih || ix < 0 || ix >= (d)->iw) continue;                    \
                const ptrdiff_t icg = (d)->ic / (d)->g, group = o / ((d)->oc / (d)->g);              \
                const term t = {((n * (d)->ih + iy) * (d)->iw + ix) * (d)->ic + group * icg + i,     \
                                ((o * icg + i) * (d)->kh + ky) * (d)->kw + kx,                       \
                                ((n * (d)->oh + y) * (d)->ow + x) * (d)->oc + o};                    \
                body;                                                                                \
              }

void ref_conv2d_forward(const ref_conv_desc *d, const float *src, const float *oihw, const float *bias, double *dst) {
  for (ptrdiff_t i = 0; i < d->n * d->oh * d->ow * d->oc; i++) dst[i] = bias ? bias[i % d->oc] : 0;
  FOR_EACH_TERM(d, dst[t.dst] += (double)src[t.src] * oihw[t.weight])
}

void ref_conv2d_backward_data(const ref_conv_desc *d, const float *diff_dst, const float *oihw, double *diff_src) {
  memset(diff_src, 0, (size_t)(d->n * d->ih * d->iw * d->ic) * sizeof(double));
  FOR_EACH_TERM(d, diff_src[t.src] += (double)diff_dst[t.dst] * oihw[t.weight])
}

void ref_conv2d_backward_weights(const ref_conv_desc *d, const float *src, const float *diff_dst, double *diff_oihw) {
  memset(diff_oihw, 0, (size_t)(d->oc * (d->ic / d->g) * d->kh * d->kw) * sizeof(double));
  FOR_EACH_TERM(d, diff_oihw[t.weight] += (double)diff_dst[t.dst] * src[t.src])
}
