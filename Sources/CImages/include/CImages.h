// PNG and JPEG files in memory to RGB pixels, through libpng and libjpeg-turbo.
//
// Implemented with the package trait Images only.
#ifndef CIMAGES_H
#define CIMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Largest image: 48 MB of pixels, and as many again in a copy.
enum { OCT_IMAGE_MAX_PIXELS = 16 * 1000 * 1000, OCT_IMAGE_MESSAGE = 256 };

typedef struct oct_image {
  uint8_t *pixels;  // [height, width, 3]; free it with oct_image_free
  ptrdiff_t width, height;
} oct_image;

/// Decodes a PNG or a JPEG, told apart by their first bytes. Gray becomes RGB, palettes are looked up, alpha is dropped,
/// 16 bits keep their upper 8. A file that is truncated or damaged is refused, not half decoded.
/// On failure `message` says what is wrong and nothing is allocated.
bool oct_image_decode(const uint8_t *bytes, size_t count, oct_image *image, char message[OCT_IMAGE_MESSAGE]);
void oct_image_free(oct_image *image);

/// The part [top, top + height) × [left, left + width) of an image that was resized to new_width × new_height.
typedef struct oct_image_window {
  ptrdiff_t new_width, new_height, left, top, width, height;
} oct_image_window;

/// Pillow's BILINEAR, only what the window shows. All sizes are positive, pixels are RGB. False where memory is missing.
bool oct_image_resize(const uint8_t *src, ptrdiff_t width, ptrdiff_t height, const oct_image_window *window, uint8_t *dst);

#endif  // CIMAGES_H
