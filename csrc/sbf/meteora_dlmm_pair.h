/* meteora_dlmm_pair.h: where a pair of Meteora DLMM, its bin arrays and its bitmap extension have what; the
   price of a bin; which bin array is next.

   A pair trades token x for token y in bins, each at one price (y for x in Q64.64); 70 bins are an account.
   Bits say which of these hold anything: those of arrays -512 to 511 are in the pair, others in the extension.

   This and meteora_dlmm_math.h use no system call, so they also compile natively.  Functions return 0 or
   the program's error.

   Sources: MeteoraAg/dlmm-sdk idls/dlmm.json, commons/src/extensions/{lb_pair,bin_array_bitmap}.rs,
   commons/src/math/{price_math,u64x64_math}.rs. */

#ifndef SF_SBF_METEORA_DLMM_PAIR_H
#define SF_SBF_METEORA_DLMM_PAIR_H

#include "sbf/token_fee.h"
#include "sbf/wide.h"

#define DLMM_BPS          10000UL
#define DLMM_ARRAY_BINS   70
#define DLMM_ARRAYS_MAX   16 /* that a swap may name */
#define DLMM_ID_MAX       443636
#define DLMM_DEFAULT_BITS 1024
#define DLMM_FAR_BITS     6144 /* of each side in the extension */

enum {
  DLMM_INVALID_INPUT = 6002,
  DLMM_SLIPPAGE      = 6003,
  DLMM_NO_ARRAY      = 6009, /* not among the accounts */
  DLMM_LIQUIDITY     = 6012,
  DLMM_OVERFLOW      = 6018,
  DLMM_NO_EXTENSION  = 6036,
  DLMM_NOT_MARKED    = 6037,
  DLMM_NO_OUTPUT     = 6039,
  DLMM_DISABLED      = 6042,
  DLMM_UNDETERMINED  = 6085,
};

/* Offsets in a pair's data. */
enum {
  PAIR_BASE_FACTOR      = 8,
  PAIR_FILTER           = 10,
  PAIR_DECAY            = 12,
  PAIR_REDUCTION        = 14,
  PAIR_CONTROL          = 16,
  PAIR_MAX_VOLATILITY   = 20,
  PAIR_PROTOCOL_SHARE   = 32,
  PAIR_BASE_POWER       = 34,
  PAIR_FUNCTION         = 35, /* 0: orders unless there are rewards, 2: orders */
  PAIR_COLLECT          = 36, /* 1: fees in y alone */
  PAIR_VOLATILITY       = 40,
  PAIR_REFERENCE        = 44,
  PAIR_INDEX_REFERENCE  = 48,
  PAIR_LAST_UPDATE      = 56,
  PAIR_BUMP             = 72,
  PAIR_STEP_SEED        = 73,
  PAIR_TYPE             = 75,
  PAIR_ACTIVE           = 76,
  PAIR_STEP             = 80,
  PAIR_STATUS           = 82,
  PAIR_BASE_SEED_NEEDED = 83,
  PAIR_BASE_SEED        = 84,
  PAIR_ACTIVATION_TYPE  = 86,
  PAIR_MINTS            = 88,
  PAIR_RESERVES         = 152,
  PAIR_PROTOCOL_FEES    = 216,
  PAIR_REWARD_MINTS     = 264, /* 144 apart */
  PAIR_ORACLE           = 552,
  PAIR_BITMAP           = 584,
  PAIR_BASE_KEY         = 784,
  PAIR_ACTIVATION       = 816,
  PAIR_SIZE             = 904,
};

/* Offsets in a bin array, in a bin, in the bitmap extension. */
enum {
  ARRAY_INDEX        = 8,
  ARRAY_PAIR         = 24,
  ARRAY_BINS         = 56,
  ARRAY_SIZE         = 10136,
  BIN_SIZE           = 144,
  BIN_AMOUNTS        = 0, /* x, y */
  BIN_PRICE          = 16,
  BIN_SUPPLY         = 32,
  BIN_FULFILLED      = 48, /* orders, x and y */
  BIN_ORDER_FEES     = 64, /* of asks, of bids */
  BIN_FEE_PER_TOKEN  = 80, /* u128 each */
  BIN_OPEN_ORDERS    = 112,
  BIN_PROCESSING     = 120,
  BIN_ORDERS_LEFT    = 128,
  BIN_ORDER_AGE      = 136,
  BIN_ORDERS_ASK     = 140,
  EXTENSION_PAIR     = 8,
  EXTENSION_POSITIVE = 40,
  EXTENSION_NEGATIVE = 808,
  EXTENSION_SIZE     = 1576,
};

enum { DLMM_PERMISSIONLESS, DLMM_PERMISSION, DLMM_CUSTOMIZABLE, DLMM_PERMISSIONLESS_V2 };

#define DLMM_TRY( expr )              \
  do {                                \
    uint64_t dlmm_code = ( expr );    \
    if( dlmm_code ) return dlmm_code; \
  } while( 0 )

#define DLMM_REQUIRE( cond, code ) \
  do {                             \
    if( !( cond ) ) return code;   \
  } while( 0 )

SBF_INLINE uint64_t dlmm_u32( uint8_t const * p ) { return *(sbf_u32_alias_t const *)p; }
SBF_INLINE int64_t dlmm_i32( uint8_t const * p ) { return ( int32_t ) * (sbf_u32_alias_t const *)p; }
SBF_INLINE void dlmm_put_u32( uint8_t * p, uint64_t v ) { *(sbf_u32_alias_t *)p = (uint32_t)v; }

/* dlmm_array_of returns the index of the array that has a bin (the machine does not divide signed). */
SBF_INLINE int64_t dlmm_array_of( int64_t id ) {
  return (int64_t)( (uint64_t)( id + 7000 * DLMM_ARRAY_BINS ) / DLMM_ARRAY_BINS ) - 7000;
}

/* ---- the price of a bin ----------------------------------------------------------------------------- */

/* dlmm_price sets *price to (1 + step/10^4)^id, by the powers of the inverse, and returns false if there is
   none. */
SBF_FUNCTION bool dlmm_price( sbf_u128_t * price, int64_t id, uint64_t step ) {
  sbf_u128_t rest, bps = sbf_u128( DLMM_BPS ), base = { 0, step }, all = { UINT64_MAX, UINT64_MAX }, result = { 0, 1 };
  sbf_u128_div( price, &rest, &base, &bps );
  base = sbf_u128_add( *price, result );
  sbf_u128_div( price, &rest, &all, &base );
  uint64_t square = price->lo; /* below one */
  for( uint64_t n = (uint64_t)( id < 0 ? -id : id ); n; n >>= 1 ) {
    sbf_u128_t product;
    if( n & 1 ) {
      sbf_mul64( &product, result.lo, square );
      result = sbf_u128( result.hi ? square : product.hi );
    }
    sbf_mul64( &product, square, square );
    square = product.hi;
  }
  if( sbf_u128_zero( result ) ) return false;
  *price = result;
  if( id > 0 ) sbf_u128_div( price, &rest, &all, &result );
  return true;
}

/* ---- which array is next ------------------------------------------------------------------------------- */

/* dlmm_bit_up returns the first set bit at `from` or above, or `count`. */
SBF_FUNCTION uint64_t dlmm_bit_up( uint8_t const * words, uint64_t from, uint64_t count ) {
  for( uint64_t bit = from; bit < count; bit = ( bit | 63 ) + 1 ) {
    uint64_t word = sbf_u64( words + bit / 64 * 8 ) >> ( bit & 63 );
    if( !word ) continue;
    for( ; !( word & 1 ); word >>= 1 ) bit++;
    return bit;
  }
  return count;
}

/* dlmm_bit_down returns one more than the first set bit below `from`, or 0. */
SBF_FUNCTION uint64_t dlmm_bit_down( uint8_t const * words, uint64_t from ) {
  for( uint64_t end = from; end; end = ( end - 1 ) & ~63UL ) {
    uint64_t word = sbf_u64( words + ( end - 1 ) / 64 * 8 ) << ( 63 - ( ( end - 1 ) & 63 ) );
    if( !word ) continue;
    for( ; !( word >> 63 ); word <<= 1 ) end--;
    return end;
  }
  return 0;
}

/* dlmm_next_far looks in the extension from `index` away from zero; `up` tells which side. */
SBF_FUNCTION bool dlmm_next_far( int64_t * found, uint8_t const * extension, int64_t index, bool up ) {
  uint8_t const * words = extension + ( up ? EXTENSION_POSITIVE : EXTENSION_NEGATIVE );
  uint64_t from         = (uint64_t)( up ? index - 512 : -513 - index );
  uint64_t bit          = dlmm_bit_up( words, from, DLMM_FAR_BITS );
  *found                = up ? (int64_t)bit + 512 : -513 - (int64_t)bit;
  return bit < DLMM_FAR_BITS;
}

/* dlmm_next_back looks in the extension from `index` towards zero. */
SBF_FUNCTION bool dlmm_next_back( int64_t * found, uint8_t const * extension, int64_t index, bool up ) {
  uint8_t const * words = extension + ( up ? EXTENSION_NEGATIVE : EXTENSION_POSITIVE );
  uint64_t from         = (uint64_t)( up ? -513 - index : index - 512 );
  uint64_t end          = dlmm_bit_down( words, from + 1 );
  *found                = up ? -512 - (int64_t)end : 511 + (int64_t)end;
  return end;
}

SBF_FUNCTION bool dlmm_next_default( int64_t * found, uint8_t const * pair, int64_t index, bool up ) {
  uint64_t from = (uint64_t)( index + 512 );
  if( up ) {
    uint64_t bit = dlmm_bit_up( pair + PAIR_BITMAP, from, DLMM_DEFAULT_BITS );
    *found       = (int64_t)bit - 512;
    return bit < DLMM_DEFAULT_BITS;
  }
  uint64_t end = dlmm_bit_down( pair + PAIR_BITMAP, from + 1 );
  *found       = (int64_t)end - 513;
  return end;
}

/* dlmm_next_array sets *found to the first marked array at `index` or beyond; `extension` may be NULL. */
SBF_FUNCTION uint64_t dlmm_next_array( int64_t * found, uint8_t const * pair, uint8_t const * extension, int64_t index,
                                       bool up ) {
  bool far = index < -512 || index > 511, away = up ? index > 511 : index < -512;
  DLMM_REQUIRE( !far || extension, DLMM_NO_EXTENSION );
  if( far && !away ) {
    if( dlmm_next_back( found, extension, index, up ) ) return 0;
    index = up ? -512 : 511;
  }
  if( !away ) {
    if( dlmm_next_default( found, pair, index, up ) ) return 0;
    index = up ? 512 : -513;
  }
  DLMM_REQUIRE( extension, DLMM_NO_EXTENSION );
  return dlmm_next_far( found, extension, index, up ) ? 0 : DLMM_NOT_MARKED;
}

#endif
