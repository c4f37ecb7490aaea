/* bench arb: a market update to what the C bot wants, and to the order that risk makes of it.

     build/release/bench/c/arb RATE SECONDS      JSON lines on stdout

   arb and risk are one group in this thread, as they are shipped. Two constant-product pools of one pair: every update
   moves the first one's price by 3 %, to and fro, so that every other is worth an order; after it risk and arb are told
   that the order has expired. Open loop: an update's time begins when it was intended to be published, and ends at the t_pub of

   update_to_intent   the intent
   update_to_order    the order */

#include "../../tests/c/cpmm_fixture.h"
#include "bot_rig.h"

#define WARM_UP 0.2 /* seconds */

static void link_add( char const * name, char const * producer, uint32_t slot_bytes, char const * first,
                      char const * second ) {
  sf_rig_link( rig, name, producer, 1024, slot_bytes );
  sf_rig_edge( rig, name, first, 1 );
  sf_rig_edge( rig, name, second, 1 );
}

static void rig_open( void ) {
  DO( sf_rig_new( &rig ) );
  sf_rig_tile( rig, "arb", "arb", BOT_PARAMS );
  sf_rig_tile( rig, "risk", "risk", RISK_PARAMS RISK_LIMITS );
  sf_rig_link( rig, "market", 0, 1024, 3776 );
  sf_rig_edge( rig, "market", "arb", 1 );
  link_add( "denied", "risk", 64, "arb", 0 );
  link_add( "fill", 0, 256, "arb", "risk" );
  link_add( "intent.arb", "arb", 320, "risk", 0 );
  sf_rig_link( rig, "order", "risk", 1024, 320 );
  sf_rig_table( rig, "pools", 0, sizeof( sf_pool_row_t ), 16 );
  sf_rig_table( rig, "tokens", 0, sizeof( sf_token_row_t ), 16 );
  sf_rig_table( rig, "chain", 0, sizeof( sf_chain_row_t ), 1 );
  risk_tables( 16 );
  DO( sf_rig_start( rig ) );
  chain_write( 1000 * SOL );
}

static fixture_update_t pool[2];

/* Before it is published its row is what risk will look at. */
static void row_write( uint32_t p, uint64_t t_origin ) {
  sf_pool_row_t row;
  fixture_pool_row( &pool[p], &row );
  row.t_origin   = t_origin;
  row.market_seq = 0;
  DO( sf_table_write( sf_rig_table_of( rig, "pools" ), p, &row ) );
}

static void publish( uint32_t p, uint64_t t_origin ) {
  DO( sf_rig_inject( rig, "market", SF_MSG_POOL, p, t_origin, &pool[p], sizeof( pool[p] ) ) );
}

static void market_open( void ) {
  uint64_t now = sf_clock_ns();
  for( uint32_t p = 0; p < 2; p++ ) {
    fixture_update( &pool[p], p, 0, 1, 10000 * SOL, 10000 * SOL, 2500 );
    row_write( p, now );
    publish( p, now );
  }
  for( uint32_t side = 0; side < 2; side++ ) {
    sf_token_row_t row = { .decimals = 9 };
    memcpy( row.mint, pool[0].s.mint[side], 32 );
    memcpy( row.program, pool[0].s.program[side], 32 );
    DO( sf_table_write( sf_rig_table_of( rig, "tokens" ), side, &row ) );
    sf_balance_t balance = { .token = side, .amount = 100 * SOL };
    DO( sf_rig_inject( rig, "fill", SF_MSG_BALANCE, 0, 0, &balance, sizeof( balance ) ) );
  }
  DO( sf_rig_settle( rig ) );
}

/* The first pool's price, 3 % up or as it was. */
static void move( uint64_t number ) {
  uint64_t more        = number & 1 ? 10150 : 10000;
  pool[0].s.reserve[0] = more * SOL;
  pool[0].s.reserve[1] = ( 20000 - more ) * SOL;
  pool[0].u.slot       = 1;
  fixture_update_fill( &pool[0] );
}

int main( int argc, char ** argv ) {
  static bench_hist_t to_intent, to_order;
  if( argc != 3 ) {
    fprintf( stderr, "arb RATE SECONDS\n" );
    return 1;
  }
  bench_pin();
  bench_clock_open();
  rig_open();
  market_open();
  bench_schedule_t s = bench_schedule( atof( argv[1] ), atof( argv[2] ), WARM_UP );
  uint64_t orders    = 0;
  while( s.next < s.events ) {
    uint64_t intended, now = sf_clock_ns();
    move( s.next );
    row_write( 0, now );
    DO( sf_rig_step( rig ) );
    while( !bench_schedule_due( &s, &intended ) ) {}
    publish( 0, sf_clock_ns() - (uint64_t)bench_ns( bench_ticks() - intended ) );
    DO( sf_rig_step( rig ) );
    if( take( "intent.arb", SF_MSG_INTENT ) && bench_schedule_counts( &s, s.next ) )
      bench_hist_add( &to_intent, got.m.t_pub - got.m.t_origin );
    if( !take( "order", SF_MSG_ORDER ) ) continue;
    orders++;
    if( bench_schedule_counts( &s, s.next ) ) bench_hist_add( &to_order, got.m.t_pub - got.m.t_origin );
    sf_order_t order;
    memcpy( &order, got.payload, sizeof( order ) );
    expire( &order );
  }
  if( orders < s.events * 4 / 10 ) {
    take( "denied", SF_MSG_DENIED );
    fprintf( stderr, "arb: %lu orders of %lu updates; the last denial is for %u\n", orders, s.events,
             ( (sf_denied_t const *)got.payload )->reason );
    return 1;
  }
  printf( "{\"what\":\"schedule\"," );
  bench_schedule_fields( &s );
  printf( "}\n" );
  bench_hist_report( "update_to_intent", &to_intent, "ns" );
  bench_hist_report( "update_to_order", &to_order, "ns" );
  sf_rig_close( rig );
  bench_clock_report();
  return 0;
}
