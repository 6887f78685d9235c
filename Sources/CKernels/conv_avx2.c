// Convolution micro-kernels for AVX2 and FMA: 16 registers of 8 floats.
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "conv_internal.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define OCT_ISA_SUFFIX avx2
#define OCT_VECTOR_WIDTH 8
#define OCT_HAS_FMA 1
#include "vector_activation.h"
#include "lanes.h"

#define OCT_LEAF_VECTORS 2
#define OCT_OUTER_VECTORS 2
#define OCT_LEAF_MAX_ROWS 12
#define OCT_LEAF_ROWS(nv) ((nv) >= 2 ? 6 : 12)
#define OCT_LEAF_KERNELS OCT_KERNELS(1, 12) OCT_KERNELS(2, 6)
#define OCT_LEAF_DISPATCH(name, arguments)              \
  case 1: OCT_LEAF(name##_1) arguments; break;          \
  case 2: OCT_LEAF(name##_2) arguments; break;
// A pixel's columns are read where they lie a third of a line at a time; tiles of six rows gain by packing them.
#define OCT_PACKS_OUTER 1
// Elements of a group whose sums of three taps are kept in registers.
#define OCT_GROUPED_DEPTH 4
#define OCT_LEAF_BURN 12
#define OCT_BURN_REGISTER(v) "+x"(v)
#include "conv_leaf.inc"
#pragma clang attribute pop
#endif
