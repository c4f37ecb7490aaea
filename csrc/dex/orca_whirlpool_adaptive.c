#include "dex/orca_whirlpool.h"

#define ACCUMULATOR_SCALE 10000u
#define FEE_MAX           100000u /* per 10^6, all in all */
#define REFERENCE_AGE_MAX 3600u   /* seconds */

typedef struct fee_walk {
  sf_whirlpool_oracle_t o;
  int32_t group;
  int32_t core[2];         /* groups below and above which the accumulator is at its maximum */
  sf_u128_t core_price[2]; /* 0: beyond all ticks */
} fee_walk_t;

static void accumulate( fee_walk_t * w ) {
  int64_t delta    = (int64_t)w->o.group_reference - w->group;
  uint64_t sum     = w->o.reference + (uint64_t)( delta < 0 ? -delta : delta ) * ACCUMULATOR_SCALE;
  w->o.accumulator = sum < w->o.accumulator_max ? (uint32_t)sum : w->o.accumulator_max;
}

static int32_t group_of( fee_walk_t const * w, int32_t tick ) {
  return sf_tick_floor( tick, w->o.group_size ) / w->o.group_size;
}

static int fee_walk_begin( fee_walk_t * w, sf_orca_whirlpool_state_t const * s, uint64_t now ) {
  w->o          = s->oracle;
  w->group      = group_of( w, s->ticks.tick );
  uint64_t last = w->o.reference_update > w->o.major_swap ? w->o.reference_update : w->o.major_swap;
  if( now < last ) return -1;
  uint64_t age = now - w->o.reference_update, elapsed = now - last;
  if( age > REFERENCE_AGE_MAX || elapsed >= w->o.decay_period ) {
    w->o.group_reference = w->group;
    w->o.reference       = 0;
  } else if( elapsed >= w->o.filter_period ) {
    w->o.group_reference = w->group;
    w->o.reference       = (uint32_t)( (uint64_t)w->o.accumulator * w->o.reduction_factor / SF_WHIRLPOOL_REDUCTION_OF );
  }
  int64_t reach = ( (int64_t)w->o.accumulator_max - w->o.reference + ACCUMULATOR_SCALE - 1 ) / ACCUMULATOR_SCALE;
  for( int up = 0; up < 2; up++ ) {
    int64_t group = w->o.group_reference + ( up ? reach : -reach ), tick = ( group + up ) * w->o.group_size;
    w->core[up]       = (int32_t)group;
    w->core_price[up] = tick > SF_TICK_MIN && tick < SF_TICK_MAX ? sf_tick_price_orca( (int32_t)tick ) : 0;
  }
  return 0;
}

static uint32_t fee_now( fee_walk_t const * w, uint32_t fee_ppm ) {
  uint64_t crossed = (uint64_t)w->o.accumulator * w->o.group_size;
  sf_u128_t per    = (sf_u128_t)SF_WHIRLPOOL_CONTROL_OF * ACCUMULATOR_SCALE * ACCUMULATOR_SCALE;
  sf_u128_t added  = ( (sf_u128_t)crossed * crossed * w->o.control_factor + per - 1 ) / per;
  uint64_t fee     = fee_ppm + ( added > FEE_MAX ? FEE_MAX : (uint64_t)added );
  return fee > FEE_MAX ? FEE_MAX : (uint32_t)fee;
}

/* The price up to which one fee holds.  Returns 1 if groups can be skipped: the fee does not change in them. */
static int fee_bound( fee_walk_t const * w, int up, sf_u128_t depth, sf_u128_t target, sf_u128_t * bound ) {
  *bound = target;
  if( !w->o.control_factor || !depth ) return 1;
  for( int side = 0; side < 2; side++ ) {
    if( !w->core_price[side] || !( side ? w->group > w->core[1] : w->group < w->core[0] ) ) continue;
    if( side != up && ( up ? w->core_price[0] < target : w->core_price[1] > target ) ) *bound = w->core_price[side];
    return 1;
  }
  int64_t tick = (int64_t)( w->group + up ) * w->o.group_size;
  tick         = tick < SF_TICK_MIN ? SF_TICK_MIN : tick > SF_TICK_MAX ? SF_TICK_MAX : tick;
  sf_u128_t p  = sf_tick_price_orca( (int32_t)tick );
  if( up ? p < target : p > target ) *bound = p;
  return 0;
}

static void fee_skip( fee_walk_t * w, int up, sf_u128_t price, sf_u128_t next_price, int32_t next_index ) {
  int32_t tick = next_index;
  int edge     = tick % w->o.group_size == 0;
  if( price != next_price ) {
    tick = sf_tick_of_price( price, sf_tick_price_orca );
    edge = tick % w->o.group_size == 0 && price == sf_tick_price_orca( tick );
  }
  int32_t passed = edge && up ? tick / w->o.group_size - 1 : group_of( w, tick );
  if( up ? passed > w->group : passed < w->group ) {
    w->group = passed;
    accumulate( w );
  }
}

int sf_orca_whirlpool_fee( sf_orca_whirlpool_state_t const * s, uint64_t now ) {
  fee_walk_t w;
  if( !s->adaptive ) return (int)s->ticks.fee_ppm;
  if( !s->oracle.known || now < s->oracle.trade_enable || fee_walk_begin( &w, s, now ) ) return -1;
  accumulate( &w );
  return (int)fee_now( &w, s->ticks.fee_ppm );
}

void sf_orca_whirlpool_adaptive( sf_orca_whirlpool_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                                 sf_u128_t limit, uint64_t now, sf_quote_t * q ) {
  sf_ticks_t const * t = &s->ticks;
  int up               = !a_to_b;
  sf_end_t const * end = &t->end[up];
  sf_u128_t price      = t->sqrt_price;
  uint64_t left = amount, other = 0;
  uint32_t i   = t->at;
  int32_t tick = t->tick;
  fee_walk_t w;
  if( !limit ) limit = up ? SF_SQRT_PRICE_MAX_ORCA : SF_SQRT_PRICE_MIN;
  q->status = SF_QUOTE_REFUSED;
  q->error  = SF_WHIRLPOOL_ERR_TIMESTAMP;
  if( fee_walk_begin( &w, s, now ) ) return;
  q->error = 0;
  while( left && price != limit ) {
    int last = i == end->at;
    if( last && price == end->sqrt_price ) {
      tick = up ? end->index : end->index - 1;
      break;
    }
    uint32_t at          = up ? i : i - 1;
    sf_u128_t next_price = last ? end->sqrt_price : t->list[at].price;
    int32_t next_index   = last ? end->index : t->list[at].index;
    sf_u128_t target = ( up ? limit < next_price : limit > next_price ) ? limit : next_price, depth = t->list[i].depth;
    do {
      sf_u128_t bound;
      sf_tick_step_t step;
      accumulate( &w );
      int skip = fee_bound( &w, up, depth, target, &bound );
      if( sf_tick_step( &sf_tick_rules[SF_TICKS_ORCA], depth, price, bound, left, fee_now( &w, t->fee_ppm ), a_to_b,
                        exact_in, &step ) )
        return;
      uint64_t in = step.in + step.fee;
      if( in < step.fee || __builtin_add_overflow( other, exact_in ? step.out : in, &other ) ) return;
      left -= exact_in ? in : step.out;
      q->fee += step.fee;
      q->protocol_fee += (uint64_t)( (sf_u128_t)step.fee * t->share[0] / SF_SHARE_BPS );
      if( step.sqrt_price == next_price ) {
        if( !last ) i = up ? i + 1 : i - 1;
        if( t->list[i].flags & SF_STRETCH_WRONG ) return;
        tick = up ? next_index : next_index - 1;
      } else if( step.sqrt_price != price ) tick = sf_tick_of_price( step.sqrt_price, sf_tick_price_orca );
      price = step.sqrt_price;
      if( skip ) fee_skip( &w, up, price, next_price, next_index );
      w.group += up ? 1 : -1;
    } while( left && price != target );
  }
  q->status     = SF_QUOTE_OK;
  q->amount_in  = exact_in ? amount - left : other;
  q->amount_out = exact_in ? other : amount - left;
  q->sqrt_price = price;
  q->tick       = tick;
  q->liquidity  = t->list[i].depth;
  q->crossed    = up ? i - t->at : t->at - i;
  q->impact_ppm = sf_tick_impact( t->value[up], q->amount_in - q->fee, q->amount_out );
  if( left && price != limit ) {
    q->status = end->status;
    q->error  = end->error;
  }
}
