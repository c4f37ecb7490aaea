#include "dex/raydium_amm_v4.h"

#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/metas.h"
#include "dex/product.h"
#include "solana/address.h"
#include "solana/program.h"

#define POOL_STATUS         0
#define POOL_NONCE          8
#define POOL_DECIMALS       32
#define POOL_FEE            176 /* numerator, denominator */
#define POOL_OWED           192
#define POOL_OPEN_TIME      224
#define POOL_VAULT          336
#define POOL_MINT           400
#define POOL_OPEN_ORDERS    496
#define POOL_MARKET         528
#define POOL_MARKET_PROGRAM 560
#define POOL_TARGET_ORDERS  592

#define TAG_SWAP_IN        9
#define TAG_SWAP_OUT       11
#define TAG_SWAP_IN_BRIEF  16
#define TAG_SWAP_OUT_BRIEF 17

#define LOG_SWAP_IN  3
#define LOG_SWAP_OUT 4

uint8_t const sf_raydium_amm_v4_program[32] = SF_RAYDIUM_AMM_V4_PROGRAM;

int sf_raydium_amm_v4_pool_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len,
                                   sf_raydium_amm_v4_state_t * s ) {
  if( len != SF_RAYDIUM_AMM_V4_POOL_BYTES )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 pool: %u bytes, not %u", len, SF_RAYDIUM_AMM_V4_POOL_BYTES );
  uint64_t status = sf_get_u64( data + POOL_STATUS ), nonce = sf_get_u64( data + POOL_NONCE );
  uint64_t num = sf_get_u64( data + POOL_FEE ), den = sf_get_u64( data + POOL_FEE + 8 );
  if( !status || status > SF_RAYDIUM_AMM_V4_WAITING )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 pool: status %lu at offset %u", status, POOL_STATUS );
  if( nonce > UINT8_MAX )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 pool: nonce %lu at offset %u", nonce, POOL_NONCE );
  if( num >= den )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 pool: fee of %lu/%lu at offset %u", num, den, POOL_FEE );
  if( !memcmp( data + POOL_MINT, data + POOL_MINT + 32, 32 ) ||
      !memcmp( data + POOL_VAULT, data + POOL_VAULT + 32, 32 ) )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 pool: both sides are the same at offset %u", POOL_VAULT );
  memset( s, 0, sizeof( *s ) );
  memcpy( s->pubkey, pubkey, 32 );
  for( uint32_t side = 0; side < 2; side++ ) {
    memcpy( s->vault[side], data + POOL_VAULT + 32 * side, 32 );
    memcpy( s->mint[side], data + POOL_MINT + 32 * side, 32 );
    s->owed[side]     = sf_get_u64( data + POOL_OWED + 8 * side );
    s->decimals[side] = sf_get_u64( data + POOL_DECIMALS + 8 * side );
  }
  memcpy( s->open_orders, data + POOL_OPEN_ORDERS, 32 );
  memcpy( s->target_orders, data + POOL_TARGET_ORDERS, 32 );
  memcpy( s->market, data + POOL_MARKET, 32 );
  memcpy( s->market_program, data + POOL_MARKET_PROGRAM, 32 );
  s->status          = (uint32_t)status;
  s->nonce           = (uint32_t)nonce;
  s->fee_numerator   = num;
  s->fee_denominator = den;
  s->open_time       = sf_get_u64( data + POOL_OPEN_TIME );
  return 0;
}

/* What is fixed in the short way. */
static void short_ready( sf_raydium_amm_v4_state_t * s ) {
  uint64_t num = s->fee_numerator, den = s->fee_denominator;
  uint64_t limit[] = { sf_rate_up_ready( num, den, &s->fee ), sf_rate_up_ready( num, den - num, &s->on_top ) };
  uint64_t small   = limit[0] < limit[1] ? limit[0] : limit[1];
  if( small > SF_SMALL_MAX ) small = SF_SMALL_MAX;
  for( uint32_t side = 0; side < 2; side++ )
    if( !s->reserve[side] || s->room[side] < UINT64_MAX - SF_SMALL_MAX ) small = 0;
  s->small = small;
}

int sf_raydium_amm_v4_vaults( sf_raydium_amm_v4_state_t * s, uint64_t coin, uint64_t pc ) {
  uint64_t const amount[2] = { coin, pc };
  if( coin < s->owed[0] || pc < s->owed[1] )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 pool: vaults of %lu and %lu owe %lu and %lu", coin, pc, s->owed[0],
                       s->owed[1] );
  for( uint32_t side = 0; side < 2; side++ ) {
    s->reserve[side] = amount[side] - s->owed[side];
    s->room[side]    = UINT64_MAX - amount[side];
  }
  short_ready( s );
  return 0;
}

int sf_raydium_amm_v4_authority( sf_raydium_amm_v4_state_t const * s, uint8_t out[32] ) {
  uint8_t nonce           = (uint8_t)s->nonce;
  sf_seed_t const seed[2] = { { "amm authority", 13 }, { &nonce, 1 } };
  if( sf_address_create( seed, 2, sf_raydium_amm_v4_program, out ) )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 pool: nonce %u at offset %u gives no authority", nonce,
                       POOL_NONCE );
  return 0;
}

/* -- quotes --------------------------------------------------------------- */

static inline void fill( sf_raydium_amm_v4_state_t const * s, int a_to_b, uint64_t in, uint64_t out, uint64_t fee,
                         sf_quote_t * q ) {
  uint64_t a = a_to_b ? s->reserve[0] + in : s->reserve[0] - out;
  uint64_t b = a_to_b ? s->reserve[1] - out : s->reserve[1] + in;
  sf_quote_fill( q, in, out, a, b, 1, sf_product_impact( a_to_b ? s->reserve[0] : s->reserve[1], in - fee ) );
  q->fee = fee;
}

static __attribute__( ( noinline ) ) void quote_in_long( sf_raydium_amm_v4_state_t const * s, int a_to_b,
                                                         uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  uint64_t x = a_to_b ? s->reserve[0] : s->reserve[1], y = a_to_b ? s->reserve[1] : s->reserve[0];
  if( __builtin_expect( !sf_raydium_amm_v4_swaps( s, now ), 0 ) )
    return sf_quote_refuse( q, SF_RAYDIUM_AMM_V4_ERR_STATUS );
  uint64_t fee = __builtin_expect( s->fee_denominator == SF_BPS, 1 )
                     ? sf_bps_up( amount_in, s->fee_numerator )
                     : sf_part_up( amount_in, s->fee_numerator, s->fee_denominator );
  uint64_t v   = amount_in - fee;
  int fits     = amount_in <= s->room[!a_to_b]; /* else the transfer fails, unless the program does before */
  if( __builtin_expect( !x & !v, 0 ) ) return sf_quote_refuse( q, 0 ); /* division by zero: it panics */
  uint64_t out =
      __builtin_expect( fits, 1 ) ? sf_product_out( x, y, v ) : (uint64_t)( (sf_u128_t)y * v / ( (sf_u128_t)x + v ) );
  if( __builtin_expect( !out, 0 ) ) return sf_quote_refuse( q, SF_RAYDIUM_AMM_V4_ERR_INPUT );
  if( __builtin_expect( out >= y, 0 ) ) return sf_quote_refuse( q, SF_RAYDIUM_AMM_V4_ERR_FUNDS );
  if( __builtin_expect( !fits, 0 ) ) return sf_quote_refuse( q, 0 );
  fill( s, a_to_b, amount_in, out, fee, q );
}

static __attribute__( ( noinline ) ) void quote_out_long( sf_raydium_amm_v4_state_t const * s, int a_to_b,
                                                          uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  uint64_t x = a_to_b ? s->reserve[0] : s->reserve[1], y = a_to_b ? s->reserve[1] : s->reserve[0];
  uint64_t v, rest;
  if( __builtin_expect( !sf_raydium_amm_v4_swaps( s, now ), 0 ) )
    return sf_quote_refuse( q, SF_RAYDIUM_AMM_V4_ERR_STATUS );
  if( __builtin_expect( amount_out >= y, 0 ) ) return sf_quote_refuse( q, 0 ); /* it panics */
  if( sf_product_in( x, y, amount_out, &v, &rest ) || __builtin_add_overflow( v, (uint64_t)( rest > 0 ), &v ) )
    return sf_quote_refuse( q, 0 );
  if( __builtin_expect( !v, 0 ) ) return sf_quote_refuse( q, SF_RAYDIUM_AMM_V4_ERR_INPUT );
  uint64_t keep = s->fee_denominator - s->fee_numerator;
  sf_u128_t n   = (sf_u128_t)v * s->fee_denominator;
  if( __builtin_expect( (uint64_t)( n >> 64 ) >= keep, 0 ) ) return sf_quote_refuse( q, 0 );
  uint64_t in = sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, keep, &rest );
  if( __builtin_add_overflow( in, (uint64_t)( rest > 0 ), &in ) || in > s->room[!a_to_b] )
    return sf_quote_refuse( q, 0 );
  fill( s, a_to_b, in, amount_out, in - v, q );
}

static inline void fill_small( sf_raydium_amm_v4_state_t const * s, int side, uint64_t in, uint64_t out, uint64_t fee,
                               sf_quote_t * q ) {
  uint64_t x = s->reserve[side];
  sf_quote_fill_side( q, side, in, out, x + in, s->reserve[!side] - out, sf_product_impact_small( x, in - fee ) );
  q->fee = fee;
}

void sf_raydium_amm_v4_quote_in( sf_raydium_amm_v4_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                 sf_quote_t * q ) {
  int side = !a_to_b;
  if( __builtin_expect( amount_in - 1 >= s->small || !sf_raydium_amm_v4_swaps( s, now ), 0 ) )
    return quote_in_long( s, a_to_b, amount_in, now, q );
  uint64_t fee = sf_rate_up( &s->fee, amount_in );
  uint64_t out = sf_product_out_small( s->reserve[side], s->reserve[!side], amount_in - fee );
  if( __builtin_expect( !out, 0 ) ) return quote_in_long( s, a_to_b, amount_in, now, q );
  fill_small( s, side, amount_in, out, fee, q );
}

uint64_t sf_raydium_amm_v4_out_small( sf_raydium_amm_v4_state_t const * s, int a_to_b, uint64_t amount_in,
                                      uint64_t now ) {
  if( __builtin_expect( amount_in - 1 >= s->small || !sf_raydium_amm_v4_swaps( s, now ), 0 ) ) return 0;
  uint64_t left = amount_in - sf_rate_up( &s->fee, amount_in );
  return sf_product_out_small( s->reserve[!a_to_b], s->reserve[!!a_to_b], left );
}

void sf_raydium_amm_v4_quote_out( sf_raydium_amm_v4_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                  sf_quote_t * q ) {
  int side = !a_to_b;
  uint64_t v, more;
  if( __builtin_expect(
          amount_out - 1 >= s->small || amount_out >= s->reserve[!side] || !sf_raydium_amm_v4_swaps( s, now ), 0 ) ||
      sf_product_in_small( s->reserve[side], s->reserve[!side], amount_out, &v, &more ) ||
      __builtin_expect( v > s->small, 0 ) )
    return quote_out_long( s, a_to_b, amount_out, now, q );
  uint64_t fee = sf_rate_up( &s->on_top, v );
  fill_small( s, side, v + fee, amount_out, fee, q );
}

/* -- the swap instruction and its log -------------------------------------- */

uint32_t sf_raydium_amm_v4_swap_data( sf_raydium_amm_v4_swap_t const * swap, uint8_t * out ) {
  out[0] = swap->exact_in ? ( swap->brief ? TAG_SWAP_IN_BRIEF : TAG_SWAP_IN )
                          : ( swap->brief ? TAG_SWAP_OUT_BRIEF : TAG_SWAP_OUT );
  sf_put_u64( out + 1, swap->exact_in ? swap->amount : swap->threshold );
  sf_put_u64( out + 9, swap->exact_in ? swap->threshold : swap->amount );
  return SF_RAYDIUM_AMM_V4_SWAP_DATA_BYTES;
}

int sf_raydium_amm_v4_swap_parse( uint8_t const * data, uint32_t len, sf_raydium_amm_v4_swap_t * out ) {
  if( len < SF_RAYDIUM_AMM_V4_SWAP_DATA_BYTES )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 swap: %u bytes, fewer than %u", len,
                       SF_RAYDIUM_AMM_V4_SWAP_DATA_BYTES );
  uint8_t tag = data[0];
  if( tag != TAG_SWAP_IN && tag != TAG_SWAP_OUT && tag != TAG_SWAP_IN_BRIEF && tag != TAG_SWAP_OUT_BRIEF )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 swap: tag %u at offset 0", tag );
  uint64_t first = sf_get_u64( data + 1 ), second = sf_get_u64( data + 9 );
  out->exact_in  = tag == TAG_SWAP_IN || tag == TAG_SWAP_IN_BRIEF;
  out->brief     = tag == TAG_SWAP_IN_BRIEF || tag == TAG_SWAP_OUT_BRIEF;
  out->amount    = out->exact_in ? first : second;
  out->threshold = out->exact_in ? second : first;
  return 0;
}

int sf_raydium_amm_v4_swap_accounts( sf_raydium_amm_v4_state_t const * s, int brief, uint8_t const user_in[32],
                                     uint8_t const user_out[32], uint8_t const owner[32], sf_account_meta_t * out,
                                     uint32_t * cnt ) {
  uint8_t authority[32];
  int err = sf_raydium_amm_v4_authority( s, authority );
  if( err ) return err;
  uint32_t n = 0;
  sf_account_meta_put( out, &n, sf_program_token, 0, 0 );
  sf_account_meta_put( out, &n, s->pubkey, 0, 1 );
  sf_account_meta_put( out, &n, authority, 0, 0 );
  if( !brief ) {
    sf_account_meta_put( out, &n, s->open_orders, 0, 1 );
    sf_account_meta_put( out, &n, s->target_orders, 0, 1 );
  }
  sf_account_meta_put( out, &n, s->vault[0], 0, 1 );
  sf_account_meta_put( out, &n, s->vault[1], 0, 1 );
  if( !brief ) {
    sf_account_meta_put( out, &n, s->market_program, 0, 0 );
    for( uint32_t i = 0; i < 7; i++ ) sf_account_meta_put( out, &n, s->market, 0, 1 );
  }
  sf_account_meta_put( out, &n, user_in, 0, 1 );
  sf_account_meta_put( out, &n, user_out, 0, 1 );
  sf_account_meta_put( out, &n, owner, 1, 0 );
  *cnt = n;
  return 0;
}

int sf_raydium_amm_v4_traded_parse( uint8_t const * data, uint32_t len, sf_raydium_amm_v4_traded_t * out ) {
  if( len != SF_RAYDIUM_AMM_V4_LOG_BYTES )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 log: %u bytes, not %u", len, SF_RAYDIUM_AMM_V4_LOG_BYTES );
  if( data[0] != LOG_SWAP_IN && data[0] != LOG_SWAP_OUT )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 log: type %u at offset 0", data[0] );
  uint64_t direction = sf_get_u64( data + 17 );
  if( direction != 1 && direction != 2 )
    return sf_err_set( SF_ERR_DATA, "raydium amm v4 log: direction %lu at offset 17", direction );
  uint64_t first = sf_get_u64( data + 1 ), second = sf_get_u64( data + 9 );
  out->exact_in    = data[0] == LOG_SWAP_IN;
  out->a_to_b      = direction == 2;
  out->amount      = out->exact_in ? first : second;
  out->threshold   = out->exact_in ? second : first;
  out->user_source = sf_get_u64( data + 25 );
  out->reserve[0]  = sf_get_u64( data + 33 );
  out->reserve[1]  = sf_get_u64( data + 41 );
  out->other       = sf_get_u64( data + 49 );
  return 0;
}
