#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/metas.h"
#include "dex/orca_whirlpool.h"
#include "solana/address.h"

/* first eight bytes of sha256 of "global:swap", "global:swap_v2", "event:Traded" */
#define TAG_SWAP    0xc88775e1919ec6f8UL
#define TAG_SWAP_V2 0x621ec91a0bed042bUL
#define TAG_TRADED  0x96a02b93af49cae1UL

#define DATA_AMOUNT    8
#define DATA_THRESHOLD 16
#define DATA_LIMIT     24
#define DATA_EXACT_IN  40
#define DATA_A_TO_B    41
#define DATA_REMAINING 42 /* of swap_v2: 0 = no further accounts, 1 = their kinds follow */

#define TRADED_BYTES 121

static uint8_t const memo_program[32] = {
  0x05, 0x4a, 0x53, 0x5a, 0x99, 0x29, 0x21, 0x06, 0x4d, 0x24, 0xe8, 0x71, 0x60, 0xda, 0x38, 0x7c,
  0x7c, 0x35, 0xb5, 0xdd, 0xbc, 0x92, 0xbb, 0x81, 0xe4, 0x1f, 0xa8, 0x40, 0x41, 0x05, 0x44, 0x8d,
};

static sf_u128_t get_u128( uint8_t const * p ) { return (sf_u128_t)sf_get_u64( p + 8 ) << 64 | sf_get_u64( p ); }

uint32_t sf_orca_whirlpool_swap_data( sf_whirlpool_swap_t const * swap, uint8_t * out ) {
  sf_put_u64( out, swap->v2 ? TAG_SWAP_V2 : TAG_SWAP );
  sf_put_u64( out + DATA_AMOUNT, swap->amount );
  sf_put_u64( out + DATA_THRESHOLD, swap->threshold );
  sf_put_u64( out + DATA_LIMIT, (uint64_t)swap->sqrt_price_limit );
  sf_put_u64( out + DATA_LIMIT + 8, (uint64_t)( swap->sqrt_price_limit >> 64 ) );
  out[DATA_EXACT_IN] = swap->exact_in != 0;
  out[DATA_A_TO_B]   = swap->a_to_b != 0;
  if( swap->v2 ) out[DATA_REMAINING] = 0;
  return DATA_REMAINING + ( swap->v2 ? 1 : 0 );
}

int sf_orca_whirlpool_swap_parse( uint8_t const * data, uint32_t len, sf_whirlpool_swap_t * out ) {
  uint64_t tag = len >= 8 ? sf_get_u64( data ) : 0;
  if( tag != TAG_SWAP && tag != TAG_SWAP_V2 )
    return sf_err_set( SF_ERR_DATA, "whirlpool swap: discriminator %016lx at offset 0", tag );
  int v2 = tag == TAG_SWAP_V2;
  if( v2 ? len <= DATA_REMAINING : len != DATA_REMAINING )
    return sf_err_set( SF_ERR_DATA, "whirlpool swap: %u bytes", len );
  for( uint32_t at = DATA_EXACT_IN; at < DATA_REMAINING + (uint32_t)v2; at++ )
    if( data[at] > 1 ) return sf_err_set( SF_ERR_DATA, "whirlpool swap: %u at offset %u is not a bool", data[at], at );
  if( v2 && !data[DATA_REMAINING] && len != DATA_REMAINING + 1 )
    return sf_err_set( SF_ERR_DATA, "whirlpool swap: %u bytes", len );
  out->amount           = sf_get_u64( data + DATA_AMOUNT );
  out->threshold        = sf_get_u64( data + DATA_THRESHOLD );
  out->sqrt_price_limit = get_u128( data + DATA_LIMIT );
  out->exact_in         = data[DATA_EXACT_IN];
  out->a_to_b           = data[DATA_A_TO_B];
  out->v2               = (uint8_t)v2;
  return 0;
}

static int array_address( uint8_t const pool[32], int32_t start, uint8_t out[32] ) {
  char number[12];
  sf_seed_t seed[3] = { { "tick_array", 10 }, { pool, 32 }, { number, 0 } };
  seed[2].len       = (uint32_t)snprintf( number, sizeof( number ), "%d", start );
  int bump          = sf_address_find( seed, 3, sf_orca_whirlpool_program, out );
  return bump < 0 ? bump : 0;
}

int sf_orca_whirlpool_swap_accounts( sf_orca_whirlpool_state_t const * s, int v2, int32_t const * start,
                                     uint32_t arrays, uint8_t const authority[32], uint8_t const user_a[32],
                                     uint8_t const user_b[32], sf_account_meta_t * out, uint32_t * cnt ) {
  uint32_t n = 0;
  if( !arrays ) return sf_err_set( SF_ERR_STATE, "whirlpool: no tick array lies in the direction of the swap" );
  if( !v2 && memcmp( s->program[0], s->program[1], 32 ) )
    return sf_err_set( SF_ERR_ARG, "whirlpool: tokens of two token programs need swap_v2" );
  sf_account_meta_put( out, &n, s->program[0], 0, 0 );
  if( v2 ) {
    sf_account_meta_put( out, &n, s->program[1], 0, 0 );
    sf_account_meta_put( out, &n, memo_program, 0, 0 );
  }
  sf_account_meta_put( out, &n, authority, 1, 0 );
  sf_account_meta_put( out, &n, s->pubkey, 0, 1 );
  if( v2 ) {
    sf_account_meta_put( out, &n, s->mint[0], 0, 0 );
    sf_account_meta_put( out, &n, s->mint[1], 0, 0 );
  }
  sf_account_meta_put( out, &n, user_a, 0, 1 );
  sf_account_meta_put( out, &n, s->vault[0], 0, 1 );
  sf_account_meta_put( out, &n, user_b, 0, 1 );
  sf_account_meta_put( out, &n, s->vault[1], 0, 1 );
  for( uint32_t i = 0; i < SF_WHIRLPOOL_SWAP_ARRAYS; i++ ) {
    uint8_t key[32];
    int err = array_address( s->pubkey, start[i < arrays ? i : arrays - 1], key );
    if( err ) return err;
    sf_account_meta_put( out, &n, key, 0, 1 );
  }
  uint8_t oracle[32];
  sf_seed_t seed[2] = { { "oracle", 6 }, { s->pubkey, 32 } };
  int bump          = sf_address_find( seed, 2, sf_orca_whirlpool_program, oracle );
  if( bump < 0 ) return bump;
  sf_account_meta_put( out, &n, oracle, 0, 1 );
  *cnt = n;
  return 0;
}

int sf_orca_whirlpool_traded_parse( uint8_t const * data, uint32_t len, sf_whirlpool_traded_t * out ) {
  if( len != TRADED_BYTES || sf_get_u64( data ) != TAG_TRADED || data[40] > 1 )
    return sf_err_set( SF_ERR_DATA, "whirlpool: %u bytes that are not a Traded event", len );
  memcpy( out->pool, data + 8, 32 );
  out->a_to_b            = data[40];
  out->sqrt_price_before = get_u128( data + 41 );
  out->sqrt_price_after  = get_u128( data + 57 );
  out->amount_in         = sf_get_u64( data + 73 );
  out->amount_out        = sf_get_u64( data + 81 );
  out->transfer_fee_in   = sf_get_u64( data + 89 );
  out->transfer_fee_out  = sf_get_u64( data + 97 );
  out->lp_fee            = sf_get_u64( data + 105 );
  out->protocol_fee      = sf_get_u64( data + 113 );
  return 0;
}
