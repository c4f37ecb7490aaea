#include "dex/orca_whirlpool.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
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

#define ACCUMULATOR_SCALE  10000u
#define REDUCTION_OF       10000u
#define CONTROL_OF         100000u
#define ADAPTIVE_FEE_MAX   100000u /* per 10^6, all in all */
#define REFERENCE_AGE_MAX  3600u   /* seconds */
#define PAIR_POWER( a, b ) ( (sf_u128_t)( a ) * ( b ) )

static sf_tick_rules_t const rules = { sf_tick_price_orca, SF_SQRT_PRICE_MAX_ORCA, SF_SHARE_BPS, 1 };

uint8_t const sf_orca_whirlpool_program[32] = {
  0x0e, 0x03, 0x68, 0x5f, 0x8e, 0x90, 0x90, 0x53, 0xe4, 0x58, 0x12, 0x1c, 0x66, 0xf5, 0xa7, 0x6a,
  0xed, 0xc7, 0x70, 0x6a, 0xa1, 0x1c, 0x82, 0xf8, 0xaa, 0x95, 0x2a, 0x8f, 0x2b, 0x78, 0x79, 0xa9,
};

/* -- accounts ------------------------------------------------------------------------------------- */

static sf_u128_t get_u128( uint8_t const * p ) { return (sf_u128_t)sf_get_u64( p + 8 ) << 64 | sf_get_u64( p ); }

static uint32_t get_u32( uint8_t const * p ) {
  uint32_t v;
  memcpy( &v, p, sizeof( v ) );
  return v;
}

static uint64_t tag_of( uint8_t const * data, uint32_t len ) { return len >= 8 ? sf_get_u64( data ) : 0; }

void sf_orca_whirlpool_clear( sf_orca_whirlpool_state_t * s, uint8_t const pubkey[32] ) {
  memset( s, 0, offsetof( sf_orca_whirlpool_state_t, ticks ) );
  memcpy( s->pubkey, pubkey, 32 );
  for( int i = 0; i < 2; i++ ) memcpy( s->program[i], sf_program_token, 32 );
  sf_ticks_clear( &s->ticks, &rules );
}

int sf_orca_whirlpool_pool_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_state_t * s ) {
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
  for( int i = 0; i < 2; i++ ) {
    memcpy( s->mint[i], data + POOL_MINT + POOL_SIDE * i, 32 );
    memcpy( s->vault[i], data + POOL_VAULT + POOL_SIDE * i, 32 );
  }
  s->spacing          = spacing;
  s->adaptive         = sf_get_u16( data + POOL_FEE_TIER ) != spacing;
  s->ticks.fee_ppm    = fee;
  s->ticks.share[0]   = share;
  s->ticks.sqrt_price = sqrt_price;
  s->ticks.tick       = tick;
  s->ticks.liquidity  = get_u128( data + POOL_LIQUIDITY );
  return 0;
}

static int array_known( sf_orca_whirlpool_state_t const * s, int32_t start ) {
  for( uint32_t i = 0; i < s->array_cnt; i++ )
    if( s->array[i] == start ) return 1;
  return 0;
}

static int start_check( sf_orca_whirlpool_state_t const * s, int32_t start ) {
  if( !s->spacing ) return sf_err_set( SF_ERR_DATA, "whirlpool tick array: its pool is not known yet" );
  int32_t span = SF_WHIRLPOOL_ARRAY_TICKS * (int32_t)s->spacing;
  if( start < sf_tick_floor( SF_TICK_MIN, span ) || start > SF_TICK_MAX || sf_tick_floor( start, span ) != start )
    return sf_err_set( SF_ERR_DATA, "whirlpool tick array: start tick %d at offset %u", start, ARRAY_START );
  if( !array_known( s, start ) && s->array_cnt == SF_WHIRLPOOL_ARRAYS_MAX )
    return sf_err_set( SF_ERR_FULL, "whirlpool: more than %u tick arrays", SF_WHIRLPOOL_ARRAYS_MAX );
  return 0;
}

static int array_put( sf_orca_whirlpool_state_t * s, int32_t start, int32_t const * index, sf_i128_t const * net,
                      uint32_t cnt ) {
  int32_t span = SF_WHIRLPOOL_ARRAY_TICKS * (int32_t)s->spacing;
  int err      = sf_ticks_replace( &s->ticks, start, start + span, index, net, cnt );
  if( err || array_known( s, start ) ) return err;
  uint32_t i = s->array_cnt++;
  for( ; i && s->array[i - 1] > start; i-- ) s->array[i] = s->array[i - 1];
  s->array[i] = start;
  return 0;
}

int sf_orca_whirlpool_array_absent( sf_orca_whirlpool_state_t * s, int32_t start ) {
  int err = start_check( s, start );
  return err ? err : array_put( s, start, 0, 0, 0 );
}

/* The ticks of both kinds of array: a byte that says if it is initialized; then net and gross liquidity and more,
   which a dynamic array leaves out for the others. */
int sf_orca_whirlpool_array_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_state_t * s ) {
  uint64_t tag = tag_of( data, len );
  int dynamic  = tag == TAG_DYNAMIC;
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
  int32_t index[SF_WHIRLPOOL_ARRAY_TICKS];
  sf_i128_t net[SF_WHIRLPOOL_ARRAY_TICKS];
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
      index[cnt] = tick;
      net[cnt++] = n;
    }
    at += dynamic && !data[at] ? 1 : ARRAY_TICK_BYTES;
  }
  return array_put( s, start, index, net, cnt );
}

int sf_orca_whirlpool_oracle_decode( uint8_t const * data, uint32_t len, sf_orca_whirlpool_state_t * s ) {
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
  if( !o.filter_period || o.decay_period <= o.filter_period || o.reduction_factor >= REDUCTION_OF ||
      o.control_factor >= CONTROL_OF || PAIR_POWER( o.accumulator_max, o.group_size ) > UINT32_MAX )
    return sf_err_set( SF_ERR_DATA, "whirlpool oracle: fee constants at offset %u", ORACLE_FILTER_PERIOD );
  if( o.reference > o.accumulator_max || o.accumulator > o.accumulator_max || o.group_reference < 2 * SF_TICK_MIN ||
      o.group_reference > 2 * SF_TICK_MAX )
    return sf_err_set( SF_ERR_DATA, "whirlpool oracle: fee variables at offset %u", ORACLE_REFERENCE );
  s->oracle = o;
  return 0;
}

int sf_orca_whirlpool_account( uint8_t const * data, uint32_t len, sf_orca_whirlpool_state_t * s ) {
  uint64_t tag = tag_of( data, len );
  if( tag == TAG_POOL ) return sf_orca_whirlpool_pool_decode( data, len, s );
  if( tag == TAG_ORACLE ) return sf_orca_whirlpool_oracle_decode( data, len, s );
  return sf_orca_whirlpool_array_decode( data, len, s );
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

static int tick_known( sf_ticks_t const * t, int32_t index ) {
  for( uint32_t i = 0; i < t->cnt; i++ )
    if( t->index[i] == index ) return 1;
  return 0;
}

static void end_find( sf_orca_whirlpool_state_t const * s, int up, sf_end_t * end ) {
  int32_t start[SF_WHIRLPOOL_SWAP_ARRAYS], span = SF_WHIRLPOOL_ARRAY_TICKS * (int32_t)s->spacing;
  uint32_t cnt = sf_orca_whirlpool_array_starts( s->spacing, s->ticks.tick, !up, start ), known = 0;
  while( known < cnt && array_known( s, start[known] ) ) known++;
  *end = ( sf_end_t ){ .sqrt_price = s->ticks.sqrt_price,
                       .index      = up ? s->ticks.tick : s->ticks.tick + 1,
                       .status     = known < cnt ? SF_QUOTE_EXHAUSTED : SF_QUOTE_REFUSED,
                       .error      = cnt ? SF_WHIRLPOOL_ERR_ARRAYS_END : SF_WHIRLPOOL_ERR_SEQUENCE };
  if( !known ) return;
  int32_t last = start[known - 1], last_tick = last + ( SF_WHIRLPOOL_ARRAY_TICKS - 1 ) * (int32_t)s->spacing;
  end->index = up ? last + span - 1 : last;
  if( up && tick_known( &s->ticks, last_tick ) )
    end->index = last_tick; /* having crossed it, it asks for the next array */
  else if( up ? end->index >= SF_TICK_MAX : end->index <= SF_TICK_MIN ) {
    end->index  = up ? SF_TICK_MAX : SF_TICK_MIN;
    end->status = SF_QUOTE_OK;
    end->error  = 0;
  }
  end->sqrt_price = sf_tick_price_orca( end->index );
}

int sf_orca_whirlpool_prepare( sf_orca_whirlpool_state_t * s ) {
  if( !s->spacing ) return sf_err_set( SF_ERR_DATA, "whirlpool: its pool account is not known yet" );
  for( int up = 0; up < 2; up++ ) end_find( s, up, &s->ticks.end[up] );
  return sf_ticks_prepare( &s->ticks );
}

/* -- the adaptive fee ----------------------------------------------------------------------------- */

typedef struct fee_walk {
  sf_whirlpool_oracle_t o;
  int32_t group;
  int32_t core[2];         /* groups below and above which the accumulator is at its maximum */
  sf_u128_t core_price[2]; /* 0: beyond all ticks */
} fee_walk_t;

static void accumulate( fee_walk_t * w ) {
  int64_t delta    = (int64_t)w->o.group_reference - w->group;
  uint64_t sum     = w->o.reference + (uint64_t)( delta < 0 ? -delta : delta ) * ACCUMULATOR_SCALE;
  w->o.accumulator = sum < w->o.accumulator_max ? (uint32_t)sum : w->o.accumulator_max;
}

static int32_t group_of( fee_walk_t const * w, int32_t tick ) {
  return sf_tick_floor( tick, w->o.group_size ) / w->o.group_size;
}

static int fee_walk_begin( fee_walk_t * w, sf_orca_whirlpool_state_t const * s, uint64_t now ) {
  w->o          = s->oracle;
  w->group      = group_of( w, s->ticks.tick );
  uint64_t last = w->o.reference_update > w->o.major_swap ? w->o.reference_update : w->o.major_swap;
  if( now < last ) return -1;
  uint64_t age = now - w->o.reference_update, elapsed = now - last;
  if( age > REFERENCE_AGE_MAX || elapsed >= w->o.decay_period ) {
    w->o.group_reference = w->group;
    w->o.reference       = 0;
  } else if( elapsed >= w->o.filter_period ) {
    w->o.group_reference = w->group;
    w->o.reference       = (uint32_t)( (uint64_t)w->o.accumulator * w->o.reduction_factor / REDUCTION_OF );
  }
  int64_t reach = ( w->o.accumulator_max - w->o.reference + ACCUMULATOR_SCALE - 1 ) / ACCUMULATOR_SCALE;
  for( int up = 0; up < 2; up++ ) {
    int64_t group = w->o.group_reference + ( up ? reach : -reach ), tick = ( group + up ) * w->o.group_size;
    w->core[up]       = (int32_t)group;
    w->core_price[up] = tick > SF_TICK_MIN && tick < SF_TICK_MAX ? sf_tick_price_orca( (int32_t)tick ) : 0;
  }
  return 0;
}

static uint32_t fee_now( fee_walk_t const * w, uint32_t fee_ppm ) {
  uint64_t crossed = (uint64_t)w->o.accumulator * w->o.group_size;
  sf_u128_t per    = (sf_u128_t)CONTROL_OF * ACCUMULATOR_SCALE * ACCUMULATOR_SCALE;
  sf_u128_t added  = ( PAIR_POWER( crossed, crossed ) * w->o.control_factor + per - 1 ) / per;
  uint64_t fee     = fee_ppm + ( added > ADAPTIVE_FEE_MAX ? ADAPTIVE_FEE_MAX : (uint64_t)added );
  return fee > ADAPTIVE_FEE_MAX ? ADAPTIVE_FEE_MAX : (uint32_t)fee;
}

/* The price up to which one fee holds.  Returns 1 if groups can be skipped: the fee does not change in them. */
static int fee_bound( fee_walk_t const * w, int up, sf_u128_t depth, sf_u128_t target, sf_u128_t * bound ) {
  *bound = target;
  if( !w->o.control_factor || !depth ) return 1;
  for( int side = 0; side < 2; side++ ) {
    if( !w->core_price[side] || !( side ? w->group > w->core[1] : w->group < w->core[0] ) ) continue;
    if( side != up && ( up ? w->core_price[0] < target : w->core_price[1] > target ) ) *bound = w->core_price[side];
    return 1;
  }
  int64_t tick = (int64_t)( w->group + up ) * w->o.group_size;
  tick         = tick < SF_TICK_MIN ? SF_TICK_MIN : tick > SF_TICK_MAX ? SF_TICK_MAX : tick;
  sf_u128_t p  = sf_tick_price_orca( (int32_t)tick );
  if( up ? p < target : p > target ) *bound = p;
  return 0;
}

static void fee_skip( fee_walk_t * w, int up, sf_u128_t price, sf_u128_t next_price, int32_t next_index ) {
  int32_t tick = next_index;
  int edge     = tick % w->o.group_size == 0;
  if( price != next_price ) {
    tick = sf_tick_of_price( price, sf_tick_price_orca );
    edge = tick % w->o.group_size == 0 && price == sf_tick_price_orca( tick );
  }
  int32_t passed = edge && up ? tick / w->o.group_size - 1 : group_of( w, tick );
  if( up ? passed > w->group : passed < w->group ) {
    w->group = passed;
    accumulate( w );
  }
}

static void adaptive_swap( sf_orca_whirlpool_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                           sf_u128_t limit, uint64_t now, sf_quote_t * q ) {
  sf_ticks_t const * t = &s->ticks;
  int up               = !a_to_b;
  sf_end_t const * end = &t->end[up];
  sf_u128_t price      = t->sqrt_price;
  uint64_t left = amount, other = 0;
  uint32_t i   = t->at;
  int32_t tick = t->tick;
  fee_walk_t w;
  if( !limit ) limit = up ? SF_SQRT_PRICE_MAX_ORCA : SF_SQRT_PRICE_MIN;
  q->status = SF_QUOTE_REFUSED;
  q->error  = SF_WHIRLPOOL_ERR_TIMESTAMP;
  if( fee_walk_begin( &w, s, now ) ) return;
  q->error = 0;
  while( left && price != limit ) {
    int last = i == end->at;
    if( last && price == end->sqrt_price ) {
      tick = up ? end->index : end->index - 1;
      break;
    }
    uint32_t at          = up ? i : i - 1;
    sf_u128_t next_price = last ? end->sqrt_price : t->price[at];
    int32_t next_index   = last ? end->index : t->index[at];
    sf_u128_t target = ( up ? limit < next_price : limit > next_price ) ? limit : next_price, depth = t->depth[i];
    do {
      sf_u128_t bound;
      sf_tick_step_t step;
      accumulate( &w );
      int skip = fee_bound( &w, up, depth, target, &bound );
      if( sf_tick_step( &rules, depth, price, bound, left, fee_now( &w, t->fee_ppm ), a_to_b, exact_in, &step ) )
        return;
      uint64_t in = step.in + step.fee;
      if( in < step.fee || __builtin_add_overflow( other, exact_in ? step.out : in, &other ) ) return;
      left -= exact_in ? in : step.out;
      q->fee += step.fee;
      q->protocol_fee += (uint64_t)( (sf_u128_t)step.fee * t->share[0] / SF_SHARE_BPS );
      if( step.sqrt_price == next_price ) {
        if( !last ) i = up ? i + 1 : i - 1;
        if( t->stretch[up][i].flags & SF_STRETCH_WRONG ) return;
        tick = up ? next_index : next_index - 1;
      } else if( step.sqrt_price != price ) tick = sf_tick_of_price( step.sqrt_price, sf_tick_price_orca );
      price = step.sqrt_price;
      if( skip ) fee_skip( &w, up, price, next_price, next_index );
      w.group += up ? 1 : -1;
    } while( left && price != target );
  }
  q->status     = SF_QUOTE_OK;
  q->amount_in  = exact_in ? amount - left : other;
  q->amount_out = exact_in ? other : amount - left;
  q->sqrt_price = price;
  q->tick       = tick;
  q->liquidity  = t->depth[i];
  q->crossed    = up ? i - t->at : t->at - i;
  q->impact_ppm = sf_tick_impact( t->value[up], q->amount_in - q->fee, q->amount_out );
  if( left && price != limit ) {
    q->status = end->status;
    q->error  = end->error;
  }
}

/* -- quotes --------------------------------------------------------------------------------------- */

static void refuse( sf_quote_t * q, uint32_t error ) {
  memset( q, 0, sizeof( *q ) );
  q->status       = SF_QUOTE_REFUSED;
  q->error        = error;
  q->fee_in_input = 1;
}

void sf_orca_whirlpool_quote( sf_orca_whirlpool_state_t const * s, int a_to_b, int exact_in, uint64_t amount,
                              sf_u128_t limit, uint64_t now, sf_quote_t * q ) {
  sf_transfer_fee_t const *fee_in = &s->transfer_fee[!a_to_b], *fee_out = &s->transfer_fee[!!a_to_b];
  uint64_t swapped = amount;
  if( __builtin_expect( s->adaptive, 0 ) ) {
    if( !s->oracle.known ) {
      refuse( q, 0 );
      return;
    }
    if( now < s->oracle.trade_enable ) {
      refuse( q, SF_WHIRLPOOL_ERR_NOT_ENABLED );
      return;
    }
  }
  if( exact_in ) swapped -= sf_transfer_fee_of( fee_in, amount );
  else if( sf_transfer_fee_before( fee_out, amount, &swapped ) ) {
    refuse( q, SF_WHIRLPOOL_ERR_TRANSFER_FEE );
    return;
  }
  if( __builtin_expect( limit != 0, 0 ) ) {
    if( limit < SF_SQRT_PRICE_MIN || limit > SF_SQRT_PRICE_MAX_ORCA ) {
      refuse( q, SF_WHIRLPOOL_ERR_PRICE_BOUNDS );
      return;
    }
    if( a_to_b ? limit > s->ticks.sqrt_price : limit < s->ticks.sqrt_price ) {
      refuse( q, SF_WHIRLPOOL_ERR_DIRECTION );
      return;
    }
  }
  if( __builtin_expect( !swapped, 0 ) ) {
    refuse( q, SF_WHIRLPOOL_ERR_ZERO );
    return;
  }
  if( __builtin_expect( s->adaptive, 0 ) ) {
    refuse( q, 0 );
    adaptive_swap( s, a_to_b, exact_in, swapped, limit, now, q );
  } else {
    sf_u128_t stop = limit ? limit : a_to_b ? SF_SQRT_PRICE_MIN : SF_SQRT_PRICE_MAX_ORCA;
    sf_ticks_swap( &s->ticks, a_to_b, exact_in, swapped, stop, q );
  }
  if( !limit && !exact_in && q->status == SF_QUOTE_OK && q->amount_out != swapped ) {
    q->status = SF_QUOTE_REFUSED;
    q->error  = SF_WHIRLPOOL_ERR_PARTIAL;
  }
  if( __builtin_expect( !( fee_in->bps | fee_out->bps ), 1 ) || q->status == SF_QUOTE_REFUSED ) return;
  int whole = exact_in && q->amount_in == swapped;
  if( whole ) q->amount_in = amount;
  else if( sf_transfer_fee_before( fee_in, q->amount_in, &q->amount_in ) ) {
    refuse( q, SF_WHIRLPOOL_ERR_TRANSFER_FEE );
    return;
  }
  q->amount_out -= sf_transfer_fee_of( fee_out, q->amount_out );
}

void sf_orca_whirlpool_quote_in( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                 sf_quote_t * q ) {
  sf_orca_whirlpool_quote( s, a_to_b, 1, amount_in, 0, now, q );
}

void sf_orca_whirlpool_quote_out( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                  sf_quote_t * q ) {
  sf_orca_whirlpool_quote( s, a_to_b, 0, amount_out, 0, now, q );
}
