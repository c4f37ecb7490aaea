/* meteora_damm_v2_math.h: what a swap of Meteora DAMM v2 moves, and how it leaves the pool.

   Between its two prices a pool has constant liquidity L, P being the square root of b per a in Q64.64:

     in a:  P' = ceil( L*P / (L + in*P) )      out = floor( L*(P-P') / 2^128 )
     in b:  P' = P + floor( in*2^128 / L )     out = floor( L*(P'-P) / (P*P') )
     out b: P' = P - ceil( out*2^128 / L )     in  = ceil( L*(P-P') / (P'*P) )
     out a: P' = ceil( L*P / (L - out*P) )     in  = ceil( L*(P'-P) / 2^128 )

   A compounding pool trades x*y on its two reserves.

   Sources: MeteoraAg/damm-v2 liquidity_handler/{concentrated,compounding}_liquidity.rs, state/pool.rs,
   instructions/swap/{swap_exact_in,swap_partial_fill,swap_exact_out}.rs. */

#ifndef SF_SBF_METEORA_DAMM_V2_MATH_H
#define SF_SBF_METEORA_DAMM_V2_MATH_H

#include "sbf/meteora_damm_v2_fee.h"

/* ---- the curve -------------------------------------------------------------------------------------- */

/* damm_delta_a sets *amount to L*(high-low)/(low*high), not necessarily of 64 bits. */
SBF_FUNCTION void damm_delta_a( wide_t * amount, damm_swap_t const * s, sbf_u128_t const * low, sbf_u128_t const * high,
                                bool round_up ) {
  sbf_u128_t apart = sbf_u128_sub( *high, *low );
  wide_t product, divisor;
  wide_mul( &product, &s->liquidity, &apart );
  wide_mul( &divisor, low, high );
  SBF_REQUIRE( wide_length( &divisor ), "assertion failed: denominator > U256::ZERO" );
  if( round_up ) wide_div_up( amount, &product, &divisor );
  else wide_div( amount, &product, &divisor );
}

/* damm_delta_b sets *amount to L*(high-low)/2^128. */
SBF_FUNCTION void damm_delta_b( wide_t * amount, damm_swap_t const * s, sbf_u128_t const * low, sbf_u128_t const * high,
                                bool round_up ) {
  sbf_u128_t apart = sbf_u128_sub( *high, *low );
  wide_t product, one = { { round_up, 0, 0, 0, 0 } };
  wide_mul( &product, &s->liquidity, &apart );
  *amount = ( wide_t ){ { product.w[2], product.w[3], 0, 0, 0 } };
  if( product.w[0] | product.w[1] ) wide_add( amount, &one );
}

/* damm_between sets *amount to the token (a or b) between two prices given in any order. */
SBF_FUNCTION uint64_t damm_between( uint64_t * amount, damm_swap_t const * s, bool a, sbf_u128_t const * price,
                                    bool round_up ) {
  bool up               = sbf_u128_less( s->price, *price );
  sbf_u128_t const *low = up ? &s->price : price, *high = up ? price : &s->price;
  wide_t found;
  if( a ) damm_delta_a( &found, s, low, high, round_up );
  else damm_delta_b( &found, s, low, high, round_up );
  DAMM_REQUIRE( wide_fits( &found, 1 ), DAMM_OVERFLOW );
  *amount = found.w[0];
  return 0;
}

/* damm_price_by_a sets *next to ceil( L*P / (L + amount*P) ), or with a minus if the amount goes out. */
SBF_FUNCTION uint64_t damm_price_by_a( sbf_u128_t * next, damm_swap_t const * s, uint64_t amount, bool out ) {
  *next = s->price;
  if( !amount ) return 0;
  wide_t product, divisor, quotient, liquidity = damm_wide( s->liquidity );
  sbf_u128_t wide_amount = sbf_u128( amount );
  wide_mul( &divisor, &s->price, &wide_amount );
  if( out ) {
    DAMM_REQUIRE( wide_less( &divisor, &liquidity ), DAMM_OVERFLOW );
    wide_sub( &liquidity, &divisor );
    divisor = liquidity;
  } else wide_add( &divisor, &liquidity );
  wide_mul( &product, &s->liquidity, &s->price );
  wide_div_up( &quotient, &product, &divisor );
  DAMM_REQUIRE( wide_fits( &quotient, 2 ), DAMM_CAST );
  *next = ( sbf_u128_t ){ quotient.w[0], quotient.w[1] };
  return 0;
}

/* damm_price_by_b sets *next to P + floor( amount*2^128/L ), or P - ceil if the amount goes out. */
SBF_FUNCTION uint64_t damm_price_by_b( sbf_u128_t * next, damm_swap_t const * s, uint64_t amount, bool out ) {
  wide_t moved = { { 0, 0, amount, 0, 0 } }, quotient, divisor = damm_wide( s->liquidity ),
         price = damm_wide( s->price );
  if( out ) {
    wide_div_up( &quotient, &moved, &divisor );
    DAMM_REQUIRE( !wide_less( &price, &quotient ), DAMM_OVERFLOW );
    wide_sub( &price, &quotient );
  } else {
    wide_div( &quotient, &moved, &divisor );
    wide_add( &price, &quotient );
    DAMM_REQUIRE( wide_fits( &price, 2 ), DAMM_CAST );
  }
  *next = ( sbf_u128_t ){ price.w[0], price.w[1] };
  return 0;
}

SBF_FUNCTION uint64_t damm_next_price( damm_swap_t * s, uint64_t amount, bool out ) {
  bool a = s->a_to_b != out; /* which token the amount is of */
  SBF_REQUIRE( !sbf_u128_zero( s->price ), "assertion failed: sqrt_price > 0" );
  SBF_REQUIRE( !sbf_u128_zero( s->liquidity ), "assertion failed: liquidity > 0" );
  return a ? damm_price_by_a( &s->next, s, amount, out ) : damm_price_by_b( &s->next, s, amount, out );
}

SBF_FUNCTION uint64_t damm_check_range( damm_swap_t const * s ) {
  bool beyond = s->a_to_b ? sbf_u128_less( s->next, s->price_min ) : sbf_u128_less( s->price_max, s->next );
  return beyond ? DAMM_RANGE : 0;
}

/* damm_room sets *room to what goes in until the end of the range. */
SBF_FUNCTION void damm_room( wide_t * room, damm_swap_t const * s ) {
  if( s->a_to_b ) damm_delta_a( room, s, &s->price_min, &s->price, true );
  else damm_delta_b( room, s, &s->price, &s->price_max, true );
}

/* damm_give puts s->given into the curve and sets s->taken, s->next and, for a partial fill, s->left. */
SBF_FUNCTION uint64_t damm_give( damm_swap_t * s ) {
  if( s->pool[DAMM_COLLECT] == DAMM_COLLECT_COMPOUNDING ) {
    uint64_t x = s->reserve[!s->a_to_b], y = s->reserve[s->a_to_b];
    DAMM_REQUIRE( x + s->given >= x && x + s->given, DAMM_OVERFLOW );
    return damm_scaled( &s->taken, y, s->given, x + s->given );
  }
  bool whole = true;
  if( s->mode == DAMM_PARTIAL ) {
    wide_t room, given = damm_wide( sbf_u128( s->given ) );
    damm_room( &room, s );
    whole = wide_less( &given, &room );
    if( !whole ) {
      s->left  = s->given - room.w[0];
      s->given = room.w[0];
      s->next  = s->a_to_b ? s->price_min : s->price_max;
    }
  }
  if( whole ) {
    DAMM_TRY( damm_next_price( s, s->given, false ) );
    if( s->mode != DAMM_PARTIAL ) DAMM_TRY( damm_check_range( s ) );
  }
  return damm_between( &s->taken, s, !s->a_to_b, &s->next, false );
}

/* damm_take takes s->taken out of the curve and sets s->given and s->next. */
SBF_FUNCTION uint64_t damm_take( damm_swap_t * s ) {
  if( s->pool[DAMM_COLLECT] == DAMM_COLLECT_COMPOUNDING ) {
    uint64_t x = s->reserve[!s->a_to_b], y = s->reserve[s->a_to_b];
    DAMM_REQUIRE( s->taken < y, DAMM_OVERFLOW );
    sbf_u128_t given;
    sbf_mul_div( &given, x, s->taken, y - s->taken, true );
    s->given = given.lo;
    return given.hi ? DAMM_CAST : 0;
  }
  DAMM_TRY( damm_next_price( s, s->taken, true ) );
  DAMM_TRY( damm_check_range( s ) );
  return damm_between( &s->given, s, s->a_to_b, &s->next, true );
}

/* ---- the three modes ------------------------------------------------------------------------------------ */

SBF_FUNCTION uint64_t damm_exact_in( damm_swap_t * s ) {
  uint64_t rate, arrives = s->amount - token_fee_of( &s->transfer_in, s->amount );
  DAMM_REQUIRE( arrives, DAMM_ZERO );
  DAMM_TRY( damm_rate( &rate, s, arrives, false ) );
  if( s->fee_on_input ) DAMM_TRY( damm_fee_of( &s->fee, arrives, rate ) );
  s->sent  = s->amount;
  s->paid  = arrives;
  s->given = arrives - s->fee;
  DAMM_TRY( damm_give( s ) );
  if( s->left ) {
    s->paid = s->given;
    if( s->fee_on_input ) {
      uint64_t again;
      DAMM_TRY( damm_rate( &again, s, s->given, true ) );
      DAMM_TRY( damm_before_fee( &s->paid, s->given, again ) );
      s->fee = s->paid - s->given;
    }
  }
  if( !s->fee_on_input ) DAMM_TRY( damm_fee_of( &s->fee, s->taken, rate ) );
  s->output   = s->fee_on_input ? s->taken : s->taken - s->fee;
  s->received = s->output - token_fee_of( &s->transfer_out, s->output );
  return 0;
}

/* damm_added sets *sent to what has to be sent so that `arrives` arrives. */
SBF_FUNCTION uint64_t damm_added( uint64_t * sent, token_fee_t const * rule, uint64_t arrives ) {
  uint64_t fee;
  DAMM_REQUIRE( token_fee_added( &fee, rule, arrives ), DAMM_OVERFLOW );
  *sent = arrives + fee;
  return 0;
}

SBF_FUNCTION uint64_t damm_exact_out( damm_swap_t * s ) {
  uint64_t rate;
  DAMM_REQUIRE( s->amount, DAMM_ZERO );
  s->received = s->amount;
  DAMM_TRY( damm_added( &s->output, &s->transfer_out, s->amount ) );
  s->taken = s->output;
  if( !s->fee_on_input ) {
    DAMM_TRY( damm_rate( &rate, s, s->output, true ) );
    DAMM_TRY( damm_before_fee( &s->taken, s->output, rate ) );
    s->fee = s->taken - s->output;
  }
  DAMM_TRY( damm_take( s ) );
  s->paid = s->given;
  if( s->fee_on_input ) {
    DAMM_TRY( damm_rate( &rate, s, s->given, true ) );
    DAMM_TRY( damm_before_fee( &s->paid, s->given, rate ) );
    s->fee = s->paid - s->given;
  }
  return damm_added( &s->sent, &s->transfer_in, s->paid );
}

/* ---- the pool afterwards ------------------------------------------------------------------------------------ */

SBF_FUNCTION uint64_t damm_split_fee( damm_swap_t * s ) {
  uint8_t const * pool = s->pool;
  uint64_t protocol, referral = 0;
  DAMM_TRY( damm_scaled( &protocol, s->fee, pool[DAMM_PROTOCOL_PERCENT], 100 ) );
  DAMM_REQUIRE( protocol <= s->fee, DAMM_OVERFLOW );
  if( s->referral ) DAMM_TRY( damm_scaled( &referral, protocol, pool[DAMM_REFERRAL_PERCENT], 100 ) );
  DAMM_REQUIRE( referral <= protocol, DAMM_OVERFLOW );
  uint64_t trading = s->fee - protocol;
  DAMM_TRY( damm_scaled( &s->compounding_fee, trading, sbf_u16( pool + DAMM_COMPOUNDING_BPS ), DAMM_BPS ) );
  DAMM_REQUIRE( s->compounding_fee <= trading, DAMM_OVERFLOW );
  s->claiming_fee = trading - s->compounding_fee;
  s->protocol_fee = protocol - referral;
  s->referral_fee = referral;
  return 0;
}

SBF_FUNCTION uint64_t damm_count( uint8_t * counter, uint64_t more ) {
  uint64_t sum = sbf_u64( counter ) + more;
  sbf_put_u64( counter, sum );
  return sum < more ? DAMM_OVERFLOW : 0;
}

/* damm_enter_fees counts the fee, and what of it each unit of liquidity may claim. */
SBF_FUNCTION uint64_t damm_enter_fees( damm_swap_t const * s ) {
  uint64_t b      = !s->fee_on_a;
  uint8_t *claims = s->pool + DAMM_FEE_PER_LIQUIDITY + 32 * b, *total = s->pool + DAMM_TOTAL_LP_FEES + 16 * b;
  wide_t each, claiming = { { 0, 0, s->claiming_fee, 0, 0 } }, divisor = damm_wide( s->liquidity );
  DAMM_REQUIRE( !sbf_u128_zero( s->liquidity ), DAMM_OVERFLOW );
  wide_div( &each, &claiming, &divisor );
  wide_t sum = { { sbf_u64( claims ), sbf_u64( claims + 8 ), sbf_u64( claims + 16 ), sbf_u64( claims + 24 ), 0 } };
  wide_add( &sum, &each );
  DAMM_REQUIRE( wide_fits( &sum, 4 ), DAMM_OVERFLOW );
  for( int i = 0; i < 4; i++ ) sbf_put_u64( claims + 8 * i, sum.w[i] );
  sbf_put_u128( total, sbf_u128_add( sbf_u128_at( total ), sbf_u128( s->claiming_fee ) ) );
  DAMM_TRY( damm_count( s->pool + DAMM_PROTOCOL_FEES + 8 * b, s->protocol_fee ) );
  return damm_count( s->pool + DAMM_TOTAL_PROTOCOL + 8 * b, s->protocol_fee );
}

SBF_FUNCTION uint64_t damm_move_reserves( damm_swap_t * s ) {
  uint64_t *in = &s->reserve[!s->a_to_b], *out = &s->reserve[s->a_to_b];
  DAMM_REQUIRE( *in + s->given >= *in && *out >= s->taken, DAMM_OVERFLOW );
  *in += s->given;
  *out -= s->taken;
  DAMM_REQUIRE( s->reserve[1] + s->compounding_fee >= s->compounding_fee, DAMM_OVERFLOW );
  s->reserve[1] += s->compounding_fee;
  sbf_put_u64( s->pool + DAMM_RESERVES, s->reserve[0] );
  sbf_put_u64( s->pool + DAMM_RESERVES + 8, s->reserve[1] );
  if( s->pool[DAMM_COLLECT] != DAMM_COLLECT_COMPOUNDING ) return 0;
  wide_t quotient, price = { { 0, 0, s->reserve[1], 0, 0 } }, divisor = damm_wide( sbf_u128( s->reserve[0] ) );
  DAMM_REQUIRE( s->reserve[0], DAMM_OVERFLOW );
  wide_div( &quotient, &price, &divisor );
  damm_root( &s->next, &quotient );
  return 0;
}

/* damm_open reads the pool and makes it ready for the swap: reserves that older accounts do not keep,
   and volatility aged. */
SBF_FUNCTION uint64_t damm_open( damm_swap_t * s ) {
  uint8_t * pool   = s->pool;
  uint64_t collect = pool[DAMM_COLLECT];
  DAMM_REQUIRE( collect <= DAMM_COLLECT_COMPOUNDING, DAMM_COLLECT_MODE );
  s->fee_on_input = collect != DAMM_COLLECT_BOTH && !s->a_to_b;
  s->fee_on_a     = collect == DAMM_COLLECT_BOTH && !s->a_to_b;
  s->liquidity    = sbf_u128_at( pool + DAMM_LIQUIDITY );
  s->price        = sbf_u128_at( pool + DAMM_PRICE );
  s->price_min    = sbf_u128_at( pool + DAMM_PRICE_MIN );
  s->price_max    = sbf_u128_at( pool + DAMM_PRICE_MAX );
  s->next         = s->price;
  if( collect != DAMM_COLLECT_COMPOUNDING && !pool[DAMM_LAYOUT] ) {
    DAMM_TRY( damm_between( &s->reserve[0], s, true, &s->price_max, true ) );
    DAMM_TRY( damm_between( &s->reserve[1], s, false, &s->price_min, true ) );
    pool[DAMM_LAYOUT] = 1;
  } else {
    s->reserve[0] = sbf_u64( pool + DAMM_RESERVES );
    s->reserve[1] = sbf_u64( pool + DAMM_RESERVES + 8 );
  }
  return pool[DAMM_DYNAMIC] ? damm_references( s ) : 0;
}

/* damm_run does the whole swap on the pool's bytes. */
SBF_FUNCTION uint64_t damm_run( damm_swap_t * s ) {
  DAMM_TRY( damm_open( s ) );
  DAMM_TRY( s->mode == DAMM_EXACT_OUT ? damm_exact_out( s ) : damm_exact_in( s ) );
  if( s->mode == DAMM_PARTIAL ) DAMM_TRY( damm_added( &s->sent, &s->transfer_in, s->paid ) );
  DAMM_TRY( damm_split_fee( s ) );
  DAMM_TRY( damm_enter_fees( s ) );
  DAMM_TRY( damm_move_reserves( s ) );
  sbf_put_u128( s->pool + DAMM_PRICE, s->next );
  return s->pool[DAMM_DYNAMIC] ? damm_accumulate( s, &s->price ) : 0;
}

/* damm_is_open says whether the pool lets swaps in. */
SBF_FUNCTION bool damm_is_open( damm_swap_t const * s ) {
  return !s->pool[DAMM_STATUS] && s->point >= sbf_u64( s->pool + DAMM_ACTIVATION );
}

#endif
