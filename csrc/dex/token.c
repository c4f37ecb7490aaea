#include "dex/token.h"

#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "sf_abi.h"
#include "solana/program.h"

#define OFF_KIND       165 /* of an account with extensions */
#define OFF_EXTENSION  166
#define KIND_MINT      1
#define KIND_ACCOUNT   2
#define MULTISIG_BYTES 355 /* a length that is neither */

#define ACCOUNT_MINT   0
#define ACCOUNT_OWNER  32
#define ACCOUNT_AMOUNT 64
#define ACCOUNT_STATE  108

#define MINT_SUPPLY      36
#define MINT_DECIMALS    44
#define MINT_INITIALIZED 45

#define EXTENSION_NONE             0
#define EXTENSION_TRANSFER_FEE     1
#define EXTENSION_METADATA_POINTER 18
#define EXTENSION_METADATA         19

#define TRANSFER_FEE_BYTES 108
#define TRANSFER_FEE_OLDER 88  /* basis points, u16, until the newer one's epoch */
#define TRANSFER_FEE_NEWER 106 /* basis points, u16 */

static int program_is_2022( uint8_t const program[32] ) { return !memcmp( program, sf_program_token_2022, 32 ); }

int sf_token_program_known( uint8_t const program[32] ) {
  return !memcmp( program, sf_program_token, 32 ) || program_is_2022( program );
}

/* Length and kind byte of an account of either program; `bytes` is the length without extensions. */
static int layout_check( char const * what, uint8_t const program[32], uint8_t const * data, uint32_t len,
                         uint32_t bytes, uint8_t kind ) {
  if( !sf_token_program_known( program ) )
    return sf_err_set( SF_ERR_DATA, "%s: its owner is not a token program", what );
  if( len == bytes ) return 0;
  if( !program_is_2022( program ) || len < OFF_EXTENSION || len == MULTISIG_BYTES )
    return sf_err_set( SF_ERR_DATA, "%s: %u bytes, not %u", what, len, bytes );
  if( data[OFF_KIND] != kind )
    return sf_err_set( SF_ERR_DATA, "%s: kind %u at offset %u is not %u", what, data[OFF_KIND], OFF_KIND, kind );
  return 0;
}

int sf_token_account_decode( uint8_t const program[32], uint8_t const * data, uint32_t len, sf_token_account_t * out ) {
  int err = layout_check( "token account", program, data, len, SF_TOKEN_ACCOUNT_BYTES, KIND_ACCOUNT );
  if( err ) return err;
  uint8_t state = data[ACCOUNT_STATE];
  if( state != 1 && state != 2 )
    return sf_err_set( SF_ERR_DATA, "token account: state %u at offset %u is not initialized or frozen", state,
                       ACCOUNT_STATE );
  out->mint   = data + ACCOUNT_MINT;
  out->owner  = data + ACCOUNT_OWNER;
  out->amount = sf_get_u64( data + ACCOUNT_AMOUNT );
  return 0;
}

static uint32_t extension_flags( uint32_t type, uint8_t const * value, uint32_t len ) {
  switch( type ) {
  case EXTENSION_METADATA_POINTER:
  case EXTENSION_METADATA: return 0;
  case EXTENSION_TRANSFER_FEE:
    if( len != TRANSFER_FEE_BYTES ) return SF_MINT_UNKNOWN;
    return sf_get_u16( value + TRANSFER_FEE_OLDER ) || sf_get_u16( value + TRANSFER_FEE_NEWER ) ? SF_MINT_TRANSFER_FEE
                                                                                                : 0;
  default: return SF_MINT_UNKNOWN;
  }
}

int sf_mint_decode( uint8_t const program[32], uint8_t const * data, uint32_t len, sf_mint_t * out ) {
  int err = layout_check( "mint", program, data, len, SF_MINT_BYTES, KIND_MINT );
  if( err ) return err;
  if( data[MINT_INITIALIZED] != 1 )
    return sf_err_set( SF_ERR_DATA, "mint: %u at offset %u, not initialized", data[MINT_INITIALIZED],
                       MINT_INITIALIZED );
  out->supply   = sf_get_u64( data + MINT_SUPPLY );
  out->decimals = data[MINT_DECIMALS];
  out->flags    = 0;
  for( uint32_t at = OFF_EXTENSION; at + 4 <= len; ) {
    uint32_t type  = sf_get_u16( data + at );
    uint32_t bytes = sf_get_u16( data + at + 2 );
    if( type == EXTENSION_NONE ) break;
    if( bytes > len - at - 4 )
      return sf_err_set( SF_ERR_DATA, "mint: extension of %u bytes at offset %u leaves the account's %u", bytes, at,
                         len );
    out->flags |= extension_flags( type, data + at + 4, bytes );
    at += 4 + bytes;
  }
  return 0;
}

uint32_t sf_mint_brief( uint8_t const * data, uint32_t len, uint8_t out[SF_MINT_BRIEF_MAX] ) {
  uint32_t n = len < OFF_EXTENSION ? len : OFF_EXTENSION;
  memcpy( out, data, n );
  for( uint32_t at = OFF_EXTENSION; at + 4 <= len; ) {
    uint32_t type = sf_get_u16( data + at ), bytes = sf_get_u16( data + at + 2 );
    if( type == EXTENSION_NONE ) break;
    if( type == EXTENSION_TRANSFER_FEE && bytes == TRANSFER_FEE_BYTES && n == OFF_EXTENSION ) {
      memcpy( out + n, data + at, 4 + TRANSFER_FEE_BYTES );
      n += 4 + TRANSFER_FEE_BYTES;
    }
    at += 4 + bytes;
  }
  return n;
}
