#include "dex/account_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"

/* The slot a key is in, or the empty one where it would go. */
static sf_account_entry_t * slot_of( sf_account_map_t const * map, uint8_t const pubkey[32] ) {
  uint64_t h = ( sf_get_u64( pubkey ) ^ sf_get_u64( pubkey + 16 ) ) * 0x9e3779b97f4a7c15UL;
  for( uint64_t i = h >> 32;; i++ ) {
    sf_account_entry_t * slot = &map->slot[i & map->mask];
    if( !slot->kind || !memcmp( slot->pubkey, pubkey, 32 ) ) return slot;
  }
}

int sf_account_map_open( sf_account_map_t * map, uint64_t max ) {
  uint64_t slots = 64;
  while( slots < 2 * max ) slots *= 2;
  map->mask = slots - 1;
  map->cnt  = 0;
  map->slot = calloc( slots, sizeof( *map->slot ) );
  return map->slot ? 0 : sf_err_set( SF_ERR_LIMIT, "account map: no memory for %lu accounts", max );
}

void sf_account_map_close( sf_account_map_t * map ) {
  free( map->slot );
  map->slot = 0;
}

sf_account_entry_t * sf_account_map_find( sf_account_map_t const * map, uint8_t const pubkey[32] ) {
  sf_account_entry_t * slot = slot_of( map, pubkey );
  return slot->kind ? slot : 0;
}

int sf_account_map_add( sf_account_map_t * map, uint8_t const pubkey[32], uint32_t kind, uint32_t index ) {
  if( 2 * map->cnt > map->mask ) return SF_ERR_FULL;
  sf_account_entry_t * slot = slot_of( map, pubkey );
  memcpy( slot->pubkey, pubkey, 32 );
  slot->kind  = kind;
  slot->index = index;
  map->cnt++;
  return 0;
}
