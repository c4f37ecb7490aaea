#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/curve.h"
#include "dex/pump_fun.h"
#include "dex/token.h"
#include "sf_message.h"
#include "solana/program.h"

typedef sf_pump_fun_state_t state_t;

typedef union shared {
  uint64_t kind; /* SF_PUMP_GLOBAL or SF_PUMP_FEE_CONFIG */
  sf_pump_fun_global_t global;
  sf_pump_fee_config_t config;
} shared_t;

_Static_assert( sizeof( state_t ) % 16 == 0 && sizeof( state_t ) <= SF_POOL_STATE_MAX, "a state travels" );

static int zero( uint8_t const key[32] ) {
  static uint8_t const none[32];
  return !memcmp( key, none, 32 );
}

static int account_kind( uint8_t const * data, uint32_t len ) {
  if( sf_pump_fun_is_curve( data, len ) ) {
    if( len >= SF_PUMP_FUN_CURVE_BYTES_MIN ) return SF_ACCOUNT_POOL;
  } else if( sf_pump_fun_is_global( data, len ) ) {
    if( len >= SF_PUMP_FUN_GLOBAL_BYTES_MIN ) return SF_ACCOUNT_SHARED;
  } else if( sf_pump_fee_config_is( data, len ) ) {
    if( len >= SF_PUMP_FEE_CONFIG_BYTES_MIN ) return SF_ACCOUNT_SHARED;
  } else return SF_ACCOUNT_OTHER;
  return sf_err_set( SF_ERR_DATA, "pump.fun account: %u bytes are too few for its discriminator at offset 0", len );
}

/* An account of the first length may be of the program of January 2025, which has no fee config. */
static int meet( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, void * work, sf_pool_names_t * names ) {
  state_t * s = work;
  memset( names, 0, sizeof( *names ) );
  int err = sf_pump_fun_curve_decode( pubkey, data, len, s );
  if( !err ) err = sf_pump_derive( "global", 0, sf_pump_fun_program, names->shared[0] );
  if( !err ) err = sf_pump_derive( "fee_config", sf_pump_fun_program, sf_pump_fee_program, names->shared[1] );
  if( err ) return err;
  int sol = zero( s->quote_mint );
  memcpy( names->mint[1], sol ? sf_mint_wrapped_sol : s->quote_mint, 32 );
  if( sol ) memcpy( names->program[1], sf_program_token, 32 );
  names->moves = SF_PART_BIT( SF_PART_POOL );
  names->needs = names->moves | SF_PART_BIT( SF_PART_VAULT_A ) | SF_PART_BIT( SF_PART_SHARED_0 );
  if( len > SF_PUMP_FUN_CURVE_BYTES_MIN ) names->needs |= SF_PART_BIT( SF_PART_SHARED_1 );
  if( !sol ) names->needs |= SF_PART_BIT( SF_PART_MINT_B );
  return 0;
}

/* Anybody can give the curve a token account; the coin's is that of the mint which the curve's address is derived from. */
static int vault_decode( state_t * s, uint8_t const owner[32], uint8_t const * data, uint32_t len ) {
  sf_token_account_t account;
  uint8_t curve[32];
  int err = sf_token_account_decode( owner, data, len, &account );
  if( err ) return err;
  if( memcmp( account.owner, s->pubkey, 32 ) )
    return sf_err_set( SF_ERR_DATA, "pump.fun curve: token account is not its own (offset 32)" );
  if( memcmp( account.mint, s->mint, 32 ) ) {
    err = sf_pump_derive( "bonding-curve", account.mint, sf_pump_fun_program, curve );
    if( err ) return err;
    if( !zero( s->mint ) || memcmp( curve, s->pubkey, 32 ) )
      return sf_err_set( SF_ERR_DATA, "pump.fun curve: token account is of another mint (offset 0)" );
    memcpy( s->mint, account.mint, 32 );
  }
  memcpy( s->program[0], owner, 32 );
  return 0;
}

static int decode( void * work, uint32_t part, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                   uint64_t slot, uint64_t epoch ) {
  (void)slot;
  (void)epoch;
  state_t * s = work;
  if( part == SF_PART_VAULT_A ) return vault_decode( s, owner, data, len );
  if( part == SF_PART_MINT_B ) {
    sf_mint_t mint;
    int err = sf_mint_decode( owner, data, len, &mint );
    if( !err ) memcpy( s->program[1], owner, 32 );
    return err;
  }
  if( part != SF_PART_POOL ) return 0;
  state_t made;
  int err = sf_pump_fun_curve_decode( s->pubkey, data, len, &made );
  if( err ) return err;
  if( memcmp( made.quote_mint, s->quote_mint, 32 ) )
    return sf_err_set( SF_ERR_DATA, "pump.fun curve: what it is quoted in changed (offset 83)" );
  memcpy( made.mint, s->mint, 32 );
  memcpy( made.program, s->program, 64 );
  memcpy( made.small, s->small, sizeof( made.small ) );
  made.rates       = s->rates;
  made.small_rates = s->small_rates;
  made.recipients  = s->recipients;
  *s               = made;
  return 0;
}

static int shared_decode( uint8_t const * data, uint32_t len, void * shared ) {
  shared_t * s = shared;
  return sf_pump_fee_config_is( data, len ) ? sf_pump_fee_config_decode( data, len, &s->config )
                                            : sf_pump_fun_global_decode( data, len, &s->global );
}

static int price( void * work, void const * const shared[2], uint64_t slot ) {
  (void)slot;
  shared_t const *global = shared[0], *config = shared[1];
  if( !global || global->kind != SF_PUMP_GLOBAL || ( config && config->kind != SF_PUMP_FEE_CONFIG ) )
    return sf_err_set( SF_ERR_DATA, "pump.fun curve: global account and fee config are not what they should be" );
  int floor = (int)global->global.rates.floor;
  if( !floor && !config ) return sf_err_set( SF_ERR_DATA, "pump.fun curve: the fee config is not there yet" );
  return sf_pump_fun_price( work, &global->global, floor ? 0 : &config->config );
}

static uint32_t travel( void const * work, void * state ) {
  memcpy( state, work, sizeof( state_t ) );
  return sizeof( state_t );
}

/* -- on a state --------------------------------------------------------------- */

static void quote_in( void const * state, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_pump_fun_quote_in( state, a_to_b, amount_in, now, q );
}

static void quote_out( void const * state, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  sf_pump_fun_quote_out( state, a_to_b, amount_out, now, q );
}

static void curve( void const * state, int a_to_b, uint64_t now, sf_curve_t * out ) {
  (void)now;
  state_t const * s = state;
  double token = (double)s->virtual_token, quote = (double)s->virtual_quote,
         fee = ( s->rates.protocol + s->rates.creator ) / (double)SF_BPS;
  if( sf_pump_fun_over( s ) ) return sf_curve_none( out );
  if( a_to_b )
    return sf_curve_product( token, quote, 1, 1 - fee,
                             sf_curve_limit( sf_curve_input( token, quote, (double)s->real_quote ) ), out );
  sf_curve_product( quote, token, 1 / ( 1 + fee ), 1,
                    sf_curve_limit( sf_curve_input( quote, token, (double)s->real_token ) * ( 1 + fee ) ), out );
}

static void reserves( void const * state, uint64_t out[2] ) {
  state_t const * s = state;
  out[0]            = s->virtual_token;
  out[1]            = s->virtual_quote;
}

static int disabled( void const * state ) { return sf_pump_fun_over( state ); }

/* Coins quoted in SOL have forms of their own, with fewer accounts. */
static uint8_t form_of( state_t const * s ) { return zero( s->quote_mint ) ? SF_PUMP_FUN_V1 : SF_PUMP_FUN_V2; }

static int swap_accounts( void const * state, sf_swap_ask_t const * ask, sf_account_meta_t * out, uint32_t * cnt ) {
  return sf_pump_fun_trade_accounts( state, form_of( state ), ask->a_to_b, ask->payer,
                                     ask->a_to_b ? ask->user_in : ask->user_out,
                                     ask->a_to_b ? ask->user_out : ask->user_in, out, cnt );
}

/* The program of January 2025 can only buy an exact amount, for at most a price. */
static int swap_data( void const * state, sf_swap_ask_t const * ask, uint8_t * out, uint32_t * len ) {
  state_t const * s         = state;
  int exact                 = ask->a_to_b || !s->rates.floor;
  sf_pump_fun_trade_t trade = { .amount    = exact ? ask->amount_in : ask->min_out,
                                .threshold = exact ? ask->min_out : ask->amount_in,
                                .a_to_b    = ask->a_to_b != 0,
                                .exact_in  = (uint8_t)exact,
                                .form      = form_of( s ) };
  *len                      = (uint32_t)sf_pump_fun_trade_data( &trade, out );
  return 0;
}

sf_venue_t const sf_pump_fun_venue = {
  .venue         = SF_VENUE_PUMP_FUN,
  .name          = "pump_fun",
  .program       = SF_PUMP_FUN_PROGRAM,
  .work_bytes    = sizeof( state_t ),
  .shared_bytes  = sizeof( shared_t ),
  .compute_units = 200000,
  .quote_bytes   = offsetof( state_t, pubkey ),
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
