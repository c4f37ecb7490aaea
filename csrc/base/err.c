#include "base/err.h"
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char sentence[1024];

int sf_err_set( int code, char const * fmt, ... ) {
  char text[1024]; /* an argument may be the last sentence itself */
  va_list args;
  va_start( args, fmt );
  vsnprintf( text, sizeof( text ), fmt, args );
  va_end( args );
  __builtin_memcpy( sentence, text, sizeof( text ) );
  return code;
}

char const * sf_err_text( void ) { return sentence; }

char const * sf_err_name( int code ) {
  switch( code ) {
  case 0: return "ok";
  case SF_ERR_ARG: return "SF_ERR_ARG";
  case SF_ERR_SYS: return "SF_ERR_SYS";
  case SF_ERR_ABI: return "SF_ERR_ABI";
  case SF_ERR_FULL: return "SF_ERR_FULL";
  case SF_ERR_EMPTY: return "SF_ERR_EMPTY";
  case SF_ERR_OVERRUN: return "SF_ERR_OVERRUN";
  case SF_ERR_NOTFOUND: return "SF_ERR_NOTFOUND";
  case SF_ERR_DATA: return "SF_ERR_DATA";
  case SF_ERR_STATE: return "SF_ERR_STATE";
  case SF_ERR_LIMIT: return "SF_ERR_LIMIT";
  case SF_ERR_CRYPTO: return "SF_ERR_CRYPTO";
  case SF_ERR_IO: return "SF_ERR_IO";
  case SF_ERR_TIMEOUT: return "SF_ERR_TIMEOUT";
  default: return "unknown";
  }
}
