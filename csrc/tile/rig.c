#include "tile/rig.h"
#include "base/clock.h"
#include "base/err.h"
#include "shm/cnc.h"
#include "tile/turn.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPS_MAX    16
#define SETTLE_MAX 100000
#define RIG_TILE   0 /* the external tile that stands for the rig */

struct sf_rig {
  int rc; /* first failure of building */
  char sentence[1024];
  int created; /* the instance exists */
  int opened;
  char dir[SF_INSTANCE_DIR_MAX];
  sf_topology_t * topology;
  sf_instance_t inst;
  sf_group_t * group;
  uint32_t ops_cnt;
  sf_tile_ops_t const * ops[OPS_MAX];
  sf_producer_t producer[SF_LINK_MAX]; /* by link; link==NULL where the rig has none */
  sf_consumer_t consumer[SF_LINK_MAX];
};

static int done( sf_rig_t * rig, int rc ) {
  if( rig->rc ) return sf_err_set( rig->rc, "%s", rig->sentence );
  if( rc >= 0 ) return rc;
  rig->rc = rc;
  snprintf( rig->sentence, sizeof( rig->sentence ), "%s", sf_err_text() );
  return rc;
}

int sf_rig_new( sf_rig_t ** out ) {
  static uint32_t number;
  sf_rig_t * rig = calloc( 1, sizeof( *rig ) );
  *out           = rig;
  if( !rig ) return sf_err_set( SF_ERR_SYS, "no memory for a rig" );
  rig->topology = sf_topology_alloc();
  if( !rig->topology ) {
    free( rig );
    *out = 0;
    return sf_err_set( SF_ERR_SYS, "no memory for a rig" );
  }
  snprintf( rig->dir, sizeof( rig->dir ), "/dev/shm/sf-t%d-%u", (int)getpid(),
            __atomic_fetch_add( &number, 1U, __ATOMIC_RELAXED ) );
  snprintf( rig->topology->state_dir, sizeof( rig->topology->state_dir ), "%s", rig->dir );
  int rc = sf_topology_group_add( rig->topology, "rig", SF_WAIT_SPIN, SF_CORE_NONE, 0 );
  if( rc >= 0 ) rc = sf_topology_tile_add( rig->topology, "rig", "rig", 0, SF_TILE_EXTERNAL, 1 );
  return done( rig, rc < 0 ? rc : 0 );
}

int sf_rig_state_dir( sf_rig_t * rig, char const * path ) {
  if( strlen( path ) >= sizeof( rig->topology->state_dir ) )
    return done( rig, sf_err_set( SF_ERR_ARG, "state directory %s: the path is too long", path ) );
  snprintf( rig->topology->state_dir, sizeof( rig->topology->state_dir ), "%s", path );
  return done( rig, 0 );
}

int sf_rig_huge_pages( sf_rig_t * rig ) {
  rig->topology->huge_pages = 1;
  return done( rig, 0 );
}

static int tile_of( sf_rig_t * rig, char const * name ) {
  return name ? sf_topology_tile_find( rig->topology, name ) : RIG_TILE;
}

int sf_rig_tile( sf_rig_t * rig, char const * name, char const * kind, char const * params ) {
  int tile = sf_topology_tile_add( rig->topology, name, kind, 0, 0, 1 );
  if( tile >= 0 && params && params[0] ) {
    int rc = sf_topology_params_set( rig->topology, (uint32_t)tile, params );
    if( rc ) tile = rc;
  }
  return done( rig, tile < 0 ? tile : 0 );
}

int sf_rig_burst( sf_rig_t * rig, char const * tile, uint32_t burst ) {
  int i = tile_of( rig, tile );
  if( i >= 0 ) rig->topology->tile[i].burst = burst;
  return done( rig, i < 0 ? i : 0 );
}

int sf_rig_link( sf_rig_t * rig, char const * name, char const * producer, uint32_t depth, uint32_t slot_bytes ) {
  int tile = tile_of( rig, producer );
  int link = tile < 0 ? tile : sf_topology_link_add( rig->topology, name, (uint32_t)tile, depth, slot_bytes );
  return done( rig, link < 0 ? link : 0 );
}

int sf_rig_edge( sf_rig_t * rig, char const * link, char const * consumer, uint32_t reliable ) {
  int l = sf_topology_link_find( rig->topology, link );
  int t = l < 0 ? l : tile_of( rig, consumer );
  int e = t < 0 ? t : sf_topology_edge_add( rig->topology, (uint32_t)l, (uint32_t)t, reliable );
  return done( rig, e < 0 ? e : 0 );
}

int sf_rig_table( sf_rig_t * rig, char const * name, char const * writer, uint32_t row_bytes, uint32_t row_cnt ) {
  int tile  = tile_of( rig, writer );
  int table = tile < 0 ? tile : sf_topology_table_add( rig->topology, name, (uint32_t)tile, row_bytes, row_cnt );
  return done( rig, table < 0 ? table : 0 );
}

int sf_rig_ops( sf_rig_t * rig, sf_tile_ops_t const * ops ) {
  if( rig->ops_cnt >= OPS_MAX )
    return done( rig, sf_err_set( SF_ERR_FULL, "a rig takes %d tiles of its own", OPS_MAX ) );
  rig->ops[rig->ops_cnt++] = ops;
  return done( rig, 0 );
}

static int has_edge( sf_topology_t const * t, uint32_t link ) {
  for( uint32_t i = 0; i < t->edge_cnt; i++ ) {
    if( t->edge[i].link == link ) return 1;
  }
  return 0;
}

static int start( sf_rig_t * rig ) {
  sf_topology_t * t = rig->topology;
  for( uint32_t i = 0; i < t->link_cnt; i++ ) {
    if( has_edge( t, i ) ) continue;
    int e = sf_topology_edge_add( t, i, RIG_TILE, 1 );
    if( e < 0 ) return e;
  }
  int rc = sf_topology_validate( t );
  if( !rc ) rc = sf_topology_layout( t );
  if( !rc ) rc = sf_instance_create( rig->dir, t );
  if( rc ) return rc;
  rig->created = 1;
  rc           = sf_instance_open( &rig->inst, rig->dir );
  if( rc ) return rc;
  rig->opened            = 1;
  sf_control_t * control = rig->inst.control;
  sf_workspace_t * ws;
  sf_clock_init();
  sf_store_release( &control->run, 1UL );
  sf_store_release( &control->trading, 1UL );
  sf_store_release( &control->supervisor_heartbeat_ns, sf_clock_ns() );
  rc = sf_instance_workspace( &rig->inst, RIG_TILE, 1, &ws );
  if( !rc ) rc = sf_group_open_with( &rig->group, &rig->inst, 0, rig->ops, rig->ops_cnt );
  for( uint32_t i = 0; !rc && i < t->link_cnt; i++ ) {
    if( t->link[i].producer == RIG_TILE ) rc = sf_instance_producer( &rig->inst, i, rig->producer + i );
  }
  for( uint32_t i = 0; !rc && i < t->edge_cnt; i++ ) {
    if( t->edge[i].consumer == RIG_TILE ) rc = sf_instance_consumer( &rig->inst, i, rig->consumer + t->edge[i].link );
  }
  return rc ? rc : sf_group_boot( rig->group );
}

int sf_rig_start( sf_rig_t * rig ) {
  if( rig->rc ) return done( rig, 0 );
  return done( rig, start( rig ) );
}

int sf_rig_step( sf_rig_t * rig ) { return sf_group_step( rig->group ); }

int sf_rig_settle( sf_rig_t * rig ) {
  int total = 0, quiet = 0;
  for( int i = 0; i < SETTLE_MAX && quiet < 2; i++ ) {
    int work = sf_group_step( rig->group );
    if( work < 0 ) return work;
    total += work;
    quiet = work ? 0 : quiet + 1;
  }
  return total;
}

void sf_rig_house( sf_rig_t * rig ) {
  for( uint32_t i = 0; i < sf_group_tile_count( rig->group ); i++ ) sf_group_tile( rig->group, i )->house_at = 0;
}

sf_producer_t * sf_rig_producer( sf_rig_t * rig, char const * link ) {
  int i = sf_topology_link_find( rig->topology, link );
  if( i >= 0 && rig->producer[i].link ) return rig->producer + i;
  if( i >= 0 ) sf_err_set( SF_ERR_NOTFOUND, "link %s is not produced by the rig", link );
  return 0;
}

sf_consumer_t * sf_rig_consumer( sf_rig_t * rig, char const * link ) {
  int i = sf_topology_link_find( rig->topology, link );
  if( i >= 0 && rig->consumer[i].link ) return rig->consumer + i;
  if( i >= 0 )
    sf_err_set( SF_ERR_NOTFOUND, "link %s is not consumed by the rig; add sf_rig_edge( rig, \"%s\", 0, 1 )", link,
                link );
  return 0;
}

int sf_rig_inject( sf_rig_t * rig, char const * link, uint16_t kind, uint32_t tag, uint64_t t_origin,
                   void const * payload, uint16_t length ) {
  sf_producer_t * p = sf_rig_producer( rig, link );
  if( !p ) return SF_ERR_NOTFOUND;
  int rc = sf_link_send( p, kind, tag, t_origin, payload, length );
  if( rc == SF_ERR_FULL ) sf_err_set( rc, "link %s is full: step the rig first", link );
  if( rc == SF_ERR_ARG ) sf_err_set( rc, "%u bytes do not fit a slot of link %s", length, link );
  return rc;
}

int sf_rig_read( sf_rig_t * rig, char const * link, void * message, uint64_t bytes ) {
  sf_consumer_t * c = sf_rig_consumer( rig, link );
  if( !c ) return SF_ERR_NOTFOUND;
  if( bytes < c->slot_bytes )
    return sf_err_set( SF_ERR_ARG, "reading link %s takes a buffer of %lu bytes", link, c->slot_bytes );
  int rc = sf_link_receive( c, message, bytes );
  sf_consumer_flush( c );
  return rc;
}

sf_table_t * sf_rig_table_of( sf_rig_t * rig, char const * name ) { return sf_instance_table( &rig->inst, name ); }
sf_control_t * sf_rig_control( sf_rig_t * rig ) { return rig->inst.control; }
sf_instance_t * sf_rig_instance( sf_rig_t * rig ) { return &rig->inst; }
sf_cnc_t * sf_rig_cnc( sf_rig_t * rig, char const * tile ) { return sf_instance_cnc_named( &rig->inst, tile ); }

sf_tile_t * sf_rig_tile_of( sf_rig_t * rig, char const * name ) {
  for( uint32_t i = 0; rig->group && i < sf_group_tile_count( rig->group ); i++ ) {
    sf_tile_t * t = sf_group_tile( rig->group, i );
    if( !strcmp( sf_tile_name( t ), name ) ) return t;
  }
  sf_err_set( SF_ERR_NOTFOUND, "the rig runs no tile %s", name );
  return 0;
}

uint64_t sf_rig_counter( sf_rig_t * rig, char const * tile, char const * counter ) {
  sf_tile_t * t = sf_rig_tile_of( rig, tile );
  if( !t ) return 0;
  sf_tile_flush( t );
  return sf_cnc_read( t->cnc, counter );
}

void sf_rig_close( sf_rig_t * rig ) {
  if( !rig ) return;
  sf_group_close( rig->group );
  for( uint32_t i = 0; i < SF_LINK_MAX; i++ ) sf_producer_close( rig->producer + i );
  if( rig->opened ) sf_instance_close( &rig->inst );
  if( rig->created ) sf_instance_remove( rig->dir );
  sf_topology_free( rig->topology );
  free( rig );
}
