/* check.h: what the C unit tests share: a check that says where it failed, a
   deadline, a private instance directory. */

#ifndef SF_TESTS_CHECK_H
#define SF_TESTS_CHECK_H
#include "base/clock.h"
#include "base/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK( c )                                                                                        \
  do {                                                                                                    \
    if( !( c ) ) {                                                                                        \
      fprintf( stderr, "%s:%d: not true: %s (last error: %s)\n", __FILE__, __LINE__, #c, sf_err_text() ); \
      _exit( 1 );                                                                                         \
    }                                                                                                     \
  } while( 0 )

/* the last error says `text` */
#define CHECK_SAYS( text ) CHECK( strstr( sf_err_text(), ( text ) ) )

/* waits until c holds, at most 20 s */
#define AWAIT( c )                                                          \
  do {                                                                      \
    uint64_t until_ = sf_clock_posix_ns( CLOCK_MONOTONIC ) + 20000000000UL; \
    while( !( c ) ) {                                                       \
      CHECK( sf_clock_posix_ns( CLOCK_MONOTONIC ) < until_ && #c );         \
      usleep( 100 );                                                        \
    }                                                                       \
  } while( 0 )

/* a name for an instance of this test: /dev/shm/sf-t<pid>-<what> */
static inline char const * test_dir( char const * what ) {
  static char dir[128];
  snprintf( dir, sizeof( dir ), "/dev/shm/sf-t%d-%s", (int)getpid(), what );
  return dir;
}

#endif
