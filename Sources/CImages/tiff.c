// TIFF images of whole numbers, through libtiff: the first page, in strips or tiles, whatever they are packed with.
//
// libtiff's own conversion to RGBA multiplies by alpha and rounds CMYK otherwise than Pillow, so samples are converted here.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

#include "image_internal.h"

bool oct_is_tiff(const uint8_t *bytes, size_t count) {
  return count >= 4 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 ||
                        memcmp(bytes, "II+\0", 4) == 0 || memcmp(bytes, "MM\0+", 4) == 0);
}

typedef struct tiff_decoder {
  const uint8_t *bytes;
  size_t count, place;
  TIFF *tiff;
  char *message;
  bool is_damaged;

  uint32_t width, height;
  uint16_t bits, samples, photometric, planes;
  /// Samples that are colours, behind which others follow.
  int colors;
  bool is_premultiplied;
  uint16_t *palette[3];

  /// Rows that are decoded at once, and the parts of them side by side.
  uint32_t band_height, part_width, parts;
  size_t part_row_bytes, part_bytes;
  uint8_t *band, *row;
} tiff_decoder;

// MARK: The file in memory

static tmsize_t read_bytes(thandle_t handle, void *data, tmsize_t wanted) {
  tiff_decoder *self = handle;
  const size_t left = self->count - self->place, part = (size_t)wanted < left ? (size_t)wanted : left;
  memcpy(data, self->bytes + self->place, part);
  self->place += part;
  return (tmsize_t)part;
}

static tmsize_t write_nothing(thandle_t handle, void *data, tmsize_t count) {
  (void)handle, (void)data, (void)count;
  return 0;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence) {
  tiff_decoder *self = handle;
  const toff_t base = whence == SEEK_CUR ? self->place : whence == SEEK_END ? self->count : 0;
  self->place = offset > self->count - base ? self->count : (size_t)(base + offset);
  return self->place;
}

static int close_nothing(thandle_t handle) {
  (void)handle;
  return 0;
}

static toff_t size_of(thandle_t handle) { return ((tiff_decoder *)handle)->count; }

// MARK: Problems

static void set_message(tiff_decoder *self, const char *format, va_list arguments) {
  if (self->is_damaged) return;
  self->is_damaged = true;
  const int start = snprintf(self->message, OCT_IMAGE_MESSAGE, "TIFF: ");
  vsnprintf(self->message + start, (size_t)(OCT_IMAGE_MESSAGE - start), format, arguments);
}

/// The first problem counts.
static bool refuse(tiff_decoder *self, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  set_message(self, format, arguments);
  va_end(arguments);
  return false;
}

/// 1: nobody else is told.
static int take_error(TIFF *tiff, void *data, const char *module, const char *format, va_list arguments) {
  (void)tiff, (void)module;
  set_message(data, format, arguments);
  return 1;
}

/// Pixels that libjpeg makes up are a warning only; oddities of tags are not looked at.
static int take_warning(TIFF *tiff, void *data, const char *module, const char *format, va_list arguments) {
  if (module != NULL && strcmp(module, "JPEGLib") == 0) return take_error(tiff, data, module, format, arguments);
  return 1;
}

static bool open_tiff(tiff_decoder *self) {
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (options == NULL) return refuse(self, "no memory");
  TIFFOpenOptionsSetErrorHandlerExtR(options, take_error, self);
  TIFFOpenOptionsSetWarningHandlerExtR(options, take_warning, self);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)(4 * self->count + (64 << 20)));
  // Not mapped: it is in memory already.
  self->tiff = TIFFClientOpenExt("image", "rm", self, read_bytes, write_nothing, seek, close_nothing, size_of, NULL, NULL, options);
  TIFFOpenOptionsFree(options);
  return self->tiff != NULL || refuse(self, "damaged");
}

int oct_tiff_orientation(const uint8_t *bytes, size_t count) {
  char message[OCT_IMAGE_MESSAGE];
  tiff_decoder self = {.bytes = bytes, .count = count, .message = message};
  uint16_t orientation = 1;
  if (open_tiff(&self)) {
    TIFFGetField(self.tiff, TIFFTAG_ORIENTATION, &orientation);
    TIFFClose(self.tiff);
  }
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

// MARK: What it holds

static bool read_colors(tiff_decoder *self) {
  TIFF *tiff = self->tiff;
  uint16_t format = SAMPLEFORMAT_UINT, compression = COMPRESSION_NONE, inks = INKSET_CMYK;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &self->bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &self->samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_INKSET, &inks);
  uint16_t planar = PLANARCONFIG_CONTIG;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planar);
  if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &self->photometric)) return refuse(self, "says nothing about its colours");
  if (compression == COMPRESSION_OJPEG) return refuse(self, "found JPEG as it was in 1992, expected that of 1995");
  if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID)
    return refuse(self, "found samples that are no whole numbers from 0 on (format %u)", format);
  switch (self->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE: self->colors = 1; break;
    case PHOTOMETRIC_YCBCR:
      if (compression != COMPRESSION_JPEG) return refuse(self, "found YCbCr colours without JPEG, expected RGB");
      TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
      self->colors = 3;
      break;
    case PHOTOMETRIC_RGB: self->colors = 3; break;
    case PHOTOMETRIC_SEPARATED:
      if (inks != INKSET_CMYK) return refuse(self, "found other inks than CMYK");
      self->colors = 4;
      break;
    default: return refuse(self, "found colours of kind %u, expected gray, RGB, CMYK or a palette", self->photometric);
  }
  const bool is_wide = self->bits == 8 || self->bits == 16;
  const bool is_narrow = self->colors == 1 && self->samples == 1 && (self->bits == 1 || self->bits == 2 || self->bits == 4);
  if ((!is_wide && !is_narrow) || (self->photometric == PHOTOMETRIC_PALETTE && self->bits > 8))
    return refuse(self, "found %u samples of %u bits, expected 8 or 16; 1, 2 or 4 of gray; at most 8 of a palette",
                  self->samples, self->bits);
  if (self->samples < self->colors || self->samples > 16)
    return refuse(self, "found %u samples a pixel, expected %d to 16", self->samples, self->colors);
  if (self->photometric == PHOTOMETRIC_PALETTE &&
      !TIFFGetField(tiff, TIFFTAG_COLORMAP, &self->palette[0], &self->palette[1], &self->palette[2]))
    return refuse(self, "found no palette");
  uint16_t others = 0, *kinds = NULL;
  self->is_premultiplied = self->colors == 3 && TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &others, &kinds) && others > 0 &&
                           kinds[0] == EXTRASAMPLE_ASSOCALPHA && self->samples > 3;
  self->planes = planar == PLANARCONFIG_SEPARATE ? self->samples : 1;
  return true;
}

/// Strips and tiles may overlap in the file, but not so that it is read many times.
static bool check_bytes(tiff_decoder *self) {
  const uint32_t parts = TIFFIsTiled(self->tiff) ? TIFFNumberOfTiles(self->tiff) : TIFFNumberOfStrips(self->tiff);
  const uint64_t rows = (uint64_t)self->height * ((uint64_t)self->width * self->samples * self->bits / 8);
  if (rows / 1032 > (uint64_t)self->count + 64 * (uint64_t)OCT_IMAGE_FREE_BLOCKS / 1032)
    return refuse(self, "truncated: fewer bytes than its pixels need");
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < parts && !self->is_damaged; i++) {
    const uint64_t more = TIFFGetStrileByteCount(self->tiff, i);
    if (more > self->count) return refuse(self, "truncated: found parts that are larger than the file");
    bytes += more;
    if (bytes > 2 * (uint64_t)self->count) return refuse(self, "damaged: its parts are larger than the file");
  }
  return !self->is_damaged;
}

static bool make_band(tiff_decoder *self) {
  TIFF *tiff = self->tiff;
  self->part_width = self->width;
  if (TIFFIsTiled(tiff)) {
    if (!TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &self->part_width) || !TIFFGetField(tiff, TIFFTAG_TILELENGTH, &self->band_height))
      return refuse(self, "found tiles without a size");
    self->part_row_bytes = (size_t)TIFFTileRowSize(tiff);
    self->part_bytes = (size_t)TIFFTileSize(tiff);
  } else {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &self->band_height);
    self->part_row_bytes = (size_t)TIFFScanlineSize(tiff);
    self->part_bytes = (size_t)TIFFStripSize(tiff);
  }
  if (self->band_height > self->height && !TIFFIsTiled(tiff)) self->band_height = self->height;
  if (self->band_height == 0 || self->part_width == 0) return refuse(self, "found parts without pixels");
  self->parts = (self->width - 1) / self->part_width + 1;
  const uint64_t rows = (uint64_t)self->height * self->width * self->samples * self->bits / 8;
  const uint64_t limit = 4 * rows + (64 << 20);
  const uint64_t least_row = ((uint64_t)self->part_width * self->bits * (self->planes > 1 ? 1 : self->samples) + 7) / 8;
  if (self->part_row_bytes < least_row || self->part_bytes < self->part_row_bytes ||
      self->part_bytes / self->part_row_bytes < self->band_height || self->part_bytes > limit ||
      self->part_bytes * self->parts > limit / self->planes)
    return refuse(self, "found parts of %u×%u pixels, too large for an image of %u×%u", self->part_width, self->band_height,
                  self->width, self->height);
  self->band = malloc(self->part_bytes * self->parts * self->planes);
  self->row = malloc((size_t)self->width * 3);
  return (self->band != NULL && self->row != NULL) || refuse(self, "no memory");
}

// MARK: Pixels

static uint8_t *part_of(const tiff_decoder *self, uint32_t part, uint32_t plane) {
  return self->band + ((size_t)plane * self->parts + part) * self->part_bytes;
}

static bool read_band(tiff_decoder *self, uint32_t top) {
  for (uint32_t plane = 0; plane < self->planes; plane++) {
    for (uint32_t part = 0; part < self->parts; part++) {
      uint8_t *pixels = part_of(self, part, plane);
      tmsize_t found, expected = (tmsize_t)self->part_bytes;
      if (TIFFIsTiled(self->tiff)) {
        const uint32_t tile = TIFFComputeTile(self->tiff, part * self->part_width, top, 0, (uint16_t)plane);
        found = TIFFReadEncodedTile(self->tiff, tile, pixels, expected);
      } else {
        const uint32_t rows = self->height - top < self->band_height ? self->height - top : self->band_height;
        expected = (tmsize_t)(rows * self->part_row_bytes);
        found = TIFFReadEncodedStrip(self->tiff, TIFFComputeStrip(self->tiff, top, (uint16_t)plane), pixels, expected);
      }
      if (found != expected || self->is_damaged) return refuse(self, "truncated");
    }
  }
  return true;
}

/// The upper 8 bits of a sample, or what a narrower one is.
static int sample_of(const tiff_decoder *self, uint32_t x, uint32_t y, int sample) {
  const uint32_t plane = self->planes > 1 ? (uint32_t)sample : 0, in_part = x % self->part_width;
  const uint8_t *row = part_of(self, x / self->part_width, plane) + y * self->part_row_bytes;
  const size_t place = self->planes > 1 ? in_part : (size_t)in_part * self->samples + (uint32_t)sample;
  if (self->bits == 8) return row[place];
  if (self->bits == 16) {
    uint16_t value;
    memcpy(&value, row + 2 * place, sizeof value);
    return value >> 8;
  }
  const size_t bit = place * self->bits;
  return row[bit / 8] >> (8 - self->bits - bit % 8) & ((1 << self->bits) - 1);
}

static int unmultiplied(int value, int alpha) {
  if (alpha == 0 || alpha == 255) return value;
  const int result = 255 * value / alpha;
  return result > 255 ? 255 : result;
}

static void convert_pixel(const tiff_decoder *self, uint32_t x, uint32_t y, uint8_t *rgb) {
  int values[4];
  for (int c = 0; c < self->colors; c++) values[c] = sample_of(self, x, y, c);
  switch (self->photometric) {
    case PHOTOMETRIC_PALETTE:
      for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(self->palette[c][values[0]] >> 8);
      return;
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK: {
      const int gray = self->bits < 8 ? values[0] * 255 / ((1 << self->bits) - 1) : values[0];
      rgb[0] = rgb[1] = rgb[2] = (uint8_t)(self->photometric == PHOTOMETRIC_MINISWHITE ? 255 - gray : gray);
      return;
    }
    case PHOTOMETRIC_SEPARATED:
      for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(255 - values[3] - oct_product(values[c], 255 - values[3]));
      return;
    default:
      for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(self->is_premultiplied ? unmultiplied(values[c], sample_of(self, x, y, 3)) : values[c]);
  }
}

static bool read_pixels(tiff_decoder *self, oct_sink *sink) {
  if (!TIFFGetField(self->tiff, TIFFTAG_IMAGEWIDTH, &self->width) || !TIFFGetField(self->tiff, TIFFTAG_IMAGELENGTH, &self->height))
    return refuse(self, "says nothing about its size");
  if (!read_colors(self)) return false;
  char message[OCT_IMAGE_MESSAGE] = "";
  if (!oct_sink_begin(sink, self->width, self->height, message)) {
    if (!self->is_damaged) memcpy(self->message, message, sizeof message);
    return false;
  }
  if (!check_bytes(self) || !make_band(self)) return false;
  for (uint32_t top = 0; top < self->height; top += self->band_height) {
    if (!read_band(self, top)) return false;
    for (uint32_t y = 0; y < self->band_height && top + y < self->height; y++) {
      for (uint32_t x = 0; x < self->width; x++) convert_pixel(self, x, y, self->row + 3 * x);
      oct_sink_row(sink, top + y, self->row, 3);
    }
  }
  return true;
}

bool oct_tiff_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message) {
  tiff_decoder self = {.bytes = bytes, .count = count, .message = message};
  const bool is_decoded = open_tiff(&self) && read_pixels(&self, sink);
  if (self.tiff != NULL) TIFFClose(self.tiff);
  free(self.band);
  free(self.row);
  return is_decoded;
}
#endif
