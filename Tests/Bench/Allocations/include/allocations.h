#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

/// How many blocks the calling thread has asked for so far, by malloc, calloc, realloc and the aligned ones, in whatever library.
unsigned long bench_allocation_count(void);

#endif
