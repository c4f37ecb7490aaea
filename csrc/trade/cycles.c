#include "trade/cycles.h"

#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dex/bps.h"

#define LANES       8    /* a list is padded to a multiple of this */
#define ROOM_SMALL  1024 /* bytes kept of a pool whose first update is not larger; the others get room for any */
#define ROOM_MAX    ( sizeof( sf_pool_update_t ) + SF_POOL_STATE_MAX )
#define BATCH       ( SF_CYCLE_BEST + 8 ) /* cycles weighed together, the best so far among them */
#define FEW         3                     /* pools with the base token of which none is left out */
#define HOT_LINES   5                     /* of an update: its head and what begins its state */
#define NEARLY_4    3.9999                /* less than 4, and less than 1, by more than what rounding is */
#define NEARLY_1    .9999
#define ROUNDING    1e-12
#define STRIDE_BITS 2 /* of best from token to token, in doubles */
#define STRIDE      ( 1u << STRIDE_BITS )
#define FROM        0 /* of best: from the base token */
#define TO          1

_Static_assert( sizeof( sf_cycle_token_t ) == STRIDE * sizeof( double ), "STRIDE" );

static inline uint32_t edge_from( sf_cycles_t const * c, uint32_t e ) {
  sf_pool_update_t const * u = c->pool[e >> 1].update;
  return e & 1 ? u->token_b : u->token_a;
}

static inline uint32_t edge_to( sf_cycles_t const * c, uint32_t e ) { return edge_from( c, e ^ 1 ); }

static inline double edge_rate( sf_cycles_t const * c, uint32_t e ) { return c->pool[e >> 1].rate[e & 1]; }
static inline double edge_depth( sf_cycles_t const * c, uint32_t e ) { return c->pool[e >> 1].depth[e & 1]; }

/* -- screens ---------------------------------------------------------------- */

uint32_t sf_cycles_screen_plain( double const * rate, uint32_t const * other, double const * best, double r,
                                 uint32_t first, uint32_t end, uint32_t * hit ) {
  uint32_t cnt = 0;
  for( uint32_t i = first; i < end; i++ )
    if( r * rate[i] * best[STRIDE * other[i]] > 1. ) hit[cnt++] = i;
  return cnt;
}

__attribute__( ( target( "avx2" ) ) ) uint32_t sf_cycles_screen_avx2( double const * rate, uint32_t const * other,
                                                                      double const * best, double r, uint32_t first,
                                                                      uint32_t end, uint32_t * hit ) {
  __m256d all = _mm256_set1_pd( r ), one = _mm256_set1_pd( 1. );
  uint32_t cnt = 0;
  for( uint32_t i = first; i < end; i += 4 ) {
    __m128i at = _mm_slli_epi32( _mm_loadu_si128( (__m128i const *)( other + i ) ), STRIDE_BITS );
    __m256d p  = _mm256_mul_pd( _mm256_mul_pd( all, _mm256_loadu_pd( rate + i ) ), _mm256_i32gather_pd( best, at, 8 ) );
    uint32_t bits = (uint32_t)_mm256_movemask_pd( _mm256_cmp_pd( p, one, _CMP_GT_OQ ) );
    for( ; __builtin_expect( bits, 0 ); bits &= bits - 1 ) hit[cnt++] = i + (uint32_t)__builtin_ctz( bits );
  }
  return cnt;
}

__attribute__( ( target( "avx512f,avx2" ) ) ) uint32_t sf_cycles_screen_avx512( double const * rate,
                                                                                uint32_t const * other,
                                                                                double const * best, double r,
                                                                                uint32_t first, uint32_t end,
                                                                                uint32_t * hit ) {
  __m512d all = _mm512_set1_pd( r ), one = _mm512_set1_pd( 1. );
  uint32_t cnt = 0;
  for( uint32_t i = first; i < end; i += 8 ) {
    __m256i at = _mm256_slli_epi32( _mm256_loadu_si256( (__m256i const *)( other + i ) ), STRIDE_BITS );
    __m512d p  = _mm512_mul_pd( _mm512_mul_pd( all, _mm512_loadu_pd( rate + i ) ), _mm512_i32gather_pd( at, best, 8 ) );
    uint32_t bits = _mm512_cmp_pd_mask( p, one, _CMP_GT_OQ );
    for( ; __builtin_expect( bits, 0 ); bits &= bits - 1 ) hit[cnt++] = i + (uint32_t)__builtin_ctz( bits );
  }
  return cnt;
}

/* -- weighing ---------------------------------------------------------------- */

/* The largest input of a cycle that brings a hop no more than its limit, if R*v / (1 + D*v) comes to the hop. */
static inline double input_of( double limit, double R, double D ) {
  return R > D * limit ? limit / ( R - D * limit ) : INFINITY;
}

/* Fills in a cycle's input and profit by its edges; a profit that is not above 0 is none. */
static inline void cycle_weigh( sf_cycles_t const * c, sf_cycle_t * cycle ) {
  double R = 1., D = 0., most = INFINITY;
  for( uint32_t h = 0; h < cycle->hop_cnt; h++ ) {
    sf_cycle_pool_t const * p = &c->pool[cycle->edge[h] >> 1];
    uint32_t side             = cycle->edge[h] & 1;
    double input              = input_of( p->limit[side], R, D );
    if( input < most ) most = input;
    D += R * p->depth[side];
    R *= p->rate[side];
  }
  double s      = sqrt( R ) - 1.;
  double best   = s / D; /* infinite where D is 0 */
  cycle->capped = best > most && most < c->max_input;
  double input  = best < most ? best : most;
  if( input > c->max_input ) input = c->max_input;
  cycle->input  = input;
  cycle->profit = s > 0. ? R * input / ( 1. + D * input ) - input : 0.;
}

/* -- the best ---------------------------------------------------------------- */

/* Cycles that are weighed and compared together, without a branch that waits for a root or a quotient. */
typedef struct batch {
  uint32_t cnt;
  uint32_t weighed; /* the first ones: the best so far */
  double least;     /* profit of the last of SF_CYCLE_BEST that were weighed; 0 = there are fewer */
  sf_cycle_t cycle[BATCH];
} batch_t;

/* Weighs what is new and leaves the best in list; of equal ones the earlier goes first. */
static void batch_weigh( sf_cycles_t const * c, batch_t * b, sf_cycle_list_t * list ) {
  double key[SF_CYCLE_BEST]  = { 0. };
  uint32_t at[SF_CYCLE_BEST] = { 0 };
  for( uint32_t i = b->weighed; i < b->cnt; i++ ) cycle_weigh( c, &b->cycle[i] );
  for( uint32_t i = 0; i < b->cnt; i++ ) {
    double p = b->cycle[i].profit;
    for( uint32_t j = SF_CYCLE_BEST - 1; j; j-- ) {
      uint32_t here = p > key[j] ? i : at[j];
      at[j]         = p > key[j - 1] ? at[j - 1] : here;
      double least  = p < key[j - 1] ? p : key[j - 1];
      key[j]        = least > key[j] ? least : key[j];
    }
    at[0]  = p > key[0] ? i : at[0];
    key[0] = p > key[0] ? p : key[0];
  }
  /* as many as there are, which is known before any is weighed: nearly all of them earn */
  list->cnt = b->cnt < SF_CYCLE_BEST ? b->cnt : SF_CYCLE_BEST;
  for( uint32_t i = 0; i < SF_CYCLE_BEST; i++ ) list->cycle[i] = b->cycle[at[i]];
  while( __builtin_expect( list->cnt && !( key[list->cnt - 1] > 0. ), 0 ) ) list->cnt--;
  b->least = key[SF_CYCLE_BEST - 1];
}

/* Says if R*v / (1 + D*v) could earn more than the least of the best so far, for any D that is not below this one and any v
   up to most.  Its profit is (sqrt(R)-1)^2 / D at most, and sqrt(R)-1 lies between x/2 - x^2/8 and x/2, with x = R-1; where
   the best v, (sqrt(R)-1) / D, is above most, it is what most gives.  Generous by more than what rounding is, so that none
   is left out that weighing would take. */
static inline uint32_t worth( batch_t const * b, double R, double D, double most ) {
  double over = R - 1. + ROUNDING, taken = D * most;
  uint32_t top = over * over > NEARLY_4 * b->least * D, capped = over * ( .5 - .125 * over ) > taken;
  return top & ( !capped | ( most * ( over - taken ) > NEARLY_1 * b->least * ( 1. + taken ) ) );
}

/* Makes room in a full batch. */
static void batch_empty( sf_cycles_t const * c, batch_t * b, sf_cycle_list_t * list ) {
  batch_weigh( c, b, list );
  memcpy( b->cycle, list->cycle, list->cnt * sizeof( sf_cycle_t ) );
  b->cnt = b->weighed = list->cnt;
}

/* Adds a cycle if `good` is 1. */
static inline void consider( sf_cycles_t const * c, uint32_t first, uint32_t second, uint32_t third, uint32_t good,
                             batch_t * b, sf_cycle_list_t * list ) {
  sf_cycle_t * cycle = &b->cycle[b->cnt];
  cycle->edge[0]     = first;
  cycle->edge[1]     = second;
  cycle->edge[2]     = third;
  cycle->hop_cnt     = third == SF_CYCLE_NONE ? 2 : 3;
  b->cnt += good;
  if( __builtin_expect( b->cnt == BATCH, 0 ) ) batch_empty( c, b, list );
}

/* Quoted soon, the best one first: a head's arrays and what begins its state. */
static void prefetch( sf_cycles_t const * c, sf_cycle_t const * cycle ) {
  for( uint32_t h = 0; h < cycle->hop_cnt; h++ ) {
    uint8_t const * update = (uint8_t const *)c->pool[cycle->edge[h] >> 1].update;
    for( uint32_t line = 0; line < HOT_LINES; line++ ) __builtin_prefetch( update + 64 * line );
  }
}

/* -- memory ------------------------------------------------------------------ */

static void * take( uint64_t cnt, uint64_t bytes ) {
  uint64_t size = ( cnt * bytes + 63 ) & ~63UL;
  void * p      = aligned_alloc( 64, size );
  if( p ) memset( p, 0, size );
  return p;
}

int sf_cycles_open( sf_cycles_t * c, uint32_t pool_max, uint32_t token_max, uint32_t hop_max, uint32_t slippage_bps,
                    uint64_t max_input ) {
  memset( c, 0, sizeof( *c ) );
  if( !pool_max || pool_max > 1u << 24 || !token_max || token_max > 1u << 24 )
    return sf_err_set( SF_ERR_ARG, "cycles: %u pools, %u tokens; use 1 to %u", pool_max, token_max, 1u << 24 );
  if( hop_max < 2 || hop_max > SF_CYCLE_HOPS ) return sf_err_set( SF_ERR_ARG, "cycles: %u hops; use 2 or 3", hop_max );
  if( slippage_bps >= SF_BPS )
    return sf_err_set( SF_ERR_ARG, "cycles: slippage of %u basis points; use less than %u", slippage_bps, SF_BPS );
  uint64_t entries = 2ul * pool_max + (uint64_t)( LANES - 1 ) * ( token_max < 2 * pool_max ? token_max : 2 * pool_max );
  c->pool_max      = pool_max;
  c->token_max     = token_max;
  c->hop_max       = hop_max;
  c->slippage_bps  = slippage_bps;
  c->give          = (double)( SF_BPS - slippage_bps ) / SF_BPS;
  c->max_input     = (double)max_input;
  c->base          = SF_CYCLE_NONE;
  c->changed       = SF_CYCLE_NONE;
  c->pool          = take( pool_max, sizeof( *c->pool ) );
  c->room          = take( pool_max, sizeof( *c->room ) );
  c->held          = take( pool_max, 1 );
  c->stale         = take( pool_max, 1 );
  c->added         = take( pool_max, sizeof( *c->added ) );
  c->token         = take( token_max + 1, sizeof( *c->token ) ); /* the last one is that of padding */
  c->edge          = take( entries, sizeof( *c->edge ) );
  c->other         = take( entries, sizeof( *c->other ) );
  c->rate[FROM]    = take( entries, sizeof( double ) );
  c->rate[TO]      = take( entries, sizeof( double ) );
  c->depth[FROM]   = take( entries, sizeof( double ) );
  c->depth[TO]     = take( entries, sizeof( double ) );
  c->limit[FROM]   = take( entries, sizeof( double ) );
  c->limit[TO]     = take( entries, sizeof( double ) );
  c->front[FROM]   = take( entries, sizeof( *c->front[0] ) );
  c->front[TO]     = take( entries, sizeof( *c->front[0] ) );
  c->hit           = take( entries, sizeof( *c->hit ) );
  if( !c->pool || !c->room || !c->held || !c->stale || !c->added || !c->token || !c->edge || !c->other || !c->rate[0] ||
      !c->rate[1] || !c->depth[0] || !c->depth[1] || !c->limit[0] || !c->limit[1] || !c->front[0] || !c->front[1] ||
      !c->hit ) {
    sf_cycles_close( c );
    return sf_err_set( SF_ERR_LIMIT, "cycles: no memory for %u pools and %u tokens", pool_max, token_max );
  }
  c->screen = __builtin_cpu_supports( "avx512f" ) ? sf_cycles_screen_avx512
              : __builtin_cpu_supports( "avx2" )  ? sf_cycles_screen_avx2
                                                  : sf_cycles_screen_plain;
  return 0;
}

void sf_cycles_close( sf_cycles_t * c ) {
  for( uint32_t p = 0; c->pool && p < c->pool_max; p++ ) free( c->pool[p].update );
  void * all[] = { c->room,     c->held,     c->stale,    c->pool,     c->added,    c->token,
                   c->edge,     c->other,    c->rate[0],  c->rate[1],  c->depth[0], c->depth[1],
                   c->limit[0], c->limit[1], c->front[0], c->front[1], c->hit };
  for( uint32_t i = 0; i < sizeof( all ) / sizeof( all[0] ); i++ ) free( all[i] );
  memset( c, 0, sizeof( *c ) );
}

/* -- lists ------------------------------------------------------------------- */

/* The best rates between a token and the base token, over its pools with it. */
static void best_set( sf_cycles_t * c, uint32_t token ) {
  double from = 0., to = 0.;
  for( uint32_t i = c->token[token].first; i < c->token[token].end_base; i++ ) {
    if( c->rate[FROM][i] > from ) from = c->rate[FROM][i];
    if( c->rate[TO][i] > to ) to = c->rate[TO][i];
  }
  c->token[token].best[FROM] = from;
  c->token[token].best[TO]   = to;
  if( c->token[token].end_base - c->token[token].first <= FEW ) return;
  c->token[token].front_cnt[FROM] = c->token[token].front_cnt[TO] = SF_CYCLE_NONE;
  c->changed                                                      = token;
}

/* If the edge at place i of the lists is better than that at k, whatever is swapped; of equal ones the earlier is. */
static inline int beats( sf_cycles_t const * c, uint32_t way, uint32_t i, uint32_t k ) {
  double const *rate = c->rate[way], *depth = c->depth[way], *limit = c->limit[way];
  int same = ( rate[i] == rate[k] ) & ( depth[i] == depth[k] ) & ( limit[i] == limit[k] );
  return ( rate[i] >= rate[k] ) & ( depth[i] <= depth[k] ) & ( limit[i] >= limit[k] ) & ( !same | ( i < k ) );
}

/* Finds out which of a token's pools with the base token no other beats; returns how many. */
static __attribute__( ( noinline ) ) uint32_t front_find( sf_cycles_t * c, uint32_t way, uint32_t token ) {
  uint32_t *front = c->front[way] + c->token[token].first, cnt = 0;
  for( uint32_t i = c->token[token].first; i < c->token[token].end_base; i++ ) {
    uint32_t kept = 0, beaten = !( c->rate[way][i] > 0. );
    for( uint32_t n = 0; n < cnt && !beaten; n++ ) beaten = beats( c, way, front[n], i );
    if( beaten ) continue;
    for( uint32_t n = 0; n < cnt; n++ )
      if( !beats( c, way, i, front[n] ) ) front[kept++] = front[n];
    front[kept] = i;
    cnt         = kept + 1;
  }
  return c->token[token].front_cnt[way] = cnt;
}

/* How many no other beats, and where they stand; mostly found out in time. */
static inline uint32_t front_of( sf_cycles_t * c, uint32_t way, uint32_t token, uint32_t const ** front ) {
  uint32_t cnt = c->token[token].front_cnt[way];
  *front       = c->front[way] + c->token[token].first;
  return __builtin_expect( cnt == SF_CYCLE_NONE, 0 ) ? front_find( c, way, token ) : cnt;
}

/* Writes a pool's curves into the lists. */
static void place_set( sf_cycles_t * c, sf_cycle_pool_t const * p ) {
  for( uint32_t side = 0; side < 2; side++ ) {
    uint32_t i = p->place[side];
    if( i == SF_CYCLE_NONE ) continue;
    c->rate[TO][i]    = p->rate[side];
    c->rate[FROM][i]  = p->rate[!side];
    c->depth[TO][i]   = p->depth[side];
    c->depth[FROM][i] = p->depth[!side];
    c->limit[TO][i]   = p->limit[side];
    c->limit[FROM][i] = p->limit[!side];
  }
}

/* Makes the lists anew: each token's pools, those with the base token first, padded.  No search reads the curves in the
   base token's own list: they are not kept there. */
static void lists_make( sf_cycles_t * c ) {
  uint32_t edges = 2 * c->pool_end, at = 0;
  for( uint32_t t = 0; t < c->token_max; t++ ) c->token[t].end_base = 0;
  for( uint32_t e = 0; e < edges; e++ )
    if( c->pool[e >> 1].update ) c->token[edge_from( c, e )].end_base++;
  for( uint32_t t = 0; t < c->token_max; t++ ) {
    uint32_t cnt      = c->token[t].end_base;
    c->token[t].first = c->token[t].end_base = at;
    at += ( cnt + LANES - 1 ) / LANES * LANES;
    for( uint32_t i = c->token[t].first + cnt; i < at; i++ ) {
      c->edge[i]       = SF_CYCLE_NONE;
      c->other[i]      = c->token_max;
      c->rate[FROM][i] = c->rate[TO][i] = 0.;
      c->depth[FROM][i] = c->depth[TO][i] = 0.;
    }
  }
  c->token[c->token_max].first = at;
  for( uint32_t with_base = 2; with_base-- > 0; ) {
    for( uint32_t e = 0; e < edges; e++ ) {
      if( !c->pool[e >> 1].update || ( edge_to( c, e ) == c->base ) != with_base ) continue;
      uint32_t from = edge_from( c, e ), i = c->token[from].end_base++;
      c->edge[i]                   = e;
      c->other[i]                  = edge_to( c, e );
      c->pool[e >> 1].place[e & 1] = from == c->base ? SF_CYCLE_NONE : i;
    }
  }
  for( uint32_t p = 0; p < c->pool_end; p++ )
    if( c->pool[p].update ) place_set( c, &c->pool[p] );
  for( uint32_t t = 0; t < c->token_max; t++ ) {
    c->token[t].end_base = c->token[t].first;
    while( c->token[t].end_base < c->token[t + 1].first && c->other[c->token[t].end_base] == c->base )
      c->token[t].end_base++;
    for( uint32_t way = 0; way < 2; way++ ) {
      c->token[t].front_cnt[way] = c->token[t].end_base - c->token[t].first;
      for( uint32_t i = c->token[t].first; i < c->token[t].end_base; i++ ) c->front[way][i] = i;
    }
    best_set( c, t );
  }
  c->token[c->base].best[FROM] = c->token[c->base].best[TO] = 1.;
  for( uint32_t way = 0; way < 2; way++ ) {
    sf_warm_bytes( &c->warm, way, c->rate[way], at * sizeof( double ) );
    sf_warm_bytes( &c->warm, 2 + way, c->depth[way], at * sizeof( double ) );
    sf_warm_bytes( &c->warm, 4 + way, c->front[way], at * sizeof( uint32_t ) );
  }
  sf_warm_bytes( &c->warm, 6, c->edge, at * sizeof( *c->edge ) );
  sf_warm_bytes( &c->warm, 7, c->other, at * sizeof( *c->other ) );
  sf_warm_bytes( &c->warm, 8, c->token, c->token_max * sizeof( *c->token ) );
  sf_warm_bytes( &c->warm, 9, c->pool, c->pool_end * sizeof( *c->pool ) );
  c->listed  = 1;
  c->changed = SF_CYCLE_NONE;
}

/* -- what the owner calls ----------------------------------------------------- */

static void rate_set( sf_cycles_t * c, uint32_t pool ) {
  sf_cycle_pool_t * p        = &c->pool[pool];
  sf_pool_update_t const * u = p->update;
  if( !u ) return;
  int usable = !c->held[pool] && !c->stale[pool] && !( u->flags & SF_POOL_DISABLED ) && u->open_time <= u->unix_s;
  for( uint32_t side = 0; side < 2; side++ ) {
    int good       = usable && u->rate[side] > 0.;
    int last       = ( side ? u->token_a : u->token_b ) == c->base;
    p->rate[side]  = !good ? 0. : last ? u->rate[side] : u->rate[side] * c->give;
    p->depth[side] = good ? u->depth[side] : 0.;
    p->limit[side] = good ? u->limit[side] : 0.;
  }
  if( !c->listed || ( p->place[0] & p->place[1] ) == SF_CYCLE_NONE ) return;
  place_set( c, p );
  if( u->token_a == c->base ) best_set( c, u->token_b );
  else if( u->token_b == c->base ) best_set( c, u->token_a );
}

void sf_cycles_base( sf_cycles_t * c, uint32_t token ) {
  c->base   = token;
  c->listed = 0;
  for( uint32_t p = 0; p < c->pool_end; p++ ) rate_set( c, p );
}

/* Room for an update; 0 if there is no memory. */
static int room_make( sf_cycles_t * c, uint32_t pool, uint32_t bytes ) {
  sf_cycle_pool_t * p  = &c->pool[pool];
  uint32_t room        = bytes <= ROOM_SMALL && !p->update ? ( bytes + 63 ) & ~63u : (uint32_t)ROOM_MAX;
  sf_pool_update_t * u = take( room, 1 );
  if( !u ) return 0;
  free( p->update );
  p->update     = u;
  c->room[pool] = (uint16_t)room;
  return 1;
}

int sf_cycles_update( sf_cycles_t * c, sf_pool_update_t const * update, int stale ) {
  uint32_t at    = update->pool;
  uint32_t bytes = (uint32_t)sizeof( *update ) + sf_pool_quote_bytes( update );
  if( at >= c->pool_max || !sf_venue_get( update->venue ) || update->token_a >= c->token_max ||
      update->token_b >= c->token_max || update->token_a == update->token_b || update->state_bytes > SF_POOL_STATE_MAX )
    return SF_ERR_ARG;
  sf_cycle_pool_t * p = &c->pool[at];
  int added           = !p->update;
  if( !added && ( p->update->token_a != update->token_a || p->update->token_b != update->token_b ) ) return SF_ERR_ARG;
  if( __builtin_expect( bytes > c->room[at], 0 ) && !room_make( c, at, bytes ) ) return SF_ERR_LIMIT;
  memcpy( p->update, update, bytes );
  c->stale[at] = (uint8_t)stale;
  if( __builtin_expect( added, 0 ) ) {
    p->place[0] = p->place[1] = SF_CYCLE_NONE;
    c->added[c->added_cnt++]  = at;
    if( at >= c->pool_end ) c->pool_end = at + 1;
  }
  rate_set( c, at );
  return added;
}

void sf_cycles_hold( sf_cycles_t * c, uint32_t pool, int held ) {
  if( pool >= c->pool_max ) return;
  c->held[pool] = (uint8_t)held;
  rate_set( c, pool );
}

/* -- search ------------------------------------------------------------------- */

/* The cycles whose first (TO) or last (FROM) hop is this edge between the base token and token X. */
static void search_end( sf_cycles_t * c, uint32_t edge, uint32_t token, uint32_t way, batch_t * b,
                        sf_cycle_list_t * list ) {
  double r = edge_rate( c, edge ), d = edge_depth( c, edge );
  double const *all = c->rate[way], *depth = c->depth[way];
  uint32_t end = c->hop_max == 2 ? c->token[token].end_base : c->token[token + 1].first;
  if( c->hop_max == 2 ) end = ( end + LANES - 1 ) / LANES * LANES; /* beyond, best is 0 or there is a third hop */
  uint32_t hits = c->screen( all, c->other, &c->token->best[way], r, c->token[token].first, end, c->hit ),
           work = SF_CYCLE_WORK;
  for( uint32_t n = 0; n < hits; n++ ) {
    uint32_t i = c->hit[n], middle = way == TO ? c->edge[i] : c->edge[i] ^ 1, next = c->other[i];
    if( middle >> 1 == edge >> 1 ) continue;
    if( next == c->base ) {
      if( way == TO ) consider( c, edge, middle, SF_CYCLE_NONE, 1, b, list );
      else consider( c, middle, edge, SF_CYCLE_NONE, 1, b, list );
      continue;
    }
    if( c->hop_max == 2 ) continue;
    /* depth of the two hops: of the first two, or of the last two behind one of rate 1; as that one's rate is above
       1/both where the cycle earns, their part of the whole is not below two/both */
    double both = r * all[i], two = way == TO ? d + r * depth[i] : depth[i] + all[i] * d;
    if( !worth( b, both * c->token[next].best[way], way == TO ? two : two / both, c->max_input ) ) continue;
    uint32_t const * front;
    uint32_t cnt = front_of( c, way, next, &front );
    for( uint32_t m = 0; m < cnt; m++ ) {
      uint32_t k    = front[m];
      double R      = both * all[k];
      uint32_t good = R > 1.;
      if( __builtin_expect( good & !work, 0 ) ) {
        c->cut_searches++;
        return;
      }
      work -= good;
      good &= worth( b, R, way == TO ? two + both * depth[k] : depth[k] + all[k] * two, c->max_input );
      if( way == TO ) consider( c, edge, middle, c->edge[k], good, b, list );
      else consider( c, c->edge[k] ^ 1, middle, edge, good, b, list );
    }
  }
}

/* The cycles whose second hop is this edge from token X to token Y. */
static void search_middle( sf_cycles_t * c, uint32_t edge, uint32_t x, uint32_t y, batch_t * b,
                           sf_cycle_list_t * list ) {
  double r = edge_rate( c, edge ), d = edge_depth( c, edge );
  uint32_t work = SF_CYCLE_WORK;
  if( c->hop_max == 2 || __builtin_expect( !( c->token[x].best[FROM] * r * c->token[y].best[TO] > 1. ), 1 ) ) return;
  uint32_t const *first, *last;
  uint32_t firsts = front_of( c, FROM, x, &first ), lasts = front_of( c, TO, y, &last );
  for( uint32_t n = 0; n < firsts; n++ ) {
    uint32_t i  = first[n];
    double both = c->rate[FROM][i] * r, two = c->depth[FROM][i] + c->rate[FROM][i] * d;
    if( !( both * c->token[y].best[TO] > 1. ) || !worth( b, both * c->token[y].best[TO], two, c->max_input ) ) continue;
    for( uint32_t m = 0; m < lasts; m++ ) {
      uint32_t k    = last[m];
      double R      = both * c->rate[TO][k];
      uint32_t good = R > 1.;
      if( __builtin_expect( good & !work, 0 ) ) {
        c->cut_searches++;
        return;
      }
      work -= good;
      good &= worth( b, R, two + both * c->depth[TO][k], c->max_input );
      consider( c, c->edge[i] ^ 1, edge, c->edge[k], good, b, list );
    }
  }
}

static void search_pool( sf_cycles_t * c, uint32_t pool, batch_t * b, sf_cycle_list_t * list ) {
  sf_pool_update_t const * u = c->pool[pool].update;
  if( !u ) return;
  for( uint32_t side = 0; side < 2; side++ ) {
    uint32_t edge = 2 * pool + side, from = side ? u->token_b : u->token_a, to = side ? u->token_a : u->token_b;
    if( !( c->pool[pool].rate[side] > 0. ) ) continue;
    if( from == c->base ) search_end( c, edge, to, TO, b, list );
    else if( to == c->base ) search_end( c, edge, from, FROM, b, list );
    else search_middle( c, edge, from, to, b, list );
  }
}

void sf_cycles_search( sf_cycles_t * c, uint32_t pool, sf_cycle_list_t * list ) {
  batch_t b;
  b.cnt = b.weighed = 0;
  b.least           = 0.;
  list->cnt         = 0;
  if( c->base == SF_CYCLE_NONE || pool >= c->pool_end ) return;
  if( __builtin_expect( c->added_cnt || !c->listed, 0 ) ) {
    lists_make( c );
    for( uint32_t i = 0; i < c->added_cnt; i++ )
      if( c->added[i] != pool ) search_pool( c, c->added[i], &b, list );
    c->added_cnt = 0;
  }
  search_pool( c, pool, &b, list );
  if( __builtin_expect( !b.cnt, 1 ) ) return;
  batch_weigh( c, &b, list );
  if( list->cnt ) prefetch( c, &list->cycle[0] );
}

/* What no other pool beats, where that changed; or a line of what stands in one piece, and one of the next pool's update. */
void sf_cycles_warm( sf_cycles_t * c ) {
  uint32_t const * front;
  sf_warm_step( &c->warm );
  if( !c->pool_end ) return;
  if( __builtin_expect( c->changed != SF_CYCLE_NONE && c->listed, 0 ) ) {
    for( uint32_t way = 0; way < 2; way++ ) front_of( c, way, c->changed, &front );
    c->changed = SF_CYCLE_NONE;
    return;
  }
  uint8_t const * update = (uint8_t const *)c->pool[c->warm_pool].update;
  if( update ) __builtin_prefetch( update + SF_WARM_LINE * c->warm_line );
  if( ++c->warm_line < HOT_LINES ) return;
  c->warm_line = 0;
  if( ++c->warm_pool == c->pool_end ) c->warm_pool = 0;
  __builtin_prefetch( &c->pool[c->warm_pool] );
}

/* -- all there are -------------------------------------------------------------- */

static int tell( sf_cycles_t const * c, uint32_t const * edge, uint32_t n, sf_cycles_each_t * each, void * arg,
                 int * cnt ) {
  sf_cycle_t cycle = { .hop_cnt = n };
  sf_route_t route;
  for( uint32_t h = 0; h < n; h++ ) cycle.edge[h] = edge[h];
  cycle_weigh( c, &cycle );
  if( !( cycle.profit > 0. ) || !sf_cycles_route_best( c, &cycle, &route ) ) return 0;
  ++*cnt;
  return each( arg, &route );
}

int sf_cycles_all( sf_cycles_t * c, sf_cycles_each_t * each, void * arg ) {
  int cnt = 0, told = 0;
  if( c->base == SF_CYCLE_NONE ) return 0;
  if( c->added_cnt || !c->listed ) lists_make( c );
  c->added_cnt = 0;
  for( uint32_t i = c->token[c->base].first; i < c->token[c->base + 1].first && !told; i++ ) {
    uint32_t x = c->other[i], edge[SF_CYCLE_HOPS] = { c->edge[i] };
    if( x == c->token_max ) break;
    for( uint32_t j = c->token[x].first; j < c->token[x + 1].first && !told; j++ ) {
      uint32_t y = c->other[j];
      edge[1]    = c->edge[j];
      if( y == c->token_max || !( edge_rate( c, edge[0] ) * c->rate[TO][j] * c->token[y].best[TO] > 1. ) ) continue;
      if( y == c->base ) {
        if( edge[0] >> 1 != edge[1] >> 1 ) told = tell( c, edge, 2, each, arg, &cnt );
        continue;
      }
      for( uint32_t k = c->token[y].first; c->hop_max > 2 && k < c->token[y].end_base && !told; k++ ) {
        edge[2] = c->edge[k];
        told    = tell( c, edge, 3, each, arg, &cnt );
      }
    }
  }
  return told ? told : cnt;
}
