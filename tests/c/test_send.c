/* send against a node in a thread: sent, held for the journal, killed, expired,
   refused without a connection; and how long an order takes from `wire` to the socket. */

#include "check.h"
#include "node.h"
#include "shm/control.h"
#include "shm/table.h"
#include "tile/rig.h"

#define ORDERS 5000

static sf_rig_t * rig;
static node_t * node;
static struct {
  sf_message_t m;
  union {
    sf_sent_t sent;
    sf_refused_t refused;
  };
} got;

/* An order that is not out after timeout_ms is refused: long, unless that is what is looked for. */
static void start( int before_send, uint32_t timeout_ms ) {
  char params[512];
  node = node_start();
  snprintf( params, sizeof( params ),
            "rpc_url=http://127.0.0.1:%u/"
            "\nconnections=2\nbefore_send=%d\ntimeout_ms=%u\nrebroadcast_ms=0\nmax_rebroadcasts=0\n"
            "backoff_min_ms=1\nbackoff_max_ms=10\n",
            node->port, before_send, timeout_ms );
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "send", "send", params );
  sf_rig_burst( rig, "send", 8 );
  sf_rig_link( rig, "wire", 0, 256, 1344 );
  sf_rig_edge( rig, "wire", "send", 1 );
  sf_rig_link( rig, "sent", "send", 256, 128 );
  sf_rig_table( rig, "chain", 0, sizeof( sf_chain_row_t ), 1 );
  sf_rig_table( rig, "durable", 0, sizeof( sf_durable_row_t ), 64 );
  CHECK( !sf_rig_start( rig ) );
}

static void stop( void ) {
  sf_rig_close( rig );
  if( node ) node_stop( node );
  node = NULL;
}

static void order( uint64_t number ) {
  sf_wire_t w = { .order = number, .bot = 3, .last_valid_block_height = 150, .tx_len = 400, .message_off = 65 };
  memset( w.tx, (int)number, w.tx_len );
  w.tx[0] = 1;
  CHECK( !sf_rig_inject( rig, "wire", SF_MSG_WIRE, 3, 42, &w, sizeof( w ) ) );
}

static int step( void ) {
  CHECK( sf_rig_step( rig ) >= 0 );
  return sf_rig_read( rig, "sent", &got, sizeof( got ) );
}

static void connected( uint64_t cnt ) {
  uint64_t until = sf_clock_ns() + 20000000000UL;
  while( sf_rig_counter( rig, "send", "connections_open" ) != cnt ) {
    CHECK( sf_clock_ns() < until );
    step();
  }
}

/* outcome waits for the next message; it must be of this kind, about this order. */
static void outcome( uint16_t kind, uint64_t number ) {
  uint64_t until = sf_clock_ns() + 20000000000UL;
  while( !step() ) CHECK( sf_clock_ns() < until );
  CHECK( got.m.kind == kind && got.m.tag == 3 && got.m.t_origin == 42 );
  CHECK( ( kind == SF_MSG_SENT ? got.sent.order : got.refused.order ) == number );
}

static int by_size( void const * a, void const * b ) {
  uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b;
  return x < y ? -1 : x > y;
}

static void test_sent( void ) {
  static uint64_t late[ORDERS];
  start( 0, 20000 );
  connected( 2 );
  for( uint64_t i = 1; i <= ORDERS; i++ ) {
    uint64_t from = sf_clock_ns();
    order( i );
    outcome( SF_MSG_SENT, i );
    CHECK( got.sent.attempt == 0 && got.sent.signature[5] == (uint8_t)i );
    late[i - 1] = got.sent.t_sent - from;
  }
  CHECK( sf_load_acquire( &node->sends ) == ORDERS );
  uint64_t from = sf_clock_ns();
  for( uint32_t i = 0; i < 20000; i++ ) step();
  uint64_t idle = ( sf_clock_ns() - from ) / 20000;
  stop();
  qsort( late, ORDERS, sizeof( late[0] ), by_size );
  printf( "send: ok; wire to request ready for the socket p50 %.2f us p99 %.2f us; turn without work %lu ns\n",
          (double)late[ORDERS / 2] / 1e3, (double)late[ORDERS * 99 / 100] / 1e3, idle );
}

static void test_held( void ) {
  start( 1, 20000 );
  connected( 2 );
  sf_durable_row_t row  = { .seq = 9, .link = 77 };
  sf_table_t * durable  = sf_rig_table_of( rig, "durable" );
  sf_chain_row_t height = { .block_height = 150 };
  CHECK( !sf_table_write( durable, 0, &row ) && !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &height ) );
  order( 1 );
  order( 2 );
  order( 3 );
  for( uint32_t i = 0; i < 10000; i++ ) CHECK( !step() );
  row = ( sf_durable_row_t ){ .seq = 1, .link = 0 };
  CHECK( !sf_table_write( durable, 5, &row ) );
  outcome( SF_MSG_SENT, 1 );
  for( uint32_t i = 0; i < 10000; i++ ) CHECK( !step() );
  height.block_height = 151;
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &height ) );
  outcome( SF_MSG_REFUSED, 2 );
  CHECK( got.refused.reason == SF_REFUSE_BLOCKHASH );
  outcome( SF_MSG_REFUSED, 3 );
  height.block_height = 1;
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &height ) );
  order( 4 );
  for( uint32_t i = 0; i < 100; i++ ) CHECK( !step() );
  sf_kill_raise( sf_rig_control( rig ), SF_KILL_HALT, SF_KILL_BY_PERSON );
  outcome( SF_MSG_REFUSED, 4 );
  CHECK( got.refused.reason == SF_REFUSE_KILLED );
  order( 5 );
  outcome( SF_MSG_REFUSED, 5 );
  CHECK( got.refused.reason == SF_REFUSE_KILLED && sf_load_acquire( &node->sends ) == 1 );
  stop();
}

static void test_no_connection( void ) {
  start( 0, 300 );
  connected( 2 );
  node_stop( node );
  node = NULL;
  connected( 0 );
  order( 1 );
  outcome( SF_MSG_REFUSED, 1 );
  CHECK( got.refused.reason == SF_REFUSE_LANE );
  stop();
}

int main( void ) {
  sf_clock_init();
  test_sent();
  test_held();
  test_no_connection();
  return 0;
}
