// libpng reports errors by longjmp, which Swift code must never be crossed by.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_internal.h"

typedef struct png_input {
  const uint8_t *bytes;
  size_t left;
} png_input;

static void read_bytes(png_structp png, png_bytep data, size_t count) {
  png_input *input = png_get_io_ptr(png);
  if (count > input->left) png_error(png, "truncated");
  memcpy(data, input->bytes, count);
  input->bytes += count;
  input->left -= count;
}

static void fail(png_structp png, png_const_charp problem) {
  snprintf(png_get_error_ptr(png), OCT_IMAGE_MESSAGE, "PNG: %s", problem);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp problem) { (void)png, (void)problem; }

/// Whatever the file holds, as 8-bit RGB.
static void expect_rgb(png_structp png, png_infop info) {
  const int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
  if (depth == 16) png_set_strip_16(png);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (!(type & PNG_COLOR_MASK_COLOR)) {
    if (depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    png_set_gray_to_rgb(png);
  }
  // Also what a palette's transparency becomes.
  png_set_strip_alpha(png);
}

bool oct_png_decode(const uint8_t *bytes, size_t count, oct_image *image, char *message) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, fail, ignore);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  png_bytep *volatile rows = NULL;
  if (info == NULL) {
    snprintf(message, OCT_IMAGE_MESSAGE, "no memory");
    png_destroy_read_struct(&png, NULL, NULL);
    return false;
  }
  png_input input = {bytes, count};
  if (setjmp(png_jmpbuf(png))) {
    free(rows);
    png_destroy_read_struct(&png, &info, NULL);
    return false;
  }
  png_set_read_fn(png, &input, read_bytes);
  png_set_user_limits(png, OCT_IMAGE_MAX_PIXELS, OCT_IMAGE_MAX_PIXELS);
  png_read_info(png, info);
  const uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if (!oct_image_allocate(image, width, height, message)) png_longjmp(png, 1);
  expect_rgb(png, info);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != (size_t)width * 3) png_error(png, "unknown kind of pixels");
  rows = malloc(height * sizeof *rows);
  if (rows == NULL) png_error(png, "no memory");
  for (uint32_t y = 0; y < height; y++) rows[y] = image->pixels + (size_t)y * width * 3;
  png_read_image(png, rows);
  png_read_end(png, NULL);
  free(rows);
  png_destroy_read_struct(&png, &info, NULL);
  return true;
}
#endif
