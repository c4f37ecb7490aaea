/* meteora_damm_v2_pool.h: where a pool of Meteora DAMM v2 has what, one swap of it, and error numbers.

   The arithmetic (the headers meteora_damm_v2_fee.h, _curve.h, _math.h) works on the account's bytes and
   uses no system call, so it also compiles natively.  Functions return 0 or the program's error.

   Source: MeteoraAg/damm-v2, program version 0.2: state/pool.rs, error.rs. */

#ifndef SF_SBF_METEORA_DAMM_V2_POOL_H
#define SF_SBF_METEORA_DAMM_V2_POOL_H

#include "sbf/token_fee.h"
#include "sbf/wide.h"

#define DAMM_RATE_ONE 1000000000UL /* rates are per 10^9 */
#define DAMM_RATE_BPS 100000UL     /* one basis point of it */
#define DAMM_BPS      10000UL

enum {
  DAMM_OVERFLOW        = 6000,
  DAMM_SLIPPAGE        = 6002,
  DAMM_DISABLED        = 6003,
  DAMM_ZERO            = 6006,
  DAMM_CAST            = 6007,
  DAMM_RANGE           = 6015,
  DAMM_COLLECT_MODE    = 6017,
  DAMM_INVALID_INPUT   = 6018,
  DAMM_BASE_FEE_MODE   = 6047,
  DAMM_NOT_SINGLE_SWAP = 6049,
  DAMM_UNDETERMINED    = 6051,
};

/* Offsets in a pool's data.  Prices are square roots in Q64.64 of token b per token a. */
enum {
  DAMM_CLIFF             = 8,
  DAMM_BASE_MODE         = 16,
  DAMM_PERIODS           = 22, /* u16; limiter: basis points added a step */
  DAMM_PERIOD            = 24, /* u64; by price: u32 step and u32 duration; limiter: u32 duration, u32 most */
  DAMM_REDUCTION         = 32, /* limiter: the amount whose multiples are steps */
  DAMM_PROTOCOL_PERCENT  = 48,
  DAMM_REFERRAL_PERCENT  = 50,
  DAMM_COMPOUNDING_BPS   = 54,
  DAMM_DYNAMIC           = 56,
  DAMM_VOLATILITY_MAX    = 64,
  DAMM_VARIABLE_CONTROL  = 68,
  DAMM_STEP              = 72,
  DAMM_FILTER            = 74,
  DAMM_DECAY             = 76,
  DAMM_KEEP              = 78, /* basis points of volatility carried over */
  DAMM_UPDATED           = 80,
  DAMM_STEP_Q64          = 88,
  DAMM_REFERENCE         = 104,
  DAMM_VOLATILITY        = 120,
  DAMM_CARRIED           = 136,
  DAMM_START_PRICE       = 152,
  DAMM_MINTS             = 168,
  DAMM_VAULTS            = 232,
  DAMM_LIQUIDITY         = 360,
  DAMM_PROTOCOL_FEES     = 392,
  DAMM_PRICE_MIN         = 424,
  DAMM_PRICE_MAX         = 440,
  DAMM_PRICE             = 456,
  DAMM_ACTIVATION        = 472,
  DAMM_ACTIVATION_TYPE   = 480, /* 0: slots, 1: unix seconds */
  DAMM_STATUS            = 481,
  DAMM_COLLECT           = 484,
  DAMM_FEE_VERSION       = 486,
  DAMM_FEE_PER_LIQUIDITY = 488, /* U256 each */
  DAMM_TOTAL_LP_FEES     = 568, /* u128 each */
  DAMM_TOTAL_PROTOCOL    = 600,
  DAMM_RESERVES          = 680,
  DAMM_LAYOUT            = 696, /* 0: reserves are not kept yet */
  DAMM_POOL_SIZE         = 1112,
};

enum { DAMM_COLLECT_BOTH, DAMM_COLLECT_B, DAMM_COLLECT_COMPOUNDING };
enum { DAMM_EXACT_IN, DAMM_PARTIAL, DAMM_EXACT_OUT };

/* What a swap asks for, and what it comes to. */
typedef struct damm_swap {
  uint8_t * pool;
  uint64_t amount;
  uint64_t mode; /* DAMM_EXACT_IN, ... */
  bool a_to_b;
  bool referral;
  uint64_t point; /* slot or second, as the pool counts */
  uint64_t now;   /* unix seconds */
  token_fee_t transfer_in, transfer_out;

  bool fee_on_input, fee_on_a;
  sbf_u128_t liquidity, price, price_min, price_max;
  uint64_t reserve[2]; /* a, b */
  uint64_t sent;       /* by the payer, with the mint's transfer fee */
  uint64_t paid;       /* arrives in the vault */
  uint64_t given;      /* of that, what goes into the curve */
  uint64_t left;       /* of a partial fill */
  uint64_t taken;      /* out of the curve, fee included */
  uint64_t output;     /* leaves the vault for the taker */
  uint64_t received;   /* after the mint's transfer fee */
  uint64_t fee, claiming_fee, protocol_fee, compounding_fee, referral_fee;
  sbf_u128_t next; /* the price afterwards */
} damm_swap_t;

SBF_INLINE uint64_t damm_u32( uint8_t const * p ) { return *(sbf_u32_alias_t const *)p; }

#define DAMM_TRY( expr )              \
  do {                                \
    uint64_t damm_code = ( expr );    \
    if( damm_code ) return damm_code; \
  } while( 0 )

#define DAMM_REQUIRE( cond, code ) \
  do {                             \
    if( !( cond ) ) return code;   \
  } while( 0 )

SBF_INLINE wide_t damm_wide( sbf_u128_t a ) { return ( wide_t ){ { a.lo, a.hi, 0, 0, 0 } }; }

/* damm_scaled sets *to to amount*rate/per, which must fit 64 bits. */
SBF_FUNCTION uint64_t damm_scaled( uint64_t * to, uint64_t amount, uint64_t rate, uint64_t per ) {
  sbf_u128_t scaled;
  sbf_mul_div( &scaled, amount, rate, per, false );
  *to = scaled.lo;
  return scaled.hi ? DAMM_CAST : 0;
}

/* damm_root sets *root to floor( sqrt( n ) ) of a number of at most 192 bits (Newton, from above). */
SBF_FUNCTION void damm_root( sbf_u128_t * root, wide_t const * n ) {
  uint64_t word = wide_length( n );
  *root         = sbf_u128( 0 );
  if( !word ) return;
  uint64_t bits = 64 * ( word - 1 ), top = n->w[word - 1];
  for( ; top; top >>= 1 ) bits++;
  uint64_t half = ( bits + 1 ) / 2;
  sbf_u128_t x  = half < 64 ? ( sbf_u128_t ){ 1UL << half, 0 } : ( sbf_u128_t ){ 0, 1UL << ( half - 64 ) };
  for( ;; ) {
    wide_t quotient, divisor = damm_wide( x );
    wide_div( &quotient, n, &divisor );
    sbf_u128_t y = sbf_u128_add( x, ( sbf_u128_t ){ quotient.w[0], quotient.w[1] } );
    y            = ( sbf_u128_t ){ ( y.lo >> 1 ) | ( y.hi << 63 ), y.hi >> 1 };
    if( !sbf_u128_less( y, x ) ) break;
    x = y;
  }
  *root = x;
}

#endif
