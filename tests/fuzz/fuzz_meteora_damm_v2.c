/* fuzz_meteora_damm_v2.c: any bytes as a pool of Meteora DAMM v2, a swap's data and its event.  A pool that decodes
   is quoted in all modes, and what a quote gives can be applied. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dex/bytes.h"
#include "dex/meteora_damm_v2.h"

/* The input is an amount and a time, then bytes; a pool's discriminator and length are put in place. */
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  uint8_t pool[SF_METEORA_DAMM_V2_POOL_BYTES] = { 0 };
  sf_meteora_damm_v2_state_t state, then;
  sf_meteora_damm_v2_swap_t swap;
  sf_meteora_damm_v2_event_t event;
  sf_quote_t q;
  if( size < 16 || size > 2000 ) return 0;
  uint64_t amount = sf_get_u64( bytes ), now = sf_get_u64( bytes + 8 );
  uint32_t len = (uint32_t)( size - 16 );
  sf_meteora_damm_v2_swap_read( bytes + 16, len, &swap );
  sf_meteora_damm_v2_event_read( bytes + 16, len, &event );
  if( len > sizeof( pool ) - 8 ) len = sizeof( pool ) - 8;
  memcpy( pool + 8, bytes + 16, len );
  sf_put_u64( pool, 0xbc6db111046d9af1UL );
  if( sf_meteora_damm_v2_decode( pool, sizeof( pool ), &state ) ) return 0;
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    sf_meteora_damm_v2_quote_in( &state, a_to_b, amount, now, &q );
    if( q.status == SF_QUOTE_OK ) {
      if( q.protocol_fee > q.fee || q.impact_ppm > 1000000 ) abort();
      then = state;
      sf_meteora_damm_v2_apply( &then, &q, now );
      sf_meteora_damm_v2_quote_in( &then, !a_to_b, amount, now, &q );
    }
    sf_meteora_damm_v2_quote_partial( &state, a_to_b, amount, now, &q );
    if( q.status == SF_QUOTE_OK && q.amount_in > amount ) abort();
    sf_meteora_damm_v2_quote_out( &state, a_to_b, amount, now, &q );
    if( q.status == SF_QUOTE_OK && q.amount_out != amount ) abort();
  }
  return 0;
}
