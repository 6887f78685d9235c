// What Muon needs beside the other optimizers: momentum, and the orthogonal factor of a matrix by Newton–Schulz iterations.
//
// Its matrix products are 1×1 convolutions, whose kernels keep all threads busy and give the same bits for any number of
// them: with the columns of X as pixels and its rows as channels, X·Xᵀ is the gradient of weights, and P·X a forward pass.
#include <math.h>
#include <string.h>

#include "maps.h"

oct_status oct_muon_direction(ptrdiff_t count, float momentum, bool nesterov, float gradient_scale, const float *gradient,
                              float *velocity, float *direction, int threads) {
  if (count < 0) return OCT_INVALID_DESCRIPTOR;
  OCT_EACH_SHARE(count, threads, begin, end, {
    for (ptrdiff_t i = begin; i < end; i++) {
      const float g = gradient_scale * gradient[i];
      velocity[i] = momentum * velocity[i] + g;
      direction[i] = nesterov ? g + momentum * velocity[i] : velocity[i];
    }
  });
  return OCT_OK;
}

oct_status oct_transpose(ptrdiff_t rows, ptrdiff_t columns, const float *src, float *dst, int threads) {
  enum { TILE = 16 };
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){rows, columns}, 2, &count)) return OCT_INVALID_DESCRIPTOR;
  const ptrdiff_t bands = oct_ceil_div(columns, TILE);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t band = 0; band < bands; band++) {
    const ptrdiff_t first = band * TILE, last = oct_min(first + TILE, columns);
    for (ptrdiff_t row0 = 0; row0 < rows; row0 += TILE)
      for (ptrdiff_t column = first; column < last; column++)
        for (ptrdiff_t row = row0; row < oct_min(row0 + TILE, rows); row++)
          dst[column * rows + row] = src[row * columns + column];
  }
  return OCT_OK;
}

/// [pixels, channels] · [outputs, channels]ᵀ.
static oct_conv2d_desc product_desc(ptrdiff_t pixels, ptrdiff_t channels) {
  return (oct_conv2d_desc){.n = 1, .ih = 1, .iw = pixels, .ic = channels, .oh = 1, .ow = pixels, .oc = channels,
                           .kh = 1, .kw = 1, .sh = 1, .sw = 1, .ph = 0, .pw = 0, .g = 1};
}

static ptrdiff_t aligned(ptrdiff_t bytes) { return oct_ceil_div(bytes, 64) * 64; }

typedef struct iteration {
  oct_conv2d_desc whole, square;  // with X's columns as pixels; of two matrices [rows, rows]
  ptrdiff_t x_bytes, square_bytes, packed_bytes, scratch_bytes;
} iteration;

static bool plan(ptrdiff_t rows, ptrdiff_t columns, int threads, iteration *p) {
  if (rows < 1 || columns < rows || threads < 1) return false;
  p->whole = product_desc(columns, rows);
  p->square = product_desc(rows, rows);
  if (oct_conv2d_check(&p->whole) != OCT_OK) return false;
  p->x_bytes = aligned(rows * columns * (ptrdiff_t)sizeof(float));
  p->square_bytes = aligned(rows * rows * (ptrdiff_t)sizeof(float));
  p->packed_bytes = aligned(oct_conv2d_weights_count(&p->square) * (ptrdiff_t)sizeof(float));
  ptrdiff_t most = oct_conv2d_backward_weights_scratch_bytes(&p->whole, threads);
  most = oct_max(most, oct_conv2d_forward_scratch_bytes(&p->whole, threads));
  p->scratch_bytes = aligned(oct_max(most, oct_conv2d_forward_scratch_bytes(&p->square, threads)));
  return true;
}

ptrdiff_t oct_newton_schulz_scratch_bytes(ptrdiff_t rows, ptrdiff_t columns, int threads) {
  iteration p;
  if (!plan(rows, columns, threads, &p)) return 0;
  return p.x_bytes + 2 * p.square_bytes + p.packed_bytes + p.scratch_bytes + 64;
}

oct_status oct_newton_schulz(ptrdiff_t rows, ptrdiff_t columns, int steps, float *x, void *scratch, int threads) {
  iteration p;
  if (steps < 0 || !plan(rows, columns, threads, &p)) return OCT_INVALID_DESCRIPTOR;
  char *memory = (char *)(((uintptr_t)scratch + 63) / 64 * 64);
  float *const other = (float *)memory;
  float *const gram = (float *)(memory += p.x_bytes);
  float *const squared = (float *)(memory += p.square_bytes);
  float *const packed = (float *)(memory += p.square_bytes);
  void *const rest = memory + p.packed_bytes;
  const ptrdiff_t count = rows * columns;
  const float norm = (float)sqrt(oct_sum_of_squares(count, x, threads));
  oct_scale(count, 1.0f / (norm + 1e-7f), x, x, false, threads);
  float *from = x, *to = other;
  for (int step = 0; step < steps; step++) {
    // A = X·Xᵀ, then P = 3.4445 + (−4.775·A + 2.0315·A·A), and P·X.
    oct_status status = oct_conv2d_backward_weights(&p.whole, from, from, packed, false, NULL, rest, threads);
    if (status != OCT_OK) return status;
    oct_conv2d_unpack_weights(&p.square, packed, gram);
    status = oct_conv2d_forward(&p.square, gram, packed, NULL, squared, false, rest, threads);
    if (status != OCT_OK) return status;
    oct_axpby(rows * rows, -4.7750f, gram, 2.0315f, squared, threads);
    for (ptrdiff_t i = 0; i < rows; i++) squared[i * rows + i] += 3.4445f;
    oct_conv2d_pack_weights(&p.square, squared, packed);
    status = oct_conv2d_forward(&p.whole, from, packed, NULL, to, false, rest, threads);
    if (status != OCT_OK) return status;
    float *const swap = from;
    from = to;
    to = swap;
  }
  if (from != x) oct_copy(count, from, x, threads);
  return OCT_OK;
}
