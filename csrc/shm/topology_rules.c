/* The rules a topology has to keep (sf_topology_validate). */

#include "base/cpu.h"
#include "base/err.h"
#include "shm/link.h"
#include "shm/topology.h"
#include <string.h>

#define FAULT( ... ) return sf_err_set( SF_ERR_ARG, __VA_ARGS__ )

static uint32_t power_above( uint32_t v ) {
  uint32_t p = SF_DEPTH_MIN;
  while( p < v && p < SF_DEPTH_MAX ) p <<= 1;
  return p;
}

static int name_ok( char const name[SF_NAME_MAX] ) {
  uint32_t i = 0;
  for( ; i < SF_NAME_MAX && name[i]; i++ ) {
    char c = name[i];
    if( !( ( c >= 'a' && c <= 'z' ) || ( c >= 'A' && c <= 'Z' ) || ( c >= '0' && c <= '9' ) || c == '_' || c == '-' ||
           ( c == '.' && i ) ) )
      return 0;
  }
  return i > 0 && i < SF_NAME_MAX;
}

static int name_rule( char const * what, char const name[SF_NAME_MAX], uint32_t index, char const * first,
                      uint64_t stride ) {
  if( !name_ok( name ) )
    FAULT( "topology.%ss.%.31s: a name is 1 to %d of the characters a-z A-Z 0-9 _ - . and does not begin with a dot",
           what, name, SF_NAME_MAX - 1 );
  for( uint32_t i = 0; i < index; i++ ) {
    if( !strcmp( first + i * stride, name ) )
      FAULT( "topology.%ss.%s: there are two of this name; rename one", what, name );
  }
  return 0;
}

static int counts_rule( sf_topology_t const * t ) {
  if( t->tile_cnt > SF_TILE_MAX || t->link_cnt > SF_LINK_MAX || t->edge_cnt > SF_EDGE_MAX ||
      t->table_cnt > SF_TABLE_MAX || t->group_cnt > SF_GROUP_MAX || t->param_bytes > SF_PARAM_MAX ) {
    FAULT( "topology: more than %d tiles, %d links, %d edges, %d tables, %d groups or %d bytes of parameters",
           SF_TILE_MAX, SF_LINK_MAX, SF_EDGE_MAX, SF_TABLE_MAX, SF_GROUP_MAX, SF_PARAM_MAX );
  }
  if( !t->tile_cnt ) FAULT( "topology.tile: there is no tile; add one" );
  for( uint32_t i = 0; i < t->tile_cnt; i++ ) {
    if( t->tile[i].in_cnt > SF_PORT_MAX || t->tile[i].out_cnt > SF_PORT_MAX )
      FAULT( "topology.tiles.%.31s: more than %d in- or out-links", t->tile[i].name, SF_PORT_MAX );
  }
  if( memchr( t->state_dir, 0, sizeof( t->state_dir ) ) == 0 )
    FAULT( "topology.state_dir: the path is longer than %lu bytes", sizeof( t->state_dir ) - 1 );
  return 0;
}

static int params_rule( sf_topology_t const * t, sf_topology_tile_t const * tile ) {
  if( tile->param_off > t->param_bytes || tile->param_len > t->param_bytes - tile->param_off )
    FAULT( "topology.tiles.%s: its parameters lie outside the text", tile->name );
  char const * p   = t->params + tile->param_off;
  char const * end = p + tile->param_len;
  while( p < end ) {
    char const * line = memchr( p, '\n', (uint64_t)( end - p ) );
    char const * stop = line ? line : end;
    char const * mark = memchr( p, '=', (uint64_t)( stop - p ) );
    if( !mark || mark == p || memchr( p, 0, (uint64_t)( stop - p ) ) ) {
      FAULT( "topology.tiles.%s: parameter line `%.*s` is not key=value", tile->name, (int)( stop - p ), p );
    }
    p = stop + 1;
  }
  return 0;
}

static int tile_rule( sf_topology_t const * t, uint32_t i ) {
  sf_topology_tile_t const * tile = t->tile + i;
  int rc                          = name_rule( "tile", tile->name, i, t->tile[0].name, sizeof( t->tile[0] ) );
  if( rc ) return rc;
  if( !strcmp( tile->name, "topology" ) || !strcmp( tile->name, "control" ) || !strcmp( tile->name, "owner" ) ||
      !strncmp( tile->name, "link-", 5 ) ) {
    FAULT( "topology.tiles.%s: topology, control, owner and link-... are names of the instance's own files; rename the "
           "tile",
           tile->name );
  }
  if( !tile->kind[0] || !memchr( tile->kind, 0, SF_NAME_MAX ) )
    FAULT( "topology.tiles.%s.kind: is empty or longer than %d bytes", tile->name, SF_NAME_MAX - 1 );
  if( !( tile->flags & SF_TILE_EXTERNAL ) ) {
    if( tile->group >= t->group_cnt )
      FAULT( "topology.tiles.%s.group: there is no group number %u; add it under [topology.groups]", tile->name,
             tile->group );
    if( ( tile->flags ^ t->group[tile->group].flags ) & SF_TILE_PYTHON ) {
      FAULT( "topology.tiles.%s.group: group %s mixes C and Python tiles; put the tile into another group", tile->name,
             t->group[tile->group].name );
    }
  }
  for( uint32_t k = 0; k < tile->in_cnt; k++ ) {
    if( tile->in[k] >= t->edge_cnt || t->edge[tile->in[k]].consumer != i )
      FAULT( "topology.tiles.%s: in-link %u is not an edge of this tile", tile->name, k );
    for( uint32_t m = 0; m < k; m++ ) {
      if( t->edge[tile->in[m]].link == t->edge[tile->in[k]].link ) {
        FAULT( "topology.tiles.%s: consumes link %s twice; name it once", tile->name,
               t->link[t->edge[tile->in[k]].link].name );
      }
    }
  }
  for( uint32_t k = 0; k < tile->out_cnt; k++ ) {
    if( tile->out[k] >= t->link_cnt || t->link[tile->out[k]].producer != i )
      FAULT( "topology.tiles.%s: out-link %u is not produced by this tile", tile->name, k );
    sf_topology_link_t const * l = t->link + tile->out[k];
    if( !tile->burst || tile->burst > l->depth / 2 ) {
      FAULT( "topology.tiles.%s.burst: %u is not within 1 and half the depth of its link %s; use at most %u",
             tile->name, tile->burst, l->name, l->depth / 2 );
    }
  }
  return params_rule( t, tile );
}

static int link_rule( sf_topology_t const * t, uint32_t i ) {
  sf_topology_link_t const * l = t->link + i;
  int rc                       = name_rule( "link", l->name, i, t->link[0].name, sizeof( t->link[0] ) );
  if( rc ) return rc;
  if( l->producer >= t->tile_cnt )
    FAULT( "topology.links.%s.producer: there is no tile number %u; name a tile", l->name, l->producer );
  uint32_t producers = 0;
  for( uint32_t k = 0; k < t->tile_cnt; k++ ) {
    for( uint32_t m = 0; m < t->tile[k].out_cnt; m++ ) producers += t->tile[k].out[m] == i;
  }
  if( producers != 1 )
    FAULT( "topology.links.%s.producer: %u tiles produce it; a link has exactly one, give each tile a link of its own",
           l->name, producers );
  if( l->depth & ( l->depth - 1 ) )
    FAULT( "topology.links.%s: depth %u is not a power of two; use %u", l->name, l->depth, power_above( l->depth ) );
  if( l->depth < SF_DEPTH_MIN || l->depth > SF_DEPTH_MAX )
    FAULT( "topology.links.%s: depth %u is not within %u and %u", l->name, l->depth, SF_DEPTH_MIN, SF_DEPTH_MAX );
  if( l->slot_bytes < SF_SLOT_MIN || l->slot_bytes > SF_SLOT_MAX || l->slot_bytes % SF_LINE ) {
    FAULT( "topology.links.%s: slot_bytes %u is not a multiple of 64 within %u and %u; use %u", l->name, l->slot_bytes,
           SF_SLOT_MIN, SF_SLOT_MAX,
           l->slot_bytes >= SF_SLOT_MAX ? SF_SLOT_MAX : ( l->slot_bytes / SF_LINE + 1 ) * SF_LINE );
  }
  uint32_t consumers = 0;
  for( uint32_t k = 0; k < t->edge_cnt; k++ ) {
    if( t->edge[k].link != i ) continue;
    consumers++;
    if( t->edge[k].consumer == l->producer )
      FAULT( "topology.links.%s: tile %s both produces and consumes it; take it from its consumers", l->name,
             t->tile[l->producer].name );
  }
  if( !consumers ) FAULT( "topology.links.%s: nobody consumes it; add a consumer or remove the link", l->name );
  return 0;
}

static int edge_rule( sf_topology_t const * t, uint32_t i ) {
  sf_topology_edge_t const * e = t->edge + i;
  if( e->link >= t->link_cnt || e->consumer >= t->tile_cnt )
    FAULT( "topology.link: edge number %u names a link or a tile that does not exist", i );
  if( e->reliable > 1 )
    FAULT( "topology.links.%.31s: reliable of consumer %.31s is %u; use 0 or 1", t->link[e->link].name,
           t->tile[e->consumer].name, e->reliable );
  uint32_t listed = 0;
  for( uint32_t k = 0; k < t->tile_cnt; k++ ) {
    for( uint32_t m = 0; m < t->tile[k].in_cnt; m++ ) listed += t->tile[k].in[m] == i;
  }
  if( listed != 1 )
    FAULT( "topology.links.%.31s: consumer %.31s lists it %u times among its in-links; once is right",
           t->link[e->link].name, t->tile[e->consumer].name, listed );
  return 0;
}

static int table_rule( sf_topology_t const * t, uint32_t i ) {
  sf_topology_table_t const * table = t->table + i;
  int rc                            = name_rule( "table", table->name, i, t->table[0].name, sizeof( t->table[0] ) );
  if( rc ) return rc;
  if( table->writer >= t->tile_cnt )
    FAULT( "topology.table.%s.writer: there is no tile number %u; name a tile", table->name, table->writer );
  if( !table->row_bytes || table->row_bytes % SF_LINE )
    FAULT( "topology.table.%s: row_bytes %u is not a multiple of 64; use %u", table->name, table->row_bytes,
           ( table->row_bytes / SF_LINE + 1 ) * SF_LINE );
  if( !table->row_cnt ) FAULT( "topology.table.%s.rows: is 0; use at least 1", table->name );
  return 0;
}

static int has_core( uint32_t const * core, uint32_t core_cnt, uint32_t c ) {
  for( uint32_t i = 0; i < core_cnt; i++ ) {
    if( core[i] == c ) return 1;
  }
  return 0;
}

static int group_rule( sf_topology_t const * t, uint32_t i, uint32_t const * core, uint32_t core_cnt ) {
  sf_topology_group_t const * g = t->group + i;
  int rc                        = name_rule( "group", g->name, i, t->group[0].name, sizeof( t->group[0] ) );
  if( rc ) return rc;
  if( g->wait_asked > SF_WAIT_PARK )
    FAULT( "topology.groups.%s.wait: %u is none of spin, yield, park", g->name, g->wait_asked );
  if( g->core != SF_CORE_NONE && !has_core( core, core_cnt, g->core ) ) {
    FAULT( "topology.groups.%s.core: core %u is not among the %u this process may use; use %u, or leave it out",
           g->name, g->core, core_cnt, core[core_cnt - 1] );
  }
  uint32_t tiles = 0;
  for( uint32_t k = 0; k < t->tile_cnt; k++ )
    tiles += !( t->tile[k].flags & SF_TILE_EXTERNAL ) && t->tile[k].group == i;
  if( !tiles ) FAULT( "topology.groups.%s: has no tile; remove it or put a tile into it", g->name );
  return 0;
}

static int spins_on( sf_topology_t const * t, uint32_t core, uint32_t but ) {
  for( uint32_t i = 0; i < t->group_cnt; i++ ) {
    if( i != but && t->group[i].wait == SF_WAIT_SPIN && t->group[i].core == core ) return 1;
  }
  return 0;
}

/* Settles which groups spin and on which core.  At least one core is left to
   everything that does not spin, the supervisor among it. */
static int waits_settle( sf_topology_t * t, uint32_t const * core, uint32_t core_cnt ) {
  uint32_t spinners = 0, others = 0;
  for( uint32_t i = 0; i < t->group_cnt; i++ ) {
    t->group[i].wait = t->group[i].wait_asked;
    if( t->group[i].wait == SF_WAIT_SPIN ) spinners++;
    else others++;
  }
  uint32_t room = others || spinners > core_cnt ? core_cnt - 1 : core_cnt;
  for( uint32_t i = t->group_cnt; i-- && spinners > room; ) { /* the last ones give way */
    if( t->group[i].wait != SF_WAIT_SPIN ) continue;
    t->group[i].wait = SF_WAIT_YIELD;
    t->group[i].core = SF_CORE_NONE;
    spinners--;
  }
  for( uint32_t i = 0; i < t->group_cnt; i++ ) { /* spinners without a core get the highest that nobody names */
    if( t->group[i].wait != SF_WAIT_SPIN || t->group[i].core != SF_CORE_NONE ) continue;
    for( uint32_t k = core_cnt; k--; ) {
      int taken = 0;
      for( uint32_t m = 0; m < t->group_cnt; m++ ) taken |= t->group[m].core == core[k];
      if( taken ) continue;
      t->group[i].core = core[k];
      break;
    }
  }
  for( uint32_t i = 0; i < t->group_cnt; i++ ) {
    sf_topology_group_t const * g = t->group + i;
    if( g->core == SF_CORE_NONE || !spins_on( t, g->core, i ) ) continue;
    FAULT( "topology.groups.%s.core: core %u belongs to a spinning group alone; give one of the two another core, or "
           "leave core out",
           g->name, g->core );
  }
  return 0;
}

int sf_topology_validate_on( sf_topology_t * t, uint32_t const * core, uint32_t core_cnt ) {
  int rc = counts_rule( t );
  for( uint32_t i = 0; !rc && i < t->group_cnt; i++ ) rc = group_rule( t, i, core, core_cnt );
  for( uint32_t i = 0; !rc && i < t->edge_cnt; i++ ) rc = edge_rule( t, i );
  for( uint32_t i = 0; !rc && i < t->link_cnt; i++ ) rc = link_rule( t, i );
  for( uint32_t i = 0; !rc && i < t->tile_cnt; i++ ) rc = tile_rule( t, i );
  for( uint32_t i = 0; !rc && i < t->table_cnt; i++ ) rc = table_rule( t, i );
  if( !rc ) rc = waits_settle( t, core, core_cnt );
  if( rc ) return rc;
  uint32_t node[SF_CPU_MAX];
  for( uint32_t k = 0; k < core_cnt && k < SF_CPU_MAX; k++ ) node[k] = sf_cpu_node( core[k] );
  sf_topology_place( t, core, node, core_cnt );
  return 0;
}

/* -- NUMA nodes -------------------------------------------------------------- */

#define NODE_ANY 0xffffffffu

/* The node of the core that a tile is pinned to, NODE_ANY if it has none. */
static uint32_t tile_node( sf_topology_t const * t, uint32_t tile, uint32_t const * core, uint32_t const * node,
                           uint32_t core_cnt ) {
  if( t->tile[tile].flags & SF_TILE_EXTERNAL ) return NODE_ANY;
  for( uint32_t k = 0; k < core_cnt; k++ )
    if( core[k] == t->group[t->tile[tile].group].core ) return node[k];
  return NODE_ANY;
}

void sf_topology_place( sf_topology_t * t, uint32_t const * core, uint32_t const * node, uint32_t core_cnt ) {
  uint32_t at[SF_TILE_MAX];
  for( uint32_t i = 0; i < t->tile_cnt; i++ ) at[i] = tile_node( t, i, core, node, core_cnt );
  for( uint32_t i = 0; i < t->tile_cnt; i++ ) {
    uint32_t best  = at[i] == NODE_ANY ? node[0] : at[i];
    uint64_t bytes = 0;
    for( uint32_t k = 0; k < core_cnt; k++ ) {
      uint64_t read = 0;
      for( uint32_t e = 0; e < t->edge_cnt; e++ ) {
        sf_topology_link_t const * l = t->link + t->edge[e].link;
        if( l->producer != i || at[t->edge[e].consumer] != node[k] || sf_topology_is_pair( t, t->edge[e].link ) )
          continue;
        read += sf_link_bytes( l->depth, l->slot_bytes );
      }
      if( read <= bytes && !( read && read == bytes && node[k] == at[i] ) ) continue;
      best  = node[k];
      bytes = read;
    }
    t->tile[i].numa_node = best;
  }
  for( uint32_t l = 0; l < t->link_cnt; l++ ) {
    t->link[l].numa_node = t->tile[t->link[l].producer].numa_node;
    for( uint32_t e = 0; e < t->edge_cnt; e++ ) {
      if( t->edge[e].link == l && at[t->edge[e].consumer] != NODE_ANY && sf_topology_is_pair( t, l ) )
        t->link[l].numa_node = at[t->edge[e].consumer];
    }
  }
}

int sf_topology_validate( sf_topology_t * t ) {
  uint32_t core[SF_CPU_MAX];
  return sf_topology_validate_on( t, core, sf_cpu_available( core ) );
}
