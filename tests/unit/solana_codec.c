/* solana_codec.c: the C codec behind a line protocol, for test_solana_codec.py.

   Reads a request a line, "verb argument ...", bytes in hex ("-" is none), and
   answers each with one line: "error <sentence>" or the result. */

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "solana/address.h"
#include "solana/base58.h"
#include "solana/keyfile.h"
#include "solana/lookup.h"
#include "solana/message.h"
#include "solana/program.h"
#include "solana/signer.h"
#include "solana/transaction.h"

#define WORD_MAX 512

static uint32_t unhex( char const * text, uint8_t * out, uint32_t max ) {
  uint32_t n = 0;
  if( !strcmp( text, "-" ) ) return 0;
  for( ; text[0] && text[1] && n < max; text += 2 ) {
    unsigned value;
    if( sscanf( text, "%2x", &value ) != 1 ) exit( 2 );
    out[n++] = (uint8_t)value;
  }
  if( *text ) exit( 2 );
  return n;
}

static void hex( uint8_t const * bytes, uint32_t n ) {
  if( !n ) putchar( '-' );
  for( uint32_t i = 0; i < n; i++ ) printf( "%02x", bytes[i] );
}

static void failed( void ) { printf( "error %s\n", sf_err_text() ); }

/* version, header, accounts, blockhash, instructions (program:accounts:data), lookups
   (table:writable:readonly), flags of each account, then the bytes serialised again */
static void do_parse( char const * text, int with_signatures ) {
  static uint8_t in[65536];
  static uint8_t out[65536];
  uint32_t len    = unhex( text, in, sizeof( in ) );
  uint8_t * exact = malloc( len ? len : 1 ); /* so that a sanitizer sees a read behind the end */
  sf_transaction_t tx;
  memcpy( exact, in, len );
  int err = with_signatures ? sf_transaction_parse( &tx, exact, len ) : sf_transaction_parse_message( &tx, exact, len );
  if( err ) {
    failed();
    free( exact );
    return;
  }
  printf( "%u %u %u %u %u ", tx.version, tx.signature_cnt, tx.required_signatures, tx.readonly_signed,
          tx.readonly_unsigned );
  hex( sf_transaction_account( &tx, 0 ), 32u * tx.account_cnt );
  putchar( ' ' );
  hex( exact + tx.blockhash_off, 32 );
  putchar( ' ' );
  uint16_t off = tx.instruction_off;
  for( uint32_t i = 0; i < tx.instruction_cnt; i++ ) {
    sf_instruction_view_t one;
    sf_transaction_instruction( &tx, &off, &one );
    printf( "%u:", one.program );
    hex( one.account, one.account_cnt );
    putchar( ':' );
    hex( one.data, one.data_len );
    putchar( ',' );
  }
  putchar( ' ' );
  off = tx.lookup_off;
  for( uint32_t i = 0; i < tx.lookup_cnt; i++ ) {
    sf_lookup_view_t one;
    sf_transaction_lookup( &tx, &off, &one );
    hex( one.table, 32 );
    putchar( ':' );
    hex( one.writable, one.writable_cnt );
    putchar( ':' );
    hex( one.readonly, one.readonly_cnt );
    putchar( ',' );
  }
  putchar( ' ' );
  uint32_t total = (uint32_t)tx.account_cnt + tx.looked_up_writable + tx.looked_up_readonly;
  for( uint32_t i = 0; i < total; i++ )
    putchar( '0' + sf_transaction_is_signer( &tx, i ) * 2 + sf_transaction_is_writable( &tx, i ) );
  putchar( ' ' );
  int again = sf_transaction_serialise( &tx, out, sizeof( out ) );
  if( again < 0 ) exit( 3 );
  hex( out, (uint32_t)again );
  putchar( '\n' );
  free( exact );
}

static sf_lookups_t lookups;
static uint32_t static_cnt;

/* path static_cnt: what compile looks accounts up in from now on */
static void do_tables( char ** word ) {
  static_cnt = (uint32_t)atoi( word[2] );
  if( !sf_lookups_read( &lookups, word[1] ) ) {
    printf( "%u\n", lookups.cnt );
    return;
  }
  lookups.cnt = 0;
  failed();
}

/* version payer blockhash, then per instruction: program data account... ";" where an account is
   34 bytes: pubkey, signer, writable */
static void do_compile( char ** word, uint32_t cnt ) {
  static sf_account_meta_t meta[WORD_MAX];
  static uint8_t program[WORD_MAX][32];
  static uint8_t data[WORD_MAX][1024];
  sf_instruction_t instruction[WORD_MAX];
  uint8_t payer[32], blockhash[32], out[SF_PACKET_MAX];
  uint16_t blockhash_off, data_off[WORD_MAX];
  uint32_t meta_cnt = 0, n = 0;
  uint32_t version = (uint32_t)atoi( word[1] );
  unhex( word[2], payer, 32 );
  unhex( word[3], blockhash, 32 );
  for( uint32_t i = 4; i < cnt; i++ ) {
    unhex( word[i++], program[n], 32 );
    instruction[n].data_len = (uint16_t)unhex( word[i++], data[n], sizeof( data[n] ) );
    instruction[n].program  = program[n];
    instruction[n].data     = data[n];
    instruction[n].account  = &meta[meta_cnt];
    for( ; strcmp( word[i], ";" ); i++ ) {
      uint8_t raw[34];
      unhex( word[i], raw, 34 );
      memcpy( meta[meta_cnt].pubkey, raw, 32 );
      meta[meta_cnt].signer     = raw[32];
      meta[meta_cnt++].writable = raw[33];
    }
    instruction[n].account_cnt = (uint16_t)( &meta[meta_cnt] - instruction[n].account );
    n++;
  }
  int len = sf_message_compile( out, sizeof( out ), version, payer, instruction, n, &lookups, static_cnt, blockhash,
                                &blockhash_off, data_off );
  if( len < 0 ) {
    failed();
    return;
  }
  if( memcmp( out + blockhash_off, blockhash, 32 ) ) exit( 4 );
  for( uint32_t i = 0; i < n; i++ )
    if( memcmp( out + data_off[i], data[i], instruction[i].data_len ) ) exit( 5 );
  hex( out, (uint32_t)len );
  putchar( '\n' );
}

static void do_find( char ** word, uint32_t cnt ) {
  static uint8_t bytes[WORD_MAX][64];
  sf_seed_t seed[WORD_MAX];
  uint8_t program[32], out[32];
  unhex( word[1], program, 32 );
  for( uint32_t i = 2; i < cnt; i++ ) {
    seed[i - 2].len   = unhex( word[i], bytes[i], 64 );
    seed[i - 2].bytes = bytes[i];
  }
  int bump = sf_address_find( seed, cnt - 2, program, out );
  if( bump < 0 ) {
    failed();
    return;
  }
  hex( out, 32 );
  printf( " %d\n", bump );
}

/* path, passphrase, message: the public key, or the message's signature by that key */
static void do_keyfile( char ** word, uint32_t cnt ) {
  uint8_t secret[64], bytes[2048], signature[64];
  uint32_t n  = unhex( word[2], bytes, sizeof( bytes ) );
  int ends[2] = { -1, -1 };
  if( n ) {
    if( pipe( ends ) || write( ends[1], bytes, n ) != (long)n || close( ends[1] ) ) exit( 10 );
  }
  sf_signer_t signer;
  if( cnt > 3 ? sf_signer_open( &signer, word[1], ends[0] ) : sf_keyfile_read( word[1], ends[0], secret ) ) {
    failed();
    return;
  }
  if( cnt > 3 ) {
    n = unhex( word[3], bytes, sizeof( bytes ) );
    sf_signer_sign( &signer, signature, bytes, n );
    sf_signer_close( &signer );
    hex( signature, 64 );
  } else {
    hex( secret + 32, 32 );
  }
  putchar( '\n' );
}

static void answer( char ** word, uint32_t cnt ) {
  char const * verb = word[0];
  uint8_t bytes[3][64];
  uint8_t out[64];
  char text[SF_BASE58_TEXT_MAX];
  if( !strcmp( verb, "transaction" ) ) {
    do_parse( word[1], 1 );
  } else if( !strcmp( verb, "message" ) ) {
    do_parse( word[1], 0 );
  } else if( !strcmp( verb, "compile" ) ) {
    do_compile( word, cnt );
  } else if( !strcmp( verb, "tables" ) ) {
    do_tables( word );
  } else if( !strcmp( verb, "find" ) ) {
    do_find( word, cnt );
  } else if( !strcmp( verb, "curve" ) ) {
    unhex( word[1], bytes[0], 32 );
    printf( "%d\n", sf_address_on_curve( bytes[0] ) );
  } else if( !strcmp( verb, "token" ) ) {
    for( int i = 0; i < 3; i++ ) unhex( word[1 + i], bytes[i], 32 );
    if( sf_address_token( bytes[0], bytes[1], bytes[2], out ) ) exit( 6 );
    hex( out, 32 );
    putchar( '\n' );
  } else if( !strcmp( verb, "encode" ) ) {
    uint32_t n = unhex( word[1], bytes[0], 64 );
    if( sf_base58_encode( bytes[0], n, text, sizeof( text ) ) < 0 ) exit( 7 );
    printf( "\"%s\"\n", text );
  } else if( !strcmp( verb, "decode" ) ) {
    char const * in = cnt > 1 ? word[1] : "";
    int n           = sf_base58_decode( in, (uint32_t)strlen( in ), out, 64 );
    if( n < 0 ) {
      failed();
      return;
    }
    hex( out, (uint32_t)n );
    putchar( '\n' );
  } else if( !strcmp( verb, "keyfile" ) ) {
    do_keyfile( word, cnt );
  } else if( !strcmp( verb, "fee" ) ) {
    uint64_t price = strtoull( word[2], NULL, 10 );
    printf( "%" PRIu64 "\n", sf_fee_lamports( (uint32_t)atoi( word[1] ), price, (uint32_t)atoi( word[3] ) ) );
  } else {
    exit( 8 );
  }
}

int main( void ) {
  static char line[1 << 20];
  while( fgets( line, sizeof( line ), stdin ) ) {
    char * word[WORD_MAX];
    uint32_t cnt = 0;
    for( char * at = strtok( line, " \n" ); at && cnt < WORD_MAX; at = strtok( NULL, " \n" ) ) word[cnt++] = at;
    if( !cnt ) return 9;
    answer( word, cnt );
    fflush( stdout );
  }
  return 0;
}
