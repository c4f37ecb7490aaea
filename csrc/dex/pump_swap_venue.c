#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/curve.h"
#include "dex/pump_swap.h"
#include "dex/transfer_fee.h"
#include "dex/vault.h"
#include "sf_message.h"

typedef sf_pump_swap_state_t state_t;

typedef struct work {
  state_t state;
  uint64_t amount[2]; /* in the vaults */
  uint64_t supply;    /* of the base mint */
  uint32_t withholds; /* 1 << side: the mint takes a transfer fee, in this epoch */
} work_t;

typedef union shared {
  uint64_t kind; /* SF_PUMP_GLOBAL or SF_PUMP_FEE_CONFIG */
  sf_pump_swap_global_t global;
  sf_pump_fee_config_t config;
} shared_t;

_Static_assert( sizeof( state_t ) % 16 == 0 && sizeof( state_t ) <= SF_POOL_STATE_MAX, "a state travels" );

static int account_kind( uint8_t const * data, uint32_t len ) {
  if( sf_pump_swap_is_pool( data, len ) ) {
    if( len >= SF_PUMP_SWAP_POOL_BYTES_MIN ) return SF_ACCOUNT_POOL;
  } else if( sf_pump_swap_is_global( data, len ) ) {
    if( len >= SF_PUMP_SWAP_GLOBAL_BYTES_MIN ) return SF_ACCOUNT_SHARED;
  } else if( sf_pump_fee_config_is( data, len ) ) {
    if( len >= SF_PUMP_FEE_CONFIG_BYTES_MIN ) return SF_ACCOUNT_SHARED;
  } else return SF_ACCOUNT_OTHER;
  return sf_err_set( SF_ERR_DATA, "pump swap account: %u bytes are too few for its discriminator at offset 0", len );
}

static int meet( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, void * work, sf_pool_names_t * names ) {
  work_t * w = work;
  memset( names, 0, sizeof( *names ) );
  int err = sf_pump_swap_pool_decode( pubkey, data, len, &w->state );
  if( !err ) err = sf_pump_derive( "global_config", 0, sf_pump_swap_program, names->shared[0] );
  if( !err ) err = sf_pump_derive( "fee_config", sf_pump_swap_program, sf_pump_fee_program, names->shared[1] );
  if( err ) return err;
  memcpy( names->mint, w->state.mint, 64 );
  memcpy( names->vault, w->state.vault, 64 );
  names->moves = SF_PART_BIT( SF_PART_VAULT_A ) | SF_PART_BIT( SF_PART_VAULT_B );
  /* the mints: fees go by the base's supply, and neither may take a transfer fee */
  names->needs = names->moves | SF_PART_BIT( SF_PART_POOL ) | SF_PART_BIT( SF_PART_SHARED_0 ) |
                 SF_PART_BIT( SF_PART_SHARED_1 ) | SF_PART_BIT( SF_PART_MINT_A ) | SF_PART_BIT( SF_PART_MINT_B );
  return 0;
}

static int mint_decode( work_t * w, uint32_t side, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                        uint64_t epoch ) {
  sf_transfer_fee_t fee;
  sf_mint_t mint;
  int err = sf_mint_decode( owner, data, len, &mint );
  if( !err ) err = sf_transfer_fee_decode( owner, data, len, epoch, &fee );
  if( err ) return err;
  if( !side ) w->supply = mint.supply;
  w->withholds = ( w->withholds & ~( 1u << side ) ) | ( fee.bps && fee.maximum ? 1u << side : 0 );
  return 0;
}

static int decode( void * work, uint32_t part, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                   uint64_t slot, uint64_t epoch ) {
  (void)slot;
  work_t * w = work;
  if( part == SF_PART_POOL ) return sf_pump_swap_pool_again( data, len, &w->state );
  if( part == SF_PART_MINT_A || part == SF_PART_MINT_B )
    return mint_decode( w, part - SF_PART_MINT_A, owner, data, len, epoch );
  if( part != SF_PART_VAULT_A && part != SF_PART_VAULT_B ) return 0;
  uint32_t side = part - SF_PART_VAULT_A;
  int err       = sf_vault_decode( owner, data, len, w->state.mint[side], w->state.pubkey, &w->amount[side] );
  if( !err ) memcpy( w->state.program[side], owner, 32 );
  return err;
}

static int shared_decode( uint8_t const * data, uint32_t len, void * shared ) {
  shared_t * s = shared;
  return sf_pump_fee_config_is( data, len ) ? sf_pump_fee_config_decode( data, len, &s->config )
                                            : sf_pump_swap_global_decode( data, len, &s->global );
}

static int price( void * work, void const * const shared[2], uint64_t slot ) {
  (void)slot;
  work_t * w             = work;
  shared_t const *global = shared[0], *config = shared[1];
  if( !global || global->kind != SF_PUMP_GLOBAL || !config || config->kind != SF_PUMP_FEE_CONFIG )
    return sf_err_set( SF_ERR_DATA, "pump swap pool: global and fee config are not what they should be" );
  int err = sf_pump_swap_price( &w->state, w->amount[0], w->amount[1], w->supply, &global->global, &config->config );
  /* what the program pays of a token with a transfer fee is not published: such a pool is not traded */
  if( !err && w->withholds ) w->state.no_buys = w->state.no_sales = 1;
  return err;
}

static uint32_t travel( void const * work, void * state ) {
  memcpy( state, &( (work_t const *)work )->state, sizeof( state_t ) );
  return sizeof( state_t );
}

/* -- on a state --------------------------------------------------------------- */

static void quote_in( void const * state, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_pump_swap_quote_in( state, a_to_b, amount_in, now, q );
}

static void quote_out( void const * state, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  sf_pump_swap_quote_out( state, a_to_b, amount_out, now, q );
}

static void curve( void const * state, int a_to_b, uint64_t now, sf_curve_t * out ) {
  (void)now;
  state_t const * s = state;
  double base = (double)s->base, quote = (double)s->quote, lp = s->rates.lp / (double)SF_BPS,
         fee = ( s->rates.lp + s->rates.protocol + s->rates.creator ) / (double)SF_BPS;
  if( a_to_b ? s->no_sales : s->no_buys ) return sf_curve_none( out );
  if( !a_to_b ) return sf_curve_product( quote, base, 1 / ( 1 + fee ), 1, INFINITY, out );
  sf_curve_product( base, quote, 1, 1 - fee,
                    sf_curve_limit( sf_curve_input( base, quote, (double)s->payable / ( 1 - lp ) ) ), out );
}

static void reserves( void const * state, uint64_t out[2] ) {
  state_t const * s = state;
  out[0]            = s->base;
  out[1]            = s->quote;
}

static int disabled( void const * state ) {
  state_t const * s = state;
  return s->no_buys && s->no_sales;
}

/* The form that leaves fees in the pool has the fewest accounts. */
static int v2( state_t const * s ) {
  static uint8_t const nobody[32];
  return s->v2 && !s->cashback && memcmp( s->recipients.buyback, nobody, 32 );
}

static int swap_accounts( void const * state, sf_swap_ask_t const * ask, sf_account_meta_t * out, uint32_t * cnt ) {
  return sf_pump_swap_trade_accounts( state, v2( state ), ask->a_to_b, ask->payer,
                                      ask->a_to_b ? ask->user_in : ask->user_out,
                                      ask->a_to_b ? ask->user_out : ask->user_in, out, cnt );
}

static int swap_data( void const * state, sf_swap_ask_t const * ask, uint8_t * out, uint32_t * len ) {
  sf_pump_swap_trade_t const trade = { .amount    = ask->amount_in,
                                       .threshold = ask->min_out,
                                       .a_to_b    = ask->a_to_b != 0,
                                       .exact_in  = 1,
                                       .v2        = (uint8_t)v2( state ) };
  *len                             = (uint32_t)sf_pump_swap_trade_data( &trade, out );
  return 0;
}

sf_venue_t const sf_pump_swap_venue = {
  .venue         = SF_VENUE_PUMP_SWAP,
  .name          = "pump_swap",
  .program       = SF_PUMP_SWAP_PROGRAM,
  .work_bytes    = sizeof( work_t ),
  .shared_bytes  = sizeof( shared_t ),
  .compute_units = 200000,
  .quote_bytes   = offsetof( state_t, pubkey ),
  .by_supply     = 1,
  .account_kind  = account_kind,
  .meet          = meet,
  .decode        = decode,
  .shared_decode = shared_decode,
  .price         = price,
  .travel        = travel,
  .quote_in      = quote_in,
  .quote_out     = quote_out,
  .curve         = curve,
  .reserves      = reserves,
  .disabled      = disabled,
  .swap_accounts = swap_accounts,
  .swap_data     = swap_data,
};
