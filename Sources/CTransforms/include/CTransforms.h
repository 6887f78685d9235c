// Changes of 8-bit images as Pillow makes them: resizing a part, affine maps, colours, tables. They need no library of the
// system, keep no state, and run on the caller's thread; many threads may call them at once.
//
// Images are rows from the top of pixels of 3 channels (RGB) or 1 (gray), interleaved. Those that are only read may be a
// part of a larger one: their rows are `row_bytes` apart. Others are dense.
#ifndef CTRANSFORMS_H
#define CTRANSFORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// An image, or a part of one, that is read.
typedef struct oct_pixels {
  const uint8_t *base;
  ptrdiff_t width, height, row_bytes;
  int channels;
} oct_pixels;

/// Pillow's NEAREST (affine maps only), BILINEAR and BICUBIC (a = −1/2).
typedef enum oct_filter { OCT_NEAREST = 0, OCT_BILINEAR = 2, OCT_BICUBIC = 3 } oct_filter;

/// The part [top, top + height) × [left, left + width) of an image that was resized to new_width × new_height.
typedef struct oct_resize_window {
  ptrdiff_t new_width, new_height, left, top, width, height;
} oct_resize_window;

/// `Image.resize` of the whole of `src`, only what the window shows, mirrored left and right where asked for: bilinear or
/// bicubic filters that grow with the reduction, in fixed point, rounded to 8 bits after the rows and after the columns.
/// `dst`: [height, width, channels] of the window. Reads nothing outside `src`. False where memory is missing.
bool oct_pixels_resize(
    const oct_pixels *src, oct_filter filter, const oct_resize_window *window, bool mirrors, uint8_t *dst);

/// Pillow's order since 13: columns first where the height shrinks by more than twice as many pixels as the width. (Older ones
/// always begin with the rows, which rounds some pixels to a neighbouring value.)
bool oct_resize_begins_with_columns(ptrdiff_t width, ptrdiff_t height, ptrdiff_t new_width, ptrdiff_t new_height);

/// What result `index` of a line of `size` pixels that is resized to `new_size` is made of: the first pixel, and the weights of it
/// and those behind it, times 2²². Returns how many; neither `weights` nor `scratch` needs more than oct_resize_most_weights.
ptrdiff_t oct_resize_weights(oct_filter filter, ptrdiff_t size, ptrdiff_t new_size, ptrdiff_t index, int32_t *weights,
                             double *scratch, ptrdiff_t *first);
ptrdiff_t oct_resize_most_weights(oct_filter filter, ptrdiff_t size, ptrdiff_t new_size);
enum { OCT_RESIZE_PRECISION = 22 };

/// `Image.transform(size, AFFINE, m)`: the pixel at (x, y) comes from (m0 x + m1 y + m2, m3 x + m4 y + m5), places counted
/// from the corners of pixels; black outside. `dst` has the size of `src`, and is another image. Nearest or bilinear.
void oct_pixels_affine(const oct_pixels *src, const double m[6], oct_filter filter, uint8_t *dst);

/// Left and right change places.
void oct_pixels_mirror(ptrdiff_t width, ptrdiff_t height, int channels, uint8_t *pixels);

/// `Image.blend` of black, the image's own gray, its mean gray, or itself smoothed, with the image: `ImageEnhance`'s
/// Brightness, Color, Contrast, Sharpness. A factor of 1 changes nothing, larger ones go beyond the image.
void oct_pixels_brightness(ptrdiff_t pixels, int channels, float factor, uint8_t *image);
void oct_pixels_color(ptrdiff_t pixels, int channels, float factor, uint8_t *image);
void oct_pixels_contrast(ptrdiff_t pixels, int channels, float factor, uint8_t *image);
/// `src` may not be `dst`.
void oct_pixels_sharpness(ptrdiff_t width, ptrdiff_t height, int channels, float factor, const uint8_t *src, uint8_t *dst);

/// torchvision's `adjust_hue` of a Pillow image: by way of HSV in 8 bits; `shift` is added to the hue, modulo 256.
/// Gray stays as it is.
void oct_pixels_hue(ptrdiff_t pixels, int channels, uint8_t shift, uint8_t *image);

/// `ImageOps`: keeps the upper 1 to 8 bits; inverts values from the threshold on; stretches each channel to 0 … 255;
/// spreads each channel's histogram evenly.
void oct_pixels_posterize(ptrdiff_t pixels, int channels, int bits, uint8_t *image);
void oct_pixels_solarize(ptrdiff_t pixels, int channels, double threshold, uint8_t *image);
void oct_pixels_autocontrast(ptrdiff_t pixels, int channels, uint8_t *image);
void oct_pixels_equalize(ptrdiff_t pixels, int channels, uint8_t *image);

/// dst[i] = table[channel][src[i]], tables of 256.
void oct_pixels_to_floats(ptrdiff_t pixels, int channels, const uint8_t *src, const float *table, float *dst);

/// CRC-32C (Castagnoli's polynomial, bits reflected, start and end inverted) of bytes in memory or in a file; by the
/// processor's own instruction where it has one.
uint32_t oct_crc32c(const uint8_t *bytes, size_t count);
/// The same without that instruction.
uint32_t oct_crc32c_portable(const uint8_t *bytes, size_t count);

#endif  // CTRANSFORMS_H
