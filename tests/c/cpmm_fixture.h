/* cpmm_fixture.h: real and made accounts of Raydium CPMM for tests and benches. */

#ifndef CPMM_FIXTURE_H
#define CPMM_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dex/bytes.h"
#include "dex/raydium_cpmm.h"
#include "dex/token.h"
#include "dex/venue.h"
#include "solana/program.h"

/* A raw account as feed publishes it. */
typedef struct fixture_account {
  sf_raw_account_t raw;
  uint8_t data[900];
} fixture_account_t;

/* A key that says what it is: kind and number. */
static inline void fixture_key( uint8_t out[32], uint8_t kind, uint32_t number ) {
  memset( out, 0x5a, 32 );
  uint64_t mixed = ( number + 1 ) * 0x9e3779b97f4a7c15UL;
  memcpy( out, &mixed, 8 );
  memcpy( out + 8, &number, 4 );
  out[31] = kind;
}

static inline void fixture_mint_key( uint8_t out[32], uint32_t mint ) {
  if( mint ) fixture_key( out, 4, mint );
  else memcpy( out, sf_mint_wrapped_sol, 32 ); /* mint 0 is WSOL */
}

static inline fixture_account_t * fixture_begin( fixture_account_t * a, uint8_t const owner[32], uint32_t bytes,
                                                 uint64_t slot, uint32_t flags ) {
  memset( a, 0, sizeof( *a ) );
  memcpy( a->raw.owner, owner, 32 );
  a->raw.slot     = slot;
  a->raw.data_len = bytes;
  a->raw.flags    = flags;
  a->raw.lamports = 1;
  return a;
}

static inline uint16_t fixture_length( fixture_account_t const * a ) {
  return (uint16_t)( sizeof( a->raw ) + a->raw.data_len );
}

/* Pool number p over two mints, with config 0, 6 and 9 decimals as mints have them below. */
static inline void fixture_pool( fixture_account_t * a, uint32_t p, uint32_t mint_a, uint32_t mint_b, uint64_t slot,
                                 uint32_t flags ) {
  fixture_begin( a, sf_raydium_cpmm_program, SF_RAYDIUM_CPMM_POOL_BYTES, slot, flags );
  fixture_key( a->raw.pubkey, 1, p );
  sf_put_u64( a->data, 0x46dec3d7f5e3edf7UL );
  fixture_key( a->data + 8, 2, 0 );
  fixture_key( a->data + 72, 3, 2 * p );
  fixture_key( a->data + 104, 3, 2 * p + 1 );
  fixture_mint_key( a->data + 168, mint_a );
  fixture_mint_key( a->data + 200, mint_b );
  memcpy( a->data + 232, sf_program_token, 32 );
  memcpy( a->data + 264, sf_program_token, 32 );
  fixture_key( a->data + 296, 5, p );
  a->data[331] = a->data[332] = 9;
}

static inline void fixture_config( fixture_account_t * a, uint32_t trade, uint32_t creator, uint64_t slot,
                                   uint32_t flags ) {
  fixture_begin( a, sf_raydium_cpmm_program, SF_RAYDIUM_CPMM_CONFIG_BYTES, slot, flags );
  fixture_key( a->raw.pubkey, 2, 0 );
  sf_put_u64( a->data, 0x6f2bcbcb6821f4daUL );
  sf_put_u64( a->data + 12, trade );
  sf_put_u64( a->data + 108, creator );
}

static inline void fixture_vault( fixture_account_t * a, uint32_t p, uint32_t side, uint32_t mint, uint64_t amount,
                                  uint64_t slot, uint32_t flags ) {
  fixture_begin( a, sf_program_token, SF_TOKEN_ACCOUNT_BYTES, slot, flags );
  fixture_key( a->raw.pubkey, 3, 2 * p + side );
  fixture_mint_key( a->data, mint );
  memcpy( a->data + 32, sf_raydium_cpmm_authority, 32 );
  sf_put_u64( a->data + 64, amount );
  a->data[108] = 1;
}

static inline void fixture_mint( fixture_account_t * a, uint32_t mint, uint64_t slot, uint32_t flags ) {
  fixture_begin( a, sf_program_token, SF_MINT_BYTES, slot, flags );
  fixture_mint_key( a->raw.pubkey, mint );
  a->data[44] = 9;
  a->data[45] = 1;
}

/* A market message's payload of a pool of Raydium CPMM, as book publishes it. */
typedef struct fixture_update {
  sf_pool_update_t u;
  sf_raydium_cpmm_state_t s;
} fixture_update_t;

/* fixture_update_fill prices the state anew by its reserves and rates and works out the head, as book does; pool, tokens, slot
   stay. */
static inline void fixture_update_fill( fixture_update_t * p ) {
  sf_raydium_cpmm_config_t rates = p->s.rates;
  if( sf_raydium_cpmm_price( &p->s, p->s.reserve[0] + p->s.owed[0], p->s.reserve[1] + p->s.owed[1], &rates ) ) abort();
  sf_pool_update_fill( sf_venue_get( SF_VENUE_RAYDIUM_CPMM ), &p->s, sizeof( p->s ), p->u.unix_s, &p->u );
}

/* fixture_update makes one of pool number p between the tokens of these rows; its accounts are those of
   fixture_pool between mints of the tokens' numbers. */
static inline void fixture_update( fixture_update_t * out, uint32_t p, uint32_t token_a, uint32_t token_b,
                                   uint64_t reserve_a, uint64_t reserve_b, uint32_t trade_ppm ) {
  memset( out, 0, sizeof( *out ) );
  fixture_account_t account;
  fixture_pool( &account, p, token_a, token_b, 1, 0 );
  if( sf_raydium_cpmm_pool_decode( account.raw.pubkey, account.data, account.raw.data_len, &out->s ) ) abort();
  out->s.reserve[0]  = reserve_a;
  out->s.reserve[1]  = reserve_b;
  out->s.rates.trade = trade_ppm;
  out->u.pool        = p;
  out->u.slot        = 1;
  out->u.unix_s      = 1000;
  out->u.token_a     = token_a;
  out->u.token_b     = token_b;
  fixture_update_fill( out );
}

/* fixture_pool_row is the row of pools that book would have of it. */
static inline void fixture_pool_row( fixture_update_t const * p, sf_pool_row_t * row ) {
  memset( row, 0, sizeof( *row ) );
  row->update = p->u;
  memcpy( row->state, &p->s, sizeof( p->s ) );
  memcpy( row->pool, p->s.pubkey, 32 );
  memcpy( row->mint_a, p->s.mint[0], 32 );
  memcpy( row->mint_b, p->s.mint[1], 32 );
  memcpy( row->program_a, p->s.program[0], 32 );
  memcpy( row->program_b, p->s.program[1], 32 );
  memcpy( row->vault_a, p->s.vault[0], 32 );
  memcpy( row->vault_b, p->s.vault[1], 32 );
}

/* The data of an account dump (`solana account --output json`) in $SNIPERFORGE_DATA, or beside the checkout that
   this file is in; its length, or -1 if there is no such file. */
static inline int fixture_dump( char const * name, uint8_t * out, uint32_t max ) {
  char path[1024], text[16384];
  char const * dir = getenv( "SNIPERFORGE_DATA" );
  int here         = (int)( strrchr( __FILE__, '/' ) - __FILE__ );
  if( dir ) snprintf( path, sizeof( path ), "%s", dir );
  else snprintf( path, sizeof( path ), "%.*s/../../../shared/data", here, __FILE__ );
  uint64_t len = strlen( path );
  snprintf( path + len, sizeof( path ) - len, "/accounts/raydium_cpmm/sol_usdc/%s.json", name );
  FILE * file = fopen( path, "r" );
  if( !file ) return -1;
  text[fread( text, 1, sizeof( text ) - 1, file )] = 0;
  fclose( file );
  char const * at = strstr( text, "\"data\"" );
  at              = at ? strchr( at, '[' ) : 0;
  at              = at ? strchr( at, '"' ) : 0;
  if( !at ) return -1;
  uint32_t n = 0, bits = 0, have = 0;
  for( at++; *at && *at != '"' && *at != '='; at++ ) {
    char const * digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bits                = bits << 6 | (uint32_t)( strchr( digits, *at ) - digits );
    if( ( have += 6 ) < 8 ) continue;
    have -= 8;
    if( n == max ) return -1;
    out[n++] = (uint8_t)( bits >> have );
  }
  return (int)n;
}

#endif
