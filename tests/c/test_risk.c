/* risk: every reason of a denial, its order, what is reserved and released, the books, commands, the day, and the
   tile around the gate. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "cpmm_fixture.h"
#include "shm/control.h"
#include "shm/table.h"
#include "tile/rig.h"
#include "trade/risk.h"

#define G   1000000000UL
#define DAY ( 86400UL * G )
#define UTC ( 20000UL * DAY + 5 * G )
#define NOW ( 1000UL * G )

static sf_risk_t *    r;
static sf_risk_view_t view;
static sf_intent_t    intent;
static sf_order_t     order;
static sf_denied_t    denied;
static uint64_t       number; /* of the last intent */

static sf_pool_update_t
pool( uint32_t p, uint32_t a, uint32_t b, uint64_t x, uint64_t y ) {
  return ( sf_pool_update_t ){ .pool = p, .venue = SF_VENUE_RAYDIUM_CPMM, .slot = 100, .reserve_a = x, .reserve_b = y,
                               .token_a = a, .token_b = b, .trade_fee_ppm = 2500 };
}

static void
limits_set( sf_limit_row_t * l ) {
  *l = ( sf_limit_row_t ){ .max_order_lamports = 2 * G, .max_open_lamports = 3 * G, .max_open_orders = 2, .max_orders_per_second = 3,
                           .max_daily_loss_lamports = G / 10, .max_tip_lamports = 100000, .max_priority_fee_lamports = 50000,
                           .max_daily_fee_lamports = G / 50, .collar_bps = 50, .max_data_age_ns = G / 2, .max_slot_lag = 10 };
}

static void
begin( void ) {
  free( r );
  r = calloc( 1, sizeof( *r ) );
  limits_set( &r->limit );
  r->supervisor_timeout_ns = G;
  memcpy( r->base_mint, sf_mint_wrapped_sol, 32 );
  strcpy( r->bot[ 5 ].name, "arb" );
  strcpy( r->bot[ 6 ].name, "other" );
  fixture_mint_key( r->mint[ 0 ], 9 );
  r->mint_max[ 0 ] = 5 * G;
  r->mint_cnt      = 1;
  sf_risk_init( r, 7, NOW, UTC );
  uint8_t mint[ 32 ];
  for( uint32_t i = 0; i < 3; i++ ) { /* WSOL is token 1; token 2 is limited to 5 */
    fixture_mint_key( mint, i == 1 ? 0 : i == 2 ? 9 : 4 );
    sf_risk_token( r, mint );
  }
  sf_balance_t balance = { .token = 1, .amount = 10 * G };
  sf_risk_balance( r, &balance );
  number = 0;
  view   = ( sf_risk_view_t ){ .now_ns = NOW, .utc_ns = UTC, .t_origin = NOW - 1000, .trading = 1, .supervisor_age_ns = 5, .chain_slot = 101,
                               .wallet_lamports = G, .order_credit = 9, .length = sizeof( intent ) };
}

/* A cycle WSOL, token 0, WSOL that earns. */
static void
cycle( uint64_t amount ) {
  view.pool[ 0 ] = pool( 0, 1, 0, 1000 * G, 1000 * G );
  view.pool[ 1 ] = pool( 1, 0, 1, 1000 * G, 1030 * G );
  for( uint32_t h = 0; h < SF_HOP_MAX; h++ ) view.pool_state[ h ] = SF_RISK_POOL_GOOD;
  uint64_t mid = sf_venue_quote_in( &view.pool[ 0 ], 1, amount ), out = sf_venue_quote_in( &view.pool[ 1 ], 1, mid );
  intent       = ( sf_intent_t ){ .intent = ++number, .bot = 5, .kind = SF_INTENT_CYCLE, .hop_cnt = 2, .slot = 100, .token_in = 1, .token_out = 1,
                                  .amount_in = amount, .expected_out = out, .min_out = out, .cu_price_micro_lamports = 1000, .cu_limit = 100000 };
  intent.hop[ 0 ] = ( sf_hop_t ){ .pool = 0, .venue = SF_VENUE_RAYDIUM_CPMM, .a_to_b = 1, .amount_in = amount, .min_out = mid };
  intent.hop[ 1 ] = ( sf_hop_t ){ .pool = 1, .venue = SF_VENUE_RAYDIUM_CPMM, .a_to_b = 1, .amount_in = mid, .min_out = out };
}

/* A swap over pool 0 of token 0 for WSOL (or the other way). */
static void
swap( uint64_t amount, int sell ) {
  cycle( amount );
  intent.kind           = SF_INTENT_SWAP;
  intent.hop_cnt        = 1;
  intent.token_in       = sell ? 0 : 1;
  intent.token_out      = sell ? 1 : 0;
  intent.hop[ 0 ].a_to_b = !sell;
  intent.min_out = intent.expected_out = intent.hop[ 0 ].min_out = sf_venue_quote_in( &view.pool[ 0 ], !sell, amount );
}

static uint32_t
gate( void ) {
  return sf_risk_gate( r, &intent, &view, &order, &denied );
}

/* The change makes an otherwise good cycle of 1 WSOL be denied for this reason, counted, with nothing reserved. */
#define REFUSED( why, change )                                                                                  \
  do {                                                                                                          \
    begin();                                                                                                    \
    cycle( G );                                                                                                 \
    change;                                                                                                     \
    uint32_t got_ = gate();                                                                                     \
    if( got_ != SF_DENY_##why ) fprintf( stderr, "%s: %u\n", #change, got_ );                                   \
    assert( got_ == SF_DENY_##why && denied.reason == got_ && denied.intent == intent.intent && denied.bot == intent.bot ); \
    assert( r->limit.denied[ got_ ] == 1 && !r->limit.open_orders && !r->limit.open_lamports && !r->position[ 1 ].reserved ); \
  } while( 0 )

static void
test_reasons( void ) {
  begin();
  cycle( G );
  assert( !gate() && order.order == ( 7UL << 32 | 1 ) && !memcmp( &order.intent, &intent, sizeof( intent ) ) );
  assert( r->limit.open_orders == 1 && r->limit.open_lamports == G && r->position[ 1 ].reserved == G && r->bot[ 5 ].orders == 1 );

  REFUSED( KILLED, view.kill = SF_KILL_HALT );
  REFUSED( KILLED, view.kill = SF_KILL_REDUCE );
  REFUSED( KILLED, ( view.kill = SF_KILL_REDUCE, intent.flags = SF_INTENT_REDUCE ) ); /* a cycle reduces nothing */
  REFUSED( KILLED, ( swap( G, 0 ), view.kill = SF_KILL_REDUCE, intent.flags = SF_INTENT_REDUCE ) ); /* nor does buying */
  REFUSED( KILLED, r->bot[ 5 ].running = 0 );
  REFUSED( NOT_TRADING, view.trading = 0 );
  REFUSED( NOT_TRADING, view.supervisor_age_ns = G + 1 );
  REFUSED( MALFORMED, view.length = 191 );
  REFUSED( MALFORMED, intent.bot = 64 );
  REFUSED( MALFORMED, intent.bot = 1 ); /* not configured */
  REFUSED( MALFORMED, intent.intent = 0 );
  REFUSED( MALFORMED, intent.kind = 3 );
  REFUSED( MALFORMED, intent.kind = SF_INTENT_SWAP );
  REFUSED( MALFORMED, intent.token_out = 0 );
  REFUSED( MALFORMED, intent.hop_cnt = 0 );
  REFUSED( MALFORMED, intent.hop_cnt = 5 );
  REFUSED( MALFORMED, intent.amount_in = 0 );
  REFUSED( MALFORMED, intent.amount_in++ );
  REFUSED( MALFORMED, intent.min_out-- );
  REFUSED( MALFORMED, intent.hop[ 0 ].min_out = 0 );
  REFUSED( MALFORMED, intent.hop[ 1 ].amount_in++ ); /* more than the hop before must give */
  REFUSED( MALFORMED, intent.hop[ 1 ].a_to_b = 2 );
  REFUSED( MALFORMED, intent.hop[ 1 ].pool = 0 );
  REFUSED( MALFORMED, intent.hop[ 1 ].a_to_b = 0 ); /* WSOL is not what the first hop gives */
  REFUSED( MALFORMED, intent.hop_cnt = 1 );
  REFUSED( DUPLICATE, r->last_intent[ 5 ] = 1 );
  REFUSED( STALE, view.t_origin = NOW - G / 2 - 1 );
  REFUSED( STALE, view.chain_slot = 111 );
  REFUSED( STALE, view.pool_state[ 1 ] = SF_RISK_POOL_STALE );
  REFUSED( UNKNOWN_POOL, view.pool_state[ 1 ] = SF_RISK_POOL_UNKNOWN );
  REFUSED( UNKNOWN_POOL, intent.hop[ 1 ].venue = 2 );
  REFUSED( UNKNOWN_POOL, view.pool[ 0 ].flags = SF_POOL_DISABLED );
  REFUSED( ORDER_SIZE, cycle( 2 * G + 1 ) );
  REFUSED( MINT_SIZE, r->token_max[ 1 ] = G - 1 );
  REFUSED( EXPOSURE, r->limit.max_open_lamports = G - 1 );
  REFUSED( OPEN_ORDERS, r->limit.max_open_orders = 0 );
  REFUSED( RATE, r->limit.max_orders_per_second = 0 );
  REFUSED( DAILY_LOSS, r->limit.today_lamports = -(int64_t)( G / 10 ) );
  REFUSED( FEE, intent.tip_lamports = 100001 );
  REFUSED( FEE, intent.cu_price_micro_lamports = 1000000 );
  REFUSED( FEE, ( intent.cu_price_micro_lamports = UINT64_MAX, r->limit.max_daily_loss_lamports = UINT64_MAX ) );
  REFUSED( FEE, r->limit.today_fee_lamports = G / 50 - 5000 );
  REFUSED( COLLAR, ( intent.min_out++, intent.hop[ 1 ].min_out++ ) ); /* more than it can give */
  REFUSED( COLLAR, ( intent.min_out = intent.hop[ 1 ].min_out = intent.min_out * 9949 / 10000 ) );
  REFUSED( COLLAR, ( intent.hop[ 0 ].min_out = intent.hop[ 1 ].amount_in = 5 ) );
  REFUSED( BALANCE, r->position[ 1 ].balance = G - 1 );
  REFUSED( BALANCE, r->position[ 1 ].balance = -5 );
  REFUSED( BALANCE, view.wallet_lamports = 5000 );
  REFUSED( UNPROFITABLE, ( view.pool[ 1 ].reserve_b = 1005 * G, intent.hop[ 1 ].min_out = intent.min_out =
                             sf_venue_quote_in( &view.pool[ 1 ], 1, intent.hop[ 1 ].amount_in ) ) );
  REFUSED( CREDIT, view.order_credit = 0 );
  /* a swap without anything in lamports, and one of a limited mint */
  REFUSED( ORDER_SIZE, ( swap( G, 0 ), view.pool[ 0 ] = pool( 0, 0, 2, 1000 * G, 1000 * G ), intent.token_in = 0, intent.token_out = 2 ) );
  REFUSED( MINT_SIZE, ( swap( 6 * G, 1 ), view.pool[ 0 ] = pool( 0, 1, 2, 100 * G, 1000 * G ), intent.token_in = 2, intent.hop[ 0 ].a_to_b = 0 ) );
  /* the first of several reasons is the one that counts */
  REFUSED( KILLED, ( view.kill = SF_KILL_HALT, view.trading = 0, view.length = 1 ) );
  REFUSED( STALE, ( view.t_origin = 0, intent.tip_lamports = UINT64_MAX ) );
}

static sf_fill_t
fill( uint8_t outcome, int64_t delta_in, int64_t delta_out, uint64_t fee ) {
  return ( sf_fill_t ){ .order = order.order, .intent = intent.intent, .bot = intent.bot, .outcome = outcome, .kind = intent.kind,
                        .token_in = intent.token_in, .token_out = intent.token_out, .delta_in = delta_in, .delta_out = delta_out, .fee_lamports = fee,
                        .tip_lamports = intent.tip_lamports, .amount_in = intent.amount_in };
}

static void
test_books( void ) {
  begin();
  cycle( G );
  intent.tip_lamports = 1000;
  assert( !gate() );
  sf_fill_t f = fill( SF_FILL_LANDED, 30000000, 0, 5100 );
  assert( sf_risk_fill( r, &f, UTC ) && !r->limit.open_orders && !r->limit.open_lamports && !r->position[ 1 ].reserved && !r->open_cost );
  assert( r->position[ 1 ].balance == (int64_t)( 10 * G + 30000000 ) && r->position[ 1 ].booked == 30000000 && r->position[ 1 ].fills == 1 );
  assert( r->limit.today_lamports == 30000000 - 6100 && r->limit.today_fee_lamports == 6100 && r->bot[ 5 ].profit_lamports == 30000000 - 6100 );
  assert( r->bot[ 5 ].landed == 1 && r->bot[ 5 ].profitable == 1 && r->bot[ 5 ].fee_lamports == 6100 );
  assert( !sf_risk_fill( r, &f, UTC ) && r->position[ 1 ].fills == 1 ); /* once */

  cycle( G );
  intent.tip_lamports = 1000;
  assert( !gate() );
  f = fill( SF_FILL_REVERTED, 0, 0, 5100 ); /* the fee is gone, the tip is not */
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_fee_lamports == 11200 && r->bot[ 5 ].reverted == 1 && r->position[ 1 ].reverted == 1 );
  cycle( G );
  assert( !gate() );
  f = fill( SF_FILL_EXPIRED, 0, 0, 0 );
  assert( sf_risk_fill( r, &f, UTC ) && r->bot[ 5 ].expired == 1 && r->limit.today_fee_lamports == 11200 && !r->limit.open_orders );

  /* bought for 1.0, half sold for 0.6: earns 0.1, less fees */
  begin();
  r->limit.max_orders_per_second = 9;
  swap( G, 0 );
  assert( !gate() && r->position[ 1 ].reserved == G );
  f = fill( SF_FILL_LANDED, -(int64_t)G, 2000, 5000 );
  assert( sf_risk_fill( r, &f, UTC ) && r->position[ 0 ].balance == 2000 && r->limit.today_lamports == -5000 );
  swap( 1000, 1 );
  assert( !gate() && r->position[ 0 ].reserved == 1000 );
  f = fill( SF_FILL_LANDED, -1000, 600000000, 5000 );
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_lamports == 100000000 - 10000 && r->position[ 0 ].balance == 1000 );
  /* selling more than was bought: only the bought part has a price */
  sf_balance_t more = { .token = 0, .amount = 4000 };
  sf_risk_balance( r, &more );
  swap( 4000, 1 );
  assert( !gate() );
  f = fill( SF_FILL_LANDED, -4000, 2400000000, 5000 );
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_lamports == 200000000 - 15000 );
}

static void
test_limits_in_use( void ) {
  begin();
  cycle( G );
  assert( !gate() );
  cycle( 2 * G );
  assert( !gate() );
  cycle( G );
  assert( gate() == SF_DENY_EXPOSURE && denied.have == 4 * G && denied.allowed == 3 * G );
  r->limit.max_open_lamports = 9 * G;
  cycle( G );
  assert( gate() == SF_DENY_OPEN_ORDERS && denied.have == 3 && denied.allowed == 2 );
  r->limit.max_open_orders = 9;
  cycle( G );
  assert( !gate() );
  cycle( G );
  assert( gate() == SF_DENY_RATE );
  view.now_ns += G / 3 - 1; /* a third of a second is an order */
  view.t_origin = view.now_ns;
  cycle( G );
  assert( gate() == SF_DENY_RATE );
  view.now_ns += 1;
  cycle( G );
  assert( gate() == SF_DENY_RATE );
  view.now_ns += 1;
  cycle( G );
  assert( !gate() );
  view.now_ns -= G; /* time that goes back gives nothing */
  cycle( G );
  assert( gate() == SF_DENY_RATE );
  view.now_ns += 100 * G;
  view.t_origin = view.now_ns;
  for( uint32_t i = 0; i < 3; i++ ) {
    cycle( G );
    assert( !gate() );
  }
  cycle( G );
  assert( gate() == SF_DENY_RATE );

  /* the wallet: what is reserved is not there */
  begin();
  sf_balance_t balance = { .token = 1, .amount = 3 * G };
  sf_risk_balance( r, &balance );
  cycle( 2 * G );
  assert( !gate() );
  r->limit.max_open_lamports = 9 * G;
  cycle( G + 1 );
  assert( gate() == SF_DENY_BALANCE && denied.have == G + 1 && denied.allowed == G );
}

static void
test_day( void ) {
  begin();
  cycle( G );
  assert( !gate() );
  sf_fill_t f = fill( SF_FILL_LANDED, -(int64_t)( G / 10 ), 0, 0 );
  assert( sf_risk_fill( r, &f, UTC ) && sf_risk_kill_level( r ) == SF_KILL_REDUCE );
  cycle( G );
  assert( gate() == SF_DENY_DAILY_LOSS );
  r->limit.today_lamports *= 2;
  assert( sf_risk_kill_level( r ) == SF_KILL_HALT );
  view.utc_ns = UTC + DAY;
  cycle( G );
  assert( !gate() && !r->limit.today_lamports && !r->position[ 1 ].booked_today && r->position[ 1 ].booked == -(int64_t)( G / 10 ) );
  assert( sf_risk_kill_level( r ) == SF_KILL_RUN );
  view.utc_ns = UTC; /* never back */
  r->limit.today_lamports = 5;
  cycle( G );
  assert( !gate() && r->limit.today_lamports == 5 );
  /* exits are possible when the loss limit is reached */
  begin();
  r->limit.today_lamports = -(int64_t)G;
  sf_balance_t balance    = { .token = 0, .amount = G };
  sf_risk_balance( r, &balance );
  swap( 1000000, 1 );
  intent.flags = SF_INTENT_REDUCE;
  view.kill    = SF_KILL_REDUCE;
  assert( !gate() );
}

static int
command( uint32_t verb, uint32_t n, uint64_t value, uint64_t number_of_order, uint32_t token ) {
  sf_command_t c = { .verb = verb, .number = n, .value = value, .order = number_of_order, .token = token };
  return sf_risk_command( r, &c );
}

static void
test_commands( void ) {
  begin();
  assert( !command( SF_VERB_LIMIT, SF_LIMIT_MAX_ORDER_LAMPORTS, 5, 0, 0 ) && r->limit.max_order_lamports == 5 );
  assert( !command( SF_VERB_LIMIT, SF_LIMIT_MAX_SLOT_LAG, 6, 0, 0 ) && r->limit.max_slot_lag == 6 );
  assert( command( SF_VERB_LIMIT, 0, 1, 0, 0 ) && command( SF_VERB_LIMIT, SF_LIMIT_END, 1, 0, 0 ) && command( SF_VERB_LIMIT, SF_LIMIT_COLLAR_BPS, 10001, 0, 0 ) );
  assert( !r->limit.open_lamports && command( 99, 0, 0, 0, 0 ) );
  assert( !command( SF_VERB_BOT_STOP, 5, 0, 0, 0 ) && !r->bot[ 5 ].running && command( SF_VERB_BOT_STOP, 4, 0, 0, 0 ) && command( SF_VERB_BOT_STOP, 64, 0, 0, 0 ) );
  assert( !command( SF_VERB_BOT_START, 5, 0, 0, 0 ) && r->bot[ 5 ].running );
  assert( !command( SF_VERB_POSITION, 0, (uint64_t)-77L, 0, 1 ) && r->position[ 1 ].booked == -77 && command( SF_VERB_POSITION, 0, 1, 0, 3 ) );
  r->limit.today_lamports = -5;
  assert( !command( SF_VERB_RESUME, 0, 0, 0, 0 ) && !r->limit.today_lamports );
  assert( !command( SF_VERB_DAY, 0, (uint64_t)-30L, 40, 0 ) && r->limit.today_lamports == -30 && r->limit.today_fee_lamports == 40 );

  /* an order of a former run: reserved, released once, in either order of the two messages */
  begin();
  assert( !command( SF_VERB_OPEN, 0, 3 * G, 6UL << 32 | 9, 1 ) && !command( SF_VERB_OPEN, 0, 3 * G, 6UL << 32 | 9, 1 ) );
  assert( r->limit.open_orders == 1 && r->limit.open_lamports == 3 * G && r->position[ 1 ].reserved == 3 * G );
  sf_fill_t f = { .order = 6UL << 32 | 9, .bot = 5, .outcome = SF_FILL_LANDED, .kind = SF_INTENT_CYCLE, .flags = SF_FILL_RECOVERED, .token_in = 1,
                  .token_out = 1, .delta_in = 500, .fee_lamports = 100 };
  assert( sf_risk_fill( r, &f, UTC ) && !sf_risk_fill( r, &f, UTC ) && !r->limit.open_orders && r->position[ 1 ].booked == 500 );
  f.order++;
  assert( sf_risk_fill( r, &f, UTC ) && r->position[ 1 ].booked == 1000 );
  assert( !command( SF_VERB_OPEN, 0, 3 * G, f.order, 1 ) && !r->limit.open_orders && !sf_risk_fill( r, &f, UTC ) );
  f.order++;
  f.flags = 0; /* of this run, but never given */
  assert( !sf_risk_fill( r, &f, UTC ) && r->position[ 1 ].booked == 1000 );
}

/* -- the tile ------------------------------------------------------------- */

static sf_rig_t * rig;

static void
ok( int code ) {
  if( code < 0 ) {
    fprintf( stderr, "%s\n", sf_err_text() );
    abort();
  }
}

static struct {
  sf_message_t m;
  uint8_t      payload[ 256 ];
} got;

static void
send( char const * link, uint16_t kind, void const * payload, uint16_t length ) {
  ok( sf_rig_inject( rig, link, kind, 0, sf_clock_ns(), payload, length ) );
  ok( sf_rig_settle( rig ) );
}

static void
test_tile( void ) {
  sf_rig_new( &rig );
  sf_rig_tile( rig, "risk", "risk",
               "max_order_lamports=2000000000\nmax_open_lamports=3000000000\nmax_open_orders=4\nmax_orders_per_second=100\n"
               "max_daily_loss_lamports=100000000\nmax_tip_lamports=100000\nmax_priority_fee_lamports=50000\n"
               "max_daily_fee_lamports=20000000\ncollar_bps=50\nmax_data_age_ms=5000\nmax_slot_lag=10\nsupervisor_timeout_ms=60000\n"
               "cu_limit_base=5000\ncu_limit_per_hop=80000\ncu_price_micro_lamports=0\n"
               "base_mint=So11111111111111111111111111111111111111112\nbot.5=arb\nmint.EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v=77\n" );
  sf_rig_burst( rig, "risk", 4 );
  sf_rig_link( rig, "intent.arb", 0, 64, 256 );
  sf_rig_link( rig, "fill", 0, 64, 256 );
  sf_rig_link( rig, "command", 0, 64, 64 );
  sf_rig_edge( rig, "command", "risk", 1 );
  sf_rig_edge( rig, "fill", "risk", 1 );
  sf_rig_edge( rig, "intent.arb", "risk", 1 );
  sf_rig_link( rig, "order", "risk", 64, 256 );
  sf_rig_link( rig, "denied", "risk", 64, 64 );
  sf_rig_table( rig, "pools", 0, sizeof( sf_pool_row_t ), 16 );
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
    sf_pool_update_t const * u   = &view.pool[ p ];
    sf_pool_row_t            row = { .slot = 100, .reserve_a = u->reserve_a, .reserve_b = u->reserve_b, .token_a = u->token_a, .token_b = u->token_b,
                                     .trade_fee_ppm = u->trade_fee_ppm, .venue = u->venue };
    sf_table_write( sf_rig_table_of( rig, "pools" ), p, &row );
  }
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "denied", &got, sizeof( got ) ) == 1 );
  sf_denied_t d;
  memcpy( &d, got.payload, sizeof( d ) );
  assert( d.reason == SF_DENY_BALANCE && d.intent == 1 && got.m.tag == 5 && sf_rig_counter( rig, "risk", "denied_balance" ) == 1 );

  sf_balance_t balance = { .token = 1, .amount = 10 * G };
  send( "fill", SF_MSG_BALANCE, &balance, sizeof( balance ) );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "order", &got, sizeof( got ) ) == 1 && got.m.length == sizeof( sf_order_t ) && got.m.kind == SF_MSG_ORDER );
  memcpy( &order, got.payload, sizeof( order ) );
  assert( order.order == ( 1UL << 32 | 1 ) && !memcmp( &order.intent, &intent, sizeof( intent ) ) );

  sf_turn_t turn = { 0 };
  send( "intent.arb", SF_MSG_TURN, &turn, sizeof( turn ) ); /* not for risk */
  send( "intent.arb", SF_MSG_INTENT, &intent, 100 );
  assert( sf_rig_read( rig, "denied", &got, sizeof( got ) ) == 1 && sf_rig_counter( rig, "risk", "denied_malformed" ) == 1 );

  /* a loss that is too large raises the kill word */
  sf_fill_t f = fill( SF_FILL_LANDED, -100000000, 0, 5000 );
  send( "fill", SF_MSG_FILL, &f, sizeof( f ) );
  assert( sf_tile_kill( sf_rig_tile_of( rig, "risk" ) ) == SF_KILL_REDUCE && sf_rig_control( rig )->kill_by == SF_KILL_BY_RISK );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "denied", &got, sizeof( got ) ) == 1 && sf_rig_counter( rig, "risk", "denied_killed" ) == 1 );
  sf_kill_lower( sf_rig_control( rig ) );
  sf_command_t c = { .verb = SF_VERB_RESUME };
  send( "command", SF_MSG_COMMAND, &c, sizeof( c ) );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_read( rig, "order", &got, sizeof( got ) ) == 1 );
  send( "command", SF_MSG_COMMAND, &c, 3 );
  assert( sf_rig_counter( rig, "risk", "bad_commands" ) == 1 );

  /* a pool that risk's own table calls stale */
  sf_pool_row_t * row = sf_row_begin( sf_rig_table_of( rig, "pools" ), 1 );
  row->stale          = 1;
  sf_row_end( sf_rig_table_of( rig, "pools" ), 1, row );
  intent.intent++;
  send( "intent.arb", SF_MSG_INTENT, &intent, sizeof( intent ) );
  assert( sf_rig_counter( rig, "risk", "denied_stale" ) == 1 );

  /* the tables follow */
  uint64_t           deadline = sf_clock_ns() + 5 * G;
  sf_limit_row_t     limits   = { 0 };
  sf_position_row_t  position = { 0 };
  while( limits.denied[ SF_DENY_STALE ] != 1 && sf_clock_ns() < deadline ) {
    ok( sf_rig_step( rig ) );
    sf_table_read( sf_rig_table_of( rig, "limits" ), 0, &limits );
  }
  ok( sf_table_read( sf_rig_table_of( rig, "positions" ), 1, &position ) );
  assert( limits.denied[ SF_DENY_STALE ] == 1 && limits.open_orders == 1 && position.reserved == G && position.booked == -100000000 );
  sf_rig_close( rig );
}

/* A hundred thousand intents and their fills: how long the gate takes, for a look; the figure is bench's. */
static void
test_speed( void ) {
  begin();
  r->limit.max_orders_per_second  = G;
  r->bucket                       = G * G;
  r->limit.max_daily_fee_lamports = UINT64_MAX;
  r->limit.max_daily_loss_lamports = INT64_MAX;
  cycle( G );
  struct timespec a, b;
  clock_gettime( CLOCK_MONOTONIC, &a );
  for( uint32_t i = 0; i < 100000; i++ ) {
    intent.intent = ++number;
    assert( !gate() );
    sf_fill_t f = { .order = order.order, .bot = 5, .outcome = SF_FILL_EXPIRED, .token_in = 1 };
    assert( sf_risk_fill( r, &f, UTC ) );
  }
  clock_gettime( CLOCK_MONOTONIC, &b );
  printf( "risk: %.0f ns an order with its fill\n", ( (double)( b.tv_sec - a.tv_sec ) * 1e9 + (double)( b.tv_nsec - a.tv_nsec ) ) / 1e5 );
}

int
main( void ) {
  test_reasons();
  test_books();
  test_limits_in_use();
  test_day();
  test_commands();
  test_tile();
  test_speed();
  printf( "risk: ok\n" );
  free( r );
  return 0;
}
