/* arb: the bot that buys where it is cheap and sells where it is dear, in one transaction.

     market ─▶ cycles through the changed pool ─▶ exact quote of the best few ─▶ intent

   A cycle begins and ends in WSOL, so its result and its costs are both lamports.  Each hop sells what
   the one before is sure to give, and the last must give back the input and all costs: a cycle that lands
   earns, one that does not land costs its fee.

   Our quote of a pool is out of date while our own order over it is under way, so the pools of a cycle are
   held out of the search until its fill or denial comes, or cooldown_slots have passed.

   A route whose transaction was too large is not proposed again: its fill says that it was dropped for size.  Routes
   that create accounts and routes that do not are told apart.

   With ladder_loss_bps a rung of the route's ladder is proposed instead of the best amounts where it earns at most that much
   less: its transaction may have been signed already (trade/ladder.h).

   A token of which neither a balance nor a landed fill has told is one whose account may be missing: an intent
   over it has its accounts created.

   Deterministic: it knows only messages (and the mints in `tokens`, which never change). */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dex/bps.h"
#include "shm/table.h"
#include "solana/base58.h"
#include "tile/tile.h"
#include "trade/cost.h"
#include "trade/cycles.h"
#include "trade/seeds.h"

#define UNDER_WAY    256 /* cycles that hold pools at once; beyond, no intent */
#define INTENT_BYTES ( (uint32_t)( sizeof( sf_message_t ) + sizeof( sf_intent_t ) ) )
#define TOO_LARGE    4096 /* routes kept of those that do not fit; a later one may take the place of an earlier one */

enum { IN_MARKET, IN_DENIED, IN_FILL };

enum { C_UPDATES, C_CANDIDATES, C_INTENTS, C_BELOW_COST, C_BAD, C_RELEASED, C_TIMED_OUT, C_RUNGS, C_CNT };
enum { G_POOLS, G_UNDER_WAY, G_CUT, G_CNT };
static char const * const counter_names[C_CNT] = {
  "pool_updates", "candidate_cycles", "intents",          "cycles_below_cost",
  "bad_updates",  "cycles_released",  "cycles_timed_out", "ladder_intents",
};
static char const * const gauge_names[G_CNT] = { "pools_known", "cycles_under_way", "searches_cut" };

typedef struct under_way {
  uint64_t intent;
  uint64_t slot;  /* of the market message that caused it */
  uint64_t route; /* route_key */
  uint32_t hop_cnt;
  uint32_t pool[SF_CYCLE_HOPS];
} under_way_t;

typedef struct arb {
  sf_table_t const * tokens;
  uint32_t out;
  uint8_t base_mint[32];
  uint64_t bot;
  uint64_t min_profit;
  uint64_t tip_bps;
  sf_cost_t cost; /* of an intent without a limit, by which its limit is made */
  uint64_t cooldown_slots;
  uint64_t slippage_bps;
  uint64_t intent_cnt;
  uint64_t slot;      /* newest of the market */
  uint32_t token_end; /* tokens [0,token_end) have been compared with base_mint */
  uint32_t under_way_cnt;
  uint32_t unheld; /* 1 = the pools of the last one are not held yet */
  under_way_t under_way[UNDER_WAY];
  uint64_t too_large[TOO_LARGE]; /* route keys */
  uint64_t too_large_bits[8];    /* one of 512 for each: mostly none, and a line that stays near */
  uint8_t * held;                /* by token: 1 = the wallet has an account for it */
  uint8_t in_kind[8];
  int counter[C_CNT];
  int gauge[G_CNT];
  sf_cycles_t cycles;
  sf_seeds_t seeds;
} arb_t;

/* -- cycles under way ------------------------------------------------------ */

static void release( arb_t * a, uint32_t at ) {
  under_way_t * u = &a->under_way[at];
  for( uint32_t h = 0; h < u->hop_cnt; h++ ) sf_cycles_hold( &a->cycles, u->pool[h], 0 );
  *u = a->under_way[--a->under_way_cnt];
}

static void token_hold( arb_t * a, uint32_t token ) {
  if( token < a->tokens->row_cnt ) a->held[token] = 1;
}

/* A route and whether it creates accounts, in a word; never 0. */
static uint64_t route_key( uint32_t const * edge, uint32_t hop_cnt, uint32_t flags ) {
  uint64_t key = ( flags & SF_INTENT_CREATE ) != 0;
  for( uint32_t h = 0; h < SF_CYCLE_HOPS; h++ ) key = key << 21 | ( h < hop_cnt ? ( edge[h] + 1 ) & 0x1fffff : 0 );
  return key;
}

static uint64_t route_hash( uint64_t key ) { return key * 0x9e3779b97f4a7c15UL >> 32; }

static void route_drop( arb_t * a, uint64_t key ) {
  uint64_t hash                  = route_hash( key );
  a->too_large[hash % TOO_LARGE] = key;
  a->too_large_bits[hash >> 6 & 7] |= 1UL << ( hash & 63 );
}

static int route_dropped( arb_t const * a, uint64_t key ) {
  uint64_t hash = route_hash( key );
  return a->too_large_bits[hash >> 6 & 7] >> ( hash & 63 ) & 1 && a->too_large[hash % TOO_LARGE] == key;
}

static void release_intent( sf_tile_t * t, arb_t * a, uint64_t intent, int landed, int failed, int too_large ) {
  for( uint32_t i = 0; i < a->under_way_cnt; i++ )
    if( a->under_way[i].intent == intent ) {
      if( failed ) sf_seeds_forget( &a->seeds, a->under_way[i].route );
      if( too_large ) route_drop( a, a->under_way[i].route );
      for( uint32_t h = 0; landed && h < a->under_way[i].hop_cnt; h++ ) {
        sf_pool_update_t const * u = sf_cycles_pool( &a->cycles, 2 * a->under_way[i].pool[h] );
        token_hold( a, u->token_a );
        token_hold( a, u->token_b );
      }
      release( a, i );
      sf_tile_count( t, a->counter[C_RELEASED], 1 );
      return;
    }
}

static void slot_set( sf_tile_t * t, arb_t * a, uint64_t slot ) {
  if( slot <= a->slot ) return;
  a->slot = slot;
  for( uint32_t i = a->under_way_cnt; i-- > 0; )
    if( slot - a->under_way[i].slot > a->cooldown_slots ) {
      release( a, i );
      sf_tile_count( t, a->counter[C_TIMED_OUT], 1 );
    }
}

/* -- from a cycle to an intent --------------------------------------------- */

typedef struct plan {
  sf_route_t route;
  uint64_t key; /* route_key */
  uint64_t fee_lamports;
  uint64_t tip_lamports;
  int64_t profit; /* expected, after fee and tip */
  uint32_t cu_limit;
  uint8_t flags; /* SF_INTENT_CREATE */
} plan_t;

/* What a plan's route costs, whatever its amounts; 0 if its transaction is known not to fit. */
static int plan_cost( arb_t * a, plan_t * p ) {
  sf_route_t const * route = &p->route;
  sf_intent_t i; /* of it, what the cost depends on */
  i.flags                   = 0;
  i.hop_cnt                 = (uint8_t)route->hop_cnt;
  i.cu_price_micro_lamports = a->cost.cu_price_micro_lamports;
  for( uint32_t h = 0; h < route->hop_cnt; h++ ) {
    sf_pool_update_t const * u = sf_cycles_pool( &a->cycles, route->edge[h] );
    i.hop[h].venue             = u->venue;
    if( !a->held[route->edge[h] & 1 ? u->token_a : u->token_b] ) i.flags = SF_INTENT_CREATE;
  }
  uint64_t units  = sf_cost_units( &a->cost, &i );
  i.cu_limit      = (uint32_t)( units > SF_COMPUTE_UNITS_MAX ? SF_COMPUTE_UNITS_MAX : units );
  p->flags        = i.flags;
  p->cu_limit     = i.cu_limit;
  p->fee_lamports = sf_cost_fee_lamports( &a->cost, &i );
  p->key          = route_key( route->edge, route->hop_cnt, i.flags );
  return !route_dropped( a, p->key );
}

/* What its amounts leave of that; 0 if it is not enough. */
static int plan_earns( arb_t const * a, plan_t * p ) {
  uint64_t gross = p->route.expected_out - p->route.amount_in[0];
  if( gross <= p->fee_lamports ) return 0;
  p->tip_lamports = sf_bps_of( gross - p->fee_lamports, a->tip_bps );
  p->profit       = (int64_t)( gross - p->fee_lamports - p->tip_lamports );
  return (uint64_t)p->profit >= a->min_profit;
}

/* The best plan for one of these cycles, in one of two places; NULL if there is none. */
static plan_t const * plan_choose( arb_t * a, sf_cycle_list_t * list, plan_t place[2] ) {
  plan_t *best = 0, *next = place;
  sf_cycle_t const * cycle;
  /* costs and rounding only lower the profit of a cycle that no limit caps */
  while( ( cycle = sf_cycle_next( list, best ? (double)best->profit + SF_SIGNATURE_LAMPORTS : 0. ) ) ) {
    if( !sf_cycles_route( &a->cycles, cycle, &next->route ) || !plan_cost( a, next ) || !plan_earns( a, next ) ||
        ( best && next->profit <= best->profit ) )
      continue;
    best = next;
    next = best == place ? place + 1 : place;
  }
  if( best && sf_cycles_tighten( &a->cycles, &best->route ) ) plan_earns( a, best );
  return best;
}

/* The last hop gives at least the input and all costs back, and is not far from its quote. */
static uint64_t last_min_out( arb_t const * a, plan_t const * p ) {
  uint64_t even  = p->route.amount_in[0] + p->fee_lamports + p->tip_lamports;
  uint64_t quote = sf_bps_of( p->route.expected_out, SF_BPS - a->slippage_bps );
  return quote > even ? quote : even;
}

static void hop_fill( arb_t const * a, sf_route_t const * route, uint32_t h, sf_hop_t * hop ) {
  uint32_t edge = route->edge[h], side = edge & 1;
  sf_pool_update_t const * u = sf_cycles_pool( &a->cycles, edge );
  *hop                       = ( sf_hop_t ){ .pool      = edge >> 1,
                                             .venue     = u->venue,
                                             .a_to_b    = !side,
                                             .array_cnt = u->array_cnt[side],
                                             .array     = { u->array[side][0], u->array[side][1], u->array[side][2] },
                                             .amount_in = route->amount_in[h],
                                             .min_out   = route->min_out[h] };
}

/* Turns an intent into a rung where that costs little enough. */
static void ladder_ask( sf_tile_t * t, arb_t * a, sf_route_t const * route, uint64_t key, sf_intent_t * i ) {
  sf_pool_update_t const * update[SF_CYCLE_HOPS];
  for( uint32_t h = 0; h < route->hop_cnt; h++ ) update[h] = sf_cycles_pool( &a->cycles, route->edge[h] );
  if( sf_seeds_ask( &a->seeds, key, update, i ) ) sf_tile_count( t, a->counter[C_RUNGS], 1 );
}

static void intent_publish( sf_tile_t * t, arb_t * a, sf_message_t const * m, plan_t const * p ) {
  sf_message_t * slot      = sf_tile_claim( t, a->out );
  sf_intent_t * i          = (sf_intent_t *)( slot + 1 );
  sf_route_t const * route = &p->route;
  under_way_t * u          = &a->under_way[a->under_way_cnt++];
  /* every field by itself: the compiler would clear the whole with a slow string instruction first */
  i->intent                  = ++a->intent_cnt;
  i->bot                     = (uint32_t)a->bot;
  i->kind                    = SF_INTENT_CYCLE;
  i->flags                   = p->flags;
  i->hop_cnt                 = (uint8_t)route->hop_cnt;
  i->_pad0                   = 0;
  i->market_seq              = sf_tile_message_seq( t );
  i->slot                    = ( (sf_pool_update_t const *)( m + 1 ) )->slot;
  i->token_in                = a->cycles.base;
  i->token_out               = a->cycles.base;
  i->amount_in               = route->amount_in[0];
  i->expected_out            = route->expected_out;
  i->min_out                 = last_min_out( a, p );
  i->cost_lamports           = p->fee_lamports + p->tip_lamports;
  i->tip_lamports            = p->tip_lamports;
  i->cu_price_micro_lamports = a->cost.cu_price_micro_lamports;
  i->cu_limit                = p->cu_limit;
  i->_pad1                   = 0;
  for( uint32_t h = 0; h < route->hop_cnt; h++ ) hop_fill( a, route, h, &i->hop[h] );
  memset( &i->hop[route->hop_cnt], 0, ( SF_HOP_MAX - route->hop_cnt ) * sizeof( sf_hop_t ) );
  i->hop[route->hop_cnt - 1].min_out = i->min_out;
  *u = ( under_way_t ){ .intent = i->intent, .slot = a->slot, .route = p->key, .hop_cnt = route->hop_cnt };
  if( a->seeds.loss_bps ) ladder_ask( t, a, route, u->route, i );
  sf_tile_publish( t, a->out, slot, SF_MSG_INTENT, sizeof( *i ), (uint32_t)a->bot, m->t_origin );
  for( uint32_t h = 0; h < route->hop_cnt; h++ ) u->pool[h] = route->edge[h] >> 1;
  a->unheld = 1;
  sf_tile_count( t, a->counter[C_INTENTS], 1 );
}

/* -- messages ------------------------------------------------------------- */

/* Which token is the base one: seen when a pool first names it. */
static void base_find( arb_t * a, sf_pool_update_t const * u ) {
  uint32_t end = ( u->token_a > u->token_b ? u->token_a : u->token_b ) + 1;
  for( ; a->token_end < end && a->cycles.base == SF_CYCLE_NONE; a->token_end++ ) {
    sf_token_row_t row;
    if( !sf_table_read( a->tokens, a->token_end, &row ) && !memcmp( row.mint, a->base_mint, 32 ) )
      sf_cycles_base( &a->cycles, a->token_end );
  }
}

static void on_market( sf_tile_t * t, arb_t * a, sf_message_t const * m ) {
  sf_pool_update_t const * u = (sf_pool_update_t const *)( m + 1 );
  if( m->length < sizeof( *u ) || m->length != sizeof( *u ) + u->state_bytes ||
      ( m->kind != SF_MSG_POOL && m->kind != SF_MSG_STALE ) ) {
    sf_tile_count( t, a->counter[C_BAD], 1 );
    return;
  }
  if( a->cycles.base == SF_CYCLE_NONE ) base_find( a, u );
  int added = sf_cycles_update( &a->cycles, u, m->kind == SF_MSG_STALE );
  sf_tile_count( t, a->counter[added < 0 ? C_BAD : C_UPDATES], 1 );
  if( added < 0 ) return;
  slot_set( t, a, u->slot );
  if( added || m->kind == SF_MSG_STALE || a->under_way_cnt == UNDER_WAY ) return;

  sf_cycle_list_t list;
  sf_cycles_search( &a->cycles, u->pool, &list );
  if( __builtin_expect( !list.cnt, 1 ) ) return;
  plan_t place[2];
  plan_t const * best = plan_choose( a, &list, place );
  sf_tile_count( t, a->counter[C_CANDIDATES], list.given );
  if( best ) intent_publish( t, a, m, best );
  else sf_tile_count( t, a->counter[C_BELOW_COST], 1 );
}

static void on_fill( sf_tile_t * t, arb_t * a, sf_message_t const * m ) {
  if( m->kind == SF_MSG_BALANCE && m->length == sizeof( sf_balance_t ) ) {
    sf_balance_t const * b = (sf_balance_t const *)( m + 1 );
    if( b->amount ) token_hold( a, b->token );
    return;
  }
  sf_fill_t const * f = (sf_fill_t const *)( m + 1 );
  if( m->kind != SF_MSG_FILL || m->length != sizeof( *f ) ) return;
  int landed = f->outcome == SF_FILL_LANDED;
  if( landed ) {
    token_hold( a, f->token_in );
    token_hold( a, f->token_out );
  }
  if( f->bot == a->bot && !( f->flags & SF_FILL_RECOVERED ) )
    release_intent( t, a, f->intent, landed, f->outcome == SF_FILL_REVERTED || f->outcome == SF_FILL_DROPPED,
                    f->outcome == SF_FILL_DROPPED && f->error == SF_REFUSE_SIZE );
}

/* Holds the pools of the last intent: before anything else happens here, but not while its way to an order waits. */
static void intent_hold( arb_t * a ) {
  if( __builtin_expect( !a->unheld, 1 ) ) return;
  under_way_t const * u = &a->under_way[a->under_way_cnt - 1];
  for( uint32_t h = 0; h < u->hop_cnt; h++ ) sf_cycles_hold( &a->cycles, u->pool[h], 1 );
  a->unheld = 0;
}

static void arb_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  arb_t * a = sf_tile_state( t );
  intent_hold( a );
  switch( a->in_kind[in] ) {
  case IN_MARKET: on_market( t, a, m ); return;
  case IN_DENIED: {
    sf_denied_t const * d = (sf_denied_t const *)( m + 1 );
    if( m->kind == SF_MSG_DENIED && m->length == sizeof( *d ) && d->bot == a->bot )
      release_intent( t, a, d->intent, 0, 1, 0 );
    return;
  }
  default: on_fill( t, a, m ); return;
  }
}

/* A line more of what searches read, and the slot of the next intent. */
static void arb_idle( sf_tile_t * t ) {
  arb_t * a = sf_tile_state( t );
  intent_hold( a );
  sf_cycles_warm( &a->cycles );
  sf_tile_prefetch( t, a->out, INTENT_BYTES );
}

static void arb_house( sf_tile_t * t, uint64_t now_ns ) {
  (void)now_ns;
  arb_t * a = sf_tile_state( t );
  sf_tile_set( t, a->gauge[G_POOLS], a->cycles.pool_end );
  sf_tile_set( t, a->gauge[G_UNDER_WAY], a->under_way_cnt );
  sf_tile_set( t, a->gauge[G_CUT], a->cycles.cut_searches );
}

static void arb_fini( sf_tile_t * t ) {
  arb_t * a = sf_tile_state( t );
  sf_cycles_close( &a->cycles );
  free( a->held );
  a->held = NULL;
}

static int ports_find( sf_tile_t * t, arb_t * a ) {
  uint32_t cnt = sf_tile_in_count( t );
  if( cnt > sizeof( a->in_kind ) )
    return sf_err_set( SF_ERR_ARG, "%s: %u in-links; at most 8", sf_tile_name( t ), cnt );
  for( uint32_t in = 0; in < cnt; in++ ) {
    char const * name = sf_tile_in_name( t, in );
    if( !strcmp( name, "market" ) ) a->in_kind[in] = IN_MARKET;
    else if( !strcmp( name, "denied" ) ) a->in_kind[in] = IN_DENIED;
    else if( !strcmp( name, "fill" ) ) a->in_kind[in] = IN_FILL;
    else if( strncmp( name, "turns", 5 ) )
      return sf_err_set( SF_ERR_ARG, "%s: in-link %s is none of market, fill, denied", sf_tile_name( t ), name );
  }
  if( !cnt || a->in_kind[0] != IN_MARKET )
    return sf_err_set( SF_ERR_ARG, "%s: in-link 0 must be market", sf_tile_name( t ) );
  if( !sf_tile_out_count( t ) ) return sf_err_set( SF_ERR_ARG, "%s: needs an out-link intent.*", sf_tile_name( t ) );
  a->out    = 0;
  a->tokens = sf_tile_table( t, "tokens" );
  return a->tokens ? 0 : SF_ERR_NOTFOUND;
}

static int arb_init( sf_tile_t * t ) {
  arb_t * a = sf_tile_state( t );
  char const * mint;
  uint64_t max_amount, max_hops;
  int err;
  if( ( err = ports_find( t, a ) ) || ( err = sf_tile_param_text( t, "base_mint", &mint ) ) ||
      ( err = sf_pubkey_decode( mint, a->base_mint ) ) || ( err = sf_tile_param_u64( t, "bot", 0, 63, &a->bot ) ) ||
      ( err = sf_tile_param_u64( t, "min_profit_lamports", 0, INT64_MAX, &a->min_profit ) ) ||
      ( err = sf_tile_param_u64( t, "max_amount_lamports", 1, INT64_MAX, &max_amount ) ) ||
      ( err = sf_tile_param_u64( t, "max_hops", 2, SF_CYCLE_HOPS, &max_hops ) ) ||
      ( err = sf_tile_param_u64( t, "tip_bps", 0, SF_BPS - 1, &a->tip_bps ) ) ||
      ( err = sf_tile_param_u64( t, "cu_limit_per_hop", 0, SF_COMPUTE_UNITS_MAX, &a->cost.cu_limit_per_hop ) ) ||
      ( err =
            sf_tile_param_u64( t, "cu_price_micro_lamports", 1, 1000000000000UL, &a->cost.cu_price_micro_lamports ) ) ||
      ( err = sf_tile_param_u64( t, "slippage_bps", 0, SF_BPS - 1, &a->slippage_bps ) ) ||
      ( err = sf_tile_param_u64( t, "cooldown_slots", 0, 1000000, &a->cooldown_slots ) ) )
    return err;
  if( sf_tile_param( t, "ladder_loss_bps" ) &&
      ( err = sf_tile_param_u64( t, "ladder_loss_bps", 0, SF_BPS, &a->seeds.loss_bps ) ) )
    return err;
  a->seeds.slippage_bps = a->slippage_bps;
  a->seeds.min_profit   = a->min_profit;
  a->seeds.max_amount   = max_amount;
  if( memcmp( a->base_mint, sf_mint_wrapped_sol, 32 ) )
    return sf_err_set( SF_ERR_ARG, "%s: base_mint=%s; fees are paid in lamports, so only WSOL's mint will do",
                       sf_tile_name( t ), mint );
  for( uint32_t i = 0; i < C_CNT; i++ )
    if( ( a->counter[i] = sf_tile_counter( t, counter_names[i] ) ) < 0 ) return a->counter[i];
  for( uint32_t i = 0; i < G_CNT; i++ )
    if( ( a->gauge[i] = sf_tile_gauge( t, gauge_names[i] ) ) < 0 ) return a->gauge[i];
  sf_table_t const * pools = sf_tile_table( t, "pools" );
  if( !pools ) return SF_ERR_NOTFOUND;
  a->held = calloc( a->tokens->row_cnt, 1 );
  if( !a->held )
    return sf_err_set( SF_ERR_LIMIT, "%s: no memory for %u tokens", sf_tile_name( t ), a->tokens->row_cnt );
  return sf_cycles_open( &a->cycles, pools->row_cnt, a->tokens->row_cnt, (uint32_t)max_hops, (uint32_t)a->slippage_bps,
                         max_amount );
}

sf_tile_ops_t const sf_tile_arb = {
  .kind        = "arb",
  .flags       = SF_TILE_ORDERED | SF_TILE_IN_PLACE,
  .state_bytes = sizeof( arb_t ),
  .init        = arb_init,
  .idle        = arb_idle,
  .msg         = arb_msg,
  .house       = arb_house,
  .fini        = arb_fini,
};
