/* pump_fun.h: pump.fun's bonding curve, 6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P.

   Token a is the coin, token b what it is quoted in (SOL, or another mint).  The price is a constant product of virtual
   reserves; only the real ones can be paid out.
   Buy:  quote = floor( vq*t / (vt-t) ) + 1, fees on top of it.
   Sell: quote = floor( vq*t / (vt+t) ), fees off it.
   Buy for a budget: net = what the fees leave of it, t = floor( vt*(net-1) / (vq+net-1) ).
   The curve gets the quote and none of the fees (dex/pump_fee.h).  A buy of more than the real tokens fails (6021); buy_v3
   may go on in the pool that is then to be made, which is not quoted here.  The January 2025 program has no buy for a
   budget: such a quote is buy() of the tokens above, and pays what they cost.  There is no instruction to sell for an exact
   amount: such a quote is the least amount whose sale pays at least that, and says what it pays.
   Source: pump-fun/pump-public-docs (PUMP_PROGRAM_README, instructions/BUY, SELL, TRADE_V3, idl/pump.json),
   @pump-fun/pump-sdk (bondingCurve.ts, fees.ts). */

#ifndef SF_DEX_PUMP_FUN_H
#define SF_DEX_PUMP_FUN_H

#include "dex/pump_fee.h"
#include "solana/message.h"

#define SF_PUMP_FUN_PROGRAM                                                                                           \
  {                                                                                                                   \
    0x01, 0x56, 0xe0, 0xf6, 0x93, 0x66, 0x5a, 0xcf, 0x44, 0xdb, 0x15, 0x68, 0xbf, 0x17, 0x5b, 0xaa, 0x51, 0x89, 0xcb, \
        0x97, 0xf5, 0xd2, 0xff, 0x3b, 0x65, 0x5d, 0x2b, 0xb6, 0xfd, 0x6d, 0x18, 0xb0                                  \
  }
extern uint8_t const sf_pump_fun_program[32];
extern struct sf_venue const sf_pump_fun_venue; /* dex/venue.h */

#define SF_PUMP_FUN_CURVE_BYTES_MIN  49
#define SF_PUMP_FUN_CURVE_BYTES      166 /* of the fields known */
#define SF_PUMP_FUN_GLOBAL_BYTES_MIN 113 /* and that of January 2025 */
#define SF_PUMP_FUN_ACCOUNT_MAX      27
#define SF_PUMP_FUN_DATA_BYTES       24
#define SF_PUMP_FUN_DATA_BYTES_MAX   25

/* custom errors of the program */
#define SF_PUMP_FUN_ERR_COMPLETE  6005
#define SF_PUMP_FUN_ERR_BUY_ZERO  6020
#define SF_PUMP_FUN_ERR_NO_TOKENS 6021
#define SF_PUMP_FUN_ERR_SELL_ZERO 6022
#define SF_PUMP_FUN_ERR_OVERFLOW  6024

/* What the program's global account says. */
typedef struct sf_pump_fun_global {
  uint64_t kind;          /* SF_PUMP_GLOBAL */
  sf_pump_rates_t rates;  /* before there was a fee program; floor: the program of January 2025 */
  uint32_t creator_rates; /* 1: a coin's own creator fee counts */
  sf_pump_recipients_t recipients;
} sf_pump_fun_global_t;

typedef struct sf_pump_fun_state {
  uint64_t virtual_token;
  uint64_t virtual_quote;
  uint64_t real_token;
  uint64_t real_quote;
  sf_pump_rates_t rates;
  uint32_t complete; /* 1: no trades any more */
  /* as in the curve account */
  uint32_t mayhem;
  uint32_t cashback;
  uint64_t small[2]; /* amounts of a token up to this take the short way (dex/product.h); 0: none */
  sf_pump_small_rates_t small_rates;
  uint64_t supply;
  uint64_t creator_bps;
  uint8_t pubkey[32];
  uint8_t creator[32];
  uint8_t quote_mint[32]; /* zero is SOL */
  /* not in it: for the accounts of an instruction */
  uint8_t mint[32];
  uint8_t program[2][32];          /* token programs; SPL Token unless set */
  sf_pump_recipients_t recipients; /* of the program's global account */
} sf_pump_fun_state_t;

/* What an account is, by its discriminator. */
int sf_pump_fun_is_curve( uint8_t const * data, uint32_t len );
int sf_pump_fun_is_global( uint8_t const * data, uint32_t len );

/* sf_pump_fun_curve_decode reads a curve account, sf_pump_fun_global_decode the global account, older lengths too.  The
   rates are not known before sf_pump_fun_price.  Return 0 or SF_ERR_DATA with the offset. */
int sf_pump_fun_curve_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, sf_pump_fun_state_t * s );
int sf_pump_fun_global_decode( uint8_t const * data, uint32_t len, sf_pump_fun_global_t * out );

/* sf_pump_fun_price sets the rates.  `config` NULL is the time before the fee program (September 2025).
   Returns 0 or SF_ERR_DATA. */
int sf_pump_fun_price( sf_pump_fun_state_t * s, sf_pump_fun_global_t const * global,
                       sf_pump_fee_config_t const * config );

/* sf_pump_fun_reserves_set makes a curve of nothing but its reserves and rates. */
void sf_pump_fun_reserves_set( sf_pump_fun_state_t * s, uint64_t virtual_token, uint64_t virtual_quote,
                               uint64_t real_token, uint64_t real_quote, uint32_t protocol_bps, uint32_t creator_bps,
                               int floor );

/* sf_pump_fun_over says that there are no trades any more.  A curve whose liquidity has gone into a pool has no virtual
   tokens. */
static inline int sf_pump_fun_over( sf_pump_fun_state_t const * s ) { return s->complete || !s->virtual_token; }

/* a_to_b: a sale.  Hot. */
void sf_pump_fun_quote_in( sf_pump_fun_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                           sf_quote_t * q );
void sf_pump_fun_quote_out( sf_pump_fun_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                            sf_quote_t * q );

/* -- instructions and events (pump_fun_trade.c) ---------------------------- */

#define SF_PUMP_FUN_V1 1 /* buy, buy_exact_sol_in, sell: coins quoted in SOL */
#define SF_PUMP_FUN_V2 2 /* ..._v2: any quote mint */
#define SF_PUMP_FUN_V3 3 /* ..._v3: fees stay on the curve */

/* The data of an instruction. */
typedef struct sf_pump_fun_trade {
  uint64_t amount;    /* tokens of a buy or sale; quote of a buy for a budget */
  uint64_t threshold; /* most quote, least quote; least tokens */
  uint8_t a_to_b;
  uint8_t exact_in;
  uint8_t form; /* SF_PUMP_FUN_V* */
} sf_pump_fun_trade_t;

/* sf_pump_fun_trade_data writes it (room for SF_PUMP_FUN_DATA_BYTES_MAX) and returns its length; a buy of V1 has one
   byte more than the others, which says not to count volume.  Returns SF_ERR_ARG for a sale that is not exact in or a
   form that there is not. */
int sf_pump_fun_trade_data( sf_pump_fun_trade_t const * trade, uint8_t * out );

/* sf_pump_fun_trade_parse reads such data.  Returns 0, or SF_ERR_DATA with the offset. */
int sf_pump_fun_trade_parse( uint8_t const * data, uint32_t len, sf_pump_fun_trade_t * out );

/* sf_pump_fun_trade_accounts writes the instruction's accounts in the program's order: of V1 18 to buy, 16 to sell and
   17 to sell a cashback coin, or the 12 that the program of January 2025 takes; of V2 27 to buy and 26 to sell; of V3
   17.  Assumes the state is priced and its mint set.  Derives addresses: cold, about 500 us.  Returns 0, SF_ERR_ARG for
   V1 of a coin not quoted in SOL and V3 of a cashback coin, which the program refuses, or fails as sf_address_find. */
int sf_pump_fun_trade_accounts( sf_pump_fun_state_t const * s, int form, int a_to_b, uint8_t const user[32],
                                uint8_t const user_base[32], uint8_t const user_quote[32], sf_account_meta_t * out,
                                uint32_t * cnt );

/* The program's event of a trade. */
typedef struct sf_pump_fun_traded {
  uint8_t mint[32];
  uint8_t user[32];
  uint8_t creator[32];
  uint8_t quote_mint[32]; /* zero is SOL */
  uint64_t time;
  uint64_t tokens;
  uint64_t quote;         /* what the curve moved */
  uint64_t virtual_token; /* after */
  uint64_t virtual_quote;
  uint64_t real_token;
  uint64_t real_quote;
  uint64_t protocol_bps;
  uint64_t protocol_fee;
  uint64_t creator_bps;
  uint64_t creator_fee;
  uint64_t cashback_bps; /* instead of the creator's */
  uint64_t cashback;
  uint8_t a_to_b;
  uint8_t exact_in; /* a sale, or a buy whose name says so */
  uint8_t fees;     /* 1: the event holds the fees; those of 2024 do not */
  uint8_t mayhem;
} sf_pump_fun_traded_t;

/* sf_pump_fun_traded_parse reads it as logged, or as the program sends it to itself; newer fields behind are not
   looked at.  Returns 0, or SF_ERR_DATA if data is not that. */
int sf_pump_fun_traded_parse( uint8_t const * data, uint32_t len, sf_pump_fun_traded_t * out );

#endif
