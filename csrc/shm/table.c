#include "shm/table.h"
#include "sf_abi.h"
#include <stdlib.h>

uint64_t sf_table_bytes( uint32_t row_bytes, uint32_t row_cnt ) {
  if( !row_bytes || row_bytes % SF_LINE || !row_cnt ) return 0;
  return ( sizeof( sf_table_t ) + (uint64_t)row_bytes * row_cnt + SF_ALIGN - 1 ) & ~( SF_ALIGN - 1UL );
}

static void row_lock( sf_table_t * t, uint32_t row ) {
  uint64_t * lock = (uint64_t *)sf_table_row( t, row );
  sf_store_relaxed( lock, sf_load_relaxed( lock ) | 1 );
}

static void row_unlock( sf_table_t * t, uint32_t row ) {
  uint64_t * lock = (uint64_t *)sf_table_row( t, row );
  sf_store_release( lock, ( sf_load_relaxed( lock ) | 1 ) + 1 );
  if( row >= sf_load_relaxed( &t->used ) ) sf_store_release( &t->used, row + 1UL );
}

int sf_table_write( sf_table_t * t, uint32_t row, void const * row_bytes ) {
  if( SF_UNLIKELY( row >= t->row_cnt ) ) return SF_ERR_ARG;
  row_lock( t, row );
  sf_words_copy_in( sf_table_row( t, row ) + 8, (uint8_t const *)row_bytes + 8, t->row_bytes / 8 - 1 );
  row_unlock( t, row );
  return 0;
}

int sf_table_read( sf_table_t const * t, uint32_t row, void * out ) {
  return sf_table_read_head( t, row, out, t->row_bytes );
}

int sf_table_read_head( sf_table_t const * t, uint32_t row, void * out, uint32_t bytes ) {
  return bytes < 8 ? SF_ERR_ARG : sf_table_read_part( t, row, out, 8, bytes - 8 );
}

int sf_table_read_part( sf_table_t const * t, uint32_t row, void * out, uint32_t off, uint32_t bytes ) {
  if( SF_UNLIKELY( row >= t->row_cnt || off < 8 || off > t->row_bytes || bytes > t->row_bytes - off ) )
    return SF_ERR_ARG;
  uint8_t const * p     = sf_table_row( t, row );
  uint64_t const * lock = (uint64_t const *)p;
  for( uint32_t i = 0; i < SF_TABLE_TRIES; i++ ) {
    uint64_t before = sf_load_acquire( lock );
    if( !before ) return SF_ERR_EMPTY;
    if( SF_LIKELY( !( before & 1 ) ) ) {
      sf_table_copy( (uint8_t *)out + off, p + off, bytes );
      if( SF_LIKELY( sf_load_relaxed( lock ) == before ) ) {
        memcpy( out, &before, 8 );
        return 0;
      }
    }
    sf_pause();
  }
  return SF_ERR_OVERRUN;
}

#if SF_TSAN

void * sf_row_begin( sf_table_t * t, uint32_t row ) {
  void * p = malloc( t->row_bytes );
  if( !p ) abort();
  sf_words_copy_out( p, sf_table_row( t, row ), t->row_bytes / 8 );
  return p;
}

void sf_row_end( sf_table_t * t, uint32_t row, void * p ) {
  sf_table_write( t, row, p );
  free( p );
}

#else

void * sf_row_begin( sf_table_t * t, uint32_t row ) {
  row_lock( t, row );
  sf_compiler_barrier();
  return sf_table_row( t, row );
}

void sf_row_end( sf_table_t * t, uint32_t row, void * p ) {
  (void)p;
  row_unlock( t, row );
}

#endif
