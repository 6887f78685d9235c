// Second moments of the patches of images: what filters that whiten them follow from.
#include <string.h>

#include "maps.h"

enum {
  MOST_NUMBERS = 1024,  // of a patch
  PARTS = 64,           // of the images, whatever the number of threads
};

static ptrdiff_t patch_size(const oct_patches_desc *d) { return d->c * d->kh * d->kw; }

static bool is_valid(const oct_patches_desc *d) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){d->n, d->h, d->w, d->c}, 4, &count)) return false;
  if (d->c < 1 || d->kh < 1 || d->kw < 1 || d->kh > d->h || d->kw > d->w) return false;
  if (d->kh > MOST_NUMBERS || d->kw > MOST_NUMBERS || d->c > MOST_NUMBERS) return false;
  return patch_size(d) <= MOST_NUMBERS;
}

ptrdiff_t oct_patch_moments_scratch_bytes(const oct_patches_desc *d) {
  if (!is_valid(d)) return 0;
  return oct_min(PARTS, d->n) * patch_size(d) * patch_size(d) * (ptrdiff_t)sizeof(double) + 64;
}

/// sums[i, j] += Σ patch[i] · patch[j] for j ≤ i.
static void add_image(const oct_patches_desc *d, const float *image, double *sums) {
  const ptrdiff_t size = patch_size(d);
  double patch[MOST_NUMBERS];
  for (ptrdiff_t y = 0; y + d->kh <= d->h; y++)
    for (ptrdiff_t x = 0; x + d->kw <= d->w; x++) {
      // In the order of a filter's weights: channel, row, column.
      double *next = patch;
      for (ptrdiff_t channel = 0; channel < d->c; channel++)
        for (ptrdiff_t ky = 0; ky < d->kh; ky++)
          for (ptrdiff_t kx = 0; kx < d->kw; kx++)
            *next++ = (double)image[((y + ky) * d->w + x + kx) * d->c + channel];
      for (ptrdiff_t i = 0; i < size; i++) {
        const double factor = patch[i];
        double *row = sums + i * size;
        for (ptrdiff_t j = 0; j <= i; j++) row[j] += factor * patch[j];
      }
    }
}

oct_status oct_patch_moments(const oct_patches_desc *d, const float *images, double *moments, void *scratch, int threads) {
  if (!is_valid(d)) return OCT_INVALID_DESCRIPTOR;
  const ptrdiff_t size = patch_size(d), image = d->h * d->w * d->c, parts = oct_min(PARTS, d->n);
  double *sums = (double *)(((uintptr_t)scratch + 63) / 64 * 64);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, d->n * image))
  for (ptrdiff_t part = 0; part < parts; part++) {
    double *own = sums + part * size * size;
    memset(own, 0, (size_t)(size * size) * sizeof(double));
    ptrdiff_t first, end;
    oct_share(d->n, part, parts, &first, &end);
    for (ptrdiff_t i = first; i < end; i++) add_image(d, images + i * image, own);
  }
  for (ptrdiff_t i = 0; i < size; i++)
    for (ptrdiff_t j = 0; j <= i; j++) {
      double sum = 0;
      for (ptrdiff_t part = 0; part < parts; part++) sum += sums[(part * size + i) * size + j];
      moments[i * size + j] += sum;
      if (j < i) moments[j * size + i] += sum;
    }
  return OCT_OK;
}
