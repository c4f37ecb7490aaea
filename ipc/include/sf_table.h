/* sf_table.h: a table is a fixed number of rows of latest values with one
   writer and any readers.  Each row begins with a lock word: odd while the
   writer is in it, raised by 2 per write.  A reader copies the row and takes
   the copy if the lock was even and the same before and after.  Rows are a
   multiple of 64 bytes, at a multiple of 128 from the start when they are
   larger than a line. */

#ifndef SF_TABLE_H
#define SF_TABLE_H
#include "sf_abi.h"

typedef struct sf_table {
  sf_object_t object;
  uint32_t    row_bytes;
  uint32_t    row_cnt;
  uint64_t    row_off;   /* bytes from the object's start to row 0 */
  uint8_t     _pad0[48];
  uint64_t    used;      /* rows [0,used) have been written; written by the writer */
  uint8_t     _pad1[120];
} sf_table_t;
SF_ASSERT( sizeof(sf_table_t)==256 )

#endif
