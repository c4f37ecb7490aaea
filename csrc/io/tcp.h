/* tcp.h: non-blocking TCP.  Names are resolved once, before a tile runs; after
   that only the addresses found then are used, the next one when one fails. */

#ifndef SF_IO_TCP_H
#define SF_IO_TCP_H
#include <stdint.h>
#include <sys/socket.h>

#define SF_TCP_ADDRESS_MAX 8

typedef struct sf_tcp_peer {
  uint32_t cnt;
  uint32_t next; /* address the next connection tries, modulo cnt; moved on when one fails */
  socklen_t len[SF_TCP_ADDRESS_MAX];
  struct sockaddr_storage address[SF_TCP_ADDRESS_MAX];
} sf_tcp_peer_t;

/* sf_tcp_resolve finds the addresses of host.  Blocks; cold.  Fails with
   SF_ERR_NOTFOUND. */
int sf_tcp_resolve( sf_tcp_peer_t * peer, char const * host, uint16_t port );

/* sf_tcp_connect begins a connection to the peer's next address and returns its
   file descriptor, non-blocking and without Nagle's delay, or SF_ERR_IO. */
int sf_tcp_connect( sf_tcp_peer_t * peer );

/* sf_tcp_connected returns 1 once fd is connected, 0 while it is not, SF_ERR_IO
   when it cannot be. */
int sf_tcp_connected( int fd );

/* sf_tcp_receive and sf_tcp_send move up to n bytes and return how many; 0 = not
   now; SF_ERR_IO = the peer has closed or the connection is broken. */
int64_t sf_tcp_receive( int fd, void * p, uint64_t n );
int64_t sf_tcp_send( int fd, void const * p, uint64_t n );

#endif
