#include "shm/cnc.h"
#include "base/err.h"
#include <stdio.h>

static char const * const common[SF_COUNTER_FIRST_OWN] = {
  "messages_in", "messages_out", "overrun_messages", "backpressure_turns", "turns", "busy_turns", "parks",
};

void sf_cnc_init( sf_cnc_t * cnc, uint32_t tile ) {
  cnc->tile = tile;
  cnc->core = 0xffffffffu;
  for( int i = 0; i < SF_COUNTER_FIRST_OWN; i++ ) snprintf( cnc->counter_name[i], SF_COUNTER_NAME, "%s", common[i] );
}

int sf_cnc_find( sf_cnc_t const * cnc, char const * name ) {
  for( int i = 0; i < SF_COUNTER_MAX; i++ ) {
    if( cnc->counter_name[i][0] && !strncmp( cnc->counter_name[i], name, SF_COUNTER_NAME ) ) return i;
  }
  return sf_err_set( SF_ERR_NOTFOUND, "tile %s has no counter %s", cnc->object.name, name );
}

int sf_cnc_register( sf_cnc_t * cnc, char const * name, int gauge ) {
  if( !name[0] || strlen( name ) >= SF_COUNTER_NAME ) {
    return sf_err_set( SF_ERR_ARG, "counter %s of tile %s: a name has 1 to %d bytes", name, cnc->object.name,
                       SF_COUNTER_NAME - 1 );
  }
  int i = sf_cnc_find( cnc, name );
  if( i >= 0 ) {
    if( cnc->counter_is_gauge[i] == !!gauge ) return i;
    return sf_err_set( SF_ERR_ARG, "%s of tile %s is both a counter and a gauge", name, cnc->object.name );
  }
  for( i = SF_COUNTER_FIRST_OWN; i < SF_COUNTER_MAX; i++ ) {
    if( cnc->counter_name[i][0] ) continue;
    cnc->counter_is_gauge[i] = !!gauge;
    sf_bytes_copy_in( cnc->counter_name[i], name, strlen( name ) + 1 );
    return i;
  }
  return sf_err_set( SF_ERR_FULL, "tile %s: no room for counter %s: all %d are used", cnc->object.name, name,
                     SF_COUNTER_MAX );
}

uint64_t sf_cnc_read( sf_cnc_t const * cnc, char const * name ) {
  int i = sf_cnc_find( cnc, name );
  return i < 0 ? 0 : sf_load_relaxed( &cnc->counter[i] );
}

void sf_cnc_fail( sf_cnc_t * cnc, char const * sentence ) {
  char text[sizeof( cnc->error )] = { 0 };
  snprintf( text, sizeof( text ), "%s", sentence );
  sf_words_copy_in( cnc->error, text, sizeof( text ) / 8 );
  uint64_t state = SF_STATE_FAIL;
  sf_store_release( &cnc->state, state );
}

void sf_cnc_error( sf_cnc_t const * cnc, char out[256] ) {
  uint64_t text[sizeof( cnc->error ) / 8];
  sf_words_copy_out( text, cnc->error, sizeof( cnc->error ) / 8 );
  memcpy( out, text, sizeof( text ) );
  out[255] = 0;
}
