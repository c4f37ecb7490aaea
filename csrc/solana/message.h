/* message.h: what a Solana message is made of, and how one is compiled.

   A message names every account once, in one table, and its instructions refer
   to the table by index.  The table's order says what an account may do:

     | fee payer | other writable signers | read-only signers | writable | read-only |
       <------------- required_signatures ----------------->
                                            <- readonly_signed ->  readonly_unsigned ->

   Within a part the accounts are sorted by their bytes, as the Solana SDK does, so
   the same instructions always give the same message.  A v0 message begins with
   0x80; a legacy one does not have that byte.  After the table follow the
   blockhash and the instructions; a v0 message ends with its address lookups.  Indices behind the table count the
   writable accounts of all lookups, then the read-only ones.  Lengths are compact-u16.

   The type sf_message_t is something else: the header of a message on a link. */

#ifndef SF_SOLANA_MESSAGE_H
#define SF_SOLANA_MESSAGE_H

#include <stdint.h>

#include "solana/lookup.h"

#define SF_PACKET_MAX 1232 /* bytes of a transaction that fit in a packet today */
#define SF_LOCK_MAX   64   /* accounts a transaction may lock */

#define SF_VERSION_0      0
#define SF_VERSION_LEGACY 0xff

/* One account as an instruction wants it. */
typedef struct sf_account_meta {
  uint8_t pubkey[32];
  uint8_t signer;
  uint8_t writable;
} sf_account_meta_t;

/* One instruction before it is compiled: pointers stay the caller's. */
typedef struct sf_instruction {
  uint8_t const * program; /* 32 bytes */
  sf_account_meta_t const * account;
  uint8_t const * data;
  uint16_t account_cnt;
  uint16_t data_len;
} sf_instruction_t;

/* sf_message_compile writes the message of `version` (SF_VERSION_*) that `payer` pays for and that
   holds the `cnt` instructions in order, and returns its bytes.
   Accounts that stand in a table of `lookups` (NULL = none) are looked up, if that makes the message shorter; not
   those of the first `static_cnt` instructions, signers and programs.
   data_off[i], if not NULL, becomes the offset in `out` of instruction i's data;
   *blockhash_off that of the blockhash.
   Fails with SF_ERR_LIMIT if there are more than SF_LOCK_MAX accounts or `out` is too small. */
int sf_message_compile( uint8_t * out, uint32_t out_bytes, uint32_t version, uint8_t const payer[32],
                        sf_instruction_t const * instruction, uint32_t cnt, sf_lookups_t const * lookups,
                        uint32_t static_cnt, uint8_t const blockhash[32], uint16_t * blockhash_off,
                        uint16_t * data_off );

#endif
