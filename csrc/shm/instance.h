/* instance.h: one running engine in shared memory.

     /dev/shm/sf-<instance>/   mode 0700
       owner        pid, its start time, boot id of the creator (text)
       topology     the frozen graph, created last: an instance that has it is complete
       control      kill word, command words; writable by all tiles
       <tile>       one workspace per tile: cnc, its out-links, its edges, its tables
       link-<name>  pair links, writable by both ends

   A process that opens an instance maps a workspace when it first asks for
   something in it, read-only unless it asks for it writable. */

#ifndef SF_SHM_INSTANCE_H
#define SF_SHM_INSTANCE_H
#include "sf_cnc.h"
#include "sf_control.h"
#include "shm/link.h"
#include "shm/table.h"
#include "shm/topology.h"
#include "shm/workspace.h"
#include <pthread.h>

#define SF_INSTANCE_DIR_MAX 256

typedef struct sf_instance {
  char dir[SF_INSTANCE_DIR_MAX];
  sf_topology_t * topology; /* read-only */
  sf_control_t * control;
  sf_workspace_t topology_ws;
  sf_workspace_t control_ws;
  sf_workspace_t tile_ws[SF_TILE_MAX];
  sf_workspace_t pair_ws[SF_LINK_MAX];
  pthread_mutex_t lock; /* of the mappings */
} sf_instance_t;

/* sf_instance_create makes the instance directory from a laid-out topology.  A
   stale one of that name is removed first.  The calling process is its owner.
   Fails with SF_ERR_STATE if the instance runs. */
int sf_instance_create( char const * dir, sf_topology_t const * t );

/* sf_instance_open attaches to an instance; sf_instance_close unmaps it. */
int sf_instance_open( sf_instance_t * inst, char const * dir );
void sf_instance_close( sf_instance_t * inst );

/* sf_instance_new / sf_instance_delete: the same with memory from malloc. */
int sf_instance_new( sf_instance_t ** inst, char const * dir );
void sf_instance_delete( sf_instance_t * inst );

/* sf_instance_stale returns 1 if the creator of the instance is gone (also if
   its pid was given to another process, or the machine was booted since), 0 if
   it lives, SF_ERR_NOTFOUND if there is no such directory. */
int sf_instance_stale( char const * dir );

/* sf_instance_owner returns the pid of the creator as recorded, or a code. */
int sf_instance_owner( char const * dir );

/* sf_instance_remove deletes the directory with all its files.  Refuses a
   directory whose name does not begin with `sf-`.  Does not look at who runs. */
int sf_instance_remove( char const * dir );

/* sf_instance_workspace maps a tile's workspace, writable if asked.  A process has
   one mapping of a workspace: it becomes writable for everybody in it, in place. */
int sf_instance_workspace( sf_instance_t * inst, uint32_t tile, int writable, sf_workspace_t ** ws );

/* Objects by index, NULL with a sentence if the mapping or a check fails.  What
   is returned may be written only if its workspace was mapped writable. */
sf_cnc_t * sf_instance_cnc( sf_instance_t * inst, uint32_t tile );
sf_link_t * sf_instance_link_at( sf_instance_t * inst, uint32_t link );
sf_edge_t * sf_instance_edge_at( sf_instance_t * inst, uint32_t edge );
sf_table_t * sf_instance_table_at( sf_instance_t * inst, uint32_t table );

/* The same by name. */
sf_link_t * sf_instance_link( sf_instance_t * inst, char const * name );
sf_table_t * sf_instance_table( sf_instance_t * inst, char const * name );
sf_cnc_t * sf_instance_cnc_named( sf_instance_t * inst, char const * tile );
sf_control_t * sf_instance_control( sf_instance_t * inst );

/* sf_instance_producer and sf_instance_consumer open handles for link `link` or
   edge `edge`; the tile's workspace must be mapped writable. */
int sf_instance_producer( sf_instance_t * inst, uint32_t link, sf_producer_t * p );
int sf_instance_consumer( sf_instance_t * inst, uint32_t edge, sf_consumer_t * c );

#endif
