#include "solana/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "sf_abi.h"
#include "solana/base58.h"

#define OPERATIONS_MAX   64
#define MEMORY_BYTES_MIN ( 1ul << 20 )
#define MEMORY_BYTES_MAX ( 1ul << 30 )
#define SEALED_BYTES     ( 64 + crypto_aead_xchacha20poly1305_ietf_ABYTES )

/* What is wiped when the reading is over: lives in locked memory. */
typedef struct scratch {
  char text[SF_KEYFILE_BYTES_MAX + 1];
  char passphrase[SF_PASSPHRASE_BYTES_MAX + 1];
  uint8_t key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
  uint8_t plain[SEALED_BYTES];
  uint8_t again[64];
} scratch_t;

typedef struct sealed {
  uint8_t public_key[32];
  uint64_t operations;
  uint64_t memory_bytes;
  uint8_t salt[crypto_pwhash_SALTBYTES];
  uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
  uint8_t box[SEALED_BYTES];
} sealed_t;

/* Reads up to max bytes until the end; returns how many, -1 with errno, or max+1 if there are more. */
static long read_all( int fd, char * out, long max ) {
  long n = 0;
  while( n <= max ) {
    long got = read( fd, out + n, (size_t)( max + 1 - n ) );
    if( got < 0 && errno == EINTR ) continue;
    if( got < 0 ) return -1;
    if( !got ) break;
    n += got;
  }
  return n;
}

/* Opens the file, checks who may read it, and reads it. */
static int read_text( char const * path, char * text ) {
  int fd = open( path, O_RDONLY | O_CLOEXEC | O_NONBLOCK );
  if( fd < 0 ) return sf_err_set( SF_ERR_SYS, "key file %s: cannot be opened: %s", path, strerror( errno ) );
  struct stat st;
  int err = 0;
  if( fstat( fd, &st ) ) {
    err = sf_err_set( SF_ERR_SYS, "key file %s: %s", path, strerror( errno ) );
  } else if( !S_ISREG( st.st_mode ) ) {
    err = sf_err_set( SF_ERR_STATE, "key file %s: is not a regular file", path );
  } else if( st.st_uid != geteuid() ) {
    err = sf_err_set( SF_ERR_STATE, "key file %s: belongs to user %u, not to %u who runs this; do: chown %u %s", path,
                      st.st_uid, geteuid(), geteuid(), path );
  } else if( st.st_mode & 077 ) {
    err = sf_err_set( SF_ERR_STATE, "key file %s: others can read or change it (mode %04o); do: chmod 600 %s", path,
                      (unsigned)( st.st_mode & 07777 ), path );
  } else {
    long n = read_all( fd, text, SF_KEYFILE_BYTES_MAX );
    if( n < 0 ) err = sf_err_set( SF_ERR_SYS, "key file %s: %s", path, strerror( errno ) );
    else if( n > SF_KEYFILE_BYTES_MAX || (size_t)n != strnlen( text, (size_t)n ) )
      err = sf_err_set( SF_ERR_DATA, "key file %s: is not a key file", path );
    else text[n] = '\0';
  }
  close( fd );
  return err;
}

static char const * skip_space( char const * at ) {
  while( *at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' ) at++;
  return at;
}

/* Moves *at behind the character `c` and the space around it; 0 if it is not there. */
static int take( char const ** at, char c ) {
  char const * p = skip_space( *at );
  if( *p != c ) return 0;
  *at = skip_space( p + 1 );
  return 1;
}

static int take_number( char const ** at, uint64_t * out ) {
  char const * p = *at;
  if( *p < '0' || *p > '9' || ( *p == '0' && p[1] >= '0' && p[1] <= '9' ) ) return 0;
  uint64_t value = 0;
  for( ; *p >= '0' && *p <= '9'; p++ ) {
    value = value * 10u + (uint64_t)( *p - '0' );
    if( value > UINT32_MAX ) return 0;
  }
  *out = value;
  *at  = p;
  return 1;
}

/* Text between quotes; none of ours needs an escape. */
static int take_text( char const ** at, char * out, uint32_t out_bytes ) {
  if( **at != '"' ) return 0;
  char const * p = *at + 1;
  uint32_t n     = 0;
  for( ; *p && *p != '"'; p++ ) {
    if( *p == '\\' || n + 1 >= out_bytes ) return 0;
    out[n++] = *p;
  }
  if( *p != '"' ) return 0;
  out[n] = '\0';
  *at    = p + 1;
  return 1;
}

static int take_hex( char const ** at, uint8_t * out, uint32_t n ) {
  char text[2 * SEALED_BYTES + 1];
  size_t got = 0;
  return take_text( at, text, sizeof( text ) ) && !sodium_hex2bin( out, n, text, strlen( text ), NULL, &got, NULL ) &&
         got == n && strlen( text ) == 2 * n;
}

static int take_word( char const ** at, char const * word ) {
  char text[64];
  return take_text( at, text, sizeof( text ) ) && !strcmp( text, word );
}

static int parse_array( char const * text, uint8_t out[64] ) {
  if( !take( &text, '[' ) ) return 0;
  for( uint32_t i = 0; i < 64; i++ ) {
    uint64_t value = 0;
    if( ( i && !take( &text, ',' ) ) || !take_number( &text, &value ) || value > 255 ) return 0;
    out[i] = (uint8_t)value;
  }
  return take( &text, ']' ) && !*text;
}

static int parse_sealed( char const * text, sealed_t * out ) {
  static char const * const name[9] = { "format", "public_key", "kdf",   "operations", "memory_bytes",
                                        "salt",   "cipher",     "nonce", "sealed" };
  uint32_t seen                     = 0;
  if( !take( &text, '{' ) ) return 0;
  for( uint32_t i = 0; i < 9; i++ ) {
    char key[32];
    char address[SF_PUBKEY_TEXT_MAX];
    uint32_t which = 0;
    if( ( i && !take( &text, ',' ) ) || !take_text( &text, key, sizeof( key ) ) || !take( &text, ':' ) ) return 0;
    while( which < 9 && strcmp( key, name[which] ) ) which++;
    if( which == 9 || ( seen >> which & 1u ) ) return 0;
    seen |= 1u << which;
    int ok = which == 0 ? take_word( &text, "sniperforge-key-1" )
             : which == 1
                 ? take_text( &text, address, sizeof( address ) ) && !sf_pubkey_decode( address, out->public_key )
             : which == 2 ? take_word( &text, "argon2id13" )
             : which == 3 ? take_number( &text, &out->operations )
             : which == 4 ? take_number( &text, &out->memory_bytes )
             : which == 5 ? take_hex( &text, out->salt, sizeof( out->salt ) )
             : which == 6 ? take_word( &text, "xchacha20poly1305-ietf" )
             : which == 7 ? take_hex( &text, out->nonce, sizeof( out->nonce ) )
                          : take_hex( &text, out->box, sizeof( out->box ) );
    if( !ok ) return 0;
  }
  return take( &text, '}' ) && !*text;
}

static int read_passphrase( char const * path, int fd, scratch_t * s, size_t * len ) {
  if( fd < 0 )
    return sf_err_set( SF_ERR_CRYPTO, "key file %s: is encrypted; give its passphrase in SNIPERFORGE_PASSPHRASE",
                       path );
  long n = read_all( fd, s->passphrase, SF_PASSPHRASE_BYTES_MAX );
  if( n < 0 ) return sf_err_set( SF_ERR_SYS, "passphrase: cannot be read: %s", strerror( errno ) );
  if( n > SF_PASSPHRASE_BYTES_MAX )
    return sf_err_set( SF_ERR_ARG, "passphrase: longer than %d bytes", SF_PASSPHRASE_BYTES_MAX );
  if( n && s->passphrase[n - 1] == '\n' ) n--;
  *len = (size_t)n;
  return 0;
}

static int unseal( char const * path, int passphrase_fd, scratch_t * s ) {
  sealed_t sealed;
  if( !parse_sealed( s->text, &sealed ) )
    return sf_err_set( SF_ERR_DATA, "key file %s: is not an encrypted key as `sniperforge wallet encrypt` writes it",
                       path );
  if( sealed.operations < 1 || sealed.operations > OPERATIONS_MAX || sealed.memory_bytes < MEMORY_BYTES_MIN ||
      sealed.memory_bytes > MEMORY_BYTES_MAX )
    return sf_err_set( SF_ERR_DATA, "key file %s: operations must be 1..%d and memory_bytes %lu..%lu", path,
                       OPERATIONS_MAX, MEMORY_BYTES_MIN, MEMORY_BYTES_MAX );
  size_t len = 0;
  int err    = read_passphrase( path, passphrase_fd, s, &len );
  if( err ) return err;
  if( crypto_pwhash( s->key, sizeof( s->key ), s->passphrase, len, sealed.salt, sealed.operations, sealed.memory_bytes,
                     crypto_pwhash_ALG_ARGON2ID13 ) )
    return sf_err_set( SF_ERR_SYS, "key file %s: no %lu bytes of memory to derive the key", path, sealed.memory_bytes );
  if( crypto_aead_xchacha20poly1305_ietf_decrypt( s->plain, NULL, NULL, sealed.box, sizeof( sealed.box ),
                                                  sealed.public_key, 32, sealed.nonce, s->key ) )
    return sf_err_set( SF_ERR_CRYPTO, "key file %s: wrong passphrase, or the file was changed", path );
  if( memcmp( s->plain + 32, sealed.public_key, 32 ) )
    return sf_err_set( SF_ERR_CRYPTO, "key file %s: its public_key is not that of the sealed key", path );
  return 0;
}

static int read_key( char const * path, int passphrase_fd, scratch_t * s, uint8_t secret[64] ) {
  int err = read_text( path, s->text );
  if( err ) return err;
  if( *skip_space( s->text ) == '{' ) err = unseal( path, passphrase_fd, s );
  else if( !parse_array( s->text, s->plain ) )
    err = sf_err_set( SF_ERR_DATA, "key file %s: is neither an array of 64 numbers nor an encrypted key", path );
  if( err ) return err;

  uint8_t public_key[32];
  crypto_sign_seed_keypair( public_key, s->again, s->plain );
  if( memcmp( public_key, s->plain + 32, 32 ) )
    return sf_err_set( SF_ERR_CRYPTO, "key file %s: the public key in it does not belong to the secret", path );
  memcpy( secret, s->plain, 64 );
  return 0;
}

int sf_keyfile_read( char const * path, int passphrase_fd, uint8_t secret[64] ) {
  int err       = sodium_init() < 0 ? sf_err_set( SF_ERR_CRYPTO, "libsodium does not start" ) : 0;
  scratch_t * s = err ? NULL : sodium_malloc( sizeof( scratch_t ) );
  if( !err && !s ) err = sf_err_set( SF_ERR_SYS, "key file %s: no locked memory; raise `ulimit -l`", path );
  if( !err ) err = read_key( path, passphrase_fd, s, secret );
  if( s ) sodium_free( s ); /* wipes it */
  if( passphrase_fd >= 0 ) close( passphrase_fd );
  return err;
}
