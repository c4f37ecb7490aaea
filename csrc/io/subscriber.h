/* subscriber.h: keeps an accountSubscribe per account, and a slotSubscribe, alive
   on one WebSocket.

     wanted --asked--> asked --answered--> on
        ^                |
        +-- back-off ----+ refused, or not answered in time

   That of a dropped account is ended: on --unsubscribed--> wanted, and not asked for.

   Each subscription backs off by itself, so that one refused account does not
   hold up the others. */

#ifndef SF_IO_SUBSCRIBER_H
#define SF_IO_SUBSCRIBER_H
#include "io/accounts.h"
#include "io/backoff.h"
#include "io/rpc.h"
#include "io/websocket.h"

typedef struct sf_subscriber {
  sf_websocket_t * ws;
  sf_accounts_t * accounts;
  char const * commitment;
  sf_rng_t * rng;
  uint64_t timeout_ns;
  uint64_t backoff_min_ns;
  uint64_t backoff_max_ns;
  sf_subscription_t slot;
  uint32_t on;       /* accounts that are subscribed */
  uint64_t failures; /* total of refused and unanswered ones */
  uint64_t limited;  /* total of those refused because of a limit */
  char request[512];
} sf_subscriber_t;

/* sf_subscriber_reset starts anew: the accounts have been reset, the WebSocket is a
   new one. */
void sf_subscriber_reset( sf_subscriber_t * s );

/* sf_subscriber_step asks for what is wanted, as far as the WebSocket has room.
   Returns 1 when every subscription is on or backs off, 0 while answers are
   awaited.  Looks at all accounts: not for every turn. */
int sf_subscriber_step( sf_subscriber_t * s, uint64_t now_ns );

/* sf_subscriber_answer takes a result or an error.  Returns 0, or SF_ERR_ARG if it
   answers nothing that was asked. */
int sf_subscriber_answer( sf_subscriber_t * s, sf_rpc_message_t const * m, uint64_t now_ns );

#endif
