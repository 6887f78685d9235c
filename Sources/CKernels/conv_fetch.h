// Fetching weights ahead of their use.
//
// Where a map has few pixels, a weight serves few tiles, and a layer takes as long as its weights take to arrive. The
// processor foresees a stream only within a page, which the micro-kernel leaves every sixteen elements of the reduction.
// So the tiles of a group (weights that all of them read, one tile after the other) fetch the weights of the next group
// between them. The first group of all has nobody to do that: its first tile fetches its own, a little ahead.
#ifndef OCT_CONV_FETCH_H
#define OCT_CONV_FETCH_H

#include "conv_internal.h"

enum {
  OCT_FETCH_AHEAD = 32,                                     // elements of the reduction: memory's latency
  OCT_FETCH_MOST = OCT_FETCH_STEP * OCT_BLOCK / OCT_LANE,   // lines a step, as fast as a tile reads them
};

/// Weights [begin, end).
typedef struct oct_weights_span {
  const float *begin, *end;
} oct_weights_span;

typedef struct oct_fetch_plan {
  oct_weights_span own, next;  // either may be empty
  ptrdiff_t own_tiles;         // tiles that fetch `own`: the first, or none
  ptrdiff_t lines;             // of `next`, a step
  ptrdiff_t share;             // of `next`, floats a tile
} oct_fetch_plan;

/// For `tiles` tiles that read the weights `group`, `k` elements of the reduction. `next` are the weights they fetch, none
/// if it is empty. `cold`: nobody has fetched `group`.
static inline oct_fetch_plan oct_plan_fetch(oct_weights_span group, ptrdiff_t k, oct_weights_span next, bool cold,
                                            ptrdiff_t tiles) {
  const ptrdiff_t steps = oct_max(k / OCT_FETCH_STEP, 1), floats = group.end - group.begin;
  const ptrdiff_t ahead = floats / oct_max(k, 1) * OCT_FETCH_AHEAD;
  // A tile alone has no time for more than what it reads.
  const bool own = cold || (tiles == 1 && next.end > next.begin);
  oct_fetch_plan plan = {.own = {group.begin + ahead, group.end + ahead}, .next = next, .own_tiles = own};
  if (tiles > plan.own_tiles)
    plan.lines = oct_ceil_div(oct_ceil_div(next.end - next.begin, OCT_LANE), steps * (tiles - plan.own_tiles));
  plan.lines = oct_min(plan.lines, OCT_FETCH_MOST);
  plan.share = steps * plan.lines * OCT_LANE;
  return plan;
}

static inline void oct_plan_tile(const oct_fetch_plan *plan, ptrdiff_t t, oct_conv_tile *tile) {
  if (t < plan->own_tiles) {
    tile->fetch = plan->own.begin;
    tile->fetch_end = plan->own.end;
    tile->fetch_lines = OCT_FETCH_MOST;
    return;
  }
  const ptrdiff_t length = plan->next.end - plan->next.begin;
  const ptrdiff_t begin = oct_min((t - plan->own_tiles) * plan->share, length);
  tile->fetch = plan->next.begin + begin;
  tile->fetch_end = tile->fetch + oct_min(plan->share, length - begin);
  tile->fetch_lines = plan->lines;
}

#endif  // OCT_CONV_FETCH_H
