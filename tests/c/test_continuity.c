/* test_continuity.c: readings of the clocks are compared, a vmclock is read, and each sign of a host whose memory can be
   copied is found. */

#include <fcntl.h>
#include <sys/stat.h>

#include "base/continuity.h"
#include "check.h"
#include "sf_abi.h"

/* -- looks --------------------------------------------------------------------- */

static void readings_are_compared( void ) {
  sf_continuity_reading_t const a = { 1ul << 40, 1ul << 41, 1ul << 42, 1ul << 43, 5, 6 };
  uint64_t const rate = 1ul << 32, ms = 1000000; /* a tick is a nanosecond */
  sf_continuity_reading_t on = a, b;
  on.tsc += 50 * ms, on.monotonic_ns += 50 * ms, on.boot_ns += 50 * ms, on.real_ns += 50 * ms;
  CHECK( !sf_continuity_break( &a, &a, rate ) && !sf_continuity_break( &a, &on, rate ) );
  CHECK( sf_continuity_break( &on, &a, rate ) == SF_BREAK_CLOCKS ); /* all backwards */
  for( uint32_t k = 0; k < 4; k++ ) {
    for( int32_t sign = -1; sign <= 1; sign += 2 ) {
      uint64_t * word[] = { &b.tsc, &b.boot_ns, &b.real_ns, &b.monotonic_ns };
      b                 = on;
      *word[k] += (uint64_t)sign * 9 * ms;
      CHECK( !sf_continuity_break( &a, &b, rate ) );
      *word[k] += (uint64_t)sign * 2 * ms;
      CHECK( sf_continuity_break( &a, &b, rate ) == SF_BREAK_CLOCKS );
      CHECK( k || !sf_continuity_break( &a, &b, 0 ) ); /* a TSC that is not used may do as it likes */
    }
  }
  b = on, b.disruption++;
  CHECK( sf_continuity_break( &a, &b, rate ) == SF_BREAK_GENERATION );
  b = on, b.generation--;
  CHECK( sf_continuity_break( &a, &b, rate ) == SF_BREAK_GENERATION );
  b = on, b.tsc += 51 * ms, b.monotonic_ns += 51 * ms, b.boot_ns += 51 * ms, b.real_ns += 51 * ms;
  CHECK( sf_continuity_break( &a, &b, rate ) == SF_BREAK_STOPPED );
}

static void vmclock_is_read( char const * dir ) {
  char path[100];
  uint64_t word[14] = { 0x000000704b4c4356ul, 0, 77, 1ul << 8, [13] = 88 }; /* of linux/vmclock-abi.h, 112 bytes */
  sf_continuity_t c;
  snprintf( path, sizeof( path ), "%s/vmclock", dir );
  int fd = open( path, O_RDWR | O_CREAT, 0600 );
  CHECK( fd >= 0 && !ftruncate( fd, 4096 ) );
  CHECK( !sf_continuity_open( &c, path ) && !c.vmclock ); /* not one */
  sf_continuity_close( &c );
  CHECK( pwrite( fd, word, sizeof( word ), 0 ) == sizeof( word ) );
  CHECK( !sf_continuity_open( &c, path ) && c.vmclock && c.last.disruption == 77 && c.last.generation == 88 );
  for( uint32_t at = 2; at < 14; at += 11 ) {
    word[at]++;
    CHECK( pwrite( fd, word, sizeof( word ), 0 ) == sizeof( word ) );
    CHECK( sf_continuity_look( &c ) == SF_BREAK_GENERATION && sf_continuity_look( &c ) != SF_BREAK_GENERATION );
  }
  word[3] = 0; /* says that it has no generation */
  CHECK( pwrite( fd, word, sizeof( word ), 0 ) == sizeof( word ) );
  sf_continuity_look( &c );
  CHECK( !c.last.generation );
  sf_continuity_close( &c );
  close( fd );
  CHECK( !unlink( path ) );
}

static void a_look_that_follows_another_finds_nothing( void ) {
  sf_continuity_t c;
  CHECK( !sf_continuity_open( &c, "/nowhere" ) && !c.vmclock );
  AWAIT( !sf_continuity_look( &c ) && !sf_continuity_look_closely( &c ) );
  c.pid++;
  AWAIT( sf_continuity_look_closely( &c ) == SF_BREAK_PROCESS );
  c.pid--;
  c.boot_id[0] ^= 1;
  AWAIT( sf_continuity_look_closely( &c ) == SF_BREAK_BOOT );
  sf_continuity_close( &c );
}

/* -- hosts --------------------------------------------------------------------- */

static void file_make( char const * root, char const * path, char const * text ) {
  char name[300];
  snprintf( name, sizeof( name ), "%s%s", root, path );
  for( char * at = name + strlen( root ) + 1; ( at = strchr( at, '/' ) ); at++ ) {
    *at = 0;
    mkdir( name, 0700 );
    *at = '/';
  }
  FILE * file = fopen( name, "w" );
  CHECK( file );
  fputs( text, file );
  fclose( file );
}

static void file_drop( char const * root, char const * path ) {
  char name[300];
  snprintf( name, sizeof( name ), "%s%s", root, path );
  CHECK( !unlink( name ) );
  for( char * at; ( at = strrchr( name, '/' ) ) && at > name + strlen( root ); ) {
    *at = 0;
    if( rmdir( name ) ) break;
  }
}

static void ns_link( char const * root, char const * target ) {
  char name[300];
  file_make( root, "/proc/self/ns/uts", "" );
  snprintf( name, sizeof( name ), "%s/proc/self/ns/pid", root );
  unlink( name );
  CHECK( !symlink( target, name ) );
}

static void hosts_that_can_be_copied_are_refused( char const * dir ) {
  static struct {
    char const *path, *text, *says;
  } const mark[] = {
    { "/.dockerenv", "", ".dockerenv" },
    { "/run/.containerenv", "", ".containerenv" },
    { "/run/systemd/container", "lxc", "/run/systemd/container" },
    { "/proc/1/cgroup", "0::/kubepods/burstable/pod1", "kubepods" },
    { "/proc/1/cgroup", "12:cpu:/docker/0123", "docker" },
    { "/usr/sbin/criu", "", "/usr/sbin/criu" },
  };
  char root[100], name[200];
  snprintf( root, sizeof( root ), "%s/root", dir );
  CHECK( !mkdir( root, 0700 ) );
  CHECK( sf_continuity_host( root, 0 ) == SF_ERR_STATE ); /* what cannot be read is not taken for good */
  ns_link( root, "pid:[4026531836]" );
  file_make( root, "/sys/power/state", "freeze mem disk\n" );
  file_make( root, "/sys/power/resume", "0:0\n" );
  CHECK( !sf_continuity_host( root, 0 ) );
  CHECK( sf_continuity_host( root, 1 ) == SF_ERR_STATE && strstr( sf_err_text(), "hypervisor" ) );
  for( uint32_t i = 0; i < sizeof( mark ) / sizeof( *mark ); i++ ) {
    file_make( root, mark[i].path, mark[i].text );
    CHECK( sf_continuity_host( root, 0 ) == SF_ERR_STATE && strstr( sf_err_text(), mark[i].says ) );
    file_drop( root, mark[i].path );
    CHECK( !sf_continuity_host( root, 0 ) );
  }
  file_make( root, "/proc/1/cgroup", "0::/init.scope\n" );
  CHECK( !sf_continuity_host( root, 0 ) );
  ns_link( root, "pid:[4026532177]" );
  CHECK( sf_continuity_host( root, 0 ) == SF_ERR_STATE && strstr( sf_err_text(), "/proc/self/ns/pid" ) );
  ns_link( root, "pid:[4026531836]" );
  file_make( root, "/sys/power/resume", "259:3\n" );
  CHECK( sf_continuity_host( root, 0 ) == SF_ERR_STATE && strstr( sf_err_text(), "hibernate" ) );
  file_make( root, "/sys/power/state", "freeze mem\n" ); /* nohibernate */
  CHECK( !sf_continuity_host( root, 0 ) );

  file_drop( root, "/sys/power/state" );
  file_drop( root, "/sys/power/resume" );
  file_drop( root, "/proc/1/cgroup" );
  snprintf( name, sizeof( name ), "%s/proc/self/ns/pid", root );
  CHECK( !unlink( name ) );
  file_drop( root, "/proc/self/ns/uts" );
  CHECK( !rmdir( root ) );
}

int main( void ) {
  char dir[64] = "/tmp/sf-test-continuity-XXXXXX";
  CHECK( mkdtemp( dir ) );
  readings_are_compared();
  vmclock_is_read( dir );
  a_look_that_follows_another_finds_nothing();
  hosts_that_can_be_copied_are_refused( dir );
  CHECK( !rmdir( dir ) );
  printf( "test_continuity: ok\n" );
  return 0;
}
