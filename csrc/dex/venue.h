/* venue.h: a venue is one on-chain exchange program; a pool is one market account of it.

   All that the engine has to know of a venue is one row of function pointers over
   two structs of the venue's own:

     accounts ──▶ work ──price──▶ work ──travel──▶ state ──▶ quote_in, quote_out, curve
                (book's, whole)                  (in the pools table   └─▶ swap_accounts, swap_data
                                                  and in messages)

   `work` is all that is known of a pool, as large as it needs to be, and only book has it.  `state` is what
   a quote needs, at most SF_POOL_STATE_MAX bytes without a pointer, so that it can be copied between processes
   as it is: a bot that holds a market message quotes exactly what the program would pay.  Where a venue has
   ticks or bins the state holds those next to the price, as many as fit and as the tick or bin arrays in
   `arrays` cover; a quote that goes further is SF_QUOTE_EXHAUSTED.  For venues without lists work and state are
   one struct.

   Decoders return SF_ERR_DATA with the offset of what is wrong.  A new venue is a file with its row and
   a line in venue.c. */

#ifndef SF_DEX_VENUE_H
#define SF_DEX_VENUE_H

#include <stdint.h>

#include "dex/quote.h"
#include "sf_message.h"
#include "sf_rows.h"
#include "solana/message.h"

#define SF_VENUE_END           9  /* SF_VENUE_* are below */
#define SF_SWAP_ACCOUNT_MAX    32 /* accounts of one swap instruction */
#define SF_SWAP_DATA_BYTES_MAX 48

/* what an account of a venue's program is */
#define SF_ACCOUNT_OTHER  0 /* nothing that prices a pool */
#define SF_ACCOUNT_POOL   1
#define SF_ACCOUNT_SHARED 2 /* prices many pools: a config, a fee config */
#define SF_ACCOUNT_OWN    3 /* names its pool: a tick or bin array, a bitmap, an oracle */

/* what decode is given */
#define SF_PART_POOL        0
#define SF_PART_VAULT_A     1 /* token accounts */
#define SF_PART_VAULT_B     2
#define SF_PART_MINT_A      3
#define SF_PART_MINT_B      4
#define SF_PART_OWN         5
#define SF_PART_SHARED_0    6 /* in masks only */
#define SF_PART_SHARED_1    7
#define SF_PART_BIT( part ) ( 1u << ( part ) )

/* What a pool is made of; it never changes in the pool's life. */
typedef struct sf_pool_names {
  uint8_t mint[2][32];    /* token a and b; mint[0] all zero: the pool's token account says it (pump.fun) */
  uint8_t program[2][32]; /* token programs; all zero: the mint's owner is it */
  uint8_t vault[2][32];   /* watched if SF_PART_VAULT_* is in `needs` */
  uint8_t shared[2][32];  /* accounts that price it and others; all zero = none */
  uint32_t needs;         /* SF_PART_BITs without which there is no price */
  uint32_t moves;         /* SF_PART_BITs that a swap changes together (see dex/parts.h); only POOL, VAULT_A, VAULT_B */
} sf_pool_names_t;

/* One direction near the present price, in doubles, for searching: out = rate*v / (1 + depth*v) for an input v
   up to limit, fees included.  rate 0: nothing can be swapped. */
typedef struct sf_curve {
  double rate;
  double depth;
  double limit; /* base units; infinite where there is no end */
} sf_curve_t;

/* A swap of exact input as an order asks for it. */
typedef struct sf_swap_ask {
  uint8_t const * payer; /* 32 bytes each */
  uint8_t const * user_in;
  uint8_t const * user_out;
  uint64_t amount_in;
  uint64_t min_out;
  int a_to_b;
  uint32_t array_cnt;
  int32_t array[SF_SWAP_ARRAYS]; /* as `arrays` gave them when the order was made */
} sf_swap_ask_t;

typedef struct sf_venue {
  uint16_t venue; /* SF_VENUE_* */
  char const * name;
  uint8_t program[32];
  uint32_t work_bytes;
  uint32_t shared_bytes;   /* of the largest decoded shared account; 0 = it has none */
  uint32_t compute_units;  /* of a swap, generously */
  uint32_t crossing_units; /* that a swap may take more than others of its pool did: it crosses more ticks or bins */
  uint32_t by_supply;      /* 1: the supply of a mint is part of the price */
  uint32_t quote_bytes;    /* of a state, from its beginning, that quotes read; 0 = all.  The rest names accounts */

  /* account_kind tells by length and discriminator what data is: SF_ACCOUNT_*, or SF_ERR_DATA if one
     of the two is a known kind's and the other is not. */
  int ( *account_kind )( uint8_t const * data, uint32_t len );

  /* meet sets up work (zeroed) and names from a pool account that was not seen before, and decodes it. */
  int ( *meet )( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, void * work, sf_pool_names_t * names );

  /* own_pool writes the pool that an account of kind SF_ACCOUNT_OWN names; NULL if the venue has none. */
  int ( *own_pool )( uint8_t const * data, uint32_t len, uint8_t pool[32] );

  /* decode puts one of a pool's own accounts into work: SF_PART_POOL (fails if what the pool is made of changed),
     _VAULT_* (fails unless it is a token account of the pool's mint and owner), _MINT_*, _OWN.  `epoch` is for transfer
     fees.  After SF_ERR_DATA work is as it was.  _OWN without any bytes says that all such accounts that exist have been
     given; SF_ERR_DATA if that is no news to the venue. */
  int ( *decode )( void * work, uint32_t part, uint8_t const owner[32], uint8_t const * data, uint32_t len,
                   uint64_t slot, uint64_t epoch );

  /* shared_decode decodes a shared account, whichever it is, into shared_bytes. */
  int ( *shared_decode )( uint8_t const * data, uint32_t len, void * shared );

  /* price works out all that quotes need, once all parts in `needs` are there; shared[i] is NULL where names.shared[i]
     is none.  SF_ERR_DATA if they do not fit together. */
  int ( *price )( void * work, void const * const shared[2], uint64_t slot );

  /* whole says (1) that the accounts in work belong to one moment as far as can be told; NULL where `moves` is all
     there is to it.  If 0 book waits for the end of the slot and then takes them as they are. */
  int ( *whole )( void const * work );

  /* travel writes the state of a priced work (room for SF_POOL_STATE_MAX) and returns its bytes. */
  uint32_t ( *travel )( void const * work, void * state );

  /* -- on a state ------------------------------------------------------------ */

  /* as sf_<venue>_quote_in and _out; now is unix seconds */
  void ( *quote_in )( void const * state, int a_to_b, uint64_t amount_in, uint64_t now, sf_quote_t * q );
  void ( *quote_out )( void const * state, int a_to_b, uint64_t amount_out, uint64_t now, sf_quote_t * q );

  /* out_small is amount_out of quote_in if that takes the short way (dex/product.h), else 0; NULL where nothing is gained
     by it. */
  uint64_t ( *out_small )( void const * state, int a_to_b, uint64_t amount_in, uint64_t now );

  void ( *curve )( void const * state, int a_to_b, uint64_t now, sf_curve_t * out );

  /* reserves are what the venue prices by; of a concentrated pool the virtual ones of the present range. */
  void ( *reserves )( void const * state, uint64_t out[2] );

  /* arrays writes the start or number of the tick or bin arrays a swap in that direction names, and returns how many;
     NULL if the venue has none. */
  uint32_t ( *arrays )( void const * state, int a_to_b, int32_t out[SF_SWAP_ARRAYS] );

  uint32_t ( *open_time )( void const * state ); /* unix seconds from which swaps pass, 0 = none; NULL = none */
  int ( *disabled )( void const * state );       /* 1: the program refuses all swaps now; NULL = never */

  /* swap_accounts writes the accounts in the program's order (room for SF_SWAP_ACCOUNT_MAX) and their count; may derive
     addresses: cold.  swap_data writes the data (room for SF_SWAP_DATA_BYTES_MAX) and its length: hot; the length
     depends on nothing but the direction. */
  int ( *swap_accounts )( void const * state, sf_swap_ask_t const * ask, sf_account_meta_t * out, uint32_t * cnt );
  int ( *swap_data )( void const * state, sf_swap_ask_t const * ask, uint8_t * out, uint32_t * len );
} sf_venue_t;

/* sf_venue_get returns the row of SF_VENUE_*, or NULL if there is no such venue. */
sf_venue_t const * sf_venue_get( uint32_t venue );

/* sf_venue_of_program returns the row of an account's owner, or NULL. */
sf_venue_t const * sf_venue_of_program( uint8_t const program[32] );

/* sf_pool_update_fill writes what the head of an update says of the state behind it: reserves, curves, arrays,
   open_time, SF_POOL_DISABLED if the venue says so, state_bytes, unix_s.  The rest is the caller's. */
void sf_pool_update_fill( sf_venue_t const * venue, void const * state, uint32_t state_bytes, uint64_t unix_s,
                          sf_pool_update_t * update );

/* The state behind the head of an update, in a message or in a row of pools. */
static inline void const * sf_pool_state( sf_pool_update_t const * update ) { return update + 1; }

/* sf_pool_quote_bytes says how much of the state behind a head quotes read. */
uint32_t sf_pool_quote_bytes( sf_pool_update_t const * update );

/* sf_pool_quote_in is what the venue of an update says of amount_in at the update's own time; sf_pool_quote_out of
   amount_out.  Refused if the venue is unknown.  They do not look at flags, open_time or staleness.  Hot. */
void sf_pool_quote_in( sf_pool_update_t const * update, int a_to_b, uint64_t amount_in, sf_quote_t * q );
void sf_pool_quote_out( sf_pool_update_t const * update, int a_to_b, uint64_t amount_out, sf_quote_t * q );

/* sf_pool_out is amount_out of sf_pool_quote_in, 0 unless its status is SF_QUOTE_OK.  Hot. */
uint64_t sf_pool_out( sf_pool_update_t const * update, int a_to_b, uint64_t amount_in );

#endif
