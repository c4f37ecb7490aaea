/* rig.h: what the benchmarks in C share: a calibrated clock, histograms, a schedule that does not wait for anybody,
   and records as JSON lines on stdout (bench/harness/program.py reads them).

   clock       rdtsc, converted with a rate that is measured against CLOCK_MONOTONIC when the program starts and again
               when it ends; the difference of the two rates and the width of the readings is the error it states
   histogram   HdrHistogram's own buckets for three significant digits, in any unit, so that its tools read the counts
   schedule    open loop: each event has the time it was intended for, whether or not the one before is done, and a
               latency begins there; a run whose generator fell behind has FAILED and says so

   A latency is never begun when the generator came round to it: a stall would then be counted once instead of once for
   every event that waited (coordinated omission). */

#ifndef SF_BENCH_RIG_H
#define SF_BENCH_RIG_H

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/err.h"

/* DO ends the program with the call and its sentence if the call fails. */
#define DO( call )                                                                                       \
  do {                                                                                                   \
    int64_t code_ = ( call );                                                                            \
    if( code_ < 0 ) {                                                                                    \
      fprintf( stderr, "%s: %s: %ld %s\n", program_invocation_short_name, #call, code_, sf_err_text() ); \
      exit( 1 );                                                                                         \
    }                                                                                                    \
  } while( 0 )

/* bench_die ends the program with the sentence of the call that failed. */
static inline void bench_die( void ) {
  fprintf( stderr, "%s: %s\n", program_invocation_short_name, sf_err_text() );
  exit( 1 );
}

/* -- clock --------------------------------------------------------------------- */

typedef struct bench_clock {
  uint64_t tsc, ns;   /* one reading of both */
  double width_ns;    /* how far apart the two may be */
  double ns_per_tick; /* from here to the end of calibration */
} bench_clock_t;

static bench_clock_t bench_clock;

/* The tightest of some readings of CLOCK_MONOTONIC between two of the TSC. */
static inline bench_clock_t bench_clock_read( void ) {
  bench_clock_t best = { 0 };
  uint64_t least     = UINT64_MAX;
  for( int i = 0; i < 64; i++ ) {
    uint64_t before = __builtin_ia32_rdtsc(), ns = sf_clock_posix_ns( CLOCK_MONOTONIC );
    uint64_t ticks = __builtin_ia32_rdtsc() - before;
    if( ticks < least ) {
      least = ticks;
      best  = ( bench_clock_t ){ .tsc = before + ticks / 2, .ns = ns, .width_ns = (double)ticks };
    }
  }
  return best;
}

static inline double bench_clock_rate( bench_clock_t const * from, bench_clock_t const * to ) {
  return (double)( to->ns - from->ns ) / (double)( to->tsc - from->tsc );
}

/* bench_clock_open calibrates, which takes 30 ms. */
static inline void bench_clock_open( void ) {
  sf_clock_init();
  bench_clock          = bench_clock_read();
  struct timespec wait = { 0, 30000000 };
  nanosleep( &wait, 0 );
  bench_clock_t later     = bench_clock_read();
  bench_clock.ns_per_tick = bench_clock_rate( &bench_clock, &later );
  bench_clock.width_ns *= bench_clock.ns_per_tick;
}

/* bench_clock_report says how good the calibration was, against the whole time since. */
static inline void bench_clock_report( void ) {
  bench_clock_t now = bench_clock_read();
  double rate       = bench_clock_rate( &bench_clock, &now );
  double drift = ( bench_clock.ns_per_tick - rate ) / rate, span = (double)( now.ns - bench_clock.ns );
  uint64_t step = UINT64_MAX, last = __builtin_ia32_rdtsc();
  for( int i = 0; i < 10000; i++ ) {
    uint64_t t = __builtin_ia32_rdtsc();
    if( t > last && t - last < step ) step = t - last;
    last = t;
  }
  printf( "{\"what\":\"clock\",\"tsc_mhz\":%.3f,\"error_ppm\":%.2f,\"width_ns\":%.1f,\"step_ns\":%.2f}\n", 1e3 / rate,
          1e6 * ( ( drift < 0 ? -drift : drift ) + 2 * bench_clock.width_ns / span ), bench_clock.width_ns,
          (double)step * rate );
  fflush( stdout );
}

SF_INLINE uint64_t bench_ticks( void ) { return __builtin_ia32_rdtsc(); }
static inline double bench_ns( uint64_t ticks ) { return (double)ticks * bench_clock.ns_per_tick; }

/* -- histogram ------------------------------------------------------------------- */

#define BENCH_HALF_BITS 10 /* three significant digits: 2,048 buckets to an octave and a half */
#define BENCH_BUCKETS   ( 34 << BENCH_HALF_BITS )
#define BENCH_TOP       ( ( 1UL << 43 ) - 1 ) /* greater values are counted here */

typedef struct bench_hist {
  uint64_t count, max;
  double sum;
  uint64_t bucket[BENCH_BUCKETS];
} bench_hist_t;

SF_INLINE void bench_hist_add( bench_hist_t * h, uint64_t value ) {
  if( SF_UNLIKELY( value > BENCH_TOP ) ) value = BENCH_TOP;
  uint32_t shift = 63 - BENCH_HALF_BITS - (uint32_t)__builtin_clzl( value | ( ( 2UL << BENCH_HALF_BITS ) - 1 ) );
  h->bucket[( shift << BENCH_HALF_BITS ) + ( value >> shift )]++;
  h->count++;
  h->sum += (double)value;
  if( value > h->max ) h->max = value;
}

static inline void bench_hist_clear( bench_hist_t * h ) { memset( h, 0, sizeof( *h ) ); }

/* bench_hist_fields prints the histogram's members of a JSON object; `unit` is that of its values: ns, or ps. */
static inline void bench_hist_fields( bench_hist_t const * h, char const * unit ) {
  printf( "\"unit\":\"%s\",\"count\":%lu,\"max\":%lu,\"mean\":%.3f,\"buckets\":[", unit, h->count, h->max,
          h->count ? h->sum / (double)h->count : 0 );
  char const * comma = "";
  for( uint32_t i = 0; i < BENCH_BUCKETS; i++ )
    if( h->bucket[i] ) {
      printf( "%s[%u,%lu]", comma, i, h->bucket[i] );
      comma = ",";
    }
  printf( "]" );
}

static inline void bench_hist_report( char const * name, bench_hist_t const * h, char const * unit ) {
  printf( "{\"what\":\"latency\",\"case\":\"%s\",", name );
  bench_hist_fields( h, unit );
  printf( "}\n" );
  fflush( stdout );
}

/* bench_samples_report is bench_hist_report of nanoseconds. */
static inline void bench_samples_report( char const * name, uint64_t const * ns, uint64_t cnt ) {
  static bench_hist_t h;
  bench_hist_clear( &h );
  for( uint64_t i = 0; i < cnt; i++ ) bench_hist_add( &h, ns[i] );
  bench_hist_report( name, &h, "ns" );
}

/* bench_chunks_report is that of what is too short to be clocked one by one: nanoseconds of `cnt` chunks, each of
   `per_chunk`; the means, in ps. */
static inline void bench_chunks_report( char const * name, uint64_t const * ns, uint64_t cnt, uint64_t per_chunk ) {
  static bench_hist_t h;
  bench_hist_clear( &h );
  for( uint64_t i = 0; i < cnt; i++ ) bench_hist_add( &h, 1000 * ns[i] / per_chunk );
  bench_hist_report( name, &h, "ps" );
}

/* -- schedule -------------------------------------------------------------------- */

typedef struct bench_schedule {
  uint64_t start;      /* TSC */
  double interval;     /* ticks */
  uint64_t warm_up;    /* events that are not counted */
  uint64_t events;     /* with these */
  uint64_t next;       /* number of the event that comes next */
  uint64_t last_tsc;   /* when the one before was let go */
  uint64_t const * at; /* ticks after the start of each event; NULL: an interval apart */
} bench_schedule_t;

static inline bench_schedule_t bench_schedule( double per_second, double seconds, double warm_up_seconds ) {
  return ( bench_schedule_t ){ .start    = bench_ticks() + (uint64_t)( 1e6 / bench_clock.ns_per_tick ),
                               .interval = 1e9 / per_second / bench_clock.ns_per_tick,
                               .warm_up  = (uint64_t)( per_second * warm_up_seconds ),
                               .events   = (uint64_t)( per_second * ( seconds + warm_up_seconds ) ) };
}

/* bench_schedule_at returns the intended time of the next event, of which there must be one. */
SF_INLINE uint64_t bench_schedule_at( bench_schedule_t const * s ) {
  return s->start + ( s->at ? s->at[s->next] : (uint64_t)( (double)s->next * s->interval ) );
}

/* bench_schedule_due returns 1 if the next event's time has come, and in *intended what that time was; 0 if it has not
   or there are none left. */
SF_INLINE int bench_schedule_due( bench_schedule_t * s, uint64_t * intended ) {
  if( s->next >= s->events ) return 0;
  uint64_t at = bench_schedule_at( s ), now = bench_ticks();
  if( (int64_t)( now - at ) < 0 ) return 0;
  s->next++;
  s->last_tsc = now;
  *intended   = at;
  return 1;
}

/* 1 once an event was past the warm-up */
SF_INLINE int bench_schedule_counts( bench_schedule_t const * s, uint64_t event ) { return event >= s->warm_up; }

/* bench_schedule_fields prints members of a JSON object: the rate asked for and the one held, and whether the run stands:
   at least 99 % of it. */
static inline void bench_schedule_fields( bench_schedule_t const * s ) {
  double asked = 1e9 / ( s->interval * bench_clock.ns_per_tick );
  double held  = s->next ? (double)s->next * 1e9 / bench_ns( s->last_tsc - s->start + (uint64_t)s->interval ) : 0;
  printf( "\"rate_asked\":%.0f,\"rate_held\":%.0f,\"failed\":%s", asked, held,
          s->next == s->events && held >= 0.99 * asked ? "false" : "true" );
}

/* -- cores ----------------------------------------------------------------------- */

/* bench_pin puts the caller on the last core it may use, as the hot group is, and returns its number. */
static inline uint32_t bench_pin( void ) {
  uint32_t core[SF_CPU_MAX], cnt = sf_cpu_available( core );
  if( sf_cpu_pin( core[cnt - 1] ) ) {
    fprintf( stderr, "bench: %s\n", sf_err_text() );
    exit( 1 );
  }
  return core[cnt - 1];
}

#endif
