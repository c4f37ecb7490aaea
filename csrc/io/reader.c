#include "io/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "io/segment.h"
#include "sf_topology.h"

#define WINDOW_BYTES ( 4UL * SF_BLOCK_MAX ) /* read in one go */

struct sf_reader {
  int dir_fd;
  int fd; /* of the place's segment; -1 = not open */
  sf_place_t place;
  uint64_t window_off; /* bytes of the segment held: [window_off,window_off+window_len) */
  uint64_t window_len;
  uint32_t block_off; /* of the current block in the window */
  uint64_t first_ns;  /* when the first and the last block read were closed */
  uint64_t last_ns;
  uint8_t * window; /* a mapping of its own: nothing of it stays behind in a heap */
  char dir[256];
  char link[SF_LINK_MAX][SF_NAME_MAX];
};

/* Prefixes the current sentence with file and offset. */
static int reader_err( sf_place_t const * at, int code ) {
  char name[SF_SEGMENT_NAME];
  char why[SF_READER_TEXT];
  sf_segment_name( name, at->run, at->segment );
  (void)snprintf( why, sizeof why, "%s", sf_err_text() );
  return sf_err_set( code, "journal %s, offset %lu: %s", name, at->offset, why );
}

static int segment_open( sf_reader_t const * r, uint64_t segment, int flags ) {
  char name[SF_SEGMENT_NAME];
  sf_segment_name( name, r->place.run, segment );
  int fd = openat( r->dir_fd, name, flags | O_CLOEXEC );
  if( fd >= 0 ) return fd;
  if( errno == ENOENT ) return sf_err_set( SF_ERR_NOTFOUND, "journal %s/%s: no such file", r->dir, name );
  return sf_err_set( SF_ERR_SYS, "journal %s/%s: %s", r->dir, name, strerror( errno ) );
}

/* Reads up to `bytes`; less only at the end of the file. */
static int64_t read_full( int fd, void * buf, uint64_t bytes, uint64_t off ) {
  uint64_t got = 0U;
  while( got < bytes ) {
    int64_t n = pread( fd, (uint8_t *)buf + got, bytes - got, (int64_t)( off + got ) );
    if( n < 0 && errno == EINTR ) continue;
    if( n < 0 ) return sf_err_set( SF_ERR_SYS, "cannot be read: %s", strerror( errno ) );
    if( n == 0 ) break;
    got += (uint64_t)n;
  }
  return (int64_t)got;
}

/* Makes [off,off+need) of the segment available in the window if the file has it.
   Returns how many bytes are there from `off` on, and where in *at. */
static int64_t reader_fill( sf_reader_t * r, uint64_t off, uint64_t need, uint8_t ** at ) {
  uint64_t end = r->window_off + r->window_len;
  if( off < r->window_off || off + need > end ) {
    uint64_t keep = 0U;
    if( off >= r->window_off && off < end ) {
      keep = end - off;
      memmove( r->window, r->window + ( off - r->window_off ), keep );
    }
    r->window_off = off;
    r->window_len = keep;
    int64_t n     = read_full( r->fd, r->window + keep, WINDOW_BYTES - keep, off + keep );
    if( n < 0 ) return n;
    r->window_len += (uint64_t)n;
  }
  *at = r->window + ( off - r->window_off );
  return (int64_t)( r->window_off + r->window_len - off );
}

/* Also gives the window's memory back: a reader that follows a running journal holds none while it waits. */
static void reader_forget( sf_reader_t * r ) {
  r->window_len = 0U;
  (void)madvise( r->window, WINDOW_BYTES, MADV_DONTNEED );
}

static int links_parse( sf_reader_t * r, char const * text, uint32_t length ) {
  memset( r->link, 0, sizeof r->link );
  uint32_t i = 0U;
  while( i < length ) {
    uint32_t index  = 0U;
    uint32_t digits = 0U;
    for( ; i < length && digits < 3U && text[i] >= '0' && text[i] <= '9'; i++, digits++ )
      index = index * 10U + (uint32_t)( text[i] - '0' );
    if( !digits || index >= SF_LINK_MAX || i >= length || text[i++] != ' ' ) break;
    uint32_t n = 0U;
    while( i < length && n < SF_NAME_MAX - 1U && text[i] > ' ' && text[i] < 127 ) r->link[index][n++] = text[i++];
    if( !n || i >= length || text[i++] != '\n' ) break;
    if( i == length ) return 0;
  }
  return length ? sf_err_set( SF_ERR_DATA, "list of links is malformed at its byte %u", i ) : 0;
}

static int topology_digest( sf_reader_t * r, sf_journal_block_t const * b ) {
  for( uint32_t off = sf_block_next( b, 0U ); off; off = sf_block_next( b, off ) ) {
    sf_journal_record_t const * rec = (sf_journal_record_t const *)( (uint8_t const *)b + off );
    if( rec->message.kind == SF_JOURNAL_TOPOLOGY_RECORD )
      return links_parse( r, (char const *)( rec + 1 ), rec->message.length );
    if( off != sizeof *b ) break; /* it can only be the first record */
  }
  return 0;
}

/* Judges what stands at `place` in segment file fd (window: the reader's).
   Returns 1 and *at if there is a whole block, 0 if nothing was written there,
   or SF_ERR_*. */
static int block_at( sf_reader_t * r, uint64_t off, uint8_t ** at ) {
  int64_t have = reader_fill( r, off, sizeof( sf_journal_block_t ), at );
  if( have < 0 ) return (int)have;
  if( have < (int64_t)sizeof( sf_journal_block_t ) ) return 0;
  int bytes = sf_block_probe( *at, r->place.run, r->place.number );
  if( bytes <= 0 ) return bytes;
  have = reader_fill( r, off, (uint64_t)bytes, at );
  if( have < 0 ) return (int)have;
  if( have < bytes )
    return sf_err_set( SF_ERR_DATA, "block %lu has %d bytes, the file only %ld of them", r->place.number, bytes, have );
  int err = sf_block_check( *at );
  return err ? err : 1;
}

/* Goes on to the segment after the place's if the next block stands there.
   Returns like block_at. */
static int next_segment( sf_reader_t * r, uint8_t ** at ) {
  int fd = segment_open( r, r->place.segment + 1U, O_RDONLY );
  if( fd == SF_ERR_NOTFOUND ) return 0;
  if( fd < 0 ) return fd;
  sf_place_t old = r->place;
  int old_fd     = r->fd;
  r->fd          = fd;
  r->place.segment++;
  r->place.offset = 0U;
  reader_forget( r );
  int got = block_at( r, 0U, at );
  if( got == 1 ) {
    if( old_fd >= 0 ) close( old_fd );
    return 1;
  }
  if( got < 0 ) (void)reader_err( &r->place, got );
  close( fd );
  r->fd    = old_fd;
  r->place = old;
  reader_forget( r );
  return got;
}

/* Loads the next block.  Returns 1, 0 at the end, or SF_ERR_*. */
static int reader_load( sf_reader_t * r ) {
  uint8_t * at = NULL;
  int got      = 0;
  if( r->fd < 0 ) {
    int fd = segment_open( r, r->place.segment, O_RDONLY );
    if( fd < 0 ) return fd;
    r->fd = fd;
  }
  got = block_at( r, r->place.offset, &at );
  if( got < 0 ) {
    reader_forget( r ); /* it may be whole the next time, if it is being written now */
    return reader_err( &r->place, got );
  }
  if( got == 0 ) {
    reader_forget( r );
    got = next_segment( r, &at );
    if( got <= 0 ) return got;
  }
  sf_journal_block_t const * b = (sf_journal_block_t const *)at;
  if( r->place.offset == 0U ) {
    int err = topology_digest( r, b );
    if( err ) return reader_err( &r->place, err );
  }
  r->block_off = (uint32_t)( at - r->window );
  if( !r->first_ns ) r->first_ns = b->time_ns;
  r->last_ns = b->time_ns;
  r->place.offset += b->block_bytes;
  r->place.number++;
  return 1;
}

/* The names of the links stand at the beginning of the place's segment. */
static int names_load( sf_reader_t * r ) {
  sf_place_t place = r->place;
  uint8_t * at     = NULL;
  int64_t have     = reader_fill( r, 0U, sizeof( sf_journal_block_t ), &at );
  if( have < 0 ) return (int)have;
  sf_journal_block_t first;
  if( have < (int64_t)sizeof first ) return sf_err_set( SF_ERR_DATA, "segment has no first block" );
  memcpy( &first, at, sizeof first );
  r->place.number = first.number;
  int got         = block_at( r, 0U, &at );
  r->place        = place;
  if( got <= 0 ) return got ? got : sf_err_set( SF_ERR_DATA, "segment has no first block" );
  return topology_digest( r, (sf_journal_block_t const *)at );
}

int sf_reader_open( sf_reader_t ** out, char const * dir, uint64_t run, sf_place_t const * from ) {
  *out = NULL;
  if( run > 99999999U ) return sf_err_set( SF_ERR_ARG, "journal: run %lu is above 99999999", run );
  if( strlen( dir ) >= sizeof( (sf_reader_t *)0 )->dir )
    return sf_err_set( SF_ERR_ARG, "journal: the directory's path is too long" );
  sf_reader_t * r = calloc( 1U, sizeof *r );
  if( !r ) return sf_err_set( SF_ERR_SYS, "journal reader: no memory" );
  *out      = r;
  r->dir_fd = r->fd = -1;
  r->window         = mmap( NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 );
  (void)snprintf( r->dir, sizeof r->dir, "%s", dir );
  r->place.run = run;
  if( from ) {
    r->place     = *from;
    r->place.run = run;
  }
  int err = r->window != MAP_FAILED ? 0 : sf_err_set( SF_ERR_SYS, "journal reader: no memory" );
  if( !err && ( r->dir_fd = open( dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC ) ) < 0 )
    err = sf_err_set( errno == ENOENT ? SF_ERR_NOTFOUND : SF_ERR_SYS, "journal %s: %s", dir, strerror( errno ) );
  if( !err ) {
    r->fd = segment_open( r, r->place.segment, O_RDONLY );
    err   = r->fd < 0 ? r->fd : 0;
  }
  if( !err && r->place.offset ) {
    struct stat st;
    if( fstat( r->fd, &st ) ) err = sf_err_set( SF_ERR_SYS, "cannot be read: %s", strerror( errno ) );
    else if( r->place.offset % SF_JOURNAL_BLOCK_ALIGN || r->place.offset > (uint64_t)st.st_size )
      err = sf_err_set( SF_ERR_DATA, "is no place of this file of %ld bytes", st.st_size );
    else err = names_load( r );
    if( err ) err = reader_err( &r->place, err );
  }
  if( err ) {
    sf_reader_close( r );
    *out = NULL;
  }
  return err;
}

void sf_reader_close( sf_reader_t * r ) {
  if( !r ) return;
  if( r->fd >= 0 ) close( r->fd );
  if( r->dir_fd >= 0 ) close( r->dir_fd );
  if( r->window != MAP_FAILED ) munmap( r->window, WINDOW_BYTES );
  free( r );
}

int sf_reader_next( sf_reader_t * r, sf_filter_t const * filter, uint32_t * off ) {
  for( ;; ) {
    int got = reader_load( r );
    if( got <= 0 ) return got;
    sf_journal_block_t const * b = sf_reader_block( r );
    int cnt                      = 0;
    for( uint32_t o = sf_block_next( b, 0U ); o; o = sf_block_next( b, o ) ) {
      sf_journal_record_t const * rec = (sf_journal_record_t const *)( (uint8_t const *)b + o );
      uint32_t kind                   = rec->message.kind;
      if( kind == SF_JOURNAL_TOPOLOGY_RECORD ) continue;
      if( filter ) {
        if( kind >= 128U || !( ( filter->kinds[kind / 64U] >> ( kind % 64U ) ) & 1U ) ) continue;
        if( rec->link >= SF_LINK_MAX || !( ( filter->links >> rec->link ) & 1U ) ) continue;
      }
      off[cnt++] = o;
    }
    if( cnt ) return cnt;
  }
}

SF_ASSERT( SF_READER_COPY_LEAST >= 2UL * SF_BLOCK_MAX )

int64_t sf_reader_copy( sf_reader_t * r, char const * link, uint32_t align, uint64_t * next_seq, void * out,
                        uint64_t bytes ) {
  uint64_t used = 0U;
  while( bytes - used >= SF_READER_COPY_LEAST ) {
    int got = reader_load( r );
    if( got <= 0 ) return used ? (int64_t)used : got;
    sf_journal_block_t const * b = sf_reader_block( r );
    uint32_t index               = 0U;
    while( index < SF_LINK_MAX && strcmp( r->link[index], link ) ) index++;
    for( uint32_t o = sf_block_next( b, 0U ); o; o = sf_block_next( b, o ) ) {
      sf_journal_record_t const * rec = (sf_journal_record_t const *)( (uint8_t const *)b + o );
      if( rec->link != index ) continue;
      if( rec->message.seq != *next_seq )
        return sf_err_set( SF_ERR_DATA, "journal: link %s has message %lu where %lu has to come", link,
                           rec->message.seq, *next_seq );
      ++*next_seq;
      memcpy( (uint8_t *)out + used, &rec->message, sizeof rec->message + rec->message.length );
      used += ( sizeof rec->message + rec->message.length + align - 1U ) & ~( (uint64_t)align - 1U );
    }
  }
  return (int64_t)used;
}

sf_journal_block_t const * sf_reader_block( sf_reader_t const * r ) {
  return (sf_journal_block_t const *)( r->window + r->block_off );
}

void sf_reader_place( sf_reader_t const * r, sf_place_t * out ) { *out = r->place; }

void sf_reader_span( sf_reader_t const * r, uint64_t * first_ns, uint64_t * last_ns ) {
  *first_ns = r->first_ns;
  *last_ns  = r->last_ns;
}

char const * sf_reader_link( sf_reader_t const * r, uint32_t link ) { return link < SF_LINK_MAX ? r->link[link] : ""; }

/* Looks at one segment from `off` on: last byte that is not zero, whole later blocks. */
static int tail_segment( sf_reader_t * r, int fd, uint64_t off, sf_tail_t * out ) {
  int fd_kept    = r->fd;
  uint64_t start = off;
  uint64_t last  = off;
  int64_t have   = 0;
  r->fd          = fd;
  reader_forget( r );
  for( ;; ) {
    uint8_t * at = NULL;
    have         = reader_fill( r, off, SF_JOURNAL_BLOCK_ALIGN, &at );
    if( have <= 0 ) break;
    uint64_t step = have < SF_JOURNAL_BLOCK_ALIGN ? (uint64_t)have : SF_JOURNAL_BLOCK_ALIGN;
    if( at[0] || memcmp( at, at + 1, step - 1U ) ) {
      uint64_t used = step;
      while( !at[used - 1U] ) used--;
      last = off + used;
    }
    if( step == SF_JOURNAL_BLOCK_ALIGN ) {
      sf_journal_block_t h;
      memcpy( &h, at, sizeof h );
      int bytes =
          h.magic == SF_JOURNAL_MAGIC && h.number >= r->place.number ? sf_block_probe( at, r->place.run, h.number ) : 0;
      if( bytes > 0 ) have = reader_fill( r, off, (uint64_t)bytes, &at );
      if( bytes > 0 && bytes <= have && !sf_block_check( at ) ) {
        out->whole_blocks++;
        if( h.number > out->last_number ) out->last_number = h.number;
      }
    }
    off += step;
  }
  out->residue_bytes += last - start;
  r->fd = fd_kept;
  reader_forget( r );
  return have < 0 ? (int)have : 0;
}

int sf_reader_tail( sf_reader_t * r, sf_tail_t * out ) {
  memset( out, 0, sizeof *out );
  char name[SF_SEGMENT_NAME];
  sf_segment_name( name, r->place.run, r->place.segment );
  (void)snprintf( out->file, sizeof out->file, "%s", name );
  out->place = r->place;
  int got    = reader_load( r );
  if( got > 0 ) return sf_err_set( SF_ERR_STATE, "journal %s: the reader is not at the end", name );
  if( got == SF_ERR_SYS || got == SF_ERR_ABI ) return got;
  if( got < 0 ) (void)snprintf( out->reason, sizeof out->reason, "%s", sf_err_text() );
  int err = r->fd >= 0 ? tail_segment( r, r->fd, r->place.offset, out ) : 0;
  for( uint64_t s = r->place.segment + 1U; !err; s++ ) {
    int fd = segment_open( r, s, O_RDONLY );
    if( fd == SF_ERR_NOTFOUND ) break;
    if( fd < 0 ) return fd;
    err = tail_segment( r, fd, 0U, out );
    close( fd );
    out->segments++;
  }
  if( err ) return err;
  if( out->residue_bytes && !out->reason[0] )
    (void)snprintf( out->reason, sizeof out->reason, "block %lu was never written, something behind it was",
                    r->place.number );
  out->damaged = out->whole_blocks && out->last_number - r->place.number >= SF_BLOCK_INFLIGHT;
  return 0;
}

int sf_reader_cut( sf_reader_t * r, sf_tail_t * out ) {
  int err = sf_reader_tail( r, out );
  if( err ) return err;
  if( out->damaged )
    return sf_err_set( SF_ERR_STATE,
                       "journal %s/%s is damaged at offset %lu (%s): %lu whole blocks up to number %lu follow, so this "
                       "is no torn tail; "
                       "restore the file from a copy, or move the files of run %lu away and reconcile by hand",
                       r->dir, out->file, out->place.offset, out->reason, out->whole_blocks, out->last_number,
                       r->place.run );
  char name[SF_SEGMENT_NAME];
  for( uint64_t s = r->place.segment + out->segments; s > r->place.segment; s-- ) { /* last first: never a gap */
    sf_segment_name( name, r->place.run, s );
    if( unlinkat( r->dir_fd, name, 0 ) )
      return sf_err_set( SF_ERR_SYS, "journal %s/%s: cannot be removed: %s", r->dir, name, strerror( errno ) );
  }
  int fd = segment_open( r, r->place.segment, O_WRONLY );
  if( fd < 0 ) return fd;
  if( ftruncate( fd, (int64_t)r->place.offset ) || fsync( fd ) || fsync( r->dir_fd ) )
    err = sf_err_set( SF_ERR_SYS, "journal %s/%s: cannot be cut: %s", r->dir, out->file, strerror( errno ) );
  close( fd );
  reader_forget( r );
  return err;
}
