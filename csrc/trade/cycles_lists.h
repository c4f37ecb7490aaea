/* cycles_lists.h: what the two halves of cycles.h share: its lists (cycles.c) and the search in them (cycles_search.c). */

#ifndef SF_TRADE_CYCLES_LISTS_H
#define SF_TRADE_CYCLES_LISTS_H

#include "trade/cycles.h"

#define SF_CYCLE_LANES     8  /* a list is padded to a multiple of this */
#define SF_CYCLE_STRIDE    4u /* of best from token to token, in doubles */
#define SF_CYCLE_HOT_LINES 5  /* of an update: its head and what begins its state */
#define SF_CYCLE_FROM      0  /* ways: from the base token */
#define SF_CYCLE_TO        1

_Static_assert( sizeof( sf_cycle_token_t ) == SF_CYCLE_STRIDE * sizeof( double ), "SF_CYCLE_STRIDE" );

static inline uint32_t sf_cycles_edge_from( sf_cycles_t const * c, uint32_t e ) {
  sf_pool_update_t const * u = c->pool[e >> 1].update;
  return e & 1 ? u->token_b : u->token_a;
}

static inline uint32_t sf_cycles_edge_to( sf_cycles_t const * c, uint32_t e ) {
  return sf_cycles_edge_from( c, e ^ 1 );
}

/* sf_cycles_lists_make makes the lists anew: each token's pools, those with the base token first, padded.  No search reads
   the curves in the base token's own list: they are not kept there. */
void sf_cycles_lists_make( sf_cycles_t * c );

/* sf_cycles_front_find finds out which of a token's pools with the base token no other beats; returns how many. */
uint32_t sf_cycles_front_find( sf_cycles_t * c, uint32_t way, uint32_t token );

/* sf_cycles_front_cnt says how many these are; they are mostly found out in time. */
static inline uint32_t sf_cycles_front_cnt( sf_cycles_t * c, uint32_t way, uint32_t token ) {
  uint32_t cnt = c->token[token].front_cnt[way];
  return __builtin_expect( cnt == SF_CYCLE_NONE, 0 ) ? sf_cycles_front_find( c, way, token ) : cnt;
}

#endif
