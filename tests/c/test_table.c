/* Tables: bad arguments, never-written and stuck rows, and torn reads under load. */

#include "check.h"
#include "shm/table.h"
#include "sf_rows.h"
#include <pthread.h>
#include <sched.h>

#define ROWS  4
#define WORDS ( sizeof( sf_pool_row_t ) / 8 )

static sf_table_t * table_make( uint32_t row_bytes, uint32_t row_cnt ) {
  uint64_t bytes = sf_table_bytes( row_bytes, row_cnt );
  sf_table_t * t = aligned_alloc( SF_ALIGN, bytes );
  memset( t, 0, bytes );
  t->row_bytes = row_bytes;
  t->row_cnt   = row_cnt;
  t->row_off   = sizeof( sf_table_t );
  return t;
}

static void test_units( void ) {
  CHECK( !sf_table_bytes( 0, 1 ) && !sf_table_bytes( 65, 1 ) && !sf_table_bytes( 64, 0 ) &&
         sf_table_bytes( 64, 1 ) == 384 );
  sf_table_t * t     = table_make( sizeof( sf_token_row_t ), ROWS );
  sf_token_row_t row = { .decimals = 6 }, got;
  CHECK( sf_table_read( t, 0, &got ) == SF_ERR_EMPTY && sf_table_read( t, ROWS, &got ) == SF_ERR_ARG );
  CHECK( sf_table_write( t, ROWS, &row ) == SF_ERR_ARG );
  row.lock = 77; /* ignored */
  CHECK( !sf_table_write( t, 2, &row ) && t->used == 3 );
  CHECK( !sf_table_read( t, 2, &got ) && got.decimals == 6 && got.lock == 2 );
  sf_token_row_t * in_place = sf_row_begin( t, 2 );
  CHECK( in_place->decimals == 6 );
  in_place->decimals = 9;
  sf_row_end( t, 2, in_place );
  CHECK( !sf_table_read( t, 2, &got ) && got.decimals == 9 && got.lock == 4 && t->used == 3 );
  got.decimals = 0;
  CHECK( !sf_table_read_head( t, 2, &got, 64 ) && !got.decimals && got.lock == 4 );
  CHECK( sf_table_read_head( t, 2, &got, 4096 ) == SF_ERR_ARG );
  /* a writer that died in the row holds no reader up for ever */
  sf_store_relaxed( (uint64_t *)sf_table_row( t, 2 ), 5UL );
  CHECK( sf_table_read( t, 2, &got ) == SF_ERR_OVERRUN );
  CHECK( !sf_table_write( t, 2, &row ) && !sf_table_read( t, 2, &got ) && got.lock == 6 );
  free( t );
}

static sf_table_t * shared;
static uint32_t stop;

static void * reader( void * arg ) {
  (void)arg;
  uint64_t row[WORDS], reads = 0, last = 0;
  while( !sf_load_relaxed( &stop ) || !reads ) {
    int rc = sf_table_read( shared, (uint32_t)( reads % ROWS ), row );
    if( rc ) {
      CHECK( rc == SF_ERR_EMPTY || rc == SF_ERR_OVERRUN );
      sched_yield();
      continue;
    }
    CHECK( !( row[0] & 1 ) );
    for( uint64_t i = 2; i < WORDS; i++ ) CHECK( row[i] == row[1] + i );
    if( !( reads % ROWS ) ) {
      CHECK( row[1] >= last );
      last = row[1];
    }
    reads++;
  }
  return 0;
}

static void test_stress( void ) {
  shared = table_make( sizeof( sf_pool_row_t ), ROWS );
  pthread_t thread[2];
  for( int i = 0; i < 2; i++ ) CHECK( !pthread_create( thread + i, 0, reader, 0 ) );
  for( uint64_t n = 1; n < 100000; n++ ) {
    uint64_t row[WORDS];
    for( uint64_t i = 1; i < WORDS; i++ ) row[i] = i == 1 ? n << 16 : ( n << 16 ) + i;
    uint32_t r = (uint32_t)( n % ROWS );
    if( n % 2 ) sf_table_write( shared, r, row );
    else {
      uint64_t * p = sf_row_begin( shared, r );
      for( uint64_t i = 1; i < WORDS; i++ ) p[i] = row[i];
      sf_row_end( shared, r, p );
    }
    if( n % 256 == 0 ) sched_yield();
  }
  sf_store_relaxed( &stop, 1U );
  for( int i = 0; i < 2; i++ ) pthread_join( thread[i], 0 );
  free( shared );
}

int main( void ) {
  test_units();
  test_stress();
  printf( "table: units, torn reads under load\n" );
  return 0;
}
