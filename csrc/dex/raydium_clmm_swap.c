#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/metas.h"
#include "dex/raydium_clmm.h"
#include "solana/address.h"
#include "solana/program.h"

/* first eight bytes of sha256 of "global:swap", "global:swap_v2", "event:SwapEvent" */
#define TAG_SWAP    0xc88775e1919ec6f8UL
#define TAG_SWAP_V2 0x621ec91a0bed042bUL
#define TAG_EVENT   0xe2710826e8cdc640UL

#define DATA_AMOUNT    8
#define DATA_THRESHOLD 16
#define DATA_LIMIT     24
#define DATA_EXACT_IN  40

#define EVENT_BYTES 205

#define OWN_ARRAYS 512 /* on each side, in the pool's own bitmap */

static uint8_t const memo_program[32] = {
  0x05, 0x4a, 0x53, 0x5a, 0x99, 0x29, 0x21, 0x06, 0x4d, 0x24, 0xe8, 0x71, 0x60, 0xda, 0x38, 0x7c,
  0x7c, 0x35, 0xb5, 0xdd, 0xbc, 0x92, 0xbb, 0x81, 0xe4, 0x1f, 0xa8, 0x40, 0x41, 0x05, 0x44, 0x8d,
};

static sf_u128_t get_u128( uint8_t const * p ) { return (sf_u128_t)sf_get_u64( p + 8 ) << 64 | sf_get_u64( p ); }

void sf_raydium_clmm_swap_data( sf_clmm_swap_t const * swap, uint8_t * out ) {
  sf_put_u64( out, swap->v2 ? TAG_SWAP_V2 : TAG_SWAP );
  sf_put_u64( out + DATA_AMOUNT, swap->amount );
  sf_put_u64( out + DATA_THRESHOLD, swap->threshold );
  sf_put_u64( out + DATA_LIMIT, (uint64_t)swap->sqrt_price_limit );
  sf_put_u64( out + DATA_LIMIT + 8, (uint64_t)( swap->sqrt_price_limit >> 64 ) );
  out[DATA_EXACT_IN] = swap->exact_in != 0;
}

int sf_raydium_clmm_swap_parse( uint8_t const * data, uint32_t len, sf_clmm_swap_t * out ) {
  uint64_t tag = len >= 8 ? sf_get_u64( data ) : 0;
  if( tag != TAG_SWAP && tag != TAG_SWAP_V2 )
    return sf_err_set( SF_ERR_DATA, "raydium clmm swap: discriminator %016lx at offset 0", tag );
  if( len != SF_CLMM_SWAP_DATA_BYTES ) return sf_err_set( SF_ERR_DATA, "raydium clmm swap: %u bytes", len );
  if( data[DATA_EXACT_IN] > 1 )
    return sf_err_set( SF_ERR_DATA, "raydium clmm swap: %u at offset %u is not a bool", data[DATA_EXACT_IN],
                       DATA_EXACT_IN );
  out->amount           = sf_get_u64( data + DATA_AMOUNT );
  out->threshold        = sf_get_u64( data + DATA_THRESHOLD );
  out->sqrt_price_limit = get_u128( data + DATA_LIMIT );
  out->exact_in         = data[DATA_EXACT_IN];
  out->v2               = tag == TAG_SWAP_V2;
  return 0;
}

static int array_address( sf_raydium_clmm_state_t const * s, int32_t number, uint8_t out[32] ) {
  uint32_t start    = (uint32_t)( number * SF_CLMM_ARRAY_TICKS * (int32_t)s->spacing );
  uint8_t seed4[4]  = { (uint8_t)( start >> 24 ), (uint8_t)( start >> 16 ), (uint8_t)( start >> 8 ), (uint8_t)start };
  sf_seed_t seed[3] = { { "tick_array", 10 }, { s->pubkey, 32 }, { seed4, 4 } };
  int bump          = sf_address_find( seed, 3, sf_raydium_clmm_program, out );
  return bump < 0 ? bump : 0;
}

static int extension_put( sf_raydium_clmm_state_t const * s, sf_account_meta_t * out, uint32_t * cnt ) {
  uint8_t key[32];
  sf_seed_t seed[2] = { { "pool_tick_array_bitmap_extension", 32 }, { s->pubkey, 32 } };
  int bump          = sf_address_find( seed, 2, sf_raydium_clmm_program, key );
  if( bump < 0 ) return bump;
  sf_account_meta_put( out, cnt, key, 0, 1 );
  return 0;
}

static int extended( int32_t number ) { return number < -OWN_ARRAYS || number >= OWN_ARRAYS; }

int sf_raydium_clmm_swap_accounts( sf_raydium_clmm_state_t const * s, int v2, int a_to_b, int32_t const * number,
                                   uint32_t arrays, uint8_t const payer[32], uint8_t const user_in[32],
                                   uint8_t const user_out[32], sf_account_meta_t * out, uint32_t * cnt ) {
  int32_t span = SF_CLMM_ARRAY_TICKS * (int32_t)s->spacing;
  int far      = extended( sf_tick_floor( s->ticks.tick, span ) / span );
  uint32_t n   = 0;
  if( !arrays ) return sf_err_set( SF_ERR_STATE, "raydium clmm: no tick array lies in the direction of the swap" );
  for( uint32_t i = 0; i < arrays; i++ ) far |= extended( number[i] );
  sf_account_meta_put( out, &n, payer, 1, 0 );
  sf_account_meta_put( out, &n, s->config, 0, 0 );
  sf_account_meta_put( out, &n, s->pubkey, 0, 1 );
  sf_account_meta_put( out, &n, user_in, 0, 1 );
  sf_account_meta_put( out, &n, user_out, 0, 1 );
  sf_account_meta_put( out, &n, s->vault[!a_to_b], 0, 1 );
  sf_account_meta_put( out, &n, s->vault[!!a_to_b], 0, 1 );
  sf_account_meta_put( out, &n, s->observation, 0, 1 );
  sf_account_meta_put( out, &n, sf_program_token, 0, 0 );
  if( v2 ) {
    sf_account_meta_put( out, &n, sf_program_token_2022, 0, 0 );
    sf_account_meta_put( out, &n, memo_program, 0, 0 );
    sf_account_meta_put( out, &n, s->mint[!a_to_b], 0, 0 );
    sf_account_meta_put( out, &n, s->mint[!!a_to_b], 0, 0 );
  }
  /* swap has its first array among the fixed accounts, swap_v2 all of them behind; the extension comes first behind */
  for( uint32_t i = 0; i < arrays; i++ ) {
    uint8_t key[32];
    int err;
    if( !i && far && v2 && ( err = extension_put( s, out, &n ) ) ) return err;
    if( ( err = array_address( s, number[i], key ) ) ) return err;
    sf_account_meta_put( out, &n, key, 0, 1 );
    if( !i && far && !v2 && ( err = extension_put( s, out, &n ) ) ) return err;
  }
  *cnt = n;
  return 0;
}

int sf_raydium_clmm_swap_event_parse( uint8_t const * data, uint32_t len, sf_clmm_swap_event_t * out ) {
  if( len != EVENT_BYTES || sf_get_u64( data ) != TAG_EVENT || data[168] > 1 )
    return sf_err_set( SF_ERR_DATA, "raydium clmm: %u bytes that are not a SwapEvent", len );
  memcpy( out->pool, data + 8, 32 );
  memcpy( out->sender, data + 40, 32 );
  for( int i = 0; i < 2; i++ ) {
    out->amount[i]       = sf_get_u64( data + 136 + 16 * i );
    out->transfer_fee[i] = sf_get_u64( data + 144 + 16 * i );
  }
  out->a_to_b     = data[168];
  out->sqrt_price = get_u128( data + 169 );
  out->liquidity  = get_u128( data + 185 );
  memcpy( &out->tick, data + 201, 4 );
  return 0;
}
