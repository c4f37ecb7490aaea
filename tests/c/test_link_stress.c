/* Every kind of link under load between threads and between processes: nothing
   torn, nothing out of order, nothing lost on reliable edges, every loss of a
   lossy edge counted. */

#include "stress.h"
#include <sched.h>

#if defined( __SANITIZE_THREAD__ ) || defined( __SANITIZE_ADDRESS__ )
#define MESSAGES 60000UL
#else
#define MESSAGES 400000UL
#endif

typedef struct part {
  stress_t const * s;
  sf_instance_t * inst;
  uint32_t index;
} part_t;

static void * consume( void * arg ) {
  part_t * p = arg;
  stress_consume( p->s, p->inst, p->index );
  return 0;
}

static void in_threads( stress_t * s ) {
  sf_instance_t inst;
  sf_workspace_t * ws;
  stress_create( s, "link-threads" );
  CHECK( !sf_instance_open( &inst, s->dir ) );
  for( uint32_t i = 0; i <= s->consumers; i++ ) CHECK( !sf_instance_workspace( &inst, i, 1, &ws ) );
  pthread_t thread[4];
  part_t part[4];
  for( uint32_t i = 0; i < s->consumers; i++ ) {
    part[i] = ( part_t ){ s, &inst, i };
    CHECK( !pthread_create( thread + i, 0, consume, part + i ) );
  }
  stress_produce( s, &inst );
  for( uint32_t i = 0; i < s->consumers; i++ ) pthread_join( thread[i], 0 );
  sf_instance_close( &inst );
  CHECK( !sf_instance_remove( s->dir ) );
}

static void in_processes( stress_t * s ) {
  sf_instance_t inst;
  pid_t child[4];
  stress_create( s, "link-processes" );
  for( uint32_t i = 0; i < s->consumers; i++ ) {
    child[i] = fork();
    if( child[i] ) continue;
    CHECK( !sf_instance_open( &inst, s->dir ) );
    stress_consume( s, &inst, i );
    _exit( 0 );
  }
  CHECK( !sf_instance_open( &inst, s->dir ) );
  stress_produce( s, &inst );
  for( uint32_t i = 0; i < s->consumers; i++ ) {
    int status;
    CHECK( waitpid( child[i], &status, 0 ) == child[i] && !status );
  }
  sf_instance_close( &inst );
  CHECK( !sf_instance_remove( s->dir ) );
}

int main( void ) {
  static stress_t const kinds[] = {
    { .slot_bytes = 64, .depth = 1024, .consumers = 1, .reliable = 1, .messages = MESSAGES },   /* pair */
    { .slot_bytes = 64, .depth = 4, .consumers = 1, .reliable = 1, .messages = MESSAGES / 16 }, /* smallest */
    { .slot_bytes = 64, .depth = 64, .consumers = 2, .reliable = 1, .messages = MESSAGES / 2 },
    { .slot_bytes = 128, .depth = 256, .consumers = 2, .reliable = 1, .messages = MESSAGES / 2, .slow = 1 },
    { .slot_bytes = 1344, .depth = 16, .consumers = 1, .reliable = 1, .messages = MESSAGES / 16 },
    { .slot_bytes = 64, .depth = 16, .consumers = 2, .reliable = 0, .messages = MESSAGES }, /* overrun */
    { .slot_bytes = 128, .depth = 8, .consumers = 1, .reliable = 0, .messages = MESSAGES, .slow = 1 },
    { .slot_bytes = 256, .depth = 4, .consumers = 2, .reliable = 0, .messages = MESSAGES, .slow = 1 },
  };
  for( uint64_t i = 0; i < sizeof( kinds ) / sizeof( kinds[0] ); i++ ) {
    stress_t s = kinds[i];
    in_threads( &s );
    in_processes( &s );
  }
  printf( "link stress: %lu kinds, threads and processes\n", sizeof( kinds ) / sizeof( kinds[0] ) );
  return 0;
}
