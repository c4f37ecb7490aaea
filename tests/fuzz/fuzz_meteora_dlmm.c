/* fuzz_meteora_dlmm.c: any bytes as a pair, a bin array, a bitmap, a swap instruction and an event.  What decodes
   must quote without a fault and never give out more than its bins hold. */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dex/bytes.h"
#include "dex/meteora_dlmm.h"

static sf_meteora_dlmm_work_t work;
static uint64_t room[SF_DLMM_STATE_MAX / 8];

/* A sound pair of bin step 10 with array 0 marked, so that arrays have one to belong to. */
static void pair_make( uint8_t const key[32] ) {
  uint8_t data[SF_DLMM_PAIR_BYTES] = { 0x21, 0x0b, 0x31, 0x62, 0xb5, 0x65, 0xb1, 0x0d, 0x10, 0x27, 30, 0, 200 };
  data[16] = data[18] = 9;
  data[21] = data[22] = 1;
  data[80]            = 10;
  data[648]           = 1;
  sf_meteora_dlmm_clear( &work, key );
  if( sf_meteora_dlmm_account( data, sizeof( data ), &work ) ) abort();
}

static void quotes( uint64_t amount, uint64_t now ) {
  for( uint32_t i = 0; i < 8; i++ ) {
    int a_to_b                  = (int)( i & 1 );
    sf_meteora_dlmm_state_t * s = (sf_meteora_dlmm_state_t *)room;
    work.head.newest            = i >> 2;
    if( sf_meteora_dlmm_travel( &work, UINT32_MAX, i & 2 ? SF_DLMM_STATE_MAX : 3584, s ) > SF_DLMM_STATE_MAX ) abort();
    sf_quote_t q;
    if( i & 2 ) sf_meteora_dlmm_quote_in( s, a_to_b, amount, now, &q );
    else sf_meteora_dlmm_quote_out( s, a_to_b, amount, now, &q );
    sf_u128_t all = 0;
    for( uint32_t k = 0; k < s->way[!a_to_b].step_cnt; k++ ) all += sf_meteora_dlmm_steps( s, !a_to_b )[k].out;
    if( q.amount_out > all ) abort();
    if( q.status == SF_QUOTE_OK && ( i & 2 ? q.amount_in : q.amount_out ) != amount ) abort();
  }
}

/* The input is an amount, the time and an account; the key of its pair is taken from it. */
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  if( size < 16 + 56 || size > 12000 ) return 0;
  uint64_t amount = sf_get_u64( bytes ), now = sf_get_u64( bytes + 8 ) >> 1;
  uint8_t const * data = bytes + 16;
  uint32_t len         = (uint32_t)( size - 16 );
  pair_make( data + ( len == SF_DLMM_ARRAY_BYTES ? 24 : 8 ) );
  if( !sf_meteora_dlmm_account( data, len, &work ) ) quotes( amount, now );
  sf_dlmm_swap_t swap;
  uint8_t back[SF_DLMM_SWAP_DATA_MAX];
  uint32_t swap_len = (uint32_t)( amount % 40 );
  if( !sf_meteora_dlmm_swap_parse( data, swap_len, &swap ) && !swap.slices )
    if( sf_meteora_dlmm_swap_data( &swap, back ) != swap_len || memcmp( back, data, swap_len ) ) abort();
  sf_dlmm_traded_t traded;
  sf_meteora_dlmm_traded_parse( data, len, &traded );
  return 0;
}
