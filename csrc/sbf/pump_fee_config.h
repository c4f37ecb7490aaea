/* pump_fee_config.h reads the account in which pump.fun's fee program keeps what a trade pays.

     authority and bump | flat rates @41 | tiers @65: u32 count, then market cap u128 and rates each
     | the same for pairs with USDC | rates of other pairs

   Rates are three words: liquidity providers', protocol's, creator's basis points.  Older accounts end
   before the latter parts.  Source: pump-fun/pump-public-docs (idl/pump_fees.json), pump-swap-sdk fees.ts. */

#ifndef SF_SBF_PUMP_FEE_CONFIG_H
#define SF_SBF_PUMP_FEE_CONFIG_H

#include "sbf/sbf.h"

/* EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v */
static uint8_t const PUMP_USDC[32] = { 0xc6, 0xfa, 0x7a, 0xf3, 0xbe, 0xdb, 0xad, 0x3a, 0x3d, 0x65, 0xf3,
                                       0x6a, 0xab, 0xc9, 0x74, 0x31, 0xb1, 0xbb, 0xe4, 0xc2, 0xd2, 0xf6,
                                       0xe0, 0xe4, 0x7c, 0xa6, 0x02, 0x03, 0x45, 0x2f, 0x5d, 0x61 };

/* So11111111111111111111111111111111111111112 */
static uint8_t const PUMP_WRAPPED_SOL[32] = { 0x06, 0x9b, 0x88, 0x57, 0xfe, 0xab, 0x81, 0x84, 0xfb, 0x68, 0x7f,
                                              0x63, 0x46, 0x18, 0xc0, 0x35, 0xda, 0xc4, 0x39, 0xdc, 0x1a, 0xeb,
                                              0x3b, 0x55, 0x98, 0xa0, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x01 };

/* 9pan9bMn5HatX4EJdBwg9VgCa7Uz5HL8N1m5D3NdXejP, wrapped SOL of Token-2022 */
static uint8_t const PUMP_WRAPPED_SOL_2022[32] = { 0x83, 0x0d, 0xfc, 0x9f, 0xde, 0x5f, 0xe6, 0xb8, 0xaa, 0x7c, 0x04,
                                                   0xa4, 0x76, 0xe9, 0x1e, 0x8a, 0xc6, 0xbb, 0x26, 0x4a, 0xad, 0x90,
                                                   0xfa, 0x19, 0xc9, 0xdf, 0x49, 0xd8, 0x5c, 0x3e, 0x5b, 0x5e };

#define PUMP_FEE_CONFIG       0x9b4c7bdbbb92348fUL /* account:FeeConfig */
#define PUMP_FEE_TIER_SIZE    40
#define PUMP_FEE_FLAT         41
#define PUMP_FEE_TIERS        65
#define PUMP_FEE_STABLE_SINCE 4073 /* least length of an account with tiers for USDC */
#define PUMP_FEE_EXOTIC_SINCE 4097 /* and with rates of other pairs */

/* Who trades, for what. */
typedef struct pump_fee_query {
  sbf_u128_t market_cap;
  uint8_t const * quote_mint; /* all zero: SOL */
  bool pumps;                 /* the curve or pool is pump.fun's own */
} pump_fee_query_t;

SBF_FUNCTION bool pump_fee_is_sol( uint8_t const * mint ) {
  static uint8_t const nothing[32];
  return sbf_key_equal( mint, nothing ) || sbf_key_equal( mint, PUMP_WRAPPED_SOL ) ||
         sbf_key_equal( mint, PUMP_WRAPPED_SOL_2022 );
}

/* pump_fee_tiers_end returns the offset behind the list of tiers at `at`, or 0 if the account ends before. */
SBF_FUNCTION uint64_t pump_fee_tiers_end( sbf_account_t const * config, uint64_t at ) {
  if( at + 4 > config->data_len ) return 0;
  uint64_t end = at + 4 + ( uint64_t ) * (sbf_u32_alias_t const *)( config->data + at ) * PUMP_FEE_TIER_SIZE;
  return end > config->data_len ? 0 : end;
}

/* pump_fee_tier returns the rates of the last tier in [first, end) whose market cap is reached, at least the
   first; NULL if there is none. */
SBF_FUNCTION uint8_t const * pump_fee_tier( uint8_t const * first, uint8_t const * end,
                                            sbf_u128_t const * market_cap ) {
  if( first == end ) return 0;
  uint8_t const * tier = end - PUMP_FEE_TIER_SIZE;
  for( ; tier > first; tier -= PUMP_FEE_TIER_SIZE ) {
    sbf_u128_t threshold = { sbf_u64( tier ), sbf_u64( tier + 8 ) };
    if( !sbf_u128_less( *market_cap, threshold ) ) break;
  }
  return tier + 16;
}

/* pump_fee_rates returns where the account has the rates of a trade, or NULL: it has no tier for it. */
SBF_FUNCTION uint8_t const * pump_fee_rates( sbf_account_t const * config, pump_fee_query_t const * query ) {
  uint8_t const * data = config->data;
  if( !query->pumps ) return data + PUMP_FEE_FLAT;
  uint64_t end = pump_fee_tiers_end( config, PUMP_FEE_TIERS ), stable_end = 0;
  if( !end ) return 0;
  uint8_t const *tiers = data + PUMP_FEE_TIERS + 4, *last = data + end;
  if( pump_fee_is_sol( query->quote_mint ) ) return pump_fee_tier( tiers, last, &query->market_cap );
  if( config->data_len >= PUMP_FEE_STABLE_SINCE ) stable_end = pump_fee_tiers_end( config, end );
  if( sbf_key_equal( query->quote_mint, PUMP_USDC ) ) {
    if( !stable_end || stable_end == end + 4 ) return pump_fee_tier( tiers, last, &query->market_cap );
    return pump_fee_tier( data + end + 4, data + stable_end, &query->market_cap );
  }
  if( config->data_len < PUMP_FEE_EXOTIC_SINCE || !stable_end ) return data + PUMP_FEE_FLAT;
  uint8_t const * exotic = data + stable_end;
  return sbf_u64( exotic ) | sbf_u64( exotic + 8 ) | sbf_u64( exotic + 16 ) ? exotic : data + PUMP_FEE_FLAT;
}

#endif
