#include "tile/wait.h"
#include "base/clock.h"
#include "base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LATENCY_DEVICE "/dev/cpu_dma_latency"
#define BLOCKED_NS     20000UL /* sleep of a tile without credit: nothing announces credit */

static uint32_t no_waitv; /* 1 = the kernel has no futex_waitv */

static int living( sf_tile_t const * t ) { return t->booted && !t->ended; }

static void sleep_until( uint64_t at_ns ) {
  struct timespec at = { (time_t)( at_ns / 1000000000UL ), (long)( at_ns % 1000000000UL ) };
  clock_nanosleep( CLOCK_MONOTONIC, TIMER_ABSTIME, &at, 0 );
}

static void sleeping_set( sf_tile_t * const * t, uint32_t cnt, uint64_t v ) {
  for( uint32_t i = 0; i < cnt; i++ ) {
    for( uint32_t k = 0; living( t[i] ) && k < t[i]->in_cnt; k++ ) {
      if( v ) sf_consumer_flush( t[i]->in + k );
      sf_store_release( &t[i]->in[k].edge->sleeping, v );
    }
  }
}

/* The words to sleep on; -1 if there is something to do. */
static int words( sf_tile_t * const * t, uint32_t cnt, struct futex_waitv word[FUTEX_WAITV_MAX] ) {
  int n = 0;
  for( uint32_t i = 0; i < cnt; i++ ) {
    if( sf_tile_halting( t[i] ) ) return -1;
    for( uint32_t k = 0; living( t[i] ) && k < t[i]->in_cnt; k++ ) {
      sf_consumer_t const * c = t[i]->in + k;
      uint64_t const * seq    = &sf_consumer_slot( c )->seq;
      uint64_t w              = sf_load_acquire( seq );
      if( ( w & ~SF_SEQ_BUSY ) > c->next ) return -1; /* there, being written, or a later lap */
      if( n == FUTEX_WAITV_MAX ) continue;            /* timeout finds the rest */
      word[n++] = ( struct futex_waitv ){ .val = (uint32_t)w, .uaddr = (uint64_t)seq, .flags = FUTEX_32 };
    }
  }
  return n;
}

static void futex_sleep( struct futex_waitv * word, int n, uint64_t at_ns ) {
  if( !n ) {
    sleep_until( at_ns );
    return;
  }
  if( n > 1 && !sf_load_relaxed( &no_waitv ) ) {
    struct timespec at = { (time_t)( at_ns / 1000000000UL ), (long)( at_ns % 1000000000UL ) };
    if( syscall( SYS_futex_waitv, word, n, 0, &at, CLOCK_MONOTONIC ) >= 0 || ( errno != ENOSYS && errno != EPERM ) )
      return;
    sf_store_relaxed( &no_waitv, 1U );
  }
  uint64_t now = sf_clock_ns(), ns = at_ns > now ? at_ns - now : 1;
  struct timespec in = { (time_t)( ns / 1000000000UL ), (long)( ns % 1000000000UL ) };
  syscall( SYS_futex, word[0].uaddr, FUTEX_WAIT, word[0].val, &in, 0, 0 );
}

static int park( sf_tile_t * const * t, uint32_t cnt, uint64_t until_ns ) {
  uint64_t at = until_ns, now = sf_clock_ns();
  int blocked = 0;
  for( uint32_t i = 0; i < cnt; i++ ) {
    if( !living( t[i] ) ) continue;
    if( t[i]->house_at < at ) at = t[i]->house_at;
    if( t[i]->wake_at < at ) at = t[i]->wake_at;
    blocked |= (int)t[i]->blocked;
  }
  if( at <= now ) return 0;
  if( blocked ) {
    sleep_until( at - now > BLOCKED_NS ? now + BLOCKED_NS : at );
    return 1;
  }
  struct futex_waitv word[FUTEX_WAITV_MAX];
  sleeping_set( t, cnt, 1 );
  sf_full_barrier();
  int n = words( t, cnt, word );
  if( n >= 0 ) {
    for( uint32_t i = 0; i < cnt; i++ ) t[i]->count[SF_COUNTER_PARKS]++;
    futex_sleep( word, n, at );
  }
  sleeping_set( t, cnt, 0 );
  return n >= 0;
}

int sf_wait_once( sf_tile_t * const * t, uint32_t cnt, uint32_t wait, uint64_t idle, uint64_t until_ns ) {
  if( wait == SF_WAIT_SPIN ) return 0; /* a turn is pause enough: one more is what the next message waits for */
  if( wait == SF_WAIT_YIELD ) sched_yield();
  else if( idle < SF_WAIT_SPINS ) sf_pause();
  else return park( t, cnt, until_ns );
  return 0;
}

int sf_wait_stay_awake( void ) {
  static uint32_t held; /* 1 = this process holds it, or another thread of it is at it */
  if( __atomic_exchange_n( &held, 1U, __ATOMIC_RELAXED ) ) return 0;
  int32_t us = 0;
  int fd     = open( LATENCY_DEVICE, O_WRONLY | O_CLOEXEC );
  if( fd >= 0 && write( fd, &us, sizeof( us ) ) == sizeof( us ) ) return 0; /* stays open: closing it lets go */
  int rc = sf_err_set( SF_ERR_SYS, LATENCY_DEVICE ": %m; wake-ups take as long as the host's idle states" );
  if( fd >= 0 ) close( fd );
  sf_store_relaxed( &held, 0U );
  return rc;
}
