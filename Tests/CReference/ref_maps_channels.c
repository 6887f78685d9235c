#include <math.h>
#include <stdlib.h>

#include "ref_maps.h"

/// Weight of source position i for output position o.
static double weight(ptrdiff_t i, ptrdiff_t o, ptrdiff_t scale, ptrdiff_t size, bool bilinear) {
  if (!bilinear) return o / scale == i ? 1 : 0;
  double at = ((double)o + 0.5) / (double)scale - 0.5;
  // Beyond the centres of the outer pixels the border goes on.
  if (at < 0) at = 0;
  if (at > (double)(size - 1)) at = (double)(size - 1);
  const double distance = fabs(at - (double)i);
  return distance < 1 ? 1 - distance : 0;
}

static void upsample(ptrdiff_t n, ptrdiff_t oh, ptrdiff_t ow, ptrdiff_t c, ptrdiff_t scale, bool bilinear,
                     const float *from, double *to, bool backward) {
  const ptrdiff_t ih = (oh + scale - 1) / scale, iw = (ow + scale - 1) / scale;
  for (ptrdiff_t i = 0; i < n * (backward ? ih * iw : oh * ow) * c; i++) to[i] = 0;
  for (ptrdiff_t b = 0; b < n; b++)
    for (ptrdiff_t y = 0; y < oh; y++)
      for (ptrdiff_t x = 0; x < ow; x++)
        for (ptrdiff_t sy = 0; sy < ih; sy++)
          for (ptrdiff_t sx = 0; sx < iw; sx++) {
            const double w = weight(sy, y, scale, ih, bilinear) * weight(sx, x, scale, iw, bilinear);
            if (w == 0) continue;
            for (ptrdiff_t k = 0; k < c; k++) {
              const ptrdiff_t large = ((b * oh + y) * ow + x) * c + k, small = ((b * ih + sy) * iw + sx) * c + k;
              if (backward)
                to[small] += w * (double)from[large];
              else
                to[large] += w * (double)from[small];
            }
          }
}

void ref_upsample_forward(ptrdiff_t n, ptrdiff_t oh, ptrdiff_t ow, ptrdiff_t c, ptrdiff_t scale, bool bilinear,
                          const float *src, double *dst) {
  upsample(n, oh, ow, c, scale, bilinear, src, dst, false);
}

void ref_upsample_backward(ptrdiff_t n, ptrdiff_t oh, ptrdiff_t ow, ptrdiff_t c, ptrdiff_t scale, bool bilinear,
                           const float *diff_dst, double *diff_src) {
  upsample(n, oh, ow, c, scale, bilinear, diff_dst, diff_src, true);
}

void ref_gate_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, const float *gate, double *dst) {
  for (ptrdiff_t i = 0; i < n * pixels * c; i++)
    dst[i] = (double)src[i] * (double)gate[i / (pixels * c) * c + i % c];
}

void ref_gate_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, const float *diff_dst,
                       double *diff_gate) {
  for (ptrdiff_t i = 0; i < n * c; i++) diff_gate[i] = 0;
  for (ptrdiff_t i = 0; i < n * pixels * c; i++)
    diff_gate[i / (pixels * c) * c + i % c] += (double)src[i] * (double)diff_dst[i];
}

typedef struct moments {
  double mean, deviation;
} moments;

static moments of_group(ptrdiff_t pixels, ptrdiff_t c, ptrdiff_t width, double epsilon, const float *src) {
  double mean = 0, variance = 0;
  const double count = (double)(pixels * width);
  for (ptrdiff_t p = 0; p < pixels; p++)
    for (ptrdiff_t k = 0; k < width; k++) mean += (double)src[p * c + k] / count;
  for (ptrdiff_t p = 0; p < pixels; p++)
    for (ptrdiff_t k = 0; k < width; k++)
      variance += ((double)src[p * c + k] - mean) * ((double)src[p * c + k] - mean) / count;
  return (moments){mean, sqrt(variance + epsilon)};
}

void ref_group_norm_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, ptrdiff_t groups, double epsilon, const float *src,
                            const float *gamma, const float *beta, double *dst) {
  const ptrdiff_t width = c / groups;
  for (ptrdiff_t b = 0; b < n; b++)
    for (ptrdiff_t g = 0; g < groups; g++) {
      const ptrdiff_t start = b * pixels * c + g * width;
      const moments m = of_group(pixels, c, width, epsilon, src + start);
      for (ptrdiff_t p = 0; p < pixels; p++)
        for (ptrdiff_t k = 0; k < width; k++)
          dst[start + p * c + k] = ((double)src[start + p * c + k] - m.mean) / m.deviation * (double)gamma[g * width + k] +
                                   (double)beta[g * width + k];
    }
}

void ref_group_norm_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, ptrdiff_t groups, double epsilon,
                             const float *src, const float *gamma, const float *diff_dst, double *diff_src,
                             double *diff_gamma, double *diff_beta) {
  const ptrdiff_t width = c / groups;
  const double count = (double)(pixels * width);
  for (ptrdiff_t k = 0; k < c; k++) diff_gamma[k] = diff_beta[k] = 0;
  for (ptrdiff_t b = 0; b < n; b++)
    for (ptrdiff_t g = 0; g < groups; g++) {
      const ptrdiff_t start = b * pixels * c + g * width;
      const moments m = of_group(pixels, c, width, epsilon, src + start);
      double by_variance = 0, by_mean = 0;
      for (ptrdiff_t p = 0; p < pixels; p++)
        for (ptrdiff_t k = 0; k < width; k++) {
          const ptrdiff_t at = start + p * c + k;
          const double centred = (double)src[at] - m.mean, dy = (double)diff_dst[at];
          diff_gamma[g * width + k] += dy * centred / m.deviation;
          diff_beta[g * width + k] += dy;
          const double normal = dy * (double)gamma[g * width + k];
          by_variance += normal * centred * -0.5 / (m.deviation * m.deviation * m.deviation);
          by_mean -= normal / m.deviation;
        }
      for (ptrdiff_t p = 0; p < pixels; p++)
        for (ptrdiff_t k = 0; k < width; k++) {
          const ptrdiff_t at = start + p * c + k;
          const double centred = (double)src[at] - m.mean;
          diff_src[at] = (double)diff_dst[at] * (double)gamma[g * width + k] / m.deviation +
                         by_variance * 2 * centred / count + by_mean / count;
        }
    }
}
