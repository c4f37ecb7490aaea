/* arb: from market messages to an intent that earns if it lands; what is under way holds its pools; released by
   fill, denial and time; the same messages give the same bytes. */

#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "base/rng.h"
#include "cpmm_fixture.h"
#include "shm/table.h"
#include "tile/rig.h"
#include "trade/cost.h"

#define PARAMS                                                                                                       \
  "bot=5\nbase_mint=So11111111111111111111111111111111111111112\nmin_profit_lamports=1000\n"                         \
  "max_amount_lamports=1000000000\nmax_hops=3\ntip_bps=1000\ncu_limit_per_hop=80000\ncu_price_micro_lamports=1000\n" \
  "slippage_bps=2\ncooldown_slots=4\n"

static sf_rig_t * rig;

static void ok( int code ) {
  if( code < 0 ) {
    fprintf( stderr, "%s\n", sf_err_text() );
    abort();
  }
}

static int open_with( char const * params ) {
  sf_rig_new( &rig );
  sf_rig_tile( rig, "arb", "arb", params );
  sf_rig_burst( rig, "arb", 4 );
  sf_rig_link( rig, "market", 0, 256, 768 );
  sf_rig_link( rig, "fill", 0, 64, 256 );
  sf_rig_link( rig, "denied", 0, 64, 64 );
  sf_rig_edge( rig, "market", "arb", 1 );
  sf_rig_edge( rig, "fill", "arb", 1 );
  sf_rig_edge( rig, "denied", "arb", 1 );
  sf_rig_link( rig, "intent.arb", "arb", 1024, 320 );
  sf_rig_table( rig, "tokens", 0, sizeof( sf_token_row_t ), 8 );
  sf_rig_table( rig, "pools", 0, sizeof( sf_pool_row_t ), 16 );
  return sf_rig_start( rig );
}

static void tokens_write( void ) {
  for( uint32_t i = 0; i < 4; i++ ) { /* WSOL is token 2 */
    sf_token_row_t row = { .decimals = 9 };
    fixture_mint_key( row.mint, i == 2 ? 0 : 10 + i );
    sf_table_write( sf_rig_table_of( rig, "tokens" ), i, &row );
  }
}

static void open_rig( void ) {
  ok( open_with( PARAMS ) );
  tokens_write();
}

static fixture_update_t pool( uint32_t p, uint32_t a, uint32_t b, uint64_t x, uint64_t y, uint64_t slot ) {
  fixture_update_t f;
  fixture_update( &f, p, a, b, x, y, 2500 );
  f.u.slot = slot;
  return f;
}

static uint64_t quote( fixture_update_t f, uint64_t amount ) {
  sf_quote_t q;
  sf_pool_quote_in( &f.u, 1, amount, &q );
  return q.amount_out;
}

static void market( uint16_t kind, fixture_update_t f, uint64_t origin ) {
  ok( sf_rig_inject( rig, "market", kind, f.u.pool, origin, &f, sizeof( f ) ) );
  ok( sf_rig_settle( rig ) );
}

static struct {
  sf_message_t m;
  sf_intent_t i;
  uint8_t more[64];
} got;

/* The next intent; turns are passed over. */
static int next( void ) {
  for( ;; ) {
    int n = sf_rig_read( rig, "intent.arb", &got, sizeof( got ) );
    ok( n );
    if( !n ) return 0;
    if( got.m.kind == SF_MSG_INTENT ) return 1;
    assert( got.m.kind == SF_MSG_TURN );
  }
}

#define G 1000000000UL /* a SOL */

static void first_gap( void ) {
  market( SF_MSG_POOL, pool( 0, 2, 0, 1000 * G, 2000 * G, 10 ), 1 );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1000 * G, 10 ), 2 );
  assert( !next() );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1020 * G, 11 ), 3 );
}

static void test_intent( void ) {
  open_rig();
  first_gap();
  assert( next() );
  sf_intent_t const * i = &got.i;
  assert( got.m.tag == 5 && got.m.t_origin == 3 && got.m.length == sizeof( *i ) );
  assert( i->intent == 1 && i->bot == 5 && i->kind == SF_INTENT_CYCLE && i->hop_cnt == 2 && i->market_seq == 2 &&
          i->slot == 11 );
  assert( i->token_in == 2 && i->token_out == 2 && i->hop[0].pool == 0 && i->hop[0].a_to_b && i->hop[1].pool == 1 &&
          i->hop[1].a_to_b );
  assert( i->amount_in == G ); /* the gap is larger than what we may put in */
  assert( i->amount_in == i->hop[0].amount_in && i->hop[1].amount_in == i->hop[0].min_out &&
          i->min_out == i->hop[1].min_out );
  assert( i->hop[0].min_out == quote( pool( 0, 2, 0, 1000 * G, 2000 * G, 10 ), G ) * 9998 / 10000 );
  assert( i->expected_out == quote( pool( 1, 0, 2, 2000 * G, 1020 * G, 11 ), i->hop[1].amount_in ) );
  sf_cost_t none = { 0 };
  uint64_t fee   = sf_cost_fee_lamports( &none, i );
  assert( i->flags == SF_INTENT_CREATE ); /* nothing is known of the wallet's accounts */
  assert( fee == 5000 + 245 && i->cu_limit == 160000 + 80000 && i->cost_lamports == fee + i->tip_lamports );
  assert( i->tip_lamports == ( i->expected_out - i->amount_in - fee ) / 10 );
  assert( i->min_out >= i->amount_in + i->cost_lamports && i->min_out >= i->expected_out * 9998 / 10000 );
  assert( !next() );
  sf_rig_close( rig );
}

/* Three hops, and the cost that makes a small gap not worth it. */
static void test_three_hops( void ) {
  open_rig();
  market( SF_MSG_POOL, pool( 0, 2, 0, 1000 * G, 1000 * G, 10 ), 1 );
  market( SF_MSG_POOL, pool( 1, 0, 1, 1000 * G, 1000 * G, 10 ), 1 );
  market( SF_MSG_POOL, pool( 2, 2, 1, 1000 * G, 1000 * G, 10 ), 1 );
  market( SF_MSG_POOL, pool( 1, 0, 1, 1000 * G, 1000 * G, 11 ), 1 );
  assert( !next() );
  market( SF_MSG_POOL, pool( 1, 0, 1, 1000 * G, 1020 * G, 12 ), 1 );
  assert( next() && got.i.hop_cnt == 3 && got.i.cu_limit == 240000 + 120000 );
  assert( got.i.hop[0].pool == 0 && got.i.hop[0].a_to_b && got.i.hop[1].pool == 1 && got.i.hop[1].a_to_b &&
          got.i.hop[2].pool == 2 && !got.i.hop[2].a_to_b );
  sf_rig_close( rig );

  open_rig();
  market( SF_MSG_POOL, pool( 0, 2, 0, 100000, 100000, 10 ), 1 );
  market( SF_MSG_POOL, pool( 1, 2, 0, 100000, 100000, 10 ), 1 );
  market( SF_MSG_POOL, pool( 1, 2, 0, 100000, 110000, 11 ), 1 );
  assert( !next() && sf_rig_counter( rig, "arb", "cycles_below_cost" ) == 1 );
  sf_rig_close( rig );
}

static void test_under_way( void ) {
  open_rig();
  first_gap();
  assert( next() );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1021 * G, 12 ), 4 );
  assert( !next() ); /* its own order is under way */

  sf_denied_t d = { .intent = 1, .bot = 4 };
  ok( sf_rig_inject( rig, "denied", SF_MSG_DENIED, 4, 0, &d, sizeof( d ) ) );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1022 * G, 12 ), 5 );
  assert( !next() ); /* another bot's denial */
  d.bot = 5;
  ok( sf_rig_inject( rig, "denied", SF_MSG_DENIED, 5, 0, &d, sizeof( d ) ) );
  ok( sf_rig_settle( rig ) );
  assert( !next() && sf_rig_counter( rig, "arb", "cycles_released" ) == 1 );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1022 * G, 12 ), 6 );
  assert( next() && got.i.intent == 2 );

  sf_fill_t f = { .intent = 2, .bot = 5, .outcome = SF_FILL_LANDED, .flags = SF_FILL_RECOVERED };
  ok( sf_rig_inject( rig, "fill", SF_MSG_FILL, 5, 0, &f, sizeof( f ) ) );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1022 * G, 12 ), 7 );
  assert( !next() ); /* a fill of another run */
  f.flags = 0;
  ok( sf_rig_inject( rig, "fill", SF_MSG_FILL, 5, 0, &f, sizeof( f ) ) );
  ok( sf_rig_settle( rig ) );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1022 * G, 13 ), 8 );
  assert( next() && got.i.intent == 3 );

  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1022 * G, 17 ), 9 );
  assert( !next() );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1022 * G, 18 ), 10 ); /* no word of it: time is up */
  assert( next() && got.i.intent == 4 && sf_rig_counter( rig, "arb", "cycles_timed_out" ) == 1 );

  market( SF_MSG_STALE, pool( 0, 2, 0, 1000 * G, 2000 * G, 30 ), 11 );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1030 * G, 31 ), 12 );
  assert( !next() );
  sf_rig_close( rig );
}

/* A route that was too large for a transaction is left alone; others over its pools are not. */
static void test_too_large( void ) {
  open_rig();
  first_gap();
  assert( next() && got.i.intent == 1 );
  sf_fill_t f = { .intent = 1, .bot = 5, .outcome = SF_FILL_DROPPED, .error = SF_REFUSE_BLOCKHASH };
  ok( sf_rig_inject( rig, "fill", SF_MSG_FILL, 5, 0, &f, sizeof( f ) ) );
  ok( sf_rig_settle( rig ) );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1022 * G, 12 ), 4 );
  assert( next() && got.i.intent == 2 ); /* dropped for another reason */
  f.intent = 2;
  f.error  = SF_REFUSE_SIZE;
  ok( sf_rig_inject( rig, "fill", SF_MSG_FILL, 5, 0, &f, sizeof( f ) ) );
  ok( sf_rig_settle( rig ) );
  market( SF_MSG_POOL, pool( 1, 0, 2, 2000 * G, 1030 * G, 13 ), 5 );
  assert( !next() );
  market( SF_MSG_POOL, pool( 2, 0, 2, 2000 * G, 1020 * G, 14 ), 6 );
  market( SF_MSG_POOL, pool( 2, 0, 2, 2000 * G, 1040 * G, 14 ), 7 );
  assert( next() && got.i.intent == 3 && got.i.hop[0].pool == 0 && got.i.hop[1].pool == 2 );
  sf_rig_close( rig );
}

static void test_refusals( void ) {
  char const * bad[] = { "base_mint=EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "max_hops=4", "slippage_bps=10000",
                         "bot=64", "cu_price_micro_lamports=0" };
  for( uint32_t i = 0; i < sizeof( bad ) / sizeof( bad[0] ); i++ ) {
    char params[1024] = "";
    char const * line = PARAMS;
    uint64_t key      = (uint64_t)( strchr( bad[i], '=' ) - bad[i] ) + 1;
    while( *line ) {
      uint64_t len = (uint64_t)( strchr( line, '\n' ) - line ) + 1;
      if( strncmp( line, bad[i], key ) ) strncat( params, line, len );
      line += len;
    }
    strcat( params, bad[i] );
    strcat( params, "\n" );
    assert( open_with( params ) < 0 && strstr( sf_err_text(), "arb" ) );
    sf_rig_close( rig );
  }
  open_rig();
  fixture_update_t u = pool( 0, 2, 0, 1, 1, 1 );
  ok( sf_rig_inject( rig, "market", SF_MSG_POOL, 0, 0, &u, 40 ) );
  ok( sf_rig_inject( rig, "market", SF_MSG_POOL, 0, 0, &u, sizeof( u ) - 16 ) );
  u.u.pool = 99;
  ok( sf_rig_inject( rig, "market", SF_MSG_POOL, 0, 0, &u, sizeof( u ) ) );
  u.u.pool  = 1;
  u.u.venue = 50;
  ok( sf_rig_inject( rig, "market", SF_MSG_POOL, 0, 0, &u, sizeof( u ) ) );
  ok( sf_rig_inject( rig, "denied", SF_MSG_DENIED, 0, 0, &u, 8 ) );
  ok( sf_rig_settle( rig ) );
  assert( sf_rig_counter( rig, "arb", "bad_updates" ) == 4 && !next() );
  sf_rig_close( rig );
}

/* Arrays and units are those of the pools used; accounts are created until a fill or a balance tells that they are there. */
static void test_hops( void ) {
  char params[1024];
  char const * at = strstr( PARAMS, "cu_limit_per_hop=80000" );
  snprintf( params, sizeof( params ), "%.*scu_limit_per_hop=0%s", (int)( at - PARAMS ), PARAMS,
            at + strlen( "cu_limit_per_hop=80000" ) );
  ok( open_with( params ) );
  tokens_write();
  fixture_update_t a = pool( 0, 2, 0, 1000 * G, 2000 * G, 10 ), b = pool( 1, 2, 0, 1000 * G, 2000 * G, 10 );
  for( uint32_t side = 0; side < 2; side++ ) {
    b.u.array_cnt[side] = (uint8_t)( 2 + side );
    for( int32_t n = 0; n < SF_SWAP_ARRAYS; n++ ) b.u.array[side][n] = 100 * (int32_t)side - n;
  }
  market( SF_MSG_POOL, a, 1 );
  market( SF_MSG_POOL, b, 2 );
  uint32_t units = 2 * sf_venue_get( SF_VENUE_RAYDIUM_CPMM )->compute_units;
  for( uint64_t n = 1; n <= 3; n++ ) {
    b.s.reserve[0]         = 1020 * G;
    b.u.slot               = 10 + n;
    fixture_update_t moved = b;
    fixture_update_fill( &moved );
    memcpy( moved.u.array_cnt, b.u.array_cnt, sizeof( b.u.array_cnt ) );
    memcpy( moved.u.array, b.u.array, sizeof( b.u.array ) );
    market( SF_MSG_POOL, moved, 2 + n );
    assert( next() && got.i.intent == n && got.i.hop_cnt == 2 );
    sf_hop_t const * h = &got.i.hop[1];
    assert( h->pool == 1 && !h->a_to_b && h->array_cnt == 3 && h->array[0] == 100 && h->array[2] == 98 );
    assert( !got.i.hop[0].array_cnt && !got.i.hop[0].array[0] );
    int creates = n < 3;
    assert( got.i.flags == ( creates ? SF_INTENT_CREATE : 0 ) && got.i.cu_limit == units + ( creates ? 80000 : 0 ) );
    /* first the base token's balance, then a fill that landed */
    sf_balance_t balance = { .token = 2, .amount = n == 1 };
    ok( sf_rig_inject( rig, "fill", SF_MSG_BALANCE, 0, 0, &balance, sizeof( balance ) ) );
    sf_fill_t f = {
      .intent = n, .bot = 5, .outcome = n == 1 ? SF_FILL_REVERTED : SF_FILL_LANDED, .token_in = 2, .token_out = 2
    };
    ok( sf_rig_inject( rig, "fill", SF_MSG_FILL, 5, 0, &f, sizeof( f ) ) );
    ok( sf_rig_settle( rig ) );
  }
  sf_rig_close( rig );
}

/* A random market with denials, twice: the same intents, every one of which earns by its own minimum. */
static uint64_t run_market( uint64_t seed, uint32_t * intents ) {
  sf_rng_t rng;
  uint64_t hash = 0;
  sf_rng_seed( &rng, seed );
  open_rig();
  *intents = 0;
  uint64_t y[16];
  for( uint32_t i = 0; i < 4000; i++ ) {
    uint32_t p = (uint32_t)sf_rng_below( &rng, 16 );
    if( i < 16 ) y[p = i] = 1000 * G;
    y[p] = y[p] / 1000 * ( 990 + sf_rng_below( &rng, 21 ) );
    if( y[p] < 900 * G || y[p] > 1100 * G ) y[p] = 1000 * G;
    market( SF_MSG_POOL, pool( p, p % 3, p % 3 + 1, 1000 * G, y[p], 10 + i / 100 ), i );
    while( next() ) {
      sf_intent_t const * n = &got.i;
      assert( n->min_out >= n->amount_in + n->cost_lamports && n->amount_in <= G && n->token_in == 2 );
      for( uint32_t h = 0; h < n->hop_cnt; h++ )
        assert( n->hop[h].min_out && ( !h || n->hop[h].amount_in <= n->hop[h - 1].min_out ) );
      for( uint32_t b = 0; b < sizeof( *n ); b += 8 )
        hash = ( hash ^ sf_get_u64( (uint8_t const *)n + b ) ) * 0x9e3779b97f4a7c15UL + b;
      ++*intents;
      sf_denied_t d = { .intent = n->intent, .bot = 5 };
      if( sf_rng_below( &rng, 2 ) ) ok( sf_rig_inject( rig, "denied", SF_MSG_DENIED, 5, 0, &d, sizeof( d ) ) );
    }
  }
  sf_rig_close( rig );
  return hash;
}

int main( void ) {
  uint32_t first, second;
  test_intent();
  test_three_hops();
  test_under_way();
  test_hops();
  test_too_large();
  test_refusals();
  uint64_t hash = run_market( 5, &first );
  assert( hash == run_market( 5, &second ) && first == second && first > 40 );
  assert( hash != run_market( 6, &second ) );
  printf( "arb: ok (%u intents in the random market)\n", first );
  return 0;
}
