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

/* -- the same in single words, and certain of nearly all ------------------------------------------- */

/* 192 bits */
typedef struct words {
  uint64_t w0;
  uint64_t w1;
  uint64_t w2;
} words_t;

ALWAYS words_t words_mul( words_t a, uint64_t b0, uint64_t b1 ) {
  sf_u128_t t0 = (sf_u128_t)a.w0 * b0, t1 = (sf_u128_t)a.w1 * b0 + ( t0 >> 64 ),
            t2 = (sf_u128_t)a.w0 * b1 + (uint64_t)t1;
  return ( words_t ){ (uint64_t)t0, (uint64_t)t2,
                      (uint64_t)( t1 >> 64 ) + (uint64_t)( t2 >> 64 ) + a.w2 * b0 + a.w1 * b1 };
}

ALWAYS words_t words_add( words_t a, words_t b, int minus ) {
  sf_u128_t low_a = (sf_u128_t)a.w1 << 64 | a.w0, low_b = (sf_u128_t)b.w1 << 64 | b.w0, low;
  uint64_t carry;
  if( minus ) carry = __builtin_sub_overflow( low_a, low_b, &low );
  else carry = __builtin_add_overflow( low_a, low_b, &low );
  return ( words_t ){ (uint64_t)low, (uint64_t)( low >> 64 ), minus ? a.w2 - b.w2 - carry : a.w2 + b.w2 + carry };
}

/* price * moved / ( depth * 2^64 +- moved ), moved = price * given, from a *delta that is off by a few: all words above the
   third are alike in both and cancel out. */
static inline void move_exact( sf_u128_t depth, sf_u128_t price, uint64_t given, int in, uint64_t * delta ) {
  uint64_t p0 = (uint64_t)price, p1 = (uint64_t)( price >> 64 );
  words_t moved = words_mul( ( words_t ){ given, 0, 0 }, p0, p1 ),
          d     = words_add( ( words_t ){ 0, (uint64_t)depth, (uint64_t)( depth >> 64 ) }, moved, !in ),
          rest  = words_add( words_mul( moved, p0, p1 ), words_mul( d, *delta, 0 ), 1 );
  while( (int64_t)rest.w2 < 0 ) {
    rest = words_add( rest, d, 0 );
    --*delta;
  }
  for( ;; ) {
    words_t less = words_add( rest, d, 1 );
    if( (int64_t)less.w2 < 0 ) break;
    rest = less;
    ++*delta;
  }
  *delta += !in && ( rest.w0 | rest.w1 | rest.w2 );
}

/* How far token a moves the price: price * given / ( reserve +- given ), rounded down if it goes in, else up. */
ALWAYS int near_move( sf_near_t const * n, sf_u128_t depth, sf_u128_t price, uint64_t given, int in,
                      uint64_t * delta ) {
  int zeros = __builtin_clzl( given ), shift = zeros - n->price_exp - n->reserve_bits - ( in ? 2 : 3 );
  if( zeros - n->reserve_bits < ( in ? 1 : 3 ) || (unsigned)shift > 62 )
    return -1; /* up to the reserve, or 1/4 of it */
  uint64_t part = given << n->reserve_bits, rest;
  sf_u128_t num = (sf_u128_t)n->price * ( given << zeros ) >> ( in ? 2 : 3 );
  uint64_t q = sf_div_word( (uint64_t)( num >> 64 ), (uint64_t)num, in ? n->reserve + part : n->reserve - part, &rest );
  if( sf_near_whole( q, shift, in ? 16 : 40, delta ) ) move_exact( depth, price, given, in, delta );
  else *delta += !in;
  return 0;
}

/* How far token b moves the price: given * 2^64 / depth, rounded down if it goes in, else up. */
ALWAYS int near_climb( sf_u128_t depth, uint64_t given, int in, uint64_t * delta ) {
  uint64_t high = (uint64_t)( depth >> 64 ), rest;
  int more;
  if( high ) {
    int bits    = __builtin_clzl( high );
    sf_u128_t d = depth << bits, over;
    *delta = sf_div_digit( given >> 1 >> ( 63 - bits ), given << bits, 0, (uint64_t)( d >> 64 ), (uint64_t)d, &over );
    more   = over != 0;
  } else {
    if( given >= (uint64_t)depth ) return -1;
    *delta = sf_div_word( given, 0, (uint64_t)depth, &rest );
    more   = rest != 0;
  }
  return __builtin_add_overflow( *delta, (unsigned)( !in && more ), delta ) ? -1 : 0;
}

/* floor( v * part / of ), by ratio: part / of in 2^-64, rounded down */
ALWAYS uint64_t share_by( uint64_t v, uint64_t ratio, uint64_t part, uint64_t of, uint64_t * rest ) {
  uint64_t q = (uint64_t)( ( (sf_u128_t)v * ratio ) >> 64 ), r = v * part - q * of;
  int more = r >= of;
  *rest    = more ? r - of : r;
  return q + (unsigned)more;
}

/* The price after a step, also as a mantissa. */
typedef struct place {
  sf_u128_t sqrt_price;
  uint64_t mantissa;
  int top;
} place_t;

/* step_inside for an amount below PLAIN_LEFT, and a fee below half.  Returns 0, or -1 if that has to say. */
ALWAYS int near_step( sf_ticks_t const * t, sf_near_t const * n, sf_u128_t depth, sf_u128_t from, sf_u128_t target,
                      uint64_t left, int a_to_b, int exact_in, sf_tick_step_t * out, place_t * place ) {
  uint64_t rest, delta, a = 0,
                        given = exact_in ? share_by( left, t->keep, SF_FEE_PPM - t->fee_ppm, SF_FEE_PPM, &rest ) : left;
  if( !given || (unsigned)n->reserve_bits > 62 ) return -1;
  if( a_to_b == exact_in ? near_move( n, depth, from, given, exact_in, &delta )
                         : near_climb( depth, given, exact_in, &delta ) )
    return -1;
  sf_u128_t to = a_to_b ? from - delta : from + delta;
  if( a_to_b ? to <= target : to >= target ) return -1;
  place->sqrt_price = out->sqrt_price = to;
  place->mantissa                     = sf_mantissa( to, &place->top );
  /* what token b moves by is depth * delta / 2^64 */
  sf_u128_t low = (sf_u128_t)(uint64_t)depth * delta,
            b   = (sf_u128_t)(uint64_t)( depth >> 64 ) * delta + (uint64_t)( low >> 64 );
  if( a_to_b != exact_in && sf_near_amount( n, delta, place->mantissa, place->top, a_to_b, &a ) ) return -1;
  if( exact_in ) {
    out->in  = a_to_b ? given : (uint64_t)b + ( (uint64_t)low != 0 );
    out->out = a_to_b ? (uint64_t)b : a;
    out->fee = left - out->in;
  } else {
    if( b >> 62 ) return -1;
    out->in  = a_to_b ? a : (uint64_t)b + ( (uint64_t)low != 0 );
    out->out = left;
    out->fee = share_by( out->in, t->fee, t->fee_ppm, SF_FEE_PPM - t->fee_ppm, &rest );
    out->fee += rest != 0;
  }
  return 0;
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
      place_t to;
      if( __builtin_expect( i != last && !( s.flags & SF_STRETCH_ODD ) && left < PLAIN_LEFT, 1 ) ) {
        if( i != t->at && depth && t->fee_ppm < SF_FEE_PPM / 2 &&
            ( !a_to_b || !exact_in || s.flags & SF_STRETCH_FINE ) ) {
          sf_near_t near;
          sf_near_make( depth, from, &near );
          more = near_step( t, &near, depth, from, target, left, a_to_b, exact_in, &step, &to ) ? 1 : 0;
        }
        if( more )
          more =
              step_inside( t, depth, from, target, left, a_to_b, exact_in, (int)( s.flags & SF_STRETCH_FINE ), &step );
      }
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

/* A swap that ends before the next tick.  Returns 0, or -1 if it does not, or is not certain. */
ALWAYS int swap_near( sf_ticks_t const * t, int a_to_b, int exact_in, uint64_t amount, sf_u128_t limit,
                      sf_quote_t * q ) {
  int up                 = !a_to_b;
  sf_stretch_t const * s = &t->first[up];
  uint64_t flags         = SF_STRETCH_NEAR | ( a_to_b && exact_in ? SF_STRETCH_FINE : 0 );
  sf_tick_step_t step;
  place_t to;
  if( amount >= ( exact_in ? s->in : s->out ) || ( s->flags & flags ) != flags || amount >= PLAIN_LEFT ) return -1;
  if( limit && ( a_to_b ? limit > t->next[0] : limit < t->next[1] ) ) return -1;
  if( near_step( t, &t->near, t->liquidity, t->sqrt_price, t->next[up], amount, a_to_b, exact_in, &step, &to ) )
    return -1;
  q->amount_in    = exact_in ? amount : step.in + step.fee;
  q->amount_out   = step.out;
  q->fee          = step.fee;
  q->protocol_fee = kept_of( t, t->rules == SF_TICKS_ORCA ? SF_SHARE_BPS : SF_FEE_PPM, step.fee );
  q->creator_fee  = 0;
  q->reserve_a    = 0;
  q->reserve_b    = 0;
  q->status       = SF_QUOTE_OK;
  q->error        = 0;
  q->fee_in_input = 1;
  q->tick         = to.sqrt_price == t->sqrt_price
                        ? t->tick
                        : sf_tick_of_mantissa( to.sqrt_price, to.mantissa, to.top, sf_tick_rules[t->rules].price );
  q->crossed      = 0;
  q->impact_ppm   = sf_tick_impact( t->value[up], step.in, step.out );
  q->sqrt_price   = to.sqrt_price;
  q->liquidity    = t->liquidity;
  return 0;
}

static __attribute__( ( noinline ) ) void swap_far( sf_ticks_t const * t, int a_to_b, int exact_in, uint64_t amount,
                                                    sf_u128_t limit, sf_quote_t * q ) {
  uint32_t of = sf_tick_rules[t->rules].share_of;
  if( a_to_b ) {
    if( exact_in ) swap_along( t, of, 1, 1, amount, limit, q );
    else swap_along( t, of, 1, 0, amount, limit, q );
  } else {
    if( exact_in ) swap_along( t, of, 0, 1, amount, limit, q );
    else swap_along( t, of, 0, 0, amount, limit, q );
  }
}

void sf_ticks_swap( sf_ticks_t const * t, int a_to_b, int exact_in, uint64_t amount, sf_u128_t limit, sf_quote_t * q ) {
  int far = a_to_b     ? exact_in ? swap_near( t, 1, 1, amount, limit, q ) : swap_near( t, 1, 0, amount, limit, q )
                : exact_in ? swap_near( t, 0, 1, amount, limit, q )
                       : swap_near( t, 0, 0, amount, limit, q );
  if( far ) swap_far( t, a_to_b, exact_in, amount, limit, q );
}
