#include "base/err.h"
#include "dex/bytes.h"
#include "dex/meteora_dlmm.h"
#include "solana/address.h"
#include "solana/program.h"

static uint8_t const memo_program[32] = {
  0x05, 0x4a, 0x53, 0x5a, 0x99, 0x29, 0x21, 0x06, 0x4d, 0x24, 0xe8, 0x71, 0x60, 0xda, 0x38, 0x7c,
  0x7c, 0x35, 0xb5, 0xdd, 0xbc, 0x92, 0xbb, 0x81, 0xe4, 0x1f, 0xa8, 0x40, 0x41, 0x05, 0x44, 0x8d,
};

static uint8_t const form_name[SF_DLMM_FORMS][8] = {
  { 0xf8, 0xc6, 0x9e, 0x91, 0xe1, 0x75, 0x87, 0xc8 }, /* swap */
  { 0x41, 0x4b, 0x3f, 0x4c, 0xeb, 0x5b, 0x5b, 0x88 }, /* swap2 */
  { 0xfa, 0x49, 0x65, 0x21, 0x26, 0xcf, 0x4b, 0xb8 }, /* swap_exact_out */
  { 0x2b, 0xd7, 0xf7, 0x84, 0x89, 0x3c, 0xf3, 0x51 }, /* swap_exact_out2 */
  { 0x38, 0xad, 0xe6, 0xd0, 0xad, 0xe4, 0x9c, 0xcd }, /* swap_with_price_impact */
  { 0x4a, 0x62, 0xc0, 0xd6, 0xb1, 0x33, 0x4b, 0x33 }, /* swap_with_price_impact2 */
};

static uint8_t const call_tag[8]    = { 0xe4, 0x45, 0xa5, 0x2e, 0x51, 0xcb, 0x9a, 0x1d };
static uint8_t const event_older[8] = { 0x51, 0x6c, 0xe3, 0xbe, 0xcd, 0xd0, 0x0a, 0xc4 };
static uint8_t const event_new[8]   = { 0x2e, 0x74, 0x52, 0xd7, 0x94, 0x1b, 0x54, 0x4d };

#define EVENT_OLDER_BYTES 129 /* without name */
#define EVENT_NEW_BYTES   147
#define SLICE_KINDS       5
#define SLICE_NUMBERED    3 /* this kind has a number behind it */

static int form_two( uint32_t form ) { return (int)( form & 1 ); }
static int form_out( uint32_t form ) { return form == SF_DLMM_EXACT_OUT || form == SF_DLMM_EXACT_OUT2; }

uint32_t sf_meteora_dlmm_swap_data( sf_dlmm_swap_t const * swap, uint8_t * out ) {
  uint32_t at = 24;
  memcpy( out, form_name[swap->form], 8 );
  if( swap->form >= SF_DLMM_PRICE_IMPACT ) {
    sf_put_u64( out + 8, swap->amount );
    at      = 17;
    out[16] = swap->active_given;
    if( swap->active_given ) {
      memcpy( out + at, &swap->active, 4 );
      at += 4;
    }
    memcpy( out + at, &swap->impact_bps, 2 );
    at += 2;
  } else {
    sf_put_u64( out + 8, form_out( swap->form ) ? swap->threshold : swap->amount );
    sf_put_u64( out + 16, form_out( swap->form ) ? swap->amount : swap->threshold );
  }
  if( form_two( swap->form ) ) {
    memset( out + at, 0, 4 );
    at += 4;
  }
  return at;
}

/* The slices of further accounts: kind, a number for one kind, and how many.  Returns where they end, or an error. */
static int slices_end( uint8_t const * data, uint32_t len, uint32_t at, uint8_t * cnt ) {
  uint32_t slices;
  if( len - at < 4 ) return sf_err_set( SF_ERR_DATA, "swap: %u bytes end in the slices at offset %u", len, at );
  memcpy( &slices, data + at, 4 );
  at += 4;
  if( slices > SLICE_KINDS ) return sf_err_set( SF_ERR_DATA, "swap: %u slices at offset %u", slices, at - 4 );
  for( uint32_t i = 0; i < slices; i++ ) {
    if( at >= len || data[at] >= SLICE_KINDS )
      return sf_err_set( SF_ERR_DATA, "swap: no kind of slice at offset %u", at );
    at += data[at] == SLICE_NUMBERED ? 3 : 2;
  }
  if( at > len ) return sf_err_set( SF_ERR_DATA, "swap: %u bytes end in the slices", len );
  *cnt = (uint8_t)slices;
  return (int)at;
}

int sf_meteora_dlmm_swap_parse( uint8_t const * data, uint32_t len, sf_dlmm_swap_t * out ) {
  uint32_t form = 0, at = 24;
  if( len < 16 ) return sf_err_set( SF_ERR_DATA, "swap: %u bytes", len );
  while( form < SF_DLMM_FORMS && memcmp( data, form_name[form], 8 ) ) form++;
  if( form == SF_DLMM_FORMS ) return sf_err_set( SF_ERR_DATA, "swap: discriminator at offset 0 is no swap" );
  memset( out, 0, sizeof( *out ) );
  out->form   = form;
  out->amount = sf_get_u64( data + 8 );
  if( form >= SF_DLMM_PRICE_IMPACT ) {
    if( len < 17 || data[16] > 1 || len < 19u + 4u * data[16] )
      return sf_err_set( SF_ERR_DATA, "swap: %u bytes, or no option at offset 16", len );
    out->active_given = data[16];
    if( out->active_given ) memcpy( &out->active, data + 17, 4 );
    at              = 19 + 4u * data[16];
    out->impact_bps = sf_get_u16( data + at - 2 );
  } else {
    if( len < at ) return sf_err_set( SF_ERR_DATA, "swap: %u bytes, not %u", len, at );
    out->threshold = sf_get_u64( data + 16 );
    if( form_out( form ) ) {
      out->threshold = out->amount;
      out->amount    = sf_get_u64( data + 16 );
    }
  }
  if( form_two( form ) ) {
    int end = slices_end( data, len, at, &out->slices );
    if( end < 0 ) return end;
    at = (uint32_t)end;
  }
  if( at != len ) return sf_err_set( SF_ERR_DATA, "swap: %u bytes, not %u", len, at );
  return 0;
}

int sf_meteora_dlmm_array_address( uint8_t const pair[32], int32_t index, uint8_t out[32] ) {
  int64_t wide       = index;
  sf_seed_t seeds[3] = { { "bin_array", 9 }, { pair, 32 }, { &wide, 8 } };
  int bump           = sf_address_find( seeds, 3, sf_meteora_dlmm_program, out );
  return bump < 0 ? bump : 0;
}

int sf_meteora_dlmm_bitmap_address( uint8_t const pair[32], uint8_t out[32] ) {
  sf_seed_t seeds[2] = { { "bitmap", 6 }, { pair, 32 } };
  int bump           = sf_address_find( seeds, 2, sf_meteora_dlmm_program, out );
  return bump < 0 ? bump : 0;
}

static sf_account_meta_t * meta_add( sf_account_meta_t * m, uint8_t const key[32], uint8_t writable ) {
  memcpy( m->pubkey, key, 32 );
  m->signer   = 0;
  m->writable = writable;
  return m + 1;
}

int sf_meteora_dlmm_swap_accounts( sf_meteora_dlmm_state_t const * s, uint32_t form, uint32_t array_cnt,
                                   int32_t const * array, uint8_t const user[32], uint8_t const user_in[32],
                                   uint8_t const user_out[32], sf_account_meta_t * out, uint32_t * cnt ) {
  if( form >= SF_DLMM_FORMS || array_cnt > SF_DLMM_SWAP_ARRAYS_MAX )
    return sf_err_set( SF_ERR_ARG, "swap: form %u with %u arrays; at most %u", form, array_cnt,
                       SF_DLMM_SWAP_ARRAYS_MAX );
  uint8_t bitmap[32], authority[32];
  sf_seed_t seed = { "__event_authority", 17 };
  int err        = sf_address_find( &seed, 1, sf_meteora_dlmm_program, authority );
  if( err >= 0 && s->bitmap_extension ) err = sf_meteora_dlmm_bitmap_address( s->pubkey, bitmap );
  if( err < 0 ) return err;
  sf_account_meta_t * m = meta_add( out, s->pubkey, 1 );
  m                     = meta_add( m, s->bitmap_extension ? bitmap : sf_meteora_dlmm_program, 0 );
  m                     = meta_add( m, s->reserve_key[0], 1 );
  m                     = meta_add( m, s->reserve_key[1], 1 );
  m                     = meta_add( m, user_in, 1 );
  m                     = meta_add( m, user_out, 1 );
  m                     = meta_add( m, s->mint[0], 0 );
  m                     = meta_add( m, s->mint[1], 0 );
  m                     = meta_add( m, s->oracle, 1 );
  m                     = meta_add( m, sf_meteora_dlmm_program, 0 ); /* no host fee */
  m                     = meta_add( m, user, 0 );
  m[-1].signer          = 1;
  for( int i = 0; i < 2; i++ ) m = meta_add( m, s->token_2022[i] ? sf_program_token_2022 : sf_program_token, 0 );
  if( form_two( form ) ) m = meta_add( m, memo_program, 0 );
  m = meta_add( m, authority, 0 );
  m = meta_add( m, sf_meteora_dlmm_program, 0 );
  for( uint32_t i = 0; i < array_cnt; i++ ) {
    m = meta_add( m, sf_meteora_dlmm_program, 1 );
    if( ( err = sf_meteora_dlmm_array_address( s->pubkey, array[i], m[-1].pubkey ) ) ) return err;
  }
  *cnt = (uint32_t)( m - out );
  return 0;
}

int sf_meteora_dlmm_traded_parse( uint8_t const * data, uint32_t len, sf_dlmm_traded_t * out ) {
  if( len >= 8 && !memcmp( data, call_tag, 8 ) ) data += 8, len -= 8;
  int newest = len == 8 + EVENT_NEW_BYTES && !memcmp( data, event_new, 8 );
  if( !newest && ( len != 8 + EVENT_OLDER_BYTES || memcmp( data, event_older, 8 ) ) )
    return sf_err_set( SF_ERR_DATA, "event of %u bytes: discriminator at offset 0 or length is not a swap's", len );
  memset( out, 0, sizeof( *out ) );
  out->newest = (uint8_t)newest;
  memcpy( out->pair, data + 8, 32 );
  memcpy( out->user, data + 40, 32 );
  memcpy( &out->start, data + 72, 4 );
  memcpy( &out->end, data + 76, 4 );
  if( newest ) {
    out->x_to_y = data[80];
    memcpy( &out->rate, data + 81, 16 );
    out->amount_in    = sf_get_u64( data + 97 );
    out->amount_left  = sf_get_u64( data + 105 );
    out->amount_out   = sf_get_u64( data + 113 );
    out->fee          = sf_get_u64( data + 121 );
    out->protocol_fee = sf_get_u64( data + 129 );
    out->order_fee    = sf_get_u64( data + 137 );
    out->host_fee     = sf_get_u64( data + 145 );
    out->fee_in_input = data[153];
    out->fee_in_x     = data[154];
  } else {
    out->amount_in    = sf_get_u64( data + 80 );
    out->amount_out   = sf_get_u64( data + 88 );
    out->x_to_y       = data[96];
    out->fee          = sf_get_u64( data + 97 );
    out->protocol_fee = sf_get_u64( data + 105 );
    memcpy( &out->rate, data + 113, 16 );
    out->host_fee     = sf_get_u64( data + 129 );
    out->fee_in_input = 1;
    out->fee_in_x     = out->x_to_y;
  }
  if( out->x_to_y > 1 || out->fee_in_input > 1 || out->fee_in_x > 1 )
    return sf_err_set( SF_ERR_DATA, "event: a flag is neither 0 nor 1" );
  return 0;
}
