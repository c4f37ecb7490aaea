/* cycles.h: finds the cycle of swaps that earns most after a pool has changed, over all venues together.

   A pool is two directed edges: 2*pool leads from token a to token b, 2*pool+1 back.  A cycle begins and ends in the
   base token and has two or three hops over as many pools.

   No cycle is listed anywhere: a token lists its pools, and knows the best rate from and to the base token over them.

     update of base-X   for each pool X-Y: r * rate(X,Y) * best(Y,base) > 1 ?     (a two-hop cycle has Y = base, best 1)
     update of X-Y      best(base,X) * r * best(Y,base) > 1 ?

   The first runs over X's list with AVX-512, AVX2 or plainly (all give the same); only where the best passes are the
   single pools behind it looked at.  So an update costs as many steps as the token has pools, and memory is per pool.

   Of the pools between a token and the base token a cycle of three hops goes through those alone that no other one beats in
   rate, depth and limit at once.  Where a dozen pools stand side by side that leaves three or four, and their curves stand
   side by side, too; the best cycle is among them.

   Weighing: near the present price a hop is out = r*v / (1 + d*v) for v up to a limit (sf_curve_t).  Three of them
   give R*v / (1 + D*v), D = d1 + r1*d2 + r1*r2*d3; profit is best at v = (sqrt(R)-1) / D and is (sqrt(R)-1)^2 / D
   there.  If a hop's limit is below that, the input is capped there: what is beyond is for the exact quotes.  So the
   profits without limits, four at a time and without a branch, are bounds; limits are looked at where the bound is the
   greatest.  Where there are very many, the screen also says what each could earn at most: the likely ones come first, and
   what cannot earn more than these do is left out.  At most SF_CYCLE_WORK cycles are bounded for one edge; searches in
   which there were more are counted.

   Doubles only choose.  sf_cycles_route looks for the best input on the venues' exact integers, also across ticks and
   bins.  Deterministic: same calls, same results. */

#ifndef SF_TRADE_CYCLES_H
#define SF_TRADE_CYCLES_H

#include <stdint.h>

#include "base/warm.h"
#include "dex/venue.h"

#define SF_CYCLE_HOPS   3
#define SF_CYCLE_BEST   4    /* cycles of a search that are worth an exact quote */
#define SF_CYCLE_GROUPS 16   /* groups of four cycles that are bounded together, the best so far among them */
#define SF_CYCLE_WORK   2048 /* cycles bounded for one edge at most */
#define SF_CYCLE_MANY   32   /* hits of a search, beyond which the likely ones come first */
#define SF_CYCLE_CHANGED \
  16 /* tokens kept of those whose fronts are to be found out; the others are when they are needed */
#define SF_CYCLE_NONE 0xffffffffu

typedef struct sf_cycle {
  uint32_t edge[SF_CYCLE_HOPS]; /* from the base token on */
  uint32_t hop_cnt;
  uint32_t capped; /* 1 = a hop's limit ends the input: the best one may be larger, and profit too */
  double input;    /* base units of the base token */
  double profit;   /* at input, without costs */
} sf_cycle_t;

/* Two hops, and four that may come behind (way to the base token) or before (from it).  Together with a third of this rate
   and depth they give R*v / (1 + D*v), R = both*rate, D = depth + by_depth*(its depth) + by_rate*(its rate). */
typedef struct sf_cycle_group {
  double both;
  double depth;
  double by_depth;
  double by_rate;
  double const * curve; /* of the four: rates, depths */
  uint32_t edge[2];
  uint32_t first; /* of the four in the front's list */
  uint32_t way;
} sf_cycle_group_t;

/* What a search found: sf_cycle_next gives the best of it.  Private but for given. */
typedef struct sf_cycle_list {
  struct sf_cycles const * of;
  uint32_t cnt;     /* groups; 0 = nothing earns */
  uint32_t bounded; /* of these: the first ones have their profits */
  uint32_t given;   /* by sf_cycle_next */
  uint32_t capped_cnt;
  double least;                          /* of SF_CYCLE_BEST that are known already; 0 = fewer are */
  double most;                           /* of profit; below 0: to be looked for */
  uint64_t capped[SF_CYCLE_GROUPS / 16]; /* a bit for each whose profit is what the hops' limits leave of it */
  double profit[4 * SF_CYCLE_GROUPS] __attribute__( ( aligned( 32 ) ) ); /* at most; 0 = given, or it earns nothing */
  sf_cycle_group_t group[SF_CYCLE_GROUPS];
  sf_cycle_t kept[SF_CYCLE_BEST];
  sf_cycle_t cycle; /* given last */
} sf_cycle_list_t;

/* A cycle in exact amounts: what each hop's instruction says. */
typedef struct sf_route {
  uint32_t hop_cnt;
  uint32_t edge[SF_CYCLE_HOPS];
  uint64_t amount_in[SF_CYCLE_HOPS];
  uint64_t min_out[SF_CYCLE_HOPS];
  uint64_t expected_out; /* exact quote of the last hop */
} sf_route_t;

/* A first hop (way to the base token) or last hop (from it) of cycles, between the base token and token X. */
typedef struct sf_cycle_end {
  uint32_t edge;
  uint32_t way;
  double rate;
  double depth;
} sf_cycle_end_t;

/* A screen finds the places [first,end) of X's list with rate of the end * rate there * best > 1, best that of the token
   there, writes them to `hit` and returns how many.  Where the list is longer than SF_CYCLE_MANY it says in `earns` what the
   cycles of each could earn at most, and in `most` the greatest of these.  It may write to the seven behind, too. */
typedef uint32_t sf_cycle_screen_t( struct sf_cycles * c, sf_cycle_end_t const * e, uint32_t first, uint32_t end );

/* A bound fills in the profits of a list's groups that have none yet, and returns the greatest of these. */
typedef double sf_cycle_bound_t( sf_cycle_list_t * list, double max_input );

/* What the search has to know of a pool: a line. */
typedef struct sf_cycle_pool {
  double rate[2]; /* per edge, less slippage if it is no last hop; 0 = not to be used */
  double depth[2];
  double limit[2];
  uint32_t place[2];         /* in the lists of token a and b */
  sf_pool_update_t * update; /* the last one, what quotes read behind it; NULL = unknown */
} sf_cycle_pool_t;

/* And of a token: half a line. */
typedef struct sf_cycle_token {
  double best[2];    /* rates from the base token, to it; the base token's own is 1 */
  uint32_t first;    /* its list, padded to a multiple of 8; */
  uint32_t end_base; /* the pools with the base token stand first in it; */
  uint32_t
      front_cnt[2]; /* so many of these are not beaten: SF_CYCLE_NONE = to be found out; where there are few, all */
} sf_cycle_token_t;

/* Private to cycles.c but for base, pool_end, cut_searches. */
typedef struct sf_cycles {
  uint32_t pool_max;
  uint32_t token_max;
  uint32_t hop_max;
  uint32_t base; /* token all cycles begin with; SF_CYCLE_NONE until known */
  uint32_t slippage_bps;
  double give; /* what slippage leaves of 1 */
  double max_input;
  uint32_t pool_end;     /* pools [0,pool_end) may be known */
  uint32_t added_cnt;    /* pools added since the lists were made */
  uint32_t listed;       /* 1 = the lists are those of the present base */
  uint64_t cut_searches; /* of an edge, that stopped at SF_CYCLE_WORK */
  sf_cycle_screen_t * screen;
  sf_cycle_bound_t * bound;
  sf_cycle_pool_t * pool;
  uint16_t * room; /* by pool: bytes there are at update */
  uint8_t * held;  /* 1 = taken out by the owner */
  uint8_t * stale; /* 1 = its last update said so */
  uint32_t * added;
  sf_cycle_token_t * token; /* one more than there are */
  uint32_t * edge;          /* lists: edge from the token, */
  uint32_t * other;         /* token at its end, */
  double * rate[2];         /* of the edge back, and of the edge itself; */
  double * depth[2];        /* likewise; not in the base token's own list, */
  double * limit[2];        /* as this */
  uint32_t * front[2];      /* lists: of a token's pools with the base token the places of those that no other beats */
  double * curve[2];        /* and their curves, in groups of four: rates, depths; 0 where there are fewer */
  uint32_t changed[SF_CYCLE_CHANGED]; /* tokens for which that is to be found out, as far as known */
  uint32_t changed_cnt;
  uint32_t * hit;     /* places in the lists: what passed the screen, */
  uint32_t * taken;   /* and some of these */
  double * earns;     /* by hit, where there are many, */
  double most;        /* and the most of these */
  uint32_t warm_pool; /* where sf_cycles_warm is */
  uint32_t warm_line;
  sf_warm_t warm; /* lists, best rates, pools */
} sf_cycles_t;

/* sf_cycles_open takes memory for pool_max pools and token_max tokens.  Cycles have at most hop_max (2 or 3) hops; each
   hop but the last gives up slippage_bps of its output; no input is larger than max_input.  Returns 0, or SF_ERR_ARG,
   SF_ERR_LIMIT. */
int sf_cycles_open( sf_cycles_t * c, uint32_t pool_max, uint32_t token_max, uint32_t hop_max, uint32_t slippage_bps,
                    uint64_t max_input );

void sf_cycles_close( sf_cycles_t * c );

/* sf_cycles_base says which token cycles begin with. */
void sf_cycles_base( sf_cycles_t * c, uint32_t token );

/* sf_cycles_update takes a copy of a pool's update and of what quotes read of the state behind it.  The first update adds the pool.  A pool that
   is stale, disabled or not open yet has no rate until the next.  Returns 1 if the pool is new, 0 if not, SF_ERR_ARG if
   its numbers are out of range or its tokens changed, SF_ERR_LIMIT without memory.  Hot but for new pools. */
int sf_cycles_update( sf_cycles_t * c, sf_pool_update_t const * update, int stale );

/* sf_cycles_hold takes a pool out of the search, or (held = 0) back into it. */
void sf_cycles_hold( sf_cycles_t * c, uint32_t pool, int held );

/* sf_cycles_search finds the best cycles through `pool`; on the first search after pools were added it makes
   the lists, and looks at the added pools too.  Hot. */
void sf_cycles_search( sf_cycles_t * c, uint32_t pool, sf_cycle_list_t * list );

/* sf_cycle_next gives the cycles of a search, the best first: SF_CYCLE_BEST at most, and only those that earn more than
   `least`, or could if a limit did not cap them.  NULL if there is no other.  The cycle stays until the next call. */
sf_cycle_t const * sf_cycle_next( sf_cycle_list_t * list, double least );

/* sf_cycles_warm does a little of what the next search would have to: keeps a line more of what it reads near the processor
   (base/warm.h).  Changes nothing that a search finds. */
void sf_cycles_warm( sf_cycles_t * c );

/* sf_cycles_route finds the cycle's best input and quotes it in exact integers.  Each hop sells what the one before
   is sure to give: amount_in[i+1] = min_out[i] = quote less slippage.  The last hop's min_out is left to
   the caller.  Returns 1, or 0 if a hop would fail or nothing is earned.  Cost: one quote a hop for a cycle that
   is not capped, else some forty. */
int sf_cycles_route( sf_cycles_t const * c, sf_cycle_t const * cycle, sf_route_t * out );

/* sf_cycles_tighten looks for a route that gives for less as many units of the token with the fewest on the way: rounding
   leaves a remainder in every hop.  Looks only where such a unit is worth more than a basis point of the profit.  Returns 1
   if it found one.  Cost: two quotes a hop at most. */
int sf_cycles_tighten( sf_cycles_t const * c, sf_route_t * route );

/* sf_cycles_route_best is sf_cycles_route without haste: the input is the best there is, to the unit, where the token with
   the fewest units on the way has less than some millions of them; else it is within the rounding of the hops.  Cold. */
int sf_cycles_route_best( sf_cycles_t const * c, sf_cycle_t const * cycle, sf_route_t * out );

/* sf_cycles_all tells `each` every cycle that earns in exact integers, by its best route, and returns how many there are,
   or what `each` returned if that was not 0.  Cold. */
typedef int sf_cycles_each_t( void * arg, sf_route_t const * route );
int sf_cycles_all( sf_cycles_t * c, sf_cycles_each_t * each, void * arg );

/* sf_cycles_pool returns the last update of the pool that an edge belongs to. */
static inline sf_pool_update_t const * sf_cycles_pool( sf_cycles_t const * c, uint32_t edge ) {
  return c->pool[edge >> 1].update;
}

/* sf_cycles_search_choose takes the best of these that the processor has.  These are all there are, for tests. */
void sf_cycles_search_choose( sf_cycles_t * c );
sf_cycle_screen_t sf_cycles_screen_plain;
sf_cycle_screen_t sf_cycles_screen_avx2;
sf_cycle_screen_t sf_cycles_screen_avx512;
sf_cycle_bound_t sf_cycles_bound_plain;
sf_cycle_bound_t sf_cycles_bound_avx2;

#endif
