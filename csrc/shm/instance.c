#include "shm/instance.h"
#include "base/atomic.h"
#include "base/clock.h"
#include "base/err.h"
#include "shm/cnc.h"
#include "shm/owner.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char const * base_name( char const * dir ) {
  char const * slash = strrchr( dir, '/' );
  return slash ? slash + 1 : dir;
}

int sf_instance_remove( char const * dir ) {
  char const * name = base_name( dir );
  if( strncmp( name, "sf-", 3 ) || !name[3] ) {
    return sf_err_set( SF_ERR_ARG, "%s: only directories named sf-<instance> are removed", dir );
  }
  DIR * d = opendir( dir );
  if( !d )
    return errno == ENOENT ? sf_err_set( SF_ERR_NOTFOUND, "there is no instance %s", dir )
                           : sf_err_set( SF_ERR_SYS, "opening %s: %m", dir );
  struct dirent * e;
  while( ( e = readdir( d ) ) ) {
    if( strcmp( e->d_name, "." ) && strcmp( e->d_name, ".." ) ) unlinkat( dirfd( d ), e->d_name, 0 );
  }
  closedir( d );
  if( rmdir( dir ) && errno != ENOENT ) return sf_err_set( SF_ERR_SYS, "removing %s: %m", dir );
  return 0;
}

/* -- creating ------------------------------------------------------------- */

static int pair_name( char out[64], sf_topology_t const * t, uint32_t link ) {
  return snprintf( out, 64, "link-%s", t->link[link].name );
}

static sf_link_t * link_make( sf_workspace_t * ws, sf_topology_t const * t, uint32_t i ) {
  sf_topology_link_t const * spec = t->link + i;
  sf_link_t * l =
      sf_object_begin( ws, spec->off, SF_KIND_LINK, sf_link_bytes( spec->depth, spec->slot_bytes ), spec->name );
  if( !l ) return 0;
  l->depth      = spec->depth;
  l->slot_bytes = spec->slot_bytes;
  l->flags      = spec->flags;
  l->slot_off   = sizeof( sf_link_t );
  for( uint32_t k = 0; k < t->edge_cnt; k++ ) l->consumer_cnt += t->edge[k].link == i;
  sf_object_commit( l );
  return l;
}

static int tile_make( sf_workspace_t * ws, sf_topology_t const * t, uint32_t tile ) {
  sf_topology_tile_t const * spec = t->tile + tile;
  for( uint32_t i = 0; i < t->link_cnt; i++ ) {
    if( t->link[i].producer != tile || t->link[i].flags & SF_LINK_PAIR ) continue;
    if( !link_make( ws, t, i ) ) return SF_ERR_ARG;
  }
  for( uint32_t i = 0; i < t->edge_cnt; i++ ) {
    if( t->edge[i].consumer != tile ) continue;
    sf_edge_t * e =
        sf_object_begin( ws, t->edge[i].off, SF_KIND_EDGE, sizeof( sf_edge_t ), t->link[t->edge[i].link].name );
    if( !e ) return SF_ERR_ARG;
    e->link     = t->edge[i].link;
    e->reliable = t->edge[i].reliable;
    sf_object_commit( e );
  }
  for( uint32_t i = 0; i < t->table_cnt; i++ ) {
    sf_topology_table_t const * s = t->table + i;
    if( s->writer != tile ) continue;
    sf_table_t * table =
        sf_object_begin( ws, s->off, SF_KIND_TABLE, sf_table_bytes( s->row_bytes, s->row_cnt ), s->name );
    if( !table ) return SF_ERR_ARG;
    table->row_bytes = s->row_bytes;
    table->row_cnt   = s->row_cnt;
    table->row_off   = sizeof( sf_table_t );
    sf_object_commit( table );
  }
  sf_cnc_t * cnc = sf_object_begin( ws, spec->cnc_off, SF_KIND_CNC, sizeof( sf_cnc_t ), spec->name );
  if( !cnc ) return SF_ERR_ARG;
  sf_cnc_init( cnc, tile );
  sf_object_commit( cnc );
  return 0;
}

static int control_make( sf_workspace_t * ws ) {
  sf_control_t * c = sf_object_begin( ws, 0, SF_KIND_CONTROL, sizeof( sf_control_t ), "control" );
  if( !c ) return SF_ERR_ARG;
  c->supervisor_pid = (uint32_t)getpid();
  c->created_ns     = sf_clock_real_ns();
  sf_object_commit( c );
  return 0;
}

static int topology_make( sf_workspace_t * ws, sf_topology_t const * t ) {
  sf_topology_t * to = sf_object_begin( ws, 0, SF_KIND_TOPOLOGY, sizeof( *t ), "topology" );
  if( !to ) return SF_ERR_ARG;
  memcpy( (uint8_t *)to + sizeof( sf_object_t ), (uint8_t const *)t + sizeof( sf_object_t ),
          sizeof( *t ) - sizeof( sf_object_t ) );
  sf_object_commit( to );
  return 0;
}

static int files_make( char const * dir, sf_topology_t const * t ) {
  uint32_t huge = t->huge_pages ? SF_MEMORY_HUGE : 0;
  sf_workspace_t ws;
  int rc = 0;
  for( uint32_t i = 0; !rc && i < t->tile_cnt; i++ ) {
    rc = sf_workspace_create( &ws, dir, t->tile[i].name, t->tile[i].workspace_bytes, t->tile[i].numa_node, huge );
    if( rc ) break;
    rc = tile_make( &ws, t, i );
    sf_workspace_close( &ws );
  }
  for( uint32_t i = 0; !rc && i < t->link_cnt; i++ ) {
    if( !( t->link[i].flags & SF_LINK_PAIR ) ) continue;
    char name[64];
    pair_name( name, t, i );
    rc = sf_workspace_create( &ws, dir, name, sf_link_bytes( t->link[i].depth, t->link[i].slot_bytes ),
                              t->link[i].numa_node, huge );
    if( rc ) break;
    if( !link_make( &ws, t, i ) ) rc = SF_ERR_ARG;
    sf_workspace_close( &ws );
  }
  if( !rc && !( rc = sf_workspace_create( &ws, dir, "control", sizeof( sf_control_t ), t->tile[0].numa_node, 0 ) ) ) {
    rc = control_make( &ws );
    sf_workspace_close( &ws );
  }
  if( !rc && !( rc = sf_workspace_create( &ws, dir, "topology", sizeof( sf_topology_t ), t->tile[0].numa_node, 0 ) ) ) {
    rc = topology_make( &ws, t );
    sf_workspace_close( &ws );
  }
  return rc;
}

int sf_instance_create( char const * dir, sf_topology_t const * t ) {
  char const * name = base_name( dir );
  if( strncmp( name, "sf-", 3 ) || !name[3] || strlen( dir ) >= SF_INSTANCE_DIR_MAX ) {
    return sf_err_set( SF_ERR_ARG,
                       "instance directory %s: its name must be sf-<instance>, the path shorter than %d bytes", dir,
                       SF_INSTANCE_DIR_MAX );
  }
  if( !t->tile_cnt || !t->tile[0].workspace_bytes )
    return sf_err_set( SF_ERR_STATE, "instance %s: lay the topology out first (sf_topology_layout)", dir );
  if( mkdir( dir, 0700 ) ) {
    if( errno != EEXIST ) return sf_err_set( SF_ERR_SYS, "making %s: %m", dir );
    int stale = sf_instance_stale( dir );
    if( stale < 0 && stale != SF_ERR_NOTFOUND ) return stale;
    if( !stale ) {
      return sf_err_set( SF_ERR_STATE, "instance %s runs already (pid %d); stop it first, or use another instance name",
                         dir, sf_instance_owner( dir ) );
    }
    int rc = sf_instance_remove( dir );
    if( rc && rc != SF_ERR_NOTFOUND ) return rc;
    if( mkdir( dir, 0700 ) ) return sf_err_set( SF_ERR_SYS, "making %s: %m", dir );
  }
  int rc = sf_owner_write( dir );
  if( !rc ) rc = files_make( dir, t );
  if( rc ) {
    char sentence[1024];
    snprintf( sentence, sizeof( sentence ), "%s", sf_err_text() );
    sf_instance_remove( dir );
    return sf_err_set( rc, "%s", sentence );
  }
  return 0;
}

/* -- attaching ------------------------------------------------------------ */

int sf_instance_open( sf_instance_t * inst, char const * dir ) {
  memset( inst, 0, sizeof( *inst ) );
  if( strlen( dir ) >= SF_INSTANCE_DIR_MAX )
    return sf_err_set( SF_ERR_ARG, "instance directory %s: the path is longer than %d bytes", dir,
                       SF_INSTANCE_DIR_MAX - 1 );
  memcpy( inst->dir, dir, strlen( dir ) + 1 );
  pthread_mutex_init( &inst->lock, 0 );
  int rc = sf_workspace_open( &inst->topology_ws, dir, "topology", 0 );
  if( rc == SF_ERR_NOTFOUND ) rc = sf_err_set( rc, "there is no instance %s; start it with `sniperforge run`", dir );
  if( !rc )
    inst->topology = sf_object_at( &inst->topology_ws, 0, SF_KIND_TOPOLOGY, sizeof( sf_topology_t ), "topology", &rc );
  if( !rc ) rc = sf_workspace_open( &inst->control_ws, dir, "control", SF_MEMORY_WRITE );
  if( !rc )
    inst->control = sf_object_at( &inst->control_ws, 0, SF_KIND_CONTROL, sizeof( sf_control_t ), "control", &rc );
  if( rc ) sf_instance_close( inst );
  return rc;
}

void sf_instance_close( sf_instance_t * inst ) {
  for( uint32_t i = 0; i < SF_TILE_MAX; i++ ) sf_workspace_close( inst->tile_ws + i );
  for( uint32_t i = 0; i < SF_LINK_MAX; i++ ) sf_workspace_close( inst->pair_ws + i );
  sf_workspace_close( &inst->control_ws );
  sf_workspace_close( &inst->topology_ws );
  pthread_mutex_destroy( &inst->lock );
  inst->topology = 0;
  inst->control  = 0;
}

int sf_instance_new( sf_instance_t ** inst, char const * dir ) {
  *inst = malloc( sizeof( **inst ) );
  if( !*inst ) return sf_err_set( SF_ERR_SYS, "no memory for an instance" );
  int rc = sf_instance_open( *inst, dir );
  if( rc ) {
    free( *inst );
    *inst = 0;
  }
  return rc;
}

void sf_instance_delete( sf_instance_t * inst ) {
  if( !inst ) return;
  sf_instance_close( inst );
  free( inst );
}

static uint32_t memory_flags( sf_topology_t const * t, int writable ) {
  uint32_t flags = t->huge_pages ? SF_MEMORY_HUGE : 0;
  if( writable ) flags |= SF_MEMORY_WRITE | ( t->lock_memory ? SF_MEMORY_LOCK : 0 );
  return flags;
}

int sf_instance_workspace( sf_instance_t * inst, uint32_t tile, int writable, sf_workspace_t ** out ) {
  if( tile >= inst->topology->tile_cnt )
    return sf_err_set( SF_ERR_ARG, "instance %s has no tile number %u", inst->dir, tile );
  sf_workspace_t * ws = inst->tile_ws + tile;
  int rc              = 0;
  pthread_mutex_lock( &inst->lock );
  if( ws->memory.base && writable && !( ws->memory.flags & SF_MEMORY_WRITE ) ) {
    rc = sf_workspace_make_writable( ws, memory_flags( inst->topology, 1 ) );
  } else if( !ws->memory.base ) {
    rc = sf_workspace_open( ws, inst->dir, inst->topology->tile[tile].name, memory_flags( inst->topology, writable ) );
    if( !rc && ws->memory.bytes < inst->topology->tile[tile].workspace_bytes ) {
      rc = sf_err_set( SF_ERR_ABI, "workspace %s has %lu bytes where the topology says %lu; start the instance anew",
                       ws->name, ws->memory.bytes, inst->topology->tile[tile].workspace_bytes );
      sf_workspace_close( ws );
    }
  }
  pthread_mutex_unlock( &inst->lock );
  *out = ws;
  return rc;
}

static int pair_workspace( sf_instance_t * inst, uint32_t link, sf_workspace_t ** out ) {
  sf_workspace_t * ws = inst->pair_ws + link;
  int rc              = 0;
  pthread_mutex_lock( &inst->lock );
  if( !ws->memory.base ) {
    char name[64];
    pair_name( name, inst->topology, link );
    rc = sf_workspace_open( ws, inst->dir, name, memory_flags( inst->topology, 1 ) );
  }
  pthread_mutex_unlock( &inst->lock );
  *out = ws;
  return rc;
}

static void * object_of( sf_instance_t * inst, uint32_t tile, uint64_t off, uint32_t kind, uint64_t size,
                         char const * name ) {
  sf_workspace_t * ws;
  int rc = sf_instance_workspace( inst, tile, 0, &ws );
  return rc ? 0 : sf_object_at( ws, off, kind, size, name, &rc );
}

sf_cnc_t * sf_instance_cnc( sf_instance_t * inst, uint32_t tile ) {
  if( tile >= inst->topology->tile_cnt ) {
    sf_err_set( SF_ERR_ARG, "instance %s has no tile number %u", inst->dir, tile );
    return 0;
  }
  sf_topology_tile_t const * t = inst->topology->tile + tile;
  return object_of( inst, tile, t->cnc_off, SF_KIND_CNC, sizeof( sf_cnc_t ), t->name );
}

sf_link_t * sf_instance_link_at( sf_instance_t * inst, uint32_t link ) {
  if( link >= inst->topology->link_cnt ) {
    sf_err_set( SF_ERR_ARG, "instance %s has no link number %u", inst->dir, link );
    return 0;
  }
  sf_topology_link_t const * l = inst->topology->link + link;
  uint64_t size                = sf_link_bytes( l->depth, l->slot_bytes );
  if( !( l->flags & SF_LINK_PAIR ) ) return object_of( inst, l->producer, l->off, SF_KIND_LINK, size, l->name );
  sf_workspace_t * ws;
  int rc = pair_workspace( inst, link, &ws );
  return rc ? 0 : sf_object_at( ws, 0, SF_KIND_LINK, size, l->name, &rc );
}

sf_edge_t * sf_instance_edge_at( sf_instance_t * inst, uint32_t edge ) {
  if( edge >= inst->topology->edge_cnt ) {
    sf_err_set( SF_ERR_ARG, "instance %s has no edge number %u", inst->dir, edge );
    return 0;
  }
  sf_topology_edge_t const * e = inst->topology->edge + edge;
  return object_of( inst, e->consumer, e->off, SF_KIND_EDGE, sizeof( sf_edge_t ), inst->topology->link[e->link].name );
}

sf_table_t * sf_instance_table_at( sf_instance_t * inst, uint32_t table ) {
  if( table >= inst->topology->table_cnt ) {
    sf_err_set( SF_ERR_ARG, "instance %s has no table number %u", inst->dir, table );
    return 0;
  }
  sf_topology_table_t const * s = inst->topology->table + table;
  sf_table_t * t =
      object_of( inst, s->writer, s->off, SF_KIND_TABLE, sf_table_bytes( s->row_bytes, s->row_cnt ), s->name );
  if( t && ( t->row_bytes != s->row_bytes || t->row_cnt != s->row_cnt || t->row_off != sizeof( sf_table_t ) ) ) {
    sf_err_set( SF_ERR_ABI, "table %s: its rows are not those of the topology; start the instance anew", s->name );
    return 0;
  }
  return t;
}

sf_link_t * sf_instance_link( sf_instance_t * inst, char const * name ) {
  int i = sf_topology_link_find( inst->topology, name );
  return i < 0 ? 0 : sf_instance_link_at( inst, (uint32_t)i );
}

sf_table_t * sf_instance_table( sf_instance_t * inst, char const * name ) {
  int i = sf_topology_table_find( inst->topology, name );
  return i < 0 ? 0 : sf_instance_table_at( inst, (uint32_t)i );
}

sf_cnc_t * sf_instance_cnc_named( sf_instance_t * inst, char const * tile ) {
  int i = sf_topology_tile_find( inst->topology, tile );
  return i < 0 ? 0 : sf_instance_cnc( inst, (uint32_t)i );
}

sf_control_t * sf_instance_control( sf_instance_t * inst ) { return inst->control; }

int sf_instance_producer( sf_instance_t * inst, uint32_t link, sf_producer_t * p ) {
  sf_link_t * l = sf_instance_link_at( inst, link );
  if( !l ) return SF_ERR_ABI;
  sf_edge_t const * edge[SF_EDGE_MAX];
  uint32_t cnt = 0;
  for( uint32_t i = 0; i < inst->topology->edge_cnt; i++ ) {
    if( inst->topology->edge[i].link != link ) continue;
    edge[cnt] = sf_instance_edge_at( inst, i );
    if( !edge[cnt] ) return SF_ERR_ABI;
    cnt++;
  }
  return sf_producer_open( p, l, edge, cnt );
}

int sf_instance_consumer( sf_instance_t * inst, uint32_t edge, sf_consumer_t * c ) {
  sf_edge_t * e = sf_instance_edge_at( inst, edge );
  if( !e ) return SF_ERR_ABI;
  sf_link_t * l = sf_instance_link_at( inst, inst->topology->edge[edge].link );
  if( !l ) return SF_ERR_ABI;
  return sf_consumer_open( c, l, e );
}
