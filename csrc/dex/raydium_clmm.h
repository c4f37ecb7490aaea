/* raydium_clmm.h: Raydium's concentrated-liquidity program, CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK.

   A pool's liquidity lies in tick arrays of 60 ticks each, tick-spacing apart.  Which
   arrays hold an initialized tick is a bitmap: the pool's own for array numbers -512
   to 511, an extension account's beyond.  A swap goes from initialized tick to initialized
   tick, through the arrays that the transaction names, and fails where the next one of
   the bitmap is not among them (6027) or there is none (6019); it never moves behind the last
   initialized tick.  The fee is taken from the input, per step, rounded up; protocol and
   fund get floored shares of it.

   Builds since 2026 know three things more, and pools that have them go step by step
   (raydium_clmm_steps.c): fees taken from one of the tokens only, so that they come off
   the output in one direction; a fee that a volatility accumulator raises, tick spacing
   by tick spacing; and limit orders, which a swap fills at their tick's price when it
   comes there, before it crosses the tick.  Recorded swaps check all but these three, which
   rest on the program's source alone.

   Amounts and prices are the program's own (raydium-io/raydium-clmm: instructions/swap.rs, swap_v2.rs,
   libraries/, states/). */

#ifndef SF_DEX_RAYDIUM_CLMM_H
#define SF_DEX_RAYDIUM_CLMM_H

#include "dex/ticks.h"
#include "dex/transfer_fee.h"
#include "solana/message.h"

#define SF_RAYDIUM_CLMM_PROGRAM                                                                                       \
  {                                                                                                                   \
    0xa5, 0xd5, 0xca, 0x9e, 0x04, 0xcf, 0x5d, 0xb5, 0x90, 0xb7, 0x14, 0xba, 0x2f, 0xe3, 0x2c, 0xb1, 0x59, 0x13, 0x3f, \
        0xc1, 0xc1, 0x92, 0xb7, 0x22, 0x57, 0xfd, 0x07, 0xd3, 0x9c, 0xb0, 0x40, 0x1e                                  \
  }
extern uint8_t const sf_raydium_clmm_program[32];
extern struct sf_venue const sf_raydium_clmm_venue; /* dex/venue.h */

#define SF_CLMM_POOL_BYTES        1544
#define SF_CLMM_CONFIG_BYTES      117
#define SF_CLMM_ARRAY_BYTES       10240
#define SF_CLMM_EXTENSION_BYTES   1832
#define SF_CLMM_ARRAY_TICKS       60
#define SF_CLMM_SWAP_ARRAYS       3 /* that a swap names */
#define SF_CLMM_SWAP_ACCOUNT_MAX  ( 14 + SF_CLMM_SWAP_ARRAYS )
#define SF_CLMM_SWAP_DATA_BYTES   41
#define SF_CLMM_EXTENSION_BITMAPS 14 /* on each side, of 512 arrays each */

/* custom errors of the program; those below 6000 are Anchor's */
#define SF_CLMM_ERR_NOT_EQUAL    2501
#define SF_CLMM_ERR_NOT_GREATER  2505
#define SF_CLMM_ERR_LESS         2506
#define SF_CLMM_ERR_NOT_APPROVED 6001
#define SF_CLMM_ERR_LIMIT        6013
#define SF_CLMM_ERR_LIQUIDITY    6019
#define SF_CLMM_ERR_ZERO         6024
#define SF_CLMM_ERR_SMALL        6026
#define SF_CLMM_ERR_ARRAYS       6027
#define SF_CLMM_ERR_DIRECTION    6041
#define SF_CLMM_ERR_TRANSFER_FEE 6044

/* The fee by volatility: reduction_factor and control are in units of these. */
#define SF_CLMM_REDUCTION_OF 10000u
#define SF_CLMM_CONTROL_OF   100000u

typedef struct sf_clmm_dynamic {
  uint64_t last_update; /* unix seconds */
  uint32_t control;
  uint32_t accumulator_max;
  uint32_t reference;
  uint32_t accumulator;
  int32_t index_reference; /* tick over tick spacing */
  uint16_t filter_period;
  uint16_t decay_period;
  uint16_t reduction_factor;
  uint16_t enabled;
} sf_clmm_dynamic_t;

/* What quotes and swaps need.  A copy with a part of the ticks' list is one as well. */
typedef struct sf_raydium_clmm_state {
  uint8_t pubkey[32];
  uint8_t config[32];
  uint8_t mint[2][32];
  uint8_t vault[2][32];
  uint8_t observation[32];
  sf_transfer_fee_t transfer_fee[2];
  uint64_t open_time; /* unix seconds; swaps are refused until after */
  uint32_t spacing;
  uint32_t swap_disabled;
  uint32_t fee_on;    /* which token pays fees: 0 the input, 1 token 0, 2 token 1 */
  uint32_t order_cnt; /* ticks of the whole list with limit orders */
  sf_clmm_dynamic_t dynamic;
  uint32_t array_cnt[2];                 /* by direction, [0] down: */
  int32_t array[2][SF_CLMM_SWAP_ARRAYS]; /* the next arrays of the bitmap: start tick / ( 60 * spacing ) */
  sf_ticks_t ticks;
} sf_raydium_clmm_state_t;

/* All that is known of a pool. */
typedef struct sf_raydium_clmm_work {
  uint32_t config_known;
  uint32_t extension_known;
  uint64_t bitmap[16];
  uint64_t extension[2][SF_CLMM_EXTENSION_BITMAPS][8]; /* [0] for numbers from 512 on, [1] below -512 */
  sf_tick_arrays_t arrays;
  sf_raydium_clmm_state_t state;
} sf_raydium_clmm_work_t;

/* What a config account says: rates per 10^6. */
typedef struct sf_clmm_config {
  uint32_t trade;
  uint32_t protocol; /* of the fee */
  uint32_t fund;
} sf_clmm_config_t;

/* sf_raydium_clmm_clear makes the work of a pool of which nothing is known yet. */
void sf_raydium_clmm_clear( sf_raydium_clmm_work_t * w, uint8_t const pubkey[32] );

/* sf_raydium_clmm_config_read decodes a config, sf_raydium_clmm_fee_set puts one into the work. */
int sf_raydium_clmm_config_read( uint8_t const * data, uint32_t len, sf_clmm_config_t * out );
void sf_raydium_clmm_fee_set( sf_raydium_clmm_work_t * w, sf_clmm_config_t const * config );

/* The decoders put one account into the work: the pool first, then its config, arrays and bitmap extension in any
   order, again whenever one changes; then sf_raydium_clmm_prepare.  Return 0, SF_ERR_DATA with the offset (the
   work stays as it was) or SF_ERR_FULL.  A config is the caller's to match with the pool's `config`. */
int sf_raydium_clmm_pool_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w );
int sf_raydium_clmm_config_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w );
int sf_raydium_clmm_array_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w );
int sf_raydium_clmm_extension_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w );

/* sf_raydium_clmm_account is the decoder that the account's discriminator names. */
int sf_raydium_clmm_account( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w );

/* sf_raydium_clmm_kind says what an account of the program is: SF_ACCOUNT_* of dex/venue.h, or SF_ERR_DATA if its
   discriminator and its length do not belong together. */
int sf_raydium_clmm_kind( uint8_t const * data, uint32_t len );

/* sf_raydium_clmm_pool_of is the pool that an account of kind SF_ACCOUNT_OWN names. */
uint8_t const * sf_raydium_clmm_pool_of( uint8_t const * data );

/* sf_raydium_clmm_fits says (1) that each initialized tick's array has its bit in the bitmaps. */
int sf_raydium_clmm_fits( sf_raydium_clmm_work_t const * w );

/* sf_raydium_clmm_prepare works out how far swaps can go, and all that does not depend on their amount.
   Returns 0 or SF_ERR_DATA. */
int sf_raydium_clmm_prepare( sf_raydium_clmm_work_t * w );

/* sf_raydium_clmm_travel writes a state with the ticks of the next arrays, or as many of them next to the price as fit
   `max` bytes, and returns its bytes.  Assumes a prepared work. */
uint32_t sf_raydium_clmm_travel( sf_raydium_clmm_work_t const * w, uint32_t max, sf_raydium_clmm_state_t * out );

/* sf_raydium_clmm_quote is a swap of swap_v2 with a price limit (0 = none).  EXHAUSTED: the next array of the bitmap
   is not known, and the program could go on with it.  An exact output of a token with a transfer fee needs a limit:
   without one the program compares what is asked for with what leaves the vault, which is more (2501).  Hot. */
void sf_raydium_clmm_quote( sf_raydium_clmm_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                            sf_u128_t limit, uint64_t now, sf_quote_t * q );

void sf_raydium_clmm_quote_in( sf_raydium_clmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q );
void sf_raydium_clmm_quote_out( sf_raydium_clmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q );

/* sf_raydium_clmm_next_array returns 1 and the number of the next array with an initialized tick, from number
   `from` on (inclusive) in the direction; 0 if there is none; -1 if that is in the extension, and it is not known. */
int sf_raydium_clmm_next_array( sf_raydium_clmm_work_t const * w, int up, int32_t from, int32_t * number );

/* sf_raydium_clmm_fee_in says if the fee is taken from the input. */
static inline int sf_raydium_clmm_fee_in( sf_raydium_clmm_state_t const * s, int a_to_b ) {
  return !s->fee_on || ( s->fee_on == 1 ) == ( a_to_b != 0 );
}

/* sf_raydium_clmm_fee is the fee of the next swap, per 10^6. */
uint32_t sf_raydium_clmm_fee( sf_raydium_clmm_state_t const * s, uint64_t now );

/* sf_raydium_clmm_steps is sf_ticks_swap for a pool with a dynamic fee, fees from one token or limit orders:
   amounts without transfer fees, `stop` the price to end at. */
void sf_raydium_clmm_steps( sf_raydium_clmm_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                            sf_u128_t stop, uint64_t now, sf_quote_t * q );

/* -- instructions and events (raydium_clmm_swap.c) ------------------------------------------------ */

/* The data of swap (v2 = 0) or swap_v2 (v2 = 1).  Our own swaps are swap_v2, which is what quotes are of; swap also
   fails where the price does not move (2505), and knows no transfer fees. */
typedef struct sf_clmm_swap {
  sf_u128_t sqrt_price_limit; /* 0 = none */
  uint64_t amount;
  uint64_t threshold; /* minimum out, or maximum in */
  uint8_t exact_in;
  uint8_t v2;
} sf_clmm_swap_t;

/* sf_raydium_clmm_swap_data writes the instruction's data, SF_CLMM_SWAP_DATA_BYTES. */
void sf_raydium_clmm_swap_data( sf_clmm_swap_t const * swap, uint8_t * out );

/* sf_raydium_clmm_swap_parse reads such data.  Returns 0, or SF_ERR_DATA with the offset. */
int sf_raydium_clmm_swap_parse( uint8_t const * data, uint32_t len, sf_clmm_swap_t * out );

/* sf_raydium_clmm_swap_accounts writes the instruction's accounts in the program's order (room for
   SF_CLMM_SWAP_ACCOUNT_MAX) and their count: with the tick arrays of these numbers (1 to SF_CLMM_SWAP_ARRAYS), and the
   bitmap extension if one of them or the price is in it.  user_in and user_out are the payer's token accounts.  Derives
   addresses: cold, about 50 us each.  Returns 0, SF_ERR_STATE without an array, or fails as sf_address_find. */
int sf_raydium_clmm_swap_accounts( sf_raydium_clmm_state_t const * s, int v2, int a_to_b, int32_t const * number,
                                   uint32_t arrays, uint8_t const payer[32], uint8_t const user_in[32],
                                   uint8_t const user_out[32], sf_account_meta_t * out, uint32_t * cnt );

/* The program's event of a swap, as it is in the log behind "Program data: " (base64). */
typedef struct sf_clmm_swap_event {
  uint8_t pool[32];
  uint8_t sender[32];
  sf_u128_t sqrt_price;
  sf_u128_t liquidity;
  uint64_t amount[2]; /* of token a and b, without transfer fee */
  uint64_t transfer_fee[2];
  int32_t tick;
  uint8_t a_to_b;
} sf_clmm_swap_event_t;

/* sf_raydium_clmm_swap_event_parse returns 0, or SF_ERR_DATA if data is not that event. */
int sf_raydium_clmm_swap_event_parse( uint8_t const * data, uint32_t len, sf_clmm_swap_event_t * out );

#endif
