/* token_account.h: the wallet's associated token accounts, derived once each.

   A direct-mapped cache over the row numbers of the tokens table; a slot
   remembers which mint and program it is for, so that any number may be asked
   for and a collision costs only time. */

#ifndef SF_SOLANA_TOKEN_ACCOUNT_H
#define SF_SOLANA_TOKEN_ACCOUNT_H

#include <stdint.h>

#define SF_TOKEN_ACCOUNT_SLOTS 4096

typedef struct sf_token_accounts {
  uint8_t wallet[32];
  struct {
    uint32_t used;
    uint8_t mint[32];
    uint8_t program[32];
    uint8_t address[32];
  } slot[SF_TOKEN_ACCOUNT_SLOTS];
} sf_token_accounts_t;

/* sf_token_account_get returns the 32 bytes of the wallet's account for `mint` of `program`; valid
   until the next call.  `token` is the mint's row.  NULL if no address exists (as good as impossible).
   Assumes the struct was zeroed and `wallet` set.  Cost: 5 ns cached, 50 us the first time. */
uint8_t const * sf_token_account_get( sf_token_accounts_t * accounts, uint32_t token, uint8_t const mint[32],
                                      uint8_t const program[32] );

#endif
