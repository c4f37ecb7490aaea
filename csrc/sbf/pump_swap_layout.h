/* pump_swap_layout.h names PumpSwap's programs and addresses, where its accounts have what, and its errors.

   Sources: pump-fun/pump-public-docs (idl/pump_amm.json), accounts of the chain. */

#ifndef SF_SBF_PUMP_SWAP_LAYOUT_H
#define SF_SBF_PUMP_SWAP_LAYOUT_H

#include "sbf/anchor_event.h"
#include "sbf/pump_swap_math.h"

static uint8_t const AMM_PROGRAM[32] = { 0x0c, 0x14, 0xde, 0xfc, 0x82, 0x5e, 0xc6, 0x76, 0x94, 0x25, 0x08,
                                         0x18, 0xbb, 0x65, 0x40, 0x65, 0xf4, 0x29, 0x8d, 0x31, 0x56, 0xd5,
                                         0x71, 0xb4, 0xd4, 0xf8, 0x09, 0x0c, 0x18, 0xe9, 0xa8, 0x63 };

/* 6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P */
static uint8_t const CURVE_PROGRAM[32] = { 0x01, 0x56, 0xe0, 0xf6, 0x93, 0x66, 0x5a, 0xcf, 0x44, 0xdb, 0x15,
                                           0x68, 0xbf, 0x17, 0x5b, 0xaa, 0x51, 0x89, 0xcb, 0x97, 0xf5, 0xd2,
                                           0xff, 0x3b, 0x65, 0x5d, 0x2b, 0xb6, 0xfd, 0x6d, 0x18, 0xb0 };

/* pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ */
static uint8_t const FEE_PROGRAM[32] = { 0x0c, 0x35, 0xff, 0xa9, 0x05, 0x5a, 0x8e, 0x56, 0x8d, 0xa8, 0xf7,
                                         0xbc, 0x07, 0x56, 0x15, 0x27, 0x4c, 0xf1, 0xc9, 0x2c, 0xa4, 0x1f,
                                         0x40, 0x00, 0x9c, 0x51, 0x6a, 0xa4, 0x14, 0xc2, 0x7c, 0x70 };

/* ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL */
static uint8_t const ASSOCIATED_TOKEN_PROGRAM[32] = { 0x8c, 0x97, 0x25, 0x8f, 0x4e, 0x24, 0x89, 0xf1, 0xbb, 0x3d, 0x10,
                                                      0x29, 0x14, 0x8e, 0x0d, 0x83, 0x0b, 0x5a, 0x13, 0x99, 0xda, 0xff,
                                                      0x10, 0x84, 0x04, 0x8e, 0x7b, 0xd8, 0xdb, 0xe9, 0xf8, 0x59 };

/* ADyA8hdefvWN2dbGGWFotbzWxrAvLW83WG6QCVXvJKqw, from "global_config" */
static uint8_t const AMM_GLOBAL[32] = { 0x89, 0x0b, 0xa6, 0x44, 0xfe, 0x1f, 0x55, 0xaa, 0x19, 0xf1, 0x1c,
                                        0xd2, 0xd2, 0xec, 0x14, 0xd3, 0x23, 0x3b, 0x6e, 0x0a, 0x4b, 0xea,
                                        0xee, 0xf7, 0x2b, 0x69, 0x85, 0x8e, 0x21, 0xe1, 0x70, 0xd6 };

/* 5PHirr8joyTMp9JMm6nW7hNDVyEYdkzDqazxPD7RaTjx, the fee program's, from "fee_config" and AMM_PROGRAM */
static uint8_t const AMM_FEE_CONFIG[32] = { 0x41, 0x24, 0x6e, 0xcc, 0x7d, 0x78, 0xfe, 0x81, 0xe4, 0x17, 0x73,
                                            0xa4, 0x69, 0x65, 0x41, 0x99, 0x37, 0x92, 0x3a, 0x07, 0x64, 0x47,
                                            0x97, 0xdf, 0x6f, 0x3e, 0xb5, 0x14, 0x42, 0x60, 0x10, 0xcb };

/* GS4CU59F31iL7aR2Q8zVS8DRrcRnXX1yjQ66TqNVQnaR, from "__event_authority" with bump 255 */
static uint8_t const AMM_EVENT_AUTHORITY[32] = { 0xe5, 0x4a, 0x70, 0x95, 0x28, 0x83, 0x9f, 0x61, 0xc0, 0xb9, 0xb8,
                                                 0x60, 0x79, 0x89, 0x1c, 0x13, 0x92, 0x16, 0xe4, 0x7a, 0x71, 0xb6,
                                                 0x2f, 0xb7, 0x3b, 0xec, 0x72, 0x16, 0x94, 0x58, 0x74, 0x5e };
#define AMM_EVENT_BUMP 255

static uint8_t const NOBODY[32];

/* First eight bytes of sha256 of "global:...", "account:...", "event:...", as little-endian words. */
#define AMM_BUY          0xeaebda01123d0666UL
#define AMM_SPEND        0x70e8d9b452152ec6UL /* buy_exact_quote_in */
#define AMM_SELL         0xad837f01a485e633UL
#define AMM_BUY_V2       0x3dd3c56761ee17b8UL
#define AMM_SPEND_V2     0x2f5b4d68461cabc2UL
#define AMM_SELL_V2      0xb240e9e73c82f65dUL
#define AMM_POOL         0xbc6db111046d9af1UL
#define AMM_GLOBAL_STATE 0xd9b0fca0ca9c0895UL
#define AMM_BUY_EVENT    0x7777f52c1f52f467UL
#define AMM_SELL_EVENT   0x2adc03a50a372f3eUL

#define AMM_COIN_SUPPLY   1000000000000000UL /* of a coin in mayhem mode, as far as fees go */
#define AMM_RATES_MAX     10000UL
#define AMM_DISABLED_BUY  8
#define AMM_DISABLED_SELL 16

/* Offsets in the accounts' data. */
enum {
  POOL_BUMP            = 8,
  POOL_INDEX           = 9,
  POOL_CREATOR         = 11,
  POOL_BASE_MINT       = 43,
  POOL_QUOTE_MINT      = 75,
  POOL_BASE_VAULT      = 139,
  POOL_QUOTE_VAULT     = 171,
  POOL_COIN_CREATOR    = 211,
  POOL_SIZE_MIN        = 243,
  POOL_MAYHEM          = 243,
  POOL_CASHBACK        = 244,
  POOL_VIRTUAL         = 245, /* i128 */
  POOL_CREATOR_RATE    = 261,
  POOL_PROTOCOL_FEES   = 271,
  POOL_CREATOR_FEES    = 279,
  POOL_SIZE            = 287,
  GLOBAL_LP_RATE       = 40,
  GLOBAL_PROTOCOL_RATE = 48,
  GLOBAL_DISABLED      = 56,
  GLOBAL_RECIPIENTS    = 57, /* eight */
  GLOBAL_CREATOR_RATE  = 313,
  GLOBAL_SIZE_MIN      = 353,
  GLOBAL_RESERVED      = 385, /* recipient of pools in mayhem mode */
  GLOBAL_RESERVED_MORE = 418, /* seven more */
  GLOBAL_BUYBACK       = 643, /* eight */
  GLOBAL_BUYBACK_RATE  = 899, /* basis points of the protocol's fee */
  GLOBAL_BUYBACK_END   = 907,
  GLOBAL_CREATOR_RATES = 940, /* a pool's own creator rate counts */
  MINT_SUPPLY          = 36,
};


ANCHOR_ERROR( AMM_FEE_RATES, 6000, "FeeBasisPointsExceedsMaximum", "FeeBasisPointsExceedsMaximum" );
ANCHOR_ERROR( AMM_ZERO_BASE, PUMP_SWAP_ZERO_BASE, "ZeroBaseAmount", "ZeroBaseAmount" );
ANCHOR_ERROR( AMM_SLIPPAGE, 6004, "ExceededSlippage", "ExceededSlippage" );
ANCHOR_ERROR( AMM_RECIPIENT, 6013, "InvalidProtocolFeeRecipient", "InvalidProtocolFeeRecipient" );
ANCHOR_ERROR( AMM_MORE_THAN_ALL, PUMP_SWAP_MORE_THAN_ALL, "BuyMoreBaseAmountThanPoolReserves",
              "BuyMoreBaseAmountThanPoolReserves" );
ANCHOR_ERROR( AMM_NO_BUYS, 6020, "DisabledBuy", "DisabledBuy" );
ANCHOR_ERROR( AMM_NO_SALES, 6021, "DisabledSell", "DisabledSell" );
ANCHOR_ERROR( AMM_OVERFLOW, PUMP_SWAP_OVERFLOW, "Overflow", "Overflow" );
ANCHOR_ERROR( AMM_BUDGET, PUMP_SWAP_BUDGET, "BuyNotEnoughQuoteTokensToCoverFees",
              "buy: Not enough quote tokens to cover for fees." );
ANCHOR_ERROR( AMM_BELOW_MINIMUM, 6040, "BuySlippageBelowMinBaseAmountOut",
              "buy: slippage - would buy less tokens than expected min_base_amount_out" );
ANCHOR_ERROR( AMM_BUYBACK_REFUSED, 6053, "BuybackFeeRecipientNotAuthorized", "BuybackFeeRecipientNotAuthorized" );
ANCHOR_ERROR( AMM_BUYBACK_MISSING, 6058, "BuybackFeeRecipientMissing", "BuybackFeeRecipientMissing" );
ANCHOR_ERROR( AMM_REAL_QUOTE, PUMP_SWAP_REAL_QUOTE, "InsufficientRealQuoteReserves", "InsufficientRealQuoteReserves" );
ANCHOR_ERROR( AMM_CASHBACK, 6079, "CashbackCoinNotSupported", "CashbackCoinNotSupported" );
ANCHOR_ERROR( AMM_NO_TIERS, 6082, "FeeTiersEmpty", "FeeTiersEmpty" );

#endif
