/* clock.h: the engine clock: nanoseconds, compatible with CLOCK_MONOTONIC in
   every process of the machine.

   Where the TSC is invariant and the kernel trusts it, a read costs one rdtsc
   and a multiplication.  Each process holds an anchor (tsc, ns, rate) behind a
   sequence lock; sf_clock_sync, called about every 100 ms by housekeeping,
   compares it with CLOCK_MONOTONIC and bends the rate so that the difference is
   gone by the next time.  The clock never goes backwards.  Before
   sf_clock_init, and on machines without such a TSC, it is clock_gettime. */

#ifndef SF_BASE_CLOCK_H
#define SF_BASE_CLOCK_H
#include "base/atomic.h"
#include <time.h>

#define SF_CLOCK_SHIFT 32

typedef struct sf_clock {
  uint64_t version; /* odd while it changes */
  uint64_t tsc;     /* anchor */
  uint64_t ns;      /* engine clock at the anchor */
  uint64_t rate;    /* ns per tick << SF_CLOCK_SHIFT; 0 = use clock_gettime */
  uint8_t _pad0[96];
} sf_clock_t;

extern sf_clock_t sf_clock;

/* sf_clock_init calibrates (about 2 ms, first call of a process only).
   Returns 1 if the TSC is used, 0 if CLOCK_MONOTONIC is. */
int sf_clock_init( void );

/* sf_clock_sync brings the anchor up to date; does nothing if the last one is
   younger than 50 ms.  Any thread, and again after a fork. */
void sf_clock_sync( void );

SF_INLINE uint64_t sf_clock_posix_ns( clockid_t id ) {
  struct timespec t;
  clock_gettime( id, &t );
  return (uint64_t)t.tv_sec * 1000000000UL + (uint64_t)t.tv_nsec;
}

/* sf_clock_real_ns returns CLOCK_REALTIME in ns. */
SF_INLINE uint64_t sf_clock_real_ns( void ) { return sf_clock_posix_ns( CLOCK_REALTIME ); }

/* sf_clock_ns returns the engine clock in ns.  Cost: about 8 ns. */
SF_INLINE uint64_t sf_clock_ns( void ) {
  for( int i = 0; i < 64; i++ ) {
    uint64_t version = sf_load_acquire( &sf_clock.version );
    uint64_t rate    = sf_load_acquire( &sf_clock.rate );
    uint64_t base    = sf_load_acquire( &sf_clock.tsc );
    uint64_t ns      = sf_load_acquire( &sf_clock.ns );
    if( SF_UNLIKELY( !rate ) ) break;
    int64_t ticks = (int64_t)( __builtin_ia32_rdtsc() - base );
    uint64_t now  = ns + (uint64_t)( ( (__int128)ticks * (__int128)rate ) >> SF_CLOCK_SHIFT );
    if( SF_LIKELY( !( version & 1 ) && sf_load_acquire( &sf_clock.version ) == version ) ) return now;
  }
  return sf_clock_posix_ns( CLOCK_MONOTONIC ); /* also for a signal handler that stopped sf_clock_sync halfway */
}

#endif
