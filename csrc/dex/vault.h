/* vault.h: the token account that holds one side of a pool. */

#ifndef SF_DEX_VAULT_H
#define SF_DEX_VAULT_H

#include <string.h>

#include "base/err.h"
#include "dex/token.h"

/* sf_vault_decode reads the amount in a token account of `program` that is to be of this mint and owner.  Returns 0 or
   SF_ERR_DATA. */
static inline int sf_vault_decode( uint8_t const program[32], uint8_t const * data, uint32_t len,
                                   uint8_t const mint[32], uint8_t const owner[32], uint64_t * amount ) {
  sf_token_account_t account;
  int err = sf_token_account_decode( program, data, len, &account );
  if( err ) return err;
  if( memcmp( account.mint, mint, 32 ) ) return sf_err_set( SF_ERR_DATA, "vault: it is of another mint (offset 0)" );
  if( memcmp( account.owner, owner, 32 ) ) return sf_err_set( SF_ERR_DATA, "vault: it is not the pool's (offset 32)" );
  *amount = account.amount;
  return 0;
}

#endif
