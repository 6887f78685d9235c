// Oracles of all kernels: plain loops in double precision.
#include "ref_conv.h"
