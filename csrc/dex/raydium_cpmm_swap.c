#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/metas.h"
#include "dex/raydium_cpmm.h"

/* first eight bytes of sha256 of "global:swap_base_input", "global:swap_base_output", "event:SwapEvent" */
#define TAG_SWAP_INPUT  0xde331ec4da5abe8fUL
#define TAG_SWAP_OUTPUT 0xadb44aa35662d937UL
#define TAG_TRADED      0xe2710826e8cdc640UL

#define TRADED_BYTES_MIN 89 /* before mints and fees were in it */
#define TRADED_BYTES     170
#define TRADED_FEES      153

uint32_t sf_raydium_cpmm_swap_data( sf_raydium_cpmm_swap_t const * swap, uint8_t * out ) {
  sf_put_u64( out, swap->exact_in ? TAG_SWAP_INPUT : TAG_SWAP_OUTPUT );
  sf_put_u64( out + 8, swap->exact_in ? swap->amount : swap->threshold );
  sf_put_u64( out + 16, swap->exact_in ? swap->threshold : swap->amount );
  return SF_RAYDIUM_CPMM_SWAP_DATA_BYTES;
}

int sf_raydium_cpmm_swap_parse( uint8_t const * data, uint32_t len, sf_raydium_cpmm_swap_t * out ) {
  if( len < SF_RAYDIUM_CPMM_SWAP_DATA_BYTES )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm swap: %u bytes, fewer than %u", len,
                       SF_RAYDIUM_CPMM_SWAP_DATA_BYTES );
  uint64_t tag = sf_get_u64( data ), first = sf_get_u64( data + 8 ), second = sf_get_u64( data + 16 );
  if( tag != TAG_SWAP_INPUT && tag != TAG_SWAP_OUTPUT )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm swap: discriminator %016lx at offset 0", tag );
  out->exact_in  = tag == TAG_SWAP_INPUT;
  out->amount    = out->exact_in ? first : second;
  out->threshold = out->exact_in ? second : first;
  return 0;
}

void sf_raydium_cpmm_swap_accounts( sf_raydium_cpmm_state_t const * s, int a_to_b, uint8_t const user_in[32],
                                    uint8_t const user_out[32], uint8_t const payer[32], sf_account_meta_t * out,
                                    uint32_t * cnt ) {
  uint32_t n = 0, from = !a_to_b, to = !!a_to_b;
  sf_account_meta_put( out, &n, payer, 1, 0 );
  sf_account_meta_put( out, &n, sf_raydium_cpmm_authority, 0, 0 );
  sf_account_meta_put( out, &n, s->config, 0, 0 );
  sf_account_meta_put( out, &n, s->pubkey, 0, 1 );
  sf_account_meta_put( out, &n, user_in, 0, 1 );
  sf_account_meta_put( out, &n, user_out, 0, 1 );
  sf_account_meta_put( out, &n, s->vault[from], 0, 1 );
  sf_account_meta_put( out, &n, s->vault[to], 0, 1 );
  sf_account_meta_put( out, &n, s->program[from], 0, 0 );
  sf_account_meta_put( out, &n, s->program[to], 0, 0 );
  sf_account_meta_put( out, &n, s->mint[from], 0, 0 );
  sf_account_meta_put( out, &n, s->mint[to], 0, 0 );
  sf_account_meta_put( out, &n, s->observation, 0, 1 );
  *cnt = n;
}

int sf_raydium_cpmm_traded_parse( uint8_t const * data, uint32_t len, sf_raydium_cpmm_traded_t * out ) {
  if( len != TRADED_BYTES_MIN && len < TRADED_BYTES )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm event: %u bytes, not %u or %u", len, TRADED_BYTES_MIN, TRADED_BYTES );
  if( sf_get_u64( data ) != TAG_TRADED )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm event: discriminator %016lx at offset 0", sf_get_u64( data ) );
  if( data[88] > 1 ) return sf_err_set( SF_ERR_DATA, "raydium cpmm event: %u at offset 88 is not a bool", data[88] );
  memcpy( out->pool, data + 8, 32 );
  out->reserve_in       = sf_get_u64( data + 40 );
  out->reserve_out      = sf_get_u64( data + 48 );
  out->amount_in        = sf_get_u64( data + 56 );
  out->amount_out       = sf_get_u64( data + 64 );
  out->transfer_fee_in  = sf_get_u64( data + 72 );
  out->transfer_fee_out = sf_get_u64( data + 80 );
  out->exact_in         = data[88];
  out->trade_fee        = len < TRADED_BYTES ? 0 : sf_get_u64( data + TRADED_FEES );
  out->creator_fee      = len < TRADED_BYTES ? 0 : sf_get_u64( data + TRADED_FEES + 8 );
  return 0;
}
