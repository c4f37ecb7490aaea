/* tick_venue.h: what must hold of a venue with ticks, seen through its row alone: over real accounts, every length of them,
   flipped bits, and accounts that arrive one by one. */

#ifndef SF_TESTS_TICK_VENUE_H
#define SF_TESTS_TICK_VENUE_H

#include <math.h>

#include "base/rng.h"
#include "check.h"
#include "dex/venue.h"
#include "dump.h"
#include "solana/program.h"

#define NOW       2000000000
#define PARTS_MAX 16

typedef struct part {
  uint32_t part; /* SF_PART_* */
  uint8_t * data;
  uint32_t len;
} part_t;

/* A pool as its venue lays it out, with its accounts: the pool first. */
typedef struct tick_venue {
  sf_venue_t const * row;
  uint32_t state_at;               /* in a work */
  uint32_t liquidity, price, tick; /* offsets in the pool's account */
  uint32_t net, tick_bytes;        /* of the first tick's net liquidity in an array; gross comes 16 later */
  uint8_t key[32];
  part_t part[PARTS_MAX];
  uint32_t cnt;
  void *work, *spare, *shared;
  sf_pool_names_t names;
} tick_venue_t;

static uint8_t mint_bytes[82] = { [45] = 1 }; /* initialized, nothing more */

static void part_add( tick_venue_t * v, uint32_t part, uint8_t * data, uint32_t len ) {
  CHECK( v->cnt < PARTS_MAX );
  v->part[v->cnt++] = ( part_t ){ part, data, len };
}

static void * room( uint32_t bytes ) {
  void * p = aligned_alloc( 16, ( bytes + 15 ) / 16 * 16 );
  CHECK( p );
  memset( p, 0, bytes );
  return p;
}

static int part_decode( tick_venue_t * v, void * work, uint32_t part, uint8_t const * data, uint32_t len ) {
  if( part >= SF_PART_SHARED_0 ) return v->row->shared_decode( data, len, v->shared );
  return v->row->decode( work, part, sf_program_token, data, len, 1, 0 );
}

static int venue_price( tick_venue_t * v, void * work ) {
  void const * shared[2] = { v->row->shared_bytes ? v->shared : 0, 0 };
  return v->row->price( work, shared, 1 );
}

/* Meets the pool, and decodes and prices all that there is of it. */
static void venue_load( tick_venue_t * v ) {
  sf_venue_t const * row = v->row;
  v->work                = room( row->work_bytes );
  v->spare               = room( row->work_bytes );
  v->shared              = room( row->shared_bytes + 1 );
  CHECK( !row->meet( v->key, v->part[0].data, v->part[0].len, v->work, &v->names ) );
  CHECK( v->names.needs & SF_PART_BIT( SF_PART_POOL ) && v->names.moves == SF_PART_BIT( SF_PART_POOL ) );
  CHECK( memcmp( v->names.mint[0], v->names.mint[1], 32 ) );
  for( uint32_t side = 0; side < 2; side++ ) part_add( v, SF_PART_MINT_A + side, mint_bytes, sizeof( mint_bytes ) );
  for( uint32_t i = 0; i < v->cnt; i++ ) {
    part_t const * p = &v->part[i];
    uint8_t pool[32];
    int kind = p->part == SF_PART_POOL       ? SF_ACCOUNT_POOL
               : p->part == SF_PART_OWN      ? SF_ACCOUNT_OWN
               : p->part >= SF_PART_SHARED_0 ? SF_ACCOUNT_SHARED
                                             : SF_ACCOUNT_OTHER;
    CHECK( row->account_kind( p->data, p->len ) == kind );
    if( kind == SF_ACCOUNT_OWN ) CHECK( !row->own_pool( p->data, p->len, pool ) && !memcmp( pool, v->key, 32 ) );
    else CHECK( row->own_pool( p->data, p->len, pool ) == SF_ERR_DATA );
    CHECK( !part_decode( v, v->work, p->part, p->data, p->len ) );
  }
  CHECK( row->whole( v->work ) && !venue_price( v, v->work ) && row->whole( v->work ) );
}

static void venue_free( tick_venue_t * v ) {
  free( v->work );
  free( v->spare );
  free( v->shared );
}

/* -- what holds of a priced work ------------------------------------------------------------------- */

/* As far as the curve goes, it says what a quote says; `fair` where a fee does not change on the way. */
static void curve_holds( sf_venue_t const * row, void const * state, int a_to_b, int fair ) {
  sf_curve_t c;
  row->curve( state, a_to_b, NOW, &c );
  CHECK( c.rate >= 0 && c.depth >= 0 && c.limit >= 0 && isfinite( c.rate ) && isfinite( c.depth ) );
  if( !fair || c.rate == 0 || c.limit > 0x1p63 ) return;
  for( int part = 1; part <= 8; part *= 2 ) {
    sf_quote_t q;
    double v = floor( c.limit / part ), out = c.rate * v / ( 1 + c.depth * v );
    row->quote_in( state, a_to_b, (uint64_t)v, NOW, &q );
    if( q.status == SF_QUOTE_REFUSED ) continue; /* too little */
    CHECK( q.status == SF_QUOTE_OK && q.crossed <= 1 );
    CHECK( (double)q.amount_out <= out * ( 1 + 1e-9 ) + 1 && (double)q.amount_out >= out * ( 1 - 1e-9 ) - 3 - c.rate );
  }
}

static void state_holds( tick_venue_t const * v, void const * whole, void const * state, sf_rng_t * rng, int fair ) {
  sf_venue_t const * row = v->row;
  uint64_t reserve[2];
  row->reserves( state, reserve );
  for( int i = 0; i < 16; i++ ) {
    sf_quote_t q[2];
    int a_to_b      = i & 1;
    uint64_t amount = sf_rng_next( rng ) >> sf_rng_below( rng, 64 );
    memset( q, 0, sizeof( q ) );
    ( i & 2 ? row->quote_in : row->quote_out )( state, a_to_b, amount, NOW, &q[0] );
    ( i & 2 ? row->quote_in : row->quote_out )( whole, a_to_b, amount, NOW, &q[1] );
    CHECK( q[0].status <= SF_QUOTE_EXHAUSTED && q[1].status <= SF_QUOTE_EXHAUSTED );
    CHECK( q[0].status == SF_QUOTE_EXHAUSTED || !memcmp( &q[0], &q[1], sizeof( q[0] ) ) );
  }
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    uint8_t user[3][32] = { { 1 }, { 2 }, { 3 } }, data[SF_SWAP_DATA_BYTES_MAX];
    sf_account_meta_t meta[SF_SWAP_ACCOUNT_MAX];
    sf_swap_ask_t ask = {
      .payer = user[0], .user_in = user[1], .user_out = user[2], .amount_in = 7, .min_out = 5, .a_to_b = a_to_b
    };
    uint32_t cnt = 0, len = 0, signers = 0, seen = 0;
    ask.array_cnt = row->arrays( state, a_to_b, ask.array );
    CHECK( ask.array_cnt <= SF_SWAP_ARRAYS );
    for( uint32_t i = 1; i < ask.array_cnt; i++ )
      for( uint32_t j = 0; j < i; j++ ) CHECK( ask.array[i] != ask.array[j] );
    if( fair ) {
      CHECK( row->swap_accounts( state, &ask, meta, &cnt ) == ( ask.array_cnt ? 0 : SF_ERR_STATE ) );
      CHECK( cnt <= SF_SWAP_ACCOUNT_MAX );
      for( uint32_t i = 0; i < cnt; i++ ) {
        signers += meta[i].signer;
        for( int u = 0; u < 3; u++ ) seen |= !memcmp( meta[i].pubkey, user[u], 32 ) << u;
        seen |= !memcmp( meta[i].pubkey, v->key, 32 ) << 3;
      }
      CHECK( !cnt || ( signers == 1 && seen == 15 ) );
    }
    CHECK( !row->swap_data( state, &ask, data, &len ) && len <= SF_SWAP_DATA_BYTES_MAX && data[8] == 7 );
    curve_holds( row, state, a_to_b, fair );
  }
  if( row->open_time ) row->open_time( state );
  if( row->disabled ) row->disabled( state );
}

static void work_holds( tick_venue_t const * v, void const * work, sf_rng_t * rng, int fair ) {
  void * most    = room( SF_POOL_STATE_MAX );
  uint32_t bytes = v->row->travel( work, most );
  CHECK( bytes <= SF_POOL_STATE_MAX && bytes % 16 == 0 );
  void * state = room( bytes ); /* no byte more */
  memcpy( state, most, bytes );
  free( most );
  state_holds( v, (uint8_t const *)work + v->state_at, state, rng, fair );
  free( state );
}

/* -- bytes that are not what they should be -------------------------------------------------------- */

/* Every length up to a few more than it has. */
static void lengths_hold( tick_venue_t * v, part_t const * p ) {
  sf_pool_names_t names;
  uint8_t pool[32];
  memcpy( v->spare, v->work, v->row->work_bytes );
  for( uint32_t len = 0; len<p->len + 20; len += len> 700 && len + 100 < p->len ? 61 : 1 ) {
    uint8_t * exact = dump_exact( p->data, p->len, len );
    int right = len == p->len, kind = v->row->account_kind( exact, len );
    CHECK( right == ( kind == v->row->account_kind( p->data, p->len ) ) );
    CHECK( ( p->part == SF_PART_OWN && right ) == !v->row->own_pool( exact, len, pool ) );
    /* an own account of no bytes may have a meaning of its own */
    if( len || p->part != SF_PART_OWN ) CHECK( ( part_decode( v, v->spare, p->part, exact, len ) == 0 ) == right );
    if( p->part == SF_PART_POOL ) CHECK( ( v->row->meet( v->key, exact, len, v->spare, &names ) == 0 ) == right );
    free( exact );
  }
}

/* Flipped bits of an account: all of them, or as many as `rounds`. */
static void flips_hold( tick_venue_t * v, part_t const * p, uint32_t rounds, sf_rng_t * rng ) {
  uint32_t priced = 0, bits = 8 * p->len, all = !rounds || rounds >= bits;
  void * shared = room( v->row->shared_bytes + 1 );
  if( all ) rounds = bits;
  memcpy( shared, v->shared, v->row->shared_bytes );
  for( uint32_t i = 0; i < rounds; i++ ) {
    uint32_t bit = all ? i : (uint32_t)sf_rng_below( rng, bits );
    p->data[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
    memcpy( v->spare, v->work, v->row->work_bytes );
    int err = part_decode( v, v->spare, p->part, p->data, p->len );
    if( err ) {
      CHECK( !memcmp( v->spare, v->work, v->row->work_bytes ) && !memcmp( shared, v->shared, v->row->shared_bytes ) );
    } else {
      v->row->whole( v->spare );
      if( !venue_price( v, v->spare ) ) {
        CHECK( v->row->whole( v->spare ) );
        work_holds( v, v->spare, rng, 0 );
        priced++;
      }
    }
    memcpy( v->shared, shared, v->row->shared_bytes );
    p->data[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
  }
  CHECK( priced && priced < rounds );
  free( shared );
}

/* -- accounts that arrive one by one --------------------------------------------------------------- */

static void add_u128( uint8_t * at, sf_i128_t more ) {
  sf_u128_t x;
  memcpy( &x, at, 16 );
  x += (sf_u128_t)more;
  memcpy( at, &x, 16 );
}

/* A position of `more` liquidity that begins or ends at a tick of an array. */
static void tick_add( tick_venue_t const * v, part_t const * array, uint32_t tick, sf_i128_t more, sf_i128_t gross ) {
  uint8_t * at = array->data + v->net + tick * v->tick_bytes;
  add_u128( at, more );
  add_u128( at + 16, gross );
}

static int whole_after( tick_venue_t * v, part_t const * p ) {
  CHECK( !part_decode( v, v->work, p->part, p->data, p->len ) );
  return v->row->whole( v->work );
}

/* An array with the tick below the price and one above, which change by one position, and the pool that has it in its
   liquidity: whichever comes first, the moment is whole when the last is there.  Both ticks are initialized. */
static void moments_hold( tick_venue_t * v, part_t const * low, uint32_t low_tick, part_t const * high,
                          uint32_t high_tick, sf_rng_t * rng ) {
  part_t const * pool = &v->part[0];
  sf_i128_t more      = 1000003;
  for( int round = 0; round < 12; round++ ) {
    part_t const * order[3] = { pool, low, high };
    sf_i128_t d             = round & 1 ? -more : more;
    for( int i = 2; i; i-- ) {
      uint32_t other       = (uint32_t)sf_rng_below( rng, (uint32_t)i + 1 );
      part_t const * first = order[i];
      order[i]             = order[other];
      order[other]         = first;
    }
    tick_add( v, low, low_tick, d, d );
    tick_add( v, high, high_tick, -d, d );
    add_u128( pool->data + v->liquidity, d );
    for( int i = 0; i < 3; i++ ) {
      /* both ends may be in one array */
      int last = i == 2 || ( low == high && i == 1 && order[2] != pool );
      CHECK( whole_after( v, order[i] ) == last );
      if( last ) break;
    }
    CHECK( !venue_price( v, v->work ) && v->row->whole( v->work ) );
    work_holds( v, v->work, rng, 1 );
  }
  /* half of it, taken as it is at the end of the slot, is a moment from then on */
  add_u128( pool->data + v->liquidity, more );
  CHECK( !whole_after( v, pool ) && !venue_price( v, v->work ) && v->row->whole( v->work ) );
  add_u128( pool->data + v->liquidity, -more );
  CHECK( !whole_after( v, pool ) && !venue_price( v, v->work ) && v->row->whole( v->work ) );
  /* swaps over ticks are whole, the pool alone */
  uint8_t * before = dump_exact( pool->data, pool->len, pool->len );
  for( int round = 0; round < 40; round++ ) {
    sf_quote_t q;
    void const * state = (uint8_t const *)v->work + v->state_at;
    v->row->quote_in( state, round & 1, sf_rng_next( rng ) >> ( 20 + sf_rng_below( rng, 30 ) ), NOW, &q );
    if( q.status != SF_QUOTE_OK ) continue;
    memcpy( pool->data + v->liquidity, &q.liquidity, 16 );
    memcpy( pool->data + v->price, &q.sqrt_price, 16 );
    memcpy( pool->data + v->tick, &q.tick, 4 );
    CHECK( whole_after( v, pool ) && !venue_price( v, v->work ) );
    work_holds( v, v->work, rng, 0 );
  }
  memcpy( pool->data, before, pool->len );
  free( before );
}

#endif
