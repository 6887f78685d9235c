// Convolutions whose groups are narrower than a block: how their channels lie in vectors, and the contract of their
// micro-kernels.
//
// A vector of dst holds the channels of several groups, or a slice of one group's. With P whole groups, its lane c wants
// element k of group c / (oc / g): a permutation of one vector of src. That permuted vector serves all taps of a row, and so
// several pixels of dst. Where a vector holds one group only, the permutation is a broadcast.
#ifndef OCT_CONV_GROUPED_H
#define OCT_CONV_GROUPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CKernels.h"

enum {
  OCT_MOST_GROUP_CHANNELS = 16,  // of a group; the sweeps are faster with more
  OCT_MOST_GROUPED_TAPS = 3,     // in a row, and as many as the micro-kernels have pixels at hand
  OCT_MOST_GROUPED_STEP = 2,
};

/// Pixels of a row of dst for one vector of channels: for x < count and c < dst_lanes
///
///     dst[x·dst_pixel + c] = epilogue(start + Σ src[y·src_row + (first + x·step + t)·src_pixel + lane(k, c)] · weights[y·weight_row + t·weight_tap + k·width + c])
///
/// over y < rows, t < taps with 0 ≤ first + x·step + t < src_size, and k < depth. Steps are in floats.
typedef struct oct_grouped_run {
  const float *src, *weights;
  float *dst;
  const int32_t *lanes;  // [depth][width]: lane(k, c); NULL where it is k
  ptrdiff_t count, rows, taps, depth;
  ptrdiff_t first, step, src_size;
  ptrdiff_t src_lanes, dst_lanes;
  ptrdiff_t src_row, src_pixel, weight_row, weight_tap, dst_pixel;
  bool accumulate;            // sums start from dst
  const float *scale, *bias;  // of the first channel; NULL, 0 and the identity as in oct_conv_tile
  uintptr_t residual;
  oct_activation activation;
} oct_grouped_run;

/// What some rows of dst give the weights of one row of taps:
///
///     sums[t·sums_tap + k·width + c] += Σ src[y·src_row + (first + x·step + t)·src_pixel + lane(k, c)] · diff[y·diff_row + x·diff_pixel + c]
///
/// over y < rows, and x < count with 0 ≤ first + x·step + t < src_size.
typedef struct oct_grouped_outer {
  const float *src, *diff;
  float *sums;
  const int32_t *lanes;
  ptrdiff_t count, rows, taps, depth;
  ptrdiff_t first, step, src_size;
  ptrdiff_t src_lanes, diff_lanes;
  ptrdiff_t src_row, src_pixel, diff_row, diff_pixel, sums_tap;
} oct_grouped_outer;

#endif  // OCT_CONV_GROUPED_H
