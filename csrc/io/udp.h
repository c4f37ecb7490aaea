/* udp.h: datagrams in, from up to 64 sockets in one thread, by one of five engines behind one poll.

     recv       one system call a datagram
     recvmmsg   one for up to SF_UDP_BATCH datagrams of a socket
     gro        one for a train of datagrams of equal size, which the kernel keeps together (UDP_GRO)
     epoll      one to ask which sockets have something, then recvmmsg
     uring      multishot receive into a ring of buffers: a system call only when something has come

   From one socket recv is quickest, and gro takes the most a second.  From about eight on epoll and uring
   are, because they do not ask each of them; uring makes no system call while nothing comes.  The kernel
   copies a datagram once, to where the caller reads it.

   An engine that the kernel refuses (io_uring: sysctl, seccomp, age; gro: age) is replaced by the next
   best, and `replaced` says so.  Nothing here blocks. */

#ifndef SF_IO_UDP_H
#define SF_IO_UDP_H
#include "io/uring.h"
#include <sys/socket.h>

#define SF_UDP_SOCKET_MAX 64
#define SF_UDP_BATCH      64   /* most datagrams of one poll */
#define SF_UDP_BYTES      2048 /* the rest of a longer datagram is lost */

#define SF_UDP_RECV     0
#define SF_UDP_RECVMMSG 1
#define SF_UDP_GRO      2
#define SF_UDP_EPOLL    3
#define SF_UDP_URING    4
#define SF_UDP_ENGINES  5

typedef struct sf_udp_packet {
  uint8_t const * bytes;
  struct sockaddr const * peer; /* who sent it */
  uint32_t len;
  uint16_t socket; /* index of the socket it came in on */
  uint16_t cut;    /* 1: it was longer than SF_UDP_BYTES */
} sf_udp_packet_t;

typedef struct sf_udp_socket {
  int fd;
  uint32_t receive_bytes;          /* room the kernel gave; it counts its own bookkeeping in it */
  struct sockaddr_storage address; /* bound to */
  uint64_t dropped;                /* datagrams there was no room for, as the last one that came in told */
  uint32_t dropped_told;           /* the kernel's own count (SO_RXQ_OVFL), which wraps */
  uint32_t armed;                  /* uring: its receive is on */
} sf_udp_socket_t;

typedef struct sf_udp_slot sf_udp_slot_t;

typedef struct sf_udp {
  uint32_t engine; /* SF_UDP_*, in force */
  uint32_t socket_cnt;
  char replaced[192];   /* why that is not the engine asked for, "" if it is */
  uint64_t cut_packets; /* total of those that were longer than SF_UDP_BYTES */
  uint64_t rearms;      /* uring: how often a receive had ended, for lack of buffers, and was begun anew */
  uint64_t errors;      /* total of receives that failed */
  sf_udp_socket_t socket[SF_UDP_SOCKET_MAX];

  sf_udp_packet_t packet[SF_UDP_BATCH]; /* of the last poll */
  uint32_t packet_cnt;
  uint32_t next;        /* recv, recvmmsg, gro: the socket asked first */
  sf_udp_slot_t * slot; /* but uring: where datagrams are received */
  struct {
    uint32_t from, to, step; /* gro: bytes of a train not given out yet, and of each datagram */
    uint32_t socket;
  } train;
  int epoll;
  sf_uring_t uring;
  sf_uring_buffers_t buffers;
  struct msghdr shape; /* uring: room before each datagram */
  uint16_t held[SF_UDP_BATCH];
  uint32_t held_cnt; /* uring: buffers of the last poll */
  uint32_t armed_cnt;
} sf_udp_t;

/* sf_udp_engine returns the number of an engine by its name, or SF_ERR_ARG with a sentence;
   sf_udp_engine_name is its reverse. */
int sf_udp_engine( char const * name );
char const * sf_udp_engine_name( uint32_t engine );

/* sf_udp_open binds a socket to each of cnt addresses (port 0: the kernel chooses one) and asks for
   receive_bytes of room in each; the kernel gives less above net.core.rmem_max to whoever may not exceed
   it.  An address that is given more than once is shared: the kernel spreads peers over its sockets.  u
   must not move afterwards, and only the thread that opened it may poll.  Returns 0, or SF_ERR_ARG or
   SF_ERR_SYS with a sentence; then nothing is open. */
int sf_udp_open( sf_udp_t * u, uint32_t engine, struct sockaddr_storage const * address, uint32_t cnt,
                 uint32_t receive_bytes );
void sf_udp_close( sf_udp_t * u );

/* sf_udp_poll returns how many datagrams it has taken, at most SF_UDP_BATCH, and where their descriptions
   are; all of it stays valid until the next poll.  Datagrams of a socket are in order, and no socket waits
   for more than one batch of each other.  Hot. */
uint32_t sf_udp_poll( sf_udp_t * u, sf_udp_packet_t const ** packet );

#endif
