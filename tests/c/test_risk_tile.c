/* risk's tile: intents, fills, balances and commands over links; the tables it reads and writes; the kill word. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "risk_fixture.h"
#include "shm/control.h"
#include "shm/table.h"
#include "tile/rig.h"

static sf_rig_t * rig;

static void ok( int code ) {
  if( code < 0 ) {
    fprintf( stderr, "%s\n", sf_err_text() );
    abort();
  }
}

static struct {
  sf_message_t m;
  uint8_t payload[320];
} got;

static void send( char const * link, uint16_t kind, void const * payload, uint16_t length ) {
  ok( sf_rig_inject( rig, link, kind, 0, sf_clock_ns(), payload, length ) );
  ok( sf_rig_settle( rig ) );
}

/* The gate reads the rows of pools where they stand if a tile of its own group writes them, and copies if not. */
static void test_tile( char const * pools_by ) {
  sf_rig_new( &rig );
  sf_rig_tile(
      rig, "risk", "risk",
      "max_order_lamports=2000000000\nmax_open_lamports=3000000000\nmax_open_orders=4\nmax_orders_per_second=100\n"
      "max_daily_loss_lamports=100000000\nmax_tip_lamports=100000\nmax_priority_fee_lamports=50000\n"
      "max_daily_fee_lamports=20000000\ncollar_bps=50\nmax_data_age_ms=60000\nmax_slot_lag=10\nsupervisor_timeout_ms="
      "60000\n"
      "safety_gate=1\nverdict_slots=150\n"
      "cu_limit_base=5000\ncu_limit_per_hop=80000\ncu_price_micro_lamports=0\n"
      "base_mint=So11111111111111111111111111111111111111112\nbot.5=arb\nmint."
      "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v=77\n" );
  sf_rig_burst( rig, "risk", 4 );
  sf_rig_link( rig, "intent.arb", 0, 64, 320 );
  sf_rig_link( rig, "fill", 0, 64, 256 );
  sf_rig_link( rig, "command", 0, 64, 64 );
  sf_rig_link( rig, "verdict", 0, 64, 192 );
  sf_rig_edge( rig, "command", "risk", 1 );
  sf_rig_edge( rig, "fill", "risk", 1 );
  sf_rig_edge( rig, "verdict", "risk", 1 );
  sf_rig_edge( rig, "intent.arb", "risk", 1 );
  sf_rig_link( rig, "order", "risk", 64, 320 );
  sf_rig_link( rig, "denied", "risk", 64, 64 );
  sf_rig_table( rig, "pools", pools_by, sizeof( sf_pool_row_t ), 16 );
  sf_rig_table( rig, "tokens", 0, sizeof( sf_token_row_t ), 16 );
  sf_rig_table( rig, "chain", 0, sizeof( sf_chain_row_t ), 1 );
  sf_rig_table( rig, "positions", "risk", sizeof( sf_position_row_t ), 16 );
  sf_rig_table( rig, "bots", "risk", sizeof( sf_bot_row_t ), 64 );
  sf_rig_table( rig, "limits", "risk", sizeof( sf_limit_row_t ), 1 );
  ok( sf_rig_start( rig ) );
  begin();
  cycle( G );
  for( uint32_t i = 0; i < 3; i++ ) {
    sf_token_row_t row = { 0 };
    fixture_mint_key( row.mint, i == 1 ? 0 : 9 + i );
    sf_table_write( sf_rig_table_of( rig, "tokens" ), i, &row );
  }
  sf_chain_row_t chain = { .slot = 101, .wallet_lamports = G };
  sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain );
  for( uint32_t p = 0; p < 2; p++ ) {
    sf_pool_row_t row;
    fixture_pool_row( &pools[p], &row );
    sf_table_write( sf_rig_table_of( rig, "pools" ), p, &row );
  }
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "denied", &got, sizeof( got ) ) == 1 );
  sf_denied_t d;
  memcpy( &d, got.payload, sizeof( d ) );
  assert( d.reason == SF_DENY_BALANCE && d.intent == 1 && got.m.tag == 5 &&
          sf_rig_counter( rig, "risk", "denied_balance" ) == 1 );

  sf_balance_t balance = { .token = 1, .amount = 10 * G };
  send( "fill", SF_MSG_BALANCE, &balance, sizeof( balance ) );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "order", &got, sizeof( got ) ) == 1 && got.m.length == sizeof( sf_order_t ) &&
          got.m.kind == SF_MSG_ORDER );
  sf_order_t made;
  memcpy( &made, got.payload, sizeof( made ) );
  assert( made.order == ( 1UL << 32 | 1 ) && !memcmp( &made.intent, &intent, sizeof( intent ) ) );

  /* idle turns, in which the order's intent is rehearsed, give nothing and use up no number */
  for( uint32_t turn = 0; turn < 1000; turn++ ) ok( sf_rig_step( rig ) );
  assert( !sf_rig_read( rig, "order", &got, sizeof( got ) ) && !sf_rig_read( rig, "denied", &got, sizeof( got ) ) &&
          sf_rig_counter( rig, "risk", "accepted_orders" ) == 1 &&
          sf_rig_counter( rig, "risk", "denied_intents" ) == 1 );
  sf_rig_house( rig );
  ok( sf_rig_step( rig ) );
  sf_limit_row_t in_use;
  assert( !sf_table_read( sf_rig_table_of( rig, "limits" ), 0, &in_use ) && in_use.open_orders == 1 &&
          in_use.open_lamports == G );

  /* a buy of token 0, first without a verdict, then with one */
  sf_intent_t kept = intent;
  swap( G / 100, 0 );
  intent.intent = kept.intent + 1;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "denied", &got, sizeof( got ) ) == 1 &&
          sf_rig_counter( rig, "risk", "denied_unsafe" ) == 1 );
  sf_verdict_t verdict = { .token = 0, .quote = 1, .outcome = SF_VERDICT_PASSES, .slot = 100, .amount = G };
  send( "verdict", SF_MSG_VERDICT, &verdict, sizeof( verdict ) ); /* not its mint */
  fixture_mint_key( verdict.mint, 9 );
  send( "verdict", SF_MSG_VERDICT, &verdict, sizeof( verdict ) );
  assert( sf_rig_counter( rig, "risk", "bad_verdicts" ) == 1 && sf_rig_counter( rig, "risk", "verdicts" ) == 1 );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "order", &got, sizeof( got ) ) == 1 );
  memcpy( &order, got.payload, sizeof( order ) ); /* its number */
  sf_fill_t none = fill( SF_FILL_EXPIRED, 0, 0, 0 );
  send( "fill", SF_MSG_FILL, &none, sizeof( none ) );
  kept.intent = intent.intent;
  cycle( G );
  intent = kept;
  order  = 1UL << 32 | 1;

  sf_turn_t turn = { 0 };
  send( "intent.arb", SF_MSG_TURN, &turn, sizeof( turn ) ); /* not for risk */
  send( "intent.arb", SF_MSG_INTENT, &intent, 100 );
  assert( sf_rig_read( rig, "denied", &got, sizeof( got ) ) == 1 &&
          sf_rig_counter( rig, "risk", "denied_malformed" ) == 1 );

  /* a loss that is too large raises the kill word */
  sf_fill_t f = fill( SF_FILL_LANDED, -100000000, 0, 5000 );
  send( "fill", SF_MSG_FILL, &f, sizeof( f ) );
  assert( sf_tile_kill( sf_rig_tile_of( rig, "risk" ) ) == SF_KILL_REDUCE &&
          sf_rig_control( rig )->kill_by == SF_KILL_BY_RISK );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "denied", &got, sizeof( got ) ) == 1 &&
          sf_rig_counter( rig, "risk", "denied_killed" ) == 1 );
  sf_kill_lower( sf_rig_control( rig ) );
  sf_command_t c = { .verb = SF_VERB_RESUME };
  send( "command", SF_MSG_COMMAND, &c, sizeof( c ) );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "order", &got, sizeof( got ) ) == 1 );
  /* the chain's word counts from the next intent on, also without an idle turn before it */
  chain.wallet_lamports = 0;
  sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "denied", &got, sizeof( got ) ) == 1 &&
          sf_rig_counter( rig, "risk", "denied_balance" ) == 2 );
  send( "command", SF_MSG_COMMAND, &c, 3 );
  assert( sf_rig_counter( rig, "risk", "bad_commands" ) == 1 );

  /* a pool that risk's own table calls stale */
  sf_pool_row_t * row = sf_row_begin( sf_rig_table_of( rig, "pools" ), 1 );
  row->stale          = 1;
  sf_row_end( sf_rig_table_of( rig, "pools" ), 1, row );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_counter( rig, "risk", "denied_stale" ) == 1 );

  /* rows that cannot be, and one that never was */
  row                     = sf_row_begin( sf_rig_table_of( rig, "pools" ), 1 );
  row->stale              = 0;
  row->update.state_bytes = SF_POOL_STATE_MAX + 1;
  sf_row_end( sf_rig_table_of( rig, "pools" ), 1, row );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  intent.hop[1].pool = 2;
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_counter( rig, "risk", "denied_unknown_pool" ) == 2 );

  /* the tables follow */
  uint64_t deadline          = sf_clock_ns() + 20 * G;
  sf_limit_row_t limits      = { 0 };
  sf_position_row_t position = { 0 };
  while( limits.denied[SF_DENY_STALE] != 1 && sf_clock_ns() < deadline ) {
    ok( sf_rig_step( rig ) );
    sf_table_read( sf_rig_table_of( rig, "limits" ), 0, &limits );
  }
  ok( sf_table_read( sf_rig_table_of( rig, "positions" ), 1, &position ) );
  assert( limits.denied[SF_DENY_STALE] == 1 && limits.open_orders == 1 && position.reserved == G &&
          position.booked == -100000000 );
  sf_rig_close( rig );
}

int main( void ) {
  test_tile( 0 );
  test_tile( "risk" );
  printf( "risk tile: ok\n" );
  free( r );
  return 0;
}
