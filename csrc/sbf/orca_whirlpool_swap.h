/* orca_whirlpool_swap.h is the loop of a Whirlpool swap: from tick to tick until the amount is used up or
   the price limit reached.  Functions return 0 or the program's error number.

   Source: orca-so/whirlpools manager/{swap,tick,whirlpool}_manager.rs. */

#ifndef SF_SBF_ORCA_WHIRLPOOL_SWAP_H
#define SF_SBF_ORCA_WHIRLPOOL_SWAP_H

#include "sbf/orca_whirlpool_arrays.h"
#include "sbf/orca_whirlpool_fee.h"

#define WHIRLPOOL_PROTOCOL_FEE_OF 10000UL
#define WHIRLPOOL_REWARDS         3

/* Offsets in a pool's data.  What is of token b lies POOL_SIDE behind, of fees owed 8. */
enum {
  POOL_CONFIG        = 8,
  POOL_BUMP          = 40,
  POOL_TICK_SPACING  = 41,
  POOL_FEE_TIER      = 43,
  POOL_FEE_RATE      = 45,
  POOL_PROTOCOL_RATE = 47,
  POOL_LIQUIDITY     = 49,
  POOL_PRICE         = 65,
  POOL_TICK          = 81,
  POOL_FEES_OWED     = 85,
  POOL_MINT          = 101,
  POOL_VAULT         = 133,
  POOL_FEE_GROWTH    = 165,
  POOL_SIDE          = 80,
  POOL_REWARD_UPDATE = 261,
  POOL_REWARD        = 269,
  POOL_REWARD_SIZE   = 128,
  REWARD_EMISSION    = 96, /* in a reward, whose mint comes first */
  REWARD_GROWTH      = 112,
  POOL_SIZE          = 653,
};

/* The accounts of both instructions, by role; swap has no mints and one token program. */
typedef struct whirlpool_accounts {
  sbf_account_t const *program[2], *memo, *authority, *pool, *mint[2], *user[2], *vault[2], *array[3], *oracle;
} whirlpool_accounts_t;

#define WHIRLPOOL_MAX_ACCOUNTS 40

/* One swap, in the heap. */
typedef struct whirlpool_swap {
  sbf_account_t accounts[WHIRLPOOL_MAX_ACCOUNTS];
  sbf_instruction_t instruction;
  sbf_clock_t clock;
  whirlpool_accounts_t a;
  bool v2, exact_in, a_to_b;
  uint64_t amount, threshold;
  sbf_u128_t limit; /* 0: none */
  whirlpool_candidates_t candidates;
  whirlpool_row_t row;
  whirlpool_fees_t fees;
  whirlpool_step_t step;
  token_fee_t transfer_fee[2]; /* of the token that comes in, that goes out */
  /* as the swap goes on */
  uint64_t left, calculated, fee, protocol_fee, place;
  sbf_u128_t price, liquidity, growth[2], reward_growth[WHIRLPOOL_REWARDS];
  int64_t tick, next_tick;
  sbf_u128_t next_price, price_limit, target;
  uint64_t amount_in, amount_out; /* as the token programs move them */
} whirlpool_swap_t;

#define WHIRLPOOL_REQUIRE( cond, code ) \
  do {                                  \
    if( !( cond ) ) return code;        \
  } while( 0 )

SBF_INLINE uint8_t * whirlpool_data( whirlpool_swap_t const * s ) { return s->a.pool->data; }
SBF_INLINE uint64_t whirlpool_input( whirlpool_swap_t const * s ) { return !s->a_to_b; } /* 0: token a comes in */

/* ---- the swap -------------------------------------------------------------------------------------- */

/* whirlpool_grow_rewards finds what each unit of liquidity has earned until now. */
SBF_FUNCTION uint64_t whirlpool_grow_rewards( whirlpool_swap_t * s ) {
  uint8_t const * pool = whirlpool_data( s );
  uint64_t now = (uint64_t)s->clock.unix_timestamp, last = sbf_u64( pool + POOL_REWARD_UPDATE );
  WHIRLPOOL_REQUIRE( now >= last, WHIRLPOOL_INVALID_TIMESTAMP );
  for( uint64_t i = 0; i < WHIRLPOOL_REWARDS; i++ ) {
    uint8_t const * reward = pool + POOL_REWARD + POOL_REWARD_SIZE * i;
    sbf_u128_t emission    = sbf_u128_at( reward + REWARD_EMISSION ), earned, share, rest;
    s->reward_growth[i]    = sbf_u128_at( reward + REWARD_GROWTH );
    if( sbf_u128_zero( s->liquidity ) || now == last ) continue;
    if( !sbf_u128_mul64( &earned, &emission, now - last ) ) continue;
    sbf_u128_div( &share, &rest, &earned, &s->liquidity );
    s->reward_growth[i] = sbf_u128_add( s->reward_growth[i], share );
  }
  return 0;
}

/* whirlpool_cross goes over the next tick, which may be none that is initialized. */
SBF_FUNCTION uint64_t whirlpool_cross( whirlpool_swap_t * s ) {
  whirlpool_array_t const * array = s->row.arrays + s->place;
  uint64_t spacing                = s->row.tick_spacing;
  int64_t at                      = tick_floor_div( s->next_tick - array->start, spacing );
  bool of_array  = at >= 0 && at < WHIRLPOOL_ARRAY_TICKS && array->start + at * (int64_t)spacing == s->next_tick;
  uint8_t * tick = of_array ? whirlpool_tick( array, (uint64_t)at ) : 0;
  if( tick ) {
    uint8_t const * rewards = whirlpool_data( s ) + POOL_REWARD;
    SBF_TRY( whirlpool_add_liquidity( &s->liquidity, tick + TICK_LIQUIDITY_NET, s->a_to_b ) );
    for( uint64_t side = 0; side < 2; side++ ) {
      uint8_t * outside = tick + TICK_FEE_OUTSIDE + 16 * side;
      sbf_put_u128( outside, sbf_u128_sub( s->growth[side], sbf_u128_at( outside ) ) );
    }
    for( uint64_t i = 0; i < WHIRLPOOL_REWARDS; i++ ) {
      static uint8_t const no_mint[32];
      uint8_t * outside = tick + TICK_REWARD_OUTSIDE + 16 * i;
      if( sbf_key_equal( rewards + POOL_REWARD_SIZE * i, no_mint ) ) continue;
      sbf_put_u128( outside, sbf_u128_sub( s->reward_growth[i], sbf_u128_at( outside ) ) );
    }
  }
  if( at == ( s->a_to_b ? 0 : WHIRLPOOL_ARRAY_TICKS - 1 ) ) s->place++;
  s->tick = s->a_to_b ? s->next_tick - 1 : s->next_tick;
  return 0;
}

/* whirlpool_count takes a step's amounts and fee into the sums. */
SBF_FUNCTION uint64_t whirlpool_count( whirlpool_swap_t * s ) {
  whirlpool_step_t const * step = &s->step;
  uint64_t paid = step->amount_in + step->fee, taken = s->exact_in ? paid : step->amount_out;
  WHIRLPOOL_REQUIRE( paid >= step->fee, s->exact_in ? 6040 : 6039 );
  WHIRLPOOL_REQUIRE( s->left >= taken, 6040 );
  s->left -= taken;
  uint64_t more = s->exact_in ? step->amount_out : paid;
  WHIRLPOOL_REQUIRE( s->calculated + more >= more, 6039 );
  s->calculated += more;
  WHIRLPOOL_REQUIRE( s->fee + step->fee >= step->fee, 6039 );
  s->fee += step->fee;

  sbf_u128_t kept, growth, rest;
  sbf_mul_div( &kept, step->fee, sbf_u16( whirlpool_data( s ) + POOL_PROTOCOL_RATE ), WHIRLPOOL_PROTOCOL_FEE_OF,
               false );
  SBF_REQUIRE( !kept.hi && kept.lo <= step->fee, "attempt to subtract with overflow" );
  s->protocol_fee += kept.lo;
  if( sbf_u128_zero( s->liquidity ) ) return 0;
  sbf_u128_t scaled = { 0, step->fee - kept.lo };
  sbf_u128_div( &growth, &rest, &scaled, &s->liquidity );
  s->growth[whirlpool_input( s )] = sbf_u128_add( s->growth[whirlpool_input( s )], growth );
  return 0;
}

/* whirlpool_advance goes towards s->target, as far as one fee rate holds. */
SBF_FUNCTION uint64_t whirlpool_advance( whirlpool_swap_t * s ) {
  whirlpool_step_t * step = &s->step;
  step->target            = s->target;
  whirlpool_fees_accumulate( &s->fees );
  bool skipped    = whirlpool_fees_bound( &s->fees, &step->target, !sbf_u128_zero( s->liquidity ) );
  step->fee_rate  = whirlpool_fee_rate( &s->fees );
  step->liquidity = s->liquidity;
  step->price     = s->price;
  step->amount    = s->left;
  SBF_TRY( whirlpool_step( step ) );
  SBF_TRY( whirlpool_count( s ) );
  if( sbf_u128_equal( step->next_price, s->next_price ) ) {
    SBF_TRY( whirlpool_cross( s ) );
  } else if( !sbf_u128_equal( step->next_price, s->price ) ) {
    s->tick = whirlpool_tick_at( &step->next_price );
  }
  s->price = step->next_price;
  whirlpool_fees_advance( &s->fees, skipped, &s->price, &s->next_price, s->next_tick );
  return 0;
}

SBF_FUNCTION uint64_t whirlpool_check_limit( whirlpool_swap_t * s ) {
  s->price_limit = s->limit;
  if( sbf_u128_zero( s->limit ) ) s->price_limit = s->a_to_b ? WHIRLPOOL_PRICE_MIN : WHIRLPOOL_PRICE_MAX;
  bool outside =
      sbf_u128_less( s->price_limit, WHIRLPOOL_PRICE_MIN ) || sbf_u128_less( WHIRLPOOL_PRICE_MAX, s->price_limit );
  WHIRLPOOL_REQUIRE( !outside, WHIRLPOOL_PRICE_OUT_OF_BOUNDS );
  bool behind = s->a_to_b ? sbf_u128_less( s->price, s->price_limit ) : sbf_u128_less( s->price_limit, s->price );
  WHIRLPOOL_REQUIRE( !behind, 6034 );
  WHIRLPOOL_REQUIRE( s->left, 6035 );
  return 0;
}

/* whirlpool_run swaps s->left, without the token programs' fees. */
SBF_FUNCTION uint64_t whirlpool_run( whirlpool_swap_t * s, uint8_t * oracle ) {
  uint8_t const * pool = whirlpool_data( s );
  SBF_TRY( whirlpool_check_limit( s ) );
  SBF_TRY( whirlpool_grow_rewards( s ) );
  SBF_TRY( whirlpool_fees_begin( &s->fees, oracle, s->tick, (uint64_t)s->clock.unix_timestamp ) );
  while( s->left && !sbf_u128_equal( s->price, s->price_limit ) ) {
    SBF_TRY( whirlpool_next_tick( &s->row, &s->place, s->tick, &s->next_tick ) );
    whirlpool_price_of( &s->next_price, s->next_tick );
    bool limited =
        s->a_to_b ? sbf_u128_less( s->next_price, s->price_limit ) : sbf_u128_less( s->price_limit, s->next_price );
    s->target = limited ? s->price_limit : s->next_price;
    do { SBF_TRY( whirlpool_advance( s ) ); } while( s->left && !sbf_u128_equal( s->price, s->target ) );
  }
  WHIRLPOOL_REQUIRE( !s->left || s->exact_in || !sbf_u128_zero( s->limit ), 6057 );
  if( !oracle ) return 0;
  sbf_u128_t before = sbf_u128_at( pool + POOL_PRICE );
  if( whirlpool_is_major_swap( oracle, &before, &s->price ) )
    sbf_put_u64( oracle + ORACLE_MAJOR_SWAP, (uint64_t)s->clock.unix_timestamp );
  return 0;
}

#endif
