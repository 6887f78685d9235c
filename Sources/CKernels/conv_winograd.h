// Winograd's minimal filtering F(m×m, 3×3) (Lavin & Gray 2015), m = 2 or 4: what forward, backward-data and backward-weights share.
//
// A tile is m × m pixels of the output. It reads (m + 2) × (m + 2) pixels d of the source, and with the 3 × 3 weights g it is
//
//   Aᵀ [ Σ_ic (G g Gᵀ) ⊙ (Bᵀ d B) ] A
//
// The product ⊙ is element by element: 16 multiplications where the direct sum has 36, or 36 where it has 144. Element ξ of
// it, over all tiles and channels, is a matrix product [tiles × ic] · [ic × oc]. Pixels outside the map read as zero.
#ifndef OCT_CONV_WINOGRAD_H
#define OCT_CONV_WINOGRAD_H

#include "conv_internal.h"

/// The transforms of F(m×m, 3×3).
static inline const oct_winograd_leaf *oct_winograd_transforms(const oct_conv_leaf *leaf, ptrdiff_t m) {
  return &leaf->winograd[m == 4];
}

enum { OCT_MOST_INPUTS = 36, OCT_MOST_OUTPUTS = 16 };  // pixels that a tile reads and writes

/// Elements ξ of a transformed tile.
static inline ptrdiff_t oct_points(ptrdiff_t m) { return (m + 2) * (m + 2); }

static inline ptrdiff_t oct_whole_lines(ptrdiff_t bytes) { return oct_ceil_div(bytes, 64) * 64; }

// Transformed weights are [block][ξ][k][width]. A line of padding after each ξ keeps them out of the same set of the cache.
static inline ptrdiff_t oct_point_stride(ptrdiff_t k, ptrdiff_t width) { return k * width + OCT_LANE; }
static inline ptrdiff_t oct_point_block(ptrdiff_t m, ptrdiff_t k, ptrdiff_t block) {
  return block * oct_points(m) * oct_point_stride(k, OCT_BLOCK);
}
static inline ptrdiff_t oct_point_count(ptrdiff_t m, ptrdiff_t k, ptrdiff_t channels) {
  return oct_points(m) * (k * oct_padded(channels) + OCT_LANE * oct_ceil_div(channels, OCT_BLOCK));
}

/// Tiles of a map, counted over (image, y, x).
typedef struct oct_tile_grid {
  ptrdiff_t m, h, w;
} oct_tile_grid;

typedef struct oct_tile_place {
  ptrdiff_t image, y, x;
} oct_tile_place;

static inline oct_tile_grid oct_tiles_of(ptrdiff_t m, ptrdiff_t h, ptrdiff_t w) {
  return (oct_tile_grid){m, oct_ceil_div(h, m), oct_ceil_div(w, m)};
}
static inline oct_tile_place oct_tile_at(const oct_tile_grid *grid, ptrdiff_t tile) {
  return (oct_tile_place){tile / (grid->h * grid->w), tile / grid->w % grid->h, tile % grid->w};
}

/// Pointers to the `size` × `size` pixels from (y, x) on, `outside` for those that are not on the map.
static inline void oct_tile_pixels(const float *map, ptrdiff_t h, ptrdiff_t w, ptrdiff_t channels, ptrdiff_t image,
                                   ptrdiff_t y, ptrdiff_t x, ptrdiff_t size, const float *outside, const float **pixels) {
  for (ptrdiff_t i = 0; i < size; i++)
    for (ptrdiff_t j = 0; j < size; j++) {
      const bool inside = y + i >= 0 && y + i < h && x + j >= 0 && x + j < w;
      pixels[i * size + j] = inside ? map + ((image * h + y + i) * w + x + j) * channels : outside;
    }
}

/// Multiplications of the direct sum for one image and one pair of channels: taps inside the map, over all pixels.
ptrdiff_t oct_direct_products(const oct_sweep_axis *y, const oct_sweep_axis *x);

/// The m with fewer multiplications on a map of h × w pixels, where each element of a pair of channels' transformed weights
/// costs `once` of them for all images together. It does not depend on the channels, so that sources of one sum agree.
static inline oct_tile_grid oct_winograd_grid(ptrdiff_t h, ptrdiff_t w, ptrdiff_t images, double once) {
  oct_tile_grid best = {0};
  double least = 1e30;
  for (ptrdiff_t m = 2; m <= 4; m += 2) {
    const oct_tile_grid grid = oct_tiles_of(m, h, w);
    const double products = (double)oct_points(m) * ((double)(grid.h * grid.w * images) + once);
    if (products >= least) continue;
    least = products;
    best = grid;
  }
  return best;
}

/// Whether the direct sum of so many products takes longer than the tiles of the grid. All costs are in multiplications,
/// and measured: the transforms take 40 a pixel and channel of the source and 30 a pixel and channel of the output, what is
/// done once for all images takes `once` an element and pair of channels, and a gain below 15 % is not worth it.
static inline bool oct_winograd_pays(const oct_tile_grid *grid, ptrdiff_t products, ptrdiff_t k, ptrdiff_t channels,
                                     ptrdiff_t images, double once) {
  const double pairs = (double)k * (double)channels, points = (double)oct_points(grid->m);
  const double tile = points * pairs + (double)(grid->m * grid->m) * (40 * (double)k + 30 * (double)channels);
  const double tiles = (double)(grid->h * grid->w) * (double)images;
  return (double)products * (double)images * pairs > 1.15 * (tile * tiles + once * points * pairs);
}

#endif  // OCT_CONV_WINOGRAD_H
