/* raydium_clmm_math.h is the arithmetic of a Raydium CLMM swap: prices of ticks, amounts between prices, one
   step at constant liquidity, what a limit order gives at its tick.  It uses nothing but integers, so it
   also compiles natively.  Functions return 0 or the program's error number.

   Source: raydium-io/raydium-clmm libraries/{tick_math,sqrt_price_math,liquidity_math,swap_math}.rs,
   states/tick_array.rs. */

#ifndef SF_SBF_RAYDIUM_CLMM_MATH_H
#define SF_SBF_RAYDIUM_CLMM_MATH_H

#include "sbf/ticks.h"

#define CLMM_FEE_RATE_OF 1000000UL
#define CLMM_PANIC       UINT64_MAX /* not an error number: the program stops */

static sbf_u128_t const CLMM_PRICE_MIN = { 4295048016UL, 0 };
static sbf_u128_t const CLMM_PRICE_MAX = { 0x845c1aa94e69579bUL, 0xfffec4b1UL }; /* of TICK_MAX */

enum {
  CLMM_NOT_EQUAL            = 2501,
  CLMM_KEYS_NOT_EQUAL       = 2502,
  CLMM_NOT_GREATER          = 2505,
  CLMM_LESS                 = 2506,
  CLMM_NOT_APPROVED         = 6001,
  CLMM_INVALID_TICK_ARRAY   = 6011,
  CLMM_PRICE_LIMIT          = 6013,
  CLMM_PRICE_RANGE          = 6014,
  CLMM_LIQUIDITY_SUB        = 6015,
  CLMM_LIQUIDITY_ADD        = 6016,
  CLMM_NO_LIQUIDITY         = 6019,
  CLMM_TOO_LITTLE_OUTPUT    = 6022,
  CLMM_TOO_MUCH_INPUT       = 6023,
  CLMM_ZERO_AMOUNT          = 6024,
  CLMM_INVALID_VAULT        = 6025,
  CLMM_TOO_SMALL            = 6026,
  CLMM_NOT_ENOUGH_ARRAYS    = 6027,
  CLMM_INVALID_FIRST_ARRAY  = 6028,
  CLMM_MISSING_EXTENSION    = 6040,
  CLMM_NO_DIRECTION         = 6041,
  CLMM_TOKEN_OVERFLOW       = 6042,
  CLMM_OVERFLOW             = 6043,
  CLMM_INVALID_ORDER_AMOUNT = 6047,
};

#define CLMM_REQUIRE( cond, code ) \
  do {                             \
    if( !( cond ) ) return code;   \
  } while( 0 )

/* ---- prices of ticks ------------------------------------------------------------------------------ */

/* 1/1.0001^(2^i/2), Q0.64, cut as the program cuts them. */
static uint64_t const CLMM_DOWN[19] = {
  0xfffcb933bd6fb800UL, 0xfff97272373d4000UL, 0xfff2e50f5f657000UL, 0xffe5caca7e10f000UL, 0xffcb9843d60f7000UL,
  0xff973b41fa98e800UL, 0xff2ea16466c9b000UL, 0xfe5dee046a9a3800UL, 0xfcbe86c7900bb000UL, 0xf987a7253ac65800UL,
  0xf3392b0822bb6000UL, 0xe7159475a2caf000UL, 0xd097f3bdfd2f2000UL, 0xa9f746462d9f8000UL, 0x70d869a156f31c00UL,
  0x31be135f97ed3200UL, 0x09aa508b5b85a500UL, 0x005d6af8dedc582cUL, 0x00002216e584f5faUL,
};

SBF_FUNCTION void clmm_price_of( sbf_u128_t * price, int64_t tick ) {
  sbf_u128_t all = { UINT64_MAX, UINT64_MAX }, ratio, rest;
  tick_power( &ratio, (uint64_t)( tick < 0 ? -tick : tick ), CLMM_DOWN );
  *price = ratio;
  if( tick > 0 ) sbf_u128_div( price, &rest, &all, &ratio );
}

SBF_FUNCTION uint64_t clmm_tick_at( int64_t * tick, sbf_u128_t const * price ) {
  CLMM_REQUIRE( !sbf_u128_less( *price, CLMM_PRICE_MIN ) && sbf_u128_less( *price, CLMM_PRICE_MAX ), CLMM_PRICE_RANGE );
  *tick = tick_at( price, 16, clmm_price_of );
  return 0;
}

/* ---- one step at constant liquidity ----------------------------------------------------------------- */

typedef struct clmm_step {
  /* what is asked */
  sbf_u128_t liquidity, price, target;
  uint64_t amount, fee_rate;
  bool exact_in, a_to_b, fee_on_input;
  /* what it gives */
  sbf_u128_t next_price;
  uint64_t amount_in, amount_out, fee;
} clmm_step_t;

/* clmm_share sets *part to amount*numerator/denominator; a part beyond 64 bits stops the program. */
SBF_FUNCTION uint64_t clmm_share( uint64_t * part, uint64_t amount, uint64_t numerator, uint64_t denominator,
                                  bool round_up ) {
  sbf_u128_t quotient;
  CLMM_REQUIRE( denominator, CLMM_PANIC );
  sbf_mul_div( &quotient, amount, numerator, denominator, round_up );
  *part = quotient.lo;
  return quotient.hi ? CLMM_PANIC : 0;
}

/* clmm_delta finds the amount of token 0 or 1 between step->price and `to`: rounded up of the token that comes
   in, down of the other.  CLMM_TOKEN_OVERFLOW where it has no 64 bits. */
SBF_FUNCTION uint64_t clmm_delta( uint64_t * amount, clmm_step_t const * step, sbf_u128_t const * to, bool in ) {
  bool below = sbf_u128_less( *to, step->price ), token_0 = in == step->a_to_b;
  sbf_u128_t difference = below ? sbf_u128_sub( step->price, *to ) : sbf_u128_sub( *to, step->price );
  wide_t product, denominator, quotient;
  wide_mul( &product, &step->liquidity, &difference );
  *amount = 0;
  if( token_0 ) {
    CLMM_REQUIRE( !sbf_u128_zero( *to ), CLMM_PANIC );
    wide_shift_word( &product );
    wide_mul( &denominator, &step->price, to );
    if( wide_div( &quotient, &product, &denominator ) && in ) /* rounded up */
      for( int i = 0; i < WIDE_WORDS && !++quotient.w[i]; ) i++;
  } else {
    bool up  = in && product.w[0];
    quotient = ( wide_t ){ { product.w[1], product.w[2], product.w[3], 0, 0 } };
    if( up )
      for( int i = 0; i < WIDE_WORDS && !++quotient.w[i]; ) i++;
  }
  CLMM_REQUIRE( wide_fits( &quotient, 1 ), CLMM_TOKEN_OVERFLOW );
  *amount = quotient.w[0];
  return 0;
}

/* clmm_price_after_0 sets step->next_price to where `amount` of token 0, in or out, brings the price. */
SBF_FUNCTION uint64_t clmm_price_after_0( clmm_step_t * step, uint64_t amount ) {
  wide_t numerator, product, denominator = { { 0, step->liquidity.lo, step->liquidity.hi, 0, 0 } }, quotient;
  step->next_price = step->price;
  if( !amount ) return 0;
  sbf_u128_t factor = sbf_u128( amount );
  wide_mul( &product, &step->price, &factor );
  wide_mul( &numerator, &step->liquidity, &step->price );
  wide_shift_word( &numerator );
  if( step->exact_in ) {
    wide_add( &denominator, &product );
  } else {
    CLMM_REQUIRE( wide_less( &product, &denominator ), CLMM_PANIC );
    wide_sub( &denominator, &product );
  }
  wide_div_up( &quotient, &numerator, &denominator );
  CLMM_REQUIRE( wide_fits( &quotient, 2 ), CLMM_PANIC );
  step->next_price = ( sbf_u128_t ){ quotient.w[0], quotient.w[1] };
  return 0;
}

SBF_FUNCTION uint64_t clmm_price_after_1( clmm_step_t * step, uint64_t amount ) {
  sbf_u128_t scaled = { 0, amount }, delta, rest;
  step->next_price  = step->price;
  if( !amount ) return 0;
  sbf_u128_div( &delta, &rest, &scaled, &step->liquidity );
  if( step->exact_in ) {
    step->next_price = sbf_u128_add( step->price, delta );
    return sbf_u128_less( step->next_price, delta ) ? CLMM_PANIC : 0;
  }
  if( !sbf_u128_zero( rest ) ) delta = sbf_u128_add( delta, sbf_u128( 1 ) );
  CLMM_REQUIRE( !sbf_u128_less( step->price, delta ), CLMM_PANIC );
  step->next_price = sbf_u128_sub( step->price, delta );
  return 0;
}

/* clmm_step_fee finds the fee of the step's amounts; one that is paid in the token that goes out comes off it. */
SBF_FUNCTION uint64_t clmm_step_fee( clmm_step_t * step, bool whole ) {
  uint64_t rate = step->fee_rate, left = CLMM_FEE_RATE_OF - rate;
  if( step->fee_on_input ) {
    if( !step->exact_in && step->amount_out > step->amount ) step->amount_out = step->amount;
    if( !step->exact_in || whole ) return clmm_share( &step->fee, step->amount_in, rate, left, true );
    CLMM_REQUIRE( step->amount >= step->amount_in, CLMM_OVERFLOW );
    step->fee = step->amount - step->amount_in;
    return 0;
  }
  SBF_TRY( clmm_share( &step->fee, step->amount_out, rate, CLMM_FEE_RATE_OF, true ) );
  CLMM_REQUIRE( step->amount_out >= step->fee, CLMM_OVERFLOW );
  if( !step->exact_in && step->amount_out - step->fee > step->amount ) step->fee = step->amount_out - step->amount;
  step->amount_out -= step->fee;
  return 0;
}

/* clmm_step fills what the step gives: towards step->target, as far as step->amount reaches. */
SBF_FUNCTION uint64_t clmm_step( clmm_step_t * step ) {
  uint64_t usable = step->amount, fixed, rate = step->fee_rate;
  if( step->exact_in && step->fee_on_input )
    SBF_TRY( clmm_share( &usable, step->amount, CLMM_FEE_RATE_OF - rate, CLMM_FEE_RATE_OF, false ) );
  if( !step->exact_in && !step->fee_on_input )
    SBF_TRY( clmm_share( &usable, step->amount, CLMM_FEE_RATE_OF, CLMM_FEE_RATE_OF - rate, true ) );
  uint64_t code = clmm_delta( &fixed, step, &step->target, step->exact_in );
  CLMM_REQUIRE( !code || code == CLMM_TOKEN_OVERFLOW, code );
  if( !code && usable >= fixed ) {
    step->next_price = step->target;
  } else {
    CLMM_REQUIRE( !sbf_u128_zero( step->liquidity ), CLMM_PANIC );
    if( step->a_to_b == step->exact_in ) {
      SBF_TRY( clmm_price_after_0( step, usable ) );
    } else {
      SBF_TRY( clmm_price_after_1( step, usable ) );
    }
  }
  bool beyond =
      step->a_to_b ? sbf_u128_less( step->next_price, step->target ) : sbf_u128_less( step->target, step->next_price );
  CLMM_REQUIRE( !beyond, CLMM_LESS );
  bool whole       = sbf_u128_equal( step->next_price, step->target );
  step->amount_in  = fixed; /* 0 where the whole way has no 64 bits but rounding ends there */
  step->amount_out = fixed;
  if( !( whole && step->exact_in ) ) SBF_TRY( clmm_delta( &step->amount_in, step, &step->next_price, true ) );
  if( !( whole && !step->exact_in ) ) SBF_TRY( clmm_delta( &step->amount_out, step, &step->next_price, false ) );
  return clmm_step_fee( step, whole );
}

/* ---- limit orders ------------------------------------------------------------------------------------ */

typedef struct clmm_match {
  /* what is asked: of the swap's amount, and of the orders that wait at the tick */
  uint64_t amount, waiting, fee_rate;
  bool exact_in, a_to_b, fee_on_input;
  sbf_u128_t price; /* of token 0 in token 1, Q64.64: set by clmm_match_price */
  /* what it gives; amount_out before a fee on it */
  uint64_t amount_in, amount_out, fee;
} clmm_match_t;

/* clmm_match_price squares a square-root price, rounded against the swap. */
SBF_FUNCTION uint64_t clmm_match_price( clmm_match_t * match, sbf_u128_t const * sqrt_price ) {
  wide_t square;
  wide_mul( &square, sqrt_price, sqrt_price );
  match->price = ( sbf_u128_t ){ square.w[1], square.w[2] };
  CLMM_REQUIRE( wide_fits( &square, 3 ), CLMM_OVERFLOW );
  if( match->a_to_b || !square.w[0] ) return 0;
  match->price = sbf_u128_add( match->price, sbf_u128( 1 ) );
  return sbf_u128_zero( match->price ) ? CLMM_OVERFLOW : 0;
}

/* clmm_convert sets *result to amount*price, or amount/price, in full. */
SBF_FUNCTION void clmm_convert( sbf_u128_t * result, clmm_match_t const * match, uint64_t amount, bool times,
                                bool round_up ) {
  sbf_u128_t factor = sbf_u128( amount ), scaled = { 0, amount }, rest;
  if( times ) {
    wide_t product;
    wide_mul( &product, &match->price, &factor );
    *result = ( sbf_u128_t ){ product.w[1], product.w[2] };
    rest    = sbf_u128( product.w[0] );
  } else {
    sbf_u128_div( result, &rest, &scaled, &match->price );
  }
  if( round_up && !sbf_u128_zero( rest ) ) *result = sbf_u128_add( *result, sbf_u128( 1 ) );
}

/* clmm_match_input finds what comes in for match->amount_out, and the fee on it. */
SBF_FUNCTION uint64_t clmm_match_input( clmm_match_t * match ) {
  sbf_u128_t in, fee;
  clmm_convert( &in, match, match->amount_out, !match->a_to_b, true );
  CLMM_REQUIRE( !in.hi, CLMM_OVERFLOW );
  match->amount_in = in.lo;
  if( !match->fee_on_input ) return 0;
  CLMM_REQUIRE( match->fee_rate < CLMM_FEE_RATE_OF, CLMM_PANIC );
  sbf_mul_div( &fee, in.lo, match->fee_rate, CLMM_FEE_RATE_OF - match->fee_rate, true );
  match->fee = fee.lo;
  return fee.hi ? CLMM_OVERFLOW : 0;
}

/* clmm_match finds what a swap takes of the orders at a tick. */
SBF_FUNCTION uint64_t clmm_match( clmm_match_t * match ) {
  uint64_t rate = match->fee_rate;
  sbf_u128_t out;
  match->fee = 0;
  if( match->exact_in ) {
    if( match->fee_on_input ) SBF_TRY( clmm_share( &match->fee, match->amount, rate, CLMM_FEE_RATE_OF, true ) );
    CLMM_REQUIRE( match->fee <= match->amount, CLMM_PANIC );
    match->amount_in = match->amount - match->fee;
    clmm_convert( &out, match, match->amount_in, match->a_to_b, false );
    match->amount_out = out.lo;
    if( !out.hi && out.lo <= match->waiting ) return 0;
    match->amount_out = match->waiting;
    return clmm_match_input( match );
  }
  match->amount_out = match->amount < match->waiting ? match->amount : match->waiting;
  if( !match->fee_on_input ) {
    CLMM_REQUIRE( rate < CLMM_FEE_RATE_OF, CLMM_PANIC );
    sbf_mul_div( &out, match->amount_out, CLMM_FEE_RATE_OF, CLMM_FEE_RATE_OF - rate, true );
    CLMM_REQUIRE( !out.hi, CLMM_OVERFLOW );
    match->amount_out = out.lo < match->waiting ? out.lo : match->waiting;
  }
  return clmm_match_input( match );
}

#endif
