// OpenMP in one place. The Swift toolchain ships no omp.h, so the few entry points used are declared here.
#ifndef OCT_THREADING_H
#define OCT_THREADING_H

#include "CKernels.h"

#ifdef _OPENMP
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_num_procs(void);
extern size_t kmp_get_stacksize_s(void);
#else
// Every parallel region is run by the thread that comes to it. Numbers of threads stand in pragmas alone.
#pragma clang diagnostic ignored "-Wunused-parameter"
#pragma clang diagnostic ignored "-Wunused-but-set-variable"
static inline int omp_get_thread_num(void) { return 0; }
static inline int omp_get_num_threads(void) { return 1; }
static inline int omp_get_num_procs(void) { return 1; }
#endif

/// The half-open share [begin, end) of `count` items that part `part` of `parts` owns: contiguous, sizes differ by
/// at most one.
static inline void oct_share(ptrdiff_t count, ptrdiff_t part, ptrdiff_t parts, ptrdiff_t *begin, ptrdiff_t *end) {
  ptrdiff_t base = count / parts, extra = count % parts;
  *begin = part * base + (part < extra ? part : extra);
  *end = *begin + base + (part < extra ? 1 : 0);
}

/// A pass calls it twice in each thread, before the thread's share and after it.
static inline void oct_run_beside(const oct_side_work *work, bool after) {
  const int thread = omp_get_thread_num();
  if (work != NULL && (thread % 2 == 0) == after) work->run(work->context, thread, omp_get_num_threads());
}

static inline ptrdiff_t oct_min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t oct_max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static inline ptrdiff_t oct_ceil_div(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

#endif  // OCT_THREADING_H
