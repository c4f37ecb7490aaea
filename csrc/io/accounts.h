/* accounts.h: the accounts a feed follows: their subscriptions, and what was last
   published of each, by which late and repeated updates are told.

   An account is `live` once its state has been published from a consistent read;
   from then on its updates go out as they come.

   One that is gone from the file is `dropped`: it keeps its place, so that numbers stay
   true, and takes it again when it comes back. */

#ifndef SF_IO_ACCOUNTS_H
#define SF_IO_ACCOUNTS_H
#include <stdint.h>
#include <time.h>

#define SF_SUBSCRIPTION_WANTED 0
#define SF_SUBSCRIPTION_ASKED  1
#define SF_SUBSCRIPTION_ON     2

typedef struct sf_subscription {
  uint64_t id; /* the node's; state on */
  uint64_t asked_ns;
  uint64_t retry_ns; /* state wanted: not before */
  uint32_t state;    /* SF_SUBSCRIPTION_* */
  uint32_t failures; /* in a row */
} sf_subscription_t;

typedef struct sf_account {
  uint8_t pubkey[32];
  char text[48];          /* pubkey in base58 */
  char owner_text[48];    /* the owner last read, */
  uint8_t owner_read[32]; /* and its bytes */
  sf_subscription_t subscription;
  uint32_t live;
  uint32_t refused; /* 1: larger than a slot of the link, said */
  uint32_t listed;  /* the load that last found it in the file */
  uint32_t dropped; /* 1: gone from the file */
  uint32_t untold;  /* 1: its owner has not said yet that it was dropped */
  /* last published */
  uint64_t slot;    /* 0 = nothing yet */
  uint64_t version; /* the owner's number of that update */
  uint64_t lamports;
  uint8_t owner[32];
  uint8_t * data;
  uint32_t data_len;
  uint32_t data_max;
} sf_account_t;

typedef struct sf_accounts {
  sf_account_t * account;
  uint32_t cnt;
  uint32_t max;
  uint32_t loads;
  uint32_t dropped_cnt;
  uint32_t unwanted_cnt; /* dropped, and the subscription is still on */
  uint32_t untold_cnt;
  uint32_t * by_pubkey; /* hash tables of index+1, 0 = free */
  uint32_t * by_subscription;
  uint32_t mask;
} sf_accounts_t;

/* sf_accounts_add appends an account and returns its index, or SF_ERR_STATE if it
   is there already, SF_ERR_SYS without memory.  Cold; accounts may move. */
int sf_accounts_add( sf_accounts_t * a, uint8_t const pubkey[32], char const * text );
/* sf_accounts_load adds the accounts of a file, one a line in base58 (`read` makes 32
   bytes of a text and returns 0), `#` begins a comment, and drops those that are gone from
   it; of these, the ones that were published are untold.  mtime becomes the file's.  Returns
   0, SF_ERR_SYS, or SF_ERR_DATA with the line; then nothing is dropped.  Cold; accounts may
   move. */
int sf_accounts_load( sf_accounts_t * a, char const * path, int ( *read )( char const * text, uint8_t pubkey[32] ),
                      struct timespec * mtime );
void sf_accounts_fini( sf_accounts_t * a );

/* sf_accounts_on notes that the node follows account i under an id. */
void sf_accounts_on( sf_accounts_t * a, uint32_t i, uint64_t id );

/* sf_accounts_off notes that the node no longer follows account i. */
void sf_accounts_off( sf_accounts_t * a, uint32_t i );

/* sf_accounts_reset forgets all subscriptions and all that was published. */
void sf_accounts_reset( sf_accounts_t * a );

/* sf_accounts_by_subscription returns an index, or -1.  Hot. */
int64_t sf_accounts_by_subscription( sf_accounts_t const * a, uint64_t id );

/* sf_account_same: is this what was last published?  Hot. */
int sf_account_same( sf_account_t const * a, uint64_t lamports, uint8_t const owner[32], uint8_t const * data,
                     uint32_t n );

/* sf_account_keep notes what is published now; SF_ERR_SYS without memory (only when
   the account has grown). */
int sf_account_keep( sf_account_t * a, uint64_t slot, uint64_t lamports, uint8_t const owner[32], uint8_t const * data,
                     uint32_t n );

#endif
