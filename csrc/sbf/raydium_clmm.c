/* Raydium CLMM (CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK), emulated: swap and swap_v2, with the
   program's checks in their order, its integer results, its fee growth, rewards and price observations,
   fees from one token only, fees by volatility, limit orders, error numbers and SwapEvent.  Its other
   instructions are refused.  Where the program would go round until its compute units end, the emulation
   stops at once.

   Source: raydium-io/raydium-clmm instructions/{swap,swap_v2}.rs, states/{pool,oracle}.rs, util/token.rs,
   error.rs. */

#include "sbf/raydium_clmm_swap.h"
#include "sbf/token_fee.h"
#include "sbf/token_transfer.h"

extern uint64_t sol_try_find_program_address( sbf_bytes_t const * seeds, uint64_t seed_count,
                                              uint8_t const * program_id, uint8_t * address, uint8_t * bump );

/* CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK */
static uint8_t const CLMM_PROGRAM[32] = { 0xa5, 0xd5, 0xca, 0x9e, 0x04, 0xcf, 0x5d, 0xb5, 0x90, 0xb7, 0x14,
                                          0xba, 0x2f, 0xe3, 0x2c, 0xb1, 0x59, 0x13, 0x3f, 0xc1, 0xc1, 0x92,
                                          0xb7, 0x22, 0x57, 0xfd, 0x07, 0xd3, 0x9c, 0xb0, 0x40, 0x1e };

/* MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr */
static uint8_t const MEMO_PROGRAM[32] = { 0x05, 0x4a, 0x53, 0x5a, 0x99, 0x29, 0x21, 0x06, 0x4d, 0x24, 0xe8,
                                          0x71, 0x60, 0xda, 0x38, 0x7c, 0x7c, 0x35, 0xb5, 0xdd, 0xbc, 0x92,
                                          0xbb, 0x81, 0xe4, 0x1f, 0xa8, 0x40, 0x41, 0x05, 0x44, 0x8d };

#define CLMM_SWAP        0xc88775e1919ec6f8UL
#define CLMM_SWAP_V2     0x621ec91a0bed042bUL
#define CLMM_CONFIG      0x6f2bcbcb6821f4daUL
#define CLMM_POOL        0x46dec3d7f5e3edf7UL
#define CLMM_OBSERVATION 0x84a5098135c5ae7aUL
#define CLMM_SWAP_EVENT  0xe2710826e8cdc640UL

#define CLMM_STATUS_FROZEN 255

/* Offsets in an observation account. */
enum {
  OBSERVATION_INITIALIZED = 8,
  OBSERVATION_INDEX       = 17,
  OBSERVATION_POOL        = 19,
  OBSERVATION_ENTRIES     = 51,
  OBSERVATION_ENTRY_SIZE  = 44, /* u32 time, i64 cumulated tick, 32 bytes */
  OBSERVATION_ENTRY_COUNT = 100,
  OBSERVATION_SIZE        = 4483,
  OBSERVATION_SECONDS     = 15, /* least time between two entries */
};

static anchor_error_t const CLMM_ERRORS[] = {
  { "RequireEqViolated", "A require_eq expression was violated", CLMM_NOT_EQUAL },
  { "RequireKeysEqViolated", "A require_keys_eq expression was violated", CLMM_KEYS_NOT_EQUAL },
  { "RequireGtViolated", "A require_gt expression was violated", CLMM_NOT_GREATER },
  { "RequireGteViolated", "A require_gte expression was violated", CLMM_LESS },
  { "NotApproved", "Not approved", CLMM_NOT_APPROVED },
  { "InvalidTickArray", "Invalid tick array account", CLMM_INVALID_TICK_ARRAY },
  { "SqrtPriceLimitOverflow", "Square root price limit overflow", CLMM_PRICE_LIMIT },
  { "SqrtPriceX64", "sqrt_price_x64 out of range", CLMM_PRICE_RANGE },
  { "LiquiditySubValueErr", "Liquidity sub delta L must be smaller than before", CLMM_LIQUIDITY_SUB },
  { "LiquidityAddValueErr", "Liquidity add delta L must be greater, or equal to before", CLMM_LIQUIDITY_ADD },
  { "LiquidityInsufficient", "Liquidity insufficient", CLMM_NO_LIQUIDITY },
  { "TooLittleOutputReceived", "Too little output received", CLMM_TOO_LITTLE_OUTPUT },
  { "TooMuchInputPaid", "Too much input paid", CLMM_TOO_MUCH_INPUT },
  { "ZeroAmountSpecified", "Swap special amount can not be zero", CLMM_ZERO_AMOUNT },
  { "InvalidInputPoolVault", "Input pool vault is invalid", CLMM_INVALID_VAULT },
  { "TooSmallInputOrOutputAmount", "Swap input or output amount is too small", CLMM_TOO_SMALL },
  { "NotEnoughTickArrayAccount", "Not enough tick array account", CLMM_NOT_ENOUGH_ARRAYS },
  { "InvalidFirstTickArrayAccount", "Invalid first tick array account", CLMM_INVALID_FIRST_ARRAY },
  { "MissingTickArrayBitmapExtensionAccount", "Missing tickarray bitmap extension account", CLMM_MISSING_EXTENSION },
  { "InsufficientLiquidityForDirection", "Insufficient liquidity for this direction", CLMM_NO_DIRECTION },
  { "MaxTokenOverflow", "Max token overflow", CLMM_TOKEN_OVERFLOW },
  { "CalculateOverflow", "Calculate overflow", CLMM_OVERFLOW },
  { "InvalidLimitOrderAmount", "Invalid limit order amount", CLMM_INVALID_ORDER_AMOUNT },
};

/* The accounts that both instructions name, in their order; behind them swap has its first tick array, swap_v2
   the Token-2022 program, the memo program and the mints. */
typedef struct clmm_accounts {
  sbf_account_t payer, config, pool, input_account, output_account, input_vault, output_vault, observation,
      token_program, token_program_2022, memo_program, input_mint, output_mint;
} clmm_accounts_t;

#define CLMM_COUNT_V1     9
#define CLMM_COUNT_V2     13
#define CLMM_MAX_ACCOUNTS 40

/* One transaction's instruction, in the heap. */
typedef struct clmm_trade {
  union {
    sbf_account_t accounts[CLMM_MAX_ACCOUNTS];
    clmm_accounts_t a;
  };
  sbf_instruction_t instruction;
  sbf_clock_t clock;
  bool v2;
  uint64_t amount, threshold;
  token_fee_t input_fee, output_fee;
  uint64_t swapped, gave; /* as the pool sees it */
  uint64_t input_transfer_fee, output_transfer_fee;
  uint64_t amount_in; /* as the user sends it */
  clmm_swap_t swap;
} clmm_trade_t;

/* ---- accounts ---------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t clmm_check_token( clmm_trade_t const * t, sbf_account_t const * account, char const * name ) {
  if( t->v2 ) return anchor_check_token_account( account, name );
  SBF_TRY( anchor_check_exists( account, name ) );
  ANCHOR_REQUIRE( sbf_key_equal( account->owner, TOKEN_PROGRAM ), name, ANCHOR_WRONG_OWNER );
  return token_account_check( account );
}

SBF_FUNCTION uint64_t clmm_check_program( sbf_account_t const * account, uint8_t const * key, char const * name ) {
  ANCHOR_REQUIRE( sbf_key_equal( account->key, key ), name, ANCHOR_INVALID_PROGRAM_ID );
  ANCHOR_REQUIRE( account->executable, name, ANCHOR_NOT_EXECUTABLE );
  return 0;
}

SBF_FUNCTION uint64_t clmm_read_accounts( clmm_trade_t const * t ) {
  clmm_accounts_t const * a = &t->a;
  ANCHOR_REQUIRE( a->payer.is_signer, "payer", ANCHOR_NOT_SIGNER );
  SBF_TRY( anchor_check_exists( &a->config, "amm_config" ) );
  SBF_TRY( anchor_check_owned( &a->config, "amm_config", CLMM_PROGRAM, CLMM_CONFIG ) );
  ANCHOR_REQUIRE( a->config.data_len >= CONFIG_SIZE, "amm_config", ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE );
  SBF_TRY( anchor_check_owned( &a->pool, "pool_state", CLMM_PROGRAM, CLMM_POOL ) );
  SBF_TRY( clmm_check_token( t, &a->input_account, "input_token_account" ) );
  SBF_TRY( clmm_check_token( t, &a->output_account, "output_token_account" ) );
  SBF_TRY( clmm_check_token( t, &a->input_vault, "input_vault" ) );
  SBF_TRY( clmm_check_token( t, &a->output_vault, "output_vault" ) );
  SBF_TRY( anchor_check_owned( &a->observation, "observation_state", CLMM_PROGRAM, CLMM_OBSERVATION ) );
  SBF_TRY( clmm_check_program( &a->token_program, TOKEN_PROGRAM, "token_program" ) );
  if( !t->v2 ) return anchor_check_owned( &t->accounts[CLMM_COUNT_V1], "tick_array", CLMM_PROGRAM, CLMM_TICK_ARRAY );
  SBF_TRY( clmm_check_program( &a->token_program_2022, TOKEN_2022_PROGRAM, "token_program_2022" ) );
  SBF_TRY( clmm_check_program( &a->memo_program, MEMO_PROGRAM, "memo_program" ) );
  SBF_TRY( anchor_check_mint( &a->input_mint, "input_vault_mint" ) );
  return anchor_check_mint( &a->output_mint, "output_vault_mint" );
}

SBF_FUNCTION uint64_t clmm_check_constraints( clmm_trade_t const * t ) {
  clmm_accounts_t const * a   = &t->a;
  uint8_t const * pool        = a->pool.data;
  sbf_account_t const * array = &t->accounts[CLMM_COUNT_V1];
  SBF_REQUIRE( a->pool.data_len >= POOL_SIZE, "pool_state is too short" );
  SBF_REQUIRE( a->observation.data_len >= OBSERVATION_SIZE, "observation_state is too short" );
  ANCHOR_REQUIRE( sbf_key_equal( a->config.key, pool + POOL_CONFIG ), "amm_config", ANCHOR_CONSTRAINT_ADDRESS );
  ANCHOR_REQUIRE( a->pool.is_writable, "pool_state", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->input_account.is_writable, "input_token_account", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->output_account.is_writable, "output_token_account", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->input_vault.is_writable, "input_vault", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->output_vault.is_writable, "output_vault", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( a->observation.is_writable, "observation_state", ANCHOR_CONSTRAINT_MUT );
  ANCHOR_REQUIRE( sbf_key_equal( a->observation.key, pool + POOL_OBSERVATION ), "observation_state",
                  ANCHOR_CONSTRAINT_ADDRESS );
  if( !t->v2 ) {
    ANCHOR_REQUIRE( array->is_writable, "tick_array", ANCHOR_CONSTRAINT_MUT );
    SBF_REQUIRE( array->data_len >= ARRAY_SIZE, "tick_array is too short" );
    ANCHOR_REQUIRE( sbf_key_equal( array->data + ARRAY_POOL, a->pool.key ), "tick_array", ANCHOR_CONSTRAINT_RAW );
    return 0;
  }
  ANCHOR_REQUIRE( sbf_key_equal( a->input_mint.key, token_account_mint( &a->input_vault ) ), "input_vault_mint",
                  ANCHOR_CONSTRAINT_ADDRESS );
  ANCHOR_REQUIRE( sbf_key_equal( a->output_mint.key, token_account_mint( &a->output_vault ) ), "output_vault_mint",
                  ANCHOR_CONSTRAINT_ADDRESS );
  return 0;
}

/* clmm_read_arrays takes the tick arrays and the extension from the accounts behind the fixed ones. */
SBF_FUNCTION uint64_t clmm_read_arrays( clmm_trade_t * t ) {
  clmm_arrays_t * arrays = &t->swap.arrays;
  uint64_t fixed = t->v2 ? CLMM_COUNT_V2 : CLMM_COUNT_V1, count = t->instruction.account_count;
  uint8_t key[32], bump;
  sbf_bytes_t seeds[2] = { { (uint8_t const *)"pool_tick_array_bitmap_extension", 32 }, { t->a.pool.key, 32 } };
  sol_try_find_program_address( seeds, 2, CLMM_PROGRAM, key, &bump );
  SBF_REQUIRE( count <= CLMM_MAX_ACCOUNTS, "the emulation reads at most 40 accounts" );
  for( uint64_t i = fixed; i < count; i++ ) {
    sbf_account_t const * account = &t->accounts[i];
    if( ( t->v2 || i > fixed ) && sbf_key_equal( account->key, key ) ) {
      SBF_TRY( anchor_check_owned( account, 0, CLMM_PROGRAM, CLMM_EXTENSION ) );
      SBF_REQUIRE( account->data_len >= EXTENSION_SIZE, "the bitmap extension is too short" );
      arrays->extension = account->data;
      continue;
    }
    if( t->v2 && account->data_len != ARRAY_SIZE ) break;
    SBF_TRY( clmm_check_array( account, CLMM_PROGRAM ) );
    SBF_REQUIRE( arrays->count < CLMM_MAX_ARRAYS, "the emulation takes at most 16 tick arrays" );
    arrays->accounts[arrays->count++] = account;
  }
  return 0;
}

/* ---- what the swap leaves behind -------------------------------------------------------------------- */

SBF_FUNCTION void clmm_observe( clmm_trade_t const * t, int64_t tick_before ) {
  uint8_t * data = t->a.observation.data;
  uint64_t index = sbf_u16( data + OBSERVATION_INDEX ), now = (uint32_t)t->clock.unix_timestamp;
  SBF_REQUIRE( index < OBSERVATION_ENTRY_COUNT, "index out of bounds" );
  uint8_t * entry = data + OBSERVATION_ENTRIES + OBSERVATION_ENTRY_SIZE * index;
  if( !data[OBSERVATION_INITIALIZED] ) {
    data[OBSERVATION_INITIALIZED] = 1;
    tick_put_i32( entry, (int64_t)now );
    sbf_put_u64( entry + 4, 0 );
    return;
  }
  uint64_t last = clmm_u32( entry ), seconds = now > last ? now - last : 0;
  if( seconds < OBSERVATION_SECONDS ) return;
  index          = index == OBSERVATION_ENTRY_COUNT - 1 ? 0 : index + 1;
  uint8_t * next = data + OBSERVATION_ENTRIES + OBSERVATION_ENTRY_SIZE * index;
  tick_put_i32( next, (int64_t)now );
  sbf_put_u64( next + 4, sbf_u64( entry + 4 ) + (uint64_t)tick_before * seconds );
  sbf_put_u16( data + OBSERVATION_INDEX, (uint16_t)index );
}

SBF_FUNCTION uint64_t clmm_add( uint8_t * counter, uint64_t amount ) {
  sbf_put_u64( counter, sbf_u64( counter ) + amount );
  return sbf_u64( counter ) < amount ? CLMM_OVERFLOW : 0;
}

SBF_FUNCTION uint64_t clmm_add_wide( uint8_t * counter, uint64_t amount ) {
  sbf_u128_t before = sbf_u128_at( counter ), sum = sbf_u128_add( before, sbf_u128( amount ) );
  sbf_put_u128( counter, sum );
  return sbf_u128_less( sum, before ) ? CLMM_OVERFLOW : 0;
}

SBF_FUNCTION uint64_t clmm_update_pool( clmm_trade_t const * t ) {
  clmm_swap_t const * s = &t->swap;
  uint8_t * pool        = s->pool;
  uint64_t side         = s->fee_side;
  sbf_put_u128( pool + POOL_LIQUIDITY, s->liquidity );
  sbf_put_u128( pool + POOL_PRICE, s->price );
  tick_put_i32( pool + POOL_TICK, s->tick );
  sbf_put_u128( pool + POOL_FEE_GROWTH + 16 * side, s->growth[side] );
  sbf_put_u64( pool + POOL_EPOCH, s->epoch );
  SBF_TRY( clmm_add( pool + POOL_TOTAL_FEES + 16 * side, s->lp_fee ) );
  SBF_TRY( clmm_add( pool + POOL_PROTOCOL_FEES + 8 * side, s->protocol_fee ) );
  SBF_TRY( clmm_add( pool + POOL_FUND_FEES + 8 * side, s->fund_fee ) );
  uint8_t * swapped = pool + POOL_SWAPPED + ( s->a_to_b ? 0 : 32 );
  SBF_TRY( clmm_add_wide( swapped, t->swapped ) );
  return clmm_add_wide( swapped + 16, t->gave );
}

SBF_FUNCTION void clmm_move_tokens( clmm_trade_t const * t ) {
  clmm_accounts_t const * a = &t->a;
  uint8_t * pool            = a->pool.data;
  sbf_bytes_t seeds[5]      = {
         { (uint8_t const *)"pool", 4 }, { pool + POOL_CONFIG, 32 }, { pool + POOL_MINT, 32 },
         { pool + POOL_MINT + 32, 32 },  { pool + POOL_BUMP, 1 },
  };
  sbf_signer_t signer = { seeds, 5 };
  if( !t->v2 ) {
    token_transfer_plain( &a->input_account, &a->input_vault, &a->payer, t->amount_in, 0 );
    token_transfer_plain( &a->output_vault, &a->output_account, &a->pool, t->gave, &signer );
    return;
  }
  bool newer_in       = sbf_key_equal( a->input_account.owner, TOKEN_2022_PROGRAM );
  bool newer_out      = sbf_key_equal( a->output_vault.owner, TOKEN_2022_PROGRAM );
  token_transfer_t in = { newer_in ? &a->token_program_2022 : &a->token_program,
                          &a->input_account,
                          &a->input_mint,
                          &a->input_vault,
                          &a->payer,
                          0 };
  token_transfer( &in, t->amount_in );
  if( token_account_amount( &a->output_vault ) <= t->gave ) pool[POOL_STATUS] = CLMM_STATUS_FROZEN;
  token_transfer_t out = { newer_out ? &a->token_program_2022 : &a->token_program,
                           &a->output_vault,
                           &a->output_mint,
                           &a->output_account,
                           &a->pool,
                           &signer };
  token_transfer( &out, t->gave );
}

SBF_FUNCTION void clmm_emit( clmm_trade_t const * t ) {
  clmm_swap_t const * s = &t->swap;
  uint64_t in = s->a_to_b ? 0 : 1, out = !in;
  uint8_t event[205];
  sbf_put_u64( event, CLMM_SWAP_EVENT );
  sbf_key_copy( event + 8, t->a.pool.key );
  sbf_key_copy( event + 40, t->a.payer.key );
  sbf_key_copy( event + 72 + 32 * in, t->a.input_account.key );
  sbf_key_copy( event + 72 + 32 * out, t->a.output_account.key );
  sbf_put_u64( event + 136 + 16 * in, t->swapped );
  sbf_put_u64( event + 144 + 16 * in, t->input_transfer_fee );
  sbf_put_u64( event + 136 + 16 * out, t->gave - t->output_transfer_fee );
  sbf_put_u64( event + 144 + 16 * out, t->output_transfer_fee );
  event[168] = s->a_to_b;
  sbf_put_u128( event + 169, s->price );
  sbf_put_u128( event + 185, s->liquidity );
  tick_put_i32( event + 201, s->tick );
  sbf_bytes_t field = { event, sizeof( event ) };
  sol_log_data( &field, 1 );
}

/* ---- the instructions -------------------------------------------------------------------------------- */

/* clmm_open reads the pool and finds the direction. */
SBF_FUNCTION uint64_t clmm_open( clmm_trade_t * t ) {
  clmm_accounts_t const * a = &t->a;
  clmm_swap_t * s           = &t->swap;
  uint8_t * pool            = a->pool.data;
  s->pool                   = pool;
  s->pool_key               = a->pool.key;
  s->config                 = a->config.data;
  s->now                    = (uint32_t)t->clock.unix_timestamp;
  s->epoch                  = t->clock.epoch;
  s->a_to_b                 = sbf_key_equal( token_account_mint( &a->input_vault ), pool + POOL_MINT );
  CLMM_REQUIRE( (uint64_t)t->clock.unix_timestamp > sbf_u64( pool + POOL_OPEN_TIME ), CLMM_NOT_GREATER );
  uint8_t const *in = pool + POOL_VAULT + ( s->a_to_b ? 0 : 32 ), *out = pool + POOL_VAULT + ( s->a_to_b ? 32 : 0 );
  CLMM_REQUIRE( sbf_key_equal( a->input_vault.key, in ) && sbf_key_equal( a->output_vault.key, out ),
                CLMM_INVALID_VAULT );
  s->base_rate         = clmm_u32( s->config + CONFIG_TRADE );
  uint8_t fee_on       = pool[POOL_FEE_ON];
  s->fee_on_input      = fee_on == 1 ? s->a_to_b : fee_on == 2 ? !s->a_to_b : true;
  s->fee_side          = s->fee_on_input == s->a_to_b ? 0 : 1;
  s->arrays.bitmap     = pool + POOL_BITMAP;
  s->arrays.spacing    = sbf_u16( pool + POOL_TICK_SPACING );
  s->arrays.a_to_b     = s->a_to_b;
  s->price             = sbf_u128_at( pool + POOL_PRICE );
  s->liquidity         = sbf_u128_at( pool + POOL_LIQUIDITY );
  s->growth[0]         = sbf_u128_at( pool + POOL_FEE_GROWTH );
  s->growth[1]         = sbf_u128_at( pool + POOL_FEE_GROWTH + 16 );
  s->tick              = tick_i32( pool + POOL_TICK );
  s->step.a_to_b       = s->a_to_b;
  s->step.exact_in     = s->exact_in;
  s->step.fee_on_input = s->fee_on_input;
  SBF_REQUIRE( s->arrays.spacing && s->base_rate < CLMM_FEE_RATE_OF, "attempt to divide by zero" );
  if( !sbf_u128_zero( s->limit ) ) return 0;
  sbf_u128_t one = sbf_u128( 1 );
  s->limit       = s->a_to_b ? sbf_u128_add( CLMM_PRICE_MIN, one ) : sbf_u128_sub( CLMM_PRICE_MAX, one );
  return 0;
}

/* clmm_ask finds the amount without the token programs' fees. */
SBF_FUNCTION uint64_t clmm_ask( clmm_trade_t * t, uint64_t * asked ) {
  *asked = t->amount;
  if( !t->v2 ) return 0;
  token_fee_read( &t->input_fee, &t->a.input_mint, t->clock.epoch );
  token_fee_read( &t->output_fee, &t->a.output_mint, t->clock.epoch );
  if( t->swap.exact_in ) {
    t->input_transfer_fee = token_fee_of( &t->input_fee, t->amount );
    *asked                = t->amount - t->input_transfer_fee;
    return 0;
  }
  CLMM_REQUIRE( token_fee_added( &t->output_transfer_fee, &t->output_fee, t->amount ), CLMM_PANIC );
  *asked += t->output_transfer_fee;
  return 0;
}

/* clmm_settle finds what is sent and given, once the swap has run. */
SBF_FUNCTION uint64_t clmm_settle( clmm_trade_t * t, uint64_t asked ) {
  clmm_swap_t const * s = &t->swap;
  uint64_t consumed     = asked - s->left;
  t->swapped            = s->exact_in ? consumed : s->calculated;
  t->gave               = s->exact_in ? s->calculated : consumed;
  CLMM_REQUIRE( t->swapped && t->gave, CLMM_TOO_SMALL );
  if( !s->exact_in || s->left )
    CLMM_REQUIRE( token_fee_added( &t->input_transfer_fee, &t->input_fee, t->swapped ), CLMM_PANIC );
  t->output_transfer_fee = token_fee_of( &t->output_fee, t->gave );
  t->amount_in           = t->swapped + t->input_transfer_fee;
  return t->amount_in < t->swapped ? CLMM_PANIC : 0;
}

/* clmm_check_result looks at what came of it, behind everything else. */
SBF_FUNCTION uint64_t clmm_check_result( clmm_trade_t const * t, sbf_u128_t const * price_before, bool limited ) {
  clmm_swap_t const * s = &t->swap;
  bool moved            = !sbf_u128_equal( *price_before, s->price );
  CLMM_REQUIRE( t->v2 || moved, CLMM_NOT_GREATER );
  CLMM_REQUIRE( limited || t->amount == ( s->exact_in ? t->amount_in : t->gave ), CLMM_NOT_EQUAL );
  return 0;
}

SBF_FUNCTION uint64_t clmm_trade( clmm_trade_t * t ) {
  clmm_accounts_t const * a = &t->a;
  clmm_swap_t * s           = &t->swap;
  bool limited              = !sbf_u128_zero( s->limit );
  uint64_t asked, before_in = token_account_amount( &a->input_account );
  uint64_t before_out = token_account_amount( &a->output_account );
  sol_get_clock_sysvar( &t->clock );
  SBF_TRY( clmm_ask( t, &asked ) );
  SBF_TRY( clmm_open( t ) );
  SBF_TRY( clmm_read_arrays( t ) );
  s->left                 = asked;
  sbf_u128_t price_before = s->price;
  int64_t tick_before     = s->tick;
  SBF_TRY( clmm_begin( s ) );
  CLMM_REQUIRE( sbf_key_equal( a->observation.data + OBSERVATION_POOL, a->pool.key ), CLMM_KEYS_NOT_EQUAL );
  SBF_TRY( clmm_run( s ) );
  if( s->tick != tick_before ) clmm_observe( t, tick_before );
  SBF_TRY( clmm_settle( t, asked ) );
  SBF_TRY( clmm_update_pool( t ) );
  clmm_move_tokens( t );
  clmm_emit( t );
  SBF_TRY( clmm_check_result( t, &price_before, limited ) );
  if( s->exact_in ) {
    uint64_t received = t->v2 ? token_account_amount( &a->output_account ) - before_out : t->gave;
    return received >= t->threshold ? 0 : CLMM_TOO_LITTLE_OUTPUT;
  }
  uint64_t paid = t->v2 ? before_in - token_account_amount( &a->input_account ) : t->amount_in;
  return paid <= t->threshold ? 0 : CLMM_TOO_MUCH_INPUT;
}

SBF_FUNCTION uint64_t clmm_execute( clmm_trade_t * t ) {
  sbf_instruction_t const * instruction = &t->instruction;
  uint8_t const * data                  = instruction->data;
  uint64_t fixed                        = t->v2 ? CLMM_COUNT_V2 : CLMM_COUNT_V1 + 1;
  ANCHOR_REQUIRE( instruction->data_len >= 41 && data[40] <= 1, 0, ANCHOR_DID_NOT_DESERIALIZE );
  ANCHOR_REQUIRE( instruction->account_count >= fixed, 0, ANCHOR_NOT_ENOUGH_KEYS );
  t->amount        = sbf_u64( data + 8 );
  t->threshold     = sbf_u64( data + 16 );
  t->swap.limit    = sbf_u128_at( data + 24 );
  t->swap.exact_in = data[40];
  SBF_TRY( clmm_read_accounts( t ) );
  SBF_TRY( clmm_check_constraints( t ) );
  return clmm_trade( t );
}

uint64_t entrypoint( uint8_t * input ) {
  clmm_trade_t * t = SBF_HEAP;
  SBF_LOG( "sniperforge emulation of Raydium CLMM" );
  sbf_parse( input, t->accounts, CLMM_MAX_ACCOUNTS, &t->instruction );
  sbf_instruction_t const * instruction = &t->instruction;
  ANCHOR_REQUIRE( sbf_key_equal( instruction->program_id, CLMM_PROGRAM ), 0, ANCHOR_WRONG_PROGRAM );
  uint64_t kind = instruction->data_len >= 8 ? sbf_u64( instruction->data ) : 0;
  if( kind == CLMM_SWAP ) {
    SBF_LOG( "Instruction: Swap" );
  } else if( kind == CLMM_SWAP_V2 ) {
    SBF_LOG( "Instruction: SwapV2" );
  } else {
    SBF_LOG( "only swap and swap_v2 are emulated; load the real program for others" );
    return anchor_fail( 0, &ANCHOR_FALLBACK_NOT_FOUND );
  }
  t->v2         = kind == CLMM_SWAP_V2;
  uint64_t code = clmm_execute( t );
  SBF_REQUIRE( code != CLMM_PANIC, "called `Option::unwrap()` on a `None` value" );
  for( uint64_t i = 0; i < sizeof( CLMM_ERRORS ) / sizeof( CLMM_ERRORS[0] ); i++ ) {
    if( CLMM_ERRORS[i].number == code ) return anchor_fail( 0, &CLMM_ERRORS[i] );
  }
  return code;
}
