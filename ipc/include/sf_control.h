/* sf_control.h: the one object that more than one process may write: the
   `control` workspace.

   The kill word is read by risk, build, sign and send before each step.  It is
   raised (run < reduce < halt) by anybody with an atomic maximum: the
   supervisor, `sniperforge kill`, the SIGUSR1 handler of any tile group.  It is
   lowered only by the supervisor on a person's `resume`.  A kill by a person
   (or by risk's daily loss limit) also leaves the file `killed` in the state
   directory, so that it outlives a restart.  All other words here are written
   by the supervisor only. */

#ifndef SF_CONTROL_H
#define SF_CONTROL_H
#include "sf_abi.h"

#define SF_KILL_RUN    0
#define SF_KILL_REDUCE 1 /* exits only */
#define SF_KILL_HALT   2 /* no new order, nothing signed, nothing sent */

#define SF_KILL_BY_NONE       0
#define SF_KILL_BY_PERSON     1
#define SF_KILL_BY_SIGNAL     2
#define SF_KILL_BY_SUPERVISOR 3 /* a tile died, or the supervisor stops */
#define SF_KILL_BY_RISK       4

#define SF_COMMAND_NONE 0
#define SF_COMMAND_HALT 1 /* leave the loop, fini, state done */

#define SF_TILE_MAX 64

typedef struct sf_control {
  sf_object_t object;
  uint64_t    run;             /* number of this run of the instance, from the state directory; rises by 1 */
  uint32_t    supervisor_pid;
  uint32_t    _pad0;
  uint64_t    created_ns;      /* CLOCK_REALTIME ns when the instance was created */
  uint8_t     _pad1[40];
  uint64_t    kill;            /* SF_KILL_* ; any process raises it */
  uint64_t    kill_by;         /* SF_KILL_BY_* of the last raise */
  uint64_t    kill_ns;         /* engine clock of the last raise */
  uint8_t     _pad2[104];
  uint64_t    supervisor_heartbeat_ns; /* engine clock; risk halts when it is older than risk.supervisor_timeout_ms */
  uint64_t    trading;         /* 1 once reconciliation is done; risk denies before */
  uint8_t     _pad3[112];
  uint64_t    command[SF_TILE_MAX]; /* SF_COMMAND_* per tile */
} sf_control_t;
SF_ASSERT( sizeof(sf_control_t)==896 )

#endif
