#include "dex/account_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "sf_abi.h"

static uint64_t hash_of( uint8_t const pubkey[32] ) {
  return ( sf_get_u64( pubkey ) ^ sf_get_u64( pubkey + 16 ) ) * 0x9e3779b97f4a7c15UL;
}

/* The slot a key is in, or the empty one where it would go. */
static uint64_t * slot_of( sf_account_map_t const * map, uint8_t const pubkey[32], uint64_t hash ) {
  for( uint64_t i = hash >> 20;; i++ ) {
    uint64_t * slot = &map->slot[i & map->mask];
    if( !*slot ) return slot;
    if( *slot >> 32 == hash >> 32 && !memcmp( map->entry[(uint32_t)*slot - 1].pubkey, pubkey, 32 ) ) return slot;
  }
}

int sf_account_map_open( sf_account_map_t * map, uint64_t max ) {
  uint64_t slots = 64;
  while( slots < 2 * max ) slots *= 2;
  map->mask  = slots - 1;
  map->cnt   = 0;
  map->max   = max;
  map->slot  = calloc( slots, sizeof( *map->slot ) );
  map->entry = calloc( max, sizeof( *map->entry ) );
  if( map->slot && map->entry ) return 0;
  sf_account_map_close( map );
  return sf_err_set( SF_ERR_LIMIT, "account map: no memory for %lu accounts", max );
}

void sf_account_map_close( sf_account_map_t * map ) {
  free( map->slot );
  free( map->entry );
  memset( map, 0, sizeof( *map ) );
}

sf_account_entry_t * sf_account_map_find( sf_account_map_t const * map, uint8_t const pubkey[32] ) {
  uint64_t slot              = *slot_of( map, pubkey, hash_of( pubkey ) );
  sf_account_entry_t * entry = slot ? &map->entry[(uint32_t)slot - 1] : 0;
  return entry && entry->kind ? entry : 0;
}

void sf_account_map_prefetch( sf_account_map_t const * map, uint8_t const pubkey[32] ) {
  __builtin_prefetch( &map->slot[hash_of( pubkey ) >> 20 & map->mask] );
}

int sf_account_map_add( sf_account_map_t * map, uint8_t const pubkey[32], uint32_t kind, uint32_t index ) {
  uint64_t hash = hash_of( pubkey ), *slot = slot_of( map, pubkey, hash );
  if( *slot && map->entry[(uint32_t)*slot - 1].kind ) return SF_ERR_STATE;
  if( !*slot ) {
    if( map->cnt == map->max ) return SF_ERR_FULL;
    memcpy( map->entry[map->cnt++].pubkey, pubkey, 32 );
    *slot = hash >> 32 << 32 | map->cnt;
  }
  sf_account_entry_t * entry = &map->entry[(uint32_t)*slot - 1];
  entry->kind                = kind;
  entry->index               = index;
  return 0;
}
