#include "tile/group.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/err.h"
#include "tile/turn.h"
#include "tile/wait.h"
#include <stdlib.h>
#include <sys/prctl.h>

struct sf_group {
  sf_instance_t * inst;
  uint32_t index;
  uint32_t wait;
  uint32_t tile_cnt;
  uint32_t halt; /* atomic; asked from another thread or a signal handler */
  sf_tile_t * tile[SF_TILE_MAX];
};

/* True for the tiles that this group runs. */
static int runs( sf_topology_t const * t, uint32_t tile, uint32_t group ) {
  return t->tile[tile].group == group && !( t->tile[tile].flags & ( SF_TILE_EXTERNAL | SF_TILE_PYTHON ) );
}

static sf_tile_ops_t const * ops_find( sf_tile_ops_t const * const * ops, uint32_t ops_cnt, char const * kind ) {
  for( uint32_t i = 0; i < ops_cnt; i++ ) {
    if( !strcmp( ops[i]->kind, kind ) ) return ops[i];
  }
  return sf_tile_find( kind );
}

int sf_group_open( sf_group_t ** out, sf_instance_t * inst, uint32_t index ) {
  return sf_group_open_with( out, inst, index, 0, 0 );
}

int sf_group_open_with( sf_group_t ** out, sf_instance_t * inst, uint32_t index, sf_tile_ops_t const * const * own,
                        uint32_t own_cnt ) {
  sf_topology_t const * topology = inst->topology;
  *out                           = 0;
  if( index >= topology->group_cnt )
    return sf_err_set( SF_ERR_ARG, "instance %s has no group number %u", inst->dir, index );
  sf_topology_group_t const * spec = topology->group + index;
  if( spec->flags & SF_TILE_PYTHON )
    return sf_err_set( SF_ERR_ARG, "group %s has Python tiles; it is not run by the C runner", spec->name );
  sf_group_t * g = calloc( 1, sizeof( *g ) );
  if( !g ) return sf_err_set( SF_ERR_SYS, "no memory for group %s", spec->name );
  g->inst  = inst;
  g->index = index;
  g->wait  = spec->wait;
  int rc   = 0;
  for( uint32_t i = 0; !rc && i < topology->tile_cnt; i++ ) {
    if( !runs( topology, i, index ) ) continue;
    sf_tile_ops_t const * ops = ops_find( own, own_cnt, topology->tile[i].kind );
    if( !ops ) {
      sf_workspace_t * ws;
      sf_cnc_t * cnc = sf_instance_workspace( inst, i, 1, &ws ) ? 0 : sf_instance_cnc( inst, i );
      rc = sf_err_set( SF_ERR_NOTFOUND, "tile %s: there is no C tile of kind %s in this build", topology->tile[i].name,
                       topology->tile[i].kind );
      if( cnc ) sf_cnc_fail( cnc, sf_err_text() );
      sf_kill_raise( inst->control, SF_KILL_HALT, SF_KILL_BY_SUPERVISOR );
      break;
    }
    rc = sf_tile_open( g->tile + g->tile_cnt, inst, i, ops, ops->flags );
    if( !rc ) g->tile_cnt++;
  }
  if( rc ) {
    sf_group_close( g );
    return rc;
  }
  *out = g;
  return 0;
}

int sf_group_boot( sf_group_t * g ) {
  sf_clock_init();
  for( uint32_t i = 0; i < g->tile_cnt; i++ ) {
    int rc = sf_tile_boot( g->tile[i] );
    if( rc ) {
      sf_tile_end( g->tile[i] );
      return rc;
    }
  }
  return 0;
}

/* Other groups are woken when all tiles had their turn: a wake-up is a system call of some microseconds, and who is
   awake already, the next tile of this group above all, does not wait for it. */
static int step_done( sf_group_t * g, int result ) {
  for( uint32_t i = 0; i < g->tile_cnt; i++ ) sf_tile_after( g->tile[i] );
  return result;
}

int sf_group_step( sf_group_t * g ) {
  int total    = 0;
  uint64_t now = sf_clock_ns();
  for( uint32_t i = 0; i < g->tile_cnt; i++ ) {
    sf_tile_t * t = g->tile[i];
    if( SF_UNLIKELY( t->ended ) ) continue;
    int work = sf_tile_turn( t, now );
    if( SF_UNLIKELY( t->failed ) ) {
      sf_tile_finish( t );
      return step_done( g, SF_ERR_STATE );
    }
    if( SF_UNLIKELY( sf_tile_halting( t ) ) ) sf_tile_finish( t );
    if( !work ) continue;
    total += work;
    now = t->done;
  }
  return step_done( g, total );
}

static int all_ended( sf_group_t const * g ) {
  for( uint32_t i = 0; i < g->tile_cnt; i++ ) {
    if( !g->tile[i]->ended ) return 0;
  }
  return 1;
}

static int loop( sf_group_t * g ) {
  uint64_t idle = 0;
  while( !sf_load_relaxed( &g->halt ) ) {
    int work = sf_group_step( g );
    if( SF_UNLIKELY( work < 0 ) ) return work;
    if( work ) {
      idle = 0;
      continue;
    }
    if( SF_UNLIKELY( all_ended( g ) ) ) break;
    sf_wait_once( g->tile, g->tile_cnt, g->wait, idle++, UINT64_MAX );
  }
  return 0;
}

int sf_group_run( sf_group_t * g ) {
  if( g->wait == SF_WAIT_PARK ) {
    prctl( PR_SET_TIMERSLACK, 1UL, 0, 0, 0 );
    if( g->inst->topology->stay_awake ) sf_wait_stay_awake(); /* who starts the instance says if it is refused */
  }
  int rc = sf_group_boot( g );
  if( !rc ) rc = loop( g );
  sf_group_finish( g );
  return rc;
}

void sf_group_halt( sf_group_t * g ) { sf_store_relaxed( &g->halt, 1U ); }

void sf_group_finish( sf_group_t * g ) {
  char sentence[1024];
  size_t len = strlen( sf_err_text() );
  memcpy( sentence, sf_err_text(), len + 1 ); /* fini may set another one */
  for( uint32_t i = 0; i < g->tile_cnt; i++ ) sf_tile_finish( g->tile[i] );
  if( len ) sf_err_set( 0, "%s", sentence );
}

void sf_group_close( sf_group_t * g ) {
  if( !g ) return;
  sf_group_finish( g );
  for( uint32_t i = 0; i < g->tile_cnt; i++ ) sf_tile_close( g->tile[i] );
  free( g );
}

uint32_t sf_group_tile_count( sf_group_t * g ) { return g->tile_cnt; }
sf_tile_t * sf_group_tile( sf_group_t * g, uint32_t i ) { return i < g->tile_cnt ? g->tile[i] : 0; }
