#include "CTransforms.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

// The remainder that a byte leaves, from those of its bits.
#define OCT_BIT(byte, bit, rest) (((byte) >> (bit) & 1) ? UINT32_C(rest) : 0)

static uint32_t remainder_of(uint32_t byte) {
  return OCT_BIT(byte, 0, 0xf26b8303) ^ OCT_BIT(byte, 1, 0xe13b70f7) ^ OCT_BIT(byte, 2, 0xc79a971f) ^
         OCT_BIT(byte, 3, 0x8ad958cf) ^ OCT_BIT(byte, 4, 0x105ec76f) ^ OCT_BIT(byte, 5, 0x20bd8ede) ^
         OCT_BIT(byte, 6, 0x417b1dbc) ^ OCT_BIT(byte, 7, 0x82f63b78);
}

uint32_t oct_crc32c_portable(const uint8_t *bytes, size_t count) {
  uint32_t table[256];
  for (uint32_t byte = 0; byte < 256; byte++) table[byte] = remainder_of(byte);
  uint32_t rest = UINT32_MAX;
  for (size_t i = 0; i < count; i++) rest = table[(rest ^ bytes[i]) & 0xff] ^ rest >> 8;
  return ~rest;
}

#if defined(__x86_64__)

// Three cycles for eight bytes, whatever the processor: some gigabytes a second.
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(const uint8_t *bytes, size_t count) {
  uint64_t rest = UINT32_MAX;
  for (; count >= 8; bytes += 8, count -= 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes, 8);
    rest = _mm_crc32_u64(rest, word);
  }
  for (; count > 0; bytes++, count--) rest = _mm_crc32_u8((uint32_t)rest, *bytes);
  return ~(uint32_t)rest;
}

uint32_t oct_crc32c(const uint8_t *bytes, size_t count) {
  return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(bytes, count) : oct_crc32c_portable(bytes, count);
}

#elif defined(__ARM_FEATURE_CRC32)

uint32_t oct_crc32c(const uint8_t *bytes, size_t count) {
  uint32_t rest = UINT32_MAX;
  for (; count >= 8; bytes += 8, count -= 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes, 8);
    rest = __crc32cd(rest, word);
  }
  for (; count > 0; bytes++, count--) rest = __crc32cb(rest, *bytes);
  return ~rest;
}

#else

uint32_t oct_crc32c(const uint8_t *bytes, size_t count) { return oct_crc32c_portable(bytes, count); }

#endif
