/* plan.h: the instructions of an order, in the one order in which build writes them and sign wants them.

     [create token account] ... | swap | swap ...

   Token accounts are created for what the hops give, each once, if the order says so.  What comes before them
   (compute budget, tip) is the transaction's own. */

#ifndef SF_TRADE_PLAN_H
#define SF_TRADE_PLAN_H

#include "solana/program.h"
#include "trade/swap.h"

#define SF_PLAN_MAX ( 2 * SF_HOP_MAX )

typedef struct sf_plan {
  uint32_t cnt;
  uint32_t create_cnt;                       /* the first ones; a swap for each hop comes behind */
  sf_instruction_t instruction[SF_PLAN_MAX]; /* points into this struct and the swaps: do not copy it */
  sf_account_meta_t create[SF_HOP_MAX][SF_CREATE_ACCOUNTS];
  uint8_t data[SF_HOP_MAX][SF_SWAP_DATA_BYTES_MAX];
} sf_plan_t;

/* sf_plan_make fills the plan of an intent over these swaps, one for each hop.  Hot. */
void sf_plan_make( sf_plan_t * out, sf_intent_t const * intent, sf_swap_t * const * swap, uint8_t const wallet[32] );

#endif
