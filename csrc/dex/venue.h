/* venue.h: a venue is one on-chain exchange program; a pool is one market account of it.

   All that the engine has to know of a venue is one row of function pointers:

     pool account ──┐
     config account ├─▶ price ──▶ sf_pool_update_t ──▶ quote_in, quote_out, curve
     two vaults ────┘                              └─▶ swap_accounts, swap_data

   `price` is the only place where account bytes become a price, and an update
   holds all of it: quotes need nothing else.  A quote is exactly what the
   program would pay, in its own rounding; where the program would refuse, the quote
   is 0 and there is no price.  Decoders return SF_ERR_DATA with the offset of what
   is wrong.  A new venue is a file with its row and a line in venue.c. */

#ifndef SF_DEX_VENUE_H
#define SF_DEX_VENUE_H

#include <stdint.h>

#include "sf_message.h"
#include "sf_rows.h"
#include "solana/message.h"

#define SF_SWAP_ACCOUNT_MAX    24 /* accounts of one swap instruction */
#define SF_SWAP_DATA_BYTES_MAX 48

/* what an account of a venue's program is */
#define SF_ACCOUNT_OTHER  0 /* nothing that prices a pool */
#define SF_ACCOUNT_POOL   1
#define SF_ACCOUNT_CONFIG 2

/* A pool account.  Side 0 is token a, side 1 token b. */
typedef struct sf_pool_state {
  uint8_t config[32];
  uint8_t vault[2][32];
  uint8_t mint[2][32];
  uint8_t program[2][32]; /* token program of the mint */
  uint8_t observation[32];
  uint64_t owed[2];   /* part of the vault that is fees, not reserve */
  uint64_t open_time; /* unix seconds; swaps are refused before */
  uint32_t decimals[2];
  uint32_t creator_fee_on;      /* as sf_pool_update_t */
  uint32_t creator_fee_enabled; /* 0 or 1 */
  uint32_t swap_disabled;       /* 0 or 1: the program refuses swaps now */
} sf_pool_state_t;

/* A config account: rates per 10^6. */
typedef struct sf_pool_config {
  uint32_t trade_fee_ppm;
  uint32_t creator_fee_ppm;
} sf_pool_config_t;

/* One direction of a pool as a curve for searching: out = y*g*f*v / (x + f*v) in doubles, f = in_factor,
   g = out_factor.  Near the current price if the venue is not a constant product. */
typedef struct sf_curve {
  double x;
  double y;
  double in_factor;
  double out_factor;
} sf_curve_t;

typedef struct sf_venue {
  uint16_t venue; /* SF_VENUE_* */
  char const * name;
  uint8_t program[32];
  uint8_t authority[32]; /* owner of the vaults */

  /* account_kind tells by length and discriminator what data is: SF_ACCOUNT_*, or SF_ERR_DATA if one
     of the two is a known kind's and the other is not. */
  int ( *account_kind )( uint8_t const * data, uint32_t len );

  int ( *pool_decode )( uint8_t const * data, uint32_t len, sf_pool_state_t * out );
  int ( *config_decode )( uint8_t const * data, uint32_t len, sf_pool_config_t * out );

  /* price fills the reserves, rates and flags of an update from decoded accounts and vault amounts; the
     rest of it stays.  Fails with SF_ERR_DATA if they do not fit together. */
  int ( *price )( sf_pool_state_t const * state, sf_pool_config_t const * config, uint64_t vault_a, uint64_t vault_b,
                  sf_pool_update_t * out );

  /* quote_in is what comes out for amount_in; quote_out is the least input that gives amount_out.  0: the
     program would fail.  They do not look at flags, open_time or staleness. */
  uint64_t ( *quote_in )( sf_pool_update_t const * pool, int a_to_b, uint64_t amount_in );
  uint64_t ( *quote_out )( sf_pool_update_t const * pool, int a_to_b, uint64_t amount_out );

  void ( *curve )( sf_pool_update_t const * pool, int a_to_b, sf_curve_t * out );

  int ( *swap_accounts )( sf_pool_row_t const * pool, int a_to_b, uint8_t const user_in[32], uint8_t const user_out[32],
                          uint8_t const payer[32], sf_account_meta_t * out, uint32_t * cnt );
  int ( *swap_data )( uint64_t amount_in, uint64_t min_out, uint8_t * out, uint32_t * len );
} sf_venue_t;

/* sf_venue_get returns the row of SF_VENUE_*, or NULL if there is no such venue. */
sf_venue_t const * sf_venue_get( uint32_t venue );

/* sf_venue_of_program returns the row of an account's owner, or NULL. */
sf_venue_t const * sf_venue_of_program( uint8_t const program[32] );

/* sf_venue_quote_in is quote_in of the pool's venue; 0 also if the venue is unknown.  Hot. */
uint64_t sf_venue_quote_in( sf_pool_update_t const * pool, int a_to_b, uint64_t amount_in );

/* sf_venue_swap_accounts writes the accounts of an exact-input swap instruction in the program's order
   (room for SF_SWAP_ACCOUNT_MAX) and their count.  user_in and user_out are the payer's token accounts.
   Returns 0 or SF_ERR_ARG if the venue is unknown. */
int sf_venue_swap_accounts( sf_pool_row_t const * pool, int a_to_b, uint8_t const user_in[32],
                            uint8_t const user_out[32], uint8_t const payer[32], sf_account_meta_t * out,
                            uint32_t * cnt );

/* sf_venue_swap_data writes the data of that instruction (room for SF_SWAP_DATA_BYTES_MAX) and its length.
   Returns 0 or SF_ERR_ARG. */
int sf_venue_swap_data( sf_pool_row_t const * pool, int a_to_b, uint64_t amount_in, uint64_t min_out, uint8_t * out,
                        uint32_t * len );

/* sf_pool_row_make is the row of a pool that has no price yet: its constants, venue and tokens, stale. */
void sf_pool_row_make( sf_venue_t const * venue, uint8_t const pubkey[32], sf_pool_state_t const * state,
                       sf_pool_update_t const * update, sf_pool_row_t * out );

/* sf_pool_row_update is the priced state in the row of pool number `pool`. */
static inline void sf_pool_row_update( sf_pool_row_t const * row, uint32_t pool, sf_pool_update_t * out ) {
  out->pool            = pool;
  out->venue           = row->venue;
  out->flags           = row->flags;
  out->slot            = row->slot;
  out->reserve_a       = row->reserve_a;
  out->reserve_b       = row->reserve_b;
  out->token_a         = row->token_a;
  out->token_b         = row->token_b;
  out->trade_fee_ppm   = row->trade_fee_ppm;
  out->creator_fee_ppm = row->creator_fee_ppm;
  out->creator_fee_on  = row->creator_fee_on;
  out->open_time       = row->open_time;
  for( int i = 0; i < 4; i++ ) out->more[i] = row->more[i];
}

#endif
