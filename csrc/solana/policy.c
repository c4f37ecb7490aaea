#include "solana/policy.h"

#include <string.h>

#include "sf_message.h"
#include "solana/key.h"
#include "solana/program.h"
#include "solana/transaction.h"

static uint32_t refuse( sf_policy_finding_t * out, uint32_t reason, uint64_t detail ) {
  out->reason = reason;
  out->detail = detail;
  return reason;
}

static int key_in( uint8_t const key[32], uint8_t const ( *list )[32], uint32_t cnt ) {
  for( uint32_t i = 0; i < cnt; i++ )
    if( sf_key_same( key, list[i] ) ) return 1;
  return 0;
}

/* A transaction with the keys of all its accounts, looked-up ones included. */
typedef struct message {
  sf_transaction_t tx;
  uint8_t const * key[256];
} message_t;

/* Fills in the keys; 0 if a table or a place in it is not known. */
static int keys_resolve( sf_policy_t const * policy, message_t * m ) {
  sf_transaction_t const * tx = &m->tx;
  uint32_t writable           = tx->account_cnt;
  uint32_t read_only          = writable + tx->looked_up_writable;
  for( uint32_t i = 0; i < tx->account_cnt; i++ ) m->key[i] = sf_transaction_account( tx, i );
  uint16_t off = tx->lookup_off;
  for( uint32_t n = 0; n < tx->lookup_cnt; n++ ) {
    sf_lookup_view_t one;
    sf_transaction_lookup( tx, &off, &one );
    sf_lookup_table_t const * table = sf_lookups_table( &policy->lookups, one.table );
    if( !table ) return 0;
    for( uint32_t i = 0; i < one.writable_cnt; i++ ) {
      if( one.writable[i] >= table->cnt ) return 0;
      m->key[writable++] = table->address[one.writable[i]];
    }
    for( uint32_t i = 0; i < one.readonly_cnt; i++ ) {
      if( one.readonly[i] >= table->cnt ) return 0;
      m->key[read_only++] = table->address[one.readonly[i]];
    }
  }
  return 1;
}

static int is_key( message_t const * m, uint32_t account, uint8_t const key[32] ) {
  return sf_key_same( m->key[account], key );
}

/* What of a transaction has been seen so far. */
typedef struct seen {
  uint32_t limits;
  uint32_t prices;
  uint32_t tips;
  uint32_t ordered;
} seen_t;

/* Compute budget.  Its accounts mean nothing to the runtime; only the protecting one may be there, not looked up. */
static uint32_t check_budget( sf_policy_t const * policy, message_t const * m, sf_instruction_view_t const * one,
                              sf_policy_order_t const * order, seen_t * seen, sf_policy_finding_t * out ) {
  uint64_t value   = 0;
  int kind         = sf_compute_budget_read( one->data, one->data_len, &value );
  uint32_t allowed = kind == SF_COMPUTE_LIMIT && order->protect;
  if( one->account_cnt != allowed || ( allowed && ( one->account[0] >= m->tx.account_cnt ||
                                                    !is_key( m, one->account[0], policy->protect_account ) ) ) )
    return refuse( out, SF_REFUSE_MISMATCH, one->account_cnt );
  if( kind == SF_COMPUTE_LIMIT && !seen->limits++ ) {
    out->units = (uint32_t)value;
    return 0;
  }
  if( kind == SF_COMPUTE_PRICE && !seen->prices++ ) {
    out->price_micro_lamports = value;
    return 0;
  }
  return refuse( out, SF_REFUSE_FEE, value );
}

/* A tip account may not be looked up: block engines want to see it. */
static uint32_t check_tip( sf_policy_t const * policy, message_t const * m, sf_instruction_view_t const * one,
                           sf_policy_order_t const * order, seen_t * seen, sf_policy_finding_t * out ) {
  uint64_t lamports = 0;
  if( !sf_system_transfer_read( one->data, one->data_len, &lamports ) || one->account_cnt != 2 )
    return refuse( out, SF_REFUSE_PROGRAM, one->program );
  if( !is_key( m, one->account[0], policy->wallet ) || one->account[1] >= m->tx.account_cnt ||
      !key_in( m->key[one->account[1]], policy->tip_account, policy->tip_account_cnt ) )
    return refuse( out, SF_REFUSE_PROGRAM, one->program );
  if( lamports > policy->max_tip_lamports ) return refuse( out, SF_REFUSE_FEE, lamports );
  if( seen->tips++ || lamports != order->tip_lamports ) return refuse( out, SF_REFUSE_MISMATCH, lamports );
  out->tip_lamports = lamports;
  return 0;
}

static uint32_t check_ordered( message_t const * m, sf_instruction_view_t const * one, sf_instruction_t const * ordered,
                               uint32_t index, sf_policy_finding_t * out ) {
  if( !is_key( m, one->program, ordered->program ) || one->account_cnt != ordered->account_cnt ||
      one->data_len != ordered->data_len || memcmp( one->data, ordered->data, one->data_len ) )
    return refuse( out, SF_REFUSE_MISMATCH, index );
  for( uint32_t i = 0; i < one->account_cnt; i++ ) {
    sf_account_meta_t const * meta = &ordered->account[i];
    if( !is_key( m, one->account[i], meta->pubkey ) ||
        ( meta->writable && !sf_transaction_is_writable( &m->tx, one->account[i] ) ) )
      return refuse( out, SF_REFUSE_MISMATCH, index );
  }
  return 0;
}

static uint32_t check_instructions( sf_policy_t const * policy, message_t const * m, sf_policy_order_t const * order,
                                    sf_policy_finding_t * out ) {
  seen_t seen  = { 0 };
  uint16_t off = m->tx.instruction_off;
  for( uint32_t i = 0; i < m->tx.instruction_cnt; i++ ) {
    sf_instruction_view_t one;
    sf_transaction_instruction( &m->tx, &off, &one );
    uint8_t const * program = m->key[one.program];
    uint32_t reason;
    if( sf_key_same( program, sf_program_compute_budget ) ) {
      reason = check_budget( policy, m, &one, order, &seen, out );
    } else if( sf_key_same( program, sf_program_system ) ) {
      reason = check_tip( policy, m, &one, order, &seen, out );
    } else if( !key_in( program, policy->program, policy->program_cnt ) &&
               !sf_key_same( program, sf_program_associated_token ) ) {
      reason = refuse( out, SF_REFUSE_PROGRAM, i );
    } else if( seen.ordered == order->cnt ) {
      reason = refuse( out, SF_REFUSE_MISMATCH, i );
    } else {
      reason = check_ordered( m, &one, &order->instruction[seen.ordered++], i, out );
    }
    if( reason ) return reason;
  }
  if( seen.ordered != order->cnt ) return refuse( out, SF_REFUSE_MISMATCH, seen.ordered );
  if( !seen.limits ) return refuse( out, SF_REFUSE_FEE, 0 ); /* the fee would depend on the runtime's default */
  return 0;
}

uint32_t sf_policy_check( sf_policy_t const * policy, uint8_t const * bytes, uint32_t len,
                          sf_policy_order_t const * order, sf_policy_finding_t * out ) {
  message_t m;
  memset( out, 0, sizeof( *out ) );
  if( len > SF_PACKET_MAX ) return refuse( out, SF_REFUSE_SIZE, len );
  if( sf_transaction_parse( &m.tx, bytes, len ) ) return refuse( out, SF_REFUSE_MISMATCH, len );
  sf_transaction_t const * tx = &m.tx;
  out->message_off            = tx->message_off;
  out->blockhash_off          = tx->blockhash_off;
  uint32_t locks              = (uint32_t)tx->account_cnt + tx->looked_up_writable + tx->looked_up_readonly;
  if( locks > SF_LOCK_MAX ) return refuse( out, SF_REFUSE_SIZE, locks );
  if( tx->version != SF_VERSION_0 || !keys_resolve( policy, &m ) || tx->required_signatures != 1 ||
      !is_key( &m, 0, policy->wallet ) )
    return refuse( out, SF_REFUSE_MISMATCH, tx->required_signatures );

  uint32_t reason = check_instructions( policy, &m, order, out );
  if( reason ) return reason;
  uint32_t units    = out->units < SF_COMPUTE_UNITS_MAX ? out->units : SF_COMPUTE_UNITS_MAX;
  out->fee_lamports = sf_fee_lamports( tx->signature_cnt, out->price_micro_lamports, units );
  if( out->fee_lamports > policy->max_fee_lamports ) return refuse( out, SF_REFUSE_FEE, out->fee_lamports );
  return 0;
}
