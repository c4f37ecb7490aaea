/* test_signer.c: the signer's signatures are libsodium's and OpenSSL's, bit for bit, for many keys and messages of every
   length. */

#include <openssl/evp.h>

#include "order_fixture.h"
#include "solana/signer.h"

static void key_write( char const * path, uint8_t const secret[64] ) {
  FILE * file = fopen( path, "w" );
  CHECK( file && !fchmod( fileno( file ), 0600 ) );
  for( int i = 0; i < 64; i++ ) fprintf( file, "%c%u", i ? ',' : '[', secret[i] );
  fprintf( file, "]\n" );
  fclose( file );
}

static void openssl_sign( uint8_t const secret[64], uint8_t const * message, uint64_t len, uint8_t out[64] ) {
  size_t out_len    = 64;
  EVP_PKEY * key    = EVP_PKEY_new_raw_private_key( EVP_PKEY_ED25519, NULL, secret, 32 );
  EVP_MD_CTX * sign = EVP_MD_CTX_new();
  CHECK( key && sign && EVP_DigestSignInit( sign, NULL, NULL, NULL, key ) == 1 );
  CHECK( EVP_DigestSign( sign, out, &out_len, message, len ) == 1 && out_len == 64 );
  EVP_MD_CTX_free( sign );
  EVP_PKEY_free( key );
}

static void signatures_are_those_of_others( char const * path ) {
  uint8_t public_key[32], secret[64], message[1232], a[64], b[64], c[64];
  sf_signer_t s;
  for( uint32_t key = 0; key < 20; key++ ) {
    crypto_sign_keypair( public_key, secret );
    key_write( path, secret );
    CHECK( !sf_signer_open( &s, path, -1 ) && !memcmp( s.public_key, public_key, 32 ) );
    for( uint32_t n = 0; n < 200; n++ ) {
      uint64_t len = n < 150 ? n : 150 + randombytes_uniform( sizeof( message ) - 150 );
      randombytes_buf( message, len );
      sf_signer_sign( &s, a, message, len );
      crypto_sign_detached( b, NULL, message, len, secret );
      openssl_sign( secret, message, len, c );
      CHECK( !memcmp( a, b, 64 ) && !memcmp( a, c, 64 ) );
      CHECK( !crypto_sign_verify_detached( a, message, len, public_key ) );
    }
    sf_signer_close( &s );
  }
}

/* RFC 8032, 7.1: TEST 1, TEST 2, TEST SHA(abc). */
static void vectors_of_the_rfc( char const * path ) {
  static char const * const vector[3][3] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
      "655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
      "b00d291612bb0c00" },
    { "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e"
      "2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17a"
      "d9bef1177331a704" },
  };
  for( uint32_t i = 0; i < 3; i++ ) {
    uint8_t seed[32], public_key[32], secret[64], message[64], want[64], got[64];
    size_t len = 0;
    CHECK( !sodium_hex2bin( seed, 32, vector[i][0], 64, NULL, NULL, NULL ) );
    CHECK( !sodium_hex2bin( message, 64, vector[i][1], strlen( vector[i][1] ), NULL, &len, NULL ) );
    CHECK( !sodium_hex2bin( want, 64, vector[i][2], 128, NULL, NULL, NULL ) );
    crypto_sign_seed_keypair( public_key, secret, seed );
    key_write( path, secret );
    sf_signer_t s;
    CHECK( !sf_signer_open( &s, path, -1 ) );
    sf_signer_sign( &s, got, message, len );
    CHECK( !memcmp( got, want, 64 ) );
    sf_signer_close( &s );
  }
}

static void what_does_not_open( char const * path ) {
  sf_signer_t s;
  CHECK( !unlink( path ) );
  CHECK( sf_signer_open( &s, path, -1 ) == SF_ERR_SYS && !s.key && !s.work );
  sf_signer_close( &s );
}

int main( void ) {
  static fixture_t fixture;
  fixture_open( &fixture );
  signatures_are_those_of_others( fixture.key_path );
  vectors_of_the_rfc( fixture.key_path );
  what_does_not_open( fixture.key_path );
  fixture_close( &fixture );
  printf( "test_signer: ok\n" );
  return 0;
}
