/* orca_whirlpool_arrays.h is the row of at most three tick arrays that a Whirlpool swap goes through.  An
   array holds 88 ticks.  A fixed one has room for all of them, a dynamic one only for those that are
   initialized; one that was never made counts as empty, if its address is among the accounts.

   Source: orca-so/whirlpools util/{sparse_swap,swap_tick_sequence}.rs,
   state/{fixed_tick_array,dynamic_tick_array,tick_array}.rs. */

#ifndef SF_SBF_ORCA_WHIRLPOOL_ARRAYS_H
#define SF_SBF_ORCA_WHIRLPOOL_ARRAYS_H

#include "sbf/anchor.h"
#include "sbf/orca_whirlpool_math.h"

extern uint64_t sol_try_find_program_address( sbf_bytes_t const * seeds, uint64_t seed_count,
                                              uint8_t const * program_id, uint8_t * address, uint8_t * bump );

#define WHIRLPOOL_TICK_ARRAY         0xbb42076ebebd6145UL
#define WHIRLPOOL_DYNAMIC_TICK_ARRAY 0x38dac7e18ef6d811UL
#define WHIRLPOOL_ARRAY_TICKS        88
#define WHIRLPOOL_ROW_ARRAYS         3
#define WHIRLPOOL_MAX_ARRAY_ACCOUNTS 6 /* three of the instruction and three supplemental */

enum {
  WHIRLPOOL_INVALID_ARRAYS    = 6023,
  WHIRLPOOL_ARRAYS_END        = 6038,
  WHIRLPOOL_OTHER_POOLS_ARRAY = 6056,
};

/* Offsets in a tick array's data. */
enum {
  ARRAY_START      = 8,
  FIXED_TICKS      = 12,
  FIXED_POOL       = 9956,
  FIXED_SIZE       = 9988,
  DYNAMIC_POOL     = 12,
  DYNAMIC_BITMAP   = 44,
  DYNAMIC_TICKS    = 60,
  DYNAMIC_SIZE_MIN = 148,
  /* in a tick */
  TICK_INITIALIZED    = 0,
  TICK_LIQUIDITY_NET  = 1,
  TICK_FEE_OUTSIDE    = 33, /* 128 bits each: of token a, of token b */
  TICK_REWARD_OUTSIDE = 65, /* three times 128 bits */
  TICK_SIZE           = 113,
};

typedef struct whirlpool_array {
  uint8_t * data; /* NULL: was never made */
  int64_t start;
} whirlpool_array_t;

typedef struct whirlpool_row {
  whirlpool_array_t arrays[WHIRLPOOL_ROW_ARRAYS];
  uint64_t count, tick_spacing;
  bool a_to_b;
} whirlpool_row_t;

SBF_INLINE int64_t whirlpool_span( whirlpool_row_t const * row ) {
  return (int64_t)row->tick_spacing * WHIRLPOOL_ARRAY_TICKS;
}

/* ---- ticks of an array -------------------------------------------------------------------------------- */

SBF_FUNCTION uint64_t whirlpool_count_bits( uint64_t bits ) {
  uint64_t count = 0;
  for( ; bits; bits &= bits - 1 ) count++;
  return count;
}

/* whirlpool_tick returns the bytes of initialized tick number `at` of an array, or NULL. */
SBF_FUNCTION uint8_t * whirlpool_tick( whirlpool_array_t const * array, uint64_t at ) {
  uint8_t * data = array->data;
  if( !data ) return 0;
  if( sbf_u64( data ) == WHIRLPOOL_TICK_ARRAY ) {
    uint8_t * tick = data + FIXED_TICKS + TICK_SIZE * at;
    return tick[TICK_INITIALIZED] ? tick : 0;
  }
  uint64_t low = sbf_u64( data + DYNAMIC_BITMAP ), high = sbf_u64( data + DYNAMIC_BITMAP + 8 ), below;
  if( at < 64 ) {
    if( !( low >> at & 1 ) ) return 0;
    below = whirlpool_count_bits( low & ( ( 1UL << at ) - 1 ) );
  } else {
    if( !( high >> ( at - 64 ) & 1 ) ) return 0;
    below = whirlpool_count_bits( low ) + whirlpool_count_bits( high & ( ( 1UL << ( at - 64 ) ) - 1 ) );
  }
  return data + DYNAMIC_TICKS + at + below * ( TICK_SIZE - 1 );
}

/* whirlpool_search sets *tick to the next initialized tick of an array from `from` on: downwards including
   it, upwards without it.  *found stays false when there is none. */
SBF_FUNCTION uint64_t whirlpool_search( whirlpool_row_t const * row, whirlpool_array_t const * array, int64_t from,
                                        int64_t * tick, bool * found ) {
  int64_t shift = row->a_to_b ? 0 : (int64_t)row->tick_spacing;
  if( from < array->start - shift || from >= array->start - shift + whirlpool_span( row ) )
    return WHIRLPOOL_INVALID_ARRAYS;
  int64_t step = row->a_to_b ? -1 : 1;
  int64_t at   = tick_floor_div( from - array->start, row->tick_spacing ) + !row->a_to_b;
  *found       = false;
  if( !array->data ) return 0;
  for( ; at >= 0 && at < WHIRLPOOL_ARRAY_TICKS; at += step ) {
    if( !whirlpool_tick( array, (uint64_t)at ) ) continue;
    *tick  = array->start + at * (int64_t)row->tick_spacing;
    *found = true;
    return 0;
  }
  return 0;
}

/* whirlpool_next_tick sets *tick to the next initialized tick of the row from array *place on, and *place to
   its array; where there is none, to the tick at which the row ends. */
SBF_FUNCTION uint64_t whirlpool_next_tick( whirlpool_row_t const * row, uint64_t * place, int64_t from,
                                           int64_t * tick ) {
  for( ;; ++*place ) {
    if( *place >= row->count ) return WHIRLPOOL_ARRAYS_END;
    whirlpool_array_t const * array = row->arrays + *place;
    bool found;
    SBF_TRY( whirlpool_search( row, array, from, tick, &found ) );
    if( found ) return 0;
    int64_t end = array->start + whirlpool_span( row );
    if( row->a_to_b ? array->start <= TICK_MIN : end > TICK_MAX ) {
      *tick = row->a_to_b ? TICK_MIN : TICK_MAX;
      return 0;
    }
    if( *place + 1 == row->count ) {
      *tick = row->a_to_b ? array->start : end - 1;
      return 0;
    }
    from = row->a_to_b ? array->start - 1 : end - 1;
  }
}

/* ---- the row out of the accounts ------------------------------------------------------------------------ */

SBF_FUNCTION uint64_t whirlpool_check_writable( sbf_account_t const * account ) {
  static anchor_error_t const not_mutable = { "AccountNotMutable", "The given account is not mutable", 3006 };
  ANCHOR_REQUIRE( account->is_writable, 0, not_mutable );
  return 0;
}

/* whirlpool_is_array checks one account; *made says whether it holds an array. */
SBF_FUNCTION uint64_t whirlpool_is_array( sbf_account_t const * account, sbf_account_t const * pool, bool * made ) {
  static uint8_t const system_program[32];
  SBF_TRY( whirlpool_check_writable( account ) );
  *made = account->data_len || !sbf_key_equal( account->owner, system_program );
  if( !*made ) return 0;
  ANCHOR_REQUIRE( sbf_key_equal( account->owner, pool->owner ), 0, ANCHOR_WRONG_OWNER );
  ANCHOR_REQUIRE( account->data_len >= 8, 0, ANCHOR_NO_DISCRIMINATOR );
  uint64_t kind = sbf_u64( account->data );
  bool fixed    = kind == WHIRLPOOL_TICK_ARRAY;
  ANCHOR_REQUIRE( fixed || kind == WHIRLPOOL_DYNAMIC_TICK_ARRAY, 0, ANCHOR_WRONG_DISCRIMINATOR );
  SBF_REQUIRE( account->data_len >= ( fixed ? FIXED_SIZE : DYNAMIC_SIZE_MIN ), "a tick array is too short" );
  bool own = sbf_key_equal( account->data + ( fixed ? FIXED_POOL : DYNAMIC_POOL ), pool->key );
  return own ? 0 : WHIRLPOOL_OTHER_POOLS_ARRAY;
}

SBF_FUNCTION void whirlpool_array_address( uint8_t * address, sbf_account_t const * pool, int64_t start ) {
  uint8_t digits[12], text[12], bump;
  uint64_t value = start < 0 ? (uint64_t)-start : (uint64_t)start, count = 0, len = 0;
  do {
    digits[count++] = (uint8_t)( '0' + value % 10 );
    value /= 10;
  } while( value );
  if( start < 0 ) text[len++] = '-';
  while( count ) text[len++] = digits[--count];
  sbf_bytes_t seeds[3] = { { (uint8_t const *)"tick_array", 10 }, { pool->key, 32 }, { text, len } };
  sol_try_find_program_address( seeds, 3, pool->owner, address, &bump );
}

/* The accounts that may be tick arrays. */
typedef struct whirlpool_candidates {
  sbf_account_t const * accounts[WHIRLPOOL_MAX_ARRAY_ACCOUNTS];
  bool made[WHIRLPOOL_MAX_ARRAY_ACCOUNTS];
  uint64_t count;
} whirlpool_candidates_t;

/* whirlpool_find_array returns whether the array that starts at array->start is among the candidates. */
SBF_FUNCTION bool whirlpool_find_array( whirlpool_array_t * array, whirlpool_candidates_t const * candidates,
                                        sbf_account_t const * pool ) {
  uint64_t empty = 0;
  for( uint64_t i = 0; i < candidates->count; i++ ) {
    sbf_account_t const * account = candidates->accounts[i];
    empty += !candidates->made[i];
    if( !candidates->made[i] || tick_i32( account->data + ARRAY_START ) != array->start ) continue;
    array->data = account->data;
    return true;
  }
  if( !empty ) return false;
  uint8_t address[32];
  whirlpool_array_address( address, pool, array->start );
  for( uint64_t i = 0; i < candidates->count; i++ ) {
    if( !candidates->made[i] && sbf_key_equal( candidates->accounts[i]->key, address ) ) return true;
  }
  return false;
}

/* whirlpool_row_build fills the row for a swap that starts at `tick`; tick_spacing and a_to_b are set. */
SBF_FUNCTION uint64_t whirlpool_row_build( whirlpool_row_t * row, whirlpool_candidates_t * candidates,
                                           sbf_account_t const * pool, int64_t tick ) {
  for( uint64_t i = 0; i < candidates->count; i++ )
    SBF_TRY( whirlpool_is_array( candidates->accounts[i], pool, &candidates->made[i] ) );

  int64_t span = whirlpool_span( row ), start = tick_floor_div( tick, (uint64_t)span ) * span;
  if( !row->a_to_b && tick + (int64_t)row->tick_spacing >= start + span ) start += span;
  row->count = 0;
  for( uint64_t i = 0; i < WHIRLPOOL_ROW_ARRAYS; i++, start += row->a_to_b ? -span : span ) {
    if( start + span <= TICK_MIN || start >= TICK_MAX ) continue;
    whirlpool_array_t * array = row->arrays + row->count;
    *array                    = ( whirlpool_array_t ){ 0, start };
    if( !whirlpool_find_array( array, candidates, pool ) ) break;
    row->count++;
  }
  return row->count ? 0 : WHIRLPOOL_INVALID_ARRAYS;
}

#endif
