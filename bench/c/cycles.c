/* bench cycles: the cycle search over a made market of 10,000 pools and 3,000 tokens, three hops.

     build/release/bench/c/cycles [UPDATES]      JSON lines on stdout

   The market is as mainnet's: most tokens have a few pools with WSOL, a fifth also some with USDC or USDT, the three trade
   against each other in many pools, and some tokens trade among themselves.  Half of the pools are concentrated
   (their curve holds for a part of the reserve only).  Prices differ by up to 0.1 % from pool to pool, less than fees,
   and the base token is WSOL.

   build        from empty to searched once: all pools taken, lists made, every pool searched
   list         making the lists alone, as it is done whenever a pool is added
   quiet        a change of a random pool that opens no gap: update and search
   busy         the same, but pools are drawn as often as they trade: the hubs most
   hub          the same of pools between WSOL and USDC alone
   gap          a change of 2 % to a random pool: update, search, and the best cycle's exact route
   all          sf_cycles_all over the market with gaps in it, a cycle */

#include <math.h>

#include "../../tests/c/cpmm_fixture.h"
#include "base/rng.h"
#include "rig.h"
#include "trade/cycles.h"

#define POOLS       10000
#define TOKENS      3000
#define WSOL        0
#define USDC        1
#define USDT        2
#define STABLES     3   /* tokens below are hubs */
#define HUB_POOLS   100 /* between two hubs */
#define UPDATES_MAX 200000
#define SOL         1000000000UL

static fixture_update_t market[POOLS];
static uint64_t ns[UPDATES_MAX];
static sf_cycles_t cycles;
static sf_rng_t rng;

static double uniform( void ) { return (double)( sf_rng_next( &rng ) >> 11 ) * 0x1p-53; }

/* Squared, so that a few tokens have many pools. */
static uint32_t token_any( void ) {
  double u = uniform();
  return STABLES + (uint32_t)( u * u * ( TOKENS - STABLES ) );
}

static void tokens_choose( uint32_t p, uint32_t * a, uint32_t * b ) {
  double u = uniform();
  if( p < HUB_POOLS ) *a = p % 10 < 8 ? WSOL : USDC, *b = p % 10 < 6 ? USDC : USDT;
  else if( p < HUB_POOLS + TOKENS - STABLES ) *a = WSOL, *b = p - HUB_POOLS + STABLES; /* each has one with WSOL */
  else if( u < 0.6 ) *a = WSOL, *b = token_any();
  else if( u < 0.8 ) *a = USDC, *b = token_any();
  else if( u < 0.85 ) *a = USDT, *b = token_any();
  else do {
      *a = token_any();
      *b = token_any();
    } while( *a == *b );
}

static void market_make( void ) {
  static double value[TOKENS];
  for( uint32_t t = 0; t < TOKENS; t++ ) value[t] = t ? exp( 8 * uniform() - 4 ) : 1;
  for( uint32_t p = 0; p < POOLS; p++ ) {
    uint32_t a, b;
    tokens_choose( p, &a, &b );
    double depth = exp( 5 * uniform() + 26 );
    fixture_update( &market[p], p, a, b, (uint64_t)( depth / value[a] * ( 1 + 0.001 * uniform() ) ),
                    (uint64_t)( depth / value[b] * ( 1 + 0.001 * uniform() ) ), p % 3 ? 2500 : 1000 );
  }
}

/* Pool p with its price moved by `factor`. */
static void changed( uint32_t p, double factor, fixture_update_t * out ) {
  *out              = market[p];
  out->s.reserve[0] = (uint64_t)( (double)out->s.reserve[0] * factor );
  out->s.reserve[1] = (uint64_t)( (double)out->s.reserve[1] / factor );
  fixture_update_fill( out );
  if( p & 1 )
    for( uint32_t side = 0; side < 2; side++ ) out->u.limit[side] = 0.01 * (double)out->s.reserve[side];
}

/* -- cases --------------------------------------------------------------------- */

static void cycles_open( void ) {
  DO( sf_cycles_open( &cycles, POOLS, TOKENS, 3, 0, 10 * SOL ) );
  sf_cycles_base( &cycles, WSOL );
  for( uint32_t p = 0; p < POOLS; p++ ) {
    fixture_update_t f;
    changed( p, 1, &f );
    DO( sf_cycles_update( &cycles, &f.u, 0 ) );
  }
}

static void build_whole( void ) {
  sf_cycle_list_t list;
  for( uint32_t i = 0; i < 5; i++ ) {
    uint64_t start = sf_clock_ns();
    cycles_open();
    sf_cycles_search( &cycles, 0, &list );
    ns[i] = sf_clock_ns() - start;
    if( i < 4 ) sf_cycles_close( &cycles );
  }
  bench_samples_report( "build", ns, 5 );
  for( uint32_t i = 0; i < 20; i++ ) {
    sf_cycles_base( &cycles, WSOL );
    uint64_t start = sf_clock_ns();
    sf_cycles_search( &cycles, POOLS - 1, &list );
    ns[i] = sf_clock_ns() - start;
  }
  bench_samples_report( "list", ns, 20 );
}

static uint32_t pool_random( void ) { return (uint32_t)sf_rng_below( &rng, POOLS ); }

/* Three in ten updates are of the hundred pools between hubs. */
static uint32_t pool_busy( void ) {
  return sf_rng_below( &rng, 10 ) < 3 ? (uint32_t)sf_rng_below( &rng, HUB_POOLS ) : pool_random();
}

static uint32_t pool_hub( void ) {
  return (uint32_t)sf_rng_below( &rng, HUB_POOLS / 10 ) * 10 + (uint32_t)sf_rng_below( &rng, 6 );
}

static void quiet( char const * what, uint32_t ( *pool )( void ), uint64_t cnt ) {
  sf_cycle_list_t list;
  for( uint64_t i = 0; i < cnt; i++ ) {
    fixture_update_t f;
    changed( pool(), 1 + 0.0002 * ( uniform() - .5 ), &f );
    uint64_t start = sf_clock_ns();
    sf_cycles_update( &cycles, &f.u, 0 );
    sf_cycles_search( &cycles, f.u.pool, &list );
    ns[i] = sf_clock_ns() - start;
  }
  bench_samples_report( what, ns, cnt );
}

static void gap( uint64_t cnt ) {
  sf_cycle_list_t list;
  uint64_t found = 0;
  for( uint64_t i = 0; i < cnt; i++ ) {
    fixture_update_t f;
    sf_route_t route;
    uint32_t p = pool_random();
    changed( p, sf_rng_below( &rng, 2 ) ? 1.01 : 1 / 1.01, &f );
    uint64_t start = sf_clock_ns();
    sf_cycles_update( &cycles, &f.u, 0 );
    sf_cycles_search( &cycles, p, &list );
    sf_cycle_t const * best = sf_cycle_next( &list, 0. );
    found += best && sf_cycles_route( &cycles, best, &route );
    ns[i] = sf_clock_ns() - start;
    changed( p, 1, &f );
    sf_cycles_update( &cycles, &f.u, 0 );
  }
  bench_samples_report( "gap", ns, cnt );
  if( found < cnt / 2 ) {
    fprintf( stderr, "cycles: only %lu of %lu gaps were found\n", found, cnt );
    exit( 1 );
  }
}

static int count( void * arg, sf_route_t const * route ) {
  (void)route;
  ++*(uint64_t *)arg;
  return 0;
}

static void all( void ) {
  uint64_t told = 0;
  for( uint32_t i = 0; i < 3; i++ ) {
    fixture_update_t f;
    changed( HUB_POOLS + 2500 + i, 1.005, &f );
    sf_cycles_update( &cycles, &f.u, 0 );
  }
  uint64_t start = sf_clock_ns();
  DO( sf_cycles_all( &cycles, count, &told ) );
  ns[0] = ( sf_clock_ns() - start ) / ( told ? told : 1 );
  bench_samples_report( "all", ns, 1 );
}

int main( int argc, char ** argv ) {
  uint64_t cnt = argc > 1 ? strtoull( argv[1], 0, 10 ) : 50000;
  if( cnt < 1000 || cnt > UPDATES_MAX ) {
    fprintf( stderr, "cycles: %s updates; use 1000 to %u\n", argv[1], UPDATES_MAX );
    return 1;
  }
  bench_pin();
  bench_clock_open();
  sf_rng_seed( &rng, 1 );
  market_make();
  build_whole();
  quiet( "quiet", pool_random, cnt );
  quiet( "busy", pool_busy, cnt );
  quiet( "hub", pool_hub, cnt / 10 );
  gap( cnt / 10 );
  all();
  printf( "{\"what\":\"cut\",\"count\":%lu}\n", cycles.cut_searches );
  bench_clock_report();
  sf_cycles_close( &cycles );
  return 0;
}
