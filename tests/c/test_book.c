/* book: from raw accounts to market messages and tables; coherence, resets, bad bytes, Token-2022, opening times. */

#include <assert.h>
#include <stdio.h>

#include "solana/base58.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "cpmm_fixture.h"
#include "shm/table.h"
#include "tile/rig.h"

#define SNAPSHOT  SF_RAW_SNAPSHOT
#define SIMULATED SF_RAW_SIMULATED

static sf_rig_t * rig;
static fixture_account_t account;
static uint64_t origin; /* of the last account sent */

static void ok( int code ) {
  if( code < 0 ) {
    fprintf( stderr, "%s\n", sf_err_text() );
    abort();
  }
}

static void open_rig( uint32_t pools, uint32_t tokens ) {
  sf_rig_new( &rig );
  sf_rig_tile( rig, "book", "book", "slots_per_epoch=1000\n" );
  sf_rig_burst( rig, "book", 64 );
  sf_rig_link( rig, "raw", 0, 256, 1024 );
  sf_rig_edge( rig, "raw", "book", 1 );
  sf_rig_link( rig, "market", "book", 256, 3776 );
  sf_rig_table( rig, "pools", "book", sizeof( sf_pool_row_t ), pools );
  sf_rig_table( rig, "tokens", "book", sizeof( sf_token_row_t ), tokens );
  ok( sf_rig_start( rig ) );
}

static void send( void ) {
  ok( sf_rig_inject( rig, "raw", SF_MSG_ACCOUNT, 0, ++origin, &account, fixture_length( &account ) ) );
  ok( sf_rig_settle( rig ) );
}

static void send_slot( uint16_t kind, uint64_t slot ) {
  sf_raw_slot_t s = { .slot = slot };
  ok( sf_rig_inject( rig, "raw", kind, 0, ++origin, &s, sizeof( s ) ) );
  ok( sf_rig_settle( rig ) );
}

static struct {
  sf_message_t m;
  sf_pool_update_t u;
  sf_raydium_cpmm_state_t s;
  uint8_t more[SF_POOL_STATE_MAX];
} got;

/* The next market message: its kind, 0 if there is none. */
static int next( void ) {
  int n = sf_rig_read( rig, "market", &got, sizeof( got ) );
  ok( n );
  if( !n ) return 0;
  assert( got.m.length == sizeof( got.u ) + sizeof( got.s ) && got.u.state_bytes == sizeof( got.s ) &&
          got.m.tag == got.u.pool );
  assert( got.u.reserve[0] == got.s.reserve[0] && got.u.reserve[1] == got.s.reserve[1] );
  return got.m.kind;
}

static void state( uint32_t p, uint32_t a, uint32_t b, uint64_t slot, uint32_t flags, uint64_t protocol_fee ) {
  fixture_pool( &account, p, a, b, slot, flags );
  sf_put_u64( account.data + 341, protocol_fee );
  send();
}

static void vault( uint32_t p, uint32_t side, uint32_t mint, uint64_t amount, uint64_t slot, uint32_t flags ) {
  fixture_vault( &account, p, side, mint, amount, slot, flags );
  send();
}

static uint64_t counter( char const * name ) { return sf_rig_counter( rig, "book", name ); }

static sf_pool_row_t row_of( uint32_t p ) {
  sf_pool_row_t row;
  ok( sf_table_read( sf_rig_table_of( rig, "pools" ), p, &row ) );
  return row;
}

/* Pool 0 over WSOL and mint 1, read at slot 10 with reserves 1000 and 2000. */
static void first_read( void ) {
  state( 0, 0, 1, 10, SNAPSHOT | SIMULATED, 5 );
  fixture_config( &account, 2500, 500, 10, SNAPSHOT );
  send();
  vault( 0, 0, 0, 1005, 10, SNAPSHOT | SIMULATED );
  vault( 0, 1, 1, 2000, 10, SNAPSHOT | SIMULATED );
  fixture_mint( &account, 0, 10, SNAPSHOT );
  send();
  assert( !next() );
  fixture_mint( &account, 1, 10, SNAPSHOT );
  send();
  assert( next() == SF_MSG_POOL );
  assert( got.u.pool == 0 && got.u.slot == 10 && got.u.reserve[0] == 1000 && got.u.reserve[1] == 2000 &&
          got.s.rates.trade == 2500 );
  assert( got.s.creator_fee == 0 && got.u.flags == SF_POOL_SIMULATED && got.m.t_origin == origin );
  assert( !next() );
}

static void test_coherence( void ) {
  open_rig( 8, 8 );
  first_read();
  sf_pool_row_t row = row_of( 0 );
  assert( row.update.venue == SF_VENUE_RAYDIUM_CPMM && !row.stale && row.update.reserve[1] == 2000 &&
          row.update.token_a == 0 && row.update.token_b == 1 && row.market_seq == 0 );
  sf_token_row_t token;
  ok( sf_table_read( sf_rig_table_of( rig, "tokens" ), 1, &token ) );
  assert( token.decimals == 9 && !memcmp( token.mint, row.mint_b, 32 ) &&
          !memcmp( token.program, sf_program_token, 32 ) );

  /* one swap: published with the third part, with the numbers of all three */
  vault( 0, 0, 0, 1105, 11, 0 );
  vault( 0, 1, 1, 1900, 11, 0 );
  assert( !next() && row_of( 0 ).update.reserve[0] == 1000 );
  state( 0, 0, 1, 11, 0, 6 );
  assert( next() == SF_MSG_POOL && got.u.reserve[0] == 1099 && got.u.reserve[1] == 1900 && got.u.slot == 11 &&
          !( got.u.flags & SF_POOL_SIMULATED ) );
  assert( row_of( 0 ).update.reserve[0] == 1099 && row_of( 0 ).market_seq == got.m.seq &&
          row_of( 0 ).t_origin == origin );

  /* two swaps of a slot, interleaved */
  state( 0, 0, 1, 12, 0, 7 );
  state( 0, 0, 1, 12, 0, 8 );
  vault( 0, 0, 0, 1206, 12, 0 );
  vault( 0, 1, 1, 1800, 12, 0 );
  assert( !next() );
  vault( 0, 1, 1, 1700, 12, 0 );
  assert( !next() );
  vault( 0, 0, 0, 1308, 12, 0 );
  assert( next() == SF_MSG_POOL && got.u.reserve[0] == 1300 && got.u.reserve[1] == 1700 && !next() );

  /* only a vault changes: complete when the slot is over */
  vault( 0, 0, 0, 2008, 13, 0 );
  send_slot( SF_MSG_SLOT, 13 );
  assert( !next() );
  send_slot( SF_MSG_SLOT, 14 );
  assert( next() == SF_MSG_POOL && got.u.reserve[0] == 2000 && got.u.slot == 13 && !next() );
  send_slot( SF_MSG_SLOT, 15 );
  assert( !next() );

  /* older bytes are not taken */
  vault( 0, 0, 0, 1, 12, 0 );
  assert( counter( "old_accounts" ) == 1 );
  send_slot( SF_MSG_SLOT, 16 );
  assert( !next() );

  /* new rates hold at once */
  fixture_config( &account, 3000, 500, 16, 0 );
  send();
  assert( next() == SF_MSG_POOL && got.s.rates.trade == 3000 && got.u.reserve[0] == 2000 );
  send();
  assert( !next() ); /* the same again is no news */
  sf_rig_close( rig );
}

static void test_bad( void ) {
  open_rig( 8, 8 );
  first_read();
  /* a vault of another owner, then of another mint, then good again */
  fixture_vault( &account, 0, 0, 0, 1005, 11, 0 );
  account.data[32] ^= 1;
  send();
  assert( next() == SF_MSG_STALE && got.u.pool == 0 && row_of( 0 ).stale && counter( "malformed_accounts" ) == 1 );
  fixture_vault( &account, 0, 0, 1, 1005, 11, 0 );
  send();
  assert( !next() && counter( "malformed_accounts" ) == 2 );
  vault( 0, 0, 0, 1105, 12, 0 );
  send_slot( SF_MSG_SLOT, 13 );
  assert( next() == SF_MSG_POOL && got.u.reserve[0] == 1100 && !row_of( 0 ).stale );

  /* a shorter pool, one with another config */
  state( 0, 0, 1, 14, 0, 5 );
  send_slot( SF_MSG_SLOT, 15 );
  assert( next() == SF_MSG_POOL );
  fixture_pool( &account, 0, 0, 1, 16, 0 );
  account.raw.data_len = 100;
  send();
  assert( next() == SF_MSG_STALE );
  fixture_pool( &account, 0, 0, 1, 16, 0 );
  account.data[8] ^= 1;
  send();
  assert( !next() && row_of( 0 ).stale );
  state( 0, 0, 1, 17, 0, 5 );
  send_slot( SF_MSG_SLOT, 18 );
  assert( next() == SF_MSG_POOL && !row_of( 0 ).stale );

  /* vaults that owe more than they hold */
  state( 0, 0, 1, 19, 0, 5000 );
  vault( 0, 0, 0, 1105, 19, 0 );
  vault( 0, 1, 1, 2000, 19, 0 );
  assert( next() == SF_MSG_STALE );
  /* a config that does not decode */
  state( 0, 0, 1, 20, 0, 5 );
  vault( 0, 0, 0, 1105, 20, 0 );
  vault( 0, 1, 1, 2000, 20, 0 );
  assert( next() == SF_MSG_POOL );
  fixture_config( &account, 999999, 500, 21, 0 );
  send();
  assert( next() == SF_MSG_STALE );
  fixture_config( &account, 100, 500, 22, 0 );
  send();
  assert( next() == SF_MSG_POOL && got.s.rates.trade == 100 );

  /* the program's switch */
  fixture_pool( &account, 0, 0, 1, 23, 0 );
  account.data[329] = 4;
  send();
  send_slot( SF_MSG_SLOT, 24 );
  assert( next() == SF_MSG_POOL && got.u.flags & SF_POOL_DISABLED && row_of( 0 ).update.flags & SF_POOL_DISABLED );
  assert( counter( "disabled_by_program" ) == 1 );
  /* a frozen vault */
  state( 0, 0, 1, 25, 0, 5 );
  send_slot( SF_MSG_SLOT, 26 );
  assert( next() == SF_MSG_POOL && !( got.u.flags & SF_POOL_DISABLED ) );
  fixture_vault( &account, 0, 1, 1, 2000, 27, 0 );
  account.data[108] = 2;
  send();
  send_slot( SF_MSG_SLOT, 28 );
  assert( next() == SF_MSG_POOL && got.u.flags & SF_POOL_DISABLED && counter( "disabled_by_frozen" ) == 1 );

  /* strangers, and messages that lie about their length */
  uint64_t before = counter( "malformed_accounts" );
  fixture_vault( &account, 9, 0, 1, 2000, 27, 0 );
  send();
  assert( counter( "unknown_accounts" ) == 1 );
  account.raw.data_len = 900;
  ok( sf_rig_inject( rig, "raw", SF_MSG_ACCOUNT, 0, 0, &account, 200 ) );
  ok( sf_rig_inject( rig, "raw", SF_MSG_ACCOUNT, 0, 0, &account, 20 ) );
  ok( sf_rig_inject( rig, "raw", SF_MSG_SLOT, 0, 0, &account, 31 ) );
  ok( sf_rig_inject( rig, "raw", 999, 0, 0, &account, 32 ) );
  ok( sf_rig_settle( rig ) );
  assert( counter( "malformed_accounts" ) == before + 3 && !next() );
  sf_rig_close( rig );
}

/* A pool that is no longer followed is forgotten; when it comes back it is another one. */
static void test_forgotten( void ) {
  open_rig( 8, 8 );
  first_read();
  uint64_t bad = counter( "malformed_accounts" );
  for( uint32_t part = 0; part < 3; part++ ) {
    if( part ) fixture_vault( &account, 0, part - 1, part - 1, 0, 12, 0 );
    else fixture_pool( &account, 0, 0, 1, 12, 0 );
    account.raw.data_len = 0;
    send();
  }
  assert( next() == SF_MSG_STALE && got.u.pool == 0 && row_of( 0 ).stale && !next() );
  assert( counter( "closed_accounts" ) == 1 && counter( "malformed_accounts" ) == bad );
  vault( 0, 0, 0, 1105, 13, 0 ); /* of nobody that is known */
  vault( 0, 1, 1, 2000, 13, 0 );
  send_slot( SF_MSG_SLOT, 14 );
  assert( !next() );
  state( 0, 0, 1, 15, SNAPSHOT, 5 );
  vault( 0, 0, 0, 1205, 15, SNAPSHOT );
  vault( 0, 1, 1, 2000, 15, SNAPSHOT );
  assert( next() == SF_MSG_POOL && got.u.pool == 1 && got.u.reserve[0] == 1200 && got.u.token_a == 0 );
  assert( row_of( 0 ).stale && !row_of( 1 ).stale && !memcmp( row_of( 0 ).pool, row_of( 1 ).pool, 32 ) );
  send_slot( SF_MSG_RESET, 0 );
  assert( next() == SF_MSG_STALE && got.u.pool == 1 && !next() );
  sf_rig_close( rig );
}

/* Time is the wall clock's until the chain's own is known, and then that one's, wherever it stands. */
static void test_clock( void ) {
  open_rig( 8, 8 );
  first_read();
  vault( 0, 0, 0, 1105, 12, 0 );
  send_slot( SF_MSG_SLOT, 13 );
  assert( next() == SF_MSG_POOL );
  int64_t const old = 1234567;
  assert( got.u.unix_s != (uint64_t)old );
  memset( &account, 0, sizeof( account ) );
  assert( !sf_pubkey_decode( "SysvarC1ock11111111111111111111111111111111", account.raw.pubkey ) );
  account.raw.slot     = 13;
  account.raw.data_len = 40;
  memcpy( account.data + 32, &old, sizeof( old ) );
  send();
  assert( !next() && !counter( "malformed_accounts" ) && !counter( "unknown_accounts" ) );
  vault( 0, 0, 0, 1205, 14, 0 );
  send_slot( SF_MSG_SLOT, 15 );
  assert( next() == SF_MSG_POOL && got.u.unix_s == (uint64_t)old );
  account.raw.data_len = 39;
  memset( account.raw.owner, 0, 32 );
  assert( !sf_pubkey_decode( "SysvarC1ock11111111111111111111111111111111", account.raw.pubkey ) );
  send();
  assert( !next() && counter( "malformed_accounts" ) == 1 );
  sf_rig_close( rig );
}

static void test_reset( void ) {
  open_rig( 8, 8 );
  first_read();
  state( 1, 1, 0, 10, SNAPSHOT, 0 );
  vault( 1, 0, 1, 500, 10, SNAPSHOT );
  vault( 1, 1, 0, 700, 10, SNAPSHOT );
  assert( next() == SF_MSG_POOL && got.u.pool == 1 && got.u.token_a == 1 && got.u.token_b == 0 );
  vault( 1, 0, 1, 501, 11, 0 ); /* waits for its slot to end */
  send_slot( SF_MSG_RESET, 0 );
  assert( next() == SF_MSG_STALE && got.u.pool == 0 );
  assert( next() == SF_MSG_STALE && got.u.pool == 1 && row_of( 0 ).stale && row_of( 1 ).stale );
  send_slot( SF_MSG_SLOT, 20 );
  assert( !next() );
  /* an older slot is fine in a new read; all three parts are needed */
  state( 0, 0, 1, 9, SNAPSHOT, 5 );
  vault( 0, 0, 0, 1305, 9, SNAPSHOT );
  assert( !next() );
  vault( 0, 1, 1, 2000, 9, SNAPSHOT );
  assert( next() == SF_MSG_POOL && got.u.pool == 0 && got.u.reserve[0] == 1300 && !row_of( 0 ).stale &&
          row_of( 1 ).stale );
  assert( counter( "resets" ) == 1 );
  sf_rig_close( rig );
}

/* Mint 1 as one of Token-2022 with two transfer fees: 3 basis points before the newer one's epoch, then 263. */
static void fee_mint( uint32_t newer ) {
  fixture_mint( &account, 1, 10, SNAPSHOT );
  memcpy( account.raw.owner, sf_program_token_2022, 32 );
  account.raw.data_len     = 166 + 112;
  account.data[165]        = 1;
  account.data[166]        = 1;
  account.data[168]        = 108;
  account.data[newer]      = 7;
  account.data[newer + 1]  = 1;
  account.data[newer - 18] = 3;
  account.data[newer - 8]  = 0xff; /* maxima */
  account.data[newer - 26] = 0xff;
}

static void test_mints( void ) {
  open_rig( 2, 3 );
  /* a Token-2022 mint with a transfer fee */
  uint32_t fee_at = 166 + 4 + 106;
  fixture_pool( &account, 0, 0, 1, 10, SNAPSHOT );
  memcpy( account.data + 264, sf_program_token_2022, 32 );
  send();
  fixture_config( &account, 2500, 500, 10, SNAPSHOT );
  send();
  vault( 0, 0, 0, 1000, 10, SNAPSHOT );
  fixture_vault( &account, 0, 1, 1, 2000, 10, SNAPSHOT );
  memcpy( account.raw.owner, sf_program_token_2022, 32 );
  account.raw.data_len = 178;
  account.data[165]    = 2;
  send();
  fixture_mint( &account, 0, 10, SNAPSHOT );
  send();
  fee_mint( fee_at );
  send();
  /* priced with the newer fee, whose epoch is 0 */
  assert( next() == SF_MSG_POOL && !got.u.flags && got.s.transfer_fee[1].bps == 7 + 256 && !got.s.transfer_fee[0].bps );
  sf_quote_t with, without;
  sf_pool_quote_in( &got.u, 1, 500, &with );
  got.s.transfer_fee[1].bps = 0;
  sf_pool_quote_in( &got.u, 1, 500, &without );
  assert( with.status == SF_QUOTE_OK && with.amount_out < without.amount_out );
  /* from epoch 1 on it is another; nothing else changes */
  sf_put_u64( account.data + 170 + 90, 1 );
  send();
  assert( next() == SF_MSG_POOL && got.s.transfer_fee[1].bps == 3 );
  fixture_mint( &account, 0, 999, 0 );
  send();
  assert( !next() );
  fixture_mint( &account, 0, 1000, 0 );
  send();
  assert( next() == SF_MSG_POOL && got.s.transfer_fee[1].bps == 7 + 256 && got.u.slot == 10 && !next() );
  /* a supply is no part of this venue's price */
  fee_mint( fee_at );
  account.data[fee_at - 18 - 72] = 0;
  account.data[36]               = 5;
  send();
  while( next() ) {}
  account.data[36] = 6;
  send();
  assert( !next() );
  account.data[fee_at] = account.data[fee_at + 1] = 0;
  account.data[fee_at - 18] = account.data[fee_at - 17] = 0;
  send();
  assert( next() == SF_MSG_POOL && !got.u.flags && !got.s.transfer_fee[1].bps );
  account.data[166] = 14;
  send();
  assert( next() == SF_MSG_POOL && got.u.flags == SF_POOL_DISABLED && counter( "disabled_by_extension" ) == 1 );
  /* decimals that are not those of the pool */
  account.data[166] = 18;
  account.data[44]  = 3;
  send();
  assert( next() == SF_MSG_STALE );
  account.data[44] = 9;
  send();
  assert( next() == SF_MSG_POOL && !got.u.flags );

  /* room: three tokens, two pools */
  state( 1, 0, 2, 10, SNAPSHOT, 0 );
  state( 2, 0, 1, 10, SNAPSHOT, 0 );
  assert( counter( "refused_no_room" ) == 1 && sf_rig_table_of( rig, "pools" )->used == 2 &&
          sf_rig_table_of( rig, "tokens" )->used == 3 );
  sf_rig_close( rig );
}

static void test_opening( void ) {
  open_rig( 4, 4 );
  origin = sf_clock_ns(); /* the time is that of the messages */
  first_read();
  uint64_t opens = sf_clock_real_ns() / 1000000000UL + 60;
  fixture_pool( &account, 0, 0, 1, 11, 0 );
  sf_put_u64( account.data + 373, opens );
  send();
  send_slot( SF_MSG_SLOT, 12 );
  assert( next() == SF_MSG_POOL && got.u.flags & SF_POOL_DISABLED && got.u.open_time == opens &&
          counter( "disabled_until_open" ) == 1 );
  uint64_t seconds = 0;
  for( ; !next() && seconds < 100; seconds++ ) {
    origin += 1000000000UL;
    send_slot( SF_MSG_SLOT, 13 );
  }
  assert( got.m.kind == SF_MSG_POOL && !( got.u.flags & SF_POOL_DISABLED ) && seconds > 50 && seconds < 70 );
  sf_rig_close( rig );
}

/* Random accounts with random damage: never a crash, and what is published is what a pool can be. */
static void test_damage( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 3 );
  open_rig( 16, 8 );
  for( uint32_t i = 0; i < 60000; i++ ) {
    uint32_t p = (uint32_t)sf_rng_below( &rng, 20 ), a = p % 7, b = ( p + 1 + p % 3 ) % 9;
    uint64_t slot  = 1 + i / 100 + sf_rng_below( &rng, 3 );
    uint32_t flags = sf_rng_below( &rng, 4 ) ? 0 : SNAPSHOT;
    switch( sf_rng_below( &rng, 6 ) ) {
    case 0: fixture_pool( &account, p, a, b, slot, flags ); break;
    case 1: fixture_config( &account, 2500, 500, slot, flags ); break;
    case 2: fixture_vault( &account, p, 0, a, sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ), slot, flags ); break;
    case 3: fixture_vault( &account, p, 1, b, sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ), slot, flags ); break;
    default: fixture_mint( &account, (uint32_t)sf_rng_below( &rng, 9 ), slot, flags ); break;
    }
    if( !sf_rng_below( &rng, 8 ) )
      account.data[sf_rng_below( &rng, account.raw.data_len )] ^= (uint8_t)sf_rng_next( &rng );
    if( !sf_rng_below( &rng, 16 ) ) account.raw.data_len = (uint32_t)sf_rng_below( &rng, 700 );
    if( !sf_rng_below( &rng, 64 ) ) account.raw.owner[0] ^= 1;
    ok( sf_rig_inject( rig, "raw", SF_MSG_ACCOUNT, 0, 0, &account, fixture_length( &account ) ) );
    if( !sf_rng_below( &rng, 200 ) ) {
      sf_raw_slot_t s = { .slot = slot };
      ok( sf_rig_inject( rig, "raw", sf_rng_below( &rng, 4 ) ? SF_MSG_SLOT : SF_MSG_RESET, 0, 0, &s, sizeof( s ) ) );
    }
    ok( sf_rig_step( rig ) );
    while( next() )
      assert( got.u.pool < 16 && got.u.token_a != got.u.token_b && got.s.rates.trade + got.s.creator_fee < 1000000 );
  }
  sf_rig_close( rig );
}

int main( void ) {
  test_coherence();
  test_bad();
  test_forgotten();
  test_clock();
  test_reset();
  test_mints();
  test_opening();
  test_damage();
  printf( "book: ok\n" );
  return 0;
}
