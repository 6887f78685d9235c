// Optimizer drivers. Elements do not depend on each other: one contiguous share a thread.
#include <math.h>

#include "maps.h"

static bool is_valid(const oct_update *u) {
  switch (u->optimizer) {
    case OCT_SGD: return u->count >= 0 && (u->sgd.momentum == 0.0f || u->first != NULL);
    case OCT_ADAM: return u->count >= 0 && u->adam.step >= 1 && u->first != NULL && u->second != NULL;
  }
  return false;
}

oct_status oct_updates_check(const oct_updates *updates) {
  for (ptrdiff_t i = 0; i < updates->count; i++)
    if (!is_valid(&updates->items[i])) return OCT_INVALID_DESCRIPTOR;
  return OCT_OK;
}

/// Elements [begin, end).
static void run_range(const oct_update *u, ptrdiff_t begin, ptrdiff_t end) {
  const oct_maps_leaves *leaves = oct_maps();
  const float *gradient = u->gradient + begin;
  float *weights = u->weights + begin, *first = u->first == NULL ? NULL : u->first + begin;
  if (u->optimizer == OCT_SGD) {
    leaves->sgd(&u->sgd, end - begin, gradient, weights, first);
    return;
  }
  const double step = (double)u->adam.step;
  const float step_size = (float)((double)u->adam.learning_rate / (1.0 - pow(u->adam.beta1, step)));
  const float root_scale = (float)(1.0 / sqrt(1.0 - pow(u->adam.beta2, step)));
  leaves->adam(&u->adam, step_size, root_scale, end - begin, gradient, weights, first, u->second + begin);
}

void oct_run_updates_share(const void *context, int thread, int threads) {
  const oct_updates *updates = context;
  for (ptrdiff_t i = 0; i < updates->count; i++) {
    ptrdiff_t begin, end;
    oct_flat_share(updates->items[i].count, thread, threads, &begin, &end);
    if (begin < end) run_range(&updates->items[i], begin, end);
  }
}

oct_status oct_run_updates(const oct_updates *updates, int threads) {
  if (oct_updates_check(updates) != OCT_OK) return OCT_INVALID_DESCRIPTOR;
  ptrdiff_t total = 0;
  for (ptrdiff_t i = 0; i < updates->count; i++) total += updates->items[i].count;
#pragma omp parallel num_threads(oct_team(threads, total))
  oct_run_updates_share(updates, omp_get_thread_num(), omp_get_num_threads());
  return OCT_OK;
}

double oct_sum_of_squares(ptrdiff_t count, const float *x, int threads) {
  enum { PARTS = 128 };
  if (count <= 0) return 0.0;
  const oct_maps_leaves *leaves = oct_maps();
  double sums[PARTS];
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (int part = 0; part < PARTS; part++) {
    ptrdiff_t begin, end;
    oct_share(count, part, PARTS, &begin, &end);
    sums[part] = leaves->sum_of_squares(end - begin, x + begin);
  }
  double total = 0.0;
  for (int part = 0; part < PARTS; part++) total += sums[part];
  return total;
}
