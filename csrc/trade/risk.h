/* risk.h: the gate between intents and orders, and the books behind it.

   A pure state machine: what it knows comes in by its functions, time too.

     intent ─▶ check, in the order of SF_DENY_* ─▶ order: amount, value and cost reserved
     fill   ─▶ reservation released, once per order ─▶ positions, profit, fees of the day
     balance, command ─▶ positions, limits, bots

   Value: an order's size in lamports is its amount_in if it puts in the base token (WSOL), else what our
   own quote says it gives in the base token; an order with neither has no value and is denied.
   Cost: base fee, priority fee and tip at most (cost.h).
   Paid in lamports: what a hop puts into pump.fun's curve, whose program moves lamports where its token is the wrapped
   mint.  Such an amount must be in the wallet's lamports, not in its account of the base token.
   Profit of a fill, in lamports: the base token and lamports are one.  What a fill moved of both, without fee and
   tip, is the result of a cycle, the price of a purchase and the proceeds of a sale; a sale's profit is that less the
   average price paid, and what was held before has no known price and gives none.  Fee and, if it landed, tip are
   taken off in every case.  A rent deposit counts as paid.
   Safety: with the gate on, a swap that buys a token which is neither the base token nor listed needs a verdict that
   passes, is not older than verdict_slots and speaks of at least what the last hop puts in.  A cycle holds nothing.
   Day: UTC, by the time of what is handled.  A person's resume begins the day's loss anew. */

#ifndef SF_TRADE_RISK_H
#define SF_TRADE_RISK_H

#include <stdint.h>

#include "sf_control.h"
#include "sf_message.h"
#include "sf_rows.h"
#include "trade/cost.h"

#define SF_RISK_BOT_MAX    64
#define SF_RISK_TOKEN_MAX  4096
#define SF_RISK_OPEN_MAX   1024 /* unfinished orders, those of former runs included */
#define SF_RISK_PAST_MAX   1024 /* fills of former runs that are remembered */
#define SF_RISK_MINT_MAX   64   /* mints with a limit of their own */
#define SF_RISK_LISTED_MAX 256  /* mints that may be bought without a verdict */
#define SF_RISK_TOKEN_NONE 0xffffffffu

#define SF_RISK_POOL_UNKNOWN 0
#define SF_RISK_POOL_STALE   1
#define SF_RISK_POOL_GOOD    2

/* What the gate sees of the world when it checks an intent. */
typedef struct sf_risk_view {
  uint64_t now_ns;            /* engine clock */
  uint64_t utc_ns;            /* CLOCK_REALTIME */
  uint64_t t_origin;          /* of the intent's message */
  uint64_t kill;              /* SF_KILL_* */
  uint64_t trading;           /* sf_control_t.trading */
  uint64_t supervisor_age_ns; /* since its heartbeat */
  uint64_t chain_slot;        /* 0 = not known */
  uint64_t wallet_lamports;
  uint64_t order_credit;                     /* 0: no order may be published */
  uint32_t length;                           /* bytes of the intent's payload */
  uint32_t pool_state[SF_HOP_MAX];           /* SF_RISK_POOL_*, per hop */
  sf_pool_update_t const * pool[SF_HOP_MAX]; /* with the state behind it; not read if the pool is not known */
} sf_risk_view_t;

typedef struct sf_risk_open {
  uint64_t value;
  uint64_t cost;
  uint64_t lamports; /* of amounts, beside the cost */
  uint64_t reserved; /* of token_in */
  uint32_t token_in;
  uint32_t bot;
} sf_risk_open_t;

/* What was bought of a token and has not been sold, over all runs (SF_VERB_LOT). */
typedef struct sf_risk_lot {
  uint64_t amount;
  uint64_t cost_lamports;
} sf_risk_lot_t;

/* The last word on a token. */
typedef struct sf_risk_safety {
  uint64_t slot;
  uint64_t amount; /* of quote */
  uint32_t quote;
  uint16_t outcome; /* SF_VERDICT_*, 0 = none */
  uint16_t listed;  /* 1: needs none */
} sf_risk_safety_t;

typedef struct sf_risk {
  sf_limit_row_t limit; /* limits in force and what is in use */
  sf_cost_t cost;
  uint64_t supervisor_timeout_ns;
  uint64_t safety_gate; /* 1: buys of unlisted mints need a verdict */
  uint64_t verdict_slots;
  uint8_t base_mint[32];
  uint32_t base; /* its token, SF_RISK_TOKEN_NONE until met */
  uint32_t token_cnt;
  uint64_t run;
  uint64_t order_cnt;     /* orders given in this run */
  uint64_t open_cost;     /* of all open orders */
  uint64_t open_lamports; /* amounts of theirs that are paid in lamports */
  uint64_t day;           /* UTC day that the counts of today belong to */
  uint64_t bucket;        /* orders that may be given now, times 10^9 */
  uint64_t bucket_ns;     /* when that was so */
  uint32_t open_cnt;
  uint32_t mint_cnt;
  uint64_t past_cnt;
  uint64_t last_intent[SF_RISK_BOT_MAX];
  uint64_t open_order[SF_RISK_OPEN_MAX]; /* [0,open_cnt) */
  sf_risk_open_t open[SF_RISK_OPEN_MAX];
  uint64_t past_order[SF_RISK_PAST_MAX]; /* a ring */
  uint8_t mint[SF_RISK_MINT_MAX][32];
  uint64_t mint_max[SF_RISK_MINT_MAX];
  uint32_t listed_cnt;
  uint32_t _pad0;
  uint8_t listed[SF_RISK_LISTED_MAX][32];
  sf_risk_safety_t safety[SF_RISK_TOKEN_MAX];
  uint64_t token_max[SF_RISK_TOKEN_MAX]; /* largest amount_in of a token */
  sf_risk_lot_t lot[SF_RISK_TOKEN_MAX];
  uint64_t changed[SF_RISK_TOKEN_MAX / 64]; /* bit per position that changed; the owner clears them */
  sf_position_row_t position[SF_RISK_TOKEN_MAX];
  sf_bot_row_t bot[SF_RISK_BOT_MAX];
} sf_risk_t;

/* sf_risk_init sets up the gate with what the caller has put into a zeroed `r`: limit, cost,
   supervisor_timeout_ns, safety_gate, verdict_slots, listed, base_mint, mint and mint_max, names of the bots (a bot without a name is not
   known). */
void sf_risk_init( sf_risk_t * r, uint64_t run, uint64_t now_ns, uint64_t utc_ns );

/* sf_risk_token says which mint the next token is; tokens come in order, from 0. */
void sf_risk_token( sf_risk_t * r, uint8_t const mint[32] );

/* sf_risk_prefetch asks for the lines that the gate will want for an intent, whatever it says. */
static inline void sf_risk_prefetch( sf_risk_t const * r, sf_intent_t const * intent ) {
  uint32_t in = intent->token_in % SF_RISK_TOKEN_MAX, bot = intent->bot % SF_RISK_BOT_MAX;
  uint32_t at = r->open_cnt % SF_RISK_OPEN_MAX;
  __builtin_prefetch( &r->position[in] );
  __builtin_prefetch( &r->token_max[in] );
  __builtin_prefetch( &r->bot[bot] );
  __builtin_prefetch( &r->bot[bot].orders );
  __builtin_prefetch( &r->last_intent[bot] );
  __builtin_prefetch( &r->open_order[at] );
  __builtin_prefetch( &r->open[at] );
}

/* sf_risk_gate checks an intent.  Returns 0 and the number of the order that it becomes, whose amount, value and cost are
   reserved; or SF_DENY_* and the denial, counted.  Hot: below 100 ns. */
uint32_t sf_risk_gate( sf_risk_t * r, sf_intent_t const * intent, sf_risk_view_t const * v, uint64_t * order,
                       sf_denied_t * denied );

/* sf_risk_check is what of the gate only looks: 0 or SF_DENY_*, and nothing changes.  The day and the rate are those of the
   last intent that the gate saw. */
uint32_t sf_risk_check( sf_risk_t const * r, sf_intent_t const * intent, sf_risk_view_t const * v );

/* sf_risk_fill books the outcome of an order and releases it.  Returns 1, or 0 if it is not open (a repeated
   fill, or none of ours): then nothing changes.  A fill of a former run (SF_FILL_RECOVERED) is booked once
   whether or not SF_VERB_OPEN came before it. */
int sf_risk_fill( sf_risk_t * r, sf_fill_t const * fill, uint64_t utc_ns );

/* sf_risk_balance takes the chain's word for what the wallet holds of a token. */
void sf_risk_balance( sf_risk_t * r, sf_balance_t const * balance );

/* sf_risk_verdict takes the last word on a token.  Returns 0, or SF_ERR_ARG if its row is not that of its mint. */
int sf_risk_verdict( sf_risk_t * r, sf_verdict_t const * verdict );

/* sf_risk_command does what a command says.  Returns 0, or SF_ERR_ARG for one that cannot be. */
int sf_risk_command( sf_risk_t * r, sf_command_t const * command );

/* sf_risk_kill_level is the kill level the day's result asks for: reduce when the loss limit is reached,
   halt at twice the limit. */
uint64_t sf_risk_kill_level( sf_risk_t const * r );

#endif
