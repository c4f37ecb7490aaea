#include "dex/meteora_dlmm.h"

#include "base/err.h"
#include "dex/bytes.h"

uint8_t const sf_meteora_dlmm_program[32] = SF_METEORA_DLMM_PROGRAM;

static uint8_t const pair_name[8]   = { 0x21, 0x0b, 0x31, 0x62, 0xb5, 0x65, 0xb1, 0x0d };
static uint8_t const array_name[8]  = { 0x5c, 0x8e, 0x5c, 0xdc, 0x05, 0x94, 0x46, 0xb5 };
static uint8_t const bitmap_name[8] = { 0x50, 0x6f, 0x7c, 0x71, 0x37, 0xed, 0x12, 0x05 };

#define PAIR_BASE_FACTOR   8
#define PAIR_FILTER        10
#define PAIR_DECAY         12
#define PAIR_REDUCTION     14
#define PAIR_CONTROL       16
#define PAIR_VOLATILITY    20 /* maximum */
#define PAIR_PROTOCOL      32
#define PAIR_POWER         34
#define PAIR_FUNCTION      35
#define PAIR_FEE_MODE      36
#define PAIR_ACCUMULATOR   40
#define PAIR_REFERENCE     44
#define PAIR_INDEX         48
#define PAIR_UPDATED       56
#define PAIR_TYPE          75
#define PAIR_ACTIVE        76
#define PAIR_STEP          80
#define PAIR_STATUS        82
#define PAIR_ACTIVATION    86
#define PAIR_MINTS         88
#define PAIR_RESERVES      152
#define PAIR_REWARDS       264 /* mint of the first; of the second 144 further */
#define PAIR_ORACLE        552
#define PAIR_BITMAP        584
#define PAIR_POINT         816
#define PAIR_TOKEN_PROGRAM 880

#define REWARD_BYTES 144

#define ARRAY_INDEX   8
#define ARRAY_VERSION 16
#define ARRAY_PAIR    24
#define ARRAY_BINS    56
#define BIN_BYTES     144
#define BIN_PRICE     16
#define BIN_OPEN      112
#define BIN_LEFT      128
#define BIN_ASK       140

#define BITMAP_PAIR     8
#define BITMAP_POSITIVE 40
#define BITMAP_NEGATIVE 808

#define VERSION_MAX     2
#define STEP_MAX        400 /* basis points */
#define POWER_MAX       9
#define RATE_MAX        100000000U /* per 10^9 */
#define BPS             10000U
#define TYPE_PERMISSION 1
#define TYPE_CUSTOM     2
#define FUNCTION_ANY    0 /* undetermined: orders unless there are rewards */
#define FUNCTION_ORDERS 2
#define WORD_INNER      96  /* of the pair's own bitmap */
#define WORD_POSITIVE   112 /* of the extension's */
#define INDEX_FIRST     ( -6656 )
#define INDEX_INNER     512 /* the pair's own is -512 to 511 */

void sf_meteora_dlmm_clear( sf_meteora_dlmm_work_t * w, uint8_t const pubkey[32] ) {
  memset( w, 0, sizeof( *w ) );
  memcpy( w->head.pubkey, pubkey, 32 );
  w->head.newest     = 1;
  w->head.reserve[0] = w->head.reserve[1] = UINT64_MAX;
}

static uint32_t get_u32( uint8_t const * p ) {
  uint32_t v;
  memcpy( &v, p, sizeof( v ) );
  return v;
}

static int check( char const * what, uint8_t const * data, uint32_t len, uint32_t bytes, uint8_t const name[8] ) {
  if( len != bytes ) return sf_err_set( SF_ERR_DATA, "%s: %u bytes, not %u", what, len, bytes );
  if( memcmp( data, name, 8 ) )
    return sf_err_set( SF_ERR_DATA, "%s: discriminator at offset 0 is of another kind", what );
  return 0;
}

static int byte_check( uint8_t const * data, uint32_t at, uint32_t max, char const * what ) {
  if( data[at] <= max ) return 0;
  return sf_err_set( SF_ERR_DATA, "pair: %s %u at offset %u, above %u", what, data[at], at, max );
}

/* The array of bits in the state starts at array INDEX_FIRST. */
static int marked( uint64_t const * bitmap, int32_t index ) {
  uint32_t at = (uint32_t)( index - INDEX_FIRST );
  return (int)( bitmap[at / 64] >> at % 64 & 1 );
}

static int empty_key( uint8_t const key[32] ) {
  uint8_t any = 0;
  for( int i = 0; i < 32; i++ ) any |= key[i];
  return !any;
}

static int pair_check( uint8_t const * data, uint32_t len ) {
  int err = check( "pair", data, len, SF_DLMM_PAIR_BYTES, pair_name );
  if( err ) return err;
  static struct {
    uint32_t at, max;
    char const * what;
  } const bytes[] = {
    { PAIR_POWER, POWER_MAX, "base-fee power" },
    { PAIR_FUNCTION, 2, "function type" },
    { PAIR_FEE_MODE, 1, "collect-fee mode" },
    { PAIR_TYPE, 3, "type" },
    { PAIR_STATUS, 1, "status" },
    { PAIR_ACTIVATION, 1, "activation type" },
    { PAIR_TOKEN_PROGRAM, 1, "token program" },
    { PAIR_TOKEN_PROGRAM + 1, 1, "token program" },
  };
  for( uint32_t i = 0; i < sizeof( bytes ) / sizeof( bytes[0] ); i++ )
    if( ( err = byte_check( data, bytes[i].at, bytes[i].max, bytes[i].what ) ) ) return err;
  uint32_t step = sf_get_u16( data + PAIR_STEP ), share = sf_get_u16( data + PAIR_PROTOCOL );
  if( !step || step > STEP_MAX )
    return sf_err_set( SF_ERR_DATA, "pair: bin step %u at offset %u, not 1 to %u", step, PAIR_STEP, STEP_MAX );
  if( share > BPS ) return sf_err_set( SF_ERR_DATA, "pair: protocol share %u at offset %u", share, PAIR_PROTOCOL );
  int32_t active = (int32_t)get_u32( data + PAIR_ACTIVE );
  if( active < -SF_DLMM_ID_MAX || active > SF_DLMM_ID_MAX || !sf_meteora_dlmm_price( active, step ) )
    return sf_err_set( SF_ERR_DATA, "pair: no bin %d at offset %u", active, PAIR_ACTIVE );
  return 0;
}

int sf_meteora_dlmm_pair_decode( uint8_t const * data, uint32_t len, sf_meteora_dlmm_work_t * w ) {
  sf_meteora_dlmm_state_t * s = &w->head;
  int err                     = pair_check( data, len );
  if( err ) return err;
  uint16_t step = sf_get_u16( data + PAIR_STEP );
  if( w->known && s->bin_step != step )
    return sf_err_set( SF_ERR_DATA, "pair: bin step %u at offset %u was %u", step, PAIR_STEP, s->bin_step );
  if( w->known && ( memcmp( s->mint, data + PAIR_MINTS, 64 ) || memcmp( s->reserve_key, data + PAIR_RESERVES, 64 ) ||
                    memcmp( s->token_2022, data + PAIR_TOKEN_PROGRAM, 2 ) ) )
    return sf_err_set( SF_ERR_DATA, "pair: what it is made of changed (offset %u)", PAIR_MINTS );
  memcpy( s->mint, data + PAIR_MINTS, 64 );
  memcpy( s->reserve_key, data + PAIR_RESERVES, 64 );
  memcpy( s->oracle, data + PAIR_ORACLE, 32 );
  memcpy( s->token_2022, data + PAIR_TOKEN_PROGRAM, 2 );
  uint64_t rate = (uint64_t)sf_get_u16( data + PAIR_BASE_FACTOR ) * step * 10;
  for( uint8_t power = data[PAIR_POWER]; power && rate < RATE_MAX; power-- ) rate *= 10;
  s->base_rate            = rate < RATE_MAX ? (uint32_t)rate : RATE_MAX;
  s->filter_period        = sf_get_u16( data + PAIR_FILTER );
  s->decay_period         = sf_get_u16( data + PAIR_DECAY );
  s->reduction_factor     = sf_get_u16( data + PAIR_REDUCTION );
  s->variable_fee_control = get_u32( data + PAIR_CONTROL );
  s->accumulator_max      = get_u32( data + PAIR_VOLATILITY );
  s->accumulator          = get_u32( data + PAIR_ACCUMULATOR );
  s->volatility_reference = get_u32( data + PAIR_REFERENCE );
  s->index_reference      = (int32_t)get_u32( data + PAIR_INDEX );
  s->last_update          = (int64_t)sf_get_u64( data + PAIR_UPDATED );
  s->protocol_bps         = sf_get_u16( data + PAIR_PROTOCOL );
  s->active               = (int32_t)get_u32( data + PAIR_ACTIVE );
  s->bin_step             = step;
  s->enabled              = !data[PAIR_STATUS];
  uint8_t type            = data[PAIR_TYPE];
  s->activation           = type == TYPE_PERMISSION || type == TYPE_CUSTOM ? (uint8_t)( 1 + data[PAIR_ACTIVATION] ) : 0;
  s->activation_point     = sf_get_u64( data + PAIR_POINT );
  int rewards             = !empty_key( data + PAIR_REWARDS ) || !empty_key( data + PAIR_REWARDS + REWARD_BYTES );
  s->limit_orders = data[PAIR_FUNCTION] == FUNCTION_ORDERS || ( data[PAIR_FUNCTION] == FUNCTION_ANY && !rewards );
  s->fee_on_y     = data[PAIR_FEE_MODE];
  for( uint32_t i = 0; i < 16; i++ ) w->bitmap[WORD_INNER + i] = sf_get_u64( data + PAIR_BITMAP + 8 * i );
  if( !w->known ) w->priced = s->active;
  w->known     = 1;
  w->pair_slot = w->slot;
  w->updates++;
  return 0;
}

static int bin_decode( sf_meteora_dlmm_state_t const * s, int32_t id, uint8_t const * bin, uint32_t at,
                       sf_dlmm_bin_t * out ) {
  sf_u128_t stored;
  memcpy( &stored, bin + BIN_PRICE, sizeof( stored ) );
  int outside     = id < -SF_DLMM_ID_MAX || id > SF_DLMM_ID_MAX;
  sf_u128_t price = outside ? 0 : sf_meteora_dlmm_price( id, s->bin_step );
  if( stored && stored != price )
    return sf_err_set( SF_ERR_DATA, "bin array: price of bin %d at offset %u is not its id's", id, at + BIN_PRICE );
  if( !price && ( sf_get_u64( bin ) || sf_get_u64( bin + 8 ) ) )
    return sf_err_set( SF_ERR_DATA, "bin array: bin %d at offset %u has liquidity but no price", id, at );
  *out = ( sf_dlmm_bin_t ){ .price      = price,
                            .amount     = { sf_get_u64( bin ), sf_get_u64( bin + 8 ) },
                            .open_order = sf_get_u64( bin + BIN_OPEN ),
                            .order_left = sf_get_u64( bin + BIN_LEFT ),
                            .order_side = !bin[BIN_ASK] };
  return 0;
}

static uint32_t distance( int32_t a, int32_t b ) { return a < b ? (uint32_t)( b - a ) : (uint32_t)( a - b ); }

/* Where an array is to go: its own place, a new one, that of the one farthest from the active bin; or -1. */
static int place( sf_meteora_dlmm_work_t const * w, int32_t index ) {
  int32_t here = sf_meteora_dlmm_array_of( w->head.active );
  uint32_t far = 0;
  for( uint32_t k = 0; k < w->array_cnt; k++ ) {
    if( w->array[k].index == index ) return (int)k;
    if( distance( w->array[k].index, here ) > distance( w->array[far].index, here ) ) far = k;
  }
  if( w->array_cnt < SF_DLMM_ARRAYS_MAX ) return (int)w->array_cnt;
  return distance( index, here ) < distance( w->array[far].index, here ) ? (int)far : -1;
}

int sf_meteora_dlmm_array_decode( uint8_t const * data, uint32_t len, sf_meteora_dlmm_work_t * w ) {
  int err = check( "bin array", data, len, SF_DLMM_ARRAY_BYTES, array_name );
  if( err ) return err;
  if( !w->known ) return sf_err_set( SF_ERR_DATA, "bin array: its pair is not decoded yet" );
  if( memcmp( data + ARRAY_PAIR, w->head.pubkey, 32 ) )
    return sf_err_set( SF_ERR_DATA, "bin array: it is another pair's (offset %u)", ARRAY_PAIR );
  if( data[ARRAY_VERSION] > VERSION_MAX )
    return sf_err_set( SF_ERR_DATA, "bin array: version %u at offset %u", data[ARRAY_VERSION], ARRAY_VERSION );
  int64_t index = (int64_t)sf_get_u64( data + ARRAY_INDEX );
  if( index < sf_meteora_dlmm_array_of( -SF_DLMM_ID_MAX ) || index > sf_meteora_dlmm_array_of( SF_DLMM_ID_MAX ) )
    return sf_err_set( SF_ERR_DATA, "bin array: index %ld at offset %u", index, ARRAY_INDEX );
  int32_t first = (int32_t)index * SF_DLMM_ARRAY_BINS;
  sf_dlmm_array_t array;
  for( uint32_t i = 0; i < SF_DLMM_ARRAY_BINS; i++ ) {
    uint32_t at = ARRAY_BINS + i * BIN_BYTES;
    if( ( err = bin_decode( &w->head, first + (int32_t)i, data + at, at, &array.bin[i] ) ) ) return err;
  }
  int k = place( w, (int32_t)index );
  if( k < 0 ) return 0;
  int again     = (uint32_t)k < w->array_cnt && w->array[k].index == index;
  array.index   = (int32_t)index;
  array.updates = again ? w->array[k].updates + 1 : 0; /* one that is new has not changed */
  array.slot    = w->slot;
  if( (uint32_t)k == w->array_cnt ) w->array_cnt++;
  w->array[k] = array;
  return 0;
}

static uint64_t reversed( uint64_t v ) {
  uint64_t r = 0;
  for( int i = 0; i < 64; i++ ) r |= ( v >> i & 1 ) << ( 63 - i );
  return r;
}

int sf_meteora_dlmm_bitmap_decode( uint8_t const * data, uint32_t len, sf_meteora_dlmm_work_t * w ) {
  int err = check( "bitmap extension", data, len, SF_DLMM_BITMAP_BYTES, bitmap_name );
  if( err ) return err;
  if( memcmp( data + BITMAP_PAIR, w->head.pubkey, 32 ) )
    return sf_err_set( SF_ERR_DATA, "bitmap extension: it is another pair's (offset %u)", BITMAP_PAIR );
  for( uint32_t i = 0; i < WORD_INNER; i++ ) {
    w->bitmap[WORD_POSITIVE + i]  = sf_get_u64( data + BITMAP_POSITIVE + 8 * i );
    w->bitmap[WORD_INNER - 1 - i] = reversed( sf_get_u64( data + BITMAP_NEGATIVE + 8 * i ) );
  }
  w->head.bitmap_extension = 1;
  return 0;
}

int sf_meteora_dlmm_kind( uint8_t const * data, uint32_t len ) {
  static struct {
    uint8_t const * name;
    uint32_t bytes;
  } const kinds[] = { { pair_name, SF_DLMM_PAIR_BYTES },
                      { array_name, SF_DLMM_ARRAY_BYTES },
                      { bitmap_name, SF_DLMM_BITMAP_BYTES } };
  for( int i = 0; i < 3; i++ ) {
    int named = len >= 8 && !memcmp( data, kinds[i].name, 8 );
    if( named && len == kinds[i].bytes ) return SF_DLMM_KIND_PAIR + i;
    if( named || len == kinds[i].bytes )
      return sf_err_set( SF_ERR_DATA, "meteora dlmm account: %u bytes and its discriminator at offset 0 do not fit",
                         len );
  }
  return SF_DLMM_KIND_OTHER;
}

int sf_meteora_dlmm_pair_of( uint8_t const * data, uint32_t len, uint8_t pair[32] ) {
  int kind = sf_meteora_dlmm_kind( data, len );
  if( kind < 0 ) return kind;
  if( kind != SF_DLMM_KIND_ARRAY && kind != SF_DLMM_KIND_BITMAP )
    return sf_err_set( SF_ERR_DATA, "account of %u bytes: no bin array or bitmap by its discriminator at offset 0",
                       len );
  memcpy( pair, data + ( kind == SF_DLMM_KIND_ARRAY ? ARRAY_PAIR : BITMAP_PAIR ), 32 );
  return 0;
}

int sf_meteora_dlmm_account( uint8_t const * data, uint32_t len, sf_meteora_dlmm_work_t * w ) {
  if( len >= 8 && !memcmp( data, pair_name, 8 ) ) return sf_meteora_dlmm_pair_decode( data, len, w );
  if( len >= 8 && !memcmp( data, array_name, 8 ) ) return sf_meteora_dlmm_array_decode( data, len, w );
  if( len >= 8 && !memcmp( data, bitmap_name, 8 ) ) return sf_meteora_dlmm_bitmap_decode( data, len, w );
  return sf_err_set( SF_ERR_DATA, "account of %u bytes: discriminator at offset 0 is no pair, bin array or bitmap",
                     len );
}

/* Swaps within one array change pair and array alike; one that goes further changes every array on its way.  An array off
   that way that changed is one whose pair is still to come, or somebody's deposit: its slot tells. */
int sf_meteora_dlmm_whole( sf_meteora_dlmm_work_t const * w ) {
  int32_t from = sf_meteora_dlmm_array_of( w->priced ), to = sf_meteora_dlmm_array_of( w->head.active );
  int32_t lo = from < to ? from : to, hi = from < to ? to : from;
  for( uint32_t k = 0; k < w->array_cnt; k++ ) {
    sf_dlmm_array_t const * a = &w->array[k];
    if( a->index < lo || a->index > hi ) {
      if( a->updates && ( a->updates > w->updates || a->slot != w->pair_slot ) ) return 0;
      continue;
    }
    if( lo == hi && a->updates != w->updates ) return 0;
    if( a->updates && w->updates ? a->slot != w->pair_slot : a->updates || w->updates ) return 0;
  }
  return 1;
}

void sf_meteora_dlmm_priced( sf_meteora_dlmm_work_t * w ) {
  w->priced  = w->head.active;
  w->updates = 0;
  for( uint32_t k = 0; k < w->array_cnt; k++ ) w->array[k].updates = 0;
}

sf_u128_t sf_meteora_dlmm_price( int32_t id, uint32_t bin_step ) {
  sf_u128_t const one = (sf_u128_t)1 << 64;
  if( !id ) return one;
  uint32_t power = id < 0 ? (uint32_t)-id : (uint32_t)id;
  /* the powers of 1/base fit 64 bits */
  uint64_t square = (uint64_t)( ~(sf_u128_t)0 / ( one + ( (sf_u128_t)bin_step << 64 ) / BPS ) ), result = 0;
  for( int first = 1; power; power >>= 1 ) {
    if( power & 1 ) {
      result = first ? square : (uint64_t)( (sf_u128_t)result * square >> 64 );
      first  = 0;
    }
    square = (uint64_t)( (sf_u128_t)square * square >> 64 );
  }
  if( !result ) return 0;
  return id < 0 ? result : ~(sf_u128_t)0 / result;
}

uint32_t sf_meteora_dlmm_array_next( sf_meteora_dlmm_work_t const * w, int a_to_b, int32_t from, int32_t * index ) {
  int32_t first = w->head.bitmap_extension ? INDEX_FIRST : -INDEX_INNER, last = -first - 1;
  uint32_t error = w->head.bitmap_extension ? SF_DLMM_ERR_NO_ARRAY : SF_DLMM_ERR_NO_BITMAP;
  if( from < first || from > last ) return error;
  for( int32_t i = from; i >= first && i <= last; i += a_to_b ? -1 : 1 )
    if( marked( w->bitmap, i ) ) {
      *index = i;
      return 0;
    }
  return error;
}
