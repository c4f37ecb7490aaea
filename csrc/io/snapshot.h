/* snapshot.h: reads many accounts at one slot by getMultipleAccounts.

   A call takes at most 100 accounts, so a large read is several calls (chunks) over
   several connections at once.  Chunks that came from an older slot than the
   newest one are asked for again, with that slot as the lowest allowed, until all
   are of one slot; after SF_SNAPSHOT_ROUNDS of that the read is handed over as it
   is and says so.  A node that refuses, limits or does not answer is asked
   again after a back-off, without end: a deadline is its owner's affair. */

#ifndef SF_IO_SNAPSHOT_H
#define SF_IO_SNAPSHOT_H
#include "io/backoff.h"
#include "io/http.h"
#include "io/rpc.h"

#define SF_SNAPSHOT_CONNECTIONS 4
#define SF_SNAPSHOT_ROUNDS      8

/* What was read of one account; data follows it. */
typedef struct sf_snapshot_item {
  uint32_t account; /* the owner's number for it */
  uint32_t exists;
  uint64_t slot;
  uint64_t lamports;
  uint32_t data_len; /* its real length, even if it is above data_max (then data is empty) */
  char owner[52];    /* base58 */
  uint8_t data[];
} sf_snapshot_item_t;

typedef struct sf_snapshot_chunk {
  uint32_t first;
  uint32_t cnt;
  uint64_t slot;
  uint32_t state;
} sf_snapshot_chunk_t;

typedef struct sf_snapshot_lane {
  sf_http_t http;
  sf_backoff_t backoff;
  uint64_t deadline_ns;
  uint32_t chunk;  /* UINT32_MAX = none */
  uint32_t parsed; /* accounts of the answer taken so far */
  uint64_t slot;   /* of the answer being parsed; 0 = not scanned yet */
  uint64_t id;
  sf_json_t json;
} sf_snapshot_lane_t;

typedef struct sf_snapshot {
  sf_endpoint_t * endpoint;
  char const * commitment;
  uint64_t timeout_ns;
  uint64_t data_max; /* longest data kept */
  sf_rng_t * rng;
  sf_snapshot_lane_t lane[SF_SNAPSHOT_CONNECTIONS];
  /* the read under way */
  uint32_t active;
  uint32_t cnt;
  uint32_t chunk_cnt;
  uint32_t rounds;
  uint64_t min_slot;
  uint64_t item_bytes;
  uint64_t map_bytes;
  uint8_t * map; /* items, chunks, texts */
  sf_snapshot_chunk_t * chunk;
  char const ** text;
  /* totals since init */
  uint64_t connects;
  uint64_t calls;
  uint64_t retries;  /* chunks asked for again because their slot differed */
  uint64_t limited;  /* 429 */
  uint64_t failures; /* broken, refused, late or malformed answers */
} sf_snapshot_t;

/* sf_snapshot_init prepares; endpoint, commitment and rng must outlive it, and it
   must not move.  Returns 0 or SF_ERR_SYS. */
int sf_snapshot_init( sf_snapshot_t * s, sf_endpoint_t * endpoint, char const * commitment, uint64_t timeout_ns,
                      sf_backoff_t const * backoff, uint64_t answer_max, uint64_t data_max, sf_rng_t * rng );
void sf_snapshot_fini( sf_snapshot_t * s );

/* sf_snapshot_begin starts a read of cnt accounts, at a slot not before min_slot;
   sf_snapshot_want says which, for each i below cnt.  text (base58) must stay where it is
   until the read is dropped.  Assumes none under way. */
int sf_snapshot_begin( sf_snapshot_t * s, uint32_t cnt, uint64_t min_slot );
void sf_snapshot_want( sf_snapshot_t * s, uint32_t i, uint32_t account, char const * text );

/* sf_snapshot_step goes on: 0 = under way, 1 = all of one slot, 2 = all here, but
   of several slots.  A call does a bounded piece of work. */
int sf_snapshot_step( sf_snapshot_t * s, uint64_t now_ns );

/* sf_snapshot_again reads everything once more: the owner has seen a reason why
   one slot was not enough. */
void sf_snapshot_again( sf_snapshot_t * s );

sf_snapshot_item_t * sf_snapshot_item( sf_snapshot_t * s, uint32_t i );

/* sf_snapshot_drop ends the read and gives its memory back; idle connections stay. */
void sf_snapshot_drop( sf_snapshot_t * s );

#endif
