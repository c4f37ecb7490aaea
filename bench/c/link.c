/* bench link: links beside the bare cache-line limit, in one run.

     build/release/bench/c/link [CHUNKS [SECONDS]]      JSON lines on stdout

   Two processes, each pinned to a core, the first and the last they may use.  A
   chunk measures the limit (one line that both write in turn, one pause in the
   loop; on 8 lines one after the other, because lines differ in their way), then one case, then the limit again: the two cores of a virtual machine
   may float between a shared L3 (near) and two (far) within seconds, so a latency
   without its limit means nothing.  A chunk whose two limits disagree is `mixed`.

   latency    half the round trip over two links of the case: p50 of means of 16
              trips (rdtsc may step by 10 ns), p99 of single trips
   stream     messages a second into one link until the reader has the last one
              (lossy: until the writer is done): median of those of 48 bursts in
              which neither process was taken off its core; a reader that has caught
              up waits four pauses, which is less than a turn of a tile
   steady     one way through the lossless link at a fixed rate for SECONDS, from the time a message was intended for
   pipe       half the round trip over two pipes, for scale */

#include "rig.h"
#include "shm/instance.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEAR_NS     80.0 /* a limit below is near */
#define AGREE       1.35 /* limits before and after differ by less than this factor */
#define LIMIT_TRIPS 4000
#define LIMIT_LINES 8
#define TRIPS       20000
#define PIPE_TRIPS  300
#define GROUP       16    /* trips in one mean */
#define BURST       32768 /* messages in a burst of a stream */
#define BURSTS      48
#define WARM_UP     0.2 /* seconds of a steady run that are not counted */
#define TURN_PAUSES 4   /* of a streaming reader that has caught up */
#define CLEAN_MIN   5   /* bursts that a figure is made of */
#define CASES       4

static struct {
  char const * name;
  uint32_t depth;
  uint32_t slot_bytes;
  uint32_t reliable;
} const cases[CASES] = {
  { "lossless-64", 1024, 64, 1 },
  { "lossy-64", 16384, 64, 0 },
  { "lossless-128", 1024, 128, 1 },
  { "lossy-128", 16384, 128, 0 },
};

/* what the two processes tell one another; every word on a line pair of its own */
typedef struct board {
  uint64_t order; /* written by the parent: number of the order << 8 | what */
  uint8_t _pad0[120];
  uint64_t done;     /* written by the child: number of the last order done */
  uint64_t switches; /* written by the child: how often it was taken off its core, before done */
  uint64_t events;   /* of a steady run, written by the parent before its order, as is warm_up */
  uint64_t warm_up;
  uint8_t _pad1[96];
  struct {
    uint64_t word;
    uint8_t _pad2[SF_ALIGN * 33 - 8];
  } line[LIMIT_LINES]; /* the bare lines */
} board_t;

#define WHAT_LIMIT   0
#define WHAT_LATENCY 1 /* + case */
#define WHAT_STREAM  ( WHAT_LATENCY + CASES )
#define WHAT_PIPE    ( WHAT_STREAM + CASES )
#define WHAT_STEADY  ( WHAT_PIPE + 1 )
#define WHAT_END     ( WHAT_STEADY + 1 )

static board_t * board;
static uint64_t orders;
static sf_instance_t inst;
static sf_producer_t producer[CASES]; /* into the own links */
static sf_consumer_t consumer[CASES];
static int pipes[2][2];
static uint64_t stamp[TRIPS + 1]; /* rdtsc at the start of each trip, and at the end of the last */
static uint64_t trips[TRIPS];
static uint64_t checksum;
static bench_hist_t hist;     /* of trips one by one, in ps */
static bench_hist_t * steady; /* written by the child */

static double const steady_rate[] = { 10e3, 100e3, 1e6 };

static int by_value( void const * a, void const * b ) {
  uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b;
  return x < y ? -1 : x > y;
}

/* half of the quantile q of trips in ns, each the mean of `group` trips */
static double half( uint64_t cnt, uint64_t group, double q ) {
  uint64_t n = cnt / group;
  for( uint64_t i = 0; i < n; i++ ) trips[i] = stamp[( i + 1 ) * group] - stamp[i * group];
  qsort( trips, n, sizeof( trips[0] ), by_value );
  return bench_ns( trips[(uint64_t)( q * (double)( n - 1 ) )] ) / (double)( 2 * group );
}

/* how often this process was taken off its core */
static uint64_t switches( void ) {
  struct rusage use;
  getrusage( RUSAGE_SELF, &use );
  return (uint64_t)use.ru_nivcsw;
}

/* -- the limit -------------------------------------------------------------- */

static uint64_t * limit_line( uint64_t trip ) { return &board->line[trip * LIMIT_LINES / LIMIT_TRIPS].word; }

static __attribute__( ( noinline ) ) void limit_pong( uint64_t base ) {
  for( uint64_t i = 0; i < LIMIT_TRIPS; i++ ) {
    uint64_t * line = limit_line( i );
    while( sf_load_acquire( line ) != base + 2 * i + 1 ) sf_pause();
    sf_store_release( line, base + 2 * i + 2 );
  }
}

static __attribute__( ( noinline ) ) void limit_ping( uint64_t base ) {
  for( uint64_t i = 0; i < LIMIT_TRIPS; i++ ) {
    uint64_t * line = limit_line( i );
    stamp[i]        = __builtin_ia32_rdtsc();
    sf_store_release( line, base + 2 * i + 1 );
    while( sf_load_acquire( line ) != base + 2 * i + 2 ) sf_pause();
  }
  stamp[LIMIT_TRIPS] = __builtin_ia32_rdtsc();
}

/* -- links ------------------------------------------------------------------ */

/* Inlined with constants: each case is the code a tile would have. */
SF_INLINE void put( sf_producer_t * p, uint64_t n, uint32_t words ) {
  sf_message_t * slot;
  while( SF_UNLIKELY( !( slot = sf_link_claim( p ) ) ) ) sf_pause();
  uint64_t * w = (uint64_t *)( slot + 1 );
  for( uint32_t i = 0; i < words; i++ ) w[i] = n + i;
  sf_link_publish( p, slot, 1, (uint16_t)( 8 * words ), (uint32_t)n, n, n );
}

/* One message, read in place where that is allowed; done( c ) when it was used. */
SF_INLINE uint64_t get( sf_consumer_t * c, uint32_t words, int reliable ) {
  uint64_t sum = 0;
  if( reliable ) {
    sf_message_t const * m;
    while( !( m = sf_link_peek( c ) ) ) sf_pause();
    uint64_t const * w = (uint64_t const *)( m + 1 );
    for( uint32_t i = 0; i < words; i++ ) sum += w[i];
  } else {
    uint64_t buffer[16];
    while( sf_link_receive( c, (sf_message_t *)buffer, sizeof( buffer ) ) != 1 ) sf_pause();
    for( uint32_t i = 0; i < words; i++ ) sum += buffer[4 + i];
  }
  return sum;
}

SF_INLINE void done( sf_consumer_t * c, int reliable ) {
  if( reliable ) sf_link_release( c );
}

/* Each side answers a message before it releases it, as a tile does that reads in place. */
SF_INLINE void latency_as( int i, int parent, uint32_t words, int reliable ) {
  sf_producer_t p = producer[i];
  sf_consumer_t c = consumer[i];
  uint64_t total  = 0;
  stamp[0]        = __builtin_ia32_rdtsc();
  if( parent ) put( &p, 0, words );
  for( uint64_t n = 1; n <= TRIPS; n++ ) {
    total += get( &c, words, reliable );
    if( parent ) stamp[n] = __builtin_ia32_rdtsc();
    if( !parent || n < TRIPS ) put( &p, n, words );
    done( &c, reliable );
  }
  checksum += total;
  producer[i] = p;
  consumer[i] = c;
}

static __attribute__( ( noinline ) ) void latency( int i, int parent ) {
  switch( i ) {
  case 0: latency_as( 0, parent, 4, 1 ); break;
  case 1: latency_as( 1, parent, 4, 0 ); break;
  case 2: latency_as( 2, parent, 12, 1 ); break;
  case 3: latency_as( 3, parent, 12, 0 ); break;
  }
}

SF_INLINE void stream_in_as( int i, uint32_t words ) {
  sf_producer_t p = producer[i];
  for( uint64_t n = 0; n < BURST; n++ ) put( &p, n, words );
  producer[i] = p;
}

static __attribute__( ( noinline ) ) void stream_in( int i ) {
  switch( i ) {
  case 0: stream_in_as( 0, 4 ); break;
  case 1: stream_in_as( 1, 4 ); break;
  case 2: stream_in_as( 2, 12 ); break;
  case 3: stream_in_as( 3, 12 ); break;
  }
}

SF_INLINE void stream_out_as( int i, uint32_t words, int reliable ) {
  sf_consumer_t c = consumer[i];
  uint64_t end = c.next + BURST, sum = 0;
  if( reliable ) {
    while( c.next < end ) {
      sf_message_t const * m = sf_link_peek( &c );
      if( SF_UNLIKELY( !m ) ) { /* as long as a turn of a tile: at the writer's heels it would fight for its line */
        for( int k = 0; k < TURN_PAUSES; k++ ) sf_pause();
        continue;
      }
      uint64_t const * w = (uint64_t const *)( m + 1 );
      for( uint32_t k = 0; k < words; k++ ) sum += w[k];
      sf_link_release( &c );
    }
  } else { /* to the last message, which always stands in its slot */
    uint64_t buffer[16];
    while( c.next < end ) {
      int rc = sf_link_receive( &c, (sf_message_t *)buffer, sizeof( buffer ) );
      if( rc == 1 )
        for( uint32_t k = 0; k < words; k++ ) sum += buffer[4 + k];
      if( !rc ) sf_pause();
    }
  }
  sf_consumer_flush( &c );
  checksum += sum;
  consumer[i] = c;
}

static __attribute__( ( noinline ) ) void stream_out( int i ) {
  switch( i ) {
  case 0: stream_out_as( 0, 4, 1 ); break;
  case 1: stream_out_as( 1, 4, 0 ); break;
  case 2: stream_out_as( 2, 12, 1 ); break;
  case 3: stream_out_as( 3, 12, 0 ); break;
  }
}

/* -- pipe ------------------------------------------------------------------- */

static void pipe_trips( int parent ) {
  char byte[64] = { 0 };
  for( uint64_t n = 0; n < PIPE_TRIPS; n++ ) {
    stamp[n] = __builtin_ia32_rdtsc();
    if( parent && write( pipes[0][1], byte, 64 ) != 64 ) exit( 1 );
    if( read( pipes[!!parent][0], byte, 64 ) != 64 ) exit( 1 );
    if( !parent && write( pipes[1][1], byte, 64 ) != 64 ) exit( 1 );
  }
  stamp[PIPE_TRIPS] = __builtin_ia32_rdtsc();
}

/* -- steady ----------------------------------------------------------------- */

static void steady_in( bench_schedule_t * s ) {
  sf_producer_t p = producer[0];
  uint64_t intended;
  while( s->next < s->events ) {
    if( bench_schedule_due( s, &intended ) ) put( &p, intended, 4 );
    else sf_pause();
  }
  producer[0] = p;
}

static void steady_out( void ) {
  sf_consumer_t c = consumer[0];
  bench_hist_clear( steady );
  for( uint64_t i = 0; i < board->events; i++ ) {
    sf_message_t const * m;
    while( !( m = sf_link_peek( &c ) ) ) sf_pause();
    int64_t ticks = (int64_t)( bench_ticks() - *(uint64_t const *)( m + 1 ) );
    sf_link_release( &c );
    if( i >= board->warm_up )
      bench_hist_add( steady, ticks > 0 ? (uint64_t)( bench_ns( (uint64_t)ticks ) * 1000 ) : 0 );
  }
  sf_consumer_flush( &c );
  consumer[0] = c;
}

/* -- both sides ------------------------------------------------------------- */

static void open_links( uint32_t me ) {
  sf_workspace_t * ws;
  if( sf_instance_workspace( &inst, me, 1, &ws ) ) bench_die();
  for( uint32_t i = 0; i < CASES; i++ ) { /* links 2i: parent to child, 2i+1: back; edges have the same numbers */
    if( sf_instance_producer( &inst, 2 * i + me, producer + i ) ||
        sf_instance_consumer( &inst, 2 * i + 1 - me, consumer + i ) )
      bench_die();
  }
}

static void child( void ) {
  uint64_t last = 0;
  for( ;; ) {
    uint64_t order;
    while( ( order = sf_load_acquire( &board->order ) ) == last ) sf_pause();
    last          = order;
    uint64_t what = order & 255;
    if( what == WHAT_END ) return;
    if( what == WHAT_LIMIT ) limit_pong( ( order >> 8 ) << 32 );
    else if( what < WHAT_STREAM ) latency( (int)( what - WHAT_LATENCY ), 0 );
    else if( what < WHAT_PIPE ) stream_out( (int)( what - WHAT_STREAM ) );
    else if( what == WHAT_PIPE ) pipe_trips( 0 );
    else steady_out();
    sf_store_release( &board->switches, switches() );
    sf_store_release( &board->done, order );
  }
}

static uint64_t say( uint64_t what ) {
  uint64_t order = ++orders << 8 | what;
  sf_store_release( &board->order, order );
  return order;
}

static void await( uint64_t order ) {
  while( sf_load_acquire( &board->done ) != order ) sf_pause();
}

static double limit( void ) {
  uint64_t order = say( WHAT_LIMIT );
  limit_ping( ( order >> 8 ) << 32 );
  await( order );
  return half( LIMIT_TRIPS, GROUP, 0.5 );
}

static char const * regime( double a, double b ) {
  double ratio = a > b ? a / b : b / a;
  if( ratio > AGREE || ( a < NEAR_NS ) != ( b < NEAR_NS ) ) return "mixed";
  return a < NEAR_NS ? "near" : "far";
}

/* ns of the median undisturbed burst of a stream; 0 if there were too few */
static double stream( int i, uint64_t * clean ) {
  static uint64_t burst[BURSTS];
  uint64_t n = 0;
  for( int k = 0; k < BURSTS; k++ ) {
    uint64_t before = switches() + sf_load_acquire( &board->switches );
    uint64_t begin  = __builtin_ia32_rdtsc();
    uint64_t order  = say( (uint64_t)( WHAT_STREAM + i ) );
    stream_in( i );
    uint64_t written = __builtin_ia32_rdtsc();
    await( order );
    burst[n] = ( cases[i].reliable ? __builtin_ia32_rdtsc() : written ) - begin;
    n += switches() + sf_load_acquire( &board->switches ) == before;
  }
  *clean = n;
  if( n < CLEAN_MIN ) return 0;
  qsort( burst, n, sizeof( burst[0] ), by_value );
  return bench_ns( burst[n / 2] );
}

static void chunk( uint64_t number ) {
  for( int i = 0; i < CASES; i++ ) {
    double before  = limit();
    uint64_t order = say( (uint64_t)( WHAT_LATENCY + i ) );
    latency( i, 1 );
    await( order );
    double p50 = half( TRIPS, GROUP, 0.5 );
    bench_hist_clear( &hist );
    for( uint64_t n = 0; n < TRIPS; n++ )
      bench_hist_add( &hist, (uint64_t)( 500 * bench_ns( stamp[n + 1] - stamp[n] ) ) );
    double after = limit();
    printf( "{\"what\":\"latency\",\"case\":\"%s\",\"chunk\":%lu,\"limit_before_ns\":%.2f,\"limit_after_ns\":%.2f,"
            "\"regime\":\"%s\","
            "\"p50_ns\":%.2f,\"ratio_p50\":%.4f,",
            cases[i].name, number, before, after, regime( before, after ), p50, 2 * p50 / ( before + after ) );
    bench_hist_fields( &hist, "ps" );
    printf( "}\n" );

    uint64_t lost = sf_load_relaxed( &producer[i].edge[0]->lost );
    before        = after;
    uint64_t clean;
    double ns = stream( i, &clean );
    after     = limit();
    printf( "{\"what\":\"stream\",\"case\":\"%s\",\"chunk\":%lu,\"limit_before_ns\":%.2f,\"limit_after_ns\":%.2f,"
            "\"regime\":\"%s\","
            "\"million_per_second\":%.2f,\"clean_bursts\":%lu,\"lost_share\":%.4f}\n",
            cases[i].name, number, before, after, ns > 0 ? regime( before, after ) : "disturbed",
            ns > 0 ? 1000.0 * BURST / ns : 0, clean,
            (double)( sf_load_relaxed( &producer[i].edge[0]->lost ) - lost ) / (double)( BURST * BURSTS ) );
  }
  fflush( stdout );
}

static void steady_case( double per_second, double seconds ) {
  double before      = limit();
  bench_schedule_t s = bench_schedule( per_second, seconds, WARM_UP );
  board->events      = s.events;
  board->warm_up     = s.warm_up;
  uint64_t order     = say( WHAT_STEADY );
  steady_in( &s );
  await( order );
  double after = limit();
  printf( "{\"what\":\"steady\",\"case\":\"lossless-64 at %.0f/s\",\"limit_before_ns\":%.2f,\"limit_after_ns\":%.2f,"
          "\"regime\":\"%s\",",
          per_second, before, after, regime( before, after ) );
  bench_schedule_fields( &s );
  printf( "," );
  bench_hist_fields( steady, "ps" );
  printf( "}\n" );
}

static void pipe_case( void ) {
  uint64_t order = say( WHAT_PIPE );
  pipe_trips( 1 );
  await( order );
  bench_hist_clear( &hist );
  for( uint64_t n = 0; n < PIPE_TRIPS; n++ )
    bench_hist_add( &hist, (uint64_t)( bench_ns( stamp[n + 1] - stamp[n] ) / 2 ) );
  printf( "{\"what\":\"pipe\"," );
  bench_hist_fields( &hist, "ns" );
  printf( "}\n" );
}

static void create( char const * dir ) {
  sf_topology_t * t = sf_topology_alloc();
  int rc            = sf_topology_group_add( t, "g", SF_WAIT_YIELD, SF_CORE_NONE, 0 );
  if( rc >= 0 ) rc = sf_topology_tile_add( t, "parent", "bench", 0, 0, 1 );
  if( rc >= 0 ) rc = sf_topology_tile_add( t, "child", "bench", 0, 0, 1 );
  for( uint32_t i = 0; rc >= 0 && i < 2 * CASES; i++ ) {
    char name[SF_NAME_MAX];
    snprintf( name, sizeof( name ), "%s-%s", cases[i / 2].name, i % 2 ? "back" : "out" );
    rc = sf_topology_link_add( t, name, i % 2, cases[i / 2].depth, cases[i / 2].slot_bytes );
    if( rc >= 0 ) rc = sf_topology_edge_add( t, i, 1 - i % 2, cases[i / 2].reliable );
  }
  if( rc < 0 || sf_topology_validate( t ) || sf_topology_layout( t ) || sf_instance_create( dir, t ) ) bench_die();
  sf_topology_free( t );
}

int main( int argc, char ** argv ) {
  uint64_t chunks = argc > 1 ? strtoull( argv[1], 0, 10 ) : 20;
  double seconds  = argc > 2 ? atof( argv[2] ) : 1;
  uint32_t core[SF_CPU_MAX], cnt = sf_cpu_available( core );
  if( cnt < 2 ) {
    fprintf( stderr, "bench link: two cores are needed, there is one\n" );
    return 77;
  }
  char dir[64];
  snprintf( dir, sizeof( dir ), "/dev/shm/sf-t%d-bench", (int)getpid() );
  board  = mmap( 0, sizeof( *board ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
  steady = mmap( 0, sizeof( *steady ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
  if( board == MAP_FAILED || steady == MAP_FAILED || pipe( pipes[0] ) || pipe( pipes[1] ) ) return 1;
  bench_clock_open();
  create( dir );
  pid_t pid = fork();
  if( !pid ) prctl( PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0, 0, 0 );
  if( sf_instance_open( &inst, dir ) ) bench_die();
  open_links( pid ? 0 : 1 );
  if( sf_cpu_pin( pid ? core[0] : core[cnt - 1] ) ) bench_die();
  if( !pid ) {
    child();
    _exit( checksum == 1 ); /* the reads are not for nothing */
  }
  for( uint64_t i = 0; i < chunks; i++ ) chunk( i );
  if( seconds > 0 )
    for( uint32_t i = 0; i < sizeof( steady_rate ) / sizeof( *steady_rate ); i++ )
      steady_case( steady_rate[i], seconds );
  pipe_case();
  bench_clock_report();
  say( WHAT_END );
  waitpid( pid, 0, 0 );
  sf_instance_close( &inst );
  return sf_instance_remove( dir ) ? 1 : 0;
}
