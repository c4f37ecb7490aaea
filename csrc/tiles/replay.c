/* replay: publishes a recorded link again, message for message: kind, tag, t_origin
   and payload as they stand in the journal; seqs come out the same because the
   journal has every message from seq 0.  As fast as its consumers take it.

   One out-link.  Parameters: dir (of the journal), run, link (name of the recorded
   link).  Gauge `finished` is 1 at the end of the journal; gauge `place_bytes` is
   how far it has read.  A block that is not whole is the end, as for any reader. */

#include "base/atomic.h"
#include "base/err.h"
#include "io/reader.h"
#include "io/segment.h"
#include "sf_topology.h"
#include "tile/tile.h"

#include <string.h>

#define POLL_MAX 64 /* messages of one poll; fewer where credit or `burst` are less */

typedef struct sf_replay {
  sf_reader_t * reader;
  uint64_t next_seq;   /* of the recorded link */
  uint64_t read_bytes; /* of the segments so far */
  uint64_t offset;     /* where the reader stands in its segment */
  char const * link;
  uint32_t room; /* largest payload of the out-link */
  int cnt;       /* records of the link in the block */
  int at;        /* of these, published */
  int done;
  int finished, place_bytes; /* gauges */
  uint32_t off[SF_BLOCK_RECORDS];
} sf_replay_t;

static int replay_init( sf_tile_t * t ) {
  sf_replay_t * r = sf_tile_state( t );
  char const * dir;
  uint64_t run;
  int err = sf_tile_param_text( t, "dir", &dir );
  if( !err ) err = sf_tile_param_text( t, "link", &r->link );
  if( !err ) err = sf_tile_param_u64( t, "run", 0U, 99999999U, &run );
  if( err ) return err;
  if( sf_tile_out_count( t ) != 1U )
    return sf_err_set( SF_ERR_ARG, "tile %s: has %u out-links; it takes one", sf_tile_name( t ),
                       sf_tile_out_count( t ) );
  r->room        = sf_tile_out_payload( t, 0U );
  r->finished    = sf_tile_gauge( t, "finished" );
  r->place_bytes = sf_tile_gauge( t, "place_bytes" );
  if( r->place_bytes < 0 ) return r->place_bytes;
  return sf_reader_open( &r->reader, dir, run, NULL );
}

/* Loads the next block with records of the link; notes the end. */
static int block_load( sf_tile_t * t, sf_replay_t * r ) {
  sf_filter_t filter = { .kinds = { UINT64_MAX, UINT64_MAX }, .links = UINT64_MAX };
  for( uint32_t i = 0U; i < SF_LINK_MAX; i++ ) { /* known from the first block on; before it everything passes */
    char const * name = sf_reader_link( r->reader, i );
    if( name[0] && strcmp( name, r->link ) ) filter.links &= ~( 1UL << i );
  }
  r->at  = 0;
  r->cnt = sf_reader_next( r->reader, &filter, r->off );
  sf_place_t place;
  sf_reader_place( r->reader, &place );
  if( place.offset < r->offset ) r->read_bytes += r->offset;
  r->offset = place.offset;
  sf_tile_set( t, r->place_bytes, r->read_bytes + place.offset );
  if( r->cnt > 0 ) return 0;
  if( r->cnt < 0 && r->cnt != SF_ERR_DATA ) return sf_tile_fail( t, "%s", sf_err_text() );
  r->cnt  = 0;
  r->done = 1;
  sf_tile_set( t, r->finished, 1U );
  return 0;
}

static int replay_poll( sf_tile_t * t ) {
  sf_replay_t * r = sf_tile_state( t );
  int sent        = 0;
  while( sent < POLL_MAX && !r->done ) {
    if( r->at == r->cnt ) {
      if( block_load( t, r ) ) break;
      continue;
    }
    sf_journal_record_t const * rec =
        (sf_journal_record_t const *)( (uint8_t const *)sf_reader_block( r->reader ) + r->off[r->at] );
    sf_message_t const * m = &rec->message;
    if( strcmp( sf_reader_link( r->reader, rec->link ), r->link ) ) {
      r->at++;
      continue;
    }
    if( SF_UNLIKELY( m->seq != r->next_seq || m->length > r->room ) )
      return sf_tile_fail( t, "recorded message %lu of link %s has seq %lu and %u bytes; a slot takes %u", r->next_seq,
                           r->link, m->seq, m->length, r->room );
    sf_message_t * slot = sf_tile_claim( t, 0U );
    if( !slot ) break;
    memcpy( slot + 1, rec + 1, m->length );
    sf_tile_publish( t, 0U, slot, m->kind, m->length, m->tag, m->t_origin );
    r->next_seq++;
    r->at++;
    sent++;
  }
  return sent;
}

static void replay_fini( sf_tile_t * t ) {
  sf_replay_t * r = sf_tile_state( t );
  sf_reader_close( r->reader );
}

sf_tile_ops_t const sf_tile_replay = {
  .kind = "replay", .state_bytes = sizeof( sf_replay_t ), .init = replay_init, .poll = replay_poll, .fini = replay_fini
};
