/* Datagrams over loopback by every engine: order, peers, sizes, bursts larger than the ring of
   buffers, drops counted, shared addresses, and what happens where the kernel refuses. */

#include "check.h"
#include "io/udp.h"
#include "base/rng.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define SHRED 1228
#define ROOM  ( 64U << 20 )

static sf_udp_t udp;
static sf_rng_t rng;
static struct sockaddr_storage address[SF_UDP_SOCKET_MAX];

static void loopback( struct sockaddr_storage * a, uint16_t port ) {
  memset( a, 0, sizeof( *a ) );
  *(struct sockaddr_in *)a = ( struct sockaddr_in ){ .sin_family      = AF_INET,
                                                     .sin_addr.s_addr = htonl( INADDR_LOOPBACK ),
                                                     .sin_port        = htons( port ) };
}

static void start( uint32_t engine, uint32_t cnt, uint32_t room ) {
  for( uint32_t i = 0; i < cnt; i++ ) loopback( &address[i], 0 );
  CHECK( !sf_udp_open( &udp, engine, address, cnt, room ) );
  CHECK( udp.engine == engine && !*udp.replaced );
}

static int sender( uint32_t socket_index ) {
  int fd = socket( AF_INET, SOCK_DGRAM, 0 );
  CHECK( fd >= 0 );
  CHECK( !connect( fd, (struct sockaddr *)&udp.socket[socket_index].address, sizeof( struct sockaddr_in ) ) );
  return fd;
}

static uint16_t port_of( struct sockaddr const * a ) { return ntohs( ( (struct sockaddr_in const *)a )->sin_port ); }

static uint16_t port_of_sender( int fd ) {
  struct sockaddr_in a;
  socklen_t len = sizeof( a );
  CHECK( !getsockname( fd, (struct sockaddr *)&a, &len ) );
  return ntohs( a.sin_port );
}

static void fill( uint8_t * p, uint32_t len, uint32_t socket, uint32_t number ) {
  for( uint32_t i = 0; i < len; i++ ) p[i] = (uint8_t)( socket * 31 + number * 7 + i );
}

/* polls until there is something */
static uint32_t some( sf_udp_packet_t const ** p ) {
  uint64_t until = sf_clock_posix_ns( CLOCK_MONOTONIC ) + 20000000000UL;
  uint32_t n;
  while( !( n = sf_udp_poll( &udp, p ) ) ) CHECK( sf_clock_posix_ns( CLOCK_MONOTONIC ) < until );
  return n;
}

static uint32_t length_of( uint32_t number ) { return number % 5 == 4 ? ( number * 37 ) % SHRED : SHRED; }

/* `each` datagrams to every socket, all of them sent before the first poll. */
static void burst( uint32_t engine, uint32_t sockets, uint32_t each ) {
  static uint32_t next[SF_UDP_SOCKET_MAX];
  static uint16_t port[SF_UDP_SOCKET_MAX];
  uint8_t bytes[SF_UDP_BYTES];
  int fd[SF_UDP_SOCKET_MAX];
  start( engine, sockets, ROOM );
  memset( next, 0, sizeof( next ) );
  for( uint32_t s = 0; s < sockets; s++ ) {
    fd[s]   = sender( s );
    port[s] = port_of_sender( fd[s] );
    for( uint32_t i = 0; i < each; i++ ) {
      fill( bytes, length_of( i ), s, i );
      CHECK( send( fd[s], bytes, length_of( i ), 0 ) == (ssize_t)length_of( i ) );
    }
  }
  for( uint32_t got = 0; got < sockets * each; ) {
    sf_udp_packet_t const * p;
    for( uint32_t n = some( &p ); n; n--, p++, got++ ) {
      CHECK( p->socket < sockets && port_of( p->peer ) == port[p->socket] && !p->cut );
      CHECK( p->len == length_of( next[p->socket] ) );
      fill( bytes, p->len, p->socket, next[p->socket]++ );
      CHECK( !memcmp( bytes, p->bytes, p->len ) );
    }
  }
  sf_udp_packet_t const * p;
  CHECK( !sf_udp_poll( &udp, &p ) && !udp.errors && !udp.cut_packets );
  for( uint32_t s = 0; s < sockets; s++ ) {
    CHECK( !udp.socket[s].dropped );
    close( fd[s] );
  }
  sf_udp_close( &udp );
}

/* A kernel that runs out of buffers ends the receives (-ENOBUFS); they are begun anew and nothing is lost. */
static void few_buffers( void ) {
  uint8_t bytes[SHRED];
  start( SF_UDP_URING, 3, ROOM );
  uint32_t each = udp.buffers.each;
  CHECK( !io_uring_unregister_buf_ring( &udp.uring.ring, SF_URING_GROUP ) );
  sf_uring_buffers_close( &udp.buffers );
  CHECK( !sf_uring_buffers_open( &udp.buffers, &udp.uring, 8, each ) );
  uint32_t next[3] = { 0 };
  for( uint32_t s = 0; s < 3; s++ ) {
    int fd = sender( s );
    for( uint32_t i = 0; i < 100; i++ ) {
      fill( bytes, SHRED, s, i );
      CHECK( send( fd, bytes, SHRED, 0 ) == SHRED );
    }
    close( fd );
  }
  for( uint32_t got = 0; got < 300; ) {
    sf_udp_packet_t const * p;
    for( uint32_t n = some( &p ); n; n--, p++, got++ ) {
      fill( bytes, SHRED, p->socket, next[p->socket]++ );
      CHECK( p->len == SHRED && !memcmp( bytes, p->bytes, SHRED ) );
    }
  }
  CHECK( udp.rearms && !udp.errors );
  sf_udp_close( &udp );
}

/* A train of equal datagrams and a shorter last one, sent in one call. */
static void train( uint32_t engine ) {
  static uint8_t bytes[40 * SHRED];
  start( engine, 2, ROOM );
  int fd        = sender( 1 );
  uint32_t last = 100, all = sizeof( bytes ) - SHRED + last;
  uint8_t control[CMSG_SPACE( sizeof( uint16_t ) )] __attribute__( ( aligned( 8 ) ) ) = { 0 };
  for( uint32_t i = 0; i < sizeof( bytes ); i++ ) bytes[i] = (uint8_t)sf_rng_below( &rng, 256 );
  struct iovec part = { bytes, all };
  struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control ) };
  struct cmsghdr * c = CMSG_FIRSTHDR( &m );
  c->cmsg_level      = IPPROTO_UDP;
  c->cmsg_type       = UDP_SEGMENT;
  c->cmsg_len        = CMSG_LEN( sizeof( uint16_t ) );
  uint16_t step      = SHRED;
  memcpy( CMSG_DATA( c ), &step, sizeof( step ) );
  for( int twice = 0; twice < 2; twice++ ) CHECK( sendmsg( fd, &m, 0 ) == (ssize_t)all );
  for( uint32_t got = 0; got < 80; ) {
    sf_udp_packet_t const * p;
    for( uint32_t n = some( &p ); n; n--, p++, got++ ) {
      CHECK( p->socket == 1 && p->len == ( got % 40 == 39 ? last : SHRED ) );
      CHECK( !memcmp( p->bytes, bytes + got % 40 * SHRED, p->len ) );
    }
  }
  close( fd );
  sf_udp_close( &udp );
}

/* Longer than SF_UDP_BYTES, empty, and just right. */
static void sizes( uint32_t engine ) {
  static uint8_t bytes[9000];
  static uint32_t const len[] = { 3000, 0, SF_UDP_BYTES, SF_UDP_BYTES + 1, 1, sizeof( bytes ) };
  uint32_t const cnt          = sizeof( len ) / sizeof( len[0] );
  start( engine, 1, ROOM );
  int fd = sender( 0 );
  fill( bytes, sizeof( bytes ), 3, 4 );
  for( uint32_t i = 0; i < cnt; i++ ) CHECK( send( fd, bytes, len[i], 0 ) == (ssize_t)len[i] );
  for( uint32_t got = 0; got < cnt; ) {
    sf_udp_packet_t const * p;
    for( uint32_t n = some( &p ); n; n--, p++, got++ ) {
      uint32_t want = len[got] < SF_UDP_BYTES ? len[got] : SF_UDP_BYTES;
      CHECK( p->len == want && p->cut == ( len[got] > SF_UDP_BYTES ) && !memcmp( p->bytes, bytes, want ) );
    }
  }
  CHECK( udp.cut_packets == 3 );
  close( fd );
  sf_udp_close( &udp );
}

/* More than there is room for: what is missing is what the kernel counts, twice. */
static void drops( uint32_t engine ) {
  uint8_t bytes[SHRED] = { 0 };
  start( engine, 2, 64 << 10 );
  CHECK( udp.socket[0].receive_bytes <= 64 << 10 );
  int fd        = sender( 0 );
  uint64_t sent = 0, got = 0;
  sf_udp_packet_t const * p;
  for( uint32_t round = 0; round < 2; round++ ) {
    for( uint32_t i = 0; i < 500; i++, sent++ ) CHECK( send( fd, bytes, sizeof( bytes ), 0 ) == SHRED );
    for( uint32_t n; ( n = sf_udp_poll( &udp, &p ) ); ) got += n;
    CHECK( got < sent );
    CHECK( send( fd, bytes, sizeof( bytes ), 0 ) == SHRED ); /* it tells of those before it */
    sent++;
    got += some( &p );
    CHECK( udp.socket[0].dropped == sent - got && !udp.socket[1].dropped );
  }
  close( fd );
  sf_udp_close( &udp );
}

/* Three sockets of one address: every peer is heard, each on one of them. */
static void shared( uint32_t engine ) {
  start( engine, 1, ROOM );
  uint16_t port = port_of( (struct sockaddr *)&udp.socket[0].address );
  CHECK( sf_udp_open( &( sf_udp_t ){ 0 }, engine, &udp.socket[0].address, 1, ROOM ) == SF_ERR_SYS );
  CHECK_SAYS( "127.0.0.1:" );
  sf_udp_close( &udp );
  for( uint32_t i = 0; i < 3; i++ ) loopback( &address[i], port );
  CHECK( !sf_udp_open( &udp, engine, address, 3, ROOM ) );
  uint32_t seen = 0;
  for( uint32_t i = 0; i < 32; i++ ) {
    int fd = sender( 0 );
    sf_udp_packet_t const * p;
    CHECK( send( fd, &i, sizeof( i ), 0 ) == sizeof( i ) );
    CHECK( some( &p ) == 1 && !memcmp( p->bytes, &i, sizeof( i ) ) && port_of( p->peer ) == port_of_sender( fd ) );
    seen |= 1U << p->socket;
    close( fd );
  }
  CHECK( seen & ( seen - 1 ) );
  sf_udp_close( &udp );
}

/* IPv6, where the machine has it. */
static void six( uint32_t engine ) {
  struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  memset( &address[0], 0, sizeof( address[0] ) );
  memcpy( &address[0], &a, sizeof( a ) );
  if( sf_udp_open( &udp, engine, address, 1, ROOM ) ) {
    CHECK_SAYS( "[::1]:0" );
    return;
  }
  int fd = socket( AF_INET6, SOCK_DGRAM, 0 );
  CHECK( !connect( fd, (struct sockaddr *)&udp.socket[0].address, sizeof( a ) ) && send( fd, "six", 3, 0 ) == 3 );
  sf_udp_packet_t const * p;
  CHECK( some( &p ) == 1 && p->len == 3 && !memcmp( p->bytes, "six", 3 ) );
  struct sockaddr_in6 const * peer = (struct sockaddr_in6 const *)p->peer;
  CHECK( peer->sin6_family == AF_INET6 && !memcmp( &peer->sin6_addr, &a.sin6_addr, 16 ) && peer->sin6_port );
  close( fd );
  sf_udp_close( &udp );
}

/* Of a busy and a quiet socket the quiet one is heard within one batch. */
static void fair( uint32_t engine ) {
  uint8_t bytes[SHRED] = { 0 };
  start( engine, 2, ROOM );
  int busy = sender( 0 ), quiet = sender( 1 );
  for( uint32_t i = 0; i < 900; i++ ) CHECK( send( busy, bytes, sizeof( bytes ), 0 ) == SHRED );
  CHECK( send( quiet, bytes, 1, 0 ) == 1 );
  sf_udp_packet_t const * p;
  for( uint32_t before = 0, heard = 0; !heard; )
    for( uint32_t n = some( &p ); n; n--, p++, before++ ) {
      heard |= p->socket == 1;
      CHECK( before <= 2 * SF_UDP_BATCH );
    }
  close( busy );
  close( quiet );
  sf_udp_close( &udp );
}

static void wrong( void ) {
  loopback( &address[0], 0 );
  CHECK( sf_udp_open( &udp, SF_UDP_RECV, address, 0, ROOM ) == SF_ERR_ARG );
  CHECK( sf_udp_open( &udp, SF_UDP_RECV, address, SF_UDP_SOCKET_MAX + 1, ROOM ) == SF_ERR_ARG );
  CHECK( sf_udp_open( &udp, SF_UDP_ENGINES, address, 1, ROOM ) == SF_ERR_ARG );
  address[0].ss_family = AF_UNIX;
  CHECK( sf_udp_open( &udp, SF_UDP_RECV, address, 1, ROOM ) == SF_ERR_ARG );
  ( (struct sockaddr_in *)&address[0] )->sin_family      = AF_INET;
  ( (struct sockaddr_in *)&address[0] )->sin_addr.s_addr = htonl( 0xC0000201 ); /* 192.0.2.1, nobody's */
  CHECK( sf_udp_open( &udp, SF_UDP_URING, address, 1, ROOM ) == SF_ERR_SYS );
  CHECK_SAYS( "192.0.2.1:0" );
  for( uint32_t e = 0; e < SF_UDP_ENGINES; e++ ) CHECK( sf_udp_engine( sf_udp_engine_name( e ) ) == (int)e );
  CHECK( sf_udp_engine( "pigeon" ) == SF_ERR_ARG );
  CHECK_SAYS( "pigeon" );
}

/* refused runs in a process in which io_uring is forbidden. */
static int refused( void ) {
  struct sock_filter filter[] = {
    BPF_STMT( BPF_LD | BPF_W | BPF_ABS, offsetof( struct seccomp_data, nr ) ),
    BPF_JUMP( BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1 ),
    BPF_STMT( BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1 /* EPERM */ ),
    BPF_STMT( BPF_RET | BPF_K, SECCOMP_RET_ALLOW ),
  };
  struct sock_fprog program = { .len = 4, .filter = filter };
  if( prctl( PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0 ) || prctl( PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program ) ) return 77;
  loopback( &address[0], 0 );
  CHECK( !sf_udp_open( &udp, SF_UDP_URING, address, 1, ROOM ) );
  CHECK( udp.engine == SF_UDP_EPOLL && strstr( udp.replaced, "epoll instead of uring" ) );
  CHECK( strstr( udp.replaced, "io_uring is refused" ) );
  int fd = sender( 0 );
  sf_udp_packet_t const * p;
  CHECK( send( fd, "x", 1, 0 ) == 1 && some( &p ) == 1 && p->len == 1 && *p->bytes == 'x' );
  sf_udp_close( &udp );
  return 0;
}

int main( void ) {
  sf_clock_init();
  sf_rng_seed( &rng, 1 );
  pid_t child = fork();
  if( !child ) _exit( refused() );
  int status;
  CHECK( waitpid( child, &status, 0 ) == child && WIFEXITED( status ) );
  CHECK( WEXITSTATUS( status ) == 0 || WEXITSTATUS( status ) == 77 );
  wrong();
  few_buffers();
  for( uint32_t e = 0; e < SF_UDP_ENGINES; e++ ) {
    burst( e, 1, 3000 );
    burst( e, 5, 50 );
    burst( e, SF_UDP_SOCKET_MAX, 40 );
    train( e );
    sizes( e );
    drops( e );
    shared( e );
    six( e );
    fair( e );
  }
  printf(
      "udp: recv, recvmmsg, gro, epoll and uring receive, count drops and cuts, and share; refused uring is epoll\n" );
  return 0;
}
