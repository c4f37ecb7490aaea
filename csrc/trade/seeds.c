#include "trade/seeds.h"

#include <stddef.h>
#include <string.h>

#include "dex/bps.h"

#define TRIES 3 /* rungs that are quoted */

static sf_seed_t * place_of( sf_seeds_t * seeds, uint64_t route ) {
  return &seeds->seed[( route * 0x9e3779b97f4a7c15ul >> 32 ) % SF_SEEDS];
}

static void seed_set( sf_seed_t * seed, uint64_t route, sf_intent_t const * intent ) {
  sf_intent_t rung;
  seed->route  = route;
  seed->intent = *intent;
  for( uint32_t i = 0; i < SF_LADDER_RUNGS; i++ )
    seed->amount_in[i] = sf_ladder_rung( intent, sf_ladder_down[i], &rung ) ? 0 : rung.amount_in;
}

/* Two intents go the same way, whatever their amounts. */
static int same_way( sf_intent_t const * a, sf_intent_t const * b ) {
  if( a->hop_cnt != b->hop_cnt || a->flags != b->flags || a->cu_limit != b->cu_limit ||
      a->cu_price_micro_lamports != b->cu_price_micro_lamports )
    return 0;
  for( uint32_t h = 0; h < a->hop_cnt; h++ )
    if( memcmp( &a->hop[h], &b->hop[h], offsetof( sf_hop_t, amount_in ) ) ) return 0;
  return 1;
}

/* Quotes a rung; 1 if it passes. */
static int passes( sf_seeds_t const * seeds, sf_pool_update_t const * const * update, sf_intent_t * rung ) {
  for( uint32_t h = 0; h < rung->hop_cnt; h++ ) {
    sf_hop_t const * hop = &rung->hop[h];
    uint64_t out         = sf_pool_out( update[h], hop->a_to_b, hop->amount_in );
    uint64_t sure        = h + 1u < rung->hop_cnt ? sf_bps_of( out, SF_BPS - seeds->slippage_bps ) : out;
    if( !out || sure < hop->min_out ) return 0;
    rung->expected_out = out;
  }
  return 1;
}

static int64_t profit_of( sf_intent_t const * i ) {
  return (int64_t)( i->expected_out - i->amount_in - i->cost_lamports );
}

int sf_seeds_ask( sf_seeds_t * seeds, uint64_t route, sf_pool_update_t const * const * update, sf_intent_t * intent ) {
  sf_seed_t * seed = place_of( seeds, route );
  uint64_t most    = intent->amount_in + intent->amount_in / 8;
  if( most > seeds->max_amount ) most = seeds->max_amount;
  uint64_t least = sf_bps_of( (uint64_t)profit_of( intent ), SF_BPS - seeds->loss_bps );
  if( least < seeds->min_profit ) least = seeds->min_profit;
  int known = seed->route == route && same_way( &seed->intent, intent );
  for( uint32_t i = 0, tries = 0; known && i < SF_LADDER_RUNGS && tries < TRIES; i++ ) {
    sf_intent_t rung;
    if( !seed->amount_in[i] || seed->amount_in[i] > most ) continue;
    tries++;
    if( sf_ladder_rung( &seed->intent, sf_ladder_down[i], &rung ) || !passes( seeds, update, &rung ) ||
        profit_of( &rung ) < (int64_t)least )
      continue;
    rung.intent     = intent->intent;
    rung.market_seq = intent->market_seq;
    rung.slot       = intent->slot;
    *intent         = rung;
    return 1;
  }
  seed_set( seed, route, intent );
  return 0;
}

void sf_seeds_forget( sf_seeds_t * seeds, uint64_t route ) {
  sf_seed_t * seed = place_of( seeds, route );
  if( seed->route == route ) seed->route = 0;
}
