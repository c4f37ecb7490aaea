/* gcc would gather neighbouring words of 256-bit numbers in vectors, and wait for them */
#if defined( __GNUC__ ) && !defined( __clang__ )
#pragma GCC optimize( "no-tree-slp-vectorize" )
#endif

#include "dex/meteora_dlmm.h"

#include <string.h>

#include "dex/meteora_dlmm_math.h"

/* One bin's part of a swap. */
typedef struct sf_dlmm_fill {
  uint64_t in; /* with fee, if that is from the input */
  uint64_t out;
  uint64_t fee;
  uint64_t protocol;
} sf_dlmm_fill_t;

/* -- exact input of up to `left` in the bin whose steps begin at b: 0, or -1 if the program fails -- */

/* Older builds: the bin's own liquidity, fee from the input. */
SF_DLMM_ALWAYS int fill_older( sf_meteora_dlmm_state_t const * s, sf_dlmm_step_t const * b, sf_u128_t price,
                               uint64_t rate, int a_to_b, uint64_t left, sf_dlmm_fill_t * f ) {
  if( __builtin_expect( b->overflow, 0 ) ) return -1;
  /* left > in + fee on top, as a product; the sum must fit in any case */
  uint64_t d = SF_DLMM_RATE_OF - rate, sum;
  if( __builtin_expect( b->in >> 63, 0 ) && __builtin_add_overflow( b->in, sf_dlmm_fee_on_top( b->in, rate ), &sum ) )
    return -1;
  if( (sf_u128_t)( left - 1 ) * d >= (sf_u128_t)b->in * SF_DLMM_RATE_OF ) {
    f->fee = sf_dlmm_fee_on_top( b->in, rate );
    f->in  = b->in + f->fee;
    f->out = b->out;
  } else {
    f->in  = left;
    f->fee = sf_dlmm_fee_inside( left, rate );
    if( sf_dlmm_gives( price, a_to_b, left - f->fee, &f->out ) ) return -1;
    if( f->out > b->out ) f->out = b->out;
  }
  f->protocol = sf_bps_of( f->fee, s->protocol_bps );
  return 0;
}

/* What `usable` gives in all layers of a bin; with `fee`, if that is from the input, it is what is paid. */
SF_DLMM_ALWAYS int layers_give( sf_meteora_dlmm_state_t const * s, sf_dlmm_step_t const * b, sf_u128_t price,
                                uint64_t rate, int a_to_b, uint64_t usable, uint64_t fee, sf_dlmm_fill_t * f ) {
  uint64_t rest = usable, out = 0, own = usable < b->in ? usable : b->in;
  int fee_in = sf_dlmm_fee_in( s, a_to_b );
  f->in      = usable + fee;
  /* the layers that it empties, then a part of one */
  uint32_t i = 0;
  for( ; i < b->layers && ( !i || rest ) && rest >= b[i].in; i++ ) {
    if( b[i].overflow || __builtin_add_overflow( out, b[i].out, &out ) ) return -1;
    rest -= b[i].in;
  }
  if( i < b->layers && ( !i || rest ) ) {
    uint64_t got;
    if( b[i].overflow || sf_dlmm_gives( price, a_to_b, rest, &got ) || __builtin_add_overflow( out, got, &out ) )
      return -1;
    rest = 0;
  }
  if( rest ) {
    usable -= rest;
    fee = fee_in ? sf_dlmm_fee_on_top( usable, rate ) : 0;
    if( __builtin_add_overflow( usable, fee, &f->in ) ) return -1;
  }
  if( !fee_in ) {
    fee = sf_dlmm_fee_inside( out, rate );
    out -= fee;
  }
  f->out      = out;
  f->fee      = fee;
  f->protocol = sf_dlmm_protocol_of( s, fee, own, usable );
  return 0;
}

/* The newest build with orders in the bin, or with the fee from the output. */
SF_DLMM_ALWAYS int fill_layers( sf_meteora_dlmm_state_t const * s, sf_dlmm_step_t const * b, sf_u128_t price,
                                uint64_t rate, int a_to_b, uint64_t left, sf_dlmm_fill_t * f ) {
  uint64_t fee = sf_dlmm_fee_in( s, a_to_b ) ? sf_dlmm_fee_inside( left, rate ) : 0;
  return layers_give( s, b, price, rate, a_to_b, left - fee, fee, f );
}

SF_DLMM_ALWAYS int fill_newest( sf_meteora_dlmm_state_t const * s, sf_dlmm_step_t const * b, sf_u128_t price,
                                uint64_t rate, int a_to_b, uint64_t left, sf_dlmm_fill_t * f ) {
  if( b->layers > 1 || !sf_dlmm_fee_in( s, a_to_b ) || b->overflow ) {
    return fill_layers( s, b, price, rate, a_to_b, left, f );
  }
  /* more than `in` is left of it after the fee, as a product */
  if( (sf_u128_t)left * ( SF_DLMM_RATE_OF - rate ) >= ( (sf_u128_t)b->in + 1 ) * SF_DLMM_RATE_OF ) {
    f->fee = sf_dlmm_fee_on_top( b->in, rate );
    f->in  = b->in + f->fee;
    f->out = b->out;
  } else {
    f->in  = left;
    f->fee = sf_dlmm_fee_inside( left, rate );
    if( left - f->fee == b->in ) f->out = b->out;
    else if( sf_dlmm_gives( price, a_to_b, left - f->fee, &f->out ) ) return -1;
  }
  /* nothing but a fee: the program splits none */
  f->protocol = left == f->fee ? 0 : sf_bps_of( f->fee, s->protocol_bps );
  return 0;
}

/* -- exact output of up to `left`: 0, or the program's error -- */

SF_DLMM_ALWAYS uint32_t take_older( sf_meteora_dlmm_state_t const * s, sf_dlmm_step_t const * b, sf_u128_t price,
                                    uint64_t rate, int a_to_b, uint64_t left, sf_dlmm_fill_t * f ) {
  uint64_t in;
  if( left >= b->out ) {
    if( b->overflow ) return SF_DLMM_ERR_OVERFLOW;
    in     = b->in;
    f->out = b->out;
  } else {
    if( sf_dlmm_needs( price, a_to_b, left, &in ) ) return SF_DLMM_ERR_OVERFLOW;
    f->out = left;
  }
  f->fee      = sf_dlmm_fee_on_top( in, rate );
  f->protocol = sf_bps_of( f->fee, s->protocol_bps );
  return __builtin_add_overflow( in, f->fee, &f->in ) ? SF_DLMM_ERR_OVERFLOW : 0;
}

/* All that a bin's layers hold, UINT64_MAX if that is more. */
SF_DLMM_ALWAYS uint64_t all_of( sf_dlmm_step_t const * b ) {
  if( b->layers == 1 ) return b->out;
  sf_u128_t all = (sf_u128_t)b[0].out + b[1].out + b[2].out;
  return all >> 64 ? UINT64_MAX : (uint64_t)all;
}

/* The newest build works out the input and its fee, then what that input gives.  Of a part of a bin the fee taken
   off again is the one put on, and leaves the same: what is paid is ceil( in*10^9 / (10^9-rate) ), and
   floor( that*(10^9-rate) / 10^9 ) is `in`. */

/* With orders in the bin, with the fee from the output, or all of the bin. */
SF_DLMM_ALWAYS uint32_t take_layers( sf_meteora_dlmm_state_t const * s, sf_dlmm_step_t const * b, sf_u128_t price,
                                     uint64_t rate, int a_to_b, uint64_t left, sf_dlmm_fill_t * f ) {
  uint64_t all = all_of( b ), in, gross = left, fee = 0, paid;
  int fee_in = sf_dlmm_fee_in( s, a_to_b );
  if( !fee_in && __builtin_add_overflow( left, sf_dlmm_fee_on_top( left, rate ), &gross ) ) return SF_DLMM_ERR_OVERFLOW;
  if( gross >= all ) {
    if( fill_newest( s, b, price, rate, a_to_b, UINT64_MAX, f ) ) return SF_DLMM_ERR_OVERFLOW;
    if( !f->out ) memset( f, 0, sizeof( *f ) ); /* all of it was the fee: the program passes the bin */
    return 0;
  }
  if( sf_dlmm_needs( price, a_to_b, gross, &in ) ) return SF_DLMM_ERR_OVERFLOW;
  if( fee_in ) fee = sf_dlmm_fee_on_top( in, rate );
  if( __builtin_add_overflow( in, fee, &paid ) ) return SF_DLMM_ERR_OVERFLOW;
  if( layers_give( s, b, price, rate, a_to_b, in, fee, f ) ) return SF_DLMM_ERR_OVERFLOW;
  if( f->out < left ) return SF_DLMM_ERR_UNDETERMINED;
  if( f->out - left > 1 ) f->protocol += f->out - left;
  f->out = left;
  return 0;
}

/* What `in`, which is what `out` needs, gives beyond it; -1 if the sum does not fit. */
SF_DLMM_ALWAYS int gives_beyond( sf_u128_t price, int a_to_b, uint64_t in, uint64_t out, uint64_t * beyond ) {
  uint64_t all;
  if( a_to_b ) {
    if( sf_dlmm_gives( price, 1, in, &all ) ) return -1;
    *beyond = all - out;
    return 0;
  }
  /* in*2^64 is less than 2^64 above out*price: more than nothing at a price below one */
  uint64_t rest = -( out * (uint64_t)price );
  *beyond       = price >> 64 ? 0 : rest / (uint64_t)price;
  return __builtin_add_overflow( out, *beyond, &all ) ? -1 : 0;
}

SF_DLMM_ALWAYS uint32_t take_newest( sf_meteora_dlmm_state_t const * s, sf_dlmm_step_t const * b, sf_u128_t price,
                                     uint64_t rate, int a_to_b, uint64_t left, sf_dlmm_fill_t * f ) {
  uint64_t in, beyond;
  if( b->layers > 1 || !sf_dlmm_fee_in( s, a_to_b ) || b->overflow || left >= b->out ) {
    return take_layers( s, b, price, rate, a_to_b, left, f );
  }
  if( sf_dlmm_needs( price, a_to_b, left, &in ) ) return SF_DLMM_ERR_OVERFLOW;
  f->fee = sf_dlmm_fee_on_top( in, rate );
  if( __builtin_add_overflow( in, f->fee, &f->in ) ) return SF_DLMM_ERR_OVERFLOW;
  if( in == b->in ) beyond = b->out - left;
  else if( gives_beyond( price, a_to_b, in, left, &beyond ) ) return SF_DLMM_ERR_OVERFLOW;
  f->out      = left;
  f->protocol = sf_bps_of( f->fee, s->protocol_bps ) + ( beyond > 1 ? beyond : 0 );
  return 0;
}

/* -- quotes -- */

/* Which reference is in force.  Returns 0 or the program's error. */
SF_DLMM_ALWAYS uint32_t start( sf_meteora_dlmm_state_t const * s, uint64_t now, uint32_t * reference ) {
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

static inline uint32_t impact( double value, uint64_t in, uint64_t out ) {
  double worse = ( 1. - (double)out / ( (double)in * value ) ) * 1e6;
  return (uint32_t)(int64_t)( worse > 0 ? worse : 0 );
}

SF_DLMM_ALWAYS void walk( sf_meteora_dlmm_state_t const * s, int a_to_b, int exact_in, uint64_t amount, uint64_t now,
                          sf_quote_t * q ) {
  int up = !a_to_b;
  uint32_t reference, error = start( s, now, &reference );
  if( __builtin_expect( error, 0 ) ) return refuse( s, error, q );
  if( __builtin_expect( !amount, 0 ) ) return refuse( s, 0, q );
  sf_transfer_fee_t const *withheld_in = &s->transfer_fee[up], *withheld_out = &s->transfer_fee[!up];
  uint64_t left = amount, in = 0, out = 0, fee = 0, protocol = 0;
  if( exact_in ) left -= sf_transfer_fee_of( withheld_in, amount );
  else if( sf_transfer_fee_before( withheld_out, amount, &left ) ) return refuse( s, SF_DLMM_ERR_OVERFLOW, q );
  int fee_in                  = sf_dlmm_fee_in( s, a_to_b );
  sf_dlmm_way_t const * way   = &s->way[up];
  sf_dlmm_step_t const * step = sf_meteora_dlmm_steps( s, up );
  sf_dlmm_near_t const * near = sf_meteora_dlmm_nears( s, up );
  sf_dlmm_end_t last          = { SF_QUOTE_OK, 0, s->active };
  /* where a fee is added to the output wanted, that sum has to fit */
  int fits = exact_in || fee_in || !( left >> 63 );
  for( uint32_t i = 0, at = 0; left; at += sf_meteora_dlmm_near_of( step[i].layers ), i += step[i].layers ) {
    if( __builtin_expect( i == way->step_cnt, 0 ) ) {
      last = way->end;
      break;
    }
    sf_dlmm_step_t const * b = &step[i];
    sf_dlmm_fill_t f;
    int drains = 0;
    if( b->drained >> reference & 1 && fits ) {
      sf_dlmm_whole_t const * whole = (sf_dlmm_whole_t const *)&near[at + 1];
      uint64_t all_in = b->layers > 1 ? whole->in : b->in, all_out = b->layers > 1 ? whole->out : b->out;
      f.fee      = near[at].fee[reference];
      f.in       = fee_in ? all_in + f.fee : all_in;
      f.out      = fee_in ? all_out : all_out - f.fee;
      f.protocol = b->layers > 1 ? whole->protocol[reference] : sf_bps_of( f.fee, s->protocol_bps );
      drains     = exact_in ? left > f.in + (uint64_t)fee_in : left >= f.out + !fee_in;
    }
    if( !drains ) {
      sf_u128_t price = at < way->near_cnt ? (sf_u128_t)near[at].price[1] << 64 | near[at].price[0]
                                           : sf_meteora_dlmm_price( b->id, s->bin_step );
      uint64_t rate   = sf_dlmm_rate_at( s, &s->reference[reference], b->id );
      if( !exact_in )
        error = s->newest ? take_newest( s, b, price, rate, a_to_b, left, &f )
                          : take_older( s, b, price, rate, a_to_b, left, &f );
      else if( s->newest ? fill_newest( s, b, price, rate, a_to_b, left, &f )
                         : fill_older( s, b, price, rate, a_to_b, left, &f ) )
        error = SF_DLMM_ERR_OVERFLOW;
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
  uint64_t withheld = sf_transfer_fee_of( withheld_out, out ), sent = amount;
  if( __builtin_expect( out > s->reserve[!up], 0 ) ) return refuse( s, SF_DLMM_ERR_TOKEN_FUNDS, q );
  if( __builtin_expect( withheld && s->plain_account[!up], 0 ) ) return refuse( s, SF_DLMM_ERR_TOKEN_WITHHOLD, q );
  if( __builtin_expect( out == withheld && !last.status, 0 ) ) return refuse( s, 0, q );
  uint64_t reserve[2] = { 0, 0 };
  if( s->reserve[0] != UINT64_MAX && s->reserve[1] != UINT64_MAX ) {
    if( __builtin_add_overflow( s->reserve[up], in, &reserve[up] ) ) return refuse( s, SF_DLMM_ERR_OVERFLOW, q );
    reserve[!up] = s->reserve[!up] - out;
  }
  if( ( !exact_in || last.status ) && sf_transfer_fee_before( withheld_in, in, &sent ) )
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
  q->fee_in_input = (uint32_t)fee_in;
  q->tick         = last.id;
  q->crossed      = (uint32_t)( moved < 0 ? -moved : moved );
  q->impact_ppm   = impact( way->value, fee_in ? in - fee : in, fee_in ? out : out + fee );
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

void sf_meteora_dlmm_near( sf_meteora_dlmm_state_t const * s, int a_to_b, uint64_t now, double * rate,
                           double * limit ) {
  int up                      = !a_to_b;
  sf_dlmm_step_t const * step = sf_meteora_dlmm_steps( s, up );
  uint32_t reference;
  *rate = *limit = 0;
  if( start( s, now, &reference ) || !s->way[up].step_cnt ) return;
  double in = 0, keep = 1 - (double)sf_dlmm_rate_at( s, &s->reference[reference], step->id ) / (double)SF_DLMM_RATE_OF;
  for( uint32_t i = 0; i < step->layers; i++ ) {
    if( step[i].overflow ) return;
    in += (double)step[i].in;
  }
  uint64_t const * words = sf_meteora_dlmm_nears( s, up )->price;
  double price           = ( (double)words[1] * 0x1p64 + (double)words[0] ) / 0x1p64;
  double arrives         = 1 - (double)s->transfer_fee[up].bps / SF_TRANSFER_FEE_BPS_MAX;
  if( !price || !arrives ) return;
  *rate = ( a_to_b ? price : 1 / price ) * keep * arrives *
          ( 1 - (double)s->transfer_fee[!up].bps / SF_TRANSFER_FEE_BPS_MAX );
  *limit = in / arrives / ( sf_dlmm_fee_in( s, a_to_b ) ? keep : 1 );
}
