/* gcc would gather neighbouring words of 256-bit numbers in vectors, and wait for them */
#if defined( __GNUC__ ) && !defined( __clang__ )
#pragma GCC optimize( "no-tree-slp-vectorize" )
#endif

#include <string.h>

#include "dex/bps.h"
#include "dex/meteora_damm_v2_curve.h"
#include "dex/product.h"

typedef sf_u128_t u128;
typedef sf_meteora_damm_v2_state_t state_t;

#define ALWAYS static inline __attribute__( ( always_inline ) )

/* -- what is worked out beforehand --------------------------------------------------------------------- */

/* The last moment, counted from the activation, at which the base rate may be another than fee_last. */
static uint64_t schedule_of( state_t const * s ) {
  uint64_t all;
  if( s->base_mode == SF_DAMM_V2_BASE_LIMITER ) return s->period ? s->duration : 0;
  if( s->base_mode > SF_DAMM_V2_BASE_LIMITER )
    return __builtin_add_overflow( s->activation, (uint64_t)s->duration, &all ) ? UINT64_MAX : s->duration;
  if( !s->period_cnt ) return 0;
  return __builtin_mul_overflow( s->period, (uint64_t)s->period_cnt, &all ) ? UINT64_MAX : all - 1;
}

void sf_damm_v2_prepare( state_t * s ) {
  sf_damm_v2_ready_t * r = &s->ready;
  memset( r, 0, sizeof( *r ) );
  r->schedule = schedule_of( s );
  if( __builtin_add_overflow( s->fee_last, s->fee_variable, &r->rate ) ) r->schedule = UINT64_MAX;
  if( r->rate > s->fee_max ) r->rate = s->fee_max;
  r->on_top = sf_on_top_ready( r->rate, SF_DAMM_V2_RATE_ONE );
  if( s->collect_mode == SF_DAMM_V2_COLLECT_COMPOUNDING || s->liquidity >> 127 || !( s->liquidity >> 64 ) ) return;
  r->bits = (uint32_t)__builtin_clzl( (uint64_t)( s->liquidity >> 64 ) ) - 1;
  if( s->sqrt_price << r->bits >> r->bits != s->sqrt_price ) return;
  r->liquidity  = s->liquidity << r->bits;
  r->sqrt_price = s->sqrt_price << r->bits;
  sf_near_make( s->liquidity, s->sqrt_price, &r->near );
  r->near.reserve_bits += 64;
}

/* -- quotes -------------------------------------------------------------------------------------------- */

static void refuse( sf_quote_t * q, int err ) {
  memset( q, 0, sizeof( *q ) );
  q->status = SF_QUOTE_REFUSED;
  q->error  = err > 0 ? (uint32_t)err : 0;
}

/* What a swap at time `now` starts from: the price that its volatility counts from, what is carried over. */
static inline u128 volatility_from( state_t const * s, uint64_t now, uint64_t * carry ) {
  uint64_t elapsed = now > s->volatility_time ? now - s->volatility_time : 0;
  *carry           = s->volatility_carry;
  if( elapsed < s->filter_seconds ) return s->sqrt_reference;
  *carry = elapsed < s->decay_seconds ? s->volatility * s->volatility_keep / SF_BPS : 0;
  return s->sqrt_price;
}

/* Whether the ratio of two prices is above what the program can compute. */
static inline int too_far( u128 a, u128 b ) { return a >> 64 >= b || b >> 64 >= a; }

/* of less than 2^127; rises with v, and is 0 only of 0 */
static inline double rough( u128 v ) {
  uint64_t low = (uint64_t)v;
  return (double)(int64_t)( v >> 64 ) * 0x1p64 + (double)(int64_t)( low >> 1 | ( low & 1 ) ) * 2;
}

/* How far the price goes from the first to the second, per 10^6 of the higher. */
static inline uint32_t impact( u128 from, u128 to ) {
  u128 hi = from > to ? from : to, off = from > to ? from - to : to - from;
  return hi ? (uint32_t)( 1e6 * rough( off ) / rough( hi ) ) : 0;
}

/* floor( v*percent / 100 ) */
static inline uint64_t percent_of( uint64_t v, uint64_t percent ) {
  u128 n = (u128)v * percent;
  return __builtin_expect( n >> 64 != 0, 0 ) ? (uint64_t)( n / 100 ) : (uint64_t)n / 100;
}

/* Fills q with a swap's end: its leg, its fee and what the payer's accounts see.  0 or the program's error. */
ALWAYS int settle( state_t const * s, int a_to_b, int on_input, sf_damm_v2_leg_t const * leg, uint64_t fee,
                   uint64_t now, sf_quote_t * q ) {
  uint64_t protocol = percent_of( fee, s->protocol_percent );
  uint64_t referral = s->referral ? percent_of( protocol, s->referral_percent ) : 0;
  uint64_t kept     = s->compounding_bps ? sf_bps_of( fee - protocol, s->compounding_bps ) : 0;
  uint64_t grown, left, carry;
  if( __builtin_expect( !s->liquidity, 0 ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  if( __builtin_add_overflow( s->reserve[!a_to_b], leg->in, &grown ) ||
      __builtin_sub_overflow( s->reserve[a_to_b], leg->out, &left ) )
    return SF_DAMM_V2_ERR_OVERFLOW;
  uint64_t a = a_to_b ? grown : left, b = a_to_b ? left : grown;
  if( __builtin_add_overflow( b, kept, &b ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  u128 next = leg->sqrt_price;
  if( s->collect_mode == SF_DAMM_V2_COLLECT_COMPOUNDING ) {
    if( !a ) return SF_DAMM_V2_ERR_OVERFLOW;
    uint64_t rest, mid = sf_div_word( b % a, 0, a, &rest );
    next = sf_damm_v2_root( ( sf_u256_t ){ { sf_div_word( rest, 0, a, &rest ), mid, b / a, 0 } } );
  }
  if( s->dynamic && ( too_far( next, volatility_from( s, now, &carry ) ) || too_far( next, s->sqrt_price ) ) )
    return SF_DAMM_V2_ERR_OVERFLOW;
  q->fee          = fee;
  q->protocol_fee = protocol - referral;
  q->creator_fee  = referral;
  q->reserve_a    = a;
  q->reserve_b    = b;
  q->status       = SF_QUOTE_OK;
  q->error        = 0;
  q->fee_in_input = (uint32_t)on_input;
  q->tick         = 0;
  q->crossed      = 0;
  q->impact_ppm   = s->collect_mode == SF_DAMM_V2_COLLECT_COMPOUNDING
                        ? impact( (u128)s->reserve[!a_to_b] + leg->in, s->reserve[!a_to_b] )
                        : impact( s->sqrt_price, next );
  q->sqrt_price   = next;
  q->liquidity    = s->liquidity;
  return 0;
}

/* The slot or second that schedules count; an error if swaps are not allowed (yet). */
ALWAYS int point_of( state_t const * s, uint64_t now, uint64_t * point ) {
  *point = s->by_time ? now : s->slot;
  return s->disabled || *point < s->activation ? SF_DAMM_V2_ERR_DISABLED : 0;
}

ALWAYS int fee_on_input( state_t const * s, int a_to_b ) {
  return !a_to_b && s->collect_mode != SF_DAMM_V2_COLLECT_BOTH;
}

/* sf_damm_v2_rate, and with it sf_on_top_ready, or 0 */
ALWAYS int rate_of( state_t const * s, int a_to_b, uint64_t point, uint64_t amount, int left, uint64_t * rate,
                    uint64_t * on_top ) {
  *rate   = s->ready.rate;
  *on_top = s->ready.on_top;
  if( __builtin_expect( point - s->activation > s->ready.schedule, 1 ) ) return 0;
  *on_top = 0;
  return sf_damm_v2_rate( s, a_to_b, point, amount, left, rate );
}

/* What has to be there for `v` to be left after the fee. */
ALWAYS int before_fee( state_t const * s, int a_to_b, uint64_t point, uint64_t v, uint64_t * before ) {
  uint64_t rate, on_top;
  int err = rate_of( s, a_to_b, point, v, 1, &rate, &on_top );
  if( err ) return err;
  if( !on_top ) return sf_damm_v2_before_fee( v, rate, before );
  return __builtin_add_overflow( v, sf_on_top( v, rate, SF_DAMM_V2_RATE_ONE, on_top ), before ) ? SF_DAMM_V2_ERR_CAST
                                                                                                : 0;
}

ALWAYS int quote_input( state_t const * s, int a_to_b, uint64_t amount, uint64_t now, int partial, sf_quote_t * q ) {
  int on_input = fee_on_input( s, a_to_b ), err;
  uint64_t point, rate, on_top, fee = 0, net = amount - sf_transfer_fee_of( &s->transfer_fee[!a_to_b], amount );
  sf_damm_v2_leg_t leg;
  if( ( err = point_of( s, now, &point ) ) ) return err;
  if( !net ) return SF_DAMM_V2_ERR_ZERO;
  if( ( err = rate_of( s, a_to_b, point, net, 0, &rate, &on_top ) ) ) return err;
  if( on_input ) fee = sf_damm_v2_fee_of( net, rate );
  if( partial || sf_damm_v2_leg_near( s, a_to_b, 1, net - fee, &leg ) ) {
    sf_damm_v2_leg_t any;
    if( ( err = sf_damm_v2_leg_in( s, a_to_b, net - fee, partial, &any ) ) ) return err;
    leg = any;
  }
  q->amount_in = amount;
  if( partial ) {
    q->amount_in = net;
    if( leg.left ) {
      q->amount_in = leg.in;
      if( on_input && ( err = before_fee( s, a_to_b, point, leg.in, &q->amount_in ) ) ) return err;
      if( on_input ) fee = q->amount_in - leg.in;
    }
    if( sf_transfer_fee_before( &s->transfer_fee[!a_to_b], q->amount_in, &q->amount_in ) )
      return SF_DAMM_V2_ERR_OVERFLOW;
  }
  if( !on_input ) fee = sf_damm_v2_fee_of( leg.out, rate );
  uint64_t out  = on_input ? leg.out : leg.out - fee;
  q->amount_out = out - sf_transfer_fee_of( &s->transfer_fee[a_to_b], out );
  return settle( s, a_to_b, on_input, &leg, fee, now, q );
}

ALWAYS int quote_output( state_t const * s, int a_to_b, uint64_t amount, uint64_t now, sf_quote_t * q ) {
  int on_input = fee_on_input( s, a_to_b ), err;
  uint64_t point, gross, taken, paid;
  sf_damm_v2_leg_t leg;
  if( ( err = point_of( s, now, &point ) ) ) return err;
  if( !amount ) return SF_DAMM_V2_ERR_ZERO;
  if( sf_transfer_fee_before( &s->transfer_fee[a_to_b], amount, &gross ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  taken = gross;
  if( !on_input && ( err = before_fee( s, a_to_b, point, gross, &taken ) ) ) return err;
  if( sf_damm_v2_leg_near( s, a_to_b, 0, taken, &leg ) ) {
    sf_damm_v2_leg_t any;
    if( ( err = sf_damm_v2_leg_out( s, a_to_b, taken, &any ) ) ) return err;
    leg = any;
  }
  paid = leg.in;
  if( on_input && ( err = before_fee( s, a_to_b, point, leg.in, &paid ) ) ) return err;
  if( sf_transfer_fee_before( &s->transfer_fee[!a_to_b], paid, &q->amount_in ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  q->amount_out = amount;
  return settle( s, a_to_b, on_input, &leg, on_input ? paid - leg.in : taken - gross, now, q );
}

void sf_meteora_damm_v2_quote_in( state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  int err = a_to_b ? quote_input( s, 1, amount_in, now, 0, q ) : quote_input( s, 0, amount_in, now, 0, q );
  if( __builtin_expect( err, 0 ) ) refuse( q, err );
}

void sf_meteora_damm_v2_quote_out( state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  int err = a_to_b ? quote_output( s, 1, amount_out, now, q ) : quote_output( s, 0, amount_out, now, q );
  if( __builtin_expect( err, 0 ) ) refuse( q, err );
}

void sf_meteora_damm_v2_quote_partial( state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                       sf_quote_t * q ) {
  int err = a_to_b ? quote_input( s, 1, amount_in, now, 1, q ) : quote_input( s, 0, amount_in, now, 1, q );
  if( __builtin_expect( err, 0 ) ) refuse( q, err );
}

int sf_meteora_damm_v2_ranged( state_t const * s ) { return s->collect_mode != SF_DAMM_V2_COLLECT_COMPOUNDING; }

int sf_meteora_damm_v2_near( state_t const * s, int a_to_b, uint64_t now, uint64_t * in_share, uint64_t * out_share,
                             uint64_t * most ) {
  uint64_t point, rate;
  int err = point_of( s, now, &point );
  if( !err ) err = sf_damm_v2_rate( s, a_to_b, point, 1, 0, &rate );
  if( err ) return err;
  int on_input = fee_on_input( s, a_to_b );
  *in_share    = SF_DAMM_V2_RATE_ONE - ( on_input ? rate : 0 );
  *out_share   = SF_DAMM_V2_RATE_ONE - ( on_input ? 0 : rate );
  *most        = sf_damm_v2_limited( s, a_to_b, point ) ? s->period : UINT64_MAX;
  return 0;
}

/* Twice the steps between two prices, which are not too far apart. */
static u128 steps_between( state_t const * s, u128 a, u128 b ) {
  u128 ratio;
  sf_wide_div( sf_wide_of_shl64( a > b ? a : b ), sf_wide_of( a > b ? b : a ), &ratio );
  return ( ratio - ( (u128)1 << 64 ) ) / s->bin_step * 2;
}

void sf_meteora_damm_v2_apply( state_t * s, sf_quote_t const * q, uint64_t now ) {
  if( s->dynamic ) {
    s->sqrt_reference = volatility_from( s, now, &s->volatility_carry );
    u128 seen         = s->volatility_carry + steps_between( s, q->sqrt_price, s->sqrt_reference ) * SF_BPS;
    s->volatility     = seen < s->volatility_max ? (uint64_t)seen : s->volatility_max;
    if( steps_between( s, q->sqrt_price, s->sqrt_price ) ) s->volatility_time = now;
    sf_damm_v2_rate_variable( s, &s->fee_variable );
  }
  s->sqrt_price = q->sqrt_price;
  s->reserve[0] = q->reserve_a;
  s->reserve[1] = q->reserve_b;
  sf_damm_v2_prepare( s );
}
