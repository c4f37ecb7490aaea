/* PumpSwap: quotes against plain 128-bit arithmetic, real accounts with every length and flipped bits, instruction
   and event readers that take no bytes that are not there. */

#include "base/rng.h"
#include "check.h"
#include "dex/bytes.h"
#include "dex/pump_swap.h"
#include "dump.h"

typedef unsigned __int128 u128;

static u128 fee( u128 amount, uint64_t bps ) { return ( amount * bps + 9999 ) / 10000; }

static void test_quotes( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 44 );
  for( uint32_t i = 0; i < 300000; i++ ) {
    sf_pump_swap_state_t s = { .base = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ) };
    uint64_t vault         = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    s.quote                = i % 3 ? vault : sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    s.payable              = i % 5 ? vault : vault / 2;
    s.room[0]              = UINT64_MAX - s.base;
    s.room[1]              = UINT64_MAX - vault;
    s.rates                = ( sf_pump_rates_t ){ .lp       = (uint32_t)sf_rng_below( &rng, 1000 ),
                                                  .protocol = (uint32_t)sf_rng_below( &rng, 1000 ),
                                                  .creator  = (uint32_t)sf_rng_below( &rng, 1000 ) };
    if( i & 2 ) sf_pump_swap_ready( &s );
    sf_pump_rates_t const r = s.rates;
    sf_quote_t q;
    uint64_t b = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    if( i & 1 && s.base ) b %= s.base;

    u128 cost = 0;
    int works = b && b < s.base;
    if( works ) cost = ( (u128)s.quote * b + ( s.base - b - 1 ) ) / ( s.base - b );
    u128 stays = cost + fee( cost, r.lp ), paid = stays + fee( cost, r.protocol ) + fee( cost, r.creator );
    works = works && paid <= UINT64_MAX && stays <= s.room[1] && stays + s.quote <= UINT64_MAX;
    sf_pump_swap_quote_out( &s, 0, b, 0, &q );
    CHECK( q.status == ( works ? SF_QUOTE_OK : SF_QUOTE_REFUSED ) && q.amount_in == ( works ? (uint64_t)paid : 0 ) );
    if( works ) {
      CHECK( q.reserve_a == s.base - b && q.reserve_b == s.quote + (uint64_t)stays );
      uint64_t budget = q.amount_in;
      sf_pump_swap_quote_in( &s, 0, budget, 0, &q );
      if( q.status == SF_QUOTE_OK ) {
        CHECK( q.amount_in == budget );
        uint64_t got = q.amount_out;
        sf_pump_swap_quote_out( &s, 0, got, 0, &q );
        CHECK( q.status == SF_QUOTE_OK && q.amount_in <= budget );
      }
    }

    u128 gross = 0;
    works      = b && b <= s.room[0];
    if( works ) gross = (u128)s.quote * b / ( (u128)s.base + b );
    u128 off = fee( gross, r.lp ) + fee( gross, r.protocol ) + fee( gross, r.creator );
    works    = works && off <= gross && gross - fee( gross, r.lp ) <= s.payable;
    sf_pump_swap_quote_in( &s, 1, b, 0, &q );
    CHECK( q.status == ( works ? SF_QUOTE_OK : SF_QUOTE_REFUSED ) );
    CHECK( q.amount_out == ( works ? (uint64_t)( gross - off ) : 0 ) );
    if( works && q.amount_out && s.base ) {
      uint64_t want = q.amount_out;
      sf_pump_swap_quote_out( &s, 1, want, 0, &q );
      CHECK( q.status == SF_QUOTE_OK && q.amount_in <= b && q.amount_out >= want );
    }
  }
}

static int test_real( void ) {
  uint8_t pool[400], global[1000], config[4200], key[32] = { 1 };
  int pool_len   = dump_read( "accounts/pump_amm/usdc_sol/pool.json", pool, sizeof( pool ) );
  int global_len = dump_read( "accounts/pump_amm/usdc_sol/global_config.json", global, sizeof( global ) );
  int config_len = dump_read( "accounts/pump_amm/usdc_sol/fee_config.json", config, sizeof( config ) );
  sf_pump_swap_state_t s;
  sf_pump_swap_global_t settings;
  static sf_pump_fee_config_t fees;
  if( pool_len < 0 ) return 0;
  CHECK( pool_len == 301 && global_len == 907 && config_len == 4073 );
  for( uint32_t l = 0; l <= (uint32_t)config_len + 60; l++ ) {
    uint8_t * exact = dump_exact( config, (uint32_t)config_len, l );
    int err         = sf_pump_fee_config_decode( exact, l, &fees );
    CHECK( err == ( l < SF_PUMP_FEE_CONFIG_BYTES_MIN ? SF_ERR_DATA : 0 ) );
    free( exact );
  }
  CHECK( fees.tier_cnt == 25 && fees.stable_cnt == 25 && fees.flat.lp == 25 && fees.flat.protocol == 5 );
  sf_rng_t rng;
  sf_rng_seed( &rng, 45 );
  for( uint32_t i = 0; i < 20000; i++ ) { /* any bytes from the tiers on */
    uint8_t shaken[4200];
    memcpy( shaken, config, sizeof( config ) );
    for( uint32_t k = 0; k < 4; k++ )
      shaken[41 + sf_rng_below( &rng, i % 2 ? 40 : 4000 )] = (uint8_t)sf_rng_next( &rng );
    int err = sf_pump_fee_config_decode( shaken, (uint32_t)config_len, &fees );
    CHECK( !err || err == SF_ERR_DATA );
  }
  CHECK( !sf_pump_fee_config_decode( config, (uint32_t)config_len, &fees ) );
  for( uint32_t l = 0; l <= (uint32_t)global_len; l++ ) {
    uint8_t * exact = dump_exact( global, (uint32_t)global_len, l );
    int err         = sf_pump_swap_global_decode( exact, l, &settings );
    CHECK( err == ( l < SF_PUMP_SWAP_GLOBAL_BYTES_MIN ? SF_ERR_DATA : 0 ) );
    free( exact );
  }
  for( uint32_t l = 0; l <= (uint32_t)pool_len + 40; l++ ) {
    uint8_t * exact = dump_exact( pool, (uint32_t)pool_len, l );
    int err         = sf_pump_swap_pool_decode( key, exact, l, &s );
    CHECK( err == ( l < SF_PUMP_SWAP_POOL_BYTES_MIN ? SF_ERR_DATA : 0 ) );
    free( exact );
  }
  for( uint32_t bit = 0; bit < 8 * (uint32_t)pool_len; bit++ ) {
    if( bit >= 8 * 43 && bit < 8 * 75 && bit % 16 ) continue; /* each new mint is a new address to derive */
    pool[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
    int err = sf_pump_swap_pool_decode( key, pool, (uint32_t)pool_len, &s );
    CHECK( !err || err == SF_ERR_DATA );
    if( !err && !sf_pump_swap_price( &s, 1UL << 40, 1UL << 35, SF_PUMP_SUPPLY, &settings, &fees ) ) {
      sf_quote_t q;
      sf_pump_swap_quote_in( &s, 0, 1000000, 0, &q );
      CHECK( q.status != SF_QUOTE_OK || q.amount_out < s.base );
    } else if( err ) CHECK( sf_err_text()[0] );
    pool[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
  }
  return 1;
}

static void test_readers( void ) {
  uint8_t data[SF_PUMP_SWAP_DATA_BYTES_MAX], event[500];
  sf_pump_swap_trade_t trade = { .amount = 7, .threshold = 3 }, back;
  sf_pump_swap_traded_t traded;
  CHECK( sf_pump_swap_trade_data( &trade, data ) == 25 );
  for( uint32_t l = 0; l <= sizeof( data ); l++ ) {
    uint8_t * exact = dump_exact( data, sizeof( data ), l );
    CHECK( sf_pump_swap_trade_parse( exact, l, &back ) == ( l < 24 ? SF_ERR_DATA : 0 ) );
    free( exact );
  }
  CHECK( back.amount == 7 && back.threshold == 3 && !back.a_to_b && !back.exact_in );
  sf_rng_t rng;
  sf_rng_seed( &rng, 46 );
  for( uint32_t round = 0; round < 200; round++ ) {
    for( uint32_t i = 0; i < sizeof( event ); i++ ) event[i] = (uint8_t)( round ? sf_rng_next( &rng ) : 0 );
    sf_put_u64( event, round % 2 ? 0x7777f52c1f52f467UL : 0x2adc03a50a372f3eUL );
    if( round % 4 == 1 ) memset( event + 401, 0, 4 ); /* no name */
    for( uint32_t l = 0; l <= sizeof( event ); l++ ) {
      uint8_t * exact = dump_exact( event, sizeof( event ), l );
      int err         = sf_pump_swap_traded_parse( exact, l, &traded );
      CHECK( err == 0 ? l >= 312 : err == SF_ERR_DATA );
      free( exact );
    }
  }
}

int main( void ) {
  test_quotes();
  test_readers();
  int real = test_real();
  printf( "pump_swap: ok%s\n", real ? "" : " (no recorded accounts: set SNIPERFORGE_DATA)" );
  return 0;
}
