/* topology.h: building, checking and laying out the static graph of an instance
   (layout in sf_topology.h).

     sf_topology_new, then group, tile, link, edge, table, params by the add
     functions; sf_topology_validate checks the rules and settles waits and cores;
     sf_topology_layout gives every object its place; sf_instance_create
     (shm/instance.h) freezes it into shared memory.

   Errors name the key and the fix: `topology.links.market: depth 1000 is not a
   power of two; use 1024`. */

#ifndef SF_SHM_TOPOLOGY_H
#define SF_SHM_TOPOLOGY_H
#include "sf_topology.h"

/* sf_topology_new empties t; sf_topology_alloc also gets its memory (about 170
   KiB, from malloc; give it back with sf_topology_free). */
void sf_topology_new( sf_topology_t * t );
sf_topology_t * sf_topology_alloc( void );
void sf_topology_free( sf_topology_t * t );

/* Each add function returns the new index, or SF_ERR_ARG / SF_ERR_FULL with a
   sentence.  Adding a link puts it into its producer's out-links, adding an edge
   puts it into its consumer's in-links: order of calls is order of ports. */
int sf_topology_group_add( sf_topology_t * t, char const * name, uint32_t wait, uint32_t core, uint32_t flags );
int sf_topology_tile_add( sf_topology_t * t, char const * name, char const * kind, uint32_t group, uint32_t flags,
                          uint32_t burst );
int sf_topology_link_add( sf_topology_t * t, char const * name, uint32_t producer, uint32_t depth,
                          uint32_t slot_bytes );
int sf_topology_edge_add( sf_topology_t * t, uint32_t link, uint32_t consumer, uint32_t reliable );
int sf_topology_table_add( sf_topology_t * t, char const * name, uint32_t writer, uint32_t row_bytes,
                           uint32_t row_cnt );

/* sf_topology_params_set gives a tile its parameters: `key=value` lines.  Once per tile. */
int sf_topology_params_set( sf_topology_t * t, uint32_t tile, char const * text );

/* sf_topology_validate checks the graph against the rules and against the cores
   this process may use: unpinned spinning groups get a core; spinning groups
   beyond the cores there are fall back to yield (wait then differs from
   wait_asked); sets the NUMA nodes.  0 or SF_ERR_ARG with the first fault. */
int sf_topology_validate( sf_topology_t * t );

/* sf_topology_validate_on is sf_topology_validate on the given cores. */
int sf_topology_validate_on( sf_topology_t * t, uint32_t const * core, uint32_t core_cnt );

/* sf_topology_place gives every workspace its NUMA node, core[k] being on node[k]:
   that of the pinned tiles which read the most bytes of its links, since they
   wait for these lines and their writer does not; the writer's own where none is
   pinned or as many bytes are read there.  A pair link's file goes to its
   consumer.  Pure; part of sf_topology_validate. */
void sf_topology_place( sf_topology_t * t, uint32_t const * core, uint32_t const * node, uint32_t core_cnt );

/* sf_topology_notes writes one line per group whose wait fell back, and returns
   the number of lines. */
int sf_topology_notes( sf_topology_t const * t, char * out, uint64_t out_bytes );

/* sf_topology_layout gives offsets, sizes and link flags.  After validate. */
int sf_topology_layout( sf_topology_t * t );

/* index by name, or SF_ERR_NOTFOUND with a sentence */
int sf_topology_tile_find( sf_topology_t const * t, char const * name );
int sf_topology_link_find( sf_topology_t const * t, char const * name );
int sf_topology_table_find( sf_topology_t const * t, char const * name );
int sf_topology_group_find( sf_topology_t const * t, char const * name );

/* sf_topology_is_pair returns 1 if a link lies in a file of its own. */
int sf_topology_is_pair( sf_topology_t const * t, uint32_t link );

#endif
