// PNG, JPEG, WebP, TIFF and BMP files in memory to 8-bit pixels, through libpng, libjpeg-turbo, libwebp and libtiff, row by
// row: whole, or resized on the way.
//
// Implemented with the package trait Images only.
//
// A file can cost this much and no more:
//   pixels   at most OCT_IMAGE_MAX_PIXELS, where Pillow suspects a decompression bomb too, and no more than its compressed
//            data can hold: 1032 bytes of a PNG's rows a byte (deflate's limit), 8 JPEG blocks a byte (one bit each; for
//            arithmetic coding, which may need less, from OCT_IMAGE_FREE_BLOCKS on), as many of a WebP's from there on, and
//            1032 bytes of a TIFF's rows from 64 · OCT_IMAGE_FREE_BLOCKS on; a BMP has them all;
//   memory   a few rows; an interlaced PNG, its pixels; a progressive JPEG or one of several scans, 2 bytes a coefficient;
//            a WebP, its pixels and what libwebp needs, some 7 bytes each; a TIFF, a strip or a row of tiles, which together are
//            no larger than four times its rows and 64 MiB;
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

/// The part [top, top + height) × [left, left + width) of a turned image, whose size oct_image_probe told.
typedef struct oct_image_part {
  ptrdiff_t image_width, image_height, left, top, width, height;
  /// Where these are not 0, a JPEG is decoded at a half, a quarter or an eighth of its size as long as the part has so many
  /// pixels; its edges go to whole pixels, outwards.
  ptrdiff_t least_width, least_height;
} oct_image_part;

/// Decodes an image, its kind told by its first bytes, to RGB (3 channels) or gray (1), as Pillow's `convert`:
/// palettes are looked up, alpha is dropped, CMYK is read as Adobe writes it, gray is (19595 R + 38470 G + 7471 B + 2¹⁵) / 2¹⁶.
/// 16 bits keep their upper 8. Of a TIFF's pages the first is taken; a WebP animation is refused. A file without all of its
/// pixels, or damaged, is refused, not half decoded; what a PNG has after its pixels is not read.
/// `orientation` is what the pixels are turned by, 1 to 8 as in EXIF; 1 leaves them.
/// `part` NULL is all of it. The pixels of a part, but for halved ones, are those of the whole image; what else a file holds is
/// read as far as it takes to find damage, a JPEG's blocks without making pixels of them.
/// On failure `message` says what is wrong and nothing is allocated.
bool oct_image_decode(
    const uint8_t *bytes, size_t count, int channels, int orientation, const oct_image_part *part, oct_image *image,
    char message[OCT_IMAGE_MESSAGE]);
void oct_image_free(oct_image *image);

/// Only what the header says; the pixels may still be damaged. `image->pixels` is NULL.
bool oct_image_probe(const uint8_t *bytes, size_t count, oct_image *image, char message[OCT_IMAGE_MESSAGE]);

/// EXIF's orientation, 1 to 8: of a JPEG's APP1 segment, a PNG's eXIf chunk or a WebP's EXIF chunk, or a TIFF's own. 1 where
/// nothing sensible is said.
int oct_image_orientation(const uint8_t *bytes, size_t count);

/// Whether the orientation belongs to the image and not to what is said about it, so that everybody applies it: that of a TIFF.
bool oct_image_is_always_turned(const uint8_t *bytes, size_t count);

/// The part [top, top + height) × [left, left + width) of an image that was resized to new_width × new_height.
typedef struct oct_image_window {
  ptrdiff_t new_width, new_height, left, top, width, height;
} oct_image_window;

/// Decodes, turns and resizes, and keeps the window, [height, width, channels] in dst; of the whole image only a few rows
/// are ever in memory. The window is one of the turned image, whose size oct_image_probe tells (its sides change places
/// from orientation 5 on). The pixels are those of decoding and resizing one after the other; where a JPEG may be halved
/// before, as long as both sides stay as large as they are resized to, they are others.
bool oct_image_decode_window(
    const uint8_t *bytes, size_t count, int channels, int orientation, bool may_halve, const oct_image_window *window,
    uint8_t *dst, char message[OCT_IMAGE_MESSAGE]);

/// Pillow's BILINEAR, only what the window shows. All sizes are positive. False where memory is missing.
bool oct_image_resize(
    const uint8_t *src, ptrdiff_t width, ptrdiff_t height, int channels, const oct_image_window *window, uint8_t *dst);

#endif  // CIMAGES_H
