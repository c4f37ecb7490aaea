/* pump_fun_2025.h: trades as of January 2025, a buy and a sale of exact amounts of tokens with the one fee
   of the global account, floored.  Arithmetic that would overflow stops the program; what it narrows to 64
   bits it cuts off.

   Sources: the program's interface as published on chain (accounts, errors, events) and its recorded
   transactions: the amounts, the order of calls and the bytes of events. */

#ifndef SF_SBF_PUMP_FUN_2025_H
#define SF_SBF_PUMP_FUN_2025_H

#include "sbf/pump_fun_layout.h"

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
  uint8_t curve_bump;
  uint64_t tokens, sol, fee;                                 /* sol: what the curve gets or gives */
  uint64_t virtual_token, virtual_sol, real_token, real_sol; /* after the trade */
  bool complete;
  uint8_t event[137]; /* ANCHOR_EVENT_TAG, then an event */
} pump_trade_t;

/* ---- accounts ---------------------------------------------------------------------------------- */

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

SBF_FUNCTION uint64_t pump_check_constraints( pump_trade_t * t ) {
  pump_accounts_t const * a = &t->accounts;
  uint8_t ignored;
  sbf_bytes_t curve[2] = { PUMP_SEED( "bonding-curve" ), { a->mint.key, 32 } };
  sbf_bytes_t vault[3] = { { a->curve.key, 32 }, { TOKEN_PROGRAM, 32 }, { a->mint.key, 32 } };
  ANCHOR_REQUIRE( sbf_key_equal( a->global.key, PUMP_GLOBAL_KEY ), "global", ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( a->fee_recipient.is_writable, "fee_recipient", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( pump_is_derived( a->curve.key, curve, 2, PUMP_PROGRAM, &t->curve_bump ), "bonding_curve",
                  ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( a->curve.is_writable, "bonding_curve", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( pump_is_derived( a->curve_tokens.key, vault, 3, ASSOCIATED_TOKEN_PROGRAM, &ignored ),
                  "associated_bonding_curve", ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( a->curve_tokens.is_writable, "associated_bonding_curve", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->user_tokens.is_writable, "associated_user", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->user.is_writable, "user", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( sbf_key_equal( a->event_authority.key, PUMP_EVENT_AUTHORITY ), "event_authority",
                  ANCHOR_CONSTRAINT_SEEDS );
  return 0;
}

/* ---- the curve ----------------------------------------------------------------------------------- */

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
  anchor_event_t event = { PUMP_PROGRAM, &t->accounts.event_authority, t->event, len, PUMP_EVENT_BUMP };
  anchor_event_send( &event );
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

/* pump_trade_2025 runs the instruction: `kind` is PUMP_BUY or PUMP_SELL, else refused. */
SBF_FUNCTION uint64_t pump_trade_2025( pump_trade_t * t, uint64_t kind ) {
  sbf_instruction_t const * instruction = &t->instruction;
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

#endif
