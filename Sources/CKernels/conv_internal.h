// What the convolution passes share: the blocked weight layout, the micro-kernel's contract, the dispatch table.
#ifndef OCT_CONV_INTERNAL_H
#define OCT_CONV_INTERNAL_H

#include "CKernels.h"
#include "threading.h"

// MARK: Weight layout
//
// [g][oc block][kh][kw][ic / g][width]: a block is 64 output channels of one group, the last one of a group is
// rounded up to a multiple of 16 and padded with zeros. 64 is four AVX-512 vectors: six rows of pixels then give 24
// accumulators, and each weight vector serves six of them. Depthwise weights are [kh][kw][c].

enum { OCT_BLOCK = 64, OCT_LANE = 16 };

static inline bool oct_conv_is_depthwise(const oct_conv2d_desc *d) { return d->g > 1 && d->g == d->ic && d->g == d->oc; }
static inline ptrdiff_t oct_padded(ptrdiff_t channels) { return oct_ceil_div(channels, OCT_LANE) * OCT_LANE; }
/// Width in memory of block `b` out of `channels`.
static inline ptrdiff_t oct_block_width(ptrdiff_t channels, ptrdiff_t b) {
  return oct_min(OCT_BLOCK, oct_padded(channels) - b * OCT_BLOCK);
}

// MARK: Batch-reduce micro-kernel (Georganas et al. 2020)

/// One term of the reduction: Σ_k rows[m][offset + k] · weights[k][…]. The row pointers are the indirection
/// (Dukhan 2019): any pixels can form a tile, and a tap only shifts all of them by the same offset.
typedef struct oct_conv_entry {
  const float *const *rows;
  ptrdiff_t offset;
  const float *weights;
  ptrdiff_t k;
} oct_conv_entry;

/// What a tile of dst starts from, what happens to its sum, and where it goes.
typedef struct oct_conv_tile {
  float *const *dst;          // one pointer a row
  const float *const *start;  // rows the accumulators start from, or NULL for zero
  // The epilogue; NULL, 0 and false before the last group of a reduction.
  const float *scale;
  const float *bias;
  uintptr_t residual;         // bytes from a row of dst to the row that is added, 0 for none
  bool relu;
  /// dst goes past the caches. Its rows are aligned to a vector and have whole ones.
  bool streams;
  ptrdiff_t columns;          // channels of dst in this block; the last vector may be partial
  ptrdiff_t width;            // of the weights block
} oct_conv_tile;

/// Row counts of the tiles of one block width, and how to run one.
typedef struct oct_conv_leaf {
  /// dst[m][0 ..< columns] = epilogue(start + Σ_entries), for `rows` ≤ max_rows(width) rows from `first` on.
  void (*accumulate)(const oct_conv_tile *tile, const oct_conv_entry *entries, ptrdiff_t count, ptrdiff_t first,
                     ptrdiff_t rows);
  ptrdiff_t (*max_rows)(ptrdiff_t width);
  /// Rows of `outer`.
  ptrdiff_t (*max_outer_rows)(ptrdiff_t width);
  /// weights[i][0 ..< width] (+)= Σ_segments Σ_p src[p][offset + i] · panel[p][0 ..< width], i < rows ≤ max_outer_rows(width).
  void (*outer)(const float *const *src, ptrdiff_t offset, const float *panel, ptrdiff_t width,
                const ptrdiff_t *segments, ptrdiff_t count, ptrdiff_t rows, float *weights, bool accumulate);
  /// dst[x][y] = src[y][x] for y < height, x < width; strides in floats.
  void (*transpose)(ptrdiff_t height, ptrdiff_t width, const float *src, ptrdiff_t src_stride, float *dst,
                    ptrdiff_t dst_stride);
  /// Depthwise: dst[0 ..< c] += src[0 ..< c] · weights[0 ..< c].
  void (*multiply_add)(ptrdiff_t c, const float *src, const float *weights, float *dst);
  /// The transformations of conv_winograd.c. The 16 positions of a result are `stride` floats apart.
  /// Of `channels` channels of 4×4 pixels; whole vectors are written.
  void (*winograd_pixels)(ptrdiff_t channels, const float *const *pixels, float *transformed, ptrdiff_t stride);
  /// Of `count` weights a tap, count a multiple of OCT_LANE.
  void (*winograd_weights)(ptrdiff_t count, const float *const *taps, float *transformed, ptrdiff_t stride);
  /// dst[pixel] = epilogue(start[pixel] + output) for the four pixels of a tile that are not NULL in dst; NULL in start
  /// is zero.
  void (*winograd_outputs)(const oct_conv_tile *tile, const float *sums, ptrdiff_t stride);
  /// `iterations` rounds of independent multiply–adds in registers; returns the floating-point operations done.
  double (*burn)(int64_t iterations);
} oct_conv_leaf;

extern const oct_conv_leaf oct_conv_leaf_portable;
#if defined(__x86_64__)
extern const oct_conv_leaf oct_conv_leaf_avx2;
extern const oct_conv_leaf oct_conv_leaf_avx512;
#endif

static inline const oct_conv_leaf *oct_conv_leaf_active(void) {
#if defined(__x86_64__)
  switch (oct_active_isa()) {
    case OCT_ISA_AVX512: return &oct_conv_leaf_avx512;
    case OCT_ISA_AVX2: return &oct_conv_leaf_avx2;
    default: break;
  }
#endif
  return &oct_conv_leaf_portable;
}

// MARK: Sweep: the loop nest of forward and backward-data

/// One axis (y or x) of a set of pixels that are `dst_step` apart, and the taps they read:
/// pixel t is at dst_first + dst_step·t and its tap j reads position src_base + src_step·t + j with kernel index
/// weight_first + weight_step·j. Positions outside 0 ..< src_size contribute nothing.
typedef struct oct_sweep_axis {
  ptrdiff_t count, dst_first, dst_step;
  ptrdiff_t src_base, src_step, src_size;
  ptrdiff_t taps, weight_first, weight_step;
} oct_sweep_axis;

typedef struct oct_sweep_source {
  oct_sweep_axis y, x;        // the sources of one sweep agree on count, dst_first and dst_step
  const float *src;
  ptrdiff_t channels;         // of src in memory
  const float *weights;       // [g][block][tap][k][width]
  ptrdiff_t k;                // reduced channels of one group
  ptrdiff_t tap_row;          // kernel taps in a row of y
  ptrdiff_t taps;             // all kernel taps
} oct_sweep_source;

typedef struct oct_sweep {
  const oct_sweep_source *sources;
  ptrdiff_t count;
  ptrdiff_t n, g;
  float *dst;
  ptrdiff_t dst_h, dst_w, dst_channels;
  oct_conv2d_epilogue epilogue;
  const float *low;
  ptrdiff_t low_h, low_w;
  bool accumulate;
} oct_sweep;

/// Bytes of scratch for each thread.
ptrdiff_t oct_sweep_scratch_bytes(ptrdiff_t sources, ptrdiff_t taps);
/// The share of thread `thread` of `threads`.
void oct_sweep_run(const oct_sweep *sweep, void *scratch, int thread, int threads);

/// For the last group of a reduction, whose sums are complete, of the channels from `channel` on.
void oct_sweep_add_epilogue(const oct_sweep *sweep, ptrdiff_t channel, oct_conv_tile *tile);
/// Whether dst is written past the caches.
bool oct_sweep_streams(const oct_sweep *sweep);

// MARK: Winograd: the same for 3×3 kernels with stride 1

/// Whether a sweep should go this way.
bool oct_winograd_fits(const oct_sweep *sweep);
/// Bytes of scratch for all threads together.
ptrdiff_t oct_winograd_scratch_bytes(const oct_sweep *sweep, int threads);
/// The share of thread `thread` of `threads`, all of which must come: there is a barrier inside.
void oct_winograd_run(const oct_sweep *sweep, void *scratch, int thread, int threads);

// MARK: Depthwise

oct_status oct_depthwise_forward(const oct_conv2d_desc *d, const float *src, const float *weights, const float *bias,
                                 float *dst, bool accumulate, int threads);
oct_status oct_depthwise_backward_data(const oct_conv2d_desc *d, const float *diff_dst, const float *weights,
                                       float *diff_src, bool accumulate, int threads);
oct_status oct_depthwise_backward_weights(const oct_conv2d_desc *d, const float *src, const float *diff_dst,
                                          float *diff_weights, bool accumulate, void *scratch, int threads);
ptrdiff_t oct_depthwise_backward_weights_scratch_bytes(const oct_conv2d_desc *d);

#endif  // OCT_CONV_INTERNAL_H
