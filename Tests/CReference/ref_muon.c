// Newton–Schulz iterations as their formula says, and moments of patches.
#include <math.h>
#include <stdlib.h>

#include "CReference.h"

/// c = a·b, or a·bᵀ.
static void multiply(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const double *a, const double *b, int transposed, double *c) {
  for (ptrdiff_t i = 0; i < n; i++)
    for (ptrdiff_t j = 0; j < m; j++) {
      double sum = 0;
      for (ptrdiff_t l = 0; l < k; l++) sum += a[i * k + l] * (transposed ? b[j * k + l] : b[l * m + j]);
      c[i * m + j] = sum;
    }
}

void ref_newton_schulz(ptrdiff_t rows, ptrdiff_t columns, int steps, double *x) {
  double norm = 0;
  for (ptrdiff_t i = 0; i < rows * columns; i++) norm += x[i] * x[i];
  for (ptrdiff_t i = 0; i < rows * columns; i++) x[i] /= sqrt(norm) + 1e-7;
  double *a = malloc((size_t)(rows * rows) * sizeof(double)), *aa = malloc((size_t)(rows * rows) * sizeof(double));
  double *px = malloc((size_t)(rows * columns) * sizeof(double));
  for (int step = 0; step < steps; step++) {
    multiply(rows, columns, rows, x, x, 1, a);
    multiply(rows, rows, rows, a, a, 0, aa);
    for (ptrdiff_t i = 0; i < rows * rows; i++) a[i] = -4.7750 * a[i] + 2.0315 * aa[i];
    multiply(rows, rows, columns, a, x, 0, px);
    for (ptrdiff_t i = 0; i < rows * columns; i++) x[i] = 3.4445 * x[i] + px[i];
  }
  free(a);
  free(aa);
  free(px);
}

void ref_patch_moments(ptrdiff_t n, ptrdiff_t h, ptrdiff_t w, ptrdiff_t c, ptrdiff_t kh, ptrdiff_t kw,
                       const float *images, double *moments) {
  const ptrdiff_t size = c * kh * kw;
  for (ptrdiff_t i = 0; i < size; i++)
    for (ptrdiff_t j = 0; j < size; j++)
      for (ptrdiff_t image = 0; image < n; image++)
        for (ptrdiff_t y = 0; y + kh <= h; y++)
          for (ptrdiff_t x = 0; x + kw <= w; x++) {
#define NUMBER(k) \
  (double)images[((image * h + y + (k) / kw % kh) * w + x + (k) % kw) * c + (k) / (kh * kw)]
            moments[i * size + j] += NUMBER(i) * NUMBER(j);
          }
}
