/* bench quote: what a quote costs, on the states that travel in market messages.

     build/release/bench/c/quote FILE [PASSES]      JSON lines on stdout

   FILE is written by bench/quote.py (all little endian, each part begins at a multiple of 16):

     "SFQUOTE1", u32 pools, u32 0
     per pool:   u32 payload_bytes, u32 groups; the payload of its market message
     per group:  char name[56], u32 asks, u32 copies; asks times { u64 amount, u32 a_to_b, u32 exact_in }

   A group's asks are taken in batches of BATCH, one after the other, a batch never twice in a row; the time of a batch
   is one reading, in picoseconds a quote.  Asks are thousands of random amounts, so that a branch predictor
   that remembers them is not what is measured.  The quote is called as the engine calls it, through the venue's row.
   With `copies` each quote takes the next of so many copies of the state in random order: what it costs when the state
   is not in the first-level cache. */

#include "base/rng.h"
#include "dex/venue.h"
#include "rig.h"

#define BATCH     256
#define WARM_UP   4 /* batches */
#define STATE_MAX ( sizeof( sf_pool_update_t ) + SF_POOL_STATE_MAX )

typedef struct ask {
  uint64_t amount;
  uint32_t a_to_b;
  uint32_t exact_in;
} ask_t;

typedef struct group {
  char name[56];
  uint32_t asks;
  uint32_t copies;
} group_t;

static bench_hist_t hist;
static uint64_t checksum;

static void * part( FILE * file, uint64_t bytes ) {
  uint64_t padded = ( bytes + 15 ) / 16 * 16;
  void * memory   = aligned_alloc( 64, ( padded + 63 ) / 64 * 64 );
  if( !memory || fread( memory, 1, padded, file ) != padded ) {
    fprintf( stderr, "quote: the file ends early\n" );
    exit( 1 );
  }
  return memory;
}

static __attribute__( ( noinline ) ) void batch_hot( sf_venue_t const * v, void const * state, uint64_t now,
                                                     ask_t const * ask ) {
  void ( *const quote[2] )( void const *, int, uint64_t, uint64_t, sf_quote_t * ) = { v->quote_out, v->quote_in };
  sf_quote_t q;
  uint64_t sum = 0;
  for( uint32_t i = 0; i < BATCH; i++ ) {
    quote[ask[i].exact_in]( state, (int)ask[i].a_to_b, ask[i].amount, now, &q );
    sum += q.amount_out + q.amount_in;
  }
  checksum += sum;
}

static __attribute__( ( noinline ) ) void batch_spread( sf_venue_t const * v, uint8_t const * states, uint64_t stride,
                                                        uint32_t const * order, uint64_t now, ask_t const * ask ) {
  void ( *const quote[2] )( void const *, int, uint64_t, uint64_t, sf_quote_t * ) = { v->quote_out, v->quote_in };
  sf_quote_t q;
  uint64_t sum = 0;
  for( uint32_t i = 0; i < BATCH; i++ ) {
    quote[ask[i].exact_in]( states + stride * order[i], (int)ask[i].a_to_b, ask[i].amount, now, &q );
    sum += q.amount_out;
  }
  checksum += sum;
}

static void measure( uint32_t pool, sf_pool_update_t const * update, group_t const * group, ask_t const * asks,
                     uint32_t passes ) {
  sf_venue_t const * v = sf_venue_get( update->venue );
  uint64_t stride      = ( update->state_bytes + 63UL ) / 64 * 64;
  uint32_t batches = group->asks / BATCH, copies = group->copies;
  uint8_t * states = 0;
  uint32_t * order = 0;
  sf_rng_t rng;
  sf_rng_seed( &rng, 7 );
  if( copies ) {
    states = aligned_alloc( 4096, ( stride * copies + 4095 ) / 4096 * 4096 );
    order  = malloc( sizeof( *order ) * group->asks );
    for( uint32_t i = 0; i < copies; i++ ) memcpy( states + stride * i, sf_pool_state( update ), update->state_bytes );
    for( uint32_t i = 0; i < group->asks; i++ ) order[i] = (uint32_t)sf_rng_below( &rng, copies );
  }
  bench_hist_clear( &hist );
  for( uint32_t pass = 0; pass < passes; pass++ )
    for( uint32_t b = 0; b < batches; b++ ) {
      ask_t const * ask = asks + (uint64_t)b * BATCH;
      uint64_t begin    = bench_ticks();
      if( copies ) batch_spread( v, states, stride, order + (uint64_t)b * BATCH, update->unix_s, ask );
      else batch_hot( v, sf_pool_state( update ), update->unix_s, ask );
      uint64_t ticks = bench_ticks() - begin;
      if( pass || b >= WARM_UP ) bench_hist_add( &hist, (uint64_t)( 1000 * bench_ns( ticks ) / BATCH + 0.5 ) );
    }
  free( states );
  free( order );
  printf( "{\"what\":\"quote\",\"pool\":%u,\"case\":\"%s\",", pool, group->name );
  bench_hist_fields( &hist, "ps" );
  printf( "}\n" );
  fflush( stdout );
}

int main( int argc, char ** argv ) {
  FILE * file     = argc > 1 ? fopen( argv[1], "r" ) : 0;
  uint32_t passes = argc > 2 ? (uint32_t)atoi( argv[2] ) : 4;
  if( !file || !passes ) {
    fprintf( stderr, "usage: quote FILE [PASSES]\n" );
    return 2;
  }
  bench_pin();
  bench_clock_open();
  struct {
    char magic[8];
    uint32_t pools, zero;
  } * head = part( file, 16 );
  if( memcmp( head->magic, "SFQUOTE1", 8 ) ) {
    fprintf( stderr, "quote: %s is no file of quotes\n", argv[1] );
    return 2;
  }
  for( uint32_t p = 0; p < head->pools; p++ ) {
    struct {
      uint32_t bytes, groups, zero[2];
    } * pool                  = part( file, 16 );
    sf_pool_update_t * update = part( file, pool->bytes );
    if( pool->bytes > STATE_MAX || !sf_venue_get( update->venue ) ) {
      fprintf( stderr, "quote: pool %u is of no venue\n", p );
      return 2;
    }
    for( uint32_t g = 0; g < pool->groups; g++ ) {
      group_t * group = part( file, sizeof( *group ) );
      ask_t * asks    = part( file, sizeof( *asks ) * group->asks );
      measure( p, update, group, asks, passes );
      free( asks );
      free( group );
    }
    free( update );
    free( pool );
  }
  fclose( file );
  free( head );
  bench_clock_report();
  return checksum == 1; /* so that no quote is left out */
}
