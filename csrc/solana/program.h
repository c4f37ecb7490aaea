/* program.h: ids of Solana's own programs, and the few instructions of theirs
   that we write and read. */

#ifndef SF_SOLANA_PROGRAM_H
#define SF_SOLANA_PROGRAM_H

#include <stdint.h>

#include "solana/message.h"

extern uint8_t const sf_program_system[32];
extern uint8_t const sf_program_compute_budget[32];
extern uint8_t const sf_program_token[32];      /* SPL Token */
extern uint8_t const sf_program_token_2022[32]; /* Token-2022 */
extern uint8_t const sf_program_associated_token[32];
extern uint8_t const sf_mint_wrapped_sol[32];

/* Compute budget: each data is the tag and one little-endian number. */
#define SF_COMPUTE_LIMIT       2 /* u32 compute units */
#define SF_COMPUTE_PRICE       3 /* u64 micro-lamports a unit */
#define SF_COMPUTE_LIMIT_BYTES 5
#define SF_COMPUTE_PRICE_BYTES 9
#define SF_COMPUTE_UNITS_MAX   1400000 /* a larger request is cut to this by the runtime */

#define SF_SYSTEM_TRANSFER       2 /* u64 lamports; accounts from (signer, writable), to (writable) */
#define SF_SYSTEM_TRANSFER_BYTES 12

/* Associated token account: CreateIdempotent, which passes if the account is there. */
#define SF_CREATE_ACCOUNTS 6
#define SF_CREATE_BYTES    1
extern uint8_t const sf_token_account_create_data[SF_CREATE_BYTES];

#define SF_SIGNATURE_LAMPORTS 5000 /* base fee of a signature */

/* sf_compute_limit_data writes the data of SetComputeUnitLimit. */
void sf_compute_limit_data( uint8_t data[SF_COMPUTE_LIMIT_BYTES], uint32_t units );

/* sf_compute_price_data writes the data of SetComputeUnitPrice. */
void sf_compute_price_data( uint8_t data[SF_COMPUTE_PRICE_BYTES], uint64_t micro_lamports );

/* sf_compute_budget_read returns SF_COMPUTE_LIMIT or SF_COMPUTE_PRICE and its value, or 0 for every
   other instruction of that program and for malformed data. */
int sf_compute_budget_read( uint8_t const * data, uint32_t len, uint64_t * value );

/* sf_system_transfer_data writes the data of Transfer. */
void sf_system_transfer_data( uint8_t data[SF_SYSTEM_TRANSFER_BYTES], uint64_t lamports );

/* sf_system_transfer_read returns 1 and the lamports if data is a Transfer, else 0. */
int sf_system_transfer_read( uint8_t const * data, uint32_t len, uint64_t * lamports );

/* sf_token_account_create writes the accounts of CreateIdempotent for the wallet's associated account `address` of
   `mint` of token program `program`; the wallet pays the rent. */
void sf_token_account_create( sf_account_meta_t account[SF_CREATE_ACCOUNTS], uint8_t const wallet[32],
                              uint8_t const address[32], uint8_t const mint[32], uint8_t const program[32] );

/* sf_fee_lamports is what the chain charges: base fee of the signatures and the priority fee, the
   price times the requested units, rounded up.  Saturates at UINT64_MAX. */
uint64_t sf_fee_lamports( uint32_t signatures, uint64_t price_micro_lamports, uint32_t units );

#endif
