/* parts.h: whether the accounts of a pool belong to one moment.

   A pool's state and its two vaults change together in every swap but arrive one by one.  They belong
   together if they have the same slot and were updated equally often in it: then each is the k-th version.
   Parts of a consistent read count as not updated in its slot. */

#ifndef SF_DEX_PARTS_H
#define SF_DEX_PARTS_H

#include <stdint.h>

#define SF_PART_STATE 0
#define SF_PART_VAULT 1 /* of side 0; the next is of side 1 */
#define SF_PART_CNT   3
#define SF_PARTS_ALL  7

typedef struct sf_parts {
  uint64_t slot[SF_PART_CNT];
  uint32_t updates[SF_PART_CNT]; /* in that slot */
  uint32_t known;                /* bit per part */
} sf_parts_t;

/* sf_parts_old says if bytes of `slot` are older than what is known. */
static inline int sf_parts_old( sf_parts_t const * p, uint32_t part, uint64_t slot ) {
  return p->known & 1u << part && slot < p->slot[part];
}

static inline void sf_parts_set( sf_parts_t * p, uint32_t part, uint64_t slot, int snapshot ) {
  if( snapshot || slot != p->slot[part] || !( p->known & 1u << part ) ) p->updates[part] = 0;
  if( !snapshot ) p->updates[part]++;
  p->slot[part] = slot;
  p->known |= 1u << part;
}

static inline int sf_parts_coherent( sf_parts_t const * p ) {
  return p->known == SF_PARTS_ALL && p->slot[0] == p->slot[1] && p->slot[0] == p->slot[2] &&
         p->updates[0] == p->updates[1] && p->updates[0] == p->updates[2];
}

static inline uint64_t sf_parts_slot( sf_parts_t const * p ) {
  uint64_t slot = p->slot[0] > p->slot[1] ? p->slot[0] : p->slot[1];
  return slot > p->slot[2] ? slot : p->slot[2];
}

#endif
