#include "dex/product.h"

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
