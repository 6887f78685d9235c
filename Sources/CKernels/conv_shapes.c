// The convolutions that are timed by `octcli bench kernels` and compared with the plain loops by the tests: those of
// ResNet-50 at 224×224, and those that ResNet-50 and Oct-ResNet-50 have on CIFAR's small maps.
#include "CKernels.h"

// n images of hw × hw, ic → oc channels, k × k taps, stride 1, padded to the same size.
#define SHAPE(n, hw, ic, oc, k) {n, hw, hw, ic, hw, hw, oc, k, k, 1, 1, (k) / 2, (k) / 2, 1, false}

static const oct_conv2d_desc shapes[] = {
    SHAPE(16, 56, 64, 64, 3),    SHAPE(16, 56, 64, 256, 1),   SHAPE(16, 56, 256, 64, 1),
    SHAPE(16, 28, 128, 128, 3),  SHAPE(16, 28, 512, 128, 1),  SHAPE(16, 14, 256, 256, 3),
    SHAPE(16, 14, 1024, 256, 1), SHAPE(16, 7, 512, 512, 3),   SHAPE(16, 7, 512, 2048, 1),
    SHAPE(100, 8, 56, 56, 3),    SHAPE(100, 4, 8, 8, 3),      SHAPE(100, 8, 64, 64, 3),
    SHAPE(100, 4, 128, 128, 3),  SHAPE(100, 2, 256, 256, 3),  SHAPE(100, 1, 512, 512, 3),
};

const oct_conv2d_desc *oct_conv2d_benchmark_shapes(ptrdiff_t *count) {
  *count = sizeof shapes / sizeof shapes[0];
  return shapes;
}
