#include "base/clock.h"
#include <cpuid.h>
#include <stdio.h>

#define SYNC_NS      50000000L /* youngest anchor that is renewed */
#define SLEW_DIVISOR 10        /* the rate is bent by at most a tenth */

sf_clock_t sf_clock;

/* Only the thread that holds `syncing` touches these. */
static uint32_t syncing;
static uint64_t last_tsc; /* of the last comparison with CLOCK_MONOTONIC */
static uint64_t last_ns;
static int use_tsc = -1;

/* 1 if the TSC is invariant and the kernel keeps time by it. */
static int tsc_is_good( void ) {
  uint32_t a, b, c, d;
  if( !__get_cpuid( 0x80000007, &a, &b, &c, &d ) || !( d & ( 1U << 8 ) ) ) return 0;
  char name[32] = { 0 };
  FILE * f      = fopen( "/sys/devices/system/clocksource/clocksource0/current_clocksource", "re" );
  if( !f ) return 0;
  int got = fscanf( f, "%31s", name ) == 1;
  fclose( f );
  return got &&
         ( !strcmp( name, "tsc" ) || !strcmp( name, "kvm-clock" ) || !strcmp( name, "hyperv_clocksource_tsc_page" ) );
}

/* One comparison: the tightest of some tries, tsc taken in the middle. */
static void compare( uint64_t * tsc, uint64_t * ns ) {
  uint64_t best = UINT64_MAX;
  for( int i = 0; i < 8; i++ ) {
    uint64_t before = __builtin_ia32_rdtsc();
    uint64_t now    = sf_clock_posix_ns( CLOCK_MONOTONIC );
    uint64_t after  = __builtin_ia32_rdtsc();
    if( after - before < best ) {
      best = after - before;
      *tsc = before + best / 2;
      *ns  = now;
    }
  }
}

static void anchor( uint64_t tsc, uint64_t ns, uint64_t rate ) {
  uint64_t version = sf_load_relaxed( &sf_clock.version );
  sf_store_relaxed( &sf_clock.version, version + 1 );
  sf_store_release( &sf_clock.tsc, tsc );
  sf_store_release( &sf_clock.ns, ns );
  sf_store_release( &sf_clock.rate, rate );
  sf_store_release( &sf_clock.version, version + 2 );
}

static uint64_t rate_of( uint64_t ns, uint64_t ticks ) {
  return (uint64_t)( ( (unsigned __int128)ns << SF_CLOCK_SHIFT ) / ticks );
}

static int try_lock( void ) { return !__atomic_exchange_n( &syncing, 1U, __ATOMIC_ACQUIRE ); }

int sf_clock_init( void ) {
  while( !try_lock() ) sf_pause();
  if( use_tsc < 0 ) {
    use_tsc = tsc_is_good();
    if( use_tsc ) {
      uint64_t tsc0 = 0, ns0 = 0;
      compare( &tsc0, &ns0 );
      struct timespec wait = { 0, 2000000 };
      nanosleep( &wait, 0 );
      compare( &last_tsc, &last_ns );
      anchor( last_tsc, last_ns, rate_of( last_ns - ns0, last_tsc - tsc0 ) );
    }
  }
  int used = use_tsc;
  sf_store_release( &syncing, 0U );
  return used;
}

void sf_clock_sync( void ) {
  if( !sf_load_acquire( &sf_clock.rate ) || !try_lock() ) return;
  uint64_t tsc = 0, ns = 0;
  if( (int64_t)( ( sf_clock_ns() - last_ns ) ) > SYNC_NS ) {
    compare( &tsc, &ns );
    if( ns > last_ns && tsc > last_tsc ) {
      /* our clock at tsc, and the rate that takes it to the true one by the next time */
      int64_t ticks = (int64_t)( tsc - sf_clock.tsc );
      uint64_t ours = sf_clock.ns + (uint64_t)( ( (__int128)ticks * (__int128)sf_clock.rate ) >> SF_CLOCK_SHIFT );
      uint64_t rate = rate_of( ns - last_ns, tsc - last_tsc );
      __int128 span = (__int128)( ns - last_ns );
      __int128 bend = (__int128)rate * ( (__int128)ns - (__int128)ours ) / span;
      __int128 most = (__int128)rate / SLEW_DIVISOR;
      if( bend > most ) bend = most;
      if( bend < -most ) bend = -most;
      anchor( tsc, ours, (uint64_t)( (__int128)rate + bend ) );
      last_tsc = tsc;
      last_ns  = ns;
    }
  }
  sf_store_release( &syncing, 0U );
}
