/* test_build.c: orders become the transactions they should, or a refusal with its reason. */

#include "order_fixture.h"

static fixture_t fixture;
static sf_chain_row_t chain;

static int with_lookups; /* of what is expected */

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
  sf_rig_link( rig, "fill", NULL, 64, 256 );
  sf_rig_edge( rig, "fill", "build", 0 );
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
  if( with_lookups ) plan.lookups = &fixture.lookups;
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

/* Accounts of what the hops give are created, each once, and protection stands in the compute limit. */
static void accounts_are_created_and_orders_protected( void ) {
  char more[160];
  sf_order_t order;
  uint32_t const cycle[3] = { 0, 1, 2 };
  snprintf( more, sizeof( more ), "protect_account=%s\ntip_account=%s\n", fixture.protect_text, fixture.tip_text );
  sf_rig_t * rig = rig_open( more );
  chain_write( rig );
  uint64_t n = 0;
  for( uint32_t hops = 1; hops <= 3; hops++ )
    for( uint32_t flags = 0; flags < 4; flags++ ) {
      order_make( &order, ORDER( ++n ), hops, cycle, 5000 );
      order.intent.flags = (uint8_t)( ( flags & 1 ? SF_INTENT_CREATE : 0 ) | ( flags & 2 ? SF_INTENT_PROTECTED : 0 ) );
      if( hops == 3 && flags == 3 ) expect_refused( rig, &order, SF_REFUSE_SIZE ); /* without lookup tables */
      else expect_built( rig, &order );
    }
  /* there and back again: the second token is given twice */
  order_make( &order, ORDER( ++n ), 3, ( uint32_t[] ){ 10, 1010, 10 }, 5000 );
  order.intent.hop[1].a_to_b = 0;
  order.intent.flags         = SF_INTENT_CREATE;
  expect_built( rig, &order );
  CHECK( sf_rig_counter( rig, "build", "compiled_templates" ) == n );
  sf_rig_close( rig );

  rig = rig_open( "" );
  chain_write( rig );
  order_make( &order, ORDER( 1 ), 2, cycle, 5000 );
  order.intent.flags = SF_INTENT_PROTECTED;
  expect_refused( rig, &order, SF_REFUSE_MISMATCH ); /* nothing to protect it with */
  sf_rig_close( rig );
}

/* With lookup tables longer routes fit; programs, the tip account and the protecting one stay in the message. */
static void lookup_tables_are_used( void ) {
  char more[320];
  sf_order_t order;
  received_t got;
  sf_transaction_t tx;
  snprintf( more, sizeof( more ), "protect_account=%s\ntip_account=%s\nlookup_tables_path=%s\n", fixture.protect_text,
            fixture.tip_text, fixture.lookups_path );
  sf_rig_t * rig = rig_open( more );
  chain_write( rig );
  with_lookups = 1;
  for( uint32_t n = 1; n <= 16; n++ ) {
    order_make( &order, ORDER( n ), 1 + n % 4, ( uint32_t[] ){ 10, 11, 12, 13 }, 5000 );
    order.intent.tip_lamports = n % 2 ? 10 : 0;
    order.intent.flags        = (uint8_t)( n % 3 ? SF_INTENT_CREATE | SF_INTENT_PROTECTED : 0 );
    expect_built( rig, &order );
  }
  order_make( &order, ORDER( 17 ), 4, ( uint32_t[] ){ 10, 11, 12, 13 }, 5000 );
  order.intent.tip_lamports = 10;
  order.intent.flags        = SF_INTENT_CREATE | SF_INTENT_PROTECTED;
  order_give( rig, &order );
  CHECK( next_message( rig, "message", &got ) == SF_MSG_TX && got.wire.tx_len <= SF_PACKET_MAX );
  CHECK( !sf_transaction_parse( &tx, got.wire.tx, got.wire.tx_len ) );
  CHECK( tx.lookup_cnt == 2 && tx.looked_up_writable + tx.looked_up_readonly >= 20 );
  uint8_t const * must[] = { fixture.wallet.wallet,      fixture.tip_account,     fixture.protect_account,
                             sf_program_system,          sf_raydium_cpmm_program, sf_program_compute_budget,
                             sf_program_associated_token };
  for( uint32_t i = 0; i < sizeof( must ) / sizeof( must[0] ); i++ ) {
    uint32_t at = 0;
    while( at < tx.account_cnt && memcmp( sf_transaction_account( &tx, at ), must[i], 32 ) ) at++;
    CHECK( at < tx.account_cnt );
  }
  with_lookups = 0;
  sf_rig_close( rig );
}

static uint32_t units_built( sf_rig_t * rig, sf_order_t * order ) {
  received_t got;
  sf_transaction_t tx;
  sf_instruction_view_t limit;
  uint64_t value;
  order->order++;
  order_give( rig, order );
  CHECK( next_message( rig, "message", &got ) == SF_MSG_TX );
  CHECK( !sf_transaction_parse( &tx, got.wire.tx, got.wire.tx_len ) );
  uint16_t off = tx.instruction_off;
  sf_transaction_instruction( &tx, &off, &limit );
  CHECK( sf_compute_budget_read( limit.data, limit.data_len, &value ) == SF_COMPUTE_LIMIT );
  return (uint32_t)value - (uint32_t)( ( order->order + 2531ul * ( order->order >> 32 ) ) % 3072 );
}

static void fill_give( sf_rig_t * rig, uint64_t order, uint8_t outcome, uint64_t units ) {
  sf_fill_t fill = { .order = order, .outcome = outcome, .compute_units = units };
  CHECK( !sf_rig_inject( rig, "fill", SF_MSG_FILL, 0, 0, &fill, sizeof( fill ) ) );
  CHECK( sf_rig_settle( rig ) >= 0 );
}

/* The most that a route has used and 15 %, never more than its default, until it reverts. */
static void units_are_learned_from_fills( void ) {
  sf_rig_t * rig = rig_open( "" );
  sf_order_t order;
  uint32_t const cycle[3] = { 0, 1, 2 };
  uint32_t all            = LIMIT_BASE + 3 * LIMIT_HOP;
  chain_write( rig );
  order_make( &order, ORDER( 100 ), 3, cycle, 5000 );
  CHECK( units_built( rig, &order ) == all );
  fill_give( rig, order.order, SF_FILL_LANDED, 100000 );
  CHECK( units_built( rig, &order ) == 115000 );
  fill_give( rig, order.order, SF_FILL_LANDED, 90000 );
  CHECK( units_built( rig, &order ) == 115000 );
  fill_give( rig, order.order, SF_FILL_LANDED, 110001 );
  CHECK( units_built( rig, &order ) == 126502 );
  fill_give( rig, order.order - 500, SF_FILL_LANDED, 200000 ); /* nobody's */
  fill_give( rig, order.order, SF_FILL_EXPIRED, 0 );
  CHECK( units_built( rig, &order ) == 126502 );
  fill_give( rig, order.order, SF_FILL_LANDED, 250000 );
  CHECK( units_built( rig, &order ) == all );
  CHECK( sf_rig_counter( rig, "build", "compiled_templates" ) == 1 );
  order.intent.cu_limit = 77777; /* the order's own word counts */
  CHECK( units_built( rig, &order ) == 77777 );
  order.intent.cu_limit = 0;

  uint64_t late = order.order;
  fill_give( rig, order.order, SF_FILL_REVERTED, 240000 );
  CHECK( units_built( rig, &order ) == all );
  CHECK( sf_rig_counter( rig, "build", "compiled_templates" ) == 2 );
  fill_give( rig, late - 1, SF_FILL_LANDED, 50000 ); /* of the template before */
  CHECK( units_built( rig, &order ) == all );
  sf_rig_close( rig );
}

/* A pool whose accounts have changed is built as they are now once an order over it reverted. */
static void changed_accounts_are_seen_after_a_revert( void ) {
  sf_rig_t * rig = rig_open( "" );
  sf_order_t order;
  received_t before, after;
  uint32_t const pool[2] = { 0, 1 };
  chain_write( rig );
  order_make( &order, ORDER( 1 ), 2, pool, 5000 );
  order_give( rig, &order );
  CHECK( next_message( rig, "message", &before ) == SF_MSG_TX );
  sf_pool_row_t row;
  pool_make( 1, &row );
  sf_raydium_cpmm_state_t * state = (sf_raydium_cpmm_state_t *)row.state;
  fake_key( "another observation", 1, state->observation );
  CHECK( !sf_table_write( sf_rig_table_of( rig, "pools" ), 1, &row ) );
  fill_give( rig, order.order, SF_FILL_REVERTED, 1000 );
  order_give( rig, &order );
  CHECK( next_message( rig, "message", &after ) == SF_MSG_TX );
  sf_transaction_t tx;
  CHECK( !sf_transaction_parse( &tx, after.wire.tx, after.wire.tx_len ) );
  uint32_t at = 0;
  while( at < tx.account_cnt && memcmp( sf_transaction_account( &tx, at ), state->observation, 32 ) ) at++;
  CHECK( at < tx.account_cnt && memcmp( before.wire.tx, after.wire.tx, after.wire.tx_len ) );
  sf_rig_close( rig );
}

static void bad_parameters_are_named( void ) {
  static char const * const bad[7][2] = {
    { "cu_limit_base=9999999\n", "cu_limit_base" },
    { "cu_limit_per_hop=9999999\n", "cu_limit_per_hop" },
    { "max_blockhash_age_ms=0\n", "max_blockhash_age_ms" },
    { "wallet=abc\n", "build.wallet: abc is not a public key" },
    { "tip_account=0\n", "build.tip_account: 0 is not a public key" },
    { "protect_account=0\n", "build.protect_account: 0 is not a public key" },
    { "lookup_tables_path=/nowhere\n", "lookup tables: /nowhere" },
  };
  for( uint32_t i = 0; i < 7; i++ ) {
    sf_rig_t * rig;
    char params[1024];
    int len                    = snprintf( params, sizeof( params ), "%s", bad[i][0] );
    char const * const rest[5] = { "cu_limit_base=1\n", "cu_limit_per_hop=1\n", "max_blockhash_age_ms=1\n",
                                   "wallet=11111111111111111111111111111111\n", "cu_price_micro_lamports=0\n" };
    for( uint32_t j = 0; j < 5; j++ )
      if( j != i ) len += snprintf( params + len, sizeof( params ) - (size_t)len, "%s", rest[j] );
    if( i >= 4 ) len += snprintf( params + len, sizeof( params ) - (size_t)len, "%s", rest[4] );
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
  accounts_are_created_and_orders_protected();
  lookup_tables_are_used();
  units_are_learned_from_fills();
  changed_accounts_are_seen_after_a_revert();
  bad_parameters_are_named();
  fixture_close( &fixture );
  printf( "test_build: ok\n" );
  return 0;
}
