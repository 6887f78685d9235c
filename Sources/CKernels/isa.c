// Which instruction set to use: decided once, from the processor, the operating system and OCTNET_MAX_ISA.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"
#include "threading.h"

#if defined(__x86_64__)
#include <cpuid.h>

// Wide registers exist only where the operating system saves them (XCR0); CPUID alone is not enough.
static uint64_t read_xcr0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

static oct_isa detect(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return OCT_ISA_PORTABLE;
  const bool osxsave = c & (1u << 27), fma = c & (1u << 12), avx = c & (1u << 28);
  if (!osxsave || !fma || !avx) return OCT_ISA_PORTABLE;
  const uint64_t saved = read_xcr0();
  if ((saved & 0x6) != 0x6) return OCT_ISA_PORTABLE;  // XMM and YMM
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return OCT_ISA_PORTABLE;
  if (!(b & (1u << 5))) return OCT_ISA_PORTABLE;  // AVX2
  const uint32_t avx512 = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);  // F, DQ, BW, VL
  if ((b & avx512) == avx512 && (saved & 0xe6) == 0xe6) return OCT_ISA_AVX512;
  return OCT_ISA_AVX2;
}
#else
static oct_isa detect(void) { return OCT_ISA_PORTABLE; }
#endif

/// What OCTNET_MAX_ISA names: the highest where it is not set, -1 for an unknown name.
static int cap(void) {
  const char *name = getenv("OCTNET_MAX_ISA");
  if (name == NULL) return OCT_ISA_AVX512;
  for (int isa = OCT_ISA_PORTABLE; isa <= OCT_ISA_AVX512; isa++)
    if (strcmp(name, oct_isa_name((oct_isa)isa)) == 0) return isa;
  return -1;
}

bool oct_isa_is_valid(void) { return cap() >= 0; }

static oct_isa decide(void) {
  const oct_isa best = detect();
  const int most = cap();
  return most >= 0 && most < (int)best ? (oct_isa)most : best;
}

oct_isa oct_active_isa(void) {
  // Racing first calls compute the same value, so a relaxed store is enough.
  static _Atomic int cached = -1;
  int isa = atomic_load_explicit(&cached, memory_order_relaxed);
  if (isa < 0) {
    isa = decide();
    atomic_store_explicit(&cached, isa, memory_order_relaxed);
  }
  return (oct_isa)isa;
}

const char *oct_isa_name(oct_isa isa) {
  switch (isa) {
    case OCT_ISA_AVX512: return "avx512";
    case OCT_ISA_AVX2: return "avx2";
    default: return "portable";
  }
}

int oct_processor_count(void) { return omp_get_num_procs(); }
