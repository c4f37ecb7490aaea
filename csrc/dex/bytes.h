/* bytes.h: little-endian numbers in account and instruction data. */

#ifndef SF_DEX_BYTES_H
#define SF_DEX_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t sf_get_u16( uint8_t const * p ) {
  uint16_t v;
  memcpy( &v, p, sizeof( v ) );
  return v;
}

static inline uint64_t sf_get_u64( uint8_t const * p ) {
  uint64_t v;
  memcpy( &v, p, sizeof( v ) );
  return v;
}

static inline void sf_put_u64( uint8_t * p, uint64_t v ) { memcpy( p, &v, sizeof( v ) ); }

#endif
