// Depthwise convolution: every channel on its own. Weights are [kh][kw][c].
//
// Forward and backward-data are one sweep over rows of dst. The pixels of a row that reach the same taps are one run of the
// micro-kernel: all pixels but those at the left and right border.
#include <string.h>

#include "conv_axes.h"

/// dst = epilogue(start + Σ src · weights) for the pixels of two axes.
typedef struct depthwise {
  oct_sweep_axis y, x;
  ptrdiff_t n, c;
  const float *src, *weights;
  ptrdiff_t kernel_width;
  float *dst;
  ptrdiff_t dst_h, dst_w;
  bool accumulate;
  oct_conv2d_epilogue epilogue;
} depthwise;

/// Taps [first, last) of pixel `t` that lie inside the map.
typedef struct taps {
  ptrdiff_t first, last;
} taps;

static taps taps_inside(const oct_sweep_axis *axis, ptrdiff_t t) {
  const ptrdiff_t from = axis->src_base + axis->src_step * t;
  const ptrdiff_t first = oct_min(oct_max(0, -from), axis->taps);
  return (taps){first, oct_max(first, oct_min(axis->taps, axis->src_size - from))};
}

/// Pixels [first, last) of an axis that reach all taps.
static taps whole_pixels(const oct_sweep_axis *axis) {
  const ptrdiff_t first = oct_min(oct_ceil_div(oct_max(0, -axis->src_base), axis->src_step), axis->count);
  const ptrdiff_t room = axis->src_size - axis->taps - axis->src_base;
  const ptrdiff_t last = room < 0 ? 0 : oct_min(room / axis->src_step + 1, axis->count);
  return (taps){first, oct_max(first, last)};
}

/// Pixels [first, first + count) of a row, which reach the same taps, and channels [channel, channel + channels).
static void run_pixels(const depthwise *d, ptrdiff_t image, ptrdiff_t ty, taps rows, ptrdiff_t first, ptrdiff_t count,
                       ptrdiff_t channel, ptrdiff_t channels) {
  if (count <= 0) return;
  const oct_sweep_axis *y = &d->y, *x = &d->x;
  const taps columns = taps_inside(x, first);
  const ptrdiff_t c = d->c, src_width = x->src_size;
  const ptrdiff_t from_y = y->src_base + y->src_step * ty + rows.first;
  const ptrdiff_t from_x = x->src_base + x->src_step * first + columns.first;
  const ptrdiff_t to_y = y->dst_first + y->dst_step * ty, to_x = x->dst_first + x->dst_step * first;
  const ptrdiff_t tap_y = y->weight_first + y->weight_step * rows.first;
  const ptrdiff_t tap_x = x->weight_first + x->weight_step * columns.first;
  const oct_conv2d_epilogue *e = &d->epilogue;
  const bool reaches = rows.first < rows.last && columns.first < columns.last;
  const oct_depthwise_run run = {
      // Without a tap inside there is nothing to point at.
      .src = reaches ? d->src + ((image * y->src_size + from_y) * src_width + from_x) * c + channel : d->src,
      .weights = reaches ? d->weights + (tap_y * d->kernel_width + tap_x) * c + channel : d->weights,
      .dst = d->dst + ((image * d->dst_h + to_y) * d->dst_w + to_x) * c + channel,
      .count = count,
      .channels = channels,
      .rows = reaches ? rows.last - rows.first : 0,
      .taps = columns.last - columns.first,
      .src_step = x->src_step * c,
      .src_row = src_width * c,
      .src_tap = c,
      .weight_row = y->weight_step * d->kernel_width * c,
      .weight_tap = x->weight_step * c,
      .dst_step = x->dst_step * c,
      .accumulate = d->accumulate,
      .scale = e->scale ? e->scale + channel : NULL,
      .bias = e->bias ? e->bias + channel : NULL,
      .residual = e->residual ? (uintptr_t)e->residual - (uintptr_t)d->dst : 0,
      .activation = e->activation,
  };
  oct_conv_leaf_active()->depthwise(&run);
}

/// Parts of the channels, where rows alone do not keep all threads busy.
static ptrdiff_t channel_parts(ptrdiff_t rows, ptrdiff_t c, int threads) {
  return rows >= 8 * threads ? 1 : oct_max(1, oct_min(4, c / OCT_BLOCK));
}

static void run(const depthwise *d, int threads) {
  const ptrdiff_t rows = d->n * d->y.count, parts = channel_parts(rows, d->c, threads);
  const ptrdiff_t lanes = oct_ceil_div(d->c, OCT_LANE);
  const taps whole = whole_pixels(&d->x);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (ptrdiff_t item = 0; item < rows * parts; item++) {
    const ptrdiff_t row = item / parts, image = row / d->y.count, ty = row % d->y.count;
    ptrdiff_t begin, end;
    oct_share(lanes, item % parts, parts, &begin, &end);
    const ptrdiff_t channel = begin * OCT_LANE, channels = oct_min(d->c, end * OCT_LANE) - channel;
    const taps reached = taps_inside(&d->y, ty);
    for (ptrdiff_t t = 0; t < whole.first; t++) run_pixels(d, image, ty, reached, t, 1, channel, channels);
    run_pixels(d, image, ty, reached, whole.first, whole.last - whole.first, channel, channels);
    for (ptrdiff_t t = whole.last; t < d->x.count; t++) run_pixels(d, image, ty, reached, t, 1, channel, channels);
  }
}

void oct_depthwise_forward(const oct_conv2d_desc *d, const float *src, const float *weights,
                           const oct_conv2d_epilogue *epilogue, float *dst, bool accumulate, int threads) {
  const depthwise work = {
      .y = oct_forward_axis(d->oh, d->ih, d->kh, d->sh, d->ph),
      .x = oct_forward_axis(d->ow, d->iw, d->kw, d->sw, d->pw),
      .n = d->n, .c = d->ic, .src = src, .weights = weights, .kernel_width = d->kw, .dst = dst, .dst_h = d->oh,
      .dst_w = d->ow, .accumulate = accumulate, .epilogue = oct_resolved(epilogue)};
  run(&work, threads);
}

void oct_depthwise_backward_data(const oct_conv2d_desc *d, const float *diff_dst, const float *weights, float *diff_src,
                                 bool accumulate, int threads) {
  for (ptrdiff_t ry = 0; ry < d->sh; ry++)
    for (ptrdiff_t rx = 0; rx < d->sw; rx++) {
      const depthwise work = {
          .y = oct_residue_axis(d->ih, d->oh, d->kh, d->sh, d->ph, ry, false),
          .x = oct_residue_axis(d->iw, d->ow, d->kw, d->sw, d->pw, rx, false),
          .n = d->n, .c = d->ic, .src = diff_dst, .weights = weights, .kernel_width = d->kw, .dst = diff_src,
          .dst_h = d->ih, .dst_w = d->iw, .accumulate = accumulate};
      if (work.y.count > 0 && work.x.count > 0) run(&work, threads);
    }
}

// MARK: Backward-weights

/// Rows of dst are split in a fixed number of parts, whose sums are added in order.
enum { DEPTHWISE_PARTS = 16 };

ptrdiff_t oct_depthwise_backward_weights_scratch_bytes(const oct_conv2d_desc *d) {
  return DEPTHWISE_PARTS * oct_conv2d_weights_count(d) * (ptrdiff_t)sizeof(float);
}

/// What one row of dst adds to the sums of all taps.
static void add_row(const oct_conv2d_desc *d, const float *src, const float *diff_dst, ptrdiff_t row, float *sums) {
  const oct_conv_leaf *leaf = oct_conv_leaf_active();
  const oct_sweep_axis y = oct_forward_axis(d->oh, d->ih, d->kh, d->sh, d->ph);
  const oct_sweep_axis x = oct_forward_axis(d->ow, d->iw, d->kw, d->sw, d->pw);
  const ptrdiff_t c = d->ic, image = row / d->oh;
  const taps rows = taps_inside(&y, row % d->oh), whole = whole_pixels(&x);
  for (ptrdiff_t ky = rows.first; ky < rows.last; ky++) {
    const float *line = src + (image * d->ih + y.src_base + y.src_step * (row % d->oh) + ky) * d->iw * c;
    const float *diff = diff_dst + row * d->ow * c;
    for (ptrdiff_t t = 0; t < d->ow;) {
      const ptrdiff_t count = t == whole.first && whole.last > t ? whole.last - t : 1;
      const taps columns = taps_inside(&x, t);
      if (columns.first < columns.last)
        leaf->depthwise_outer(count, line + (x.src_base + x.src_step * t + columns.first) * c, x.src_step * c, c,
                              diff + t * c, c, columns.last - columns.first, c,
                              sums + (ky * d->kw + columns.first) * c, c);
      t += count;
    }
  }
}

void oct_depthwise_backward_weights(const oct_conv2d_desc *d, const float *src, const float *diff_dst,
                                    float *diff_weights, bool accumulate, const oct_side_work *beside, void *scratch,
                                    int threads) {
  const ptrdiff_t count = oct_conv2d_weights_count(d), rows = d->n * d->oh;
  float *partial = scratch;
#pragma omp parallel num_threads(threads)
  {
    oct_run_beside(beside, false);
#pragma omp for schedule(static) nowait
    for (ptrdiff_t part = 0; part < DEPTHWISE_PARTS; part++) {
      float *sums = partial + part * count;
      memset(sums, 0, (size_t)count * sizeof(float));
      ptrdiff_t begin, end;
      oct_share(rows, part, DEPTHWISE_PARTS, &begin, &end);
      for (ptrdiff_t row = begin; row < end; row++) add_row(d, src, diff_dst, row, sums);
    }
    oct_run_beside(beside, true);
#pragma omp barrier
#pragma omp for schedule(static)
    for (ptrdiff_t i = 0; i < count; i++) {
      float sum = accumulate ? diff_weights[i] : 0;
      for (ptrdiff_t part = 0; part < DEPTHWISE_PARTS; part++) sum += partial[part * count + i];
      diff_weights[i] = sum;
    }
  }
}
