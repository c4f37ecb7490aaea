/* wait.h: what a thread does when none of its tiles had work.  Private to
   csrc/tile.

   Parking loses no wake-up: the sleeper writes its cursors, then `sleeping`, then
   looks at its in-links again (full barrier between); a producer publishes, then
   looks at `sleeping` (full barrier between).  One of the two sees the other; and
   the kernel compares the slot's seq word once more before it sleeps. */

#ifndef SF_TILE_WAIT_H
#define SF_TILE_WAIT_H
#include "tile/turn.h"

#define SF_WAIT_SPINS 200 /* pauses before a thread parks */

/* sf_wait_once waits once as `wait` (SF_WAIT_*) says after `idle` turns without
   work, and never beyond until_ns or the next housekeeping.  Returns 1 if it slept. */
int sf_wait_once( sf_tile_t * const * t, uint32_t cnt, uint32_t wait, uint64_t idle, uint64_t until_ns );

/* sf_wait_stay_awake holds /dev/cpu_dma_latency at 0 for the life of this process: no core of
   the host enters an idle state that takes time to leave.  Calling it again does nothing.
   Fails with SF_ERR_SYS if the host refuses; parking works as before. */
int sf_wait_stay_awake( void );

#endif
