#include "dex/meteora_damm_v2.h"

#include <string.h>

#include "base/err.h"
#include "dex/bps.h"
#include "dex/bytes.h"
#include "dex/meteora_damm_v2_curve.h"

typedef sf_u128_t u128;
typedef sf_meteora_damm_v2_state_t state_t;

#define SQRT_MIN  ( (u128)4295048016UL )
#define SQRT_MAX  ( (u128)4294886577UL << 64 | 0x845c1aa94e69579bUL )
#define SQRT_BITS 112 /* of a compounding pool's price, which has no bounds but cannot have more */

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
  if( s->collect_mode == SF_DAMM_V2_COLLECT_COMPOUNDING ) return 0;
  if( s->sqrt_min < SQRT_MIN || s->sqrt_min >= s->sqrt_max ) return wrong( AT_SQRT_MIN, "a range" );
  if( s->sqrt_max > SQRT_MAX ) return wrong( AT_SQRT_MAX, "a range" );
  if( s->sqrt_price < s->sqrt_min || s->sqrt_price > s->sqrt_max )
    return wrong( AT_SQRT_PRICE, "a price out of range" );
  /* pools that do not keep their reserves yet: the next swap makes them of the range */
  if( !data[AT_LAYOUT] && ( sf_damm_v2_delta_a( s->liquidity, s->sqrt_price, s->sqrt_max, 1, &s->reserve[0] ) ||
                            sf_damm_v2_delta_b( s->liquidity, s->sqrt_min, s->sqrt_price, 1, &s->reserve[1] ) ) )
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
    { AT_COLLECT, SF_DAMM_V2_COLLECT_COMPOUNDING, "an unknown collect mode" },
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
  if( !err ) err = decode_curve( data, out );
  if( !err ) sf_damm_v2_prepare( out );
  return err;
}
