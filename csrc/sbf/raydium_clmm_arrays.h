/* raydium_clmm_arrays.h is where a Raydium CLMM pool keeps its ticks: arrays of 60, numbered by start tick
   over 60 times the spacing.  Which of them have an initialized tick say a bitmap in the pool, for numbers
   -512 to 511, and an extension account for those beyond.

   Source: raydium-io/raydium-clmm states/{pool,tick_array,tickarray_bitmap_extension}.rs,
   libraries/tick_array_bit_map.rs, util/account_load.rs. */

#ifndef SF_SBF_RAYDIUM_CLMM_ARRAYS_H
#define SF_SBF_RAYDIUM_CLMM_ARRAYS_H

#include "sbf/anchor.h"
#include "sbf/raydium_clmm_math.h"

#define CLMM_TICK_ARRAY  0x2a81f931cd559bc0UL
#define CLMM_EXTENSION   0x998b8061db24963cUL
#define CLMM_ARRAY_TICKS 60
#define CLMM_OWN_ARRAYS  512 /* on each side */
#define CLMM_MAX_ARRAYS  16  /* that one swap may name */

/* Offsets in a tick array, in a tick, in an extension. */
enum {
  ARRAY_POOL       = 8,
  ARRAY_START      = 40,
  ARRAY_TICKS      = 44,
  ARRAY_COUNT      = 10124, /* of initialized ticks */
  ARRAY_EPOCH      = 10125,
  ARRAY_SIZE       = 10240,
  TICK_INDEX       = 0,
  TICK_NET         = 4,
  TICK_GROSS       = 20,
  TICK_FEE_OUTSIDE = 36, /* 128 bits each: token 0, token 1 */
  TICK_REWARD      = 68,
  TICK_ORDER_PHASE = 116,
  TICK_ORDERS      = 124, /* not matched yet */
  TICK_PART_FILLED = 132, /* what remains of those matched in part */
  TICK_UNFILLED    = 140, /* their unfilled ratio, Q64.64 */
  TICK_SIZE        = 168,
  EXTENSION_ABOVE  = 40,
  EXTENSION_BELOW  = 936,
  EXTENSION_SIZE   = 1832,
};

/* The arrays that a swap names, and where it is in them. */
typedef struct clmm_arrays {
  sbf_account_t const * accounts[CLMM_MAX_ARRAYS];
  uint64_t count, place;
  uint8_t * bitmap;    /* the pool's own */
  uint8_t * extension; /* NULL: not named */
  uint64_t spacing;
  bool a_to_b;
  int64_t number;     /* of the array that the bitmap gives next */
  bool contains_tick; /* false until the swap is in an array with the pool's tick */
} clmm_arrays_t;

SBF_INLINE uint64_t clmm_span( clmm_arrays_t const * arrays ) { return arrays->spacing * CLMM_ARRAY_TICKS; }

/* ---- the bitmap --------------------------------------------------------------------------------------- */

/* clmm_bitmap_byte returns the byte of an array's bit, NULL where that is in an extension that is not named. */
SBF_FUNCTION uint8_t * clmm_bitmap_byte( clmm_arrays_t const * arrays, int64_t number ) {
  if( number >= -CLMM_OWN_ARRAYS && number < CLMM_OWN_ARRAYS )
    return arrays->bitmap + ( (uint64_t)( number + CLMM_OWN_ARRAYS ) >> 3 );
  if( !arrays->extension ) return 0;
  if( number > 0 ) return arrays->extension + EXTENSION_ABOVE + ( (uint64_t)( number - CLMM_OWN_ARRAYS ) >> 3 );
  uint64_t page = (uint64_t)( -number - 1 ) / 512; /* from 1 on */
  return arrays->extension + EXTENSION_BELOW + 64 * ( page - 1 ) + ( (uint64_t)( number & 511 ) >> 3 );
}

/* clmm_next_array looks for the next array with an initialized tick, from `number` on. */
SBF_FUNCTION uint64_t clmm_next_array( clmm_arrays_t * arrays, int64_t number, bool * found ) {
  int64_t low = tick_floor_div( TICK_MIN, clmm_span( arrays ) ), high = tick_floor_div( TICK_MAX, clmm_span( arrays ) );
  int64_t step = arrays->a_to_b ? -1 : 1;
  *found       = false;
  while( number >= low && number <= high ) {
    uint8_t const * byte = clmm_bitmap_byte( arrays, number );
    CLMM_REQUIRE( byte, CLMM_MISSING_EXTENSION );
    if( *byte >> ( number & 7 ) & 1 ) {
      arrays->number = number;
      *found         = true;
      return 0;
    }
    if( *byte ) {
      number += step;
    } else { /* eight at once */
      number = arrays->a_to_b ? ( number & ~7L ) - 1 : ( number | 7L ) + 1;
    }
  }
  return arrays->extension ? 0 : CLMM_MISSING_EXTENSION;
}

SBF_FUNCTION uint64_t clmm_clear_array( clmm_arrays_t const * arrays, int64_t number ) {
  uint8_t * byte = clmm_bitmap_byte( arrays, number );
  CLMM_REQUIRE( byte, CLMM_PANIC );
  *byte ^= (uint8_t)( 1U << ( number & 7 ) );
  return 0;
}

/* ---- arrays and their ticks --------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t clmm_check_array( sbf_account_t const * account, uint8_t const * program_id ) {
  static anchor_error_t const not_mutable = { "AccountNotMutable", "The given account is not mutable", 3006 };
  ANCHOR_REQUIRE( sbf_key_equal( account->owner, program_id ), 0, ANCHOR_WRONG_OWNER );
  ANCHOR_REQUIRE( account->is_writable, 0, not_mutable );
  ANCHOR_REQUIRE( account->data_len >= 8, 0, ANCHOR_NO_DISCRIMINATOR );
  ANCHOR_REQUIRE( sbf_u64( account->data ) == CLMM_TICK_ARRAY, 0, ANCHOR_WRONG_DISCRIMINATOR );
  SBF_REQUIRE( account->data_len >= ARRAY_SIZE, "a tick array is too short" );
  return 0;
}

SBF_INLINE uint8_t * clmm_array( clmm_arrays_t const * arrays ) { return arrays->accounts[arrays->place]->data; }
SBF_INLINE int64_t clmm_start( clmm_arrays_t const * arrays ) { return tick_i32( clmm_array( arrays ) + ARRAY_START ); }

SBF_FUNCTION bool clmm_is_array_of( clmm_arrays_t const * arrays, uint8_t const * pool ) {
  return sbf_key_equal( clmm_array( arrays ) + ARRAY_POOL, pool );
}

SBF_INLINE uint64_t clmm_orders( uint8_t const * tick ) {
  return sbf_u64( tick + TICK_ORDERS ) | sbf_u64( tick + TICK_PART_FILLED );
}

SBF_FUNCTION bool clmm_is_initialized( uint8_t const * tick ) {
  return sbf_u64( tick + TICK_GROSS ) | sbf_u64( tick + TICK_GROSS + 8 ) | clmm_orders( tick );
}

/* clmm_first_tick returns the array's first initialized tick from place `at` on, or NULL. */
SBF_FUNCTION uint8_t * clmm_first_tick( clmm_arrays_t const * arrays, int64_t at ) {
  for( ; at >= 0 && at < CLMM_ARRAY_TICKS; at += arrays->a_to_b ? -1 : 1 ) {
    uint8_t * tick = clmm_array( arrays ) + ARRAY_TICKS + TICK_SIZE * (uint64_t)at;
    if( clmm_is_initialized( tick ) ) return tick;
  }
  return 0;
}

/* clmm_first_array finds the first array of the swap among those named. */
SBF_FUNCTION uint64_t clmm_first_array( clmm_arrays_t * arrays, int64_t tick, uint8_t const * pool ) {
  int64_t number = tick_floor_div( tick, clmm_span( arrays ) );
  bool found;
  uint8_t const * byte = clmm_bitmap_byte( arrays, number );
  CLMM_REQUIRE( byte, CLMM_MISSING_EXTENSION );
  arrays->contains_tick = *byte >> ( number & 7 ) & 1;
  arrays->number        = number;
  if( !arrays->contains_tick ) {
    SBF_TRY( clmm_next_array( arrays, number + ( arrays->a_to_b ? -1 : 1 ), &found ) );
    CLMM_REQUIRE( found, CLMM_NO_DIRECTION );
  }
  CLMM_REQUIRE( arrays->count, CLMM_NOT_ENOUGH_ARRAYS );
  int64_t start = arrays->number * (int64_t)clmm_span( arrays );
  while( clmm_start( arrays ) != start && arrays->place + 1 < arrays->count ) arrays->place++;
  CLMM_REQUIRE( clmm_is_array_of( arrays, pool ), CLMM_KEYS_NOT_EQUAL );
  return clmm_start( arrays ) == start ? 0 : CLMM_INVALID_FIRST_ARRAY;
}

/* clmm_next_tick sets *next to the next initialized tick from `tick` on, in this array or the next. */
SBF_FUNCTION uint64_t clmm_next_tick( clmm_arrays_t * arrays, int64_t tick, uint8_t const * pool, uint8_t ** next ) {
  int64_t end = arrays->a_to_b ? CLMM_ARRAY_TICKS - 1 : 0, step = arrays->a_to_b ? -1 : 1;
  *next = 0;
  if( tick_floor_div( tick, clmm_span( arrays ) ) * (int64_t)clmm_span( arrays ) == clmm_start( arrays ) ) {
    int64_t at = tick_floor_div( tick - clmm_start( arrays ), arrays->spacing );
    *next      = clmm_first_tick( arrays, arrays->a_to_b ? at : at + 1 );
    if( *next ) return 0;
  }
  if( arrays->contains_tick ) {
    bool found;
    SBF_TRY( clmm_next_array( arrays, arrays->number + step, &found ) );
    CLMM_REQUIRE( found, CLMM_NO_LIQUIDITY );
    while( clmm_start( arrays ) != arrays->number * (int64_t)clmm_span( arrays ) ) {
      CLMM_REQUIRE( ++arrays->place < arrays->count, CLMM_NOT_ENOUGH_ARRAYS );
      CLMM_REQUIRE( clmm_is_array_of( arrays, pool ), CLMM_KEYS_NOT_EQUAL );
    }
  }
  arrays->contains_tick = true;
  *next                 = clmm_first_tick( arrays, end );
  return *next ? 0 : CLMM_INVALID_TICK_ARRAY;
}

#endif
