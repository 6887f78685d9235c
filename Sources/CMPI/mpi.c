#include "CMPI.h"

#include <stdlib.h>

#ifdef OCT_MPI

// Debian has the header of the MPI that was chosen under mpi/; wrappers such as mpicc add its directory.
#if __has_include(<mpi.h>)
#include <mpi.h>
#else
#include <mpi/mpi.h>
#endif

bool oct_mpi_is_built(void) { return true; }

// Calls that begin are matched between ranks by their order on a communicator. When an all-to-all is done, and the
// all-gather behind it begins, is another moment on every rank: each kind has an order of its own.
static MPI_Comm to_all, gathers;

void oct_mpi_start(int *rank, int *ranks) {
  // The threads of OpenMP compute; the one that started them calls MPI.
  int provided;
  MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, ranks);
  MPI_Comm_dup(MPI_COMM_WORLD, &to_all);
  MPI_Comm_dup(MPI_COMM_WORLD, &gathers);
}

void oct_mpi_finish(void) {
  MPI_Comm_free(&to_all);
  MPI_Comm_free(&gathers);
  MPI_Finalize();
}

void oct_mpi_abort(int code) {
  MPI_Abort(MPI_COMM_WORLD, code);
  _Exit(code);
}

// What MPI reads until the call is done: numbers of each rank's slice and where it begins, and this rank's own slice as often as
// there are ranks and where each of those goes.
struct oct_mpi_pending {
  MPI_Request request;
  int *counts, *starts, *own_counts, *own_starts;
  int numbers[];
};

static int smaller(ptrdiff_t a, ptrdiff_t b) { return (int)(a < b ? a : b); }

static oct_mpi_pending *make_pending(ptrdiff_t count, ptrdiff_t each) {
  int rank, ranks;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  oct_mpi_pending *pending = malloc(sizeof *pending + 4 * (size_t)ranks * sizeof(int));
  if (pending == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  pending->counts = pending->numbers;
  pending->starts = pending->counts + ranks;
  pending->own_counts = pending->starts + ranks;
  pending->own_starts = pending->own_counts + ranks;
  for (int q = 0; q < ranks; q++) {
    pending->starts[q] = smaller(count, q * each);
    pending->counts[q] = smaller(count, (q + 1) * each) - pending->starts[q];
  }
  for (int q = 0; q < ranks; q++) {
    pending->own_counts[q] = pending->counts[rank];
    pending->own_starts[q] = q * pending->counts[rank];
  }
  return pending;
}

oct_mpi_pending *oct_mpi_begin_all_to_all(const float *send, float *receive, ptrdiff_t count, ptrdiff_t each) {
  oct_mpi_pending *pending = make_pending(count, each);
  MPI_Ialltoallv(send, pending->counts, pending->starts, MPI_FLOAT, receive, pending->own_counts, pending->own_starts, MPI_FLOAT,
                 to_all, &pending->request);
  return pending;
}

oct_mpi_pending *oct_mpi_begin_all_gather(float *vector, ptrdiff_t count, ptrdiff_t each) {
  oct_mpi_pending *pending = make_pending(count, each);
  MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, vector, pending->counts, pending->starts, MPI_FLOAT, gathers,
                  &pending->request);
  return pending;
}

bool oct_mpi_test(oct_mpi_pending *pending) {
  // One call takes a piece off each connection; between two tests, connections may have filled their buffers.
  int done = false;
  for (int calls = 0; calls < 16 && !done; calls++) MPI_Test(&pending->request, &done, MPI_STATUS_IGNORE);
  return done;
}

void oct_mpi_wait(oct_mpi_pending *pending) { MPI_Wait(&pending->request, MPI_STATUS_IGNORE); }

void oct_mpi_free(oct_mpi_pending *pending) { free(pending); }

void oct_mpi_all_gather(const float *send, float *receive, int each) {
  MPI_Allgather(send, each, MPI_FLOAT, receive, each, MPI_FLOAT, MPI_COMM_WORLD);
}

void oct_mpi_all_gather_double(const double *send, double *receive, int each) {
  MPI_Allgather(send, each, MPI_DOUBLE, receive, each, MPI_DOUBLE, MPI_COMM_WORLD);
}

void oct_mpi_broadcast(void *bytes, size_t count, int root) {
  // MPI counts in int.
  const size_t most = (size_t)1 << 30;
  char *next = bytes;
  while (count > 0) {
    const size_t part = count < most ? count : most;
    MPI_Bcast(next, (int)part, MPI_BYTE, root, MPI_COMM_WORLD);
    next += part;
    count -= part;
  }
}

int32_t oct_mpi_largest(int32_t value) {
  int32_t largest = value;
  MPI_Allreduce(&value, &largest, 1, MPI_INT32_T, MPI_MAX, MPI_COMM_WORLD);
  return largest;
}

#else

// Swift refers to all of them.
bool oct_mpi_is_built(void) { return false; }
void oct_mpi_start(int *rank, int *ranks) {
  (void)rank;
  (void)ranks;
  abort();
}
void oct_mpi_finish(void) { abort(); }
void oct_mpi_abort(int code) {
  (void)code;
  abort();
}
oct_mpi_pending *oct_mpi_begin_all_to_all(const float *send, float *receive, ptrdiff_t count, ptrdiff_t each) {
  (void)send;
  (void)receive;
  (void)count;
  (void)each;
  abort();
}
oct_mpi_pending *oct_mpi_begin_all_gather(float *vector, ptrdiff_t count, ptrdiff_t each) {
  (void)vector;
  (void)count;
  (void)each;
  abort();
}
bool oct_mpi_test(oct_mpi_pending *pending) {
  (void)pending;
  abort();
}
void oct_mpi_wait(oct_mpi_pending *pending) {
  (void)pending;
  abort();
}
void oct_mpi_free(oct_mpi_pending *pending) {
  (void)pending;
  abort();
}
void oct_mpi_all_gather(const float *send, float *receive, int each) {
  (void)send;
  (void)receive;
  (void)each;
  abort();
}
void oct_mpi_all_gather_double(const double *send, double *receive, int each) {
  (void)send;
  (void)receive;
  (void)each;
  abort();
}
void oct_mpi_broadcast(void *bytes, size_t count, int root) {
  (void)bytes;
  (void)count;
  (void)root;
  abort();
}
int32_t oct_mpi_largest(int32_t value) {
  (void)value;
  abort();
}

#endif
