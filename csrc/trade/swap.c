#include "trade/swap.h"

#include <string.h>

#include "base/err.h"

/* Copies the address of the wallet's account for side a or b of the pool. */
static int user_account( sf_pool_row_t const * row, int side_a, sf_token_accounts_t * wallet, uint8_t out[32] ) {
  uint8_t const * account = side_a ? sf_token_account_get( wallet, row->token_a, row->mint_a, row->program_a )
                                   : sf_token_account_get( wallet, row->token_b, row->mint_b, row->program_b );
  if( !account ) return SF_ERR_ARG;
  memcpy( out, account, 32 );
  return 0;
}

int sf_swap_make( sf_swap_t * out, sf_hop_t const * hop, sf_pool_row_t const * row, sf_token_accounts_t * wallet ) {
  int a_to_b = hop->a_to_b != 0;
  uint32_t account_cnt;
  uint32_t data_len;
  uint8_t user_in[32];
  uint8_t user_out[32];
  sf_venue_t const * venue = sf_venue_get( row->venue );
  if( !venue || hop->venue != row->venue )
    return sf_err_set( SF_ERR_ARG, "pool %u: venue %u asked for, it is of venue %u", hop->pool, hop->venue,
                       row->venue );
  int err = user_account( row, a_to_b, wallet, user_in );
  if( !err ) err = user_account( row, !a_to_b, wallet, user_out );
  if( !err ) err = venue->swap_accounts( row, a_to_b, user_in, user_out, wallet->wallet, out->account, &account_cnt );
  if( !err ) err = venue->swap_data( hop->amount_in, hop->min_out, out->data, &data_len );
  if( err ) return err;
  out->instruction = ( sf_instruction_t ){ .program     = venue->program,
                                           .account     = out->account,
                                           .data        = out->data,
                                           .account_cnt = (uint16_t)account_cnt,
                                           .data_len    = (uint16_t)data_len };
  return 0;
}
