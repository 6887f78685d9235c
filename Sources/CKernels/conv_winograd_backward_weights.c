// Winograd's algorithm with respect to the weights: the transpose of forward's formula,
//
//   diff_g = Gᵀ [ Σ_tiles (Bᵀ d B) ⊙ (A diff_y Aᵀ) ] G
//
// The work is cut in units of (part of the tiles, run of 64-channel oc blocks, run of ic), as the direct sum's. A unit goes over its
// tiles in chunks: it transforms both maps and adds an outer product for each ξ to its part's sums. The sums of the parts are
// added in order while they are transformed back. The number of parts depends on the shape only.
#include <string.h>

#include "conv_winograd.h"

enum {
  CHUNK_TILES = 128,
  PART_TILES = 32,                   // of 4 × 4 pixels, of which a part has at least so many; of 2 × 2 a chunk
  SUM_COST = 25,                     // of an element of the sums, read and written in every chunk and in the end, in multiplications
  MAX_PARTS = 16,
  SUMS_FLOATS = 2 * 1024 * 1024,     // of all parts, 8 MiB
  WEIGHT_PARTS = 8,                  // of a block's channels, to share the last transform out
};

typedef struct plan {
  oct_tile_grid grid;
  ptrdiff_t points, tiles, chunk, blocks, parts;
  ptrdiff_t runs, ic_runs;  // of blocks, and of ic
  ptrdiff_t run_channels;   // most of a run
  ptrdiff_t source_stride;  // floats from ξ to ξ + 1
  ptrdiff_t diff_stride;
  ptrdiff_t sums;           // floats of a part
  ptrdiff_t thread_bytes;
} plan;

static oct_sweep_axis axis(ptrdiff_t count, ptrdiff_t size, ptrdiff_t padding) {
  return (oct_sweep_axis){.count = count, .src_base = -padding, .src_step = 1, .src_size = size, .taps = 3};
}

static bool has_its_form(const oct_conv2d_desc *d) {
  return !d->direct && d->g == 1 && d->kh == 3 && d->kw == 3 && d->sh == 1 && d->sw == 1;
}

static bool pays(const oct_conv2d_desc *d, const oct_tile_grid *grid) {
  const oct_sweep_axis y = axis(d->oh, d->ih, d->ph), x = axis(d->ow, d->iw, d->pw);
  return oct_winograd_pays(grid, oct_direct_products(&y, &x), d->ic, d->oc, d->n, SUM_COST);
}

static oct_tile_grid grid_of(const oct_conv2d_desc *d, ptrdiff_t images) {
  return oct_winograd_grid(d->oh, d->ow, images, SUM_COST);
}

bool oct_winograd_applies_to_weights(const oct_conv2d_desc *d) {
  if (!has_its_form(d)) return false;
  const oct_tile_grid grid = grid_of(d, d->n);
  return pays(d, &grid);
}

/// Of the tiles: a power of two, and no more for fewer images.
static ptrdiff_t parts_of(const oct_conv2d_desc *d, const oct_tile_grid *grid) {
  const ptrdiff_t tiles = d->n * grid->h * grid->w, sums = oct_point_count(grid->m, d->ic, d->oc);
  return oct_equal_parts(tiles / (grid->m == 4 ? PART_TILES : CHUNK_TILES), oct_min(MAX_PARTS, SUMS_FLOATS / sums));
}

static plan plan_of_parts(const oct_conv2d_desc *d, const oct_tile_grid *grid, ptrdiff_t parts, int threads) {
  plan p = {.grid = *grid, .blocks = oct_ceil_div(d->oc, OCT_BLOCK), .parts = parts};
  p.points = oct_points(p.grid.m);
  p.tiles = d->n * p.grid.h * p.grid.w;
  p.sums = oct_point_count(p.grid.m, d->ic, d->oc);
  // Each run of blocks transforms the source again, each run of ic diff_dst. Sums are the same for any number.
  p.runs = oct_fair_runs(p.parts, p.blocks, p.blocks, threads);
  p.ic_runs = oct_fair_runs(p.parts * p.runs, oct_padded(d->ic) / OCT_LANE, oct_padded(d->ic) / OCT_LANE, threads);
  p.run_channels = oct_min(oct_ceil_div(p.blocks, p.runs) * OCT_BLOCK, oct_padded(d->oc));
  p.chunk = oct_min(CHUNK_TILES, p.tiles);
  p.source_stride = p.chunk * oct_padded(d->ic) + OCT_LANE;
  p.diff_stride = p.chunk * p.run_channels + OCT_LANE;
  const ptrdiff_t floats = p.points * (p.source_stride + p.diff_stride) + oct_padded(oct_max(d->ic, d->oc));
  p.thread_bytes = oct_whole_lines(floats * (ptrdiff_t)sizeof(float) + p.chunk * (ptrdiff_t)sizeof(void *));
  return p;
}

static plan make_plan(const oct_conv2d_desc *d, int threads) {
  const oct_tile_grid grid = grid_of(d, d->n);
  return plan_of_parts(d, &grid, parts_of(d, &grid), threads);
}

ptrdiff_t oct_winograd_backward_weights_scratch_bytes(const oct_conv2d_desc *d, int threads) {
  if (!has_its_form(d)) return 0;
  ptrdiff_t most = 0;
  // The more images, the larger the tiles, and the more is gained with either.
  for (ptrdiff_t m = grid_of(d, 1).m; m <= grid_of(d, d->n).m; m += 2) {
    const oct_tile_grid grid = oct_tiles_of(m, d->oh, d->ow);
    if (!pays(d, &grid)) continue;
    for (int team = 1; team <= threads; team++)
      for (ptrdiff_t parts = 1; parts <= parts_of(d, &grid); parts *= 2) {
        const plan p = plan_of_parts(d, &grid, parts, team);
        most = oct_max(most, parts * p.sums * (ptrdiff_t)sizeof(float) + p.thread_bytes * team);
      }
  }
  return most;
}

typedef struct workspace {
  float *source;       // [ξ][chunk][padded ic]
  float *diff;         // [ξ][block of the run][chunk][width]
  float *zeros;        // a pixel outside the maps
  const float **rows;  // [chunk], of source at ξ = 0
} workspace;

static workspace carve(const oct_conv2d_desc *d, const plan *p, char *scratch) {
  workspace w;
  const ptrdiff_t longest = oct_padded(oct_max(d->ic, d->oc));
  w.source = (float *)scratch;
  w.diff = w.source + p->points * p->source_stride;
  w.zeros = w.diff + p->points * p->diff_stride;
  w.rows = (const float **)(w.zeros + longest);
  memset(w.zeros, 0, (size_t)longest * sizeof(float));
  for (ptrdiff_t t = 0; t < p->chunk; t++) w.rows[t] = w.source + t * oct_padded(d->ic);
  return w;
}

/// A share of the work: sums of a run of blocks and a run of ic over one part of the tiles.
typedef struct unit {
  ptrdiff_t part, tile0, tile1, block0, block1, ic0, ic1;
} unit;

static ptrdiff_t units_of_part(const plan *p) { return p->runs * p->ic_runs; }

static unit unit_of(const oct_conv2d_desc *d, const plan *p, ptrdiff_t item) {
  unit u = {.part = item / units_of_part(p)};
  oct_share(p->tiles, u.part, p->parts, &u.tile0, &u.tile1);
  const ptrdiff_t run = item % units_of_part(p);
  oct_share(p->blocks, run / p->ic_runs, p->runs, &u.block0, &u.block1);
  // Whole lanes, in which pixels are transformed.
  oct_share(oct_padded(d->ic) / OCT_LANE, run % p->ic_runs, p->ic_runs, &u.ic0, &u.ic1);
  u.ic0 *= OCT_LANE;
  u.ic1 = oct_min(u.ic1 * OCT_LANE, d->ic);
  return u;
}

/// Both maps at one tile, as far as a unit reads them.
static void transform_tile(const oct_conv2d_desc *d, const plan *p, const oct_winograd_leaf *transforms, const float *src,
                           const float *diff_dst, ptrdiff_t tile, ptrdiff_t place, const unit *u, const workspace *w) {
  const oct_tile_place at = oct_tile_at(&p->grid, tile);
  const float *pixels[OCT_MOST_INPUTS];
  const ptrdiff_t m = p->grid.m;
  oct_tile_pixels(src, d->ih, d->iw, d->ic, at.image, m * at.y - d->ph, m * at.x - d->pw, m + 2, w->zeros, pixels);
  for (ptrdiff_t i = 0; i < p->points; i++) pixels[i] += u->ic0;
  transforms->source(pixels, u->ic1 - u->ic0, w->source + place * oct_padded(d->ic) + u->ic0, p->source_stride);
  oct_tile_pixels(diff_dst, d->oh, d->ow, d->oc, at.image, m * at.y, m * at.x, m, w->zeros, pixels);
  for (ptrdiff_t block = u->block0; block < u->block1; block++) {
    const ptrdiff_t channel = block * OCT_BLOCK, width = oct_block_width(d->oc, block);
    float *panel = w->diff + (block - u->block0) * OCT_BLOCK * p->chunk;
    transforms->diff(pixels, channel, oct_min(OCT_BLOCK, d->oc - channel), width, panel + place * width, p->diff_stride);
  }
}

/// The outer products of one ξ and block over `count` tiles.
static void add_products(const oct_conv2d_desc *d, const plan *p, const oct_conv_leaf *leaf, ptrdiff_t point,
                         ptrdiff_t block, const unit *u, ptrdiff_t count, float *sums, bool accumulate,
                         const workspace *w) {
  const ptrdiff_t width = oct_block_width(d->oc, block), ic = u->ic1 - u->ic0;
  const ptrdiff_t tiles = oct_ceil_div(ic, leaf->max_outer_rows(width)), all[2] = {0, count};
  const float *panel = w->diff + point * p->diff_stride + (block - u->block0) * OCT_BLOCK * p->chunk;
  float *out = sums + oct_point_block(p->grid.m, d->ic, block) + point * oct_point_stride(d->ic, width);
  for (ptrdiff_t t = 0; t < tiles; t++) {
    ptrdiff_t i0, i1;
    oct_share(ic, t, tiles, &i0, &i1);
    leaf->outer(w->rows, point * p->source_stride + u->ic0 + i0, panel, width, all, 1, i1 - i0,
                out + (u->ic0 + i0) * width, accumulate, NULL, 0);
  }
}

static void run_unit(const oct_conv2d_desc *d, const plan *p, const oct_conv_leaf *leaf, const float *src,
                     const float *diff_dst, const unit *u, float *sums, const workspace *w) {
  const ptrdiff_t chunks = oct_ceil_div(u->tile1 - u->tile0, p->chunk);
  for (ptrdiff_t c = 0; c < chunks; c++) {
    ptrdiff_t first, last;
    oct_share(u->tile1 - u->tile0, c, chunks, &first, &last);
    for (ptrdiff_t t = first; t < last; t++)
      transform_tile(d, p, oct_winograd_transforms(leaf, p->grid.m), src, diff_dst, u->tile0 + t, t - first, u, w);
    for (ptrdiff_t point = 0; point < p->points; point++)
      for (ptrdiff_t block = u->block0; block < u->block1; block++)
        add_products(d, p, leaf, point, block, u, last - first, sums, c > 0, w);
  }
}

void oct_winograd_backward_weights(const oct_conv2d_desc *d, const float *src, const float *diff_dst, float *diff_weights,
                                   bool accumulate, const oct_side_work *beside, void *scratch, int threads) {
  const oct_conv_leaf *leaf = oct_conv_leaf_active();
  const plan p = make_plan(d, threads);
  float *sums = scratch;
  char *rest = (char *)(sums + p.parts * p.sums);
#pragma omp parallel num_threads(threads)
  {
    oct_run_beside(beside, false);
    const workspace w = carve(d, &p, rest + omp_get_thread_num() * p.thread_bytes);
    ptrdiff_t first, last;
    oct_share(p.parts * units_of_part(&p), omp_get_thread_num(), omp_get_num_threads(), &first, &last);
    for (ptrdiff_t item = first; item < last; item++) {
      const unit u = unit_of(d, &p, item);
      run_unit(d, &p, leaf, src, diff_dst, &u, sums + u.part * p.sums, &w);
    }
    oct_run_beside(beside, true);
#pragma omp barrier
#pragma omp for schedule(static)
    for (ptrdiff_t item = 0; item < p.blocks * WEIGHT_PARTS; item++) {
      const ptrdiff_t block = item / WEIGHT_PARTS, width = oct_block_width(d->oc, block);
      ptrdiff_t k0, k1;
      oct_share(d->ic, item % WEIGHT_PARTS, WEIGHT_PARTS, &k0, &k1);
      float *taps[9];
      for (ptrdiff_t tap = 0; tap < 9; tap++)
        taps[tap] = diff_weights + block * OCT_BLOCK * d->ic * 9 + (tap * d->ic + k0) * width;
      for (ptrdiff_t part = 0; part < p.parts; part++)
        oct_winograd_transforms(leaf, p.grid.m)->diff_weights(sums + part * p.sums + oct_point_block(p.grid.m, d->ic, block) + k0 * width,
                                    oct_point_stride(d->ic, width), (k1 - k0) * width, taps, accumulate || part > 0);
    }
  }
}

void oct_winograd_backward_weights_shares(const oct_conv2d_desc *d, int threads, double *work) {
  const plan p = make_plan(d, threads);
  for (int thread = 0; thread < threads; thread++) {
    ptrdiff_t first, last;
    oct_share(p.parts * units_of_part(&p), thread, threads, &first, &last);
    work[thread] = 0;
    for (ptrdiff_t item = first; item < last; item++) {
      const unit u = unit_of(d, &p, item);
      const ptrdiff_t columns = oct_min(u.block1 * OCT_BLOCK, d->oc) - u.block0 * OCT_BLOCK;
      work[thread] += (double)((u.tile1 - u.tile0) * p.points) * (double)((u.ic1 - u.ic0) * columns);
    }
  }
}
