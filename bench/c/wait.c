/* bench wait: how soon a group sees a message, and what waiting for it burns.

     build/release/bench/c/wait [SECONDS]      JSON lines on stdout

   Processes pinned in turn to two cores, the first and the last they may use: one publishes RATE messages a second, open
   loop, the others are groups of one tile each that consume the same link.  All of them wait in the same way, the
   publisher for the time of its next message:

   spin, yield, park   as the engine's groups do (csrc/tile/wait.h)
   park awake          parking while /dev/cpu_dma_latency is held at 0 (topology.stay_awake)

   With 2 processes each has a core; with 4 there are more than cores.  (The engine would let spinning groups that are
   more than cores fall back to yield; here they spin.)

   wake       from the publishing of a message until a consumer has it
   intended   from the time it was intended to be published
   cores      processor time of all processes over the time that passed */

#include "rig.h"
#include "shm/instance.h"
#include "tile/group.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RATE        1e3
#define WARM_UP     0.1 /* seconds that are not counted */
#define PROCESS_MAX 4
#define MSG_EVENT   1
#define MSG_END     2

static struct {
  char const * name;
  uint32_t wait;
  uint32_t stay_awake;
} const way[] = {
  { "spin", SF_WAIT_SPIN, 0 },
  { "yield", SF_WAIT_YIELD, 0 },
  { "park", SF_WAIT_PARK, 0 },
  { "park awake", SF_WAIT_PARK, 1 },
};
#define WAYS ( sizeof( way ) / sizeof( *way ) )

static struct board {
  uint64_t ready;                                        /* processes that run; all of them add to it */
  uint64_t cpu_ns[PROCESS_MAX];                          /* written by each process at its end */
  uint64_t wall_ns;                                      /* written by the publisher */
  bench_schedule_t schedule;                             /* written by the publisher at its end */
  bench_hist_t wake[PROCESS_MAX], intended[PROCESS_MAX]; /* written by the consumers */
} * board;

static uint32_t me; /* 0 = the publisher */
static sf_group_t * group;
static uint32_t core[2];
static char dir[64];

typedef struct event {
  uint64_t intended, published; /* TSC, which all cores share: each process's engine clock is bent on its own */
} event_t;

static uint64_t cpu_ns( void ) {
  struct rusage use;
  getrusage( RUSAGE_SELF, &use );
  return 1000000000UL * (uint64_t)( use.ru_utime.tv_sec + use.ru_stime.tv_sec ) +
         1000UL * (uint64_t)( use.ru_utime.tv_usec + use.ru_stime.tv_usec );
}

static void on_message( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  (void)t, (void)in;
  uint64_t now         = bench_ticks();
  event_t const * sent = (event_t const *)( m + 1 );
  if( m->kind == MSG_END ) sf_group_halt( group );
  else if( m->tag ) {
    bench_hist_add( &board->wake[me], (uint64_t)bench_ns( now > sent->published ? now - sent->published : 0 ) );
    bench_hist_add( &board->intended[me], (uint64_t)bench_ns( now > sent->intended ? now - sent->intended : 0 ) );
  }
}

static int on_init( sf_tile_t * t ) {
  (void)t;
  (void)sf_fetch_add( &board->ready, 1UL );
  return 0;
}

static sf_tile_ops_t const ops = { .kind = "bench", .init = on_init, .msg = on_message };

static void create( uint32_t processes, uint32_t wait, uint32_t stay_awake ) {
  sf_topology_t * t = sf_topology_alloc();
  t->stay_awake     = stay_awake;
  int rc            = 0;
  for( uint32_t i = 0; rc >= 0 && i < processes; i++ ) {
    char name[SF_NAME_MAX];
    snprintf( name, sizeof( name ), "p%u", i );
    rc = sf_topology_group_add( t, name, wait == SF_WAIT_SPIN ? SF_WAIT_YIELD : wait, SF_CORE_NONE, 0 );
    if( rc >= 0 ) rc = sf_topology_tile_add( t, name, "bench", i, 0, 1 );
    if( rc >= 0 && !i ) rc = sf_topology_link_add( t, "events", 0, 1024, 128 );
    if( rc >= 0 && i ) rc = sf_topology_edge_add( t, 0, i, 1 );
  }
  if( rc < 0 || sf_topology_validate( t ) ) bench_die();
  for( uint32_t i = 0; i < processes; i++ ) t->group[i].wait = wait; /* as asked, whatever the rules say of spinning */
  if( sf_topology_layout( t ) || sf_instance_create( dir, t ) ) bench_die();
  sf_topology_free( t );
}

static void consume( sf_instance_t * inst ) {
  static sf_tile_ops_t const * const own[] = { &ops };
  if( sf_group_open_with( &group, inst, me, own, 1 ) || sf_group_run( group ) ) bench_die();
}

static void wait_for( bench_schedule_t const * s, uint32_t wait ) {
  uint64_t at = s->start + (uint64_t)( (double)s->next * s->interval ), now = bench_ticks();
  if( wait == SF_WAIT_SPIN || (int64_t)( at - now ) <= 0 ) sf_pause();
  else if( wait == SF_WAIT_YIELD ) sched_yield();
  else {
    uint64_t ns        = (uint64_t)bench_ns( at - now );
    struct timespec in = { (time_t)( ns / 1000000000 ), (long)( ns % 1000000000 ) };
    nanosleep( &in, 0 );
  }
}

static void send( sf_producer_t * p, uint16_t kind, uint32_t tag, uint64_t intended ) {
  event_t event;
  do event = ( event_t ){ intended, bench_ticks() };
  while( sf_link_send( p, kind, tag, 0, &event, sizeof( event ) ) );
  sf_producer_wake( p );
}

static void publish( sf_instance_t * inst, uint32_t processes, uint32_t wait, double seconds ) {
  sf_workspace_t * ws;
  sf_producer_t p;
  if( sf_instance_workspace( inst, 0, 1, &ws ) || sf_instance_producer( inst, 0, &p ) ) bench_die();
  prctl( PR_SET_TIMERSLACK, 1UL, 0, 0, 0 );
  while( sf_load_acquire( &board->ready ) < processes - 1 ) sched_yield();
  bench_schedule_t s = bench_schedule( RATE, seconds, WARM_UP );
  uint64_t begin     = sf_clock_ns(), intended;
  while( s.next < s.events ) {
    wait_for( &s, wait );
    if( !bench_schedule_due( &s, &intended ) ) continue;
    send( &p, MSG_EVENT, (uint32_t)bench_schedule_counts( &s, s.next - 1 ), intended );
  }
  board->wall_ns  = sf_clock_ns() - begin;
  board->schedule = s;
  send( &p, MSG_END, 0, 0 );
  sf_producer_close( &p );
}

static void process( uint32_t processes, uint32_t wait, double seconds ) {
  static sf_instance_t inst;
  prctl( PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0, 0, 0 );
  if( sf_cpu_pin( core[me % 2] ) || sf_instance_open( &inst, dir ) ) bench_die();
  if( me ) consume( &inst );
  else publish( &inst, processes, wait, seconds );
  board->cpu_ns[me] = cpu_ns();
  _exit( 0 );
}

static void report( char const * of, char const * name, bench_hist_t * hist, uint32_t processes ) {
  bench_hist_t * all = &hist[0];
  for( uint32_t i = 1; i < processes; i++ ) {
    for( uint32_t b = 0; b < BENCH_BUCKETS; b++ ) all->bucket[b] += hist[i].bucket[b];
    all->count += hist[i].count;
    all->sum += hist[i].sum;
    if( hist[i].max > all->max ) all->max = hist[i].max;
  }
  uint64_t cpu = 0;
  for( uint32_t i = 0; i < processes; i++ ) cpu += board->cpu_ns[i];
  printf( "{\"what\":\"wait\",\"of\":\"%s\",\"case\":\"%s\",\"processes\":%u,\"cores\":%.4f,", of, name, processes,
          (double)cpu / (double)board->wall_ns );
  bench_schedule_fields( &board->schedule );
  printf( "," );
  bench_hist_fields( all, "ns" );
  printf( "}\n" );
  fflush( stdout );
}

static void run( uint32_t processes, uint32_t w, double seconds ) {
  pid_t pid[PROCESS_MAX];
  memset( board, 0, sizeof( *board ) );
  create( processes, way[w].wait, way[w].stay_awake );
  for( me = 0; me < processes; me++ ) {
    pid[me] = fork();
    if( !pid[me] ) process( processes, way[w].wait, seconds );
  }
  int failed = 0, status;
  for( uint32_t i = 0; i < processes; i++ ) {
    if( waitpid( -1, &status, 0 ) < 0 || !status ) continue;
    for( uint32_t k = 0; !failed && k < processes; k++ ) kill( pid[k], SIGKILL );
    failed = 1;
  }
  if( sf_instance_remove( dir ) ) bench_die();
  if( failed ) exit( 1 );
  report( "wake", way[w].name, board->wake, processes );
  report( "intended", way[w].name, board->intended, processes );
}

int main( int argc, char ** argv ) {
  double seconds = argc > 1 ? atof( argv[1] ) : 1;
  uint32_t available[SF_CPU_MAX], cnt = sf_cpu_available( available );
  if( cnt < 2 ) {
    fprintf( stderr, "bench wait: two cores are needed, there is one\n" );
    return 77;
  }
  core[0] = available[0];
  core[1] = available[cnt - 1];
  snprintf( dir, sizeof( dir ), "/dev/shm/sf-t%d-bench", (int)getpid() );
  board = mmap( 0, sizeof( *board ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
  if( board == MAP_FAILED ) return 1;
  bench_clock_open();
  int device = open( "/dev/cpu_dma_latency", O_WRONLY );
  if( device < 0 ) printf( "{\"what\":\"refused\",\"text\":\"/dev/cpu_dma_latency: %s\"}\n", strerror( errno ) );
  else close( device );
  for( uint32_t processes = 2; processes <= PROCESS_MAX; processes += 2 )
    for( uint32_t w = 0; w < WAYS; w++ )
      if( !way[w].stay_awake || device >= 0 ) run( processes, w, seconds );
  bench_clock_report();
  return 0;
}
