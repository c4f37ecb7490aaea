#include "io/tls.h"
#include "base/err.h"
#include "sf_abi.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

/* -- the transport as OpenSSL sees it ------------------------------------- */

static int bio_moved( BIO * bio, int64_t n, size_t * done, int again ) {
  BIO_clear_retry_flags( bio );
  *done = n > 0 ? (size_t)n : 0;
  if( n > 0 ) return 1;
  if( !n ) BIO_set_flags( bio, again | BIO_FLAGS_SHOULD_RETRY );
  else ( (sf_tls_t *)BIO_get_data( bio ) )->broken = 1;
  return 0;
}

static int bio_read( BIO * bio, char * p, size_t n, size_t * done ) {
  sf_tls_t * t = BIO_get_data( bio );
  return bio_moved( bio, t->transport.receive( t->transport.self, p, n ), done, BIO_FLAGS_READ );
}

static int bio_write( BIO * bio, char const * p, size_t n, size_t * done ) {
  sf_tls_t * t = BIO_get_data( bio );
  return bio_moved( bio, t->transport.send( t->transport.self, p, n ), done, BIO_FLAGS_WRITE );
}

static long bio_ctrl( BIO * bio, int cmd, long num, void * ptr ) {
  (void)bio;
  (void)num;
  (void)ptr;
  return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD * bio_method( void ) {
  static BIO_METHOD * method; /* made once, in the first init; kept to the end */
  BIO_METHOD * made = __atomic_load_n( &method, __ATOMIC_ACQUIRE );
  if( made ) return made;
  BIO_METHOD * m = BIO_meth_new( BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport" );
  if( !m || !BIO_meth_set_read_ex( m, bio_read ) || !BIO_meth_set_write_ex( m, bio_write ) ||
      !BIO_meth_set_ctrl( m, bio_ctrl ) ) {
    BIO_meth_free( m );
    return NULL;
  }
  BIO_METHOD * expected = NULL;
  if( __atomic_compare_exchange_n( &method, &expected, m, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE ) ) return m;
  BIO_meth_free( m );
  return expected;
}

static char const * reason( void ) {
  unsigned long e = ERR_peek_last_error();
  char const * s  = e ? ERR_reason_error_string( e ) : NULL;
  return s ? s : "unknown reason";
}

/* -- context -------------------------------------------------------------- */

int sf_tls_context_open( void ** context, char const * ca_path ) {
  *context = NULL;
  ERR_clear_error();
  SSL_CTX * c = SSL_CTX_new( TLS_client_method() );
  if( !c ) return sf_err_set( SF_ERR_CRYPTO, "TLS cannot be set up: %s", reason() );
  SSL_CTX_set_min_proto_version( c, TLS1_2_VERSION );
  SSL_CTX_set_verify( c, SSL_VERIFY_PEER, NULL );
  SSL_CTX_set_mode( c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER );
  SSL_CTX_set_read_ahead( c, 1 );
  SSL_CTX_set_default_read_buffer_len( c, 65536 );
  int given = ca_path && *ca_path;
  int ok    = given ? SSL_CTX_load_verify_file( c, ca_path ) : SSL_CTX_set_default_verify_paths( c );
  if( !ok ) {
    SSL_CTX_free( c );
    return sf_err_set( SF_ERR_CRYPTO, "certificates to trust cannot be read from %s: %s",
                       given ? ca_path : "the system", reason() );
  }
  *context = c;
  return 0;
}

void sf_tls_context_close( void * context ) { SSL_CTX_free( context ); }

/* -- session -------------------------------------------------------------- */

int sf_tls_open( sf_tls_t * t, void * context, char const * host, sf_tls_transport_t const * transport ) {
  ERR_clear_error();
  *t                  = ( sf_tls_t ){ .transport = *transport };
  BIO_METHOD * method = bio_method();
  SSL * ssl           = SSL_new( context );
  BIO * bio           = method && ssl ? BIO_new( method ) : NULL;
  if( !bio ) {
    SSL_free( ssl );
    return sf_err_set( SF_ERR_CRYPTO, "TLS session cannot be made: %s", reason() );
  }
  BIO_set_data( bio, t );
  BIO_set_init( bio, 1 );
  SSL_set_bio( ssl, bio, bio );
  t->ssl = ssl;

  uint8_t address[16];
  int numeric = inet_pton( AF_INET, host, address ) == 1 || inet_pton( AF_INET6, host, address ) == 1;
  int ok      = numeric ? X509_VERIFY_PARAM_set1_ip_asc( SSL_get0_param( ssl ), host )
                        : SSL_set1_host( ssl, host ) && SSL_set_tlsext_host_name( ssl, host );
  static uint8_t const protocols[] = "\x08http/1.1";
  if( !ok || SSL_set_alpn_protos( ssl, protocols, sizeof( protocols ) - 1 ) ) {
    sf_tls_close( t );
    return sf_err_set( SF_ERR_CRYPTO, "TLS: host %s cannot be verified by name: %s", host, reason() );
  }
  SSL_set_connect_state( ssl );
  return 0;
}

void sf_tls_close( sf_tls_t * t ) {
  if( !t->ssl ) return;
  ERR_clear_error();
  if( !t->broken && SSL_is_init_finished( t->ssl ) ) SSL_shutdown( t->ssl );
  SSL_free( t->ssl );
  t->ssl = NULL;
}

/* outcome turns what an SSL_ call returned into our codes: 0 = not now. */
static int outcome( sf_tls_t * t, int ret ) {
  int err = SSL_get_error( t->ssl, ret );
  if( err == SSL_ERROR_WANT_READ || err == SSL_ERROR_WANT_WRITE ) return 0;
  if( err == SSL_ERROR_SSL ) return SF_ERR_CRYPTO;
  return SF_ERR_IO;
}

int sf_tls_handshake( sf_tls_t * t ) {
  ERR_clear_error();
  int ret = SSL_do_handshake( t->ssl );
  if( ret == 1 ) return 1;
  int err = outcome( t, ret );
  if( err != SF_ERR_CRYPTO ) return err;
  t->broken   = 1;
  long verify = SSL_get_verify_result( t->ssl );
  return sf_err_set( SF_ERR_CRYPTO, "TLS handshake refused: %s",
                     verify != X509_V_OK ? X509_verify_cert_error_string( verify ) : reason() );
}

int64_t sf_tls_receive( sf_tls_t * t, void * p, uint64_t n ) {
  ERR_clear_error();
  size_t done = 0;
  int ret     = SSL_read_ex( t->ssl, p, n, &done );
  if( ret == 1 ) return (int64_t)done;
  int err = outcome( t, ret );
  return err ? SF_ERR_IO : 0;
}

int64_t sf_tls_send( sf_tls_t * t, void const * p, uint64_t n ) {
  ERR_clear_error();
  size_t done = 0;
  int ret     = SSL_write_ex( t->ssl, p, n, &done );
  if( ret == 1 ) return (int64_t)done;
  int err = outcome( t, ret );
  return err ? SF_ERR_IO : 0;
}
