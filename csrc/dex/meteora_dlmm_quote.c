#include "dex/meteora_dlmm.h"

#include <string.h>

#include "base/err.h"
#include "dex/bps.h"
#include "dex/wide.h"

#define RATE_OF  1000000000UL
#define RATE_MAX 100000000UL /* per RATE_OF */
#define VFEE_OF  100000000000UL
#define ALWAYS   static inline __attribute__( ( always_inline ) )

#define ORDER_FEE_BPS 5000U /* of the fee on filled orders: theirs, the rest is the protocol's */

/* What varies between bins and quotes of one state. */
typedef struct sf_dlmm_now {
  uint32_t fee_in; /* 1: fee from the input */
  uint64_t rate;   /* of the bin at hand */
} sf_dlmm_now_t;

/* One bin's part of a swap. */
typedef struct sf_dlmm_fill {
  uint64_t in; /* with fee, if that is from the input */
  uint64_t out;
  uint64_t fee;
  uint64_t protocol;
} sf_dlmm_fill_t;

ALWAYS uint64_t div_up( sf_u128_t n, uint64_t d ) {
  n += d - 1;
  uint64_t hi = (uint64_t)( n >> 64 ), rest;
  return hi ? sf_div_word( hi, (uint64_t)n, d, &rest ) : (uint64_t)n / d;
}

/* The fee that is part of an amount, and the one on top of it; both are less than the amount. */
ALWAYS uint64_t fee_inside( uint64_t amount, uint64_t rate ) { return div_up( (sf_u128_t)amount * rate, RATE_OF ); }
ALWAYS uint64_t fee_on_top( uint64_t amount, uint64_t rate ) {
  return div_up( (sf_u128_t)amount * rate, RATE_OF - rate );
}

ALWAYS uint64_t rate_at( sf_meteora_dlmm_state_t const * s, sf_dlmm_reference_t const * r, int32_t id ) {
  uint64_t rate = s->base_rate;
  if( s->variable_fee_control ) {
    int64_t away         = (int64_t)r->index - id;
    uint64_t accumulator = r->volatility + (uint64_t)( away < 0 ? -away : away ) * SF_BPS;
    if( accumulator > s->accumulator_max ) accumulator = s->accumulator_max;
    uint64_t moved = accumulator * s->bin_step;
    sf_u128_t fee  = (sf_u128_t)moved * moved * s->variable_fee_control;
    if( fee >= (sf_u128_t)RATE_MAX * VFEE_OF ) return RATE_MAX;
    rate += ( (uint64_t)fee + VFEE_OF - 1 ) / VFEE_OF;
  }
  return rate < RATE_MAX ? rate : RATE_MAX;
}

/* What `in` gives at the price, rounded down; -1 if it does not fit. */
ALWAYS int gives( sf_u128_t price, int a_to_b, uint64_t in, uint64_t * out ) {
  if( a_to_b ) {
    sf_u128_t v = (sf_u128_t)in * (uint64_t)( price >> 64 ) + ( (sf_u128_t)in * (uint64_t)price >> 64 );
    *out        = (uint64_t)v;
    return v >> 64 ? -1 : 0;
  }
  int rest;
  sf_u128_t v = sf_div_shl64( in, price, &rest );
  *out        = (uint64_t)v;
  return v >> 64 ? -1 : 0;
}

/* What `out` needs at the price, rounded up; -1 if it does not fit. */
ALWAYS int needs( sf_u128_t price, int a_to_b, uint64_t out, uint64_t * in ) {
  sf_u128_t v;
  if( a_to_b ) {
    int rest;
    v = sf_div_shl64( out, price, &rest );
    v += rest != 0;
  } else {
    sf_u128_t low = (sf_u128_t)out * (uint64_t)price;
    v             = (sf_u128_t)out * (uint64_t)( price >> 64 ) + ( low >> 64 ) + ( (uint64_t)low != 0 );
  }
  *in = (uint64_t)v;
  return v >> 64 ? -1 : 0;
}

/* Older builds: the bin's own liquidity, fee from the input. */
ALWAYS int fill_older( sf_dlmm_step_t const * b, sf_meteora_dlmm_state_t const * s, uint64_t rate, int a_to_b,
                       uint64_t left, sf_dlmm_fill_t * f ) {
  if( __builtin_expect( b->overflow, 0 ) ) return -1;
  /* left > in + fee on top, as a product; the sum must fit in any case */
  uint64_t d = RATE_OF - rate, sum;
  if( __builtin_expect( b->in[0] >> 63, 0 ) && __builtin_add_overflow( b->in[0], fee_on_top( b->in[0], rate ), &sum ) )
    return -1;
  if( (sf_u128_t)( left - 1 ) * d >= (sf_u128_t)b->in[0] * RATE_OF ) {
    f->fee = fee_on_top( b->in[0], rate );
    f->in  = b->in[0] + f->fee;
    f->out = b->out[0];
  } else {
    f->in  = left;
    f->fee = fee_inside( left, rate );
    if( gives( b->price, a_to_b, left - f->fee, &f->out ) ) return -1;
    if( f->out > b->out[0] ) f->out = b->out[0];
  }
  f->protocol = sf_bps_of( f->fee, s->protocol_bps );
  return 0;
}

/* The newest build with orders in the bin, or with the fee from the output. */
static int fill_layers( sf_dlmm_step_t const * b, sf_meteora_dlmm_state_t const * s, sf_dlmm_now_t const * n,
                        int a_to_b, uint64_t left, sf_dlmm_fill_t * f ) {
  uint64_t fee = n->fee_in ? fee_inside( left, n->rate ) : 0, usable = left - fee, rest = usable, out = 0, own = 0;
  for( uint32_t i = 0; i < b->layers; i++ ) {
    if( i && !rest ) break;
    if( b->overflow >> i & 1 ) return -1;
    uint64_t in = b->in[i], got = b->out[i];
    if( rest < in ) {
      in = rest;
      if( gives( b->price, a_to_b, rest, &got ) ) return -1;
    }
    rest -= in;
    if( !i ) own = in;
    if( __builtin_add_overflow( out, got, &out ) ) return -1;
  }
  f->in = left;
  if( rest ) {
    usable -= rest;
    fee = n->fee_in ? fee_on_top( usable, n->rate ) : 0;
    if( __builtin_add_overflow( usable, fee, &f->in ) ) return -1;
  }
  if( !n->fee_in ) {
    fee = fee_inside( out, n->rate );
    out -= fee;
  }
  uint64_t own_fee = usable ? div_up( (sf_u128_t)fee * own, usable ) : 0, order_fee = usable ? fee - own_fee : 0;
  f->out      = out;
  f->fee      = fee;
  f->protocol = order_fee - sf_bps_of( order_fee, ORDER_FEE_BPS ) + sf_bps_of( own_fee, s->protocol_bps );
  return 0;
}

ALWAYS int fill_newest( sf_dlmm_step_t const * b, sf_meteora_dlmm_state_t const * s, sf_dlmm_now_t const * n,
                        int a_to_b, uint64_t left, sf_dlmm_fill_t * f ) {
  if( __builtin_expect( b->layers > 1 || !n->fee_in || b->overflow, 0 ) )
    return fill_layers( b, s, n, a_to_b, left, f );
  /* more than `in` is left of it after the fee, as a product */
  if( (sf_u128_t)left * ( RATE_OF - n->rate ) >= ( (sf_u128_t)b->in[0] + 1 ) * RATE_OF ) {
    f->fee = fee_on_top( b->in[0], n->rate );
    f->in  = b->in[0] + f->fee;
    f->out = b->out[0];
  } else {
    f->in  = left;
    f->fee = fee_inside( left, n->rate );
    if( left - f->fee == b->in[0] ) f->out = b->out[0];
    else if( gives( b->price, a_to_b, left - f->fee, &f->out ) ) return -1;
  }
  /* nothing but a fee: the program splits none */
  f->protocol = left == f->fee ? 0 : sf_bps_of( f->fee, s->protocol_bps );
  return 0;
}

static uint64_t all_of( sf_dlmm_step_t const * b ) {
  uint64_t all = 0;
  for( uint32_t i = 0; i < b->layers; i++ )
    if( __builtin_add_overflow( all, b->out[i], &all ) ) return UINT64_MAX;
  return all;
}

/* Exact output of up to `left`.  Returns 0 or the program's error. */
ALWAYS uint32_t take_older( sf_dlmm_step_t const * b, sf_meteora_dlmm_state_t const * s, uint64_t rate, int a_to_b,
                            uint64_t left, sf_dlmm_fill_t * f ) {
  uint64_t in;
  if( left >= b->out[0] ) {
    if( b->overflow ) return SF_DLMM_ERR_OVERFLOW;
    in     = b->in[0];
    f->out = b->out[0];
  } else {
    if( needs( b->price, a_to_b, left, &in ) ) return SF_DLMM_ERR_OVERFLOW;
    f->out = left;
  }
  f->fee      = fee_on_top( in, rate );
  f->protocol = sf_bps_of( f->fee, s->protocol_bps );
  return __builtin_add_overflow( in, f->fee, &f->in ) ? SF_DLMM_ERR_OVERFLOW : 0;
}

static uint32_t take_newest( sf_dlmm_step_t const * b, sf_meteora_dlmm_state_t const * s, sf_dlmm_now_t const * n,
                             int a_to_b, uint64_t left, sf_dlmm_fill_t * f ) {
  uint64_t all = all_of( b ), in, gross = left;
  if( !n->fee_in && __builtin_add_overflow( left, fee_on_top( left, n->rate ), &gross ) ) return SF_DLMM_ERR_OVERFLOW;
  if( gross >= all ) {
    if( fill_newest( b, s, n, a_to_b, UINT64_MAX, f ) ) return SF_DLMM_ERR_OVERFLOW;
    if( !f->out ) memset( f, 0, sizeof( *f ) ); /* all of it was the fee: the program passes the bin */
    return 0;
  }
  if( needs( b->price, a_to_b, gross, &in ) ) return SF_DLMM_ERR_OVERFLOW;
  if( n->fee_in && __builtin_add_overflow( in, fee_on_top( in, n->rate ), &in ) ) return SF_DLMM_ERR_OVERFLOW;
  if( fill_newest( b, s, n, a_to_b, in, f ) ) return SF_DLMM_ERR_OVERFLOW;
  if( f->out < left ) return SF_DLMM_ERR_UNDETERMINED;
  if( f->out - left > 1 ) f->protocol += f->out - left;
  f->out = left;
  return 0;
}

/* -- what is worked out beforehand -- */

static void step_add( sf_meteora_dlmm_state_t * s, int up, int32_t id, sf_dlmm_bin_t const * bin ) {
  int orders      = s->newest && s->limit_orders && bin->order_side == (uint32_t)!up;
  uint64_t out[3] = { bin->amount[!up], orders ? bin->order_left : 0, orders ? bin->open_order : 0 };
  if( !( out[0] | out[1] | out[2] ) || !bin->price ) return;
  sf_dlmm_step_t * step = &s->step[up][s->step_cnt[up]++];
  memset( step, 0, sizeof( *step ) );
  step->price  = bin->price;
  step->id     = id;
  step->layers = out[1] | out[2] ? SF_DLMM_LAYERS : 1;
  for( uint32_t i = 0; i < step->layers; i++ ) {
    step->out[i] = out[i];
    if( needs( bin->price, !up, out[i], &step->in[i] ) ) step->overflow = (uint16_t)( step->overflow | 1u << i );
  }
}

static sf_dlmm_end_t way( sf_meteora_dlmm_state_t * s, int up ) {
  int32_t id = s->active, by = up ? 1 : -1;
  for( ;; ) {
    int32_t at = sf_meteora_dlmm_array_of( id ), next = at;
    uint32_t error = sf_meteora_dlmm_array_next( s, !up, at, &next );
    if( error ) return ( sf_dlmm_end_t ){ SF_QUOTE_REFUSED, error, id };
    int32_t first = next * SF_DLMM_ARRAY_BINS;
    if( next != at ) id = up ? first : first + SF_DLMM_ARRAY_BINS - 1;
    uint32_t k = 0;
    while( k < s->array_cnt && s->array[k].index != next ) k++;
    if( k == s->array_cnt ) return ( sf_dlmm_end_t ){ SF_QUOTE_EXHAUSTED, 0, id };
    for( ; id >= first && id < first + SF_DLMM_ARRAY_BINS; id += by ) {
      if( id < -SF_DLMM_ID_MAX || id > SF_DLMM_ID_MAX ) break;
      step_add( s, up, id, &s->array[k].bin[id - first] );
    }
    if( id < -SF_DLMM_ID_MAX || id > SF_DLMM_ID_MAX )
      return ( sf_dlmm_end_t ){ SF_QUOTE_REFUSED, SF_DLMM_ERR_LIQUIDITY, id - by };
  }
}

static void references( sf_meteora_dlmm_state_t * s ) {
  uint64_t reduced              = (uint64_t)s->accumulator * s->reduction_factor;
  s->reference[SF_DLMM_RECENT]  = ( sf_dlmm_reference_t ){ s->index_reference, s->volatility_reference, 0 };
  s->reference[SF_DLMM_DECAYED] = ( sf_dlmm_reference_t ){ s->active, (uint32_t)reduced / SF_BPS, reduced >> 32 != 0 };
  s->reference[SF_DLMM_OLD]     = ( sf_dlmm_reference_t ){ s->active, 0, 0 };
}

/* Emptying is the same fill for every input from `more` on, and for every output from `takes` on. */
static void drain_make( sf_meteora_dlmm_state_t const * s, int up, sf_dlmm_reference_t const * r,
                        sf_dlmm_step_t const * b, sf_dlmm_drain_t * d ) {
  memset( d, 0, sizeof( *d ) );
  sf_dlmm_now_t n = { .fee_in = !( s->newest && s->fee_on_y && !up ), .rate = rate_at( s, r, b->id ) };
  uint64_t all = all_of( b ), keep = RATE_OF - n.rate;
  sf_u128_t in = 0, more;
  for( uint32_t i = 0; i < b->layers; i++ ) in += b->in[i];
  if( b->overflow || all == UINT64_MAX || in >> 63 ) return;
  if( !n.fee_in ) more = in + 1;
  else if( s->newest ) more = div_up( ( in + 1 ) * RATE_OF, keep );
  else more = in + fee_on_top( (uint64_t)in, n.rate ) + 1;
  sf_dlmm_fill_t f;
  if( s->newest ? fill_layers( b, s, &n, !up, UINT64_MAX, &f ) : fill_older( b, s, n.rate, !up, UINT64_MAX, &f ) )
    return;
  if( !f.out ) return;
  d->more     = (uint64_t)more;
  d->takes    = n.fee_in ? all : (uint64_t)( (sf_u128_t)( all - 1 ) * keep / RATE_OF ) + 1;
  d->in       = f.in;
  d->out      = f.out;
  d->fee      = f.fee;
  d->protocol = f.protocol;
}

int sf_meteora_dlmm_prepare( sf_meteora_dlmm_state_t * s ) {
  if( !s->known ) return sf_err_set( SF_ERR_DATA, "the pair is not decoded yet" );
  references( s );
  for( int up = 0; up < 2; up++ ) {
    s->step_cnt[up] = 0;
    s->end[up]      = way( s, up );
    for( uint32_t r = 0; r < SF_DLMM_REFERENCES; r++ )
      for( uint32_t i = 0; i < SF_DLMM_NEAR && i < s->step_cnt[up]; i++ )
        drain_make( s, up, &s->reference[r], &s->step[up][i], &s->drain[up][r][i] );
  }
  s->value[0] = (double)sf_meteora_dlmm_price( s->active, s->bin_step ) / 0x1p64;
  s->value[1] = 1. / s->value[0];
  return 0;
}

/* -- quotes -- */

/* Which reference is in force.  Returns 0 or the program's error. */
ALWAYS uint32_t start( sf_meteora_dlmm_state_t const * s, uint64_t now, uint32_t * reference ) {
  if( __builtin_expect( !s->enabled, 0 ) ) return SF_DLMM_ERR_DISABLED;
  if( __builtin_expect( s->activation, 0 ) && ( s->activation == 1 ? s->slot : now ) < s->activation_point )
    return SF_DLMM_ERR_DISABLED;
  sf_i128_t elapsed = (sf_i128_t)now - s->last_update;
  *reference = elapsed < s->filter_period ? SF_DLMM_RECENT : elapsed < s->decay_period ? SF_DLMM_DECAYED : SF_DLMM_OLD;
  return __builtin_expect( s->reference[*reference].overflow, 0 ) ? SF_DLMM_ERR_OVERFLOW : 0;
}

static void refuse( sf_meteora_dlmm_state_t const * s, uint32_t error, sf_quote_t * q ) {
  memset( q, 0, sizeof( *q ) );
  q->status = SF_QUOTE_REFUSED;
  q->error  = error;
  q->tick   = s->active;
}

static uint32_t impact( double value, uint64_t in, uint64_t out ) {
  double fair = (double)in * value;
  return fair <= (double)out ? 0 : (uint32_t)( ( 1. - (double)out / fair ) * 1e6 );
}

ALWAYS void walk( sf_meteora_dlmm_state_t const * s, int a_to_b, int exact_in, uint64_t amount, uint64_t now,
                  sf_quote_t * q ) {
  int up = !a_to_b;
  uint32_t reference, error = start( s, now, &reference );
  if( __builtin_expect( error, 0 ) ) return refuse( s, error, q );
  if( __builtin_expect( !amount, 0 ) ) return refuse( s, 0, q );
  sf_transfer_fee_t const *fee_in = &s->transfer_fee[up], *fee_out = &s->transfer_fee[!up];
  uint64_t left = amount, in = 0, out = 0, fee = 0, protocol = 0;
  if( exact_in ) left -= sf_transfer_fee_of( fee_in, amount );
  else if( sf_transfer_fee_before( fee_out, amount, &left ) ) return refuse( s, SF_DLMM_ERR_OVERFLOW, q );
  sf_dlmm_now_t n              = { .fee_in = !( s->newest && s->fee_on_y && a_to_b ) };
  sf_dlmm_drain_t const * near = s->drain[up][reference];
  sf_dlmm_end_t last           = { SF_QUOTE_OK, 0, s->active };
  /* where a fee is added to the output wanted, that sum has to fit */
  uint32_t near_cnt = !exact_in && !n.fee_in && left >> 63 ? 0 : SF_DLMM_NEAR;
  for( uint32_t i = 0; left; i++ ) {
    if( __builtin_expect( i == s->step_cnt[up], 0 ) ) {
      last = s->end[up];
      break;
    }
    sf_dlmm_step_t const * b = &s->step[up][i];
    sf_dlmm_fill_t f;
    /* 0 is not worked out: one less is more than any amount */
    if( i < near_cnt && left > ( exact_in ? near[i].more : near[i].takes ) - 1 )
      f = ( sf_dlmm_fill_t ){ near[i].in, near[i].out, near[i].fee, near[i].protocol };
    else {
      n.rate = rate_at( s, &s->reference[reference], b->id );
      if( exact_in )
        error = ( s->newest ? fill_newest( b, s, &n, a_to_b, left, &f ) : fill_older( b, s, n.rate, a_to_b, left, &f ) )
                    ? SF_DLMM_ERR_OVERFLOW
                    : 0;
      else if( s->newest ) error = take_newest( b, s, &n, a_to_b, left, &f );
      else error = take_older( b, s, n.rate, a_to_b, left, &f );
      if( __builtin_expect( error, 0 ) ) return refuse( s, error, q );
    }
    uint32_t over =
        (uint32_t)__builtin_add_overflow( in, f.in, &in ) | (uint32_t)__builtin_add_overflow( out, f.out, &out );
    if( __builtin_expect( over, 0 ) ) return refuse( s, SF_DLMM_ERR_OVERFLOW, q );
    fee += f.fee;
    protocol += f.protocol;
    left -= exact_in ? f.in : f.out;
    if( !left ) last.id = b->id;
  }
  if( __builtin_expect( last.status == SF_QUOTE_REFUSED, 0 ) ) return refuse( s, last.error, q );
  uint64_t withheld = sf_transfer_fee_of( fee_out, out ), sent = amount;
  if( __builtin_expect( out > s->reserve[!up], 0 ) ) return refuse( s, SF_DLMM_ERR_TOKEN_FUNDS, q );
  if( __builtin_expect( withheld && s->plain_account[!up], 0 ) ) return refuse( s, SF_DLMM_ERR_TOKEN_WITHHOLD, q );
  if( __builtin_expect( out == withheld && !last.status, 0 ) ) return refuse( s, 0, q );
  uint64_t reserve[2] = { 0, 0 };
  if( s->reserve[0] != UINT64_MAX && s->reserve[1] != UINT64_MAX ) {
    if( __builtin_add_overflow( s->reserve[up], in, &reserve[up] ) ) return refuse( s, SF_DLMM_ERR_OVERFLOW, q );
    reserve[!up] = s->reserve[!up] - out;
  }
  if( ( !exact_in || last.status ) && sf_transfer_fee_before( fee_in, in, &sent ) )
    return refuse( s, SF_DLMM_ERR_OVERFLOW, q );
  int32_t moved   = last.id - s->active;
  q->amount_in    = sent;
  q->amount_out   = !exact_in && !last.status ? amount : out - withheld;
  q->fee          = fee;
  q->protocol_fee = protocol;
  q->creator_fee  = 0;
  q->reserve_a    = reserve[0];
  q->reserve_b    = reserve[1];
  q->status       = last.status;
  q->error        = last.error;
  q->fee_in_input = n.fee_in;
  q->tick         = last.id;
  q->crossed      = (uint32_t)( moved < 0 ? -moved : moved );
  q->impact_ppm   = impact( s->value[up], n.fee_in ? in - fee : in, n.fee_in ? out : out + fee );
  q->sqrt_price   = 0;
  q->liquidity    = 0;
}

void sf_meteora_dlmm_quote_in( sf_meteora_dlmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q ) {
  if( a_to_b ) walk( s, 1, 1, amount_in, now, q );
  else walk( s, 0, 1, amount_in, now, q );
}

void sf_meteora_dlmm_quote_out( sf_meteora_dlmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q ) {
  if( a_to_b ) walk( s, 1, 0, amount_out, now, q );
  else walk( s, 0, 0, amount_out, now, q );
}
