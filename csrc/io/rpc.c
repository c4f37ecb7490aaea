#include "io/rpc.h"
#include "io/base64.h"
#include "sf_abi.h"
#include <stdio.h>

/* Inside, every function returns 0 (or a count), SF_ERR_DATA or SF_ERR_ARG. */
#define TRY( call )         \
  do {                      \
    int try_ = ( call );    \
    if( try_ ) return try_; \
  } while( 0 )

/* expect: a value of another type than the interface says is SF_ERR_ARG if it is
   JSON at all. */
static int expect( sf_json_t * j, char first ) {
  if( sf_json_peek( j ) == first ) return 0;
  return sf_json_skip( j ) ? SF_ERR_DATA : SF_ERR_ARG;
}

static int read_u64( sf_json_t * j, uint64_t * v ) {
  sf_json_t at = *j;
  if( !sf_json_u64( j, v ) ) return 0;
  return sf_json_skip( &at ) ? SF_ERR_DATA : SF_ERR_ARG;
}

static int read_i64( sf_json_t * j, int64_t * v ) {
  sf_json_t at = *j;
  if( !sf_json_i64( j, v ) ) return 0;
  return sf_json_skip( &at ) ? SF_ERR_DATA : SF_ERR_ARG;
}

static int read_string( sf_json_t * j, sf_span_t * s ) {
  TRY( expect( j, '"' ) );
  return sf_json_string( j, s );
}

/* ["<text>","base64"] */
static int read_data( sf_json_t * j, sf_span_t * data ) {
  sf_span_t encoding;
  TRY( expect( j, '[' ) );
  TRY( sf_json_array( j ) );
  int more = sf_json_item( j );
  if( more != 1 ) return more ? more : SF_ERR_ARG;
  TRY( read_string( j, data ) );
  more = sf_json_item( j );
  if( more != 1 ) return more ? more : SF_ERR_ARG;
  TRY( read_string( j, &encoding ) );
  if( !sf_json_is( encoding, "base64" ) ) return SF_ERR_ARG;
  more = sf_json_item( j );
  return more > 0 ? SF_ERR_ARG : more;
}

/* an account, or null */
static int read_account( sf_json_t * j, sf_rpc_account_t * a ) {
  *a = ( sf_rpc_account_t ){ 0 };
  if( sf_json_peek( j ) == 'n' ) return sf_json_skip( j );
  TRY( expect( j, '{' ) );
  TRY( sf_json_object( j ) );
  sf_span_t key;
  uint32_t have = 0;
  int more;
  while( ( more = sf_json_key( j, &key ) ) == 1 ) {
    if( sf_json_is( key, "data" ) ) {
      TRY( read_data( j, &a->data ) );
      have |= 1;
    } else if( sf_json_is( key, "lamports" ) ) {
      TRY( read_u64( j, &a->lamports ) );
      have |= 2;
    } else if( sf_json_is( key, "owner" ) ) {
      TRY( read_string( j, &a->owner ) );
      have |= 4;
    } else {
      TRY( sf_json_skip( j ) );
    }
  }
  if( more ) return more;
  a->exists = 1;
  return have == 7 ? 0 : SF_ERR_ARG;
}

/* {"slot":...} beside whatever else a context has */
static int read_context( sf_json_t * j, uint64_t * slot ) {
  TRY( expect( j, '{' ) );
  TRY( sf_json_object( j ) );
  sf_span_t key;
  uint32_t have = 0;
  int more;
  while( ( more = sf_json_key( j, &key ) ) == 1 ) {
    if( sf_json_is( key, "slot" ) ) {
      TRY( read_u64( j, slot ) );
      have = 1;
    } else {
      TRY( sf_json_skip( j ) );
    }
  }
  if( more ) return more;
  return have ? 0 : SF_ERR_ARG;
}

/* {"context":{...},"value":account} */
static int read_account_change( sf_json_t * j, sf_rpc_message_t * m ) {
  TRY( expect( j, '{' ) );
  TRY( sf_json_object( j ) );
  sf_span_t key;
  uint32_t have = 0;
  int more;
  while( ( more = sf_json_key( j, &key ) ) == 1 ) {
    if( sf_json_is( key, "context" ) ) {
      TRY( read_context( j, &m->slot ) );
      have |= 1;
    } else if( sf_json_is( key, "value" ) ) {
      TRY( read_account( j, &m->account ) );
      have |= 2;
    } else {
      TRY( sf_json_skip( j ) );
    }
  }
  if( more ) return more;
  return have == 3 && m->account.exists ? 0 : SF_ERR_ARG;
}

/* {"parent":..,"root":..,"slot":..} */
static int read_slot_change( sf_json_t * j, sf_rpc_message_t * m ) {
  TRY( expect( j, '{' ) );
  TRY( sf_json_object( j ) );
  sf_span_t key;
  uint32_t have = 0;
  int more;
  while( ( more = sf_json_key( j, &key ) ) == 1 ) {
    if( sf_json_is( key, "slot" ) ) {
      TRY( read_u64( j, &m->slot ) );
      have |= 1;
    } else if( sf_json_is( key, "parent" ) ) {
      TRY( read_u64( j, &m->parent ) );
      have |= 2;
    } else if( sf_json_is( key, "root" ) ) {
      TRY( read_u64( j, &m->root ) );
      have |= 4;
    } else {
      TRY( sf_json_skip( j ) );
    }
  }
  if( more ) return more;
  return have == 7 ? 0 : SF_ERR_ARG;
}

/* {"result":...,"subscription":N} of the kind m already has */
static int read_params( sf_json_t * j, sf_rpc_message_t * m ) {
  TRY( expect( j, '{' ) );
  TRY( sf_json_object( j ) );
  sf_span_t key;
  uint32_t have = 0;
  int more;
  while( ( more = sf_json_key( j, &key ) ) == 1 ) {
    if( sf_json_is( key, "result" ) ) {
      TRY( m->kind == SF_RPC_ACCOUNT ? read_account_change( j, m ) : read_slot_change( j, m ) );
      have |= 1;
    } else if( sf_json_is( key, "subscription" ) ) {
      TRY( read_u64( j, &m->subscription ) );
      have |= 2;
    } else {
      TRY( sf_json_skip( j ) );
    }
  }
  if( more ) return more;
  return have == 3 ? 0 : SF_ERR_ARG;
}

/* {"context":{...},"value":[...]}; any other object is SF_RPC_RESULT_OTHER */
static int read_result_object( sf_json_t * j, sf_rpc_message_t * m ) {
  TRY( sf_json_object( j ) );
  sf_span_t key;
  uint32_t have = 0;
  int more;
  while( ( more = sf_json_key( j, &key ) ) == 1 ) {
    char first = sf_json_peek( j );
    if( sf_json_is( key, "context" ) && first == '{' ) {
      TRY( read_context( j, &m->slot ) );
      have |= 1;
    } else if( sf_json_is( key, "value" ) && first == '[' ) {
      m->accounts.p = j->p;
      TRY( sf_json_skip( j ) );
      m->accounts.n = (uint64_t)( j->p - m->accounts.p );
      have |= 2;
    } else {
      TRY( sf_json_skip( j ) );
    }
  }
  if( more ) return more;
  if( have == 3 ) m->result = SF_RPC_RESULT_ACCOUNTS;
  return 0;
}

static int read_result( sf_json_t * j, sf_rpc_message_t * m ) {
  m->result  = SF_RPC_RESULT_OTHER;
  char first = sf_json_peek( j );
  if( first == '{' ) return read_result_object( j, m );
  if( first == '"' ) {
    m->result = SF_RPC_RESULT_TEXT;
    return sf_json_string( j, &m->text );
  }
  if( first >= '0' && first <= '9' ) {
    m->result = SF_RPC_RESULT_NUMBER;
    return read_u64( j, &m->number );
  }
  return sf_json_skip( j );
}

static int read_error( sf_json_t * j, sf_rpc_message_t * m ) {
  TRY( expect( j, '{' ) );
  TRY( sf_json_object( j ) );
  sf_span_t key;
  uint32_t have = 0;
  int more;
  while( ( more = sf_json_key( j, &key ) ) == 1 ) {
    if( sf_json_is( key, "code" ) ) {
      TRY( read_i64( j, &m->error_code ) );
      have = 1;
    } else if( sf_json_is( key, "message" ) ) {
      TRY( read_string( j, &m->text ) );
    } else {
      TRY( sf_json_skip( j ) );
    }
  }
  if( more ) return more;
  return have ? 0 : SF_ERR_ARG;
}

#define SAW_METHOD 1
#define SAW_PARAMS 2
#define SAW_RESULT 4
#define SAW_ERROR  8

int sf_rpc_scan( sf_rpc_message_t * m, char const * p, uint64_t n ) {
  sf_json_t j, params = { 0 };
  sf_span_t key, method;
  uint32_t saw = 0;
  *m           = ( sf_rpc_message_t ){ 0 };
  sf_json_open( &j, p, n );
  TRY( expect( &j, '{' ) );
  TRY( sf_json_object( &j ) );
  int more;
  while( ( more = sf_json_key( &j, &key ) ) == 1 ) {
    if( sf_json_is( key, "method" ) ) {
      if( saw & SAW_METHOD ) return SF_ERR_ARG;
      TRY( read_string( &j, &method ) );
      saw |= SAW_METHOD;
      if( sf_json_is( method, "accountNotification" ) ) m->kind = SF_RPC_ACCOUNT;
      else if( sf_json_is( method, "slotNotification" ) ) m->kind = SF_RPC_SLOT;
    } else if( sf_json_is( key, "params" ) ) {
      if( saw & SAW_PARAMS ) return SF_ERR_ARG;
      saw |= SAW_PARAMS;
      if( saw & SAW_METHOD && m->kind ) {
        TRY( read_params( &j, m ) );
      } else {
        params = j; /* the method comes later: this is read again then */
        TRY( sf_json_skip( &j ) );
      }
    } else if( sf_json_is( key, "result" ) ) {
      TRY( read_result( &j, m ) );
      saw |= SAW_RESULT;
    } else if( sf_json_is( key, "error" ) ) {
      TRY( read_error( &j, m ) );
      saw |= SAW_ERROR;
    } else if( sf_json_is( key, "id" ) ) {
      char first = sf_json_peek( &j );
      if( first >= '0' && first <= '9' ) {
        TRY( read_u64( &j, &m->id ) );
      } else {
        TRY( sf_json_skip( &j ) );
      }
    } else {
      TRY( sf_json_skip( &j ) );
    }
  }
  if( more ) return more;
  TRY( sf_json_end( &j ) );
  if( saw & SAW_METHOD ) {
    if( saw & ( SAW_RESULT | SAW_ERROR ) || !( saw & SAW_PARAMS ) ) return SF_ERR_ARG;
    return params.p && m->kind ? read_params( &params, m ) : 0;
  }
  if( saw != SAW_RESULT && saw != SAW_ERROR ) return SF_ERR_ARG;
  m->kind = saw == SAW_RESULT ? SF_RPC_RESULT : SF_RPC_ERROR;
  return 0;
}

int sf_rpc_accounts_open( sf_json_t * j, sf_span_t accounts ) {
  sf_json_open( j, accounts.p, accounts.n );
  return sf_json_array( j );
}

int sf_rpc_account_next( sf_json_t * j, sf_rpc_account_t * a ) {
  int more = sf_json_item( j );
  if( more != 1 ) return more;
  TRY( read_account( j, a ) );
  return 1;
}

/* -- requests ------------------------------------------------------------- */

uint64_t sf_rpc_account_subscribe( char * out, uint64_t max, uint64_t id, char const * pubkey,
                                   char const * commitment ) {
  return (uint64_t)snprintf( out, max,
                             "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"method\":\"accountSubscribe\",\"params\":[\"%s\",{"
                             "\"encoding\":\"base64\",\"commitment\":\"%s\"}]}",
                             id, pubkey, commitment );
}

uint64_t sf_rpc_account_unsubscribe( char * out, uint64_t max, uint64_t id, uint64_t subscription ) {
  return (uint64_t)snprintf( out, max,
                             "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"method\":\"accountUnsubscribe\",\"params\":[%lu]}", id,
                             subscription );
}

uint64_t sf_rpc_slot_subscribe( char * out, uint64_t max, uint64_t id ) {
  return (uint64_t)snprintf( out, max, "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"method\":\"slotSubscribe\"}", id );
}

uint64_t sf_rpc_accounts_request( char * out, uint64_t max, uint64_t id, char const * const * pubkey, uint32_t cnt,
                                  char const * commitment, uint64_t min_slot ) {
  uint64_t n = (uint64_t)snprintf(
      out, max, "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"method\":\"getMultipleAccounts\",\"params\":[[", id );
  for( uint32_t i = 0; i < cnt; i++ ) n += (uint64_t)snprintf( out + n, max - n, "%s\"%s\"", i ? "," : "", pubkey[i] );
  n += (uint64_t)snprintf( out + n, max - n,
                           "],{\"encoding\":\"base64\",\"commitment\":\"%s\",\"minContextSlot\":%lu}]}", commitment,
                           min_slot );
  return n;
}

uint64_t sf_rpc_send_request( char * out, uint64_t id, uint8_t const * tx, uint64_t n ) {
  char * p = out;
  p += sprintf( p, "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"method\":\"sendTransaction\",\"params\":[\"", id );
  p += sf_base64_encode( p, tx, n );
  p += sprintf(
      p,
      "\",{\"encoding\":\"base64\",\"skipPreflight\":true,\"preflightCommitment\":\"processed\",\"maxRetries\":0}]}" );
  return (uint64_t)( p - out );
}
