/* raydium_cpmm.h: Raydium's constant-product program, CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C.

   The reserve of a side is its vault without the protocol, fund and creator fees owed.
   On exact input v:  fee = ceil( v*rate/10^6 ), out = floor( y*(v-fee) / (x+v-fee) ).
   On exact output o: v' = ceil( x*o / (y-o) ), v = ceil( v'*10^6 / (10^6-rate) ).
   The creator's fee, if the pool has it enabled, is part of `rate` when it is taken from the input
   token; else it is taken off the output, rounded up.  An amount of zero on either side fails.
   Of the trade fee (rate without the creator's part) protocol and fund get floored shares, which leave the reserve.
   What Token-2022 withholds comes off the input before all this, and off the output after it.
   Source: raydium-io/raydium-cp-swap (curve/, states/, instructions/swap_base_*.rs, utils/token.rs). */

#ifndef SF_DEX_RAYDIUM_CPMM_H
#define SF_DEX_RAYDIUM_CPMM_H

#include "dex/product.h"
#include "dex/transfer_fee.h"
#include "solana/message.h"

extern uint8_t const sf_raydium_cpmm_program[32];
extern uint8_t const sf_raydium_cpmm_authority[32]; /* owner of every vault */

#define SF_RAYDIUM_CPMM_POOL_BYTES      637
#define SF_RAYDIUM_CPMM_CONFIG_BYTES    236
#define SF_RAYDIUM_CPMM_ACCOUNT_CNT     13 /* of a swap */
#define SF_RAYDIUM_CPMM_SWAP_DATA_BYTES 24

/* custom errors of the program; those below 6000 are Anchor's */
#define SF_RAYDIUM_CPMM_ERR_NOT_GREATER  2505
#define SF_RAYDIUM_CPMM_ERR_NOT_APPROVED 6000
#define SF_RAYDIUM_CPMM_ERR_ZERO         6006
#define SF_RAYDIUM_CPMM_ERR_TRANSFER_FEE 6010

/* What a config account says, per 10^6. */
typedef struct sf_raydium_cpmm_config {
  uint32_t trade;
  uint32_t creator;
  uint32_t protocol; /* of the trade fee, as the next */
  uint32_t fund;
} sf_raydium_cpmm_config_t;

typedef struct sf_raydium_cpmm_state {
  /* a line: what the short way reads for an amount that comes out */
  uint64_t reserve[2];
  uint64_t small;     /* amounts up to this take the short way (dex/product.h); 0: none, as with other fees */
  uint64_t open_time; /* unix seconds; swaps are refused before */
  sf_rate_t trade;    /* of what goes in */
  uint32_t swap_disabled;
  uint32_t creator_fee_enabled;
  uint32_t creator_fee;    /* per 10^6; 0 if the pool has none enabled */
  uint32_t creator_fee_on; /* the token that pays it: 0 the input, 1 token 0, 2 token 1 */
  /* a line: and for the rest of a quote */
  sf_rate_t protocol; /* of the trade fee, as the next */
  sf_rate_t fund;
  sf_rate_t on_top;   /* as `trade`, of what it leaves */
  uint64_t amount[2]; /* of the vaults */

  sf_raydium_cpmm_config_t rates;
  sf_transfer_fee_t transfer_fee[2];
  uint64_t owed[2]; /* fees in the vaults that are no reserve */
  uint32_t decimals[2];
  uint64_t _pad0;
  uint8_t pubkey[32];
  uint8_t config[32];
  uint8_t vault[2][32];
  uint8_t mint[2][32];
  uint8_t program[2][32]; /* token programs of the mints */
  uint8_t observation[32];
} sf_raydium_cpmm_state_t;

/* sf_raydium_cpmm_pool_decode reads a pool account into a zeroed state, or into the pool's own again: vaults, rates
   and transfer fees stay as they are.  It has no price before sf_raydium_cpmm_price.  Returns 0, or SF_ERR_DATA with
   the offset; then the state is as it was. */
int sf_raydium_cpmm_pool_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len,
                                 sf_raydium_cpmm_state_t * s );

/* sf_raydium_cpmm_config_decode reads a config account.  Returns 0, or SF_ERR_DATA with the offset. */
int sf_raydium_cpmm_config_decode( uint8_t const * data, uint32_t len, sf_raydium_cpmm_config_t * out );

/* sf_raydium_cpmm_price sets reserves and rates from the amounts in the vaults (token 0, token 1) and the pool's
   config.  Returns 0, or SF_ERR_DATA if a vault holds less than it owes. */
int sf_raydium_cpmm_price( sf_raydium_cpmm_state_t * s, uint64_t amount_a, uint64_t amount_b,
                           sf_raydium_cpmm_config_t const * config );

/* The program's integers.  `fee` is what is taken from the input; a creator's fee that is taken off the output is in
   creator_fee alone, in the output token.  Hot: about 5 ns. */
void sf_raydium_cpmm_quote_in( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q );
void sf_raydium_cpmm_quote_out( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q );

/* sf_raydium_cpmm_out_small is amount_out of sf_raydium_cpmm_quote_in, or 0 where only that can say it.  Hot. */
uint64_t sf_raydium_cpmm_out_small( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now );

/* -- instructions and events (raydium_cpmm_swap.c) -------------------------- */

/* The data of swap_base_input, or with exact_in = 0 of swap_base_output. */
typedef struct sf_raydium_cpmm_swap {
  uint64_t amount;    /* in, or out */
  uint64_t threshold; /* minimum out, or maximum in */
  uint8_t exact_in;
} sf_raydium_cpmm_swap_t;

/* sf_raydium_cpmm_swap_data writes SF_RAYDIUM_CPMM_SWAP_DATA_BYTES and returns that. */
uint32_t sf_raydium_cpmm_swap_data( sf_raydium_cpmm_swap_t const * swap, uint8_t * out );

/* sf_raydium_cpmm_swap_parse reads such data.  Returns 0, or SF_ERR_DATA with the offset. */
int sf_raydium_cpmm_swap_parse( uint8_t const * data, uint32_t len, sf_raydium_cpmm_swap_t * out );

/* sf_raydium_cpmm_swap_accounts writes the instruction's SF_RAYDIUM_CPMM_ACCOUNT_CNT accounts in the program's order. */
void sf_raydium_cpmm_swap_accounts( sf_raydium_cpmm_state_t const * s, int a_to_b, uint8_t const user_in[32],
                                    uint8_t const user_out[32], uint8_t const payer[32], sf_account_meta_t * out,
                                    uint32_t * cnt );

/* The program's event of a swap, as it is in the log behind "Program data: " (base64). */
typedef struct sf_raydium_cpmm_traded {
  uint8_t pool[32];
  uint64_t reserve_in; /* before, as the next */
  uint64_t reserve_out;
  uint64_t amount_in;  /* what the pool got: without the transfer fee */
  uint64_t amount_out; /* what the pool gave: with the transfer fee */
  uint64_t transfer_fee_in;
  uint64_t transfer_fee_out;
  uint64_t trade_fee; /* 0 in events before there was a creator's fee, as the next */
  uint64_t creator_fee;
  uint8_t exact_in;
} sf_raydium_cpmm_traded_t;

/* sf_raydium_cpmm_traded_parse returns 0, or SF_ERR_DATA if data is not that. */
int sf_raydium_cpmm_traded_parse( uint8_t const * data, uint32_t len, sf_raydium_cpmm_traded_t * out );

#endif
