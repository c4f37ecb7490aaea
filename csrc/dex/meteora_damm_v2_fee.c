#include "dex/meteora_damm_v2_fee.h"

#include "dex/bps.h"

typedef sf_u128_t u128;
typedef sf_meteora_damm_v2_state_t state_t;

sf_u128_t sf_damm_v2_root( sf_u256_t n ) {
  int word = 3;
  while( word && !n.w[word] ) word--;
  if( !n.w[word] ) return 0;
  int bits = 64 * word + 64 - __builtin_clzl( n.w[word] );
  u128 x   = (u128)1 << ( bits + 1 ) / 2;
  for( ;; ) {
    u128 quotient = 0;
    sf_wide_div( n, sf_wide_of( x ), &quotient );
    u128 y = ( x + quotient ) >> 1;
    if( y >= x ) return x;
    x = y;
  }
}

int sf_damm_v2_rate_after( state_t const * s, uint64_t periods, uint64_t * rate ) {
  if( s->base_mode == SF_DAMM_V2_BASE_LINEAR || s->base_mode == SF_DAMM_V2_BASE_PRICE_LINEAR ) {
    uint64_t off;
    return __builtin_mul_overflow( s->reduction, periods, &off ) || __builtin_sub_overflow( s->fee_cliff, off, rate )
               ? SF_DAMM_V2_ERR_OVERFLOW
               : 0;
  }
  *rate = s->fee_cliff;
  if( !s->reduction ) return 0;
  u128 one = (u128)1 << 64, off = ( (u128)s->reduction << 64 ) / SF_BPS;
  if( off > one ) return SF_DAMM_V2_ERR_OVERFLOW;
  u128 keep = one - off, power = one;
  for( uint64_t n = periods; n; n >>= 1 ) {
    if( n & 1 ) power = power * keep >> 64;
    keep = keep * keep >> 64;
  }
  if( !power ) return SF_DAMM_V2_ERR_OVERFLOW;
  u128 left = power * s->fee_cliff;
  *rate     = (uint64_t)( left >> 64 ) + !!(uint64_t)left;
  return 0;
}

int sf_damm_v2_rate_variable( state_t const * s, uint64_t * rate ) {
  *rate = 0;
  if( !s->dynamic ) return 0;
  u128 moved = (u128)s->volatility * s->volatility_step, v;
  if( __builtin_mul_overflow( moved * moved, (u128)s->volatility_control, &v ) ) return -1;
  if( __builtin_add_overflow( v, (u128)99999999999UL, &v ) ) return -1;
  v /= 100000000000UL;
  *rate = (uint64_t)v;
  return v >> 64 ? -1 : 0;
}

/* The limiter: the first `period` of an amount pays the cliff rate c, each further one i more than the last,
   up to `most`, which all the rest pays.  A rate for the whole amount is made of it, rounded up. */
typedef struct limiter {
  uint64_t c;
  uint64_t i;
  uint64_t x0;
  uint64_t most;
  uint64_t steps; /* until `most` */
} limiter_t;

static inline uint64_t divide_up( u128 n, uint64_t d ) { return (uint64_t)( ( n + d - 1 ) / d ); }

static uint64_t limiter_rate( limiter_t const * l, uint64_t amount ) {
  if( amount <= l->x0 ) return l->c;
  uint64_t a = ( amount - l->x0 ) / l->x0, rest = ( amount - l->x0 ) % l->x0, n = a < l->steps ? a : l->steps;
  u128 full  = (u128)l->x0 * ( l->c + l->c * n + l->i * n * ( n + 1 ) / 2 );
  u128 above = a < l->steps ? (u128)rest * ( l->c + l->i * ( a + 1 ) ) : ( (u128)( a - n ) * l->x0 + rest ) * l->most;
  return divide_up( (u128)divide_up( full + above, SF_DAMM_V2_RATE_ONE ) * SF_DAMM_V2_RATE_ONE, amount );
}

static uint64_t limiter_left( limiter_t const * l, uint64_t amount ) {
  return amount - sf_damm_v2_fee_of( amount, limiter_rate( l, amount ) );
}

/* The rate of the amount of which `left` is left. */
static int limiter_rate_before( limiter_t const * l, uint64_t left, uint64_t * rate ) {
  *rate = l->c;
  if( left <= limiter_left( l, l->x0 ) ) return 0;
  u128 edge      = (u128)( l->steps + 1 ) * l->x0;
  int endless    = edge >> 64 != 0;
  uint64_t limit = endless ? UINT64_MAX : (uint64_t)edge, limit_left = limiter_left( l, limit ), amount, more;
  int err;
  if( left == limit_left ) {
    *rate = limiter_rate( l, limit );
    return 0;
  }
  if( left > limit_left ) {
    if( endless ) return SF_DAMM_V2_ERR_OVERFLOW;
    if( ( err = sf_damm_v2_before_fee( left - limit_left, l->most, &more ) ) ) return err;
    if( __builtin_add_overflow( limit, more, &amount ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  } else {
    /* i*v^2 - y*v + z = 0 */
    u128 y = (u128)l->x0 * ( 2 * SF_DAMM_V2_RATE_ONE + l->i - 2 * l->c ), z = (u128)left * l->x0;
    uint64_t over;
    unsigned carry;
    sf_u256_t d = sf_wide_sub( sf_wide_mul( y, y ),
                               sf_wide_mul_word( sf_wide_of( z ), 8 * SF_DAMM_V2_RATE_ONE * l->i, &over ), &carry );
    u128 whole  = carry ? y : ( y - sf_damm_v2_root( d ) ) / ( 2 * l->i );
    if( carry ) return SF_DAMM_V2_ERR_OVERFLOW;
    if( whole >> 64 ) return SF_DAMM_V2_ERR_CAST;
    uint64_t spent = limiter_left( l, (uint64_t)whole );
    if( left < spent ) return SF_DAMM_V2_ERR_OVERFLOW;
    u128 next = l->c + (u128)l->i * ( (uint64_t)whole / l->x0 );
    if( next >> 64 ) return SF_DAMM_V2_ERR_CAST;
    if( ( err = sf_damm_v2_before_fee( left - spent, (uint64_t)next, &more ) ) ) return err;
    if( __builtin_add_overflow( (uint64_t)whole, more, &amount ) ) return SF_DAMM_V2_ERR_CAST;
  }
  if( amount < left ) return SF_DAMM_V2_ERR_OVERFLOW;
  *rate = divide_up( (u128)( amount - left ) * SF_DAMM_V2_RATE_ONE, amount );
  return *rate < l->c ? SF_DAMM_V2_ERR_UNDETERMINED : 0;
}

static int rate_limited( state_t const * s, int a_to_b, uint64_t point, uint64_t amount, int left, uint64_t * rate ) {
  *rate = s->fee_cliff;
  if( !sf_damm_v2_limited( s, a_to_b, point ) ) return 0;
  limiter_t l = { s->fee_cliff, s->period_cnt * SF_DAMM_V2_RATE_BPS, s->period, s->limiter_max * SF_DAMM_V2_RATE_BPS,
                  0 };
  l.steps     = ( l.most - l.c ) / l.i;
  if( left ) return limiter_rate_before( &l, amount, rate );
  *rate = limiter_rate( &l, amount );
  return 0;
}

static int rate_by_price( state_t const * s, uint64_t point, uint64_t * rate ) {
  uint64_t end;
  if( __builtin_add_overflow( s->activation, (uint64_t)s->duration, &end ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  *rate = s->fee_last;
  if( point > end ) return 0;
  u128 passed = 0;
  if( s->sqrt_price > s->sqrt_start ) {
    if( !s->sqrt_start ) return SF_DAMM_V2_ERR_OVERFLOW;
    passed = ( s->sqrt_price - s->sqrt_start ) * SF_BPS / s->sqrt_start / s->period;
  }
  return passed >= s->period_cnt ? 0 : sf_damm_v2_rate_after( s, (uint64_t)passed, rate );
}

int sf_damm_v2_rate( state_t const * s, int a_to_b, uint64_t point, uint64_t amount, int left, uint64_t * rate ) {
  int err = 0;
  if( s->base_mode <= SF_DAMM_V2_BASE_EXPONENTIAL ) {
    uint64_t passed = point - s->activation;
    if( !s->period_cnt ) *rate = s->fee_last;
    else {
      passed /= s->period;
      *rate = s->fee_last;
      if( passed < s->period_cnt ) err = sf_damm_v2_rate_after( s, passed, rate );
    }
  } else if( s->base_mode == SF_DAMM_V2_BASE_LIMITER ) err = rate_limited( s, a_to_b, point, amount, left, rate );
  else err = rate_by_price( s, point, rate );
  if( err ) return err;
  if( __builtin_add_overflow( *rate, s->fee_variable, rate ) ) return SF_DAMM_V2_ERR_CAST;
  if( *rate > s->fee_max ) *rate = s->fee_max;
  return 0;
}
