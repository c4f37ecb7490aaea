/* test_nonces.c: the rules of nonces made ahead, each: signatures that verify, nonces used once and wiped, protected pages or
   no pool, weak random numbers, a host that must be forced, a forked child, and what drops a pool. */

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "order_fixture.h"
#include "solana/signer.h"

#define SLOTS 100

static fixture_t fixture;
static sf_signer_t signer;

/* Stands before the C library's: the kernel's random numbers as they are, all alike, or none. */
static enum { RANDOM_REAL, RANDOM_CONSTANT, RANDOM_NONE } random_mode;

ssize_t getrandom( void * out, size_t len, unsigned int flags ) {
  if( random_mode == RANDOM_REAL ) return syscall( SYS_getrandom, out, len, flags );
  if( random_mode == RANDOM_NONE ) return -1;
  memset( out, 7, len );
  return (ssize_t)len;
}

static sf_nonces_t * pool_open( uint32_t slots, uint32_t make ) {
  sf_nonces_t * n;
  CHECK( !sf_nonces_open( &n, slots, 1 ) );
  for( uint32_t i = 0; i < make; i++ ) CHECK( sf_signer_make_nonce( &signer, n ) );
  return n;
}

static int is_zero( void const * at, uint64_t bytes ) { return sodium_is_zero( at, bytes ); }

/* below the order of the base point: 2^252 + 27742317777372353535851937790883648493 */
static int is_canonical( uint8_t const scalar[32] ) {
  static uint8_t const order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                     0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
  for( int i = 31; i >= 0; i-- )
    if( scalar[i] != order[i] ) return scalar[i] < order[i];
  return 0;
}

/* Takes and signs once; the first try after a hiccup of this machine may find the pool dropped. */
static void ready_sign( sf_nonces_t * n, uint8_t signature[64], uint8_t const * message, uint64_t len ) {
  while( !sf_signer_sign_ready( &signer, n, signature, message, len ) ) sf_signer_make_nonce( &signer, n );
}

/* -- signatures and single use ----------------------------------------------------- */

static void signatures_verify( void ) {
  sf_nonces_t * n = pool_open( SLOTS, SLOTS );
  uint8_t message[1232], a[64], b[64];
  for( uint32_t i = 0; i < 3000; i++ ) {
    uint64_t len = i < 300 ? i : randombytes_uniform( sizeof( message ) );
    randombytes_buf( message, len );
    ready_sign( n, a, message, len );
    sf_signer_sign( &signer, b, message, len );
    CHECK( memcmp( a, b, 32 ) && is_canonical( a + 32 ) );
    CHECK( !crypto_sign_verify_detached( a, message, len, signer.public_key ) );
    if( len ) message[i % len] ^= 1;
    else len = 1;
    CHECK( crypto_sign_verify_detached( a, message, len, signer.public_key ) );
  }
  sf_nonces_close( n );
}

static void each_is_used_once_and_wiped( void ) {
  sf_nonces_t * n = pool_open( 5, 5 );
  uint8_t a[64], before[64], message[40] = { 1 };
  CHECK( !sf_signer_make_nonce( &signer, n ) && n->ready == 5 ); /* full */
  for( uint32_t i = 0; i < 23; i++ ) {
    sf_nonces_look( n );
    while( sf_signer_make_nonce( &signer, n ) ) {}
    uint32_t place = n->first;
    sf_nonce_t kept;
    do {
      place = n->first;
      kept  = n->slot[place];
      if( !n->ready ) sf_signer_make_nonce( &signer, n );
    } while( !sf_signer_sign_ready( &signer, n, a, message, sizeof( message ) ) );
    CHECK( !memcmp( a, kept.point, 32 ) );
    CHECK( is_zero( &n->slot[place], sizeof( sf_nonce_t ) ) && n->first == ( place + 1 ) % 5 );
    CHECK( is_zero( &n->work, sizeof( n->work ) ) );
  }
  while( sf_signer_sign_ready( &signer, n, a, message, sizeof( message ) ) ) {}
  CHECK( !n->ready && is_zero( n->slot, 5 * sizeof( sf_nonce_t ) ) );

  memset( before, 9, 64 );
  memset( a, 9, 64 );
  CHECK( !sf_signer_sign_ready( &signer, n, a, message, sizeof( message ) ) && !memcmp( a, before, 64 ) );
  sf_nonces_close( n );
  CHECK( sf_nonces_open( &n, 0, 1 ) == SF_ERR_ARG && !n );
  CHECK( sf_nonces_open( &n, SF_NONCES_MAX + 1, 1 ) == SF_ERR_ARG && !n );
}

static int point_order( void const * a, void const * b ) { return memcmp( a, b, 32 ); }

/* Makes and takes so many, and says that no point came twice. */
static void points_take( sf_nonces_t * n, uint8_t ( *point )[32], uint32_t cnt ) {
  for( uint32_t i = 0; i < cnt; ) {
    sf_signer_make_nonce( &signer, n );
    sf_nonce_t * nonce = sf_nonces_take( n );
    if( !nonce ) continue;
    CHECK( is_canonical( nonce->scalar ) );
    memcpy( point[i++], nonce->point, 32 );
    sodium_memzero( nonce, sizeof( *nonce ) );
  }
}

static void points_differ( uint8_t ( *point )[32], uint32_t cnt ) {
  qsort( point, cnt, 32, point_order );
  for( uint32_t i = 1; i < cnt; i++ ) CHECK( memcmp( point[i - 1], point[i], 32 ) );
}

static void no_point_comes_twice( void ) {
  enum { CNT = 100000 };
  static uint8_t point[CNT][32];
  sf_nonces_t * n = pool_open( SLOTS, 0 );
  points_take( n, point, CNT );
  points_differ( point, CNT );
  uint32_t bits = 0; /* and the lowest bits of y look like coins: within five sigma */
  for( uint32_t i = 0; i < CNT; i++ ) bits += point[i][0] & 1u;
  CHECK( bits > CNT / 2 - 800 && bits < CNT / 2 + 800 );
  sf_nonces_close( n );
}

/* -- weak random numbers ------------------------------------------------------------- */

static void scalar_of( sf_nonce_source_t const * source, uint8_t const prefix[32], uint8_t out[32] ) {
  sf_nonce_work_t work;
  work.source = *source;
  sf_nonces_scalar( &work, prefix, out );
  CHECK( is_zero( &work, sizeof( work ) ) && is_canonical( out ) );
}

static void every_part_counts( void ) {
  sf_nonce_source_t const source = { .counter = 1 };
  uint8_t prefix[32]             = { 3 }, a[32], b[32];
  scalar_of( &source, prefix, a );
  scalar_of( &source, prefix, b );
  CHECK( !memcmp( a, b, 32 ) );
  for( uint32_t at = 0; at < sizeof( source ); at++ ) {
    sf_nonce_source_t other = source;
    ( (uint8_t *)&other )[at] ^= 1;
    scalar_of( &other, prefix, b );
    CHECK( memcmp( a, b, 32 ) );
  }
  for( uint32_t at = 0; at < 32; at++ ) {
    prefix[at] ^= 1;
    scalar_of( &source, prefix, b );
    prefix[at] ^= 1;
    CHECK( memcmp( a, b, 32 ) );
  }
}

static void weak_random_numbers_do_not_repeat( void ) {
  static uint8_t point[2000][32];
  uint64_t counter = 0;
  random_mode      = RANDOM_CONSTANT;
  for( uint32_t k = 0; k < 4; k++ ) { /* four processes, so to speak */
    sf_nonces_t * n = pool_open( SLOTS, 0 );
    CHECK( n->counter > counter ); /* beyond all that the pool before used */
    counter = n->counter;
    points_take( n, point + 500 * k, 500 );
    CHECK( n->counter >= counter + 500 );
    counter = n->counter;
    sf_nonces_close( n );
  }
  points_differ( point, 2000 );
  random_mode     = RANDOM_NONE;
  sf_nonces_t * n = pool_open( SLOTS, 0 );
  CHECK( !sf_signer_make_nonce( &signer, n ) && !n->ready && !sf_nonces_take( n ) );
  CHECK( is_zero( n->slot, SLOTS * sizeof( sf_nonce_t ) ) && is_zero( &n->work, sizeof( n->work ) ) );
  random_mode = RANDOM_REAL;
  CHECK( sf_signer_make_nonce( &signer, n ) );
  sf_nonces_close( n );
}

/* -- the pages ----------------------------------------------------------------------- */

/* The line of /proc/self/smaps that begins with `key`, of the mapping that begins at `at`. */
static void mapping_line( void const * at, char const * key, char out[256] ) {
  char begin[32];
  int inside  = 0;
  FILE * file = fopen( "/proc/self/smaps", "r" );
  CHECK( file );
  snprintf( begin, sizeof( begin ), "%lx-", (unsigned long)at );
  while( fgets( out, 256, file ) ) {
    if( !strncmp( out, begin, strlen( begin ) ) ) inside = 1;
    if( inside && !strncmp( out, key, strlen( key ) ) ) break;
  }
  CHECK( inside && !strncmp( out, key, strlen( key ) ) );
  fclose( file );
}

static void pages_are_protected( void ) {
  sf_nonces_t * n = pool_open( SLOTS, SLOTS );
  char line[256];
  struct rlimit core;
  mapping_line( n, "VmFlags:", line );
#if !defined( __SANITIZE_ADDRESS__ ) && !defined( __SANITIZE_THREAD__ ) /* whose mlock does nothing */
  CHECK( strstr( line, " lo" ) );
#endif
  CHECK( strstr( line, " dd" ) && strstr( line, " wf" ) );
  CHECK( !prctl( PR_GET_DUMPABLE, 0, 0, 0, 0 ) && !getrlimit( RLIMIT_CORE, &core ) && !core.rlim_max );
  mapping_line( (uint8_t *)n + n->bytes, "", line );
  CHECK( strstr( line, "---p" ) );
  mapping_line( (uint8_t *)n - sysconf( _SC_PAGESIZE ), "", line );
  CHECK( strstr( line, "---p" ) );
  sf_nonces_close( n );
}

/* Lets the kernel refuse one system call of this process, if its argument `at` is `value`. */
static void kernel_refuse( uint32_t call, uint32_t at, uint32_t value ) {
  struct sock_filter code[] = {
    BPF_STMT( BPF_LD | BPF_W | BPF_ABS, offsetof( struct seccomp_data, nr ) ),
    BPF_JUMP( BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3 ),
    BPF_STMT( BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof( struct seccomp_data, args ) + 8 * at ),
    BPF_JUMP( BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1 ),
    BPF_STMT( BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM ),
    BPF_STMT( BPF_RET | BPF_K, SECCOMP_RET_ALLOW ),
  };
  struct sock_fprog const program = { .len = sizeof( code ) / sizeof( *code ), .filter = code };
  CHECK( !prctl( PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0 ) && !prctl( PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program ) );
}

static int exit_of( pid_t child ) {
  int status;
  CHECK( child > 0 && waitpid( child, &status, 0 ) == child );
  return WIFEXITED( status ) ? WEXITSTATUS( status ) : -1;
}

static uint32_t mappings( void ) {
  uint32_t cnt = 0;
  FILE * file  = fopen( "/proc/self/maps", "r" );
  CHECK( file );
  for( int c; ( c = fgetc( file ) ) != EOF; ) cnt += c == '\n';
  fclose( file );
  return cnt;
}

static void no_pool_where_the_kernel_refuses( void ) {
  static struct {
    uint32_t call, at, value;
    char const * says;
  } const refused[] = {
#if !defined( __SANITIZE_ADDRESS__ ) && !defined( __SANITIZE_THREAD__ )
    { SYS_mlock, 1, 2 * 4096, "locked" },
#endif
    { SYS_madvise, 2, MADV_DONTDUMP, "MADV_DONTDUMP" },
    { SYS_madvise, 2, MADV_WIPEONFORK, "MADV_WIPEONFORK" },
    { SYS_prctl, 0, PR_SET_DUMPABLE, "core dumps" },
  };
  for( uint32_t i = 0; i < sizeof( refused ) / sizeof( *refused ); i++ ) {
    pid_t child = fork();
    if( !child ) {
      sf_nonces_t * n;
      CHECK( !sf_nonces_open( &n, SLOTS, 1 ) && n->bytes == 2 * 4096 ); /* as long as it is not refused */
      sf_nonces_close( n );
      prctl( PR_SET_DUMPABLE, 1, 0, 0, 0 );
      kernel_refuse( refused[i].call, refused[i].at, refused[i].value );
      uint32_t before = mappings();
      CHECK( sf_nonces_open( &n, SLOTS, 1 ) == SF_ERR_SYS && !n );
      CHECK( strstr( sf_err_text(), refused[i].says ) && mappings() == before );
      _exit( 0 );
    }
    CHECK( !exit_of( child ) );
  }
}

static void a_forked_child_has_none( void ) {
  sf_nonces_t * n = pool_open( SLOTS, SLOTS );
  uint8_t a[64], b[64], message[200] = { 5 };
  sf_nonce_t kept = n->slot[n->first];
  pid_t child     = fork();
  if( !child ) {
    CHECK( is_zero( n, n->bytes ? n->bytes : 2 * 4096 ) );
    CHECK( !sf_signer_sign_ready( &signer, n, a, message, sizeof( message ) ) );
    CHECK( !sf_signer_make_nonce( &signer, n ) && !n->ready );
    sf_nonces_look( n );
    sf_signer_sign( &signer, a, message, sizeof( message ) );
    crypto_sign_detached( b, NULL, message, sizeof( message ), fixture.secret );
    CHECK( !memcmp( a, b, 64 ) );
    sf_nonces_close( n );
    _exit( 0 );
  }
  CHECK( !exit_of( child ) );
  CHECK( !memcmp( &n->slot[n->first], &kept, sizeof( kept ) ) && n->ready == SLOTS ); /* the parent's stay */
  ready_sign( n, a, message, sizeof( message ) );
  CHECK( !crypto_sign_verify_detached( a, message, sizeof( message ), signer.public_key ) );
  sf_nonces_close( n );
}

/* -- hosts --------------------------------------------------------------------------- */

static void this_host_must_be_forced_if_it_can_be_copied( void ) {
  sf_nonces_t * n;
  char found[512];
  int copies = sf_continuity_host( "", sf_continuity_hypervisor() );
  snprintf( found, sizeof( found ), "%s", copies ? sf_err_text() : "" );
  int err = sf_nonces_open( &n, SLOTS, 0 );
  CHECK( err == copies && !n == !!copies );
  if( err )
    CHECK( strstr( sf_err_text(), found ) && strstr( sf_err_text(), "tells the key" ) &&
           strstr( sf_err_text(), "sign.nonce_pool_force" ) );
  sf_nonces_close( n );
  CHECK( !sf_nonces_open( &n, SLOTS, 1 ) );
  sf_nonces_close( n );
}

/* -- breaks -------------------------------------------------------------------------- */

static void expect_dropped( sf_nonces_t * n, uint32_t reason, int by_look ) {
  uint8_t signature[64], message[10] = { 0 };
  uint64_t dropped = n->dropped;
  if( by_look ) sf_nonces_look( n );
  else CHECK( !sf_signer_sign_ready( &signer, n, signature, message, sizeof( message ) ) );
  CHECK( n->last_break == reason && !n->ready && n->dropped == dropped + SLOTS );
  CHECK( is_zero( n->slot, SLOTS * sizeof( sf_nonce_t ) ) );
}

/* A full pool that has just been looked at. */
static void pool_fill( sf_nonces_t * n ) {
  do {
    sf_nonces_look( n );
    while( sf_signer_make_nonce( &signer, n ) ) {}
    sf_continuity_look( &n->continuity );
  } while( n->ready < SLOTS );
}

/* By a close look; a hiccup of this machine is a break of its own. */
static void expect_dropped_closely( sf_nonces_t * n, uint32_t reason ) {
  do {
    pool_fill( n );
    n->closely_ns = 0;
    sf_nonces_look( n );
  } while( n->last_break == SF_BREAK_STOPPED || n->last_break == SF_BREAK_CLOCKS );
  CHECK( n->last_break == reason && !n->ready && is_zero( n->slot, SLOTS * sizeof( sf_nonce_t ) ) );
}

static void a_break_drops_the_pool( void ) {
  sf_nonces_t * n = pool_open( SLOTS, 0 );
  for( int by_look = 0; by_look < 2; by_look++ ) {
    sf_continuity_t * c = &n->continuity;
    for( uint32_t k = 0; k < ( c->rate ? 4u : 3u ); k++ ) {
      uint64_t * word[] = { &c->last.boot_ns, &c->last.real_ns, &c->last.monotonic_ns, &c->last.tsc };
      pool_fill( n );
      *word[k] += 3600000000000ul; /* as if the clock had been set back an hour */
      expect_dropped( n, SF_BREAK_CLOCKS, by_look );
    }
    pool_fill( n );
    c->last.generation++;
    expect_dropped( n, SF_BREAK_GENERATION, by_look );
  }
  n->continuity.pid++;
  expect_dropped_closely( n, SF_BREAK_PROCESS );
  n->continuity.pid--;
  n->continuity.boot_id[3] ^= 1;
  expect_dropped_closely( n, SF_BREAK_BOOT );
  n->continuity.boot_id[3] ^= 1;
  pool_fill( n );
  CHECK( n->ready == SLOTS );
  sf_nonces_close( n );
}

static void a_process_that_was_stopped_has_none( void ) {
  int tell[2], ask[2];
  char byte;
  CHECK( !pipe( tell ) && !pipe( ask ) );
  pid_t child = fork();
  if( !child ) {
    sf_nonces_t * n = pool_open( SLOTS, 0 );
    pool_fill( n );
    CHECK( write( tell[1], "x", 1 ) == 1 && read( ask[0], &byte, 1 ) == 1 );
    expect_dropped( n, SF_BREAK_STOPPED, 0 );
    sf_nonces_close( n );
    _exit( 0 );
  }
  int status;
  CHECK( child > 0 && read( tell[0], &byte, 1 ) == 1 && !kill( child, SIGSTOP ) );
  CHECK( waitpid( child, &status, WUNTRACED ) == child && WIFSTOPPED( status ) );
  uint64_t since = sf_clock_posix_ns( CLOCK_MONOTONIC );
  while( sf_clock_posix_ns( CLOCK_MONOTONIC ) - since < SF_CONTINUITY_GAP_NS + 1000000 ) usleep( 1000 );
  CHECK( !kill( child, SIGCONT ) && write( ask[1], "x", 1 ) == 1 );
  CHECK( !exit_of( child ) );
  close( tell[0] ), close( tell[1] ), close( ask[0] ), close( ask[1] );
}

int main( void ) {
  fixture_open( &fixture );
  CHECK( !sf_signer_open( &signer, fixture.key_path, -1 ) );
  signatures_verify();
  each_is_used_once_and_wiped();
  no_point_comes_twice();
  every_part_counts();
  weak_random_numbers_do_not_repeat();
  pages_are_protected();
  no_pool_where_the_kernel_refuses();
  a_forked_child_has_none();
  this_host_must_be_forced_if_it_can_be_copied();
  a_break_drops_the_pool();
  a_process_that_was_stopped_has_none();
  sf_signer_close( &signer );
  fixture_close( &fixture );
  printf( "test_nonces: ok\n" );
  return 0;
}
