/* The tile table: one line per tile that is written in C.

   The references are weak, so that a program can link a part of the tiles only;
   a tile that is not linked in is not found. */

#include "base/err.h"
#include "tile/tile.h"
#include <string.h>

#define TILES( X ) \
  X( feed )        \
  X( book )        \
  X( arb )         \
  X( risk )        \
  X( build )       \
  X( sign )        \
  X( send )        \
  X( journal )     \
  X( replay )

#define DECLARE( kind ) extern sf_tile_ops_t const sf_tile_##kind __attribute__( ( weak ) );
#define LIST( kind )    &sf_tile_##kind,

TILES( DECLARE )

static sf_tile_ops_t const * const table[] = { TILES( LIST ) };

sf_tile_ops_t const * sf_tile_find( char const * kind ) {
  for( uint64_t i = 0; i < sizeof( table ) / sizeof( table[0] ); i++ ) {
    if( table[i] && !strcmp( table[i]->kind, kind ) ) return table[i];
  }
  sf_err_set( SF_ERR_NOTFOUND, "there is no tile of kind %s in this build", kind );
  return 0;
}
