/* test_ladder.c: rungs are the seed in other sizes; build and sign make their transactions ahead, and hand one out for an
   order that says the same, once, under the checks of any order. */

#include "base/rng.h"
#include "sign_fixture.h"
#include "trade/ladder.h"

/* -- the rungs themselves -------------------------------------------------------- */

static void rungs_are_the_seed_in_other_sizes( void ) {
  static double const share[SF_LADDER_RUNGS] = { 1, .8, 1.25, .64, 1.5625, .512, 1.953125, .4096 };
  sf_rng_t rng;
  sf_rng_seed( &rng, 7 );
  for( uint32_t n = 0; n < 20000; n++ ) {
    sf_order_t order;
    sf_intent_t rung;
    order_make( &order, ORDER( 1 ), 1 + n % 3, cycle, 1000 + sf_rng_below( &rng, n % 2 ? 1000000000000ul : 1000 ) );
    sf_intent_t * seed  = &order.intent;
    seed->tip_lamports  = n % 5 ? 0 : sf_rng_below( &rng, 100000 );
    seed->cost_lamports = 5000 + seed->tip_lamports;
    for( uint32_t k = 0; k < SF_LADDER_RUNGS; k++ ) {
      CHECK( !sf_ladder_rung( seed, k, &rung ) );
      CHECK( sf_ladder_same( seed, &rung ) == !k );
      CHECK( rung.amount_in == (uint64_t)( (double)seed->amount_in * share[k] + 1e-6 ) );
      CHECK( rung.hop[0].amount_in == rung.amount_in && rung.hop[rung.hop_cnt - 1].min_out == rung.min_out );
      if( seed->kind == SF_INTENT_CYCLE && k ) CHECK( rung.min_out >= rung.amount_in + rung.cost_lamports );
      for( uint32_t h = 0; h < rung.hop_cnt; h++ ) {
        sf_hop_t const *a = &rung.hop[h], *b = &seed->hop[h];
        CHECK( (unsigned __int128)a->min_out * b->amount_in >= (unsigned __int128)b->min_out * a->amount_in );
        CHECK( !h || a->amount_in <= rung.hop[h - 1].min_out );
      }
    }
  }
  sf_order_t order;
  sf_intent_t rung;
  order_make( &order, ORDER( 1 ), 1, cycle, 1 );
  CHECK( sf_ladder_rung( &order.intent, 1, &rung ) ); /* nothing would be left */
  order_make( &order, ORDER( 1 ), 1, cycle, UINT64_MAX - 100 );
  CHECK( sf_ladder_rung( &order.intent, 2, &rung ) );
  CHECK( sf_ladder_rung( &order.intent, SF_LADDER_RUNGS, &rung ) );
}

static void terms_are_all_that_a_transaction_says( void ) {
  sf_order_t a;
  order_make( &a, ORDER( 1 ), 3, cycle, 1000 );
  for( uint32_t at = 0; at < 19; at++ ) {
    sf_intent_t b     = a.intent;
    uint64_t * word[] = { &b.amount_in,        &b.min_out,        &b.tip_lamports,    &b.cu_price_micro_lamports,
                          &b.hop[0].amount_in, &b.hop[1].min_out, &b.hop[2].amount_in };
    uint32_t * half[] = { &b.token_in, &b.token_out, &b.cu_limit, &b.hop[0].pool, &b.hop[2].pool };
    uint8_t * byte[]  = { &b.kind, &b.flags, &b.hop_cnt, &b.hop[0].a_to_b, &b.hop[2].array_cnt };
    if( at < 7 ) ++*word[at];
    else if( at < 12 ) ++*half[at - 7];
    else if( at < 17 ) --*byte[at - 12];
    else if( at == 17 ) b.hop[1].array[2]++;
    else b.hop[1].venue++;
    CHECK( !sf_ladder_same( &a.intent, &b ) );
  }
  sf_intent_t b = a.intent; /* what does not stand in a transaction */
  b.intent++, b.market_seq++, b.slot++, b.expected_out++, b.cost_lamports++, b.bot++, b.hop[3].pool++;
  CHECK( sf_ladder_same( &a.intent, &b ) );
}

/* -- build and sign together ----------------------------------------------------- */

static sf_rig_t * rig_both( void ) {
  char build[512], sign[1024];
  sf_rig_t * rig;
  snprintf( build, sizeof( build ), BUILD_PARAMS "ladder=1\n", BUILD_VALUES );
  snprintf( sign, sizeof( sign ), SIGN_PARAMS "ladder=1\n", SIGN_VALUES( 1000000u ) );
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "build", "build", build );
  sf_rig_tile( rig, "sign", "sign", sign );
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
  chain_make( &chain );
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
  return rig;
}

/* Steps until the signer has signed so many rungs ahead. */
static void wait_ahead( sf_rig_t * rig, uint64_t cnt ) {
  uint64_t end = sf_clock_ns() + 10000000000ul;
  do {
    sf_rig_house( rig );
    CHECK( sf_rig_settle( rig ) >= 0 && sf_clock_ns() < end );
  } while( sf_rig_counter( rig, "sign", "ahead_signed" ) < cnt );
  CHECK( sf_rig_counter( rig, "sign", "ahead_signed" ) == cnt );
}

static void order_inject( sf_rig_t * rig, sf_order_t const * order ) {
  CHECK( !sf_rig_inject( rig, "order", SF_MSG_ORDER, 3, 12345, order, sizeof( *order ) ) );
}

/* Takes what became of an order: a transaction that says what the order says. */
static void order_done( sf_rig_t * rig, sf_order_t const * order, sf_wire_t * out ) {
  received_t got;
  plan_t plan;
  CHECK( next_message( rig, "wire", &got ) == SF_MSG_WIRE );
  *out = got.wire;
  CHECK( out->order == order->order && out->bot == order->intent.bot && got.head.t_origin == 12345 );
  CHECK( out->last_valid_block_height == chain.last_valid_block_height &&
         !memcmp( out->blockhash, chain.blockhash, 32 ) );
  CHECK( !crypto_sign_verify_detached( out->tx + 1, out->tx + 65, out->tx_len - 65u, fixture.wallet.wallet ) );

  /* but for the units all is as if it had been made for this order */
  sf_transaction_t tx;
  sf_instruction_view_t limit;
  sf_wire_t want;
  uint64_t units;
  CHECK( !sf_transaction_parse( &tx, out->tx, out->tx_len ) );
  uint16_t off = tx.instruction_off;
  sf_transaction_instruction( &tx, &off, &limit );
  CHECK( sf_compute_budget_read( limit.data, limit.data_len, &units ) == SF_COMPUTE_LIMIT );
  uint32_t least = plan_units( order ) - (uint32_t)( ( order->order + 2531ul * RUN ) % 3072 );
  CHECK( out->rung ? units >= least + 3072 && units < least + 4096 : units == plan_units( order ) );
  plan_make( &plan, &fixture, order );
  sf_compute_limit_data( plan.limit, (uint32_t)units );
  plan_wire( &plan, fixture.wallet.wallet, order, &chain, &want );
  CHECK( out->tx_len == want.tx_len && !memcmp( out->tx + 65, want.tx + 65, want.tx_len - 65u ) );
}

static void order_through( sf_rig_t * rig, sf_order_t const * order, sf_wire_t * out ) {
  order_inject( rig, order );
  order_done( rig, order, out );
}

static void orders_that_are_rungs_were_signed_ahead( void ) {
  sf_rig_t * rig = rig_both();
  sf_order_t seed, order;
  sf_wire_t wire[4];
  received_t got;
  order_make( &seed, ORDER( 1 ), 3, cycle, 100000 );
  seed.intent.tip_lamports = 1000;
  order_through( rig, &seed, &wire[0] );
  wait_ahead( rig, 0 ); /* one order does not make a route hot */
  seed.order = ORDER( 2 );
  order_through( rig, &seed, &wire[0] );
  wait_ahead( rig, SF_LADDER_RUNGS );
  CHECK( !next_message( rig, "wire", &got ) ); /* they stay in the signer */

  uint64_t number = 2, used = 0;
  for( uint32_t k = 0; k < SF_LADDER_RUNGS; k++ ) {
    order = seed;
    CHECK( !sf_ladder_rung( &seed.intent, k, &order.intent ) );
    sf_order_t pair[2] = { order, order }; /* the second one comes before the rung is there again */
    for( uint32_t i = 0; i < 2; i++ ) {
      pair[i].order = ORDER( ++number );
      order_inject( rig, &pair[i] );
    }
    for( uint32_t i = 0; i < 2; i++ ) order_done( rig, &pair[i], &wire[i] );
    CHECK( wire[0].rung && !wire[1].rung );
    wait_ahead( rig, SF_LADDER_RUNGS + ++used );
    order.order = ORDER( ++number );
    order_through( rig, &order, &wire[2] );
    CHECK( wire[2].rung );
    wait_ahead( rig, SF_LADDER_RUNGS + ++used );
    for( uint32_t i = 0; i < 3; i++ ) CHECK( memcmp( wire[i].tx + 1, wire[( i + 1 ) % 3].tx + 1, 64 ) );
  }
  sf_rig_house( rig );
  CHECK( sf_rig_settle( rig ) >= 0 );
  CHECK( sf_rig_counter( rig, "sign", "ahead_used" ) == used && sf_rig_counter( rig, "build", "ladder_hits" ) == used );
  CHECK( !sf_rig_counter( rig, "sign", "ahead_refused" ) );

  /* a blockhash that is a little newer is for orders on the spot; one that is much newer for rungs too, and all is made
     anew */
  sf_chain_row_t const before = chain;
  fake_key( "blockhash", 9, chain.blockhash );
  chain.blockhash_slot++;
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
  chain       = before;
  order.order = ORDER( ++number );
  order_through( rig, &order, &wire[0] );
  CHECK( wire[0].rung );
  wait_ahead( rig, SF_LADDER_RUNGS + ++used );
  fake_key( "blockhash", 1, chain.blockhash );
  chain.blockhash_ns += 11000000000ul;
  chain.blockhash_slot++;
  chain.last_valid_block_height++;
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
  order.order = ORDER( ++number );
  order_through( rig, &order, &wire[0] );
  CHECK( !wire[0].rung );
  wait_ahead( rig, 2 * SF_LADDER_RUNGS + used );
  order.order = ORDER( ++number );
  order_through( rig, &order, &wire[0] );
  CHECK( wire[0].rung );
  wait_ahead( rig, 2 * SF_LADDER_RUNGS + ++used );

  /* an order that is none becomes the seed of the route */
  order_make( &seed, ORDER( ++number ), 3, cycle, 70001 );
  seed.intent.tip_lamports = 777;
  order_through( rig, &seed, &wire[0] );
  CHECK( !wire[0].rung );
  wait_ahead( rig, 3 * SF_LADDER_RUNGS + used );
  CHECK( !sf_ladder_rung( &seed.intent, 3, &order.intent ) );
  order.order = ORDER( ++number );
  order_through( rig, &order, &wire[0] );
  CHECK( wire[0].rung );

  /* nothing is signed ahead, and no rung handed out, when the engine is killed */
  sf_store_release( &sf_rig_control( rig )->kill, (uint64_t)SF_KILL_HALT );
  CHECK( !sf_ladder_rung( &seed.intent, 2, &order.intent ) );
  order.order = ORDER( ++number );
  order_inject( rig, &order );
  CHECK( next_message( rig, "refused", &got ) == SF_MSG_REFUSED && got.refused.reason == SF_REFUSE_KILLED );
  sf_rig_close( rig );
}

/* A ladder stands as long as its rungs are ordered, however long ago its seed was. */
static void a_ladder_outlives_the_memory_of_orders( void ) {
  sf_rig_t * rig = rig_both();
  uint64_t end = sf_clock_ns() + 20000000000ul, n = 1;
  sf_order_t seed, order;
  received_t got;
  for( int is_rung = 0; n <= 3000 || !is_rung; n++ ) {
    order_make( &order, ORDER( n ), 1, ( uint32_t[] ){ 20 }, 5000 );
    if( n == 2 ) seed = order;
    if( n > 2 ) CHECK( !sf_ladder_rung( &seed.intent, n % SF_LADDER_RUNGS, &order.intent ) );
    if( n % 500 == 0 ) {
      fake_key( "blockhash", (uint32_t)n, chain.blockhash );
      chain.blockhash_ns += 11000000000ul;
      CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
    }
    order_inject( rig, &order );
    CHECK( next_message( rig, "wire", &got ) == SF_MSG_WIRE && sf_clock_ns() < end );
    is_rung = got.wire.rung != 0;
  }
  CHECK( !sf_rig_counter( rig, "sign", "ahead_refused" ) );
  sf_rig_close( rig );
}

/* More routes than there are ladders: those ordered last have one. */
static void the_latest_routes_have_ladders( void ) {
  sf_rig_t * rig = rig_both();
  sf_wire_t wire;
  uint64_t number = 0;
  for( uint32_t pass = 0; pass < 3; pass++ )
    for( uint32_t r = 0; r < SF_LADDER_ROUTES + 8; r++ ) {
      sf_order_t order;
      order_make( &order, ORDER( ++number ), 1, ( uint32_t[] ){ 10 + r }, 5000 );
      if( pass < 2 || r >= 8 ) order_through( rig, &order, &wire );
      CHECK( pass < 2 || r < 8 || wire.rung );
      if( pass == 1 ) wait_ahead( rig, SF_LADDER_RUNGS * ( r + 1 ) );
    }
  sf_rig_close( rig );
}

/* -- the signer alone: it believes nobody ------------------------------------------ */

static sf_rig_t * rig_signer( uint32_t rate, int ladder ) {
  char params[1024];
  snprintf( params, sizeof( params ), SIGN_PARAMS "ladder=%d\n", SIGN_VALUES( rate ), ladder );
  sf_rig_t * rig = rig_new( params );
  sf_rig_table( rig, "chain", NULL, sizeof( sf_chain_row_t ), 1 );
  CHECK( !sf_rig_start( rig ) );
  pools_write( rig );
  chain_make( &chain );
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
  return rig;
}

/* A rung of a seed, to be signed ahead. */
static void ahead_give( sf_rig_t * rig, sf_order_t const * seed, uint32_t rung, uint32_t serial, sf_wire_t * wire ) {
  sf_order_t order = *seed;
  CHECK( !sf_ladder_rung( &seed->intent, rung, &order.intent ) );
  wire_of( &order, wire );
  wire->rung        = 1 + rung;
  wire->rung_serial = serial;
  CHECK( !sf_rig_inject( rig, "message", SF_MSG_AHEAD, wire->bot, 0, wire,
                         (uint16_t)( offsetof( sf_wire_t, tx ) + wire->tx_len ) ) );
}

/* An order over a rung's terms, and the message that it is that rung; `order` is given a number. */
static void rung_give( sf_rig_t * rig, sf_order_t const * seed, uint32_t rung, uint32_t serial, uint64_t number,
                       sf_wire_t * head ) {
  sf_order_t order;
  CHECK( !sf_ladder_rung( &seed->intent, rung, &order.intent ) );
  order.order = number;
  order_give( rig, &order );
  memset( head, 0, sizeof( *head ) );
  head->order       = number;
  head->bot         = seed->intent.bot;
  head->rung        = 1 + rung;
  head->rung_serial = serial;
  memcpy( head->blockhash, chain.blockhash, 32 );
}

static void head_send( sf_rig_t * rig, sf_wire_t const * head ) {
  CHECK( !sf_rig_inject( rig, "message", SF_MSG_RUNG, head->bot, 12345, head, offsetof( sf_wire_t, tx ) ) );
}

static void expect_rung( sf_rig_t * rig, sf_wire_t const * head ) {
  received_t got;
  CHECK( next_message( rig, "wire", &got ) == SF_MSG_WIRE );
  sf_wire_t const * w = &got.wire;
  CHECK( w->order == head->order && w->rung == head->rung && w->rung_serial == head->rung_serial );
  CHECK( !crypto_sign_verify_detached( w->tx + 1, w->tx + 65, w->tx_len - 65u, fixture.wallet.wallet ) );
}

static void a_rung_is_handed_out_once_and_to_its_order( void ) {
  sf_rig_t * rig = rig_signer( 1000000, 1 );
  sf_order_t seed;
  sf_wire_t wire, head;
  uint64_t n = 1;
  order_make( &seed, ORDER( n ), 3, cycle, 100000 );
  order_give( rig, &seed );
  for( uint32_t k = 0; k < SF_LADDER_RUNGS; k++ ) ahead_give( rig, &seed, k, 100 + k, &wire );
  CHECK( sf_rig_settle( rig ) >= 0 );
  sf_rig_house( rig );
  CHECK( sf_rig_settle( rig ) >= 0 && sf_rig_counter( rig, "sign", "ahead_signed" ) == SF_LADDER_RUNGS );

  rung_give( rig, &seed, 1, 101, ORDER( ++n ), &head );
  head_send( rig, &head );
  expect_rung( rig, &head );
  head_send( rig, &head ); /* the order has had its transaction */
  expect_refused( rig, &head, SF_REFUSE_UNKNOWN );
  rung_give( rig, &seed, 1, 101, ORDER( ++n ), &head ); /* the rung is gone */
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_UNKNOWN );
  rung_give( rig, &seed, 2, 555, ORDER( ++n ), &head ); /* one that stood there before */
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_UNKNOWN );
  rung_give( rig, &seed, 2, 102, ORDER( ++n ), &head ); /* another rung than the order's */
  head.rung        = 1 + 3;
  head.rung_serial = 103;
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_MISMATCH );
  rung_give( rig, &seed, 2, 102, ORDER( ++n ), &head );
  head.rung = SF_LADDER_PLACES + 1;
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_UNKNOWN );
  rung_give( rig, &seed, 2, 102, ORDER( ++n ), &head );
  head.bot++;
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_MISMATCH );
  rung_give( rig, &seed, 2, 102, ORDER( ++n ), &head );
  head.blockhash[0] ^= 1;
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_BLOCKHASH );
  rung_give( rig, &seed, 2, 102, ORDER( ++n ), &head );
  sf_store_release( &sf_rig_control( rig )->kill, (uint64_t)SF_KILL_REDUCE );
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_KILLED );
  sf_store_release( &sf_rig_control( rig )->kill, (uint64_t)SF_KILL_RUN );
  rung_give( rig, &seed, 2, 102, ORDER( ++n ), &head );
  head_send( rig, &head );
  expect_rung( rig, &head ); /* none of that used it up */

  /* the block that ends the blockhash's life */
  chain.block_height = chain.last_valid_block_height;
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
  rung_give( rig, &seed, 3, 103, ORDER( ++n ), &head );
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_BLOCKHASH );
  chain_make( &chain );
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );

  /* a rung of the next blockhash: those of the last are gone */
  rung_give( rig, &seed, 4, 104, ORDER( ++n ), &head );
  fake_key( "blockhash", 1, chain.blockhash );
  ahead_give( rig, &seed, 5, 205, &wire );
  CHECK( sf_rig_settle( rig ) >= 0 );
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_BLOCKHASH );
  rung_give( rig, &seed, 5, 205, ORDER( ++n ), &head );
  head_send( rig, &head );
  expect_rung( rig, &head );
  sf_rig_close( rig );
}

static void what_is_signed_ahead_is_checked_as_an_order_is( void ) {
  sf_rig_t * rig = rig_signer( 1000000, 1 );
  sf_order_t seed;
  sf_wire_t wire, head;
  uint64_t n = 1, refused = 0;
  order_make( &seed, ORDER( n ), 3, cycle, MAX_AMOUNT * 7 / 10 );
  order_give( rig, &seed );
  for( uint32_t i = 0; i < 400; i++ ) { /* any byte of the message that is changed */
    sf_order_t order = seed;
    CHECK( !sf_ladder_rung( &seed.intent, 1, &order.intent ) );
    wire_of( &order, &wire );
    wire.rung        = 2;
    wire.rung_serial = 1000 + i;
    uint32_t at      = 65 + i * ( wire.tx_len - 65u ) / 400;
    wire.tx[at] ^= (uint8_t)( 1 + i % 255 );
    CHECK( !sf_rig_inject( rig, "message", SF_MSG_AHEAD, wire.bot, 0, &wire,
                           (uint16_t)( offsetof( sf_wire_t, tx ) + wire.tx_len ) ) );
    CHECK( sf_rig_settle( rig ) >= 0 );
  }
  sf_rig_house( rig );
  CHECK( sf_rig_settle( rig ) >= 0 );
  /* all but the five bytes of the limit's and the price's room below the ceilings, of which none is as it was ordered */
  refused = sf_rig_counter( rig, "sign", "ahead_refused" );
  CHECK( refused >= 390 && sf_rig_counter( rig, "sign", "ahead_rungs" ) == 400 - refused );

  /* terms of another rung, an order that is not known, one that is above the limit */
  ahead_give( rig, &seed, 1, 1, &wire );
  uint16_t length = (uint16_t)( offsetof( sf_wire_t, tx ) + wire.tx_len );
  wire.rung       = 1 + 3;
  CHECK( !sf_rig_inject( rig, "message", SF_MSG_AHEAD, wire.bot, 0, &wire, length ) );
  wire.rung  = 1 + 1;
  wire.order = ORDER( 0 );
  CHECK( !sf_rig_inject( rig, "message", SF_MSG_AHEAD, wire.bot, 0, &wire, length ) );
  ahead_give( rig, &seed, 4, 4, &wire ); /* 1.5625 times 0.7 of the limit */
  sf_rig_house( rig );
  CHECK( sf_rig_settle( rig ) >= 0 );
  CHECK( sf_rig_counter( rig, "sign", "ahead_refused" ) == refused + 3 );
  rung_give( rig, &seed, 4, 4, ORDER( ++n ), &head );
  head_send( rig, &head );
  expect_refused( rig, &head, SF_REFUSE_UNKNOWN );
  sf_rig_close( rig );
}

/* A message that names a rung waits for its order like any; a rung that is asked for before it was signed is signed then. */
static void rungs_in_a_hurry( void ) {
  sf_rig_t * rig = rig_signer( 1000000, 1 );
  sf_order_t seed, order;
  sf_wire_t wire, head;
  received_t got;
  order_make( &seed, ORDER( 1 ), 2, cycle, 5000 );
  order_make( &order, ORDER( 2 ), 2, cycle, 5000 );
  memset( &head, 0, sizeof( head ) );
  head.order       = ORDER( 2 );
  head.bot         = 3;
  head.rung        = 1;
  head.rung_serial = 9;
  memcpy( head.blockhash, chain.blockhash, 32 );
  ahead_give( rig, &seed, 0, 9, &wire ); /* before the seed itself */
  head_send( rig, &head );
  CHECK( !next_message( rig, "wire", &got ) );
  order_give( rig, &seed );
  CHECK( !next_message( rig, "wire", &got ) );
  order_give( rig, &order );
  expect_rung( rig, &head );
  ahead_give( rig, &seed, 0, 10, &wire );
  head.order       = ORDER( 3 );
  head.rung_serial = 10;
  head_send( rig, &head );
  order.order = ORDER( 3 );
  order_give( rig, &order );
  expect_rung( rig, &head );
  sf_rig_close( rig );
}

static void rate_and_switch_hold_for_rungs( void ) {
  sf_order_t seed;
  sf_wire_t wire, head;
  for( int ladder = 0; ladder < 2; ladder++ ) {
    sf_rig_t * rig = rig_signer( 2, ladder );
    order_make( &seed, ORDER( 1 ), 2, cycle, 5000 );
    order_give( rig, &seed );
    for( uint32_t k = 0; k < 4; k++ ) ahead_give( rig, &seed, k, 1 + k, &wire );
    CHECK( sf_rig_settle( rig ) >= 0 );
    for( uint32_t k = 0; k < 3; k++ ) {
      rung_give( rig, &seed, k, 1 + k, ORDER( 2 + k ), &head );
      head_send( rig, &head );
      if( !ladder ) expect_refused( rig, &head, SF_REFUSE_UNKNOWN );
      else if( k < 2 ) expect_rung( rig, &head );
      else expect_refused( rig, &head, SF_REFUSE_LIMIT );
    }
    sf_rig_close( rig );
  }
}

int main( void ) {
  sf_clock_init();
  fixture_open( &fixture );
  chain_make( &chain );
  rungs_are_the_seed_in_other_sizes();
  terms_are_all_that_a_transaction_says();
  orders_that_are_rungs_were_signed_ahead();
  a_ladder_outlives_the_memory_of_orders();
  the_latest_routes_have_ladders();
  a_rung_is_handed_out_once_and_to_its_order();
  what_is_signed_ahead_is_checked_as_an_order_is();
  rungs_in_a_hurry();
  rate_and_switch_hold_for_rungs();
  fixture_close( &fixture );
  printf( "test_ladder: ok\n" );
  return 0;
}
