/* meteora_damm_v2.h: Meteora's DAMM v2 (cp-amm), cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG.

   A pool is one range of constant liquidity L between two prices, P being the square root of token b per
   token a in Q64.64.  The account holds all that prices it; vault balances do not count.

     in a:  P' = ceil( L*P / (L + in*P) )      out = floor( L*(P-P') / 2^128 )
     in b:  P' = P + floor( in*2^128 / L )     out = floor( L*(P'-P) / (P*P') )
     out b: P' = P - ceil( out*2^128 / L )     in  = ceil( L*(P-P') / (P'*P) )
     out a: P' = ceil( L*P / (L - out*P) )     in  = ceil( L*(P'-P) / 2^128 )

   A price beyond the range fails, or in a partial fill ends the swap there.  A pool that collects fees by
   compounding has no range: x*y = k on the two reserves of the account.

   The rate is min( base + variable, most ) per 10^9, rounded up on what it is taken from:

     collected in   a -> b      b -> a
     both tokens    output b    output a
     only b         output b    input b
     compounding    output b    input b; a part of it stays in the reserve

   base: a schedule that falls with time (linear, exponential) or with price since the start; or a limiter
   that for some time after activation takes more from larger buys.  variable: grows with the square of
   the volatility seen in earlier swaps; a swap changes it only for the next one.  The protocol takes a
   percentage of the fee, a referrer a percentage of that.  (The partner's part ended with cp-amm 0.2.0.)
   Source: MeteoraAg/damm-v2 (state/pool.rs, state/fee.rs, base_fee/, liquidity_handler/, instructions/swap). */

#ifndef SF_DEX_METEORA_DAMM_V2_H
#define SF_DEX_METEORA_DAMM_V2_H

#include "dex/near.h"
#include "dex/quote.h"
#include "dex/transfer_fee.h"
#include "solana/message.h"

#define SF_METEORA_DAMM_V2_PROGRAM                                                                                    \
  {                                                                                                                   \
    0x09, 0x2d, 0x21, 0x35, 0x65, 0x7a, 0x15, 0x9c, 0x2b, 0x87, 0xd4, 0xb6, 0x6a, 0x70, 0xdb, 0x8e, 0x97, 0x52, 0x38, \
        0x9f, 0xf7, 0x6a, 0xaf, 0x20, 0x6c, 0xed, 0x06, 0x3a, 0x38, 0xf9, 0x5a, 0xed                                  \
  }
extern uint8_t const sf_meteora_damm_v2_program[32];
extern struct sf_venue const sf_meteora_damm_v2_venue;       /* dex/venue.h */
extern uint8_t const sf_meteora_damm_v2_authority[32];       /* owner of every vault */
extern uint8_t const sf_meteora_damm_v2_event_authority[32]; /* signs the event's call */

#define SF_METEORA_DAMM_V2_TAG_POOL        0xbc6db111046d9af1UL /* first eight bytes of sha256 of "account:Pool" */
#define SF_METEORA_DAMM_V2_POOL_BYTES      1112
#define SF_METEORA_DAMM_V2_ACCOUNT_CNT_MAX 15 /* of a swap */
#define SF_METEORA_DAMM_V2_DATA_BYTES      25 /* of swap2; swap has one less */

/* how a swap2 reads its two amounts */
#define SF_METEORA_DAMM_V2_EXACT_IN  0 /* amount in, least amount out */
#define SF_METEORA_DAMM_V2_PARTIAL   1 /* the same, but stops at the end of the range */
#define SF_METEORA_DAMM_V2_EXACT_OUT 2 /* amount out, most amount in */

/* What quotes take from the rest of the state, worked out when that changes.  `liquidity` is 0 where swaps have to go by
   more than that: compounding pools, numbers far from usual ones. */
typedef struct sf_damm_v2_ready {
  sf_u128_t liquidity;  /* times 2^bits, its highest bit is then bit 126 */
  sf_u128_t sqrt_price; /* times 2^bits */
  sf_near_t near;
  uint64_t rate;     /* of the fee, once the base rate is fee_last for good */
  uint64_t on_top;   /* sf_on_top_ready of it (dex/product.h) */
  uint64_t schedule; /* that is when `point` is more than this above the activation */
  uint32_t bits;
  uint32_t _pad0;
} sf_damm_v2_ready_t;

typedef struct sf_meteora_damm_v2_state {
  sf_u128_t liquidity;
  sf_u128_t sqrt_price;
  sf_u128_t sqrt_min; /* the range; compounding pools have none */
  sf_u128_t sqrt_max;
  sf_u128_t sqrt_start;     /* price that a price schedule counts from */
  sf_u128_t sqrt_reference; /* price that volatility counts from */
  sf_u128_t bin_step;       /* Q64.64: step in which volatility counts */
  uint64_t reserve[2];
  uint64_t activation; /* slot or unix seconds, by by_time */
  uint64_t fee_cliff;  /* rates per 10^9: base rate at the start */
  uint64_t fee_last;   /* base rate when a schedule is over */
  uint64_t fee_variable;
  uint64_t fee_max;
  uint64_t period;           /* schedule: seconds or slots; limiter: the amount whose multiples are steps */
  uint64_t reduction;        /* a period: off the rate if linear, basis points of it if exponential */
  uint64_t volatility_time;  /* unix seconds of the last swap that moved the price by a step */
  uint64_t volatility;       /* accumulator, basis points of steps */
  uint64_t volatility_carry; /* reference: what is left of earlier volatility */
  uint64_t volatility_max;
  uint32_t volatility_control;
  uint32_t volatility_step; /* basis points */
  uint32_t filter_seconds;
  uint32_t decay_seconds;
  uint32_t volatility_keep; /* basis points carried over within decay_seconds */
  uint32_t duration;        /* of a price schedule or of the limiter */
  uint32_t period_cnt;      /* limiter: rate added a step, in basis points */
  uint32_t limiter_max;     /* limiter: highest rate, in basis points */
  uint8_t base_mode;
  uint8_t collect_mode;
  uint8_t dynamic; /* 1: volatility counts */
  uint8_t by_time; /* 1: activation and schedules are unix seconds, 0: slots */
  uint8_t disabled;
  uint8_t protocol_percent;
  uint8_t referral_percent;
  uint8_t token_2022[2];
  uint16_t compounding_bps;
  uint8_t mint[2][32];
  uint8_t vault[2][32];
  sf_damm_v2_ready_t ready;

  /* the caller's; decode leaves them as said */
  uint8_t pubkey[32];                /* zero */
  sf_transfer_fee_t transfer_fee[2]; /* of the mints: none */
  uint64_t slot;                     /* for pools that count slots: UINT64_MAX, long after */
  uint8_t referral;                  /* swaps name a referrer's account: 0 */
} sf_meteora_damm_v2_state_t;

/* sf_meteora_damm_v2_decode reads a pool account.  Fails with SF_ERR_DATA: the bytes are no pool, hold a
   mode that is not known, or numbers that the program never lets stand together. */
int sf_meteora_damm_v2_decode( uint8_t const * data, uint32_t len, sf_meteora_damm_v2_state_t * out );

/* sf_meteora_damm_v2_near writes one direction for small amounts at unix seconds `now`, without transfer fees: the share
   of the input that reaches the curve, the share of the output that is paid, both per 10^9, and the largest amount for
   which they hold (UINT64_MAX if for all).  Returns 0, or the error with which the program fails. */
int sf_meteora_damm_v2_near( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t now, uint64_t * in_share,
                             uint64_t * out_share, uint64_t * most );

/* sf_meteora_damm_v2_ranged says that the pool has a range; one that collects fees by compounding has none. */
int sf_meteora_damm_v2_ranged( sf_meteora_damm_v2_state_t const * s );

/* sf_meteora_damm_v2_quote_in, _out and _partial are the three modes of a swap; now is unix seconds.
   Reserves and sqrt_price are those that the account will hold.  creator_fee is the referrer's part.  Hot. */
void sf_meteora_damm_v2_quote_in( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                  sf_quote_t * q );
void sf_meteora_damm_v2_quote_out( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                   sf_quote_t * q );
void sf_meteora_damm_v2_quote_partial( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t amount_in,
                                       uint64_t now, sf_quote_t * q );

/* sf_meteora_damm_v2_apply makes s the state after the swap of a quote that is ok, volatility included, so
   that a second swap can be quoted on it. */
void sf_meteora_damm_v2_apply( sf_meteora_damm_v2_state_t * s, sf_quote_t const * q, uint64_t now );

/* sf_meteora_damm_v2_swap_accounts writes the accounts of both swap instructions in the program's order and
   their count.  The sysvar of instructions follows where the limiter may ask for it. */
void sf_meteora_damm_v2_swap_accounts( sf_meteora_damm_v2_state_t const * s, uint8_t const pool[32],
                                       uint8_t const user_in[32], uint8_t const user_out[32], uint8_t const payer[32],
                                       sf_account_meta_t out[SF_METEORA_DAMM_V2_ACCOUNT_CNT_MAX], uint32_t * cnt );

/* A swap as its instruction says it. */
typedef struct sf_meteora_damm_v2_swap {
  uint64_t amount;
  uint64_t threshold;
  uint32_t mode; /* SF_METEORA_DAMM_V2_* */
} sf_meteora_damm_v2_swap_t;

/* sf_meteora_damm_v2_swap_data writes the data of swap2 (room for SF_METEORA_DAMM_V2_DATA_BYTES). */
void sf_meteora_damm_v2_swap_data( sf_meteora_damm_v2_swap_t const * swap, uint8_t * out );

/* sf_meteora_damm_v2_swap_read reads the data of swap or swap2.  Returns 0, or SF_ERR_DATA if it is neither. */
int sf_meteora_damm_v2_swap_read( uint8_t const * data, uint32_t len, sf_meteora_damm_v2_swap_t * out );

/* What the program tells of a swap. */
typedef struct sf_meteora_damm_v2_event {
  uint8_t pool[32];
  uint32_t a_to_b;
  sf_meteora_damm_v2_swap_t swap;
  uint64_t amount_in;  /* left the payer */
  uint64_t amount_out; /* before the mint's transfer fee */
  uint64_t fee;        /* all of it */
  uint64_t unix_time;
  sf_u128_t sqrt_price; /* afterwards; 0 for compounding pools */
} sf_meteora_damm_v2_event_t;

/* sf_meteora_damm_v2_event_read reads the data of the call that a swap makes to its own program (EvtSwap2, and
   EvtSwap of builds before 0.1.6).  Returns 0, or SF_ERR_DATA if it is not one. */
int sf_meteora_damm_v2_event_read( uint8_t const * data, uint32_t len, sf_meteora_damm_v2_event_t * out );

#endif
