// Convolution micro-kernels for AVX-512: 32 registers of 16 floats.
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "conv_internal.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#define OCT_ISA_SUFFIX avx512
#define OCT_VECTOR_WIDTH 16
#define OCT_HAS_FMA 1
#include "vector_activation.h"
#include "lanes.h"

#define OCT_LEAF_VECTORS 4
#define OCT_OUTER_VECTORS 4
#define OCT_LEAF_MAX_ROWS 14
// 24 to 24 accumulators; narrower tiles take more rows to keep the multiply–add units busy.
#define OCT_LEAF_ROWS(nv) ((nv) >= 4 ? 6 : (nv) == 3 ? 8 : (nv) == 2 ? 12 : 14)
#define OCT_LEAF_KERNELS OCT_KERNELS(1, 14) OCT_KERNELS(2, 12) OCT_KERNELS(3, 8) OCT_KERNELS(4, 6)
#define OCT_LEAF_DISPATCH(name, arguments)              \
  case 1: OCT_LEAF(name##_1) arguments; break;          \
  case 2: OCT_LEAF(name##_2) arguments; break;          \
  case 3: OCT_LEAF(name##_3) arguments; break;          \
  case 4: OCT_LEAF(name##_4) arguments; break;
// Elements of a group whose sums of three taps are kept in registers.
#define OCT_GROUPED_DEPTH 8
#define OCT_LEAF_BURN 24
#define OCT_BURN_REGISTER(v) "+v"(v)
#include "conv_leaf.inc"
#pragma clang attribute pop
#endif
