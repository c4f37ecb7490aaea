/* token.h: what a venue needs of SPL Token and Token-2022 accounts.

   Both programs lay a token account out in 165 bytes and a mint in 82.  With
   extensions Token-2022 continues both: byte 165 says which of the two it is, and
   from 166 on follow type (u16), length (u16), value.  Decoders check every
   length; bytes that do not fit are SF_ERR_DATA with the offset, never a value. */

#ifndef SF_DEX_TOKEN_H
#define SF_DEX_TOKEN_H

#include <stdint.h>

#define SF_TOKEN_ACCOUNT_BYTES 165
#define SF_MINT_BYTES          82
#define SF_MINT_BRIEF_MAX      278 /* of sf_mint_brief */

#define SF_MINT_TRANSFER_FEE 1 /* what arrives is less than what is sent */
#define SF_MINT_UNKNOWN      2 /* an extension that we do not price, or do not know */

typedef struct sf_token_account {
  uint8_t const * mint; /* 32 bytes in the account's data, as the next */
  uint8_t const * owner;
  uint64_t amount;
} sf_token_account_t;

typedef struct sf_mint {
  uint64_t supply;
  uint32_t decimals;
  uint32_t flags; /* SF_MINT_* */
} sf_mint_t;

/* sf_token_program_known says if an account owner is SPL Token or Token-2022. */
int sf_token_program_known( uint8_t const program[32] );

/* sf_token_account_decode reads an initialized token account of `program`.  Returns 0 or SF_ERR_DATA. */
int sf_token_account_decode( uint8_t const program[32], uint8_t const * data, uint32_t len, sf_token_account_t * out );

/* sf_token_account_frozen says of data that sf_token_account_decode took that the account cannot send or receive now. */
static inline int sf_token_account_frozen( uint8_t const * data ) { return data[108] == 2; }

/* sf_mint_decode reads an initialized mint of `program` and looks through its extensions: pointers to
   metadata, the metadata and a transfer fee of zero are harmless, everything else sets a flag.
   Returns 0 or SF_ERR_DATA. */
int sf_mint_decode( uint8_t const program[32], uint8_t const * data, uint32_t len, sf_mint_t * out );

/* sf_mint_brief writes the mint without the extensions that no price depends on: the transfer fee stays.  What it
   writes is a mint again.  Returns its bytes.  Assumes that sf_mint_decode took data. */
uint32_t sf_mint_brief( uint8_t const * data, uint32_t len, uint8_t out[SF_MINT_BRIEF_MAX] );

#endif
