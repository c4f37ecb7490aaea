/* swap.h: a hop of an order as the instruction that does it for the wallet.

     hop (pool, direction, arrays, amounts) ─┐
     row of the pools table ─────────────────┼─▶ venue ──▶ program, accounts, data
     wallet's token accounts ────────────────┘ */

#ifndef SF_TRADE_SWAP_H
#define SF_TRADE_SWAP_H

#include "dex/venue.h"
#include "sf_message.h"
#include "solana/token_account.h"

typedef struct sf_swap {
  sf_instruction_t instruction; /* points into this struct: do not copy it */
  sf_account_meta_t account[SF_SWAP_ACCOUNT_MAX];
  uint8_t data[SF_SWAP_DATA_BYTES_MAX];
} sf_swap_t;

/* sf_swap_make fills `out` for a hop over the pool of `row`, from and to the wallet's associated token
   accounts.  Returns 0, or SF_ERR_ARG if the hop's venue is not the row's or unknown.  Cold: the venue may derive
   addresses. */
int sf_swap_make( sf_swap_t * out, sf_hop_t const * hop, sf_pool_row_t const * row, sf_token_accounts_t * wallet );

/* sf_swap_data writes the data of a hop's instruction alone (room for SF_SWAP_DATA_BYTES_MAX) and its length.  Hot. */
int sf_swap_data( sf_venue_t const * venue, void const * state, sf_hop_t const * hop, uint8_t * out, uint32_t * len );

#endif
