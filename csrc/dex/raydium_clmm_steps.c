#include <string.h>

#include "dex/raydium_clmm.h"

#define ACCUMULATOR_SCALE 10000u
#define FEE_MAX           100000u /* per 10^6, base and dynamic fee together */
#define STEPS_MAX         4096u   /* more than a transaction can pay for */

static sf_tick_rules_t const * const rules = &sf_tick_rules[SF_TICKS_RAYDIUM];

/* ceil( amount * rate / of ); -1 if it does not fit */
static int part_up( uint64_t amount, uint64_t rate, uint64_t of, uint64_t * out ) {
  sf_u128_t part = ( (sf_u128_t)amount * rate + of - 1 ) / of;
  *out           = (uint64_t)part;
  return part >> 64 ? -1 : 0;
}

/* -- the fee by volatility ------------------------------------------------------------------------ */

typedef struct walk {
  sf_raydium_clmm_state_t const * s;
  sf_clmm_dynamic_t dynamic;
  int32_t index; /* tick over tick spacing that the price is in */
  uint32_t base_fee;
  int a_to_b;
  int exact_in;
  int fee_in; /* the fee is taken from the input */
  uint64_t left;
  uint64_t other;
  uint32_t error; /* the program's, where it is known */
  sf_quote_t * q;
} walk_t;

static int32_t index_of( walk_t const * w, int32_t tick ) {
  return sf_tick_floor( tick, (int32_t)w->s->spacing ) / (int32_t)w->s->spacing;
}

static void accumulate( walk_t * w ) {
  sf_clmm_dynamic_t * d = &w->dynamic;
  if( !d->enabled ) return;
  int64_t delta  = (int64_t)d->index_reference - w->index;
  uint64_t sum   = d->reference + (uint64_t)( delta < 0 ? -delta : delta ) * ACCUMULATOR_SCALE;
  d->accumulator = sum < d->accumulator_max ? (uint32_t)sum : d->accumulator_max;
}

static void dynamic_begin( walk_t * w, uint64_t now ) {
  sf_clmm_dynamic_t * d = &w->dynamic;
  w->index              = index_of( w, w->s->ticks.tick );
  uint64_t elapsed      = now > d->last_update ? now - d->last_update : 0;
  if( !d->enabled || elapsed < d->filter_period ) return;
  d->index_reference = w->index;
  d->reference       = elapsed < d->decay_period
                           ? (uint32_t)( (uint64_t)d->accumulator * d->reduction_factor / SF_CLMM_REDUCTION_OF )
                           : 0;
}

static uint32_t fee_now( walk_t const * w ) {
  if( !w->dynamic.enabled ) return w->base_fee;
  uint64_t crossed = (uint64_t)w->dynamic.accumulator * w->s->spacing;
  sf_u128_t per    = (sf_u128_t)SF_CLMM_CONTROL_OF * ACCUMULATOR_SCALE * ACCUMULATOR_SCALE;
  sf_u128_t added  = ( (sf_u128_t)crossed * crossed * w->dynamic.control + per - 1 ) / per;
  sf_u128_t fee    = w->base_fee + ( added > FEE_MAX ? FEE_MAX : added );
  return fee > FEE_MAX ? FEE_MAX : (uint32_t)fee;
}

/* The price up to which one fee holds.  Returns 1 if spacings can be skipped: the fee does not change in them.
   Beyond a gap without liquidity the program's index lags behind the price, and so may the bound: see beyond(). */
static int fee_bound( walk_t const * w, sf_u128_t depth, sf_u128_t target, sf_u128_t * bound ) {
  *bound = target;
  if( !w->dynamic.enabled || !depth || w->dynamic.accumulator == w->dynamic.accumulator_max ) return 1;
  int64_t tick = ( (int64_t)w->index + !w->a_to_b ) * w->s->spacing;
  tick         = tick < SF_TICK_MIN ? SF_TICK_MIN : tick > SF_TICK_MAX ? SF_TICK_MAX : tick;
  sf_u128_t p  = sf_tick_price_raydium( (int32_t)tick );
  if( w->a_to_b ? p > target : p < target ) *bound = p;
  return 0;
}

static void fee_advance( walk_t * w, int skipped, int32_t tick ) {
  if( !w->dynamic.enabled ) return;
  if( skipped ) {
    w->index = index_of( w, tick ) - ( !w->a_to_b && tick % (int32_t)w->s->spacing == 0 );
    if( w->dynamic.accumulator != w->dynamic.accumulator_max ) accumulate( w );
  }
  w->index += w->a_to_b ? -1 : 1;
}

/* -- what a step and an order take ---------------------------------------------------------------- */

static int take( walk_t * w, uint64_t in, uint64_t out, uint64_t fee ) {
  sf_ticks_t const * t = &w->s->ticks;
  uint64_t paid        = in;
  if( w->fee_in && __builtin_add_overflow( paid, fee, &paid ) ) return -1;
  if( __builtin_sub_overflow( w->left, w->exact_in ? paid : out, &w->left ) ) return -1;
  if( __builtin_add_overflow( w->other, w->exact_in ? out : paid, &w->other ) ) return -1;
  if( __builtin_add_overflow( w->q->fee, fee, &w->q->fee ) ) return -1;
  for( int i = 0; i < 2; i++ ) w->q->protocol_fee += (uint64_t)( (sf_u128_t)fee * t->share[i] / SF_FEE_PPM );
  return 0;
}

/* A step goes towards the bound.  One that the bound lies behind may come to it all the same, with what the whole way
   back costs; if the amount does not reach that far, the program fails. */
static int beyond( walk_t * w, sf_u128_t bound, sf_u128_t reached ) {
  int failed = w->a_to_b ? reached < bound : reached > bound;
  if( failed ) w->error = SF_CLMM_ERR_LESS;
  return failed;
}

static int step( walk_t * w, sf_u128_t depth, sf_u128_t from, sf_u128_t bound, uint32_t fee, sf_u128_t * to ) {
  sf_tick_step_t done;
  if( w->fee_in ) {
    if( sf_tick_step( rules, depth, from, bound, w->left, fee, w->a_to_b, w->exact_in, &done ) ) return -1;
    if( beyond( w, bound, done.sqrt_price ) ) return -1;
  } else {
    uint64_t asked = w->left;
    if( !w->exact_in && part_up( w->left, SF_FEE_PPM, SF_FEE_PPM - fee, &asked ) ) return -1;
    if( sf_tick_step( rules, depth, from, bound, asked, 0, w->a_to_b, w->exact_in, &done ) ) return -1;
    if( beyond( w, bound, done.sqrt_price ) ) return -1;
    if( part_up( done.gross_out, fee, SF_FEE_PPM, &done.fee ) ) return -1;
    done.out = done.gross_out - done.fee;
    if( !w->exact_in && done.out > w->left ) {
      done.fee = done.gross_out - w->left;
      done.out = w->left;
    }
    if( done.sqrt_price == from && !done.in && !done.out ) return -1; /* it would go on for ever */
  }
  *to = done.sqrt_price;
  return take( w, done.in, done.out, done.fee );
}

/* floor or ceil of amount * 2^64 / price or of amount * price / 2^64; 2^128-1 stands for more */
static sf_u128_t convert( uint64_t amount, sf_u128_t price, int divide, int up ) {
  sf_u256_t n = divide ? sf_wide_of_shl64( amount ) : sf_wide_mul( amount, price );
  sf_u128_t out;
  if( divide ) {
    int rest = sf_wide_div( n, sf_wide_of( price ), &out );
    return rest < 0 ? ~(sf_u128_t)0 : out + (unsigned)( up && rest );
  }
  out = (sf_u128_t)n.w[2] << 64 | n.w[1];
  return out + (unsigned)( up && n.w[0] );
}

/* Orders of `amount` at a tick against what is left of the swap.  Returns what remains of them, -1 if the program
   fails. */
static int match( walk_t * w, sf_u128_t sqrt_price, uint32_t fee, uint64_t amount, uint64_t * rest ) {
  *rest = amount;
  if( !w->left || !amount ) return 0;
  sf_u256_t square = sf_wide_mul( sqrt_price, sqrt_price );
  /* the price, rounded against the swap */
  if( !w->a_to_b && square.w[0] ) {
    unsigned carry;
    square = sf_wide_add( square, sf_wide_of( UINT64_MAX ), &carry );
  }
  if( square.w[3] ) return -1;
  sf_u128_t price = (sf_u128_t)square.w[2] << 64 | square.w[1];
  uint64_t in = 0, out, taken = 0;
  int whole = 0; /* the input buys all of the orders */
  if( w->exact_in ) {
    if( w->fee_in && part_up( w->left, fee, SF_FEE_PPM, &taken ) ) return -1;
    in               = w->left - taken;
    sf_u128_t bought = convert( in, price, !w->a_to_b, 0 );
    out              = bought > amount ? amount : (uint64_t)bought;
    whole            = bought > amount;
  } else {
    out = w->left < amount ? w->left : amount;
    if( !w->fee_in ) {
      if( part_up( out, SF_FEE_PPM, SF_FEE_PPM - fee, &out ) ) return -1;
      out = out < amount ? out : amount;
    }
  }
  if( !w->exact_in || whole ) {
    sf_u128_t needed = convert( out, price, w->a_to_b, 1 );
    if( needed >> 64 ) return -1;
    in = (uint64_t)needed;
    if( w->fee_in && part_up( in, fee, SF_FEE_PPM - fee, &taken ) ) return -1;
  }
  *rest = amount - out;
  if( !w->fee_in ) {
    if( part_up( out, fee, SF_FEE_PPM, &taken ) ) return -1;
    out -= taken;
  }
  return in ? take( w, in, out, taken ) : 0;
}

/* -- the program's loop --------------------------------------------------------------------------- */

uint32_t sf_raydium_clmm_fee( sf_raydium_clmm_state_t const * s, uint64_t now ) {
  walk_t w = { .s = s, .dynamic = s->dynamic, .base_fee = s->ticks.fee_ppm };
  dynamic_begin( &w, now );
  accumulate( &w );
  return fee_now( &w );
}

void sf_raydium_clmm_steps( sf_raydium_clmm_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                            sf_u128_t stop, uint64_t now, sf_quote_t * q ) {
  sf_ticks_t const * t = &s->ticks;
  int up               = !a_to_b;
  sf_end_t const * end = &t->end[up];
  walk_t w             = { .s        = s,
                           .dynamic  = s->dynamic,
                           .base_fee = t->fee_ppm,
                           .a_to_b   = a_to_b,
                           .exact_in = exact_in,
                           .fee_in   = sf_raydium_clmm_fee_in( s, a_to_b ),
                           .left     = amount,
                           .q        = q };
  sf_u128_t price      = t->sqrt_price;
  uint32_t i = t->at, steps = 0;
  int32_t tick = t->tick;
  memset( q, 0, sizeof( *q ) );
  q->status       = SF_QUOTE_REFUSED;
  q->fee_in_input = (uint32_t)w.fee_in;
  dynamic_begin( &w, now );
  while( w.left && price != stop && i != end->at ) {
    uint32_t at          = up ? i : i - 1;
    sf_u128_t next_price = t->list[at].price,
              target     = ( up ? stop < next_price : stop > next_price ) ? stop : next_price;
    int32_t next         = t->list[at].index;
    uint64_t orders      = t->list[at].orders;
    uint32_t to          = i;
    for( ;; ) {
      sf_u128_t bound, reached;
      if( ++steps > STEPS_MAX ) return;
      accumulate( &w );
      uint32_t fee = fee_now( &w );
      int skipped  = fee_bound( &w, t->list[i].depth, target, &bound );
      reached      = bound;
      if( price != bound && step( &w, t->list[i].depth, price, bound, fee, &reached ) ) {
        q->error = w.error;
        return;
      }
      if( reached == next_price ) {
        uint64_t before = orders;
        if( match( &w, next_price, fee, before, &orders ) ) return;
        /* it would stay at the tick for ever */
        if( w.left && orders && ( orders != before || next_price != stop ) ) return;
        if( !orders ) to = up ? i + 1 : i - 1;
        tick = up ? next - ( orders != 0 ) : next - ( orders == 0 );
      } else if( reached != price ) tick = sf_tick_of_price( reached, sf_tick_price_raydium );
      price = reached;
      if( !w.left || price == target ) break;
      fee_advance( &w, skipped, price == next_price ? next : tick );
    }
    i = to;
    if( t->list[i].flags & SF_STRETCH_WRONG ) return;
    if( price == next_price && orders ) break; /* they took the rest */
  }
  q->status     = SF_QUOTE_OK;
  q->amount_in  = exact_in ? amount - w.left : w.other;
  q->amount_out = exact_in ? w.other : amount - w.left;
  q->sqrt_price = price;
  q->tick       = tick;
  q->liquidity  = t->list[i].depth;
  q->crossed    = up ? i - t->at : t->at - i;
  q->impact_ppm = sf_tick_impact( t->value[up], q->amount_in - ( w.fee_in ? q->fee : 0 ),
                                  q->amount_out + ( w.fee_in ? 0 : q->fee ) );
  if( w.left && price != stop ) {
    q->status = end->status;
    q->error  = end->error;
  }
}
