/* gcc would gather neighbouring words of 256-bit numbers in vectors, and wait for them */
#if defined( __GNUC__ ) && !defined( __clang__ )
#pragma GCC optimize( "no-tree-slp-vectorize" )
#endif

#include "dex/ticks.h"

#define ALWAYS static inline __attribute__( ( always_inline ) )

sf_tick_rules_t const sf_tick_rules[2] = {
  [SF_TICKS_ORCA]    = { sf_tick_price_orca, SF_SQRT_PRICE_MAX_ORCA, SF_SHARE_BPS, 1 },
  [SF_TICKS_RAYDIUM] = { sf_tick_price_raydium, SF_SQRT_PRICE_MAX_RAYDIUM, SF_FEE_PPM, 0 },
};

#define PLAIN_LEFT ( 1UL << 62 ) /* amounts below it cannot overflow a step of a stretch that is not odd */

/* -- one step ------------------------------------------------------------------------------------- */

/* floor( amount * (10^6-ppm) / 10^6 ) */
ALWAYS uint64_t after_fee( uint64_t amount, uint32_t ppm ) {
  uint64_t keep = SF_FEE_PPM - ppm;
  return amount / SF_FEE_PPM * keep + amount % SF_FEE_PPM * keep / SF_FEE_PPM;
}

/* floor( fee * share / of ); `of` is one of two constants, which the compiler divides by better */
ALWAYS uint64_t share_of( uint64_t fee, uint32_t share, uint32_t of ) {
  sf_u128_t n = (sf_u128_t)fee * share;
  if( __builtin_expect( n >> 64 != 0, 0 ) ) return (uint64_t)( n / of );
  return of == SF_FEE_PPM ? (uint64_t)n / SF_FEE_PPM : (uint64_t)n / SF_SHARE_BPS;
}

/* the protocol's and the fund's part of a fee */
ALWAYS uint64_t kept_of( sf_ticks_t const * t, uint32_t of, uint64_t fee ) {
  uint64_t kept = share_of( fee, t->share[0], of );
  return t->share[1] ? kept + share_of( fee, t->share[1], of ) : kept;
}

int sf_tick_delta( sf_tick_rules_t const * rules, int side, sf_u128_t depth, sf_u128_t one, sf_u128_t other,
                   uint64_t * out ) {
  sf_u128_t low = one < other ? one : other, high = one < other ? other : one;
  sf_u256_t n = sf_wide_mul( depth, high - low );
  if( side ) {
    if( n.w[2] | n.w[3] ) return -1;
    *out = n.w[1];
    return n.w[0] != 0;
  }
  if( n.w[3] ) return rules->narrow ? -2 : -1;
  sf_u128_t quotient;
  int rest = sf_wide_div( sf_wide_shl64( n ), sf_wide_mul( low, high ), &quotient );
  if( rest < 0 || quotient >> 64 ) return -1;
  *out = (uint64_t)quotient;
  return rest;
}

/* The same, with that one more added if it goes in. */
static int delta( sf_tick_rules_t const * rules, int side, sf_u128_t depth, sf_u128_t one, sf_u128_t other, int in,
                  uint64_t * out ) {
  int more = sf_tick_delta( rules, side, depth, one, other, out );
  if( more < 0 ) return more;
  return in && more && !++*out ? -1 : 0;
}

/* The price after `amount` of token a (side 0) or b (side 1) went in (add) or out; -1 if there is none. */
static int price_after( sf_tick_rules_t const * rules, int side, sf_u128_t depth, sf_u128_t from, uint64_t amount,
                        int add, sf_u128_t * to ) {
  *to = from;
  if( !amount ) return 0;
  if( !depth ) return -1;
  int rest;
  if( side ) {
    sf_u128_t delta = sf_div_shl64( amount, depth, &rest );
    if( add ) return __builtin_add_overflow( from, delta, to ) ? -1 : 0;
    if( rest ) delta++;
    return __builtin_sub_overflow( from, delta, to ) ? -1 : 0;
  }
  if( rules->narrow && sf_wide_mul( depth, from ).w[3] ) return -1;
  unsigned carry;
  sf_u256_t moved = sf_wide_mul( from, amount ), whole = sf_wide_of_shl64( depth ), product;
  sf_u256_t d = add ? sf_wide_add( whole, moved, &carry ) : sf_wide_sub( whole, moved, &carry );
  if( carry || sf_wide_zero( d ) ) return -1;
  /* from * whole / d, rounded up, is from -+ from * moved / d */
  uint64_t over, over_more;
  product        = sf_wide_mul_word( moved, (uint64_t)from, &over );
  sf_u256_t high = sf_wide_mul_word( moved, (uint64_t)( from >> 64 ), &over_more );
  if( over_more | high.w[3] ) return -1;
  product = sf_wide_add( product, sf_wide_shl64( high ), &carry );
  if( carry | over ) return -1;
  sf_u128_t delta;
  rest = sf_wide_div( product, d, &delta );
  if( rest < 0 ) return -1;
  if( add ) *to = from - delta;
  else if( __builtin_add_overflow( from, delta + (unsigned)rest, to ) ) return -1;
  return rules->narrow && ( *to < SF_SQRT_PRICE_MIN || *to > rules->price_max ) ? -1 : 0;
}

int sf_tick_step( sf_tick_rules_t const * rules, sf_u128_t depth, sf_u128_t from, sf_u128_t target, uint64_t left,
                  uint32_t fee_ppm, int a_to_b, int exact_in, sf_tick_step_t * out ) {
  int side       = a_to_b != exact_in; /* of the amount that is given */
  uint64_t given = exact_in ? after_fee( left, fee_ppm ) : left, fixed = 0, other = 0;
  int unknown = delta( rules, side, depth, from, target, exact_in, &fixed );
  if( unknown == -2 ) return -1;
  if( !unknown && given >= fixed ) out->sqrt_price = target;
  else if( price_after( rules, side, depth, from, given, exact_in, &out->sqrt_price ) ) return -1;
  int reached = out->sqrt_price == target;
  if( delta( rules, !side, depth, from, out->sqrt_price, !exact_in, &other ) ) return -1;
  if( !reached && delta( rules, side, depth, from, out->sqrt_price, exact_in, &fixed ) ) return -1;
  if( reached && unknown ) {
    if( rules->narrow ) return -1;
    fixed = 0; /* Raydium leaves it at that */
  }
  out->in        = exact_in ? fixed : other;
  out->gross_out = exact_in ? other : fixed;
  out->out       = exact_in || fixed < left ? out->gross_out : left;
  if( !exact_in || reached ) return sf_tick_fee_on( out->in, fee_ppm, &out->fee );
  return __builtin_sub_overflow( left, out->in, &out->fee ) ? -1 : 0;
}

/* The same within a stretch that is not odd, for an amount that does not get through it: the target is not
   reached, unless rounding carries an exact output there (then returns 1: go by sf_tick_step). */
ALWAYS int step_inside( sf_ticks_t const * t, sf_u128_t depth, sf_u128_t from, sf_u128_t target, uint64_t left,
                        int a_to_b, int exact_in, int fine, sf_tick_step_t * out ) {
  uint64_t given = exact_in ? after_fee( left, t->fee_ppm ) : left;
  int rest;
  sf_u128_t to, delta;
  if( a_to_b == exact_in ) {
    unsigned carry;
    sf_u256_t moved = sf_wide_mul( from, given ), whole = sf_wide_of_shl64( depth ), product;
    sf_u256_t d = exact_in ? sf_wide_add( whole, moved, &carry ) : sf_wide_sub( whole, moved, &carry );
    uint64_t over;
    product        = sf_wide_mul_word( moved, (uint64_t)from, &over );
    sf_u256_t high = sf_wide_mul_word( moved, (uint64_t)( from >> 64 ), &over );
    product        = sf_wide_add( product, sf_wide_shl64( high ), &carry );
    rest           = sf_wide_div( product, d, &delta );
    to             = exact_in ? from - delta : from + delta + (unsigned)rest;
  } else {
    delta = sf_div_shl64( given, depth, &rest );
    to    = exact_in ? from + delta : from - delta - (unsigned)rest;
  }
  if( !exact_in && to == target ) return 1;
  out->sqrt_price = to;
  sf_u256_t n     = sf_wide_mul( depth, a_to_b ? from - to : to - from );
  if( exact_in ) {
    if( a_to_b ) {
      out->out = n.w[1];
      out->in  = given;
      if( __builtin_expect( !fine, 0 ) ) {
        rest    = sf_wide_div( sf_wide_shl64( n ), sf_wide_mul( from, to ), &delta );
        out->in = (uint64_t)delta + (unsigned)rest;
      }
    } else {
      sf_wide_div( sf_wide_shl64( n ), sf_wide_mul( from, to ), &delta );
      out->out = (uint64_t)delta;
      out->in  = n.w[1] + ( n.w[0] != 0 );
    }
    out->fee = left - out->in;
    return 0;
  }
  out->out = left; /* rounding only ever gives more, and it is capped */
  if( a_to_b ) {
    rest    = sf_wide_div( sf_wide_shl64( n ), sf_wide_mul( from, to ), &delta );
    out->in = (uint64_t)delta + (unsigned)rest;
    if( __builtin_expect( rest < 0 || delta >> 64 || ( rest && !out->in ), 0 ) ) return -1;
  } else {
    out->in = n.w[1] + ( n.w[0] != 0 );
    if( __builtin_expect( n.w[2] || n.w[3] || ( n.w[0] && !out->in ), 0 ) ) return -1;
  }
  return sf_tick_fee_on( out->in, t->fee_ppm, &out->fee ) ? -1 : 0;
}

/* -- swaps ---------------------------------------------------------------------------------------- */

uint32_t sf_tick_impact( double value, uint64_t in, uint64_t out ) {
  double fair = (double)in * value;
  if( fair <= (double)out ) return 0;
  return (uint32_t)( ( 1. - (double)out / fair ) * 1e6 );
}

/* All of the stretch of an entry. */
ALWAYS sf_stretch_t stretch_of( sf_tick_t const * e, int up ) {
  uint64_t fee = e->fee[up], flags = e->flags, in = e->amount[up] + ( flags / SF_STRETCH_MORE >> up & 1 ) + fee;
  return ( sf_stretch_t ){ in, e->amount[!up], fee, flags };
}

/* The tick behind which stretch i begins, going in a direction. */
ALWAYS sf_tick_t const * behind( sf_ticks_t const * t, int up, uint32_t i ) { return &t->list[up ? i - 1 : i]; }

ALWAYS void swap_along( sf_ticks_t const * t, uint32_t of, int a_to_b, int exact_in, uint64_t amount, sf_u128_t limit,
                        sf_quote_t * q ) {
  int up               = !a_to_b;
  sf_end_t const * end = &t->end[up];
  uint32_t i = t->at, last = end->at;
  int limited = limit && ( up ? limit < end->sqrt_price : limit > end->sqrt_price );
  if( __builtin_expect( limited, 0 ) ) {
    last = t->at;
    if( up )
      while( last < end->at && t->list[last].price <= limit ) last++;
    else
      while( last > end->at && t->list[last - 1].price >= limit ) last--;
  }
  sf_stretch_t s = t->first[up];
  sf_u128_t from = t->sqrt_price, depth = t->liquidity;
  uint64_t left = amount, other = 0, fee = 0, kept = 0;
  int32_t tick    = t->tick;
  uint32_t status = SF_QUOTE_OK, error = 0;
  if( __builtin_expect( limit == from, 0 ) ) goto done;
  while( left ) {
    uint64_t needed = exact_in ? s.in : s.out;
    if( __builtin_expect( i != last && left >= needed && !( s.flags & ( SF_STRETCH_ODD | SF_STRETCH_WRONG ) ), 1 ) ) {
      left -= needed;
      if( __builtin_add_overflow( other, exact_in ? s.out : s.in, &other ) ) goto refused;
      fee += s.fee;
      kept += kept_of( t, of, s.fee );
    } else {
      if( s.flags & SF_STRETCH_WRONG ) goto refused;
      sf_u128_t target = i != last ? t->list[up ? i : i - 1].price : limited ? limit : end->sqrt_price;
      sf_tick_step_t step;
      if( i != t->at ) {
        from  = behind( t, up, i )->price;
        depth = t->list[i].depth;
      }
      if( from == target && i == last ) {
        if( limited || from == limit ) break;
        tick = up ? end->index : end->index - 1;
        goto done;
      }
      int more = 1;
      if( __builtin_expect( i != last && !( s.flags & SF_STRETCH_ODD ) && left < PLAIN_LEFT, 1 ) )
        more = step_inside( t, depth, from, target, left, a_to_b, exact_in, (int)( s.flags & SF_STRETCH_FINE ), &step );
      if( more > 0 )
        more = sf_tick_step( &sf_tick_rules[t->rules], depth, from, target, left, t->fee_ppm, a_to_b, exact_in, &step );
      if( __builtin_expect( more < 0, 0 ) ) goto refused;
      uint64_t in = step.in + step.fee;
      left -= exact_in ? in : step.out;
      if( in < step.fee || __builtin_add_overflow( other, exact_in ? step.out : in, &other ) ) goto refused;
      fee += step.fee;
      kept += kept_of( t, of, step.fee );
      if( step.sqrt_price != target || i == last ) {
        if( step.sqrt_price == end->sqrt_price && i == last ) tick = up ? end->index : end->index - 1;
        else if( step.sqrt_price != from ) tick = sf_tick_of_price( step.sqrt_price, sf_tick_rules[t->rules].price );
        else if( i != t->at ) tick = behind( t, up, i )->index - a_to_b;
        from = step.sqrt_price;
        goto done;
      }
    }
    if( up ) i++;
    else i--;
    s = stretch_of( &t->list[i], up );
  }
  if( i != t->at ) {
    if( t->list[i].flags & SF_STRETCH_WRONG ) goto refused;
    from = behind( t, up, i )->price;
    tick = behind( t, up, i )->index - a_to_b;
  }
done:
  if( left && !limited && from != limit ) {
    status = end->status;
    error  = end->error;
  }
  if( 0 ) {
  refused:
    status = SF_QUOTE_REFUSED;
    if( i != t->at ) from = behind( t, up, i )->price;
  }
  q->amount_in    = exact_in ? amount - left : other;
  q->amount_out   = exact_in ? other : amount - left;
  q->fee          = fee;
  q->protocol_fee = kept;
  q->creator_fee  = 0;
  q->reserve_a    = 0;
  q->reserve_b    = 0;
  q->status       = status;
  q->error        = error;
  q->fee_in_input = 1;
  q->tick         = tick;
  q->crossed      = up ? i - t->at : t->at - i;
  q->impact_ppm   = sf_tick_impact( t->value[up], q->amount_in - fee, q->amount_out );
  q->sqrt_price   = from;
  q->liquidity    = i != t->at ? t->list[i].depth : t->liquidity;
}

ALWAYS void swap_of( sf_ticks_t const * t, uint32_t of, int a_to_b, int exact_in, uint64_t amount, sf_u128_t limit,
                     sf_quote_t * q ) {
  if( a_to_b ) {
    if( exact_in ) swap_along( t, of, 1, 1, amount, limit, q );
    else swap_along( t, of, 1, 0, amount, limit, q );
  } else {
    if( exact_in ) swap_along( t, of, 0, 1, amount, limit, q );
    else swap_along( t, of, 0, 0, amount, limit, q );
  }
}

void sf_ticks_swap( sf_ticks_t const * t, int a_to_b, int exact_in, uint64_t amount, sf_u128_t limit, sf_quote_t * q ) {
  swap_of( t, sf_tick_rules[t->rules].share_of, a_to_b, exact_in, amount, limit, q );
}
