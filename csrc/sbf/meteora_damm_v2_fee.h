/* meteora_damm_v2_fee.h: the rate that a swap of Meteora DAMM v2 pays, and what volatility does to it.

   Sources: MeteoraAg/damm-v2 base_fee/{fee_time_scheduler,fee_market_cap_scheduler,fee_rate_limiter}.rs,
   math/fee_math.rs, state/fee.rs. */

#ifndef SF_SBF_METEORA_DAMM_V2_FEE_H
#define SF_SBF_METEORA_DAMM_V2_FEE_H

#include "sbf/meteora_damm_v2_pool.h"

enum { DAMM_BY_TIME, DAMM_BY_TIME_EXPONENTIAL, DAMM_LIMITER, DAMM_BY_PRICE, DAMM_BY_PRICE_EXPONENTIAL };

/* ---- fees of a rate ------------------------------------------------------------------------------- */

/* damm_fee_of sets *fee to what is taken of `amount`, rounded up. */
SBF_FUNCTION uint64_t damm_fee_of( uint64_t * fee, uint64_t amount, uint64_t rate ) {
  sbf_u128_t taken;
  sbf_mul_div( &taken, amount, rate, DAMM_RATE_ONE, true );
  DAMM_REQUIRE( !taken.hi, DAMM_CAST );
  DAMM_REQUIRE( taken.lo <= amount, DAMM_OVERFLOW );
  *fee = taken.lo;
  return 0;
}

/* damm_before_fee sets *before to the least amount of which `left` is left. */
SBF_FUNCTION uint64_t damm_before_fee( uint64_t * before, uint64_t left, uint64_t rate ) {
  DAMM_REQUIRE( rate < DAMM_RATE_ONE, DAMM_OVERFLOW );
  sbf_u128_t gross;
  sbf_mul_div( &gross, left, DAMM_RATE_ONE, DAMM_RATE_ONE - rate, true );
  *before = gross.lo;
  return gross.hi ? DAMM_CAST : 0;
}

/* ---- schedules -------------------------------------------------------------------------------------- */

/* damm_power_fee sets *rate to ceil( cliff * (1 - reduction/10^4)^periods ), the power in Q64.64. */
SBF_FUNCTION uint64_t damm_power_fee( uint64_t * rate, uint64_t cliff, uint64_t reduction, uint64_t periods ) {
  *rate = cliff;
  if( !reduction ) return 0;
  DAMM_REQUIRE( reduction <= DAMM_BPS, DAMM_OVERFLOW );
  sbf_u128_t off, power = { 0, 1 }, product;
  sbf_mul_div( &off, reduction, 1UL << 32, DAMM_BPS, false );
  /* reduction*2^64/10^4 in two steps of 32 bits */
  uint64_t rest = ( reduction << 32 ) - off.lo * DAMM_BPS;
  off           = ( sbf_u128_t ){ ( off.lo << 32 ) + ( rest << 32 ) / DAMM_BPS, off.lo >> 32 };
  DAMM_REQUIRE( !off.hi || !off.lo, DAMM_OVERFLOW );
  uint64_t base = off.hi ? 0 : -off.lo; /* below one */
  for( ; periods; periods >>= 1 ) {
    if( periods & 1 ) {
      if( power.hi ) power = sbf_u128( base );
      else {
        sbf_mul64( &product, power.lo, base );
        power = sbf_u128( product.hi );
      }
    }
    sbf_mul64( &product, base, base );
    base = product.hi;
  }
  DAMM_REQUIRE( power.lo || power.hi, DAMM_OVERFLOW );
  if( power.hi ) return 0;
  sbf_mul64( &product, power.lo, cliff );
  *rate = product.hi + ( product.lo != 0 );
  return 0;
}

SBF_FUNCTION uint64_t damm_scheduled( uint64_t * rate, uint8_t const * pool, uint64_t periods ) {
  uint64_t most = sbf_u16( pool + DAMM_PERIODS ), mode = pool[DAMM_BASE_MODE];
  uint64_t cliff = sbf_u64( pool + DAMM_CLIFF ), reduction = sbf_u64( pool + DAMM_REDUCTION );
  if( periods > most ) periods = most;
  if( mode == DAMM_BY_TIME_EXPONENTIAL || mode == DAMM_BY_PRICE_EXPONENTIAL )
    return damm_power_fee( rate, cliff, reduction, periods );
  sbf_u128_t off;
  sbf_mul64( &off, reduction, periods );
  DAMM_REQUIRE( !off.hi && off.lo <= cliff, DAMM_OVERFLOW );
  *rate = cliff - off.lo;
  return 0;
}

SBF_FUNCTION uint64_t damm_by_time( uint64_t * rate, damm_swap_t const * s ) {
  uint64_t period = sbf_u64( s->pool + DAMM_PERIOD ), start = sbf_u64( s->pool + DAMM_ACTIVATION );
  if( !period ) {
    *rate = sbf_u64( s->pool + DAMM_CLIFF );
    return 0;
  }
  return damm_scheduled( rate, s->pool, s->point < start ? UINT64_MAX : ( s->point - start ) / period );
}

SBF_FUNCTION uint64_t damm_by_price( uint64_t * rate, damm_swap_t const * s ) {
  uint8_t const * pool = s->pool;
  uint64_t start = sbf_u64( pool + DAMM_ACTIVATION ), end = start + damm_u32( pool + DAMM_PERIOD + 4 );
  DAMM_REQUIRE( end >= start, DAMM_OVERFLOW );
  if( s->point > end || s->point < start ) return damm_scheduled( rate, pool, UINT64_MAX );
  sbf_u128_t first = sbf_u128_at( pool + DAMM_START_PRICE );
  if( !sbf_u128_less( first, s->price ) ) return damm_scheduled( rate, pool, 0 );
  DAMM_REQUIRE( !sbf_u128_zero( first ), DAMM_OVERFLOW );
  sbf_u128_t moved = sbf_u128_sub( s->price, first ), bps = sbf_u128( DAMM_BPS );
  wide_t product, quotient, divisor = damm_wide( first );
  wide_mul( &product, &moved, &bps );
  wide_div( &quotient, &product, &divisor );
  product = quotient;
  divisor = damm_wide( sbf_u128( damm_u32( pool + DAMM_PERIOD ) ) );
  DAMM_REQUIRE( divisor.w[0], DAMM_OVERFLOW );
  wide_div( &quotient, &product, &divisor );
  return damm_scheduled( rate, pool, wide_fits( &quotient, 1 ) ? quotient.w[0] : UINT64_MAX );
}

/* ---- the limiter ---------------------------------------------------------------------------------------

   The first `unit` of an amount pays the cliff rate, each further unit one increment more, up to `most`,
   which all the rest pays.  The whole amount pays the rate that makes the same fee, rounded up. */

typedef struct damm_limiter {
  uint64_t cliff, increment, unit, most;
  uint64_t steps; /* until `most` */
} damm_limiter_t;

SBF_FUNCTION uint64_t damm_limiter_read( damm_limiter_t * l, uint8_t const * pool ) {
  l->cliff     = sbf_u64( pool + DAMM_CLIFF );
  l->increment = sbf_u16( pool + DAMM_PERIODS ) * DAMM_RATE_BPS;
  l->unit      = sbf_u64( pool + DAMM_REDUCTION );
  l->most      = damm_u32( pool + DAMM_PERIOD + 4 ) * DAMM_RATE_BPS;
  DAMM_REQUIRE( l->most >= l->cliff && l->increment && l->unit, DAMM_OVERFLOW );
  l->steps = ( l->most - l->cliff ) / l->increment;
  return 0;
}

/* damm_limiter_rate sets *rate to that of a whole amount. */
SBF_FUNCTION uint64_t damm_limiter_rate( uint64_t * rate, damm_limiter_t const * l, uint64_t amount ) {
  *rate = l->cliff;
  if( amount <= l->unit ) return 0;
  uint64_t whole = ( amount - l->unit ) / l->unit, rest = ( amount - l->unit ) % l->unit;
  uint64_t n     = whole < l->steps ? whole : l->steps;
  uint64_t units = l->cliff + l->cliff * n + l->increment * n * ( n + 1 ) / 2; /* below 2^53 */
  sbf_u128_t first, second, one = sbf_u128( DAMM_RATE_ONE ), left;
  sbf_mul64( &first, l->unit, units );
  if( whole < l->steps ) sbf_mul64( &second, rest, l->cliff + l->increment * ( whole + 1 ) );
  else sbf_mul64( &second, ( whole - n ) * l->unit + rest, l->most );
  first = sbf_u128_add( first, second );
  first = sbf_u128_add( first, sbf_u128( DAMM_RATE_ONE - 1 ) );
  sbf_u128_div( &second, &left, &first, &one );
  DAMM_REQUIRE( !second.hi, DAMM_CAST );
  sbf_mul_div( &first, second.lo, DAMM_RATE_ONE, amount, true );
  *rate = first.lo;
  return first.hi ? DAMM_CAST : 0;
}

/* damm_limiter_left sets *left to what remains of an amount. */
SBF_FUNCTION uint64_t damm_limiter_left( uint64_t * left, damm_limiter_t const * l, uint64_t amount ) {
  uint64_t rate, fee;
  DAMM_TRY( damm_limiter_rate( &rate, l, amount ) );
  DAMM_TRY( damm_fee_of( &fee, amount, rate ) );
  *left = amount - fee;
  return 0;
}

/* damm_limiter_solve sets *amount to that of which `left`, below that of the last step, remains: the smaller
   root of i*v^2 - y*v + 2*left*d*x = 0, then what is missing at the next rate. */
SBF_FUNCTION uint64_t damm_limiter_solve( uint64_t * amount, damm_limiter_t const * l, uint64_t left ) {
  sbf_u128_t y, product, root;
  wide_t square, other;
  sbf_mul64( &y, l->unit, 2 * DAMM_RATE_ONE + l->increment - 2 * l->cliff );
  wide_mul( &square, &y, &y );
  sbf_mul64( &product, left, l->unit );
  sbf_u128_t factor = sbf_u128( 8 * DAMM_RATE_ONE );
  wide_mul( &other, &product, &factor );
  sbf_u128_t low = { other.w[0], other.w[1] }, high = { other.w[2], 0 }, increment = sbf_u128( l->increment );
  wide_t upper;
  wide_mul( &other, &low, &increment );
  wide_mul( &upper, &high, &increment );
  wide_shift_word( &upper );
  wide_shift_word( &upper );
  wide_add( &other, &upper );
  DAMM_REQUIRE( !wide_less( &square, &other ), DAMM_OVERFLOW );
  wide_sub( &square, &other );
  damm_root( &root, &square );
  y       = sbf_u128_sub( y, root );
  product = sbf_u128( 2 * l->increment );
  sbf_u128_t whole, rest;
  sbf_u128_div( &whole, &rest, &y, &product );
  DAMM_REQUIRE( !whole.hi, DAMM_CAST );
  uint64_t spent, more;
  DAMM_TRY( damm_limiter_left( &spent, l, whole.lo ) );
  DAMM_REQUIRE( left >= spent, DAMM_OVERFLOW );
  sbf_mul64( &product, l->increment, whole.lo / l->unit );
  product = sbf_u128_add( product, sbf_u128( l->cliff ) );
  DAMM_REQUIRE( !product.hi, DAMM_CAST );
  DAMM_TRY( damm_before_fee( &more, left - spent, product.lo ) );
  *amount = whole.lo + more;
  return *amount < more ? DAMM_CAST : 0;
}

/* damm_limiter_rate_before sets *rate to that of the amount of which `left` is left. */
SBF_FUNCTION uint64_t damm_limiter_rate_before( uint64_t * rate, damm_limiter_t const * l, uint64_t left ) {
  uint64_t first, limit_left, amount, more;
  DAMM_TRY( damm_limiter_left( &first, l, l->unit ) );
  *rate = l->cliff;
  if( left <= first ) return 0;
  sbf_u128_t edge;
  sbf_mul64( &edge, l->unit, l->steps + 1 );
  uint64_t limit = edge.hi ? UINT64_MAX : edge.lo;
  DAMM_TRY( damm_limiter_left( &limit_left, l, limit ) );
  if( left == limit_left ) return damm_limiter_rate( rate, l, limit );
  if( left < limit_left ) {
    DAMM_TRY( damm_limiter_solve( &amount, l, left ) );
  } else {
    DAMM_REQUIRE( !edge.hi, DAMM_OVERFLOW );
    DAMM_TRY( damm_before_fee( &more, left - limit_left, l->most ) );
    amount = limit + more;
    DAMM_REQUIRE( amount >= more, DAMM_OVERFLOW );
  }
  DAMM_REQUIRE( amount >= left, DAMM_OVERFLOW );
  sbf_u128_t found;
  sbf_mul_div( &found, amount - left, DAMM_RATE_ONE, amount, true );
  *rate = found.lo;
  return found.lo < l->cliff ? DAMM_UNDETERMINED : 0;
}

/* damm_limited says whether the limiter is in force for the swap. */
SBF_FUNCTION bool damm_limited( damm_swap_t const * s ) {
  uint8_t const * pool = s->pool;
  bool none = !sbf_u64( pool + DAMM_REDUCTION ) && !sbf_u64( pool + DAMM_PERIOD ) && !sbf_u16( pool + DAMM_PERIODS );
  uint64_t start = sbf_u64( pool + DAMM_ACTIVATION );
  if( pool[DAMM_BASE_MODE] != DAMM_LIMITER || none || s->a_to_b || s->point < start ) return false;
  return s->point - start <= damm_u32( pool + DAMM_PERIOD );
}

/* ---- the whole rate -------------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t damm_variable_rate( sbf_u128_t * rate, uint8_t const * pool ) {
  *rate = sbf_u128( 0 );
  if( !pool[DAMM_DYNAMIC] ) return 0;
  sbf_u128_t moved, square, fee, rest, scale = sbf_u128( 100000000000UL ), seen = sbf_u128_at( pool + DAMM_VOLATILITY );
  DAMM_REQUIRE( sbf_u128_mul64( &moved, &seen, sbf_u16( pool + DAMM_STEP ) ) && !moved.hi, DAMM_OVERFLOW );
  sbf_mul64( &square, moved.lo, moved.lo );
  DAMM_REQUIRE( sbf_u128_mul64( &fee, &square, damm_u32( pool + DAMM_VARIABLE_CONTROL ) ), DAMM_OVERFLOW );
  square = sbf_u128_add( fee, sbf_u128( scale.lo - 1 ) );
  DAMM_REQUIRE( !sbf_u128_less( square, fee ), DAMM_OVERFLOW );
  sbf_u128_div( rate, &rest, &square, &scale );
  return 0;
}

SBF_FUNCTION uint64_t damm_base_rate( uint64_t * rate, damm_swap_t const * s, uint64_t amount, bool is_left ) {
  switch( s->pool[DAMM_BASE_MODE] ) {
  case DAMM_BY_TIME:
  case DAMM_BY_TIME_EXPONENTIAL: return damm_by_time( rate, s );
  case DAMM_BY_PRICE:
  case DAMM_BY_PRICE_EXPONENTIAL: return damm_by_price( rate, s );
  case DAMM_LIMITER: break;
  default: return DAMM_BASE_FEE_MODE;
  }
  *rate = sbf_u64( s->pool + DAMM_CLIFF );
  if( !damm_limited( s ) ) return 0;
  damm_limiter_t limiter;
  DAMM_TRY( damm_limiter_read( &limiter, s->pool ) );
  return is_left ? damm_limiter_rate_before( rate, &limiter, amount ) : damm_limiter_rate( rate, &limiter, amount );
}

/* damm_rate sets *rate to what is taken of `amount`, or, if `is_left`, of that of which `amount` is left. */
SBF_FUNCTION uint64_t damm_rate( uint64_t * rate, damm_swap_t const * s, uint64_t amount, bool is_left ) {
  uint64_t base, most = ( s->pool[DAMM_FEE_VERSION] ? 9900 : 5000 ) * DAMM_RATE_BPS;
  sbf_u128_t variable;
  DAMM_TRY( damm_base_rate( &base, s, amount, is_left ) );
  DAMM_TRY( damm_variable_rate( &variable, s->pool ) );
  sbf_u128_t total = sbf_u128_add( variable, sbf_u128( base ) );
  DAMM_REQUIRE( !total.hi, DAMM_CAST );
  *rate = total.lo < most ? total.lo : most;
  return 0;
}

/* ---- volatility ---------------------------------------------------------------------------------------------- */

/* damm_references ages what earlier swaps have left, before a swap at s->now. */
SBF_FUNCTION uint64_t damm_references( damm_swap_t const * s ) {
  uint8_t * pool   = s->pool;
  uint64_t updated = sbf_u64( pool + DAMM_UPDATED ), elapsed = s->now > updated ? s->now - updated : 0;
  if( elapsed < sbf_u16( pool + DAMM_FILTER ) ) return 0;
  sbf_u128_t carried = { 0, 0 }, product, rest, bps = sbf_u128( DAMM_BPS ),
             seen = sbf_u128_at( pool + DAMM_VOLATILITY );
  if( elapsed < sbf_u16( pool + DAMM_DECAY ) ) {
    DAMM_REQUIRE( sbf_u128_mul64( &product, &seen, sbf_u16( pool + DAMM_KEEP ) ), DAMM_OVERFLOW );
    sbf_u128_div( &carried, &rest, &product, &bps );
  }
  sbf_put_u128( pool + DAMM_REFERENCE, s->price );
  sbf_put_u128( pool + DAMM_CARRIED, carried );
  return 0;
}

/* damm_steps sets *steps to twice the steps between two prices. */
SBF_FUNCTION uint64_t damm_steps( sbf_u128_t * steps, uint8_t const * pool, sbf_u128_t const * a,
                                  sbf_u128_t const * b ) {
  bool up    = sbf_u128_less( *a, *b );
  wide_t top = damm_wide( up ? *b : *a ), bottom = damm_wide( up ? *a : *b ), ratio;
  DAMM_REQUIRE( bottom.w[0] || bottom.w[1], DAMM_OVERFLOW );
  wide_shift_word( &top );
  wide_div( &ratio, &top, &bottom );
  DAMM_REQUIRE( wide_fits( &ratio, 2 ), DAMM_OVERFLOW );
  sbf_u128_t over = { ratio.w[0], ratio.w[1] - 1 }, rest, step = sbf_u128_at( pool + DAMM_STEP_Q64 );
  DAMM_REQUIRE( !sbf_u128_zero( step ), DAMM_OVERFLOW );
  sbf_u128_div( steps, &rest, &over, &step );
  DAMM_REQUIRE( !( steps->hi >> 63 ), DAMM_OVERFLOW );
  *steps = sbf_u128_add( *steps, *steps );
  return 0;
}

/* damm_accumulate enters what the swap from `before` to s->next did. */
SBF_FUNCTION uint64_t damm_accumulate( damm_swap_t const * s, sbf_u128_t const * before ) {
  uint8_t * pool       = s->pool;
  sbf_u128_t reference = sbf_u128_at( pool + DAMM_REFERENCE ), steps, moved;
  DAMM_TRY( damm_steps( &steps, pool, &s->next, &reference ) );
  DAMM_REQUIRE( sbf_u128_mul64( &moved, &steps, DAMM_BPS ), DAMM_OVERFLOW );
  sbf_u128_t seen = sbf_u128_add( moved, sbf_u128_at( pool + DAMM_CARRIED ) );
  DAMM_REQUIRE( !sbf_u128_less( seen, moved ), DAMM_OVERFLOW );
  sbf_u128_t most = sbf_u128( damm_u32( pool + DAMM_VOLATILITY_MAX ) );
  sbf_put_u128( pool + DAMM_VOLATILITY, sbf_u128_less( seen, most ) ? seen : most );
  DAMM_TRY( damm_steps( &steps, pool, before, &s->next ) );
  if( !sbf_u128_zero( steps ) ) sbf_put_u64( pool + DAMM_UPDATED, s->now );
  return 0;
}

#endif
