/* base58.h: the text form of public keys, signatures and blockhashes: Bitcoin's
   alphabet, no checksum, one leading '1' per leading zero byte. */

#ifndef SF_SOLANA_BASE58_H
#define SF_SOLANA_BASE58_H

#include <stdint.h>

#define SF_BASE58_MAX      64 /* bytes: the largest thing written so is a signature */
#define SF_BASE58_TEXT_MAX 89 /* characters of SF_BASE58_MAX bytes, terminating zero included */
#define SF_PUBKEY_TEXT_MAX 45 /* the same for 32 bytes */

/* sf_base58_encode writes n bytes (at most SF_BASE58_MAX) as zero-terminated text and returns its
   length.  Fails with SF_ERR_ARG if n or text_bytes does not fit. */
int sf_base58_encode( uint8_t const * bytes, uint32_t n, char * text, uint32_t text_bytes );

/* sf_base58_decode reads text_len characters into at most max (at most SF_BASE58_MAX) bytes and
   returns how many there are.  Fails with SF_ERR_DATA; the sentence names the offset. */
int sf_base58_decode( char const * text, uint32_t text_len, uint8_t * bytes, uint32_t max );

/* sf_pubkey_decode reads a zero-terminated public key or blockhash: exactly 32 bytes.
   Returns 0, fails with SF_ERR_DATA. */
int sf_pubkey_decode( char const * text, uint8_t out[32] );

/* sf_pubkey_encode writes 32 bytes as zero-terminated text and returns `text`. */
char const * sf_pubkey_encode( uint8_t const pubkey[32], char text[SF_PUBKEY_TEXT_MAX] );

#endif
