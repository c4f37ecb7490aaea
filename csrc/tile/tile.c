#include "tile/tile.h"
#include "base/clock.h"
#include "base/err.h"
#include "tile/turn.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* -- attaching ------------------------------------------------------------- */

static int params_split( sf_tile_t * t ) {
  char const * text = t->inst->topology->params + t->spec->param_off;
  uint32_t len = t->spec->param_len, lines = 1;
  for( uint32_t i = 0; i < len; i++ ) lines += text[i] == '\n';
  t->param_text = malloc( len + 1UL );
  t->param      = calloc( lines, sizeof( sf_param_t ) );
  if( !t->param_text || !t->param )
    return sf_err_set( SF_ERR_SYS, "tile %s: no memory for its parameters", t->spec->name );
  memcpy( t->param_text, text, len );
  t->param_text[len] = 0;
  for( char *p = t->param_text, *next; p && *p; p = next ) {
    next = strchr( p, '\n' );
    if( next ) *next++ = 0;
    char * mark = strchr( p, '=' );
    if( !mark ) continue;
    *mark                          = 0;
    t->param[t->param_cnt].key     = p;
    t->param[t->param_cnt++].value = mark + 1;
  }
  return 0;
}

static int ports_open( sf_tile_t * t ) {
  for( uint32_t i = 0; i < t->spec->in_cnt; i++ ) {
    int rc = sf_instance_consumer( t->inst, t->spec->in[i], t->in + i );
    if( rc ) return rc;
    t->in_cnt++;
    t->watch[i] = ( sf_watch_t ){ &sf_consumer_slot( t->in + i )->seq, SF_WATCH_NONE };
    if( t->in[i].slot_bytes > t->message_bytes ) t->message_bytes = t->in[i].slot_bytes;
  }
  for( uint32_t i = 0; i < t->spec->out_cnt; i++ ) {
    int rc = sf_instance_producer( t->inst, t->spec->out[i], t->out + i );
    if( rc ) return rc;
    t->out_cnt++;
  }
  return 0;
}

static int ordered_check( sf_tile_t * t ) {
  if( !( t->flags & SF_TILE_ORDERED ) ) return 0;
  if( !t->in_cnt || !t->out_cnt || t->out[0].slot_bytes < sizeof( sf_message_t ) + sizeof( sf_turn_t ) ) {
    return sf_err_set( SF_ERR_ARG,
                       "tile %s is ordered: it needs a primary in-link, and an out-link for its turn records",
                       t->spec->name );
  }
  t->primary_next = t->in[0].next;
  for( uint32_t i = 0; i < t->in_cnt; i++ ) {
    if( strncmp( sf_tile_in_name( t, i ), "turns", 5 ) ) continue;
    if( i != t->in_cnt - 1 || !i )
      return sf_err_set( SF_ERR_ARG, "tile %s: in-link %s has to be its last", t->spec->name, sf_tile_in_name( t, i ) );
    t->replay_in = i;
  }
  for( uint32_t i = 0; t->replay_in != SF_TURN_NO_REPLAY && i < t->in_cnt; i++ ) {
    if( !t->in[i].reliable )
      return sf_err_set( SF_ERR_ARG, "tile %s follows recorded turns: its in-link %s has to be reliable", t->spec->name,
                         sf_tile_in_name( t, i ) );
  }
  return 0;
}

static int attach( sf_tile_t * t ) {
  sf_workspace_t * ws;
  int rc = sf_instance_workspace( t->inst, t->index, 1, &ws );
  if( rc ) return rc;
  sf_cnc_t * cnc = sf_instance_cnc( t->inst, t->index );
  if( !cnc ) return SF_ERR_ABI;
  if( sf_load_acquire( &cnc->state ) != SF_STATE_NEW ) {
    return sf_err_set( SF_ERR_STATE, "tile %s was run before in this instance; start the instance anew",
                       t->spec->name );
  }
  t->cnc = cnc;
  sf_store_relaxed( &cnc->pid, (uint32_t)getpid() );
  sf_store_release( &cnc->state, (uint64_t)SF_STATE_BOOT );
  int unlocked = sf_cnc_register( cnc, "unlocked_bytes", 1 );
  sf_cnc_set( cnc, unlocked, ( ws->memory.flags & SF_MEMORY_LOCK ) && !ws->memory.locked ? ws->memory.bytes : 0 );
  rc = params_split( t );
  if( !rc ) rc = ports_open( t );
  if( !rc ) rc = ordered_check( t );
  if( !rc && t->ops ) {
    t->message =
        aligned_alloc( SF_ALIGN, ( t->message_bytes + sizeof( sf_message_t ) + SF_ALIGN - 1 ) & ~( SF_ALIGN - 1UL ) );
    uint64_t state_bytes = ( t->ops->state_bytes + SF_ALIGN ) & ~( SF_ALIGN - 1UL );
    t->state             = aligned_alloc( SF_ALIGN, state_bytes );
    if( t->state ) memset( t->state, 0, state_bytes );
    if( !t->message || !t->state )
      rc = sf_err_set( SF_ERR_SYS, "tile %s: no memory for %lu bytes of state", t->spec->name, state_bytes );
  }
  return rc;
}

int sf_tile_open( sf_tile_t ** out, sf_instance_t * inst, uint32_t index, sf_tile_ops_t const * ops, uint32_t flags ) {
  *out = 0;
  if( index >= inst->topology->tile_cnt )
    return sf_err_set( SF_ERR_ARG, "instance %s has no tile number %u", inst->dir, index );
  uint64_t bytes = ( sizeof( sf_tile_t ) + SF_ALIGN - 1 ) & ~( SF_ALIGN - 1UL );
  sf_tile_t * t  = aligned_alloc( SF_ALIGN, bytes );
  if( !t ) return sf_err_set( SF_ERR_SYS, "no memory for a tile" );
  memset( t, 0, bytes );
  t->ops       = ops;
  t->flags     = flags;
  t->inst      = inst;
  t->index     = index;
  t->spec      = inst->topology->tile + index;
  t->control   = inst->control;
  t->burst     = t->spec->burst;
  t->batch     = SF_TURN_BATCH;
  t->wake_at   = UINT64_MAX;
  t->replay_in = SF_TURN_NO_REPLAY;
  sf_rng_seed( &t->rng, index );
  int rc = attach( t );
  if( rc ) {
    if( t->cnc ) sf_tile_fail( t, "%s", sf_err_text() );
    if( t->cnc ) sf_tile_end( t );
    char sentence[1024];
    snprintf( sentence, sizeof( sentence ), "%s", sf_err_text() );
    sf_tile_close( t );
    return sf_err_set( rc, "%s", sentence );
  }
  *out = t;
  return 0;
}

void sf_tile_close( sf_tile_t * t ) {
  if( !t ) return;
  for( uint32_t i = 0; i < t->in_cnt; i++ ) sf_consumer_flush( t->in + i );
  for( uint32_t i = 0; i < t->out_cnt; i++ ) sf_producer_close( t->out + i );
  free( t->param_text );
  free( t->param );
  free( t->message );
  free( t->state );
  free( t );
}

int sf_tile_boot( sf_tile_t * t ) {
  sf_topology_group_t const * g = t->inst->topology->group + t->spec->group;
  sf_store_relaxed( &t->cnc->tid, (uint32_t)gettid() );
  sf_store_relaxed( &t->cnc->core, t->spec->flags & SF_TILE_EXTERNAL ? SF_CORE_NONE : g->core );
  t->now = sf_clock_ns();
  int rc = t->ops && t->ops->init ? t->ops->init( t ) : 0;
  if( rc || t->failed ) {
    if( !t->failed ) sf_tile_fail( t, "%s", sf_err_text() );
    return rc ? rc : SF_ERR_STATE;
  }
  t->booted = 1;
  t->now    = sf_clock_ns();
  sf_store_relaxed( &t->cnc->started_ns, t->now );
  sf_store_release( &t->cnc->heartbeat_ns, t->now );
  sf_store_release( &t->cnc->state, (uint64_t)SF_STATE_RUN );
  return 0;
}

/* -- what a tile sees ------------------------------------------------------- */

void * sf_tile_state( sf_tile_t * t ) { return t->state; }
char const * sf_tile_name( sf_tile_t * t ) { return t->spec->name; }

static char const * link_name( sf_tile_t * t, uint32_t link ) { return t->inst->topology->link[link].name; }

char const * sf_tile_link_name( sf_tile_t * t, uint32_t link ) {
  return link < t->inst->topology->link_cnt ? link_name( t, link ) : 0;
}

uint32_t sf_tile_in_count( sf_tile_t * t ) { return t->in_cnt; }
uint32_t sf_tile_out_count( sf_tile_t * t ) { return t->out_cnt; }
uint32_t sf_tile_in_link( sf_tile_t * t, uint32_t in ) { return t->inst->topology->edge[t->spec->in[in]].link; }
char const * sf_tile_in_name( sf_tile_t * t, uint32_t in ) { return link_name( t, sf_tile_in_link( t, in ) ); }
uint32_t sf_tile_out_payload( sf_tile_t * t, uint32_t out ) {
  return (uint32_t)( t->out[out].slot_bytes - sizeof( sf_message_t ) );
}

int sf_tile_in( sf_tile_t * t, char const * link ) {
  for( uint32_t i = 0; i < t->in_cnt; i++ ) {
    if( !strcmp( sf_tile_in_name( t, i ), link ) ) return (int)i;
  }
  return sf_err_set( SF_ERR_NOTFOUND, "tile %s has no in-link %s; make it a consumer of that link in the topology",
                     t->spec->name, link );
}

int sf_tile_out( sf_tile_t * t, char const * link ) {
  for( uint32_t i = 0; i < t->out_cnt; i++ ) {
    if( !strcmp( link_name( t, t->spec->out[i] ), link ) ) return (int)i;
  }
  return sf_err_set( SF_ERR_NOTFOUND, "tile %s has no out-link %s; make it the producer of that link in the topology",
                     t->spec->name, link );
}

sf_message_t * sf_tile_claim( sf_tile_t * t, uint32_t out ) { return sf_link_claim( t->out + out ); }

void sf_tile_prefetch( sf_tile_t * t, uint32_t out, uint32_t bytes ) {
  uint8_t const * slot = (uint8_t const *)sf_producer_slot( t->out + out, t->out[out].next );
  for( uint32_t line = 0; line < bytes; line += SF_LINE ) __builtin_prefetch( slot + line, 1 );
}

void sf_tile_publish( sf_tile_t * t, uint32_t out, sf_message_t * slot, uint16_t kind, uint16_t length, uint32_t tag,
                      uint64_t t_origin ) {
  uint64_t t_pub = sf_clock_ns();
  t->done        = t_pub;
  sf_link_publish( t->out + out, slot, kind, length, tag, t_origin, t_pub );
  t->count[SF_COUNTER_MESSAGES_OUT]++;
  if( t_origin && t_pub > t_origin ) sf_tile_sample( t, SF_HIST_ORIGIN, t_pub - t_origin );
}

uint64_t sf_tile_credit( sf_tile_t * t, uint32_t out ) { return sf_link_credit( t->out + out ); }
int sf_tile_may_publish( sf_tile_t * t, uint32_t out ) { return sf_producer_ready( t->out + out, 1 ); }
uint64_t sf_tile_message_seq( sf_tile_t * t ) { return t->seq; }
uint64_t sf_tile_seq( sf_tile_t * t, uint32_t out ) { return t->out[out].next; }

sf_table_t * sf_tile_table( sf_tile_t * t, char const * name ) { return sf_instance_table( t->inst, name ); }

int sf_tile_table_here( sf_tile_t * t, char const * name ) {
  sf_topology_t const * topology = t->inst->topology;
  int table                      = sf_topology_table_find( topology, name );
  if( table < 0 ) return 0;
  sf_topology_tile_t const * writer = topology->tile + topology->table[table].writer;
  return writer->group == t->spec->group && !( ( writer->flags | t->spec->flags ) & SF_TILE_EXTERNAL );
}

sf_control_t * sf_tile_control( sf_tile_t * t ) { return t->control; }
uint64_t sf_tile_kill( sf_tile_t * t ) { return sf_kill_read( t->control ); }

uint32_t sf_tile_param_count( sf_tile_t * t ) { return t->param_cnt; }

int sf_tile_param_at( sf_tile_t * t, uint32_t i, char const ** key, char const ** value ) {
  if( i >= t->param_cnt ) return sf_err_set( SF_ERR_ARG, "tile %s has no parameter number %u", t->spec->name, i );
  *key   = t->param[i].key;
  *value = t->param[i].value;
  return 0;
}

char const * sf_tile_param( sf_tile_t * t, char const * key ) {
  for( uint32_t i = 0; i < t->param_cnt; i++ ) {
    if( !strcmp( t->param[i].key, key ) ) return t->param[i].value;
  }
  return 0;
}

int sf_tile_param_text( sf_tile_t * t, char const * key, char const ** out ) {
  *out = sf_tile_param( t, key );
  return *out ? 0 : sf_err_set( SF_ERR_ARG, "%s.%s: is missing; set it in the configuration", t->spec->name, key );
}

int sf_tile_param_u64( sf_tile_t * t, char const * key, uint64_t min, uint64_t max, uint64_t * out ) {
  char const * text;
  int rc = sf_tile_param_text( t, key, &text );
  if( rc ) return rc;
  char * end;
  errno      = 0;
  uint64_t v = strtoull( text, &end, 10 );
  if( text[0] < '0' || text[0] > '9' || *end || errno || v < min || v > max ) {
    return sf_err_set( SF_ERR_ARG, "%s.%s: `%s` is not a whole number within %" PRIu64 " and %" PRIu64, t->spec->name,
                       key, text, min, max );
  }
  *out = v;
  return 0;
}

int sf_tile_counter( sf_tile_t * t, char const * name ) { return sf_cnc_register( t->cnc, name, 0 ); }
int sf_tile_gauge( sf_tile_t * t, char const * name ) { return sf_cnc_register( t->cnc, name, 1 ); }
void sf_tile_count( sf_tile_t * t, int counter, uint64_t add ) { sf_cnc_count( t->cnc, counter, add ); }
void sf_tile_set( sf_tile_t * t, int gauge, uint64_t v ) { sf_cnc_set( t->cnc, gauge, v ); }
uint64_t sf_tile_now( sf_tile_t * t ) { return t->now; }

void sf_tile_wake_in( sf_tile_t * t, uint64_t ns ) {
  uint64_t at = sf_clock_ns() + ns;
  if( at < t->wake_at ) t->wake_at = at;
}

void sf_tile_beat( sf_tile_t * t ) {
  sf_clock_sync();
  sf_store_release( &t->cnc->heartbeat_ns, sf_clock_ns() );
}

int sf_tile_fail( sf_tile_t * t, char const * fmt, ... ) {
  char text[1024];
  va_list args;
  va_start( args, fmt );
  vsnprintf( text, sizeof( text ), fmt, args );
  va_end( args );
  if( !t->failed ) {
    t->failed = 1;
    sf_err_set( SF_ERR_STATE, "tile %s: %s", t->spec->name, text );
    sf_cnc_fail( t->cnc, text );
  }
  return SF_ERR_STATE;
}

char const * sf_tile_state_dir( sf_tile_t * t ) { return t->inst->topology->state_dir; }
uint64_t sf_tile_run( sf_tile_t * t ) { return sf_load_relaxed( &t->control->run ); }
