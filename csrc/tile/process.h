/* process.h: the process that runs the C tiles of one group (csrc/main/group.c).

     sf-group INSTANCE_DIR GROUP      one group, in this thread
     sf-group --single INSTANCE_DIR   all C groups, a thread each (gdb, sanitizers)

   SIGTERM, SIGINT  orderly halt: what is on the in-links is handled, then fini
   SIGUSR1          kill word to halt
   exit             0 halted, 1 a tile failed or nothing could be started; the
                    sentence is on stderr, and in cnc.error of the tile

   It dies with the process that started it (PR_SET_PDEATHSIG).  A process that
   holds the key (tile kind sign) leaves no core dump and cannot be traced. */

#ifndef SF_TILE_PROCESS_H
#define SF_TILE_PROCESS_H
#include "tile/group.h"

/* sf_process_run does all of that with the arguments of main and returns the exit
   code.  `own` tiles are looked up before the tile table.  Once per process. */
int sf_process_run( int argc, char ** argv, sf_tile_ops_t const * const * own, uint32_t own_cnt );

#endif
