/* http.h: HTTP/1.1 as a JSON-RPC client needs it (RFC 9112): POST with a body of
   known length, answers with Content-Length or chunks, keep-alive, one request in
   flight per connection.

     closed --connect--> connecting --> idle --post--> writing --> reading --> done
        ^                                 ^                                     |
        +------------ broken -------------+--------------- release -------------+

   Non-blocking: the owner steps a connection and looks at its state.  It also
   keeps the deadlines. */

#ifndef SF_IO_HTTP_H
#define SF_IO_HTTP_H
#include "io/json.h"
#include "io/stream.h"

#define SF_HTTP_HEAD_MAX  16384 /* longest head of an answer */
#define SF_HTTP_RETRY_MAX 60    /* seconds: a longer Retry-After is cut to this */

typedef struct sf_http_head {
  uint32_t status;
  uint32_t bytes;         /* of the head, its empty line included */
  int64_t content_length; /* -1: not said */
  uint32_t retry_after_s; /* 0: not said, or a date */
  uint8_t chunked;
  uint8_t keep_alive;
  uint8_t upgrade;   /* the connection has become a WebSocket */
  uint8_t extension; /* the server chose a WebSocket extension or protocol */
  char accept[32];   /* Sec-WebSocket-Accept */
} sf_http_head_t;

/* sf_http_head_parse reads the head of an answer at p.  Returns 1, 0 if it is not
   complete yet, or SF_ERR_DATA.  Strict: HTTP/1.x, CR LF, no folded lines, no
   control characters, no two different lengths. */
int sf_http_head_parse( sf_http_head_t * head, char const * p, uint64_t n );

typedef struct sf_http_body {
  uint64_t taken;  /* bytes read, framing included */
  uint64_t length; /* bytes of content, which begins where the body begins */
  uint64_t left;   /* of the chunk being read */
  uint32_t phase;
} sf_http_body_t;

/* sf_http_body_step reads on in the n bytes at p that follow the head; chunks are
   joined in place.  Assumes a body that was zeroed for the first call, and the
   same p.  Returns 1 when it is complete, 0 if not yet, or SF_ERR_DATA. */
int sf_http_body_step( sf_http_body_t * body, sf_http_head_t const * head, char * p, uint64_t n );

#define SF_HTTP_CLOSED     0
#define SF_HTTP_CONNECTING 1
#define SF_HTTP_IDLE       2
#define SF_HTTP_WRITING    3
#define SF_HTTP_READING    4
#define SF_HTTP_DONE       5

typedef struct sf_http {
  sf_stream_t stream;
  uint32_t state; /* SF_HTTP_* */
  uint32_t prefix_len;
  char prefix[SF_URL_PATH_MAX + SF_URL_HOST_MAX + 256]; /* request head up to the value of Content-Length */
  char * out;       /* request: head right before the body, which is at prefix room */
  uint64_t out_max; /* of the body */
  uint64_t out_from;
  uint64_t out_to;
  uint64_t sent_before; /* stream.sent when the request began */
  uint32_t touched;     /* 1: a byte of the last request may have left this machine */
  char * in;
  uint64_t in_max;
  uint64_t in_len;
  sf_http_head_t head;
  sf_http_body_t body;
  sf_span_t answer; /* content, in state done */
} sf_http_t;

/* sf_http_init makes a closed connection for requests and answers of at most so
   many bytes.  It must not move afterwards.  Returns 0 or SF_ERR_SYS. */
int sf_http_init( sf_http_t * h, sf_endpoint_t * e, uint64_t request_max, uint64_t answer_max );
void sf_http_fini( sf_http_t * h );

/* sf_http_connect begins to connect.  Assumes closed. */
int sf_http_connect( sf_http_t * h );

/* sf_http_request returns where the next request's body is to be written, at most
   h->out_max bytes; sf_http_post begins to send n of them.  Assumes idle. */
char * sf_http_request( sf_http_t * h );
void sf_http_post( sf_http_t * h, uint64_t n );

/* sf_http_step goes on and returns the state, or a negative code after which the
   connection is closed: SF_ERR_IO = ended or broken, SF_ERR_DATA = not HTTP,
   SF_ERR_LIMIT = the answer is too large, SF_ERR_CRYPTO = TLS refused. */
int sf_http_step( sf_http_t * h );

/* sf_http_release drops the answer: idle again, or closed if the server does not
   keep the connection. */
void sf_http_release( sf_http_t * h );
void sf_http_close( sf_http_t * h );

#endif
