/* book: account bytes in, priced pools out.

     raw ──▶ pools (dex/pools.h) ──▶ market
                        └──▶ tables pools, tokens

   The one tile that knows what accounts mean; the store behind it does the work.  Rows of `pools` and
   `tokens` are given out in the order met and never change hands.

   Time is that of the messages, so that a replay has the same: what the chain's Clock account last said, and as long as
   it has not come, the wall clock when the newest message came in. */

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "dex/pools.h"
#include "shm/table.h"
#include "tile/tile.h"

#define CLOCK_BYTES  40  /* of the Clock sysvar's account */
#define CLOCK_UNIX_S 32  /* offset in it */
#define DRAIN_MAX    64  /* messages published per message of raw; the burst must be as large */
#define USUAL        704 /* bytes of an update and its state: as many as most have */

enum { G_POOLS, G_STALE, G_TOKENS, G_CNT };

static char const * const counter_names[SF_POOLS_COUNTS] = {
  [SF_POOLS_MALFORMED] = "malformed_accounts",
  [SF_POOLS_UNKNOWN]   = "unknown_accounts",
  [SF_POOLS_OLD]       = "old_accounts",
  [SF_POOLS_CLOSED]    = "closed_accounts",
  [SF_POOLS_NO_ROOM]   = "refused_no_room",
  [SF_POOLS_STATUS]    = "disabled_by_program",
  [SF_POOLS_EXTENSION] = "disabled_by_extension",
  [SF_POOLS_FROZEN]    = "disabled_by_frozen",
  [SF_POOLS_NOT_OPEN]  = "disabled_until_open",
  [SF_POOLS_RESETS]    = "resets",
};
static char const * const gauge_names[G_CNT] = { "pools_known", "pools_stale", "tokens_known" };

typedef struct book {
  sf_pools_t store;
  sf_tile_t * tile;
  sf_table_t * pools;
  sf_table_t * tokens;
  uint64_t chain_s;        /* unix seconds by the Clock account; 0 = it has not come */
  uint64_t wall_ns;        /* wall clock when the newest message of raw came in, by its t_origin */
  uint64_t wall_offset_ns; /* wall clock minus engine clock, as it was when the run began */
  uint32_t out;
  int counter[SF_POOLS_COUNTS];
  int gauge[G_CNT];
} book_t;

/* -- tables and messages ---------------------------------------------------- */

/* At once, not when its message goes out: risk reads that it is stale. */
static void pool_row( void * owner, uint32_t p ) {
  book_t * b          = owner;
  sf_pool_row_t * row = sf_row_begin( b->pools, p );
  sf_pools_row( &b->store, p, row );
  sf_row_end( b->pools, p, row );
}

static void fetch( void const * at, uint32_t bytes ) {
  for( uint32_t line = 0; line < bytes; line += SF_LINE ) __builtin_prefetch( (uint8_t const *)at + line, 1 );
}

/* What a change of this pool is written to was last touched long ago: fetched while its accounts come. */
static void pool_fetch( void * owner, uint32_t p ) {
  book_t * b = owner;
  fetch( &b->store.at[p], USUAL );
  fetch( sf_table_row( b->pools, p ), (uint32_t)offsetof( sf_pool_row_t, update ) + USUAL );
  sf_tile_prefetch( b->tile, b->out, sizeof( sf_message_t ) + USUAL );
}

static void token_row( void * owner, uint32_t token ) {
  book_t * b                = owner;
  sf_mint_entry_t const * e = &b->store.mints.entry[token];
  sf_token_row_t row        = { .decimals = e->about.decimals, .flags = e->about.flags };
  memcpy( row.mint, e->mint, 32 );
  memcpy( row.program, e->program, 32 );
  sf_table_write( b->tokens, token, &row );
}

static void pool_publish( sf_tile_t * t, book_t * b, uint32_t p ) {
  sf_pool_entry_t const * pool = &b->store.pool[p];
  sf_pool_slot_t const * at    = &b->store.at[p];
  uint32_t bytes               = (uint32_t)sizeof( at->update ) + at->update.state_bytes;
  sf_message_t * m             = sf_tile_claim( t, b->out );
  sf_pool_row_t * row          = sf_row_begin( b->pools, p );
  sf_pools_row( &b->store, p, row );
  row->market_seq = sf_tile_seq( t, b->out );
  sf_row_end( b->pools, p, row );
  memcpy( m + 1, at, bytes );
  sf_tile_publish( t, b->out, m, pool->stale ? SF_MSG_STALE : SF_MSG_POOL, (uint16_t)bytes, p, pool->t_origin );
}

/* At the end of a message of raw and nowhere else, so that what goes out between two of them is a function
   of raw alone: a replay, whose turns are cut otherwise, gives the same messages. */
static void drain( sf_tile_t * t, book_t * b ) {
  uint32_t p;
  for( int done = 0; done < DRAIN_MAX && sf_tile_may_publish( t, b->out ) && sf_pools_changed( &b->store, &p ); done++ )
    pool_publish( t, b, p );
}

/* -- hooks ---------------------------------------------------------------- */

/* SysvarC1ock11111111111111111111111111111111 */
static uint8_t const clock_key[32] = { 0x06, 0xa7, 0xd5, 0x17, 0x18, 0xc7, 0x74, 0xc9, 0x28, 0x56, 0x63,
                                       0x98, 0x69, 0x1d, 0x5e, 0xb6, 0x8b, 0x5e, 0xb8, 0xa3, 0x9b, 0x4b,
                                       0x6d, 0x5c, 0x73, 0x55, 0x5b, 0x21, 0x00, 0x00, 0x00, 0x00 };

static int on_clock( book_t * b, uint8_t const * data, uint32_t len ) {
  if( !len ) return 0; /* no longer followed: the last word stands */
  if( len != CLOCK_BYTES ) return SF_ERR_DATA;
  int64_t unix_s;
  memcpy( &unix_s, data + CLOCK_UNIX_S, sizeof( unix_s ) );
  if( unix_s <= 0 ) return SF_ERR_DATA;
  b->chain_s = (uint64_t)unix_s;
  sf_pools_time( &b->store, b->chain_s );
  return 0;
}

static int on_account( book_t * b, sf_message_t const * m ) {
  sf_raw_account_t const * raw = (sf_raw_account_t const *)( m + 1 );
  if( m->length < sizeof( *raw ) || raw->data_len != m->length - sizeof( *raw ) ) return SF_ERR_DATA;
  if( !memcmp( raw->pubkey, clock_key, 32 ) ) return on_clock( b, (uint8_t const *)( raw + 1 ), raw->data_len );
  sf_pools_account( &b->store, raw, m->t_origin );
  return 0;
}

/* Takes over what the store counted. */
static void count( sf_tile_t * t, book_t * b ) {
  for( uint32_t i = 0; i < SF_POOLS_COUNTS; i++ ) {
    sf_tile_count( t, b->counter[i], b->store.count[i] );
    b->store.count[i] = 0;
  }
  b->store.counted = 0;
}

static void book_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  (void)in;
  book_t * b               = sf_tile_state( t );
  sf_raw_slot_t const slot = m->length == sizeof( slot ) ? *(sf_raw_slot_t const *)( m + 1 ) : ( sf_raw_slot_t ){ 0 };
  int good                 = 1;
  if( m->t_origin && m->t_origin + b->wall_offset_ns > b->wall_ns ) b->wall_ns = m->t_origin + b->wall_offset_ns;
  sf_pools_time( &b->store, b->chain_s ? b->chain_s : b->wall_ns / 1000000000UL );
  if( m->kind == SF_MSG_ACCOUNT ) good = !on_account( b, m );
  else if( m->length != sizeof( slot ) ) good = 0;
  else if( m->kind == SF_MSG_SLOT ) sf_pools_slot( &b->store, slot.slot );
  else if( m->kind == SF_MSG_RESET ) sf_pools_reset( &b->store, m->t_origin );
  if( !good ) sf_pools_count( &b->store, SF_POOLS_MALFORMED );
  if( b->store.counted ) count( t, b );
  drain( t, b );
}

static void book_house( sf_tile_t * t, uint64_t now_ns ) {
  (void)now_ns;
  book_t * b = sf_tile_state( t );
  sf_tile_set( t, b->gauge[G_POOLS], b->store.cnt );
  sf_tile_set( t, b->gauge[G_STALE], b->store.stale_cnt );
  sf_tile_set( t, b->gauge[G_TOKENS], b->store.mints.cnt );
}

static void book_fini( sf_tile_t * t ) {
  book_t * b = sf_tile_state( t );
  sf_pools_close( &b->store );
}

static int book_init( sf_tile_t * t ) {
  book_t * b = sf_tile_state( t );
  b->pools   = sf_tile_table( t, "pools" );
  b->tokens  = sf_tile_table( t, "tokens" );
  if( !b->pools || !b->tokens ) return SF_ERR_NOTFOUND;
  if( b->pools->row_bytes != sizeof( sf_pool_row_t ) || b->tokens->row_bytes != sizeof( sf_token_row_t ) )
    return sf_err_set( SF_ERR_ABI, "book: rows of pools and tokens have %u and %u bytes", b->pools->row_bytes,
                       b->tokens->row_bytes );
  int out = sf_tile_out( t, "market" );
  if( out < 0 ) return out;
  b->out = (uint32_t)out;
  if( sf_tile_out_payload( t, b->out ) < sizeof( sf_pool_slot_t ) )
    return sf_err_set( SF_ERR_LIMIT, "book: a slot of market holds a payload of %u bytes; make slot_bytes %lu",
                       sf_tile_out_payload( t, b->out ), sizeof( sf_message_t ) + sizeof( sf_pool_slot_t ) );
  b->wall_offset_ns = sf_clock_real_ns() - sf_clock_ns();
  if( sf_tile_param( t, "wall_offset_ns" ) ) {
    int err = sf_tile_param_u64( t, "wall_offset_ns", 0, UINT64_MAX, &b->wall_offset_ns );
    if( err ) return err;
  }
  uint64_t slots_per_epoch;
  int err = sf_tile_param_u64( t, "slots_per_epoch", 1, UINT32_MAX, &slots_per_epoch );
  if( err ) return err;
  for( uint32_t i = 0; i < SF_POOLS_COUNTS; i++ )
    if( ( b->counter[i] = sf_tile_counter( t, counter_names[i] ) ) < 0 ) return b->counter[i];
  for( uint32_t i = 0; i < G_CNT; i++ )
    if( ( b->gauge[i] = sf_tile_gauge( t, gauge_names[i] ) ) < 0 ) return b->gauge[i];
  err               = sf_pools_open( &b->store, b->pools->row_cnt, b->tokens->row_cnt, slots_per_epoch );
  b->store.owner    = b;
  b->store.on_pool  = pool_row;
  b->store.on_mint  = token_row;
  b->store.on_touch = pool_fetch;
  b->tile           = t;
  return err;
}

sf_tile_ops_t const sf_tile_book = {
  .kind        = "book",
  .flags       = SF_TILE_IN_PLACE,
  .state_bytes = sizeof( book_t ),
  .init        = book_init,
  .msg         = book_msg,
  .house       = book_house,
  .fini        = book_fini,
};
