/* turn.h: the protocol of a tile, implemented once for C tiles (tile/group.h)
   and Python tiles (tile/ptile.h).  Private to csrc/tile.

   A pass goes once over the in-links, up to `batch` messages of each.  An
   ordered tile's message that needs a turn record (not from the primary in-link,
   or after a jump) is taken only as the first of a batch: the record then stands
   on out-link 0 exactly between what came before and what it causes. */

#ifndef SF_TILE_TURN_H
#define SF_TILE_TURN_H
#include "base/rng.h"
#include "shm/cnc.h"
#include "shm/control.h"
#include "shm/instance.h"
#include "tile/tape.h"
#include "tile/tile.h"

#define SF_TURN_BATCH     64
#define SF_TURN_LOOK      64 /* turns between two sf_tile_links_look */
#define SF_HOUSE_NS       1000000UL
#define SF_SAMPLE_MAX     8           /* kept for sf_tile_after; beyond, they are counted earlier */
#define SF_WATCH_NONE     UINT64_MAX  /* of a slot that was not looked at yet */
#define SF_TURN_IN_END    0xffffffffu /* sf_turn_t.in of the last record of a replay */
#define SF_TURN_NO_REPLAY 0xffffffffu

typedef struct sf_param {
  char const * key;
  char const * value;
} sf_param_t;

/* The word of the slot that an in-link waits for, as it was seen when there was nothing in it. */
typedef struct sf_watch {
  uint64_t const * word;
  uint64_t seen;
} sf_watch_t;

/* A time that goes into a histogram when all tiles of the group had their turn. */
typedef struct sf_sample {
  uint64_t hist; /* SF_HIST_* */
  uint64_t ns;
} sf_sample_t;

struct sf_tile {             /* first what every turn touches */
  sf_tile_ops_t const * ops; /* NULL: a Python tile */
  void * state;
  uint64_t now;  /* engine clock at the start of the turn */
  uint64_t done; /* at the end of the last one that did something; a message that publishes is done with that */
  uint64_t seq;  /* of the message that msg has */
  sf_consumer_t * peeked; /* whose slot msg reads, or NULL */
  uint64_t house_at;
  uint64_t wake_at; /* of sf_tile_wake_in, UINT64_MAX = none */
  uint64_t credit;  /* count[SF_COUNTER_MESSAGES_OUT] up to which each out-link is known to have credit */
  uint64_t woken;   /* count[SF_COUNTER_MESSAGES_OUT] when sleepers were last looked for */
  uint64_t burst;
  uint32_t in_cnt;
  uint32_t pass_in;   /* in-link the pass is at */
  uint32_t pass_cnt;  /* messages taken from it in this pass */
  uint32_t batch;     /* most messages of one in-link in a pass */
  uint32_t replay_in; /* in-link of recorded turns, or SF_TURN_NO_REPLAY */
  uint32_t flags;     /* SF_TILE_* */
  uint32_t blocked;   /* 1 = no credit in the last turn */
  uint32_t failed;
  uint32_t ended; /* state done or fail was published */
  uint32_t halt;  /* asked to halt; atomic, also set by other threads and signal handlers */
  uint32_t sample_cnt;
  uint64_t count[SF_COUNTER_FIRST_OWN]; /* written to the cnc page by housekeeping */
  sf_watch_t watch[SF_PORT_MAX];        /* by in-link */

  sf_cnc_t * cnc;
  sf_message_t * message; /* private copy that msg gets */
  uint64_t message_bytes;
  sf_sample_t sample[SF_SAMPLE_MAX];
  uint32_t out_cnt;
  uint32_t booted;      /* init succeeded, fini is due */
  uint32_t replay_held; /* 1 = replay_turn is still to be followed */
  sf_turn_t replay_turn;
  sf_tape_t const * tape;       /* where in-link 0 comes from; NULL: from its link */
  uint64_t tape_load;           /* `loads` of the tape that tape_off is of */
  uint64_t tape_off;            /* of the next message in it */
  uint64_t primary_next;        /* seq of the next primary message, jumps not yet recorded not counted */
  uint64_t jumped[SF_PORT_MAX]; /* messages jumped since the last one taken */
  sf_control_t * control;
  sf_rng_t rng;
  sf_instance_t * inst;
  sf_topology_tile_t const * spec;
  uint32_t index;
  uint32_t param_cnt;
  sf_param_t * param;
  char * param_text;
  sf_consumer_t in[SF_PORT_MAX];
  sf_producer_t out[SF_PORT_MAX];
};

/* sf_tile_open attaches a tile: its workspace writable, its ports opened, state
   boot.  Fails with SF_ERR_STATE if the tile was run before in this instance. */
int sf_tile_open( sf_tile_t ** t, sf_instance_t * inst, uint32_t index, sf_tile_ops_t const * ops, uint32_t flags );
void sf_tile_close( sf_tile_t * t );

/* sf_tile_boot runs init in the thread that will step the tile; state run. */
int sf_tile_boot( sf_tile_t * t );

/* sf_tile_ready returns 1 if every out-link has credit for what handling `messages`
   messages may publish.  Not even one is counted as backpressure.  sf_tile_ready_look is
   its part that looks at each of them. */
int sf_tile_ready_look( sf_tile_t * t, uint64_t messages );

SF_INLINE int sf_tile_ready( sf_tile_t * t, uint64_t messages ) {
  int64_t known = (int64_t)( t->credit - t->count[SF_COUNTER_MESSAGES_OUT] );
  return SF_LIKELY( known >= (int64_t)( messages * ( t->burst + 1 ) ) ) || sf_tile_ready_look( t, messages );
}

/* sf_tile_take returns the next message of the pass, NULL when the pass is over: copied
   into buffer, or where it stands on the tape.  fresh=0: a message that needs a turn
   record is left for the next batch.  Assumes sf_tile_ready. */
sf_message_t const * sf_tile_take( sf_tile_t * t, sf_message_t * buffer, uint64_t bytes, uint32_t * in, int fresh );

/* sf_tile_links_look gives credit back that is held on links where little comes, and asks for the slots behind those
   waited for.  sf_tile_turn_count counts a turn and does it in every SF_TURN_LOOK-th: at each, it would take the cursors'
   lines from the producers. */
void sf_tile_links_look( sf_tile_t * t );

SF_INLINE void sf_tile_turn_count( sf_tile_t * t ) {
  if( SF_UNLIKELY( ++t->count[SF_COUNTER_TURNS] % SF_TURN_LOOK == 0 ) ) sf_tile_links_look( t );
}

/* sf_tile_turn is one turn of a C tile at engine clock now; returns how much it did.  sf_tile_after is due after it. */
int sf_tile_turn( sf_tile_t * t, uint64_t now );

/* sf_tile_house_due does the housekeeping (sf_tile_house) if it is due, 1 if it was. */
void sf_tile_house( sf_tile_t * t );

SF_INLINE int sf_tile_house_due( sf_tile_t * t ) {
  if( SF_LIKELY( t->now < t->house_at ) ) return 0;
  sf_tile_house( t );
  return 1;
}

/* sf_tile_flush writes cursors, `published` and counters. */
void sf_tile_flush( sf_tile_t * t );

/* sf_tile_sample puts a time into a histogram of the tile with the next sf_tile_samples_add, off the way to the next
   tile of the group. */
void sf_tile_samples_add( sf_tile_t * t );

SF_INLINE void sf_tile_sample( sf_tile_t * t, uint64_t hist, uint64_t ns ) {
  if( SF_UNLIKELY( t->sample_cnt == SF_SAMPLE_MAX ) ) sf_tile_samples_add( t );
  t->sample[t->sample_cnt++] = ( sf_sample_t ){ hist, ns };
}

/* sf_tile_wake wakes the consumers that sleep on what was published since the last call. */
void sf_tile_wake( sf_tile_t * t );

/* sf_tile_after does what waits until all tiles of a group had their turn: sf_tile_wake, and the turn's samples. */
SF_INLINE void sf_tile_after( sf_tile_t * t ) {
  if( t->woken != t->count[SF_COUNTER_MESSAGES_OUT] ) sf_tile_wake( t );
  if( t->sample_cnt ) sf_tile_samples_add( t );
}

/* sf_tile_end publishes the end: done, or fail with the sentence and the kill
   word raised to halt. */
void sf_tile_end( sf_tile_t * t );

/* sf_tile_finish brings a C tile to its end: handles what is on its in-links (at
   most one ring each), fini, sf_tile_end. */
void sf_tile_finish( sf_tile_t * t );

/* sf_tile_pass_begin makes a turn of a tile that follows recorded turns begin a pass: one that a full batch ended would
   else end once more, with nothing. */
SF_INLINE void sf_tile_pass_begin( sf_tile_t * t ) {
  if( SF_UNLIKELY( t->replay_in != SF_TURN_NO_REPLAY ) ) t->pass_cnt = 0;
}

SF_INLINE int sf_tile_halting( sf_tile_t * t ) { return sf_load_relaxed( &t->halt ) != 0; }

#endif
