#include "trade/plan.h"

static void plan_create( sf_plan_t * p, sf_swap_t const * swap, uint8_t const wallet[32] ) {
  sf_account_meta_t * account = p->create[p->create_cnt++];
  sf_token_account_create( account, wallet, swap->user_out, swap->mint_out, swap->program_out );
  p->instruction[p->cnt++] = ( sf_instruction_t ){ .program     = sf_program_associated_token,
                                                   .account     = account,
                                                   .data        = sf_token_account_create_data,
                                                   .account_cnt = SF_CREATE_ACCOUNTS,
                                                   .data_len    = SF_CREATE_BYTES };
}

void sf_plan_make( sf_plan_t * out, sf_intent_t const * intent, sf_swap_t * const * swap, uint8_t const wallet[32] ) {
  out->cnt = out->create_cnt = 0;
  for( uint32_t h = 0; intent->flags & SF_INTENT_CREATE && h < intent->hop_cnt; h++ ) {
    uint32_t k = 0;
    while( k < h && swap[k]->token_out != swap[h]->token_out ) k++;
    if( k == h ) plan_create( out, swap[h], wallet );
  }
  for( uint32_t h = 0; h < intent->hop_cnt; h++ ) {
    sf_swap_data( swap[h], &intent->hop[h], out->data[h] );
    out->instruction[out->cnt++] = ( sf_instruction_t ){ .program     = swap[h]->venue->program,
                                                         .account     = swap[h]->account,
                                                         .data        = out->data[h],
                                                         .account_cnt = (uint16_t)swap[h]->account_cnt,
                                                         .data_len    = swap[h]->data_len };
  }
}
