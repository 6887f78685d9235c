// The loop nest that forward and backward-data share: who computes what, and in which order.
//
// Threads share the pixels or the channel blocks. Each goes through its pixels by rectangles (conv_sweep_rectangles.c), or
// tap by tap where a small map has large weights (conv_sweep_taps.c).
#include "conv_sweep.h"

ptrdiff_t oct_sweep_most_entries(ptrdiff_t taps, ptrdiff_t k) { return taps * oct_entry_pieces(k); }

ptrdiff_t oct_sweep_scratch_bytes(ptrdiff_t sources, ptrdiff_t entries) {
  const ptrdiff_t bytes = (sources + 4) * OCT_CHUNK_ROWS * (ptrdiff_t)sizeof(void *) +
                          entries * (ptrdiff_t)sizeof(oct_conv_entry);
  return oct_ceil_div(bytes, 64) * 64;
}

static oct_sweep_scratch carve(void *scratch, ptrdiff_t sources) {
  oct_sweep_scratch t;
  char *p = scratch;
  t.rows = (const float **)p;
  p += sources * OCT_CHUNK_ROWS * (ptrdiff_t)sizeof(void *);
  t.start = (const float **)p;
  p += OCT_CHUNK_ROWS * sizeof(void *);
  t.dst = (float **)p;
  p += OCT_CHUNK_ROWS * sizeof(void *);
  t.block_start = (const float **)p;
  p += OCT_CHUNK_ROWS * sizeof(void *);
  t.block_dst = (float **)p;
  p += OCT_CHUNK_ROWS * sizeof(void *);
  t.entries = (oct_conv_entry *)p;
  return t;
}

/// Each of two threads then reads half of the weights and all of the map, instead of the other way round.
bool oct_sweep_splits_blocks(const oct_sweep *s, int threads) {
  const oct_sweep_source *one = &s->sources[0];
  const ptrdiff_t map = s->n * one->y.src_size * one->x.src_size * one->channels;
  const ptrdiff_t weights = oct_padded(s->dst_channels / s->g) * s->g * one->k * one->taps;
  return threads > 1 && weights > map;
}

oct_block_rows oct_sweep_rows_of_block(const oct_sweep *s, ptrdiff_t block, int thread, int threads) {
  const ptrdiff_t channels = s->dst_channels / s->g, lanes = oct_padded(channels) / OCT_LANE;
  // Each lane counts as many parts as there are threads, so that every cut falls between parts.
  const ptrdiff_t begin = block * (OCT_BLOCK / OCT_LANE) * threads;
  const ptrdiff_t parts = oct_block_width(channels, block) / OCT_LANE * threads;
  const ptrdiff_t first = oct_max(thread * lanes - begin, 0), last = oct_min((thread + 1) * lanes - begin, parts);
  return (oct_block_rows){first, oct_max(first, last), parts};
}

static void run_share(const oct_sweep *s, void *memory, oct_sweep_share share) {
  const oct_sweep_scratch scratch = carve(memory, s->count);
  const bool takes_all_rows = share.row_part0 == 0 && share.row_part1 == share.row_parts;
  if (takes_all_rows && oct_sweep_goes_by_taps(s))
    oct_sweep_run_by_taps(s, share.block0, share.block1, &scratch);
  else
    oct_sweep_run_by_rectangles(s, share, &scratch);
  // Streamed lines must have arrived before another thread reads them.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void oct_sweep_run(const oct_sweep *s, void *scratch, int thread, int threads) {
  const ptrdiff_t blocks = oct_ceil_div(s->dst_channels / s->g, OCT_BLOCK);
  if (!oct_sweep_splits_blocks(s, threads)) {
    run_share(s, scratch, (oct_sweep_share){0, blocks, thread, thread + 1, threads, .block_by_block = false});
    return;
  }
  for (ptrdiff_t block = 0, end; block < blocks; block = end) {
    const oct_block_rows rows = oct_sweep_rows_of_block(s, block, thread, threads);
    end = block + 1;
    if (rows.first == rows.last) continue;
    // Neighbours that are whole go together: each then fetches the next one's weights.
    while (oct_takes_block(rows) && end < blocks && oct_takes_block(oct_sweep_rows_of_block(s, end, thread, threads))) end++;
    run_share(s, scratch, (oct_sweep_share){block, end, rows.first, rows.last, rows.parts, .block_by_block = true});
  }
}

void oct_sweep_run_block(const oct_sweep *s, void *scratch, ptrdiff_t block, oct_block_rows rows) {
  run_share(s, scratch, (oct_sweep_share){block, block + 1, rows.first, rows.last, rows.parts, .block_by_block = true});
}
