/* bps.h: shares of an amount in basis points, exact, without 128-bit division. */

#ifndef SF_DEX_BPS_H
#define SF_DEX_BPS_H

#include <stdint.h>

#define SF_BPS 10000u

/* sf_bps_of is floor( v*bps / 10^4 ).  Assumes bps is at most 10^4. */
static inline uint64_t sf_bps_of( uint64_t v, uint64_t bps ) {
  uint32_t rest = (uint32_t)( v % SF_BPS ) * (uint32_t)bps; /* fits: both are at most 10^4 */
  return v / SF_BPS * bps + rest / SF_BPS;
}

/* sf_bps_before is the least amount of which sf_bps_of is at least v: ceil( v*10^4 / bps ); 0 if it does not fit.
   Assumes bps is 1 to 10^4. */
static inline uint64_t sf_bps_before( uint64_t v, uint64_t bps ) {
  uint64_t whole;
  if( __builtin_mul_overflow( v / bps, (uint64_t)SF_BPS, &whole ) ) return 0;
  uint64_t rest = ( v % bps * SF_BPS + bps - 1 ) / bps;
  return whole + rest < whole ? 0 : whole + rest;
}

#endif
