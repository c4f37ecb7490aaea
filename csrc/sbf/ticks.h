/* ticks.h has the tick prices of the programs with concentrated liquidity: a tick t stands for the
   square-root price 1.0001^(t/2) in Q64.64, which each program rounds its own way, to the last bit.  It
   uses nothing but integers, so it also compiles natively.

   Sources: orca-so/whirlpools math/tick_math.rs, raydium-io/raydium-clmm libraries/tick_math.rs. */

#ifndef SF_SBF_TICKS_H
#define SF_SBF_TICKS_H

#include "sbf/wide.h"

#define TICK_MIN ( -443636L )
#define TICK_MAX 443636L

/* The target has no signed division. */
SBF_INLINE int64_t tick_floor_div( int64_t a, uint64_t b ) {
  return a >= 0 ? (int64_t)( (uint64_t)a / b ) : -(int64_t)( ( (uint64_t)-a + b - 1 ) / b );
}

SBF_INLINE int64_t tick_i32( uint8_t const * p ) { return (int32_t)( *(sbf_u32_alias_t const *)p ); }
SBF_INLINE void tick_put_i32( uint8_t * p, int64_t v ) { *(sbf_u32_alias_t *)p = (uint32_t)v; }

/* tick_power sets *ratio to 2^64 times the factors of the bits of `exponent`, each Q0.64, cut after each. */
SBF_FUNCTION void tick_power( sbf_u128_t * ratio, uint64_t exponent, uint64_t const * factors ) {
  sbf_u128_t product, value = { 0, 1 };
  for( ; exponent; exponent >>= 1, factors++ ) {
    if( !( exponent & 1 ) ) continue;
    if( value.hi ) { /* 2^64: only before the first factor */
      value = sbf_u128( *factors );
      continue;
    }
    sbf_mul64( &product, value.lo, *factors );
    value = sbf_u128( product.hi );
  }
  *ratio = value;
}

/* A program's price of a tick.  (The target calls no function by pointer: one that takes this is inlined.) */
typedef void tick_price_t( sbf_u128_t * price, int64_t tick );

#define TICK_LOG_FACTOR 59543866431248UL /* 2^32 / log2( sqrt( 1.0001 ) ) */
#define TICK_LOG_LOWER  184467440737095516UL
#define TICK_LOG_UPPER  15793534762490258745UL

/* tick_log2 returns log2( price ) in Q32, from `bits` bits of the fraction.  Needs 0 < price < 2^127. */
SBF_FUNCTION int64_t tick_log2( sbf_u128_t const * price, uint64_t bits ) {
  uint64_t head = price->hi ? price->hi : price->lo, top = 63;
  while( !( head >> top ) ) top--;
  uint64_t r  = head << ( 63 - top ); /* the 64 bits from the highest on */
  int64_t log = (int64_t)top * ( 1L << 32 );
  if( price->hi ) {
    r |= price->lo >> 1 >> top;
  } else {
    log -= 64L << 32;
  }
  for( uint64_t i = 0; i < bits; i++ ) {
    sbf_u128_t square;
    sbf_mul64( &square, r, r );
    uint64_t two = square.hi >> 63;
    r            = two ? square.hi : ( square.hi << 1 ) | ( square.lo >> 63 );
    log += (int64_t)( two << ( 31 - i ) );
  }
  return log;
}

/* tick_at returns the tick whose price is the highest not above `price`, as the programs find it: from a
   logarithm of `bits` bits, and one price where that does not decide. */
SBF_INLINE int64_t tick_at( sbf_u128_t const * price, uint64_t bits, tick_price_t * price_of ) {
  int64_t log = tick_log2( price, bits );
  sbf_u128_t scaled, exact;
  sbf_mul64( &scaled, log < 0 ? (uint64_t)-log : (uint64_t)log, TICK_LOG_FACTOR );
  if( log < 0 ) scaled = sbf_u128_negated( scaled );
  int64_t low  = (int64_t)sbf_u128_sub( scaled, sbf_u128( TICK_LOG_LOWER ) ).hi;
  int64_t high = (int64_t)sbf_u128_add( scaled, sbf_u128( TICK_LOG_UPPER ) ).hi;
  if( low == high ) return low;
  price_of( &exact, high );
  return sbf_u128_less( *price, exact ) ? low : high;
}

#endif
