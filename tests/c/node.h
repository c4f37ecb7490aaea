/* node.h: a Solana node in a thread, for tests and measurements of feed and send:
   just enough HTTP, WebSocket and JSON-RPC, no checks.  Every account has the same bytes. */

#ifndef SF_TESTS_NODE_H
#define SF_TESTS_NODE_H
#include "check.h"
#include "io/base64.h"
#include "base/atomic.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#define NODE_CONNECTIONS 16
#define NODE_DATA        637 /* bytes of each account: a CPMM pool */

typedef struct node {
  int listener;
  uint16_t port;
  pthread_t thread;
  uint64_t stop;
  uint64_t ws;            /* 1 + file descriptor of the newest WebSocket, 0 = none */
  uint64_t subscriptions; /* answered on it */
  uint64_t reads;         /* getMultipleAccounts */
  uint64_t sends;         /* sendTransaction */
  uint64_t slot;
  char data[SF_BASE64_CHARS( NODE_DATA ) + 1];
  int fd[NODE_CONNECTIONS];
  uint32_t have[NODE_CONNECTIONS];
  uint8_t upgraded[NODE_CONNECTIONS];
  char in[NODE_CONNECTIONS][65536];
} node_t;

/* node_write writes all of it in one piece: the node's thread answers pings while another one sends. */
static inline void node_write( int fd, void const * p, size_t n ) {
  static pthread_mutex_t one_writer = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock( &one_writer );
  while( n ) {
    ssize_t put = send( fd, p, n, MSG_NOSIGNAL );
    if( put <= 0 ) break;
    p = (char const *)p + put;
    n -= (size_t)put;
  }
  pthread_mutex_unlock( &one_writer );
}

static inline uint64_t node_frame( uint8_t * out, char const * text, uint64_t n ) {
  uint64_t head = n < 126 ? 2 : 4;
  out[0]        = 0x81;
  out[1]        = n < 126 ? (uint8_t)n : 126;
  if( head == 4 ) {
    out[2] = (uint8_t)( n >> 8 );
    out[3] = (uint8_t)n;
  }
  memcpy( out + head, text, n );
  return head + n;
}

/* node_notification writes a whole frame about the account with this subscription. */
static inline uint64_t node_notification( node_t * n, uint8_t * out, uint64_t subscription, uint64_t slot,
                                          uint64_t lamports ) {
  char text[2048];
  int len = snprintf(
      text, sizeof( text ),
      "{\"jsonrpc\":\"2.0\",\"method\":\"accountNotification\",\"params\":{\"result\":{\"context\":{\"slot\":%lu},"
      "\"value\":{\"lamports\":%lu,\"data\":[\"%s\",\"base64\"],\"owner\":"
      "\"CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\","
      "\"executable\":false,\"rentEpoch\":18446744073709551615,\"space\":637}},\"subscription\":%lu}}",
      slot, lamports, n->data, subscription );
  return node_frame( out, text, (uint64_t)len );
}

static inline int node_ws( node_t * n ) { return (int)sf_load_acquire( &n->ws ) - 1; }

static inline uint64_t node_id( char const * text ) {
  char const * id = strstr( text, "\"id\":" );
  return id ? strtoul( id + 5, NULL, 10 ) : 0;
}

static inline void node_upgrade( node_t * n, uint32_t i ) {
  char key[64] = "", accept[32] = "", out[256];
  char const * at = strstr( n->in[i], "Sec-WebSocket-Key: " );
  CHECK( at );
  memcpy( key, at + 19, 24 );
  strcat( key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" );
  uint8_t digest[20];
  SHA1( (uint8_t *)key, strlen( key ), digest );
  sf_base64_encode( accept, digest, 20 );
  int len = snprintf( out, sizeof( out ),
                      "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                      accept );
  node_write( n->fd[i], out, (size_t)len );
  n->upgraded[i] = 1;
  n->have[i]     = 0;
  sf_store_release( &n->subscriptions, 0 );
  sf_store_release( &n->ws, 1 + (uint64_t)n->fd[i] );
}

static inline void node_post( node_t * n, uint32_t i ) {
  static char body[400000], out[400200];
  char const * keys = strstr( n->in[i], "\"params\":[[" );
  int len;
  if( keys ) {
    len = snprintf( body, sizeof( body ), "{\"jsonrpc\":\"2.0\",\"result\":{\"context\":{\"slot\":%lu},\"value\":[",
                    sf_load_acquire( &n->slot ) );
    char const * end = strchr( keys, '}' );
    uint32_t cnt     = 0;
    for( char const * p = keys + 10; p < end; p++ )
      cnt += p[0] == '"' && ( p[-1] == '[' || p[-1] == ',' ) && p[1] != 'e' && p[1] != 'c' && p[1] != 'm';
    for( uint32_t k = 0; k < cnt; k++ )
      len += snprintf(
          body + len, sizeof( body ) - (size_t)len,
          "%s{\"lamports\":1,\"data\":[\"%s\",\"base64\"],\"owner\":\"CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\"}",
          k ? "," : "", n->data );
    len += snprintf( body + len, sizeof( body ) - (size_t)len, "]},\"id\":%lu}", node_id( n->in[i] ) );
    sf_fetch_add( &n->reads, 1 );
  } else {
    len = snprintf( body, sizeof( body ), "{\"jsonrpc\":\"2.0\",\"result\":\"signature\",\"id\":%lu}",
                    node_id( n->in[i] ) );
    sf_fetch_add( &n->sends, 1 );
  }
  int all = snprintf( out, sizeof( out ), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len, body );
  node_write( n->fd[i], out, (size_t)all );
  n->have[i] = 0;
}

/* node_frames answers the client's frames; subscription ids are request ids. */
static inline void node_frames( node_t * n, uint32_t i ) {
  uint32_t at = 0;
  for( ;; ) {
    uint8_t * p   = (uint8_t *)n->in[i] + at;
    uint32_t have = n->have[i] - at;
    if( have < 2 ) break;
    uint32_t len = p[1] & 127, head = 2;
    if( len == 126 ) {
      if( have < 4 ) break;
      len  = (uint32_t)p[2] << 8 | p[3];
      head = 4;
    }
    if( have < head + 4 + len ) break;
    char text[1024];
    for( uint32_t k = 0; k < len; k++ ) text[k] = (char)( p[head + 4 + k] ^ p[head + ( k & 3 )] );
    text[len] = 0;
    at += head + 4 + len;
    if( ( p[0] & 15 ) == 9 ) node_write( n->fd[i], "\x8a", 2 );
    if( ( p[0] & 15 ) != 1 ) continue;
    char answer[128];
    uint8_t frame[160];
    int size = snprintf( answer, sizeof( answer ), "{\"jsonrpc\":\"2.0\",\"result\":%lu,\"id\":%lu}", node_id( text ),
                         node_id( text ) );
    node_write( n->fd[i], frame, node_frame( frame, answer, (uint64_t)size ) );
    sf_fetch_add( &n->subscriptions, 1 );
  }
  n->have[i] -= at;
  memmove( n->in[i], n->in[i] + at, n->have[i] );
}

static inline void node_read( node_t * n, uint32_t i ) {
  ssize_t got = recv( n->fd[i], n->in[i] + n->have[i], sizeof( n->in[i] ) - 1 - n->have[i], MSG_DONTWAIT );
  if( got <= 0 ) {
    if( node_ws( n ) == n->fd[i] ) sf_store_release( &n->ws, 0 );
    close( n->fd[i] );
    n->fd[i] = -1;
    return;
  }
  n->have[i] += (uint32_t)got;
  n->in[i][n->have[i]] = 0;
  if( n->upgraded[i] ) {
    node_frames( n, i );
    return;
  }
  char const * blank = strstr( n->in[i], "\r\n\r\n" );
  if( !blank ) return;
  if( n->in[i][0] == 'G' ) node_upgrade( n, i );
  else {
    char const * length = strstr( n->in[i], "Content-Length: " );
    if( length && strlen( blank + 4 ) >= strtoul( length + 16, NULL, 10 ) ) node_post( n, i );
  }
}

static inline void * node_run( void * arg ) {
  node_t * n = arg;
  while( !sf_load_acquire( &n->stop ) ) {
    struct pollfd p[NODE_CONNECTIONS + 1] = { { .fd = n->listener, .events = POLLIN } };
    for( uint32_t i = 0; i < NODE_CONNECTIONS; i++ ) p[i + 1] = ( struct pollfd ){ .fd = n->fd[i], .events = POLLIN };
    if( poll( p, NODE_CONNECTIONS + 1, 5 ) <= 0 ) continue;
    for( uint32_t i = 0; i < NODE_CONNECTIONS; i++ )
      if( n->fd[i] >= 0 && p[i + 1].revents ) node_read( n, i );
    if( !p[0].revents ) continue;
    uint32_t i = 0;
    while( i < NODE_CONNECTIONS && n->fd[i] >= 0 ) i++;
    CHECK( i < NODE_CONNECTIONS );
    n->fd[i]       = accept( n->listener, NULL, NULL );
    n->have[i]     = 0;
    n->upgraded[i] = 0;
    int one        = 1;
    setsockopt( n->fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof( one ) );
  }
  return NULL;
}

static inline node_t * node_start( void ) {
  node_t * n = calloc( 1, sizeof( *n ) );
  CHECK( n );
  n->slot = 100;
  for( uint32_t i = 0; i < NODE_CONNECTIONS; i++ ) n->fd[i] = -1;
  uint8_t data[NODE_DATA];
  for( uint32_t i = 0; i < NODE_DATA; i++ ) data[i] = (uint8_t)( i * 7 );
  sf_base64_encode( n->data, data, NODE_DATA );
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
  socklen_t len        = sizeof( a );
  n->listener          = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
  CHECK( !bind( n->listener, (struct sockaddr *)&a, sizeof( a ) ) && !listen( n->listener, 16 ) );
  CHECK( !getsockname( n->listener, (struct sockaddr *)&a, &len ) );
  n->port = ntohs( a.sin_port );
  CHECK( !pthread_create( &n->thread, NULL, node_run, n ) );
  return n;
}

static inline void node_stop( node_t * n ) {
  sf_store_release( &n->stop, 1 );
  pthread_join( n->thread, NULL );
  for( uint32_t i = 0; i < NODE_CONNECTIONS; i++ )
    if( n->fd[i] >= 0 ) close( n->fd[i] );
  close( n->listener );
  free( n );
}

#endif
