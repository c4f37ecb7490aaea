/* The tile runner in one thread: hooks, counters, credits, failure, order and its
   replay, parameters, Python tiles. */

#include "check.h"
#include "base/rng.h"
#include "shm/cnc.h"
#include "shm/control.h"
#include "tile/ptile.h"
#include "tile/rig.h"

static uint64_t buffer[SF_SLOT_MAX / 8];
static sf_message_t * const got = (sf_message_t *)buffer;

/* -- relay: every message goes on, `burst` times ---------------------------- */

typedef struct relay {
  uint64_t times;
  int relayed;
  uint64_t inits, houses, finis, polls, idles;
} relay_t;

static relay_t last_relay; /* as it was at fini */

static int relay_init( sf_tile_t * t ) {
  relay_t * s = sf_tile_state( t );
  CHECK( !s->inits && !s->times ); /* zeroed */
  s->inits++;
  s->times   = 1;
  s->relayed = sf_tile_counter( t, "relayed_messages" );
  if( sf_tile_param( t, "times" ) ) {
    int rc = sf_tile_param_u64( t, "times", 1, 4, &s->times );
    if( rc ) return rc;
  }
  return s->relayed < 0 ? s->relayed : 0;
}

static int relay_poll( sf_tile_t * t ) {
  ( (relay_t *)sf_tile_state( t ) )->polls++;
  return 0;
}

static void relay_idle( sf_tile_t * t ) { ( (relay_t *)sf_tile_state( t ) )->idles++; }

static void relay_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  relay_t * s = sf_tile_state( t );
  if( m->kind == 99 ) {
    sf_tile_fail( t, "message %lu is of kind 99", m->seq );
    return;
  }
  for( uint64_t i = 0; i < s->times; i++ ) {
    sf_message_t * slot = sf_tile_claim( t, 0 );
    CHECK( slot ); /* never NULL within the burst */
    memcpy( slot + 1, m + 1, m->length );
    sf_tile_publish( t, 0, slot, (uint16_t)( m->kind + in ), m->length, m->tag, m->t_origin );
  }
  sf_tile_count( t, s->relayed, 1 );
}

static void relay_house( sf_tile_t * t, uint64_t now ) {
  CHECK( now == sf_tile_now( t ) );
  ( (relay_t *)sf_tile_state( t ) )->houses++;
}

static void relay_fini( sf_tile_t * t ) {
  relay_t * s = sf_tile_state( t );
  s->finis++;
  last_relay = *s;
}

#define RELAY                                                                                                     \
  .state_bytes = sizeof( relay_t ), .init = relay_init, .poll = relay_poll, .idle = relay_idle, .msg = relay_msg, \
  .house = relay_house, .fini = relay_fini
static sf_tile_ops_t const relay = { .kind = "relay", RELAY };
static sf_tile_ops_t const bot   = { .kind = "bot", .flags = SF_TILE_ORDERED, RELAY };

static sf_rig_t * relay_rig( char const * params, uint32_t burst, uint32_t depth ) {
  sf_rig_t * rig;
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_ops( rig, &relay );
  sf_rig_tile( rig, "r", "relay", params );
  sf_rig_burst( rig, "r", burst );
  sf_rig_link( rig, "in.a", 0, depth, 128 );
  sf_rig_link( rig, "in.b", 0, depth, 256 );
  sf_rig_edge( rig, "in.a", "r", 1 );
  sf_rig_edge( rig, "in.b", "r", 1 );
  sf_rig_link( rig, "out", "r", depth, 256 );
  sf_rig_table( rig, "own", "r", 64, 4 );
  sf_rig_table( rig, "rigs", 0, 64, 4 );
  return rig;
}

static void test_hooks( void ) {
  sf_rig_t * rig = relay_rig( "times=2\n", 2, 64 );
  CHECK( !sf_rig_start( rig ) );
  sf_tile_t * t = sf_rig_tile_of( rig, "r" );
  CHECK( !strcmp( sf_tile_name( t ), "r" ) && sf_tile_in_count( t ) == 2 && sf_tile_in( t, "in.b" ) == 1 &&
         !strcmp( sf_tile_in_name( t, 0 ), "in.a" ) );
  CHECK( sf_tile_in( t, "x" ) == SF_ERR_NOTFOUND && sf_tile_out( t, "out" ) == 0 &&
         sf_tile_out( t, "in.a" ) == SF_ERR_NOTFOUND );
  CHECK( sf_tile_out_payload( t, 0 ) == 224 && sf_tile_run( t ) == 1 && sf_tile_table( t, "own" ) &&
         !sf_tile_table( t, "none" ) );
  CHECK( sf_tile_table_here( t, "own" ) && !sf_tile_table_here( t, "rigs" ) && !sf_tile_table_here( t, "none" ) );
  sf_cnc_t * cnc = sf_rig_cnc( rig, "r" );
  CHECK( cnc->state == SF_STATE_RUN && cnc->pid == (uint32_t)getpid() && cnc->started_ns );
  uint64_t v = 42;
  for( int i = 0; i < 10; i++ )
    CHECK( !sf_rig_inject( rig, i % 2 ? "in.b" : "in.a", 7, (uint32_t)i, sf_clock_ns(), &v, 8 ) );
  relay_t const * s = sf_tile_state( t );
  uint64_t polls = s->polls, idles = s->idles;
  CHECK( sf_rig_settle( rig ) == 10 );
  CHECK( s->idles == idles + 1 &&
         s->polls == polls + 3 ); /* a turn with all ten messages, two with nothing: one warms */
  for( int i = 0; i < 20; i++ ) {
    CHECK( sf_rig_read( rig, "out", buffer, sizeof( buffer ) ) == 1 );
    CHECK( got->seq == (uint64_t)i && got->kind == ( i < 10 ? 7 : 8 ) && !memcmp( got + 1, &v, 8 ) );
  }
  CHECK( !sf_rig_read( rig, "out", buffer, sizeof( buffer ) ) && sf_rig_read( rig, "out", buffer, 64 ) == SF_ERR_ARG );
  CHECK( sf_rig_read( rig, "in.a", buffer, sizeof( buffer ) ) == SF_ERR_NOTFOUND &&
         sf_rig_inject( rig, "out", 1, 0, 0, &v, 8 ) == SF_ERR_NOTFOUND );
  CHECK( sf_rig_counter( rig, "r", "messages_in" ) == 10 && sf_rig_counter( rig, "r", "messages_out" ) == 20 &&
         sf_rig_counter( rig, "r", "relayed_messages" ) == 10 );
  CHECK( cnc->hist[SF_HIST_STAGE].count == 10 && cnc->hist[SF_HIST_ORIGIN].count == 20 );
  uint64_t houses = ( (relay_t *)sf_tile_state( t ) )->houses, beat = cnc->heartbeat_ns;
  sf_rig_house( rig );
  sf_rig_step( rig );
  CHECK( ( (relay_t *)sf_tile_state( t ) )->houses == houses + 1 && cnc->heartbeat_ns > beat );
  CHECK( sf_rig_table_of( rig, "rigs" )->row_cnt == 4 );
  /* halt by command word: what is on the in-links is still handled */
  for( int i = 0; i < 5; i++ ) CHECK( !sf_rig_inject( rig, "in.a", 7, 0, 0, &v, 8 ) );
  sf_command_set( sf_rig_control( rig ), 1, SF_COMMAND_HALT );
  sf_rig_house( rig );
  sf_rig_step( rig );
  CHECK( cnc->state == SF_STATE_DONE && last_relay.finis == 1 && last_relay.inits == 1 && last_relay.polls );
  for( int i = 0; i < 10; i++ ) CHECK( sf_rig_read( rig, "out", buffer, sizeof( buffer ) ) == 1 );
  CHECK( sf_rig_step( rig ) == 0 );
  sf_rig_close( rig );
  CHECK( last_relay.finis == 1 );
}

/* -- in place: what msg gets is the slot itself, where a reliable in-link holds it ------ */

static sf_rig_t * place_rig;
static uint64_t place_seen[3];

static void place_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  static char const * const links[] = { "pair", "wide", "lossy" };
  uint64_t seq                      = place_seen[in]++, payload[2];
  memcpy( payload, m + 1, sizeof( payload ) );
  CHECK( sf_tile_message_seq( t ) == seq && m->tag == (uint32_t)seq && m->length == 16 && payload[0] == seq &&
         payload[1] == ~seq );
  sf_message_t const * slot = sf_producer_slot( sf_rig_producer( place_rig, links[in] ), seq );
  CHECK( in < 2 ? m == slot : m != slot && m->seq == seq );
}

static sf_tile_ops_t const place = { .kind = "place", .flags = SF_TILE_IN_PLACE, .msg = place_msg };

static void test_in_place( void ) {
  static char const * const links[] = { "pair", "wide", "lossy" };
  CHECK( !sf_rig_new( &place_rig ) );
  sf_rig_ops( place_rig, &place );
  sf_rig_tile( place_rig, "p", "place", 0 );
  for( int i = 0; i < 3; i++ ) {
    sf_rig_link( place_rig, links[i], 0, 8, i ? 256 : 64 );
    sf_rig_edge( place_rig, links[i], "p", i < 2 );
  }
  CHECK( !sf_rig_start( place_rig ) );
  CHECK( sf_instance_link( sf_rig_instance( place_rig ), "pair" )->flags & SF_LINK_PAIR );
  for( uint64_t seq = 0, cnt = 1; seq < 100; cnt = cnt % 8 + 1 ) {
    for( uint64_t end = seq + cnt; seq < end; seq++ )
      for( int i = 0; i < 3; i++ )
        CHECK( !sf_rig_inject( place_rig, links[i], 1, (uint32_t)seq, 0, ( uint64_t[] ){ seq, ~seq }, 16 ) );
    CHECK( sf_rig_step( place_rig ) == 3 * (int)cnt );
    for( int i = 0; i < 3; i++ ) CHECK( place_seen[i] == seq );
    for( int i = 0; i < 64; i++ ) CHECK( !sf_rig_step( place_rig ) ); /* gives all credit back */
    for( int i = 0; i < 2; i++ ) CHECK( sf_link_credit( sf_rig_producer( place_rig, links[i] ) ) == 8 );
  }
  sf_rig_close( place_rig );
}

static void test_credit( void ) {
  sf_rig_t * rig = relay_rig( "times=4\n", 4, 16 );
  CHECK( !sf_rig_start( rig ) );
  uint64_t v = 0;
  for( int i = 0; i < 10; i++ ) CHECK( !sf_rig_inject( rig, "in.a", 1, 0, 0, &v, 8 ) );
  CHECK( sf_rig_settle( rig ) == 4 ); /* 4*4 fill the out-link; the fifth is never begun */
  CHECK( sf_rig_counter( rig, "r", "messages_in" ) == 4 && sf_rig_counter( rig, "r", "backpressure_turns" ) > 0 );
  uint64_t polls = ( (relay_t *)sf_tile_state( sf_rig_tile_of( rig, "r" ) ) )->polls;
  sf_rig_step( rig );
  CHECK( ( (relay_t *)sf_tile_state( sf_rig_tile_of( rig, "r" ) ) )->polls == polls ); /* not polled either */
  sf_rig_house( rig );
  sf_rig_step( rig );
  CHECK( sf_load_relaxed( &sf_instance_link( sf_rig_instance( rig ), "out" )->backpressure_turns ) > 0 );
  for( int i = 0; i < 4; i++ ) CHECK( sf_rig_read( rig, "out", buffer, sizeof( buffer ) ) == 1 );
  CHECK( sf_rig_settle( rig ) == 1 );
  sf_rig_close( rig );
}

static void test_failure( void ) {
  char error[256];
  sf_rig_t * rig = relay_rig( "times=9\n", 1, 16 );
  CHECK( sf_rig_start( rig ) == SF_ERR_ARG );
  CHECK_SAYS( "r.times: `9` is not a whole number within 1 and 4" );
  sf_cnc_error( sf_rig_cnc( rig, "r" ), error );
  CHECK( sf_rig_cnc( rig, "r" )->state == SF_STATE_FAIL && strstr( error, "r.times" ) &&
         sf_kill_read( sf_rig_control( rig ) ) == SF_KILL_HALT );
  last_relay.finis = 0;
  sf_rig_close( rig );
  CHECK( !last_relay.finis ); /* init failed: no fini */

  rig = relay_rig( "", 1, 16 );
  CHECK( !sf_rig_start( rig ) );
  uint64_t v = 0;
  CHECK( !sf_rig_inject( rig, "in.a", 99, 0, 0, &v, 8 ) && !sf_rig_inject( rig, "in.a", 1, 0, 0, &v, 8 ) );
  CHECK( sf_rig_step( rig ) == SF_ERR_STATE );
  CHECK_SAYS( "message 0 is of kind 99" );
  CHECK( sf_rig_cnc( rig, "r" )->state == SF_STATE_FAIL && last_relay.finis == 1 &&
         sf_kill_read( sf_rig_control( rig ) ) == SF_KILL_HALT );
  CHECK( !sf_rig_read( rig, "out", buffer, sizeof( buffer ) ) );
  sf_rig_close( rig );

  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "r", "no-such-kind", 0 );
  CHECK( sf_rig_start( rig ) == SF_ERR_NOTFOUND );
  CHECK_SAYS( "no C tile of kind no-such-kind" );
  sf_rig_close( rig );
  CHECK( !sf_rig_new( &rig ) && sf_rig_link( rig, "l", "nobody", 64, 64 ) == SF_ERR_NOTFOUND );
  CHECK( sf_rig_start( rig ) == SF_ERR_NOTFOUND ); /* the first failure is kept */
  CHECK_SAYS( "nobody" );
  sf_rig_close( rig );
}

static int params_init( sf_tile_t * t ) {
  uint64_t v;
  char const *text, *key, *value;
  CHECK( !sf_tile_param_u64( t, "a", 0, 10, &v ) && v == 7 );
  CHECK( !sf_tile_param_text( t, "url", &text ) && !strcmp( text, "ws://h:1/?x=y" ) );
  CHECK( !sf_tile_param_text( t, "empty", &text ) && !text[0] );
  CHECK( sf_tile_param_text( t, "none", &text ) == SF_ERR_ARG && !sf_tile_param( t, "none" ) );
  CHECK_SAYS( "p.none: is missing" );
  CHECK( sf_tile_param_u64( t, "minus", 0, 10, &v ) == SF_ERR_ARG &&
         sf_tile_param_u64( t, "junk", 0, 10, &v ) == SF_ERR_ARG );
  CHECK( sf_tile_param_u64( t, "huge", 0, UINT64_MAX, &v ) == SF_ERR_ARG &&
         sf_tile_param_u64( t, "empty", 0, 10, &v ) == SF_ERR_ARG );
  CHECK( !sf_tile_param_u64( t, "most", 0, UINT64_MAX, &v ) && v == UINT64_MAX );
  CHECK( sf_tile_param_count( t ) == 7 && !sf_tile_param_at( t, 0, &key, &value ) && !strcmp( key, "a" ) &&
         sf_tile_param_at( t, 7, &key, &value ) == SF_ERR_ARG );
  return 0;
}

static sf_tile_ops_t const params = { .kind = "params", .init = params_init };

static void test_params( void ) {
  sf_rig_t * rig;
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_ops( rig, &params );
  sf_rig_tile(
      rig, "p", "params",
      "a=7\nurl=ws://h:1/?x=y\nempty=\nminus=-1\njunk=5x\nhuge=18446744073709551616\nmost=18446744073709551615\n" );
  CHECK( !sf_rig_start( rig ) );
  sf_rig_close( rig );
}

/* -- order ------------------------------------------------------------------ */

#define STEPS 3000

/* What the bot did, as its out-link says it: turn records and echoes. */
typedef struct echo {
  uint16_t kind;
  uint32_t tag;
  uint64_t payload[4];
} echo_t;

static echo_t live[2 * STEPS], replay[2 * STEPS];
static uint32_t live_cnt, replay_cnt;

static void collect( sf_rig_t * rig, echo_t * to, uint32_t * cnt ) {
  while( sf_rig_read( rig, "out", buffer, sizeof( buffer ) ) == 1 ) {
    CHECK( *cnt < 2 * STEPS );
    echo_t * e = to + ( *cnt )++;
    *e         = ( echo_t ){ .kind = got->kind, .tag = got->tag };
    memcpy( e->payload, got + 1, got->length );
  }
}

/* Primary and secondary messages in random order, with jumps on both. */
static uint64_t primaries, secondaries;

static void inject( sf_rig_t * rig, char const * link, uint64_t * next, uint64_t cnt ) {
  for( ; cnt; cnt--, ( *next )++ ) CHECK( !sf_rig_inject( rig, link, 1, (uint32_t)*next, 0, next, 8 ) );
}

static void record( void ) {
  sf_rig_t * rig;
  sf_rng_t rng;
  sf_rng_seed( &rng, 3 );
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_ops( rig, &bot );
  sf_rig_tile( rig, "b", "bot", 0 );
  sf_rig_link( rig, "market", 0, 8, 128 );
  sf_rig_edge( rig, "market", "b", 0 );
  sf_rig_link( rig, "fill", 0, 8, 256 );
  sf_rig_edge( rig, "fill", "b", 0 );
  sf_rig_link( rig, "out", "b", 64, 256 );
  CHECK( !sf_rig_start( rig ) );
  for( int i = 0; i < STEPS / 8; i++ ) {
    uint64_t bursts = sf_rng_below( &rng, 4 );
    inject( rig, "market", &primaries, bursts );
    if( sf_rng_below( &rng, 20 ) == 0 ) inject( rig, "market", &primaries, 11 ); /* overrun */
    bursts = sf_rng_below( &rng, 3 );
    if( sf_rng_below( &rng, 30 ) == 0 ) bursts = 10;
    inject( rig, "fill", &secondaries, bursts );
    CHECK( sf_rig_step( rig ) >= 0 );
    collect( rig, live, &live_cnt );
  }
  CHECK( sf_rig_settle( rig ) >= 0 );
  collect( rig, live, &live_cnt );
  CHECK( sf_rig_counter( rig, "b", "overrun_messages" ) > 0 );
  sf_rig_close( rig );
}

static void check_turns( void ) {
  uint64_t turns = 0, lost = 0;
  for( uint32_t i = 0; i < live_cnt; i++ ) {
    if( live[i].kind == SF_MSG_TURN ) {
      sf_turn_t turn;
      memcpy( &turn, live[i].payload, sizeof( turn ) );
      turns++;
      lost += turn.lost;
      CHECK( turn.in < 2 && i + 1 < live_cnt && live[i + 1].kind == 1 + turn.in &&
             live[i + 1].payload[0] == turn.seq ); /* right before what it announces */
      CHECK( turn.in || turn.lost == turn.seq - turn.primary_seq );
    } else CHECK( live[i].kind != 2 || ( i && live[i - 1].kind == SF_MSG_TURN ) );
  }
  CHECK( turns > 100 && lost > 50 );
}

static void follow( void ) {
  sf_rig_t * rig;
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_ops( rig, &bot );
  sf_rig_tile( rig, "b", "bot", 0 );
  char const * const links[] = { "market", "fill", "turns.b" };
  for( int i = 0; i < 3; i++ ) {
    sf_rig_link( rig, links[i], 0, 8192, 256 );
    sf_rig_edge( rig, links[i], "b", 1 );
  }
  sf_rig_link( rig, "out", "b", 64, 256 );
  CHECK( !sf_rig_start( rig ) );
  for( uint64_t n = 0; n < primaries; n++ ) CHECK( !sf_rig_inject( rig, "market", 1, (uint32_t)n, 0, &n, 8 ) );
  for( uint64_t n = 0; n < secondaries; n++ ) CHECK( !sf_rig_inject( rig, "fill", 1, (uint32_t)n, 0, &n, 8 ) );
  CHECK( sf_rig_step( rig ) == 0 ); /* it waits for the first record */
  for( uint32_t i = 0; i < live_cnt; i++ ) {
    if( live[i].kind == SF_MSG_TURN )
      CHECK( !sf_rig_inject( rig, "turns.b", SF_MSG_TURN, 0, 0, live[i].payload, sizeof( sf_turn_t ) ) );
    if( i % 50 == 0 ) {
      CHECK( sf_rig_step( rig ) >= 0 );
      collect( rig, replay, &replay_cnt );
    }
  }
  sf_turn_t end = { .in = 0xffffffff };
  CHECK( !sf_rig_inject( rig, "turns.b", SF_MSG_TURN, 0, 0, &end, sizeof( end ) ) );
  int work;
  do {
    work = sf_rig_step( rig );
    CHECK( work >= 0 );
    collect( rig, replay, &replay_cnt );
  } while( work );
  sf_rig_close( rig );
  CHECK( replay_cnt == live_cnt && !memcmp( replay, live, sizeof( live[0] ) * live_cnt ) );
}

static void test_order( void ) {
  record();
  check_turns();
  follow();
}

static void test_replay_faults( void ) {
  sf_rig_t * rig;
  for( int i = 0; i < 2; i++ ) {
    CHECK( !sf_rig_new( &rig ) );
    sf_rig_ops( rig, &bot );
    sf_rig_tile( rig, "b", "bot", 0 );
    char const * const links[2][2] = { { "turns.b", "market" }, { "market", "turns.b" } };
    for( int k = 0; k < 2; k++ ) {
      sf_rig_link( rig, links[i][k], 0, 64, 128 );
      sf_rig_edge( rig, links[i][k], "b", i == 1 && k == 0 ? 0 : 1 );
    }
    sf_rig_link( rig, "out", "b", 64, 128 );
    CHECK( sf_rig_start( rig ) == SF_ERR_ARG );
    CHECK_SAYS( i ? "has to be reliable" : "has to be its last" );
    sf_rig_close( rig );
  }
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_ops( rig, &bot );
  sf_rig_tile( rig, "b", "bot", 0 );
  sf_rig_link( rig, "market", 0, 64, 128 );
  sf_rig_edge( rig, "market", "b", 1 );
  sf_rig_link( rig, "turns.b", 0, 64, 64 );
  sf_rig_edge( rig, "turns.b", "b", 1 );
  sf_rig_link( rig, "out", "b", 64, 128 );
  CHECK( !sf_rig_start( rig ) );
  sf_turn_t turn = { .in = 5 };
  CHECK( !sf_rig_inject( rig, "turns.b", SF_MSG_TURN, 0, 0, &turn, sizeof( turn ) ) &&
         sf_rig_step( rig ) == SF_ERR_STATE );
  CHECK_SAYS( "another topology" );
  sf_rig_close( rig );
}

/* -- Python tiles ----------------------------------------------------------- */

static char dir[128];

static void ptile_instance( sf_instance_t * inst, uint32_t reliable ) {
  sf_topology_t * t = sf_topology_alloc();
  sf_topology_group_add( t, "c", SF_WAIT_PARK, SF_CORE_NONE, 0 );
  sf_topology_group_add( t, "py", SF_WAIT_PARK, SF_CORE_NONE, SF_TILE_PYTHON );
  sf_topology_tile_add( t, "feeder", "x", 0, 0, 1 );
  sf_topology_tile_add( t, "strategies", "x", 1, SF_TILE_PYTHON, 2 );
  sf_topology_link_add( t, "market", 0, 64, 128 );
  sf_topology_link_add( t, "fill", 0, 16, 256 );
  sf_topology_link_add( t, "intent", 1, 16, 256 );
  sf_topology_edge_add( t, 0, 1, reliable );
  sf_topology_edge_add( t, 1, 1, reliable );
  sf_topology_edge_add( t, 2, 0, 1 );
  CHECK( !sf_topology_validate( t ) && !sf_topology_layout( t ) && !sf_instance_create( dir, t ) );
  sf_topology_free( t );
  CHECK( !sf_instance_open( inst, dir ) );
}

static void test_ptile( void ) {
  static sf_instance_t inst;
  sf_ptile_t * p;
  sf_ptile_t * feeder;
  uint16_t in[64];
  ptile_instance( &inst, 0 );
  CHECK( sf_ptile_open( &p, &inst, "nobody", 0 ) == SF_ERR_NOTFOUND );
  CHECK( !sf_ptile_open( &p, &inst, "strategies", SF_TILE_ORDERED ) && sf_ptile_stride( p ) == 256 );
  sf_ptile_t * again;
  CHECK( sf_ptile_open( &again, &inst, "strategies", 0 ) == SF_ERR_STATE );
  CHECK( !sf_ptile_open( &feeder, &inst, "feeder", 0 ) && !sf_ptile_start( feeder ) && !sf_ptile_start( p ) );
  CHECK( sf_instance_cnc_named( &inst, "strategies" )->state == SF_STATE_RUN );
  CHECK( sf_ptile_turn( p, buffer, in, 64, 0 ) == 0 );
  uint64_t before = sf_clock_ns();
  CHECK( sf_ptile_turn( p, buffer, in, 64, 3000000 ) == 0 && sf_clock_ns() - before >= 3000000 );

  struct {
    sf_message_t m;
    uint64_t v[12];
  } out[16];
  memset( out, 0, sizeof( out ) );
  for( uint32_t i = 0; i < 16; i++ ) {
    out[i].m    = ( sf_message_t ){ .kind = SF_MSG_POOL, .length = 88, .tag = i, .t_origin = sf_clock_ns() };
    out[i].v[0] = i;
  }
  CHECK( sf_ptile_publish( feeder, 0, out, sizeof( out[0] ), 16 ) == 16 );
  CHECK( sf_ptile_publish( feeder, 1, out, sizeof( out[0] ), 2 ) == 2 );
  CHECK( sf_ptile_publish( feeder, 7, out, sizeof( out[0] ), 1 ) == SF_ERR_ARG &&
         sf_ptile_publish( feeder, 0, out, 16, 1 ) == SF_ERR_ARG );
  /* 16 slots of credit, burst 2 and a turn record: 5 messages at a time */
  uint32_t seen = 0;
  int n         = sf_ptile_turn( p, buffer, in, 64, 0 );
  CHECK( n == 5 );
  for( int i = 0; i < n; i++, seen++ ) {
    sf_message_t const * m = (sf_message_t const *)( (uint8_t *)buffer + 256 * i );
    CHECK( in[i] == 0 && m->seq == seen && m->tag == seen && m->length == 88 &&
           !memcmp( m + 1, &( uint64_t ){ seen }, 8 ) );
  }
  out[0].m.length = 200; /* within the slot, beyond the stride */
  CHECK( sf_ptile_publish( p, 0, out, sizeof( out[0] ), 1 ) == SF_ERR_ARG );
  out[0].m.length = 40;
  CHECK( sf_ptile_publish( p, 0, out, sizeof( out[0] ), 10 ) == 10 );
  CHECK( sf_ptile_publish( p, 0, out, sizeof( out[0] ), 7 ) == SF_ERR_FULL );
  n = sf_ptile_turn( p, buffer, in, 64, 0 ); /* credit for 6 = two messages */
  CHECK( n == 2 && ( (sf_message_t *)buffer )->seq == 5 );
  seen += 2;
  /* the feeder reads: all credit again; primary first, then the fills, each first in its batch after its turn record */
  uint64_t fills = 0, turns = 0, intents = 0;
  for( int i = 0; i < 40; i++ ) {
    uint64_t room[8 * 256 / 8];
    int r = sf_ptile_turn( feeder, room, in, 8, 0 );
    CHECK( r >= 0 );
    for( int k = 0; k < r; k++ ) {
      sf_message_t const * m = (sf_message_t const *)( (uint8_t *)room + 256 * k );
      if( m->kind == SF_MSG_TURN ) turns++;
      else intents++;
    }
    n = sf_ptile_turn( p, buffer, in, 3, 0 );
    CHECK( n >= 0 );
    for( int k = 0; k < n; k++ ) {
      sf_message_t const * m = (sf_message_t const *)( (uint8_t *)buffer + 256 * k );
      CHECK( !in[k] || !k );
      uint64_t next = in[k] ? fills++ : seen++;
      CHECK( m->seq == next );
    }
  }
  CHECK( seen == 16 && fills == 2 && turns == 2 && intents == 10 );
  sf_ptile_wait( &p, 1, 1000000 );
  CHECK( sf_ptile_house( p ) == 0 || sf_ptile_house( p ) == 0 );
  sf_command_set( inst.control, 1, SF_COMMAND_HALT );
  AWAIT( sf_ptile_turn( p, buffer, in, 64, 0 ) == SF_ERR_STATE );
  CHECK( sf_instance_cnc_named( &inst, "strategies" )->state == SF_STATE_HALT );
  sf_ptile_close( p );
  CHECK( sf_instance_cnc_named( &inst, "strategies" )->state == SF_STATE_DONE );
  CHECK( sf_cnc_read( sf_instance_cnc_named( &inst, "strategies" ), "messages_in" ) == 18 );
  sf_ptile_fail( feeder, "broken by the test" );
  CHECK( sf_ptile_turn( feeder, buffer, in, 1, 0 ) == SF_ERR_STATE && sf_kill_read( inst.control ) == SF_KILL_HALT );
  sf_ptile_close( feeder );
  char error[256];
  sf_cnc_error( sf_instance_cnc_named( &inst, "feeder" ), error );
  CHECK( sf_instance_cnc_named( &inst, "feeder" )->state == SF_STATE_FAIL && !strcmp( error, "broken by the test" ) );
  sf_instance_close( &inst );
  CHECK( !sf_instance_remove( dir ) );
}

int main( void ) {
  snprintf( dir, sizeof( dir ), "%s", test_dir( "tile" ) );
  test_hooks();
  test_in_place();
  test_credit();
  test_failure();
  test_params();
  test_order();
  test_replay_faults();
  test_ptile();
  printf( "tile: hooks, in place, credit, failure, parameters, order and replay, Python tiles\n" );
  return 0;
}
