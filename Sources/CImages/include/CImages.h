// PNG and JPEG files in memory to 8-bit pixels, through libpng and libjpeg-turbo, row by row: whole, or resized on the way.
//
// Implemented with the package trait Images only.
//
// A file can cost this much and no more:
//   pixels   at most OCT_IMAGE_MAX_PIXELS, where Pillow suspects a decompression bomb too, and no more than its compressed
//            data can hold: 1032 bytes of a PNG's rows a byte (deflate's limit), 8 JPEG blocks a byte (one bit each; for
//            arithmetic coding, which may need less, from OCT_IMAGE_FREE_BLOCKS on);
//   memory   a few rows; an interlaced PNG, its pixels; a progressive JPEG or one of several scans, 2 bytes a coefficient;
//   work     a PNG's chunks that hold no pixels are stepped over; a JPEG's block is visited OCT_IMAGE_BLOCK_VISITS times
//            on average, and OCT_IMAGE_BYTE_VISITS more for every byte of the file (a usual progressive one: 7).
#ifndef CIMAGES_H
#define CIMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  OCT_IMAGE_MAX_PIXELS = 178956970,
  /// Of a side: libpng's own limit, so that a few rows stay few.
  OCT_IMAGE_MAX_SIDE = 1000000,
  OCT_IMAGE_FREE_BLOCKS = 250000,
  OCT_IMAGE_BLOCK_VISITS = 24,
  OCT_IMAGE_BYTE_VISITS = 8,
  OCT_IMAGE_MESSAGE = 256
};

typedef struct oct_image {
  uint8_t *pixels;  // [height, width, channels]; free it with oct_image_free
  ptrdiff_t width, height;
  int channels;
} oct_image;

/// Decodes a PNG or a JPEG, told apart by their first bytes, to RGB (3 channels) or gray (1), as Pillow's `convert`:
/// palettes are looked up, alpha is dropped, CMYK is read as Adobe writes it, gray is (19595 R + 38470 G + 7471 B + 2¹⁵) / 2¹⁶.
/// 16 bits keep their upper 8. A file without all of its pixels, or damaged, is refused, not half decoded; what a PNG has
/// after its pixels is not read.
/// `orientation` is what the pixels are turned by, 1 to 8 as in EXIF; 1 leaves them.
/// On failure `message` says what is wrong and nothing is allocated.
bool oct_image_decode(
    const uint8_t *bytes, size_t count, int channels, int orientation, oct_image *image, char message[OCT_IMAGE_MESSAGE]);
void oct_image_free(oct_image *image);

/// Only what the header says; the pixels may still be damaged. `image->pixels` is NULL.
bool oct_image_probe(const uint8_t *bytes, size_t count, oct_image *image, char message[OCT_IMAGE_MESSAGE]);

/// EXIF's orientation, 1 to 8: of a JPEG's APP1 segment or a PNG's eXIf chunk. 1 where nothing sensible is said.
int oct_image_orientation(const uint8_t *bytes, size_t count);

/// The part [top, top + height) × [left, left + width) of an image that was resized to new_width × new_height.
typedef struct oct_image_window {
  ptrdiff_t new_width, new_height, left, top, width, height;
} oct_image_window;

/// Decodes, turns and resizes, and keeps the window, [height, width, channels] in dst; of the whole image only a few rows
/// are ever in memory. The window is one of the turned image, whose size oct_image_probe tells (its sides change places
/// from orientation 5 on). The pixels are those of decoding and resizing one after the other.
bool oct_image_decode_window(
    const uint8_t *bytes, size_t count, int channels, int orientation, const oct_image_window *window, uint8_t *dst,
    char message[OCT_IMAGE_MESSAGE]);

/// Pillow's BILINEAR, only what the window shows. All sizes are positive. False where memory is missing.
bool oct_image_resize(
    const uint8_t *src, ptrdiff_t width, ptrdiff_t height, int channels, const oct_image_window *window, uint8_t *dst);

#endif  // CIMAGES_H
