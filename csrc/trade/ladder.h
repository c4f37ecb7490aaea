/* ladder.h: orders that are likely, so that their transactions can be signed before anybody asks for them.

   A ladder stands around an order of a route, its seed.  Its rungs are the seed again, in sizes that are powers of 5/4
   apart: rung 0 the seed itself, then 4/5, 5/4, 16/25, 25/16, ... of it.

     bot    asks for a rung instead of its best order, where that costs little enough
     build  makes the rungs' transactions for the newest blockhash when there is nothing else to do
     sign   checks and signs them then, and hands one out for an order that says the same

   All three make the rungs from the seed by sf_ladder_rung and tell each other numbers only: that an order is a rung is
   seen by its terms (sf_ladder_same), never believed.  Who has another seed than the others finds no rung, and the order is
   signed on the spot. */

#ifndef SF_TRADE_LADDER_H
#define SF_TRADE_LADDER_H

#include "sf_message.h"

#define SF_LADDER_RUNGS  8
#define SF_LADDER_ROUTES 32 /* ladders at once */
#define SF_LADDER_PLACES ( SF_LADDER_ROUTES * SF_LADDER_RUNGS )

/* sf_ladder_rung makes the terms of a rung: amounts and tip in proportion, rounded so that no price is worse than the
   seed's; a cycle gives back at least its input and what it may cost.  Fees per unit, limits, flags and arrays are the seed's.
   Returns 0, or SF_ERR_LIMIT without a sentence where an amount would be nothing or too large.  Hot. */
int sf_ladder_rung( sf_intent_t const * seed, uint32_t rung, sf_intent_t * out );

/* sf_ladder_same says if one transaction serves both: all is equal that a transaction is made of, or that a signer holds
   against it.  Hot. */
int sf_ladder_same( sf_intent_t const * a, sf_intent_t const * b );

/* sf_ladder_down is the rungs from the largest to the smallest. */
extern uint8_t const sf_ladder_down[SF_LADDER_RUNGS];

#endif
