#include "base/probe.h"
#include "base/clock.h"
#include "base/rng.h"
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_BYTES  ( 2UL << 20 )
#define PAGE_BYTES  4096UL
#define LINE_BYTES  64UL
#define LOADS       100000UL
#define ROUNDS      5
#define FAULT_PAGES 4096UL

/* `bytes` of private memory on ordinary or huge pages, and what munmap takes; NULL if there is none. */
static uint8_t * pages_get( uint64_t bytes, int huge, void ** map, uint64_t * map_bytes ) {
  *map_bytes = bytes + HUGE_BYTES;
  *map       = mmap( 0, *map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 );
  if( *map == MAP_FAILED ) return 0;
  uint8_t * at = (uint8_t *)( ( (uint64_t)*map + HUGE_BYTES - 1 ) & ~( HUGE_BYTES - 1 ) );
  madvise( at, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE );
  return at;
}

uint64_t sf_probe_line_ps( uint64_t bytes, int huge ) {
  uint64_t lines = bytes / LINE_BYTES;
  if( lines < 2 ) return 0;
  void * map;
  uint64_t map_bytes;
  uint8_t * memory = pages_get( bytes, huge, &map, &map_bytes );
  if( !memory ) return 0;
  sf_clock_init();
  sf_rng_t rng;
  sf_rng_seed( &rng, 1 );
  /* one cycle through all lines (Sattolo): the first word of each is the number of the next */
  for( uint64_t i = 0; i < lines; i++ ) *(uint64_t *)( memory + i * LINE_BYTES ) = i;
  for( uint64_t i = lines - 1; i; i-- ) {
    uint64_t *a = (uint64_t *)( memory + i * LINE_BYTES ),
             *b = (uint64_t *)( memory + sf_rng_below( &rng, i ) * LINE_BYTES ), was = *a;
    *a = *b;
    *b = was;
  }
  uint64_t best = UINT64_MAX, line = 0;
  for( int round = 0; round < ROUNDS; round++ ) {
    uint64_t begin = sf_clock_ns();
    for( uint64_t i = 0; i < LOADS; i++ ) line = *(uint64_t volatile *)( memory + line * LINE_BYTES );
    uint64_t ps = ( sf_clock_ns() - begin ) * 1000 / LOADS;
    if( ps < best ) best = ps;
  }
  munmap( map, map_bytes );
  return best;
}

uint64_t sf_probe_fault_ps( void ) {
  uint64_t best = UINT64_MAX;
  sf_clock_init();
  for( int round = 0; round < ROUNDS; round++ ) {
    void * map;
    uint64_t map_bytes, took[2];
    uint8_t volatile * memory = pages_get( FAULT_PAGES * PAGE_BYTES, 0, &map, &map_bytes );
    if( !memory ) return 0;
    for( int again = 0; again < 2; again++ ) {
      uint64_t begin = sf_clock_ns();
      for( uint64_t i = 0; i < FAULT_PAGES; i++ ) memory[i * PAGE_BYTES] = 1;
      took[again] = sf_clock_ns() - begin;
    }
    munmap( map, map_bytes );
    uint64_t ps = took[0] > took[1] ? ( took[0] - took[1] ) * 1000 / FAULT_PAGES : 0;
    if( ps < best ) best = ps;
  }
  return best;
}
