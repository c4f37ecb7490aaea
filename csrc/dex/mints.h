/* mints.h: the tokens of all pools, in the order in which pools named them.

   A mint is named by a pool or by a pool's token account before its own account comes; that gives decimals,
   extensions and, where nobody had said it, its token program.  Of the account sf_mint_brief is kept, so that a pool
   that is met later, or a new epoch, can take the transfer fee from it. */

#ifndef SF_DEX_MINTS_H
#define SF_DEX_MINTS_H

#include "dex/token.h"

typedef struct sf_mint_entry {
  uint8_t mint[32];
  uint8_t program[32]; /* all zero: not known yet */
  sf_mint_t about;
  uint32_t known; /* 1 = its account was read */
  uint32_t brief_len;
  uint8_t brief[SF_MINT_BRIEF_MAX];
} sf_mint_entry_t;

typedef struct sf_mints {
  sf_mint_entry_t * entry;
  uint32_t cnt;
  uint32_t max;
} sf_mints_t;

/* sf_mints_open takes memory for max mints.  Returns 0 or SF_ERR_LIMIT. */
int sf_mints_open( sf_mints_t * mints, uint32_t max );
void sf_mints_close( sf_mints_t * mints );

/* sf_mints_add enters a mint that is not there and returns its number, or SF_ERR_FULL.  program may be all zero. */
int sf_mints_add( sf_mints_t * mints, uint8_t const mint[32], uint8_t const program[32] );

/* sf_mints_program holds a program that a pool says against what is known, and takes it if nothing is.  All zero
   says nothing.  Returns 0, or SF_ERR_DATA if it is another. */
int sf_mints_program( sf_mints_t * mints, uint32_t index, uint8_t const program[32] );

/* sf_mints_take reads the mint's account.  Returns 0 if nothing changed that a price can depend on, SF_MINTS_SUPPLY if
   only the supply did, SF_MINTS_CHANGED, or SF_ERR_DATA: then, too, the mint is not known until good bytes come. */
#define SF_MINTS_SUPPLY  1
#define SF_MINTS_CHANGED 2
int sf_mints_take( sf_mints_t * mints, uint32_t index, uint8_t const owner[32], uint8_t const * data, uint32_t len );

/* sf_mint_entry_fee says if what the mint withholds may change with the epoch. */
static inline int sf_mint_entry_fee( sf_mint_entry_t const * e ) { return e->known && e->brief_len > 166; }

#endif
