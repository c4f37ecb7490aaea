/* raydium_clmm_swap.h is the loop of a Raydium CLMM swap: from initialized tick to initialized tick, through
   limit orders that wait there, until the amount is used up or the price limit reached.  Functions return 0
   or the program's error number.

   Source: raydium-io/raydium-clmm instructions/swap.rs, states/{pool,pool_fee,tick_array}.rs. */

#ifndef SF_SBF_RAYDIUM_CLMM_SWAP_H
#define SF_SBF_RAYDIUM_CLMM_SWAP_H

#include "sbf/raydium_clmm_arrays.h"
#include "sbf/token.h"

#define CLMM_REWARDS          3
#define CLMM_STATUS_NO_SWAP   16
#define CLMM_FEE_RATE_LIMIT   100000UL
#define CLMM_VOLATILITY_SCALE 10000UL
#define CLMM_REDUCTION_OF     10000UL
#define CLMM_CONTROL_OF       10000000000000UL /* 100,000 times the scale squared */

/* Offsets in a pool, in its rewards, in its dynamic fee, in a config. */
enum {
  POOL_BUMP           = 8,
  POOL_CONFIG         = 9,
  POOL_MINT           = 73,  /* 32 each: token 0, token 1 */
  POOL_VAULT          = 137, /* 32 each */
  POOL_OBSERVATION    = 201,
  POOL_TICK_SPACING   = 235,
  POOL_LIQUIDITY      = 237,
  POOL_PRICE          = 253,
  POOL_TICK           = 269,
  POOL_FEE_GROWTH     = 277, /* 16 each */
  POOL_PROTOCOL_FEES  = 309, /* 8 each */
  POOL_SWAPPED        = 325, /* 16 each: in of 0, out of 1, in of 1, out of 0 */
  POOL_STATUS         = 389,
  POOL_FEE_ON         = 390, /* which token pays fees: 0 what comes in, 1 token 0, 2 token 1 */
  POOL_REWARD         = 397,
  POOL_BITMAP         = 904,
  POOL_TOTAL_FEES     = 1032, /* 16 apart */
  POOL_FUND_FEES      = 1064, /* 8 each */
  POOL_OPEN_TIME      = 1080,
  POOL_EPOCH          = 1088,
  POOL_DYNAMIC        = 1096,
  POOL_SIZE           = 1544,
  REWARD_STATE        = 0,
  REWARD_OPEN         = 1,
  REWARD_END          = 9,
  REWARD_UPDATE       = 17,
  REWARD_EMISSION     = 25,
  REWARD_EMITTED      = 41,
  REWARD_MINT         = 57,
  REWARD_GROWTH       = 153,
  REWARD_SIZE         = 169,
  DYNAMIC_FILTER      = 0,
  DYNAMIC_DECAY       = 2,
  DYNAMIC_REDUCTION   = 4,
  DYNAMIC_CONTROL     = 6,
  DYNAMIC_MAX         = 10,
  DYNAMIC_INDEX       = 14,
  DYNAMIC_REFERENCE   = 18,
  DYNAMIC_ACCUMULATED = 22,
  DYNAMIC_UPDATE      = 26,
  DYNAMIC_SIZE        = 80,
  CONFIG_PROTOCOL     = 43,
  CONFIG_TRADE        = 47,
  CONFIG_FUND         = 53,
  CONFIG_SIZE         = 117,
};

enum { REWARD_OPENING = 2, REWARD_ENDED };

/* The fee by volatility; the index counts tick spacings. */
typedef struct clmm_dynamic {
  bool exists;
  uint64_t control, max, reference, accumulator, update;
  int64_t index_reference, index;
} clmm_dynamic_t;

typedef struct clmm_swap {
  uint8_t * pool;
  uint8_t const *pool_key, *config;
  uint64_t now, epoch, base_rate;
  bool a_to_b, exact_in, fee_on_input;
  uint64_t fee_side; /* the token that pays fees */
  clmm_arrays_t arrays;
  clmm_dynamic_t dynamic;
  clmm_step_t step;
  clmm_match_t match;
  sbf_u128_t limit;
  /* as the swap goes on */
  uint64_t left, calculated, lp_fee, protocol_fee, fund_fee;
  sbf_u128_t price, liquidity, growth[2], next_price, target;
  int64_t tick, next_tick;
} clmm_swap_t;

SBF_INLINE uint64_t clmm_u32( uint8_t const * p ) { return *(sbf_u32_alias_t const *)p; }

/* ---- rewards ------------------------------------------------------------------------------------------ */

SBF_FUNCTION uint64_t clmm_grow_reward( uint8_t * reward, sbf_u128_t const * liquidity, uint64_t now ) {
  static uint8_t const no_mint[32];
  if( sbf_key_equal( reward + REWARD_MINT, no_mint ) || now <= sbf_u64( reward + REWARD_OPEN ) ) return 0;
  uint64_t end = sbf_u64( reward + REWARD_END ), last = sbf_u64( reward + REWARD_UPDATE );
  uint64_t until = now < end ? now : end;
  if( !sbf_u128_zero( *liquidity ) ) {
    CLMM_REQUIRE( until >= last, CLMM_LESS );
    sbf_u128_t emission = sbf_u128_at( reward + REWARD_EMISSION ), seconds = sbf_u128( until - last );
    wide_t emitted, share, divisor = { { liquidity->lo, liquidity->hi, 0, 0, 0 } };
    wide_mul( &emitted, &emission, &seconds );
    wide_div( &share, &emitted, &divisor );
    sbf_u128_t growth = sbf_u128_at( reward + REWARD_GROWTH ), more = { share.w[0], share.w[1] };
    sbf_u128_t sum = sbf_u128_add( growth, more );
    CLMM_REQUIRE( wide_fits( &share, 2 ) && !sbf_u128_less( sum, growth ), CLMM_PANIC );
    sbf_put_u128( reward + REWARD_GROWTH, sum );
    uint64_t total = sbf_u64( reward + REWARD_EMITTED ), whole = emitted.w[1] + !!emitted.w[0];
    CLMM_REQUIRE( wide_fits( &emitted, 2 ) && whole >= emitted.w[1] && total + whole >= whole, CLMM_PANIC );
    sbf_put_u64( reward + REWARD_EMITTED, total + whole );
  }
  sbf_put_u64( reward + REWARD_UPDATE, until );
  if( until < end ) reward[REWARD_STATE] = REWARD_OPENING;
  else if( until == end ) reward[REWARD_STATE] = REWARD_ENDED;
  return 0;
}

/* ---- the fee rate ---------------------------------------------------------------------------------------- */

SBF_FUNCTION void clmm_dynamic_begin( clmm_swap_t * s ) {
  uint8_t const * data = s->pool + POOL_DYNAMIC;
  clmm_dynamic_t * d   = &s->dynamic;
  uint64_t any         = 0;
  for( int i = 0; i < DYNAMIC_SIZE; i += 8 ) any |= sbf_u64( data + i );
  d->exists = any;
  if( !any ) return;
  d->control         = clmm_u32( data + DYNAMIC_CONTROL );
  d->max             = clmm_u32( data + DYNAMIC_MAX );
  d->index_reference = tick_i32( data + DYNAMIC_INDEX );
  d->reference       = clmm_u32( data + DYNAMIC_REFERENCE );
  d->accumulator     = clmm_u32( data + DYNAMIC_ACCUMULATED );
  d->update          = sbf_u64( data + DYNAMIC_UPDATE );
  d->index           = tick_floor_div( s->tick, s->arrays.spacing );
  uint64_t elapsed   = s->now > d->update ? s->now - d->update : 0;
  if( elapsed < sbf_u16( data + DYNAMIC_FILTER ) ) return;
  uint64_t kept      = d->accumulator * sbf_u16( data + DYNAMIC_REDUCTION ) / CLMM_REDUCTION_OF;
  d->reference       = elapsed < sbf_u16( data + DYNAMIC_DECAY ) ? kept : 0;
  d->index_reference = d->index;
  d->update          = s->now;
}

SBF_FUNCTION void clmm_accumulate( clmm_dynamic_t * d ) {
  if( !d->exists ) return;
  int64_t moved  = d->index_reference - d->index;
  uint64_t total = d->reference + (uint64_t)( moved < 0 ? -moved : moved ) * CLMM_VOLATILITY_SCALE;
  d->accumulator = total < d->max ? total : d->max;
}

SBF_FUNCTION uint64_t clmm_fee_rate( clmm_swap_t const * s ) {
  clmm_dynamic_t const * d = &s->dynamic;
  if( !d->exists ) return s->base_rate;
  uint64_t crossed = d->accumulator * s->arrays.spacing;
  sbf_u128_t added;
  sbf_mul64( &added, crossed, crossed );
  sbf_mul_div( &added, added.lo, d->control, CLMM_CONTROL_OF, true );
  if( added.hi || added.lo > CLMM_FEE_RATE_LIMIT ) return CLMM_FEE_RATE_LIMIT;
  uint64_t rate = s->base_rate + added.lo;
  return rate < CLMM_FEE_RATE_LIMIT ? rate : CLMM_FEE_RATE_LIMIT;
}

/* clmm_bound cuts *target to where the present rate ends; returns whether spacings may be skipped on the way. */
SBF_FUNCTION bool clmm_bound( clmm_swap_t const * s, sbf_u128_t * target ) {
  clmm_dynamic_t const * d = &s->dynamic;
  if( !d->exists || sbf_u128_zero( s->liquidity ) || d->accumulator == d->max ) return true;
  int64_t tick = ( d->index + !s->a_to_b ) * (int64_t)s->arrays.spacing;
  if( tick < TICK_MIN ) tick = TICK_MIN;
  if( tick > TICK_MAX ) tick = TICK_MAX;
  sbf_u128_t edge;
  clmm_price_of( &edge, tick );
  if( s->a_to_b ? sbf_u128_less( *target, edge ) : sbf_u128_less( edge, *target ) ) *target = edge;
  return false;
}

SBF_FUNCTION void clmm_dynamic_advance( clmm_swap_t * s, bool skipped ) {
  clmm_dynamic_t * d = &s->dynamic;
  if( !d->exists ) return;
  if( skipped ) {
    int64_t tick = sbf_u128_equal( s->price, s->next_price ) ? s->next_tick : s->tick;
    d->index     = tick_floor_div( tick, s->arrays.spacing );
    if( !s->a_to_b && d->index * (int64_t)s->arrays.spacing == tick ) d->index--;
    if( d->accumulator != d->max ) clmm_accumulate( d );
  }
  d->index += s->a_to_b ? -1 : 1;
}

/* clmm_dynamic_end writes the fee's variables back, as they are at the last price. */
SBF_FUNCTION uint64_t clmm_dynamic_end( clmm_swap_t * s ) {
  clmm_dynamic_t * d = &s->dynamic;
  uint8_t * data     = s->pool + POOL_DYNAMIC;
  if( !d->exists ) return 0;
  int64_t tick;
  SBF_TRY( clmm_tick_at( &tick, &s->price ) );
  int64_t index = tick_floor_div( tick, s->arrays.spacing );
  if( d->index != index ) {
    d->index = index;
    clmm_accumulate( d );
  }
  tick_put_i32( data + DYNAMIC_INDEX, d->index_reference );
  tick_put_i32( data + DYNAMIC_REFERENCE, (int64_t)d->reference );
  tick_put_i32( data + DYNAMIC_ACCUMULATED, (int64_t)d->accumulator );
  sbf_put_u64( data + DYNAMIC_UPDATE, d->update );
  return 0;
}

/* ---- the swap ------------------------------------------------------------------------------------------------ */

SBF_FUNCTION uint64_t clmm_split_fee( clmm_swap_t * s, uint64_t fee ) {
  sbf_u128_t protocol, fund, growth, rest;
  sbf_mul_div( &protocol, fee, clmm_u32( s->config + CONFIG_PROTOCOL ), CLMM_FEE_RATE_OF, false );
  sbf_mul_div( &fund, fee, clmm_u32( s->config + CONFIG_FUND ), CLMM_FEE_RATE_OF, false );
  CLMM_REQUIRE( !protocol.hi && protocol.lo <= fee && !fund.hi && fund.lo <= fee - protocol.lo, CLMM_OVERFLOW );
  uint64_t kept = fee - protocol.lo - fund.lo;
  s->protocol_fee += protocol.lo;
  s->fund_fee += fund.lo;
  CLMM_REQUIRE( s->protocol_fee >= protocol.lo && s->fund_fee >= fund.lo, CLMM_OVERFLOW );
  if( sbf_u128_zero( s->liquidity ) ) return 0;
  sbf_u128_t scaled = { 0, kept }, *sum = &s->growth[s->fee_side];
  sbf_u128_div( &growth, &rest, &scaled, &s->liquidity );
  *sum = sbf_u128_add( *sum, growth );
  s->lp_fee += kept;
  return sbf_u128_less( *sum, growth ) || s->lp_fee < kept ? CLMM_OVERFLOW : 0;
}

/* clmm_count takes amounts and a fee into the sums. */
SBF_FUNCTION uint64_t clmm_count( clmm_swap_t * s, uint64_t in, uint64_t out, uint64_t fee ) {
  uint64_t paid = s->fee_on_input ? in + fee : in;
  CLMM_REQUIRE( paid >= in, CLMM_OVERFLOW );
  uint64_t taken = s->exact_in ? paid : out, more = s->exact_in ? out : paid;
  CLMM_REQUIRE( s->left >= taken && s->calculated + more >= more, CLMM_OVERFLOW );
  s->left -= taken;
  s->calculated += more;
  return clmm_split_fee( s, fee );
}

/* clmm_fill marks what was taken of a tick's orders: those matched in part first, then the others, which
   are then matched in part. */
SBF_FUNCTION uint64_t clmm_fill( uint8_t * tick, uint64_t amount ) {
  uint64_t part = sbf_u64( tick + TICK_PART_FILLED ), orders = sbf_u64( tick + TICK_ORDERS );
  uint64_t of_part = amount < part ? amount : part, of_orders = amount - of_part;
  sbf_u128_t ratio = sbf_u128_at( tick + TICK_UNFILLED );
  if( of_part ) {
    sbf_u128_t remains = sbf_u128( part - of_part );
    wide_t product, quotient, divisor = { { part, 0, 0, 0, 0 } };
    wide_mul( &product, &ratio, &remains );
    wide_div( &quotient, &product, &divisor );
    ratio = ( sbf_u128_t ){ quotient.w[0], quotient.w[1] };
    sbf_put_u64( tick + TICK_PART_FILLED, part - of_part );
  }
  if( of_orders ) {
    CLMM_REQUIRE( orders >= of_orders, CLMM_INVALID_ORDER_AMOUNT );
    sbf_u128_t rest, scaled = { 0, orders - of_orders }, divisor = sbf_u128( orders );
    uint64_t phase = sbf_u64( tick + TICK_ORDER_PHASE );
    sbf_u128_div( &ratio, &rest, &scaled, &divisor );
    sbf_put_u64( tick + TICK_ORDER_PHASE, phase + !!~phase );
    sbf_put_u64( tick + TICK_PART_FILLED, orders - of_orders );
    sbf_put_u64( tick + TICK_ORDERS, 0 );
  }
  sbf_put_u128( tick + TICK_UNFILLED, ratio );
  return 0;
}

SBF_FUNCTION uint64_t clmm_waiting( uint8_t const * tick, uint64_t * waiting ) {
  uint64_t orders = sbf_u64( tick + TICK_ORDERS );
  *waiting        = orders + sbf_u64( tick + TICK_PART_FILLED );
  return *waiting < orders ? CLMM_OVERFLOW : 0;
}

/* clmm_match_orders lets the swap take of the orders at the tick it has come to. */
SBF_FUNCTION uint64_t clmm_match_orders( clmm_swap_t * s, uint8_t * tick, uint64_t rate ) {
  clmm_match_t * match = &s->match;
  SBF_TRY( clmm_waiting( tick, &match->waiting ) );
  if( !s->left || !match->waiting ) return 0;
  match->amount       = s->left;
  match->fee_rate     = rate;
  match->exact_in     = s->exact_in;
  match->a_to_b       = s->a_to_b;
  match->fee_on_input = s->fee_on_input;
  SBF_TRY( clmm_match_price( match, &s->next_price ) );
  SBF_TRY( clmm_match( match ) );
  SBF_TRY( clmm_fill( tick, match->amount_out ) );
  if( !s->fee_on_input ) {
    SBF_TRY( clmm_share( &match->fee, match->amount_out, rate, CLMM_FEE_RATE_OF, true ) );
    CLMM_REQUIRE( match->fee <= match->amount_out, CLMM_OVERFLOW );
    match->amount_out -= match->fee;
  }
  return match->amount_in ? clmm_count( s, match->amount_in, match->amount_out, match->fee ) : 0;
}

SBF_FUNCTION uint64_t clmm_cross( clmm_swap_t const * s, uint8_t * tick, sbf_u128_t * liquidity ) {
  static uint8_t const no_mint[32];
  for( uint64_t side = 0; side < 2; side++ ) {
    uint8_t * outside = tick + TICK_FEE_OUTSIDE + 16 * side;
    sbf_put_u128( outside, sbf_u128_sub( s->growth[side], sbf_u128_at( outside ) ) );
  }
  for( uint64_t i = 0; i < CLMM_REWARDS; i++ ) {
    uint8_t const * reward = s->pool + POOL_REWARD + REWARD_SIZE * i;
    uint8_t * outside      = tick + TICK_REWARD + 16 * i;
    if( sbf_key_equal( reward + REWARD_MINT, no_mint ) ) continue;
    sbf_put_u128( outside, sbf_u128_sub( sbf_u128_at( reward + REWARD_GROWTH ), sbf_u128_at( outside ) ) );
  }
  sbf_u128_t net = sbf_u128_at( tick + TICK_NET ), before = s->liquidity;
  if( s->a_to_b ) net = sbf_u128_negated( net );
  *liquidity = sbf_u128_add( before, net );
  if( net.hi >> 63 ) return sbf_u128_less( *liquidity, before ) ? 0 : CLMM_LIQUIDITY_SUB;
  return sbf_u128_less( *liquidity, before ) ? CLMM_LIQUIDITY_ADD : 0;
}

/* clmm_arrive is what happens at the tick the price has come to: orders first, then, unless some remain, the
   liquidity beyond it. */
SBF_FUNCTION uint64_t clmm_arrive( clmm_swap_t * s, uint8_t * tick, uint64_t rate, sbf_u128_t * liquidity ) {
  uint8_t * array = clmm_array( &s->arrays );
  SBF_TRY( clmm_match_orders( s, tick, rate ) );
  if( !clmm_is_initialized( tick ) ) {
    CLMM_REQUIRE( array[ARRAY_COUNT], CLMM_OVERFLOW );
    if( !--array[ARRAY_COUNT] ) {
      int64_t number = tick_floor_div( clmm_start( &s->arrays ), clmm_span( &s->arrays ) );
      SBF_TRY( clmm_clear_array( &s->arrays, number ) );
    }
  }
  bool orders        = clmm_orders( tick );
  bool has_liquidity = sbf_u64( tick + TICK_GROSS ) | sbf_u64( tick + TICK_GROSS + 8 );
  if( has_liquidity && !orders ) SBF_TRY( clmm_cross( s, tick, liquidity ) );
  sbf_put_u64( array + ARRAY_EPOCH, s->epoch );
  s->tick = s->a_to_b != orders ? s->next_tick - 1 : s->next_tick;
  return 0;
}

/* clmm_go goes to s->target, or as far as the amount reaches, spacing by spacing where the fee changes. */
SBF_FUNCTION uint64_t clmm_go( clmm_swap_t * s, uint8_t * tick ) {
  clmm_step_t * step   = &s->step;
  sbf_u128_t liquidity = s->liquidity;
  uint64_t before, after;
  for( ;; ) {
    clmm_accumulate( &s->dynamic );
    uint64_t rate    = clmm_fee_rate( s );
    step->target     = s->target;
    bool skipped     = clmm_bound( s, &step->target );
    step->next_price = step->target;
    if( !sbf_u128_equal( s->price, step->target ) ) {
      step->liquidity = s->liquidity;
      step->price     = s->price;
      step->amount    = s->left;
      step->fee_rate  = rate;
      SBF_TRY( clmm_step( step ) );
      SBF_TRY( clmm_count( s, step->amount_in, step->amount_out, step->fee ) );
      bool stuck = !step->amount_in && !step->amount_out && !step->fee && sbf_u128_equal( step->next_price, s->price );
      CLMM_REQUIRE( !stuck, CLMM_PANIC ); /* the program goes on until its compute units end */
    }
    SBF_TRY( clmm_waiting( tick, &before ) );
    if( sbf_u128_equal( step->next_price, s->next_price ) ) {
      SBF_TRY( clmm_arrive( s, tick, rate, &liquidity ) );
    } else if( !sbf_u128_equal( step->next_price, s->price ) ) {
      SBF_TRY( clmm_tick_at( &s->tick, &step->next_price ) );
    }
    s->price = step->next_price;
    if( !s->left || sbf_u128_equal( s->price, s->target ) ) break;
    clmm_dynamic_advance( s, skipped );
  }
  SBF_TRY( clmm_waiting( tick, &after ) );
  CLMM_REQUIRE( !s->left || after == before || !after, CLMM_NOT_EQUAL );
  bool stays = s->left && after && !sbf_u128_equal( s->price, s->limit );
  CLMM_REQUIRE( !stays, CLMM_PANIC ); /* orders that the rest does not move: as above */
  s->liquidity = liquidity;
  return 0;
}

SBF_FUNCTION uint64_t clmm_check_order( clmm_swap_t const * s ) {
  bool behind = s->a_to_b ? s->tick < s->next_tick : s->next_tick <= s->tick;
  CLMM_REQUIRE( !behind, s->a_to_b ? CLMM_LESS : CLMM_NOT_GREATER );
  bool next = s->a_to_b ? sbf_u128_less( s->price, s->next_price ) : sbf_u128_less( s->next_price, s->price );
  return next ? CLMM_LESS : 0;
}

/* clmm_begin checks what is asked for; s->left is the amount, without the token programs' fees. */
SBF_FUNCTION uint64_t clmm_begin( clmm_swap_t * s ) {
  CLMM_REQUIRE( s->left, CLMM_ZERO_AMOUNT );
  CLMM_REQUIRE( !( s->pool[POOL_STATUS] & CLMM_STATUS_NO_SWAP ), CLMM_NOT_APPROVED );
  bool right = s->a_to_b ? sbf_u128_less( s->limit, s->price ) && sbf_u128_less( CLMM_PRICE_MIN, s->limit )
                         : sbf_u128_less( s->price, s->limit ) && sbf_u128_less( s->limit, CLMM_PRICE_MAX );
  CLMM_REQUIRE( right, CLMM_PRICE_LIMIT );
  for( uint64_t i = 0; i < CLMM_REWARDS; i++ )
    SBF_TRY( clmm_grow_reward( s->pool + POOL_REWARD + REWARD_SIZE * i, &s->liquidity, s->now ) );
  return 0;
}

SBF_FUNCTION uint64_t clmm_run( clmm_swap_t * s ) {
  SBF_TRY( clmm_first_array( &s->arrays, s->tick, s->pool_key ) );
  clmm_dynamic_begin( s );
  while( s->left && !sbf_u128_equal( s->price, s->limit ) ) {
    uint8_t * tick;
    SBF_TRY( clmm_next_tick( &s->arrays, s->tick, s->pool_key, &tick ) );
    s->next_tick = tick_i32( tick + TICK_INDEX );
    if( s->next_tick < TICK_MIN ) s->next_tick = TICK_MIN;
    if( s->next_tick > TICK_MAX ) s->next_tick = TICK_MAX;
    clmm_price_of( &s->next_price, s->next_tick );
    bool limited = s->a_to_b ? sbf_u128_less( s->next_price, s->limit ) : sbf_u128_less( s->limit, s->next_price );
    s->target    = limited ? s->limit : s->next_price;
    SBF_TRY( clmm_check_order( s ) );
    SBF_TRY( clmm_go( s, tick ) );
  }
  return clmm_dynamic_end( s );
}

#endif
