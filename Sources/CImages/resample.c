// Resizing as Pillow does it (Image.resize with BILINEAR): a triangle filter that grows with the reduction, its weights in
// fixed point, first along rows, then along columns, rounded to 8 bits after each.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <math.h>
#include <stdlib.h>

enum { PRECISION = 22, CHANNELS = 3 };

/// Pixels [first, first + count) of a line.
typedef struct span {
  ptrdiff_t first, count;
} span;

static double support_of(ptrdiff_t size, ptrdiff_t count) { return fmax((double)size / (double)count, 1); }
static double center_of(ptrdiff_t size, ptrdiff_t count, ptrdiff_t index) {
  return ((double)index + 0.5) * ((double)size / (double)count);
}

/// What pixel `index` of a line that is resized from `size` to `count` is made of.
static span taps_of(ptrdiff_t size, ptrdiff_t count, ptrdiff_t index) {
  const double center = center_of(size, count, index), support = support_of(size, count);
  const ptrdiff_t first = center - support + 0.5 < 0 ? 0 : (ptrdiff_t)(center - support + 0.5);
  const ptrdiff_t last = (ptrdiff_t)(center + support + 0.5);
  return (span){first, (last > size ? size : last) - first};
}

/// The weights of these pixels times 2²².
static void weigh(ptrdiff_t size, ptrdiff_t count, ptrdiff_t index, span taps, int32_t *weights, double *scratch) {
  const double center = center_of(size, count, index), support = support_of(size, count);
  double sum = 0;
  for (ptrdiff_t i = 0; i < taps.count; i++) {
    scratch[i] = fmax(0, 1 - fabs(((double)(taps.first + i) - center + 0.5) / support));
    sum += scratch[i];
  }
  for (ptrdiff_t i = 0; i < taps.count; i++)
    weights[i] = (int32_t)(0.5 + scratch[i] / (sum == 0 ? 1 : sum) * (double)(1 << PRECISION));
}

/// What pixels [index, index + length) of a resized line are made of.
static span span_of(ptrdiff_t size, ptrdiff_t count, ptrdiff_t index, ptrdiff_t length) {
  const span a = taps_of(size, count, index), b = taps_of(size, count, index + length - 1);
  return (span){a.first, b.first + b.count - a.first};
}

/// One pass: `length` pixels from `first` on of lines that are resized from `size` to `count`. A line of src begins
/// with its pixel `origin`. Steps between pixels and lines are in bytes.
typedef struct pass {
  ptrdiff_t size, count, first, length, origin, lines;
  ptrdiff_t src_step, src_line, dst_step, dst_line;
} pass;

static bool resize_lines(const pass *p, const uint8_t *src, uint8_t *dst) {
  const ptrdiff_t longest = 2 * (ptrdiff_t)ceil(fmax((double)p->size / (double)p->count, 1)) + 2;
  int32_t *weights = malloc((size_t)longest * sizeof *weights);
  double *scratch = malloc((size_t)longest * sizeof *scratch);
  const bool has_memory = weights != NULL && scratch != NULL;
  for (ptrdiff_t i = 0; i < p->length && has_memory; i++) {
    const span taps = taps_of(p->size, p->count, p->first + i);
    weigh(p->size, p->count, p->first + i, taps, weights, scratch);
    for (ptrdiff_t line = 0; line < p->lines; line++)
      for (int c = 0; c < CHANNELS; c++) {
        int32_t sum = 1 << (PRECISION - 1);
        const uint8_t *pixel = src + line * p->src_line + (taps.first - p->origin) * p->src_step + c;
        for (ptrdiff_t k = 0; k < taps.count; k++) sum += pixel[k * p->src_step] * weights[k];
        sum >>= PRECISION;
        dst[line * p->dst_line + i * p->dst_step + c] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
      }
  }
  free(weights);
  free(scratch);
  return has_memory;
}

bool oct_image_resize(const uint8_t *src, ptrdiff_t width, ptrdiff_t height, const oct_image_window *window, uint8_t *dst) {
  // Of the rows, those that the window is made of.
  const span rows = span_of(height, window->new_height, window->top, window->height);
  const ptrdiff_t line = window->width * CHANNELS;
  uint8_t *between = malloc((size_t)(rows.count * line));
  const pass along_rows = {
      .size = width, .count = window->new_width, .first = window->left, .length = window->width, .lines = rows.count,
      .src_step = CHANNELS, .src_line = width * CHANNELS, .dst_step = CHANNELS, .dst_line = line};
  const pass along_columns = {
      .size = height, .count = window->new_height, .first = window->top, .length = window->height,
      .origin = rows.first, .lines = window->width,
      .src_step = line, .src_line = CHANNELS, .dst_step = line, .dst_line = CHANNELS};
  const bool done = between != NULL && resize_lines(&along_rows, src + rows.first * width * CHANNELS, between) &&
                    resize_lines(&along_columns, between, dst);
  free(between);
  return done;
}
#endif
