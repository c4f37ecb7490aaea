#include "shm/control.h"
#include "base/clock.h"

int sf_kill_raise( sf_control_t * c, uint64_t level, uint64_t by ) {
  if( level < SF_KILL_REDUCE || level > SF_KILL_HALT ) return SF_ERR_ARG;
  if( sf_fetch_max( &c->kill, level ) >= level ) return 0;
  sf_store_relaxed( &c->kill_by, by );
  sf_store_release( &c->kill_ns, sf_clock_ns() );
  return 1;
}

void sf_kill_lower( sf_control_t * c ) {
  uint64_t run = SF_KILL_RUN, none = SF_KILL_BY_NONE;
  sf_store_release( &c->kill, run );
  sf_store_relaxed( &c->kill_by, none );
  sf_store_release( &c->kill_ns, sf_clock_ns() );
}

void sf_command_set( sf_control_t * c, uint32_t tile, uint64_t command ) {
  if( tile < SF_TILE_MAX ) sf_store_release( &c->command[tile], command );
}
