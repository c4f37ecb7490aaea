/* build: an order in, an unsigned v0 transaction out.

   Per route (pools, directions, arrays, with or without a tip, creation of accounts, protection) a template is compiled
   once; each order copies it and overwrites compute limit and price, tip,
   amounts, least outputs and blockhash.  Templates stand in a cache of SETS x
   WAYS, the least recently used of a set goes first.

     ComputeBudget limit | ComputeBudget price | [tip] | [create account] ... | swap | swap ...

   A protected order's compute limit names the account that block engines look for: the runtime reads instructions of
   that program by their data alone, so no account in them can disturb, and the swaps stay as their programs know them.
   Accounts of swaps that stand in a lookup table are looked up.

   Where an order names no compute limit, it is what its fills used at most so far and a margin, or before there was one
   what its venues are said to need; never more than that.  A route that reverts or is refused is compiled anew: its pools may
   have changed what they are made of, or its units have not been enough.

   Two orders that are equal in everything else must not become the same
   transaction (one signature would stand for both), so the compute limit is
   raised by 0..4095 units by the order's number.  Orders of one run differ for 4096
   orders; the run's number moves the sequence, so that the first orders after a
   restart differ from the first ones before it. */

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "shm/pool_row.h"
#include "solana/base58.h"
#include "solana/program.h"
#include "solana/template.h"
#include "tile/tile.h"
#include "trade/cost.h"
#include "trade/plan.h"

#define SETS   64
#define WAYS   8
#define ORDERS 1024 /* the latest ones, whose fills tell of their routes */

#define PREFIX_LIMIT 0 /* instructions before the plan's */
#define PREFIX_PRICE 1
#define PREFIX_TIP   2

#define DISTINCT_UNITS 4096
#define MARGIN_PERCENT 15 /* over the most units that a route has used */

#define ROUTE_TIP     1
#define ROUTE_CREATE  2
#define ROUTE_PROTECT 4

/* What tells one template from another. */
typedef struct route {
  sf_swap_key_t hop[SF_HOP_MAX];
  uint32_t hop_cnt;
  uint32_t flags; /* ROUTE_* */
} route_t;

typedef struct entry {
  uint64_t used; /* stamp of the last use, 0 = empty */
  uint64_t made; /* stamp of when it was compiled: what came before it tells nothing of it */
  route_t route;
  uint32_t units; /* most that a fill has used, 0 = not known */
  uint32_t create_cnt;
  sf_template_t template;
} entry_t;

/* An order on its way. */
typedef struct built {
  uint64_t order;
  uint64_t made; /* of the entry */
  entry_t * entry;
} built_t;

typedef struct build {
  int in_order;
  int in_fill;
  int out_message;
  int out_refused;
  sf_table_t const * chain;
  sf_table_t const * pools;
  sf_cost_t cost;
  uint64_t max_blockhash_age_ns;
  int tip_configured;
  uint8_t tip_account[32];
  int protect_configured;
  uint8_t protect_account[32];
  int built_orders;
  int refused_orders;
  int compiled_templates;
  uint64_t stamp;
  sf_chain_row_t chain_row;
  sf_pool_row_t pool_row;
  sf_swap_t * swap[SF_HOP_MAX]; /* of the order in work, in swaps */
  sf_plan_t plan;
  sf_token_accounts_t wallet;
  sf_lookups_t lookups;
  sf_swaps_t swaps;
  built_t built[ORDERS];
  entry_t entry[SETS][WAYS];
} build_t;

/* Why an order is not built. */
typedef struct refusal {
  uint32_t reason; /* SF_REFUSE_*, 0 = none */
  uint64_t detail;
} refusal_t;

static int param_key( sf_tile_t * t, char const * key, char const * text, uint8_t out[32] ) {
  if( !sf_pubkey_decode( text, out ) ) return 0;
  return sf_err_set( SF_ERR_ARG, "%s.%s: %s is not a public key in base58", sf_tile_name( t ), key, text );
}

static int build_init( sf_tile_t * t ) {
  build_t * b = sf_tile_state( t );
  uint64_t age_ms;
  char const * wallet;
  int err;
  if( ( err = b->in_order = sf_tile_in( t, "order" ) ) < 0 ||
      ( err = b->out_message = sf_tile_out( t, "message" ) ) < 0 ||
      ( err = b->out_refused = sf_tile_out( t, "refused" ) ) < 0 )
    return err;
  b->in_fill = sf_tile_in_count( t ) > 1 ? sf_tile_in( t, "fill" ) : -1;
  if( sf_tile_in_count( t ) > 1 && b->in_fill < 0 ) return b->in_fill;
  b->chain = sf_tile_table( t, "chain" );
  b->pools = sf_tile_table( t, "pools" );
  if( !b->chain || !b->pools ) return SF_ERR_NOTFOUND;

  uint64_t units_max = SF_COMPUTE_UNITS_MAX - DISTINCT_UNITS;
  if( ( err = sf_tile_param_u64( t, "cu_limit_base", 0, units_max, &b->cost.cu_limit_base ) ) ||
      ( err = sf_tile_param_u64( t, "cu_limit_per_hop", 0, units_max, &b->cost.cu_limit_per_hop ) ) ||
      ( err =
            sf_tile_param_u64( t, "cu_price_micro_lamports", 0, 1000000000000ul, &b->cost.cu_price_micro_lamports ) ) ||
      ( err = sf_tile_param_u64( t, "max_blockhash_age_ms", 1, 150000, &age_ms ) ) ||
      ( err = sf_tile_param_text( t, "wallet", &wallet ) ) ||
      ( err = param_key( t, "wallet", wallet, b->wallet.wallet ) ) )
    return err;
  b->max_blockhash_age_ns = age_ms * 1000000ul;

  char const * tip  = sf_tile_param( t, "tip_account" );
  b->tip_configured = tip && *tip;
  if( b->tip_configured && ( err = param_key( t, "tip_account", tip, b->tip_account ) ) ) return err;

  char const * protect  = sf_tile_param( t, "protect_account" );
  b->protect_configured = protect && *protect;
  if( b->protect_configured && ( err = param_key( t, "protect_account", protect, b->protect_account ) ) ) return err;
  char const * lookups = sf_tile_param( t, "lookup_tables_path" );
  if( lookups && *lookups && ( err = sf_lookups_read( &b->lookups, lookups ) ) ) return err;

  if( ( err = b->built_orders = sf_tile_counter( t, "built_orders" ) ) < 0 ||
      ( err = b->refused_orders = sf_tile_counter( t, "refused_orders" ) ) < 0 ||
      ( err = b->compiled_templates = sf_tile_counter( t, "compiled_templates" ) ) < 0 )
    return err;
  return 0;
}

static void route_of( sf_intent_t const * intent, uint32_t flags, route_t * out ) {
  memset( out, 0, sizeof( *out ) );
  out->hop_cnt = intent->hop_cnt;
  out->flags   = flags;
  for( uint32_t i = 0; i < intent->hop_cnt; i++ ) sf_swap_key( &intent->hop[i], &out->hop[i] );
}

static uint32_t route_set( route_t const * route ) {
  uint64_t word, h = 0;
  for( uint32_t at = 0; at + 8 <= sizeof( *route ); at += 8 ) {
    memcpy( &word, (uint8_t const *)route + at, 8 );
    h = ( h ^ word ) * 0x9e3779b97f4a7c15ul;
    h ^= h >> 32;
  }
  return (uint32_t)( h >> 32 ) % SETS;
}

/* The hops' swaps; cold where they are not kept. */
static refusal_t swaps_get( build_t * b, sf_intent_t const * intent ) {
  for( uint32_t i = 0; i < intent->hop_cnt; i++ ) {
    sf_hop_t const * hop = &intent->hop[i];
    b->swap[i]           = sf_swaps_find( &b->swaps, hop );
    if( b->swap[i] ) continue;
    if( !sf_pool_row_read_all( b->pools, hop->pool, &b->pool_row ) )
      b->swap[i] = sf_swaps_make( &b->swaps, hop, &b->pool_row, &b->wallet );
    if( !b->swap[i] ) return ( refusal_t ){ SF_REFUSE_MISMATCH, hop->pool };
  }
  return ( refusal_t ){ 0 };
}

/* Compiles the route of an order into e, over b->plan.  Cold: about 5 us. */
static refusal_t entry_compile( sf_tile_t * t, build_t * b, entry_t * e ) {
  uint8_t limit[SF_COMPUTE_LIMIT_BYTES], price[SF_COMPUTE_PRICE_BYTES], tip[SF_SYSTEM_TRANSFER_BYTES];
  sf_account_meta_t tip_account[2] = { { .signer = 1, .writable = 1 }, { .writable = 1 } };
  sf_account_meta_t protect        = { .signer = 0 };
  sf_instruction_t instruction[SF_TEMPLATE_INSTRUCTION_MAX];
  uint32_t cnt = PREFIX_TIP;

  sf_compute_limit_data( limit, 0 );
  sf_compute_price_data( price, 0 );
  memcpy( protect.pubkey, b->protect_account, 32 );
  uint16_t protect_cnt = ( e->route.flags & ROUTE_PROTECT ) != 0;
  instruction[PREFIX_LIMIT] =
      ( sf_instruction_t ){ sf_program_compute_budget, &protect, limit, protect_cnt, sizeof( limit ) };
  instruction[PREFIX_PRICE] = ( sf_instruction_t ){ sf_program_compute_budget, NULL, price, 0, sizeof( price ) };
  if( e->route.flags & ROUTE_TIP ) {
    sf_system_transfer_data( tip, 0 );
    memcpy( tip_account[0].pubkey, b->wallet.wallet, 32 );
    memcpy( tip_account[1].pubkey, b->tip_account, 32 );
    instruction[cnt++] = ( sf_instruction_t ){ sf_program_system, tip_account, tip, 2, sizeof( tip ) };
  }
  uint32_t static_cnt = cnt;
  for( uint32_t i = 0; i < b->plan.cnt; i++ ) instruction[cnt++] = b->plan.instruction[i];
  e->create_cnt = b->plan.create_cnt;
  e->units      = 0;
  e->made       = b->stamp;
  sf_tile_count( t, b->compiled_templates, 1 );
  int err = sf_template_compile( &e->template, b->wallet.wallet, instruction, cnt, &b->lookups, static_cnt );
  if( err ) return ( refusal_t ){ err == SF_ERR_LIMIT ? SF_REFUSE_SIZE : SF_REFUSE_MISMATCH, e->route.hop_cnt };
  return ( refusal_t ){ 0 };
}

/* Finds the route's template or makes it in place of the least recently used one of its set. */
static refusal_t entry_get( sf_tile_t * t, build_t * b, sf_intent_t const * intent, uint32_t flags, entry_t ** out ) {
  route_t route;
  route_of( intent, flags, &route );
  entry_t * set    = b->entry[route_set( &route )];
  entry_t * oldest = set;
  ++b->stamp;
  for( uint32_t i = 0; i < WAYS; i++ ) {
    if( set[i].used && !memcmp( &set[i].route, &route, sizeof( route ) ) ) {
      set[i].used = b->stamp;
      *out        = &set[i];
      return ( refusal_t ){ 0 };
    }
    if( set[i].used < oldest->used ) oldest = &set[i];
  }
  oldest->used      = 0;
  oldest->route     = route;
  refusal_t refusal = entry_compile( t, b, oldest );
  if( !refusal.reason ) {
    oldest->used = b->stamp;
    *out         = oldest;
  }
  return refusal;
}

static refusal_t blockhash_check( build_t * b ) {
  sf_chain_row_t * chain = &b->chain_row;
  if( sf_table_read( b->chain, 0, chain ) || !chain->last_valid_block_height )
    return ( refusal_t ){ SF_REFUSE_BLOCKHASH, 0 };
  if( chain->block_height >= chain->last_valid_block_height )
    return ( refusal_t ){ SF_REFUSE_BLOCKHASH, chain->block_height };
  uint64_t now = sf_clock_ns();
  uint64_t age = now > chain->blockhash_ns ? now - chain->blockhash_ns : 0;
  if( age > b->max_blockhash_age_ns ) return ( refusal_t ){ SF_REFUSE_BLOCKHASH, age };
  return ( refusal_t ){ 0 };
}

static refusal_t kill_check( sf_tile_t * t, sf_intent_t const * intent ) {
  uint64_t kill = sf_tile_kill( t );
  if( kill == SF_KILL_RUN || ( kill == SF_KILL_REDUCE && intent->flags & SF_INTENT_REDUCE ) ) return ( refusal_t ){ 0 };
  return ( refusal_t ){ SF_REFUSE_KILLED, kill };
}

static uint32_t units_of( build_t const * b, sf_order_t const * order, entry_t const * e ) {
  uint64_t units    = order->intent.cu_limit;
  uint64_t distinct = ( order->order + 2531ul * ( order->order >> 32 ) ) % DISTINCT_UNITS;
  if( !units ) {
    uint64_t learned = e->units + ( (uint64_t)e->units * MARGIN_PERCENT + 99 ) / 100;
    units            = sf_cost_units( &b->cost, &order->intent );
    if( e->units && learned < units ) units = learned;
  }
  if( units > SF_COMPUTE_UNITS_MAX - DISTINCT_UNITS ) units = SF_COMPUTE_UNITS_MAX - DISTINCT_UNITS;
  return (uint32_t)( units + distinct );
}

/* Writes the transaction of an order. */
static void wire_write( build_t const * b, sf_order_t const * order, entry_t const * e, uint64_t tip_lamports,
                        sf_wire_t * wire ) {
  sf_intent_t const * intent     = &order->intent;
  sf_chain_row_t const * chain   = &b->chain_row;
  sf_template_t const * template = &e->template;
  uint32_t units                 = units_of( b, order, e );
  uint64_t price                 = intent->cu_price_micro_lamports;
  if( !price ) price = b->cost.cu_price_micro_lamports;

  wire->order                   = order->order;
  wire->last_valid_block_height = chain->last_valid_block_height;
  wire->blockhash_slot          = chain->blockhash_slot;
  wire->fee_lamports_max        = sf_fee_lamports( 1, price, units ) + tip_lamports;
  wire->bot                     = intent->bot;
  wire->tx_len                  = template->tx_len;
  wire->message_off             = SF_TEMPLATE_MESSAGE_OFF;
  memcpy( wire->blockhash, chain->blockhash, 32 );
  memset( wire->_pad0, 0, sizeof( wire->_pad0 ) );

  uint8_t * tx        = wire->tx;
  uint16_t const * at = template->data_off;
  memcpy( tx, template->tx, template->tx_len );
  memcpy( tx + template->blockhash_off, chain->blockhash, 32 );
  sf_compute_limit_data( tx + *at++, units );
  sf_compute_price_data( tx + *at++, price );
  if( e->route.flags & ROUTE_TIP ) sf_system_transfer_data( tx + *at++, tip_lamports );
  at += e->create_cnt;
  for( uint32_t i = b->plan.create_cnt; i < b->plan.cnt; i++ )
    memcpy( tx + *at++, b->plan.instruction[i].data, b->plan.instruction[i].data_len );
}

static void order_refuse( sf_tile_t * t, build_t * b, sf_order_t const * order, refusal_t refusal, uint64_t t_origin ) {
  sf_message_t * slot    = sf_tile_claim( t, (uint32_t)b->out_refused );
  sf_refused_t * refused = (sf_refused_t *)( slot + 1 );
  *refused               = ( sf_refused_t ){
                  .order = order->order, .bot = order->intent.bot, .reason = refusal.reason, .detail = refusal.detail
  };
  sf_tile_publish( t, (uint32_t)b->out_refused, slot, SF_MSG_REFUSED, sizeof( *refused ), order->intent.bot, t_origin );
  sf_tile_count( t, b->refused_orders, 1 );
}

static uint32_t flags_of( build_t const * b, sf_intent_t const * intent ) {
  return ( b->tip_configured && intent->tip_lamports ? ROUTE_TIP : 0 ) |
         ( intent->flags & SF_INTENT_CREATE ? ROUTE_CREATE : 0 ) |
         ( intent->flags & SF_INTENT_PROTECTED ? ROUTE_PROTECT : 0 );
}

/* The plan and the template of an order. */
static refusal_t order_plan( sf_tile_t * t, build_t * b, sf_intent_t const * intent, entry_t ** e ) {
  refusal_t refusal = kill_check( t, intent );
  uint32_t flags    = flags_of( b, intent );
  if( refusal.reason ) return refusal;
  if( !intent->hop_cnt || intent->hop_cnt > SF_HOP_MAX ) return ( refusal_t ){ SF_REFUSE_MISMATCH, intent->hop_cnt };
  if( flags & ROUTE_PROTECT && !b->protect_configured ) return ( refusal_t ){ SF_REFUSE_MISMATCH, ROUTE_PROTECT };
  if( ( refusal = blockhash_check( b ) ).reason || ( refusal = swaps_get( b, intent ) ).reason ) return refusal;
  if( sf_plan_make( &b->plan, intent, b->swap, b->wallet.wallet ) )
    return ( refusal_t ){ SF_REFUSE_MISMATCH, intent->hop_cnt };
  return entry_get( t, b, intent, flags, e );
}

static void on_order( sf_tile_t * t, build_t * b, sf_message_t const * m ) {
  sf_order_t const * order   = (sf_order_t const *)( m + 1 );
  sf_intent_t const * intent = &order->intent;
  entry_t * e                = NULL;
  refusal_t refusal          = order_plan( t, b, intent, &e );
  if( refusal.reason ) {
    order_refuse( t, b, order, refusal, m->t_origin );
    return;
  }
  sf_message_t * slot = sf_tile_claim( t, (uint32_t)b->out_message );
  sf_wire_t * wire    = (sf_wire_t *)( slot + 1 );
  wire_write( b, order, e, b->tip_configured ? intent->tip_lamports : 0, wire );
  uint16_t length = (uint16_t)( offsetof( sf_wire_t, tx ) + wire->tx_len );
  sf_tile_publish( t, (uint32_t)b->out_message, slot, SF_MSG_TX, length, intent->bot, m->t_origin );
  sf_tile_count( t, b->built_orders, 1 );
  b->built[order->order % ORDERS] = ( built_t ){ order->order, e->made, e };
}

/* A fill tells how many units its route uses, or that there is something wrong with it. */
static void on_fill( build_t * b, sf_fill_t const * fill ) {
  built_t * built = &b->built[fill->order % ORDERS];
  entry_t * e     = built->entry;
  if( !e || built->order != fill->order || !e->used || e->made != built->made ) return;
  if( fill->outcome == SF_FILL_LANDED && fill->compute_units <= SF_COMPUTE_UNITS_MAX ) {
    if( fill->compute_units > e->units ) e->units = (uint32_t)fill->compute_units;
  } else if( fill->outcome == SF_FILL_REVERTED || fill->outcome == SF_FILL_DROPPED ) {
    for( uint32_t i = 0; i < e->route.hop_cnt; i++ ) sf_swaps_forget( &b->swaps, &e->route.hop[i] );
    e->used = 0;
  }
}

static void build_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  build_t * b = sf_tile_state( t );
  if( (int)in == b->in_order && m->kind == SF_MSG_ORDER && m->length >= sizeof( sf_order_t ) ) on_order( t, b, m );
  else if( (int)in == b->in_fill && m->kind == SF_MSG_FILL && m->length == sizeof( sf_fill_t ) )
    on_fill( b, (sf_fill_t const *)( m + 1 ) );
}

sf_tile_ops_t const sf_tile_build = {
  .kind        = "build",
  .state_bytes = sizeof( build_t ),
  .init        = build_init,
  .msg         = build_msg,
};
