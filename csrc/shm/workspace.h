/* workspace.h: one file under /dev/shm/sf-<instance>/ with objects in it.

     file  0            128*a          128*b
           | object     | object       | object ...      (sf_abi.h)

   Only one tile maps a workspace writable; everybody else maps it read-only.
   The creator fills an object and writes its magic last; whoever attaches
   checks length, magic, ABI, kind, size and name before it uses anything. */

#ifndef SF_SHM_WORKSPACE_H
#define SF_SHM_WORKSPACE_H
#include "base/memory.h"
#include "sf_abi.h"

typedef struct sf_workspace {
  sf_memory_t memory;
  char name[64]; /* file name, for sentences */
} sf_workspace_t;

/* sf_abi_hash returns the SF_ABI_HASH this library was built with. */
uint64_t sf_abi_hash( void );

/* sf_workspace_create makes <dir>/<name> with `bytes` zero bytes on NUMA node
   `node`, mapped writable.  flags: SF_MEMORY_LOCK, SF_MEMORY_HUGE. */
int sf_workspace_create( sf_workspace_t * ws, char const * dir, char const * name, uint64_t bytes, uint32_t node,
                         uint32_t flags );

/* sf_workspace_open maps <dir>/<name>; flags: SF_MEMORY_*.
   Fails with SF_ERR_NOTFOUND if there is none. */
int sf_workspace_open( sf_workspace_t * ws, char const * dir, char const * name, uint32_t flags );

/* sf_workspace_make_writable turns a read-only mapping into a writable one; pointers
   into it stay good. */
int sf_workspace_make_writable( sf_workspace_t * ws, uint32_t flags );

/* sf_workspace_close unmaps; the file stays. */
void sf_workspace_close( sf_workspace_t * ws );

/* sf_object_begin returns the zeroed object of `size` bytes at offset off with
   its header filled in but for the magic, or NULL (sentence set) if it does not
   lie within the workspace or off is not a multiple of 128. */
void * sf_object_begin( sf_workspace_t * ws, uint64_t off, uint32_t kind, uint64_t size, char const * name );

/* sf_object_commit writes the magic: the object is complete. */
void sf_object_commit( void * object );

/* sf_object_at returns the object at offset off after checking everything its
   header says; size 0 accepts any size that fits, name NULL any name.  NULL
   with a sentence that says what to do otherwise; the code is in *code. */
void * sf_object_at( sf_workspace_t const * ws, uint64_t off, uint32_t kind, uint64_t size, char const * name,
                     int * code );

#endif
