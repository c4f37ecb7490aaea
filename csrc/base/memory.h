/* memory.h: memory that is shared through a file in /dev/shm.

   The bytes are taken with posix_fallocate, because an over-size ftruncate on
   tmpfs succeeds and dies later with SIGBUS.  Binding to a NUMA node, locking
   and huge pages are asked for and reported, never a precondition. */

#ifndef SF_BASE_MEMORY_H
#define SF_BASE_MEMORY_H
#include "sf_abi.h"

#define SF_MEMORY_WRITE 1 /* map writable */
#define SF_MEMORY_LOCK  2 /* mlock */
#define SF_MEMORY_HUGE  4 /* huge pages where the host has them */

#define SF_MEMORY_NODE_MAX 128 /* NUMA nodes a workspace can be bound to */

typedef struct sf_memory {
  void * base;
  uint64_t bytes;
  uint32_t flags;  /* SF_MEMORY_* asked for */
  uint32_t locked; /* 1 = locked; 0 with SF_MEMORY_LOCK asked: the limit refused it */
  uint32_t bound;  /* 1 = bound to its node */
  uint32_t huge;   /* 1 = the kernel gave huge pages */
} sf_memory_t;

/* sf_memory_create makes the file `path` (mode 0600, zero-filled), binds it to
   NUMA node `node`, takes all its pages now and maps it writable.
   Fails if it exists, or if /dev/shm has no room: the sentence names the size
   and the fix. */
int sf_memory_create( sf_memory_t * m, char const * path, uint64_t bytes, uint32_t node, uint32_t flags );

/* sf_memory_map maps the whole existing file, with all its pages present. */
int sf_memory_map( sf_memory_t * m, char const * path, uint32_t flags );

/* sf_memory_make_writable makes a read-only mapping writable in place, also while
   others read in it.  flags as for sf_memory_map. */
int sf_memory_make_writable( sf_memory_t * m, uint32_t flags );

/* sf_memory_unmap gives the mapping back; the file stays. */
void sf_memory_unmap( sf_memory_t * m );

#endif
