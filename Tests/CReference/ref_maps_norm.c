// Batch normalisation, channel by channel.
#include <math.h>

#include "CReference.h"

void ref_batch_statistics(ptrdiff_t rows, ptrdiff_t c, const float *src, double *mean, double *biased_var,
                          double *unbiased_var) {
  for (ptrdiff_t k = 0; k < c; k++) {
    double sum = 0, squares = 0;
    for (ptrdiff_t r = 0; r < rows; r++) sum += (double)src[r * c + k];
    mean[k] = sum / (double)rows;
    for (ptrdiff_t r = 0; r < rows; r++) squares += pow((double)src[r * c + k] - mean[k], 2);
    biased_var[k] = squares / (double)rows;
    unbiased_var[k] = rows > 1 ? squares / (double)(rows - 1) : biased_var[k];
  }
}

void ref_batch_norm_forward(ptrdiff_t rows, ptrdiff_t c, const float *src, const float *gamma,
                            const float *beta, const double *mean, const double *var, double epsilon,
                            const float *residual, double *dst) {
  for (ptrdiff_t i = 0; i < rows * c; i++) {
    const ptrdiff_t k = i % c;
    double y = ((double)src[i] - mean[k]) / sqrt(var[k] + epsilon) * (double)gamma[k] + (double)beta[k];
    if (residual) y += (double)residual[i];
    dst[i] = y;
  }
}

void ref_batch_norm_backward(ptrdiff_t rows, ptrdiff_t c, const float *src, const double *slope,
                             const float *diff_dst, const float *gamma, double epsilon, double *diff_src,
                             double *diff_residual, double *diff_gamma, double *diff_beta) {
  const double n = (double)rows;
  for (ptrdiff_t i = 0; i < rows * c; i++) diff_residual[i] = slope[i] * (double)diff_dst[i];
  for (ptrdiff_t k = 0; k < c; k++) {
    double mean = 0, var = 0, diff_var = 0, diff_mean = 0;
    for (ptrdiff_t r = 0; r < rows; r++) mean += (double)src[r * c + k] / n;
    for (ptrdiff_t r = 0; r < rows; r++) var += pow((double)src[r * c + k] - mean, 2) / n;
    diff_gamma[k] = diff_beta[k] = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
      const double g = diff_residual[r * c + k], centred = (double)src[r * c + k] - mean;
      const double diff_normal = g * (double)gamma[k];
      diff_gamma[k] += g * centred / sqrt(var + epsilon);
      diff_beta[k] += g;
      diff_var += diff_normal * centred * -0.5 * pow(var + epsilon, -1.5);
      diff_mean += -diff_normal / sqrt(var + epsilon);
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
      const double diff_normal = diff_residual[r * c + k] * (double)gamma[k];
      diff_src[r * c + k] = diff_normal / sqrt(var + epsilon) +
                            diff_var * 2 * ((double)src[r * c + k] - mean) / n + diff_mean / n;
    }
  }
}

void ref_column_sums(ptrdiff_t rows, ptrdiff_t c, const float *src, double *sums) {
  for (ptrdiff_t k = 0; k < c; k++) {
    sums[k] = 0;
    for (ptrdiff_t r = 0; r < rows; r++) sums[k] += (double)src[r * c + k];
  }
}
