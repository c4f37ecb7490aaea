#include "io/websocket.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/base64.h"
#include "sf_abi.h"
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define RECEIVE_BYTES 65536 /* most bytes of one receive call */
#define FRAME_HEAD    14    /* longest head of our own frames */

/* -- frames --------------------------------------------------------------- */

int sf_frame_parse( sf_frame_t * f, uint8_t const * p, uint64_t n ) {
  if( n < 2 ) return 0;
  f->fin    = p[0] >> 7;
  f->opcode = p[0] & 15;
  if( p[0] & 0x70 || p[1] & 0x80 ) return SF_ERR_DATA; /* reserved bits; a server does not mask */
  if( ( f->opcode > SF_FRAME_BINARY && f->opcode < SF_FRAME_CLOSE ) || f->opcode > SF_FRAME_PONG ) return SF_ERR_DATA;
  uint64_t length = p[1];
  if( f->opcode >= SF_FRAME_CLOSE && ( !f->fin || length > 125 ) ) return SF_ERR_DATA;
  f->head = 2;
  if( length == 126 ) {
    if( n < 4 ) return 0;
    length  = (uint64_t)p[2] << 8 | p[3];
    f->head = 4;
    if( length < 126 ) return SF_ERR_DATA;
  } else if( length == 127 ) {
    if( n < 10 ) return 0;
    length = 0;
    for( int i = 2; i < 10; i++ ) length = length << 8 | p[i];
    f->head = 10;
    if( length < 65536 || length >> 63 ) return SF_ERR_DATA;
  }
  f->length = length;
  return 1;
}

uint64_t sf_frame_write( uint8_t * out, uint8_t opcode, uint32_t mask, void const * p, uint64_t n ) {
  uint64_t head = 2;
  out[0]        = 0x80 | opcode;
  if( n < 126 ) {
    out[1] = (uint8_t)( 0x80 | n );
  } else if( n < 65536 ) {
    out[1] = 0x80 | 126;
    out[2] = (uint8_t)( n >> 8 );
    out[3] = (uint8_t)n;
    head   = 4;
  } else {
    out[1] = 0x80 | 127;
    for( int i = 0; i < 8; i++ ) out[2 + i] = (uint8_t)( n >> ( 56 - 8 * i ) );
    head = 10;
  }
  memcpy( out + head, &mask, 4 );
  uint8_t const * key = out + head;
  uint8_t * body      = out + head + 4;
  for( uint64_t i = 0; i < n; i++ ) body[i] = ( (uint8_t const *)p )[i] ^ key[i & 3];
  return head + 4 + n;
}

/* -- inbox ---------------------------------------------------------------- */

int sf_inbox_init( sf_inbox_t * b, uint64_t message_max ) {
  *b       = ( sf_inbox_t ){ .max = message_max + 2 * RECEIVE_BYTES };
  b->bytes = malloc( b->max );
  return b->bytes ? 0 : sf_err_set( SF_ERR_SYS, "no memory for messages of %lu bytes", message_max );
}

void sf_inbox_fini( sf_inbox_t * b ) {
  free( b->bytes );
  b->bytes = NULL;
}

void sf_inbox_clear( sf_inbox_t * b ) {
  b->joined_to = b->from = b->to = 0;
  b->opcode                      = 0;
}

uint8_t * sf_inbox_room( sf_inbox_t * b, uint64_t * n ) {
  if( !b->opcode ) b->joined_to = 0; /* a joined message given out before is gone */
  if( b->from > b->joined_to && ( b->to - b->from <= RECEIVE_BYTES || b->max - b->to < RECEIVE_BYTES ) ) {
    memmove( b->bytes + b->joined_to, b->bytes + b->from, b->to - b->from );
    b->to -= b->from - b->joined_to;
    b->from = b->joined_to;
  }
  uint64_t room = b->max - b->to;
  *n            = room < RECEIVE_BYTES ? room : RECEIVE_BYTES;
  return b->bytes + b->to;
}

int sf_inbox_next( sf_inbox_t * b, sf_span_t * payload ) {
  for( ;; ) {
    if( !b->opcode ) b->joined_to = 0;
    sf_frame_t f;
    uint64_t have = b->to - b->from;
    int ok        = sf_frame_parse( &f, b->bytes + b->from, have );
    if( ok < 0 ) return ok;
    /* what is not wrong yet but cannot be taken later either is refused now */
    if( ok && f.opcode < SF_FRAME_CLOSE && b->joined_to + f.length > b->max - 2 * RECEIVE_BYTES ) return SF_ERR_LIMIT;
    if( !ok || have - f.head < f.length ) return 0;
    uint8_t * body = b->bytes + b->from + f.head;
    b->from += f.head + f.length;
    *payload = ( sf_span_t ){ (char const *)body, f.length };
    if( f.opcode >= SF_FRAME_CLOSE ) return f.opcode;
    if( ( f.opcode == SF_FRAME_CONTINUATION ) != ( b->opcode != 0 ) ) return SF_ERR_DATA;
    if( f.opcode && f.fin ) return f.opcode; /* whole: given out where it lies */

    if( f.opcode ) b->opcode = f.opcode;
    memmove( b->bytes + b->joined_to, body, f.length );
    b->joined_to += f.length;
    if( !f.fin ) continue;
    *payload   = ( sf_span_t ){ (char const *)b->bytes, b->joined_to };
    int opcode = b->opcode;
    b->opcode  = 0;
    return opcode;
  }
}

/* -- connection ----------------------------------------------------------- */

int sf_websocket_init( sf_websocket_t * w, sf_endpoint_t * e, uint64_t message_max, uint64_t out_max ) {
  memset( w, 0, sizeof( *w ) );
  sf_stream_init( &w->stream, e );
  w->out_max   = out_max < 4096 ? 4096 : out_max;
  w->out       = malloc( w->out_max );
  w->mask_next = 64;
  int err      = sf_inbox_init( &w->inbox, message_max );
  if( !err && !w->out ) err = sf_err_set( SF_ERR_SYS, "no memory for a WebSocket to %s", e->url.host );
  if( err ) sf_websocket_fini( w );
  return err;
}

static void drop( sf_websocket_t * w ) {
  sf_stream_close( &w->stream );
  w->state = SF_WEBSOCKET_CLOSED;
}

void sf_websocket_fini( sf_websocket_t * w ) {
  drop( w );
  sf_inbox_fini( &w->inbox );
  free( w->out );
  w->out = NULL;
}

int sf_websocket_connect( sf_websocket_t * w ) {
  sf_inbox_clear( &w->inbox );
  w->out_from = w->out_to = w->received = 0;
  w->close_code                         = 0;
  w->head.status                        = 0;
  int err                               = sf_stream_connect( &w->stream );
  if( err ) return err;
  w->state = SF_WEBSOCKET_CONNECTING;
  return 0;
}

/* ask writes the upgrade request and what its answer has to accept. */
static int ask( sf_websocket_t * w ) {
  sf_url_t const * url = &w->stream.endpoint->url;
  uint8_t nonce[16];
  if( getrandom( nonce, sizeof( nonce ), 0 ) != sizeof( nonce ) ) return SF_ERR_SYS;
  char key[64];
  sf_base64_encode( key, nonce, sizeof( nonce ) );
  memcpy( key + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36 );
  uint8_t digest[SHA_DIGEST_LENGTH];
  SHA1( (uint8_t const *)key, 60, digest );
  w->accept[sf_base64_encode( w->accept, digest, sizeof( digest ) )] = 0;
  w->out_to                                                          = (uint64_t)snprintf(
                                                               (char *)w->out, w->out_max,
                                                               "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sniperforge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                                                                                                        "Sec-WebSocket-Key: %.24s\r\nSec-WebSocket-Version: 13\r\n\r\n",
                                                               url->path, url->authority, key );
  return 0;
}

static int flush( sf_websocket_t * w ) {
  if( w->out_from == w->out_to ) return 0;
  int64_t put = sf_stream_send( &w->stream, w->out + w->out_from, w->out_to - w->out_from );
  if( put < 0 ) return (int)put;
  w->out_from += (uint64_t)put;
  if( w->out_from == w->out_to ) w->out_from = w->out_to = 0;
  return 0;
}

static int64_t receive( sf_websocket_t * w ) {
  uint64_t room;
  uint8_t * p = sf_inbox_room( &w->inbox, &room );
  int64_t got = room ? sf_stream_receive( &w->stream, p, room ) : SF_ERR_LIMIT;
  if( got > 0 ) {
    w->t_received = sf_clock_ns();
    w->inbox.to += (uint64_t)got;
    w->received += (uint64_t)got;
  }
  return got;
}

/* upgraded reads the answer to ask: 1, 0 = not here yet, or a negative code. */
static int upgraded( sf_websocket_t * w ) {
  int64_t got = receive( w );
  if( got <= 0 ) return (int)got;
  sf_inbox_t * b = &w->inbox;
  int ok         = sf_http_head_parse( &w->head, (char const *)b->bytes + b->from, b->to - b->from );
  if( ok != 1 ) return ok;
  if( !w->head.upgrade || w->head.extension || strcmp( w->head.accept, w->accept ) ) return SF_ERR_STATE;
  b->from += w->head.bytes;
  return 1;
}

int sf_websocket_step( sf_websocket_t * w ) {
  int err = 0;
  if( w->state == SF_WEBSOCKET_CONNECTING ) {
    err = sf_stream_step( &w->stream );
    if( err == 1 ) {
      err      = ask( w );
      w->state = SF_WEBSOCKET_UPGRADING;
    }
  }
  if( err >= 0 && w->state >= SF_WEBSOCKET_UPGRADING ) err = flush( w );
  if( err >= 0 && w->state == SF_WEBSOCKET_UPGRADING ) {
    err = upgraded( w );
    if( err == 1 ) w->state = SF_WEBSOCKET_OPEN;
  }
  if( err < 0 ) {
    drop( w );
    return err;
  }
  return (int)w->state;
}

static int queue( sf_websocket_t * w, uint8_t opcode, void const * p, uint64_t n ) {
  if( w->out_max - w->out_to < n + FRAME_HEAD && w->out_from ) {
    memmove( w->out, w->out + w->out_from, w->out_to - w->out_from );
    w->out_to -= w->out_from;
    w->out_from = 0;
  }
  if( w->out_max - w->out_to < n + FRAME_HEAD ) return SF_ERR_FULL;
  if( w->mask_next == 64 ) {
    if( getrandom( w->masks, sizeof( w->masks ), 0 ) != sizeof( w->masks ) ) return SF_ERR_FULL;
    w->mask_next = 0;
  }
  w->out_to += sf_frame_write( w->out + w->out_to, opcode, w->masks[w->mask_next++], p, n );
  return 0;
}

int sf_websocket_send( sf_websocket_t * w, void const * p, uint64_t n ) { return queue( w, SF_FRAME_TEXT, p, n ); }
int sf_websocket_ping( sf_websocket_t * w ) { return queue( w, SF_FRAME_PING, NULL, 0 ); }

static int failed( sf_websocket_t * w, int err ) {
  if( err == SF_ERR_DATA ) sf_websocket_close( w, 1002 );
  else if( err == SF_ERR_LIMIT ) sf_websocket_close( w, 1009 );
  else drop( w );
  return err;
}

int sf_websocket_receive( sf_websocket_t * w, sf_span_t * text ) {
  int received = 0;
  for( ;; ) {
    sf_span_t payload;
    int opcode = sf_inbox_next( &w->inbox, &payload );
    if( opcode < 0 ) return failed( w, opcode );
    if( opcode == SF_FRAME_TEXT || opcode == SF_FRAME_BINARY ) {
      *text = payload;
      return 1;
    }
    if( opcode == SF_FRAME_PING ) {
      queue( w, SF_FRAME_PONG, payload.p, payload.n ); /* no room: the next ping is answered */
    } else if( opcode == SF_FRAME_CLOSE ) {
      w->close_code = payload.n < 2 ? 1005 : (uint32_t)( (uint8_t)payload.p[0] << 8 | (uint8_t)payload.p[1] );
      sf_websocket_close( w, payload.n < 2 ? 1000 : (uint16_t)w->close_code );
      return SF_ERR_IO;
    } else if( !opcode ) {
      if( received ) return 0;
      int64_t got = receive( w );
      if( got < 0 ) return failed( w, (int)got );
      if( !got ) return 0;
      received = 1;
    }
  }
}

void sf_websocket_close( sf_websocket_t * w, uint16_t code ) {
  if( w->state == SF_WEBSOCKET_OPEN ) {
    uint8_t status[2] = { (uint8_t)( code >> 8 ), (uint8_t)code };
    if( !queue( w, SF_FRAME_CLOSE, status, sizeof( status ) ) ) flush( w );
  }
  drop( w );
}
