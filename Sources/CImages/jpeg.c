// libjpeg reports errors through callbacks that must not return; longjmp leaves them.
#include "CImages.h"

#ifdef OCT_IMAGES
#include <setjmp.h>
#include <stdio.h>
// jpeglib.h needs the former.
#include <jpeglib.h>
#include <jerror.h>

#include "image_internal.h"

/// What a progressive file may keep beside its pixels; libjpeg refuses larger ones.
enum { MAX_COEFFICIENT_BYTES = 75 * 1000 * 1000 };

typedef struct error_manager {
  struct jpeg_error_mgr base;
  jmp_buf exit;
  char *message;
} error_manager;

static void fail(j_common_ptr jpeg) {
  error_manager *errors = (error_manager *)jpeg->err;
  char text[JMSG_LENGTH_MAX];
  errors->base.format_message(jpeg, text);
  snprintf(errors->message, OCT_IMAGE_MESSAGE, "JPEG: %s", text);
  longjmp(errors->exit, 1);
}

/// libjpeg fills what is missing with gray and only warns. Damage is an error here; oddities are not.
static void take_warning(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_TOO_MUCH_DATA: fail(jpeg);
    default: break;
  }
}

bool oct_jpeg_decode(const uint8_t *bytes, size_t count, oct_image *image, char *message) {
  struct jpeg_decompress_struct jpeg;
  error_manager errors;
  jpeg.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = fail;
  errors.base.emit_message = take_warning;
  errors.message = message;
  jpeg_create_decompress(&jpeg);
  if (setjmp(errors.exit)) {
    jpeg_destroy_decompress(&jpeg);
    return false;
  }
  jpeg.mem->max_memory_to_use = MAX_COEFFICIENT_BYTES;
  jpeg_mem_src(&jpeg, bytes, count);
  jpeg_read_header(&jpeg, TRUE);
  if (jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK) {
    snprintf(message, OCT_IMAGE_MESSAGE, "JPEG: found CMYK colours, expected gray or RGB");
    longjmp(errors.exit, 1);
  }
  if (!oct_image_allocate(image, jpeg.image_width, jpeg.image_height, message)) longjmp(errors.exit, 1);
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = image->pixels + (size_t)jpeg.output_scanline * (size_t)image->width * 3;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  return true;
}
#endif
