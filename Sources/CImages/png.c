// libpng reports errors by longjmp, which Swift code must never be crossed by.
//
// It is shown the chunks that pixels depend on and no others: text and profiles may unpack to a thousand times their size.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_internal.h"

/// What is left of the file, and of the chunk that libpng is reading.
typedef struct png_input {
  const uint8_t *bytes;
  size_t left, chunk;
  bool has_ended;
} png_input;

static const uint8_t end_chunk[] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
enum { SIGNATURE = 8, CHUNK_FRAME = 12 };

static size_t length_of(const uint8_t *chunk) {
  return (size_t)chunk[0] << 24 | (size_t)chunk[1] << 16 | (size_t)chunk[2] << 8 | chunk[3];
}

/// Critical chunks, all of which libpng must know, and transparency, which it needs to find the pixels behind it.
static bool is_wanted(const uint8_t *chunk) { return !(chunk[4] & 0x20) || memcmp(chunk + 4, "tRNS", 4) == 0; }

/// Goes to the next wanted chunk. A file that ends before its last chunk gets one: where the pixels are complete, nothing
/// else is missed.
static void find_chunk(png_structp png, png_input *input) {
  while (input->left >= CHUNK_FRAME && !is_wanted(input->bytes)) {
    const size_t length = length_of(input->bytes);
    if (length > input->left - CHUNK_FRAME) {
      input->left = 0;
      break;
    }
    input->bytes += CHUNK_FRAME + length;
    input->left -= CHUNK_FRAME + length;
  }
  if (input->left < 8) {
    if (input->has_ended) png_error(png, "truncated");
    input->has_ended = true;
    input->bytes = end_chunk;
    input->left = sizeof end_chunk;
  }
  input->chunk = CHUNK_FRAME + length_of(input->bytes);
}

static void read_bytes(png_structp png, png_bytep data, size_t count) {
  png_input *input = png_get_io_ptr(png);
  while (count > 0) {
    if (input->chunk == 0) find_chunk(png, input);
    const size_t wanted = count < input->chunk ? count : input->chunk;
    const size_t part = wanted < input->left ? wanted : input->left;
    // A last chunk that was cut in its checksum, which is no longer compared then.
    if (part == 0) {
      if (input->chunk > 4) png_error(png, "truncated");
      memset(data, 0, wanted);
      input->chunk -= wanted;
    }
    memcpy(data, input->bytes, part);
    input->bytes += part;
    input->left -= part;
    input->chunk -= part;
    data += part > 0 ? part : wanted;
    count -= part > 0 ? part : wanted;
  }
}

/// Bytes of compressed pixels, all chunks together, and whether the last of them lost some of its checksum.
static size_t compressed_size(const uint8_t *bytes, size_t count, bool *is_cut) {
  size_t size = 0;
  for (size_t at = SIGNATURE; count - at >= 8;) {
    const size_t length = length_of(bytes + at), left = count - at - 8;
    const bool is_pixels = memcmp(bytes + at + 4, "IDAT", 4) == 0;
    if (is_pixels) size += length < left ? length : left;
    if (left < length || left - length < 4) {
      *is_cut = is_pixels && left >= length;
      break;
    }
    at += CHUNK_FRAME + length;
  }
  return size;
}

static void fail(png_structp png, png_const_charp problem) {
  char *message = png_get_error_ptr(png);
  if (problem != message) snprintf(message, OCT_IMAGE_MESSAGE, "PNG: %s", problem);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp problem) { (void)png, (void)problem; }

/// Whatever the file holds, as 8-bit gray or RGB.
static void expect_bytes(png_structp png, png_infop info) {
  const int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
  if (depth == 16) png_set_strip_16(png);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (!(type & PNG_COLOR_MASK_COLOR) && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  // Also what a palette's transparency becomes.
  png_set_strip_alpha(png);
}

/// Rows of pixels as they were compressed, with the byte that says how each was filtered; the least there can be.
static uint64_t uncompressed_size(png_structp png, png_infop info) {
  return (uint64_t)png_get_image_height(png, info) * (png_get_rowbytes(png, info) + 1);
}

typedef struct png_decoder {
  png_structp png;
  png_infop info;
  uint8_t *row, *whole;
} png_decoder;

static void read_pixels(png_decoder *self, size_t compressed, oct_sink *sink) {
  png_structp png = self->png;
  png_infop info = self->info;
  const uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  // Deflate's own limit, and some room for the smallest images.
  if (uncompressed_size(png, info) / 1032 > compressed + 64) png_error(png, "truncated: fewer bytes than its pixels need");
  char *message = png_get_error_ptr(png);
  if (!oct_sink_begin(sink, width, height, message)) png_error(png, message);
  expect_bytes(png, info);
  const bool is_interlaced = png_set_interlace_handling(png) > 1;
  png_read_update_info(png, info);
  const size_t row_bytes = png_get_rowbytes(png, info);
  const int channels = row_bytes == width ? 1 : 3;
  if (row_bytes != (size_t)width * (size_t)channels) png_error(png, "unknown kind of pixels");

  self->row = malloc(row_bytes);
  // Passes over the whole image write some pixels of a row each.
  if (is_interlaced) self->whole = malloc(row_bytes * height);
  if (self->row == NULL || (is_interlaced && self->whole == NULL)) png_error(png, "no memory");
  for (int pass = 0; is_interlaced && pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
    for (uint32_t y = 0; y < height; y++) png_read_row(png, self->whole + y * row_bytes, NULL);
  for (uint32_t y = 0; y < height; y++) {
    if (!is_interlaced) png_read_row(png, self->row, NULL);
    oct_sink_row(sink, y, is_interlaced ? self->whole + y * row_bytes : self->row, channels);
  }
}

bool oct_png_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message) {
  png_decoder self = {.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, fail, ignore)};
  if (self.png != NULL) self.info = png_create_info_struct(self.png);
  png_decoder *volatile decoder = &self;
  if (self.info == NULL) {
    snprintf(message, OCT_IMAGE_MESSAGE, "no memory");
    png_destroy_read_struct(&self.png, NULL, NULL);
    return false;
  }
  png_input input = {bytes, count, SIGNATURE, false};
  volatile bool is_decoded = false;
  if (setjmp(png_jmpbuf(self.png)) == 0) {
    bool is_cut = false;
    const size_t compressed = compressed_size(bytes, count, &is_cut);
    png_set_read_fn(self.png, &input, read_bytes);
    png_set_user_limits(self.png, OCT_IMAGE_MAX_PIXELS, OCT_IMAGE_MAX_PIXELS);
    png_set_benign_errors(self.png, 1);
    if (is_cut) png_set_crc_action(self.png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
    png_read_info(self.png, self.info);
    read_pixels(&self, compressed, sink);
    is_decoded = true;
  }
  free(decoder->row);
  free(decoder->whole);
  png_destroy_read_struct(&decoder->png, &decoder->info, NULL);
  return is_decoded;
}
#endif
