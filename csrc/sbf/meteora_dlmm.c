/* Meteora DLMM (LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo), emulated: swap, swap2, swap_exact_out and
   swap_exact_out2, with checks of accounts, the program's integer results over bins and limit orders, fees,
   volatility and bin amounts written back, its event by self-call, and error numbers.  Its other
   instructions are refused.  With DLMM_OLDER defined it is the build before limit orders.

   What it leaves out: a host's fee, transfer hooks, rewards and the oracle's observations.

   Sources: MeteoraAg/dlmm-sdk idls/dlmm.json, commons/src/{quote,pda}.rs and extensions/; recorded swaps. */

#include "sbf/anchor_event.h"
#include "sbf/meteora_dlmm_math.h"

static uint8_t const DLMM_PROGRAM[32] = { 0x04, 0xe9, 0xe1, 0x2f, 0xbc, 0x84, 0xe8, 0x26, 0xc9, 0x32, 0xcc,
                                          0xe9, 0xe2, 0x64, 0x0c, 0xce, 0x15, 0x59, 0x0c, 0x1c, 0x62, 0x73,
                                          0xb0, 0x92, 0x57, 0x08, 0xba, 0x3b, 0x85, 0x20, 0xb0, 0xbc };

/* D1ZN9Wj1fRSUQfCjhvnu1hqDMT7hzjzBBpi12nVniYD6, from "__event_authority" with bump 255 */
static uint8_t const DLMM_EVENT_AUTHORITY[32] = { 0xb2, 0x70, 0xd6, 0x7f, 0xa9, 0x8c, 0x51, 0xcf, 0x02, 0x13, 0x05,
                                                  0x13, 0x58, 0x96, 0x2b, 0xaf, 0x35, 0x74, 0x2b, 0xed, 0x59, 0xc9,
                                                  0xd9, 0x44, 0x5e, 0x9c, 0x0d, 0x0c, 0x85, 0xc7, 0xcd, 0x91 };
#define DLMM_EVENT_BUMP 255

/* MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr */
static uint8_t const MEMO_PROGRAM[32] = { 0x05, 0x4a, 0x53, 0x5a, 0x99, 0x29, 0x21, 0x06, 0x4d, 0x24, 0xe8,
                                          0x71, 0x60, 0xda, 0x38, 0x7c, 0x7c, 0x35, 0xb5, 0xdd, 0xbc, 0x92,
                                          0xbb, 0x81, 0xe4, 0x1f, 0xa8, 0x40, 0x41, 0x05, 0x44, 0x8d };

/* First eight bytes of sha256 of "global:...", "account:...", "event:...", as little-endian words. */
#define DLMM_SWAP           0xc88775e1919ec6f8UL
#define DLMM_SWAP2          0x885b5beb4c3f4b41UL
#define DLMM_EXACT_OUT      0xb84bcf26216549faUL
#define DLMM_EXACT_OUT2     0x51f33c8984f7d72bUL
#define DLMM_PAIR           0x0db165b562310b21UL
#define DLMM_ARRAY          0xb5469405dc5c8e5cUL
#define DLMM_EXTENSION      0x0512ed37717c6f50UL
#define DLMM_ORACLE         0xf4e5b38cb383c28bUL
#define DLMM_SWAP_EVENT     0xc40ad0cdbee36c51UL /* Swap, before limit orders */
#define DLMM_SWAP_EVENT_NEW 0x4d541b94d752742eUL /* Swap2Evt */

ANCHOR_ERROR( DLMM_ERROR_INPUT, DLMM_INVALID_INPUT, "InvalidInput", "Invalid input data" );
ANCHOR_ERROR( DLMM_ERROR_SLIPPAGE, DLMM_SLIPPAGE, "ExceededAmountSlippageTolerance",
              "Exceeded amount slippage tolerance" );
ANCHOR_ERROR( DLMM_ERROR_NO_ARRAY, DLMM_NO_ARRAY, "BinArrayNotFound", "Bin array not found" );
ANCHOR_ERROR( DLMM_ERROR_LIQUIDITY, DLMM_LIQUIDITY, "PairInsufficientLiquidity", "Pair insufficient liquidity" );
ANCHOR_ERROR( DLMM_ERROR_OVERFLOW, DLMM_OVERFLOW, "MathOverflow", "Math operation overflow" );
ANCHOR_ERROR( DLMM_ERROR_NO_EXTENSION, DLMM_NO_EXTENSION, "BitmapExtensionAccountIsNotProvided",
              "Bitmap extension account is not provided" );
ANCHOR_ERROR( DLMM_ERROR_NOT_MARKED, DLMM_NOT_MARKED, "CannotFindNonZeroLiquidityBinArrayId",
              "Cannot find non-zero liquidity binArrayId" );
ANCHOR_ERROR( DLMM_ERROR_NO_OUTPUT, DLMM_NO_OUTPUT, "InsufficientOutAmount", "Insufficient out amount" );
ANCHOR_ERROR( DLMM_ERROR_DISABLED, DLMM_DISABLED, "PoolDisabled", "Pool disabled" );
ANCHOR_ERROR( DLMM_ERROR_UNDETERMINED, DLMM_UNDETERMINED, "UndeterminedError", "Undetermined error" );

static anchor_error_t const * const DLMM_ERRORS[] = {
  &DLMM_ERROR_INPUT,    &DLMM_ERROR_SLIPPAGE,     &DLMM_ERROR_NO_ARRAY,   &DLMM_ERROR_LIQUIDITY,
  &DLMM_ERROR_OVERFLOW, &DLMM_ERROR_NO_EXTENSION, &DLMM_ERROR_NOT_MARKED, &DLMM_ERROR_NO_OUTPUT,
  &DLMM_ERROR_DISABLED, &DLMM_ERROR_UNDETERMINED,
};

/* The first accounts of a swap, in the order of the instruction.  The forms with 2 name the memo program before
   the event authority; then come the program itself and bin arrays. */
typedef struct dlmm_accounts {
  sbf_account_t pair, extension, reserve[2], input, output, mint[2], oracle, host, user, program[2];
} dlmm_accounts_t;

#define DLMM_ACCOUNT_COUNT     13
#define DLMM_ACCOUNT_COUNT_MAX 40
#define DLMM_EVENT_SIZE        172

/* One swap, in the heap. */
typedef struct dlmm_call {
  union {
    dlmm_accounts_t accounts;
    sbf_account_t account[DLMM_ACCOUNT_COUNT_MAX];
  };
  sbf_instruction_t instruction;
  sbf_clock_t clock;
  sbf_account_t const * event_authority;
  uint64_t fixed; /* accounts before the bin arrays */
  uint64_t threshold;
  dlmm_swap_t swap;
  uint8_t event[DLMM_EVENT_SIZE];
} dlmm_call_t;

SBF_FUNCTION uint64_t dlmm_refuse( uint64_t code ) {
  return anchor_fail( 0, anchor_find( DLMM_ERRORS, sizeof( DLMM_ERRORS ) / sizeof( DLMM_ERRORS[0] ), code ) );
}

/* ---- accounts ---------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t dlmm_read_accounts( dlmm_call_t const * c ) {
  dlmm_accounts_t const * a = &c->accounts;
  SBF_TRY( anchor_check_owned( &a->pair, "lb_pair", DLMM_PROGRAM, DLMM_PAIR ) );
  SBF_REQUIRE( a->pair.data_len >= PAIR_SIZE, "lb_pair is too short" );
  if( !sbf_key_equal( a->extension.key, DLMM_PROGRAM ) ) {
    SBF_TRY( anchor_check_owned( &a->extension, "bin_array_bitmap_extension", DLMM_PROGRAM, DLMM_EXTENSION ) );
    SBF_REQUIRE( a->extension.data_len >= EXTENSION_SIZE, "bin_array_bitmap_extension is too short" );
  }
  SBF_TRY( anchor_check_token_account( &a->reserve[0], "reserve_x" ) );
  SBF_TRY( anchor_check_token_account( &a->reserve[1], "reserve_y" ) );
  SBF_TRY( anchor_check_token_account( &a->input, "user_token_in" ) );
  SBF_TRY( anchor_check_token_account( &a->output, "user_token_out" ) );
  SBF_TRY( anchor_check_mint( &a->mint[0], "token_x_mint" ) );
  SBF_TRY( anchor_check_mint( &a->mint[1], "token_y_mint" ) );
  SBF_TRY( anchor_check_owned( &a->oracle, "oracle", DLMM_PROGRAM, DLMM_ORACLE ) );
  SBF_REQUIRE( sbf_key_equal( a->host.key, DLMM_PROGRAM ), "a host's fee is not emulated" );
  ANCHOR_REQUIRE( a->user.is_signer, "user", ANCHOR_NOT_SIGNER );
  SBF_TRY( anchor_check_token_program( &a->program[0], "token_x_program" ) );
  return anchor_check_token_program( &a->program[1], "token_y_program" );
}

SBF_FUNCTION uint64_t dlmm_check_side( dlmm_accounts_t const * a, uint64_t side ) {
  uint8_t const * pair = a->pair.data;
  ANCHOR_REQUIRE( sbf_key_equal( a->reserve[side].key, pair + PAIR_RESERVES + 32 * side ), "lb_pair", ANCHOR_HAS_ONE );
  ANCHOR_REQUIRE( sbf_key_equal( a->mint[side].key, pair + PAIR_MINTS + 32 * side ), "lb_pair", ANCHOR_HAS_ONE );
  ANCHOR_REQUIRE( a->reserve[side].is_writable, side ? "reserve_y" : "reserve_x", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( sbf_key_equal( a->mint[side].owner, a->program[side].key ),
                  side ? "token_y_program" : "token_x_program", ANCHOR_TOKEN_PROGRAM );
  return 0;
}

SBF_FUNCTION uint64_t dlmm_check_constraints( dlmm_call_t const * c ) {
  dlmm_accounts_t const * a = &c->accounts;
  ANCHOR_REQUIRE( a->pair.is_writable, "lb_pair", ANCHOR_CONSTRAINT_MUT );
  SBF_TRY( dlmm_check_side( a, 0 ) );
  SBF_TRY( dlmm_check_side( a, 1 ) );
  ANCHOR_REQUIRE( sbf_key_equal( a->oracle.key, a->pair.data + PAIR_ORACLE ), "lb_pair", ANCHOR_HAS_ONE );
  if( !sbf_key_equal( a->extension.key, DLMM_PROGRAM ) )
    ANCHOR_REQUIRE( sbf_key_equal( a->extension.data + EXTENSION_PAIR, a->pair.key ), "bin_array_bitmap_extension",
                    ANCHOR_HAS_ONE );
  ANCHOR_REQUIRE( a->input.is_writable, "user_token_in", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->output.is_writable, "user_token_out", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->oracle.is_writable, "oracle", ANCHOR_CONSTRAINT_MUT );
  if( c->fixed == DLMM_ACCOUNT_COUNT + 3 )
    ANCHOR_REQUIRE( sbf_key_equal( c->account[DLMM_ACCOUNT_COUNT].key, MEMO_PROGRAM ), "memo_program",
                    ANCHOR_INVALID_PROGRAM_ID );
  ANCHOR_REQUIRE( sbf_key_equal( c->event_authority->key, DLMM_EVENT_AUTHORITY ), "event_authority",
                  ANCHOR_CONSTRAINT_SEEDS );
  return 0;
}

/* dlmm_read_arrays takes the bin arrays behind the fixed accounts. */
SBF_FUNCTION uint64_t dlmm_read_arrays( dlmm_call_t * c ) {
  uint64_t count = c->instruction.account_count;
  SBF_REQUIRE( count <= c->fixed + DLMM_ARRAYS_MAX, "more bin arrays than are emulated" );
  for( uint64_t i = c->fixed; i < count; i++ ) {
    sbf_account_t const * account = c->account + i;
    if( !sbf_key_equal( account->owner, DLMM_PROGRAM ) ) continue; /* an array that was never made */
    SBF_TRY( anchor_check_owned( account, 0, DLMM_PROGRAM, DLMM_ARRAY ) );
    ANCHOR_REQUIRE( account->is_writable, 0, ANCHOR_NOT_MUTABLE );
    bool own = account->data_len >= ARRAY_SIZE && sbf_key_equal( account->data + ARRAY_PAIR, c->accounts.pair.key );
    ANCHOR_REQUIRE( own, 0, DLMM_ERROR_NO_ARRAY );
    c->swap.array[c->swap.array_count++] = account->data;
  }
  return 0;
}

/* ---- tokens --------------------------------------------------------------------------------------- */

/* dlmm_seeds writes what the pair's address is derived from, by its type, and returns how many. */
SBF_FUNCTION uint64_t dlmm_seeds( sbf_bytes_t * seeds, uint8_t const * pair ) {
  uint8_t const *x = pair + PAIR_MINTS, *y = x + 32;
  uint64_t type = pair[PAIR_TYPE], n = 0, byte = 0;
  while( byte < 31 && x[byte] == y[byte] ) byte++;
  bool swapped = y[byte] < x[byte];
  if( type != DLMM_PERMISSIONLESS ) seeds[n++] = ( sbf_bytes_t ){ pair + PAIR_BASE_KEY, 32 };
  seeds[n++] = ( sbf_bytes_t ){ swapped ? y : x, 32 };
  seeds[n++] = ( sbf_bytes_t ){ swapped ? x : y, 32 };
  if( type <= DLMM_PERMISSION ) seeds[n++] = ( sbf_bytes_t ){ pair + PAIR_STEP_SEED, 2 };
  if( type == DLMM_PERMISSIONLESS && pair[PAIR_BASE_SEED_NEEDED] )
    seeds[n++] = ( sbf_bytes_t ){ pair + PAIR_BASE_SEED, 2 };
  seeds[n++] = ( sbf_bytes_t ){ pair + PAIR_BUMP, 1 };
  return n;
}

SBF_FUNCTION void dlmm_move_tokens( dlmm_call_t const * c ) {
  dlmm_accounts_t const * a = &c->accounts;
  uint64_t side             = !c->swap.x_to_y;
  sbf_bytes_t seeds[5];
  sbf_signer_t signer  = { seeds, dlmm_seeds( seeds, a->pair.data ) };
  token_transfer_t in  = { &a->program[side], &a->input, &a->mint[side], &a->reserve[side], &a->user, 0 };
  token_transfer_t out = { &a->program[!side], &a->reserve[!side], &a->mint[!side], &a->output, &a->pair, &signer };
  token_transfer( &in, c->swap.sent );
  token_transfer( &out, c->swap.out );
}

/* ---- the event -------------------------------------------------------------------------------------- */

SBF_FUNCTION uint8_t * dlmm_put( uint8_t * at, uint64_t value ) {
  sbf_put_u64( at, value );
  return at + 8;
}

/* dlmm_put_head writes pair, user and the active bins before and after. */
SBF_FUNCTION uint8_t * dlmm_put_head( dlmm_call_t * c, uint64_t tag ) {
  uint8_t * at = dlmm_put( c->event + 8, tag );
  sbf_key_copy( at, c->accounts.pair.key );
  sbf_key_copy( at + 32, c->accounts.user.key );
  dlmm_put_u32( at + 64, (uint64_t)c->swap.start );
  dlmm_put_u32( at + 68, (uint64_t)c->swap.active );
  return at + 72;
}

SBF_FUNCTION uint8_t * dlmm_put_newest( dlmm_call_t * c ) {
  dlmm_swap_t const * s = &c->swap;
  uint8_t * at          = dlmm_put_head( c, DLMM_SWAP_EVENT_NEW );
  *at++                 = s->x_to_y;
  at                    = dlmm_put( at, s->rate );
  at                    = dlmm_put( at, 0 );
  at                    = dlmm_put( at, s->in );
  at                    = dlmm_put( at, 0 ); /* left */
  at                    = dlmm_put( at, s->out );
  at                    = dlmm_put( at, s->fee - s->order_fee - s->protocol_fee + s->over );
  at                    = dlmm_put( at, s->protocol_fee );
  at                    = dlmm_put( at, s->order_fee );
  at                    = dlmm_put( at, 0 ); /* of a host */
  *at++                 = s->fee_on_input;
  *at++                 = s->fee_on_input && s->x_to_y;
  return at;
}

SBF_FUNCTION uint8_t * dlmm_put_older( dlmm_call_t * c ) {
  dlmm_swap_t const * s = &c->swap;
  uint8_t * at          = dlmm_put_head( c, DLMM_SWAP_EVENT );
  at                    = dlmm_put( at, s->in );
  at                    = dlmm_put( at, s->out );
  *at++                 = s->x_to_y;
  at                    = dlmm_put( at, s->fee );
  at                    = dlmm_put( at, s->protocol_fee );
  at                    = dlmm_put( at, s->rate );
  at                    = dlmm_put( at, 0 );
  return dlmm_put( at, 0 ); /* of a host */
}

SBF_FUNCTION void dlmm_emit( dlmm_call_t * c ) {
  uint8_t const * end  = c->swap.newest ? dlmm_put_newest( c ) : dlmm_put_older( c );
  anchor_event_t event = { DLMM_PROGRAM, c->event_authority, c->event, (uint64_t)( end - c->event ), DLMM_EVENT_BUMP };
  anchor_event_send( &event );
}

/* ---- the instructions -------------------------------------------------------------------------------- */

SBF_FUNCTION void dlmm_read( dlmm_call_t * c ) {
  dlmm_accounts_t const * a = &c->accounts;
  dlmm_swap_t * s           = &c->swap;
  s->pair                   = a->pair.data;
  s->extension              = sbf_key_equal( a->extension.key, DLMM_PROGRAM ) ? 0 : a->extension.data;
  s->x_to_y                 = sbf_key_equal( token_account_mint( &a->output ), a->mint[1].key );
  s->now                    = (uint64_t)c->clock.unix_timestamp;
  s->slot                   = c->clock.slot;
#ifndef DLMM_OLDER
  s->newest = true;
#endif
  token_fee_read( &s->transfer_in, &a->mint[!s->x_to_y], c->clock.epoch );
  token_fee_read( &s->transfer_out, &a->mint[s->x_to_y], c->clock.epoch );
}

/* dlmm_read_kind finds which instruction it is and reads its data. */
SBF_FUNCTION uint64_t dlmm_read_kind( dlmm_call_t * c, uint64_t kind ) {
  sbf_instruction_t const * instruction = &c->instruction;
  bool two                              = kind == DLMM_SWAP2 || kind == DLMM_EXACT_OUT2;
  switch( kind ) {
  case DLMM_SWAP: SBF_LOG( "Instruction: Swap" ); break;
  case DLMM_SWAP2: SBF_LOG( "Instruction: Swap2" ); break;
  case DLMM_EXACT_OUT: SBF_LOG( "Instruction: SwapExactOut" ); break;
  case DLMM_EXACT_OUT2: SBF_LOG( "Instruction: SwapExactOut2" ); break;
  default:
    SBF_LOG( "only swaps for exact amounts are emulated; load the real program for others" );
    return anchor_fail( 0, &ANCHOR_FALLBACK_NOT_FOUND );
  }
  ANCHOR_REQUIRE( instruction->data_len >= 24 + 4 * (uint64_t)two, 0, ANCHOR_DID_NOT_DESERIALIZE );
  uint64_t first = sbf_u64( instruction->data + 8 ), second = sbf_u64( instruction->data + 16 );
  c->swap.exact_out  = kind == DLMM_EXACT_OUT || kind == DLMM_EXACT_OUT2;
  c->swap.amount     = c->swap.exact_out ? second : first;
  c->threshold       = c->swap.exact_out ? first : second;
  c->fixed           = DLMM_ACCOUNT_COUNT + ( two ? 3 : 2 );
  c->event_authority = c->account + c->fixed - 2;
  if( !two ) return 0;
  uint64_t slices = dlmm_u32( instruction->data + 24 ); /* of accounts for hooks: a kind and how many */
  ANCHOR_REQUIRE( instruction->data_len >= 28 + 2 * slices, 0, ANCHOR_DID_NOT_DESERIALIZE );
  for( uint64_t i = 0; i < slices; i++ )
    SBF_REQUIRE( !instruction->data[29 + 2 * i], "transfer hooks are not emulated" );
  return 0;
}

uint64_t entrypoint( uint8_t * input ) {
  dlmm_call_t * c = SBF_HEAP;
  sbf_parse( input, c->account, DLMM_ACCOUNT_COUNT_MAX, &c->instruction );
  sbf_instruction_t const * instruction = &c->instruction;
  uint64_t kind                         = instruction->data_len >= 8 ? sbf_u64( instruction->data ) : 0;
  if( kind == ANCHOR_EVENT_TAG ) return anchor_event_receive( instruction, c->account, DLMM_EVENT_AUTHORITY );

  SBF_LOG( "sniperforge emulation of Meteora DLMM" );
  ANCHOR_REQUIRE( sbf_key_equal( instruction->program_id, DLMM_PROGRAM ), 0, ANCHOR_WRONG_PROGRAM );
  SBF_TRY( dlmm_read_kind( c, kind ) );
  ANCHOR_REQUIRE( instruction->account_count >= c->fixed, 0, ANCHOR_NOT_ENOUGH_KEYS );
  SBF_TRY( dlmm_read_accounts( c ) );
  SBF_TRY( dlmm_check_constraints( c ) );
  SBF_TRY( dlmm_read_arrays( c ) );
  sol_get_clock_sysvar( &c->clock );
  dlmm_read( c );

  uint64_t code = dlmm_run( &c->swap );
  if( code ) return dlmm_refuse( code );
  bool bad = c->swap.exact_out ? c->swap.sent > c->threshold : c->swap.received < c->threshold;
  if( bad ) return dlmm_refuse( DLMM_SLIPPAGE );
  dlmm_move_tokens( c );
  dlmm_emit( c );
  return 0;
}
