/* swap.h: a hop of an order as the instruction that does it for the wallet.

     hop (pool, direction, arrays) ─┐
     row of the pools table ────────┼─▶ venue ──▶ sf_swap_t: program, accounts ─┬─▶ instruction
     wallet's token accounts ───────┘               hop's amounts ──▶ data ─────┘

   What does not depend on the amounts costs up to 200 us, because venues derive addresses.  The amounts are two numbers of
   eight bytes in the instruction's data; all else is kept.  sf_swaps_t keeps it by pool, direction and arrays; what a pool is made of seldom changes, and who keeps it has to make it anew when the
   chain or the bytes say that it did. */

#ifndef SF_TRADE_SWAP_H
#define SF_TRADE_SWAP_H

#include <string.h>

#include "dex/venue.h"
#include "sf_message.h"
#include "solana/token_account.h"

#define SF_SWAPS_SETS 512
#define SF_SWAPS_WAYS SF_HOP_MAX /* so that the hops of one order do not push each other out */

/* What tells one swap from another. */
typedef struct sf_swap_key {
  uint32_t pool;
  uint16_t venue;
  uint8_t a_to_b;
  uint8_t array_cnt;
  int32_t array[SF_SWAP_ARRAYS]; /* 0 where there is none */
} sf_swap_key_t;

typedef struct sf_swap {
  sf_swap_key_t key;
  uint32_t token_in;
  uint32_t token_out;
  uint32_t account_cnt;
  sf_venue_t const * venue;
  uint8_t mint_in[32];
  uint8_t mint_out[32];
  uint8_t program_out[32]; /* token program of mint_out */
  uint8_t user_out[32];
  uint8_t data[SF_SWAP_DATA_BYTES_MAX];
  uint8_t data_len;
  uint8_t amount_off; /* where in data the amounts stand: what goes in, and the least that comes out */
  uint8_t least_off;
  sf_account_meta_t account[SF_SWAP_ACCOUNT_MAX]; /* last: few venues need all of it */
} sf_swap_t;

/* A set's keys stand together, so that looking for one touches two or three lines. */
typedef struct sf_swaps_set {
  uint64_t used[SF_SWAPS_WAYS]; /* stamp of the last use, 0 = empty */
  sf_swap_key_t key[SF_SWAPS_WAYS];
} sf_swaps_set_t;

typedef struct sf_swaps {
  uint64_t stamp;
  sf_swaps_set_t set[SF_SWAPS_SETS];
  sf_swap_t swap[SF_SWAPS_SETS][SF_SWAPS_WAYS];
} sf_swaps_t;

/* sf_swap_key is the key of a hop. */
void sf_swap_key( sf_hop_t const * hop, sf_swap_key_t * out );

/* sf_swap_make fills `out` for a hop over the pool of `row`, from and to the wallet's associated token
   accounts.  Returns 0, or SF_ERR_ARG if the hop's venue is not the row's or unknown, or its amounts do not stand in the data as
   they are.  Cold. */
int sf_swap_make( sf_swap_t * out, sf_hop_t const * hop, sf_pool_row_t const * row, sf_token_accounts_t * wallet );

/* sf_swap_data writes the data of the hop's instruction, swap->data_len bytes.  Hot. */
static inline void sf_swap_data( sf_swap_t const * swap, sf_hop_t const * hop, uint8_t out[SF_SWAP_DATA_BYTES_MAX] ) {
  memcpy( out, swap->data, SF_SWAP_DATA_BYTES_MAX );
  memcpy( out + swap->amount_off, &hop->amount_in, 8 );
  memcpy( out + swap->least_off, &hop->min_out, 8 );
}

/* sf_swaps_find returns the swap of a hop if it is kept, else NULL.  Hot. */
sf_swap_t * sf_swaps_find( sf_swaps_t * swaps, sf_hop_t const * hop );

/* sf_swaps_prefetch asks for the lines of a hop's swap, if it is kept.  Hot. */
void sf_swaps_prefetch( sf_swaps_t const * swaps, sf_hop_t const * hop );

/* sf_swaps_make makes the swap of a hop, in place of the one that is kept or else of the least recently used of its set.
   Returns it, or NULL where sf_swap_make fails. */
sf_swap_t * sf_swaps_make( sf_swaps_t * swaps, sf_hop_t const * hop, sf_pool_row_t const * row,
                           sf_token_accounts_t * wallet );

/* sf_swaps_forget drops the swap of this key. */
void sf_swaps_forget( sf_swaps_t * swaps, sf_swap_key_t const * key );

#endif
