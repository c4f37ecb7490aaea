/* near.h: amounts of a concentrated pool in single words, certain of nearly all.

   A price and a virtual reserve kept as 64-bit mantissas give an amount to some units in its last places; where these
   do not touch the whole part it is exact, and else the caller goes by 256 bits.  All functions are pure and hot. */

#ifndef SF_DEX_NEAR_H
#define SF_DEX_NEAR_H

#include "dex/tick_math.h"
#include "dex/wide.h"

/* A price and the virtual reserve of token a there, in a word each, for swaps that end before the next tick. */
typedef struct sf_near {
  uint64_t price;   /* sqrt_price is price * 2^price_exp, rounded down, price's top bit is set */
  uint64_t reserve; /* to 2^-61 of it; the reserve is reserve / 2^reserve_bits, the top bit but one is set */
  int32_t price_exp;
  int32_t reserve_bits; /* usable from 0 to 62 */
} sf_near_t;

/* sf_near_make works them out; depth is not 0. */
static inline void sf_near_make( sf_u128_t depth, sf_u128_t sqrt_price, sf_near_t * n ) {
  int deep, top;
  uint64_t l = sf_mantissa( depth, &deep ), rest;
  n->price   = sf_mantissa( sqrt_price, &top );
  /* depth * 2^64 / price */
  int bits        = l < n->price ? 63 : 62;
  n->reserve      = sf_div_word( l >> ( 64 - bits ), l << bits, n->price, &rest );
  n->reserve_bits = bits - 64 - deep + top;
  n->price_exp    = top - 63;
}

/* sf_near_whole writes the whole part of a quotient that is in 2^-shift and off by less than `doubt`.  Returns 0, or -1 if
   that is not certain. */
SF_WIDE int sf_near_whole( uint64_t quotient, int shift, uint64_t doubt, uint64_t * whole ) {
  uint64_t low = ( quotient - doubt ) >> shift, high = ( quotient + doubt ) >> shift;
  *whole = quotient >> shift;
  return low == high ? 0 : -1;
}

/* sf_near_digit writes n/d, rounded up if `up`, of an n of three words and a d of two, without branches that depend on
   amounts, which no predictor knows.  Returns 0, or -1 if the digit that the high words give is not below d's high word:
   only then could it be more than one too large. */
SF_WIDE int sf_near_digit( uint64_t n2, uint64_t n1, uint64_t n0, sf_u128_t d, int up, uint64_t * quotient ) {
  uint64_t d1 = (uint64_t)( d >> 64 ), high;
  if( __builtin_expect( n2 >= d1, 0 ) ) return -1;
  uint64_t digit = sf_div_word( n2, n1, d1, &high );
  if( __builtin_expect( digit >= d1, 0 ) ) return -1;
  sf_u128_t left = (sf_u128_t)high << 64 | n0, taken = (sf_u128_t)digit * (uint64_t)d;
  *quotient = up ? digit + ( taken < left ) : digit - ( taken > left );
  return 0;
}

/* sf_near_amount writes the token a for a move of the price: reserve * delta / to, rounded down if it comes out, else up.
   `to` is a mantissa, its top bit is bit to_top.  Returns 0, or -1 if not certain. */
SF_WIDE int sf_near_amount( sf_near_t const * n, uint64_t delta, uint64_t to, int to_top, int in, uint64_t * amount ) {
  if( !delta ) return -1;
  int zeros = __builtin_clzl( delta ), shift = zeros + n->reserve_bits + to_top - 63;
  if( (unsigned)shift > 62 ) return -1;
  sf_u128_t num = (sf_u128_t)n->reserve * ( delta << zeros );
  uint64_t rest, q = sf_div_word( (uint64_t)( num >> 64 ), (uint64_t)num, to, &rest );
  if( sf_near_whole( q, shift, 16, amount ) ) return -1;
  *amount += in;
  return 0;
}

#endif
