#include "trade/cycles.h"

#include "dex/bps.h"

#define DOUBLINGS   48 /* of an input, looking for one that earns less */
#define GOLDEN_HOT  24 /* steps of the golden section; each leaves 0.618 of the range */
#define GOLDEN_FULL 100
#define SPAN        4096 /* amounts of the coarsest token on the way that sf_cycles_all tries on both sides of the best */
#define FAR_OFF     512   /* of these in a row that are not near the best end it */
#define ONE_BY_ONE  16384 /* inputs on both sides of the best that are tried at last */

/* Quotes the cycle forwards from `input`: what comes out, 0 if a hop fails. */
static uint64_t forward( sf_cycles_t const * c, uint32_t const * edge, uint32_t n, uint64_t input, sf_route_t * out ) {
  uint64_t v        = input;
  out->hop_cnt      = n;
  out->expected_out = 0;
  for( uint32_t h = 0; h < n; h++ ) {
    uint32_t e        = edge[h];
    out->edge[h]      = e;
    out->amount_in[h] = v;
    v                 = sf_pool_out( sf_cycles_pool( c, e ), !( e & 1 ), v );
    if( !v ) return 0;
    out->min_out[h] = 0;
    if( h + 1 == n ) break;
    v               = sf_bps_of( v, SF_BPS - c->slippage_bps );
    out->min_out[h] = v;
    if( !v ) return 0;
  }
  return out->expected_out = v;
}

/* The least input of these hops that still gives `need`, by the exact quotes backwards; 0 if there is none. */
static uint64_t backward( sf_cycles_t const * c, uint32_t const * edge, uint32_t n, uint64_t need ) {
  for( uint32_t h = n; h-- > 0; ) {
    uint32_t e = edge[h];
    sf_quote_t q;
    sf_pool_quote_out( sf_cycles_pool( c, e ), !( e & 1 ), need, &q );
    if( q.status != SF_QUOTE_OK ) return 0;
    need = q.amount_in;
    if( !need || !h ) return need;
    need = sf_bps_before( need, SF_BPS - c->slippage_bps );
  }
  return 0;
}

/* Profit of an input; the least number if a hop fails. */
static int64_t earned( sf_cycles_t const * c, sf_cycle_t const * cycle, uint64_t input, sf_route_t * scratch ) {
  uint64_t out = forward( c, cycle->edge, cycle->hop_cnt, input, scratch );
  return out ? (int64_t)( out - input ) : INT64_MIN;
}

/* The input that earns most, looked for around the one in the cycle: doubled or halved until a range holds the summit,
   then by golden section. */
static uint64_t input_search( sf_cycles_t const * c, sf_cycle_t const * cycle, uint64_t input, uint64_t most,
                              uint32_t steps ) {
  sf_route_t r;
  uint64_t low, high;
  int64_t now = earned( c, cycle, input, &r ), then = INT64_MIN;
  high = input;
  for( uint32_t n = 0; n < DOUBLINGS && high < most; n++ ) {
    high = input > most / 2 ? most : 2 * input;
    then = earned( c, cycle, high, &r );
    if( then <= now ) break;
    input = high;
    now   = then;
  }
  low = input / 2;
  for( uint32_t n = 0; n < DOUBLINGS && low; n++ ) {
    then = earned( c, cycle, low, &r );
    if( then <= now && now != INT64_MIN ) break;
    high  = input;
    input = low;
    now   = then;
    low   = input / 2;
  }
  if( now == INT64_MIN ) return 0;
  /* the summit lies in [low,high], the best so far is input; left and right are the probes */
  double const g = 0.6180339887498949;
  uint64_t best = input, left = high - (uint64_t)( g * (double)( high - low ) ),
           right      = low + (uint64_t)( g * (double)( high - low ) );
  int64_t best_profit = now, l = earned( c, cycle, left, &r ), m = earned( c, cycle, right, &r );
  for( uint32_t n = 0; n < steps && high - low > 2; n++ ) {
    if( l > best_profit ) best = left, best_profit = l;
    if( m > best_profit ) best = right, best_profit = m;
    if( l >= m ) {
      high  = right;
      right = left;
      m     = l;
      left  = high - (uint64_t)( g * (double)( high - low ) );
      l     = earned( c, cycle, left, &r );
    } else {
      low   = left;
      left  = right;
      l     = m;
      right = low + (uint64_t)( g * (double)( high - low ) );
      m     = earned( c, cycle, right, &r );
    }
  }
  if( l > best_profit ) best = left, best_profit = l;
  if( m > best_profit ) best = right;
  return best;
}

static uint64_t to_amount( double v ) { return v >= 18446744073709549568. ? UINT64_MAX : (uint64_t)v; }

/* The power of two that earns most; `input` if none earns more than it. */
static uint64_t input_coarse( sf_cycles_t const * c, sf_cycle_t const * cycle, uint64_t input, uint64_t most ) {
  sf_route_t r;
  int64_t best = earned( c, cycle, input, &r );
  for( uint32_t n = 0; n < 63 && 1UL << n <= most; n++ ) {
    int64_t profit = earned( c, cycle, 1UL << n, &r );
    if( profit > best ) input = 1UL << n, best = profit;
  }
  return input;
}

static int route_find( sf_cycles_t const * c, sf_cycle_t const * cycle, uint32_t steps, sf_route_t * out ) {
  uint64_t most = to_amount( c->max_input ), input = to_amount( cycle->input );
  if( !input ) input = 1;
  int found = forward( c, cycle->edge, cycle->hop_cnt, input, out ) != 0;
  if( cycle->capped || !found || steps > GOLDEN_HOT ) {
    if( steps > GOLDEN_HOT ) input = input_coarse( c, cycle, input, most );
    input = input_search( c, cycle, input, most, steps );
    if( !input || !forward( c, cycle->edge, cycle->hop_cnt, input, out ) ) return 0;
  }
  return out->expected_out > out->amount_in[0];
}

int sf_cycles_route( sf_cycles_t const * c, sf_cycle_t const * cycle, sf_route_t * out ) {
  return route_find( c, cycle, GOLDEN_HOT, out );
}

/* Takes this input if it earns more. */
static int take_better( sf_cycles_t const * c, uint64_t input, sf_route_t * best ) {
  sf_route_t other;
  if( !input || (double)input > c->max_input || !forward( c, best->edge, best->hop_cnt, input, &other ) ) return 0;
  if( (int64_t)( other.expected_out - input ) <= (int64_t)( best->expected_out - best->amount_in[0] ) ) return 0;
  *best = other;
  return 1;
}

/* What a hop gives on the way of a route, before slippage is taken off: at least so much. */
static uint64_t given( sf_cycles_t const * c, sf_route_t const * r, uint32_t hop ) {
  return hop + 1 == r->hop_cnt ? r->expected_out : sf_bps_before( r->min_out[hop], SF_BPS - c->slippage_bps );
}

/* The hop that gives the fewest units: there most is lost by rounding. */
static uint32_t coarsest( sf_cycles_t const * c, sf_route_t const * r ) {
  uint32_t hop = 0;
  for( uint32_t h = 1; h < r->hop_cnt; h++ )
    if( given( c, r, h ) < given( c, r, hop ) ) hop = h;
  return hop;
}

/* Says if a unit of the token with the fewest on the way is worth more than a basis point of the profit. */
static int loses( sf_route_t const * r ) {
  uint64_t fewest = r->expected_out;
  for( uint32_t h = 0; h + 1 < r->hop_cnt; h++ )
    if( r->min_out[h] < fewest ) fewest = r->min_out[h];
  double profit = (double)(int64_t)( r->expected_out - r->amount_in[0] );
  return (double)r->amount_in[0] * SF_BPS > profit * (double)fewest;
}

int sf_cycles_tighten( sf_cycles_t const * c, sf_route_t * route ) {
  if( !loses( route ) ) return 0;
  uint32_t hop = coarsest( c, route );
  return take_better( c, backward( c, route->edge, hop + 1, given( c, route, hop ) ), route );
}

/* The least input of the first n hops that gives `want`.  Exact output may take a little more than that: from there
   down as long as exact input says the same. */
static uint64_t least_input( sf_cycles_t const * c, uint32_t const * edge, uint32_t n, uint64_t want ) {
  sf_route_t r;
  uint64_t high = backward( c, edge, n, want ), low = 0;
  if( !high || forward( c, edge, n, high, &r ) < want ) return high;
  for( uint64_t step = 1; step < high && !low; step *= 2 ) {
    if( forward( c, edge, n, high - step, &r ) >= want ) high -= step;
    else low = high - step;
  }
  while( high - low > 1 ) {
    uint64_t middle = low + ( high - low ) / 2;
    if( forward( c, edge, n, middle, &r ) >= want ) high = middle;
    else low = middle;
  }
  return high;
}

/* The best of all inputs is the least one for some amount of the coarsest token on the way: tries these amounts, from a
   route's own upwards and downwards by `stride`, as long as they are within two units' worth of the best. */
static void route_refine( sf_cycles_t const * c, sf_route_t * route, uint64_t stride ) {
  uint32_t hop   = coarsest( c, route );
  uint64_t start = given( c, route, hop );
  int64_t slack  = 2 * (int64_t)( route->expected_out / start + 1 );
  for( int up = 0; up < 2; up++ ) {
    uint32_t below = 0;
    for( uint64_t d = 0; d < SPAN * stride && ( up || d < start ) && below < FAR_OFF; d += stride ) {
      sf_route_t other;
      uint64_t input = least_input( c, route->edge, hop + 1, up ? start + d : start - d );
      int64_t best = (int64_t)( route->expected_out - route->amount_in[0] ), profit = INT64_MIN / 2;
      if( input && (double)input <= c->max_input && forward( c, route->edge, route->hop_cnt, input, &other ) )
        profit = (int64_t)( other.expected_out - input );
      below = profit + slack < best ? below + 1 : 0;
      if( profit > best ) *route = other;
    }
  }
}

int sf_cycles_route_best( sf_cycles_t const * c, sf_cycle_t const * cycle, sf_route_t * out ) {
  route_find( c, cycle, GOLDEN_FULL, out );
  if( !out->expected_out ) return 0;
  /* near the summit profit is level but for rounding: from far apart to side by side */
  for( uint64_t stride = given( c, out, coarsest( c, out ) ) >> 22 | 1; stride; stride /= 16 )
    route_refine( c, out, stride );
  for( int better = 1; better; ) { /* wide steps first, then one by one; again from what is found */
    better = 0;
    for( uint64_t step = out->amount_in[0] / 8; step > 1; step = step * 7 / 8 ) {
      uint64_t middle = out->amount_in[0];
      if( step < middle ) better |= take_better( c, middle - step, out );
      better |= take_better( c, middle + step, out );
    }
    uint64_t middle = out->amount_in[0];
    for( uint64_t d = 1; d <= ONE_BY_ONE; d++ ) {
      if( d < middle ) better |= take_better( c, middle - d, out );
      better |= take_better( c, middle + d, out );
    }
  }
  return out->expected_out > out->amount_in[0];
}
