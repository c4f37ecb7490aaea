/* token_transfer.h moves tokens by SPL Token's oldest instruction, Transfer, which names no mint: for
   programs older than TransferChecked, that take no Token-2022 mints. */

#ifndef SF_SBF_TOKEN_TRANSFER_H
#define SF_SBF_TOKEN_TRANSFER_H

#include "sbf/token.h"

#define TOKEN_TRANSFER 3

/* token_transfer_plain moves `amount` from one account to another; `authority` signs, itself or by
   `signer` (NULL: it already signed).  A failure ends the program. */
SBF_FUNCTION void token_transfer_plain( sbf_account_t const * from, sbf_account_t const * to,
                                        sbf_account_t const * authority, uint64_t amount,
                                        sbf_signer_t const * signer ) {
  sbf_account_t accounts[3];
  accounts[0]         = *from;
  accounts[1]         = *to;
  accounts[2]         = *authority;
  sbf_meta_t metas[3] = {
    { .key = from->key, .is_writable = 1 },
    { .key = to->key, .is_writable = 1 },
    { .key = authority->key, .is_signer = 1 },
  };
  uint8_t data[16] = { TOKEN_TRANSFER };
  sbf_put_u64( data + 1, amount );
  sbf_call_t call = { TOKEN_PROGRAM, metas, 3, data, 9 };
  sol_invoke_signed_c( &call, accounts, 3, signer, signer ? 1 : 0 );
}

#endif
