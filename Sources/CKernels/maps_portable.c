// Leaves for any processor: 128-bit vectors are SSE2 on x86 and NEON on arm64.
#include "maps.h"

#define OCT_ISA_SUFFIX portable
#define OCT_VECTOR_WIDTH 4
#if defined(__aarch64__)
#define OCT_HAS_FMA 1
#else
#define OCT_HAS_FMA 0
#endif

#include "maps_leaf.inc"
