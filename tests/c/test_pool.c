/* Pool: every element to one holder at a time, from many threads. */

#include "check.h"
#include "base/atomic.h"
#include "base/rng.h"
#include "shm/pool.h"
#include <pthread.h>
#include <sched.h>

#define ELEMENTS 64
#define ROUNDS   20000

static sf_workspace_t ws;
static sf_pool_t * pool;

static void * work( void * arg ) {
  uint64_t id = (uint64_t)(uintptr_t)arg;
  sf_rng_t rng;
  uint32_t held[8], cnt = 0;
  sf_rng_seed( &rng, id );
  for( int i = 0; i < ROUNDS; i++ ) {
    if( cnt < 8 && sf_rng_next( &rng ) & 1 ) {
      uint32_t e = sf_pool_take( pool );
      if( e == SF_POOL_NONE ) {
        sched_yield();
        continue;
      }
      uint64_t * word = sf_pool_element( pool, e );
      CHECK( !sf_swap( word, id ) ); /* nobody else holds it */
      held[cnt++] = e;
    } else if( cnt ) {
      uint32_t e = held[--cnt];
      CHECK( sf_swap( (uint64_t *)sf_pool_element( pool, e ), 0UL ) == id );
      CHECK( !sf_pool_give( pool, e ) );
    }
  }
  while( cnt ) {
    uint32_t e = held[--cnt];
    CHECK( sf_swap( (uint64_t *)sf_pool_element( pool, e ), 0UL ) == id && !sf_pool_give( pool, e ) );
  }
  return 0;
}

int main( void ) {
  CHECK( !sf_pool_bytes( 0, 1 ) && !sf_pool_bytes( 100, 1 ) && !sf_pool_bytes( 64, 0 ) &&
         !sf_pool_bytes( 64, SF_POOL_NONE ) );
  char const * path = test_dir( "pool" );
  CHECK( !sf_workspace_create( &ws, "/dev/shm", path + strlen( "/dev/shm/" ), sf_pool_bytes( 128, ELEMENTS ), 0, 0 ) );
  unlink( path );
  CHECK( !sf_pool_create( &ws, 0, "pool", 128, ELEMENTS * 2 ) );
  CHECK_SAYS( "no place" );
  CHECK( !sf_pool_create( &ws, 0, "pool", 100, 1 ) );
  pool = sf_pool_create( &ws, 0, "pool", 128, ELEMENTS );
  CHECK( pool );
  int code;
  CHECK( sf_object_at( &ws, 0, SF_KIND_POOL, 0, "pool", &code ) == pool &&
         !sf_object_at( &ws, 0, SF_KIND_LINK, 0, 0, &code ) && code == SF_ERR_ABI );

  uint64_t seen = 0;
  for( int i = 0; i < ELEMENTS; i++ ) seen |= 1UL << sf_pool_take( pool );
  CHECK( seen == UINT64_MAX && sf_pool_take( pool ) == SF_POOL_NONE && sf_load_relaxed( &pool->taken ) == ELEMENTS );
  for( uint32_t i = 0; i < ELEMENTS; i++ ) CHECK( !sf_pool_give( pool, i ) );
  CHECK( sf_pool_give( pool, ELEMENTS ) == SF_ERR_ARG );

  pthread_t thread[4];
  for( uint64_t i = 0; i < 4; i++ ) CHECK( !pthread_create( thread + i, 0, work, (void *)(uintptr_t)( i + 1 ) ) );
  for( int i = 0; i < 4; i++ ) pthread_join( thread[i], 0 );
  CHECK( !sf_load_relaxed( &pool->taken ) );
  for( int i = 0; i < ELEMENTS; i++ ) CHECK( sf_pool_take( pool ) != SF_POOL_NONE );
  CHECK( sf_pool_take( pool ) == SF_POOL_NONE );
  sf_workspace_close( &ws );
  printf( "pool: units, four threads\n" );
  return 0;
}
