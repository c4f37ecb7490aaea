/* The risk gate: every reason of a denial, their order, what is reserved and released, the books, commands, the day. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "risk_fixture.h"

/* The change makes an otherwise good cycle of 1 WSOL be denied for this reason, counted, with nothing reserved. */
#define REFUSED( why, change )                                                                  \
  do {                                                                                          \
    begin();                                                                                    \
    cycle( G );                                                                                 \
    change;                                                                                     \
    uint32_t got_ = gate();                                                                     \
    if( got_ != SF_DENY_##why ) fprintf( stderr, "%s: %u\n", #change, got_ );                   \
    assert( got_ == SF_DENY_##why && denied.reason == got_ && denied.intent == intent.intent && \
            denied.bot == intent.bot );                                                         \
    assert( r->limit.denied[got_] == 1 && !r->limit.open_orders && !r->limit.open_lamports &&   \
            !r->position[1].reserved );                                                         \
  } while( 0 )

/* The checks alone say what the gate says, as often as they are asked, and give nothing. */
static void test_check( void ) {
  begin();
  cycle( G );
  sf_risk_t * before = malloc( sizeof( *r ) );
  memcpy( before, r, sizeof( *r ) );
  for( int i = 0; i < 5; i++ ) assert( !sf_risk_check( r, &intent, &view ) );
  view.order_credit = 0;
  assert( sf_risk_check( r, &intent, &view ) == SF_DENY_CREDIT );
  view.order_credit = 1;
  assert( !memcmp( before, r, sizeof( *r ) ) && !gate() && order == ( 7UL << 32 | 1 ) );
  assert( sf_risk_check( r, &intent, &view ) == SF_DENY_DUPLICATE && r->limit.open_orders == 1 );
  free( before );
}

static void test_reasons( void ) {
  begin();
  cycle( G );
  assert( !gate() && order == ( 7UL << 32 | 1 ) );
  assert( r->limit.open_orders == 1 && r->limit.open_lamports == G && r->position[1].reserved == G &&
          r->bot[5].orders == 1 );

  REFUSED( KILLED, view.kill = SF_KILL_HALT );
  REFUSED( KILLED, view.kill = SF_KILL_REDUCE );
  REFUSED( KILLED, ( view.kill = SF_KILL_REDUCE, intent.flags = SF_INTENT_REDUCE ) ); /* a cycle reduces nothing */
  REFUSED( KILLED,
           ( swap( G, 0 ), view.kill = SF_KILL_REDUCE, intent.flags = SF_INTENT_REDUCE ) ); /* nor does buying */
  REFUSED( KILLED, r->bot[5].running = 0 );
  REFUSED( NOT_TRADING, view.trading = 0 );
  REFUSED( NOT_TRADING, view.supervisor_age_ns = G + 1 );
  REFUSED( MALFORMED, view.length = sizeof( intent ) - 1 );
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
  REFUSED( MALFORMED, intent.hop[0].min_out = 0 );
  REFUSED( MALFORMED, intent.hop[1].amount_in++ ); /* more than the hop before must give */
  REFUSED( MALFORMED, intent.hop[1].a_to_b = 2 );
  REFUSED( MALFORMED, intent.hop[1].pool = 0 );
  REFUSED( MALFORMED, intent.hop[1].a_to_b = 0 ); /* WSOL is not what the first hop gives */
  REFUSED( MALFORMED, intent.hop_cnt = 1 );
  REFUSED( DUPLICATE, r->last_intent[5] = 1 );
  REFUSED( STALE, view.t_origin = NOW - G / 2 - 1 );
  REFUSED( STALE, view.chain_slot = 111 );
  REFUSED( STALE, view.pool_state[1] = SF_RISK_POOL_STALE );
  REFUSED( UNKNOWN_POOL, view.pool_state[1] = SF_RISK_POOL_UNKNOWN );
  REFUSED( UNKNOWN_POOL, intent.hop[1].venue = 2 );
  REFUSED( UNKNOWN_POOL, pools[0].u.flags = SF_POOL_DISABLED );
  REFUSED( UNKNOWN_POOL, pools[0].u.open_time = (uint32_t)pools[0].u.unix_s + 1 );
  REFUSED( ORDER_SIZE, cycle( 2 * G + 1 ) );
  REFUSED( MINT_SIZE, r->token_max[1] = G - 1 );
  REFUSED( EXPOSURE, r->limit.max_open_lamports = G - 1 );
  REFUSED( OPEN_ORDERS, r->limit.max_open_orders = 0 );
  REFUSED( RATE, r->limit.max_orders_per_second = 0 );
  REFUSED( DAILY_LOSS, r->limit.today_lamports = -(int64_t)( G / 10 ) );
  REFUSED( FEE, intent.tip_lamports = 100001 );
  REFUSED( FEE, intent.cu_price_micro_lamports = 1000000 );
  REFUSED( FEE, ( intent.cu_price_micro_lamports = UINT64_MAX, r->limit.max_daily_loss_lamports = UINT64_MAX ) );
  REFUSED( FEE, r->limit.today_fee_lamports = G / 50 - 5000 );
  REFUSED( QUOTE, ( intent.min_out++, intent.hop[1].min_out++ ) );              /* more than it can give */
  REFUSED( QUOTE, ( pools[1].s.small = 0, pools[1].s.rates.trade = 1000000 ) ); /* it gives nothing */
  REFUSED( COLLAR, ( intent.min_out = intent.hop[1].min_out = intent.min_out * 9949 / 10000 ) );
  REFUSED( COLLAR, ( intent.hop[0].min_out = intent.hop[1].amount_in = 5 ) );
  REFUSED( BALANCE, r->position[1].balance = G - 1 );
  REFUSED( BALANCE, r->position[1].balance = -5 );
  REFUSED( BALANCE, view.wallet_lamports = 5000 );
  REFUSED( UNPROFITABLE, ( pools[1].s.reserve[1] = 1005 * G,
                           intent.hop[1].min_out = intent.min_out = quote( 1, 1, intent.hop[1].amount_in ) ) );
  REFUSED( CREDIT, view.order_credit = 0 );
  /* a swap without anything in lamports, and one of a limited mint */
  REFUSED( ORDER_SIZE,
           ( swap( G, 0 ), pool( 0, 0, 0, 2, 1000 * G, 1000 * G ), intent.token_in = 0, intent.token_out = 2 ) );
  REFUSED( MINT_SIZE,
           ( swap( 6 * G, 1 ), pool( 0, 0, 1, 2, 100 * G, 1000 * G ), intent.token_in = 2, intent.hop[0].a_to_b = 0 ) );
  /* an intent's number is used from DUPLICATE on, and not before */
  REFUSED( STALE, view.chain_slot = 111 );
  view.chain_slot = 101;
  assert( gate() == SF_DENY_DUPLICATE );
  REFUSED( UNSAFE, ( swap( G, 0 ), r->safety_gate = 1 ) );
  assert( gate() == SF_DENY_DUPLICATE );
  REFUSED( MALFORMED, intent.hop[0].a_to_b = 2 );
  intent.hop[0].a_to_b = 1;
  assert( !gate() );
  /* the first of several reasons is the one that counts */
  REFUSED( KILLED, ( view.kill = SF_KILL_HALT, view.trading = 0, view.length = 1 ) );
  REFUSED( STALE, ( view.t_origin = 0, intent.tip_lamports = UINT64_MAX ) );
}

/* A buy of token 0, which is not listed, with WSOL (token 1). */
static void safe( sf_verdict_t v ) {
  memcpy( v.mint, r->position[v.token].mint, 32 );
  assert( !sf_risk_verdict( r, &v ) );
}

static void test_safety( void ) {
  sf_verdict_t const passes = {
    .token = 0, .pool = 0, .quote = 1, .outcome = SF_VERDICT_PASSES, .slot = 95, .amount = G
  };
  begin();
  r->safety_gate           = 1;
  r->verdict_slots         = 6;
  r->limit.max_open_orders = r->limit.max_orders_per_second = 100;
  r->limit.max_open_lamports                                = 100 * G;
  r->bucket                                                 = 100 * G;
  swap( G, 0 );
  assert( gate() == SF_DENY_UNSAFE && denied.have == 0 && denied.allowed == SF_VERDICT_PASSES );
  assert( r->limit.denied[SF_DENY_UNSAFE] == 1 && !r->limit.open_orders );
  safe( passes );
  swap( G, 0 );
  assert( !gate() ); /* at slot 101: six slots old */
  view.chain_slot = 102;
  swap( G, 0 );
  assert( gate() == SF_DENY_UNSAFE && denied.have == 7 && denied.allowed == 6 );
  view.chain_slot = 101;
  swap( G + 1, 0 );
  assert( gate() == SF_DENY_UNSAFE && denied.have == G + 1 && denied.allowed == G );
  sf_verdict_t v = passes;
  v.quote        = 2;
  safe( v );
  swap( G, 0 );
  assert( gate() == SF_DENY_UNSAFE && denied.have == 1 && denied.allowed == 2 );
  for( uint16_t outcome = SF_VERDICT_REFUSED; outcome <= SF_VERDICT_EXIT; outcome++ ) {
    safe( passes );
    v         = passes;
    v.outcome = outcome;
    safe( v );
    swap( G, 0 );
    assert( gate() == SF_DENY_UNSAFE && denied.have == outcome );
  }
  /* a cycle over it holds nothing; to sell it is always allowed; a verdict of another mint is none */
  cycle( G );
  assert( !gate() );
  sf_balance_t balance = { .token = 0, .amount = G };
  sf_risk_balance( r, &balance );
  swap( G / 2, 1 );
  assert( !gate() );
  v         = passes;
  v.mint[0] = 0x55;
  assert( sf_risk_verdict( r, &v ) == SF_ERR_ARG );
  v.token = 3;
  assert( sf_risk_verdict( r, &v ) == SF_ERR_ARG );
  /* what was refused for another reason first */
  swap( G, 0 );
  view.pool_state[0] = SF_RISK_POOL_STALE;
  assert( gate() == SF_DENY_STALE );
  /* listed, or the gate is off */
  swap( G, 0 );
  r->safety[0].listed = 1;
  assert( !gate() );
  r->safety[0].listed = 0;
  r->safety_gate      = 0;
  swap( G, 0 );
  assert( !gate() );
  /* listed by its mint, and the base token always is */
  begin();
  fixture_mint_key( r->listed[r->listed_cnt++], 77 );
  uint8_t mint[32];
  fixture_mint_key( mint, 77 );
  sf_risk_token( r, mint );
  assert( r->safety[3].listed && r->safety[1].listed && !r->safety[0].listed && !r->safety[2].listed );
}

static void test_books( void ) {
  begin();
  cycle( G );
  intent.tip_lamports = 1000;
  assert( !gate() );
  sf_fill_t f = fill( SF_FILL_LANDED, 30000000, 0, 5100 );
  assert( sf_risk_fill( r, &f, UTC ) && !r->limit.open_orders && !r->limit.open_lamports && !r->position[1].reserved &&
          !r->open_cost );
  assert( r->position[1].balance == (int64_t)( 10 * G + 30000000 ) && r->position[1].booked == 30000000 &&
          r->position[1].fills == 1 );
  assert( r->limit.today_lamports == 30000000 - 6100 && r->limit.today_fee_lamports == 6100 &&
          r->bot[5].profit_lamports == 30000000 - 6100 );
  assert( r->bot[5].landed == 1 && r->bot[5].profitable == 1 && r->bot[5].fee_lamports == 6100 );
  assert( !sf_risk_fill( r, &f, UTC ) && r->position[1].fills == 1 ); /* once */

  cycle( G );
  intent.tip_lamports = 1000;
  assert( !gate() );
  f = fill( SF_FILL_REVERTED, 0, 0, 5100 ); /* the fee is gone, the tip is not */
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_fee_lamports == 11200 && r->bot[5].reverted == 1 &&
          r->position[1].reverted == 1 );
  cycle( G );
  assert( !gate() );
  f = fill( SF_FILL_EXPIRED, 0, 0, 0 );
  assert( sf_risk_fill( r, &f, UTC ) && r->bot[5].expired == 1 && r->limit.today_fee_lamports == 11200 &&
          !r->limit.open_orders );

  begin();
  cycle( G );
  assert( !gate() );
  f = fill( SF_FILL_DROPPED, 0, 0, 0 );
  assert( sf_risk_fill( r, &f, UTC ) && r->bot[5].dropped == 1 && !r->limit.open_orders );

  /* bought for 1.0, half sold for 0.6: earns 0.1, less fees */
  begin();
  r->limit.max_orders_per_second = 9;
  swap( G, 0 );
  assert( !gate() && r->position[1].reserved == G );
  f = fill( SF_FILL_LANDED, -(int64_t)G, 2000, 5000 );
  assert( sf_risk_fill( r, &f, UTC ) && r->position[0].balance == 2000 && r->limit.today_lamports == -5000 );
  swap( 1000, 1 );
  assert( !gate() && r->position[0].reserved == 1000 );
  f = fill( SF_FILL_LANDED, -1000, 600000000, 5000 );
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_lamports == 100000000 - 10000 &&
          r->position[0].balance == 1000 );
  /* selling more than was bought: only the bought part has a price */
  sf_balance_t more = { .token = 0, .amount = 4000 };
  sf_risk_balance( r, &more );
  swap( 4000, 1 );
  assert( !gate() );
  f = fill( SF_FILL_LANDED, -4000, 2400000000, 5000 );
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_lamports == 200000000 - 15000 );
}

/* A venue that pays in lamports: the base token's result is that of both; amounts must be there in lamports. */
static void test_lamports( void ) {
  begin();
  view.wallet_lamports = 10 * G;
  /* bought for 1.0 in lamports, and an account's rent; sold for 1.5 of the base token */
  swap( G, 0 );
  assert( !gate() );
  sf_fill_t f = fill( SF_FILL_LANDED, 0, 2000, 5000 );
  f.delta_lamports -= (int64_t)( G + 2000000 );
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_lamports == -5000 && r->lot[0].cost_lamports == G + 2000000 &&
          r->position[1].balance == (int64_t)( 10 * G ) && r->position[0].balance == 2000 );
  swap( 2000, 1 );
  assert( !gate() );
  f = fill( SF_FILL_LANDED, -2000, (int64_t)( G + G / 2 ), 5000 );
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_lamports == (int64_t)( G / 2 ) - 2000000 - 10000 );
  /* bought with the base token, sold for lamports */
  begin();
  swap( G, 0 );
  assert( !gate() );
  f = fill( SF_FILL_LANDED, -(int64_t)G, 2000, 5000 );
  assert( sf_risk_fill( r, &f, UTC ) );
  swap( 2000, 1 );
  assert( !gate() );
  f = fill( SF_FILL_LANDED, -2000, 0, 5000 );
  f.delta_lamports += (int64_t)( G / 2 );
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_lamports == -(int64_t)( G / 2 ) - 10000 );
  /* a cycle that pays in lamports and gets the base token */
  begin();
  cycle( G );
  assert( !gate() );
  f = fill( SF_FILL_LANDED, (int64_t)G + 30000000, 0, 5000 );
  f.delta_lamports -= (int64_t)G;
  assert( sf_risk_fill( r, &f, UTC ) && r->limit.today_lamports == 30000000 - 5000 && r->bot[5].profitable == 1 &&
          r->bot[5].profit_lamports == 30000000 - 5000 );
}

static void test_limits_in_use( void ) {
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

static void test_day( void ) {
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
  assert( !gate() && !r->limit.today_lamports && !r->position[1].booked_today &&
          r->position[1].booked == -(int64_t)( G / 10 ) );
  assert( sf_risk_kill_level( r ) == SF_KILL_RUN );
  view.utc_ns             = UTC; /* never back */
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

static int command( uint32_t verb, uint32_t n, uint64_t value, uint64_t number_of_order, uint32_t token ) {
  sf_command_t c = { .verb = verb, .number = n, .value = value, .order = number_of_order, .token = token };
  return sf_risk_command( r, &c );
}

static void test_commands( void ) {
  begin();
  assert( !command( SF_VERB_LIMIT, SF_LIMIT_MAX_ORDER_LAMPORTS, 5, 0, 0 ) && r->limit.max_order_lamports == 5 );
  assert( !command( SF_VERB_LIMIT, SF_LIMIT_MAX_SLOT_LAG, 6, 0, 0 ) && r->limit.max_slot_lag == 6 );
  assert( command( SF_VERB_LIMIT, 0, 1, 0, 0 ) && command( SF_VERB_LIMIT, SF_LIMIT_END, 1, 0, 0 ) &&
          command( SF_VERB_LIMIT, SF_LIMIT_COLLAR_BPS, 10001, 0, 0 ) );
  assert( !r->limit.open_lamports && command( 99, 0, 0, 0, 0 ) );
  assert( !command( SF_VERB_BOT_STOP, 5, 0, 0, 0 ) && !r->bot[5].running && command( SF_VERB_BOT_STOP, 4, 0, 0, 0 ) &&
          command( SF_VERB_BOT_STOP, 64, 0, 0, 0 ) );
  assert( !command( SF_VERB_BOT_START, 5, 0, 0, 0 ) && r->bot[5].running );
  assert( !command( SF_VERB_POSITION, 0, (uint64_t)-77L, 0, 1 ) && r->position[1].booked == -77 &&
          command( SF_VERB_POSITION, 0, 1, 0, 3 ) );
  r->limit.today_lamports = -5;
  assert( !command( SF_VERB_RESUME, 0, 0, 0, 0 ) && !r->limit.today_lamports );
  assert( !command( SF_VERB_DAY, 0, (uint64_t)-30L, 40, 0 ) && r->limit.today_lamports == -30 &&
          r->limit.today_fee_lamports == 40 );

  /* an order of a former run: reserved, released once, in either order of the two messages */
  begin();
  assert( !command( SF_VERB_OPEN, 0, 3 * G, 6UL << 32 | 9, 1 ) &&
          !command( SF_VERB_OPEN, 0, 3 * G, 6UL << 32 | 9, 1 ) );
  assert( r->limit.open_orders == 1 && r->limit.open_lamports == 3 * G && r->position[1].reserved == 3 * G );
  sf_fill_t f = { .order        = 6UL << 32 | 9,
                  .bot          = 5,
                  .outcome      = SF_FILL_LANDED,
                  .kind         = SF_INTENT_CYCLE,
                  .flags        = SF_FILL_RECOVERED,
                  .token_in     = 1,
                  .token_out    = 1,
                  .delta_in     = 500,
                  .fee_lamports = 100 };
  assert( sf_risk_fill( r, &f, UTC ) && !sf_risk_fill( r, &f, UTC ) && !r->limit.open_orders &&
          r->position[1].booked == 500 );
  f.order++;
  assert( sf_risk_fill( r, &f, UTC ) && r->position[1].booked == 1000 );
  assert( !command( SF_VERB_OPEN, 0, 3 * G, f.order, 1 ) && !r->limit.open_orders && !sf_risk_fill( r, &f, UTC ) );
  /* what another token is worth is not known: it binds what an order may at most */
  assert( !command( SF_VERB_OPEN, 0, 77, 6UL << 32 | 99, 0 ) && r->limit.open_lamports == 2 * G &&
          r->position[0].reserved == 77 );
  cycle( G + 1 );
  assert( gate() == SF_DENY_EXPOSURE );
  cycle( G );
  assert( !gate() );
  f.order++;
  f.flags = 0; /* of this run, but never given */
  assert( !sf_risk_fill( r, &f, UTC ) && r->position[1].booked == 1000 );
}

/* A hundred thousand intents and their fills: how long the gate takes, for a look; the figure is bench's. */
static void test_speed( void ) {
  begin();
  r->limit.max_orders_per_second   = G;
  r->bucket                        = G * G;
  r->limit.max_daily_fee_lamports  = UINT64_MAX;
  r->limit.max_daily_loss_lamports = INT64_MAX;
  cycle( G );
  struct timespec a, b;
  clock_gettime( CLOCK_MONOTONIC, &a );
  for( uint32_t i = 0; i < 100000; i++ ) {
    intent.intent = ++number;
    assert( !gate() );
    sf_fill_t f = { .order = order, .bot = 5, .outcome = SF_FILL_EXPIRED, .token_in = 1 };
    assert( sf_risk_fill( r, &f, UTC ) );
  }
  clock_gettime( CLOCK_MONOTONIC, &b );
  printf( "risk: %.0f ns an order with its fill\n",
          ( (double)( b.tv_sec - a.tv_sec ) * 1e9 + (double)( b.tv_nsec - a.tv_nsec ) ) / 1e5 );
}

int main( void ) {
  test_check();
  test_reasons();
  test_safety();
  test_books();
  test_lamports();
  test_limits_in_use();
  test_day();
  test_commands();
  test_speed();
  printf( "risk: ok\n" );
  free( r );
  return 0;
}
