/* rng.h: small seeded random numbers (xoroshiro128+, seeded by splitmix64) for
   tests, benches and the jitter of housekeeping.  Never for secrets. */

#ifndef SF_BASE_RNG_H
#define SF_BASE_RNG_H
#include "base/atomic.h"

typedef struct sf_rng {
  uint64_t a;
  uint64_t b;
} sf_rng_t;

SF_INLINE uint64_t sf_rng_mix( uint64_t * state ) {
  uint64_t z = ( *state += 0x9e3779b97f4a7c15UL );
  z          = ( z ^ ( z >> 30 ) ) * 0xbf58476d1ce4e5b9UL;
  z          = ( z ^ ( z >> 27 ) ) * 0x94d049bb133111ebUL;
  return z ^ ( z >> 31 );
}

/* sf_rng_seed starts a sequence; equal seeds give equal sequences. */
SF_INLINE void sf_rng_seed( sf_rng_t * r, uint64_t seed ) {
  r->a = sf_rng_mix( &seed );
  r->b = sf_rng_mix( &seed );
}

/* sf_rng_next returns the next 64 bits. */
SF_INLINE uint64_t sf_rng_next( sf_rng_t * r ) {
  uint64_t a = r->a, b = r->b, out = a + b;
  b ^= a;
  r->a = ( ( a << 24 ) | ( a >> 40 ) ) ^ b ^ ( b << 16 );
  r->b = ( b << 37 ) | ( b >> 27 );
  return out;
}

/* sf_rng_below returns a number in [0,n), 0 if n is 0. */
SF_INLINE uint64_t sf_rng_below( sf_rng_t * r, uint64_t n ) {
  return (uint64_t)( ( (unsigned __int128)sf_rng_next( r ) * n ) >> 64 );
}

#endif
