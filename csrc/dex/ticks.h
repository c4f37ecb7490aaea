/* ticks.h: the liquidity of a concentrated pool as a list of ticks, and swaps along it.

   Liquidity is constant between two initialized ticks and changes by the tick's net
   amount where the price crosses it.  The way between neighbours is a stretch:

     end          tick 0       tick 1          price      tick 2          end
      |------------|------------|----------------*----------|--------------|
       stretch 0     stretch 1       stretch 2 (at)            stretch 3
                                 first[0] <------ ------> first[1]

   What all of a stretch takes and gives, fee included, depends on nothing but the
   list, so it is worked out when the list changes: a swap then subtracts stretch by
   stretch and computes prices only in the one where it stops.  The ends are where
   the loaded ticks end, or where the program does; nothing goes beyond them.

   Source of the steps: orca-so/whirlpools (math/swap_math.rs, token_math.rs), raydium-io/raydium-clmm
   (libraries/swap_math.rs, sqrt_price_math.rs, liquidity_math.rs); they round alike. */

#ifndef SF_DEX_TICKS_H
#define SF_DEX_TICKS_H

#include "dex/quote.h"
#include "dex/tick_math.h"

#define SF_TICKS_MAX 1024
#define SF_FEE_PPM   1000000u
#define SF_SHARE_BPS 10000u

#define SF_STRETCH_ODD   1u  /* an amount does not fit, or rounding is coarse: go by steps */
#define SF_STRETCH_WRONG 2u  /* the ticks' net amounts do not fit the pool's liquidity: the program fails in it */
#define SF_STRETCH_FINE  4UL /* the price after an exact input of token a never leaves a part of it unused */

typedef struct sf_stretch {
  uint64_t in;   /* goes in, fee included */
  uint64_t out;  /* comes out */
  uint64_t fee;  /* part of in */
  uint64_t kept; /* part of fee for protocol and fund */
  uint64_t flags;
} sf_stretch_t;

/* Where a direction ends.  `index` is what the program takes for the tick there. */
typedef struct sf_end {
  sf_u128_t sqrt_price;
  int32_t index;
  uint32_t status; /* of a swap that has some left here: SF_QUOTE_*; SF_QUOTE_OK if the program stops and is content */
  uint32_t error;
  uint32_t at; /* stretch in which it lies */
} sf_end_t;

/* What differs between the programs. */
typedef struct sf_tick_rules {
  sf_tick_price_t price;
  sf_u128_t price_max;
  uint32_t share_of; /* the protocol's shares of the fee are per this */
  uint32_t narrow;   /* 1: liquidity times price must fit 192 bits, and prices are checked (Whirlpool) */
} sf_tick_rules_t;

typedef struct sf_ticks {
  sf_tick_rules_t const * rules;
  sf_u128_t sqrt_price;
  sf_u128_t liquidity;
  int32_t tick;
  uint32_t fee_ppm;  /* of the input */
  uint32_t share[2]; /* of the fee: protocol, fund */
  sf_end_t end[2];   /* [0] for prices going down (a to b), [1] up */
  double value[2];   /* price of a unit of input in units of output, before the swap */
  uint32_t cnt;
  uint32_t at; /* stretch with the price in it */
  sf_stretch_t first[2];
  int32_t index[SF_TICKS_MAX];
  sf_i128_t net[SF_TICKS_MAX];
  sf_u128_t price[SF_TICKS_MAX];
  sf_u128_t depth[SF_TICKS_MAX + 1];         /* liquidity of a stretch */
  sf_stretch_t stretch[2][SF_TICKS_MAX + 1]; /* by direction */
} sf_ticks_t;

/* sf_ticks_clear makes the list empty. */
void sf_ticks_clear( sf_ticks_t * t, sf_tick_rules_t const * rules );

/* sf_ticks_replace puts `cnt` ticks in ascending order in place of all with lo <= index < hi.
   Returns 0 or SF_ERR_FULL. */
int sf_ticks_replace( sf_ticks_t * t, int32_t lo, int32_t hi, int32_t const * index, sf_i128_t const * net,
                      uint32_t cnt );

/* sf_ticks_prepare works out all stretches.  Assumes rules, sqrt_price, liquidity, tick, fee_ppm, share and the
   ends (but `at`) are set.  Returns 0 or SF_ERR_DATA if price, tick and ends do not fit together.
   Cost: about 100 ns a tick. */
int sf_ticks_prepare( sf_ticks_t * t );

/* sf_ticks_move is sf_ticks_prepare after a change of sqrt_price, liquidity, tick and ends alone. */
int sf_ticks_move( sf_ticks_t * t );

/* sf_ticks_swap swaps `amount` (of the input if exact_in, else of the output) until `limit` (0 = none).  Fills
   all of q but the reserves; amounts are without transfer fees.  What is left of `amount` at the limit or
   the program's own end is not an error here.  Hot: below 25 ns within a stretch, few more for each further one. */
void sf_ticks_swap( sf_ticks_t const * t, int a_to_b, int exact_in, uint64_t amount, sf_u128_t limit, sf_quote_t * q );

/* One step at constant liquidity, towards `target` at most, as the programs compute it. */
typedef struct sf_tick_step {
  sf_u128_t sqrt_price;
  uint64_t in; /* without fee */
  uint64_t out;
  uint64_t gross_out; /* before it was cut to what was asked for */
  uint64_t fee;
} sf_tick_step_t;

/* sf_tick_step returns 0, or -1 if the program fails. */
int sf_tick_step( sf_tick_rules_t const * rules, sf_u128_t depth, sf_u128_t from, sf_u128_t target, uint64_t left,
                  uint32_t fee_ppm, int a_to_b, int exact_in, sf_tick_step_t * out );

/* sf_tick_delta is what goes in or out of token a (side 0) or b (side 1) between two prices; -1 if it does not fit
   64 bits, -2 if the program fails on the way. */
int sf_tick_delta( sf_tick_rules_t const * rules, int side, sf_u128_t depth, sf_u128_t one, sf_u128_t other,
                   int round_up, uint64_t * out );

/* sf_tick_impact is how much worse than `value` a swap was, per 10^6; `in` without fees. */
uint32_t sf_tick_impact( double value, uint64_t in, uint64_t out );

#endif
