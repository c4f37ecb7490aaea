#include "dex/pump_fee.h"

#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "solana/address.h"
#include "solana/program.h"

#define TAG_FEE_CONFIG 0x9b4c7bdbbb92348fUL /* account:FeeConfig */

#define CONFIG_FLAT       41
#define CONFIG_TIERS      65
#define TIER_BYTES        40
#define RATES_BYTES       24
#define BYTES_POST_STABLE 4073
#define BYTES_POST_EXOTIC 4097

uint8_t const sf_pump_fee_program[32] = { 0x0c, 0x35, 0xff, 0xa9, 0x05, 0x5a, 0x8e, 0x56, 0x8d, 0xa8, 0xf7,
                                          0xbc, 0x07, 0x56, 0x15, 0x27, 0x4c, 0xf1, 0xc9, 0x2c, 0xa4, 0x1f,
                                          0x40, 0x00, 0x9c, 0x51, 0x6a, 0xa4, 0x14, 0xc2, 0x7c, 0x70 };

static uint8_t const mint_usdc[32] = { 0xc6, 0xfa, 0x7a, 0xf3, 0xbe, 0xdb, 0xad, 0x3a, 0x3d, 0x65, 0xf3,
                                       0x6a, 0xab, 0xc9, 0x74, 0x31, 0xb1, 0xbb, 0xe4, 0xc2, 0xd2, 0xf6,
                                       0xe0, 0xe4, 0x7c, 0xa6, 0x02, 0x03, 0x45, 0x2f, 0x5d, 0x61 };

/* 9pan9bMn5HatX4EJdBwg9VgCa7Uz5HL8N1m5D3NdXejP, wrapped SOL of Token-2022 */
static uint8_t const mint_sol_2022[32] = { 0x83, 0x0d, 0xfc, 0x9f, 0xde, 0x5f, 0xe6, 0xb8, 0xaa, 0x7c, 0x04,
                                           0xa4, 0x76, 0xe9, 0x1e, 0x8a, 0xc6, 0xbb, 0x26, 0x4a, 0xad, 0x90,
                                           0xfa, 0x19, 0xc9, 0xdf, 0x49, 0xd8, 0x5c, 0x3e, 0x5b, 0x5e };

int sf_pump_rates_check( uint64_t lp, uint64_t protocol, uint64_t creator, char const * what, uint32_t offset ) {
  if( lp > SF_PUMP_BPS_MAX || protocol > SF_PUMP_BPS_MAX || creator > SF_PUMP_BPS_MAX ||
      lp + protocol + creator > SF_PUMP_BPS_MAX )
    return sf_err_set( SF_ERR_DATA, "%s: fees of %lu, %lu and %lu basis points at offset %u", what, lp, protocol,
                       creator, offset );
  return 0;
}

uint64_t sf_pump_rates_ready( sf_pump_rates_t const * r, sf_pump_small_rates_t * out ) {
  uint64_t all = r->lp + r->protocol + r->creator, small = r->floor ? 0 : SF_SMALL_MAX;
  uint64_t const limit[] = { sf_rate_up_ready( r->lp, SF_BPS, &out->lp ),
                             sf_rate_up_ready( r->protocol, SF_BPS, &out->protocol ),
                             sf_rate_up_ready( r->creator, SF_BPS, &out->creator ),
                             sf_rate_down_ready( SF_BPS, SF_BPS + all, &out->keep ),
                             sf_rate_up_ready( r->lp, SF_BPS - all, &out->on_top[0] ),
                             sf_rate_up_ready( r->protocol, SF_BPS - all, &out->on_top[1] ),
                             sf_rate_up_ready( r->creator, SF_BPS - all, &out->on_top[2] ) };
  for( uint32_t i = 0; i < sizeof( limit ) / sizeof( limit[0] ); i++ )
    if( limit[i] < small ) small = limit[i];
  out->ones = out->on_top[0].one + out->on_top[1].one + out->on_top[2].one;
  return small;
}

int sf_pump_fields_check( uint8_t const * data, uint32_t len, uint32_t end, char const * what ) {
  for( uint32_t i = end; i < len; i++ )
    if( data[i] ) return sf_err_set( SF_ERR_DATA, "%s: %u bytes, and what is at offset %u is not known", what, len, i );
  return 0;
}

int sf_pump_derive( char const * word, uint8_t const * key, uint8_t const program[32], uint8_t out[32] ) {
  sf_seed_t const seed[2] = { { word, (uint32_t)strlen( word ) }, { key, 32 } };
  int bump                = sf_address_find( seed, key ? 2 : 1, program, out );
  return bump < 0 ? bump : 0;
}

static int rates_read( uint8_t const * data, uint32_t offset, sf_pump_rates_t * out ) {
  uint64_t lp = sf_get_u64( data + offset ), protocol = sf_get_u64( data + offset + 8 ),
           creator = sf_get_u64( data + offset + 16 );
  int err          = sf_pump_rates_check( lp, protocol, creator, "pump fee config", offset );
  if( err ) return err;
  *out = ( sf_pump_rates_t ){ .lp = (uint32_t)lp, .protocol = (uint32_t)protocol, .creator = (uint32_t)creator };
  return 0;
}

static int tiers_read( uint8_t const * data, uint32_t len, uint32_t * at, sf_pump_fee_config_t * out, uint32_t * cnt ) {
  uint32_t first = out->tier_cnt + out->stable_cnt;
  if( *at + 4 > len ) return sf_err_set( SF_ERR_DATA, "pump fee config: %u bytes end before offset %u", len, *at + 4 );
  uint32_t n;
  memcpy( &n, data + *at, 4 );
  if( n > SF_PUMP_TIER_MAX - first || *at + 4 + n * TIER_BYTES > len )
    return sf_err_set( SF_ERR_DATA, "pump fee config: %u tiers at offset %u do not fit", n, *at );
  *at += 4;
  for( uint32_t i = 0; i < n; i++, *at += TIER_BYTES ) {
    sf_pump_tier_t * tier = &out->tier[first + i];
    tier->market_cap      = (sf_u128_t)sf_get_u64( data + *at + 8 ) << 64 | sf_get_u64( data + *at );
    int err               = rates_read( data, *at + 16, &tier->rates );
    if( err ) return err;
  }
  *cnt = n;
  return 0;
}

int sf_pump_fee_config_is( uint8_t const * data, uint32_t len ) {
  return len >= 8 && sf_get_u64( data ) == TAG_FEE_CONFIG;
}

int sf_pump_fee_config_decode( uint8_t const * data, uint32_t len, sf_pump_fee_config_t * out ) {
  if( len < SF_PUMP_FEE_CONFIG_BYTES_MIN )
    return sf_err_set( SF_ERR_DATA, "pump fee config: %u bytes, fewer than %u", len, SF_PUMP_FEE_CONFIG_BYTES_MIN );
  if( sf_get_u64( data ) != TAG_FEE_CONFIG )
    return sf_err_set( SF_ERR_DATA, "pump fee config: discriminator %016lx at offset 0", sf_get_u64( data ) );
  memset( out, 0, sizeof( *out ) );
  out->kind   = SF_PUMP_FEE_CONFIG;
  uint32_t at = CONFIG_TIERS;
  int err     = rates_read( data, CONFIG_FLAT, &out->flat );
  if( !err ) err = tiers_read( data, len, &at, out, &out->tier_cnt );
  if( !err && len >= BYTES_POST_STABLE ) err = tiers_read( data, len, &at, out, &out->stable_cnt );
  if( err || len < BYTES_POST_EXOTIC ) return err;
  if( at + RATES_BYTES > len )
    return sf_err_set( SF_ERR_DATA, "pump fee config: %u bytes end before offset %u", len, at + RATES_BYTES );
  return rates_read( data, at, &out->exotic );
}

static int is_sol( uint8_t const mint[32] ) {
  static uint8_t const none[32];
  return !memcmp( mint, none, 32 ) || !memcmp( mint, sf_mint_wrapped_sol, 32 ) || !memcmp( mint, mint_sol_2022, 32 );
}

int sf_pump_fee_rates( sf_pump_fee_config_t const * config, int pumps, uint8_t const quote_mint[32],
                       sf_u128_t market_cap, sf_pump_rates_t * out ) {
  sf_pump_tier_t const * tier = config->tier;
  uint32_t cnt                = config->tier_cnt;
  if( !pumps ) {
    *out = config->flat;
    return 0;
  }
  if( !is_sol( quote_mint ) ) {
    if( memcmp( quote_mint, mint_usdc, 32 ) ) {
      sf_pump_rates_t const * exotic = &config->exotic;
      *out                           = exotic->lp | exotic->protocol | exotic->creator ? *exotic : config->flat;
      return 0;
    }
    if( config->stable_cnt ) {
      tier += cnt;
      cnt = config->stable_cnt;
    }
  }
  if( !cnt ) return sf_err_set( SF_ERR_DATA, "pump fee config: no tiers at offset %u", CONFIG_TIERS );
  *out = tier[0].rates;
  if( market_cap < tier[0].market_cap ) return 0;
  for( uint32_t i = cnt; i-- > 0; )
    if( market_cap >= tier[i].market_cap ) {
      *out = tier[i].rates;
      break;
    }
  return 0;
}
