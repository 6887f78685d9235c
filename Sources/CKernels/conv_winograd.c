// Winograd's F(2×2, 3×3) (Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", 2015): a tile of 2×2 outputs
// of a 3×3 convolution takes 16 multiplications a channel instead of 36.
//
//   Y = Aᵀ [ Σ_c (G g_c Gᵀ) ⊙ (Bᵀ d_c B) ] A      d: the 4×4 pixels that a tile reads, g: the 3×3 weights
//
// The sum over channels at each of the 16 positions is a matrix product, rows × channels times channels × 64, and runs
// in the same micro-kernel as every convolution. A thread takes as many tiles at a time as fit the L2 cache with their
// transformed pixels and sums; those never reach memory. The weights are transformed in every call, which costs what
// reading them a few times does, so that nobody has to keep a second copy up to date.
//
// Every output is computed from its own tile alone, in an order that depends on the shape only.
#include <string.h>

#include "conv_internal.h"

enum {
  POSITIONS = 16,
  MAX_SOURCES = 4,
  CACHE_BYTES = 576 * 1024,  // of transformed pixels and sums, a part of the smallest L2 caches of interest (1 MiB)
  MIN_CHANNELS = 32,         // below, the transformations cost more than the multiplications they spare
  MIN_TILES = 16,            // of an image; below, transforming the weights does
};

/// The 16 positions lie a line more than their size apart: multiples of 4 KiB would all compete for the same few lines
/// of the L1 cache.
static ptrdiff_t apart(ptrdiff_t floats) { return floats + OCT_LANE; }

static ptrdiff_t tiles_along(ptrdiff_t size) { return oct_ceil_div(size, 2); }

/// Taps inside the map, over all pixels of an axis.
static ptrdiff_t taps_inside(const oct_sweep_axis *axis) {
  ptrdiff_t sum = 0;
  for (ptrdiff_t t = 0; t < axis->count; t++) {
    const ptrdiff_t position = axis->src_base + t;
    sum += oct_max(0, oct_min(3, axis->src_size - position) - oct_max(0, -position));
  }
  return sum;
}

/// By the shape of one image, so that results do not depend on how many there are. At least 1.5 times fewer
/// multiplications than those that the direct convolution does not skip: maps of 8×8 and more, but not 7×7.
bool oct_winograd_fits(const oct_sweep *s) {
  if (s->g != 1 || s->count > MAX_SOURCES || s->dst_channels < MIN_CHANNELS) return false;
  ptrdiff_t k = 0, direct = 0;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    const oct_sweep_source *source = &s->sources[i];
    const oct_sweep_axis *axes[] = {&source->y, &source->x};
    for (int a = 0; a < 2; a++)
      if (axes[a]->taps != 3 || axes[a]->src_step != 1 || axes[a]->dst_step != 1 || axes[a]->dst_first != 0) return false;
    k += source->k;
    direct += source->k * taps_inside(&source->y) * taps_inside(&source->x);
  }
  const ptrdiff_t tiles = tiles_along(s->dst_h) * tiles_along(s->dst_w);
  return k >= MIN_CHANNELS && tiles >= MIN_TILES && 2 * direct >= 3 * POSITIONS * tiles * k;
}

// MARK: Scratch
//
// Transformed weights of all sources, then for each thread: a row of zeros, transformed pixels, sums, row pointers.

/// Floats of a row of transformed pixels: whole vectors.
static ptrdiff_t row_floats(const oct_sweep_source *source) { return oct_padded(source->k); }

static ptrdiff_t all_row_floats(const oct_sweep *s) {
  ptrdiff_t floats = 0;
  for (ptrdiff_t i = 0; i < s->count; i++) floats += row_floats(&s->sources[i]);
  return floats;
}

static ptrdiff_t longest_row(const oct_sweep *s) {
  ptrdiff_t floats = 0;
  for (ptrdiff_t i = 0; i < s->count; i++) floats = oct_max(floats, row_floats(&s->sources[i]));
  return floats;
}

/// Tiles that a thread takes at a time, a multiple of the micro-kernels' row counts.
static ptrdiff_t chunk_tiles(const oct_sweep *s) {
  const ptrdiff_t bytes = POSITIONS * (all_row_floats(s) + OCT_BLOCK) * (ptrdiff_t)sizeof(float);
  return oct_max(1, CACHE_BYTES / bytes / 12) * 12;
}

/// From one position to the next.
static ptrdiff_t pixels_stride(const oct_sweep *s, ptrdiff_t source) {
  return apart(chunk_tiles(s) * row_floats(&s->sources[source]));
}
static ptrdiff_t sums_stride(const oct_sweep *s) { return apart(chunk_tiles(s) * OCT_BLOCK); }
static ptrdiff_t weights_stride(const oct_sweep *s, ptrdiff_t source) {
  return apart(oct_padded(s->dst_channels) * s->sources[source].k);
}

static ptrdiff_t weights_bytes(const oct_sweep *s) {
  ptrdiff_t floats = 0;
  for (ptrdiff_t i = 0; i < s->count; i++) floats += POSITIONS * weights_stride(s, i);
  return oct_ceil_div(floats * (ptrdiff_t)sizeof(float), 64) * 64;
}

static ptrdiff_t thread_bytes(const oct_sweep *s) {
  const ptrdiff_t tiles = chunk_tiles(s);
  ptrdiff_t floats = longest_row(s) + POSITIONS * sums_stride(s);
  for (ptrdiff_t i = 0; i < s->count; i++) floats += POSITIONS * pixels_stride(s, i);
  const ptrdiff_t pointers = (s->count + POSITIONS) * tiles;
  return oct_ceil_div(floats * (ptrdiff_t)sizeof(float) + pointers * (ptrdiff_t)sizeof(void *), 64) * 64;
}

ptrdiff_t oct_winograd_scratch_bytes(const oct_sweep *s, int threads) {
  return weights_bytes(s) + thread_bytes(s) * threads;
}

typedef struct thread_scratch {
  float *zeros;
  float *pixels[MAX_SOURCES];       // [position][tiles][row]
  float *sums;                      // [position][tiles][OCT_BLOCK]
  const float **rows[MAX_SOURCES];  // of position 0
  float **sum_rows;                 // [POSITIONS][tiles]
} thread_scratch;

static thread_scratch carve(const oct_sweep *s, void *scratch, int thread) {
  const ptrdiff_t tiles = chunk_tiles(s);
  thread_scratch t;
  float *floats = (float *)((char *)scratch + weights_bytes(s) + thread_bytes(s) * thread);
  t.zeros = floats;
  floats += longest_row(s);
  memset(t.zeros, 0, (size_t)longest_row(s) * sizeof(float));
  for (ptrdiff_t i = 0; i < s->count; i++) {
    t.pixels[i] = floats;
    floats += POSITIONS * pixels_stride(s, i);
  }
  t.sums = floats;
  floats += POSITIONS * sums_stride(s);
  const float **pointers = (const float **)floats;
  for (ptrdiff_t i = 0; i < s->count; i++, pointers += tiles) {
    t.rows[i] = pointers;
    for (ptrdiff_t tile = 0; tile < tiles; tile++) pointers[tile] = t.pixels[i] + tile * row_floats(&s->sources[i]);
  }
  t.sum_rows = (float **)pointers;
  for (ptrdiff_t row = 0; row < POSITIONS * tiles; row++)
    t.sum_rows[row] = t.sums + row / tiles * sums_stride(s) + row % tiles * OCT_BLOCK;
  return t;
}

// MARK: The three transformations

/// U = G g Gᵀ of this thread's share of every block, as [position][block][k][width].
static void transform_weights(const oct_sweep *s, const oct_conv_leaf *leaf, float *transformed, int thread, int threads) {
  for (ptrdiff_t i = 0; i < s->count; i++) {
    const oct_sweep_source *source = &s->sources[i];
    const ptrdiff_t stride = weights_stride(s, i);
    for (ptrdiff_t channel = 0; channel < s->dst_channels; channel += OCT_BLOCK) {
      const ptrdiff_t tap_floats = oct_block_width(s->dst_channels, channel / OCT_BLOCK) * source->k;
      ptrdiff_t begin, end;
      oct_share(tap_floats / OCT_LANE, thread, threads, &begin, &end);
      const float *taps[9];
      for (ptrdiff_t y = 0; y < 3; y++)
        for (ptrdiff_t x = 0; x < 3; x++) {
          const ptrdiff_t tap = (source->y.weight_first + source->y.weight_step * y) * source->tap_row +
                                source->x.weight_first + source->x.weight_step * x;
          taps[3 * y + x] = source->weights + channel * source->k * source->taps + tap * tap_floats + begin * OCT_LANE;
        }
      leaf->winograd_weights((end - begin) * OCT_LANE, taps, transformed + channel * source->k + begin * OCT_LANE, stride);
    }
    transformed += POSITIONS * stride;
  }
}

typedef struct tile_position {
  ptrdiff_t image, y, x;  // of the first of the four outputs
} tile_position;

static tile_position position_of(const oct_sweep *s, ptrdiff_t tile) {
  const ptrdiff_t across = tiles_along(s->dst_w), down = tiles_along(s->dst_h);
  return (tile_position){tile / (across * down), tile / across % down * 2, tile % across * 2};
}

/// V = Bᵀ d B of `count` tiles from `first` on.
static void transform_pixels(const oct_sweep *s, const oct_conv_leaf *leaf, ptrdiff_t first, ptrdiff_t count,
                             const thread_scratch *scratch) {
  for (ptrdiff_t i = 0; i < s->count; i++) {
    const oct_sweep_source *source = &s->sources[i];
    const ptrdiff_t row = row_floats(source), stride = pixels_stride(s, i), h = source->y.src_size, w = source->x.src_size;
    for (ptrdiff_t t = 0; t < count; t++) {
      const tile_position at = position_of(s, first + t);
      const float *pixels[16];
      for (ptrdiff_t y = 0; y < 4; y++)
        for (ptrdiff_t x = 0; x < 4; x++) {
          const ptrdiff_t py = at.y + source->y.src_base + y, px = at.x + source->x.src_base + x;
          const bool inside = py >= 0 && py < h && px >= 0 && px < w;
          pixels[4 * y + x] = inside ? source->src + ((at.image * h + py) * w + px) * source->channels : scratch->zeros;
        }
      leaf->winograd_pixels(source->k, pixels, scratch->pixels[i] + t * row, stride);
    }
  }
}

/// The four outputs of one tile and block, Y = Aᵀ M A and what follows it.
static void write_tile(const oct_sweep *s, const oct_conv_leaf *leaf, ptrdiff_t tile_index, ptrdiff_t channel,
                       const float *sums, ptrdiff_t stride, oct_conv_tile *tile) {
  const tile_position at = position_of(s, tile_index);
  float *dst[4];
  const float *start[4];
  for (ptrdiff_t pixel = 0; pixel < 4; pixel++) {
    const ptrdiff_t y = at.y + pixel / 2, x = at.x + pixel % 2;
    const bool inside = y < s->dst_h && x < s->dst_w;
    dst[pixel] = inside ? s->dst + ((at.image * s->dst_h + y) * s->dst_w + x) * s->dst_channels + channel : NULL;
    start[pixel] = s->accumulate ? dst[pixel]
                   : s->low && inside
                       ? s->low + ((at.image * s->low_h + y / 2) * s->low_w + x / 2) * s->dst_channels + channel
                       : NULL;
  }
  tile->dst = dst;
  tile->start = start;
  leaf->winograd_outputs(tile, sums, stride);
}

/// `count` tiles from `first` on, all channels.
static void run_chunk(const oct_sweep *s, const oct_conv_leaf *leaf, const float *weights, ptrdiff_t first, ptrdiff_t count,
                      const thread_scratch *scratch) {
  const ptrdiff_t tiles = chunk_tiles(s);
  transform_pixels(s, leaf, first, count, scratch);
  for (ptrdiff_t channel = 0; channel < s->dst_channels; channel += OCT_BLOCK) {
    const ptrdiff_t width = oct_block_width(s->dst_channels, channel / OCT_BLOCK);
    oct_conv_tile tile = {.columns = oct_min(OCT_BLOCK, s->dst_channels - channel), .width = width};
    const ptrdiff_t row_tiles = oct_ceil_div(count, leaf->max_rows(width));
    for (ptrdiff_t position = 0; position < POSITIONS; position++) {
      oct_conv_entry entries[MAX_SOURCES];
      const float *source_weights = weights;
      for (ptrdiff_t i = 0; i < s->count; i++) {
        const oct_sweep_source *source = &s->sources[i];
        entries[i] = (oct_conv_entry){
            .rows = scratch->rows[i],
            .offset = position * pixels_stride(s, i),
            .weights = source_weights + position * weights_stride(s, i) + channel * source->k,
            .k = source->k,
        };
        source_weights += POSITIONS * weights_stride(s, i);
      }
      tile.dst = scratch->sum_rows + position * tiles;
      for (ptrdiff_t t = 0; t < row_tiles; t++) {
        ptrdiff_t begin, end;
        oct_share(count, t, row_tiles, &begin, &end);
        leaf->accumulate(&tile, entries, s->count, begin, end - begin);
      }
    }
    tile.streams = oct_sweep_streams(s);
    oct_sweep_add_epilogue(s, channel, &tile);
    for (ptrdiff_t t = 0; t < count; t++)
      write_tile(s, leaf, first + t, channel, scratch->sums + t * OCT_BLOCK, sums_stride(s), &tile);
  }
}

void oct_winograd_run(const oct_sweep *s, void *scratch_memory, int thread, int threads) {
  const oct_conv_leaf *leaf = oct_conv_leaf_active();
  float *weights = scratch_memory;
  transform_weights(s, leaf, weights, thread, threads);
  const thread_scratch scratch = carve(s, scratch_memory, thread);
#pragma omp barrier
  ptrdiff_t first, last;
  oct_share(s->n * tiles_along(s->dst_h) * tiles_along(s->dst_w), thread, threads, &first, &last);
  const ptrdiff_t chunks = oct_ceil_div(last - first, chunk_tiles(s));
  for (ptrdiff_t c = 0; c < chunks; c++) {
    ptrdiff_t begin, end;
    oct_share(last - first, c, chunks, &begin, &end);
    run_chunk(s, leaf, weights, first + begin, end - begin, &scratch);
  }
  // Streamed lines must have arrived, and nobody may transform other weights, before the last thread is done.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
