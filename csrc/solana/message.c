#include "solana/message.h"

#include <string.h>

#include "base/err.h"
#include "sf_abi.h"
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
    if( !memcmp( table[i].pubkey, pubkey, 32 ) ) return (int)i;
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

int sf_message_compile( uint8_t * out, uint32_t out_bytes, uint32_t version, uint8_t const payer[32],
                        sf_instruction_t const * instruction, uint32_t cnt, uint8_t const blockhash[32],
                        uint16_t * blockhash_off, uint16_t * data_off ) {
  if( version != SF_VERSION_0 && version != SF_VERSION_LEGACY )
    return sf_err_set( SF_ERR_ARG, "message: version %u is neither 0 nor legacy", version );

  sf_account_meta_t table[SF_LOCK_MAX];
  int table_cnt = table_make( table, payer, instruction, cnt );
  if( table_cnt < 0 ) return table_cnt;

  int v0        = version == SF_VERSION_0;
  uint64_t size = ( v0 ? 2u : 0u ) + 3u + sf_compact_size( (uint32_t)table_cnt ) + 32u * (uint64_t)table_cnt + 32u +
                  instructions_size( instruction, cnt );
  if( size > out_bytes || size > UINT16_MAX )
    return sf_err_set( SF_ERR_LIMIT, "message: %lu bytes do not fit in %u", (unsigned long)size, out_bytes );

  uint8_t part_cnt[4] = { 0 };
  for( int i = 0; i < table_cnt; i++ ) part_cnt[meta_part( &table[i] )]++;

  uint8_t * at = out;
  if( v0 ) *at++ = 0x80;
  *at++ = (uint8_t)( part_cnt[0] + part_cnt[1] );
  *at++ = part_cnt[1];
  *at++ = part_cnt[3];
  at += sf_compact_write( at, (uint32_t)table_cnt );
  for( int i = 0; i < table_cnt; i++, at += 32 ) memcpy( at, table[i].pubkey, 32 );
  if( blockhash_off ) *blockhash_off = (uint16_t)( at - out );
  memcpy( at, blockhash, 32 );
  at += 32;

  at += sf_compact_write( at, cnt );
  for( uint32_t i = 0; i < cnt; i++ ) {
    sf_instruction_t const * one = &instruction[i];
    *at++                        = (uint8_t)table_find( table, (uint32_t)table_cnt, one->program );
    at += sf_compact_write( at, one->account_cnt );
    for( uint32_t j = 0; j < one->account_cnt; j++ )
      *at++ = (uint8_t)table_find( table, (uint32_t)table_cnt, one->account[j].pubkey );
    at += sf_compact_write( at, one->data_len );
    if( data_off ) data_off[i] = (uint16_t)( at - out );
    if( one->data_len ) memcpy( at, one->data, one->data_len );
    at += one->data_len;
  }
  if( v0 ) *at++ = 0; /* no lookups */
  return (int)( at - out );
}
