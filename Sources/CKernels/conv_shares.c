// How a convolution's multiplications are shared out among threads, without computing them: each thread's part of a pass is
// run with micro-kernels that count. For tests, which can ask for more threads than the machine has.
#include "conv_internal.h"

static _Thread_local double counted = 0;

double oct_take_count(void) {
  const double count = counted;
  counted = 0;
  return count;
}

static void count_accumulate(const oct_conv_tile *tile, const oct_conv_entry *entries, ptrdiff_t count, ptrdiff_t first,
                             ptrdiff_t rows) {
  (void)first;
  ptrdiff_t k = 0;
  for (ptrdiff_t e = 0; e < count; e++) k += entries[e].k;
  counted += (double)(rows * tile->columns) * (double)k;
}

static ptrdiff_t whole_rows(ptrdiff_t columns) {
  (void)columns;
  return 6;
}

static void no_transpose(ptrdiff_t height, ptrdiff_t width, const float *src, ptrdiff_t src_stride, float *dst,
                         ptrdiff_t dst_stride) {
  (void)height, (void)width, (void)src, (void)src_stride, (void)dst, (void)dst_stride;
}

static void no_source(const float *const *pixels, ptrdiff_t channels, float *dst, ptrdiff_t stride) {
  (void)pixels, (void)channels, (void)dst, (void)stride;
}

static void no_weights(const float *const *taps, ptrdiff_t count, float *dst, ptrdiff_t stride) {
  (void)taps, (void)count, (void)dst, (void)stride;
}

static void no_output(const oct_winograd_tile *tile, ptrdiff_t columns, const float *sums, ptrdiff_t stride) {
  (void)tile, (void)columns, (void)sums, (void)stride;
}

const oct_conv_leaf oct_conv_leaf_counting = {
    .vector_width = OCT_LANE,
    .accumulate = count_accumulate,
    .max_rows = whole_rows,
    .transpose = no_transpose,
    .winograd = {{no_source, no_weights, no_output, NULL, NULL}, {no_source, no_weights, no_output, NULL, NULL}},
};
