/* PumpSwap (pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA), emulated: buy, buy_exact_quote_in and sell, and
   their _v2 forms which leave the fees in the pool; with the checks of accounts, integer results, fees by
   the fee program's config, payments to protocol, creator and buyback, the event (by log and by self-call),
   and error numbers.  Its other instructions are refused.

   What it leaves out: it makes no missing token account and keeps no volume accumulators; no cashback is
   paid (the creator gets it, as when the accounts for it are not named).

   Sources: pump-fun/pump-public-docs (idl/pump_amm.json, PUMP_SWAP_README, PUMP_SWAP_TRADE_V2,
   VIRTUAL_QUOTE_RESERVES_FEE_ADJUSTMENT), captured transactions: the order of transfers, bytes of events. */

#include "sbf/pump_fee_config.h"
#include "sbf/pump_swap_layout.h"

extern uint64_t sol_try_find_program_address( sbf_bytes_t const * seeds, uint64_t seed_count,
                                              uint8_t const * program_id, uint8_t * address, uint8_t * bump );

static anchor_error_t const * const AMM_MATH_ERRORS[] = { &AMM_ZERO_BASE, &AMM_MORE_THAN_ALL, &AMM_OVERFLOW,
                                                          &AMM_BUDGET, &AMM_REAL_QUOTE };

enum { AMM_ACCOUNT_COUNT_MAX = 27, AMM_EVENT_SIZE = 560 };

/* One trade, in the heap. */
typedef struct amm_trade {
  sbf_account_t account[AMM_ACCOUNT_COUNT_MAX];
  sbf_instruction_t instruction;
  sbf_clock_t clock;
  bool sale, exact_quote, kept; /* kept: of _v2, fees stay in the pool */
  uint64_t amount, limit;
  sbf_account_t const *pool_account, *user, *global, *base_mint, *quote_mint, *user_base, *user_quote, *base_vault,
      *quote_vault, *recipient, *recipient_tokens, *base_program, *quote_program, *creator_tokens, *creator_authority,
      *fee_config, *buyback, *buyback_tokens, *event_authority; /* those of the other form are NULL */
  pump_swap_pool_t pool;
  pump_swap_trade_t trade;
  sbf_u128_t virtual_reserves;
  uint64_t buyback_rate, buyback_fee, supply;
  uint64_t user_base_before, user_quote_before;
  uint8_t address[32], bump;
  uint8_t event[AMM_EVENT_SIZE]; /* ANCHOR_EVENT_TAG, then the event */
} amm_trade_t;

/* ---- accounts ---------------------------------------------------------------------------------- */

/* amm_name_accounts finds who is who.  Both forms begin alike. */
SBF_FUNCTION uint64_t amm_name_accounts( amm_trade_t * t ) {
  sbf_account_t const * a = t->account;
  uint64_t count          = t->instruction.account_count;
  t->pool_account         = a;
  t->user                 = a + 1;
  t->global               = a + 2;
  t->base_mint            = a + 3;
  t->quote_mint           = a + 4;
  t->user_base            = a + 5;
  t->user_quote           = a + 6;
  t->base_vault           = a + 7;
  t->quote_vault          = a + 8;
  if( t->kept ) {
    ANCHOR_REQUIRE( count >= 17, 0, ANCHOR_NOT_ENOUGH_KEYS );
    t->base_program    = a + 9;
    t->quote_program   = a + 10;
    t->fee_config      = a + 13;
    t->buyback_tokens  = a + 14;
    t->event_authority = a + 15;
    return 0;
  }
  uint64_t fixed = t->sale ? 21 : 23;
  ANCHOR_REQUIRE( count >= fixed, 0, ANCHOR_NOT_ENOUGH_KEYS );
  t->recipient         = a + 9;
  t->recipient_tokens  = a + 10;
  t->base_program      = a + 11;
  t->quote_program     = a + 12;
  t->event_authority   = a + 15;
  t->creator_tokens    = a + 17;
  t->creator_authority = a + 18;
  t->fee_config        = a + fixed - 2;
  if( count >= fixed + 2 && count <= AMM_ACCOUNT_COUNT_MAX ) { /* the last two of the further ones */
    t->buyback        = a + count - 2;
    t->buyback_tokens = a + count - 1;
  }
  return 0;
}

SBF_FUNCTION uint64_t amm_read_accounts( amm_trade_t const * t ) {
  SBF_TRY( anchor_check_exists( t->pool_account, "pool" ) );
  SBF_TRY( anchor_check_owned( t->pool_account, "pool", AMM_PROGRAM, AMM_POOL ) );
  ANCHOR_REQUIRE( t->pool_account->data_len >= POOL_SIZE_MIN, "pool", ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE );
  ANCHOR_REQUIRE( t->user->is_signer, "user", ANCHOR_NOT_SIGNER );
  SBF_TRY( anchor_check_exists( t->global, "global_config" ) );
  SBF_TRY( anchor_check_owned( t->global, "global_config", AMM_PROGRAM, AMM_GLOBAL_STATE ) );
  ANCHOR_REQUIRE( t->global->data_len >= GLOBAL_SIZE_MIN, "global_config", ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE );
  SBF_TRY( anchor_check_mint( t->base_mint, "base_mint" ) );
  SBF_TRY( anchor_check_mint( t->quote_mint, "quote_mint" ) );
  SBF_TRY( anchor_check_token_account( t->user_base, "user_base_token_account" ) );
  SBF_TRY( anchor_check_token_account( t->user_quote, "user_quote_token_account" ) );
  SBF_TRY( anchor_check_token_account( t->base_vault, "pool_base_token_account" ) );
  SBF_TRY( anchor_check_token_account( t->quote_vault, "pool_quote_token_account" ) );
  SBF_TRY( anchor_check_token_program( t->base_program, "base_token_program" ) );
  SBF_TRY( anchor_check_token_program( t->quote_program, "quote_token_program" ) );
  ANCHOR_REQUIRE( sbf_key_equal( t->fee_config->owner, FEE_PROGRAM ), "fee_config", ANCHOR_WRONG_OWNER );
  ANCHOR_REQUIRE( t->fee_config->data_len >= PUMP_FEE_TIERS + 4 && sbf_u64( t->fee_config->data ) == PUMP_FEE_CONFIG,
                  "fee_config", ANCHOR_WRONG_DISCRIMINATOR );
  return 0;
}

SBF_FUNCTION uint64_t amm_check_user_account( sbf_account_t const * account, sbf_account_t const * mint,
                                              char const * name ) {
  ANCHOR_REQUIRE( account->is_writable, name, ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( sbf_key_equal( token_account_mint( account ), mint->key ), name, ANCHOR_TOKEN_MINT );
  return 0;
}

/* amm_find derives an address into t->address. */
SBF_FUNCTION void amm_find( amm_trade_t * t, sbf_bytes_t const * seeds, uint64_t count, uint8_t const * program_id ) {
  sol_try_find_program_address( seeds, count, program_id, t->address, &t->bump );
}

/* amm_check_associated checks a token account of `owner` for the quote token. */
SBF_FUNCTION uint64_t amm_check_associated( amm_trade_t * t, sbf_account_t const * account, uint8_t const * owner,
                                            char const * name ) {
  sbf_bytes_t seeds[3] = { { owner, 32 }, { t->quote_program->key, 32 }, { t->quote_mint->key, 32 } };
  ANCHOR_REQUIRE( account->is_writable, name, ANCHOR_CONSTRAINT_MUT );
  amm_find( t, seeds, 3, ASSOCIATED_TOKEN_PROGRAM );
  ANCHOR_REQUIRE( sbf_key_equal( account->key, t->address ), name, ANCHOR_ASSOCIATED );
  return 0;
}

SBF_FUNCTION uint64_t amm_check_constraints( amm_trade_t * t ) {
  uint8_t const * pool = t->pool_account->data;
  ANCHOR_REQUIRE( t->pool_account->is_writable, "pool", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( sbf_key_equal( t->base_mint->key, pool + POOL_BASE_MINT ), "pool", ANCHOR_HAS_ONE );
  ANCHOR_REQUIRE( sbf_key_equal( t->quote_mint->key, pool + POOL_QUOTE_MINT ), "pool", ANCHOR_HAS_ONE );
  ANCHOR_REQUIRE( sbf_key_equal( t->base_vault->key, pool + POOL_BASE_VAULT ), "pool", ANCHOR_HAS_ONE );
  ANCHOR_REQUIRE( sbf_key_equal( t->quote_vault->key, pool + POOL_QUOTE_VAULT ), "pool", ANCHOR_HAS_ONE );
  ANCHOR_REQUIRE( sbf_key_equal( t->global->key, AMM_GLOBAL ), "global_config", ANCHOR_CONSTRAINT_SEEDS );
  SBF_TRY( amm_check_user_account( t->user_base, t->base_mint, "user_base_token_account" ) );
  SBF_TRY( amm_check_user_account( t->user_quote, t->quote_mint, "user_quote_token_account" ) );
  ANCHOR_REQUIRE( t->base_vault->is_writable, "pool_base_token_account", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( t->quote_vault->is_writable, "pool_quote_token_account", ANCHOR_CONSTRAINT_MUT );
  if( !t->kept )
    SBF_TRY(
        amm_check_associated( t, t->recipient_tokens, t->recipient->key, "protocol_fee_recipient_token_account" ) );
  ANCHOR_REQUIRE( sbf_key_equal( t->event_authority->key, AMM_EVENT_AUTHORITY ), "event_authority",
                  ANCHOR_CONSTRAINT_SEEDS );
  ANCHOR_REQUIRE( sbf_key_equal( t->fee_config->key, AMM_FEE_CONFIG ), "fee_config", ANCHOR_CONSTRAINT_SEEDS );
  if( t->kept ) return 0;
  sbf_bytes_t vault[2] = { { (uint8_t const *)"creator_vault", 13 }, { pool + POOL_COIN_CREATOR, 32 } };
  SBF_TRY( amm_check_associated( t, t->creator_tokens, t->creator_authority->key, "coin_creator_vault_ata" ) );
  amm_find( t, vault, 2, AMM_PROGRAM );
  ANCHOR_REQUIRE( sbf_key_equal( t->creator_authority->key, t->address ), "coin_creator_vault_authority",
                  ANCHOR_CONSTRAINT_SEEDS );
  return 0;
}

/* amm_listed says whether `key` is among `count` keys of the global config. */
SBF_FUNCTION bool amm_listed( amm_trade_t const * t, uint64_t offset, uint64_t count, uint8_t const * key ) {
  for( uint64_t end = offset + 32 * count; offset < end && offset + 32 <= t->global->data_len; offset += 32 )
    if( sbf_key_equal( t->global->data + offset, key ) ) return true;
  return false;
}

SBF_FUNCTION bool amm_pool_flag( amm_trade_t const * t, uint64_t offset ) {
  return offset < t->pool_account->data_len && t->pool_account->data[offset];
}

SBF_FUNCTION uint64_t amm_check_recipients( amm_trade_t * t ) {
  if( !t->kept ) {
    bool known = amm_pool_flag( t, POOL_MAYHEM ) ? amm_listed( t, GLOBAL_RESERVED, 1, t->recipient->key ) ||
                                                       amm_listed( t, GLOBAL_RESERVED_MORE, 7, t->recipient->key )
                                                 : amm_listed( t, GLOBAL_RECIPIENTS, 8, t->recipient->key );
    ANCHOR_REQUIRE( known, 0, AMM_RECIPIENT );
  }
  if( t->global->data_len < GLOBAL_BUYBACK_END ) return 0;
  t->buyback_rate = sbf_u64( t->global->data + GLOBAL_BUYBACK_RATE );
  ANCHOR_REQUIRE( t->buyback_rate <= AMM_RATES_MAX, 0, AMM_FEE_RATES );
  if( t->kept ) { /* names the token account alone: its owner must be one of the eight */
    SBF_TRY( anchor_check_token_account( t->buyback_tokens, "buyback_fee_recipient" ) );
    ANCHOR_REQUIRE( amm_listed( t, GLOBAL_BUYBACK, 8, t->buyback_tokens->data + 32 ), 0, AMM_BUYBACK_REFUSED );
    return amm_check_associated( t, t->buyback_tokens, t->buyback_tokens->data + 32, "buyback_fee_recipient" );
  }
  if( !t->buyback_rate ) return 0;
  ANCHOR_REQUIRE( t->buyback, 0, AMM_BUYBACK_MISSING );
  ANCHOR_REQUIRE( amm_listed( t, GLOBAL_BUYBACK, 8, t->buyback->key ), 0, AMM_BUYBACK_REFUSED );
  return amm_check_associated( t, t->buyback_tokens, t->buyback->key, "buyback_fee_recipient_token_account" );
}

/* ---- what the trade pays ------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t amm_refuse( uint64_t code ) {
  anchor_error_t const * error =
      anchor_find( AMM_MATH_ERRORS, sizeof( AMM_MATH_ERRORS ) / sizeof( AMM_MATH_ERRORS[0] ), code );
  return anchor_fail( 0, error );
}

SBF_FUNCTION uint64_t amm_read_reserves( amm_trade_t * t ) {
  uint8_t const * data = t->pool_account->data;
  pump_swap_pool_t * p = &t->pool;
  p->base              = token_account_amount( t->base_vault );
  p->vault             = token_account_amount( t->quote_vault );
  if( t->pool_account->data_len >= POOL_VIRTUAL + 16 )
    t->virtual_reserves = ( sbf_u128_t ){ sbf_u64( data + POOL_VIRTUAL ), sbf_u64( data + POOL_VIRTUAL + 8 ) };
  if( t->pool_account->data_len >= POOL_SIZE )
    p->kept = sbf_u64( data + POOL_PROTOCOL_FEES ) + sbf_u64( data + POOL_CREATOR_FEES );
  SBF_REQUIRE( p->kept <= p->vault, "attempt to subtract with overflow" );
  uint64_t code = pump_swap_effective( &p->quote, p->vault, &t->virtual_reserves );
  return code ? amm_refuse( code ) : 0;
}

SBF_FUNCTION uint64_t amm_read_rates( amm_trade_t * t ) {
  static uint8_t const seed[] = "pool-authority";
  uint8_t const * data        = t->pool_account->data;
  pump_swap_pool_t * p        = &t->pool;
  t->supply                   = sbf_u64( t->base_mint->data + MINT_SUPPLY );
  sbf_bytes_t seeds[2]        = { { seed, sizeof( seed ) - 1 }, { t->base_mint->key, 32 } };
  amm_find( t, seeds, 2, CURVE_PROGRAM );
  pump_fee_query_t query = { .quote_mint = t->quote_mint->key,
                             .pumps      = sbf_key_equal( t->address, data + POOL_CREATOR ) };
  uint64_t supply        = amm_pool_flag( t, POOL_MAYHEM ) ? AMM_COIN_SUPPLY : t->supply;
  if( p->base ) sbf_mul_div( &query.market_cap, p->quote, supply, p->base, false );
  uint8_t const * rates = pump_fee_rates( t->fee_config, &query );
  ANCHOR_REQUIRE( rates, 0, AMM_NO_TIERS );
  p->lp_rate       = sbf_u64( rates );
  p->protocol_rate = sbf_u64( rates + 8 );
  p->creator_rate  = sbf_u64( rates + 16 );
  if( t->global->data_len > GLOBAL_CREATOR_RATES && t->global->data[GLOBAL_CREATOR_RATES] &&
      t->pool_account->data_len >= POOL_CREATOR_RATE + 8 && sbf_u64( data + POOL_CREATOR_RATE ) )
    p->creator_rate = sbf_u64( data + POOL_CREATOR_RATE );
  if( sbf_key_equal( data + POOL_COIN_CREATOR, NOBODY ) ) p->creator_rate = 0;
  bool sane = p->lp_rate <= AMM_RATES_MAX && p->protocol_rate <= AMM_RATES_MAX && p->creator_rate <= AMM_RATES_MAX &&
              p->lp_rate + p->protocol_rate + p->creator_rate <= AMM_RATES_MAX;
  ANCHOR_REQUIRE( sane, 0, AMM_FEE_RATES );
  return 0;
}

SBF_FUNCTION uint64_t amm_price( amm_trade_t * t ) {
  uint64_t code;
  if( t->sale ) code = pump_swap_sell( &t->pool, &t->trade, t->amount );
  else if( t->exact_quote ) code = pump_swap_spend( &t->pool, &t->trade, t->amount );
  else code = pump_swap_buy( &t->pool, &t->trade, t->amount );
  if( code ) return amm_refuse( code );
  if( t->sale ) ANCHOR_REQUIRE( t->trade.user_quote >= t->limit, 0, AMM_SLIPPAGE );
  else if( t->exact_quote ) ANCHOR_REQUIRE( t->trade.base >= t->limit, 0, AMM_BELOW_MINIMUM );
  else ANCHOR_REQUIRE( t->trade.user_quote <= t->limit, 0, AMM_SLIPPAGE );
  sbf_u128_t share;
  sbf_mul_div( &share, t->trade.protocol_fee, t->buyback_rate, PUMP_SWAP_BASIS_POINTS, false );
  t->buyback_fee = share.lo;
  return 0;
}

/* ---- tokens --------------------------------------------------------------------------------------- */

/* amm_pay moves quote out of the user's account on a buy, out of the vault on a sale. */
SBF_FUNCTION void amm_pay( amm_trade_t const * t, sbf_account_t const * to, uint64_t amount,
                           sbf_signer_t const * pool_signs ) {
  token_transfer_t quote = { t->quote_program, t->user_quote, t->quote_mint, to, t->user, 0 };
  if( t->sale ) {
    quote.from      = t->quote_vault;
    quote.authority = t->pool_account;
    quote.signer    = pool_signs;
  }
  token_transfer( &quote, amount );
}

SBF_FUNCTION void amm_pay_fees( amm_trade_t const * t, sbf_signer_t const * pool_signs ) {
  pump_swap_trade_t const * trade = &t->trade;
  if( !t->kept ) {
    amm_pay( t, t->recipient_tokens, trade->protocol_fee - t->buyback_fee, pool_signs );
    amm_pay( t, t->creator_tokens, trade->creator_fee, pool_signs );
  }
  if( t->buyback_fee ) amm_pay( t, t->buyback_tokens, t->buyback_fee, pool_signs );
}

SBF_FUNCTION void amm_move_tokens( amm_trade_t const * t ) {
  uint8_t const * pool            = t->pool_account->data;
  pump_swap_trade_t const * trade = &t->trade;
  sbf_bytes_t seeds[6]            = {
               { (uint8_t const *)"pool", 4 }, { pool + POOL_INDEX, 2 },       { pool + POOL_CREATOR, 32 },
               { pool + POOL_BASE_MINT, 32 },  { pool + POOL_QUOTE_MINT, 32 }, { pool + POOL_BUMP, 1 },
  };
  sbf_signer_t signer   = { seeds, 6 };
  token_transfer_t base = { t->base_program, t->base_vault, t->base_mint, t->user_base, t->pool_account, &signer };
  if( t->sale ) base = ( token_transfer_t ){ t->base_program, t->user_base, t->base_mint, t->base_vault, t->user, 0 };
  token_transfer( &base, trade->base );
  uint64_t leaves = trade->protocol_fee + trade->creator_fee;
  if( t->kept ) leaves = t->buyback_fee;
  if( t->sale ) amm_pay( t, t->user_quote, trade->user_quote, &signer );
  else amm_pay( t, t->quote_vault, trade->user_quote - leaves, 0 );
  amm_pay_fees( t, &signer );
}

/* amm_keep_fees enters what stays in the vault without being liquidity. */
SBF_FUNCTION void amm_keep_fees( amm_trade_t * t ) {
  uint8_t * pool    = t->pool_account->data;
  uint64_t protocol = t->trade.protocol_fee - t->buyback_fee, creator = t->trade.creator_fee;
  sbf_put_u64( pool + POOL_PROTOCOL_FEES, sbf_u64( pool + POOL_PROTOCOL_FEES ) + protocol );
  sbf_put_u64( pool + POOL_CREATOR_FEES, sbf_u64( pool + POOL_CREATOR_FEES ) + creator );
  t->virtual_reserves = sbf_u128_sub( t->virtual_reserves, sbf_u128( protocol ) );
  t->virtual_reserves = sbf_u128_sub( t->virtual_reserves, sbf_u128( creator ) );
  sbf_put_u64( pool + POOL_VIRTUAL, t->virtual_reserves.lo );
  sbf_put_u64( pool + POOL_VIRTUAL + 8, t->virtual_reserves.hi );
}

/* ---- the event -------------------------------------------------------------------------------------- */

SBF_FUNCTION uint8_t * amm_put( uint8_t * at, uint64_t value ) {
  sbf_put_u64( at, value );
  return at + 8;
}

SBF_FUNCTION uint8_t * amm_put_key( uint8_t * at, uint8_t const * key ) {
  sbf_key_copy( at, key );
  return at + 32;
}

/* amm_put_name writes whether volume counts, five numbers of volume, the least base and the instruction. */
SBF_FUNCTION uint8_t * amm_put_name( amm_trade_t const * t, uint8_t * at ) {
  char const * name =
      t->exact_quote ? t->kept ? "buy_exact_quote_in_v2" : "buy_exact_quote_in" : ( t->kept ? "buy_v2" : "buy" );
  at += 1 + 4 * 8;
  at           = amm_put( at, t->exact_quote ? t->limit : t->trade.base );
  uint64_t len = anchor_append( at + 4, 0, name );
  *at          = (uint8_t)len;
  return at + 4 + len;
}

SBF_FUNCTION void amm_emit( amm_trade_t * t ) {
  pump_swap_pool_t const * p      = &t->pool;
  pump_swap_trade_t const * trade = &t->trade;
  uint64_t with_lp                = t->sale ? trade->quote - trade->lp_fee : trade->quote + trade->lp_fee;
  uint8_t * at                    = amm_put( t->event + 8, t->sale ? AMM_SELL_EVENT : AMM_BUY_EVENT );
  at                              = amm_put( at, (uint64_t)t->clock.unix_timestamp );
  at                              = amm_put( at, trade->base );
  at                              = amm_put( at, t->exact_quote ? t->amount : t->limit );
  at                              = amm_put( at, t->user_base_before );
  at                              = amm_put( at, t->user_quote_before );
  at                              = amm_put( at, p->base );
  at                              = amm_put( at, p->vault );
  at                              = amm_put( at, t->exact_quote ? t->amount : trade->quote );
  at                              = amm_put( at, p->lp_rate );
  at                              = amm_put( at, trade->lp_fee );
  at                              = amm_put( at, p->protocol_rate );
  at                              = amm_put( at, trade->protocol_fee );
  at                              = amm_put( at, with_lp );
  at                              = amm_put( at, t->exact_quote ? trade->quote : trade->user_quote );
  at                              = amm_put_key( at, t->pool_account->key );
  at                              = amm_put_key( at, t->user->key );
  at                              = amm_put_key( at, t->user_base->key );
  at                              = amm_put_key( at, t->user_quote->key );
  at                              = amm_put_key( at, t->kept ? NOBODY : t->recipient->key );
  at                              = amm_put_key( at, t->kept ? NOBODY : t->recipient_tokens->key );
  at                              = amm_put_key( at, t->pool_account->data + POOL_COIN_CREATOR );
  at                              = amm_put( at, p->creator_rate );
  at                              = amm_put( at, trade->creator_fee );
  if( !t->sale ) at = amm_put_name( t, at );
  at += 16; /* no cashback */
  at               = amm_put( at, t->buyback_rate );
  at               = amm_put( at, t->buyback_fee );
  at               = amm_put( at, t->virtual_reserves.lo );
  at               = amm_put( at, t->virtual_reserves.hi );
  uint64_t waiting = 0;
  sbf_u128_t boost = t->virtual_reserves;
  if( t->pool_account->data_len >= POOL_SIZE ) {
    waiting = sbf_u64( t->pool_account->data + POOL_CREATOR_FEES );
    boost   = sbf_u128_add( boost, sbf_u128( waiting ) );
    boost   = sbf_u128_add( boost, sbf_u128( sbf_u64( t->pool_account->data + POOL_PROTOCOL_FEES ) ) );
  }
  *at++          = boost.lo || boost.hi;
  at             = amm_put( at, t->supply );
  at             = amm_put( at + 16, waiting ); /* nothing to holders */
  uint64_t len   = (uint64_t)( at - t->event );
  sbf_bytes_t it = { t->event + 8, len - 8 };
  sol_log_data( &it, 1 );
  anchor_event_t event = { AMM_PROGRAM, t->event_authority, t->event, len, AMM_EVENT_BUMP };
  anchor_event_send( &event );
}

/* ---- the instructions -------------------------------------------------------------------------------- */

/* amm_read_kind finds which instruction it is. */
SBF_FUNCTION uint64_t amm_read_kind( amm_trade_t * t, uint64_t kind ) {
  switch( kind ) {
  case AMM_BUY: SBF_LOG( "Instruction: Buy" ); break;
  case AMM_SPEND: SBF_LOG( "Instruction: BuyExactQuoteIn" ); break;
  case AMM_SELL: SBF_LOG( "Instruction: Sell" ); break;
  case AMM_BUY_V2: SBF_LOG( "Instruction: BuyV2" ); break;
  case AMM_SPEND_V2: SBF_LOG( "Instruction: BuyExactQuoteInV2" ); break;
  case AMM_SELL_V2: SBF_LOG( "Instruction: SellV2" ); break;
  default:
    SBF_LOG( "only buys and sales are emulated; load the real program for others" );
    return anchor_fail( 0, &ANCHOR_FALLBACK_NOT_FOUND );
  }
  t->sale        = kind == AMM_SELL || kind == AMM_SELL_V2;
  t->exact_quote = kind == AMM_SPEND || kind == AMM_SPEND_V2;
  t->kept        = kind == AMM_BUY_V2 || kind == AMM_SPEND_V2 || kind == AMM_SELL_V2;
  return 0;
}

uint64_t entrypoint( uint8_t * input ) {
  amm_trade_t * t = SBF_HEAP;
  sbf_parse( input, t->account, AMM_ACCOUNT_COUNT_MAX, &t->instruction );
  sbf_instruction_t const * instruction = &t->instruction;
  uint64_t kind                         = instruction->data_len >= 8 ? sbf_u64( instruction->data ) : 0;
  if( kind == ANCHOR_EVENT_TAG ) return anchor_event_receive( instruction, t->account, AMM_EVENT_AUTHORITY );

  SBF_LOG( "sniperforge emulation of PumpSwap" );
  ANCHOR_REQUIRE( sbf_key_equal( instruction->program_id, AMM_PROGRAM ), 0, ANCHOR_WRONG_PROGRAM );
  SBF_TRY( amm_read_kind( t, kind ) );
  ANCHOR_REQUIRE( instruction->data_len >= 24, 0, ANCHOR_DID_NOT_DESERIALIZE );
  t->amount = sbf_u64( instruction->data + 8 );
  t->limit  = sbf_u64( instruction->data + 16 );
  SBF_TRY( amm_name_accounts( t ) );
  SBF_TRY( amm_read_accounts( t ) );
  SBF_TRY( amm_check_constraints( t ) );
  sol_get_clock_sysvar( &t->clock );

  uint8_t disabled = t->global->data[GLOBAL_DISABLED];
  if( t->sale ) ANCHOR_REQUIRE( !( disabled & AMM_DISABLED_SELL ), 0, AMM_NO_SALES );
  else ANCHOR_REQUIRE( !( disabled & AMM_DISABLED_BUY ), 0, AMM_NO_BUYS );
  if( t->kept ) {
    ANCHOR_REQUIRE( !amm_pool_flag( t, POOL_CASHBACK ), 0, AMM_CASHBACK );
    SBF_REQUIRE( t->pool_account->data_len >= POOL_SIZE, "an older pool's account is not extended here" );
  }
  SBF_TRY( amm_check_recipients( t ) );
  SBF_TRY( amm_read_reserves( t ) );
  SBF_TRY( amm_read_rates( t ) );
  SBF_TRY( amm_price( t ) );
  t->user_base_before  = token_account_amount( t->user_base );
  t->user_quote_before = token_account_amount( t->user_quote );
  amm_move_tokens( t );
  if( t->kept ) amm_keep_fees( t );
  amm_emit( t );
  return 0;
}
