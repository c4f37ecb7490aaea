#include "base/memory.h"
#include "base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#define HUGE_BYTES ( 2UL << 20 )

/* Binds the pages of a shared file to a node; the policy stays with the file. */
static int bind_node( void * base, uint64_t bytes, uint32_t node ) {
  if( numa_available() < 0 || node >= SF_MEMORY_NODE_MAX ) return 0;
  unsigned long mask[SF_MEMORY_NODE_MAX / 64] = { 0 };
  mask[node / 64] |= 1UL << ( node % 64 );
  return !mbind( base, bytes, MPOL_BIND, mask, SF_MEMORY_NODE_MAX + 1, 0 );
}

/* Touches every page for reading, so that no fault comes later. */
static void prefault( void * base, uint64_t bytes ) {
  if( !madvise( base, bytes, MADV_POPULATE_READ ) ) return;
  for( uint64_t i = 0; i < bytes; i += 4096 ) (void)*(uint8_t volatile *)( (uint8_t *)base + i );
}

static int no_room( char const * path, uint64_t bytes, int error ) {
  char dir[256];
  struct statvfs fs;
  snprintf( dir, sizeof( dir ), "%s", path );
  char * slash = strrchr( dir, '/' );
  if( slash ) *slash = 0;
  uint64_t size = 0, left = 0;
  if( !statvfs( dir, &fs ) ) {
    size = fs.f_blocks * fs.f_frsize;
    left = fs.f_bavail * fs.f_frsize;
  }
  return sf_err_set(
      SF_ERR_LIMIT,
      "%s: no room for %lu bytes (%s): the file system of /dev/shm has %lu bytes, %lu free; make links or tables "
      "smaller, run `sniperforge clean`, or `mount -o remount,size=<bytes> /dev/shm`",
      path, bytes, strerror( error ), size, left );
}

int sf_memory_create( sf_memory_t * m, char const * path, uint64_t bytes, uint32_t node, uint32_t flags ) {
  memset( m, 0, sizeof( *m ) );
  int fd = open( path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600 );
  if( fd < 0 ) return sf_err_set( SF_ERR_SYS, "making %s: %m", path );

  int rc      = 0;
  void * base = MAP_FAILED;
  /* the mapping first: its node policy must be known when the pages are taken */
  if( ftruncate( fd, (off_t)bytes ) ) rc = no_room( path, bytes, errno );
  if( !rc ) {
    base = mmap( 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0 );
    if( base == MAP_FAILED ) rc = no_room( path, bytes, errno );
  }
  if( !rc ) {
    m->bound  = (uint32_t)bind_node( base, bytes, node );
    int error = posix_fallocate( fd, 0, (off_t)bytes );
    if( error ) rc = no_room( path, bytes, error );
  }
  close( fd );
  if( rc ) {
    if( base != MAP_FAILED ) munmap( base, bytes );
    unlink( path );
    return rc;
  }
  if( flags & SF_MEMORY_HUGE ) {
    uint64_t whole = bytes & ~( HUGE_BYTES - 1 );
    madvise( base, bytes, MADV_HUGEPAGE );
    m->huge = whole && !madvise( base, whole, MADV_COLLAPSE );
  }
  prefault( base, bytes );
  m->base   = base;
  m->bytes  = bytes;
  m->flags  = flags | SF_MEMORY_WRITE;
  m->locked = ( flags & SF_MEMORY_LOCK ) && !mlock( base, bytes );
  return 0;
}

/* What a fresh mapping of an existing file gets. */
static void settle( sf_memory_t * m ) {
  if( m->flags & SF_MEMORY_HUGE ) madvise( m->base, m->bytes, MADV_HUGEPAGE );
  prefault( m->base, m->bytes );
  m->locked = ( m->flags & SF_MEMORY_LOCK ) && !mlock( m->base, m->bytes );
}

int sf_memory_map( sf_memory_t * m, char const * path, uint32_t flags ) {
  memset( m, 0, sizeof( *m ) );
  int writable = !!( flags & SF_MEMORY_WRITE );
  int fd       = open( path, O_RDWR | O_CLOEXEC | O_NOFOLLOW ); /* so that the mapping can become writable */
  if( fd < 0 && errno == EACCES && !writable ) fd = open( path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW );
  if( fd < 0 ) return sf_err_set( errno == ENOENT ? SF_ERR_NOTFOUND : SF_ERR_SYS, "opening %s: %m", path );
  struct stat st;
  int rc      = 0;
  void * base = MAP_FAILED;
  if( fstat( fd, &st ) ) rc = sf_err_set( SF_ERR_SYS, "looking at %s: %m", path );
  else if( st.st_size <= 0 )
    rc = sf_err_set( SF_ERR_ABI, "%s is empty: its instance was not created completely; start it anew", path );
  else {
    base = mmap( 0, (uint64_t)st.st_size, PROT_READ | ( writable ? PROT_WRITE : 0 ), MAP_SHARED, fd, 0 );
    if( base == MAP_FAILED ) rc = sf_err_set( SF_ERR_SYS, "mapping %s: %m", path );
  }
  close( fd );
  if( rc ) return rc;
  m->base  = base;
  m->bytes = (uint64_t)st.st_size;
  m->flags = flags;
  settle( m );
  return 0;
}

int sf_memory_make_writable( sf_memory_t * m, uint32_t flags ) {
  if( mprotect( m->base, m->bytes, PROT_READ | PROT_WRITE ) )
    return sf_err_set( SF_ERR_SYS, "making a shared mapping writable: %m" );
  m->flags = flags | SF_MEMORY_WRITE;
  settle( m );
  return 0;
}

void sf_memory_unmap( sf_memory_t * m ) {
  if( m->base ) munmap( m->base, m->bytes );
  memset( m, 0, sizeof( *m ) );
}
