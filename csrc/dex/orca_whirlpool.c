#include "dex/orca_whirlpool.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/venue.h"
#include "solana/program.h"

/* first eight bytes of sha256 of "account:Whirlpool", ...:TickArray, ...:DynamicTickArray, ...:Oracle */
#define TAG_POOL    0x096380e10cd1953fUL
#define TAG_ARRAY   0xbb42076ebebd6145UL
#define TAG_DYNAMIC 0x38dac7e18ef6d811UL
#define TAG_ORACLE  0xf4e5b38cb383c28bUL

#define POOL_SPACING      41
#define POOL_FEE_TIER     43
#define POOL_FEE          45
#define POOL_PROTOCOL_FEE 47
#define POOL_LIQUIDITY    49
#define POOL_SQRT_PRICE   65
#define POOL_TICK         81
#define POOL_MINT         101 /* of token b 80 later */
#define POOL_VAULT        133
#define POOL_SIDE         80

#define ARRAY_START      8
#define ARRAY_TICKS      12
#define ARRAY_TICK_BYTES 113 /* initialized, net, gross, ... */
#define ARRAY_POOL       9956

#define DYNAMIC_POOL   12
#define DYNAMIC_BITMAP 44
#define DYNAMIC_TICKS  60

#define ORACLE_POOL             8
#define ORACLE_TRADE_ENABLE     40
#define ORACLE_FILTER_PERIOD    48
#define ORACLE_DECAY_PERIOD     50
#define ORACLE_REDUCTION        52
#define ORACLE_CONTROL          54
#define ORACLE_ACCUMULATOR_MAX  58
#define ORACLE_GROUP_SIZE       62
#define ORACLE_REFERENCE_UPDATE 82
#define ORACLE_MAJOR_SWAP       90
#define ORACLE_REFERENCE        98
#define ORACLE_GROUP_REFERENCE  102
#define ORACLE_ACCUMULATOR      106

#define FEE_MAX          60000u /* per 10^6, of a pool */
#define PROTOCOL_FEE_MAX 2500u

uint8_t const sf_orca_whirlpool_program[32] = SF_ORCA_WHIRLPOOL_PROGRAM;

/* -- accounts ------------------------------------------------------------------------------------- */

static sf_u128_t get_u128( uint8_t const * p ) { return (sf_u128_t)sf_get_u64( p + 8 ) << 64 | sf_get_u64( p ); }

static uint32_t get_u32( uint8_t const * p ) {
  uint32_t v;
  memcpy( &v, p, sizeof( v ) );
  return v;
}

static uint64_t tag_of( uint8_t const * data, uint32_t len ) { return len >= 8 ? sf_get_u64( data ) : 0; }

void sf_orca_whirlpool_clear( sf_orca_whirlpool_work_t * w, uint8_t const pubkey[32] ) {
  sf_orca_whirlpool_state_t * s = &w->state;
  w->complete                   = 0;
  memset( s, 0, offsetof( sf_orca_whirlpool_state_t, ticks ) );
  memcpy( s->pubkey, pubkey, 32 );
  for( int i = 0; i < 2; i++ ) memcpy( s->program[i], sf_program_token, 32 );
  sf_ticks_clear( &w->arrays, &s->ticks, SF_TICKS_ORCA );
}

int sf_orca_whirlpool_pool_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_work_t * w ) {
  sf_orca_whirlpool_state_t * s = &w->state;
  if( len != SF_WHIRLPOOL_POOL_BYTES )
    return sf_err_set( SF_ERR_DATA, "whirlpool: %u bytes, not %u", len, SF_WHIRLPOOL_POOL_BYTES );
  if( tag_of( data, len ) != TAG_POOL )
    return sf_err_set( SF_ERR_DATA, "whirlpool: discriminator %016lx at offset 0", tag_of( data, len ) );
  uint32_t spacing = sf_get_u16( data + POOL_SPACING ), fee = sf_get_u16( data + POOL_FEE ),
           share       = sf_get_u16( data + POOL_PROTOCOL_FEE );
  sf_u128_t sqrt_price = get_u128( data + POOL_SQRT_PRICE );
  int32_t tick         = (int32_t)get_u32( data + POOL_TICK );
  if( !spacing || ( s->spacing && s->spacing != spacing ) )
    return sf_err_set( SF_ERR_DATA, "whirlpool: tick spacing %u at offset %u", spacing, POOL_SPACING );
  if( fee > FEE_MAX ) return sf_err_set( SF_ERR_DATA, "whirlpool: fee of %u per million at offset %u", fee, POOL_FEE );
  if( share > PROTOCOL_FEE_MAX )
    return sf_err_set( SF_ERR_DATA, "whirlpool: protocol's share of %u at offset %u", share, POOL_PROTOCOL_FEE );
  if( sqrt_price < SF_SQRT_PRICE_MIN || sqrt_price > SF_SQRT_PRICE_MAX_ORCA )
    return sf_err_set( SF_ERR_DATA, "whirlpool: price out of range at offset %u", POOL_SQRT_PRICE );
  int32_t real = sf_tick_of_price( sqrt_price, sf_tick_price_orca );
  if( tick != real && !( tick == real - 1 && sf_tick_price_orca( real ) == sqrt_price ) )
    return sf_err_set( SF_ERR_DATA, "whirlpool: tick %d at offset %u, but the price's is %d", tick, POOL_TICK, real );
  if( !memcmp( data + POOL_MINT, data + POOL_MINT + POOL_SIDE, 32 ) ||
      !memcmp( data + POOL_VAULT, data + POOL_VAULT + POOL_SIDE, 32 ) )
    return sf_err_set( SF_ERR_DATA, "whirlpool: both sides are the same at offset %u", POOL_MINT );
  for( int i = 0; s->spacing && i < 2; i++ )
    if( memcmp( s->mint[i], data + POOL_MINT + POOL_SIDE * i, 32 ) ||
        memcmp( s->vault[i], data + POOL_VAULT + POOL_SIDE * i, 32 ) )
      return sf_err_set( SF_ERR_DATA, "whirlpool: mint or vault at offset %u is another than before",
                         POOL_MINT + POOL_SIDE * i );
  for( int i = 0; i < 2; i++ ) {
    memcpy( s->mint[i], data + POOL_MINT + POOL_SIDE * i, 32 );
    memcpy( s->vault[i], data + POOL_VAULT + POOL_SIDE * i, 32 );
  }
  s->spacing          = spacing;
  s->adaptive         = sf_get_u16( data + POOL_FEE_TIER ) != spacing;
  s->ticks.sqrt_price = sqrt_price;
  s->ticks.tick       = tick;
  s->ticks.liquidity  = get_u128( data + POOL_LIQUIDITY );
  sf_ticks_fee_set( &w->arrays, &s->ticks, fee, share, 0 );
  return 0;
}

static int32_t span_of( sf_orca_whirlpool_state_t const * s ) { return SF_WHIRLPOOL_ARRAY_TICKS * (int32_t)s->spacing; }

static int start_check( sf_orca_whirlpool_state_t const * s, int32_t start ) {
  if( !s->spacing ) return sf_err_set( SF_ERR_DATA, "whirlpool tick array: its pool is not known yet" );
  int32_t span = span_of( s );
  if( start < sf_tick_floor( SF_TICK_MIN, span ) || start > SF_TICK_MAX || sf_tick_floor( start, span ) != start )
    return sf_err_set( SF_ERR_DATA, "whirlpool tick array: start tick %d at offset %u", start, ARRAY_START );
  return 0;
}

int sf_orca_whirlpool_array_absent( sf_orca_whirlpool_work_t * w, int32_t start ) {
  int err = start_check( &w->state, start );
  if( err ) return err;
  return sf_tick_array_put( &w->arrays, &w->state.ticks, start / span_of( &w->state ), span_of( &w->state ), 0, 0 );
}

void sf_orca_whirlpool_complete( sf_orca_whirlpool_work_t * w ) { w->complete = 1; }

/* The ticks of both kinds of array: a byte that says if it is initialized; then net and gross liquidity and more,
   which a dynamic array leaves out for the others. */
int sf_orca_whirlpool_array_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_work_t * w ) {
  sf_orca_whirlpool_state_t * s = &w->state;
  uint64_t tag                  = tag_of( data, len );
  int dynamic                   = tag == TAG_DYNAMIC;
  if( !dynamic && tag != TAG_ARRAY )
    return sf_err_set( SF_ERR_DATA, "whirlpool tick array: discriminator %016lx at offset 0", tag );
  if( dynamic ? len < SF_WHIRLPOOL_DYNAMIC_BYTES_MIN || len > SF_WHIRLPOOL_DYNAMIC_BYTES_MAX
              : len != SF_WHIRLPOOL_ARRAY_BYTES )
    return sf_err_set( SF_ERR_DATA, "whirlpool tick array: %u bytes", len );
  uint32_t pool_at = dynamic ? DYNAMIC_POOL : ARRAY_POOL;
  if( memcmp( data + pool_at, s->pubkey, 32 ) )
    return sf_err_set( SF_ERR_DATA, "whirlpool tick array: of another pool at offset %u", pool_at );
  int32_t start = (int32_t)get_u32( data + ARRAY_START );
  int err       = start_check( s, start );
  if( err ) return err;
  sf_u128_t bitmap = dynamic ? get_u128( data + DYNAMIC_BITMAP ) : 0;
  if( bitmap >> SF_WHIRLPOOL_ARRAY_TICKS )
    return sf_err_set( SF_ERR_DATA, "whirlpool tick array: bitmap at offset %u is too long", DYNAMIC_BITMAP );
  sf_tick_net_t net[SF_WHIRLPOOL_ARRAY_TICKS];
  uint32_t cnt = 0, at = dynamic ? DYNAMIC_TICKS : ARRAY_TICKS;
  for( int32_t i = 0; i < SF_WHIRLPOOL_ARRAY_TICKS; i++ ) {
    if( at >= len || data[at] > 1 || ( dynamic && data[at] != ( ( bitmap >> i ) & 1 ) ) )
      return sf_err_set( SF_ERR_DATA, "whirlpool tick array: offset %u does not say if tick %d is initialized", at, i );
    int32_t tick = start + i * (int32_t)s->spacing;
    if( data[at] ) {
      if( at + ARRAY_TICK_BYTES > len )
        return sf_err_set( SF_ERR_DATA, "whirlpool tick array: tick at offset %u leaves its %u bytes", at, len );
      sf_i128_t n     = (sf_i128_t)get_u128( data + at + 1 );
      sf_u128_t gross = get_u128( data + at + 17 ), size = n < 0 ? -(sf_u128_t)n : (sf_u128_t)n;
      if( size > gross || !gross )
        return sf_err_set( SF_ERR_DATA, "whirlpool tick array: liquidity at offset %u is inconsistent", at + 1 );
      if( tick < SF_TICK_MIN || tick > SF_TICK_MAX )
        return sf_err_set( SF_ERR_DATA, "whirlpool tick array: tick %d at offset %u is out of range", tick, at );
      net[cnt++] = ( sf_tick_net_t ){ .net = n, .index = tick };
    }
    at += dynamic && !data[at] ? 1 : ARRAY_TICK_BYTES;
  }
  return sf_tick_array_put( &w->arrays, &s->ticks, start / span_of( s ), span_of( s ), net, cnt );
}

int sf_orca_whirlpool_oracle_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_work_t * w ) {
  sf_orca_whirlpool_state_t * s = &w->state;
  if( len != SF_WHIRLPOOL_ORACLE_BYTES )
    return sf_err_set( SF_ERR_DATA, "whirlpool oracle: %u bytes, not %u", len, SF_WHIRLPOOL_ORACLE_BYTES );
  if( tag_of( data, len ) != TAG_ORACLE )
    return sf_err_set( SF_ERR_DATA, "whirlpool oracle: discriminator %016lx at offset 0", tag_of( data, len ) );
  if( memcmp( data + ORACLE_POOL, s->pubkey, 32 ) )
    return sf_err_set( SF_ERR_DATA, "whirlpool oracle: of another pool at offset %u", ORACLE_POOL );
  sf_whirlpool_oracle_t o = {
    .trade_enable     = sf_get_u64( data + ORACLE_TRADE_ENABLE ),
    .reference_update = sf_get_u64( data + ORACLE_REFERENCE_UPDATE ),
    .major_swap       = sf_get_u64( data + ORACLE_MAJOR_SWAP ),
    .control_factor   = get_u32( data + ORACLE_CONTROL ),
    .accumulator_max  = get_u32( data + ORACLE_ACCUMULATOR_MAX ),
    .reference        = get_u32( data + ORACLE_REFERENCE ),
    .accumulator      = get_u32( data + ORACLE_ACCUMULATOR ),
    .group_reference  = (int32_t)get_u32( data + ORACLE_GROUP_REFERENCE ),
    .filter_period    = sf_get_u16( data + ORACLE_FILTER_PERIOD ),
    .decay_period     = sf_get_u16( data + ORACLE_DECAY_PERIOD ),
    .reduction_factor = sf_get_u16( data + ORACLE_REDUCTION ),
    .group_size       = sf_get_u16( data + ORACLE_GROUP_SIZE ),
    .known            = 1,
  };
  if( !o.group_size || ( s->spacing && s->spacing % o.group_size ) )
    return sf_err_set( SF_ERR_DATA, "whirlpool oracle: group of %u ticks at offset %u", o.group_size,
                       ORACLE_GROUP_SIZE );
  if( !o.filter_period || o.decay_period <= o.filter_period || o.reduction_factor >= SF_WHIRLPOOL_REDUCTION_OF ||
      o.control_factor >= SF_WHIRLPOOL_CONTROL_OF || (uint64_t)o.accumulator_max * o.group_size > UINT32_MAX )
    return sf_err_set( SF_ERR_DATA, "whirlpool oracle: fee constants at offset %u", ORACLE_FILTER_PERIOD );
  if( o.reference > o.accumulator_max || o.accumulator > o.accumulator_max || o.group_reference < 2 * SF_TICK_MIN ||
      o.group_reference > 2 * SF_TICK_MAX )
    return sf_err_set( SF_ERR_DATA, "whirlpool oracle: fee variables at offset %u", ORACLE_REFERENCE );
  s->oracle = o;
  return 0;
}

int sf_orca_whirlpool_account( uint8_t const * data, uint32_t len, sf_orca_whirlpool_work_t * w ) {
  uint64_t tag = tag_of( data, len );
  if( tag == TAG_POOL ) return sf_orca_whirlpool_pool_decode( data, len, w );
  if( tag == TAG_ORACLE ) return sf_orca_whirlpool_oracle_decode( data, len, w );
  return sf_orca_whirlpool_array_decode( data, len, w );
}

int sf_orca_whirlpool_kind( uint8_t const * data, uint32_t len ) {
  uint64_t tag = tag_of( data, len );
  int fits = 0, pool = len == SF_WHIRLPOOL_POOL_BYTES, own = len == SF_WHIRLPOOL_ARRAY_BYTES;
  if( tag == TAG_POOL ) fits = pool;
  else if( tag == TAG_ARRAY ) fits = own;
  else if( tag == TAG_DYNAMIC ) fits = len >= SF_WHIRLPOOL_DYNAMIC_BYTES_MIN && len <= SF_WHIRLPOOL_DYNAMIC_BYTES_MAX;
  else if( tag == TAG_ORACLE ) fits = len == SF_WHIRLPOOL_ORACLE_BYTES;
  else if( !pool && !own && len != SF_WHIRLPOOL_ORACLE_BYTES ) return SF_ACCOUNT_OTHER;
  if( fits ) return tag == TAG_POOL ? SF_ACCOUNT_POOL : SF_ACCOUNT_OWN;
  return sf_err_set( SF_ERR_DATA, "whirlpool: %u bytes with discriminator %016lx at offset 0", len, tag );
}

uint8_t const * sf_orca_whirlpool_pool_of( uint8_t const * data ) {
  uint64_t tag = sf_get_u64( data );
  return data + ( tag == TAG_ARRAY ? ARRAY_POOL : tag == TAG_DYNAMIC ? DYNAMIC_POOL : ORACLE_POOL );
}

/* -- how far a swap can go ------------------------------------------------------------------------- */

uint32_t sf_orca_whirlpool_array_starts( uint32_t spacing, int32_t tick, int a_to_b,
                                         int32_t start[SF_WHIRLPOOL_SWAP_ARRAYS] ) {
  int32_t span = SF_WHIRLPOOL_ARRAY_TICKS * (int32_t)spacing, first = sf_tick_floor( tick, span );
  if( !a_to_b && tick + (int32_t)spacing >= first + span ) first += span;
  uint32_t cnt = 0;
  for( int32_t i = 0; i < SF_WHIRLPOOL_SWAP_ARRAYS; i++ ) {
    int64_t at = first + (int64_t)( a_to_b ? -i : i ) * span;
    if( at + span > SF_TICK_MIN && at < SF_TICK_MAX ) start[cnt++] = (int32_t)at;
  }
  return cnt;
}

static void end_find( sf_orca_whirlpool_work_t const * w, int up, sf_end_t * end ) {
  sf_ticks_t const * t = &w->state.ticks;
  int32_t start[SF_WHIRLPOOL_SWAP_ARRAYS], span = span_of( &w->state ), spacing = (int32_t)w->state.spacing;
  uint32_t cnt = sf_orca_whirlpool_array_starts( w->state.spacing, t->tick, !up, start ), known = 0;
  while( known < cnt && ( w->complete || sf_tick_array_known( &w->arrays, start[known] / span ) ) ) known++;
  *end = ( sf_end_t ){ .sqrt_price = t->sqrt_price,
                       .index      = up ? t->tick : t->tick + 1,
                       .status     = known < cnt ? SF_QUOTE_EXHAUSTED : SF_QUOTE_REFUSED,
                       .error      = cnt ? SF_WHIRLPOOL_ERR_ARRAYS_END : SF_WHIRLPOOL_ERR_SEQUENCE };
  if( !known ) return;
  int32_t last = start[known - 1], last_tick = last + span - spacing;
  uint32_t at = sf_ticks_place( t, last_tick );
  end->index  = up ? last + span - 1 : last;
  if( up && at && t->list[at - 1].index == last_tick )
    end->index = last_tick; /* having crossed it, it asks for the next array */
  else if( up ? end->index >= SF_TICK_MAX : end->index <= SF_TICK_MIN ) {
    end->index  = up ? SF_TICK_MAX : SF_TICK_MIN;
    end->status = SF_QUOTE_OK;
    end->error  = 0;
  }
  end->sqrt_price = sf_tick_price_orca( end->index );
}

int sf_orca_whirlpool_prepare( sf_orca_whirlpool_work_t * w ) {
  if( !w->state.spacing ) return sf_err_set( SF_ERR_DATA, "whirlpool: its pool account is not known yet" );
  for( int up = 0; up < 2; up++ ) end_find( w, up, &w->state.ticks.end[up] );
  return sf_ticks_prepare( &w->arrays, &w->state.ticks );
}

uint32_t sf_orca_whirlpool_travel( sf_orca_whirlpool_work_t const * w, uint32_t max, sf_orca_whirlpool_state_t * out ) {
  sf_ticks_t const * t = &w->state.ticks;
  uint32_t head        = offsetof( sf_orca_whirlpool_state_t, ticks );
  uint32_t entries     = ( max - head - (uint32_t)offsetof( sf_ticks_t, list ) ) / (uint32_t)sizeof( sf_tick_t );
  memcpy( out, &w->state, head );
  return head + sf_ticks_travel( t, t->end[0].at, t->end[1].at, entries, SF_WHIRLPOOL_ERR_ARRAYS_END, &out->ticks );
}

/* -- quotes --------------------------------------------------------------------------------------- */

void sf_orca_whirlpool_quote( sf_orca_whirlpool_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                              sf_u128_t limit, uint64_t now, sf_quote_t * q ) {
  sf_transfer_fee_t const *fee_in = &s->transfer_fee[!a_to_b], *fee_out = &s->transfer_fee[!!a_to_b];
  uint64_t swapped = amount;
  if( __builtin_expect( s->adaptive, 0 ) ) {
    if( !s->oracle.known ) {
      sf_ticks_refuse( q, 0 );
      return;
    }
    if( now < s->oracle.trade_enable ) {
      sf_ticks_refuse( q, SF_WHIRLPOOL_ERR_NOT_ENABLED );
      return;
    }
  }
  if( exact_in ) swapped -= sf_transfer_fee_of( fee_in, amount );
  else if( sf_transfer_fee_before( fee_out, amount, &swapped ) ) {
    sf_ticks_refuse( q, SF_WHIRLPOOL_ERR_TRANSFER_FEE );
    return;
  }
  if( __builtin_expect( limit != 0, 0 ) ) {
    if( limit < SF_SQRT_PRICE_MIN || limit > SF_SQRT_PRICE_MAX_ORCA ) {
      sf_ticks_refuse( q, SF_WHIRLPOOL_ERR_PRICE_BOUNDS );
      return;
    }
    if( a_to_b ? limit > s->ticks.sqrt_price : limit < s->ticks.sqrt_price ) {
      sf_ticks_refuse( q, SF_WHIRLPOOL_ERR_DIRECTION );
      return;
    }
  }
  if( __builtin_expect( !swapped, 0 ) ) {
    sf_ticks_refuse( q, SF_WHIRLPOOL_ERR_ZERO );
    return;
  }
  if( __builtin_expect( s->adaptive, 0 ) ) {
    sf_ticks_refuse( q, 0 );
    sf_orca_whirlpool_adaptive( s, a_to_b, exact_in, swapped, limit, now, q );
  } else {
    sf_u128_t stop = limit ? limit : a_to_b ? SF_SQRT_PRICE_MIN : SF_SQRT_PRICE_MAX_ORCA;
    sf_ticks_swap( &s->ticks, a_to_b, exact_in, swapped, stop, q );
  }
  if( !limit && !exact_in && q->status == SF_QUOTE_OK && q->amount_out != swapped ) {
    q->status = SF_QUOTE_REFUSED;
    q->error  = SF_WHIRLPOOL_ERR_PARTIAL;
  }
  if( __builtin_expect( !( fee_in->bps | fee_out->bps ), 1 ) || q->status == SF_QUOTE_REFUSED ) return;
  if( sf_ticks_paid( fee_in, fee_out, exact_in && q->amount_in == swapped ? amount : 0, q ) )
    sf_ticks_refuse( q, SF_WHIRLPOOL_ERR_TRANSFER_FEE );
}

void sf_orca_whirlpool_quote_in( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                 sf_quote_t * q ) {
  sf_orca_whirlpool_quote( s, a_to_b, 1, amount_in, 0, now, q );
}

void sf_orca_whirlpool_quote_out( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                  sf_quote_t * q ) {
  sf_orca_whirlpool_quote( s, a_to_b, 0, amount_out, 0, now, q );
}
