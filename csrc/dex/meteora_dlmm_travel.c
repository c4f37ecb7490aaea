#include <string.h>

#include "dex/meteora_dlmm_math.h"

/* A bin with liquidity on the way, as found in the arrays. */
typedef struct sf_dlmm_find {
  int32_t id;
  int up;
  uint32_t arrays; /* that may still be entered */
  int32_t entered; /* array that `id` is in */
  sf_dlmm_array_t const * array;
  sf_dlmm_bin_t const * bin; /* 0: the way ends */
  sf_dlmm_end_t end;
} sf_dlmm_find_t;

/* What the layers of a bin hold in a direction; how many there are. */
static uint32_t layers_of( sf_meteora_dlmm_state_t const * s, sf_dlmm_bin_t const * bin, int up,
                           uint64_t out[SF_DLMM_LAYERS] ) {
  int orders = s->newest && s->limit_orders && bin->order_side == (uint32_t)!up;
  out[0]     = bin->amount[!up];
  out[1]     = orders ? bin->order_left : 0;
  out[2]     = orders ? bin->open_order : 0;
  if( out[1] | out[2] ) return SF_DLMM_LAYERS;
  return out[0] ? 1 : 0;
}

static void find_end( sf_dlmm_find_t * f, uint32_t status, uint32_t error, int32_t id ) {
  f->bin = 0;
  f->end = ( sf_dlmm_end_t ){ status, error, id };
}

/* Goes on to the next bin with liquidity, from f->id on. */
static void find_next( sf_meteora_dlmm_work_t const * w, sf_dlmm_find_t * f ) {
  int32_t by = f->up ? 1 : -1;
  uint64_t out[SF_DLMM_LAYERS];
  for( ;; ) {
    int32_t at = sf_meteora_dlmm_array_of( f->id ), next = at;
    if( !f->array || f->entered != at ) {
      uint32_t error = sf_meteora_dlmm_array_next( w, !f->up, at, &next );
      if( error ) return find_end( f, SF_QUOTE_REFUSED, error, f->id );
      if( next != at ) f->id = f->up ? next * SF_DLMM_ARRAY_BINS : next * SF_DLMM_ARRAY_BINS + SF_DLMM_ARRAY_BINS - 1;
      f->array   = 0;
      f->entered = next;
      for( uint32_t k = 0; k < w->array_cnt && f->arrays; k++ )
        if( w->array[k].index == next ) f->array = &w->array[k];
      if( !f->array ) return find_end( f, SF_QUOTE_EXHAUSTED, 0, f->id );
      f->arrays--;
    }
    int32_t first = f->entered * SF_DLMM_ARRAY_BINS;
    for( ; f->id >= first && f->id < first + SF_DLMM_ARRAY_BINS; f->id += by ) {
      if( f->id < -SF_DLMM_ID_MAX || f->id > SF_DLMM_ID_MAX )
        return find_end( f, SF_QUOTE_REFUSED, SF_DLMM_ERR_LIQUIDITY, f->id - by );
      f->bin = &f->array->bin[f->id - first];
      if( f->bin->price && layers_of( &w->head, f->bin, f->up, out ) ) return;
    }
    if( f->id < -SF_DLMM_ID_MAX || f->id > SF_DLMM_ID_MAX )
      return find_end( f, SF_QUOTE_REFUSED, SF_DLMM_ERR_LIQUIDITY, f->id - by );
  }
}

static sf_dlmm_find_t find_first( sf_meteora_dlmm_work_t const * w, int up, uint32_t arrays ) {
  sf_dlmm_find_t f = { .id = w->head.active, .up = up, .arrays = arrays };
  find_next( w, &f );
  return f;
}

static void find_further( sf_meteora_dlmm_work_t const * w, sf_dlmm_find_t * f ) {
  f->id += f->up ? 1 : -1;
  find_next( w, f );
}

static void references( sf_meteora_dlmm_state_t * s ) {
  uint64_t reduced              = (uint64_t)s->accumulator * s->reduction_factor;
  s->reference[SF_DLMM_RECENT]  = ( sf_dlmm_reference_t ){ s->index_reference, s->volatility_reference, 0 };
  s->reference[SF_DLMM_DECAYED] = ( sf_dlmm_reference_t ){ s->active, (uint32_t)reduced / SF_BPS, reduced >> 32 != 0 };
  s->reference[SF_DLMM_OLD]     = ( sf_dlmm_reference_t ){ s->active, 0, 0 };
}

/* Works out the fee of emptying a bin, which then is the same for every input that is more than enough and every output
   that is all or more.  No `room`: just the price. */
static void near_make( sf_meteora_dlmm_state_t const * s, int up, sf_u128_t price, int room, sf_dlmm_step_t * b,
                       sf_dlmm_near_t * near ) {
  *near                 = ( sf_dlmm_near_t ){ .price = { (uint64_t)price, (uint64_t)( price >> 64 ) } };
  sf_dlmm_whole_t whole = { 0 };
  if( !room ) return;
  for( uint32_t i = 0; i < b->layers; i++ )
    if( b[i].overflow || __builtin_add_overflow( whole.in, b[i].in, &whole.in ) ||
        __builtin_add_overflow( whole.out, b[i].out, &whole.out ) )
      return;
  if( whole.in >> 63 || whole.out == UINT64_MAX ) return;
  for( uint32_t r = 0; r < SF_DLMM_REFERENCES; r++ ) {
    uint64_t rate = sf_dlmm_rate_at( s, &s->reference[r], b->id );
    near->fee[r] =
        sf_dlmm_fee_in( s, !up ) ? sf_dlmm_fee_on_top( whole.in, rate ) : sf_dlmm_fee_inside( whole.out, rate );
    if( sf_dlmm_fee_in( s, !up ) || near->fee[r] < whole.out ) b->drained = (uint8_t)( b->drained | 1u << r );
    if( b->layers > 1 ) whole.protocol[r] = sf_dlmm_protocol_of( s, near->fee[r], b->in, whole.in );
  }
  if( b->layers > 1 ) memcpy( near + 1, &whole, sizeof( whole ) );
}

/* Writes the steps and what is near of a direction for which there is room. */
static void way_write( sf_meteora_dlmm_work_t const * w, int up, uint32_t arrays, sf_meteora_dlmm_state_t * s ) {
  sf_dlmm_way_t const * way = &s->way[up];
  sf_dlmm_step_t * step     = (sf_dlmm_step_t *)( (uint8_t *)s + way->step_at );
  sf_dlmm_near_t * near     = (sf_dlmm_near_t *)( (uint8_t *)s + way->near_at );
  sf_dlmm_find_t f          = find_first( w, up, arrays );
  for( uint32_t at = 0, near_at = 0; at < way->step_cnt; find_further( w, &f ) ) {
    uint64_t out[SF_DLMM_LAYERS];
    uint32_t layers = layers_of( s, f.bin, up, out ), first = at, more = sf_meteora_dlmm_near_of( layers );
    for( uint32_t i = 0; i < layers; i++, at++ ) {
      step[at]          = ( sf_dlmm_step_t ){ .out = out[i], .id = f.id, .layers = (uint8_t)layers };
      step[at].overflow = sf_dlmm_needs( f.bin->price, !up, out[i], &step[at].in ) != 0;
    }
    if( near_at < way->near_cnt )
      near_make( s, up, f.bin->price, near_at + more <= way->near_cnt, &step[first], &near[near_at] );
    near_at += more;
  }
}

uint32_t sf_meteora_dlmm_travel( sf_meteora_dlmm_work_t const * w, uint32_t arrays, uint32_t bytes,
                                 sf_meteora_dlmm_state_t * s ) {
  *s = w->head;
  references( s );
  uint32_t room = bytes - (uint32_t)sizeof( *s ), bins[2] = { 0, 0 }, nears[2] = { 0, 0 }, open = 3;
  sf_dlmm_find_t f[2] = { find_first( w, 0, arrays ), find_first( w, 1, arrays ) };
  for( int up = 0; up < 2; up++ ) {
    sf_dlmm_way_t * way = &s->way[up];
    int32_t index       = sf_meteora_dlmm_array_of( s->active );
    *way = ( sf_dlmm_way_t ){ .value = (double)sf_meteora_dlmm_price( s->active, s->bin_step ) / 0x1p64 };
    if( up ) way->value = 1. / way->value;
    while( way->array_cnt < SF_DLMM_WAY_ARRAYS && !sf_meteora_dlmm_array_next( w, !up, index, &index ) ) {
      way->array[way->array_cnt++] = index;
      index += up ? 1 : -1;
    }
  }
  /* how many steps: of the direction that has fewer bins, while it has one that fits */
  while( open ) {
    int up              = open == 3 ? bins[1] < bins[0] : open == 2;
    sf_dlmm_way_t * way = &s->way[up];
    uint64_t out[SF_DLMM_LAYERS];
    uint32_t layers = f[up].bin ? layers_of( s, f[up].bin, up, out ) : 0;
    uint32_t near   = bins[up] < SF_DLMM_NEAR ? sf_meteora_dlmm_near_of( layers ) : 0;
    uint32_t needed = layers * (uint32_t)sizeof( sf_dlmm_step_t ) + near * (uint32_t)sizeof( sf_dlmm_near_t );
    if( !layers || needed > room ) {
      way->end = layers ? ( sf_dlmm_end_t ){ SF_QUOTE_EXHAUSTED, 0, f[up].id } : f[up].end;
      open &= ~( 1u << up );
      continue;
    }
    room -= needed;
    way->step_cnt += layers;
    way->near_cnt += near;
    nears[up] += sf_meteora_dlmm_near_of( layers );
    bins[up]++;
    find_further( w, &f[up] );
  }
  for( int up = 0; up < 2; up++ ) {
    uint32_t more = nears[up] - s->way[up].near_cnt, most = room / ( up ? 1 : 2 ) / (uint32_t)sizeof( sf_dlmm_near_t );
    if( more > most ) more = most; /* may end within a bin: of that the price is there */
    s->way[up].near_cnt += more;
    room -= more * (uint32_t)sizeof( sf_dlmm_near_t );
  }
  uint32_t at = (uint32_t)sizeof( *s );
  for( int up = 0; up < 2; up++ ) {
    s->way[up].step_at = at;
    at += s->way[up].step_cnt * (uint32_t)sizeof( sf_dlmm_step_t );
  }
  for( int up = 0; up < 2; up++ ) {
    s->way[up].near_at = at;
    at += s->way[up].near_cnt * (uint32_t)sizeof( sf_dlmm_near_t );
  }
  for( int up = 0; up < 2; up++ ) way_write( w, up, arrays, s );
  uint32_t rest = -at % 16;
  memset( (uint8_t *)s + at, 0, rest );
  return at + rest;
}
