/* quote.h: what a venue says about one swap, the same for every venue.

   A quote is exactly what the program would do on the state it is given, in the
   program's own rounding: amounts, fees and the state afterwards.  Where the
   program would fail the quote says so; where the loaded ticks, bins or arrays
   end first it says how far it got.  Each venue has its own state (its header),
   and two functions over it:

     void sf_<venue>_quote_in ( sf_<venue>_state_t const * s, int a_to_b, uint64_t amount_in,  uint64_t now, sf_quote_t * q );
     void sf_<venue>_quote_out( sf_<venue>_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q );

   now is unix seconds, for fees that decay and Token-2022 epochs are part of
   the state. */

#ifndef SF_DEX_QUOTE_H
#define SF_DEX_QUOTE_H
#include <stdint.h>

typedef unsigned __int128 sf_u128_t;
typedef __int128 sf_i128_t;

#define SF_QUOTE_OK        0
#define SF_QUOTE_REFUSED   1 /* the program fails; `error` holds its custom code, 0 if it is not a custom one */
#define SF_QUOTE_EXHAUSTED 2 /* loaded ticks or bins end before the amount does; the amounts say how far it got */

typedef struct sf_quote {
  uint64_t amount_in;    /* what leaves the payer's account, transfer fee included */
  uint64_t amount_out;   /* what reaches the payer's account, transfer fee taken off */
  uint64_t fee;          /* all trading fees, in the token they are taken in */
  uint64_t protocol_fee; /* part of fee that goes to protocol and fund */
  uint64_t creator_fee;  /* part of fee that goes to a creator, partner or referrer */
  uint64_t reserve_a;    /* reserves afterwards, where the venue prices by reserves */
  uint64_t reserve_b;
  uint32_t status; /* SF_QUOTE_* */
  uint32_t error;
  uint32_t fee_in_input; /* 1: fee is in the input token, 0: in the output token */
  int32_t tick;          /* current tick or active bin afterwards */
  uint32_t crossed;      /* initialised ticks crossed, or bins left behind */
  uint32_t impact_ppm;   /* price impact: how much worse than the price before, fees not counted, per 10^6 */
  sf_u128_t sqrt_price;  /* Q64.64 afterwards, where the venue has one */
  sf_u128_t liquidity;   /* afterwards */
} sf_quote_t;

#endif
