#include "io/uring.h"
#include "base/err.h"
#include "sf_abi.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define RING_BYTES   4096 /* page-aligned memory of the buffer ring; 16 bytes an entry */
#define BUFFER_BYTES ( (uint64_t)SF_MULTISHOT_BUFFERS * SF_MULTISHOT_BUFFER_BYTES )
#define GROUP        0

int sf_uring_open( sf_uring_t * u, uint32_t entries ) {
  static uint32_t const setups[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    0,
  };
  memset( u, 0, sizeof( *u ) );
  int err = -EINVAL;
  for( uint32_t i = 0; i < sizeof( setups ) / sizeof( setups[0] ) && err == -EINVAL; i++ ) {
    struct io_uring_params params = { .flags = setups[i] };
    err                           = io_uring_queue_init_params( entries, &u->ring, &params );
    u->setup                      = setups[i];
  }
  if( err ) return sf_err_set( SF_ERR_SYS, "io_uring is refused: %s", strerror( -err ) );
  u->open = 1;
  return 0;
}

void sf_uring_close( sf_uring_t * u ) {
  if( !u->open ) return;
  io_uring_queue_exit( &u->ring );
  u->open = 0;
}

/* -- multishot ------------------------------------------------------------ */

static void give_back( sf_multishot_t * m, uint32_t buffer ) {
  io_uring_buf_ring_add( m->buffer_ring, m->buffers + (uint64_t)buffer * SF_MULTISHOT_BUFFER_BYTES,
                         SF_MULTISHOT_BUFFER_BYTES, (unsigned short)buffer,
                         io_uring_buf_ring_mask( SF_MULTISHOT_BUFFERS ), 0 );
  io_uring_buf_ring_advance( m->buffer_ring, 1 );
}

int sf_multishot_open( sf_multishot_t * m ) {
  memset( m, 0, sizeof( *m ) );
  m->fd   = -1;
  int err = sf_uring_open( &m->uring, 64 );
  if( err ) return err;
  m->buffer_ring = mmap( NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0 );
  m->buffers     = mmap( NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 );
  if( m->buffer_ring == MAP_FAILED || m->buffers == MAP_FAILED ) {
    sf_multishot_close( m );
    return sf_err_set( SF_ERR_SYS, "receive buffers of io_uring: %s", strerror( errno ) );
  }
  struct io_uring_buf_reg reg = { .ring_addr    = (uint64_t)m->buffer_ring,
                                  .ring_entries = SF_MULTISHOT_BUFFERS,
                                  .bgid         = GROUP };
  err                         = io_uring_register_buf_ring( &m->uring.ring, &reg, 0 );
  if( err ) {
    sf_multishot_close( m );
    return sf_err_set( SF_ERR_SYS, "io_uring refuses a ring of receive buffers: %s", strerror( -err ) );
  }
  io_uring_buf_ring_init( m->buffer_ring );
  for( uint32_t i = 0; i < SF_MULTISHOT_BUFFERS; i++ ) give_back( m, i );
  return 0;
}

void sf_multishot_close( sf_multishot_t * m ) {
  sf_multishot_drop( m );
  sf_uring_close( &m->uring );
  if( m->buffer_ring && m->buffer_ring != MAP_FAILED ) munmap( m->buffer_ring, RING_BYTES );
  if( m->buffers && m->buffers != MAP_FAILED ) munmap( m->buffers, BUFFER_BYTES );
  m->buffer_ring = NULL;
  m->buffers     = NULL;
}

static void arm( sf_multishot_t * m ) {
  struct io_uring_sqe * sqe = io_uring_get_sqe( &m->uring.ring );
  if( !sqe ) return;
  io_uring_prep_recv_multishot( sqe, m->fd, NULL, 0, 0 );
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = GROUP;
  io_uring_sqe_set_data64( sqe, m->generation );
  m->armed = io_uring_submit( &m->uring.ring ) >= 0;
}

void sf_multishot_follow( sf_multishot_t * m, int fd ) {
  m->fd     = fd;
  m->broken = 0;
  m->generation++;
  arm( m );
}

void sf_multishot_drop( sf_multishot_t * m ) {
  if( m->fd < 0 ) return;
  if( m->from < m->to ) give_back( m, m->buffer );
  m->from = m->to           = 0;
  struct io_uring_sqe * sqe = m->armed ? io_uring_get_sqe( &m->uring.ring ) : NULL;
  if( sqe ) {
    io_uring_prep_cancel64( sqe, m->generation, 0 );
    io_uring_sqe_set_data64( sqe, 0 );
    io_uring_submit( &m->uring.ring );
  }
  shutdown( m->fd, SHUT_RD );
  m->generation++;
  m->armed = 0;
  m->fd    = -1;
}

/* next_buffer takes completions until one of them brought bytes: 1, or none is
   left: 0. */
static int next_buffer( sf_multishot_t * m ) {
  struct io_uring_cqe * cqe;
  while( ( cqe = sf_uring_peek( &m->uring ) ) ) {
    int ours        = cqe->user_data == m->generation;
    int res         = cqe->res;
    uint32_t flags  = cqe->flags;
    uint32_t buffer = flags >> IORING_CQE_BUFFER_SHIFT;
    io_uring_cqe_seen( &m->uring.ring, cqe );
    if( ours && !( flags & IORING_CQE_F_MORE ) ) m->armed = 0;
    if( flags & IORING_CQE_F_BUFFER ) {
      if( ours && res > 0 ) {
        m->buffer = buffer;
        m->from   = 0;
        m->to     = (uint32_t)res;
        return 1;
      }
      give_back( m, buffer );
    }
    if( ours && res == -EINVAL ) m->refused = 1;
    else if( ours && res <= 0 && res != -ENOBUFS && res != -EAGAIN && res != -EINTR ) m->broken = 1;
  }
  if( !m->armed && !m->broken && !m->refused ) arm( m );
  return 0;
}

int64_t sf_multishot_receive( sf_multishot_t * m, void * p, uint64_t n ) {
  uint64_t got = 0;
  while( got < n ) {
    if( m->from == m->to && !next_buffer( m ) ) break;
    uint64_t part = m->to - m->from;
    if( part > n - got ) part = n - got;
    memcpy( (uint8_t *)p + got, m->buffers + (uint64_t)m->buffer * SF_MULTISHOT_BUFFER_BYTES + m->from, part );
    got += part;
    m->from += (uint32_t)part;
    if( m->from == m->to ) give_back( m, m->buffer );
  }
  if( got ) return (int64_t)got;
  return m->broken ? SF_ERR_IO : 0;
}
