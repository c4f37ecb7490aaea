/* send: signed transactions from `wire` to the node, what became of them to `sent`.

     queued --durable, a connection is idle--> asked --+-- accepted, or unknown --> SENT --> waiting
       |                                         ^     +-- not taken, may pass --> waiting     |
       |                                         +------- due, same bytes --------------------+
       +-- killed, expired, not out in time --> REFUSED           not taken for good --> REFUSED

   Each order gets exactly one SF_MSG_REFUSED, or one or more SF_MSG_SENT (attempt 0,
   then a further one per re-broadcast), never both.  REFUSED means that it certainly
   is not out: no byte of it was written, or the node's answer proves that it was not
   taken.  Everything else is SENT, and what came of it is for the chain to say.  The
   bytes are always those of `wire`: there is never a second signature.

   With before_send an order waits until the journal has its record on disk, but not longer
   than timeout_ms: after a disk that stood still its prices are those of another time.  The
   kill word is read before every request.  A fill (a lossy in-link, if there is one)
   ends the re-broadcasts of its order.  Orders come with rising numbers; one that
   does not is dropped and counted.  When all places are taken, an order that is only
   waiting for a re-broadcast makes room; if there is none the new one is refused. */

#include "base/clock.h"
#include "base/err.h"
#include "io/backoff.h"
#include "io/http.h"
#include "io/rpc.h"
#include "shm/table.h"
#include "tile/tile.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define MS 1000000UL

#define ORDERS          1024
#define CONNECTIONS_MAX 64
#define NONE            UINT32_MAX
#define LOOK_NS         50000 /* how often a request in flight is looked at: the answer is not urgent */
#define ANSWER_BYTES    65536

#define ORDER_FREE    0
#define ORDER_QUEUED  1 /* never asked */
#define ORDER_ASKED   2
#define ORDER_WAITING 3 /* until due_ns */

typedef struct order {
  uint32_t state;
  uint32_t out;      /* 1: may be out, SENT has been published */
  uint32_t attempts; /* SENT messages so far */
  uint32_t ready;    /* 1: durable */
  uint64_t seq;      /* on wire */
  uint64_t t_origin;
  uint64_t deadline_ns; /* refused after this if it is not out */
  uint64_t due_ns;
  sf_wire_t wire;
} order_t;

typedef struct lane {
  sf_http_t http;
  sf_backoff_t backoff;
  uint64_t deadline_ns;
  uint64_t looked_ns;
  uint64_t t_sent;
  uint64_t id;
  uint32_t order; /* NONE = no request in flight */
  uint32_t was_open;
} lane_t;

/* clang-format off */
#define COUNTERS( X ) \
  X( connects ) X( connect_failures ) X( connection_losses ) X( requests ) X( accepted ) X( unknown )    \
  X( not_taken ) X( rate_limited ) X( sent ) X( rebroadcasts ) X( refused_killed ) X( refused_expired )  \
  X( refused_late ) X( refused_by_node ) X( refused_queue_full ) X( held_for_journal )          \
  X( dropped_orders ) X( malformed_answers ) X( timeouts )
#define GAUGES( X ) \
  X( orders_queued ) X( orders_tracked ) X( connections_open )
/* clang-format on */

enum {
#define X( name ) COUNT_##name,
  COUNTERS( X ) GAUGES( X )
#undef X
      COUNT_MAX
};

typedef struct send {
  sf_endpoint_t endpoint;
  sf_rng_t rng;
  sf_table_t * chain;
  sf_table_t * durable; /* NULL: orders do not wait for the journal */
  uint32_t durable_row; /* NONE = not found yet */
  uint32_t in, out, wire_link;
  uint32_t lane_cnt;
  uint64_t timeout_ns, rebroadcast_ns, max_rebroadcasts;
  uint64_t last_order;
  uint64_t last_id;
  uint64_t open_before;
  uint32_t queued; /* orders in state queued: queue[queue_from..) */
  uint32_t asked;
  uint32_t waiting;
  uint32_t active_cnt;
  uint64_t queue_from, queue_to;
  uint64_t next_due_ns; /* no waiting order is due before */
  uint32_t queue[ORDERS];
  uint32_t active[ORDERS];
  order_t * order;
  lane_t * lane;
  int counter[COUNT_MAX];
} send_t;

#define count( t, s, name, n ) sf_tile_count( t, ( s )->counter[COUNT_##name], n )

/* -- what is told ---------------------------------------------------------- */

static void release( send_t * s, order_t * o ) {
  uint32_t i = (uint32_t)( o - s->order );
  for( uint32_t k = 0; k < s->active_cnt; k++ ) {
    if( s->active[k] != i ) continue;
    s->active[k] = s->active[--s->active_cnt];
    break;
  }
  o->state = ORDER_FREE;
}

static void refuse( sf_tile_t * t, send_t * s, sf_wire_t const * w, uint64_t t_origin, uint32_t reason,
                    uint64_t detail ) {
  sf_message_t * m = sf_tile_claim( t, s->out );
  sf_refused_t * r = (sf_refused_t *)( m + 1 );
  *r               = ( sf_refused_t ){ .order = w->order, .bot = w->bot, .reason = reason, .detail = detail };
  sf_tile_publish( t, s->out, m, SF_MSG_REFUSED, sizeof( *r ), w->bot, t_origin );
}

static void wait( send_t * s, order_t * o, uint64_t due_ns ) {
  o->state  = ORDER_WAITING;
  o->due_ns = due_ns;
  s->waiting++;
  if( due_ns < s->next_due_ns ) s->next_due_ns = due_ns;
}

/* tell_sent publishes that the order may be out, and keeps it for a re-broadcast. */
static void tell_sent( sf_tile_t * t, send_t * s, order_t * o, uint64_t t_sent, uint64_t due_ns ) {
  sf_message_t * m = sf_tile_claim( t, s->out );
  sf_sent_t * x    = (sf_sent_t *)( m + 1 );
  *x               = ( sf_sent_t ){ .order                   = o->wire.order,
                                    .bot                     = o->wire.bot,
                                    .lane                    = SF_LANE_RPC,
                                    .attempt                 = (uint16_t)o->attempts,
                                    .last_valid_block_height = o->wire.last_valid_block_height,
                                    .t_sent                  = t_sent };
  memcpy( x->signature, o->wire.tx + 1, 64 );
  sf_tile_publish( t, s->out, m, SF_MSG_SENT, sizeof( *x ), o->wire.bot, o->t_origin );
  count( t, s, sent, !o->out );
  o->out = 1;
  o->attempts++;
  if( !s->rebroadcast_ns || o->attempts > s->max_rebroadcasts ) release( s, o );
  else wait( s, o, due_ns );
}

/* -- may it go? ------------------------------------------------------------ */

static int durable( send_t * s, uint64_t seq ) {
  if( !s->durable ) return 1;
  sf_durable_row_t row;
  if( s->durable_row == NONE ) {
    for( uint32_t i = 0; i < s->durable->row_cnt; i++ ) {
      if( !sf_table_read( s->durable, i, &row ) && row.link == s->wire_link ) s->durable_row = i;
    }
    if( s->durable_row == NONE ) return 0;
  }
  return !sf_table_read( s->durable, s->durable_row, &row ) && row.seq > seq;
}

static int expired( send_t * s, order_t const * o ) {
  sf_chain_row_t row;
  return !sf_table_read( s->chain, 0, &row ) && row.block_height > o->wire.last_valid_block_height;
}

static lane_t * idle_lane( send_t * s, uint64_t now ) {
  for( uint32_t i = 0; i < s->lane_cnt; i++ ) {
    lane_t * l = &s->lane[i];
    if( l->order == NONE && l->http.state == SF_HTTP_IDLE && sf_backoff_due( &l->backoff, now ) ) return l;
  }
  return NULL;
}

/* -- requests -------------------------------------------------------------- */

/* not_taken: the node certainly does not have it from this request.  It is tried
   again, on any connection, until its deadline. */
static void not_taken( sf_tile_t * t, send_t * s, order_t * o, uint64_t now, int64_t detail, int for_good ) {
  count( t, s, not_taken, 1 );
  if( o->out ) {
    if( o->attempts > s->max_rebroadcasts || !s->rebroadcast_ns ) release( s, o );
    else wait( s, o, now + s->rebroadcast_ns );
  } else if( for_good || now >= o->deadline_ns ) {
    count( t, s, refused_by_node, 1 );
    refuse( t, s, &o->wire, o->t_origin, SF_REFUSE_LANE, (uint64_t)detail );
    release( s, o );
  } else {
    wait( s, o, now );
  }
}

/* unknown: some of it may have left and nobody said clearly what became of it. */
static void unknown( sf_tile_t * t, send_t * s, lane_t * l, order_t * o, uint64_t due_ns ) {
  count( t, s, unknown, 1 );
  tell_sent( t, s, o, l->t_sent, due_ns );
}

static int refused_for_good( uint32_t status, int64_t code ) {
  switch( status ) {
  case 400:
  case 401:
  case 403:
  case 404:
  case 405:
  case 411:
  case 413:
  case 414:
  case 415:
  case 431: return 1;
  }
  switch( code ) {
  case SF_RPC_PARSE_ERROR:
  case SF_RPC_INVALID_REQUEST:
  case SF_RPC_METHOD_NOT_FOUND:
  case SF_RPC_INVALID_PARAMS:
  case SF_RPC_SIGNATURE_FAILURE: return 1;
  }
  return 0;
}

static void answered( sf_tile_t * t, send_t * s, lane_t * l, order_t * o, uint64_t now ) {
  uint32_t status = l->http.head.status;
  sf_rpc_message_t m;
  int read     = !sf_rpc_scan( &m, l->http.answer.p, l->http.answer.n ) && ( m.id == l->id || m.kind == SF_RPC_ERROR );
  int64_t code = read && m.kind == SF_RPC_ERROR ? m.error_code : 0;
  uint64_t pause = l->http.head.retry_after_s * 1000 * MS;
  sf_http_release( &l->http );
  if( status == 200 && read && m.kind == SF_RPC_RESULT && m.result == SF_RPC_RESULT_TEXT ) {
    count( t, s, accepted, 1 );
    sf_backoff_clear( &l->backoff );
    tell_sent( t, s, o, l->t_sent, now + s->rebroadcast_ns );
  } else if( status == 429 || code == SF_RPC_TOO_MANY_REQUESTS || code == SF_RPC_NODE_UNHEALTHY ) {
    count( t, s, rate_limited, code != SF_RPC_NODE_UNHEALTHY );
    sf_backoff_fail( &l->backoff, &s->rng, now, pause );
    not_taken( t, s, o, now, code ? code : status, 0 );
  } else if( refused_for_good( status, code ) ) {
    not_taken( t, s, o, now, code ? code : status, 1 );
  } else {
    count( t, s, malformed_answers, status == 200 && !code );
    unknown( t, s, l, o, now + s->rebroadcast_ns );
  }
}

/* look steps a request in flight and deals with its end. */
static void look( sf_tile_t * t, send_t * s, lane_t * l, uint64_t now ) {
  l->looked_ns = now;
  order_t * o  = &s->order[l->order];
  int state    = sf_http_step( &l->http );
  if( state >= 0 && state != SF_HTTP_DONE ) {
    if( now < l->deadline_ns ) return;
    count( t, s, timeouts, 1 );
    sf_http_close( &l->http ); /* a late answer must not be taken for the next one's */
    state = SF_ERR_TIMEOUT;
  }
  l->order = NONE;
  s->asked--;
  if( state == SF_HTTP_DONE ) {
    answered( t, s, l, o, now );
    return;
  }
  count( t, s, connection_losses, state != SF_ERR_TIMEOUT );
  if( l->http.touched ) unknown( t, s, l, o, now );
  else not_taken( t, s, o, now, state, 0 );
}

static void ask( sf_tile_t * t, send_t * s, lane_t * l, order_t * o, uint64_t now ) {
  char * body    = sf_http_request( &l->http );
  l->id          = ++s->last_id;
  l->order       = (uint32_t)( o - s->order );
  l->deadline_ns = now + s->timeout_ns;
  o->state       = ORDER_ASKED;
  s->asked++;
  count( t, s, requests, 1 );
  count( t, s, rebroadcasts, o->out );
  sf_http_post( &l->http, sf_rpc_send_request( body, l->id, o->wire.tx, o->wire.tx_len ) );
  l->t_sent = sf_clock_ns();
  look( t, s, l, now );
}

/* -- turns ----------------------------------------------------------------- */

/* serve_queue sends the oldest orders that were never asked for.  Returns how many
   messages it published at most. */
static uint64_t serve_queue( sf_tile_t * t, send_t * s, uint64_t now, uint64_t room ) {
  uint64_t n = 0;
  while( s->queued && n < room ) {
    order_t * o     = &s->order[s->queue[s->queue_from % ORDERS]];
    uint32_t reason = 0;
    lane_t * l      = NULL;
    if( !o->ready ) o->ready = (uint32_t)durable( s, o->seq );
    if( sf_tile_kill( t ) >= SF_KILL_HALT ) reason = SF_REFUSE_KILLED;
    else if( expired( s, o ) ) reason = SF_REFUSE_BLOCKHASH;
    else if( now >= o->deadline_ns ) reason = SF_REFUSE_LANE;
    else if( !o->ready || !( l = idle_lane( s, now ) ) ) break;
    s->queue_from++;
    s->queued--;
    n++;
    if( !reason ) {
      ask( t, s, l, o, now );
      continue;
    }
    count( t, s, refused_killed, reason == SF_REFUSE_KILLED );
    count( t, s, refused_expired, reason == SF_REFUSE_BLOCKHASH );
    count( t, s, refused_late, reason == SF_REFUSE_LANE );
    refuse( t, s, &o->wire, o->t_origin, reason, 0 );
    release( s, o );
  }
  return n;
}

/* serve_waiting sends again what is due, or gives up on it. */
static uint64_t serve_waiting( sf_tile_t * t, send_t * s, uint64_t now, uint64_t room ) {
  uint64_t n     = 0;
  int killed     = sf_tile_kill( t ) >= SF_KILL_HALT;
  s->next_due_ns = UINT64_MAX;
  for( uint32_t k = s->active_cnt; k-- > 0; ) {
    order_t * o = &s->order[s->active[k]];
    if( o->state != ORDER_WAITING ) continue;
    lane_t * l      = NULL;
    uint32_t reason = 0;
    if( killed ) reason = SF_REFUSE_KILLED;
    else if( o->due_ns > now || n == room ) reason = 0;
    else if( expired( s, o ) ) reason = SF_REFUSE_BLOCKHASH;
    else if( ( l = idle_lane( s, now ) ) ) reason = 0;
    else if( !o->out && now >= o->deadline_ns ) reason = SF_REFUSE_LANE;
    if( n == room || ( !reason && !l ) ) {
      uint64_t due = o->due_ns > now ? o->due_ns : now + LOOK_NS;
      if( due < s->next_due_ns ) s->next_due_ns = due;
      continue;
    }
    s->waiting--;
    n++;
    if( l ) {
      ask( t, s, l, o, now );
      continue;
    }
    if( !o->out ) {
      count( t, s, refused_killed, reason == SF_REFUSE_KILLED );
      count( t, s, refused_expired, reason == SF_REFUSE_BLOCKHASH );
      count( t, s, refused_by_node, reason == SF_REFUSE_LANE );
      refuse( t, s, &o->wire, o->t_origin, reason, 0 );
    }
    release( s, o );
  }
  return n;
}

static int poll( sf_tile_t * t ) {
  send_t * s = sf_tile_state( t );
  if( !s->active_cnt ) return 0;
  uint64_t now  = sf_tile_now( t );
  uint64_t room = sf_tile_credit( t, s->out );
  uint64_t n    = 0;
  for( uint32_t i = 0; i < s->lane_cnt && s->asked && n < room; i++ ) {
    lane_t * l = &s->lane[i];
    if( l->order == NONE || now - l->looked_ns < LOOK_NS ) continue;
    look( t, s, l, now );
    n++;
  }
  if( s->queued ) n += serve_queue( t, s, now, room - n );
  if( s->waiting && now >= s->next_due_ns ) n += serve_waiting( t, s, now, room - n );
  if( s->queued || s->asked ) sf_tile_wake_in( t, LOOK_NS );
  return n > 0;
}

/* place finds room for a new order; NULL if every place is taken by one that is not
   out yet. */
static order_t * place( send_t * s ) {
  if( s->active_cnt == ORDERS ) {
    order_t * oldest = NULL;
    for( uint32_t k = 0; k < s->active_cnt; k++ ) {
      order_t * o = &s->order[s->active[k]];
      if( o->state == ORDER_WAITING && o->out && ( !oldest || o->seq < oldest->seq ) ) oldest = o;
    }
    if( !oldest ) return NULL;
    s->waiting--;
    release( s, oldest );
  }
  uint32_t i = 0;
  while( s->order[i].state != ORDER_FREE ) i++;
  s->active[s->active_cnt++] = i;
  return &s->order[i];
}

/* settled takes an order that has its fill off the list of those to send again. */
static void settled( send_t * s, uint64_t number ) {
  for( uint32_t k = 0; k < s->active_cnt; k++ ) {
    order_t * o = &s->order[s->active[k]];
    if( o->wire.order != number || o->state != ORDER_WAITING || !o->out ) continue;
    s->waiting--;
    release( s, o );
    return;
  }
}

static void msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  send_t * s = sf_tile_state( t );
  if( m->kind == SF_MSG_FILL ) {
    settled( s, ( (sf_fill_t const *)( m + 1 ) )->order );
    return;
  }
  if( in != s->in || m->kind != SF_MSG_WIRE ) return;
  sf_wire_t const * w = (sf_wire_t const *)( m + 1 );
  if( w->order <= s->last_order || w->tx_len > SF_TX_MAX || w->tx_len < 65 ) {
    count( t, s, dropped_orders, 1 );
    return;
  }
  s->last_order = w->order;
  order_t * o   = sf_tile_kill( t ) >= SF_KILL_HALT ? NULL : place( s );
  if( !o ) {
    int killed = sf_tile_kill( t ) >= SF_KILL_HALT;
    count( t, s, refused_killed, killed );
    count( t, s, refused_queue_full, !killed );
    refuse( t, s, w, m->t_origin, killed ? SF_REFUSE_KILLED : SF_REFUSE_LANE, 0 );
    return;
  }
  memcpy( &o->wire, w, sizeof( *w ) );
  o->state = ORDER_QUEUED;
  o->out = o->attempts = o->ready  = 0;
  o->seq                           = m->seq;
  o->deadline_ns                   = sf_tile_now( t ) + s->timeout_ns;
  o->t_origin                      = m->t_origin;
  s->queue[s->queue_to++ % ORDERS] = (uint32_t)( o - s->order );
  s->queued++;
  count( t, s, held_for_journal, !durable( s, m->seq ) );
}

/* -- housekeeping ---------------------------------------------------------- */

/* keep_open connects a lane and notices when an idle one is closed by the node. */
static void keep_open( sf_tile_t * t, send_t * s, lane_t * l, uint64_t now ) {
  if( l->order != NONE ) return; /* poll looks at it */
  int state = (int)l->http.state;
  if( state == SF_HTTP_CLOSED ) {
    if( !sf_backoff_due( &l->backoff, now ) ) return;
    l->deadline_ns = now + s->timeout_ns;
    l->was_open    = 0;
    state          = sf_http_connect( &l->http );
  } else {
    state = sf_http_step( &l->http );
  }
  if( state == SF_HTTP_CONNECTING && now >= l->deadline_ns ) {
    sf_http_close( &l->http );
    state = SF_ERR_TIMEOUT;
  }
  if( state == SF_HTTP_IDLE && !l->was_open ) {
    l->was_open = 1;
    count( t, s, connects, 1 );
    sf_backoff_clear( &l->backoff );
  }
  if( state < 0 ) {
    if( l->was_open ) count( t, s, connection_losses, 1 );
    else count( t, s, connect_failures, 1 );
    sf_backoff_fail( &l->backoff, &s->rng, now, 0 );
  }
}

static void house( sf_tile_t * t, uint64_t now ) {
  send_t * s    = sf_tile_state( t );
  uint64_t open = 0;
  for( uint32_t i = 0; i < s->lane_cnt; i++ ) {
    keep_open( t, s, &s->lane[i], now );
    open += s->lane[i].http.state >= SF_HTTP_IDLE;
  }
  if( !open != !s->open_before ) {
    fprintf( stderr, "%s: %s %s\n", sf_tile_name( t ), s->endpoint.url.host,
             open ? "is connected" : "is not connected any more" );
    s->open_before = open;
  }
  sf_tile_set( t, s->counter[COUNT_connections_open], open );
  sf_tile_set( t, s->counter[COUNT_orders_queued], s->queued );
  sf_tile_set( t, s->counter[COUNT_orders_tracked], s->active_cnt );
}

/* -- start and end --------------------------------------------------------- */

static void fini( sf_tile_t * t ) {
  send_t * s = sf_tile_state( t );
  for( uint32_t i = 0; s->lane && i < s->lane_cnt; i++ )
    if( s->lane[i].http.out ) sf_http_fini( &s->lane[i].http );
  free( s->lane );
  free( s->order );
  sf_endpoint_close( &s->endpoint );
}

static int register_counters( sf_tile_t * t, send_t * s ) {
  uint32_t n = 0;
#define X( name ) \
  if( ( s->counter[n++] = sf_tile_counter( t, #name ) ) < 0 ) return s->counter[n - 1];
  COUNTERS( X )
#undef X
#define X( name ) \
  if( ( s->counter[n++] = sf_tile_gauge( t, #name ) ) < 0 ) return s->counter[n - 1];
  GAUGES( X )
#undef X
  return 0;
}

static int start( sf_tile_t * t, send_t * s ) {
  char const * url;
  uint64_t connections, before_send, timeout_ms, rebroadcast_ms, backoff_min_ms, backoff_max_ms;
  int err;
  if( ( err = sf_tile_param_text( t, "rpc_url", &url ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "connections", 1, CONNECTIONS_MAX, &connections ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "before_send", 0, 1, &before_send ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "timeout_ms", 1, 3600000, &timeout_ms ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "rebroadcast_ms", 0, 3600000, &rebroadcast_ms ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "max_rebroadcasts", 0, 65534, &s->max_rebroadcasts ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "backoff_min_ms", 1, 3600000, &backoff_min_ms ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "backoff_max_ms", 1, 3600000, &backoff_max_ms ) ) ) return err;
  if( backoff_min_ms > backoff_max_ms )
    return sf_err_set( SF_ERR_ARG, "%s: backoff_min_ms is above backoff_max_ms", sf_tile_name( t ) );
  int in = sf_tile_in( t, "wire" ), out = sf_tile_out( t, "sent" );
  if( in < 0 ) return in;
  if( out < 0 ) return out;
  s->in             = (uint32_t)in;
  s->out            = (uint32_t)out;
  s->wire_link      = sf_tile_in_link( t, s->in );
  s->lane_cnt       = (uint32_t)connections;
  s->timeout_ns     = timeout_ms * MS;
  s->rebroadcast_ns = rebroadcast_ms * MS;
  s->durable_row    = NONE;
  s->next_due_ns    = UINT64_MAX;
  uint64_t seed     = sf_clock_ns();
  if( getrandom( &seed, sizeof( seed ), GRND_NONBLOCK ) < 0 ) seed ^= (uint64_t)(uintptr_t)t;
  sf_rng_seed( &s->rng, seed );
  if( !( s->chain = sf_tile_table( t, "chain" ) ) ) return SF_ERR_NOTFOUND;
  if( before_send && !( s->durable = sf_tile_table( t, "durable" ) ) ) return SF_ERR_NOTFOUND;
  if( ( err = register_counters( t, s ) ) ) return err;
  if( ( err = sf_endpoint_open( &s->endpoint, url, sf_tile_param( t, "ca_path" ) ) ) ) return err;
  if( s->endpoint.url.websocket )
    return sf_err_set( SF_ERR_ARG, "%s: rpc_url begins with http:// or https://", sf_tile_name( t ) );
  s->order = calloc( ORDERS, sizeof( order_t ) );
  s->lane  = calloc( s->lane_cnt, sizeof( lane_t ) );
  if( !s->order || !s->lane ) return sf_err_set( SF_ERR_SYS, "%s: no memory", sf_tile_name( t ) );
  for( uint32_t i = 0; i < s->lane_cnt; i++ ) {
    lane_t * l = &s->lane[i];
    l->order   = NONE;
    l->backoff = ( sf_backoff_t ){ .min_ns = backoff_min_ms * MS, .max_ns = backoff_max_ms * MS };
    if( ( err = sf_http_init( &l->http, &s->endpoint, 2 * SF_TX_MAX + 512, ANSWER_BYTES ) ) ) return err;
  }
  return 0;
}

static int init( sf_tile_t * t ) {
  int err = start( t, sf_tile_state( t ) );
  if( err ) fini( t );
  return err;
}

sf_tile_ops_t const sf_tile_send = {
  .kind        = "send",
  .state_bytes = sizeof( send_t ),
  .init        = init,
  .poll        = poll,
  .msg         = msg,
  .house       = house,
  .fini        = fini,
};
