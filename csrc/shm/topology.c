#include "shm/topology.h"
#include "base/err.h"
#include "sf_cnc.h"
#include "shm/link.h"
#include "shm/table.h"
#include <stdio.h>
#include <stdlib.h>

void sf_topology_new( sf_topology_t * t ) {
  memset( t, 0, sizeof( *t ) );
  t->lock_memory = 1;
}

sf_topology_t * sf_topology_alloc( void ) {
  sf_topology_t * t = malloc( sizeof( *t ) );
  if( t ) sf_topology_new( t );
  return t;
}

void sf_topology_free( sf_topology_t * t ) { free( t ); }

static int name_set( char out[SF_NAME_MAX], char const * what, char const * name ) {
  if( !name[0] || strlen( name ) >= SF_NAME_MAX ) {
    return sf_err_set( SF_ERR_ARG, "topology.%ss.%s: a name has 1 to %d bytes", what, name, SF_NAME_MAX - 1 );
  }
  memcpy( out, name, strlen( name ) + 1 );
  return 0;
}

static int full( char const * what, char const * name, uint32_t most ) {
  return sf_err_set( SF_ERR_FULL, "topology.%ss.%s: there are %u already, the most there can be", what, name, most );
}

int sf_topology_group_add( sf_topology_t * t, char const * name, uint32_t wait, uint32_t core, uint32_t flags ) {
  if( t->group_cnt >= SF_GROUP_MAX ) return full( "group", name, SF_GROUP_MAX );
  sf_topology_group_t * g = t->group + t->group_cnt;
  int rc                  = name_set( g->name, "group", name );
  if( rc ) return rc;
  g->wait = g->wait_asked = wait;
  g->core                 = core;
  g->flags                = flags;
  return (int)t->group_cnt++;
}

int sf_topology_tile_add( sf_topology_t * t, char const * name, char const * kind, uint32_t group, uint32_t flags,
                          uint32_t burst ) {
  if( t->tile_cnt >= SF_TILE_MAX ) return full( "tile", name, SF_TILE_MAX );
  sf_topology_tile_t * tile = t->tile + t->tile_cnt;
  int rc                    = name_set( tile->name, "tile", name );
  if( !rc ) rc = name_set( tile->kind, "tile", kind );
  if( rc ) return rc;
  tile->group = group;
  tile->flags = flags;
  tile->burst = burst;
  return (int)t->tile_cnt++;
}

int sf_topology_link_add( sf_topology_t * t, char const * name, uint32_t producer, uint32_t depth,
                          uint32_t slot_bytes ) {
  if( t->link_cnt >= SF_LINK_MAX ) return full( "link", name, SF_LINK_MAX );
  if( producer >= t->tile_cnt )
    return sf_err_set( SF_ERR_ARG, "topology.links.%s: there is no tile number %u to produce it", name, producer );
  sf_topology_tile_t * tile = t->tile + producer;
  if( tile->out_cnt >= SF_PORT_MAX ) return full( "link", name, SF_PORT_MAX );
  sf_topology_link_t * l = t->link + t->link_cnt;
  int rc                 = name_set( l->name, "link", name );
  if( rc ) return rc;
  l->producer                = producer;
  l->depth                   = depth;
  l->slot_bytes              = slot_bytes;
  tile->out[tile->out_cnt++] = (uint16_t)t->link_cnt;
  return (int)t->link_cnt++;
}

int sf_topology_edge_add( sf_topology_t * t, uint32_t link, uint32_t consumer, uint32_t reliable ) {
  if( link >= t->link_cnt || consumer >= t->tile_cnt ) {
    return sf_err_set( SF_ERR_ARG, "topology.link: link number %u or tile number %u does not exist", link, consumer );
  }
  if( t->edge_cnt >= SF_EDGE_MAX ) return full( "link", t->link[link].name, SF_EDGE_MAX );
  sf_topology_tile_t * tile = t->tile + consumer;
  if( tile->in_cnt >= SF_PORT_MAX ) return full( "tile", tile->name, SF_PORT_MAX );
  t->edge[t->edge_cnt].link     = link;
  t->edge[t->edge_cnt].consumer = consumer;
  t->edge[t->edge_cnt].reliable = reliable;
  tile->in[tile->in_cnt++]      = (uint16_t)t->edge_cnt;
  return (int)t->edge_cnt++;
}

int sf_topology_table_add( sf_topology_t * t, char const * name, uint32_t writer, uint32_t row_bytes,
                           uint32_t row_cnt ) {
  if( t->table_cnt >= SF_TABLE_MAX ) return full( "table", name, SF_TABLE_MAX );
  sf_topology_table_t * table = t->table + t->table_cnt;
  int rc                      = name_set( table->name, "table", name );
  if( rc ) return rc;
  table->writer    = writer;
  table->row_bytes = row_bytes;
  table->row_cnt   = row_cnt;
  return (int)t->table_cnt++;
}

int sf_topology_params_set( sf_topology_t * t, uint32_t tile, char const * text ) {
  uint64_t len = strlen( text );
  if( tile >= t->tile_cnt ) return sf_err_set( SF_ERR_ARG, "topology.tile: there is no tile number %u", tile );
  if( t->tile[tile].param_len )
    return sf_err_set( SF_ERR_STATE, "topology.tiles.%s: its parameters are set already", t->tile[tile].name );
  if( len > SF_PARAM_MAX - t->param_bytes ) {
    return sf_err_set( SF_ERR_FULL, "topology.tiles.%s: %lu bytes of parameters do not fit the %u of all tiles",
                       t->tile[tile].name, len, SF_PARAM_MAX );
  }
  memcpy( t->params + t->param_bytes, text, len );
  t->tile[tile].param_off = t->param_bytes;
  t->tile[tile].param_len = (uint32_t)len;
  t->param_bytes += (uint32_t)len;
  return 0;
}

int sf_topology_notes( sf_topology_t const * t, char * out, uint64_t out_bytes ) {
  int cnt       = 0;
  uint64_t used = 0;
  if( out_bytes ) out[0] = 0;
  for( uint32_t i = 0; i < t->group_cnt; i++ ) {
    sf_topology_group_t const * g = t->group + i;
    if( g->wait == g->wait_asked ) continue;
    int n = snprintf(
        out + used, out_bytes - used,
        "topology.groups.%s: asked to spin, but there are more spinning groups than cores; it yields instead\n",
        g->name );
    if( n < 0 || used + (uint64_t)n >= out_bytes ) break;
    used += (uint64_t)n;
    cnt++;
  }
  return cnt;
}

int sf_topology_is_pair( sf_topology_t const * t, uint32_t link ) {
  uint32_t consumers = 0, reliable = 0;
  for( uint32_t i = 0; i < t->edge_cnt; i++ ) {
    if( t->edge[i].link != link ) continue;
    consumers++;
    reliable += t->edge[i].reliable;
  }
  return consumers == 1 && reliable == 1 && t->link[link].slot_bytes == 64;
}

static uint32_t link_flags( sf_topology_t const * t, uint32_t link ) {
  uint32_t flags = sf_topology_is_pair( t, link ) ? SF_LINK_PAIR : 0;
  for( uint32_t i = 0; i < t->edge_cnt; i++ ) {
    if( t->edge[i].link != link ) continue;
    sf_topology_tile_t const * consumer = t->tile + t->edge[i].consumer;
    if( !t->edge[i].reliable ) flags |= SF_LINK_BROADCAST;
    if( !( consumer->flags & SF_TILE_EXTERNAL ) && t->group[consumer->group].wait == SF_WAIT_PARK )
      flags |= SF_LINK_WAKE;
  }
  return flags;
}

int sf_topology_layout( sf_topology_t * t ) {
  for( uint32_t i = 0; i < t->tile_cnt; i++ ) {
    t->tile[i].cnc_off         = 0;
    t->tile[i].workspace_bytes = sizeof( sf_cnc_t );
  }
  for( uint32_t i = 0; i < t->link_cnt; i++ ) {
    sf_topology_link_t * l = t->link + i;
    uint64_t bytes         = sf_link_bytes( l->depth, l->slot_bytes );
    if( !bytes )
      return sf_err_set( SF_ERR_ARG, "topology.links.%s: depth %u or slot_bytes %u is not allowed", l->name, l->depth,
                         l->slot_bytes );
    l->flags = link_flags( t, i );
    l->off   = 0;
    if( l->flags & SF_LINK_PAIR ) continue;
    l->off = t->tile[l->producer].workspace_bytes;
    t->tile[l->producer].workspace_bytes += bytes;
  }
  for( uint32_t i = 0; i < t->edge_cnt; i++ ) {
    t->edge[i].off = t->tile[t->edge[i].consumer].workspace_bytes;
    t->tile[t->edge[i].consumer].workspace_bytes += sizeof( sf_edge_t );
  }
  for( uint32_t i = 0; i < t->table_cnt; i++ ) {
    sf_topology_table_t * table = t->table + i;
    uint64_t bytes              = sf_table_bytes( table->row_bytes, table->row_cnt );
    if( !bytes )
      return sf_err_set( SF_ERR_ARG, "topology.table.%s: row_bytes %u or row_cnt %u is not allowed", table->name,
                         table->row_bytes, table->row_cnt );
    table->off = t->tile[table->writer].workspace_bytes;
    t->tile[table->writer].workspace_bytes += bytes;
  }
  return 0;
}

#define FIND( noun )                                                                \
  int sf_topology_##noun##_find( sf_topology_t const * t, char const * name ) {     \
    for( uint32_t i = 0; i < t->noun##_cnt; i++ ) {                                 \
      if( !strncmp( t->noun[i].name, name, SF_NAME_MAX ) ) return (int)i;           \
    }                                                                               \
    return sf_err_set( SF_ERR_NOTFOUND, "the topology has no " #noun " %s", name ); \
  }
FIND( tile )
FIND( link )
FIND( table )
FIND( group )
