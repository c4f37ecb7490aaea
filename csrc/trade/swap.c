#include "trade/swap.h"

#include "base/err.h"

static sf_swap_ask_t ask_of( sf_hop_t const * hop ) {
  sf_swap_ask_t ask = { .amount_in = hop->amount_in,
                        .min_out   = hop->min_out,
                        .a_to_b    = hop->a_to_b != 0,
                        .array_cnt = hop->array_cnt < SF_SWAP_ARRAYS ? hop->array_cnt : SF_SWAP_ARRAYS };
  for( uint32_t i = 0; i < SF_SWAP_ARRAYS; i++ ) ask.array[i] = hop->array[i];
  return ask;
}

/* The wallet's account for side a or b of the pool; copied, because the next call may take its place. */
static int user_account( sf_pool_row_t const * row, int side_a, sf_token_accounts_t * wallet, uint8_t out[32] ) {
  uint8_t const * account = side_a
                                ? sf_token_account_get( wallet, row->update.token_a, row->mint_a, row->program_a )
                                : sf_token_account_get( wallet, row->update.token_b, row->mint_b, row->program_b );
  if( !account ) return SF_ERR_ARG;
  for( uint32_t i = 0; i < 32; i++ ) out[i] = account[i];
  return 0;
}

int sf_swap_data( sf_venue_t const * venue, void const * state, sf_hop_t const * hop, uint8_t * out, uint32_t * len ) {
  sf_swap_ask_t ask = ask_of( hop );
  return venue->swap_data( state, &ask, out, len );
}

int sf_swap_make( sf_swap_t * out, sf_hop_t const * hop, sf_pool_row_t const * row, sf_token_accounts_t * wallet ) {
  sf_swap_ask_t ask = ask_of( hop );
  uint32_t account_cnt, data_len;
  uint8_t user_in[32], user_out[32];
  sf_venue_t const * venue = sf_venue_get( row->update.venue );
  if( !venue || hop->venue != row->update.venue )
    return sf_err_set( SF_ERR_ARG, "pool %u: venue %u asked for, it is of venue %u", hop->pool, hop->venue,
                       row->update.venue );
  ask.payer    = wallet->wallet;
  ask.user_in  = user_in;
  ask.user_out = user_out;
  int err      = user_account( row, ask.a_to_b, wallet, user_in );
  if( !err ) err = user_account( row, !ask.a_to_b, wallet, user_out );
  if( !err ) err = venue->swap_accounts( row->state, &ask, out->account, &account_cnt );
  if( !err ) err = venue->swap_data( row->state, &ask, out->data, &data_len );
  if( err ) return err;
  out->instruction = ( sf_instruction_t ){ .program     = venue->program,
                                           .account     = out->account,
                                           .data        = out->data,
                                           .account_cnt = (uint16_t)account_cnt,
                                           .data_len    = (uint16_t)data_len };
  return 0;
}
