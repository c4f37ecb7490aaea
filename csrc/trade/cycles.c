#include "trade/cycles.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dex/bps.h"
#include "trade/cycles_lists.h"

#define ROOM_SMALL 1024 /* bytes kept of a pool whose first update is not larger; the others get room for any */
#define ROOM_MAX   ( sizeof( sf_pool_update_t ) + SF_POOL_STATE_MAX )
#define FEW        4 /* pools with the base token of which none is left out */

#define FROM SF_CYCLE_FROM
#define TO   SF_CYCLE_TO

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
  uint64_t entries =
      2ul * pool_max + (uint64_t)( SF_CYCLE_LANES - 1 ) * ( token_max < 2 * pool_max ? token_max : 2 * pool_max );
  c->pool_max     = pool_max;
  c->token_max    = token_max;
  c->hop_max      = hop_max;
  c->slippage_bps = slippage_bps;
  c->give         = (double)( SF_BPS - slippage_bps ) / SF_BPS;
  c->max_input    = (double)max_input;
  c->base         = SF_CYCLE_NONE;
  c->pool         = take( pool_max, sizeof( *c->pool ) );
  c->room         = take( pool_max, sizeof( *c->room ) );
  c->held         = take( pool_max, 1 );
  c->stale        = take( pool_max, 1 );
  c->added        = take( pool_max, sizeof( *c->added ) );
  c->token        = take( token_max + 1, sizeof( *c->token ) ); /* the last one is that of padding */
  c->edge         = take( entries, sizeof( *c->edge ) );
  c->other        = take( entries, sizeof( *c->other ) );
  c->rate[FROM]   = take( entries, sizeof( double ) );
  c->rate[TO]     = take( entries, sizeof( double ) );
  c->depth[FROM]  = take( entries, sizeof( double ) );
  c->depth[TO]    = take( entries, sizeof( double ) );
  c->limit[FROM]  = take( entries, sizeof( double ) );
  c->limit[TO]    = take( entries, sizeof( double ) );
  c->front[FROM]  = take( entries, sizeof( *c->front[0] ) );
  c->front[TO]    = take( entries, sizeof( *c->front[0] ) );
  c->curve[FROM]  = take( entries, 2 * sizeof( double ) );
  c->curve[TO]    = take( entries, 2 * sizeof( double ) );
  c->hit          = take( entries + SF_CYCLE_LANES, sizeof( *c->hit ) );
  c->taken        = take( entries, sizeof( *c->taken ) );
  c->earns        = take( entries + SF_CYCLE_LANES, sizeof( *c->earns ) );
  if( !c->pool || !c->room || !c->held || !c->stale || !c->added || !c->token || !c->edge || !c->other || !c->rate[0] ||
      !c->rate[1] || !c->depth[0] || !c->depth[1] || !c->limit[0] || !c->limit[1] || !c->front[0] || !c->front[1] ||
      !c->curve[0] || !c->curve[1] || !c->hit || !c->taken || !c->earns ) {
    sf_cycles_close( c );
    return sf_err_set( SF_ERR_LIMIT, "cycles: no memory for %u pools and %u tokens", pool_max, token_max );
  }
  sf_cycles_search_choose( c );
  return 0;
}

void sf_cycles_close( sf_cycles_t * c ) {
  for( uint32_t p = 0; c->pool && p < c->pool_max; p++ ) free( c->pool[p].update );
  void * all[] = { c->room,     c->held,     c->stale,    c->pool,     c->added,    c->token,    c->edge,
                   c->other,    c->rate[0],  c->rate[1],  c->depth[0], c->depth[1], c->limit[0], c->limit[1],
                   c->front[0], c->front[1], c->curve[0], c->curve[1], c->hit,      c->taken,    c->earns };
  for( uint32_t i = 0; i < sizeof( all ) / sizeof( all[0] ); i++ ) free( all[i] );
  memset( c, 0, sizeof( *c ) );
}

/* -- lists ------------------------------------------------------------------- */

/* The best rate between a token and the base token, over its pools with it. */
static void best_find( sf_cycles_t * c, uint32_t token, uint32_t way ) {
  double best = 0.;
  for( uint32_t i = c->token[token].first; i < c->token[token].end_base; i++ )
    if( c->rate[way][i] > best ) best = c->rate[way][i];
  c->token[token].best[way] = best;
}

/* A token's pools with the base token have changed: which of them no other beats is to be found out. */
static void front_changed( sf_cycles_t * c, uint32_t token ) {
  if( c->token[token].front_cnt[FROM] != SF_CYCLE_NONE && c->changed_cnt < SF_CYCLE_CHANGED )
    c->changed[c->changed_cnt++] = token;
  c->token[token].front_cnt[FROM] = c->token[token].front_cnt[TO] = SF_CYCLE_NONE;
}

/* If the edge at place i of the lists is better than that at k, whatever is swapped; of equal ones the earlier is. */
static inline int beats( sf_cycles_t const * c, uint32_t way, uint32_t i, uint32_t k ) {
  double const *rate = c->rate[way], *depth = c->depth[way], *limit = c->limit[way];
  int same = ( rate[i] == rate[k] ) & ( depth[i] == depth[k] ) & ( limit[i] == limit[k] );
  return ( rate[i] >= rate[k] ) & ( depth[i] <= depth[k] ) & ( limit[i] >= limit[k] ) & ( !same | ( i < k ) );
}

/* The curves of the first `cnt` places of a front in groups of four: rates, depths; 0 where there is none. */
static void curve_set( sf_cycles_t * c, uint32_t way, uint32_t first, uint32_t cnt ) {
  for( uint32_t n = 0; n < cnt || n % 4; n++ ) {
    uint32_t k     = c->front[way][first + n];
    double * curve = c->curve[way] + 2 * ( first + n / 4 * 4 ) + n % 4;
    curve[0]       = n < cnt ? c->rate[way][k] : 0.;
    curve[4]       = n < cnt ? c->depth[way][k] : 0.;
  }
}

uint32_t sf_cycles_front_find( sf_cycles_t * c, uint32_t way, uint32_t token ) {
  uint32_t first = c->token[token].first, end = c->token[token].end_base, few = end - first <= FEW;
  uint32_t *front = c->front[way] + first, cnt = 0;
  for( uint32_t i = first; i < end; i++ ) {
    uint32_t kept = 0, beaten = !( c->rate[way][i] > 0. );
    for( uint32_t n = 0; n < cnt && !beaten && !few; n++ ) beaten = beats( c, way, front[n], i );
    if( beaten ) continue;
    for( uint32_t n = 0; n < cnt; n++ )
      if( few || !beats( c, way, i, front[n] ) ) front[kept++] = front[n];
    front[kept] = i;
    cnt         = kept + 1;
  }
  curve_set( c, way, first, cnt );
  return c->token[token].front_cnt[way] = cnt;
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

/* From the base token to itself there is no hop: one that gives what it takes stands for it, alone in its group. */
static void base_set( sf_cycles_t * c ) {
  sf_cycle_token_t * base = &c->token[c->base];
  base->best[FROM] = base->best[TO] = 1.;
  for( uint32_t way = 0; way < 2 && base->first < base[1].first; way++ ) {
    double * curve = c->curve[way] + 2 * base->first;
    memset( curve, 0, 2 * 4 * sizeof( *curve ) ); /* another token's may have stood there before */
    curve[0]                   = 1.;
    base->front_cnt[way]       = 1;
    c->front[way][base->first] = SF_CYCLE_NONE;
  }
}

void sf_cycles_lists_make( sf_cycles_t * c ) {
  uint32_t edges = 2 * c->pool_end, at = 0;
  for( uint32_t t = 0; t < c->token_max; t++ ) c->token[t].end_base = 0;
  for( uint32_t e = 0; e < edges; e++ )
    if( c->pool[e >> 1].update ) c->token[sf_cycles_edge_from( c, e )].end_base++;
  for( uint32_t t = 0; t < c->token_max; t++ ) {
    uint32_t cnt      = c->token[t].end_base;
    c->token[t].first = c->token[t].end_base = at;
    at += ( cnt + SF_CYCLE_LANES - 1 ) / SF_CYCLE_LANES * SF_CYCLE_LANES;
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
      if( !c->pool[e >> 1].update || ( sf_cycles_edge_to( c, e ) == c->base ) != with_base ) continue;
      uint32_t from = sf_cycles_edge_from( c, e ), i = c->token[from].end_base++;
      c->edge[i]                   = e;
      c->other[i]                  = sf_cycles_edge_to( c, e );
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
      best_find( c, t, way );
      sf_cycles_front_find( c, way, t );
    }
  }
  base_set( c );
  for( uint32_t way = 0; way < 2; way++ ) {
    sf_warm_bytes( &c->warm, way, c->rate[way], at * sizeof( double ) );
    sf_warm_bytes( &c->warm, 2 + way, c->depth[way], at * sizeof( double ) );
    sf_warm_bytes( &c->warm, 4 + way, c->curve[way], at * 2 * sizeof( double ) );
  }
  sf_warm_bytes( &c->warm, 6, c->edge, at * sizeof( *c->edge ) );
  sf_warm_bytes( &c->warm, 7, c->other, at * sizeof( *c->other ) );
  sf_warm_bytes( &c->warm, 8, c->token, c->token_max * sizeof( *c->token ) );
  sf_warm_bytes( &c->warm, 9, c->pool, c->pool_end * sizeof( *c->pool ) );
  c->listed      = 1;
  c->changed_cnt = 0;
}

/* The curves of a pool between the base token and another. */
static void base_pool_set( sf_cycles_t * c, sf_cycle_pool_t const * p, uint32_t token ) {
  uint32_t i   = p->place[0] & p->place[1]; /* the other is SF_CYCLE_NONE, all ones */
  double was[] = { c->rate[FROM][i], c->rate[TO][i] };
  place_set( c, p );
  for( uint32_t way = 0; way < 2; way++ ) {
    double * best = &c->token[token].best[way];
    if( c->rate[way][i] >= *best ) *best = c->rate[way][i];
    else if( was[way] == *best ) best_find( c, token, way );
  }
  front_changed( c, token );
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
  int with_base = u->token_a == c->base || u->token_b == c->base;
  if( with_base ) base_pool_set( c, p, u->token_a == c->base ? u->token_b : u->token_a );
  else place_set( c, p );
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

/* What no other pool beats, where that changed; or a line of what stands in one piece, and one of the next pool's update. */
void sf_cycles_warm( sf_cycles_t * c ) {
  sf_warm_step( &c->warm );
  if( !c->pool_end ) return;
  if( __builtin_expect( c->changed_cnt && c->listed, 0 ) ) {
    for( uint32_t n = 0; n < 2 && c->changed_cnt; n++ ) {
      uint32_t token = c->changed[--c->changed_cnt];
      for( uint32_t way = 0; way < 2; way++ ) sf_cycles_front_cnt( c, way, token );
    }
    return;
  }
  uint8_t const * update = (uint8_t const *)c->pool[c->warm_pool].update;
  if( update ) __builtin_prefetch( update + SF_WARM_LINE * c->warm_line );
  if( ++c->warm_line < SF_CYCLE_HOT_LINES ) return;
  c->warm_line = 0;
  if( ++c->warm_pool == c->pool_end ) c->warm_pool = 0;
  __builtin_prefetch( &c->pool[c->warm_pool] );
}
