// Resizing as Pillow does it (Image.resize with BILINEAR): a triangle filter that grows with the reduction, its weights in
// fixed point, first along rows, then along columns, rounded to 8 bits after each.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <math.h>
#include <stdlib.h>

enum { PRECISION = 22, CHANNELS = 3 };

/// The pixels of a line that one output pixel is made of, and their weights times 2²².
typedef struct window {
  ptrdiff_t first, count;
  int32_t *weights;
} window;

static window make_window(ptrdiff_t size, ptrdiff_t count, ptrdiff_t index, int32_t *weights, double *scratch) {
  const double scale = (double)size / (double)count, support = fmax(scale, 1);
  const double center = ((double)index + 0.5) * scale;
  ptrdiff_t first = (ptrdiff_t)(center - support + 0.5), last = (ptrdiff_t)(center + support + 0.5);
  if (center - support + 0.5 < 0) first = 0;
  if (last > size) last = size;
  double sum = 0;
  for (ptrdiff_t i = first; i < last; i++) {
    scratch[i - first] = fmax(0, 1 - fabs(((double)i - center + 0.5) / support));
    sum += scratch[i - first];
  }
  for (ptrdiff_t i = 0; i < last - first; i++)
    weights[i] = (int32_t)(0.5 + scratch[i] / (sum == 0 ? 1 : sum) * (double)(1 << PRECISION));
  return (window){first, last - first, weights};
}

/// One pass: `lines` lines of `size` pixels become lines of `count`. Steps between pixels and lines in bytes.
static bool resize_lines(const uint8_t *src, ptrdiff_t size, ptrdiff_t src_step, ptrdiff_t src_line, ptrdiff_t lines,
                         uint8_t *dst, ptrdiff_t count, ptrdiff_t dst_step, ptrdiff_t dst_line) {
  const ptrdiff_t longest = 2 * (ptrdiff_t)ceil(fmax((double)size / (double)count, 1)) + 2;
  int32_t *weights = malloc((size_t)longest * sizeof *weights);
  double *scratch = malloc((size_t)longest * sizeof *scratch);
  const bool has_memory = weights != NULL && scratch != NULL;
  for (ptrdiff_t i = 0; i < count && has_memory; i++) {
    const window w = make_window(size, count, i, weights, scratch);
    for (ptrdiff_t line = 0; line < lines; line++)
      for (int c = 0; c < CHANNELS; c++) {
        int32_t sum = 1 << (PRECISION - 1);
        const uint8_t *p = src + line * src_line + w.first * src_step + c;
        for (ptrdiff_t k = 0; k < w.count; k++) sum += p[k * src_step] * w.weights[k];
        sum >>= PRECISION;
        dst[line * dst_line + i * dst_step + c] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
      }
  }
  free(weights);
  free(scratch);
  return has_memory;
}

bool oct_image_resize(const uint8_t *src, ptrdiff_t width, ptrdiff_t height, uint8_t *dst, ptrdiff_t new_width,
                      ptrdiff_t new_height) {
  uint8_t *between = malloc((size_t)(height * new_width * CHANNELS));
  const bool done = between != NULL &&
                    resize_lines(src, width, CHANNELS, width * CHANNELS, height, between, new_width, CHANNELS,
                                 new_width * CHANNELS) &&
                    resize_lines(between, height, new_width * CHANNELS, CHANNELS, new_width, dst, new_height,
                                 new_width * CHANNELS, CHANNELS);
  free(between);
  return done;
}
#endif
