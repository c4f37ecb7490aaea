#include "solana/lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "sf_abi.h"
#include "solana/key.h"
#include "solana/base58.h"

#define FILE_BYTES_MAX ( 1u << 20 )

typedef struct reader {
  char const * text;
  uint64_t len;
  uint64_t at;
} reader_t;

static int bad( reader_t const * r, char const * what ) {
  return sf_err_set( SF_ERR_DATA, "lookup tables: %s expected (offset %lu of %lu)", what, (unsigned long)r->at,
                     (unsigned long)r->len );
}

/* The next character that is not white space, not taken; 0 at the end. */
static char peek( reader_t * r ) {
  while( r->at < r->len && memchr( " \t\r\n", r->text[r->at], 4 ) ) r->at++;
  return r->at < r->len ? r->text[r->at] : 0;
}

static int take( reader_t * r, char c ) {
  if( peek( r ) != c ) return 0;
  r->at++;
  return 1;
}

static int key( reader_t * r, uint8_t out[32] ) {
  if( !take( r, '"' ) ) return bad( r, "a key in quotes" );
  char const * end = memchr( r->text + r->at, '"', r->len - r->at );
  uint64_t n       = end ? (uint64_t)( end - r->text ) - r->at : 0;
  if( !end || n > SF_PUBKEY_TEXT_MAX || sf_base58_decode( r->text + r->at, (uint32_t)n, out, 32 ) != 32 )
    return bad( r, "a public key in base58" );
  r->at += n + 1;
  return 0;
}

static int addresses( reader_t * r, sf_lookup_table_t * table ) {
  if( !take( r, '[' ) ) return bad( r, "[" );
  for( table->cnt = 0; !take( r, ']' ); table->cnt++ ) {
    if( table->cnt && !take( r, ',' ) ) return bad( r, ", or ]" );
    if( table->cnt == SF_LOOKUP_ADDRESS_MAX )
      return sf_err_set( SF_ERR_LIMIT, "lookup tables: more than %d addresses in one", SF_LOOKUP_ADDRESS_MAX );
    int err = key( r, table->address[table->cnt] );
    if( err ) return err;
  }
  return 0;
}

int sf_lookups_parse( sf_lookups_t * out, char const * text, uint64_t len ) {
  reader_t r = { .text = text, .len = len };
  int err    = 0;
  if( !take( &r, '{' ) ) return bad( &r, "{" );
  for( out->cnt = 0; !take( &r, '}' ); out->cnt++ ) {
    if( out->cnt && !take( &r, ',' ) ) return bad( &r, ", or }" );
    if( out->cnt == SF_LOOKUP_TABLE_MAX )
      return sf_err_set( SF_ERR_LIMIT, "lookup tables: more than %d", SF_LOOKUP_TABLE_MAX );
    sf_lookup_table_t * table = &out->table[out->cnt];
    if( ( err = key( &r, table->key ) ) ) return err;
    if( sf_lookups_table( out, table->key ) ) return bad( &r, "another table" );
    if( !take( &r, ':' ) ) return bad( &r, ":" );
    if( ( err = addresses( &r, table ) ) ) return err;
  }
  return peek( &r ) ? bad( &r, "the end" ) : 0;
}

int sf_lookups_read( sf_lookups_t * out, char const * path ) {
  FILE * file = fopen( path, "re" );
  char * text = malloc( FILE_BYTES_MAX );
  int err     = 0;
  if( !file || !text ) err = sf_err_set( SF_ERR_SYS, "lookup tables: %s: %m", path );
  uint64_t len = err ? 0 : fread( text, 1, FILE_BYTES_MAX, file );
  if( !err && ferror( file ) ) err = sf_err_set( SF_ERR_SYS, "lookup tables: %s cannot be read", path );
  if( !err && len == FILE_BYTES_MAX ) err = sf_err_set( SF_ERR_LIMIT, "lookup tables: %s is too large", path );
  if( !err ) err = sf_lookups_parse( out, text, len );
  if( file ) fclose( file );
  free( text );
  return err;
}

sf_lookup_table_t const * sf_lookups_table( sf_lookups_t const * lookups, uint8_t const key[32] ) {
  for( uint32_t i = 0; i < lookups->cnt; i++ )
    if( sf_key_same( lookups->table[i].key, key ) ) return &lookups->table[i];
  return NULL;
}

int sf_lookup_find( sf_lookup_table_t const * table, uint8_t const address[32] ) {
  for( uint32_t i = 0; i < table->cnt; i++ )
    if( sf_key_same( table->address[i], address ) ) return (int)i;
  return -1;
}
