/* bench tiles: the C tiles of the cases ptile and bots, in a process that runs groups as sf-group does.

     build/release/bench/c/tiles INSTANCE_DIR GROUP      started by bench/ptile.py and bench/bots.py

   bench_echo     publishes what it gets
   bench_market   once the control page says trading: `events` pool updates, `per_second`, open loop; t_origin is the
                  time an update was intended for
   bench_bot      a bot: quotes each update exactly and answers with an intent
   bench_sink     takes all intents; counter `intents_in`; at its end tells, of each event, how long after it was
                  intended the first and the last bot's intent was published: C bots (numbers below `python_from`),
                  Python bots, and all together */

#include "../../tests/c/cpmm_fixture.h"
#include "dex/venue.h"
#include "rig.h"
#include "tile/process.h"
#include "tile/tile.h"

/* -- echo -------------------------------------------------------------------- */

static void echo_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  (void)in;
  sf_message_t * slot = sf_tile_claim( t, 0 );
  memcpy( slot + 1, m + 1, m->length );
  sf_tile_publish( t, 0, slot, m->kind, m->length, m->tag, m->t_origin );
}

static sf_tile_ops_t const echo = { .kind = "bench_echo", .msg = echo_msg };

/* -- market ------------------------------------------------------------------ */

#define POOLS 1000

typedef struct market {
  bench_schedule_t schedule;
  uint64_t per_second, events;
  fixture_update_t update;
} market_t;

static int market_init( sf_tile_t * t ) {
  market_t * m = sf_tile_state( t );
  int rc       = sf_tile_param_u64( t, "per_second", 1, 1000000, &m->per_second );
  if( !rc ) rc = sf_tile_param_u64( t, "events", 1, UINT32_MAX, &m->events );
  if( rc ) return rc;
  bench_clock_open();
  fixture_update( &m->update, 0, 0, 1, 1000000000000UL, 1000000000000UL, 2500 );
  return 0;
}

static int market_poll( sf_tile_t * t ) {
  market_t * m = sf_tile_state( t );
  if( !m->schedule.events ) {
    if( !sf_load_relaxed( &sf_tile_control( t )->trading ) ) return 0;
    m->schedule        = bench_schedule( (double)m->per_second, 1, 0 );
    m->schedule.events = m->events;
  }
  uint64_t intended, number = m->schedule.next;
  if( !bench_schedule_due( &m->schedule, &intended ) ) return 0;
  uint64_t t_origin   = sf_clock_ns() - (uint64_t)bench_ns( bench_ticks() - intended );
  m->update.u.pool    = (uint32_t)( number * 7 % POOLS );
  m->update.u.slot    = 1000 + number;
  sf_message_t * slot = sf_tile_claim( t, 0 );
  memcpy( slot + 1, &m->update, sizeof( m->update ) );
  sf_tile_publish( t, 0, slot, SF_MSG_POOL, sizeof( m->update ), m->update.u.pool, t_origin );
  return 1;
}

static void market_fini( sf_tile_t * t ) {
  market_t * m = sf_tile_state( t );
  printf( "{\"what\":\"market\"," );
  bench_schedule_fields( &m->schedule );
  printf( "}\n" );
  fflush( stdout );
}

static sf_tile_ops_t const market = {
  .kind        = "bench_market",
  .state_bytes = sizeof( market_t ),
  .init        = market_init,
  .poll        = market_poll,
  .fini        = market_fini,
};

/* -- bot --------------------------------------------------------------------- */

typedef struct bot {
  uint64_t bot, intents;
} bot_t;

static int bot_init( sf_tile_t * t ) {
  bot_t * b = sf_tile_state( t );
  return sf_tile_param_u64( t, "bot", 1, UINT32_MAX, &b->bot );
}

static void bot_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  (void)in;
  bot_t * b                  = sf_tile_state( t );
  sf_pool_update_t const * u = (sf_pool_update_t const *)( m + 1 );
  sf_quote_t q;
  sf_pool_quote_in( u, 1, 1000000, &q );
  sf_message_t * slot = sf_tile_claim( t, 0 );
  sf_intent_t * i     = (sf_intent_t *)( slot + 1 );
  memset( i, 0, sizeof( *i ) );
  i->intent        = ++b->intents;
  i->bot           = (uint32_t)b->bot;
  i->kind          = SF_INTENT_SWAP;
  i->hop_cnt       = 1;
  i->market_seq    = m->seq;
  i->slot          = u->slot;
  i->token_in      = u->token_a;
  i->token_out     = u->token_b;
  i->amount_in     = 1000000;
  i->expected_out  = q.amount_out;
  i->min_out       = q.amount_out;
  i->cost_lamports = 5000;
  i->hop[0] =
      ( sf_hop_t ){ .pool = u->pool, .venue = u->venue, .a_to_b = 1, .amount_in = 1000000, .min_out = q.amount_out };
  sf_tile_publish( t, 0, slot, SF_MSG_INTENT, sizeof( *i ), i->bot, m->t_origin );
}

static sf_tile_ops_t const bot = {
  .kind = "bench_bot", .state_bytes = sizeof( bot_t ), .init = bot_init, .msg = bot_msg
};

/* -- sink -------------------------------------------------------------------- */

enum { BY_C, BY_PYTHON, BY_ALL, BY_CNT };
static char const * const by_name[BY_CNT] = { "C", "Python", "all" };

typedef struct event {
  uint64_t first[BY_CNT], last[BY_CNT]; /* ns after it was intended; first 0 = none */
  uint32_t cnt[BY_CNT];
} event_t;

typedef struct sink {
  uint64_t python_from, warm_up, events, bots;
  int counter;
  event_t * event;
} sink_t;

static int sink_init( sf_tile_t * t ) {
  sink_t * s = sf_tile_state( t );
  int rc     = sf_tile_param_u64( t, "python_from", 0, UINT32_MAX, &s->python_from );
  if( !rc ) rc = sf_tile_param_u64( t, "warm_up", 0, UINT32_MAX, &s->warm_up );
  if( !rc ) rc = sf_tile_param_u64( t, "events", 1, 1 << 20, &s->events );
  if( !rc ) rc = sf_tile_param_u64( t, "bots", 1, 1 << 10, &s->bots );
  if( rc ) return rc;
  s->event   = calloc( s->events, sizeof( *s->event ) );
  s->counter = sf_tile_counter( t, "intents_in" );
  return s->event ? s->counter < 0 ? s->counter : 0 : SF_ERR_SYS;
}

static void sink_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  (void)in;
  sink_t * s            = sf_tile_state( t );
  sf_intent_t const * i = (sf_intent_t const *)( m + 1 );
  if( m->kind != SF_MSG_INTENT || i->market_seq >= s->events ) return;
  event_t * e = &s->event[i->market_seq];
  uint64_t ns = m->t_pub > m->t_origin ? m->t_pub - m->t_origin : 1;
  for( int by = 0; by < BY_CNT; by++ ) {
    if( by != BY_ALL && by != ( i->bot < s->python_from ? BY_C : BY_PYTHON ) ) continue;
    if( !e->first[by] || ns < e->first[by] ) e->first[by] = ns;
    if( ns > e->last[by] ) e->last[by] = ns;
    e->cnt[by]++;
  }
  sf_tile_count( t, s->counter, 1 );
}

static void sink_fini( sf_tile_t * t ) {
  static bench_hist_t first, last;
  sink_t * s = sf_tile_state( t );
  for( int by = 0; by < BY_CNT; by++ ) {
    bench_hist_clear( &first );
    bench_hist_clear( &last );
    uint64_t missing = 0;
    for( uint64_t n = s->warm_up; n < s->events; n++ ) {
      event_t const * e = &s->event[n];
      missing += by == BY_ALL && e->cnt[by] != s->bots;
      if( !e->cnt[by] ) continue;
      bench_hist_add( &first, e->first[by] );
      bench_hist_add( &last, e->last[by] );
    }
    for( int which = 0; which < 2; which++ ) {
      printf( "{\"what\":\"bots\",\"by\":\"%s\",\"of\":\"%s\",\"missing\":%lu,", by_name[by], which ? "last" : "first",
              missing );
      bench_hist_fields( which ? &last : &first, "ns" );
      printf( "}\n" );
    }
  }
  fflush( stdout );
  free( s->event );
}

static sf_tile_ops_t const sink = {
  .kind        = "bench_sink",
  .state_bytes = sizeof( sink_t ),
  .init        = sink_init,
  .msg         = sink_msg,
  .fini        = sink_fini,
};

int main( int argc, char ** argv ) {
  static sf_tile_ops_t const * const own[] = { &echo, &market, &bot, &sink };
  return sf_process_run( argc, argv, own, sizeof( own ) / sizeof( *own ) );
}
