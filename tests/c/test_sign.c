/* test_sign.c: the signer signs each order once, as long as its limits and the kill word allow. */

#include "sign_fixture.h"

static void orders_are_signed_once( void ) {
  sf_rig_t * rig = rig_open( 1000000 );
  sf_order_t order;
  sf_wire_t wire;
  for( uint32_t n = 1; n <= 5000; n++ ) {
    order_make( &order, ORDER( n ), 1 + n % 3, cycle, 1000 + n );
    if( n % 4 == 0 ) order.intent.tip_lamports = n;
    if( n % 5 == 0 ) order.intent.cu_limit = 100000;
    wire_of( &order, &wire );
    order_give( rig, &order );
    wire_give( rig, &wire );
    expect_signed( rig, &wire );
    if( n % 500 ) continue;
    wire_give( rig, &wire );
    expect_refused( rig, &wire, SF_REFUSE_UNKNOWN );
    order_give( rig, &order ); /* the same order again does not make it a new one */
    wire_give( rig, &wire );
    expect_refused( rig, &wire, SF_REFUSE_UNKNOWN );
  }
  order_make( &order, ORDER( 1 ), 2, cycle, 1001 ); /* long ago */
  wire_of( &order, &wire );
  wire_give( rig, &wire );
  expect_refused( rig, &wire, SF_REFUSE_UNKNOWN );
  sf_rig_close( rig );
}

/* Created accounts, protection and lookups, in all combinations that fit. */
static void flags_and_lookups_are_signed( void ) {
  sf_rig_t * rig = rig_open( 1000000 );
  sf_order_t order;
  sf_wire_t wire;
  for( uint32_t n = 1; n <= 64; n++ ) {
    plan_t plan;
    int tables = n % 16 >= 8 || n % 3 == 2;
    order_make( &order, ORDER( n ), tables && n % 2 ? 4 : 1 + n % 3, ( uint32_t[] ){ 10, 11, 12, 13 }, 1000 + n );
    order.intent.flags        = (uint8_t)( ( n & 1 ? SF_INTENT_CREATE : 0 ) | ( n & 2 ? SF_INTENT_PROTECTED : 0 ) );
    order.intent.tip_lamports = n & 4 ? n : 0;
    plan_make( &plan, &fixture, &order );
    plan.lookups = tables ? &fixture.lookups : NULL;
    plan_wire( &plan, fixture.wallet.wallet, &order, &chain, &wire );
    order_give( rig, &order );
    wire_give( rig, &wire );
    expect_signed( rig, &wire );
  }
  sf_rig_close( rig );
}

/* A pool that changed what it is made of: the bytes are held against what it is now. */
static void changed_accounts_are_read_again( void ) {
  sf_rig_t * rig = rig_open( 1000000 );
  sf_order_t order;
  sf_wire_t wire;
  sf_pool_row_t row;
  for( uint32_t n = 1; n <= 3; n++ ) {
    plan_t plan;
    order_make( &order, ORDER( n ), 2, cycle, 1000 );
    if( n == 2 ) {
      pool_make( 1, &row );
      fake_key( "another", 1, ( (sf_raydium_cpmm_state_t *)row.state )->observation );
      CHECK( !sf_table_write( sf_rig_table_of( rig, "pools" ), 1, &row ) );
    }
    plan_make( &plan, &fixture, &order );
    if( n > 1 ) fake_key( "another", n == 2, plan.swap[1].account[12].pubkey );
    plan_wire( &plan, fixture.wallet.wallet, &order, &chain, &wire );
    order_give( rig, &order );
    wire_give( rig, &wire );
    if( n < 3 ) expect_signed( rig, &wire );
    else expect_refused( rig, &wire, SF_REFUSE_MISMATCH );
  }
  sf_rig_close( rig );
}

static void message_waits_for_its_order( void ) {
  sf_rig_t * rig = rig_open( 1000 );
  sf_order_t order[200];
  sf_wire_t wire[200];
  received_t got;
  for( uint32_t i = 0; i < 200; i++ ) {
    order_make( &order[i], ORDER( i + 1 ), 3, cycle, 1000 );
    wire_of( &order[i], &wire[i] );
  }
  for( uint32_t i = 0; i < 10; i++ ) wire_give( rig, &wire[i] );
  CHECK( !next_message( rig, "wire", &got ) );
  for( uint32_t i = 0; i < 10; i++ ) order_give( rig, &order[i] );
  for( uint32_t i = 0; i < 10; i++ ) expect_signed( rig, &wire[i] );

  /* a later order says that this one's will not come */
  wire_give( rig, &wire[10] );
  wire_give( rig, &wire[11] );
  CHECK( !next_message( rig, "wire", &got ) );
  order_give( rig, &order[11] );
  expect_refused( rig, &wire[10], SF_REFUSE_UNKNOWN );
  expect_signed( rig, &wire[11] );

  /* so does waiting for too long, and too many that wait */
  uint64_t end = sf_clock_ns() + 20000000000ul;
  wire_give( rig, &wire[12] );
  CHECK( !next_message( rig, "wire", &got ) );
  uint32_t kind = 0;
  while( !kind && sf_clock_ns() < end ) kind = next_message( rig, "wire", &got );
  CHECK( kind == SF_MSG_REFUSED && got.refused.order == wire[12].order && got.refused.reason == SF_REFUSE_UNKNOWN );
  for( uint32_t i = 20; i < 20 + 128; i++ ) wire_give( rig, &wire[i] );
  CHECK( !next_message( rig, "wire", &got ) );
  wire_give( rig, &wire[160] );
  expect_refused( rig, &wire[20], SF_REFUSE_UNKNOWN );

  /* orders of another run are not waited for once it is their turn */
  wire[161].order = 2ul << 32 | 7;
  wire_give( rig, &wire[161] );
  expect_refused( rig, &wire[21], SF_REFUSE_UNKNOWN );
  for( uint32_t i = 20; i < 148; i++ ) order_give( rig, &order[i] );
  for( uint32_t i = 22; i < 148; i++ ) expect_signed( rig, &wire[i] );
  order_give( rig, &order[160] );
  expect_signed( rig, &wire[160] );
  expect_refused( rig, &wire[161], SF_REFUSE_UNKNOWN );
  sf_rig_close( rig );
}

static void message_fields_are_held_against_the_bytes( void ) {
  sf_rig_t * rig = rig_open( 1000 );
  sf_order_t order;
  sf_wire_t wire;
  for( uint32_t i = 0; i < 6; i++ ) {
    order_make( &order, ORDER( i + 1 ), 3, cycle, 1000 );
    wire_of( &order, &wire );
    if( i == 0 ) wire.fee_lamports_max--;
    if( i == 1 ) wire.message_off++;
    if( i == 2 ) wire.blockhash[0] ^= 1;
    if( i == 3 ) wire.bot++;
    if( i == 4 ) order.intent.hop[0].pool = 4096; /* the order itself names no pool */
    order_give( rig, &order );
    wire_give( rig, &wire );
    if( i < 5 ) expect_refused( rig, &wire, SF_REFUSE_MISMATCH );
    else expect_signed( rig, &wire );
  }
  order_make( &order, ORDER( 7 ), 3, cycle, 1000 );
  wire_of( &order, &wire );
  order_give( rig, &order );
  CHECK( !sf_rig_inject( rig, "message", SF_MSG_TX, wire.bot, 12345, &wire, 200 ) ); /* length is not tx_len's */
  expect_refused( rig, &wire, SF_REFUSE_SIZE );

  /* amounts of other mints are not lamports */
  order_make( &order, ORDER( 8 ), 1, cycle + 1, MAX_AMOUNT * 100 );
  wire_of( &order, &wire );
  order_give( rig, &order );
  wire_give( rig, &wire );
  expect_signed( rig, &wire );

  /* the fee ceiling is the signer's own */
  order_make( &order, ORDER( 9 ), 1, cycle, 1000 );
  order.intent.cu_price_micro_lamports = 1000000;
  wire_of( &order, &wire );
  order_give( rig, &order );
  wire_give( rig, &wire );
  expect_refused( rig, &wire, SF_REFUSE_FEE );
  sf_rig_close( rig );
}

static void rate_and_kill_word_are_respected( void ) {
  sf_rig_t * rig         = rig_open( 5 );
  sf_control_t * control = sf_rig_control( rig );
  sf_order_t order;
  sf_wire_t wire;
  received_t got;
  uint32_t signed_cnt = 0;
  for( uint32_t i = 1; i <= 100; i++ ) { /* a second's worth at once, then one per 200 ms */
    order_make( &order, ORDER( i ), 3, cycle, 1000 );
    wire_of( &order, &wire );
    order_give( rig, &order );
    wire_give( rig, &wire );
    uint32_t kind = next_message( rig, "wire", &got );
    CHECK( kind == SF_MSG_WIRE || ( kind == SF_MSG_REFUSED && got.refused.reason == SF_REFUSE_LIMIT ) );
    if( i <= 5 ) CHECK( kind == SF_MSG_WIRE );
    signed_cnt += kind == SF_MSG_WIRE;
  }
  CHECK( signed_cnt < 100 );
  sf_rig_close( rig );

  rig     = rig_open( 1000 );
  control = sf_rig_control( rig );
  for( uint32_t i = 1; i <= 3; i++ ) {
    order_make( &order, ORDER( i ), 3, cycle, 1000 );
    if( i >= 2 ) order.intent.flags = SF_INTENT_REDUCE;
    wire_of( &order, &wire );
    order_give( rig, &order );
    sf_store_release( &control->kill, (uint64_t)( i == 3 ? SF_KILL_HALT : SF_KILL_REDUCE ) );
    wire_give( rig, &wire );
    if( i == 2 ) expect_signed( rig, &wire );
    else expect_refused( rig, &wire, SF_REFUSE_KILLED );
  }
  sf_rig_close( rig );
}

static void key_must_be_private( void ) {
  static char const limits[]  = "max_amount_lamports=1\nmax_fee_lamports=5000\nmax_tip_lamports=0\n"
                                "max_signatures_per_second=1\n";
  static char const program[] = "programs=CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\n";
  char params[1024];
  sf_rig_t * rig;

  CHECK( !chmod( fixture.key_path, 0640 ) );
  snprintf( params, sizeof( params ), "key_path=%s\n%s%s", fixture.key_path, limits, program );
  rig = rig_new( params );
  CHECK( sf_rig_start( rig ) < 0 && strstr( sf_err_text(), "chmod 600" ) );
  sf_rig_close( rig );
  CHECK( !chmod( fixture.key_path, 0600 ) );

  snprintf( params, sizeof( params ), "key_path=%s\n%s", fixture.key_path, limits );
  rig = rig_new( params );
  CHECK( sf_rig_start( rig ) < 0 && strstr( sf_err_text(), "sign.programs" ) );
  sf_rig_close( rig );

  snprintf( params, sizeof( params ), "key_path=%s\n%sprograms=abc,def\n", fixture.key_path, limits );
  rig = rig_new( params );
  CHECK( sf_rig_start( rig ) < 0 && strstr( sf_err_text(), "sign.programs: entry 0" ) );
  sf_rig_close( rig );
}

/* The two tiles together: what build makes, sign signs. */
static void built_transactions_are_signed( void ) {
  char build[512], sign[1024];
  sf_rig_t * rig;
  snprintf( build, sizeof( build ), BUILD_PARAMS, BUILD_VALUES );
  snprintf( sign, sizeof( sign ), SIGN_PARAMS, SIGN_VALUES( 1000000u ) );
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "sign", "sign", sign ); /* before build, so that a message can come before its order */
  sf_rig_tile( rig, "build", "build", build );
  sf_rig_link( rig, "order", NULL, 256, 320 );
  sf_rig_edge( rig, "order", "build", 1 );
  sf_rig_edge( rig, "order", "sign", 1 );
  sf_rig_link( rig, "message", "build", 256, 1344 );
  sf_rig_edge( rig, "message", "sign", 1 );
  sf_rig_link( rig, "refused", "build", 256, 64 );
  sf_rig_link( rig, "wire", "sign", 256, 1344 );
  sf_rig_table( rig, "pools", NULL, sizeof( sf_pool_row_t ), 4096 );
  sf_rig_table( rig, "chain", NULL, sizeof( sf_chain_row_t ), 1 );
  CHECK( !sf_rig_start( rig ) );
  pools_write( rig );
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
  for( uint32_t n = 1; n <= 300; n++ ) {
    sf_order_t order;
    sf_wire_t wire;
    order_make( &order, ORDER( n ), 1 + n % 3, cycle, 1000 + n );
    order.intent.tip_lamports = n % 2 ? n : 0;
    CHECK( !sf_rig_inject( rig, "order", SF_MSG_ORDER, 3, 12345, &order, sizeof( order ) ) );
    wire_of( &order, &wire );
    expect_signed( rig, &wire );
  }
  sf_rig_close( rig );
}

int main( void ) {
  sf_clock_init();
  fixture_open( &fixture );
  chain_make( &chain );
  orders_are_signed_once();
  flags_and_lookups_are_signed();
  changed_accounts_are_read_again();
  message_waits_for_its_order();
  message_fields_are_held_against_the_bytes();
  rate_and_kill_word_are_respected();
  key_must_be_private();
  built_transactions_are_signed();
  fixture_close( &fixture );
  printf( "test_sign: ok\n" );
  return 0;
}
