/* bench journal: the journal tile beside what the disk does without it, in one run.

     build/release/bench/c/journal DIRECTORY [CHUNKS [SHARE]]      JSON lines on stdout; a SHARE of 0.1 does a tenth

   One thread publishes 256-byte records (journal record header included) and
   steps the tile, in a rig; segments, blocks and buffers are the shipped ones.

   stream   records a second until all are durable, by io_uring and by pwrite
   commit   one signed transaction at a time on an idle journal: published ->
            its seq is durable
   limit    the same bytes without a journal: 64 KiB (stream) and 4 KiB (commit)
            pwrites, O_DIRECT|O_DSYNC, into a file that was written before
   naive    write and fdatasync of each record */

#include "rig.h"
#include "sf_cnc.h"
#include "tile/rig.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RECORD_BYTES 256
#define PAYLOAD      ( RECORD_BYTES - 40 )
#define STREAM       1000000 /* records of a stream, in a long run */
#define COMMITS      1000
#define NAIVE        200
#define BIG          65536
#define SMALL        4096
#define FILE_BYTES   ( 64L << 20 )

static char const * base;
static uint64_t sample[COMMITS];
static uint64_t stream_cnt = STREAM, commit_cnt = COMMITS, naive_cnt = NAIVE;
static long file_bytes = FILE_BYTES;

static void need( int ok, char const * what ) {
  if( ok ) return;
  fprintf( stderr, "%s: %s %s\n", what, sf_err_text(), strerror( errno ) );
  exit( 1 );
}

static void empty( char const * dir ) {
  DIR * d = opendir( dir );
  need( d != NULL, dir );
  for( struct dirent * e; ( e = readdir( d ) ); )
    if( e->d_name[0] != '.' ) (void)unlinkat( dirfd( d ), e->d_name, 0 );
  closedir( d );
}

static void say_rate( char const * what, char const * how, uint64_t records, uint64_t ns ) {
  printf( "{\"what\":\"rate\",\"case\":\"%s %s\",\"per_second\":%.0f}\n", what, how,
          (double)records * 1e9 / (double)ns );
  fflush( stdout );
}

static void say_latency( char const * what, char const * how, uint32_t cnt ) {
  char name[64];
  snprintf( name, sizeof( name ), "%s %s", what, how );
  bench_samples_report( name, sample, cnt );
}

/* -- the journal ----------------------------------------------------------- */

static sf_rig_t * journal_open( char const * engine ) {
  char params[512];
  sf_rig_t * rig;
  empty( base );
  snprintf( params, sizeof params,
            "dir=%s\nsegment_bytes=67108864\nblock_bytes=65536\nblocks=16\ncommit_us=1000\nengine=%s\n", base, engine );
  (void)sf_rig_new( &rig );
  (void)sf_rig_tile( rig, "journal", "journal", params );
  (void)sf_rig_link( rig, "wire", NULL, 4096, 256 );
  (void)sf_rig_edge( rig, "wire", "journal", 1 );
  (void)sf_rig_table( rig, "durable", "journal", sizeof( sf_durable_row_t ), 1 );
  need( sf_rig_start( rig ) == 0, "journal" );
  return rig;
}

static uint64_t durable( sf_table_t const * table ) {
  sf_durable_row_t row;
  need( sf_table_read( table, 0, &row ) == 0, "durable" );
  return row.seq;
}

static void stream( char const * engine ) {
  sf_rig_t * rig     = journal_open( engine );
  sf_producer_t * p  = sf_rig_producer( rig, "wire" );
  sf_table_t * table = sf_rig_table_of( rig, "durable" );
  uint64_t begin     = sf_clock_ns();
  uint64_t sent      = 0;
  while( durable( table ) < stream_cnt ) {
    for( int i = 0; i < 64 && sent < stream_cnt; i++ ) {
      sf_message_t * slot = sf_link_claim( p );
      if( !slot ) break;
      memset( slot + 1, (int)sent, PAYLOAD );
      sf_link_publish( p, slot, SF_MSG_ACCOUNT, PAYLOAD, 0, sent, sent );
      sent++;
    }
    need( sf_rig_step( rig ) >= 0, "journal" );
  }
  say_rate( "stream", engine, stream_cnt, sf_clock_ns() - begin );
  sf_rig_close( rig );
}

static void commit( char const * engine ) {
  sf_rig_t * rig           = journal_open( engine );
  sf_table_t * table       = sf_rig_table_of( rig, "durable" );
  uint8_t payload[PAYLOAD] = { 0 };
  for( uint64_t i = 0; i < commit_cnt; i++ ) {
    uint64_t begin = sf_clock_ns();
    need( sf_rig_inject( rig, "wire", SF_MSG_WIRE, 0, 0, payload, PAYLOAD ) == 0, "publish" );
    while( durable( table ) <= i ) need( sf_rig_step( rig ) >= 0, "journal" );
    sample[i] = sf_clock_ns() - begin;
  }
  say_latency( "commit", engine, (uint32_t)commit_cnt );
  sf_rig_close( rig );
}

/* -- the disk without it --------------------------------------------------- */

static int written_file( int flags, uint8_t * zeros ) {
  char path[512];
  empty( base );
  snprintf( path, sizeof path, "%s/limit", base );
  int fd = open( path, O_RDWR | O_CREAT | O_DIRECT | flags, 0600 );
  if( fd < 0 && errno == EINVAL ) fd = open( path, O_RDWR | O_CREAT | flags, 0600 );
  need( fd >= 0, path );
  for( long off = 0; off < file_bytes; off += BIG ) need( pwrite( fd, zeros, BIG, off ) == BIG, path );
  need( fsync( fd ) == 0, path );
  return fd;
}

static void limit( uint8_t * block ) {
  int fd = written_file( 0, block );
  close( fd );
  char path[512];
  snprintf( path, sizeof path, "%s/limit", base );
  fd = open( path, O_WRONLY | O_DIRECT | O_DSYNC );
  if( fd < 0 ) fd = open( path, O_WRONLY | O_DSYNC );
  need( fd >= 0, path );
  uint64_t begin = sf_clock_ns();
  for( long off = 0; off < file_bytes; off += BIG ) need( pwrite( fd, block, BIG, off ) == BIG, path );
  say_rate( "limit", "pwrite 64 KiB", (uint64_t)( file_bytes / RECORD_BYTES ), sf_clock_ns() - begin );
  for( uint32_t i = 0; i < commit_cnt; i++ ) {
    uint64_t t = sf_clock_ns();
    need( pwrite( fd, block, SMALL, (long)i * SMALL ) == SMALL, path );
    sample[i] = sf_clock_ns() - t;
  }
  say_latency( "limit", "pwrite 4 KiB", (uint32_t)commit_cnt );
  close( fd );
  fd = open( path, O_WRONLY );
  need( fd >= 0, path );
  begin = sf_clock_ns();
  for( uint64_t i = 0; i < naive_cnt; i++ )
    need( write( fd, block, RECORD_BYTES ) == RECORD_BYTES && fdatasync( fd ) == 0, path );
  say_rate( "naive", "write and fdatasync", naive_cnt, sf_clock_ns() - begin );
  close( fd );
}

int main( int argc, char ** argv ) {
  if( argc < 2 ) {
    fprintf( stderr, "usage: %s DIRECTORY [CHUNKS [SHARE]]\n", argv[0] );
    return 2;
  }
  base         = argv[1];
  int chunks   = argc > 2 ? atoi( argv[2] ) : 3;
  double share = argc > 3 ? atof( argv[3] ) : 1;
  if( chunks < 1 || share < 0.01 || share > 1 ) {
    fprintf( stderr, "journal: %d chunks of a share of %g; use 1 and more, 0.01 to 1\n", chunks, share );
    return 2;
  }
  stream_cnt = (uint64_t)( share * STREAM );
  commit_cnt = (uint64_t)( share * COMMITS );
  naive_cnt  = (uint64_t)( share * NAIVE );
  file_bytes = (long)( share * ( FILE_BYTES / BIG ) ) * BIG;
  bench_clock_open();
  uint8_t * block = aligned_alloc( SMALL, BIG );
  memset( block, 0, BIG );
  for( int i = 0; i < chunks; i++ ) {
    limit( block );
    stream( "uring" );
    stream( "pwrite" );
    commit( "uring" );
    commit( "pwrite" );
  }
  bench_clock_report();
  empty( base );
  free( block );
  return 0;
}
