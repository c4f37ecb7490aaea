/* Orca Whirlpool (whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc), emulated: swap and swap_v2, with the
   program's checks in their order, its integer results, its fee growth, adaptive fee and rewards, error
   numbers and Traded event.  Its other instructions are refused, and so are mints with a transfer hook.
   The memos with which swap_v2 notes a transfer fee are left out.

   Source: orca-so/whirlpools instructions/{swap,v2/swap}.rs, util/, events.rs, errors.rs. */

#include "sbf/orca_whirlpool_swap.h"
#include "sbf/token_extensions.h"
#include "sbf/token_fee.h"
#include "sbf/token_transfer.h"

/* whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc */
static uint8_t const WHIRLPOOL_PROGRAM[32] = { 0x0e, 0x03, 0x68, 0x5f, 0x8e, 0x90, 0x90, 0x53, 0xe4, 0x58, 0x12,
                                               0x1c, 0x66, 0xf5, 0xa7, 0x6a, 0xed, 0xc7, 0x70, 0x6a, 0xa1, 0x1c,
                                               0x82, 0xf8, 0xaa, 0x95, 0x2a, 0x8f, 0x2b, 0x78, 0x79, 0xa9 };

/* MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr */
static uint8_t const MEMO_PROGRAM[32] = { 0x05, 0x4a, 0x53, 0x5a, 0x99, 0x29, 0x21, 0x06, 0x4d, 0x24, 0xe8,
                                          0x71, 0x60, 0xda, 0x38, 0x7c, 0x7c, 0x35, 0xb5, 0xdd, 0xbc, 0x92,
                                          0xbb, 0x81, 0xe4, 0x1f, 0xa8, 0x40, 0x41, 0x05, 0x44, 0x8d };

#define WHIRLPOOL_SWAP         0xc88775e1919ec6f8UL
#define WHIRLPOOL_SWAP_V2      0x621ec91a0bed042bUL
#define WHIRLPOOL_POOL         0x096380e10cd1953fUL
#define WHIRLPOOL_ORACLE       0xf4e5b38cb383c28bUL
#define WHIRLPOOL_TRADED_EVENT 0x96a02b93af49cae1UL

#define WHIRLPOOL_SUPPLEMENTAL 6 /* type of a slice of the remaining accounts; 0 and 1: transfer hooks */

static anchor_error_t const WHIRLPOOL_ERRORS[] = {
  { "DivideByZero", "Unable to divide by zero", WHIRLPOOL_DIVIDE_BY_ZERO },
  { "NumberCastError", "Unable to cast number into BigInt", WHIRLPOOL_NUMBER_CAST },
  { "NumberDownCastError", "Unable to down cast number", WHIRLPOOL_NUMBER_DOWN_CAST },
  { "SqrtPriceOutOfBounds", "Provided sqrt price out of bounds", WHIRLPOOL_PRICE_OUT_OF_BOUNDS },
  { "LiquidityOverflow", "Liquidity overflow", WHIRLPOOL_LIQUIDITY_OVERFLOW },
  { "LiquidityUnderflow", "Liquidity underflow", WHIRLPOOL_LIQUIDITY_UNDERFLOW },
  { "TokenMaxExceeded", "Exceeded token max", WHIRLPOOL_TOKEN_MAX_EXCEEDED },
  { "TokenMinSubceeded", "Did not meet token min", WHIRLPOOL_TOKEN_MIN_SUBCEEDED },
  { "InvalidTimestamp", "Timestamp should be greater than the last updated timestamp", WHIRLPOOL_INVALID_TIMESTAMP },
  { "InvalidTickArraySequence", "Invalid tick array sequence provided for instruction.", WHIRLPOOL_INVALID_ARRAYS },
  { "MultiplicationShiftRightOverflow", "Multiplication with shift right overflow", WHIRLPOOL_MULTIPLY_SHIFT_OVERFLOW },
  { "MultiplicationOverflow", "Multiplication overflow", WHIRLPOOL_MULTIPLICATION_OVERFLOW },
  { "InvalidSqrtPriceLimitDirection", "Provided SqrtPriceLimit not in the same direction as the swap.", 6034 },
  { "ZeroTradableAmount", "There are no tradable amount to swap.", 6035 },
  { "AmountOutBelowMinimum", "Amount out below minimum threshold", 6036 },
  { "AmountInAboveMaximum", "Amount in above maximum threshold", 6037 },
  { "TickArraySequenceInvalidIndex", "Invalid index for tick array sequence", WHIRLPOOL_ARRAYS_END },
  { "AmountCalcOverflow", "Amount calculated overflows", 6039 },
  { "AmountRemainingOverflow", "Amount remaining overflows", 6040 },
  { "RemainingAccountsInvalidSlice", "Invalid remaining accounts", 6048 },
  { "RemainingAccountsInsufficient", "Insufficient remaining accounts", 6049 },
  { "NoExtraAccountsForTransferHook", "Unable to call transfer hook without extra accounts", 6050 },
  { "TransferFeeCalculationError", "Transfer fee calculation failed", 6052 },
  { "RemainingAccountsDuplicatedAccountsType", "Same accounts type is provided more than once", 6053 },
  { "TooManySupplementalTickArrays", "Too many supplemental tick arrays provided", 6055 },
  { "DifferentWhirlpoolTickArrayAccount", "TickArray account for different whirlpool provided",
    WHIRLPOOL_OTHER_POOLS_ARRAY },
  { "PartialFillError", "Trade resulted in partial fill", 6057 },
  { "TradeIsNotEnabled", "Trade is not enabled yet", 6064 },
};

/* ---- accounts ---------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t whirlpool_check_token( whirlpool_swap_t const * s, sbf_account_t const * account,
                                             char const * name ) {
  if( s->v2 ) return anchor_check_token_account( account, name );
  SBF_TRY( anchor_check_exists( account, name ) );
  ANCHOR_REQUIRE( sbf_key_equal( account->owner, TOKEN_PROGRAM ), name, ANCHOR_WRONG_OWNER );
  return token_account_check( account );
}

/* whirlpool_read_accounts checks what each account holds, in order. */
SBF_FUNCTION uint64_t whirlpool_read_accounts( whirlpool_swap_t const * s ) {
  whirlpool_accounts_t const * a = &s->a;
  if( s->v2 ) {
    SBF_TRY( anchor_check_token_program( a->program[0], "token_program_a" ) );
    SBF_TRY( anchor_check_token_program( a->program[1], "token_program_b" ) );
    ANCHOR_REQUIRE( sbf_key_equal( a->memo->key, MEMO_PROGRAM ), "memo_program", ANCHOR_INVALID_PROGRAM_ID );
    ANCHOR_REQUIRE( a->memo->executable, "memo_program", ANCHOR_NOT_EXECUTABLE );
  } else {
    ANCHOR_REQUIRE( sbf_key_equal( a->program[0]->key, TOKEN_PROGRAM ), "token_program", ANCHOR_INVALID_PROGRAM_ID );
    ANCHOR_REQUIRE( a->program[0]->executable, "token_program", ANCHOR_NOT_EXECUTABLE );
  }
  ANCHOR_REQUIRE( a->authority->is_signer, "token_authority", ANCHOR_NOT_SIGNER );
  SBF_TRY( anchor_check_exists( a->pool, "whirlpool" ) );
  SBF_TRY( anchor_check_owned( a->pool, "whirlpool", WHIRLPOOL_PROGRAM, WHIRLPOOL_POOL ) );
  ANCHOR_REQUIRE( a->pool->data_len >= POOL_SIZE, "whirlpool", ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE );
  if( s->v2 ) {
    SBF_TRY( anchor_check_mint( a->mint[0], "token_mint_a" ) );
    SBF_TRY( anchor_check_mint( a->mint[1], "token_mint_b" ) );
  }
  SBF_TRY( whirlpool_check_token( s, a->user[0], "token_owner_account_a" ) );
  SBF_TRY( whirlpool_check_token( s, a->vault[0], "token_vault_a" ) );
  SBF_TRY( whirlpool_check_token( s, a->user[1], "token_owner_account_b" ) );
  return whirlpool_check_token( s, a->vault[1], "token_vault_b" );
}

/* whirlpool_check_side checks the user's account and the vault of token `side`. */
SBF_FUNCTION uint64_t whirlpool_check_side( whirlpool_accounts_t const * a, uint64_t side ) {
  static char const * const user[]  = { "token_owner_account_a", "token_owner_account_b" };
  static char const * const vault[] = { "token_vault_a", "token_vault_b" };
  uint8_t const * pool              = a->pool->data + POOL_SIDE * side;
  ANCHOR_REQUIRE( a->user[side]->is_writable, user[side], ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( sbf_key_equal( token_account_mint( a->user[side] ), pool + POOL_MINT ), user[side],
                  ANCHOR_CONSTRAINT_RAW );
  ANCHOR_REQUIRE( a->vault[side]->is_writable, vault[side], ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( sbf_key_equal( a->vault[side]->key, pool + POOL_VAULT ), vault[side], ANCHOR_CONSTRAINT_ADDRESS );
  return 0;
}

SBF_FUNCTION uint64_t whirlpool_check_oracle( whirlpool_swap_t const * s ) {
  whirlpool_accounts_t const * a = &s->a;
  uint8_t address[32], bump;
  sbf_bytes_t seeds[2] = { { (uint8_t const *)"oracle", 6 }, { a->pool->key, 32 } };
  bool none            = sol_try_find_program_address( seeds, 2, WHIRLPOOL_PROGRAM, address, &bump );
  if( s->v2 ) ANCHOR_REQUIRE( a->oracle->is_writable, "oracle", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( !none && sbf_key_equal( a->oracle->key, address ), "oracle", ANCHOR_CONSTRAINT_SEEDS );
  return 0;
}

SBF_FUNCTION uint64_t whirlpool_check_constraints( whirlpool_swap_t const * s ) {
  static char const * const array[] = { "tick_array_0", "tick_array_1", "tick_array_2" };
  whirlpool_accounts_t const * a    = &s->a;
  uint8_t const * pool              = a->pool->data;
  if( s->v2 ) {
    ANCHOR_REQUIRE( sbf_key_equal( a->program[0]->key, a->mint[0]->owner ), "token_program_a",
                    ANCHOR_CONSTRAINT_ADDRESS );
    ANCHOR_REQUIRE( sbf_key_equal( a->program[1]->key, a->mint[1]->owner ), "token_program_b",
                    ANCHOR_CONSTRAINT_ADDRESS );
  }
  ANCHOR_REQUIRE( a->pool->is_writable, "whirlpool", ANCHOR_CONSTRAINT_MUT );
  if( s->v2 ) {
    ANCHOR_REQUIRE( sbf_key_equal( a->mint[0]->key, pool + POOL_MINT ), "token_mint_a", ANCHOR_CONSTRAINT_ADDRESS );
    ANCHOR_REQUIRE( sbf_key_equal( a->mint[1]->key, pool + POOL_SIDE + POOL_MINT ), "token_mint_b",
                    ANCHOR_CONSTRAINT_ADDRESS );
  }
  SBF_TRY( whirlpool_check_side( a, 0 ) );
  SBF_TRY( whirlpool_check_side( a, 1 ) );
  for( int i = 0; i < 3; i++ ) ANCHOR_REQUIRE( a->array[i]->is_writable, array[i], ANCHOR_CONSTRAINT_MUT );
  return whirlpool_check_oracle( s );
}

/* whirlpool_read_slices finds the supplemental tick arrays among the accounts behind the fixed ones. */
SBF_FUNCTION uint64_t whirlpool_read_slices( whirlpool_swap_t * s, uint64_t next ) {
  sbf_instruction_t const * instruction = &s->instruction;
  uint8_t const * p                     = instruction->data + 42;
  uint8_t const * end                   = instruction->data + instruction->data_len;
  ANCHOR_REQUIRE( p < end && *p <= 1, 0, ANCHOR_DID_NOT_DESERIALIZE );
  if( !*p++ ) return 0;
  ANCHOR_REQUIRE( p + 4 <= end, 0, ANCHOR_DID_NOT_DESERIALIZE );
  uint64_t slices = whirlpool_u32( p ), seen = 0;
  ANCHOR_REQUIRE( slices <= (uint64_t)( end - p - 4 ) / 2, 0, ANCHOR_DID_NOT_DESERIALIZE );
  for( p += 4; slices--; p += 2 ) {
    uint64_t kind = p[0], count = p[1];
    ANCHOR_REQUIRE( kind <= 8, 0, ANCHOR_DID_NOT_DESERIALIZE );
    WHIRLPOOL_REQUIRE( kind <= 1 || kind == WHIRLPOOL_SUPPLEMENTAL, 6048 );
    if( !count ) continue;
    WHIRLPOOL_REQUIRE( next + count <= instruction->account_count, 6049 );
    WHIRLPOOL_REQUIRE( kind != WHIRLPOOL_SUPPLEMENTAL || count <= 3, 6055 );
    WHIRLPOOL_REQUIRE( !( seen >> kind & 1 ), 6053 );
    seen |= 1UL << kind;
    for( uint64_t i = 0; kind == WHIRLPOOL_SUPPLEMENTAL && i < count; i++ ) {
      SBF_REQUIRE( next + i < WHIRLPOOL_MAX_ACCOUNTS, "the emulation reads at most 40 accounts" );
      s->candidates.accounts[s->candidates.count++] = &s->accounts[next + i];
    }
    next += count;
  }
  return 0;
}

/* whirlpool_read_oracle sets *oracle to the oracle's data, or NULL where it was never made. */
SBF_FUNCTION uint64_t whirlpool_read_oracle( whirlpool_swap_t const * s, uint8_t ** oracle ) {
  static uint8_t const system_program[32];
  sbf_account_t const * account = s->a.oracle;
  *oracle                       = 0;
  if( !account->data_len && sbf_key_equal( account->owner, system_program ) ) return 0;
  ANCHOR_REQUIRE( sbf_key_equal( account->owner, WHIRLPOOL_PROGRAM ), 0, ANCHOR_WRONG_OWNER );
  ANCHOR_REQUIRE( account->data_len >= 8, 0, ANCHOR_NO_DISCRIMINATOR );
  ANCHOR_REQUIRE( sbf_u64( account->data ) == WHIRLPOOL_ORACLE, 0, ANCHOR_WRONG_DISCRIMINATOR );
  SBF_REQUIRE( account->data_len >= ORACLE_SIZE, "the oracle is too short" );
  SBF_REQUIRE( sbf_key_equal( account->data + ORACLE_POOL, s->a.pool->key ),
               "internal error: entered unreachable code" );
  *oracle = account->data;
  return 0;
}

/* ---- what the swap leaves behind -------------------------------------------------------------------- */

SBF_FUNCTION void whirlpool_update_pool( whirlpool_swap_t const * s ) {
  uint8_t * pool = whirlpool_data( s );
  uint64_t side  = whirlpool_input( s );
  uint8_t * owed = pool + POOL_FEES_OWED + 8 * side;
  sbf_put_u128( pool + POOL_LIQUIDITY, s->liquidity );
  sbf_put_u128( pool + POOL_PRICE, s->price );
  tick_put_i32( pool + POOL_TICK, s->tick );
  sbf_put_u128( pool + POOL_FEE_GROWTH + POOL_SIDE * side, s->growth[side] );
  SBF_REQUIRE( sbf_u64( owed ) + s->protocol_fee >= s->protocol_fee, "attempt to add with overflow" );
  sbf_put_u64( owed, sbf_u64( owed ) + s->protocol_fee );
  for( uint64_t i = 0; i < WHIRLPOOL_REWARDS; i++ )
    sbf_put_u128( pool + POOL_REWARD + POOL_REWARD_SIZE * i + REWARD_GROWTH, s->reward_growth[i] );
  sbf_put_u64( pool + POOL_REWARD_UPDATE, (uint64_t)s->clock.unix_timestamp );
}

/* whirlpool_memo does what an account that wants a memo asks for. */
SBF_FUNCTION void whirlpool_memo( sbf_account_t const * to ) {
  static uint8_t const text[] = "Orca Trade";
  if( !token_wants_memo( to ) ) return;
  sbf_call_t call = { MEMO_PROGRAM, 0, 0, text, sizeof( text ) - 1 };
  sol_invoke_signed_c( &call, 0, 0, 0, 0 );
}

/* whirlpool_move moves one token: into the pool when the user is the authority, else out of it. */
SBF_FUNCTION void whirlpool_move( whirlpool_swap_t const * s, uint64_t side, bool in ) {
  whirlpool_accounts_t const * a = &s->a;
  uint8_t const * pool           = a->pool->data;
  sbf_bytes_t seeds[6]           = {
              { (uint8_t const *)"whirlpool", 9 },  { pool + POOL_CONFIG, 32 },  { pool + POOL_MINT, 32 },
              { pool + POOL_SIDE + POOL_MINT, 32 }, { pool + POOL_FEE_TIER, 2 }, { pool + POOL_BUMP, 1 },
  };
  sbf_signer_t signer             = { seeds, 6 };
  sbf_signer_t const * by         = in ? 0 : &signer;
  sbf_account_t const * from      = in ? a->user[side] : a->vault[side];
  sbf_account_t const * to        = in ? a->vault[side] : a->user[side];
  sbf_account_t const * signed_by = in ? a->authority : a->pool;
  uint64_t amount                 = in ? s->amount_in : s->amount_out;
  if( s->v2 ) {
    if( !in ) whirlpool_memo( to );
    token_transfer_t transfer = { a->program[side], from, a->mint[side], to, signed_by, by };
    token_transfer( &transfer, amount );
  } else {
    token_transfer_plain( from, to, signed_by, amount, by );
  }
}

SBF_FUNCTION void whirlpool_emit( whirlpool_swap_t const * s, sbf_u128_t const * price_before ) {
  uint8_t event[121];
  sbf_put_u64( event, WHIRLPOOL_TRADED_EVENT );
  sbf_key_copy( event + 8, s->a.pool->key );
  event[40] = s->a_to_b;
  sbf_put_u128( event + 41, *price_before );
  sbf_put_u128( event + 57, s->price );
  sbf_put_u64( event + 73, s->amount_in );
  sbf_put_u64( event + 81, s->amount_out );
  sbf_put_u64( event + 89, token_fee_of( &s->transfer_fee[0], s->amount_in ) );
  sbf_put_u64( event + 97, token_fee_of( &s->transfer_fee[1], s->amount_out ) );
  sbf_put_u64( event + 105, s->fee - s->protocol_fee );
  sbf_put_u64( event + 113, s->protocol_fee );
  sbf_bytes_t field = { event, sizeof( event ) };
  sol_log_data( &field, 1 );
}

/* ---- the instructions -------------------------------------------------------------------------------- */

/* whirlpool_trade swaps s->amount with the token programs' fees around it. */
SBF_FUNCTION uint64_t whirlpool_trade( whirlpool_swap_t * s, uint8_t * oracle ) {
  token_fee_t const *in = &s->transfer_fee[0], *out = &s->transfer_fee[1];
  uint64_t asked = s->amount, added;
  if( s->exact_in ) {
    asked -= token_fee_of( in, s->amount );
  } else {
    WHIRLPOOL_REQUIRE( token_fee_added( &added, out, s->amount ), 6052 );
    asked += added;
  }
  s->left = asked;
  SBF_TRY( whirlpool_run( s, oracle ) );
  uint64_t swapped = asked - s->left;
  s->amount_in     = s->exact_in ? swapped : s->calculated;
  s->amount_out    = s->exact_in ? s->calculated : swapped;
  if( s->exact_in && !s->left ) {
    s->amount_in = s->amount;
  } else {
    WHIRLPOOL_REQUIRE( token_fee_added( &added, in, s->amount_in ), 6052 );
    s->amount_in += added;
  }
  if( s->exact_in ) WHIRLPOOL_REQUIRE( s->amount_out - token_fee_of( out, s->amount_out ) >= s->threshold, 6036 );
  else WHIRLPOOL_REQUIRE( s->amount_in <= s->threshold, 6037 );
  return 0;
}

SBF_FUNCTION uint64_t whirlpool_swap( whirlpool_swap_t * s ) {
  uint8_t *pool = whirlpool_data( s ), *oracle;
  sol_get_clock_sysvar( &s->clock );
  s->row.tick_spacing = sbf_u16( pool + POOL_TICK_SPACING );
  s->row.a_to_b       = s->a_to_b;
  s->tick             = tick_i32( pool + POOL_TICK );
  SBF_REQUIRE( s->row.tick_spacing, "attempt to divide by zero" );
  SBF_TRY( whirlpool_row_build( &s->row, &s->candidates, s->a.pool, s->tick ) );
  SBF_TRY( whirlpool_read_oracle( s, &oracle ) );
  if( oracle ) WHIRLPOOL_REQUIRE( sbf_u64( oracle + ORACLE_TRADE_ENABLE ) <= (uint64_t)s->clock.unix_timestamp, 6064 );

  sbf_u128_t before = sbf_u128_at( pool + POOL_PRICE );
  s->price          = before;
  s->liquidity      = sbf_u128_at( pool + POOL_LIQUIDITY );
  s->growth[0]      = sbf_u128_at( pool + POOL_FEE_GROWTH );
  s->growth[1]      = sbf_u128_at( pool + POOL_SIDE + POOL_FEE_GROWTH );
  s->fees.a_to_b    = s->a_to_b;
  s->fees.fee_rate  = sbf_u16( pool + POOL_FEE_RATE );
  s->step.a_to_b    = s->a_to_b;
  s->step.exact_in  = s->exact_in;
  uint64_t side     = whirlpool_input( s );
  if( s->v2 ) {
    if( token_has_hook( s->a.mint[0] ) || token_has_hook( s->a.mint[1] ) ) {
      SBF_LOG( "mints with a transfer hook are not emulated; load the real program for them" );
      return 6050;
    }
    token_fee_read( &s->transfer_fee[0], s->a.mint[side], s->clock.epoch );
    token_fee_read( &s->transfer_fee[1], s->a.mint[!side], s->clock.epoch );
  }
  SBF_TRY( whirlpool_trade( s, oracle ) );
  if( oracle ) {
    SBF_TRY( whirlpool_check_writable( s->a.oracle ) );
    whirlpool_fees_end( &s->fees, oracle );
  }
  whirlpool_update_pool( s );
  whirlpool_move( s, side, true );
  whirlpool_move( s, !side, false );
  whirlpool_emit( s, &before );
  return 0;
}

/* whirlpool_label gives the accounts their roles. */
SBF_FUNCTION void whirlpool_label( whirlpool_swap_t * s ) {
  whirlpool_accounts_t * a = &s->a;
  sbf_account_t const * p  = s->accounts;
  a->program[0]            = p++;
  a->program[1]            = s->v2 ? p++ : a->program[0];
  a->memo                  = s->v2 ? p++ : 0;
  a->authority             = p++;
  a->pool                  = p++;
  a->mint[0]               = s->v2 ? p++ : 0;
  a->mint[1]               = s->v2 ? p++ : 0;
  for( int side = 0; side < 2; side++ ) {
    a->user[side]  = p++;
    a->vault[side] = p++;
  }
  for( int i = 0; i < 3; i++ ) {
    a->array[i]                                   = p++;
    s->candidates.accounts[s->candidates.count++] = a->array[i];
  }
  a->oracle = p;
}

SBF_FUNCTION uint64_t whirlpool_execute( whirlpool_swap_t * s ) {
  sbf_instruction_t const * instruction = &s->instruction;
  uint8_t const * data                  = instruction->data;
  uint64_t fixed                        = s->v2 ? 15 : 11;
  ANCHOR_REQUIRE( instruction->data_len >= 42 && data[40] <= 1 && data[41] <= 1, 0, ANCHOR_DID_NOT_DESERIALIZE );
  ANCHOR_REQUIRE( instruction->account_count >= fixed, 0, ANCHOR_NOT_ENOUGH_KEYS );
  s->amount    = sbf_u64( data + 8 );
  s->threshold = sbf_u64( data + 16 );
  s->limit     = sbf_u128_at( data + 24 );
  s->exact_in  = data[40];
  s->a_to_b    = data[41];
  whirlpool_label( s );
  SBF_TRY( whirlpool_read_accounts( s ) );
  SBF_TRY( whirlpool_check_constraints( s ) );
  if( s->v2 ) SBF_TRY( whirlpool_read_slices( s, fixed ) );
  return whirlpool_swap( s );
}

uint64_t entrypoint( uint8_t * input ) {
  whirlpool_swap_t * s = SBF_HEAP;
  SBF_LOG( "sniperforge emulation of Orca Whirlpool" );
  sbf_parse( input, s->accounts, WHIRLPOOL_MAX_ACCOUNTS, &s->instruction );
  sbf_instruction_t const * instruction = &s->instruction;
  ANCHOR_REQUIRE( sbf_key_equal( instruction->program_id, WHIRLPOOL_PROGRAM ), 0, ANCHOR_WRONG_PROGRAM );
  uint64_t kind = instruction->data_len >= 8 ? sbf_u64( instruction->data ) : 0;
  if( kind == WHIRLPOOL_SWAP ) {
    SBF_LOG( "Instruction: Swap" );
  } else if( kind == WHIRLPOOL_SWAP_V2 ) {
    SBF_LOG( "Instruction: SwapV2" );
  } else {
    SBF_LOG( "only swap and swap_v2 are emulated; load the real program for others" );
    return anchor_fail( 0, &ANCHOR_FALLBACK_NOT_FOUND );
  }
  s->v2         = kind == WHIRLPOOL_SWAP_V2;
  uint64_t code = whirlpool_execute( s );
  SBF_REQUIRE( code != WHIRLPOOL_PANIC, "arithmetic operation failed" );
  for( uint64_t i = 0; i < sizeof( WHIRLPOOL_ERRORS ) / sizeof( WHIRLPOOL_ERRORS[0] ); i++ ) {
    if( WHIRLPOOL_ERRORS[i].number == code ) return anchor_fail( 0, &WHIRLPOOL_ERRORS[i] );
  }
  return code;
}
