#include "threading.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

size_t oct_thread_stack_bytes(void) {
#ifdef _OPENMP
  return kmp_get_stacksize_s();
#else
  return 0;
#endif
}

bool oct_share_heap(void) {
#ifdef __GLIBC__
  return mallopt(M_ARENA_MAX, 1) == 1;
#else
  return false;
#endif
}

void oct_parallel(ptrdiff_t count, int threads, void (*body)(const void *context, ptrdiff_t first, ptrdiff_t end),
                  const void *context) {
  if (threads > count) threads = (int)count;
#pragma omp parallel num_threads(threads < 1 ? 1 : threads)
  {
    ptrdiff_t first, end;
    oct_share(count, omp_get_thread_num(), omp_get_num_threads(), &first, &end);
    if (first < end) body(context, first, end);
  }
}
