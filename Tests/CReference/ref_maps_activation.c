#include <math.h>

#include "ref_maps.h"

double ref_activation(int kind, double low, double high, double x, double *slope) {
  switch (kind) {
    case 0:  // identity
      *slope = 1;
      return x;
    case 1:  // ReLU
      *slope = x > 0 ? 1 : 0;
      return x > 0 ? x : 0;
    case 2:  // clamp
      *slope = x > low && x < high ? 1 : 0;
      return fmin(fmax(x, low), high);
    case 3:  // leaky ReLU
      *slope = x > 0 ? 1 : low;
      return x > 0 ? x : low * x;
    case 4: {  // sigmoid
      const double s = 1 / (1 + exp(-x));
      *slope = s * (1 - s);
      return s;
    }
    case 5: {  // SiLU
      const double s = 1 / (1 + exp(-x));
      *slope = s + x * s * (1 - s);
      return x * s;
    }
    default: {  // GELU
      const double normal = 0.5 * erfc(-x / sqrt(2.0)), density = exp(-0.5 * x * x) / sqrt(2 * acos(-1.0));
      *slope = normal + x * density;
      return x * normal;
    }
  }
}
