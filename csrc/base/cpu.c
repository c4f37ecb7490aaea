#include "base/cpu.h"
#include "base/err.h"
#include <errno.h>
#include <numa.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

typedef struct core_set {
  cpu_set_t bits[SF_CPU_MAX / CPU_SETSIZE];
} core_set_t;

uint32_t sf_cpu_available( uint32_t core[SF_CPU_MAX] ) {
  core_set_t set;
  uint32_t cnt = 0;
  CPU_ZERO_S( sizeof( set ), set.bits );
  if( !sched_getaffinity( 0, sizeof( set ), set.bits ) ) {
    for( uint32_t i = 0; i < SF_CPU_MAX; i++ ) {
      if( CPU_ISSET_S( i, sizeof( set ), set.bits ) ) core[cnt++] = i;
    }
  }
  if( !cnt ) core[cnt++] = 0;
  return cnt;
}

uint32_t sf_cpu_node( uint32_t core ) {
  if( numa_available() < 0 ) return 0;
  int node = numa_node_of_cpu( (int)core );
  return node < 0 ? 0 : (uint32_t)node;
}

uint32_t sf_cpu_node_count( void ) {
  if( numa_available() < 0 ) return 1;
  int cnt = numa_num_configured_nodes();
  return cnt < 1 ? 1 : (uint32_t)cnt;
}

int sf_cpu_pin( uint32_t core ) {
  if( core >= SF_CPU_MAX )
    return sf_err_set( SF_ERR_ARG, "core %u: the largest core number is %u", core, SF_CPU_MAX - 1 );
  core_set_t set;
  CPU_ZERO_S( sizeof( set ), set.bits );
  CPU_SET_S( core, sizeof( set ), set.bits );
  if( sched_setaffinity( 0, sizeof( set ), set.bits ) ) {
    return sf_err_set( SF_ERR_SYS, "pinning to core %u: %m; choose a core that `taskset -p %d` lists", core,
                       (int)getpid() );
  }
  return 0;
}

int sf_cpu_avoid( uint32_t const * core, uint32_t cnt ) {
  core_set_t set;
  CPU_ZERO_S( sizeof( set ), set.bits );
  if( sched_getaffinity( 0, sizeof( set ), set.bits ) )
    return sf_err_set( SF_ERR_SYS, "reading the cores of this thread: %m" );
  for( uint32_t i = 0; i < cnt; i++ ) {
    if( core[i] < SF_CPU_MAX ) CPU_CLR_S( core[i], sizeof( set ), set.bits );
  }
  if( !CPU_COUNT_S( sizeof( set ), set.bits ) ) return 0;
  if( sched_setaffinity( 0, sizeof( set ), set.bits ) )
    return sf_err_set( SF_ERR_SYS, "keeping off the spinning cores: %m" );
  return 0;
}

void sf_cpu_name_thread( char const * name ) {
  char cut[16];
  snprintf( cut, sizeof( cut ), "%s", name );
  pthread_setname_np( pthread_self(), cut );
}
