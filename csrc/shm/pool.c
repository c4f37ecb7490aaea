#include "shm/pool.h"
#include "base/atomic.h"
#include "base/err.h"

static uint64_t next_bytes( uint32_t element_cnt ) {
  return ( 4UL * element_cnt + SF_ALIGN - 1 ) & ~( SF_ALIGN - 1UL );
}

static uint32_t * next_of( sf_pool_t * p, uint32_t index ) {
  return (uint32_t *)( (uint8_t *)p + p->next_off ) + index;
}

uint64_t sf_pool_bytes( uint32_t element_bytes, uint32_t element_cnt ) {
  if( !element_bytes || element_bytes % SF_LINE || !element_cnt || element_cnt == SF_POOL_NONE ) return 0;
  uint64_t all = sizeof( sf_pool_t ) + next_bytes( element_cnt ) + (uint64_t)element_bytes * element_cnt;
  return ( all + SF_ALIGN - 1 ) & ~( SF_ALIGN - 1UL );
}

sf_pool_t * sf_pool_create( sf_workspace_t * ws, uint64_t off, char const * name, uint32_t element_bytes,
                            uint32_t element_cnt ) {
  uint64_t bytes = sf_pool_bytes( element_bytes, element_cnt );
  if( !bytes ) {
    sf_err_set( SF_ERR_ARG, "pool %s: %u elements of %u bytes: there must be at least one, of a multiple of 64 bytes",
                name, element_cnt, element_bytes );
    return 0;
  }
  sf_pool_t * p = sf_object_begin( ws, off, SF_KIND_POOL, bytes, name );
  if( !p ) return 0;
  p->element_bytes = element_bytes;
  p->element_cnt   = element_cnt;
  p->next_off      = sizeof( sf_pool_t );
  p->element_off   = sizeof( sf_pool_t ) + next_bytes( element_cnt );
  for( uint32_t i = 0; i < element_cnt; i++ ) *next_of( p, i ) = i + 1 < element_cnt ? i + 1 : SF_POOL_NONE;
  sf_object_commit( p );
  return p;
}

uint32_t sf_pool_take( sf_pool_t * p ) {
  for( ;; ) {
    uint64_t head  = sf_load_acquire( &p->head );
    uint32_t index = (uint32_t)head;
    if( index == SF_POOL_NONE ) return SF_POOL_NONE;
    /* the element may be taken meanwhile and its next be anything: then the tag differs */
    uint64_t next = sf_load_relaxed( next_of( p, index ) );
    if( sf_cas( &p->head, head, ( ( head >> 32 ) + 1 ) << 32 | next ) ) {
      sf_fetch_add( &p->taken, 1UL );
      return index;
    }
    sf_pause();
  }
}

int sf_pool_give( sf_pool_t * p, uint32_t index ) {
  if( index >= p->element_cnt ) return SF_ERR_ARG;
  sf_fetch_add( &p->taken, -1UL );
  for( ;; ) {
    uint64_t head = sf_load_acquire( &p->head );
    sf_store_relaxed( next_of( p, index ), (uint32_t)head );
    if( sf_cas( &p->head, head, ( ( head >> 32 ) + 1 ) << 32 | index ) ) return 0;
    sf_pause();
  }
}

void * sf_pool_element( sf_pool_t * p, uint32_t index ) {
  return (uint8_t *)p + p->element_off + (uint64_t)index * p->element_bytes;
}
