/* template.h: an unsigned transaction compiled once and patched in place.

   Transactions of one route differ only in a few numbers.  A template keeps the
   whole transaction (one signature, zeroed; the wallet pays) and where the
   blockhash and each instruction's data lie in it; whoever sends copies `tx`,
   and overwrites those bytes with others of the same length. */

#ifndef SF_SOLANA_TEMPLATE_H
#define SF_SOLANA_TEMPLATE_H

#include <stdint.h>

#include "solana/message.h"

#define SF_TEMPLATE_INSTRUCTION_MAX 12
#define SF_TEMPLATE_MESSAGE_OFF     65 /* one signature: its count and 64 bytes */

typedef struct sf_template {
  uint16_t tx_len;
  uint16_t blockhash_off;
  uint16_t instruction_cnt;
  uint16_t data_off[SF_TEMPLATE_INSTRUCTION_MAX];
  uint16_t data_len[SF_TEMPLATE_INSTRUCTION_MAX];
  uint8_t tx[SF_PACKET_MAX];
} sf_template_t;

/* sf_template_compile makes the template of a v0 transaction that `wallet` pays for, with lookups and static_cnt as
   sf_message_compile takes them.  The blockhash is zero.  Fails with SF_ERR_LIMIT if the transaction does not fit in a packet, locks more than
   SF_LOCK_MAX accounts or has more than SF_TEMPLATE_INSTRUCTION_MAX instructions; with SF_ERR_ARG if
   somebody else than the wallet has to sign. */
int sf_template_compile( sf_template_t * template, uint8_t const wallet[32], sf_instruction_t const * instruction,
                         uint32_t cnt, sf_lookups_t const * lookups, uint32_t static_cnt );

#endif
