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

void oct_mpi_start(int *rank, int *ranks) {
  // The threads of OpenMP compute; the one that started them calls MPI.
  int provided;
  MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, ranks);
}

void oct_mpi_finish(void) { MPI_Finalize(); }

void oct_mpi_abort(int code) {
  MPI_Abort(MPI_COMM_WORLD, code);
  _Exit(code);
}

void oct_mpi_all_to_all(const float *send, float *receive, int each) {
  MPI_Alltoall(send, each, MPI_FLOAT, receive, each, MPI_FLOAT, MPI_COMM_WORLD);
}

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
void oct_mpi_all_to_all(const float *send, float *receive, int each) {
  (void)send;
  (void)receive;
  (void)each;
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
