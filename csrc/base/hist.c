#include "base/hist.h"

uint64_t sf_hist_bucket_top( uint32_t bucket ) {
  if( bucket < SF_HIST_SUB ) return bucket;
  uint32_t e    = bucket / SF_HIST_SUB + 3;
  uint64_t step = 1UL << ( e - 4 );
  return ( 1UL << e ) + step * ( bucket % SF_HIST_SUB ) + ( step - 1 );
}

uint64_t sf_hist_quantile( sf_hist_t const * h, uint64_t ppm ) {
  uint64_t count = 0; /* of the buckets themselves: the writer may be between two stores */
  for( uint32_t i = 0; i < SF_HIST_BUCKETS; i++ ) count += sf_load_relaxed( &h->bucket[i] );
  if( !count ) return 0;
  uint64_t want = (uint64_t)( ( (unsigned __int128)count * ppm + 999999 ) / 1000000 );
  if( !want ) want = 1;
  uint64_t min = sf_load_relaxed( &h->min ), max = sf_load_relaxed( &h->max ), seen = 0;
  for( uint32_t i = 0; i < SF_HIST_BUCKETS; i++ ) {
    seen += sf_load_relaxed( &h->bucket[i] );
    if( seen < want ) continue;
    uint64_t v = sf_hist_bucket_top( i );
    return v > max ? max : v < min ? min : v;
  }
  return max;
}

void sf_hist_merge( sf_hist_t * to, sf_hist_t const * from ) {
  uint64_t count = sf_load_relaxed( &from->count );
  if( !count ) return;
  uint64_t min = sf_load_relaxed( &from->min ), max = sf_load_relaxed( &from->max );
  if( !to->count || min < to->min ) to->min = min;
  if( max > to->max ) to->max = max;
  to->count += count;
  to->sum += sf_load_relaxed( &from->sum );
  for( uint32_t i = 0; i < SF_HIST_BUCKETS; i++ ) to->bucket[i] += sf_load_relaxed( &from->bucket[i] );
}

void sf_hist_reset( sf_hist_t * h ) { memset( h, 0, sizeof( *h ) ); }
