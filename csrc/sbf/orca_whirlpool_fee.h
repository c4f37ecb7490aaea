/* orca_whirlpool_fee.h finds a Whirlpool swap's fee rate: constant, or raised by volatility, which is how
   many groups of ticks the price went through lately.  Integers only, so it also compiles natively.

   Source: orca-so/whirlpools manager/fee_rate_manager.rs, state/oracle.rs. */

#ifndef SF_SBF_ORCA_WHIRLPOOL_FEE_H
#define SF_SBF_ORCA_WHIRLPOOL_FEE_H

#include "sbf/orca_whirlpool_math.h"

#define WHIRLPOOL_INVALID_TIMESTAMP 6022
#define WHIRLPOOL_FEE_RATE_LIMIT    100000UL
#define WHIRLPOOL_VOLATILITY_SCALE  10000UL
#define WHIRLPOOL_REDUCTION_OF      10000UL
#define WHIRLPOOL_CONTROL_OF        10000000000000UL /* 100,000 times the scale squared */
#define WHIRLPOOL_REFERENCE_SECONDS 3600UL

/* Offsets in an oracle's data. */
enum {
  ORACLE_POOL             = 8,
  ORACLE_TRADE_ENABLE     = 40,
  ORACLE_FILTER_PERIOD    = 48,
  ORACLE_DECAY_PERIOD     = 50,
  ORACLE_REDUCTION        = 52,
  ORACLE_CONTROL          = 54,
  ORACLE_MAX_ACCUMULATOR  = 58,
  ORACLE_GROUP_SIZE       = 62,
  ORACLE_MAJOR_SWAP_TICKS = 64,
  ORACLE_REFERENCE_UPDATE = 82,
  ORACLE_MAJOR_SWAP       = 90,
  ORACLE_REFERENCE        = 98,
  ORACLE_GROUP_REFERENCE  = 102,
  ORACLE_ACCUMULATOR      = 106,
  ORACLE_SIZE             = 254,
};

/* One end of the groups in which the rate differs from group to group. */
typedef struct whirlpool_core_end {
  bool exists;
  int64_t group;
  sbf_u128_t price;
} whirlpool_core_end_t;

typedef struct whirlpool_fees {
  bool adaptive, a_to_b;
  uint64_t fee_rate; /* the constant part */
  uint64_t control, max_accumulator, group_size;
  uint64_t reference_update, reference, accumulator;
  int64_t group, group_reference;
  whirlpool_core_end_t low, high;
} whirlpool_fees_t;

SBF_INLINE uint64_t whirlpool_u32( uint8_t const * p ) { return *(sbf_u32_alias_t const *)p; }

SBF_FUNCTION void whirlpool_update_reference( whirlpool_fees_t * fees, uint8_t const * oracle, uint64_t now ) {
  uint64_t major = sbf_u64( oracle + ORACLE_MAJOR_SWAP );
  uint64_t last  = fees->reference_update > major ? fees->reference_update : major;
  bool old       = now - fees->reference_update > WHIRLPOOL_REFERENCE_SECONDS;
  if( !old && now - last < sbf_u16( oracle + ORACLE_FILTER_PERIOD ) ) return;
  bool decays            = !old && now - last < sbf_u16( oracle + ORACLE_DECAY_PERIOD );
  uint64_t kept          = fees->accumulator * sbf_u16( oracle + ORACLE_REDUCTION ) / WHIRLPOOL_REDUCTION_OF;
  fees->reference        = decays ? kept : 0;
  fees->group_reference  = fees->group;
  fees->reference_update = now;
}

SBF_FUNCTION void whirlpool_core_end( whirlpool_core_end_t * end, int64_t group, int64_t tick ) {
  *end = ( whirlpool_core_end_t ){ .exists = tick > TICK_MIN && tick < TICK_MAX, .group = group };
  if( end->exists ) whirlpool_price_of( &end->price, tick );
}

/* whirlpool_fees_begin reads the oracle, if there is one. */
SBF_FUNCTION uint64_t whirlpool_fees_begin( whirlpool_fees_t * fees, uint8_t const * oracle, int64_t tick,
                                            uint64_t now ) {
  fees->adaptive = oracle;
  if( !oracle ) return 0;
  fees->control          = whirlpool_u32( oracle + ORACLE_CONTROL );
  fees->max_accumulator  = whirlpool_u32( oracle + ORACLE_MAX_ACCUMULATOR );
  fees->group_size       = sbf_u16( oracle + ORACLE_GROUP_SIZE );
  fees->reference_update = sbf_u64( oracle + ORACLE_REFERENCE_UPDATE );
  fees->reference        = whirlpool_u32( oracle + ORACLE_REFERENCE );
  fees->group_reference  = tick_i32( oracle + ORACLE_GROUP_REFERENCE );
  fees->accumulator      = whirlpool_u32( oracle + ORACLE_ACCUMULATOR );
  if( !fees->group_size ) return WHIRLPOOL_PANIC;
  fees->group = tick_floor_div( tick, fees->group_size );
  if( now < fees->reference_update || now < sbf_u64( oracle + ORACLE_MAJOR_SWAP ) ) return WHIRLPOOL_INVALID_TIMESTAMP;
  whirlpool_update_reference( fees, oracle, now );
  if( fees->max_accumulator < fees->reference ) return WHIRLPOOL_PANIC;

  uint64_t span = fees->max_accumulator - fees->reference + WHIRLPOOL_VOLATILITY_SCALE - 1;
  int64_t reach = (int64_t)( span / WHIRLPOOL_VOLATILITY_SCALE ), size = (int64_t)fees->group_size;
  int64_t lowest = fees->group_reference - reach, highest = fees->group_reference + reach;
  whirlpool_core_end( &fees->low, lowest, lowest * size );
  whirlpool_core_end( &fees->high, highest, highest * size + size );
  return 0;
}

SBF_FUNCTION void whirlpool_fees_accumulate( whirlpool_fees_t * fees ) {
  if( !fees->adaptive ) return;
  int64_t moved     = fees->group_reference - fees->group;
  uint64_t total    = fees->reference + (uint64_t)( moved < 0 ? -moved : moved ) * WHIRLPOOL_VOLATILITY_SCALE;
  fees->accumulator = total < fees->max_accumulator ? total : fees->max_accumulator;
}

SBF_FUNCTION uint64_t whirlpool_fee_rate( whirlpool_fees_t const * fees ) {
  if( !fees->adaptive ) return fees->fee_rate;
  uint64_t crossed = fees->accumulator * fees->group_size;
  sbf_u128_t added;
  sbf_mul64( &added, crossed, crossed );
  sbf_mul_div( &added, added.lo, fees->control, WHIRLPOOL_CONTROL_OF, true );
  if( added.hi || added.lo > WHIRLPOOL_FEE_RATE_LIMIT ) return WHIRLPOOL_FEE_RATE_LIMIT;
  uint64_t rate = fees->fee_rate + added.lo;
  return rate < WHIRLPOOL_FEE_RATE_LIMIT ? rate : WHIRLPOOL_FEE_RATE_LIMIT;
}

/* whirlpool_fees_bound cuts *target to where the present rate ends; returns whether groups may be skipped on
   the way, because they all have the same rate. */
SBF_FUNCTION bool whirlpool_fees_bound( whirlpool_fees_t const * fees, sbf_u128_t * target, bool has_liquidity ) {
  if( !fees->adaptive ) return false;
  if( !fees->control || !has_liquidity ) return true;
  bool below = fees->low.exists && fees->group < fees->low.group;
  bool above = fees->high.exists && fees->group > fees->high.group;
  sbf_u128_t edge;
  if( below || above ) {
    if( below == fees->a_to_b ) return true; /* away from the core */
    edge = below ? fees->low.price : fees->high.price;
  } else {
    int64_t tick = ( fees->group + !fees->a_to_b ) * (int64_t)fees->group_size;
    if( tick < TICK_MIN ) tick = TICK_MIN;
    if( tick > TICK_MAX ) tick = TICK_MAX;
    whirlpool_price_of( &edge, tick );
  }
  if( fees->a_to_b ? sbf_u128_less( *target, edge ) : sbf_u128_less( edge, *target ) ) *target = edge;
  return below || above;
}

/* whirlpool_fees_advance goes on to the next group, or, where groups were skipped, to the one beyond
   `price`; next_tick and next_price are of the tick that the swap was on its way to. */
SBF_FUNCTION void whirlpool_fees_advance( whirlpool_fees_t * fees, bool skipped, sbf_u128_t const * price,
                                          sbf_u128_t const * next_price, int64_t next_tick ) {
  if( !fees->adaptive ) return;
  if( skipped ) {
    sbf_u128_t at = *next_price;
    int64_t tick  = next_tick;
    if( !sbf_u128_equal( *price, *next_price ) ) {
      tick = whirlpool_tick_at( price );
      whirlpool_price_of( &at, tick );
    }
    int64_t passed = tick_floor_div( tick, fees->group_size );
    bool on_edge   = passed * (int64_t)fees->group_size == tick && sbf_u128_equal( *price, at );
    if( on_edge && !fees->a_to_b ) passed--;
    if( fees->a_to_b ? passed < fees->group : passed > fees->group ) {
      fees->group = passed;
      whirlpool_fees_accumulate( fees );
    }
  }
  fees->group += fees->a_to_b ? -1 : 1;
}

/* whirlpool_is_major_swap says whether the price moved by the oracle's number of ticks. */
SBF_FUNCTION bool whirlpool_is_major_swap( uint8_t const * oracle, sbf_u128_t const * from, sbf_u128_t const * to ) {
  bool down                 = sbf_u128_less( *to, *from );
  sbf_u128_t const *smaller = down ? to : from, *larger = down ? from : to;
  sbf_u128_t factor;
  whirlpool_price_of( &factor, sbf_u16( oracle + ORACLE_MAJOR_SWAP_TICKS ) );
  wide_t product;
  wide_mul( &product, smaller, &factor );
  return !sbf_u128_less( *larger, ( sbf_u128_t ){ product.w[1], product.w[2] } );
}

/* whirlpool_fees_end writes the variables back. */
SBF_FUNCTION void whirlpool_fees_end( whirlpool_fees_t const * fees, uint8_t * oracle ) {
  sbf_put_u64( oracle + ORACLE_REFERENCE_UPDATE, fees->reference_update );
  tick_put_i32( oracle + ORACLE_REFERENCE, (int64_t)fees->reference );
  tick_put_i32( oracle + ORACLE_GROUP_REFERENCE, fees->group_reference );
  tick_put_i32( oracle + ORACLE_ACCUMULATOR, (int64_t)fees->accumulator );
}

#endif
