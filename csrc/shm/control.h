/* control.h: the kill word and the command words (layout in sf_control.h). */

#ifndef SF_SHM_CONTROL_H
#define SF_SHM_CONTROL_H
#include "base/atomic.h"
#include "sf_control.h"

/* sf_kill_raise raises the kill word to at least `level` (SF_KILL_*) and returns
   1 if that changed it, 0 if it was there already, SF_ERR_ARG if level is none.
   Any process, also in a signal handler. */
int sf_kill_raise( sf_control_t * c, uint64_t level, uint64_t by );

/* sf_kill_lower sets the kill word back to `run`.  Supervisor only, on a
   person's resume. */
void sf_kill_lower( sf_control_t * c );

/* sf_kill_read returns the kill word now.  Hot. */
SF_INLINE uint64_t sf_kill_read( sf_control_t const * c ) { return sf_load_acquire( &c->kill ); }

/* sf_command_set writes a tile's command word (SF_COMMAND_*).  Supervisor only. */
void sf_command_set( sf_control_t * c, uint32_t tile, uint64_t command );

#endif
