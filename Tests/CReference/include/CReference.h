// Oracles of all kernels: plain loops in double precision that share no code with the kernels.
#include "ref_conv.h"
#include "ref_maps.h"
