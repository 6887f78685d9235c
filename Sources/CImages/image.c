#include "CImages.h"

#ifdef OCT_IMAGES
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_internal.h"

bool oct_image_allocate(oct_image *image, uint32_t width, uint32_t height, char *message) {
  if (width == 0 || height == 0 || (uint64_t)width * height > OCT_IMAGE_MAX_PIXELS) {
    snprintf(message, OCT_IMAGE_MESSAGE, "found %u×%u pixels, expected 1 to %d of them", width, height,
             OCT_IMAGE_MAX_PIXELS);
    return false;
  }
  image->pixels = malloc((size_t)width * height * 3);
  if (image->pixels == NULL) {
    snprintf(message, OCT_IMAGE_MESSAGE, "no memory for %u×%u pixels", width, height);
    return false;
  }
  image->width = width;
  image->height = height;
  return true;
}

void oct_image_free(oct_image *image) {
  free(image->pixels);
  *image = (oct_image){0};
}

bool oct_image_decode(const uint8_t *bytes, size_t count, oct_image *image, char message[OCT_IMAGE_MESSAGE]) {
  static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, jpeg[] = {0xff, 0xd8, 0xff};
  *image = (oct_image){0};
  message[0] = 0;
  bool decoded = false;
  if (count >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
    decoded = oct_png_decode(bytes, count, image, message);
  else if (count >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
    decoded = oct_jpeg_decode(bytes, count, image, message);
  else
    snprintf(message, OCT_IMAGE_MESSAGE, count == 0 ? "the file is empty" : "neither a PNG nor a JPEG by its first bytes");
  if (!decoded) oct_image_free(image);
  return decoded;
}
#endif
