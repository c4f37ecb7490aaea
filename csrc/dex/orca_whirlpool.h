/* orca_whirlpool.h: Orca's concentrated-liquidity program, whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc.

   A pool's liquidity lies in tick arrays of 88 ticks each, tick-spacing apart.  A swap
   takes at most three of them: the one of the current tick and the next two in its
   direction (going up, the first is that of tick + spacing); past the third it fails
   (6038).  An array that does not exist counts as empty if the transaction names it.
   The fee is taken from the input, per step, rounded up; the protocol's share of it
   is floored.  Pools whose fee tier differs from their tick spacing have an adaptive fee:
   a volatility accumulator in the oracle account raises it, group of ticks by group, so
   without that account such a pool has no price.

   Amounts and prices are the program's own (orca-so/whirlpools: manager/swap_manager.rs, fee_rate_manager.rs,
   state/oracle.rs, util/sparse_swap.rs, instructions/v2/swap.rs). */

#ifndef SF_DEX_ORCA_WHIRLPOOL_H
#define SF_DEX_ORCA_WHIRLPOOL_H

#include "dex/ticks.h"
#include "dex/transfer_fee.h"
#include "solana/message.h"

#define SF_ORCA_WHIRLPOOL_PROGRAM                                                                                     \
  {                                                                                                                   \
    0x0e, 0x03, 0x68, 0x5f, 0x8e, 0x90, 0x90, 0x53, 0xe4, 0x58, 0x12, 0x1c, 0x66, 0xf5, 0xa7, 0x6a, 0xed, 0xc7, 0x70, \
        0x6a, 0xa1, 0x1c, 0x82, 0xf8, 0xaa, 0x95, 0x2a, 0x8f, 0x2b, 0x78, 0x79, 0xa9                                  \
  }
extern uint8_t const sf_orca_whirlpool_program[32];
extern struct sf_venue const sf_orca_whirlpool_venue; /* dex/venue.h */

#define SF_WHIRLPOOL_POOL_BYTES          653
#define SF_WHIRLPOOL_ARRAY_BYTES         9988
#define SF_WHIRLPOOL_DYNAMIC_BYTES_MIN   148 /* of an array that holds only its initialized ticks */
#define SF_WHIRLPOOL_DYNAMIC_BYTES_MAX   10004
#define SF_WHIRLPOOL_ORACLE_BYTES        254
#define SF_WHIRLPOOL_ARRAY_TICKS         88
#define SF_WHIRLPOOL_SWAP_ARRAYS         3 /* that a swap goes through */
#define SF_WHIRLPOOL_SWAP_ACCOUNT_MAX    15
#define SF_WHIRLPOOL_SWAP_DATA_BYTES_MAX 43

/* custom errors of the program */
#define SF_WHIRLPOOL_ERR_PRICE_BOUNDS 6011
#define SF_WHIRLPOOL_ERR_TIMESTAMP    6022
#define SF_WHIRLPOOL_ERR_SEQUENCE     6023
#define SF_WHIRLPOOL_ERR_DIRECTION    6034
#define SF_WHIRLPOOL_ERR_ZERO         6035
#define SF_WHIRLPOOL_ERR_ARRAYS_END   6038
#define SF_WHIRLPOOL_ERR_TRANSFER_FEE 6052
#define SF_WHIRLPOOL_ERR_PARTIAL      6057
#define SF_WHIRLPOOL_ERR_NOT_ENABLED  6064

/* Constants of the adaptive fee are in units of these. */
#define SF_WHIRLPOOL_REDUCTION_OF 10000u
#define SF_WHIRLPOOL_CONTROL_OF   100000u

/* What the oracle account says of a pool with an adaptive fee. */
typedef struct sf_whirlpool_oracle {
  uint64_t trade_enable;     /* unix seconds */
  uint64_t reference_update; /* unix seconds */
  uint64_t major_swap;       /* unix seconds */
  uint32_t control_factor;
  uint32_t accumulator_max;
  uint32_t reference;
  uint32_t accumulator;
  int32_t group_reference;
  uint16_t filter_period;
  uint16_t decay_period;
  uint16_t reduction_factor;
  uint16_t group_size;
  uint32_t known; /* 1 once decoded */
} sf_whirlpool_oracle_t;

/* What quotes and swaps need.  A copy with a part of the ticks' list is one as well. */
typedef struct sf_orca_whirlpool_state {
  uint8_t pubkey[32];
  uint8_t mint[2][32];
  uint8_t vault[2][32];
  uint8_t program[2][32]; /* token programs of the mints; SPL Token unless set */
  sf_transfer_fee_t transfer_fee[2];
  sf_whirlpool_oracle_t oracle;
  uint32_t spacing;
  uint32_t adaptive; /* 1: the fee needs the oracle */
  sf_ticks_t ticks;
} sf_orca_whirlpool_state_t;

/* All that is known of a pool. */
typedef struct sf_orca_whirlpool_work {
  uint32_t complete;       /* 1: there are no arrays but the known ones */
  sf_tick_arrays_t arrays; /* by start tick over the ticks of an array */
  sf_orca_whirlpool_state_t state;
} sf_orca_whirlpool_work_t;

/* sf_orca_whirlpool_clear makes the work of a pool of which nothing is known yet. */
void sf_orca_whirlpool_clear( sf_orca_whirlpool_work_t * w, uint8_t const pubkey[32] );

/* The decoders put one account into the work: the pool first, then its arrays and oracle in any order, again
   whenever one changes; then sf_orca_whirlpool_prepare.  Return 0, SF_ERR_DATA with the offset (the work
   stays as it was) or SF_ERR_FULL. */
int sf_orca_whirlpool_pool_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_work_t * w );
int sf_orca_whirlpool_array_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_work_t * w );
int sf_orca_whirlpool_oracle_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_work_t * w );

/* sf_orca_whirlpool_account is the decoder that the account's discriminator names. */
int sf_orca_whirlpool_account( uint8_t const * data, uint32_t len, sf_orca_whirlpool_work_t * w );

/* sf_orca_whirlpool_kind says what an account of the program is: SF_ACCOUNT_* of dex/venue.h, or SF_ERR_DATA if its
   discriminator and its length do not belong together. */
int sf_orca_whirlpool_kind( uint8_t const * data, uint32_t len );

/* sf_orca_whirlpool_pool_of is the pool that an account of kind SF_ACCOUNT_OWN names. */
uint8_t const * sf_orca_whirlpool_pool_of( uint8_t const * data );

/* sf_orca_whirlpool_array_absent says that there is no array at `start`: a swap passes it as empty. */
int sf_orca_whirlpool_array_absent( sf_orca_whirlpool_work_t * w, int32_t start );

/* sf_orca_whirlpool_complete says that about all arrays which are not known by now. */
void sf_orca_whirlpool_complete( sf_orca_whirlpool_work_t * w );

/* sf_orca_whirlpool_prepare works out how far swaps can go, and all that does not depend on their amount.
   Returns 0 or SF_ERR_DATA. */
int sf_orca_whirlpool_prepare( sf_orca_whirlpool_work_t * w );

/* sf_orca_whirlpool_travel writes a state with as many ticks next to the price as fit `max` bytes, and returns its
   bytes.  Assumes a prepared work. */
uint32_t sf_orca_whirlpool_travel( sf_orca_whirlpool_work_t const * w, uint32_t max, sf_orca_whirlpool_state_t * out );

/* sf_orca_whirlpool_quote is a swap of swap_v2 with a price limit (0 = none).  EXHAUSTED: the known arrays end
   first, and the program could go on with more of them.  Hot. */
void sf_orca_whirlpool_quote( sf_orca_whirlpool_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                              sf_u128_t limit, uint64_t now, sf_quote_t * q );

void sf_orca_whirlpool_quote_in( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                 sf_quote_t * q );
void sf_orca_whirlpool_quote_out( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                  sf_quote_t * q );

/* sf_orca_whirlpool_fee is the fee of the next swap, per 10^6; -1 if the program refuses it for its time, or the oracle
   is not known. */
int sf_orca_whirlpool_fee( sf_orca_whirlpool_state_t const * s, uint64_t now );

/* sf_orca_whirlpool_adaptive is sf_ticks_swap for a pool with an adaptive fee (orca_whirlpool_adaptive.c): amounts without
   transfer fees, `limit` 0 for none.  Assumes q is all zero but fee_in_input. */
void sf_orca_whirlpool_adaptive( sf_orca_whirlpool_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                                 sf_u128_t limit, uint64_t now, sf_quote_t * q );

/* sf_orca_whirlpool_array_starts writes the start ticks of the arrays a swap names, in order, and returns how many. */
uint32_t sf_orca_whirlpool_array_starts( uint32_t spacing, int32_t tick, int a_to_b,
                                         int32_t start[SF_WHIRLPOOL_SWAP_ARRAYS] );

/* -- instructions and events (orca_whirlpool_swap.c) --------------------------------------------- */

/* The data of swap (v2 = 0) or swap_v2 (v2 = 1). */
typedef struct sf_whirlpool_swap {
  sf_u128_t sqrt_price_limit;
  uint64_t amount;
  uint64_t threshold; /* minimum out, or maximum in */
  uint8_t exact_in;
  uint8_t a_to_b;
  uint8_t v2;
} sf_whirlpool_swap_t;

/* sf_orca_whirlpool_swap_data writes the instruction's data (room for SF_WHIRLPOOL_SWAP_DATA_BYTES_MAX) and
   returns its length. */
uint32_t sf_orca_whirlpool_swap_data( sf_whirlpool_swap_t const * swap, uint8_t * out );

/* sf_orca_whirlpool_swap_parse reads such data.  Returns 0, or SF_ERR_DATA with the offset. */
int sf_orca_whirlpool_swap_parse( uint8_t const * data, uint32_t len, sf_whirlpool_swap_t * out );

/* sf_orca_whirlpool_swap_accounts writes the instruction's accounts in the program's order (room for
   SF_WHIRLPOOL_SWAP_ACCOUNT_MAX) and their count, with the arrays that start at these ticks (1 to 3; the last stands
   for those that are missing).  user_a and user_b are the authority's accounts of token a and b.  Derives four addresses: cold,
   about 200 us.  Returns 0, SF_ERR_STATE without an array, SF_ERR_ARG if the tokens need v2, or fails as
   sf_address_find. */
int sf_orca_whirlpool_swap_accounts( sf_orca_whirlpool_state_t const * s, int v2, int32_t const * start,
                                     uint32_t arrays, uint8_t const authority[32], uint8_t const user_a[32],
                                     uint8_t const user_b[32], sf_account_meta_t * out, uint32_t * cnt );

/* The program's event of a swap, as it is in the log behind "Program data: " (base64). */
typedef struct sf_whirlpool_traded {
  uint8_t pool[32];
  sf_u128_t sqrt_price_before;
  sf_u128_t sqrt_price_after;
  uint64_t amount_in;  /* with transfer fee */
  uint64_t amount_out; /* before transfer fee */
  uint64_t transfer_fee_in;
  uint64_t transfer_fee_out;
  uint64_t lp_fee;
  uint64_t protocol_fee;
  uint8_t a_to_b;
} sf_whirlpool_traded_t;

/* sf_orca_whirlpool_traded_parse returns 0, or SF_ERR_DATA if data is not that event. */
int sf_orca_whirlpool_traded_parse( uint8_t const * data, uint32_t len, sf_whirlpool_traded_t * out );

#endif
