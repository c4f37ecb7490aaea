#include "solana/message.h"

#include <string.h>

#include "base/err.h"
#include "sf_abi.h"
#include "solana/key.h"
#include "solana/compact.h"

/* Part of the table an account belongs to; the payer is before all. */
static int meta_part( sf_account_meta_t const * meta ) {
  return meta->signer ? ( meta->writable ? 0 : 1 ) : ( meta->writable ? 2 : 3 );
}

static int meta_before( sf_account_meta_t const * a, sf_account_meta_t const * b ) {
  int part_a = meta_part( a );
  int part_b = meta_part( b );
  if( part_a != part_b ) return part_a < part_b;
  return memcmp( a->pubkey, b->pubkey, 32 ) < 0;
}

#define MENTION_MAX 1024 /* programs and accounts that instructions name; a packet has room for fewer */

/* The accounts of a message, each once, and which of them each mention in the instructions is. */
typedef struct table {
  sf_account_meta_t account[SF_LOCK_MAX];
  uint32_t cnt;
  uint32_t mention_cnt;
  uint8_t mention[MENTION_MAX];
} table_t;

static int table_add( table_t * t, uint8_t const pubkey[32], int signer, int writable ) {
  uint32_t at = 0;
  while( at < t->cnt && !sf_key_same( t->account[at].pubkey, pubkey ) ) at++;
  if( at == t->cnt ) {
    if( at == SF_LOCK_MAX ) return sf_err_set( SF_ERR_LIMIT, "message: more than %d accounts", SF_LOCK_MAX );
    memcpy( t->account[at].pubkey, pubkey, 32 );
    t->account[at].signer = t->account[at].writable = 0;
    t->cnt++;
  }
  if( t->mention_cnt == MENTION_MAX )
    return sf_err_set( SF_ERR_LIMIT, "message: accounts are named more than %d times", MENTION_MAX );
  t->account[at].signer |= (uint8_t)( signer != 0 );
  t->account[at].writable |= (uint8_t)( writable != 0 );
  t->mention[t->mention_cnt++] = (uint8_t)at;
  return 0;
}

/* Sorts the accounts behind the payer, and the mentions with them. */
static void table_sort( table_t * t ) {
  uint8_t order[SF_LOCK_MAX], place[SF_LOCK_MAX];
  sf_account_meta_t sorted[SF_LOCK_MAX];
  for( uint32_t i = 0; i < t->cnt; i++ ) {
    uint32_t j = i;
    for( ; j > 1 && meta_before( &t->account[i], &t->account[order[j - 1]] ); j-- ) order[j] = order[j - 1];
    order[j] = (uint8_t)i;
  }
  for( uint32_t i = 0; i < t->cnt; i++ ) {
    sorted[i]       = t->account[order[i]];
    place[order[i]] = (uint8_t)i;
  }
  memcpy( t->account, sorted, t->cnt * sizeof( *sorted ) );
  for( uint32_t i = 0; i < t->mention_cnt; i++ ) t->mention[i] = place[t->mention[i]];
}

/* Fills the table in the order of the message.  Mentions are the payer, then of each instruction program and accounts. */
static int table_make( table_t * t, uint8_t const payer[32], sf_instruction_t const * instruction, uint32_t cnt ) {
  t->cnt = t->mention_cnt = 0;
  int err                 = table_add( t, payer, 1, 1 );
  for( uint32_t i = 0; i < cnt && !err; i++ ) {
    err = table_add( t, instruction[i].program, 0, 0 );
    for( uint32_t j = 0; j < instruction[i].account_cnt && !err; j++ ) {
      sf_account_meta_t const * meta = &instruction[i].account[j];
      err                            = table_add( t, meta->pubkey, meta->signer, meta->writable );
    }
  }
  if( !err ) table_sort( t );
  return err;
}

static uint64_t instructions_size( sf_instruction_t const * instruction, uint32_t cnt ) {
  uint64_t size = sf_compact_size( cnt );
  for( uint32_t i = 0; i < cnt; i++ ) {
    uint32_t account_cnt = instruction[i].account_cnt;
    uint32_t data_len    = instruction[i].data_len;
    size += 1u + sf_compact_size( account_cnt ) + account_cnt + sf_compact_size( data_len ) + data_len;
  }
  return size;
}

/* Where the accounts of the table stand in the message. */
typedef struct places {
  int16_t lookup[SF_LOCK_MAX]; /* the lookup table, -1 = in the message's own table */
  uint8_t at[SF_LOCK_MAX];     /* place in the lookup table */
  uint8_t index[SF_LOCK_MAX];  /* for the instructions */
  uint8_t part_cnt[4];         /* of the message's own table */
  uint8_t static_cnt;
  uint8_t looked_up[SF_LOOKUP_TABLE_MAX][2]; /* accounts of a lookup table: writable, read-only */
  uint32_t lookup_cnt;
} places_t;

/* Marks the accounts that have to stand in the message's own table: signers, programs, accounts of the first
   static_cnt instructions. */
static void statics_mark( uint8_t * is_static, table_t const * t, sf_instruction_t const * instruction, uint32_t cnt,
                          uint32_t static_cnt ) {
  uint8_t const * mention = t->mention + 1;
  for( uint32_t i = 0; i < t->cnt; i++ ) is_static[i] = t->account[i].signer;
  for( uint32_t i = 0; i < cnt; i++ ) {
    is_static[*mention++] = 1;
    for( uint32_t j = 0; j < instruction[i].account_cnt; j++, mention++ )
      if( i < static_cnt ) is_static[*mention] = 1;
  }
}

/* Decides which accounts are looked up: a lookup costs 34 bytes and one for each account, which saves 32. */
static void lookups_choose( places_t * p, table_t const * t, sf_lookups_t const * lookups, uint8_t const * is_static ) {
  uint32_t used[SF_LOOKUP_TABLE_MAX] = { 0 };
  for( uint32_t i = 0; i < t->cnt; i++ ) {
    p->lookup[i] = -1;
    if( !lookups || is_static[i] ) continue;
    for( uint32_t n = 0; n < lookups->cnt && p->lookup[i] < 0; n++ ) {
      int at = sf_lookup_find( &lookups->table[n], t->account[i].pubkey );
      if( at < 0 ) continue;
      p->lookup[i] = (int16_t)n;
      p->at[i]     = (uint8_t)at;
      used[n]++;
    }
  }
  for( uint32_t i = 0; i < t->cnt; i++ )
    if( p->lookup[i] >= 0 && used[p->lookup[i]] < 2 ) p->lookup[i] = -1;
}

static void places_make( places_t * p, table_t const * t ) {
  for( uint32_t i = 0; i < t->cnt; i++ ) {
    if( p->lookup[i] >= 0 ) {
      uint8_t * looked_up = p->looked_up[p->lookup[i]];
      p->lookup_cnt += !( looked_up[0] + looked_up[1] );
      looked_up[!t->account[i].writable]++;
      continue;
    }
    p->index[i] = p->static_cnt++;
    p->part_cnt[meta_part( &t->account[i] )]++;
  }
  uint8_t next = p->static_cnt;
  if( p->static_cnt == t->cnt ) return;
  for( int read_only = 0; read_only < 2; read_only++ )
    for( int n = 0; n < SF_LOOKUP_TABLE_MAX; n++ )
      for( uint32_t i = 0; i < t->cnt; i++ )
        if( p->lookup[i] == n && t->account[i].writable != read_only ) p->index[i] = next++;
}

static uint64_t lookups_size( places_t const * p ) {
  uint64_t size = sf_compact_size( p->lookup_cnt );
  for( uint32_t t = 0; t < SF_LOOKUP_TABLE_MAX; t++ ) {
    uint32_t writable = p->looked_up[t][0], read_only = p->looked_up[t][1];
    if( writable + read_only )
      size += 32u + sf_compact_size( writable ) + writable + sf_compact_size( read_only ) + read_only;
  }
  return size;
}

static uint8_t * lookups_write( uint8_t * at, places_t const * p, table_t const * t, sf_lookups_t const * lookups ) {
  at += sf_compact_write( at, p->lookup_cnt );
  for( uint32_t n = 0; p->lookup_cnt && n < lookups->cnt; n++ ) {
    if( !( p->looked_up[n][0] + p->looked_up[n][1] ) ) continue;
    memcpy( at, lookups->table[n].key, 32 );
    at += 32;
    for( int read_only = 0; read_only < 2; read_only++ ) {
      at += sf_compact_write( at, p->looked_up[n][read_only] );
      for( uint32_t i = 0; i < t->cnt; i++ )
        if( p->lookup[i] == (int)n && t->account[i].writable != read_only ) *at++ = p->at[i];
    }
  }
  return at;
}

int sf_message_compile( uint8_t * out, uint32_t out_bytes, uint32_t version, uint8_t const payer[32],
                        sf_instruction_t const * instruction, uint32_t cnt, sf_lookups_t const * lookups,
                        uint32_t static_cnt, uint8_t const blockhash[32], uint16_t * blockhash_off,
                        uint16_t * data_off ) {
  if( version != SF_VERSION_0 && version != SF_VERSION_LEGACY )
    return sf_err_set( SF_ERR_ARG, "message: version %u is neither 0 nor legacy", version );
  int v0 = version == SF_VERSION_0;

  table_t table;
  places_t p;
  uint8_t is_static[SF_LOCK_MAX];
  int err = table_make( &table, payer, instruction, cnt );
  if( err ) return err;
  memset( &p, 0, sizeof( p ) );
  statics_mark( is_static, &table, instruction, cnt, static_cnt );
  lookups_choose( &p, &table, v0 ? lookups : NULL, is_static );
  places_make( &p, &table );

  uint64_t size = 3u + sf_compact_size( p.static_cnt ) + 32u * (uint64_t)p.static_cnt + 32u +
                  instructions_size( instruction, cnt ) + ( v0 ? 1u + lookups_size( &p ) : 0 );
  if( size > out_bytes || size > UINT16_MAX )
    return sf_err_set( SF_ERR_LIMIT, "message: %lu bytes do not fit in %u", (unsigned long)size, out_bytes );

  uint8_t * at = out;
  if( v0 ) *at++ = 0x80;
  *at++ = (uint8_t)( p.part_cnt[0] + p.part_cnt[1] );
  *at++ = p.part_cnt[1];
  *at++ = p.part_cnt[3];
  at += sf_compact_write( at, p.static_cnt );
  for( uint32_t i = 0; i < table.cnt; i++ ) {
    if( p.lookup[i] >= 0 ) continue;
    memcpy( at, table.account[i].pubkey, 32 );
    at += 32;
  }
  if( blockhash_off ) *blockhash_off = (uint16_t)( at - out );
  memcpy( at, blockhash, 32 );
  at += 32;

  uint8_t const * mention = table.mention + 1;
  at += sf_compact_write( at, cnt );
  for( uint32_t i = 0; i < cnt; i++ ) {
    sf_instruction_t const * one = &instruction[i];
    *at++                        = p.index[*mention++];
    at += sf_compact_write( at, one->account_cnt );
    for( uint32_t j = 0; j < one->account_cnt; j++ ) *at++ = p.index[*mention++];
    at += sf_compact_write( at, one->data_len );
    if( data_off ) data_off[i] = (uint16_t)( at - out );
    if( one->data_len ) memcpy( at, one->data, one->data_len );
    at += one->data_len;
  }
  if( v0 ) at = lookups_write( at, &p, &table, lookups );
  return (int)( at - out );
}
