/* err.h: how the core says what went wrong.

   A function returns 0 (or a count) or a negative SF_ERR_* (sf_abi.h).  Cold
   code also leaves a sentence for the calling thread: what failed, which one,
   and what to do.  Hot code returns bare codes. */

#ifndef SF_BASE_ERR_H
#define SF_BASE_ERR_H
#include "sf_abi.h"

/* sf_err_set keeps the printf-formatted sentence for this thread and returns
   code, so that a function can end with `return sf_err_set( ... )`.  `%m` in
   fmt is the text of errno.  A sentence longer than 1023 bytes is cut. */
int sf_err_set( int code, char const * fmt, ... ) __attribute__( ( format( printf, 2, 3 ) ) );

/* sf_err_text returns the last sentence of this thread, "" if there is none.
   Valid until the next sf_err_set of this thread. */
char const * sf_err_text( void );

/* sf_err_name returns the name of a code, "SF_ERR_ARG" for SF_ERR_ARG. */
char const * sf_err_name( int code );

#endif
