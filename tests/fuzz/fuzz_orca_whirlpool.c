/* fuzz_orca_whirlpool.c: any bytes as a pool, tick arrays, an oracle, instruction data and an event.  What decodes must
   quote without a fault, and a quote must not take more than it was given.

   The input is a list of records: which account, how many words of it to write, and each with its offset; then the
   account is decoded.  Discriminators and the pool's key are there from the start, so that most inputs get through. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dex/bytes.h"
#include "dex/orca_whirlpool.h"

#define NOW 1700000000

static sf_orca_whirlpool_work_t work;
static uint8_t account[4][SF_WHIRLPOOL_DYNAMIC_BYTES_MAX];
static uint8_t const key[32] = { 7 };

static void templates( void ) {
  static uint64_t const tag[4] = { 0x096380e10cd1953fUL, 0xbb42076ebebd6145UL, 0x38dac7e18ef6d811UL,
                                   0xf4e5b38cb383c28bUL };
  memset( account, 0, sizeof( account ) );
  for( int i = 0; i < 4; i++ ) sf_put_u64( account[i], tag[i] );
  account[0][41] = account[0][43] = 64, account[0][45] = 30;
  account[0][73]  = 1; /* a price of one, at tick 0 */
  account[0][101] = account[0][133] = 1;
  memcpy( account[1] + 9956, key, 32 );
  memcpy( account[2] + 12, key, 32 );
  memcpy( account[3] + 8, key, 32 );
  account[3][48] = 30, account[3][50] = 60, account[3][52] = 100, account[3][55] = 4, account[3][59] = 0x50;
  account[3][60] = 5, account[3][62] = 64;
}

int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  static uint32_t const len[4] = { SF_WHIRLPOOL_POOL_BYTES, SF_WHIRLPOOL_ARRAY_BYTES, SF_WHIRLPOOL_DYNAMIC_BYTES_MAX,
                                   SF_WHIRLPOOL_ORACLE_BYTES };
  sf_whirlpool_swap_t swap;
  sf_whirlpool_traded_t traded;
  if( size < 18 || size > 4096 ) return 0;
  sf_orca_whirlpool_swap_parse( bytes, (uint32_t)size, &swap );
  sf_orca_whirlpool_traded_parse( bytes, (uint32_t)size, &traded );
  uint64_t amount = sf_get_u64( bytes ), limit = sf_get_u64( bytes + 8 );
  size_t at = 16;
  templates();
  sf_orca_whirlpool_clear( &work, key );
  sf_orca_whirlpool_account( account[0], len[0], &work );
  while( at + 2 <= size ) {
    uint32_t kind = bytes[at] & 3, cut = bytes[at] >> 6, words = bytes[at + 1] % 32;
    for( at += 2; words && at + 10 <= size; words--, at += 10 ) {
      uint32_t to = sf_get_u16( bytes + at );
      if( to + 8 <= len[kind] ) memcpy( account[kind] + to, bytes + at + 2, 8 );
    }
    uint32_t used   = len[kind] - ( cut == 3 ? amount % len[kind] : 0 );
    uint8_t * exact = malloc( used ? used : 1 );
    memcpy( exact, account[kind], used );
    sf_orca_whirlpool_account( exact, used, &work );
    free( exact );
  }
  if( sf_orca_whirlpool_prepare( &work ) ) return 0;
  for( int i = 0; i < 8; i++ ) {
    sf_quote_t q;
    sf_orca_whirlpool_quote( &work.state, i & 1, i >> 1 & 1, amount, i >> 2 ? (sf_u128_t)limit << ( amount % 40 ) : 0,
                             NOW, &q );
    if( q.status != SF_QUOTE_OK ) continue;
    if( q.fee > q.amount_in || q.protocol_fee > q.fee || ( i >> 1 & 1 ? q.amount_in : q.amount_out ) > amount ) abort();
  }
  return 0;
}
