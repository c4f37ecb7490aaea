#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/err.h"
#include "io/segment.h"

#define SLICE_BYTES 1048576UL /* zeros written in one go */
#define REAP_NS     50000000L /* longest sleep of a reap */

struct sf_file {
  char dir[256];
  uint64_t run;
  uint64_t segment_bytes;
  uint32_t block_bytes;
  uint32_t block_cnt;
  int engine;
  char why[128]; /* why not the engine asked for */
  int dir_fd;
  int lock_fd;
  int error;      /* first error of a write; nothing is written after it */
  char said[256]; /* its sentence */

  struct io_uring ring;
  int ring_up;
  uint8_t * buffer;                     /* block_cnt buffers of block_bytes; block n is in buffer n%block_cnt */
  int taken;                            /* 1 while the next block's buffer is being filled */
  uint32_t bytes_of[SF_BLOCK_INFLIGHT]; /* by block number */
  uint64_t arrived_mask;                /* by block number: arrived, but an earlier one has not */
  uint64_t number;                      /* of the next block */
  uint64_t durable;
  uint32_t inflight;

  uint64_t segment;        /* being written */
  uint64_t offset;         /* of the next block in it */
  uint64_t segment_number; /* of its first block */
  int fd[2];               /* by segment: written before ready_bytes is, by whoever creates it */

  /* shared with the thread that prepares segments */
  pthread_t thread;
  int thread_up;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  uint64_t wanted; /* segments up to this one are to be prepared; under mutex */
  int stop;        /* under mutex */
  uint64_t ready_bytes
      [2];         /* atomic, by segment: [0,ready_bytes) is zeros on disk; written by the preparer, 0 by the opener */
  uint32_t failed; /* atomic: preparing failed, `failure` says why */
  char failure[256];
  uint8_t * zeros; /* SLICE_BYTES */
};

static int sys_err( sf_file_t const * f, uint64_t segment, char const * what, int number ) {
  char name[SF_SEGMENT_NAME];
  sf_segment_name( name, f->run, segment );
  return sf_err_set( SF_ERR_IO, "journal %s/%s: %s: %s%s", f->dir, name, what, strerror( number ),
                     number == ENOSPC ? "; free space on the disk, then start again" : "" );
}

/* Keeps the first error: what is on the disk behind it is not known any more. */
static int broken( sf_file_t * f, int code ) {
  if( !f->error ) {
    f->error = code;
    (void)snprintf( f->said, sizeof f->said, "%s", sf_err_text() );
  }
  return sf_err_set( f->error, "%s", f->said );
}

/* -- preparing segments ---------------------------------------------------- */

static int direct_flag( sf_file_t const * f ) { return f->engine == SF_FILE_BUFFERED ? 0 : O_DIRECT; }

/* Creates the segment's file and opens it for its blocks and (*zero_fd) its zeros. */
static int segment_create( sf_file_t * f, uint64_t segment, int * zero_fd ) {
  char name[SF_SEGMENT_NAME];
  sf_segment_name( name, f->run, segment );
  int dsync = f->engine == SF_FILE_BUFFERED ? 0 : O_DSYNC;
  *zero_fd  = openat( f->dir_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | direct_flag( f ), 0600 );
  if( *zero_fd < 0 && errno == EEXIST )
    return sf_err_set(
        SF_ERR_STATE,
        "journal %s/%s exists already: a run is written once; the run number in the state directory must rise", f->dir,
        name );
  if( *zero_fd < 0 ) return sys_err( f, segment, "cannot be created", errno );
  int err = posix_fallocate( *zero_fd, 0, (int64_t)f->segment_bytes );
  if( !err ) {
    f->fd[segment & 1U] = openat( f->dir_fd, name, O_WRONLY | O_CLOEXEC | direct_flag( f ) | dsync );
    if( f->fd[segment & 1U] < 0 || fsync( f->dir_fd ) ) err = errno;
  }
  if( !err ) return 0;
  close( *zero_fd );
  (void)unlinkat( f->dir_fd, name, 0 );
  return sys_err( f, segment, "cannot be allocated", err );
}

/* Writes one slice of zeros.  Returns 0 or errno. */
static int slice_write( sf_file_t * f, int zero_fd, uint64_t off ) {
  uint64_t done = 0U;
  while( done < SLICE_BYTES ) {
    int64_t n = pwrite( zero_fd, f->zeros + done, SLICE_BYTES - done, (int64_t)( off + done ) );
    if( n < 0 && errno == EINTR ) continue;
    if( n <= 0 ) return n ? errno : ENOSPC;
    done += (uint64_t)n;
  }
  return 0;
}

static int stopping( sf_file_t * f ) {
  pthread_mutex_lock( &f->mutex );
  int stop = f->stop;
  pthread_mutex_unlock( &f->mutex );
  return stop;
}

/* Zeros from `off` to the segment's end, told slice by slice. */
static int segment_fill( sf_file_t * f, uint64_t segment, int zero_fd, uint64_t off ) {
  for( ; off < f->segment_bytes && !stopping( f ); off += SLICE_BYTES ) {
    int number = slice_write( f, zero_fd, off );
    if( number ) return sys_err( f, segment, "cannot be filled with zeros", number );
    sf_store_release( &f->ready_bytes[segment & 1U], off + SLICE_BYTES );
  }
  return fdatasync( zero_fd ) ? sys_err( f, segment, "cannot be synced", errno ) : 0;
}

typedef struct sf_preparer {
  sf_file_t * file;
  int zero_fd; /* of segment 0, whose first slice is written */
} sf_preparer_t;

static void * preparer_main( void * arg ) {
  sf_preparer_t p = *(sf_preparer_t *)arg;
  sf_file_t * f   = p.file;
  free( arg );
  uint64_t segment = 0U;
  int err          = 0;
  for( ;; ) {
    if( segment ) err = segment_create( f, segment, &p.zero_fd );
    if( !err ) {
      err = segment_fill( f, segment, p.zero_fd, segment ? 0U : SLICE_BYTES );
      close( p.zero_fd );
    }
    if( err ) {
      (void)snprintf( f->failure, sizeof f->failure, "%s", sf_err_text() );
      sf_store_release( &f->failed, 1U );
      return NULL;
    }
    segment++;
    pthread_mutex_lock( &f->mutex );
    while( f->wanted < segment && !f->stop ) pthread_cond_wait( &f->cond, &f->mutex );
    int stop = f->stop;
    pthread_mutex_unlock( &f->mutex );
    if( stop ) return NULL;
  }
}

/* Once nothing of the segment before is on its way its place is free for the one after. */
static void segment_want( sf_file_t * f ) {
  if( f->wanted > f->segment || f->durable < f->segment_number ) return;
  uint32_t slot = ( f->segment + 1U ) & 1U;
  if( f->segment ) close( f->fd[slot] );
  f->fd[slot] = -1;
  sf_store_release( &f->ready_bytes[slot], 0U );
  pthread_mutex_lock( &f->mutex );
  f->wanted = f->segment + 1U;
  pthread_cond_signal( &f->cond );
  pthread_mutex_unlock( &f->mutex );
}

/* -- opening --------------------------------------------------------------- */

static int config_check( sf_file_config_t const * c ) {
  if( strlen( c->dir ) >= sizeof( (sf_file_t *)0 )->dir )
    return sf_err_set( SF_ERR_ARG, "journal: the directory's path is too long" );
  if( c->run > 99999999U ) return sf_err_set( SF_ERR_ARG, "journal: run %lu is above 99999999", c->run );
  if( c->block_bytes < SF_JOURNAL_BLOCK_ALIGN || c->block_bytes > SF_BLOCK_MAX ||
      c->block_bytes % SF_JOURNAL_BLOCK_ALIGN )
    return sf_err_set( SF_ERR_ARG, "journal: block_bytes is %u; use a multiple of 4096 from 4096 to %u", c->block_bytes,
                       SF_BLOCK_MAX );
  if( c->block_cnt < 2U || c->block_cnt > SF_BLOCK_INFLIGHT )
    return sf_err_set( SF_ERR_ARG, "journal: blocks is %u; use 2 to %u", c->block_cnt, SF_BLOCK_INFLIGHT );
  uint64_t least = 2UL * c->block_cnt * c->block_bytes;
  if( c->segment_bytes < least || c->segment_bytes % SLICE_BYTES || c->segment_bytes > ( 1UL << 40 ) )
    return sf_err_set( SF_ERR_ARG,
                       "journal: segment_bytes is %lu; use a multiple of 1048576, at least %lu (twice all blocks)",
                       c->segment_bytes, least );
  return 0;
}

static int dir_open( sf_file_t * f ) {
  if( mkdir( f->dir, 0700 ) && errno != EEXIST )
    return sf_err_set( SF_ERR_SYS, "journal %s: cannot be created: %s", f->dir, strerror( errno ) );
  f->dir_fd = open( f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC );
  if( f->dir_fd < 0 ) return sf_err_set( SF_ERR_SYS, "journal %s: %s", f->dir, strerror( errno ) );
  int parent = openat( f->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC );
  if( parent >= 0 ) {
    (void)fsync( parent );
    close( parent );
  }
  f->lock_fd = openat( f->dir_fd, "lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600 );
  if( f->lock_fd < 0 ) return sf_err_set( SF_ERR_SYS, "journal %s/lock: %s", f->dir, strerror( errno ) );
  if( flock( f->lock_fd, LOCK_EX | LOCK_NB ) )
    return sf_err_set(
        SF_ERR_STATE,
        "journal %s is being written by another process; stop that one, or use another instance.state_dir", f->dir );
  return 0;
}

/* Sets up io_uring.  Returns 0, or fills `why` and returns -1: then pwrite it is. */
static int ring_open( sf_file_t * f ) {
  struct iovec iov[SF_BLOCK_INFLIGHT];
  int const none[2]             = { -1, -1 };
  struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                             IORING_SETUP_TASKRUN_FLAG };
  char const * what             = "io_uring_setup";
  int ret                       = io_uring_queue_init_params( SF_BLOCK_INFLIGHT, &f->ring, &params );
  if( ret == -EINVAL ) { /* a kernel before 6.1 */
    params = ( struct io_uring_params ){ 0 };
    ret    = io_uring_queue_init_params( SF_BLOCK_INFLIGHT, &f->ring, &params );
  }
  if( !ret ) {
    f->ring_up = 1;
    for( uint32_t i = 0U; i < f->block_cnt; i++ )
      iov[i] = ( struct iovec ){ f->buffer + (uint64_t)i * f->block_bytes, f->block_bytes };
    what = "registering buffers";
    ret  = io_uring_register_buffers( &f->ring, iov, f->block_cnt );
    if( !ret ) {
      what = "registering files";
      ret  = io_uring_register_files( &f->ring, none, 2U );
    }
  }
  if( !ret ) return 0;
  (void)snprintf( f->why, sizeof f->why, "%s: %s", what, strerror( -ret ) );
  if( f->ring_up ) io_uring_queue_exit( &f->ring );
  f->ring_up = 0;
  return -1;
}

static int ring_file( sf_file_t * f ) {
  if( f->engine != SF_FILE_URING ) return 0;
  uint32_t slot = f->segment & 1U;
  int ret       = io_uring_register_files_update( &f->ring, slot, &f->fd[slot], 1U );
  return ret < 0 ? sys_err( f, f->segment, "registering the file", -ret ) : 0;
}

/* Creates segment 0 and writes its first slice, which shows whether O_DIRECT works. */
static int first_segment( sf_file_t * f, int * zero_fd ) {
  for( ;; ) {
    int err    = segment_create( f, 0U, zero_fd );
    int number = err ? errno : slice_write( f, *zero_fd, 0U );
    if( !err && !number ) return 0;
    if( err == SF_ERR_STATE ) return err;
    if( !err ) {
      char name[SF_SEGMENT_NAME];
      sf_segment_name( name, f->run, 0U );
      close( *zero_fd );
      close( f->fd[0] );
      f->fd[0] = -1;
      (void)unlinkat( f->dir_fd, name, 0 );
      err = sys_err( f, 0U, "cannot be filled with zeros", number );
    }
    if( number != EINVAL || f->engine == SF_FILE_BUFFERED ) return err;
    f->engine = SF_FILE_BUFFERED;
    (void)snprintf( f->why, sizeof f->why, "the file system refuses O_DIRECT" );
  }
}

int sf_file_open( sf_file_t ** out, sf_file_config_t const * config ) {
  *out    = NULL;
  int err = config_check( config );
  if( err ) return err;
  sf_file_t * f = calloc( 1U, sizeof *f );
  if( !f ) return sf_err_set( SF_ERR_SYS, "journal: no memory" );
  (void)snprintf( f->dir, sizeof f->dir, "%s", config->dir );
  f->run           = config->run;
  f->segment_bytes = config->segment_bytes;
  f->block_bytes   = config->block_bytes;
  f->block_cnt     = config->block_cnt;
  f->engine        = config->engine == SF_FILE_URING ? SF_FILE_URING : SF_FILE_PWRITE;
  f->dir_fd = f->lock_fd = f->fd[0] = f->fd[1] = -1;
  f->buffer = aligned_alloc( SF_JOURNAL_BLOCK_ALIGN, (uint64_t)f->block_cnt * f->block_bytes );
  f->zeros  = aligned_alloc( SF_JOURNAL_BLOCK_ALIGN, SLICE_BYTES );
  pthread_mutex_init( &f->mutex, NULL );
  pthread_cond_init( &f->cond, NULL );

  sf_preparer_t * p = malloc( sizeof *p );
  if( !f->buffer || !f->zeros || !p ) err = sf_err_set( SF_ERR_SYS, "journal: no memory" );
  if( !err ) {
    memset( f->buffer, 0, (uint64_t)f->block_cnt * f->block_bytes );
    memset( f->zeros, 0, SLICE_BYTES );
    err = dir_open( f );
  }
  if( !err ) err = first_segment( f, &p->zero_fd );
  if( !err ) {
    if( f->engine == SF_FILE_URING && ring_open( f ) ) f->engine = SF_FILE_PWRITE;
    err               = ring_file( f );
    f->ready_bytes[0] = SLICE_BYTES;
    p->file           = f;
    int number        = err ? 0 : pthread_create( &f->thread, NULL, preparer_main, p );
    if( number ) err = sf_err_set( SF_ERR_SYS, "journal: the thread that prepares segments: %s", strerror( number ) );
    if( err ) close( p->zero_fd );
  }
  if( err ) {
    free( p );
    (void)sf_file_close( f );
    return err;
  }
  f->thread_up = 1;
  segment_want( f );
  *out = f;
  return 0;
}

int sf_file_close( sf_file_t * f ) {
  while( f->inflight && !f->error ) (void)sf_file_reap( f, 1 );
  int err = f->error;
  if( f->thread_up ) {
    pthread_mutex_lock( &f->mutex );
    f->stop = 1;
    pthread_cond_signal( &f->cond );
    pthread_mutex_unlock( &f->mutex );
    pthread_join( f->thread, NULL );
    if( !err ) { /* segments prepared for nothing, and the rest of this one */
      char name[SF_SEGMENT_NAME];
      sf_segment_name( name, f->run, f->segment + 1U );
      (void)unlinkat( f->dir_fd, name, 0 );
      sf_segment_name( name, f->run, f->segment );
      if( !f->offset ) (void)unlinkat( f->dir_fd, name, 0 );
      else if( ftruncate( f->fd[f->segment & 1U], (int64_t)f->offset ) )
        err = sys_err( f, f->segment, "cannot be truncated", errno );
      (void)fsync( f->dir_fd );
    }
  }
  if( f->ring_up ) io_uring_queue_exit( &f->ring );
  for( int i = 0; i < 2; i++ )
    if( f->fd[i] >= 0 ) close( f->fd[i] );
  if( f->lock_fd >= 0 ) close( f->lock_fd );
  if( f->dir_fd >= 0 ) close( f->dir_fd );
  pthread_cond_destroy( &f->cond );
  pthread_mutex_destroy( &f->mutex );
  free( f->zeros );
  free( f->buffer );
  free( f );
  return err;
}

/* -- blocks ---------------------------------------------------------------- */

static int segment_ready( sf_file_t * f, uint64_t segment, uint64_t bytes ) {
  if( sf_load_acquire( &f->ready_bytes[segment & 1U] ) >= bytes ) return 0;
  if( sf_load_acquire( &f->failed ) ) return sf_err_set( SF_ERR_IO, "%s", f->failure );
  return SF_ERR_EMPTY;
}

static uint8_t * buffer_of( sf_file_t const * f, uint64_t number ) {
  return f->buffer + number % f->block_cnt * f->block_bytes;
}

int sf_file_take( sf_file_t * f, uint8_t ** buffer, int * first ) {
  if( f->error ) return broken( f, f->error );
  if( f->taken ) return sf_err_set( SF_ERR_STATE, "journal: a block is being filled already" );
  if( f->number - f->durable >= f->block_cnt ) return SF_ERR_EMPTY;
  if( f->segment_bytes - f->offset < f->block_bytes ) {
    segment_want( f );
    if( f->wanted <= f->segment ) return SF_ERR_EMPTY;
    int err = segment_ready( f, f->segment + 1U, f->block_bytes );
    if( err ) return err;
    f->segment++;
    f->offset         = 0U;
    f->segment_number = f->number;
    err               = ring_file( f );
    if( err ) return broken( f, err );
    segment_want( f );
  }
  int err = segment_ready( f, f->segment, f->offset + f->block_bytes );
  if( err ) return err;
  f->taken = 1;
  *buffer  = buffer_of( f, f->number );
  *first   = f->offset == 0U;
  return 0;
}

static void arrived( sf_file_t * f, uint64_t number ) {
  f->arrived_mask |= 1UL << ( number % SF_BLOCK_INFLIGHT );
  f->inflight--;
  while( ( f->arrived_mask >> ( f->durable % SF_BLOCK_INFLIGHT ) ) & 1U ) {
    f->arrived_mask &= ~( 1UL << ( f->durable % SF_BLOCK_INFLIGHT ) );
    f->durable++;
  }
}

static int write_now( sf_file_t * f, uint8_t const * p, uint32_t bytes ) {
  int fd        = f->fd[f->segment & 1U];
  uint32_t done = 0U;
  while( done < bytes ) {
    int64_t n = pwrite( fd, p + done, bytes - done, (int64_t)( f->offset + done ) );
    if( n < 0 && errno == EINTR ) continue;
    if( n <= 0 ) return sys_err( f, f->segment, "a block cannot be written", n ? errno : ENOSPC );
    done += (uint32_t)n;
  }
  if( f->engine == SF_FILE_BUFFERED && fdatasync( fd ) )
    return sys_err( f, f->segment, "a block cannot be synced", errno );
  return 0;
}

int sf_file_write( sf_file_t * f, uint32_t bytes, int wait ) {
  if( f->error ) return broken( f, f->error );
  int now                                    = wait || f->engine != SF_FILE_URING;
  uint8_t * p                                = buffer_of( f, f->number );
  f->bytes_of[f->number % SF_BLOCK_INFLIGHT] = bytes;
  f->taken                                   = 0;
  f->inflight++;
  if( now ) {
    int err = write_now( f, p, bytes );
    if( err ) return broken( f, err );
  } else {
    struct io_uring_sqe * sqe = io_uring_get_sqe( &f->ring ); /* room for SF_BLOCK_INFLIGHT */
    io_uring_prep_write_fixed( sqe, (int)( f->segment & 1U ), p, bytes, f->offset, (int)( f->number % f->block_cnt ) );
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64( sqe, f->number );
    int ret = io_uring_submit( &f->ring );
    while( ret == -EINTR || ret == -EAGAIN ) ret = io_uring_submit( &f->ring );
    if( ret < 0 ) return broken( f, sys_err( f, f->segment, "a block cannot be submitted", -ret ) );
  }
  f->offset += bytes;
  f->number++;
  if( now ) arrived( f, f->number - 1U );
  return 0;
}

int sf_file_reap( sf_file_t * f, int wait ) {
  if( f->error ) return broken( f, f->error );
  int cnt = 0;
  if( wait && !f->inflight ) {
    struct timespec pause = { 0, 50000 };
    (void)nanosleep( &pause, NULL );
  }
  while( f->ring_up && f->inflight ) {
    struct io_uring_cqe * cqe        = NULL;
    struct __kernel_timespec longest = { .tv_nsec = REAP_NS };
    int ret =
        wait && !cnt ? io_uring_wait_cqe_timeout( &f->ring, &cqe, &longest ) : io_uring_peek_cqe( &f->ring, &cqe );
    if( ret == -EINTR ) continue;
    if( ret == -EAGAIN || ret == -ETIME ) break;
    if( ret ) return broken( f, sys_err( f, f->segment, "waiting for a block", -ret ) );
    uint64_t number = io_uring_cqe_get_data64( cqe );
    int res         = cqe->res;
    io_uring_cqe_seen( &f->ring, cqe );
    uint32_t bytes = f->bytes_of[number % SF_BLOCK_INFLIGHT];
    if( res != (int)bytes )
      return broken( f, sys_err( f, f->segment, "a block cannot be written", res < 0 ? -res : ENOSPC ) );
    arrived( f, number );
    cnt++;
  }
  if( cnt ) segment_want( f );
  return cnt;
}

uint64_t sf_file_durable( sf_file_t const * f ) { return f->durable; }
uint64_t sf_file_number( sf_file_t const * f ) { return f->number; }
uint64_t sf_file_segment( sf_file_t const * f ) { return f->segment; }

int sf_file_engine( sf_file_t const * f, char const ** why ) {
  *why = f->why;
  return f->engine;
}
