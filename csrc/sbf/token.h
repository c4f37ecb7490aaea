/* token.h reads SPL Token and Token-2022 accounts and moves tokens by calling those programs.

   Sources: spl-token and spl-token-2022 `state.rs`, `extension/mod.rs` (type-length-value entries
   after byte 166), `extension/transfer_fee/mod.rs`. */

#ifndef SF_SBF_TOKEN_H
#define SF_SBF_TOKEN_H

#include "sbf/sbf.h"

/* TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA */
static uint8_t const TOKEN_PROGRAM[32] = { 0x06, 0xdd, 0xf6, 0xe1, 0xd7, 0x65, 0xa1, 0x93, 0xd9, 0xcb, 0xe1,
                                           0x46, 0xce, 0xeb, 0x79, 0xac, 0x1c, 0xb4, 0x85, 0xed, 0x5f, 0x5b,
                                           0x37, 0x91, 0x3a, 0x8c, 0xf5, 0x85, 0x7e, 0xff, 0x00, 0xa9 };

/* TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb */
static uint8_t const TOKEN_2022_PROGRAM[32] = { 0x06, 0xdd, 0xf6, 0xe1, 0xee, 0x75, 0x8f, 0xde, 0x18, 0x42, 0x5d,
                                                0xbc, 0xe4, 0x6c, 0xcd, 0xda, 0xb6, 0x1a, 0xfc, 0x4d, 0x83, 0xb9,
                                                0x0d, 0x27, 0xfe, 0xbd, 0xf9, 0x28, 0xd8, 0xa1, 0x8b, 0xfc };

#define TOKEN_ACCOUNT_SIZE      165
#define TOKEN_MINT_SIZE         82
#define TOKEN_MULTISIG_SIZE     355
#define TOKEN_TYPE_OFFSET       165 /* of Token-2022's account type: 1 mint, 2 account */
#define TOKEN_EXTENSIONS_OFFSET 166
#define TOKEN_TRANSFER_FEE_TYPE 1
#define TOKEN_BASIS_POINTS      10000UL

SBF_INLINE uint8_t const * token_account_mint( sbf_account_t const * account ) { return account->data; }
SBF_INLINE uint64_t token_account_amount( sbf_account_t const * account ) { return sbf_u64( account->data + 64 ); }
SBF_INLINE uint8_t token_mint_decimals( sbf_account_t const * mint ) { return mint->data[44]; }

SBF_INLINE bool token_is_program( uint8_t const * key ) {
  return sbf_key_equal( key, TOKEN_PROGRAM ) || sbf_key_equal( key, TOKEN_2022_PROGRAM );
}

/* token_account_check returns 0 if the account's bytes are an initialized token account. */
SBF_FUNCTION uint64_t token_account_check( sbf_account_t const * account ) {
  uint64_t len = account->data_len;
  if( len < TOKEN_ACCOUNT_SIZE || len == TOKEN_MULTISIG_SIZE ) return SBF_ERR_INVALID_ACCOUNT_DATA;
  if( len > TOKEN_ACCOUNT_SIZE && account->data[TOKEN_TYPE_OFFSET] != 2 ) return SBF_ERR_INVALID_ACCOUNT_DATA;
  if( account->data[108] > 2 ) return SBF_ERR_INVALID_ACCOUNT_DATA;
  return account->data[108] ? 0 : SBF_ERR_UNINITIALIZED_ACCOUNT;
}

/* token_mint_check returns 0 if the account's bytes are an initialized mint. */
SBF_FUNCTION uint64_t token_mint_check( sbf_account_t const * mint ) {
  uint64_t len = mint->data_len;
  if( len != TOKEN_MINT_SIZE ) {
    if( len <= TOKEN_TYPE_OFFSET || len == TOKEN_MULTISIG_SIZE ) return SBF_ERR_INVALID_ACCOUNT_DATA;
    if( mint->data[TOKEN_TYPE_OFFSET] != 1 ) return SBF_ERR_INVALID_ACCOUNT_DATA;
  }
  if( mint->data[45] > 1 ) return SBF_ERR_INVALID_ACCOUNT_DATA;
  return mint->data[45] ? 0 : SBF_ERR_UNINITIALIZED_ACCOUNT;
}

/* The fee a Token-2022 mint takes from each transfer, in the mint's own tokens. */
typedef struct token_fee {
  uint64_t maximum;
  uint64_t basis_points; /* 0: the mint takes no fee */
} token_fee_t;

/* token_fee_read sets *fee to what `mint` takes in `epoch`. */
SBF_FUNCTION void token_fee_read( token_fee_t * fee, sbf_account_t const * mint, uint64_t epoch ) {
  *fee = ( token_fee_t ){ 0, 0 };
  if( sbf_key_equal( mint->owner, TOKEN_PROGRAM ) ) return;
  uint8_t const * end = mint->data + mint->data_len;
  for( uint8_t const * p = mint->data + TOKEN_EXTENSIONS_OFFSET; p + 4 <= end; p += 4 + sbf_u16( p + 2 ) ) {
    if( !sbf_u16( p ) ) return;
    if( sbf_u16( p ) != TOKEN_TRANSFER_FEE_TYPE || p + 4 + 108 > end ) continue;
    uint8_t const * newer = p + 4 + 90;
    uint8_t const * valid = epoch >= sbf_u64( newer ) ? newer : p + 4 + 72;
    fee->maximum          = sbf_u64( valid + 8 );
    fee->basis_points     = sbf_u16( valid + 16 );
    return;
  }
}

/* token_fee_of returns the fee taken from a transfer of `amount`. */
SBF_FUNCTION uint64_t token_fee_of( token_fee_t const * fee, uint64_t amount ) {
  if( !fee->basis_points || !amount ) return 0;
  sbf_u128_t raw;
  sbf_mul_div( &raw, amount, fee->basis_points, TOKEN_BASIS_POINTS, true );
  SBF_REQUIRE( !raw.hi, "transfer fee overflows" );
  return raw.lo < fee->maximum ? raw.lo : fee->maximum;
}

/* token_fee_before returns the least amount to send so that `amount` arrives. */
SBF_FUNCTION uint64_t token_fee_before( token_fee_t const * fee, uint64_t amount ) {
  if( !fee->basis_points || !amount ) return amount;
  sbf_u128_t raw = sbf_u128( UINT64_MAX );
  if( fee->basis_points < TOKEN_BASIS_POINTS )
    sbf_mul_div( &raw, amount, TOKEN_BASIS_POINTS, TOKEN_BASIS_POINTS - fee->basis_points, true );
  if( raw.hi || raw.lo - amount >= fee->maximum ) {
    SBF_REQUIRE( amount + fee->maximum >= amount, "amount before the transfer fee overflows" );
    return amount + fee->maximum;
  }
  return raw.lo;
}

/* token_transfer moves `amount` by TransferChecked from one account to another; `authority` signs,
   itself or by `signer` (NULL: it already signed).  Moves nothing for 0.  A failure ends the program. */
typedef struct token_transfer {
  sbf_account_t const * program;
  sbf_account_t const * from;
  sbf_account_t const * mint;
  sbf_account_t const * to;
  sbf_account_t const * authority;
  sbf_signer_t const * signer;
} token_transfer_t;

SBF_FUNCTION void token_transfer( token_transfer_t const * transfer, uint64_t amount ) {
  if( !amount ) return;
  sbf_account_t accounts[4];
  accounts[0]         = *transfer->from;
  accounts[1]         = *transfer->mint;
  accounts[2]         = *transfer->to;
  accounts[3]         = *transfer->authority;
  sbf_meta_t metas[4] = {
    { .key = accounts[0].key, .is_writable = 1 },
    { .key = accounts[1].key },
    { .key = accounts[2].key, .is_writable = 1 },
    { .key = accounts[3].key, .is_signer = 1 },
  };
  uint8_t data[16] = { 12 };
  sbf_put_u64( data + 1, amount );
  data[9]         = token_mint_decimals( transfer->mint );
  sbf_call_t call = { transfer->program->key, metas, 4, data, 10 };
  sol_invoke_signed_c( &call, accounts, 4, transfer->signer, transfer->signer ? 1 : 0 );
}

#endif
