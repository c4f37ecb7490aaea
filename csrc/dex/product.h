/* product.h: the integers of a constant product: x*y stays, amounts are rounded in the pool's favour.

   x is the reserve of what comes in, y of what goes out.  All functions are pure and hot. */

#ifndef SF_DEX_PRODUCT_H
#define SF_DEX_PRODUCT_H

#include "dex/bps.h"
#include "dex/quote.h"
#include "dex/wide.h"

/* sf_product_out is floor( y*v / (x+v) ).  Assumes x+v fits 64 bits and is not 0. */
static inline uint64_t sf_product_out( uint64_t x, uint64_t y, uint64_t v ) {
  sf_u128_t n = (sf_u128_t)y * v;
  uint64_t rest;
  if( __builtin_expect( !x, 0 ) ) return y; /* the one case in which the quotient's high word is not below x+v */
  return sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, x + v, &rest );
}

/* sf_product_in writes floor( x*out / (y-out) ) and the remainder.  Assumes out < y.  Returns 0, or -1 if it does not
   fit 64 bits. */
static inline int sf_product_in( uint64_t x, uint64_t y, uint64_t out, uint64_t * quotient, uint64_t * rest ) {
  sf_u128_t n = (sf_u128_t)x * out;
  uint64_t d  = y - out;
  if( __builtin_expect( (uint64_t)( n >> 64 ) >= d, 0 ) ) return -1;
  *quotient = sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, d, rest );
  return 0;
}

/* sf_part_up is ceil( v*num / den ).  Assumes num < den.  At most v. */
static inline uint64_t sf_part_up( uint64_t v, uint64_t num, uint64_t den ) {
  sf_u128_t n = (sf_u128_t)v * num + ( den - 1 );
  uint64_t rest;
  return sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, den, &rest );
}

/* A fee of `rate` of `whole` that is taken from v + fee leaves v of it: fee = ceil( v*rate / (whole-rate) ).
   sf_on_top_ready works out floor( 2^64*rate / (whole-rate) ), or 0 if that does not fit 64 bits.  Assumes rate < whole,
   and that whole fits 63 bits.  Cold. */
static inline uint64_t sf_on_top_ready( uint64_t rate, uint64_t whole ) {
  uint64_t left = whole - rate, rest;
  return rate < left ? sf_div_word( rate, 0, left, &rest ) : 0;
}

/* sf_on_top is that fee of `ready`, which must not be 0. */
static inline uint64_t sf_on_top( uint64_t v, uint64_t rate, uint64_t whole, uint64_t ready ) {
  uint64_t fee  = (uint64_t)( (sf_u128_t)v * ready >> 64 ); /* at most one below the quotient */
  uint64_t rest = v * rate - fee * ( whole - rate );
  return fee + ( rest > 0 ) + ( rest > whole - rate );
}

/* sf_bps_up is ceil( v*bps / 10^4 ).  Assumes bps is at most 10^4. */
static inline uint64_t sf_bps_up( uint64_t v, uint64_t bps ) {
  uint32_t rest = (uint32_t)( v % SF_BPS ) * (uint32_t)bps + ( SF_BPS - 1 );
  return v / SF_BPS * bps + rest / SF_BPS;
}

/* sf_product_impact is how much worse a swap of v into x is than the price before it, per 10^6, without fees. */
static inline uint32_t sf_product_impact( uint64_t x, uint64_t v ) {
  return v ? (uint32_t)( 1e6 * (double)v / ( (double)x + (double)v ) ) : 0;
}

/* sf_quote_fill sets all of a quote; the compiler would clear it with a slow string instruction first. */
static inline void sf_quote_fill( sf_quote_t * q, uint64_t in, uint64_t out, uint64_t reserve_a, uint64_t reserve_b,
                                  uint32_t fee_in_input, uint32_t impact_ppm ) {
  q->amount_in    = in;
  q->amount_out   = out;
  q->fee          = 0;
  q->protocol_fee = 0;
  q->creator_fee  = 0;
  q->reserve_a    = reserve_a;
  q->reserve_b    = reserve_b;
  q->status       = SF_QUOTE_OK;
  q->error        = 0;
  q->fee_in_input = fee_in_input;
  q->tick         = 0;
  q->crossed      = 0;
  q->impact_ppm   = impact_ppm;
  q->sqrt_price   = 0;
  q->liquidity    = 0;
}

/* sf_quote_refuse says that the program fails with `error`, 0 if that is not a code of its own. */
static inline void sf_quote_refuse( sf_quote_t * q, uint32_t error ) {
  sf_quote_fill( q, 0, 0, 0, 0, 0, 0 );
  q->status = SF_QUOTE_REFUSED;
  q->error  = error;
}

/* -- the short way ----------------------------------------------------------

   Amounts and reserves up to SF_SMALL_MAX leave room for every sum of a quote, and are doubles without a case for the top
   bit.  A state says in `small` up to which amount a quote may take the short way: all that is fixed in it fits, and its
   fees are rates as below.  Whatever can make the program fail is left to the long way, which knows the errors and their
   order; both say the same of what they do quote. */

#define SF_SMALL_MAX ( ( 1UL << 62 ) - 1 )

/* 1 where a division of integers takes far longer than one of doubles (Intel's before Ice Lake: some 90 cycles): measured
   when the program begins.  Every quotient is the same. */
extern int sf_divider_slow;

/* sf_product_double writes floor( a*b / d ) and the remainder, by way of doubles.  Assumes that all are small.  Returns 0 if
   the quotient or d is so large that it cannot. */
static inline int sf_product_double( uint64_t a, uint64_t b, uint64_t d, uint64_t * quotient, uint64_t * rest ) {
  double q = (double)(int64_t)a * ( (double)(int64_t)b / (double)(int64_t)d );
  if( __builtin_expect( !( q < 0x1p50 ) || d >> 61, 0 ) ) return 0;
  uint64_t n   = (uint64_t)(int64_t)q; /* five roundings of 2^-53 each: at most one off */
  int64_t left = (int64_t)( a * b - n * d ), low = left >> 63;
  left += (int64_t)d & low;
  int64_t high = -( left >= (int64_t)d );
  *quotient    = n + (uint64_t)( low - high );
  *rest        = (uint64_t)( left - ( (int64_t)d & high ) );
  return 1;
}

/* sf_product_out_small is sf_product_out.  Assumes that all are small and x is not 0. */
static inline uint64_t sf_product_out_small( uint64_t x, uint64_t y, uint64_t v ) {
  sf_u128_t n = (sf_u128_t)y * v;
  uint64_t quotient, rest;
  if( sf_divider_slow && sf_product_double( y, v, x + v, &quotient, &rest ) ) return quotient;
  return sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, x + v, &rest );
}

/* sf_product_in_small writes ceil( x*out / (y-out) ) and what that times y-out is more than x*out.  Assumes that all are
   small and out < y.  Returns 0, or -1 if the quotient may not be small, or has no fraction, which is rare. */
static inline int sf_product_in_small( uint64_t x, uint64_t y, uint64_t out, uint64_t * in, uint64_t * more ) {
  sf_u128_t n = (sf_u128_t)x * out;
  uint64_t d  = y - out, rest;
  if( __builtin_expect( (uint64_t)( n >> 64 ) >= d >> 2, 0 ) ) return -1;
  if( !sf_divider_slow || !sf_product_double( x, out, d, in, &rest ) )
    *in = sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, d, &rest );
  *in += 1;
  *more = d - rest;
  return __builtin_expect( !rest, 0 ) ? -1 : 0;
}

/* A rate num/den of amounts, to be taken without a division: the high word of amount*factor, and `one`.

   To round down, the factor is ceil( 2^64*num/den ): the product is less than `amount` too large.  To round up it is one
   less: the product is too small, by at most `amount`, so that its high word is one less than the quotient rounded up
   even where that has no fraction, and `one` is 1.  Both hold for amounts below 2^64/den, because products
   lie that far apart; num/den is in lowest terms. */
typedef struct sf_rate {
  uint64_t factor;
  uint64_t one;
} sf_rate_t;

/* sf_rate_down_ready and sf_rate_up_ready work a rate out, rounded down or up, and return the greatest amount it may be
   taken of; 0 if num/den is not below 1.  Cold. */
uint64_t sf_rate_down_ready( uint64_t num, uint64_t den, sf_rate_t * rate );
uint64_t sf_rate_up_ready( uint64_t num, uint64_t den, sf_rate_t * rate );

/* sf_rate_down is floor( v*num/den ), of a rate made for that; of the other it is sf_rate_up without `one`. */
static inline uint64_t sf_rate_down( sf_rate_t const * rate, uint64_t v ) {
  return (uint64_t)( (sf_u128_t)v * rate->factor >> 64 );
}

/* sf_rate_up is ceil( v*num/den ).  Assumes that v is not 0. */
static inline uint64_t sf_rate_up( sf_rate_t const * rate, uint64_t v ) { return sf_rate_down( rate, v ) + rate->one; }

/* sf_product_impact_small is sf_product_impact.  Assumes that both are small and x is not 0. */
static inline uint32_t sf_product_impact_small( uint64_t x, uint64_t v ) {
  double in = (double)(int64_t)v;
  return (uint32_t)(int64_t)( 1e6 * in / ( (double)(int64_t)x + in ) );
}

/* sf_quote_fill_side is sf_quote_fill of a swap whose input token is `side`, without a branch that depends on that. */
static inline void sf_quote_fill_side( sf_quote_t * q, int side, uint64_t in, uint64_t out, uint64_t reserve_in,
                                       uint64_t reserve_out, uint32_t impact_ppm ) {
  sf_quote_fill( q, in, out, 0, 0, 1, impact_ppm );
  *( side ? &q->reserve_b : &q->reserve_a ) = reserve_in;
  *( side ? &q->reserve_a : &q->reserve_b ) = reserve_out;
}

#endif
