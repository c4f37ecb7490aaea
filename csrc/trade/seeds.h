/* seeds.h: a bot's part in ladders (trade/ladder.h): what it ordered last over a route, and which rung of the ladder around
   that is nearly as good as what it is about to order now.

   An order of a route that is no rung is its seed from then on, here as in build.  Where the two differ, because an order was
   denied on the way, nothing is lost but the rung. */

#ifndef SF_TRADE_SEEDS_H
#define SF_TRADE_SEEDS_H

#include "dex/venue.h"
#include "trade/ladder.h"

#define SF_SEEDS 256 /* routes; a later one may take the place of an earlier one */

typedef struct sf_seed {
  uint64_t route;                      /* key, 0 = empty */
  uint64_t amount_in[SF_LADDER_RUNGS]; /* of the rungs, largest first; 0 = there is none */
  sf_intent_t intent;
} sf_seed_t;

typedef struct sf_seeds {
  uint64_t loss_bps; /* share of the profit that may be given up for a rung */
  uint64_t slippage_bps;
  uint64_t min_profit;
  uint64_t max_amount;
  sf_seed_t seed[SF_SEEDS];
} sf_seeds_t;

/* sf_seeds_ask turns an intent over a route into a rung of the route's ladder, if by the exact quotes of the hops' pools
   (update, one for each hop) the rung passes with the slippage that each hop but the last may have, and earns enough.
   `route` is the bot's own key for pools, directions and flags, not 0.  Returns 1; or 0, and the intent as it was is the
   route's seed.  Hot: three rungs are quoted at most. */
int sf_seeds_ask( sf_seeds_t * seeds, uint64_t route, sf_pool_update_t const * const * update, sf_intent_t * intent );

/* sf_seeds_forget drops the seed of a route: its order was denied or failed. */
void sf_seeds_forget( sf_seeds_t * seeds, uint64_t route );

#endif
