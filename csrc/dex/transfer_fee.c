#include "dex/transfer_fee.h"

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/token.h"

#define FIRST_EXTENSION 166 /* of a mint: type u16, length u16, value */
#define EXTENSION_FEE   1
#define FEE_BYTES       108

/* one of the two fees in the value: epoch from which it is in force, maximum, basis points */
#define FEE_OLDER   72
#define FEE_NEWER   90
#define FEE_MAXIMUM 8
#define FEE_BPS     16

int sf_transfer_fee_decode( uint8_t const program[32], uint8_t const * data, uint32_t len, uint64_t epoch,
                            sf_transfer_fee_t * out ) {
  sf_mint_t mint;
  int err = sf_mint_decode( program, data, len, &mint );
  if( err ) return err;
  out->maximum = 0;
  out->bps     = 0;
  for( uint32_t at = FIRST_EXTENSION; at + 4 <= len; at += 4 + (uint32_t)sf_get_u16( data + at + 2 ) ) {
    uint32_t type = sf_get_u16( data + at ), bytes = sf_get_u16( data + at + 2 );
    if( !type ) break;
    if( type != EXTENSION_FEE ) continue;
    if( bytes != FEE_BYTES )
      return sf_err_set( SF_ERR_DATA, "mint: transfer fee of %u bytes at offset %u, not %u", bytes, at, FEE_BYTES );
    uint8_t const * fee = data + at + 4 + ( epoch >= sf_get_u64( data + at + 4 + FEE_NEWER ) ? FEE_NEWER : FEE_OLDER );
    out->maximum        = sf_get_u64( fee + FEE_MAXIMUM );
    out->bps            = sf_get_u16( fee + FEE_BPS );
    if( out->bps > SF_TRANSFER_FEE_BPS_MAX )
      return sf_err_set( SF_ERR_DATA, "mint: transfer fee of %lu basis points at offset %u", out->bps,
                         (uint32_t)( fee - data ) + FEE_BPS );
  }
  return 0;
}
