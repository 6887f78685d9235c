// What image.c shares with the two decoders.
#ifndef OCT_IMAGE_INTERNAL_H
#define OCT_IMAGE_INTERNAL_H

#include "CImages.h"

/// Refuses sizes beyond the limit before it allocates anything.
bool oct_image_allocate(oct_image *image, uint32_t width, uint32_t height, char *message);
/// On failure `image` may hold pixels that the caller frees.
bool oct_png_decode(const uint8_t *bytes, size_t count, oct_image *image, char *message);
bool oct_jpeg_decode(const uint8_t *bytes, size_t count, oct_image *image, char *message);

#endif  // OCT_IMAGE_INTERNAL_H
