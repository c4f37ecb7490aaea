/* bot_rig.h: the bot and risk in a rig (tile/rig.h) as the benchmarks set them up, and what comes out of it. */

#ifndef SF_BENCH_BOT_RIG_H
#define SF_BENCH_BOT_RIG_H

#include "rig.h"
#include "sf_message.h"
#include "sf_rows.h"
#include "shm/table.h"
#include "tile/rig.h"

#define BOT 1
#define SOL 1000000000UL

/* of arb */
#define BOT_PARAMS                                                                           \
  "bot=1\nbase_mint=So11111111111111111111111111111111111111112\nmin_profit_lamports=1000\n" \
  "max_amount_lamports=10000000000\nmax_hops=3\ntip_bps=0\ncu_limit_per_hop=80000\n"         \
  "cu_price_micro_lamports=1000\nslippage_bps=2\ncooldown_slots=1000000\n"

/* of risk, without the limits below */
#define RISK_PARAMS                                                                           \
  "max_order_lamports=10000000000\nmax_orders_per_second=1000000000\nmax_tip_lamports=0\n"    \
  "max_priority_fee_lamports=1000000\ncollar_bps=50\nmax_data_age_ms=10000\nmax_slot_lag=0\n" \
  "supervisor_timeout_ms=600000\nsafety_gate=1\nverdict_slots=150\ncu_limit_base=5000\n"      \
  "cu_limit_per_hop=80000\ncu_price_micro_lamports=0\n"                                       \
  "base_mint=So11111111111111111111111111111111111111112\nbot.1=arb\n"

/* Limits for one order after the other. */
#define RISK_LIMITS                                                                            \
  "max_open_lamports=100000000000\nmax_open_orders=8\nmax_daily_loss_lamports=1000000000000\n" \
  "max_daily_fee_lamports=1000000000000\n"

/* of build, without wallet and ladder */
#define BUILD_PARAMS \
  "cu_limit_base=5000\ncu_limit_per_hop=80000\ncu_price_micro_lamports=0\nmax_blockhash_age_ms=150000\n"

static sf_rig_t * rig;

/* What `take` took. */
static struct {
  sf_message_t m;
  uint8_t payload[SF_POOL_STATE_MAX + 256];
} got;

/* What risk writes, over so many tokens. */
static inline void risk_tables( uint32_t tokens ) {
  sf_rig_table( rig, "positions", "risk", sizeof( sf_position_row_t ), tokens );
  sf_rig_table( rig, "bots", "risk", sizeof( sf_bot_row_t ), 64 );
  sf_rig_table( rig, "limits", "risk", sizeof( sf_limit_row_t ), 1 );
}

/* A chain on which nothing expires, and what the wallet holds there. */
static inline void chain_write( uint64_t wallet_lamports ) {
  sf_chain_row_t chain = { .slot                    = 1,
                           .block_height            = 1,
                           .last_valid_block_height = 1000000,
                           .blockhash_slot          = 1,
                           .blockhash_ns            = sf_clock_ns(),
                           .blockhash               = { 7 },
                           .wallet_lamports         = wallet_lamports };
  DO( sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
}

/* The next message of a kind on a link; 0 if there is none. */
static inline int take( char const * link, uint16_t kind ) {
  for( int n; ( n = sf_rig_read( rig, link, &got, sizeof( got ) ) ); ) {
    DO( n );
    if( got.m.kind == kind ) return 1;
  }
  return 0;
}

/* Whoever waits for this order is told that it has expired. */
static inline void expire( sf_order_t const * order ) {
  sf_intent_t const * i = &order->intent;
  sf_fill_t fill        = { .order     = order->order,
                            .intent    = i->intent,
                            .bot       = BOT,
                            .outcome   = SF_FILL_EXPIRED,
                            .kind      = i->kind,
                            .token_in  = i->token_in,
                            .token_out = i->token_out };
  DO( sf_rig_inject( rig, "fill", SF_MSG_FILL, BOT, 0, &fill, sizeof( fill ) ) );
  DO( sf_rig_settle( rig ) );
}

#endif
