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

static int table_find( sf_account_meta_t const * table, uint32_t cnt, uint8_t const pubkey[32] ) {
  for( uint32_t i = 0; i < cnt; i++ )
    if( sf_key_same( table[i].pubkey, pubkey ) ) return (int)i;
  return -1;
}

static int table_add( sf_account_meta_t * table, uint32_t * cnt, uint8_t const pubkey[32], int signer, int writable ) {
  int at = table_find( table, *cnt, pubkey );
  if( at < 0 ) {
    if( *cnt == SF_LOCK_MAX ) return sf_err_set( SF_ERR_LIMIT, "message: more than %d accounts", SF_LOCK_MAX );
    at = (int)( *cnt )++;
    memcpy( table[at].pubkey, pubkey, 32 );
    table[at].signer = table[at].writable = 0;
  }
  table[at].signer |= (uint8_t)( signer != 0 );
  table[at].writable |= (uint8_t)( writable != 0 );
  return 0;
}

/* Fills `table` with each account once, in the order of the message; returns the count. */
static int table_make( sf_account_meta_t * table, uint8_t const payer[32], sf_instruction_t const * instruction,
                       uint32_t cnt ) {
  uint32_t table_cnt = 0;
  int err            = table_add( table, &table_cnt, payer, 1, 1 );
  for( uint32_t i = 0; i < cnt && !err; i++ ) {
    err = table_add( table, &table_cnt, instruction[i].program, 0, 0 );
    for( uint32_t j = 0; j < instruction[i].account_cnt && !err; j++ ) {
      sf_account_meta_t const * meta = &instruction[i].account[j];
      err                            = table_add( table, &table_cnt, meta->pubkey, meta->signer, meta->writable );
    }
  }
  if( err ) return err;
  for( uint32_t i = 2; i < table_cnt; i++ ) {
    sf_account_meta_t meta = table[i];
    uint32_t j             = i;
    for( ; j > 1 && meta_before( &meta, &table[j - 1] ); j-- ) table[j] = table[j - 1];
    table[j] = meta;
  }
  return (int)table_cnt;
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

/* Says if an account has to stand in the message's own table. */
static int is_static( sf_account_meta_t const * meta, sf_instruction_t const * instruction, uint32_t cnt,
                      uint32_t static_cnt ) {
  if( meta->signer ) return 1;
  for( uint32_t i = 0; i < cnt; i++ ) {
    if( sf_key_same( instruction[i].program, meta->pubkey ) ) return 1;
    for( uint32_t j = 0; i < static_cnt && j < instruction[i].account_cnt; j++ )
      if( sf_key_same( instruction[i].account[j].pubkey, meta->pubkey ) ) return 1;
  }
  return 0;
}

/* Decides which accounts are looked up: a lookup costs 34 bytes and one for each account, which saves 32. */
static void lookups_choose( places_t * p, sf_account_meta_t const * table, uint32_t table_cnt,
                            sf_instruction_t const * instruction, uint32_t cnt, sf_lookups_t const * lookups,
                            uint32_t static_cnt ) {
  uint32_t used[SF_LOOKUP_TABLE_MAX] = { 0 };
  for( uint32_t i = 0; i < table_cnt; i++ ) {
    p->lookup[i] = -1;
    if( !lookups || !lookups->cnt || is_static( &table[i], instruction, cnt, static_cnt ) ) continue;
    for( uint32_t t = 0; t < lookups->cnt && p->lookup[i] < 0; t++ ) {
      int at = sf_lookup_find( &lookups->table[t], table[i].pubkey );
      if( at < 0 ) continue;
      p->lookup[i] = (int16_t)t;
      p->at[i]     = (uint8_t)at;
      used[t]++;
    }
  }
  for( uint32_t i = 0; i < table_cnt; i++ )
    if( p->lookup[i] >= 0 && used[p->lookup[i]] < 2 ) p->lookup[i] = -1;
}

static void places_make( places_t * p, sf_account_meta_t const * table, uint32_t table_cnt ) {
  for( uint32_t i = 0; i < table_cnt; i++ ) {
    if( p->lookup[i] >= 0 ) {
      uint8_t * looked_up = p->looked_up[p->lookup[i]];
      p->lookup_cnt += !( looked_up[0] + looked_up[1] );
      looked_up[!table[i].writable]++;
      continue;
    }
    p->index[i] = p->static_cnt++;
    p->part_cnt[meta_part( &table[i] )]++;
  }
  uint8_t next = p->static_cnt;
  for( int read_only = 0; read_only < 2; read_only++ )
    for( int t = 0; t < SF_LOOKUP_TABLE_MAX; t++ )
      for( uint32_t i = 0; i < table_cnt; i++ )
        if( p->lookup[i] == t && table[i].writable != read_only ) p->index[i] = next++;
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

static uint8_t * lookups_write( uint8_t * at, places_t const * p, sf_account_meta_t const * table, uint32_t table_cnt,
                                sf_lookups_t const * lookups ) {
  at += sf_compact_write( at, p->lookup_cnt );
  for( uint32_t t = 0; lookups && t < lookups->cnt; t++ ) {
    if( !( p->looked_up[t][0] + p->looked_up[t][1] ) ) continue;
    memcpy( at, lookups->table[t].key, 32 );
    at += 32;
    for( int read_only = 0; read_only < 2; read_only++ ) {
      at += sf_compact_write( at, p->looked_up[t][read_only] );
      for( uint32_t i = 0; i < table_cnt; i++ )
        if( p->lookup[i] == (int)t && table[i].writable != read_only ) *at++ = p->at[i];
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

  sf_account_meta_t table[SF_LOCK_MAX];
  int made = table_make( table, payer, instruction, cnt );
  if( made < 0 ) return made;
  uint32_t table_cnt = (uint32_t)made;

  places_t p;
  memset( &p, 0, sizeof( p ) );
  lookups_choose( &p, table, table_cnt, instruction, cnt, v0 ? lookups : NULL, static_cnt );
  places_make( &p, table, table_cnt );

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
  for( uint32_t i = 0; i < table_cnt; i++ ) {
    if( p.lookup[i] >= 0 ) continue;
    memcpy( at, table[i].pubkey, 32 );
    at += 32;
  }
  if( blockhash_off ) *blockhash_off = (uint16_t)( at - out );
  memcpy( at, blockhash, 32 );
  at += 32;

  at += sf_compact_write( at, cnt );
  for( uint32_t i = 0; i < cnt; i++ ) {
    sf_instruction_t const * one = &instruction[i];
    *at++                        = p.index[table_find( table, table_cnt, one->program )];
    at += sf_compact_write( at, one->account_cnt );
    for( uint32_t j = 0; j < one->account_cnt; j++ )
      *at++ = p.index[table_find( table, table_cnt, one->account[j].pubkey )];
    at += sf_compact_write( at, one->data_len );
    if( data_off ) data_off[i] = (uint16_t)( at - out );
    if( one->data_len ) memcpy( at, one->data, one->data_len );
    at += one->data_len;
  }
  if( v0 ) at = lookups_write( at, &p, table, table_cnt, lookups );
  return (int)( at - out );
}
