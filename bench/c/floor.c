/* bench floor: what this machine does when nothing is asked of it but one thing: the limits beside every result.

     build/release/bench/c/floor [MILLISECONDS]      JSON lines on stdout

   line       one way of a cache line that two pinned threads write in turn, one pause in the loop, on 8 lines one after
              the other: p50 of means of 16 trips; near (cores share an L3) below 80 ns, far above
   division   a 128-bit by 64-bit division that needs the one before: what plain integer work costs here and now
   memory     one cache line that is nowhere in the caches, the address of each in the one before (64 MiB)
   hiccup     a thread that does nothing but read the clock, on each of the two cores: the gaps in it, time that was
              taken away.  The histogram is of gaps over 1 us; `share` of the time was lost in them */

#include <pthread.h>
#include <sys/mman.h>

#include "base/rng.h"
#include "rig.h"

#define TRIPS     4000
#define GROUP     16
#define LINES     8
#define ROUNDS    5
#define NEAR_NS   80.0
#define WORK      50 /* readings of work, of which the least is taken: it is a limit */
#define DIVISIONS 4000
#define LOADS     4000
#define CHASE     ( 64UL << 20 )
#define GAP_NS    1000

static struct {
  uint64_t word;
  uint8_t pad[SF_ALIGN * 33 - 8];
} line[LINES] __attribute__( ( aligned( 4096 ) ) );

static uint64_t stamp[TRIPS + 1];
static uint32_t cores[2];

static int by_value( void const * a, void const * b ) {
  double x = *(double const *)a, y = *(double const *)b;
  return x < y ? -1 : x > y;
}

static double median( double * value, uint32_t cnt ) {
  qsort( value, cnt, sizeof( *value ), by_value );
  return value[cnt / 2];
}

static double least( double const * value, uint32_t cnt ) {
  double found = value[0];
  for( uint32_t i = 1; i < cnt; i++ )
    if( value[i] < found ) found = value[i];
  return found;
}

/* -- line ---------------------------------------------------------------------- */

static uint64_t * line_of( uint64_t trip ) { return &line[trip * LINES / TRIPS].word; }

static void * pong( void * arg ) {
  (void)arg;
  sf_cpu_pin( cores[0] );
  for( uint64_t round = 0; round < ROUNDS; round++ )
    for( uint64_t i = 0; i < TRIPS; i++ ) {
      uint64_t *at = line_of( i ), base = round * 2 * TRIPS + 2 * i;
      while( sf_load_acquire( at ) != base + 1 ) sf_pause();
      sf_store_release( at, base + 2 );
    }
  return 0;
}

static void line_measure( void ) {
  if( cores[0] == cores[1] ) return;
  pthread_t other;
  double found[ROUNDS];
  static double mean[TRIPS / GROUP];
  if( pthread_create( &other, 0, pong, 0 ) ) exit( 1 );
  for( uint64_t round = 0; round < ROUNDS; round++ ) {
    for( uint64_t i = 0; i < TRIPS; i++ ) {
      uint64_t *at = line_of( i ), base = round * 2 * TRIPS + 2 * i;
      stamp[i] = bench_ticks();
      sf_store_release( at, base + 1 );
      while( sf_load_acquire( at ) != base + 2 ) sf_pause();
    }
    stamp[TRIPS] = bench_ticks();
    for( uint64_t i = 0; i < TRIPS / GROUP; i++ )
      mean[i] = bench_ns( stamp[( i + 1 ) * GROUP] - stamp[i * GROUP] ) / ( 2 * GROUP );
    found[round] = median( mean, TRIPS / GROUP );
  }
  pthread_join( other, 0 );
  double ns = median( found, ROUNDS );
  printf( "{\"what\":\"floor\",\"case\":\"%s\",\"ns\":%.2f}\n", ns < NEAR_NS ? "line near" : "line far", ns );
}

/* -- work ---------------------------------------------------------------------- */

static void division_measure( void ) {
  double found[WORK];
  uint64_t x = 12345, divisor = 0xfedcba9876543211UL;
  for( uint32_t round = 0; round < WORK; round++ ) {
    uint64_t begin = bench_ticks();
    for( uint32_t i = 0; i < DIVISIONS; i++ ) {
      uint64_t quotient, high = x >> 1;
      __asm__ volatile( "divq %4" : "=a"( quotient ), "=d"( x ) : "a"( x ), "d"( high ), "r"( divisor ) : "cc" );
      x ^= quotient;
      if( SF_UNLIKELY( x >> 1 >= divisor ) ) x = 12345;
    }
    found[round] = bench_ns( bench_ticks() - begin ) / DIVISIONS;
  }
  printf( "{\"what\":\"floor\",\"case\":\"division\",\"ns\":%.3f}\n", least( found, WORK ) );
}

static void memory_measure( void ) {
  uint64_t cnt  = CHASE / 64;
  uint64_t * at = mmap( 0, CHASE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 );
  if( at == MAP_FAILED ) exit( 1 );
  madvise( at, CHASE, MADV_HUGEPAGE );
  uint32_t * next = malloc( cnt * sizeof( *next ) );
  sf_rng_t rng;
  sf_rng_seed( &rng, 3 );
  for( uint64_t i = 0; i < cnt; i++ ) next[i] = (uint32_t)i;
  for( uint64_t i = cnt - 1; i; i-- ) { /* one cycle through all (Sattolo) */
    uint64_t j = sf_rng_below( &rng, i );
    uint32_t t = next[i];
    next[i]    = next[j];
    next[j]    = t;
  }
  for( uint64_t i = 0; i < cnt; i++ ) at[i * 8] = next[i];
  double found[WORK];
  uint64_t where = 0;
  for( uint32_t round = 0; round < WORK; round++ ) {
    uint64_t begin = bench_ticks();
    for( uint32_t i = 0; i < LOADS; i++ ) where = sf_load_relaxed( &at[where * 8] );
    found[round] = bench_ns( bench_ticks() - begin ) / LOADS;
  }
  free( next );
  munmap( at, CHASE );
  if( where < cnt ) printf( "{\"what\":\"floor\",\"case\":\"memory\",\"ns\":%.2f}\n", least( found, WORK ) );
}

/* -- hiccups ------------------------------------------------------------------- */

typedef struct hiccups {
  uint32_t core;
  double milliseconds;
  double lost_ns, spent_ns;
  bench_hist_t hist;
} hiccups_t;

static void * hiccups_run( void * arg ) {
  hiccups_t * h = arg;
  sf_cpu_pin( h->core );
  uint64_t gap   = (uint64_t)( GAP_NS / bench_clock.ns_per_tick );
  uint64_t begin = bench_ticks(), last = begin;
  uint64_t end = begin + (uint64_t)( h->milliseconds * 1e6 / bench_clock.ns_per_tick );
  while( last < end ) {
    uint64_t now = bench_ticks();
    if( SF_UNLIKELY( now - last > gap ) ) {
      double ns = bench_ns( now - last );
      bench_hist_add( &h->hist, (uint64_t)ns );
      h->lost_ns += ns;
    }
    last = now;
  }
  h->spent_ns = bench_ns( last - begin );
  return 0;
}

static void hiccups_measure( double milliseconds ) {
  static hiccups_t one[2];
  pthread_t thread[2];
  uint32_t cnt = cores[0] == cores[1] ? 1 : 2;
  for( uint32_t i = 0; i < cnt; i++ ) {
    one[i].core         = cores[i];
    one[i].milliseconds = milliseconds;
    if( pthread_create( &thread[i], 0, hiccups_run, &one[i] ) ) exit( 1 );
  }
  for( uint32_t i = 0; i < cnt; i++ ) {
    pthread_join( thread[i], 0 );
    printf( "{\"what\":\"hiccup\",\"case\":\"core %u\",\"share\":%.6f,\"seconds\":%.3f,", one[i].core,
            one[i].lost_ns / one[i].spent_ns, one[i].spent_ns / 1e9 );
    bench_hist_fields( &one[i].hist, "ns" );
    printf( "}\n" );
  }
}

int main( int argc, char ** argv ) {
  double milliseconds = argc > 1 ? atof( argv[1] ) : 200;
  if( milliseconds < 1 || milliseconds > 60000 ) {
    fprintf( stderr, "floor: %s milliseconds; use 1 to 60000\n", argv[1] );
    return 2;
  }
  uint32_t core[SF_CPU_MAX], cnt = sf_cpu_available( core );
  cores[0] = core[0];
  cores[1] = core[cnt - 1];
  sf_cpu_pin( cores[1] );
  bench_clock_open();
  line_measure();
  division_measure();
  memory_measure();
  hiccups_measure( milliseconds );
  bench_clock_report();
  return 0;
}
