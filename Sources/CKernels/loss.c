// Softmax cross-entropy with label smoothing, the logarithm of the sum of exponentials in double.
#include <math.h>

#include "maps.h"

/// loss = (1 − s) · (log Z − l[label]) + s · (log Z − mean l),
/// gradient = p − (1 − s) · [k = label] − s / classes.
static void one_image(ptrdiff_t classes, const float *logits, int32_t label, double smoothing,
                      double diff_scale, float *loss, float *diff) {
  double largest = (double)logits[0], total = 0.0;
  for (ptrdiff_t k = 0; k < classes; k++) {
    largest = fmax(largest, (double)logits[k]);
    total += (double)logits[k];
  }
  const double target = (double)logits[label];
  double z = 0.0;
  for (ptrdiff_t k = 0; k < classes; k++) {
    const double e = exp((double)logits[k] - largest);
    z += e;
    if (diff != NULL) diff[k] = (float)e;
  }
  const double log_z = largest + log(z);
  // Without smoothing a logit of −∞ elsewhere must not reach the loss as 0 · ∞.
  const double spread = smoothing > 0.0 ? smoothing * (log_z - total / (double)classes) : 0.0;
  *loss = (float)((1.0 - smoothing) * (log_z - target) + spread);
  if (diff == NULL) return;
  const double scale = diff_scale / z, background = diff_scale * smoothing / (double)classes;
  const double p = exp(target - log_z);
  for (ptrdiff_t k = 0; k < classes; k++) diff[k] = (float)((double)diff[k] * scale - background);
  // Straight from the double: near p = 1 the float exponential has no digits left to subtract from.
  diff[label] = (float)(diff_scale * (p - (1.0 - smoothing)) - background);
}

oct_status oct_softmax_cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits,
                                     const int32_t *labels, float smoothing, float diff_scale, float *losses,
                                     float *diff_logits, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){n, classes}, 2, &count)) return OCT_INVALID_DESCRIPTOR;
  if (!(smoothing >= 0.0f && smoothing <= 1.0f)) return OCT_INVALID_DESCRIPTOR;
  for (ptrdiff_t i = 0; i < n; i++)
    if (labels[i] < 0 || labels[i] >= classes) return OCT_INVALID_DESCRIPTOR;
  // An exponential costs far more than a copy, so a second thread pays sooner.
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, 16 * count))
  for (ptrdiff_t i = 0; i < n; i++)
    one_image(classes, logits + i * classes, labels[i], (double)smoothing, (double)diff_scale, losses + i,
              diff_logits == NULL ? NULL : diff_logits + i * classes);
  return OCT_OK;
}
