/* Raydium AMM v4 (675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8), emulated: swap_base_in (tag 9) and
   swap_base_out (tag 11), with the program's checks in their order, its integer results, its counters,
   error numbers and ray_log.  Its other instructions are refused, and so are pools that place orders on
   a market (status 1 and 5): the market accounts of a swap are never read.

   Source: raydium-io/raydium-amm: processor.rs, math.rs, state.rs, error.rs, log.rs. */

#include "sbf/token_transfer.h"

extern uint64_t sol_create_program_address( sbf_bytes_t const * seeds, uint64_t seed_count, uint8_t const * program_id,
                                            uint8_t * address );

static uint8_t const AMM_AUTHORITY_SEED[] = "amm authority";

#define AMM_SWAP_BASE_IN     9
#define AMM_SWAP_BASE_OUT    11
#define AMM_LOG_SWAP_IN      3
#define AMM_LOG_SWAP_OUT     4
#define AMM_LOG_SIZE         57
#define TOKEN_ACCOUNT_FROZEN 2

/* Values of a pool's status that decide over a swap. */
enum { AMM_UNINITIALIZED, AMM_INITIALIZED, AMM_ORDER_BOOK_ONLY = 5, AMM_SWAP_ONLY, AMM_WAITING_TRADE };

/* Offsets in a pool's data.  Side 0 is coin, side 1 is pc. */
enum {
  POOL_STATUS          = 0,
  POOL_NONCE           = 8,
  POOL_FEE_NUMERATOR   = 176,
  POOL_FEE_DENOMINATOR = 184,
  POOL_OWED            = 192, /* need_take_pnl, of either side */
  POOL_OPEN_TIME       = 224,
  POOL_COIN_IN         = 256, /* 128 bits each: what swaps brought and took */
  POOL_PC_OUT          = 272,
  POOL_PC_FEES         = 288,
  POOL_PC_IN           = 296,
  POOL_COIN_OUT        = 312,
  POOL_COIN_FEES       = 328,
  POOL_COIN_VAULT      = 336,
  POOL_PC_VAULT        = 368,
  POOL_RECENT_EPOCH    = 736,
  POOL_SIZE            = 752,
};

/* AmmError, in the program's numbers. */
enum {
  AMM_INVALID_PROGRAM_ADDRESS   = 1,
  AMM_EXPECTED_ACCOUNT          = 3,
  AMM_INVALID_COIN_VAULT        = 4,
  AMM_INVALID_PC_VAULT          = 5,
  AMM_INVALID_SIGN_ACCOUNT      = 21,
  AMM_INVALID_STATUS            = 22,
  AMM_WRONG_ACCOUNTS_NUMBER     = 24,
  AMM_INVALID_AMM_ACCOUNT_OWNER = 27,
  AMM_INVALID_INPUT             = 29,
  AMM_EXCEEDED_SLIPPAGE         = 30,
  AMM_CHECKED_SUB_OVERFLOW      = 32,
  AMM_INVALID_SPL_TOKEN_PROGRAM = 38,
  AMM_INSUFFICIENT_FUNDS        = 40,
  AMM_INVALID_USER_TOKEN        = 42,
};

#define AMM_REQUIRE( cond, code ) \
  do {                            \
    if( !( cond ) ) return code;  \
  } while( 0 )

/* A swap names 18 accounts; older callers leave out number 4, the target orders. */
enum {
  AMM_ACCOUNT_COUNT         = 18,
  ACCOUNT_TOKEN_PROGRAM     = 0,
  ACCOUNT_POOL              = 1,
  ACCOUNT_AUTHORITY         = 2,
  ACCOUNT_COIN_VAULT        = 5,
  ACCOUNT_USER_SOURCE       = 15,
  ACCOUNT_USER_DESTINATION  = 16,
  ACCOUNT_USER_SOURCE_OWNER = 17,
};

/* One swap, in the heap. */
typedef struct amm_swap {
  sbf_account_t accounts[AMM_ACCOUNT_COUNT];
  sbf_instruction_t instruction;
  sbf_clock_t clock;
  sbf_account_t const *token_program, *pool, *authority, *source, *destination, *owner;
  sbf_account_t const * vault[2]; /* coin, pc */
  uint64_t reserve[2];            /* the vaults without the profit that is to be taken from them */
  uint64_t input_side;
  uint64_t amount_in, amount_out, fee;
} amm_swap_t;

/* ---- accounts ---------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t amm_check_pool( amm_swap_t const * s ) {
  sbf_account_t const * pool = s->pool;
  AMM_REQUIRE( sbf_key_equal( pool->owner, s->instruction.program_id ), AMM_INVALID_AMM_ACCOUNT_OWNER );
  AMM_REQUIRE( pool->data_len == POOL_SIZE, AMM_EXPECTED_ACCOUNT );
  uint64_t status = sbf_u64( pool->data + POOL_STATUS );
  AMM_REQUIRE( status != AMM_UNINITIALIZED, AMM_INVALID_STATUS );
  SBF_REQUIRE( status <= AMM_WAITING_TRADE, "internal error: entered unreachable code" );
  if( status == AMM_INITIALIZED || status == AMM_ORDER_BOOK_ONLY ) {
    SBF_LOG( "pools with orders on a market are not emulated; load the real program for them" );
    return AMM_INVALID_STATUS;
  }
  return 0;
}

SBF_FUNCTION uint64_t amm_check_authority( amm_swap_t const * s ) {
  uint8_t address[32];
  sbf_bytes_t seeds[2] = {
    { AMM_AUTHORITY_SEED, sizeof( AMM_AUTHORITY_SEED ) - 1 },
    { s->pool->data + POOL_NONCE, 1 },
  };
  bool on_curve = sol_create_program_address( seeds, 2, s->instruction.program_id, address );
  AMM_REQUIRE( !on_curve && sbf_key_equal( s->authority->key, address ), AMM_INVALID_PROGRAM_ADDRESS );
  return 0;
}

SBF_FUNCTION uint64_t amm_check_user_account( amm_swap_t const * s, sbf_account_t const * account ) {
  bool vault = sbf_key_equal( account->key, s->vault[0]->key ) || sbf_key_equal( account->key, s->vault[1]->key );
  AMM_REQUIRE( !vault, AMM_INVALID_USER_TOKEN );
  return 0;
}

SBF_FUNCTION uint64_t amm_check_token_account( sbf_account_t const * account ) {
  AMM_REQUIRE( sbf_key_equal( account->owner, TOKEN_PROGRAM ), AMM_INVALID_SPL_TOKEN_PROGRAM );
  AMM_REQUIRE( account->data_len == TOKEN_ACCOUNT_SIZE, AMM_EXPECTED_ACCOUNT );
  AMM_REQUIRE( account->data[108] && account->data[108] <= TOKEN_ACCOUNT_FROZEN, AMM_EXPECTED_ACCOUNT );
  return 0;
}

SBF_FUNCTION uint64_t amm_check_accounts( amm_swap_t const * s ) {
  uint8_t const * pool = s->pool->data;
  AMM_REQUIRE( s->owner->is_signer, AMM_INVALID_SIGN_ACCOUNT );
  AMM_REQUIRE( sbf_key_equal( s->token_program->key, TOKEN_PROGRAM ), AMM_INVALID_SPL_TOKEN_PROGRAM );
  SBF_TRY( amm_check_authority( s ) );
  AMM_REQUIRE( sbf_key_equal( s->vault[0]->key, pool + POOL_COIN_VAULT ), AMM_INVALID_COIN_VAULT );
  AMM_REQUIRE( sbf_key_equal( s->vault[1]->key, pool + POOL_PC_VAULT ), AMM_INVALID_PC_VAULT );
  SBF_TRY( amm_check_user_account( s, s->source ) );
  SBF_TRY( amm_check_user_account( s, s->destination ) );
  SBF_TRY( amm_check_token_account( s->vault[0] ) );
  SBF_TRY( amm_check_token_account( s->vault[1] ) );
  SBF_TRY( amm_check_token_account( s->source ) );
  return amm_check_token_account( s->destination );
}

/* amm_check_status lets a pool trade that is open; one that waited becomes open by its first swap. */
SBF_FUNCTION uint64_t amm_check_status( amm_swap_t const * s ) {
  uint8_t * pool  = s->pool->data;
  uint64_t status = sbf_u64( pool + POOL_STATUS );
  if( status == AMM_SWAP_ONLY ) return 0;
  AMM_REQUIRE( status == AMM_WAITING_TRADE, AMM_INVALID_STATUS );
  AMM_REQUIRE( (uint64_t)s->clock.unix_timestamp >= sbf_u64( pool + POOL_OPEN_TIME ), AMM_INVALID_STATUS );
  sbf_put_u64( pool + POOL_STATUS, AMM_SWAP_ONLY );
  SBF_LOG( "WaitingTrade to SwapOnly" );
  return 0;
}

/* amm_read_pool finds reserves and direction. */
SBF_FUNCTION uint64_t amm_read_pool( amm_swap_t * s ) {
  for( uint64_t side = 0; side < 2; side++ ) {
    uint64_t vault = token_account_amount( s->vault[side] ), owed = sbf_u64( s->pool->data + POOL_OWED + 8 * side );
    AMM_REQUIRE( vault >= owed, AMM_CHECKED_SUB_OVERFLOW );
    s->reserve[side] = vault - owed;
  }
  uint8_t const *source = token_account_mint( s->source ), *destination = token_account_mint( s->destination );
  uint8_t const *coin = token_account_mint( s->vault[0] ), *pc = token_account_mint( s->vault[1] );
  if( sbf_key_equal( source, coin ) && sbf_key_equal( destination, pc ) ) {
    s->input_side = 0;
  } else {
    AMM_REQUIRE( sbf_key_equal( source, pc ) && sbf_key_equal( destination, coin ), AMM_INVALID_USER_TOKEN );
    s->input_side = 1;
  }
  return 0;
}

/* ---- the log ------------------------------------------------------------------------------------- */

/* amm_log writes "ray_log: " and, in base64, the asked and the found amounts beside the state before. */
SBF_FUNCTION void amm_log( amm_swap_t const * s, uint64_t kind, uint64_t first, uint64_t second, uint64_t result ) {
  static uint8_t const digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static uint8_t const head[]   = "ray_log: ";
  uint8_t record[AMM_LOG_SIZE], text[9 + AMM_LOG_SIZE / 3 * 4];
  record[0] = (uint8_t)kind;
  sbf_put_u64( record + 1, first );
  sbf_put_u64( record + 9, second );
  sbf_put_u64( record + 17, 2 - s->input_side ); /* 1: pc to coin, 2: coin to pc */
  sbf_put_u64( record + 25, token_account_amount( s->source ) );
  sbf_put_u64( record + 33, s->reserve[0] );
  sbf_put_u64( record + 41, s->reserve[1] );
  sbf_put_u64( record + 49, result );

  uint64_t len = 0;
  while( len < sizeof( head ) - 1 ) {
    text[len] = head[len];
    len++;
  }
  for( uint64_t i = 0; i < AMM_LOG_SIZE; i += 3 ) {
    uint64_t bits = (uint64_t)record[i] << 16 | (uint64_t)record[i + 1] << 8 | record[i + 2];
    for( uint64_t shift = 24; shift; ) {
      shift -= 6;
      text[len++] = digits[bits >> shift & 63];
    }
  }
  sol_log_( text, len );
}

/* ---- the curve ------------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t amm_swap_base_in( amm_swap_t * s, uint64_t amount_in, uint64_t minimum_out ) {
  uint8_t const * pool = s->pool->data;
  s->amount_in         = amount_in;
  if( token_account_amount( s->source ) < amount_in ) {
    amm_log( s, AMM_LOG_SWAP_IN, amount_in, minimum_out, 0 );
    return AMM_INSUFFICIENT_FUNDS;
  }
  uint64_t denominator = sbf_u64( pool + POOL_FEE_DENOMINATOR );
  SBF_REQUIRE( denominator, "called `Option::unwrap()` on a `None` value" );
  sbf_u128_t fee, product, output, rest;
  sbf_mul_div( &fee, amount_in, sbf_u64( pool + POOL_FEE_NUMERATOR ), denominator, true );
  SBF_REQUIRE( !fee.hi && fee.lo <= amount_in, "called `Option::unwrap()` on a `None` value" );
  s->fee = fee.lo;

  uint64_t input = amount_in - fee.lo, reserve_out = s->reserve[!s->input_side];
  sbf_u128_t divisor = sbf_u128_add( sbf_u128( s->reserve[s->input_side] ), sbf_u128( input ) );
  SBF_REQUIRE( divisor.lo || divisor.hi, "called `Option::unwrap()` on a `None` value" );
  sbf_mul64( &product, reserve_out, input );
  sbf_u128_div( &output, &rest, &product, &divisor );
  s->amount_out = output.lo; /* no more than the reserve */
  amm_log( s, AMM_LOG_SWAP_IN, amount_in, minimum_out, s->amount_out );
  AMM_REQUIRE( s->amount_out >= minimum_out, AMM_EXCEEDED_SLIPPAGE );
  AMM_REQUIRE( s->amount_out && amount_in, AMM_INVALID_INPUT );
  AMM_REQUIRE( s->amount_out < reserve_out, AMM_INSUFFICIENT_FUNDS );
  return 0;
}

SBF_FUNCTION uint64_t amm_swap_base_out( amm_swap_t * s, uint64_t max_amount_in, uint64_t amount_out ) {
  uint8_t const * pool = s->pool->data;
  s->amount_out        = amount_out;
  uint64_t reserve_out = s->reserve[!s->input_side];
  SBF_REQUIRE( amount_out < reserve_out, "called `Option::unwrap()` on a `None` value" );
  sbf_u128_t before, scaled, after, rest;
  sbf_mul_div( &before, s->reserve[s->input_side], amount_out, reserve_out - amount_out, true );

  uint64_t numerator = sbf_u64( pool + POOL_FEE_NUMERATOR ), denominator = sbf_u64( pool + POOL_FEE_DENOMINATOR );
  SBF_REQUIRE( denominator > numerator && sbf_u128_mul64( &scaled, &before, denominator ),
               "called `Option::unwrap()` on a `None` value" );
  sbf_u128_t divisor = sbf_u128( denominator - numerator );
  sbf_u128_div( &after, &rest, &scaled, &divisor );
  if( rest.lo ) after = sbf_u128_add( after, sbf_u128( 1 ) );
  SBF_REQUIRE( !after.hi, "Integer overflow when casting to u64" );
  s->amount_in = after.lo;
  s->fee       = after.lo - before.lo;
  amm_log( s, AMM_LOG_SWAP_OUT, max_amount_in, amount_out, s->amount_in );
  AMM_REQUIRE( token_account_amount( s->source ) >= s->amount_in, AMM_INSUFFICIENT_FUNDS );
  AMM_REQUIRE( max_amount_in >= s->amount_in, AMM_EXCEEDED_SLIPPAGE );
  AMM_REQUIRE( s->amount_in && amount_out, AMM_INVALID_INPUT );
  return 0;
}

/* ---- what the swap leaves behind -------------------------------------------------------------------- */

SBF_FUNCTION void amm_move_tokens( amm_swap_t const * s ) {
  sbf_bytes_t seeds[2] = {
    { AMM_AUTHORITY_SEED, sizeof( AMM_AUTHORITY_SEED ) - 1 },
    { s->pool->data + POOL_NONCE, 1 },
  };
  sbf_signer_t signer = { seeds, 2 };
  token_transfer_plain( s->source, s->vault[s->input_side], s->owner, s->amount_in, 0 );
  token_transfer_plain( s->vault[!s->input_side], s->destination, s->authority, s->amount_out, &signer );
}

SBF_FUNCTION void amm_count( uint8_t * counter, uint64_t amount ) {
  sbf_u128_t before = { sbf_u64( counter ), sbf_u64( counter + 8 ) };
  sbf_u128_t sum    = sbf_u128_add( before, sbf_u128( amount ) );
  SBF_REQUIRE( !sbf_u128_less( sum, before ), "called `Option::unwrap()` on a `None` value" );
  sbf_put_u64( counter, sum.lo );
  sbf_put_u64( counter + 8, sum.hi );
}

SBF_FUNCTION void amm_update_pool( amm_swap_t const * s ) {
  uint8_t * pool = s->pool->data;
  uint8_t * fees = pool + ( s->input_side ? POOL_PC_FEES : POOL_COIN_FEES );
  amm_count( pool + ( s->input_side ? POOL_PC_IN : POOL_COIN_IN ), s->amount_in );
  amm_count( pool + ( s->input_side ? POOL_COIN_OUT : POOL_PC_OUT ), s->amount_out );
  SBF_REQUIRE( sbf_u64( fees ) + s->fee >= s->fee, "called `Option::unwrap()` on a `None` value" );
  sbf_put_u64( fees, sbf_u64( fees ) + s->fee );
  sbf_put_u64( pool + POOL_RECENT_EPOCH, s->clock.epoch );
}

/* ---- the instruction ----------------------------------------------------------------------------------- */

uint64_t entrypoint( uint8_t * input ) {
  amm_swap_t * s = SBF_HEAP;
  SBF_LOG( "sniperforge emulation of Raydium AMM v4" );
  sbf_parse( input, s->accounts, AMM_ACCOUNT_COUNT, &s->instruction );
  sbf_instruction_t const * instruction = &s->instruction;
  AMM_REQUIRE( instruction->data_len, SBF_ERR_INVALID_INSTRUCTION_DATA );
  uint64_t tag = instruction->data[0];
  if( tag != AMM_SWAP_BASE_IN && tag != AMM_SWAP_BASE_OUT ) {
    SBF_LOG( "only swap_base_in and swap_base_out are emulated; load the real program for others" );
    return SBF_ERR_INVALID_INSTRUCTION_DATA;
  }
  AMM_REQUIRE( instruction->data_len >= 17, SBF_ERR_INVALID_INSTRUCTION_DATA );
  uint64_t missing = AMM_ACCOUNT_COUNT - instruction->account_count;
  AMM_REQUIRE( missing <= 1, AMM_WRONG_ACCOUNTS_NUMBER );

  sbf_account_t const *head = s->accounts, *tail = s->accounts - missing; /* before and behind the target orders */
  s->token_program = head + ACCOUNT_TOKEN_PROGRAM;
  s->pool          = head + ACCOUNT_POOL;
  s->authority     = head + ACCOUNT_AUTHORITY;
  s->vault[0]      = tail + ACCOUNT_COIN_VAULT;
  s->vault[1]      = tail + ACCOUNT_COIN_VAULT + 1;
  s->source        = tail + ACCOUNT_USER_SOURCE;
  s->destination   = tail + ACCOUNT_USER_DESTINATION;
  s->owner         = tail + ACCOUNT_USER_SOURCE_OWNER;
  sol_get_clock_sysvar( &s->clock );
  SBF_TRY( amm_check_pool( s ) );
  SBF_TRY( amm_check_accounts( s ) );
  SBF_TRY( amm_check_status( s ) );
  SBF_TRY( amm_read_pool( s ) );

  uint64_t first = sbf_u64( instruction->data + 1 ), second = sbf_u64( instruction->data + 9 );
  if( tag == AMM_SWAP_BASE_IN ) {
    SBF_TRY( amm_swap_base_in( s, first, second ) );
  } else {
    SBF_TRY( amm_swap_base_out( s, first, second ) );
  }
  amm_move_tokens( s );
  amm_update_pool( s );
  return 0;
}
