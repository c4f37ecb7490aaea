/* shared.h: accounts that price many pools, decoded once: configs and fee configs.

   One is named by a pool, or comes before its pools as an account of the venue's own program; which venue reads
   it is known either way. */

#ifndef SF_DEX_SHARED_H
#define SF_DEX_SHARED_H

#include "dex/venue.h"

typedef struct sf_shared_entry {
  sf_venue_t const * venue;
  uint32_t known; /* 1 = its bytes were good */
} sf_shared_entry_t;

typedef struct sf_shared {
  sf_shared_entry_t * entry;
  uint8_t * data; /* venue.shared_bytes of each, `stride` apart */
  uint8_t * fresh;
  uint32_t stride;
  uint32_t cnt;
  uint32_t max;
} sf_shared_t;

/* sf_shared_open takes memory for max accounts of any venue.  Returns 0 or SF_ERR_LIMIT. */
int sf_shared_open( sf_shared_t * shared, uint32_t max );
void sf_shared_close( sf_shared_t * shared );

/* sf_shared_add enters one that is not there and returns its number, or SF_ERR_FULL. */
int sf_shared_add( sf_shared_t * shared, sf_venue_t const * venue );

/* sf_shared_take reads its account.  Returns 1 if something changed, 0 if not, or SF_ERR_DATA: then, too, it is
   not known until good bytes come. */
int sf_shared_take( sf_shared_t * shared, uint32_t index, uint8_t const * data, uint32_t len );

/* sf_shared_at returns what was decoded, NULL as long as that is nothing. */
static inline void const * sf_shared_at( sf_shared_t const * shared, uint32_t index ) {
  return shared->entry[index].known ? shared->data + (uint64_t)index * shared->stride : 0;
}

#endif
