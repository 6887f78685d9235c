// Convolution in plain loops and double precision. Layouts: maps NHWC, weights OIHW. All sums are assigned.
#ifndef REF_CONV_H
#define REF_CONV_H

#include <stddef.h>

typedef struct ref_conv_desc {
  ptrdiff_t n, ih, iw, ic, oh, ow, oc, kh, kw, sh, sw, ph, pw, g;
} ref_conv_desc;

/// bias may be NULL.
void ref_conv2d_forward(const ref_conv_desc *d, const float *src, const float *oihw, const float *bias, double *dst);
void ref_conv2d_backward_data(const ref_conv_desc *d, const float *diff_dst, const float *oihw, double *diff_src);
void ref_conv2d_backward_weights(const ref_conv_desc *d, const float *src, const float *diff_dst, double *diff_oihw);

/// One number of each pass's result: where all of them would take too long. `index` counts dst and diff_src as NHWC, and
/// diff_weights as OIHW.
double ref_conv2d_forward_at(const ref_conv_desc *d, const float *src, const float *oihw, ptrdiff_t index);
double ref_conv2d_backward_data_at(const ref_conv_desc *d, const float *diff_dst, const float *oihw, ptrdiff_t index);
double ref_conv2d_backward_weights_at(const ref_conv_desc *d, const float *src, const float *diff_dst, ptrdiff_t index);

/// Uniform in −1 ..< 1, the same for a seed.
void ref_fill(ptrdiff_t count, unsigned seed, float *values);

#endif  // REF_CONV_H
