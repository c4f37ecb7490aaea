/* token_extensions.h says what Token-2022 mints and accounts ask of a transfer: that it calls a hook, that
   it follows a memo.

   Source: spl-token-2022 `extension/{transfer_hook,memo_transfer}/mod.rs`. */

#ifndef SF_SBF_TOKEN_EXTENSIONS_H
#define SF_SBF_TOKEN_EXTENSIONS_H

#include "sbf/token.h"

#define TOKEN_MEMO_TRANSFER_TYPE 8
#define TOKEN_TRANSFER_HOOK_TYPE 14

/* token_extension returns the value of an extension of at least `size` bytes, or NULL. */
SBF_FUNCTION uint8_t const * token_extension( sbf_account_t const * account, uint64_t type, uint64_t size ) {
  if( sbf_key_equal( account->owner, TOKEN_PROGRAM ) ) return 0;
  uint8_t const * end = account->data + account->data_len;
  for( uint8_t const * p = account->data + TOKEN_EXTENSIONS_OFFSET; p + 4 <= end; p += 4 + sbf_u16( p + 2 ) ) {
    if( !sbf_u16( p ) ) return 0;
    if( sbf_u16( p ) == type ) return p + 4 + size <= end ? p + 4 : 0;
  }
  return 0;
}

/* token_has_hook says whether a transfer of this mint calls another program. */
SBF_FUNCTION bool token_has_hook( sbf_account_t const * mint ) {
  static uint8_t const nobody[32];
  uint8_t const * hook = token_extension( mint, TOKEN_TRANSFER_HOOK_TYPE, 64 );
  return hook && !sbf_key_equal( hook + 32, nobody );
}

/* token_wants_memo says whether the account takes only transfers that follow a memo. */
SBF_FUNCTION bool token_wants_memo( sbf_account_t const * account ) {
  uint8_t const * memo = token_extension( account, TOKEN_MEMO_TRANSFER_TYPE, 1 );
  return memo && *memo;
}

#endif
