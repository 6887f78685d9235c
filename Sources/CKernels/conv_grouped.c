// Convolutions of narrow groups (conv_grouped.h), forward and backward-data: one sweep over rows of dst, a vector of channels
// after the other.
//
// The weights are packed anew in every call, as [vector][tap][k][width], unless they lie so already: they are few.
#include <string.h>

#include "conv_axes.h"
#include "conv_grouped_columns.h"

bool oct_conv_is_narrow(const oct_conv2d_desc *d) {
  return d->g > 1 && !oct_conv_is_depthwise(d) && oct_max(d->ic, d->oc) / d->g <= oct_max(8, oct_conv_leaf_active()->vector_width) &&
         d->kw <= OCT_MOST_GROUPED_TAPS && d->sw <= OCT_MOST_GROUPED_STEP;
}

oct_group_columns oct_grouped_columns(ptrdiff_t groups, ptrdiff_t in, ptrdiff_t out) {
  oct_group_columns c = {.width = oct_conv_leaf_active()->vector_width, .groups = groups, .in = in, .out = out};
  c.groups_of_vector = oct_max(1, c.width / oct_max(in, out));
  c.vectors_of_group = c.groups_of_vector > 1 ? 1 : oct_ceil_div(out, c.width);
  c.count = c.groups_of_vector > 1 ? oct_ceil_div(groups, c.groups_of_vector) : groups * c.vectors_of_group;
  for (ptrdiff_t k = 0; c.groups_of_vector > 1 && k < in; k++)
    for (ptrdiff_t lane = 0; lane < c.width; lane++)
      c.lanes[k * c.width + lane] = lane / out < c.groups_of_vector ? (int32_t)(lane / out * in + k) : 0;
  return c;
}

oct_group_column oct_grouped_column(const oct_group_columns *c, ptrdiff_t v) {
  if (c->groups_of_vector > 1) {
    const ptrdiff_t group = v * c->groups_of_vector, groups = oct_min(c->groups_of_vector, c->groups - group);
    return (oct_group_column){group, group * c->in, group * c->out, groups * c->in, groups * c->out};
  }
  const ptrdiff_t group = v / c->vectors_of_group, first = v % c->vectors_of_group * c->width;
  return (oct_group_column){group, group * c->in, group * c->out + first, c->in, oct_min(c->width, c->out - first)};
}

/// One vector's packed weights for a pass from groups of `in` channels to groups of `out`. `transposed` where the weights are
/// of a convolution from out to in.
static void pack(const oct_conv2d_desc *d, const oct_group_columns *c, bool transposed, const float *restrict weights,
                 float *restrict packed, ptrdiff_t v) {
  const ptrdiff_t taps = d->kh * d->kw, icg = d->ic / d->g, padded = oct_padded(d->oc / d->g), width = c->width;
  const oct_group_column column = oct_grouped_column(c, v);
  const ptrdiff_t first = column.dst - column.group * c->out;  // of the group's channels
  packed += v * taps * c->in * width;
  memset(packed, 0, (size_t)(taps * c->in * width) * sizeof(float));
  for (ptrdiff_t lane = 0, group = column.group; lane < column.dst_lanes; group++) {
    const ptrdiff_t count = oct_min(c->out, column.dst_lanes - lane);
    for (ptrdiff_t tap = 0; tap < taps; tap++) {
      const float *from = weights + (group * taps + tap) * icg * padded + first * (transposed ? padded : 1);
      float *to = packed + tap * c->in * width + lane;
      for (ptrdiff_t k = 0; k < c->in; k++)
        for (ptrdiff_t o = 0; o < count; o++) to[k * width + o] = transposed ? from[o * padded + k] : from[k * padded + o];
    }
    lane += count;
  }
}

static ptrdiff_t packed_count(const oct_conv2d_desc *d, const oct_group_columns *c) { return c->count * d->kh * d->kw * c->in * c->width; }

/// Whether forward's weights lie as its vectors want them: a group is a vector.
static bool lie_packed(const oct_group_columns *c) { return c->groups_of_vector == 1 && c->width == OCT_LANE && c->out <= c->width; }

ptrdiff_t oct_grouped_scratch_bytes(const oct_conv2d_desc *d) {
  const oct_group_columns forward = oct_grouped_columns(d->g, d->ic / d->g, d->oc / d->g);
  const oct_group_columns backward = oct_grouped_columns(d->g, d->oc / d->g, d->ic / d->g);
  return oct_max(packed_count(d, &forward), packed_count(d, &backward)) * (ptrdiff_t)sizeof(float);
}

/// A sweep over the pixels of two axes of dst.
typedef struct sweep {
  const oct_conv2d_desc *d;
  const oct_group_columns *columns;
  oct_sweep_axis y, x;
  const float *src, *packed;
  ptrdiff_t src_channels;
  float *dst;
  ptrdiff_t dst_h, dst_w, dst_channels;
  bool accumulate;
  oct_conv2d_epilogue epilogue;  // resolved
} sweep;

/// One row of dst, vectors [v0, v1).
static void run_row(const sweep *s, ptrdiff_t image, ptrdiff_t ty, ptrdiff_t v0, ptrdiff_t v1) {
  const oct_group_columns *c = s->columns;
  const oct_sweep_axis *y = &s->y, *x = &s->x;
  const oct_conv2d_epilogue *e = &s->epilogue;
  ptrdiff_t begin, end;
  oct_valid_taps(y, ty, &begin, &end);
  const ptrdiff_t from = image * y->src_size + y->src_base + y->src_step * ty + begin;
  const ptrdiff_t to = (image * s->dst_h + y->dst_first + y->dst_step * ty) * s->dst_w + x->dst_first;
  const ptrdiff_t tap = c->in * c->width, tap_y = y->weight_first + y->weight_step * begin;
  for (ptrdiff_t v = v0; v < v1; v++) {
    const oct_group_column column = oct_grouped_column(c, v);
    float *dst = s->dst + to * s->dst_channels + column.dst;
    const oct_grouped_run run = {
        // Without a row inside there is nothing to point at.
        .src = begin < end ? s->src + from * x->src_size * s->src_channels + column.src : s->src,
        .weights = s->packed + v * s->d->kh * s->d->kw * tap +
                   (begin < end ? (tap_y * s->d->kw + x->weight_first) * tap : 0),
        .dst = dst,
        .lanes = c->groups_of_vector > 1 ? c->lanes : NULL,
        .count = x->count,
        .rows = x->taps > 0 ? end - begin : 0,
        .taps = x->taps,
        .depth = c->in,
        .first = x->src_base,
        .step = x->src_step,
        .src_size = x->src_size,
        .src_lanes = column.src_lanes,
        .dst_lanes = column.dst_lanes,
        .src_row = x->src_size * s->src_channels,
        .src_pixel = s->src_channels,
        .weight_row = y->weight_step * s->d->kw * tap,
        .weight_tap = x->weight_step * tap,
        .dst_pixel = x->dst_step * s->dst_channels,
        .accumulate = s->accumulate,
        .scale = e->scale ? e->scale + column.dst : NULL,
        .bias = e->bias ? e->bias + column.dst : NULL,
        .residual = e->residual ? (uintptr_t)e->residual - (uintptr_t)s->dst : 0,
        .activation = e->activation,
    };
    oct_conv_leaf_active()->grouped(&run);
  }
}

/// By all threads of a parallel region.
static void run(const sweep *s, int threads) {
  const ptrdiff_t rows = s->d->n * s->y.count;
  // Rows alone keep threads busy, but for a few small maps.
  const ptrdiff_t parts = rows >= 8 * threads ? 1 : oct_min(s->columns->count, 4 * threads);
#pragma omp for schedule(static)
  for (ptrdiff_t item = 0; item < rows * parts; item++) {
    const ptrdiff_t row = item / parts;
    ptrdiff_t begin, end;
    oct_share(s->columns->count, item % parts, parts, &begin, &end);
    run_row(s, row / s->y.count, row % s->y.count, begin, end);
  }
}

void oct_grouped_forward(const oct_conv2d_desc *d, const float *src, const float *weights, const oct_conv2d_epilogue *epilogue,
                         float *dst, bool accumulate, void *scratch, int threads) {
  const oct_group_columns columns = oct_grouped_columns(d->g, d->ic / d->g, d->oc / d->g);
  const bool packs = !lie_packed(&columns);
  const sweep s = {.d = d, .columns = &columns, .y = oct_forward_axis(d->oh, d->ih, d->kh, d->sh, d->ph),
                   .x = oct_forward_axis(d->ow, d->iw, d->kw, d->sw, d->pw), .src = src, .packed = packs ? scratch : weights,
                   .src_channels = d->ic, .dst = dst, .dst_h = d->oh, .dst_w = d->ow, .dst_channels = d->oc,
                   .accumulate = accumulate, .epilogue = oct_resolved(epilogue)};
#pragma omp parallel num_threads(threads)
  {
    if (packs) {
#pragma omp for schedule(static)
      for (ptrdiff_t v = 0; v < columns.count; v++) pack(d, &columns, false, weights, scratch, v);
    }
    run(&s, threads);
  }
}

void oct_grouped_backward_data(const oct_conv2d_desc *d, const float *diff_dst, const float *weights, float *diff_src,
                               bool accumulate, void *scratch, int threads) {
  const oct_group_columns columns = oct_grouped_columns(d->g, d->oc / d->g, d->ic / d->g);
  float *packed = scratch;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (ptrdiff_t v = 0; v < columns.count; v++) pack(d, &columns, true, weights, packed, v);
    for (ptrdiff_t ry = 0; ry < d->sh; ry++)
      for (ptrdiff_t rx = 0; rx < d->sw; rx++) {
        const sweep s = {.d = d, .columns = &columns, .y = oct_residue_axis(d->ih, d->oh, d->kh, d->sh, d->ph, ry, false),
                         .x = oct_residue_axis(d->iw, d->ow, d->kw, d->sw, d->pw, rx, false), .src = diff_dst,
                         .packed = packed, .src_channels = d->oc, .dst = diff_src, .dst_h = d->ih, .dst_w = d->iw,
                         .dst_channels = d->ic, .accumulate = accumulate};
        if (s.y.count > 0 && s.x.count > 0) run(&s, threads);
      }
  }
}
