/* Raydium CPMM: quotes against the same arithmetic in plain 128-bit division, decoders on real accounts with
   every length and every flipped bit, the swap instruction. */

#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "base/rng.h"
#include "cpmm_fixture.h"

typedef unsigned __int128 u128;

static uint64_t up( u128 n, uint64_t d ) { return (uint64_t)( n / d + ( n % d > 0 ) ); }

static uint64_t withheld( sf_transfer_fee_t const * f, uint64_t v ) {
  uint64_t fee = up( (u128)v * f->bps, 10000 );
  return fee < f->maximum ? fee : f->maximum;
}

/* What swap_base_input pays; 0 if it fails.  Writes what stays of the two reserves (of the input, of the output). */
static uint64_t plain_in( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t amount, uint64_t after[2] ) {
  u128 x = s->reserve[!a_to_b], y = s->reserve[a_to_b];
  int on_input  = s->creator_fee_on == 0 || s->creator_fee_on == ( a_to_b ? 1u : 2u );
  uint64_t rate = s->rates.trade + ( on_input ? s->creator_fee : 0 );
  uint64_t v    = amount - ( s->transfer_fee[!a_to_b].bps ? withheld( &s->transfer_fee[!a_to_b], amount ) : 0 );
  if( !x || !y || !v || ( on_input && !rate ) ) return 0;
  uint64_t fee = up( (u128)v * rate, 1000000 ), d = v - fee;
  uint64_t out = (uint64_t)( y * d / ( x + d ) );
  uint64_t creator =
      on_input ? (uint64_t)( (u128)fee * s->creator_fee / rate ) : up( (u128)out * s->creator_fee, 1000000 );
  uint64_t trade = on_input ? fee - creator : fee;
  uint64_t gone  = (uint64_t)( (u128)trade * s->rates.protocol / 1000000 + (u128)trade * s->rates.fund / 1000000 );
  after[0]       = (uint64_t)x + v - gone - ( on_input ? creator : 0 );
  after[1]       = (uint64_t)y - out;
  if( !on_input ) out -= creator;
  if( s->transfer_fee[a_to_b].bps ) out -= withheld( &s->transfer_fee[a_to_b], out );
  if( v > UINT64_MAX - s->amount[!a_to_b] ) return 0;
  return out;
}

static void random_pool( sf_rng_t * rng, sf_raydium_cpmm_state_t * s ) {
  memset( s, 0, sizeof( *s ) );
  for( int i = 0; i < 2; i++ ) {
    s->reserve[i] = sf_rng_next( rng ) >> sf_rng_below( rng, 64 );
    s->owed[i]    = s->reserve[i] < UINT64_MAX / 2 ? sf_rng_below( rng, 1000 ) : 0;
    s->amount[i]  = s->reserve[i] + s->owed[i];
    if( sf_rng_below( rng, 3 ) ) continue;
    s->transfer_fee[i].bps     = sf_rng_below( rng, 8 ) ? sf_rng_below( rng, 1000 ) : 10000;
    s->transfer_fee[i].maximum = sf_rng_next( rng ) >> sf_rng_below( rng, 64 );
  }
  s->rates.trade    = (uint32_t)sf_rng_below( rng, sf_rng_below( rng, 4 ) ? 30000 : 900000 );
  s->rates.protocol = (uint32_t)sf_rng_below( rng, 500000 );
  s->rates.fund     = (uint32_t)sf_rng_below( rng, 500000 );
  s->creator_fee    = sf_rng_below( rng, 2 ) ? (uint32_t)sf_rng_below( rng, 99000 ) : 0;
  s->creator_fee_on = (uint32_t)sf_rng_below( rng, 3 );
}

static uint64_t in_of( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t v ) {
  sf_quote_t q;
  sf_raydium_cpmm_quote_in( s, a_to_b, v, 0, &q );
  return q.status == SF_QUOTE_OK ? q.amount_out : 0;
}

static uint64_t out_of( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t v ) {
  sf_quote_t q;
  sf_raydium_cpmm_quote_out( s, a_to_b, v, 0, &q );
  return q.status == SF_QUOTE_OK ? q.amount_in : 0;
}

static void test_quotes( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 1 );
  uint32_t paid = 0, inverted = 0;
  for( uint32_t i = 0; i < 400000; i++ ) {
    sf_raydium_cpmm_state_t s;
    sf_quote_t q;
    random_pool( &rng, &s );
    int a_to_b = (int)sf_rng_below( &rng, 2 );
    uint64_t v = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ), after[2];
    if( i % 16 == 0 ) v = UINT64_MAX - sf_rng_below( &rng, 3 );
    if( i % 32 == 1 ) s.reserve[0] = s.reserve[1] = s.amount[0] = s.amount[1] = UINT64_MAX;
    sf_raydium_cpmm_quote_in( &s, a_to_b, v, 0, &q );
    uint64_t out = plain_in( &s, a_to_b, v, after );
    assert( ( q.status == SF_QUOTE_OK ) == ( out > 0 ) && q.amount_out == out );
    if( !out ) continue;
    paid++;
    assert( q.amount_in == v && q.fee_in_input == 1 && q.protocol_fee <= q.fee && q.impact_ppm <= 1000000 );
    assert( ( a_to_b ? q.reserve_a : q.reserve_b ) == after[0] && ( a_to_b ? q.reserve_b : q.reserve_a ) == after[1] );
    /* the least input: gives at least `out`; one less gives less (the program's rounding may cost one more) */
    uint64_t least = out_of( &s, a_to_b, out );
    if( !least ) continue;
    inverted++;
    uint64_t again = plain_in( &s, a_to_b, least, after );
    assert( again >= out || ( s.transfer_fee[0].bps | s.transfer_fee[1].bps ) );
    if( !( s.transfer_fee[0].bps | s.transfer_fee[1].bps ) )
      assert( least <= v || plain_in( &s, a_to_b, least - 1, after ) <= out );
  }
  assert( paid > 100000 && inverted > 50000 );
  sf_raydium_cpmm_state_t s = { .reserve = { 1000, 1000 }, .amount = { 1000, 1000 }, .rates = { .trade = 2500 } };
  assert( !in_of( &s, 1, 0 ) && !in_of( &s, 1, 1 ) );
  assert( !out_of( &s, 1, 0 ) && !out_of( &s, 1, 1000 ) && !out_of( &s, 1, UINT64_MAX ) );
  sf_quote_t q;
  s.open_time = 100;
  sf_raydium_cpmm_quote_in( &s, 1, 500, 99, &q );
  assert( q.status == SF_QUOTE_REFUSED && q.error == SF_RAYDIUM_CPMM_ERR_NOT_APPROVED );
  sf_raydium_cpmm_quote_in( &s, 1, 500, 100, &q );
  assert( q.status == SF_QUOTE_OK );
  s.swap_disabled = 1;
  sf_raydium_cpmm_quote_out( &s, 1, 5, 100, &q );
  assert( q.status == SF_QUOTE_REFUSED && q.error == SF_RAYDIUM_CPMM_ERR_NOT_APPROVED );
}

/* The message is quoted as its state is. */
static void test_update( void ) {
  fixture_update_t p;
  sf_quote_t q;
  fixture_update( &p, 3, 0, 1, 1000000, 2000000, 2500 );
  assert( p.u.reserve[0] == 1000000 && p.u.state_bytes == sizeof( p.s ) && !p.u.flags && !p.u.array_cnt[0] );
  sf_pool_quote_in( &p.u, 1, 1000, &q );
  assert( q.status == SF_QUOTE_OK && q.amount_out == in_of( &p.s, 1, 1000 ) );
  assert( sf_pool_out( &p.u, 1, 1000 ) == q.amount_out );
  sf_raydium_cpmm_config_t config = p.s.rates;
  assert( !sf_raydium_cpmm_price( &p.s, p.s.amount[0], p.s.amount[1], &config ) );
  assert( sf_raydium_cpmm_out_small( &p.s, 1, 1000, 0 ) == q.amount_out &&
          sf_pool_out( &p.u, 1, 1000 ) == q.amount_out );
  assert( sf_pool_out( &p.u, 1, UINT64_MAX ) == in_of( &p.s, 1, UINT64_MAX ) );
  sf_pool_quote_out( &p.u, 0, 1000, &q );
  assert( q.status == SF_QUOTE_OK && q.amount_in == out_of( &p.s, 0, 1000 ) );
  p.u.venue = 999;
  sf_pool_quote_in( &p.u, 1, 1000, &q );
  assert( q.status == SF_QUOTE_REFUSED && !sf_pool_out( &p.u, 1, 1000 ) );
  sf_pool_quote_out( &p.u, 1, 1000, &q );
  assert( q.status == SF_QUOTE_REFUSED );
  p.s.reserve[1] = 0;
  fixture_update_fill( &p );
  assert( p.u.flags == SF_POOL_DISABLED && p.u.rate[0] == 0. );
}

/* The doubles of the curve are the quote but for rounding. */
static void test_curve( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 2 );
  for( uint32_t i = 0; i < 20000; i++ ) {
    sf_raydium_cpmm_state_t s;
    random_pool( &rng, &s );
    for( int side = 0; side < 2; side++ ) {
      s.amount[side] = s.reserve[side] = ( s.reserve[side] >> 8 | 1UL << 50 );
      s.owed[side]                     = 0;
      s.transfer_fee[side].maximum     = UINT64_MAX;
    }
    for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
      sf_curve_t k;
      uint64_t v = 1UL << 45;
      sf_venue_get( SF_VENUE_RAYDIUM_CPMM )->curve( &s, a_to_b, 0, &k );
      double out = k.rate * (double)v / ( 1. + k.depth * (double)v );
      double is  = (double)in_of( &s, a_to_b, v );
      assert( out - is < 1e-9 * is + 6 && is - out < 1e-9 * is + 6 );
    }
  }
}

/* Every length and every flipped bit: an error or a value, never a crash; and what was read is inside. */
static uint8_t const nobody[32];

static void shake( char const * name, uint8_t const * data, uint32_t len ) {
  sf_raydium_cpmm_state_t state = { 0 };
  sf_raydium_cpmm_config_t config;
  sf_token_account_t account;
  sf_mint_t mint;
  uint8_t const * programs[] = { sf_program_token, sf_program_token_2022, sf_raydium_cpmm_program };
  uint32_t good              = 0;
  for( uint32_t l = 0; l <= len + 16; l++ ) {
    uint8_t * exact = calloc( 1, l ? l : 1 ); /* its own block, so that a sanitizer sees every byte too far */
    memcpy( exact, data, l < len ? l : len );
    for( uint32_t i = 0; i < 3; i++ ) {
      good += !sf_token_account_decode( programs[i], exact, l, &account );
      good += !sf_mint_decode( programs[i], exact, l, &mint );
    }
    good += !sf_raydium_cpmm_pool_decode( nobody, exact, l, &state );
    good += !sf_raydium_cpmm_config_decode( exact, l, &config );
    sf_venue_get( SF_VENUE_RAYDIUM_CPMM )->account_kind( exact, l );
    free( exact );
  }
  uint8_t flipped[1024];
  for( uint32_t bit = 0; bit < 8 * len; bit++ ) {
    memcpy( flipped, data, len );
    flipped[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
    sf_token_account_decode( sf_program_token_2022, flipped, len, &account );
    sf_mint_decode( sf_program_token_2022, flipped, len, &mint );
    if( !sf_raydium_cpmm_config_decode( flipped, len, &config ) ) assert( config.trade + config.creator < 1000000 );
    if( !sf_raydium_cpmm_pool_decode( nobody, flipped, len, &state ) ) assert( state.creator_fee_on <= 2 );
    else assert( sf_err_text()[0] );
  }
  if( !good ) {
    fprintf( stderr, "%s decodes as nothing\n", name );
    assert( 0 );
  }
}

static int test_real( void ) {
  uint8_t pool[1024], config[1024], vault[2][1024], mint[1024];
  int pool_len                  = fixture_dump( "sol_usdc_pool_state", pool, sizeof( pool ) );
  sf_raydium_cpmm_state_t state = { 0 };
  sf_raydium_cpmm_config_t rates;
  sf_token_account_t account[2];
  sf_mint_t wsol;
  if( pool_len < 0 ) return 0;
  int config_len   = fixture_dump( "amm_config", config, sizeof( config ) ),
      mint_len     = fixture_dump( "wsol_mint", mint, sizeof( mint ) );
  int vault_len[2] = { fixture_dump( "sol_vault", vault[0], 1024 ), fixture_dump( "usdc_vault", vault[1], 1024 ) };
  assert( !sf_raydium_cpmm_pool_decode( nobody, pool, (uint32_t)pool_len, &state ) );
  assert( !sf_raydium_cpmm_config_decode( config, (uint32_t)config_len, &rates ) );
  assert( rates.trade == 2500 && rates.creator == 500 );
  assert( state.decimals[0] == 9 && state.decimals[1] == 6 && !state.creator_fee_enabled && !state.swap_disabled );
  for( int i = 0; i < 2; i++ ) {
    assert( !sf_token_account_decode( sf_program_token, vault[i], (uint32_t)vault_len[i], &account[i] ) );
    assert( !memcmp( account[i].mint, state.mint[i], 32 ) &&
            !memcmp( account[i].owner, sf_raydium_cpmm_authority, 32 ) );
  }
  assert( !sf_mint_decode( sf_program_token, mint, (uint32_t)mint_len, &wsol ) && wsol.decimals == 9 && !wsol.flags );
  assert( !sf_raydium_cpmm_price( &state, account[0].amount, account[1].amount, &rates ) );
  assert( state.creator_fee == 0 && state.rates.trade == 2500 );
  state.open_time = 0;
  assert( in_of( &state, 1, 146661601909UL ) == 34193440 ); /* what the real program paid */
  assert( sf_raydium_cpmm_price( &state, 0, account[1].amount, &rates ) == SF_ERR_DATA );
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
  sf_venue_t const * venue = sf_venue_get( SF_VENUE_RAYDIUM_CPMM );
  fixture_update_t p;
  sf_account_meta_t meta[SF_SWAP_ACCOUNT_MAX];
  uint8_t data[SF_SWAP_DATA_BYTES_MAX], in[32] = { 1 }, out[32] = { 2 }, payer[32] = { 3 };
  uint32_t cnt, len;
  assert( venue == sf_venue_of_program( sf_raydium_cpmm_program ) && !sf_venue_of_program( nobody ) );
  assert( !sf_venue_get( 0 ) && !sf_venue_get( 999 ) );
  fixture_update( &p, 1, 0, 1, 1000, 1000, 2500 );
  memcpy( p.s.program[1], sf_program_token_2022, 32 );
  sf_swap_ask_t ask = { .payer = payer, .user_in = in, .user_out = out, .amount_in = 258, .min_out = 3 };
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    ask.a_to_b = a_to_b;
    assert( !venue->swap_accounts( &p.s, &ask, meta, &cnt ) && cnt == 13 );
    assert( meta[0].signer && !meta[0].writable && meta[3].writable && meta[12].writable );
    assert( meta[4].pubkey[0] == 1 && meta[5].pubkey[0] == 2 );
    assert( !memcmp( meta[6].pubkey, p.s.vault[!a_to_b], 32 ) && !memcmp( meta[7].pubkey, p.s.vault[a_to_b], 32 ) );
    assert( !memcmp( meta[8].pubkey, p.s.program[!a_to_b], 32 ) && !memcmp( meta[10].pubkey, p.s.mint[!a_to_b], 32 ) );
  }
  assert( !venue->swap_data( &p.s, &ask, data, &len ) && len == 24 );
  assert( data[0] == 0x8f && data[7] == 0xde && data[8] == 2 && data[9] == 1 && data[16] == 3 );
  sf_raydium_cpmm_swap_t swap;
  assert( !sf_raydium_cpmm_swap_parse( data, len, &swap ) && swap.exact_in && swap.amount == 258 &&
          swap.threshold == 3 );
  swap.exact_in = 0;
  assert( sf_raydium_cpmm_swap_data( &swap, data ) == 24 && data[8] == 3 && data[16] == 2 );
  assert( !sf_raydium_cpmm_swap_parse( data, len, &swap ) && !swap.exact_in && swap.amount == 258 );
  assert( sf_raydium_cpmm_swap_parse( data, len - 1, &swap ) == SF_ERR_DATA );
  data[0] ^= 1;
  assert( sf_raydium_cpmm_swap_parse( data, len, &swap ) == SF_ERR_DATA );

  uint8_t event[170] = { 0x40, 0xc6, 0xcd, 0xe8, 0x26, 0x08, 0x71, 0xe2 };
  sf_raydium_cpmm_traded_t traded;
  event[40]  = 7;
  event[56]  = 5;
  event[88]  = 1;
  event[153] = 9;
  assert( !sf_raydium_cpmm_traded_parse( event, 170, &traded ) && traded.reserve_in == 7 && traded.amount_in == 5 );
  assert( traded.exact_in && traded.trade_fee == 9 && !traded.creator_fee );
  assert( !sf_raydium_cpmm_traded_parse( event, 89, &traded ) && !traded.trade_fee );
  assert( sf_raydium_cpmm_traded_parse( event, 100, &traded ) == SF_ERR_DATA );
  event[88] = 2;
  assert( sf_raydium_cpmm_traded_parse( event, 170, &traded ) == SF_ERR_DATA );
}

int main( void ) {
  test_quotes();
  test_update();
  test_curve();
  test_token_2022();
  test_swap();
  int real = test_real();
  printf( "cpmm: ok%s\n", real ? "" : " (no recorded accounts: set SNIPERFORGE_DATA)" );
  return 0;
}
