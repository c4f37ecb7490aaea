#include "solana/token_account.h"

#include <string.h>

#include "solana/address.h"

uint8_t const * sf_token_account_get( sf_token_accounts_t * accounts, uint32_t token, uint8_t const mint[32],
                                      uint8_t const program[32] ) {
  uint32_t at = token % SF_TOKEN_ACCOUNT_SLOTS;
  if( accounts->slot[at].used && !memcmp( accounts->slot[at].mint, mint, 32 ) &&
      !memcmp( accounts->slot[at].program, program, 32 ) )
    return accounts->slot[at].address;
  if( sf_address_token( accounts->wallet, program, mint, accounts->slot[at].address ) ) {
    accounts->slot[at].used = 0;
    return NULL;
  }
  accounts->slot[at].used = 1;
  memcpy( accounts->slot[at].mint, mint, 32 );
  memcpy( accounts->slot[at].program, program, 32 );
  return accounts->slot[at].address;
}
