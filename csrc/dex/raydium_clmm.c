#include "dex/raydium_clmm.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"

/* first eight bytes of sha256 of "account:PoolState", ...:AmmConfig, ...:TickArrayState,
   ...:TickArrayBitmapExtension */
#define TAG_POOL      0x46dec3d7f5e3edf7UL
#define TAG_CONFIG    0x6f2bcbcb6821f4daUL
#define TAG_ARRAY     0x2a81f931cd559bc0UL
#define TAG_EXTENSION 0x998b8061db24963cUL

#define POOL_CONFIG      9
#define POOL_MINT        73
#define POOL_VAULT       137
#define POOL_OBSERVATION 201
#define POOL_SPACING     235
#define POOL_LIQUIDITY   237
#define POOL_SQRT_PRICE  253
#define POOL_TICK        269
#define POOL_STATUS      389
#define POOL_FEE_ON      390
#define POOL_BITMAP      904
#define POOL_OPEN_TIME   1080
#define POOL_DYNAMIC_FEE 1096
#define POOL_DYNAMIC_END 1176

/* in the dynamic fee: constants, then variables */
#define DYNAMIC_FILTER          0
#define DYNAMIC_DECAY           2
#define DYNAMIC_REDUCTION       4
#define DYNAMIC_CONTROL         6
#define DYNAMIC_ACCUMULATOR_MAX 10
#define DYNAMIC_INDEX_REFERENCE 14
#define DYNAMIC_REFERENCE       18
#define DYNAMIC_ACCUMULATOR     22
#define DYNAMIC_LAST_UPDATE     26

#define STATUS_NO_SWAP 16

#define CONFIG_PROTOCOL 43
#define CONFIG_TRADE    47
#define CONFIG_FUND     53

#define ARRAY_POOL       8
#define ARRAY_START      40
#define ARRAY_TICKS      44
#define ARRAY_TICK_BYTES 168
#define TICK_NET         4
#define TICK_GROSS       20
#define TICK_ORDERS      124 /* amount of limit orders that nothing was filled of */
#define TICK_ORDERS_PART 132 /* what is left of those filled in part */

#define EXTENSION_POOL   8
#define EXTENSION_BITMAP 40

#define OWN_ARRAYS 512 /* on each side, in the pool's own bitmap */

static sf_tick_rules_t const rules = { sf_tick_price_raydium, SF_SQRT_PRICE_MAX_RAYDIUM, SF_FEE_PPM, 0 };

uint8_t const sf_raydium_clmm_program[32] = {
  0xa5, 0xd5, 0xca, 0x9e, 0x04, 0xcf, 0x5d, 0xb5, 0x90, 0xb7, 0x14, 0xba, 0x2f, 0xe3, 0x2c, 0xb1,
  0x59, 0x13, 0x3f, 0xc1, 0xc1, 0x92, 0xb7, 0x22, 0x57, 0xfd, 0x07, 0xd3, 0x9c, 0xb0, 0x40, 0x1e,
};

/* -- accounts ------------------------------------------------------------------------------------- */

static sf_u128_t get_u128( uint8_t const * p ) { return (sf_u128_t)sf_get_u64( p + 8 ) << 64 | sf_get_u64( p ); }

static uint32_t get_u32( uint8_t const * p ) {
  uint32_t v;
  memcpy( &v, p, sizeof( v ) );
  return v;
}

static uint64_t tag_of( uint8_t const * data, uint32_t len ) { return len >= 8 ? sf_get_u64( data ) : 0; }

static int layout_check( char const * what, uint8_t const * data, uint32_t len, uint32_t bytes, uint64_t tag ) {
  if( len != bytes ) return sf_err_set( SF_ERR_DATA, "raydium clmm %s: %u bytes, not %u", what, len, bytes );
  if( tag_of( data, len ) != tag )
    return sf_err_set( SF_ERR_DATA, "raydium clmm %s: discriminator %016lx at offset 0", what, tag_of( data, len ) );
  return 0;
}

/* The dynamic fee; all zero is none. */
static int dynamic_decode( uint8_t const * data, uint32_t spacing, sf_clmm_dynamic_t * out ) {
  uint32_t set = POOL_DYNAMIC_FEE;
  while( set < POOL_DYNAMIC_END && !data[set] ) set++;
  uint8_t const * d = data + POOL_DYNAMIC_FEE;
  memset( out, 0, sizeof( *out ) );
  if( set == POOL_DYNAMIC_END ) return 0;
  out->enabled          = 1;
  out->last_update      = sf_get_u64( d + DYNAMIC_LAST_UPDATE );
  out->control          = get_u32( d + DYNAMIC_CONTROL );
  out->accumulator_max  = get_u32( d + DYNAMIC_ACCUMULATOR_MAX );
  out->reference        = get_u32( d + DYNAMIC_REFERENCE );
  out->accumulator      = get_u32( d + DYNAMIC_ACCUMULATOR );
  out->index_reference  = (int32_t)get_u32( d + DYNAMIC_INDEX_REFERENCE );
  out->filter_period    = sf_get_u16( d + DYNAMIC_FILTER );
  out->decay_period     = sf_get_u16( d + DYNAMIC_DECAY );
  out->reduction_factor = sf_get_u16( d + DYNAMIC_REDUCTION );
  if( !out->filter_period || out->decay_period <= out->filter_period || !out->reduction_factor ||
      out->reduction_factor >= SF_CLMM_REDUCTION_OF || !out->control || out->control >= SF_CLMM_CONTROL_OF ||
      (uint64_t)out->accumulator_max * spacing > UINT32_MAX )
    return sf_err_set( SF_ERR_DATA, "raydium clmm pool: dynamic fee constants at offset %u", POOL_DYNAMIC_FEE );
  if( out->reference > out->accumulator_max || out->accumulator > out->accumulator_max ||
      out->index_reference < 2 * SF_TICK_MIN || out->index_reference > 2 * SF_TICK_MAX )
    return sf_err_set( SF_ERR_DATA, "raydium clmm pool: dynamic fee variables at offset %u",
                       POOL_DYNAMIC_FEE + DYNAMIC_INDEX_REFERENCE );
  return 0;
}

void sf_raydium_clmm_clear( sf_raydium_clmm_state_t * s, uint8_t const pubkey[32] ) {
  memset( s, 0, offsetof( sf_raydium_clmm_state_t, ticks ) );
  memcpy( s->pubkey, pubkey, 32 );
  sf_ticks_clear( &s->ticks, &rules );
}

int sf_raydium_clmm_pool_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_state_t * s ) {
  int err = layout_check( "pool", data, len, SF_CLMM_POOL_BYTES, TAG_POOL );
  if( err ) return err;
  uint32_t spacing     = sf_get_u16( data + POOL_SPACING );
  sf_u128_t sqrt_price = get_u128( data + POOL_SQRT_PRICE );
  int32_t tick         = (int32_t)get_u32( data + POOL_TICK );
  if( !spacing || ( s->spacing && s->spacing != spacing ) )
    return sf_err_set( SF_ERR_DATA, "raydium clmm pool: tick spacing %u at offset %u", spacing, POOL_SPACING );
  if( sqrt_price < SF_SQRT_PRICE_MIN || sqrt_price >= SF_SQRT_PRICE_MAX_RAYDIUM )
    return sf_err_set( SF_ERR_DATA, "raydium clmm pool: price out of range at offset %u", POOL_SQRT_PRICE );
  int32_t real = sf_tick_of_price( sqrt_price, sf_tick_price_raydium );
  if( tick != real && !( tick == real - 1 && sf_tick_price_raydium( real ) == sqrt_price ) )
    return sf_err_set( SF_ERR_DATA, "raydium clmm pool: tick %d at offset %u, but the price's is %d", tick, POOL_TICK,
                       real );
  if( !memcmp( data + POOL_MINT, data + POOL_MINT + 32, 32 ) ||
      !memcmp( data + POOL_VAULT, data + POOL_VAULT + 32, 32 ) )
    return sf_err_set( SF_ERR_DATA, "raydium clmm pool: both sides are the same at offset %u", POOL_MINT );
  if( data[POOL_FEE_ON] > 2 )
    return sf_err_set( SF_ERR_DATA, "raydium clmm pool: fees on token %u at offset %u", data[POOL_FEE_ON],
                       POOL_FEE_ON );
  sf_clmm_dynamic_t dynamic;
  err = dynamic_decode( data, spacing, &dynamic );
  if( err ) return err;
  memcpy( s->config, data + POOL_CONFIG, 32 );
  memcpy( s->observation, data + POOL_OBSERVATION, 32 );
  for( int i = 0; i < 2; i++ ) {
    memcpy( s->mint[i], data + POOL_MINT + 32 * i, 32 );
    memcpy( s->vault[i], data + POOL_VAULT + 32 * i, 32 );
  }
  memcpy( s->bitmap, data + POOL_BITMAP, sizeof( s->bitmap ) );
  s->open_time        = sf_get_u64( data + POOL_OPEN_TIME );
  s->spacing          = spacing;
  s->fee_on           = data[POOL_FEE_ON];
  s->dynamic          = dynamic;
  s->swap_disabled    = ( data[POOL_STATUS] & STATUS_NO_SWAP ) != 0;
  s->ticks.sqrt_price = sqrt_price;
  s->ticks.tick       = tick;
  s->ticks.liquidity  = get_u128( data + POOL_LIQUIDITY );
  return 0;
}

int sf_raydium_clmm_fee_set( sf_raydium_clmm_state_t * s, uint32_t trade, uint32_t protocol, uint32_t fund ) {
  if( trade >= SF_FEE_PPM || (uint64_t)protocol + fund > SF_FEE_PPM )
    return sf_err_set( SF_ERR_DATA, "raydium clmm config: rates %u at offset %u, %u at %u and %u at %u leave nothing",
                       trade, CONFIG_TRADE, protocol, CONFIG_PROTOCOL, fund, CONFIG_FUND );
  s->ticks.fee_ppm  = trade;
  s->ticks.share[0] = protocol;
  s->ticks.share[1] = fund;
  s->config_known   = 1;
  return 0;
}

int sf_raydium_clmm_config_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_state_t * s ) {
  int err = layout_check( "config", data, len, SF_CLMM_CONFIG_BYTES, TAG_CONFIG );
  if( err ) return err;
  return sf_raydium_clmm_fee_set( s, get_u32( data + CONFIG_TRADE ), get_u32( data + CONFIG_PROTOCOL ),
                                  get_u32( data + CONFIG_FUND ) );
}

static int array_known( sf_raydium_clmm_state_t const * s, int32_t number ) {
  for( uint32_t i = 0; i < s->array_cnt; i++ )
    if( s->array[i] == number ) return 1;
  return 0;
}

/* The orders of [lo,hi) become these; there are never more than ticks. */
static void orders_replace( sf_raydium_clmm_state_t * s, int32_t lo, int32_t hi, sf_clmm_order_t const * order,
                            uint32_t cnt ) {
  uint32_t from = 0, to;
  while( from < s->order_cnt && s->order[from].tick < lo ) from++;
  for( to = from; to < s->order_cnt && s->order[to].tick < hi; to++ ) continue;
  memmove( s->order + from + cnt, s->order + to, ( s->order_cnt - to ) * sizeof( s->order[0] ) );
  memcpy( s->order + from, order, cnt * sizeof( s->order[0] ) );
  s->order_cnt = s->order_cnt + cnt - ( to - from );
}

int sf_raydium_clmm_array_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_state_t * s ) {
  int err = layout_check( "tick array", data, len, SF_CLMM_ARRAY_BYTES, TAG_ARRAY );
  if( err ) return err;
  if( !s->spacing ) return sf_err_set( SF_ERR_DATA, "raydium clmm tick array: its pool is not known yet" );
  if( memcmp( data + ARRAY_POOL, s->pubkey, 32 ) )
    return sf_err_set( SF_ERR_DATA, "raydium clmm tick array: of another pool at offset %u", ARRAY_POOL );
  int32_t start = (int32_t)get_u32( data + ARRAY_START ), span = SF_CLMM_ARRAY_TICKS * (int32_t)s->spacing;
  if( start < sf_tick_floor( SF_TICK_MIN, span ) || start > SF_TICK_MAX || sf_tick_floor( start, span ) != start )
    return sf_err_set( SF_ERR_DATA, "raydium clmm tick array: start tick %d at offset %u", start, ARRAY_START );
  int32_t number = start / span;
  int known      = array_known( s, number );
  if( !known && s->array_cnt == SF_CLMM_ARRAYS_MAX )
    return sf_err_set( SF_ERR_FULL, "raydium clmm: more than %u tick arrays", SF_CLMM_ARRAYS_MAX );
  int32_t index[SF_CLMM_ARRAY_TICKS];
  sf_i128_t net[SF_CLMM_ARRAY_TICKS];
  sf_clmm_order_t order[SF_CLMM_ARRAY_TICKS];
  uint32_t cnt = 0, order_cnt = 0;
  for( int32_t i = 0; i < SF_CLMM_ARRAY_TICKS; i++ ) {
    uint32_t at     = ARRAY_TICKS + ARRAY_TICK_BYTES * (uint32_t)i;
    sf_i128_t n     = (sf_i128_t)get_u128( data + at + TICK_NET );
    sf_u128_t gross = get_u128( data + at + TICK_GROSS ), size = n < 0 ? -(sf_u128_t)n : (sf_u128_t)n;
    int32_t tick    = (int32_t)get_u32( data + at );
    uint64_t orders = sf_get_u64( data + at + TICK_ORDERS ), part = sf_get_u64( data + at + TICK_ORDERS_PART );
    if( __builtin_add_overflow( orders, part, &orders ) )
      return sf_err_set( SF_ERR_DATA, "raydium clmm tick array: limit orders at offset %u overflow", at + TICK_ORDERS );
    if( size > gross )
      return sf_err_set( SF_ERR_DATA, "raydium clmm tick array: liquidity at offset %u is inconsistent",
                         at + TICK_NET );
    if( !gross && !orders ) continue;
    if( tick != start + i * (int32_t)s->spacing || tick < SF_TICK_MIN || tick > SF_TICK_MAX )
      return sf_err_set( SF_ERR_DATA, "raydium clmm tick array: tick %d at offset %u", tick, at );
    index[cnt] = tick;
    net[cnt++] = n;
    if( orders ) order[order_cnt++] = ( sf_clmm_order_t ){ orders, tick };
  }
  err = sf_ticks_replace( &s->ticks, start, start + span, index, net, cnt );
  if( err ) return err;
  orders_replace( s, start, start + span, order, order_cnt );
  if( known ) return 0;
  uint32_t i = s->array_cnt++;
  for( ; i && s->array[i - 1] > number; i-- ) s->array[i] = s->array[i - 1];
  s->array[i] = number;
  return 0;
}

int sf_raydium_clmm_extension_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_state_t * s ) {
  int err = layout_check( "bitmap extension", data, len, SF_CLMM_EXTENSION_BYTES, TAG_EXTENSION );
  if( err ) return err;
  if( memcmp( data + EXTENSION_POOL, s->pubkey, 32 ) )
    return sf_err_set( SF_ERR_DATA, "raydium clmm bitmap extension: of another pool at offset %u", EXTENSION_POOL );
  memcpy( s->extension, data + EXTENSION_BITMAP, sizeof( s->extension ) );
  s->extension_known = 1;
  return 0;
}

int sf_raydium_clmm_account( uint8_t const * data, uint32_t len, sf_raydium_clmm_state_t * s ) {
  uint64_t tag = tag_of( data, len );
  if( tag == TAG_POOL ) return sf_raydium_clmm_pool_decode( data, len, s );
  if( tag == TAG_CONFIG ) return sf_raydium_clmm_config_decode( data, len, s );
  if( tag == TAG_EXTENSION ) return sf_raydium_clmm_extension_decode( data, len, s );
  if( tag == TAG_ARRAY ) return sf_raydium_clmm_array_decode( data, len, s );
  return sf_err_set( SF_ERR_DATA, "raydium clmm account: discriminator %016lx at offset 0", tag );
}

/* -- how far a swap can go ------------------------------------------------------------------------ */

/* The word of the bitmaps with array `number` in it, and its bit; NULL if that is in the extension, not known. */
static uint64_t const * word_of( sf_raydium_clmm_state_t const * s, int32_t number, uint32_t * bit ) {
  uint64_t const * words = s->bitmap;
  int32_t place          = number + OWN_ARRAYS;
  if( number < -OWN_ARRAYS || number >= OWN_ARRAYS ) {
    if( !s->extension_known ) return 0;
    int below    = number < 0;
    int32_t page = ( below ? -number - 1 : number ) / OWN_ARRAYS - 1;
    words        = s->extension[below][page];
    place        = number - ( below ? -OWN_ARRAYS * ( page + 2 ) : OWN_ARRAYS * ( page + 1 ) );
  }
  *bit = (uint32_t)place % 64;
  return words + place / 64;
}

int sf_raydium_clmm_next_array( sf_raydium_clmm_state_t const * s, int up, int32_t from, int32_t * number ) {
  int32_t span = SF_CLMM_ARRAY_TICKS * (int32_t)s->spacing;
  int32_t low = sf_tick_floor( SF_TICK_MIN, span ) / span, high = sf_tick_floor( SF_TICK_MAX, span ) / span;
  while( from >= low && from <= high ) {
    uint32_t bit;
    uint64_t const * word = word_of( s, from, &bit );
    if( !word ) return -1;
    uint64_t rest = up ? *word >> bit : *word << ( 63 - bit );
    if( rest ) {
      *number = up ? from + __builtin_ctzl( rest ) : from - __builtin_clzl( rest );
      return 1;
    }
    from += up ? 64 - (int32_t)bit : -1 - (int32_t)bit;
  }
  return 0;
}

static void end_find( sf_raydium_clmm_state_t const * s, int up, sf_end_t * end ) {
  sf_ticks_t const * t = &s->ticks;
  int32_t span = SF_CLMM_ARRAY_TICKS * (int32_t)s->spacing, number = sf_tick_floor( t->tick, span ) / span;
  int32_t low = INT32_MAX, high = INT32_MIN; /* how far down and up the ticks are known */
  int first = 1, found;
  *end = ( sf_end_t ){ .sqrt_price = t->sqrt_price, .index = up ? t->tick : t->tick + 1, .status = SF_QUOTE_REFUSED };
  while( ( found = sf_raydium_clmm_next_array( s, up, number, &number ) ) == 1 && array_known( s, number ) ) {
    if( up ) high = ( number + 1 ) * span;
    else low = number * span;
    number += up ? 1 : -1;
    first = 0;
  }
  if( found ) {
    end->status = SF_QUOTE_EXHAUSTED;
    end->error  = SF_CLMM_ERR_ARRAYS;
  } else end->error = first ? SF_CLMM_ERR_DIRECTION : SF_CLMM_ERR_LIQUIDITY;
  for( uint32_t i = 0; i < t->cnt; i++ ) {
    if( up ? t->index[i] <= t->tick || t->index[i] >= high : t->index[i] > t->tick || t->index[i] < low ) continue;
    end->index      = t->index[i];
    end->sqrt_price = t->price[i];
    if( !up ) break;
  }
}

int sf_raydium_clmm_prepare( sf_raydium_clmm_state_t * s ) {
  if( !s->spacing || !s->config_known )
    return sf_err_set( SF_ERR_DATA, "raydium clmm: its %s account is not known yet", s->spacing ? "config" : "pool" );
  int32_t span = SF_CLMM_ARRAY_TICKS * (int32_t)s->spacing;
  for( uint32_t i = 0; i < s->ticks.cnt; i++ ) {
    int32_t number = sf_tick_floor( s->ticks.index[i], span ) / span;
    uint32_t bit;
    uint64_t const * word = word_of( s, number, &bit );
    if( word && !( *word >> bit & 1 ) )
      return sf_err_set( SF_ERR_DATA, "raydium clmm: tick %d is initialized, but its array has no bit in the bitmap",
                         s->ticks.index[i] );
  }
  for( int up = 0; up < 2; up++ ) end_find( s, up, &s->ticks.end[up] );
  return sf_ticks_prepare( &s->ticks );
}

/* -- quotes --------------------------------------------------------------------------------------- */

static void refuse( sf_quote_t * q, uint32_t error ) {
  memset( q, 0, sizeof( *q ) );
  q->status       = SF_QUOTE_REFUSED;
  q->error        = error;
  q->fee_in_input = 1;
}

void sf_raydium_clmm_quote( sf_raydium_clmm_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                            sf_u128_t limit, uint64_t now, sf_quote_t * q ) {
  sf_transfer_fee_t const *fee_in = &s->transfer_fee[!a_to_b], *fee_out = &s->transfer_fee[!!a_to_b];
  uint64_t swapped = amount;
  if( exact_in ) swapped -= sf_transfer_fee_of( fee_in, amount );
  else if( sf_transfer_fee_before( fee_out, amount, &swapped ) ) {
    refuse( q, SF_CLMM_ERR_TRANSFER_FEE );
    return;
  }
  sf_u128_t price = s->ticks.sqrt_price, stop = limit    ? limit
                                                : a_to_b ? SF_SQRT_PRICE_MIN + 1
                                                         : SF_SQRT_PRICE_MAX_RAYDIUM - 1;
  uint32_t error = 0;
  if( now <= s->open_time ) error = SF_CLMM_ERR_NOT_GREATER;
  else if( !swapped ) error = SF_CLMM_ERR_ZERO;
  else if( s->swap_disabled ) error = SF_CLMM_ERR_NOT_APPROVED;
  else if( a_to_b ? stop >= price || stop <= SF_SQRT_PRICE_MIN : stop <= price || stop >= SF_SQRT_PRICE_MAX_RAYDIUM )
    error = SF_CLMM_ERR_LIMIT;
  if( __builtin_expect( error, 0 ) ) {
    refuse( q, error );
    return;
  }
  if( __builtin_expect( s->dynamic.enabled | s->fee_on | s->order_cnt, 0 ) )
    sf_raydium_clmm_steps( s, a_to_b, exact_in, swapped, stop, now, q );
  else sf_ticks_swap( &s->ticks, a_to_b, exact_in, swapped, stop, q );
  if( q->status == SF_QUOTE_OK ) {
    error = !q->amount_in || !q->amount_out                                    ? SF_CLMM_ERR_SMALL
            : !limit && ( exact_in ? q->amount_in : q->amount_out ) != swapped ? SF_CLMM_ERR_NOT_EQUAL
                                                                               : 0;
    if( __builtin_expect( error, 0 ) ) {
      q->status = SF_QUOTE_REFUSED;
      q->error  = error;
    }
  }
  if( __builtin_expect( !( fee_in->bps | fee_out->bps ), 1 ) || q->status == SF_QUOTE_REFUSED ) return;
  int whole = exact_in && q->amount_in == swapped;
  if( whole ) q->amount_in = amount;
  else if( sf_transfer_fee_before( fee_in, q->amount_in, &q->amount_in ) ) {
    refuse( q, SF_CLMM_ERR_TRANSFER_FEE );
    return;
  }
  q->amount_out -= sf_transfer_fee_of( fee_out, q->amount_out );
}

void sf_raydium_clmm_quote_in( sf_raydium_clmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q ) {
  sf_raydium_clmm_quote( s, a_to_b, 1, amount_in, 0, now, q );
}

void sf_raydium_clmm_quote_out( sf_raydium_clmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q ) {
  sf_raydium_clmm_quote( s, a_to_b, 0, amount_out, 0, now, q );
}
