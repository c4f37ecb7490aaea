#include "tile/process.h"
#include "base/cpu.h"
#include "base/err.h"
#include "shm/control.h"
#include "shm/instance.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static sf_instance_t instance;
static sf_control_t * control; /* for the signal handlers */
static sf_group_t * group[SF_GROUP_MAX];
static uint32_t group_index[SF_GROUP_MAX];
static uint32_t group_cnt;
static uint32_t failed; /* atomic */

static int fail( void ) {
  fprintf( stderr, "sf-group: %s\n", sf_err_text() );
  return 1;
}

static void halt_all( int signal ) {
  (void)signal;
  for( uint32_t i = 0; i < group_cnt; i++ ) sf_group_halt( group[i] );
}

static void kill_word( int signal ) {
  (void)signal;
  sf_kill_raise( control, SF_KILL_HALT, SF_KILL_BY_SIGNAL );
}

static void signals_set( void ) {
  struct sigaction a = { .sa_handler = halt_all };
  sigaction( SIGTERM, &a, 0 );
  sigaction( SIGINT, &a, 0 );
  a.sa_handler = kill_word;
  a.sa_flags   = SA_RESTART;
  sigaction( SIGUSR1, &a, 0 );
  a.sa_handler = SIG_IGN;
  sigaction( SIGPIPE, &a, 0 );
}

/* No core dump and no ptrace of a process that holds the key. */
static void seal( void ) {
  struct rlimit none = { 0, 0 };
  setrlimit( RLIMIT_CORE, &none );
  prctl( PR_SET_DUMPABLE, 0UL, 0, 0, 0 );
}

static int holds_key( sf_topology_t const * t, uint32_t g ) {
  for( uint32_t i = 0; i < t->tile_cnt; i++ ) {
    if( t->tile[i].group == g && !strcmp( t->tile[i].kind, "sign" ) ) return 1;
  }
  return 0;
}

static int is_c( sf_topology_t const * t, uint32_t g ) { return !( t->group[g].flags & SF_TILE_PYTHON ); }

/* Pinned groups go to their core, the others keep off the spinning ones. */
static int place( uint32_t g ) {
  sf_topology_t const * t = instance.topology;
  sf_cpu_name_thread( t->group[g].name );
  if( t->group[g].core != SF_CORE_NONE ) return sf_cpu_pin( t->group[g].core );
  uint32_t core[SF_GROUP_MAX], cnt = 0;
  for( uint32_t i = 0; i < t->group_cnt; i++ ) {
    if( t->group[i].wait == SF_WAIT_SPIN && t->group[i].core != SF_CORE_NONE ) core[cnt++] = t->group[i].core;
  }
  return sf_cpu_avoid( core, cnt );
}

static void * run( void * arg ) {
  uint32_t i = (uint32_t)(uintptr_t)arg;
  int rc     = place( group_index[i] );
  if( !rc ) rc = sf_group_run( group[i] );
  if( rc ) {
    fprintf( stderr, "sf-group: group %s: %s\n", instance.topology->group[group_index[i]].name, sf_err_text() );
    sf_kill_raise( control, SF_KILL_HALT, SF_KILL_BY_SUPERVISOR );
    __atomic_store_n( &failed, 1U, __ATOMIC_RELAXED );
    halt_all( 0 );
  }
  return 0;
}

static void memory_note( void ) {
  uint64_t bytes = 0;
  for( uint32_t i = 0; i < SF_TILE_MAX; i++ ) {
    sf_memory_t const * m = &instance.tile_ws[i].memory;
    if( ( m->flags & SF_MEMORY_LOCK ) && !m->locked ) bytes += m->bytes;
  }
  if( bytes )
    fprintf(
        stderr,
        "sf-group: %lu bytes of shared memory are not locked: the memlock limit refuses it; raise it (ulimit -l)\n",
        bytes );
}

static int groups_open( sf_tile_ops_t const * const * own, uint32_t own_cnt ) {
  uint32_t cnt = group_cnt;
  group_cnt    = 0; /* the handlers see opened groups only */
  for( uint32_t i = 0; i < cnt; i++ ) {
    int rc = sf_group_open_with( group + i, &instance, group_index[i], own, own_cnt );
    if( rc ) return rc;
  }
  group_cnt = cnt;
  return 0;
}

int sf_process_run( int argc, char ** argv, sf_tile_ops_t const * const * own, uint32_t own_cnt ) {
  int single = argc == 3 && !strcmp( argv[1], "--single" );
  if( argc != 3 ) {
    fprintf( stderr, "usage: sf-group INSTANCE_DIR GROUP | sf-group --single INSTANCE_DIR\n" );
    return 1;
  }
  pid_t parent = getppid();
  prctl( PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0, 0, 0 );
  if( getppid() != parent ) return 1;

  char const * dir = argv[single ? 2 : 1];
  if( sf_instance_open( &instance, dir ) ) return fail();
  if( sf_instance_stale( dir ) ) {
    sf_err_set( SF_ERR_STATE, "instance %s is left over: its creator is gone; start it anew", dir );
    return fail();
  }
  control                 = instance.control;
  sf_topology_t const * t = instance.topology;
  if( single ) {
    for( uint32_t i = 0; i < t->group_cnt; i++ ) {
      if( is_c( t, i ) ) group_index[group_cnt++] = i;
    }
  } else {
    int g = sf_topology_group_find( t, argv[2] );
    if( g < 0 ) return fail();
    group_index[group_cnt++] = (uint32_t)g;
  }
  for( uint32_t i = 0; i < group_cnt; i++ ) {
    if( holds_key( t, group_index[i] ) ) seal();
  }
  uint32_t cnt = group_cnt;
  if( groups_open( own, own_cnt ) ) return fail();
  memory_note();
  signals_set();

  pthread_t thread[SF_GROUP_MAX];
  uint32_t started = 0;
  for( uint32_t i = 1; i < cnt; i++ ) {
    if( pthread_create( thread + started, 0, run, (void *)(uintptr_t)i ) ) {
      fprintf( stderr, "sf-group: no thread for group %s\n", t->group[group_index[i]].name );
      __atomic_store_n( &failed, 1U, __ATOMIC_RELAXED );
      halt_all( 0 );
      break;
    }
    started++;
  }
  if( cnt ) run( 0 );
  for( uint32_t i = 0; i < started; i++ ) pthread_join( thread[i], 0 );
  for( uint32_t i = 0; i < cnt; i++ ) sf_group_close( group[i] );
  sf_instance_close( &instance );
  return (int)__atomic_load_n( &failed, __ATOMIC_RELAXED );
}
