/* key.h: comparing public keys, which mostly differ in their first eight bytes. */

#ifndef SF_SOLANA_KEY_H
#define SF_SOLANA_KEY_H

#include <stdint.h>
#include <string.h>

static inline int sf_key_same( uint8_t const a[32], uint8_t const b[32] ) {
  uint64_t x[4], y[4];
  memcpy( x, a, 32 );
  memcpy( y, b, 32 );
  return x[0] == y[0] && !( ( x[1] ^ y[1] ) | ( x[2] ^ y[2] ) | ( x[3] ^ y[3] ) );
}

#endif
