#include "shm/owner.h"
#include "base/err.h"
#include "shm/instance.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CREATING_SECONDS 5 /* a directory without owner is younger than this, or left over */

typedef struct owner {
  int pid;
  unsigned long long start;
  char boot[64];
} owner_t;

static int boot_id( char out[64] ) {
  FILE * f = fopen( "/proc/sys/kernel/random/boot_id", "re" );
  if( !f ) return sf_err_set( SF_ERR_SYS, "opening /proc/sys/kernel/random/boot_id: %m" );
  int got = fscanf( f, "%63s", out ) == 1;
  fclose( f );
  return got ? 0 : sf_err_set( SF_ERR_SYS, "reading the boot id" );
}

/* Start time of a living process; 0 if there is none or it is a zombie. */
static unsigned long long start_time( int pid ) {
  char path[64], text[1024];
  snprintf( path, sizeof( path ), "/proc/%d/stat", pid );
  FILE * f = fopen( path, "re" );
  if( !f ) return 0;
  uint64_t n = fread( text, 1, sizeof( text ) - 1, f );
  fclose( f );
  text[n]                  = 0;
  char * after             = strrchr( text, ')' ); /* the name may hold anything */
  char state               = 0;
  unsigned long long start = 0;
  /* state is field 3, start time field 22 */
  if( !after || sscanf( after + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                        &state, &start ) != 2 )
    return 0;
  return state == 'Z' || state == 'X' ? 0 : start;
}

int sf_owner_write( char const * dir ) {
  char boot[64], text[256], path[512];
  int rc = boot_id( boot );
  if( rc ) return rc;
  int n = snprintf( text, sizeof( text ), "%d %llu %s\n", (int)getpid(), start_time( (int)getpid() ), boot );
  snprintf( path, sizeof( path ), "%s/owner", dir );
  int fd = open( path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600 );
  if( fd < 0 ) return sf_err_set( SF_ERR_SYS, "making %s: %m", path );
  if( write( fd, text, (uint64_t)n ) != n ) rc = sf_err_set( SF_ERR_SYS, "writing %s: %m", path );
  close( fd );
  return rc;
}

static int owner_read( char const * dir, owner_t * o ) {
  char path[512];
  snprintf( path, sizeof( path ), "%s/owner", dir );
  FILE * f = fopen( path, "re" );
  if( !f ) return 0;
  int got = fscanf( f, "%d %llu %63s", &o->pid, &o->start, o->boot ) == 3;
  fclose( f );
  return got;
}

int sf_instance_owner( char const * dir ) {
  owner_t o;
  if( !owner_read( dir, &o ) ) return sf_err_set( SF_ERR_NOTFOUND, "%s/owner: there is none that can be read", dir );
  return o.pid;
}

int sf_instance_stale( char const * dir ) {
  struct stat st;
  if( stat( dir, &st ) )
    return errno == ENOENT ? sf_err_set( SF_ERR_NOTFOUND, "there is no instance %s", dir )
                           : sf_err_set( SF_ERR_SYS, "looking at %s: %m", dir );
  owner_t o;
  if( !owner_read( dir, &o ) ) return time( 0 ) - st.st_mtime >= CREATING_SECONDS;
  char boot[64];
  int rc = boot_id( boot );
  if( rc ) return rc;
  return strcmp( boot, o.boot ) || start_time( o.pid ) != o.start;
}
