/* file.h: writes the blocks of a run's journal into preallocated segments.

   Blocks are written whole into `<dir>/<run>-<segment>.sfj` (segment.h), several
   at a time, from buffers that belong to the file.  A thread of its own prepares
   the next segment (allocated, written with zeros, so that a block costs one
   write and no metadata) while this one fills.

     take  -> a buffer for the next block (and whether it is a segment's first)
     write -> the block is on its way
     reap  -> blocks that have arrived; sf_file_durable counts them in order

   Engines: io_uring with registered buffers and files on O_DIRECT|O_DSYNC;
   pwrite on the same where io_uring is refused; pwrite and fdatasync where the
   file system refuses O_DIRECT.  All calls from one thread, the one that opened. */

#ifndef SF_FILE_H
#define SF_FILE_H
#include <stdint.h>

#define SF_FILE_URING    0
#define SF_FILE_PWRITE   1 /* O_DIRECT|O_DSYNC */
#define SF_FILE_BUFFERED 2 /* pwrite, then fdatasync */

typedef struct sf_file_config {
  char const * dir; /* exists, or its parent does */
  uint64_t run;
  uint64_t segment_bytes; /* a multiple of 1 MiB, at least 2*block_cnt*block_bytes */
  uint32_t block_bytes;   /* largest block: a multiple of 4096, at most SF_BLOCK_MAX */
  uint32_t block_cnt;     /* buffers: blocks that may be on their way, and the one being filled; 2..SF_BLOCK_INFLIGHT */
  int engine;             /* SF_FILE_URING or SF_FILE_PWRITE: what is tried first */
} sf_file_config_t;

typedef struct sf_file sf_file_t;

/* sf_file_open locks the directory, begins the run's first segment and starts the
   thread that prepares segments.  Returns 0; SF_ERR_ARG with the range that was
   left; SF_ERR_STATE if another process holds the directory or the run has been
   written before; SF_ERR_SYS.  Cold. */
int sf_file_open( sf_file_t ** out, sf_file_config_t const * config );

/* sf_file_close waits for what is on its way, takes unused space off the last
   segment and frees everything.  Returns 0 or the first error of a write. */
int sf_file_close( sf_file_t * f );

/* sf_file_take gives the buffer for the next block, block_bytes long.  *first is 1
   if the block begins a segment.  Returns 0; SF_ERR_EMPTY if all buffers are on
   their way or the next segment is not ready yet (reap and try again); SF_ERR_IO. */
int sf_file_take( sf_file_t * f, uint8_t ** buffer, int * first );

/* sf_file_write sends the first `bytes` of the buffer last taken on its way; with
   `wait` (and always with the pwrite engines) it has arrived on return, though
   earlier ones may not have: a lone block is sooner on disk without the kernel's
   worker.  Returns 0 or SF_ERR_IO. */
int sf_file_write( sf_file_t * f, uint32_t bytes, int wait );

/* sf_file_reap notes the blocks that have arrived; with `wait` it sleeps until at
   least one has, 50 ms at most.  Returns how many arrived, or SF_ERR_IO. */
int sf_file_reap( sf_file_t * f, int wait );

/* sf_file_durable is how many blocks of the run are on disk with all before them:
   blocks with a smaller number are durable. */
uint64_t sf_file_durable( sf_file_t const * f );

/* sf_file_number is the number of the next block to be written. */
uint64_t sf_file_number( sf_file_t const * f );

/* sf_file_segment is the segment being written. */
uint64_t sf_file_segment( sf_file_t const * f );

/* sf_file_engine is the engine in use; *why says why not the one asked for ("" if it is). */
int sf_file_engine( sf_file_t const * f, char const ** why );

#endif
