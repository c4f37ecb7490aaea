/* quotient.h: quotients of one word, without branches that depend on the digits.

   Amounts differ from quote to quote, so a corrected digit is a branch that no predictor knows: it would cost more than
   the division.  All functions are pure and hot. */

#ifndef SF_DEX_QUOTIENT_H
#define SF_DEX_QUOTIENT_H

#include "dex/wide.h"

/* ( n2, n1, n0 ) / d, d's top bit set and the quotient below 2^64; *rest is the remainder. */
SF_WIDE uint64_t sf_quotient_digit( uint64_t n2, uint64_t n1, uint64_t n0, sf_u128_t d, sf_u128_t * rest ) {
  uint64_t high, digit = sf_div_word( n2, n1, (uint64_t)( d >> 64 ), &high );
  sf_u128_t left = (sf_u128_t)high << 64 | n0, taken = (sf_u128_t)digit * (uint64_t)d, back = left - taken;
  sf_u128_t below = -(sf_u128_t)( taken > left ); /* all ones: one too many, or two */
  sf_u128_t once  = back + ( d & below );
  sf_u128_t again = below & -(sf_u128_t)( once >= back );
  *rest           = once + ( d & again );
  return digit + (uint64_t)below + (uint64_t)again;
}

/* sf_quotient_rest writes floor( n/d ) of an n of three words, and to *more whether that leaves a rest.  Returns -1 if d
   has not two or three words, or if the quotient may not fit; then nothing is written. */
SF_WIDE int sf_quotient_rest( uint64_t n2, uint64_t n1, uint64_t n0, uint64_t d2, uint64_t d1, uint64_t d0,
                              uint64_t * out, uint64_t * more ) {
  sf_u128_t rest;
  if( !d2 ) {
    if( !d1 || n2 >= d1 ) return -1;
    int bits    = __builtin_clzl( d1 );
    uint64_t m2 = (uint64_t)( ( ( (sf_u128_t)n2 << 64 | n1 ) << bits ) >> 64 );
    sf_u128_t m = ( (sf_u128_t)n1 << 64 | n0 ) << bits;
    *out  = sf_quotient_digit( m2, (uint64_t)( m >> 64 ), (uint64_t)m, ( (sf_u128_t)d1 << 64 | d0 ) << bits, &rest );
    *more = rest != 0;
    return 0;
  }
  int bits      = __builtin_clzl( d2 );
  sf_u128_t top = (sf_u128_t)n2 << bits, mid = ( (sf_u128_t)n2 << 64 | n1 ) << bits,
            low = ( (sf_u128_t)n1 << 64 | n0 ) << bits, d = ( (sf_u128_t)d2 << 64 | d1 ) << bits,
            next = ( (sf_u128_t)d1 << 64 | d0 ) << bits;
  d              = d >> 64 << 64 | (uint64_t)( next >> 64 );
  uint64_t digit =
      sf_quotient_digit( (uint64_t)( top >> 64 ), (uint64_t)( mid >> 64 ), (uint64_t)( low >> 64 ), d, &rest );
  sf_u128_t taken = (sf_u128_t)digit * (uint64_t)next;
  uint64_t borrow = (uint64_t)( taken >> 64 ) + ( (uint64_t)taken > (uint64_t)low );
  *out            = digit - ( rest < borrow );
  *more           = ( ( rest ^ borrow ) | ( (uint64_t)taken ^ (uint64_t)low ) ) != 0;
  return 0;
}

/* sf_quotient is that without the rest. */
SF_WIDE int sf_quotient( uint64_t n2, uint64_t n1, uint64_t n0, uint64_t d2, uint64_t d1, uint64_t d0,
                         uint64_t * out ) {
  uint64_t more;
  return sf_quotient_rest( n2, n1, n0, d2, d1, d0, out, &more );
}

#endif
