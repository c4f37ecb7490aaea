/* meteora_dlmm_math.h: what a swap of Meteora DLMM moves, bin by bin, and how it leaves pair and bins.

   A bin gives its own liquidity first, then what is left of limit orders in processing, then open ones.  Fees
   are base + variable rate, at most 10 %, of the input, or of the output in y where the pair says so.  Builds
   before limit orders (`newest` false) know a bin's own liquidity alone, and fees from the input.

   Sources: MeteoraAg/dlmm-sdk commons/src/{quote.rs,extensions/{bin,lb_pair,limit_order}.rs}. */

#ifndef SF_SBF_METEORA_DLMM_MATH_H
#define SF_SBF_METEORA_DLMM_MATH_H

#include "sbf/meteora_dlmm_pair.h"

#define DLMM_RATE_ONE      1000000000UL
#define DLMM_RATE_MAX      100000000UL
#define DLMM_ORDER_FEE_BPS 5000UL /* of the fee on filled orders: theirs, the rest is the protocol's */
#define DLMM_LAYERS        3

/* What one bin gives for a part of a swap. */
typedef struct dlmm_fill {
  uint64_t in; /* with the fee, if that is from the input */
  uint64_t out;
  uint64_t fee;
  uint64_t protocol; /* of the fee */
  uint64_t order;    /* of the fee, for orders' owners */
  uint64_t over;     /* what an exact output leaves of what the bin gives: the protocol's */
  uint64_t given[DLMM_LAYERS], taken[DLMM_LAYERS];
} dlmm_fill_t;

/* What a swap asks for, and what it comes to. */
typedef struct dlmm_swap {
  uint8_t * pair;
  uint8_t const * extension; /* NULL: the pair has none */
  uint8_t * array[DLMM_ARRAYS_MAX];
  uint64_t array_count;
  bool newest;
  bool x_to_y;
  bool exact_out;
  uint64_t amount;
  uint64_t now, slot;
  token_fee_t transfer_in, transfer_out;

  bool fee_on_input;
  int64_t start, active; /* bins */
  int64_t index_reference;
  uint64_t reference;
  uint64_t volatility, rate; /* of the bin at hand */
  uint64_t left;
  uint64_t in, out; /* of the reserves */
  uint64_t fee, protocol_fee, order_fee;
  uint64_t over;           /* of protocol_fee, what is not from the fee */
  uint64_t sent, received; /* by the user, with and without the mints' transfer fees */
  sbf_u128_t price;
  uint64_t layer[DLMM_LAYERS];
  uint64_t layers;
  dlmm_fill_t fill;
} dlmm_swap_t;

/* ---- amounts ------------------------------------------------------------------------------------------- */

/* dlmm_convert sets *to to amount*price/2^64 if `times`, else to amount*2^64/price; what does not fit 64 bits
   fails. */
SBF_FUNCTION uint64_t dlmm_convert( uint64_t * to, uint64_t amount, sbf_u128_t const * price, bool times,
                                    bool round_up ) {
  sbf_u128_t found, rest, low;
  if( times ) {
    sbf_mul64( &low, amount, price->lo );
    sbf_mul64( &found, amount, price->hi );
    found = sbf_u128_add( found, sbf_u128( low.hi ) );
    rest  = sbf_u128( low.lo );
  } else {
    low = ( sbf_u128_t ){ 0, amount };
    sbf_u128_div( &found, &rest, &low, price );
  }
  if( round_up && !sbf_u128_zero( rest ) ) found = sbf_u128_add( found, sbf_u128( 1 ) );
  *to = found.lo;
  return found.hi ? DLMM_OVERFLOW : 0;
}

/* dlmm_needs sets *in to what `out` costs in the bin, dlmm_gives *out to what `in` brings. */
SBF_FUNCTION uint64_t dlmm_needs( uint64_t * in, dlmm_swap_t const * s, uint64_t out ) {
  return dlmm_convert( in, out, &s->price, !s->x_to_y, true );
}

SBF_FUNCTION uint64_t dlmm_gives( uint64_t * out, dlmm_swap_t const * s, uint64_t in ) {
  return dlmm_convert( out, in, &s->price, s->x_to_y, false );
}

/* dlmm_inside sets *fee to that part of an amount, dlmm_on_top to what comes on top of it. */
SBF_FUNCTION uint64_t dlmm_inside( uint64_t * fee, dlmm_swap_t const * s, uint64_t amount ) {
  sbf_u128_t part;
  sbf_mul_div( &part, amount, s->rate, DLMM_RATE_ONE, true );
  *fee = part.lo;
  return 0;
}

SBF_FUNCTION uint64_t dlmm_on_top( uint64_t * fee, dlmm_swap_t const * s, uint64_t amount ) {
  sbf_u128_t part;
  sbf_mul_div( &part, amount, s->rate, DLMM_RATE_ONE - s->rate, true );
  *fee = part.lo;
  return part.hi ? DLMM_OVERFLOW : 0;
}

SBF_FUNCTION uint64_t dlmm_add( uint64_t * value, uint64_t more ) {
  *value += more;
  return *value < more ? DLMM_OVERFLOW : 0;
}

SBF_FUNCTION uint64_t dlmm_share( dlmm_swap_t const * s, uint64_t fee ) {
  sbf_u128_t part;
  sbf_mul_div( &part, fee, sbf_u16( s->pair + PAIR_PROTOCOL_SHARE ), DLMM_BPS, false );
  return part.lo; /* no share is above all */
}

/* ---- the rate of a bin ------------------------------------------------------------------------------------ */

/* dlmm_references finds what volatility counts from, by the time since the last swap. */
SBF_FUNCTION uint64_t dlmm_references( dlmm_swap_t * s ) {
  uint8_t const * pair = s->pair;
  int64_t elapsed      = (int64_t)( s->now - sbf_u64( pair + PAIR_LAST_UPDATE ) );
  s->index_reference   = dlmm_i32( pair + PAIR_INDEX_REFERENCE );
  s->reference         = dlmm_u32( pair + PAIR_REFERENCE );
  if( elapsed < sbf_u16( pair + PAIR_FILTER ) ) return 0;
  s->index_reference = s->active;
  s->reference       = 0;
  if( elapsed >= sbf_u16( pair + PAIR_DECAY ) ) return 0;
  uint64_t product = dlmm_u32( pair + PAIR_VOLATILITY ) * sbf_u16( pair + PAIR_REDUCTION );
  DLMM_REQUIRE( !( product >> 32 ), DLMM_OVERFLOW );
  s->reference = product / DLMM_BPS;
  return 0;
}

/* dlmm_rate finds volatility and rate of the active bin. */
SBF_FUNCTION void dlmm_rate( dlmm_swap_t * s ) {
  uint8_t const * pair = s->pair;
  uint64_t step = sbf_u16( pair + PAIR_STEP ), base = sbf_u16( pair + PAIR_BASE_FACTOR ) * step * 10;
  int64_t away  = s->index_reference - s->active;
  uint64_t most = dlmm_u32( pair + PAIR_MAX_VOLATILITY );
  s->volatility = s->reference + (uint64_t)( away < 0 ? -away : away ) * DLMM_BPS;
  if( s->volatility > most ) s->volatility = most;
  for( uint64_t power = pair[PAIR_BASE_POWER]; power; power-- ) base *= 10;
  uint64_t moved = s->volatility * step;
  sbf_u128_t square, product, fee, rest, scale = sbf_u128( 100000000000UL );
  sbf_mul64( &square, moved, moved );
  sbf_u128_mul64( &product, &square, dlmm_u32( pair + PAIR_CONTROL ) );
  product = sbf_u128_add( product, sbf_u128( scale.lo - 1 ) );
  sbf_u128_div( &fee, &rest, &product, &scale );
  fee     = sbf_u128_add( fee, sbf_u128( base ) );
  s->rate = fee.hi || fee.lo > DLMM_RATE_MAX ? DLMM_RATE_MAX : fee.lo;
}

/* ---- one bin ------------------------------------------------------------------------------------------------ */

/* dlmm_fill_older puts `left` into the bin's own liquidity. */
SBF_FUNCTION uint64_t dlmm_fill_older( dlmm_swap_t * s, uint64_t left ) {
  dlmm_fill_t * f = &s->fill;
  uint64_t most, all, fee;
  DLMM_TRY( dlmm_needs( &most, s, s->layer[0] ) );
  DLMM_TRY( dlmm_on_top( &fee, s, most ) );
  all = most;
  DLMM_TRY( dlmm_add( &all, fee ) );
  f->in  = all;
  f->fee = fee;
  f->out = s->layer[0];
  if( left <= all ) {
    f->in = left;
    DLMM_TRY( dlmm_inside( &f->fee, s, left ) );
    DLMM_TRY( dlmm_gives( &f->out, s, left - f->fee ) );
    if( f->out > s->layer[0] ) f->out = s->layer[0];
  }
  f->protocol = dlmm_share( s, f->fee );
  f->given[0] = f->out;
  f->taken[0] = f->in - f->fee;
  return 0;
}

/* dlmm_take_older takes `left`, or all there is, out of the bin's own liquidity. */
SBF_FUNCTION uint64_t dlmm_take_older( dlmm_swap_t * s, uint64_t left ) {
  dlmm_fill_t * f = &s->fill;
  f->out          = left < s->layer[0] ? left : s->layer[0];
  DLMM_TRY( dlmm_needs( &f->taken[0], s, f->out ) );
  DLMM_TRY( dlmm_on_top( &f->fee, s, f->taken[0] ) );
  f->in = f->taken[0];
  DLMM_TRY( dlmm_add( &f->in, f->fee ) );
  f->protocol = dlmm_share( s, f->fee );
  f->given[0] = f->out;
  return 0;
}

/* dlmm_split_fee divides the fee between the bin's own liquidity and orders by what they took in. */
SBF_FUNCTION void dlmm_split_fee( dlmm_swap_t * s ) {
  dlmm_fill_t * f = &s->fill;
  uint64_t taken  = f->taken[0] + f->taken[1] + f->taken[2];
  if( !taken || !f->fee ) return;
  sbf_u128_t own, part;
  sbf_mul_div( &own, f->fee, f->taken[0], taken, true );
  sbf_mul_div( &part, f->fee - own.lo, DLMM_ORDER_FEE_BPS, DLMM_BPS, false );
  f->order    = part.lo;
  f->protocol = f->fee - own.lo - part.lo + dlmm_share( s, own.lo );
}

/* dlmm_fill_layers puts `left` into one layer after the other. */
SBF_FUNCTION uint64_t dlmm_fill_layers( dlmm_swap_t * s, uint64_t left ) {
  dlmm_fill_t * f = &s->fill;
  *f              = ( dlmm_fill_t ){ .in = left };
  if( s->fee_on_input ) DLMM_TRY( dlmm_inside( &f->fee, s, left ) );
  uint64_t usable = left - f->fee, rest = usable, most;
  for( uint64_t i = 0; i < s->layers && ( !i || rest ); i++ ) {
    DLMM_TRY( dlmm_needs( &most, s, s->layer[i] ) );
    f->taken[i] = rest < most ? rest : most;
    f->given[i] = s->layer[i];
    if( rest < most ) DLMM_TRY( dlmm_gives( &f->given[i], s, rest ) );
    DLMM_TRY( dlmm_add( &f->out, f->given[i] ) );
    rest -= f->taken[i];
  }
  if( rest ) {
    f->in = usable - rest;
    if( s->fee_on_input ) {
      DLMM_TRY( dlmm_on_top( &f->fee, s, f->in ) );
      DLMM_TRY( dlmm_add( &f->in, f->fee ) );
    }
  }
  if( !s->fee_on_input ) {
    DLMM_TRY( dlmm_inside( &f->fee, s, f->out ) );
    f->out -= f->fee;
  }
  dlmm_split_fee( s );
  return 0;
}

/* dlmm_take_layers takes `left`, or all there is. */
SBF_FUNCTION uint64_t dlmm_take_layers( dlmm_swap_t * s, uint64_t left ) {
  dlmm_fill_t * f = &s->fill;
  uint64_t gross = left, fee, all = 0, amount;
  if( !s->fee_on_input ) {
    DLMM_TRY( dlmm_on_top( &fee, s, left ) );
    DLMM_TRY( dlmm_add( &gross, fee ) );
  }
  for( uint64_t i = 0; i < s->layers; i++ )
    if( dlmm_add( &all, s->layer[i] ) ) all = UINT64_MAX;
  if( gross >= all ) {
    DLMM_TRY( dlmm_fill_layers( s, UINT64_MAX ) );
    if( !f->out ) *f = ( dlmm_fill_t ){ 0 };
    return 0;
  }
  DLMM_TRY( dlmm_needs( &amount, s, gross ) );
  if( s->fee_on_input ) {
    DLMM_TRY( dlmm_on_top( &fee, s, amount ) );
    DLMM_TRY( dlmm_add( &amount, fee ) );
  }
  DLMM_TRY( dlmm_fill_layers( s, amount ) );
  DLMM_REQUIRE( f->out >= left, DLMM_UNDETERMINED );
  if( f->out - left > 1 ) f->over = f->out - left;
  f->out = left;
  return 0;
}

/* ---- the bin afterwards --------------------------------------------------------------------------------------- */

/* dlmm_enter_fee lets the bin's liquidity claim its part of the fee. */
SBF_FUNCTION void dlmm_enter_fee( dlmm_swap_t const * s, uint8_t * bin ) {
  dlmm_fill_t const * f = &s->fill;
  uint64_t supply       = sbf_u64( bin + BIN_SUPPLY + 8 ); /* its whole part */
  uint64_t claimed      = f->fee - f->order - f->protocol;
  if( !supply || !claimed ) return;
  bool in_y     = s->fee_on_input ? !s->x_to_y : s->x_to_y;
  uint8_t * sum = bin + BIN_FEE_PER_TOKEN + ( in_y ? 16 : 0 );
  sbf_u128_t each, rest, amount = { 0, claimed }, divisor = sbf_u128( supply );
  sbf_u128_div( &each, &rest, &amount, &divisor );
  sbf_put_u128( sum, sbf_u128_add( sbf_u128_at( sum ), each ) );
}

/* dlmm_enter_orders counts what orders gave: first those in processing, then open ones, which thereby come
   into processing. */
SBF_FUNCTION uint64_t dlmm_enter_orders( dlmm_swap_t const * s, uint8_t * bin ) {
  dlmm_fill_t const * f = &s->fill;
  uint64_t given        = f->given[1] + f->given[2];
  if( !given ) return 0;
  bool ask = !s->x_to_y;
  sbf_put_u64( bin + BIN_ORDERS_LEFT, sbf_u64( bin + BIN_ORDERS_LEFT ) - f->given[1] );
  if( f->given[2] ) {
    uint64_t open = sbf_u64( bin + BIN_OPEN_ORDERS );
    sbf_put_u64( bin + BIN_PROCESSING, open );
    sbf_put_u64( bin + BIN_ORDERS_LEFT, open - f->given[2] );
    sbf_put_u64( bin + BIN_OPEN_ORDERS, 0 );
    dlmm_put_u32( bin + BIN_ORDER_AGE, dlmm_u32( bin + BIN_ORDER_AGE ) + 1 );
  }
  uint8_t *fulfilled = bin + BIN_FULFILLED + ( ask ? 0 : 8 ), *fees = bin + BIN_ORDER_FEES + ( ask ? 0 : 8 );
  sbf_put_u64( fulfilled, sbf_u64( fulfilled ) + given );
  sbf_put_u64( fees, sbf_u64( fees ) + f->order );
  return 0;
}

/* dlmm_enter moves the amounts of the fill. */
SBF_FUNCTION uint64_t dlmm_enter( dlmm_swap_t * s, uint8_t * bin ) {
  dlmm_fill_t const * f = &s->fill;
  uint8_t *in = bin + BIN_AMOUNTS + ( s->x_to_y ? 0 : 8 ), *out = bin + BIN_AMOUNTS + ( s->x_to_y ? 8 : 0 );
  uint64_t sum = sbf_u64( in );
  DLMM_TRY( dlmm_add( &sum, f->taken[0] ) );
  sbf_put_u64( in, sum );
  sbf_put_u64( out, sbf_u64( out ) - f->given[0] );
  dlmm_enter_fee( s, bin );
  DLMM_TRY( dlmm_enter_orders( s, bin ) );
  DLMM_TRY( dlmm_add( &s->in, f->in ) );
  DLMM_TRY( dlmm_add( &s->out, f->out ) );
  s->fee += f->fee;
  s->protocol_fee += f->protocol + f->over;
  s->order_fee += f->order;
  s->over += f->over;
  s->left -= s->exact_out ? f->out : f->in;
  return 0;
}

/* ---- the walk ----------------------------------------------------------------------------------------------------- */

/* dlmm_layers finds what the bin holds for this direction and returns whether that is anything. */
SBF_FUNCTION bool dlmm_layers( dlmm_swap_t * s, uint8_t const * bin ) {
  uint8_t const * pair = s->pair;
  s->layer[0]          = sbf_u64( bin + BIN_AMOUNTS + ( s->x_to_y ? 8 : 0 ) );
  s->layers            = 1;
  s->layer[1] = s->layer[2] = 0;
  bool rewards              = false;
  for( int i = 0; i < 32; i += 8 )
    if( sbf_u64( pair + PAIR_REWARD_MINTS + i ) | sbf_u64( pair + PAIR_REWARD_MINTS + 144 + i ) ) rewards = true;
  bool orders = pair[PAIR_FUNCTION] == 2 || ( !pair[PAIR_FUNCTION] && !rewards );
  if( s->newest && orders && !bin[BIN_ORDERS_ASK] == s->x_to_y ) {
    s->layer[1] = sbf_u64( bin + BIN_ORDERS_LEFT );
    s->layer[2] = sbf_u64( bin + BIN_OPEN_ORDERS );
    s->layers   = DLMM_LAYERS;
  }
  return s->layer[0] || s->layer[1] || s->layer[2];
}

/* dlmm_swap_bin swaps in the active bin as much as it takes. */
SBF_FUNCTION uint64_t dlmm_swap_bin( dlmm_swap_t * s, uint8_t * bin ) {
  if( !dlmm_layers( s, bin ) ) return 0;
  s->price = sbf_u128_at( bin + BIN_PRICE );
  if( sbf_u128_zero( s->price ) ) {
    if( !dlmm_price( &s->price, s->active, sbf_u16( s->pair + PAIR_STEP ) ) ) return 0;
    sbf_put_u128( bin + BIN_PRICE, s->price );
  }
  dlmm_rate( s );
  s->fill = ( dlmm_fill_t ){ 0 };
  if( s->newest ) DLMM_TRY( s->exact_out ? dlmm_take_layers( s, s->left ) : dlmm_fill_layers( s, s->left ) );
  else DLMM_TRY( s->exact_out ? dlmm_take_older( s, s->left ) : dlmm_fill_older( s, s->left ) );
  return dlmm_enter( s, bin );
}

SBF_FUNCTION uint8_t * dlmm_find_array( dlmm_swap_t const * s, int64_t index ) {
  for( uint64_t i = 0; i < s->array_count; i++ )
    if( (int64_t)sbf_u64( s->array[i] + ARRAY_INDEX ) == index ) return s->array[i];
  return 0;
}

/* dlmm_walk swaps from bin to bin until nothing is left. */
SBF_FUNCTION uint64_t dlmm_walk( dlmm_swap_t * s ) {
  while( s->left ) {
    int64_t here = dlmm_array_of( s->active ), index;
    DLMM_TRY( dlmm_next_array( &index, s->pair, s->extension, here, !s->x_to_y ) );
    if( index != here ) s->active = index * DLMM_ARRAY_BINS + ( s->x_to_y ? DLMM_ARRAY_BINS - 1 : 0 );
    uint8_t * array = dlmm_find_array( s, index );
    DLMM_REQUIRE( array, DLMM_NO_ARRAY );
    int64_t first = index * DLMM_ARRAY_BINS;
    while( s->active >= first && s->active < first + DLMM_ARRAY_BINS ) {
      DLMM_REQUIRE( s->active <= DLMM_ID_MAX && s->active >= -DLMM_ID_MAX, DLMM_LIQUIDITY );
      DLMM_TRY( dlmm_swap_bin( s, array + ARRAY_BINS + BIN_SIZE * ( s->active - first ) ) );
      if( !s->left ) return 0;
      s->active += s->x_to_y ? -1 : 1;
    }
    DLMM_REQUIRE( s->active <= DLMM_ID_MAX && s->active >= -DLMM_ID_MAX, DLMM_LIQUIDITY );
  }
  return 0;
}

SBF_FUNCTION bool dlmm_is_open( dlmm_swap_t const * s ) {
  uint8_t const * pair = s->pair;
  if( pair[PAIR_STATUS] ) return false;
  if( pair[PAIR_TYPE] != DLMM_PERMISSION && pair[PAIR_TYPE] != DLMM_CUSTOMIZABLE ) return true;
  return ( pair[PAIR_ACTIVATION_TYPE] ? s->now : s->slot ) >= sbf_u64( pair + PAIR_ACTIVATION );
}

/* dlmm_added sets *sent to what has to be sent so that `arrives` arrives. */
SBF_FUNCTION uint64_t dlmm_added( uint64_t * sent, token_fee_t const * rule, uint64_t arrives ) {
  uint64_t fee;
  DLMM_REQUIRE( token_fee_added( &fee, rule, arrives ), DLMM_OVERFLOW );
  *sent = arrives + fee;
  return 0;
}

SBF_FUNCTION void dlmm_update_pair( dlmm_swap_t const * s ) {
  uint8_t * pair = s->pair;
  bool in_y      = s->fee_on_input ? !s->x_to_y : s->x_to_y;
  uint8_t * fees = pair + PAIR_PROTOCOL_FEES + ( in_y ? 8 : 0 );
  dlmm_put_u32( pair + PAIR_VOLATILITY, s->volatility );
  dlmm_put_u32( pair + PAIR_REFERENCE, s->reference );
  dlmm_put_u32( pair + PAIR_INDEX_REFERENCE, (uint64_t)s->index_reference );
  sbf_put_u64( pair + PAIR_LAST_UPDATE, s->now );
  dlmm_put_u32( pair + PAIR_ACTIVE, (uint64_t)s->active );
  sbf_put_u64( fees, sbf_u64( fees ) + s->protocol_fee );
}

/* dlmm_run does the whole swap on the bytes of pair and bin arrays. */
SBF_FUNCTION uint64_t dlmm_run( dlmm_swap_t * s ) {
  DLMM_REQUIRE( dlmm_is_open( s ), DLMM_DISABLED );
  s->start = s->active = dlmm_i32( s->pair + PAIR_ACTIVE );
  s->fee_on_input      = !( s->newest && s->pair[PAIR_COLLECT] == 1 && s->x_to_y );
  DLMM_TRY( dlmm_references( s ) );
  DLMM_REQUIRE( s->amount, DLMM_INVALID_INPUT );
  s->left = s->amount - token_fee_of( &s->transfer_in, s->amount );
  if( s->exact_out ) DLMM_TRY( dlmm_added( &s->left, &s->transfer_out, s->amount ) );
  DLMM_TRY( dlmm_walk( s ) );
  s->received = s->out - token_fee_of( &s->transfer_out, s->out );
  DLMM_REQUIRE( s->received, DLMM_NO_OUTPUT );
  s->sent = s->amount;
  if( s->exact_out ) {
    s->received = s->amount;
    DLMM_TRY( dlmm_added( &s->sent, &s->transfer_in, s->in ) );
  }
  dlmm_update_pair( s );
  return 0;
}

#endif
