// Convolution forward: one sweep over the output pixels.
#include "conv_axes.h"

static oct_sweep_source make_source(const oct_conv2d_desc *d, const float *src, const float *weights) {
  return (oct_sweep_source){
      .y = oct_forward_axis(d->oh, d->ih, d->kh, d->sh, d->ph),
      .x = oct_forward_axis(d->ow, d->iw, d->kw, d->sw, d->pw),
      .src = src,
      .channels = d->ic,
      .weights = weights,
      .k = d->ic / d->g,
      .tap_row = d->kw,
      .taps = d->kh * d->kw,
  };
}

/// Sizes and sources, no maps. `sources` has room for OCT_MAX_SOURCES.
static oct_sweep make_sweep(const oct_conv2d_source *from, int count, oct_sweep_source *sources) {
  const oct_conv2d_desc *d = from[0].desc;
  oct_sweep sweep = {.leaf = oct_conv_leaf_active(), .sources = sources, .count = count, .n = d->n, .g = d->g, .dst_h = d->oh, .dst_w = d->ow,
                     .dst_channels = d->oc};
  for (int i = 0; i < count; i++) {
    sources[i] = make_source(from[i].desc, from[i].src, from[i].weights);
    sources[i].transformed = from[i].transformed;
    sweep.direct |= from[i].desc->direct;
  }
  return sweep;
}

static ptrdiff_t thread_bytes(const oct_conv2d_source *sources, int count) {
  ptrdiff_t entries = 0;
  for (int i = 0; i < count; i++) {
    const oct_conv2d_desc *d = sources[i].desc;
    entries += oct_sweep_most_entries(d->kh * d->kw, d->ic / d->g);
  }
  return oct_sweep_scratch_bytes(count, entries);
}

static void run_share(const oct_sweep *sweep, ptrdiff_t thread_bytes, void *scratch, int thread, int threads) {
  if (oct_winograd_applies(sweep))
    oct_winograd_run(sweep, scratch, thread, threads);
  else
    oct_sweep_run(sweep, (char *)scratch + thread * thread_bytes, thread, threads);
}

static oct_status run(const oct_sweep *sweep, ptrdiff_t thread_bytes, void *scratch, int threads) {
#pragma omp parallel num_threads(threads)
  run_share(sweep, thread_bytes, scratch, omp_get_thread_num(), omp_get_num_threads());
  return OCT_OK;
}

ptrdiff_t oct_conv2d_transformed_count(const oct_conv2d_desc *d) {
  const oct_conv2d_source from = {.desc = d};
  oct_sweep_source source;
  const oct_sweep sweep = make_sweep(&from, 1, &source);
  return oct_winograd_gains_by_transformed(&sweep) ? oct_winograd_transformed_count(&sweep) : 0;
}

ptrdiff_t oct_conv2d_transformed_size(const oct_conv2d_desc *d, const float *transformed) {
  return oct_winograd_transformed_size(transformed, d->ic, d->oc);
}

bool oct_conv2d_takes_transformed(const oct_conv2d_source *sources, int count) {
  oct_sweep_source sweep_sources[OCT_MAX_SOURCES];
  if (count < 1 || count > OCT_MAX_SOURCES) return false;
  const oct_sweep sweep = make_sweep(sources, count, sweep_sources);
  return oct_winograd_gains_by_transformed(&sweep);
}

void oct_conv2d_transform_weights(const oct_conv2d_desc *d, const float *weights, float *transformed, int threads) {
  const oct_conv2d_source from = {.desc = d, .weights = weights};
  oct_sweep_source source;
  const oct_sweep sweep = make_sweep(&from, 1, &source);
#pragma omp parallel num_threads(threads)
  oct_winograd_transform(&sweep, transformed);
}

/// Whether all sources go vector by vector (conv_grouped.c).
static bool are_narrow(const oct_conv2d_source *sources, int count) {
  for (int i = 0; i < count; i++)
    if (!oct_conv_is_narrow(sources[i].desc)) return false;
  return true;
}

ptrdiff_t oct_conv2d_forward_sources_scratch_bytes(const oct_conv2d_source *sources, int count, int threads) {
  oct_sweep_source sweep_sources[OCT_MAX_SOURCES];
  if (count < 1 || count > OCT_MAX_SOURCES) return 0;
  if (are_narrow(sources, count)) {
    ptrdiff_t most = 0;
    for (int i = 0; i < count; i++) most = oct_max(most, oct_grouped_scratch_bytes(sources[i].desc));
    return most;
  }
  const oct_sweep sweep = make_sweep(sources, count, sweep_sources);
  // Fewer images may take the direct sum.
  return oct_max(thread_bytes(sources, count) * threads, oct_winograd_scratch_bytes(&sweep, threads));
}

oct_status oct_conv2d_sources_check(const oct_conv2d_source *sources, int count) {
  if (count < 1 || count > OCT_MAX_SOURCES) return OCT_INVALID_DESCRIPTOR;
  const oct_conv2d_desc *d = sources[0].desc;
  for (int i = 0; i < count; i++) {
    const oct_conv2d_desc *o = sources[i].desc;
    if (oct_conv2d_check(o) != OCT_OK || o->n != d->n || o->oh != d->oh || o->ow != d->ow || o->oc != d->oc ||
        o->g != d->g || oct_conv_is_depthwise(o) != oct_conv_is_depthwise(d))
      return OCT_INVALID_DESCRIPTOR;
  }
  return OCT_OK;
}

oct_status oct_conv2d_forward_sources(const oct_conv2d_source *sources, int count, const float *low, ptrdiff_t low_h,
                                      ptrdiff_t low_w, const oct_conv2d_epilogue *epilogue, float *dst, void *scratch,
                                      int threads) {
  if (oct_conv2d_sources_check(sources, count) != OCT_OK || threads < 1) return OCT_INVALID_DESCRIPTOR;
  if (epilogue && oct_activation_check(&epilogue->activation) != OCT_OK) return OCT_INVALID_DESCRIPTOR;
  const oct_conv2d_desc *d = sources[0].desc;
  if (low && (low_h != oct_ceil_div(d->oh, 2) || low_w != oct_ceil_div(d->ow, 2))) return OCT_INVALID_DESCRIPTOR;
  const bool narrow = are_narrow(sources, count);
  if (narrow || oct_conv_is_depthwise(d)) {
    // A pass for each source; the later ones add to what is there, and the last one finishes.
    if (low) {
      const oct_upsample2x_desc up = {.n = d->n, .ih = low_h, .iw = low_w, .c = d->oc, .oh = d->oh, .ow = d->ow};
      const oct_status status = oct_upsample2x_forward(&up, low, dst, false, threads);
      if (status != OCT_OK) return status;
    }
    for (int i = 0; i < count; i++) {
      const oct_conv2d_source *s = &sources[i];
      const oct_conv2d_epilogue *finish = i == count - 1 ? epilogue : NULL;
      const bool accumulate = i > 0 || low != NULL;
      if (narrow)
        oct_grouped_forward(s->desc, s->src, s->weights, finish, dst, accumulate, scratch, threads);
      else
        oct_depthwise_forward(s->desc, s->src, s->weights, finish, dst, accumulate, threads);
    }
    return OCT_OK;
  }
  oct_sweep_source sweep_sources[OCT_MAX_SOURCES];
  oct_sweep sweep = make_sweep(sources, count, sweep_sources);
  sweep.dst = dst;
  sweep.low = low;
  sweep.low_h = low_h;
  sweep.low_w = low_w;
  sweep.epilogue = oct_resolved(epilogue);
  return run(&sweep, thread_bytes(sources, count), scratch, threads);
}

ptrdiff_t oct_conv2d_forward_scratch_bytes(const oct_conv2d_desc *d, int threads) {
  const oct_conv2d_source source = {.desc = d};
  return oct_conv2d_forward_sources_scratch_bytes(&source, 1, threads);
}

oct_status oct_conv2d_forward(const oct_conv2d_desc *d, const float *src, const float *weights, const float *bias,
                              float *dst, bool accumulate, void *scratch, int threads) {
  if (oct_conv2d_check(d) != OCT_OK || threads < 1) return OCT_INVALID_DESCRIPTOR;
  if (oct_conv_is_narrow(d)) {
    const oct_conv2d_epilogue epilogue = {.bias = bias};
    oct_grouped_forward(d, src, weights, &epilogue, dst, accumulate, scratch, threads);
    return OCT_OK;
  }
  if (oct_conv_is_depthwise(d)) {
    const oct_conv2d_epilogue epilogue = {.bias = bias};
    oct_depthwise_forward(d, src, weights, &epilogue, dst, accumulate, threads);
    return OCT_OK;
  }
  const oct_conv2d_source from = {.desc = d, .src = src, .weights = weights};
  oct_sweep_source source;
  oct_sweep sweep = make_sweep(&from, 1, &source);
  sweep.dst = dst;
  sweep.epilogue.bias = bias;
  sweep.accumulate = accumulate;
  return run(&sweep, thread_bytes(&from, 1), scratch, threads);
}

oct_status oct_conv2d_forward_shares(const oct_conv2d_desc *d, void *scratch, int threads, double *work) {
  if (oct_conv2d_check(d) != OCT_OK || oct_conv_is_depthwise(d) || oct_conv_is_narrow(d) || threads < 1) return OCT_INVALID_DESCRIPTOR;
  const oct_conv2d_source from = {.desc = d};
  oct_sweep_source source;
  oct_sweep sweep = make_sweep(&from, 1, &source);
  sweep.leaf = &oct_conv_leaf_counting;
  for (int thread = 0; thread < threads; thread++) {
    run_share(&sweep, thread_bytes(&from, 1), scratch, thread, threads);
    work[thread] = oct_take_count();
  }
  return OCT_OK;
}
