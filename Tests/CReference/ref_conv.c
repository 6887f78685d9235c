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

double ref_conv2d_forward_at(const ref_conv_desc *d, const float *src, const float *oihw, ptrdiff_t index) {
  const ptrdiff_t icg = d->ic / d->g, ocg = d->oc / d->g;
  const ptrdiff_t o = index % d->oc, x = index / d->oc % d->ow, y = index / d->oc / d->ow % d->oh, n = index / d->oc / d->ow / d->oh;
  double sum = 0;
  for (ptrdiff_t ky = 0; ky < d->kh; ky++)
    for (ptrdiff_t kx = 0; kx < d->kw; kx++) {
      const ptrdiff_t sy = y * d->sh - d->ph + ky, sx = x * d->sw - d->pw + kx;
      if (sy < 0 || sy >= d->ih || sx < 0 || sx >= d->iw) continue;
      for (ptrdiff_t i = 0; i < icg; i++)
        sum += (double)src[((n * d->ih + sy) * d->iw + sx) * d->ic + o / ocg * icg + i] *
               oihw[((o * icg + i) * d->kh + ky) * d->kw + kx];
    }
  return sum;
}

double ref_conv2d_backward_data_at(const ref_conv_desc *d, const float *diff_dst, const float *oihw, ptrdiff_t index) {
  const ptrdiff_t icg = d->ic / d->g, ocg = d->oc / d->g;
  const ptrdiff_t i = index % d->ic, x = index / d->ic % d->iw, y = index / d->ic / d->iw % d->ih, n = index / d->ic / d->iw / d->ih;
  double sum = 0;
  for (ptrdiff_t ky = 0; ky < d->kh; ky++)
    for (ptrdiff_t kx = 0; kx < d->kw; kx++) {
      const ptrdiff_t dy = y + d->ph - ky, dx = x + d->pw - kx;
      if (dy < 0 || dx < 0 || dy % d->sh != 0 || dx % d->sw != 0 || dy / d->sh >= d->oh || dx / d->sw >= d->ow) continue;
      for (ptrdiff_t k = 0; k < ocg; k++) {
        const ptrdiff_t o = i / icg * ocg + k;
        sum += (double)diff_dst[((n * d->oh + dy / d->sh) * d->ow + dx / d->sw) * d->oc + o] *
               oihw[((o * icg + i % icg) * d->kh + ky) * d->kw + kx];
      }
    }
  return sum;
}

double ref_conv2d_backward_weights_at(const ref_conv_desc *d, const float *src, const float *diff_dst, ptrdiff_t index) {
  const ptrdiff_t icg = d->ic / d->g, ocg = d->oc / d->g;
  const ptrdiff_t kx = index % d->kw, ky = index / d->kw % d->kh, i = index / d->kw / d->kh % icg, o = index / d->kw / d->kh / icg;
  double sum = 0;
  for (ptrdiff_t n = 0; n < d->n; n++)
    for (ptrdiff_t y = 0; y < d->oh; y++)
      for (ptrdiff_t x = 0; x < d->ow; x++) {
        const ptrdiff_t sy = y * d->sh - d->ph + ky, sx = x * d->sw - d->pw + kx;
        if (sy < 0 || sy >= d->ih || sx < 0 || sx >= d->iw) continue;
        sum += (double)src[((n * d->ih + sy) * d->iw + sx) * d->ic + o / ocg * icg + i] *
               diff_dst[((n * d->oh + y) * d->ow + x) * d->oc + o];
      }
  return sum;
}

void ref_fill(ptrdiff_t count, unsigned seed, float *values) {
  unsigned state = seed * 2654435761u + 1;
  for (ptrdiff_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    values[i] = (float)(state >> 8) * 0x1p-23f - 1.0f;
  }
}
