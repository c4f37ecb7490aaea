#include "io/udp.h"
#include "base/atomic.h"
#include "base/err.h"
#include "sf_abi.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define TRAIN_BYTES   65536 /* longest train */
#define RING_BUFFERS  1024
#define RING_ENTRIES  512 /* submissions; twice as many completions, one for each buffer */
#define NAME_BYTES    32  /* of a sockaddr_in6, rounded */
#define CONTROL_BYTES ( CMSG_SPACE( sizeof( uint32_t ) ) + CMSG_SPACE( sizeof( int ) ) )
#define DROPS_BYTES   CMSG_SPACE( sizeof( uint32_t ) )
#define BUFFER_BYTES  ( sizeof( struct io_uring_recvmsg_out ) + NAME_BYTES + DROPS_BYTES + SF_UDP_BYTES )

/* What the kernel fills in for one receive; a train takes the bytes of all slots. */
struct sf_udp_slot {
  struct mmsghdr header[SF_UDP_BATCH];
  struct iovec part[SF_UDP_BATCH];
  struct sockaddr_storage peer[SF_UDP_BATCH];
  uint8_t control[SF_UDP_BATCH][CONTROL_BYTES] __attribute__( ( aligned( 8 ) ) );
  uint8_t bytes[SF_UDP_BATCH][SF_UDP_BYTES] __attribute__( ( aligned( 64 ) ) );
};
_Static_assert( SF_UDP_BATCH * SF_UDP_BYTES >= TRAIN_BYTES, "a train fits" );

static char const * const names[SF_UDP_ENGINES] = { "recv", "recvmmsg", "gro", "epoll", "uring" };

int sf_udp_engine( char const * name ) {
  for( uint32_t i = 0; i < SF_UDP_ENGINES; i++ )
    if( !strcmp( name, names[i] ) ) return (int)i;
  return sf_err_set( SF_ERR_ARG, "%s receives no datagrams; recv, recvmmsg, gro, epoll and uring do", name );
}

char const * sf_udp_engine_name( uint32_t engine ) { return engine < SF_UDP_ENGINES ? names[engine] : "none"; }

/* -- what came in ---------------------------------------------------------- */

SF_INLINE void add( sf_udp_t * u, uint32_t socket, uint8_t const * bytes, uint64_t len, int cut, void const * peer ) {
  if( len > SF_UDP_BYTES ) {
    len = SF_UDP_BYTES;
    cut = 1;
  }
  u->cut_packets += (uint64_t)cut;
  u->packet[u->packet_cnt++] = ( sf_udp_packet_t ){
    .bytes = bytes, .peer = peer, .len = (uint32_t)len, .socket = (uint16_t)socket, .cut = (uint16_t)cut
  };
}

/* told takes what the kernel says beside a datagram: its count of drops, and the bytes of each datagram of a train. */
static void told( sf_udp_socket_t * s, int level, int type, void const * value, uint32_t * step ) {
  uint32_t v;
  memcpy( &v, value, sizeof( v ) );
  if( level == SOL_SOCKET && type == SO_RXQ_OVFL ) {
    s->dropped += v - s->dropped_told;
    s->dropped_told = v;
  } else if( level == IPPROTO_UDP && type == UDP_GRO && v ) *step = v;
}

/* controls reads the control messages of a slot, and makes the slot ready for the next receive. */
SF_INLINE void controls( sf_udp_t * u, uint32_t socket, struct msghdr * m, uint32_t * step ) {
  if( m->msg_controllen )
    for( struct cmsghdr * c = CMSG_FIRSTHDR( m ); c; c = CMSG_NXTHDR( m, c ) )
      told( &u->socket[socket], c->cmsg_level, c->cmsg_type, CMSG_DATA( c ), step );
  m->msg_controllen = CONTROL_BYTES;
  m->msg_namelen    = sizeof( struct sockaddr_storage );
}

static void failed( sf_udp_t * u, int err ) { u->errors += err != EAGAIN && err != EINTR; }

/* receive takes one datagram of a socket. */
SF_INLINE void receive( sf_udp_t * u, uint32_t socket ) {
  sf_udp_slot_t * slot = u->slot;
  struct msghdr * m    = &slot->header[0].msg_hdr;
  ssize_t n            = recvmsg( u->socket[socket].fd, m, MSG_DONTWAIT );
  if( n < 0 ) {
    failed( u, errno );
    return;
  }
  uint32_t step = 0;
  add( u, socket, slot->bytes[0], (uint64_t)n, !!( m->msg_flags & MSG_TRUNC ), &slot->peer[0] );
  controls( u, socket, m, &step );
}

/* receive_many takes up to `most` datagrams of a socket. */
SF_INLINE void receive_many( sf_udp_t * u, uint32_t socket, uint32_t most ) {
  sf_udp_slot_t * slot = u->slot;
  uint32_t first       = u->packet_cnt;
  int n                = recvmmsg( u->socket[socket].fd, &slot->header[first], most, MSG_DONTWAIT, NULL );
  if( n < 0 ) failed( u, errno );
  for( uint32_t i = first; n > 0 && i < first + (uint32_t)n; i++ ) {
    struct mmsghdr * h = &slot->header[i];
    uint32_t step      = 0;
    add( u, socket, slot->bytes[i], h->msg_len, !!( h->msg_hdr.msg_flags & MSG_TRUNC ), &slot->peer[i] );
    controls( u, socket, &h->msg_hdr, &step );
  }
}

/* give_train gives out datagrams of the train. */
SF_INLINE void give_train( sf_udp_t * u ) {
  for( ; u->train.from < u->train.to && u->packet_cnt < SF_UDP_BATCH; u->train.from += u->train.step ) {
    uint64_t left = u->train.to - u->train.from;
    add( u, u->train.socket, &u->slot->bytes[0][0] + u->train.from, left < u->train.step ? left : u->train.step, 0,
         &u->slot->peer[0] );
  }
}

/* receive_train takes the next train of a socket; one datagram is a train too. */
SF_INLINE void receive_train( sf_udp_t * u, uint32_t socket ) {
  struct msghdr * m = &u->slot->header[0].msg_hdr;
  ssize_t n         = recvmsg( u->socket[socket].fd, m, MSG_DONTWAIT );
  if( n < 0 ) {
    failed( u, errno );
    return;
  }
  u->train.from   = 0;
  u->train.to     = (uint32_t)n;
  u->train.step   = (uint32_t)n;
  u->train.socket = socket;
  controls( u, socket, m, &u->train.step );
  if( n ) give_train( u );
  else add( u, socket, u->slot->bytes[0], 0, 0, &u->slot->peer[0] );
}

/* -- io_uring -------------------------------------------------------------- */

/* arm begins the receives that are not on; what they bring has the socket as its user_data. */
static void arm( sf_udp_t * u ) {
  for( uint32_t i = 0; i < u->socket_cnt; i++ ) {
    sf_udp_socket_t * s = &u->socket[i];
    if( s->armed ) continue;
    struct io_uring_sqe * sqe = io_uring_get_sqe( &u->uring.ring );
    if( !sqe ) break;
    io_uring_prep_recvmsg_multishot( sqe, s->fd, &u->shape, 0 );
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = SF_URING_GROUP;
    io_uring_sqe_set_data64( sqe, i );
    s->armed = 1;
    u->armed_cnt++;
  }
  if( io_uring_submit( &u->uring.ring ) < 0 ) u->errors++;
}

/* completed takes one completion; its buffer is held until the next poll. */
SF_INLINE void completed( sf_udp_t * u, struct io_uring_cqe const * cqe ) {
  uint32_t socket     = (uint32_t)cqe->user_data;
  sf_udp_socket_t * s = &u->socket[socket];
  if( !( cqe->flags & IORING_CQE_F_MORE ) ) {
    s->armed = 0;
    u->armed_cnt--;
  }
  if( cqe->res < 0 ) u->errors += cqe->res != -ENOBUFS && cqe->res != -EAGAIN && cqe->res != -EINTR;
  if( !( cqe->flags & IORING_CQE_F_BUFFER ) ) return;
  uint32_t buffer                   = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
  u->held[u->held_cnt++]            = (uint16_t)buffer;
  struct io_uring_recvmsg_out * out = NULL;
  if( cqe->res >= 0 ) out = io_uring_recvmsg_validate( sf_uring_buffer( &u->buffers, buffer ), cqe->res, &u->shape );
  if( !out ) return;
  uint32_t step = 0;
  for( struct cmsghdr * c = io_uring_recvmsg_cmsg_firsthdr( out, &u->shape ); c;
       c                  = io_uring_recvmsg_cmsg_nexthdr( out, &u->shape, c ) )
    told( s, c->cmsg_level, c->cmsg_type, CMSG_DATA( c ), &step );
  add( u, socket, io_uring_recvmsg_payload( out, &u->shape ),
       io_uring_recvmsg_payload_length( out, cqe->res, &u->shape ), !!( out->flags & MSG_TRUNC ),
       io_uring_recvmsg_name( out ) );
}

SF_INLINE void poll_uring( sf_udp_t * u ) {
  for( uint32_t i = 0; i < u->held_cnt; i++ ) sf_uring_buffer_give_back( &u->buffers, u->held[i] );
  u->held_cnt = 0;
  if( SF_UNLIKELY( u->armed_cnt < u->socket_cnt || io_uring_sq_ready( &u->uring.ring ) ) ) {
    u->rearms += u->socket_cnt - u->armed_cnt;
    arm( u );
  }
  for( struct io_uring_cqe * cqe; u->packet_cnt < SF_UDP_BATCH && u->held_cnt < SF_UDP_BATCH; ) {
    /* what waits in the ring is taken before the kernel is asked for more of it */
    if( u->packet_cnt && !io_uring_cq_ready( &u->uring.ring ) ) break;
    if( !( cqe = sf_uring_peek( &u->uring ) ) ) break;
    completed( u, cqe );
    io_uring_cqe_seen( &u->uring.ring, cqe );
  }
}

/* -- poll ------------------------------------------------------------------ */

SF_INLINE void poll_epoll( sf_udp_t * u ) {
  struct epoll_event ready[SF_UDP_SOCKET_MAX];
  int n = epoll_wait( u->epoll, ready, SF_UDP_SOCKET_MAX, 0 );
  /* an equal share each, so that a busy socket does not starve the others */
  for( int i = 0; i < n; i++ ) receive_many( u, ready[i].data.u32, SF_UDP_BATCH / (uint32_t)n );
}

uint32_t sf_udp_poll( sf_udp_t * u, sf_udp_packet_t const ** packet ) {
  u->packet_cnt = 0;
  *packet       = u->packet;
  if( u->engine == SF_UDP_URING ) poll_uring( u );
  else if( u->engine == SF_UDP_EPOLL ) poll_epoll( u );
  else {
    if( u->train.from < u->train.to ) give_train( u );
    for( uint32_t i = 0; i < u->socket_cnt && !u->packet_cnt; i++ ) {
      uint32_t socket = u->next;
      u->next         = socket + 1 == u->socket_cnt ? 0 : socket + 1;
      if( u->engine == SF_UDP_RECV ) receive( u, socket );
      else if( u->engine == SF_UDP_RECVMMSG ) receive_many( u, socket, SF_UDP_BATCH );
      else receive_train( u, socket );
    }
  }
  return u->packet_cnt;
}

/* -- open and close -------------------------------------------------------- */

static char const * address_text( struct sockaddr_storage const * a, char * out, uint32_t max ) {
  char host[INET6_ADDRSTRLEN] = "?";
  int v6                      = a->ss_family == AF_INET6;
  inet_ntop( a->ss_family,
             v6 ? (void const *)&( (struct sockaddr_in6 const *)a )->sin6_addr
                : (void const *)&( (struct sockaddr_in const *)a )->sin_addr,
             host, sizeof( host ) );
  uint16_t port = v6 ? ( (struct sockaddr_in6 const *)a )->sin6_port : ( (struct sockaddr_in const *)a )->sin_port;
  snprintf( out, max, v6 ? "[%s]:%u" : "%s:%u", host, ntohs( port ) );
  return out;
}

static int open_socket( sf_udp_socket_t * s, struct sockaddr_storage const * address, int shared, uint32_t bytes ) {
  char text[80];
  int one = 1, ask = (int)( bytes / 2 ),
      v6 = address->ss_family == AF_INET6; /* the kernel doubles what it is asked for */
  if( !v6 && address->ss_family != AF_INET ) return sf_err_set( SF_ERR_ARG, "a UDP address is IPv4 or IPv6" );
  socklen_t len = v6 ? sizeof( struct sockaddr_in6 ) : sizeof( struct sockaddr_in ), int_len = sizeof( int );
  s->fd = socket( address->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0 );
  if( s->fd < 0 ) return sf_err_set( SF_ERR_SYS, "UDP %s: %m", address_text( address, text, sizeof( text ) ) );
  if( setsockopt( s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &ask, sizeof( ask ) ) )
    setsockopt( s->fd, SOL_SOCKET, SO_RCVBUF, &ask, sizeof( ask ) );
  setsockopt( s->fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof( one ) );
  if( ( shared && setsockopt( s->fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof( one ) ) ) ||
      bind( s->fd, (struct sockaddr const *)address, len ) )
    return sf_err_set( SF_ERR_SYS, "UDP %s: %m", address_text( address, text, sizeof( text ) ) );
  len = sizeof( s->address );
  getsockname( s->fd, (struct sockaddr *)&s->address, &len );
  getsockopt( s->fd, SOL_SOCKET, SO_RCVBUF, &s->receive_bytes, &int_len );
  return 0;
}

static int open_uring( sf_udp_t * u ) {
  int err = sf_uring_open( &u->uring, RING_ENTRIES );
  if( !err ) err = sf_uring_buffers_open( &u->buffers, &u->uring, RING_BUFFERS, BUFFER_BYTES );
  if( err ) return err;
  u->shape = ( struct msghdr ){ .msg_namelen = NAME_BYTES, .msg_controllen = DROPS_BYTES };
  arm( u );
  struct io_uring_cqe * cqe = sf_uring_peek( &u->uring );
  if( cqe && cqe->res == -EINVAL )
    return sf_err_set( SF_ERR_SYS, "the kernel has no multishot recvmsg (it is older than 6.0)" );
  return 0;
}

static void close_uring( sf_udp_t * u ) {
  /* a ring goes away some time after it was closed, and would keep the ports until then */
  struct io_uring_sync_cancel_reg all = { .flags = IORING_ASYNC_CANCEL_ANY, .timeout = { .tv_sec = 1 } };
  if( u->uring.open ) {
    io_uring_register_sync_cancel( &u->uring.ring, &all );
    io_uring_get_events( &u->uring.ring );
  }
  sf_uring_close( &u->uring );
  sf_uring_buffers_close( &u->buffers );
}

static int open_gro( sf_udp_t * u ) {
  int one = 1;
  for( uint32_t i = 0; i < u->socket_cnt; i++ )
    if( setsockopt( u->socket[i].fd, IPPROTO_UDP, UDP_GRO, &one, sizeof( one ) ) )
      return sf_err_set( SF_ERR_SYS, "UDP_GRO is refused: %m" );
  u->slot->part[0].iov_len = TRAIN_BYTES;
  return 0;
}

static int open_epoll( sf_udp_t * u ) {
  u->epoll = epoll_create1( EPOLL_CLOEXEC );
  int err  = u->epoll < 0;
  for( uint32_t i = 0; i < u->socket_cnt && !err; i++ ) {
    struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };
    err                  = epoll_ctl( u->epoll, EPOLL_CTL_ADD, u->socket[i].fd, &e );
  }
  return err ? sf_err_set( SF_ERR_SYS, "epoll over %u sockets: %m", u->socket_cnt ) : 0;
}

static int open_slots( sf_udp_t * u ) {
  void * p =
      mmap( NULL, sizeof( *u->slot ), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0 );
  if( p == MAP_FAILED ) return sf_err_set( SF_ERR_SYS, "no memory for datagrams: %m" );
  u->slot = p;
  for( uint32_t i = 0; i < SF_UDP_BATCH; i++ ) {
    u->slot->part[i]           = ( struct iovec ){ u->slot->bytes[i], SF_UDP_BYTES };
    u->slot->header[i].msg_hdr = ( struct msghdr ){ .msg_name       = &u->slot->peer[i],
                                                    .msg_namelen    = sizeof( struct sockaddr_storage ),
                                                    .msg_iov        = &u->slot->part[i],
                                                    .msg_iovlen     = 1,
                                                    .msg_control    = u->slot->control[i],
                                                    .msg_controllen = CONTROL_BYTES };
  }
  return 0;
}

static void replace( sf_udp_t * u, uint32_t by ) {
  snprintf( u->replaced, sizeof( u->replaced ), "%s instead of %s receives UDP: %s", names[by], names[u->engine],
            sf_err_text() );
  u->engine = by;
}

int sf_udp_open( sf_udp_t * u, uint32_t engine, struct sockaddr_storage const * address, uint32_t cnt,
                 uint32_t receive_bytes ) {
  memset( u, 0, sizeof( *u ) );
  u->epoll = -1;
  if( engine >= SF_UDP_ENGINES ) return sf_err_set( SF_ERR_ARG, "UDP has no engine %u", engine );
  if( !cnt || cnt > SF_UDP_SOCKET_MAX )
    return sf_err_set( SF_ERR_ARG, "%u UDP sockets; 1 to %u go", cnt, SF_UDP_SOCKET_MAX );
  u->engine = engine;
  int err   = open_slots( u );
  for( uint32_t i = 0; i < cnt && !err; i++ ) {
    int shared = 0, any_port = !( (struct sockaddr_in const *)&address[i] )->sin_port;
    for( uint32_t j = 0; j < cnt && !any_port; j++ )
      shared |= j != i && !memcmp( &address[i], &address[j], sizeof( address[i] ) );
    u->socket_cnt = i + 1;
    err           = open_socket( &u->socket[i], &address[i], shared, receive_bytes );
  }
  if( !err && u->engine == SF_UDP_URING && open_uring( u ) ) {
    close_uring( u );
    replace( u, SF_UDP_EPOLL );
  }
  if( !err && u->engine == SF_UDP_GRO && open_gro( u ) ) replace( u, SF_UDP_RECVMMSG );
  if( !err && u->engine == SF_UDP_EPOLL ) err = open_epoll( u );
  if( err ) sf_udp_close( u );
  return err;
}

void sf_udp_close( sf_udp_t * u ) {
  close_uring( u );
  if( u->epoll >= 0 ) close( u->epoll );
  for( uint32_t i = 0; i < u->socket_cnt; i++ )
    if( u->socket[i].fd >= 0 ) close( u->socket[i].fd );
  if( u->slot ) munmap( u->slot, sizeof( *u->slot ) );
  u->socket_cnt = 0;
  u->slot       = NULL;
  u->epoll      = -1;
}
