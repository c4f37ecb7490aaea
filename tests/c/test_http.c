/* HTTP answers: heads and bodies, whole and cut anywhere, wrong ones, random ones. */

#include "base/rng.h"
#include "check.h"
#include "io/http.h"

static sf_rng_t rng;

typedef struct answer {
  int ok; /* what the last step returned */
  uint32_t status;
  uint64_t taken;
  uint64_t length;
  char content[4096];
} answer_t;

/* run parses text as it would come in: `step` bytes at a time. */
static answer_t run( char const * text, uint64_t n, uint64_t step ) {
  static answer_t a;
  memset( &a, 0, sizeof( a ) );
  char * in           = malloc( n ? n : 1 );
  sf_http_head_t head = { 0 };
  sf_http_body_t body = { 0 };
  uint64_t have       = 0;
  while( have < n ) {
    uint64_t more = n - have < step ? n - have : step;
    char * part   = malloc( have + more ); /* exactly what has come, so that a look beyond is seen */
    memcpy( part, in, have );
    memcpy( part + have, text + have, more );
    free( in );
    in = part;
    have += more;
    if( !head.bytes ) {
      a.ok = sf_http_head_parse( &head, in, have );
      if( a.ok != 1 ) head.bytes = 0;
      if( a.ok < 0 ) break;
      if( a.ok == 0 ) continue;
    }
    a.ok = sf_http_body_step( &body, &head, in + head.bytes, have - head.bytes );
    if( a.ok ) break;
  }
  a.status = head.status;
  if( a.ok == 1 ) {
    a.taken  = head.bytes + body.taken;
    a.length = body.length;
    CHECK( body.length < sizeof( a.content ) );
    memcpy( a.content, in + head.bytes, body.length );
  }
  free( in );
  return a;
}

static char const * const right[][2] = {
  /* answer, content */
  { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello" },
  { "HTTP/1.1 200 OK\r\ncontent-length:5  \r\nConnection: keep-alive\r\n\r\nhello", "hello" },
  { "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n", "" },
  { "HTTP/1.1 204 \r\n\r\n", "" },
  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello" },
  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n02\r\nlo\r\n0\r\nA: b\r\n\r\n", "hello" },
  { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok" },
};

static char const * const wrong[] = {
  "X",
  "HTTP/2 200 OK\r\n\r\n",
  "HTTP/1.1 99 Low\r\n\r\n",
  "HTTP/1.1 2x0 OK\r\n\r\n",
  "HTTP/1.1  200 OK\r\n\r\n",
  "HTTP/1.1 2000 OK\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
  "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
  "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
  "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
  "HTTP/1.1 200 OK\r\nA: b\x01\r\n\r\n",
  "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
  "HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: 0123456789012345678901234567890123456789\r\n\r\n",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
};

static void test_answers( void ) {
  for( uint32_t k = 0; k < sizeof( right ) / sizeof( right[0] ); k++ ) {
    uint64_t n = strlen( right[k][0] );
    for( uint64_t step = 1; step <= n; step++ ) {
      answer_t a = run( right[k][0], n, step );
      CHECK( a.ok == 1 && a.taken == n && a.length == strlen( right[k][1] ) &&
             !memcmp( a.content, right[k][1], a.length ) );
    }
    for( uint64_t cut = 1; cut < n; cut++ ) CHECK( run( right[k][0], cut, cut ).ok == 0 );
  }
  for( uint32_t k = 0; k < sizeof( wrong ) / sizeof( wrong[0] ); k++ ) {
    uint64_t n = strlen( wrong[k] );
    CHECK( run( wrong[k], n, n ).ok == SF_ERR_DATA );
    CHECK( run( wrong[k], n, 1 ).ok == SF_ERR_DATA );
  }
  static char longer[SF_HTTP_HEAD_MAX + 64];
  memset( longer, 'a', sizeof( longer ) );
  memcpy( longer, "HTTP/1.1 200 OK\r\nA: ", 20 );
  CHECK( run( longer, SF_HTTP_HEAD_MAX - 1, SF_HTTP_HEAD_MAX ).ok == 0 );
  CHECK( run( longer, sizeof( longer ), sizeof( longer ) ).ok == SF_ERR_DATA );
}

static void test_head( void ) {
  sf_http_head_t h;
  char const * up = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, "
                    "Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  CHECK( sf_http_head_parse( &h, up, strlen( up ) ) == 1 && h.upgrade == 1 &&
         !strcmp( h.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ) && !h.extension );
  char const * half = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
  CHECK( sf_http_head_parse( &h, half, strlen( half ) ) == 1 && !h.upgrade && h.extension );
  char const * limit = "HTTP/1.1 429 X\r\nRetry-After: 7\r\nConnection: close\r\n\r\n";
  CHECK( sf_http_head_parse( &h, limit, strlen( limit ) ) == 1 && h.status == 429 && h.retry_after_s == 7 &&
         !h.keep_alive && h.content_length == -1 );
  char const * date = "HTTP/1.0 503 X\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n";
  CHECK( sf_http_head_parse( &h, date, strlen( date ) ) == 1 && !h.retry_after_s && !h.keep_alive );
}

static void test_random( void ) {
  static char const pieces[] = "\r\n:; ,0123456789abcdefHTTP/.xX\x01\x7f\xff";
  for( uint32_t round = 0; round < 10000; round++ ) {
    char const * text = right[sf_rng_below( &rng, sizeof( right ) / sizeof( right[0] ) )][0];
    uint64_t n        = strlen( text );
    char c[256];
    memcpy( c, text, n );
    for( uint64_t h = 1 + sf_rng_below( &rng, 4 ); h; h-- )
      c[sf_rng_below( &rng, n )] = pieces[sf_rng_below( &rng, sizeof( pieces ) - 1 )];
    answer_t a = run( c, n, 1 + sf_rng_below( &rng, n ) );
    CHECK( a.ok == 1 || a.ok == 0 || a.ok == SF_ERR_DATA );
  }
}

int main( void ) {
  sf_rng_seed( &rng, 2 );
  test_answers();
  test_head();
  test_random();
  printf( "http: ok\n" );
  return 0;
}
