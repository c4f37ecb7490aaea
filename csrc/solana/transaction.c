#include "solana/transaction.h"

#include <string.h>

#include "base/err.h"
#include "sf_abi.h"
#include "solana/compact.h"

/* Reads forward; once something is missing `at` stays and `bad` says what. */
typedef struct reader {
  uint8_t const * bytes;
  uint32_t len;
  uint32_t at;
  char const * bad;
} reader_t;

static void reader_fail( reader_t * r, char const * what ) {
  if( !r->bad ) r->bad = what;
}

static uint32_t reader_skip( reader_t * r, uint32_t n, char const * what ) {
  uint32_t at = r->at;
  if( r->bad || n > r->len - at ) {
    reader_fail( r, what );
    return at;
  }
  r->at += n;
  return at;
}

static uint32_t reader_u8( reader_t * r, char const * what ) {
  uint32_t at = reader_skip( r, 1, what );
  return r->bad ? 0 : r->bytes[at];
}

static uint32_t reader_compact( reader_t * r, char const * what ) {
  uint32_t value = 0;
  if( r->bad ) return 0;
  uint32_t n = sf_compact_read( r->bytes + r->at, r->len - r->at, &value );
  if( !n ) {
    reader_fail( r, what );
    return 0;
  }
  r->at += n;
  return value;
}

static void read_header( reader_t * r, sf_transaction_t * tx ) {
  uint32_t first = reader_u8( r, "message header is cut off" );
  tx->version    = SF_VERSION_LEGACY;
  if( first & 0x80u ) {
    tx->version = SF_VERSION_0;
    if( first != 0x80u ) reader_fail( r, "message version is not 0" );
    first = reader_u8( r, "message header is cut off" );
  }
  tx->required_signatures = (uint8_t)first;
  tx->readonly_signed     = (uint8_t)reader_u8( r, "message header is cut off" );
  tx->readonly_unsigned   = (uint8_t)reader_u8( r, "message header is cut off" );
}

static void read_accounts( reader_t * r, sf_transaction_t * tx ) {
  tx->account_cnt   = (uint16_t)reader_compact( r, "account count is malformed" );
  tx->account_off   = (uint16_t)reader_skip( r, 32u * tx->account_cnt, "accounts are cut off" );
  tx->blockhash_off = (uint16_t)reader_skip( r, 32, "blockhash is cut off" );
  if( tx->required_signatures + tx->readonly_unsigned > tx->account_cnt )
    reader_fail( r, "the header names more accounts than there are" );
  if( tx->readonly_signed >= tx->required_signatures ) reader_fail( r, "the fee payer is not a writable signer" );
}

/* Reads all instructions; *last_account becomes the highest index used. */
static void read_instructions( reader_t * r, sf_transaction_t * tx, uint32_t * last_account ) {
  tx->instruction_cnt = (uint16_t)reader_compact( r, "instruction count is malformed" );
  tx->instruction_off = (uint16_t)r->at;
  for( uint32_t i = 0; i < tx->instruction_cnt && !r->bad; i++ ) {
    uint32_t program = reader_u8( r, "instruction is cut off" );
    if( !program ) reader_fail( r, "a program is the fee payer" );
    if( program >= tx->account_cnt ) reader_fail( r, "a program is not in the message's own accounts" );
    uint32_t account_cnt = reader_compact( r, "instruction account count is malformed" );
    uint32_t account_off = reader_skip( r, account_cnt, "instruction accounts are cut off" );
    for( uint32_t j = 0; j < account_cnt && !r->bad; j++ )
      if( r->bytes[account_off + j] > *last_account ) *last_account = r->bytes[account_off + j];
    uint32_t data_len = reader_compact( r, "instruction data length is malformed" );
    reader_skip( r, data_len, "instruction data is cut off" );
  }
}

static void read_lookups( reader_t * r, sf_transaction_t * tx ) {
  tx->lookup_cnt    = (uint16_t)reader_compact( r, "lookup count is malformed" );
  tx->lookup_off    = (uint16_t)r->at;
  uint32_t writable = 0;
  uint32_t readonly = 0;
  for( uint32_t i = 0; i < tx->lookup_cnt && !r->bad; i++ ) {
    reader_skip( r, 32, "lookup table is cut off" );
    uint32_t w = reader_compact( r, "lookup count is malformed" );
    reader_skip( r, w, "lookup indices are cut off" );
    uint32_t o = reader_compact( r, "lookup count is malformed" );
    reader_skip( r, o, "lookup indices are cut off" );
    if( !( w + o ) ) reader_fail( r, "a lookup is empty" );
    writable += w;
    readonly += o;
  }
  if( tx->account_cnt + writable + readonly > 256u ) reader_fail( r, "more than 256 accounts" );
  tx->looked_up_writable = (uint16_t)writable;
  tx->looked_up_readonly = (uint16_t)readonly;
}

static void read_message( reader_t * r, sf_transaction_t * tx ) {
  uint32_t last_account = 0;
  tx->message_off       = (uint16_t)r->at;
  read_header( r, tx );
  read_accounts( r, tx );
  read_instructions( r, tx, &last_account );
  if( tx->version == SF_VERSION_0 ) read_lookups( r, tx );
  uint32_t total = (uint32_t)tx->account_cnt + tx->looked_up_writable + tx->looked_up_readonly;
  if( last_account >= total ) reader_fail( r, "an instruction's account is not in the table" );
  if( r->at != r->len ) reader_fail( r, "bytes behind the end" );
}

static int parse( sf_transaction_t * tx, uint8_t const * bytes, uint32_t len, int with_signatures ) {
  if( len > UINT16_MAX ) return sf_err_set( SF_ERR_DATA, "transaction: %u bytes are more than %d", len, UINT16_MAX );
  reader_t r = { .bytes = bytes, .len = len };
  memset( tx, 0, sizeof( *tx ) );
  tx->bytes = bytes;
  tx->len   = (uint16_t)len;
  if( with_signatures ) {
    tx->signature_cnt = (uint16_t)reader_compact( &r, "signature count is malformed" );
    tx->signature_off = (uint16_t)reader_skip( &r, 64u * tx->signature_cnt, "signatures are cut off" );
  }
  read_message( &r, tx );
  if( with_signatures && tx->signature_cnt != tx->required_signatures )
    reader_fail( &r, "signature count is not what the header requires" );
  if( r.bad ) return sf_err_set( SF_ERR_DATA, "transaction: %s (offset %u of %u)", r.bad, r.at, len );
  return 0;
}

int sf_transaction_parse( sf_transaction_t * tx, uint8_t const * bytes, uint32_t len ) {
  return parse( tx, bytes, len, 1 );
}

int sf_transaction_parse_message( sf_transaction_t * tx, uint8_t const * bytes, uint32_t len ) {
  return parse( tx, bytes, len, 0 );
}

static uint16_t next_compact( sf_transaction_t const * tx, uint16_t * off ) {
  uint32_t value = 0;
  *off           = (uint16_t)( *off + sf_compact_read( tx->bytes + *off, tx->len - *off, &value ) );
  return (uint16_t)value;
}

static uint8_t const * next_bytes( sf_transaction_t const * tx, uint16_t * off, uint32_t n ) {
  uint8_t const * bytes = tx->bytes + *off;
  *off                  = (uint16_t)( *off + n );
  return bytes;
}

void sf_transaction_instruction( sf_transaction_t const * tx, uint16_t * off, sf_instruction_view_t * out ) {
  out->program     = *next_bytes( tx, off, 1 );
  out->account_cnt = next_compact( tx, off );
  out->account     = next_bytes( tx, off, out->account_cnt );
  out->data_len    = next_compact( tx, off );
  out->data        = next_bytes( tx, off, out->data_len );
}

void sf_transaction_lookup( sf_transaction_t const * tx, uint16_t * off, sf_lookup_view_t * out ) {
  out->table        = next_bytes( tx, off, 32 );
  out->writable_cnt = next_compact( tx, off );
  out->writable     = next_bytes( tx, off, out->writable_cnt );
  out->readonly_cnt = next_compact( tx, off );
  out->readonly     = next_bytes( tx, off, out->readonly_cnt );
}

static uint8_t * put( uint8_t * at, void const * bytes, uint32_t n ) {
  if( n ) memcpy( at, bytes, n );
  return at + n;
}

static uint8_t * put_counted( uint8_t * at, uint8_t const * bytes, uint32_t n ) {
  at += sf_compact_write( at, n );
  return put( at, bytes, n );
}

int sf_transaction_serialise( sf_transaction_t const * tx, uint8_t * out, uint32_t out_bytes ) {
  /* lengths are minimal, so what was read is as long as what is written */
  if( tx->len > out_bytes )
    return sf_err_set( SF_ERR_LIMIT, "transaction: %u bytes do not fit in %u", tx->len, out_bytes );
  uint8_t * at = out;
  if( tx->message_off ) {
    at += sf_compact_write( at, tx->signature_cnt );
    at = put( at, tx->bytes + tx->signature_off, 64u * tx->signature_cnt );
  }
  if( tx->version != SF_VERSION_LEGACY ) *at++ = (uint8_t)( 0x80u | tx->version );
  *at++ = tx->required_signatures;
  *at++ = tx->readonly_signed;
  *at++ = tx->readonly_unsigned;
  at += sf_compact_write( at, tx->account_cnt );
  at = put( at, sf_transaction_account( tx, 0 ), 32u * tx->account_cnt );
  at = put( at, tx->bytes + tx->blockhash_off, 32 );

  at += sf_compact_write( at, tx->instruction_cnt );
  uint16_t off = tx->instruction_off;
  for( uint32_t i = 0; i < tx->instruction_cnt; i++ ) {
    sf_instruction_view_t one;
    sf_transaction_instruction( tx, &off, &one );
    *at++ = one.program;
    at    = put_counted( at, one.account, one.account_cnt );
    at    = put_counted( at, one.data, one.data_len );
  }
  if( tx->version == SF_VERSION_0 ) {
    at += sf_compact_write( at, tx->lookup_cnt );
    off = tx->lookup_off;
    for( uint32_t i = 0; i < tx->lookup_cnt; i++ ) {
      sf_lookup_view_t one;
      sf_transaction_lookup( tx, &off, &one );
      at = put( at, one.table, 32 );
      at = put_counted( at, one.writable, one.writable_cnt );
      at = put_counted( at, one.readonly, one.readonly_cnt );
    }
  }
  return (int)( at - out );
}
