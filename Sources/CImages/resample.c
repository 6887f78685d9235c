// Resizing as Pillow does it (Image.resize with BILINEAR): a triangle filter that grows with the reduction, its weights in
// fixed point, first along rows, then along columns, rounded to 8 bits after each; in tall images the other way round
// (oct_resize_begins_with_columns).
//
// Rows come one after the other. Along a row its pixels are summed at once; along columns a row adds to those results that
// it is a part of, which are few. Where the image is also turned so that its columns become rows, the two change places.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <stdlib.h>
#include <string.h>

#include "CTransforms.h"
#include "image_internal.h"

enum { PRECISION = OCT_RESIZE_PRECISION };

// MARK: Weights

/// What every pixel of a window's side is made of, in the order of the pixels that it is made of.
typedef struct taps {
  ptrdiff_t count;                // of results
  ptrdiff_t *first, *length, *to; // of result i: pixels [first, first + length); and its place in the window
  int32_t *weights;               // of result i: from i · longest on, times 2²²
  ptrdiff_t longest;
} taps;

static void free_taps(taps *t) {
  free(t->first);
  free(t->weights);
}

/// Results [begin, begin + count) of a line that is resized from `size` to `new_size`; of the mirrored line where asked for.
static bool make_taps(taps *t, ptrdiff_t size, ptrdiff_t new_size, ptrdiff_t begin, ptrdiff_t count, bool mirrors) {
  t->count = count;
  t->longest = oct_resize_most_weights(OCT_BILINEAR, size, new_size);
  t->first = malloc((size_t)count * 3 * sizeof *t->first);
  t->weights = malloc((size_t)count * (size_t)t->longest * sizeof *t->weights);
  double *scratch = malloc((size_t)t->longest * sizeof *scratch);
  const bool has_memory = t->first != NULL && t->weights != NULL && scratch != NULL;
  if (has_memory) {
    t->length = t->first + count;
    t->to = t->length + count;
  }
  for (ptrdiff_t i = 0; i < count && has_memory; i++) {
    // From the other end the last result comes first, and its pixels from the last to the first.
    t->to[i] = mirrors ? count - 1 - i : i;
    int32_t *weights = t->weights + i * t->longest;
    t->length[i] = oct_resize_weights(OCT_BILINEAR, size, new_size, begin + t->to[i], weights, scratch, &t->first[i]);
    if (!mirrors) continue;
    t->first[i] = size - t->first[i] - t->length[i];
    for (ptrdiff_t a = 0, b = t->length[i] - 1; a < b; a++, b--) {
      const int32_t weight = weights[a];
      weights[a] = weights[b];
      weights[b] = weight;
    }
  }
  free(scratch);
  return has_memory;
}

static uint8_t rounded(int32_t sum) {
  sum >>= PRECISION;
  return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

// MARK: Along a row

/// The results of a row, `step` bytes from one to the next.
static void resize_row(const taps *t, int channels, const uint8_t *row, uint8_t *dst, ptrdiff_t step) {
  for (ptrdiff_t i = 0; i < t->count; i++) {
    const int32_t *weights = t->weights + i * t->longest;
    const uint8_t *pixel = row + t->first[i] * channels;
    uint8_t *result = dst + t->to[i] * step;
    int32_t sums[3] = {1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)};
    if (channels == 1) {
      for (ptrdiff_t k = 0; k < t->length[i]; k++) sums[0] += pixel[k] * weights[k];
    } else {
      for (ptrdiff_t k = 0; k < t->length[i]; k++)
        for (int c = 0; c < 3; c++) sums[c] += pixel[3 * k + c] * weights[k];
    }
    for (int c = 0; c < channels; c++) result[c] = rounded(sums[c]);
  }
}

// MARK: Along columns

/// Results that rows still add to.
typedef struct columns {
  taps taps;
  ptrdiff_t row_bytes;
  int32_t *sums;         // of result i: row_bytes of them, in slot i % slots
  ptrdiff_t slots, done;  // results [0, done) are complete
  uint8_t *complete;     // one of them
} columns;

static ptrdiff_t end_of(const taps *t, ptrdiff_t i) { return t->first[i] + t->length[i]; }

/// How many results any one row is a part of, at most.
static ptrdiff_t overlap_of(const taps *t) {
  ptrdiff_t overlap = 1;
  for (ptrdiff_t i = 0, next = 0; i < t->count; i++) {
    while (next < t->count && t->first[next] < end_of(t, i)) next++;
    if (next - i > overlap) overlap = next - i;
  }
  return overlap;
}

static int32_t *slot_of(const columns *c, ptrdiff_t i) { return c->sums + i % c->slots * c->row_bytes; }

static void clear(const columns *c, ptrdiff_t i) {
  int32_t *sums = slot_of(c, i);
  for (ptrdiff_t x = 0; x < c->row_bytes; x++) sums[x] = 1 << (PRECISION - 1);
}

/// After `taps` were made.
static bool make_columns(columns *c, ptrdiff_t row_bytes) {
  c->row_bytes = row_bytes;
  c->slots = overlap_of(&c->taps);
  c->sums = malloc((size_t)c->slots * (size_t)row_bytes * sizeof *c->sums);
  c->complete = malloc((size_t)row_bytes);
  if (c->sums == NULL || c->complete == NULL) return false;
  for (ptrdiff_t i = 0; i < c->slots; i++) clear(c, i);
  return true;
}

static void free_columns(columns *c) {
  free_taps(&c->taps);
  free(c->sums);
  free(c->complete);
}

static void add_row(columns *c, ptrdiff_t y, const uint8_t *restrict row) {
  const taps *t = &c->taps;
  for (ptrdiff_t i = c->done; i < t->count && t->first[i] <= y; i++) {
    if (y >= end_of(t, i)) continue;
    const int32_t weight = t->weights[i * t->longest + y - t->first[i]];
    int32_t *restrict sums = slot_of(c, i);
    for (ptrdiff_t x = 0; x < c->row_bytes; x++) sums[x] += row[x] * weight;
  }
}

/// The next result that row `y` was the last part of, or -1.
static ptrdiff_t take_complete(columns *c, ptrdiff_t y) {
  if (c->done == c->taps.count || end_of(&c->taps, c->done) > y + 1) return -1;
  const int32_t *sums = slot_of(c, c->done);
  for (ptrdiff_t x = 0; x < c->row_bytes; x++) c->complete[x] = rounded(sums[x]);
  clear(c, c->done);
  return c->taps.to[c->done++];
}

// MARK: Both

struct oct_resizer {
  taps along_row;
  columns along_columns;
  int channels;
  bool transposes;
  bool columns_first;  // of the image as it is stored
  ptrdiff_t skipped;   // bytes of its rows before the first pixel that counts, where columns come first
  uint8_t *line;       // a row that was resized
  uint8_t *dst;
  ptrdiff_t dst_row;
};

/// Makes pixels count from the first that a result is made of. Returns it, and how many there are.
static ptrdiff_t trim(taps *t, ptrdiff_t *count) {
  ptrdiff_t first = t->first[0], end = 0;
  for (ptrdiff_t i = 0; i < t->count; i++) {
    if (t->first[i] < first) first = t->first[i];
    if (end_of(t, i) > end) end = end_of(t, i);
  }
  for (ptrdiff_t i = 0; i < t->count; i++) t->first[i] -= first;
  *count = end - first;
  return first;
}

oct_resizer *oct_resizer_create(
    ptrdiff_t width, ptrdiff_t height, int channels, oct_turn turn, const oct_image_window *window, uint8_t *dst) {
  oct_resizer *self = calloc(1, sizeof *self);
  if (self == NULL) return NULL;
  self->channels = channels;
  self->transposes = turn.transposes;
  self->dst = dst;
  self->dst_row = window->width * channels;
  const oct_image_window w = *window;
  // The stored image's axes, and what becomes of them.
  const bool has_taps =
      turn.transposes
          ? make_taps(&self->along_row, width, w.new_height, w.top, w.height, turn.mirrors_x) &&
                make_taps(&self->along_columns.taps, height, w.new_width, w.left, w.width, turn.mirrors_y)
          : make_taps(&self->along_row, width, w.new_width, w.left, w.width, turn.mirrors_x) &&
                make_taps(&self->along_columns.taps, height, w.new_height, w.top, w.height, turn.mirrors_y);
  self->line = malloc((size_t)(self->along_row.count * channels));
  // The stored image's rows are the turned one's columns.
  self->columns_first =
      turn.transposes != oct_resize_begins_with_columns(turn.transposes ? height : width, turn.transposes ? width : height,
                                                        w.new_width, w.new_height);
  ptrdiff_t row_pixels = self->along_row.count;
  if (has_taps && self->columns_first) self->skipped = trim(&self->along_row, &row_pixels) * channels;
  if (has_taps && self->line != NULL && make_columns(&self->along_columns, row_pixels * channels)) return self;
  oct_resizer_free(self);
  return NULL;
}

void oct_resizer_push(oct_resizer *self, ptrdiff_t y, const uint8_t *row) {
  columns *columns = &self->along_columns;
  if (columns->done == columns->taps.count || y < columns->taps.first[columns->done]) return;
  // What comes second works on what the first has rounded.
  if (self->columns_first) {
    row += self->skipped;
  } else {
    resize_row(&self->along_row, self->channels, row, self->line, self->channels);
    row = self->line;
  }
  add_row(columns, y, row);
  // A result of the stored columns is a row of dst, or a column of it.
  const ptrdiff_t line_step = self->transposes ? self->channels : self->dst_row;
  const ptrdiff_t pixel_step = self->transposes ? self->dst_row : self->channels;
  for (ptrdiff_t i = take_complete(columns, y); i >= 0; i = take_complete(columns, y)) {
    uint8_t *line = self->dst + i * line_step;
    if (self->columns_first)
      resize_row(&self->along_row, self->channels, columns->complete, line, pixel_step);
    else
      for (ptrdiff_t k = 0; k < self->along_row.count; k++)
        memcpy(line + k * pixel_step, columns->complete + k * self->channels, (size_t)self->channels);
  }
}

void oct_resizer_free(oct_resizer *self) {
  if (self == NULL) return;
  free_taps(&self->along_row);
  free_columns(&self->along_columns);
  free(self->line);
  free(self);
}
#endif
