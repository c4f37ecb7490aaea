/* meteora_dlmm_math.h: amounts and fees of one bin, see meteora_dlmm.h.  All functions are pure and hot. */

#ifndef SF_DEX_METEORA_DLMM_MATH_H
#define SF_DEX_METEORA_DLMM_MATH_H

#include "dex/bps.h"
#include "dex/meteora_dlmm.h"
#include "dex/near.h"

#define SF_DLMM_RATE_OF       1000000000UL
#define SF_DLMM_RATE_MAX      100000000UL /* per SF_DLMM_RATE_OF */
#define SF_DLMM_VFEE_OF       100000000000UL
#define SF_DLMM_ORDER_FEE_BPS 5000U /* of the fee on filled orders: theirs, the rest is the protocol's */
#define SF_DLMM_ALWAYS        static inline __attribute__( ( always_inline ) )

/* ceil( n/d ), which must fit */
SF_DLMM_ALWAYS uint64_t sf_dlmm_div_up( sf_u128_t n, uint64_t d ) {
  uint64_t rest;
  n += d - 1;
  return sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, d, &rest );
}

/* The fee that is part of an amount, and the one on top of it; both are less than the amount. */
SF_DLMM_ALWAYS uint64_t sf_dlmm_fee_inside( uint64_t amount, uint64_t rate ) {
  uint64_t part = amount % SF_DLMM_RATE_OF * rate; /* at most 10^17 */
  return amount / SF_DLMM_RATE_OF * rate + ( part + SF_DLMM_RATE_OF - 1 ) / SF_DLMM_RATE_OF;
}
SF_DLMM_ALWAYS uint64_t sf_dlmm_fee_on_top( uint64_t amount, uint64_t rate ) {
  return sf_dlmm_div_up( (sf_u128_t)amount * rate, SF_DLMM_RATE_OF - rate );
}

SF_DLMM_ALWAYS uint64_t sf_dlmm_rate_at( sf_meteora_dlmm_state_t const * s, sf_dlmm_reference_t const * r,
                                         int32_t id ) {
  uint64_t rate = s->base_rate;
  if( s->variable_fee_control ) {
    int64_t away         = (int64_t)r->index - id;
    uint64_t accumulator = r->volatility + (uint64_t)( away < 0 ? -away : away ) * SF_BPS;
    if( accumulator > s->accumulator_max ) accumulator = s->accumulator_max;
    uint64_t moved = accumulator * s->bin_step;
    sf_u128_t fee  = (sf_u128_t)moved * moved * s->variable_fee_control;
    if( fee >= (sf_u128_t)SF_DLMM_RATE_MAX * SF_DLMM_VFEE_OF ) return SF_DLMM_RATE_MAX;
    rate += ( (uint64_t)fee + SF_DLMM_VFEE_OF - 1 ) / SF_DLMM_VFEE_OF;
  }
  return rate < SF_DLMM_RATE_MAX ? rate : SF_DLMM_RATE_MAX;
}

/* v * 2^64 / price, rounded up if `up`; -1 if it does not fit. */
SF_DLMM_ALWAYS int sf_dlmm_over( sf_u128_t price, uint64_t v, int up, uint64_t * out ) {
  uint64_t high = (uint64_t)( price >> 64 ), rest;
  if( !high ) {
    if( v >= (uint64_t)price ) return -1;
    *out = sf_div_word( v, 0, (uint64_t)price, &rest );
    return up && rest && !++*out ? -1 : 0;
  }
  int bits = __builtin_clzl( high );
  if( __builtin_expect( !sf_near_digit( v >> 1 >> ( 63 - bits ), v << bits, 0, price << bits, up, out ), 1 ) ) return 0;
  sf_u128_t n = (sf_u128_t)v << 64; /* the quotient is not above v */
  *out        = (uint64_t)( n / price ) + ( up && n % price );
  return 0;
}

/* v * price / 2^64, rounded up if `up`; -1 if it does not fit. */
SF_DLMM_ALWAYS int sf_dlmm_times( sf_u128_t price, uint64_t v, int up, uint64_t * out ) {
  sf_u128_t low = (sf_u128_t)v * (uint64_t)price,
            all = (sf_u128_t)v * (uint64_t)( price >> 64 ) + ( low >> 64 ) + ( up && (uint64_t)low );
  *out          = (uint64_t)all;
  return all >> 64 ? -1 : 0;
}

/* What `in` gives at the price, rounded down; -1 if it does not fit. */
SF_DLMM_ALWAYS int sf_dlmm_gives( sf_u128_t price, int a_to_b, uint64_t in, uint64_t * out ) {
  return a_to_b ? sf_dlmm_times( price, in, 0, out ) : sf_dlmm_over( price, in, 0, out );
}

/* What `out` needs at the price, rounded up; -1 if it does not fit. */
SF_DLMM_ALWAYS int sf_dlmm_needs( sf_u128_t price, int a_to_b, uint64_t out, uint64_t * in ) {
  return a_to_b ? sf_dlmm_over( price, out, 1, in ) : sf_dlmm_times( price, out, 1, in );
}

/* What of a fee is the protocol's, of a swap of `usable` of which the bin's own liquidity took `own`: orders get half
   of theirs. */
SF_DLMM_ALWAYS uint64_t sf_dlmm_protocol_of( sf_meteora_dlmm_state_t const * s, uint64_t fee, uint64_t own,
                                             uint64_t usable ) {
  uint64_t own_fee   = usable ? sf_dlmm_div_up( (sf_u128_t)fee * own, usable ) : 0,
           order_fee = usable ? fee - own_fee : 0;
  return order_fee - sf_bps_of( order_fee, SF_DLMM_ORDER_FEE_BPS ) + sf_bps_of( own_fee, s->protocol_bps );
}

/* Whether the fee is taken from the input. */
SF_DLMM_ALWAYS int sf_dlmm_fee_in( sf_meteora_dlmm_state_t const * s, int a_to_b ) {
  return !( s->newest && s->fee_on_y && a_to_b );
}

#endif
