/* raydium_cpmm.h: Raydium's constant-product program, CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C.

   The reserve of a side is its vault without the protocol, fund and creator fees owed.
   On exact input v:  fee = ceil( v*rate/10^6 ), out = floor( y*(v-fee) / (x+v-fee) ).
   On exact output o: v' = ceil( x*o / (y-o) ), v = ceil( v'*10^6 / (10^6-rate) ).
   The creator's fee, if the pool has it enabled, is part of `rate` when it is taken from the input
   token; else it is taken off the output, rounded up.  An amount of zero on either side fails.
   Source: raydium-io/raydium-cp-swap (curve/, states/, instructions/swap_base_*.rs). */

#ifndef SF_DEX_RAYDIUM_CPMM_H
#define SF_DEX_RAYDIUM_CPMM_H

#include "dex/venue.h"

extern sf_venue_t const sf_raydium_cpmm;

#define SF_CPMM_POOL_BYTES   637
#define SF_CPMM_CONFIG_BYTES 236
#define SF_CPMM_ACCOUNT_CNT  13 /* of a swap */
#define SF_CPMM_DATA_BYTES   24

/* sf_cpmm_quote_in and sf_cpmm_quote_out are the program's integers: see sf_venue_t.  Hot, below 5 ns. */
uint64_t sf_cpmm_quote_in( sf_pool_update_t const * pool, int a_to_b, uint64_t amount_in );
uint64_t sf_cpmm_quote_out( sf_pool_update_t const * pool, int a_to_b, uint64_t amount_out );

#endif
