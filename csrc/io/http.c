#include "io/http.h"
#include "base/err.h"
#include "sf_abi.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* -- head ----------------------------------------------------------------- */

static inline char lower( char c ) { return c >= 'A' && c <= 'Z' ? (char)( c | 32 ) : c; }

static int same_text( sf_span_t s, char const * word ) {
  return s.n == strlen( word ) && !strncasecmp( s.p, word, s.n );
}

/* has_word: is `word` one of the comma-separated words of s? */
static int has_word( sf_span_t s, char const * word ) {
  char const *p = s.p, *end = s.p + s.n;
  while( p < end ) {
    while( p < end && ( *p == ' ' || *p == '\t' || *p == ',' ) ) p++;
    char const * begin = p;
    while( p < end && *p != ',' ) p++;
    char const * last = p;
    while( last > begin && ( last[-1] == ' ' || last[-1] == '\t' ) ) last--;
    if( same_text( ( sf_span_t ){ begin, (uint64_t)( last - begin ) }, word ) ) return 1;
  }
  return 0;
}

/* number reads a decimal number that fills s.  Returns -1 if it is none. */
static int64_t number( sf_span_t s ) {
  if( !s.n || s.n > 15 ) return -1;
  int64_t v = 0;
  for( uint64_t i = 0; i < s.n; i++ ) {
    if( s.p[i] < '0' || s.p[i] > '9' ) return -1;
    v = v * 10 + ( s.p[i] - '0' );
  }
  return v;
}

static int field( sf_http_head_t * h, sf_span_t name, sf_span_t value ) {
  if( same_text( name, "content-length" ) ) {
    int64_t n = number( value );
    if( n < 0 || ( h->content_length >= 0 && h->content_length != n ) ) return SF_ERR_DATA;
    h->content_length = n;
  } else if( same_text( name, "transfer-encoding" ) ) {
    if( h->chunked || !same_text( value, "chunked" ) ) return SF_ERR_DATA;
    h->chunked = 1;
  } else if( same_text( name, "connection" ) ) {
    if( has_word( value, "close" ) ) h->keep_alive = 0;
    if( has_word( value, "keep-alive" ) ) h->keep_alive = 1;
    if( has_word( value, "upgrade" ) ) h->upgrade |= 1;
  } else if( same_text( name, "upgrade" ) ) {
    if( same_text( value, "websocket" ) ) h->upgrade |= 2;
  } else if( same_text( name, "retry-after" ) ) {
    int64_t s        = number( value );
    h->retry_after_s = s < 0 ? 0 : s > SF_HTTP_RETRY_MAX ? SF_HTTP_RETRY_MAX : (uint32_t)s;
  } else if( same_text( name, "sec-websocket-accept" ) ) {
    if( value.n >= sizeof( h->accept ) ) return SF_ERR_DATA;
    memcpy( h->accept, value.p, value.n );
    h->accept[value.n] = 0;
  } else if( same_text( name, "sec-websocket-extensions" ) || same_text( name, "sec-websocket-protocol" ) ) {
    h->extension = 1;
  }
  return 0;
}

static int is_token( char c ) {
  return ( c >= '0' && c <= '9' ) || ( lower( c ) >= 'a' && lower( c ) <= 'z' ) ||
         ( c && strchr( "!#$%&'*+-.^_`|~", c ) );
}

int sf_http_head_parse( sf_http_head_t * h, char const * p, uint64_t n ) {
  uint64_t scan               = n < SF_HTTP_HEAD_MAX ? n : SF_HTTP_HEAD_MAX;
  char const * blank          = memmem( p, scan, "\r\n\r\n", 4 );
  static char const version[] = "HTTP/1.";
  uint64_t known              = n < sizeof( version ) - 1 ? n : sizeof( version ) - 1;
  if( memcmp( p, version, known ) ) return SF_ERR_DATA;
  if( !blank ) return n < SF_HTTP_HEAD_MAX ? 0 : SF_ERR_DATA;

  *h               = ( sf_http_head_t ){ .content_length = -1, .bytes = (uint32_t)( blank - p ) + 4 };
  char const * end = blank + 2; /* behind the CR LF of the last line */
  if( blank - p < 12 || ( p[7] != '0' && p[7] != '1' ) || p[8] != ' ' ) return SF_ERR_DATA;
  int64_t status = number( ( sf_span_t ){ p + 9, 3 } );
  if( status < 100 || ( p[12] != ' ' && p[12] != '\r' ) ) return SF_ERR_DATA;
  h->status     = (uint32_t)status;
  h->keep_alive = p[7] == '1';

  char const * line = memchr( p, '\n', (uint64_t)( end - p ) );
  for( line++; line < end; ) {
    char const * stop = memchr( line, '\r', (uint64_t)( end - line ) );
    if( !stop || stop[1] != '\n' ) return SF_ERR_DATA;
    char const * colon = line;
    while( colon < stop && is_token( *colon ) ) colon++;
    if( colon == line || colon == stop || *colon != ':' ) return SF_ERR_DATA;
    char const *from = colon + 1, *to = stop;
    for( char const * c = from; c < to; c++ )
      if( ( (uint8_t)*c < 0x20 && *c != '\t' ) || *c == 0x7f ) return SF_ERR_DATA;
    while( from < to && ( *from == ' ' || *from == '\t' ) ) from++;
    while( from < to && ( to[-1] == ' ' || to[-1] == '\t' ) ) to--;
    sf_span_t name  = { line, (uint64_t)( colon - line ) };
    sf_span_t value = { from, (uint64_t)( to - from ) };
    if( field( h, name, value ) ) return SF_ERR_DATA;
    line = stop + 2;
  }
  h->upgrade = h->status == 101 && h->upgrade == 3;
  if( h->chunked && h->content_length >= 0 ) return SF_ERR_DATA;
  return 1;
}

/* -- body ----------------------------------------------------------------- */

#define PHASE_SIZE    0 /* size line of a chunk */
#define PHASE_DATA    1
#define PHASE_END     2 /* CR LF behind a chunk */
#define PHASE_TRAILER 3

static int hex( char c ) {
  if( c >= '0' && c <= '9' ) return c - '0';
  c = lower( c );
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* chunk_size reads a size line of n bytes, its CR LF not counted. */
static int chunk_size( uint64_t * size, char const * p, uint64_t n ) {
  uint64_t v = 0, i = 0;
  for( ; i < n && hex( p[i] ) >= 0; i++ ) {
    if( i == 12 ) return SF_ERR_DATA;
    v = v << 4 | (uint64_t)hex( p[i] );
  }
  if( !i || ( i < n && p[i] != ';' && p[i] != ' ' ) ) return SF_ERR_DATA;
  *size = v;
  return 0;
}

int sf_http_body_step( sf_http_body_t * b, sf_http_head_t const * h, char * p, uint64_t n ) {
  if( h->status < 200 || h->status == 204 || h->status == 304 ) return 1;
  if( !h->chunked ) {
    /* an answer without any length ends with its connection: content is not waited for */
    uint64_t whole = h->content_length < 0 ? 0 : (uint64_t)h->content_length;
    b->taken = b->length = n < whole ? n : whole;
    return n >= whole;
  }
  for( ;; ) {
    char * at     = p + b->taken;
    uint64_t have = n - b->taken;
    if( b->phase == PHASE_DATA ) {
      uint64_t part = have < b->left ? have : b->left;
      memmove( p + b->length, at, part );
      b->length += part;
      b->taken += part;
      b->left -= part;
      if( b->left ) return 0;
      b->phase = PHASE_END;
      continue;
    }
    uint64_t limit = have < 1024 ? have : 1024; /* longest line of framing */
    char * stop    = memchr( at, '\n', limit );
    if( !stop ) return have < 1024 ? 0 : SF_ERR_DATA;
    uint64_t line = (uint64_t)( stop - at );
    if( !line || stop[-1] != '\r' ) return SF_ERR_DATA;
    b->taken += line + 1;
    line--;
    if( b->phase == PHASE_SIZE ) {
      if( chunk_size( &b->left, at, line ) ) return SF_ERR_DATA;
      b->phase = b->left ? PHASE_DATA : PHASE_TRAILER;
    } else if( b->phase == PHASE_END ) {
      if( line ) return SF_ERR_DATA;
      b->phase = PHASE_SIZE;
    } else if( !line ) {
      return 1;
    }
  }
}

/* -- connection ----------------------------------------------------------- */

int sf_http_init( sf_http_t * h, sf_endpoint_t * e, uint64_t request_max, uint64_t answer_max ) {
  memset( h, 0, sizeof( *h ) );
  sf_stream_init( &h->stream, e );
  int n         = snprintf( h->prefix, sizeof( h->prefix ),
                            "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sniperforge\r\nAccept: application/json\r\n"
                                    "Content-Type: application/json\r\nContent-Length: ",
                            e->url.path, e->url.authority );
  h->prefix_len = (uint32_t)n;
  h->out_max    = request_max;
  h->in_max     = answer_max + SF_HTTP_HEAD_MAX;
  h->out        = malloc( sizeof( h->prefix ) + request_max );
  h->in         = malloc( h->in_max );
  if( !h->out || !h->in ) {
    sf_http_fini( h );
    return sf_err_set( SF_ERR_SYS, "no memory for a connection to %s", e->url.host );
  }
  return 0;
}

void sf_http_close( sf_http_t * h ) {
  sf_stream_close( &h->stream );
  h->state = SF_HTTP_CLOSED;
}

void sf_http_fini( sf_http_t * h ) {
  sf_http_close( h );
  free( h->out );
  free( h->in );
  h->out = h->in = NULL;
}

int sf_http_connect( sf_http_t * h ) {
  int err = sf_stream_connect( &h->stream );
  if( err ) return err;
  h->state = SF_HTTP_CONNECTING;
  return 0;
}

char * sf_http_request( sf_http_t * h ) { return h->out + sizeof( h->prefix ); }

void sf_http_post( sf_http_t * h, uint64_t n ) {
  char length[32];
  int digits  = snprintf( length, sizeof( length ), "%lu\r\n\r\n", n );
  h->out_from = sizeof( h->prefix ) - h->prefix_len - (uint64_t)digits;
  h->out_to   = sizeof( h->prefix ) + n;
  memcpy( h->out + h->out_from, h->prefix, h->prefix_len );
  memcpy( h->out + h->out_from + h->prefix_len, length, (uint64_t)digits );
  h->in_len      = 0;
  h->head.bytes  = 0;
  h->body        = ( sf_http_body_t ){ 0 };
  h->sent_before = h->stream.sent;
  h->touched     = 0;
  h->state       = SF_HTTP_WRITING;
}

/* read_answer takes what has come.  Returns 1 when the answer is complete, 0 if
   not, or a negative code. */
static int read_answer( sf_http_t * h ) {
  if( h->in_len == h->in_max ) return SF_ERR_LIMIT;
  int64_t got = sf_stream_receive( &h->stream, h->in + h->in_len, h->in_max - h->in_len );
  if( got <= 0 ) return (int)got;
  h->in_len += (uint64_t)got;
  while( !h->head.bytes ) {
    int ok = sf_http_head_parse( &h->head, h->in, h->in_len );
    if( ok != 1 ) {
      h->head.bytes = 0;
      return ok;
    }
    if( h->head.status == 101 ) return SF_ERR_DATA;
    if( h->head.status < 200 ) { /* an interim answer: the real one follows */
      h->in_len -= h->head.bytes;
      memmove( h->in, h->in + h->head.bytes, h->in_len );
      h->head.bytes = 0;
      if( !h->in_len ) return 0;
    }
  }
  char * content = h->in + h->head.bytes;
  uint64_t have  = h->in_len - h->head.bytes;
  if( h->head.content_length > (int64_t)( h->in_max - h->head.bytes ) ) return SF_ERR_LIMIT;
  int ok = sf_http_body_step( &h->body, &h->head, content, have );
  if( ok != 1 ) return ok;
  int endless = !h->head.chunked && h->head.content_length < 0 && h->head.status != 204 && h->head.status != 304;
  if( endless ) h->head.keep_alive = 0;
  else if( h->body.taken != have ) return SF_ERR_DATA; /* bytes nobody asked for */
  h->answer = ( sf_span_t ){ content, h->body.length };
  return 1;
}

static int broken( sf_http_t * h, int err ) {
  sf_http_close( h );
  return err;
}

int sf_http_step( sf_http_t * h ) {
  if( h->state == SF_HTTP_CONNECTING ) {
    int ok = sf_stream_step( &h->stream );
    if( ok < 0 ) return broken( h, ok );
    if( ok ) h->state = SF_HTTP_IDLE;
  }
  if( h->state == SF_HTTP_IDLE ) {
    char byte;
    int64_t got = sf_stream_receive( &h->stream, &byte, 1 );
    if( got ) return broken( h, got < 0 ? (int)got : SF_ERR_DATA );
  }
  if( h->state == SF_HTTP_WRITING ) {
    int64_t put = sf_stream_send( &h->stream, h->out + h->out_from, h->out_to - h->out_from );
    h->touched |= h->stream.sent != h->sent_before; /* also when the call failed halfway */
    if( put < 0 ) return broken( h, (int)put );
    h->out_from += (uint64_t)put;
    if( h->out_from == h->out_to ) h->state = SF_HTTP_READING;
  }
  if( h->state == SF_HTTP_READING ) {
    int ok = read_answer( h );
    if( ok < 0 ) return broken( h, ok );
    if( ok ) h->state = SF_HTTP_DONE;
  }
  return (int)h->state;
}

void sf_http_release( sf_http_t * h ) {
  if( h->head.keep_alive ) h->state = SF_HTTP_IDLE;
  else sf_http_close( h );
}
