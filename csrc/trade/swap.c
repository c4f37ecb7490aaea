#include "trade/swap.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"

#define PREFETCH_BYTES ( offsetof( sf_swap_t, account ) + 14 * sizeof( sf_account_meta_t ) )

void sf_swap_key( sf_hop_t const * hop, sf_swap_key_t * out ) {
  *out = ( sf_swap_key_t ){ .pool      = hop->pool,
                            .venue     = hop->venue,
                            .a_to_b    = hop->a_to_b != 0,
                            .array_cnt = hop->array_cnt < SF_SWAP_ARRAYS ? hop->array_cnt : SF_SWAP_ARRAYS };
  for( uint32_t i = 0; i < out->array_cnt; i++ ) out->array[i] = hop->array[i];
}

static sf_swap_ask_t ask_of( sf_swap_key_t const * key, uint64_t amount_in, uint64_t min_out ) {
  return ( sf_swap_ask_t ){ .amount_in = amount_in,
                            .min_out   = min_out,
                            .a_to_b    = key->a_to_b,
                            .array_cnt = key->array_cnt,
                            .array     = { key->array[0], key->array[1], key->array[2] } };
}

/* Where the eight bytes of v stand in data, once and no more; UINT32_MAX otherwise. */
static uint32_t place_of( uint64_t v, uint8_t const * data, uint32_t len ) {
  uint32_t at = UINT32_MAX;
  for( uint32_t i = 0; i + 8 <= len; i++ ) {
    if( memcmp( data + i, &v, 8 ) ) continue;
    if( at != UINT32_MAX ) return UINT32_MAX;
    at = i;
  }
  return at;
}

/* The data, and where in it the amounts stand: found with one pair of amounts, tried with another. */
static int data_make( sf_swap_t * out, void const * state ) {
  uint8_t other[SF_SWAP_DATA_BYTES_MAX] = { 0 }, filled[SF_SWAP_DATA_BYTES_MAX];
  sf_swap_ask_t one                     = ask_of( &out->key, 0x2f1d4c5b6a798897ul, 0x5a6b7c8d9eafb0c1ul );
  sf_swap_ask_t two                     = ask_of( &out->key, 0x2f1d4c5b6a798896ul, 0xa5944d725e0bf03eul );
  sf_hop_t const hop                    = { .amount_in = two.amount_in, .min_out = two.min_out };
  uint32_t len, other_len;
  memset( out->data, 0, sizeof( out->data ) );
  int err = out->venue->swap_data( state, &one, out->data, &len );
  if( !err ) err = out->venue->swap_data( state, &two, other, &other_len );
  if( err ) return err;
  uint32_t amount_off = place_of( one.amount_in, out->data, len ), least_off = place_of( one.min_out, out->data, len );
  if( amount_off == UINT32_MAX || least_off == UINT32_MAX || len != other_len )
    return sf_err_set( SF_ERR_ARG, "pool %u: the amounts do not stand in the data of its swap", out->key.pool );
  out->data_len   = (uint8_t)len;
  out->amount_off = (uint8_t)amount_off;
  out->least_off  = (uint8_t)least_off;
  sf_swap_data( out, &hop, filled );
  if( memcmp( filled, other, sizeof( other ) ) )
    return sf_err_set( SF_ERR_ARG, "pool %u: more than the amounts changes in the data of its swap", out->key.pool );
  return 0;
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
  if( ( err = data_make( out, row->state ) ) ) return err;
  sf_swap_ask_t ask = ask_of( &out->key, hop->amount_in, hop->min_out );
  ask.payer         = wallet->wallet;
  ask.user_in       = user_in;
  ask.user_out      = out->user_out;
  return out->venue->swap_accounts( row->state, &ask, out->account, &out->account_cnt );
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

void sf_swaps_prefetch( sf_swaps_t const * swaps, sf_hop_t const * hop ) {
  sf_swap_key_t key;
  sf_swap_key( hop, &key );
  uint32_t at = set_of( &key ), way = way_of( &swaps->set[at], &key );
  if( way == SF_SWAPS_WAYS ) return;
  uint8_t const * swap = (uint8_t const *)&swaps->swap[at][way];
  for( uint32_t off = 0; off < PREFETCH_BYTES; off += 64 ) __builtin_prefetch( swap + off );
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
