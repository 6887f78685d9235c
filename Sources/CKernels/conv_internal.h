// What the convolution passes share: the blocked weight layout, the micro-kernel's contract, the dispatch table.
#ifndef OCT_CONV_INTERNAL_H
#define OCT_CONV_INTERNAL_H

#include "CKernels.h"
#include "conv_grouped.h"
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
  ptrdiff_t ahead;  // floats from a row to the next one, where the next tile's rows should be fetched; else 0
} oct_conv_entry;

/// What a tile of dst starts from, what happens to its sum, and where it goes.
typedef struct oct_conv_tile {
  float *const *dst;          // one pointer a row
  const float *const *start;  // rows the accumulators start from, or NULL for zero
  // The epilogue; NULL, 0 and the identity before the last group of a reduction.
  const float *scale;
  const float *bias;
  uintptr_t residual;         // bytes from a row of dst to the row that is added, 0 for none
  oct_activation activation;  // not OCT_RELU, see oct_resolved
  /// dst goes past the caches. Its rows are aligned to a vector and have whole ones.
  bool streams;
  ptrdiff_t columns;          // channels of dst in this block; the last vector may be partial
  ptrdiff_t width;            // of the weights block
  ptrdiff_t next_row;         // floats from a row of dst to the next one, where the next tile's should be fetched; else 0
  // Weights to fetch into the L2 cache: so many lines with every OCT_FETCH_STEP elements of the reduction (conv_fetch.h).
  const float *fetch, *fetch_end;
  ptrdiff_t fetch_lines;
} oct_conv_tile;

enum { OCT_FETCH_STEP = 4 };

/// The m × m pixels of dst that a tile of Winograd's algorithm computes, and their epilogue; as in oct_conv_tile.
typedef struct oct_winograd_tile {
  float *dst[16];        // NULL outside the map
  bool has_low;
  const float *low[4];   // the m/2 × m/2 rows that four pixels each start from; NULL outside the map
  bool accumulate;       // they start from dst
  const float *scale, *bias;
  uintptr_t residual;
  oct_activation activation;
  bool streams;
} oct_winograd_tile;

/// The transforms of Winograd's F(m×m, 3×3), n = m + 2 (conv_winograd.h); element ξ of n × n is `stride` floats after the one before.
typedef struct oct_winograd_leaf {
  /// dst[ξ·stride + c] = (Bᵀ d B)[ξ], d[n][n] = pixels[…][c], for c < channels. dst has whole vectors.
  void (*source)(const float *const *pixels, ptrdiff_t channels, float *dst, ptrdiff_t stride);
  /// dst[ξ·stride + i] = (G g Gᵀ)[ξ], g[3][3] = taps[…][i], for i < count, which is whole vectors.
  void (*weights)(const float *const *taps, ptrdiff_t count, float *dst, ptrdiff_t stride);
  /// tile->dst[m][m] = epilogue(start + Aᵀ s A), s[n][n] = sums[ξ·stride + c], for c < columns. sums has whole vectors.
  void (*output)(const oct_winograd_tile *tile, ptrdiff_t columns, const float *sums, ptrdiff_t stride);
  /// dst[ξ·stride + c] = (A y Aᵀ)[ξ], y[m][m] = pixels[…][channel + c], for c < width; zero for c ≥ columns.
  void (*diff)(const float *const *pixels, ptrdiff_t channel, ptrdiff_t columns, ptrdiff_t width, float *dst, ptrdiff_t stride);
  /// taps[3][3][i] (+)= (Gᵀ s G)[…], s[n][n] = sums[ξ·stride + i], for i < count, which is whole vectors.
  void (*diff_weights)(const float *sums, ptrdiff_t stride, ptrdiff_t count, float *const *taps, bool accumulate);
} oct_winograd_leaf;

/// Pixels of a row whose taps in reach are the same, and what becomes of their sums: for x < count and c < channels
///
///     dst[x·dst_step + c] = epilogue(start + Σ src[x·src_step + y·src_row + t·src_tap + c] · weights[y·weight_row + t·weight_tap + c])
///
/// over y < rows and t < taps. All steps are in floats.
typedef struct oct_depthwise_run {
  const float *src, *weights;
  float *dst;
  ptrdiff_t count, channels, rows, taps;
  ptrdiff_t src_step, src_row, src_tap, weight_row, weight_tap, dst_step;
  bool accumulate;            // sums start from dst
  const float *scale, *bias;  // of the first channel; NULL, 0 and the identity as in oct_conv_tile
  uintptr_t residual;
  oct_activation activation;
} oct_depthwise_run;

/// The same function with fewer kinds: ReLU is a clamp without upper bound, and costs what a clamp costs. NULL stands for none.
static inline oct_conv2d_epilogue oct_resolved(const oct_conv2d_epilogue *epilogue) {
  oct_conv2d_epilogue result = {0};
  if (epilogue) result = *epilogue;
  if (result.activation.kind == OCT_RELU) result.activation = (oct_activation){OCT_CLAMP, 0.0f, __builtin_inff()};
  return result;
}

/// Lines that a call of the micro-kernel fetches for a later one: pixels[i][channel …], i < count, with every
/// OCT_OUTER_FETCH_STEP pixels of its own one.
typedef struct oct_outer_fetch {
  const float *const *pixels;
  ptrdiff_t count, channel;
} oct_outer_fetch;

enum { OCT_OUTER_FETCH_STEP = 8, OCT_MOST_OUTER_ROWS = 16 };

/// Row counts of the tiles of one block width, and how to run one.
typedef struct oct_conv_leaf {
  ptrdiff_t vector_width;  // floats
  /// dst[m][0 ..< columns] = epilogue(start + Σ_entries), for `rows` ≤ max_rows(columns) rows from `first` on.
  void (*accumulate)(const oct_conv_tile *tile, const oct_conv_entry *entries, ptrdiff_t count, ptrdiff_t first,
                     ptrdiff_t rows);
  ptrdiff_t (*max_rows)(ptrdiff_t columns);
  /// Rows of `outer`.
  ptrdiff_t (*max_outer_rows)(ptrdiff_t width);
  /// weights[i][0 ..< width] (+)= Σ_segments Σ_p src[p][offset + i] · panel[p][0 ..< width], i < rows ≤ max_outer_rows(width).
  /// Fetches the line at fetch[p][fetch_offset], which a later call will read; fetch may be NULL.
  void (*outer)(const float *const *src, ptrdiff_t offset, const float *panel, ptrdiff_t width,
                const ptrdiff_t *segments, ptrdiff_t count, ptrdiff_t rows, float *weights, bool accumulate,
                const float *const *fetch, ptrdiff_t fetch_offset);
  /// weights[i·stride + c] (+)= Σ_p src[p·packed_rows + i] · panel[p·packed_columns + c] over `pixels` pixels p, for
  /// i < rows ≤ packed_rows and c < width ≤ packed_columns, which is whole vectors. NULL where packing costs more than it saves.
  void (*outer_packed)(const float *src, ptrdiff_t rows, const float *panel, ptrdiff_t width, ptrdiff_t pixels,
                       float *weights, ptrdiff_t stride, bool accumulate, oct_outer_fetch fetch);
  ptrdiff_t packed_rows, packed_columns;
  /// dst[x][y] = src[y][x] for y < height, x < width; strides in floats.
  void (*transpose)(ptrdiff_t height, ptrdiff_t width, const float *src, ptrdiff_t src_stride, float *dst,
                    ptrdiff_t dst_stride);
  void (*depthwise)(const oct_depthwise_run *run);
  /// sums[t·sums_tap + c] += Σ_x src[x·src_step + t·src_tap + c] · diff[x·diff_step + c] over `count` pixels x, for each of
  /// `taps` neighbouring taps t and `channels` channels c.
  void (*depthwise_outer)(ptrdiff_t count, const float *src, ptrdiff_t src_step, ptrdiff_t src_tap, const float *diff,
                          ptrdiff_t diff_step, ptrdiff_t taps, ptrdiff_t channels, float *sums, ptrdiff_t sums_tap);
  void (*grouped)(const oct_grouped_run *run);
  void (*grouped_outer)(const oct_grouped_outer *run);
  oct_winograd_leaf winograd[2];  // m = 2, 4
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

// MARK: What the caches hold

// Limits in bytes decide in which order things are computed and what is fetched, never in which order numbers are added: an
// instruction set gives the same bits on every machine.

/// The part of a core's second level that one pass counts on. More than 1 MiB is no gain: shorter chunks share what the larger
/// cache keeps of the weights (measured with 2 MiB).
static inline ptrdiff_t oct_near_bytes(void) { return oct_min(oct_active_machine().l2_bytes, 1 << 20); }

/// Maps above it come from memory and go there. The share that a process has of a large third level is not known, so 32 MiB count at most.
static inline ptrdiff_t oct_far_bytes(void) {
  return oct_min(oct_max(oct_active_machine().l3_bytes, 8 << 20), 32 << 20);
}

// MARK: Parts of a backward pass's pixels, which depend on the shape only

/// About `wanted` parts, at most `most` and at least one: a power of two, which the usual numbers of threads share equally.
static inline ptrdiff_t oct_equal_parts(ptrdiff_t wanted, ptrdiff_t most) {
  ptrdiff_t parts = 1;
  while (parts < wanted && 2 * parts <= most) parts *= 2;
  return parts;
}

/// In how many runs, at most `most`, the `count` channels or blocks of each of `parts` parts are cut so that threads have about
/// as many: the fewest for which none has 7 % more than the mean, else the fairest. Each run reads its part again.
static inline ptrdiff_t oct_fair_runs(ptrdiff_t parts, ptrdiff_t count, ptrdiff_t most, ptrdiff_t threads) {
  ptrdiff_t best = 1;
  double least = 1e30;
  for (ptrdiff_t runs = 1; runs <= most; runs++) {
    const ptrdiff_t most_of_thread = oct_ceil_div(parts * runs, threads) * oct_ceil_div(count, runs);
    const double excess = (double)(most_of_thread * threads) / (double)(parts * count);
    if (excess < least - 1e-9) {
      least = excess;
      best = runs;
    }
    if (least <= 1.07) break;
  }
  return best;
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
  const float *transformed;   // weights as Winograd's algorithm takes them, or NULL
} oct_sweep_source;

typedef struct oct_sweep {
  const oct_conv_leaf *leaf;
  const oct_sweep_source *sources;
  ptrdiff_t count;
  ptrdiff_t n, g;
  float *dst;
  ptrdiff_t dst_h, dst_w, dst_channels;
  oct_conv2d_epilogue epilogue;  // resolved
  const float *low;
  ptrdiff_t low_h, low_w;
  bool accumulate;
  bool direct;                // never Winograd's algorithm
  bool has_hot_weights;       // in the L2 cache: nothing has to be fetched
} oct_sweep;

enum { OCT_MAX_SOURCES = 4 };

/// Terms that a source's reduction is cut in, at most.
ptrdiff_t oct_sweep_most_entries(ptrdiff_t taps, ptrdiff_t k);
/// Bytes of scratch for each thread; `entries` of all sources.
ptrdiff_t oct_sweep_scratch_bytes(ptrdiff_t sources, ptrdiff_t entries);
/// The share of thread `thread` of `threads`.
void oct_sweep_run(const oct_sweep *sweep, void *scratch, int thread, int threads);
/// Whether the threads should share blocks of channels rather than pixels: where the weights are what is large.
bool oct_sweep_splits_blocks(const oct_sweep *sweep, int threads);
/// Parts [first, last) of a block's pixels, which are cut in `parts` of equal cost.
typedef struct oct_block_rows {
  ptrdiff_t first, last, parts;
} oct_block_rows;
static inline bool oct_takes_block(oct_block_rows rows) { return rows.first == 0 && rows.last == rows.parts; }
/// A thread's rows of a block where the threads share blocks: channels times pixels are equal for all, so neighbours may
/// share a block. With 224 channels, three and a half blocks, each of two threads has one and three quarters.
oct_block_rows oct_sweep_rows_of_block(const oct_sweep *sweep, ptrdiff_t block, int thread, int threads);
/// By the calling thread alone.
void oct_sweep_run_block(const oct_sweep *sweep, void *scratch, ptrdiff_t block, oct_block_rows rows);
/// Whether dst is written past the caches.
bool oct_sweep_streams(const oct_sweep *sweep);

// MARK: Winograd: the same sums with fewer multiplications

/// A rule on the shape alone: 3×3 taps, stride 1, one group, and enough of images, map and channels that the transforms pay.
/// Where the weights come transformed that is settled, so that an image's result does not depend on the others of its batch.
bool oct_winograd_applies(const oct_sweep *sweep);
/// Whether so many images are computed faster if the weights come transformed. They are more to read then.
bool oct_winograd_gains_by_transformed(const oct_sweep *sweep);
/// Bytes of scratch for all threads, for the sweep's images or fewer, whether weights come transformed or not.
ptrdiff_t oct_winograd_scratch_bytes(const oct_sweep *sweep, int threads);
/// The share of thread `thread` of `threads`, all of which call it in one parallel region.
void oct_winograd_run(const oct_sweep *sweep, void *scratch, int thread, int threads);
/// Floats of the transformed weights of the sweep's only source, as its number of images wants them.
ptrdiff_t oct_winograd_transformed_count(const oct_sweep *sweep);
/// The same of those that are there: they begin with what they were made for.
ptrdiff_t oct_winograd_transformed_size(const float *transformed, ptrdiff_t k, ptrdiff_t channels);
/// All threads of a parallel region call it, and return when the weights are complete.
void oct_winograd_transform(const oct_sweep *sweep, float *transformed);

bool oct_winograd_applies_to_weights(const oct_conv2d_desc *d);
ptrdiff_t oct_winograd_backward_weights_scratch_bytes(const oct_conv2d_desc *d, int threads);
void oct_winograd_backward_weights(const oct_conv2d_desc *d, const float *src, const float *diff_dst, float *diff_weights,
                                   bool accumulate, const oct_side_work *beside, void *scratch, int threads);

/// Multiply–adds of each thread.
void oct_winograd_backward_weights_shares(const oct_conv2d_desc *d, int threads, double *work);

// MARK: Shares

/// Micro-kernels that compute nothing and count.
extern const oct_conv_leaf oct_conv_leaf_counting;
/// The multiply–adds that the calling thread's have counted since it was asked last.
double oct_take_count(void);

// MARK: Depthwise

void oct_depthwise_forward(const oct_conv2d_desc *d, const float *src, const float *weights,
                           const oct_conv2d_epilogue *epilogue, float *dst, bool accumulate, int threads);
void oct_depthwise_backward_data(const oct_conv2d_desc *d, const float *diff_dst, const float *weights, float *diff_src,
                                 bool accumulate, int threads);
void oct_depthwise_backward_weights(const oct_conv2d_desc *d, const float *src, const float *diff_dst,
                                    float *diff_weights, bool accumulate, const oct_side_work *beside, void *scratch,
                                    int threads);
ptrdiff_t oct_depthwise_backward_weights_scratch_bytes(const oct_conv2d_desc *d);

// MARK: Narrow groups

/// Whether the groups are narrower than the blocks that sweeps take: a rule on the shape of one image.
bool oct_conv_is_narrow(const oct_conv2d_desc *d);
/// Of forward and of backward-data.
ptrdiff_t oct_grouped_scratch_bytes(const oct_conv2d_desc *d);
void oct_grouped_forward(const oct_conv2d_desc *d, const float *src, const float *weights, const oct_conv2d_epilogue *epilogue,
                         float *dst, bool accumulate, void *scratch, int threads);
void oct_grouped_backward_data(const oct_conv2d_desc *d, const float *diff_dst, const float *weights, float *diff_src,
                               bool accumulate, void *scratch, int threads);
ptrdiff_t oct_grouped_backward_weights_scratch_bytes(const oct_conv2d_desc *d);
void oct_grouped_backward_weights(const oct_conv2d_desc *d, const float *src, const float *diff_dst, float *diff_weights,
                                  bool accumulate, const oct_side_work *beside, void *scratch, int threads);

#endif  // OCT_CONV_INTERNAL_H
