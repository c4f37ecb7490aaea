/* raydium_amm_v4.h: Raydium's first pool program, 675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8.

   Side 0 is coin, side 1 pc.  A reserve is a vault without the profit that is still to be taken from it.
   On exact input v:  fee = ceil( v*25/10^4 ), out = floor( y*(v-fee) / (x+v-fee) ).
   On exact output o: v' = ceil( x*o / (y-o) ), v = ceil( v'*10^4 / (10^4-25) ), both with the pool's own numbers.
   The whole input, fee included, goes into the vault.  Pools that still place orders on a market (status 1 and
   5) are refused, as the program does now; their reserves lie partly in the market.
   Both mints are SPL Token's: the program takes no other.
   Source: raydium-io/raydium-amm (processor.rs, math.rs, state.rs, log.rs). */

#ifndef SF_DEX_RAYDIUM_AMM_V4_H
#define SF_DEX_RAYDIUM_AMM_V4_H

#include "dex/product.h"
#include "solana/message.h"

#define SF_RAYDIUM_AMM_V4_PROGRAM                                                                                     \
  {                                                                                                                   \
    0x4b, 0xd9, 0x49, 0xc4, 0x36, 0x02, 0xc3, 0x3f, 0x20, 0x77, 0x90, 0xed, 0x16, 0xa3, 0x52, 0x4c, 0xa1, 0xb9, 0x97, \
        0x5c, 0xf1, 0x21, 0xa2, 0xa9, 0x0c, 0xff, 0xec, 0x7d, 0xf8, 0xb6, 0x8a, 0xcd                                  \
  }
extern uint8_t const sf_raydium_amm_v4_program[32];
extern struct sf_venue const sf_raydium_amm_v4_venue; /* dex/venue.h */

#define SF_RAYDIUM_AMM_V4_POOL_BYTES       752 /* no discriminator */
#define SF_RAYDIUM_AMM_V4_SWAP_ACCOUNT_MAX 18
#define SF_RAYDIUM_AMM_V4_SWAP_DATA_BYTES  17
#define SF_RAYDIUM_AMM_V4_LOG_BYTES        57

#define SF_RAYDIUM_AMM_V4_SWAP_ONLY 6
#define SF_RAYDIUM_AMM_V4_WAITING   7

/* custom errors of the program */
#define SF_RAYDIUM_AMM_V4_ERR_STATUS 22
#define SF_RAYDIUM_AMM_V4_ERR_INPUT  29
#define SF_RAYDIUM_AMM_V4_ERR_FUNDS  40

typedef struct sf_raydium_amm_v4_state {
  /* a line: what the short way reads */
  uint64_t reserve[2];
  uint64_t small;     /* amounts up to this take the short way (dex/product.h); 0: none */
  uint64_t open_time; /* unix seconds; matters in status 7 */
  sf_rate_t fee;      /* of what goes in */
  uint32_t status;    /* 1 to 7; swaps in SF_RAYDIUM_AMM_V4_SWAP_ONLY and, after open_time, in _WAITING */
  uint32_t nonce;     /* of the authority */
  uint64_t _pad0;

  sf_rate_t on_top; /* as `fee`, of what it leaves */
  uint64_t room[2]; /* what a vault can still take before its amount overflows */
  uint64_t fee_numerator;
  uint64_t fee_denominator;
  uint64_t owed[2]; /* profit in the vaults that is no reserve */
  uint64_t decimals[2];
  uint8_t pubkey[32];
  uint8_t vault[2][32];
  uint8_t mint[2][32];
  uint8_t open_orders[32];
  uint8_t target_orders[32];
  uint8_t market[32];
  uint8_t market_program[32];
} sf_raydium_amm_v4_state_t;

/* sf_raydium_amm_v4_pool_decode reads a pool account; its reserves are not known before
   sf_raydium_amm_v4_vaults.  Returns 0 or SF_ERR_DATA with the offset. */
int sf_raydium_amm_v4_pool_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len,
                                   sf_raydium_amm_v4_state_t * s );

/* sf_raydium_amm_v4_vaults sets the amounts in the vaults.  Returns 0, or SF_ERR_DATA if one is less than it owes. */
int sf_raydium_amm_v4_vaults( sf_raydium_amm_v4_state_t * s, uint64_t coin, uint64_t pc );

/* sf_raydium_amm_v4_swaps says if the program swaps at that time. */
static inline int sf_raydium_amm_v4_swaps( sf_raydium_amm_v4_state_t const * s, uint64_t now ) {
  return s->status == SF_RAYDIUM_AMM_V4_SWAP_ONLY || ( s->status == SF_RAYDIUM_AMM_V4_WAITING && now >= s->open_time );
}

/* sf_raydium_amm_v4_authority derives the owner of the vaults.  Returns 0, or SF_ERR_DATA if the pool's nonce gives
   none. */
int sf_raydium_amm_v4_authority( sf_raydium_amm_v4_state_t const * s, uint8_t out[32] );

/* a_to_b: coin goes in, pc comes out.  Hot. */
void sf_raydium_amm_v4_quote_in( sf_raydium_amm_v4_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                 sf_quote_t * q );
void sf_raydium_amm_v4_quote_out( sf_raydium_amm_v4_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                  sf_quote_t * q );

/* sf_raydium_amm_v4_out_small is amount_out of sf_raydium_amm_v4_quote_in, or 0 where only that can say it.  Hot. */
uint64_t sf_raydium_amm_v4_out_small( sf_raydium_amm_v4_state_t const * s, int a_to_b, uint64_t amount_in,
                                      uint64_t now );

/* The data of a swap: tag 9 (exact input) or 11; `brief` is the form without market accounts, tag 16 or 17. */
typedef struct sf_raydium_amm_v4_swap {
  uint64_t amount;    /* in, or out */
  uint64_t threshold; /* minimum out, or maximum in */
  uint8_t exact_in;
  uint8_t brief;
} sf_raydium_amm_v4_swap_t;

/* sf_raydium_amm_v4_swap_data writes SF_RAYDIUM_AMM_V4_SWAP_DATA_BYTES and returns that. */
uint32_t sf_raydium_amm_v4_swap_data( sf_raydium_amm_v4_swap_t const * swap, uint8_t * out );

/* sf_raydium_amm_v4_swap_parse reads such data.  Returns 0, or SF_ERR_DATA with the offset. */
int sf_raydium_amm_v4_swap_parse( uint8_t const * data, uint32_t len, sf_raydium_amm_v4_swap_t * out );

/* sf_raydium_amm_v4_swap_accounts writes the instruction's accounts in the program's order: 18, or 8 if brief.  The
   program reads none of the market's accounts in the states that allow a swap, so the market stands in for all
   of them.  Returns 0, or fails as sf_raydium_amm_v4_authority. */
int sf_raydium_amm_v4_swap_accounts( sf_raydium_amm_v4_state_t const * s, int brief, uint8_t const user_in[32],
                                     uint8_t const user_out[32], uint8_t const owner[32], sf_account_meta_t * out,
                                     uint32_t * cnt );

/* What the program logs of a swap, behind "ray_log: " (base64). */
typedef struct sf_raydium_amm_v4_traded {
  uint64_t amount; /* asked for: in, or out */
  uint64_t threshold;
  uint64_t user_source; /* what the user had */
  uint64_t reserve[2];  /* before */
  uint64_t other;       /* the other amount: out, or in */
  uint8_t exact_in;
  uint8_t a_to_b;
} sf_raydium_amm_v4_traded_t;

/* sf_raydium_amm_v4_traded_parse returns 0, or SF_ERR_DATA if data is not that. */
int sf_raydium_amm_v4_traded_parse( uint8_t const * data, uint32_t len, sf_raydium_amm_v4_traded_t * out );

#endif
