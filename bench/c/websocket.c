/* bench websocket: accountNotifications in over loopback.

     build/release/bench/c/websocket serve CERTIFICATE KEY BYTES RATE SECONDS STREAM
     build/release/bench/c/websocket client ENGINE URL CA

   serve   a node for one client, on the first core; CERTIFICATE and KEY empty: without TLS.  Prints its port, and after
           the client has upgraded sends two things about an account of BYTES: RATE notifications a second for SECONDS, open loop, each with the
           time (CLOCK_MONOTONIC) it was intended for as the account's lamports, then STREAM of them as fast as the
           client takes them.  The subscription says what it is: 1 warm-up, 2 counted, 3 the stream, 4 its last
   client  ours, spinning on the last core: WebSocket, JSON, base58 and base64 as the feed does it; ENGINE is recv or
           uring, or bare: a receive call and nothing else; CA the certificates to trust.  latency is from the intended time until the account's bytes stand
           decoded in a slot; stream is notifications a second from the first to the last

   JSON lines on stdout. */

#include "notification.h"
#include "rig.h"
#include "io/websocket.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <unistd.h>

#define DATA_MAX 1000
#define WARM_UP  0.05
#define STAMP    1000000000000000000UL /* added to times, so that they have 19 digits */
#define BATCH    48                    /* notifications in one write of the stream */
#define OWNER    "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C"

static void die( char const * what ) {
  fprintf( stderr, "bench websocket: %s: %s\n", what, sf_err_text() );
  exit( 1 );
}

/* -- serve ------------------------------------------------------------------- */

static SSL * ssl;
static int fd;

static void write_all( void const * p, size_t n ) {
  while( n ) {
    ssize_t put = ssl ? SSL_write( ssl, p, (int)n ) : send( fd, p, n, MSG_NOSIGNAL );
    if( put <= 0 ) die( "the client has gone" );
    p = (char const *)p + put;
    n -= (size_t)put;
  }
}

static void upgrade( void ) {
  char in[4096] = "", key[64] = "", accept[32] = "", out[256];
  for( size_t have = 0; !strstr( in, "\r\n\r\n" ); ) {
    ssize_t got = ssl ? SSL_read( ssl, in + have, (int)( sizeof( in ) - 1 - have ) )
                      : recv( fd, in + have, sizeof( in ) - 1 - have, 0 );
    if( got <= 0 ) die( "no request" );
    have += (size_t)got;
    in[have] = 0;
  }
  char const * at = strcasestr( in, "Sec-WebSocket-Key: " );
  if( !at ) die( "no WebSocket key" );
  memcpy( key, at + 19, 24 );
  strcat( key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" );
  uint8_t digest[SHA_DIGEST_LENGTH];
  SHA1( (uint8_t *)key, strlen( key ), digest );
  sf_base64_encode( accept, digest, sizeof( digest ) );
  int n = snprintf( out, sizeof( out ),
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: %s\r\n\r\n",
                    accept );
  write_all( out, (size_t)n );
}

/* A frame with a notification; its two numbers that change begin at stamp_at and subscription_at. */
static uint8_t frame[2048];
static uint64_t frame_bytes, stamp_at, subscription_at;

static void frame_make( uint32_t data_bytes ) {
  char text[2000], data[SF_BASE64_CHARS( DATA_MAX ) + 1] = "";
  uint8_t bytes[DATA_MAX];
  for( uint32_t i = 0; i < data_bytes; i++ ) bytes[i] = (uint8_t)( i * 7 );
  sf_base64_encode( data, bytes, data_bytes );
  int n    = snprintf( text, sizeof( text ),
                       "{\"jsonrpc\":\"2.0\",\"method\":\"accountNotification\",\"params\":{\"result\":{\"context\":"
                          "{\"slot\":345678901},\"value\":{\"lamports\":%lu,\"data\":[\"%s\",\"base64\"],\"owner\":\"" OWNER
                       "\",\"executable\":false,\"rentEpoch\":18446744073709551615,\"space\":%u}},\"subscription\":0}}",
                       STAMP, data, data_bytes );
  frame[0] = 0x81;
  frame[1] = 126;
  frame[2] = (uint8_t)( n >> 8 );
  frame[3] = (uint8_t)n;
  memcpy( frame + 4, text, (size_t)n );
  frame_bytes     = (uint64_t)n + 4;
  stamp_at        = 4 + (uint64_t)( strstr( text, "1000000000000000000" ) - text );
  subscription_at = frame_bytes - 3;
}

static void frame_mark( uint8_t * f, uint64_t stamp, uint32_t subscription ) {
  stamp += STAMP;
  for( uint32_t i = 19; i--; stamp /= 10 ) f[stamp_at + i] = (uint8_t)( '0' + stamp % 10 );
  f[subscription_at] = (uint8_t)( '0' + subscription );
}

static void accept_client( char const * certificate, char const * key ) {
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
  socklen_t len        = sizeof( a );
  int listener = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 ), one = 1;
  if( bind( listener, (struct sockaddr *)&a, len ) || listen( listener, 1 ) ) die( "listen" );
  getsockname( listener, (struct sockaddr *)&a, &len );
  SSL_CTX * context = NULL;
  if( *certificate ) {
    context = SSL_CTX_new( TLS_server_method() );
    if( SSL_CTX_use_certificate_chain_file( context, certificate ) != 1 ||
        SSL_CTX_use_PrivateKey_file( context, key, SSL_FILETYPE_PEM ) != 1 )
      die( certificate );
  }
  printf( "{\"what\":\"port\",\"port\":%u}\n", ntohs( a.sin_port ) );
  fflush( stdout );
  fd = accept( listener, NULL, NULL );
  if( fd < 0 ) die( "accept" );
  setsockopt( fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof( one ) );
  if( context ) {
    ssl = SSL_new( context );
    SSL_set_fd( ssl, fd );
    if( SSL_accept( ssl ) != 1 ) die( "TLS handshake" );
  }
}

static int serve( char ** argv ) {
  uint32_t core[SF_CPU_MAX];
  if( sf_cpu_available( core ) && sf_cpu_pin( core[0] ) ) die( "pin" );
  uint32_t data_bytes = (uint32_t)atoi( argv[4] ), stream = (uint32_t)atoi( argv[7] );
  if( data_bytes > DATA_MAX ) die( "account" );
  accept_client( argv[2], argv[3] );
  upgrade();
  static uint8_t batch[BATCH * sizeof( frame )];
  frame_make( data_bytes );
  bench_schedule_t s = bench_schedule( atof( argv[5] ), atof( argv[6] ), WARM_UP );
  while( s.next < s.events ) {
    uint64_t intended;
    if( !bench_schedule_due( &s, &intended ) ) continue;
    uint64_t late = (uint64_t)bench_ns( bench_ticks() - intended );
    frame_mark( frame, sf_clock_posix_ns( CLOCK_MONOTONIC ) - late, bench_schedule_counts( &s, s.next - 1 ) ? 2 : 1 );
    write_all( frame, frame_bytes );
  }
  frame_mark( frame, 0, 3 );
  for( uint32_t i = 0; i < BATCH; i++ ) memcpy( batch + i * frame_bytes, frame, frame_bytes );
  for( uint32_t sent = 0; sent + BATCH < stream; sent += BATCH ) write_all( batch, BATCH * frame_bytes );
  frame_mark( frame, 0, 4 );
  write_all( frame, frame_bytes );
  printf( "{\"what\":\"sent\",\"bytes\":%lu,", frame_bytes - 4 );
  bench_schedule_fields( &s );
  printf( "}\n" );
  fflush( stdout );
  char rest[64];
  ssize_t bye = ssl ? SSL_read( ssl, rest, sizeof( rest ) ) : recv( fd, rest, sizeof( rest ), 0 );
  (void)bye; /* whatever the client says or does not say, it is done */
  close( fd );
  return 0;
}

/* -- client ------------------------------------------------------------------ */

static bench_hist_t hist;
static uint64_t stream, first, last;

/* took counts a notification that has come now; 1 if it was the last. */
static int took( uint64_t what, uint64_t stamp ) {
  uint64_t now = sf_clock_posix_ns( CLOCK_MONOTONIC );
  if( what == 2 ) bench_hist_add( &hist, now - ( stamp - STAMP ) );
  if( what < 3 ) return 0;
  if( !stream++ ) first = now;
  last = now;
  return what == 4;
}

/* bare takes frames off the socket, all like the first, and looks at nothing but their two numbers. */
static void bare( int from ) {
  static uint8_t in[1 << 16];
  for( uint64_t have = 0, at = 0;; at = 0 ) {
    int64_t got = sf_tcp_receive( from, in + have, sizeof( in ) - have );
    if( got < 0 ) die( "receive" );
    have += (uint64_t)got;
    if( !frame_bytes ) {
      uint8_t const * stamp = memmem( in, have, "\"lamports\":", 11 );
      if( !stamp ) continue;
      frame_bytes     = 4 + ( (uint64_t)in[2] << 8 | in[3] );
      stamp_at        = (uint64_t)( stamp + 11 - in );
      subscription_at = frame_bytes - 3;
    }
    for( ; have - at >= frame_bytes; at += frame_bytes ) {
      uint64_t stamp = 0;
      for( uint32_t i = 0; i < 19; i++ ) stamp = 10 * stamp + in[at + stamp_at + i] - '0';
      if( took( (uint64_t)( in[at + subscription_at] - '0' ), stamp ) ) return;
    }
    if( at ) memmove( in, in + at, have - at );
    have -= at;
  }
}

static int client( char const * engine, char const * url, char const * ca ) {
  static sf_endpoint_t endpoint;
  static sf_websocket_t ws;
  static sf_multishot_t multishot;
  static notification_t notification;
  bench_pin();
  if( sf_endpoint_open( &endpoint, url, ca ) || sf_websocket_init( &ws, &endpoint, 1 << 20, 4096 ) ) die( url );
  if( !strcmp( engine, "uring" ) ) {
    if( sf_multishot_open( &multishot ) ) {
      fprintf( stderr, "%s\n", sf_err_text() );
      return 77;
    }
    ws.stream.multishot = &multishot;
  }
  if( sf_websocket_connect( &ws ) ) die( "connect" );
  for( ;; ) {
    sf_span_t text;
    int state = sf_websocket_step( &ws );
    if( state < 0 ) die( "connection" );
    if( state != SF_WEBSOCKET_OPEN ) continue;
    if( !strcmp( engine, "bare" ) ) {
      bare( ws.stream.fd );
      break;
    }
    int got = sf_websocket_receive( &ws, &text );
    if( got < 0 ) die( "receive" );
    if( !got ) continue;
    if( notification_take( &notification, text ) || !notification.data_len ) die( "not a notification" );
    if( took( notification.subscription, notification.lamports ) ) break;
  }
  printf( "{\"what\":\"latency\"," );
  bench_hist_fields( &hist, "ns" );
  printf( "}\n{\"what\":\"stream\",\"per_second\":%.0f}\n", (double)( stream - 1 ) * 1e9 / (double)( last - first ) );
  bench_clock_report();
  sf_websocket_close( &ws, 1000 );
  if( multishot.uring.open ) sf_multishot_close( &multishot );
  return 0;
}

int main( int argc, char ** argv ) {
  bench_clock_open();
  if( argc == 8 && !strcmp( argv[1], "serve" ) ) return serve( argv );
  if( argc == 5 && !strcmp( argv[1], "client" ) ) return client( argv[2], argv[3], argv[4] );
  fprintf( stderr, "websocket: see the head of bench/c/websocket.c\n" );
  return 1;
}
