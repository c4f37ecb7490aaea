#include "dex/venue.h"

#include <string.h>

#include "base/err.h"
#include "dex/raydium_cpmm.h"

static sf_venue_t const * const venues[] = {
  [SF_VENUE_RAYDIUM_CPMM] = &sf_raydium_cpmm,
};
#define VENUE_END ( sizeof( venues ) / sizeof( venues[0] ) )

sf_venue_t const * sf_venue_get( uint32_t venue ) { return venue < VENUE_END ? venues[venue] : 0; }

sf_venue_t const * sf_venue_of_program( uint8_t const program[32] ) {
  for( uint32_t i = 1; i < VENUE_END; i++ )
    if( !memcmp( venues[i]->program, program, 32 ) ) return venues[i];
  return 0;
}

uint64_t sf_venue_quote_in( sf_pool_update_t const * pool, int a_to_b, uint64_t amount_in ) {
  sf_venue_t const * venue = sf_venue_get( pool->venue );
  return venue ? venue->quote_in( pool, a_to_b, amount_in ) : 0;
}

int sf_venue_swap_accounts( sf_pool_row_t const * pool, int a_to_b, uint8_t const user_in[32],
                            uint8_t const user_out[32], uint8_t const payer[32], sf_account_meta_t * out,
                            uint32_t * cnt ) {
  sf_venue_t const * venue = sf_venue_get( pool->venue );
  if( !venue ) return sf_err_set( SF_ERR_ARG, "pool of venue %u, which this build does not know", pool->venue );
  return venue->swap_accounts( pool, a_to_b, user_in, user_out, payer, out, cnt );
}

int sf_venue_swap_data( sf_pool_row_t const * pool, int a_to_b, uint64_t amount_in, uint64_t min_out, uint8_t * out,
                        uint32_t * len ) {
  (void)a_to_b;
  sf_venue_t const * venue = sf_venue_get( pool->venue );
  if( !venue ) return sf_err_set( SF_ERR_ARG, "pool of venue %u, which this build does not know", pool->venue );
  return venue->swap_data( amount_in, min_out, out, len );
}

void sf_pool_row_make( sf_venue_t const * venue, uint8_t const pubkey[32], sf_pool_state_t const * state,
                       sf_pool_update_t const * update, sf_pool_row_t * out ) {
  memset( out, 0, sizeof( *out ) );
  out->venue   = venue->venue;
  out->stale   = 1;
  out->token_a = update->token_a;
  out->token_b = update->token_b;
  memcpy( out->pool, pubkey, 32 );
  memcpy( out->config, state->config, 32 );
  memcpy( out->mint_a, state->mint[0], 32 );
  memcpy( out->mint_b, state->mint[1], 32 );
  memcpy( out->vault_a, state->vault[0], 32 );
  memcpy( out->vault_b, state->vault[1], 32 );
  memcpy( out->program_a, state->program[0], 32 );
  memcpy( out->program_b, state->program[1], 32 );
  memcpy( out->observation, state->observation, 32 );
  memcpy( out->authority, venue->authority, 32 );
}
