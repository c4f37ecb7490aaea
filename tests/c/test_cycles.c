/* Cycle search: the lists against all cycles there are, the three screens against each other, the choice
   against brute force over inputs, amounts of a route, holding, and pools that come later. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "trade/cycles.h"

#define TOKENS 12
#define POOLS  60
#define BASE   3

static sf_pool_update_t pools[POOLS];
static uint32_t pool_cnt;

static void random_pool( sf_rng_t * rng, uint32_t p, uint64_t scale ) {
  sf_pool_update_t * u = &pools[p];
  memset( u, 0, sizeof( *u ) );
  u->pool    = p;
  u->venue   = SF_VENUE_RAYDIUM_CPMM;
  u->token_a = (uint32_t)sf_rng_below( rng, TOKENS );
  do u->token_b = sf_rng_below( rng, 3 ) ? (uint32_t)sf_rng_below( rng, TOKENS ) : BASE;
  while( u->token_b == u->token_a );
  u->reserve_a       = scale + sf_rng_below( rng, scale / 50 );
  u->reserve_b       = scale + sf_rng_below( rng, scale / 50 );
  u->trade_fee_ppm   = 500 + (uint32_t)sf_rng_below( rng, 2500 );
  u->creator_fee_ppm = sf_rng_below( rng, 3 ) ? 0 : 500;
  u->creator_fee_on  = (uint32_t)sf_rng_below( rng, 3 );
}

static void make( sf_cycles_t * c, sf_rng_t * rng, uint64_t scale, uint32_t slippage, uint64_t max_input ) {
  pool_cnt = 20 + (uint32_t)sf_rng_below( rng, POOLS - 20 );
  assert( !sf_cycles_open( c, POOLS, TOKENS, 100000, 3, slippage, max_input ) );
  sf_cycles_base( c, BASE );
  for( uint32_t p = 0; p < pool_cnt; p++ ) {
    random_pool( rng, p, scale );
    assert( sf_cycles_update( c, &pools[p], 0 ) == 1 );
  }
}

/* Profit of a cycle for an input, with what each hop but the last gives up. */
static int64_t profit_of( uint32_t const * edge, uint32_t n, uint64_t input, uint32_t slippage ) {
  uint64_t v = input;
  for( uint32_t h = 0; h < n; h++ ) {
    v = sf_venue_quote_in( &pools[edge[h] >> 1], !( edge[h] & 1 ), v );
    if( h + 1 < n ) v = (uint64_t)( (unsigned __int128)v * ( 10000 - slippage ) / 10000 );
  }
  return (int64_t)( v - input );
}

/* The best of a cycle, looked for by golden section and around it. */
static int64_t best_of( uint32_t const * edge, uint32_t n, uint64_t max_input, uint32_t slippage ) {
  uint64_t lo = 1, hi = max_input;
  while( hi - lo > 8 ) {
    uint64_t a = lo + ( hi - lo ) * 382 / 1000, b = lo + ( hi - lo ) * 618 / 1000;
    if( profit_of( edge, n, a, slippage ) < profit_of( edge, n, b, slippage ) ) lo = a;
    else hi = b;
  }
  int64_t best = INT64_MIN;
  for( uint64_t v = lo > 64 ? lo - 64 : 1; v <= hi + 64 && v <= max_input; v++ ) {
    int64_t profit = profit_of( edge, n, v, slippage );
    if( profit > best ) best = profit;
  }
  return best;
}

static uint32_t from( uint32_t e ) { return e & 1 ? pools[e >> 1].token_b : pools[e >> 1].token_a; }

/* The best profit over all cycles from the base token through `pool`; their count in *cnt. */
static int64_t brute( uint32_t pool, uint64_t max_input, uint32_t slippage, uint32_t * cnt ) {
  int64_t best = INT64_MIN;
  *cnt         = 0;
  for( uint32_t a = 0; a < 2 * pool_cnt; a++ )
    for( uint32_t b = 0; b < 2 * pool_cnt; b++ ) {
      if( from( a ) != BASE || from( a ^ 1 ) != from( b ) || b >> 1 == a >> 1 ) continue;
      uint32_t edge[3] = { a, b, 0 };
      if( from( b ^ 1 ) == BASE ) {
        if( a >> 1 != pool && b >> 1 != pool ) continue;
        int64_t profit = best_of( edge, 2, max_input, slippage );
        ++*cnt;
        if( profit > best ) best = profit;
        continue;
      }
      for( uint32_t c = 0; c < 2 * pool_cnt; c++ ) {
        if( from( c ) != from( b ^ 1 ) || from( c ^ 1 ) != BASE ||
            ( a >> 1 != pool && b >> 1 != pool && c >> 1 != pool ) )
          continue;
        edge[2]        = c;
        int64_t profit = best_of( edge, 3, max_input, slippage );
        ++*cnt;
        if( profit > best ) best = profit;
      }
    }
  return best;
}

static void route_check( sf_cycles_t const * c, sf_route_t const * r, uint32_t slippage ) {
  assert( from( r->edge[0] ) == BASE && from( r->edge[r->hop_cnt - 1] ^ 1 ) == BASE );
  for( uint32_t h = 0; h < r->hop_cnt; h++ ) {
    uint64_t out = sf_venue_quote_in( &pools[r->edge[h] >> 1], !( r->edge[h] & 1 ), r->amount_in[h] );
    if( h + 1 == r->hop_cnt ) assert( r->expected_out == out );
    else
      assert( r->min_out[h] == out * ( 10000 - slippage ) / 10000 && r->amount_in[h + 1] == r->min_out[h] &&
              r->min_out[h] );
  }
  assert( (double)r->amount_in[0] <= c->max_input );
}

static void test_brute( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 7 );
  uint32_t found = 0, none = 0;
  for( uint32_t round = 0; round < 60; round++ ) {
    uint32_t slippage  = round % 3 ? 0 : 3;
    uint64_t max_input = round % 4 ? 1UL << 40 : 3000000;
    sf_cycles_t c;
    make( &c, &rng, 1000000000UL, slippage, max_input );
    uint32_t pool = (uint32_t)sf_rng_below( &rng, pool_cnt ), cnt;
    sf_cycle_list_t list;
    sf_cycles_search( &c, pool, &list ); /* makes the lists, looks at all */
    sf_cycles_search( &c, pool, &list );
    int64_t want = brute( pool, max_input, slippage, &cnt );
    assert( cnt == 0 || c.cycle_cnt >= cnt );
    int64_t got = 0;
    for( uint32_t i = 0; i < list.cnt; i++ ) {
      sf_route_t r;
      if( !sf_cycles_route( &c, &list.cycle[i], &r ) ) continue;
      route_check( &c, &r, slippage );
      int64_t profit = (int64_t)( r.expected_out - r.amount_in[0] );
      if( profit > got ) got = profit;
    }
    /* the best input is chosen in doubles; the integers around it differ by a unit or so a hop */
    assert( want <= 4 || got >= want - 4 - want / 100000 );
    if( want > 4 ) found++;
    else none++;
    sf_cycles_close( &c );
  }
  assert( found > 10 && none > 0 );
}

static int same( sf_cycle_list_t const * a, sf_cycle_list_t const * b ) {
  if( a->cnt != b->cnt ) return 0;
  for( uint32_t i = 0; i < a->cnt; i++ )
    if( a->cycle[i].hop_cnt != b->cycle[i].hop_cnt || a->cycle[i].profit != b->cycle[i].profit ||
        a->cycle[i].input != b->cycle[i].input ||
        memcmp( a->cycle[i].edge, b->cycle[i].edge, a->cycle[i].hop_cnt * sizeof( uint32_t ) ) )
      return 0;
  return 1;
}

static void test_screens( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 8 );
  for( uint32_t round = 0; round < 50; round++ ) {
    sf_cycles_t c;
    make( &c, &rng, 1UL << 40, 0, 1UL << 50 );
    sf_cycle_list_t first, list;
    sf_cycles_search( &c, 0, &list );
    for( uint32_t e = 0; e < 2 * pool_cnt; e++ ) {
      first.cnt = 0;
      sf_cycles_screen_plain( &c, e, &first );
      list.cnt = 0;
      if( __builtin_cpu_supports( "avx2" ) ) sf_cycles_screen_avx2( &c, e, &list );
      assert( !__builtin_cpu_supports( "avx2" ) || same( &first, &list ) );
      list.cnt = 0;
      if( __builtin_cpu_supports( "avx512f" ) ) sf_cycles_screen_avx512( &c, e, &list );
      assert( !__builtin_cpu_supports( "avx512f" ) || same( &first, &list ) );
    }
    sf_cycles_close( &c );
  }
}

/* Two pools apart in price: what is held, stale, disabled or not yet there is not used. */
static void test_use( void ) {
  sf_cycles_t c;
  sf_cycle_list_t list;
  sf_pool_update_t u[2] = {
    { .pool          = 0,
      .venue         = SF_VENUE_RAYDIUM_CPMM,
      .token_a       = 0,
      .token_b       = 1,
      .reserve_a     = 1000000,
      .reserve_b     = 2000000,
      .trade_fee_ppm = 2500 },
    { .pool          = 1,
      .venue         = SF_VENUE_RAYDIUM_CPMM,
      .token_a       = 1,
      .token_b       = 0,
      .reserve_a     = 2000000,
      .reserve_b     = 1100000,
      .trade_fee_ppm = 2500 },
  };
  assert( sf_cycles_open( &c, 0, 4, 10, 3, 0, 1 ) < 0 && sf_cycles_open( &c, 40000, 4, 10, 3, 0, 1 ) < 0 );
  assert( sf_cycles_open( &c, 4, 4, 10, 4, 0, 1 ) < 0 && sf_cycles_open( &c, 4, 4, 10, 2, 10000, 1 ) < 0 );
  assert( !sf_cycles_open( &c, 4, 4, 10, 2, 0, 1000000 ) );
  assert( sf_cycles_update( &c, &u[0], 0 ) == 1 );
  sf_cycles_search( &c, 0, &list );
  assert( !list.cnt ); /* base not known */
  sf_cycles_base( &c, 0 );
  sf_cycles_search( &c, 0, &list );
  assert( !list.cnt && c.cycle_cnt == 0 );
  assert( sf_cycles_update( &c, &u[1], 0 ) == 1 );
  sf_cycles_search( &c, 0, &list );
  assert( list.cnt == 2 || list.cnt == 1 ); /* through the pool and through the one that was added */
  assert( c.cycle_cnt == 2 && list.cycle[0].edge[0] == 0 && list.cycle[0].edge[1] == 2 );
  sf_cycles_search( &c, 0, &list );
  assert( list.cnt == 1 );
  sf_route_t r;
  assert( sf_cycles_route( &c, &list.cycle[0], &r ) && r.expected_out > r.amount_in[0] );

  sf_cycles_hold( &c, 1, 1 );
  sf_cycles_search( &c, 0, &list );
  assert( !list.cnt );
  assert( sf_cycles_update( &c, &u[1], 0 ) == 0 ); /* an update does not set it free */
  sf_cycles_search( &c, 0, &list );
  assert( !list.cnt );
  sf_cycles_hold( &c, 1, 0 );
  sf_cycles_search( &c, 1, &list );
  assert( list.cnt == 1 && list.cycle[0].edge[0] == 0 );

  assert( sf_cycles_update( &c, &u[1], 1 ) == 0 ); /* stale */
  sf_cycles_search( &c, 0, &list );
  assert( !list.cnt );
  u[1].flags = SF_POOL_DISABLED;
  sf_cycles_update( &c, &u[1], 0 );
  sf_cycles_search( &c, 0, &list );
  assert( !list.cnt );
  u[1].flags = 0;
  sf_cycles_update( &c, &u[1], 0 );
  sf_cycles_search( &c, 0, &list );
  assert( list.cnt == 1 );

  sf_pool_update_t bad = u[0];
  bad.token_a          = 2;
  assert( sf_cycles_update( &c, &bad, 0 ) == SF_ERR_ARG );
  bad      = u[0];
  bad.pool = 4;
  assert( sf_cycles_update( &c, &bad, 0 ) == SF_ERR_ARG );
  bad         = u[0];
  bad.pool    = 2;
  bad.token_b = 4;
  assert( sf_cycles_update( &c, &bad, 0 ) == SF_ERR_ARG );
  bad.token_b = 0;
  assert( sf_cycles_update( &c, &bad, 0 ) == SF_ERR_ARG );
  bad.venue = 0;
  assert( sf_cycles_update( &c, &bad, 0 ) == SF_ERR_ARG );
  sf_cycles_close( &c );
}

/* More cycles than there is room for: the rest is left out, and that is said. */
static void test_room( void ) {
  sf_rng_t rng;
  sf_cycles_t c;
  sf_rng_seed( &rng, 9 );
  assert( !sf_cycles_open( &c, POOLS, TOKENS, 16, 3, 0, 1UL << 50 ) );
  sf_cycles_base( &c, BASE );
  pool_cnt = POOLS;
  for( uint32_t p = 0; p < POOLS; p++ ) {
    random_pool( &rng, p, 1UL << 40 );
    sf_cycles_update( &c, &pools[p], 0 );
  }
  sf_cycle_list_t list;
  for( uint32_t p = 0; p < POOLS; p++ ) sf_cycles_search( &c, p, &list );
  assert( c.dropped && c.cycle_cnt == 16 );
  sf_cycles_close( &c );
}

int main( void ) {
  test_brute();
  test_screens();
  test_use();
  test_room();
  printf( "cycles: ok\n" );
  return 0;
}
