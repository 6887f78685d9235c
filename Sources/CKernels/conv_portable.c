// Convolution micro-kernels for everything else, arm64 included: registers of 4 floats.
#include <stdint.h>
#include <string.h>

#include "conv_internal.h"

#define OCT_ISA_SUFFIX portable
#define OCT_VECTOR_WIDTH 4
#if defined(__aarch64__)
#define OCT_HAS_FMA 1
#else
#define OCT_HAS_FMA 0
#endif
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
#if defined(__aarch64__)
#define OCT_BURN_REGISTER(v) "+w"(v)
#elif defined(__x86_64__)
#define OCT_BURN_REGISTER(v) "+x"(v)
#else
#define OCT_BURN_REGISTER(v) "+m"(v)
#endif
#include "conv_leaf.inc"
