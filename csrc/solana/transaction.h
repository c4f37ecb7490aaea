/* transaction.h: a view of a serialised transaction, legacy or v0.

     | count | signatures 64 each | message .................................. |
                                  ^ message_off
     message: [0x80+version] header(3) | count | accounts 32 each | blockhash 32
              | count | instructions | v0: count | lookups |

   sf_transaction_parse checks every length and every index, so that all other
   functions here only follow offsets and cannot fail.  Nothing is copied: the
   bytes stay the caller's and must not change while the view is used. */

#ifndef SF_SOLANA_TRANSACTION_H
#define SF_SOLANA_TRANSACTION_H

#include <stdint.h>

#include "solana/message.h"

typedef struct sf_transaction {
  uint8_t const * bytes;
  uint16_t len;
  uint16_t signature_cnt; /* 0 for a message alone */
  uint16_t signature_off;
  uint16_t message_off;
  uint8_t version; /* SF_VERSION_* */
  uint8_t required_signatures;
  uint8_t readonly_signed;
  uint8_t readonly_unsigned;
  uint16_t account_cnt; /* in the message's own table */
  uint16_t account_off;
  uint16_t blockhash_off;
  uint16_t instruction_cnt;
  uint16_t instruction_off; /* of the first one */
  uint16_t lookup_cnt;
  uint16_t lookup_off;
  uint16_t looked_up_writable; /* accounts that lookups add */
  uint16_t looked_up_readonly;
} sf_transaction_t;

/* One instruction; indices count the message's own accounts, then the writable, then the read-only
   looked-up ones. */
typedef struct sf_instruction_view {
  uint8_t program;
  uint8_t const * account; /* account_cnt indices */
  uint8_t const * data;
  uint16_t account_cnt;
  uint16_t data_len;
} sf_instruction_view_t;

/* One lookup of a v0 message. */
typedef struct sf_lookup_view {
  uint8_t const * table; /* 32 bytes */
  uint8_t const * writable;
  uint8_t const * readonly;
  uint16_t writable_cnt;
  uint16_t readonly_cnt;
} sf_lookup_view_t;

/* sf_transaction_parse reads a whole transaction of len bytes (at most 65535; the packet limit is not
   checked) and returns 0.  It accepts what an Agave node accepts at sanitising: minimal lengths,
   as many signatures as the header requires, indices inside the table, no program that is the fee
   payer or looked up, no empty lookup, and nothing behind the end.
   Fails with SF_ERR_DATA; the sentence has the offset. */
int sf_transaction_parse( sf_transaction_t * tx, uint8_t const * bytes, uint32_t len );

/* sf_transaction_parse_message does the same for a message without signatures. */
int sf_transaction_parse_message( sf_transaction_t * tx, uint8_t const * bytes, uint32_t len );

/* sf_transaction_instruction reads the instruction at *off and moves *off to the next one.
   Assumes *off began as tx->instruction_off and is moved at most instruction_cnt times. */
void sf_transaction_instruction( sf_transaction_t const * tx, uint16_t * off, sf_instruction_view_t * out );

/* sf_transaction_lookup reads the lookup at *off and moves *off to the next one.
   Assumes *off began as tx->lookup_off and is moved at most lookup_cnt times. */
void sf_transaction_lookup( sf_transaction_t const * tx, uint16_t * off, sf_lookup_view_t * out );

/* sf_transaction_serialise writes the transaction again from its parts (not by copying it whole) and
   returns its bytes.  Fails with SF_ERR_LIMIT if out_bytes is too small. */
int sf_transaction_serialise( sf_transaction_t const * tx, uint8_t * out, uint32_t out_bytes );

/* sf_transaction_account returns the 32 bytes of account i of the message's own table. */
static inline uint8_t const * sf_transaction_account( sf_transaction_t const * tx, uint32_t i ) {
  return tx->bytes + tx->account_off + 32u * i;
}

/* sf_transaction_is_signer says if account i signs. */
static inline int sf_transaction_is_signer( sf_transaction_t const * tx, uint32_t i ) {
  return i < tx->required_signatures;
}

/* sf_transaction_is_writable says if the message asks for account i, looked-up ones included, to be
   writable (the runtime still refuses to write programs and system variables). */
static inline int sf_transaction_is_writable( sf_transaction_t const * tx, uint32_t i ) {
  if( i >= tx->account_cnt ) return i - tx->account_cnt < tx->looked_up_writable;
  if( i < tx->required_signatures ) return i < (uint32_t)( tx->required_signatures - tx->readonly_signed );
  return i < (uint32_t)( tx->account_cnt - tx->readonly_unsigned );
}

#endif
