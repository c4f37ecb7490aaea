#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/curve.h"
#include "dex/ticks.h"

/* -- what the accounts say ------------------------------------------------------------------------- */

void sf_ticks_clear( sf_tick_arrays_t * a, sf_ticks_t * t, uint32_t rules ) {
  memset( a, 0, offsetof( sf_tick_arrays_t, net ) );
  memset( t, 0, offsetof( sf_ticks_t, list ) );
  a->changed = 1;
  t->rules   = rules;
}

void sf_ticks_fee_set( sf_tick_arrays_t * a, sf_ticks_t * t, uint32_t fee_ppm, uint32_t protocol, uint32_t fund ) {
  if( t->fee_ppm != fee_ppm ) a->changed = 1;
  t->fee_ppm  = fee_ppm;
  t->share[0] = protocol;
  t->share[1] = fund;
}

/* How many known arrays have a lower number. */
static uint32_t array_place( sf_tick_arrays_t const * a, int32_t number ) {
  uint32_t low = 0, high = a->cnt;
  while( low < high ) {
    uint32_t middle = ( low + high ) / 2;
    if( a->number[middle] < number ) low = middle + 1;
    else high = middle;
  }
  return low;
}

int sf_tick_array_known( sf_tick_arrays_t const * a, int32_t number ) {
  uint32_t place = array_place( a, number );
  return place < a->cnt && a->number[place] == number;
}

uint32_t sf_ticks_place( sf_ticks_t const * t, int32_t tick ) {
  uint32_t low = 0, high = t->cnt;
  while( low < high ) {
    uint32_t middle = ( low + high ) / 2;
    if( t->list[middle].index <= tick ) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* Makes room for cnt ticks in place of those from `from` to before `to`. */
static void list_shift( sf_tick_arrays_t * a, sf_ticks_t * t, uint32_t from, uint32_t to, uint32_t cnt ) {
  uint32_t rest = t->cnt - to;
  memmove( t->list + from + cnt, t->list + to, rest * sizeof( t->list[0] ) );
  memmove( a->net + from + cnt, a->net + to, rest * sizeof( a->net[0] ) );
  t->cnt     = from + cnt + rest;
  a->changed = 1;
}

int sf_tick_array_put( sf_tick_arrays_t * a, sf_ticks_t * t, int32_t number, int32_t span, sf_tick_net_t const * tick,
                       uint32_t cnt ) {
  uint32_t place = array_place( a, number );
  uint32_t from = sf_ticks_place( t, number * span - 1 ), to = sf_ticks_place( t, number * span + span - 1 );
  int known = place < a->cnt && a->number[place] == number;
  if( !known && a->cnt == SF_TICK_ARRAYS_MAX )
    return sf_err_set( SF_ERR_FULL, "ticks: more than %u tick arrays", SF_TICK_ARRAYS_MAX );
  if( t->cnt - ( to - from ) + cnt > SF_TICKS_MAX )
    return sf_err_set( SF_ERR_FULL, "ticks: %u more on top of %u, of %u at most", cnt, t->cnt - ( to - from ),
                       SF_TICKS_MAX );
  if( !known ) {
    memmove( a->number + place + 1, a->number + place, ( a->cnt - place ) * sizeof( a->number[0] ) );
    a->number[place] = number;
    a->cnt++;
  }
  /* most updates of an array are of what its ticks earned */
  if( to - from != cnt ) list_shift( a, t, from, to, cnt );
  for( uint32_t i = 0; i < cnt; i++ ) {
    sf_tick_t * e = &t->list[from + i];
    if( to - from != cnt || e->index != tick[i].index ) {
      e->price   = sf_tick_rules[t->rules].price( tick[i].index );
      e->index   = tick[i].index;
      a->changed = 1;
    }
    if( a->net[from + i] != tick[i].net ) a->changed = 1;
    a->net[from + i] = tick[i].net;
    e->orders        = tick[i].orders;
  }
  return 0;
}

/* -- stretches ------------------------------------------------------------------------------------- */

static int fit( sf_ticks_t const * t, sf_tick_t * e, int side, sf_u128_t low, sf_u128_t high ) {
  uint64_t in;
  int more = sf_tick_delta( &sf_tick_rules[t->rules], side, e->depth, low, high, &e->amount[side] );
  if( more < 0 || __builtin_add_overflow( e->amount[side], (unsigned)more, &in ) ||
      sf_tick_fee_on( in, t->fee_ppm, &e->fee[side] ) || __builtin_add_overflow( in, e->fee[side], &in ) )
    return -1;
  if( more ) e->flags |= SF_STRETCH_MORE << side;
  return 0;
}

/* Works out the stretch of an entry with its depth set, between two prices. */
static void stretch_make( sf_ticks_t const * t, sf_tick_t * e, sf_u128_t low, sf_u128_t high ) {
  e->flags = 0;
  if( fit( t, e, 0, low, high ) || fit( t, e, 1, low, high ) ) e->flags = SF_STRETCH_ODD;
  /* one unit of price is worth less than 2^61 of either token, and no product leaves its width */
  if( e->depth >> 90 || sf_wide_less( sf_wide_mul( low, low ), sf_wide_of( e->depth << 3 ) ) )
    e->flags = SF_STRETCH_ODD;
  /* where a unit of price is worth no more than a unit of token a, rounding the price takes all of the input */
  if( !sf_wide_less( sf_wide_mul( low - 1, low - 1 ), sf_wide_of_shl64( e->depth ) ) ) e->flags |= SF_STRETCH_FINE;
}

static void first_make( sf_ticks_t * t ) {
  for( int up = 0; up < 2; up++ ) {
    sf_stretch_t * s = &t->first[up];
    memset( s, 0, sizeof( *s ) );
    if( up ? t->at < t->cnt : t->at > 0 ) {
      sf_tick_t e     = { .depth = t->liquidity };
      sf_u128_t price = t->list[up ? t->at : t->at - 1].price;
      stretch_make( t, &e, up ? t->sqrt_price : price, up ? price : t->sqrt_price );
      s->fee   = e.fee[up];
      s->in    = e.amount[up] + ( e.flags / SF_STRETCH_MORE >> up & 1 ) + e.fee[up];
      s->out   = e.amount[!up];
      s->flags = e.flags;
    }
    double price = (double)t->sqrt_price * 0x1p-64;
    t->value[up] = up ? 1. / ( price * price ) : price * price;
  }
}

/* What swaps that end before the next tick go by; sets SF_STRETCH_NEAR where they can. */
static void near_make( sf_ticks_t * t ) {
  sf_u128_t kept = SF_FEE_PPM - t->fee_ppm;
  t->keep        = t->fee_ppm ? (uint64_t)( ( kept << 64 ) / SF_FEE_PPM ) : UINT64_MAX;
  t->fee         = (uint64_t)( ( (sf_u128_t)t->fee_ppm << 64 ) / kept );
  if( !t->liquidity || t->fee_ppm >= SF_FEE_PPM / 2 ) return;
  sf_near_make( t->liquidity, t->sqrt_price, &t->near );
  for( int up = 0; up < 2; up++ ) {
    if( t->end[up].at == t->at || t->first[up].flags & SF_STRETCH_ODD ) continue;
    t->next[up] = t->list[up ? t->at : t->at - 1].price;
    t->first[up].flags |= SF_STRETCH_NEAR;
  }
}

static int ends_find( sf_ticks_t * t ) {
  for( int up = 0; up < 2; up++ ) {
    sf_end_t * end = &t->end[up];
    if( up ? end->sqrt_price < t->sqrt_price : end->sqrt_price > t->sqrt_price )
      return sf_err_set( SF_ERR_DATA, "ticks: the price is beyond the loaded range's end at tick %d", end->index );
    end->at = sf_ticks_place( t, up ? end->index : end->index - 1 );
    if( up ? end->at < t->at : end->at > t->at ) end->at = t->at;
  }
  return 0;
}

static int place_find( sf_ticks_t * t ) {
  sf_tick_rules_t const * rules = &sf_tick_rules[t->rules];
  if( t->tick < SF_TICK_MIN - 1 || t->tick > SF_TICK_MAX || t->sqrt_price < SF_SQRT_PRICE_MIN ||
      t->sqrt_price > rules->price_max )
    return sf_err_set( SF_ERR_DATA, "ticks: tick %d is out of range, or its price", t->tick );
  int32_t tick = sf_tick_of_price( t->sqrt_price, rules->price );
  if( tick != t->tick && !( tick == t->tick + 1 && t->sqrt_price == rules->price( tick ) ) )
    return sf_err_set( SF_ERR_DATA, "ticks: the price is at tick %d, not at %d", tick, t->tick );
  t->at = sf_ticks_place( t, t->tick );
  return 0;
}

static void list_make( sf_tick_arrays_t * a, sf_ticks_t * t ) {
  sf_tick_t * e     = t->list;
  uint32_t wrong_up = t->cnt + 1, wrong_down = 0; /* stretches from wrong_up on, and below wrong_down */
  e[t->at].depth = a->below = t->liquidity;
  a->all                    = 0;
  for( uint32_t i = t->at; i < t->cnt; i++ ) {
    sf_u128_t to = e[i].depth + (sf_u128_t)a->net[i];
    if( wrong_up > t->cnt && ( a->net[i] < 0 ? to > e[i].depth : to < e[i].depth ) ) wrong_up = i + 1;
    e[i + 1].depth = to;
    a->all += (sf_u128_t)a->net[i];
  }
  for( uint32_t i = t->at; i > 0; i-- ) {
    sf_u128_t to = e[i].depth - (sf_u128_t)a->net[i - 1];
    if( !wrong_down && ( a->net[i - 1] < 0 ? to < e[i].depth : to > e[i].depth ) ) wrong_down = i;
    e[i - 1].depth = to;
    a->below -= (sf_u128_t)a->net[i - 1];
    a->all += (sf_u128_t)a->net[i - 1];
  }
  for( uint32_t i = 0; i <= t->cnt; i++ ) {
    e[i].flags = 0;
    memset( e[i].amount, 0, sizeof( e[i].amount ) );
    memset( e[i].fee, 0, sizeof( e[i].fee ) );
    if( i && i < t->cnt ) stretch_make( t, &e[i], e[i - 1].price, e[i].price );
    if( i >= wrong_up || i < wrong_down ) e[i].flags = SF_STRETCH_WRONG;
  }
}

int sf_ticks_prepare( sf_tick_arrays_t * a, sf_ticks_t * t ) {
  int err = place_find( t );
  if( err ) return err;
  if( a->changed || t->list[t->at].depth != t->liquidity || t->list[t->at].flags & SF_STRETCH_WRONG ) list_make( a, t );
  a->changed  = 0;
  a->prepared = 1;
  first_make( t );
  err = ends_find( t );
  if( !err ) near_make( t );
  return err;
}

int sf_ticks_whole( sf_tick_arrays_t const * a, sf_ticks_t const * t ) {
  if( !a->prepared ) return 1;
  uint32_t at = sf_ticks_place( t, t->tick );
  if( !a->changed ) return t->list[at].depth == t->liquidity;
  sf_u128_t below = t->liquidity, all = 0;
  for( uint32_t i = 0; i < t->cnt; i++ ) {
    all += (sf_u128_t)a->net[i];
    if( i < at ) below -= (sf_u128_t)a->net[i];
  }
  return below == a->below && all == a->all;
}

/* -- copies and curves ----------------------------------------------------------------------------- */

uint32_t sf_ticks_travel( sf_ticks_t const * t, uint32_t lo, uint32_t hi, uint32_t entries, uint32_t error,
                          sf_ticks_t * out ) {
  if( hi - lo >= entries ) {
    uint32_t down = t->at - lo, up = hi - t->at, half = ( entries - 1 ) / 2;
    if( up <= half ) down = entries - 1 - up;
    else if( down > half ) down = half;
    lo = t->at - down;
    hi = lo + entries - 1;
  }
  memcpy( out, t, offsetof( sf_ticks_t, list ) );
  memcpy( out->list, t->list + lo, ( hi - lo + 1 ) * sizeof( t->list[0] ) );
  out->at  = t->at - lo;
  out->cnt = hi - lo;
  for( int up = 0; up < 2; up++ ) {
    sf_end_t * end = &out->end[up];
    if( up ? hi >= end->at : lo <= end->at ) {
      end->at -= lo;
      continue;
    }
    int here = t->at == ( up ? hi : lo ); /* no tick at all */
    if( here ) out->first[up].flags &= ~(uint64_t)SF_STRETCH_NEAR;
    uint32_t place = up ? out->cnt - 1 : 0;
    *end           = ( sf_end_t ){ .sqrt_price = here ? t->sqrt_price : out->list[place].price,
                                   .index      = here ? t->tick + !up : out->list[place].index,
                                   .status     = SF_QUOTE_EXHAUSTED,
                                   .error      = error,
                                   .at         = up ? out->cnt : 0 };
  }
  return (uint32_t)( offsetof( sf_ticks_t, list ) + ( out->cnt + 1 ) * sizeof( t->list[0] ) );
}

void sf_ticks_curve( sf_ticks_t const * t, int a_to_b, double in_factor, double out_factor, sf_curve_t * out ) {
  sf_end_t const * end = &t->end[!a_to_b];
  sf_u128_t from       = t->sqrt_price;
  for( uint32_t i = t->at; !( t->list[i].flags & SF_STRETCH_WRONG ); i = a_to_b ? i - 1 : i + 1 ) {
    sf_u128_t to = i == end->at ? end->sqrt_price : t->list[a_to_b ? i - 1 : i].price;
    if( t->list[i].depth && to != from ) {
      double depth = (double)t->list[i].depth, here = (double)from * 0x1p-64, there = (double)to * 0x1p-64;
      double a = depth / here, b = depth * here,
             limit = a_to_b ? depth * ( here - there ) / ( here * there ) : depth * ( there - here );
      limit        = sf_curve_limit( limit / in_factor );
      if( limit < 1 ) limit = 1; /* a stretch of a unit or two is passed, but its price counts */
      sf_curve_product( a_to_b ? a : b, a_to_b ? b : a, in_factor, out_factor, limit, out );
      return;
    }
    if( i == end->at ) break;
    from = to;
  }
  sf_curve_none( out );
}

void sf_ticks_reserves( sf_ticks_t const * t, uint64_t out[2] ) {
  sf_u256_t b = sf_wide_mul( t->liquidity, t->sqrt_price );
  sf_u128_t a;
  int rest = sf_wide_div( sf_wide_of_shl64( t->liquidity ), sf_wide_of( t->sqrt_price ), &a );
  out[0]   = rest < 0 || a >> 64 ? UINT64_MAX : (uint64_t)a;
  out[1]   = b.w[2] | b.w[3] ? UINT64_MAX : b.w[1];
}
