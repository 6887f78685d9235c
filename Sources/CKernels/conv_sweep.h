// What the two orders of a sweep share: by rectangles (conv_sweep_rectangles.c) and by taps (conv_sweep_taps.c).
#ifndef OCT_CONV_SWEEP_H
#define OCT_CONV_SWEEP_H

#include "conv_axes.h"

enum {
  OCT_CHUNK_ROWS = 2048,
  OCT_GROUP_K = 1024,  // reduction length whose weights take 256 KiB
};

/// Pointer arithmetic on a position that may lie before the map until a tap's offset is added.
static inline const float *oct_offset_pointer(const float *base, ptrdiff_t offset) {
  return (const float *)((uintptr_t)base + (uintptr_t)(offset * (ptrdiff_t)sizeof(float)));
}

typedef struct oct_rectangle {
  ptrdiff_t y0, y1, x0, x1;
} oct_rectangle;

typedef struct oct_sweep_scratch {
  const float **rows;      // [sources][OCT_CHUNK_ROWS]
  const float **start;     // [OCT_CHUNK_ROWS] rows to start from, of the low map
  float **dst;             // [OCT_CHUNK_ROWS]
  const float **block_start;
  float **block_dst;
  oct_conv_entry *entries;
} oct_sweep_scratch;

/// Entries that a reduction over k is cut in.
static inline ptrdiff_t oct_entry_pieces(ptrdiff_t k) { return oct_ceil_div(k, OCT_GROUP_K); }

/// Row pointers of rows [first, last) of a rectangle, rows counted over (image, y, x).
void oct_sweep_point_rows(const oct_sweep *s, const oct_rectangle *r, ptrdiff_t group, ptrdiff_t first, ptrdiff_t last,
                          const oct_sweep_scratch *scratch);

/// For the last group of a reduction, whose sums are complete.
static inline void oct_sweep_add_epilogue(const oct_sweep *s, ptrdiff_t channel, oct_conv_tile *tile) {
  const oct_conv2d_epilogue *e = &s->epilogue;
  tile->scale = e->scale ? e->scale + channel : NULL;
  tile->bias = e->bias ? e->bias + channel : NULL;
  tile->residual = e->residual ? (uintptr_t)e->residual - (uintptr_t)s->dst : 0;
  tile->activation = e->activation;
}

/// What a thread computes: of blocks [block0, block1) parts [row_part0, row_part1) of the pixels, which are cut in
/// `row_parts` of equal cost.
typedef struct oct_sweep_share {
  ptrdiff_t block0, block1;
  ptrdiff_t row_part0, row_part1, row_parts;
  bool block_by_block;  // all pixels of a block before the next one
} oct_sweep_share;

void oct_sweep_run_by_rectangles(const oct_sweep *sweep, oct_sweep_share share, const oct_sweep_scratch *scratch);

/// Whether a thread that computes blocks of its own for all pixels should go tap by tap.
bool oct_sweep_goes_by_taps(const oct_sweep *sweep);
void oct_sweep_run_by_taps(const oct_sweep *sweep, ptrdiff_t block0, ptrdiff_t block1, const oct_sweep_scratch *scratch);

#endif  // OCT_CONV_SWEEP_H
