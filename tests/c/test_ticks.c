/* Swaps along random lists of ticks against a walk by single steps, as the programs go; and copies of such lists. */

#include "base/rng.h"
#include "check.h"
#include "dex/ticks.h"

#define STATES 3000
#define SWAPS  100
#define TICKS  32

static sf_ticks_t ticks, part;
static sf_tick_arrays_t arrays;
static sf_rng_t rng;

static sf_u128_t some_liquidity( uint32_t bits ) {
  return ( ( (sf_u128_t)sf_rng_next( &rng ) << 64 | sf_rng_next( &rng ) ) >> ( 128 - bits ) ) + 1;
}

static int ascending( void const * a, void const * b ) {
  int32_t x = ( (sf_tick_net_t const *)a )->index, y = ( (sf_tick_net_t const *)b )->index;
  return ( x > y ) - ( x < y );
}

/* A pool with positions between some ticks around `at`, of one magnitude. */
static void pool_make( uint32_t rules, int32_t at ) {
  static uint32_t const bits[] = { 1, 20, 40, 45, 50, 55, 60, 64, 66, 70, 80, 89, 95 };
  static uint32_t const fees[] = { 0, 1, 100, 400, 3000, 60000, 500000, 999999 };
  uint32_t cnt = 0, size = bits[sf_rng_below( &rng, 13 )], want = (uint32_t)sf_rng_below( &rng, TICKS );
  int32_t spread = 10 << sf_rng_below( &rng, 12 );
  sf_tick_net_t net[TICKS];
  sf_u128_t liquidity = 0;
  for( uint32_t i = 0; i < want; i++ ) {
    int32_t index = at - spread + (int32_t)sf_rng_below( &rng, 2 * (uint64_t)spread );
    if( index >= SF_TICK_MIN && index <= SF_TICK_MAX ) net[cnt++] = ( sf_tick_net_t ){ .index = index };
  }
  qsort( net, cnt, sizeof( net[0] ), ascending );
  uint32_t kept = 0;
  for( uint32_t i = 0; i < cnt; i++ )
    if( !i || net[i].index != net[i - 1].index ) net[kept++] = net[i];
  cnt = kept;
  for( uint32_t i = 0; i < cnt; i++ ) {
    uint32_t one = (uint32_t)sf_rng_below( &rng, cnt ), other = (uint32_t)sf_rng_below( &rng, cnt );
    if( one >= other ) continue;
    sf_u128_t more = some_liquidity( size );
    net[one].net += (sf_i128_t)more;
    net[other].net -= (sf_i128_t)more;
    if( net[one].index <= at && at < net[other].index ) liquidity += more;
  }
  sf_ticks_clear( &arrays, &ticks, rules );
  uint32_t below = 0;
  while( below < cnt && net[below].index < 0 ) below++;
  CHECK( !sf_tick_array_put( &arrays, &ticks, -1, SF_TICK_MAX + 1, net, below ) );
  CHECK( !sf_tick_array_put( &arrays, &ticks, 0, SF_TICK_MAX + 1, net + below, cnt - below ) );
  CHECK( ticks.cnt == cnt && arrays.cnt == 2 && sf_tick_array_known( &arrays, 0 ) );
  sf_ticks_fee_set( &arrays, &ticks, fees[sf_rng_below( &rng, 8 )], 1200, rules ? 300 : 0 );
  sf_u128_t low = sf_tick_rules[rules].price( at ), high = sf_tick_rules[rules].price( at + 1 );
  ticks.sqrt_price = low + ( sf_rng_below( &rng, 4 ) ? ( high - low ) * sf_rng_below( &rng, 1000 ) / 1000 : 0 );
  ticks.tick       = at;
  ticks.liquidity  = liquidity;
  for( int up = 0; up < 2; up++ ) {
    int32_t index = up ? SF_TICK_MAX : SF_TICK_MIN;
    if( sf_rng_below( &rng, 2 ) && cnt && ( up ? net[cnt - 1].index > at : net[0].index <= at ) )
      index = net[up ? cnt - 1 : 0].index;
    ticks.end[up] = ( sf_end_t ){
      .sqrt_price = sf_tick_rules[rules].price( index ), .index = index, .status = SF_QUOTE_EXHAUSTED, .error = 5
    };
  }
  CHECK( !sf_ticks_prepare( &arrays, &ticks ) && sf_ticks_whole( &arrays, &ticks ) );
}

/* The same swap, one step after the other. */
static void walk( sf_ticks_t const * t, int a_to_b, int exact_in, uint64_t amount, sf_quote_t * q ) {
  int up               = !a_to_b;
  sf_end_t const * end = &t->end[up];
  sf_u128_t price      = t->sqrt_price;
  uint64_t left        = amount;
  uint32_t i           = t->at;
  memset( q, 0, sizeof( *q ) );
  q->status = SF_QUOTE_REFUSED;
  while( left && !( i == end->at && price == end->sqrt_price ) ) {
    sf_u128_t target = i == end->at ? end->sqrt_price : t->list[up ? i : i - 1].price;
    sf_tick_step_t step;
    if( t->list[i].flags & SF_STRETCH_WRONG ) return;
    if( sf_tick_step( &sf_tick_rules[t->rules], t->list[i].depth, price, target, left, t->fee_ppm, a_to_b, exact_in,
                      &step ) )
      return;
    uint64_t in = step.in + step.fee;
    left -= exact_in ? in : step.out;
    if( in < step.fee || __builtin_add_overflow( q->amount_in, in, &q->amount_in ) ||
        __builtin_add_overflow( q->amount_out, step.out, &q->amount_out ) )
      return;
    q->fee += step.fee;
    price = step.sqrt_price;
    if( price == target && i != end->at ) i = up ? i + 1 : i - 1;
    if( t->list[i].flags & SF_STRETCH_WRONG ) return;
  }
  q->status     = left ? end->status : SF_QUOTE_OK;
  q->sqrt_price = price;
  q->liquidity  = t->list[i].depth;
  q->crossed    = up ? i - t->at : t->at - i;
}

static void swaps( uint64_t seen[3] ) {
  uint32_t bytes =
      sf_ticks_travel( &ticks, ticks.end[0].at, ticks.end[1].at, 2 + (uint32_t)sf_rng_below( &rng, TICKS ), 9, &part );
  CHECK( bytes % 16 == 0 && part.cnt <= ticks.cnt && part.at <= part.cnt );
  for( int n = 0; n < SWAPS; n++ ) {
    sf_quote_t q[3];
    int a_to_b = n & 1, exact_in = n >> 1 & 1;
    sf_stretch_t const * first = &ticks.first[!a_to_b];
    uint64_t near = exact_in ? first->in : first->out, amount = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    if( n & 4 && near ) amount = sf_rng_below( &rng, 3 ) ? sf_rng_below( &rng, near ) : near - 1 + ( amount & 3 );
    memset( q, 0, sizeof( q ) );
    sf_ticks_swap( &ticks, a_to_b, exact_in, amount, 0, &q[0] );
    walk( &ticks, a_to_b, exact_in, amount, &q[1] );
    CHECK( q[0].status == q[1].status );
    seen[q[0].status]++;
    if( q[0].status != SF_QUOTE_REFUSED ) {
      CHECK( q[0].amount_in == q[1].amount_in && q[0].amount_out == q[1].amount_out && q[0].fee == q[1].fee );
      CHECK( q[0].sqrt_price == q[1].sqrt_price && q[0].liquidity == q[1].liquidity && q[0].crossed == q[1].crossed );
      CHECK( q[0].protocol_fee <= q[0].fee && q[0].fee <= q[0].amount_in );
    }
    sf_ticks_swap( &part, a_to_b, exact_in, amount, 0, &q[2] );
    CHECK( q[2].status == SF_QUOTE_EXHAUSTED || !memcmp( &q[0], &q[2], sizeof( q[0] ) ) );
  }
}

/* A list that is put again as it was need not be worked out again, one that changed does. */
static void array_puts( void ) {
  sf_tick_net_t net[3] = { { 10, 0, -60 }, { 5, 7, 0 }, { -15, 0, 60 } };
  sf_ticks_clear( &arrays, &ticks, SF_TICKS_RAYDIUM );
  CHECK( arrays.changed && !sf_tick_array_put( &arrays, &ticks, -1, 60, net, 1 ) );
  CHECK( !sf_tick_array_put( &arrays, &ticks, 0, 60, net + 1, 1 ) );
  CHECK( !sf_tick_array_put( &arrays, &ticks, 1, 60, net + 2, 1 ) && ticks.cnt == 3 && arrays.cnt == 3 );
  arrays.changed = 0;
  net[1].orders  = 8;
  CHECK( !sf_tick_array_put( &arrays, &ticks, 0, 60, net + 1, 1 ) && !arrays.changed && ticks.list[1].orders == 8 );
  net[1].net = 6;
  CHECK( !sf_tick_array_put( &arrays, &ticks, 0, 60, net + 1, 1 ) && arrays.changed );
  arrays.changed = 0;
  CHECK( !sf_tick_array_put( &arrays, &ticks, -1, 60, 0, 0 ) && arrays.changed && ticks.cnt == 2 && arrays.cnt == 3 );
  CHECK( ticks.list[0].index == 0 && ticks.list[1].index == 60 && arrays.net[0] == 6 );
  for( int32_t n = 2; n < SF_TICK_ARRAYS_MAX - 1; n++ ) CHECK( !sf_tick_array_put( &arrays, &ticks, n, 60, 0, 0 ) );
  CHECK( sf_tick_array_put( &arrays, &ticks, 1000, 60, 0, 0 ) == SF_ERR_FULL && !sf_tick_array_known( &arrays, 1000 ) );
}

int main( void ) {
  uint64_t seen[3] = { 0 };
  sf_rng_seed( &rng, 20261120 );
  array_puts();
  for( int i = 0; i < STATES; i++ ) {
    int32_t at = (int32_t)sf_rng_below( &rng, i & 1 ? 400000 : 887000 ) - ( i & 1 ? 200000 : 443500 );
    pool_make( i >> 1 & 1, at );
    swaps( seen );
  }
  CHECK( seen[SF_QUOTE_OK] > 50000 && seen[SF_QUOTE_REFUSED] && seen[SF_QUOTE_EXHAUSTED] > 1000 );
  printf( "ticks: ok\n" );
  return 0;
}
