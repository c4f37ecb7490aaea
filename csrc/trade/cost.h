/* cost.h: the most that the transaction of an intent can cost in lamports. */

#ifndef SF_TRADE_COST_H
#define SF_TRADE_COST_H

#include "sf_message.h"
#include "solana/program.h"

/* build adds up to this many units to an order's limit, so that equal orders become different transactions */
#define SF_COST_DISTINCT_UNITS 4095

/* what build takes where an intent names none: its parameters of the same names */
typedef struct sf_cost {
  uint64_t cu_limit_base;
  uint64_t cu_limit_per_hop;
  uint64_t cu_price_micro_lamports;
} sf_cost_t;

/* sf_cost_fee_lamports is the base fee of one signature and the priority fee, without the tip.  Saturates. */
static inline uint64_t sf_cost_fee_lamports( sf_cost_t const * c, sf_intent_t const * intent ) {
  uint64_t units = intent->cu_limit ? intent->cu_limit : c->cu_limit_base + c->cu_limit_per_hop * intent->hop_cnt;
  uint64_t price = intent->cu_price_micro_lamports ? intent->cu_price_micro_lamports : c->cu_price_micro_lamports;
  units += SF_COST_DISTINCT_UNITS;
  if( units > SF_COMPUTE_UNITS_MAX ) units = SF_COMPUTE_UNITS_MAX;
  return sf_fee_lamports( 1, price, (uint32_t)units );
}

#endif
