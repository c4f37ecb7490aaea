/* Topology: every rule, with the sentence it gives; waits and cores; layout. */

#include "check.h"
#include "shm/link.h"
#include "shm/topology.h"

static uint32_t const cores[4] = { 0, 1, 2, 3 };

/* A graph that keeps all rules: feed -> raw -> book -> market -> (arb, journal). */
static sf_topology_t * good( void ) {
  sf_topology_t * t = sf_topology_alloc();
  sf_topology_group_add( t, "hot", SF_WAIT_SPIN, 1, 0 );
  sf_topology_group_add( t, "journal", SF_WAIT_PARK, SF_CORE_NONE, 0 );
  sf_topology_group_add( t, "python", SF_WAIT_PARK, SF_CORE_NONE, SF_TILE_PYTHON );
  sf_topology_tile_add( t, "feed", "feed", 0, 0, 4 );
  sf_topology_tile_add( t, "book", "book", 0, 0, 4 );
  sf_topology_tile_add( t, "journal", "journal", 1, 0, 1 );
  sf_topology_tile_add( t, "strategies", "strategies", 2, SF_TILE_PYTHON, 1 );
  sf_topology_tile_add( t, "supervisor", "supervisor", 77, SF_TILE_EXTERNAL, 1 );
  sf_topology_link_add( t, "raw", 0, 64, 1024 );
  sf_topology_link_add( t, "market", 1, 1024, 128 );
  sf_topology_link_add( t, "command", 4, 16, 64 );
  sf_topology_edge_add( t, 0, 1, 1 );
  sf_topology_edge_add( t, 1, 2, 1 );
  sf_topology_edge_add( t, 1, 3, 0 );
  sf_topology_edge_add( t, 2, 2, 1 );
  sf_topology_table_add( t, "pools", 1, 512, 16 );
  sf_topology_params_set( t, 0, "url=ws://127.0.0.1:1\nengine=uring\n" );
  return t;
}

static void breaks( uint32_t rule, sf_topology_t * t ) {
  switch( rule ) {
  case 0: t->link[1].depth = 1000; break;
  case 1: t->link[1].slot_bytes = 100; break;
  case 2: t->link[1].depth = 2; break;
  case 3: t->link[0].producer = 99; break;
  case 4: t->tile[1].out[t->tile[1].out_cnt++] = 0; break;
  case 5: t->tile[0].out_cnt = 0; break;
  case 6:
    t->edge_cnt--;
    t->tile[2].in_cnt = 1;
    break;
  case 7: snprintf( t->link[1].name, SF_NAME_MAX, "raw" ); break;
  case 8: snprintf( t->tile[1].name, SF_NAME_MAX, "control" ); break;
  case 9: snprintf( t->tile[1].name, SF_NAME_MAX, "a/b" ); break;
  case 10: t->tile[0].group = 9; break;
  case 11: t->tile[0].group = 2; break;
  case 12: t->tile[0].burst = 33; break;
  case 13: t->tile[0].burst = 0; break;
  case 14: t->group[0].core = 9; break;
  case 15: t->group[1].core = 1; break;
  case 16: t->group[0].wait_asked = 7; break;
  case 17: sf_topology_group_add( t, "empty", SF_WAIT_PARK, SF_CORE_NONE, 0 ); break;
  case 18: t->table[0].row_bytes = 100; break;
  case 19: t->table[0].row_cnt = 0; break;
  case 20: t->table[0].writer = 50; break;
  case 21: t->edge[1].reliable = 2; break;
  case 22: t->tile[2].in[1] = t->tile[2].in[0]; break;
  case 23: sf_topology_edge_add( t, 0, 0, 1 ); break;
  case 24:
    memcpy( t->params, "urlurl", 6 );
    t->params[6] = '\n';
    break;
  case 25: t->tile[0].param_off = 1U << 30; break;
  case 26: t->tile_cnt = 1000; break;
  case 27: t->tile[0].kind[0] = 0; break;
  case 28: memset( t->state_dir, 'x', sizeof( t->state_dir ) ); break;
  case 29: sf_topology_edge_add( t, 0, 1, 1 ); break;
  case 30: t->tile[0].in_cnt = 1000; break;
  case 31: t->edge[0].link = 500; break;
  }
}

static char const * const says[] = {
  "topology.links.market: depth 1000 is not a power of two; use 1024",
  "topology.links.market: slot_bytes 100 is not a multiple of 64 within 64 and 65536; use 128",
  "topology.links.market: depth 2 is not within 4 and",
  "topology.links.raw.producer: there is no tile number 99",
  "topology.links.raw.producer: 2 tiles produce it",
  "topology.links.raw.producer: 0 tiles produce it",
  "topology.links.command: nobody consumes it",
  "topology.links.raw: there are two of this name",
  "topology.tiles.control: topology, control, owner and link-... are names",
  "topology.tiles.a/b: a name is",
  "topology.tiles.feed.group: there is no group number 9",
  "topology.tiles.feed.group: group python mixes C and Python",
  "topology.tiles.feed.burst: 33 is not within 1 and half the depth of its link raw; use at most 32",
  "topology.tiles.feed.burst: 0",
  "topology.groups.hot.core: core 9 is not among the 4",
  "core 1 belongs to a spinning group alone",
  "topology.groups.hot.wait: 7 is none of spin, yield, park",
  "topology.groups.empty: has no tile",
  "topology.table.pools: row_bytes 100 is not a multiple of 64; use 128",
  "topology.table.pools.rows: is 0",
  "topology.table.pools.writer: there is no tile number 50",
  "reliable of consumer journal is 2; use 0 or 1",
  "lists it 2 times",
  "topology.links.raw: tile feed both produces and consumes it",
  "topology.tiles.feed: parameter line `urlurl` is not key=value",
  "topology.tiles.feed: its parameters lie outside",
  "topology: more than 64 tiles",
  "topology.tiles.feed.kind: is empty",
  "topology.state_dir: the path is longer",
  "topology.tiles.book: consumes link raw twice",
  "topology.tiles.feed: more than 24",
  "edge number 0 names a link or a tile that does not exist",
};

static void test_rules( void ) {
  sf_topology_t * t = good();
  CHECK( !sf_topology_validate_on( t, cores, 4 ) );
  sf_topology_free( t );
  for( uint32_t i = 0; i < sizeof( says ) / sizeof( says[0] ); i++ ) {
    t = good();
    breaks( i, t );
    int rc = sf_topology_validate_on( t, cores, 4 );
    if( rc != SF_ERR_ARG || !strstr( sf_err_text(), says[i] ) ) {
      fprintf( stderr, "rule %u: expected `%s`, got %d `%s`\n", i, says[i], rc, rc ? sf_err_text() : "" );
      exit( 1 );
    }
    sf_topology_free( t );
  }
}

static void test_waits( void ) {
  char notes[512];
  /* one core: nobody may spin beside the others */
  sf_topology_t * t = good();
  t->group[0].core  = SF_CORE_NONE;
  CHECK( !sf_topology_validate_on( t, cores, 1 ) && t->group[0].wait == SF_WAIT_YIELD &&
         t->group[0].wait_asked == SF_WAIT_SPIN );
  CHECK( sf_topology_notes( t, notes, sizeof( notes ) ) == 1 && strstr( notes, "topology.groups.hot" ) );
  /* two cores: one spins, on the highest core */
  CHECK( !sf_topology_validate_on( t, cores, 2 ) && t->group[0].wait == SF_WAIT_SPIN && t->group[0].core == 1 );
  CHECK( sf_topology_notes( t, notes, sizeof( notes ) ) == 0 );
  sf_topology_free( t );
  /* three spinners on three cores, one other group: the last gives way */
  t                = good();
  t->group[0].core = SF_CORE_NONE;
  for( int i = 0; i < 2; i++ ) {
    char name[32];
    snprintf( name, sizeof( name ), "spin%d", i );
    int g = sf_topology_group_add( t, name, SF_WAIT_SPIN, SF_CORE_NONE, 0 );
    CHECK( sf_topology_tile_add( t, name, "x", (uint32_t)g, 0, 1 ) > 0 );
  }
  CHECK( !sf_topology_validate_on( t, cores, 3 ) );
  CHECK( t->group[0].wait == SF_WAIT_SPIN && t->group[3].wait == SF_WAIT_SPIN && t->group[4].wait == SF_WAIT_YIELD );
  CHECK( t->group[0].core == 2 && t->group[3].core == 1 && t->group[4].core == SF_CORE_NONE );
  /* with a fourth core all spin */
  CHECK( !sf_topology_validate_on( t, cores, 4 ) && t->group[4].wait == SF_WAIT_SPIN && t->group[4].core == 3 );
  sf_topology_free( t );
}

static void test_layout( void ) {
  sf_topology_t * t = good();
  CHECK( !sf_topology_validate_on( t, cores, 4 ) && !sf_topology_layout( t ) );
  CHECK( t->link[0].flags == 0 );                                    /* hot to hot, nobody parks */
  CHECK( t->link[1].flags == ( SF_LINK_BROADCAST | SF_LINK_WAKE ) ); /* strategies lossy, both park */
  CHECK( t->link[2].flags == ( SF_LINK_PAIR | SF_LINK_WAKE ) && sf_topology_is_pair( t, 2 ) &&
         !sf_topology_is_pair( t, 0 ) );
  CHECK( t->table[0].off % SF_ALIGN == 0 && t->link[1].off % SF_ALIGN == 0 && t->edge[1].off % SF_ALIGN == 0 );
  CHECK( t->link[1].off + sf_link_bytes( 1024, 128 ) <= t->tile[1].workspace_bytes );
  CHECK( sf_topology_link_find( t, "market" ) == 1 && sf_topology_link_find( t, "none" ) == SF_ERR_NOTFOUND );
  CHECK( sf_topology_tile_find( t, "book" ) == 1 && sf_topology_table_find( t, "pools" ) == 0 &&
         sf_topology_group_find( t, "journal" ) == 1 );
  sf_topology_free( t );
}

static void test_adding( void ) {
  sf_topology_t * t = sf_topology_alloc();
  CHECK( sf_topology_link_add( t, "l", 0, 64, 64 ) == SF_ERR_ARG && sf_topology_edge_add( t, 0, 0, 1 ) == SF_ERR_ARG );
  CHECK( sf_topology_tile_add( t, "a_name_that_is_far_longer_than_31_bytes", "k", 0, 0, 1 ) == SF_ERR_ARG );
  char name[32];
  for( int i = 0; i < SF_TILE_MAX; i++ ) {
    snprintf( name, sizeof( name ), "t%d", i );
    CHECK( sf_topology_tile_add( t, name, "k", 0, 0, 1 ) == i );
  }
  CHECK( sf_topology_tile_add( t, "more", "k", 0, 0, 1 ) == SF_ERR_FULL );
  for( int i = 0; i < SF_PORT_MAX; i++ ) CHECK( sf_topology_link_add( t, "l", 0, 64, 64 ) == i );
  CHECK( sf_topology_link_add( t, "l", 0, 64, 64 ) == SF_ERR_FULL );
  CHECK( !sf_topology_params_set( t, 0, "a=b\n" ) && sf_topology_params_set( t, 0, "a=b\n" ) == SF_ERR_STATE );
  CHECK( sf_topology_params_set( t, 99, "a=b\n" ) == SF_ERR_ARG );
  char * big = malloc( SF_PARAM_MAX + 1 );
  memset( big, 'x', SF_PARAM_MAX );
  big[SF_PARAM_MAX] = 0;
  CHECK( sf_topology_params_set( t, 1, big ) == SF_ERR_FULL );
  free( big );
  sf_topology_free( t );
}

int main( void ) {
  test_rules();
  test_waits();
  test_layout();
  test_adding();
  printf( "topology: %lu rules, waits, layout, adding\n", sizeof( says ) / sizeof( says[0] ) );
  return 0;
}
