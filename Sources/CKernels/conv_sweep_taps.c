// A sweep tap by tap, for small maps with large weights.
//
// By rectangles, a 7×7 map under 3×3 taps is nine of them, and each reads the block's weights anew: more than the L2 cache
// holds, for one row of pixels at the corners. Here a tap's weights are read once, for all pixels that have the tap, and
// the sums wait in dst, which is small. Every sum takes its terms in the same order, so the bits are the same.
#include "conv_fetch.h"
#include "conv_sweep.h"

enum {
  MOST_ROWS = 256,
  LEAST_K = 64,                    // a tap's reduction, beside which loading and storing a tile's sums is little
};

bool oct_sweep_goes_by_taps(const oct_sweep *s) {
  ptrdiff_t weights = 0;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    if (s->sources[i].taps == 1 || s->sources[i].k < LEAST_K) return false;
    weights += OCT_BLOCK * s->sources[i].k * s->sources[i].y.taps * s->sources[i].x.taps * (ptrdiff_t)sizeof(float);
  }
  const ptrdiff_t rows = s->n * s->sources[0].y.count * s->sources[0].x.count;
  // Weights of a block that take a quarter of the cache.
  return s->g == 1 && rows <= MOST_ROWS && weights >= oct_near_bytes() / 4;
}

/// A piece of the reduction over one tap of one source.
typedef struct step {
  ptrdiff_t source, y, x, piece;
} step;

static bool advance(const oct_sweep *s, step *at) {
  const oct_sweep_source *source = &s->sources[at->source];
  if (++at->piece < oct_entry_pieces(source->k)) return true;
  at->piece = 0;
  if (++at->x < source->x.taps) return true;
  at->x = 0;
  if (++at->y < source->y.taps) return true;
  at->y = 0;
  return ++at->source < s->count;
}

/// The step's term, but for its rows.
static oct_conv_entry term(const oct_sweep *s, step at, ptrdiff_t channel, ptrdiff_t width) {
  const oct_sweep_source *source = &s->sources[at.source];
  const ptrdiff_t tap = (source->y.weight_first + source->y.weight_step * at.y) * source->tap_row +
                        source->x.weight_first + source->x.weight_step * at.x;
  ptrdiff_t begin, end;
  oct_share(source->k, at.piece, oct_entry_pieces(source->k), &begin, &end);
  return (oct_conv_entry){
      .offset = (at.y * source->x.src_size + at.x) * source->channels + begin,
      .weights = source->weights + channel * source->k * source->taps + (tap * source->k + begin) * width,
      .k = end - begin,
  };
}

static oct_weights_span span(oct_conv_entry entry, ptrdiff_t width) {
  return (oct_weights_span){entry.weights, entry.weights + entry.k * width};
}

/// Source and dst rows of the pixels that have the step's tap; returns how many.
static ptrdiff_t collect_rows(const oct_sweep *s, step at, ptrdiff_t channel, const oct_sweep_scratch *scratch) {
  const oct_sweep_source *source = &s->sources[at.source];
  const float *const *rows = scratch->rows + at.source * OCT_CHUNK_ROWS;
  ptrdiff_t row = 0, count = 0;
  for (ptrdiff_t image = 0; image < s->n; image++)
    for (ptrdiff_t y = 0; y < source->y.count; y++) {
      ptrdiff_t y0, y1;
      oct_valid_taps(&source->y, y, &y0, &y1);
      for (ptrdiff_t x = 0; x < source->x.count; x++, row++) {
        ptrdiff_t x0, x1;
        oct_valid_taps(&source->x, x, &x0, &x1);
        if (at.y < y0 || at.y >= y1 || at.x < x0 || at.x >= x1) continue;
        scratch->block_start[count] = rows[row];
        scratch->block_dst[count++] = scratch->dst[row] + channel;
      }
    }
  return count;
}

/// `plan` may be NULL.
static void run_tiles(const oct_conv_leaf *leaf, oct_conv_tile *tile, const oct_fetch_plan *plan, const oct_conv_entry *entry,
                      ptrdiff_t rows) {
  const ptrdiff_t tiles = oct_ceil_div(rows, leaf->max_rows(tile->columns));
  for (ptrdiff_t t = 0; t < tiles; t++) {
    ptrdiff_t begin, end;
    oct_share(rows, t, tiles, &begin, &end);
    if (plan) oct_plan_tile(plan, t, tile);
    leaf->accumulate(tile, entry, entry != NULL, begin, end - begin);
  }
}

/// The sums before the first term, or what happens to those after the last: a reduction of no terms over all pixels.
static void run_all_rows(const oct_sweep *s, const oct_conv_leaf *leaf, oct_conv_tile tile, ptrdiff_t channel,
                         const float *const *start, const oct_sweep_scratch *scratch) {
  const ptrdiff_t rows = s->n * s->sources[0].y.count * s->sources[0].x.count;
  for (ptrdiff_t row = 0; row < rows; row++) {
    scratch->block_dst[row] = scratch->dst[row] + channel;
    if (start) scratch->block_start[row] = start[row] + channel;
  }
  tile.start = start ? scratch->block_start : NULL;
  run_tiles(leaf, &tile, NULL, NULL, rows);
}

static void run_block(const oct_sweep *s, const oct_conv_leaf *leaf, ptrdiff_t block, bool is_first, bool is_last,
                      const oct_sweep_scratch *scratch) {
  const ptrdiff_t channel = block * OCT_BLOCK, width = oct_block_width(s->dst_channels, block);
  oct_conv_tile tile = {.dst = scratch->block_dst, .columns = oct_min(OCT_BLOCK, s->dst_channels - channel), .width = width};
  if (!s->accumulate) run_all_rows(s, leaf, tile, channel, s->low ? scratch->start : NULL, scratch);

  step at = {0};
  const bool fetches = !s->has_hot_weights;
  bool cold = fetches && is_first, goes_on = true;
  do {
    oct_conv_entry entry = term(s, at, channel, width);
    entry.rows = scratch->block_start;
    const ptrdiff_t rows = collect_rows(s, at, channel, scratch);
    goes_on = advance(s, &at);
    oct_weights_span next = {NULL, NULL};
    if (fetches && goes_on)
      next = span(term(s, at, channel, width), width);
    else if (fetches && !is_last)
      next = span(term(s, (step){0}, channel + OCT_BLOCK, oct_block_width(s->dst_channels, block + 1)), width);
    const oct_fetch_plan plan =
        oct_plan_fetch(span(entry, width), entry.k, next, cold, oct_ceil_div(rows, leaf->max_rows(tile.columns)));
    tile.start = (const float *const *)scratch->block_dst;
    run_tiles(leaf, &tile, &plan, &entry, rows);
    cold = cold && rows == 0;
  } while (goes_on);

  const oct_conv2d_epilogue *e = &s->epilogue;
  if (!e->scale && !e->bias && !e->residual && e->activation.kind == OCT_IDENTITY) return;
  tile.fetch = tile.fetch_end = NULL;
  oct_sweep_add_epilogue(s, channel, &tile);
  run_all_rows(s, leaf, tile, channel, (const float *const *)scratch->dst, scratch);
}

void oct_sweep_run_by_taps(const oct_sweep *s, ptrdiff_t block0, ptrdiff_t block1, const oct_sweep_scratch *scratch) {
  const oct_conv_leaf *leaf = s->leaf;
  const oct_rectangle all = {0, s->sources[0].y.count, 0, s->sources[0].x.count};
  oct_sweep_point_rows(s, &all, 0, 0, s->n * all.y1 * all.x1, scratch);
  for (ptrdiff_t block = block0; block < block1; block++)
    run_block(s, leaf, block, block == block0, block + 1 == block1, scratch);
}
