/* Raydium CPMM (CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C), emulated: swap_base_input and
   swap_base_output, with the program's checks in their order, its integer results, its fee accrual,
   price observations, error numbers and log lines.  Its other instructions are refused.

   Source: raydium-io/raydium-cp-swap, program version 0.2.0: instructions/swap_base_*.rs, curve/,
   states/{pool,oracle,events}.rs, utils/{token,math}.rs. */

#include "sbf/anchor.h"

/* CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C */
static uint8_t const CPMM_PROGRAM[32] = { 0xa9, 0x2a, 0x5a, 0x8b, 0x4f, 0x29, 0x59, 0x52, 0x84, 0x25, 0x50,
                                          0xaa, 0x93, 0xfd, 0x5b, 0x95, 0xb5, 0xac, 0xe6, 0xa8, 0xeb, 0x92,
                                          0x0c, 0x93, 0x94, 0x2e, 0x43, 0x69, 0x0c, 0x20, 0xec, 0x73 };

/* GpMZbSM2GgvTKHJirzeGfMFoaZ8UR2X7F4v8vHTvxFbL, derived from CPMM_AUTHORITY_SEED with bump 253 */
static uint8_t const CPMM_AUTHORITY[32] = { 0xeb, 0x00, 0xd9, 0xf5, 0xb2, 0x92, 0xb4, 0x21, 0x4a, 0xc7, 0xd0,
                                            0x37, 0xb4, 0xd6, 0xf0, 0x64, 0x50, 0xb9, 0x64, 0x60, 0x0d, 0xf3,
                                            0x73, 0x05, 0x2b, 0xb5, 0xe8, 0x4f, 0x2f, 0x8e, 0x9a, 0x67 };

static uint8_t const CPMM_AUTHORITY_SEED[] = "vault_and_lp_mint_auth_seed";

/* First eight bytes of sha256 of "global:...", "account:...", "event:...", as little-endian words. */
#define CPMM_SWAP_BASE_INPUT  0xde331ec4da5abe8fUL
#define CPMM_SWAP_BASE_OUTPUT 0xadb44aa35662d937UL
#define CPMM_CONFIG           0x6f2bcbcb6821f4daUL
#define CPMM_POOL             0x46dec3d7f5e3edf7UL
#define CPMM_OBSERVATION      0x84a5098135c5ae7aUL
#define CPMM_SWAP_EVENT       0xe2710826e8cdc640UL

#define CPMM_FEE_DENOMINATOR 1000000UL
#define CPMM_STATUS_NO_SWAP  4

/* Offsets in the accounts' data. */
enum {
  CONFIG_TRADE_RATE        = 12,
  CONFIG_PROTOCOL_RATE     = 20,
  CONFIG_FUND_RATE         = 28,
  CONFIG_CREATOR_RATE      = 108,
  CONFIG_SIZE              = 236,
  POOL_CONFIG              = 8,
  POOL_VAULT_0             = 72,
  POOL_VAULT_1             = 104,
  POOL_OBSERVATION         = 296,
  POOL_AUTH_BUMP           = 328,
  POOL_STATUS              = 329,
  POOL_PROTOCOL_FEES       = 341,
  POOL_FUND_FEES           = 357,
  POOL_OPEN_TIME           = 373,
  POOL_RECENT_EPOCH        = 381,
  POOL_CREATOR_FEE_ON      = 389,
  POOL_CREATOR_FEE_ENABLED = 390,
  POOL_CREATOR_FEES        = 397,
  POOL_SIZE                = 637,
  OBSERVATION_INITIALIZED  = 8,
  OBSERVATION_INDEX        = 9,
  OBSERVATION_ENTRIES      = 43,
  OBSERVATION_ENTRY_SIZE   = 40,
  OBSERVATION_ENTRY_COUNT  = 100,
  OBSERVATION_LAST_UPDATE  = 4043,
  OBSERVATION_SIZE         = 4075,
  OBSERVATION_SECONDS      = 15, /* least time between two entries */
};

ANCHOR_ERROR( CPMM_NOT_APPROVED, 6000, "NotApproved", "Not approved" );
ANCHOR_ERROR( CPMM_INVALID_INPUT, 6003, "InvalidInput", "InvalidInput" );
ANCHOR_ERROR( CPMM_EXCEEDED_SLIPPAGE, 6005, "ExceededSlippage", "Exceeds desired slippage limit" );
ANCHOR_ERROR( CPMM_ZERO_TRADING_TOKENS, 6006, "ZeroTradingTokens",
              "Given pool token amount results in zero trading tokens" );
ANCHOR_ERROR( CPMM_INVALID_VAULT, 6008, "InvalidVault", "invalid vault" );
ANCHOR_ERROR( CPMM_TRANSFER_FEE_MISMATCH, 6010, "TransferFeeCalculateNotMatch", "TransferFee calculate not match" );
ANCHOR_ERROR( CPMM_MATH_OVERFLOW, 6011, "MathOverflow", "Math overflow" );
ANCHOR_ERROR( CPMM_INSUFFICIENT_VAULT, 6012, "InsufficientVault", "Insufficient vault" );
ANCHOR_ERROR( CPMM_INVALID_FEE_MODEL, 6013, "InvalidFeeModel", "Invalid fee model" );

/* The accounts of a swap, in the order of the instruction. */
typedef struct cpmm_accounts {
  sbf_account_t payer, authority, config, pool, input_account, output_account, input_vault, output_vault, input_program,
      output_program, input_mint, output_mint, observation;
} cpmm_accounts_t;

#define CPMM_ACCOUNT_COUNT ( sizeof( cpmm_accounts_t ) / sizeof( sbf_account_t ) )

/* One swap, in the heap. */
typedef struct cpmm_swap {
  cpmm_accounts_t accounts;
  sbf_instruction_t instruction;
  sbf_clock_t clock;
  uint64_t input_side;   /* 0: token 0 comes in, 1: token 1 */
  bool creator_on_input; /* which of the two tokens pays the creator's fee */
  token_fee_t input_fee, output_fee;
  uint64_t input_reserve, output_reserve; /* vaults less the fees that are owed out of them */
  sbf_u128_t price_x32[2];                /* of token 0 in token 1, of token 1 in token 0, Q32 */
  uint64_t trade_rate, creator_rate;
  /* what the curve says */
  uint64_t input_amount, output_amount, trade_fee, protocol_fee, fund_fee, creator_fee;
} cpmm_swap_t;

/* ---- accounts ---------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t cpmm_read_accounts( cpmm_accounts_t const * a ) {
  ANCHOR_REQUIRE( a->payer.is_signer, "payer", ANCHOR_NOT_SIGNER );
  SBF_TRY( anchor_check_exists( &a->config, "amm_config" ) );
  SBF_TRY( anchor_check_owned( &a->config, "amm_config", CPMM_PROGRAM, CPMM_CONFIG ) );
  ANCHOR_REQUIRE( a->config.data_len >= CONFIG_SIZE && a->config.data[9] <= 1, "amm_config",
                  ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE );
  SBF_TRY( anchor_check_owned( &a->pool, "pool_state", CPMM_PROGRAM, CPMM_POOL ) );
  SBF_TRY( anchor_check_token_account( &a->input_account, "input_token_account" ) );
  SBF_TRY( anchor_check_token_account( &a->output_account, "output_token_account" ) );
  SBF_TRY( anchor_check_token_account( &a->input_vault, "input_vault" ) );
  SBF_TRY( anchor_check_token_account( &a->output_vault, "output_vault" ) );
  SBF_TRY( anchor_check_token_program( &a->input_program, "input_token_program" ) );
  SBF_TRY( anchor_check_token_program( &a->output_program, "output_token_program" ) );
  SBF_TRY( anchor_check_mint( &a->input_mint, "input_token_mint" ) );
  SBF_TRY( anchor_check_mint( &a->output_mint, "output_token_mint" ) );
  return anchor_check_owned( &a->observation, "observation_state", CPMM_PROGRAM, CPMM_OBSERVATION );
}

SBF_FUNCTION uint64_t cpmm_check_vault( sbf_account_t const * vault, char const * name, uint8_t const * pool ) {
  ANCHOR_REQUIRE( vault->is_writable, name, ANCHOR_CONSTRAINT_MUT );
  bool known = sbf_key_equal( vault->key, pool + POOL_VAULT_0 ) || sbf_key_equal( vault->key, pool + POOL_VAULT_1 );
  ANCHOR_REQUIRE( known, name, ANCHOR_CONSTRAINT_RAW );
  return 0;
}

SBF_FUNCTION uint64_t cpmm_check_constraints( cpmm_accounts_t const * a ) {
  uint8_t const * pool = a->pool.data;
  ANCHOR_REQUIRE( sbf_key_equal( a->authority.key, CPMM_AUTHORITY ), "authority", ANCHOR_CONSTRAINT_SEEDS );
  SBF_REQUIRE( a->pool.data_len >= POOL_SIZE, "pool_state is too short" );
  ANCHOR_REQUIRE( sbf_key_equal( a->config.key, pool + POOL_CONFIG ), "amm_config", ANCHOR_CONSTRAINT_ADDRESS );
  ANCHOR_REQUIRE( a->pool.is_writable, "pool_state", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->input_account.is_writable, "input_token_account", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->output_account.is_writable, "output_token_account", ANCHOR_CONSTRAINT_MUT );
  SBF_TRY( cpmm_check_vault( &a->input_vault, "input_vault", pool ) );
  SBF_TRY( cpmm_check_vault( &a->output_vault, "output_vault", pool ) );
  ANCHOR_REQUIRE( sbf_key_equal( a->input_mint.key, token_account_mint( &a->input_vault ) ), "input_token_mint",
                  ANCHOR_CONSTRAINT_ADDRESS );
  ANCHOR_REQUIRE( sbf_key_equal( a->output_mint.key, token_account_mint( &a->output_vault ) ), "output_token_mint",
                  ANCHOR_CONSTRAINT_ADDRESS );
  ANCHOR_REQUIRE( a->observation.is_writable, "observation_state", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( sbf_key_equal( a->observation.key, pool + POOL_OBSERVATION ), "observation_state",
                  ANCHOR_CONSTRAINT_ADDRESS );
  return 0;
}

/* ---- what the pool is worth before the swap ------------------------------------------------------ */

/* cpmm_reserve sets *reserve to a vault's balance less the fees of token `side` owed out of it. */
SBF_FUNCTION uint64_t cpmm_reserve( uint64_t * reserve, uint8_t const * pool, uint64_t side,
                                    sbf_account_t const * vault ) {
  uint64_t protocol = sbf_u64( pool + POOL_PROTOCOL_FEES + 8 * side );
  uint64_t fund     = sbf_u64( pool + POOL_FUND_FEES + 8 * side );
  uint64_t creator  = sbf_u64( pool + POOL_CREATOR_FEES + 8 * side );
  uint64_t owed     = protocol + fund;
  ANCHOR_REQUIRE( owed >= protocol && owed + creator >= owed, 0, CPMM_MATH_OVERFLOW );
  owed += creator;
  ANCHOR_REQUIRE( token_account_amount( vault ) >= owed, 0, CPMM_INSUFFICIENT_VAULT );
  *reserve = token_account_amount( vault ) - owed;
  return 0;
}

/* cpmm_read_pool finds direction, reserves and prices (get_swap_params). */
SBF_FUNCTION uint64_t cpmm_read_pool( cpmm_swap_t * s ) {
  cpmm_accounts_t const * a = &s->accounts;
  uint8_t const * pool      = a->pool.data;
  s->input_side             = !sbf_key_equal( a->input_vault.key, pool + POOL_VAULT_0 );
  uint64_t other            = s->input_side ? POOL_VAULT_0 : POOL_VAULT_1;
  ANCHOR_REQUIRE( sbf_key_equal( a->output_vault.key, pool + other ), 0, CPMM_INVALID_VAULT );

  SBF_TRY( cpmm_reserve( &s->input_reserve, pool, s->input_side, &a->input_vault ) );
  SBF_TRY( cpmm_reserve( &s->output_reserve, pool, !s->input_side, &a->output_vault ) );
  SBF_REQUIRE( s->input_reserve && s->output_reserve, "attempt to divide by zero" );
  sbf_mul_div( &s->price_x32[s->input_side], s->output_reserve, 1UL << 32, s->input_reserve, false );
  sbf_mul_div( &s->price_x32[!s->input_side], s->input_reserve, 1UL << 32, s->output_reserve, false );

  uint8_t fee_on = pool[POOL_CREATOR_FEE_ON]; /* 0: the token that comes in, 1: token 0, 2: token 1 */
  ANCHOR_REQUIRE( fee_on <= 2, 0, CPMM_INVALID_FEE_MODEL );
  s->creator_on_input = !fee_on || fee_on == 1 + s->input_side;
  s->trade_rate       = sbf_u64( a->config.data + CONFIG_TRADE_RATE );
  s->creator_rate     = pool[POOL_CREATOR_FEE_ENABLED] ? sbf_u64( a->config.data + CONFIG_CREATOR_RATE ) : 0;
  return 0;
}

/* ---- the curve ------------------------------------------------------------------------------------

   The program also requires that the product of the reserves does not fall.  With the roundings below
   it cannot: what comes in is rounded up, what goes out down, and an input of 0 is refused before. */

/* cpmm_share sets *part to floor( amount*rate/per ); what does not fit 64 bits stops the program. */
SBF_FUNCTION uint64_t cpmm_share( uint64_t * part, uint64_t amount, uint64_t rate, uint64_t per ) {
  ANCHOR_REQUIRE( per, 0, CPMM_ZERO_TRADING_TOKENS );
  sbf_u128_t quotient;
  sbf_mul_div( &quotient, amount, rate, per, false );
  SBF_REQUIRE( !quotient.hi, "fee does not fit u64" );
  *part = quotient.lo;
  return 0;
}

/* cpmm_fee sets *fee to ceil( amount*rate/10^6 ), which must not be more than the amount. */
SBF_FUNCTION uint64_t cpmm_fee( uint64_t * fee, uint64_t amount, uint64_t rate ) {
  sbf_u128_t quotient;
  sbf_mul_div( &quotient, amount, rate, CPMM_FEE_DENOMINATOR, true );
  ANCHOR_REQUIRE( !quotient.hi && quotient.lo <= amount, 0, CPMM_ZERO_TRADING_TOKENS );
  *fee = quotient.lo;
  return 0;
}

SBF_FUNCTION uint64_t cpmm_split_trade_fee( cpmm_swap_t * s ) {
  uint8_t const * config = s->accounts.config.data;
  SBF_TRY(
      cpmm_share( &s->protocol_fee, s->trade_fee, sbf_u64( config + CONFIG_PROTOCOL_RATE ), CPMM_FEE_DENOMINATOR ) );
  return cpmm_share( &s->fund_fee, s->trade_fee, sbf_u64( config + CONFIG_FUND_RATE ), CPMM_FEE_DENOMINATOR );
}

/* cpmm_fee_rate_on_input returns the sum of the rates taken from the token that comes in. */
SBF_FUNCTION uint64_t cpmm_fee_rate_on_input( cpmm_swap_t const * s ) {
  if( !s->creator_on_input ) return s->trade_rate;
  SBF_REQUIRE( s->trade_rate + s->creator_rate >= s->trade_rate, "attempt to add with overflow" );
  return s->trade_rate + s->creator_rate;
}

/* cpmm_curve_input fills what the curve says for s->input_amount that come in. */
SBF_FUNCTION uint64_t cpmm_curve_input( cpmm_swap_t * s ) {
  uint64_t total_fee, rate = cpmm_fee_rate_on_input( s );
  SBF_TRY( cpmm_fee( &total_fee, s->input_amount, rate ) );
  if( s->creator_on_input ) SBF_TRY( cpmm_share( &s->creator_fee, total_fee, s->creator_rate, rate ) );
  s->trade_fee = total_fee - s->creator_fee;
  SBF_TRY( cpmm_split_trade_fee( s ) );

  uint64_t input = s->input_amount - total_fee;
  sbf_u128_t product, output, rest, divisor = sbf_u128_add( sbf_u128( s->input_reserve ), sbf_u128( input ) );
  sbf_mul64( &product, input, s->output_reserve );
  sbf_u128_div( &output, &rest, &product, &divisor );
  s->output_amount = output.lo;
  if( !s->creator_on_input ) {
    SBF_TRY( cpmm_fee( &s->creator_fee, output.lo, s->creator_rate ) );
    s->output_amount -= s->creator_fee;
  }
  return 0;
}

/* cpmm_before_fee returns the amount that leaves `amount` after a fee of `rate` is taken. */
SBF_FUNCTION uint64_t cpmm_before_fee( uint64_t amount, uint64_t rate ) {
  if( !rate ) return amount;
  SBF_REQUIRE( rate < CPMM_FEE_DENOMINATOR, "called `Option::unwrap()` on a `None` value" );
  sbf_u128_t before;
  sbf_mul_div( &before, amount, CPMM_FEE_DENOMINATOR, CPMM_FEE_DENOMINATOR - rate, true );
  SBF_REQUIRE( !before.hi, "amount does not fit u64" );
  return before.lo;
}

/* cpmm_curve_output fills what the curve says for s->output_amount that go out. */
SBF_FUNCTION uint64_t cpmm_curve_output( cpmm_swap_t * s ) {
  uint64_t output = s->output_amount;
  if( !s->creator_on_input ) {
    ANCHOR_REQUIRE( s->creator_rate < CPMM_FEE_DENOMINATOR, 0, CPMM_ZERO_TRADING_TOKENS );
    output         = cpmm_before_fee( output, s->creator_rate );
    s->creator_fee = output - s->output_amount;
  }
  SBF_REQUIRE( output < s->output_reserve, "called `Option::unwrap()` on a `None` value" );

  sbf_u128_t product, input, rest, divisor = sbf_u128( s->output_reserve - output );
  sbf_mul64( &product, s->input_reserve, output );
  sbf_u128_div( &input, &rest, &product, &divisor );
  /* The program rounds up, but a quotient below one to the nearest: half and more is 1. */
  if( rest.lo && ( input.lo || input.hi || rest.lo >= divisor.lo - rest.lo ) )
    input = sbf_u128_add( input, sbf_u128( 1 ) );
  SBF_REQUIRE( !input.hi, "amount does not fit u64" );

  uint64_t rate      = cpmm_fee_rate_on_input( s );
  s->input_amount    = cpmm_before_fee( input.lo, rate );
  uint64_t total_fee = s->input_amount - input.lo;
  if( s->creator_on_input ) SBF_TRY( cpmm_share( &s->creator_fee, total_fee, s->creator_rate, rate ) );
  s->trade_fee = s->creator_on_input ? total_fee - s->creator_fee : total_fee;
  return cpmm_split_trade_fee( s );
}

/* ---- what the swap leaves behind -------------------------------------------------------------------- */

SBF_FUNCTION void cpmm_accrue( uint8_t * counter, uint64_t fee ) {
  SBF_REQUIRE( sbf_u64( counter ) + fee >= fee, "called `Option::unwrap()` on a `None` value" );
  sbf_put_u64( counter, sbf_u64( counter ) + fee );
}

SBF_FUNCTION void cpmm_update_fees( cpmm_swap_t const * s ) {
  uint8_t * pool        = s->accounts.pool.data;
  uint64_t creator_side = s->creator_on_input ? s->input_side : !s->input_side;
  cpmm_accrue( pool + POOL_PROTOCOL_FEES + 8 * s->input_side, s->protocol_fee );
  cpmm_accrue( pool + POOL_FUND_FEES + 8 * s->input_side, s->fund_fee );
  cpmm_accrue( pool + POOL_CREATOR_FEES + 8 * creator_side, s->creator_fee );
}

/* cpmm_emit logs the program's SwapEvent. */
SBF_FUNCTION void cpmm_emit( cpmm_swap_t const * s, uint64_t input_transfer_fee, uint64_t output_transfer_fee,
                             bool base_input ) {
  uint8_t event[170];
  sbf_put_u64( event, CPMM_SWAP_EVENT );
  sbf_key_copy( event + 8, s->accounts.pool.key );
  sbf_put_u64( event + 40, s->input_reserve );
  sbf_put_u64( event + 48, s->output_reserve );
  sbf_put_u64( event + 56, s->input_amount );
  sbf_put_u64( event + 64, s->output_amount );
  sbf_put_u64( event + 72, input_transfer_fee );
  sbf_put_u64( event + 80, output_transfer_fee );
  event[88] = base_input;
  sbf_key_copy( event + 89, s->accounts.input_mint.key );
  sbf_key_copy( event + 121, s->accounts.output_mint.key );
  sbf_put_u64( event + 153, s->trade_fee );
  sbf_put_u64( event + 161, s->creator_fee );
  event[169]        = s->creator_on_input;
  sbf_bytes_t field = { event, sizeof( event ) };
  sol_log_data( &field, 1 );
}

SBF_FUNCTION void cpmm_move_tokens( cpmm_swap_t const * s, uint64_t amount_in, uint64_t amount_out ) {
  cpmm_accounts_t const * a = &s->accounts;
  sbf_bytes_t seeds[2]      = {
         { CPMM_AUTHORITY_SEED, sizeof( CPMM_AUTHORITY_SEED ) - 1 },
         { a->pool.data + POOL_AUTH_BUMP, 1 },
  };
  sbf_signer_t signer = { seeds, 2 };
  token_transfer_t in = { &a->input_program, &a->input_account, &a->input_mint, &a->input_vault, &a->payer, 0 };
  token_transfer( &in, amount_in );
  token_transfer_t out = { &a->output_program, &a->output_vault, &a->output_mint,
                           &a->output_account, &a->authority,    &signer };
  token_transfer( &out, amount_out );
}

/* cpmm_cumulate adds price * seconds to a 128-bit little-endian sum and stores it at `to`. */
SBF_FUNCTION uint64_t cpmm_cumulate( uint8_t * to, uint8_t const * from, sbf_u128_t const * price, uint64_t seconds ) {
  sbf_u128_t delta, sum = { sbf_u64( from ), sbf_u64( from + 8 ) };
  ANCHOR_REQUIRE( sbf_u128_mul64( &delta, price, seconds ), 0, CPMM_MATH_OVERFLOW );
  sum = sbf_u128_add( sum, delta );
  sbf_put_u64( to, sum.lo );
  sbf_put_u64( to + 8, sum.hi );
  return 0;
}

/* cpmm_observe enters the prices from before the swap into the observation account. */
SBF_FUNCTION uint64_t cpmm_observe( cpmm_swap_t const * s ) {
  sbf_account_t const * account = &s->accounts.observation;
  SBF_REQUIRE( account->data_len >= OBSERVATION_SIZE, "observation_state is too short" );
  uint8_t * data = account->data;
  uint64_t now   = (uint64_t)s->clock.unix_timestamp;
  uint64_t index = sbf_u16( data + OBSERVATION_INDEX );
  SBF_REQUIRE( index < OBSERVATION_ENTRY_COUNT, "index out of bounds" );
  uint8_t * entry = data + OBSERVATION_ENTRIES + OBSERVATION_ENTRY_SIZE * index;
  uint8_t * last  = data + OBSERVATION_LAST_UPDATE;
  if( !data[OBSERVATION_INITIALIZED] ) {
    data[OBSERVATION_INITIALIZED] = 1;
    for( uint64_t i = 0; i < OBSERVATION_ENTRY_SIZE; i += 8 ) sbf_put_u64( entry + i, i ? 0 : now );
    sbf_put_u64( last, now );
    return 0;
  }
  uint64_t entered = sbf_u64( entry );
  if( !sbf_u64( last ) ) sbf_put_u64( last, entered );
  uint64_t seconds = now > sbf_u64( last ) ? now - sbf_u64( last ) : 0;
  if( !seconds || now <= entered ) return 0;

  uint8_t * next = entry;
  if( now - entered >= OBSERVATION_SECONDS ) {
    index = index == OBSERVATION_ENTRY_COUNT - 1 ? 0 : index + 1;
    next  = data + OBSERVATION_ENTRIES + OBSERVATION_ENTRY_SIZE * index;
    sbf_put_u64( next, now );
    sbf_put_u16( data + OBSERVATION_INDEX, (uint16_t)index );
  }
  SBF_TRY( cpmm_cumulate( next + 8, entry + 8, &s->price_x32[0], seconds ) );
  SBF_TRY( cpmm_cumulate( next + 24, entry + 24, &s->price_x32[1], seconds ) );
  sbf_put_u64( last, now );
  return 0;
}

/* ---- the two instructions ------------------------------------------------------------------------- */

/* cpmm_fee_on_top sets *fee to what the mint takes so that `amount` arrives. */
SBF_FUNCTION uint64_t cpmm_fee_on_top( uint64_t * fee, token_fee_t const * rule, sbf_account_t const * mint,
                                       uint64_t amount ) {
  *fee = 0;
  if( sbf_key_equal( mint->owner, TOKEN_PROGRAM ) ) return 0;
  ANCHOR_REQUIRE( amount, 0, CPMM_INVALID_INPUT );
  *fee = rule->maximum;
  if( rule->basis_points == TOKEN_BASIS_POINTS ) return 0;
  *fee = token_fee_of( rule, token_fee_before( rule, amount ) );
  SBF_REQUIRE( amount + *fee >= amount, "called `Option::unwrap()` on a `None` value" );
  ANCHOR_REQUIRE( token_fee_of( rule, amount + *fee ) == *fee, 0, CPMM_TRANSFER_FEE_MISMATCH );
  return 0;
}

SBF_FUNCTION uint64_t cpmm_check_open( cpmm_swap_t * s ) {
  uint8_t const * pool = s->accounts.pool.data;
  sol_get_clock_sysvar( &s->clock );
  bool open = !( pool[POOL_STATUS] & CPMM_STATUS_NO_SWAP ) &&
              (uint64_t)s->clock.unix_timestamp >= sbf_u64( pool + POOL_OPEN_TIME );
  ANCHOR_REQUIRE( open, 0, CPMM_NOT_APPROVED );
  token_fee_read( &s->input_fee, &s->accounts.input_mint, s->clock.epoch );
  token_fee_read( &s->output_fee, &s->accounts.output_mint, s->clock.epoch );
  return 0;
}

SBF_FUNCTION uint64_t cpmm_swap_base_input( cpmm_swap_t * s, uint64_t amount_in, uint64_t minimum_amount_out ) {
  SBF_TRY( cpmm_check_open( s ) );
  uint64_t input_transfer_fee = token_fee_of( &s->input_fee, amount_in );
  s->input_amount             = amount_in > input_transfer_fee ? amount_in - input_transfer_fee : 0;
  ANCHOR_REQUIRE( s->input_amount, 0, ANCHOR_REQUIRE_GT );
  SBF_TRY( cpmm_read_pool( s ) );
  SBF_TRY( cpmm_curve_input( s ) );

  uint64_t output_transfer_fee = token_fee_of( &s->output_fee, s->output_amount );
  uint64_t received            = s->output_amount - output_transfer_fee;
  ANCHOR_REQUIRE( received, 0, ANCHOR_REQUIRE_GT );
  ANCHOR_REQUIRE( received >= minimum_amount_out, 0, CPMM_EXCEEDED_SLIPPAGE );

  cpmm_update_fees( s );
  cpmm_emit( s, input_transfer_fee, output_transfer_fee, true );
  cpmm_move_tokens( s, amount_in, s->output_amount );
  return 0;
}

SBF_FUNCTION uint64_t cpmm_swap_base_output( cpmm_swap_t * s, uint64_t max_amount_in, uint64_t amount_out ) {
  ANCHOR_REQUIRE( amount_out, 0, ANCHOR_REQUIRE_GT );
  SBF_TRY( cpmm_check_open( s ) );
  uint64_t output_transfer_fee, input_transfer_fee;
  SBF_TRY( cpmm_fee_on_top( &output_transfer_fee, &s->output_fee, &s->accounts.output_mint, amount_out ) );
  s->output_amount = amount_out + output_transfer_fee;
  SBF_REQUIRE( s->output_amount >= amount_out, "called `Option::unwrap()` on a `None` value" );
  SBF_TRY( cpmm_read_pool( s ) );
  SBF_TRY( cpmm_curve_output( s ) );

  ANCHOR_REQUIRE( s->input_amount, 0, ANCHOR_REQUIRE_GT );
  SBF_TRY( cpmm_fee_on_top( &input_transfer_fee, &s->input_fee, &s->accounts.input_mint, s->input_amount ) );
  uint64_t amount_in = s->input_amount + input_transfer_fee;
  SBF_REQUIRE( amount_in >= s->input_amount, "called `Option::unwrap()` on a `None` value" );
  ANCHOR_REQUIRE( max_amount_in >= amount_in, 0, CPMM_EXCEEDED_SLIPPAGE );

  cpmm_update_fees( s );
  cpmm_emit( s, input_transfer_fee, output_transfer_fee, false );
  cpmm_move_tokens( s, amount_in, s->output_amount );
  return 0;
}

uint64_t entrypoint( uint8_t * input ) {
  cpmm_swap_t * s = SBF_HEAP;
  SBF_LOG( "sniperforge emulation of Raydium CPMM" );
  sbf_parse( input, &s->accounts.payer, CPMM_ACCOUNT_COUNT, &s->instruction );
  sbf_instruction_t const * instruction = &s->instruction;
  ANCHOR_REQUIRE( sbf_key_equal( instruction->program_id, CPMM_PROGRAM ), 0, ANCHOR_WRONG_PROGRAM );
  ANCHOR_REQUIRE( instruction->data_len >= 8, 0, ANCHOR_FALLBACK_NOT_FOUND );
  uint64_t kind = sbf_u64( instruction->data );
  if( kind == CPMM_SWAP_BASE_INPUT ) {
    SBF_LOG( "Instruction: SwapBaseInput" );
  } else if( kind == CPMM_SWAP_BASE_OUTPUT ) {
    SBF_LOG( "Instruction: SwapBaseOutput" );
  } else {
    SBF_LOG( "only swap_base_input and swap_base_output are emulated; load the real program for others" );
    return anchor_fail( 0, &ANCHOR_FALLBACK_NOT_FOUND );
  }
  ANCHOR_REQUIRE( instruction->data_len >= 24, 0, ANCHOR_DID_NOT_DESERIALIZE );
  ANCHOR_REQUIRE( instruction->account_count >= CPMM_ACCOUNT_COUNT, 0, ANCHOR_NOT_ENOUGH_KEYS );
  SBF_TRY( cpmm_read_accounts( &s->accounts ) );
  SBF_TRY( cpmm_check_constraints( &s->accounts ) );

  uint64_t first = sbf_u64( instruction->data + 8 ), second = sbf_u64( instruction->data + 16 );
  if( kind == CPMM_SWAP_BASE_INPUT ) {
    SBF_TRY( cpmm_swap_base_input( s, first, second ) );
  } else {
    SBF_TRY( cpmm_swap_base_output( s, first, second ) );
  }
  SBF_TRY( cpmm_observe( s ) );
  sbf_put_u64( s->accounts.pool.data + POOL_RECENT_EPOCH, s->clock.epoch );
  return 0;
}
