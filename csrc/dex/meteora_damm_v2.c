#include "dex/meteora_damm_v2.h"

#include <string.h>

#include "base/err.h"
#include "dex/bps.h"
#include "dex/bytes.h"
#include "dex/meteora_damm_v2_fee.h"
#include "dex/quotient.h"

typedef sf_u128_t u128;
typedef sf_meteora_damm_v2_state_t state_t;

#define SQRT_MIN  ( (u128)4295048016UL )
#define SQRT_MAX  ( (u128)4294886577UL << 64 | 0x845c1aa94e69579bUL )
#define SQRT_BITS 112 /* of a compounding pool's price, which has no bounds but cannot have more */

#define COLLECT_BOTH        0
#define COLLECT_COMPOUNDING 2

#define ALWAYS static inline __attribute__( ( always_inline ) )
#define PANIC  ( -1 ) /* the program fails without a custom error */

static u128 get_u128( uint8_t const * p ) {
  u128 v;
  memcpy( &v, p, sizeof( v ) );
  return v;
}

static uint32_t get_u32( uint8_t const * p ) {
  uint32_t v;
  memcpy( &v, p, sizeof( v ) );
  return v;
}

/* -- the curve ------------------------------------------------------------ */

/* L*(hi-lo) / (lo*hi), the token a between two prices. */
ALWAYS int delta_a( u128 liquidity, u128 lo, u128 hi, int up, uint64_t * out ) {
  u128 quotient;
  int rest = sf_wide_div( sf_wide_mul( liquidity, hi - lo ), sf_wide_mul( lo, hi ), &quotient );
  if( __builtin_expect( rest < 0, 0 ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  quotient += (u128)( up & rest );
  *out = (uint64_t)quotient;
  return quotient >> 64 ? SF_DAMM_V2_ERR_OVERFLOW : 0;
}

/* L*(hi-lo) / 2^128, the token b between two prices. */
ALWAYS int delta_b( u128 liquidity, u128 lo, u128 hi, int up, uint64_t * out ) {
  sf_u256_t n = sf_wide_mul( liquidity, hi - lo );
  int rest    = up && ( n.w[0] | n.w[1] );
  *out        = n.w[2] + (uint64_t)rest;
  return n.w[3] || ( rest && !*out ) ? SF_DAMM_V2_ERR_OVERFLOW : 0;
}

/* One swap on the curve, fees not counted. */
typedef struct leg {
  uint64_t in;
  uint64_t out;
  uint64_t left; /* input that the range has no room for */
  u128 sqrt_price;
} leg_t;

ALWAYS int leg_price_in( state_t const * s, int a_to_b, uint64_t in, u128 * next ) {
  u128 quotient;
  if( a_to_b ) {
    *next = s->sqrt_price;
    if( !in ) return 0;
    /* L + in*P in three words */
    u128 low    = (u128)in * (uint64_t)s->sqrt_price + (uint64_t)s->liquidity,
         high   = (u128)in * (uint64_t)( s->sqrt_price >> 64 ),
         mid    = ( low >> 64 ) + (uint64_t)high + (uint64_t)( s->liquidity >> 64 );
    sf_u256_t d = { { (uint64_t)low, (uint64_t)mid, (uint64_t)( high >> 64 ) + (uint64_t)( mid >> 64 ), 0 } };
    int rest    = sf_wide_div( sf_wide_mul( s->liquidity, s->sqrt_price ), d, &quotient );
    *next       = quotient + (u128)rest;
    return 0;
  }
  if( sf_wide_div( ( sf_u256_t ){ { 0, 0, in, 0 } }, sf_wide_of( s->liquidity ), &quotient ) < 0 )
    return SF_DAMM_V2_ERR_CAST;
  return __builtin_add_overflow( s->sqrt_price, quotient, next ) ? SF_DAMM_V2_ERR_CAST : 0;
}

static int leg_reserves_in( state_t const * s, int a_to_b, uint64_t in, leg_t * leg ) {
  uint64_t x = s->reserve[!a_to_b], y = s->reserve[!!a_to_b], sum, rest;
  if( __builtin_add_overflow( x, in, &sum ) || !sum ) return SF_DAMM_V2_ERR_OVERFLOW;
  u128 n   = (u128)y * in;
  leg->out = (uint64_t)( n >> 64 ) < sum ? sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, sum, &rest ) : y;
  return 0;
}

/* The common case of a swap in the range: what moves the price fits one word, and what it is divided by three.
   With A = in*P and D = L+A the price falls by floor( A*P / D ), or rises by floor( in*2^128 / L ).  Returns 0, or -1 if
   it is another case. */
ALWAYS int leg_small( state_t const * s, int a_to_b, uint64_t in, leg_t * leg ) {
  u128 l = s->liquidity, p = s->sqrt_price;
  uint64_t moved, p0 = (uint64_t)p, p1 = (uint64_t)( p >> 64 ), l0 = (uint64_t)l, l1 = (uint64_t)( l >> 64 );
  if( a_to_b ) {
    u128 a, d, low = (u128)in * p0, high = ( low >> 64 ) + (u128)in * p1;
    a = high << 64 | (uint64_t)low;
    if( high >> 64 || __builtin_add_overflow( a, l, &d ) ) return -1;
    sf_u256_t n = sf_wide_mul( a, p );
    if( n.w[3] || sf_quotient( n.w[2], n.w[1], n.w[0], 0, (uint64_t)( d >> 64 ), (uint64_t)d, &moved ) ) return -1;
    leg->sqrt_price = p - moved;
    leg->out        = (uint64_t)( ( ( (u128)l0 * moved >> 64 ) + (u128)l1 * moved ) >> 64 );
    return 0;
  }
  if( sf_quotient( in, 0, 0, 0, l1, l0, &moved ) ) return -1;
  u128 next = p + moved, low = (u128)l0 * moved, high = ( low >> 64 ) + (u128)l1 * moved;
  sf_u256_t d     = sf_wide_mul( p, next );
  leg->sqrt_price = next;
  return d.w[3] ? -1
                : sf_quotient( (uint64_t)( high >> 64 ), (uint64_t)high, (uint64_t)low, d.w[2], d.w[1], d.w[0],
                               &leg->out );
}

ALWAYS int leg_in( state_t const * s, int a_to_b, uint64_t in, int partial, leg_t * leg ) {
  leg->in         = in;
  leg->left       = 0;
  leg->sqrt_price = s->sqrt_price;
  if( s->collect_mode == COLLECT_COMPOUNDING ) return leg_reserves_in( s, a_to_b, in, leg );
  u128 end = a_to_b ? s->sqrt_min : s->sqrt_max;
  uint64_t room;
  int err;
  if( partial &&
      !( a_to_b ? delta_a( s->liquidity, end, s->sqrt_price, 1, &room )
                : delta_b( s->liquidity, s->sqrt_price, end, 1, &room ) ) &&
      in >= room ) {
    leg->in         = room;
    leg->left       = in - room;
    leg->sqrt_price = end;
  } else {
    if( __builtin_expect( !s->liquidity, 0 ) ) return PANIC;
    if( !partial && __builtin_expect( !leg_small( s, a_to_b, in, leg ), 1 ) )
      return ( a_to_b ? leg->sqrt_price < end : leg->sqrt_price > end ) ? SF_DAMM_V2_ERR_RANGE : 0;
    if( ( err = leg_price_in( s, a_to_b, in, &leg->sqrt_price ) ) ) return err;
    if( !partial && ( a_to_b ? leg->sqrt_price < end : leg->sqrt_price > end ) ) return SF_DAMM_V2_ERR_RANGE;
  }
  return a_to_b ? delta_b( s->liquidity, leg->sqrt_price, s->sqrt_price, 0, &leg->out )
                : delta_a( s->liquidity, s->sqrt_price, leg->sqrt_price, 0, &leg->out );
}

/* The same of an output of token a: with A = out*P the price rises by ceil( A*P / (L-A) ). */
ALWAYS int leg_small_out( state_t const * s, uint64_t out, leg_t * leg ) {
  u128 l = s->liquidity, p = s->sqrt_price, low = (u128)out * (uint64_t)p,
       high = ( low >> 64 ) + (u128)out * (uint64_t)( p >> 64 ), a = high << 64 | (uint64_t)low, d = l - a;
  uint64_t moved, rest;
  if( high >> 64 || a >= l ) return -1;
  sf_u256_t n = sf_wide_mul( a, p );
  if( n.w[3] || sf_quotient_rest( n.w[2], n.w[1], n.w[0], 0, (uint64_t)( d >> 64 ), (uint64_t)d, &moved, &rest ) ||
      __builtin_add_overflow( moved, rest, &moved ) || __builtin_add_overflow( p, (u128)moved, &leg->sqrt_price ) )
    return -1;
  low     = (u128)(uint64_t)l * moved;
  high    = ( low >> 64 ) + (u128)(uint64_t)( l >> 64 ) * moved;
  leg->in = (uint64_t)( high >> 64 ) + ( ( (uint64_t)low | (uint64_t)high ) != 0 );
  return 0;
}

ALWAYS int leg_out( state_t const * s, int a_to_b, uint64_t out, leg_t * leg ) {
  leg->out        = out;
  leg->left       = 0;
  leg->sqrt_price = s->sqrt_price;
  if( s->collect_mode == COLLECT_COMPOUNDING ) {
    uint64_t x = s->reserve[!a_to_b], y = s->reserve[!!a_to_b];
    if( out >= y ) return SF_DAMM_V2_ERR_OVERFLOW;
    u128 n  = ( (u128)x * out + ( y - out - 1 ) ) / ( y - out );
    leg->in = (uint64_t)n;
    return n >> 64 ? SF_DAMM_V2_ERR_CAST : 0;
  }
  if( __builtin_expect( !s->liquidity, 0 ) ) return PANIC;
  u128 quotient;
  int rest;
  if( a_to_b ) {
    rest = sf_wide_div( ( sf_u256_t ){ { 0, 0, out, 0 } }, sf_wide_of( s->liquidity ), &quotient );
    if( rest < 0 || __builtin_add_overflow( quotient, (u128)rest, &quotient ) || quotient > s->sqrt_price )
      return SF_DAMM_V2_ERR_OVERFLOW;
    leg->sqrt_price = s->sqrt_price - quotient;
    if( leg->sqrt_price < s->sqrt_min ) return SF_DAMM_V2_ERR_RANGE;
    return delta_a( s->liquidity, leg->sqrt_price, s->sqrt_price, 1, &leg->in );
  }
  if( out ) {
    if( __builtin_expect( !leg_small_out( s, out, leg ), 1 ) )
      return leg->sqrt_price > s->sqrt_max ? SF_DAMM_V2_ERR_RANGE : 0;
    u128 high = (u128)out * (uint64_t)( s->sqrt_price >> 64 ) +
                ( (u128)out * (uint64_t)s->sqrt_price >> 64 ); /* of out*P; the low word is out*P modulo 2^64 */
    u128 moved = high << 64 | out * (uint64_t)s->sqrt_price;
    if( high >> 64 || moved >= s->liquidity ) return SF_DAMM_V2_ERR_OVERFLOW;
    rest = sf_wide_div( sf_wide_mul( s->liquidity, s->sqrt_price ), sf_wide_of( s->liquidity - moved ), &quotient );
    if( rest < 0 || __builtin_add_overflow( quotient, (u128)rest, &leg->sqrt_price ) ) return SF_DAMM_V2_ERR_CAST;
  }
  if( leg->sqrt_price > s->sqrt_max ) return SF_DAMM_V2_ERR_RANGE;
  return delta_b( s->liquidity, s->sqrt_price, leg->sqrt_price, 1, &leg->in );
}

/* -- the account ---------------------------------------------------------- */

#define AT_CLIFF       8
#define AT_BASE_MODE   16
#define AT_PERIOD_CNT  22
#define AT_PERIOD      24 /* u64, or two u32 */
#define AT_REDUCTION   32
#define AT_PROTOCOL    48
#define AT_REFERRAL    50
#define AT_COMPOUNDING 54
#define AT_DYNAMIC     56
#define AT_MAX         64
#define AT_CONTROL     68
#define AT_STEP        72
#define AT_FILTER      74
#define AT_DECAY       76
#define AT_KEEP        78
#define AT_TIME        80
#define AT_BIN_STEP    88
#define AT_REFERENCE   104
#define AT_VOLATILITY  120
#define AT_CARRY       136
#define AT_SQRT_START  152
#define AT_MINT        168
#define AT_VAULT       232
#define AT_LIQUIDITY   360
#define AT_SQRT_MIN    424
#define AT_SQRT_MAX    440
#define AT_SQRT_PRICE  456
#define AT_ACTIVATION  472
#define AT_BY_TIME     480
#define AT_STATUS      481
#define AT_TOKEN_2022  482
#define AT_COLLECT     484
#define AT_FEE_VERSION 486
#define AT_RESERVE     680
#define AT_LAYOUT      696

#define LIMITER_BPS_MAX 9900
#define BIN_STEP_MIN    65536 /* far below the one that is in use; smaller ones can overflow the program */

static int wrong( uint32_t offset, char const * what ) {
  return sf_err_set( SF_ERR_DATA, "meteora damm v2 pool: %s at offset %u", what, offset );
}

static int decode_base( uint8_t const * data, state_t * s ) {
  s->base_mode  = data[AT_BASE_MODE];
  s->fee_cliff  = sf_get_u64( data + AT_CLIFF );
  s->period_cnt = sf_get_u16( data + AT_PERIOD_CNT );
  s->fee_last   = s->fee_cliff;
  if( s->fee_cliff > SF_DAMM_V2_RATE_ONE ) return wrong( AT_CLIFF, "a rate above all" );
  if( s->base_mode == SF_DAMM_V2_BASE_LIMITER ) {
    s->duration    = get_u32( data + AT_PERIOD );
    s->limiter_max = get_u32( data + AT_PERIOD + 4 );
    s->period      = sf_get_u64( data + AT_REDUCTION );
    int parts      = !!s->duration + !!s->limiter_max + !!s->period + !!s->period_cnt;
    if( parts && parts < 4 ) return wrong( AT_PERIOD_CNT, "half a limiter" );
    if( s->limiter_max > LIMITER_BPS_MAX || ( parts && s->fee_cliff > s->limiter_max * SF_DAMM_V2_RATE_BPS ) )
      return wrong( AT_PERIOD + 4, "a limiter's highest rate" );
    if( s->period_cnt >= SF_BPS ) return wrong( AT_PERIOD_CNT, "a limiter's step above all" );
    return 0;
  }
  s->reduction = sf_get_u64( data + AT_REDUCTION );
  if( s->base_mode <= SF_DAMM_V2_BASE_EXPONENTIAL ) {
    s->period = sf_get_u64( data + AT_PERIOD );
    if( !s->period ) s->period_cnt = 0; /* no schedule */
  } else {
    s->period   = get_u32( data + AT_PERIOD );
    s->duration = get_u32( data + AT_PERIOD + 4 );
    if( !s->period ) return wrong( AT_PERIOD, "a price schedule without a step" );
  }
  if( s->period && sf_damm_v2_rate_after( s, s->period_cnt, &s->fee_last ) )
    return wrong( AT_REDUCTION, "a schedule that ends below zero" );
  return 0;
}

static int decode_volatility( uint8_t const * data, state_t * s ) {
  s->dynamic = data[AT_DYNAMIC] != 0;
  if( !s->dynamic ) return 0;
  s->volatility_max     = get_u32( data + AT_MAX );
  s->volatility_control = get_u32( data + AT_CONTROL );
  s->volatility_step    = sf_get_u16( data + AT_STEP );
  s->filter_seconds     = sf_get_u16( data + AT_FILTER );
  s->decay_seconds      = sf_get_u16( data + AT_DECAY );
  s->volatility_keep    = sf_get_u16( data + AT_KEEP );
  s->volatility_time    = sf_get_u64( data + AT_TIME );
  s->bin_step           = get_u128( data + AT_BIN_STEP );
  s->sqrt_reference     = get_u128( data + AT_REFERENCE );
  s->volatility         = sf_get_u64( data + AT_VOLATILITY );
  s->volatility_carry   = sf_get_u64( data + AT_CARRY );
  if( s->bin_step < BIN_STEP_MIN ) return wrong( AT_BIN_STEP, "a volatility step" );
  if( s->sqrt_reference >> SQRT_BITS ) return wrong( AT_REFERENCE, "a price" );
  if( get_u128( data + AT_VOLATILITY ) > s->volatility_max )
    return wrong( AT_VOLATILITY, "volatility above its limit" );
  if( get_u128( data + AT_CARRY ) >> 48 ) return wrong( AT_CARRY, "volatility" );
  if( sf_damm_v2_rate_variable( s, &s->fee_variable ) ) return wrong( AT_VOLATILITY, "a rate that overflows" );
  return 0;
}

static int decode_curve( uint8_t const * data, state_t * s ) {
  s->liquidity  = get_u128( data + AT_LIQUIDITY );
  s->sqrt_min   = get_u128( data + AT_SQRT_MIN );
  s->sqrt_max   = get_u128( data + AT_SQRT_MAX );
  s->sqrt_price = get_u128( data + AT_SQRT_PRICE );
  s->reserve[0] = sf_get_u64( data + AT_RESERVE );
  s->reserve[1] = sf_get_u64( data + AT_RESERVE + 8 );
  if( s->sqrt_price >> SQRT_BITS ) return wrong( AT_SQRT_PRICE, "a price" );
  if( s->collect_mode == COLLECT_COMPOUNDING ) return 0;
  if( s->sqrt_min < SQRT_MIN || s->sqrt_min >= s->sqrt_max ) return wrong( AT_SQRT_MIN, "a range" );
  if( s->sqrt_max > SQRT_MAX ) return wrong( AT_SQRT_MAX, "a range" );
  if( s->sqrt_price < s->sqrt_min || s->sqrt_price > s->sqrt_max )
    return wrong( AT_SQRT_PRICE, "a price out of range" );
  /* pools that do not keep their reserves yet: the next swap makes them of the range */
  if( !data[AT_LAYOUT] && ( delta_a( s->liquidity, s->sqrt_price, s->sqrt_max, 1, &s->reserve[0] ) ||
                            delta_b( s->liquidity, s->sqrt_min, s->sqrt_price, 1, &s->reserve[1] ) ) )
    return wrong( AT_LIQUIDITY, "liquidity that needs too large reserves" );
  return 0;
}

int sf_meteora_damm_v2_decode( uint8_t const * data, uint32_t len, state_t * out ) {
  static struct {
    uint32_t offset;
    uint32_t most;
    char const * what;
  } const bytes[] = {
    { AT_BASE_MODE, SF_DAMM_V2_BASE_PRICE_EXPONENTIAL, "an unknown base fee mode" },
    { AT_PROTOCOL, 100, "a percentage" },
    { AT_REFERRAL, 100, "a percentage" },
    { AT_BY_TIME, 1, "an unknown activation type" },
    { AT_STATUS, 1, "an unknown status" },
    { AT_TOKEN_2022, 1, "an unknown token program" },
    { AT_TOKEN_2022 + 1, 1, "an unknown token program" },
    { AT_COLLECT, COLLECT_COMPOUNDING, "an unknown collect mode" },
    { AT_FEE_VERSION, 1, "an unknown fee version" },
    { AT_LAYOUT, 1, "an unknown layout" },
  };
  if( len != SF_METEORA_DAMM_V2_POOL_BYTES )
    return sf_err_set( SF_ERR_DATA, "meteora damm v2 pool: %u bytes, not %u", len, SF_METEORA_DAMM_V2_POOL_BYTES );
  if( sf_get_u64( data ) != SF_METEORA_DAMM_V2_TAG_POOL ) return wrong( 0, "another discriminator" );
  for( uint32_t i = 0; i < sizeof( bytes ) / sizeof( bytes[0] ); i++ )
    if( data[bytes[i].offset] > bytes[i].most ) return wrong( bytes[i].offset, bytes[i].what );
  memset( out, 0, sizeof( *out ) );
  out->slot             = UINT64_MAX;
  out->sqrt_start       = get_u128( data + AT_SQRT_START );
  out->activation       = sf_get_u64( data + AT_ACTIVATION );
  out->fee_max          = ( data[AT_FEE_VERSION] ? 9900 : 5000 ) * SF_DAMM_V2_RATE_BPS;
  out->collect_mode     = data[AT_COLLECT];
  out->by_time          = data[AT_BY_TIME];
  out->disabled         = data[AT_STATUS];
  out->protocol_percent = data[AT_PROTOCOL];
  out->referral_percent = data[AT_REFERRAL];
  out->compounding_bps  = sf_get_u16( data + AT_COMPOUNDING );
  memcpy( out->token_2022, data + AT_TOKEN_2022, 2 );
  memcpy( out->mint, data + AT_MINT, 64 );
  memcpy( out->vault, data + AT_VAULT, 64 );
  if( out->compounding_bps > SF_BPS ) return wrong( AT_COMPOUNDING, "a share above all" );
  int err = decode_base( data, out );
  if( !err ) err = decode_volatility( data, out );
  return err ? err : decode_curve( data, out );
}

/* -- quotes --------------------------------------------------------------- */

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
static inline int too_far( u128 a, u128 b ) { return a > b ? a >> 64 >= b : b >> 64 >= a; }

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

/* Fills q with a swap's end: its leg, its fee and what the payer's accounts see.  0 or the program's error. */
static inline int settle( state_t const * s, int a_to_b, int on_input, leg_t const * leg, uint64_t fee, uint64_t now,
                          sf_quote_t * q ) {
  uint64_t protocol = fee / 100 * s->protocol_percent + fee % 100 * s->protocol_percent / 100;
  uint64_t referral =
      s->referral ? protocol / 100 * s->referral_percent + protocol % 100 * s->referral_percent / 100 : 0;
  uint64_t kept       = s->compounding_bps ? sf_bps_of( fee - protocol, s->compounding_bps ) : 0;
  uint64_t reserve[2] = { s->reserve[0], s->reserve[1] }, carry;
  if( __builtin_expect( !s->liquidity, 0 ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  if( __builtin_add_overflow( reserve[!a_to_b], leg->in, &reserve[!a_to_b] ) ||
      __builtin_sub_overflow( reserve[!!a_to_b], leg->out, &reserve[!!a_to_b] ) ||
      __builtin_add_overflow( reserve[1], kept, &reserve[1] ) )
    return SF_DAMM_V2_ERR_OVERFLOW;
  u128 next = leg->sqrt_price;
  if( s->collect_mode == COLLECT_COMPOUNDING ) {
    if( !reserve[0] ) return SF_DAMM_V2_ERR_OVERFLOW;
    uint64_t rest, hi = reserve[1] / reserve[0], mid = sf_div_word( reserve[1] % reserve[0], 0, reserve[0], &rest );
    next = sf_damm_v2_root( ( sf_u256_t ){ { sf_div_word( rest, 0, reserve[0], &rest ), mid, hi, 0 } } );
  }
  if( s->dynamic && ( too_far( next, volatility_from( s, now, &carry ) ) || too_far( next, s->sqrt_price ) ) )
    return SF_DAMM_V2_ERR_OVERFLOW;
  q->fee          = fee;
  q->protocol_fee = protocol - referral;
  q->creator_fee  = referral;
  q->reserve_a    = reserve[0];
  q->reserve_b    = reserve[1];
  q->status       = SF_QUOTE_OK;
  q->error        = 0;
  q->fee_in_input = (uint32_t)on_input;
  q->tick         = 0;
  q->crossed      = 0;
  q->impact_ppm   = s->collect_mode == COLLECT_COMPOUNDING
                        ? impact( (u128)s->reserve[!a_to_b] + leg->in, s->reserve[!a_to_b] )
                        : impact( s->sqrt_price, next );
  q->sqrt_price   = next;
  q->liquidity    = s->liquidity;
  return 0;
}

/* The slot or second that schedules count; 0 if swaps are not allowed (yet). */
static inline int point_of( state_t const * s, uint64_t now, uint64_t * point ) {
  *point = s->by_time ? now : s->slot;
  return s->disabled || *point < s->activation ? SF_DAMM_V2_ERR_DISABLED : 0;
}

static inline int fee_on_input( state_t const * s, int a_to_b ) { return !a_to_b && s->collect_mode != COLLECT_BOTH; }

static inline __attribute__( ( always_inline ) ) int quote_input( state_t const * s, int a_to_b, uint64_t amount,
                                                                  uint64_t now, int partial, sf_quote_t * q ) {
  int on_input = fee_on_input( s, a_to_b ), err;
  uint64_t point, rate, fee = 0, net = amount - sf_transfer_fee_of( &s->transfer_fee[!a_to_b], amount );
  leg_t leg;
  if( ( err = point_of( s, now, &point ) ) ) return err;
  if( !net ) return SF_DAMM_V2_ERR_ZERO;
  if( ( err = sf_damm_v2_rate( s, a_to_b, point, net, 0, &rate ) ) ) return err;
  if( on_input ) fee = sf_damm_v2_fee_of( net, rate );
  if( ( err = leg_in( s, a_to_b, net - fee, partial, &leg ) ) ) return err;
  if( partial ) {
    uint64_t paid = net;
    if( leg.left ) {
      paid = leg.in;
      if( on_input ) {
        uint64_t again;
        if( ( err = sf_damm_v2_rate( s, a_to_b, point, leg.in, 1, &again ) ) ) return err;
        if( ( err = sf_damm_v2_before_fee( leg.in, again, &paid ) ) ) return err;
        fee = paid - leg.in;
      }
    }
    q->amount_in = paid;
  } else q->amount_in = amount;
  if( !on_input ) fee = sf_damm_v2_fee_of( leg.out, rate );
  uint64_t out  = on_input ? leg.out : leg.out - fee;
  q->amount_out = out - sf_transfer_fee_of( &s->transfer_fee[!!a_to_b], out );
  if( partial && sf_transfer_fee_before( &s->transfer_fee[!a_to_b], q->amount_in, &q->amount_in ) )
    return SF_DAMM_V2_ERR_OVERFLOW;
  return settle( s, a_to_b, on_input, &leg, fee, now, q );
}

static inline int quote_output( state_t const * s, int a_to_b, uint64_t amount, uint64_t now, sf_quote_t * q ) {
  int on_input = fee_on_input( s, a_to_b ), err;
  uint64_t point, rate, gross, taken, paid;
  leg_t leg;
  if( ( err = point_of( s, now, &point ) ) ) return err;
  if( !amount ) return SF_DAMM_V2_ERR_ZERO;
  if( sf_transfer_fee_before( &s->transfer_fee[!!a_to_b], amount, &gross ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  taken = gross;
  if( !on_input && ( ( err = sf_damm_v2_rate( s, a_to_b, point, gross, 1, &rate ) ) ||
                     ( err = sf_damm_v2_before_fee( gross, rate, &taken ) ) ) )
    return err;
  if( ( err = leg_out( s, a_to_b, taken, &leg ) ) ) return err;
  paid = leg.in;
  if( on_input && ( ( err = sf_damm_v2_rate( s, a_to_b, point, leg.in, 1, &rate ) ) ||
                    ( err = sf_damm_v2_before_fee( leg.in, rate, &paid ) ) ) )
    return err;
  if( sf_transfer_fee_before( &s->transfer_fee[!a_to_b], paid, &q->amount_in ) ) return SF_DAMM_V2_ERR_OVERFLOW;
  q->amount_out = amount;
  return settle( s, a_to_b, on_input, &leg, on_input ? paid - leg.in : taken - gross, now, q );
}

void sf_meteora_damm_v2_quote_in( state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  int err = quote_input( s, a_to_b, amount_in, now, 0, q );
  if( __builtin_expect( err, 0 ) ) refuse( q, err );
}

void sf_meteora_damm_v2_quote_out( state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  int err = quote_output( s, a_to_b, amount_out, now, q );
  if( __builtin_expect( err, 0 ) ) refuse( q, err );
}

void sf_meteora_damm_v2_quote_partial( state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                       sf_quote_t * q ) {
  int err = quote_input( s, a_to_b, amount_in, now, 1, q );
  if( __builtin_expect( err, 0 ) ) refuse( q, err );
}

int sf_meteora_damm_v2_ranged( state_t const * s ) { return s->collect_mode != COLLECT_COMPOUNDING; }

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
}
