#include "dex/mints.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static uint8_t const nobody[32];

int sf_mints_open( sf_mints_t * mints, uint32_t max ) {
  mints->cnt   = 0;
  mints->max   = max;
  mints->entry = calloc( max, sizeof( *mints->entry ) );
  return mints->entry ? 0 : sf_err_set( SF_ERR_LIMIT, "mints: no memory for %u", max );
}

void sf_mints_close( sf_mints_t * mints ) {
  free( mints->entry );
  mints->entry = 0;
}

int sf_mints_add( sf_mints_t * mints, uint8_t const mint[32], uint8_t const program[32] ) {
  if( mints->cnt == mints->max ) return SF_ERR_FULL;
  sf_mint_entry_t * e = &mints->entry[mints->cnt];
  memcpy( e->mint, mint, 32 );
  memcpy( e->program, program, 32 );
  return (int)mints->cnt++;
}

int sf_mints_program( sf_mints_t * mints, uint32_t index, uint8_t const program[32] ) {
  sf_mint_entry_t * e = &mints->entry[index];
  if( !memcmp( program, nobody, 32 ) || !memcmp( program, e->program, 32 ) ) return 0;
  if( memcmp( e->program, nobody, 32 ) )
    return sf_err_set( SF_ERR_DATA, "mint: it belongs to another token program than a pool says" );
  memcpy( e->program, program, 32 );
  return 0;
}

int sf_mints_take( sf_mints_t * mints, uint32_t index, uint8_t const owner[32], uint8_t const * data, uint32_t len ) {
  sf_mint_entry_t * e = &mints->entry[index];
  uint8_t brief[SF_MINT_BRIEF_MAX];
  sf_mint_t about;
  int err = sf_mint_decode( owner, data, len, &about );
  if( !err ) err = sf_mints_program( mints, index, owner );
  if( err ) {
    e->known = 0;
    return err;
  }
  uint32_t n = sf_mint_brief( data, len, brief );
  int same   = e->known && n == e->brief_len && about.flags == e->about.flags && about.decimals == e->about.decimals &&
             !memcmp( brief + SF_MINT_BYTES, e->brief + SF_MINT_BYTES, n - SF_MINT_BYTES );
  int result   = !same ? SF_MINTS_CHANGED : about.supply != e->about.supply ? SF_MINTS_SUPPLY : 0;
  e->about     = about;
  e->known     = 1;
  e->brief_len = n;
  memcpy( e->brief, brief, n );
  return result;
}
