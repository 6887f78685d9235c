// Optimizer drivers. Elements do not depend on each other: one contiguous share a thread.
#include <math.h>

#include "maps.h"

oct_status oct_sgd_update(const oct_sgd *sgd, ptrdiff_t count, const float *gradient, float *weights,
                          float *velocity, int threads) {
  if (count < 0 || (sgd->momentum != 0.0f && velocity == NULL)) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  OCT_EACH_SHARE(count, threads, begin, end, {
    leaves->sgd(sgd, end - begin, gradient + begin, weights + begin,
                velocity == NULL ? NULL : velocity + begin);
  });
  return OCT_OK;
}

oct_status oct_adam_update(const oct_adam *adam, ptrdiff_t count, const float *gradient, float *weights,
                           float *first_moment, float *second_moment, int threads) {
  if (count < 0 || adam->step < 1) return OCT_INVALID_DESCRIPTOR;
  const oct_maps_leaves *leaves = oct_maps();
  const double step = (double)adam->step;
  const float step_size = (float)((double)adam->learning_rate / (1.0 - pow(adam->beta1, step)));
  const float root_scale = (float)(1.0 / sqrt(1.0 - pow(adam->beta2, step)));
  OCT_EACH_SHARE(count, threads, begin, end, {
    leaves->adam(adam, step_size, root_scale, end - begin, gradient + begin, weights + begin,
                 first_moment + begin, second_moment + begin);
  });
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
