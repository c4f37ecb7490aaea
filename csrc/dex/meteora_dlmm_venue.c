#include <string.h>

#include "base/err.h"
#include "dex/curve.h"
#include "dex/meteora_dlmm.h"
#include "sf_message.h"
#include "solana/program.h"

typedef sf_meteora_dlmm_state_t state_t;
typedef sf_meteora_dlmm_work_t work_t;

_Static_assert( SF_DLMM_STATE_MIN <= SF_POOL_STATE_MAX, "a state travels" );
_Static_assert( SF_DLMM_WAY_ARRAYS == SF_SWAP_ARRAYS, "a swap names the arrays of its way" );

static int account_kind( uint8_t const * data, uint32_t len ) {
  int kind = sf_meteora_dlmm_kind( data, len );
  if( kind < 0 ) return kind;
  return kind == SF_DLMM_KIND_OTHER ? SF_ACCOUNT_OTHER : kind == SF_DLMM_KIND_PAIR ? SF_ACCOUNT_POOL : SF_ACCOUNT_OWN;
}

static int meet( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, void * work, sf_pool_names_t * names ) {
  work_t * w = work;
  sf_meteora_dlmm_clear( w, pubkey );
  int err = sf_meteora_dlmm_pair_decode( data, len, w );
  if( err ) return err;
  memset( names, 0, sizeof( *names ) );
  memcpy( names->mint, w->head.mint, 64 );
  memcpy( names->vault, w->head.reserve_key, 64 );
  names->needs = names->moves = SF_PART_BIT( SF_PART_POOL );
  for( uint32_t side = 0; side < 2; side++ ) {
    memcpy( names->program[side], w->head.token_2022[side] ? sf_program_token_2022 : sf_program_token, 32 );
    if( w->head.token_2022[side] ) names->needs |= SF_PART_BIT( SF_PART_MINT_A + side ); /* it may withhold */
  }
  return 0;
}

static int decode( void * work, uint32_t part, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                   uint64_t slot, uint64_t epoch ) {
  work_t * w = work;
  w->slot    = slot;
  if( part == SF_PART_MINT_A || part == SF_PART_MINT_B ) {
    sf_transfer_fee_t fee;
    int err = sf_transfer_fee_decode( owner, data, len, epoch, &fee );
    if( !err ) w->head.transfer_fee[part - SF_PART_MINT_A] = fee;
    return err;
  }
  if( part == SF_PART_OWN ) {
    int kind = sf_meteora_dlmm_kind( data, len );
    if( kind == SF_DLMM_KIND_BITMAP ) return sf_meteora_dlmm_bitmap_decode( data, len, w );
    return kind < 0 ? kind : sf_meteora_dlmm_array_decode( data, len, w );
  }
  return part == SF_PART_POOL ? sf_meteora_dlmm_pair_decode( data, len, w ) : 0;
}

static int price( void * work, void const * const shared[2], uint64_t slot ) {
  (void)shared;
  work_t * w   = work;
  w->head.slot = slot;
  sf_meteora_dlmm_priced( w );
  return 0;
}

static int whole( void const * work ) { return sf_meteora_dlmm_whole( work ); }

static uint32_t travel( void const * work, void * state ) {
  return sf_meteora_dlmm_travel( work, SF_SWAP_ARRAYS, SF_POOL_STATE_MAX, state );
}

/* -- on a state --------------------------------------------------------------- */

static void quote_in( void const * state, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_meteora_dlmm_quote_in( state, a_to_b, amount_in, now, q );
}

static void quote_out( void const * state, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  sf_meteora_dlmm_quote_out( state, a_to_b, amount_out, now, q );
}

/* Within a bin the price stays. */
static void curve( void const * state, int a_to_b, uint64_t now, sf_curve_t * out ) {
  *out = ( sf_curve_t ){ 0 };
  sf_meteora_dlmm_near( state, a_to_b, now, &out->rate, &out->limit );
  out->limit = sf_curve_limit( out->limit );
  if( out->limit < 1 ) sf_curve_none( out );
}

/* Those of a constant product with the active bin's price that holds as much as the steps of the state. */
static void reserves( void const * state, uint64_t out[2] ) {
  state_t const * s = state;
  double held[2]    = { 0, 0 };
  for( int up = 0; up < 2; up++ ) {
    sf_dlmm_step_t const * step = sf_meteora_dlmm_steps( s, up );
    for( uint32_t i = 0; i < s->way[up].step_cnt; i++ ) held[!up] += (double)step[i].out;
  }
  double y = ( held[0] * s->way[0].value + held[1] ) / 2, x = y * s->way[1].value;
  out[0] = x < 0x1p64 ? (uint64_t)x : UINT64_MAX;
  out[1] = y < 0x1p64 ? (uint64_t)y : UINT64_MAX;
}

/* Those that the swap goes through, and where there is room the one behind: the price may get there before the swap does,
   and then begins there.  The program finds arrays by their number. */
static uint32_t arrays( void const * state, int a_to_b, int32_t out[SF_SWAP_ARRAYS] ) {
  sf_meteora_dlmm_state_t const * s = state;
  sf_dlmm_way_t const *way = &s->way[!a_to_b], *back = &s->way[a_to_b != 0];
  uint32_t cnt = way->array_cnt;
  memcpy( out, way->array, sizeof( way->array ) );
  if( !cnt || cnt == SF_SWAP_ARRAYS || !back->array_cnt ) return cnt;
  if( back->array[0] != out[0] ) out[cnt++] = back->array[0];
  else if( back->array_cnt > 1 ) out[cnt++] = back->array[1];
  return cnt;
}

static uint32_t open_time( void const * state ) {
  state_t const * s = state;
  if( s->activation != SF_DLMM_BY_TIME ) return 0;
  return s->activation_point < UINT32_MAX ? (uint32_t)s->activation_point : UINT32_MAX;
}

static int disabled( void const * state ) { return !( (state_t const *)state )->enabled; }

static int swap_accounts( void const * state, sf_swap_ask_t const * ask, sf_account_meta_t * out, uint32_t * cnt ) {
  return sf_meteora_dlmm_swap_accounts( state, SF_DLMM_SWAP2, ask->array_cnt, ask->array, ask->payer, ask->user_in,
                                        ask->user_out, out, cnt );
}

static int swap_data( void const * state, sf_swap_ask_t const * ask, uint8_t * out, uint32_t * len ) {
  (void)state;
  sf_dlmm_swap_t const swap = { .amount = ask->amount_in, .threshold = ask->min_out, .form = SF_DLMM_SWAP2 };
  *len                      = sf_meteora_dlmm_swap_data( &swap, out );
  return 0;
}

sf_venue_t const sf_meteora_dlmm_venue = {
  .venue          = SF_VENUE_METEORA_DLMM,
  .name           = "meteora_dlmm",
  .program        = SF_METEORA_DLMM_PROGRAM,
  .work_bytes     = sizeof( work_t ),
  .compute_units  = 300000,
  .crossing_units = 60000,
  .account_kind   = account_kind,
  .meet           = meet,
  .own_pool       = sf_meteora_dlmm_pair_of,
  .decode         = decode,
  .price          = price,
  .whole          = whole,
  .travel         = travel,
  .quote_in       = quote_in,
  .quote_out      = quote_out,
  .curve          = curve,
  .reserves       = reserves,
  .arrays         = arrays,
  .open_time      = open_time,
  .disabled       = disabled,
  .swap_accounts  = swap_accounts,
  .swap_data      = swap_data,
};
