// libjpeg reports errors through callbacks that must not return; longjmp leaves them.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
// jpeglib.h needs the former.
#include <jpeglib.h>
#include <jerror.h>

#include "image_internal.h"

typedef struct jpeg_decoder {
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  struct jpeg_decompress_struct jpeg;
  jmp_buf exit;
  char *message;
  /// Blocks of all scans so far, and how many there may be.
  uint64_t visits, largest_visits;
  int scan;
  uint8_t *row;
} jpeg_decoder;

static void fail(j_common_ptr jpeg) {
  jpeg_decoder *self = jpeg->client_data;
  char text[JMSG_LENGTH_MAX];
  self->errors.format_message(jpeg, text);
  snprintf(self->message, OCT_IMAGE_MESSAGE, "JPEG: %s", text);
  longjmp(self->exit, 1);
}

static void refuse(jpeg_decoder *self, const char *problem) {
  snprintf(self->message, OCT_IMAGE_MESSAGE, "JPEG: %s", problem);
  longjmp(self->exit, 1);
}

/// libjpeg fills what is missing with gray and only warns. Damage is an error here; oddities are not.
static void take_warning(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_TOO_MUCH_DATA: fail(jpeg);
    default: break;
  }
}

/// Called before every row of blocks while all scans are read into memory. A scan of a few bytes may pass over the whole
/// image ("nothing changes here"), so their number is bounded by what they visit.
static void count_visits(j_common_ptr common) {
  jpeg_decoder *self = common->client_data;
  const struct jpeg_decompress_struct *jpeg = &self->jpeg;
  if (jpeg->input_scan_number == self->scan) return;
  self->scan = jpeg->input_scan_number;
  self->visits += (uint64_t)jpeg->MCUs_per_row * jpeg->MCU_rows_in_scan * (uint64_t)jpeg->blocks_in_MCU;
  if (self->visits > self->largest_visits) refuse(self, "more scans than an image of its size can need");
}

static uint64_t blocks_of(const struct jpeg_decompress_struct *jpeg) {
  uint64_t blocks = 0;
  for (int i = 0; i < jpeg->num_components; i++)
    blocks += (uint64_t)jpeg->comp_info[i].width_in_blocks * jpeg->comp_info[i].height_in_blocks;
  return blocks;
}

/// Huffman's codes have at least one bit a block; arithmetic coding can do with less.
static void check_size(jpeg_decoder *self, size_t count) {
  const uint64_t blocks = blocks_of(&self->jpeg);
  const uint64_t free_blocks = self->jpeg.arith_code ? OCT_IMAGE_FREE_BLOCKS : 64;
  if (blocks > 8 * (uint64_t)count + free_blocks) refuse(self, "truncated: fewer bytes than its pixels need");
  self->largest_visits = OCT_IMAGE_BLOCK_VISITS * blocks + OCT_IMAGE_BYTE_VISITS * (uint64_t)count;
  // Coefficients of 2 bytes, some more for blocks beyond the edges; libjpeg refuses what takes more.
  self->jpeg.mem->max_memory_to_use = (long)(160 * blocks + (64 << 20));
}

/// Adobe's CMYK, in which 255 is no ink, to RGB in place.
static void convert_cmyk(uint8_t *row, uint32_t width) {
  for (uint32_t x = 0; x < width; x++) {
    const int rest = row[4 * x + 3];
    for (uint32_t c = 0; c < 3; c++) row[3 * x + c] = (uint8_t)(rest - oct_product(255 - row[4 * x + c], rest));
  }
}

/// Colours between blocks follow from their neighbours, so that more is decoded than what is looked at.
enum { MARGIN = 32 };

/// Leaves out columns on both sides. Returns where a row begins in `self->row`.
static uint8_t *crop_columns(jpeg_decoder *self, const oct_sink *sink) {
  struct jpeg_decompress_struct *jpeg = &self->jpeg;
  const uint32_t width = jpeg->output_width;
  JDIMENSION first = sink->left > MARGIN ? sink->left - MARGIN : 0;
  JDIMENSION count = (width - first > sink->right - first + MARGIN ? sink->right + MARGIN : width) - first;
  // CMYK is converted in place, from its first column on.
  if (count == width || jpeg->num_components == 4) return self->row;
  jpeg_crop_scanline(jpeg, &first, &count);
  return self->row + (size_t)first * (size_t)jpeg->output_components;
}

/// Blocks of rows that are left out are read all the same, which finds damage, but no pixels made of them.
static void read_rows(jpeg_decoder *self, oct_sink *sink) {
  struct jpeg_decompress_struct *jpeg = &self->jpeg;
  const uint32_t height = jpeg->output_height;
  uint8_t *start = crop_columns(self, sink);
  if (sink->top > MARGIN) jpeg_skip_scanlines(jpeg, sink->top - MARGIN);
  while (jpeg->output_scanline < height) {
    const uint32_t y = jpeg->output_scanline;
    if (y >= sink->bottom && height - y > 1) {
      // To the end at once it would not read them.
      jpeg_skip_scanlines(jpeg, height - y - 1);
      continue;
    }
    jpeg_read_scanlines(jpeg, &start, 1);
    if (jpeg->num_components == 4) convert_cmyk(self->row, jpeg->output_width);
    oct_sink_row(sink, y, self->row, jpeg->num_components == 1 ? 1 : 3);
  }
}

static void read_pixels(jpeg_decoder *self, size_t count, oct_sink *sink) {
  struct jpeg_decompress_struct *jpeg = &self->jpeg;
  jpeg_read_header(jpeg, TRUE);
  switch (jpeg->num_components) {
    case 1: jpeg->out_color_space = JCS_GRAYSCALE; break;
    case 3: jpeg->out_color_space = JCS_RGB; break;
    case 4: jpeg->out_color_space = JCS_CMYK; break;
    default: refuse(self, "found neither gray nor RGB nor CMYK colours");
  }
  check_size(self, count);
  jpeg->scale_num = oct_sink_eighths(sink, jpeg->image_width, jpeg->image_height);
  jpeg->scale_denom = 8;
  jpeg_calc_output_dimensions(jpeg);
  if (!oct_sink_begin(sink, jpeg->output_width, jpeg->output_height, self->message)) longjmp(self->exit, 1);
  jpeg->progress = &self->progress;
  jpeg_start_decompress(jpeg);
  self->row = calloc((size_t)jpeg->output_width, (size_t)jpeg->output_components);
  if (self->row == NULL) refuse(self, "no memory");
  read_rows(self, sink);
  jpeg_finish_decompress(jpeg);
}

bool oct_jpeg_decode(const uint8_t *bytes, size_t count, oct_sink *sink, char *message) {
  jpeg_decoder self = {.message = message};
  jpeg_decoder *volatile decoder = &self;
  volatile bool is_decoded = false;
  self.jpeg.err = jpeg_std_error(&self.errors);
  self.errors.error_exit = fail;
  self.errors.emit_message = take_warning;
  self.progress.progress_monitor = count_visits;
  self.jpeg.client_data = &self;
  if (setjmp(self.exit) == 0) {
    jpeg_create_decompress(&self.jpeg);
    jpeg_mem_src(&self.jpeg, bytes, count);
    read_pixels(&self, count, sink);
    is_decoded = true;
  }
  jpeg_destroy_decompress(&decoder->jpeg);
  free(decoder->row);
  return is_decoded;
}
#endif
