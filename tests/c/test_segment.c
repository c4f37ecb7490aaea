/* The journal's format, its reader and its writer: blocks, power cuts at every
   offset, damage, cutting, 10,000 malformed files, full disks. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "base/err.h"
#include "io/file.h"
#include "io/reader.h"
#include "io/segment.h"

#define CHECK( c )                                                        \
  do {                                                                    \
    if( !( c ) ) {                                                        \
      printf( "%s:%d: %s: %s\n", __FILE__, __LINE__, #c, sf_err_text() ); \
      exit( 1 );                                                          \
    }                                                                     \
  } while( 0 )

#define RUN         7U
#define SEGMENT     ( 1UL << 20 )
#define BLOCK       32768U
#define BLOCKS      4U
#define RECORDS_MAX 20000

static uint64_t rng_state = 88172645463325252UL;
static uint64_t rng( void ) {
  rng_state ^= rng_state << 13;
  rng_state ^= rng_state >> 7;
  rng_state ^= rng_state << 17;
  return rng_state;
}

static char dir[64];
static uint32_t offsets[SF_BLOCK_RECORDS];

/* what was written: block n holds records first[n] .. first[n+1]-1 */
static uint64_t first[4096];
static uint64_t block_segment[4096], block_offset[4096], block_used[4096], block_bytes[4096];
static uint64_t block_cnt;

static void path_of( char * out, uint64_t segment ) {
  char name[SF_SEGMENT_NAME];
  sf_segment_name( name, RUN, segment );
  (void)sprintf( out, "%s/%s", dir, name );
}

/* record i is a function of i, so that any prefix can be checked */
static void record_make( uint64_t i, uint8_t * buf, uint16_t * link ) {
  sf_message_t * m = (sf_message_t *)buf;
  uint64_t h       = i * 0x9e3779b97f4a7c15UL;
  m->seq           = i;
  m->kind          = (uint16_t)( 1U + h % 70U );
  m->length        = (uint16_t)( ( h >> 8 ) % 700U );
  m->tag           = (uint32_t)( h >> 32 );
  m->t_origin      = i * 1000U;
  m->t_pub         = i * 1000U + 7U;
  for( uint32_t k = 0U; k < m->length; k++ ) buf[sizeof *m + k] = (uint8_t)( i + k * 31U );
  *link = (uint16_t)( h % 5U );
}

static void dir_empty( void ) {
  DIR * d = opendir( dir );
  for( struct dirent * e; d && ( e = readdir( d ) ); )
    if( e->d_name[0] != '.' ) (void)unlinkat( dirfd( d ), e->d_name, 0 );
  if( d ) closedir( d );
}

static void journal_write( uint64_t records, int engine ) {
  sf_file_config_t config = {
    .dir = dir, .run = RUN, .segment_bytes = SEGMENT, .block_bytes = BLOCK, .block_cnt = BLOCKS, .engine = engine
  };
  sf_file_t * f;
  char const * why;
  CHECK( sf_file_open( &f, &config ) == 0 );
  CHECK( sf_file_engine( f, &why ) == engine || why[0] );
  sf_file_t * second;
  CHECK( sf_file_open( &second, &config ) == SF_ERR_STATE ); /* the lock */
  sf_block_t b = { 0 };
  uint64_t i   = 0U;
  block_cnt    = 0U;
  static uint64_t buf64[256];
  uint8_t * buf = (uint8_t *)buf64;
  while( i < records ) {
    uint8_t * buffer;
    int is_first;
    int err;
    while( ( err = sf_file_take( f, &buffer, &is_first ) ) == SF_ERR_EMPTY ) CHECK( sf_file_reap( f, 1 ) >= 0 );
    CHECK( !err );
    sf_block_begin( &b, buffer, BLOCK );
    if( is_first ) CHECK( sf_block_add_text( &b, "0 raw\n1 market\n4 fill\n", 22U ) == 0 );
    first[block_cnt] = i;
    uint64_t want    = 1U + rng() % 120U;
    for( uint64_t k = 0U; k < want && i < records; k++, i++ ) {
      uint16_t link;
      record_make( i, buf, &link );
      if( sf_block_add( &b, link, (sf_message_t *)buf ) ) break;
    }
    uint32_t bytes = sf_block_close( &b, RUN, sf_file_number( f ), i );
    CHECK( sf_file_number( f ) == block_cnt );
    block_segment[block_cnt] = sf_file_segment( f );
    block_used[block_cnt]    = b.used_bytes;
    block_bytes[block_cnt]   = bytes;
    block_offset[block_cnt]  = is_first ? 0U : block_offset[block_cnt - 1U] + block_bytes[block_cnt - 1U];
    block_cnt++;
    CHECK( sf_file_write( f, bytes, rng() % 4U == 0U ) == 0 );
    CHECK( sf_file_reap( f, 0 ) >= 0 );
  }
  first[block_cnt] = i;
  CHECK( sf_file_close( f ) == 0 );
}

/* Reads on from `from` (or the start) and checks every record; returns how many
   blocks there are in all and the code at the end. */
static uint64_t journal_read( sf_place_t const * from, int * end, sf_reader_t ** keep ) {
  sf_reader_t * r;
  CHECK( sf_reader_open( &r, dir, RUN, from ) == 0 );
  uint64_t next = from ? first[from->number] : 0U;
  static uint64_t buf64[256];
  uint8_t * buf = (uint8_t *)buf64;
  int n;
  while( ( n = sf_reader_next( r, NULL, offsets ) ) > 0 ) {
    uint8_t const * base = (uint8_t const *)sf_reader_block( r );
    for( int k = 0; k < n; k++, next++ ) {
      sf_journal_record_t const * rec = (sf_journal_record_t const *)( base + offsets[k] );
      uint16_t link;
      record_make( next, buf, &link );
      sf_message_t const * m = (sf_message_t const *)buf;
      CHECK( rec->link == link && rec->bytes == 40U + m->length && !memcmp( &rec->message, m, sizeof *m ) &&
             !memcmp( rec + 1, m + 1, m->length ) );
    }
  }
  CHECK( !strcmp( sf_reader_link( r, 4U ), "fill" ) && !strcmp( sf_reader_link( r, 2U ), "" ) );
  *end = n;
  sf_place_t place;
  sf_reader_place( r, &place );
  CHECK( next == first[place.number] );
  if( keep ) *keep = r;
  else sf_reader_close( r );
  return place.number;
}

static void test_format( void ) {
  char name[SF_SEGMENT_NAME];
  sf_segment_name( name, 7U, 12U );
  CHECK( !strcmp( name, "00000007-00000012.sfj" ) );

  static uint64_t space[8192 / 8], message[8];
  sf_block_t b;
  sf_block_begin( &b, space, 4096U );
  sf_message_t * m = (sf_message_t *)message;
  m->length        = 9U;
  m->t_pub         = 5U;
  int n            = 0;
  while( !sf_block_add( &b, 1U, m ) ) n++;
  CHECK( n == ( 4096 - 64 ) / 56 );
  m->length = 0U; /* an empty payload leaves the header alone */
  CHECK( sf_block_add( &b, 1U, m ) == SF_ERR_FULL || b.used_bytes <= 4096U );
  CHECK( sf_block_close( &b, 1U, 2U, 3U ) == 4096U );
  CHECK( sf_block_probe( space, 1U, 2U ) == 4096 && sf_block_check( space ) == 0 );
  CHECK( sf_block_probe( space, 1U, 3U ) == SF_ERR_DATA && strstr( sf_err_text(), "number is 2 where 3" ) );
  CHECK( sf_block_probe( space, 2U, 2U ) == SF_ERR_DATA && strstr( sf_err_text(), "run 1" ) );
  sf_journal_block_t * h = (sf_journal_block_t *)space;
  h->abi_hash ^= 1U;
  CHECK( sf_block_probe( space, 1U, 2U ) == SF_ERR_ABI );
  h->abi_hash ^= 1U;
  for( uint32_t bit = 0U; bit < b.used_bytes * 8U; bit += 13U ) { /* every flip is seen */
    ( (uint8_t *)space )[bit / 8U] ^= (uint8_t)( 1U << ( bit % 8U ) );
    CHECK( sf_block_probe( space, 1U, 2U ) != 4096 || sf_block_check( space ) != 0 );
    ( (uint8_t *)space )[bit / 8U] ^= (uint8_t)( 1U << ( bit % 8U ) );
  }
}

static void test_clean( int engine ) {
  dir_empty();
  journal_write( 6000U, engine );
  CHECK( block_segment[block_cnt - 1U] >= 2U );
  int end;
  sf_reader_t * r;
  CHECK( journal_read( NULL, &end, &r ) == block_cnt && end == 0 );
  sf_tail_t tail;
  CHECK( sf_reader_tail( r, &tail ) == 0 && !tail.residue_bytes && !tail.reason[0] && !tail.damaged && !tail.segments );
  CHECK( sf_reader_cut( r, &tail ) == 0 ); /* nothing to cut */
  sf_reader_close( r );
  CHECK( journal_read( NULL, &end, NULL ) == block_cnt && end == 0 );

  /* from any place on; the link names come along */
  for( uint64_t n = 0U; n < block_cnt; n += 3U ) {
    sf_place_t place = { RUN, block_segment[n], block_offset[n], n };
    CHECK( journal_read( &place, &end, NULL ) == block_cnt && end == 0 );
  }
  sf_place_t bad = { RUN, 0U, 4096U * 200U + 64U, 3U };
  CHECK( sf_reader_open( &r, dir, RUN, &bad ) == SF_ERR_DATA );
  CHECK( sf_reader_open( &r, dir, RUN + 1U, NULL ) == SF_ERR_NOTFOUND );

  /* a filter sees the records it names, in order */
  sf_filter_t filter = { .kinds = { ( 1UL << 3 ) | ( 1UL << 41 ), 1UL << ( 66 - 64 ) }, .links = 0x13U };
  uint64_t want = 0U, got = 0U;
  static uint64_t buf64[256];
  for( uint64_t i = 0U; i < 6000U; i++ ) {
    uint16_t link;
    record_make( i, (uint8_t *)buf64, &link );
    uint16_t kind = ( (sf_message_t *)buf64 )->kind;
    want += ( kind == 3U || kind == 41U || kind == 66U ) && ( link == 0U || link == 1U || link == 4U );
  }
  CHECK( sf_reader_open( &r, dir, RUN, NULL ) == 0 );
  int n;
  while( ( n = sf_reader_next( r, &filter, offsets ) ) > 0 ) got += (uint64_t)n;
  CHECK( n == 0 && got == want && want > 10U );
  sf_reader_close( r );
}

/* -- power cuts ------------------------------------------------------------ */

static uint8_t * image;                   /* of the last segment as it was written, zeros behind */
static uint64_t last_segment, last_first; /* its number, its first block */

static void image_load( void ) {
  char path[128];
  last_segment = block_segment[block_cnt - 1U];
  for( last_first = block_cnt - 1U; last_first && block_segment[last_first - 1U] == last_segment; last_first-- ) {}
  image = calloc( 1U, SEGMENT );
  path_of( path, last_segment );
  int fd = open( path, O_RDONLY );
  CHECK( fd >= 0 && read( fd, image, SEGMENT ) > 0 );
  close( fd );
}

static void image_store( uint8_t const * bytes, uint64_t size ) {
  char path[128];
  path_of( path, last_segment );
  int fd = open( path, O_WRONLY | O_CREAT | O_TRUNC, 0600 );
  CHECK( fd >= 0 && write( fd, bytes, size ) == (ssize_t)size );
  close( fd );
}

static void test_truncation( void ) {
  sf_place_t from = { RUN, last_segment, 0U, last_first };
  uint64_t end_of = block_offset[block_cnt - 1U] + block_bytes[block_cnt - 1U];
  image_store( image, end_of );
  /* every byte of the last page, then every sector with places within some */
  for( uint64_t size = end_of;;
       size -= end_of - size < 4096U ? 1U : ( size % 512U ? 1U + rng() % 511U % size : ( rng() % 4U ? 512U : 1U ) ) ) {
    char path[128];
    path_of( path, last_segment );
    CHECK( truncate( path, (int64_t)size ) == 0 );
    uint64_t want = last_first;
    while( want < block_cnt && block_offset[want] + block_bytes[want] <= size ) want++;
    int end;
    if( want > last_first ) CHECK( journal_read( &from, &end, NULL ) == want && ( end == 0 || end == SF_ERR_DATA ) );
    else CHECK( journal_read( NULL, &end, NULL ) == want );
    if( size < 512U ) break;
  }
}

static void test_torn( void ) {
  sf_place_t from = { RUN, last_segment, 0U, last_first };
  uint8_t * torn  = malloc( SEGMENT );
  uint64_t cuts = 0U, tails = 0U;
  for( uint64_t n = last_first + 1U; n < block_cnt; n++ )
    for( int trial = 0; trial < 24; trial++ ) {
      uint64_t sector = trial % 2 ? 512U : 4096U;
      uint64_t stop   = n + 1U + rng() % BLOCKS; /* blocks n .. stop-1 were on their way */
      if( stop > block_cnt ) stop = block_cnt;
      uint64_t begin = block_offset[n], finish = block_offset[stop - 1U] + block_bytes[stop - 1U];
      memset( torn, 0, SEGMENT );
      memcpy( torn, image, begin );
      uint64_t keep = 1U + rng() % 7U; /* keep of 8 sectors arrived */
      for( uint64_t off = begin; off < finish; off += sector )
        if( rng() % 8U < keep ) memcpy( torn + off, image + off, sector );
      if( trial % 5 == 0 )
        for( int k = 0; k < 3; k++ ) { /* and some hold what they never held */
          uint64_t off = begin + rng() % ( ( finish - begin ) / sector ) * sector;
          for( uint64_t i = 0U; i < sector; i++ ) torn[off + i] = (uint8_t)rng();
        }
      uint64_t want = n;
      while( want < stop && !memcmp( torn + block_offset[want], image + block_offset[want], block_used[want] ) ) want++;
      image_store( torn, SEGMENT );
      int end;
      sf_reader_t * r;
      CHECK( journal_read( &from, &end, &r ) == want );
      sf_tail_t tail;
      CHECK( sf_reader_tail( r, &tail ) == 0 && !tail.damaged && tail.place.number == want );
      CHECK( ( tail.residue_bytes != 0U ) == ( tail.reason[0] != 0 ) && ( end == 0 || tail.reason[0] ) );
      tails += tail.residue_bytes != 0U;
      if( trial % 6 == 0 ) {
        CHECK( sf_reader_cut( r, &tail ) == 0 );
        sf_reader_close( r );
        CHECK( journal_read( &from, &end, &r ) == want && end == 0 );
        CHECK( sf_reader_cut( r, &tail ) == 0 && !tail.residue_bytes );
        cuts++;
      }
      sf_reader_close( r );
    }
  CHECK( cuts > 20U && tails > 100U );
  free( torn );
  image_store( image, SEGMENT );
}

/* What stood on the disk for long and is broken now is damage: never cut. */
static void test_damage( void ) {
  char path[128];
  path_of( path, 0U );
  int fd = open( path, O_RDWR );
  uint8_t byte;
  CHECK( fd >= 0 && pread( fd, &byte, 1U, (int64_t)block_offset[5] + 300 ) == 1 );
  byte ^= 4U;
  CHECK( pwrite( fd, &byte, 1U, (int64_t)block_offset[5] + 300 ) == 1 );
  int end;
  sf_reader_t * r;
  sf_tail_t tail;
  CHECK( journal_read( NULL, &end, &r ) == 5U && end == SF_ERR_DATA );
  CHECK( strstr( sf_err_text(), "00000007-00000000.sfj, offset" ) && strstr( sf_err_text(), "checksum" ) );
  CHECK( sf_reader_tail( r, &tail ) == 0 && tail.damaged && tail.whole_blocks == block_cnt - 6U &&
         tail.last_number == block_cnt - 1U );
  CHECK( sf_reader_cut( r, &tail ) == SF_ERR_STATE && strstr( sf_err_text(), "no torn tail" ) );
  sf_reader_close( r );
  byte ^= 4U;
  CHECK( pwrite( fd, &byte, 1U, (int64_t)block_offset[5] + 300 ) == 1 );
  close( fd );
  CHECK( journal_read( NULL, &end, NULL ) == block_cnt && end == 0 );

  path_of( path, 1U ); /* a whole segment is missing */
  char away[160];
  (void)sprintf( away, "%s.away", path );
  CHECK( rename( path, away ) == 0 );
  CHECK( journal_read( NULL, &end, NULL ) < block_cnt );
  CHECK( rename( away, path ) == 0 );
}

/* -- malformed files ------------------------------------------------------- */

static void test_malformed( void ) {
  dir_empty();
  uint8_t * file = malloc( 65536U );
  static uint64_t message[64];
  sf_message_t * m = (sf_message_t *)message;
  char path[128];
  path_of( path, 0U );
  for( int trial = 0; trial < 10000; trial++ ) {
    memset( file, 0, 65536U );
    uint64_t size = 0U;
    sf_block_t b;
    for( uint64_t n = 0U; n < 3U; n++ ) {
      sf_block_begin( &b, file + size, 8192U );
      if( !n ) CHECK( sf_block_add_text( &b, "0 raw\n", 6U ) == 0 );
      for( int k = 0; k < 10; k++ ) {
        m->length = (uint16_t)( rng() % 400U );
        m->kind   = (uint16_t)rng();
        CHECK( sf_block_add( &b, 0U, m ) == 0 );
      }
      size += sf_block_close( &b, RUN, n, 0U );
      if( trial % 2 ) { /* malformed inside, with a checksum that is right */
        sf_journal_block_t * h = (sf_journal_block_t *)b.bytes;
        uint64_t at            = rng() % 3U ? 64U + rng() % ( b.used_bytes - 64U ) : 40U + rng() % 12U;
        b.bytes[at] ^= (uint8_t)( 1U << ( rng() % 8U ) );
        if( h->used_bytes <= 8192U && h->used_bytes >= 64U ) {
          b.used_bytes   = h->used_bytes;
          uint32_t cnt   = h->record_cnt;
          uint32_t bytes = h->block_bytes;
          (void)sf_block_close( &b, RUN, n, 0U );
          h->block_bytes   = bytes;
          h->record_cnt    = cnt;
          h->crc           = 0U;
          sf_block_t again = b;
          again.record_cnt = cnt;
          (void)sf_block_close( &again, RUN, n, 0U );
        }
      }
    }
    if( trial % 2 == 0 )
      for( uint64_t k = 0U; k < 1U + rng() % 8U; k++ ) { /* bytes from anywhere */
        uint64_t at = rng() % 3U ? rng() % size : rng() % 64U;
        file[at]    = (uint8_t)( rng() % 4U ? rng() : 0xffU );
      }
    if( trial % 7 == 0 ) size = rng() % ( size + 1U );
    int fd = open( path, O_WRONLY | O_CREAT | O_TRUNC, 0600 );
    CHECK( fd >= 0 && write( fd, file, size ) == (ssize_t)size );
    close( fd );
    sf_reader_t * r;
    sf_place_t place = { RUN, 0U, 4096U * ( rng() % 5U ), rng() % 3U };
    int err          = sf_reader_open( &r, dir, RUN, trial % 3 ? NULL : &place );
    CHECK( !err || ( err == SF_ERR_DATA && sf_err_text()[0] ) || err == SF_ERR_ABI );
    if( err ) continue;
    int n, blocks = 0;
    while( ( n = sf_reader_next( r, NULL, offsets ) ) > 0 ) {
      uint8_t const * base = (uint8_t const *)sf_reader_block( r );
      for( int k = 0; k < n; k++ ) { /* every byte of a record can be touched */
        sf_journal_record_t const * rec = (sf_journal_record_t const *)( base + offsets[k] );
        uint64_t sum                    = 0U;
        for( uint32_t i = 0U; i < rec->message.length; i++ ) sum += ( (uint8_t const *)( rec + 1 ) )[i];
        CHECK( sum < ( 1UL << 32 ) );
      }
      CHECK( ++blocks <= 3 );
    }
    CHECK( n == 0 || ( ( n == SF_ERR_DATA || n == SF_ERR_ABI ) && strstr( sf_err_text(), "offset" ) ) );
    sf_tail_t tail;
    err = sf_reader_tail( r, &tail );
    CHECK( err == 0 || err == SF_ERR_ABI );
    sf_reader_close( r );
  }
  free( file );
}

/* -- errors of the disk ---------------------------------------------------- */

static void test_disk_full( int engine ) { /* a limit on the size of files stands for it */
  dir_empty();
  pid_t pid = fork();
  if( !pid ) {
    struct rlimit limit = { 2U * SEGMENT + SEGMENT / 2U, 2U * SEGMENT + SEGMENT / 2U };
    signal( SIGXFSZ, SIG_IGN );
    CHECK( setrlimit( RLIMIT_FSIZE, &limit ) == 0 );
    sf_file_config_t config = {
      .dir = dir, .run = RUN, .segment_bytes = 4U * SEGMENT, .block_bytes = BLOCK, .block_cnt = BLOCKS, .engine = engine
    };
    sf_file_t * f;
    CHECK( sf_file_open( &f, &config ) == SF_ERR_IO && strstr( sf_err_text(), "cannot be allocated" ) );
    struct stat st;
    char path[128];
    path_of( path, 0U );
    CHECK( stat( path, &st ) && errno == ENOENT ); /* it does not keep the rest of the space */
    _exit( 0 );
  }
  int status;
  CHECK( waitpid( pid, &status, 0 ) == pid && status == 0 );

  sf_file_config_t config = {
    .dir = dir, .run = RUN, .segment_bytes = SEGMENT, .block_bytes = BLOCK, .block_cnt = BLOCKS, .engine = engine
  };
  sf_file_t * f;
  CHECK( sf_file_open( &f, &config ) == 0 );
  CHECK( sf_file_close( f ) == 0 );
  config.block_bytes = 5000U;
  CHECK( sf_file_open( &f, &config ) == SF_ERR_ARG && strstr( sf_err_text(), "multiple of 4096" ) );
  config.block_bytes   = BLOCK;
  config.segment_bytes = SEGMENT + 4096U;
  CHECK( sf_file_open( &f, &config ) == SF_ERR_ARG );
  config.segment_bytes = SEGMENT;
  config.dir           = "/proc/nowhere";
  CHECK( sf_file_open( &f, &config ) == SF_ERR_SYS );
}

int main( void ) {
  (void)sprintf( dir, "%s/sf-test-segment-XXXXXX",
                 getenv( "TMPDIR" ) && strlen( getenv( "TMPDIR" ) ) < 24U ? getenv( "TMPDIR" ) : "/tmp" );
  CHECK( mkdtemp( dir ) );
  test_format();
  test_clean( SF_FILE_PWRITE );
  test_clean( SF_FILE_URING );
  image_load();
  image_store( image, SEGMENT );
  test_torn();
  test_damage();
  test_truncation();
  test_malformed();
  test_disk_full( SF_FILE_PWRITE );
  test_disk_full( SF_FILE_URING );
  dir_empty();
  CHECK( rmdir( dir ) == 0 );
  free( image );
  printf( "segment: blocks, power cuts, damage, malformed files and full disks hold\n" );
  return 0;
}
