/* json.h: a pull scanner over JSON text (RFC 8259): the caller says what it
   expects, the scanner walks forward once and hands out spans of the text.

     sf_json_t j; sf_json_open( &j, text, n );
     sf_json_object( &j );
     while( sf_json_key( &j, &key )==1 )
       if( sf_json_is( key, "slot" ) ) sf_json_u64( &j, &slot );
       else sf_json_skip( &j );
     sf_json_end( &j );

   Strict: one value, no trailing commas, no comments, numbers and literals as in
   the RFC, nesting at most SF_JSON_DEPTH.  Strings are handed out as they stand,
   escapes and all (their escapes are checked); invalid UTF-8 passes.  No
   allocation, no recursion, no write to the text, never a byte outside it.

   All functions return 0 (or what they say) or SF_ERR_DATA, silently because
   they are hot; after an error j->p stands near the byte that is wrong. */

#ifndef SF_IO_JSON_H
#define SF_IO_JSON_H
#include <stdint.h>
#include <string.h>

#define SF_JSON_DEPTH 64

typedef struct sf_span {
  char const * p;
  uint64_t n;
} sf_span_t;

typedef struct sf_json {
  char const * begin;
  char const * p;
  char const * end;
  uint64_t object; /* bit d: depth d is an object, not an array */
  uint32_t depth;
  uint32_t first; /* 1: no member of the innermost object or array has been read */
} sf_json_t;

#define sf_json_is( span, literal ) \
  ( ( span ).n == sizeof( literal ) - 1 && !memcmp( ( span ).p, literal, sizeof( literal ) - 1 ) )

void sf_json_open( sf_json_t * j, char const * text, uint64_t n );

/* sf_json_peek returns the first character of the next value: one of { [ " t f
   n - or 0..9, or 0 if there is none. */
char sf_json_peek( sf_json_t * j );

int sf_json_object( sf_json_t * j );                   /* enters an object */
int sf_json_key( sf_json_t * j, sf_span_t * key );     /* 1: the next key, its value follows; 0: the object has ended */
int sf_json_array( sf_json_t * j );                    /* enters an array */
int sf_json_item( sf_json_t * j );                     /* 1: a value follows; 0: the array has ended */
int sf_json_string( sf_json_t * j, sf_span_t * text ); /* text between the quotes */
int sf_json_u64( sf_json_t * j, uint64_t * value );    /* an unsigned integer that fits */
int sf_json_i64( sf_json_t * j, int64_t * value );
int sf_json_skip( sf_json_t * j ); /* any value, checked */
int sf_json_end( sf_json_t * j );  /* nothing but space is left */

#endif
