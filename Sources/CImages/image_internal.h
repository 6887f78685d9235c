// What the decoders, the resizer and image.c share.
#ifndef OCT_IMAGE_INTERNAL_H
#define OCT_IMAGE_INTERNAL_H

#include "CImages.h"

/// Where a decoder puts its rows, from the first to the last.
typedef struct oct_sink {
  int channels;  // of the rows that `row` wants: 1 or 3
  /// Called once, before any row. False ends the decoding; then `message` says why.
  bool (*begin)(struct oct_sink *sink, uint32_t width, uint32_t height, char *message);
  void (*row)(struct oct_sink *sink, uint32_t y, const uint8_t *pixels);
  /// How many eighths of its size a decoder may halve an image to, at least: 1, 2, 4 or 8. NULL is 8.
  uint32_t (*eighths)(const struct oct_sink *sink, uint32_t width, uint32_t height);
  uint32_t width;
  /// What is looked at, which `begin` may make less than all; a decoder may leave the rest of a row as it likes, and other
  /// rows out.
  uint32_t left, right, top, bottom;
  uint8_t *converted;  // one row, where the decoder's have other channels
} oct_sink;

/// Refuses sizes beyond the limits, then calls `begin`.
bool oct_sink_begin(oct_sink *sink, uint32_t width, uint32_t height, char *message);
/// Hands on a row of 1 or 3 channels in those that the sink wants.
void oct_sink_row(oct_sink *sink, uint32_t y, const uint8_t *pixels, int channels);
void oct_sink_end(oct_sink *sink);
/// Eighths of its size to decode an image of that size at.
uint32_t oct_sink_eighths(const oct_sink *sink, uint32_t width, uint32_t height);

bool oct_png_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message);
bool oct_jpeg_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message);
bool oct_webp_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message);
bool oct_tiff_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message);
bool oct_bmp_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message);
bool oct_is_png(const uint8_t *bytes, size_t count);
bool oct_is_jpeg(const uint8_t *bytes, size_t count);
bool oct_is_webp(const uint8_t *bytes, size_t count);
bool oct_is_tiff(const uint8_t *bytes, size_t count);
bool oct_is_bmp(const uint8_t *bytes, size_t count);
/// The tag of the first directory; 1 where nothing sensible is said.
int oct_tiff_orientation(const uint8_t *bytes, size_t count);

/// a · b / 255, rounded as Pillow does.
static inline int oct_product(int a, int b) {
  const int scaled = a * b + 128;
  return ((scaled >> 8) + scaled) >> 8;
}

/// How an image is turned, in terms of the stored one: its axes mirrored, then changed for each other.
typedef struct oct_turn {
  bool mirrors_x, mirrors_y, transposes;
} oct_turn;
oct_turn oct_turn_of(int orientation);

/// Takes the rows of an image one after the other and writes a window of the turned and resized image.
typedef struct oct_resizer oct_resizer;
/// `width` and `height` are those of the stored image; the window is one of the turned one. NULL where memory is missing.
oct_resizer *oct_resizer_create(
    ptrdiff_t width, ptrdiff_t height, int channels, oct_turn turn, const oct_image_window *window, uint8_t *dst);
void oct_resizer_push(oct_resizer *resizer, ptrdiff_t y, const uint8_t *row);
void oct_resizer_free(oct_resizer *resizer);

#endif  // OCT_IMAGE_INTERNAL_H
