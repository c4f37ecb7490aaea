/* tls.h: TLS by OpenSSL over a transport that its owner supplies, so that the
   bytes may come from recv or from io_uring.  The peer's certificate chain and
   its host name or address are always verified; TLS 1.2 is the oldest allowed. */

#ifndef SF_IO_TLS_H
#define SF_IO_TLS_H
#include <stdint.h>

/* Moves bytes like sf_tcp_receive and sf_tcp_send. */
typedef struct sf_tls_transport {
  int64_t ( *receive )( void * self, void * p, uint64_t n );
  int64_t ( *send )( void * self, void const * p, uint64_t n );
  void * self;
} sf_tls_transport_t;

typedef struct sf_tls {
  void * ssl;
  sf_tls_transport_t transport;
  uint8_t broken; /* the transport has failed */
} sf_tls_t;

/* sf_tls_context_open makes what all sessions of a peer share.  ca_path names a
   file with the certificates to trust; "" or NULL = the system's.  Returns 0, or
   SF_ERR_CRYPTO with a sentence. */
int sf_tls_context_open( void ** context, char const * ca_path );
void sf_tls_context_close( void * context );

/* sf_tls_open begins a session; host is a name or a numeric address.  t must
   not move until sf_tls_close.  Returns 0 or SF_ERR_CRYPTO. */
int sf_tls_open( sf_tls_t * t, void * context, char const * host, sf_tls_transport_t const * transport );
void sf_tls_close( sf_tls_t * t );

/* sf_tls_handshake goes on with the handshake: 1 = done, 0 = wait, SF_ERR_IO =
   the transport broke, SF_ERR_CRYPTO = refused, with a sentence. */
int sf_tls_handshake( sf_tls_t * t );

/* sf_tls_receive and sf_tls_send are sf_tcp_receive and sf_tcp_send through the
   session. */
int64_t sf_tls_receive( sf_tls_t * t, void * p, uint64_t n );
int64_t sf_tls_send( sf_tls_t * t, void const * p, uint64_t n );

#endif
