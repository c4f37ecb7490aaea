/* sign_fixture.h: a signer in a rig, for its tests. */

#ifndef SF_TEST_SIGN_FIXTURE_H
#define SF_TEST_SIGN_FIXTURE_H

#include "order_fixture.h"

#define MAX_AMOUNT 1000000ul
#define MAX_FEE    10000ul
#define MAX_TIP    9000ul

/* The tiles' parameters, which further lines may follow; of sign with so many signatures a second. */
#define SIGN_PARAMS                                                                                                  \
  "key_path=%s\nmax_amount_lamports=%lu\nmax_fee_lamports=%lu\nmax_tip_lamports=%lu\nmax_signatures_per_second=%u\n" \
  "programs=CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\ntip_accounts=%s\n"
#define SIGN_VALUES( rate ) fixture.key_path, MAX_AMOUNT, MAX_FEE, MAX_TIP, rate, fixture.tip_text
#define BUILD_PARAMS                                                                                          \
  "wallet=%s\ncu_limit_base=%u\ncu_limit_per_hop=%u\ncu_price_micro_lamports=0\nmax_blockhash_age_ms=40000\n" \
  "tip_account=%s\n"
#define BUILD_VALUES fixture.wallet_text, LIMIT_BASE, LIMIT_HOP, fixture.tip_text

static fixture_t fixture;
static sf_chain_row_t chain;
static uint32_t const cycle[3] = { 0, 1, 2 };

static inline sf_rig_t * rig_new( char const * params ) {
  sf_rig_t * rig;
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "sign", "sign", params );
  sf_rig_link( rig, "order", NULL, 256, 320 );
  sf_rig_edge( rig, "order", "sign", 1 );
  sf_rig_link( rig, "message", NULL, 256, 1344 );
  sf_rig_edge( rig, "message", "sign", 1 );
  sf_rig_link( rig, "wire", "sign", 256, 1344 );
  sf_rig_table( rig, "pools", NULL, sizeof( sf_pool_row_t ), 4096 );
  return rig;
}

static inline sf_rig_t * rig_open( uint32_t rate ) {
  char params[1024];
  snprintf( params, sizeof( params ), SIGN_PARAMS "protect_account=%s\nlookup_tables_path=%s\n", SIGN_VALUES( rate ),
            fixture.protect_text, fixture.lookups_path );
  sf_rig_t * rig = rig_new( params );
  CHECK( !sf_rig_start( rig ) );
  pools_write( rig );
  return rig;
}

static inline void order_give( sf_rig_t * rig, sf_order_t const * order ) {
  CHECK( !sf_rig_inject( rig, "order", SF_MSG_ORDER, order->intent.bot, 1, order, sizeof( *order ) ) );
  CHECK( sf_rig_settle( rig ) >= 0 );
}

static inline void wire_give( sf_rig_t * rig, sf_wire_t const * wire ) {
  uint16_t length = (uint16_t)( offsetof( sf_wire_t, tx ) + wire->tx_len );
  CHECK( !sf_rig_inject( rig, "message", SF_MSG_TX, wire->bot, 12345, wire, length ) );
}

static inline void wire_of( sf_order_t const * order, sf_wire_t * wire ) {
  plan_t plan;
  plan_make( &plan, &fixture, order );
  plan_wire( &plan, fixture.wallet.wallet, order, &chain, wire );
}

static inline void expect_signed( sf_rig_t * rig, sf_wire_t const * wire ) {
  received_t got;
  uint32_t kind = next_message( rig, "wire", &got );
  if( kind == SF_MSG_REFUSED )
    fprintf( stderr, "order %lx: reason %u, detail %lu\n", wire->order, got.refused.reason, got.refused.detail );
  CHECK( kind == SF_MSG_WIRE );
  CHECK( got.head.tag == wire->bot && got.head.t_origin == 12345 );
  CHECK( got.head.length == offsetof( sf_wire_t, tx ) + wire->tx_len );
  CHECK( !memcmp( &got.wire, wire, offsetof( sf_wire_t, tx ) + 1 ) ); /* all but the signature as it was */
  CHECK( !memcmp( got.wire.tx + 65, wire->tx + 65, wire->tx_len - 65u ) );
  CHECK( !crypto_sign_verify_detached( got.wire.tx + 1, got.wire.tx + 65, wire->tx_len - 65u, fixture.wallet.wallet ) );
}

static inline void expect_refused( sf_rig_t * rig, sf_wire_t const * wire, uint32_t reason ) {
  received_t got;
  CHECK( next_message( rig, "wire", &got ) == SF_MSG_REFUSED );
  if( got.refused.reason != reason )
    fprintf( stderr, "reason %u, detail %lu, wanted %u\n", got.refused.reason, got.refused.detail, reason );
  CHECK( got.refused.reason == reason && got.refused.order == wire->order && got.refused.bot == wire->bot );
  CHECK( got.head.tag == wire->bot && got.head.t_origin == 12345 );
}

#endif
