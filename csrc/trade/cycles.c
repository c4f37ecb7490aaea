#include "trade/cycles.h"

#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dex/bps.h"

#define LANES 8 /* entries of a list come in multiples of this */

static inline uint32_t edge_one( sf_cycles_t const * c ) { return 2 * c->pool_max; }

static inline uint32_t edge_none( sf_cycles_t const * c ) { return 2 * c->pool_max + 1; }

static inline uint32_t edge_from( sf_cycles_t const * c, uint32_t e ) {
  return e & 1 ? c->pool[e >> 1].token_b : c->pool[e >> 1].token_a;
}

static inline uint32_t edge_to( sf_cycles_t const * c, uint32_t e ) { return edge_from( c, e ^ 1 ); }

/* -- the best few --------------------------------------------------------- */

/* Not inlined: compiled once for the plain processor, so that all screens round alike. */
static __attribute__( ( noinline ) ) void consider( sf_cycles_t const * c, uint32_t edge, uint32_t i,
                                                    sf_cycle_list_t * list ) {
  uint32_t next = c->next[i], last = c->last[i], a = edge, b = next, d = last;
  double R     = c->rate[edge] * c->rate[next] * c->rate[last];
  double worst = list->cnt == SF_CYCLE_BEST ? list->cycle[SF_CYCLE_BEST - 1].profit : 0.;
  if( ( R - 1. ) * c->max_input <= worst ) return; /* no input earns more than its share at the best rate */
  if( edge_to( c, edge ) == c->base ) a = next, b = last, d = edge;
  else if( edge_from( c, edge ) != c->base ) a = last, b = edge, d = next;
  double D = c->depth[a] + c->rate[a] * ( c->depth[b] + c->rate[b] * c->depth[d] );
  double s = sqrt( R ) - 1.;
  if( s * s <= worst * D ) return;
  double per_D = 1. / D, input = s * per_D, profit = s * s * per_D;
  if( input > c->max_input ) {
    input  = c->max_input;
    profit = R * input / ( 1. + D * input ) - input;
    if( profit <= worst ) return;
  }
  sf_cycle_t cycle = {
    .hop_cnt = last == edge_one( c ) ? 2 : 3, .edge = { a, b, d }, .input = input, .profit = profit
  };
  if( cycle.hop_cnt == 2 ) cycle.edge[1] = edge == a ? next : edge; /* without ONE, wherever that is */

  uint32_t at = list->cnt;
  while( at && list->cycle[at - 1].profit < cycle.profit ) at--;
  if( at == SF_CYCLE_BEST ) return;
  if( list->cnt < SF_CYCLE_BEST ) list->cnt++;
  for( uint32_t j = list->cnt - 1; j > at; j-- ) list->cycle[j] = list->cycle[j - 1];
  list->cycle[at] = cycle;
}

void sf_cycles_screen_plain( sf_cycles_t const * c, uint32_t edge, sf_cycle_list_t * list ) {
  double r = c->rate[edge];
  for( uint32_t i = c->first[edge], end = c->first[edge + 1]; i < end; i++ )
    if( r * c->rate[c->next[i]] * c->rate[c->last[i]] > 1. ) consider( c, edge, i, list );
}

__attribute__( ( target( "avx2" ) ) ) void sf_cycles_screen_avx2( sf_cycles_t const * c, uint32_t edge,
                                                                  sf_cycle_list_t * list ) {
  __m256d r = _mm256_set1_pd( c->rate[edge] ), one = _mm256_set1_pd( 1. );
  for( uint32_t i = c->first[edge], end = c->first[edge + 1]; i < end; i += 4 ) {
    __m128i next = _mm_cvtepu16_epi32( _mm_loadl_epi64( (__m128i const *)( c->next + i ) ) );
    __m128i last = _mm_cvtepu16_epi32( _mm_loadl_epi64( (__m128i const *)( c->last + i ) ) );
    __m256d p    = _mm256_mul_pd( _mm256_mul_pd( r, _mm256_i32gather_pd( c->rate, next, 8 ) ),
                                  _mm256_i32gather_pd( c->rate, last, 8 ) );
    uint32_t hit = (uint32_t)_mm256_movemask_pd( _mm256_cmp_pd( p, one, _CMP_GT_OQ ) );
    for( ; __builtin_expect( hit, 0 ); hit &= hit - 1 ) consider( c, edge, i + (uint32_t)__builtin_ctz( hit ), list );
  }
}

__attribute__( ( target( "avx512f,avx2" ) ) ) void sf_cycles_screen_avx512( sf_cycles_t const * c, uint32_t edge,
                                                                            sf_cycle_list_t * list ) {
  __m512d r = _mm512_set1_pd( c->rate[edge] ), one = _mm512_set1_pd( 1. );
  for( uint32_t i = c->first[edge], end = c->first[edge + 1]; i < end; i += 8 ) {
    __m256i next = _mm256_cvtepu16_epi32( _mm_load_si128( (__m128i const *)( c->next + i ) ) );
    __m256i last = _mm256_cvtepu16_epi32( _mm_load_si128( (__m128i const *)( c->last + i ) ) );
    __m512d p    = _mm512_mul_pd( _mm512_mul_pd( r, _mm512_i32gather_pd( next, c->rate, 8 ) ),
                                  _mm512_i32gather_pd( last, c->rate, 8 ) );
    uint32_t hit = _mm512_cmp_pd_mask( p, one, _CMP_GT_OQ );
    for( ; __builtin_expect( hit, 0 ); hit &= hit - 1 ) consider( c, edge, i + (uint32_t)__builtin_ctz( hit ), list );
  }
}

/* -- memory --------------------------------------------------------------- */

static void * take( uint64_t cnt, uint64_t bytes ) {
  uint64_t size = ( cnt * bytes + 63 ) & ~63UL;
  void * p      = aligned_alloc( 64, size );
  if( p ) memset( p, 0, size );
  return p;
}

int sf_cycles_open( sf_cycles_t * c, uint32_t pool_max, uint32_t token_max, uint32_t cycle_max, uint32_t hop_max,
                    uint32_t slippage_bps, uint64_t max_input ) {
  memset( c, 0, sizeof( *c ) );
  if( !pool_max || pool_max > 32767 )
    return sf_err_set( SF_ERR_ARG, "cycles: %u pools; an edge is 16 bits: use 1 to 32767", pool_max );
  if( hop_max < 2 || hop_max > SF_CYCLE_HOPS ) return sf_err_set( SF_ERR_ARG, "cycles: %u hops; use 2 or 3", hop_max );
  if( slippage_bps >= SF_BPS )
    return sf_err_set( SF_ERR_ARG, "cycles: slippage of %u basis points; use less than %u", slippage_bps, SF_BPS );
  uint32_t edges   = 2 * pool_max + 2;
  uint64_t entries = (uint64_t)SF_CYCLE_HOPS * cycle_max + (uint64_t)LANES * edges;
  c->pool_max      = pool_max;
  c->token_max     = token_max;
  c->cycle_max     = cycle_max;
  c->hop_max       = hop_max;
  c->slippage_bps  = slippage_bps;
  c->max_input     = (double)max_input;
  c->base          = SF_CYCLE_NONE;
  c->pool          = take( pool_max, sizeof( *c->pool ) );
  c->held          = take( pool_max, 1 );
  c->stale         = take( pool_max, 1 );
  c->rate          = take( edges, sizeof( *c->rate ) );
  c->depth         = take( edges, sizeof( *c->depth ) );
  c->first         = take( edges, sizeof( *c->first ) );
  c->next          = take( entries, sizeof( *c->next ) );
  c->last          = take( entries, sizeof( *c->last ) );
  c->added         = take( pool_max, sizeof( *c->added ) );
  c->out_first     = take( token_max + 1, sizeof( *c->out_first ) );
  c->out_end_base  = take( token_max, sizeof( *c->out_end_base ) );
  c->out_edge      = take( edges, sizeof( *c->out_edge ) );
  c->cursor        = take( edges > token_max ? edges : token_max, sizeof( *c->cursor ) );
  if( !c->pool || !c->held || !c->stale || !c->rate || !c->depth || !c->first || !c->next || !c->last || !c->added ||
      !c->out_first || !c->out_end_base || !c->out_edge || !c->cursor ) {
    sf_cycles_close( c );
    return sf_err_set( SF_ERR_LIMIT, "cycles: no memory for %u pools and %u cycles", pool_max, cycle_max );
  }
  c->rate[edge_one( c )] = 1.;
  c->screen              = __builtin_cpu_supports( "avx512f" ) ? sf_cycles_screen_avx512
                           : __builtin_cpu_supports( "avx2" )  ? sf_cycles_screen_avx2
                                                               : sf_cycles_screen_plain;
  return 0;
}

void sf_cycles_close( sf_cycles_t * c ) {
  void * all[] = { c->pool, c->held,  c->stale,     c->rate,         c->depth,    c->first, c->next,
                   c->last, c->added, c->out_first, c->out_end_base, c->out_edge, c->cursor };
  for( uint32_t i = 0; i < sizeof( all ) / sizeof( all[0] ); i++ ) free( all[i] );
  memset( c, 0, sizeof( *c ) );
}

/* -- lists ---------------------------------------------------------------- */

/* Sorts the edges by the token they leave; those to the base token come first. */
static void edges_sort( sf_cycles_t * c ) {
  uint32_t edges = 2 * c->pool_end;
  memset( c->out_first, 0, ( c->token_max + 1 ) * sizeof( *c->out_first ) );
  for( uint32_t e = 0; e < edges; e++ )
    if( c->pool[e >> 1].venue ) c->out_first[edge_from( c, e ) + 1]++;
  for( uint32_t t = 0; t < c->token_max; t++ ) c->out_first[t + 1] += c->out_first[t];
  memcpy( c->cursor, c->out_first, c->token_max * sizeof( *c->cursor ) );
  for( uint32_t e = 0; e < edges; e++ )
    if( c->pool[e >> 1].venue && edge_to( c, e ) == c->base ) c->out_edge[c->cursor[edge_from( c, e )]++] = e;
  memcpy( c->out_end_base, c->cursor, c->token_max * sizeof( *c->cursor ) );
  for( uint32_t e = 0; e < edges; e++ )
    if( c->pool[e >> 1].venue && edge_to( c, e ) != c->base ) c->out_edge[c->cursor[edge_from( c, e )]++] = e;
}

/* Counts a cycle's entries, or (fill) writes them. */
static void cycle_list( sf_cycles_t * c, uint32_t const * edge, uint32_t n, int fill ) {
  for( uint32_t k = 0; k < n; k++ ) {
    if( !fill ) {
      c->cursor[edge[k]]++;
      continue;
    }
    uint32_t i = c->cursor[edge[k]]++;
    c->next[i] = (uint16_t)edge[( k + 1 ) % n];
    c->last[i] = (uint16_t)( n == 2 ? edge_one( c ) : edge[( k + 2 ) % n] );
  }
}

/* Goes through all cycles, at most cycle_max; returns how many there are. */
static uint32_t cycles_visit( sf_cycles_t * c, int fill ) {
  uint32_t cnt = 0, edge[SF_CYCLE_HOPS];
  for( uint32_t i = c->out_first[c->base]; i < c->out_first[c->base + 1]; i++ ) {
    edge[0]        = c->out_edge[i];
    uint32_t token = edge_to( c, edge[0] );
    for( uint32_t j = c->out_first[token]; j < c->out_first[token + 1]; j++ ) {
      edge[1] = c->out_edge[j];
      if( j < c->out_end_base[token] ) {
        if( edge[1] == ( edge[0] ^ 1 ) ) continue;
        if( cnt == c->cycle_max ) return SF_CYCLE_NONE;
        cycle_list( c, edge, 2, fill );
        cnt++;
      } else if( c->hop_max >= 3 ) {
        uint32_t third = edge_to( c, edge[1] );
        for( uint32_t k = c->out_first[third]; k < c->out_end_base[third]; k++ ) {
          edge[2] = c->out_edge[k];
          if( cnt == c->cycle_max ) return SF_CYCLE_NONE;
          cycle_list( c, edge, 3, fill );
          cnt++;
        }
      }
    }
  }
  return cnt;
}

static void cycles_build( sf_cycles_t * c ) {
  uint32_t edges = 2 * c->pool_end;
  edges_sort( c );
  memset( c->cursor, 0, edges * sizeof( *c->cursor ) );
  c->cycle_cnt = cycles_visit( c, 0 );
  c->dropped   = c->cycle_cnt == SF_CYCLE_NONE;
  if( c->dropped ) c->cycle_cnt = c->cycle_max;
  uint32_t end = 0;
  for( uint32_t e = 0; e < edges; e++ ) {
    uint32_t entries = c->cursor[e];
    c->first[e] = c->cursor[e] = end;
    end += ( entries + LANES - 1 ) / LANES * LANES;
    for( uint32_t i = c->first[e] + entries; i < end; i++ ) c->next[i] = c->last[i] = (uint16_t)edge_none( c );
  }
  c->first[edges] = end;
  cycles_visit( c, 1 );
}

/* -- what the owner calls ------------------------------------------------- */

static void rate_set( sf_cycles_t * c, uint32_t pool ) {
  sf_pool_update_t const * u = &c->pool[pool];
  int usable                 = u->venue && !c->held[pool] && !c->stale[pool] && !( u->flags & SF_POOL_DISABLED );
  for( uint32_t e = 2 * pool; e < 2 * pool + 2; e++ ) {
    sf_curve_t k = { 0 };
    if( usable ) sf_venue_get( u->venue )->curve( u, !( e & 1 ), &k );
    c->rate[e] = c->depth[e] = 0.;
    if( !( k.x > 0. ) ) continue;
    c->depth[e] = k.in_factor / k.x;
    c->rate[e]  = k.out_factor * k.in_factor * k.y / k.x;
    if( edge_to( c, e ) != c->base ) c->rate[e] *= (double)( SF_BPS - c->slippage_bps ) / SF_BPS;
  }
}

void sf_cycles_base( sf_cycles_t * c, uint32_t token ) {
  c->base = token;
  for( uint32_t p = 0; p < c->pool_end; p++ ) rate_set( c, p );
}

int sf_cycles_update( sf_cycles_t * c, sf_pool_update_t const * pool, int stale ) {
  uint32_t p               = pool->pool;
  sf_venue_t const * venue = sf_venue_get( pool->venue );
  if( p >= c->pool_max || !venue || pool->token_a >= c->token_max || pool->token_b >= c->token_max ||
      pool->token_a == pool->token_b )
    return SF_ERR_ARG;
  int added = !c->pool[p].venue;
  if( added ) {
    c->added[c->added_cnt++] = p;
    if( p >= c->pool_end ) c->pool_end = p + 1;
  } else if( c->pool[p].token_a != pool->token_a || c->pool[p].token_b != pool->token_b ) {
    return SF_ERR_ARG;
  }
  c->pool[p]  = *pool;
  c->stale[p] = (uint8_t)stale;
  rate_set( c, p );
  return added;
}

void sf_cycles_hold( sf_cycles_t * c, uint32_t pool, int held ) {
  if( pool >= c->pool_max ) return;
  c->held[pool] = (uint8_t)held;
  rate_set( c, pool );
}

static void search_one( sf_cycles_t const * c, uint32_t pool, sf_cycle_list_t * list ) {
  if( c->rate[2 * pool] > 0. ) c->screen( c, 2 * pool, list );
  if( c->rate[2 * pool + 1] > 0. ) c->screen( c, 2 * pool + 1, list );
}

void sf_cycles_search( sf_cycles_t * c, uint32_t pool, sf_cycle_list_t * list ) {
  list->cnt = 0;
  if( c->base == SF_CYCLE_NONE || pool >= c->pool_end ) return;
  if( __builtin_expect( c->added_cnt != 0, 0 ) ) {
    cycles_build( c );
    for( uint32_t i = 0; i < c->added_cnt; i++ )
      if( c->added[i] != pool ) search_one( c, c->added[i], list );
    c->added_cnt = 0;
  }
  search_one( c, pool, list );
}

/* -- exact quote ---------------------------------------------------------- */

/* Quotes the cycle forwards from `input`; 0 if a hop fails. */
static int route_forward( sf_cycles_t const * c, sf_cycle_t const * cycle, uint64_t input, sf_route_t * out ) {
  uint64_t v   = input;
  out->hop_cnt = cycle->hop_cnt;
  for( uint32_t h = 0; h < cycle->hop_cnt; h++ ) {
    uint32_t e        = cycle->edge[h];
    out->edge[h]      = e;
    out->amount_in[h] = v;
    v                 = sf_venue_quote_in( &c->pool[e >> 1], !( e & 1 ), v );
    if( h + 1 == cycle->hop_cnt ) break;
    v               = sf_bps_of( v, SF_BPS - c->slippage_bps );
    out->min_out[h] = v;
    if( !v ) return 0;
  }
  out->expected_out = v;
  return v != 0;
}

/* The least input that still gives `need`, by the exact quotes backwards; 0 if there is none. */
static uint64_t route_backward( sf_cycles_t const * c, sf_cycle_t const * cycle, uint64_t need ) {
  for( uint32_t h = cycle->hop_cnt; h-- > 0; ) {
    uint32_t e                    = cycle->edge[h];
    sf_pool_update_t const * pool = &c->pool[e >> 1];
    need                          = sf_venue_get( pool->venue )->quote_out( pool, !( e & 1 ), need );
    if( !need || !h ) return need;
    need = sf_bps_before( need, SF_BPS - c->slippage_bps );
  }
  return need;
}

int sf_cycles_route( sf_cycles_t const * c, sf_cycle_t const * cycle, sf_route_t * out ) {
  uint64_t input = cycle->input >= 18446744073709549568. ? UINT64_MAX : (uint64_t)cycle->input;
  if( !input || !route_forward( c, cycle, input, out ) ) return 0;
  /* the same output may cost less: rounding leaves a remainder in every hop */
  sf_route_t tight;
  uint64_t less = route_backward( c, cycle, out->expected_out );
  if( less && less < input && route_forward( c, cycle, less, &tight ) && tight.expected_out >= out->expected_out )
    *out = tight;
  return out->expected_out > out->amount_in[0];
}
