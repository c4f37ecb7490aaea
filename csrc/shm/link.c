#include "shm/link.h"
#include "base/clock.h"
#include "base/err.h"
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREDIT_UNLIMITED ( UINT64_MAX / 2 )

uint64_t sf_link_bytes( uint32_t depth, uint32_t slot_bytes ) {
  if( depth < SF_DEPTH_MIN || depth > SF_DEPTH_MAX || ( depth & ( depth - 1 ) ) ) return 0;
  if( slot_bytes < SF_SLOT_MIN || slot_bytes > SF_SLOT_MAX || slot_bytes % SF_LINE ) return 0;
  return ( sizeof( sf_link_t ) + (uint64_t)depth * slot_bytes + SF_ALIGN - 1 ) & ~( SF_ALIGN - 1UL );
}

/* The geometry comes from shared memory: nothing of it is used unchecked. */
static int check( sf_link_t const * link ) {
  uint64_t slots = (uint64_t)link->depth * link->slot_bytes;
  if( !sf_link_bytes( link->depth, link->slot_bytes ) || link->slot_off < sizeof( sf_link_t ) ||
      link->slot_off % SF_LINE || link->slot_off > link->object.size || slots > link->object.size - link->slot_off ) {
    return sf_err_set(
        SF_ERR_ABI, "link %.32s: depth %u, slots of %u bytes at %lu do not fit its %lu bytes; start the instance anew",
        link->object.name, link->depth, link->slot_bytes, link->slot_off, link->object.size );
  }
  return 0;
}

int sf_producer_open( sf_producer_t * p, sf_link_t * link, sf_edge_t const * const * edges, uint32_t edge_cnt ) {
  memset( p, 0, sizeof( *p ) );
  int rc = check( link );
  if( rc ) return rc;
  if( edge_cnt > SF_TILE_MAX )
    return sf_err_set( SF_ERR_ARG, "link %.32s: %u consumers are more than %u", link->object.name, edge_cnt,
                       SF_TILE_MAX );
  p->link               = link;
  p->slots              = (uint8_t *)link + link->slot_off;
  p->mask               = link->depth - 1UL;
  p->slot_bytes         = link->slot_bytes;
  p->broadcast          = !!( link->flags & SF_LINK_BROADCAST );
  p->wake               = !!( link->flags & SF_LINK_WAKE );
  p->next               = sf_load_acquire( &link->published );
  p->woken_next         = p->next;
  p->backpressure_turns = sf_load_relaxed( &link->backpressure_turns );
  for( uint32_t reliable = 2; reliable--; ) {
    for( uint32_t i = 0; i < edge_cnt; i++ ) {
      if( !!edges[i]->reliable == reliable ) p->edge[p->edge_cnt++] = edges[i];
    }
    if( reliable ) p->reliable_cnt = p->edge_cnt;
  }
  int died = ( sf_load_acquire( &sf_producer_slot( p, p->next )->seq ) & ~SF_SEQ_BUSY ) > p->next;
  for( uint32_t i = 0; i < p->edge_cnt; i++ ) died |= sf_load_acquire( &p->edge[i]->cursor ) > p->next;
  if( died ) {
    return sf_err_set( SF_ERR_STATE,
                       "link %.32s: its producer died in this run at about seq %lu; start the instance anew",
                       link->object.name, p->next );
  }
  if( SF_TSAN && p->broadcast ) {
    p->stage = calloc( 1, p->slot_bytes );
    if( !p->stage ) return sf_err_set( SF_ERR_SYS, "link %.32s: no memory", link->object.name );
  }
  p->limit = p->next;
  sf_producer_refresh( p );
  return 0;
}

void sf_producer_close( sf_producer_t * p ) {
  if( !p->link ) return;
  sf_producer_publish_state( p );
  free( p->stage );
  memset( p, 0, sizeof( *p ) );
}

int sf_consumer_open( sf_consumer_t * c, sf_link_t const * link, sf_edge_t * edge ) {
  memset( c, 0, sizeof( *c ) );
  int rc = check( link );
  if( rc ) return rc;
  c->link       = link;
  c->edge       = edge;
  c->slots      = (uint8_t const *)link + link->slot_off;
  c->mask       = link->depth - 1UL;
  c->slot_bytes = link->slot_bytes;
  c->quarter    = link->depth / 4;
  c->reliable   = !!edge->reliable;
  c->pair       = !!( link->flags & SF_LINK_PAIR );
  c->next       = sf_load_relaxed( &edge->cursor );
  c->flushed    = c->next;
  c->lost       = sf_load_relaxed( &edge->lost );
  return 0;
}

uint64_t sf_producer_refresh( sf_producer_t * p ) {
  if( !p->reliable_cnt ) {
    p->limit = p->next + CREDIT_UNLIMITED;
    return CREDIT_UNLIMITED;
  }
  uint64_t slowest = UINT64_MAX;
  for( uint32_t i = 0; i < p->reliable_cnt; i++ ) {
    uint64_t cursor = sf_load_acquire( &p->edge[i]->cursor );
    if( cursor < slowest ) slowest = cursor;
  }
  p->limit = slowest + p->mask + 1;
  return p->limit - p->next;
}

void sf_producer_publish_state( sf_producer_t * p ) {
  sf_store_release( &p->link->published, p->next );
  sf_store_relaxed( &p->link->backpressure_turns, p->backpressure_turns );
}

int sf_link_send( sf_producer_t * p, uint16_t kind, uint32_t tag, uint64_t t_origin, void const * payload,
                  uint16_t length ) {
  if( SF_UNLIKELY( length > p->slot_bytes - sizeof( sf_message_t ) ) ) return SF_ERR_ARG;
  sf_message_t * slot = sf_link_claim( p );
  if( SF_UNLIKELY( !slot ) ) return SF_ERR_FULL;
  sf_bytes_copy_in( slot + 1, payload, length );
  sf_link_publish( p, slot, kind, length, tag, t_origin, sf_clock_ns() );
  return 0;
}

void sf_producer_wake_edges( sf_producer_t * p ) {
  p->woken_next = p->next;
  for( uint32_t i = 0; i < p->edge_cnt; i++ ) {
    sf_edge_t const * edge = p->edge[i];
    if( SF_LIKELY( !sf_load_acquire( &edge->sleeping ) ) ) continue;
    /* it sleeps on the word of the slot at its cursor; once that message is out,
       one wake is enough: nobody can fall asleep on it again */
    uint64_t cursor = sf_load_acquire( &edge->cursor );
    if( cursor >= p->next || p->woken[i] == cursor + 1 ) continue;
    p->woken[i] = cursor + 1;
    syscall( SYS_futex, &sf_producer_slot( p, cursor )->seq, FUTEX_WAKE, INT32_MAX, 0, 0, 0 );
  }
}

int sf_consumer_jump( sf_consumer_t * c, uint64_t word ) {
  uint64_t to = ( word & ~SF_SEQ_BUSY ) - 1;
  c->lost += to - c->next;
  c->next = to;
  sf_store_relaxed( &c->edge->lost, c->lost );
  return SF_ERR_OVERRUN;
}
