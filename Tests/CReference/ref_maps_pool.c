// Pooling and upsampling, one output element at a time; backward scatters along the very same loops.
#include <math.h>

#include "CReference.h"

static ptrdiff_t src_index(const ref_pool2d *p, ptrdiff_t n, ptrdiff_t y, ptrdiff_t x, ptrdiff_t c) {
  return ((n * p->ih + y) * p->iw + x) * p->c + c;
}
static ptrdiff_t dst_index(const ref_pool2d *p, ptrdiff_t n, ptrdiff_t y, ptrdiff_t x, ptrdiff_t c) {
  return ((n * p->oh + y) * p->ow + x) * p->c + c;
}

/// Source pixel of a tap, or false where the tap is outside.
static bool tap(const ref_pool2d *p, ptrdiff_t oy, ptrdiff_t ox, ptrdiff_t k, ptrdiff_t *y, ptrdiff_t *x) {
  *y = oy * p->sh - p->ph + k / p->kw;
  *x = ox * p->sw - p->pw + k % p->kw;
  return *y >= 0 && *y < p->ih && *x >= 0 && *x < p->iw;
}

void ref_avg_pool2d_forward(const ref_pool2d *p, const float *src, double *dst) {
  for (ptrdiff_t n = 0; n < p->n; n++)
    for (ptrdiff_t oy = 0; oy < p->oh; oy++)
      for (ptrdiff_t ox = 0; ox < p->ow; ox++)
        for (ptrdiff_t c = 0; c < p->c; c++) {
          double sum = 0, inside = 0;
          ptrdiff_t y, x;
          for (ptrdiff_t k = 0; k < p->kh * p->kw; k++)
            if (tap(p, oy, ox, k, &y, &x)) {
              sum += (double)src[src_index(p, n, y, x, c)];
              inside += 1;
            }
          dst[dst_index(p, n, oy, ox, c)] = sum / inside;
        }
}

void ref_avg_pool2d_backward(const ref_pool2d *p, const float *diff_dst, double *diff_src) {
  for (ptrdiff_t i = 0; i < p->n * p->ih * p->iw * p->c; i++) diff_src[i] = 0;
  for (ptrdiff_t n = 0; n < p->n; n++)
    for (ptrdiff_t oy = 0; oy < p->oh; oy++)
      for (ptrdiff_t ox = 0; ox < p->ow; ox++)
        for (ptrdiff_t c = 0; c < p->c; c++) {
          double inside = 0;
          ptrdiff_t y, x;
          for (ptrdiff_t k = 0; k < p->kh * p->kw; k++) inside += tap(p, oy, ox, k, &y, &x);
          for (ptrdiff_t k = 0; k < p->kh * p->kw; k++)
            if (tap(p, oy, ox, k, &y, &x))
              diff_src[src_index(p, n, y, x, c)] += (double)diff_dst[dst_index(p, n, oy, ox, c)] / inside;
        }
}

/// PyTorch's rule: strictly greater wins, and so does NaN.
static ptrdiff_t winner(const ref_pool2d *p, const float *src, ptrdiff_t n, ptrdiff_t oy, ptrdiff_t ox,
                        ptrdiff_t c) {
  ptrdiff_t best = -1, y, x;
  float largest = 0;
  for (ptrdiff_t k = 0; k < p->kh * p->kw; k++) {
    if (!tap(p, oy, ox, k, &y, &x)) continue;
    const float v = src[src_index(p, n, y, x, c)];
    if (best < 0 || v > largest || isnan(v)) {
      best = k;
      largest = v;
    }
  }
  return best;
}

void ref_max_pool2d_forward(const ref_pool2d *p, const float *src, double *dst, int32_t *argmax) {
  for (ptrdiff_t n = 0; n < p->n; n++)
    for (ptrdiff_t oy = 0; oy < p->oh; oy++)
      for (ptrdiff_t ox = 0; ox < p->ow; ox++)
        for (ptrdiff_t c = 0; c < p->c; c++) {
          const ptrdiff_t best = winner(p, src, n, oy, ox, c), at = dst_index(p, n, oy, ox, c);
          ptrdiff_t y, x;
          tap(p, oy, ox, best, &y, &x);
          dst[at] = (double)src[src_index(p, n, y, x, c)];
          argmax[at] = (int32_t)best;
        }
}

void ref_max_pool2d_backward(const ref_pool2d *p, const float *src, const float *diff_dst, double *diff_src) {
  for (ptrdiff_t i = 0; i < p->n * p->ih * p->iw * p->c; i++) diff_src[i] = 0;
  for (ptrdiff_t n = 0; n < p->n; n++)
    for (ptrdiff_t oy = 0; oy < p->oh; oy++)
      for (ptrdiff_t ox = 0; ox < p->ow; ox++)
        for (ptrdiff_t c = 0; c < p->c; c++) {
          ptrdiff_t y, x;
          tap(p, oy, ox, winner(p, src, n, oy, ox, c), &y, &x);
          diff_src[src_index(p, n, y, x, c)] += (double)diff_dst[dst_index(p, n, oy, ox, c)];
        }
}

void ref_global_avg_pool_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, double *dst) {
  for (ptrdiff_t i = 0; i < n; i++)
    for (ptrdiff_t k = 0; k < c; k++) {
      double sum = 0;
      for (ptrdiff_t q = 0; q < pixels; q++) sum += (double)src[(i * pixels + q) * c + k];
      dst[i * c + k] = sum / (double)pixels;
    }
}

void ref_global_avg_pool_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *diff_dst,
                                  double *diff_src) {
  for (ptrdiff_t i = 0; i < n * pixels * c; i++)
    diff_src[i] = (double)diff_dst[i / (pixels * c) * c + i % c] / (double)pixels;
}

void ref_upsample2x_forward(ptrdiff_t n, ptrdiff_t oh, ptrdiff_t ow, ptrdiff_t c, const float *src,
                            double *dst) {
  const ptrdiff_t ih = (oh + 1) / 2, iw = (ow + 1) / 2;
  for (ptrdiff_t i = 0; i < n; i++)
    for (ptrdiff_t y = 0; y < oh; y++)
      for (ptrdiff_t x = 0; x < ow; x++)
        for (ptrdiff_t k = 0; k < c; k++)
          dst[((i * oh + y) * ow + x) * c + k] = (double)src[((i * ih + y / 2) * iw + x / 2) * c + k];
}

void ref_upsample2x_backward(ptrdiff_t n, ptrdiff_t oh, ptrdiff_t ow, ptrdiff_t c, const float *diff_dst,
                             double *diff_src) {
  const ptrdiff_t ih = (oh + 1) / 2, iw = (ow + 1) / 2;
  for (ptrdiff_t i = 0; i < n * ih * iw * c; i++) diff_src[i] = 0;
  for (ptrdiff_t i = 0; i < n; i++)
    for (ptrdiff_t y = 0; y < oh; y++)
      for (ptrdiff_t x = 0; x < ow; x++)
        for (ptrdiff_t k = 0; k < c; k++)
          diff_src[((i * ih + y / 2) * iw + x / 2) * c + k] +=
              (double)diff_dst[((i * oh + y) * ow + x) * c + k];
}
