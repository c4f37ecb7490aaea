#include "trade/forms.h"

#include <string.h>

#define PREFIX_LIMIT 0 /* instructions before the plan's */
#define PREFIX_PRICE 1
#define PREFIX_TIP   2

void sf_form_key( sf_intent_t const * intent, uint32_t flags, sf_form_key_t * out ) {
  memset( out, 0, sizeof( *out ) );
  out->hop_cnt = intent->hop_cnt;
  out->flags   = flags;
  for( uint32_t i = 0; i < intent->hop_cnt; i++ ) sf_swap_key( &intent->hop[i], &out->hop[i] );
}

/* Never 0. */
static uint64_t tag_of( sf_form_key_t const * key ) {
  uint64_t word, h = 0;
  for( uint32_t at = 0; at + 8 <= sizeof( *key ); at += 8 ) {
    memcpy( &word, (uint8_t const *)key + at, 8 );
    h = ( h ^ word ) * 0x9e3779b97f4a7c15ul;
    h ^= h >> 32;
  }
  return h | 1;
}

static uint32_t set_of( uint64_t tag ) { return (uint32_t)( tag >> 32 ) % SF_FORMS_SETS; }

sf_form_t * sf_forms_find( sf_forms_t * forms, sf_form_key_t const * key ) {
  uint64_t tag = tag_of( key );
  uint32_t set = set_of( tag );
  for( uint32_t i = 0; i < SF_FORMS_WAYS; i++ ) {
    sf_form_t * form = &forms->form[set][i];
    if( forms->tag[set][i] != tag || memcmp( &form->key, key, sizeof( *key ) ) ) continue;
    forms->used[set][i] = ++forms->stamp;
    return form;
  }
  return NULL;
}

static int form_compile( sf_form_t * form, sf_form_common_t const * common, sf_plan_t const * plan,
                         sf_swap_t * const * swap ) {
  uint8_t limit[SF_COMPUTE_LIMIT_BYTES], price[SF_COMPUTE_PRICE_BYTES], tip[SF_SYSTEM_TRANSFER_BYTES];
  sf_account_meta_t tip_account[2] = { { .signer = 1, .writable = 1 }, { .writable = 1 } };
  sf_account_meta_t protect        = { .signer = 0 };
  sf_instruction_t instruction[SF_TEMPLATE_INSTRUCTION_MAX];
  uint32_t cnt = PREFIX_TIP;

  sf_compute_limit_data( limit, 0 );
  sf_compute_price_data( price, 0 );
  memcpy( protect.pubkey, common->protect_account, 32 );
  uint16_t protect_cnt = ( form->key.flags & SF_FORM_PROTECT ) != 0;
  instruction[PREFIX_LIMIT] =
      ( sf_instruction_t ){ sf_program_compute_budget, &protect, limit, protect_cnt, sizeof( limit ) };
  instruction[PREFIX_PRICE] = ( sf_instruction_t ){ sf_program_compute_budget, NULL, price, 0, sizeof( price ) };
  if( form->key.flags & SF_FORM_TIP ) {
    sf_system_transfer_data( tip, 0 );
    memcpy( tip_account[0].pubkey, common->wallet, 32 );
    memcpy( tip_account[1].pubkey, common->tip_account, 32 );
    instruction[cnt++] = ( sf_instruction_t ){ sf_program_system, tip_account, tip, 2, sizeof( tip ) };
  }
  uint32_t static_cnt = cnt;
  for( uint32_t i = 0; i < plan->cnt; i++ ) instruction[cnt++] = plan->instruction[i];
  sf_template_t * t = &form->template;
  int err           = sf_template_compile( t, common->wallet, instruction, cnt, &common->lookups, static_cnt );
  if( err ) return err;

  form->limit_off      = t->data_off[PREFIX_LIMIT];
  form->price_off      = t->data_off[PREFIX_PRICE];
  form->tip_off        = form->key.flags & SF_FORM_TIP ? t->data_off[PREFIX_TIP] : 0;
  form->crossing_units = 0;
  for( uint32_t h = 0; h < form->key.hop_cnt; h++ ) {
    uint32_t data_off = t->data_off[static_cnt + plan->create_cnt + h];
    form->crossing_units += swap[h]->venue->crossing_units;
    form->amount_off[h] = (uint16_t)( data_off + swap[h]->amount_off );
    form->least_off[h]  = (uint16_t)( data_off + swap[h]->least_off );
  }
  return 0;
}

int sf_forms_make( sf_forms_t * forms, sf_form_key_t const * key, sf_form_common_t const * common,
                   sf_plan_t const * plan, sf_swap_t * const * swap, sf_form_t ** out ) {
  uint64_t tag = tag_of( key );
  uint32_t set = set_of( tag ), way = 0;
  for( uint32_t i = 1; i < SF_FORMS_WAYS; i++ )
    if( forms->used[set][i] < forms->used[set][way] ) way = i;
  sf_form_t * form = &forms->form[set][way];
  sf_forms_drop( forms, form );
  form->key   = *key;
  form->units = form->orders = form->ladder = 0;
  int err                                   = form_compile( form, common, plan, swap );
  if( err ) return err;
  form->made = forms->used[set][way] = ++forms->stamp;
  forms->tag[set][way]               = tag;
  *out                               = form;
  return 0;
}

void sf_forms_drop( sf_forms_t * forms, sf_form_t * form ) {
  uint64_t at               = (uint64_t)( form - &forms->form[0][0] );
  form->made                = 0;
  ( &forms->tag[0][0] )[at] = ( &forms->used[0][0] )[at] = 0;
}

void sf_form_fill( sf_form_t const * form, sf_form_values_t const * v, uint8_t * tx ) {
  sf_template_t const * t = &form->template;
  memcpy( tx, t->tx, t->tx_len );
  memcpy( tx + t->blockhash_off, v->blockhash, 32 );
  sf_compute_limit_data( tx + form->limit_off, v->units );
  sf_compute_price_data( tx + form->price_off, v->price_micro_lamports );
  if( form->tip_off ) sf_system_transfer_data( tx + form->tip_off, v->tip_lamports );
  for( uint32_t h = 0; h < form->key.hop_cnt; h++ ) {
    memcpy( tx + form->amount_off[h], &v->intent->hop[h].amount_in, 8 );
    memcpy( tx + form->least_off[h], &v->intent->hop[h].min_out, 8 );
  }
}
