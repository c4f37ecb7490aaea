/* curve.h: the curve of a constant product between fees.

   Of an input v the product sees in_factor*v, and of what comes out of it out_factor is paid:
   out = out_factor * y*in_factor*v / (x + in_factor*v). */

#ifndef SF_DEX_CURVE_H
#define SF_DEX_CURVE_H

#include <math.h>

#include "dex/venue.h"

/* sf_curve_none says that nothing can be swapped. */
static inline void sf_curve_none( sf_curve_t * out ) { *out = ( sf_curve_t ){ 0 }; }

/* sf_curve_limit is a limit of which rounding takes no swap too far. */
static inline double sf_curve_limit( double v ) { return v * ( 1 - 1e-12 ) - 4; }

static inline void sf_curve_product( double x, double y, double in_factor, double out_factor, double limit,
                                     sf_curve_t * out ) {
  if( !( x > 0 && y > 0 && in_factor > 0 && out_factor > 0 && limit >= 1 ) ) return sf_curve_none( out );
  out->rate  = y * out_factor * in_factor / x;
  out->depth = in_factor / x;
  out->limit = limit;
}

/* sf_curve_input is what has to go into a product for `out` to come out; infinite if there is not so much. */
static inline double sf_curve_input( double x, double y, double out ) {
  return out < y ? x * out / ( y - out ) : (double)INFINITY;
}

#endif
