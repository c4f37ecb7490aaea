/* Raydium CPMM: quotes against the same arithmetic in plain 128-bit division, decoders on real accounts with
   every length and every flipped bit, the swap instruction. */

#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "base/rng.h"
#include "cpmm_fixture.h"

typedef unsigned __int128 u128;

static uint64_t plain_in( sf_pool_update_t const * p, int a_to_b, uint64_t v ) {
  u128 x = a_to_b ? p->reserve_a : p->reserve_b, y = a_to_b ? p->reserve_b : p->reserve_a;
  int on_input  = p->creator_fee_on == 0 || p->creator_fee_on == ( a_to_b ? 1u : 2u );
  uint64_t rate = p->trade_fee_ppm + ( on_input ? p->creator_fee_ppm : 0 );
  if( !x || !y || ( on_input && !rate ) ) return 0;
  u128 d   = v - ( (u128)v * rate + 999999 ) / 1000000;
  u128 out = y * d / ( x + d );
  if( !on_input ) out -= ( out * p->creator_fee_ppm + 999999 ) / 1000000;
  return (uint64_t)out;
}

static void random_pool( sf_rng_t * rng, sf_pool_update_t * p ) {
  memset( p, 0, sizeof( *p ) );
  p->venue           = SF_VENUE_RAYDIUM_CPMM;
  p->reserve_a       = sf_rng_next( rng ) >> sf_rng_below( rng, 64 );
  p->reserve_b       = sf_rng_next( rng ) >> sf_rng_below( rng, 64 );
  p->trade_fee_ppm   = (uint32_t)sf_rng_below( rng, sf_rng_below( rng, 4 ) ? 30000 : 900000 );
  p->creator_fee_ppm = sf_rng_below( rng, 2 ) ? (uint32_t)sf_rng_below( rng, 99000 ) : 0;
  p->creator_fee_on  = (uint32_t)sf_rng_below( rng, 3 );
}

static void test_quotes( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 1 );
  for( uint32_t i = 0; i < 400000; i++ ) {
    sf_pool_update_t p;
    random_pool( &rng, &p );
    int a_to_b = (int)sf_rng_below( &rng, 2 );
    uint64_t v = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    if( i % 16 == 0 ) v = UINT64_MAX - sf_rng_below( &rng, 3 );
    if( i % 32 == 1 ) p.reserve_a = p.reserve_b = UINT64_MAX;
    uint64_t out = sf_cpmm_quote_in( &p, a_to_b, v );
    assert( out == plain_in( &p, a_to_b, v ) );
    uint64_t y = a_to_b ? p.reserve_b : p.reserve_a;
    assert( !y || out < y );
    if( !out ) continue;
    /* the least input: gives at least `out`; one less gives less (the program's rounding may cost one more) */
    uint64_t least = sf_cpmm_quote_out( &p, a_to_b, out );
    if( !least ) continue;
    assert( plain_in( &p, a_to_b, least ) >= out );
    assert( least <= v || plain_in( &p, a_to_b, least - 1 ) <= out );
  }
  sf_pool_update_t p = { .venue = SF_VENUE_RAYDIUM_CPMM, .reserve_a = 1000, .reserve_b = 1000, .trade_fee_ppm = 2500 };
  assert( !sf_cpmm_quote_in( &p, 1, 0 ) && !sf_cpmm_quote_in( &p, 1, 1 ) );
  assert( !sf_cpmm_quote_out( &p, 1, 0 ) && !sf_cpmm_quote_out( &p, 1, 1000 ) &&
          !sf_cpmm_quote_out( &p, 1, UINT64_MAX ) );
  assert( sf_venue_quote_in( &p, 1, 100 ) == sf_cpmm_quote_in( &p, 1, 100 ) );
  p.venue = 999;
  assert( !sf_venue_quote_in( &p, 1, 100 ) );
}

/* The doubles of the curve are the quote but for rounding. */
static void test_curve( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 2 );
  for( uint32_t i = 0; i < 20000; i++ ) {
    sf_pool_update_t p;
    random_pool( &rng, &p );
    p.reserve_a = ( p.reserve_a >> 8 | 1UL << 50 );
    p.reserve_b = ( p.reserve_b >> 8 | 1UL << 50 );
    for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
      sf_curve_t k;
      uint64_t v = 1UL << 45;
      sf_raydium_cpmm.curve( &p, a_to_b, &k );
      double out = k.y * k.out_factor * k.in_factor * (double)v / ( k.x + k.in_factor * (double)v );
      double is  = (double)sf_cpmm_quote_in( &p, a_to_b, v );
      assert( out - is < 1e-9 * is + 4 && is - out < 1e-9 * is + 4 );
    }
  }
}

/* Every length and every flipped bit: an error or a value, never a crash; and what was read is inside. */
static void shake( char const * name, uint8_t const * data, uint32_t len ) {
  sf_pool_state_t state;
  sf_pool_config_t config;
  sf_token_account_t account;
  sf_mint_t mint;
  uint8_t const * programs[] = { sf_program_token, sf_program_token_2022, sf_raydium_cpmm.program };
  uint32_t good              = 0;
  for( uint32_t l = 0; l <= len + 16; l++ ) {
    uint8_t * exact = calloc( 1, l ? l : 1 ); /* its own block, so that a sanitizer sees every byte too far */
    memcpy( exact, data, l < len ? l : len );
    for( uint32_t i = 0; i < 3; i++ ) {
      good += !sf_token_account_decode( programs[i], exact, l, &account );
      good += !sf_mint_decode( programs[i], exact, l, &mint );
    }
    good += !sf_raydium_cpmm.pool_decode( exact, l, &state );
    good += !sf_raydium_cpmm.config_decode( exact, l, &config );
    sf_raydium_cpmm.account_kind( exact, l );
    free( exact );
  }
  uint8_t flipped[1024];
  for( uint32_t bit = 0; bit < 8 * len; bit++ ) {
    memcpy( flipped, data, len );
    flipped[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
    sf_token_account_decode( sf_program_token_2022, flipped, len, &account );
    sf_mint_decode( sf_program_token_2022, flipped, len, &mint );
    if( !sf_raydium_cpmm.config_decode( flipped, len, &config ) )
      assert( config.trade_fee_ppm + config.creator_fee_ppm < 1000000 );
    if( !sf_raydium_cpmm.pool_decode( flipped, len, &state ) ) assert( state.creator_fee_on <= 2 );
    else assert( sf_err_text()[0] );
  }
  if( !good ) {
    fprintf( stderr, "%s decodes as nothing\n", name );
    assert( 0 );
  }
}

static int test_real( void ) {
  uint8_t pool[1024], config[1024], vault[2][1024], mint[1024];
  int pool_len = fixture_dump( "sol_usdc_pool_state", pool, sizeof( pool ) );
  sf_pool_state_t state;
  sf_pool_config_t rates;
  sf_token_account_t account[2];
  sf_mint_t wsol;
  if( pool_len < 0 ) return 0;
  int config_len   = fixture_dump( "amm_config", config, sizeof( config ) ),
      mint_len     = fixture_dump( "wsol_mint", mint, sizeof( mint ) );
  int vault_len[2] = { fixture_dump( "sol_vault", vault[0], 1024 ), fixture_dump( "usdc_vault", vault[1], 1024 ) };
  assert( !sf_raydium_cpmm.pool_decode( pool, (uint32_t)pool_len, &state ) );
  assert( !sf_raydium_cpmm.config_decode( config, (uint32_t)config_len, &rates ) );
  assert( rates.trade_fee_ppm == 2500 && rates.creator_fee_ppm == 500 );
  assert( state.decimals[0] == 9 && state.decimals[1] == 6 && !state.creator_fee_enabled && !state.swap_disabled );
  for( int i = 0; i < 2; i++ ) {
    assert( !sf_token_account_decode( sf_program_token, vault[i], (uint32_t)vault_len[i], &account[i] ) );
    assert( !memcmp( account[i].mint, state.mint[i], 32 ) &&
            !memcmp( account[i].owner, sf_raydium_cpmm.authority, 32 ) );
  }
  assert( !sf_mint_decode( sf_program_token, mint, (uint32_t)mint_len, &wsol ) && wsol.decimals == 9 && !wsol.flags );
  sf_pool_update_t u = { 0 };
  assert( !sf_raydium_cpmm.price( &state, &rates, account[0].amount, account[1].amount, &u ) );
  assert( u.creator_fee_ppm == 0 && u.trade_fee_ppm == 2500 && !u.flags );
  assert( sf_cpmm_quote_in( &u, 1, 146661601909UL ) == 34193440 ); /* what the real program paid */
  assert( sf_raydium_cpmm.price( &state, &rates, 0, account[1].amount, &u ) == SF_ERR_DATA );
  shake( "pool", pool, (uint32_t)pool_len );
  shake( "config", config, (uint32_t)config_len );
  shake( "vault", vault[0], (uint32_t)vault_len[0] );
  shake( "mint", mint, (uint32_t)mint_len );
  return 1;
}

static void test_token_2022( void ) {
  uint8_t data[400] = { 0 };
  sf_mint_t mint;
  data[44] = 6;
  data[45] = 1;
  assert( !sf_mint_decode( sf_program_token_2022, data, 82, &mint ) && !mint.flags );
  assert( sf_mint_decode( sf_program_token_2022, data, 165, &mint ) == SF_ERR_DATA );
  data[165]   = 1;
  data[166]   = 18; /* metadata pointer */
  data[168]   = 64;
  uint32_t at = 166 + 4 + 64;
  assert( !sf_mint_decode( sf_program_token_2022, data, at, &mint ) && !mint.flags );
  data[at]     = 1; /* transfer fee, zero */
  data[at + 2] = 108;
  assert( !sf_mint_decode( sf_program_token_2022, data, at + 112, &mint ) && !mint.flags );
  data[at + 4 + 106] = 100;
  assert( !sf_mint_decode( sf_program_token_2022, data, at + 112, &mint ) && mint.flags == SF_MINT_TRANSFER_FEE );
  data[at] = 14; /* transfer hook */
  assert( !sf_mint_decode( sf_program_token_2022, data, at + 112, &mint ) && mint.flags == SF_MINT_UNKNOWN );
  assert( sf_mint_decode( sf_program_token_2022, data, at + 111, &mint ) == SF_ERR_DATA );
  assert( sf_mint_decode( sf_program_token, data, at + 112, &mint ) == SF_ERR_DATA );
  data[165] = 2;
  assert( sf_mint_decode( sf_program_token_2022, data, at + 112, &mint ) == SF_ERR_DATA );
  data[165] = 1;
  data[45]  = 0;
  assert( sf_mint_decode( sf_program_token_2022, data, at + 112, &mint ) == SF_ERR_DATA );
}

static void test_swap( void ) {
  sf_pool_row_t row = { .venue = SF_VENUE_RAYDIUM_CPMM };
  sf_account_meta_t meta[SF_SWAP_ACCOUNT_MAX];
  uint8_t data[SF_SWAP_DATA_BYTES_MAX], in[32] = { 1 }, out[32] = { 2 }, payer[32] = { 3 };
  uint32_t cnt, len;
  row.vault_a[0]   = 4;
  row.vault_b[0]   = 5;
  row.mint_a[0]    = 6;
  row.mint_b[0]    = 7;
  row.program_a[0] = 8;
  row.program_b[0] = 9;
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    assert( !sf_venue_swap_accounts( &row, a_to_b, in, out, payer, meta, &cnt ) && cnt == 13 );
    assert( meta[0].signer && !meta[0].writable && meta[3].writable && meta[12].writable );
    assert( meta[4].pubkey[0] == 1 && meta[5].pubkey[0] == 2 );
    assert( meta[6].pubkey[0] == ( a_to_b ? 4 : 5 ) && meta[7].pubkey[0] == ( a_to_b ? 5 : 4 ) );
    assert( meta[8].pubkey[0] == ( a_to_b ? 8 : 9 ) && meta[10].pubkey[0] == ( a_to_b ? 6 : 7 ) );
  }
  assert( !sf_venue_swap_data( &row, 1, 258, 3, data, &len ) && len == 24 );
  assert( data[0] == 0x8f && data[7] == 0xde && data[8] == 2 && data[9] == 1 && data[16] == 3 );
  row.venue = 77;
  assert( sf_venue_swap_accounts( &row, 1, in, out, payer, meta, &cnt ) == SF_ERR_ARG );
  assert( sf_venue_swap_data( &row, 1, 1, 1, data, &len ) == SF_ERR_ARG );
}

int main( void ) {
  test_quotes();
  test_curve();
  test_token_2022();
  test_swap();
  int real = test_real();
  printf( "cpmm: ok%s\n", real ? "" : " (no recorded accounts: set SNIPERFORGE_DATA)" );
  return 0;
}
