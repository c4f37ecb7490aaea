/* backoff.h: when to try again: the wait doubles with each failure in a row from
   min to max, and half of it is random, so that many clients of a node that came
   back do not come at once. */

#ifndef SF_IO_BACKOFF_H
#define SF_IO_BACKOFF_H
#include "base/rng.h"
#include <stdint.h>

typedef struct sf_backoff {
  uint64_t min_ns;
  uint64_t max_ns;
  uint64_t until_ns; /* no try before */
  uint64_t failures; /* in a row */
} sf_backoff_t;

/* sf_backoff_fail notes a failure; the next try is due not before at_least_ns from
   now, where a node asked for that (Retry-After). */
static inline void sf_backoff_fail( sf_backoff_t * b, sf_rng_t * rng, uint64_t now_ns, uint64_t at_least_ns ) {
  uint64_t wait = b->min_ns;
  for( uint64_t i = 0; i < b->failures && wait < b->max_ns; i++ ) wait *= 2;
  if( wait > b->max_ns ) wait = b->max_ns;
  wait = wait / 2 + sf_rng_below( rng, wait / 2 + 1 );
  if( wait < at_least_ns ) wait = at_least_ns;
  b->failures++;
  b->until_ns = now_ns + wait;
}

static inline void sf_backoff_clear( sf_backoff_t * b ) { b->failures = b->until_ns = 0; }
static inline int sf_backoff_due( sf_backoff_t const * b, uint64_t now_ns ) { return now_ns >= b->until_ns; }

#endif
