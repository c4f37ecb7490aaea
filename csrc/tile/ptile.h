/* ptile.h: a tile written in Python: the same protocol as the C runner, driven
   by one call a turn.

     n = sf_ptile_turn( t, buffer, in, max, wait )   n messages at a fixed stride:
         buffer: | sf_message_t, payload | sf_message_t, payload | ...
         in    : | in-link of message 0  | in-link of message 1  | ...
     sf_ptile_publish( t, out, messages, stride, n ) the same format the other way

   A turn handles housekeeping, command word, heartbeat, credits, cursors, order
   of in-links and waiting; the GIL can be released around it.  n never exceeds
   credit/burst of any reliable out-link, so publishing `burst` messages per
   message handed out always succeeds.  Messages are counted as done by the next
   turn.  One thread per tile. */

#ifndef SF_TILE_PTILE_H
#define SF_TILE_PTILE_H
#include "shm/instance.h"
#include "sf_message.h"
#include "tile/tile.h"

typedef struct sf_ptile sf_ptile_t;

/* sf_ptile_open attaches tile `name` (workspace writable) in state boot.  flags:
   SF_TILE_ORDERED.  The instance must outlive it. */
int sf_ptile_open( sf_ptile_t ** t, sf_instance_t * inst, char const * name, uint32_t flags );

/* sf_ptile_start puts it into state run, after the tile's init. */
int sf_ptile_start( sf_ptile_t * t );

/* bytes between two messages in the buffer: the largest slot of its in-links */
uint32_t sf_ptile_stride( sf_ptile_t * t );

/* sf_ptile_turn copies up to max messages, waiting up to max_wait_ns for the first
   as the group's wait says.  Returns how many (0 = nothing came, or no credit), or
   SF_ERR_STATE when the tile is to halt: call fini, then sf_ptile_close.  Assumes
   buffer is 8-byte aligned and has max*stride bytes, `in` has max elements. */
int sf_ptile_turn( sf_ptile_t * t, void * buffer, uint16_t * in, uint32_t max, uint64_t max_wait_ns );

/* sf_ptile_wait waits for any of several tiles of one thread, at most max_wait_ns. */
void sf_ptile_wait( sf_ptile_t * const * t, uint32_t cnt, uint64_t max_wait_ns );

/* sf_ptile_publish publishes cnt messages: kind, length, tag and t_origin are taken
   from each header, seq and t_pub are set, sleeping consumers are woken.  Returns
   cnt, SF_ERR_FULL (none published) without credit for all, or SF_ERR_ARG. */
int sf_ptile_publish( sf_ptile_t * t, uint32_t out, void const * messages, uint32_t stride, uint32_t cnt );

/* sf_ptile_house does what is due about every millisecond; turn calls it itself.
   Returns 1 if it was due. */
int sf_ptile_house( sf_ptile_t * t );

/* sf_ptile_halt asks the tile to halt; any thread or signal handler. */
void sf_ptile_halt( sf_ptile_t * t );

/* sf_ptile_fail ends in state fail with a sentence and raises the kill word;
   sf_ptile_close ends in state done unless it failed, and gives everything back. */
void sf_ptile_fail( sf_ptile_t * t, char const * sentence );
void sf_ptile_close( sf_ptile_t * t );

/* the tile itself: ports, parameters, counters, tables by the sf_tile_* functions */
sf_tile_t * sf_ptile_tile( sf_ptile_t * t );

#endif
