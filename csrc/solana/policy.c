#include "solana/policy.h"

#include <string.h>

#include "sf_message.h"
#include "solana/program.h"
#include "solana/transaction.h"

static uint32_t refuse( sf_policy_finding_t * out, uint32_t reason, uint64_t detail ) {
  out->reason = reason;
  out->detail = detail;
  return reason;
}

static int key_in( uint8_t const key[32], uint8_t const ( *list )[32], uint32_t cnt ) {
  for( uint32_t i = 0; i < cnt; i++ )
    if( !memcmp( key, list[i], 32 ) ) return 1;
  return 0;
}

static int is_wallet( sf_policy_t const * policy, sf_transaction_t const * tx, uint32_t account ) {
  return account < tx->account_cnt && !memcmp( sf_transaction_account( tx, account ), policy->wallet, 32 );
}

/* Compute budget: *limit_cnt and *price_cnt count what was there. */
static uint32_t check_budget( sf_instruction_view_t const * one, uint32_t * limit_cnt, uint32_t * price_cnt,
                              sf_policy_finding_t * out ) {
  uint64_t value = 0;
  int kind       = sf_compute_budget_read( one->data, one->data_len, &value );
  if( kind == SF_COMPUTE_LIMIT && !( *limit_cnt )++ ) {
    out->units = (uint32_t)value;
    return 0;
  }
  if( kind == SF_COMPUTE_PRICE && !( *price_cnt )++ ) {
    out->price_micro_lamports = value;
    return 0;
  }
  return refuse( out, SF_REFUSE_FEE, value );
}

static uint32_t check_tip( sf_policy_t const * policy, sf_transaction_t const * tx, sf_instruction_view_t const * one,
                           uint64_t tip_lamports, uint32_t * tip_cnt, sf_policy_finding_t * out ) {
  uint64_t lamports = 0;
  if( !sf_system_transfer_read( one->data, one->data_len, &lamports ) || one->account_cnt != 2 )
    return refuse( out, SF_REFUSE_PROGRAM, one->program );
  if( !is_wallet( policy, tx, one->account[0] ) ||
      !key_in( sf_transaction_account( tx, one->account[1] ), policy->tip_account, policy->tip_account_cnt ) )
    return refuse( out, SF_REFUSE_PROGRAM, one->program );
  if( lamports > policy->max_tip_lamports ) return refuse( out, SF_REFUSE_FEE, lamports );
  if( ( *tip_cnt )++ || lamports != tip_lamports ) return refuse( out, SF_REFUSE_MISMATCH, lamports );
  out->tip_lamports = lamports;
  return 0;
}

static uint32_t check_swap( sf_transaction_t const * tx, sf_instruction_view_t const * one,
                            sf_instruction_t const * swap, uint32_t index, sf_policy_finding_t * out ) {
  if( memcmp( sf_transaction_account( tx, one->program ), swap->program, 32 ) ||
      one->account_cnt != swap->account_cnt || one->data_len != swap->data_len ||
      memcmp( one->data, swap->data, one->data_len ) )
    return refuse( out, SF_REFUSE_MISMATCH, index );
  for( uint32_t i = 0; i < one->account_cnt; i++ ) {
    uint32_t account               = one->account[i];
    sf_account_meta_t const * meta = &swap->account[i];
    if( memcmp( sf_transaction_account( tx, account ), meta->pubkey, 32 ) ||
        ( meta->writable && !sf_transaction_is_writable( tx, account ) ) )
      return refuse( out, SF_REFUSE_MISMATCH, index );
  }
  return 0;
}

static uint32_t check_instructions( sf_policy_t const * policy, sf_transaction_t const * tx,
                                    sf_instruction_t const * swap, uint32_t swap_cnt, uint64_t tip_lamports,
                                    sf_policy_finding_t * out ) {
  uint32_t limit_cnt = 0;
  uint32_t price_cnt = 0;
  uint32_t tip_cnt   = 0;
  uint32_t swaps     = 0;
  uint16_t off       = tx->instruction_off;
  for( uint32_t i = 0; i < tx->instruction_cnt; i++ ) {
    sf_instruction_view_t one;
    sf_transaction_instruction( tx, &off, &one );
    uint8_t const * program = sf_transaction_account( tx, one.program );
    uint32_t reason;
    if( !memcmp( program, sf_program_compute_budget, 32 ) ) {
      reason = check_budget( &one, &limit_cnt, &price_cnt, out );
    } else if( !memcmp( program, sf_program_system, 32 ) ) {
      reason = check_tip( policy, tx, &one, tip_lamports, &tip_cnt, out );
    } else if( !key_in( program, policy->program, policy->program_cnt ) ) {
      reason = refuse( out, SF_REFUSE_PROGRAM, i );
    } else if( swaps == swap_cnt ) {
      reason = refuse( out, SF_REFUSE_MISMATCH, i );
    } else {
      reason = check_swap( tx, &one, &swap[swaps++], i, out );
    }
    if( reason ) return reason;
  }
  if( swaps != swap_cnt ) return refuse( out, SF_REFUSE_MISMATCH, swaps );
  if( !limit_cnt ) return refuse( out, SF_REFUSE_FEE, 0 ); /* the fee would depend on the runtime's default */
  return 0;
}

uint32_t sf_policy_check( sf_policy_t const * policy, uint8_t const * bytes, uint32_t len,
                          sf_instruction_t const * swap, uint32_t swap_cnt, uint64_t tip_lamports,
                          sf_policy_finding_t * out ) {
  sf_transaction_t tx;
  memset( out, 0, sizeof( *out ) );
  if( len > SF_PACKET_MAX ) return refuse( out, SF_REFUSE_SIZE, len );
  if( sf_transaction_parse( &tx, bytes, len ) ) return refuse( out, SF_REFUSE_MISMATCH, len );
  out->message_off   = tx.message_off;
  out->blockhash_off = tx.blockhash_off;
  if( tx.account_cnt > SF_LOCK_MAX ) return refuse( out, SF_REFUSE_SIZE, tx.account_cnt );
  if( tx.version != SF_VERSION_0 || tx.lookup_cnt || tx.required_signatures != 1 || !is_wallet( policy, &tx, 0 ) )
    return refuse( out, SF_REFUSE_MISMATCH, tx.required_signatures );

  uint32_t reason = check_instructions( policy, &tx, swap, swap_cnt, tip_lamports, out );
  if( reason ) return reason;
  uint32_t units    = out->units < SF_COMPUTE_UNITS_MAX ? out->units : SF_COMPUTE_UNITS_MAX;
  out->fee_lamports = sf_fee_lamports( tx.signature_cnt, out->price_micro_lamports, units );
  if( out->fee_lamports > policy->max_fee_lamports ) return refuse( out, SF_REFUSE_FEE, out->fee_lamports );
  return 0;
}
