/* pool.h: taking and giving fixed-size elements by index, lock-free, from any
   process that maps the workspace writable (layout in sf_pool.h). */

#ifndef SF_SHM_POOL_H
#define SF_SHM_POOL_H
#include "shm/workspace.h"
#include "sf_pool.h"

/* sf_pool_bytes returns the size of a pool object, 0 if element_bytes is not a
   multiple of 64 or element_cnt is 0 or SF_POOL_NONE. */
uint64_t sf_pool_bytes( uint32_t element_bytes, uint32_t element_cnt );

/* sf_pool_create makes a pool at offset off of a workspace, all elements free;
   NULL with a sentence if it does not fit. */
sf_pool_t * sf_pool_create( sf_workspace_t * ws, uint64_t off, char const * name, uint32_t element_bytes,
                            uint32_t element_cnt );

/* sf_pool_take returns the index of an element that nobody else has, or
   SF_POOL_NONE if all are out. */
uint32_t sf_pool_take( sf_pool_t * p );

/* sf_pool_give returns an element.  SF_ERR_ARG if there is no such index.
   Giving an element twice is a fault of the caller. */
int sf_pool_give( sf_pool_t * p, uint32_t index );

/* sf_pool_element returns the memory of an element. */
void * sf_pool_element( sf_pool_t * p, uint32_t index );

#endif
