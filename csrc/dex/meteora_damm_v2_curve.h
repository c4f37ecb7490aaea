/* meteora_damm_v2_curve.h: swaps on the curve of DAMM v2, fees not counted (see meteora_damm_v2.h).

   Functions return 0, or the custom error with which the program fails, or SF_DAMM_V2_PANIC.  All are pure and hot. */

#ifndef SF_DEX_METEORA_DAMM_V2_CURVE_H
#define SF_DEX_METEORA_DAMM_V2_CURVE_H

#include "dex/meteora_damm_v2_fee.h"
#include "dex/near.h"

#define SF_DAMM_V2_PANIC ( -1 ) /* the program fails without a custom error */

#define SF_DAMM_V2_COLLECT_BOTH        0
#define SF_DAMM_V2_COLLECT_COMPOUNDING 2

#define SF_DAMM_V2_COLD static __attribute__( ( noinline, unused ) )

/* sf_damm_v2_prepare works out `ready`. */
void sf_damm_v2_prepare( sf_meteora_damm_v2_state_t * s );

/* L*(hi-lo) / (lo*hi), the token a between two prices. */
SF_WIDE int sf_damm_v2_delta_a( sf_u128_t liquidity, sf_u128_t lo, sf_u128_t hi, int up, uint64_t * out ) {
  sf_u128_t quotient;
  int rest = sf_wide_div( sf_wide_mul( liquidity, hi - lo ), sf_wide_mul( lo, hi ), &quotient );
  if( __builtin_expect( rest < 0, 0 ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  quotient += (sf_u128_t)( up & rest );
  *out = (uint64_t)quotient;
  return quotient >> 64 ? SF_DAMM_V2_ERR_OVERFLOW : 0;
}

/* L*(hi-lo) / 2^128, the token b between two prices. */
SF_WIDE int sf_damm_v2_delta_b( sf_u128_t liquidity, sf_u128_t lo, sf_u128_t hi, int up, uint64_t * out ) {
  sf_u256_t n = sf_wide_mul( liquidity, hi - lo );
  int rest    = up && ( n.w[0] | n.w[1] );
  *out        = n.w[2] + (uint64_t)rest;
  return n.w[3] || ( rest && !*out ) ? SF_DAMM_V2_ERR_OVERFLOW : 0;
}

/* One swap on the curve. */
typedef struct sf_damm_v2_leg {
  uint64_t in;
  uint64_t out;
  uint64_t left; /* input that the range has no room for */
  sf_u128_t sqrt_price;
} sf_damm_v2_leg_t;

/* -- in the range, moving the price by one word ------------------------------------------------------ */

/* How far v of token a moves the price: with A = v*P by A*P / (L+A) down if it goes in, by A*P / (L-A) up if it comes
   out. */
SF_WIDE int sf_damm_v2_move_a( sf_meteora_damm_v2_state_t const * s, uint64_t v, int in, uint64_t * moved ) {
  sf_u128_t l = s->ready.liquidity, p = s->ready.sqrt_price, low = (sf_u128_t)v * (uint64_t)p,
            high = ( low >> 64 ) + (sf_u128_t)v * (uint64_t)( p >> 64 ), a = high << 64 | (uint64_t)low, d;
  if( __builtin_expect( high >> 64 != 0, 0 ) ) return -1;
  if( __builtin_expect( in ? __builtin_add_overflow( l, a, &d ) : __builtin_sub_overflow( l, a, &d ), 0 ) ) return -1;
  sf_u256_t n = sf_wide_mul( a, s->sqrt_price );
  return n.w[3] ? -1 : sf_near_digit( n.w[2], n.w[1], n.w[0], d, !in, moved );
}

/* How far v of token b moves the price: v*2^128 / L, up if it goes in, down if it comes out. */
SF_WIDE int sf_damm_v2_move_b( sf_meteora_damm_v2_state_t const * s, uint64_t v, int in, uint64_t * moved ) {
  if( __builtin_expect( v >= (uint64_t)( s->liquidity >> 64 ), 0 ) ) return -1;
  return sf_near_digit( v << s->ready.bits, 0, 0, s->ready.liquidity, !in, moved );
}

/* An exact input (`in`) or output of v on the state of a pool with a range.  Returns 0, or -1 if it has to go by
   sf_damm_v2_leg_in or _out: it ends out of the range, or is not certain. */
SF_WIDE int sf_damm_v2_leg_near( sf_meteora_damm_v2_state_t const * s, int a_to_b, int in, uint64_t v,
                                 sf_damm_v2_leg_t * leg ) {
  uint64_t moved, other;
  sf_u128_t from = s->sqrt_price, to, l = s->liquidity;
  int top;
  if( a_to_b == in ? sf_damm_v2_move_a( s, v, in, &moved ) : sf_damm_v2_move_b( s, v, in, &moved ) ) return -1;
  to = a_to_b ? from - moved : from + moved;
  if( __builtin_expect( a_to_b ? moved > from || to < s->sqrt_min : to < from || to > s->sqrt_max, 0 ) ) return -1;
  if( a_to_b == in ) {
    sf_u128_t low = (sf_u128_t)(uint64_t)l * moved, high = ( low >> 64 ) + (sf_u128_t)(uint64_t)( l >> 64 ) * moved;
    other = (uint64_t)( high >> 64 ) + ( !in && ( (uint64_t)low | (uint64_t)high ) );
  } else {
    uint64_t mantissa = sf_mantissa( to, &top );
    if( __builtin_expect( (unsigned)s->ready.near.reserve_bits > 62, 0 ) ) return -1;
    if( __builtin_expect( sf_near_amount( &s->ready.near, moved, mantissa, top, !in, &other ), 0 ) ) return -1;
  }
  *leg = ( sf_damm_v2_leg_t ){ in ? v : other, in ? other : v, 0, to };
  return 0;
}

/* -- any ---------------------------------------------------------------------------------------------- */

SF_WIDE int sf_damm_v2_price_in( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t in, sf_u128_t * next ) {
  sf_u128_t quotient;
  if( a_to_b ) {
    *next = s->sqrt_price;
    if( !in ) return 0;
    /* L + in*P in three words */
    sf_u128_t low  = (sf_u128_t)in * (uint64_t)s->sqrt_price + (uint64_t)s->liquidity,
              high = (sf_u128_t)in * (uint64_t)( s->sqrt_price >> 64 ),
              mid  = ( low >> 64 ) + (uint64_t)high + (uint64_t)( s->liquidity >> 64 );
    sf_u256_t d    = { { (uint64_t)low, (uint64_t)mid, (uint64_t)( high >> 64 ) + (uint64_t)( mid >> 64 ), 0 } };
    int rest       = sf_wide_div( sf_wide_mul( s->liquidity, s->sqrt_price ), d, &quotient );
    *next          = quotient + (sf_u128_t)rest;
    return 0;
  }
  if( sf_wide_div( ( sf_u256_t ){ { 0, 0, in, 0 } }, sf_wide_of( s->liquidity ), &quotient ) < 0 )
    return SF_DAMM_V2_ERR_CAST;
  return __builtin_add_overflow( s->sqrt_price, quotient, next ) ? SF_DAMM_V2_ERR_CAST : 0;
}

SF_WIDE int sf_damm_v2_reserves_in( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t in,
                                    sf_damm_v2_leg_t * leg ) {
  uint64_t x = s->reserve[!a_to_b], y = s->reserve[!!a_to_b], sum, rest;
  if( __builtin_add_overflow( x, in, &sum ) || !sum ) return SF_DAMM_V2_ERR_OVERFLOW;
  sf_u128_t n = (sf_u128_t)y * in;
  leg->out    = (uint64_t)( n >> 64 ) < sum ? sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, sum, &rest ) : y;
  return 0;
}

SF_DAMM_V2_COLD int sf_damm_v2_leg_in( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t in, int partial,
                                       sf_damm_v2_leg_t * leg ) {
  *leg = ( sf_damm_v2_leg_t ){ .in = in, .sqrt_price = s->sqrt_price };
  if( s->collect_mode == SF_DAMM_V2_COLLECT_COMPOUNDING ) return sf_damm_v2_reserves_in( s, a_to_b, in, leg );
  sf_u128_t end = a_to_b ? s->sqrt_min : s->sqrt_max;
  uint64_t room;
  int err;
  if( partial &&
      !( a_to_b ? sf_damm_v2_delta_a( s->liquidity, end, s->sqrt_price, 1, &room )
                : sf_damm_v2_delta_b( s->liquidity, s->sqrt_price, end, 1, &room ) ) &&
      in >= room ) {
    leg->in         = room;
    leg->left       = in - room;
    leg->sqrt_price = end;
  } else {
    if( !s->liquidity ) return SF_DAMM_V2_PANIC;
    if( ( err = sf_damm_v2_price_in( s, a_to_b, in, &leg->sqrt_price ) ) ) return err;
    if( !partial && ( a_to_b ? leg->sqrt_price < end : leg->sqrt_price > end ) ) return SF_DAMM_V2_ERR_RANGE;
  }
  return a_to_b ? sf_damm_v2_delta_b( s->liquidity, leg->sqrt_price, s->sqrt_price, 0, &leg->out )
                : sf_damm_v2_delta_a( s->liquidity, s->sqrt_price, leg->sqrt_price, 0, &leg->out );
}

SF_DAMM_V2_COLD int sf_damm_v2_leg_out( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t out,
                                        sf_damm_v2_leg_t * leg ) {
  *leg = ( sf_damm_v2_leg_t ){ .out = out, .sqrt_price = s->sqrt_price };
  if( s->collect_mode == SF_DAMM_V2_COLLECT_COMPOUNDING ) {
    uint64_t x = s->reserve[!a_to_b], y = s->reserve[!!a_to_b];
    if( out >= y ) return SF_DAMM_V2_ERR_OVERFLOW;
    sf_u128_t n = ( (sf_u128_t)x * out + ( y - out - 1 ) ) / ( y - out );
    leg->in     = (uint64_t)n;
    return n >> 64 ? SF_DAMM_V2_ERR_CAST : 0;
  }
  if( !s->liquidity ) return SF_DAMM_V2_PANIC;
  sf_u128_t quotient;
  int rest;
  if( a_to_b ) {
    rest = sf_wide_div( ( sf_u256_t ){ { 0, 0, out, 0 } }, sf_wide_of( s->liquidity ), &quotient );
    if( rest < 0 || __builtin_add_overflow( quotient, (sf_u128_t)rest, &quotient ) || quotient > s->sqrt_price )
      return SF_DAMM_V2_ERR_OVERFLOW;
    leg->sqrt_price = s->sqrt_price - quotient;
    if( leg->sqrt_price < s->sqrt_min ) return SF_DAMM_V2_ERR_RANGE;
    return sf_damm_v2_delta_a( s->liquidity, leg->sqrt_price, s->sqrt_price, 1, &leg->in );
  }
  if( out ) {
    /* of out*P; the low word is out*P modulo 2^64 */
    sf_u128_t high =
        (sf_u128_t)out * (uint64_t)( s->sqrt_price >> 64 ) + ( (sf_u128_t)out * (uint64_t)s->sqrt_price >> 64 );
    sf_u128_t moved = high << 64 | out * (uint64_t)s->sqrt_price;
    if( high >> 64 || moved >= s->liquidity ) return SF_DAMM_V2_ERR_OVERFLOW;
    rest = sf_wide_div( sf_wide_mul( s->liquidity, s->sqrt_price ), sf_wide_of( s->liquidity - moved ), &quotient );
    if( rest < 0 || __builtin_add_overflow( quotient, (sf_u128_t)rest, &leg->sqrt_price ) ) return SF_DAMM_V2_ERR_CAST;
  }
  if( leg->sqrt_price > s->sqrt_max ) return SF_DAMM_V2_ERR_RANGE;
  return sf_damm_v2_delta_b( s->liquidity, s->sqrt_price, leg->sqrt_price, 1, &leg->in );
}

#endif
