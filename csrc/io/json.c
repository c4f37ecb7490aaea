#include "io/json.h"
#include "sf_abi.h"
#include <emmintrin.h>

void sf_json_open( sf_json_t * j, char const * text, uint64_t n ) {
  *j = ( sf_json_t ){ .begin = text, .p = text, .end = text + n };
}

static inline void skip_space( sf_json_t * j ) {
  while( j->p < j->end && ( *j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t' ) ) j->p++;
}

char sf_json_peek( sf_json_t * j ) {
  skip_space( j );
  return j->p < j->end ? *j->p : 0;
}

static inline int enter( sf_json_t * j, char c, uint64_t object ) {
  if( sf_json_peek( j ) != c || j->depth == SF_JSON_DEPTH ) return SF_ERR_DATA;
  j->p++;
  j->object = ( j->object & ~( 1ul << j->depth ) ) | object << j->depth;
  j->depth++;
  j->first = 1;
  return 0;
}

int sf_json_object( sf_json_t * j ) { return enter( j, '{', 1 ); }
int sf_json_array( sf_json_t * j ) { return enter( j, '[', 0 ); }

/* member steps to the next member of the innermost object or array.  Returns 1,
   or 0 after its end, or SF_ERR_DATA. */
static inline int member( sf_json_t * j, char close, uint64_t object ) {
  if( !j->depth || ( j->object >> ( j->depth - 1 ) & 1 ) != object ) return SF_ERR_DATA;
  char c = sf_json_peek( j );
  if( c == close ) {
    j->p++;
    j->depth--;
    j->first = 0;
    return 0;
  }
  if( !j->first ) {
    if( c != ',' ) return SF_ERR_DATA;
    j->p++;
  }
  j->first = 0;
  return 1;
}

int sf_json_key( sf_json_t * j, sf_span_t * key ) {
  int more = member( j, '}', 1 );
  if( more != 1 ) return more;
  if( sf_json_string( j, key ) ) return SF_ERR_DATA;
  if( sf_json_peek( j ) != ':' ) return SF_ERR_DATA;
  j->p++;
  return 1;
}

int sf_json_item( sf_json_t * j ) { return member( j, ']', 0 ); }

static inline int is_hex( char c ) { return ( c >= '0' && c <= '9' ) || ( ( c | 32 ) >= 'a' && ( c | 32 ) <= 'f' ); }

/* plain_run steps p over characters that need no look: neither quote, backslash
   nor control. */
static inline char const * plain_run( char const * p, char const * end ) {
  __m128i const quote = _mm_set1_epi8( '"' ), back = _mm_set1_epi8( '\\' ), last_control = _mm_set1_epi8( 0x1f );
  while( end - p >= 16 ) {
    __m128i v   = _mm_loadu_si128( (__m128i const *)p );
    __m128i bad = _mm_or_si128( _mm_or_si128( _mm_cmpeq_epi8( v, quote ), _mm_cmpeq_epi8( v, back ) ),
                                _mm_cmpeq_epi8( _mm_max_epu8( v, last_control ), last_control ) );
    int mask    = _mm_movemask_epi8( bad );
    if( mask ) return p + __builtin_ctz( (unsigned)mask );
    p += 16;
  }
  while( p < end && *p != '"' && *p != '\\' && (uint8_t)*p >= 0x20 ) p++;
  return p;
}

int sf_json_string( sf_json_t * j, sf_span_t * text ) {
  if( sf_json_peek( j ) != '"' ) return SF_ERR_DATA;
  char const * begin = ++j->p;
  for( ;; ) {
    j->p = plain_run( j->p, j->end );
    if( j->p >= j->end ) return SF_ERR_DATA;
    if( *j->p == '"' ) break;
    if( *j->p != '\\' || j->end - j->p < 2 ) return SF_ERR_DATA;
    char c = j->p[1];
    if( c == 'u' ) {
      if( j->end - j->p < 6 || !is_hex( j->p[2] ) || !is_hex( j->p[3] ) || !is_hex( j->p[4] ) || !is_hex( j->p[5] ) )
        return SF_ERR_DATA;
      j->p += 6;
    } else {
      if( !c || !strchr( "\"\\/bfnrt", c ) ) return SF_ERR_DATA;
      j->p += 2;
    }
  }
  *text = ( sf_span_t ){ begin, (uint64_t)( j->p - begin ) };
  j->p++;
  return 0;
}

static inline int is_digit( char c ) { return c >= '0' && c <= '9'; }

int sf_json_u64( sf_json_t * j, uint64_t * value ) {
  char c = sf_json_peek( j );
  if( !is_digit( c ) ) return SF_ERR_DATA;
  char const * begin = j->p;
  uint64_t v         = 0;
  do {
    uint64_t digit = (uint64_t)( *j->p - '0' );
    if( __builtin_mul_overflow( v, 10ul, &v ) || __builtin_add_overflow( v, digit, &v ) ) return SF_ERR_DATA;
    j->p++;
  } while( j->p < j->end && is_digit( *j->p ) );
  if( *begin == '0' && j->p - begin > 1 ) return SF_ERR_DATA;
  if( j->p < j->end && ( *j->p == '.' || ( *j->p | 32 ) == 'e' ) ) return SF_ERR_DATA;
  *value = v;
  return 0;
}

int sf_json_i64( sf_json_t * j, int64_t * value ) {
  uint64_t negative = sf_json_peek( j ) == '-', v;
  if( negative ) {
    j->p++;
    if( j->p >= j->end || !is_digit( *j->p ) ) return SF_ERR_DATA;
  }
  if( sf_json_u64( j, &v ) || v > (uint64_t)INT64_MAX + negative ) return SF_ERR_DATA;
  *value = (int64_t)( negative ? 0 - v : v );
  return 0;
}

static int skip_digits( sf_json_t * j ) {
  if( j->p >= j->end || !is_digit( *j->p ) ) return SF_ERR_DATA;
  while( j->p < j->end && is_digit( *j->p ) ) j->p++;
  return 0;
}

static int skip_number( sf_json_t * j ) {
  if( *j->p == '-' ) j->p++;
  if( j->p < j->end && *j->p == '0' ) j->p++;
  else if( skip_digits( j ) ) return SF_ERR_DATA;
  if( j->p < j->end && is_digit( *j->p ) ) return SF_ERR_DATA;
  if( j->p < j->end && *j->p == '.' ) {
    j->p++;
    if( skip_digits( j ) ) return SF_ERR_DATA;
  }
  if( j->p < j->end && ( *j->p | 32 ) == 'e' ) {
    j->p++;
    if( j->p < j->end && ( *j->p == '+' || *j->p == '-' ) ) j->p++;
    if( skip_digits( j ) ) return SF_ERR_DATA;
  }
  return 0;
}

static int skip_literal( sf_json_t * j, char const * word ) {
  uint64_t n = strlen( word );
  if( (uint64_t)( j->end - j->p ) < n || memcmp( j->p, word, n ) ) return SF_ERR_DATA;
  j->p += n;
  return 0;
}

/* skip_scalar skips a value that has no members. */
static int skip_scalar( sf_json_t * j, char c ) {
  sf_span_t text;
  switch( c ) {
  case '"': return sf_json_string( j, &text );
  case 't': return skip_literal( j, "true" );
  case 'f': return skip_literal( j, "false" );
  case 'n': return skip_literal( j, "null" );
  default: return c == '-' || is_digit( c ) ? skip_number( j ) : SF_ERR_DATA;
  }
}

int sf_json_skip( sf_json_t * j ) {
  uint32_t outer = j->depth;
  do {
    int more = 1;
    if( j->depth > outer ) {
      sf_span_t key;
      more = j->object >> ( j->depth - 1 ) & 1 ? sf_json_key( j, &key ) : sf_json_item( j );
      if( more < 0 ) return more;
    }
    if( !more ) continue;
    char c  = sf_json_peek( j );
    int err = c == '{' ? sf_json_object( j ) : c == '[' ? sf_json_array( j ) : skip_scalar( j, c );
    if( err ) return err;
  } while( j->depth > outer );
  return 0;
}

int sf_json_end( sf_json_t * j ) { return sf_json_peek( j ) || j->p < j->end || j->depth ? SF_ERR_DATA : 0; }
