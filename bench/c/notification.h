/* notification.h: an account's bytes out of an accountNotification, as the feed takes them. */

#ifndef SF_BENCH_NOTIFICATION_H
#define SF_BENCH_NOTIFICATION_H

#include "base/atomic.h"
#include "io/base64.h"
#include "io/rpc.h"
#include "sf_abi.h"
#include "solana/base58.h"

typedef struct notification {
  uint64_t subscription, slot, lamports, data_len;
  uint8_t owner[32];
  uint8_t data[2048];
  char owner_text[48]; /* the owner last read, and its bytes */
  uint8_t owner_read[32];
} notification_t;

/* notification_take decodes a text into n: 0, or a negative code. */
SF_INLINE int notification_take( notification_t * n, sf_span_t text ) {
  sf_rpc_message_t m;
  int err = sf_rpc_scan( &m, text.p, text.n );
  if( err || m.kind != SF_RPC_ACCOUNT ) return SF_ERR_DATA;
  sf_span_t owner = m.account.owner;
  if( owner.n >= sizeof( n->owner_text ) ) return SF_ERR_DATA;
  if( n->owner_text[owner.n] || memcmp( n->owner_text, owner.p, owner.n ) ) {
    if( sf_base58_decode( owner.p, (uint32_t)owner.n, n->owner_read, 32 ) != 32 ) return SF_ERR_DATA;
    memset( n->owner_text, 0, sizeof( n->owner_text ) );
    memcpy( n->owner_text, owner.p, owner.n );
  }
  memcpy( n->owner, n->owner_read, 32 );
  n->subscription = m.subscription;
  n->slot         = m.slot;
  n->lamports     = m.account.lamports;
  int64_t len     = sf_base64_decode( n->data, sizeof( n->data ), m.account.data.p, m.account.data.n );
  n->data_len     = (uint64_t)len;
  return len < 0 ? SF_ERR_DATA : 0;
}

#endif
