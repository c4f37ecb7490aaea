/* tile.h: what a tile written in C sees.

   A tile is a single-threaded worker with six hooks; the runner around it does
   the protocol: credits, cursors, heartbeat, counters, waits, halting.

     new -> boot -> run -> halt -> done        fail from anywhere

     turn: housekeeping if due, poll, then up to 64 messages per in-link, round
     robin; idle if none of that was work.  poll and msg are called only while every reliable out-link has
     `burst` credits (topology), so claim within the burst never fails.

   An ordered tile (SF_TILE_ORDERED; bots) leaves on its out-link 0 in which order
   it consumed its in-links (sf_turn_t).  If it has an in-link named `turns*`
   (its last one) it follows recorded turns instead of its own polling. */

#ifndef SF_TILE_TILE_H
#define SF_TILE_TILE_H
#include "sf_control.h"
#include "sf_message.h"
#include "sf_rows.h"
#include "sf_table.h"

#define SF_TILE_ORDERED  1 /* in-link 0 is primary; publish turns on out-link 0 */
#define SF_TILE_IN_PLACE 2 /* msg reads reliable in-links in their slots; not for who checks what others say */

typedef struct sf_tile sf_tile_t;

typedef struct sf_tile_ops {
  char const * kind;             /* key of the tile table */
  uint32_t flags;                /* SF_TILE_* */
  uint64_t state_bytes;          /* zeroed private memory, sf_tile_state( t ) */
  int ( *init )( sf_tile_t * );  /* 0 or SF_ERR_* with a sentence; may be NULL */
  int ( *poll )( sf_tile_t * );  /* returns how much it did; may be NULL */
  void ( *idle )( sf_tile_t * ); /* in one of two turns without work: warms what is next; no publishing; may be NULL */
  void ( *msg )( sf_tile_t *, uint32_t in, sf_message_t const * m ); /* payload at m+1; may be NULL */
  void ( *house )( sf_tile_t *, uint64_t now_ns );                   /* about every millisecond; may be NULL */
  void ( *fini )( sf_tile_t * ); /* once, after init succeeded; no publishing; may be NULL */
} sf_tile_ops_t;

/* sf_tile_find returns the tile of a kind from the tile table (tiles/table.c),
   NULL with a sentence if there is none. */
sf_tile_ops_t const * sf_tile_find( char const * kind );

/* private memory of state_bytes, 128-byte aligned */
void * sf_tile_state( sf_tile_t * t );
char const * sf_tile_name( sf_tile_t * t );

/* ports: index by link name, or SF_ERR_NOTFOUND with a sentence */
int sf_tile_in( sf_tile_t * t, char const * link );
int sf_tile_out( sf_tile_t * t, char const * link );
uint32_t sf_tile_in_count( sf_tile_t * t );
uint32_t sf_tile_out_count( sf_tile_t * t );
char const * sf_tile_in_name( sf_tile_t * t, uint32_t in );
uint32_t sf_tile_in_link( sf_tile_t * t, uint32_t in );         /* index of the link in the topology */
char const * sf_tile_link_name( sf_tile_t * t, uint32_t link ); /* any link of the topology; NULL beyond the last */
uint32_t sf_tile_out_payload( sf_tile_t * t, uint32_t out );    /* largest payload in bytes */

/* sf_tile_claim returns the next slot of an out-link; write the payload at slot+1.
   Never NULL within the burst; NULL if a reliable consumer is a ring behind. Hot. */
sf_message_t * sf_tile_claim( sf_tile_t * t, uint32_t out );

/* sf_tile_prefetch asks for the first bytes (header and payload) of the slot that sf_tile_claim returns next, which was
   last touched a whole ring ago.  Leaves the slot as it is: a claimed one must be published.  Hot. */
void sf_tile_prefetch( sf_tile_t * t, uint32_t out, uint32_t bytes );

/* sf_tile_message_seq returns the seq of the message that msg has.  (m->seq is that, too, but for SF_TILE_IN_PLACE.) */
uint64_t sf_tile_message_seq( sf_tile_t * t );

/* sf_tile_publish publishes the claimed slot now.  t_origin is the one of the
   message that caused this (0 = none).  Hot. */
void sf_tile_publish( sf_tile_t * t, uint32_t out, sf_message_t * slot, uint16_t kind, uint16_t length, uint32_t tag,
                      uint64_t t_origin );

uint64_t sf_tile_credit( sf_tile_t * t, uint32_t out ); /* messages that may be published now */
int sf_tile_may_publish( sf_tile_t * t, uint32_t out ); /* 1 if that is not 0; seldom looks at the consumers.  Hot */
uint64_t sf_tile_seq( sf_tile_t * t, uint32_t out );    /* seq the next publish gets */

/* sf_tile_table returns a table of the instance: read any, write only own ones
   (NULL with a sentence if there is none of that name).  Cold: keep the pointer. */
sf_table_t * sf_tile_table( sf_tile_t * t, char const * name );

/* sf_tile_table_here returns 1 if a tile of this one's group writes that table: in this thread, so that no row changes
   while a hook runs, and may be read where it stands.  Cold. */
int sf_tile_table_here( sf_tile_t * t, char const * name );

sf_control_t * sf_tile_control( sf_tile_t * t );
uint64_t sf_tile_kill( sf_tile_t * t ); /* kill word now, SF_KILL_* */

/* parameters.  Cold: init only.  sf_tile_param returns NULL if absent; the others
   return 0 or SF_ERR_ARG with a sentence that names tile, key and range. */
char const * sf_tile_param( sf_tile_t * t, char const * key );
int sf_tile_param_u64( sf_tile_t * t, char const * key, uint64_t min, uint64_t max, uint64_t * out );
int sf_tile_param_text( sf_tile_t * t, char const * key, char const ** out );
uint32_t sf_tile_param_count( sf_tile_t * t );
int sf_tile_param_at( sf_tile_t * t, uint32_t i, char const ** key, char const ** value );

/* counters and gauges: register in init (index or SF_ERR_*, sentence set). */
int sf_tile_counter( sf_tile_t * t, char const * name );
int sf_tile_gauge( sf_tile_t * t, char const * name );
void sf_tile_count( sf_tile_t * t, int counter, uint64_t add );
void sf_tile_set( sf_tile_t * t, int gauge, uint64_t v );

/* sf_tile_now returns the engine clock at the start of this turn.  For poll, house
   and I/O tiles; a bot takes the time from its messages. */
uint64_t sf_tile_now( sf_tile_t * t );

/* sf_tile_wake_in keeps the group from parking longer than ns from now, once.
   For poll: something that no link announces is due then. */
void sf_tile_wake_in( sf_tile_t * t, uint64_t ns );

/* sf_tile_beat shows that the tile lives.  For a hook that has to wait for the
   outside: it calls this at least every 100 ms while it waits. */
void sf_tile_beat( sf_tile_t * t );

/* sf_tile_fail ends the tile in state `fail` with this sentence after the hook
   returns.  Returns SF_ERR_STATE. */
int sf_tile_fail( sf_tile_t * t, char const * fmt, ... ) __attribute__( ( format( printf, 2, 3 ) ) );

char const * sf_tile_state_dir( sf_tile_t * t ); /* absolute path of the instance's state directory */
uint64_t sf_tile_run( sf_tile_t * t );           /* number of this run */

#endif
