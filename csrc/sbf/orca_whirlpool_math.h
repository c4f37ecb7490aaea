/* orca_whirlpool_math.h is the arithmetic of a Whirlpool swap: prices of ticks, amounts between prices, one
   step at constant liquidity.  It uses nothing but integers, so it also compiles natively.  Functions
   return 0 or the program's error number.

   Source: orca-so/whirlpools math/{tick_math,token_math,swap_math,bit_math,liquidity_math}.rs. */

#ifndef SF_SBF_ORCA_WHIRLPOOL_MATH_H
#define SF_SBF_ORCA_WHIRLPOOL_MATH_H

#include "sbf/ticks.h"

#define WHIRLPOOL_FEE_RATE_OF 1000000UL
#define WHIRLPOOL_PANIC       UINT64_MAX /* not an error number: the program stops */

static sbf_u128_t const WHIRLPOOL_PRICE_MIN = { 4295048016UL, 0 };
static sbf_u128_t const WHIRLPOOL_PRICE_MAX = { 0x35bb7f32a81b33afUL, 0xfffec4b1UL }; /* of TICK_MAX */

enum {
  WHIRLPOOL_DIVIDE_BY_ZERO          = 6006,
  WHIRLPOOL_NUMBER_CAST             = 6007,
  WHIRLPOOL_NUMBER_DOWN_CAST        = 6008,
  WHIRLPOOL_PRICE_OUT_OF_BOUNDS     = 6011,
  WHIRLPOOL_LIQUIDITY_OVERFLOW      = 6014,
  WHIRLPOOL_LIQUIDITY_UNDERFLOW     = 6015,
  WHIRLPOOL_TOKEN_MAX_EXCEEDED      = 6017,
  WHIRLPOOL_TOKEN_MIN_SUBCEEDED     = 6018,
  WHIRLPOOL_MULTIPLY_SHIFT_OVERFLOW = 6030,
  WHIRLPOOL_MULTIPLICATION_OVERFLOW = 6033,
};

/* ---- prices of ticks ------------------------------------------------------------------------------ */

/* 1/1.0001^(2^i/2), Q0.64. */
static uint64_t const WHIRLPOOL_DOWN[19] = {
  18445821805675392311UL, 18444899583751176498UL, 18443055278223354162UL, 18439367220385604838UL,
  18431993317065449817UL, 18417254355718160513UL, 18387811781193591352UL, 18329067761203520168UL,
  18212142134806087854UL, 17980523815641551639UL, 17526086738831147013UL, 16651378430235024244UL,
  15030750278693429944UL, 12247334978882834399UL, 8131365268884726200UL,  3584323654723342297UL,
  696457651847595233UL,   26294789957452057UL,    37481735321082UL,
};

/* 1.0001^(2^i/2), Q32.96. */
static sbf_u128_t const WHIRLPOOL_UP[19] = {
  { 0xff11672ae55ad00fUL, 0x1000346d6UL },     { 0xbac710cb295e9e1bUL, 0x100068db8UL },
  { 0x68abe5f76b30fb75UL, 0x1000d1b9cUL },     { 0xa234cb0830516e51UL, 0x1001a37e4UL },
  { 0xab0e92ada25ab460UL, 0x100347278UL },     { 0x0a525480a5d7fdc2UL, 0x10068efb0UL },
  { 0xb4173839df9daaa5UL, 0x100d20a63UL },     { 0x742dd7729738df5eUL, 0x101a4c11cUL },
  { 0x1f64cfa6dc0d6de4UL, 0x1034c35c3UL },     { 0xc8aaffbf81bed5a3UL, 0x106a34b78UL },
  { 0x6ccd8bce9ae771b1UL, 0x10d72a6a4UL },     { 0x63928596dc757faaUL, 0x11b9a258eUL },
  { 0x04f8379f3cd17be5UL, 0x13a2e2bdaUL },     { 0x9e0da8fe77f2ab42UL, 0x181954be6UL },
  { 0x185a029080252877UL, 0x244c2655dUL },     { 0x9f935b1c616779e8UL, 0x525816eebUL },
  { 0x51684ff4d31ae065UL, 0x1a7c8d00b5UL },    { 0xf7c97884590c66cdUL, 0x2bd893d0b2dUL },
  { 0x8cf8b95d2152dccfUL, 0x78278e1e19e44UL },
};

SBF_FUNCTION void whirlpool_price_of( sbf_u128_t * price, int64_t tick ) {
  if( tick < 0 ) {
    tick_power( price, (uint64_t)-tick, WHIRLPOOL_DOWN );
    return;
  }
  sbf_u128_t ratio = { 0, 1UL << 32 };
  for( uint64_t i = 0, rest = (uint64_t)tick; rest; i++, rest >>= 1 ) {
    if( !( rest & 1 ) ) continue;
    wide_t product;
    wide_mul( &product, &ratio, &WHIRLPOOL_UP[i] );
    ratio.lo = ( product.w[1] >> 32 ) | ( product.w[2] << 32 );
    ratio.hi = ( product.w[2] >> 32 ) | ( product.w[3] << 32 );
  }
  *price = ( sbf_u128_t ){ ( ratio.lo >> 32 ) | ( ratio.hi << 32 ), ratio.hi >> 32 };
}

SBF_FUNCTION int64_t whirlpool_tick_at( sbf_u128_t const * price ) { return tick_at( price, 14, whirlpool_price_of ); }

/* ---- one step at constant liquidity ----------------------------------------------------------------- */

typedef struct whirlpool_step {
  /* what is asked */
  sbf_u128_t liquidity, price, target;
  uint64_t amount, fee_rate;
  bool exact_in, a_to_b;
  /* what it gives */
  sbf_u128_t next_price;
  uint64_t amount_in, amount_out, fee;
} whirlpool_step_t;

/* An amount between two prices, and the error that says why it has no 64 bits. */
typedef struct whirlpool_delta {
  uint64_t amount, exceeds;
} whirlpool_delta_t;

/* whirlpool_difference sets *product to liquidity times what lies between step->price and `to`. */
SBF_FUNCTION void whirlpool_difference( wide_t * product, whirlpool_step_t const * step, sbf_u128_t const * to ) {
  bool below            = sbf_u128_less( *to, step->price );
  sbf_u128_t difference = below ? sbf_u128_sub( step->price, *to ) : sbf_u128_sub( *to, step->price );
  wide_mul( product, &step->liquidity, &difference );
}

/* whirlpool_delta_a finds what of token a lies between step->price and `to`. */
SBF_FUNCTION uint64_t whirlpool_delta_a( whirlpool_delta_t * delta, whirlpool_step_t const * step,
                                         sbf_u128_t const * to, bool round_up ) {
  wide_t numerator, denominator, quotient;
  *delta = ( whirlpool_delta_t ){ 0, 0 };
  whirlpool_difference( &numerator, step, to );
  if( !wide_fits( &numerator, 3 ) ) return WHIRLPOOL_MULTIPLICATION_OVERFLOW;
  wide_shift_word( &numerator );
  wide_mul( &denominator, &step->price, to );
  if( !wide_length( &denominator ) ) return WHIRLPOOL_PANIC;
  if( round_up ) {
    wide_div_up( &quotient, &numerator, &denominator );
  } else {
    wide_div( &quotient, &numerator, &denominator );
  }
  delta->amount = quotient.w[0];
  if( !wide_fits( &quotient, 1 ) )
    delta->exceeds = wide_fits( &quotient, 2 ) ? WHIRLPOOL_TOKEN_MAX_EXCEEDED : WHIRLPOOL_NUMBER_DOWN_CAST;
  return 0;
}

/* whirlpool_delta_b finds what of token b lies there. */
SBF_FUNCTION uint64_t whirlpool_delta_b( whirlpool_delta_t * delta, whirlpool_step_t const * step,
                                         sbf_u128_t const * to, bool round_up ) {
  wide_t product;
  whirlpool_difference( &product, step, to );
  bool up = round_up && product.w[0];
  *delta  = ( whirlpool_delta_t ){ product.w[1] + up, 0 };
  if( !wide_fits( &product, 2 ) ) {
    delta->exceeds = WHIRLPOOL_MULTIPLY_SHIFT_OVERFLOW;
  } else if( up && !delta->amount ) {
    delta->exceeds = WHIRLPOOL_MULTIPLICATION_OVERFLOW;
  }
  return 0;
}

/* whirlpool_fixed finds the amount, between step->price and `to`, of the token whose amount the swap names;
   whirlpool_unfixed that of the other. */
SBF_FUNCTION uint64_t whirlpool_fixed( whirlpool_delta_t * delta, whirlpool_step_t const * step,
                                       sbf_u128_t const * to ) {
  bool a = step->a_to_b == step->exact_in;
  return a ? whirlpool_delta_a( delta, step, to, step->exact_in )
           : whirlpool_delta_b( delta, step, to, step->exact_in );
}

SBF_FUNCTION uint64_t whirlpool_unfixed( whirlpool_delta_t * delta, whirlpool_step_t const * step,
                                         sbf_u128_t const * to ) {
  bool b = step->a_to_b == step->exact_in;
  return b ? whirlpool_delta_b( delta, step, to, !step->exact_in )
           : whirlpool_delta_a( delta, step, to, !step->exact_in );
}

/* whirlpool_price_after_a sets step->next_price to where `amount` of token a brings the price. */
SBF_FUNCTION uint64_t whirlpool_price_after_a( whirlpool_step_t * step, uint64_t amount ) {
  wide_t numerator, product, denominator = { { 0, step->liquidity.lo, step->liquidity.hi, 0, 0 } }, quotient;
  step->next_price = step->price;
  if( !amount ) return 0;
  sbf_u128_t factor = sbf_u128( amount );
  wide_mul( &product, &step->price, &factor );
  wide_mul( &numerator, &step->liquidity, &step->price );
  if( !wide_fits( &numerator, 3 ) ) return WHIRLPOOL_MULTIPLICATION_OVERFLOW;
  wide_shift_word( &numerator );
  if( step->exact_in ) {
    wide_add( &denominator, &product );
  } else {
    if( !wide_less( &product, &denominator ) ) return WHIRLPOOL_DIVIDE_BY_ZERO;
    wide_sub( &denominator, &product );
  }
  wide_div_up( &quotient, &numerator, &denominator );
  if( !wide_fits( &quotient, 2 ) ) return WHIRLPOOL_NUMBER_DOWN_CAST;
  step->next_price = ( sbf_u128_t ){ quotient.w[0], quotient.w[1] };
  if( sbf_u128_less( step->next_price, WHIRLPOOL_PRICE_MIN ) ) return WHIRLPOOL_TOKEN_MIN_SUBCEEDED;
  if( sbf_u128_less( WHIRLPOOL_PRICE_MAX, step->next_price ) ) return WHIRLPOOL_TOKEN_MAX_EXCEEDED;
  return 0;
}

SBF_FUNCTION uint64_t whirlpool_price_after_b( whirlpool_step_t * step, uint64_t amount ) {
  sbf_u128_t scaled = { 0, amount }, delta, rest;
  if( sbf_u128_zero( step->liquidity ) ) return WHIRLPOOL_DIVIDE_BY_ZERO;
  sbf_u128_div( &delta, &rest, &scaled, &step->liquidity );
  if( step->exact_in ) {
    step->next_price = sbf_u128_add( step->price, delta );
    return sbf_u128_less( step->next_price, delta ) ? WHIRLPOOL_PRICE_OUT_OF_BOUNDS : 0;
  }
  if( !sbf_u128_zero( rest ) ) delta = sbf_u128_add( delta, sbf_u128( 1 ) );
  if( sbf_u128_less( step->price, delta ) ) return WHIRLPOOL_PRICE_OUT_OF_BOUNDS;
  step->next_price = sbf_u128_sub( step->price, delta );
  return 0;
}

/* whirlpool_step fills what the step gives: towards step->target, as far as step->amount reaches. */
SBF_FUNCTION uint64_t whirlpool_step( whirlpool_step_t * step ) {
  whirlpool_delta_t fixed, unfixed;
  sbf_u128_t usable = sbf_u128( step->amount ), fee;
  SBF_TRY( whirlpool_fixed( &fixed, step, &step->target ) );
  if( step->exact_in )
    sbf_mul_div( &usable, step->amount, WHIRLPOOL_FEE_RATE_OF - step->fee_rate, WHIRLPOOL_FEE_RATE_OF, false );
  if( !fixed.exceeds && usable.lo >= fixed.amount ) {
    step->next_price = step->target;
  } else if( step->a_to_b == step->exact_in ) {
    SBF_TRY( whirlpool_price_after_a( step, usable.lo ) );
  } else {
    SBF_TRY( whirlpool_price_after_b( step, usable.lo ) );
  }
  bool whole = sbf_u128_equal( step->next_price, step->target );
  SBF_TRY( whirlpool_unfixed( &unfixed, step, &step->next_price ) );
  if( unfixed.exceeds ) return unfixed.exceeds;
  if( !whole || fixed.exceeds ) {
    SBF_TRY( whirlpool_fixed( &fixed, step, &step->next_price ) );
    if( fixed.exceeds ) return fixed.exceeds;
  }
  step->amount_in  = step->exact_in ? fixed.amount : unfixed.amount;
  step->amount_out = step->exact_in ? unfixed.amount : fixed.amount;
  if( !step->exact_in && step->amount_out > step->amount ) step->amount_out = step->amount;
  if( step->exact_in && !whole ) {
    if( step->amount < step->amount_in ) return WHIRLPOOL_PANIC;
    step->fee = step->amount - step->amount_in;
    return 0;
  }
  sbf_mul_div( &fee, step->amount_in, step->fee_rate, WHIRLPOOL_FEE_RATE_OF - step->fee_rate, true );
  step->fee = fee.lo;
  return fee.hi ? WHIRLPOOL_NUMBER_CAST : 0;
}

/* whirlpool_add_liquidity adds a tick's net liquidity, or takes it off where the swap goes down. */
SBF_FUNCTION uint64_t whirlpool_add_liquidity( sbf_u128_t * liquidity, uint8_t const * net, bool negate ) {
  sbf_u128_t change = sbf_u128_at( net ), before = *liquidity;
  if( negate ) change = sbf_u128_negated( change );
  *liquidity = sbf_u128_add( before, change );
  if( change.hi >> 63 ) {
    change = sbf_u128_negated( change );
    return sbf_u128_less( before, change ) ? WHIRLPOOL_LIQUIDITY_UNDERFLOW : 0;
  }
  return sbf_u128_less( *liquidity, before ) ? WHIRLPOOL_LIQUIDITY_OVERFLOW : 0;
}

#endif
