/* meteora_dlmm.h: Meteora's liquidity book, LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo.

   Liquidity lies in bins.  Bin i trades at one price, (1 + step/10^4)^i of y for x, until it is empty; then the
   next one is active: a swap of x for y walks down, of y for x up.  70 bins are an account; a bitmap says which of
   those accounts hold anything, and gaps between them are jumped over.

     array -1 (marked)         array 0 (marked)          array 1 (not)      array 2 (marked)
     |y|y|y|y|y|y|y|y|y|y|y|y| |y|y|y|y|y|#|x|x|x|x|x|x|                    |x|x|x|x|x|x|x|x|
              <- x for y                  active                y for x ->

   The fee of a bin is base + variable, at most 10 %; the variable part grows with the square of the distance from a
   reference bin, which follows the active one as time passes (filter and decay period).

   Builds of the program differ.  The newest reads what were statistics in a bin (bytes 112 on) as limit orders, which
   it fills after the bin's own liquidity: first what is left of orders in processing, then open ones.  It may take
   the fee from the output (collect-fee mode 1, x for y), and it fails (6085) where an exact output needs orders and
   rounding leaves it short by one.

   What a bin holds is taken to be in the reserve.  The venue's row does not watch the reserves, which hold all bins
   and the protocol's fees together: should one hold less than its bins say, the token program fails the payment (1).
   Who knows them sets `reserve`.  Nor do quotes look whether a bin's 64 bits have room for what comes in (6018): bin
   and payer together hold no more than the mint's supply, which has 64 bits too.

   Source: MeteoraAg/dlmm-sdk (commons/src/quote.rs, extensions/bin.rs, extensions/lb_pair.rs, math/u64x64_math.rs). */

#ifndef SF_DEX_METEORA_DLMM_H
#define SF_DEX_METEORA_DLMM_H

#include "dex/quote.h"
#include "dex/transfer_fee.h"
#include "solana/message.h"

#define SF_METEORA_DLMM_PROGRAM                                                                                       \
  {                                                                                                                   \
    0x04, 0xe9, 0xe1, 0x2f, 0xbc, 0x84, 0xe8, 0x26, 0xc9, 0x32, 0xcc, 0xe9, 0xe2, 0x64, 0x0c, 0xce, 0x15, 0x59, 0x0c, \
        0x1c, 0x62, 0x73, 0xb0, 0x92, 0x57, 0x08, 0xba, 0x3b, 0x85, 0x20, 0xb0, 0xbc                                  \
  }
extern uint8_t const sf_meteora_dlmm_program[32];
extern struct sf_venue const sf_meteora_dlmm_venue; /* dex/venue.h */

#define SF_DLMM_PAIR_BYTES   904
#define SF_DLMM_ARRAY_BYTES  10136
#define SF_DLMM_BITMAP_BYTES 1576
#define SF_DLMM_ARRAY_BINS   70
#define SF_DLMM_ARRAYS_MAX   12 /* kept of one pair */
#define SF_DLMM_NEAR         8 /* first bins of a direction that always have what sf_dlmm_near_t is, more if there is room */
#define SF_DLMM_WAY_ARRAYS   3
#define SF_DLMM_STATE_MIN    1024   /* bytes of a state: room for some steps */
#define SF_DLMM_STATE_MAX    524288 /* room for all that can be known */
#define SF_DLMM_BY_TIME      2      /* unix seconds */
#define SF_DLMM_ID_MAX       443636
#define SF_DLMM_BITMAP_WORDS 208 /* arrays -6656 to 6655 */
#define SF_DLMM_LAYERS       3   /* of a bin: its liquidity, orders in processing, open orders */

#define SF_DLMM_RECENT     0 /* references of the fee.  Within the filter period: as in the account */
#define SF_DLMM_DECAYED    1
#define SF_DLMM_OLD        2 /* after the decay period */
#define SF_DLMM_REFERENCES 3

/* custom errors of the program */
#define SF_DLMM_ERR_LIQUIDITY      6012
#define SF_DLMM_ERR_OVERFLOW       6018
#define SF_DLMM_ERR_NO_BITMAP      6036
#define SF_DLMM_ERR_NO_ARRAY       6037
#define SF_DLMM_ERR_DISABLED       6042
#define SF_DLMM_ERR_UNDETERMINED   6085
#define SF_DLMM_ERR_TOKEN_FUNDS    1  /* of the token program: the reserve does not hold the output */
#define SF_DLMM_ERR_TOKEN_WITHHOLD 13 /* of Token-2022: see plain_account */

typedef struct sf_dlmm_bin {
  sf_u128_t price;     /* Q64.64; 0: the program finds none */
  uint64_t amount[2];  /* x, y */
  uint64_t open_order; /* statistics in older builds, as the next two */
  uint64_t order_left; /* of orders in processing */
  uint32_t order_side; /* side that the orders sell: 0 x (asks), 1 y */
} sf_dlmm_bin_t;

typedef struct sf_dlmm_array {
  int32_t index;
  uint32_t updates; /* since the pair was priced last */
  uint64_t slot;    /* of the last */
  sf_dlmm_bin_t bin[SF_DLMM_ARRAY_BINS];
} sf_dlmm_array_t;

/* A layer of a bin on the way of one direction.  A bin is one step, or SF_DLMM_LAYERS with orders in it. */
typedef struct sf_dlmm_step {
  uint64_t out; /* what the layer holds */
  uint64_t in;  /* what empties it, without fee, rounded up */
  int32_t id;
  uint8_t layers;   /* steps of the bin, in its first */
  uint8_t overflow; /* 1: `in` does not fit 64 bits, the program fails */
  uint8_t drained;  /* bit per reference: its fee in sf_dlmm_near is worked out */
  uint8_t _pad0;
} sf_dlmm_step_t;

/* What else is worked out of the first bins. */
typedef struct sf_dlmm_near {
  uint64_t price[2];                /* Q64.64, y for x; low word first */
  uint64_t fee[SF_DLMM_REFERENCES]; /* of emptying the bin */
} sf_dlmm_near_t;

/* Stands behind that of a bin with orders, in the room of another one: all its layers together. */
typedef struct sf_dlmm_whole {
  uint64_t in;
  uint64_t out;
  uint64_t protocol[SF_DLMM_REFERENCES]; /* its part of the fee */
} sf_dlmm_whole_t;

/* What the fee of a bin depends on: three of them are possible, by the time since the last update. */
typedef struct sf_dlmm_reference {
  int32_t index;
  uint32_t volatility;
  uint32_t overflow; /* 1: the program fails */
} sf_dlmm_reference_t;

/* Where a direction ends. */
typedef struct sf_dlmm_end {
  uint32_t status; /* SF_QUOTE_EXHAUSTED: what follows is not known; SF_QUOTE_REFUSED: no more liquidity */
  uint32_t error;
  int32_t id; /* active bin then */
} sf_dlmm_end_t;

/* One direction: where its steps are, in bytes from the start of the state. */
typedef struct sf_dlmm_way {
  double value; /* of a unit of input in units of output, in the active bin */
  uint32_t step_at;
  uint32_t near_at;
  uint32_t step_cnt;
  uint32_t near_cnt;
  sf_dlmm_end_t end;
  uint32_t array_cnt; /* the bin arrays that it goes through first */
  int32_t array[SF_DLMM_WAY_ARRAYS];
  uint32_t _pad0;
} sf_dlmm_way_t;

/* What quotes run on: this head, behind it the steps of both directions.

     | head | steps down | steps up | near down | near up |
*/
typedef struct sf_meteora_dlmm_state {
  sf_dlmm_way_t way[2]; /* [0] down (x for y), [1] up */
  sf_dlmm_reference_t reference[SF_DLMM_REFERENCES];
  uint32_t base_rate; /* of the fee, per 10^9; the program's limit if above */
  uint32_t variable_fee_control;
  uint32_t accumulator_max;
  uint32_t protocol_bps; /* of the fee */
  int32_t active;
  int64_t last_update; /* unix seconds */
  uint16_t filter_period;
  uint16_t decay_period;
  uint16_t bin_step;
  uint8_t enabled;
  uint8_t activation;   /* 0 none, 1 by slot, SF_DLMM_BY_TIME */
  uint8_t limit_orders; /* 1: the newest build fills them */
  uint8_t fee_on_y;     /* 1: the newest build takes the fee in y */
  uint8_t bitmap_extension;
  uint8_t token_2022[2]; /* 1: the mint is of Token-2022 */
  uint16_t reduction_factor;
  uint32_t accumulator;
  uint32_t volatility_reference;
  int32_t index_reference;
  uint64_t activation_point;

  /* the caller's to set in the work, kept by the decoders */
  uint32_t newest;           /* 1: the newest build of the program; sf_meteora_dlmm_clear sets it */
  uint32_t plain_account[2]; /* 1: the payer's account of this side has no room for withheld fees */
  uint64_t slot;             /* now, for pairs that open at a slot */
  uint64_t reserve[2];       /* what the reserves hold; UINT64_MAX = not known */
  sf_transfer_fee_t transfer_fee[2];

  uint8_t pubkey[32];
  uint8_t mint[2][32];
  uint8_t reserve_key[2][32];
  uint8_t oracle[32];
} sf_meteora_dlmm_state_t;

/* All that is known of a pair. */
typedef struct sf_meteora_dlmm_work {
  sf_meteora_dlmm_state_t head; /* `way` and `reference` are not filled */
  uint64_t slot;                /* the caller's: of the bytes that are decoded next */
  uint32_t known;               /* 1 once the pair is decoded */
  uint32_t updates;             /* of the pair since it was priced last */
  uint64_t pair_slot;           /* of the last */
  int32_t priced;               /* active bin when it was */
  uint32_t array_cnt;
  uint64_t bitmap[SF_DLMM_BITMAP_WORDS];
  sf_dlmm_array_t array[SF_DLMM_ARRAYS_MAX];
} sf_meteora_dlmm_work_t;

/* sf_meteora_dlmm_clear makes the work of a pair of which nothing is known yet. */
void sf_meteora_dlmm_clear( sf_meteora_dlmm_work_t * w, uint8_t const pubkey[32] );

/* The decoders put one account into the work: the pair first, then its bin arrays and bitmap extension in any
   order, again whenever one changes.  Of more than SF_DLMM_ARRAYS_MAX arrays those next to the active bin are kept.
   Return 0, or SF_ERR_DATA with the offset (the work stays as it was). */
int sf_meteora_dlmm_pair_decode( uint8_t const * data, uint32_t len, sf_meteora_dlmm_work_t * w );
int sf_meteora_dlmm_array_decode( uint8_t const * data, uint32_t len, sf_meteora_dlmm_work_t * w );
int sf_meteora_dlmm_bitmap_decode( uint8_t const * data, uint32_t len, sf_meteora_dlmm_work_t * w );

/* sf_meteora_dlmm_account is the decoder that the account's discriminator names. */
int sf_meteora_dlmm_account( uint8_t const * data, uint32_t len, sf_meteora_dlmm_work_t * w );

/* What an account is, by length and discriminator. */
#define SF_DLMM_KIND_OTHER  0
#define SF_DLMM_KIND_PAIR   1
#define SF_DLMM_KIND_ARRAY  2
#define SF_DLMM_KIND_BITMAP 3

/* sf_meteora_dlmm_kind returns that, or SF_ERR_DATA if one of the two is a known kind's and the other is not. */
int sf_meteora_dlmm_kind( uint8_t const * data, uint32_t len );

/* sf_meteora_dlmm_pair_of writes the pair that a bin array or bitmap extension belongs to.  Returns 0 or SF_ERR_DATA. */
int sf_meteora_dlmm_pair_of( uint8_t const * data, uint32_t len, uint8_t pair[32] );

/* sf_meteora_dlmm_whole says that the bin arrays which the last swaps went through are of the pair's moment: between
   the bin active when it was priced last and the present one each was updated in the slot of the pair. */
int sf_meteora_dlmm_whole( sf_meteora_dlmm_work_t const * w );

/* sf_meteora_dlmm_priced makes this the moment that sf_meteora_dlmm_whole counts from. */
void sf_meteora_dlmm_priced( sf_meteora_dlmm_work_t * w );

/* sf_meteora_dlmm_travel writes the state of a work whose pair is known into at most `bytes` (multiple of 16, at least
   SF_DLMM_STATE_MIN) and returns how many: the bins next to the price, alternately of both directions, as many as
   fit and as are in the first `arrays` bin arrays.  Cost: about 30 ns a bin. */
uint32_t sf_meteora_dlmm_travel( sf_meteora_dlmm_work_t const * w, uint32_t arrays, uint32_t bytes,
                                 sf_meteora_dlmm_state_t * s );

/* sf_meteora_dlmm_quote_in and _quote_out are swap2 and swap_exact_out2; a_to_b is x for y.  An amount of 0, or an
   output of 0, is refused.  crossed counts the ids that the active bin moved.  Hot. */
void sf_meteora_dlmm_quote_in( sf_meteora_dlmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q );
void sf_meteora_dlmm_quote_out( sf_meteora_dlmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q );

/* sf_meteora_dlmm_near writes what the first bin with liquidity pays for a unit, transfer fees and fee included, and the
   input that empties it; both 0 if nothing can be swapped. */
void sf_meteora_dlmm_near( sf_meteora_dlmm_state_t const * s, int a_to_b, uint64_t now, double * rate, double * limit );

static inline sf_dlmm_step_t const * sf_meteora_dlmm_steps( sf_meteora_dlmm_state_t const * s, int up ) {
  return (sf_dlmm_step_t const *)( (uint8_t const *)s + s->way[up].step_at );
}

/* sf_meteora_dlmm_near_of is how many sf_dlmm_near_t a bin of so many layers takes. */
static inline uint32_t sf_meteora_dlmm_near_of( uint32_t layers ) { return layers > 1 ? 2 : 1; }

static inline sf_dlmm_near_t const * sf_meteora_dlmm_nears( sf_meteora_dlmm_state_t const * s, int up ) {
  return (sf_dlmm_near_t const *)( (uint8_t const *)s + s->way[up].near_at );
}

/* sf_meteora_dlmm_price is the price of a bin, Q64.64; 0 if the program cannot compute it. */
sf_u128_t sf_meteora_dlmm_price( int32_t id, uint32_t bin_step );

/* sf_meteora_dlmm_array_next writes the first marked array at `from` or beyond it in the direction.
   Returns 0, or the program's error. */
uint32_t sf_meteora_dlmm_array_next( sf_meteora_dlmm_work_t const * w, int a_to_b, int32_t from, int32_t * index );

static inline int32_t sf_meteora_dlmm_array_of( int32_t id ) {
  return id < 0 ? -( ( -id - 1 ) / SF_DLMM_ARRAY_BINS ) - 1 : id / SF_DLMM_ARRAY_BINS;
}

/* -- instructions and events (meteora_dlmm_swap.c) --------------------------------------------------------------- */

/* the live forms; those with 2 name the memo program and slices of further accounts */
#define SF_DLMM_SWAP             0
#define SF_DLMM_SWAP2            1
#define SF_DLMM_EXACT_OUT        2
#define SF_DLMM_EXACT_OUT2       3
#define SF_DLMM_PRICE_IMPACT     4
#define SF_DLMM_PRICE_IMPACT2    5
#define SF_DLMM_FORMS            6
#define SF_DLMM_SWAP_DATA_MAX    28
#define SF_DLMM_SWAP_FIXED       16 /* accounts before the bin arrays, at most */
#define SF_DLMM_SWAP_ARRAYS_MAX  8  /* that an instruction of ours names */
#define SF_DLMM_SWAP_ACCOUNT_MAX ( SF_DLMM_SWAP_FIXED + SF_DLMM_SWAP_ARRAYS_MAX )

typedef struct sf_dlmm_swap {
  uint64_t amount;     /* in, or out of SF_DLMM_EXACT_OUT* */
  uint64_t threshold;  /* minimum out, or maximum in; not of SF_DLMM_PRICE_IMPACT* */
  int32_t active;      /* of SF_DLMM_PRICE_IMPACT*, if active_given */
  uint32_t form;       /* SF_DLMM_* */
  uint16_t impact_bps; /* of SF_DLMM_PRICE_IMPACT* */
  uint8_t active_given;
  uint8_t slices; /* of further accounts; none in what we write */
} sf_dlmm_swap_t;

/* sf_meteora_dlmm_swap_data writes the instruction's data (room for SF_DLMM_SWAP_DATA_MAX) and returns its length. */
uint32_t sf_meteora_dlmm_swap_data( sf_dlmm_swap_t const * swap, uint8_t * out );

/* sf_meteora_dlmm_swap_parse reads such data.  Returns 0, or SF_ERR_DATA with the offset. */
int sf_meteora_dlmm_swap_parse( uint8_t const * data, uint32_t len, sf_dlmm_swap_t * out );

/* sf_meteora_dlmm_swap_accounts writes the instruction's accounts in the program's order (room for
   SF_DLMM_SWAP_ACCOUNT_MAX) and their count, with these bin arrays, in the direction of the swap.  Derives an address
   each: cold, about 50 us.  Returns 0, SF_ERR_ARG, or fails as sf_address_find. */
int sf_meteora_dlmm_swap_accounts( sf_meteora_dlmm_state_t const * s, uint32_t form, uint32_t array_cnt,
                                   int32_t const * array, uint8_t const user[32], uint8_t const user_in[32],
                                   uint8_t const user_out[32], sf_account_meta_t * out, uint32_t * cnt );

/* sf_meteora_dlmm_array_address and _bitmap_address derive the accounts of a pair; 0 or fails as sf_address_find. */
int sf_meteora_dlmm_array_address( uint8_t const pair[32], int32_t index, uint8_t out[32] );
int sf_meteora_dlmm_bitmap_address( uint8_t const pair[32], uint8_t out[32] );

/* The program's event of a swap: the older one (Swap) and the newest (Swap2Evt), as the program calls itself with it. */
typedef struct sf_dlmm_traded {
  uint8_t pair[32];
  uint8_t user[32];
  int32_t start;
  int32_t end;
  uint64_t amount_in;
  uint64_t amount_left;  /* newest */
  uint64_t amount_out;   /* before transfer fee */
  uint64_t fee;          /* older: all of it; newest: the liquidity providers' */
  uint64_t protocol_fee; /* part of fee in the older */
  uint64_t order_fee;    /* newest */
  uint64_t host_fee;
  sf_u128_t rate; /* of the last bin, per 10^9 */
  uint8_t x_to_y;
  uint8_t newest;
  uint8_t fee_in_input; /* always 1 in the older */
  uint8_t fee_in_x;
} sf_dlmm_traded_t;

/* sf_meteora_dlmm_traded_parse returns 0, or SF_ERR_DATA if data is not such an event. */
int sf_meteora_dlmm_traded_parse( uint8_t const * data, uint32_t len, sf_dlmm_traded_t * out );

#endif
