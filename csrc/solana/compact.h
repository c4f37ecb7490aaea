/* compact.h: compact-u16, Solana's variable length number: seven bits a byte,
   least significant first, the top bit says that another byte follows; at most
   three bytes, at most 65535, and never a byte more than needed. */

#ifndef SF_SOLANA_COMPACT_H
#define SF_SOLANA_COMPACT_H

#include <stdint.h>

/* sf_compact_read reads a number from at most `avail` bytes and returns how many bytes it took, or 0
   if it is cut off, too large or longer than needed. */
static inline uint32_t sf_compact_read( uint8_t const * bytes, uint32_t avail, uint32_t * out ) {
  if( avail < 1u ) return 0;
  if( bytes[0] < 0x80 ) {
    *out = bytes[0];
    return 1;
  }
  if( avail < 2u || !bytes[1] ) return 0;
  uint32_t value = ( bytes[0] & 0x7fu ) | (uint32_t)( bytes[1] & 0x7f ) << 7;
  if( bytes[1] < 0x80 ) {
    *out = value;
    return 2;
  }
  if( avail < 3u || !bytes[2] || bytes[2] > 3 ) return 0;
  *out = value | (uint32_t)bytes[2] << 14;
  return 3;
}

/* sf_compact_write writes value (at most 65535) and returns the bytes written, at most three. */
static inline uint32_t sf_compact_write( uint8_t * bytes, uint32_t value ) {
  uint32_t n = 0;
  for( ; value >= 0x80u; value >>= 7 ) bytes[n++] = (uint8_t)( value | 0x80u );
  bytes[n++] = (uint8_t)value;
  return n;
}

/* sf_compact_size returns the bytes that sf_compact_write needs. */
static inline uint32_t sf_compact_size( uint32_t value ) { return value < 0x80u ? 1u : value < 0x4000u ? 2u : 3u; }

#endif
