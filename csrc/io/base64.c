#include "io/base64.h"
#include "sf_abi.h"
#include <immintrin.h>
#include <string.h>

static char const alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* value of a character; 0x80 = not one */
#define X8 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80
static uint8_t const value_of[256] = { X8, X8, X8, X8, X8, 0x80, 0x80, 0x80, 62,   0x80, 0x80, 0x80, 63,   52,   53, 54,
                                       55, 56, 57, 58, 59, 60,   61,   0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0,  1,
                                       2,  3,  4,  5,  6,  7,    8,    9,    10,   11,   12,   13,   14,   15,   16, 17,
                                       18, 19, 20, 21, 22, 23,   24,   25,   0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 26, 27,
                                       28, 29, 30, 31, 32, 33,   34,   35,   36,   37,   38,   39,   40,   41,   42, 43,
                                       44, 45, 46, 47, 48, 49,   50,   51,   0x80, 0x80, 0x80, 0x80, 0x80, X8,   X8, X8,
                                       X8, X8, X8, X8, X8, X8,   X8,   X8,   X8,   X8,   X8,   X8,   X8 };

uint64_t sf_base64_encode( char * out, void const * bytes, uint64_t n ) {
  uint8_t const * p = bytes;
  char * o          = out;
  for( ; n >= 3; n -= 3, p += 3 ) {
    uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    *o++       = alphabet[v >> 18];
    *o++       = alphabet[v >> 12 & 63];
    *o++       = alphabet[v >> 6 & 63];
    *o++       = alphabet[v & 63];
  }
  if( n ) {
    uint32_t v = (uint32_t)p[0] << 16 | ( n == 2 ? (uint32_t)p[1] << 8 : 0 );
    *o++       = alphabet[v >> 18];
    *o++       = alphabet[v >> 12 & 63];
    *o++       = n == 2 ? alphabet[v >> 6 & 63] : '=';
    *o++       = '=';
  }
  return (uint64_t)( o - out );
}

/* decode_avx2 decodes as many groups of 32 characters as it can and returns how
   many characters that were; it stops at a character that is not in the
   alphabet and leaves the judgement to the plain loop.  Method: Mula and Lemire,
   "Faster Base64 Encoding and Decoding Using AVX2 Instructions", 2018. */
__attribute__( ( target( "avx2" ) ) ) static uint64_t decode_avx2( uint8_t * out, uint64_t out_max, char const * text,
                                                                   uint64_t n ) {
  __m256i const low = _mm256_broadcastsi128_si256(
      _mm_setr_epi8( 0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A ) );
  __m256i const high = _mm256_broadcastsi128_si256(
      _mm_setr_epi8( 0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10 ) );
  __m256i const roll =
      _mm256_broadcastsi128_si256( _mm_setr_epi8( 0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0 ) );
  __m256i const pack =
      _mm256_broadcastsi128_si256( _mm_setr_epi8( 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1 ) );
  __m256i const slash = _mm256_set1_epi8( 0x2f );
  uint64_t done       = 0;
  while( n - done >= 32 && out_max >= 32 ) {
    __m256i text_v = _mm256_loadu_si256( (__m256i const *)( text + done ) );
    __m256i hi_nib = _mm256_and_si256( _mm256_srli_epi32( text_v, 4 ), slash );
    __m256i lo_nib = _mm256_and_si256( text_v, slash );
    if( !_mm256_testz_si256( _mm256_shuffle_epi8( low, lo_nib ), _mm256_shuffle_epi8( high, hi_nib ) ) ) break;
    __m256i shift  = _mm256_shuffle_epi8( roll, _mm256_add_epi8( _mm256_cmpeq_epi8( text_v, slash ), hi_nib ) );
    __m256i value  = _mm256_add_epi8( text_v, shift );
    __m256i pairs  = _mm256_maddubs_epi16( value, _mm256_set1_epi32( 0x01400140 ) );
    __m256i quads  = _mm256_madd_epi16( pairs, _mm256_set1_epi32( 0x00011000 ) );
    __m256i packed = _mm256_shuffle_epi8( quads, pack );
    packed         = _mm256_permutevar8x32_epi32( packed, _mm256_setr_epi32( 0, 1, 2, 4, 5, 6, 7, 7 ) );
    _mm256_storeu_si256( (__m256i *)out, packed );
    done += 32;
    out += 24;
    out_max -= 24;
  }
  return done;
}

int64_t sf_base64_decode( uint8_t * out, uint64_t out_max, char const * text, uint64_t n ) {
  if( n % 4 ) return SF_ERR_DATA;
  if( !n ) return 0;
  uint64_t pad   = text[n - 1] != '=' ? 0 : text[n - 2] != '=' ? 1 : 2;
  uint64_t bytes = n / 4 * 3 - pad;
  if( bytes > out_max ) return SF_ERR_FULL;

  uint64_t whole    = pad ? n - 4 : n; /* characters without the padded group */
  uint64_t i        = __builtin_cpu_supports( "avx2" ) ? decode_avx2( out, out_max, text, whole ) : 0;
  uint8_t * o       = out + i / 4 * 3;
  uint8_t const * p = (uint8_t const *)text;
  for( ; i < whole; i += 4, o += 3 ) {
    uint32_t a = value_of[p[i]], b = value_of[p[i + 1]], c = value_of[p[i + 2]], d = value_of[p[i + 3]];
    if( ( a | b | c | d ) & 0x80 ) return SF_ERR_DATA;
    o[0] = (uint8_t)( a << 2 | b >> 4 );
    o[1] = (uint8_t)( b << 4 | c >> 2 );
    o[2] = (uint8_t)( c << 6 | d );
  }
  if( pad ) {
    uint32_t a = value_of[p[i]], b = value_of[p[i + 1]], c = pad == 1 ? value_of[p[i + 2]] : 0;
    if( ( a | b | c ) & 0x80 ) return SF_ERR_DATA;
    if( pad == 2 ? b & 15 : c & 3 ) return SF_ERR_DATA;
    *o++ = (uint8_t)( a << 2 | b >> 4 );
    if( pad == 1 ) *o = (uint8_t)( b << 4 | c >> 2 );
  }
  return (int64_t)bytes;
}
