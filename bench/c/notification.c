/* bench notification: from the text of an accountNotification in memory to the account's bytes.

     build/release/bench/c/notification TEXT [SAMPLES]      JSON lines on stdout

   A sample is the mean of BATCH, in picoseconds. */

#include "notification.h"
#include "rig.h"

#define BATCH   16
#define WARM_UP 1000 /* samples */

int main( int argc, char ** argv ) {
  static notification_t n;
  static bench_hist_t hist;
  if( argc < 2 ) return 1;
  sf_span_t text   = { argv[1], strlen( argv[1] ) };
  uint64_t samples = argc > 2 ? strtoull( argv[2], 0, 10 ) : 20000;
  bench_pin();
  bench_clock_open();
  for( uint64_t i = 0; i < WARM_UP + samples; i++ ) {
    uint64_t start = bench_ticks();
    for( uint32_t k = 0; k < BATCH; k++ )
      if( notification_take( &n, text ) ) {
        fprintf( stderr, "notification: not one: %s\n", text.p );
        return 1;
      }
    if( i >= WARM_UP ) bench_hist_add( &hist, (uint64_t)( 1e3 * bench_ns( bench_ticks() - start ) / BATCH ) );
  }
  bench_hist_report( "notification", &hist, "ps" );
  bench_clock_report();
  return 0;
}
