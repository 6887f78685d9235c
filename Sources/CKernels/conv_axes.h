// The pixels of an axis and the taps they read, forward and backward (oct_sweep_axis).
#ifndef OCT_CONV_AXES_H
#define OCT_CONV_AXES_H

#include "conv_internal.h"

/// Taps of pixel t that fall inside the map.
static inline void oct_valid_taps(const oct_sweep_axis *axis, ptrdiff_t t, ptrdiff_t *begin, ptrdiff_t *end) {
  const ptrdiff_t position = axis->src_base + axis->src_step * t;
  *begin = oct_min(oct_max(0, -position), axis->taps);
  *end = oct_max(oct_min(axis->taps, axis->src_size - position), *begin);
}

/// End of the run of pixels from t on whose taps inside the map are those of t, [begin, end).
static inline ptrdiff_t oct_same_taps_end(const oct_sweep_axis *axis, ptrdiff_t t, ptrdiff_t *begin, ptrdiff_t *end) {
  oct_valid_taps(axis, t, begin, end);
  for (ptrdiff_t next = t + 1; next < axis->count; next++) {
    ptrdiff_t b, e;
    oct_valid_taps(axis, next, &b, &e);
    if (b != *begin || e != *end) return next;
  }
  return axis->count;
}

/// Output pixels of forward.
static inline oct_sweep_axis oct_forward_axis(ptrdiff_t count, ptrdiff_t size, ptrdiff_t kernel, ptrdiff_t stride,
                                              ptrdiff_t padding) {
  return (oct_sweep_axis){.count = count, .dst_first = 0, .dst_step = 1, .src_base = -padding, .src_step = stride,
                          .src_size = size, .taps = kernel, .weight_first = 0, .weight_step = 1};
}

/// The pixels of one residue of backward-data. A source pixel reads diff_dst at (i + padding − k) / stride for the k that
/// divide, so pixels of equal (i + padding) mod stride read the same k. `count` may be 0. `reversed` where the taps of a row
/// are stored backwards.
static inline oct_sweep_axis oct_residue_axis(ptrdiff_t size, ptrdiff_t diff_size, ptrdiff_t kernel, ptrdiff_t stride,
                                              ptrdiff_t padding, ptrdiff_t residue, bool reversed) {
  // First pixel whose position plus padding leaves the residue.
  const ptrdiff_t first = ((residue - padding) % stride + stride) % stride;
  const ptrdiff_t taps = kernel > residue ? oct_ceil_div(kernel - residue, stride) : 0;
  // Tap j counts upwards in position, so downwards in kernel index: k = residue + stride·(taps − 1 − j).
  const ptrdiff_t last = residue + stride * (taps - 1);
  return (oct_sweep_axis){
      .count = size > first ? oct_ceil_div(size - first, stride) : 0,
      .dst_first = first,
      .dst_step = stride,
      .src_base = (first + padding - residue) / stride - (taps - 1),
      .src_step = 1,
      .src_size = diff_size,
      .taps = taps,
      .weight_first = reversed ? kernel - 1 - last : last,
      .weight_step = reversed ? stride : -stride,
  };
}

#endif  // OCT_CONV_AXES_H
