/* risk: the only tile that makes orders.

     intent.* ─▶ sf_risk_gate on the pools table ─▶ order, or denied with the reason
     fill     ─▶ books: positions, profit, exposure
     command  ─▶ limits, bots, what former runs left
     verdict  ─▶ which unlisted tokens may be bought

   The gate itself is trade/risk.h; this tile gives it what it must see.  It quotes on the pools table, not
   on what the bot saw.  The tables positions, bots and limits show its state as of the last housekeeping. */

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/warm.h"
#include "dex/venue.h"
#include "sf_topology.h"
#include "shm/control.h"
#include "shm/pool_row.h"
#include "solana/base58.h"
#include "tile/tile.h"
#include "trade/risk.h"

#define WARM_LINES      7   /* of a row: lock, head, what begins the state */
#define REHEARSAL_TURNS 128 /* idle turns between two: some 10 us, of which it takes a hundredth */

enum { IN_INTENT, IN_FILL, IN_COMMAND, IN_VERDICT };

enum {
  C_ACCEPTED,
  C_DENIED,
  C_FILLS,
  C_FILLS_UNKNOWN,
  C_BALANCES,
  C_COMMANDS,
  C_COMMANDS_BAD,
  C_VERDICTS,
  C_VERDICTS_BAD,
  C_DENY
};
static char const * const counter_names[C_DENY + SF_DENY_MAX] = {
  "accepted_orders",
  "denied_intents",
  "booked_fills",
  "unknown_fills",
  "balances",
  "commands",
  "bad_commands",
  "verdicts",
  "bad_verdicts",
  [C_DENY + SF_DENY_KILLED]       = "denied_killed",
  [C_DENY + SF_DENY_NOT_TRADING]  = "denied_not_trading",
  [C_DENY + SF_DENY_MALFORMED]    = "denied_malformed",
  [C_DENY + SF_DENY_DUPLICATE]    = "denied_duplicate",
  [C_DENY + SF_DENY_STALE]        = "denied_stale",
  [C_DENY + SF_DENY_UNKNOWN_POOL] = "denied_unknown_pool",
  [C_DENY + SF_DENY_ORDER_SIZE]   = "denied_order_size",
  [C_DENY + SF_DENY_MINT_SIZE]    = "denied_mint_size",
  [C_DENY + SF_DENY_EXPOSURE]     = "denied_exposure",
  [C_DENY + SF_DENY_OPEN_ORDERS]  = "denied_open_orders",
  [C_DENY + SF_DENY_RATE]         = "denied_rate",
  [C_DENY + SF_DENY_DAILY_LOSS]   = "denied_daily_loss",
  [C_DENY + SF_DENY_FEE]          = "denied_fee",
  [C_DENY + SF_DENY_COLLAR]       = "denied_collar",
  [C_DENY + SF_DENY_BALANCE]      = "denied_balance",
  [C_DENY + SF_DENY_UNPROFITABLE] = "denied_unprofitable",
  [C_DENY + SF_DENY_CREDIT]       = "denied_credit",
  [C_DENY + SF_DENY_QUOTE]        = "denied_quote",
  [C_DENY + SF_DENY_UNSAFE]       = "denied_unsafe",
};

typedef struct risk_tile {
  sf_table_t const * pools;
  sf_table_t const * tokens;
  sf_table_t const * chain;
  sf_table_t * positions;
  sf_table_t * bots;
  sf_table_t * limits;
  sf_control_t * control;
  uint32_t out_order;
  uint32_t out_denied;
  uint64_t utc_offset_ns; /* CLOCK_REALTIME less engine clock */
  uint64_t kill_raised;
  uint8_t in_kind[SF_PORT_MAX];
  int counter[C_DENY + SF_DENY_MAX];
  sf_chain_row_t chain_row;
  sf_risk_view_t view;
  uint32_t pools_here;            /* 1 = the rows of pools are read where they stand; else */
  sf_pool_row_t pool[SF_HOP_MAX]; /* what of them was read last */
  sf_warm_t warm;                 /* of the pools table: what the gate reads */
  sf_order_t const * last;        /* in its slot of the out-link; NULL: there was none */
  uint32_t idle_turns;
  uint32_t rehearsed; /* what sf_risk_check said last */
  sf_risk_t risk;
} risk_tile_t;

/* -- what the gate sees --------------------------------------------------- */

/* The priced state of a hop's pool now: where it stands if nobody writes meanwhile, else a copy. */
static void pool_view( risk_tile_t * s, uint32_t h, uint32_t p ) {
  sf_pool_row_t const * row = s->pools_here ? sf_pool_row_here( s->pools, p ) : 0;
  int err                   = row ? 0 : sf_pool_row_read( s->pools, p, sf_pool_quote_bytes, &s->pool[h] );
  if( !row ) row = &s->pool[h];
  int stale             = err ? err == SF_ERR_OVERRUN : row->stale != 0;
  s->view.pool[h]       = &row->update;
  s->view.pool_state[h] = stale ? SF_RISK_POOL_STALE : err ? SF_RISK_POOL_UNKNOWN : SF_RISK_POOL_GOOD;
}

static __attribute__( ( noinline ) ) void tokens_new( risk_tile_t * s, uint64_t used ) {
  while( s->risk.token_cnt < used && s->risk.token_cnt < SF_RISK_TOKEN_MAX ) {
    sf_token_row_t row;
    if( sf_table_read( s->tokens, s->risk.token_cnt, &row ) ) return;
    sf_risk_token( &s->risk, row.mint );
  }
}

static inline void tokens_meet( risk_tile_t * s ) {
  uint64_t used = sf_load_acquire( &s->tokens->used );
  if( __builtin_expect( s->risk.token_cnt < used, 0 ) ) tokens_new( s, used );
}

static void order_publish( sf_tile_t * t, risk_tile_t * s, uint64_t number, sf_intent_t const * intent,
                           uint64_t t_origin ) {
  sf_message_t * slot = sf_tile_claim( t, s->out_order );
  sf_order_t * order  = (sf_order_t *)( slot + 1 );
  order->order        = number;
  order->intent       = *intent;
  s->last             = order;
  sf_tile_publish( t, s->out_order, slot, SF_MSG_ORDER, sizeof( *order ), intent->bot, t_origin );
}

static void denied_publish( sf_tile_t * t, risk_tile_t * s, sf_denied_t const * denied, uint64_t t_origin ) {
  sf_message_t * slot = sf_tile_claim( t, s->out_denied );
  memcpy( slot + 1, denied, sizeof( *denied ) );
  sf_tile_publish( t, s->out_denied, slot, SF_MSG_DENIED, sizeof( *denied ), denied->bot, t_origin );
}

/* The chain row changes a few times a second: it is read when it did, mostly in an idle turn. */
static inline void chain_look( risk_tile_t * s ) {
  uint64_t const * lock = (uint64_t const *)sf_table_row( s->chain, 0 );
  if( SF_LIKELY( sf_load_acquire( lock ) == s->chain_row.lock ) ) return;
  sf_chain_row_t row;
  if( !sf_table_read( s->chain, 0, &row ) ) s->chain_row = row;
}

/* All that the gate sees beside the intent, of a message of so many bytes with these times. */
static __attribute__( ( noinline ) ) void view_fill( sf_tile_t * t, risk_tile_t * s, sf_intent_t const * intent,
                                                     uint32_t length, uint64_t t_origin, uint64_t t_pub ) {
  sf_risk_view_t * v = &s->view;
  uint32_t hops      = length == sizeof( *intent ) && intent->hop_cnt <= SF_HOP_MAX ? intent->hop_cnt : 0;
  for( uint32_t h = 0; h < hops; h++ ) sf_pool_row_prefetch( s->pools, intent->hop[h].pool );
  if( hops ) sf_risk_prefetch( &s->risk, intent );
  tokens_meet( s );
  chain_look( s );
  for( uint32_t h = 0; h < hops; h++ ) pool_view( s, h, intent->hop[h].pool );
  uint64_t heartbeat = sf_load_acquire( &s->control->supervisor_heartbeat_ns );
  v->now_ns          = sf_tile_now( t );
  if( t_pub > v->now_ns ) v->now_ns = t_pub; /* the turn began before the intent came */
  v->utc_ns            = v->now_ns + s->utc_offset_ns;
  v->t_origin          = t_origin;
  v->kill              = sf_tile_kill( t );
  v->trading           = sf_load_acquire( &s->control->trading );
  v->supervisor_age_ns = v->now_ns > heartbeat ? v->now_ns - heartbeat : 0;
  v->chain_slot        = s->chain_row.slot;
  v->wallet_lamports   = s->chain_row.wallet_lamports;
  v->order_credit      = (uint64_t)sf_tile_may_publish( t, s->out_order );
  v->length            = length;
}

static void on_intent( sf_tile_t * t, risk_tile_t * s, sf_message_t const * m ) {
  static sf_intent_t const none;
  sf_intent_t const * intent = (sf_intent_t const *)( m + 1 );
  view_fill( t, s, intent, m->length, m->t_origin, m->t_pub );
  uint64_t order;
  sf_denied_t denied;
  if( m->length != sizeof( *intent ) ) intent = &none; /* the gate refuses the length */
  uint32_t reason = sf_risk_gate( &s->risk, intent, &s->view, &order, &denied );
  if( !reason ) {
    order_publish( t, s, order, intent, m->t_origin );
    sf_tile_count( t, s->counter[C_ACCEPTED], 1 );
    return;
  }
  sf_tile_count( t, s->counter[C_DENIED], 1 );
  sf_tile_count( t, s->counter[C_DENY + reason], 1 );
  if( sf_tile_may_publish( t, s->out_denied ) ) denied_publish( t, s, &denied, m->t_origin );
}

/* Orders are rare: by the time of the next one the processor has forgotten the way through the gate.  So what became the last
   order goes through its checks again, as if it came now with a number of its own, and nothing comes of it. */
static void rehearse( sf_tile_t * t, risk_tile_t * s ) {
  if( ++s->idle_turns % REHEARSAL_TURNS || !s->last ) return;
  sf_intent_t intent = s->last->intent;
  intent.intent      = UINT64_MAX; /* none has it */
  view_fill( t, s, &intent, sizeof( intent ), sf_tile_now( t ), 0 );
  s->rehearsed = sf_risk_check( &s->risk, &intent, &s->view );
}

/* -- the books ------------------------------------------------------------ */

static void on_fill( sf_tile_t * t, risk_tile_t * s, sf_message_t const * m ) {
  tokens_meet( s );
  if( m->kind == SF_MSG_BALANCE && m->length == sizeof( sf_balance_t ) ) {
    sf_risk_balance( &s->risk, (sf_balance_t const *)( m + 1 ) );
    sf_tile_count( t, s->counter[C_BALANCES], 1 );
    return;
  }
  if( m->kind != SF_MSG_FILL || m->length != sizeof( sf_fill_t ) ) return;
  int booked = sf_risk_fill( &s->risk, (sf_fill_t const *)( m + 1 ), m->t_pub + s->utc_offset_ns );
  sf_tile_count( t, s->counter[booked ? C_FILLS : C_FILLS_UNKNOWN], 1 );
  uint64_t level = sf_risk_kill_level( &s->risk );
  if( level > s->kill_raised ) sf_kill_raise( s->control, level, SF_KILL_BY_RISK );
  s->kill_raised = level;
}

static void on_command( sf_tile_t * t, risk_tile_t * s, sf_message_t const * m ) {
  tokens_meet( s );
  int bad = m->kind != SF_MSG_COMMAND || m->length != sizeof( sf_command_t ) ||
            sf_risk_command( &s->risk, (sf_command_t const *)( m + 1 ) );
  if( !bad ) s->kill_raised = sf_risk_kill_level( &s->risk );
  sf_tile_count( t, s->counter[bad ? C_COMMANDS_BAD : C_COMMANDS], 1 );
}

static void on_verdict( sf_tile_t * t, risk_tile_t * s, sf_message_t const * m ) {
  tokens_meet( s );
  int bad = m->kind != SF_MSG_VERDICT || m->length != sizeof( sf_verdict_t ) ||
            sf_risk_verdict( &s->risk, (sf_verdict_t const *)( m + 1 ) );
  sf_tile_count( t, s->counter[bad ? C_VERDICTS_BAD : C_VERDICTS], 1 );
}

/* -- hooks ---------------------------------------------------------------- */

static void risk_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  risk_tile_t * s = sf_tile_state( t );
  switch( s->in_kind[in] ) {
  case IN_INTENT:
    if( m->kind == SF_MSG_INTENT ) on_intent( t, s, m );
    return;
  case IN_FILL: on_fill( t, s, m ); return;
  case IN_VERDICT: on_verdict( t, s, m ); return;
  default: on_command( t, s, m ); return;
  }
}

/* The chain row before the gate needs it; a line more of the pools; the slot of the next order; and now and then a
   rehearsal. */
static void risk_idle( sf_tile_t * t ) {
  risk_tile_t * s = sf_tile_state( t );
  chain_look( s );
  sf_warm_step( &s->warm );
  sf_tile_prefetch( t, s->out_order, sizeof( sf_message_t ) + sizeof( sf_order_t ) );
  rehearse( t, s );
}

/* Of the positions those that changed: there is one for every token that was ever met. */
static void tables_write( risk_tile_t * s ) {
  sf_table_write( s->limits, 0, &s->risk.limit );
  for( uint32_t word = 0; word <= s->risk.token_cnt / 64 && word < SF_RISK_TOKEN_MAX / 64; word++ ) {
    for( uint64_t bits = s->risk.changed[word]; bits; bits &= bits - 1 ) {
      uint32_t i = 64 * word + (uint32_t)__builtin_ctzl( bits );
      sf_table_write( s->positions, i, &s->risk.position[i] ); /* SF_ERR_ARG beyond its rows */
    }
    s->risk.changed[word] = 0;
  }
  for( uint32_t i = 0; i < SF_RISK_BOT_MAX && i < s->bots->row_cnt; i++ )
    if( s->risk.bot[i].name[0] ) sf_table_write( s->bots, i, &s->risk.bot[i] );
}

static void risk_house( sf_tile_t * t, uint64_t now_ns ) {
  risk_tile_t * s  = sf_tile_state( t );
  s->utc_offset_ns = sf_clock_real_ns() - now_ns;
  tokens_meet( s );
  sf_warm_set( &s->warm, 0, sf_table_row( s->pools, 0 ), s->pools->row_bytes, WARM_LINES,
               sf_load_acquire( &s->pools->used ) );
  tables_write( s );
}

static void risk_fini( sf_tile_t * t ) { tables_write( sf_tile_state( t ) ); }

/* `bot.<n>=name`, `mint.<base58>=amount` and `listed.<base58>=1`. */
static int params_read( sf_tile_t * t, sf_risk_t * r ) {
  for( uint32_t i = 0; i < sf_tile_param_count( t ); i++ ) {
    char const *key, *value;
    int err = sf_tile_param_at( t, i, &key, &value );
    if( err ) return err;
    if( !strncmp( key, "bot.", 4 ) ) {
      uint32_t n = 0, digits = 0;
      for( char const * c = key + 4; *c >= '0' && *c <= '9' && digits < 3; c++, digits++ )
        n = 10 * n + (uint32_t)( *c - '0' );
      if( !digits || key[4 + digits] || n >= SF_RISK_BOT_MAX || !*value || strlen( value ) >= SF_NAME_MAX )
        return sf_err_set( SF_ERR_ARG, "%s: %s=%s; bots are numbered 0 to %u, names have 1 to %u bytes",
                           sf_tile_name( t ), key, value, SF_RISK_BOT_MAX - 1, SF_NAME_MAX - 1 );
      strcpy( r->bot[n].name, value );
    } else if( !strncmp( key, "mint.", 5 ) ) {
      if( r->mint_cnt == SF_RISK_MINT_MAX )
        return sf_err_set( SF_ERR_LIMIT, "%s: more than %u mints with a limit", sf_tile_name( t ), SF_RISK_MINT_MAX );
      if( ( err = sf_pubkey_decode( key + 5, r->mint[r->mint_cnt] ) ) ||
          ( err = sf_tile_param_u64( t, key, 0, UINT64_MAX, &r->mint_max[r->mint_cnt] ) ) )
        return err;
      r->mint_cnt++;
    } else if( !strncmp( key, "listed.", 7 ) ) {
      if( r->listed_cnt == SF_RISK_LISTED_MAX )
        return sf_err_set( SF_ERR_LIMIT, "%s: more than %u listed mints", sf_tile_name( t ), SF_RISK_LISTED_MAX );
      if( ( err = sf_pubkey_decode( key + 7, r->listed[r->listed_cnt] ) ) ) return err;
      r->listed_cnt++;
    }
  }
  return 0;
}

typedef struct limit_param {
  char const * key;
  uint64_t max;
  uint64_t scale;
  uint64_t * to;
} limit_param_t;

static int limits_read( sf_tile_t * t, sf_risk_t * r ) {
  sf_limit_row_t * l         = &r->limit;
  limit_param_t const list[] = {
    { "max_order_lamports", INT64_MAX, 1, &l->max_order_lamports },
    { "max_open_lamports", INT64_MAX, 1, &l->max_open_lamports },
    { "max_open_orders", SF_RISK_OPEN_MAX, 1, &l->max_open_orders },
    { "max_orders_per_second", 1000000000UL, 1, &l->max_orders_per_second },
    { "max_daily_loss_lamports", INT64_MAX, 1, &l->max_daily_loss_lamports },
    { "max_tip_lamports", INT64_MAX, 1, &l->max_tip_lamports },
    { "max_priority_fee_lamports", INT64_MAX, 1, &l->max_priority_fee_lamports },
    { "max_daily_fee_lamports", INT64_MAX, 1, &l->max_daily_fee_lamports },
    { "collar_bps", 10000, 1, &l->collar_bps },
    { "max_data_age_ms", 3600000, 1000000UL, &l->max_data_age_ns },
    { "max_slot_lag", 1000000, 1, &l->max_slot_lag },
    { "supervisor_timeout_ms", 600000, 1000000UL, &r->supervisor_timeout_ns },
    { "safety_gate", 1, 1, &r->safety_gate },
    { "verdict_slots", 1000000, 1, &r->verdict_slots },
    { "cu_limit_base", SF_COMPUTE_UNITS_MAX, 1, &r->cost.cu_limit_base },
    { "cu_limit_per_hop", SF_COMPUTE_UNITS_MAX, 1, &r->cost.cu_limit_per_hop },
    { "cu_price_micro_lamports", 1000000000000UL, 1, &r->cost.cu_price_micro_lamports },
  };
  for( uint32_t i = 0; i < sizeof( list ) / sizeof( list[0] ); i++ ) {
    int err = sf_tile_param_u64( t, list[i].key, 0, list[i].max, list[i].to );
    if( err ) return err;
    *list[i].to *= list[i].scale;
  }
  return 0;
}

static int ports_find( sf_tile_t * t, risk_tile_t * s ) {
  for( uint32_t in = 0; in < sf_tile_in_count( t ); in++ ) {
    char const * name = sf_tile_in_name( t, in );
    if( !strncmp( name, "intent.", 7 ) ) s->in_kind[in] = IN_INTENT;
    else if( !strcmp( name, "fill" ) ) s->in_kind[in] = IN_FILL;
    else if( !strcmp( name, "command" ) ) s->in_kind[in] = IN_COMMAND;
    else if( !strcmp( name, "verdict" ) ) s->in_kind[in] = IN_VERDICT;
    else
      return sf_err_set( SF_ERR_ARG, "%s: in-link %s is none of intent.*, fill, command, verdict", sf_tile_name( t ),
                         name );
  }
  int order = sf_tile_out( t, "order" ), denied = sf_tile_out( t, "denied" );
  if( order < 0 || denied < 0 ) return order < 0 ? order : denied;
  s->out_order  = (uint32_t)order;
  s->out_denied = (uint32_t)denied;
  s->pools      = sf_tile_table( t, "pools" );
  s->pools_here = (uint32_t)sf_tile_table_here( t, "pools" );
  s->tokens     = sf_tile_table( t, "tokens" );
  s->chain      = sf_tile_table( t, "chain" );
  s->positions  = sf_tile_table( t, "positions" );
  s->bots       = sf_tile_table( t, "bots" );
  s->limits     = sf_tile_table( t, "limits" );
  s->control    = sf_tile_control( t );
  return s->pools && s->tokens && s->chain && s->positions && s->bots && s->limits ? 0 : SF_ERR_NOTFOUND;
}

static int risk_init( sf_tile_t * t ) {
  risk_tile_t * s = sf_tile_state( t );
  char const * base;
  int err;
  if( ( err = ports_find( t, s ) ) || ( err = limits_read( t, &s->risk ) ) || ( err = params_read( t, &s->risk ) ) ||
      ( err = sf_tile_param_text( t, "base_mint", &base ) ) || ( err = sf_pubkey_decode( base, s->risk.base_mint ) ) )
    return err;
  for( uint32_t i = 0; i < C_DENY + SF_DENY_MAX; i++ )
    if( counter_names[i] && ( s->counter[i] = sf_tile_counter( t, counter_names[i] ) ) < 0 ) return s->counter[i];
  uint64_t now     = sf_clock_ns();
  s->utc_offset_ns = sf_clock_real_ns() - now;
  sf_risk_init( &s->risk, sf_tile_run( t ), now, now + s->utc_offset_ns );
  tables_write( s );
  return 0;
}

sf_tile_ops_t const sf_tile_risk = {
  .kind        = "risk",
  .state_bytes = sizeof( risk_tile_t ),
  .init        = risk_init,
  .idle        = risk_idle,
  .msg         = risk_msg,
  .house       = risk_house,
  .fini        = risk_fini,
};
