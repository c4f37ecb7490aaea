#include "dex/meteora_damm_v2.h"

#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/metas.h"
#include "dex/meteora_damm_v2_fee.h"
#include "solana/program.h"

typedef sf_meteora_damm_v2_state_t state_t;

/* first eight bytes of sha256 of "global:swap", "global:swap2", "event:EvtSwap", "event:EvtSwap2"; Anchor's mark
   of an event */
#define TAG_SWAP        0xc88775e1919ec6f8UL
#define TAG_SWAP2       0x885b5beb4c3f4b41UL
#define TAG_EVENT_SWAP  0x93bbaa8ad5153c1bUL
#define TAG_EVENT_SWAP2 0x99755026a83342bdUL
#define TAG_EVENT       0x1d9acb512ea545e4UL

uint8_t const sf_meteora_damm_v2_program[32]   = SF_METEORA_DAMM_V2_PROGRAM;
uint8_t const sf_meteora_damm_v2_authority[32] = { 0xf2, 0xcc, 0xd5, 0x35, 0xac, 0xa5, 0xf1, 0x73, 0x6a, 0xc8, 0x22,
                                                   0xdd, 0x07, 0x73, 0xe4, 0xd9, 0x2f, 0xbd, 0x8a, 0x59, 0xb2, 0x94,
                                                   0x03, 0x50, 0x02, 0x95, 0xa9, 0x01, 0x1c, 0x73, 0xa9, 0xe5 };
uint8_t const sf_meteora_damm_v2_event_authority[32] = { 0x2a, 0x76, 0xe7, 0xb3, 0x44, 0x64, 0x0a, 0x1c,
                                                         0xfc, 0x59, 0x4c, 0x8b, 0xca, 0xd0, 0xa0, 0x91,
                                                         0x01, 0x1c, 0xac, 0x7d, 0xd1, 0x56, 0xbf, 0x83,
                                                         0xa8, 0x33, 0xfb, 0x22, 0x08, 0xeb, 0x77, 0xad };
static uint8_t const sysvar_instructions[32] = { 0x06, 0xa7, 0xd5, 0x17, 0x18, 0x7b, 0xd1, 0x66, 0x35, 0xda, 0xd4,
                                                 0x04, 0x55, 0xfd, 0xc2, 0xc0, 0xc1, 0x24, 0xc6, 0x8f, 0x21, 0x56,
                                                 0x75, 0xa5, 0xdb, 0xba, 0xcb, 0x5f, 0x08, 0x00, 0x00, 0x00 };

void sf_meteora_damm_v2_swap_accounts( state_t const * s, uint8_t const pool[32], uint8_t const user_in[32],
                                       uint8_t const user_out[32], uint8_t const payer[32],
                                       sf_account_meta_t out[SF_METEORA_DAMM_V2_ACCOUNT_CNT_MAX], uint32_t * cnt ) {
  *cnt = 0;
  sf_account_meta_put( out, cnt, sf_meteora_damm_v2_authority, 0, 0 );
  sf_account_meta_put( out, cnt, pool, 0, 1 );
  sf_account_meta_put( out, cnt, user_in, 0, 1 );
  sf_account_meta_put( out, cnt, user_out, 0, 1 );
  sf_account_meta_put( out, cnt, s->vault[0], 0, 1 );
  sf_account_meta_put( out, cnt, s->vault[1], 0, 1 );
  sf_account_meta_put( out, cnt, s->mint[0], 0, 0 );
  sf_account_meta_put( out, cnt, s->mint[1], 0, 0 );
  sf_account_meta_put( out, cnt, payer, 1, 0 );
  for( int i = 0; i < 2; i++ )
    sf_account_meta_put( out, cnt, s->token_2022[i] ? sf_program_token_2022 : sf_program_token, 0, 0 );
  sf_account_meta_put( out, cnt, sf_meteora_damm_v2_program, 0, 0 ); /* no referrer */
  sf_account_meta_put( out, cnt, sf_meteora_damm_v2_event_authority, 0, 0 );
  sf_account_meta_put( out, cnt, sf_meteora_damm_v2_program, 0, 0 );
  if( s->base_mode == SF_DAMM_V2_BASE_LIMITER && s->period ) sf_account_meta_put( out, cnt, sysvar_instructions, 0, 0 );
}

void sf_meteora_damm_v2_swap_data( sf_meteora_damm_v2_swap_t const * swap, uint8_t * out ) {
  sf_put_u64( out, TAG_SWAP2 );
  sf_put_u64( out + 8, swap->amount );
  sf_put_u64( out + 16, swap->threshold );
  out[24] = (uint8_t)swap->mode;
}

static int swap_args( uint8_t const * args, uint32_t mode, sf_meteora_damm_v2_swap_t * out ) {
  out->amount    = sf_get_u64( args );
  out->threshold = sf_get_u64( args + 8 );
  out->mode      = mode;
  return mode > SF_METEORA_DAMM_V2_EXACT_OUT
             ? sf_err_set( SF_ERR_DATA, "meteora damm v2 swap: mode %u is not known", mode )
             : 0;
}

int sf_meteora_damm_v2_swap_read( uint8_t const * data, uint32_t len, sf_meteora_damm_v2_swap_t * out ) {
  uint64_t tag = len >= 8 ? sf_get_u64( data ) : 0;
  if( tag == TAG_SWAP && len >= 24 ) return swap_args( data + 8, SF_METEORA_DAMM_V2_EXACT_IN, out );
  if( tag == TAG_SWAP2 && len >= 25 ) return swap_args( data + 8, data[24], out );
  return sf_err_set( SF_ERR_DATA, "meteora damm v2: %u bytes that are no swap", len );
}

/* Behind two tags: pool, direction, then as the builds differ. */
int sf_meteora_damm_v2_event_read( uint8_t const * data, uint32_t len, sf_meteora_damm_v2_event_t * out ) {
  uint64_t tag = len >= 16 && sf_get_u64( data ) == TAG_EVENT ? sf_get_u64( data + 8 ) : 0;
  uint8_t const * at;
  memset( out, 0, sizeof( *out ) );
  if( tag == TAG_EVENT_SWAP2 && len >= 180 ) {
    at              = data + 68; /* amount in, without fee, left, out, price, four fees */
    out->amount_in  = sf_get_u64( at + 80 );
    out->amount_out = sf_get_u64( at + 24 );
    memcpy( &out->sqrt_price, at + 32, 16 );
    out->unix_time = sf_get_u64( at + 104 );
    at += 48;
    if( swap_args( data + 51, data[67], &out->swap ) ) return SF_ERR_DATA;
  } else if( tag == TAG_EVENT_SWAP && len >= 138 ) {
    at              = data + 66; /* amount out, price, four fees, amount in */
    out->amount_in  = sf_get_u64( data + 50 );
    out->amount_out = sf_get_u64( at );
    memcpy( &out->sqrt_price, at + 8, 16 );
    out->unix_time = sf_get_u64( at + 64 );
    at += 24;
    if( swap_args( data + 50, SF_METEORA_DAMM_V2_EXACT_IN, &out->swap ) ) return SF_ERR_DATA;
  } else return sf_err_set( SF_ERR_DATA, "meteora damm v2: %u bytes that are no event of a swap", len );
  for( int i = 0; i < 4; i++ ) out->fee += sf_get_u64( at + 8 * i );
  memcpy( out->pool, data + 16, 32 );
  if( data[48] > 1 ) return sf_err_set( SF_ERR_DATA, "meteora damm v2 event: direction %u at offset 48", data[48] );
  out->a_to_b = !data[48];
  return 0;
}
