#include "base/crc32c.h"
#include <nmmintrin.h>
#include <string.h>

/* One instruction takes eight bytes and needs the result of the one before three cycles later: so three runs of bytes that
   lie behind one another go side by side.  What the first two come to is then taken over the zeros that would stand in
   the place of what is behind them, by a table for each byte of it. */

#define RUN 1024 /* bytes of each of the three; a multiple of 8 */

static uint32_t over[2][4][256]; /* a checksum's byte over RUN zeros, and over twice as many */

static uint64_t zeros( uint64_t c, uint32_t bytes ) {
  for( uint32_t i = 0; i < bytes; i += 8 ) c = _mm_crc32_u64( c, 0 );
  return c;
}

__attribute__( ( constructor ) ) static void tables_make( void ) {
  for( uint32_t runs = 1; runs <= 2; runs++ )
    for( uint32_t bit = 0; bit < 32; bit++ ) {
      uint32_t value = (uint32_t)zeros( 1UL << bit, runs * RUN ), low = 1U << bit % 8;
      for( uint32_t b = 0; b < low; b++ ) over[runs - 1][bit / 8][low + b] = over[runs - 1][bit / 8][b] ^ value;
    }
}

static inline uint32_t taken_over( uint64_t c, uint32_t table[4][256] ) {
  return table[0][c & 255] ^ table[1][c >> 8 & 255] ^ table[2][c >> 16 & 255] ^ table[3][c >> 24 & 255];
}

static inline uint64_t word( uint8_t const * p ) {
  uint64_t w;
  memcpy( &w, p, 8 );
  return w;
}

uint32_t sf_crc32c( uint32_t seed, void const * p, uint64_t n ) {
  uint8_t const * b = (uint8_t const *)p;
  uint64_t c        = ~seed;
  for( ; n >= 3 * RUN; n -= 3 * RUN, b += 3 * RUN ) {
    uint64_t second = 0, third = 0;
    for( uint32_t i = 0; i < RUN; i += 8 ) {
      c      = _mm_crc32_u64( c, word( b + i ) );
      second = _mm_crc32_u64( second, word( b + RUN + i ) );
      third  = _mm_crc32_u64( third, word( b + 2 * RUN + i ) );
    }
    c = taken_over( c, over[1] ) ^ taken_over( second, over[0] ) ^ third;
  }
  for( ; n >= 8; n -= 8, b += 8 ) c = _mm_crc32_u64( c, word( b ) );
  for( ; n; n--, b++ ) c = _mm_crc32_u8( (uint32_t)c, *b );
  return ~(uint32_t)c;
}
