/* rpc.h: Solana's JSON-RPC texts: the few requests this engine's hot side makes,
   and one scanner for everything a node answers or notifies.

   The scanner accepts members in any order and skips what it does not know, but
   what it does know must have the documented type.  Texts stay where they are:
   owners and data are spans, decoded by whoever keeps them. */

#ifndef SF_IO_RPC_H
#define SF_IO_RPC_H
#include "io/json.h"

#define SF_RPC_ACCOUNTS_MAX 100 /* accounts of one getMultipleAccounts call */

#define SF_RPC_OTHER   0 /* a notification of another kind */
#define SF_RPC_ACCOUNT 1 /* accountNotification: subscription, slot, account */
#define SF_RPC_SLOT    2 /* slotNotification: subscription, slot, parent, root */
#define SF_RPC_RESULT  3 /* id, and what the result is */
#define SF_RPC_ERROR   4 /* id (0 = none), error_code, text */

#define SF_RPC_RESULT_OTHER    0
#define SF_RPC_RESULT_NUMBER   1 /* number */
#define SF_RPC_RESULT_TEXT     2 /* text */
#define SF_RPC_RESULT_ACCOUNTS 3 /* slot, accounts */

/* error codes of a node */
#define SF_RPC_PARSE_ERROR       ( -32700 )
#define SF_RPC_INVALID_REQUEST   ( -32600 )
#define SF_RPC_METHOD_NOT_FOUND  ( -32601 )
#define SF_RPC_INVALID_PARAMS    ( -32602 )
#define SF_RPC_SIGNATURE_FAILURE ( -32003 )
#define SF_RPC_NODE_UNHEALTHY    ( -32005 )
#define SF_RPC_MIN_CONTEXT_SLOT  ( -32016 )
#define SF_RPC_TOO_MANY_REQUESTS ( 429 )

typedef struct sf_rpc_account {
  uint64_t exists; /* 0: the node has no such account */
  uint64_t lamports;
  sf_span_t owner; /* base58 */
  sf_span_t data;  /* base64 */
} sf_rpc_account_t;

typedef struct sf_rpc_message {
  uint32_t kind;   /* SF_RPC_* */
  uint32_t result; /* SF_RPC_RESULT_* */
  uint64_t id;
  uint64_t subscription;
  uint64_t slot;
  uint64_t parent;
  uint64_t root;
  uint64_t number;
  int64_t error_code;
  sf_span_t text;
  sf_span_t accounts; /* the array */
  sf_rpc_account_t account;
} sf_rpc_message_t;

/* sf_rpc_scan reads one message of a node.  Returns 0; SF_ERR_DATA if it is not
   JSON; SF_ERR_ARG if it is, but not what Solana's interface says.  Hot: about
   0.3 us for an account of 637 bytes. */
int sf_rpc_scan( sf_rpc_message_t * m, char const * p, uint64_t n );

/* sf_rpc_account_next reads the next account of an array that sf_rpc_scan found:
   1, 0 at its end, or as above.  j is the caller's; start it with
   sf_rpc_accounts_open. */
int sf_rpc_accounts_open( sf_json_t * j, sf_span_t accounts );
int sf_rpc_account_next( sf_json_t * j, sf_rpc_account_t * a );

/* Requests: written to out, their length returned, no zero behind them. */
uint64_t sf_rpc_account_subscribe( char * out, uint64_t max, uint64_t id, char const * pubkey,
                                   char const * commitment );
uint64_t sf_rpc_account_unsubscribe( char * out, uint64_t max, uint64_t id, uint64_t subscription );
uint64_t sf_rpc_slot_subscribe( char * out, uint64_t max, uint64_t id );

/* sf_rpc_accounts_request asks for cnt accounts (base58, by pointer), at a slot not
   before min_slot. */
uint64_t sf_rpc_accounts_request( char * out, uint64_t max, uint64_t id, char const * const * pubkey, uint32_t cnt,
                                  char const * commitment, uint64_t min_slot );

/* sf_rpc_send_request hands over a signed transaction of n bytes, without preflight
   and without the node's own retries.  Needs 2*n+256 bytes. */
uint64_t sf_rpc_send_request( char * out, uint64_t id, uint8_t const * tx, uint64_t n );

#endif
