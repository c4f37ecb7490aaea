#include "base/continuity.h"

#include <cpuid.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "sf_abi.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* The first bytes of linux/vmclock-abi.h, little-endian. */
typedef struct vmclock {
  uint32_t magic;
  uint32_t size;
  uint16_t version;
  uint8_t counter_id;
  uint8_t time_type;
  uint32_t seq_count;
  uint64_t disruption_marker;
  uint64_t flags;
  uint8_t _pad0[72];
  uint64_t generation;
} vmclock_t;

SF_ASSERT( sizeof( vmclock_t ) == 112 )

#define VMCLOCK_MAGIC          0x4b4c4356u
#define VMCLOCK_HAS_GENERATION ( 1ul << 8 )

/* -- looks --------------------------------------------------------------------- */

static void reading_take( sf_continuity_t const * c, sf_continuity_reading_t * r ) {
  *r                  = ( sf_continuity_reading_t ){ .tsc          = __builtin_ia32_rdtsc(),
                                                     .monotonic_ns = sf_clock_posix_ns( CLOCK_MONOTONIC ),
                                                     .boot_ns      = sf_clock_posix_ns( CLOCK_BOOTTIME ),
                                                     .real_ns      = sf_clock_posix_ns( CLOCK_REALTIME ) };
  vmclock_t const * v = c->vmclock;
  if( !v ) return;
  r->disruption = sf_load_acquire( &v->disruption_marker );
  if( sf_load_acquire( &v->flags ) & VMCLOCK_HAS_GENERATION ) r->generation = sf_load_acquire( &v->generation );
}

uint32_t sf_continuity_break( sf_continuity_reading_t const * before, sf_continuity_reading_t const * after,
                              uint64_t rate ) {
  int64_t gone   = (int64_t)( after->monotonic_ns - before->monotonic_ns );
  int64_t ticks  = (int64_t)( after->tsc - before->tsc );
  int64_t passed = rate ? (int64_t)( ( (__int128)ticks * (__int128)rate ) >> SF_CLOCK_SHIFT ) : gone;
  int64_t off[3] = { passed - gone, (int64_t)( after->boot_ns - before->boot_ns ) - gone,
                     (int64_t)( after->real_ns - before->real_ns ) - gone };
  if( after->disruption != before->disruption || after->generation != before->generation ) return SF_BREAK_GENERATION;
  if( gone < 0 ) return SF_BREAK_CLOCKS;
  for( uint32_t i = 0; i < 3; i++ )
    if( off[i] > SF_CONTINUITY_APART_NS || off[i] < -SF_CONTINUITY_APART_NS ) return SF_BREAK_CLOCKS;
  return gone > SF_CONTINUITY_GAP_NS ? SF_BREAK_STOPPED : 0;
}

uint32_t sf_continuity_look( sf_continuity_t * c ) {
  sf_continuity_reading_t now;
  reading_take( c, &now );
  uint32_t found = sf_continuity_break( &c->last, &now, c->rate );
  c->last        = now;
  return found;
}

static int boot_id_read( char out[44] ) {
  memset( out, 0, 44 );
  int fd      = open( BOOT_ID, O_RDONLY | O_CLOEXEC );
  ssize_t got = fd < 0 ? -1 : read( fd, out, 43 );
  if( fd >= 0 ) close( fd );
  return got > 0 ? 0 : sf_err_set( SF_ERR_SYS, BOOT_ID ": %m" );
}

uint32_t sf_continuity_look_closely( sf_continuity_t * c ) {
  char boot_id[44];
  uint32_t found = sf_continuity_look( c );
  if( found ) return found;
  if( getpid() != c->pid ) return SF_BREAK_PROCESS;
  return boot_id_read( boot_id ) || memcmp( boot_id, c->boot_id, 44 ) ? SF_BREAK_BOOT : 0;
}

static void const * vmclock_map( char const * path ) {
  int fd              = open( path, O_RDONLY | O_CLOEXEC );
  vmclock_t const * v = fd < 0 ? MAP_FAILED : mmap( NULL, sizeof( *v ), PROT_READ, MAP_SHARED, fd, 0 );
  if( fd >= 0 ) close( fd );
  if( v == MAP_FAILED ) return NULL;
  if( v->magic == VMCLOCK_MAGIC ) return v;
  munmap( (void *)(uintptr_t)v, sizeof( *v ) );
  return NULL;
}

int sf_continuity_open( sf_continuity_t * c, char const * vmclock ) {
  memset( c, 0, sizeof( *c ) );
  int err = boot_id_read( c->boot_id );
  if( err ) return err;
  if( sf_clock_init() ) c->rate = sf_load_acquire( &sf_clock.rate );
  c->pid     = getpid();
  c->vmclock = vmclock_map( vmclock );
  reading_take( c, &c->last );
  return 0;
}

void sf_continuity_close( sf_continuity_t * c ) {
  if( c->vmclock ) munmap( (void *)(uintptr_t)c->vmclock, sizeof( vmclock_t ) );
  memset( c, 0, sizeof( *c ) );
}

/* -- the host ------------------------------------------------------------------ */

int sf_continuity_hypervisor( void ) {
  uint32_t a, b, c, d;
  return __get_cpuid( 1, &a, &b, &c, &d ) && c >> 31;
}

static char const * under( char const * root, char const * path, char out[512] ) {
  snprintf( out, 512, "%s%s", root, path );
  return out;
}

/* The first kilobytes of a file as text, "" if there is none. */
static char const * text_read( char const * root, char const * path, char out[4096] ) {
  char name[512];
  int fd      = open( under( root, path, name ), O_RDONLY | O_CLOEXEC );
  ssize_t got = fd < 0 ? 0 : read( fd, out, 4095 );
  if( fd >= 0 ) close( fd );
  out[got > 0 ? got : 0] = 0;
  return out;
}

int sf_continuity_host( char const * root, int hypervisor ) {
  static char const * const mark[]   = { "/.dockerenv", "/run/.containerenv", "/run/systemd/container" };
  static char const * const engine[] = { "docker", "kubepods", "containerd", "libpod", "lxc", "crio", "garden" };
  static char const * const criu[]   = { "/usr/sbin/criu", "/usr/bin/criu", "/usr/local/sbin/criu",
                                         "/usr/local/bin/criu" };
  char name[512], text[4096], state[4096];
  if( hypervisor )
    return sf_err_set( SF_ERR_STATE, "this is a virtual machine (hypervisor bit of cpuid), which can be snapshotted" );

  ssize_t got             = readlink( under( root, "/proc/self/ns/pid", name ), text, sizeof( text ) - 1 );
  text[got > 0 ? got : 0] = 0;
  if( strcmp( text, "pid:[4026531836]" ) ) /* the kernel's own number of the first one */
    return sf_err_set( SF_ERR_STATE, "this is a container (/proc/self/ns/pid is not the host's), which can be "
                                     "checkpointed" );
  for( uint32_t i = 0; i < sizeof( mark ) / sizeof( *mark ); i++ )
    if( !access( under( root, mark[i], name ), F_OK ) )
      return sf_err_set( SF_ERR_STATE, "this is a container (there is a %s), which can be checkpointed", mark[i] );
  text_read( root, "/proc/1/cgroup", text );
  for( uint32_t i = 0; i < sizeof( engine ) / sizeof( *engine ); i++ )
    if( strstr( text, engine[i] ) )
      return sf_err_set( SF_ERR_STATE, "this is a container (/proc/1/cgroup names %s), which can be checkpointed",
                         engine[i] );
  for( uint32_t i = 0; i < sizeof( criu ) / sizeof( *criu ); i++ )
    if( !access( under( root, criu[i], name ), F_OK ) )
      return sf_err_set( SF_ERR_STATE, "there is a %s, by which a process can be checkpointed", criu[i] );

  text_read( root, "/sys/power/resume", text );
  if( strstr( text_read( root, "/sys/power/state", state ), "disk" ) && *text && strncmp( text, "0:0", 3 ) )
    return sf_err_set( SF_ERR_STATE, "this host can hibernate (/sys/power/resume is set; boot with nohibernate)" );
  return 0;
}
