/* token_fee.h finds what to send so that an amount arrives, where a Token-2022 mint takes a fee, as the
   programs with concentrated liquidity find it.

   Source: spl-token-2022 `extension/transfer_fee/mod.rs` (calculate_inverse_fee) and its callers. */

#ifndef SF_SBF_TOKEN_FEE_H
#define SF_SBF_TOKEN_FEE_H

#include "sbf/token.h"

/* token_fee_added sets *fee to what is taken of amount + *fee and returns true, or false when there is no
   such 64-bit amount. */
SBF_FUNCTION bool token_fee_added( uint64_t * fee, token_fee_t const * rule, uint64_t amount ) {
  *fee = 0;
  if( !amount || !rule->basis_points ) return true;
  *fee = rule->maximum;
  if( rule->basis_points < TOKEN_BASIS_POINTS ) {
    sbf_u128_t sent;
    sbf_mul_div( &sent, amount, TOKEN_BASIS_POINTS, TOKEN_BASIS_POINTS - rule->basis_points, true );
    if( sent.hi || sent.lo - amount >= rule->maximum ) sent = sbf_u128_add( sbf_u128( amount ), sbf_u128( *fee ) );
    if( sent.hi ) return false;
    *fee = token_fee_of( rule, sent.lo );
  }
  return amount + *fee >= amount && token_fee_of( rule, amount + *fee ) == *fee;
}

#endif
