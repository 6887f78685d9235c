// The peak of the multiply–add units, to hold every other speed against.
#include "conv_internal.h"

double oct_fma_burn(int64_t iterations, int threads) {
  double operations = 0;
#pragma omp parallel num_threads(threads) reduction(+ : operations)
  operations += oct_conv_leaf_active()->burn(iterations);
  return operations;
}
