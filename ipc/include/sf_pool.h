/* sf_pool.h: a pool of fixed-size elements for whatever needs a buffer off the
   links.  Free elements form a lock-free list by index; the head carries a tag
   that rises with each change, so that a reused index is not mistaken for the
   old one.  No pointers: an element is named by its index. */

#ifndef SF_POOL_H
#define SF_POOL_H
#include "sf_abi.h"

#define SF_POOL_NONE 0xffffffffu

typedef struct sf_pool {
  sf_object_t object;
  uint32_t    element_bytes;
  uint32_t    element_cnt;
  uint64_t    next_off;    /* bytes to uint32_t next[element_cnt] */
  uint64_t    element_off; /* bytes to element 0 */
  uint8_t     _pad0[40];
  uint64_t    head;        /* tag<<32 | index of the first free element; compare-and-swap */
  uint64_t    taken;       /* elements out; atomic add */
  uint8_t     _pad1[112];
} sf_pool_t;
SF_ASSERT( sizeof(sf_pool_t)==256 )

#endif
