// Convolution backward with respect to the map: a convolution of diff_dst with transposed weights.
//
// A source pixel reads diff_dst at (iy + ph − ky) / sh for the ky that divide. Pixels of equal (iy + ph) mod sh read the
// same ky, so each residue in y and x is a sweep of its own; with stride 1 there is one.
#include <string.h>

#include "conv_axes.h"

/// [g][ic block][kh][kw, reversed][oc / g][width]. Taps of a row are stored backwards because a source pixel reads
/// diff_dst from right to left: neighbouring taps then merge, as in forward.
static ptrdiff_t transposed_count(const oct_conv2d_desc *d) {
  return d->g * oct_padded(d->ic / d->g) * (d->oc / d->g) * d->kh * d->kw;
}

/// Whether any output pixel of an axis reads position 0 ..< size with kernel index k. On a 1×1 map only the middle tap
/// of a 3×3 does, and transposing the others would take longer than the convolution.
static bool tap_is_used(ptrdiff_t count, ptrdiff_t size, ptrdiff_t stride, ptrdiff_t padding, ptrdiff_t k) {
  // The first output whose position is not negative is the best candidate.
  const ptrdiff_t first = oct_max(0, oct_ceil_div(oct_max(0, padding - k), stride));
  return first < count && first * stride - padding + k < size;
}

/// One (group, ic block) of the transposed weights, at its place in `transposed`: taps [first, last).
static void transpose_taps(const oct_conv2d_desc *d, const float *restrict weights, float *restrict transposed,
                           ptrdiff_t group, ptrdiff_t block, ptrdiff_t first, ptrdiff_t last,
                           const oct_conv_leaf *leaf) {
  const ptrdiff_t icg = d->ic / d->g, ocg = d->oc / d->g, taps = d->kh * d->kw;
  const ptrdiff_t width = oct_block_width(icg, block), channels = oct_min(OCT_BLOCK, icg - block * OCT_BLOCK);
  for (ptrdiff_t tap = first; tap < last; tap++) {
    if (!tap_is_used(d->oh, d->ih, d->sh, d->ph, tap / d->kw) || !tap_is_used(d->ow, d->iw, d->sw, d->pw, tap % d->kw))
      continue;
    const ptrdiff_t reversed = tap / d->kw * d->kw + d->kw - 1 - tap % d->kw;
    float *out = transposed + (group * oct_padded(icg) + block * OCT_BLOCK) * ocg * taps + reversed * ocg * width;
    for (ptrdiff_t ob = 0; ob * OCT_BLOCK < ocg; ob++) {
      const ptrdiff_t out_width = oct_block_width(ocg, ob), out_channels = oct_min(OCT_BLOCK, ocg - ob * OCT_BLOCK);
      const float *in = weights + (group * oct_padded(ocg) + ob * OCT_BLOCK) * icg * taps +
                        (tap * icg + block * OCT_BLOCK) * out_width;
      float *rows = out + ob * OCT_BLOCK * width;
      // The next square, 16 KiB at some distance, arrives meanwhile.
      const float *next = in + OCT_BLOCK * icg * taps;
      for (ptrdiff_t at = 0; (ob + 1) * OCT_BLOCK < ocg && at < channels * out_width; at += OCT_LANE)
        __builtin_prefetch(next + at);
      leaf->transpose(channels, out_channels, in, out_width, rows, width);
      for (ptrdiff_t o = 0; o < out_channels; o++)
        for (ptrdiff_t i = channels; i < width; i++) rows[o * width + i] = 0;
    }
  }
}

static ptrdiff_t thread_bytes(const oct_conv2d_desc *d) {
  return oct_sweep_scratch_bytes(1, oct_sweep_most_entries(d->kh * d->kw, d->oc / d->g));
}

static ptrdiff_t transposed_bytes(const oct_conv2d_desc *d) {
  return oct_ceil_div(transposed_count(d) * (ptrdiff_t)sizeof(float), 64) * 64;
}

/// diff_dst as the source of the pixels of one residue in y and x.
static oct_sweep_source make_source(const oct_conv2d_desc *d, const float *diff_dst, const float *transposed,
                                    ptrdiff_t ry, ptrdiff_t rx) {
  return (oct_sweep_source){
      .y = oct_residue_axis(d->ih, d->oh, d->kh, d->sh, d->ph, ry, false),
      .x = oct_residue_axis(d->iw, d->ow, d->kw, d->sw, d->pw, rx, true),
      .src = diff_dst,
      .channels = d->oc,
      .weights = transposed,
      .k = d->oc / d->g,
      .tap_row = d->kw,
      .taps = d->kh * d->kw,
  };
}

static oct_sweep make_sweep(const oct_conv2d_desc *d, const oct_conv_leaf *leaf, const oct_sweep_source *source, float *diff_src,
                            bool accumulate) {
  return (oct_sweep){.leaf = leaf, .sources = source, .count = 1, .n = d->n, .g = d->g, .dst = diff_src, .dst_h = d->ih,
                     .dst_w = d->iw, .dst_channels = d->ic, .accumulate = accumulate, .direct = d->direct};
}

/// Transposed weights of one ic block.
static ptrdiff_t block_bytes(const oct_conv2d_desc *d) {
  return OCT_BLOCK * (d->oc / d->g) * d->kh * d->kw * (ptrdiff_t)sizeof(float);
}

ptrdiff_t oct_conv2d_backward_data_scratch_bytes(const oct_conv2d_desc *d, int threads) {
  if (oct_conv_is_depthwise(d)) return 0;
  if (oct_conv_is_narrow(d)) return oct_grouped_scratch_bytes(d);
  const oct_sweep_source source = make_source(d, NULL, NULL, 0, 0);
  const oct_sweep sweep = make_sweep(d, oct_conv_leaf_active(), &source, NULL, false);
  // Fewer images may take the direct sum, and then go block by block.
  const ptrdiff_t all = oct_max(thread_bytes(d) * threads, oct_winograd_scratch_bytes(&sweep, threads));
  return oct_max(transposed_bytes(d) + all, (thread_bytes(d) + block_bytes(d)) * threads);
}

/// What a call works on; `scratch` is laid out by the way it takes.
typedef struct work {
  const oct_conv2d_desc *d;
  const oct_conv_leaf *leaf;
  const float *diff_dst, *weights;
  float *diff_src;
  bool accumulate;
  char *scratch;
} work;

/// All transposed weights first, then the pixels.
static void run_all(const work *w, int thread, int threads) {
  const oct_conv2d_desc *d = w->d;
  float *transposed = (float *)w->scratch;
  char *rest = w->scratch + transposed_bytes(d);
  const ptrdiff_t taps = d->kh * d->kw, blocks = oct_ceil_div(d->ic / d->g, OCT_BLOCK);
#pragma omp for schedule(static)
  for (ptrdiff_t item = 0; item < d->g * blocks * taps; item++)
    transpose_taps(d, w->weights, transposed, item / (blocks * taps), item / taps % blocks, item % taps, item % taps + 1,
                   w->leaf);
  for (ptrdiff_t ry = 0; ry < d->sh; ry++)
    for (ptrdiff_t rx = 0; rx < d->sw; rx++) {
      const oct_sweep_source source = make_source(d, w->diff_dst, transposed, ry, rx);
      if (source.y.count == 0 || source.x.count == 0) continue;
      const oct_sweep sweep = make_sweep(d, w->leaf, &source, w->diff_src, w->accumulate);
      if (oct_winograd_applies(&sweep))
        oct_winograd_run(&sweep, rest, thread, threads);
      else
        oct_sweep_run(&sweep, rest + thread * thread_bytes(d), thread, threads);
    }
}

/// Where the weights are larger than the map, every thread transposes a block just before its pixels: the transposed
/// weights stay in its cache, and nobody waits for the others. A block that two threads share is transposed by both.
static void run_by_block(const work *w, int thread, int threads) {
  const oct_conv2d_desc *d = w->d;
  char *own = w->scratch + thread * (thread_bytes(d) + block_bytes(d));
  const ptrdiff_t taps = d->kh * d->kw;
  const oct_sweep_source shape = make_source(d, w->diff_dst, NULL, 0, 0);
  const oct_sweep shared = make_sweep(d, w->leaf, &shape, w->diff_src, w->accumulate);
  for (ptrdiff_t block = 0; block < oct_ceil_div(d->ic, OCT_BLOCK); block++) {
    const oct_block_rows rows = oct_sweep_rows_of_block(&shared, block, thread, threads);
    if (rows.first == rows.last) continue;
    // As if all weights were there.
    float *transposed = (float *)((uintptr_t)own + (uintptr_t)thread_bytes(d) - (uintptr_t)(block * block_bytes(d)));
    transpose_taps(d, w->weights, transposed, 0, block, 0, taps, w->leaf);
    for (ptrdiff_t ry = 0; ry < d->sh; ry++)
      for (ptrdiff_t rx = 0; rx < d->sw; rx++) {
        const oct_sweep_source source = make_source(d, w->diff_dst, transposed, ry, rx);
        if (source.y.count == 0 || source.x.count == 0) continue;
        oct_sweep sweep = make_sweep(d, w->leaf, &source, w->diff_src, w->accumulate);
        sweep.has_hot_weights = true;
        oct_sweep_run_block(&sweep, own, block, rows);
      }
  }
}

static void run_share(const work *w, int thread, int threads) {
  const oct_sweep_source source = make_source(w->d, w->diff_dst, NULL, 0, 0);
  const oct_sweep sweep = make_sweep(w->d, w->leaf, &source, w->diff_src, w->accumulate);
  if (w->d->g == 1 && !oct_winograd_applies(&sweep) && oct_sweep_splits_blocks(&sweep, threads))
    run_by_block(w, thread, threads);
  else
    run_all(w, thread, threads);
}

oct_status oct_conv2d_backward_data(const oct_conv2d_desc *d, const float *diff_dst, const float *weights,
                                    float *diff_src, bool accumulate, void *scratch, int threads) {
  if (oct_conv2d_check(d) != OCT_OK || threads < 1) return OCT_INVALID_DESCRIPTOR;
  if (oct_conv_is_depthwise(d)) {
    oct_depthwise_backward_data(d, diff_dst, weights, diff_src, accumulate, threads);
    return OCT_OK;
  }
  if (oct_conv_is_narrow(d)) {
    oct_grouped_backward_data(d, diff_dst, weights, diff_src, accumulate, scratch, threads);
    return OCT_OK;
  }
  const work w = {d, oct_conv_leaf_active(), diff_dst, weights, diff_src, accumulate, scratch};
#pragma omp parallel num_threads(threads)
  run_share(&w, omp_get_thread_num(), omp_get_num_threads());
  return OCT_OK;
}

oct_status oct_conv2d_backward_data_shares(const oct_conv2d_desc *d, void *scratch, int threads, double *work_of) {
  if (oct_conv2d_check(d) != OCT_OK || oct_conv_is_depthwise(d) || oct_conv_is_narrow(d) || threads < 1) return OCT_INVALID_DESCRIPTOR;
  const work w = {d, &oct_conv_leaf_counting, NULL, NULL, NULL, false, scratch};
  for (int thread = 0; thread < threads; thread++) {
    run_share(&w, thread, threads);
    work_of[thread] = oct_take_count();
  }
  return OCT_OK;
}
