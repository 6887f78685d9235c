// How the pixels and channels of a backward pass with respect to the weights are cut (conv_backward_weights.c), for the way
// that 1×1 convolutions take (conv_backward_weights_packed.c).
#ifndef OCT_CONV_BACKWARD_WEIGHTS_H
#define OCT_CONV_BACKWARD_WEIGHTS_H

#include "conv_internal.h"

typedef struct oct_outer_plan {
  ptrdiff_t taps, icg, ocg, blocks;
  ptrdiff_t block_runs, ic_runs;  // of a group
  ptrdiff_t parts;                // of the pixels
  ptrdiff_t chunk;                // pixels
  bool far;                       // diff_dst has to come from memory
  bool packs;                     // source pixels too
} oct_outer_plan;

/// A share of the work: diff_weights of a run of blocks and a run of ic of one group, over one part of the pixels.
typedef struct oct_outer_unit {
  ptrdiff_t group, block0, block1, ic0, ic1, pixel0, pixel1;
} oct_outer_unit;

/// Whether a convolution's outer products are of packed pixels, where a unit has so many blocks.
bool oct_outer_packs(const oct_conv2d_desc *d, ptrdiff_t blocks);
ptrdiff_t oct_outer_packed_thread_bytes(const oct_outer_plan *plan);
void oct_outer_packed_run(const oct_conv2d_desc *d, const oct_outer_plan *plan, const oct_outer_unit *unit, const float *src,
                          const float *diff_dst, float *weights, bool accumulate, void *scratch);

#endif  // OCT_CONV_BACKWARD_WEIGHTS_H
