// The few calls of MPI that training needs, over all ranks of a job. MPI's own names are macros that Swift does not see.
//
// Implemented with the package trait MPI only: without it oct_mpi_is_built is false and nothing else may be called.
// A call that fails ends the whole job with MPI's message, as MPI's default has it; so does a rank that dies.
// All calls come from one thread, in the same order on every rank.
#ifndef CMPI_H
#define CMPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool oct_mpi_is_built(void);

/// Joins the job that this process was started in.
void oct_mpi_start(int *rank, int *ranks);
/// Waits for all ranks and leaves the job.
void oct_mpi_finish(void);
/// Ends all ranks; the launcher's exit code is `code`.
_Noreturn void oct_mpi_abort(int code);

/// A call that began and goes on while the process does something else, as far as somebody asks for it: MPI moves nothing
/// while it is not called.
typedef struct oct_mpi_pending oct_mpi_pending;

/// A vector of `count` numbers of `size` bytes in slices of `each`, one after another for each rank and the last ones shorter or
/// empty. What begins at once has less than 2 GiB.
typedef struct {
  void *start;
  ptrdiff_t count, each;
  int size;
} oct_mpi_vector;

/// The slices of rank q of all vectors are sent to it, in one message, and of this rank's own slices what all ranks sent is
/// received: what rank q sent, one vector's slice behind the other's, begins at q * stride bytes. All memory stays as it is until
/// it is done, the array of vectors may go at once.
oct_mpi_pending *oct_mpi_begin_all_to_all(const oct_mpi_vector *vectors, int number, void *receive, ptrdiff_t stride);
/// Every rank gets the slices of all of every vector, in one message from each, its own being in place.
oct_mpi_pending *oct_mpi_begin_all_gather(const oct_mpi_vector *vectors, int number);
/// Moves on all that is under way, as far as it goes at once; whether this one is done.
bool oct_mpi_test(oct_mpi_pending *pending);
/// Waits until it is done.
void oct_mpi_wait(oct_mpi_pending *pending);
/// Frees what is done.
void oct_mpi_free(oct_mpi_pending *pending);

/// What every rank sends, one after another, on every rank.
void oct_mpi_all_gather(const float *send, float *receive, int each);
void oct_mpi_all_gather_double(const double *send, double *receive, int each);
/// What rank `root` has, on every rank.
void oct_mpi_broadcast(void *bytes, size_t count, int root);
/// The largest of all ranks' numbers.
int32_t oct_mpi_largest(int32_t value);

#endif
