/* base64.h: base64 of RFC 4648 with padding, strict in both directions. */

#ifndef SF_IO_BASE64_H
#define SF_IO_BASE64_H
#include <stdint.h>

#define SF_BASE64_CHARS( n ) ( ( ( n ) + 2 ) / 3 * 4 ) /* characters that n bytes become */

/* sf_base64_encode writes SF_BASE64_CHARS( n ) characters to out, no zero
   behind them, and returns their number. */
uint64_t sf_base64_encode( char * out, void const * bytes, uint64_t n );

/* sf_base64_decode writes the bytes that n characters stand for to out and
   returns their number.  Fails, silently because it is hot: SF_ERR_DATA for a
   wrong character, length, padding or a set bit in the last character's unused
   ones; SF_ERR_FULL if they are more than out_max.  out may have been written to
   in part.  Cost: about 60 ns for 850 bytes with AVX2. */
int64_t sf_base64_decode( uint8_t * out, uint64_t out_max, char const * text, uint64_t n );

#endif
