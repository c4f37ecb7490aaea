/* fuzz_transaction.c: any bytes as a transaction, as a message, and before the
   signer's policy.  What parses must serialise to the same bytes; what the policy
   lets pass must be what was ordered. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sf_abi.h"
#include "solana/base58.h"
#include "solana/policy.h"
#include "solana/program.h"
#include "solana/template.h"
#include "solana/transaction.h"

static uint8_t sink;

static void walk( sf_transaction_t const * tx ) {
  uint32_t total = (uint32_t)tx->account_cnt + tx->looked_up_writable + tx->looked_up_readonly;
  uint16_t off   = tx->instruction_off;
  for( uint32_t i = 0; i < tx->instruction_cnt; i++ ) {
    sf_instruction_view_t one;
    sf_transaction_instruction( tx, &off, &one );
    for( uint32_t j = 0; j < one.account_cnt; j++ ) {
      if( one.account[j] >= total ) abort();
      sink ^= (uint8_t)sf_transaction_is_writable( tx, one.account[j] );
    }
    if( one.program >= tx->account_cnt || !one.program ) abort();
    for( uint32_t j = 0; j < one.data_len; j++ ) sink ^= one.data[j];
  }
  if( tx->version == SF_VERSION_LEGACY && off != tx->len ) abort();
  off = tx->lookup_off;
  for( uint32_t i = 0; i < tx->lookup_cnt; i++ ) {
    sf_lookup_view_t one;
    sf_transaction_lookup( tx, &off, &one );
    sink ^= one.table[31];
    if( !( one.writable_cnt + one.readonly_cnt ) ) abort();
  }
  if( tx->version == SF_VERSION_0 && off != tx->len ) abort();
}

static void round_trip( sf_transaction_t const * tx, uint8_t const * bytes, size_t size ) {
  static uint8_t out[UINT16_MAX];
  walk( tx );
  if( sf_transaction_serialise( tx, out, sizeof( out ) ) != (int)size || memcmp( out, bytes, size ) ) abort();
}

/* The order: one swap of program 7.. with three accounts.  The first byte of the input says how often a template
   of it is patched by the rest (offset, value pairs); without patches it must pass. */
static void policy( uint8_t const * bytes, size_t size ) {
  static sf_policy_t p;
  static uint8_t const swap_program[32] = { 7, 7 };
  static uint8_t const swap_data[24]    = { 1, 2, 3 };
  sf_account_meta_t account[3]          = { { { 9 }, 1, 1 }, { { 8 }, 0, 1 }, { { 6 }, 0, 0 } };
  sf_account_meta_t tip_account[2]      = { { { 9 }, 1, 1 }, { { 5 }, 0, 1 } };
  uint8_t limit[SF_COMPUTE_LIMIT_BYTES], tip[SF_SYSTEM_TRANSFER_BYTES];
  sf_template_t template;
  sf_policy_finding_t found;
  uint8_t const wallet[32] = { 9 };
  memcpy( p.wallet, wallet, 32 );
  memcpy( p.program[0], swap_program, 32 );
  p.program_cnt       = 1;
  p.tip_account[0][0] = 5;
  p.tip_account_cnt   = 1;
  p.max_fee_lamports  = 6000;
  p.max_tip_lamports  = 100;
  sf_compute_limit_data( limit, 100000 );
  sf_system_transfer_data( tip, 77 );
  sf_instruction_t instruction[3] = {
    { sf_program_compute_budget, NULL, limit, 0, sizeof( limit ) },
    { sf_program_system, tip_account, tip, 2, sizeof( tip ) },
    { swap_program, account, swap_data, 3, sizeof( swap_data ) },
  };
  int tables    = size && bytes[0] & 4; /* then the swap's other accounts are looked up */
  p.lookups.cnt = 1;
  memcpy( p.lookups.table[0].key, "table", 5 );
  p.lookups.table[0].cnt = 3;
  for( uint32_t i = 0; i < 3; i++ ) p.lookups.table[0].address[i][0] = (uint8_t)( 8 - 2 * i );
  p.lookups.table[0].address[2][0] = 77;
  if( sf_template_compile( &template, wallet, instruction, 3, tables ? &p.lookups : NULL, 2 ) ) abort();
  sf_policy_order_t const order = { .instruction = &instruction[2], .cnt = 1, .tip_lamports = 77 };

  sf_template_t patched = template;
  size_t patches        = size ? bytes[0] % 4u : 0;
  for( size_t i = 0; i < patches && 3 + 3 * i < size; i++ ) {
    size_t at      = ( bytes[1 + 3 * i] << 8 | bytes[2 + 3 * i] ) % template.tx_len;
    patched.tx[at] = bytes[3 + 3 * i];
  }
  uint32_t reason = sf_policy_check( &p, patched.tx, patched.tx_len, &order, &found );
  if( !memcmp( patched.tx, template.tx, template.tx_len ) ) {
    if( reason || found.fee_lamports != 5000 || found.tip_lamports != 77 ) abort();
  } else if( !reason ) {
    /* only what the policy leaves open may differ: signature, blockhash, compute limit */
    for( uint32_t i = 0; i < template.tx_len; i++ ) {
      if( i >= 1 && i < SF_TEMPLATE_MESSAGE_OFF ) continue;
      if( i >= template.blockhash_off && i < template.blockhash_off + 32u ) continue;
      if( i >= template.data_off[0] && i < template.data_off[0] + sizeof( limit ) ) continue;
      /* the header may say that a read-only account is writable */
      if( i == SF_TEMPLATE_MESSAGE_OFF + 3u ) continue;
      if( patched.tx[i] != template.tx[i] ) abort();
    }
  }
  if( size <= SF_PACKET_MAX && !sf_policy_check( &p, bytes, (uint32_t)size, &order, &found ) &&
      found.fee_lamports > 6000 )
    abort();
}

static void base58( uint8_t const * bytes, size_t size ) {
  uint8_t value[SF_BASE58_MAX];
  char text[SF_BASE58_TEXT_MAX];
  int n = sf_base58_decode( (char const *)bytes, (uint32_t)size, value, SF_BASE58_MAX );
  if( n < 0 ) return;
  if( sf_base58_encode( value, (uint32_t)n, text, sizeof( text ) ) != (int)size || memcmp( text, bytes, size ) )
    abort();
}

int LLVMFuzzerTestOneInput( uint8_t const * bytes, size_t size ) {
  sf_transaction_t tx;
  if( size > UINT16_MAX ) return 0;
  if( !sf_transaction_parse( &tx, bytes, (uint32_t)size ) ) round_trip( &tx, bytes, size );
  if( !sf_transaction_parse_message( &tx, bytes, (uint32_t)size ) ) round_trip( &tx, bytes, size );
  policy( bytes, size );
  base58( bytes, size );
  return 0;
}
