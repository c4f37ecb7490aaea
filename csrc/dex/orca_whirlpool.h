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

extern uint8_t const sf_orca_whirlpool_program[32];

#define SF_WHIRLPOOL_POOL_BYTES          653
#define SF_WHIRLPOOL_ARRAY_BYTES         9988
#define SF_WHIRLPOOL_DYNAMIC_BYTES_MIN   148 /* of an array that holds only its initialized ticks */
#define SF_WHIRLPOOL_DYNAMIC_BYTES_MAX   10004
#define SF_WHIRLPOOL_ORACLE_BYTES        254
#define SF_WHIRLPOOL_ARRAY_TICKS         88
#define SF_WHIRLPOOL_ARRAYS_MAX          256 /* known of one pool */
#define SF_WHIRLPOOL_SWAP_ARRAYS         3   /* that a swap goes through */
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

typedef struct sf_orca_whirlpool_state {
  uint8_t pubkey[32];
  uint8_t mint[2][32];
  uint8_t vault[2][32];
  uint8_t program[2][32]; /* token programs of the mints; SPL Token unless set */
  sf_transfer_fee_t transfer_fee[2];
  uint32_t spacing;
  uint32_t adaptive; /* 1: the fee needs the oracle */
  sf_whirlpool_oracle_t oracle;
  uint32_t array_cnt;
  int32_t array[SF_WHIRLPOOL_ARRAYS_MAX]; /* start ticks of what is known, ascending */
  sf_ticks_t ticks;
} sf_orca_whirlpool_state_t;

/* sf_orca_whirlpool_clear makes the state of a pool of which nothing is known yet. */
void sf_orca_whirlpool_clear( sf_orca_whirlpool_state_t * s, uint8_t const pubkey[32] );

/* The decoders put one account into the state: the pool first, then its arrays and oracle in any order, again
   whenever one changes; then sf_orca_whirlpool_prepare.  Return 0, SF_ERR_DATA with the offset (the state
   stays as it was) or SF_ERR_FULL. */
int sf_orca_whirlpool_pool_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_state_t * s );
int sf_orca_whirlpool_array_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_state_t * s );
int sf_orca_whirlpool_oracle_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_state_t * s );

/* sf_orca_whirlpool_account is the decoder that the account's discriminator names. */
int sf_orca_whirlpool_account( uint8_t const * data, uint32_t len, sf_orca_whirlpool_state_t * s );

/* sf_orca_whirlpool_array_absent says that there is no array at `start`: a swap passes it as empty. */
int sf_orca_whirlpool_array_absent( sf_orca_whirlpool_state_t * s, int32_t start );

/* sf_orca_whirlpool_prepare works out how far swaps can go, and all that does not depend on their amount.
   Returns 0 or SF_ERR_DATA. */
int sf_orca_whirlpool_prepare( sf_orca_whirlpool_state_t * s );

/* sf_orca_whirlpool_quote is a swap of swap_v2 with a price limit (0 = none).  EXHAUSTED: the known arrays end
   first, and the program could go on with more of them.  Hot. */
void sf_orca_whirlpool_quote( sf_orca_whirlpool_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                              sf_u128_t limit, uint64_t now, sf_quote_t * q );

void sf_orca_whirlpool_quote_in( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                 sf_quote_t * q );
void sf_orca_whirlpool_quote_out( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                  sf_quote_t * q );

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
   SF_WHIRLPOOL_SWAP_ACCOUNT_MAX) and their count.  user[0] and user[1] are the authority's accounts of token a
   and b.  Derives four addresses: cold, about 200 us.  Returns 0, or fails as sf_address_find. */
int sf_orca_whirlpool_swap_accounts( sf_orca_whirlpool_state_t const * s, int v2, int a_to_b,
                                     uint8_t const authority[32], uint8_t const user_a[32], uint8_t const user_b[32],
                                     sf_account_meta_t * out, uint32_t * cnt );

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
