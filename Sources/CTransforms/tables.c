// Changes of values one by one, as Pillow's ImageOps makes its tables of them.
#include <string.h>

#include "CTransforms.h"

// Products and sums are rounded one by one, as in Pillow.
#pragma STDC FP_CONTRACT OFF

static void look_up(ptrdiff_t pixels, int channels, int channel, const uint8_t table[256], uint8_t *image) {
  for (ptrdiff_t i = 0; i < pixels; i++) image[i * channels + channel] = table[image[i * channels + channel]];
}

static void look_up_all(ptrdiff_t count, const uint8_t table[256], uint8_t *image) {
  for (ptrdiff_t i = 0; i < count; i++) image[i] = table[image[i]];
}

static void count_values(ptrdiff_t pixels, int channels, int channel, const uint8_t *image, ptrdiff_t counts[256]) {
  memset(counts, 0, 256 * sizeof *counts);
  for (ptrdiff_t i = 0; i < pixels; i++) counts[image[i * channels + channel]]++;
}

void oct_pixels_posterize(ptrdiff_t pixels, int channels, int bits, uint8_t *image) {
  const uint8_t mask = (uint8_t)~((1 << (8 - bits)) - 1);
  for (ptrdiff_t i = 0; i < pixels * channels; i++) image[i] &= mask;
}

void oct_pixels_solarize(ptrdiff_t pixels, int channels, double threshold, uint8_t *image) {
  uint8_t table[256];
  for (int v = 0; v < 256; v++) table[v] = (uint8_t)((double)v < threshold ? v : 255 - v);
  look_up_all(pixels * channels, table, image);
}

void oct_pixels_autocontrast(ptrdiff_t pixels, int channels, uint8_t *image) {
  for (int c = 0; c < channels; c++) {
    ptrdiff_t counts[256];
    count_values(pixels, channels, c, image, counts);
    int low = 0, high = 255;
    while (low < 255 && counts[low] == 0) low++;
    while (high > 0 && counts[high] == 0) high--;
    if (high <= low) continue;
    const double scale = 255.0 / (double)(high - low), offset = -(double)low * scale;
    uint8_t table[256];
    for (int v = 0; v < 256; v++) {
      const int value = (int)((double)v * scale + offset);
      table[v] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    look_up(pixels, channels, c, table, image);
  }
}

void oct_pixels_equalize(ptrdiff_t pixels, int channels, uint8_t *image) {
  for (int c = 0; c < channels; c++) {
    ptrdiff_t counts[256];
    count_values(pixels, channels, c, image, counts);
    int kinds = 0, last = 0;
    for (int v = 0; v < 256; v++) {
      if (counts[v] == 0) continue;
      kinds++;
      last = v;
    }
    const ptrdiff_t step = (pixels - counts[last]) / 255;
    if (kinds <= 1 || step == 0) continue;
    uint8_t table[256];
    ptrdiff_t n = step / 2;
    for (int v = 0; v < 256; v++) {
      table[v] = (uint8_t)(n / step > 255 ? 255 : n / step);
      n += counts[v];
    }
    look_up(pixels, channels, c, table, image);
  }
}

void oct_pixels_to_floats(ptrdiff_t pixels, int channels, const uint8_t *src, const float *table, float *dst) {
  if (channels == 3) {
    for (ptrdiff_t i = 0; i < pixels; i++, src += 3, dst += 3) {
      dst[0] = table[src[0]];
      dst[1] = table[256 + src[1]];
      dst[2] = table[512 + src[2]];
    }
    return;
  }
  for (ptrdiff_t i = 0; i < pixels; i++)
    for (int c = 0; c < channels; c++) *dst++ = table[256 * c + *src++];
}
