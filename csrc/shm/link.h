/* link.h: publishing and reading on links (layout, drawing and rules of the
   ring in sf_link.h).

   sf_producer_t and sf_consumer_t are private to the tile that holds them; they
   cache all constants of the link, so that one message moves one cache line.  (The
   address of the next slot is worked out anew each time: kept in the handle, it
   halves streaming.)

     producer                             consumer
     claim    slot to write in place      receive  private copy, never torn
     publish  header, then seq (release)  peek, release  in place (reliable only)

   Lossy reading: the producer marks a slot busy before it writes into it and
   the reader checks the seq word again after its copy, so that a torn message
   is never handed out.  A reader that was overrun resumes at what its slot holds.

   Runs: seqs start at 0 in fresh memory with each run.  A handle that was closed
   (sf_producer_close, sf_consumer_flush) can be opened again and goes on where it
   was.  A link whose producer died unclosed is refused by sf_producer_open:
   nothing but a new run knows the next seq.

   ThreadSanitizer would report the plain stores into a claimed slot that a
   lossy reader copies (and then throws away).  Under it, claim on a broadcast
   link hands out a private slot and publish copies it word by word. */

#ifndef SF_SHM_LINK_H
#define SF_SHM_LINK_H
#include "base/atomic.h"
#include "sf_link.h"
#include "sf_topology.h"

#define SF_SLOT_MIN   64
#define SF_SLOT_MAX   65536
#define SF_DEPTH_MIN  4
#define SF_DEPTH_MAX  ( 1U << 24 )
#define SF_IDLE_POLLS 64 /* empty polls in which a consumer gives its credit back */

typedef struct sf_producer {
  uint8_t * slots;
  uint64_t next;  /* seq of the next message */
  uint64_t limit; /* first seq without credit */
  uint64_t mask;
  uint64_t slot_bytes;
  uint32_t broadcast;  /* 1 = mark slots busy first */
  uint32_t wake;       /* 1 = at least one consumer parks */
  uint64_t woken_next; /* next at the last look for sleepers */
  uint64_t backpressure_turns;
  sf_link_t * link;
  sf_message_t * stage; /* ThreadSanitizer on a broadcast link only */
  uint32_t edge_cnt;
  uint32_t reliable_cnt;
  sf_edge_t const * edge[SF_TILE_MAX]; /* reliable ones first */
  uint64_t woken[SF_TILE_MAX];         /* cursor+1 of the last wake per edge */
} sf_producer_t;

typedef struct sf_consumer {
  uint8_t const * slots;
  uint64_t next; /* seq of the next message */
  uint64_t mask;
  uint64_t slot_bytes;
  uint64_t flushed;    /* cursor last written */
  uint64_t quarter;    /* depth/4 */
  uint64_t idle_polls; /* empty polls since the cursor was written for them */
  uint32_t reliable;
  uint32_t pair;
  uint64_t lost;
  sf_edge_t * edge;
  sf_link_t const * link;
} sf_consumer_t;

/* sf_link_bytes returns the size of a link object, 0 if depth or slot_bytes is
   not allowed. */
uint64_t sf_link_bytes( uint32_t depth, uint32_t slot_bytes );

/* sf_producer_open makes the producing handle of a link whose memory is mapped
   writable.  edges are all its consumers' edges (reliable and lossy).
   Fails with SF_ERR_STATE if an earlier producer of this run died unclosed. */
int sf_producer_open( sf_producer_t * p, sf_link_t * link, sf_edge_t const * const * edges, uint32_t edge_cnt );

/* sf_producer_close writes the exact `published` and gives private memory back. */
void sf_producer_close( sf_producer_t * p );

/* sf_consumer_open makes the reading handle at the edge's cursor.  The link must
   be mapped writable if it is a pair link. */
int sf_consumer_open( sf_consumer_t * c, sf_link_t const * link, sf_edge_t * edge );

/* sf_producer_refresh reads the reliable cursors and returns the credit: how
   many messages may be published now (UINT64_MAX/2 without reliable consumers). */
uint64_t sf_producer_refresh( sf_producer_t * p );

/* sf_producer_publish_state writes `published` and the backpressure count. */
void sf_producer_publish_state( sf_producer_t * p );

/* sf_link_credit returns how many messages may be published now. */
SF_INLINE uint64_t sf_link_credit( sf_producer_t * p ) { return sf_producer_refresh( p ); }

/* sf_producer_ready returns 1 if at least `burst` messages may be published. Hot. */
SF_INLINE int sf_producer_ready( sf_producer_t * p, uint64_t burst ) {
  return SF_LIKELY( p->limit - p->next >= burst ) || sf_producer_refresh( p ) >= burst;
}

SF_INLINE sf_message_t * sf_producer_slot( sf_producer_t const * p, uint64_t seq ) {
  return (sf_message_t *)( p->slots + ( seq & p->mask ) * p->slot_bytes );
}

/* sf_link_claim returns the next slot; the payload is written at slot+1 in place
   (at most slot_bytes-32 bytes).  NULL if there is no credit.  Claiming twice
   without publishing gives the same slot.  Hot. */
SF_INLINE sf_message_t * sf_link_claim( sf_producer_t * p ) {
  if( SF_UNLIKELY( p->next >= p->limit ) && !sf_producer_refresh( p ) ) return 0;
  sf_message_t * slot = sf_producer_slot( p, p->next );
  if( p->broadcast ) {
    sf_store_relaxed( &slot->seq, ( p->next + 1 ) | SF_SEQ_BUSY );
    if( SF_TSAN ) return p->stage;
    sf_compiler_barrier();
  }
  return slot;
}

/* sf_link_publish makes the claimed slot the next message.  Hot. */
SF_INLINE void sf_link_publish( sf_producer_t * p, sf_message_t * slot, uint16_t kind, uint16_t length, uint32_t tag,
                                uint64_t t_origin, uint64_t t_pub ) {
  if( SF_TSAN && p->broadcast ) {
    sf_message_t * real = sf_producer_slot( p, p->next );
    sf_words_copy_in( real + 1, slot + 1, ( length + 7UL ) / 8 );
    slot = real;
  }
  sf_store_release( (uint64_t *)&slot->kind, (uint64_t)kind | (uint64_t)length << 16 | (uint64_t)tag << 32 );
  sf_store_two( &slot->t_origin, t_origin, t_pub );
  sf_store_release( &slot->seq, ++p->next );
}

/* sf_link_send copies a payload into the next slot and publishes it with t_pub
   = the engine clock.  0, SF_ERR_FULL without credit, SF_ERR_ARG if the payload
   is larger than the slot. */
int sf_link_send( sf_producer_t * p, uint16_t kind, uint32_t tag, uint64_t t_origin, void const * payload,
                  uint16_t length );

/* sf_producer_wake wakes the consumers that sleep on what was published since
   the last call.  Call once at the end of a turn: one full barrier if anything
   was published on a link with parking consumers, nothing otherwise.
   sf_producer_wake_edges is its second half for callers that did the barrier. */
void sf_producer_wake_edges( sf_producer_t * p );

SF_INLINE int sf_producer_wake_due( sf_producer_t const * p ) { return p->wake && p->next != p->woken_next; }

SF_INLINE void sf_producer_wake( sf_producer_t * p ) {
  if( !sf_producer_wake_due( p ) ) return;
  sf_full_barrier();
  sf_producer_wake_edges( p );
}

/* sf_consumer_flush writes the cursor, which gives credit back. */
SF_INLINE void sf_consumer_flush( sf_consumer_t * c ) {
  if( c->flushed == c->next ) return;
  c->flushed = c->next;
  sf_store_release( &c->edge->cursor, c->next );
}

SF_INLINE sf_message_t const * sf_consumer_slot( sf_consumer_t const * c ) {
  return (sf_message_t const *)( c->slots + ( c->next & c->mask ) * c->slot_bytes );
}

/* sf_consumer_idle counts an empty poll; the cursor is written at every 64th only,
   since at each one it would take the line from the producer. */
SF_INLINE void sf_consumer_idle( sf_consumer_t * c ) {
  if( SF_LIKELY( ++c->idle_polls < SF_IDLE_POLLS ) ) return;
  c->idle_polls = 0;
  sf_consumer_flush( c );
}

/* sf_consumer_jump handles a slot that holds a later lap: SF_ERR_OVERRUN. */
int sf_consumer_jump( sf_consumer_t * c, uint64_t word );

/* sf_consumer_miss handles a slot whose seq word is not the one wanted: 0 if there
   is nothing yet, SF_ERR_OVERRUN after a jump. */
SF_INLINE int sf_consumer_miss( sf_consumer_t * c, uint64_t word ) {
  if( SF_UNLIKELY( ( word & ~SF_SEQ_BUSY ) > c->next + 1 ) ) return sf_consumer_jump( c, word );
  sf_consumer_idle( c ); /* an earlier lap, or ours while it is written */
  return 0;
}

SF_INLINE void sf_consumer_step( sf_consumer_t * c ) {
  if( SF_UNLIKELY( ++c->next - c->flushed >= c->quarter ) ) sf_consumer_flush( c );
}

/* sf_link_peek returns the next message in its slot, NULL if there is none.  Its
   seq field holds seq+1.  Reliable consumers only; valid until sf_link_release.  Hot. */
SF_INLINE sf_message_t const * sf_link_peek( sf_consumer_t * c ) {
  sf_message_t const * slot = sf_consumer_slot( c );
  if( SF_LIKELY( sf_load_acquire( &slot->seq ) == c->next + 1 ) ) return slot;
  sf_consumer_idle( c );
  return 0;
}

/* sf_link_release is done with the peeked message.  Hot. */
SF_INLINE void sf_link_release( sf_consumer_t * c ) {
  if( c->pair ) sf_store_relaxed( (uint64_t *)&sf_consumer_slot( c )->seq, 0UL );
  sf_consumer_step( c );
}

/* sf_link_receive copies the next message: header (with seq itself) and payload.
   1 = got one, 0 = nothing there, SF_ERR_OVERRUN = this reader was overrun: it
   jumped, the jump is added to lost, and the next call reads on.  Assumes out is
   8-byte aligned and out_bytes is at least the link's slot_bytes.  Hot. */
SF_INLINE int sf_link_receive( sf_consumer_t * c, sf_message_t * out, uint64_t out_bytes ) {
  sf_message_t const * slot = sf_consumer_slot( c );
  uint64_t want             = c->next + 1;
  uint64_t word             = sf_load_acquire( &slot->seq );
  if( word != want ) return sf_consumer_miss( c, word );

  uint64_t const * from = (uint64_t const *)slot + 1;
  uint64_t * to         = (uint64_t *)out + 1;
  if( c->slot_bytes == 64 ) sf_words_copy_out( to, from, 7 );
  else if( c->slot_bytes == 128 ) sf_words_copy_out( to, from, 15 );
  else {
    sf_words_copy_out( to, from, 3 );
    uint64_t room   = ( c->slot_bytes < out_bytes ? c->slot_bytes : out_bytes ) - sizeof( sf_message_t );
    uint64_t length = out->length < room ? out->length : room;
    if( c->reliable ) memcpy( out + 1, slot + 1, length );
    else sf_words_copy_out( out + 1, slot + 1, ( length + 7 ) / 8 );
  }
  if( !c->reliable ) {
    word = sf_load_acquire( &slot->seq );
    if( SF_UNLIKELY( word != want ) ) return sf_consumer_miss( c, word );
  } else if( c->pair ) {
    sf_store_relaxed( (uint64_t *)&slot->seq, 0UL );
  }
  out->seq = c->next;
  sf_consumer_step( c );
  return 1;
}

#endif
