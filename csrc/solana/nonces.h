/* nonces.h: nonces for signatures, computed before the message is known.

     nonce   r, and the point R = r*B          64 bytes
     pool    a ring of them, in pages of its own

   With R ready a signature is a hash and some arithmetic with scalars, 1/15 of the time.  What is given up: RFC 8032
   derives r from the message, so that nothing can make a signer use one twice for two messages.  Here r is a secret in
   memory, and if that memory is ever there twice (snapshot, checkpoint, fork) and both copies sign, anyone computes the key
   from two signatures.  So:

     * a nonce is nowhere but in these pages: locked, not in core dumps, zero in a forked child, between guard pages, in a
       process that cannot be dumped or traced.  If the kernel refuses one of these there is no pool.
     * it is used once: its place leaves the ring before it is used, and is zeroed before the signature is handed out
     * r is a hash of the key's prefix, getrandom, the processor's random numbers, a counter that starts at the time of
       day, and the clocks: none of them alone has to be good
     * no pool on a host whose memory can be copied (sf_continuity_host), unless that is forced
     * every nonce is dropped when the process or its machine may have been stopped and resumed (base/continuity.h)
     * an empty pool means a deterministic signature, never a wait */

#ifndef SF_SOLANA_NONCES_H
#define SF_SOLANA_NONCES_H

#include <sodium.h>
#include <stdint.h>

#include "base/continuity.h"

#define SF_NONCES_MAX 4096

typedef struct sf_nonce {
  uint8_t scalar[32]; /* r, reduced */
  uint8_t point[32];  /* R, encoded */
} sf_nonce_t;

/* What a scalar is made of, besides the prefix. */
typedef struct sf_nonce_source {
  uint8_t domain[32];
  uint64_t counter;
  uint64_t real_ns;
  uint64_t tsc;
  uint64_t processor[4]; /* rdrand; 0 where there is none */
  uint8_t system[64];    /* getrandom */
} sf_nonce_source_t;

/* What is needed to make one. */
typedef struct sf_nonce_work {
  sf_nonce_source_t source;
  crypto_hash_sha512_state hash;
  uint8_t digest[64];
} sf_nonce_work_t;

/* All of it lies in the pages, so that a forked child finds zeros: a pool without places. */
typedef struct sf_nonces {
  uint64_t bytes; /* of the pages */
  uint32_t slots;
  uint32_t first;
  uint32_t ready;
  uint32_t last_break; /* SF_BREAK_* that dropped nonces last */
  uint64_t counter;    /* rises with each nonce; started at the time of day in ns */
  uint64_t dropped;
  uint64_t closely_ns; /* monotonic; when the last close look was */
  sf_continuity_t continuity;
  sf_nonce_work_t work; /* zero between two calls */
  sf_nonce_t slot[];
} sf_nonces_t;

/* sf_nonces_open makes an empty pool.  Turns off core dumps and ptrace of the process.
   Fails with SF_ERR_STATE on a host whose memory can be copied unless `force` (the sentence says what was found, and what
   to do), with SF_ERR_SYS where the kernel refuses to protect the pages, with SF_ERR_ARG for 0 or too many slots. */
int sf_nonces_open( sf_nonces_t ** out, uint32_t slots, int force );

/* sf_nonces_close wipes the pool; NULL may be closed. */
void sf_nonces_close( sf_nonces_t * n );

/* sf_nonces_make makes one nonce if there is room: 1 if it did.  For idle turns: 12 us, one system call. */
int sf_nonces_make( sf_nonces_t * n, uint8_t const prefix[32] );

/* sf_nonces_take takes a nonce out of the ring, or returns NULL if there is none or all have just been dropped.  It stays
   where it is; the caller zeroes it before it lets anything out that was made with it.  Hot. */
sf_nonce_t * sf_nonces_take( sf_nonces_t * n );

/* sf_nonces_look drops all nonces if there was a break; every tenth of a second it looks closely.  For housekeeping, every
   few milliseconds: a longer gap counts as a break. */
void sf_nonces_look( sf_nonces_t * n );

/* sf_nonces_scalar makes r from the prefix and w->source, and wipes *w. */
void sf_nonces_scalar( sf_nonce_work_t * w, uint8_t const prefix[32], uint8_t out[32] );

#endif
