/* book: account bytes in, priced pools out.

     raw ──▶ account map ──▶ decode ──▶ coherent? ──▶ pools, tokens ──▶ market

   The one tile that knows what accounts mean.  A pool is met when its state account comes; that
   names its config, vaults and mints, so these are known when they come after it.  Rows of `pools` and
   `tokens` are given out in the order met and never change hands.

   A pool is made of three parts that change together: its state and two vaults.  A price made of parts
   of different moments never existed, so a pool is published only when the parts have the same slot and
   have been updated equally often in it, or when the feed says that nothing more of that slot will come.
   Parts of a consistent read count as not updated.  The config and the mints are not parts: they change
   alone, and take effect at once.

   Whatever does not decode makes its pool stale: not to be traded until good bytes come.  After
   SF_MSG_RESET all pools are stale until their parts have been read again. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "dex/account_map.h"
#include "dex/parts.h"
#include "dex/token.h"
#include "dex/venue.h"
#include "shm/table.h"
#include "tile/tile.h"

#define CONFIG_MAX 1024
#define DRAIN_MAX  64 /* messages published per message of raw; the burst must be as large */

#define ENTRY_POOL   1 /* index: row of pools */
#define ENTRY_CONFIG 2 /* index into config */
#define ENTRY_VAULT  3 /* index: 2*pool + side */
#define ENTRY_MINT   4 /* index: row of tokens */

typedef struct book_config {
  sf_pool_config_t config;
  uint32_t known;
} book_config_t;

typedef struct book_token {
  sf_mint_t mint;
  uint32_t known;
} book_token_t;

typedef struct book_pool {
  sf_venue_t const * venue;
  sf_pool_state_t state;
  sf_pool_update_t update; /* the last coherent state */
  uint64_t t_origin;
  uint64_t amount[2]; /* of the vaults */
  sf_parts_t parts;
  uint32_t config; /* index into config */
  uint8_t frozen;  /* bit per frozen vault */
  uint8_t simulated;
  uint8_t stale;
  uint8_t published; /* a message about it went out */
  uint8_t queued;
  uint8_t waiting;  /* for the end of a slot, in the list */
  uint8_t disabled; /* reason counted: index into `reason` plus 1 */
} book_pool_t;

enum {
  C_MALFORMED,
  C_UNKNOWN,
  C_OLD,
  C_NO_ROOM,
  C_STATUS,
  C_TRANSFER_FEE,
  C_EXTENSION,
  C_FROZEN,
  C_NOT_OPEN,
  C_RESETS,
  C_CNT
};
enum { G_POOLS, G_STALE, G_TOKENS, G_CNT };

static char const * const counter_names[C_CNT] = {
  "malformed_accounts",    "unknown_accounts",
  "old_accounts",          "refused_no_room",
  "disabled_by_program",   "disabled_by_transfer_fee",
  "disabled_by_extension", "disabled_by_frozen",
  "disabled_until_open",   "resets",
};
static char const * const gauge_names[G_CNT] = { "pools_known", "pools_stale", "tokens_known" };

typedef struct book {
  sf_table_t * pools;
  sf_table_t * tokens;
  sf_account_map_t map;
  book_pool_t * pool;
  book_token_t * token;
  book_config_t * config;
  uint32_t * queue; /* ring of pools to publish; a pool is in it once */
  uint32_t * waiting;
  uint32_t pool_cnt, token_cnt, config_cnt, waiting_cnt, stale_cnt;
  uint64_t queue_head, queue_tail;
  uint64_t next_open;      /* unix seconds; UINT64_MAX = no pool waits for its opening */
  uint64_t wall_ns;        /* wall clock when the newest message of raw came in, by its t_origin */
  uint64_t wall_offset_ns; /* wall clock minus engine clock, as it was when the run began */
  uint32_t out;
  int counter[C_CNT];
  int gauge[G_CNT];
} book_t;

/* -- publishing ----------------------------------------------------------- */

static void queue_put( book_t * b, uint32_t p ) {
  if( b->pool[p].queued ) return;
  b->pool[p].queued                             = 1;
  b->queue[b->queue_tail++ % b->pools->row_cnt] = p;
}

static void pool_publish( sf_tile_t * t, book_t * b, uint32_t p ) {
  book_pool_t * pool         = &b->pool[p];
  sf_pool_update_t const * u = &pool->update;
  sf_message_t * m           = sf_tile_claim( t, b->out );
  sf_pool_row_t * row        = sf_row_begin( b->pools, p );
  row->slot                  = u->slot;
  row->reserve_a             = u->reserve_a;
  row->reserve_b             = u->reserve_b;
  row->trade_fee_ppm         = u->trade_fee_ppm;
  row->creator_fee_ppm       = u->creator_fee_ppm;
  row->creator_fee_on        = u->creator_fee_on;
  row->open_time             = u->open_time;
  row->flags                 = u->flags;
  row->stale                 = pool->stale;
  row->market_seq            = sf_tile_seq( t, b->out );
  row->t_origin              = pool->t_origin;
  memcpy( row->more, u->more, sizeof( row->more ) );
  sf_row_end( b->pools, p, row );
  memcpy( m + 1, u, sizeof( *u ) );
  sf_tile_publish( t, b->out, m, pool->stale ? SF_MSG_STALE : SF_MSG_POOL, sizeof( *u ), p, pool->t_origin );
  pool->published = 1;
  pool->queued    = 0;
}

/* At the end of a message of raw and nowhere else, so that what goes out between two of them is a function
   of raw alone: a replay, whose turns are cut otherwise, gives the same messages. */
static void drain( sf_tile_t * t, book_t * b ) {
  for( int done = 0; b->queue_head != b->queue_tail && done < DRAIN_MAX && sf_tile_credit( t, b->out ); done++ )
    pool_publish( t, b, b->queue[b->queue_head++ % b->pools->row_cnt] );
}

static void pool_stale( book_t * b, uint32_t p ) {
  book_pool_t * pool = &b->pool[p];
  if( pool->stale ) return;
  pool->stale = 1;
  b->stale_cnt++;
  if( pool->published ) queue_put( b, p );
  sf_pool_row_t * row = sf_row_begin( b->pools, p ); /* at once: risk reads it */
  row->stale          = 1;
  sf_row_end( b->pools, p, row );
}

/* -- a pool becomes a price ------------------------------------------------ */

/* Why the pool may not be traded although its price is known: a counter, or -1. */
static int disabled_reason( book_t * b, book_pool_t const * pool, sf_pool_update_t const * u ) {
  uint32_t mint = b->token[u->token_a].mint.flags | b->token[u->token_b].mint.flags;
  if( u->flags & SF_POOL_DISABLED ) return C_STATUS;
  if( mint & SF_MINT_TRANSFER_FEE ) return C_TRANSFER_FEE;
  if( mint & SF_MINT_UNKNOWN ) return C_EXTENSION;
  if( pool->frozen ) return C_FROZEN;
  if( !u->open_time ) return -1;
  if( u->open_time <= b->wall_ns / 1000000000UL ) return -1;
  if( u->open_time < b->next_open ) b->next_open = u->open_time;
  return C_NOT_OPEN;
}

/* Prices a pool whose parts belong together, if all it needs is known. */
static void pool_settle( sf_tile_t * t, book_t * b, uint32_t p ) {
  book_pool_t * pool = &b->pool[p];
  sf_pool_update_t u = pool->update;
  book_token_t * a   = &b->token[u.token_a];
  book_token_t * c   = &b->token[u.token_b];
  if( pool->parts.known != SF_PARTS_ALL || !a->known || !c->known || !b->config[pool->config].known ) return;
  if( a->mint.decimals != pool->state.decimals[0] || c->mint.decimals != pool->state.decimals[1] ||
      pool->venue->price( &pool->state, &b->config[pool->config].config, pool->amount[0], pool->amount[1], &u ) ) {
    sf_tile_count( t, b->counter[C_MALFORMED], 1 );
    pool_stale( b, p );
    return;
  }
  int reason = disabled_reason( b, pool, &u );
  if( reason >= 0 ) u.flags |= SF_POOL_DISABLED;
  if( reason >= 0 && pool->disabled != reason + 1 ) sf_tile_count( t, b->counter[reason], 1 );
  pool->disabled = (uint8_t)( reason + 1 );
  if( pool->simulated ) u.flags |= SF_POOL_SIMULATED;
  u.slot       = sf_parts_slot( &pool->parts );
  pool->update = u;
  b->stale_cnt -= pool->stale;
  pool->stale = 0;
  queue_put( b, p );
}

/* Not in the middle of a change. */
static int pool_whole( book_pool_t const * pool ) {
  return pool->parts.known == SF_PARTS_ALL && ( !pool->waiting || sf_parts_coherent( &pool->parts ) );
}

/* A part of a pool came with good bytes. */
static void part_set( sf_tile_t * t, book_t * b, uint32_t p, uint32_t part, sf_raw_account_t const * raw,
                      uint64_t t_origin ) {
  book_pool_t * pool = &b->pool[p];
  sf_parts_set( &pool->parts, part, raw->slot, raw->flags & SF_RAW_SNAPSHOT );
  pool->simulated = ( raw->flags & SF_RAW_SIMULATED ) != 0;
  pool->t_origin  = t_origin;
  if( pool->parts.known != SF_PARTS_ALL ) return;
  if( sf_parts_coherent( &pool->parts ) ) {
    pool_settle( t, b, p );
  } else if( !pool->waiting ) {
    pool->waiting                = 1;
    b->waiting[b->waiting_cnt++] = p;
  }
}

/* Nothing more of slots before `slot` will come: what waited for that is complete as it is. */
static void slot_ended( sf_tile_t * t, book_t * b, uint64_t slot ) {
  uint32_t kept = 0;
  for( uint32_t i = 0; i < b->waiting_cnt; i++ ) {
    uint32_t p         = b->waiting[i];
    book_pool_t * pool = &b->pool[p];
    if( pool->parts.known == SF_PARTS_ALL && !sf_parts_coherent( &pool->parts ) ) {
      if( sf_parts_slot( &pool->parts ) >= slot ) {
        b->waiting[kept++] = p;
        continue;
      }
      pool_settle( t, b, p );
    }
    pool->waiting = 0;
  }
  b->waiting_cnt = kept;
}

/* -- meeting accounts ------------------------------------------------------ */

/* The row of a mint; a new one if it was not met before.  SF_ERR_FULL, or SF_ERR_DATA if it is known as
   something else. */
static int token_meet( book_t * b, uint8_t const mint[32], uint8_t const program[32], uint32_t decimals ) {
  sf_account_entry_t const * entry = sf_account_map_find( &b->map, mint );
  sf_token_row_t row               = { .decimals = decimals };
  if( entry ) {
    if( entry->kind != ENTRY_MINT || sf_table_read( b->tokens, entry->index, &row ) ||
        memcmp( row.program, program, 32 ) )
      return SF_ERR_DATA;
    return (int)entry->index;
  }
  if( b->token_cnt == b->tokens->row_cnt || sf_account_map_add( &b->map, mint, ENTRY_MINT, b->token_cnt ) )
    return SF_ERR_FULL;
  memcpy( row.mint, mint, 32 );
  memcpy( row.program, program, 32 );
  sf_table_write( b->tokens, b->token_cnt, &row );
  return (int)b->token_cnt++;
}

static int config_meet( book_t * b, uint8_t const pubkey[32] ) {
  sf_account_entry_t const * entry = sf_account_map_find( &b->map, pubkey );
  if( entry ) return entry->kind == ENTRY_CONFIG ? (int)entry->index : SF_ERR_DATA;
  if( b->config_cnt == CONFIG_MAX || sf_account_map_add( &b->map, pubkey, ENTRY_CONFIG, b->config_cnt ) )
    return SF_ERR_FULL;
  return (int)b->config_cnt++;
}

/* A pool that was not met before: -1, or the counter that says why it was refused. */
static int pool_meet( book_t * b, sf_venue_t const * venue, sf_raw_account_t const * raw,
                      sf_pool_state_t const * state ) {
  if( b->pool_cnt == b->pools->row_cnt ) return C_NO_ROOM;
  int config = config_meet( b, state->config );
  int a      = config < 0 ? config : token_meet( b, state->mint[0], state->program[0], state->decimals[0] );
  int c      = a < 0 ? a : token_meet( b, state->mint[1], state->program[1], state->decimals[1] );
  if( c < 0 ) return c == SF_ERR_FULL ? C_NO_ROOM : C_MALFORMED;
  for( uint32_t side = 0; side < 2; side++ )
    if( sf_account_map_find( &b->map, state->vault[side] ) || !memcmp( raw->pubkey, state->vault[side], 32 ) )
      return C_MALFORMED;
  if( sf_account_map_find( &b->map, raw->pubkey ) ) return C_MALFORMED; /* its own config or mint */
  uint32_t p = b->pool_cnt;
  if( sf_account_map_add( &b->map, raw->pubkey, ENTRY_POOL, p ) ||
      sf_account_map_add( &b->map, state->vault[0], ENTRY_VAULT, 2 * p ) ||
      sf_account_map_add( &b->map, state->vault[1], ENTRY_VAULT, 2 * p + 1 ) )
    return C_NO_ROOM;
  book_pool_t * pool   = &b->pool[p];
  pool->venue          = venue;
  pool->state          = *state;
  pool->config         = (uint32_t)config;
  pool->stale          = 1;
  pool->update.pool    = p;
  pool->update.venue   = venue->venue;
  pool->update.token_a = (uint32_t)a;
  pool->update.token_b = (uint32_t)c;
  sf_pool_row_t row;
  sf_pool_row_make( venue, raw->pubkey, state, &pool->update, &row );
  sf_table_write( b->pools, p, &row );
  b->pool_cnt++;
  b->stale_cnt++;
  return -1;
}

/* What a pool is made of never changes. */
static int state_same( sf_pool_state_t const * a, sf_pool_state_t const * b ) {
  return !memcmp( a->config, b->config, sizeof( a->config ) ) && !memcmp( a->vault, b->vault, sizeof( a->vault ) ) &&
         !memcmp( a->mint, b->mint, sizeof( a->mint ) ) && !memcmp( a->program, b->program, sizeof( a->program ) ) &&
         !memcmp( a->observation, b->observation, sizeof( a->observation ) ) &&
         !memcmp( a->decimals, b->decimals, sizeof( a->decimals ) );
}

/* -- account messages ------------------------------------------------------ */

static void part_bad( sf_tile_t * t, book_t * b, uint32_t p, uint32_t part ) {
  sf_tile_count( t, b->counter[C_MALFORMED], 1 );
  b->pool[p].parts.known &= ~( 1u << part );
  pool_stale( b, p );
}

static void on_pool( sf_tile_t * t, book_t * b, uint32_t p, sf_raw_account_t const * raw, uint64_t t_origin ) {
  book_pool_t * pool = &b->pool[p];
  sf_pool_state_t state;
  if( memcmp( raw->owner, pool->venue->program, 32 ) ||
      pool->venue->pool_decode( (uint8_t const *)( raw + 1 ), raw->data_len, &state ) ||
      !state_same( &state, &pool->state ) ) {
    part_bad( t, b, p, SF_PART_STATE );
    return;
  }
  pool->state = state;
  part_set( t, b, p, SF_PART_STATE, raw, t_origin );
}

static void on_vault( sf_tile_t * t, book_t * b, uint32_t p, uint32_t side, sf_raw_account_t const * raw,
                      uint64_t t_origin ) {
  book_pool_t * pool = &b->pool[p];
  sf_token_account_t account;
  if( memcmp( raw->owner, pool->state.program[side], 32 ) ||
      sf_token_account_decode( raw->owner, (uint8_t const *)( raw + 1 ), raw->data_len, &account ) ||
      memcmp( account.mint, pool->state.mint[side], 32 ) || memcmp( account.owner, pool->venue->authority, 32 ) ) {
    part_bad( t, b, p, 1 + side );
    return;
  }
  pool->amount[side] = account.amount;
  pool->frozen = (uint8_t)( ( pool->frozen & ~( 1u << side ) ) | ( account.flags & SF_TOKEN_FROZEN ? 1u << side : 0 ) );
  part_set( t, b, p, 1 + side, raw, t_origin );
}

/* The pools that a config or a mint belongs to take it over; those with a part on the way do it with that. */
static void settle_users( sf_tile_t * t, book_t * b, int is_mint, uint32_t index, uint64_t t_origin ) {
  for( uint32_t p = 0; p < b->pool_cnt; p++ ) {
    book_pool_t * pool = &b->pool[p];
    if( is_mint ? pool->update.token_a != index && pool->update.token_b != index : pool->config != index ) continue;
    if( is_mint ? !b->token[index].known : !b->config[index].known ) {
      pool_stale( b, p );
    } else if( pool_whole( pool ) ) {
      pool->t_origin = t_origin;
      pool_settle( t, b, p );
    }
  }
}

static void on_config( sf_tile_t * t, book_t * b, uint32_t index, sf_raw_account_t const * raw, uint64_t t_origin ) {
  book_config_t * config   = &b->config[index];
  sf_venue_t const * venue = sf_venue_of_program( raw->owner );
  sf_pool_config_t now     = { 0 };
  uint32_t known           = venue && !venue->config_decode( (uint8_t const *)( raw + 1 ), raw->data_len, &now );
  if( !known ) sf_tile_count( t, b->counter[C_MALFORMED], 1 );
  if( known == config->known && !memcmp( &now, &config->config, sizeof( now ) ) ) return;
  config->config = now;
  config->known  = known;
  settle_users( t, b, 0, index, t_origin );
}

static void on_mint( sf_tile_t * t, book_t * b, uint32_t index, sf_raw_account_t const * raw, uint64_t t_origin ) {
  book_token_t * token = &b->token[index];
  sf_token_row_t row;
  sf_mint_t now  = { 0 };
  uint32_t known = !sf_table_read( b->tokens, index, &row ) && !memcmp( raw->owner, row.program, 32 ) &&
                   !sf_mint_decode( raw->owner, (uint8_t const *)( raw + 1 ), raw->data_len, &now );
  if( !known ) sf_tile_count( t, b->counter[C_MALFORMED], 1 );
  if( known == token->known && now.flags == token->mint.flags && now.decimals == token->mint.decimals ) return;
  token->mint  = now;
  token->known = known;
  settle_users( t, b, 1, index, t_origin );
}

/* An account that is not in the map: a new pool, or a config that came before its pools. */
static void on_unknown( sf_tile_t * t, book_t * b, sf_raw_account_t const * raw, uint64_t t_origin ) {
  uint8_t const * data     = (uint8_t const *)( raw + 1 );
  sf_venue_t const * venue = sf_venue_of_program( raw->owner );
  int kind                 = venue ? venue->account_kind( data, raw->data_len ) : SF_ACCOUNT_OTHER;
  int why                  = -1;
  if( kind == SF_ACCOUNT_POOL ) {
    sf_pool_state_t state;
    why = venue->pool_decode( data, raw->data_len, &state ) ? C_MALFORMED : pool_meet( b, venue, raw, &state );
    if( why < 0 ) on_pool( t, b, b->pool_cnt - 1, raw, t_origin );
  } else if( kind == SF_ACCOUNT_CONFIG ) {
    int index = config_meet( b, raw->pubkey );
    if( index < 0 ) why = C_NO_ROOM;
    else on_config( t, b, (uint32_t)index, raw, t_origin );
  } else {
    why = kind < 0 ? C_MALFORMED : C_UNKNOWN;
  }
  if( why >= 0 ) sf_tile_count( t, b->counter[why], 1 );
}

static void on_account( sf_tile_t * t, book_t * b, sf_message_t const * m ) {
  sf_raw_account_t const * raw = (sf_raw_account_t const *)( m + 1 );
  if( m->length < sizeof( *raw ) || raw->data_len != m->length - sizeof( *raw ) ) {
    sf_tile_count( t, b->counter[C_MALFORMED], 1 );
    return;
  }
  sf_account_entry_t const * entry = sf_account_map_find( &b->map, raw->pubkey );
  if( !entry ) {
    on_unknown( t, b, raw, m->t_origin );
    return;
  }
  uint32_t i = entry->index;
  switch( entry->kind ) {
  case ENTRY_CONFIG: on_config( t, b, i, raw, m->t_origin ); return;
  case ENTRY_MINT: on_mint( t, b, i, raw, m->t_origin ); return;
  default: break;
  }
  uint32_t p         = entry->kind == ENTRY_POOL ? i : i / 2;
  uint32_t part      = entry->kind == ENTRY_POOL ? SF_PART_STATE : 1 + i % 2;
  book_pool_t * pool = &b->pool[p];
  if( !( raw->flags & SF_RAW_SNAPSHOT ) && sf_parts_old( &pool->parts, part, raw->slot ) ) {
    sf_tile_count( t, b->counter[C_OLD], 1 );
    return;
  }
  if( part == SF_PART_STATE ) on_pool( t, b, p, raw, m->t_origin );
  else on_vault( t, b, p, part - 1, raw, m->t_origin );
}

static void on_reset( sf_tile_t * t, book_t * b, sf_message_t const * m ) {
  for( uint32_t p = 0; p < b->pool_cnt; p++ ) {
    book_pool_t * pool = &b->pool[p];
    pool->parts.known  = 0;
    pool->waiting      = 0;
    pool->t_origin     = m->t_origin;
    pool_stale( b, p );
  }
  b->waiting_cnt = 0;
  sf_tile_count( t, b->counter[C_RESETS], 1 );
}

/* Pools whose time has come.  Time is that of the messages, so that a replay has the same. */
static void opening_check( sf_tile_t * t, book_t * b, uint64_t t_origin ) {
  if( t_origin && t_origin + b->wall_offset_ns > b->wall_ns ) b->wall_ns = t_origin + b->wall_offset_ns;
  if( b->next_open == UINT64_MAX || b->wall_ns / 1000000000UL < b->next_open ) return;
  b->next_open = UINT64_MAX;
  for( uint32_t p = 0; p < b->pool_cnt; p++ )
    if( b->pool[p].disabled == C_NOT_OPEN + 1 && pool_whole( &b->pool[p] ) ) pool_settle( t, b, p );
}

/* -- hooks ---------------------------------------------------------------- */

static void book_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  (void)in;
  book_t * b = sf_tile_state( t );
  opening_check( t, b, m->t_origin );
  if( m->kind == SF_MSG_ACCOUNT ) on_account( t, b, m );
  else if( m->length != sizeof( sf_raw_slot_t ) ) sf_tile_count( t, b->counter[C_MALFORMED], 1 );
  else if( m->kind == SF_MSG_SLOT ) slot_ended( t, b, ( (sf_raw_slot_t const *)( m + 1 ) )->slot );
  else if( m->kind == SF_MSG_RESET ) on_reset( t, b, m );
  drain( t, b );
}

static void book_house( sf_tile_t * t, uint64_t now_ns ) {
  (void)now_ns;
  book_t * b = sf_tile_state( t );
  sf_tile_set( t, b->gauge[G_POOLS], b->pool_cnt );
  sf_tile_set( t, b->gauge[G_STALE], b->stale_cnt );
  sf_tile_set( t, b->gauge[G_TOKENS], b->token_cnt );
}

static void book_fini( sf_tile_t * t ) {
  book_t * b = sf_tile_state( t );
  sf_account_map_close( &b->map );
  free( b->pool );
  free( b->token );
  free( b->config );
  free( b->queue );
  free( b->waiting );
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
  b->out            = (uint32_t)out;
  b->next_open      = UINT64_MAX;
  b->wall_offset_ns = sf_clock_real_ns() - sf_clock_ns();
  if( sf_tile_param( t, "wall_offset_ns" ) ) {
    int err = sf_tile_param_u64( t, "wall_offset_ns", 0, UINT64_MAX, &b->wall_offset_ns );
    if( err ) return err;
  }
  for( uint32_t i = 0; i < C_CNT; i++ )
    if( ( b->counter[i] = sf_tile_counter( t, counter_names[i] ) ) < 0 ) return b->counter[i];
  for( uint32_t i = 0; i < G_CNT; i++ )
    if( ( b->gauge[i] = sf_tile_gauge( t, gauge_names[i] ) ) < 0 ) return b->gauge[i];
  uint32_t pools = b->pools->row_cnt, tokens = b->tokens->row_cnt;
  b->pool    = calloc( pools, sizeof( *b->pool ) );
  b->token   = calloc( tokens, sizeof( *b->token ) );
  b->config  = calloc( CONFIG_MAX, sizeof( *b->config ) );
  b->queue   = calloc( pools, sizeof( *b->queue ) );
  b->waiting = calloc( pools, sizeof( *b->waiting ) );
  int err    = sf_account_map_open( &b->map, 3UL * pools + tokens + CONFIG_MAX );
  if( !err && ( !b->pool || !b->token || !b->config || !b->queue || !b->waiting ) )
    err = sf_err_set( SF_ERR_LIMIT, "book: no memory for %u pools", pools );
  if( err ) book_fini( t );
  return err;
}

sf_tile_ops_t const sf_tile_book = {
  .kind        = "book",
  .state_bytes = sizeof( book_t ),
  .init        = book_init,
  .msg         = book_msg,
  .house       = book_house,
  .fini        = book_fini,
};
