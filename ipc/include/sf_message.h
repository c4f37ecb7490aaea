/* sf_message.h: what the messages on the links say.  The slot header
   (sf_message_t, sf_link.h) comes before each of these payloads.

   Amounts are unsigned 64-bit base units of their mint.  `pool`, `token` are
   row numbers of the pools and tokens tables; they are given out by `book` in
   the order in which it meets them, so a replay of `raw` gives the same ones. */

#ifndef SF_MESSAGE_H
#define SF_MESSAGE_H
#include "sf_link.h"

/* kind: link it travels on */
#define SF_MSG_ACCOUNT  1  /* raw:     sf_raw_account_t */
#define SF_MSG_SLOT     2  /* raw:     sf_raw_slot_t: everything of earlier slots has been delivered */
#define SF_MSG_RESET    3  /* raw:     sf_raw_slot_t: the feed lost its connection; what follows is a new consistent read */
#define SF_MSG_POOL     10 /* market:  sf_pool_update_t */
#define SF_MSG_STALE    11 /* market:  sf_pool_update_t whose pool may not be traded until the next SF_MSG_POOL */
#define SF_MSG_INTENT   20 /* intent.<tile>: sf_intent_t */
#define SF_MSG_TURN     21 /* intent.<tile>: sf_turn_t */
#define SF_MSG_ORDER    30 /* order:   sf_order_t */
#define SF_MSG_DENIED   31 /* denied:  sf_denied_t */
#define SF_MSG_TX       40 /* message: sf_wire_t, unsigned (signature area zero) */
#define SF_MSG_WIRE     41 /* wire:    sf_wire_t, signed */
#define SF_MSG_REFUSED  42 /* wire, sent: sf_refused_t: build, sign or send would not go on with an order */
#define SF_MSG_AHEAD    43 /* message: sf_wire_t, unsigned, of rung `rung` of the ladder around `order`: to be signed ahead */
#define SF_MSG_RUNG     44 /* message: sf_wire_t without tx: the order's transaction is rung `rung` */
#define SF_MSG_SENT     50 /* sent:    sf_sent_t */
#define SF_MSG_FILL     60 /* fill:    sf_fill_t */
#define SF_MSG_BALANCE  61 /* fill:    sf_balance_t */
#define SF_MSG_COMMAND  70 /* command: sf_command_t */
#define SF_MSG_VERDICT  80 /* verdict: sf_verdict_t */

/* -- raw ------------------------------------------------------------------ */

#define SF_RAW_SNAPSHOT  1 /* part of a consistent read (one slot for all) */
#define SF_RAW_SIMULATED 2 /* the chain it came from is a simnet or a replay */

typedef struct sf_raw_account {
  uint8_t  pubkey[32];
  uint8_t  owner[32];
  uint64_t slot;
  uint64_t write_version; /* rises per feed run; from the source where it gives one */
  uint64_t lamports;
  uint32_t data_len;      /* bytes at `data`, = length - sizeof(sf_raw_account_t) */
  uint32_t flags;         /* SF_RAW_* */
  /* uint8_t data[data_len] */
} sf_raw_account_t;
SF_ASSERT( sizeof(sf_raw_account_t)==96 )

typedef struct sf_raw_slot {
  uint64_t slot;
  uint64_t parent;
  uint64_t root;
  uint64_t flags;
} sf_raw_slot_t;
SF_ASSERT( sizeof(sf_raw_slot_t)==32 )

/* -- market --------------------------------------------------------------- */

#define SF_VENUE_RAYDIUM_CPMM    1
#define SF_VENUE_RAYDIUM_AMM_V4  2
#define SF_VENUE_RAYDIUM_CLMM    3
#define SF_VENUE_ORCA_WHIRLPOOL  4
#define SF_VENUE_METEORA_DLMM    5
#define SF_VENUE_METEORA_DAMM_V2 6
#define SF_VENUE_PUMP_SWAP       7
#define SF_VENUE_PUMP_FUN        8

#define SF_POOL_SIMULATED       1 /* state came from a simulation */
#define SF_POOL_DISABLED        2 /* the program refuses swaps on it now */

#define SF_POOL_STATE_MAX 3584 /* bytes of a venue's state; a multiple of 64 */
#define SF_SWAP_ARRAYS    3    /* tick or bin arrays that a swap names at most */

/* The whole priced state of a pool, so that a bot needs nothing but messages: this
   head, which is the same for every venue, and behind it the venue's own state
   (dex/venue.h), from which exact quotes are made.  Of what has two entries, [0] is for
   a to b, or token a. */
typedef struct sf_pool_update {
  uint32_t pool;             /* row of the pools table; also in the message's tag */
  uint16_t venue;            /* SF_VENUE_* */
  uint16_t flags;            /* SF_POOL_* */
  uint64_t slot;
  uint64_t unix_s;           /* wall clock when the bytes came in: what quotes take for now */
  uint64_t reserve[2];       /* what the venue prices by; virtual where liquidity is concentrated */
  uint32_t token_a;          /* row of the tokens table */
  uint32_t token_b;
  uint32_t open_time;        /* unix seconds; swaps are refused before (0 if none) */
  uint16_t state_bytes;      /* bytes behind this head; a multiple of 16 */
  uint8_t  array_cnt[2];     /* by direction: what an order's hop says of the arrays its swap goes through */
  double   rate[2];          /* by direction, near the present price: out = rate*v / (1 + depth*v), fees included, */
  double   depth[2];
  double   limit[2];         /* for an input v up to this */
  int32_t  array[2][SF_SWAP_ARRAYS];
  /* uint8_t state[state_bytes] */
} sf_pool_update_t;
SF_ASSERT( sizeof(sf_pool_update_t)==128 )

/* -- intent, order, denied ------------------------------------------------ */

#define SF_HOP_MAX 4

#define SF_INTENT_CYCLE 1 /* ends in the token it begins with; atomic */
#define SF_INTENT_SWAP  2 /* one token into another; atomic over its hops */

#define SF_INTENT_REDUCE    1 /* only lowers a position: allowed under kill word `reduce` */
#define SF_INTENT_CREATE    2 /* the transaction first creates the wallet's token accounts of what the hops give, where missing */
#define SF_INTENT_PROTECTED 4 /* against being traded around: a jitodontfront account in it, a bundle lane preferred */

typedef struct sf_hop {
  uint32_t pool;
  uint16_t venue;
  uint8_t  a_to_b;     /* 1: token a in, token b out */
  uint8_t  array_cnt;
  int32_t  array[SF_SWAP_ARRAYS]; /* as the update said that was quoted */
  uint32_t _pad0;
  uint64_t amount_in;  /* the quote's input of this hop, what the instruction says */
  uint64_t min_out;    /* the least output the instruction accepts; never 0 */
} sf_hop_t;
SF_ASSERT( sizeof(sf_hop_t)==40 )

typedef struct sf_intent {
  uint64_t intent;       /* bot's own number, 1, 2, 3 ... per bot and run */
  uint32_t bot;          /* number of the bot in the configuration */
  uint8_t  kind;         /* SF_INTENT_CYCLE, SF_INTENT_SWAP */
  uint8_t  flags;        /* SF_INTENT_REDUCE ... */
  uint8_t  hop_cnt;      /* 1..4 */
  uint8_t  _pad0;
  uint64_t market_seq;   /* seq of the market message that caused it */
  uint64_t slot;         /* slot of that message */
  uint32_t token_in;
  uint32_t token_out;
  uint64_t amount_in;
  uint64_t expected_out; /* exact quote on the state seen */
  uint64_t min_out;      /* of the last hop */
  uint64_t cost_lamports;/* fees and tip counted by the bot */
  uint64_t tip_lamports;
  uint64_t cu_price_micro_lamports;
  uint32_t cu_limit;     /* 0 = build's per-route default */
  uint32_t _pad1;
  sf_hop_t hop[SF_HOP_MAX];
} sf_intent_t;
SF_ASSERT( sizeof(sf_intent_t)==256 )

typedef struct sf_order {
  uint64_t    order;     /* run<<32 | 1, 2, 3 ... : never given twice in the life of a state directory */
  sf_intent_t intent;
} sf_order_t;
SF_ASSERT( sizeof(sf_order_t)==264 )

/* reasons, in the order in which risk checks (QUOTE with COLLAR, UNSAFE after UNKNOWN_POOL) */
#define SF_DENY_KILLED        1
#define SF_DENY_NOT_TRADING   2  /* reconciliation not done, or the supervisor is gone */
#define SF_DENY_MALFORMED     3
#define SF_DENY_DUPLICATE     4
#define SF_DENY_STALE         5  /* data older than risk.max_data_age_ms or max_slot_lag */
#define SF_DENY_UNKNOWN_POOL  6
#define SF_DENY_ORDER_SIZE    7
#define SF_DENY_MINT_SIZE     8
#define SF_DENY_EXPOSURE      9  /* open exposure over all open orders */
#define SF_DENY_OPEN_ORDERS   10
#define SF_DENY_RATE          11 /* orders per second */
#define SF_DENY_DAILY_LOSS    12
#define SF_DENY_FEE           13 /* priority fee or tip ceiling, or fee budget of the day */
#define SF_DENY_COLLAR        14 /* min_out too far below our own quote, or zero */
#define SF_DENY_BALANCE       15 /* wallet does not hold amount_in */
#define SF_DENY_UNPROFITABLE  16 /* a cycle whose expected result is below its cost */
#define SF_DENY_CREDIT        17 /* order link or journal is behind */
#define SF_DENY_QUOTE         18 /* min_out above our own quote on the pools table: the price has moved */
#define SF_DENY_UNSAFE        19 /* buys a mint that is not listed without a good verdict */
#define SF_DENY_MAX           20

typedef struct sf_denied {
  uint64_t intent;
  uint32_t bot;
  uint32_t reason;   /* SF_DENY_* */
  uint64_t have;     /* the value that was refused */
  uint64_t allowed;  /* the limit it was held against */
} sf_denied_t;
SF_ASSERT( sizeof(sf_denied_t)==32 )

/* -- message, wire, sent -------------------------------------------------- */

#define SF_TX_MAX 1232

typedef struct sf_wire {
  uint64_t order;
  uint64_t last_valid_block_height;
  uint64_t blockhash_slot;
  uint64_t fee_lamports_max;  /* base fee + priority fee + tip this transaction can cost */
  uint32_t bot;
  uint16_t tx_len;            /* bytes at tx */
  uint16_t message_off;       /* where the message begins in tx (after the signatures) */
  uint8_t  blockhash[32];
  uint32_t rung;              /* 1 + place of the rung that was signed ahead (trade/ladder.h); 0 = signed on the spot */
  uint32_t rung_serial;       /* what distinguishes those that stood in that place; never 0 */
  uint8_t  tx[SF_TX_MAX];     /* compact-u16 signature count, signatures, message; send tx_len bytes */
} sf_wire_t;
SF_ASSERT( sizeof(sf_wire_t)==80+1232 )

#define SF_REFUSE_KILLED      1
#define SF_REFUSE_MISMATCH    2 /* transaction does not say what the order says */
#define SF_REFUSE_PROGRAM     3 /* a program that is not allowed */
#define SF_REFUSE_FEE         4
#define SF_REFUSE_SIZE        5
#define SF_REFUSE_BLOCKHASH   6 /* none yet, or too old */
#define SF_REFUSE_LANE        7 /* the lane said no and the order is certainly not out */
#define SF_REFUSE_UNKNOWN     8 /* order not seen, or seen before */
#define SF_REFUSE_LIMIT       9 /* signer's own rate or amount limit */

typedef struct sf_refused {
  uint64_t order;
  uint32_t bot;
  uint32_t reason;    /* SF_REFUSE_* */
  uint64_t detail;
  uint64_t _pad0;
} sf_refused_t;
SF_ASSERT( sizeof(sf_refused_t)==32 )

#define SF_LANE_RPC 1

typedef struct sf_sent {
  uint64_t order;
  uint32_t bot;
  uint16_t lane;                    /* SF_LANE_* */
  uint16_t attempt;                 /* 0 = first, then re-broadcasts of the same bytes */
  uint64_t last_valid_block_height;
  uint64_t t_sent;                  /* ns, engine clock */
  uint8_t  signature[64];
} sf_sent_t;
SF_ASSERT( sizeof(sf_sent_t)==96 )

/* -- fill, balance -------------------------------------------------------- */

#define SF_FILL_LANDED   1 /* executed, meta.err null */
#define SF_FILL_REVERTED 2 /* executed with an error: fee paid, nothing moved */
#define SF_FILL_EXPIRED  3 /* block height passed without it */
#define SF_FILL_DROPPED  4 /* refused before it left: SF_MSG_REFUSED */

#define SF_FILL_SIMULATED 1 /* the chain is a simnet or a paper lane */
#define SF_FILL_RECOVERED 2 /* booked by reconciliation after a restart */

#define SF_LEG_MAX 3

/* A token other than token_in and token_out whose balance the transaction changed. */
typedef struct sf_leg {
  uint32_t token;            /* row of tokens */
  uint32_t _pad0;
  int64_t  delta;            /* change of the wallet's balance; 0 = this leg is not used */
} sf_leg_t;
SF_ASSERT( sizeof(sf_leg_t)==16 )

/* One per order, exactly one over all runs.  Deltas are the chain's own
   balance changes of the wallet's token accounts and lamports. */
typedef struct sf_fill {
  uint64_t order;
  uint64_t intent;
  uint32_t bot;
  uint8_t  outcome;          /* SF_FILL_* */
  uint8_t  kind;             /* SF_INTENT_* */
  uint16_t flags;            /* SF_FILL_SIMULATED ... */
  uint32_t token_in;
  uint32_t token_out;
  int64_t  delta_in;         /* change of the wallet's token_in balance; for a cycle the whole result */
  int64_t  delta_out;        /* change of token_out; 0 for a cycle */
  int64_t  delta_lamports;   /* change of the wallet's lamports, fee included */
  uint64_t fee_lamports;     /* what the chain charged (meta.fee) */
  uint64_t tip_lamports;
  uint64_t slot;
  uint64_t compute_units;
  uint64_t expected_out;     /* from the order, for slippage */
  uint64_t amount_in;        /* from the order */
  int32_t  error;            /* custom program error if reverted, SF_REFUSE_* if dropped, else 0 */
  uint32_t latency_us;       /* t_origin of the order to confirmation seen */
  uint8_t  signature[64];
  sf_leg_t leg[SF_LEG_MAX];  /* the tokens between the hops, as far as something of them stayed or went */
} sf_fill_t;
SF_ASSERT( sizeof(sf_fill_t)==224 )

/* What the chain says the wallet holds: sent by confirm after start and after each fill. */
typedef struct sf_balance {
  uint32_t token;            /* row of tokens; 0xffffffff = native lamports */
  uint32_t flags;
  uint64_t amount;
  uint64_t slot;
  uint8_t  mint[32];
} sf_balance_t;
SF_ASSERT( sizeof(sf_balance_t)==56 )

/* -- verdict: from the checks of tokens to risk and bots -------------------- */

#define SF_VERDICT_PASSES  1
#define SF_VERDICT_REFUSED 2
#define SF_VERDICT_EXIT    3 /* of a token that the wallet holds: sell it now */

/* why it was refused, or what forces the exit: bits of sf_verdict_t.reasons */
#define SF_UNSAFE_OTHER            ( 1UL << 0 ) /* the node, or what cannot be known any more */
#define SF_UNSAFE_PROGRAM          ( 1UL << 1 ) /* no mint of a token program */
#define SF_UNSAFE_MINT_AUTHORITY   ( 1UL << 2 )
#define SF_UNSAFE_FREEZE_AUTHORITY ( 1UL << 3 )
#define SF_UNSAFE_SUPPLY           ( 1UL << 4 )
#define SF_UNSAFE_EXTENSION        ( 1UL << 5 ) /* of Token-2022 */
#define SF_UNSAFE_POOL             ( 1UL << 6 ) /* no price, another token, or a frozen vault */
#define SF_UNSAFE_HOLDERS          ( 1UL << 7 )
#define SF_UNSAFE_LOCK             ( 1UL << 8 ) /* the liquidity can be taken out */
#define SF_UNSAFE_AGE              ( 1UL << 9 )
#define SF_UNSAFE_DEPTH            ( 1UL << 10 )
#define SF_UNSAFE_EXIT             ( 1UL << 11 ) /* the simulated sale */
#define SF_UNSAFE_IMPACT           ( 1UL << 12 )
#define SF_UNSAFE_CREATOR          ( 1UL << 13 ) /* a bad one, or one that sells */

#define SF_CREATOR_MAX 2

typedef struct sf_verdict {
  uint32_t token;            /* row of tokens */
  uint32_t pool;             /* row of the pool it would be sold in */
  uint32_t quote;            /* row of the token it is sold for there */
  uint16_t outcome;          /* SF_VERDICT_* */
  uint16_t creator_cnt;
  uint64_t reasons;          /* SF_UNSAFE_*; 0 if it passes */
  uint64_t slot;             /* the oldest that it was read at */
  uint64_t amount;           /* largest buy it speaks of, base units of `quote` */
  uint64_t supply;           /* of the mint, base units */
  uint64_t opened;           /* unix seconds since when the pool is known to be there; 0 = not known */
  uint8_t  mint[32];
  uint8_t  creator[SF_CREATOR_MAX][32]; /* makers of the pool and authorities of the mint */
} sf_verdict_t;
SF_ASSERT( sizeof(sf_verdict_t)==152 )

/* -- turn: in which order a bot tile consumed its in-links ----------------- */

/* In-link 0 of a bot tile is its primary (market).  Before a message of another
   in-link is handled, or after a jump on any in-link, the runner publishes a turn
   on the tile's out-link 0, so that the journal can bring the same order back. */
typedef struct sf_turn {
  uint32_t in;               /* in-link */
  uint32_t _pad0;
  uint64_t seq;              /* seq of the message handled next on it */
  uint64_t primary_seq;      /* seq of the next primary message at that time */
  uint64_t lost;             /* messages jumped over just before it, 0 if none */
} sf_turn_t;
SF_ASSERT( sizeof(sf_turn_t)==32 )

/* -- command: from the supervisor to risk ---------------------------------- */

#define SF_VERB_KILL      1 /* value: SF_KILL_* */
#define SF_VERB_RESUME    2
#define SF_VERB_LIMIT     3 /* number: SF_LIMIT_*, value */
#define SF_VERB_BOT_STOP  4 /* number: bot */
#define SF_VERB_BOT_START 5
#define SF_VERB_POSITION  6 /* at start, from the journal: token, value = amount (int64) */
#define SF_VERB_OPEN      7 /* at start: an order of an earlier run that is still unknown: number, value = amount_in, token */
#define SF_VERB_TRADE     8 /* reconciliation done */
#define SF_VERB_DAY       9 /* at start, from the journal: value = result of this UTC day so far in lamports (int64), order = fees and tips of the day */
#define SF_VERB_LOT       10 /* at start, from the journal: what was bought of `token` and not sold: value = amount, order = what it cost in lamports */
#define SF_VERB_SOLD      11 /* at start, from the journal: what `bot` has sold of what SF_VERB_HELD, which follows, says: value = amount, order = lamports it gave */
#define SF_VERB_HELD      12 /* at start, from the journal: what `bot` bought of `token` since it last held none: value = amount, order = lamports it put in, number = unix seconds of the first purchase */

/* SF_VERB_LIMIT: words of sf_limit_row_t, by their place */
#define SF_LIMIT_MAX_ORDER_LAMPORTS        1
#define SF_LIMIT_MAX_OPEN_LAMPORTS         2
#define SF_LIMIT_MAX_OPEN_ORDERS           3
#define SF_LIMIT_MAX_ORDERS_PER_SECOND     4
#define SF_LIMIT_MAX_DAILY_LOSS_LAMPORTS   5
#define SF_LIMIT_MAX_TIP_LAMPORTS          6
#define SF_LIMIT_MAX_PRIORITY_FEE_LAMPORTS 7
#define SF_LIMIT_MAX_DAILY_FEE_LAMPORTS    8
#define SF_LIMIT_COLLAR_BPS                9
#define SF_LIMIT_MAX_DATA_AGE_NS           10
#define SF_LIMIT_MAX_SLOT_LAG              11
#define SF_LIMIT_END                       12

typedef struct sf_command {
  uint32_t verb;
  uint32_t number;
  uint64_t value;
  uint64_t order;
  uint32_t token;
  uint32_t bot;
} sf_command_t;
SF_ASSERT( sizeof(sf_command_t)==32 )

#endif
