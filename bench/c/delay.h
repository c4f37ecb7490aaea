/* delay.h: one stage made slower on purpose, so that `bench compare` can be seen to find it.

     SNIPERFORGE_BENCH_DELAY=sign:1500      stage `sign` takes 1,500 ns longer

   The tile that the rig runs is the product's own with a busy wait before the message that begins its stage; nothing of
   this is in the product. */

#ifndef SF_BENCH_DELAY_H
#define SF_BENCH_DELAY_H

#include "rig.h"
#include "sf_message.h"
#include "tile/rig.h"

static struct {
  char const * tile;
  uint16_t kind; /* of the message that begins its stage */
} const bench_stage[] = {
  { "book", SF_MSG_ACCOUNT }, { "arb", SF_MSG_POOL }, { "risk", SF_MSG_INTENT },
  { "build", SF_MSG_ORDER },  { "sign", SF_MSG_TX },
};

static sf_tile_ops_t bench_delayed;
static void ( *bench_undelayed )( sf_tile_t *, uint32_t, sf_message_t const * );
static uint64_t bench_delay_ticks;
static uint16_t bench_delay_kind;

static void bench_delayed_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  if( m->kind == bench_delay_kind )
    for( uint64_t until = bench_ticks() + bench_delay_ticks; bench_ticks() < until; ) {}
  bench_undelayed( t, in, m );
}

/* bench_delay_add gives a rig that is not started yet the slower tile, if the environment asks for one.  After
   bench_clock_open. */
static inline void bench_delay_add( sf_rig_t * rig ) {
  char const * asked = getenv( "SNIPERFORGE_BENCH_DELAY" );
  if( !asked || !*asked ) return;
  char tile[32];
  double ns;
  uint32_t stage = 0, cnt = sizeof( bench_stage ) / sizeof( bench_stage[0] );
  if( sscanf( asked, "%31[a-z]:%lf", tile, &ns ) != 2 || ns <= 0 ) stage = cnt;
  while( stage < cnt && strcmp( bench_stage[stage].tile, tile ) ) stage++;
  if( stage == cnt ) {
    fprintf( stderr, "bench: SNIPERFORGE_BENCH_DELAY=%s names no stage and its nanoseconds; write sign:1500\n", asked );
    exit( 1 );
  }
  bench_delayed     = *sf_tile_find( tile );
  bench_undelayed   = bench_delayed.msg;
  bench_delay_kind  = bench_stage[stage].kind;
  bench_delay_ticks = (uint64_t)( ns / bench_clock.ns_per_tick );
  bench_delayed.msg = bench_delayed_msg;
  sf_rig_ops( rig, &bench_delayed );
}

#endif
