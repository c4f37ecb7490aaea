/* bench table: reading rows of tables, with and without the writer at work.

     build/release/bench/c/table [SECONDS]      JSON lines on stdout

   The reader is pinned to the first core it may use, the writer to the last.  ROWS pools, as many positions; rows are
   read in random order.

   pool       sf_pool_row_read, as risk reads a pool: lock, head, and what of the state a quote reads
   pool all   the whole row of 4,096 bytes
   position   a row of 128 bytes
   quiet      nobody writes, and the rows are in this core's caches as far as they fit
   busy       the writer writes RATE rows a second, open loop, of all rows; `one` as busy, all into the one row that is read
   copy       memcpy of the same bytes out of the same memory: what a read without a lock would cost

   A read's time is the mean of BATCH reads.  `met` counts the reads that found the row being written or changed under
   them: these were tried again, and what they took is measured one by one. */

#include "base/rng.h"
#include "dex/venue.h"
#include "rig.h"
#include "shm/instance.h"
#include "shm/pool_row.h"
#include <stddef.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS        1024
#define RATE        50e3
#define STATE_BYTES 448 /* of a pool */
#define READS       400000
#define BATCH       16 /* reads timed together: the clock may step by 10 ns */

enum { POOL, POOL_ALL, POSITION, KINDS };
enum { QUIET, BUSY, ONE, MODES };
static char const * const kind_name[KINDS] = { "pool", "pool all", "position" };
static char const * const mode_name[MODES] = { "quiet", "busy", "one" };

/* what the two processes tell one another */
static struct board {
  uint64_t order; /* written by the reader: (kind * MODES + mode) + 1 while the writer is to write */
  uint8_t _pad0[SF_ALIGN - 8];
  uint64_t done;    /* written by the writer: the order it has seen */
  uint64_t written; /* rows written since then */
  uint8_t _pad1[SF_ALIGN - 16];
} * board;

static bench_hist_t hist;
static sf_rng_t rng;
static sf_pool_row_t out;
static sf_pool_row_t pool_row;
static sf_position_row_t position_row;

static void create( char const * dir ) {
  sf_topology_t * t = sf_topology_alloc();
  int rc            = sf_topology_group_add( t, "g", SF_WAIT_YIELD, SF_CORE_NONE, 0 );
  if( rc >= 0 ) rc = sf_topology_tile_add( t, "writer", "bench", 0, 0, 1 );
  if( rc >= 0 ) rc = sf_topology_tile_add( t, "reader", "bench", 0, 0, 1 );
  if( rc >= 0 ) rc = sf_topology_table_add( t, "pools", 0, sizeof( sf_pool_row_t ), ROWS );
  if( rc >= 0 ) rc = sf_topology_table_add( t, "positions", 0, sizeof( sf_position_row_t ), ROWS );
  if( rc < 0 || sf_topology_validate( t ) || sf_topology_layout( t ) || sf_instance_create( dir, t ) ) bench_die();
  sf_topology_free( t );
}

/* A write as book writes a pool, in place up to the end of the state, or as risk writes a position. */
static void write_row( sf_table_t * table, int kind, uint32_t row ) {
  if( kind == POSITION ) {
    position_row.fills++;
    sf_table_write( table, row, &position_row );
    return;
  }
  sf_pool_row_t * to = sf_row_begin( table, row );
  pool_row.update.slot++;
  to->market_seq++;
  memcpy( &to->update, &pool_row.update, sizeof( to->update ) + STATE_BYTES );
  sf_row_end( table, row, to );
}

static void writer( sf_table_t * const table[KINDS] ) {
  sf_rng_t own;
  sf_rng_seed( &own, 3 );
  for( uint64_t order;; ) {
    while( !( order = sf_load_acquire( &board->order ) ) ) sf_pause();
    if( order == UINT64_MAX ) _exit( 0 );
    int kind = (int)( order - 1 ) / MODES, mode = (int)( order - 1 ) % MODES;
    bench_schedule_t s = bench_schedule( RATE, 60, 0 );
    uint64_t intended;
    sf_store_relaxed( &board->written, 0UL );
    sf_store_release( &board->done, order );
    while( sf_load_relaxed( &board->order ) == order ) {
      if( !bench_schedule_due( &s, &intended ) ) {
        sf_pause();
        continue;
      }
      write_row( table[kind], kind, mode == ONE ? 0 : (uint32_t)sf_rng_below( &own, ROWS ) );
      sf_store_relaxed( &board->written, s.next );
    }
    sf_store_release( &board->done, 0UL );
  }
}

static uint32_t random_row( int mode ) { return mode == ONE ? 0 : (uint32_t)sf_rng_below( &rng, ROWS ); }

/* Reads a row; 1 if the writer was met. */
static int read_row( sf_table_t const * table, int kind, uint32_t row ) {
  uint64_t before = sf_load_acquire( (uint64_t const *)sf_table_row( table, row ) );
  int rc;
  do rc = kind == POOL ? sf_pool_row_read( table, row, sf_pool_quote_bytes, &out ) : sf_table_read( table, row, &out );
  while( rc == SF_ERR_OVERRUN ); /* the writer was taken off its core in the row */
  if( rc ) exit( 1 );
  return out.lock != before;
}

/* BATCH reads; the time of one of them in ps. */
static uint64_t batch( sf_table_t const * table, int kind, int mode, uint64_t * met ) {
  uint32_t row[BATCH];
  for( int i = 0; i < BATCH; i++ ) row[i] = random_row( mode );
  uint64_t begin = bench_ticks();
  for( int i = 0; i < BATCH; i++ ) *met += (uint64_t)read_row( table, kind, row[i] );
  return (uint64_t)( 1000 * bench_ns( bench_ticks() - begin ) / BATCH );
}

static void report( char const * what, int kind, int mode, uint64_t reads, uint64_t met, double writes ) {
  printf( "{\"what\":\"%s\",\"case\":\"%s %s\",\"reads\":%lu,\"met\":%lu,\"writes_per_second\":%.0f,", what,
          kind_name[kind], mode_name[mode], reads, met, writes );
  bench_hist_fields( &hist, "ps" );
  printf( "}\n" );
}

static void read_case( sf_table_t const * table, int kind, int mode, double seconds ) {
  uint64_t met = 0, reads = 0, order = (uint64_t)( kind * MODES + mode ) + 1;
  bench_hist_clear( &hist );
  if( mode != QUIET ) {
    sf_store_release( &board->order, order );
    while( sf_load_acquire( &board->done ) != order ) sf_pause();
  }
  for( uint32_t i = 0; i < ROWS; i++ ) read_row( table, kind, i );
  uint64_t begin = bench_ticks(), span = (uint64_t)( seconds * 1e9 / bench_clock.ns_per_tick );
  while( mode == QUIET ? reads < READS : bench_ticks() < begin + span ) {
    bench_hist_add( &hist, batch( table, kind, mode, &met ) );
    reads += BATCH;
  }
  double took = bench_ns( bench_ticks() - begin ) / 1e9;
  report( "read", kind, mode, reads, met, mode == QUIET ? 0 : (double)sf_load_relaxed( &board->written ) / took );
  if( mode == ONE ) {
    bench_hist_clear( &hist );
    for( begin = bench_ticks(); bench_ticks() < begin + span; ) {
      uint64_t at = bench_ticks();
      if( read_row( table, kind, 0 ) ) bench_hist_add( &hist, (uint64_t)( 1000 * bench_ns( bench_ticks() - at ) ) );
    }
    report( "met", kind, mode, 0, hist.count, 0 );
  }
  if( mode != QUIET ) {
    sf_store_release( &board->order, 0UL );
    while( sf_load_acquire( &board->done ) ) sf_pause();
  }
}

static void copy_case( sf_table_t const * table, int kind ) {
  uint32_t bytes = kind == POSITION ? sizeof( sf_position_row_t )
                   : kind == POOL_ALL
                       ? sizeof( sf_pool_row_t )
                       : (uint32_t)( offsetof( sf_pool_row_t, state ) + sf_pool_quote_bytes( &pool_row.update ) );
  bench_hist_clear( &hist );
  for( uint64_t n = 0; n < READS; n += BATCH ) {
    uint32_t row[BATCH];
    for( int i = 0; i < BATCH; i++ ) row[i] = random_row( QUIET );
    uint64_t begin = bench_ticks();
    for( int i = 0; i < BATCH; i++ ) {
      memcpy( &out, sf_table_row( table, row[i] ), bytes );
      sf_compiler_barrier();
    }
    bench_hist_add( &hist, (uint64_t)( 1000 * bench_ns( bench_ticks() - begin ) / BATCH ) );
  }
  printf( "{\"what\":\"copy\",\"case\":\"%s\",", kind_name[kind] );
  bench_hist_fields( &hist, "ps" );
  printf( "}\n" );
}

int main( int argc, char ** argv ) {
  double seconds = argc > 1 ? atof( argv[1] ) : 1;
  uint32_t core[SF_CPU_MAX], cnt = sf_cpu_available( core );
  if( cnt < 2 ) {
    fprintf( stderr, "bench table: two cores are needed, there is one\n" );
    return 77;
  }
  static sf_instance_t inst;
  sf_workspace_t * ws;
  char dir[64];
  snprintf( dir, sizeof( dir ), "/dev/shm/sf-t%d-bench", (int)getpid() );
  board = mmap( 0, sizeof( *board ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
  if( board == MAP_FAILED ) return 1;
  bench_clock_open();
  sf_rng_seed( &rng, 2 );
  create( dir );
  pid_t pid = fork();
  if( !pid ) prctl( PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0, 0, 0 );
  if( sf_cpu_pin( pid ? core[0] : core[cnt - 1] ) || sf_instance_open( &inst, dir ) ||
      ( !pid && sf_instance_workspace( &inst, 0, 1, &ws ) ) )
    bench_die();
  sf_table_t *pools = sf_instance_table( &inst, "pools" ), *positions = sf_instance_table( &inst, "positions" );
  if( !pools || !positions ) bench_die();
  sf_table_t * table[KINDS]   = { pools, pools, positions };
  pool_row.update.venue       = SF_VENUE_RAYDIUM_CPMM;
  pool_row.update.state_bytes = STATE_BYTES;
  if( !pid ) {
    for( uint32_t i = 0; i < ROWS; i++ ) {
      write_row( pools, POOL, i );
      write_row( positions, POSITION, i );
    }
    sf_store_release( &board->done, UINT64_MAX );
    while( sf_load_acquire( &board->done ) ) sf_pause();
    writer( table );
  }
  while( sf_load_acquire( &board->done ) != UINT64_MAX )
    if( waitpid( pid, 0, WNOHANG ) ) return 1;
  sf_store_release( &board->done, 0UL );
  for( int kind = 0; kind < KINDS; kind++ ) {
    copy_case( table[kind], kind );
    for( int mode = 0; mode < MODES; mode++ ) read_case( table[kind], kind, mode, seconds );
  }
  bench_clock_report();
  sf_store_release( &board->order, UINT64_MAX );
  waitpid( pid, 0, 0 );
  sf_instance_close( &inst );
  return sf_instance_remove( dir ) ? 1 : 0;
}
