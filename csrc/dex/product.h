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

#endif
