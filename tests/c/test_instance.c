/* Instances: creating, attaching, refusing damaged ones, recognising left-over ones. */

#include "check.h"
#include "shm/cnc.h"
#include "shm/control.h"
#include "shm/instance.h"
#include "shm/pool.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[128];

static sf_topology_t * topology_make( void ) {
  sf_topology_t * t = sf_topology_alloc();
  sf_topology_group_add( t, "g", SF_WAIT_PARK, SF_CORE_NONE, 0 );
  sf_topology_tile_add( t, "book", "book", 0, 0, 1 );
  sf_topology_tile_add( t, "risk", "risk", 0, 0, 1 );
  sf_topology_link_add( t, "market", 0, 16, 128 );
  sf_topology_link_add( t, "pair", 0, 16, 64 );
  sf_topology_edge_add( t, 0, 1, 1 );
  sf_topology_edge_add( t, 1, 1, 1 );
  sf_topology_table_add( t, "pools", 0, 512, 8 );
  sf_topology_params_set( t, 1, "max=5\n" );
  snprintf( t->state_dir, sizeof( t->state_dir ), "/var/lib/x" );
  CHECK( !sf_topology_validate( t ) && !sf_topology_layout( t ) );
  return t;
}

static void create( void ) {
  sf_topology_t * t = topology_make();
  CHECK( !sf_instance_create( dir, t ) );
  sf_topology_free( t );
}

static void file_write( char const * name, uint64_t off, void const * bytes, uint64_t n ) {
  char path[256];
  snprintf( path, sizeof( path ), "%s/%s", dir, name );
  int fd = open( path, O_WRONLY );
  CHECK( fd >= 0 && pwrite( fd, bytes, n, (off_t)off ) == (ssize_t)n );
  close( fd );
}

static void test_create( void ) {
  sf_topology_t * t = topology_make();
  sf_instance_t inst;
  CHECK( sf_instance_open( &inst, dir ) == SF_ERR_NOTFOUND );
  CHECK_SAYS( "start it with `sniperforge run`" );
  CHECK( sf_instance_create( "/dev/shm/other", t ) == SF_ERR_ARG );
  CHECK( !sf_instance_create( dir, t ) );
  struct stat st;
  CHECK( !stat( dir, &st ) && ( st.st_mode & 0777 ) == 0700 );
  char path[256];
  snprintf( path, sizeof( path ), "%s/book", dir );
  CHECK( !stat( path, &st ) && ( st.st_mode & 0777 ) == 0600 && (uint64_t)st.st_size == t->tile[0].workspace_bytes );
  CHECK( (uint64_t)st.st_blocks * 512 >= t->tile[0].workspace_bytes ); /* really taken */
  CHECK( sf_instance_create( dir, t ) == SF_ERR_STATE );
  CHECK_SAYS( "runs already" );

  CHECK( !sf_instance_open( &inst, dir ) );
  CHECK( inst.topology->tile_cnt == 2 && !strcmp( inst.topology->state_dir, "/var/lib/x" ) );
  sf_workspace_t * ws;
  CHECK( !sf_instance_workspace( &inst, 0, 1, &ws ) );
  CHECK( sf_instance_cnc_named( &inst, "risk" ) && !sf_instance_cnc_named( &inst, "nobody" ) );
  CHECK_SAYS( "no tile nobody" );
  sf_cnc_t * cnc = sf_instance_cnc( &inst, 1 ); /* read-only */
  CHECK( !sf_instance_workspace( &inst, 1, 1, &ws ) && sf_instance_cnc( &inst, 1 ) == cnc );
  sf_cnc_set( cnc, 0, 5 ); /* writable in place */
  CHECK( sf_cnc_read( cnc, "messages_in" ) == 5 );
  CHECK( sf_instance_workspace( &inst, 9, 0, &ws ) == SF_ERR_ARG );
  CHECK( sf_instance_link( &inst, "market" )->flags == SF_LINK_WAKE &&
         sf_instance_link( &inst, "pair" )->flags == ( SF_LINK_PAIR | SF_LINK_WAKE ) );
  sf_table_t * pools = sf_instance_table( &inst, "pools" );
  CHECK( pools && pools->row_cnt == 8 && !sf_instance_table( &inst, "tokens" ) );
  CHECK( sf_cnc_find( sf_instance_cnc( &inst, 0 ), "parks" ) == SF_COUNTER_PARKS );
  CHECK( sf_instance_control( &inst )->supervisor_pid == (uint32_t)getpid() );
  sf_instance_close( &inst );
  CHECK( !sf_instance_remove( dir ) && sf_instance_remove( dir ) == SF_ERR_NOTFOUND );

  t->link[0].depth      = 1U << 24; /* 2 GiB: too large for some hosts, so a too-large one */
  t->link[0].slot_bytes = SF_SLOT_MAX;
  CHECK( !sf_topology_layout( t ) && sf_instance_create( dir, t ) == SF_ERR_LIMIT && access( dir, F_OK ) );
  CHECK_SAYS( "/dev/shm has" );
  sf_topology_free( t );
}

/* One damage after the other; each must be refused with a sentence. */
static void test_damage( void ) {
  static struct {
    char const * file;
    uint64_t off;
    uint64_t value;
    uint64_t bytes;
    char const * says;
  } const damage[] = {
    { "topology", 0, 0x1122334455667788, 8, "damaged" },
    { "topology", 0, 0, 8, "not complete" },
    { "topology", 8, SF_KIND_LINK, 4, "of kind" },
    { "topology", 12, SF_ABI_MAJOR + 1, 4, "another build" },
    { "topology", 16, 0x55, 8, "another build" },
    { "topology", 24, 64, 8, "bytes" },
    { "topology", 24, UINT64_MAX, 8, "bytes" },
    { "topology", 32, 0x7878, 8, "not topology" },
    { "control", 0, 1, 8, "damaged" },
  };
  for( uint64_t i = 0; i < sizeof( damage ) / sizeof( damage[0] ); i++ ) {
    create();
    file_write( damage[i].file, damage[i].off, &damage[i].value, damage[i].bytes );
    sf_instance_t inst;
    CHECK( sf_instance_open( &inst, dir ) == SF_ERR_ABI );
    CHECK_SAYS( damage[i].says );
    sf_instance_remove( dir );
  }
  sf_instance_t inst;
  char path[256];
  uint64_t bad = 3;
  create();
  snprintf( path, sizeof( path ), "%s/topology", dir );
  CHECK( !truncate( path, 4096 ) && sf_instance_open( &inst, dir ) == SF_ERR_ABI );
  sf_instance_remove( dir );
  create();
  snprintf( path, sizeof( path ), "%s/book", dir );
  CHECK( !truncate( path, 4096 ) && !sf_instance_open( &inst, dir ) && !sf_instance_cnc( &inst, 0 ) );
  CHECK_SAYS( "topology says" );
  sf_instance_close( &inst );
  sf_instance_remove( dir );
  create();
  CHECK( !sf_instance_open( &inst, dir ) );
  file_write( "book", inst.topology->link[0].off, &bad, 8 );
  file_write( "risk", inst.topology->edge[1].off + 8, &bad, 4 );
  file_write( "book", inst.topology->table[0].off + 64, &bad, 4 );
  sf_producer_t p;
  sf_consumer_t c;
  CHECK( sf_instance_producer( &inst, 0, &p ) == SF_ERR_ABI && sf_instance_consumer( &inst, 1, &c ) == SF_ERR_ABI );
  CHECK( !sf_instance_table( &inst, "pools" ) );
  sf_instance_close( &inst );
  sf_instance_remove( dir );
}

static void owner_write( char const * text ) {
  char path[256];
  snprintf( path, sizeof( path ), "%s/owner", dir );
  FILE * f = fopen( path, "w" );
  CHECK( f && fputs( text, f ) >= 0 && !fclose( f ) );
}

static void test_stale( void ) {
  CHECK( sf_instance_stale( dir ) == SF_ERR_NOTFOUND );
  pid_t child = fork();
  if( !child ) {
    create();
    _exit( 0 );
  }
  AWAIT( sf_instance_stale( dir ) >= 0 );
  AWAIT( sf_instance_stale( dir ) == 1 ); /* as a zombie already */
  int status;
  CHECK( waitpid( child, &status, 0 ) == child && !status && sf_instance_owner( dir ) == child );
  create(); /* takes its place */
  CHECK( !sf_instance_stale( dir ) && sf_instance_owner( dir ) == (int)getpid() );
  char path[256], boot[64], text[256];
  int pid;
  unsigned long long start;
  snprintf( path, sizeof( path ), "%s/owner", dir );
  FILE * f = fopen( path, "r" );
  CHECK( f && fscanf( f, "%d %llu %63s", &pid, &start, boot ) == 3 );
  fclose( f );
  snprintf( text, sizeof( text ), "%d %llu %s\n", pid, start + 1, boot ); /* the pid belongs to somebody else now */
  owner_write( text );
  CHECK( sf_instance_stale( dir ) == 1 );
  snprintf( text, sizeof( text ), "%d %llu 00000000-0000-0000-0000-000000000000\n", pid, start ); /* another boot */
  owner_write( text );
  CHECK( sf_instance_stale( dir ) == 1 );
  snprintf( text, sizeof( text ), "%d %llu %s\n", pid, start, boot );
  owner_write( text );
  CHECK( !sf_instance_stale( dir ) );
  owner_write( "rubbish" ); /* being created, or left over: by age */
  CHECK( !sf_instance_stale( dir ) );
  CHECK( sf_instance_owner( dir ) == SF_ERR_NOTFOUND );
  CHECK( !sf_instance_remove( dir ) && sf_instance_remove( "/dev/shm/nothing" ) == SF_ERR_ARG &&
         sf_instance_remove( "/dev/shm/sf-" ) == SF_ERR_ARG );
}

static void test_cnc_and_kill( void ) {
  static sf_cnc_t cnc;
  sf_cnc_init( &cnc, 3 );
  int a = sf_cnc_register( &cnc, "stale_updates", 0 );
  CHECK( a == SF_COUNTER_FIRST_OWN && sf_cnc_register( &cnc, "stale_updates", 0 ) == a &&
         sf_cnc_register( &cnc, "stale_updates", 1 ) == SF_ERR_ARG );
  CHECK( sf_cnc_register( &cnc, "", 0 ) == SF_ERR_ARG &&
         sf_cnc_register( &cnc, "a_name_that_is_longer_than_32_bytes", 0 ) == SF_ERR_ARG );
  sf_cnc_count( &cnc, a, 5 );
  CHECK( sf_cnc_read( &cnc, "stale_updates" ) == 5 && !sf_cnc_read( &cnc, "none" ) );
  char name[32];
  for( int i = a + 1; i < SF_COUNTER_MAX; i++ ) {
    snprintf( name, sizeof( name ), "c%d", i );
    CHECK( sf_cnc_register( &cnc, name, 1 ) == i );
  }
  CHECK( sf_cnc_register( &cnc, "one_more", 0 ) == SF_ERR_FULL );
  char big[1000], got[256];
  memset( big, 'e', sizeof( big ) );
  big[999] = 0;
  sf_cnc_fail( &cnc, big );
  sf_cnc_error( &cnc, got );
  CHECK( cnc.state == SF_STATE_FAIL && strlen( got ) == 255 );

  static sf_control_t c;
  CHECK( sf_kill_raise( &c, SF_KILL_RUN, SF_KILL_BY_PERSON ) == SF_ERR_ARG &&
         sf_kill_raise( &c, 3, SF_KILL_BY_PERSON ) == SF_ERR_ARG );
  CHECK( sf_kill_raise( &c, SF_KILL_REDUCE, SF_KILL_BY_RISK ) == 1 && sf_kill_read( &c ) == SF_KILL_REDUCE &&
         c.kill_by == SF_KILL_BY_RISK );
  CHECK( sf_kill_raise( &c, SF_KILL_HALT, SF_KILL_BY_PERSON ) == 1 && c.kill_by == SF_KILL_BY_PERSON && c.kill_ns );
  CHECK( sf_kill_raise( &c, SF_KILL_REDUCE, SF_KILL_BY_RISK ) == 0 && sf_kill_read( &c ) == SF_KILL_HALT &&
         c.kill_by == SF_KILL_BY_PERSON );
  sf_kill_lower( &c );
  CHECK( sf_kill_read( &c ) == SF_KILL_RUN );
  sf_command_set( &c, SF_TILE_MAX, 1 );
  sf_command_set( &c, 2, SF_COMMAND_HALT );
  CHECK( c.command[2] == SF_COMMAND_HALT );
}

int main( void ) {
  snprintf( dir, sizeof( dir ), "%s", test_dir( "instance" ) );
  test_create();
  test_damage();
  test_stale();
  test_cnc_and_kill();
  printf( "instance: create, damage, stale, cnc, kill word\n" );
  return 0;
}
