/* fuzz_account.c: any bytes as accounts of any venue, in any order, through the store of pools.  Whatever gets a price must
   be quoted without a fault, and a quote must not give out more than was asked for or than the venue says it has. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dex/bytes.h"
#include "dex/pools.h"
#include "dex/raydium_cpmm.h"
#include "solana/program.h"

#define ACCOUNT_MAX 10240

static void quotes( sf_pool_update_t const * u, uint64_t amount ) {
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    sf_quote_t in, out;
    sf_pool_quote_in( u, a_to_b, amount, &in );
    sf_pool_quote_out( u, a_to_b, amount, &out );
    if( sf_pool_out( u, a_to_b, amount ) != ( in.status == SF_QUOTE_OK ? in.amount_out : 0 ) ) abort();
    if( in.status == SF_QUOTE_OK && in.amount_in > amount ) abort();
    if( out.status == SF_QUOTE_OK && out.amount_out < amount ) abort();
    if( u->venue == SF_VENUE_RAYDIUM_CPMM && in.status == SF_QUOTE_OK && in.amount_out >= u->reserve[a_to_b] ) abort();
    if( !( u->rate[!a_to_b] >= 0. && u->depth[!a_to_b] >= 0. && u->limit[!a_to_b] >= 0. ) ) abort();
  }
}

static void decoders( uint8_t const * data, uint32_t len ) {
  sf_raydium_cpmm_swap_t swap;
  sf_raydium_cpmm_traded_t traded;
  sf_token_account_t account;
  sf_mint_t mint;
  uint8_t brief[SF_MINT_BRIEF_MAX];
  sf_raydium_cpmm_swap_parse( data, len, &swap );
  sf_raydium_cpmm_traded_parse( data, len, &traded );
  sf_token_account_decode( sf_program_token_2022, data, len, &account );
  if( !sf_mint_decode( sf_program_token_2022, data, len, &mint ) ) {
    sf_mint_t again;
    uint32_t n = sf_mint_brief( data, len, brief );
    if( sf_mint_decode( sf_program_token_2022, brief, n, &again ) || again.supply != mint.supply ) abort();
  }
}

static uint8_t const * owner_of( uint32_t number ) {
  sf_venue_t const * venue = sf_venue_get( number % 16 );
  return venue ? venue->program : number & 1 ? sf_program_token : sf_program_token_2022;
}

/* The input is accounts: eight bytes that say which, then the data.  An account's key is one byte over and over, or stands
   in the data of the one before. */
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  static struct {
    sf_raw_account_t raw;
    uint8_t data[ACCOUNT_MAX];
  } account;
  sf_pools_t store;
  if( size > 60000 || sf_pools_open( &store, 4, 8, 100 ) ) return 0;
  memset( &account, 0, sizeof( account ) );
  while( size >= 8 ) {
    uint32_t key = bytes[0], what = bytes[2], len = sf_get_u16( bytes + 6 ), at = sf_get_u16( bytes + 4 );
    uint32_t pool;
    if( key < 32 ) memset( account.raw.pubkey, (int)key, 32 );
    else if( at + 32 <= account.raw.data_len ) memcpy( account.raw.pubkey, account.data + at, 32 );
    memcpy( account.raw.owner, owner_of( bytes[1] ), 32 );
    account.raw.slot  = bytes[3];
    account.raw.flags = what & ( SF_RAW_SNAPSHOT | SF_RAW_SIMULATED );
    bytes += 8;
    size -= 8;
    if( len > size ) len = (uint32_t)size;
    if( len > ACCOUNT_MAX ) len = ACCOUNT_MAX;
    account.raw.data_len = len;
    memcpy( account.data, bytes, len );
    uint8_t * exact = malloc( sizeof( account.raw ) + len ); /* so that every byte too far is seen */
    memcpy( exact, &account, sizeof( account.raw ) + len );
    sf_pools_time( &store, 1000UL * account.raw.slot );
    sf_pools_account( &store, (sf_raw_account_t const *)exact, 0 );
    decoders( exact + sizeof( account.raw ), len );
    free( exact );
    if( what & 16 ) sf_pools_slot( &store, account.raw.slot );
    if( what & 32 ) sf_pools_reset( &store, 0 );
    while( sf_pools_changed( &store, &pool ) ) quotes( &store.at[pool].update, 1UL << at % 64 );
    bytes += len;
    size -= len;
  }
  sf_pools_close( &store );
  return 0;
}
