#include "io/tcp.h"
#include "base/err.h"
#include "sf_abi.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int sf_tcp_resolve( sf_tcp_peer_t * peer, char const * host, uint16_t port ) {
  memset( peer, 0, sizeof( *peer ) );
  char service[8];
  snprintf( service, sizeof( service ), "%u", port );
  struct addrinfo hints   = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
  struct addrinfo * found = NULL;
  int err                 = getaddrinfo( host, service, &hints, &found );
  if( err ) return sf_err_set( SF_ERR_NOTFOUND, "host %s: %s", host, gai_strerror( err ) );
  for( struct addrinfo * a = found; a && peer->cnt < SF_TCP_ADDRESS_MAX; a = a->ai_next ) {
    memcpy( &peer->address[peer->cnt], a->ai_addr, a->ai_addrlen );
    peer->len[peer->cnt++] = a->ai_addrlen;
  }
  freeaddrinfo( found );
  return 0;
}

int sf_tcp_connect( sf_tcp_peer_t * peer ) {
  uint32_t i = peer->next % peer->cnt;
  int fd     = socket( peer->address[i].ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0 );
  if( fd < 0 ) return SF_ERR_IO;
  int one = 1;
  setsockopt( fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof( one ) );
  if( connect( fd, (struct sockaddr const *)&peer->address[i], peer->len[i] ) && errno != EINPROGRESS ) {
    close( fd );
    return SF_ERR_IO;
  }
  return fd;
}

int sf_tcp_connected( int fd ) {
  struct pollfd p = { .fd = fd, .events = POLLOUT };
  if( poll( &p, 1, 0 ) <= 0 ) return 0;
  int err       = 0;
  socklen_t len = sizeof( err );
  if( getsockopt( fd, SOL_SOCKET, SO_ERROR, &err, &len ) || err ) return SF_ERR_IO;
  return 1;
}

static int64_t moved( ssize_t n ) {
  if( n > 0 ) return n;
  return n < 0 && ( errno == EAGAIN || errno == EINTR ) ? 0 : SF_ERR_IO;
}

int64_t sf_tcp_receive( int fd, void * p, uint64_t n ) { return moved( recv( fd, p, n, MSG_DONTWAIT ) ); }
int64_t sf_tcp_send( int fd, void const * p, uint64_t n ) {
  return moved( send( fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL ) );
}
