// EXIF's orientation, the only thing of a photograph's metadata that changes what one sees.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <string.h>

#include "image_internal.h"

oct_turn oct_turn_of(int orientation) {
  switch (orientation) {
    case 2: return (oct_turn){.mirrors_x = true};
    case 3: return (oct_turn){.mirrors_x = true, .mirrors_y = true};
    case 4: return (oct_turn){.mirrors_y = true};
    case 5: return (oct_turn){.transposes = true};
    case 6: return (oct_turn){.mirrors_y = true, .transposes = true};
    case 7: return (oct_turn){.mirrors_x = true, .mirrors_y = true, .transposes = true};
    case 8: return (oct_turn){.mirrors_x = true, .transposes = true};
    default: return (oct_turn){0};
  }
}

static uint32_t number(const uint8_t *bytes, int length, bool is_little) {
  uint32_t value = 0;
  for (int i = 0; i < length; i++) value |= (uint32_t)bytes[i] << 8 * (is_little ? i : length - 1 - i);
  return value;
}

/// Tag 0x0112 of the first directory of a TIFF header and what follows it; 1 where it is not there.
static int orientation_of_tiff(const uint8_t *tiff, size_t count) {
  if (count < 8 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0)) return 1;
  const bool is_little = tiff[0] == 'I';
  const size_t directory = number(tiff + 4, 4, is_little);
  if (directory > count || count - directory < 2) return 1;
  const size_t entries = number(tiff + directory, 2, is_little);
  for (size_t i = 0; i < entries; i++) {
    const size_t at = directory + 2 + 12 * i;
    if (count - at < 12 || at > count) return 1;
    if (number(tiff + at, 2, is_little) != 0x0112) continue;
    const uint32_t type = number(tiff + at + 2, 2, is_little), value = number(tiff + at + 8, 2, is_little);
    return type == 3 && value >= 1 && value <= 8 ? (int)value : 1;
  }
  return 1;
}

/// The segments in front of the first scan.
static int orientation_of_jpeg(const uint8_t *bytes, size_t count) {
  for (size_t at = 2; count - at >= 4 && bytes[at] == 0xff;) {
    const uint8_t marker = bytes[at + 1];
    if (marker == 0xff) {  // a byte of padding
      at++;
      continue;
    }
    if (marker == 0xda || marker == 0xd9) break;
    const size_t length = number(bytes + at + 2, 2, false);
    if (length < 2 || length > count - at - 2) break;
    if (marker == 0xe1 && length >= 8 && memcmp(bytes + at + 4, "Exif\0\0", 6) == 0)
      return orientation_of_tiff(bytes + at + 10, length - 8);
    at += 2 + length;
  }
  return 1;
}

static int orientation_of_png(const uint8_t *bytes, size_t count) {
  for (size_t at = 8; count - at >= 12;) {
    const size_t length = number(bytes + at, 4, false);
    if (length > count - at - 12) break;
    if (memcmp(bytes + at + 4, "eXIf", 4) == 0) return orientation_of_tiff(bytes + at + 8, length);
    at += 12 + length;
  }
  return 1;
}

/// Chunks of RIFF, whose lengths leave out a byte that makes them even.
static int orientation_of_webp(const uint8_t *bytes, size_t count) {
  for (size_t at = 12; count - at >= 8;) {
    const size_t length = number(bytes + at + 4, 4, true);
    if (length > count - at - 8) break;
    const uint8_t *chunk = bytes + at + 8;
    if (memcmp(bytes + at, "EXIF", 4) == 0) {
      // Some programs write what stands in front of it in a JPEG.
      const size_t prefix = length >= 6 && memcmp(chunk, "Exif\0\0", 6) == 0 ? 6 : 0;
      return orientation_of_tiff(chunk + prefix, length - prefix);
    }
    at += 8 + length + (length & 1);
    if (at > count) break;
  }
  return 1;
}

int oct_image_orientation(const uint8_t *bytes, size_t count) {
  if (oct_is_jpeg(bytes, count)) return orientation_of_jpeg(bytes, count);
  if (oct_is_png(bytes, count)) return orientation_of_png(bytes, count);
  if (oct_is_webp(bytes, count)) return orientation_of_webp(bytes, count);
  return oct_is_tiff(bytes, count) ? oct_tiff_orientation(bytes, count) : 1;
}

bool oct_image_is_always_turned(const uint8_t *bytes, size_t count) { return oct_is_tiff(bytes, count); }
#endif
