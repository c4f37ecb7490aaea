/* fuzz_notification.c: any bytes as what a node says.  Every span must lie within
   the text. */

#include <stdint.h>
#include <stdlib.h>

#include "io/base64.h"
#include "io/rpc.h"

static void inside( sf_span_t s, uint8_t const * bytes, size_t size ) {
  if( !s.n && !s.p ) return;
  if( (uint8_t const *)s.p < bytes || (uint8_t const *)s.p + s.n > bytes + size ) abort();
}

static void account( sf_rpc_account_t const * a, uint8_t const * bytes, size_t size ) {
  static uint8_t out[1024];
  inside( a->owner, bytes, size );
  inside( a->data, bytes, size );
  if( a->exists ) sf_base64_decode( out, sizeof( out ), a->data.p, a->data.n );
}

int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size );
int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  sf_rpc_message_t m;
  if( sf_rpc_scan( &m, (char const *)bytes, size ) ) return 0;
  inside( m.text, bytes, size );
  inside( m.accounts, bytes, size );
  account( &m.account, bytes, size );
  if( m.kind == SF_RPC_ACCOUNT && !m.account.exists ) abort();
  if( m.kind != SF_RPC_RESULT || m.result != SF_RPC_RESULT_ACCOUNTS ) return 0;
  sf_json_t j;
  sf_rpc_account_t a;
  if( sf_rpc_accounts_open( &j, m.accounts ) ) abort();
  while( sf_rpc_account_next( &j, &a ) == 1 ) account( &a, bytes, size );
  return 0;
}
