#include "io/stream.h"
#include "base/err.h"
#include "sf_abi.h"
#include <string.h>
#include <unistd.h>

int sf_endpoint_open( sf_endpoint_t * e, char const * url, char const * ca_path ) {
  memset( e, 0, sizeof( *e ) );
  int err = sf_url_parse( &e->url, url );
  if( !err ) err = sf_tcp_resolve( &e->peer, e->url.host, e->url.port );
  if( !err && e->url.tls ) err = sf_tls_context_open( &e->tls, ca_path );
  return err;
}

void sf_endpoint_close( sf_endpoint_t * e ) {
  if( e->tls ) sf_tls_context_close( e->tls );
  e->tls = NULL;
}

void sf_stream_init( sf_stream_t * s, sf_endpoint_t * e ) { *s = ( sf_stream_t ){ .endpoint = e, .fd = -1 }; }

static int64_t raw_receive( void * self, void * p, uint64_t n ) {
  sf_stream_t * s = self;
  return s->multishot && !s->multishot->refused ? sf_multishot_receive( s->multishot, p, n )
                                                : sf_tcp_receive( s->fd, p, n );
}

static int64_t raw_send( void * self, void const * p, uint64_t n ) {
  sf_stream_t * s = self;
  int64_t got     = sf_tcp_send( s->fd, p, n );
  if( got > 0 ) s->sent += (uint64_t)got;
  return got;
}

int sf_stream_connect( sf_stream_t * s ) {
  int fd = sf_tcp_connect( &s->endpoint->peer );
  if( fd < 0 ) {
    s->endpoint->peer.next++;
    return fd;
  }
  s->fd    = fd;
  s->sent  = 0;
  s->state = SF_STREAM_CONNECTING;
  return 0;
}

int sf_stream_step( sf_stream_t * s ) {
  if( s->state == SF_STREAM_CONNECTING ) {
    int err = sf_tcp_connected( s->fd );
    if( err == 1 && s->multishot && !s->multishot->refused ) sf_multishot_follow( s->multishot, s->fd );
    if( err == 1 && s->endpoint->tls ) {
      sf_tls_transport_t transport = { raw_receive, raw_send, s };
      err                          = sf_tls_open( &s->tls, s->endpoint->tls, s->endpoint->url.host, &transport );
      if( !err ) s->state = SF_STREAM_SECURING;
    }
    if( err == 1 ) s->state = SF_STREAM_OPEN;
    if( err < 0 ) {
      sf_stream_close( s );
      return err;
    }
  }
  if( s->state == SF_STREAM_SECURING ) {
    int err = sf_tls_handshake( &s->tls );
    if( err == 1 ) s->state = SF_STREAM_OPEN;
    if( err < 0 ) {
      sf_stream_close( s );
      return err;
    }
  }
  return s->state == SF_STREAM_OPEN;
}

int64_t sf_stream_receive( sf_stream_t * s, void * p, uint64_t n ) {
  return s->tls.ssl ? sf_tls_receive( &s->tls, p, n ) : raw_receive( s, p, n );
}

int64_t sf_stream_send( sf_stream_t * s, void const * p, uint64_t n ) {
  return s->tls.ssl ? sf_tls_send( &s->tls, p, n ) : raw_send( s, p, n );
}

void sf_stream_close( sf_stream_t * s ) {
  if( s->state == SF_STREAM_CONNECTING || s->state == SF_STREAM_SECURING ) s->endpoint->peer.next++;
  sf_tls_close( &s->tls );
  if( s->multishot ) sf_multishot_drop( s->multishot );
  if( s->fd >= 0 ) close( s->fd );
  s->fd    = -1;
  s->state = SF_STREAM_CLOSED;
}
