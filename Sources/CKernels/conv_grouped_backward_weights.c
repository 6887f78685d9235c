// Convolutions of narrow groups (conv_grouped.h), backward with respect to the weights.
//
// The rows of dst are split in a fixed number of parts with sums of their own, as [vector][tap][k][width], which are added in
// order: the bits do not depend on the number of threads.
#include <string.h>

#include "conv_axes.h"
#include "conv_grouped_columns.h"

enum {
  MOST_PARTS = 16,
  LEAST_ITEMS = 64,    // parts times vectors, for which rows are cut: threads share both
  BLOCK_PIXELS = 128,  // whose lines of src and diff_dst stay in the L1 cache for all rows of taps
};

static ptrdiff_t sums_of_vector(const oct_conv2d_desc *d, const oct_group_columns *c) { return d->kh * d->kw * c->in * c->width; }

/// Few where there are many vectors: partial sums are memory that is written and read once more.
static ptrdiff_t parts_of(const oct_group_columns *c) { return oct_equal_parts(oct_ceil_div(LEAST_ITEMS, c->count), MOST_PARTS); }

ptrdiff_t oct_grouped_backward_weights_scratch_bytes(const oct_conv2d_desc *d) {
  const oct_group_columns c = oct_grouped_columns(d->g, d->ic / d->g, d->oc / d->g);
  return parts_of(&c) * c.count * sums_of_vector(d, &c) * (ptrdiff_t)sizeof(float);
}

/// What rows [y, last) of an image give one vector's sums.
static void add_rows(const oct_conv2d_desc *d, const oct_group_columns *c, ptrdiff_t v, const float *src,
                     const float *diff_dst, ptrdiff_t image, ptrdiff_t y, ptrdiff_t last, float *sums) {
  const oct_group_column column = oct_grouped_column(c, v);
  const ptrdiff_t tap = c->in * c->width;
  for (ptrdiff_t ky = 0; ky < d->kh; ky++) {
    // Rows whose tap lies inside the map.
    const ptrdiff_t offset = ky - d->ph;
    const ptrdiff_t y0 = oct_max(y, oct_ceil_div(oct_max(0, -offset), d->sh));
    const ptrdiff_t room = d->ih - 1 - offset, y1 = room < 0 ? y0 : oct_min(last, room / d->sh + 1);
    if (y0 >= y1) continue;
    const oct_grouped_outer run = {
        .src = src + (image * d->ih + y0 * d->sh + offset) * d->iw * d->ic + column.src,
        .diff = diff_dst + (image * d->oh + y0) * d->ow * d->oc + column.dst,
        .sums = sums + ky * d->kw * tap,
        .lanes = c->groups_of_vector > 1 ? c->lanes : NULL,
        .count = d->ow,
        .rows = y1 - y0,
        .taps = d->kw,
        .depth = c->in,
        .first = -d->pw,
        .step = d->sw,
        .src_size = d->iw,
        .src_lanes = column.src_lanes,
        .diff_lanes = column.dst_lanes,
        .src_row = d->sh * d->iw * d->ic,
        .src_pixel = d->ic,
        .diff_row = d->ow * d->oc,
        .diff_pixel = d->oc,
        .sums_tap = tap,
    };
    oct_conv_leaf_active()->grouped_outer(&run);
  }
}

/// What rows [begin, end) of dst, counted over (image, y), give the sums of vectors [v0, v1): some rows for all of them before
/// the next ones, so that neighbouring lines are read together.
static void run_part(const oct_conv2d_desc *d, const oct_group_columns *c, ptrdiff_t v0, ptrdiff_t v1, const float *src,
                     const float *diff_dst, ptrdiff_t begin, ptrdiff_t end, float *sums) {
  const ptrdiff_t count = sums_of_vector(d, c), block = oct_max(1, BLOCK_PIXELS / d->ow);
  memset(sums + v0 * count, 0, (size_t)((v1 - v0) * count) * sizeof(float));
  for (ptrdiff_t row = begin, next; row < end; row = next) {
    const ptrdiff_t image = row / d->oh, y = row % d->oh;
    next = oct_min(oct_min(row + block, end), (image + 1) * d->oh);
    for (ptrdiff_t v = v0; v < v1; v++) add_rows(d, c, v, src, diff_dst, image, y, y + next - row, sums + v * count);
  }
}

/// diff_weights of one vector's channels (+)= the parts' sums, whose first is at `partial`, `stride` floats from part to part.
static void add_parts(const oct_conv2d_desc *d, const oct_group_columns *c, ptrdiff_t v, ptrdiff_t parts, ptrdiff_t stride,
                      const float *restrict partial, float *restrict diff_weights, bool accumulate) {
  const ptrdiff_t rows = d->kh * d->kw * c->in, padded = oct_padded(c->out);
  const oct_group_column column = oct_grouped_column(c, v);
  const ptrdiff_t first = column.dst - column.group * c->out;  // of the group's channels
  for (ptrdiff_t lane = 0, group = column.group; lane < column.dst_lanes; group++) {
    const ptrdiff_t count = oct_min(c->out, column.dst_lanes - lane);
    for (ptrdiff_t row = 0; row < rows; row++) {
      float *to = diff_weights + (group * rows + row) * padded + first;
      for (ptrdiff_t o = 0; o < count; o++) {
        float sum = accumulate ? to[o] : 0;
        for (ptrdiff_t part = 0; part < parts; part++) sum += partial[part * stride + row * c->width + lane + o];
        to[o] = sum;
      }
      // The layout's padding, behind a group's last channel.
      if (first + count == c->out)
        for (ptrdiff_t o = c->out; o < padded; o++) to[o - first] = 0;
    }
    lane += count;
  }
}

void oct_grouped_backward_weights(const oct_conv2d_desc *d, const float *src, const float *diff_dst, float *diff_weights,
                                  bool accumulate, const oct_side_work *beside, void *scratch, int threads) {
  const oct_group_columns c = oct_grouped_columns(d->g, d->ic / d->g, d->oc / d->g);
  const ptrdiff_t rows = d->n * d->oh, count = c.count * sums_of_vector(d, &c), parts = parts_of(&c);
  const ptrdiff_t runs = oct_fair_runs(parts, c.count, c.count, threads);
  float *partial = scratch;
#pragma omp parallel num_threads(threads)
  {
    oct_run_beside(beside, false);
#pragma omp for schedule(static) nowait
    for (ptrdiff_t item = 0; item < parts * runs; item++) {
      ptrdiff_t begin, end, v0, v1;
      oct_share(rows, item / runs, parts, &begin, &end);
      oct_share(c.count, item % runs, runs, &v0, &v1);
      run_part(d, &c, v0, v1, src, diff_dst, begin, end, partial + item / runs * count);
    }
    oct_run_beside(beside, true);
#pragma omp barrier
#pragma omp for schedule(static)
    for (ptrdiff_t v = 0; v < c.count; v++)
      add_parts(d, &c, v, parts, count, partial + v * sums_of_vector(d, &c), diff_weights, accumulate);
  }
}
