/* cost.h: the most that the transaction of an intent can cost in lamports. */

#ifndef SF_TRADE_COST_H
#define SF_TRADE_COST_H

#include "dex/venue.h"
#include "sf_message.h"
#include "solana/program.h"

/* build adds up to this many units to an order's limit, so that equal orders become different transactions */
#define SF_COST_DISTINCT_UNITS 4095

/* of one token account that may have to be created */
#define SF_COST_CREATE_UNITS 40000

/* what build takes where an intent names none: its parameters of the same names */
typedef struct sf_cost {
  uint64_t cu_limit_base;
  uint64_t cu_limit_per_hop; /* 0 = what each hop's venue needs */
  uint64_t cu_price_micro_lamports;
} sf_cost_t;

/* sf_cost_units are the compute units asked for where the intent names no limit. */
static inline uint64_t sf_cost_units( sf_cost_t const * c, sf_intent_t const * intent ) {
  uint64_t units = c->cu_limit_base;
  for( uint32_t h = 0; h < intent->hop_cnt && h < SF_HOP_MAX; h++ ) {
    sf_venue_t const * venue = c->cu_limit_per_hop ? 0 : sf_venue_get( intent->hop[h].venue );
    units += venue ? venue->compute_units : c->cu_limit_per_hop;
    if( intent->flags & SF_INTENT_CREATE ) units += SF_COST_CREATE_UNITS;
  }
  return units;
}

/* sf_cost_fee_lamports is the base fee of one signature and the priority fee, without the tip.  Saturates. */
static inline uint64_t sf_cost_fee_lamports( sf_cost_t const * c, sf_intent_t const * intent ) {
  uint64_t units = intent->cu_limit ? intent->cu_limit : sf_cost_units( c, intent );
  uint64_t price = intent->cu_price_micro_lamports ? intent->cu_price_micro_lamports : c->cu_price_micro_lamports;
  units += SF_COST_DISTINCT_UNITS;
  if( units > SF_COMPUTE_UNITS_MAX ) units = SF_COMPUTE_UNITS_MAX;
  return sf_fee_lamports( 1, price, (uint32_t)units );
}

#endif
