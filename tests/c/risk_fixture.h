/* risk_fixture.h: a gate, what it sees, and intents that pass it, for the tests of risk. */

#ifndef RISK_FIXTURE_H
#define RISK_FIXTURE_H

#include "cpmm_fixture.h"
#include "trade/risk.h"

#define G   1000000000UL
#define DAY ( 86400UL * G )
#define UTC ( 20000UL * DAY + 5 * G )
#define NOW ( 1000UL * G )

static sf_risk_t * r;
static sf_risk_view_t view;
static fixture_update_t pools[SF_HOP_MAX];
static sf_intent_t intent;
static uint64_t order; /* number of the last one */
static sf_denied_t denied;
static uint64_t number; /* of the last intent */

/* Pool number p as the gate sees it for hop h. */
static inline fixture_update_t * pool( uint32_t h, uint32_t p, uint32_t a, uint32_t b, uint64_t x, uint64_t y ) {
  fixture_update( &pools[h], p, a, b, x, y, 2500 );
  pools[h].u.slot = 100;
  view.pool[h]    = &pools[h].u;
  return &pools[h];
}

static inline uint64_t quote( uint32_t h, int a_to_b, uint64_t amount ) {
  sf_quote_t q;
  sf_pool_quote_in( view.pool[h], a_to_b, amount, &q );
  return q.status == SF_QUOTE_OK ? q.amount_out : 0;
}

static inline void limits_set( sf_limit_row_t * l ) {
  *l = ( sf_limit_row_t ){ .max_order_lamports        = 2 * G,
                           .max_open_lamports         = 3 * G,
                           .max_open_orders           = 2,
                           .max_orders_per_second     = 3,
                           .max_daily_loss_lamports   = G / 10,
                           .max_tip_lamports          = 100000,
                           .max_priority_fee_lamports = 50000,
                           .max_daily_fee_lamports    = G / 50,
                           .collar_bps                = 50,
                           .max_data_age_ns           = G / 2,
                           .max_slot_lag              = 10 };
}

static inline void begin( void ) {
  free( r );
  r = calloc( 1, sizeof( *r ) );
  limits_set( &r->limit );
  r->supervisor_timeout_ns = G;
  memcpy( r->base_mint, sf_mint_wrapped_sol, 32 );
  strcpy( r->bot[5].name, "arb" );
  strcpy( r->bot[6].name, "other" );
  fixture_mint_key( r->mint[0], 9 );
  r->mint_max[0] = 5 * G;
  r->mint_cnt    = 1;
  sf_risk_init( r, 7, NOW, UTC );
  uint8_t mint[32];
  for( uint32_t i = 0; i < 3; i++ ) { /* WSOL is token 1; token 2 is limited to 5 */
    fixture_mint_key( mint, i == 1 ? 0 : i == 2 ? 9 : 4 );
    sf_risk_token( r, mint );
  }
  sf_balance_t balance = { .token = 1, .amount = 10 * G };
  sf_risk_balance( r, &balance );
  number = 0;
  view   = ( sf_risk_view_t ){ .now_ns            = NOW,
                               .utc_ns            = UTC,
                               .t_origin          = NOW - 1000,
                               .trading           = 1,
                               .supervisor_age_ns = 5,
                               .chain_slot        = 101,
                               .wallet_lamports   = G,
                               .order_credit      = 9,
                               .length            = sizeof( intent ) };
}

/* A cycle WSOL, token 0, WSOL that earns. */
static inline void cycle( uint64_t amount ) {
  pool( 0, 0, 1, 0, 1000 * G, 1000 * G );
  pool( 1, 1, 0, 1, 1000 * G, 1030 * G );
  for( uint32_t h = 0; h < SF_HOP_MAX; h++ ) view.pool_state[h] = SF_RISK_POOL_GOOD;
  uint64_t mid = quote( 0, 1, amount ), out = quote( 1, 1, mid );
  intent = ( sf_intent_t ){ .intent                  = ++number,
                            .bot                     = 5,
                            .kind                    = SF_INTENT_CYCLE,
                            .hop_cnt                 = 2,
                            .slot                    = 100,
                            .token_in                = 1,
                            .token_out               = 1,
                            .amount_in               = amount,
                            .expected_out            = out,
                            .min_out                 = out,
                            .cu_price_micro_lamports = 1000,
                            .cu_limit                = 100000 };
  intent.hop[0] =
      ( sf_hop_t ){ .pool = 0, .venue = SF_VENUE_RAYDIUM_CPMM, .a_to_b = 1, .amount_in = amount, .min_out = mid };
  intent.hop[1] =
      ( sf_hop_t ){ .pool = 1, .venue = SF_VENUE_RAYDIUM_CPMM, .a_to_b = 1, .amount_in = mid, .min_out = out };
}

/* A swap over pool 0 of token 0 for WSOL (or the other way). */
static inline void swap( uint64_t amount, int sell ) {
  cycle( amount );
  intent.kind          = SF_INTENT_SWAP;
  intent.hop_cnt       = 1;
  intent.token_in      = sell ? 0 : 1;
  intent.token_out     = sell ? 1 : 0;
  intent.hop[0].a_to_b = !sell;
  intent.min_out = intent.expected_out = intent.hop[0].min_out = quote( 0, !sell, amount );
}

static inline uint32_t gate( void ) { return sf_risk_gate( r, &intent, &view, &order, &denied ); }

static inline sf_fill_t fill( uint8_t outcome, int64_t delta_in, int64_t delta_out, uint64_t fee ) {
  return ( sf_fill_t ){ .order          = order,
                        .intent         = intent.intent,
                        .bot            = intent.bot,
                        .outcome        = outcome,
                        .kind           = intent.kind,
                        .token_in       = intent.token_in,
                        .token_out      = intent.token_out,
                        .delta_in       = delta_in,
                        .delta_out      = delta_out,
                        .delta_lamports = -(int64_t)( fee + ( outcome == SF_FILL_LANDED ? intent.tip_lamports : 0 ) ),
                        .fee_lamports   = fee,
                        .tip_lamports   = intent.tip_lamports,
                        .amount_in      = intent.amount_in };
}

#endif
