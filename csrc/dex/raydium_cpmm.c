#include "dex/raydium_cpmm.h"

#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/token.h"

typedef unsigned __int128 u128;

#define PPM 1000000u

/* first eight bytes of sha256 of "account:PoolState", "account:AmmConfig", "global:swap_base_input" */
#define TAG_POOL       0x46dec3d7f5e3edf7UL
#define TAG_CONFIG     0x6f2bcbcb6821f4daUL
#define TAG_SWAP_INPUT 0xde331ec4da5abe8fUL

#define POOL_CONFIG          8
#define POOL_VAULT           72
#define POOL_MINT            168
#define POOL_PROGRAM         232
#define POOL_OBSERVATION     296
#define POOL_STATUS          329
#define POOL_DECIMALS        331
#define POOL_PROTOCOL_FEES   341
#define POOL_FUND_FEES       357
#define POOL_OPEN_TIME       373
#define POOL_CREATOR_FEE_ON  389
#define POOL_CREATOR_ENABLED 390
#define POOL_CREATOR_FEES    397

#define STATUS_NO_SWAP 4

#define CONFIG_TRADE   12
#define CONFIG_CREATOR 108

static int account_kind( uint8_t const * data, uint32_t len ) {
  uint64_t tag = len >= 8 ? sf_get_u64( data ) : 0;
  if( tag == TAG_POOL || len == SF_CPMM_POOL_BYTES ) {
    if( len != SF_CPMM_POOL_BYTES )
      return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: %u bytes, not %u", len, SF_CPMM_POOL_BYTES );
    if( tag != TAG_POOL ) return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: discriminator %016lx at offset 0", tag );
    return SF_ACCOUNT_POOL;
  }
  if( tag == TAG_CONFIG || len == SF_CPMM_CONFIG_BYTES ) {
    if( len != SF_CPMM_CONFIG_BYTES )
      return sf_err_set( SF_ERR_DATA, "raydium cpmm config: %u bytes, not %u", len, SF_CPMM_CONFIG_BYTES );
    if( tag != TAG_CONFIG )
      return sf_err_set( SF_ERR_DATA, "raydium cpmm config: discriminator %016lx at offset 0", tag );
    return SF_ACCOUNT_CONFIG;
  }
  return SF_ACCOUNT_OTHER;
}

static int kind_check( uint8_t const * data, uint32_t len, int kind, char const * what ) {
  int got = account_kind( data, len );
  if( got < 0 ) return got;
  if( got != kind ) return sf_err_set( SF_ERR_DATA, "raydium cpmm: %u bytes that are not a %s", len, what );
  return 0;
}

static int pool_decode( uint8_t const * data, uint32_t len, sf_pool_state_t * out ) {
  int err = kind_check( data, len, SF_ACCOUNT_POOL, "pool" );
  if( err ) return err;
  memcpy( out->config, data + POOL_CONFIG, 32 );
  memcpy( out->observation, data + POOL_OBSERVATION, 32 );
  for( uint32_t side = 0; side < 2; side++ ) {
    memcpy( out->vault[side], data + POOL_VAULT + 32 * side, 32 );
    memcpy( out->mint[side], data + POOL_MINT + 32 * side, 32 );
    memcpy( out->program[side], data + POOL_PROGRAM + 32 * side, 32 );
    out->decimals[side] = data[POOL_DECIMALS + side];
    if( !sf_token_program_known( out->program[side] ) )
      return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: no token program at offset %u", POOL_PROGRAM + 32 * side );
    u128 owed = (u128)sf_get_u64( data + POOL_PROTOCOL_FEES + 8 * side ) +
                sf_get_u64( data + POOL_FUND_FEES + 8 * side ) + sf_get_u64( data + POOL_CREATOR_FEES + 8 * side );
    if( owed >> 64 )
      return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: fees owed at offset %u overflow",
                         POOL_PROTOCOL_FEES + 8 * side );
    out->owed[side] = (uint64_t)owed;
  }
  if( !memcmp( out->mint[0], out->mint[1], 32 ) || !memcmp( out->vault[0], out->vault[1], 32 ) )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: both sides are the same at offset %u", POOL_VAULT );
  out->creator_fee_on      = data[POOL_CREATOR_FEE_ON];
  out->creator_fee_enabled = data[POOL_CREATOR_ENABLED];
  if( out->creator_fee_on > 2 )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: creator fee on %u at offset %u", out->creator_fee_on,
                       POOL_CREATOR_FEE_ON );
  if( out->creator_fee_enabled > 1 )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: %u at offset %u is not a bool", out->creator_fee_enabled,
                       POOL_CREATOR_ENABLED );
  out->open_time     = sf_get_u64( data + POOL_OPEN_TIME );
  out->swap_disabled = ( data[POOL_STATUS] & STATUS_NO_SWAP ) != 0;
  return 0;
}

static int config_decode( uint8_t const * data, uint32_t len, sf_pool_config_t * out ) {
  int err = kind_check( data, len, SF_ACCOUNT_CONFIG, "config" );
  if( err ) return err;
  uint64_t trade   = sf_get_u64( data + CONFIG_TRADE );
  uint64_t creator = sf_get_u64( data + CONFIG_CREATOR );
  if( trade >= PPM || creator >= PPM || trade + creator >= PPM )
    return sf_err_set( SF_ERR_DATA,
                       "raydium cpmm config: rates %lu at offset %u and %lu at offset %u leave nothing of %u", trade,
                       CONFIG_TRADE, creator, CONFIG_CREATOR, PPM );
  out->trade_fee_ppm   = (uint32_t)trade;
  out->creator_fee_ppm = (uint32_t)creator;
  return 0;
}

static int price( sf_pool_state_t const * state, sf_pool_config_t const * config, uint64_t vault_a, uint64_t vault_b,
                  sf_pool_update_t * out ) {
  if( vault_a < state->owed[0] || vault_b < state->owed[1] )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: vaults of %lu and %lu owe %lu and %lu in fees", vault_a,
                       vault_b, state->owed[0], state->owed[1] );
  out->venue           = SF_VENUE_RAYDIUM_CPMM;
  out->reserve_a       = vault_a - state->owed[0];
  out->reserve_b       = vault_b - state->owed[1];
  out->trade_fee_ppm   = config->trade_fee_ppm;
  out->creator_fee_ppm = state->creator_fee_enabled ? config->creator_fee_ppm : 0;
  out->creator_fee_on  = state->creator_fee_on;
  out->open_time       = state->open_time > UINT32_MAX ? UINT32_MAX : (uint32_t)state->open_time;
  out->flags           = state->swap_disabled || !out->reserve_a || !out->reserve_b ? SF_POOL_DISABLED : 0;
  return 0;
}

/* -- quotes --------------------------------------------------------------- */

/* The high word of n is below d, so the quotient fits 64 bits. */
static inline uint64_t divide( u128 n, uint64_t d ) {
  uint64_t quotient, rest;
  __asm__( "divq %4"
           : "=a"( quotient ), "=d"( rest )
           : "a"( (uint64_t)n ), "d"( (uint64_t)( n >> 64 ) ), "r"( d )
           : "cc" );
  return quotient;
}

/* ceil( amount*rate / 10^6 ), at most amount. */
static inline uint64_t fee_of( uint64_t amount, uint32_t rate ) {
  u128 n = (u128)amount * rate + ( PPM - 1 );
  return __builtin_expect( !( n >> 64 ), 1 ) ? (uint64_t)n / PPM : divide( n, PPM );
}

/* ceil( n/d ); 0 if it does not fit 64 bits. */
static inline uint64_t divide_up( u128 n, uint64_t d ) {
  n += d - 1;
  return (uint64_t)( n >> 64 ) < d ? divide( n, d ) : 0;
}

/* The least amount that leaves `amount` after a fee of rate; 0 if it does not fit 64 bits. */
static inline uint64_t before_fee( uint64_t amount, uint32_t rate ) {
  return rate ? divide_up( (u128)amount * PPM, PPM - rate ) : amount;
}

typedef struct sides {
  uint64_t x;        /* reserve of what comes in */
  uint64_t y;        /* of what goes out */
  uint32_t rate_in;  /* taken from the input */
  uint32_t rate_out; /* taken off the output */
  int refused;       /* the program splits the input fee by its rate and fails if that is zero */
} sides_t;

static inline sides_t sides_of( sf_pool_update_t const * pool, int a_to_b ) {
  int on_input     = !pool->creator_fee_on || pool->creator_fee_on == ( a_to_b ? 1u : 2u );
  uint32_t creator = pool->creator_fee_ppm;
  sides_t s;
  s.x        = a_to_b ? pool->reserve_a : pool->reserve_b;
  s.y        = a_to_b ? pool->reserve_b : pool->reserve_a;
  s.rate_in  = pool->trade_fee_ppm + ( on_input ? creator : 0 );
  s.rate_out = on_input ? 0 : creator;
  s.refused  = !s.x || !s.y || ( on_input && !s.rate_in );
  return s;
}

uint64_t sf_cpmm_quote_in( sf_pool_update_t const * pool, int a_to_b, uint64_t amount_in ) {
  sides_t s = sides_of( pool, a_to_b );
  if( __builtin_expect( s.refused, 0 ) ) return 0;
  uint64_t v   = amount_in - fee_of( amount_in, s.rate_in );
  uint64_t sum = s.x + v;
  /* y*v / (x+v) is below y, so its high word is below the divisor */
  uint64_t out =
      __builtin_expect( sum >= v, 1 ) ? divide( (u128)s.y * v, sum ) : (uint64_t)( (u128)s.y * v / ( (u128)s.x + v ) );
  return s.rate_out ? out - fee_of( out, s.rate_out ) : out;
}

uint64_t sf_cpmm_quote_out( sf_pool_update_t const * pool, int a_to_b, uint64_t amount_out ) {
  sides_t s = sides_of( pool, a_to_b );
  if( __builtin_expect( s.refused || !amount_out, 0 ) ) return 0;
  uint64_t out = before_fee( amount_out, s.rate_out );
  if( !out || out >= s.y ) return 0;
  u128 n     = (u128)s.x * out;
  uint64_t d = s.y - out;
  if( n < d ) return 2 * n >= d ? before_fee( 1, s.rate_in ) : 0; /* below one: to the nearest; all others up */
  return before_fee( divide_up( n, d ), s.rate_in );
}

static void curve( sf_pool_update_t const * pool, int a_to_b, sf_curve_t * out ) {
  sides_t s       = sides_of( pool, a_to_b );
  out->x          = (double)s.x;
  out->y          = (double)s.y;
  out->in_factor  = s.refused ? 0. : (double)( PPM - s.rate_in ) / PPM;
  out->out_factor = (double)( PPM - s.rate_out ) / PPM;
}

/* -- the swap instruction ------------------------------------------------- */

static void meta_put( sf_account_meta_t * out, uint8_t const pubkey[32], int signer, int writable ) {
  memcpy( out->pubkey, pubkey, 32 );
  out->signer   = (uint8_t)signer;
  out->writable = (uint8_t)writable;
}

static int swap_accounts( sf_pool_row_t const * pool, int a_to_b, uint8_t const user_in[32], uint8_t const user_out[32],
                          uint8_t const payer[32], sf_account_meta_t * out, uint32_t * cnt ) {
  meta_put( &out[0], payer, 1, 0 );
  meta_put( &out[1], pool->authority, 0, 0 );
  meta_put( &out[2], pool->config, 0, 0 );
  meta_put( &out[3], pool->pool, 0, 1 );
  meta_put( &out[4], user_in, 0, 1 );
  meta_put( &out[5], user_out, 0, 1 );
  meta_put( &out[6], a_to_b ? pool->vault_a : pool->vault_b, 0, 1 );
  meta_put( &out[7], a_to_b ? pool->vault_b : pool->vault_a, 0, 1 );
  meta_put( &out[8], a_to_b ? pool->program_a : pool->program_b, 0, 0 );
  meta_put( &out[9], a_to_b ? pool->program_b : pool->program_a, 0, 0 );
  meta_put( &out[10], a_to_b ? pool->mint_a : pool->mint_b, 0, 0 );
  meta_put( &out[11], a_to_b ? pool->mint_b : pool->mint_a, 0, 0 );
  meta_put( &out[12], pool->observation, 0, 1 );
  *cnt = SF_CPMM_ACCOUNT_CNT;
  return 0;
}

static int swap_data( uint64_t amount_in, uint64_t min_out, uint8_t * out, uint32_t * len ) {
  sf_put_u64( out, TAG_SWAP_INPUT );
  sf_put_u64( out + 8, amount_in );
  sf_put_u64( out + 16, min_out );
  *len = SF_CPMM_DATA_BYTES;
  return 0;
}

sf_venue_t const sf_raydium_cpmm = {
  .venue         = SF_VENUE_RAYDIUM_CPMM,
  .name          = "raydium_cpmm",
  .program       = { 0xa9, 0x2a, 0x5a, 0x8b, 0x4f, 0x29, 0x59, 0x52, 0x84, 0x25, 0x50, 0xaa, 0x93, 0xfd, 0x5b, 0x95,
                     0xb5, 0xac, 0xe6, 0xa8, 0xeb, 0x92, 0x0c, 0x93, 0x94, 0x2e, 0x43, 0x69, 0x0c, 0x20, 0xec, 0x73 },
  .authority     = { 0xeb, 0x00, 0xd9, 0xf5, 0xb2, 0x92, 0xb4, 0x21, 0x4a, 0xc7, 0xd0, 0x37, 0xb4, 0xd6, 0xf0, 0x64,
                     0x50, 0xb9, 0x64, 0x60, 0x0d, 0xf3, 0x73, 0x05, 0x2b, 0xb5, 0xe8, 0x4f, 0x2f, 0x8e, 0x9a, 0x67 },
  .account_kind  = account_kind,
  .pool_decode   = pool_decode,
  .config_decode = config_decode,
  .price         = price,
  .quote_in      = sf_cpmm_quote_in,
  .quote_out     = sf_cpmm_quote_out,
  .curve         = curve,
  .swap_accounts = swap_accounts,
  .swap_data     = swap_data,
};
