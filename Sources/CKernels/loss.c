// Softmax cross-entropy with label smoothing and mixed labels, the logarithm of the sum of exponentials in double.
#include <float.h>
#include <math.h>

#include "maps.h"

/// One or two classes and how the target is divided between them, before smoothing.
typedef struct mixed_target {
  ptrdiff_t label, other;
  double share;
} mixed_target;

/// loss = (1 − s) · (log Z − Σ_t share_t · l[t]) + s · (log Z − mean l),
/// gradient = p − (1 − s) · share_k − s / classes.
static void one_image(ptrdiff_t classes, const float *logits, mixed_target target, double smoothing,
                      double diff_scale, float *loss, float *diff) {
  double largest = (double)logits[0], total = 0.0;
  for (ptrdiff_t k = 0; k < classes; k++) {
    largest = fmax(largest, (double)logits[k]);
    total += (double)logits[k];
  }
  // With the whole share on one label, a logit of −∞ at the other must not reach the loss as 0 · ∞.
  const bool is_mixed = target.other != target.label && target.share < 1.0;
  const double share = is_mixed ? target.share : 1.0;
  double aim = (double)logits[target.label];
  if (is_mixed) aim = (share > 0.0 ? share * aim : 0.0) + (1.0 - share) * (double)logits[target.other];
  double z = 0.0;
  for (ptrdiff_t k = 0; k < classes; k++) {
    const double e = exp((double)logits[k] - largest);
    z += e;
    if (diff != NULL) diff[k] = (float)e;
  }
  const double log_z = largest + log(z);
  // Nor may one elsewhere, without smoothing.
  const double spread = smoothing > 0.0 ? smoothing * (log_z - total / (double)classes) : 0.0;
  *loss = (float)((1.0 - smoothing) * (log_z - aim) + spread);
  if (diff == NULL) return;
  const double scale = diff_scale / z, background = diff_scale * smoothing / (double)classes;
  for (ptrdiff_t k = 0; k < classes; k++) diff[k] = (float)((double)diff[k] * scale - background);
  // Straight from the double: near p = 1 the float exponential has no digits left to subtract from.
  const double p = exp((double)logits[target.label] - log_z);
  diff[target.label] = (float)(diff_scale * (p - (1.0 - smoothing) * share) - background);
  if (!is_mixed) return;
  const double q = exp((double)logits[target.other] - log_z);
  diff[target.other] = (float)(diff_scale * (q - (1.0 - smoothing) * (1.0 - share)) - background);
}

/// loss = Σ_k w_k · t_k · (log Z − l[k]), gradient = p · Σ_k w_k · t_k − w_k · t_k.
static void one_weighted_image(ptrdiff_t classes, const float *logits, mixed_target target, const float *weights,
                               double smoothing, double diff_scale, float *loss, float *diff) {
  double largest = (double)logits[0], z = 0.0;
  for (ptrdiff_t k = 0; k < classes; k++) largest = fmax(largest, (double)logits[k]);
  for (ptrdiff_t k = 0; k < classes; k++) z += exp((double)logits[k] - largest);
  const double log_z = largest + log(z), background = smoothing / (double)classes;
  double sum = 0.0, total = 0.0;
  for (int pass = 0; pass < (diff == NULL ? 1 : 2); pass++)
    for (ptrdiff_t k = 0; k < classes; k++) {
      double share = k == target.label ? target.share : 0.0;
      if (k == target.other) share += 1.0 - target.share;
      const double part = (double)weights[k] * ((1.0 - smoothing) * share + background);
      if (pass == 1) {
        diff[k] = (float)(diff_scale * (exp((double)logits[k] - log_z) * total - part));
      } else if (part > 0.0) {
        // A logit of −∞ where there is nothing to aim at must not reach the loss as 0 · ∞.
        sum += part * (log_z - (double)logits[k]);
        total += part;
      }
    }
  *loss = (float)sum;
}

static bool are_classes(ptrdiff_t n, ptrdiff_t classes, const int32_t *labels) {
  for (ptrdiff_t i = 0; i < n; i++)
    if (labels[i] < 0 || labels[i] >= classes) return false;
  return true;
}

/// `weights` may be NULL.
static oct_status cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits, const int32_t *labels,
                                const int32_t *mixed_labels, const float *weights, float share, float smoothing,
                                float diff_scale, float *losses, float *diff_logits, int threads) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){n, classes}, 2, &count)) return OCT_INVALID_DESCRIPTOR;
  if (!(smoothing >= 0.0f && smoothing <= 1.0f)) return OCT_INVALID_DESCRIPTOR;
  if (!are_classes(n, classes, labels)) return OCT_INVALID_DESCRIPTOR;
  if (mixed_labels != NULL && (!(share >= 0.0f && share <= 1.0f) || !are_classes(n, classes, mixed_labels)))
    return OCT_INVALID_DESCRIPTOR;
  // An exponential costs far more than a copy, so a second thread pays sooner.
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, 16 * count))
  for (ptrdiff_t i = 0; i < n; i++) {
    const mixed_target target = {labels[i], mixed_labels == NULL ? labels[i] : mixed_labels[i], (double)share};
    float *diff = diff_logits == NULL ? NULL : diff_logits + i * classes;
    if (weights == NULL)
      one_image(classes, logits + i * classes, target, (double)smoothing, (double)diff_scale, losses + i, diff);
    else
      one_weighted_image(classes, logits + i * classes, target, weights, (double)smoothing, (double)diff_scale,
                         losses + i, diff);
  }
  return OCT_OK;
}

oct_status oct_softmax_cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits,
                                     const int32_t *labels, const int32_t *mixed_labels, float share,
                                     float smoothing, float diff_scale, float *losses, float *diff_logits,
                                     int threads) {
  return cross_entropy(n, classes, logits, labels, mixed_labels, NULL, share, smoothing, diff_scale, losses,
                       diff_logits, threads);
}

oct_status oct_softmax_weighted_cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits,
                                              const int32_t *labels, const int32_t *mixed_labels,
                                              const float *weights, float share, float smoothing, float diff_scale,
                                              float *losses, float *diff_logits, int threads) {
  for (ptrdiff_t k = 0; k < classes; k++)
    if (!(weights[k] >= 0.0f && weights[k] <= FLT_MAX)) return OCT_INVALID_DESCRIPTOR;
  return cross_entropy(n, classes, logits, labels, mixed_labels, weights, share, smoothing, diff_scale, losses,
                       diff_logits, threads);
}
