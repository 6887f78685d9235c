// How reductions over the rows of [rows, c] are cut into tasks. Depends on the shape only, so results have
// the same bits for any number of threads.
//
// - Narrow maps are *folded*: with c = 3, sixteen rows are one row of 48 floats, all whole vectors; each
// channel then
//   has sixteen partial results that are joined at the end. `rest` rows do not fill a folded row and are a
//   task of their own.
// - Rows are cut into `parts`, columns into `chunks` of at most OCT_COLUMNS, so that a few rows of many
// channels
//   (maps of one pixel) keep all threads busy as well.
#ifndef OCT_COLUMNS_H
#define OCT_COLUMNS_H

#include "maps.h"

typedef struct column_plan {
  ptrdiff_t c, fold, width, rows, rest;  // width = fold · c; rows are folded rows
  ptrdiff_t parts, chunks, tasks;
} column_plan;

static inline column_plan plan_columns(ptrdiff_t rows, ptrdiff_t c) {
  const ptrdiff_t vector = 16, wanted_tasks = 128, least_rows = 64;
  ptrdiff_t a = c, b = vector;
  while (b != 0) {
    const ptrdiff_t remainder = a % b;
    a = b;
    b = remainder;
  }
  column_plan plan = {.c = c, .fold = c < OCT_COLUMNS ? vector / a : 1};
  if (rows < plan.fold) plan.fold = 1;
  plan.width = plan.fold * c;
  plan.rows = rows / plan.fold;
  plan.rest = rows % plan.fold;
  plan.chunks = oct_ceil_div(plan.width, OCT_COLUMNS);
  plan.parts = oct_max(1, oct_min(plan.rows / least_rows, oct_ceil_div(wanted_tasks, plan.chunks)));
  plan.tasks = plan.parts * plan.chunks + (plan.rest > 0);
  return plan;
}

/// Floats in one set of partial results: one row a part, and one for the rest, which fewer rows may leave where these do not.
static inline ptrdiff_t partial_count(const column_plan *plan) {
  return (plan->parts + (plan->fold > 1)) * plan->width;
}

/// Folded rows of one part.
static inline ptrdiff_t part_rows(const column_plan *plan, ptrdiff_t part) {
  ptrdiff_t begin, end;
  oct_share(plan->rows, part, plan->parts, &begin, &end);
  return end - begin;
}

typedef struct column_task {
  ptrdiff_t offset;               // of the first float in the map
  ptrdiff_t rows, stride, width;  // rectangle
  ptrdiff_t column;               // of the first float in a folded row
  ptrdiff_t partial;              // where its partial results go
} column_task;

static inline column_task task_at(const column_plan *plan, ptrdiff_t index) {
  const ptrdiff_t part = index / plan->chunks, column = index % plan->chunks * OCT_COLUMNS;
  if (part == plan->parts)
    return (column_task){plan->rows * plan->width, plan->rest, plan->c, plan->c, 0, part * plan->width};
  ptrdiff_t begin, end;
  oct_share(plan->rows, part, plan->parts, &begin, &end);
  return (column_task){begin * plan->width + column,
                       end - begin,
                       plan->width,
                       oct_min(OCT_COLUMNS, plan->width - column),
                       column,
                       part * plan->width + column};
}

/// The caller's scratch may have any alignment; partial sums are doubles on cache lines of their own.
static inline void *align_scratch(void *scratch) {
  return (void *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
}

/// Σ over parts and folds of one channel, in a fixed order.
static inline double joined_sum(const column_plan *plan, const double *partial, ptrdiff_t channel) {
  double sum = 0.0;
  for (ptrdiff_t part = 0; part < plan->parts; part++)
    for (ptrdiff_t f = 0; f < plan->fold; f++) sum += partial[part * plan->width + f * plan->c + channel];
  return plan->rest > 0 ? sum + partial[plan->parts * plan->width + channel] : sum;
}

#endif  // OCT_COLUMNS_H
