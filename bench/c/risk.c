/* bench risk: a batch of orders through the risk tile, and through risk and build.

     build/release/bench/c/risk [BATCHES]      JSON lines on stdout

   The tiles are one group in this thread, over a pools table of 999 pools: a thousand intents of three hops each stand on
   risk's in-link, and as many may be open at once.

   risk_batch     risk alone: from the first turn until the thousandth order is published, an order; the intents are read,
                  each quoted on three rows, checked against all limits, reserved and published
   risk_release   their fills, until the last is booked, a fill
   order_path     risk and build: from the first turn until the thousandth message to sign is published, an order; as
                  risk_batch, and the order becomes a transaction over a route that was ordered before */

#include "../../tests/c/cpmm_fixture.h"
#include "base/rng.h"
#include "bot_rig.h"
#include "solana/base58.h"

#define BATCH       1000
#define TRIANGLES   333
#define BATCHES_MAX 1000
#define WARM_UP     3 /* batches, in which nearly every triangle is ordered */

static fixture_update_t pools[3 * TRIANGLES];
static uint64_t intent_cnt;

static void market_write( void ) {
  for( uint32_t t = 0; t < 3; t++ ) {
    sf_token_row_t row = { 0 };
    fixture_mint_key( row.mint, t );
    DO( sf_table_write( sf_rig_table_of( rig, "tokens" ), t, &row ) );
  }
  for( uint32_t p = 0; p < 3 * TRIANGLES; p++ ) {
    sf_pool_row_t row;
    fixture_update( &pools[p], p, p % 3, ( p + 1 ) % 3, 1000 * SOL, 1020 * SOL, 2500 );
    fixture_pool_row( &pools[p], &row );
    DO( sf_table_write( sf_rig_table_of( rig, "pools" ), p, &row ) );
  }
  chain_write( 100000 * SOL );
  sf_balance_t balance = { .token = 0, .amount = 100000 * SOL };
  DO( sf_rig_inject( rig, "fill", SF_MSG_BALANCE, 0, 0, &balance, sizeof( balance ) ) );
  DO( sf_rig_settle( rig ) );
}

static void rig_open( int with_build ) {
  DO( sf_rig_new( &rig ) );
  DO( sf_rig_huge_pages( rig ) );
  sf_rig_tile( rig, "risk", "risk",
               RISK_PARAMS "max_open_lamports=100000000000000\nmax_open_orders=1024\n"
                           "max_daily_loss_lamports=1000000000000000\nmax_daily_fee_lamports=1000000000000000\n" );
  if( with_build ) {
    uint8_t key[32];
    char wallet[SF_PUBKEY_TEXT_MAX], build[512];
    fixture_key( key, 6, 0 );
    sf_pubkey_encode( key, wallet );
    snprintf( build, sizeof( build ), BUILD_PARAMS "wallet=%s\nladder=0\n", wallet );
    sf_rig_tile( rig, "build", "build", build );
  }
  sf_rig_link( rig, "intent.arb", 0, 2048, 320 );
  sf_rig_link( rig, "fill", 0, 2048, 256 );
  sf_rig_link( rig, "order", "risk", 1024, 320 );
  sf_rig_link( rig, "denied", "risk", 1024, 64 );
  sf_rig_edge( rig, "intent.arb", "risk", 1 );
  sf_rig_edge( rig, "fill", "risk", 1 );
  sf_rig_edge( rig, "order", 0, 1 );
  if( with_build ) {
    sf_rig_link( rig, "message", "build", 1024, 1344 );
    sf_rig_link( rig, "refused", "build", 1024, 64 );
    sf_rig_edge( rig, "order", "build", 1 );
  }
  sf_rig_table( rig, "pools", 0, sizeof( sf_pool_row_t ), 3 * TRIANGLES );
  sf_rig_table( rig, "tokens", 0, sizeof( sf_token_row_t ), 16 );
  sf_rig_table( rig, "chain", 0, sizeof( sf_chain_row_t ), 1 );
  risk_tables( 16 );
  DO( sf_rig_start( rig ) );
  market_write();
}

static void intent_send( uint32_t triangle ) {
  sf_intent_t i   = { .intent                  = ++intent_cnt,
                      .bot                     = BOT,
                      .kind                    = SF_INTENT_CYCLE,
                      .hop_cnt                 = 3,
                      .slot                    = 1,
                      .amount_in               = SOL / 100,
                      .cu_limit                = 240000,
                      .cu_price_micro_lamports = 1000 };
  uint64_t amount = i.amount_in;
  for( uint32_t h = 0; h < 3; h++ ) {
    sf_quote_t q;
    uint32_t p = 3 * triangle + h;
    sf_pool_quote_in( &pools[p].u, 1, amount, &q );
    i.hop[h] = ( sf_hop_t ){
      .pool = p, .venue = SF_VENUE_RAYDIUM_CPMM, .a_to_b = 1, .amount_in = amount, .min_out = q.amount_out
    };
    amount = q.amount_out;
  }
  i.expected_out = i.min_out = amount;
  DO( sf_rig_inject( rig, "intent.arb", SF_MSG_INTENT, BOT, sf_clock_ns(), &i, sizeof( i ) ) );
}

/* Nanoseconds of the turns until so much was done, in ps for each of BATCH. */
static uint64_t worked( int wanted ) {
  uint64_t start = sf_clock_ns();
  for( int work = 0, turn; work < wanted; work += turn ) DO( turn = sf_rig_step( rig ) );
  return ( sf_clock_ns() - start ) * 1000 / BATCH;
}

/* A batch: its time, and that of its fills. */
static void batch_run( sf_rng_t * rng, int with_build, bench_hist_t * batch, bench_hist_t * release ) {
  uint64_t first = intent_cnt + 1;
  for( uint32_t i = 0; i < BATCH; i++ ) intent_send( (uint32_t)sf_rng_below( rng, TRIANGLES ) );
  bench_hist_add( batch, worked( with_build ? 2 * BATCH : BATCH ) );
  for( uint32_t i = 0; i < BATCH; i++ ) {
    if( !take( "order", SF_MSG_ORDER ) ) {
      fprintf( stderr, "risk: intent %lu became no order\n", first + i );
      exit( 1 );
    }
    sf_order_t const * order = (sf_order_t const *)got.payload;
    sf_fill_t fill           = { .order   = order->order,
                                 .intent  = order->intent.intent,
                                 .bot     = BOT,
                                 .outcome = SF_FILL_EXPIRED,
                                 .kind    = SF_INTENT_CYCLE };
    DO( sf_rig_inject( rig, "fill", SF_MSG_FILL, BOT, 0, &fill, sizeof( fill ) ) );
    if( with_build && ( !take( "message", SF_MSG_TX ) || ( (sf_wire_t const *)got.payload )->order != fill.order ) ) {
      fprintf( stderr, "risk: order %lu became no message to sign\n", fill.order );
      exit( 1 );
    }
  }
  bench_hist_add( release, worked( BATCH ) );
}

int main( int argc, char ** argv ) {
  uint64_t batches = argc > 1 ? strtoull( argv[1], 0, 10 ) : 200;
  if( !batches || batches > BATCHES_MAX ) {
    fprintf( stderr, "risk: %s batches; use 1 to %u\n", argv[1], BATCHES_MAX );
    return 1;
  }
  static bench_hist_t order[2], release[2];
  sf_rng_t rng;
  bench_pin();
  bench_clock_open();
  sf_rng_seed( &rng, 1 );
  for( int with_build = 0; with_build < 2; with_build++ ) {
    rig_open( with_build );
    for( uint64_t b = 0; b < WARM_UP; b++ ) batch_run( &rng, with_build, &order[with_build], &release[with_build] );
    bench_hist_clear( &order[with_build] );
    bench_hist_clear( &release[with_build] );
    for( uint64_t b = 0; b < batches; b++ ) batch_run( &rng, with_build, &order[with_build], &release[with_build] );
    sf_rig_close( rig );
  }
  bench_hist_report( "risk_batch", &order[0], "ps" );
  bench_hist_report( "risk_release", &release[0], "ps" );
  bench_hist_report( "order_path", &order[1], "ps" );
  bench_clock_report();
  return 0;
}
