/* uring.h: what this project needs of io_uring on top of liburing: set-up with
   the best flags the kernel takes, a peek that sees deferred completions, and
   the multishot receive of one socket.

   io_uring may be refused (EPERM: sysctl or seccomp; ENOSYS: old kernel; ENOMEM:
   locked-memory limit).  Then these functions return SF_ERR_SYS with a sentence
   and their caller goes on with ordinary system calls.  A ring belongs to the
   thread that opened it. */

#ifndef SF_IO_URING_H
#define SF_IO_URING_H
#include <liburing.h>
#include <stdint.h>

typedef struct sf_uring {
  struct io_uring ring;
  uint32_t setup; /* IORING_SETUP_* in force */
  uint32_t open;
} sf_uring_t;

/* sf_uring_open makes a ring of at least `entries` submissions.  Tries
   SINGLE_ISSUER|DEFER_TASKRUN|TASKRUN_FLAG, then COOP_TASKRUN|TASKRUN_FLAG, then
   no flags.  Returns 0 or SF_ERR_SYS with a sentence. */
int sf_uring_open( sf_uring_t * u, uint32_t entries );
void sf_uring_close( sf_uring_t * u );

/* sf_uring_peek returns the oldest completion, or NULL if there is none.  Makes
   a system call only when there is none and the kernel says that it holds some back.
   The caller gives it back with io_uring_cqe_seen. */
static inline struct io_uring_cqe * sf_uring_peek( sf_uring_t * u ) {
  if( !io_uring_cq_ready( &u->ring ) &&
      IO_URING_READ_ONCE( *u->ring.sq.kflags ) & ( IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW ) )
    io_uring_get_events( &u->ring );
  unsigned head;
  struct io_uring_cqe * cqe;
  io_uring_for_each_cqe( &u->ring, head, cqe ) return cqe;
  return NULL;
}

/* Buffers of equal size that the kernel takes for what comes in, and that are given
   back when they have been read. */
typedef struct sf_uring_buffers {
  struct io_uring_buf_ring * ring; /* 16 bytes an entry, page-aligned */
  uint8_t * bytes;
  uint32_t cnt; /* a power of two */
  uint32_t each;
} sf_uring_buffers_t;

#define SF_URING_GROUP 0 /* buf_group of a ring's buffers */

/* sf_uring_buffers_open registers cnt buffers of `each` bytes with an open ring.  Returns 0
   or SF_ERR_SYS with a sentence.  Close the ring before them. */
int sf_uring_buffers_open( sf_uring_buffers_t * b, sf_uring_t * u, uint32_t cnt, uint32_t each );
void sf_uring_buffers_close( sf_uring_buffers_t * b );

static inline uint8_t * sf_uring_buffer( sf_uring_buffers_t const * b, uint32_t i ) {
  return b->bytes + (uint64_t)i * b->each;
}

static inline void sf_uring_buffer_give_back( sf_uring_buffers_t * b, uint32_t i ) {
  io_uring_buf_ring_add( b->ring, sf_uring_buffer( b, i ), b->each, (unsigned short)i, io_uring_buf_ring_mask( b->cnt ),
                         0 );
  io_uring_buf_ring_advance( b->ring, 1 );
}

/* Multishot receive: the kernel puts what comes in on one socket into buffers of
   a ring, without a system call per message. */
#define SF_MULTISHOT_BUFFERS      32
#define SF_MULTISHOT_BUFFER_BYTES 16384

typedef struct sf_multishot {
  sf_uring_t uring;
  sf_uring_buffers_t buffers;
  int fd;              /* -1 = not following a socket */
  uint64_t generation; /* of the socket; completions of an earlier one are dropped */
  uint32_t armed;
  uint32_t broken;  /* the socket has ended */
  uint32_t refused; /* 1: the kernel knows no multishot receive; use recv */
  uint32_t buffer;  /* the buffer being read: bytes [from,to) of it */
  uint32_t from;
  uint32_t to;
} sf_multishot_t;

int sf_multishot_open( sf_multishot_t * m );
void sf_multishot_close( sf_multishot_t * m );

/* sf_multishot_follow begins to receive from fd; sf_multishot_drop ends it and
   shuts fd down for reading (the kernel would go on reading otherwise). */
void sf_multishot_follow( sf_multishot_t * m, int fd );
void sf_multishot_drop( sf_multishot_t * m );

/* sf_multishot_receive is sf_tcp_receive for the socket being followed. */
int64_t sf_multishot_receive( sf_multishot_t * m, void * p, uint64_t n );

#endif
