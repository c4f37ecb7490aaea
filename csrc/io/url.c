#include "io/url.h"
#include "base/err.h"
#include "sf_abi.h"
#include <stdio.h>
#include <string.h>

static struct {
  char const * prefix;
  uint16_t port;
  uint8_t tls;
  uint8_t websocket;
} const schemes[] = {
  { "ws://", 80, 0, 1 },
  { "wss://", 443, 1, 1 },
  { "http://", 80, 0, 0 },
  { "https://", 443, 1, 0 },
};

int sf_url_parse( sf_url_t * url, char const * text ) {
  memset( url, 0, sizeof( *url ) );
  char const * p    = NULL;
  uint16_t own_port = 0;
  for( uint32_t i = 0; i < sizeof( schemes ) / sizeof( schemes[0] ); i++ ) {
    uint64_t n = strlen( schemes[i].prefix );
    if( strncmp( text, schemes[i].prefix, n ) ) continue;
    p              = text + n;
    own_port       = schemes[i].port;
    url->tls       = schemes[i].tls;
    url->websocket = schemes[i].websocket;
  }
  if( !p ) return sf_err_set( SF_ERR_ARG, "a URL begins with ws://, wss://, http:// or https://" );
  for( char const * c = text; *c; c++ ) {
    if( *c <= ' ' || *c >= '\x7f' || *c == '#' )
      return sf_err_set( SF_ERR_ARG, "a URL has only printable ASCII, no space and no fragment" );
  }

  uint64_t authority_len = strcspn( p, "/?" );
  if( memchr( p, '@', authority_len ) )
    return sf_err_set( SF_ERR_ARG, "a URL has no user name or password before its host" );
  char const * end  = p + authority_len;
  char const * host = p;
  uint64_t host_len;
  char const * rest; /* what follows the host: nothing, or a colon and the port */
  int bracket = *p == '[';
  if( bracket ) {
    char const * close = memchr( p, ']', authority_len );
    if( !close ) return sf_err_set( SF_ERR_ARG, "an IPv6 host in a URL ends with ]" );
    host     = p + 1;
    host_len = (uint64_t)( close - host );
    rest     = close + 1;
  } else {
    char const * colon = memchr( p, ':', authority_len );
    rest               = colon ? colon : end;
    host_len           = (uint64_t)( rest - p );
  }
  if( !host_len || host_len >= SF_URL_HOST_MAX )
    return sf_err_set( SF_ERR_ARG, "a URL names a host of at most %d characters", SF_URL_HOST_MAX - 1 );
  memcpy( url->host, host, host_len );

  uint32_t port = own_port;
  if( rest < end ) {
    if( *rest != ':' || rest + 1 == end || end - rest > 6 )
      return sf_err_set( SF_ERR_ARG, "the port of host %s is a number from 1 to 65535", url->host );
    port = 0;
    for( char const * c = rest + 1; c < end; c++ ) {
      if( *c < '0' || *c > '9' )
        return sf_err_set( SF_ERR_ARG, "the port of host %s is a number from 1 to 65535", url->host );
      port = port * 10 + (uint32_t)( *c - '0' );
    }
    if( !port || port > 65535 )
      return sf_err_set( SF_ERR_ARG, "the port of host %s is a number from 1 to 65535", url->host );
  }
  url->port = (uint16_t)port;

  uint64_t path_len = strlen( end );
  if( path_len + 2 > SF_URL_PATH_MAX )
    return sf_err_set( SF_ERR_ARG, "the path of the URL of host %s has more than %d characters", url->host,
                       SF_URL_PATH_MAX - 2 );
  snprintf( url->path, sizeof( url->path ), "%s%s", *end == '/' ? "" : "/", end );

  char const * open  = bracket ? "[" : "";
  char const * close = bracket ? "]" : "";
  if( port == own_port ) snprintf( url->authority, sizeof( url->authority ), "%s%s%s", open, url->host, close );
  else snprintf( url->authority, sizeof( url->authority ), "%s%s%s:%u", open, url->host, close, port );
  return 0;
}
