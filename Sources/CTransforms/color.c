// Pillow's ImageEnhance (Blend.c, Filter.c), and hues as torchvision turns them (Convert.c).
#include <math.h>
#include <string.h>

#include "CTransforms.h"

// Products and sums are rounded one by one, as in Pillow.
#pragma STDC FP_CONTRACT OFF

static inline uint8_t clipped(float v) { return v <= 0.0f ? 0 : v >= 255.0f ? 255 : (uint8_t)v; }

/// In float and cut, not rounded, as Pillow does. Its two cases, within the two images and beyond, come to the same.
static inline uint8_t blended(uint8_t from, uint8_t to, float factor) {
  return clipped((float)from + factor * (float)((int)to - (int)from));
}

/// 65536 times ITU-R 601's parts.
static inline uint8_t gray_of(const uint8_t *rgb) {
  return (uint8_t)((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 0x8000) >> 16);
}

void oct_pixels_brightness(ptrdiff_t pixels, int channels, float factor, uint8_t *image) {
  for (ptrdiff_t i = 0; i < pixels * channels; i++) image[i] = blended(0, image[i], factor);
}

void oct_pixels_color(ptrdiff_t pixels, int channels, float factor, uint8_t *image) {
  if (channels != 3) return;
  for (ptrdiff_t i = 0; i < pixels; i++, image += 3) {
    const uint8_t gray = gray_of(image);
    for (int c = 0; c < 3; c++) image[c] = blended(gray, image[c], factor);
  }
}

void oct_pixels_contrast(ptrdiff_t pixels, int channels, float factor, uint8_t *image) {
  int64_t sum = 0;
  for (ptrdiff_t i = 0; i < pixels; i++) sum += channels == 3 ? gray_of(image + 3 * i) : image[i];
  const uint8_t mean = (uint8_t)((double)sum / (double)pixels + 0.5);
  for (ptrdiff_t i = 0; i < pixels * channels; i++) image[i] = blended(mean, image[i], factor);
}

void oct_pixels_sharpness(ptrdiff_t width, ptrdiff_t height, int channels, float factor, const uint8_t *src, uint8_t *dst) {
  // ImageFilter.SMOOTH; a border of one pixel stays as it is.
  const float side = 1.0f / 13.0f, middle = 5.0f / 13.0f;
  const ptrdiff_t row = width * channels;
  memcpy(dst, src, (size_t)(row * height));
  for (ptrdiff_t y = 1; y + 1 < height; y++)
    for (ptrdiff_t x = channels; x < row - channels; x++) {
      const uint8_t *at = src + y * row + x, *above = at - row, *below = at + row;
      // Rows from the last to the first, as Pillow's kernels lie: sums of floats have an order.
      float sum = 0.5f;
      sum += (float)below[-channels] * side + (float)below[0] * side + (float)below[channels] * side;
      sum += (float)at[-channels] * side + (float)at[0] * middle + (float)at[channels] * side;
      sum += (float)above[-channels] * side + (float)above[0] * side + (float)above[channels] * side;
      dst[y * row + x] = blended(clipped(sum), *at, factor);
    }
}

// MARK: Hue

static inline uint8_t byte_of(int v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

static void to_hsv(const uint8_t *rgb, uint8_t *hsv) {
  const uint8_t r = rgb[0], g = rgb[1], b = rgb[2];
  const uint8_t most = r > g ? (r > b ? r : b) : (g > b ? g : b), least = r < g ? (r < b ? r : b) : (g < b ? g : b);
  hsv[0] = hsv[1] = 0;
  hsv[2] = most;
  if (most == least) return;
  const float range = (float)(most - least), s = range / (float)most;
  const float rc = (float)(most - r) / range, gc = (float)(most - g) / range, bc = (float)(most - b) / range;
  float h;
  if (r == most)
    h = bc - gc;
  else if (g == most)
    h = (float)(2.0 + (double)rc - (double)bc);
  else
    h = (float)(4.0 + (double)gc - (double)rc);
  h = (float)fmod((double)h / 6.0 + 1.0, 1.0);
  hsv[0] = byte_of((int)((double)h * 255.0));
  hsv[1] = byte_of((int)((double)s * 255.0));
}

static void to_rgb(const uint8_t *hsv, uint8_t *rgb) {
  const uint8_t h = hsv[0], s = hsv[1], v = hsv[2];
  if (s == 0) {
    rgb[0] = rgb[1] = rgb[2] = v;
    return;
  }
  const int sixth = (int)floor((double)h * 6.0 / 255.0);
  const float f = (float)((double)h * 6.0 / 255.0 - (double)(float)sixth), fs = (float)((double)s / 255.0);
  const uint8_t p = byte_of((int)round((double)v * (1.0 - (double)fs)));
  const uint8_t q = byte_of((int)round((double)v * (1.0 - (double)(fs * f))));
  const uint8_t t = byte_of((int)round((double)v * (1.0 - (double)fs * (1.0 - (double)f))));
  const uint8_t colors[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
  memcpy(rgb, colors[sixth % 6], 3);
}

void oct_pixels_hue(ptrdiff_t pixels, int channels, uint8_t shift, uint8_t *image) {
  if (channels != 3) return;
  for (ptrdiff_t i = 0; i < pixels; i++, image += 3) {
    uint8_t hsv[3];
    to_hsv(image, hsv);
    hsv[0] = (uint8_t)(hsv[0] + shift);
    to_rgb(hsv, image);
  }
}
