#include "io/subscriber.h"
#include "sf_abi.h"

#define ASKED_MAX 256 /* asked for and not answered */
#define END_ID    0   /* request id of all that end one */
#define SLOT_ID   1   /* of the slot subscription */
#define FIRST_ID  2   /* of account 0 */

void sf_subscriber_reset( sf_subscriber_t * s ) {
  s->slot = ( sf_subscription_t ){ 0 };
  s->on   = 0;
}

static void retry( sf_subscriber_t * s, sf_subscription_t * u, uint64_t now ) {
  sf_backoff_t b = { .min_ns = s->backoff_min_ns, .max_ns = s->backoff_max_ns, .failures = u->failures };
  sf_backoff_fail( &b, s->rng, now, 0 );
  u->state    = SF_SUBSCRIPTION_WANTED;
  u->failures = (uint32_t)b.failures;
  u->retry_ns = b.until_ns;
}

/* ask sends one request if it is its time: 0, or SF_ERR_FULL. */
static int ask( sf_subscriber_t * s, sf_subscription_t * u, uint64_t id, char const * pubkey, uint64_t now ) {
  if( u->state == SF_SUBSCRIPTION_ASKED && now - u->asked_ns > s->timeout_ns ) {
    s->failures++;
    retry( s, u, now );
  }
  if( u->state != SF_SUBSCRIPTION_WANTED || now < u->retry_ns ) return 0;
  uint64_t n = pubkey ? sf_rpc_account_subscribe( s->request, sizeof( s->request ), id, pubkey, s->commitment )
                      : sf_rpc_slot_subscribe( s->request, sizeof( s->request ), id );
  int err    = sf_websocket_send( s->ws, s->request, n );
  if( err ) return err;
  u->state    = SF_SUBSCRIPTION_ASKED;
  u->asked_ns = now;
  return 0;
}

/* end asks the node to no longer follow account i: 0, or SF_ERR_FULL. */
static int end( sf_subscriber_t * s, uint32_t i ) {
  sf_subscription_t const * u = &s->accounts->account[i].subscription;
  if( u->state != SF_SUBSCRIPTION_ON ) return 0;
  int err = sf_websocket_send( s->ws, s->request,
                               sf_rpc_account_unsubscribe( s->request, sizeof( s->request ), END_ID, u->id ) );
  if( err ) return err;
  sf_accounts_off( s->accounts, i );
  s->on--;
  return 0;
}

int sf_subscriber_step( sf_subscriber_t * s, uint64_t now ) {
  int full       = ask( s, &s->slot, SLOT_ID, NULL, now );
  uint32_t asked = s->slot.state == SF_SUBSCRIPTION_ASKED;
  for( uint32_t i = 0; i < s->accounts->cnt && asked < ASKED_MAX && !full; i++ ) {
    sf_account_t * a = &s->accounts->account[i];
    full             = a->dropped ? end( s, i ) : ask( s, &a->subscription, FIRST_ID + i, a->text, now );
    asked += a->subscription.state == SF_SUBSCRIPTION_ASKED;
  }
  return !asked && !full;
}

int sf_subscriber_answer( sf_subscriber_t * s, sf_rpc_message_t const * m, uint64_t now ) {
  if( m->id == END_ID ) return 0;
  uint64_t i            = m->id - FIRST_ID;
  sf_subscription_t * u = m->id == SLOT_ID       ? &s->slot
                          : i < s->accounts->cnt ? &s->accounts->account[i].subscription
                                                 : NULL;
  if( !u || ( m->kind == SF_RPC_RESULT && m->result != SF_RPC_RESULT_NUMBER ) ) return SF_ERR_ARG;
  if( m->kind == SF_RPC_ERROR ) {
    if( m->error_code == SF_RPC_TOO_MANY_REQUESTS || m->error_code == SF_RPC_NODE_UNHEALTHY ) s->limited++;
    else s->failures++;
    if( u->state == SF_SUBSCRIPTION_ASKED ) retry( s, u, now );
    return 0;
  }
  if( u == &s->slot ) {
    u->state = SF_SUBSCRIPTION_ON;
    return 0;
  }
  s->on += u->state != SF_SUBSCRIPTION_ON;
  sf_accounts_on( s->accounts, (uint32_t)i, m->number );
  return 0;
}
