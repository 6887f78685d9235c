// Leaves for AVX-512 (F, BW, DQ, VL).
#if defined(__x86_64__)
#include <immintrin.h>

#include "maps.h"

#define OCT_ISA_SUFFIX avx512
#define OCT_VECTOR_WIDTH 16
#define OCT_HAS_FMA 1

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), \
                             apply_to = function)
#include "maps_leaf.inc"
#pragma clang attribute pop
#endif
