/* fuzz_json.c: any bytes as JSON, as base64, as an HTTP answer, as a URL.  What decodes
   as base64 must encode to the same text. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/base64.h"
#include "io/http.h"
#include "io/url.h"

static void base64( char const * text, size_t size ) {
  static uint8_t out[4096];
  static char back[SF_BASE64_CHARS( sizeof( out ) )];
  int64_t n = sf_base64_decode( out, sizeof( out ), text, size );
  if( n < 0 ) return;
  if( sf_base64_encode( back, out, (uint64_t)n ) != size || memcmp( back, text, size ) ) abort();
}

static void http( char const * text, size_t size ) {
  sf_http_head_t head;
  sf_http_body_t body = { 0 };
  if( sf_http_head_parse( &head, text, size ) != 1 ) return;
  if( head.bytes > size ) abort();
  uint64_t n  = size - head.bytes;
  char * copy = malloc( n ? n : 1 );
  memcpy( copy, text + head.bytes, n );
  if( sf_http_body_step( &body, &head, copy, n ) == 1 && ( body.taken > n || body.length > body.taken ) ) abort();
  free( copy );
}

int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  sf_json_t j;
  sf_json_open( &j, (char const *)bytes, size );
  if( !sf_json_skip( &j ) && ( j.p > j.end || j.depth ) ) abort();
  base64( (char const *)bytes, size );
  http( (char const *)bytes, size );
  char text[2048];
  if( size >= sizeof( text ) ) return 0;
  memcpy( text, bytes, size );
  text[size] = 0;
  sf_url_t url;
  if( !sf_url_parse( &url, text ) && ( url.path[0] != '/' || !url.host[0] || !url.port ) ) abort();
  return 0;
}
