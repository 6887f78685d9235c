#include "CMPI.h"

#include <stdlib.h>
#include <string.h>

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

// What MPI reads until the call is done.
struct oct_mpi_pending {
  MPI_Request request;
  // Of each rank, in bytes: how much goes to it and from where, and how much comes from it and to where.
  int *sent_counts, *sent_starts, *received_counts, *received_starts;
  // Where the numbers of several vectors lie, of each rank; those of one vector are a range of bytes.
  MPI_Datatype *types, *bytes;
  // This rank's slices of several vectors, one behind the other.
  char *own;
};

static void *allocate(size_t size) {
  void *memory = malloc(size > 0 ? size : 1);
  if (memory == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  return memory;
}

static int rank_of_job(void) {
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

static int ranks_of_job(void) {
  int ranks;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  return ranks;
}

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// Of rank q, in bytes.
static ptrdiff_t slice_start(const oct_mpi_vector *v, int q) { return smaller(v->count, q * v->each) * v->size; }
static ptrdiff_t slice_bytes(const oct_mpi_vector *v, int q) { return slice_start(v, q + 1) - slice_start(v, q); }

static ptrdiff_t message_bytes(const oct_mpi_vector *vectors, int number, int q) {
  ptrdiff_t bytes = 0;
  for (int i = 0; i < number; i++) bytes += slice_bytes(&vectors[i], q);
  return bytes;
}

static oct_mpi_pending *make_pending(void) {
  const size_t ranks = (size_t)ranks_of_job();
  oct_mpi_pending *pending = allocate(sizeof *pending);
  pending->sent_counts = allocate(4 * ranks * sizeof(int));
  pending->sent_starts = pending->sent_counts + ranks;
  pending->received_counts = pending->sent_starts + ranks;
  pending->received_starts = pending->received_counts + ranks;
  pending->types = pending->bytes = NULL;
  pending->own = NULL;
  return pending;
}

// A rank's slices of several vectors, wherever these are in memory.
static MPI_Datatype slices_type(const oct_mpi_vector *vectors, int number, int q) {
  int *lengths = allocate((size_t)number * sizeof *lengths);
  MPI_Aint *places = allocate((size_t)number * sizeof *places);
  for (int i = 0; i < number; i++) {
    lengths[i] = (int)slice_bytes(&vectors[i], q);
    MPI_Get_address((char *)vectors[i].start + slice_start(&vectors[i], q), &places[i]);
  }
  MPI_Datatype type;
  MPI_Type_create_hindexed(number, lengths, places, MPI_BYTE, &type);
  MPI_Type_commit(&type);
  free(lengths);
  free(places);
  return type;
}

static void make_types(oct_mpi_pending *pending, const oct_mpi_vector *vectors, int number) {
  const int ranks = ranks_of_job();
  pending->types = allocate(2 * (size_t)ranks * sizeof *pending->types);
  pending->bytes = pending->types + ranks;
  for (int q = 0; q < ranks; q++) {
    pending->types[q] = slices_type(vectors, number, q);
    pending->bytes[q] = MPI_BYTE;
  }
}

oct_mpi_pending *oct_mpi_begin_all_to_all(const oct_mpi_vector *vectors, int number, void *receive, ptrdiff_t stride) {
  oct_mpi_pending *pending = make_pending();
  const int ranks = ranks_of_job(), rank = rank_of_job();
  for (int q = 0; q < ranks; q++) {
    pending->received_counts[q] = (int)message_bytes(vectors, number, rank);
    pending->received_starts[q] = (int)(q * stride);
  }
  if (number == 1) {
    for (int q = 0; q < ranks; q++) {
      pending->sent_counts[q] = (int)slice_bytes(vectors, q);
      pending->sent_starts[q] = (int)slice_start(vectors, q);
    }
    MPI_Ialltoallv(vectors->start, pending->sent_counts, pending->sent_starts, MPI_BYTE, receive, pending->received_counts,
                   pending->received_starts, MPI_BYTE, to_all, &pending->request);
    return pending;
  }
  make_types(pending, vectors, number);
  for (int q = 0; q < ranks; q++) {
    pending->sent_counts[q] = message_bytes(vectors, number, q) > 0 ? 1 : 0;
    pending->sent_starts[q] = 0;
  }
  MPI_Ialltoallw(MPI_BOTTOM, pending->sent_counts, pending->sent_starts, pending->types, receive, pending->received_counts,
                 pending->received_starts, pending->bytes, to_all, &pending->request);
  return pending;
}

oct_mpi_pending *oct_mpi_begin_all_gather(const oct_mpi_vector *vectors, int number) {
  oct_mpi_pending *pending = make_pending();
  const int ranks = ranks_of_job(), rank = rank_of_job();
  if (number == 1) {
    for (int q = 0; q < ranks; q++) {
      pending->received_counts[q] = (int)slice_bytes(vectors, q);
      pending->received_starts[q] = (int)slice_start(vectors, q);
    }
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, vectors->start, pending->received_counts, pending->received_starts, MPI_BYTE,
                    gathers, &pending->request);
    return pending;
  }
  // A gather has one type for all that arrives, and slices of several vectors lie elsewhere for each rank: an all-to-all that sends
  // the same to all others. Its own buffer, as Open MPI takes two that are both MPI_BOTTOM for one that is to be replaced.
  make_types(pending, vectors, number);
  const ptrdiff_t own = message_bytes(vectors, number, rank);
  pending->own = allocate((size_t)own);
  ptrdiff_t end = 0;
  for (int i = 0; i < number; i++) {
    const size_t size = (size_t)slice_bytes(&vectors[i], rank);
    memcpy(pending->own + end, (char *)vectors[i].start + slice_start(&vectors[i], rank), size);
    end += (ptrdiff_t)size;
  }
  for (int q = 0; q < ranks; q++) {
    pending->sent_counts[q] = q == rank ? 0 : (int)own;
    pending->received_counts[q] = q == rank || message_bytes(vectors, number, q) == 0 ? 0 : 1;
    pending->sent_starts[q] = pending->received_starts[q] = 0;
  }
  MPI_Ialltoallw(pending->own, pending->sent_counts, pending->sent_starts, pending->bytes, MPI_BOTTOM, pending->received_counts,
                 pending->received_starts, pending->types, gathers, &pending->request);
  return pending;
}

bool oct_mpi_test(oct_mpi_pending *pending) {
  // One call takes a piece off each connection; between two tests, connections may have filled their buffers.
  int done = false;
  for (int calls = 0; calls < 16 && !done; calls++) MPI_Test(&pending->request, &done, MPI_STATUS_IGNORE);
  return done;
}

void oct_mpi_wait(oct_mpi_pending *pending) { MPI_Wait(&pending->request, MPI_STATUS_IGNORE); }

void oct_mpi_free(oct_mpi_pending *pending) {
  if (pending->types != NULL) {
    const int ranks = ranks_of_job();
    for (int q = 0; q < ranks; q++) MPI_Type_free(&pending->types[q]);
  }
  free(pending->types);
  free(pending->sent_counts);
  free(pending->own);
  free(pending);
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
oct_mpi_pending *oct_mpi_begin_all_to_all(const oct_mpi_vector *vectors, int number, void *receive, ptrdiff_t stride) {
  (void)vectors;
  (void)number;
  (void)receive;
  (void)stride;
  abort();
}
oct_mpi_pending *oct_mpi_begin_all_gather(const oct_mpi_vector *vectors, int number) {
  (void)vectors;
  (void)number;
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
