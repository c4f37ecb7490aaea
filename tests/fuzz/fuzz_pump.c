/* fuzz_pump.c: any bytes as accounts, instructions and events of pump.fun's programs and of Raydium AMM v4.  What
   decodes is quoted, and keeps the promises of a quote. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dex/bytes.h"
#include "dex/pump_fun.h"
#include "dex/pump_swap.h"
#include "dex/raydium_amm_v4.h"

typedef void quote_t( void const * s, int a_to_b, uint64_t amount, uint64_t now, sf_quote_t * q );

static void quotes( void const * s, quote_t * in, quote_t * out, uint64_t amount, uint64_t now ) {
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    sf_quote_t q;
    in( s, a_to_b, amount, now, &q );
    if( q.status == SF_QUOTE_OK && ( q.amount_in > amount || q.impact_ppm > 1000000 || q.protocol_fee > q.fee ) )
      abort();
    out( s, a_to_b, amount, now, &q );
    if( q.status == SF_QUOTE_OK && ( q.amount_out < amount || q.impact_ppm > 1000000 ) ) abort();
  }
}

/* The input is two amounts and a time, then bytes, in which the first eight are put right for each kind of account. */
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  static sf_pump_fee_config_t fees;
  sf_raydium_amm_v4_state_t amm;
  sf_raydium_amm_v4_swap_t swap;
  sf_raydium_amm_v4_traded_t log;
  sf_pump_fun_state_t curve;
  sf_pump_fun_global_t curves;
  sf_pump_fun_trade_t curve_trade;
  sf_pump_fun_traded_t curve_traded;
  sf_pump_swap_state_t pool = { 0 };
  sf_pump_swap_global_t pools;
  sf_pump_swap_trade_t pool_trade;
  sf_pump_swap_traded_t pool_traded;
  if( size < 32 || size > 4200 ) return 0;
  uint64_t amount = sf_get_u64( bytes ), other = sf_get_u64( bytes + 8 ), now = sf_get_u64( bytes + 16 );
  uint32_t len  = (uint32_t)( size - 24 );
  uint8_t *data = malloc( len ), key[32] = { 0 };
  if( !data ) return 0;
  memcpy( data, bytes + 24, len );
  sf_raydium_amm_v4_swap_parse( data, len, &swap );
  sf_raydium_amm_v4_traded_parse( data, len, &log );
  sf_pump_fun_trade_parse( data, len, &curve_trade );
  sf_pump_swap_trade_parse( data, len, &pool_trade );
  if( !sf_raydium_amm_v4_pool_decode( key, data, len, &amm ) && !sf_raydium_amm_v4_vaults( &amm, other, now ) )
    quotes( &amm, (quote_t *)sf_raydium_amm_v4_quote_in, (quote_t *)sf_raydium_amm_v4_quote_out, amount, now );
  sf_put_u64( data, 0xee61e64ed37fdbbdUL );
  sf_pump_fun_traded_parse( data, len, &curve_traded );
  sf_put_u64( data, amount & 1 ? 0x7777f52c1f52f467UL : 0x2adc03a50a372f3eUL );
  sf_pump_swap_traded_parse( data, len, &pool_traded );
  sf_put_u64( data, 0x9b4c7bdbbb92348fUL );
  int have_fees = !sf_pump_fee_config_decode( data, len, &fees );
  sf_put_u64( data, 0x7f726cc8b1e8e8a7UL );
  int have_curves = !sf_pump_fun_global_decode( data, len, &curves );
  if( !have_curves ) memset( &curves, 0, sizeof( curves ) );
  sf_put_u64( data, 0x60acd86037f8b717UL );
  if( !sf_pump_fun_curve_decode( key, data, len, &curve ) &&
      !sf_pump_fun_price( &curve, &curves, have_fees ? &fees : 0 ) )
    quotes( &curve, (quote_t *)sf_pump_fun_quote_in, (quote_t *)sf_pump_fun_quote_out, amount, now );
  sf_put_u64( data, 0xd9b0fca0ca9c0895UL );
  if( sf_pump_swap_global_decode( data, len, &pools ) ) memset( &pools, 0, sizeof( pools ) );
  sf_put_u64( data, 0xbc6db111046d9af1UL );
  if( !sf_pump_swap_pool_decode( key, data, len, &pool ) &&
      !sf_pump_swap_price( &pool, other, now, SF_PUMP_SUPPLY, &pools, have_fees ? &fees : 0 ) )
    quotes( &pool, (quote_t *)sf_pump_swap_quote_in, (quote_t *)sf_pump_swap_quote_out, amount, now );
  free( data );
  return 0;
}
