#include "shm/pool_row.h"

#include <stddef.h>

#include "sf_abi.h"

#define STATE_OFF    ( (uint32_t)offsetof( sf_pool_row_t, state ) )
#define CONSTANT_OFF ( (uint32_t)offsetof( sf_pool_row_t, pool ) )
#define STATE_USUAL  512 /* bytes of a state that are read at once, so that most rows are read in one go */
#define TRIES        4

int sf_pool_row_read( sf_table_t const * pools, uint32_t pool, sf_pool_row_t * out ) {
  uint32_t bytes = STATE_OFF + STATE_USUAL;
  for( uint32_t i = 0; i < TRIES; i++ ) {
    int err = sf_table_read_head( pools, pool, out, bytes );
    if( err ) return err;
    uint32_t needed = STATE_OFF + out->update.state_bytes;
    if( !out->update.venue || needed > CONSTANT_OFF ) return SF_ERR_EMPTY;
    if( needed <= bytes ) return 0;
    bytes = needed;
  }
  return SF_ERR_OVERRUN;
}

int sf_pool_row_read_all( sf_table_t const * pools, uint32_t pool, sf_pool_row_t * out ) {
  int err = sf_pool_row_read( pools, pool, out );
  return err ? err : sf_table_read_part( pools, pool, out, CONSTANT_OFF, sizeof( *out ) - CONSTANT_OFF );
}
