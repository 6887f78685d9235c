// Loss and optimizers, as PyTorch documents them.
#include <math.h>

#include "CReference.h"

void ref_softmax_cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits, const int32_t *labels,
                               const int32_t *mixed_labels, double share, double smoothing, double *losses,
                               double *diff_logits) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const float *l = logits + i * classes;
    double largest = (double)l[0], z = 0;
    for (ptrdiff_t k = 0; k < classes; k++) largest = fmax(largest, (double)l[k]);
    for (ptrdiff_t k = 0; k < classes; k++) z += exp((double)l[k] - largest);
    losses[i] = 0;
    for (ptrdiff_t k = 0; k < classes; k++) {
      const double hard = share * (k == labels[i]) + (1 - share) * (k == mixed_labels[i]);
      const double target = (1 - smoothing) * hard + smoothing / (double)classes;
      const double log_p = (double)l[k] - largest - log(z);
      losses[i] -= target * log_p;
      diff_logits[i * classes + k] = exp(log_p) - target;
    }
  }
}

void ref_softmax_weighted_cross_entropy(ptrdiff_t n, ptrdiff_t classes, const float *logits, const int32_t *labels,
                                        const int32_t *mixed_labels, const float *weights, double share,
                                        double smoothing, double *losses, double *diff_logits) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const float *l = logits + i * classes;
    double z = 0;
    for (ptrdiff_t k = 0; k < classes; k++) z += exp((double)l[k]);
    losses[i] = 0;
    for (ptrdiff_t k = 0; k < classes; k++) diff_logits[i * classes + k] = 0;
    for (ptrdiff_t k = 0; k < classes; k++) {
      const double hard = share * (k == labels[i]) + (1 - share) * (k == mixed_labels[i]);
      const double part = (double)weights[k] * ((1 - smoothing) * hard + smoothing / (double)classes);
      losses[i] -= part * ((double)l[k] - log(z));
      // ∂ (−log p[k]) / ∂ l[j] = p[j] − (j == k).
      for (ptrdiff_t j = 0; j < classes; j++) diff_logits[i * classes + j] += part * (exp((double)l[j]) / z - (j == k));
    }
  }
}

void ref_sgd(ptrdiff_t count, int64_t step, double learning_rate, double momentum, double weight_decay,
             bool nesterov, double gradient_scale, const float *gradient, double *weights, double *velocity) {
  for (ptrdiff_t i = 0; i < count; i++) {
    double g = (double)gradient[i] * gradient_scale + weight_decay * weights[i];
    if (momentum != 0) {
      velocity[i] = step == 1 ? g : momentum * velocity[i] + g;
      g = nesterov ? g + momentum * velocity[i] : velocity[i];
    }
    weights[i] -= learning_rate * g;
  }
}

void ref_adam(ptrdiff_t count, int64_t step, double learning_rate, double beta1, double beta2, double epsilon,
              double weight_decay, bool decoupled, double gradient_scale, const float *gradient,
              double *weights, double *first_moment, double *second_moment) {
  for (ptrdiff_t i = 0; i < count; i++) {
    double g = (double)gradient[i] * gradient_scale;
    if (decoupled)
      weights[i] *= 1 - learning_rate * weight_decay;
    else
      g += weight_decay * weights[i];
    first_moment[i] = beta1 * first_moment[i] + (1 - beta1) * g;
    second_moment[i] = beta2 * second_moment[i] + (1 - beta2) * g * g;
    const double m = first_moment[i] / (1 - pow(beta1, (double)step));
    const double v = second_moment[i] / (1 - pow(beta2, (double)step));
    weights[i] -= learning_rate * m / (sqrt(v) + epsilon);
  }
}
