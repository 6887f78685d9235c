// A sweep by rectangles.
//
// Pixels are grouped in rectangles whose pixels have the same taps inside the map. All pixels of a rectangle, from all
// images, are one list of rows; a tile is any few consecutive rows of it. So a border tap that falls outside is
// never computed, for any batch size, and a tile's taps differ from each other by one common offset.
//
// Within a thread: chunks of rows small enough for the L2 cache, then blocks of 64 channels, then groups of taps whose
// weights fit beside it, then tiles. A group after the first starts its accumulators from dst. Where the weights are
// larger than the map, the blocks come first: then a block's weights are read from memory once.
#include "conv_fetch.h"
#include "conv_sweep.h"

// Measured with 1 and 2 MiB of L2 cache; a smaller one's chunks may take more of it.
enum { MOST_CHUNK_BYTES = 384 << 10 };  // of src

/// End of the run of pixels from t on that have the same taps in every source.
static ptrdiff_t run_end(const oct_sweep *s, bool is_y, ptrdiff_t t) {
  ptrdiff_t end = is_y ? s->sources[0].y.count : s->sources[0].x.count, first, last;
  for (ptrdiff_t i = 0; i < s->count; i++)
    end = oct_min(end, oct_same_taps_end(is_y ? &s->sources[i].y : &s->sources[i].x, t, &first, &last));
  return end;
}

/// The reduction of one rectangle and block, tap row by tap row. Neighbouring taps of a row are contiguous in an NHWC
/// map and, where the weights are too, become one entry: a 7×7 stem of 3 channels has 7 entries of 21.
///
/// `reads_first`: no block of these pixels came before, so they may have to come from memory.
static ptrdiff_t make_entries(const oct_sweep *s, const oct_rectangle *r, ptrdiff_t group, ptrdiff_t block_offset,
                              ptrdiff_t width, bool reads_first, const oct_sweep_scratch *scratch) {
  ptrdiff_t count = 0;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    const oct_sweep_source *source = &s->sources[i];
    ptrdiff_t y0, y1, x0, x1;
    oct_valid_taps(&source->y, r->y0, &y0, &y1);
    oct_valid_taps(&source->x, r->x0, &x0, &x1);
    const bool merges = s->g == 1 && source->x.weight_step == 1;
    const ptrdiff_t run = merges ? oct_max(x1 - x0, 0) : 1;
    const ptrdiff_t block = (group * oct_padded(s->dst_channels / s->g) + block_offset) * source->k * source->taps;
    for (ptrdiff_t y = y0; y < y1; y++)
      for (ptrdiff_t x = x0; x < x1; x += run) {
        const ptrdiff_t tap = (source->y.weight_first + source->y.weight_step * y) * source->tap_row +
                              source->x.weight_first + source->x.weight_step * x;
        const ptrdiff_t row_width = source->x.src_size;
        const ptrdiff_t k = run * source->k, pieces = oct_entry_pieces(k);
        for (ptrdiff_t piece = 0; piece < pieces; piece++) {
          ptrdiff_t begin, end;
          oct_share(k, piece, pieces, &begin, &end);
          scratch->entries[count++] = (oct_conv_entry){
              .rows = scratch->rows + i * OCT_CHUNK_ROWS,
              .offset = (y * row_width + x) * source->channels + begin,
              .weights = source->weights + block + (tap * source->k + begin) * width,
              .k = end - begin,
              .ahead = reads_first && source->taps == 1 ? source->channels * source->x.src_step : 0,
          };
        }
      }
  }
  return count;
}

/// About `floats` weights, from those of an entry on.
static oct_weights_span weights_of(const oct_sweep_scratch *scratch, ptrdiff_t entry, ptrdiff_t offset, ptrdiff_t floats) {
  const float *begin = oct_offset_pointer(scratch->entries[entry].weights, offset);
  return (oct_weights_span){begin, oct_offset_pointer(begin, floats)};
}

/// Where weights come from while a chunk is computed.
typedef struct weights_source {
  bool cold;        // nobody has fetched the first ones
  bool memory;      // those that follow are not in the L2 cache
  ptrdiff_t block1;  // end of the thread's blocks
} weights_source;

/// All channel blocks [block0, block1) of rows [first, last) of a rectangle.
static void run_chunk(const oct_sweep *s, const oct_conv_leaf *leaf, const oct_rectangle *r, ptrdiff_t group,
                      ptrdiff_t first, ptrdiff_t last, ptrdiff_t block0, ptrdiff_t block1, weights_source from,
                      const oct_sweep_scratch *scratch) {
  const ptrdiff_t rows = last - first, ocg = s->dst_channels / s->g;
  const ptrdiff_t block_floats = OCT_BLOCK * s->sources[0].k * s->sources[0].taps;
  oct_sweep_point_rows(s, r, group, first, last, scratch);
  for (ptrdiff_t b = block0; b < block1; b++) {
    const ptrdiff_t channel = b * OCT_BLOCK, width = oct_block_width(ocg, b);
    const ptrdiff_t entries = make_entries(s, r, group, channel, width, b == block0, scratch);
    for (ptrdiff_t row = 0; row < rows; row++) {
      scratch->block_dst[row] = scratch->dst[row] + channel;
      if (s->low) scratch->block_start[row] = scratch->start[row] + channel;
    }
    const float *const *continued = (const float *const *)scratch->block_dst;
    oct_conv_tile tile = {
        .dst = scratch->block_dst,
        .start = s->accumulate ? continued : s->low ? scratch->block_start : NULL,
        .columns = oct_min(OCT_BLOCK, ocg - channel),
        .width = width,
        .next_row = s->dst_channels * s->sources[0].x.dst_step,
    };
    const ptrdiff_t tiles = oct_ceil_div(rows, leaf->max_rows(tile.columns));
    ptrdiff_t entry = 0;
    do {
      ptrdiff_t taken = 0, k = 0;
      while (entry + taken < entries && (taken == 0 || k + scratch->entries[entry + taken].k <= OCT_GROUP_K))
        k += scratch->entries[entry + taken++].k;
      tile.streams = oct_sweep_streams(s) && entry == 0 && taken == entries;
      if (entry + taken >= entries) oct_sweep_add_epilogue(s, group * ocg + channel, &tile);
      const oct_weights_span own = weights_of(scratch, entry, 0, k * width);
      oct_weights_span next = {NULL, NULL};
      if (from.memory && entry + taken < entries) next = weights_of(scratch, entry + taken, 0, k * width);
      else if (from.memory && b + 1 < from.block1) next = weights_of(scratch, 0, block_floats, k * width);
      const oct_fetch_plan fetch = oct_plan_fetch(own, k, next, from.cold && b == block0 && entry == 0, tiles);
      for (ptrdiff_t t = 0; t < tiles; t++) {
        ptrdiff_t begin, end;
        oct_share(rows, t, tiles, &begin, &end);
        oct_plan_tile(&fetch, t, &tile);
        leaf->accumulate(&tile, scratch->entries + entry, taken, begin, end - begin);
      }
      entry += taken;
      tile.start = continued;
    } while (entry < entries);
  }
}

/// Relative cost of a row of a rectangle: its reduction, and a little for reading and writing dst.
static ptrdiff_t row_cost(const oct_sweep *s, const oct_rectangle *r) {
  ptrdiff_t cost = 16;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    ptrdiff_t y0, y1, x0, x1;
    oct_valid_taps(&s->sources[i].y, r->y0, &y0, &y1);
    oct_valid_taps(&s->sources[i].x, r->x0, &x0, &x1);
    cost += (y1 - y0) * (x1 - x0) * s->sources[i].k;
  }
  return cost;
}

/// Sum of row costs over all rectangles, and the rectangle that costs most.
static ptrdiff_t total_cost(const oct_sweep *s, oct_rectangle *largest) {
  ptrdiff_t total = 0, most = -1;
  oct_rectangle r;
  for (r.y0 = 0; r.y0 < s->sources[0].y.count; r.y0 = r.y1) {
    r.y1 = run_end(s, true, r.y0);
    for (r.x0 = 0; r.x0 < s->sources[0].x.count; r.x0 = r.x1) {
      r.x1 = run_end(s, false, r.x0);
      const ptrdiff_t cost = row_cost(s, &r) * s->n * (r.y1 - r.y0) * (r.x1 - r.x0);
      if (cost > most) {
        most = cost;
        *largest = r;
      }
      total += cost;
    }
  }
  return total;
}

/// A share in numbers: blocks of channels, and those rows whose cost begins in an interval.
typedef struct part {
  ptrdiff_t block0, block1;
  double low, high;
  bool takes_rest;     // of the rows: costs in doubles may not add up to the last
  ptrdiff_t chunk;     // rows
  oct_rectangle largest;
  bool keeps_weights;  // in the L2 cache, from chunk to chunk
} part;

/// Blocks [block0, block1) of all rows of a part. The largest rectangle goes first: its many rows hide the weights' arrival,
/// which the few rows of a border would wait for.
static void run_blocks(const oct_sweep *s, const oct_conv_leaf *leaf, const part *p, ptrdiff_t group, ptrdiff_t block0,
                       ptrdiff_t block1, const oct_sweep_scratch *scratch) {
  for (int pass = 0; pass < 2; pass++) {
    double before = 0;
    oct_rectangle r;
    for (r.y0 = 0; r.y0 < s->sources[0].y.count; r.y0 = r.y1) {
      r.y1 = run_end(s, true, r.y0);
      for (r.x0 = 0; r.x0 < s->sources[0].x.count; r.x0 = r.x1) {
        r.x1 = run_end(s, false, r.x0);
        const ptrdiff_t rows = s->n * (r.y1 - r.y0) * (r.x1 - r.x0);
        const double cost = (double)row_cost(s, &r);
        ptrdiff_t first = (ptrdiff_t)__builtin_ceil((p->low - before) / cost);
        ptrdiff_t last = (ptrdiff_t)__builtin_ceil((p->high - before) / cost);
        first = oct_min(oct_max(first, 0), rows);
        last = p->takes_rest ? rows : oct_min(oct_max(last, 0), rows);
        before += cost * (double)rows;
        const bool is_largest = r.y0 == p->largest.y0 && r.x0 == p->largest.x0;
        if (is_largest != (pass == 0)) continue;

        const ptrdiff_t chunks = oct_ceil_div(last - first, p->chunk);
        for (ptrdiff_t c = 0; c < chunks; c++) {
          ptrdiff_t begin, end;
          oct_share(last - first, c, chunks, &begin, &end);
          const bool reads_first = is_largest && c == 0 && !s->has_hot_weights;
          const weights_source from = {.cold = reads_first && block0 == p->block0,
                                       .memory = reads_first || !p->keeps_weights,
                                       .block1 = p->block1};
          run_chunk(s, leaf, &r, group, first + begin, first + end, block0, block1, from, scratch);
        }
      }
    }
  }
}

void oct_sweep_run_by_rectangles(const oct_sweep *s, oct_sweep_share share, const oct_sweep_scratch *scratch) {
  const oct_conv_leaf *leaf = s->leaf;
  part p = {.block0 = share.block0, .block1 = share.block1, .takes_rest = share.row_part1 == share.row_parts};
  const ptrdiff_t total = total_cost(s, &p.largest);
  // In doubles, because cost · thread may not fit; the cuts only decide who computes a row.
  p.low = (double)total * (double)share.row_part0 / (double)share.row_parts;
  p.high = (double)total * (double)share.row_part1 / (double)share.row_parts;

  const ptrdiff_t cache = oct_near_bytes();
  ptrdiff_t row_bytes = 0, map_bytes = 0, weights_bytes = 0;
  const ptrdiff_t step = share.block_by_block ? 1 : p.block1 - p.block0;
  for (ptrdiff_t i = 0; i < s->count; i++) {
    const oct_sweep_source *source = &s->sources[i];
    const ptrdiff_t pixel_bytes = source->channels * (ptrdiff_t)sizeof(float);
    row_bytes += pixel_bytes * source->x.src_step * source->y.src_step;
    map_bytes += pixel_bytes * s->n * source->y.src_size * source->x.src_size;
    weights_bytes += step * OCT_BLOCK * source->k * source->taps * (ptrdiff_t)sizeof(float);
  }
  const ptrdiff_t chunk_bytes = oct_min(MOST_CHUNK_BYTES, cache * 3 / 4);
  p.chunk = oct_max(64, oct_min(OCT_CHUNK_ROWS, chunk_bytes / row_bytes));
  // Beside a map of half the cache, or if they are an eighth of it themselves.
  p.keeps_weights = s->has_hot_weights || map_bytes <= cache / 2 || weights_bytes <= cache / 8;

  for (ptrdiff_t group = 0; group < s->g; group++)
    for (ptrdiff_t block = p.block0; block < p.block1; block += step)
      run_blocks(s, leaf, &p, group, block, block + step, scratch);
}
