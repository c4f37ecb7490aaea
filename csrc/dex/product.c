#include "dex/product.h"

#define DIVISIONS 16 /* one after the other */
#define TRIES     8  /* of which the fastest counts */
#define SLOW      32 /* ticks of the time stamp counter */

int sf_divider_slow;

static __attribute__( ( constructor ) ) void divider_measure( void ) {
  uint64_t least = UINT64_MAX;
  for( uint32_t i = 0; i < TRIES; i++ ) {
    uint64_t begun = __rdtsc(), high = 1, rest;
    __asm__ volatile( "" : "+r"( high ) ); /* keeps the divisions between the two readings, as the one below */
    for( uint32_t k = 0; k < DIVISIONS; k++ ) high = sf_div_word( high, k, UINT64_MAX - 2, &rest ) & 0xffff;
    __asm__ volatile( "" : "+r"( high ) );
    uint64_t took = __rdtsc() - begun;
    if( took < least ) least = took;
  }
  sf_divider_slow = least > SLOW * DIVISIONS;
}

static uint64_t common_divisor( uint64_t a, uint64_t b ) {
  while( b ) {
    uint64_t rest = a % b;
    a             = b;
    b             = rest;
  }
  return a;
}

uint64_t sf_rate_down_ready( uint64_t num, uint64_t den, sf_rate_t * rate ) {
  uint64_t rest;
  *rate = ( sf_rate_t ){ 0 };
  if( num >= den ) return 0;
  if( !num ) return UINT64_MAX;
  uint64_t common = common_divisor( den, num );
  den /= common;
  rate->factor = sf_div_word( num / common, 0, den, &rest );
  rate->factor += rest > 0;
  return UINT64_MAX / den;
}

uint64_t sf_rate_up_ready( uint64_t num, uint64_t den, sf_rate_t * rate ) {
  uint64_t most = sf_rate_down_ready( num, den, rate );
  if( !most || !num ) return most;
  rate->factor--;
  rate->one = 1;
  return most;
}
