/* signer.h: the wallet's key in locked memory, and signatures by it.

   An Ed25519 signature (RFC 8032) is the encoded point R = r*B and the scalar S = r + k*a, where

     a, prefix = SHA-512( seed )     once, when the key is read
     r         = SHA-512( prefix | message )
     k         = SHA-512( R | public key | message )

   so one key and one message have one signature.  crypto_sign_detached derives a and the prefix anew each time; here they
   are kept, and what is left is one multiplication of the base point, which is nearly all of the time, and two hashes.
   The arithmetic is libsodium's, in constant time; the hash is OpenSSL's, which takes 0.6 of the time of libsodium's.

   The key and what is computed on the way stand in two pages of their own: locked, left out of core dumps, between guard
   pages; the key's is read-only.  What was computed on the way is wiped before a signature is handed out.

   With a pool of nonces (solana/nonces.h) r*B is there before the message; such a signature is as good to whoever verifies
   it, but it is not the deterministic one. */

#ifndef SF_SOLANA_SIGNER_H
#define SF_SOLANA_SIGNER_H

#include <stdint.h>

#include "solana/nonces.h"

typedef struct sf_signer_key sf_signer_key_t;
typedef struct sf_signer_work sf_signer_work_t;

typedef struct sf_signer {
  uint8_t public_key[32];
  sf_signer_key_t * key;
  sf_signer_work_t * work;
} sf_signer_t;

/* sf_signer_open reads a key file as sf_keyfile_read does and fails like it, or with SF_ERR_SYS if no memory can be
   locked. */
int sf_signer_open( sf_signer_t * s, char const * path, int passphrase_fd );

/* sf_signer_sign writes the signature of a message, bit for bit that of crypto_sign_detached.  Hot: about 12 us, of which
   the base point takes 11. */
void sf_signer_sign( sf_signer_t * s, uint8_t signature[64], uint8_t const * message, uint64_t len );

/* sf_signer_make_nonce is sf_nonces_make with this key's prefix. */
int sf_signer_make_nonce( sf_signer_t * s, sf_nonces_t * nonces );

/* sf_signer_sign_ready signs with a nonce of the pool, which is zeroed before it returns, and returns 1; 0 if there is none,
   and `signature` as it was.  Hot: below 1 us for a transaction. */
int sf_signer_sign_ready( sf_signer_t * s, sf_nonces_t * nonces, uint8_t signature[64], uint8_t const * message,
                          uint64_t len );

/* sf_signer_close wipes the key.  A signer that was never opened may be closed if it is zero. */
void sf_signer_close( sf_signer_t * s );

#endif
