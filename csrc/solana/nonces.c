#include "solana/nonces.h"

#include <cpuid.h>
#include <immintrin.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "sf_abi.h"

#define CLOSELY_NS 100000000ul

static void drop( sf_nonces_t * n, uint32_t reason ) {
  sodium_memzero( n->slot, n->slots * sizeof( sf_nonce_t ) );
  n->dropped += n->ready;
  n->ready      = 0;
  n->last_break = reason;
}

/* -- the pages ----------------------------------------------------------------- */

static int process_seal( void ) {
  struct rlimit const none = { 0, 0 };
  if( setrlimit( RLIMIT_CORE, &none ) || prctl( PR_SET_DUMPABLE, 0, 0, 0, 0 ) || prctl( PR_GET_DUMPABLE, 0, 0, 0, 0 ) )
    return sf_err_set( SF_ERR_SYS, "core dumps and ptrace cannot be turned off: %m" );
  return 0;
}

static int pages_protect( void * at, uint64_t bytes ) {
  if( mprotect( at, bytes, PROT_READ | PROT_WRITE ) ) return sf_err_set( SF_ERR_SYS, "no memory for nonces: %m" );
  if( mlock( at, bytes ) )
    return sf_err_set( SF_ERR_SYS, "memory for nonces cannot be locked: %m; raise `ulimit -l`, or use fewer" );
  if( madvise( at, bytes, MADV_DONTDUMP ) )
    return sf_err_set( SF_ERR_SYS, "nonces cannot be kept out of core dumps (MADV_DONTDUMP): %m" );
  if( madvise( at, bytes, MADV_WIPEONFORK ) )
    return sf_err_set( SF_ERR_SYS, "nonces cannot be kept from a forked process (MADV_WIPEONFORK): %m" );
  return 0;
}

/* Pages between two that nobody may touch; NULL with a sentence. */
static void * pages_make( uint64_t bytes, uint64_t page ) {
  uint8_t * at = mmap( NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 );
  if( at == MAP_FAILED ) {
    sf_err_set( SF_ERR_SYS, "no memory for nonces: %m" );
    return NULL;
  }
  if( !pages_protect( at + page, bytes ) ) return at + page;
  munmap( at, bytes + 2 * page );
  return NULL;
}

int sf_nonces_open( sf_nonces_t ** out, uint32_t slots, int force ) {
  uint64_t page  = (uint64_t)sysconf( _SC_PAGESIZE );
  uint64_t bytes = ( sizeof( sf_nonces_t ) + slots * sizeof( sf_nonce_t ) + page - 1 ) / page * page;
  int err;
  *out = NULL;
  if( !slots || slots > SF_NONCES_MAX ) return sf_err_set( SF_ERR_ARG, "%u nonces; use 1 to %u", slots, SF_NONCES_MAX );
  if( sodium_init() < 0 ) return sf_err_set( SF_ERR_CRYPTO, "libsodium does not start" );
  if( !force && ( err = sf_continuity_host( "", sf_continuity_hypervisor() ) ) ) {
    char found[512];
    snprintf( found, sizeof( found ), "%s", sf_err_text() );
    return sf_err_set( err,
                       "%s; a nonce that comes to life twice tells the key. Set sign.nonce_pool = 0, or "
                       "sign.nonce_pool_force = true if nobody ever copies this host's memory",
                       found );
  }
  if( ( err = process_seal() ) ) return err;
  sf_nonces_t * n = pages_make( bytes, page );
  if( !n ) return SF_ERR_SYS;
  n->bytes   = bytes;
  n->slots   = slots;
  n->counter = sf_clock_real_ns();
  *out       = n;
  if( ( err = sf_continuity_open( &n->continuity, "/dev/vmclock0" ) ) ) {
    sf_nonces_close( n );
    *out = NULL;
  }
  return err;
}

void sf_nonces_close( sf_nonces_t * n ) {
  if( !n || !n->bytes ) return; /* 0: a forked child */
  uint64_t page = (uint64_t)sysconf( _SC_PAGESIZE ), bytes = n->bytes;
  sf_continuity_close( &n->continuity );
  sodium_memzero( n, bytes );
  munmap( (uint8_t *)n - page, bytes + 2 * page );
}

/* -- nonces -------------------------------------------------------------------- */

void sf_nonces_scalar( sf_nonce_work_t * w, uint8_t const prefix[32], uint8_t out[32] ) {
  crypto_hash_sha512_init( &w->hash );
  crypto_hash_sha512_update( &w->hash, prefix, 32 );
  crypto_hash_sha512_update( &w->hash, (uint8_t const *)&w->source, sizeof( w->source ) );
  crypto_hash_sha512_final( &w->hash, w->digest );
  crypto_core_ed25519_scalar_reduce( out, w->digest );
  sodium_memzero( w, sizeof( *w ) );
}

__attribute__( ( target( "rdrnd" ) ) ) static void processor_random( uint64_t out[4] ) {
  uint32_t a, b, c, d;
  if( !__get_cpuid( 1, &a, &b, &c, &d ) || !( c & bit_RDRND ) ) return;
  for( uint32_t i = 0; i < 4; i++ ) {
    unsigned long long word = 0;
    if( _rdrand64_step( &word ) ) out[i] = word;
  }
}

/* What goes into one nonce: 1 if the kernel gave its part. */
static int source_fill( sf_nonce_source_t * source, uint64_t counter ) {
  *source = ( sf_nonce_source_t ){ .domain  = "sniperforge nonce made ahead",
                                   .counter = counter,
                                   .real_ns = sf_clock_real_ns(),
                                   .tsc     = __builtin_ia32_rdtsc() };
  processor_random( source->processor );
  return getrandom( source->system, sizeof( source->system ), GRND_NONBLOCK ) == sizeof( source->system );
}

int sf_nonces_make( sf_nonces_t * n, uint8_t const prefix[32] ) {
  if( n->ready == n->slots ) return 0;
  if( !source_fill( &n->work.source, n->counter ) ) {
    sodium_memzero( &n->work, sizeof( n->work ) );
    return 0;
  }
  n->counter++;
  sf_nonce_t * nonce = &n->slot[( n->first + n->ready ) % n->slots];
  sf_nonces_scalar( &n->work, prefix, nonce->scalar );
  if( crypto_scalarmult_ed25519_base_noclamp( nonce->point, nonce->scalar ) ) return 0; /* r = 0: once in 2^252 */
  n->ready++;
  return 1;
}

sf_nonce_t * sf_nonces_take( sf_nonces_t * n ) {
  if( !n->ready ) return NULL;
  uint32_t found = sf_continuity_look( &n->continuity );
  if( found ) {
    drop( n, found );
    return NULL;
  }
  sf_nonce_t * nonce = &n->slot[n->first];
  n->first           = ( n->first + 1 ) % n->slots;
  n->ready--;
  return nonce;
}

void sf_nonces_look( sf_nonces_t * n ) {
  if( !n->slots ) return;
  uint64_t now   = n->continuity.last.monotonic_ns;
  int closely    = now - n->closely_ns > CLOSELY_NS;
  uint32_t found = closely ? sf_continuity_look_closely( &n->continuity ) : sf_continuity_look( &n->continuity );
  if( closely ) n->closely_ns = now;
  if( found ) drop( n, found );
}
