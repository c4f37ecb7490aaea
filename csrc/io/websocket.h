/* websocket.h: a WebSocket client (RFC 6455), non-blocking.

   Outgoing frames are masked with fresh random keys.  Incoming ones are checked:
   never masked, no reserved bits, known opcodes, shortest length form, control
   frames short and whole.  Pings are answered and a close is echoed here; the
   owner sees data messages only.  Fragments are joined in place:

     inbox   | joined so far ......| free |next frame ......| free            |
             0             joined_to      from             to              max

   No extension is offered, so none may be chosen.  Text is not checked for UTF-8. */

#ifndef SF_IO_WEBSOCKET_H
#define SF_IO_WEBSOCKET_H
#include "io/http.h"

#define SF_FRAME_CONTINUATION 0
#define SF_FRAME_TEXT         1
#define SF_FRAME_BINARY       2
#define SF_FRAME_CLOSE        8
#define SF_FRAME_PING         9
#define SF_FRAME_PONG         10

typedef struct sf_frame {
  uint64_t length; /* of the payload */
  uint32_t head;   /* bytes before it */
  uint8_t fin;
  uint8_t opcode; /* SF_FRAME_* */
} sf_frame_t;

/* sf_frame_parse reads the head of a server's frame.  Returns 1, 0 if it is not
   complete yet, or SF_ERR_DATA.  Hot. */
int sf_frame_parse( sf_frame_t * f, uint8_t const * p, uint64_t n );

/* sf_frame_write writes a whole masked frame to out, which has room for n+14 bytes,
   and returns its length. */
uint64_t sf_frame_write( uint8_t * out, uint8_t opcode, uint32_t mask, void const * p, uint64_t n );

/* Bytes in, messages out; knows no socket. */
typedef struct sf_inbox {
  uint8_t * bytes;
  uint64_t max;
  uint64_t joined_to; /* [0,joined_to): fragments of a message so far */
  uint64_t from;      /* [from,to): not looked at */
  uint64_t to;
  uint8_t opcode; /* of the message being joined, 0 = none */
} sf_inbox_t;

/* sf_inbox_init makes an empty inbox for messages of at most message_max bytes. */
int sf_inbox_init( sf_inbox_t * b, uint64_t message_max );
void sf_inbox_fini( sf_inbox_t * b );
void sf_inbox_clear( sf_inbox_t * b );

/* sf_inbox_room returns where the next bytes go and how many may; what sf_inbox_next
   gave out before is gone then. */
uint8_t * sf_inbox_room( sf_inbox_t * b, uint64_t * n );

/* sf_inbox_next takes the next message or control frame.  Returns its opcode (text,
   binary, close, ping, pong), 0 if none is complete, SF_ERR_DATA if the
   stream is broken, SF_ERR_LIMIT if a message is too large.  Hot. */
int sf_inbox_next( sf_inbox_t * b, sf_span_t * payload );

#define SF_WEBSOCKET_CLOSED     0
#define SF_WEBSOCKET_CONNECTING 1
#define SF_WEBSOCKET_UPGRADING  2
#define SF_WEBSOCKET_OPEN       3

typedef struct sf_websocket {
  sf_stream_t stream;
  uint32_t state;      /* SF_WEBSOCKET_* */
  uint32_t close_code; /* the peer's, 0 = none */
  sf_http_head_t head; /* the server's answer to the upgrade; status 0 = none */
  char accept[32];     /* what it has to say */
  sf_inbox_t inbox;
  uint8_t * out;
  uint64_t out_max;
  uint64_t out_from;
  uint64_t out_to;
  uint64_t t_received; /* engine clock right after the last bytes came */
  uint64_t received;   /* bytes since the connection opened */
  uint32_t masks[64];  /* random keys */
  uint32_t mask_next;
} sf_websocket_t;

/* sf_websocket_init makes a closed WebSocket for messages of at most message_max
   bytes, with room for out_max bytes on their way out.  It must not move
   afterwards.  Returns 0 or SF_ERR_SYS. */
int sf_websocket_init( sf_websocket_t * w, sf_endpoint_t * e, uint64_t message_max, uint64_t out_max );
void sf_websocket_fini( sf_websocket_t * w );

/* sf_websocket_connect begins to connect.  Assumes closed. */
int sf_websocket_connect( sf_websocket_t * w );

/* sf_websocket_step goes on with connecting and with what is to be sent.  Returns
   the state, or a negative code after which it is closed: SF_ERR_IO = ended or
   broken; SF_ERR_STATE = the server did not upgrade, head says what it answered;
   SF_ERR_DATA, SF_ERR_CRYPTO. */
int sf_websocket_step( sf_websocket_t * w );

/* sf_websocket_receive takes the next data message: 1, or 0 if there is none.  At
   most one receive call.  The text stays valid until the next call.  Fails like
   step; also SF_ERR_LIMIT.  Hot. */
int sf_websocket_receive( sf_websocket_t * w, sf_span_t * text );

/* sf_websocket_send queues a text message, sf_websocket_ping a ping; SF_ERR_FULL
   if there is no room now. */
int sf_websocket_send( sf_websocket_t * w, void const * p, uint64_t n );
int sf_websocket_ping( sf_websocket_t * w );

/* sf_websocket_close says good-bye with a status code if it can, and closes. */
void sf_websocket_close( sf_websocket_t * w, uint16_t code );

#endif
