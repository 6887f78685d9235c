// CKernels: the compute kernels of OctNet.
//
// Float32, NHWC, OpenMP-parallel, stateless: no allocation, no I/O, no globals but the detected instruction
// set. Scratch memory is the caller's (`…_scratch_bytes`); every buffer may have any alignment, 64 bytes is
// fastest. Parameters come in the order: descriptor, const inputs, outputs, scratch, threads.
//
// Results are the same to the bit for any `threads`: reductions go through a number of partial sums that
// depends on the shape only.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum oct_status {
  OCT_OK = 0,
  OCT_INVALID_DESCRIPTOR = 1,  // sizes that do not fit together, or negative
} oct_status;

// MARK: Machine

typedef enum oct_isa { OCT_ISA_PORTABLE = 0, OCT_ISA_AVX2 = 1, OCT_ISA_AVX512 = 2 } oct_isa;

/// The instruction set in use: the best one of processor and operating system, capped by the environment
/// variable OCTNET_MAX_ISA (portable, avx2 or avx512). Decided once.
oct_isa oct_active_isa(void);
/// Whether OCTNET_MAX_ISA, where it is set, is the name of an instruction set; it is not followed otherwise.
bool oct_isa_is_valid(void);
const char *oct_isa_name(oct_isa isa);
/// The processor's caches. Kernels cut their work by them; no result depends on it.
typedef struct oct_machine {
  ptrdiff_t l1_bytes, l2_bytes;  // of a core, for data
  ptrdiff_t l3_bytes;            // that cores share
} oct_machine;

/// As the operating system says, or the environment variable OCTNET_CACHE_SIZES ("48K,2M,32M"). Decided once.
oct_machine oct_active_machine(void);
/// Whether OCTNET_CACHE_SIZES, where it is set, has three sizes from 1 KiB to 1 GiB; it is not followed otherwise.
bool oct_machine_is_valid(void);
/// Processors available to this process.
int oct_processor_count(void);
/// Address space that each thread beside the first reserves for its stack: OMP_STACKSIZE, else ulimit -s up to 64 MiB.
/// 0 where there are no such threads.
size_t oct_thread_stack_bytes(void);
/// Lets all threads allocate from one heap where the C library would reserve one for each (64 MiB of address space, glibc).
/// Before threads are started. False where it does not.
bool oct_share_heap(void);

// MARK: Activations

/// A function of each element.
typedef enum oct_activation_kind {
  OCT_IDENTITY,    // x: what a descriptor of zeros says
  OCT_RELU,        // max(0, x)
  OCT_CLAMP,       // min(max(x, low), high); its derivative is 1 strictly between them, as that of PyTorch's hardtanh
  OCT_LEAKY_RELU,  // x where it is above 0, low · x elsewhere; low > 0
  OCT_SIGMOID,     // 1 / (1 + e^−x)
  OCT_SILU,        // x / (1 + e^−x)
  OCT_GELU,        // x · Φ(x), Φ the normal distribution, not its approximation by tanh
} oct_activation_kind;

typedef struct oct_activation {
  oct_activation_kind kind;
  float low, high;  // where the kind names them
} oct_activation;

/// Whether `low` and `high` make such a function. Everything that takes an activation checks it.
oct_status oct_activation_check(const oct_activation *activation);
/// Whether the derivative follows from the output, else from the argument.
bool oct_activation_keeps_output(oct_activation_kind kind);

// MARK: Convolution

/// dst[n, oh, ow, oc] = Σ_{kh, kw, ic} src[n, oh·sh − ph + kh, ow·sw − pw + kw, ic] · weights[oc, ic, kh, kw],
/// taps outside the map contribute nothing. `g` groups split ic and oc evenly; g == ic == oc is depthwise.
typedef struct oct_conv2d_desc {
  ptrdiff_t n, ih, iw, ic, oh, ow, oc, kh, kw, sh, sw, ph, pw, g;
  /// The sum as it is written, never Winograd's algorithm, which 3×3 taps with stride 1 otherwise take where it is faster.
  bool direct;
} oct_conv2d_desc;

oct_status oct_conv2d_check(const oct_conv2d_desc *desc);

/// Weights live in a blocked layout that all three passes share; its padding holds zeros and stays zero
/// under every optimizer. Number of floats of that layout.
ptrdiff_t oct_conv2d_weights_count(const oct_conv2d_desc *desc);
/// oihw[oc, ic/g, kh, kw] → blocked weights (padding is zeroed), and back.
void oct_conv2d_pack_weights(const oct_conv2d_desc *desc, const float *oihw, float *weights);
void oct_conv2d_unpack_weights(const oct_conv2d_desc *desc, const float *weights, float *oihw);

/// The scratch of this and of the other passes is also enough for fewer images and threads.
ptrdiff_t oct_conv2d_forward_scratch_bytes(const oct_conv2d_desc *desc, int threads);
/// dst = conv(src, weights) + bias; bias[oc] may be NULL. With `accumulate`, dst += … instead.
oct_status oct_conv2d_forward(const oct_conv2d_desc *desc, const float *src, const float *weights,
                              const float *bias, float *dst, bool accumulate, void *scratch, int threads);

ptrdiff_t oct_conv2d_backward_data_scratch_bytes(const oct_conv2d_desc *desc, int threads);
/// diff_src[n, ih, iw, ic] assigned, or added to with `accumulate`.
oct_status oct_conv2d_backward_data(const oct_conv2d_desc *desc, const float *diff_dst, const float *weights,
                                    float *diff_src, bool accumulate, void *scratch, int threads);

/// Work that the threads of a pass do beside their share of it: each calls `run` once, odd threads before their share and
/// even ones after. One that waits for memory then has the memory nearly to itself, while its neighbour computes. The two
/// may not depend on each other.
typedef struct oct_side_work {
  void (*run)(const void *context, int thread, int threads);
  const void *context;
} oct_side_work;

ptrdiff_t oct_conv2d_backward_weights_scratch_bytes(const oct_conv2d_desc *desc, int threads);
/// diff_weights in the blocked layout (padding zeroed), assigned, or added to with `accumulate`. `beside` may be NULL.
oct_status oct_conv2d_backward_weights(const oct_conv2d_desc *desc, const float *src, const float *diff_dst,
                                       float *diff_weights, bool accumulate, const oct_side_work *beside, void *scratch,
                                       int threads);

/// One (map, weights) pair of a convolution that sums over several sources.
typedef struct oct_conv2d_source {
  const oct_conv2d_desc *desc;
  const float *src;
  const float *weights;
  const float *transformed;  // what oct_conv2d_transform_weights made of `weights`, or NULL: it is made in scratch
} oct_conv2d_source;

/// Floats of the transformed weights that oct_conv2d_forward_sources can take, 0 where for desc->n images the direct sum is
/// faster. Once they are there it takes them for any number of images, so that no result depends on that.
ptrdiff_t oct_conv2d_transformed_count(const oct_conv2d_desc *desc);
/// The same of weights that are there, which know for how many images they were made. desc->n does not matter.
ptrdiff_t oct_conv2d_transformed_size(const oct_conv2d_desc *desc, const float *transformed);
/// Whether oct_conv2d_forward_sources reads only the transformed weights, where every source has them: each count above
/// is positive. It does not read the sources' pointers.
bool oct_conv2d_takes_transformed(const oct_conv2d_source *sources, int count);
/// For passes of desc->n images or fewer that repeat with the same weights; the count above is positive.
void oct_conv2d_transform_weights(const oct_conv2d_desc *desc, const float *weights, float *transformed, int threads);

/// What happens to a sum while it is still in registers: f(scale · sum + bias + residual).
typedef struct oct_conv2d_epilogue {
  const float *scale;     // [oc], or NULL for 1
  const float *bias;      // [oc], or NULL for 0
  const float *residual;  // [n, oh, ow, oc], or NULL for 0; not dst
  oct_activation activation;
} oct_conv2d_epilogue;

/// Whether these convolutions can be summed in one accumulation: they share n, oh, ow, oc and g, and all or none are
/// depthwise. Reads the descriptors only.
oct_status oct_conv2d_sources_check(const oct_conv2d_source *sources, int count);
ptrdiff_t oct_conv2d_forward_sources_scratch_bytes(const oct_conv2d_source *sources, int count, int threads);
/// dst = epilogue(Σ_s conv(sources[s]) + up2(low)): one accumulation in registers. One to four sources that pass
/// oct_conv2d_sources_check.
/// `low` (NULL for none) is a map [n, ⌈oh / 2⌉, ⌈ow / 2⌉, oc] read at (oh / 2, ow / 2): nearest upsampling by 2, cropped.
/// `epilogue` may be NULL.
oct_status oct_conv2d_forward_sources(const oct_conv2d_source *sources, int count, const float *low, ptrdiff_t low_h,
                                      ptrdiff_t low_w, const oct_conv2d_epilogue *epilogue, float *dst,
                                      void *scratch, int threads);

// MARK: Pooling

/// Windows may reach past the map by padding or ceil mode (that is in oh, ow); every window has at least one
/// pixel inside. Averages divide by the number of pixels really inside.
typedef struct oct_pool2d_desc {
  ptrdiff_t n, ih, iw, c, oh, ow, kh, kw, sh, sw, ph, pw;
} oct_pool2d_desc;

oct_status oct_pool2d_check(const oct_pool2d_desc *desc);
oct_status oct_avg_pool2d_forward(const oct_pool2d_desc *desc, const float *src, float *dst, int threads);
oct_status oct_avg_pool2d_backward(const oct_pool2d_desc *desc, const float *diff_dst, float *diff_src,
                                   bool accumulate, int threads);
/// `argmax` [n, oh, ow, c] receives kh·KW + kw of the winner (first one on ties, as PyTorch); may be NULL.
oct_status oct_max_pool2d_forward(const oct_pool2d_desc *desc, const float *src, float *dst, int32_t *argmax,
                                  int threads);
oct_status oct_max_pool2d_backward(const oct_pool2d_desc *desc, const float *diff_dst, const int32_t *argmax,
                                   float *diff_src, bool accumulate, int threads);
/// src[n, h·w, c] → dst[n, c], the mean over `pixels` = h·w.
oct_status oct_global_avg_pool_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, float *dst,
                                       int threads);
oct_status oct_global_avg_pool_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *diff_dst,
                                        float *diff_src, bool accumulate, int threads);

// MARK: Nearest upsampling by two

/// dst[n, y, x, c] = src[n, y / 2, x / 2, c], cropped: ih = ⌈oh / 2⌉, iw = ⌈ow / 2⌉.
typedef struct oct_upsample2x_desc {
  ptrdiff_t n, ih, iw, c, oh, ow;
} oct_upsample2x_desc;

oct_status oct_upsample2x_forward(const oct_upsample2x_desc *desc, const float *src, float *dst,
                                  bool accumulate, int threads);
oct_status oct_upsample2x_backward(const oct_upsample2x_desc *desc, const float *diff_dst, float *diff_src,
                                   bool accumulate, int threads);

// MARK: Upsampling by whole factors

/// dst[n, y, x, c] = src at (y / scale, x / scale), or bilinear between the four pixels around ((y + ½) / scale − ½, …) as
/// PyTorch's `interpolate` with align_corners false. Cropped: ih = ⌈oh / scale⌉, iw = ⌈ow / scale⌉.
typedef struct oct_upsample_desc {
  ptrdiff_t n, ih, iw, c, oh, ow, scale;
  bool bilinear;
} oct_upsample_desc;

oct_status oct_upsample_forward(const oct_upsample_desc *desc, const float *src, float *dst, int threads);
oct_status oct_upsample_backward(const oct_upsample_desc *desc, const float *diff_dst, float *diff_src, bool accumulate,
                                 int threads);

// MARK: Channels

/// dst[n, pixel, c] (+)= src[n, pixel, c] · gate[n, c]. It is its own backward pass for src.
oct_status oct_gate_forward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, const float *gate, float *dst,
                            bool accumulate, int threads);
/// diff_gate[n, c] (+)= Σ_pixels src · diff_dst.
oct_status oct_gate_backward(ptrdiff_t n, ptrdiff_t pixels, ptrdiff_t c, const float *src, const float *diff_dst,
                             float *diff_gate, bool accumulate, int threads);
/// dst[row, 0 … channels) (+)= src[row, 0 … channels); rows are src_stride and dst_stride floats apart: what joins maps side by
/// side, and takes them apart.
oct_status oct_copy_channels(ptrdiff_t rows, ptrdiff_t channels, const float *src, ptrdiff_t src_stride, float *dst,
                             ptrdiff_t dst_stride, bool accumulate, int threads);
/// dst[row, c] += bias[c].
oct_status oct_bias_forward(ptrdiff_t rows, ptrdiff_t c, const float *bias, float *dst, int threads);

// MARK: Group normalisation

typedef struct oct_group_norm_desc {
  ptrdiff_t n, pixels, c, groups;  // groups divides c
  float epsilon;
} oct_group_norm_desc;

/// Also enough for fewer images.
ptrdiff_t oct_group_norm_scratch_bytes(const oct_group_norm_desc *desc);
/// dst = gamma · (src − mean) · inv_std + beta, mean and biased variance of each image over the pixels and the c / groups
/// channels of a group. save_mean and save_inv_std [n, groups] are what backward reads; both may be NULL.
oct_status oct_group_norm_forward(const oct_group_norm_desc *desc, const float *src, const float *gamma, const float *beta,
                                  float *dst, float *save_mean, float *save_inv_std, void *scratch, int threads);
/// diff_src (may be NULL) is assigned or added to, diff_gamma and diff_beta [c] are assigned.
oct_status oct_group_norm_backward(const oct_group_norm_desc *desc, const float *src, const float *diff_dst,
                                   const float *gamma, const float *save_mean, const float *save_inv_std, float *diff_src,
                                   bool accumulate, float *diff_gamma, float *diff_beta, void *scratch, int threads);

// MARK: Batch normalisation, with the addition and activation that may follow it

typedef struct oct_batch_norm_desc {
  ptrdiff_t rows, c;  // rows = n·h·w
  float epsilon;      // 1e-5
  float momentum;     // fraction of the new value in the running statistics, 0.1
  oct_activation activation;
} oct_batch_norm_desc;

/// Also enough for fewer rows.
ptrdiff_t oct_batch_norm_scratch_bytes(const oct_batch_norm_desc *desc);
/// dst = f(gamma · (src − mean) · inv_std + beta + residual), mean and *biased* variance of this batch over
/// the rows. running_var takes the *unbiased* one (rows / (rows − 1); biased where rows == 1).
/// `residual` [rows, c] may be NULL. save_mean[c], save_inv_std[c] and save_shift[c] are what backward reads.
oct_status oct_batch_norm_forward_training(const oct_batch_norm_desc *desc, const float *src,
                                           const float *gamma, const float *beta, const float *residual,
                                           float *running_mean, float *running_var, float *dst,
                                           float *save_mean, float *save_inv_std, float *save_shift,
                                           void *scratch, int threads);
/// The same dst again, bit for bit, from what forward saved.
oct_status oct_batch_norm_recompute(const oct_batch_norm_desc *desc, const float *src, const float *gamma,
                                    const float *residual, const float *save_mean, const float *save_inv_std,
                                    const float *save_shift, float *dst, int threads);
oct_status oct_batch_norm_forward_inference(const oct_batch_norm_desc *desc, const float *src,
                                            const float *gamma, const float *beta, const float *mean,
                                            const float *var, const float *residual, float *dst, int threads);
/// What oct_batch_norm_forward_inference does to gradients, its parameters and statistics being constants: with
/// g = diff_dst · f′, diff_src (+)= gamma / √(var + epsilon) · g and diff_residual (+)= g. Either may be NULL; one of them
/// may be diff_dst itself. dst is read where f is not the identity, and f is of the kinds that keep it.
oct_status oct_batch_norm_backward_inference(const oct_batch_norm_desc *desc, const float *dst, const float *diff_dst,
                                             const float *gamma, const float *var, float *diff_src,
                                             bool accumulate_src, float *diff_residual, bool accumulate_residual,
                                             int threads);
/// The same as an epilogue of a convolution: scale = gamma / √(var + epsilon), bias = beta − mean · scale.
void oct_batch_norm_fold(const oct_batch_norm_desc *desc, const float *gamma, const float *beta, const float *mean,
                         const float *var, float *scale, float *bias);
/// g = diff_dst · f′ first. Kinds that keep their output find f′ from dst, which may be NULL where there was no residual: it
/// then follows from src, bit for bit, and one map less is read. The others always find it from src, and from the residual
/// where there was one; no other kind reads `residual`. The identity reads neither of these nor save_shift. g also goes to
/// diff_residual (may be NULL). The two accumulate flags choose between assigning and adding.
/// diff_gamma[c] and diff_beta[c] are assigned. diff_src (may be NULL) or diff_residual, not both, may be diff_dst itself.
oct_status oct_batch_norm_backward(const oct_batch_norm_desc *desc, const float *src, const float *dst,
                                   const float *residual, const float *diff_dst, const float *gamma, const float *save_mean,
                                   const float *save_inv_std, const float *save_shift, float *diff_src,
                                   bool accumulate_src, float *diff_residual, bool accumulate_residual, float *diff_gamma,
                                   float *diff_beta, void *scratch, int threads);

// MARK: Threads

/// Calls body(context, first, end) on up to `threads` threads at once for contiguous shares [first, end) of `count` items
/// whose sizes differ by at most one; none for an empty share. Returns when all have returned.
void oct_parallel(ptrdiff_t count, int threads, void (*body)(const void *context, ptrdiff_t first, ptrdiff_t end),
                  const void *context);

// MARK: Element-wise

/// dst = f(src); src == dst is allowed. NaN stays NaN.
oct_status oct_activation_forward(const oct_activation *activation, ptrdiff_t count, const float *src, float *dst,
                                  int threads);
/// diff_src (+)= diff_dst · f′; `kept` is dst where the kind keeps it, else src. diff_src may be diff_dst.
oct_status oct_activation_backward(const oct_activation *activation, ptrdiff_t count, const float *kept,
                                   const float *diff_dst, float *diff_src, bool accumulate, int threads);
/// dst = a + b; dst may be a or b.
oct_status oct_add(ptrdiff_t count, const float *a, const float *b, float *dst, int threads);
/// y = a · x + b · y; x and y do not overlap.
oct_status oct_axpby(ptrdiff_t count, float a, const float *x, float b, float *y, int threads);
oct_status oct_copy(ptrdiff_t count, const float *src, float *dst, int threads);
/// bfloat16, the upper half of a float: rounded to nearest, ties to even; what is too large becomes infinite, NaN stays NaN.
oct_status oct_bfloat16_round(ptrdiff_t count, const float *src, uint16_t *dst, int threads);
oct_status oct_bfloat16_widen(ptrdiff_t count, const uint16_t *src, float *dst, int threads);
/// dst = a + b, rounded; dst may be a or b.
oct_status oct_bfloat16_add(ptrdiff_t count, const uint16_t *a, const uint16_t *b, uint16_t *dst, int threads);
/// dst = a + b as floats.
oct_status oct_bfloat16_sum(ptrdiff_t count, const uint16_t *a, const uint16_t *b, float *dst, int threads);
/// dst (+)= a · src; dst may be src.
oct_status oct_scale(ptrdiff_t count, float a, const float *src, float *dst, bool accumulate, int threads);
/// dst = scale · keep(i) · src, keep(i) drawn from a counter-based generator by (seed, i), scale = 1 / (1 − p).
/// Backward is the same call on the gradient, so that no mask is stored. `accumulate` adds.
oct_status oct_dropout(ptrdiff_t count, float p, uint64_t seed, const float *src, float *dst, bool accumulate,
                       int threads);
/// diff_bias[c] = Σ_rows diff_dst[row, c], assigned.
ptrdiff_t oct_bias_backward_scratch_bytes(ptrdiff_t rows, ptrdiff_t c);
oct_status oct_bias_backward(ptrdiff_t rows, ptrdiff_t c, const float *diff_dst, float *diff_bias, void *scratch,
                             int threads);
/// Of dst = f(… + bias), in one pass: diff (∂/∂dst) becomes diff · f′, and diff_bias[c] the sum of that over the rows. For kinds
/// that keep their output. The same scratch.
oct_status oct_bias_activation_backward(const oct_activation *activation, ptrdiff_t rows, ptrdiff_t c, const float *dst,
                                        float *diff, float *diff_bias, void *scratch, int threads);

// MARK: Loss

/// Per image: losses[i] = (1 − s)·(−log p[label]) + s / classes · Σ_k −log p[k], p = softmax(logits).
/// Where mixed_labels is not NULL (mixup), −log p[label] is share·(−log p[label]) + (1 − share)·(−log p[mixed_label]).
/// diff_logits (may be NULL) = diff_scale · ∂losses[i]/∂logits, so diff_scale = 1 / n for the mean.
oct_status oct_softmax_cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits, const int32_t *labels,
                                     const int32_t *mixed_labels, float share, float smoothing, float diff_scale,
                                     float *losses, float *diff_logits, int threads);
/// The same where each class's part of the loss is multiplied by its weight, finite and at least 0, classes of them:
/// losses[i] = Σ_k weights[k] · target_k · (−log p[k]), target_k as smoothing and mixing divide it. As PyTorch weights targets that
/// are shares of classes.
oct_status oct_softmax_weighted_cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits,
                                              const int32_t *labels, const int32_t *mixed_labels,
                                              const float *weights, float share, float smoothing, float diff_scale,
                                              float *losses, float *diff_logits, int threads);

// MARK: Optimizers: one pass over memory, `gradient_scale` multiplies the gradient first (clipping)

/// torch.optim.SGD: g += weight_decay·w; v = momentum·v + g (v = g on the first step); w −= lr·(nesterov ? g + momentum·v : v).
typedef struct oct_sgd {
  float learning_rate, momentum, weight_decay, gradient_scale;
  bool nesterov, first_step;
} oct_sgd;

/// torch.optim.Adam (decoupled = false: weight decay is L2 in the gradient) and AdamW (decoupled = true).
/// `step` counts from 1.
typedef struct oct_adam {
  double beta1, beta2;  // 1 − 0.999 in float would be 5e-5 off
  float learning_rate, epsilon, weight_decay, gradient_scale;
  bool decoupled;
  int64_t step;
} oct_adam;

typedef enum oct_optimizer { OCT_SGD = 0, OCT_ADAM = 1 } oct_optimizer;

/// One update of `count` weights.
typedef struct oct_update {
  oct_optimizer optimizer;  // which of the settings hold
  oct_sgd sgd;
  oct_adam adam;
  ptrdiff_t count;
  const float *gradient;
  float *weights;
  float *first;   // velocity, NULL where momentum is 0; or first moment
  float *second;  // second moment
} oct_update;

typedef struct oct_updates {
  const oct_update *items;
  ptrdiff_t count;
} oct_updates;

/// Whether the settings and buffers of each are complete.
oct_status oct_updates_check(const oct_updates *updates);
/// All of them, after the same check.
oct_status oct_run_updates(const oct_updates *updates, int threads);
/// A thread's share of `updates`, an oct_updates that was checked: what oct_side_work takes.
void oct_run_updates_share(const void *updates, int thread, int threads);

/// Σ x², in double through a fixed number of partial sums.
double oct_sum_of_squares(ptrdiff_t count, const float *x, int threads);

/// Muon's momentum: v = momentum·v + g and direction = nesterov ? g + momentum·v : v, with g = gradient_scale·gradient.
oct_status oct_muon_direction(ptrdiff_t count, float momentum, bool nesterov, float gradient_scale, const float *gradient,
                              float *velocity, float *direction, int threads);

/// x [columns, rows] is the transpose of a matrix X of no more rows than columns, and becomes that of its orthogonal factor,
/// about: X / (‖X‖ + 1e-7), then `steps` times X = 3.4445·X + (−4.775·A + 2.0315·A·A)·X with A = X·Xᵀ, after which all singular
/// values lie near 1 (Jordan et al. 2024).
ptrdiff_t oct_newton_schulz_scratch_bytes(ptrdiff_t rows, ptrdiff_t columns, int threads);
oct_status oct_newton_schulz(ptrdiff_t rows, ptrdiff_t columns, int steps, float *x, void *scratch, int threads);

/// dst[columns, rows] = src[rows, columns]ᵀ.
oct_status oct_transpose(ptrdiff_t rows, ptrdiff_t columns, const float *src, float *dst, int threads);

// MARK: Statistics of images

/// All kh × kw patches of images [n, h, w, c] that lie inside them; c·kh·kw is at most 1024.
typedef struct oct_patches_desc {
  ptrdiff_t n, h, w, c, kh, kw;
} oct_patches_desc;

/// moments[i, j] += Σ over patches of p[i]·p[j]; the numbers of a patch are in the order of a filter's weights [c, kh, kw].
ptrdiff_t oct_patch_moments_scratch_bytes(const oct_patches_desc *desc);
oct_status oct_patch_moments(const oct_patches_desc *desc, const float *images, double *moments, void *scratch, int threads);

// MARK: Measuring the machine

/// Runs independent fused multiply–adds on `threads` threads; returns floating-point operations done.
/// Time it to get the peak: 2 flops a lane and FMA.
double oct_fma_burn(int64_t iterations, int threads);

/// work[t] = multiply–adds of thread t of `threads` in a pass of a convolution that is not depthwise: how the pass is shared
/// out, which nothing has to be computed for. `scratch` as for the pass.
oct_status oct_conv2d_forward_shares(const oct_conv2d_desc *d, void *scratch, int threads, double *work);
oct_status oct_conv2d_backward_data_shares(const oct_conv2d_desc *d, void *scratch, int threads, double *work);
oct_status oct_conv2d_backward_weights_shares(const oct_conv2d_desc *d, int threads, double *work);

/// The convolutions of real networks that are timed and tested; `count` receives their number.
const oct_conv2d_desc *oct_conv2d_benchmark_shapes(ptrdiff_t *count);

#ifdef __cplusplus
}
#endif

#endif  // CKERNELS_H
