#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "base/err.h"
#include "dex/pools.h"

int sf_pools_changed( sf_pools_t * p, uint32_t * pool ) {
  if( !p->queue_cnt ) return 0;
  *pool                 = p->queue[p->queue_head++];
  p->pool[*pool].queued = 0;
  p->queue_cnt--;
  if( p->queue_head == p->max ) p->queue_head = 0;
  return 1;
}

void sf_pools_row( sf_pools_t * p, uint32_t pool, sf_pool_row_t * row ) {
  sf_pool_entry_t * e       = &p->pool[pool];
  sf_pool_slot_t const * at = &p->at[pool];
  row->t_origin             = e->t_origin;
  row->stale                = e->stale;
  row->update               = at->update;
  memcpy( row->state, at->state, at->update.state_bytes );
  if( SF_LIKELY( e->named ) ) return;
  e->named = 1;
  memcpy( row->pool, e->pubkey, 32 );
  memcpy( row->mint_a, e->names.mint[0], 32 );
  memcpy( row->mint_b, e->names.mint[1], 32 );
  memcpy( row->program_a, e->names.program[0], 32 );
  memcpy( row->program_b, e->names.program[1], 32 );
  memcpy( row->vault_a, e->names.vault[0], 32 );
  memcpy( row->vault_b, e->names.vault[1], 32 );
}

/* Memory whose pages come when they are touched. */
static void * area( uint64_t bytes ) {
  void * p = mmap( 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 );
  return p == MAP_FAILED ? 0 : p;
}

int sf_pools_open( sf_pools_t * p, uint32_t pools, uint32_t mints, uint64_t slots_per_epoch ) {
  uint64_t work = 64;
  for( uint32_t i = 0; i < SF_VENUE_END; i++ ) {
    sf_venue_t const * venue = sf_venue_get( i );
    if( venue && venue->work_bytes + 63UL > work ) work = ( venue->work_bytes + 63UL ) & ~63UL;
  }
  memset( p, 0, sizeof( *p ) );
  p->max             = pools;
  p->own_max         = SF_POOLS_OWN_PER_POOL * pools;
  p->next_open       = UINT64_MAX;
  p->slots_per_epoch = slots_per_epoch;
  p->work_bytes      = work * pools;
  p->work            = area( p->work_bytes );
  p->at              = area( (uint64_t)pools * sizeof( *p->at ) );
  p->pool            = calloc( pools, sizeof( *p->pool ) );
  p->own             = calloc( p->own_max, sizeof( *p->own ) );
  p->queue           = calloc( pools, sizeof( *p->queue ) );
  p->waiting         = calloc( pools, sizeof( *p->waiting ) );
  int err            = 0;
  if( !p->work || !p->at || !p->pool || !p->own || !p->queue || !p->waiting )
    err = sf_err_set( SF_ERR_LIMIT, "no memory for %u pools of %lu bytes", pools, work );
  if( !err ) err = sf_mints_open( &p->mints, mints );
  if( !err ) err = sf_shared_open( &p->shared, SF_POOLS_SHARED_MAX );
  if( !err ) err = sf_account_map_open( &p->map, 3UL * pools + mints + SF_POOLS_SHARED_MAX + p->own_max );
  if( err ) sf_pools_close( p );
  return err;
}

void sf_pools_close( sf_pools_t * p ) {
  sf_account_map_close( &p->map );
  sf_shared_close( &p->shared );
  sf_mints_close( &p->mints );
  if( p->work ) munmap( p->work, p->work_bytes );
  if( p->at ) munmap( p->at, (uint64_t)p->max * sizeof( *p->at ) );
  free( p->pool );
  free( p->own );
  free( p->queue );
  free( p->waiting );
  memset( p, 0, sizeof( *p ) );
}
