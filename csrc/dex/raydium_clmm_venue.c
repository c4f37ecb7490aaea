#include <string.h>

#include "base/err.h"
#include "dex/curve.h"
#include "dex/raydium_clmm.h"
#include "sf_message.h"

static int meet( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, void * work, sf_pool_names_t * names ) {
  sf_raydium_clmm_work_t * w        = work;
  sf_raydium_clmm_state_t const * s = &w->state;
  sf_raydium_clmm_clear( w, pubkey );
  int err = sf_raydium_clmm_pool_decode( data, len, w );
  if( err ) return err;
  memset( names, 0, sizeof( *names ) );
  memcpy( names->mint, s->mint, sizeof( names->mint ) );
  memcpy( names->vault, s->vault, sizeof( names->vault ) );
  memcpy( names->shared[0], s->config, 32 );
  names->needs = SF_PART_BIT( SF_PART_POOL ) | SF_PART_BIT( SF_PART_MINT_A ) | SF_PART_BIT( SF_PART_MINT_B ) |
                 SF_PART_BIT( SF_PART_SHARED_0 );
  names->moves = SF_PART_BIT( SF_PART_POOL );
  return 0;
}

static int own_pool( uint8_t const * data, uint32_t len, uint8_t pool[32] ) {
  if( sf_raydium_clmm_kind( data, len ) != SF_ACCOUNT_OWN )
    return sf_err_set( SF_ERR_DATA, "raydium clmm: %u bytes that name no pool", len );
  memcpy( pool, sf_raydium_clmm_pool_of( data ), 32 );
  return 0;
}

static int decode( void * work, uint32_t part, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                   uint64_t slot, uint64_t epoch ) {
  sf_raydium_clmm_work_t * w = work;
  sf_transfer_fee_t fee;
  int err;
  (void)slot;
  switch( part ) {
  case SF_PART_POOL: return sf_raydium_clmm_pool_decode( data, len, w );
  case SF_PART_MINT_A:
  case SF_PART_MINT_B:
    err = sf_transfer_fee_decode( owner, data, len, epoch, &fee );
    if( !err ) w->state.transfer_fee[part == SF_PART_MINT_B] = fee;
    return err;
  case SF_PART_OWN:
    if( sf_raydium_clmm_kind( data, len ) == SF_ACCOUNT_OWN ) return sf_raydium_clmm_account( data, len, w );
    return sf_err_set( SF_ERR_DATA, "raydium clmm: %u bytes that are neither tick array nor bitmap extension", len );
  default: return 0;
  }
}

static int shared_decode( uint8_t const * data, uint32_t len, void * shared ) {
  return sf_raydium_clmm_config_read( data, len, shared );
}

static int price( void * work, void const * const shared[2], uint64_t slot ) {
  (void)slot;
  if( shared[0] ) sf_raydium_clmm_fee_set( work, shared[0] );
  return sf_raydium_clmm_prepare( work );
}

static int whole( void const * work ) {
  sf_raydium_clmm_work_t const * w = work;
  return sf_ticks_whole( &w->arrays, &w->state.ticks ) && sf_raydium_clmm_fits( w );
}

static uint32_t travel( void const * work, void * state ) {
  return sf_raydium_clmm_travel( work, SF_POOL_STATE_MAX, state );
}

static void quote_in( void const * state, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_raydium_clmm_quote_in( state, a_to_b, amount_in, now, q );
}

static void quote_out( void const * state, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  sf_raydium_clmm_quote_out( state, a_to_b, amount_out, now, q );
}

static double arriving( sf_transfer_fee_t const * fee ) { return 1. - (double)fee->bps / SF_TRANSFER_FEE_BPS_MAX; }

static void curve( void const * state, int a_to_b, uint64_t now, sf_curve_t * out ) {
  sf_raydium_clmm_state_t const * s = state;
  if( s->swap_disabled || now <= s->open_time ) return sf_curve_none( out );
  double factor[2] = { arriving( &s->transfer_fee[!a_to_b] ), arriving( &s->transfer_fee[!!a_to_b] ) };
  factor[!sf_raydium_clmm_fee_in( s, a_to_b )] *= 1. - sf_raydium_clmm_fee( s, now ) * 1e-6;
  sf_ticks_curve( &s->ticks, a_to_b, factor[0], factor[1], out );
}

static void reserves( void const * state, uint64_t out[2] ) {
  sf_raydium_clmm_state_t const * s = state;
  sf_ticks_reserves( &s->ticks, out );
}

/* Those that the swap goes through, and where there is room the one behind: the price may get there before the swap does,
   and then begins there.  The program looks for the first from the front, so that stands before the others. */
static uint32_t arrays( void const * state, int a_to_b, int32_t out[SF_SWAP_ARRAYS] ) {
  sf_raydium_clmm_state_t const * s = state;
  int32_t const *way = s->array[!a_to_b], *back = s->array[a_to_b != 0];
  uint32_t cnt = s->array_cnt[!a_to_b], backs = s->array_cnt[a_to_b != 0], at = 0;
  memset( out, 0, SF_SWAP_ARRAYS * sizeof( *out ) );
  if( cnt && cnt < SF_SWAP_ARRAYS ) {
    uint32_t skip = backs && back[0] == way[0];
    if( skip < backs ) out[at++] = back[skip];
  }
  memcpy( out + at, way, cnt * sizeof( *out ) );
  return at + cnt;
}

static uint32_t open_time( void const * state ) {
  sf_raydium_clmm_state_t const * s = state;
  if( !s->open_time ) return 0;
  return s->open_time < UINT32_MAX ? (uint32_t)s->open_time + 1 : UINT32_MAX; /* refused until after */
}

static int disabled( void const * state ) {
  sf_raydium_clmm_state_t const * s = state;
  return s->swap_disabled != 0;
}

static int swap_accounts( void const * state, sf_swap_ask_t const * ask, sf_account_meta_t * out, uint32_t * cnt ) {
  if( ask->array_cnt > SF_CLMM_SWAP_ARRAYS )
    return sf_err_set( SF_ERR_ARG, "raydium clmm: %u tick arrays, of %u at most", ask->array_cnt, SF_CLMM_SWAP_ARRAYS );
  return sf_raydium_clmm_swap_accounts( state, 1, ask->a_to_b, ask->array, ask->array_cnt, ask->payer, ask->user_in,
                                        ask->user_out, out, cnt );
}

static int swap_data( void const * state, sf_swap_ask_t const * ask, uint8_t * out, uint32_t * len ) {
  sf_clmm_swap_t swap = { .amount = ask->amount_in, .threshold = ask->min_out, .exact_in = 1, .v2 = 1 };
  (void)state;
  sf_raydium_clmm_swap_data( &swap, out );
  *len = SF_CLMM_SWAP_DATA_BYTES;
  return 0;
}

sf_venue_t const sf_raydium_clmm_venue = {
  .venue          = SF_VENUE_RAYDIUM_CLMM,
  .name           = "raydium_clmm",
  .program        = SF_RAYDIUM_CLMM_PROGRAM,
  .work_bytes     = sizeof( sf_raydium_clmm_work_t ),
  .shared_bytes   = sizeof( sf_clmm_config_t ),
  .compute_units  = 300000,
  .crossing_units = 60000,
  .account_kind   = sf_raydium_clmm_kind,
  .meet           = meet,
  .own_pool       = own_pool,
  .decode         = decode,
  .shared_decode  = shared_decode,
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
