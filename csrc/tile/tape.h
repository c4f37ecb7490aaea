/* tape.h: messages of a link one behind the other in memory, for a bot that is replayed.

     +---------+---------+------+---------+---------+----
     | header  | payload | pad  | header  | payload | ...      used_bytes
     +---------+---------+------+---------+---------+----
     header: sf_message_t whose seq is the seq itself; each begins at a multiple of SF_TAPE_ALIGN

   A bot that plays a tape reads its primary in-link (market) from it, in place: no slot is written, no copy is made, and
   no clock is read between two messages.  Its other in-links, its turns and its out-links are links as ever, so that it
   sees what it saw in the same order.  The same tape may be played by several bots of a thread, each at its own place;
   when all have come to its end its owner puts the next messages into it and raises `loads`. */

#ifndef SF_TILE_TAPE_H
#define SF_TILE_TAPE_H
#include <stdint.h>

#define SF_TAPE_ALIGN 16 /* what a pool's state behind its head needs */

typedef struct sf_tape {
  uint8_t const * bytes; /* aligned to SF_TAPE_ALIGN */
  uint64_t used_bytes;
  uint64_t loads; /* how often `bytes` got new messages; 0 = never */
} sf_tape_t;

struct sf_tile;

/* sf_tile_play makes in-link 0 of a tile that follows recorded turns come from a tape.  The tape outlives the tile; both
   are used in one thread.  Fails with SF_ERR_ARG if the tile follows no turns. */
int sf_tile_play( struct sf_tile * t, sf_tape_t const * tape );

/* sf_tile_tape_left tells whether the tile has still to read of its tape. */
int sf_tile_tape_left( struct sf_tile * t );

#endif
