// Oracles of everything but the convolutions: the formula as written, one element at a time, in double.
// Outputs are assigned; a test of accumulation adds them to what was there.
#ifndef REF_MAPS_H
#define REF_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ref_pool2d {
  ptrdiff_t n, ih, iw, c, oh, ow, kh, kw, sh, sw, ph, pw;
} ref_pool2d;

void ref_avg_pool2d_forward(const ref_pool2d *p, const float *src, double *dst);
void ref_avg_pool2d_backward(const ref_pool2d *p, const float *diff_dst, double *diff_src);
void ref_max_pool2d_forward(const ref_pool2d *p, const float *src, double *dst, int32_t *argmax);
/// Finds the winners in `src` again: does not depend on what a kernel stored.
void ref_max_pool2d_backward(const ref_pool2d *p, const float *src, const float *diff_dst, double *diff_src);
void ref_global_avg_pool_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, double *dst);
void ref_global_avg_pool_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *diff_dst,
                                  double *diff_src);

void ref_upsample2x_forward(ptrdiff_t n, ptrdiff_t oh, ptrdiff_t ow, ptrdiff_t c, const float *src,
                            double *dst);
void ref_upsample2x_backward(ptrdiff_t n, ptrdiff_t oh, ptrdiff_t ow, ptrdiff_t c, const float *diff_dst,
                             double *diff_src);

/// By a whole factor, nearest or bilinear with PyTorch's positions (align_corners false), cropped.
void ref_upsample_forward(ptrdiff_t n, ptrdiff_t oh, ptrdiff_t ow, ptrdiff_t c, ptrdiff_t scale, bool bilinear,
                          const float *src, double *dst);
void ref_upsample_backward(ptrdiff_t n, ptrdiff_t oh, ptrdiff_t ow, ptrdiff_t c, ptrdiff_t scale, bool bilinear,
                           const float *diff_dst, double *diff_src);

void ref_gate_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, const float *gate, double *dst);
void ref_gate_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, const float *diff_dst,
                       double *diff_gate);

/// Biased variance of each image and group. The chain rule through both, step by step.
void ref_group_norm_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, ptrdiff_t groups, double epsilon, const float *src,
                            const float *gamma, const float *beta, double *dst);
void ref_group_norm_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, ptrdiff_t groups, double epsilon,
                             const float *src, const float *gamma, const float *diff_dst, double *diff_src,
                             double *diff_gamma, double *diff_beta);

/// f(x) and f′(x) of the activation with the number of oct_activation_kind.
double ref_activation(int kind, double low, double high, double x, double *slope);

/// Biased variance; dst is what an activation would take. `residual` may be NULL.
void ref_batch_norm_forward(ptrdiff_t rows, ptrdiff_t c, const float *src, const float *gamma,
                            const float *beta, const double *mean, const double *var, double epsilon,
                            const float *residual, double *dst);
void ref_batch_statistics(ptrdiff_t rows, ptrdiff_t c, const float *src, double *mean, double *biased_var,
                          double *unbiased_var);
/// The chain rule through variance and mean, step by step. `slope` is that of the activation behind it, for each
/// element.
void ref_batch_norm_backward(ptrdiff_t rows, ptrdiff_t c, const float *src, const double *slope,
                             const float *diff_dst, const float *gamma, double epsilon, double *diff_src,
                             double *diff_residual, double *diff_gamma, double *diff_beta);

void ref_column_sums(ptrdiff_t rows, ptrdiff_t c, const float *src, double *sums);

/// diff_logits = ∂ loss / ∂ logits, unscaled. Labels that are not mixed: share 1.
void ref_softmax_cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits, const int32_t *labels,
                               const int32_t *mixed_labels, double share, double smoothing, double *losses,
                               double *diff_logits);
/// PyTorch's `cross_entropy(weight:, reduction: "none")` of targets that are shares of classes.
void ref_softmax_weighted_cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits, const int32_t *labels,
                                        const int32_t *mixed_labels, const float *weights, double share,
                                        double smoothing, double *losses, double *diff_logits);

/// torch.optim.SGD, all state in double; `step` counts from 1.
void ref_sgd(ptrdiff_t count, int64_t step, double learning_rate, double momentum, double weight_decay,
             bool nesterov, double gradient_scale, const float *gradient, double *weights, double *velocity);
/// torch.optim.Adam and AdamW (`decoupled`).
void ref_adam(ptrdiff_t count, int64_t step, double learning_rate, double beta1, double beta2, double epsilon,
              double weight_decay, bool decoupled, double gradient_scale, const float *gradient,
              double *weights, double *first_moment, double *second_moment);

/// x [rows, columns] after `steps` Newton–Schulz iterations from x / (‖x‖ + 1e-7).
void ref_newton_schulz(ptrdiff_t rows, ptrdiff_t columns, int steps, double *x);
/// moments += Σ p·pᵀ over the kh × kw patches p of images [n, h, w, c]; p in the order [c, kh, kw].
void ref_patch_moments(ptrdiff_t n, ptrdiff_t h, ptrdiff_t w, ptrdiff_t c, ptrdiff_t kh, ptrdiff_t kw,
                       const float *images, double *moments);

#endif  // REF_MAPS_H
