// A decoder's rows to where they are wanted: a part of an image, a window of a resized one, or nowhere.
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
  sink->left = sink->top = 0;
  sink->right = width;
  sink->bottom = height;
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

uint32_t oct_sink_eighths(const oct_sink *sink, uint32_t width, uint32_t height) {
  // What is too large is refused as it is.
  if (sink->eighths == NULL || (uint64_t)width * height > OCT_IMAGE_MAX_PIXELS) return 8;
  return sink->eighths(sink, width, height);
}

static uint32_t scaled(ptrdiff_t side, uint32_t eighths) { return (uint32_t)((side * eighths + 7) / 8); }

/// The least of which `width` and `height`, or what becomes of them, are no less than so much.
static uint32_t least_eighths(ptrdiff_t width, ptrdiff_t height, ptrdiff_t least_width, ptrdiff_t least_height) {
  uint32_t eighths = 8;
  while (eighths > 1 && width * (eighths / 2) / 8 >= least_width && height * (eighths / 2) / 8 >= least_height) eighths /= 2;
  return eighths;
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

typedef struct format {
  bool (*is_that)(const uint8_t *bytes, size_t count);
  bool (*decode)(const uint8_t *bytes, size_t count, oct_sink *sink, char *message);
} format;

static const format formats[] = {
    {oct_is_png, oct_png_decode},   {oct_is_jpeg, oct_jpeg_decode}, {oct_is_webp, oct_webp_decode},
    {oct_is_tiff, oct_tiff_decode}, {oct_is_bmp, oct_bmp_decode},
};

static bool decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message) {
  snprintf(message, OCT_IMAGE_MESSAGE,
           count == 0 ? "the file is empty" : "not a PNG, JPEG, WebP, TIFF or BMP by its first bytes");
  bool decoded = false;
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    if (!formats[i].is_that(bytes, count)) continue;
    message[0] = 0;
    decoded = formats[i].decode(bytes, count, sink, message);
    break;
  }
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

// MARK: A part, or all of it

typedef struct part_sink {
  oct_sink base;
  oct_image *image;
  oct_turn turn;
  /// As it is stored.
  oct_image_part part;
  uint32_t eighths;
} part_sink;

/// Of the stored image what is a part of the turned one.
static oct_image_part stored_part(const oct_image_part *turned, oct_turn turn) {
  const oct_image_part t = *turned;
  oct_image_part part = t;
  if (turn.transposes)
    part = (oct_image_part){t.image_height, t.image_width, t.top, t.left, t.height, t.width, t.least_height, t.least_width};
  if (turn.mirrors_x) part.left = part.image_width - part.left - part.width;
  if (turn.mirrors_y) part.top = part.image_height - part.top - part.height;
  return part;
}

static uint32_t part_eighths(const oct_sink *sink, uint32_t width, uint32_t height) {
  (void)width, (void)height;
  return ((const part_sink *)sink)->eighths;
}

/// To whole pixels of an image that was halved, outwards.
static void scale_part(oct_image_part *part, uint32_t width, uint32_t height, uint32_t eighths) {
  const ptrdiff_t right = scaled(part->left + part->width, eighths), bottom = scaled(part->top + part->height, eighths);
  part->left = part->left * eighths / 8;
  part->top = part->top * eighths / 8;
  part->width = (right < width ? right : width) - part->left;
  part->height = (bottom < height ? bottom : height) - part->top;
}

static bool part_begin(oct_sink *sink, uint32_t width, uint32_t height, char *message) {
  part_sink *self = (part_sink *)sink;
  oct_image_part *part = &self->part;
  if (part->image_width == 0) *part = (oct_image_part){.image_width = width, .image_height = height, .width = width, .height = height};
  // A decoder that does not halve gives the whole size.
  if (part->image_width != width || part->image_height != height) {
    if (scaled(part->image_width, self->eighths) != width || scaled(part->image_height, self->eighths) != height) {
      snprintf(message, OCT_IMAGE_MESSAGE, "found %u×%u pixels, its header says %td×%td", width, height, part->image_width,
               part->image_height);
      return false;
    }
    scale_part(part, width, height, self->eighths);
  }
  sink->left = (uint32_t)part->left;
  sink->right = (uint32_t)(part->left + part->width);
  sink->top = (uint32_t)part->top;
  sink->bottom = (uint32_t)(part->top + part->height);
  oct_image *image = self->image;
  image->width = self->turn.transposes ? part->height : part->width;
  image->height = self->turn.transposes ? part->width : part->height;
  image->pixels = malloc((size_t)part->width * (size_t)part->height * (size_t)sink->channels);
  if (image->pixels == NULL) snprintf(message, OCT_IMAGE_MESSAGE, "no memory for %td×%td pixels", part->width, part->height);
  return image->pixels != NULL;
}

static void part_row(oct_sink *sink, uint32_t stored_y, const uint8_t *pixels) {
  const part_sink *self = (part_sink *)sink;
  if (stored_y < sink->top || stored_y >= sink->bottom) return;
  const oct_image *image = self->image;
  const ptrdiff_t channels = sink->channels, width = self->part.width, y = stored_y - sink->top;
  const ptrdiff_t to_y = self->turn.mirrors_y ? self->part.height - 1 - y : y;
  pixels += self->part.left * channels;
  if (!self->turn.transposes && !self->turn.mirrors_x) {
    memcpy(image->pixels + to_y * width * channels, pixels, (size_t)(width * channels));
    return;
  }
  for (ptrdiff_t x = 0; x < width; x++) {
    const ptrdiff_t to_x = self->turn.mirrors_x ? width - 1 - x : x;
    const ptrdiff_t pixel = self->turn.transposes ? to_x * image->width + to_y : to_y * image->width + to_x;
    memcpy(image->pixels + pixel * channels, pixels + x * channels, (size_t)channels);
  }
}

bool oct_image_decode(
    const uint8_t *bytes, size_t count, int channels, int orientation, const oct_image_part *part, oct_image *image,
    char message[OCT_IMAGE_MESSAGE]) {
  *image = (oct_image){.channels = channels};
  part_sink sink = {{.channels = channels, .begin = part_begin, .row = part_row}, image, oct_turn_of(orientation), {0}, 8};
  if (part != NULL) {
    sink.part = stored_part(part, sink.turn);
    if (part->least_width > 0) {
      sink.base.eighths = part_eighths;
      sink.eighths = least_eighths(sink.part.width, sink.part.height, sink.part.least_width, sink.part.least_height);
    }
  }
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

static uint32_t window_eighths(const oct_sink *sink, uint32_t width, uint32_t height) {
  const window_sink *self = (const window_sink *)sink;
  const bool transposes = self->turn.transposes;
  const oct_image_window *w = self->window;
  return least_eighths(width, height, transposes ? w->new_height : w->new_width, transposes ? w->new_width : w->new_height);
}

static void window_row(oct_sink *sink, uint32_t y, const uint8_t *pixels) {
  oct_resizer_push(((window_sink *)sink)->resizer, y, pixels);
}

bool oct_image_decode_window(
    const uint8_t *bytes, size_t count, int channels, int orientation, bool may_halve, const oct_image_window *window,
    uint8_t *dst, char message[OCT_IMAGE_MESSAGE]) {
  window_sink sink = {
      {.channels = channels, .begin = window_begin, .row = window_row}, NULL, oct_turn_of(orientation), window, dst};
  if (may_halve) sink.base.eighths = window_eighths;
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
