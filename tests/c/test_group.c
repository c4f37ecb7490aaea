/* The group process: halting, failing, the kill word by signal, dying with its
   parent, --single, sealing.  This program is its own sf-group, with test tiles. */

#include "check.h"
#include "base/cpu.h"
#include "shm/cnc.h"
#include "shm/control.h"
#include "shm/instance.h"
#include "tile/process.h"
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* -- tiles ------------------------------------------------------------------ */

static int count_poll( sf_tile_t * t ) {
  if( sf_tile_kill( t ) >= SF_KILL_HALT ) return 0;
  sf_message_t * slot = sf_tile_claim( t, 0 );
  uint64_t seq        = sf_tile_seq( t, 0 );
  memcpy( slot + 1, &seq, 8 );
  sf_tile_publish( t, 0, slot, 1, 8, 0, 0 );
  return 1;
}

static void sink_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  (void)in;
  char const * fail_at = sf_tile_param( t, "fail_at" );
  if( fail_at && m->seq >= strtoull( fail_at, 0, 10 ) ) sf_tile_fail( t, "seq %s reached", fail_at );
}

static int sign_init( sf_tile_t * t ) {
  (void)t;
  return prctl( PR_GET_DUMPABLE, 0, 0, 0, 0 ) ? sf_err_set( SF_ERR_STATE, "dumpable" ) : 0;
}

static sf_tile_ops_t const counter = { .kind = "t-count", .poll = count_poll };
static sf_tile_ops_t const sink    = { .kind = "t-sink", .msg = sink_msg };
static sf_tile_ops_t const signer  = { .kind = "sign", .init = sign_init, .msg = sink_msg };
static sf_tile_ops_t const * own[] = { &counter, &sink, &signer };

/* -- the process ------------------------------------------------------------ */

static char dir[128];
static char * self;
static sf_instance_t inst;

static void create( char const * sink_params, char const * kind ) {
  snprintf( dir, sizeof( dir ), "%s", test_dir( "group" ) );
  sf_topology_t * t = sf_topology_alloc();
  sf_topology_group_add( t, "hot", SF_WAIT_YIELD, SF_CORE_NONE, 0 );
  sf_topology_group_add( t, "tail", SF_WAIT_PARK, SF_CORE_NONE, 0 );
  sf_topology_tile_add( t, "counter", "t-count", 0, 0, 1 );
  sf_topology_tile_add( t, "near", "t-sink", 0, 0, 1 );
  sf_topology_tile_add( t, "far", kind, 1, 0, 1 );
  sf_topology_link_add( t, "l", 0, 64, 64 );
  sf_topology_edge_add( t, 0, 1, 1 );
  sf_topology_edge_add( t, 0, 2, 1 );
  if( sink_params ) sf_topology_params_set( t, 2, sink_params );
  CHECK( !sf_topology_validate( t ) && !sf_topology_layout( t ) && !sf_instance_create( dir, t ) &&
         !sf_instance_open( &inst, dir ) );
  sf_topology_free( t );
}

static void destroy( void ) {
  sf_instance_close( &inst );
  CHECK( !sf_instance_remove( dir ) );
}

static pid_t start( char const * a, char const * b ) {
  pid_t pid = fork();
  if( !pid ) {
    execl( self, self, a, b, (char *)0 );
    _exit( 99 );
  }
  return pid;
}

static int ended( pid_t pid ) {
  int status = -1;
  CHECK( waitpid( pid, &status, 0 ) == pid );
  return WIFEXITED( status ) ? WEXITSTATUS( status ) : 1000 + WTERMSIG( status );
}

static uint64_t state( uint32_t tile ) { return sf_load_acquire( &sf_instance_cnc( &inst, tile )->state ); }
static uint64_t in_of( uint32_t tile ) {
  return sf_load_relaxed( &sf_instance_cnc( &inst, tile )->counter[SF_COUNTER_MESSAGES_IN] );
}

static void test_halt( void ) {
  create( 0, "t-sink" );
  pid_t hot = start( dir, "hot" ), tail = start( dir, "tail" );
  AWAIT( in_of( 1 ) > 1000 && in_of( 2 ) > 1000 );
  CHECK( state( 0 ) == SF_STATE_RUN && sf_instance_cnc( &inst, 2 )->pid == (uint32_t)tail );
  kill( hot, SIGTERM );
  CHECK( !ended( hot ) && state( 0 ) == SF_STATE_DONE && state( 1 ) == SF_STATE_DONE );
  uint64_t out = sf_instance_cnc( &inst, 0 )->counter[SF_COUNTER_MESSAGES_OUT];
  CHECK( in_of( 1 ) == out ); /* what was on the in-link was handled */
  sf_command_set( inst.control, 2, SF_COMMAND_HALT );
  CHECK( !ended( tail ) && state( 2 ) == SF_STATE_DONE && in_of( 2 ) == out );
  CHECK( sf_kill_read( inst.control ) == SF_KILL_RUN );
  pid_t again = start( dir, "tail" ); /* a tile is not run twice; and that is all that happens */
  CHECK( ended( again ) == 1 && state( 2 ) == SF_STATE_DONE && sf_kill_read( inst.control ) == SF_KILL_RUN );
  destroy();
}

static void test_fail( void ) {
  char error[256];
  create( "fail_at=5000\n", "t-sink" );
  pid_t hot = start( dir, "hot" ), tail = start( dir, "tail" );
  CHECK( ended( tail ) == 1 && state( 2 ) == SF_STATE_FAIL );
  sf_cnc_error( sf_instance_cnc( &inst, 2 ), error );
  CHECK( !strcmp( error, "seq 5000 reached" ) );
  CHECK( sf_kill_read( inst.control ) == SF_KILL_HALT && inst.control->kill_by == SF_KILL_BY_SUPERVISOR );
  kill( hot, SIGINT );
  CHECK( !ended( hot ) );
  destroy();

  create( 0, "nothing-known" );
  CHECK( ended( start( dir, "tail" ) ) == 1 && state( 2 ) == SF_STATE_FAIL &&
         sf_kill_read( inst.control ) == SF_KILL_HALT );
  CHECK( ended( start( dir, "no-group" ) ) == 1 && ended( start( "/dev/shm/sf-none-such", "hot" ) ) == 1 &&
         ended( start( dir, 0 ) ) == 1 );
  destroy();
}

static void test_kill_word( void ) {
  create( 0, "t-sink" );
  pid_t hot = start( dir, "hot" ), tail = start( dir, "tail" );
  AWAIT( in_of( 2 ) > 100 );
  kill( tail, SIGUSR1 );
  AWAIT( sf_kill_read( inst.control ) == SF_KILL_HALT );
  AWAIT( sf_load_acquire( &inst.control->kill_ns ) );
  CHECK( inst.control->kill_by == SF_KILL_BY_SIGNAL );
  /* the counter reads it: nothing new is published */
  uint64_t before;
  do {
    before        = sf_load_relaxed( &sf_instance_cnc( &inst, 0 )->counter[SF_COUNTER_MESSAGES_OUT] );
    uint64_t beat = sf_load_relaxed( &sf_instance_cnc( &inst, 0 )->heartbeat_ns );
    AWAIT( sf_load_relaxed( &sf_instance_cnc( &inst, 0 )->heartbeat_ns ) > beat + 5000000 );
  } while( sf_load_relaxed( &sf_instance_cnc( &inst, 0 )->counter[SF_COUNTER_MESSAGES_OUT] ) != before );
  kill( hot, SIGTERM );
  kill( tail, SIGTERM );
  CHECK( !ended( hot ) && !ended( tail ) );
  destroy();
}

static void test_single( void ) {
  create( 0, "sign" ); /* sealed: not dumpable */
  pid_t all = start( "--single", dir );
  AWAIT( in_of( 1 ) > 1000 && in_of( 2 ) > 1000 );
  kill( all, SIGTERM );
  CHECK( !ended( all ) && state( 0 ) == SF_STATE_DONE && state( 2 ) == SF_STATE_DONE );
  destroy();
  create( "fail_at=100\n", "t-sink" );
  all = start( "--single", dir );
  CHECK( ended( all ) == 1 && state( 2 ) == SF_STATE_FAIL && state( 0 ) == SF_STATE_DONE );
  destroy();
}

static void test_orphan( void ) {
  create( 0, "t-sink" );
  int pipe_fd[2];
  CHECK( !pipe( pipe_fd ) );
  pid_t parent = fork();
  if( !parent ) {
    pid_t pid = start( dir, "hot" );
    CHECK( write( pipe_fd[1], &pid, sizeof( pid ) ) == sizeof( pid ) );
    pause();
    _exit( 0 );
  }
  pid_t hot;
  CHECK( read( pipe_fd[0], &hot, sizeof( hot ) ) == sizeof( hot ) );
  AWAIT( in_of( 1 ) );
  kill( parent, SIGKILL );
  ended( parent );
  close( pipe_fd[1] ); /* the last holder of the other end is `hot` */
  struct pollfd end = { .fd = pipe_fd[0], .events = POLLIN };
  char none;
  CHECK( poll( &end, 1, 20000 ) == 1 && read( pipe_fd[0], &none, 1 ) == 0 );
  close( pipe_fd[0] );
  CHECK( state( 0 ) == SF_STATE_RUN ); /* no orderly end: killed */
  destroy();
}

int main( int argc, char ** argv ) {
  if( argc > 1 ) return sf_process_run( argc, argv, own, sizeof( own ) / sizeof( own[0] ) );
  self = argv[0];
  test_halt();
  test_fail();
  test_kill_word();
  test_single();
  test_orphan();
  printf( "group: halt, failure, kill word by signal, single, orphan\n" );
  return 0;
}
