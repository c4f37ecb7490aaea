/* stream.h: a byte stream to a node: TCP, with TLS on top when the URL says so,
   received by recv or by io_uring.  Nothing here blocks but sf_endpoint_open. */

#ifndef SF_IO_STREAM_H
#define SF_IO_STREAM_H
#include "io/tcp.h"
#include "io/tls.h"
#include "io/uring.h"
#include "io/url.h"

/* Where a stream goes to; made once, in a tile's init. */
typedef struct sf_endpoint {
  sf_url_t url;
  sf_tcp_peer_t peer;
  void * tls; /* context; NULL = without TLS */
} sf_endpoint_t;

/* sf_endpoint_open parses url, resolves its host and, for wss and https, reads
   the certificates to trust from ca_path ("" or NULL = the system's).  Returns 0
   or an error with a sentence. */
int sf_endpoint_open( sf_endpoint_t * e, char const * url, char const * ca_path );
void sf_endpoint_close( sf_endpoint_t * e );

#define SF_STREAM_CLOSED     0
#define SF_STREAM_CONNECTING 1
#define SF_STREAM_SECURING   2 /* TLS handshake */
#define SF_STREAM_OPEN       3

typedef struct sf_stream {
  sf_endpoint_t * endpoint;
  sf_multishot_t * multishot; /* NULL = recv; set by the owner while closed */
  int fd;
  uint32_t state; /* SF_STREAM_* */
  sf_tls_t tls;
  uint64_t sent; /* bytes the kernel has taken since the stream opened */
} sf_stream_t;

/* sf_stream_init makes a closed stream; it must not move afterwards. */
void sf_stream_init( sf_stream_t * s, sf_endpoint_t * e );

/* sf_stream_connect begins to connect.  Assumes closed.  Returns 0, or SF_ERR_IO
   or SF_ERR_CRYPTO (then it is closed again). */
int sf_stream_connect( sf_stream_t * s );

/* sf_stream_step goes on with it: 1 = open, 0 = wait, negative = failed, closed. */
int sf_stream_step( sf_stream_t * s );

/* sf_stream_receive and sf_stream_send move up to n bytes on an open stream and
   return how many; 0 = not now; SF_ERR_IO = it has ended (the caller closes). */
int64_t sf_stream_receive( sf_stream_t * s, void * p, uint64_t n );
int64_t sf_stream_send( sf_stream_t * s, void const * p, uint64_t n );

void sf_stream_close( sf_stream_t * s );

#endif
