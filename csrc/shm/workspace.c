#include "shm/workspace.h"
#include "base/atomic.h"
#include "base/err.h"
#include <stdio.h>

#ifndef SF_ABI_HASH
#error "SF_ABI_HASH is passed in by the build (csrc/Makefile)"
#endif

uint64_t sf_abi_hash( void ) { return SF_ABI_HASH; }

static int path_of( char * path, uint64_t bytes, char const * dir, char const * name ) {
  int n = snprintf( path, bytes, "%s/%s", dir, name );
  if( n < 0 || (uint64_t)n >= bytes ) return sf_err_set( SF_ERR_ARG, "path %s/%s is too long", dir, name );
  return 0;
}

int sf_workspace_create( sf_workspace_t * ws, char const * dir, char const * name, uint64_t bytes, uint32_t node,
                         uint32_t flags ) {
  char path[512];
  int rc = path_of( path, sizeof( path ), dir, name );
  if( rc ) return rc;
  snprintf( ws->name, sizeof( ws->name ), "%s", name );
  return sf_memory_create( &ws->memory, path, bytes, node, flags );
}

int sf_workspace_open( sf_workspace_t * ws, char const * dir, char const * name, uint32_t flags ) {
  char path[512];
  int rc = path_of( path, sizeof( path ), dir, name );
  if( rc ) return rc;
  snprintf( ws->name, sizeof( ws->name ), "%s", name );
  return sf_memory_map( &ws->memory, path, flags );
}

int sf_workspace_make_writable( sf_workspace_t * ws, uint32_t flags ) {
  return sf_memory_make_writable( &ws->memory, flags );
}

void sf_workspace_close( sf_workspace_t * ws ) { sf_memory_unmap( &ws->memory ); }

void * sf_object_begin( sf_workspace_t * ws, uint64_t off, uint32_t kind, uint64_t size, char const * name ) {
  if( off % SF_ALIGN || size < sizeof( sf_object_t ) || off > ws->memory.bytes || size > ws->memory.bytes - off ) {
    sf_err_set( SF_ERR_ARG, "workspace %s of %lu bytes: no place for object %s of %lu bytes at %lu", ws->name,
                ws->memory.bytes, name, size, off );
    return 0;
  }
  sf_object_t * o = (sf_object_t *)( (uint8_t *)ws->memory.base + off );
  o->kind         = kind;
  o->abi_major    = SF_ABI_MAJOR;
  o->abi_hash     = SF_ABI_HASH;
  o->size         = size;
  snprintf( o->name, sizeof( o->name ), "%s", name );
  return o;
}

void sf_object_commit( void * object ) {
  uint64_t magic = SF_OBJECT_MAGIC;
  sf_store_release( &( (sf_object_t *)object )->magic, magic );
}

void * sf_object_at( sf_workspace_t const * ws, uint64_t off, uint32_t kind, uint64_t size, char const * name,
                     int * code ) {
  uint64_t bytes    = ws->memory.bytes;
  char const * what = name ? name : ws->name;
  int rc            = 0;
  if( off % SF_ALIGN || off > bytes || bytes - off < sizeof( sf_object_t ) ) {
    rc = sf_err_set( SF_ERR_ABI, "workspace %s: object %s at %lu lies outside its %lu bytes; start the instance anew",
                     ws->name, what, off, bytes );
    *code = rc;
    return 0;
  }
  sf_object_t * o = (sf_object_t *)( (uint8_t *)ws->memory.base + off );
  uint64_t magic  = sf_load_acquire( &o->magic );
  if( !magic ) {
    rc = sf_err_set( SF_ERR_ABI,
                     "workspace %s: object %s is not complete; wait for its creator, or start the instance anew",
                     ws->name, what );
  } else if( magic != SF_OBJECT_MAGIC ) {
    rc = sf_err_set( SF_ERR_ABI,
                     "workspace %s: object %s has magic %016lx, not %016lx: it is damaged; start the instance anew",
                     ws->name, what, magic, SF_OBJECT_MAGIC );
  } else if( o->abi_major != SF_ABI_MAJOR || o->abi_hash != SF_ABI_HASH ) {
    rc = sf_err_set(
        SF_ERR_ABI,
        "workspace %s: object %s was made by another build (ABI %u hash %016lx, this is %u hash %016lx); stop the "
        "instance with the build that started it, then start it with this one",
        ws->name, what, o->abi_major, o->abi_hash, SF_ABI_MAJOR, SF_ABI_HASH );
  } else if( o->kind != kind ) {
    rc = sf_err_set( SF_ERR_ABI, "workspace %s: object %s is of kind %u, not %u; start the instance anew", ws->name,
                     what, o->kind, kind );
  } else if( o->size < sizeof( sf_object_t ) || o->size > bytes - off || ( size && o->size != size ) ) {
    rc = sf_err_set(
        SF_ERR_ABI,
        "workspace %s: object %s says %lu bytes where %lu are expected and %lu left; start the instance anew", ws->name,
        what, o->size, size, bytes - off );
  } else if( name && strncmp( o->name, name, sizeof( o->name ) ) ) {
    rc = sf_err_set( SF_ERR_ABI, "workspace %s: object at %lu is %.32s, not %s; start the instance anew", ws->name, off,
                     o->name, name );
  }
  *code = rc;
  return rc ? 0 : o;
}
