/* The journal tile in a rig: what goes in comes back from disk, durable seqs never
   run ahead of it, commits are timely, errors of the disk end the tile. */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/reader.h"
#include "io/segment.h"
#include "sf_cnc.h"
#include "tile/rig.h"

#define CHECK( c )                                                        \
  do {                                                                    \
    if( !( c ) ) {                                                        \
      printf( "%s:%d: %s: %s\n", __FILE__, __LINE__, #c, sf_err_text() ); \
      exit( 1 );                                                          \
    }                                                                     \
  } while( 0 )

static char dir[64];
static uint32_t offsets[SF_BLOCK_RECORDS];

static uint64_t rng_state = 1181783497276652981UL;
static uint64_t rng( void ) {
  rng_state ^= rng_state << 13;
  rng_state ^= rng_state >> 7;
  rng_state ^= rng_state << 17;
  return rng_state;
}

static void dir_empty( void ) {
  DIR * d = opendir( dir );
  for( struct dirent * e; d && ( e = readdir( d ) ); )
    if( e->d_name[0] != '.' ) (void)unlinkat( dirfd( d ), e->d_name, 0 );
  if( d ) closedir( d );
}

static sf_rig_t * rig_new( char const * more ) {
  char params[512];
  sf_rig_t * rig;
  (void)snprintf( params, sizeof params, "dir=%s\nsegment_bytes=1048576\nblock_bytes=16384\nblocks=8\n%s", dir, more );
  (void)sf_rig_new( &rig );
  (void)sf_rig_tile( rig, "journal", "journal", params );
  char const * links[] = { "raw", "fill", "wire" };
  uint32_t bytes[]     = { 1024U, 256U, 1344U };
  for( int i = 0; i < 3; i++ ) {
    (void)sf_rig_link( rig, links[i], NULL, 1024U, bytes[i] );
    (void)sf_rig_edge( rig, links[i], "journal", 1U );
  }
  (void)sf_rig_table( rig, "durable", "journal", sizeof( sf_durable_row_t ), 64U );
  return rig;
}

static uint64_t durable( sf_rig_t * rig, uint32_t in ) {
  sf_durable_row_t row;
  CHECK( sf_table_read( sf_rig_table_of( rig, "durable" ), in, &row ) == 0 );
  return row.seq;
}

/* steps until the seq of an in-link is durable; returns how long that took */
static uint64_t await_durable( sf_rig_t * rig, uint32_t in, uint64_t seq ) {
  uint64_t begin = sf_clock_ns();
  while( durable( rig, in ) < seq ) {
    CHECK( sf_rig_step( rig ) >= 0 );
    CHECK( sf_clock_ns() - begin < 10000000000UL );
  }
  return sf_clock_ns() - begin;
}

static void payload_make( uint8_t * p, uint32_t in, uint64_t seq, uint16_t length ) {
  for( uint32_t i = 0U; i < length; i++ ) p[i] = (uint8_t)( seq * 7U + in * 3U + i );
}

static uint16_t length_of( uint32_t in, uint64_t seq ) {
  static uint16_t const max[] = { 992U, 224U, 1312U };
  return (uint16_t)( ( seq * 2654435761U ) % ( max[in] + 1U ) );
}

/* reads the run back and compares; returns how many of each link there are */
static void read_back( uint64_t * cnt ) {
  static char const * names[] = { "raw", "fill", "wire" };
  sf_reader_t * r;
  uint8_t want[2048];
  CHECK( sf_reader_open( &r, dir, 1U, NULL ) == 0 );
  memset( cnt, 0, 3 * sizeof *cnt );
  int n;
  while( ( n = sf_reader_next( r, NULL, offsets ) ) > 0 )
    for( int k = 0; k < n; k++ ) {
      sf_journal_record_t const * rec =
          (sf_journal_record_t const *)( (uint8_t const *)sf_reader_block( r ) + offsets[k] );
      uint32_t in = 0U;
      while( in < 3U && strcmp( names[in], sf_reader_link( r, rec->link ) ) ) in++;
      CHECK( in < 3U && rec->message.seq == cnt[in] && rec->message.length == length_of( in, cnt[in] ) );
      CHECK( rec->message.tag == (uint32_t)cnt[in] && rec->message.t_origin == cnt[in] + 1U && rec->message.t_pub );
      payload_make( want, in, cnt[in], rec->message.length );
      CHECK( !memcmp( want, rec + 1, rec->message.length ) );
      cnt[in]++;
    }
  CHECK( n == 0 );
  sf_reader_close( r );
}

static void test_round_trip( char const * more ) {
  dir_empty();
  sf_rig_t * rig = rig_new( more );
  CHECK( sf_rig_start( rig ) == 0 );
  uint64_t sent[3] = { 0U, 0U, 0U }, got[3];
  uint8_t payload[2048];
  for( int i = 0; i < 30000; i++ ) {
    uint32_t in     = (uint32_t)( rng() % 16U );
    in              = in < 10U ? 0U : in < 15U ? 1U : 2U;
    uint16_t length = length_of( in, sent[in] );
    payload_make( payload, in, sent[in], length );
    static char const * names[] = { "raw", "fill", "wire" };
    int err = sf_rig_inject( rig, names[in], in == 2U ? SF_MSG_WIRE : SF_MSG_FILL, (uint32_t)sent[in], sent[in] + 1U,
                             payload, length );
    CHECK( !err || err == SF_ERR_FULL );
    if( !err ) sent[in]++;
    if( err || rng() % 50U == 0U ) CHECK( sf_rig_step( rig ) >= 0 );
    for( uint32_t k = 0U; k < 3U; k++ ) CHECK( durable( rig, k ) <= sent[k] );
    if( i % 10000 == 9999 ) { /* what is said to be durable is on disk */
      uint64_t said[3] = { durable( rig, 0U ), durable( rig, 1U ), durable( rig, 2U ) };
      read_back( got );
      for( int k = 0; k < 3; k++ ) CHECK( got[k] >= said[k] );
    }
  }
  for( uint32_t in = 0U; in < 3U; in++ ) await_durable( rig, in, sent[in] );
  read_back( got );
  CHECK( !memcmp( got, sent, sizeof sent ) && sf_rig_counter( rig, "journal", "segment" ) >= 2U );
  sf_rig_close( rig );
  read_back( got );
  CHECK( !memcmp( got, sent, sizeof sent ) );

  struct stat st; /* no room is kept: the last segment ends with its last block */
  char path[128];
  uint64_t total = 0U;
  for( uint64_t s = 0U;; s++ ) {
    (void)sprintf( path, "%s/00000001-%08lu.sfj", dir, s );
    if( stat( path, &st ) ) break;
    total = (uint64_t)st.st_size;
  }
  CHECK( total && total < 1048576U && total % 4096U == 0U );
}

static void test_halt_writes_everything( void ) {
  dir_empty();
  sf_rig_t * rig = rig_new( "commit_us=1000000\nengine=uring\n" );
  CHECK( sf_rig_start( rig ) == 0 );
  uint8_t payload[2048];
  for( uint64_t i = 0U; i < 100U; i++ ) {
    payload_make( payload, 1U, i, length_of( 1U, i ) );
    CHECK( sf_rig_inject( rig, "fill", SF_MSG_FILL, (uint32_t)i, i + 1U, payload, length_of( 1U, i ) ) == 0 );
  }
  sf_rig_close( rig );
  uint64_t got[3];
  read_back( got );
  CHECK( got[0] == 0U && got[1] == 100U && got[2] == 0U );
}

/* a signed transaction does not wait for commit_us, anything else does */
static void test_commit_times( void ) {
  dir_empty();
  sf_rig_t * rig = rig_new( "commit_us=50000\nengine=uring\n" );
  CHECK( sf_rig_start( rig ) == 0 );
  uint8_t payload[64] = { 0 };
  CHECK( sf_rig_inject( rig, "fill", SF_MSG_FILL, 0U, 1U, payload, 64U ) == 0 );
  CHECK( await_durable( rig, 1U, 1U ) >= 49000000UL );
  uint64_t fastest = UINT64_MAX; /* of some: the machine may stand still in one of them */
  for( uint64_t n = 1U; n <= 5U; n++ ) {
    CHECK( sf_rig_inject( rig, "fill", SF_MSG_FILL, 0U, 1U, payload, 64U ) == 0 );
    CHECK( sf_rig_inject( rig, "wire", SF_MSG_WIRE, 0U, 1U, payload, 64U ) == 0 );
    uint64_t took = await_durable( rig, 2U, n );
    if( took < fastest ) fastest = took;
    CHECK( durable( rig, 1U ) == n + 1U ); /* what came before it went with it */
  }
  CHECK( fastest < 40000000UL );
  sf_rig_close( rig );
}

static void test_refusals( void ) {
  struct {
    char const * more;
    char const * why;
  } const bad[] = { { "commit_us=1000\nengine=fast\n", "use uring or pwrite" },
                    { "commit_us=99999999\nengine=uring\n", "commit_us" },
                    { "engine=uring\n", "commit_us" },
                    { "commit_us=1000\n", "engine" } };
  for( uint64_t i = 0U; i < sizeof bad / sizeof bad[0]; i++ ) {
    dir_empty();
    sf_rig_t * rig = rig_new( bad[i].more );
    CHECK( sf_rig_start( rig ) < 0 && strstr( sf_err_text(), bad[i].why ) );
    sf_rig_close( rig );
  }
  dir_empty(); /* a run is written once */
  sf_rig_t * rig = rig_new( "commit_us=1000\nengine=uring\n" );
  CHECK( sf_rig_start( rig ) == 0 );
  uint8_t payload[8] = { 0 };
  CHECK( sf_rig_inject( rig, "fill", SF_MSG_FILL, 0U, 1U, payload, 8U ) == 0 );
  await_durable( rig, 1U, 1U );
  sf_rig_t * second = rig_new( "commit_us=1000\nengine=uring\n" );
  CHECK( sf_rig_start( second ) < 0 && strstr( sf_err_text(), "another process" ) );
  sf_rig_close( second );
  sf_rig_close( rig );
  rig = rig_new( "commit_us=1000\nengine=uring\n" );
  CHECK( sf_rig_start( rig ) < 0 && strstr( sf_err_text(), "a run is written once" ) );
  sf_rig_close( rig );
}

/* a full disk (a limit on the size of files stands for it) ends the tile with a sentence */
static void test_disk_full( char const * more ) {
  dir_empty();
  pid_t pid = fork();
  if( !pid ) {
    sf_rig_t * rig = rig_new( more );
    CHECK( sf_rig_start( rig ) == 0 );
    struct rlimit limit = { 65536U, 65536U };
    signal( SIGXFSZ, SIG_IGN );
    CHECK( setrlimit( RLIMIT_FSIZE, &limit ) == 0 );
    uint8_t payload[992] = { 0 };
    int rc               = 0;
    for( int i = 0; i < 1000000 && rc >= 0; i++ ) {
      int err = sf_rig_inject( rig, "raw", SF_MSG_ACCOUNT, 0U, 1U, payload, sizeof payload );
      CHECK( !err || err == SF_ERR_FULL );
      rc = sf_rig_step( rig );
    }
    CHECK( rc < 0 && strstr( sf_err_text(), "journal" ) && strstr( sf_err_text(), ".sfj" ) );
    CHECK( sf_rig_cnc( rig, "journal" )->state == SF_STATE_FAIL &&
           strstr( sf_rig_cnc( rig, "journal" )->error, ".sfj" ) );
    sf_rig_close( rig );
    _exit( 0 );
  }
  int status;
  CHECK( waitpid( pid, &status, 0 ) == pid && status == 0 );
}

int main( void ) {
  sf_clock_init();
  (void)sprintf( dir, "%s/sf-test-journal-XXXXXX",
                 getenv( "TMPDIR" ) && strlen( getenv( "TMPDIR" ) ) < 24U ? getenv( "TMPDIR" ) : "/tmp" );
  CHECK( mkdtemp( dir ) );
  test_round_trip( "commit_us=200\nengine=uring\n" );
  test_round_trip( "commit_us=1000\nengine=pwrite\n" );
  test_halt_writes_everything();
  test_commit_times();
  test_refusals();
  test_disk_full( "commit_us=1000\nengine=uring\n" );
  test_disk_full( "commit_us=1000\nengine=pwrite\n" );
  dir_empty();
  CHECK( rmdir( dir ) == 0 );
  printf( "journal: round trips, durable seqs, commit times, refusals and full disks hold\n" );
  return 0;
}
