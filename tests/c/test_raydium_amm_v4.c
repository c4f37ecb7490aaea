/* Raydium AMM v4: quotes against plain 128-bit arithmetic, a real pool with every length and every flipped bit,
   instruction and log readers that take no bytes that are not there. */

#include "base/rng.h"
#include "check.h"
#include "dex/bytes.h"
#include "dex/raydium_amm_v4.h"
#include "dump.h"

typedef unsigned __int128 u128;

/* What the program pays for v on reserves x and y, 0 if it fails. */
static uint64_t plain_in( uint64_t x, uint64_t y, uint64_t v, uint64_t num, uint64_t den ) {
  u128 fee = ( (u128)v * num + den - 1 ) / den, d = v - fee;
  return x + d ? (uint64_t)( (u128)y * d / ( x + d ) ) : 0;
}

static void test_quotes( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 41 );
  uint32_t small = 0;
  for( uint32_t i = 0; i < 400000; i++ ) {
    sf_raydium_amm_v4_state_t s = { .status = 6, .fee_numerator = 25, .fee_denominator = 10000 };
    uint64_t vault[2]           = { sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ),
                                    sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ) };
    if( i % 4 == 1 ) {
      s.fee_denominator = 1 + ( sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ) ) % UINT64_MAX;
      s.fee_numerator   = sf_rng_next( &rng ) % s.fee_denominator;
    }
    CHECK( !sf_raydium_amm_v4_vaults( &s, vault[0], vault[1] ) );
    int a_to_b = (int)sf_rng_below( &rng, 2 );
    uint64_t x = vault[!a_to_b], y = vault[a_to_b], v = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    if( i % 16 == 0 ) v = UINT64_MAX - sf_rng_below( &rng, 3 );
    sf_quote_t q;
    sf_raydium_amm_v4_quote_in( &s, a_to_b, v, 0, &q );
    uint64_t out   = plain_in( x, y, v, s.fee_numerator, s.fee_denominator );
    int works      = out && out < y && v <= UINT64_MAX - x;
    uint64_t brief = sf_raydium_amm_v4_out_small( &s, a_to_b, v, 0 );
    CHECK( !brief || ( works && brief == out ) );
    small += brief > 0;
    CHECK( q.status == ( works ? SF_QUOTE_OK : SF_QUOTE_REFUSED ) && q.amount_out == ( works ? out : 0 ) );
    if( !works ) continue;
    CHECK( q.amount_in == v && q.impact_ppm <= 1000000 && q.fee_in_input && q.fee <= v );
    CHECK( ( a_to_b ? q.reserve_a : q.reserve_b ) == x + v && ( a_to_b ? q.reserve_b : q.reserve_a ) == y - out );
    sf_raydium_amm_v4_quote_out( &s, a_to_b, out, 0, &q );
    CHECK( q.status == SF_QUOTE_OK && q.amount_out == out && q.amount_in <= v );
    CHECK( plain_in( x, y, q.amount_in, s.fee_numerator, s.fee_denominator ) >= out );
  }
  CHECK( small > 10000 );
}

static void test_status( void ) {
  for( uint32_t status = 1; status <= 7; status++ ) {
    sf_raydium_amm_v4_state_t s = { .status = status, .fee_numerator = 25, .fee_denominator = 10000, .open_time = 100 };
    CHECK( !sf_raydium_amm_v4_vaults( &s, 1000000, 1000000 ) );
    for( uint64_t now = 99; now < 101; now++ ) {
      sf_quote_t in, out;
      int works = status == 6 || ( status == 7 && now == 100 );
      sf_raydium_amm_v4_quote_in( &s, 1, 1000, now, &in );
      sf_raydium_amm_v4_quote_out( &s, 1, 1000, now, &out );
      CHECK( ( in.status == SF_QUOTE_OK ) == works && ( out.status == SF_QUOTE_OK ) == works );
      CHECK( works || ( in.error == SF_RAYDIUM_AMM_V4_ERR_STATUS && out.error == in.error ) );
    }
  }
}

static int test_real( void ) {
  uint8_t data[SF_RAYDIUM_AMM_V4_POOL_BYTES], key[32] = { 1 };
  int len = dump_read( "accounts/raydium_amm_v4/sol_usdc_slot433179580/amm_id.json", data, sizeof( data ) );
  if( len < 0 ) return 0;
  sf_raydium_amm_v4_state_t s;
  CHECK( !sf_raydium_amm_v4_pool_decode( key, data, (uint32_t)len, &s ) );
  CHECK( s.owed[0] == 162834498 && s.owed[1] == 12518360 && s.decimals[0] == 9 && s.decimals[1] == 6 );
  CHECK( sf_raydium_amm_v4_vaults( &s, s.owed[0] - 1, s.owed[1] ) == SF_ERR_DATA );
  CHECK_SAYS( "owe" );
  for( uint32_t l = 0; l <= (uint32_t)len + 8; l++ ) {
    uint8_t * exact = dump_exact( data, (uint32_t)len, l );
    int err         = sf_raydium_amm_v4_pool_decode( key, exact, l, &s );
    CHECK( err == ( l == SF_RAYDIUM_AMM_V4_POOL_BYTES ? 0 : SF_ERR_DATA ) );
    free( exact );
  }
  for( uint32_t bit = 0; bit < 8 * (uint32_t)len; bit++ ) {
    data[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
    if( !sf_raydium_amm_v4_pool_decode( key, data, (uint32_t)len, &s ) &&
        !sf_raydium_amm_v4_vaults( &s, 1UL << 40, 1UL << 40 ) ) {
      sf_quote_t q;
      sf_raydium_amm_v4_quote_in( &s, 1, 1000000, 0, &q );
      CHECK( q.status != SF_QUOTE_OK || q.amount_out < s.reserve[1] );
    }
    data[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
  }
  return 1;
}

static void test_readers( void ) {
  sf_raydium_amm_v4_swap_t swap = { .amount = 7, .threshold = 3, .exact_in = 1 }, back;
  uint8_t data[SF_RAYDIUM_AMM_V4_SWAP_DATA_BYTES], log[64] = { 3, [17] = 2, [49] = 9 };
  sf_raydium_amm_v4_traded_t traded;
  CHECK( sf_raydium_amm_v4_swap_data( &swap, data ) == sizeof( data ) );
  for( uint32_t l = 0; l <= sizeof( data ); l++ ) {
    uint8_t * exact = dump_exact( data, sizeof( data ), l );
    CHECK( sf_raydium_amm_v4_swap_parse( exact, l, &back ) == ( l < sizeof( data ) ? SF_ERR_DATA : 0 ) );
    free( exact );
  }
  CHECK( back.amount == 7 && back.threshold == 3 && back.exact_in && !back.brief );
  for( uint32_t l = 0; l <= sizeof( log ); l++ ) {
    uint8_t * exact = dump_exact( log, sizeof( log ), l );
    CHECK( sf_raydium_amm_v4_traded_parse( exact, l, &traded ) ==
           ( l == SF_RAYDIUM_AMM_V4_LOG_BYTES ? 0 : SF_ERR_DATA ) );
    free( exact );
  }
  CHECK( traded.a_to_b && traded.exact_in && traded.other == 9 );
}

int main( void ) {
  test_quotes();
  test_status();
  test_readers();
  int real = test_real();
  printf( "raydium_amm_v4: ok%s\n", real ? "" : " (no recorded accounts: set SNIPERFORGE_DATA)" );
  return 0;
}
