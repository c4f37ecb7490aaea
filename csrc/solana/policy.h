/* policy.h: what a signer is willing to sign.

   A transaction is read from its bytes and held against what was ordered.  It
   must be a v0 transaction that only the wallet signs and pays for, look accounts up only in tables
   that we know, and consist of

     one SetComputeUnitLimit, at most one SetComputeUnitPrice,
     at most one transfer of lamports, from the wallet to an allowed tip account,
     and exactly the ordered instructions (swaps, and accounts created before them), in order, account for account and
     byte for byte, each of an allowed program

   and nothing else.  A protected order's SetComputeUnitLimit names the protecting account, and no other order's names
   one: the runtime reads that program's instructions by their data alone. */

#ifndef SF_SOLANA_POLICY_H
#define SF_SOLANA_POLICY_H

#include <stdint.h>

#include "solana/lookup.h"
#include "solana/message.h"

#define SF_POLICY_PROGRAM_MAX 32
#define SF_POLICY_TIP_MAX     16

typedef struct sf_policy {
  uint8_t wallet[32];
  uint8_t program[SF_POLICY_PROGRAM_MAX][32];
  uint32_t program_cnt;
  uint8_t tip_account[SF_POLICY_TIP_MAX][32];
  uint32_t tip_account_cnt;
  uint8_t protect_account[32];
  sf_lookups_t lookups;
  uint64_t max_fee_lamports; /* base fee and priority fee */
  uint64_t max_tip_lamports;
} sf_policy_t;

/* What sf_policy_check found out. */
typedef struct sf_policy_finding {
  uint32_t reason; /* SF_REFUSE_*, 0 = nothing against it */
  uint64_t detail; /* the number that was refused, or the instruction's index */
  uint64_t fee_lamports;
  uint64_t tip_lamports;
  uint64_t price_micro_lamports;
  uint32_t units;
  uint16_t message_off;
  uint16_t blockhash_off;
} sf_policy_finding_t;

/* What was ordered. */
typedef struct sf_policy_order {
  sf_instruction_t const * instruction;
  uint32_t cnt;
  uint32_t protect; /* 1 = with the protecting account */
  uint64_t tip_lamports;
} sf_policy_order_t;

/* sf_policy_check reads the `len` bytes of a transaction, holds them against the policy and against
   what was ordered (a transaction without the tip is as good), and returns the reason why
   it must not be signed, or 0.  Hot: no allocation, about a microsecond. */
uint32_t sf_policy_check( sf_policy_t const * policy, uint8_t const * bytes, uint32_t len,
                          sf_policy_order_t const * order, sf_policy_finding_t * out );

#endif
