/* Meteora DAMM v2 (cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG, "cp-amm"), emulated: swap and swap2 with its
   three modes, with the program's checks of accounts in their order, its integer results, fees, volatility
   and counters, the event EvtSwap2 by self-call, and error numbers.  Its other instructions are refused.

   What it leaves out: a whitelisted vault that may buy before the activation, and, where the limiter allows
   one swap a transaction, siblings inside another program's call.

   Source: MeteoraAg/damm-v2, program version 0.2: instructions/swap/{ix_swap,ix_p_swap}.rs, event.rs. */

#include "sbf/anchor_event.h"
#include "sbf/meteora_damm_v2_math.h"

extern uint64_t sol_get_stack_height( void );

static uint8_t const DAMM_PROGRAM[32] = { 0x09, 0x2d, 0x21, 0x35, 0x65, 0x7a, 0x15, 0x9c, 0x2b, 0x87, 0xd4,
                                          0xb6, 0x6a, 0x70, 0xdb, 0x8e, 0x97, 0x52, 0x38, 0x9f, 0xf7, 0x6a,
                                          0xaf, 0x20, 0x6c, 0xed, 0x06, 0x3a, 0x38, 0xf9, 0x5a, 0xed };

/* HLnpSz9h2S4hiLQ43rnSD9XkcUThA7B8hQMKmDaiTLcC, from DAMM_AUTHORITY_SEED with bump 254: owner of every vault */
static uint8_t const DAMM_AUTHORITY[32] = { 0xf2, 0xcc, 0xd5, 0x35, 0xac, 0xa5, 0xf1, 0x73, 0x6a, 0xc8, 0x22,
                                            0xdd, 0x07, 0x73, 0xe4, 0xd9, 0x2f, 0xbd, 0x8a, 0x59, 0xb2, 0x94,
                                            0x03, 0x50, 0x02, 0x95, 0xa9, 0x01, 0x1c, 0x73, 0xa9, 0xe5 };

static uint8_t const DAMM_AUTHORITY_SEED[] = "pool_authority";
static uint8_t const DAMM_AUTHORITY_BUMP[] = { 254 };

/* 3rmHSu74h1ZcmAisVcWerTCiRDQbUrBKmcwptYGjHfet, from "__event_authority" with bump 255 */
static uint8_t const DAMM_EVENT_AUTHORITY[32] = { 0x2a, 0x76, 0xe7, 0xb3, 0x44, 0x64, 0x0a, 0x1c, 0xfc, 0x59, 0x4c,
                                                  0x8b, 0xca, 0xd0, 0xa0, 0x91, 0x01, 0x1c, 0xac, 0x7d, 0xd1, 0x56,
                                                  0xbf, 0x83, 0xa8, 0x33, 0xfb, 0x22, 0x08, 0xeb, 0x77, 0xad };
#define DAMM_EVENT_BUMP 255

/* Sysvar1nstructions1111111111111111111111111 */
static uint8_t const INSTRUCTIONS_SYSVAR[32] = { 0x06, 0xa7, 0xd5, 0x17, 0x18, 0x7b, 0xd1, 0x66, 0x35, 0xda, 0xd4,
                                                 0x04, 0x55, 0xfd, 0xc2, 0xc0, 0xc1, 0x24, 0xc6, 0x8f, 0x21, 0x56,
                                                 0x75, 0xa5, 0xdb, 0xba, 0xcb, 0x5f, 0x08, 0x00, 0x00, 0x00 };

/* First eight bytes of sha256 of "global:...", "account:...", "event:...", as little-endian words. */
#define DAMM_SWAP       0xc88775e1919ec6f8UL
#define DAMM_SWAP2      0x885b5beb4c3f4b41UL
#define DAMM_POOL       0xbc6db111046d9af1UL
#define DAMM_SWAP_EVENT 0x99755026a83342bdUL

#define DAMM_EVENT_SIZE 196

#define SBF_ERR_UNSUPPORTED_SYSVAR ( 16UL << 32 )

ANCHOR_ERROR( DAMM_ERROR_OVERFLOW, DAMM_OVERFLOW, "MathOverflow", "Math operation overflow" );
ANCHOR_ERROR( DAMM_ERROR_SLIPPAGE, DAMM_SLIPPAGE, "ExceededSlippage", "Exceeded slippage tolerance" );
ANCHOR_ERROR( DAMM_ERROR_DISABLED, DAMM_DISABLED, "PoolDisabled", "Pool disabled" );
ANCHOR_ERROR( DAMM_ERROR_ZERO, DAMM_ZERO, "AmountIsZero", "Amount is zero" );
ANCHOR_ERROR( DAMM_ERROR_CAST, DAMM_CAST, "TypeCastFailed", "Type cast error" );
ANCHOR_ERROR( DAMM_ERROR_RANGE, DAMM_RANGE, "PriceRangeViolation", "Trade is over price range" );
ANCHOR_ERROR( DAMM_ERROR_COLLECT_MODE, DAMM_COLLECT_MODE, "InvalidCollectFeeMode", "Invalid collect fee mode" );
ANCHOR_ERROR( DAMM_ERROR_BASE_FEE_MODE, DAMM_BASE_FEE_MODE, "InvalidBaseFeeMode", "Invalid base fee mode" );
ANCHOR_ERROR( DAMM_ERROR_NOT_SINGLE_SWAP, DAMM_NOT_SINGLE_SWAP, "FailToValidateSingleSwapInstruction",
              "Fail to validate single swap instruction in rate limiter" );
ANCHOR_ERROR( DAMM_ERROR_UNDETERMINED, DAMM_UNDETERMINED, "UndeterminedError", "Undetermined error" );

static anchor_error_t const * const DAMM_ERRORS[] = {
  &DAMM_ERROR_OVERFLOW,     &DAMM_ERROR_SLIPPAGE,      &DAMM_ERROR_DISABLED,
  &DAMM_ERROR_ZERO,         &DAMM_ERROR_CAST,          &DAMM_ERROR_RANGE,
  &DAMM_ERROR_COLLECT_MODE, &DAMM_ERROR_BASE_FEE_MODE, &DAMM_ERROR_NOT_SINGLE_SWAP,
  &DAMM_ERROR_UNDETERMINED,
};

/* The accounts of a swap, in the order of the instruction; the sysvar only where the limiter asks for it. */
typedef struct damm_accounts {
  sbf_account_t authority, pool, input, output, vault[2], mint[2], payer, program[2], referral, event_authority, self,
      sysvar;
} damm_accounts_t;

#define DAMM_ACCOUNT_COUNT     14
#define DAMM_ACCOUNT_COUNT_MAX 15

/* One swap, in the heap. */
typedef struct damm_call {
  damm_accounts_t accounts;
  sbf_instruction_t instruction;
  sbf_clock_t clock;
  damm_swap_t swap;
  uint64_t threshold;
  uint8_t event[DAMM_EVENT_SIZE + 4];
} damm_call_t;

SBF_FUNCTION uint64_t damm_refuse( uint64_t code ) {
  anchor_error_t const * error = anchor_find( DAMM_ERRORS, sizeof( DAMM_ERRORS ) / sizeof( DAMM_ERRORS[0] ), code );
  return error ? anchor_fail( 0, error ) : code;
}

/* ---- accounts ---------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t damm_check_token_account( sbf_account_t const * account ) {
  ANCHOR_REQUIRE( account->is_writable, 0, ANCHOR_NOT_MUTABLE );
  return anchor_check_token_account( account, 0 );
}

SBF_FUNCTION uint64_t damm_check_vault( damm_accounts_t const * a, uint64_t side ) {
  SBF_TRY( damm_check_token_account( &a->vault[side] ) );
  ANCHOR_REQUIRE( sbf_key_equal( a->vault[side].owner, a->program[side].key ), 0, ANCHOR_TOKEN_PROGRAM );
  return 0;
}

SBF_FUNCTION uint64_t damm_check_mint( damm_accounts_t const * a, uint64_t side ) {
  ANCHOR_REQUIRE( sbf_key_equal( a->mint[side].key, token_account_mint( &a->vault[side] ) ), 0, ANCHOR_TOKEN_MINT );
  ANCHOR_REQUIRE( token_is_program( a->mint[side].owner ), 0, ANCHOR_WRONG_OWNER );
  return 0;
}

SBF_FUNCTION uint64_t damm_check_pool( damm_accounts_t const * a ) {
  ANCHOR_REQUIRE( a->pool.is_writable, 0, ANCHOR_NOT_MUTABLE );
  SBF_TRY( anchor_check_owned( &a->pool, 0, DAMM_PROGRAM, DAMM_POOL ) );
  SBF_REQUIRE( a->pool.data_len >= DAMM_POOL_SIZE, "the pool is too short" );
  for( uint64_t side = 0; side < 2; side++ )
    ANCHOR_REQUIRE( sbf_key_equal( a->pool.data + DAMM_VAULTS + 32 * side, a->vault[side].key ), 0, ANCHOR_HAS_ONE );
  return 0;
}

SBF_FUNCTION uint64_t damm_check_accounts( damm_accounts_t const * a ) {
  ANCHOR_REQUIRE( sbf_key_equal( a->authority.key, DAMM_AUTHORITY ), 0, ANCHOR_CONSTRAINT_ADDRESS );
  SBF_TRY( damm_check_pool( a ) );
  SBF_TRY( damm_check_token_account( &a->input ) );
  SBF_TRY( damm_check_token_account( &a->output ) );
  SBF_TRY( damm_check_vault( a, 0 ) );
  SBF_TRY( damm_check_vault( a, 1 ) );
  SBF_TRY( damm_check_mint( a, 0 ) );
  SBF_TRY( damm_check_mint( a, 1 ) );
  ANCHOR_REQUIRE( a->payer.is_signer, 0, ANCHOR_NOT_SIGNER );
  ANCHOR_REQUIRE( token_is_program( a->program[0].key ), 0, ANCHOR_INVALID_PROGRAM_ID );
  ANCHOR_REQUIRE( token_is_program( a->program[1].key ), 0, ANCHOR_INVALID_PROGRAM_ID );
  ANCHOR_REQUIRE( sbf_key_equal( a->event_authority.key, DAMM_EVENT_AUTHORITY ), 0, ANCHOR_CONSTRAINT_SEEDS );
  if( sbf_key_equal( a->referral.key, DAMM_PROGRAM ) ) return 0;
  ANCHOR_REQUIRE( a->referral.is_writable, 0, ANCHOR_NOT_MUTABLE );
  ANCHOR_REQUIRE( token_is_program( a->referral.owner ), 0, ANCHOR_WRONG_OWNER );
  return 0;
}

/* ---- one swap a transaction, while the limiter is in force ----------------------------------------------

   The sysvar: u16 count, u16 offset of each instruction; an instruction: u16 account count, accounts of a byte
   of flags and a key, program, u16 length, data; at the end the u16 index of the present one. */

SBF_FUNCTION bool damm_names_pool( uint8_t const * instruction, uint8_t const * pool ) {
  uint64_t count          = sbf_u16( instruction );
  uint8_t const *accounts = instruction + 2, *program = accounts + 33 * count;
  if( !sbf_key_equal( program, DAMM_PROGRAM ) ) {
    for( uint64_t i = 0; i < count; i++ )
      if( sbf_key_equal( accounts + 33 * i + 1, pool ) ) return true;
    return false;
  }
  uint64_t kind = sbf_u16( program + 32 ) >= 8 ? sbf_u64( program + 34 ) : 0;
  return ( kind == DAMM_SWAP || kind == DAMM_SWAP2 ) && count > 1 && sbf_key_equal( accounts + 34, pool );
}

SBF_FUNCTION uint64_t damm_check_single( damm_call_t const * c ) {
  sbf_account_t const * sysvar = &c->accounts.sysvar;
  DAMM_REQUIRE( c->instruction.account_count > DAMM_ACCOUNT_COUNT, DAMM_NOT_SINGLE_SWAP );
  DAMM_REQUIRE( sbf_key_equal( sysvar->key, INSTRUCTIONS_SYSVAR ), SBF_ERR_UNSUPPORTED_SYSVAR );
  DAMM_REQUIRE( sol_get_stack_height() <= 2, DAMM_NOT_SINGLE_SWAP );
  uint64_t present = sbf_u16( sysvar->data + sysvar->data_len - 2 );
  for( uint64_t i = 0; i < present; i++ ) {
    uint8_t const * instruction = sysvar->data + sbf_u16( sysvar->data + 2 + 2 * i );
    DAMM_REQUIRE( !damm_names_pool( instruction, c->accounts.pool.key ), DAMM_NOT_SINGLE_SWAP );
  }
  return 0;
}

/* ---- what the swap leaves behind -------------------------------------------------------------------- */

SBF_FUNCTION void damm_pay_out( damm_call_t const * c, uint64_t side, sbf_account_t const * to, uint64_t amount ) {
  damm_accounts_t const * a = &c->accounts;
  sbf_bytes_t seeds[2] = { { DAMM_AUTHORITY_SEED, sizeof( DAMM_AUTHORITY_SEED ) - 1 }, { DAMM_AUTHORITY_BUMP, 1 } };
  sbf_signer_t signer  = { seeds, 2 };
  token_transfer_t out = { &a->program[side], &a->vault[side], &a->mint[side], to, &a->authority, &signer };
  token_transfer( &out, amount );
}

SBF_FUNCTION void damm_move_tokens( damm_call_t const * c ) {
  damm_accounts_t const * a = &c->accounts;
  uint64_t side             = !c->swap.a_to_b;
  token_transfer_t in       = { &a->program[side], &a->input, &a->mint[side], &a->vault[side], &a->payer, 0 };
  token_transfer( &in, c->swap.sent );
  damm_pay_out( c, !side, &a->output, c->swap.output );
  if( c->swap.referral ) damm_pay_out( c, !c->swap.fee_on_a, &a->referral, c->swap.referral_fee );
}

SBF_FUNCTION uint8_t * damm_put( uint8_t * at, uint64_t value ) {
  sbf_put_u64( at, value );
  return at + 8;
}

SBF_FUNCTION void damm_emit( damm_call_t * c ) {
  damm_swap_t const * s = &c->swap;
  uint8_t * at          = damm_put( c->event + 8, DAMM_SWAP_EVENT );
  bool compounding      = s->pool[DAMM_COLLECT] == DAMM_COLLECT_COMPOUNDING;
  sbf_key_copy( at, c->accounts.pool.key );
  at[32] = !s->a_to_b;
  at[33] = s->pool[DAMM_COLLECT];
  at[34] = s->referral;
  at     = damm_put( at + 35, s->amount );
  at     = damm_put( at, c->threshold );
  *at++  = (uint8_t)s->mode;
  at     = damm_put( at, s->paid );
  at     = damm_put( at, s->given );
  at     = damm_put( at, s->left );
  at     = damm_put( at, s->output );
  at     = damm_put( at, compounding ? 0 : s->next.lo );
  at     = damm_put( at, compounding ? 0 : s->next.hi );
  at     = damm_put( at, s->claiming_fee );
  at     = damm_put( at, s->protocol_fee );
  at     = damm_put( at, s->compounding_fee );
  at     = damm_put( at, s->referral_fee );
  at     = damm_put( at, s->sent );
  at     = damm_put( at, s->output );
  at     = damm_put( at, s->received );
  at     = damm_put( at, s->now );
  at     = damm_put( at, s->reserve[0] );
  damm_put( at, s->reserve[1] );
  anchor_event_t event = { DAMM_PROGRAM, &c->accounts.event_authority, c->event, DAMM_EVENT_SIZE, DAMM_EVENT_BUMP };
  anchor_event_send( &event );
}

/* ---- the instructions -------------------------------------------------------------------------------- */

SBF_FUNCTION void damm_read( damm_call_t * c ) {
  damm_accounts_t const * a = &c->accounts;
  damm_swap_t * s           = &c->swap;
  s->pool                   = a->pool.data;
  s->a_to_b                 = sbf_key_equal( token_account_mint( &a->input ), a->mint[0].key );
  s->referral               = !sbf_key_equal( a->referral.key, DAMM_PROGRAM );
  s->now                    = (uint64_t)c->clock.unix_timestamp;
  s->point                  = s->pool[DAMM_ACTIVATION_TYPE] ? s->now : c->clock.slot;
  token_fee_read( &s->transfer_in, &a->mint[!s->a_to_b], c->clock.epoch );
  token_fee_read( &s->transfer_out, &a->mint[s->a_to_b], c->clock.epoch );
}

SBF_FUNCTION uint64_t damm_swap_all( damm_call_t * c ) {
  damm_swap_t * s = &c->swap;
  DAMM_REQUIRE( damm_is_open( s ), DAMM_DISABLED );
  DAMM_REQUIRE( s->amount, DAMM_ZERO );
  if( damm_limited( s ) ) DAMM_TRY( damm_check_single( c ) );
  DAMM_TRY( damm_run( s ) );
  bool bad = s->mode == DAMM_EXACT_OUT ? s->sent > c->threshold : s->received < c->threshold;
  return bad ? DAMM_SLIPPAGE : 0;
}

uint64_t entrypoint( uint8_t * input ) {
  damm_call_t * c = SBF_HEAP;
  sbf_parse( input, &c->accounts.authority, DAMM_ACCOUNT_COUNT_MAX, &c->instruction );
  sbf_instruction_t const * instruction = &c->instruction;
  uint64_t kind                         = instruction->data_len >= 8 ? sbf_u64( instruction->data ) : 0;
  if( kind == ANCHOR_EVENT_TAG )
    return anchor_event_receive( instruction, &c->accounts.authority, DAMM_EVENT_AUTHORITY );

  SBF_LOG( "sniperforge emulation of Meteora DAMM v2" );
  ANCHOR_REQUIRE( sbf_key_equal( instruction->program_id, DAMM_PROGRAM ), 0, ANCHOR_WRONG_PROGRAM );
  if( kind == DAMM_SWAP ) {
    SBF_LOG( "Instruction: Swap" );
  } else if( kind == DAMM_SWAP2 ) {
    SBF_LOG( "Instruction: Swap2" );
  } else {
    SBF_LOG( "only swap and swap2 are emulated; load the real program for others" );
    return anchor_fail( 0, &ANCHOR_FALLBACK_NOT_FOUND );
  }
  uint64_t size = kind == DAMM_SWAP ? 24 : 25;
  ANCHOR_REQUIRE( instruction->data_len >= size, 0, ANCHOR_DID_NOT_DESERIALIZE );
  ANCHOR_REQUIRE( instruction->account_count >= DAMM_ACCOUNT_COUNT, 0, ANCHOR_NOT_ENOUGH_KEYS );
  c->swap.amount = sbf_u64( instruction->data + 8 );
  c->threshold   = sbf_u64( instruction->data + 16 );
  if( kind == DAMM_SWAP2 && instruction->data[24] <= DAMM_EXACT_OUT ) c->swap.mode = instruction->data[24];
  SBF_TRY( damm_check_accounts( &c->accounts ) );
  sol_get_clock_sysvar( &c->clock );
  damm_read( c );
  uint64_t code = damm_swap_all( c );
  if( code ) return damm_refuse( code );
  damm_move_tokens( c );
  damm_emit( c );
  return 0;
}
