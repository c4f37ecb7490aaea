/* fuzz_websocket.c: any bytes as what a server sends, in pieces whose sizes the
   input says: the answer to the upgrade, then frames.  What comes out must not depend on
   how the bytes were cut. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/websocket.h"
#include "sf_abi.h"

#define MESSAGE_MAX 512

/* run returns a digest of all that was given out, and of how it ended. */
static uint64_t run( uint8_t const * bytes, size_t size, uint64_t step ) {
  static sf_inbox_t b;
  if( !b.bytes && sf_inbox_init( &b, MESSAGE_MAX ) ) abort();
  sf_inbox_clear( &b );
  uint64_t digest = 7;
  int op          = 0;
  for( size_t at = 0; at < size && op >= 0; ) {
    uint64_t room;
    uint8_t * to  = sf_inbox_room( &b, &room );
    uint64_t part = size - at < step ? size - at : step;
    if( !room ) abort();
    if( part > room ) part = room;
    memcpy( to, bytes + at, part );
    b.to += part;
    at += part;
    sf_span_t s;
    while( ( op = sf_inbox_next( &b, &s ) ) > 0 ) {
      if( op < SF_FRAME_CLOSE && s.n > MESSAGE_MAX ) abort();
      digest = digest * 31 + (uint64_t)op;
      for( uint64_t i = 0; i < s.n; i++ ) digest = digest * 31 + (uint8_t)s.p[i];
    }
  }
  return digest * 31 + (uint64_t)-op;
}

int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  if( !size ) return 0;
  uint64_t step = 1 + bytes[0];
  bytes++;
  size--;
  sf_http_head_t head;
  sf_http_head_parse( &head, (char const *)bytes, size );
  if( run( bytes, size, step ) != run( bytes, size, 65536 ) ) abort();
  return 0;
}
