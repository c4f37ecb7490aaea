#include "io/uring.h"
#include "base/err.h"
#include "sf_abi.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

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

/* -- buffers -------------------------------------------------------------- */

static uint64_t ring_bytes( sf_uring_buffers_t const * b ) { return b->cnt * sizeof( struct io_uring_buf ); }

int sf_uring_buffers_open( sf_uring_buffers_t * b, sf_uring_t * u, uint32_t cnt, uint32_t each ) {
  *b       = ( sf_uring_buffers_t ){ .cnt = cnt, .each = each };
  b->ring  = mmap( NULL, ring_bytes( b ), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0 );
  b->bytes = mmap( NULL, (uint64_t)cnt * each, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 );
  if( b->ring == MAP_FAILED || b->bytes == MAP_FAILED )
    return sf_err_set( SF_ERR_SYS, "receive buffers of io_uring: %s", strerror( errno ) );
  struct io_uring_buf_reg reg = { .ring_addr = (uint64_t)b->ring, .ring_entries = cnt, .bgid = SF_URING_GROUP };
  int err                     = io_uring_register_buf_ring( &u->ring, &reg, 0 );
  if( err ) return sf_err_set( SF_ERR_SYS, "io_uring refuses a ring of receive buffers: %s", strerror( -err ) );
  io_uring_buf_ring_init( b->ring );
  for( uint32_t i = 0; i < cnt; i++ ) sf_uring_buffer_give_back( b, i );
  return 0;
}

void sf_uring_buffers_close( sf_uring_buffers_t * b ) {
  if( b->ring && b->ring != MAP_FAILED ) munmap( b->ring, ring_bytes( b ) );
  if( b->bytes && b->bytes != MAP_FAILED ) munmap( b->bytes, (uint64_t)b->cnt * b->each );
  b->ring  = NULL;
  b->bytes = NULL;
}

/* -- multishot ------------------------------------------------------------ */

int sf_multishot_open( sf_multishot_t * m ) {
  memset( m, 0, sizeof( *m ) );
  m->fd   = -1;
  int err = sf_uring_open( &m->uring, 64 );
  if( !err ) err = sf_uring_buffers_open( &m->buffers, &m->uring, SF_MULTISHOT_BUFFERS, SF_MULTISHOT_BUFFER_BYTES );
  if( err ) sf_multishot_close( m );
  return err;
}

void sf_multishot_close( sf_multishot_t * m ) {
  sf_multishot_drop( m );
  sf_uring_close( &m->uring );
  sf_uring_buffers_close( &m->buffers );
}

static void arm( sf_multishot_t * m ) {
  struct io_uring_sqe * sqe = io_uring_get_sqe( &m->uring.ring );
  if( !sqe ) return;
  io_uring_prep_recv_multishot( sqe, m->fd, NULL, 0, 0 );
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = SF_URING_GROUP;
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
  if( m->from < m->to ) sf_uring_buffer_give_back( &m->buffers, m->buffer );
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
      sf_uring_buffer_give_back( &m->buffers, buffer );
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
    memcpy( (uint8_t *)p + got, sf_uring_buffer( &m->buffers, m->buffer ) + m->from, part );
    got += part;
    m->from += (uint32_t)part;
    if( m->from == m->to ) sf_uring_buffer_give_back( &m->buffers, m->buffer );
  }
  if( got ) return (int64_t)got;
  return m->broken ? SF_ERR_IO : 0;
}
