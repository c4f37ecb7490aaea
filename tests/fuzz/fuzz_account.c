/* fuzz_account.c: any bytes as a pool, a config, a token account and a mint.  What decodes must be
   consistent, must price without a fault, and must never give out the whole reserve. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dex/bytes.h"
#include "dex/raydium_cpmm.h"
#include "dex/token.h"
#include "solana/program.h"

static void quotes( sf_pool_update_t const * u, uint64_t amount ) {
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    uint64_t y   = a_to_b ? u->reserve_b : u->reserve_a;
    uint64_t out = sf_cpmm_quote_in( u, a_to_b, amount );
    if( out && out >= y ) abort();
    uint64_t in = sf_cpmm_quote_out( u, a_to_b, amount );
    if( in && sf_cpmm_quote_in( u, a_to_b, in ) < amount && u->creator_fee_ppm == 0 ) abort();
    sf_curve_t k;
    sf_raydium_cpmm.curve( u, a_to_b, &k );
    if( !( k.in_factor >= 0. && k.in_factor <= 1. && k.out_factor > 0. ) ) abort();
  }
}

/* The input is amounts of two vaults and a swap, then an account. */
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  sf_pool_state_t state;
  sf_pool_config_t config = { 2500, 500 };
  sf_token_account_t account;
  sf_mint_t mint;
  sf_pool_update_t u = { 0 };
  if( size < 24 || size > 10000 ) return 0;
  uint64_t vault_a = sf_get_u64( bytes ), vault_b = sf_get_u64( bytes + 8 ), amount = sf_get_u64( bytes + 16 );
  uint8_t const * data = bytes + 24;
  uint32_t len         = (uint32_t)( size - 24 );
  int kind             = sf_raydium_cpmm.account_kind( data, len );
  int pool             = sf_raydium_cpmm.pool_decode( data, len, &state );
  int conf             = sf_raydium_cpmm.config_decode( data, len, &config );
  if( ( !pool && kind != SF_ACCOUNT_POOL ) || ( !conf && kind != SF_ACCOUNT_CONFIG ) ) abort();
  if( !conf && config.trade_fee_ppm + config.creator_fee_ppm >= 1000000 ) abort();
  if( pool ) {
    memset( &state, 0, sizeof( state ) );
    state.creator_fee_on      = (uint32_t)( amount % 3 );
    state.creator_fee_enabled = amount >> 63;
  }
  if( conf ) config = ( sf_pool_config_t ){ 2500, 500 };
  if( !sf_raydium_cpmm.price( &state, &config, vault_a, vault_b, &u ) ) quotes( &u, amount );
  sf_token_account_decode( sf_program_token, data, len, &account );
  sf_token_account_decode( sf_program_token_2022, data, len, &account );
  sf_mint_decode( sf_program_token, data, len, &mint );
  sf_mint_decode( sf_program_token_2022, data, len, &mint );
  return 0;
}
