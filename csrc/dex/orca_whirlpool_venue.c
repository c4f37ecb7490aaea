/* The row of Orca Whirlpool.  A tick array without bytes, decoded as SF_PART_OWN, says that all which exist have been
   decoded: a swap then passes the others as empty. */

#include <string.h>

#include "base/err.h"
#include "dex/curve.h"
#include "dex/orca_whirlpool.h"
#include "sf_message.h"
#include "solana/program.h"

static int meet( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, void * work, sf_pool_names_t * names ) {
  sf_orca_whirlpool_work_t * w        = work;
  sf_orca_whirlpool_state_t const * s = &w->state;
  sf_orca_whirlpool_clear( w, pubkey );
  int err = sf_orca_whirlpool_pool_decode( data, len, w );
  if( err ) return err;
  memset( names, 0, sizeof( *names ) );
  memcpy( names->mint, s->mint, sizeof( names->mint ) );
  memcpy( names->vault, s->vault, sizeof( names->vault ) );
  names->needs = SF_PART_BIT( SF_PART_POOL ) | SF_PART_BIT( SF_PART_MINT_A ) | SF_PART_BIT( SF_PART_MINT_B );
  names->moves = SF_PART_BIT( SF_PART_POOL );
  return 0;
}

static int own_pool( uint8_t const * data, uint32_t len, uint8_t pool[32] ) {
  if( sf_orca_whirlpool_kind( data, len ) != SF_ACCOUNT_OWN )
    return sf_err_set( SF_ERR_DATA, "whirlpool: %u bytes that name no pool", len );
  memcpy( pool, sf_orca_whirlpool_pool_of( data ), 32 );
  return 0;
}

static int mint_decode( sf_orca_whirlpool_state_t * s, int side, uint8_t const owner[32], uint8_t const * data,
                        uint32_t len, uint64_t epoch ) {
  sf_transfer_fee_t fee;
  int err = sf_transfer_fee_decode( owner, data, len, epoch, &fee );
  if( err ) return err;
  s->transfer_fee[side] = fee;
  memcpy( s->program[side], owner, 32 );
  return 0;
}

static int decode( void * work, uint32_t part, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                   uint64_t slot, uint64_t epoch ) {
  sf_orca_whirlpool_work_t * w = work;
  (void)slot;
  switch( part ) {
  case SF_PART_POOL: return sf_orca_whirlpool_pool_decode( data, len, w );
  case SF_PART_MINT_A:
  case SF_PART_MINT_B: return mint_decode( &w->state, part == SF_PART_MINT_B, owner, data, len, epoch );
  case SF_PART_OWN:
    if( !len ) {
      sf_orca_whirlpool_complete( w );
      return 0;
    }
    if( sf_orca_whirlpool_kind( data, len ) == SF_ACCOUNT_OWN ) return sf_orca_whirlpool_account( data, len, w );
    return sf_err_set( SF_ERR_DATA, "whirlpool: %u bytes that are neither tick array nor oracle", len );
  default: return 0;
  }
}

static int price( void * work, void const * const shared[2], uint64_t slot ) {
  (void)shared, (void)slot;
  return sf_orca_whirlpool_prepare( work );
}

static int whole( void const * work ) {
  sf_orca_whirlpool_work_t const * w = work;
  return sf_ticks_whole( &w->arrays, &w->state.ticks );
}

static uint32_t travel( void const * work, void * state ) {
  return sf_orca_whirlpool_travel( work, SF_POOL_STATE_MAX, state );
}

static void quote_in( void const * state, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_orca_whirlpool_quote_in( state, a_to_b, amount_in, now, q );
}

static void quote_out( void const * state, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  sf_orca_whirlpool_quote_out( state, a_to_b, amount_out, now, q );
}

static double arriving( sf_transfer_fee_t const * fee ) { return 1. - (double)fee->bps / SF_TRANSFER_FEE_BPS_MAX; }

static void curve( void const * state, int a_to_b, uint64_t now, sf_curve_t * out ) {
  sf_orca_whirlpool_state_t const * s = state;
  int fee                             = sf_orca_whirlpool_fee( s, now );
  if( fee < 0 ) return sf_curve_none( out );
  sf_ticks_curve( &s->ticks, a_to_b, ( 1. - fee * 1e-6 ) * arriving( &s->transfer_fee[!a_to_b] ),
                  arriving( &s->transfer_fee[!!a_to_b] ), out );
}

static void reserves( void const * state, uint64_t out[2] ) {
  sf_orca_whirlpool_state_t const * s = state;
  sf_ticks_reserves( &s->ticks, out );
}

static uint32_t arrays( void const * state, int a_to_b, int32_t out[SF_SWAP_ARRAYS] ) {
  sf_orca_whirlpool_state_t const * s = state;
  return sf_orca_whirlpool_array_starts( s->spacing, s->ticks.tick, a_to_b, out );
}

static uint32_t open_time( void const * state ) {
  sf_orca_whirlpool_state_t const * s = state;
  uint64_t from                       = s->adaptive ? s->oracle.trade_enable : 0;
  return from < UINT32_MAX ? (uint32_t)from : UINT32_MAX;
}

/* swap takes eleven accounts and knows SPL Token alone. */
static int needs_v2( sf_orca_whirlpool_state_t const * s ) {
  return memcmp( s->program[0], sf_program_token, 32 ) || memcmp( s->program[1], sf_program_token, 32 );
}

static int swap_accounts( void const * state, sf_swap_ask_t const * ask, sf_account_meta_t * out, uint32_t * cnt ) {
  sf_orca_whirlpool_state_t const * s = state;
  if( ask->array_cnt > SF_WHIRLPOOL_SWAP_ARRAYS )
    return sf_err_set( SF_ERR_ARG, "whirlpool: %u tick arrays, of %u at most", ask->array_cnt,
                       SF_WHIRLPOOL_SWAP_ARRAYS );
  return sf_orca_whirlpool_swap_accounts( s, needs_v2( s ), ask->array, ask->array_cnt, ask->payer,
                                          ask->a_to_b ? ask->user_in : ask->user_out,
                                          ask->a_to_b ? ask->user_out : ask->user_in, out, cnt );
}

static int swap_data( void const * state, sf_swap_ask_t const * ask, uint8_t * out, uint32_t * len ) {
  sf_whirlpool_swap_t swap = { .amount    = ask->amount_in,
                               .threshold = ask->min_out,
                               .exact_in  = 1,
                               .a_to_b    = ask->a_to_b != 0,
                               .v2        = needs_v2( state ) != 0 };
  *len                     = sf_orca_whirlpool_swap_data( &swap, out );
  return 0;
}

sf_venue_t const sf_orca_whirlpool_venue = {
  .venue          = SF_VENUE_ORCA_WHIRLPOOL,
  .name           = "orca_whirlpool",
  .program        = SF_ORCA_WHIRLPOOL_PROGRAM,
  .work_bytes     = sizeof( sf_orca_whirlpool_work_t ),
  .compute_units  = 300000,
  .crossing_units = 60000,
  .account_kind   = sf_orca_whirlpool_kind,
  .meet           = meet,
  .own_pool       = own_pool,
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
  .swap_accounts  = swap_accounts,
  .swap_data      = swap_data,
};
