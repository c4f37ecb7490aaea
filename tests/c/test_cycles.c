/* Cycle search: the choice against brute force over all cycles and inputs, the three screens and two bounds against each other, the
   list of a search against all cycles weighed, all cycles that earn against all there are, amounts of a route, pools
   whose limits cap a cycle, holding, and pools that come later. */

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "cpmm_fixture.h"
#include "trade/cycles.h"

#define TOKENS 12
#define POOLS  60
#define HUB    200 /* pools of a market in which one token has half of them */
#define BASE   3

static fixture_update_t pools[HUB];
static uint32_t pool_cnt;

/* All that a search gives, best first. */
typedef struct found {
  uint32_t cnt;
  sf_cycle_t cycle[SF_CYCLE_BEST];
} found_t;

static void search( sf_cycles_t * c, uint32_t pool, found_t * found ) {
  sf_cycle_list_t list, again;
  sf_cycle_t const * cycle;
  sf_cycles_search( c, pool, &list );
  again = list;
  for( found->cnt = 0; ( cycle = sf_cycle_next( &list, 0. ) ); ) found->cycle[found->cnt++] = *cycle;

  /* asked for what earns more than the second: the best, and perhaps what is capped */
  double least = found->cnt > 1 ? found->cycle[1].profit : 0.;
  uint32_t i   = 0;
  while( ( cycle = sf_cycle_next( &again, least ) ) ) {
    assert( cycle->capped || cycle->profit > least );
    while( i < found->cnt && memcmp( cycle, &found->cycle[i], sizeof( *cycle ) ) )
      assert( !( found->cycle[i++].profit > least ) );
    assert( i++ < found->cnt );
  }
  for( ; i < found->cnt; i++ ) assert( !( found->cycle[i].profit > least ) );
}

static void random_pool( sf_rng_t * rng, uint32_t p, uint64_t scale ) {
  fixture_update_t * f = &pools[p];
  uint32_t a           = (uint32_t)sf_rng_below( rng, TOKENS ), b;
  do b = sf_rng_below( rng, 3 ) ? (uint32_t)sf_rng_below( rng, TOKENS ) : BASE;
  while( b == a );
  uint64_t x = scale + sf_rng_below( rng, scale / 50 ), y = scale + sf_rng_below( rng, scale / 50 );
  fixture_update( f, p, a, b, x, y, 500 + (uint32_t)sf_rng_below( rng, 2500 ) );
  f->s.creator_fee_enabled = !sf_rng_below( rng, 3 );
  f->s.rates.creator       = 500;
  f->s.creator_fee_on      = (uint32_t)sf_rng_below( rng, 3 );
  fixture_update_fill( f );
}

/* With a search once `early` pools are there the lists are made twice. */
static void make_in_two( sf_cycles_t * c, sf_rng_t * rng, uint64_t scale, uint32_t slippage, uint64_t max_input,
                         uint32_t early ) {
  pool_cnt = 20 + (uint32_t)sf_rng_below( rng, POOLS - 20 );
  assert( !sf_cycles_open( c, POOLS, TOKENS, 3, slippage, max_input ) );
  sf_cycles_base( c, BASE );
  for( uint32_t p = 0; p < pool_cnt; p++ ) {
    random_pool( rng, p, scale );
    assert( sf_cycles_update( c, &pools[p].u, 0 ) == 1 );
    if( p + 1 == early ) {
      sf_cycle_list_t list;
      sf_cycles_search( c, p, &list );
    }
  }
}

/* Pool 0 leads from the base token to token 0, which has 120 others, with all tokens. */
static void make_hub( sf_cycles_t * c, sf_rng_t * rng, uint64_t scale, uint64_t max_input ) {
  pool_cnt = HUB;
  assert( !sf_cycles_open( c, HUB, TOKENS, 3, 0, max_input ) );
  sf_cycles_base( c, BASE );
  for( uint32_t p = 0; p < HUB; p++ ) {
    uint32_t a = p && p < 121 ? 0 : BASE, b = p ? 1 + p % ( TOKENS - 1 ) : 0;
    if( b == a ) b = TOKENS - 1;
    uint64_t x = scale + sf_rng_below( rng, scale / 50 ), y = scale + sf_rng_below( rng, scale / 50 );
    fixture_update( &pools[p], p, a, b, x, p ? y : y + scale / 50, 500 + (uint32_t)sf_rng_below( rng, 2500 ) );
    assert( sf_cycles_update( c, &pools[p].u, 0 ) == 1 );
  }
}

static void make( sf_cycles_t * c, sf_rng_t * rng, uint64_t scale, uint32_t slippage, uint64_t max_input ) {
  make_in_two( c, rng, scale, slippage, max_input, 0 );
}

static uint64_t quote( uint32_t edge, uint64_t v ) {
  sf_quote_t q;
  sf_pool_quote_in( &pools[edge >> 1].u, !( edge & 1 ), v, &q );
  return q.status == SF_QUOTE_OK ? q.amount_out : 0;
}

/* Profit of a cycle for an input, with what each hop but the last gives up. */
static int64_t profit_of( uint32_t const * edge, uint32_t n, uint64_t input, uint32_t slippage ) {
  uint64_t v = input;
  for( uint32_t h = 0; h < n; h++ ) {
    v = quote( edge[h], v );
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

static uint32_t from( uint32_t e ) { return e & 1 ? pools[e >> 1].u.token_b : pools[e >> 1].u.token_a; }

/* The best profit over all cycles from the base token through `pool` (SF_CYCLE_NONE: through any), and how many earn
   more than `least` (NULL: not asked). */
static int64_t brute( uint32_t pool, uint64_t max_input, uint32_t slippage, int64_t least, uint32_t * cnt ) {
  int64_t best = INT64_MIN;
  for( uint32_t a = 0; a < 2 * pool_cnt; a++ )
    for( uint32_t b = 0; b < 2 * pool_cnt; b++ ) {
      if( from( a ) != BASE || from( a ^ 1 ) != from( b ) || b >> 1 == a >> 1 ) continue;
      int two = from( b ^ 1 ) == BASE;
      for( uint32_t c = 0; c < ( two ? 1 : 2 * pool_cnt ); c++ ) {
        if( !two && ( from( c ) != from( b ^ 1 ) || from( c ^ 1 ) != BASE ) ) continue;
        if( pool != SF_CYCLE_NONE && a >> 1 != pool && b >> 1 != pool && ( two || c >> 1 != pool ) ) continue;
        uint32_t const edge[3] = { a, b, c };
        int64_t profit         = best_of( edge, two ? 2 : 3, max_input, slippage );
        if( profit > best ) best = profit;
        if( cnt && profit > least ) ++*cnt;
      }
    }
  return best;
}

static void route_check( sf_cycles_t const * c, sf_route_t const * r, uint32_t slippage ) {
  assert( from( r->edge[0] ) == BASE && from( r->edge[r->hop_cnt - 1] ^ 1 ) == BASE );
  for( uint32_t h = 0; h < r->hop_cnt; h++ ) {
    uint64_t out = quote( r->edge[h], r->amount_in[h] );
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
    uint32_t pool = (uint32_t)sf_rng_below( &rng, pool_cnt );
    found_t list;
    search( &c, pool, &list ); /* makes the lists, looks at all */
    search( &c, pool, &list );
    int64_t want = brute( pool, max_input, slippage, 0, NULL );
    int64_t got  = 0;
    for( uint32_t i = 0; i < list.cnt; i++ ) {
      sf_route_t r;
      assert( !list.cycle[i].capped );
      if( !sf_cycles_route( &c, &list.cycle[i], &r ) ) continue;
      route_check( &c, &r, slippage );
      sf_cycles_tighten( &c, &r );
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

/* -- all there are ------------------------------------------------------------- */

typedef struct told {
  sf_cycles_t const * c;
  uint32_t cnt;
  uint32_t large; /* that earn more than 8 */
  int64_t best;
  int stop_at;
} told_t;

static int tell( void * arg, sf_route_t const * r ) {
  told_t * t     = arg;
  int64_t profit = (int64_t)( r->expected_out - r->amount_in[0] );
  route_check( t->c, r, t->c->slippage_bps );
  assert( profit > 0 );
  if( profit > t->best ) t->best = profit;
  t->large += profit > 8;
  t->cnt++;
  return (int)t->cnt == t->stop_at ? 77 : 0;
}

static void test_all( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 17 );
  uint32_t found = 0;
  for( uint32_t round = 0; round < 12; round++ ) {
    sf_cycles_t c;
    make( &c, &rng, 1000000000UL, 0, 1UL << 40 );
    told_t t       = { .c = &c };
    int cnt        = sf_cycles_all( &c, tell, &t );
    uint32_t large = 0;
    int64_t want   = brute( SF_CYCLE_NONE, 1UL << 40, 0, 8, &large );
    assert( cnt == (int)t.cnt && t.large >= large && t.best >= want - 1 );
    found += t.cnt;
    told_t stop = { .c = &c, .stop_at = 2 };
    if( cnt > 1 ) assert( sf_cycles_all( &c, tell, &stop ) == 77 && stop.cnt == 2 );
    sf_cycles_close( &c );
  }
  assert( found > 100 );
}

/* A head that says its curve holds only for small inputs: what lies beyond is found on the exact quotes. */
static void test_capped( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 27 );
  uint32_t capped = 0;
  for( uint32_t round = 0; round < 300; round++ ) {
    uint32_t slippage = round % 2 ? 5 : 0;
    sf_cycles_t c;
    make( &c, &rng, 1000000000UL, slippage, 1UL << 40 );
    for( uint32_t p = 0; p < pool_cnt; p++ ) {
      for( uint32_t side = 0; side < 2; side++ ) {
        if( sf_rng_below( &rng, 2 ) ) pools[p].u.limit[side] = (double)( 1 + sf_rng_below( &rng, 1000 ) );
        if( sf_rng_below( &rng, 2 ) ) pools[p].u.depth[side] = 0.;
      }
      assert( !sf_cycles_update( &c, &pools[p].u, 0 ) );
    }
    found_t list;
    uint32_t pool = (uint32_t)sf_rng_below( &rng, pool_cnt );
    search( &c, pool, &list );
    for( uint32_t i = 0; i < list.cnt; i++ ) {
      sf_cycle_t const * cycle = &list.cycle[i];
      sf_route_t r;
      if( !cycle->capped ) continue;
      int64_t want = best_of( cycle->edge, cycle->hop_cnt, 1UL << 40, slippage );
      int got      = sf_cycles_route( &c, cycle, &r );
      if( got ) sf_cycles_tighten( &c, &r );
      if( got ) route_check( &c, &r, slippage );
      assert( want <= 4 || ( got && (int64_t)( r.expected_out - r.amount_in[0] ) >= want - 4 - want / 10000 ) );
      capped += want > 4;
    }
    sf_cycles_close( &c );
  }
  assert( capped > 20 );
}

/* The screens against each other, over the lists of all edges' ends; returns how many were long. */
static uint32_t screens_compare( sf_cycles_t * c ) {
  static uint32_t place[1024];
  static double earns[1024];
  uint32_t many = 0;
  for( uint32_t e = 0; e < 2 * pool_cnt; e++ )
    for( uint32_t way = 0; way < 2; way++ ) {
      uint32_t t = from( e ), first = c->token[t].first, end = c->token[t + 1].first;
      sf_cycle_end_t one = { e, way, c->pool[e >> 1].rate[e & 1], c->pool[e >> 1].depth[e & 1] };
      uint32_t cnt       = sf_cycles_screen_plain( c, &one, first, end );
      uint32_t bytes     = end - first > SF_CYCLE_MANY ? cnt * sizeof( *earns ) : 0;
      double most        = c->most;
      memcpy( place, c->hit, cnt * sizeof( *place ) );
      memcpy( earns, c->earns, bytes );
      sf_cycle_screen_t * wide[] = { __builtin_cpu_supports( "avx2" ) ? sf_cycles_screen_avx2 : 0,
                                     __builtin_cpu_supports( "avx512vl" ) ? sf_cycles_screen_avx512 : 0 };
      for( uint32_t w = 0; w < 2; w++ ) {
        if( !wide[w] ) continue;
        assert( wide[w]( c, &one, first, end ) == cnt );
        assert( !memcmp( place, c->hit, cnt * sizeof( *place ) ) );
        assert( !bytes || ( c->most == most && !memcmp( earns, c->earns, bytes ) ) );
      }
      many += cnt > SF_CYCLE_MANY;
    }
  return many;
}

static void test_screens( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 8 );
  uint32_t many = 0;
  for( uint32_t round = 0; round < 50; round++ ) {
    sf_cycles_t c;
    found_t list;
    if( round % 2 ) make( &c, &rng, 1UL << 40, 0, 1UL << 50 );
    else make_hub( &c, &rng, 1UL << 40, round % 4 ? 1UL << 34 : 1UL << 50 );
    search( &c, 0, &list );
    many += screens_compare( &c );
    sf_cycles_close( &c );
  }
  assert( many > 1000 );
}

/* Profit of a cycle by its pools' curves; not above 0 if it earns nothing. */
static double weight_of( sf_cycles_t const * c, uint32_t const * edge, uint32_t n ) {
  double R = 1, D = 0, most = c->max_input;
  for( uint32_t h = 0; h < n; h++ ) {
    sf_cycle_pool_t const * p = &c->pool[edge[h] >> 1];
    double limit = p->limit[edge[h] & 1], input = R > D * limit ? limit / ( R - D * limit ) : INFINITY;
    if( input < most ) most = input;
    D += R * p->depth[edge[h] & 1];
    R *= p->rate[edge[h] & 1];
  }
  double s = sqrt( R ) - 1, v = s / D < most ? s / D : most;
  return s > 0 ? R * v / ( 1 + D * v ) - v : 0;
}

static int descending( void const * a, void const * b ) {
  double x = *(double const *)a, y = *(double const *)b;
  return ( x < y ) - ( x > y );
}

/* Both bounds say the same of every cycle. */
static void test_bounds( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 12 );
  uint32_t cycles = 0;
  if( !__builtin_cpu_supports( "avx2" ) ) return;
  for( uint32_t round = 0; round < 20; round++ ) {
    sf_cycles_t c;
    sf_cycle_list_t plain, wide;
    make( &c, &rng, 1UL << 40, round % 3, round % 2 ? 1UL << 34 : 1UL << 50 );
    sf_cycles_search( &c, 0, &plain );
    for( uint32_t p = 0; p < pool_cnt; p++ ) {
      c.bound = sf_cycles_bound_plain;
      sf_cycles_search( &c, p, &plain );
      c.bound = sf_cycles_bound_avx2;
      sf_cycles_search( &c, p, &wide );
      assert( plain.cnt == wide.cnt && ( !plain.cnt || plain.most == wide.most ) );
      for( uint32_t i = 0; i < 4 * plain.cnt; i++ ) assert( plain.profit[i] == wide.profit[i] );
      cycles += 4 * plain.cnt;
    }
    sf_cycles_close( &c );
  }
  assert( cycles > 1000 );
}

/* The list against every cycle through the pool: the best of all is never left out before it is weighed.  Returns how many
   it holds. */
static uint32_t best_check( sf_cycles_t * c, uint32_t p ) {
  static double all[1 << 16];
  found_t list;
  uint32_t cnt = 0;
  for( uint32_t first = 0; first < 2 * pool_cnt; first++ )
    for( uint32_t second = 0; from( first ) == BASE && second < 2 * pool_cnt; second++ ) {
      uint32_t edge[3] = { first, second };
      if( from( second ) != from( first ^ 1 ) || second >> 1 == first >> 1 ) continue;
      if( from( second ^ 1 ) == BASE ) {
        if( first >> 1 == p || second >> 1 == p ) all[cnt++] = weight_of( c, edge, 2 );
        continue;
      }
      for( edge[2] = 0; edge[2] < 2 * pool_cnt; edge[2]++ )
        if( from( edge[2] ) == from( second ^ 1 ) && from( edge[2] ^ 1 ) == BASE &&
            ( first >> 1 == p || second >> 1 == p || edge[2] >> 1 == p ) )
          all[cnt++] = weight_of( c, edge, 3 );
    }
  assert( cnt < sizeof( all ) / sizeof( *all ) );
  qsort( all, cnt, sizeof( *all ), descending );
  search( c, p, &list );
  /* the best is there; the others are cycles, and those in which a pool is beaten by one beside it are not told */
  double want = cnt && all[0] > 0 ? all[0] : 0, got = list.cnt ? list.cycle[0].profit : 0;
  assert( fabs( got - want ) <= 1e-6 * want + 1e-3 );
  for( uint32_t i = 0; i < list.cnt; i++ ) {
    sf_cycle_t const * cycle = &list.cycle[i];
    double weight            = weight_of( c, cycle->edge, cycle->hop_cnt );
    assert( fabs( cycle->profit - weight ) <= 1e-6 * weight && weight <= all[i] * ( 1 + 1e-6 ) );
    assert( !i || cycle->profit <= cycle[-1].profit );
  }
  return list.cnt;
}

static void test_best( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 9 );
  uint32_t full = 0, hub = 0;
  for( uint32_t round = 0; round < 30; round++ ) {
    sf_cycles_t c;
    found_t list;
    make_in_two( &c, &rng, 1UL << 40, round % 3, round % 2 ? 1UL << 34 : 1UL << 50, round % 4 * 5 );
    search( &c, 0, &list );
    for( uint32_t p = 0; p < pool_cnt; p++ ) full += best_check( &c, p ) == SF_CYCLE_BEST;
    sf_cycles_close( &c );
    make_hub( &c, &rng, 1UL << ( round % 3 ? 40 : 32 ), round % 2 ? 1UL << 34 : 1UL << 50 );
    search( &c, 0, &list );
    hub += best_check( &c, 0 ) == SF_CYCLE_BEST;
    sf_cycles_close( &c );
  }
  assert( full > 300 && hub > 20 );
}

/* Two pools apart in price: what is held, stale, disabled, not open or not yet there is not used. */
static void test_use( void ) {
  sf_cycles_t c;
  found_t list;
  fixture_update_t f[2];
  fixture_update( &f[0], 0, 0, 1, 1000000, 2000000, 2500 );
  fixture_update( &f[1], 1, 1, 0, 2000000, 1100000, 2500 );
  pools[0] = f[0];
  pools[1] = f[1];
  assert( sf_cycles_open( &c, 0, 4, 3, 0, 1 ) < 0 && sf_cycles_open( &c, 4, 0, 3, 0, 1 ) < 0 );
  assert( sf_cycles_open( &c, 4, 4, 4, 0, 1 ) < 0 && sf_cycles_open( &c, 4, 4, 2, 10000, 1 ) < 0 );
  assert( !sf_cycles_open( &c, 4, 4, 2, 0, 1000000 ) );
  assert( sf_cycles_update( &c, &f[0].u, 0 ) == 1 );
  search( &c, 0, &list );
  assert( !list.cnt ); /* base not known */
  sf_cycles_base( &c, 0 );
  search( &c, 0, &list );
  assert( !list.cnt );
  assert( sf_cycles_update( &c, &f[1].u, 0 ) == 1 );
  search( &c, 0, &list );
  assert( list.cnt == 2 || list.cnt == 1 ); /* through the pool and through the one that was added */
  assert( list.cycle[0].edge[0] == 0 && list.cycle[0].edge[1] == 2 && list.cycle[0].hop_cnt == 2 );
  search( &c, 0, &list );
  assert( list.cnt == 1 );
  sf_route_t r;
  assert( sf_cycles_route( &c, &list.cycle[0], &r ) && r.expected_out > r.amount_in[0] );

  sf_cycles_hold( &c, 1, 1 );
  search( &c, 0, &list );
  assert( !list.cnt );
  assert( sf_cycles_update( &c, &f[1].u, 0 ) == 0 ); /* an update does not set it free */
  search( &c, 0, &list );
  assert( !list.cnt );
  sf_cycles_hold( &c, 1, 0 );
  search( &c, 1, &list );
  assert( list.cnt == 1 && list.cycle[0].edge[0] == 0 );

  assert( sf_cycles_update( &c, &f[1].u, 1 ) == 0 ); /* stale */
  search( &c, 0, &list );
  assert( !list.cnt );
  f[1].u.flags = SF_POOL_DISABLED;
  sf_cycles_update( &c, &f[1].u, 0 );
  search( &c, 0, &list );
  assert( !list.cnt );
  f[1].u.flags     = 0;
  f[1].u.open_time = (uint32_t)f[1].u.unix_s + 1;
  sf_cycles_update( &c, &f[1].u, 0 );
  search( &c, 0, &list );
  assert( !list.cnt );
  f[1].u.open_time--;
  sf_cycles_update( &c, &f[1].u, 0 );
  search( &c, 0, &list );
  assert( list.cnt == 1 );

  fixture_update_t bad = f[0];
  bad.u.token_a        = 2;
  assert( sf_cycles_update( &c, &bad.u, 0 ) == SF_ERR_ARG );
  bad        = f[0];
  bad.u.pool = 4;
  assert( sf_cycles_update( &c, &bad.u, 0 ) == SF_ERR_ARG );
  bad           = f[0];
  bad.u.pool    = 2;
  bad.u.token_b = 4;
  assert( sf_cycles_update( &c, &bad.u, 0 ) == SF_ERR_ARG );
  bad.u.token_b = 0;
  assert( sf_cycles_update( &c, &bad.u, 0 ) == SF_ERR_ARG );
  bad.u.venue = 0;
  assert( sf_cycles_update( &c, &bad.u, 0 ) == SF_ERR_ARG );
  bad               = f[0];
  bad.u.state_bytes = SF_POOL_STATE_MAX + 16;
  assert( sf_cycles_update( &c, &bad.u, 0 ) == SF_ERR_ARG );
  sf_cycles_close( &c );
}

/* Of a state that grows all is kept that quotes read; another base token makes other cycles. */
static void test_grows( void ) {
  sf_cycles_t c;
  static struct {
    sf_pool_update_t u;
    uint8_t state[SF_POOL_STATE_MAX];
  } large;
  fixture_update_t f;
  fixture_update( &f, 0, 0, 1, 1000000, 2000000, 2500 );
  assert( !sf_cycles_open( &c, 4, 4, 3, 0, 1000000 ) && sf_cycles_update( &c, &f.u, 0 ) == 1 );
  memset( large.state, 0x5a, sizeof( large.state ) );
  large.u             = f.u;
  large.u.state_bytes = SF_POOL_STATE_MAX;
  memcpy( large.state, &f.s, sizeof( f.s ) );
  assert( !sf_cycles_update( &c, &large.u, 0 ) );
  assert( !memcmp( sf_cycles_pool( &c, 1 ), &large, sizeof( large.u ) + sf_pool_quote_bytes( &large.u ) ) );
  assert( !sf_cycles_update( &c, &f.u, 0 ) && sf_cycles_pool( &c, 0 )->state_bytes == f.u.state_bytes );

  fixture_update( &f, 1, 0, 1, 1000000, 1900000, 2500 );
  assert( sf_cycles_update( &c, &f.u, 0 ) == 1 );
  found_t list;
  for( uint32_t base = 0; base < 2; base++ ) {
    sf_cycles_base( &c, base );
    search( &c, 1, &list );
    assert( list.cnt && list.cycle[0].hop_cnt == 2 );
    assert( list.cycle[0].edge[0] == ( base ? 3u : 0u ) && list.cycle[0].edge[1] == ( base ? 0u : 3u ) );
  }
  sf_cycles_close( &c );
}

/* A hub that jumps: more cycles than are weighed, and that is counted. */
static void test_cut( void ) {
  enum { MIDDLE = 60, MANY = 60 };
  static fixture_update_t f;
  sf_cycles_t c;
  found_t list;
  assert( !sf_cycles_open( &c, 2 * MIDDLE * MANY, 3 + MIDDLE, 3, 0, 1UL << 40 ) );
  sf_cycles_base( &c, 0 );
  uint32_t p = 0;
  for( uint32_t m = 0; m < MIDDLE; m++ ) {
    fixture_update( &f, p++, 1, 2 + m, 1000000000, 1000000000, 100 );
    assert( sf_cycles_update( &c, &f.u, 0 ) == 1 );
    for( uint32_t k = 0; k < MANY; k++ ) {
      uint64_t depth = 1000000000 + k * 100000000UL; /* the deeper the dearer: none beats another */
      fixture_update( &f, p++, 2 + m, 0, depth, depth - k * 2000, 100 );
      assert( sf_cycles_update( &c, &f.u, 0 ) == 1 );
    }
  }
  fixture_update( &f, p, 0, 1, 1000000000, 1000000000, 100 );
  assert( sf_cycles_update( &c, &f.u, 0 ) == 1 );
  search( &c, p, &list );
  assert( !list.cnt && !c.cut_searches );
  fixture_update( &f, p, 0, 1, 1000000000, 1010000000, 100 );
  assert( !sf_cycles_update( &c, &f.u, 0 ) );
  search( &c, p, &list );
  assert( list.cnt == SF_CYCLE_BEST && c.cut_searches == 1 );
  sf_cycles_close( &c );
}

int main( void ) {
  test_brute();
  test_all();
  test_capped();
  test_screens();
  test_bounds();
  test_best();
  test_use();
  test_grows();
  test_cut();
  printf( "cycles: ok\n" );
  return 0;
}
