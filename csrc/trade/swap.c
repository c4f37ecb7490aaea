#include "trade/swap.h"

#include <string.h>

#include "base/err.h"

void sf_swap_key( sf_hop_t const * hop, sf_swap_key_t * out ) {
  *out = ( sf_swap_key_t ){ .pool      = hop->pool,
                            .venue     = hop->venue,
                            .a_to_b    = hop->a_to_b != 0,
                            .array_cnt = hop->array_cnt < SF_SWAP_ARRAYS ? hop->array_cnt : SF_SWAP_ARRAYS };
  for( uint32_t i = 0; i < out->array_cnt; i++ ) out->array[i] = hop->array[i];
}

static sf_swap_ask_t ask_of( sf_swap_key_t const * key, sf_hop_t const * hop ) {
  return ( sf_swap_ask_t ){ .amount_in = hop->amount_in,
                            .min_out   = hop->min_out,
                            .a_to_b    = key->a_to_b,
                            .array_cnt = key->array_cnt,
                            .array     = { key->array[0], key->array[1], key->array[2] } };
}

/* The wallet's account for side a or b of the pool; copied, because the next call may take its place. */
static int user_account( sf_pool_row_t const * row, int side_a, sf_token_accounts_t * wallet, uint8_t out[32] ) {
  uint8_t const * account = side_a ? sf_token_account_get( wallet, row->update.token_a, row->mint_a, row->program_a )
                                   : sf_token_account_get( wallet, row->update.token_b, row->mint_b, row->program_b );
  if( !account ) return SF_ERR_ARG;
  memcpy( out, account, 32 );
  return 0;
}

int sf_swap_make( sf_swap_t * out, sf_hop_t const * hop, sf_pool_row_t const * row, sf_token_accounts_t * wallet ) {
  sf_pool_update_t const * u = &row->update;
  uint8_t user_in[32];
  sf_swap_key( hop, &out->key );
  out->venue = sf_venue_get( u->venue );
  if( !out->venue || hop->venue != u->venue || u->state_bytes > SF_POOL_STATE_MAX )
    return sf_err_set( SF_ERR_ARG, "pool %u: venue %u asked for, it is of venue %u", hop->pool, hop->venue, u->venue );
  int a_to_b = out->key.a_to_b;
  int err    = user_account( row, a_to_b, wallet, user_in );
  if( !err ) err = user_account( row, !a_to_b, wallet, out->user_out );
  if( err ) return err;
  out->token_in  = a_to_b ? u->token_a : u->token_b;
  out->token_out = a_to_b ? u->token_b : u->token_a;
  memcpy( out->mint_in, a_to_b ? row->mint_a : row->mint_b, 32 );
  memcpy( out->mint_out, a_to_b ? row->mint_b : row->mint_a, 32 );
  memcpy( out->program_out, a_to_b ? row->program_b : row->program_a, 32 );
  memcpy( out->state, row->state, u->state_bytes );
  sf_swap_ask_t ask = ask_of( &out->key, hop );
  ask.payer         = wallet->wallet;
  ask.user_in       = user_in;
  ask.user_out      = out->user_out;
  return out->venue->swap_accounts( out->state, &ask, out->account, &out->account_cnt );
}

int sf_swap_data( sf_swap_t const * swap, sf_hop_t const * hop, uint8_t * out, uint32_t * len ) {
  sf_swap_ask_t ask = ask_of( &swap->key, hop );
  return swap->venue->swap_data( swap->state, &ask, out, len );
}

/* -- kept --------------------------------------------------------------------- */

static uint32_t set_of( sf_swap_key_t const * key ) {
  uint64_t h = ( key->pool * 2ul + key->a_to_b + 1 ) * 0x9e3779b97f4a7c15ul;
  for( uint32_t i = 0; i < SF_SWAP_ARRAYS; i++ ) h = ( h ^ (uint32_t)key->array[i] ) * 0x9e3779b97f4a7c15ul;
  return ( h >> 40 ) % SF_SWAPS_SETS;
}

/* The way of a set that holds this key, SF_SWAPS_WAYS if none does. */
static uint32_t way_of( sf_swaps_set_t const * set, sf_swap_key_t const * key ) {
  uint32_t way = 0;
  while( way < SF_SWAPS_WAYS && ( !set->used[way] || memcmp( &set->key[way], key, sizeof( *key ) ) ) ) way++;
  return way;
}

sf_swap_t * sf_swaps_find( sf_swaps_t * swaps, sf_hop_t const * hop ) {
  sf_swap_key_t key;
  sf_swap_key( hop, &key );
  uint32_t at = set_of( &key ), way = way_of( &swaps->set[at], &key );
  if( way == SF_SWAPS_WAYS ) return NULL;
  swaps->set[at].used[way] = ++swaps->stamp;
  return &swaps->swap[at][way];
}

sf_swap_t * sf_swaps_make( sf_swaps_t * swaps, sf_hop_t const * hop, sf_pool_row_t const * row,
                           sf_token_accounts_t * wallet ) {
  sf_swap_key_t key;
  sf_swap_key( hop, &key );
  uint32_t at          = set_of( &key );
  sf_swaps_set_t * set = &swaps->set[at];
  uint32_t way         = way_of( set, &key );
  if( way == SF_SWAPS_WAYS ) {
    way = 0;
    for( uint32_t i = 1; i < SF_SWAPS_WAYS; i++ )
      if( set->used[i] < set->used[way] ) way = i;
  }
  sf_swap_t * swap = &swaps->swap[at][way];
  set->used[way]   = 0;
  if( sf_swap_make( swap, hop, row, wallet ) ) return NULL;
  set->key[way]  = key;
  set->used[way] = ++swaps->stamp;
  return swap;
}

void sf_swaps_forget( sf_swaps_t * swaps, sf_swap_key_t const * key ) {
  uint32_t at = set_of( key ), way = way_of( &swaps->set[at], key );
  if( way < SF_SWAPS_WAYS ) swaps->set[at].used[way] = 0;
}
