/* sf_rows.h: rows of the tables.  Each begins with its lock word (sf_table.h). */

#ifndef SF_ROWS_H
#define SF_ROWS_H
#include "sf_message.h"
#include "sf_table.h"

#define SF_DENY_ROWS 32 /* room for SF_DENY_* counts */

/* tokens: written by book, one row per mint, never changed */
typedef struct sf_token_row {
  uint64_t lock;
  uint8_t  mint[32];
  uint8_t  program[32];   /* SPL Token or Token-2022 */
  uint32_t decimals;
  uint32_t flags;
  uint8_t  _pad0[48];
} sf_token_row_t;
SF_ASSERT( sizeof(sf_token_row_t)==128 )

/* pools: written by book.  Up to the end of the state a row is the last market message. */
typedef struct sf_pool_row {
  uint64_t lock;
  uint64_t market_seq;     /* seq of the last message about it */
  uint64_t t_origin;       /* of that message */
  uint32_t stale;          /* 1 = not to be traded until the next update */
  uint32_t _pad0;
  uint8_t  _pad1[32];
  sf_pool_update_t update; /* venue 0 = row not in use */
  uint8_t  state[SF_POOL_STATE_MAX];
  /* constants of the pool */
  uint8_t  pool[32];
  uint8_t  mint_a[32];
  uint8_t  mint_b[32];
  uint8_t  program_a[32];  /* token program of mint a */
  uint8_t  program_b[32];
  uint8_t  vault_a[32];    /* zero where the venue's price does not come from vaults */
  uint8_t  vault_b[32];
  uint8_t  _pad2[96];
} sf_pool_row_t;
SF_ASSERT( sizeof(sf_pool_row_t)==4096 )

/* chain: written by confirm, row 0 */
typedef struct sf_chain_row {
  uint64_t lock;
  uint64_t slot;
  uint64_t block_height;
  uint64_t last_valid_block_height; /* of blockhash */
  uint64_t blockhash_slot;
  uint64_t blockhash_ns;            /* engine clock when it was fetched */
  uint8_t  blockhash[32];
  uint64_t lamports_per_signature;
  uint64_t wallet_lamports;
  uint64_t unhealthy;               /* 1 = the RPC has not answered for chain.timeout_ms */
  uint8_t  _pad0[24];
} sf_chain_row_t;
SF_ASSERT( sizeof(sf_chain_row_t)==128 )

/* positions: written by risk, row = token */
typedef struct sf_position_row {
  uint64_t lock;
  int64_t  balance;        /* base units the wallet holds (chain's last word plus fills since) */
  uint64_t reserved;       /* amount_in of open orders */
  int64_t  booked;         /* sum of fill deltas over all runs */
  int64_t  booked_today;
  uint64_t fills;
  uint64_t reverted;
  uint64_t _pad0;
  uint8_t  mint[32];
  uint8_t  _pad1[32];
} sf_position_row_t;
SF_ASSERT( sizeof(sf_position_row_t)==128 )

/* bots: written by risk, row = bot number */
typedef struct sf_bot_row {
  uint64_t lock;
  char     name[SF_NAME_MAX];
  uint32_t running;        /* 0 = stopped by command */
  uint32_t last_reason;    /* SF_DENY_* of the last denial */
  uint64_t intents;
  uint64_t orders;
  uint64_t denied;
  uint64_t landed;
  uint64_t reverted;
  uint64_t expired;
  uint64_t dropped;        /* not sent, or refused by the lane: nothing was paid */
  uint64_t profitable;     /* landed with a result above fees and tip */
  int64_t  profit_lamports;/* booked in the quote token (WSOL = lamports), fees and tips taken off */
  uint64_t fee_lamports;   /* fees and tips paid */
} sf_bot_row_t;
SF_ASSERT( sizeof(sf_bot_row_t)==128 )

/* limits: written by risk, row 0: what is in force, and today's use of it */
typedef struct sf_limit_row {
  uint64_t lock;
  uint64_t max_order_lamports;
  uint64_t max_open_lamports;
  uint64_t max_open_orders;
  uint64_t max_orders_per_second;
  uint64_t max_daily_loss_lamports;
  uint64_t max_tip_lamports;
  uint64_t max_priority_fee_lamports;
  uint64_t max_daily_fee_lamports;
  uint64_t collar_bps;
  uint64_t max_data_age_ns;
  uint64_t max_slot_lag;
  uint64_t open_lamports;      /* in use */
  uint64_t open_orders;
  int64_t  today_lamports;     /* result of the day, fees off */
  uint64_t today_fee_lamports;
  uint64_t denied[SF_DENY_ROWS];
} sf_limit_row_t;
SF_ASSERT( sizeof(sf_limit_row_t)%64==0 )

/* events: written by the supervisor, a ring of its last sentences: row = number % rows */
typedef struct sf_event_row {
  uint64_t lock;
  uint64_t number;         /* 0, 1, 2 ... in this run */
  uint64_t time_ns;        /* CLOCK_REALTIME */
  char     text[232];      /* zero-terminated */
} sf_event_row_t;
SF_ASSERT( sizeof(sf_event_row_t)==256 )

/* durable: written by journal, row = its in-link */
typedef struct sf_durable_row {
  uint64_t lock;
  uint64_t seq;            /* messages of that link with a smaller seq are on disk */
  uint64_t link;           /* index in the topology */
  uint8_t  _pad0[40];
} sf_durable_row_t;
SF_ASSERT( sizeof(sf_durable_row_t)==64 )

#endif
