#include "tile/ptile.h"
#include "base/clock.h"
#include "base/err.h"
#include "tile/turn.h"
#include "tile/wait.h"
#include <stdlib.h>

struct sf_ptile {
  sf_tile_t * tile;
  uint32_t stride;
  uint32_t wait;
  uint64_t t_pub;   /* of the first message of the batch that Python works on; 0 = none */
  uint64_t t_begin; /* when that batch was handed out */
};

int sf_ptile_open( sf_ptile_t ** out, sf_instance_t * inst, char const * name, uint32_t flags ) {
  *out      = 0;
  int index = sf_topology_tile_find( inst->topology, name );
  if( index < 0 ) return index;
  sf_ptile_t * p = calloc( 1, sizeof( *p ) );
  if( !p ) return sf_err_set( SF_ERR_SYS, "no memory for tile %s", name );
  sf_clock_init();
  int rc = sf_tile_open( &p->tile, inst, (uint32_t)index, 0, flags );
  if( rc ) {
    free( p );
    return rc;
  }
  sf_topology_tile_t const * spec = inst->topology->tile + index;
  p->wait   = spec->flags & SF_TILE_EXTERNAL ? SF_WAIT_PARK : inst->topology->group[spec->group].wait;
  p->stride = p->tile->message_bytes ? (uint32_t)p->tile->message_bytes : SF_SLOT_MIN;
  *out      = p;
  return 0;
}

int sf_ptile_start( sf_ptile_t * p ) {
  int parks = p->wait == SF_WAIT_PARK && !( p->tile->spec->flags & SF_TILE_EXTERNAL );
  if( parks && p->tile->inst->topology->stay_awake ) sf_wait_stay_awake(); /* as in a group in C */
  return sf_tile_boot( p->tile );
}

uint32_t sf_ptile_stride( sf_ptile_t * p ) { return p->stride; }
sf_tile_t * sf_ptile_tile( sf_ptile_t * p ) { return p->tile; }

/* What the batch handed out before took: its first message is its oldest. */
static void batch_done( sf_ptile_t * p, uint64_t now ) {
  if( !p->t_pub ) return;
  sf_hist_t * hist = p->tile->cnc->hist;
  if( now > p->t_pub ) sf_hist_add( hist + SF_HIST_STAGE, now - p->t_pub );
  if( p->t_begin > p->t_pub ) sf_hist_add( hist + SF_HIST_WAIT, p->t_begin - p->t_pub );
  sf_hist_add( hist + SF_HIST_TURN, now - p->t_begin );
  p->t_pub = 0;
}

int sf_ptile_house( sf_ptile_t * p ) {
  p->tile->now = sf_clock_ns();
  return sf_tile_house_due( p->tile );
}

int sf_ptile_turn( sf_ptile_t * p, void * buffer, uint16_t * in, uint32_t max, uint64_t max_wait_ns ) {
  sf_tile_t * t  = p->tile;
  uint64_t idle  = 0;
  uint64_t begin = sf_clock_ns();
  uint64_t until = max_wait_ns < UINT64_MAX - begin ? begin + max_wait_ns : UINT64_MAX;
  batch_done( p, begin );
  t->now   = begin;
  t->batch = max;
  sf_tile_pass_begin( t );
  for( ;; ) {
    sf_tile_house_due( t );
    if( SF_UNLIKELY( t->failed || sf_tile_halting( t ) ) ) {
      if( !t->failed ) sf_store_release( &t->cnc->state, (uint64_t)SF_STATE_HALT );
      return sf_err_set( SF_ERR_STATE, "tile %s is to halt", t->spec->name );
    }
    uint32_t n = 0, from;
    t->blocked = 0;
    sf_tile_turn_count( t );
    while( n < max && sf_tile_ready( t, n + 1UL ) ) {
      sf_message_t * m         = (sf_message_t *)( (uint8_t *)buffer + (uint64_t)n * p->stride );
      sf_message_t const * got = sf_tile_take( t, m, p->stride, &from, !n );
      if( !got ) break;
      if( got != m ) memcpy( m, got, sizeof( *m ) + got->length ); /* of a tape: its time is that of another run */
      else if( !n ) p->t_pub = m->t_pub;
      in[n++] = (uint16_t)from;
    }
    sf_tile_after( t );
    if( n ) {
      t->count[SF_COUNTER_BUSY_TURNS]++;
      p->t_begin = sf_clock_ns();
      return (int)n;
    }
    if( t->now >= until ) return 0;
    sf_wait_once( &t, 1, p->wait, idle++, until );
    t->now = sf_clock_ns();
  }
}

void sf_ptile_wait( sf_ptile_t * const * p, uint32_t cnt, uint64_t max_wait_ns ) {
  sf_tile_t * tile[SF_TILE_MAX];
  uint64_t now = sf_clock_ns();
  if( cnt > SF_TILE_MAX ) cnt = SF_TILE_MAX;
  for( uint32_t i = 0; i < cnt; i++ ) tile[i] = p[i]->tile;
  if( cnt )
    sf_wait_once( tile, cnt, p[0]->wait, SF_WAIT_SPINS,
                  max_wait_ns < UINT64_MAX - now ? now + max_wait_ns : UINT64_MAX );
}

int sf_ptile_publish( sf_ptile_t * p, uint32_t out, void const * messages, uint32_t stride, uint32_t cnt ) {
  sf_tile_t * t = p->tile;
  if( out >= t->out_cnt ) return sf_err_set( SF_ERR_ARG, "tile %s has no out-link number %u", t->spec->name, out );
  uint64_t room = t->out[out].slot_bytes - sizeof( sf_message_t );
  if( stride < sizeof( sf_message_t ) )
    return sf_err_set( SF_ERR_ARG, "a message is at least %lu bytes, not %u", sizeof( sf_message_t ), stride );
  for( uint32_t i = 0; i < cnt; i++ ) {
    sf_message_t m;
    memcpy( &m, (uint8_t const *)messages + (uint64_t)i * stride, sizeof( m ) );
    if( m.length > room || m.length > stride - sizeof( m ) ) {
      return sf_err_set( SF_ERR_ARG, "message of %u bytes: link %s takes %lu", m.length,
                         sf_tile_link_name( t, t->spec->out[out] ), room );
    }
  }
  if( !sf_producer_ready( t->out + out, cnt ) ) {
    return sf_err_set( SF_ERR_FULL, "link %s has no credit for %u messages: a reliable consumer is behind",
                       sf_tile_link_name( t, t->spec->out[out] ), cnt );
  }
  for( uint32_t i = 0; i < cnt; i++ ) {
    uint8_t const * from = (uint8_t const *)messages + (uint64_t)i * stride;
    sf_message_t m;
    memcpy( &m, from, sizeof( m ) );
    sf_message_t * slot = sf_tile_claim( t, out );
    if( !slot ) return SF_ERR_FULL;
    sf_bytes_copy_in( slot + 1, from + sizeof( m ), m.length );
    sf_tile_publish( t, out, slot, m.kind, m.length, m.tag, m.t_origin );
  }
  sf_tile_after( t );
  return (int)cnt;
}

void sf_ptile_halt( sf_ptile_t * p ) { sf_store_relaxed( &p->tile->halt, 1U ); }

void sf_ptile_fail( sf_ptile_t * p, char const * sentence ) {
  sf_tile_fail( p->tile, "%s", sentence );
  sf_tile_end( p->tile );
}

void sf_ptile_close( sf_ptile_t * p ) {
  if( !p ) return;
  batch_done( p, sf_clock_ns() );
  sf_tile_end( p->tile );
  sf_tile_close( p->tile );
  free( p );
}
