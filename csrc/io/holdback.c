#include "io/holdback.h"
#include "base/err.h"
#include "sf_abi.h"
#include <stddef.h>
#include <sys/mman.h>

int sf_holdback_init( sf_holdback_t * h, uint64_t max ) {
  *h       = ( sf_holdback_t ){ .max = max };
  h->bytes = mmap( NULL, max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 );
  if( h->bytes != MAP_FAILED ) return 0;
  h->bytes = NULL;
  return sf_err_set( SF_ERR_SYS, "no memory to hold updates back: %m" );
}

void sf_holdback_fini( sf_holdback_t * h ) {
  if( h->bytes ) munmap( h->bytes, h->max );
  h->bytes = NULL;
}

sf_held_t * sf_holdback_claim( sf_holdback_t * h, uint64_t data_max ) {
  return h->max - h->to < sizeof( sf_held_t ) + data_max + 8 ? NULL : (sf_held_t *)( h->bytes + h->to );
}

void sf_holdback_commit( sf_holdback_t * h, sf_held_t * e ) {
  e->bytes = (uint32_t)( ( sizeof( *e ) + e->data_len + 7 ) & ~7UL );
  h->to += e->bytes;
}

sf_held_t const * sf_holdback_next( sf_holdback_t * h ) {
  if( h->at == h->to ) return NULL;
  sf_held_t const * e = (sf_held_t const *)( h->bytes + h->at );
  h->at += e->bytes;
  return e;
}

void sf_holdback_mark( sf_holdback_t * h ) { h->mark = h->to; }

int sf_holdback_moving( sf_holdback_t const * h, uint64_t slot ) {
  for( uint64_t at = h->mark; at < h->to; at += ( (sf_held_t const *)( h->bytes + at ) )->bytes ) {
    if( ( (sf_held_t const *)( h->bytes + at ) )->slot == slot ) return 1;
  }
  return 0;
}

void sf_holdback_clear( sf_holdback_t * h ) {
  if( h->to ) madvise( h->bytes, h->max, MADV_DONTNEED );
  h->to = h->at = h->mark = 0;
}
