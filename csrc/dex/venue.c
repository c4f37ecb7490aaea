#include "dex/venue.h"

#include <string.h>

#include "dex/product.h"

/* a venue: one line here */
/* clang-format off */
#define VENUES( V )                                          \
  V( SF_VENUE_RAYDIUM_CPMM, sf_raydium_cpmm_venue )          \
  V( SF_VENUE_RAYDIUM_AMM_V4, sf_raydium_amm_v4_venue )      \
  V( SF_VENUE_RAYDIUM_CLMM, sf_raydium_clmm_venue )          \
  V( SF_VENUE_ORCA_WHIRLPOOL, sf_orca_whirlpool_venue )      \
  V( SF_VENUE_METEORA_DLMM, sf_meteora_dlmm_venue )          \
  V( SF_VENUE_METEORA_DAMM_V2, sf_meteora_damm_v2_venue )    \
  V( SF_VENUE_PUMP_SWAP, sf_pump_swap_venue )                \
  V( SF_VENUE_PUMP_FUN, sf_pump_fun_venue )
/* clang-format on */

#define VENUE_DECLARE( number, row ) extern sf_venue_t const row;
#define VENUE_PLACE( number, row )   [number] = &( row ),

VENUES( VENUE_DECLARE )
static sf_venue_t const * const venues[] = { VENUES( VENUE_PLACE ) };
#define VENUE_END ( sizeof( venues ) / sizeof( venues[0] ) )

sf_venue_t const * sf_venue_get( uint32_t venue ) { return venue < VENUE_END ? venues[venue] : 0; }

sf_venue_t const * sf_venue_of_program( uint8_t const program[32] ) {
  for( uint32_t i = 0; i < VENUE_END; i++ )
    if( venues[i] && !memcmp( venues[i]->program, program, 32 ) ) return venues[i];
  return 0;
}

void sf_pool_update_fill( sf_venue_t const * venue, void const * state, uint32_t state_bytes, uint64_t unix_s,
                          sf_pool_update_t * update ) {
  update->venue       = venue->venue;
  update->flags       = venue->disabled && venue->disabled( state ) ? SF_POOL_DISABLED : 0;
  update->unix_s      = unix_s;
  update->open_time   = venue->open_time ? venue->open_time( state ) : 0;
  update->state_bytes = (uint16_t)state_bytes;
  venue->reserves( state, update->reserve );
  memset( update->array, 0, sizeof( update->array ) );
  memset( update->array_cnt, 0, sizeof( update->array_cnt ) );
  for( int i = 0; i < 2; i++ ) {
    sf_curve_t curve;
    venue->curve( state, !i, unix_s, &curve );
    update->rate[i]  = curve.rate;
    update->depth[i] = curve.depth;
    update->limit[i] = curve.limit;
    if( venue->arrays ) update->array_cnt[i] = (uint8_t)venue->arrays( state, !i, update->array[i] );
  }
}

uint32_t sf_pool_quote_bytes( sf_pool_update_t const * update ) {
  sf_venue_t const * venue = sf_venue_get( update->venue );
  uint32_t bytes           = venue ? venue->quote_bytes : 0;
  return bytes && bytes < update->state_bytes ? bytes : update->state_bytes;
}

void sf_pool_quote_in( sf_pool_update_t const * update, int a_to_b, uint64_t amount_in, sf_quote_t * q ) {
  sf_venue_t const * venue = sf_venue_get( update->venue );
  if( __builtin_expect( !venue, 0 ) ) return sf_quote_refuse( q, 0 );
  venue->quote_in( sf_pool_state( update ), a_to_b, amount_in, update->unix_s, q );
}

void sf_pool_quote_out( sf_pool_update_t const * update, int a_to_b, uint64_t amount_out, sf_quote_t * q ) {
  sf_venue_t const * venue = sf_venue_get( update->venue );
  if( __builtin_expect( !venue, 0 ) ) return sf_quote_refuse( q, 0 );
  venue->quote_out( sf_pool_state( update ), a_to_b, amount_out, update->unix_s, q );
}

static __attribute__( ( noinline ) ) uint64_t out_quoted( sf_pool_update_t const * update, int a_to_b,
                                                          uint64_t amount_in ) {
  sf_quote_t q;
  sf_pool_quote_in( update, a_to_b, amount_in, &q );
  return q.status == SF_QUOTE_OK ? q.amount_out : 0;
}

uint64_t sf_pool_out( sf_pool_update_t const * update, int a_to_b, uint64_t amount_in ) {
  sf_venue_t const * venue = sf_venue_get( update->venue );
  uint64_t out             = 0;
  if( venue && venue->out_small ) out = venue->out_small( sf_pool_state( update ), a_to_b, amount_in, update->unix_s );
  return __builtin_expect( out != 0, 1 ) ? out : out_quoted( update, a_to_b, amount_in );
}
