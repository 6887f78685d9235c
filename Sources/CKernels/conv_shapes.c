// The convolutions that are timed by `octcli bench kernels` and compared with the plain loops by the tests: those of
// ResNet-50 at 224×224, those that ResNet-50 has on CIFAR's small maps, those into which α cuts both, and grouped and
// depthwise ones of ResNeXt-50 and the MobileNets.
#include "CKernels.h"

// n images of hw × hw, ic → oc channels, k × k taps, stride 1, padded to the same size.
#define GROUPED(n, hw, ic, oc, k, g) {n, hw, hw, ic, hw, hw, oc, k, k, 1, 1, (k) / 2, (k) / 2, g, false}
#define SHAPE(n, hw, ic, oc, k) GROUPED(n, hw, ic, oc, k, 1)

static const oct_conv2d_desc shapes[] = {
    SHAPE(16, 56, 64, 64, 3),    SHAPE(16, 56, 64, 256, 1),   SHAPE(16, 56, 256, 64, 1),
    SHAPE(16, 28, 128, 128, 3),  SHAPE(16, 28, 512, 128, 1),  SHAPE(16, 14, 256, 256, 3),
    SHAPE(16, 14, 1024, 256, 1), SHAPE(16, 7, 512, 512, 3),   SHAPE(16, 7, 512, 2048, 1),
    SHAPE(100, 8, 56, 56, 3),    SHAPE(100, 4, 8, 8, 3),      SHAPE(100, 8, 64, 64, 3),
    SHAPE(100, 4, 128, 128, 3),  SHAPE(100, 2, 256, 256, 3),  SHAPE(100, 1, 512, 512, 3),
    // α = 0.125, 0.25 and 0.5: high to high, high to low, low to high.
    SHAPE(16, 56, 56, 56, 3),    SHAPE(16, 28, 8, 8, 3),      SHAPE(16, 56, 56, 224, 1),
    SHAPE(16, 28, 56, 32, 1),    SHAPE(16, 28, 448, 112, 1),  SHAPE(16, 14, 896, 224, 1),
    SHAPE(16, 56, 48, 48, 3),    SHAPE(16, 28, 16, 16, 3),    SHAPE(16, 56, 192, 48, 1),
    SHAPE(16, 14, 192, 192, 3),  SHAPE(16, 56, 32, 32, 3),    SHAPE(16, 56, 32, 128, 1),
    SHAPE(16, 7, 128, 128, 3),
    GROUPED(16, 56, 128, 128, 3, 32),  GROUPED(16, 14, 512, 512, 3, 32),
    GROUPED(16, 112, 32, 32, 3, 32),   GROUPED(16, 28, 256, 256, 3, 256),  GROUPED(16, 14, 512, 512, 3, 512),
};

const oct_conv2d_desc *oct_conv2d_benchmark_shapes(ptrdiff_t *count) {
  *count = sizeof shapes / sizeof shapes[0];
  return shapes;
}
