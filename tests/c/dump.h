/* dump.h: account bytes out of recorded JSON files. */

#ifndef SF_TESTS_DUMP_H
#define SF_TESTS_DUMP_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* dump_read writes the base64 data of the first account in a file below the recorded data (SNIPERFORGE_DATA, or beside
   the checkout).  Returns how many bytes, or -1 if there is no such file; ends the test if they are more than max. */
static inline int dump_read( char const * name, uint8_t * out, uint32_t max ) {
  static char const digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static char text[65536];
  char const * root = getenv( "SNIPERFORGE_DATA" );
  char path[512];
  int here = (int)( strrchr( __FILE__, '/' ) - __FILE__ );
  if( root ) snprintf( path, sizeof( path ), "%s/%s", root, name );
  else snprintf( path, sizeof( path ), "%.*s/../../../shared/data/%s", here, __FILE__, name );
  FILE * f = fopen( path, "r" );
  if( !f ) return -1;
  text[fread( text, 1, sizeof( text ) - 1, f )] = 0;
  fclose( f );
  char const * at = strstr( text, "\"data\"" );
  if( !at || !( at = strchr( at, '[' ) ) || !( at = strchr( at, '"' ) ) ) abort();
  uint32_t bits = 0, have = 0, len = 0;
  for( at++; *at != '"' && *at != '='; at++ ) {
    bits = bits << 6 | (uint32_t)( strchr( digits, *at ) - digits );
    have += 6;
    if( have < 8 ) continue;
    have -= 8;
    if( len == max ) abort();
    out[len++] = (uint8_t)( bits >> have );
  }
  return (int)len;
}

/* dump_exact is a block of exactly len bytes, the first of them those of data, so that a sanitizer sees every byte too
   far.  The caller frees it. */
static inline uint8_t * dump_exact( uint8_t const * data, uint32_t data_len, uint32_t len ) {
  uint8_t * exact = calloc( 1, len ? len : 1 );
  if( !exact ) abort();
  memcpy( exact, data, len < data_len ? len : data_len );
  return exact;
}

#endif
