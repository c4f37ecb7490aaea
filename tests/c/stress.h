/* stress.h: one small instance for stress tests between threads and processes: a
   producing tile `p`, consuming tiles `c0`, `c1`, one link. */

#ifndef SF_TESTS_STRESS_H
#define SF_TESTS_STRESS_H
#include "check.h"
#include "shm/instance.h"
#include <pthread.h>
#include <sys/wait.h>

typedef struct stress {
  char dir[128];
  uint32_t slot_bytes;
  uint32_t depth;
  uint32_t consumers;
  uint32_t reliable; /* of all consumers */
  uint64_t messages;
  uint32_t slow; /* 1 = consumer 0 dawdles */
} stress_t;

static inline void stress_create( stress_t * s, char const * what ) {
  snprintf( s->dir, sizeof( s->dir ), "%s", test_dir( what ) );
  sf_topology_t * t = sf_topology_alloc();
  CHECK( sf_topology_group_add( t, "p", SF_WAIT_YIELD, SF_CORE_NONE, 0 ) == 0 );
  CHECK( sf_topology_group_add( t, "c", SF_WAIT_YIELD, SF_CORE_NONE, 0 ) == 1 );
  CHECK( sf_topology_tile_add( t, "p", "test", 0, 0, 1 ) == 0 );
  CHECK( sf_topology_link_add( t, "l", 0, s->depth, s->slot_bytes ) == 0 );
  for( uint32_t i = 0; i < s->consumers; i++ ) {
    char name[16];
    snprintf( name, sizeof( name ), "c%u", i );
    CHECK( sf_topology_tile_add( t, name, "test", 1, 0, 1 ) == (int)i + 1 );
    CHECK( sf_topology_edge_add( t, 0, i + 1, s->reliable ) == (int)i );
  }
  CHECK( !sf_topology_validate( t ) && !sf_topology_layout( t ) && !sf_instance_create( s->dir, t ) );
  sf_topology_free( t );
}

/* word i of the payload of message n */
static inline uint64_t stress_word( uint64_t n, uint64_t i ) { return ( n + 1 ) * 0x9e3779b97f4a7c15UL + i; }

static inline void stress_produce( stress_t const * s, sf_instance_t * inst ) {
  sf_workspace_t * ws;
  sf_producer_t p;
  CHECK( !sf_instance_workspace( inst, 0, 1, &ws ) && !sf_instance_producer( inst, 0, &p ) );
  uint64_t words = ( s->slot_bytes - sizeof( sf_message_t ) ) / 8;
  for( uint64_t n = 0; n < s->messages; n++ ) {
    sf_message_t * slot;
    while( !( slot = sf_link_claim( &p ) ) ) sched_yield();
    uint64_t * w = (uint64_t *)( slot + 1 );
    for( uint64_t i = 0; i < words; i++ ) w[i] = stress_word( n, i );
    sf_link_publish( &p, slot, (uint16_t)n, (uint16_t)( words * 8 ), (uint32_t)n, n * 7, n * 11 );
    if( !s->reliable && n % 64 == 63 ) sched_yield();
  }
  sf_producer_close( &p );
}

/* Reads to the last message; every one whole and in order, lost ones counted. */
static inline void stress_consume( stress_t const * s, sf_instance_t * inst, uint32_t index ) {
  sf_workspace_t * ws;
  sf_consumer_t c;
  CHECK( !sf_instance_workspace( inst, index + 1, 1, &ws ) && !sf_instance_consumer( inst, index, &c ) );
  uint64_t words = ( s->slot_bytes - sizeof( sf_message_t ) ) / 8, next = 0, got = 0;
  uint64_t buffer[SF_SLOT_MAX / 8];
  sf_message_t * m = (sf_message_t *)buffer;
  uint64_t until   = sf_clock_posix_ns( CLOCK_MONOTONIC ) + 100000000000UL;
  while( next < s->messages ) {
    int rc = sf_link_receive( &c, m, sizeof( buffer ) );
    if( !rc ) {
      CHECK( sf_clock_posix_ns( CLOCK_MONOTONIC ) < until );
      sched_yield();
      continue;
    }
    if( rc == SF_ERR_OVERRUN ) {
      CHECK( !s->reliable && c.next > next );
      next = c.next;
      continue;
    }
    CHECK( rc == 1 && m->seq == next && m->kind == (uint16_t)next && m->tag == (uint32_t)next &&
           m->t_origin == next * 7 && m->t_pub == next * 11 );
    CHECK( m->length == words * 8 );
    uint64_t const * w = (uint64_t const *)( m + 1 );
    for( uint64_t i = 0; i < words; i++ ) CHECK( w[i] == stress_word( next, i ) );
    next++;
    got++;
    if( s->slow && !index && got % 32 == 0 ) usleep( 50 );
  }
  sf_consumer_flush( &c );
  CHECK( got + c.lost == s->messages && ( !s->reliable || !c.lost ) );
  CHECK( s->reliable || !s->slow || index || c.lost ); /* the slow one was overrun */
  CHECK( sf_load_relaxed( &c.edge->cursor ) == s->messages && sf_load_relaxed( &c.edge->lost ) == c.lost );
}

#endif
