#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/curve.h"
#include "dex/raydium_amm_v4.h"
#include "dex/vault.h"
#include "sf_message.h"
#include "solana/program.h"

typedef sf_raydium_amm_v4_state_t state_t;

typedef struct work {
  state_t state;
  uint64_t amount[2]; /* in the vaults */
  uint8_t authority[32];
} work_t;

_Static_assert( sizeof( state_t ) % 16 == 0 && sizeof( state_t ) <= SF_POOL_STATE_MAX, "a state travels" );

/* Accounts of this program have no discriminator; no other has this length. */
static int account_kind( uint8_t const * data, uint32_t len ) {
  (void)data;
  return len == SF_RAYDIUM_AMM_V4_POOL_BYTES ? SF_ACCOUNT_POOL : SF_ACCOUNT_OTHER;
}

static int meet( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, void * work, sf_pool_names_t * names ) {
  work_t * w = work;
  int err    = sf_raydium_amm_v4_pool_decode( pubkey, data, len, &w->state );
  if( !err ) err = sf_raydium_amm_v4_authority( &w->state, w->authority );
  if( err ) return err;
  memset( names, 0, sizeof( *names ) );
  memcpy( names->mint, w->state.mint, 64 );
  memcpy( names->vault, w->state.vault, 64 );
  for( int side = 0; side < 2; side++ ) memcpy( names->program[side], sf_program_token, 32 );
  names->needs = names->moves =
      SF_PART_BIT( SF_PART_POOL ) | SF_PART_BIT( SF_PART_VAULT_A ) | SF_PART_BIT( SF_PART_VAULT_B );
  return 0;
}

static int decode( void * work, uint32_t part, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                   uint64_t slot, uint64_t epoch ) {
  (void)slot;
  (void)epoch;
  work_t * w = work;
  if( part == SF_PART_POOL ) {
    state_t made;
    int err = sf_raydium_amm_v4_pool_decode( w->state.pubkey, data, len, &made );
    if( err ) return err;
    if( memcmp( made.mint, w->state.mint, 64 ) || memcmp( made.vault, w->state.vault, 64 ) ||
        made.nonce != w->state.nonce )
      return sf_err_set( SF_ERR_DATA, "raydium amm v4 pool: what it is made of changed" );
    memcpy( made.reserve, w->state.reserve, sizeof( made.reserve ) );
    memcpy( made.room, w->state.room, sizeof( made.room ) );
    w->state = made;
    return 0;
  }
  if( part != SF_PART_VAULT_A && part != SF_PART_VAULT_B ) return 0;
  uint32_t side = part - SF_PART_VAULT_A;
  return sf_vault_decode( owner, data, len, w->state.mint[side], w->authority, &w->amount[side] );
}

static int price( void * work, void const * const shared[2], uint64_t slot ) {
  (void)shared;
  (void)slot;
  work_t * w = work;
  return sf_raydium_amm_v4_vaults( &w->state, w->amount[0], w->amount[1] );
}

static uint32_t travel( void const * work, void * state ) {
  memcpy( state, &( (work_t const *)work )->state, sizeof( state_t ) );
  return sizeof( state_t );
}

/* -- on a state --------------------------------------------------------------- */

static void quote_in( void const * state, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_raydium_amm_v4_quote_in( state, a_to_b, amount_in, now, q );
}

static uint64_t out_small( void const * state, int a_to_b, uint64_t amount_in, uint64_t now ) {
  return sf_raydium_amm_v4_out_small( state, a_to_b, amount_in, now );
}

static void quote_out( void const * state, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  sf_raydium_amm_v4_quote_out( state, a_to_b, amount_out, now, q );
}

static void curve( void const * state, int a_to_b, uint64_t now, sf_curve_t * out ) {
  state_t const * s = state;
  if( !sf_raydium_amm_v4_swaps( s, now ) ) return sf_curve_none( out );
  sf_curve_product( (double)s->reserve[!a_to_b], (double)s->reserve[a_to_b != 0],
                    1 - (double)s->fee_numerator / (double)s->fee_denominator, 1, INFINITY, out );
}

static void reserves( void const * state, uint64_t out[2] ) {
  memcpy( out, ( (state_t const *)state )->reserve, 2 * sizeof( uint64_t ) );
}

static uint32_t open_time( void const * state ) {
  state_t const * s = state;
  if( s->status != SF_RAYDIUM_AMM_V4_WAITING ) return 0;
  return s->open_time < UINT32_MAX ? (uint32_t)s->open_time : UINT32_MAX;
}

static int disabled( void const * state ) { return !sf_raydium_amm_v4_swaps( state, UINT64_MAX ); }

/* The form with the market's accounts is the one that every build takes. */
static int swap_accounts( void const * state, sf_swap_ask_t const * ask, sf_account_meta_t * out, uint32_t * cnt ) {
  return sf_raydium_amm_v4_swap_accounts( state, 0, ask->user_in, ask->user_out, ask->payer, out, cnt );
}

static int swap_data( void const * state, sf_swap_ask_t const * ask, uint8_t * out, uint32_t * len ) {
  (void)state;
  sf_raydium_amm_v4_swap_t const swap = { .amount = ask->amount_in, .threshold = ask->min_out, .exact_in = 1 };
  *len                                = sf_raydium_amm_v4_swap_data( &swap, out );
  return 0;
}

sf_venue_t const sf_raydium_amm_v4_venue = {
  .venue         = SF_VENUE_RAYDIUM_AMM_V4,
  .name          = "raydium_amm_v4",
  .program       = SF_RAYDIUM_AMM_V4_PROGRAM,
  .work_bytes    = sizeof( work_t ),
  .compute_units = 80000,
  .quote_bytes   = offsetof( state_t, pubkey ),
  .account_kind  = account_kind,
  .meet          = meet,
  .decode        = decode,
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
