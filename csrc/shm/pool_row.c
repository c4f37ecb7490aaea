#include "shm/pool_row.h"

#include <stddef.h>

#include "sf_abi.h"

#define STATE_OFF    ( (uint32_t)offsetof( sf_pool_row_t, state ) )
#define CONSTANT_OFF ( (uint32_t)offsetof( sf_pool_row_t, pool ) )
#define HEAD_OFF     8 /* behind the lock */
#define CURVES_OFF   ( (uint32_t)offsetof( sf_pool_row_t, update.rate ) )

SF_INLINE int row_read( sf_table_t const * pools, uint32_t pool, uint32_t head_end, sf_pool_row_wanted_t * wanted,
                        sf_pool_row_t * out ) {
  if( SF_UNLIKELY( pool >= pools->row_cnt ) ) return SF_ERR_ARG;
  uint8_t const * row   = sf_table_row( pools, pool );
  uint64_t const * lock = (uint64_t const *)row;
  for( uint32_t i = 0; i < SF_TABLE_TRIES; i++ ) {
    uint64_t before = sf_load_acquire( lock );
    if( !before ) return SF_ERR_EMPTY;
    if( SF_LIKELY( !( before & 1 ) ) ) {
      sf_table_copy( (uint8_t *)out + HEAD_OFF, row + HEAD_OFF, head_end - HEAD_OFF );
      int held = sf_pool_row_held( out );
      if( SF_LIKELY( held ) ) sf_table_copy( out->state, row + STATE_OFF, ( wanted( &out->update ) + 7 ) & ~7u );
      if( SF_LIKELY( sf_load_relaxed( lock ) == before ) ) {
        out->lock = before;
        return held ? 0 : SF_ERR_EMPTY;
      }
    }
    sf_pause();
  }
  return SF_ERR_OVERRUN;
}

int sf_pool_row_read( sf_table_t const * pools, uint32_t pool, sf_pool_row_wanted_t * wanted, sf_pool_row_t * out ) {
  return row_read( pools, pool, CURVES_OFF, wanted, out );
}

static uint32_t whole( sf_pool_update_t const * update ) { return update->state_bytes; }

int sf_pool_row_read_all( sf_table_t const * pools, uint32_t pool, sf_pool_row_t * out ) {
  int err = row_read( pools, pool, STATE_OFF, whole, out );
  return err ? err : sf_table_read_part( pools, pool, out, CONSTANT_OFF, sizeof( *out ) - CONSTANT_OFF );
}
