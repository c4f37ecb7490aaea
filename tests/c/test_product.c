/* The integers of a constant product: rates and quotients against plain 128-bit arithmetic, and that quotes say the same
   the short way and the long, in every field. */

#include "dex/product.h"

#include <string.h>

#include "base/rng.h"
#include "check.h"
#include "dex/pump_fun.h"
#include "dex/pump_swap.h"
#include "dex/raydium_amm_v4.h"
#include "dex/raydium_cpmm.h"

typedef unsigned __int128 u128;

static sf_rng_t rng;

/* Every order of magnitude below 2^bits as often as the next, and its ends. */
static uint64_t any( uint32_t bits ) {
  uint64_t v = sf_rng_next( &rng ) >> ( 64 - bits ) >> sf_rng_below( &rng, bits );
  return sf_rng_below( &rng, 16 ) ? v : ( 1UL << ( bits - 1 ) ) - sf_rng_below( &rng, 3 );
}

static void rate_check( uint64_t num, uint64_t den, uint64_t v ) {
  sf_rate_t down, up;
  uint64_t most = sf_rate_down_ready( num, den, &down );
  CHECK( sf_rate_up_ready( num, den, &up ) == most && ( most != 0 ) == ( num < den ) );
  if( !most ) return;
  CHECK( most >= UINT64_MAX / den );
  uint64_t const at[] = { v % most + 1, most, most - 1, most / den * den, most / den * den + 1, most / den * den - 1 };
  for( uint32_t i = 0; i < 6; i++ ) {
    if( !at[i] || at[i] > most ) continue;
    CHECK( sf_rate_down( &down, at[i] ) == (uint64_t)( (u128)at[i] * num / den ) );
    CHECK( sf_rate_up( &up, at[i] ) == (uint64_t)( ( (u128)at[i] * num + den - 1 ) / den ) );
  }
}

static void test_rates( void ) {
  for( uint64_t den = 1; den <= 1024; den++ )
    for( uint64_t num = 0; num <= den; num += 1 + den / 64 ) rate_check( num, den, sf_rng_next( &rng ) );
  for( uint64_t bps = 0; bps <= 10000; bps++ ) rate_check( bps, 10000, any( 64 ) );
  for( uint32_t i = 0; i < 200000; i++ ) {
    uint64_t den = any( 40 ) + 1, num = any( 40 ) % ( den + 1 );
    rate_check( num, den, any( 64 ) );
  }
}

static void test_quotients( void ) {
  for( uint32_t i = 0; i < 2000000; i++ ) {
    uint64_t x = any( 62 ), y = any( 62 ), v = any( 62 ), in, more;
    if( x ) CHECK( sf_product_out_small( x, y, v ) == (uint64_t)( (u128)y * v / ( x + v ) ) );
    if( i & 1 ) v = y ? y - 1 - v % y : 0;
    if( v >= y ) continue;
    u128 n = (u128)x * v, up = ( n + ( y - v - 1 ) ) / ( y - v );
    if( sf_product_in_small( x, y, v, &in, &more ) ) CHECK( up > SF_SMALL_MAX / 8 || y - v < 4 || !( n % ( y - v ) ) );
    else CHECK( in == up && in <= SF_SMALL_MAX + 1 && more == up * ( y - v ) - n );
  }
}

/* -- both ways ---------------------------------------------------------------- */

static uint64_t compared[2][2]; /* quotes by mode and direction, refused ones not counted */

#define BOTH( state, prefix, a_to_b, amount )                                                  \
  do {                                                                                         \
    __typeof__( state ) slow_ = state;                                                         \
    uint64_t amount_          = amount;                                                        \
    sf_quote_t fast_q, slow_q;                                                                 \
    memset( &slow_.small, 0, sizeof( slow_.small ) );                                          \
    for( int out = 0; out < 2; out++ ) {                                                       \
      ( out ? prefix##_quote_out : prefix##_quote_in )( &state, a_to_b, amount_, 1, &fast_q ); \
      ( out ? prefix##_quote_out : prefix##_quote_in )( &slow_, a_to_b, amount_, 1, &slow_q ); \
      CHECK( !memcmp( &fast_q, &slow_q, sizeof( fast_q ) ) );                                  \
      compared[out][a_to_b] += fast_q.status == SF_QUOTE_OK;                                   \
    }                                                                                          \
  } while( 0 )

/* An amount that mostly can be swapped, or any. */
static uint64_t amount_of( uint64_t x ) { return sf_rng_below( &rng, 4 ) && x ? any( 62 ) % x : any( 64 ); }

static void test_raydium( void ) {
  static uint32_t const rates[] = { 2500, 100, 10000, 2501, 0, 999999, 500000, 400000 };
  for( uint32_t i = 0; i < 200000; i++ ) {
    uint64_t a = any( i & 7 ? 50 : 64 ), b = any( i & 7 ? 50 : 64 );
    int a_to_b                      = (int)sf_rng_below( &rng, 2 );
    sf_raydium_cpmm_config_t config = { .trade    = rates[sf_rng_below( &rng, 8 )],
                                        .protocol = (uint32_t)sf_rng_below( &rng, 500000 ),
                                        .fund     = (uint32_t)sf_rng_below( &rng, 500000 ) };
    sf_raydium_cpmm_state_t cpmm    = { .owed = { a / 3, b / 5 } };
    CHECK( !sf_raydium_cpmm_price( &cpmm, a, b, &config ) );
    BOTH( cpmm, sf_raydium_cpmm, a_to_b, amount_of( a_to_b ? a : b ) );
    sf_raydium_amm_v4_state_t amm = {
      .status = 6, .fee_numerator = 25, .fee_denominator = 10000, .owed = { a / 7, b / 3 }
    };
    if( i % 3 == 0 ) amm.fee_denominator = 26 + any( 40 );
    CHECK( !sf_raydium_amm_v4_vaults( &amm, a, b ) );
    BOTH( amm, sf_raydium_amm_v4, a_to_b, amount_of( a_to_b ? a : b ) );
  }
}

static void test_pump( void ) {
  static uint32_t const bps[] = { 20, 5, 0, 95, 30, 93, 1, 1600 };
  for( uint32_t i = 0; i < 250000; i++ ) {
    uint64_t a = any( i & 7 ? 50 : 64 ), b = any( i & 7 ? 46 : 64 );
    int a_to_b                = (int)sf_rng_below( &rng, 2 );
    uint32_t const rate[3]    = { bps[sf_rng_below( &rng, 8 )], bps[sf_rng_below( &rng, 8 )],
                                  bps[sf_rng_below( &rng, 8 )] };
    sf_pump_swap_state_t pool = {
      .base = a, .quote = b, .payable = i % 5 ? b : b / 2, .room = { UINT64_MAX - a, UINT64_MAX - b }
    };
    pool.rates = ( sf_pump_rates_t ){ .lp = rate[0], .protocol = rate[1], .creator = rate[2] };
    sf_pump_swap_ready( &pool );
    BOTH( pool, sf_pump_swap, a_to_b, amount_of( a_to_b ? a : b ) );
    sf_pump_fun_state_t curve;
    sf_pump_fun_reserves_set( &curve, a, b, i % 5 ? a - a / 4 : a, i % 5 ? b : b / 2, rate[1], rate[2], i % 11 == 0 );
    BOTH( curve, sf_pump_fun, a_to_b, amount_of( a_to_b ? a : b ) );
  }
}

/* Beside multiples of the divisor too, where a quotient that is one off shows. */
static void test_doubles( void ) {
  uint32_t done = 0;
  for( uint32_t i = 0; i < 2000000; i++ ) {
    uint64_t d = any( i & 1 ? 62 : 50 ) | 1, a = any( i & 1 ? 62 : 50 ), b = any( 62 ), quotient, rest;
    if( i % 2 == 0 ) b = b / d * d + sf_rng_below( &rng, 3 ) - 1;
    if( b > SF_SMALL_MAX || !sf_product_double( a, b, d, &quotient, &rest ) ) continue;
    CHECK( quotient == (uint64_t)( (u128)a * b / d ) && rest == (uint64_t)( (u128)a * b % d ) );
    done++;
  }
  CHECK( done > 500000 );
}

int main( void ) {
  sf_rng_seed( &rng, 46 );
  test_rates();
  test_doubles();
  for( sf_divider_slow = 0; sf_divider_slow < 2; sf_divider_slow++ ) {
    test_quotients();
    test_raydium();
    test_pump();
  }
  for( int i = 0; i < 4; i++ ) CHECK( compared[i / 2][i % 2] > 50000 );
  printf( "test_product: ok, %lu, %lu, %lu and %lu quotes\n", compared[0][0], compared[0][1], compared[1][0],
          compared[1][1] );
  return 0;
}
