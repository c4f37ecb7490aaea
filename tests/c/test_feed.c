/* feed against a node in a thread: first read, updates, loss, io_uring refused; and
   how long a notification takes from the node's send call to its slot. */

#include "check.h"
#include "node.h"
#include "sf_cnc.h"
#include "tile/rig.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ACCOUNTS 3
#define SAMPLES  2000
#define BURST    40000

static char const * const keys[ACCOUNTS] = { "So11111111111111111111111111111111111111112",
                                             "SysvarC1ock11111111111111111111111111111111",
                                             "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA" };

static sf_rig_t * rig;
static node_t * node;
static struct {
  sf_message_t m;
  sf_raw_account_t account;
  uint8_t data[896];
} got;

static void start( char const * engine ) {
  char path[64], params[1024];
  snprintf( path, sizeof( path ), "/tmp/sf-test-feed-%d", (int)getpid() );
  FILE * f = fopen( path, "w" );
  CHECK( f );
  for( uint32_t i = 0; i < ACCOUNTS; i++ ) fprintf( f, "%s\n", keys[i] );
  fclose( f );
  node = node_start();
  snprintf( params, sizeof( params ),
            "url=ws://127.0.0.1:%u/\nrpc_url=http://127.0.0.1:%u/"
            "\naccounts_path=%s\ncommitment=processed\nengine=%s\nsimulated=0\nping_ms=100\n"
            "timeout_ms=20000\nbackoff_min_ms=1\nbackoff_max_ms=50\nresync_ms=0\nmax_message_kb=1024\n",
            node->port, node->port, path, engine );
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "feed", "feed", params );
  sf_rig_burst( rig, "feed", 64 );
  sf_rig_link( rig, "raw", "feed", 1024, 1024 );
  CHECK( !sf_rig_start( rig ) );
  unlink( path );
}

static void stop( void ) {
  sf_rig_close( rig );
  node_stop( node );
}

static uint64_t counter( char const * name ) { return sf_rig_counter( rig, "feed", name ); }

/* step turns the tile once and returns 1 if a message was read. */
static int step( void ) {
  CHECK( sf_rig_step( rig ) >= 0 );
  int ok = sf_rig_read( rig, "raw", &got, sizeof( got ) );
  CHECK( ok >= 0 );
  return ok;
}

static void live( uint64_t syncs ) {
  uint64_t until = sf_clock_ns() + 20000000000UL;
  uint32_t seen  = 0;
  while( counter( "syncs" ) < syncs || seen < ACCOUNTS ) {
    CHECK( sf_clock_ns() < until );
    if( !step() || got.m.kind != SF_MSG_ACCOUNT ) continue;
    CHECK( got.account.flags == SF_RAW_SNAPSHOT && got.account.data_len == NODE_DATA && got.data[2] == 14 &&
           got.m.tag == seen );
    seen++;
  }
}

static void * send_slowly( void * arg ) {
  (void)arg;
  uint8_t frame[2048];
  for( uint64_t i = 0; i < SAMPLES; i++ ) {
    uint64_t next = sf_clock_ns() + 100000 + ( i * 7919 ) % 50000;
    while( sf_clock_ns() < next ) usleep( 20 );
    uint64_t n = node_notification( node, frame, 2 + i % ACCOUNTS, 101 + i, sf_clock_ns() );
    node_write( node_ws( node ), frame, n );
  }
  return NULL;
}

static void * send_fast( void * arg ) {
  (void)arg;
  static uint8_t block[65536];
  uint64_t n = 0;
  for( uint64_t i = 0; i < BURST; i++ ) {
    n += node_notification( node, block + n, 2 + i % ACCOUNTS, 1000000 + i, i );
    if( n < sizeof( block ) - 2048 && i + 1 < BURST ) continue;
    node_write( node_ws( node ), block, n );
    n = 0;
  }
  return NULL;
}

static int by_size( void const * a, void const * b ) {
  uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b;
  return x < y ? -1 : x > y;
}

/* receive takes cnt account messages while `sender` runs; returns the ns from first to last. */
static uint64_t receive( void * ( *sender )(void *), uint64_t cnt, uint64_t * late ) {
  pthread_t thread;
  CHECK( !pthread_create( &thread, NULL, sender, NULL ) );
  uint64_t until = sf_clock_ns() + 60000000000UL, first = 0;
  for( uint64_t i = 0; i < cnt; ) {
    if( !step() ) {
      CHECK( sf_clock_ns() < until );
      continue;
    }
    if( got.m.kind != SF_MSG_ACCOUNT ) continue;
    if( !i ) first = got.m.t_pub;
    if( late ) late[i] = got.m.t_pub - got.account.lamports;
    CHECK( got.account.data_len == NODE_DATA && got.m.t_origin <= got.m.t_pub );
    i++;
  }
  CHECK( !pthread_join( thread, NULL ) );
  return got.m.t_pub - first;
}

static void run( char const * engine ) {
  static uint64_t late[SAMPLES];
  start( engine );
  live( 1 );
  receive( send_slowly, SAMPLES, late );
  CHECK( counter( "notifications" ) == SAMPLES && !counter( "stale_dropped" ) && !counter( "uring_refused" ) );
  uint64_t ns   = receive( send_fast, BURST, NULL );
  uint64_t from = sf_clock_ns();
  for( uint32_t i = 0; i < 20000; i++ ) CHECK( sf_rig_step( rig ) >= 0 );
  uint64_t idle = ( sf_clock_ns() - from ) / 20000;

  shutdown( node_ws( node ), SHUT_RDWR );
  uint64_t until = sf_clock_ns() + 20000000000UL;
  while( !step() || got.m.kind != SF_MSG_RESET ) CHECK( sf_clock_ns() < until );
  live( 2 );
  CHECK( counter( "connection_losses" ) == 1 && counter( "reconnects" ) == 1 );
  qsort( late, SAMPLES, sizeof( late[0] ), by_size );
  printf( "feed %s: ok; send call to slot p50 %.2f us p90 %.2f us p99 %.2f us; %.2f M notifications/s; turn without "
          "work %lu ns\n",
          engine, (double)late[SAMPLES / 2] / 1e3, (double)late[SAMPLES * 9 / 10] / 1e3,
          (double)late[SAMPLES * 99 / 100] / 1e3, BURST * 1e3 / (double)ns, idle );
  stop();
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
  start( "uring" );
  live( 1 );
  CHECK( counter( "uring_refused" ) == 1 );
  receive( send_slowly, SAMPLES, NULL );
  stop();
  return 0;
}

int main( void ) {
  sf_clock_init();
  pid_t child = fork();
  if( !child ) exit( refused() );
  int status;
  CHECK( waitpid( child, &status, 0 ) == child && WIFEXITED( status ) );
  CHECK( WEXITSTATUS( status ) == 0 || WEXITSTATUS( status ) == 77 );
  run( "recv" );
  run( "uring" );
  return 0;
}
