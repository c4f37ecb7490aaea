#include "shm/pool_row.h"

#include <stddef.h>

#include "sf_abi.h"

#define STATE_OFF    ( (uint32_t)offsetof( sf_pool_row_t, state ) )
#define CONSTANT_OFF ( (uint32_t)offsetof( sf_pool_row_t, pool ) )
#define TRIES        4

int sf_pool_row_read( sf_table_t const * pools, uint32_t pool, sf_pool_row_wanted_t * wanted, sf_pool_row_t * out ) {
  for( uint32_t i = 0; i < TRIES; i++ ) {
    int err = sf_table_read_head( pools, pool, out, STATE_OFF );
    if( err ) return err;
    if( !out->update.venue || STATE_OFF + out->update.state_bytes > CONSTANT_OFF ) return SF_ERR_EMPTY;
    uint64_t lock = out->lock;
    err           = sf_table_read_part( pools, pool, out, STATE_OFF, ( wanted( &out->update ) + 7 ) & ~7u );
    if( err ) return err;
    if( out->lock == lock ) return 0;
  }
  return SF_ERR_OVERRUN;
}

static uint32_t whole( sf_pool_update_t const * update ) { return update->state_bytes; }

int sf_pool_row_read_all( sf_table_t const * pools, uint32_t pool, sf_pool_row_t * out ) {
  int err = sf_pool_row_read( pools, pool, whole, out );
  return err ? err : sf_table_read_part( pools, pool, out, CONSTANT_OFF, sizeof( *out ) - CONSTANT_OFF );
}
