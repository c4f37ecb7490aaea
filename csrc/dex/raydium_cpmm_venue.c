/* Raydium CPMM as a venue: work and state are one struct. */

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/atomic.h"
#include "base/err.h"
#include "dex/raydium_cpmm.h"
#include "dex/vault.h"
#include "dex/venue.h"

typedef sf_raydium_cpmm_state_t state_t;

_Static_assert( sizeof( state_t ) % 16 == 0 && sizeof( state_t ) <= SF_POOL_STATE_MAX, "travels as it is" );

static int account_kind( uint8_t const * data, uint32_t len ) {
  static uint8_t const pool[8]   = { 0xf7, 0xed, 0xe3, 0xf5, 0xd7, 0xc3, 0xde, 0x46 };
  static uint8_t const config[8] = { 0xda, 0xf4, 0x21, 0x68, 0xcb, 0xcb, 0x2b, 0x6f };
  int pool_tag = len >= 8 && !memcmp( data, pool, 8 ), config_tag = len >= 8 && !memcmp( data, config, 8 );
  if( pool_tag != ( len == SF_RAYDIUM_CPMM_POOL_BYTES ) || config_tag != ( len == SF_RAYDIUM_CPMM_CONFIG_BYTES ) )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm: %u bytes do not go with the discriminator at offset 0", len );
  return pool_tag ? SF_ACCOUNT_POOL : config_tag ? SF_ACCOUNT_SHARED : SF_ACCOUNT_OTHER;
}

static int meet( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, void * work, sf_pool_names_t * names ) {
  state_t * s = work;
  int err     = sf_raydium_cpmm_pool_decode( pubkey, data, len, s );
  if( err ) return err;
  memset( names, 0, sizeof( *names ) );
  memcpy( names->mint, s->mint, sizeof( names->mint ) );
  memcpy( names->program, s->program, sizeof( names->program ) );
  memcpy( names->vault, s->vault, sizeof( names->vault ) );
  memcpy( names->shared[0], s->config, 32 );
  names->moves = SF_PART_BIT( SF_PART_POOL ) | SF_PART_BIT( SF_PART_VAULT_A ) | SF_PART_BIT( SF_PART_VAULT_B );
  names->needs =
      names->moves | SF_PART_BIT( SF_PART_MINT_A ) | SF_PART_BIT( SF_PART_MINT_B ) | SF_PART_BIT( SF_PART_SHARED_0 );
  return 0;
}

/* What a pool is made of never changes. */
static int pool_decode( state_t * s, uint8_t const * data, uint32_t len ) {
  state_t now = *s;
  int err     = sf_raydium_cpmm_pool_decode( s->pubkey, data, len, &now );
  if( err ) return err;
  if( memcmp( now.config, s->config, 32 ) || memcmp( now.vault, s->vault, 64 ) || memcmp( now.mint, s->mint, 64 ) ||
      memcmp( now.program, s->program, 64 ) || memcmp( now.observation, s->observation, 32 ) ||
      memcmp( now.decimals, s->decimals, sizeof( now.decimals ) ) )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: it is made of other accounts than before" );
  *s = now;
  return 0;
}

static int decode( void * work, uint32_t part, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                   uint64_t slot, uint64_t epoch ) {
  (void)slot;
  state_t * s   = work;
  uint32_t side = part == SF_PART_VAULT_B || part == SF_PART_MINT_B;
  sf_mint_t mint;
  int err;
  switch( part ) {
  case SF_PART_POOL: return pool_decode( s, data, len );
  case SF_PART_VAULT_A:
  case SF_PART_VAULT_B:
    return sf_vault_decode( owner, data, len, s->mint[side], sf_raydium_cpmm_authority, &s->amount[side] );
  case SF_PART_MINT_A:
  case SF_PART_MINT_B:
    if( ( err = sf_mint_decode( owner, data, len, &mint ) ) ) return err;
    if( mint.decimals != s->decimals[side] )
      return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: a mint has %u decimals, not %u", mint.decimals,
                         s->decimals[side] );
    return sf_transfer_fee_decode( owner, data, len, epoch, &s->transfer_fee[side] );
  default: return sf_err_set( SF_ERR_DATA, "raydium cpmm: has no part %u", part );
  }
}

static int shared_decode( uint8_t const * data, uint32_t len, void * shared ) {
  return sf_raydium_cpmm_config_decode( data, len, shared );
}

static int price( void * work, void const * const shared[2], uint64_t slot ) {
  (void)slot;
  state_t * s = work;
  return sf_raydium_cpmm_price( s, s->amount[0], s->amount[1], shared[0] );
}

static uint32_t travel( void const * work, void * state ) {
  memcpy( state, work, sizeof( state_t ) );
  return sizeof( state_t );
}

/* -- on a state --------------------------------------------------------------- */

static void quote_in( void const * state, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_raydium_cpmm_quote_in( state, a_to_b, amount_in, now, q );
}

static uint64_t out_small( void const * state, int a_to_b, uint64_t amount_in, uint64_t now ) {
  return sf_raydium_cpmm_out_small( state, a_to_b, amount_in, now );
}

static void quote_out( void const * state, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  sf_raydium_cpmm_quote_out( state, a_to_b, amount_out, now, q );
}

/* Transfer fees without their maximum: a little too much is taken off large amounts. */
static void curve( void const * state, int a_to_b, uint64_t now, sf_curve_t * out ) {
  state_t const * s = state;
  (void)now;
  out->limit = INFINITY;
  if( SF_LIKELY( s->small ) ) { /* no creator's and transfer fees; reserves that are doubles without more ado */
    double x = (double)(int64_t)s->reserve[!a_to_b], y = (double)(int64_t)s->reserve[!!a_to_b];
    double in  = 1. - 1e-6 * s->rates.trade;
    out->rate  = in * y / x;
    out->depth = in / x;
    return;
  }
  int on_input = !s->creator_fee_on || s->creator_fee_on == ( a_to_b ? 1u : 2u );
  double x = (double)s->reserve[!a_to_b], y = (double)s->reserve[!!a_to_b];
  double in  = 1. - 1e-6 * ( s->rates.trade + ( on_input ? s->creator_fee : 0 ) );
  double off = 1. - 1e-6 * ( on_input ? 0 : s->creator_fee );
  in *= 1. - 1e-4 * (double)s->transfer_fee[!a_to_b].bps;
  off *= 1. - 1e-4 * (double)s->transfer_fee[!!a_to_b].bps;
  int swaps  = x > 0. && y > 0. && ( !on_input || s->rates.trade + s->creator_fee );
  out->rate  = swaps ? in * off * y / x : 0.;
  out->depth = swaps ? in / x : 0.;
}

static void reserves( void const * state, uint64_t out[2] ) {
  memcpy( out, ( (state_t const *)state )->reserve, sizeof( ( (state_t const *)state )->reserve ) );
}

static uint32_t open_time( void const * state ) {
  uint64_t at = ( (state_t const *)state )->open_time;
  return at > UINT32_MAX ? UINT32_MAX : (uint32_t)at;
}

static int disabled( void const * state ) {
  state_t const * s = state;
  return s->swap_disabled || !s->reserve[0] || !s->reserve[1];
}

static int swap_accounts( void const * state, sf_swap_ask_t const * ask, sf_account_meta_t * out, uint32_t * cnt ) {
  sf_raydium_cpmm_swap_accounts( state, ask->a_to_b, ask->user_in, ask->user_out, ask->payer, out, cnt );
  return 0;
}

static int swap_data( void const * state, sf_swap_ask_t const * ask, uint8_t * out, uint32_t * len ) {
  (void)state;
  sf_raydium_cpmm_swap_t const swap = { .amount = ask->amount_in, .threshold = ask->min_out, .exact_in = 1 };
  *len                              = sf_raydium_cpmm_swap_data( &swap, out );
  return 0;
}

sf_venue_t const sf_raydium_cpmm_venue = {
  .venue         = SF_VENUE_RAYDIUM_CPMM,
  .name          = "raydium_cpmm",
  .program       = { 0xa9, 0x2a, 0x5a, 0x8b, 0x4f, 0x29, 0x59, 0x52, 0x84, 0x25, 0x50, 0xaa, 0x93, 0xfd, 0x5b, 0x95,
                     0xb5, 0xac, 0xe6, 0xa8, 0xeb, 0x92, 0x0c, 0x93, 0x94, 0x2e, 0x43, 0x69, 0x0c, 0x20, 0xec, 0x73 },
  .work_bytes    = sizeof( state_t ),
  .shared_bytes  = sizeof( sf_raydium_cpmm_config_t ),
  .compute_units = 60000,
  .quote_bytes   = offsetof( state_t, pubkey ),
  .account_kind  = account_kind,
  .meet          = meet,
  .decode        = decode,
  .shared_decode = shared_decode,
  .price         = price,
  .travel        = travel,
  .quote_in      = quote_in,
  .quote_out     = quote_out,
  .out_small     = out_small,
  .curve         = curve,
  .reserves      = reserves,
  .open_time     = open_time,
  .disabled      = disabled,
  .swap_accounts = swap_accounts,
  .swap_data     = swap_data,
};
