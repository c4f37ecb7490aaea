/* ticks.h: the liquidity of a concentrated pool as a list of ticks, and swaps along it.

   Liquidity is constant between two initialized ticks and changes by the tick's net
   amount where the price crosses it.  The way between neighbours is a stretch; an entry
   of the list is a tick and the stretch below it:

     end          tick 0       tick 1          price      tick 2          end
      |------------|------------|----------------*----------|--------------|
       stretch 0     stretch 1       stretch 2 (at)            stretch 3
       entry 0       entry 1         entry 2                   entry 3: no tick
                                 first[0] <------ ------> first[1]

   What all of a stretch takes and gives, fee included, depends on nothing but the
   list, so it is worked out when the list changes: a swap then subtracts stretch by
   stretch and computes prices only in the one where it stops.  The ends are where
   the loaded ticks end, or where the program does; nothing goes beyond them.

   sf_ticks_t has no pointer in it and its list comes last, so that a copy with the entries
   around the price alone is a list as well: that travels between processes.  What only
   the keeper of the whole list needs is in sf_tick_arrays_t.

   Source of the steps: orca-so/whirlpools (math/swap_math.rs, token_math.rs), raydium-io/raydium-clmm
   (libraries/swap_math.rs, sqrt_price_math.rs, liquidity_math.rs); they round alike. */

#ifndef SF_DEX_TICKS_H
#define SF_DEX_TICKS_H

#include <string.h>

#include "dex/near.h"
#include "dex/quote.h"
#include "dex/tick_math.h"
#include "dex/transfer_fee.h"

struct sf_curve; /* dex/venue.h */

#define SF_TICKS_MAX       1024
#define SF_TICK_ARRAYS_MAX 256 /* known of one pool */
#define SF_FEE_PPM         1000000u
#define SF_SHARE_BPS       10000u

#define SF_STRETCH_ODD   1u  /* an amount does not fit, or rounding is coarse: go by steps */
#define SF_STRETCH_WRONG 2u  /* the ticks' net amounts do not fit the pool's liquidity: the program fails in it */
#define SF_STRETCH_FINE  4u  /* the price after an exact input of token a never leaves a part of it unused */
#define SF_STRETCH_NEAR  8u  /* of a first one: swaps that end in it can go by sf_near_t */
#define SF_STRETCH_MORE  16u /* shifted by side: going in, it is one more of that token than coming out */

/* What differs between the programs. */
#define SF_TICKS_ORCA    0u
#define SF_TICKS_RAYDIUM 1u

typedef struct sf_tick_rules {
  sf_tick_price_t price;
  sf_u128_t price_max;
  uint32_t share_of; /* the protocol's shares of the fee are per this */
  uint32_t narrow;   /* 1: liquidity times price must fit 192 bits, and prices are checked (Whirlpool) */
} sf_tick_rules_t;

extern sf_tick_rules_t const sf_tick_rules[2]; /* by SF_TICKS_* */

/* A tick, and the stretch below it. */
typedef struct sf_tick {
  sf_u128_t price;    /* square root, at the tick */
  sf_u128_t depth;    /* liquidity of the stretch */
  uint64_t amount[2]; /* of token a and b that the stretch gives all in all */
  uint64_t fee[2];    /* where that token goes in */
  uint64_t orders;    /* limit orders at the tick that wait to be filled (Raydium) */
  int32_t index;
  uint32_t flags; /* SF_STRETCH_* */
} sf_tick_t;

/* All of a stretch in one direction. */
typedef struct sf_stretch {
  uint64_t in; /* goes in, fee included */
  uint64_t out;
  uint64_t fee; /* part of in */
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

typedef struct sf_ticks {
  sf_u128_t sqrt_price;
  sf_u128_t liquidity;
  int32_t tick;
  uint32_t fee_ppm;      /* of the input */
  uint32_t share[2];     /* of the fee: protocol, fund */
  double value[2];       /* by direction: price of a unit of input in units of output, before the swap */
  sf_stretch_t first[2]; /* from the price to the next tick */
  sf_near_t near;
  sf_u128_t next[2];                /* the next tick's price, by direction */
  uint64_t keep;                    /* what is left of an input without its fee, in 2^-64 */
  uint64_t fee;                     /* the fee on an input without it, in 2^-64 */
  sf_end_t end[2];                  /* [0] for prices going down (a to b), [1] up */
  uint32_t rules;                   /* SF_TICKS_* */
  uint32_t cnt;                     /* ticks */
  uint32_t at;                      /* stretch with the price in it */
  sf_tick_t list[SF_TICKS_MAX + 1]; /* cnt + 1 of them are there */
} sf_ticks_t;

/* sf_ticks_swap swaps `amount` (of the input if exact_in, else of the output) until `limit` (0 = none).  Fills
   all of q but the reserves; amounts are without transfer fees.  What is left of `amount` at the limit or
   the program's own end is not an error here.  Hot: below 25 ns within a stretch, few more for each further one. */
void sf_ticks_swap( sf_ticks_t const * t, int a_to_b, int exact_in, uint64_t amount, sf_u128_t limit, sf_quote_t * q );

/* sf_ticks_refuse says that the program fails with `error`, 0 if that is not a code of its own. */
static inline void sf_ticks_refuse( sf_quote_t * q, uint32_t error ) {
  memset( q, 0, sizeof( *q ) );
  q->status       = SF_QUOTE_REFUSED;
  q->error        = error;
  q->fee_in_input = 1;
}

/* sf_ticks_paid puts transfer fees on a quote that was not refused; `sent` is what goes in, 0 to work it out.  Returns 0,
   or -1 if there is no such amount; where the ticks ended what it got to need not be one. */
static inline int sf_ticks_paid( sf_transfer_fee_t const * fee_in, sf_transfer_fee_t const * fee_out, uint64_t sent,
                                 sf_quote_t * q ) {
  if( !sent && sf_transfer_fee_before( fee_in, q->amount_in, &sent ) ) {
    if( q->status != SF_QUOTE_EXHAUSTED ) return -1;
    sent = q->amount_in;
  }
  q->amount_in = sent;
  q->amount_out -= sf_transfer_fee_of( fee_out, q->amount_out );
  return 0;
}

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

/* sf_tick_delta is what comes out of token a (side 0) or b (side 1) between two prices, and returns 1 if one more goes
   in, else 0; -1 if it does not fit 64 bits, -2 if the program fails on the way. */
int sf_tick_delta( sf_tick_rules_t const * rules, int side, sf_u128_t depth, sf_u128_t one, sf_u128_t other,
                   uint64_t * out );

/* sf_tick_fee_on is the fee of an input that goes in whole: ceil( in * ppm / (10^6-ppm) ); -1 if it does not fit. */
static inline int sf_tick_fee_on( uint64_t in, uint32_t ppm, uint64_t * fee ) {
  sf_u128_t n = (sf_u128_t)in * ppm + ( SF_FEE_PPM - ppm - 1 );
  uint64_t d  = SF_FEE_PPM - ppm, rest;
  if( (uint64_t)( n >> 64 ) >= d ) return -1;
  *fee = sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, d, &rest );
  return 0;
}

/* sf_tick_impact is how much worse than `value` a swap was, per 10^6; `in` without fees. */
uint32_t sf_tick_impact( double value, uint64_t in, uint64_t out );

/* -- the list (ticks_list.c) ---------------------------------------------------------------------- */

/* What an account says of a tick. */
typedef struct sf_tick_net {
  sf_i128_t net;
  uint64_t orders;
  int32_t index;
} sf_tick_net_t;

/* What the keeper of the whole list knows besides. */
typedef struct sf_tick_arrays {
  uint32_t cnt;
  uint32_t changed;                   /* 1: the list or the fee, since it was prepared */
  uint32_t prepared;                  /* 1: it was once */
  int32_t number[SF_TICK_ARRAYS_MAX]; /* of the arrays that are known, ascending */
  sf_i128_t net[SF_TICKS_MAX];        /* of each tick in the list */
  sf_u128_t below; /* when last prepared: what the pool's liquidity is above the nets up to its tick, */
  sf_u128_t all;   /* and the sum of all nets */
} sf_tick_arrays_t;

/* sf_ticks_clear makes both empty. */
void sf_ticks_clear( sf_tick_arrays_t * a, sf_ticks_t * t, uint32_t rules );

/* sf_ticks_fee_set sets the fee of the input and its shares. */
void sf_ticks_fee_set( sf_tick_arrays_t * a, sf_ticks_t * t, uint32_t fee_ppm, uint32_t protocol, uint32_t fund );

int sf_tick_array_known( sf_tick_arrays_t const * a, int32_t number );

/* sf_tick_array_put takes array `number`, of `span` ticks from number * span on, for known and holding these ticks, in
   ascending order.  Returns 0, or SF_ERR_FULL and changes nothing. */
int sf_tick_array_put( sf_tick_arrays_t * a, sf_ticks_t * t, int32_t number, int32_t span, sf_tick_net_t const * tick,
                       uint32_t cnt );

/* sf_ticks_place is the stretch in which `tick` lies: how many ticks of the list are not above it. */
uint32_t sf_ticks_place( sf_ticks_t const * t, int32_t tick );

/* sf_ticks_prepare works out all stretches.  Assumes sqrt_price, liquidity, tick, fee and the ends (but `at`) are
   set.  Returns 0 or SF_ERR_DATA if price, tick and ends do not fit together.  Cost: about 100 ns a tick if the list,
   the fee or the liquidity changed by itself since, else 50 ns. */
int sf_ticks_prepare( sf_tick_arrays_t * a, sf_ticks_t * t );

/* sf_ticks_whole says (1) that price, liquidity and list belong to one moment, as far as can be told: the pool's
   liquidity differs from when it was prepared by the ticks crossed since and nothing else, and what begins at
   one tick ends at another.  Always 1 before. */
int sf_ticks_whole( sf_tick_arrays_t const * a, sf_ticks_t const * t );

/* sf_ticks_travel writes a copy of the stretches lo to hi, the price's among them, or those nearest to it if they are
   more than `entries`.  Where that ends before the list does, swaps are SF_QUOTE_EXHAUSTED with `error`.  Returns the bytes
   of the copy, a multiple of 16. */
uint32_t sf_ticks_travel( sf_ticks_t const * t, uint32_t lo, uint32_t hi, uint32_t entries, uint32_t error,
                          sf_ticks_t * out );

/* sf_ticks_curve is the curve of the first stretch from the price on that has liquidity, to its end: of an input v it sees
   in_factor*v, and of what comes out out_factor is paid. */
void sf_ticks_curve( sf_ticks_t const * t, int a_to_b, double in_factor, double out_factor, struct sf_curve * out );

/* sf_ticks_reserves writes the virtual reserves of token a and b at the price, at most UINT64_MAX. */
void sf_ticks_reserves( sf_ticks_t const * t, uint64_t out[2] );

#endif
