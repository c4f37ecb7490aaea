/* pools.h: what is known of all pools, put together from account bytes as they come.

     account ──▶ map ──▶ pool, vault, own ──▶ decode ──▶ whole? ──▶ price ──▶ travel ──▶ update (head and state)
                     ├─▶ mint, shared ─────▶ the pools that use it                            └──▶ queue of changes
                     └─▶ none: a pool, or something of one, is met

   A pool is met when its account comes; that names its vaults, mints and shared accounts, so these are known when
   they come after it.  Accounts that name their pool (tick arrays) are known from then on, too.  A pool whose
   account does not say its mint waits until a token account comes that belongs to it.  Numbers of pools and mints
   are given out in the order met and never change hands.

   A price made of parts of different moments never existed.  So a pool is priced only when the parts that a swap
   changes together belong to one moment (dex/parts.h), the venue finds its lists whole, and all of its own
   accounts were read again since the last reset; or when nothing more of that slot will come.  Shared accounts and
   mints change alone, and take effect at once.

   A pool whose account comes without data is forgotten: its number stays stale for good, and if it comes back it is
   met as a new one.

   Whatever does not decode makes its pool stale: not to be traded until good bytes come.  After sf_pools_reset all
   pools are stale until their parts have been read again.

   The store is a function of what it is given: no clock, no I/O.  Its owner takes the changes with sf_pools_changed. */

#ifndef SF_DEX_POOLS_H
#define SF_DEX_POOLS_H

#include "dex/account_map.h"
#include "dex/mints.h"
#include "dex/parts.h"
#include "dex/shared.h"
#include "dex/venue.h"

#define SF_POOLS_SHARED_MAX   1024
#define SF_POOLS_OWN_PER_POOL 16 /* on average */

/* what happened, as counts */
enum {
  SF_POOLS_MALFORMED,
  SF_POOLS_UNKNOWN,
  SF_POOLS_OLD,
  SF_POOLS_CLOSED, /* an account of a pool is no more */
  SF_POOLS_NO_ROOM,
  SF_POOLS_STATUS, /* from here: why a pool was disabled */
  SF_POOLS_EXTENSION,
  SF_POOLS_FROZEN,
  SF_POOLS_NOT_OPEN,
  SF_POOLS_RESETS,
  SF_POOLS_COUNTS
};

/* The last whole state of a pool: what a market message says. */
typedef struct sf_pool_slot {
  sf_pool_update_t update;
  uint8_t state[SF_POOL_STATE_MAX];
} sf_pool_slot_t;

typedef struct sf_pool_entry {
  sf_venue_t const * venue;
  void * work;
  sf_pool_names_t names;
  sf_parts_t parts;
  uint8_t pubkey[32];
  uint64_t slot; /* newest of its own accounts */
  uint64_t t_origin;
  uint32_t shared[2]; /* numbers in shared; UINT32_MAX = none */
  uint32_t own_cnt;   /* accounts that name it */
  uint32_t own_read;  /* of these, since the last reset */
  uint32_t own_bad;   /* of these, with bytes that do not decode */
  uint8_t parked;     /* its mint is not known yet */
  uint8_t forgotten;  /* its account is no more */
  uint8_t complete;   /* its venue knows that there are no accounts of it but those that came */
  uint8_t frozen;     /* bit per frozen vault */
  uint8_t extended;   /* bit per mint with an extension that is not priced */
  uint8_t simulated;
  uint8_t stale;
  uint8_t priced; /* it was, once */
  uint8_t queued;
  uint8_t begun;    /* accounts of its next change have come */
  uint8_t named;    /* its row says what it is made of */
  uint8_t waiting;  /* for the end of a slot, in the list */
  uint8_t disabled; /* what was counted, plus 1 */
} sf_pool_entry_t;

typedef struct sf_pool_own {
  uint64_t slot;
  uint32_t pool;
  uint32_t read; /* number of the reset after which it was read */
  uint8_t gone;
  uint8_t bad;
} sf_pool_own_t;

typedef struct sf_pools {
  sf_account_map_t map;
  sf_mints_t mints;
  sf_shared_t shared;
  sf_pool_entry_t * pool;
  sf_pool_slot_t * at; /* by pool */
  sf_pool_own_t * own;
  uint32_t * queue; /* ring of pools that changed; a pool is in it once */
  uint32_t * waiting;
  uint8_t * work; /* of all pools, one behind the other */
  uint64_t work_used, work_bytes;
  uint32_t cnt, max, own_cnt, own_max, waiting_cnt, stale_cnt, resets;
  uint32_t incomplete; /* 1 = some pool is not complete */
  uint32_t queue_head, queue_tail, queue_cnt;
  uint64_t unix_s;
  uint64_t next_open; /* unix seconds; UINT64_MAX = no pool waits for its opening */
  uint64_t slot;      /* newest seen */
  uint64_t epoch;
  uint64_t slots_per_epoch;
  uint64_t count[SF_POOLS_COUNTS]; /* since its owner last took them */
  uint64_t counted;                /* their sum */
  /* told at once, if not NULL: a pool was met or became stale; a mint was met or read */
  void ( *on_pool )( void * owner, uint32_t pool );
  void ( *on_mint )( void * owner, uint32_t mint );
  void ( *on_touch )( void * owner, uint32_t pool ); /* the first account of a change came: it will be soon */
  void * owner;
} sf_pools_t;

/* sf_pools_open takes memory for so many pools and mints; pages that are not used cost nothing.  Zeroes *p.  Returns
   0 or SF_ERR_LIMIT. */
int sf_pools_open( sf_pools_t * p, uint32_t pools, uint32_t mints, uint64_t slots_per_epoch );
void sf_pools_close( sf_pools_t * p );

/* sf_pools_count counts one more of what happened. */
static inline void sf_pools_count( sf_pools_t * p, int what ) {
  p->count[what]++;
  p->counted++;
}

/* sf_pools_time says what time it is now.  Pools whose time has come open; if it goes back they stay so. */
void sf_pools_time( sf_pools_t * p, uint64_t unix_s );

/* sf_pools_account takes an account, its data behind it. */
void sf_pools_account( sf_pools_t * p, sf_raw_account_t const * raw, uint64_t t_origin );

/* sf_pools_slot says that nothing more of earlier slots comes. */
void sf_pools_slot( sf_pools_t * p, uint64_t slot );

/* sf_pools_reset says that what follows is a new consistent read. */
void sf_pools_reset( sf_pools_t * p, uint64_t t_origin );

/* sf_pools_changed takes the next changed pool from the queue and returns 1, or 0 if there is none.  Its last state is
   p->at[*pool]; p->pool[*pool].stale says that it is not to be traded. */
int sf_pools_changed( sf_pools_t * p, uint32_t * pool );

/* sf_pools_row brings a pool's row of the pools table up to date, but for lock and market_seq.  Assumes that it is the same
   row each time: what never changes is written once. */
void sf_pools_row( sf_pools_t * p, uint32_t pool, sf_pool_row_t * row );

#endif
