/* gcc would gather neighbouring words of 256-bit numbers in vectors, and wait for them */
#if defined( __GNUC__ ) && !defined( __clang__ )
#pragma GCC optimize( "no-tree-slp-vectorize" )
#endif

#include "dex/ticks.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/wide.h"

#define ALWAYS static inline __attribute__( ( always_inline ) )

#define PLAIN_LEFT ( 1UL << 62 ) /* amounts below it cannot overflow a step of a stretch that is not odd */

/* -- one step ------------------------------------------------------------------------------------- */

/* floor( amount * (10^6-ppm) / 10^6 ) */
ALWAYS uint64_t after_fee( uint64_t amount, uint32_t ppm ) {
  uint64_t keep = SF_FEE_PPM - ppm;
  return amount / SF_FEE_PPM * keep + amount % SF_FEE_PPM * keep / SF_FEE_PPM;
}

/* ceil( in * ppm / (10^6-ppm) ); -1 if it does not fit */
ALWAYS int fee_on( uint64_t in, uint32_t ppm, uint64_t * fee ) {
  sf_u128_t n = (sf_u128_t)in * ppm + ( SF_FEE_PPM - ppm - 1 );
  uint64_t d  = SF_FEE_PPM - ppm, rest;
  if( (uint64_t)( n >> 64 ) >= d ) return -1;
  *fee = sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, d, &rest );
  return 0;
}

/* floor( fee * share / of ); `of` is one of two constants, which the compiler divides by better */
ALWAYS uint64_t share_of( uint64_t fee, uint32_t share, uint32_t of ) {
  sf_u128_t n = (sf_u128_t)fee * share;
  if( __builtin_expect( n >> 64 != 0, 0 ) ) return (uint64_t)( n / of );
  return of == SF_FEE_PPM ? (uint64_t)n / SF_FEE_PPM : (uint64_t)n / SF_SHARE_BPS;
}

ALWAYS uint64_t kept_of( sf_ticks_t const * t, uint64_t fee ) {
  uint64_t kept = share_of( fee, t->share[0], t->rules->share_of );
  return t->share[1] ? kept + share_of( fee, t->share[1], t->rules->share_of ) : kept;
}

int sf_tick_delta( sf_tick_rules_t const * rules, int side, sf_u128_t depth, sf_u128_t one, sf_u128_t other,
                   int round_up, uint64_t * out ) {
  sf_u128_t low = one < other ? one : other, high = one < other ? other : one;
  sf_u256_t n = sf_wide_mul( depth, high - low );
  if( side ) {
    if( n.w[2] | n.w[3] ) return -1;
    *out = n.w[1];
    return round_up && n.w[0] ? ++*out ? 0 : -1 : 0;
  }
  if( n.w[3] ) return rules->narrow ? -2 : -1;
  sf_u128_t quotient;
  int rest = sf_wide_div( sf_wide_shl64( n ), sf_wide_mul( low, high ), &quotient );
  if( rest < 0 || quotient >> 64 ) return -1;
  *out = (uint64_t)quotient;
  return round_up && rest ? ++*out ? 0 : -1 : 0;
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
  int unknown = sf_tick_delta( rules, side, depth, from, target, exact_in, &fixed );
  if( unknown == -2 ) return -1;
  if( !unknown && given >= fixed ) out->sqrt_price = target;
  else if( price_after( rules, side, depth, from, given, exact_in, &out->sqrt_price ) ) return -1;
  int reached = out->sqrt_price == target;
  if( sf_tick_delta( rules, !side, depth, from, out->sqrt_price, !exact_in, &other ) ) return -1;
  if( !reached && sf_tick_delta( rules, side, depth, from, out->sqrt_price, exact_in, &fixed ) ) return -1;
  if( reached && unknown ) {
    if( rules->narrow ) return -1;
    fixed = 0; /* Raydium leaves it at that */
  }
  out->in        = exact_in ? fixed : other;
  out->gross_out = exact_in ? other : fixed;
  out->out       = exact_in || fixed < left ? out->gross_out : left;
  if( !exact_in || reached ) return fee_on( out->in, fee_ppm, &out->fee );
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
  return fee_on( out->in, t->fee_ppm, &out->fee ) ? -1 : 0;
}

/* -- the list ------------------------------------------------------------------------------------- */

void sf_ticks_clear( sf_ticks_t * t, sf_tick_rules_t const * rules ) {
  memset( t, 0, offsetof( sf_ticks_t, index ) );
  t->rules = rules;
}

int sf_ticks_replace( sf_ticks_t * t, int32_t lo, int32_t hi, int32_t const * index, sf_i128_t const * net,
                      uint32_t cnt ) {
  uint32_t from = 0, to;
  while( from < t->cnt && t->index[from] < lo ) from++;
  for( to = from; to < t->cnt && t->index[to] < hi; to++ ) continue;
  uint32_t rest = t->cnt - to;
  if( from + cnt + rest > SF_TICKS_MAX )
    return sf_err_set( SF_ERR_FULL, "ticks: %u more on top of %u, of %u at most", cnt, from + rest, SF_TICKS_MAX );
  memmove( t->index + from + cnt, t->index + to, rest * sizeof( t->index[0] ) );
  memmove( t->net + from + cnt, t->net + to, rest * sizeof( t->net[0] ) );
  memmove( t->price + from + cnt, t->price + to, rest * sizeof( t->price[0] ) );
  for( uint32_t i = 0; i < cnt; i++ ) {
    t->index[from + i] = index[i];
    t->net[from + i]   = net[i];
    t->price[from + i] = t->rules->price( index[i] );
  }
  t->cnt = from + cnt + rest;
  return 0;
}

static void stretch_make( sf_ticks_t const * t, int up, sf_u128_t depth, sf_u128_t low, sf_u128_t high,
                          sf_stretch_t * s ) {
  uint64_t in = 0;
  memset( s, 0, sizeof( *s ) );
  if( sf_tick_delta( t->rules, up, depth, low, high, 1, &in ) ||
      sf_tick_delta( t->rules, !up, depth, low, high, 0, &s->out ) || fee_on( in, t->fee_ppm, &s->fee ) ||
      __builtin_add_overflow( in, s->fee, &s->in ) )
    s->flags = SF_STRETCH_ODD;
  /* one unit of price is worth less than 2^61 of either token, and no product leaves its width */
  if( depth >> 90 || sf_wide_less( sf_wide_mul( low, low ), sf_wide_of( depth << 3 ) ) ) s->flags = SF_STRETCH_ODD;
  /* where a unit of price is worth no more than a unit of token a, rounding the price takes all of the input */
  if( !sf_wide_less( sf_wide_mul( low - 1, low - 1 ), sf_wide_of_shl64( depth ) ) ) s->flags |= SF_STRETCH_FINE;
  s->kept = kept_of( t, s->fee );
}

static void first_make( sf_ticks_t * t ) {
  for( int up = 0; up < 2; up++ ) {
    uint32_t tick = up ? t->at : t->at - 1;
    memset( &t->first[up], 0, sizeof( t->first[up] ) );
    if( up ? t->at < t->cnt : t->at > 0 )
      stretch_make( t, up, t->liquidity, up ? t->sqrt_price : t->price[tick], up ? t->price[tick] : t->sqrt_price,
                    &t->first[up] );
    double price = (double)t->sqrt_price * 0x1p-64;
    t->value[up] = up ? 1. / ( price * price ) : price * price;
  }
}

static int ends_find( sf_ticks_t * t ) {
  for( int up = 0; up < 2; up++ ) {
    sf_end_t * end = &t->end[up];
    if( up ? end->sqrt_price < t->sqrt_price : end->sqrt_price > t->sqrt_price )
      return sf_err_set( SF_ERR_DATA, "ticks: the price is beyond the loaded range's end at tick %d", end->index );
    end->at = t->at;
    if( up )
      while( end->at < t->cnt && t->index[end->at] <= end->index ) end->at++;
    else
      while( end->at > 0 && t->index[end->at - 1] >= end->index ) end->at--;
  }
  return 0;
}

static int place_find( sf_ticks_t * t ) {
  if( t->tick < SF_TICK_MIN - 1 || t->tick > SF_TICK_MAX || t->sqrt_price < SF_SQRT_PRICE_MIN ||
      t->sqrt_price > t->rules->price_max )
    return sf_err_set( SF_ERR_DATA, "ticks: tick %d is out of range, or its price", t->tick );
  int32_t tick = sf_tick_of_price( t->sqrt_price, t->rules->price );
  if( tick != t->tick && !( tick == t->tick + 1 && t->sqrt_price == t->rules->price( tick ) ) )
    return sf_err_set( SF_ERR_DATA, "ticks: the price is at tick %d, not at %d", tick, t->tick );
  uint32_t low = 0, high = t->cnt;
  while( low < high ) {
    uint32_t middle = ( low + high ) / 2;
    if( t->index[middle] <= t->tick ) low = middle + 1;
    else high = middle;
  }
  t->at = low;
  return 0;
}

int sf_ticks_prepare( sf_ticks_t * t ) {
  int err = place_find( t );
  if( err ) return err;
  uint32_t wrong_up = t->cnt + 1, wrong_down = 0; /* stretches from wrong_up on, and below wrong_down */
  t->depth[t->at] = t->liquidity;
  for( uint32_t i = t->at; i < t->cnt; i++ ) {
    sf_u128_t net = (sf_u128_t)t->net[i], to = t->depth[i] + net;
    if( wrong_up > t->cnt && ( t->net[i] < 0 ? to > t->depth[i] : to < t->depth[i] ) ) wrong_up = i + 1;
    t->depth[i + 1] = to;
  }
  for( uint32_t i = t->at; i > 0; i-- ) {
    sf_u128_t net = (sf_u128_t)t->net[i - 1], to = t->depth[i] - net;
    if( !wrong_down && ( t->net[i - 1] < 0 ? to < t->depth[i] : to > t->depth[i] ) ) wrong_down = i;
    t->depth[i - 1] = to;
  }
  for( uint32_t i = 0; i <= t->cnt; i++ ) {
    for( int up = 0; up < 2; up++ ) {
      sf_stretch_t * s = &t->stretch[up][i];
      if( i && i < t->cnt ) stretch_make( t, up, t->depth[i], t->price[i - 1], t->price[i], s );
      else memset( s, 0, sizeof( *s ) );
      if( i >= wrong_up || i < wrong_down ) s->flags = SF_STRETCH_WRONG;
    }
  }
  first_make( t );
  return ends_find( t );
}

int sf_ticks_move( sf_ticks_t * t ) {
  int err = place_find( t );
  if( err ) return err;
  if( t->depth[t->at] != t->liquidity || t->stretch[0][t->at].flags & SF_STRETCH_WRONG ) return sf_ticks_prepare( t );
  first_make( t );
  return ends_find( t );
}

/* -- swaps ---------------------------------------------------------------------------------------- */

uint32_t sf_tick_impact( double value, uint64_t in, uint64_t out ) {
  double fair = (double)in * value;
  if( fair <= (double)out ) return 0;
  return (uint32_t)( ( 1. - (double)out / fair ) * 1e6 );
}

ALWAYS void swap_along( sf_ticks_t const * t, int a_to_b, int exact_in, uint64_t amount, sf_u128_t limit,
                        sf_quote_t * q ) {
  int up               = !a_to_b;
  sf_end_t const * end = &t->end[up];
  uint32_t i = t->at, last = end->at;
  int limited = limit && ( up ? limit < end->sqrt_price : limit > end->sqrt_price );
  if( __builtin_expect( limited, 0 ) ) {
    last = t->at;
    if( up )
      while( last < end->at && t->price[last] <= limit ) last++;
    else
      while( last > end->at && t->price[last - 1] >= limit ) last--;
  }
  sf_stretch_t const * s = &t->first[up];
  sf_u128_t from         = t->sqrt_price;
  uint64_t left = amount, other = 0, fee = 0, kept = 0;
  int32_t tick    = t->tick;
  uint32_t status = SF_QUOTE_OK, error = 0;
  if( __builtin_expect( limit == from, 0 ) ) goto done;
  while( left ) {
    uint64_t needed = exact_in ? s->in : s->out;
    if( __builtin_expect( i != last && left >= needed && !( s->flags & ~SF_STRETCH_FINE ), 1 ) ) {
      left -= needed;
      if( __builtin_add_overflow( other, exact_in ? s->out : s->in, &other ) ) goto refused;
      fee += s->fee;
      kept += s->kept;
    } else {
      if( s->flags & SF_STRETCH_WRONG ) goto refused;
      sf_u128_t target = i != last ? t->price[up ? i : i - 1] : limited ? limit : end->sqrt_price;
      sf_tick_step_t step;
      if( i != t->at ) from = t->price[up ? i - 1 : i];
      if( from == target && i == last ) {
        if( limited || from == limit ) break;
        tick = up ? end->index : end->index - 1;
        goto done;
      }
      int more = 1;
      if( __builtin_expect( i != last && !( s->flags & ~SF_STRETCH_FINE ) && left < PLAIN_LEFT, 1 ) )
        more = step_inside( t, t->depth[i], from, target, left, a_to_b, exact_in, (int)( s->flags & SF_STRETCH_FINE ),
                            &step );
      if( more > 0 )
        more = sf_tick_step( t->rules, t->depth[i], from, target, left, t->fee_ppm, a_to_b, exact_in, &step );
      if( __builtin_expect( more < 0, 0 ) ) goto refused;
      uint64_t in = step.in + step.fee;
      left -= exact_in ? in : step.out;
      if( in < step.fee || __builtin_add_overflow( other, exact_in ? step.out : in, &other ) ) goto refused;
      fee += step.fee;
      kept += kept_of( t, step.fee );
      if( step.sqrt_price != target || i == last ) {
        if( step.sqrt_price == end->sqrt_price && i == last ) tick = up ? end->index : end->index - 1;
        else if( step.sqrt_price != from ) tick = sf_tick_of_price( step.sqrt_price, t->rules->price );
        else if( i != t->at ) tick = up ? t->index[i - 1] : t->index[i] - 1;
        from = step.sqrt_price;
        goto done;
      }
    }
    if( up ) i++;
    else i--;
    s = &t->stretch[up][i];
  }
  if( i != t->at ) {
    if( t->stretch[up][i].flags & SF_STRETCH_WRONG ) goto refused;
    from = t->price[up ? i - 1 : i];
    tick = up ? t->index[i - 1] : t->index[i] - 1;
  }
done:
  if( left && !limited && from != limit ) {
    status = end->status;
    error  = end->error;
  }
  if( 0 ) {
  refused:
    status = SF_QUOTE_REFUSED;
    if( i != t->at ) from = t->price[up ? i - 1 : i];
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
  q->liquidity    = t->depth[i];
}

void sf_ticks_swap( sf_ticks_t const * t, int a_to_b, int exact_in, uint64_t amount, sf_u128_t limit, sf_quote_t * q ) {
  if( a_to_b ) {
    if( exact_in ) swap_along( t, 1, 1, amount, limit, q );
    else swap_along( t, 1, 0, amount, limit, q );
  } else {
    if( exact_in ) swap_along( t, 0, 1, amount, limit, q );
    else swap_along( t, 0, 0, amount, limit, q );
  }
}
