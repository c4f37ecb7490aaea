/* test_sign_nonces.c: the signer with a pool of nonces: refused where the host can be copied, hits and misses counted, every
   transaction verifies, an empty or dropped pool means the deterministic signature. */

#include "sign_fixture.h"
#include "solana/nonces.h"

#define SLOTS 4

static uint64_t number;

static sf_rig_t * rig_pool( uint32_t slots, int force ) {
  char params[1024];
  snprintf( params, sizeof( params ), SIGN_PARAMS "nonce_pool=%u\nnonce_pool_force=%d\n", SIGN_VALUES( 1000000u ),
            slots, force );
  return rig_new( params );
}

static uint64_t counted( sf_rig_t * rig, char const * name ) { return sf_rig_counter( rig, "sign", name ); }

/* Steps until the pool is full. */
static void pool_wait( sf_rig_t * rig ) {
  uint64_t end = sf_clock_ns() + 10000000000ul;
  do {
    sf_rig_house( rig );
    CHECK( sf_rig_settle( rig ) >= 0 && sf_clock_ns() < end );
  } while( counted( rig, "nonces_ready" ) < SLOTS );
}

static void order_line( sf_rig_t * rig, sf_wire_t * wire ) {
  sf_order_t order;
  number++;
  order_make( &order, ORDER( number ), 1 + number % 3, cycle, 1000 + number );
  CHECK( !sf_rig_inject( rig, "order", SF_MSG_ORDER, 3, 12345, &order, sizeof( order ) ) );
  wire_of( &order, wire );
  wire_give( rig, wire );
}

/* Takes a transaction, which must verify; returns if its signature is the deterministic one. */
static int signed_plainly( sf_rig_t * rig, sf_wire_t const * wire ) {
  uint8_t plain[64];
  received_t got;
  CHECK( next_message( rig, "wire", &got ) == SF_MSG_WIRE && got.wire.order == wire->order );
  uint8_t const * message = got.wire.tx + got.wire.message_off;
  uint64_t len            = (uint64_t)( got.wire.tx_len - got.wire.message_off );
  CHECK( !crypto_sign_verify_detached( got.wire.tx + 1, message, len, fixture.wallet.wallet ) );
  crypto_sign_detached( plain, NULL, message, len, fixture.secret );
  return !memcmp( plain, got.wire.tx + 1, 64 );
}

static void refused_unless_forced( void ) {
  sf_rig_t * rig = rig_pool( SLOTS, 0 );
  int copies     = sf_continuity_host( "", sf_continuity_hypervisor() );
  int err        = sf_rig_start( rig );
  CHECK( !err == !copies );
  if( copies ) CHECK( strstr( sf_err_text(), "sign.nonce_pool_force" ) );
  sf_rig_close( rig );
  rig = rig_pool( SF_NONCES_MAX + 1, 1 );
  CHECK( sf_rig_start( rig ) == SF_ERR_ARG && strstr( sf_err_text(), "nonce_pool" ) );
  sf_rig_close( rig );
}

static void off_unless_asked_for( void ) {
  sf_rig_t * rig = rig_open( 1000 );
  sf_wire_t wire;
  for( uint32_t i = 0; i < 20; i++ ) {
    order_line( rig, &wire );
    CHECK( signed_plainly( rig, &wire ) );
  }
  CHECK( !counted( rig, "nonce_slots" ) && !counted( rig, "nonce_hits" ) && !counted( rig, "nonce_misses" ) );
  sf_rig_close( rig );
}

static void orders_take_what_is_ready( void ) {
  sf_rig_t * rig = rig_pool( SLOTS, 1 );
  sf_wire_t wire[10];
  CHECK( !sf_rig_start( rig ) );
  pools_write( rig );
  CHECK( counted( rig, "nonce_slots" ) == SLOTS );
  for( uint32_t round = 0; round < 20; round++ ) {
    pool_wait( rig );
    uint64_t hits = counted( rig, "nonce_hits" ), misses = counted( rig, "nonce_misses" ), plain = 0;
    uint64_t dropped = counted( rig, "nonces_dropped" );
    for( uint32_t i = 0; i < 10; i++ ) order_line( rig, &wire[i] );
    for( uint32_t i = 0; i < 10; i++ ) plain += (uint64_t)signed_plainly( rig, &wire[i] );
    CHECK( counted( rig, "nonce_misses" ) - misses == plain && counted( rig, "nonce_hits" ) - hits == 10 - plain );
    pool_wait( rig );
    if( counted( rig, "nonces_dropped" ) == dropped ) CHECK( plain == 10 - SLOTS );
  }
  CHECK( counted( rig, "nonce_hits" ) );

  /* a process that stood still: none of the full pool is used, whether an order is first to find out or housekeeping */
  for( int by_order = 0; by_order < 2; by_order++ ) {
    pool_wait( rig );
    uint64_t dropped = counted( rig, "nonces_dropped" ), since = sf_clock_ns();
    while( sf_clock_ns() - since < SF_CONTINUITY_GAP_NS + 1000000 ) usleep( 1000 );
    if( by_order ) {
      order_line( rig, &wire[0] );
      (void)signed_plainly( rig, &wire[0] );
    }
    pool_wait( rig );
    CHECK( counted( rig, "nonces_dropped" ) >= dropped + SLOTS );
  }
  sf_rig_close( rig );
}

int main( void ) {
  sf_clock_init();
  fixture_open( &fixture );
  chain_make( &chain );
  refused_unless_forced();
  off_unless_asked_for();
  orders_take_what_is_ready();
  fixture_close( &fixture );
  printf( "test_sign_nonces: ok\n" );
  return 0;
}
