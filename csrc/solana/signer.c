#include "solana/signer.h"

#define OPENSSL_SUPPRESS_DEPRECATED /* SHA512_CTX can stand in locked memory, which EVP's contexts cannot */
#include <openssl/sha.h>
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "sf_abi.h"
#include "solana/keyfile.h"

struct sf_signer_key {
  uint8_t scalar[32]; /* a */
  uint8_t prefix[32];
};

struct sf_signer_work {
  SHA512_CTX hash;
  uint8_t digest[64];
  uint8_t nonce[32];     /* r */
  uint8_t challenge[32]; /* k */
  uint8_t product[32];   /* k*a */
};

/* a and the prefix of a secret in libsodium's form (seed and public key). */
static void key_expand( sf_signer_key_t * key, sf_signer_work_t * work, uint8_t const secret[64] ) {
  SHA512_Init( &work->hash );
  SHA512_Update( &work->hash, secret, 32 );
  SHA512_Final( work->digest, &work->hash );
  memcpy( key->scalar, work->digest, 32 );
  memcpy( key->prefix, work->digest + 32, 32 );
  key->scalar[0] &= 248;
  key->scalar[31] = (uint8_t)( ( key->scalar[31] & 127 ) | 64 );
  sodium_memzero( work, sizeof( *work ) );
}

int sf_signer_open( sf_signer_t * s, char const * path, int passphrase_fd ) {
  memset( s, 0, sizeof( *s ) );
  if( sodium_init() < 0 ) return sf_err_set( SF_ERR_CRYPTO, "libsodium does not start" );
  s->key           = sodium_malloc( sizeof( *s->key ) );
  s->work          = sodium_malloc( sizeof( *s->work ) );
  uint8_t * secret = sodium_malloc( 64 );
  int err          = 0;
  if( !s->key || !s->work || !secret )
    err = sf_err_set( SF_ERR_SYS, "no locked memory for the key; raise `ulimit -l`" );
  if( !err ) err = sf_keyfile_read( path, passphrase_fd, secret );
  if( !err ) {
    memcpy( s->public_key, secret + 32, 32 );
    key_expand( s->key, s->work, secret );
    sodium_mprotect_readonly( s->key );
  }
  sodium_free( secret ); /* wipes it */
  if( err ) sf_signer_close( s );
  return err;
}

/* The scalar of a signature whose point stands there, made with r; wipes what was computed on the way. */
static void respond( sf_signer_t * s, uint8_t signature[64], uint8_t const nonce[32], uint8_t const * message,
                     uint64_t len ) {
  sf_signer_work_t * w = s->work;
  SHA512_Init( &w->hash );
  SHA512_Update( &w->hash, signature, 32 );
  SHA512_Update( &w->hash, s->public_key, 32 );
  SHA512_Update( &w->hash, message, len );
  SHA512_Final( w->digest, &w->hash );
  crypto_core_ed25519_scalar_reduce( w->challenge, w->digest );
  crypto_core_ed25519_scalar_mul( w->product, w->challenge, s->key->scalar );
  crypto_core_ed25519_scalar_add( signature + 32, w->product, nonce );
  sodium_memzero( w, sizeof( *w ) );
}

void sf_signer_sign( sf_signer_t * s, uint8_t signature[64], uint8_t const * message, uint64_t len ) {
  sf_signer_work_t * w = s->work;
  SHA512_Init( &w->hash );
  SHA512_Update( &w->hash, s->key->prefix, 32 );
  SHA512_Update( &w->hash, message, len );
  SHA512_Final( w->digest, &w->hash );
  crypto_core_ed25519_scalar_reduce( w->nonce, w->digest );
  (void)crypto_scalarmult_ed25519_base_noclamp( signature, w->nonce ); /* fails for r = 0 only: once in 2^252 */
  respond( s, signature, w->nonce, message, len );
}

int sf_signer_make_nonce( sf_signer_t * s, sf_nonces_t * nonces ) { return sf_nonces_make( nonces, s->key->prefix ); }

int sf_signer_sign_ready( sf_signer_t * s, sf_nonces_t * nonces, uint8_t signature[64], uint8_t const * message,
                          uint64_t len ) {
  sf_nonce_t * nonce = sf_nonces_take( nonces );
  if( !nonce ) return 0;
  memcpy( signature, nonce->point, 32 );
  respond( s, signature, nonce->scalar, message, len );
  sodium_memzero( nonce, sizeof( *nonce ) );
  return 1;
}

void sf_signer_close( sf_signer_t * s ) {
  sodium_free( s->key ); /* wipes them */
  sodium_free( s->work );
  memset( s, 0, sizeof( *s ) );
}
