#include "base/crc32c.h"
#include <nmmintrin.h>
#include <string.h>

uint32_t sf_crc32c( uint32_t seed, void const * p, uint64_t n ) {
  uint8_t const * b = (uint8_t const *)p;
  uint64_t c        = ~seed;
  for( ; n >= 8; n -= 8, b += 8 ) {
    uint64_t w;
    memcpy( &w, b, 8 );
    c = _mm_crc32_u64( c, w );
  }
  for( ; n; n--, b++ ) c = _mm_crc32_u8( (uint32_t)c, *b );
  return ~(uint32_t)c;
}
