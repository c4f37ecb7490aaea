/* wide.h calculates with integers of up to 320 bits, which prices and liquidity of 128 bits need on their
   way to a quotient.  It uses nothing but sbf.h's integers, so it also compiles natively. */

#ifndef SF_SBF_WIDE_H
#define SF_SBF_WIDE_H

#include "sbf/sbf.h"

#define WIDE_WORDS 5

/* 64-bit words, the least first. */
typedef struct wide {
  uint64_t w[WIDE_WORDS];
} wide_t;

SBF_INLINE sbf_u128_t sbf_u128_at( uint8_t const * p ) { return ( sbf_u128_t ){ sbf_u64( p ), sbf_u64( p + 8 ) }; }

SBF_INLINE void sbf_put_u128( uint8_t * p, sbf_u128_t v ) {
  sbf_put_u64( p, v.lo );
  sbf_put_u64( p + 8, v.hi );
}

SBF_INLINE bool sbf_u128_equal( sbf_u128_t a, sbf_u128_t b ) { return a.lo == b.lo && a.hi == b.hi; }
SBF_INLINE bool sbf_u128_zero( sbf_u128_t a ) { return !( a.lo | a.hi ); }
SBF_INLINE sbf_u128_t sbf_u128_negated( sbf_u128_t a ) { return sbf_u128_sub( sbf_u128( 0 ), a ); }

/* wide_mul sets *product to a*b, in full. */
SBF_FUNCTION void wide_mul( wide_t * product, sbf_u128_t const * a, sbf_u128_t const * b ) {
  sbf_u128_t low, cross, other, high;
  sbf_mul64( &low, a->lo, b->lo );
  sbf_mul64( &cross, a->lo, b->hi );
  sbf_mul64( &other, a->hi, b->lo );
  sbf_mul64( &high, a->hi, b->hi );
  sbf_u128_t middle = sbf_u128_add( sbf_u128( low.hi ), sbf_u128( cross.lo ) );
  middle            = sbf_u128_add( middle, sbf_u128( other.lo ) );
  sbf_u128_t top    = sbf_u128_add( high, sbf_u128( cross.hi ) );
  top               = sbf_u128_add( top, sbf_u128( other.hi ) );
  top               = sbf_u128_add( top, sbf_u128( middle.hi ) );
  *product          = ( wide_t ){ { low.lo, middle.lo, top.lo, top.hi, 0 } };
}

/* wide_shift_word multiplies by 2^64.  Needs the top word to be 0. */
SBF_INLINE void wide_shift_word( wide_t * a ) {
  for( int i = WIDE_WORDS - 1; i; i-- ) a->w[i] = a->w[i - 1];
  a->w[0] = 0;
}

/* wide_fits says whether `words` words hold the number. */
SBF_INLINE bool wide_fits( wide_t const * a, int words ) {
  uint64_t rest = 0;
  for( int i = words; i < WIDE_WORDS; i++ ) rest |= a->w[i];
  return !rest;
}

SBF_FUNCTION bool wide_less( wide_t const * a, wide_t const * b ) {
  for( int i = WIDE_WORDS - 1; i >= 0; i-- ) {
    if( a->w[i] != b->w[i] ) return a->w[i] < b->w[i];
  }
  return false;
}

SBF_FUNCTION void wide_add( wide_t * a, wide_t const * b ) {
  uint64_t carry = 0;
  for( int i = 0; i < WIDE_WORDS; i++ ) {
    uint64_t sum = a->w[i] + carry;
    carry        = sum < carry;
    sum += b->w[i];
    carry += sum < b->w[i];
    a->w[i] = sum;
  }
}

/* wide_sub needs b <= a. */
SBF_FUNCTION void wide_sub( wide_t * a, wide_t const * b ) {
  uint64_t borrow = 0;
  for( int i = 0; i < WIDE_WORDS; i++ ) {
    uint64_t less = b->w[i] + borrow;
    borrow        = less < borrow;
    borrow += a->w[i] < less;
    a->w[i] -= less;
  }
}

SBF_FUNCTION uint64_t wide_length( wide_t const * a ) {
  uint64_t words = WIDE_WORDS;
  while( words && !a->w[words - 1] ) words--;
  return words;
}

/* wide_shift_bits multiplies `words` words at `to` by 2^shift, 0 < shift < 64, and returns what leaves the
   highest. */
SBF_FUNCTION uint64_t wide_shift_bits( uint64_t * to, uint64_t words, uint64_t shift ) {
  uint64_t carry = 0;
  for( uint64_t i = 0; i < words; i++ ) {
    uint64_t word = to[i];
    to[i]         = ( word << shift ) | carry;
    carry         = word >> ( 64 - shift );
  }
  return carry;
}

/* wide_subtract_product takes digit*d off the words at `u`, one more than d has, and returns the borrow. */
SBF_FUNCTION uint64_t wide_subtract_product( uint64_t * u, uint64_t const * d, uint64_t words, uint64_t digit ) {
  uint64_t carry = 0;
  for( uint64_t i = 0; i < words; i++ ) {
    sbf_u128_t product;
    sbf_mul64( &product, d[i], digit );
    uint64_t less = product.lo + carry;
    carry         = product.hi + ( less < carry );
    carry += u[i] < less;
    u[i] -= less;
  }
  uint64_t borrow = u[words] < carry;
  u[words] -= carry;
  return borrow;
}

/* wide_div sets *quotient to n/d and returns whether there is a rest.  Needs d != 0.  (Knuth's D, 64-bit
   digits.) */
SBF_FUNCTION bool wide_div( wide_t * quotient, wide_t const * n, wide_t const * d ) {
  uint64_t u[WIDE_WORDS + 1];
  wide_t divisor = *d;
  for( int i = 0; i < WIDE_WORDS; i++ ) u[i] = n->w[i];
  u[WIDE_WORDS] = 0;
  *quotient     = ( wide_t ){ { 0 } };
  uint64_t len = wide_length( d ), n_len = wide_length( n ), shift = 0, rest = 0;
  if( len == 1 ) {
    for( uint64_t i = n_len; i--; ) quotient->w[i] = sbf_div_step( rest, u[i], d->w[0], &rest );
    return rest;
  }
  while( !( divisor.w[len - 1] << shift >> 63 ) ) shift++;
  if( shift ) {
    wide_shift_bits( divisor.w, len, shift );
    wide_shift_bits( u, WIDE_WORDS + 1, shift );
  }
  uint64_t top = divisor.w[len - 1], next = divisor.w[len - 2];
  for( uint64_t j = n_len >= len ? n_len - len + 1 : 0; j--; ) {
    uint64_t high = u[j + len], digit = UINT64_MAX, left = u[j + len - 1] + top;
    bool exact = high == top && left < top; /* `left` needs more than 64 bits: the digit is right or one too high */
    if( high != top ) digit = sbf_div_step( high, u[j + len - 1], top, &left );
    while( !exact ) {
      sbf_u128_t product, seen = { u[j + len - 2], left };
      sbf_mul64( &product, digit, next );
      if( !sbf_u128_less( seen, product ) ) break;
      digit--;
      left += top;
      exact = left < top;
    }
    if( wide_subtract_product( u + j, divisor.w, len, digit ) ) {
      digit--;
      uint64_t carry = 0;
      for( uint64_t i = 0; i < len; i++ ) {
        uint64_t sum = u[j + i] + carry;
        carry        = sum < carry;
        sum += divisor.w[i];
        carry += sum < divisor.w[i];
        u[j + i] = sum;
      }
      u[j + len] += carry;
    }
    quotient->w[j] = digit;
  }
  for( int i = 0; i <= WIDE_WORDS; i++ ) rest |= u[i];
  return rest;
}

/* wide_div_up is wide_div with the quotient rounded up. */
SBF_FUNCTION void wide_div_up( wide_t * quotient, wide_t const * n, wide_t const * d ) {
  if( !wide_div( quotient, n, d ) ) return;
  for( int i = 0; i < WIDE_WORDS && !++quotient->w[i]; ) i++;
}

#endif
