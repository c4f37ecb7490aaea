/* parts.h: whether the accounts of a pool belong to one moment.

   What a swap changes (`moves`: some of the pool's account and its two vaults) changes together but arrives one by
   one.  These accounts belong together if they have the same slot and were updated equally often in it: then each
   is the k-th version.  Parts of a consistent read count as not updated in its slot. */

#ifndef SF_DEX_PARTS_H
#define SF_DEX_PARTS_H

#include "dex/venue.h"

#define SF_PARTS_MOVE 3 /* SF_PART_POOL, _VAULT_A, _VAULT_B: the parts that a swap may change */

typedef struct sf_parts {
  uint64_t slot[SF_PARTS_MOVE];
  uint32_t updates[SF_PARTS_MOVE]; /* in that slot */
  uint32_t known;                  /* SF_PART_BITs of what is there, mints too */
} sf_parts_t;

/* sf_parts_old says if bytes of `slot` are older than what is known. */
static inline int sf_parts_old( sf_parts_t const * p, uint32_t part, uint64_t slot ) {
  return p->known & SF_PART_BIT( part ) && slot < p->slot[part];
}

static inline void sf_parts_set( sf_parts_t * p, uint32_t part, uint64_t slot, int snapshot ) {
  if( snapshot || slot != p->slot[part] || !( p->known & SF_PART_BIT( part ) ) ) p->updates[part] = 0;
  if( !snapshot ) p->updates[part]++;
  p->slot[part] = slot;
  p->known |= SF_PART_BIT( part );
}

static inline int sf_parts_coherent( sf_parts_t const * p, uint32_t moves ) {
  int first = -1;
  for( int i = 0; i < SF_PARTS_MOVE; i++ ) {
    if( !( moves & SF_PART_BIT( i ) ) ) continue;
    if( !( p->known & SF_PART_BIT( i ) ) ) return 0;
    if( first < 0 ) first = i;
    if( p->slot[i] != p->slot[first] || p->updates[i] != p->updates[first] ) return 0;
  }
  return 1;
}

#endif
