/* hist.h: latency histograms (layout in sf_cnc.h): log-linear, single writer,
   any readers, mergeable by adding.  A bucket is at most 6.25 % wide. */

#ifndef SF_BASE_HIST_H
#define SF_BASE_HIST_H
#include "base/atomic.h"
#include "sf_cnc.h"

/* sf_hist_bucket returns the bucket of value v. */
SF_INLINE uint32_t sf_hist_bucket( uint64_t v ) {
  if( v < SF_HIST_SUB ) return (uint32_t)v;
  uint32_t e = 63U - (uint32_t)__builtin_clzl( v );
  return SF_HIST_SUB * ( e - 3 ) + (uint32_t)( ( v >> ( e - 4 ) ) & ( SF_HIST_SUB - 1 ) );
}

/* sf_hist_add counts value v.  Hot.  Single writer. */
SF_INLINE void sf_hist_add( sf_hist_t * h, uint64_t v ) {
  uint32_t b     = sf_hist_bucket( v );
  uint64_t count = sf_load_relaxed( &h->count );
  sf_store_relaxed( &h->bucket[b], sf_load_relaxed( &h->bucket[b] ) + 1 );
  sf_store_relaxed( &h->sum, sf_load_relaxed( &h->sum ) + v );
  if( !count || v < sf_load_relaxed( &h->min ) ) sf_store_relaxed( &h->min, v );
  if( v > sf_load_relaxed( &h->max ) ) sf_store_relaxed( &h->max, v );
  sf_store_relaxed( &h->count, count + 1 );
}

/* sf_hist_bucket_top returns the largest value that falls into a bucket. */
uint64_t sf_hist_bucket_top( uint32_t bucket );

/* sf_hist_quantile returns the value below or at which ppm millionths of all
   values lie (500000 = median), rounded up to its bucket's top and held within
   min and max; 0 if the histogram is empty.  Any process may call it. */
uint64_t sf_hist_quantile( sf_hist_t const * h, uint64_t ppm );

/* sf_hist_merge adds `from` to the private histogram `to`. */
void sf_hist_merge( sf_hist_t * to, sf_hist_t const * from );

/* sf_hist_reset empties a private histogram. */
void sf_hist_reset( sf_hist_t * h );

#endif
