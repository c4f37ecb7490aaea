/* fuzz_journal.c: any bytes as the segments of a run.  What the reader returns must
   lie inside its block, the link names must be names, and the end must not move
   when the tail is looked at.  Every other input gets right checksums, so that
   what stands behind them is reached. */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "io/reader.h"
#include "io/segment.h"
#include "sf_topology.h"

#define FILE_MAX 65536U

static char dir[64];
static uint8_t sink;
static uint32_t offsets[SF_BLOCK_RECORDS];
static uint8_t file[FILE_MAX] __attribute__( ( aligned( 8 ) ) );

static void clean( void ) {
  char path[96];
  for( int s = 0; s < 2; s++ ) {
    (void)snprintf( path, sizeof path, "%s/00000001-%08d.sfj", dir, s );
    (void)unlink( path );
  }
  (void)rmdir( dir );
}

static void store( uint64_t segment, uint8_t const * bytes, uint64_t size ) {
  char path[96];
  (void)snprintf( path, sizeof path, "%s/00000001-%08lu.sfj", dir, segment );
  int fd = open( path, O_WRONLY | O_CREAT | O_TRUNC, 0600 );
  if( fd < 0 || write( fd, bytes, size ) != (ssize_t)size ) abort();
  close( fd );
}

/* Headers that pass, block after block, over whatever stands there. */
static void seal( uint64_t size ) {
  uint64_t number = 0U;
  for( uint64_t off = 0U; off + SF_JOURNAL_BLOCK_ALIGN <= size; ) {
    sf_block_t b;
    sf_journal_block_t * h = (sf_journal_block_t *)( file + off );
    uint32_t used          = h->used_bytes % SF_JOURNAL_BLOCK_ALIGN;
    uint32_t count         = h->record_cnt;
    sf_block_begin( &b, file + off, SF_JOURNAL_BLOCK_ALIGN );
    b.used_bytes = used < sizeof *h ? (uint32_t)sizeof *h : used;
    b.record_cnt = count;
    off += sf_block_close( &b, 1U, number++, 0U );
  }
}

int LLVMFuzzerInitialize( int * argc, char *** argv ) {
  (void)argc;
  (void)argv;
  (void)snprintf( dir, sizeof dir, "/tmp/sf-fuzz-journal-XXXXXX" );
  if( !mkdtemp( dir ) ) abort();
  return atexit( clean );
}

int LLVMFuzzerTestOneInput( uint8_t const * data, size_t size ) {
  if( size < 2U || size > FILE_MAX ) return 0;
  uint8_t mode = *data++;
  size--;
  uint64_t padded = ( size + SF_JOURNAL_BLOCK_ALIGN - 1U ) / SF_JOURNAL_BLOCK_ALIGN * SF_JOURNAL_BLOCK_ALIGN;
  memset( file, 0, sizeof file );
  memcpy( file, data, size );
  if( mode & 1U ) seal( padded );
  uint64_t split = ( mode >> 2 ) % 4U * SF_JOURNAL_BLOCK_ALIGN;
  if( split > padded ) split = padded;
  store( 0U, file, padded - split );
  store( 1U, file + padded - split, split );

  sf_reader_t * r;
  sf_place_t from = { 1U, 0U, ( mode >> 4 ) % 4U * SF_JOURNAL_BLOCK_ALIGN, mode >> 6 };
  if( sf_reader_open( &r, dir, 1U, mode & 2U ? &from : NULL ) ) {
    if( !sf_err_text()[0] ) abort();
    return 0;
  }
  int n;
  while( ( n = sf_reader_next( r, NULL, offsets ) ) > 0 ) {
    sf_journal_block_t const * b = sf_reader_block( r );
    for( int i = 0; i < n; i++ ) {
      sf_journal_record_t const * rec = (sf_journal_record_t const *)( (uint8_t const *)b + offsets[i] );
      if( offsets[i] + rec->bytes > b->used_bytes || rec->bytes != sizeof *rec + rec->message.length ) abort();
      for( uint32_t k = 0U; k < rec->message.length; k++ ) sink ^= ( (uint8_t const *)( rec + 1 ) )[k];
      sink ^= (uint8_t)sf_reader_link( r, rec->link )[0];
    }
  }
  if( n < 0 && !strstr( sf_err_text(), "offset" ) ) abort();
  for( uint32_t i = 0U; i < SF_LINK_MAX; i++ )
    if( strlen( sf_reader_link( r, i ) ) >= SF_NAME_MAX ) abort();
  sf_place_t before, after;
  sf_tail_t tail;
  sf_reader_place( r, &before );
  int err = sf_reader_tail( r, &tail );
  sf_reader_place( r, &after );
  if( ( err && err != SF_ERR_ABI ) || memcmp( &before, &after, sizeof before ) ) abort();
  if( !err && mode >= 128U ) {
    err = sf_reader_cut( r, &tail );
    if( err && err != SF_ERR_STATE ) abort();
    if( !err && ( sf_reader_tail( r, &tail ) || tail.residue_bytes ) ) abort();
  }
  sf_reader_close( r );
  return 0;
}
