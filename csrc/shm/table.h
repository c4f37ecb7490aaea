/* table.h: rows of latest values with one writer and any readers (layout in
   sf_table.h; the row types are in sf_rows.h).

   A row's first word is its lock, which these functions keep; a writer never
   touches it.  A row that was never written has lock 0. */

#ifndef SF_SHM_TABLE_H
#define SF_SHM_TABLE_H
#include "base/atomic.h"
#include "sf_table.h"

#define SF_TABLE_TRIES 10000 /* of a reader before it gives up on a row whose writer does not finish */

/* sf_table_bytes returns the size of a table object, 0 if row_bytes is not a
   multiple of 64 or row_cnt is 0. */
uint64_t sf_table_bytes( uint32_t row_bytes, uint32_t row_cnt );

SF_INLINE uint8_t * sf_table_row( sf_table_t const * t, uint32_t row ) {
  return (uint8_t *)t + t->row_off + (uint64_t)row * t->row_bytes;
}

/* sf_table_copy copies bytes of a row, a multiple of 8, for a reader that throws away what is torn, so that wide loads will
   do.  Hot. */
SF_INLINE void sf_table_copy( void * to, void const * shared, uint64_t bytes ) {
#if SF_TSAN
  sf_words_copy_out( to, shared, bytes / 8 );
#else
  sf_compiler_barrier();
  memcpy( to, shared, bytes );
  sf_compiler_barrier();
#endif
}

/* sf_table_write writes a whole row; the first word of row_bytes is ignored.
   Writer only.  0, or SF_ERR_ARG if there is no such row.  Hot. */
int sf_table_write( sf_table_t * t, uint32_t row, void const * row_bytes );

/* sf_table_read copies a whole row; the first word of out becomes the lock, which
   rises by 2 with each write.  0, SF_ERR_EMPTY if the row was never written,
   SF_ERR_OVERRUN if the writer stood in the row for all SF_TABLE_TRIES tries,
   SF_ERR_ARG if there is no such row.  Assumes out is 8-byte aligned. */
int sf_table_read( sf_table_t const * t, uint32_t row, void * out );

/* sf_table_read_head is sf_table_read of the first `bytes` of the row only, a
   multiple of 8 not larger than the row. */
int sf_table_read_head( sf_table_t const * t, uint32_t row, void * out, uint32_t bytes );

/* sf_table_read_part copies `bytes` of the row from offset `off` to the same place in
   out, both multiples of 8; the first word of out becomes the lock. */
int sf_table_read_part( sf_table_t const * t, uint32_t row, void * out, uint32_t off, uint32_t bytes );

/* sf_row_begin opens a row for writing in place and returns it with its present
   values; sf_row_end, given the same pointer, publishes it.  Writer only; row
   must be below row_cnt.  (Under ThreadSanitizer it is a private copy.) */
void * sf_row_begin( sf_table_t * t, uint32_t row );
void sf_row_end( sf_table_t * t, uint32_t row, void * p );

#endif
