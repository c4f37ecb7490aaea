/* pump_fun_newest.h: trades on the newest curve: buy, buy_exact_sol_in and sell of coins quoted in SOL, and
   buy_v2, buy_exact_quote_in_v2 and sell_v2 of all; fees by the fee program's config, to protocol, creator
   (or the trader's cashback) and buyback.

   What it leaves out: accounts are neither made nor extended nor given rent, volume is not counted, the fee
   program is not called, shares among creators are not told, and the trader of coins in mayhem mode pays as
   others do.

   Sources: pump-fun/pump-public-docs (idl/pump.json, BUY, SELL, PUMP_CASHBACK_README), captured
   transactions: the order of transfers, bytes of events. */

#ifndef SF_SBF_PUMP_FUN_NEWEST_H
#define SF_SBF_PUMP_FUN_NEWEST_H

#include "sbf/pump_fee_config.h"
#include "sbf/pump_fun_layout.h"

static anchor_error_t const * const PUMP_MATH_ERRORS[] = { &PUMP_CURVE_COMPLETE, &PUMP_BUY_ZERO, &PUMP_NO_TOKENS,
                                                           &PUMP_SELL_ZERO, &PUMP_OVERFLOW };

enum { PUMP_NOW_ACCOUNT_COUNT_MAX = 27, PUMP_NOW_EVENT_SIZE = 416 };

#define PUMP_COIN_SUPPLY 1000000000000000UL /* of a coin not in mayhem mode, as far as fees go */

/* One trade, in the heap. */
typedef struct pump_now {
  sbf_account_t account[PUMP_NOW_ACCOUNT_COUNT_MAX];
  sbf_instruction_t instruction;
  sbf_clock_t clock;
  bool sale, exact_quote, second; /* second: of _v2 */
  bool sol, mayhem, cashback;
  uint64_t amount, limit;
  sbf_account_t const *global, *mint, *base_program, *curve, *curve_tokens, *user, *user_tokens, *recipient, *creator,
      *volume, *fee_config, *buyback, *event_authority; /* buyback: NULL if not named */
  /* of _v2, where the quote is a token: else NULL */
  sbf_account_t const *quote_mint, *quote_program, *curve_quote, *user_quote, *recipient_quote, *creator_quote,
      *volume_quote, *buyback_quote;
  uint8_t quote_key[32], creator_key[32];
  pump_curve_t before;
  pump_moved_t moved;
  uint64_t buyback_rate, buyback_fee;
  uint64_t virtual_token, virtual_quote, real_token, real_quote; /* after */
  uint8_t curve_bump, ignored;
  uint8_t event[PUMP_NOW_EVENT_SIZE]; /* ANCHOR_EVENT_TAG, then an event */
} pump_now_t;

/* ---- accounts ---------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t pump_now_name_first( pump_now_t * t ) {
  sbf_account_t const * a = t->account;
  uint64_t count = t->instruction.account_count, fixed = t->sale ? 14 : 16;
  ANCHOR_REQUIRE( count >= fixed, 0, ANCHOR_NOT_ENOUGH_KEYS );
  t->recipient       = a + 1;
  t->mint            = a + 2;
  t->curve           = a + 3;
  t->curve_tokens    = a + 4;
  t->user_tokens     = a + 5;
  t->user            = a + 6;
  t->creator         = a + ( t->sale ? 8 : 9 );
  t->base_program    = a + ( t->sale ? 9 : 8 );
  t->event_authority = a + 10;
  t->fee_config      = a + fixed - 2;
  if( !t->sale ) t->volume = a + 13;
  if( count < fixed + 2 || count > PUMP_NOW_ACCOUNT_COUNT_MAX ) return 0;
  t->buyback = a + count - 1; /* behind the address from "bonding-curve-v2" */
  if( t->sale && count > fixed + 2 ) t->volume = a + fixed;
  return 0;
}

SBF_FUNCTION uint64_t pump_now_name_second( pump_now_t * t ) {
  sbf_account_t const * a = t->account;
  ANCHOR_REQUIRE( t->instruction.account_count >= ( t->sale ? 26 : 27 ), 0, ANCHOR_NOT_ENOUGH_KEYS );
  t->mint                    = a + 1;
  t->quote_mint              = a + 2;
  t->base_program            = a + 3;
  t->quote_program           = a + 4;
  t->recipient               = a + 6;
  t->recipient_quote         = a + 7;
  t->buyback                 = a + 8;
  t->buyback_quote           = a + 9;
  t->curve                   = a + 10;
  t->curve_tokens            = a + 11;
  t->curve_quote             = a + 12;
  t->user                    = a + 13;
  t->user_tokens             = a + 14;
  t->user_quote              = a + 15;
  t->creator                 = a + 16;
  t->creator_quote           = a + 17;
  sbf_account_t const * rest = a + ( t->sale ? 19 : 20 ); /* a buy names the volume of all */
  t->volume                  = rest;
  t->volume_quote            = rest + 1;
  t->fee_config              = rest + 2;
  t->event_authority         = rest + 5;
  return 0;
}

SBF_FUNCTION uint64_t pump_now_read_accounts( pump_now_t const * t ) {
  SBF_TRY( anchor_check_exists( t->global, "global" ) );
  SBF_TRY( anchor_check_owned( t->global, "global", PUMP_PROGRAM, PUMP_GLOBAL ) );
  SBF_TRY( anchor_check_mint( t->mint, "mint" ) );
  SBF_TRY( anchor_check_exists( t->curve, "bonding_curve" ) );
  SBF_TRY( anchor_check_owned( t->curve, "bonding_curve", PUMP_PROGRAM, PUMP_CURVE ) );
  ANCHOR_REQUIRE( t->curve->data_len >= CURVE_SIZE && t->curve->data[CURVE_COMPLETE] <= 1, "bonding_curve",
                  ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE );
  SBF_TRY( anchor_check_token_account( t->curve_tokens, "associated_bonding_curve" ) );
  SBF_TRY( anchor_check_token_account( t->user_tokens, "associated_user" ) );
  ANCHOR_REQUIRE( t->user->is_signer, "user", ANCHOR_NOT_SIGNER );
  SBF_TRY( anchor_check_token_program( t->base_program, "token_program" ) );
  ANCHOR_REQUIRE( sbf_key_equal( t->fee_config->owner, FEE_PROGRAM ), "fee_config", ANCHOR_WRONG_OWNER );
  ANCHOR_REQUIRE( t->fee_config->data_len >= PUMP_FEE_TIERS + 4 && sbf_u64( t->fee_config->data ) == PUMP_FEE_CONFIG,
                  "fee_config", ANCHOR_WRONG_DISCRIMINATOR );
  return 0;
}

/* pump_now_read_curve reads the curve, of any length: what is not there is zero. */
SBF_FUNCTION void pump_now_read_curve( pump_now_t * t ) {
  uint8_t const * data = t->curve->data;
  uint64_t len         = t->curve->data_len;
  pump_curve_t * c     = &t->before;
  c->virtual_token     = sbf_u64( data + CURVE_VIRTUAL_TOKEN );
  c->virtual_quote     = sbf_u64( data + CURVE_VIRTUAL_SOL );
  c->real_token        = sbf_u64( data + CURVE_REAL_TOKEN );
  c->real_quote        = sbf_u64( data + CURVE_REAL_SOL );
  c->complete          = data[CURVE_COMPLETE];
  if( len >= CURVE_CREATOR + 32 ) sbf_key_copy( t->creator_key, data + CURVE_CREATOR );
  if( len > CURVE_MAYHEM ) t->mayhem = data[CURVE_MAYHEM];
  if( len > CURVE_CASHBACK ) t->cashback = data[CURVE_CASHBACK];
  if( len >= CURVE_QUOTE_MINT + 32 ) sbf_key_copy( t->quote_key, data + CURVE_QUOTE_MINT );
  t->sol = sbf_key_equal( t->quote_key, SYSTEM_PROGRAM );
}

SBF_FUNCTION bool pump_now_derived( pump_now_t * t, uint8_t const * key, char const * seed, uint64_t seed_len,
                                    uint8_t const * of ) {
  sbf_bytes_t seeds[2] = { { (uint8_t const *)seed, seed_len }, { of, 32 } };
  return pump_is_derived( key, seeds, 2, PUMP_PROGRAM, &t->ignored );
}

/* pump_now_is_associated says whether the account is where `owner` has its tokens, and can be written. */
SBF_FUNCTION bool pump_now_is_associated( pump_now_t * t, sbf_account_t const * account, uint8_t const * owner,
                                          sbf_account_t const * mint, sbf_account_t const * program ) {
  sbf_bytes_t seeds[3] = { { owner, 32 }, { program->key, 32 }, { mint->key, 32 } };
  return account->is_writable && pump_is_derived( account->key, seeds, 3, ASSOCIATED_TOKEN_PROGRAM, &t->ignored );
}

#define PUMP_NOW_DERIVED( account, seed, of ) pump_now_derived( t, ( account )->key, seed, sizeof( seed ) - 1, of )

SBF_FUNCTION uint64_t pump_now_check_constraints( pump_now_t * t ) {
  sbf_bytes_t curve[2] = { PUMP_SEED( "bonding-curve" ), { t->mint->key, 32 } };
  ANCHOR_REQUIRE( sbf_key_equal( t->global->key, PUMP_GLOBAL_KEY ), "global", ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( t->recipient->is_writable, "fee_recipient", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( t->curve->is_writable, "bonding_curve", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( pump_is_derived( t->curve->key, curve, 2, PUMP_PROGRAM, &t->curve_bump ), "bonding_curve",
                  ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( pump_now_is_associated( t, t->curve_tokens, t->curve->key, t->mint, t->base_program ),
                  "associated_bonding_curve", ANCHOR_ASSOCIATED );
  ANCHOR_REQUIRE( t->user_tokens->is_writable, "associated_user", ANCHOR_CONSTRAINT_MUT );
  if( t->second )
    ANCHOR_REQUIRE( pump_now_is_associated( t, t->user_tokens, t->user->key, t->mint, t->base_program ),
                    "associated_base_user", ANCHOR_ASSOCIATED );
  ANCHOR_REQUIRE( t->user->is_writable, "user", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( t->creator->is_writable, "creator_vault", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( PUMP_NOW_DERIVED( t->creator, "creator-vault", t->creator_key ), "creator_vault",
                  ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( sbf_key_equal( t->event_authority->key, PUMP_EVENT_AUTHORITY ), "event_authority",
                  ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( sbf_key_equal( t->fee_config->key, PUMP_FEE_CONFIG_KEY ), "fee_config", ANCHOR_CONSTRAINT_SEEDS );
  if( !t->volume ) return 0;
  ANCHOR_REQUIRE( t->volume->is_writable, "user_volume_accumulator", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( PUMP_NOW_DERIVED( t->volume, "user_volume_accumulator", t->user->key ), "user_volume_accumulator",
                  ANCHOR_CONSTRAINT_SEEDS );
  return 0;
}

/* pump_now_check_quote checks what a trade in tokens pays and is paid with. */
SBF_FUNCTION uint64_t pump_now_check_quote( pump_now_t * t ) {
  uint8_t const * wanted = t->sol ? PUMP_WRAPPED_SOL : t->quote_key;
  if( !t->second ) {
    ANCHOR_REQUIRE( t->sol, 0, PUMP_MINT_DOES_NOT_MATCH );
    return 0;
  }
  ANCHOR_REQUIRE( sbf_key_equal( t->quote_mint->key, wanted ), "quote_mint", ANCHOR_CONSTRAINT_ADDRESS );
  if( t->sol ) return 0;
  SBF_TRY( anchor_check_mint( t->quote_mint, "quote_mint" ) );
  SBF_TRY( anchor_check_token_program( t->quote_program, "quote_token_program" ) );
  sbf_account_t const * accounts[] = { t->curve_quote,   t->user_quote,   t->recipient_quote,
                                       t->creator_quote, t->volume_quote, t->buyback_quote };
  sbf_account_t const * owners[]   = { t->curve, t->user, t->recipient, t->creator, t->volume, t->buyback };
  for( uint64_t i = 0; i < sizeof( owners ) / sizeof( owners[0] ); i++ )
    ANCHOR_REQUIRE( pump_now_is_associated( t, accounts[i], owners[i]->key, t->quote_mint, t->quote_program ), 0,
                    ANCHOR_ASSOCIATED );
  return 0;
}

/* pump_now_listed says whether `key` is among `count` keys of the global account. */
SBF_FUNCTION bool pump_now_listed( pump_now_t const * t, uint64_t offset, uint64_t count, uint8_t const * key ) {
  for( uint64_t end = offset + 32 * count; offset < end && offset + 32 <= t->global->data_len; offset += 32 )
    if( sbf_key_equal( t->global->data + offset, key ) ) return true;
  return false;
}

SBF_FUNCTION uint64_t pump_now_check_recipients( pump_now_t * t ) {
  uint8_t const * key = t->recipient->key;
  bool known =
      t->mayhem ? pump_now_listed( t, GLOBAL_RESERVED, 1, key ) || pump_now_listed( t, GLOBAL_RESERVED_MORE, 7, key )
                : pump_now_listed( t, GLOBAL_FEE_RECIPIENT, 1, key ) || pump_now_listed( t, GLOBAL_RECIPIENTS, 7, key );
  ANCHOR_REQUIRE( known, 0, PUMP_NOT_AUTHORIZED );
  if( t->global->data_len < GLOBAL_BUYBACK_END ) return 0;
  t->buyback_rate = sbf_u64( t->global->data + GLOBAL_BUYBACK_RATE );
  ANCHOR_REQUIRE( t->buyback_rate <= PUMP_BASIS_POINTS, 0, PUMP_FEE_RATES );
  if( !t->buyback_rate ) return 0;
  ANCHOR_REQUIRE( t->buyback, 0, PUMP_BUYBACK_MISSING );
  ANCHOR_REQUIRE( t->buyback->is_writable && pump_now_listed( t, GLOBAL_BUYBACK, 8, t->buyback->key ), 0,
                  PUMP_BUYBACK_REFUSED );
  return 0;
}

/* ---- what the trade pays ------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t pump_now_read_rates( pump_now_t * t ) {
  pump_curve_t * c       = &t->before;
  uint8_t const * data   = t->curve->data;
  pump_fee_query_t query = { .quote_mint = t->quote_key, .pumps = true };
  uint64_t supply        = t->mayhem ? sbf_u64( data + CURVE_SUPPLY ) : PUMP_COIN_SUPPLY;
  if( c->virtual_token ) sbf_mul_div( &query.market_cap, c->virtual_quote, supply, c->virtual_token, false );
  uint8_t const * rates = pump_fee_rates( t->fee_config, &query );
  ANCHOR_REQUIRE( rates, "fee_config", ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE );
  c->protocol_rate = sbf_u64( rates + 8 );
  c->creator_rate  = sbf_u64( rates + 16 );
  if( t->global->data_len > GLOBAL_CREATOR_RATES && t->global->data[GLOBAL_CREATOR_RATES] &&
      t->curve->data_len >= CURVE_CREATOR_RATE + 8 && sbf_u64( data + CURVE_CREATOR_RATE ) )
    c->creator_rate = sbf_u64( data + CURVE_CREATOR_RATE );
  if( sbf_key_equal( t->creator_key, SYSTEM_PROGRAM ) ) c->creator_rate = 0;
  bool sane = c->protocol_rate <= PUMP_BASIS_POINTS && c->creator_rate <= PUMP_BASIS_POINTS &&
              c->protocol_rate + c->creator_rate <= PUMP_BASIS_POINTS;
  ANCHOR_REQUIRE( sane, 0, PUMP_FEE_RATES );
  return 0;
}

SBF_FUNCTION uint64_t pump_now_price( pump_now_t * t ) {
  uint64_t code;
  if( t->sale ) code = pump_curve_sell( &t->before, &t->moved, t->amount );
  else if( t->exact_quote ) code = pump_curve_spend( &t->before, &t->moved, t->amount );
  else code = pump_curve_buy( &t->before, &t->moved, t->amount );
  if( code ) {
    uint64_t count = sizeof( PUMP_MATH_ERRORS ) / sizeof( PUMP_MATH_ERRORS[0] );
    return anchor_fail( 0, anchor_find( PUMP_MATH_ERRORS, count, code ) );
  }
  if( t->sale ) ANCHOR_REQUIRE( t->moved.user_quote >= t->limit, 0, PUMP_TOO_LITTLE_SOL_RECEIVED );
  else if( t->exact_quote ) ANCHOR_REQUIRE( t->moved.tokens >= t->limit, 0, PUMP_BELOW_MINIMUM );
  else ANCHOR_REQUIRE( t->moved.user_quote <= t->limit, 0, PUMP_TOO_MUCH_SOL_REQUIRED );
  sbf_u128_t share;
  sbf_mul_div( &share, t->moved.protocol_fee, t->buyback_rate, PUMP_BASIS_POINTS, false );
  t->buyback_fee   = share.lo;
  t->virtual_token = t->before.virtual_token;
  t->virtual_quote = t->before.virtual_quote;
  t->real_token    = t->before.real_token;
  t->real_quote    = t->before.real_quote;
  if( t->sale ) {
    pump_add( &t->virtual_token, t->moved.tokens );
    pump_add( &t->real_token, t->moved.tokens );
    pump_subtract( &t->virtual_quote, t->moved.quote );
    pump_subtract( &t->real_quote, t->moved.quote );
  } else {
    pump_subtract( &t->virtual_token, t->moved.tokens );
    pump_subtract( &t->real_token, t->moved.tokens );
    pump_add( &t->virtual_quote, t->moved.quote );
    pump_add( &t->real_quote, t->moved.quote );
  }
  return 0;
}

/* ---- tokens and lamports --------------------------------------------------------------------------- */

/* Who is paid: a wallet, or its tokens. */
typedef struct pump_payee {
  sbf_account_t const *wallet, *tokens;
} pump_payee_t;

/* pump_now_pay moves quote from the user on a buy, from the curve on a sale. */
SBF_FUNCTION uint64_t pump_now_pay( pump_now_t const * t, pump_payee_t const * to, uint64_t amount,
                                    sbf_signer_t const * curve_signs ) {
  if( !amount ) return 0;
  if( t->sol ) {
    if( t->sale ) return pump_give( t->curve, to->wallet, amount );
    pump_pay( t->user, to->wallet, amount );
    return 0;
  }
  token_transfer_t quote = { t->quote_program, t->user_quote, t->quote_mint, to->tokens, t->user, 0 };
  if( t->sale ) {
    quote.from      = t->curve_quote;
    quote.authority = t->curve;
    quote.signer    = curve_signs;
  }
  token_transfer( &quote, amount );
  return 0;
}

/* pump_now_has_cashback says whether the trader gets what else the creator gets. */
SBF_FUNCTION bool pump_now_has_cashback( pump_now_t const * t ) { return t->cashback && t->volume; }

SBF_FUNCTION uint64_t pump_now_move( pump_now_t const * t ) {
  pump_moved_t const * moved = &t->moved;
  sbf_bytes_t seeds[3]       = { PUMP_SEED( "bonding-curve" ), { t->mint->key, 32 }, { &t->curve_bump, 1 } };
  sbf_signer_t signer        = { seeds, 3 };
  token_transfer_t base      = { t->base_program, t->curve_tokens, t->mint, t->user_tokens, t->curve, &signer };
  if( t->sale ) base = ( token_transfer_t ){ t->base_program, t->user_tokens, t->mint, t->curve_tokens, t->user, 0 };
  token_transfer( &base, moved->tokens );
  pump_payee_t creator   = { t->creator, t->creator_quote };
  pump_payee_t other     = { t->curve, t->curve_quote };
  pump_payee_t buyback   = { t->buyback, t->buyback_quote };
  pump_payee_t recipient = { t->recipient, t->recipient_quote };
  if( pump_now_has_cashback( t ) ) creator = ( pump_payee_t ){ t->volume, t->volume_quote };
  if( t->sale ) other = ( pump_payee_t ){ t->user, t->user_quote };
  SBF_TRY( pump_now_pay( t, &creator, moved->creator_fee, &signer ) );
  SBF_TRY( pump_now_pay( t, &other, t->sale ? moved->user_quote : moved->quote, &signer ) );
  SBF_TRY( pump_now_pay( t, &buyback, t->buyback_fee, &signer ) );
  return pump_now_pay( t, &recipient, moved->protocol_fee - t->buyback_fee, &signer );
}

SBF_FUNCTION void pump_now_write_curve( pump_now_t const * t ) {
  uint8_t * data = t->curve->data;
  sbf_put_u64( data + CURVE_VIRTUAL_TOKEN, t->virtual_token );
  sbf_put_u64( data + CURVE_VIRTUAL_SOL, t->virtual_quote );
  sbf_put_u64( data + CURVE_REAL_TOKEN, t->real_token );
  sbf_put_u64( data + CURVE_REAL_SOL, t->real_quote );
  if( !t->real_token ) data[CURVE_COMPLETE] = 1;
}

/* ---- events ------------------------------------------------------------------------------------------ */

SBF_FUNCTION uint8_t * pump_put( uint8_t * at, uint64_t value ) {
  sbf_put_u64( at, value );
  return at + 8;
}

SBF_FUNCTION uint8_t * pump_put_key( uint8_t * at, uint8_t const * key ) {
  sbf_key_copy( at, key );
  return at + 32;
}

/* pump_now_emit logs the event in t->event, which ends before `end`, and sends it to the program itself. */
SBF_FUNCTION void pump_now_emit( pump_now_t * t, uint8_t const * end ) {
  uint64_t len      = (uint64_t)( end - t->event );
  sbf_bytes_t field = { t->event + 8, len - 8 };
  sol_log_data( &field, 1 );
  anchor_event_t event = { PUMP_PROGRAM, t->event_authority, t->event, len, PUMP_EVENT_BUMP };
  anchor_event_send( &event );
}

SBF_FUNCTION void pump_now_emit_complete( pump_now_t * t ) {
  uint8_t * at = pump_put( t->event + 8, PUMP_COMPLETE_EVENT );
  at           = pump_put_key( at, t->user->key );
  at           = pump_put_key( at, t->mint->key );
  at           = pump_put_key( at, t->curve->key );
  pump_now_emit( t, pump_put( at, (uint64_t)t->clock.unix_timestamp ) );
}

SBF_FUNCTION uint8_t * pump_now_put_name( pump_now_t const * t, uint8_t * at ) {
  char const * name = t->second ? "buy_v2" : "buy";
  if( t->sale ) name = t->second ? "sell_v2" : "sell";
  else if( t->exact_quote ) name = t->second ? "buy_exact_quote_in_v2" : "buy_exact_sol_in";
  uint64_t len = anchor_append( at + 4, 0, name );
  at[0]        = (uint8_t)len;
  at[1] = at[2] = at[3] = 0;
  return at + 4 + len;
}

SBF_FUNCTION void pump_now_emit_trade( pump_now_t * t ) {
  pump_moved_t const * moved = &t->moved;
  bool cashback              = pump_now_has_cashback( t );
  uint64_t rate = t->before.creator_rate, fee = moved->creator_fee;
  uint8_t * at = pump_put( t->event + 8, PUMP_TRADE_EVENT );
  at           = pump_put_key( at, t->mint->key );
  at           = pump_put( at, t->sol ? moved->quote : 0 );
  at           = pump_put( at, moved->tokens );
  *at++        = !t->sale;
  at           = pump_put_key( at, t->user->key );
  at           = pump_put( at, (uint64_t)t->clock.unix_timestamp );
  at           = pump_put( at, t->sol ? t->virtual_quote : 0 );
  at           = pump_put( at, t->virtual_token );
  at           = pump_put( at, t->sol ? t->real_quote : 0 );
  at           = pump_put( at, t->real_token );
  at           = pump_put_key( at, t->recipient->key );
  at           = pump_put( at, t->before.protocol_rate );
  at           = pump_put( at, moved->protocol_fee );
  at           = pump_put_key( at, t->creator_key );
  at           = pump_put( at, cashback ? 0 : rate );
  at           = pump_put( at, cashback ? 0 : fee );
  *at++        = 0; /* volume is not counted */
  for( uint64_t i = 0; i < 4; i++ ) at = pump_put( at, 0 );
  at    = pump_now_put_name( t, at );
  *at++ = t->mayhem;
  at    = pump_put( at, cashback ? rate : 0 );
  at    = pump_put( at, cashback ? fee : 0 );
  at    = pump_put( at, t->buyback_rate );
  at    = pump_put( at, t->buyback_fee );
  at[0] = at[1] = at[2] = at[3] = 0; /* no shares */
  at                            = pump_put_key( at + 4, t->quote_key );
  at                            = pump_put( at, moved->quote );
  at                            = pump_put( at, t->virtual_quote );
  pump_now_emit( t, pump_put( at, t->real_quote ) );
}

/* ---- the instructions -------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t pump_now_read_kind( pump_now_t * t, uint64_t kind ) {
  switch( kind ) {
  case PUMP_BUY: SBF_LOG( "Instruction: Buy" ); break;
  case PUMP_SPEND: SBF_LOG( "Instruction: BuyExactSolIn" ); break;
  case PUMP_SELL: SBF_LOG( "Instruction: Sell" ); break;
  case PUMP_BUY_V2: SBF_LOG( "Instruction: BuyV2" ); break;
  case PUMP_SPEND_V2: SBF_LOG( "Instruction: BuyExactQuoteInV2" ); break;
  case PUMP_SELL_V2: SBF_LOG( "Instruction: SellV2" ); break;
  default:
    SBF_LOG( "only buys and sales are emulated; load the real program for others" );
    return anchor_fail( 0, &ANCHOR_FALLBACK_NOT_FOUND );
  }
  t->sale        = kind == PUMP_SELL || kind == PUMP_SELL_V2;
  t->exact_quote = kind == PUMP_SPEND || kind == PUMP_SPEND_V2;
  t->second      = kind == PUMP_BUY_V2 || kind == PUMP_SPEND_V2 || kind == PUMP_SELL_V2;
  return 0;
}

/* pump_trade_now runs the instruction of discriminator `kind`. */
SBF_FUNCTION uint64_t pump_trade_now( pump_now_t * t, uint64_t kind ) {
  sbf_instruction_t const * instruction = &t->instruction;
  SBF_LOG( "sniperforge emulation of pump.fun" );
  ANCHOR_REQUIRE( sbf_key_equal( instruction->program_id, PUMP_PROGRAM ), 0, ANCHOR_WRONG_PROGRAM );
  SBF_TRY( pump_now_read_kind( t, kind ) );
  ANCHOR_REQUIRE( instruction->data_len >= 24, 0, ANCHOR_DID_NOT_DESERIALIZE );
  t->amount = sbf_u64( instruction->data + 8 );
  t->limit  = sbf_u64( instruction->data + 16 );
  t->global = t->account;
  if( t->second ) SBF_TRY( pump_now_name_second( t ) );
  else SBF_TRY( pump_now_name_first( t ) );
  SBF_TRY( pump_now_read_accounts( t ) );
  pump_now_read_curve( t );
  SBF_TRY( pump_now_check_constraints( t ) );
  SBF_TRY( pump_now_check_quote( t ) );
  SBF_TRY( pump_now_check_recipients( t ) );
  sol_get_clock_sysvar( &t->clock );
  SBF_TRY( pump_now_read_rates( t ) );
  SBF_TRY( pump_now_price( t ) );
  SBF_TRY( pump_now_move( t ) );
  pump_now_write_curve( t );
  if( !t->sale && !t->real_token ) pump_now_emit_complete( t );
  pump_now_emit_trade( t );
  return 0;
}

#endif
