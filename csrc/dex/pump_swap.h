/* pump_swap.h: pump.fun's pool program PumpSwap, pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA.

   Token a is the base (the coin), token b the quote.  The quote side of the price is what is in the vault plus the
   pool's signed virtual reserves: they hold what boosts the pool, less the fees that wait in the vault.
   Buy:  quote = ceil( Q*base / (B-base) ), fees on top of it.
   Sell: quote = floor( Q*base / (B+base) ), fees off it.
   Buy for a budget: net = what the fees leave of it, base = floor( B*(net-1) / (Q+net-1) ); all of it is spent.
   The liquidity providers' fee stays in Q, the others do not.  Fees: dex/pump_fee.h.  A sale cannot take more than the
   vault's own quote (6063).  There is no instruction to sell for an exact amount: such a quote is the least base
   whose sale pays at least that, and says what it pays.
   Whether the program makes pools of mints with transfer fees, and what it then pays, is not published (it refuses
   some mints, 6006 and 6007): the venue's row disables a pool while one of its mints withholds a fee.
   Source: pump-fun/pump-public-docs (PUMP_SWAP_README, NEGATIVE_VIRTUAL_QUOTE_RESERVES, idl/pump_amm.json),
   @pump-fun/pump-swap-sdk (buy.ts, sell.ts, fees.ts, util.ts). */

#ifndef SF_DEX_PUMP_SWAP_H
#define SF_DEX_PUMP_SWAP_H

#include "dex/pump_fee.h"
#include "solana/message.h"

#define SF_PUMP_SWAP_PROGRAM                                                                                          \
  {                                                                                                                   \
    0x0c, 0x14, 0xde, 0xfc, 0x82, 0x5e, 0xc6, 0x76, 0x94, 0x25, 0x08, 0x18, 0xbb, 0x65, 0x40, 0x65, 0xf4, 0x29, 0x8d, \
        0x31, 0x56, 0xd5, 0x71, 0xb4, 0xd4, 0xf8, 0x09, 0x0c, 0x18, 0xe9, 0xa8, 0x63                                  \
  }
extern uint8_t const sf_pump_swap_program[32];
extern struct sf_venue const sf_pump_swap_venue; /* dex/venue.h */

#define SF_PUMP_SWAP_POOL_BYTES_MIN   211
#define SF_PUMP_SWAP_POOL_BYTES       287 /* of the fields known; extended accounts are 300 or more, zero behind */
#define SF_PUMP_SWAP_GLOBAL_BYTES_MIN 313
#define SF_PUMP_SWAP_ACCOUNT_MAX      27
#define SF_PUMP_SWAP_DATA_BYTES_MAX   25

/* custom errors of the program */
#define SF_PUMP_SWAP_ERR_ZERO_BASE     6001
#define SF_PUMP_SWAP_ERR_MORE_THAN_ALL 6016
#define SF_PUMP_SWAP_ERR_NO_BUYS       6020
#define SF_PUMP_SWAP_ERR_NO_SALES      6021
#define SF_PUMP_SWAP_ERR_OVERFLOW      6023
#define SF_PUMP_SWAP_ERR_BUDGET        6039
#define SF_PUMP_SWAP_ERR_REAL_QUOTE    6063

/* What the program's global config says. */
typedef struct sf_pump_swap_global {
  uint64_t kind;         /* SF_PUMP_GLOBAL */
  sf_pump_rates_t rates; /* before there was a fee program */
  uint32_t no_buys;
  uint32_t no_sales;
  uint32_t creator_rates; /* 1: a pool's own creator fee counts */
  uint32_t v2;            /* 1: the program has the forms that leave fees in the pool */
  sf_pump_recipients_t recipients;
} sf_pump_swap_global_t;

typedef struct sf_pump_swap_state {
  uint64_t base;
  uint64_t quote;   /* vault and virtual reserves */
  uint64_t payable; /* quote that sales can be paid from */
  uint64_t room[2]; /* what a vault can still take before its amount overflows */
  sf_pump_rates_t rates;
  uint32_t no_buys;
  uint32_t no_sales;
  uint64_t small[2]; /* amounts of a token up to this take the short way (dex/product.h); 0: none */
  sf_pump_small_rates_t small_rates;
  sf_u128_t product;  /* base*quote + quote-1 */
  uint64_t sale_most; /* what a sale for an exact amount may take out of the curve in the short way */
  uint64_t _pad0;
  /* as in the pool account */
  sf_i128_t virtual_quote;
  uint64_t kept; /* fees that wait in the quote vault */
  uint64_t creator_bps;
  uint32_t pumps; /* 1: made by pump.fun out of a bonding curve, not by anybody */
  uint32_t mayhem;
  uint32_t cashback;
  uint32_t v2; /* of the program's global account, as the recipients */
  uint8_t pubkey[32];
  uint8_t creator[32]; /* of the pool */
  uint8_t mint[2][32];
  uint8_t vault[2][32];
  uint8_t program[2][32]; /* token programs of the mints; SPL Token unless set */
  uint8_t coin_creator[32];
  sf_pump_recipients_t recipients;
} sf_pump_swap_state_t;

/* What an account is, by its discriminator. */
int sf_pump_swap_is_pool( uint8_t const * data, uint32_t len );
int sf_pump_swap_is_global( uint8_t const * data, uint32_t len );

/* sf_pump_swap_pool_decode reads a pool account, sf_pump_swap_global_decode the global config, older lengths too.  The
   pool has no price before sf_pump_swap_price.  Return 0, SF_ERR_DATA with the offset, or fail as sf_address_find. */
int sf_pump_swap_pool_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, sf_pump_swap_state_t * s );
int sf_pump_swap_global_decode( uint8_t const * data, uint32_t len, sf_pump_swap_global_t * out );

/* sf_pump_swap_pool_again reads the account of a decoded pool once more; what is no part of the account stays.  Returns
   0, or SF_ERR_DATA, also if mints, vaults or creator changed; then the state stays as it was. */
int sf_pump_swap_pool_again( uint8_t const * data, uint32_t len, sf_pump_swap_state_t * s );

/* sf_pump_swap_price sets reserves and rates from the amounts in the vaults and the base mint's supply.  `config` NULL is
   the time before the fee program (September 2025).  Returns 0, or SF_ERR_DATA if they do not fit together. */
int sf_pump_swap_price( sf_pump_swap_state_t * s, uint64_t base, uint64_t quote, uint64_t supply,
                        sf_pump_swap_global_t const * global, sf_pump_fee_config_t const * config );

/* sf_pump_swap_ready works out `small` and `small_rates` from reserves and rates; without it every quote takes the long way.
   sf_pump_swap_price does that, too. */
void sf_pump_swap_ready( sf_pump_swap_state_t * s );

/* a_to_b: a sale.  Hot. */
void sf_pump_swap_quote_in( sf_pump_swap_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                            sf_quote_t * q );
void sf_pump_swap_quote_out( sf_pump_swap_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                             sf_quote_t * q );

/* -- instructions and events (pump_swap_trade.c) --------------------------- */

/* The data of buy, buy_exact_quote_in and sell, or with v2 = 1 of the forms that leave the fees in the pool. */
typedef struct sf_pump_swap_trade {
  uint64_t amount;    /* base of a buy or sale; quote of an exact-quote buy */
  uint64_t threshold; /* most quote, least quote; least base */
  uint8_t a_to_b;
  uint8_t exact_in;
  uint8_t v2;
} sf_pump_swap_trade_t;

/* sf_pump_swap_trade_data writes it (room for SF_PUMP_SWAP_DATA_BYTES_MAX) and returns its length.  Returns
   SF_ERR_ARG for a sale that is not exact in. */
int sf_pump_swap_trade_data( sf_pump_swap_trade_t const * trade, uint8_t * out );

/* sf_pump_swap_trade_parse reads such data.  Returns 0, or SF_ERR_DATA with the offset. */
int sf_pump_swap_trade_parse( uint8_t const * data, uint32_t len, sf_pump_swap_trade_t * out );

/* sf_pump_swap_trade_accounts writes the instruction's accounts in the program's order: 17 of v2; else 23 of a buy and
   21 of a sale, and behind them, once there is a buyback, two of it, one of a coin with a creator and one of a
   cashback coin (two in a sale).  Derives addresses: cold, about 500 us.  Returns 0, SF_ERR_ARG for v2 of a cashback
   coin, which the program refuses, or fails as sf_address_find. */
int sf_pump_swap_trade_accounts( sf_pump_swap_state_t const * s, int v2, int a_to_b, uint8_t const user[32],
                                 uint8_t const user_base[32], uint8_t const user_quote[32], sf_account_meta_t * out,
                                 uint32_t * cnt );

/* The program's event of a trade.  In that of a buy for a budget the program puts the budget where other buys have
   what the curve moved, and the other way round; here both fields mean the same in all. */
typedef struct sf_pump_swap_traded {
  uint8_t pool[32];
  uint8_t user[32];
  uint8_t coin_creator[32];
  uint64_t time;
  uint64_t base;
  uint64_t quote; /* what the curve moved */
  uint64_t threshold;
  uint64_t reserve[2]; /* of the vaults, before */
  uint64_t user_quote; /* what the user paid or got */
  uint64_t bps[3];     /* lp, protocol, creator */
  uint64_t fee[3];
  uint64_t cashback_bps; /* instead of the creator's */
  uint64_t cashback;
  uint8_t a_to_b;
  uint8_t exact_in; /* a sale, or a buy whose name says so */
} sf_pump_swap_traded_t;

/* sf_pump_swap_traded_parse reads it as logged, or as the program sends it to itself; newer fields behind are not
   looked at.  Returns 0, or SF_ERR_DATA if data is not that. */
int sf_pump_swap_traded_parse( uint8_t const * data, uint32_t len, sf_pump_swap_traded_t * out );

#endif
