/* account_map.h: what is known about an account, by its public key.

   Open addressing over a power of two of 8-byte slots, never more than half full, so that the part that is
   searched stays in the cache; entries stand densely in the order added and keep their place when forgotten:

     slot   | hash (upper 32 bits), entry + 1 | 0 = empty | ...
     entry  | pubkey, kind, index | ...
*/

#ifndef SF_DEX_ACCOUNT_MAP_H
#define SF_DEX_ACCOUNT_MAP_H

#include <stdint.h>

typedef struct sf_account_entry {
  uint8_t pubkey[32];
  uint32_t kind; /* the owner's own numbers; 0 = forgotten */
  uint32_t index;
} sf_account_entry_t;

typedef struct sf_account_map {
  uint64_t * slot;
  sf_account_entry_t * entry;
  uint64_t mask;
  uint64_t cnt;
  uint64_t max;
} sf_account_map_t;

/* sf_account_map_open takes memory for max entries.  Returns 0 or SF_ERR_LIMIT. */
int sf_account_map_open( sf_account_map_t * map, uint64_t max );

void sf_account_map_close( sf_account_map_t * map );

/* sf_account_map_find returns the entry of a key, or NULL.  Hot.  Whoever sets its kind to 0 makes it as if it had never
   been added. */
sf_account_entry_t * sf_account_map_find( sf_account_map_t const * map, uint8_t const pubkey[32] );

/* sf_account_map_prefetch asks for where a key's entry is to be found.  Hot. */
void sf_account_map_prefetch( sf_account_map_t const * map, uint8_t const pubkey[32] );

/* sf_account_map_add enters a key that is not there.  Returns 0, SF_ERR_FULL, or SF_ERR_STATE if it is there. */
int sf_account_map_add( sf_account_map_t * map, uint8_t const pubkey[32], uint32_t kind, uint32_t index );

#endif
