/* pump_fun_layout.h has what the emulated pump.fun programs of all times share: addresses, where accounts
   have what, errors, and how lamports move.

   Sources: the program's interface as published on chain, pump-fun/pump-public-docs (idl/pump.json). */

#ifndef SF_SBF_PUMP_FUN_LAYOUT_H
#define SF_SBF_PUMP_FUN_LAYOUT_H

#include "sbf/anchor_event.h"
#include "sbf/pump_fun_math.h"
#include "sbf/token_transfer.h"

extern uint64_t sol_try_find_program_address( sbf_bytes_t const * seeds, uint64_t seed_count,
                                              uint8_t const * program_id, uint8_t * address, uint8_t * bump );

/* 6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P */
static uint8_t const PUMP_PROGRAM[32] = { 0x01, 0x56, 0xe0, 0xf6, 0x93, 0x66, 0x5a, 0xcf, 0x44, 0xdb, 0x15,
                                          0x68, 0xbf, 0x17, 0x5b, 0xaa, 0x51, 0x89, 0xcb, 0x97, 0xf5, 0xd2,
                                          0xff, 0x3b, 0x65, 0x5d, 0x2b, 0xb6, 0xfd, 0x6d, 0x18, 0xb0 };

/* ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL */
static uint8_t const ASSOCIATED_TOKEN_PROGRAM[32] = { 0x8c, 0x97, 0x25, 0x8f, 0x4e, 0x24, 0x89, 0xf1, 0xbb, 0x3d, 0x10,
                                                      0x29, 0x14, 0x8e, 0x0d, 0x83, 0x0b, 0x5a, 0x13, 0x99, 0xda, 0xff,
                                                      0x10, 0x84, 0x04, 0x8e, 0x7b, 0xd8, 0xdb, 0xe9, 0xf8, 0x59 };

/* SysvarRent111111111111111111111111111111111 */
static uint8_t const RENT_SYSVAR[32] = { 0x06, 0xa7, 0xd5, 0x17, 0x19, 0x2c, 0x5c, 0x51, 0x21, 0x8c, 0xc9,
                                         0x4c, 0x3d, 0x4a, 0xf1, 0x7f, 0x58, 0xda, 0xee, 0x08, 0x9b, 0xa1,
                                         0xfd, 0x44, 0xe3, 0xdb, 0xd9, 0x8a, 0x00, 0x00, 0x00, 0x00 };

/* pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ */
static uint8_t const FEE_PROGRAM[32] = { 0x0c, 0x35, 0xff, 0xa9, 0x05, 0x5a, 0x8e, 0x56, 0x8d, 0xa8, 0xf7,
                                         0xbc, 0x07, 0x56, 0x15, 0x27, 0x4c, 0xf1, 0xc9, 0x2c, 0xa4, 0x1f,
                                         0x40, 0x00, 0x9c, 0x51, 0x6a, 0xa4, 0x14, 0xc2, 0x7c, 0x70 };

/* 4wTV1YmiEkRvAtNtsSGPtUrqRYQMe5SKy2uB4Jjaxnjf, from "global" */
static uint8_t const PUMP_GLOBAL_KEY[32] = { 0x3a, 0x86, 0x5e, 0x69, 0xee, 0x0f, 0x54, 0x80, 0xca, 0xbc, 0xf6,
                                             0x63, 0x57, 0xe4, 0xdc, 0x2f, 0x18, 0xd5, 0x8d, 0x45, 0xc1, 0xea,
                                             0x74, 0x89, 0xfb, 0x37, 0x23, 0xd9, 0x79, 0x3c, 0x72, 0xa6 };

/* 8Wf5TiAheLUqBrKXeYg2JtAFFMWtKdG2BSFgqUcPVwTt, the fee program's, from "fee_config" and PUMP_PROGRAM */
static uint8_t const PUMP_FEE_CONFIG_KEY[32] = { 0x6f, 0x9a, 0xb4, 0xa4, 0xf1, 0x95, 0x8d, 0xc0, 0xa9, 0xc9, 0x4c,
                                                 0x3f, 0xb7, 0x2c, 0x07, 0x99, 0x58, 0x43, 0xed, 0xa4, 0x85, 0xe3,
                                                 0xa2, 0x4f, 0x10, 0xc6, 0x93, 0x99, 0xf8, 0x19, 0x94, 0x0f };

/* Ce6TQqeHC9p8KetsN6JsjHK7UTZk7nasjjnr7XxXp9F1, from "__event_authority" with bump 255 */
static uint8_t const PUMP_EVENT_AUTHORITY[32] = { 0xac, 0xf1, 0x36, 0xeb, 0x01, 0xfc, 0x1c, 0x4e, 0x88, 0x3d, 0x23,
                                                  0xc8, 0xb5, 0x84, 0x4a, 0xb5, 0x9a, 0x37, 0xf6, 0x6a, 0xdd, 0x57,
                                                  0xc5, 0xe9, 0xac, 0x3b, 0x53, 0xe0, 0x59, 0xd3, 0x5c, 0x64 };
#define PUMP_EVENT_BUMP 255

static uint8_t const SYSTEM_PROGRAM[32];

/* First eight bytes of sha256 of "global:...", "account:...", "event:...", as little-endian words. */
#define PUMP_BUY            0xeaebda01123d0666UL
#define PUMP_SELL           0xad837f01a485e633UL
#define PUMP_SPEND          0x5fcddf9e0874fc38UL /* buy_exact_sol_in */
#define PUMP_BUY_V2         0x3dd3c56761ee17b8UL
#define PUMP_SPEND_V2       0x2f5b4d68461cabc2UL /* buy_exact_quote_in_v2 */
#define PUMP_SELL_V2        0xb240e9e73c82f65dUL
#define PUMP_GLOBAL         0x7f726cc8b1e8e8a7UL
#define PUMP_CURVE          0x60acd86037f8b717UL
#define PUMP_TRADE_EVENT    0xee61e64ed37fdbbdUL
#define PUMP_COMPLETE_EVENT 0x08982ed49c61725fUL

#define SYSTEM_TRANSFER             2
#define SBF_ERR_ARITHMETIC_OVERFLOW ( 24UL << 32 )

/* Offsets in the accounts' data. */
enum {
  GLOBAL_FEE_RECIPIENT = 41,
  GLOBAL_FEE           = 105, /* basis points */
  GLOBAL_SIZE          = 113, /* of January 2025 */
  GLOBAL_RECIPIENTS    = 162, /* seven more */
  GLOBAL_RESERVED      = 483, /* recipient of coins in mayhem mode */
  GLOBAL_RESERVED_MORE = 516, /* seven more */
  GLOBAL_BUYBACK       = 741, /* eight */
  GLOBAL_BUYBACK_RATE  = 997, /* basis points of the protocol's fee */
  GLOBAL_BUYBACK_END   = 1005,
  GLOBAL_CREATOR_RATES = 1045, /* a coin's own creator rate counts */
  CURVE_VIRTUAL_TOKEN  = 8,
  CURVE_VIRTUAL_SOL    = 16,
  CURVE_REAL_TOKEN     = 24,
  CURVE_REAL_SOL       = 32,
  CURVE_COMPLETE       = 48,
  CURVE_SIZE           = 49, /* of January 2025 */
  CURVE_CREATOR        = 49,
  CURVE_MAYHEM         = 81,
  CURVE_CASHBACK       = 82,
  CURVE_QUOTE_MINT     = 83, /* all zero: SOL */
  CURVE_CREATOR_RATE   = 115,
  CURVE_SUPPLY         = 40,
};

ANCHOR_ERROR( ANCHOR_SYSVAR_MISMATCH, 3015, "AccountSysvarMismatch",
              "The given public key does not match the required sysvar" );
ANCHOR_ERROR( PUMP_NOT_AUTHORIZED, 6000, "NotAuthorized",
              "The given account is not authorized to execute this instruction." );
ANCHOR_ERROR( PUMP_TOO_MUCH_SOL_REQUIRED, 6002, "TooMuchSolRequired",
              "slippage: Too much SOL required to buy the given amount of tokens." );
ANCHOR_ERROR( PUMP_TOO_LITTLE_SOL_RECEIVED, 6003, "TooLittleSolReceived",
              "slippage: Too little SOL received to sell the given amount of tokens." );
ANCHOR_ERROR( PUMP_MINT_DOES_NOT_MATCH, 6004, "MintDoesNotMatchBondingCurve",
              "The mint does not match the bonding curve." );
ANCHOR_ERROR( PUMP_FEE_RATES, 6013, "FeeBasisPointsGreaterThanMaximum", "fee_basis_points greater than maximum" );
ANCHOR_ERROR( PUMP_BUY_ZERO, PUMP_CODE_BUY_ZERO, "BuyZeroAmount", "Buy zero amount" );
ANCHOR_ERROR( PUMP_NO_TOKENS, PUMP_CODE_NO_TOKENS, "NotEnoughTokensToBuy", "Not enough tokens to buy" );
ANCHOR_ERROR( PUMP_SELL_ZERO, PUMP_CODE_SELL_ZERO, "SellZeroAmount", "Sell zero amount" );
ANCHOR_ERROR( PUMP_OVERFLOW, PUMP_CODE_OVERFLOW, "Overflow", "Overflow" );
ANCHOR_ERROR( PUMP_BELOW_MINIMUM, 6042, "BuySlippageBelowMinTokensOut",
              "Slippage: Would buy less tokens than expected min_tokens_out" );
ANCHOR_ERROR( PUMP_BUYBACK_REFUSED, 6057, "BuybackFeeRecipientNotAuthorized", "BuybackFeeRecipientNotAuthorized" );
ANCHOR_ERROR( PUMP_BUYBACK_MISSING, 6062, "BuybackFeeRecipientMissing", "BuybackFeeRecipientMissing" );
ANCHOR_ERROR( PUMP_CURVE_COMPLETE, PUMP_CODE_COMPLETE, "BondingCurveComplete",
              "The bonding curve has completed and liquidity migrated to raydium." );


/* pump_check_token_owned lets only SPL Token's accounts pass (Account, not InterfaceAccount). */
SBF_FUNCTION uint64_t pump_check_token_owned( sbf_account_t const * account, char const * name ) {
  SBF_TRY( anchor_check_exists( account, name ) );
  ANCHOR_REQUIRE( sbf_key_equal( account->owner, TOKEN_PROGRAM ), name, ANCHOR_WRONG_OWNER );
  return 0;
}

SBF_FUNCTION uint64_t pump_check_program( sbf_account_t const * account, char const * name, uint8_t const * key ) {
  ANCHOR_REQUIRE( sbf_key_equal( account->key, key ), name, ANCHOR_INVALID_PROGRAM_ID );
  ANCHOR_REQUIRE( account->executable, name, ANCHOR_NOT_EXECUTABLE );
  return 0;
}

/* pump_is_derived says whether `key` is the program's address of these seeds, and sets *bump. */
SBF_FUNCTION bool pump_is_derived( uint8_t const * key, sbf_bytes_t const * seeds, uint64_t seed_count,
                                   uint8_t const * program_id, uint8_t * bump ) {
  uint8_t address[32];
  return !sol_try_find_program_address( seeds, seed_count, program_id, address, bump ) && sbf_key_equal( key, address );
}

#define PUMP_SEED( literal ) \
  { (uint8_t const *)( literal ), sizeof( literal ) - 1 }

/* pump_add and pump_subtract stop the program where the result does not fit. */
SBF_FUNCTION void pump_add( uint64_t * value, uint64_t more ) {
  SBF_REQUIRE( *value + more >= more, "attempt to add with overflow" );
  *value += more;
}

SBF_FUNCTION void pump_subtract( uint64_t * value, uint64_t less ) {
  SBF_REQUIRE( *value >= less, "attempt to subtract with overflow" );
  *value -= less;
}

/* pump_pay moves lamports of the user by the system program; a failure ends the program. */
SBF_FUNCTION void pump_pay( sbf_account_t const * user, sbf_account_t const * to, uint64_t lamports ) {
  sbf_account_t accounts[2];
  accounts[0]         = *user;
  accounts[1]         = *to;
  sbf_meta_t metas[2] = {
    { .key = user->key, .is_writable = 1, .is_signer = 1 },
    { .key = to->key, .is_writable = 1 },
  };
  uint8_t data[16] = { SYSTEM_TRANSFER };
  sbf_put_u64( data + 4, lamports );
  sbf_call_t call = { SYSTEM_PROGRAM, metas, 2, data, 12 };
  sol_invoke_signed_c( &call, accounts, 2, 0, 0 );
}

/* pump_give moves lamports out of the curve's account, which the program owns. */
SBF_FUNCTION uint64_t pump_give( sbf_account_t const * curve, sbf_account_t const * to, uint64_t lamports ) {
  if( *curve->lamports < lamports ) return SBF_ERR_ARITHMETIC_OVERFLOW;
  *curve->lamports -= lamports;
  if( *to->lamports + lamports < lamports ) return SBF_ERR_ARITHMETIC_OVERFLOW;
  *to->lamports += lamports;
  return 0;
}

#endif
