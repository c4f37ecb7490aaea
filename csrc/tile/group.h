/* group.h: the tiles of one process and core, stepped round robin.

   Waits when no tile had work: spin (one pause), yield (sched_yield), park
   (about 200 pauses, then a futex on the next slot of each in-link until a
   producer wakes it or housekeeping is due, at most 1 ms). */

#ifndef SF_TILE_GROUP_H
#define SF_TILE_GROUP_H
#include "shm/instance.h"
#include "tile/tile.h"

typedef struct sf_group sf_group_t;

/* sf_group_open attaches the tiles of a group: workspaces writable, links and
   tables opened.  The instance must outlive it. */
int sf_group_open( sf_group_t ** group, sf_instance_t * inst, uint32_t index );

/* sf_group_open_with looks for a tile's kind among `own` before the tile table. */
int sf_group_open_with( sf_group_t ** group, sf_instance_t * inst, uint32_t index, sf_tile_ops_t const * const * own,
                        uint32_t own_cnt );

/* sf_group_boot runs every tile's init in the calling thread, which must be the
   one that steps.  On a failure the tile is in state `fail` with its sentence and
   the kill word is raised to halt. */
int sf_group_boot( sf_group_t * g );

/* sf_group_step gives each tile one turn and returns how much they did, or
   SF_ERR_STATE if a tile failed (sentence set). */
int sf_group_step( sf_group_t * g );

/* sf_group_run boots, steps and waits until all tiles were halted (0) or one
   failed (its code, sentence set); finishes all tiles in either case. */
int sf_group_run( sf_group_t * g );

/* sf_group_halt asks for an orderly halt.  Any thread, also a signal handler. */
void sf_group_halt( sf_group_t * g );

/* sf_group_finish halts all tiles: what is on their in-links is handled (at most
   one ring each), then fini.  sf_group_close also gives everything back. */
void sf_group_finish( sf_group_t * g );
void sf_group_close( sf_group_t * g );

uint32_t sf_group_tile_count( sf_group_t * g );
sf_tile_t * sf_group_tile( sf_group_t * g, uint32_t i );

#endif
