/* order_fixture.h: a small market, orders in it and their transactions, for the tests of build and sign.

   Pool p trades token p against token p+1 (token 0 is WSOL), except the last of the ring
   of three: pool 2 trades token 2 against WSOL.  So 0, 1, 2 is a cycle. */

#ifndef SF_TEST_ORDER_FIXTURE_H
#define SF_TEST_ORDER_FIXTURE_H

#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cpmm_fixture.h"
#include "shm/table.h"
#include "solana/base58.h"
#include "solana/program.h"
#include "solana/template.h"
#include "solana/transaction.h"
#include "tile/rig.h"
#include "trade/plan.h"

#define CHECK( c )                                                                 \
  do {                                                                             \
    if( !( c ) ) {                                                                 \
      fprintf( stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #c, sf_err_text() ); \
      exit( 1 );                                                                   \
    }                                                                              \
  } while( 0 )

#define RUN           1ul
#define ORDER( n )    ( RUN << 32 | ( n ) )
#define FIXTURE_POOLS 1500
#define LIMIT_BASE    5000u
#define LIMIT_HOP     80000u
#define PRICE         1000u

typedef struct fixture {
  uint8_t secret[64];
  uint8_t tip_account[32];
  uint8_t protect_account[32];
  sf_token_accounts_t wallet;
  char wallet_text[SF_PUBKEY_TEXT_MAX];
  char tip_text[SF_PUBKEY_TEXT_MAX];
  char protect_text[SF_PUBKEY_TEXT_MAX];
  char dir[64];
  char key_path[80];
  char lookups_path[80];
  sf_lookups_t lookups;
} fixture_t;

/* Fills 32 bytes that depend on kind and number only. */
static inline void fake_key( char const * kind, uint32_t number, uint8_t out[32] ) {
  char text[64];
  int n = snprintf( text, sizeof( text ), "%s %u", kind, number );
  crypto_hash_sha256( out, (uint8_t const *)text, (uint64_t)n );
}

static inline void token_mint( uint32_t token, uint8_t out[32] ) {
  if( token ) fake_key( "mint", token, out );
  else memcpy( out, sf_mint_wrapped_sol, 32 );
}

static inline void pool_make( uint32_t pool, sf_pool_row_t * row ) {
  fixture_update_t f = { 0 };
  f.u.pool           = pool;
  f.u.venue          = SF_VENUE_RAYDIUM_CPMM;
  f.u.token_a        = pool % 1000;
  f.u.token_b        = pool == 2 ? 0 : pool % 1000 + 1;
  f.u.state_bytes    = sizeof( f.s );
  fake_key( "pool", pool, f.s.pubkey );
  fake_key( "config", pool % 4, f.s.config );
  token_mint( f.u.token_a, f.s.mint[0] );
  token_mint( f.u.token_b, f.s.mint[1] );
  fake_key( "vault a", pool, f.s.vault[0] );
  fake_key( "vault b", pool, f.s.vault[1] );
  memcpy( f.s.program[0], f.u.token_a % 2 ? sf_program_token_2022 : sf_program_token, 32 );
  memcpy( f.s.program[1], f.u.token_b % 2 ? sf_program_token_2022 : sf_program_token, 32 );
  fake_key( "observation", pool, f.s.observation );
  fixture_pool_row( &f, row );
}

/* Three lookup tables: one with pools' accounts, one with mints and configs, one with nothing of ours.  As a file. */
static inline void lookups_make( fixture_t * f ) {
  sf_lookups_t * out = &f->lookups;
  out->cnt           = 3;
  for( uint32_t t = 0; t < 3; t++ ) fake_key( "lookup table", t, out->table[t].key );
  for( uint32_t i = 0; i < 40; i++ ) {
    sf_lookup_table_t * t = &out->table[0];
    fake_key( "pool", i, t->address[t->cnt++] );
    fake_key( "vault a", i, t->address[t->cnt++] );
    fake_key( "vault b", i, t->address[t->cnt++] );
    fake_key( "observation", i, t->address[t->cnt++] );
    token_mint( i, out->table[1].address[out->table[1].cnt++] );
    fake_key( "config", i, out->table[1].address[out->table[1].cnt++] );
    fake_key( "nothing", i, out->table[2].address[out->table[2].cnt++] );
  }
  memcpy( out->table[1].address[out->table[1].cnt++], f->tip_account, 32 ); /* which may not be looked up */
  memcpy( out->table[1].address[out->table[1].cnt++], sf_raydium_cpmm_program, 32 );
  snprintf( f->lookups_path, sizeof( f->lookups_path ), "%s/tables.json", f->dir );
  FILE * file = fopen( f->lookups_path, "w" );
  CHECK( file );
  for( uint32_t t = 0; t < out->cnt; t++ ) {
    char text[SF_PUBKEY_TEXT_MAX];
    sf_pubkey_encode( out->table[t].key, text );
    fprintf( file, "%s\"%s\": [", t ? "], " : "{", text );
    for( uint32_t i = 0; i < out->table[t].cnt; i++ ) {
      sf_pubkey_encode( out->table[t].address[i], text );
      fprintf( file, "%s\"%s\"", i ? ", " : "", text );
    }
  }
  fprintf( file, "]}\n" );
  fclose( file );
}

static inline void fixture_open( fixture_t * f ) {
  memset( f, 0, sizeof( *f ) );
  CHECK( sodium_init() >= 0 );
  crypto_sign_keypair( f->wallet.wallet, f->secret );
  fake_key( "tip", 0, f->tip_account );
  fake_key( "protect", 0, f->protect_account );
  sf_pubkey_encode( f->wallet.wallet, f->wallet_text );
  sf_pubkey_encode( f->tip_account, f->tip_text );
  sf_pubkey_encode( f->protect_account, f->protect_text );
  snprintf( f->dir, sizeof( f->dir ), "/tmp/sf-test-sign-XXXXXX" );
  CHECK( mkdtemp( f->dir ) );
  snprintf( f->key_path, sizeof( f->key_path ), "%s/key.json", f->dir );
  FILE * file = fopen( f->key_path, "w" );
  CHECK( file && !fchmod( fileno( file ), 0600 ) );
  for( int i = 0; i < 64; i++ ) fprintf( file, "%c%u", i ? ',' : '[', f->secret[i] );
  fprintf( file, "]\n" );
  fclose( file );
  lookups_make( f );
}

static inline void fixture_close( fixture_t * f ) {
  unlink( f->key_path );
  unlink( f->lookups_path );
  rmdir( f->dir );
}

static inline void pools_write( sf_rig_t * rig ) {
  sf_pool_row_t row;
  for( uint32_t i = 0; i < FIXTURE_POOLS; i++ ) {
    pool_make( i, &row );
    CHECK( !sf_table_write( sf_rig_table_of( rig, "pools" ), i, &row ) );
  }
}

static inline void chain_make( sf_chain_row_t * row ) {
  memset( row, 0, sizeof( *row ) );
  row->slot                    = 1000;
  row->block_height            = 900;
  row->last_valid_block_height = 1050;
  row->blockhash_slot          = 999;
  row->blockhash_ns            = sf_clock_ns();
  fake_key( "blockhash", 0, row->blockhash );
}

/* An order over the pools named, a to b in each; each hop gives at least what the next one takes. */
static inline void order_make( sf_order_t * order, uint64_t number, uint32_t hop_cnt, uint32_t const * pool,
                               uint64_t amount_in ) {
  sf_pool_row_t row;
  memset( order, 0, sizeof( *order ) );
  order->order                          = number;
  order->intent.intent                  = number & 0xffff;
  order->intent.bot                     = 3;
  order->intent.hop_cnt                 = (uint8_t)hop_cnt;
  order->intent.amount_in               = amount_in;
  order->intent.cu_price_micro_lamports = PRICE;
  for( uint32_t i = 0; i < hop_cnt; i++ ) {
    order->intent.hop[i] = ( sf_hop_t ){ .pool      = pool[i],
                                         .venue     = SF_VENUE_RAYDIUM_CPMM,
                                         .a_to_b    = 1,
                                         .amount_in = amount_in + 10 * i,
                                         .min_out   = amount_in + 10 * i + 10 };
  }
  pool_make( pool[0], &row );
  order->intent.token_in = row.update.token_a;
  pool_make( pool[hop_cnt - 1], &row );
  order->intent.token_out    = row.update.token_b;
  order->intent.min_out      = order->intent.hop[hop_cnt - 1].min_out;
  order->intent.expected_out = order->intent.min_out + 5;
  order->intent.kind         = row.update.token_b == order->intent.token_in ? SF_INTENT_CYCLE : SF_INTENT_SWAP;
}

/* The instructions that an order should become. */
typedef struct plan {
  sf_instruction_t instruction[SF_TEMPLATE_INSTRUCTION_MAX + 1];
  uint32_t cnt;
  uint8_t limit[SF_COMPUTE_LIMIT_BYTES];
  uint8_t price[SF_COMPUTE_PRICE_BYTES];
  uint8_t tip[SF_SYSTEM_TRANSFER_BYTES];
  sf_account_meta_t tip_account[2];
  sf_account_meta_t protect;
  sf_swap_t swap[SF_HOP_MAX];
  uint8_t data[SF_HOP_MAX][SF_SWAP_DATA_BYTES_MAX];
  sf_account_meta_t create[SF_HOP_MAX][SF_CREATE_ACCOUNTS];
  uint32_t create_cnt;
  uint32_t first_create;
  uint32_t first_swap;
  sf_lookups_t const * lookups; /* NULL = none */
} plan_t;

static inline uint32_t plan_units( sf_order_t const * order ) {
  uint32_t creates = order->intent.flags & SF_INTENT_CREATE ? order->intent.hop_cnt : 0;
  uint32_t units   = order->intent.cu_limit ? order->intent.cu_limit
                                            : LIMIT_BASE + LIMIT_HOP * order->intent.hop_cnt + 40000 * creates;
  return units + (uint32_t)( ( order->order + 2531ul * ( order->order >> 32 ) ) % 3072 );
}

static inline void plan_create( plan_t * p, fixture_t * f, uint32_t hop ) {
  sf_swap_t const * swap = &p->swap[hop];
  for( uint32_t k = 0; k < hop; k++ )
    if( p->swap[k].token_out == swap->token_out ) return;
  uint8_t const * key[SF_CREATE_ACCOUNTS] = { f->wallet.wallet, swap->user_out,    f->wallet.wallet,
                                              swap->mint_out,   sf_program_system, swap->program_out };
  sf_account_meta_t * account             = p->create[p->create_cnt++];
  for( uint32_t i = 0; i < SF_CREATE_ACCOUNTS; i++ ) {
    memcpy( account[i].pubkey, key[i], 32 );
    account[i].signer   = i == 0;
    account[i].writable = i < 2;
  }
  static uint8_t const idempotent[1] = { 1 };
  p->instruction[p->cnt++] = ( sf_instruction_t ){ sf_program_associated_token, account, idempotent, SF_CREATE_ACCOUNTS,
                                                   sizeof( idempotent ) };
}

static inline void plan_make( plan_t * p, fixture_t * f, sf_order_t const * order ) {
  sf_pool_row_t row;
  memset( p, 0, sizeof( *p ) );
  sf_compute_limit_data( p->limit, plan_units( order ) );
  sf_compute_price_data( p->price, order->intent.cu_price_micro_lamports );
  memcpy( p->protect.pubkey, f->protect_account, 32 );
  uint16_t protects = ( order->intent.flags & SF_INTENT_PROTECTED ) != 0;
  p->instruction[0] =
      ( sf_instruction_t ){ sf_program_compute_budget, &p->protect, p->limit, protects, sizeof( p->limit ) };
  p->instruction[1] = ( sf_instruction_t ){ sf_program_compute_budget, NULL, p->price, 0, sizeof( p->price ) };
  p->cnt            = 2;
  if( order->intent.tip_lamports ) {
    sf_system_transfer_data( p->tip, order->intent.tip_lamports );
    p->tip_account[0] = ( sf_account_meta_t ){ .signer = 1, .writable = 1 };
    p->tip_account[1] = ( sf_account_meta_t ){ .writable = 1 };
    memcpy( p->tip_account[0].pubkey, f->wallet.wallet, 32 );
    memcpy( p->tip_account[1].pubkey, f->tip_account, 32 );
    p->instruction[p->cnt++] = ( sf_instruction_t ){ sf_program_system, p->tip_account, p->tip, 2, sizeof( p->tip ) };
  }
  p->first_create = p->cnt;
  for( uint32_t i = 0; i < order->intent.hop_cnt; i++ ) {
    pool_make( order->intent.hop[i].pool, &row );
    CHECK( !sf_swap_make( &p->swap[i], &order->intent.hop[i], &row, &f->wallet ) );
    if( order->intent.flags & SF_INTENT_CREATE ) plan_create( p, f, i );
  }
  p->first_swap = p->cnt;
  for( uint32_t i = 0; i < order->intent.hop_cnt; i++ ) {
    sf_swap_t * swap                 = &p->swap[i];
    sf_raydium_cpmm_swap_t const ask = { order->intent.hop[i].amount_in, order->intent.hop[i].min_out, 1 };
    uint32_t len                     = sf_raydium_cpmm_swap_data( &ask, p->data[i] );
    p->instruction[p->cnt++]         = ( sf_instruction_t ){ swap->venue->program, swap->account, p->data[i],
                                                             (uint16_t)swap->account_cnt, (uint16_t)len };
  }
}

/* The message that the plan should become. */
static inline uint16_t plan_wire( plan_t const * p, uint8_t const payer[32], sf_order_t const * order,
                                  sf_chain_row_t const * chain, sf_wire_t * wire ) {
  memset( wire, 0, sizeof( *wire ) );
  int len = sf_message_compile( wire->tx + 65, SF_TX_MAX - 65, SF_VERSION_0, payer, p->instruction, p->cnt, p->lookups,
                                p->first_create, chain->blockhash, NULL, NULL );
  CHECK( len > 0 );
  wire->tx[0]                   = 1;
  wire->order                   = order->order;
  wire->last_valid_block_height = chain->last_valid_block_height;
  wire->blockhash_slot          = chain->blockhash_slot;
  wire->fee_lamports_max =
      sf_fee_lamports( 1, order->intent.cu_price_micro_lamports, plan_units( order ) ) + order->intent.tip_lamports;
  wire->bot         = order->intent.bot;
  wire->tx_len      = (uint16_t)( 65 + len );
  wire->message_off = 65;
  memcpy( wire->blockhash, chain->blockhash, 32 );
  return (uint16_t)( offsetof( sf_wire_t, tx ) + wire->tx_len );
}

/* A message read from a link. */
typedef struct received {
  sf_message_t head;
  union {
    sf_wire_t wire;
    sf_refused_t refused;
    uint8_t bytes[2048];
  };
} received_t;

/* Settles and reads one message; returns its kind, 0 if there is none. */
static inline uint32_t next_message( sf_rig_t * rig, char const * link, received_t * out ) {
  CHECK( sf_rig_settle( rig ) >= 0 );
  int got = sf_rig_read( rig, link, out, sizeof( *out ) );
  CHECK( got >= 0 );
  return got ? out->head.kind : 0;
}

#endif
