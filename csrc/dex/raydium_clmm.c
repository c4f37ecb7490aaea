#include "dex/raydium_clmm.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/venue.h"

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

uint8_t const sf_raydium_clmm_program[32] = SF_RAYDIUM_CLMM_PROGRAM;

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

void sf_raydium_clmm_clear( sf_raydium_clmm_work_t * w, uint8_t const pubkey[32] ) {
  memset( w, 0, offsetof( sf_raydium_clmm_work_t, arrays ) );
  memset( &w->state, 0, offsetof( sf_raydium_clmm_state_t, ticks ) );
  memcpy( w->state.pubkey, pubkey, 32 );
  sf_ticks_clear( &w->arrays, &w->state.ticks, SF_TICKS_RAYDIUM );
}

int sf_raydium_clmm_pool_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w ) {
  sf_raydium_clmm_state_t * s = &w->state;
  int err                     = layout_check( "pool", data, len, SF_CLMM_POOL_BYTES, TAG_POOL );
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
  if( s->spacing && ( memcmp( s->config, data + POOL_CONFIG, 32 ) || memcmp( s->mint, data + POOL_MINT, 64 ) ||
                      memcmp( s->vault, data + POOL_VAULT, 64 ) ) )
    return sf_err_set( SF_ERR_DATA, "raydium clmm pool: config, mints or vaults at offset %u are others than before",
                       POOL_CONFIG );
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
  memcpy( w->bitmap, data + POOL_BITMAP, sizeof( w->bitmap ) );
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

int sf_raydium_clmm_config_read( uint8_t const * data, uint32_t len, sf_clmm_config_t * out ) {
  int err = layout_check( "config", data, len, SF_CLMM_CONFIG_BYTES, TAG_CONFIG );
  if( err ) return err;
  sf_clmm_config_t c = { get_u32( data + CONFIG_TRADE ), get_u32( data + CONFIG_PROTOCOL ),
                         get_u32( data + CONFIG_FUND ) };
  if( c.trade >= SF_FEE_PPM || (uint64_t)c.protocol + c.fund > SF_FEE_PPM )
    return sf_err_set( SF_ERR_DATA, "raydium clmm config: rates %u at offset %u, %u at %u and %u at %u leave nothing",
                       c.trade, CONFIG_TRADE, c.protocol, CONFIG_PROTOCOL, c.fund, CONFIG_FUND );
  *out = c;
  return 0;
}

void sf_raydium_clmm_fee_set( sf_raydium_clmm_work_t * w, sf_clmm_config_t const * config ) {
  sf_ticks_fee_set( &w->arrays, &w->state.ticks, config->trade, config->protocol, config->fund );
  w->config_known = 1;
}

int sf_raydium_clmm_config_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w ) {
  sf_clmm_config_t config;
  int err = sf_raydium_clmm_config_read( data, len, &config );
  if( !err ) sf_raydium_clmm_fee_set( w, &config );
  return err;
}

static int32_t span_of( sf_raydium_clmm_state_t const * s ) { return SF_CLMM_ARRAY_TICKS * (int32_t)s->spacing; }

int sf_raydium_clmm_array_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w ) {
  sf_raydium_clmm_state_t * s = &w->state;
  int err                     = layout_check( "tick array", data, len, SF_CLMM_ARRAY_BYTES, TAG_ARRAY );
  if( err ) return err;
  if( !s->spacing ) return sf_err_set( SF_ERR_DATA, "raydium clmm tick array: its pool is not known yet" );
  if( memcmp( data + ARRAY_POOL, s->pubkey, 32 ) )
    return sf_err_set( SF_ERR_DATA, "raydium clmm tick array: of another pool at offset %u", ARRAY_POOL );
  int32_t start = (int32_t)get_u32( data + ARRAY_START ), span = span_of( s );
  if( start < sf_tick_floor( SF_TICK_MIN, span ) || start > SF_TICK_MAX || sf_tick_floor( start, span ) != start )
    return sf_err_set( SF_ERR_DATA, "raydium clmm tick array: start tick %d at offset %u", start, ARRAY_START );
  sf_tick_net_t net[SF_CLMM_ARRAY_TICKS];
  uint32_t cnt = 0;
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
    net[cnt++] = ( sf_tick_net_t ){ n, orders, tick };
  }
  err = sf_tick_array_put( &w->arrays, &s->ticks, start / span, span, net, cnt );
  if( err ) return err;
  s->order_cnt = 0;
  for( uint32_t i = 0; i < s->ticks.cnt; i++ ) s->order_cnt += s->ticks.list[i].orders != 0;
  return 0;
}

int sf_raydium_clmm_extension_decode( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w ) {
  sf_raydium_clmm_state_t * s = &w->state;
  int err                     = layout_check( "bitmap extension", data, len, SF_CLMM_EXTENSION_BYTES, TAG_EXTENSION );
  if( err ) return err;
  if( memcmp( data + EXTENSION_POOL, s->pubkey, 32 ) )
    return sf_err_set( SF_ERR_DATA, "raydium clmm bitmap extension: of another pool at offset %u", EXTENSION_POOL );
  memcpy( w->extension, data + EXTENSION_BITMAP, sizeof( w->extension ) );
  w->extension_known = 1;
  return 0;
}

int sf_raydium_clmm_account( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w ) {
  uint64_t tag = tag_of( data, len );
  if( tag == TAG_POOL ) return sf_raydium_clmm_pool_decode( data, len, w );
  if( tag == TAG_CONFIG ) return sf_raydium_clmm_config_decode( data, len, w );
  if( tag == TAG_EXTENSION ) return sf_raydium_clmm_extension_decode( data, len, w );
  if( tag == TAG_ARRAY ) return sf_raydium_clmm_array_decode( data, len, w );
  return sf_err_set( SF_ERR_DATA, "raydium clmm account: discriminator %016lx at offset 0", tag );
}

int sf_raydium_clmm_kind( uint8_t const * data, uint32_t len ) {
  static struct {
    uint64_t tag;
    uint32_t len;
    int kind;
  } const known[4] = { { TAG_POOL, SF_CLMM_POOL_BYTES, SF_ACCOUNT_POOL },
                       { TAG_ARRAY, SF_CLMM_ARRAY_BYTES, SF_ACCOUNT_OWN },
                       { TAG_EXTENSION, SF_CLMM_EXTENSION_BYTES, SF_ACCOUNT_OWN },
                       { TAG_CONFIG, SF_CLMM_CONFIG_BYTES, SF_ACCOUNT_SHARED } };
  uint64_t tag     = tag_of( data, len );
  for( int i = 0; i < 4; i++ ) {
    if( tag == known[i].tag && len == known[i].len ) return known[i].kind;
    if( tag == known[i].tag || len == known[i].len )
      return sf_err_set( SF_ERR_DATA, "raydium clmm: %u bytes with discriminator %016lx at offset 0", len, tag );
  }
  return SF_ACCOUNT_OTHER;
}

uint8_t const * sf_raydium_clmm_pool_of( uint8_t const * data ) {
  return data + ( sf_get_u64( data ) == TAG_ARRAY ? ARRAY_POOL : EXTENSION_POOL );
}

/* -- how far a swap can go ------------------------------------------------------------------------ */

/* The word of the bitmaps with array `number` in it, and its bit; NULL if that is in the extension, not known. */
static uint64_t const * word_of( sf_raydium_clmm_work_t const * w, int32_t number, uint32_t * bit ) {
  uint64_t const * words = w->bitmap;
  int32_t place          = number + OWN_ARRAYS;
  if( number < -OWN_ARRAYS || number >= OWN_ARRAYS ) {
    if( !w->extension_known ) return 0;
    int below    = number < 0;
    int32_t page = ( below ? -number - 1 : number ) / OWN_ARRAYS - 1;
    words        = w->extension[below][page];
    place        = number - ( below ? -OWN_ARRAYS * ( page + 2 ) : OWN_ARRAYS * ( page + 1 ) );
  }
  *bit = (uint32_t)place % 64;
  return words + place / 64;
}

int sf_raydium_clmm_next_array( sf_raydium_clmm_work_t const * w, int up, int32_t from, int32_t * number ) {
  int32_t span = span_of( &w->state );
  int32_t low = sf_tick_floor( SF_TICK_MIN, span ) / span, high = sf_tick_floor( SF_TICK_MAX, span ) / span;
  while( from >= low && from <= high ) {
    uint32_t bit;
    uint64_t const * word = word_of( w, from, &bit );
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

int sf_raydium_clmm_fits( sf_raydium_clmm_work_t const * w ) {
  sf_ticks_t const * t = &w->state.ticks;
  int32_t span         = span_of( &w->state );
  for( uint32_t i = 0; i < w->arrays.cnt; i++ ) {
    int32_t number = w->arrays.number[i];
    uint32_t bit, from = sf_ticks_place( t, number * span - 1 );
    uint64_t const * word = word_of( w, number, &bit );
    if( word && !( *word >> bit & 1 ) && sf_ticks_place( t, number * span + span - 1 ) > from ) return 0;
  }
  return 1;
}

/* Where a direction ends, and the first arrays on the way there.  It is the last tick of the last known array, in which
   there may be none. */
static void end_find( sf_raydium_clmm_work_t * w, int up ) {
  sf_raydium_clmm_state_t * s = &w->state;
  sf_ticks_t * t              = &s->ticks;
  sf_end_t * end              = &t->end[up];
  int32_t span = span_of( s ), number = sf_tick_floor( t->tick, span ) / span, reach = t->tick;
  int known = 1, first = 1, found;
  s->array_cnt[up] = 0;
  while( ( found = sf_raydium_clmm_next_array( w, up, number, &number ) ) == 1 ) {
    known = known && sf_tick_array_known( &w->arrays, number );
    if( s->array_cnt[up] < SF_CLMM_SWAP_ARRAYS ) s->array[up][s->array_cnt[up]++] = number;
    else if( !known ) break;
    if( known ) {
      reach = up ? number * span + span - 1 : number * span;
      first = 0;
    }
    number += up ? 1 : -1;
  }
  uint32_t at   = up ? sf_ticks_place( t, reach ) : sf_ticks_place( t, reach - 1 );
  uint32_t here = sf_ticks_place( t, t->tick );
  int none      = first || ( up ? at <= here : at >= here );
  *end          = ( sf_end_t ){ .sqrt_price = none ? t->sqrt_price : t->list[up ? at - 1 : at].price,
                                .index      = none ? t->tick + !up : t->list[up ? at - 1 : at].index,
                                .status     = SF_QUOTE_REFUSED,
                                .error      = first ? SF_CLMM_ERR_DIRECTION : SF_CLMM_ERR_LIQUIDITY };
  if( found || !known ) {
    end->status = SF_QUOTE_EXHAUSTED;
    end->error  = SF_CLMM_ERR_ARRAYS;
  }
}

int sf_raydium_clmm_prepare( sf_raydium_clmm_work_t * w ) {
  if( !w->state.spacing || !w->config_known )
    return sf_err_set( SF_ERR_DATA, "raydium clmm: its %s account is not known yet",
                       w->state.spacing ? "config" : "pool" );
  if( !sf_raydium_clmm_fits( w ) )
    return sf_err_set( SF_ERR_DATA, "raydium clmm: a tick is initialized, but its array has no bit in the bitmap" );
  for( int up = 0; up < 2; up++ ) end_find( w, up );
  return sf_ticks_prepare( &w->arrays, &w->state.ticks );
}

uint32_t sf_raydium_clmm_travel( sf_raydium_clmm_work_t const * w, uint32_t max, sf_raydium_clmm_state_t * out ) {
  sf_raydium_clmm_state_t const * s = &w->state;
  sf_ticks_t const * t              = &s->ticks;
  int32_t span                      = span_of( s );
  uint32_t head = offsetof( sf_raydium_clmm_state_t, ticks ), lo = t->end[0].at, hi = t->end[1].at;
  uint32_t entries = ( max - head - (uint32_t)offsetof( sf_ticks_t, list ) ) / (uint32_t)sizeof( sf_tick_t );
  /* no further than the arrays that a swap names */
  if( s->array_cnt[0] == SF_CLMM_SWAP_ARRAYS ) {
    uint32_t reach = sf_ticks_place( t, s->array[0][SF_CLMM_SWAP_ARRAYS - 1] * span - 1 );
    if( reach > lo ) lo = reach < t->at ? reach : t->at;
  }
  if( s->array_cnt[1] == SF_CLMM_SWAP_ARRAYS ) {
    uint32_t reach = sf_ticks_place( t, s->array[1][SF_CLMM_SWAP_ARRAYS - 1] * span + span - 1 );
    if( reach < hi ) hi = reach > t->at ? reach : t->at;
  }
  memcpy( out, s, head );
  return head + sf_ticks_travel( t, lo, hi, entries, SF_CLMM_ERR_ARRAYS, &out->ticks );
}

/* -- quotes --------------------------------------------------------------------------------------- */

void sf_raydium_clmm_quote( sf_raydium_clmm_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                            sf_u128_t limit, uint64_t now, sf_quote_t * q ) {
  sf_transfer_fee_t const *fee_in = &s->transfer_fee[!a_to_b], *fee_out = &s->transfer_fee[!!a_to_b];
  uint64_t swapped = amount;
  if( exact_in ) swapped -= sf_transfer_fee_of( fee_in, amount );
  else if( sf_transfer_fee_before( fee_out, amount, &swapped ) ) {
    sf_ticks_refuse( q, SF_CLMM_ERR_TRANSFER_FEE );
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
    sf_ticks_refuse( q, error );
    return;
  }
  if( __builtin_expect( s->dynamic.enabled | s->fee_on | s->order_cnt, 0 ) )
    sf_raydium_clmm_steps( s, a_to_b, exact_in, swapped, stop, now, q );
  else sf_ticks_swap( &s->ticks, a_to_b, exact_in, swapped, stop, q );
  if( __builtin_expect( q->status == SF_QUOTE_REFUSED, 0 ) ) return;
  int done      = q->status == SF_QUOTE_OK;
  uint64_t gave = q->amount_out;
  if( __builtin_expect( done && ( !q->amount_in || !gave ), 0 ) ) {
    sf_ticks_refuse( q, SF_CLMM_ERR_SMALL );
    return;
  }
  if( __builtin_expect( fee_in->bps | fee_out->bps, 0 ) &&
      sf_ticks_paid( fee_in, fee_out, exact_in && q->amount_in == swapped ? amount : 0, q ) ) {
    sf_ticks_refuse( q, SF_CLMM_ERR_TRANSFER_FEE );
    return;
  }
  if( __builtin_expect( done && !limit && ( exact_in ? q->amount_in : gave ) != amount, 0 ) )
    sf_ticks_refuse( q, SF_CLMM_ERR_NOT_EQUAL );
}

void sf_raydium_clmm_quote_in( sf_raydium_clmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q ) {
  sf_raydium_clmm_quote( s, a_to_b, 1, amount_in, 0, now, q );
}

void sf_raydium_clmm_quote_out( sf_raydium_clmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q ) {
  sf_raydium_clmm_quote( s, a_to_b, 0, amount_out, 0, now, q );
}
