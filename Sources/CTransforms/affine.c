// Pillow's affine maps (Geometry.c): nearest in 16.16 fixed point, or by a table where axes do not mix, and bilinear in
// double, each with its own rounding.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "CTransforms.h"

// Products and sums are rounded one by one, as in Pillow.
#pragma STDC FP_CONTRACT OFF

static inline void copy_pixel(const oct_pixels *src, ptrdiff_t x, ptrdiff_t y, uint8_t *dst) {
  const uint8_t *pixel = src->base + y * src->row_bytes + x * src->channels;
  for (int c = 0; c < src->channels; c++) dst[c] = pixel[c];
}

/// A place as Pillow rounds it towards zero; −1 left of the image.
static inline ptrdiff_t place(double v) { return v < 0.0 ? -1 : v > 2e9 ? (ptrdiff_t)2e9 : (ptrdiff_t)v; }

static void scale(const oct_pixels *src, const double m[6], uint8_t *dst) {
  double from_y = m[5] + m[4] * 0.5;
  for (ptrdiff_t y = 0; y < src->height; y++, from_y += m[4]) {
    const ptrdiff_t row = place(from_y);
    if (row < 0 || row >= src->height) continue;
    double from_x = m[2] + m[0] * 0.5;
    for (ptrdiff_t x = 0; x < src->width; x++, from_x += m[0]) {
      const ptrdiff_t column = place(from_x);
      if (column >= 0 && column < src->width)
        copy_pixel(src, column, row, dst + (y * src->width + x) * src->channels);
    }
  }
}

static bool fits_fixed(const double m[6], double x, double y) {
  return fabs(x * m[0] + y * m[1] + m[2]) < 32768.0 && fabs(x * m[3] + y * m[4] + m[5]) < 32768.0;
}

static int64_t fixed(double v) { return (int64_t)floor(v * 65536.0 + 0.5); }

static void nearest_fixed(const oct_pixels *src, const double m[6], uint8_t *dst) {
  int64_t row_x = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5), row_y = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
  const int64_t dx_x = fixed(m[0]), dx_y = fixed(m[3]), dy_x = fixed(m[1]), dy_y = fixed(m[4]);
  for (ptrdiff_t y = 0; y < src->height; y++, row_x += dy_x, row_y += dy_y) {
    int64_t from_x = row_x, from_y = row_y;
    for (ptrdiff_t x = 0; x < src->width; x++, from_x += dx_x, from_y += dx_y, dst += src->channels) {
      const int64_t column = from_x >> 16, row = from_y >> 16;
      if (column >= 0 && column < src->width && row >= 0 && row < src->height)
        copy_pixel(src, (ptrdiff_t)column, (ptrdiff_t)row, dst);
    }
  }
}

static void nearest_double(const oct_pixels *src, const double m[6], uint8_t *dst) {
  double row_x = m[2] + m[0] * 0.5 + m[1] * 0.5, row_y = m[5] + m[3] * 0.5 + m[4] * 0.5;
  for (ptrdiff_t y = 0; y < src->height; y++, row_x += m[1], row_y += m[4]) {
    double from_x = row_x, from_y = row_y;
    for (ptrdiff_t x = 0; x < src->width; x++, from_x += m[0], from_y += m[3], dst += src->channels) {
      const ptrdiff_t column = place(from_x), row = place(from_y);
      if (column >= 0 && column < src->width && row >= 0 && row < src->height) copy_pixel(src, column, row, dst);
    }
  }
}

static ptrdiff_t clipped(ptrdiff_t v, ptrdiff_t size) { return v < 0 ? 0 : v < size ? v : size - 1; }

static void bilinear(const oct_pixels *src, const double m[6], uint8_t *dst) {
  const int channels = src->channels;
  for (ptrdiff_t y = 0; y < src->height; y++)
    for (ptrdiff_t x = 0; x < src->width; x++, dst += channels) {
      const double px = (double)x + 0.5, py = (double)y + 0.5;
      double from_x = m[0] * px + m[1] * py + m[2], from_y = m[3] * px + m[4] * py + m[5];
      if (!(from_x >= 0.0 && from_x < (double)src->width && from_y >= 0.0 && from_y < (double)src->height)) continue;
      from_x -= 0.5;
      from_y -= 0.5;
      const ptrdiff_t column = (ptrdiff_t)floor(from_x), row = (ptrdiff_t)floor(from_y);
      const double dx = from_x - (double)column, dy = from_y - (double)row;
      const uint8_t *above = src->base + clipped(row, src->height) * src->row_bytes;
      const uint8_t *below = row + 1 >= 0 && row + 1 < src->height ? src->base + (row + 1) * src->row_bytes : above;
      const ptrdiff_t left = clipped(column, src->width) * channels, right = clipped(column + 1, src->width) * channels;
      for (int c = 0; c < channels; c++) {
        const double first = above[left + c] * (1.0 - dx) + above[right + c] * dx;
        const double second = below[left + c] * (1.0 - dx) + below[right + c] * dx;
        dst[c] = (uint8_t)(first * (1.0 - dy) + second * dy);
      }
    }
}

void oct_pixels_affine(const oct_pixels *src, const double m[6], oct_filter filter, uint8_t *dst) {
  const double width = (double)src->width, height = (double)src->height;
  memset(dst, 0, (size_t)(src->width * src->height * src->channels));
  if (filter != OCT_NEAREST)
    bilinear(src, m, dst);
  else if (m[1] == 0 && m[3] == 0)
    scale(src, m, dst);
  else if (fits_fixed(m, 0, 0) && fits_fixed(m, width, height) && fits_fixed(m, 0, height) && fits_fixed(m, width, 0))
    nearest_fixed(src, m, dst);
  else
    nearest_double(src, m, dst);
}

void oct_pixels_mirror(ptrdiff_t width, ptrdiff_t height, int channels, uint8_t *pixels) {
  for (ptrdiff_t y = 0; y < height; y++, pixels += width * channels)
    for (ptrdiff_t a = 0, b = width - 1; a < b; a++, b--)
      for (int c = 0; c < channels; c++) {
        const uint8_t value = pixels[a * channels + c];
        pixels[a * channels + c] = pixels[b * channels + c];
        pixels[b * channels + c] = value;
      }
}
