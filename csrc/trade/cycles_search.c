#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "trade/cycles_lists.h"

#define FROM     SF_CYCLE_FROM
#define TO       SF_CYCLE_TO
#define KEPT     2 /* of a group, beside these: the best of what was there */
#define FOUR     4
#define TAG      0xffUL
#define NEARLY_1 1.0001 /* by more than what rounding is */
#define ROUNDING 1e-12

_Static_assert( FOUR * SF_CYCLE_GROUPS <= TAG + 1, "a tag for every cycle of a list" );

/* -- screens ---------------------------------------------------------------- */

/* R*v / (1 + D*v) earns no more than v*(R-1-D*v) at its best v, for any D that is not below this one, any v up to `most`.
   A little more than that, so that rounding takes nothing away.  R is above 1. */
static inline double earns_most( double R, double D, double most ) {
  double over = R - 1. + ROUNDING, best = over / ( D + D ), v = best < most ? best : most;
  return v * ( over - D * v ) * NEARLY_1;
}

/* Of two hops, both*v / (1 + two*v). */
static inline double end_two( sf_cycle_end_t const * e, double rate, double depth ) {
  return e->way == TO ? e->depth + e->rate * depth : depth + rate * e->depth;
}

/* The depth of all three is at least this: a hop before them has a rate above 1/both where the cycle earns. */
static inline double depth_least( uint32_t way, double both, double two ) { return way == TO ? two : two / both; }

/* The best rates of four or eight tokens, loaded one by one: an instruction that gathers takes longer on most processors. */
static inline double best_of( double const * best, uint32_t token ) { return best[SF_CYCLE_STRIDE * token]; }

static inline __attribute__( ( target( "avx2" ), always_inline ) ) __m256d best_of_4( double const * b,
                                                                                      uint32_t const * t ) {
  return _mm256_setr_pd( best_of( b, t[0] ), best_of( b, t[1] ), best_of( b, t[2] ), best_of( b, t[3] ) );
}

static inline __attribute__( ( target( "avx512f" ), always_inline ) ) __m512d best_of_8( double const * b,
                                                                                         uint32_t const * t ) {
  return _mm512_setr_pd( best_of( b, t[0] ), best_of( b, t[1] ), best_of( b, t[2] ), best_of( b, t[3] ),
                         best_of( b, t[4] ), best_of( b, t[5] ), best_of( b, t[6] ), best_of( b, t[7] ) );
}

uint32_t sf_cycles_screen_plain( sf_cycles_t * c, sf_cycle_end_t const * e, uint32_t first, uint32_t end ) {
  double const *rate = c->rate[e->way], *depth = c->depth[e->way];
  uint32_t cnt = 0, many = end - first > SF_CYCLE_MANY;
  c->most = 0.;
  for( uint32_t i = first; i < end; i++ ) {
    double both = e->rate * rate[i], R = both * c->token[c->other[i]].best[e->way];
    if( !( R > 1. ) ) continue;
    if( many ) {
      double D      = depth_least( e->way, both, end_two( e, rate[i], depth[i] ) );
      c->earns[cnt] = earns_most( R, D, c->max_input );
      if( c->earns[cnt] > c->most ) c->most = c->earns[cnt];
    }
    c->hit[cnt++] = i;
  }
  return cnt;
}

__attribute__( ( target( "avx2" ) ) ) uint32_t sf_cycles_screen_avx2( sf_cycles_t * c, sf_cycle_end_t const * e,
                                                                      uint32_t first, uint32_t end ) {
  double const *rate = c->rate[e->way], *depth = c->depth[e->way], *best = &c->token->best[e->way];
  uint32_t const * other = c->other;
  uint32_t * hit         = c->hit;
  __m256d all = _mm256_set1_pd( e->rate ), one = _mm256_set1_pd( 1. );
  uint32_t cnt = 0, many = end - first > SF_CYCLE_MANY;
  c->most = 0.;
  for( uint32_t i = first; i < end; i += 4 ) {
    __m256d R     = _mm256_mul_pd( _mm256_mul_pd( all, _mm256_loadu_pd( rate + i ) ), best_of_4( best, other + i ) );
    uint32_t bits = (uint32_t)_mm256_movemask_pd( _mm256_cmp_pd( R, one, _CMP_GT_OQ ) );
    for( ; __builtin_expect( bits, 0 ); bits &= bits - 1 ) {
      uint32_t k = i + (uint32_t)__builtin_ctz( bits );
      if( many ) {
        double both = e->rate * rate[k], third = best_of( best, other[k] );
        double D      = depth_least( e->way, both, end_two( e, rate[k], depth[k] ) );
        c->earns[cnt] = earns_most( both * third, D, c->max_input );
        if( c->earns[cnt] > c->most ) c->most = c->earns[cnt];
      }
      hit[cnt++] = k;
    }
  }
  return cnt;
}

/* Without a branch on what is found: where there are hits, how many of eight is anybody's guess. */
__attribute__( ( target( "avx512f,avx512vl,avx2,popcnt" ) ) ) uint32_t sf_cycles_screen_avx512(
    sf_cycles_t * c, sf_cycle_end_t const * e, uint32_t first, uint32_t end ) {
  double const *rate = c->rate[e->way], *depth = c->depth[e->way], *best = &c->token->best[e->way];
  uint32_t const * other = c->other;
  uint32_t * hit         = c->hit;
  __m512d all = _mm512_set1_pd( e->rate ), one = _mm512_set1_pd( 1. ), most = _mm512_setzero_pd();
  __m256i lane = _mm256_setr_epi32( 0, 1, 2, 3, 4, 5, 6, 7 );
  uint32_t cnt = 0, many = end - first > SF_CYCLE_MANY;
  for( uint32_t i = first; i < end; i += 8 ) {
    __m512d there = _mm512_loadu_pd( rate + i ), both = _mm512_mul_pd( all, there );
    __m512d R     = _mm512_mul_pd( both, best_of_8( best, other + i ) );
    __mmask8 bits = _mm512_cmp_pd_mask( R, one, _CMP_GT_OQ );
    if( __builtin_expect( !bits, 1 ) ) continue;
    if( many ) {
      __m512d behind = _mm512_loadu_pd( depth + i ), own = _mm512_set1_pd( e->depth );
      __m512d D    = e->way == TO ? _mm512_add_pd( own, _mm512_mul_pd( all, behind ) )
                                  : _mm512_div_pd( _mm512_add_pd( behind, _mm512_mul_pd( there, own ) ), both );
      __m512d over = _mm512_add_pd( _mm512_sub_pd( R, one ), _mm512_set1_pd( ROUNDING ) );
      __m512d v    = _mm512_min_pd( _mm512_div_pd( over, _mm512_add_pd( D, D ) ), _mm512_set1_pd( c->max_input ) );
      __m512d gain = _mm512_mul_pd( v, _mm512_sub_pd( over, _mm512_mul_pd( D, v ) ) );
      gain         = _mm512_maskz_mul_pd( bits, gain, _mm512_set1_pd( NEARLY_1 ) );
      most         = _mm512_max_pd( most, gain );
      _mm512_storeu_pd( c->earns + cnt, _mm512_maskz_compress_pd( bits, gain ) );
    }
    __m256i here = _mm256_add_epi32( _mm256_set1_epi32( (int)i ), lane );
    _mm256_storeu_si256( (__m256i *)( hit + cnt ), _mm256_maskz_compress_epi32( bits, here ) );
    cnt += (uint32_t)__builtin_popcount( bits );
  }
  if( many ) c->most = _mm512_reduce_max_pd( most );
  return cnt;
}

/* -- bounds ------------------------------------------------------------------- */

/* A cycle's three hops give R*v / (1 + D*v), and profit is best at v = (sqrt(R)-1) / D, or at max_input if that is less.
   Of a profit the last bits say where in the list it stands, so that the greatest names its place: less than rounding. */

static inline double tagged( double profit, uint32_t at ) {
  uint64_t bits;
  memcpy( &bits, &profit, sizeof( bits ) );
  bits = ( bits & ~TAG ) | ( TAG - at ); /* of equal ones the first is the greatest */
  memcpy( &profit, &bits, sizeof( bits ) );
  return profit;
}

static inline uint32_t tag_of( double profit ) {
  uint64_t bits;
  memcpy( &bits, &profit, sizeof( bits ) );
  return (uint32_t)( TAG - ( bits & TAG ) );
}

double sf_cycles_bound_plain( sf_cycle_list_t * list, double max_input ) {
  double most = 0.;
  for( uint32_t at = FOUR * list->bounded; at < FOUR * list->cnt; at++ ) {
    sf_cycle_group_t const * g = &list->group[at / FOUR];
    double rate = g->curve[at % FOUR], depth = g->curve[FOUR + at % FOUR];
    double R = g->both * rate, D = g->depth + g->by_depth * depth + g->by_rate * rate;
    double best      = ( sqrt( R ) - 1. ) / D;
    double input     = best < max_input ? best : max_input;
    double p         = R * input / ( 1. + D * input ) - input;
    list->profit[at] = R > 1. ? tagged( p, at ) : 0.;
    most             = list->profit[at] > most ? list->profit[at] : most;
  }
  list->bounded = list->cnt;
  return most;
}

__attribute__( ( target( "avx2" ) ) ) double sf_cycles_bound_avx2( sf_cycle_list_t * list, double max_input ) {
  __m256d one = _mm256_set1_pd( 1. ), limit = _mm256_set1_pd( max_input ), most = _mm256_setzero_pd();
  __m256i lanes = _mm256_setr_epi64x( TAG, TAG - 1, TAG - 2, TAG - 3 ), tag = _mm256_set1_epi64x( TAG );
  for( uint32_t n = list->bounded; n < list->cnt; n++ ) {
    sf_cycle_group_t const * g = &list->group[n];
    __m256d rate = _mm256_loadu_pd( g->curve ), depth = _mm256_loadu_pd( g->curve + FOUR );
    __m256d R = _mm256_mul_pd( _mm256_set1_pd( g->both ), rate );
    __m256d D = _mm256_add_pd(
        _mm256_add_pd( _mm256_set1_pd( g->depth ), _mm256_mul_pd( _mm256_set1_pd( g->by_depth ), depth ) ),
        _mm256_mul_pd( _mm256_set1_pd( g->by_rate ), rate ) );
    __m256d best  = _mm256_div_pd( _mm256_sub_pd( _mm256_sqrt_pd( R ), one ), D );
    __m256d input = _mm256_min_pd( best, limit );
    __m256d p     = _mm256_div_pd( _mm256_mul_pd( R, input ), _mm256_add_pd( one, _mm256_mul_pd( D, input ) ) );
    __m256i at    = _mm256_sub_epi64( lanes, _mm256_set1_epi64x( FOUR * n ) );
    p             = _mm256_or_pd( _mm256_andnot_pd( _mm256_castsi256_pd( tag ), _mm256_sub_pd( p, input ) ),
                                  _mm256_castsi256_pd( at ) );
    p             = _mm256_and_pd( p, _mm256_cmp_pd( R, one, _CMP_GT_OQ ) );
    most          = _mm256_max_pd( most, p );
    _mm256_store_pd( &list->profit[FOUR * n], p );
  }
  list->bounded = list->cnt;
  __m128d two   = _mm_max_pd( _mm256_castpd256_pd128( most ), _mm256_extractf128_pd( most, 1 ) );
  return _mm_cvtsd_f64( _mm_max_sd( two, _mm_unpackhi_pd( two, two ) ) );
}

/* -- weighing ---------------------------------------------------------------- */

/* The largest input of a cycle that brings a hop no more than its limit, if R*v / (1 + D*v) comes to the hop. */
static inline double input_of( double limit, double R, double D ) {
  return R > D * limit ? limit / ( R - D * limit ) : INFINITY;
}

/* Fills in input and profit of a cycle of which a hop does not take all that the input would bring it. */
static __attribute__( ( noinline ) ) void weigh_capped( sf_cycles_t const * c, sf_cycle_t * cycle, double best,
                                                        double s ) {
  double R = 1., D = 0., most = INFINITY;
  for( uint32_t h = 0; h < cycle->hop_cnt; h++ ) {
    sf_cycle_pool_t const * p = &c->pool[cycle->edge[h] >> 1];
    uint32_t side             = cycle->edge[h] & 1;
    double input              = input_of( p->limit[side], R, D );
    if( input < most ) most = input;
    D += R * p->depth[side];
    R *= p->rate[side];
  }
  double input  = best < most ? best : most;
  cycle->capped = best > most && most < c->max_input;
  cycle->input  = input < c->max_input ? input : c->max_input;
  cycle->profit = s > 0. ? R * cycle->input / ( 1. + D * cycle->input ) - cycle->input : 0.;
}

/* Fills in a cycle's input and profit by its edges; a profit that is not above 0 is none. */
static inline void cycle_weigh( sf_cycles_t const * c, sf_cycle_t * cycle ) {
  static sf_cycle_pool_t const no_hop = { .rate = { 1., 1. }, .limit = { INFINITY, INFINITY } };
  sf_cycle_pool_t const *p = &c->pool[cycle->edge[0] >> 1], *q = &c->pool[cycle->edge[1] >> 1];
  sf_cycle_pool_t const * t = cycle->hop_cnt == 2 ? &no_hop : &c->pool[cycle->edge[2] >> 1];
  uint32_t i = cycle->edge[0] & 1, j = cycle->edge[1] & 1, k = cycle->edge[2] & 1;
  double R1 = p->rate[i], D1 = p->depth[i];
  double R2 = R1 * q->rate[j], D2 = D1 + R1 * q->depth[j];
  double R = R2 * t->rate[k], D = D2 + R2 * t->depth[k];
  double s     = sqrt( R ) - 1.;
  double best  = s / D; /* infinite where D is 0 */
  double input = best < c->max_input ? best : c->max_input;
  /* what comes to a hop is R*v / (1 + D*v) */
  int free = ( input <= p->limit[i] ) & ( R1 * input <= q->limit[j] * ( 1. + D1 * input ) ) &
             ( R2 * input <= t->limit[k] * ( 1. + D2 * input ) );
  if( __builtin_expect( !free, 0 ) ) {
    weigh_capped( c, cycle, best, s );
    return;
  }
  cycle->capped = 0;
  cycle->input  = input;
  cycle->profit = s > 0. ? R * input / ( 1. + D * input ) - input : 0.;
}

/* -- the list ---------------------------------------------------------------- */

/* The cycle at a place of the list. */
static inline void cycle_build( sf_cycle_list_t const * list, uint32_t at, sf_cycle_t * cycle ) {
  sf_cycles_t const * c      = list->of;
  sf_cycle_group_t const * g = &list->group[at / FOUR];
  if( __builtin_expect( g->way == KEPT, 0 ) ) {
    *cycle = list->kept[at % FOUR];
    return;
  }
  uint32_t place = c->front[g->way][g->first + at % FOUR], three = place != SF_CYCLE_NONE;
  uint32_t third = three ? c->edge[place] : SF_CYCLE_NONE, before = three & ( g->way == FROM );
  uint32_t edge[SF_CYCLE_HOPS + 1] = { third ^ 1, g->edge[0], g->edge[1], third };
  cycle->hop_cnt                   = 2 + three;
  memcpy( cycle->edge, edge + !before, sizeof( cycle->edge ) );
}

/* The most profit in the list. */
static double list_most( sf_cycle_list_t const * list ) {
  __m128d a = _mm_setzero_pd(), b = a;
  for( uint32_t i = 0; i < FOUR * list->cnt; i += FOUR ) {
    a = _mm_max_pd( a, _mm_load_pd( &list->profit[i] ) );
    b = _mm_max_pd( b, _mm_load_pd( &list->profit[i + 2] ) );
  }
  a = _mm_max_pd( a, b );
  return _mm_cvtsd_f64( _mm_max_sd( a, _mm_unpackhi_pd( a, a ) ) );
}

static inline uint32_t is_capped( sf_cycle_list_t const * list, uint32_t at ) {
  return list->capped[at / 64] >> at % 64 & 1;
}

static inline void capped_flip( sf_cycle_list_t * list, uint32_t at ) { list->capped[at / 64] ^= 1UL << at % 64; }

/* Weighs the cycle at a place; if it is capped it earns less than was thought. */
static inline void list_weigh( sf_cycle_list_t * list, uint32_t at ) {
  cycle_build( list, at, &list->cycle );
  cycle_weigh( list->of, &list->cycle );
  if( __builtin_expect( !list->cycle.capped || is_capped( list, at ), 1 ) ) return;
  capped_flip( list, at );
  list->capped_cnt++;
  list->profit[at] = tagged( list->cycle.profit, at );
}

/* Weighs what could earn more than one that is capped. */
static __attribute__( ( noinline ) ) void list_weigh_rest( sf_cycle_list_t * list, double most ) {
  for( uint32_t at = 0; at < FOUR * list->cnt; at++ ) {
    if( !( list->profit[at] > most ) ) continue;
    if( !is_capped( list, at ) ) list_weigh( list, at );
    if( list->profit[at] > most ) most = list->profit[at];
  }
}

sf_cycle_t const * sf_cycle_next( sf_cycle_list_t * list, double least ) {
  while( list->cnt && list->given < SF_CYCLE_BEST ) {
    if( list->most < 0. ) list->most = list_most( list );
    if( !( list->most > 0. ) || ( !( list->most > least ) && !list->capped_cnt ) ) return 0;
    uint32_t at = tag_of( list->most ), known = is_capped( list, at );
    list->most = -1.;
    list_weigh( list, at );
    if( __builtin_expect( list->cycle.capped, 0 ) ) {
      if( !known ) { /* perhaps another is better */
        list_weigh_rest( list, list->profit[at] );
        continue;
      }
      capped_flip( list, at );
      list->capped_cnt--;
    }
    list->profit[at] = 0.;
    list->given++;
    if( list->cycle.capped || list->cycle.profit > least ) return &list->cycle;
  }
  return 0;
}

/* Makes room in a full list: the best remain. */
static __attribute__( ( noinline ) ) void list_thin( sf_cycles_t const * c, sf_cycle_list_t * list ) {
  sf_cycle_t const * cycle;
  uint32_t cnt                 = 0;
  double profit[SF_CYCLE_BEST] = { 0. };
  sf_cycle_t kept[SF_CYCLE_BEST];
  c->bound( list, c->max_input );
  list->most = -1.;
  while( ( cycle = sf_cycle_next( list, 0. ) ) ) {
    profit[cnt] = tagged( cycle->profit, cnt );
    kept[cnt++] = *cycle;
  }
  memcpy( list->kept, kept, cnt * sizeof( *kept ) );
  memcpy( list->profit, profit, sizeof( profit ) );
  list->group[0].way = KEPT;
  list->least        = cnt == SF_CYCLE_BEST ? profit[cnt - 1] : 0.;
  list->cnt = list->bounded = cnt != 0;
  memset( list->capped, 0, sizeof( list->capped ) );
  list->capped_cnt = list->given = 0;
}

/* Quoted soon, the best one first: a head's arrays and what begins its state. */
static void prefetch( sf_cycles_t const * c, sf_cycle_t const * cycle ) {
  for( uint32_t h = 0; h < cycle->hop_cnt; h++ ) {
    uint8_t const * update = (uint8_t const *)c->pool[cycle->edge[h] >> 1].update;
    for( uint32_t line = 0; line < SF_CYCLE_HOT_LINES; line++ ) __builtin_prefetch( update + 64 * line );
  }
}

/* -- search ------------------------------------------------------------------- */

/* Says if the best of the cycles of two hops and a third from or to `token` could earn more than is known already. */
static inline int groups_worth( sf_cycles_t const * c, double least, uint32_t way, uint32_t token, double both,
                                double two ) {
  double R = both * c->token[token].best[way];
  return R > 1. && earns_most( R, depth_least( way, both, two ), c->max_input ) > least;
}

/* Adds the cycles of these two hops, which give both*v / (1 + two*v), and every one of the front of `token`; 0 if that is
   more than one search may bound. */
static inline int groups_add( sf_cycles_t * c, sf_cycle_list_t * list, uint32_t way, uint32_t token, double both,
                              double two, uint32_t first, uint32_t second, uint32_t * work ) {
  if( __builtin_expect( list->least > 0., 0 ) && !groups_worth( c, list->least, way, token, both, two ) ) return 1;
  uint32_t cnt = sf_cycles_front_cnt( c, way, token ), at = c->token[token].first;
  for( ;; at += FOUR, cnt -= FOUR ) {
    if( __builtin_expect( !( *work )--, 0 ) ) {
      c->cut_searches++;
      return 0;
    }
    if( __builtin_expect( list->cnt == SF_CYCLE_GROUPS, 0 ) ) list_thin( c, list );
    sf_cycle_group_t * g = &list->group[list->cnt++];
    g->both              = both;
    g->depth             = way == TO ? two : 0.;
    g->by_depth          = way == TO ? both : 1.;
    g->by_rate           = way == TO ? 0. : two;
    g->curve             = c->curve[way] + 2 * at;
    g->edge[0]           = first;
    g->edge[1]           = second;
    g->first             = at;
    g->way               = way;
    if( __builtin_expect( cnt <= FOUR, 1 ) ) return 1;
  }
}

/* Adds the cycles of an end and the edges at these places. */
static inline int end_add( sf_cycles_t * c, sf_cycle_list_t * list, sf_cycle_end_t const * e, uint32_t const * place,
                           uint32_t cnt, uint32_t * work ) {
  for( uint32_t n = 0; n < cnt; n++ ) {
    uint32_t i = place[n], middle = c->edge[i], next = c->other[i];
    uint32_t first = e->way == TO ? e->edge : middle ^ 1, second = e->way == TO ? middle : e->edge;
    double rate = c->rate[e->way][i], two = end_two( e, rate, c->depth[e->way][i] );
    int good = middle >> 1 != e->edge >> 1 && ( c->hop_max > 2 || next == c->base );
    if( !groups_add( c, list, e->way, next, good ? e->rate * rate : 0., two, first, second, work ) ) return 0;
  }
  return 1;
}

/* Takes the hits whose cycles could earn more than `least`, up to `most`; returns how many. */
static uint32_t hits_take( sf_cycles_t * c, uint32_t hits, double least, double most ) {
  uint32_t cnt = 0;
  for( uint32_t n = 0; n < hits; n++ )
    if( __builtin_expect( c->earns[n] > least, 0 ) && c->earns[n] <= most ) c->taken[cnt++] = c->hit[n];
  return cnt;
}

/* Of very many those first that could earn nearly as much as any: what they do earn leaves most of the others out. */
static __attribute__( ( noinline ) ) void end_add_many( sf_cycles_t * c, sf_cycle_list_t * list,
                                                        sf_cycle_end_t const * e, uint32_t hits, uint32_t * work ) {
  static double const shares[] = { .95, .5, 0. };
  double above                 = c->most;
  for( uint32_t i = 0; i < sizeof( shares ) / sizeof( shares[0] ) && above > list->least; i++ ) {
    double share = shares[i] * c->most, least = share > list->least ? share : list->least;
    if( !end_add( c, list, e, c->taken, hits_take( c, hits, least, above ), work ) ) return;
    list_thin( c, list );
    above = least;
  }
}

/* The cycles that begin (TO) or end (FROM) with this edge between the base token and token X. */
static inline void search_end( sf_cycles_t * c, uint32_t edge, uint32_t token, uint32_t way, sf_cycle_list_t * list ) {
  sf_cycle_end_t e = { edge, way, c->pool[edge >> 1].rate[edge & 1], c->pool[edge >> 1].depth[edge & 1] };
  uint32_t end = c->hop_max == 2 ? c->token[token].end_base : c->token[token + 1].first, work = SF_CYCLE_WORK / FOUR;
  if( c->hop_max == 2 ) end = ( end + SF_CYCLE_LANES - 1 ) / SF_CYCLE_LANES * SF_CYCLE_LANES; /* may have a third hop */
  uint32_t hits = c->screen( c, &e, c->token[token].first, end );
  if( __builtin_expect( hits > SF_CYCLE_MANY, 0 ) ) end_add_many( c, list, &e, hits, &work );
  else end_add( c, list, &e, c->hit, hits, &work );
}

/* The cycles whose second hop is this edge from token X to token Y. */
static void search_middle( sf_cycles_t * c, uint32_t edge, uint32_t x, uint32_t y, sf_cycle_list_t * list ) {
  double r = c->pool[edge >> 1].rate[edge & 1], d = c->pool[edge >> 1].depth[edge & 1];
  uint32_t work = SF_CYCLE_WORK / FOUR;
  if( c->hop_max == 2 || __builtin_expect( !( c->token[x].best[FROM] * r * c->token[y].best[TO] > 1. ), 1 ) ) return;
  uint32_t cnt = sf_cycles_front_cnt( c, FROM, x );
  for( uint32_t n = 0; n < cnt; n++ ) {
    uint32_t i  = c->front[FROM][c->token[x].first + n];
    double rate = c->rate[FROM][i], two = c->depth[FROM][i] + rate * d;
    if( !groups_add( c, list, TO, y, rate * r, two, c->edge[i] ^ 1, edge, &work ) ) return;
  }
}

static void search_pool( sf_cycles_t * c, uint32_t pool, sf_cycle_list_t * list ) {
  sf_pool_update_t const * u = c->pool[pool].update;
  if( !u ) return;
  for( uint32_t side = 0; side < 2; side++ ) {
    uint32_t edge = 2 * pool + side, from = side ? u->token_b : u->token_a, to = side ? u->token_a : u->token_b;
    if( !( c->pool[pool].rate[side] > 0. ) ) continue;
    if( from == c->base ) search_end( c, edge, to, TO, list );
    else if( to == c->base ) search_end( c, edge, from, FROM, list );
    else search_middle( c, edge, from, to, list );
  }
}

void sf_cycles_search_choose( sf_cycles_t * c ) {
  int wide  = __builtin_cpu_supports( "avx2" );
  c->bound  = wide ? sf_cycles_bound_avx2 : sf_cycles_bound_plain;
  c->screen = __builtin_cpu_supports( "avx512vl" ) ? sf_cycles_screen_avx512
              : wide                               ? sf_cycles_screen_avx2
                                                   : sf_cycles_screen_plain;
}

void sf_cycles_search( sf_cycles_t * c, uint32_t pool, sf_cycle_list_t * list ) {
  list->cnt = 0;
  if( c->base == SF_CYCLE_NONE || pool >= c->pool_end ) return;
  list->of      = c;
  list->least   = 0.;
  list->bounded = list->given = list->capped_cnt = 0;
  memset( list->capped, 0, sizeof( list->capped ) );
  if( __builtin_expect( c->added_cnt || !c->listed, 0 ) ) {
    sf_cycles_lists_make( c );
    for( uint32_t i = 0; i < c->added_cnt; i++ )
      if( c->added[i] != pool ) search_pool( c, c->added[i], list );
    c->added_cnt = 0;
  }
  search_pool( c, pool, list );
  if( __builtin_expect( !list->cnt, 1 ) ) return;
  list->most = c->bound( list, c->max_input );
  if( __builtin_expect( list->group[0].way == KEPT, 0 ) ) list->most = list_most( list );
  if( !( list->most > 0. ) ) {
    list->cnt = 0;
    return;
  }
  cycle_build( list, tag_of( list->most ), &list->cycle );
  prefetch( c, &list->cycle );
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
  if( c->added_cnt || !c->listed ) sf_cycles_lists_make( c );
  c->added_cnt = 0;
  for( uint32_t i = c->token[c->base].first; i < c->token[c->base + 1].first && !told; i++ ) {
    uint32_t x = c->other[i], edge[SF_CYCLE_HOPS] = { c->edge[i] };
    if( x == c->token_max ) break;
    for( uint32_t j = c->token[x].first; j < c->token[x + 1].first && !told; j++ ) {
      uint32_t y = c->other[j];
      edge[1]    = c->edge[j];
      if( y == c->token_max ||
          !( c->pool[edge[0] >> 1].rate[edge[0] & 1] * c->rate[TO][j] * c->token[y].best[TO] > 1. ) )
        continue;
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
