// Winograd's algorithm for the sweeps of forward and backward-data with 3×3 taps and stride 1.
//
// A thread takes its tiles a chunk at a time, and for each chunk: transforms the source (all channels), and then for each
// block of 64 output channels computes a matrix product for each ξ with the direct micro-kernel and transforms their sums back,
// where the epilogue is. A chunk's transformed source and sums stay in the L2 cache as far as the channels allow.
// Several sources are one longer reduction. The sums of one ξ lie together, not those of one tile: then the rows of a
// product share pages, which on 56×56 maps is 1.4 times as fast.
#include <string.h>

#include "conv_axes.h"
#include "conv_fetch.h"
#include "conv_winograd.h"

enum {
  LEAST_CHUNK = 36,     // tiles, for which all transformed weights are read
  ROWS = 12,            // the largest tile of the micro-kernel with whole blocks
  WEIGHT_PARTS = 8,     // of a block's channels, to share the transform out
  TRANSFORM_COST = 16,  // of an element of the weights, in multiplications
  READ_COST = 6,        // of an element from memory, where the direct sum reads 9 numbers for 16 or 36
};

ptrdiff_t oct_direct_products(const oct_sweep_axis *y, const oct_sweep_axis *x) {
  const oct_sweep_axis *axes[2] = {y, x};
  ptrdiff_t product = 1;
  for (int i = 0; i < 2; i++) {
    ptrdiff_t taps = 0;
    for (ptrdiff_t t = 0, begin, end; t < axes[i]->count; t++) {
      oct_valid_taps(axes[i], t, &begin, &end);
      taps += end - begin;
    }
    product *= taps;
  }
  return product;
}

/// The m of transformed weights, which stands in the line before them.
static ptrdiff_t size_of(const float *transformed) {
  int32_t m;
  memcpy(&m, transformed, sizeof m);
  return m;
}

/// The tiles that transformed weights were made for; where none are there, those that the images want.
static oct_tile_grid grid_of(const oct_sweep *s) {
  for (ptrdiff_t i = 0; i < s->count; i++)
    if (s->sources[i].transformed) return oct_tiles_of(size_of(s->sources[i].transformed), s->dst_h, s->dst_w);
  return oct_winograd_grid(s->dst_h, s->dst_w, s->n, TRANSFORM_COST);
}

/// Whether every source gains by the algorithm where `once` multiplications an element and pair of channels are spent for all
/// images together; `ready`: on those sources alone whose weights do not come transformed.
static bool gains(const oct_sweep *s, const oct_tile_grid *grid, double once, bool ready) {
  for (ptrdiff_t i = 0; i < s->count; i++) {
    const oct_sweep_source *source = &s->sources[i];
    if (ready && source->transformed) continue;
    const ptrdiff_t products = oct_direct_products(&source->y, &source->x);
    if (!oct_winograd_pays(grid, products, source->k, s->dst_channels, s->n, once)) return false;
  }
  return true;
}

/// 3×3 taps, stride 1, one group.
static bool fits(const oct_sweep *s) {
  if (s->direct || s->g != 1) return false;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    const oct_sweep_axis *y = &s->sources[i].y, *x = &s->sources[i].x;
    if (y->taps != 3 || x->taps != 3 || s->sources[i].taps != 9) return false;
    if (y->src_step != 1 || x->src_step != 1 || y->dst_step != 1 || x->dst_step != 1) return false;
  }
  return true;
}

bool oct_winograd_applies(const oct_sweep *s) {
  if (!fits(s)) return false;
  const oct_tile_grid grid = grid_of(s);
  return gains(s, &grid, TRANSFORM_COST, true);
}

bool oct_winograd_gains_by_transformed(const oct_sweep *s) {
  if (!fits(s)) return false;
  const oct_tile_grid grid = oct_winograd_grid(s->dst_h, s->dst_w, s->n, READ_COST);
  return gains(s, &grid, READ_COST, false);
}

typedef struct plan {
  oct_tile_grid grid;
  ptrdiff_t points, tiles, chunk, blocks;
  ptrdiff_t sum_stride;     // floats from ξ to ξ + 1
  ptrdiff_t weights_bytes;  // of all sources whose weights are not transformed yet
  ptrdiff_t thread_bytes;
} plan;

static plan make_plan(const oct_sweep *s, oct_tile_grid grid) {
  plan p = {.grid = grid, .blocks = oct_ceil_div(s->dst_channels, OCT_BLOCK)};
  p.points = oct_points(p.grid.m);
  ptrdiff_t k = 0, longest = 0, weights = 0;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    k += oct_padded(s->sources[i].k);
    longest = oct_max(longest, oct_padded(s->sources[i].k));
    if (!s->sources[i].transformed) weights += oct_point_count(p.grid.m, s->sources[i].k, s->dst_channels);
  }
  p.tiles = s->n * p.grid.h * p.grid.w;
  // The transformed source and the sums of a chunk stay in the cache. Where that would leave few tiles, the weights, which no
  // cache of a core holds then, are what is read too often: 512 channels gain a third by it.
  const ptrdiff_t tile_bytes = p.points * (k + OCT_BLOCK) * (ptrdiff_t)sizeof(float);
  p.chunk = oct_max(LEAST_CHUNK, oct_near_bytes() * 3 / 4 / tile_bytes / ROWS * ROWS);
  p.chunk = oct_min(p.chunk, p.tiles);
  p.sum_stride = p.chunk * OCT_BLOCK + OCT_LANE;
  p.weights_bytes = oct_whole_lines(weights * (ptrdiff_t)sizeof(float));
  const ptrdiff_t sources = p.points * (p.chunk * k + OCT_LANE * s->count);
  p.thread_bytes = oct_whole_lines((sources + p.points * p.sum_stride + longest) * (ptrdiff_t)sizeof(float) +
                                   p.points * p.chunk * (s->count + 1) * (ptrdiff_t)sizeof(void *));
  return p;
}

ptrdiff_t oct_winograd_scratch_bytes(const oct_sweep *s, int threads) {
  if (!fits(s)) return 0;
  oct_tile_grid grids[2];
  bool transforms_weights = false;
  for (ptrdiff_t i = 0; i < 2; i++) {
    grids[i] = oct_tiles_of(i == 0 ? 2 : 4, s->dst_h, s->dst_w);
    transforms_weights |= gains(s, &grids[i], TRANSFORM_COST, false);
  }
  ptrdiff_t bytes = 0;
  for (ptrdiff_t i = 0; i < 2; i++) {
    const plan p = make_plan(s, grids[i]);
    bytes = oct_max(bytes, (transforms_weights ? p.weights_bytes : 0) + p.thread_bytes * threads);
  }
  return bytes;
}

typedef struct workspace {
  const float *weights[OCT_MAX_SOURCES];  // transformed
  float *source[OCT_MAX_SOURCES];         // [ξ][chunk][padded k], ξ is source_stride apart
  ptrdiff_t source_stride[OCT_MAX_SOURCES];
  float *sums;                            // [ξ][chunk][OCT_BLOCK], ξ is sum_stride apart
  float *zeros;                           // a pixel outside the map
  const float **rows[OCT_MAX_SOURCES];    // [ξ][chunk], rows of source
  float **sum_rows;                       // [ξ][chunk]
} workspace;

static workspace carve(const oct_sweep *s, const plan *p, void *scratch, int thread) {
  workspace w;
  const float *weights = scratch;
  float *at = (float *)((char *)scratch + p->weights_bytes + thread * p->thread_bytes);
  ptrdiff_t longest = 0;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    const oct_sweep_source *source = &s->sources[i];
    w.weights[i] = source->transformed ? source->transformed + OCT_LANE : weights;
    if (!source->transformed) weights += oct_point_count(p->grid.m, source->k, s->dst_channels);
    longest = oct_max(longest, oct_padded(source->k));
    w.source[i] = at;
    w.source_stride[i] = p->chunk * oct_padded(source->k) + OCT_LANE;
    at += p->points * w.source_stride[i];
  }
  w.sums = at;
  at += p->points * p->sum_stride;
  w.zeros = at;
  at += longest;
  memset(w.zeros, 0, (size_t)longest * sizeof(float));
  const float **rows = (const float **)at;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    w.rows[i] = rows;
    for (ptrdiff_t point = 0; point < p->points; point++)
      for (ptrdiff_t t = 0; t < p->chunk; t++)
        *rows++ = w.source[i] + point * w.source_stride[i] + t * oct_padded(s->sources[i].k);
  }
  w.sum_rows = (float **)rows;
  for (ptrdiff_t point = 0; point < p->points; point++)
    for (ptrdiff_t t = 0; t < p->chunk; t++)
      w.sum_rows[point * p->chunk + t] = w.sums + point * p->sum_stride + t * OCT_BLOCK;
  return w;
}

/// All threads of a parallel region call it.
static void transform_weights(const oct_winograd_leaf *leaf, ptrdiff_t m, const oct_sweep_source *source, ptrdiff_t channels,
                              float *transformed) {
  const ptrdiff_t k = source->k, blocks = oct_ceil_div(channels, OCT_BLOCK);
#pragma omp for schedule(static)
  for (ptrdiff_t item = 0; item < blocks * WEIGHT_PARTS; item++) {
    const ptrdiff_t block = item / WEIGHT_PARTS, width = oct_block_width(channels, block);
    ptrdiff_t k0, k1;
    oct_share(k, item % WEIGHT_PARTS, WEIGHT_PARTS, &k0, &k1);
    const float *taps[9];
    for (ptrdiff_t y = 0; y < 3; y++)
      for (ptrdiff_t x = 0; x < 3; x++) {
        const ptrdiff_t tap = (source->y.weight_first + source->y.weight_step * y) * 3 + source->x.weight_first +
                              source->x.weight_step * x;
        taps[3 * y + x] = source->weights + block * OCT_BLOCK * k * 9 + (tap * k + k0) * width;
      }
    leaf->weights(taps, (k1 - k0) * width, transformed + oct_point_block(m, k, block) + k0 * width, oct_point_stride(k, width));
  }
}

ptrdiff_t oct_winograd_transformed_count(const oct_sweep *s) {
  return OCT_LANE + oct_point_count(oct_winograd_grid(s->dst_h, s->dst_w, s->n, READ_COST).m, s->sources[0].k, s->dst_channels);
}

ptrdiff_t oct_winograd_transformed_size(const float *transformed, ptrdiff_t k, ptrdiff_t channels) {
  return OCT_LANE + oct_point_count(size_of(transformed), k, channels);
}

void oct_winograd_transform(const oct_sweep *s, float *transformed) {
  const ptrdiff_t m = oct_winograd_grid(s->dst_h, s->dst_w, s->n, READ_COST).m;
  const int32_t size = (int32_t)m;
#pragma omp single nowait
  memcpy(transformed, &size, sizeof size);
  transform_weights(oct_winograd_transforms(s->leaf, m), m, s->sources, s->dst_channels, transformed + OCT_LANE);
}

static void transform_sources(const oct_sweep *s, const plan *p, const oct_winograd_leaf *leaf, ptrdiff_t first,
                              ptrdiff_t last, const workspace *w) {
  const ptrdiff_t m = p->grid.m;
  for (ptrdiff_t t = 0; t < last - first; t++) {
    const oct_tile_place at = oct_tile_at(&p->grid, first + t);
    for (ptrdiff_t i = 0; i < s->count; i++) {
      const oct_sweep_source *source = &s->sources[i];
      const float *pixels[OCT_MOST_INPUTS];
      oct_tile_pixels(source->src, source->y.src_size, source->x.src_size, source->channels, at.image,
                      m * at.y + source->y.src_base, m * at.x + source->x.src_base, m + 2, w->zeros, pixels);
      leaf->source(pixels, source->k, w->source[i] + t * oct_padded(source->k), w->source_stride[i]);
    }
  }
}

/// sums of `count` tiles and one block: a matrix product for each ξ. `first`, `last`: of the thread's blocks.
static void multiply(const oct_sweep *s, const plan *p, const oct_conv_leaf *leaf, ptrdiff_t count, ptrdiff_t block,
                     bool first, bool last, const workspace *w) {
  const ptrdiff_t width = oct_block_width(s->dst_channels, block);
  // Sums are whole vectors.
  const ptrdiff_t channels = oct_min(OCT_BLOCK, s->dst_channels - block * OCT_BLOCK);
  const ptrdiff_t columns = oct_ceil_div(channels, leaf->vector_width) * leaf->vector_width;
  oct_conv_tile sum = {.dst = w->sum_rows, .columns = columns, .width = width};
  const ptrdiff_t tiles = oct_ceil_div(count, leaf->max_rows(columns));
  for (ptrdiff_t point = 0; point < p->points; point++) {
    oct_conv_entry entries[OCT_MAX_SOURCES];
    for (ptrdiff_t i = 0; i < s->count; i++) {
      const ptrdiff_t k = s->sources[i].k;
      entries[i] = (oct_conv_entry){
          .rows = w->rows[i],
          .weights = w->weights[i] + oct_point_block(p->grid.m, k, block) + point * oct_point_stride(k, width),
          .k = k,
      };
    }
    const oct_weights_span group = {entries[0].weights, entries[0].weights + entries[0].k * width};
    const ptrdiff_t stride = oct_point_stride(entries[0].k, width);
    const bool ends = last && point == p->points - 1;
    const oct_weights_span next = {group.begin + stride, ends ? group.begin + stride : group.end + stride};
    const oct_fetch_plan fetch = oct_plan_fetch(group, entries[0].k, next, first && point == 0, tiles);
    for (ptrdiff_t t = 0; t < tiles; t++) {
      ptrdiff_t begin, end;
      oct_share(count, t, tiles, &begin, &end);
      oct_plan_tile(&fetch, t, &sum);
      leaf->accumulate(&sum, entries, s->count, point * p->chunk + begin, end - begin);
    }
  }
}

static void transform_sums(const oct_sweep *s, const plan *p, const oct_winograd_leaf *leaf, ptrdiff_t first, ptrdiff_t last,
                           ptrdiff_t block, const workspace *w) {
  const oct_conv2d_epilogue *e = &s->epilogue;
  const ptrdiff_t channel = block * OCT_BLOCK, columns = oct_min(OCT_BLOCK, s->dst_channels - channel);
  const ptrdiff_t m = p->grid.m, half = m / 2;
  oct_winograd_tile tile = {
      .has_low = s->low && !s->accumulate,
      .accumulate = s->accumulate,
      .scale = e->scale ? e->scale + channel : NULL,
      .bias = e->bias ? e->bias + channel : NULL,
      .residual = e->residual ? (uintptr_t)e->residual - (uintptr_t)s->dst : 0,
      .activation = e->activation,
      .streams = oct_sweep_streams(s),
  };
  for (ptrdiff_t t = 0; t < last - first; t++) {
    const oct_tile_place at = oct_tile_at(&p->grid, first + t);
    for (ptrdiff_t i = 0; i < m * m; i++) {
      const ptrdiff_t y = m * at.y + i / m, x = m * at.x + i % m;
      const bool inside = y < s->dst_h && x < s->dst_w;
      tile.dst[i] = inside ? s->dst + ((at.image * s->dst_h + y) * s->dst_w + x) * s->dst_channels + channel : NULL;
    }
    for (ptrdiff_t i = 0; tile.has_low && i < half * half; i++) {
      const ptrdiff_t y = half * at.y + i / half, x = half * at.x + i % half;
      const bool inside = y < s->low_h && x < s->low_w;
      tile.low[i] = inside ? s->low + ((at.image * s->low_h + y) * s->low_w + x) * s->dst_channels + channel : NULL;
    }
    leaf->output(&tile, columns, w->sums + t * OCT_BLOCK, p->sum_stride);
  }
}

void oct_winograd_run(const oct_sweep *s, void *scratch, int thread, int threads) {
  const plan p = make_plan(s, grid_of(s));
  const oct_winograd_leaf *leaf = oct_winograd_transforms(s->leaf, p.grid.m);
  const workspace w = carve(s, &p, scratch, thread);
  ptrdiff_t weights = 0;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    weights += oct_point_count(p.grid.m, s->sources[i].k, s->dst_channels);
    // All threads wait here for the weights.
    if (!s->sources[i].transformed)
      transform_weights(leaf, p.grid.m, &s->sources[i], s->dst_channels, (float *)w.weights[i]);
  }
  // Threads share the tiles, or the blocks where the weights are what is large, and then all of them transform the source.
  const ptrdiff_t map = s->n * s->dst_h * s->dst_w * s->dst_channels;
  const ptrdiff_t block_parts = weights > 2 * map && p.blocks % threads == 0 ? threads : 1;
  const ptrdiff_t tile_parts = threads / block_parts;
  ptrdiff_t block0, block1, tile0, tile1;
  oct_share(p.blocks, thread % block_parts, block_parts, &block0, &block1);
  oct_share(p.tiles, thread / block_parts, tile_parts, &tile0, &tile1);
  const ptrdiff_t chunks = oct_ceil_div(tile1 - tile0, p.chunk);
  for (ptrdiff_t c = 0; c < chunks; c++) {
    ptrdiff_t first, last;
    oct_share(tile1 - tile0, c, chunks, &first, &last);
    transform_sources(s, &p, leaf, tile0 + first, tile0 + last, &w);
    for (ptrdiff_t block = block0; block < block1; block++) {
      multiply(s, &p, s->leaf, last - first, block, block == block0, block == block1 - 1, &w);
      transform_sums(s, &p, leaf, tile0 + first, tile0 + last, block, &w);
    }
  }
  // Streamed lines must have arrived before another thread reads them.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
