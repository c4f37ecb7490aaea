/* pump.fun's curve: quotes against plain 128-bit arithmetic, real accounts with every length and every flipped bit,
   instruction and event readers that take no bytes that are not there. */

#include "base/rng.h"
#include "check.h"
#include "dex/bytes.h"
#include "dex/pump_fun.h"
#include "dump.h"

typedef unsigned __int128 u128;

static u128 fee( u128 amount, uint64_t bps, int floor ) { return ( amount * bps + ( floor ? 0 : 9999 ) ) / 10000; }

static void test_quotes( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 42 );
  for( uint32_t i = 0; i < 300000; i++ ) {
    sf_pump_fun_state_t s;
    sf_quote_t q;
    uint64_t vt = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ), vq = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    uint64_t rt = vt ? sf_rng_next( &rng ) % vt : 0, rq = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    uint32_t bps[2] = { (uint32_t)sf_rng_below( &rng, 3000 ), (uint32_t)sf_rng_below( &rng, 2000 ) };
    int floor       = i % 4 == 0;
    sf_pump_fun_reserves_set( &s, vt, vq, rt, rq, bps[0], bps[1], floor );
    uint64_t t = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    if( i & 1 ) t %= rt + 1;

    u128 cost = 0, paid = 0;
    if( t && t <= rt ) cost = (u128)vq * t / ( vt - t ) + 1;
    paid      = cost + fee( cost, bps[0], floor ) + fee( cost, bps[1], floor );
    int works = cost && paid <= UINT64_MAX && cost + vq <= UINT64_MAX;
    sf_pump_fun_quote_out( &s, 0, t, 0, &q );
    CHECK( q.status == ( works ? SF_QUOTE_OK : SF_QUOTE_REFUSED ) && q.amount_in == ( works ? (uint64_t)paid : 0 ) );
    if( works )
      CHECK( q.reserve_a == vt - t && q.reserve_b == vq + (uint64_t)cost && !( q.fee - (uint64_t)( paid - cost ) ) );
    if( works && !floor ) { /* the same budget does not buy more than it costs */
      uint64_t budget = q.amount_in;
      sf_pump_fun_quote_in( &s, 0, budget, 0, &q );
      if( q.status == SF_QUOTE_OK ) {
        CHECK( q.amount_in <= budget && q.amount_in + 2 >= budget );
        uint64_t got = q.amount_out;
        sf_pump_fun_quote_out( &s, 0, got, 0, &q );
        CHECK( q.status == SF_QUOTE_OK && q.amount_in <= budget );
      }
    }

    u128 gross = 0;
    works      = t && vt && t <= UINT64_MAX - vt;
    if( works ) gross = (u128)vq * t / ( (u128)vt + t );
    u128 off = fee( gross, bps[0], floor ) + fee( gross, bps[1], floor );
    works    = works && off <= gross && gross <= rq;
    sf_pump_fun_quote_in( &s, 1, t, 0, &q );
    CHECK( q.status == ( works ? SF_QUOTE_OK : SF_QUOTE_REFUSED ) );
    CHECK( q.amount_out == ( works ? (uint64_t)( gross - off ) : 0 ) );
    if( works && q.amount_out ) {
      uint64_t want = q.amount_out;
      sf_pump_fun_quote_out( &s, 1, want, 0, &q );
      CHECK( q.status == SF_QUOTE_OK && q.amount_in <= t && q.amount_out >= want );
    }
  }
}

static int test_real( void ) {
  static char const * const names[] = { "tx/pump_fun/2024_raw_bondingCurve_from_getAccountInfo.json",
                                        "tx/pump_fun/2025_raw_bonding_curve_from_getaccountinfo.json",
                                        "accounts/pump_fun/global_2025q1.json" };
  uint8_t data[256], key[32] = { 1 };
  sf_pump_fun_state_t s;
  sf_pump_fun_global_t global;
  sf_quote_t q;
  int len = dump_read( names[2], data, sizeof( data ) );
  if( len < 0 ) return 0;
  for( uint32_t l = 0; l <= (uint32_t)len; l++ ) {
    uint8_t * exact = dump_exact( data, (uint32_t)len, l );
    CHECK( sf_pump_fun_global_decode( exact, l, &global ) == ( l < SF_PUMP_FUN_GLOBAL_BYTES_MIN ? SF_ERR_DATA : 0 ) );
    free( exact );
  }
  CHECK( global.rates.floor && global.rates.protocol == 100 && !global.rates.creator );
  for( uint32_t i = 0; i < 2; i++ ) {
    len = dump_read( names[i], data, sizeof( data ) );
    CHECK( len > 0 );
    for( uint32_t l = 0; l <= (uint32_t)len + 50; l++ ) {
      uint8_t * exact = dump_exact( data, (uint32_t)len, l );
      int err         = sf_pump_fun_curve_decode( key, exact, l, &s );
      CHECK( err == 0 || ( err == SF_ERR_DATA && l < (uint32_t)len ) );
      free( exact );
    }
    for( uint32_t bit = 0; bit < 8 * (uint32_t)len; bit++ ) {
      data[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
      if( !sf_pump_fun_curve_decode( key, data, (uint32_t)len, &s ) && !sf_pump_fun_price( &s, &global, 0 ) ) {
        sf_pump_fun_quote_in( &s, 0, 1000000000, 0, &q );
        CHECK( q.status != SF_QUOTE_OK || q.amount_out <= s.real_token );
        sf_pump_fun_quote_out( &s, 1, 1000000, 0, &q );
        CHECK( q.status != SF_QUOTE_OK || q.amount_out >= 1000000 );
      }
      data[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
    }
  }
  return 1;
}

static void test_readers( void ) {
  uint8_t data[SF_PUMP_FUN_DATA_BYTES], event[400] = { 0 };
  sf_pump_fun_trade_t trade = { .amount = 7, .threshold = 3, .form = SF_PUMP_FUN_V3 }, back;
  sf_pump_fun_traded_t traded;
  CHECK( sf_pump_fun_trade_data( &trade, data ) == SF_PUMP_FUN_DATA_BYTES );
  for( uint32_t l = 0; l <= sizeof( data ); l++ ) {
    uint8_t * exact = dump_exact( data, sizeof( data ), l );
    CHECK( sf_pump_fun_trade_parse( exact, l, &back ) == ( l < sizeof( data ) ? SF_ERR_DATA : 0 ) );
    free( exact );
  }
  CHECK( back.amount == 7 && back.threshold == 3 && !back.a_to_b && !back.exact_in );
  sf_rng_t rng;
  sf_rng_seed( &rng, 43 );
  for( uint32_t round = 0; round < 200; round++ ) {
    for( uint32_t i = 0; i < sizeof( event ); i++ ) event[i] = (uint8_t)( round ? sf_rng_next( &rng ) : 0 );
    event[56] &= 1;
    if( round % 2 ) memset( event + 258, 0, 4 ); /* no name: then the shares are read */
    sf_put_u64( event, 0xee61e64ed37fdbbdUL );
    for( uint32_t l = 0; l <= sizeof( event ); l++ ) {
      uint8_t * exact = dump_exact( event, sizeof( event ), l );
      int err         = sf_pump_fun_traded_parse( exact, l, &traded );
      CHECK( err == 0 ? l >= 129 : err == SF_ERR_DATA );
      free( exact );
    }
  }
}

int main( void ) {
  test_quotes();
  test_readers();
  int real = test_real();
  printf( "pump_fun: ok%s\n", real ? "" : " (no recorded accounts: set SNIPERFORGE_DATA)" );
  return 0;
}
