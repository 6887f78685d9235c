// A decoder's rows to where they are wanted: a whole image, a window of a resized one, or nowhere.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_internal.h"

// MARK: Rows

bool oct_sink_begin(oct_sink *sink, uint32_t width, uint32_t height, char *message) {
  if (width == 0 || height == 0 || (uint64_t)width * height > OCT_IMAGE_MAX_PIXELS) {
    snprintf(message, OCT_IMAGE_MESSAGE, "found %u×%u pixels, expected 1 to %d of them", width, height,
             OCT_IMAGE_MAX_PIXELS);
    return false;
  }
  if (width > OCT_IMAGE_MAX_SIDE || height > OCT_IMAGE_MAX_SIDE) {
    snprintf(message, OCT_IMAGE_MESSAGE, "found %u×%u pixels, expected at most %d a side", width, height,
             OCT_IMAGE_MAX_SIDE);
    return false;
  }
  sink->width = width;
  sink->converted = malloc((size_t)width * (size_t)sink->channels);
  if (sink->converted == NULL) {
    snprintf(message, OCT_IMAGE_MESSAGE, "no memory for a row of %u pixels", width);
    return false;
  }
  return sink->begin(sink, width, height, message);
}

void oct_sink_row(oct_sink *sink, uint32_t y, const uint8_t *pixels, int channels) {
  uint8_t *converted = sink->converted;
  if (channels == sink->channels) {
    sink->row(sink, y, pixels);
    return;
  }
  if (channels == 1) {
    for (uint32_t x = 0; x < sink->width; x++)
      converted[3 * x] = converted[3 * x + 1] = converted[3 * x + 2] = pixels[x];
  } else {
    for (uint32_t x = 0; x < sink->width; x++)
      converted[x] = (uint8_t)((19595u * pixels[3 * x] + 38470u * pixels[3 * x + 1] + 7471u * pixels[3 * x + 2] + 0x8000) >> 16);
  }
  sink->row(sink, y, converted);
}

void oct_sink_end(oct_sink *sink) {
  free(sink->converted);
  sink->converted = NULL;
}

// MARK: Kinds of files

bool oct_is_png(const uint8_t *bytes, size_t count) {
  static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  return count >= sizeof png && memcmp(bytes, png, sizeof png) == 0;
}

bool oct_is_jpeg(const uint8_t *bytes, size_t count) {
  static const uint8_t jpeg[] = {0xff, 0xd8, 0xff};
  return count >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0;
}

static bool decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message) {
  bool decoded = false;
  message[0] = 0;
  if (oct_is_png(bytes, count))
    decoded = oct_png_decode(bytes, count, sink, message);
  else if (oct_is_jpeg(bytes, count))
    decoded = oct_jpeg_decode(bytes, count, sink, message);
  else
    snprintf(message, OCT_IMAGE_MESSAGE, count == 0 ? "the file is empty" : "neither a PNG nor a JPEG by its first bytes");
  oct_sink_end(sink);
  return decoded;
}

// MARK: Only the header

typedef struct probe_sink {
  oct_sink base;
  oct_image *image;
} probe_sink;

static bool probe_begin(oct_sink *sink, uint32_t width, uint32_t height, char *message) {
  (void)message;
  oct_image *image = ((probe_sink *)sink)->image;
  image->width = width;
  image->height = height;
  return false;
}

bool oct_image_probe(const uint8_t *bytes, size_t count, oct_image *image, char message[OCT_IMAGE_MESSAGE]) {
  *image = (oct_image){.channels = 3};
  probe_sink sink = {{.channels = 3, .begin = probe_begin}, image};
  // It never decodes a row, so it never succeeds.
  decode(bytes, count, &sink.base, message);
  return image->width > 0;
}

// MARK: The whole image

typedef struct whole_sink {
  oct_sink base;
  oct_image *image;
  oct_turn turn;
} whole_sink;

static bool whole_begin(oct_sink *sink, uint32_t width, uint32_t height, char *message) {
  const whole_sink *whole = (whole_sink *)sink;
  whole->image->pixels = malloc((size_t)width * height * (size_t)sink->channels);
  if (whole->image->pixels == NULL) {
    snprintf(message, OCT_IMAGE_MESSAGE, "no memory for %u×%u pixels", width, height);
    return false;
  }
  whole->image->width = whole->turn.transposes ? height : width;
  whole->image->height = whole->turn.transposes ? width : height;
  return true;
}

static void whole_row(oct_sink *sink, uint32_t y, const uint8_t *pixels) {
  const whole_sink *whole = (whole_sink *)sink;
  const oct_image *image = whole->image;
  const ptrdiff_t channels = sink->channels, width = sink->width;
  const ptrdiff_t height = whole->turn.transposes ? image->width : image->height;
  const ptrdiff_t to_y = whole->turn.mirrors_y ? height - 1 - (ptrdiff_t)y : (ptrdiff_t)y;
  if (!whole->turn.transposes && !whole->turn.mirrors_x) {
    memcpy(image->pixels + to_y * width * channels, pixels, (size_t)(width * channels));
    return;
  }
  for (ptrdiff_t x = 0; x < width; x++) {
    const ptrdiff_t to_x = whole->turn.mirrors_x ? width - 1 - x : x;
    const ptrdiff_t pixel = whole->turn.transposes ? to_x * image->width + to_y : to_y * image->width + to_x;
    memcpy(image->pixels + pixel * channels, pixels + x * channels, (size_t)channels);
  }
}

bool oct_image_decode(
    const uint8_t *bytes, size_t count, int channels, int orientation, oct_image *image, char message[OCT_IMAGE_MESSAGE]) {
  *image = (oct_image){.channels = channels};
  whole_sink sink = {{.channels = channels, .begin = whole_begin, .row = whole_row}, image, oct_turn_of(orientation)};
  const bool decoded = decode(bytes, count, &sink.base, message);
  if (!decoded) oct_image_free(image);
  return decoded;
}

void oct_image_free(oct_image *image) {
  free(image->pixels);
  *image = (oct_image){0};
}

// MARK: A window

typedef struct window_sink {
  oct_sink base;
  oct_resizer *resizer;
  oct_turn turn;
  const oct_image_window *window;
  uint8_t *dst;
} window_sink;

static bool window_begin(oct_sink *sink, uint32_t width, uint32_t height, char *message) {
  window_sink *self = (window_sink *)sink;
  self->resizer = oct_resizer_create(width, height, sink->channels, self->turn, self->window, self->dst);
  if (self->resizer == NULL) snprintf(message, OCT_IMAGE_MESSAGE, "no memory to resize %u×%u pixels", width, height);
  return self->resizer != NULL;
}

static void window_row(oct_sink *sink, uint32_t y, const uint8_t *pixels) {
  oct_resizer_push(((window_sink *)sink)->resizer, y, pixels);
}

bool oct_image_decode_window(
    const uint8_t *bytes, size_t count, int channels, int orientation, const oct_image_window *window, uint8_t *dst,
    char message[OCT_IMAGE_MESSAGE]) {
  window_sink sink = {
      {.channels = channels, .begin = window_begin, .row = window_row}, NULL, oct_turn_of(orientation), window, dst};
  const bool decoded = decode(bytes, count, &sink.base, message);
  oct_resizer_free(sink.resizer);
  return decoded;
}

bool oct_image_resize(
    const uint8_t *src, ptrdiff_t width, ptrdiff_t height, int channels, const oct_image_window *window, uint8_t *dst) {
  oct_resizer *resizer = oct_resizer_create(width, height, channels, oct_turn_of(1), window, dst);
  for (ptrdiff_t y = 0; y < height && resizer != NULL; y++) oct_resizer_push(resizer, y, src + y * width * channels);
  oct_resizer_free(resizer);
  return resizer != NULL;
}
#endif
