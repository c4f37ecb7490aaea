/* feed: account bytes of a Solana node onto `raw`.

   One WebSocket with an accountSubscribe per account of the accounts file and a
   slotSubscribe; getMultipleAccounts over HTTP for what was before.

     down --back-off--> opening --> up      lost: SF_MSG_RESET, everything from the start
                                     |
       subscribe all, wait for the answers, then
       idle --> read (one slot for all) --> publish (file order) --> replay --> idle
                 meanwhile notifications are held back -----------------^

   An account is `unread`, then `reading` (its notifications are held back), then `live`
   (they go out at once).  The read may not be of an older slot than any notification
   before it, so none is missed: what was held back of older slots is dropped as
   stale, the rest follows the read in the order it came.  Accounts added to the
   file, or accepted late, pass through the same states while the others stay
   live.  One that is gone from the file is published once more, without data, and is no
   longer subscribed.  A read of live accounts (resync) publishes only what it finds changed and no
   notification has told of by SETTLE_NS later.

   SF_MSG_SLOT: at commitment processed the node's slot notifications; at the others,
   which come later than those, the first account update of a new slot.

   Known limit: an update of a slot that a fork undoes stays until the next update or
   resync, as the interface does not tell (processed only). */

#include "base/clock.h"
#include "base/err.h"
#include "io/accounts.h"
#include "io/base64.h"
#include "io/holdback.h"
#include "io/rpc.h"
#include "io/snapshot.h"
#include "io/subscriber.h"
#include "solana/base58.h"
#include "tile/tile.h"
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#define MS 1000000UL

#define TURN_MESSAGES  16           /* WebSocket messages of a turn */
#define TURN_PUBLISHES 32           /* messages of a turn from a read or held back */
#define SCAN_NS        ( 2 * MS )   /* how often subscriptions are looked through while one is missing */
#define STAT_NS        ( 200 * MS ) /* how often the accounts file is looked at */
#define POLL_NS        250000       /* a group that parks looks at the socket again after this */
#define SETTLE_NS      ( 200 * MS )
#define HOLDBACK_BYTES ( 16UL << 20 ) /* updates that may come during a read */
#define OUT_BYTES      65536          /* requests on their way out of the WebSocket */

#define PHASE_DOWN    0
#define PHASE_OPENING 1
#define PHASE_UP      2

#define SYNC_IDLE    0
#define SYNC_READ    1
#define SYNC_SETTLE  2 /* a comparing read is done: what it found may be on its way as a notification */
#define SYNC_PUBLISH 3
#define SYNC_REPLAY  4

#define ACCOUNT_UNREAD  0
#define ACCOUNT_READING 1
#define ACCOUNT_LIVE    2

/* clang-format off */
#define COUNTERS( X ) \
  X( connects ) X( reconnects ) X( connect_failures ) X( connection_losses ) X( silent_deaths ) X( pings )  \
  X( rate_limited ) X( reads_limited ) X( notifications ) X( slot_notifications ) X( duplicates_dropped )   \
  X( stale_dropped ) X( malformed_json ) X( malformed_shape ) X( malformed_data ) X( malformed_frames )     \
  X( oversized_accounts ) X( unknown_subscriptions ) X( subscribe_failures ) X( syncs ) X( resyncs )        \
  X( repaired_accounts ) X( missing_accounts ) X( mixed_reads ) X( read_failures ) X( holdback_overflows )  \
  X( file_errors ) X( dropped_accounts )
#define GAUGES( X ) \
  X( accounts ) X( accounts_subscribed ) X( accounts_live ) X( slot ) X( connected ) X( uring_refused )
/* clang-format on */

enum {
#define X( name ) COUNT_##name,
  COUNTERS( X ) GAUGES( X )
#undef X
      COUNT_MAX
};

typedef struct feed {
  sf_websocket_t ws;
  sf_accounts_t accounts;
  sf_snapshot_t snapshot;
  sf_multishot_t multishot;
  sf_endpoint_t ws_endpoint;
  sf_endpoint_t rpc_endpoint;
  sf_subscriber_t subscriber;
  sf_holdback_t holdback;
  sf_backoff_t backoff;
  sf_rng_t rng;
  char const * commitment;
  char const * path; /* accounts file */
  struct timespec path_mtime;
  uint64_t stat_ns;
  uint64_t ping_ns, timeout_ns, resync_ns;
  uint32_t processed; /* commitment is processed */
  uint32_t flags;     /* SF_RAW_SIMULATED or 0 */
  uint32_t out;
  uint32_t data_max; /* account bytes a slot of the link holds */

  uint32_t phase;
  uint32_t sync;
  uint32_t synced;     /* a first read has been published since the last reset */
  uint32_t comparing;  /* the read is of live accounts */
  uint32_t consistent; /* the read is of one slot */
  uint32_t published;  /* something is out that a loss makes void */
  uint32_t reset_due;
  uint32_t live; /* accounts */
  uint32_t connected_before;
  uint32_t uring_refused;
  uint32_t looked;   /* poll has run since the last housekeeping */
  uint64_t heard_ns; /* the node was not silent before: it said something, or nobody listened */
  uint64_t deadline_ns, pinged_ns, scanned_ns, read_ns;
  uint64_t slot; /* last SF_MSG_SLOT */
  uint64_t root;
  uint64_t min_slot;    /* no read may be older */
  sf_raw_slot_t newest; /* slot notification */
  uint64_t version;
  uint64_t read_version; /* when the read began */
  uint32_t cursor;       /* next item to publish */
  uint32_t disturbed;    /* reads done again because their slot was still changing */
  int counter[COUNT_MAX];
  uint64_t total[COUNT_MAX];
  char sentence[512]; /* for house to say */
} feed_t;

#define count( t, f, name, n ) sf_tile_count( t, ( f )->counter[COUNT_##name], n )

/* say keeps a sentence for house: the turns of poll are too short to write. */
__attribute__( ( format( printf, 2, 3 ) ) ) static void say( feed_t * f, char const * fmt, ... ) {
  if( f->sentence[0] ) return;
  va_list args;
  va_start( args, fmt );
  vsnprintf( f->sentence, sizeof( f->sentence ), fmt, args );
  va_end( args );
}

/* -- publishing ----------------------------------------------------------- */

static void publish_slot( sf_tile_t * t, feed_t * f, uint16_t kind, uint64_t slot, uint64_t parent,
                          uint64_t t_origin ) {
  sf_message_t * m  = sf_tile_claim( t, f->out );
  sf_raw_slot_t * s = (sf_raw_slot_t *)( m + 1 );
  *s                = ( sf_raw_slot_t ){ .slot = slot, .parent = parent, .root = f->root, .flags = f->flags };
  sf_tile_publish( t, f->out, m, kind, sizeof( *s ), 0, t_origin );
  if( kind == SF_MSG_SLOT ) {
    f->slot = slot;
    sf_tile_set( t, f->counter[COUNT_slot], slot );
  }
}

/* publish sends what stands in claimed slot m behind the header: n bytes of the
   account's data.  May need room for two messages. */
static void publish( sf_tile_t * t, feed_t * f, uint32_t i, sf_message_t * m, uint64_t slot, uint64_t lamports,
                     uint8_t const * owner, uint32_t n, uint32_t flags, uint64_t t_origin ) {
  sf_account_t * a       = &f->accounts.account[i];
  sf_raw_account_t * raw = (sf_raw_account_t *)( m + 1 );
  if( sf_account_keep( a, slot, lamports, owner, (uint8_t *)( raw + 1 ), n ) ) {
    sf_tile_fail( t, "no memory for account %s", a->text );
    return;
  }
  if( !f->processed && f->synced && slot > f->slot ) {
    publish_slot( t, f, SF_MSG_SLOT, slot, 0, t_origin );
    m   = sf_tile_claim( t, f->out );
    raw = (sf_raw_account_t *)( m + 1 );
    memcpy( raw + 1, a->data, n );
  }
  memcpy( raw->pubkey, a->pubkey, 32 );
  memcpy( raw->owner, owner, 32 );
  raw->slot          = slot;
  raw->write_version = a->version = ++f->version;
  raw->lamports                   = lamports;
  raw->data_len                   = n;
  raw->flags                      = flags | f->flags;
  sf_tile_publish( t, f->out, m, SF_MSG_ACCOUNT, (uint16_t)( sizeof( *raw ) + n ), i, t_origin );
  f->published = 1;
}

/* offer publishes an update unless it is late or repeated. */
static void offer( sf_tile_t * t, feed_t * f, uint32_t i, sf_message_t * m, uint64_t slot, uint64_t lamports,
                   uint8_t const * owner, uint32_t n, uint64_t t_origin ) {
  sf_account_t * a     = &f->accounts.account[i];
  uint8_t const * data = (uint8_t *)( m + 1 ) + sizeof( sf_raw_account_t );
  if( slot < a->slot ) count( t, f, stale_dropped, 1 );
  else if( slot == a->slot && sf_account_same( a, lamports, owner, data, n ) ) count( t, f, duplicates_dropped, 1 );
  else publish( t, f, i, m, slot, lamports, owner, n, 0, t_origin );
}

static void oversized( sf_tile_t * t, feed_t * f, uint32_t i, uint64_t n ) {
  sf_account_t * a = &f->accounts.account[i];
  count( t, f, oversized_accounts, 1 );
  if( !a->refused )
    say( f,
         "account %s has about %lu bytes, more than the %u a slot of the link holds: it is not followed; raise "
         "topology.links.raw.slot_bytes",
         a->text, n, f->data_max );
  a->refused = 1;
}

/* read_owner decodes an owner, mostly the one the account had before. */
static int read_owner( sf_account_t * a, char const * text, uint64_t n, uint8_t owner[32] ) {
  if( !n || n >= SF_PUBKEY_TEXT_MAX ) return SF_ERR_DATA;
  if( memcmp( a->owner_text, text, n ) || a->owner_text[n] ) {
    if( sf_base58_decode( text, (uint32_t)n, owner, 32 ) != 32 ) return SF_ERR_DATA;
    memset( a->owner_text, 0, sizeof( a->owner_text ) );
    memcpy( a->owner_text, text, n );
    memcpy( a->owner_read, owner, 32 );
  }
  memcpy( owner, a->owner_read, 32 );
  return 0;
}

/* -- losing the connection ------------------------------------------------ */

/* lost makes everything void: the connection is gone, or is of no use any more. */
static void lost( sf_tile_t * t, feed_t * f, char const * why, uint64_t at_least_ns ) {
  sf_websocket_close( &f->ws, 1000 );
  sf_snapshot_drop( &f->snapshot );
  sf_accounts_reset( &f->accounts );
  sf_subscriber_reset( &f->subscriber );
  sf_holdback_clear( &f->holdback );
  f->live     = 0;
  f->min_slot = f->slot = f->disturbed = 0;
  f->newest                            = ( sf_raw_slot_t ){ 0 };
  f->synced                            = 0;
  f->sync                              = SYNC_IDLE;
  f->phase                             = PHASE_DOWN;
  f->reset_due                         = f->published;
  sf_backoff_fail( &f->backoff, &f->rng, sf_tile_now( t ), at_least_ns );
  sf_tile_set( t, f->counter[COUNT_connected], 0 );
  say( f, "%s: %s; next try in %lu ms", f->ws_endpoint.url.host, why, ( f->backoff.until_ns - sf_tile_now( t ) ) / MS );
}

static void lost_stream( sf_tile_t * t, feed_t * f, int err ) {
  count( t, f, connection_losses, 1 );
  if( err == SF_ERR_DATA || err == SF_ERR_LIMIT ) count( t, f, malformed_frames, 1 );
  lost( t, f,
        err == SF_ERR_DATA    ? "the WebSocket stream is malformed"
        : err == SF_ERR_LIMIT ? "a message is larger than feed.max_message_kb"
                              : "the connection was lost",
        0 );
}

/* -- notifications -------------------------------------------------------- */

/* hold keeps an update of an account that is being read. */
static void hold( sf_tile_t * t, feed_t * f, uint32_t i, sf_rpc_message_t const * m ) {
  sf_held_t * e = sf_holdback_claim( &f->holdback, f->data_max );
  if( !e ) {
    count( t, f, holdback_overflows, 1 );
    lost( t, f, "more updates came during a read than can be held back", 0 );
    return;
  }
  int64_t n = sf_base64_decode( e->data, f->data_max, m->account.data.p, m->account.data.n );
  if( n == SF_ERR_FULL ) {
    oversized( t, f, i, m->account.data.n / 4 * 3 );
    return;
  }
  if( n < 0 || read_owner( &f->accounts.account[i], m->account.owner.p, m->account.owner.n, e->owner ) ) {
    count( t, f, malformed_data, 1 );
    return;
  }
  e->account  = i;
  e->slot     = m->slot;
  e->lamports = m->account.lamports;
  e->t_origin = f->ws.t_received;
  e->data_len = (uint32_t)n;
  sf_holdback_commit( &f->holdback, e );
}

static void on_account( sf_tile_t * t, feed_t * f, sf_rpc_message_t const * m ) {
  count( t, f, notifications, 1 );
  int64_t i = sf_accounts_by_subscription( &f->accounts, m->subscription );
  if( m->slot > f->min_slot ) f->min_slot = m->slot;
  if( i < 0 ) {
    count( t, f, unknown_subscriptions, 1 );
    return;
  }
  sf_account_t * a = &f->accounts.account[i];
  if( a->live == ACCOUNT_READING ) {
    hold( t, f, (uint32_t)i, m );
    return;
  }
  if( a->live == ACCOUNT_UNREAD ) return; /* the read to come is not older than this */
  if( m->slot < a->slot ) {
    count( t, f, stale_dropped, 1 );
    return;
  }
  sf_message_t * out = sf_tile_claim( t, f->out );
  int64_t n = sf_base64_decode( (uint8_t *)( out + 1 ) + sizeof( sf_raw_account_t ), f->data_max, m->account.data.p,
                                m->account.data.n );
  uint8_t owner[32];
  if( n == SF_ERR_FULL ) {
    oversized( t, f, (uint32_t)i, m->account.data.n / 4 * 3 );
    return;
  }
  if( n < 0 || read_owner( a, m->account.owner.p, m->account.owner.n, owner ) ) {
    count( t, f, malformed_data, 1 );
    return;
  }
  offer( t, f, (uint32_t)i, out, m->slot, m->account.lamports, owner, (uint32_t)n, f->ws.t_received );
}

static void on_slot( sf_tile_t * t, feed_t * f, sf_rpc_message_t const * m ) {
  count( t, f, slot_notifications, 1 );
  f->root           = m->root;
  f->newest         = ( sf_raw_slot_t ){ .slot = m->slot, .parent = m->parent };
  uint64_t complete = f->processed ? m->parent : m->root;
  if( complete > f->min_slot ) f->min_slot = complete;
  if( f->processed && f->synced && m->slot > f->slot )
    publish_slot( t, f, SF_MSG_SLOT, m->slot, m->parent, f->ws.t_received );
}

static void answered( sf_tile_t * t, feed_t * f, sf_rpc_message_t const * m ) {
  if( sf_subscriber_answer( &f->subscriber, m, sf_tile_now( t ) ) ) count( t, f, malformed_shape, 1 );
}

static void on_message( sf_tile_t * t, feed_t * f, sf_span_t text ) {
  sf_rpc_message_t m;
  int err = sf_rpc_scan( &m, text.p, text.n );
  if( err == SF_ERR_DATA ) count( t, f, malformed_json, 1 );
  else if( err ) count( t, f, malformed_shape, 1 );
  else if( m.kind == SF_RPC_ACCOUNT ) on_account( t, f, &m );
  else if( m.kind == SF_RPC_SLOT ) on_slot( t, f, &m );
  else if( m.kind == SF_RPC_RESULT || m.kind == SF_RPC_ERROR ) answered( t, f, &m );
  else count( t, f, unknown_subscriptions, 1 );
}

/* -- the read ------------------------------------------------------------- */

/* begin_read reads the accounts that are subscribed and not live yet or, if there
   are none and it is time, compares the live ones. */
static void begin_read( sf_tile_t * t, feed_t * f, uint64_t now ) {
  f->comparing = f->subscriber.on == f->live;
  if( !f->accounts.cnt ) f->synced = 1;
  if( f->accounts.untold_cnt ) return;
  if( f->comparing && ( !f->resync_ns || !f->live || now - f->read_ns < f->resync_ns ) ) return;
  uint32_t n = f->comparing ? f->live : f->subscriber.on - f->accounts.unwanted_cnt - f->live;
  if( sf_snapshot_begin( &f->snapshot, n, f->min_slot ) ) {
    lost( t, f, sf_err_text(), 0 );
    return;
  }
  uint32_t k = 0;
  for( uint32_t i = 0; i < f->accounts.cnt && k < n; i++ ) {
    sf_account_t * a = &f->accounts.account[i];
    if( a->dropped || a->subscription.state != SF_SUBSCRIPTION_ON || ( a->live == ACCOUNT_LIVE ) != (int)f->comparing )
      continue;
    if( !f->comparing ) a->live = ACCOUNT_READING;
    sf_snapshot_want( &f->snapshot, k++, i, a->text );
  }
  count( t, f, resyncs, f->comparing );
  sf_holdback_mark( &f->holdback );
  f->read_version = f->version;
  f->disturbed    = 0;
  f->sync         = SYNC_READ;
}

/* read_step goes on with the read.  A read of several chunks is also of several
   states if one of its accounts changed in its very slot meanwhile. */
static void read_step( sf_tile_t * t, feed_t * f, uint64_t now ) {
  int done = sf_snapshot_step( &f->snapshot, now );
  if( !done ) return;
  if( done == 1 && f->snapshot.chunk_cnt > 1 &&
      sf_holdback_moving( &f->holdback, sf_snapshot_item( &f->snapshot, 0 )->slot ) ) {
    if( f->disturbed++ < SF_SNAPSHOT_ROUNDS ) {
      sf_holdback_mark( &f->holdback );
      sf_snapshot_again( &f->snapshot );
      return;
    }
    done = 2;
  }
  f->consistent = done == 1;
  f->read_ns    = now;
  f->cursor     = 0;
  f->sync       = f->comparing ? SYNC_SETTLE : SYNC_PUBLISH;
  if( f->consistent || f->comparing ) return;
  count( t, f, mixed_reads, 1 );
  say( f, "%u accounts could not be read at one slot in %u tries: each pool becomes usable with a later slot",
       f->snapshot.cnt, SF_SNAPSHOT_ROUNDS );
}

static void publish_item( sf_tile_t * t, feed_t * f, sf_snapshot_item_t const * item ) {
  sf_account_t * a = &f->accounts.account[item->account];
  uint8_t owner[32];
  if( !item->exists ) {
    count( t, f, missing_accounts, !f->comparing );
    return;
  }
  if( item->data_len > f->data_max ) {
    oversized( t, f, item->account, item->data_len );
    return;
  }
  if( read_owner( a, item->owner, strlen( item->owner ), owner ) ) {
    count( t, f, malformed_data, 1 );
    return;
  }
  if( f->comparing ) {
    if( item->slot < a->slot || a->version > f->read_version ||
        sf_account_same( a, item->lamports, owner, item->data, item->data_len ) )
      return;
    count( t, f, repaired_accounts, 1 );
  }
  sf_message_t * m = sf_tile_claim( t, f->out );
  memcpy( (uint8_t *)( m + 1 ) + sizeof( sf_raw_account_t ), item->data, item->data_len );
  publish( t, f, item->account, m, item->slot, item->lamports, owner, item->data_len,
           f->consistent && !f->comparing ? SF_RAW_SNAPSHOT : 0, f->read_ns );
}

/* end_read makes the accounts of the read live: the log is empty. */
static void end_read( sf_tile_t * t, feed_t * f, uint64_t now ) {
  uint64_t slot = 0;
  for( uint32_t i = 0; i < f->snapshot.cnt; i++ ) {
    sf_snapshot_item_t * item = sf_snapshot_item( &f->snapshot, i );
    sf_account_t * a          = &f->accounts.account[item->account];
    if( item->slot > slot ) slot = item->slot;
    f->live += a->live != ACCOUNT_LIVE;
    a->live = ACCOUNT_LIVE;
  }
  sf_snapshot_drop( &f->snapshot );
  sf_holdback_clear( &f->holdback );
  f->sync = SYNC_IDLE;
  if( f->comparing ) return;
  if( !f->synced )
    say( f, "%s: %u of %u accounts are live at slot %lu", f->ws_endpoint.url.host, f->live,
         f->accounts.cnt - f->accounts.dropped_cnt, slot );
  f->synced = 1;
  count( t, f, syncs, 1 );
  sf_backoff_clear( &f->backoff );
  if( f->processed && f->newest.slot > f->slot )
    publish_slot( t, f, SF_MSG_SLOT, f->newest.slot, f->newest.parent, now );
  if( !f->processed && slot > f->slot ) publish_slot( t, f, SF_MSG_SLOT, slot, 0, now );
}

static int sync_step( sf_tile_t * t, feed_t * f, uint64_t now, uint64_t room, int drained ) {
  if( f->sync == SYNC_READ ) read_step( t, f, now );
  if( f->sync == SYNC_SETTLE && drained && now - f->read_ns >= SETTLE_NS ) f->sync = SYNC_PUBLISH;
  uint64_t n = 0, most = room < 2 * TURN_PUBLISHES ? room / 2 : TURN_PUBLISHES; /* each may be two messages */
  while( f->sync == SYNC_PUBLISH && n < most ) {
    publish_item( t, f, sf_snapshot_item( &f->snapshot, f->cursor++ ) );
    n++;
    if( f->cursor == f->snapshot.cnt ) f->sync = SYNC_REPLAY;
  }
  for( ; f->sync == SYNC_REPLAY && n < most; n++ ) {
    sf_held_t const * e = sf_holdback_next( &f->holdback );
    if( !e ) {
      end_read( t, f, now );
      break;
    }
    sf_message_t * m = sf_tile_claim( t, f->out );
    memcpy( (uint8_t *)( m + 1 ) + sizeof( sf_raw_account_t ), e->data, e->data_len );
    offer( t, f, e->account, m, e->slot, e->lamports, e->owner, e->data_len, e->t_origin );
  }
  return (int)n;
}

/* tell_dropped publishes each account that is no longer followed once more, without data.  Returns how many. */
static int tell_dropped( sf_tile_t * t, feed_t * f, uint64_t room ) {
  static uint8_t const nobody[32];
  int n = 0;
  for( uint32_t i = 0; i < f->accounts.cnt && f->accounts.untold_cnt && n < TURN_PUBLISHES && room >= 2; i++ ) {
    sf_account_t * a = &f->accounts.account[i];
    if( !a->untold ) continue;
    a->untold = 0;
    f->accounts.untold_cnt--;
    count( t, f, dropped_accounts, 1 );
    publish( t, f, i, sf_tile_claim( t, f->out ), f->newest.slot > a->slot ? f->newest.slot : a->slot, 0, nobody, 0, 0,
             sf_tile_now( t ) );
    a->slot = a->version = 0;
    room -= 2;
    n++;
  }
  return n;
}

static int poll( sf_tile_t * t ) {
  feed_t * f = sf_tile_state( t );
  sf_tile_wake_in( t, POLL_NS );
  uint64_t room = sf_tile_credit( t, f->out );
  if( f->reset_due && room ) {
    publish_slot( t, f, SF_MSG_RESET, 0, 0, sf_tile_now( t ) );
    f->reset_due = f->published = 0;
    return 1;
  }
  if( f->accounts.untold_cnt ) return tell_dropped( t, f, room );
  if( f->phase != PHASE_UP ) return 0;
  int work    = 0;
  int drained = 0; /* no notification waits: after a standstill there may be many */
  int err     = sf_websocket_step( &f->ws );
  f->looked   = 1;
  for( ; err >= 0 && f->phase == PHASE_UP && work < TURN_MESSAGES && room >= 2; work++, room -= 2 ) {
    sf_span_t text;
    err     = sf_websocket_receive( &f->ws, &text );
    drained = !err;
    if( err <= 0 ) break;
    on_message( t, f, text );
  }
  if( err < 0 ) lost_stream( t, f, err );
  if( f->phase == PHASE_UP && f->sync != SYNC_IDLE ) work += sync_step( t, f, sf_tile_now( t ), room, drained );
  return work;
}

/* -- housekeeping --------------------------------------------------------- */

/* opening connects and upgrades; each step of it may wait for the next millisecond. */
static void opening( sf_tile_t * t, feed_t * f, uint64_t now ) {
  int state = sf_websocket_step( &f->ws );
  if( state == SF_WEBSOCKET_OPEN ) {
    f->phase     = PHASE_UP;
    f->pinged_ns = f->scanned_ns = now;
    count( t, f, connects, 1 );
    count( t, f, reconnects, f->connected_before );
    f->connected_before = 1;
    return;
  }
  if( state >= 0 && now < f->deadline_ns ) return;
  count( t, f, connect_failures, 1 );
  char why[160] = "no connection";
  if( state == SF_ERR_STATE ) {
    count( t, f, rate_limited, f->ws.head.status == 429 );
    snprintf( why, sizeof( why ), "no WebSocket, the answer was HTTP status %u", f->ws.head.status );
  } else if( state == SF_ERR_CRYPTO ) {
    snprintf( why, sizeof( why ), "%s", sf_err_text() );
  }
  lost( t, f, why, f->ws.head.status == 429 ? f->ws.head.retry_after_s * 1000 * MS : 0 );
}

static void keep_up( sf_tile_t * t, feed_t * f, uint64_t now ) {
  if( now - f->pinged_ns >= f->ping_ns ) {
    f->pinged_ns = now;
    if( !sf_websocket_ping( &f->ws ) ) count( t, f, pings, 1 );
  }
  if( !f->looked ) f->heard_ns = now; /* no credit on raw: poll is not called */
  if( f->ws.t_received > f->heard_ns ) f->heard_ns = f->ws.t_received;
  f->looked = 0;
  if( now > f->heard_ns && now - f->heard_ns > f->timeout_ns ) {
    count( t, f, silent_deaths, 1 );
    lost( t, f, "the connection has gone silent", 0 );
    return;
  }
  int missing = f->subscriber.on - f->accounts.unwanted_cnt < f->accounts.cnt - f->accounts.dropped_cnt ||
                f->accounts.unwanted_cnt || f->subscriber.slot.state != SF_SUBSCRIPTION_ON;
  int settled = !missing;
  if( missing && now - f->scanned_ns >= SCAN_NS ) {
    f->scanned_ns = now;
    settled       = sf_subscriber_step( &f->subscriber, now );
  }
  if( settled && f->sync == SYNC_IDLE ) begin_read( t, f, now );
}

/* look_at_file reads the accounts file again when it has changed.  Not during a
   read, which holds on to the accounts where they are. */
static void look_at_file( sf_tile_t * t, feed_t * f, uint64_t now ) {
  if( now - f->stat_ns < STAT_NS || f->sync != SYNC_IDLE ) return;
  f->stat_ns = now;
  struct stat st;
  if( stat( f->path, &st ) || !memcmp( &st.st_mtim, &f->path_mtime, sizeof( st.st_mtim ) ) ) return;
  int err = sf_accounts_load( &f->accounts, f->path, sf_pubkey_decode, &f->path_mtime );
  sf_tile_set( t, f->counter[COUNT_accounts], f->accounts.cnt - f->accounts.dropped_cnt );
  for( uint32_t i = 0; i < f->accounts.cnt; i++ ) {
    sf_account_t * a = &f->accounts.account[i];
    if( !a->dropped ) continue;
    f->live -= a->live == ACCOUNT_LIVE;
    a->live = ACCOUNT_UNREAD;
  }
  if( !err ) return;
  count( t, f, file_errors, 1 );
  say( f, "%s", sf_err_text() );
}

/* total makes a counter follow a total that something below keeps. */
static void total( sf_tile_t * t, feed_t * f, uint32_t which, uint64_t value ) {
  sf_tile_count( t, f->counter[which], value - f->total[which] );
  f->total[which] = value;
}

static void house( sf_tile_t * t, uint64_t now ) {
  feed_t * f = sf_tile_state( t );
  look_at_file( t, f, now );
  if( f->phase == PHASE_DOWN && sf_backoff_due( &f->backoff, now ) ) {
    f->deadline_ns = now + f->timeout_ns;
    f->phase       = PHASE_OPENING;
    if( sf_websocket_connect( &f->ws ) ) {
      count( t, f, connect_failures, 1 );
      lost( t, f, "no connection", 0 );
    }
  }
  if( f->phase == PHASE_OPENING ) opening( t, f, now );
  if( f->phase == PHASE_UP ) keep_up( t, f, now );

  total( t, f, COUNT_subscribe_failures, f->subscriber.failures );
  total( t, f, COUNT_read_failures, f->snapshot.failures );
  total( t, f, COUNT_reads_limited, f->snapshot.limited + f->subscriber.limited );
  sf_tile_set( t, f->counter[COUNT_accounts_subscribed], f->subscriber.on );
  sf_tile_set( t, f->counter[COUNT_accounts_live], f->live );
  sf_tile_set( t, f->counter[COUNT_connected], f->phase == PHASE_UP );
  sf_tile_set( t, f->counter[COUNT_uring_refused], f->uring_refused || f->multishot.refused );
  if( f->sentence[0] ) fprintf( stderr, "%s: %s\n", sf_tile_name( t ), f->sentence );
  f->sentence[0] = 0;
}

/* -- start and end -------------------------------------------------------- */

static void fini( sf_tile_t * t ) {
  feed_t * f = sf_tile_state( t );
  if( f->ws.out ) {
    sf_websocket_close( &f->ws, 1000 );
    sf_websocket_fini( &f->ws );
  }
  sf_snapshot_fini( &f->snapshot );
  sf_accounts_fini( &f->accounts );
  sf_holdback_fini( &f->holdback );
  if( f->multishot.uring.open ) sf_multishot_close( &f->multishot );
  sf_endpoint_close( &f->ws_endpoint );
  sf_endpoint_close( &f->rpc_endpoint );
}

static int register_counters( sf_tile_t * t, feed_t * f ) {
  uint32_t n = 0;
#define X( name ) \
  if( ( f->counter[n++] = sf_tile_counter( t, #name ) ) < 0 ) return f->counter[n - 1];
  COUNTERS( X )
#undef X
#define X( name ) \
  if( ( f->counter[n++] = sf_tile_gauge( t, #name ) ) < 0 ) return f->counter[n - 1];
  GAUGES( X )
#undef X
  return 0;
}

static int start( sf_tile_t * t, feed_t * f ) {
  char const *url, *rpc_url, *ca_path, *engine;
  uint64_t simulated, message_kb, ping_ms, timeout_ms, backoff_min_ms, backoff_max_ms, resync_ms;
  int err;
  if( ( err = sf_tile_param_text( t, "url", &url ) ) ) return err;
  if( ( err = sf_tile_param_text( t, "rpc_url", &rpc_url ) ) ) return err;
  if( ( err = sf_tile_param_text( t, "accounts_path", &f->path ) ) ) return err;
  if( ( err = sf_tile_param_text( t, "commitment", &f->commitment ) ) ) return err;
  if( ( err = sf_tile_param_text( t, "engine", &engine ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "simulated", 0, 1, &simulated ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "ping_ms", 1, 3600000, &ping_ms ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "timeout_ms", 1, 3600000, &timeout_ms ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "backoff_min_ms", 1, 3600000, &backoff_min_ms ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "backoff_max_ms", 1, 3600000, &backoff_max_ms ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "resync_ms", 0, 86400000, &resync_ms ) ) ) return err;
  if( ( err = sf_tile_param_u64( t, "max_message_kb", 64, 1048576, &message_kb ) ) ) return err;
  ca_path      = sf_tile_param( t, "ca_path" );
  f->processed = !strcmp( f->commitment, "processed" );
  if( !f->processed && strcmp( f->commitment, "confirmed" ) && strcmp( f->commitment, "finalized" ) )
    return sf_err_set( SF_ERR_ARG, "%s: commitment is processed, confirmed or finalized", sf_tile_name( t ) );
  if( ping_ms >= timeout_ms )
    return sf_err_set( SF_ERR_ARG, "%s: ping_ms (%lu) must be below timeout_ms (%lu)", sf_tile_name( t ), ping_ms,
                       timeout_ms );
  if( backoff_min_ms > backoff_max_ms )
    return sf_err_set( SF_ERR_ARG, "%s: backoff_min_ms is above backoff_max_ms", sf_tile_name( t ) );
  int uring = !strcmp( engine, "uring" );
  if( !uring && strcmp( engine, "recv" ) )
    return sf_err_set( SF_ERR_ARG, "%s: engine is recv or uring", sf_tile_name( t ) );

  int out = sf_tile_out( t, "raw" );
  if( out < 0 ) return out;
  f->out = (uint32_t)out;
  if( sf_tile_out_payload( t, f->out ) <= sizeof( sf_raw_account_t ) )
    return sf_err_set( SF_ERR_ARG, "%s: slots of link raw hold no account", sf_tile_name( t ) );
  f->data_max   = sf_tile_out_payload( t, f->out ) - (uint32_t)sizeof( sf_raw_account_t );
  f->flags      = simulated ? SF_RAW_SIMULATED : 0;
  f->ping_ns    = ping_ms * MS;
  f->timeout_ns = timeout_ms * MS;
  f->resync_ns  = resync_ms * MS;
  f->backoff    = ( sf_backoff_t ){ .min_ns = backoff_min_ms * MS, .max_ns = backoff_max_ms * MS };
  uint64_t seed = sf_clock_ns();
  if( getrandom( &seed, sizeof( seed ), GRND_NONBLOCK ) < 0 ) seed ^= (uint64_t)(uintptr_t)t;
  sf_rng_seed( &f->rng, seed );
  if( ( err = register_counters( t, f ) ) ) return err;
  if( ( err = sf_endpoint_open( &f->ws_endpoint, url, ca_path ) ) ) return err;
  if( ( err = sf_endpoint_open( &f->rpc_endpoint, rpc_url, ca_path ) ) ) return err;
  if( !f->ws_endpoint.url.websocket || f->rpc_endpoint.url.websocket )
    return sf_err_set( SF_ERR_ARG, "%s: url begins with ws:// or wss://, rpc_url with http:// or https://",
                       sf_tile_name( t ) );
  if( ( err = sf_accounts_load( &f->accounts, f->path, sf_pubkey_decode, &f->path_mtime ) ) ) return err;
  sf_tile_set( t, f->counter[COUNT_accounts], f->accounts.cnt );
  if( ( err = sf_holdback_init( &f->holdback, HOLDBACK_BYTES ) ) ) return err;
  if( ( err = sf_websocket_init( &f->ws, &f->ws_endpoint, message_kb << 10, OUT_BYTES ) ) ) return err;
  if( ( err = sf_snapshot_init( &f->snapshot, &f->rpc_endpoint, f->commitment, f->timeout_ns, &f->backoff,
                                message_kb << 10, f->data_max, &f->rng ) ) )
    return err;
  f->subscriber = ( sf_subscriber_t ){ .ws             = &f->ws,
                                       .accounts       = &f->accounts,
                                       .commitment     = f->commitment,
                                       .rng            = &f->rng,
                                       .timeout_ns     = f->timeout_ns,
                                       .backoff_min_ns = f->backoff.min_ns,
                                       .backoff_max_ns = f->backoff.max_ns };
  if( uring && sf_multishot_open( &f->multishot ) ) {
    f->uring_refused = 1;
    say( f, "%s; receiving by recv", sf_err_text() );
  } else if( uring ) {
    f->ws.stream.multishot = &f->multishot;
  }
  return 0;
}

static int init( sf_tile_t * t ) {
  int err = start( t, sf_tile_state( t ) );
  if( err ) fini( t );
  return err;
}

sf_tile_ops_t const sf_tile_feed = {
  .kind        = "feed",
  .state_bytes = sizeof( feed_t ),
  .init        = init,
  .poll        = poll,
  .house       = house,
  .fini        = fini,
};
