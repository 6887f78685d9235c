// Single-threaded leaf functions of everything but the convolutions, one table for each instruction set.
//
// Leaves work on a rectangle of channels × pixels; drivers (pool.c, batch_norm.c, …) validate, cut the work
// into tasks and call them from OpenMP loops.
#ifndef OCT_MAPS_H
#define OCT_MAPS_H

#include "CKernels.h"
#include "threading.h"

/// Most channels a column leaf takes at once: its accumulators live on the stack, inside the first-level
/// cache.
#define OCT_COLUMNS 256

/// What g, the gradient of a norm's sum in front of its activation f, is made of. The identity: g = diff_dst. Else g = diff_dst · f′,
/// found from dst where that is not NULL, which asks for a kind that keeps its output, and elsewhere from the sum, computed
/// again as norm_apply does: from src, scale, shift and residual, which may be NULL and which only kinds that do not keep
/// their output read.
typedef struct oct_norm_gradient {
  oct_activation activation;
  const float *src, *dst, *residual, *diff_dst;
  const float *mean, *scale, *shift;
} oct_norm_gradient;

typedef struct oct_maps_leaves {
  // Element-wise, on `count` floats.
  void (*activate)(const oct_activation *activation, ptrdiff_t count, const float *src, float *dst);
  void (*differentiate)(const oct_activation *activation, ptrdiff_t count, const float *kept, const float *diff_dst,
                        float *diff_src, bool accumulate);
  void (*add)(ptrdiff_t count, const float *a, const float *b, float *dst);
  void (*axpby)(ptrdiff_t count, float a, const float *x, float b, float *y);
  /// Elements first … first + count − 1 of the whole buffer; pointers are to element `first`.
  void (*dropout)(ptrdiff_t first, ptrdiff_t count, uint32_t threshold, float scale, uint64_t key,
                  const float *src, float *dst, bool accumulate);
  void (*sgd)(const oct_sgd *sgd, ptrdiff_t count, const float *gradient, float *weights, float *velocity);
  void (*adam)(const oct_adam *adam, float step_size, float root_scale, ptrdiff_t count,
               const float *gradient, float *weights, float *first_moment, float *second_moment);
  double (*sum_of_squares)(ptrdiff_t count, const float *x);

  // Columns: `rows` rows of `c` ≤ OCT_COLUMNS floats, `stride` floats apart.
  void (*column_sums)(ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t c, const float *src, double *sums);
  /// diff becomes diff · f′, found from dst, and sums[c] its sums.
  void (*activated_sums)(ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t c, const oct_activation *activation, const float *dst,
                         float *diff, double *sums);
  /// mean[c] and m2[c] = Σ (x − mean)², assigned.
  void (*column_moments)(ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t c, const float *src, double *mean,
                         double *m2);
  /// dst = f((src − mean) · scale + shift + residual?).
  void (*norm_apply)(ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t c, const float *src, const float *residual,
                     const float *mean, const float *scale, const float *shift, const oct_activation *activation,
                     float *dst);
  /// sum_g[c] = Σ g and sum_gx[c] = Σ g · (src − mean), assigned; g is written to `kept` too, unless that is NULL.
  void (*norm_gradient_sums)(ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t c, const oct_norm_gradient *from, float *kept,
                             double *sum_g, double *sum_gx);
  /// diff_src (+)= scale · g + by_x · (src − mean) + constant; diff_residual (+)= g unless NULL.
  void (*norm_gradient_apply)(ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t c, const oct_norm_gradient *from,
                              const float *by_x, const float *constant, float *diff_src, bool accumulate_src,
                              float *diff_residual, bool accumulate_residual);

  // Maps: one row of pixels of one image, `lanes` channels; pointers are already moved to the first channel.
  void (*avg_pool_row)(const oct_pool2d_desc *d, ptrdiff_t oy, ptrdiff_t channels, const float *image,
                       float *dst_row);
  void (*avg_pool_backward_row)(const oct_pool2d_desc *d, ptrdiff_t iy, ptrdiff_t channels,
                                const float *diff_image, float *diff_src_row, bool accumulate);
  void (*max_pool_row)(const oct_pool2d_desc *d, ptrdiff_t oy, ptrdiff_t channels, const float *image,
                       float *dst_row, int32_t *argmax_row);
  void (*max_pool_backward_row)(const oct_pool2d_desc *d, ptrdiff_t iy, ptrdiff_t channels,
                                const float *diff_image, const int32_t *argmax_image, float *diff_src_row,
                                bool accumulate);
  /// dst[pixel, c] (+)= scale · src[c] for `pixels` pixels, `stride` floats apart.
  void (*spread)(ptrdiff_t pixels, ptrdiff_t stride, ptrdiff_t channels, float scale, const float *src,
                 float *dst, bool accumulate);
  /// The one or two rows of an upsampled image that come from its source row `iy`, and back.
  void (*upsample_row)(const oct_upsample2x_desc *d, ptrdiff_t iy, ptrdiff_t channels, const float *src_row,
                       float *dst_image, bool accumulate);
  void (*upsample_backward_row)(const oct_upsample2x_desc *d, ptrdiff_t iy, ptrdiff_t channels,
                                const float *diff_image, float *diff_src_row, bool accumulate);
  /// One row of an upsampled image, and one of the gradient of its source.
  void (*resample_row)(const oct_upsample_desc *d, ptrdiff_t oy, ptrdiff_t channels, const float *image, float *dst_row);
  void (*resample_backward_row)(const oct_upsample_desc *d, ptrdiff_t iy, ptrdiff_t channels, const float *diff_image,
                                float *diff_src_row, bool accumulate);
  /// dst[pixel, c] (+)= src[pixel, c] · gate[c], 1 where gate is NULL; pixels are `stride` floats apart.
  void (*gate_rows)(ptrdiff_t pixels, ptrdiff_t channels, const float *src, ptrdiff_t src_stride, const float *gate,
                    float *dst, ptrdiff_t dst_stride, bool accumulate);
  /// sums[c] (+)= Σ a[pixel, c] · b[pixel, c].
  void (*product_sums)(ptrdiff_t pixels, ptrdiff_t stride, ptrdiff_t channels, const float *a, const float *b, float *sums,
                       bool accumulate);
} oct_maps_leaves;

extern const oct_maps_leaves oct_maps_leaves_portable;
#if defined(__x86_64__)
extern const oct_maps_leaves oct_maps_leaves_avx2, oct_maps_leaves_avx512;
#endif

static inline const oct_maps_leaves *oct_maps(void) {
#if defined(__x86_64__)
  switch (oct_active_isa()) {
    case OCT_ISA_AVX512: return &oct_maps_leaves_avx512;
    case OCT_ISA_AVX2: return &oct_maps_leaves_avx2;
    default: break;
  }
#endif
  return &oct_maps_leaves_portable;
}

/// Threads worth starting for `work` floats: waking a team costs more than a few thousand of them.
static inline int oct_team(int threads, ptrdiff_t work) { return threads < 1 || work < 8192 ? 1 : threads; }

/// False where a size is negative or the product does not fit into memory.
static inline bool oct_product(const ptrdiff_t *sizes, int count, ptrdiff_t *product) {
  bool zero = false;
  for (int i = 0; i < count; i++) {
    if (sizes[i] < 0) return false;
    zero |= sizes[i] == 0;
  }
  *product = zero ? 0 : (ptrdiff_t)sizeof(float);
  for (int i = 0; i < count && !zero; i++)
    if (__builtin_mul_overflow(*product, sizes[i], product)) return false;
  *product /= (ptrdiff_t)sizeof(float);
  return true;
}

/// A share of a flat buffer, whole cache lines, so that two threads do not write the same one.
static inline void oct_flat_share(ptrdiff_t count, ptrdiff_t part, ptrdiff_t parts, ptrdiff_t *begin,
                                  ptrdiff_t *end) {
  oct_share(oct_ceil_div(count, 16), part, parts, begin, end);
  *begin = oct_min(*begin * 16, count);
  *end = oct_min(*end * 16, count);
}

/// Runs the statements on each thread's share `begin` ..< `end` of a flat buffer. Its elements do not depend on each
/// other, so any cut gives the same bits.
#define OCT_EACH_SHARE(count, threads, begin, end, ...)                          \
  do {                                                                           \
    const int team_ = oct_team(threads, count);                                  \
    _Pragma("omp parallel for schedule(static) num_threads(team_)")              \
    for (int share_ = 0; share_ < team_; share_++) {                             \
      ptrdiff_t begin, end;                                                      \
      oct_flat_share(count, share_, team_, &begin, &end);                        \
      __VA_ARGS__                                                                \
    }                                                                            \
  } while (0)

/// Work on maps is cut into rows of pixels, and where those are few (batch 1, maps of one pixel) also into
/// ranges of channels, each a multiple of the widest vector.
typedef struct oct_row_tasks {
  ptrdiff_t ranges, count;
} oct_row_tasks;

static inline oct_row_tasks oct_cut_rows(ptrdiff_t rows, ptrdiff_t channels) {
  const ptrdiff_t wanted = 64;
  ptrdiff_t ranges = 1;
  if (rows > 0 && rows < wanted) ranges = oct_min(oct_ceil_div(wanted, rows), oct_max(1, channels / 16));
  return (oct_row_tasks){ranges, rows * ranges};
}
static inline void oct_task_channels(ptrdiff_t channels, ptrdiff_t range, ptrdiff_t ranges, ptrdiff_t *begin,
                                     ptrdiff_t *end) {
  oct_share(oct_ceil_div(channels, 16), range, ranges, begin, end);
  *begin *= 16;
  *end = oct_min(*end * 16, channels);
}

#endif  // OCT_MAPS_H
