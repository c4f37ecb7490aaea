/* holdback.h: account updates that came while a consistent read of their accounts
   was under way, in the order in which they came. */

#ifndef SF_IO_HOLDBACK_H
#define SF_IO_HOLDBACK_H
#include <stdint.h>

typedef struct sf_held {
  uint32_t bytes;   /* to the next one */
  uint32_t account; /* the owner's number for it */
  uint64_t slot;
  uint64_t lamports;
  uint64_t t_origin;
  uint32_t data_len;
  uint8_t owner[32];
  uint8_t data[];
} sf_held_t;

typedef struct sf_holdback {
  uint8_t * bytes;
  uint64_t max;
  uint64_t to;   /* end of the last one */
  uint64_t at;   /* the next to be taken out */
  uint64_t mark; /* sf_holdback_moving looks from here */
} sf_holdback_t;

/* sf_holdback_init takes address space for max bytes; memory only as it is used.
   Returns 0 or SF_ERR_SYS. */
int sf_holdback_init( sf_holdback_t * h, uint64_t max );
void sf_holdback_fini( sf_holdback_t * h );

/* sf_holdback_claim returns a place for an update with at most data_max bytes, NULL
   if it is full; sf_holdback_commit keeps it, its fields being set. */
sf_held_t * sf_holdback_claim( sf_holdback_t * h, uint64_t data_max );
void sf_holdback_commit( sf_holdback_t * h, sf_held_t * e );

/* sf_holdback_next takes the oldest one out, NULL if there is none. */
sf_held_t const * sf_holdback_next( sf_holdback_t * h );

/* sf_holdback_moving returns 1 if one of those that came since the last
   sf_holdback_mark is of this slot. */
void sf_holdback_mark( sf_holdback_t * h );
int sf_holdback_moving( sf_holdback_t const * h, uint64_t slot );

/* sf_holdback_clear forgets all and gives the memory back. */
void sf_holdback_clear( sf_holdback_t * h );

#endif
