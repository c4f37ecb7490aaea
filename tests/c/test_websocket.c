/* WebSocket frames: any split, any fragmentation, limits, every kind of wrong
   frame, 10,000 random streams. */

#include "base/rng.h"
#include "check.h"
#include "io/websocket.h"

#define MESSAGE_MAX 200000

static sf_rng_t rng;

/* server_frame writes an unmasked frame and returns its length. */
static uint64_t server_frame( uint8_t * out, int fin, int opcode, void const * p, uint64_t n ) {
  uint64_t head = 2;
  out[0]        = (uint8_t)( fin << 7 | opcode );
  if( n < 126 ) out[1] = (uint8_t)n;
  else if( n < 65536 ) {
    out[1] = 126;
    out[2] = (uint8_t)( n >> 8 );
    out[3] = (uint8_t)n;
    head   = 4;
  } else {
    out[1] = 127;
    for( int i = 0; i < 8; i++ ) out[2 + i] = (uint8_t)( n >> ( 56 - 8 * i ) );
    head = 10;
  }
  memcpy( out + head, p, n );
  return head + n;
}

static void test_client_frame( void ) {
  uint8_t payload[70000], out[70100];
  uint64_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 70000 };
  for( uint32_t k = 0; k < 7; k++ ) {
    uint64_t n = sizes[k];
    for( uint64_t i = 0; i < n; i++ ) payload[i] = (uint8_t)sf_rng_next( &rng );
    uint32_t mask = (uint32_t)sf_rng_next( &rng );
    uint64_t len  = sf_frame_write( out, SF_FRAME_TEXT, mask, payload, n );
    CHECK( out[0] == 0x81 && out[1] & 0x80 );
    uint64_t head = len - n;
    CHECK( head == ( n < 126 ? 6u : n < 65536 ? 8u : 14u ) );
    for( uint64_t i = 0; i < n; i++ ) CHECK( ( out[head + i] ^ out[head - 4 + ( i & 3 )] ) == payload[i] );
    sf_frame_t f;
    CHECK( sf_frame_parse( &f, out, len ) == SF_ERR_DATA ); /* a server's frame is never masked */
  }
}

/* push gives bytes to an inbox in random pieces and checks what comes out against
   the expected messages. */
typedef struct expected {
  int opcode;
  uint64_t hash, n;
} expected_t;

static uint64_t hash( void const * p, uint64_t n ) {
  uint64_t h = 1469598103934665603UL;
  for( uint64_t i = 0; i < n; i++ ) h = ( h ^ ( (uint8_t const *)p )[i] ) * 1099511628211UL;
  return h;
}

static int drain( sf_inbox_t * b, expected_t const * want, uint32_t * at, uint32_t cnt ) {
  sf_span_t s;
  int op;
  while( ( op = sf_inbox_next( b, &s ) ) > 0 ) {
    CHECK( *at < cnt && want[*at].opcode == op && want[*at].n == s.n && want[*at].hash == hash( s.p, s.n ) );
    ( *at )++;
  }
  return op;
}

/* maybe_ping puts a ping between two frames now and then. */
static uint64_t maybe_ping( uint8_t * out, expected_t * want, uint32_t * cnt ) {
  if( sf_rng_below( &rng, 4 ) || *cnt >= 60 ) return 0;
  uint8_t body[125];
  uint64_t n = sf_rng_below( &rng, 126 );
  memset( body, (int)n, sizeof( body ) );
  want[( *cnt )++] = ( expected_t ){ SF_FRAME_PING, hash( body, n ), n };
  return server_frame( out, 1, SF_FRAME_PING, body, n );
}

static void test_streams( void ) {
  static uint8_t stream[4000000], payload[MESSAGE_MAX];
  for( uint32_t round = 0; round < 300; round++ ) {
    sf_inbox_t b;
    CHECK( !sf_inbox_init( &b, MESSAGE_MAX ) );
    expected_t want[64];
    uint32_t cnt = 0;
    uint64_t n   = 0;
    while( cnt < 20 && n < sizeof( stream ) - 2 * MESSAGE_MAX ) {
      uint64_t size = sf_rng_below( &rng, sf_rng_below( &rng, 12 ) ? 2000 : MESSAGE_MAX );
      for( uint64_t i = 0; i < size; i++ ) payload[i] = (uint8_t)sf_rng_next( &rng );
      int opcode    = 1 + (int)sf_rng_below( &rng, 2 );
      uint64_t done = 0;
      int fin = 0, first = 1;
      while( !fin ) { /* in one frame or in many, some of them empty */
        uint64_t part = sf_rng_below( &rng, 2 ) ? size - done : sf_rng_below( &rng, size - done + 1 );
        fin           = done + part == size && sf_rng_below( &rng, 4 );
        n += server_frame( stream + n, fin, first ? opcode : SF_FRAME_CONTINUATION, payload + done, part );
        done += part;
        first = 0;
        if( !fin ) n += maybe_ping( stream + n, want, &cnt );
      }
      want[cnt++] = ( expected_t ){ opcode, hash( payload, size ), size };
    }
    uint64_t at   = 0;
    uint32_t seen = 0;
    uint64_t most = sf_rng_below( &rng, 2 ) ? 65536 : 1 + sf_rng_below( &rng, 3000 );
    while( at < n ) {
      uint64_t room, part = 1 + sf_rng_below( &rng, most );
      uint8_t * p = sf_inbox_room( &b, &room );
      CHECK( room );
      if( part > room ) part = room;
      if( part > n - at ) part = n - at;
      memcpy( p, stream + at, part );
      b.to += part;
      at += part;
      CHECK( drain( &b, want, &seen, cnt ) == 0 );
    }
    CHECK( seen == cnt );
    sf_inbox_fini( &b );
  }
}

static int feed( uint8_t const * p, uint64_t n ) {
  sf_inbox_t b;
  CHECK( !sf_inbox_init( &b, 1000 ) );
  int op = 0;
  for( uint64_t at = 0; at < n && op >= 0; ) {
    uint64_t room;
    uint8_t * to  = sf_inbox_room( &b, &room );
    uint64_t part = 1 + sf_rng_below( &rng, 400 );
    if( part > n - at ) part = n - at;
    CHECK( room >= part );
    memcpy( to, p + at, part );
    b.to += part;
    at += part;
    sf_span_t s;
    while( ( op = sf_inbox_next( &b, &s ) ) > 0 )
      CHECK( (uint8_t *)s.p >= b.bytes && (uint8_t *)s.p + s.n <= b.bytes + b.max );
  }
  sf_inbox_fini( &b );
  return op;
}

static void test_wrong( void ) {
  static uint8_t const masked[] = { 0x81, 0x81, 1, 2, 3, 4, 5 }, reserved[] = { 0xc1, 0 }, opcode3[] = { 0x83, 0 },
                       opcode11[] = { 0x8b, 0 };
  static uint8_t const ping_cut[] = { 0x09, 0 }, ping_long[] = { 0x89, 126, 0, 126 },
                       shorter16[] = { 0x81, 126, 0, 125 }, shorter64[] = { 0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255 };
  static uint8_t const sign[] = { 0x81, 127, 0x80, 0, 0, 0, 0, 1, 0, 0 }, lone[] = { 0x80, 1, 'a' },
                       twice[] = { 0x01, 1, 'a', 0x81, 1, 'b' };
#define WRONG( a, e ) CHECK( feed( a, sizeof( a ) ) == ( e ) )
  WRONG( masked, SF_ERR_DATA );
  WRONG( reserved, SF_ERR_DATA );
  WRONG( opcode3, SF_ERR_DATA );
  WRONG( opcode11, SF_ERR_DATA );
  WRONG( ping_cut, SF_ERR_DATA );
  WRONG( ping_long, SF_ERR_DATA );
  WRONG( shorter16, SF_ERR_DATA );
  WRONG( shorter64, SF_ERR_DATA );
  WRONG( sign, SF_ERR_DATA );
  WRONG( lone, SF_ERR_DATA );
  WRONG( twice, SF_ERR_DATA );
  static uint8_t const large[] = { 0x81, 126, 3, 0xe9 }, fits[] = { 0x81, 126, 3, 0xe8 }; /* 1001 and 1000 */
  WRONG( large, SF_ERR_LIMIT );
  WRONG( fits, 0 );
  uint8_t joined[2048], body[600];
  memset( body, 'x', sizeof( body ) );
  uint64_t n = server_frame( joined, 0, 1, body, 600 );
  n += server_frame( joined + n, 1, 0, body, 600 );
  CHECK( feed( joined, n ) == SF_ERR_LIMIT );
}

static void test_random( void ) {
  for( uint32_t round = 0; round < 10000; round++ ) {
    uint8_t c[2048], body[512];
    uint64_t n = 0;
    for( uint32_t k = 0; k < 1 + sf_rng_below( &rng, 4 ) && n < 1200; k++ ) {
      uint64_t size = sf_rng_below( &rng, sizeof( body ) );
      memset( body, (int)k, sizeof( body ) );
      n += server_frame( c + n, sf_rng_below( &rng, 2 ),
                         sf_rng_below( &rng, 4 ) ? (int)sf_rng_below( &rng, 3 ) : (int)sf_rng_below( &rng, 16 ), body,
                         size );
    }
    for( uint64_t h = sf_rng_below( &rng, 6 ); h; h-- ) c[sf_rng_below( &rng, n )] = (uint8_t)sf_rng_next( &rng );
    int op = feed( c, n );
    CHECK( op == 0 || op == SF_ERR_DATA || op == SF_ERR_LIMIT );
  }
}

int main( void ) {
  sf_rng_seed( &rng, 3 );
  test_client_frame();
  test_streams();
  test_wrong();
  test_random();
  printf( "websocket: ok\n" );
  return 0;
}
