/* pool_row.h: reading rows of pools, of which most is room for states larger than the one that is there. */

#ifndef SF_SHM_POOL_ROW_H
#define SF_SHM_POOL_ROW_H

#include "sf_rows.h"
#include "shm/table.h"

/* sf_pool_row_held returns 1 if a row, or what was read of it, holds a pool. */
static inline int sf_pool_row_held( sf_pool_row_t const * row ) {
  return row->update.venue && row->update.state_bytes <= SF_POOL_STATE_MAX;
}

/* sf_pool_row_read copies the head of a row but for its curves and arrays, and so many bytes of the state behind it as
   `wanted` says of that head (at most its state_bytes, also of one that is torn and will be read again); the rest stays as
   it was in `out`.  Returns 0, or as sf_table_read; SF_ERR_EMPTY also if the row holds no pool.  Hot. */
typedef uint32_t sf_pool_row_wanted_t( sf_pool_update_t const * update );
int sf_pool_row_read( sf_table_t const * pools, uint32_t pool, sf_pool_row_wanted_t * wanted, sf_pool_row_t * out );

/* sf_pool_row_read_all copies the whole head, the whole state and the pool's constants. */
int sf_pool_row_read_all( sf_table_t const * pools, uint32_t pool, sf_pool_row_t * out );

/* sf_pool_row_here returns the row itself, for who reads it in its writer's own thread; NULL if it holds no pool.  Hot. */
static inline sf_pool_row_t const * sf_pool_row_here( sf_table_t const * pools, uint32_t pool ) {
  if( SF_UNLIKELY( pool >= pools->row_cnt ) ) return 0;
  sf_pool_row_t const * row = (sf_pool_row_t const *)sf_table_row( pools, pool );
  return SF_LIKELY( row->lock && sf_pool_row_held( row ) ) ? row : 0;
}

/* sf_pool_row_prefetch asks for the first lines of a row that sf_pool_row_read will want.  Any pool number will do. */
static inline void sf_pool_row_prefetch( sf_table_t const * pools, uint32_t pool ) {
  if( pool >= pools->row_cnt ) return;
  uint8_t const * row = sf_table_row( pools, pool );
  for( uint32_t at = 0; at < 8 * SF_LINE; at += SF_LINE ) __builtin_prefetch( row + at );
}

#endif
