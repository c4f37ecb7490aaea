/* bench fanout: one producer, several lossy consumers of the same link.

     build/release/bench/c/fanout [SECONDS]      JSON lines on stdout

   The producer is pinned to the first core it may use.  `N on one core`: a process on the last core polls N
   consumers in turn, as a group does that has N tiles.  `N on N cores`: a process each, on as many cores as there are.

   steady     open loop, RATE messages a second: from the time a message was intended until the first and until the last
              consumer has its copy of it
   publish    messages a second that the producer gets rid of while all of them read: median of BURSTS bursts */

#include "rig.h"
#include "shm/instance.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define RATE         100e3
#define WARM_UP      0.1 /* seconds that are not counted */
#define CONSUMER_MAX 8
#define EVENT_MAX    ( 1 << 19 )
#define DEPTH        16384
#define BURST        16384
#define BURSTS       24
#define GRACE_NS     200000000UL /* for the last messages */

/* what the processes tell one another; every word on a line pair of its own */
typedef struct word {
  uint64_t v;
  uint8_t _pad[SF_ALIGN - 8];
} word_t;

static struct board {
  word_t ready;                            /* consumers that are open; all of them add to it */
  word_t end;                              /* written by the producer: 1 = go home */
  word_t seen[CONSUMER_MAX];               /* written by the consumer: messages passed, lost ones included */
  uint64_t stamp[CONSUMER_MAX][EVENT_MAX]; /* written by the consumer: TSC when it had its copy */
} * board;

static uint64_t intended[EVENT_MAX];
static bench_hist_t first_hist, last_hist;
static char dir[64];

static int by_value( void const * a, void const * b ) {
  uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b;
  return x < y ? -1 : x > y;
}

static void create( uint32_t consumers ) {
  sf_topology_t * t = sf_topology_alloc();
  int rc            = sf_topology_group_add( t, "g", SF_WAIT_YIELD, SF_CORE_NONE, 0 );
  if( rc >= 0 ) rc = sf_topology_tile_add( t, "producer", "bench", 0, 0, 1 );
  if( rc >= 0 ) rc = sf_topology_link_add( t, "out", 0, DEPTH, 64 );
  for( uint32_t i = 0; rc >= 0 && i < consumers; i++ ) {
    char name[SF_NAME_MAX];
    snprintf( name, sizeof( name ), "c%u", i );
    rc = sf_topology_tile_add( t, name, "bench", 0, 0, 1 );
    if( rc >= 0 ) rc = sf_topology_edge_add( t, 0, 1 + i, 0 );
  }
  if( rc < 0 || sf_topology_validate( t ) || sf_topology_layout( t ) || sf_instance_create( dir, t ) ) bench_die();
  sf_topology_free( t );
}

/* Reads as consumers [from, end) until it is told to go home. */
static void consume( uint32_t core, uint32_t from, uint32_t end ) {
  static sf_instance_t inst;
  static sf_consumer_t c[CONSUMER_MAX];
  sf_workspace_t * ws;
  if( sf_cpu_pin( core ) || sf_instance_open( &inst, dir ) ) bench_die();
  for( uint32_t i = from; i < end; i++ )
    if( sf_instance_workspace( &inst, 1 + i, 1, &ws ) || sf_instance_consumer( &inst, i, c + i ) ) bench_die();
  (void)sf_fetch_add( &board->ready.v, (uint64_t)( end - from ) );
  while( !sf_load_relaxed( &board->end.v ) ) {
    int work = 0;
    for( uint32_t i = from; i < end; i++ ) {
      uint64_t buffer[8];
      if( sf_link_receive( c + i, (sf_message_t *)buffer, sizeof( buffer ) ) == 1 ) {
        board->stamp[i][buffer[4] % EVENT_MAX] = bench_ticks();
        sf_store_release( &board->seen[i].v, c[i].next );
        work = 1;
      }
    }
    if( !work ) sf_pause();
  }
  _exit( 0 );
}

static void put( sf_producer_t * p, uint64_t number ) {
  sf_message_t * slot       = sf_link_claim( p );
  *(uint64_t *)( slot + 1 ) = number;
  sf_link_publish( p, slot, 1, 8, 0, number, number );
}

/* Waits until all consumers are past `next`; 0 if one does not come. */
static int await( uint32_t consumers, uint64_t next ) {
  uint64_t until = sf_clock_ns() + GRACE_NS;
  for( uint32_t i = 0; i < consumers; i++ )
    while( sf_load_acquire( &board->seen[i].v ) < next ) {
      if( sf_clock_ns() > until ) return 0;
      sf_pause();
    }
  return 1;
}

static void steady( sf_producer_t * p, char const * name, uint32_t consumers, double seconds ) {
  bench_schedule_t s = bench_schedule( RATE, seconds, WARM_UP );
  if( s.events > EVENT_MAX ) s.events = EVENT_MAX;
  while( s.next < s.events ) {
    uint64_t number = s.next;
    if( bench_schedule_due( &s, &intended[number] ) ) put( p, number );
    else sf_pause();
  }
  await( consumers, p->next );
  bench_hist_clear( &first_hist );
  bench_hist_clear( &last_hist );
  uint64_t lost = 0;
  for( uint64_t n = s.warm_up; n < s.events; n++ ) {
    uint64_t first = UINT64_MAX, last = 0, missing = 0;
    for( uint32_t i = 0; i < consumers; i++ ) {
      uint64_t at = board->stamp[i][n];
      missing |= !at;
      if( at < first ) first = at;
      if( at > last ) last = at;
    }
    lost += missing;
    if( missing ) continue;
    bench_hist_add( &first_hist, (uint64_t)bench_ns( first > intended[n] ? first - intended[n] : 0 ) );
    bench_hist_add( &last_hist, (uint64_t)bench_ns( last > intended[n] ? last - intended[n] : 0 ) );
  }
  for( int which = 0; which < 2; which++ ) {
    printf( "{\"what\":\"steady\",\"case\":\"%s\",\"of\":\"%s\",\"lost\":%lu,", name, which ? "last" : "first", lost );
    bench_schedule_fields( &s );
    printf( "," );
    bench_hist_fields( which ? &last_hist : &first_hist, "ns" );
    printf( "}\n" );
  }
}

static void publish( sf_producer_t * p, char const * name, uint32_t consumers ) {
  uint64_t burst[BURSTS];
  for( uint32_t k = 0; k < BURSTS; k++ ) {
    uint64_t begin = bench_ticks();
    for( uint64_t n = 0; n < BURST; n++ ) put( p, n );
    burst[k] = bench_ticks() - begin;
    await( consumers, p->next );
  }
  qsort( burst, BURSTS, sizeof( *burst ), by_value );
  printf( "{\"what\":\"publish\",\"case\":\"%s\",\"per_second\":%.0f}\n", name,
          BURST * 1e9 / bench_ns( burst[BURSTS / 2] ) );
  fflush( stdout );
}

/* consumers: how many; apart: on a core each, core[1] and so on, or all on core[cnt-1]. */
static void run( uint32_t const * core, uint32_t cnt, uint32_t consumers, int apart, double seconds ) {
  char name[32];
  pid_t pid[CONSUMER_MAX];
  sf_instance_t * inst;
  sf_workspace_t * ws;
  sf_producer_t p;
  memset( board, 0, sizeof( *board ) );
  create( consumers );
  uint32_t processes = apart ? consumers : 1;
  for( uint32_t i = 0; i < processes; i++ ) {
    pid[i] = fork();
    if( !pid[i] ) {
      prctl( PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0, 0, 0 );
      if( apart ) consume( core[1 + i], i, i + 1 );
      else consume( core[cnt - 1], 0, consumers );
    }
  }
  if( sf_instance_new( &inst, dir ) || sf_instance_workspace( inst, 0, 1, &ws ) || sf_instance_producer( inst, 0, &p ) )
    bench_die();
  while( sf_load_acquire( &board->ready.v ) < consumers ) {
    if( waitpid( -1, 0, WNOHANG ) > 0 ) exit( 1 );
    sf_pause();
  }
  snprintf( name, sizeof( name ), apart ? "%u on %u cores" : "%u on one core", consumers, consumers );
  steady( &p, name, consumers, seconds );
  publish( &p, name, consumers );
  sf_store_release( &board->end.v, 1UL );
  for( uint32_t i = 0; i < processes; i++ ) waitpid( pid[i], 0, 0 );
  sf_producer_close( &p );
  sf_instance_delete( inst );
  if( sf_instance_remove( dir ) ) bench_die();
}

int main( int argc, char ** argv ) {
  double seconds = argc > 1 ? atof( argv[1] ) : 1;
  uint32_t core[SF_CPU_MAX], cnt = sf_cpu_available( core );
  if( cnt < 2 ) {
    fprintf( stderr, "bench fanout: two cores are needed, there is one\n" );
    return 77;
  }
  snprintf( dir, sizeof( dir ), "/dev/shm/sf-t%d-bench", (int)getpid() );
  board = mmap( 0, sizeof( *board ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
  if( board == MAP_FAILED || sf_cpu_pin( core[0] ) ) return 1;
  bench_clock_open();
  for( uint32_t n = 1; n <= CONSUMER_MAX; n *= 2 ) run( core, cnt, n, 0, seconds );
  for( uint32_t n = 2; n <= CONSUMER_MAX && n < cnt; n++ ) run( core, cnt, n, 1, seconds );
  bench_clock_report();
  return 0;
}
