#include "threading.h"

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
