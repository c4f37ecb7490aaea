/* metas.h: the accounts of an instruction, one after the other. */

#ifndef SF_DEX_METAS_H
#define SF_DEX_METAS_H

#include <string.h>

#include "solana/message.h"

/* sf_account_meta_put writes one more account behind the *cnt that are there. */
static inline void sf_account_meta_put( sf_account_meta_t * out, uint32_t * cnt, uint8_t const pubkey[32], int signer,
                                        int writable ) {
  sf_account_meta_t * meta = &out[( *cnt )++];
  memcpy( meta->pubkey, pubkey, 32 );
  meta->signer   = (uint8_t)signer;
  meta->writable = (uint8_t)writable;
}

#endif
