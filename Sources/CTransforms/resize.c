// Pillow's resampling (Resample.c), with its order, its fixed point and its rounding, so that pixels are equal: first along
// rows, then along columns. Four channels are summed at once, of which a pixel has three.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "CTransforms.h"

// Products and sums are rounded one by one, as in Pillow.
#pragma STDC FP_CONTRACT OFF

enum { PRECISION = OCT_RESIZE_PRECISION };

typedef uint8_t bytes4 __attribute__((vector_size(4)));
typedef int32_t ints4 __attribute__((vector_size(16)));

#if defined(__x86_64__)
// Multiplication of 32-bit integers and widening loads are instructions from SSE4.1 on, and twice as wide with AVX2.
#define OCT_WIDE __attribute__((target("avx2")))
#define OCT_HAS_WIDE 1
#endif

// MARK: Weights

/// What every result of a line is made of.
typedef struct taps {
  ptrdiff_t count;           // of results
  ptrdiff_t *first, *length; // of result i: pixels [first, first + length)
  int32_t *weights;          // of result i: from i · longest on, times 2²²
  ptrdiff_t longest;
} taps;

static void free_taps(taps *t) {
  free(t->first);
  free(t->weights);
}

static double triangle(double x) { return fmax(0.0, 1.0 - fabs(x)); }

static double cubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

static double stretch_of(ptrdiff_t size, ptrdiff_t new_size) { return fmax((double)size / (double)new_size, 1.0); }

static double support_of(oct_filter filter, ptrdiff_t size, ptrdiff_t new_size) {
  return (filter == OCT_BICUBIC ? 2.0 : 1.0) * stretch_of(size, new_size);
}

ptrdiff_t oct_resize_most_weights(oct_filter filter, ptrdiff_t size, ptrdiff_t new_size) {
  return (ptrdiff_t)ceil(support_of(filter, size, new_size)) * 2 + 1;
}

ptrdiff_t oct_resize_weights(oct_filter filter, ptrdiff_t size, ptrdiff_t new_size, ptrdiff_t index, int32_t *weights,
                             double *scratch, ptrdiff_t *first) {
  const double support = support_of(filter, size, new_size), shrink = 1.0 / stretch_of(size, new_size);
  const double center = ((double)index + 0.5) * ((double)size / (double)new_size);
  ptrdiff_t end = (ptrdiff_t)(center + support + 0.5);
  *first = center - support + 0.5 < 0 ? 0 : (ptrdiff_t)(center - support + 0.5);
  if (end > size) end = size;
  const ptrdiff_t count = end - *first;
  double sum = 0;
  for (ptrdiff_t k = 0; k < count; k++) {
    const double x = ((double)(k + *first) - center + 0.5) * shrink;
    scratch[k] = filter == OCT_BICUBIC ? cubic(x) : triangle(x);
    sum += scratch[k];
  }
  for (ptrdiff_t k = 0; k < count; k++) {
    const double weight = (sum != 0 ? scratch[k] / sum : scratch[k]) * (double)(1 << PRECISION);
    weights[k] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
  }
  return count;
}

/// Results [begin, begin + count) of a line that is resized from `size` to `new_size`.
static bool make_taps(taps *t, oct_filter filter, ptrdiff_t size, ptrdiff_t new_size, ptrdiff_t begin, ptrdiff_t count) {
  t->count = count;
  t->longest = oct_resize_most_weights(filter, size, new_size);
  t->first = malloc((size_t)count * 2 * sizeof *t->first);
  t->weights = malloc((size_t)count * (size_t)t->longest * sizeof *t->weights);
  double *scratch = malloc((size_t)t->longest * sizeof *scratch);
  const bool has_memory = t->first != NULL && t->weights != NULL && scratch != NULL;
  if (has_memory) t->length = t->first + count;
  for (ptrdiff_t i = 0; i < count && has_memory; i++)
    t->length[i] = oct_resize_weights(filter, size, new_size, begin + i, t->weights + i * t->longest, scratch, &t->first[i]);
  free(scratch);
  return has_memory;
}

static inline uint8_t rounded(int32_t sum) {
  sum >>= PRECISION;
  return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

// MARK: Along a row

static inline __attribute__((always_inline)) void rgb_row_body(
    const taps *t, const uint8_t *row, uint8_t *dst, ptrdiff_t step) {
  for (ptrdiff_t i = 0; i < t->count; i++, dst += step) {
    const int32_t *weights = t->weights + i * t->longest;
    const uint8_t *pixel = row + 3 * t->first[i];
    const ptrdiff_t last = t->length[i] - 1;
    ints4 sums = {1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)};
    bytes4 values = {0};
    for (ptrdiff_t k = 0; k < last; k++) {
      memcpy(&values, pixel + 3 * k, 4);
      sums += __builtin_convertvector(values, ints4) * weights[k];
    }
    // The image may end behind its last pixel.
    memcpy(&values, pixel + 3 * last, 3);
    sums += __builtin_convertvector(values, ints4) * weights[last];
    sums = __builtin_elementwise_min(__builtin_elementwise_max(sums >> PRECISION, (ints4){0}), (ints4){255, 255, 255, 255});
    values = __builtin_convertvector(sums, bytes4);
    memcpy(dst, &values, 3);
  }
}

static void gray_row(const taps *t, const uint8_t *row, uint8_t *dst, ptrdiff_t step) {
  for (ptrdiff_t i = 0; i < t->count; i++, dst += step) {
    const int32_t *weights = t->weights + i * t->longest;
    const uint8_t *pixel = row + t->first[i];
    int32_t sum = 1 << (PRECISION - 1);
    for (ptrdiff_t k = 0; k < t->length[i]; k++) sum += pixel[k] * weights[k];
    *dst = rounded(sum);
  }
}

// MARK: Along columns

/// One row of results from `length` rows.
static inline __attribute__((always_inline)) void column_body(
    const uint8_t *rows, ptrdiff_t row_bytes, const int32_t *weights, ptrdiff_t length, ptrdiff_t count,
    uint8_t *restrict dst) {
  enum { BLOCK = 64 };
  ptrdiff_t x = 0;
  for (; x + BLOCK <= count; x += BLOCK) {
    int32_t sums[BLOCK];
    for (int i = 0; i < BLOCK; i++) sums[i] = 1 << (PRECISION - 1);
    for (ptrdiff_t k = 0; k < length; k++) {
      const uint8_t *row = rows + k * row_bytes + x;
      for (int i = 0; i < BLOCK; i++) sums[i] += row[i] * weights[k];
    }
    for (int i = 0; i < BLOCK; i++) dst[x + i] = rounded(sums[i]);
  }
  for (; x < count; x++) {
    int32_t sum = 1 << (PRECISION - 1);
    for (ptrdiff_t k = 0; k < length; k++) sum += rows[k * row_bytes + x] * weights[k];
    dst[x] = rounded(sum);
  }
}

static void rgb_row(const taps *t, const uint8_t *row, uint8_t *dst, ptrdiff_t step) { rgb_row_body(t, row, dst, step); }
static void column(
    const uint8_t *rows, ptrdiff_t row_bytes, const int32_t *weights, ptrdiff_t length, ptrdiff_t count, uint8_t *dst) {
  column_body(rows, row_bytes, weights, length, count, dst);
}

#ifdef OCT_HAS_WIDE
OCT_WIDE static void rgb_row_wide(const taps *t, const uint8_t *row, uint8_t *dst, ptrdiff_t step) {
  rgb_row_body(t, row, dst, step);
}
OCT_WIDE static void column_wide(
    const uint8_t *rows, ptrdiff_t row_bytes, const int32_t *weights, ptrdiff_t length, ptrdiff_t count, uint8_t *dst) {
  column_body(rows, row_bytes, weights, length, count, dst);
}
#endif

static bool has_wide(void) {
#ifdef OCT_HAS_WIDE
  return __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

// MARK: Both

bool oct_resize_begins_with_columns(ptrdiff_t width, ptrdiff_t height, ptrdiff_t new_width, ptrdiff_t new_height) {
  return new_height < height && height - new_height > 2 * (width - new_width);
}

/// `count` rows from `src` on, each to a dense one.
static void resize_rows(const taps *t, const oct_pixels *src, ptrdiff_t count, bool mirrors, uint8_t *dst) {
  const int channels = src->channels;
  void (*one_row)(const taps *, const uint8_t *, uint8_t *, ptrdiff_t) = channels == 1 ? gray_row : rgb_row;
#ifdef OCT_HAS_WIDE
  if (channels == 3 && has_wide()) one_row = rgb_row_wide;
#endif
  const ptrdiff_t line = t->count * channels, step = mirrors ? -channels : channels;
  for (ptrdiff_t y = 0; y < count; y++)
    one_row(t, src->base + y * src->row_bytes, dst + y * line + (mirrors ? line - channels : 0), step);
}

/// Rows of `count` values to dense ones.
static void resize_columns(const taps *t, const uint8_t *src, ptrdiff_t row_bytes, ptrdiff_t count, uint8_t *dst) {
  void (*one_row)(const uint8_t *, ptrdiff_t, const int32_t *, ptrdiff_t, ptrdiff_t, uint8_t *) = column;
#ifdef OCT_HAS_WIDE
  if (has_wide()) one_row = column_wide;
#endif
  for (ptrdiff_t y = 0; y < t->count; y++)
    one_row(src + t->first[y] * row_bytes, row_bytes, t->weights + y * t->longest, t->length[y], count, dst + y * count);
}

/// Makes pixels count from the first that a result is made of. Returns it, and how many there are.
static ptrdiff_t trim(taps *t, ptrdiff_t *count) {
  const ptrdiff_t first = t->first[0];
  *count = t->first[t->count - 1] + t->length[t->count - 1] - first;
  for (ptrdiff_t i = 0; i < t->count; i++) t->first[i] -= first;
  return first;
}

bool oct_pixels_resize(
    const oct_pixels *src, oct_filter filter, const oct_resize_window *window, bool mirrors, uint8_t *dst) {
  const oct_resize_window w = *window;
  const int channels = src->channels;
  taps across = {0}, down = {0};
  uint8_t *between = NULL;
  bool is_done = make_taps(&across, filter, src->width, w.new_width, w.left, w.width) &&
                 make_taps(&down, filter, src->height, w.new_height, w.top, w.height);
  if (is_done) {
    // Only rows and columns that a result is made of.
    ptrdiff_t width, height;
    const ptrdiff_t left = trim(&across, &width), top = trim(&down, &height);
    oct_pixels part = {src->base + top * src->row_bytes + left * channels, width, height, src->row_bytes, channels};
    const bool columns_first = oct_resize_begins_with_columns(src->width, src->height, w.new_width, w.new_height);
    between = malloc((size_t)(columns_first ? w.height * width : height * w.width) * (size_t)channels);
    is_done = between != NULL;
    if (is_done && columns_first) {
      resize_columns(&down, part.base, part.row_bytes, width * channels, between);
      part = (oct_pixels){between, width, w.height, width * channels, channels};
      resize_rows(&across, &part, w.height, mirrors, dst);
    } else if (is_done) {
      resize_rows(&across, &part, height, mirrors, between);
      resize_columns(&down, between, w.width * channels, w.width * channels, dst);
    }
  }
  free_taps(&across);
  free_taps(&down);
  free(between);
  return is_done;
}
