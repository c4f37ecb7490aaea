/* wide.h: 256-bit unsigned integers, for products of two 128-bit numbers.

   Prices in Q64.64 times liquidity need more than 128 bits; programs on chain
   compute them in 256 and round the quotient.  Words are little-endian: w[0] is the
   lowest.  All functions are pure and hot. */

#ifndef SF_DEX_WIDE_H
#define SF_DEX_WIDE_H

#include <x86intrin.h>

#include "dex/quote.h"

/* out of line, structures would go through memory */
#define SF_WIDE static inline __attribute__( ( always_inline ) )

typedef struct sf_u256 {
  uint64_t w[4];
} sf_u256_t;

SF_WIDE sf_u256_t sf_wide_of( sf_u128_t lo ) { return ( sf_u256_t ){ { (uint64_t)lo, (uint64_t)( lo >> 64 ), 0, 0 } }; }

/* sf_wide_of_shl64 is lo * 2^64. */
SF_WIDE sf_u256_t sf_wide_of_shl64( sf_u128_t lo ) {
  return ( sf_u256_t ){ { 0, (uint64_t)lo, (uint64_t)( lo >> 64 ), 0 } };
}

SF_WIDE sf_u256_t sf_wide_mul( sf_u128_t a, sf_u128_t b ) {
  uint64_t a0 = (uint64_t)a, a1 = (uint64_t)( a >> 64 ), b0 = (uint64_t)b, b1 = (uint64_t)( b >> 64 );
  sf_u128_t p00 = (sf_u128_t)a0 * b0, p01 = (sf_u128_t)a0 * b1, p10 = (sf_u128_t)a1 * b0, p11 = (sf_u128_t)a1 * b1;
  sf_u128_t mid  = ( p00 >> 64 ) + (uint64_t)p01 + (uint64_t)p10;
  sf_u128_t high = p11 + ( p01 >> 64 ) + ( p10 >> 64 ) + ( mid >> 64 );
  return ( sf_u256_t ){ { (uint64_t)p00, (uint64_t)mid, (uint64_t)high, (uint64_t)( high >> 64 ) } };
}

/* sf_wide_mul_word multiplies by one word; *over is the word that does not fit. */
SF_WIDE sf_u256_t sf_wide_mul_word( sf_u256_t a, uint64_t b, uint64_t * over ) {
  sf_u128_t carry = 0;
  for( int i = 0; i < 4; i++ ) {
    carry += (sf_u128_t)a.w[i] * b;
    a.w[i] = (uint64_t)carry;
    carry >>= 64;
  }
  *over = (uint64_t)carry;
  return a;
}

/* sf_wide_add and sf_wide_sub are modulo 2^256; *carry is 1 if the true result is not in range. */
SF_WIDE sf_u256_t sf_wide_add( sf_u256_t a, sf_u256_t b, unsigned * carry ) {
  unsigned long long w[4];
  unsigned char c = _addcarry_u64( 0, a.w[0], b.w[0], &w[0] );
  c               = _addcarry_u64( c, a.w[1], b.w[1], &w[1] );
  c               = _addcarry_u64( c, a.w[2], b.w[2], &w[2] );
  *carry          = _addcarry_u64( c, a.w[3], b.w[3], &w[3] );
  return ( sf_u256_t ){ { w[0], w[1], w[2], w[3] } };
}

SF_WIDE sf_u256_t sf_wide_sub( sf_u256_t a, sf_u256_t b, unsigned * carry ) {
  unsigned long long w[4];
  unsigned char c = _subborrow_u64( 0, a.w[0], b.w[0], &w[0] );
  c               = _subborrow_u64( c, a.w[1], b.w[1], &w[1] );
  c               = _subborrow_u64( c, a.w[2], b.w[2], &w[2] );
  *carry          = _subborrow_u64( c, a.w[3], b.w[3], &w[3] );
  return ( sf_u256_t ){ { w[0], w[1], w[2], w[3] } };
}

SF_WIDE int sf_wide_zero( sf_u256_t a ) { return !( a.w[0] | a.w[1] | a.w[2] | a.w[3] ); }

SF_WIDE int sf_wide_less( sf_u256_t a, sf_u256_t b ) {
  unsigned carry;
  sf_wide_sub( a, b, &carry );
  return (int)carry;
}

/* sf_wide_shl64 is a * 2^64; the highest word must be 0. */
SF_WIDE sf_u256_t sf_wide_shl64( sf_u256_t a ) { return ( sf_u256_t ){ { 0, a.w[0], a.w[1], a.w[2] } }; }

/* sf_div_word is the quotient of a two-word number, its high word below d; *rest is the remainder. */
SF_WIDE uint64_t sf_div_word( uint64_t hi, uint64_t lo, uint64_t d, uint64_t * rest ) {
  uint64_t quotient;
  __asm__( "divq %4" : "=a"( quotient ), "=d"( *rest ) : "a"( lo ), "d"( hi ), "r"( d ) : "cc" );
  return quotient;
}

/* One digit of a long division: r (five words, r4 on top, below d * 2^64) by d, whose top bit is set. */
SF_WIDE uint64_t sf_wide_digit( uint64_t r4, sf_u256_t * r, sf_u256_t d ) {
  uint64_t digit, rest;
  if( __builtin_expect( r4 >= d.w[3], 0 ) ) digit = UINT64_MAX;
  else {
    digit = sf_div_word( r4, r->w[3], d.w[3], &rest );
    while( (sf_u128_t)digit * d.w[2] > ( (sf_u128_t)rest << 64 | r->w[2] ) ) {
      digit--;
      if( __builtin_add_overflow( rest, d.w[3], &rest ) ) break;
    }
  }
  uint64_t over;
  unsigned carry;
  sf_u256_t product = sf_wide_mul_word( d, digit, &over );
  *r                = sf_wide_sub( *r, product, &carry );
  over += carry;
  while( __builtin_expect( r4 < over, 0 ) ) {
    digit--;
    *r = sf_wide_add( *r, d, &carry );
    r4 += carry;
  }
  return digit;
}

/* The first digit of ( r2, r1, r0 ) / ( d1, d0 ), d1's top bit set and r2 below it; *rest is the remainder. */
SF_WIDE uint64_t sf_div_digit( uint64_t r2, uint64_t r1, uint64_t r0, uint64_t d1, uint64_t d0, sf_u128_t * rest ) {
  uint64_t high, digit = sf_div_word( r2, r1, d1, &high );
  sf_u128_t taken = (sf_u128_t)digit * d0, left = (sf_u128_t)high << 64 | r0, d = (sf_u128_t)d1 << 64 | d0;
  *rest = left - taken;
  if( __builtin_expect( taken > left, 0 ) ) {
    digit--;
    if( !__builtin_add_overflow( *rest, d, rest ) ) { /* still below zero */
      digit--;
      *rest += d;
    }
  }
  return digit;
}

/* sf_wide_div of a d of two words and a quotient of one. */
SF_WIDE int sf_wide_div_2( sf_u256_t n, sf_u256_t d, sf_u128_t * quotient ) {
  int bits      = __builtin_clzl( d.w[1] );
  sf_u128_t low = ( (sf_u128_t)n.w[1] << 64 | n.w[0] ) << bits, dd = ( (sf_u128_t)d.w[1] << 64 | d.w[0] ) << bits, rest;
  uint64_t top = (uint64_t)( ( ( (sf_u128_t)n.w[2] << 64 | n.w[1] ) << bits ) >> 64 );
  *quotient = sf_div_digit( top, (uint64_t)( low >> 64 ), (uint64_t)low, (uint64_t)( dd >> 64 ), (uint64_t)dd, &rest );
  return rest != 0;
}

/* sf_wide_div of a d of three words and a quotient of one. */
SF_WIDE int sf_wide_div_3( sf_u256_t n, sf_u256_t d, sf_u128_t * quotient ) {
  int bits       = __builtin_clzl( d.w[2] );
  sf_u128_t high = ( (sf_u128_t)n.w[3] << 64 | n.w[2] ) << bits, low = ( (sf_u128_t)n.w[1] << 64 | n.w[0] ) << bits,
            middle = ( (sf_u128_t)n.w[2] << 64 | n.w[1] ) << bits, top = ( (sf_u128_t)d.w[2] << 64 | d.w[1] ) << bits,
            next = ( (sf_u128_t)d.w[1] << 64 | d.w[0] ) << bits, rest;
  uint64_t d1 = (uint64_t)( next >> 64 ), d0 = (uint64_t)next;
  uint64_t digit  = sf_div_digit( (uint64_t)( high >> 64 ), (uint64_t)( middle >> 64 ), (uint64_t)( low >> 64 ),
                                  (uint64_t)( top >> 64 ), d1, &rest );
  sf_u128_t taken = (sf_u128_t)digit * d0;
  uint64_t borrow = (uint64_t)( taken >> 64 ) + ( (uint64_t)taken > (uint64_t)low );
  *quotient       = digit - ( rest < borrow );
  return rest != borrow || (uint64_t)taken != (uint64_t)low;
}

/* The same for any operands. */
static __attribute__( ( noinline, unused ) ) int sf_wide_div_any( sf_u256_t n, sf_u256_t d, sf_u128_t * quotient ) {
  uint64_t r4 = 0, r5 = 0;
  int words = d.w[3] ? 0 : d.w[2] ? 1 : d.w[1] ? 2 : 3;
  if( __builtin_expect( words == 3 && !d.w[0], 0 ) ) return -1;
  /* move both up until the top bit of d is set */
  for( int i = 0; i < words; i++ ) {
    if( r5 ) return -1;
    d  = ( sf_u256_t ){ { 0, d.w[0], d.w[1], d.w[2] } };
    r5 = r4, r4 = n.w[3];
    n = ( sf_u256_t ){ { 0, n.w[0], n.w[1], n.w[2] } };
  }
  int bits = __builtin_clzl( d.w[3] );
  if( bits ) {
    int back = 64 - bits;
    if( r5 >> back ) return -1;
    r5 = r5 << bits | r4 >> back;
    r4 = r4 << bits | n.w[3] >> back;
    n  = ( sf_u256_t ){ { n.w[0] << bits, n.w[1] << bits | n.w[0] >> back, n.w[2] << bits | n.w[1] >> back,
                          n.w[3] << bits | n.w[2] >> back } };
    d  = ( sf_u256_t ){ { d.w[0] << bits, d.w[1] << bits | d.w[0] >> back, d.w[2] << bits | d.w[1] >> back,
                          d.w[3] << bits | d.w[2] >> back } };
  }
  uint64_t high = 0;
  if( r5 | r4 ) {
    /* the upper five of the six words */
    sf_u256_t top = { { n.w[1], n.w[2], n.w[3], r4 } };
    if( r5 || !sf_wide_less( top, d ) ) {
      sf_u256_t limit = { { n.w[2], n.w[3], r4, r5 } };
      if( !sf_wide_less( limit, d ) ) return -1;
      high = sf_wide_digit( r5, &top, d );
    }
    r4 = top.w[3];
    n  = ( sf_u256_t ){ { n.w[0], top.w[0], top.w[1], top.w[2] } };
  }
  uint64_t low = sf_wide_digit( r4, &n, d );
  *quotient    = (sf_u128_t)high << 64 | low;
  return !sf_wide_zero( n );
}

/* sf_wide_div writes floor( n/d ) and returns 1 if there is a remainder, else 0; -1 if the quotient does not
   fit 128 bits or d is 0. */
SF_WIDE int sf_wide_div( sf_u256_t n, sf_u256_t d, sf_u128_t * quotient ) {
  if( __builtin_expect( !d.w[3], 1 ) ) {
    if( d.w[2] ) {
      if( n.w[3] < d.w[2] ) return sf_wide_div_3( n, d, quotient );
    } else if( d.w[1] && !n.w[3] && n.w[2] < d.w[1] ) return sf_wide_div_2( n, d, quotient );
  }
  return sf_wide_div_any( n, d, quotient );
}

/* sf_div_shl64 is floor( a * 2^64 / d ) of a 64-bit a and a d that is not 0, if it fits 128 bits (it does);
   *rest says if there is a remainder. */
SF_WIDE sf_u128_t sf_div_shl64( uint64_t a, sf_u128_t d, int * rest ) {
  if( __builtin_expect( !( d >> 64 ), 1 ) ) {
    uint64_t d0 = (uint64_t)d, high = 0, r = a;
    if( __builtin_expect( a >= d0, 0 ) ) {
      high = a / d0;
      r    = a % d0;
    }
    uint64_t low = sf_div_word( r, 0, d0, &r );
    *rest        = r != 0;
    return (sf_u128_t)high << 64 | low;
  }
  sf_u128_t n = (sf_u128_t)a << 64, quotient = n / d;
  *rest = quotient * d != n;
  return quotient;
}

#endif
