/* keyfile.h: the wallet's key on disk.

   Two forms, both of mode 0600 and owned by whoever runs us:

     [12,34,...]   the Solana CLI's: a JSON array of 64 numbers, seed and public key;

     { "format": "sniperforge-key-1",          ours, encrypted; one flat object of exactly these members
       "public_key": "<base58>",
       "kdf": "argon2id13",                    libsodium's crypto_pwhash
       "operations": 2, "memory_bytes": 67108864, "salt": "<16 bytes hex>",
       "cipher": "xchacha20poly1305-ietf",     the 64 bytes sealed, the public key as additional data
       "nonce": "<24 bytes hex>", "sealed": "<80 bytes hex>" }

   sniperforge/wallet/keyfile.py reads and writes the same. */

#ifndef SF_SOLANA_KEYFILE_H
#define SF_SOLANA_KEYFILE_H

#include <stdint.h>

#define SF_KEYFILE_BYTES_MAX    4096
#define SF_PASSPHRASE_BYTES_MAX 1024

/* sf_keyfile_read reads the key file at `path` into secret (64 bytes, libsodium's form, meant to be
   locked memory) and returns 0.  An encrypted file's passphrase is read from passphrase_fd up to its
   end (a last newline is not part of it); pass -1 if there is none.  The descriptor is closed in any case.
   What passes through memory besides is locked and wiped.
   Fails with SF_ERR_SYS, SF_ERR_STATE (others can read the file, or it is not ours), SF_ERR_DATA
   (malformed) or SF_ERR_CRYPTO (wrong passphrase, public key does not belong to the secret). */
int sf_keyfile_read( char const * path, int passphrase_fd, uint8_t secret[64] );

#endif
