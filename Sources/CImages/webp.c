// Still WebP images, lossy and lossless, decoded as a whole: libwebp keeps all of a lossless one anyway.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>

#include "image_internal.h"

bool oct_is_webp(const uint8_t *bytes, size_t count) {
  return count >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

static const char *problem_of(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY: return "no memory";
    case VP8_STATUS_NOT_ENOUGH_DATA: return "truncated";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "a feature that libwebp does not know";
    default: return "damaged";
  }
}

static bool refuse(char *message, const char *problem) {
  snprintf(message, OCT_IMAGE_MESSAGE, "WebP: %s", problem);
  return false;
}

bool oct_webp_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return refuse(message, "another libwebp than the one it was built with");
  VP8StatusCode status = WebPGetFeatures(bytes, count, &config.input);
  if (status != VP8_STATUS_OK) return refuse(message, problem_of(status));
  if (config.input.has_animation) return refuse(message, "found an animation, expected one image");
  const size_t width = (size_t)config.input.width, height = (size_t)config.input.height;
  // Flat images take hardly a byte, so that some pixels are free.
  if (width * height / 64 > 8 * (uint64_t)count + OCT_IMAGE_FREE_BLOCKS)
    return refuse(message, "truncated: fewer bytes than its pixels need");
  if (!oct_sink_begin(sink, (uint32_t)width, (uint32_t)height, message)) return false;
  uint8_t *pixels = malloc(3 * width * height);
  if (pixels == NULL) return refuse(message, "no memory");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = (WebPRGBABuffer){.rgba = pixels, .stride = (int)(3 * width), .size = 3 * width * height};
  status = WebPDecode(bytes, count, &config);
  for (size_t y = 0; y < height && status == VP8_STATUS_OK; y++)
    oct_sink_row(sink, (uint32_t)y, pixels + 3 * width * y, 3);
  WebPFreeDecBuffer(&config.output);
  free(pixels);
  return status == VP8_STATUS_OK || refuse(message, problem_of(status));
}
#endif
