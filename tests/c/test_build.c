/* test_build.c: orders become the transactions they should, or a refusal with its reason. */

#include "order_fixture.h"

static fixture_t fixture;
static sf_chain_row_t chain;

static sf_rig_t * rig_open( char const * more ) {
  sf_rig_t * rig;
  char params[1024];
  snprintf(
      params, sizeof( params ),
      "wallet=%s\ncu_limit_base=%u\ncu_limit_per_hop=%u\ncu_price_micro_lamports=77\nmax_blockhash_age_ms=40000\n%s",
      fixture.wallet_text, LIMIT_BASE, LIMIT_HOP, more );
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "build", "build", params );
  sf_rig_link( rig, "order", NULL, 64, 320 );
  sf_rig_edge( rig, "order", "build", 1 );
  sf_rig_link( rig, "message", "build", 64, 1344 );
  sf_rig_link( rig, "refused", "build", 64, 64 );
  sf_rig_table( rig, "pools", NULL, sizeof( sf_pool_row_t ), 4096 );
  sf_rig_table( rig, "chain", NULL, sizeof( sf_chain_row_t ), 1 );
  CHECK( !sf_rig_start( rig ) );
  pools_write( rig );
  return rig;
}

static void chain_write( sf_rig_t * rig ) { CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) ); }

static void order_give( sf_rig_t * rig, sf_order_t const * order ) {
  CHECK( !sf_rig_inject( rig, "order", SF_MSG_ORDER, order->intent.bot, 12345, order, sizeof( *order ) ) );
}

static void expect_built( sf_rig_t * rig, sf_order_t const * order ) {
  received_t got;
  sf_wire_t wanted;
  plan_t plan;
  sf_order_t known = *order;
  if( !known.intent.cu_price_micro_lamports ) known.intent.cu_price_micro_lamports = 77;
  plan_make( &plan, &fixture, &known );
  uint16_t length = plan_wire( &plan, fixture.wallet.wallet, &known, &chain, &wanted );
  order_give( rig, order );
  CHECK( next_message( rig, "message", &got ) == SF_MSG_TX );
  CHECK( got.head.length == length && got.head.tag == order->intent.bot && got.head.t_origin == 12345 );
  CHECK( !memcmp( &got.wire, &wanted, length ) );
}

static void expect_refused( sf_rig_t * rig, sf_order_t const * order, uint32_t reason ) {
  received_t got;
  order_give( rig, order );
  CHECK( next_message( rig, "refused", &got ) == SF_MSG_REFUSED );
  CHECK( got.refused.order == order->order && got.refused.bot == order->intent.bot &&
         got.head.tag == order->intent.bot );
  CHECK( got.refused.reason == reason );
  CHECK( !next_message( rig, "message", &got ) );
}

static void orders_are_patched_into_templates( void ) {
  sf_rig_t * rig = rig_open( "" );
  sf_order_t order;
  uint32_t const cycle[3] = { 0, 1, 2 };
  chain_write( rig );
  for( uint32_t n = 1; n <= 200; n++ ) {
    uint32_t first = n % 7;
    if( n % 3 ) order_make( &order, ORDER( n ), 1 + n % 2, ( uint32_t[] ){ first, first + 1 }, 1000ul * n );
    else order_make( &order, ORDER( n ), 3, cycle, 1000ul * n );
    if( n % 5 == 0 ) order.intent.cu_limit = 123456;
    if( n % 4 == 0 ) order.intent.cu_price_micro_lamports = 0;
    if( n % 11 == 0 ) order.intent.tip_lamports = 0; /* no tip account: tips are not paid */
    for( uint32_t i = 0; n % 2 && i < order.intent.hop_cnt; i++ )
      order.intent.hop[i].a_to_b = (uint8_t)( ( n + i ) & 1 );
    fake_key( "blockhash", n, chain.blockhash );
    chain_write( rig );
    expect_built( rig, &order );
  }
  CHECK( sf_rig_counter( rig, "build", "built_orders" ) == 200 );
  CHECK( sf_rig_counter( rig, "build", "compiled_templates" ) < 45 );
  sf_rig_close( rig );
}

static void equal_orders_are_two_transactions( void ) {
  sf_rig_t * rig = rig_open( "" );
  sf_order_t order;
  received_t a, b;
  uint32_t const cycle[3] = { 0, 1, 2 };
  chain_write( rig );
  order_make( &order, ORDER( 1 ), 3, cycle, 5000 );
  order_give( rig, &order );
  CHECK( next_message( rig, "message", &a ) == SF_MSG_TX );
  order.order = ORDER( 2 );
  order_give( rig, &order );
  CHECK( next_message( rig, "message", &b ) == SF_MSG_TX );
  CHECK( memcmp( a.wire.tx, b.wire.tx, a.wire.tx_len ) );
  order.order = 2ul << 32 | 1; /* the first order of the next run */
  order_give( rig, &order );
  CHECK( next_message( rig, "message", &b ) == SF_MSG_TX );
  CHECK( memcmp( a.wire.tx, b.wire.tx, a.wire.tx_len ) );
  CHECK( sf_rig_counter( rig, "build", "compiled_templates" ) == 1 );
  sf_rig_close( rig );
}

static void tips_go_to_the_tip_account( void ) {
  char more[128];
  sf_order_t order;
  uint32_t const pool[2] = { 0, 1 };
  snprintf( more, sizeof( more ), "tip_account=%s\n", fixture.tip_text );
  sf_rig_t * rig = rig_open( more );
  chain_write( rig );
  order_make( &order, ORDER( 1 ), 2, pool, 5000 );
  expect_built( rig, &order );
  order.intent.tip_lamports = 4321;
  order.order               = ORDER( 2 );
  expect_built( rig, &order );
  order.intent.tip_lamports = 1;
  order.order               = ORDER( 3 );
  expect_built( rig, &order );
  CHECK( sf_rig_counter( rig, "build", "compiled_templates" ) == 2 );
  sf_rig_close( rig );
}

static void many_routes_share_the_cache( void ) {
  sf_rig_t * rig = rig_open( "" );
  sf_order_t order;
  uint32_t n = 0;
  chain_write( rig );
  for( uint32_t round = 0; round < 2; round++ ) {
    for( uint32_t pool = 10; pool < 900; pool++ ) {
      order_make( &order, ORDER( ++n ), 2, ( uint32_t[] ){ pool, pool + 1 }, 777 );
      expect_built( rig, &order );
    }
  }
  /* the most recent ones are still there */
  uint64_t compiled = sf_rig_counter( rig, "build", "compiled_templates" );
  for( uint32_t pool = 880; pool < 900; pool++ ) {
    order_make( &order, ORDER( ++n ), 2, ( uint32_t[] ){ pool, pool + 1 }, 778 );
    expect_built( rig, &order );
  }
  CHECK( sf_rig_counter( rig, "build", "compiled_templates" ) == compiled );
  sf_rig_close( rig );
}

static void what_cannot_be_built_is_refused( void ) {
  sf_rig_t * rig = rig_open( "" );
  sf_order_t order, bad;
  uint32_t const cycle[3] = { 0, 1, 2 };
  order_make( &order, ORDER( 1 ), 3, cycle, 5000 );
  expect_refused( rig, &order, SF_REFUSE_BLOCKHASH ); /* none yet */

  sf_chain_row_t good = chain;
  chain.blockhash_ns  = sf_clock_ns() - 41000000000ul;
  chain_write( rig );
  expect_refused( rig, &order, SF_REFUSE_BLOCKHASH );
  chain              = good;
  chain.block_height = chain.last_valid_block_height;
  chain_write( rig );
  expect_refused( rig, &order, SF_REFUSE_BLOCKHASH );
  chain = good;
  chain_write( rig );
  expect_built( rig, &order );

  for( uint32_t hop_cnt = 0; hop_cnt < 256; hop_cnt += 5 ) {
    bad                = order;
    bad.intent.hop_cnt = (uint8_t)hop_cnt;
    expect_refused( rig, &bad, SF_REFUSE_MISMATCH );
  }
  uint32_t const no_pool[3] = { FIXTURE_POOLS, 4096, UINT32_MAX };
  for( uint32_t i = 0; i < 3; i++ ) {
    bad                    = order;
    bad.intent.hop[1].pool = no_pool[i];
    expect_refused( rig, &bad, SF_REFUSE_MISMATCH );
  }
  bad                     = order;
  bad.intent.hop[2].venue = 9;
  expect_refused( rig, &bad, SF_REFUSE_MISMATCH );
  order_make( &bad, ORDER( 2 ), 4, ( uint32_t[] ){ 10, 11, 12, 13 }, 5000 );
  expect_refused( rig, &bad, SF_REFUSE_SIZE );

  sf_control_t * control = sf_rig_control( rig );
  sf_store_release( &control->kill, (uint64_t)SF_KILL_REDUCE );
  expect_refused( rig, &order, SF_REFUSE_KILLED );
  order.intent.flags = SF_INTENT_REDUCE;
  expect_built( rig, &order );
  sf_store_release( &control->kill, (uint64_t)SF_KILL_HALT );
  expect_refused( rig, &order, SF_REFUSE_KILLED );
  sf_rig_close( rig );
}

static void bad_parameters_are_named( void ) {
  static char const * const bad[5][2] = {
    { "cu_limit_base=9999999\n", "cu_limit_base" },
    { "cu_limit_per_hop=9999999\n", "cu_limit_per_hop" },
    { "max_blockhash_age_ms=0\n", "max_blockhash_age_ms" },
    { "wallet=abc\n", "build.wallet: abc is not a public key" },
    { "tip_account=0\n", "build.tip_account: 0 is not a public key" },
  };
  for( uint32_t i = 0; i < 5; i++ ) {
    sf_rig_t * rig;
    char params[1024];
    int len                    = snprintf( params, sizeof( params ), "%s", bad[i][0] );
    char const * const rest[5] = { "cu_limit_base=1\n", "cu_limit_per_hop=1\n", "max_blockhash_age_ms=1\n",
                                   "wallet=11111111111111111111111111111111\n", "cu_price_micro_lamports=0\n" };
    for( uint32_t j = 0; j < 5; j++ )
      if( j != i ) len += snprintf( params + len, sizeof( params ) - (size_t)len, "%s", rest[j] );
    if( i == 4 ) len += snprintf( params + len, sizeof( params ) - (size_t)len, "%s", rest[4] );
    CHECK( !sf_rig_new( &rig ) );
    sf_rig_tile( rig, "build", "build", params );
    sf_rig_link( rig, "order", NULL, 64, 320 );
    sf_rig_edge( rig, "order", "build", 1 );
    sf_rig_link( rig, "message", "build", 64, 1344 );
    sf_rig_link( rig, "refused", "build", 64, 64 );
    sf_rig_table( rig, "pools", NULL, sizeof( sf_pool_row_t ), 4 );
    sf_rig_table( rig, "chain", NULL, sizeof( sf_chain_row_t ), 1 );
    CHECK( sf_rig_start( rig ) < 0 );
    CHECK( strstr( sf_err_text(), bad[i][1] ) );
    sf_rig_close( rig );
  }
}

int main( void ) {
  sf_clock_init();
  fixture_open( &fixture );
  chain_make( &chain );
  orders_are_patched_into_templates();
  equal_orders_are_two_transactions();
  tips_go_to_the_tip_account();
  many_routes_share_the_cache();
  what_cannot_be_built_is_refused();
  bad_parameters_are_named();
  fixture_close( &fixture );
  printf( "test_build: ok\n" );
  return 0;
}
