/* meteora_damm_v2_fee.h: the rate a swap of DAMM v2 pays (see meteora_damm_v2.h), and fees of a rate.

   Functions return 0 or the custom error with which the program fails.  They do not look
   at what decode has made sure of. */

#ifndef SF_DEX_METEORA_DAMM_V2_FEE_H
#define SF_DEX_METEORA_DAMM_V2_FEE_H

#include "dex/meteora_damm_v2.h"
#include "dex/wide.h"

#define SF_DAMM_V2_RATE_ONE 1000000000UL /* a rate is per 10^9 */
#define SF_DAMM_V2_RATE_BPS 100000UL     /* one basis point of it */

#define SF_DAMM_V2_BASE_LINEAR            0
#define SF_DAMM_V2_BASE_EXPONENTIAL       1
#define SF_DAMM_V2_BASE_LIMITER           2
#define SF_DAMM_V2_BASE_PRICE_LINEAR      3
#define SF_DAMM_V2_BASE_PRICE_EXPONENTIAL 4

#define SF_DAMM_V2_ERR_OVERFLOW     6000
#define SF_DAMM_V2_ERR_DISABLED     6003
#define SF_DAMM_V2_ERR_ZERO         6006
#define SF_DAMM_V2_ERR_CAST         6007
#define SF_DAMM_V2_ERR_RANGE        6015
#define SF_DAMM_V2_ERR_UNDETERMINED 6051

/* sf_damm_v2_rate_after is what a schedule leaves of the base rate after so many periods. */
int sf_damm_v2_rate_after( sf_meteora_damm_v2_state_t const * s, uint64_t periods, uint64_t * rate );

/* sf_damm_v2_rate_variable is the variable rate of the state's volatility.  Returns 0, or -1 if it overflows. */
int sf_damm_v2_rate_variable( sf_meteora_damm_v2_state_t const * s, uint64_t * rate );

/* sf_damm_v2_rate is the whole rate of a swap at `point`, the slot or second that schedules count.  `amount` is what
   the fee is taken from, or, if `left`, what is to be left of it. */
int sf_damm_v2_rate( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t point, uint64_t amount, int left,
                     uint64_t * rate );

/* sf_damm_v2_limited says that a larger amount pays a higher rate: a limiter in its time. */
static inline int sf_damm_v2_limited( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t point ) {
  return s->base_mode == SF_DAMM_V2_BASE_LIMITER && s->period && !a_to_b && point - s->activation <= s->duration;
}

/* sf_damm_v2_root is floor of the root of n, which has fewer than 254 bits. */
sf_u128_t sf_damm_v2_root( sf_u256_t n );

/* sf_damm_v2_fee_of is ceil( v*rate / 10^9 ) of a rate of at most 10^9. */
static inline uint64_t sf_damm_v2_fee_of( uint64_t v, uint64_t rate ) {
  uint64_t part = v % SF_DAMM_V2_RATE_ONE * rate; /* at most 10^18 */
  return v / SF_DAMM_V2_RATE_ONE * rate + ( part + SF_DAMM_V2_RATE_ONE - 1 ) / SF_DAMM_V2_RATE_ONE;
}

/* sf_damm_v2_before_fee is the least amount of which v is left after the fee. */
static inline int sf_damm_v2_before_fee( uint64_t v, uint64_t rate, uint64_t * before ) {
  if( rate >= SF_DAMM_V2_RATE_ONE ) return SF_DAMM_V2_ERR_OVERFLOW;
  uint64_t rest, d = SF_DAMM_V2_RATE_ONE - rate;
  sf_u128_t n = (sf_u128_t)v * SF_DAMM_V2_RATE_ONE;
  if( (uint64_t)( n >> 64 ) >= d ) return SF_DAMM_V2_ERR_CAST;
  *before = sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, d, &rest );
  return __builtin_add_overflow( *before, ( uint64_t ) !!rest, before ) ? SF_DAMM_V2_ERR_CAST : 0;
}

#endif
