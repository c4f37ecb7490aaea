/* Parking: no wake-up is lost, between threads and between processes, for every
   kind of link and for one and several in-links.

   The sleeper's housekeeping is put off, so that only a wake-up can end its sleep:
   a lost one is a hang, and the deadline finds it. */

#include "check.h"
#include "shm/cnc.h"
#include "shm/instance.h"
#include "tile/group.h"
#include "tile/turn.h"
#include "tile/wait.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>

#if defined( __SANITIZE_THREAD__ ) || defined( __SANITIZE_ADDRESS__ )
#define MESSAGES 3000UL
#else
#define MESSAGES 15000UL
#endif
#define LINKS_MAX 3

static char dir[128];

static uint32_t stay_awake; /* of the instances that create makes */

static void create( uint32_t links, uint32_t slot_bytes, uint32_t reliable ) {
  static char const * const names[LINKS_MAX] = { "a", "b", "c" };
  snprintf( dir, sizeof( dir ), "%s", test_dir( "wait" ) );
  sf_topology_t * t = sf_topology_alloc();
  t->stay_awake     = stay_awake;
  sf_topology_group_add( t, "p", SF_WAIT_YIELD, SF_CORE_NONE, 0 );
  sf_topology_group_add( t, "c", SF_WAIT_PARK, SF_CORE_NONE, 0 );
  sf_topology_tile_add( t, "p", "x", 0, 0, 1 );
  sf_topology_tile_add( t, "c", "x", 1, 0, 1 );
  for( uint32_t i = 0; i < links; i++ ) {
    int l = sf_topology_link_add( t, names[i], 0, 16, slot_bytes );
    sf_topology_edge_add( t, (uint32_t)l, 1, reliable );
  }
  CHECK( !sf_topology_validate( t ) && !sf_topology_layout( t ) && ( t->link[0].flags & SF_LINK_WAKE ) &&
         !sf_instance_create( dir, t ) );
  sf_topology_free( t );
}

/* Sleeps until each message comes; never for housekeeping. */
static void consume( sf_instance_t * inst, uint32_t links ) {
  sf_tile_t * t;
  sf_tile_ops_t ops = { .kind = "x" };
  uint64_t buffer[32], got = 0;
  CHECK( !sf_tile_open( &t, inst, 1, &ops, 0 ) && !sf_tile_boot( t ) );
  while( got < MESSAGES * links ) {
    uint32_t in;
    t->now = sf_clock_ns();
    if( sf_tile_take( t, (sf_message_t *)buffer, sizeof( buffer ), &in, 1 ) ) {
      got++;
      continue;
    }
    t->house_at = t->now + 60000000000UL;
    sf_wait_once( &t, 1, SF_WAIT_PARK, SF_WAIT_SPINS, UINT64_MAX );
  }
  CHECK( t->count[SF_COUNTER_PARKS] > 0 );
  sf_tile_end( t );
  sf_tile_close( t );
}

static void produce( sf_instance_t * inst, uint32_t links ) {
  sf_tile_t * t;
  sf_tile_ops_t ops = { .kind = "x" };
  sf_rng_t rng;
  sf_rng_seed( &rng, 5 );
  CHECK( !sf_tile_open( &t, inst, 0, &ops, 0 ) && !sf_tile_boot( t ) );
  uint64_t until = sf_clock_ns() + 100000000000UL;
  for( uint64_t n = 0; n < MESSAGES; n++ ) {
    for( uint32_t i = 0; i < links; i++ ) {
      /* the cursor itself is awaited, also of lossy readers: nothing may be lost here */
      while( sf_load_acquire( &t->out[i].edge[0]->cursor ) + 8 < t->out[i].next ) CHECK( sf_clock_ns() < until );
      CHECK( !sf_link_send( t->out + i, 1, 0, 0, &n, 8 ) );
      if( sf_rng_below( &rng, 2 ) ) sf_tile_wake( t );
    }
    sf_tile_wake( t );
    /* now and then the sleeper really sleeps; else it is met half-way */
    uint64_t pauses = sf_rng_below( &rng, 8 ) ? sf_rng_below( &rng, 300 ) : 2000;
    while( pauses-- ) sf_pause();
  }
  sf_tile_end( t );
  sf_tile_close( t );
}

typedef struct part {
  sf_instance_t * inst;
  uint32_t links;
} part_t;

static void * consumer_thread( void * arg ) {
  part_t * p = arg;
  consume( p->inst, p->links );
  return 0;
}

static void both( uint32_t links, uint32_t slot_bytes, uint32_t reliable ) {
  static sf_instance_t inst;
  create( links, slot_bytes, reliable );
  CHECK( !sf_instance_open( &inst, dir ) );
  part_t part = { &inst, links };
  pthread_t thread;
  CHECK( !pthread_create( &thread, 0, consumer_thread, &part ) );
  produce( &inst, links );
  pthread_join( thread, 0 );
  sf_instance_close( &inst );
  CHECK( !sf_instance_remove( dir ) );

  create( links, slot_bytes, reliable );
  pid_t child = fork();
  CHECK( !sf_instance_open( &inst, dir ) );
  if( !child ) {
    alarm( 100 );
    consume( &inst, links );
    _exit( 0 );
  }
  produce( &inst, links );
  int status;
  CHECK( waitpid( child, &status, 0 ) == child && !status );
  sf_instance_close( &inst );
  CHECK( !sf_instance_remove( dir ) );
}

/* Waits that nobody ends: until_ns, housekeeping, wake_in, no credit. */
static void test_ends( void ) {
  static sf_instance_t inst;
  sf_tile_t * t;
  sf_tile_ops_t ops = { .kind = "x" };
  create( 2, 64, 1 );
  CHECK( !sf_instance_open( &inst, dir ) && !sf_tile_open( &t, &inst, 1, &ops, 0 ) && !sf_tile_boot( t ) );
  uint64_t begin = sf_clock_ns();
  t->house_at    = begin + 60000000000UL;
  sf_wait_once( &t, 1, SF_WAIT_PARK, SF_WAIT_SPINS, begin + 2000000 );
  CHECK( sf_clock_ns() >= begin + 2000000 );
  begin = sf_clock_ns();
  sf_tile_wake_in( t, 3000000 );
  sf_tile_wake_in( t, 5000000 ); /* the earlier one holds */
  sf_wait_once( &t, 1, SF_WAIT_PARK, SF_WAIT_SPINS, begin + 30000000000UL );
  CHECK( sf_clock_ns() >= begin + 3000000 && sf_clock_ns() < begin + 20000000000UL );
  t->wake_at  = UINT64_MAX;
  begin       = sf_clock_ns();
  t->house_at = begin + 1000000;
  sf_wait_once( &t, 1, SF_WAIT_PARK, SF_WAIT_SPINS, UINT64_MAX );
  CHECK( sf_clock_ns() >= begin + 1000000 );
  CHECK( !sf_wait_once( &t, 1, SF_WAIT_PARK, SF_WAIT_SPINS, UINT64_MAX ) ); /* housekeeping is due */
  t->house_at = UINT64_MAX;
  t->blocked  = 1;
  CHECK( sf_wait_once( &t, 1, SF_WAIT_PARK, SF_WAIT_SPINS, UINT64_MAX ) );
  t->blocked = 0;
  sf_store_relaxed( &t->halt, 1U );
  CHECK( !sf_wait_once( &t, 1, SF_WAIT_PARK, SF_WAIT_SPINS, UINT64_MAX ) );
  CHECK( !sf_wait_once( &t, 1, SF_WAIT_PARK, 0, UINT64_MAX ) && !sf_wait_once( &t, 1, SF_WAIT_YIELD, 0, UINT64_MAX ) &&
         !sf_wait_once( &t, 1, SF_WAIT_SPIN, 9999, UINT64_MAX ) );
  CHECK( !sf_load_relaxed( &t->in[0].edge->sleeping ) );
  sf_tile_end( t );
  sf_tile_close( t );
  sf_instance_close( &inst );
  CHECK( !sf_instance_remove( dir ) );
}

/* how often this process has /dev/cpu_dma_latency open */
static int latency_fds( void ) {
  int n = 0;
  char path[64], to[64];
  DIR * fds = opendir( "/proc/self/fd" );
  CHECK( fds );
  for( struct dirent * e; ( e = readdir( fds ) ); ) {
    snprintf( path, sizeof( path ), "/proc/self/fd/%.16s", e->d_name );
    ssize_t len = readlink( path, to, sizeof( to ) - 1 );
    if( len > 0 ) n += !strncmp( to, "/dev/cpu_dma_latency", (size_t)len );
  }
  closedir( fds );
  return n;
}

/* A parking group holds the device at 0 if the topology says so, once; who may not is told, and parks all the same. */
static void test_stay_awake( void ) {
  static sf_instance_t inst;
  static sf_tile_ops_t const ops           = { .kind = "x" };
  static sf_tile_ops_t const * const own[] = { &ops };
  int fd                                   = open( "/dev/cpu_dma_latency", O_RDWR ), status;
  if( fd >= 0 ) close( fd );
  pid_t child = fork();
  if( !child ) {
    if( !geteuid() ) CHECK( !setuid( 65534 ) );
    CHECK( sf_wait_stay_awake() == SF_ERR_SYS && sf_wait_stay_awake() == SF_ERR_SYS && !latency_fds() );
    CHECK_SAYS( "/dev/cpu_dma_latency" );
    _exit( 0 );
  }
  CHECK( waitpid( child, &status, 0 ) == child && !status );
  for( int asked = 1; fd >= 0 && asked >= 0; asked-- ) {
    stay_awake = (uint32_t)asked;
    create( 1, 64, 1 );
    child = fork();
    if( !child ) {
      sf_group_t * g;
      CHECK( !sf_instance_open( &inst, dir ) && !sf_group_open_with( &g, &inst, 1, own, 1 ) );
      sf_group_halt( g );
      CHECK( !sf_group_run( g ) && latency_fds() == asked );
      CHECK( !asked || ( !sf_wait_stay_awake() && latency_fds() == 1 ) );
      _exit( 0 );
    }
    CHECK( waitpid( child, &status, 0 ) == child && !status && !sf_instance_remove( dir ) );
  }
}

int main( void ) {
  sf_clock_init();
  test_ends();
  test_stay_awake();
  both( 1, 64, 1 ); /* pair */
  both( 1, 128, 1 );
  both( 1, 128, 0 ); /* broadcast: busy words */
  both( 3, 128, 1 ); /* futex_waitv */
  printf( "wait: ends of sleep, %lu wake-ups each between threads and processes\n", MESSAGES );
  return 0;
}
