// Leaves for AVX2 with FMA.
#if defined(__x86_64__)
#include <immintrin.h>

#include "maps.h"

#define OCT_ISA_SUFFIX avx2
#define OCT_VECTOR_WIDTH 8
#define OCT_HAS_FMA 1

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "maps_leaf.inc"
#pragma clang attribute pop
#endif
