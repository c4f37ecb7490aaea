/* Errors, clock, histograms, random numbers, checksum, cores, memory, word copies. */

#include "check.h"
#include "base/atomic.h"
#include "base/cpu.h"
#include "base/crc32c.h"
#include "base/hist.h"
#include "base/memory.h"
#include "base/rng.h"
#include <pthread.h>
#include <sys/mman.h>

static void test_err( void ) {
  CHECK( sf_err_set( SF_ERR_ARG, "link %s: depth %d", "market", 1000 ) == SF_ERR_ARG );
  CHECK( !strcmp( sf_err_text(), "link market: depth 1000" ) );
  sf_err_set( SF_ERR_ARG, "again: %s", sf_err_text() );
  CHECK( !strcmp( sf_err_text(), "again: link market: depth 1000" ) );
  char big[4000];
  memset( big, 'x', sizeof( big ) );
  big[sizeof( big ) - 1] = 0;
  sf_err_set( SF_ERR_ARG, "%s", big );
  CHECK( strlen( sf_err_text() ) == 1023 );
  CHECK( !strcmp( sf_err_name( SF_ERR_TIMEOUT ), "SF_ERR_TIMEOUT" ) && !strcmp( sf_err_name( -99 ), "unknown" ) );
}

static void test_hist( void ) {
  static sf_hist_t h, sum;
  CHECK( !sf_hist_quantile( &h, 500000 ) );
  for( uint32_t b = 0; b < SF_HIST_BUCKETS; b++ ) { /* buckets follow one another without a gap */
    uint64_t top = sf_hist_bucket_top( b );
    CHECK( sf_hist_bucket( top ) == b && ( top == UINT64_MAX || sf_hist_bucket( top + 1 ) == b + 1 ) );
  }
  CHECK( sf_hist_bucket( UINT64_MAX ) == SF_HIST_BUCKETS - 1 );
  for( uint64_t v = 1; v <= 1000; v++ ) sf_hist_add( &h, v );
  CHECK( h.count == 1000 && h.sum == 500500 && h.min == 1 && h.max == 1000 );
  uint64_t p50 = sf_hist_quantile( &h, 500000 ), p99 = sf_hist_quantile( &h, 990000 );
  CHECK( p50 >= 500 && p50 <= 532 && p99 >= 990 && p99 <= 1000 );
  CHECK( sf_hist_quantile( &h, 0 ) == 1 && sf_hist_quantile( &h, 1000000 ) == 1000 );
  sf_hist_merge( &sum, &h );
  sf_hist_merge( &sum, &h );
  CHECK( sum.count == 2000 && sum.min == 1 && sum.max == 1000 && sf_hist_quantile( &sum, 500000 ) == p50 );
  sf_hist_reset( &sum );
  CHECK( !sum.count );
}

static void test_rng( void ) {
  sf_rng_t a, b;
  sf_rng_seed( &a, 7 );
  sf_rng_seed( &b, 7 );
  uint64_t seen = 0;
  for( int i = 0; i < 1000; i++ ) {
    CHECK( sf_rng_next( &a ) == sf_rng_next( &b ) );
    uint64_t v = sf_rng_below( &a, 10 );
    sf_rng_below( &b, 10 );
    CHECK( v < 10 );
    seen |= 1UL << v;
  }
  CHECK( seen == 0x3ff && !sf_rng_below( &a, 0 ) );
}

/* the textbook, bit by bit */
static uint32_t crc_slow( uint8_t const * p, uint64_t n ) {
  uint32_t c = 0xffffffff;
  for( uint64_t i = 0; i < n; i++ ) {
    c ^= p[i];
    for( int k = 0; k < 8; k++ ) c = c & 1 ? ( c >> 1 ) ^ 0x82f63b78 : c >> 1;
  }
  return ~c;
}

static void test_crc( void ) {
  CHECK( sf_crc32c( 0, "123456789", 9 ) == 0xe3069283 && !sf_crc32c( 0, "", 0 ) );
  static uint8_t bytes[10000]; /* short ones, and long ones in three runs */
  sf_rng_t r;
  sf_rng_seed( &r, 1 );
  for( uint64_t i = 0; i < sizeof( bytes ); i++ ) bytes[i] = (uint8_t)sf_rng_next( &r );
  for( uint64_t n = 0; n < sizeof( bytes ); n += n < 300 ? 1 : 1 + sf_rng_below( &r, 200 ) ) {
    CHECK( sf_crc32c( 0, bytes, n ) == crc_slow( bytes, n ) );
    CHECK( sf_crc32c( sf_crc32c( 0, bytes, n / 3 ), bytes + n / 3, n - n / 3 ) == crc_slow( bytes, n ) );
  }
}

static void * clock_thread( void * stop ) {
  uint64_t last = 0;
  while( !sf_load_relaxed( (uint32_t *)stop ) ) {
    uint64_t now = sf_clock_ns();
    CHECK( now >= last );
    last = now;
  }
  return 0;
}

static void test_clock( void ) {
  uint64_t before = sf_clock_ns();
  int tsc         = sf_clock_init();
  CHECK( sf_clock_init() == tsc && sf_clock_ns() >= before );
  uint32_t stop = 0;
  pthread_t thread;
  CHECK( !pthread_create( &thread, 0, clock_thread, &stop ) );
  int64_t worst = 0;
  for( int i = 0; i < 30; i++ ) {
    usleep( 10000 );
    sf_clock_sync();
    int64_t best = INT64_MAX; /* of some tries: the thread may be taken off its core between two reads */
    for( int k = 0; k < 20; k++ ) {
      int64_t d = (int64_t)( sf_clock_ns() - sf_clock_posix_ns( CLOCK_MONOTONIC ) );
      if( d < 0 ) d = -d;
      if( d < best ) best = d;
    }
    if( best > worst ) worst = best;
  }
  sf_store_relaxed( &stop, 1U );
  pthread_join( thread, 0 );
  CHECK( worst < 100000 ); /* 100 us: the other core may be busy; unloaded it is below 1 us */
  CHECK( sf_clock_real_ns() > 1600000000UL * 1000000000UL );
}

static void test_cpu( void ) {
  uint32_t core[SF_CPU_MAX], cnt = sf_cpu_available( core );
  CHECK( cnt >= 1 && sf_cpu_node_count() >= 1 && sf_cpu_node( core[0] ) < sf_cpu_node_count() );
  for( uint32_t i = 1; i < cnt; i++ ) CHECK( core[i] > core[i - 1] );
  CHECK( sf_cpu_pin( SF_CPU_MAX ) == SF_ERR_ARG );
  CHECK( !sf_cpu_avoid( core, cnt ) && sf_cpu_available( core ) == cnt ); /* none would be left */
  if( cnt > 1 ) {
    CHECK( !sf_cpu_avoid( core, 1 ) );
    uint32_t left[SF_CPU_MAX];
    CHECK( sf_cpu_available( left ) == cnt - 1 && left[0] == core[1] );
  }
  CHECK( !sf_cpu_pin( core[cnt - 1] ) && sf_cpu_available( core ) == 1 );
  sf_cpu_name_thread( "a-name-longer-than-fifteen" );
}

static void test_memory( void ) {
  char path[128];
  snprintf( path, sizeof( path ), "/dev/shm/sf-t%d-memory", (int)getpid() );
  sf_memory_t m, r;
  CHECK( sf_memory_map( &r, path, 0 ) == SF_ERR_NOTFOUND );
  CHECK( sf_memory_create( &m, path, 1UL << 50, 0, 0 ) == SF_ERR_LIMIT );
  CHECK( sf_memory_create( &m, path, 1UL << 44, 0, 0 ) == SF_ERR_LIMIT );
  CHECK_SAYS( "/dev/shm has" );
  CHECK_SAYS( "remount,size" );
  CHECK( access( path, F_OK ) );
  CHECK( !sf_memory_create( &m, path, 3UL << 20, 0, SF_MEMORY_LOCK | SF_MEMORY_HUGE ) );
  CHECK( m.bytes == 3UL << 20 && ( (uint8_t *)m.base )[m.bytes - 1] == 0 );
  CHECK( sf_memory_create( &r, path, 4096, 0, 0 ) == SF_ERR_SYS );
  CHECK( !sf_memory_map( &r, path, 0 ) && r.bytes == m.bytes );
  ( (uint8_t *)m.base )[5] = 7;
  CHECK( ( (uint8_t *)r.base )[5] == 7 );
  unsigned char there[3UL * 256];
  CHECK( !mincore( r.base, r.bytes, there ) );
  for( uint64_t i = 0; i < r.bytes / 4096; i++ ) CHECK( there[i] & 1 );
  sf_memory_unmap( &r );
  sf_memory_unmap( &m );
  CHECK( !truncate( path, 0 ) && sf_memory_map( &r, path, 0 ) == SF_ERR_ABI );
  unlink( path );
}

static void test_copies( void ) {
  uint64_t shared[9] = { 0 };
  uint8_t from[64], to[64];
  for( int i = 0; i < 64; i++ ) from[i] = (uint8_t)( i + 1 );
  for( uint64_t n = 0; n <= 56; n++ ) {
    memset( shared, 0xff, sizeof( shared ) );
    sf_bytes_copy_in( shared, from + 1, n );
    sf_words_copy_out( to, shared, 8 );
    CHECK( !memcmp( to, from + 1, n ) );
    for( uint64_t k = n; k < ( ( n + 7 ) & ~7UL ); k++ ) CHECK( !to[k] );
    CHECK( to[( n + 7 ) & ~7UL] == 0xff );
  }
  uint64_t w = 5;
  CHECK( sf_fetch_max( &w, 3UL ) == 5 && w == 5 && sf_fetch_max( &w, 9UL ) == 5 && w == 9 );
  CHECK( !sf_cas( &w, 1, 2 ) && sf_cas( &w, 9, 2 ) && w == 2 );
}

int main( void ) {
  test_err();
  test_hist();
  test_rng();
  test_crc();
  test_clock();
  test_memory();
  test_copies();
  test_cpu();
  printf( "base: errors, clock, histograms, rng, crc32c, cores, memory, copies\n" );
  return 0;
}
