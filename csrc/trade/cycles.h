/* cycles.h: finds the cycle of swaps that earns most after a pool has changed.

   A pool is two directed edges: 2*pool leads from token a to token b, 2*pool+1
   back.  A cycle begins and ends in the base token and has two or three hops over
   as many pools.  All cycles are listed once per edge they use, so a change of a pool
   looks only at the lists of its two edges:

     first[e] ..first[e+1]      entries of edge e, padded to a multiple of 8
     next[i], last[i]           the cycle's other edges, in the order they follow e; a
                                two-hop cycle has the edge ONE (rate 1) as its last

   An edge that leaves the base token is a cycle's first hop, one that leads to it the last, any other the
   second: so e itself says where the cycle begins.

   Search: the product R of the three rates must exceed 1 (AVX-512, AVX2 or plain; all give the same), then the
   closed form gives input and profit in doubles, and the best few are quoted again in the venues' exact
   integers.  Doubles only choose: amounts are integers.

   Closed form: over curves out = y*g*f*v / (x + f*v) a cycle gives R*v / (1 + D*v), where
   D = d1 + r1*d2 + r1*r2*d3, r = g*f*y/x is a hop's rate and d = f/x.  Profit is best at
   v = (sqrt(R)-1) / D and is (sqrt(R)-1)^2 / D there.

   Lists are made anew at the first update after pools were added; the work is bounded by
   cycle_max.  Deterministic: same calls, same results. */

#ifndef SF_TRADE_CYCLES_H
#define SF_TRADE_CYCLES_H

#include <stdint.h>

#include "dex/venue.h"

#define SF_CYCLE_HOPS 3
#define SF_CYCLE_BEST 4 /* cycles a search keeps for the exact quote */
#define SF_CYCLE_NONE 0xffffffffu

typedef struct sf_cycle {
  uint32_t edge[SF_CYCLE_HOPS]; /* from the base token on */
  uint32_t hop_cnt;
  double input;  /* base units of the base token */
  double profit; /* without costs */
} sf_cycle_t;

/* The best cycles of a search, best first. */
typedef struct sf_cycle_list {
  uint32_t cnt;
  sf_cycle_t cycle[SF_CYCLE_BEST];
} sf_cycle_list_t;

/* A cycle in exact amounts: what each hop's instruction says. */
typedef struct sf_route {
  uint32_t hop_cnt;
  uint32_t edge[SF_CYCLE_HOPS];
  uint64_t amount_in[SF_CYCLE_HOPS];
  uint64_t min_out[SF_CYCLE_HOPS];
  uint64_t expected_out; /* exact quote of the last hop */
} sf_route_t;

typedef struct sf_cycles sf_cycles_t;

typedef void sf_cycle_screen_t( sf_cycles_t const * c, uint32_t edge, sf_cycle_list_t * list );

/* Private to cycles.c but for `screen`, `cycle_cnt` and `dropped`. */
struct sf_cycles {
  uint32_t pool_max;
  uint32_t token_max;
  uint32_t cycle_max;
  uint32_t hop_max;
  uint32_t base; /* token all cycles begin with; SF_CYCLE_NONE until known */
  uint32_t slippage_bps;
  double max_input;
  uint32_t pool_end;  /* pools [0,pool_end) may be known */
  uint32_t added_cnt; /* pools added since the lists were made */
  uint32_t cycle_cnt;
  uint32_t dropped; /* 1 = there are more than cycle_max */
  sf_cycle_screen_t * screen;
  sf_pool_update_t * pool; /* last update of each; venue 0 = unknown */
  uint8_t * held;          /* 1 = taken out by the owner */
  uint8_t * stale;         /* 1 = its last update said so */
  double * rate;           /* r per edge, less slippage if it is no last hop; 0 = not to be used; then ONE, NONE */
  double * depth;          /* d per edge, ONE and NONE */
  uint32_t * first;
  uint16_t * next;
  uint16_t * last;
  uint32_t * added;
  uint32_t * out_first; /* scratch of the listing: edges by the token they leave */
  uint32_t * out_end_base;
  uint32_t * out_edge;
  uint32_t * cursor;
};

/* sf_cycles_open takes memory for pool_max pools (at most 32767), token_max tokens and cycle_max cycles.  Cycles have at
   most hop_max (2 or 3) hops; each hop but the last gives up slippage_bps of its output; no input is larger
   than max_input.  Returns 0, or SF_ERR_ARG, SF_ERR_LIMIT. */
int sf_cycles_open( sf_cycles_t * c, uint32_t pool_max, uint32_t token_max, uint32_t cycle_max, uint32_t hop_max,
                    uint32_t slippage_bps, uint64_t max_input );

void sf_cycles_close( sf_cycles_t * c );

/* sf_cycles_base says which token cycles begin with. */
void sf_cycles_base( sf_cycles_t * c, uint32_t token );

/* sf_cycles_update takes a pool's new state.  The first update adds the pool.  A pool that is stale or
   disabled has no rate until the next.  Returns 1 if the pool is new, 0 if not, SF_ERR_ARG if its
   numbers are out of range or its tokens changed.  Hot but for new pools. */
int sf_cycles_update( sf_cycles_t * c, sf_pool_update_t const * pool, int stale );

/* sf_cycles_hold takes a pool out of the search, or (held = 0) back into it. */
void sf_cycles_hold( sf_cycles_t * c, uint32_t pool, int held );

/* sf_cycles_search finds the best cycles through `pool`; on the first search after pools were added it makes
   the lists, and looks at the added pools too.  Hot. */
void sf_cycles_search( sf_cycles_t * c, uint32_t pool, sf_cycle_list_t * list );

/* sf_cycles_route quotes a cycle in exact integers near its best input.  Each hop sells what the one before
   is sure to give: amount_in[i+1] = min_out[i] = quote less slippage.  The last hop's min_out is left to
   the caller.  Returns 1, or 0 if a hop would fail or nothing is earned. */
int sf_cycles_route( sf_cycles_t const * c, sf_cycle_t const * cycle, sf_route_t * out );

/* The three screens, for tests.  sf_cycles_open takes the best that the processor has. */
sf_cycle_screen_t sf_cycles_screen_plain;
sf_cycle_screen_t sf_cycles_screen_avx2;
sf_cycle_screen_t sf_cycles_screen_avx512;

#endif
