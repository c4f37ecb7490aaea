#include "io/snapshot.h"
#include "base/err.h"
#include "io/base64.h"
#include "sf_abi.h"
#include <errno.h>
#include <sys/mman.h>

#define CHUNK_WANTED 0
#define CHUNK_ASKED  1
#define CHUNK_HERE   2

#define NO_CHUNK       UINT32_MAX
#define ITEMS_PER_STEP 8 /* accounts parsed in one step, so that a turn stays short */

int sf_snapshot_init( sf_snapshot_t * s, sf_endpoint_t * endpoint, char const * commitment, uint64_t timeout_ns,
                      sf_backoff_t const * backoff, uint64_t answer_max, uint64_t data_max, sf_rng_t * rng ) {
  memset( s, 0, sizeof( *s ) );
  s->endpoint   = endpoint;
  s->commitment = commitment;
  s->timeout_ns = timeout_ns;
  s->data_max   = data_max;
  s->rng        = rng;
  for( uint32_t i = 0; i < SF_SNAPSHOT_CONNECTIONS; i++ ) s->lane[i].chunk = NO_CHUNK;
  for( uint32_t i = 0; i < SF_SNAPSHOT_CONNECTIONS; i++ ) {
    s->lane[i].backoff = *backoff;
    int err            = sf_http_init( &s->lane[i].http, endpoint, SF_RPC_ACCOUNTS_MAX * 50 + 512, answer_max );
    if( err ) {
      sf_snapshot_fini( s );
      return err;
    }
  }
  return 0;
}

void sf_snapshot_fini( sf_snapshot_t * s ) {
  if( !s->endpoint ) return;
  sf_snapshot_drop( s );
  for( uint32_t i = 0; i < SF_SNAPSHOT_CONNECTIONS; i++ )
    if( s->lane[i].http.out ) sf_http_fini( &s->lane[i].http );
}

int sf_snapshot_begin( sf_snapshot_t * s, uint32_t cnt, uint64_t min_slot ) {
  uint32_t chunk_cnt   = ( cnt + SF_RPC_ACCOUNTS_MAX - 1 ) / SF_RPC_ACCOUNTS_MAX;
  s->item_bytes        = ( sizeof( sf_snapshot_item_t ) + s->data_max + 7 ) & ~7UL;
  uint64_t item_total  = s->item_bytes * cnt;
  uint64_t chunk_total = sizeof( sf_snapshot_chunk_t ) * chunk_cnt;
  s->map_bytes         = item_total + chunk_total + sizeof( char * ) * cnt;
  s->map = mmap( NULL, s->map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 );
  if( s->map == MAP_FAILED ) {
    s->map = NULL;
    return sf_err_set( SF_ERR_SYS, "no memory for a read of %u accounts: %s", cnt, strerror( errno ) );
  }
  s->chunk     = (sf_snapshot_chunk_t *)( s->map + item_total );
  s->text      = (char const **)( s->map + item_total + chunk_total );
  s->cnt       = cnt;
  s->chunk_cnt = chunk_cnt;
  s->rounds    = 0;
  s->min_slot  = min_slot;
  s->active    = 1;
  for( uint32_t c = 0; c < chunk_cnt; c++ ) {
    s->chunk[c].first = c * SF_RPC_ACCOUNTS_MAX;
    s->chunk[c].cnt   = c + 1 < chunk_cnt ? SF_RPC_ACCOUNTS_MAX : cnt - c * SF_RPC_ACCOUNTS_MAX;
  }
  return 0;
}

void sf_snapshot_want( sf_snapshot_t * s, uint32_t i, uint32_t account, char const * text ) {
  sf_snapshot_item( s, i )->account = account;
  s->text[i]                        = text;
}

sf_snapshot_item_t * sf_snapshot_item( sf_snapshot_t * s, uint32_t i ) {
  return (sf_snapshot_item_t *)( s->map + i * s->item_bytes );
}

void sf_snapshot_drop( sf_snapshot_t * s ) {
  for( uint32_t i = 0; i < SF_SNAPSHOT_CONNECTIONS; i++ ) {
    sf_snapshot_lane_t * l = &s->lane[i];
    if( l->chunk == NO_CHUNK ) continue;
    sf_http_close( &l->http ); /* an answer to the dropped read must not be taken for a later one's */
    l->chunk = NO_CHUNK;
  }
  if( s->map ) munmap( s->map, s->map_bytes );
  s->map    = NULL;
  s->active = 0;
}

void sf_snapshot_again( sf_snapshot_t * s ) {
  for( uint32_t c = 0; c < s->chunk_cnt; c++ ) s->chunk[c].state = CHUNK_WANTED;
}

/* -- one connection ------------------------------------------------------- */

/* give_up puts a lane's chunk back and waits before the next try. */
static void give_up( sf_snapshot_t * s, sf_snapshot_lane_t * l, uint64_t now, uint64_t at_least_ns ) {
  if( l->chunk != NO_CHUNK ) s->chunk[l->chunk].state = CHUNK_WANTED;
  l->chunk = NO_CHUNK;
  sf_backoff_fail( &l->backoff, s->rng, now, at_least_ns );
}

/* ask sends the next chunk that is wanted. */
static void ask( sf_snapshot_t * s, sf_snapshot_lane_t * l, uint64_t now ) {
  uint32_t c = 0;
  while( c < s->chunk_cnt && s->chunk[c].state != CHUNK_WANTED ) c++;
  if( c == s->chunk_cnt ) return;
  s->chunk[c].state = CHUNK_ASKED;
  l->chunk          = c;
  l->parsed         = 0;
  l->slot           = 0;
  l->id             = ++s->calls;
  l->deadline_ns    = now + s->timeout_ns;
  char * body       = sf_http_request( &l->http );
  sf_http_post( &l->http, sf_rpc_accounts_request( body, l->http.out_max, l->id, s->text + s->chunk[c].first,
                                                   s->chunk[c].cnt, s->commitment, s->min_slot ) );
}

static int take_account( sf_snapshot_t * s, sf_snapshot_lane_t * l, sf_rpc_account_t const * a ) {
  sf_snapshot_chunk_t * c   = &s->chunk[l->chunk];
  sf_snapshot_item_t * item = sf_snapshot_item( s, c->first + l->parsed );
  item->exists              = (uint32_t)a->exists;
  item->slot                = l->slot;
  if( !a->exists ) return 0;
  if( a->owner.n >= sizeof( item->owner ) ) return SF_ERR_DATA;
  memcpy( item->owner, a->owner.p, a->owner.n );
  item->owner[a->owner.n] = 0;
  item->lamports          = a->lamports;
  int64_t n               = sf_base64_decode( item->data, s->data_max, a->data.p, a->data.n );
  if( n == SF_ERR_FULL ) n = (int64_t)( a->data.n / 4 * 3 );
  if( n < 0 ) return (int)n;
  item->data_len = (uint32_t)n;
  return 0;
}

/* take reads some more of an answer: 1 = it is done, 0 = more is left, negative =
   it is not what was asked for. */
static int take( sf_snapshot_t * s, sf_snapshot_lane_t * l, uint64_t now ) {
  if( !l->slot ) {
    if( l->http.head.status == 429 ) {
      s->limited++;
      give_up( s, l, now, l->http.head.retry_after_s * 1000000000UL );
      return 1;
    }
    sf_rpc_message_t m;
    if( sf_rpc_scan( &m, l->http.answer.p, l->http.answer.n ) ) return SF_ERR_DATA;
    if( m.kind == SF_RPC_ERROR && m.error_code == SF_RPC_TOO_MANY_REQUESTS ) s->limited++;
    else if( m.kind == SF_RPC_ERROR && m.error_code != SF_RPC_MIN_CONTEXT_SLOT ) s->failures++;
    if( m.kind == SF_RPC_ERROR ) {
      give_up( s, l, now, 0 );
      return 1;
    }
    if( m.kind != SF_RPC_RESULT || m.result != SF_RPC_RESULT_ACCOUNTS || m.id != l->id || !m.slot ) return SF_ERR_DATA;
    if( sf_rpc_accounts_open( &l->json, m.accounts ) ) return SF_ERR_DATA;
    l->slot = m.slot;
  }
  sf_snapshot_chunk_t * c = &s->chunk[l->chunk];
  sf_rpc_account_t account;
  for( uint32_t i = 0; i < ITEMS_PER_STEP; i++ ) {
    int more = sf_rpc_account_next( &l->json, &account );
    if( more < 0 ) return more;
    if( !more ) {
      if( l->parsed != c->cnt ) return SF_ERR_DATA;
      c->slot  = l->slot;
      c->state = CHUNK_HERE;
      l->chunk = NO_CHUNK;
      sf_backoff_clear( &l->backoff );
      return 1;
    }
    if( l->parsed == c->cnt || take_account( s, l, &account ) ) return SF_ERR_DATA;
    l->parsed++;
  }
  return 0;
}

static void lane_step( sf_snapshot_t * s, sf_snapshot_lane_t * l, uint64_t now ) {
  if( l->http.state == SF_HTTP_CLOSED ) {
    if( !sf_backoff_due( &l->backoff, now ) ) return;
    l->deadline_ns = now + s->timeout_ns;
    if( sf_http_connect( &l->http ) ) {
      s->failures++;
      give_up( s, l, now, 0 );
      return;
    }
    s->connects++;
  }
  int state = l->http.state == SF_HTTP_DONE ? SF_HTTP_DONE : sf_http_step( &l->http );
  if( state >= 0 && state != SF_HTTP_IDLE && state != SF_HTTP_DONE && now >= l->deadline_ns ) {
    sf_http_close( &l->http );
    state = SF_ERR_TIMEOUT;
  }
  if( state == SF_HTTP_IDLE && sf_backoff_due( &l->backoff, now ) ) ask( s, l, now );
  int done = state == SF_HTTP_DONE ? take( s, l, now ) : 0;
  if( done == 1 ) sf_http_release( &l->http );
  if( done < 0 ) sf_http_close( &l->http );
  if( state < 0 || done < 0 ) {
    s->failures++;
    give_up( s, l, now, 0 );
  }
}

/* -- all chunks ----------------------------------------------------------- */

int sf_snapshot_step( sf_snapshot_t * s, uint64_t now ) {
  uint32_t lanes = s->chunk_cnt < SF_SNAPSHOT_CONNECTIONS ? s->chunk_cnt : SF_SNAPSHOT_CONNECTIONS;
  for( uint32_t i = 0; i < lanes; i++ ) lane_step( s, &s->lane[i], now );

  uint64_t newest = 0, oldest = UINT64_MAX;
  for( uint32_t c = 0; c < s->chunk_cnt; c++ ) {
    if( s->chunk[c].state != CHUNK_HERE ) return 0;
    if( s->chunk[c].slot > newest ) newest = s->chunk[c].slot;
    if( s->chunk[c].slot < oldest ) oldest = s->chunk[c].slot;
  }
  if( newest == oldest ) return 1;
  if( s->rounds == SF_SNAPSHOT_ROUNDS ) return 2;
  s->rounds++;
  s->min_slot = newest;
  for( uint32_t c = 0; c < s->chunk_cnt; c++ ) {
    if( s->chunk[c].slot == newest ) continue;
    s->chunk[c].state = CHUNK_WANTED;
    s->retries++;
  }
  return 0;
}
