// Depthwise convolution: a product a channel, bound by memory. Weights are [kh][kw][c].
#include <string.h>

#include "conv_internal.h"

static inline ptrdiff_t pixel(ptrdiff_t image, ptrdiff_t y, ptrdiff_t x, ptrdiff_t h, ptrdiff_t w) {
  return (image * h + y) * w + x;
}

oct_status oct_depthwise_forward(const oct_conv2d_desc *d, const float *src, const float *weights, const float *bias,
                                 float *dst, bool accumulate, int threads) {
  const oct_conv_leaf *leaf = oct_conv_leaf_active();
  const ptrdiff_t c = d->ic;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (ptrdiff_t row = 0; row < d->n * d->oh; row++)
    for (ptrdiff_t x = 0; x < d->ow; x++) {
      const ptrdiff_t image = row / d->oh, y = row % d->oh;
      float *out = dst + pixel(image, y, x, d->oh, d->ow) * c;
      if (!accumulate) memset(out, 0, (size_t)c * sizeof(float));
      if (bias)
        for (ptrdiff_t i = 0; i < c; i++) out[i] += bias[i];
      for (ptrdiff_t ky = 0; ky < d->kh; ky++)
        for (ptrdiff_t kx = 0; kx < d->kw; kx++) {
          const ptrdiff_t iy = y * d->sh - d->ph + ky, ix = x * d->sw - d->pw + kx;
          if (iy < 0 || iy >= d->ih || ix < 0 || ix >= d->iw) continue;
          leaf->multiply_add(c, src + pixel(image, iy, ix, d->ih, d->iw) * c, weights + (ky * d->kw + kx) * c, out);
        }
    }
  return OCT_OK;
}

oct_status oct_depthwise_backward_data(const oct_conv2d_desc *d, const float *diff_dst, const float *weights,
                                       float *diff_src, bool accumulate, int threads) {
  const oct_conv_leaf *leaf = oct_conv_leaf_active();
  const ptrdiff_t c = d->ic;
  // Every source row gathers from the output rows that read it, so no two threads write the same row.
#pragma omp parallel for schedule(static) num_threads(threads)
  for (ptrdiff_t row = 0; row < d->n * d->ih; row++)
    for (ptrdiff_t x = 0; x < d->iw; x++) {
      const ptrdiff_t image = row / d->ih, y = row % d->ih;
      float *out = diff_src + pixel(image, y, x, d->ih, d->iw) * c;
      if (!accumulate) memset(out, 0, (size_t)c * sizeof(float));
      for (ptrdiff_t ky = 0; ky < d->kh; ky++)
        for (ptrdiff_t kx = 0; kx < d->kw; kx++) {
          const ptrdiff_t py = y + d->ph - ky, px = x + d->pw - kx;
          if (py < 0 || px < 0 || py % d->sh != 0 || px % d->sw != 0) continue;
          if (py / d->sh >= d->oh || px / d->sw >= d->ow) continue;
          leaf->multiply_add(c, diff_dst + pixel(image, py / d->sh, px / d->sw, d->oh, d->ow) * c,
                             weights + (ky * d->kw + kx) * c, out);
        }
    }
  return OCT_OK;
}

/// Images are split in a fixed number of parts, whose sums are added in order.
enum { DEPTHWISE_PARTS = 16 };

ptrdiff_t oct_depthwise_backward_weights_scratch_bytes(const oct_conv2d_desc *d) {
  return DEPTHWISE_PARTS * oct_conv2d_weights_count(d) * (ptrdiff_t)sizeof(float);
}

oct_status oct_depthwise_backward_weights(const oct_conv2d_desc *d, const float *src, const float *diff_dst,
                                          float *diff_weights, bool accumulate, const oct_side_work *beside,
                                          void *scratch, int threads) {
  const oct_conv_leaf *leaf = oct_conv_leaf_active();
  const ptrdiff_t c = d->ic, count = oct_conv2d_weights_count(d), rows = d->n * d->oh;
  float *partial = scratch;
#pragma omp parallel num_threads(threads)
  {
    oct_run_beside(beside, false);
#pragma omp for schedule(static) nowait
    for (ptrdiff_t part = 0; part < DEPTHWISE_PARTS; part++) {
      float *sum = partial + part * count;
      memset(sum, 0, (size_t)count * sizeof(float));
      ptrdiff_t begin, end;
      oct_share(rows, part, DEPTHWISE_PARTS, &begin, &end);
      for (ptrdiff_t row = begin; row < end; row++)
        for (ptrdiff_t x = 0; x < d->ow; x++)
          for (ptrdiff_t ky = 0; ky < d->kh; ky++)
            for (ptrdiff_t kx = 0; kx < d->kw; kx++) {
              const ptrdiff_t image = row / d->oh, y = row % d->oh;
              const ptrdiff_t iy = y * d->sh - d->ph + ky, ix = x * d->sw - d->pw + kx;
              if (iy < 0 || iy >= d->ih || ix < 0 || ix >= d->iw) continue;
              leaf->multiply_add(c, src + pixel(image, iy, ix, d->ih, d->iw) * c,
                                 diff_dst + pixel(image, y, x, d->oh, d->ow) * c, sum + (ky * d->kw + kx) * c);
            }
    }
    oct_run_beside(beside, true);
#pragma omp barrier
#pragma omp for schedule(static)
    for (ptrdiff_t i = 0; i < count; i++) {
      float sum = accumulate ? diff_weights[i] : 0;
      for (ptrdiff_t part = 0; part < DEPTHWISE_PARTS; part++) sum += partial[part * count + i];
      diff_weights[i] = sum;
    }
  }
  return OCT_OK;
}
