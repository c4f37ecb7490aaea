#include "dex/shared.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int sf_shared_open( sf_shared_t * shared, uint32_t max ) {
  uint32_t bytes = 16;
  for( uint32_t i = 0; i < SF_VENUE_END; i++ ) {
    sf_venue_t const * venue = sf_venue_get( i );
    if( venue && venue->shared_bytes > bytes ) bytes = venue->shared_bytes;
  }
  shared->stride = ( bytes + 15 ) & ~15u;
  shared->cnt    = 0;
  shared->max    = max;
  shared->entry  = calloc( max, sizeof( *shared->entry ) );
  shared->data   = calloc( max + 1UL, shared->stride );
  if( !shared->entry || !shared->data ) {
    sf_shared_close( shared );
    return sf_err_set( SF_ERR_LIMIT, "shared accounts: no memory for %u of %u bytes", max, shared->stride );
  }
  shared->fresh = shared->data + (uint64_t)max * shared->stride;
  return 0;
}

void sf_shared_close( sf_shared_t * shared ) {
  free( shared->entry );
  free( shared->data );
  shared->entry = 0;
  shared->data  = 0;
}

int sf_shared_add( sf_shared_t * shared, sf_venue_t const * venue ) {
  if( shared->cnt == shared->max ) return SF_ERR_FULL;
  shared->entry[shared->cnt].venue = venue;
  return (int)shared->cnt++;
}

int sf_shared_take( sf_shared_t * shared, uint32_t index, uint8_t const * data, uint32_t len ) {
  sf_shared_entry_t * e = &shared->entry[index];
  uint8_t * at          = shared->data + (uint64_t)index * shared->stride;
  memset( shared->fresh, 0, shared->stride );
  int err = e->venue->shared_decode( data, len, shared->fresh );
  if( err ) {
    e->known = 0;
    return err;
  }
  if( e->known && !memcmp( at, shared->fresh, shared->stride ) ) return 0;
  memcpy( at, shared->fresh, shared->stride );
  e->known = 1;
  return 1;
}
