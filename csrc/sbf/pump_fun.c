/* pump.fun's bonding curve (6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P), emulated as of January 2025: buy
   and sell, with the program's checks in their order, its integer results, the floored fee of the global
   account, events (by self-call and by log), error numbers and log lines.  Its other instructions are
   refused.  Arithmetic that would overflow stops the program; what it narrows to 64 bits it cuts off.

   Sources: the program's interface as published on chain (accounts, errors, events) and its recorded
   transactions: the amounts, the order of calls and the bytes of events. */

#include "sbf/anchor.h"
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

static uint8_t const SYSTEM_PROGRAM[32];

/* First eight bytes of sha256 of "global:...", "account:...", "event:...", as little-endian words. */
#define PUMP_BUY            0xeaebda01123d0666UL
#define PUMP_SELL           0xad837f01a485e633UL
#define PUMP_GLOBAL         0x7f726cc8b1e8e8a7UL
#define PUMP_CURVE          0x60acd86037f8b717UL
#define PUMP_TRADE_EVENT    0xee61e64ed37fdbbdUL
#define PUMP_COMPLETE_EVENT 0x08982ed49c61725fUL
#define ANCHOR_EVENT        0x1d9acb512ea545e4UL /* in front of an event that a program sends to itself */

#define PUMP_BASIS_POINTS           10000UL
#define SYSTEM_TRANSFER             2
#define SBF_ERR_ARITHMETIC_OVERFLOW ( 24UL << 32 )

/* Offsets in the accounts' data. */
enum {
  GLOBAL_FEE_RECIPIENT = 41,
  GLOBAL_FEE           = 105, /* basis points */
  GLOBAL_SIZE          = 113,
  CURVE_VIRTUAL_TOKEN  = 8,
  CURVE_VIRTUAL_SOL    = 16,
  CURVE_REAL_TOKEN     = 24,
  CURVE_REAL_SOL       = 32,
  CURVE_COMPLETE       = 48,
  CURVE_SIZE           = 49,
};

ANCHOR_ERROR( ANCHOR_CONSTRAINT_SIGNER, 2002, "ConstraintSigner", "A signer constraint was violated" );
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
ANCHOR_ERROR( PUMP_CURVE_COMPLETE, 6005, "BondingCurveComplete",
              "The bonding curve has completed and liquidity migrated to raydium." );

/* The accounts of a trade, in the order of the instruction.  A buy has the token program and the rent
   sysvar, a sale the associated-token program and the token program, as ninth and tenth. */
typedef struct pump_accounts {
  sbf_account_t global, fee_recipient, mint, curve, curve_tokens, user_tokens, user, system, ninth, tenth,
      event_authority, program;
} pump_accounts_t;

#define PUMP_ACCOUNT_COUNT ( sizeof( pump_accounts_t ) / sizeof( sbf_account_t ) )

/* One trade, in the heap. */
typedef struct pump_trade {
  pump_accounts_t accounts;
  sbf_instruction_t instruction;
  sbf_clock_t clock;
  bool buy;
  uint8_t curve_bump, event_bump;
  uint64_t tokens, sol, fee;                                 /* sol: what the curve gets or gives */
  uint64_t virtual_token, virtual_sol, real_token, real_sol; /* after the trade */
  bool complete;
  uint8_t event[137]; /* ANCHOR_EVENT, then an event */
} pump_trade_t;

/* ---- accounts ---------------------------------------------------------------------------------- */

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

/* pump_read_accounts checks what each account holds, in order. */
SBF_FUNCTION uint64_t pump_read_accounts( pump_trade_t const * t ) {
  pump_accounts_t const * a = &t->accounts;
  SBF_TRY( anchor_check_exists( &a->global, "global" ) );
  SBF_TRY( anchor_check_owned( &a->global, "global", PUMP_PROGRAM, PUMP_GLOBAL ) );
  ANCHOR_REQUIRE( a->global.data_len >= GLOBAL_SIZE && a->global.data[8] <= 1, "global",
                  ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE );
  SBF_TRY( pump_check_token_owned( &a->mint, "mint" ) );
  SBF_TRY( token_mint_check( &a->mint ) );
  SBF_TRY( anchor_check_exists( &a->curve, "bonding_curve" ) );
  SBF_TRY( anchor_check_owned( &a->curve, "bonding_curve", PUMP_PROGRAM, PUMP_CURVE ) );
  ANCHOR_REQUIRE( a->curve.data_len >= CURVE_SIZE && a->curve.data[CURVE_COMPLETE] <= 1, "bonding_curve",
                  ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE );
  SBF_TRY( pump_check_token_owned( &a->curve_tokens, "associated_bonding_curve" ) );
  SBF_TRY( token_account_check( &a->curve_tokens ) );
  SBF_TRY( pump_check_token_owned( &a->user_tokens, "associated_user" ) );
  SBF_TRY( token_account_check( &a->user_tokens ) );
  ANCHOR_REQUIRE( a->user.is_signer, "user", ANCHOR_NOT_SIGNER );
  SBF_TRY( pump_check_program( &a->system, "system_program", SYSTEM_PROGRAM ) );
  if( t->buy ) {
    SBF_TRY( pump_check_program( &a->ninth, "token_program", TOKEN_PROGRAM ) );
    ANCHOR_REQUIRE( sbf_key_equal( a->tenth.key, RENT_SYSVAR ), "rent", ANCHOR_SYSVAR_MISMATCH );
    return 0;
  }
  SBF_TRY( pump_check_program( &a->ninth, "associated_token_program", ASSOCIATED_TOKEN_PROGRAM ) );
  return pump_check_program( &a->tenth, "token_program", TOKEN_PROGRAM );
}

/* pump_is_derived says whether `key` is the program's address of these seeds, and sets *bump. */
SBF_FUNCTION bool pump_is_derived( uint8_t const * key, sbf_bytes_t const * seeds, uint64_t seed_count,
                                   uint8_t const * program_id, uint8_t * bump ) {
  uint8_t address[32];
  return !sol_try_find_program_address( seeds, seed_count, program_id, address, bump ) && sbf_key_equal( key, address );
}

#define PUMP_SEED( literal ) \
  { (uint8_t const *)( literal ), sizeof( literal ) - 1 }

SBF_FUNCTION uint64_t pump_check_event_authority( sbf_account_t const * account, uint8_t * bump ) {
  sbf_bytes_t seed = PUMP_SEED( "__event_authority" );
  ANCHOR_REQUIRE( pump_is_derived( account->key, &seed, 1, PUMP_PROGRAM, bump ), "event_authority",
                  ANCHOR_CONSTRAINT_SEEDS );
  return 0;
}

SBF_FUNCTION uint64_t pump_check_constraints( pump_trade_t * t ) {
  pump_accounts_t const * a = &t->accounts;
  uint8_t ignored;
  sbf_bytes_t global   = PUMP_SEED( "global" );
  sbf_bytes_t curve[2] = { PUMP_SEED( "bonding-curve" ), { a->mint.key, 32 } };
  sbf_bytes_t vault[3] = { { a->curve.key, 32 }, { TOKEN_PROGRAM, 32 }, { a->mint.key, 32 } };
  ANCHOR_REQUIRE( pump_is_derived( a->global.key, &global, 1, PUMP_PROGRAM, &ignored ), "global",
                  ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( a->fee_recipient.is_writable, "fee_recipient", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( pump_is_derived( a->curve.key, curve, 2, PUMP_PROGRAM, &t->curve_bump ), "bonding_curve",
                  ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( a->curve.is_writable, "bonding_curve", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( pump_is_derived( a->curve_tokens.key, vault, 3, ASSOCIATED_TOKEN_PROGRAM, &ignored ),
                  "associated_bonding_curve", ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( a->curve_tokens.is_writable, "associated_bonding_curve", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->user_tokens.is_writable, "associated_user", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->user.is_writable, "user", ANCHOR_CONSTRAINT_MUT );
  return pump_check_event_authority( &a->event_authority, &t->event_bump );
}

/* ---- the curve ----------------------------------------------------------------------------------- */

/* pump_add and pump_subtract stop the program where the result does not fit. */
SBF_FUNCTION void pump_add( uint64_t * value, uint64_t more ) {
  SBF_REQUIRE( *value + more >= more, "attempt to add with overflow" );
  *value += more;
}

SBF_FUNCTION void pump_subtract( uint64_t * value, uint64_t less ) {
  SBF_REQUIRE( *value >= less, "attempt to subtract with overflow" );
  *value -= less;
}

/* pump_quote finds what the tokens are worth on the curve, and the fee. */
SBF_FUNCTION void pump_quote( pump_trade_t * t ) {
  sbf_u128_t product, quotient, rest, divisor = sbf_u128( t->virtual_token );
  if( t->buy ) {
    SBF_REQUIRE( t->tokens <= t->virtual_token, "attempt to subtract with overflow" );
    divisor.lo -= t->tokens;
  } else {
    divisor = sbf_u128_add( divisor, sbf_u128( t->tokens ) );
  }
  SBF_REQUIRE( divisor.lo || divisor.hi, "attempt to divide by zero" );
  sbf_mul64( &product, t->tokens, t->virtual_sol );
  sbf_u128_div( &quotient, &rest, &product, &divisor );
  t->sol = quotient.lo;
  if( t->buy ) pump_add( &t->sol, 1 );
  sbf_mul_div( &quotient, t->sol, sbf_u64( t->accounts.global.data + GLOBAL_FEE ), PUMP_BASIS_POINTS, false );
  t->fee = quotient.lo;
}

SBF_FUNCTION uint64_t pump_check_curve( pump_trade_t const * t ) {
  pump_accounts_t const * a = &t->accounts;
  ANCHOR_REQUIRE( sbf_key_equal( token_account_mint( &a->curve_tokens ), a->mint.key ), 0, PUMP_MINT_DOES_NOT_MATCH );
  ANCHOR_REQUIRE( !t->complete, 0, PUMP_CURVE_COMPLETE );
  return 0;
}

/* ---- events ------------------------------------------------------------------------------------------ */

/* pump_emit sends t->event to the program itself and logs it. */
SBF_FUNCTION void pump_emit( pump_trade_t * t, uint64_t len ) {
  sbf_account_t authority = t->accounts.event_authority;
  sbf_bytes_t seeds[2]    = { PUMP_SEED( "__event_authority" ), { &t->event_bump, 1 } };
  sbf_signer_t signer     = { seeds, 2 };
  sbf_meta_t meta         = { .key = authority.key, .is_signer = 1 };
  sbf_put_u64( t->event, ANCHOR_EVENT );
  sbf_call_t call = { PUMP_PROGRAM, &meta, 1, t->event, len };
  sol_invoke_signed_c( &call, &authority, 1, &signer, 1 );
  sbf_bytes_t field = { t->event + 8, len - 8 };
  sol_log_data( &field, 1 );
}

SBF_FUNCTION void pump_emit_complete( pump_trade_t * t ) {
  uint8_t * event = t->event + 8;
  sbf_put_u64( event, PUMP_COMPLETE_EVENT );
  sbf_key_copy( event + 8, t->accounts.user.key );
  sbf_key_copy( event + 40, t->accounts.mint.key );
  sbf_key_copy( event + 72, t->accounts.curve.key );
  sbf_put_u64( event + 104, (uint64_t)t->clock.unix_timestamp );
  pump_emit( t, 8 + 112 );
}

SBF_FUNCTION void pump_emit_trade( pump_trade_t * t ) {
  uint8_t * event = t->event + 8;
  sbf_put_u64( event, PUMP_TRADE_EVENT );
  sbf_key_copy( event + 8, t->accounts.mint.key );
  sbf_put_u64( event + 40, t->sol );
  sbf_put_u64( event + 48, t->tokens );
  event[56] = t->buy;
  sbf_key_copy( event + 57, t->accounts.user.key );
  sbf_put_u64( event + 89, (uint64_t)t->clock.unix_timestamp );
  sbf_put_u64( event + 97, t->virtual_sol );
  sbf_put_u64( event + 105, t->virtual_token );
  sbf_put_u64( event + 113, t->real_sol );
  sbf_put_u64( event + 121, t->real_token );
  pump_emit( t, 8 + 129 );
}

/* ---- tokens and lamports ------------------------------------------------------------------------------- */

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

SBF_FUNCTION uint64_t pump_check_fee_recipient( pump_accounts_t const * a ) {
  ANCHOR_REQUIRE( sbf_key_equal( a->fee_recipient.key, a->global.data + GLOBAL_FEE_RECIPIENT ), 0,
                  PUMP_NOT_AUTHORIZED );
  return 0;
}

/* ---- the instructions -------------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t pump_buy( pump_trade_t * t, uint64_t max_sol ) {
  pump_accounts_t const * a = &t->accounts;
  uint64_t cost             = t->sol;
  pump_add( &cost, t->fee );
  ANCHOR_REQUIRE( cost <= max_sol, 0, PUMP_TOO_MUCH_SOL_REQUIRED );
  SBF_TRY( pump_check_curve( t ) );
  pump_subtract( &t->virtual_token, t->tokens );
  pump_subtract( &t->real_token, t->tokens );
  pump_add( &t->virtual_sol, t->sol );
  pump_add( &t->real_sol, t->sol );
  if( !t->real_token ) {
    t->complete = true;
    pump_emit_complete( t );
  }
  sbf_bytes_t seeds[3] = { PUMP_SEED( "bonding-curve" ), { a->mint.key, 32 }, { &t->curve_bump, 1 } };
  sbf_signer_t signer  = { seeds, 3 };
  token_transfer_plain( &a->curve_tokens, &a->user_tokens, &a->curve, t->tokens, &signer );
  pump_pay( &a->user, &a->curve, t->sol );
  SBF_TRY( pump_check_fee_recipient( a ) );
  pump_pay( &a->user, &a->fee_recipient, t->fee );
  return 0;
}

SBF_FUNCTION uint64_t pump_sell( pump_trade_t * t, uint64_t min_sol ) {
  pump_accounts_t const * a = &t->accounts;
  uint64_t received         = t->sol;
  pump_subtract( &received, t->fee );
  ANCHOR_REQUIRE( received >= min_sol, 0, PUMP_TOO_LITTLE_SOL_RECEIVED );
  SBF_TRY( pump_check_curve( t ) );
  pump_add( &t->virtual_token, t->tokens );
  pump_add( &t->real_token, t->tokens );
  pump_subtract( &t->virtual_sol, t->sol );
  pump_subtract( &t->real_sol, t->sol );
  token_transfer_plain( &a->user_tokens, &a->curve_tokens, &a->user, t->tokens, 0 );
  SBF_TRY( pump_give( &a->curve, &a->user, received ) );
  SBF_TRY( pump_check_fee_recipient( a ) );
  return pump_give( &a->curve, &a->fee_recipient, t->fee );
}

SBF_FUNCTION void pump_read_curve( pump_trade_t * t ) {
  uint8_t const * curve = t->accounts.curve.data;
  t->virtual_token      = sbf_u64( curve + CURVE_VIRTUAL_TOKEN );
  t->virtual_sol        = sbf_u64( curve + CURVE_VIRTUAL_SOL );
  t->real_token         = sbf_u64( curve + CURVE_REAL_TOKEN );
  t->real_sol           = sbf_u64( curve + CURVE_REAL_SOL );
  t->complete           = curve[CURVE_COMPLETE];
}

SBF_FUNCTION void pump_write_curve( pump_trade_t const * t ) {
  uint8_t * curve = t->accounts.curve.data;
  sbf_put_u64( curve + CURVE_VIRTUAL_TOKEN, t->virtual_token );
  sbf_put_u64( curve + CURVE_VIRTUAL_SOL, t->virtual_sol );
  sbf_put_u64( curve + CURVE_REAL_TOKEN, t->real_token );
  sbf_put_u64( curve + CURVE_REAL_SOL, t->real_sol );
  curve[CURVE_COMPLETE] = t->complete;
}

/* pump_receive_event takes an event that the program sent to itself. */
SBF_FUNCTION uint64_t pump_receive_event( pump_trade_t * t ) {
  sbf_account_t const * authority = &t->accounts.global; /* the first account */
  ANCHOR_REQUIRE( t->instruction.account_count, 0, ANCHOR_NOT_ENOUGH_KEYS );
  ANCHOR_REQUIRE( authority->is_signer, "event_authority", ANCHOR_CONSTRAINT_SIGNER );
  return pump_check_event_authority( authority, &t->event_bump );
}

uint64_t entrypoint( uint8_t * input ) {
  pump_trade_t * t = SBF_HEAP;
  sbf_parse( input, &t->accounts.global, PUMP_ACCOUNT_COUNT, &t->instruction );
  sbf_instruction_t const * instruction = &t->instruction;
  uint64_t kind                         = instruction->data_len >= 8 ? sbf_u64( instruction->data ) : 0;
  if( kind == ANCHOR_EVENT ) return pump_receive_event( t );

  SBF_LOG( "sniperforge emulation of pump.fun, January 2025" );
  ANCHOR_REQUIRE( sbf_key_equal( instruction->program_id, PUMP_PROGRAM ), 0, ANCHOR_WRONG_PROGRAM );
  if( kind == PUMP_BUY ) {
    SBF_LOG( "Instruction: Buy" );
  } else if( kind == PUMP_SELL ) {
    SBF_LOG( "Instruction: Sell" );
  } else {
    SBF_LOG( "only buy and sell are emulated; load the real program for others" );
    return anchor_fail( 0, &ANCHOR_FALLBACK_NOT_FOUND );
  }
  ANCHOR_REQUIRE( instruction->data_len >= 24, 0, ANCHOR_DID_NOT_DESERIALIZE );
  ANCHOR_REQUIRE( instruction->account_count >= PUMP_ACCOUNT_COUNT, 0, ANCHOR_NOT_ENOUGH_KEYS );
  t->buy = kind == PUMP_BUY;
  SBF_TRY( pump_read_accounts( t ) );
  SBF_TRY( pump_check_constraints( t ) );
  sol_get_clock_sysvar( &t->clock );

  t->tokens      = sbf_u64( instruction->data + 8 );
  uint64_t limit = sbf_u64( instruction->data + 16 );
  pump_read_curve( t );
  pump_quote( t );
  if( t->buy ) {
    SBF_TRY( pump_buy( t, limit ) );
  } else {
    SBF_TRY( pump_sell( t, limit ) );
  }
  pump_emit_trade( t );
  pump_write_curve( t );
  return 0;
}
