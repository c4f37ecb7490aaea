/* build: an order in, an unsigned v0 transaction out.

   The first order over a route (pools, directions, arrays, with or without a tip, creation of accounts, protection) makes its
   form (trade/forms.h); the others fill it in.

     ComputeBudget limit | ComputeBudget price | [tip] | [create account] ... | swap | swap ...

   A protected order's compute limit names the account that block engines look for: the runtime reads instructions of
   that program by their data alone, so no account in them can disturb, and the swaps stay as their programs know them.
   Accounts of swaps that stand in a lookup table are looked up.

   Where an order names no compute limit, it is what its fills used at most so far and a margin, or before there was one
   what its venues are said to need; never more than that.  A route that reverts or is refused is compiled anew: its pools may
   have changed what they are made of, or its units have not been enough.

   Two orders that are equal in everything else must not become the same
   transaction (one signature would stand for both), so the compute limit is
   raised by 0..3071 units by the order's number.  Orders of one run differ for 3072
   orders; the run's number moves the sequence, so that the first orders after a
   restart differ from the first ones before it.

   With `ladder` the routes that were ordered last have a ladder (trade/ladder.h) around their last order that was no rung.
   Its rungs are built while there is nothing else to do, one each AHEAD_NS, and sent to sign to be signed ahead.  An order
   that says what a rung says becomes a message that names the rung.  A rung is used once, and then built anew: rungs raise
   the compute limit by 3072..4095 units by their own number, at most DISTINCT_RUNGS for one blockhash.  All rungs have one
   blockhash, which is left for the newest one after EPOCH_NS: it lives for a minute, and a signature costs 12 us. */

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "shm/pool_row.h"
#include "solana/base58.h"
#include "tile/tile.h"
#include "trade/cost.h"
#include "trade/forms.h"
#include "trade/ladder.h"

#define ORDERS 1024 /* the latest ones, whose fills tell of their routes and which sign surely remembers */

#define DISTINCT_ORDERS 3072 /* together SF_COST_DISTINCT_UNITS + 1 */
#define DISTINCT_RUNGS  1024
#define MARGIN_PERCENT  15 /* over the most units that a route has used */

#define EPOCH_NS   10000000000ul
#define AHEAD_NS   15000 /* between two rungs: what sign takes for one */
#define HOT_ORDERS 2     /* over a route, before it gets a ladder */

/* An order on its way. */
typedef struct built {
  uint64_t order;
  uint64_t made; /* of the form */
  sf_form_t * form;
} built_t;

/* What stands in a place of a ladder. */
typedef struct rung {
  uint64_t epoch; /* of the blockhash it was built for, 0 = not built */
  uint32_t serial;
  sf_intent_t terms;
} rung_t;

typedef struct ladder {
  uint64_t used; /* stamp of the route's last order, 0 = empty */
  uint64_t made; /* of the form */
  uint64_t seed; /* order */
  uint64_t told; /* 1 = sign has had a rung of it, and keeps the seed */
  sf_form_t * form;
  uint64_t amount_in[SF_LADDER_RUNGS]; /* of the rungs' terms; 0 = there is no such rung */
  rung_t rung[SF_LADDER_RUNGS];
} ladder_t;

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
  int protect_configured;
  int built_orders;
  int refused_orders;
  int compiled_templates;
  int ladder_orders;
  int ladder_hits;
  int ladder_rungs;
  sf_chain_row_t chain_row;
  sf_pool_row_t pool_row;
  sf_swap_t * swap[SF_HOP_MAX]; /* of the order in work, in swaps */
  sf_plan_t plan;
  sf_token_accounts_t wallet;
  sf_form_common_t common;
  sf_swaps_t swaps;
  built_t built[ORDERS];
  sf_forms_t forms;

  uint64_t with_ladder;
  uint64_t newest_order;
  uint64_t epoch;           /* counts the rungs' blockhashes */
  sf_chain_row_t epoch_row; /* with the present one */
  uint64_t epoch_rungs;     /* built in it */
  uint64_t next_ahead;      /* engine clock */
  uint32_t serial;          /* of the last rung */
  uint32_t to_build;        /* 1 = some rung may have to be built */
  uint32_t at;              /* place that is looked at next */
  uint64_t stamp;
  ladder_t ladder[SF_LADDER_ROUTES];
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

  uint64_t units_max = SF_COMPUTE_UNITS_MAX - SF_COST_DISTINCT_UNITS;
  if( ( err = sf_tile_param_u64( t, "cu_limit_base", 0, units_max, &b->cost.cu_limit_base ) ) ||
      ( err = sf_tile_param_u64( t, "cu_limit_per_hop", 0, units_max, &b->cost.cu_limit_per_hop ) ) ||
      ( err =
            sf_tile_param_u64( t, "cu_price_micro_lamports", 0, 1000000000000ul, &b->cost.cu_price_micro_lamports ) ) ||
      ( err = sf_tile_param_u64( t, "max_blockhash_age_ms", 1, 150000, &age_ms ) ) ||
      ( err = sf_tile_param_text( t, "wallet", &wallet ) ) ||
      ( err = param_key( t, "wallet", wallet, b->wallet.wallet ) ) )
    return err;
  b->max_blockhash_age_ns = age_ms * 1000000ul;
  memcpy( b->common.wallet, b->wallet.wallet, 32 );
  if( sf_tile_param( t, "ladder" ) && ( err = sf_tile_param_u64( t, "ladder", 0, 1, &b->with_ladder ) ) ) return err;
  b->serial = (uint32_t)( 613ul * sf_tile_run( t ) );

  char const * tip  = sf_tile_param( t, "tip_account" );
  b->tip_configured = tip && *tip;
  if( b->tip_configured && ( err = param_key( t, "tip_account", tip, b->common.tip_account ) ) ) return err;

  char const * protect  = sf_tile_param( t, "protect_account" );
  b->protect_configured = protect && *protect;
  if( b->protect_configured && ( err = param_key( t, "protect_account", protect, b->common.protect_account ) ) )
    return err;
  char const * lookups = sf_tile_param( t, "lookup_tables_path" );
  if( lookups && *lookups && ( err = sf_lookups_read( &b->common.lookups, lookups ) ) ) return err;

  if( ( err = b->built_orders = sf_tile_counter( t, "built_orders" ) ) < 0 ||
      ( err = b->refused_orders = sf_tile_counter( t, "refused_orders" ) ) < 0 ||
      ( err = b->compiled_templates = sf_tile_counter( t, "compiled_templates" ) ) < 0 ||
      ( err = b->ladder_orders = sf_tile_counter( t, "ladder_orders" ) ) < 0 ||
      ( err = b->ladder_hits = sf_tile_counter( t, "ladder_hits" ) ) < 0 ||
      ( err = b->ladder_rungs = sf_tile_counter( t, "ladder_rungs" ) ) < 0 )
    return err;
  return 0;
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

static uint32_t units_of( build_t const * b, sf_intent_t const * intent, sf_form_t const * form, uint64_t distinct ) {
  uint64_t units = intent->cu_limit;
  if( !units ) {
    uint64_t learned = form->units + ( (uint64_t)form->units * MARGIN_PERCENT + 99 ) / 100 + form->crossing_units;
    units            = sf_cost_units( &b->cost, intent );
    if( form->units && learned < units ) units = learned;
  }
  if( units > SF_COMPUTE_UNITS_MAX - SF_COST_DISTINCT_UNITS ) units = SF_COMPUTE_UNITS_MAX - SF_COST_DISTINCT_UNITS;
  return (uint32_t)( units + distinct );
}

/* Writes all of a message but the transaction. */
static void wire_head( sf_chain_row_t const * chain, uint64_t order, sf_intent_t const * intent, sf_wire_t * wire ) {
  wire->order                   = order;
  wire->last_valid_block_height = chain->last_valid_block_height;
  wire->blockhash_slot          = chain->blockhash_slot;
  wire->fee_lamports_max        = 0;
  wire->bot                     = intent->bot;
  wire->tx_len                  = 0;
  wire->message_off             = SF_TEMPLATE_MESSAGE_OFF;
  wire->rung                    = 0;
  wire->rung_serial             = 0;
  memcpy( wire->blockhash, chain->blockhash, 32 );
}

/* Writes the transaction and what the message says of it. */
static void wire_fill( build_t const * b, sf_intent_t const * intent, sf_form_t const * form, uint64_t distinct,
                       sf_wire_t * wire ) {
  sf_form_values_t values = { .intent               = intent,
                              .blockhash            = wire->blockhash,
                              .price_micro_lamports = intent->cu_price_micro_lamports,
                              .tip_lamports         = form->tip_off ? intent->tip_lamports : 0,
                              .units                = units_of( b, intent, form, distinct ) };
  if( !values.price_micro_lamports ) values.price_micro_lamports = b->cost.cu_price_micro_lamports;
  wire->fee_lamports_max = sf_fee_lamports( 1, values.price_micro_lamports, values.units ) + values.tip_lamports;
  wire->tx_len           = form->template.tx_len;
  sf_form_fill( form, &values, wire->tx );
}

static uint16_t wire_bytes( sf_wire_t const * wire ) { return (uint16_t)( offsetof( sf_wire_t, tx ) + wire->tx_len ); }

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
  return ( b->tip_configured && intent->tip_lamports ? SF_FORM_TIP : 0 ) |
         ( intent->flags & SF_INTENT_CREATE ? SF_FORM_CREATE : 0 ) |
         ( intent->flags & SF_INTENT_PROTECTED ? SF_FORM_PROTECT : 0 );
}

/* The form of an order; cold where the route is new. */
static refusal_t form_get( sf_tile_t * t, build_t * b, sf_intent_t const * intent, sf_form_t ** out ) {
  sf_form_key_t key;
  uint32_t flags = flags_of( b, intent );
  if( !intent->hop_cnt || intent->hop_cnt > SF_HOP_MAX ) return ( refusal_t ){ SF_REFUSE_MISMATCH, intent->hop_cnt };
  if( flags & SF_FORM_PROTECT && !b->protect_configured ) return ( refusal_t ){ SF_REFUSE_MISMATCH, SF_FORM_PROTECT };
  sf_form_key( intent, flags, &key );
  if( ( *out = sf_forms_find( &b->forms, &key ) ) ) return ( refusal_t ){ 0 };
  refusal_t refusal = swaps_get( b, intent );
  if( refusal.reason ) return refusal;
  sf_plan_make( &b->plan, intent, b->swap, b->wallet.wallet );
  sf_tile_count( t, b->compiled_templates, 1 );
  int err = sf_forms_make( &b->forms, &key, &b->common, &b->plan, b->swap, out );
  if( err ) return ( refusal_t ){ err == SF_ERR_LIMIT ? SF_REFUSE_SIZE : SF_REFUSE_MISMATCH, intent->hop_cnt };
  return ( refusal_t ){ 0 };
}

/* -- the ladder ---------------------------------------------------------------- */

/* Leaves the rungs' blockhash when it is time.  chain_row has been read. */
static void epoch_set( build_t * b ) {
  sf_chain_row_t const *now = &b->chain_row, *then = &b->epoch_row;
  if( b->epoch && now->blockhash_ns < then->blockhash_ns + EPOCH_NS && now->blockhash_slot >= then->blockhash_slot &&
      now->block_height < then->last_valid_block_height )
    return;
  if( b->epoch && !memcmp( now->blockhash, then->blockhash, 32 ) ) return;
  b->epoch_row = *now;
  b->epoch++;
  b->epoch_rungs = 0;
  b->to_build    = 1;
}

/* The ladder of a form, or NULL. */
static ladder_t * ladder_of( build_t * b, sf_form_t const * form ) {
  ladder_t * l = form->ladder ? &b->ladder[form->ladder - 1] : NULL;
  return l && l->form == form && l->made == form->made ? l : NULL;
}

static rung_t * rung_find( ladder_t * l, sf_intent_t const * intent ) {
  for( uint32_t i = 0; i < SF_LADDER_RUNGS; i++ )
    if( l->amount_in[i] == intent->amount_in && sf_ladder_same( &l->rung[i].terms, intent ) ) return &l->rung[i];
  return NULL;
}

/* Puts a ladder around an order; l is the route's, or NULL for one in place of that which was used least recently. */
static void ladder_set( build_t * b, ladder_t * l, sf_order_t const * order, sf_form_t * form ) {
  if( !l ) {
    l = b->ladder;
    for( uint32_t i = 1; i < SF_LADDER_ROUTES; i++ )
      if( b->ladder[i].used < l->used ) l = &b->ladder[i];
    form->ladder = 1 + (uint32_t)( l - b->ladder );
  }
  l->used = ++b->stamp;
  l->made = form->made;
  l->form = form;
  l->seed = order->order;
  l->told = 0;
  for( uint32_t i = 0; i < SF_LADDER_RUNGS; i++ ) {
    rung_t * r      = &l->rung[i];
    int err         = sf_ladder_rung( &order->intent, i, &r->terms );
    l->amount_in[i] = err ? 0 : r->terms.amount_in;
    r->epoch        = 0;
  }
  b->to_build = 1;
}

/* The rung that an order of this form is, if it has been built; else the route may get a ladder around the order. */
static rung_t * ladder_use( sf_tile_t * t, build_t * b, sf_order_t const * order, sf_form_t * form ) {
  epoch_set( b );
  b->newest_order = order->order;
  sf_tile_count( t, b->ladder_orders, 1 );
  ladder_t * l = ladder_of( b, form );
  rung_t * r   = l ? rung_find( l, &order->intent ) : NULL;
  if( !r ) {
    if( l || ++form->orders >= HOT_ORDERS ) ladder_set( b, l, order, form );
    return NULL;
  }
  l->used = ++b->stamp;
  if( r->epoch != b->epoch ) return NULL;
  sf_tile_count( t, b->ladder_hits, 1 );
  r->epoch    = 0; /* used once */
  b->to_build = 1;
  return r;
}

static uint32_t rung_number( build_t const * b, rung_t const * r ) {
  uint32_t ladder = (uint32_t)( ( (uint8_t const *)r - (uint8_t const *)b->ladder ) / sizeof( ladder_t ) );
  return 1 + SF_LADDER_RUNGS * ladder + (uint32_t)( r - b->ladder[ladder].rung );
}

static void rung_build( sf_tile_t * t, build_t * b, ladder_t * l, rung_t * r ) {
  sf_message_t * slot = sf_tile_claim( t, (uint32_t)b->out_message );
  sf_wire_t * wire    = (sf_wire_t *)( slot + 1 );
  if( !++b->serial ) b->serial++;
  b->epoch_rungs++;
  l->told   = 1;
  r->epoch  = b->epoch;
  r->serial = b->serial;
  wire_head( &b->epoch_row, l->seed, &r->terms, wire );
  wire_fill( b, &r->terms, l->form, DISTINCT_ORDERS + b->serial % DISTINCT_RUNGS, wire );
  wire->rung        = rung_number( b, r );
  wire->rung_serial = r->serial;
  sf_tile_publish( t, (uint32_t)b->out_message, slot, SF_MSG_AHEAD, wire_bytes( wire ), r->terms.bot, 0 );
  sf_tile_count( t, b->ladder_rungs, 1 );
}

/* The next rung that is to be built, from b->at on; NULL if there is none. */
static rung_t * rung_next( build_t * b, ladder_t ** ladder ) {
  for( uint32_t n = 0; n < SF_LADDER_PLACES; n++ ) {
    uint32_t at = ( b->at + n ) % SF_LADDER_PLACES, i = at % SF_LADDER_RUNGS;
    ladder_t * l = &b->ladder[at / SF_LADDER_RUNGS];
    if( !l->used || l->made != l->form->made || ( !l->told && b->newest_order - l->seed >= ORDERS ) ) {
      n += SF_LADDER_RUNGS - 1 - i;
      continue;
    }
    if( !l->amount_in[i] || l->rung[i].epoch == b->epoch ) continue;
    b->at   = at + 1;
    *ladder = l;
    return &l->rung[i];
  }
  return NULL;
}

/* Builds one rung. */
static int build_poll( sf_tile_t * t ) {
  build_t * b = sf_tile_state( t );
  ladder_t * l;
  if( !b->to_build ) return 0;
  if( sf_tile_now( t ) < b->next_ahead ) {
    sf_tile_wake_in( t, b->next_ahead - sf_tile_now( t ) );
    return 0;
  }
  rung_t * r = rung_next( b, &l );
  if( !r || b->epoch_rungs == DISTINCT_RUNGS || sf_tile_kill( t ) != SF_KILL_RUN || blockhash_check( b ).reason ) {
    b->to_build = 0;
    return 0;
  }
  epoch_set( b );
  b->next_ahead = sf_tile_now( t ) + AHEAD_NS;
  rung_build( t, b, l, r );
  return 1;
}

/* Looks for a newer blockhash. */
static void build_house( sf_tile_t * t, uint64_t now_ns ) {
  build_t * b = sf_tile_state( t );
  (void)now_ns;
  if( b->with_ladder && !blockhash_check( b ).reason ) epoch_set( b );
}

/* -- messages ------------------------------------------------------------------ */

static void on_order( sf_tile_t * t, build_t * b, sf_message_t const * m ) {
  sf_order_t const * order   = (sf_order_t const *)( m + 1 );
  sf_intent_t const * intent = &order->intent;
  sf_form_t * form           = NULL;
  refusal_t refusal          = kill_check( t, intent );
  if( !refusal.reason ) refusal = blockhash_check( b );
  if( !refusal.reason ) refusal = form_get( t, b, intent, &form );
  if( refusal.reason ) {
    order_refuse( t, b, order, refusal, m->t_origin );
    return;
  }
  rung_t const * rung = b->with_ladder ? ladder_use( t, b, order, form ) : NULL;
  sf_message_t * slot = sf_tile_claim( t, (uint32_t)b->out_message );
  sf_wire_t * wire    = (sf_wire_t *)( slot + 1 );
  wire_head( rung ? &b->epoch_row : &b->chain_row, order->order, intent, wire );
  if( rung ) {
    wire->rung        = rung_number( b, rung );
    wire->rung_serial = rung->serial;
  } else {
    wire_fill( b, intent, form, ( order->order + 2531ul * ( order->order >> 32 ) ) % DISTINCT_ORDERS, wire );
  }
  sf_tile_publish( t, (uint32_t)b->out_message, slot, rung ? SF_MSG_RUNG : SF_MSG_TX, wire_bytes( wire ), intent->bot,
                   m->t_origin );
  sf_tile_count( t, b->built_orders, 1 );
  b->built[order->order % ORDERS] = ( built_t ){ order->order, form->made, form };
}

/* A fill tells how many units its route uses, or that there is something wrong with it. */
static void on_fill( build_t * b, sf_fill_t const * fill ) {
  built_t * built  = &b->built[fill->order % ORDERS];
  sf_form_t * form = built->form;
  if( !form || built->order != fill->order || !form->made || form->made != built->made ) return;
  if( fill->outcome == SF_FILL_LANDED && fill->compute_units <= SF_COMPUTE_UNITS_MAX ) {
    if( fill->compute_units > form->units ) form->units = (uint32_t)fill->compute_units;
  } else if( fill->outcome == SF_FILL_REVERTED || fill->outcome == SF_FILL_DROPPED ) {
    for( uint32_t i = 0; i < form->key.hop_cnt; i++ ) sf_swaps_forget( &b->swaps, &form->key.hop[i] );
    sf_forms_drop( &b->forms, form );
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
  .poll        = build_poll,
  .msg         = build_msg,
  .house       = build_house,
};
