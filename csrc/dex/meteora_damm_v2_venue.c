#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/curve.h"
#include "dex/meteora_damm_v2.h"
#include "dex/wide.h"
#include "sf_message.h"
#include "solana/program.h"

typedef sf_meteora_damm_v2_state_t state_t;

_Static_assert( sizeof( state_t ) % 16 == 0 && sizeof( state_t ) <= SF_POOL_STATE_MAX, "a state travels" );

static int account_kind( uint8_t const * data, uint32_t len ) {
  int named = len >= 8 && sf_get_u64( data ) == SF_METEORA_DAMM_V2_TAG_POOL;
  if( !named && len != SF_METEORA_DAMM_V2_POOL_BYTES ) return SF_ACCOUNT_OTHER;
  if( named && len == SF_METEORA_DAMM_V2_POOL_BYTES ) return SF_ACCOUNT_POOL;
  return sf_err_set( SF_ERR_DATA, "meteora damm v2 account: %u bytes and its discriminator at offset 0 do not fit",
                     len );
}

static int meet( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, void * work, sf_pool_names_t * names ) {
  state_t * s = work;
  int err     = sf_meteora_damm_v2_decode( data, len, s );
  if( err ) return err;
  memcpy( s->pubkey, pubkey, 32 );
  memset( names, 0, sizeof( *names ) );
  memcpy( names->mint, s->mint, 64 );
  memcpy( names->vault, s->vault, 64 );
  names->needs = names->moves = SF_PART_BIT( SF_PART_POOL );
  for( uint32_t side = 0; side < 2; side++ ) {
    memcpy( names->program[side], s->token_2022[side] ? sf_program_token_2022 : sf_program_token, 32 );
    if( s->token_2022[side] ) names->needs |= SF_PART_BIT( SF_PART_MINT_A + side ); /* it may withhold */
  }
  return 0;
}

static int decode( void * work, uint32_t part, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                   uint64_t slot, uint64_t epoch ) {
  (void)slot;
  state_t * s = work;
  if( part == SF_PART_MINT_A || part == SF_PART_MINT_B ) {
    sf_transfer_fee_t fee;
    int err = sf_transfer_fee_decode( owner, data, len, epoch, &fee );
    if( !err ) s->transfer_fee[part - SF_PART_MINT_A] = fee;
    return err;
  }
  if( part != SF_PART_POOL ) return 0;
  state_t made;
  int err = sf_meteora_damm_v2_decode( data, len, &made );
  if( err ) return err;
  if( memcmp( made.mint, s->mint, 64 ) || memcmp( made.vault, s->vault, 64 ) ||
      memcmp( made.token_2022, s->token_2022, 2 ) )
    return sf_err_set( SF_ERR_DATA, "meteora damm v2 pool: what it is made of changed" );
  memcpy( made.pubkey, s->pubkey, 32 );
  memcpy( made.transfer_fee, s->transfer_fee, sizeof( made.transfer_fee ) );
  made.slot = s->slot;
  *s        = made;
  return 0;
}

static int price( void * work, void const * const shared[2], uint64_t slot ) {
  (void)shared;
  ( (state_t *)work )->slot = slot;
  return 0;
}

static uint32_t travel( void const * work, void * state ) {
  memcpy( state, work, sizeof( state_t ) );
  return sizeof( state_t );
}

/* -- on a state --------------------------------------------------------------- */

static void quote_in( void const * state, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_meteora_damm_v2_quote_in( state, a_to_b, amount_in, now, q );
}

static void quote_out( void const * state, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  sf_meteora_damm_v2_quote_out( state, a_to_b, amount_out, now, q );
}

/* The reserves of a constant product that prices as the range does. */
static void product( state_t const * s, double out[2] ) {
  if( sf_meteora_damm_v2_ranged( s ) ) {
    double l = (double)s->liquidity * 0x1p-64, p = (double)s->sqrt_price * 0x1p-64;
    out[0] = p > 0 ? l / p : 0;
    out[1] = l * p;
  } else
    for( int side = 0; side < 2; side++ ) out[side] = (double)s->reserve[side];
}

static void curve( void const * state, int a_to_b, uint64_t now, sf_curve_t * out ) {
  state_t const * s = state;
  uint64_t in_share, out_share, most;
  double xy[2], limit = INFINITY;
  if( sf_meteora_damm_v2_near( s, a_to_b, now, &in_share, &out_share, &most ) ) return sf_curve_none( out );
  product( s, xy );
  double x = xy[!a_to_b], y = xy[a_to_b != 0], in = (double)in_share / 1e9, paid = (double)out_share / 1e9,
         arrives = 1 - (double)s->transfer_fee[!a_to_b].bps / SF_TRANSFER_FEE_BPS_MAX;
  if( sf_meteora_damm_v2_ranged( s ) ) {
    double l = (double)s->liquidity * 0x1p-64, p = (double)s->sqrt_price * 0x1p-64;
    double end = (double)( a_to_b ? s->sqrt_min : s->sqrt_max ) * 0x1p-64;
    limit      = ( a_to_b ? l * ( p - end ) / ( p * end ) : l * ( end - p ) ) / in / arrives;
  }
  if( most != UINT64_MAX && limit > (double)most / arrives ) limit = (double)most / arrives;
  paid *= 1 - (double)s->transfer_fee[a_to_b != 0].bps / SF_TRANSFER_FEE_BPS_MAX;
  sf_curve_product( x, y, in * arrives, paid, sf_curve_limit( limit ), out );
}

static void reserves( void const * state, uint64_t out[2] ) {
  double xy[2];
  product( state, xy );
  for( int side = 0; side < 2; side++ ) out[side] = xy[side] < 0x1p64 ? (uint64_t)xy[side] : UINT64_MAX;
}

static uint32_t open_time( void const * state ) {
  state_t const * s = state;
  if( !s->by_time ) return 0;
  return s->activation < UINT32_MAX ? (uint32_t)s->activation : UINT32_MAX;
}

static int disabled( void const * state ) { return ( (state_t const *)state )->disabled; }

static int swap_accounts( void const * state, sf_swap_ask_t const * ask, sf_account_meta_t * out, uint32_t * cnt ) {
  state_t const * s = state;
  sf_meteora_damm_v2_swap_accounts( s, s->pubkey, ask->user_in, ask->user_out, ask->payer, out, cnt );
  return 0;
}

static int swap_data( void const * state, sf_swap_ask_t const * ask, uint8_t * out, uint32_t * len ) {
  (void)state;
  sf_meteora_damm_v2_swap_t const swap = { .amount    = ask->amount_in,
                                           .threshold = ask->min_out,
                                           .mode      = SF_METEORA_DAMM_V2_EXACT_IN };
  sf_meteora_damm_v2_swap_data( &swap, out );
  *len = SF_METEORA_DAMM_V2_DATA_BYTES;
  return 0;
}

sf_venue_t const sf_meteora_damm_v2_venue = {
  .venue         = SF_VENUE_METEORA_DAMM_V2,
  .name          = "meteora_damm_v2",
  .program       = SF_METEORA_DAMM_V2_PROGRAM,
  .work_bytes    = sizeof( state_t ),
  .compute_units = 150000,
  .account_kind  = account_kind,
  .meet          = meet,
  .decode        = decode,
  .price         = price,
  .travel        = travel,
  .quote_in      = quote_in,
  .quote_out     = quote_out,
  .curve         = curve,
  .reserves      = reserves,
  .open_time     = open_time,
  .disabled      = disabled,
  .swap_accounts = swap_accounts,
  .swap_data     = swap_data,
};
