/* tick_math.h: ticks and square-root prices.

   A tick is a power of 1.0001, its price p = 1.0001^tick, kept as the square root in
   Q64.64.  Programs compute it by multiplying rounded constants, so each has its own
   last bits: Raydium CLMM and Orca Whirlpool are here, to the bit. */

#ifndef SF_DEX_TICK_MATH_H
#define SF_DEX_TICK_MATH_H

#include "dex/quote.h"

#define SF_TICK_MIN ( -443636 )
#define SF_TICK_MAX 443636

#define SF_SQRT_PRICE_MIN         ( (sf_u128_t)4295048016UL )
#define SF_SQRT_PRICE_MAX_RAYDIUM ( (sf_u128_t)0xfffec4b1UL << 64 | 0x845c1aa94e69579bUL )
#define SF_SQRT_PRICE_MAX_ORCA    ( (sf_u128_t)0xfffec4b1UL << 64 | 0x35bb7f32a81b33afUL )

/* sf_tick_price_<program> is the square-root price of a tick.  Assumes SF_TICK_MIN <= tick <= SF_TICK_MAX. */
sf_u128_t sf_tick_price_raydium( int32_t tick );
sf_u128_t sf_tick_price_orca( int32_t tick );

typedef sf_u128_t ( *sf_tick_price_t )( int32_t tick );

/* sf_tick_of_price is the highest tick whose price is not above sqrt_price, by the program whose `price` it is.
   Assumes SF_SQRT_PRICE_MIN <= sqrt_price <= price( SF_TICK_MAX ).  Hot. */
int32_t sf_tick_of_price( sf_u128_t sqrt_price, sf_tick_price_t price );

/* sf_mantissa is v's upper 64 bits, moved up so that the top one is set: bit *top of v. */
static inline uint64_t sf_mantissa( sf_u128_t v, int * top ) {
  uint64_t high = (uint64_t)( v >> 64 ), low = (uint64_t)v;
  if( high ) {
    int zeros = __builtin_clzl( high );
    *top      = 127 - zeros;
    return high << zeros | low >> 1 >> ( 63 - zeros );
  }
  int zeros = __builtin_clzl( low | 1 );
  *top      = 63 - zeros;
  return low << zeros;
}

/* sf_tick_of_mantissa is the same from the price's upper 64 bits, moved up to the top one, which is bit `top` of it. */
int32_t sf_tick_of_mantissa( sf_u128_t sqrt_price, uint64_t mantissa, int top, sf_tick_price_t price );

/* sf_tick_floor is tick rounded down to a multiple of `span`. */
static inline int32_t sf_tick_floor( int32_t tick, int32_t span ) {
  int32_t rest = tick % span;
  return tick - ( rest < 0 ? rest + span : rest );
}

#endif
