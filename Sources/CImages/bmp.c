// Windows bitmaps without compression: palettes of 1, 4 and 8 bits, and colours of 16, 24 and 32.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_internal.h"

bool oct_is_bmp(const uint8_t *bytes, size_t count) { return count >= 2 && bytes[0] == 'B' && bytes[1] == 'M'; }

enum { FILE_HEADER = 14, OLD_HEADER = 12, HEADER = 40, MASKS = 12 };
enum { PLAIN = 0, BIT_FIELDS = 3 };

typedef struct bmp {
  uint32_t width, height, bits, compression;
  bool from_top;
  const uint8_t *palette;
  uint32_t colors, color_bytes;
  uint32_t masks[3];  // of red, green and blue
  const uint8_t *rows;
  size_t row_bytes;
} bmp;

static uint32_t number2(const uint8_t *bytes) { return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8; }
static uint32_t number4(const uint8_t *bytes) { return number2(bytes) | number2(bytes + 2) << 16; }

static bool refuse(char *message, const char *format, ...) {
  const int start = snprintf(message, OCT_IMAGE_MESSAGE, "BMP: ");
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message + start, (size_t)(OCT_IMAGE_MESSAGE - start), format, arguments);
  va_end(arguments);
  return false;
}

static bool read_size(bmp *self, const uint8_t *bytes, size_t header, char *message) {
  if (header == OLD_HEADER) {
    self->width = number2(bytes + 18);
    self->height = number2(bytes + 20);
    self->bits = number2(bytes + 24);
    return true;
  }
  const int32_t width = (int32_t)number4(bytes + 18), height = (int32_t)number4(bytes + 22);
  if (width < 0 || height == INT32_MIN) return refuse(message, "damaged: found a width of %d and a height of %d", width, height);
  self->width = (uint32_t)width;
  self->from_top = height < 0;
  self->height = (uint32_t)(height < 0 ? -height : height);
  self->bits = number2(bytes + 28);
  self->compression = number4(bytes + 30);
  self->colors = number4(bytes + 46);
  return true;
}

/// Which bits are which colour: as the file says, or else as usual.
static bool read_masks(bmp *self, const uint8_t *bytes, char *message) {
  static const uint32_t usual15[] = {0x7c00, 0x3e0, 0x1f}, usual16[] = {0xf800, 0x7e0, 0x1f};
  static const uint32_t usual32[] = {0xff0000, 0xff00, 0xff};
  uint32_t *masks = self->masks;
  if (self->compression != BIT_FIELDS) {
    memcpy(masks, self->bits == 16 ? usual15 : usual32, sizeof usual32);
    return true;
  }
  for (int c = 0; c < 3; c++) masks[c] = number4(bytes + FILE_HEADER + HEADER + 4 * c);
  bool is_known = self->bits == 16 && (memcmp(masks, usual15, sizeof usual15) == 0 || memcmp(masks, usual16, sizeof usual16) == 0);
  if (self->bits == 32) {
    is_known = true;
    for (int c = 0; c < 3; c++) is_known = is_known && masks[c] != 0 && masks[c] == 0xffu << (__builtin_ctz(masks[c]) & 24);
  }
  return is_known || refuse(message, "found the bits %x, %x and %x of %u for red, green and blue, expected 5, 5 or 6, and 5 or whole bytes",
                            masks[0], masks[1], masks[2], self->bits);
}

static bool read_header(bmp *self, const uint8_t *bytes, size_t count, char *message) {
  if (count < FILE_HEADER + OLD_HEADER) return refuse(message, "truncated in its header");
  const size_t header = number4(bytes + FILE_HEADER);
  if (header != OLD_HEADER && (header < HEADER || header > 1024))
    return refuse(message, "found a header of %zu bytes, expected 12, 40 or more", header);
  if (count < FILE_HEADER + header) return refuse(message, "truncated in its header");
  if (!read_size(self, bytes, header, message)) return false;
  const bool has_palette = self->bits == 1 || self->bits == 4 || self->bits == 8;
  if (!has_palette && self->bits != 16 && self->bits != 24 && self->bits != 32)
    return refuse(message, "found %u bits a pixel, expected 1, 4, 8, 16, 24 or 32", self->bits);
  const bool has_masks = self->compression == BIT_FIELDS && (self->bits == 16 || self->bits == 32);
  if (self->compression != PLAIN && !has_masks) {
    static const char *const names[] = {"", " (RLE8)", " (RLE4)", "", " (JPEG)", " (PNG)"};
    return refuse(message, "found compression %u%s, expected none", self->compression, self->compression < 6 ? names[self->compression] : "");
  }
  // Masks follow a header that has no place for them.
  const size_t behind = FILE_HEADER + header + (has_masks && header == HEADER ? MASKS : 0);
  const size_t pixels = number4(bytes + 10);
  if (behind > count || (has_masks && count < FILE_HEADER + HEADER + MASKS)) return refuse(message, "truncated in its header");
  if (!has_palette && !read_masks(self, bytes, message)) return false;
  if (has_palette) {
    const uint32_t most = 1u << self->bits;
    if (self->colors == 0 || self->colors > most) self->colors = most;
    self->color_bytes = header == OLD_HEADER ? 3 : 4;
    self->palette = bytes + behind;
    if (count - behind < (size_t)self->colors * self->color_bytes) return refuse(message, "truncated in its palette");
  }
  if (pixels < behind || pixels > count) return refuse(message, "damaged: found pixels at byte %zu of %zu", pixels, count);
  self->rows = bytes + pixels;
  return true;
}

static bool check_rows(bmp *self, size_t count, char *message) {
  self->row_bytes = ((size_t)self->width * self->bits + 31) / 32 * 4;
  // The padding of the last row may be missing.
  const size_t needed = self->row_bytes * (self->height - 1) + ((size_t)self->width * self->bits + 7) / 8;
  return count >= needed || refuse(message, "truncated: found %zu bytes of pixels, expected %zu", count, needed);
}

static bool row_from_palette(const bmp *self, const uint8_t *row, uint8_t *rgb, char *message) {
  const uint32_t bits = self->bits;
  for (uint32_t x = 0; x < self->width; x++) {
    const uint32_t place = x * bits % 8;
    const uint32_t color = row[(size_t)x * bits / 8] >> (8 - bits - place) & ((1u << bits) - 1);
    if (color >= self->colors) return refuse(message, "damaged: found colour %u of a palette of %u", color, self->colors);
    const uint8_t *bgr = self->palette + (size_t)color * self->color_bytes;
    for (int c = 0; c < 3; c++) rgb[3 * x + c] = bgr[2 - c];
  }
  return true;
}

static void row_of_colors(const bmp *self, const uint8_t *row, uint8_t *rgb) {
  const uint32_t bytes = self->bits / 8;
  for (uint32_t x = 0; x < self->width; x++) {
    const uint8_t *pixel = row + (size_t)x * bytes;
    const uint32_t value = number2(pixel) | (bytes > 2 ? (uint32_t)pixel[2] << 16 : 0) | (bytes > 3 ? (uint32_t)pixel[3] << 24 : 0);
    for (int c = 0; c < 3; c++) {
      const uint32_t shift = (uint32_t)__builtin_ctz(self->masks[c]), most = self->masks[c] >> shift;
      // Cut down, as Pillow does.
      rgb[3 * x + c] = (uint8_t)((value >> shift & most) * 255 / most);
    }
  }
}

bool oct_bmp_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message) {
  bmp self = {0};
  if (!read_header(&self, bytes, count, message)) return false;
  if (!oct_sink_begin(sink, self.width, self.height, message)) return false;
  if (!check_rows(&self, count - (size_t)(self.rows - bytes), message)) return false;
  uint8_t *rgb = malloc((size_t)self.width * 3);
  if (rgb == NULL) return refuse(message, "no memory");
  bool is_decoded = true;
  for (uint32_t y = 0; y < self.height && is_decoded; y++) {
    const uint8_t *row = self.rows + self.row_bytes * (self.from_top ? y : self.height - 1 - y);
    if (self.palette == NULL)
      row_of_colors(&self, row, rgb);
    else
      is_decoded = row_from_palette(&self, row, rgb, message);
    if (is_decoded) oct_sink_row(sink, y, rgb, 3);
  }
  free(rgb);
  return is_decoded;
}
#endif
