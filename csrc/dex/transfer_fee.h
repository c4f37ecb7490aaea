/* transfer_fee.h: what a Token-2022 mint withholds from a transfer.

   fee = min( ceil( amount * bps / 10^4 ), maximum ), taken off what arrives.  A mint
   holds the fee of this epoch and of the next; which of them is in force is the
   caller's to know.  All zero is a mint without a fee.
   Source: token-2022, extension/transfer_fee (calculate_fee, calculate_inverse_fee). */

#ifndef SF_DEX_TRANSFER_FEE_H
#define SF_DEX_TRANSFER_FEE_H

#include <stdint.h>

#define SF_TRANSFER_FEE_BPS_MAX 10000u

typedef struct sf_transfer_fee {
  uint64_t maximum; /* base units */
  uint64_t bps;     /* at most SF_TRANSFER_FEE_BPS_MAX */
} sf_transfer_fee_t;

/* sf_transfer_fee_decode reads the fee of a mint of `program` (SPL Token or Token-2022) in `epoch`; zero if it has
   none.  Returns 0 or SF_ERR_DATA. */
int sf_transfer_fee_decode( uint8_t const program[32], uint8_t const * data, uint32_t len, uint64_t epoch,
                            sf_transfer_fee_t * out );

/* sf_transfer_fee_of is what is withheld when `amount` is sent. */
static inline uint64_t sf_transfer_fee_of( sf_transfer_fee_t const * f, uint64_t amount ) {
  if( __builtin_expect( !f->bps, 1 ) ) return 0;
  uint64_t part = amount % SF_TRANSFER_FEE_BPS_MAX * f->bps;
  uint64_t fee =
      amount / SF_TRANSFER_FEE_BPS_MAX * f->bps + ( part + SF_TRANSFER_FEE_BPS_MAX - 1 ) / SF_TRANSFER_FEE_BPS_MAX;
  return fee < f->maximum ? fee : f->maximum;
}

/* sf_transfer_fee_before writes the amount to send so that `arrives` arrives.  Returns 0, or -1 if there is none
   that fits 64 bits, or if the programs' inverse is not the fee of it (they check, and fail). */
static inline int sf_transfer_fee_before( sf_transfer_fee_t const * f, uint64_t arrives, uint64_t * sent ) {
  *sent = arrives;
  if( __builtin_expect( !f->bps || !arrives, 1 ) ) return 0;
  uint64_t fee = f->maximum;
  if( f->bps < SF_TRANSFER_FEE_BPS_MAX ) {
    uint64_t keep              = SF_TRANSFER_FEE_BPS_MAX - f->bps;
    unsigned __int128 gross    = ( (unsigned __int128)arrives * SF_TRANSFER_FEE_BPS_MAX + keep - 1 ) / keep;
    unsigned __int128 at_limit = (unsigned __int128)arrives + f->maximum;
    if( gross > at_limit ) gross = at_limit;
    if( gross >> 64 ) return -1;
    fee = sf_transfer_fee_of( f, (uint64_t)gross );
  }
  if( __builtin_add_overflow( arrives, fee, sent ) ) return -1;
  return sf_transfer_fee_of( f, *sent ) == fee ? 0 : -1;
}

#endif
