// Convolution backward with respect to the weights: for every tap an outer product, summed over the pixels.
//
//   diff_weights[tap][ic][oc] = Σ_pixels src[pixel shifted by tap][ic] · diff_dst[pixel][oc]
//
// The work is cut in units of (part of the pixels, run of 64-channel oc blocks, run of ic). A unit goes over its pixels in
// chunks that stay in the L2 cache. For each block it packs the block's columns of diff_dst in a contiguous panel, and
// then keeps a few ic × oc of one tap in registers while it runs over the chunk. Pixels are grouped in the same
// rectangles of equal taps as in the forward sweep, so a tap skips the pixels whose source lies outside.
//
// Parts of the pixels have partial sums of their own, added in order. With many parts each map is read once; large
// weights allow few. The number depends on the shape only, so the sums have the same bits for any number of threads.
#include <string.h>

#include "conv_axes.h"
#include "conv_backward_weights.h"

enum {
  CHUNK_PIXELS = 128,                // what a tile reads of them and of a panel stays in the L1 cache
  NARROW_CHUNK_PIXELS = 512,         // where a chunk's pixels have little else to be located and packed for
  NARROW = 48,                       // taps times ic
  MAX_PARTS = 16,
  PARTIAL_FLOATS = 4 * 1024 * 1024,  // of all partial sums, 16 MiB
  LEAST_UNITS = 4,                   // for which the pixels are cut finer than caches ask for
  LEAST_PART = 256,                  // pixels
  LEAST_IC = 12,                     // of a run: two tiles
  SUM_RUN = 512,                     // weights of a step of the final sum
};

static ptrdiff_t chunk_pixels(const oct_conv2d_desc *d) {
  return d->kh * d->kw * (d->ic / d->g) < NARROW ? NARROW_CHUNK_PIXELS : CHUNK_PIXELS;
}

/// Of the pixels: a power of two, and no more for fewer images.
static ptrdiff_t parts_of(const oct_conv2d_desc *d) {
  const ptrdiff_t pixels = d->n * d->oh * d->ow, blocks = oct_ceil_div(d->oc / d->g, OCT_BLOCK);
  const ptrdiff_t most_units = d->g * blocks * oct_max(1, d->ic / d->g / LEAST_IC);
  // Small weights are one unit, and then the pixels have to do.
  const ptrdiff_t parts = oct_max(pixels / (2 * chunk_pixels(d)), oct_min(LEAST_UNITS / most_units, pixels / LEAST_PART));
  return oct_equal_parts(parts, oct_min(MAX_PARTS, PARTIAL_FLOATS / oct_conv2d_weights_count(d)));
}

/// With so many parts of the pixels.
static oct_outer_plan plan_of_parts(const oct_conv2d_desc *d, ptrdiff_t parts, int threads) {
  oct_outer_plan p;
  p.taps = d->kh * d->kw;
  p.icg = d->ic / d->g;
  p.ocg = d->oc / d->g;
  p.blocks = oct_ceil_div(p.ocg, OCT_BLOCK);
  p.chunk = chunk_pixels(d);
  p.far = d->n * d->oh * d->ow * d->oc * (ptrdiff_t)sizeof(float) > oct_far_bytes() / 2;
  p.parts = parts;
  // Runs are no matter of the order of sums, so the threads decide on them. Every run of ic packs the panels again, and so should
  // be long; but where the last block is narrow, runs of blocks are not equal.
  const ptrdiff_t groups = p.parts * d->g, most_ic_runs = oct_max(1, p.icg / LEAST_IC);
  const bool is_ragged = p.blocks > 1 && p.ocg % OCT_BLOCK != 0;
  p.ic_runs = is_ragged ? oct_fair_runs(groups, p.icg, most_ic_runs, threads) : 1;
  p.block_runs = oct_fair_runs(groups * p.ic_runs, p.blocks, p.blocks, threads);
  if (!is_ragged) p.ic_runs = oct_fair_runs(groups * p.block_runs, p.icg, most_ic_runs, threads);
  p.packs = oct_outer_packs(d, p.blocks / p.block_runs);
  return p;
}

static oct_outer_plan make_plan(const oct_conv2d_desc *d, int threads) { return plan_of_parts(d, parts_of(d), threads); }

/// Pixels of one chunk that have the same valid taps: [first, last) of the chunk.
typedef struct segment {
  ptrdiff_t first, last;
  ptrdiff_t ky0, ky1, kx0, kx1;
} segment;

typedef struct workspace {
  float *panel;
  const float **src;       // of each pixel's tap (0, 0)
  const float **diff_dst;
  ptrdiff_t pixels;
  segment *segments;
  ptrdiff_t *ranges;
  ptrdiff_t segment_count;
} workspace;

/// Fills source pointers, diff_dst pointers and segments for pixels [first, last), counted rectangle by rectangle.
static void locate_chunk(const oct_conv2d_desc *d, const float *src, const float *diff_dst, ptrdiff_t first,
                         ptrdiff_t last, workspace *w) {
  w->segment_count = 0;
  ptrdiff_t before = 0, filled = 0;
  segment s;
  const oct_sweep_axis y_axis = oct_forward_axis(d->oh, d->ih, d->kh, d->sh, d->ph);
  const oct_sweep_axis x_axis = oct_forward_axis(d->ow, d->iw, d->kw, d->sw, d->pw);
  for (ptrdiff_t y0 = 0, y1; y0 < d->oh; y0 = y1) {
    y1 = oct_same_taps_end(&y_axis, y0, &s.ky0, &s.ky1);
    for (ptrdiff_t x0 = 0, x1; x0 < d->ow; x0 = x1) {
      x1 = oct_same_taps_end(&x_axis, x0, &s.kx0, &s.kx1);
      const ptrdiff_t rw = x1 - x0, rh = y1 - y0, count = d->n * rw * rh;
      const ptrdiff_t begin = oct_max(first - before, 0), end = oct_min(last - before, count);
      before += count;
      if (begin >= end) continue;
      s.first = filled;
      ptrdiff_t x = x0 + begin % rw, y = y0 + begin / rw % rh, image = begin / (rw * rh);
      for (ptrdiff_t i = begin; i < end; i++, filled++) {
        // May lie before the map until a tap's offset is added, hence integers.
        const ptrdiff_t from = (image * d->ih + y * d->sh - d->ph) * d->iw + x * d->sw - d->pw;
        w->src[filled] = (const float *)((uintptr_t)src + (uintptr_t)(from * d->ic * (ptrdiff_t)sizeof(float)));
        w->diff_dst[filled] = diff_dst + ((image * d->oh + y) * d->ow + x) * d->oc;
        if (++x == x1) {
          x = x0;
          if (++y == y1) {
            y = y0;
            image++;
          }
        }
      }
      s.last = filled;
      w->segments[w->segment_count++] = s;
    }
  }
  w->pixels = filled;
}

/// The columns of one block, zeros where the block is padded.
static void pack_panel(const workspace *w, ptrdiff_t channel, ptrdiff_t columns, ptrdiff_t width) {
  for (ptrdiff_t p = 0; p < w->pixels; p++) {
    float *row = w->panel + p * width;
    memcpy(row, w->diff_dst[p] + channel, (size_t)columns * sizeof(float));
    for (ptrdiff_t column = columns; column < width; column++) row[column] = 0;
  }
}

/// diff_weights of one block and a run of ic over the pixels of a chunk. The columns of the next block, before
/// `last_block`, are fetched on the way, a line of each pixel with every tile: packing them would wait for memory.
static void run_block(const oct_conv2d_desc *d, const oct_outer_plan *p, const oct_conv_leaf *leaf, float *weights,
                      bool accumulate, ptrdiff_t group, ptrdiff_t block, ptrdiff_t last_block, ptrdiff_t ic0,
                      ptrdiff_t ic1, const workspace *w) {
  const ptrdiff_t width = oct_block_width(p->ocg, block);
  const ptrdiff_t tiles = oct_ceil_div(ic1 - ic0, leaf->max_outer_rows(width));
  float *out = weights + (group * oct_padded(p->ocg) + block * OCT_BLOCK) * p->icg * p->taps;
  pack_panel(w, group * p->ocg + block * OCT_BLOCK, oct_min(OCT_BLOCK, p->ocg - block * OCT_BLOCK), width);
  for (ptrdiff_t t = 0; t < tiles; t++) {
    ptrdiff_t i0, i1;
    oct_share(ic1 - ic0, t, tiles, &i0, &i1);
    const ptrdiff_t next = (block + 1) * OCT_BLOCK + t * OCT_LANE;
    const bool fetches = p->far && block + 1 < last_block && t * OCT_LANE < OCT_BLOCK && next < p->ocg;
    for (ptrdiff_t tap = 0; tap < p->taps; tap++) {
      const ptrdiff_t ky = tap / d->kw, kx = tap % d->kw;
      ptrdiff_t ranges = 0;
      for (ptrdiff_t i = 0; i < w->segment_count; i++) {
        const segment *s = &w->segments[i];
        if (ky < s->ky0 || ky >= s->ky1 || kx < s->kx0 || kx >= s->kx1) continue;
        w->ranges[2 * ranges] = s->first;
        w->ranges[2 * ranges + 1] = s->last;
        ranges++;
      }
      leaf->outer(w->src, (ky * d->iw + kx) * d->ic + group * p->icg + ic0 + i0, w->panel, width, w->ranges, ranges,
                  i1 - i0, out + (tap * p->icg + ic0 + i0) * width, accumulate, fetches ? w->diff_dst : NULL,
                  group * p->ocg + next);
    }
  }
}

static ptrdiff_t unpacked_thread_bytes(const oct_outer_plan *p) {
  const ptrdiff_t bytes = p->chunk * (OCT_BLOCK * (ptrdiff_t)sizeof(float) + 2 * (ptrdiff_t)sizeof(float *) +
                                      (ptrdiff_t)sizeof(segment) + 2 * (ptrdiff_t)sizeof(ptrdiff_t));
  return oct_ceil_div(bytes, 64) * 64;
}

static ptrdiff_t thread_bytes(const oct_outer_plan *p) {
  return p->packs ? oct_outer_packed_thread_bytes(p) : unpacked_thread_bytes(p);
}

static workspace carve(void *scratch, const oct_outer_plan *p) {
  workspace w;
  char *at = scratch;
  w.panel = (float *)at;
  at += p->chunk * OCT_BLOCK * (ptrdiff_t)sizeof(float);
  w.src = (const float **)at;
  at += p->chunk * (ptrdiff_t)sizeof(float *);
  w.diff_dst = (const float **)at;
  at += p->chunk * (ptrdiff_t)sizeof(float *);
  w.segments = (segment *)at;
  at += p->chunk * (ptrdiff_t)sizeof(segment);
  w.ranges = (ptrdiff_t *)at;
  w.segment_count = 0;
  w.pixels = 0;
  return w;
}

static ptrdiff_t units_of_part(const oct_conv2d_desc *d, const oct_outer_plan *p) { return d->g * p->block_runs * p->ic_runs; }

/// Units of one part are neighbours, so threads read different pixels. Within a part a panel is packed again for every run of
/// ic, best at once.
static oct_outer_unit unit_of(const oct_conv2d_desc *d, const oct_outer_plan *p, ptrdiff_t item) {
  const ptrdiff_t units = units_of_part(d, p), runs = p->block_runs * p->ic_runs, run = item % units % runs;
  oct_outer_unit u = {.group = item % units / runs};
  oct_share(p->blocks, run / p->ic_runs, p->block_runs, &u.block0, &u.block1);
  oct_share(p->icg, run % p->ic_runs, p->ic_runs, &u.ic0, &u.ic1);
  oct_share(d->n * d->oh * d->ow, item / units, p->parts, &u.pixel0, &u.pixel1);
  return u;
}

static void run_unit(const oct_conv2d_desc *d, const oct_outer_plan *p, const oct_outer_unit *u, const float *src,
                     const float *diff_dst, float *weights, bool accumulate, void *scratch) {
  const oct_conv_leaf *leaf = oct_conv_leaf_active();
  workspace w = carve(scratch, p);
  const ptrdiff_t chunks = oct_ceil_div(u->pixel1 - u->pixel0, p->chunk);
  for (ptrdiff_t chunk = 0; chunk < chunks; chunk++) {
    ptrdiff_t first, last;
    oct_share(u->pixel1 - u->pixel0, chunk, chunks, &first, &last);
    locate_chunk(d, src, diff_dst, u->pixel0 + first, u->pixel0 + last, &w);
    for (ptrdiff_t block = u->block0; block < u->block1; block++)
      run_block(d, p, leaf, weights, accumulate || chunk > 0, u->group, block, u->block1, u->ic0, u->ic1, &w);
  }
}

/// diff_weights[begin ..< end] (+)= the partial sums, one part after the other: a run stays in the L1 cache, and the
/// compiler makes vectors of the inner loop.
static void add_parts(const float *restrict partial, ptrdiff_t parts, ptrdiff_t weights, ptrdiff_t begin,
                      ptrdiff_t end, float *restrict diff_weights, bool accumulate) {
  if (!accumulate) memset(diff_weights + begin, 0, (size_t)(end - begin) * sizeof(float));
  for (ptrdiff_t part = 0; part < parts; part++) {
    const float *restrict from = partial + part * weights;
    for (ptrdiff_t i = begin; i < end; i++) diff_weights[i] += from[i];
  }
}

/// Enough for fewer threads, which cut the channels in longer runs, and for fewer images, which have fewer parts and may not
/// pack them, or leave Winograd's algorithm or take it.
ptrdiff_t oct_conv2d_backward_weights_scratch_bytes(const oct_conv2d_desc *d, int threads) {
  if (oct_conv_is_depthwise(d)) return oct_depthwise_backward_weights_scratch_bytes(d);
  if (oct_conv_is_narrow(d)) return oct_grouped_backward_weights_scratch_bytes(d);
  ptrdiff_t most = oct_winograd_backward_weights_scratch_bytes(d, threads);
  for (int team = 1; team <= threads; team++)
    for (ptrdiff_t parts = 1; parts <= parts_of(d); parts *= 2) {
      const oct_outer_plan p = plan_of_parts(d, parts, team);
      const ptrdiff_t partial = parts > 1 ? parts * oct_conv2d_weights_count(d) * (ptrdiff_t)sizeof(float) : 0;
      most = oct_max(most, oct_max(thread_bytes(&p), unpacked_thread_bytes(&p)) * team + partial);
    }
  return most;
}

oct_status oct_conv2d_backward_weights(const oct_conv2d_desc *d, const float *src, const float *diff_dst,
                                       float *diff_weights, bool accumulate, const oct_side_work *beside, void *scratch,
                                       int threads) {
  if (oct_conv2d_check(d) != OCT_OK || threads < 1) return OCT_INVALID_DESCRIPTOR;
  if (oct_conv_is_depthwise(d)) {
    oct_depthwise_backward_weights(d, src, diff_dst, diff_weights, accumulate, beside, scratch, threads);
    return OCT_OK;
  }
  if (oct_conv_is_narrow(d)) {
    oct_grouped_backward_weights(d, src, diff_dst, diff_weights, accumulate, beside, scratch, threads);
    return OCT_OK;
  }
  if (oct_winograd_applies_to_weights(d)) {
    oct_winograd_backward_weights(d, src, diff_dst, diff_weights, accumulate, beside, scratch, threads);
    return OCT_OK;
  }
  const oct_outer_plan p = make_plan(d, threads);
  const ptrdiff_t weights = oct_conv2d_weights_count(d), units = units_of_part(d, &p);
  float *partial = (float *)((char *)scratch + thread_bytes(&p) * threads);
#pragma omp parallel num_threads(threads)
  {
    oct_run_beside(beside, false);
    void *own = (char *)scratch + thread_bytes(&p) * omp_get_thread_num();
    ptrdiff_t first, last;
    oct_share(p.parts * units, omp_get_thread_num(), omp_get_num_threads(), &first, &last);
    for (ptrdiff_t item = first; item < last; item++) {
      const oct_outer_unit u = unit_of(d, &p, item);
      float *sums = p.parts > 1 ? partial + item / units * weights : diff_weights;
      (p.packs ? oct_outer_packed_run : run_unit)(d, &p, &u, src, diff_dst, sums, p.parts == 1 && accumulate, own);
    }
    oct_run_beside(beside, true);
    if (p.parts > 1) {
#pragma omp barrier
#pragma omp for schedule(static)
      for (ptrdiff_t run = 0; run < oct_ceil_div(weights, SUM_RUN); run++)
        add_parts(partial, p.parts, weights, run * SUM_RUN, oct_min((run + 1) * SUM_RUN, weights), diff_weights,
                  accumulate);
    }
  }
  return OCT_OK;
}

oct_status oct_conv2d_backward_weights_shares(const oct_conv2d_desc *d, int threads, double *work) {
  if (oct_conv2d_check(d) != OCT_OK || oct_conv_is_depthwise(d) || oct_conv_is_narrow(d) || threads < 1) return OCT_INVALID_DESCRIPTOR;
  if (oct_winograd_applies_to_weights(d)) {
    oct_winograd_backward_weights_shares(d, threads, work);
    return OCT_OK;
  }
  const oct_outer_plan p = make_plan(d, threads);
  for (int thread = 0; thread < threads; thread++) {
    ptrdiff_t first, last;
    oct_share(p.parts * units_of_part(d, &p), thread, threads, &first, &last);
    work[thread] = 0;
    for (ptrdiff_t item = first; item < last; item++) {
      const oct_outer_unit u = unit_of(d, &p, item);
      const ptrdiff_t columns = oct_min(u.block1 * OCT_BLOCK, p.ocg) - u.block0 * OCT_BLOCK;
      // Every tap of every pixel: those outside the map are at all borders alike.
      work[thread] += (double)((u.pixel1 - u.pixel0) * p.taps) * (double)((u.ic1 - u.ic0) * columns);
    }
  }
  return OCT_OK;
}
