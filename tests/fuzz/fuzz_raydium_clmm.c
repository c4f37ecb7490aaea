/* fuzz_raydium_clmm.c: any bytes as a pool, config, tick arrays, a bitmap extension, instruction data and an event.
   What decodes must quote without a fault, and a quote must not take more than it was given.

   The input is a list of records: which account, how many words of it to write, and each with its offset; then the
   account is decoded.  Discriminators and the pool's key are there from the start, so that most inputs get through. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dex/bytes.h"
#include "dex/raydium_clmm.h"

#define NOW 1700000000

static sf_raydium_clmm_work_t work;
static uint8_t account[4][SF_CLMM_ARRAY_BYTES];
static uint8_t const key[32] = { 7 };

static void templates( void ) {
  static uint64_t const tag[4] = { 0x46dec3d7f5e3edf7UL, 0x6f2bcbcb6821f4daUL, 0x2a81f931cd559bc0UL,
                                   0x998b8061db24963cUL };
  memset( account, 0, sizeof( account ) );
  for( int i = 0; i < 4; i++ ) sf_put_u64( account[i], tag[i] );
  account[0][235] = 60, account[0][261] = 1; /* a price of one, at tick 0 */
  account[0][73] = account[0][137] = 1;
  memset( account[0] + 904, 0xff, 128 );
  account[1][47] = 100;
  memcpy( account[2] + 8, key, 32 );
  memcpy( account[3] + 8, key, 32 );
}

int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  static uint32_t const len[4] = { SF_CLMM_POOL_BYTES, SF_CLMM_CONFIG_BYTES, SF_CLMM_ARRAY_BYTES,
                                   SF_CLMM_EXTENSION_BYTES };
  sf_clmm_swap_t swap;
  sf_clmm_swap_event_t event;
  if( size < 18 || size > 4096 ) return 0;
  sf_raydium_clmm_swap_parse( bytes, (uint32_t)size, &swap );
  sf_raydium_clmm_swap_event_parse( bytes, (uint32_t)size, &event );
  uint64_t amount = sf_get_u64( bytes ), limit = sf_get_u64( bytes + 8 );
  size_t at = 16;
  templates();
  sf_raydium_clmm_clear( &work, key );
  sf_raydium_clmm_account( account[0], len[0], &work );
  sf_raydium_clmm_account( account[1], len[1], &work );
  while( at + 2 <= size ) {
    uint32_t kind = bytes[at] & 3, cut = bytes[at] >> 6, words = bytes[at + 1] % 32;
    for( at += 2; words && at + 10 <= size; words--, at += 10 ) {
      uint32_t to = sf_get_u16( bytes + at );
      if( to + 8 <= len[kind] ) memcpy( account[kind] + to, bytes + at + 2, 8 );
    }
    uint32_t used   = len[kind] - ( cut == 3 ? amount % len[kind] : 0 );
    uint8_t * exact = malloc( used ? used : 1 );
    memcpy( exact, account[kind], used );
    sf_raydium_clmm_account( exact, used, &work );
    free( exact );
  }
  if( sf_raydium_clmm_prepare( &work ) ) return 0;
  for( int i = 0; i < 8; i++ ) {
    sf_quote_t q;
    sf_raydium_clmm_quote( &work.state, i & 1, i >> 1 & 1, amount, i >> 2 ? (sf_u128_t)limit << ( amount % 40 ) : 0,
                           NOW, &q );
    if( q.status != SF_QUOTE_OK ) continue;
    if( ( q.fee_in_input && q.fee > q.amount_in ) || q.protocol_fee > q.fee ||
        ( i >> 1 & 1 ? q.amount_in : q.amount_out ) > amount )
      abort();
  }
  return 0;
}
