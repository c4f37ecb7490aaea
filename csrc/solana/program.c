#include "solana/program.h"

#include <string.h>

/* 11111111111111111111111111111111 */
uint8_t const sf_program_system[32] = { 0 };

/* ComputeBudget111111111111111111111111111111 */
uint8_t const sf_program_compute_budget[32] = { 0x03, 0x06, 0x46, 0x6f, 0xe5, 0x21, 0x17, 0x32, 0xff, 0xec, 0xad,
                                                0xba, 0x72, 0xc3, 0x9b, 0xe7, 0xbc, 0x8c, 0xe5, 0xbb, 0xc5, 0xf7,
                                                0x12, 0x6b, 0x2c, 0x43, 0x9b, 0x3a, 0x40, 0x00, 0x00, 0x00 };

/* TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA */
uint8_t const sf_program_token[32] = { 0x06, 0xdd, 0xf6, 0xe1, 0xd7, 0x65, 0xa1, 0x93, 0xd9, 0xcb, 0xe1,
                                       0x46, 0xce, 0xeb, 0x79, 0xac, 0x1c, 0xb4, 0x85, 0xed, 0x5f, 0x5b,
                                       0x37, 0x91, 0x3a, 0x8c, 0xf5, 0x85, 0x7e, 0xff, 0x00, 0xa9 };

/* TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb */
uint8_t const sf_program_token_2022[32] = { 0x06, 0xdd, 0xf6, 0xe1, 0xee, 0x75, 0x8f, 0xde, 0x18, 0x42, 0x5d,
                                            0xbc, 0xe4, 0x6c, 0xcd, 0xda, 0xb6, 0x1a, 0xfc, 0x4d, 0x83, 0xb9,
                                            0x0d, 0x27, 0xfe, 0xbd, 0xf9, 0x28, 0xd8, 0xa1, 0x8b, 0xfc };

/* ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL */
uint8_t const sf_program_associated_token[32] = { 0x8c, 0x97, 0x25, 0x8f, 0x4e, 0x24, 0x89, 0xf1, 0xbb, 0x3d, 0x10,
                                                  0x29, 0x14, 0x8e, 0x0d, 0x83, 0x0b, 0x5a, 0x13, 0x99, 0xda, 0xff,
                                                  0x10, 0x84, 0x04, 0x8e, 0x7b, 0xd8, 0xdb, 0xe9, 0xf8, 0x59 };

/* So11111111111111111111111111111111111111112 */
uint8_t const sf_mint_wrapped_sol[32] = { 0x06, 0x9b, 0x88, 0x57, 0xfe, 0xab, 0x81, 0x84, 0xfb, 0x68, 0x7f,
                                          0x63, 0x46, 0x18, 0xc0, 0x35, 0xda, 0xc4, 0x39, 0xdc, 0x1a, 0xeb,
                                          0x3b, 0x55, 0x98, 0xa0, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x01 };

uint8_t const sf_token_account_create_data[SF_CREATE_BYTES] = { 1 };

static void put_u64( uint8_t * at, uint64_t value ) { memcpy( at, &value, 8 ); }

void sf_compute_limit_data( uint8_t data[SF_COMPUTE_LIMIT_BYTES], uint32_t units ) {
  data[0] = SF_COMPUTE_LIMIT;
  memcpy( data + 1, &units, 4 );
}

void sf_compute_price_data( uint8_t data[SF_COMPUTE_PRICE_BYTES], uint64_t micro_lamports ) {
  data[0] = SF_COMPUTE_PRICE;
  put_u64( data + 1, micro_lamports );
}

int sf_compute_budget_read( uint8_t const * data, uint32_t len, uint64_t * value ) {
  *value = 0;
  if( len == SF_COMPUTE_LIMIT_BYTES && data[0] == SF_COMPUTE_LIMIT ) {
    memcpy( value, data + 1, 4 );
    return SF_COMPUTE_LIMIT;
  }
  if( len == SF_COMPUTE_PRICE_BYTES && data[0] == SF_COMPUTE_PRICE ) {
    memcpy( value, data + 1, 8 );
    return SF_COMPUTE_PRICE;
  }
  return 0;
}

void sf_system_transfer_data( uint8_t data[SF_SYSTEM_TRANSFER_BYTES], uint64_t lamports ) {
  uint32_t tag = SF_SYSTEM_TRANSFER;
  memcpy( data, &tag, 4 );
  put_u64( data + 4, lamports );
}

int sf_system_transfer_read( uint8_t const * data, uint32_t len, uint64_t * lamports ) {
  uint32_t tag;
  if( len != SF_SYSTEM_TRANSFER_BYTES ) return 0;
  memcpy( &tag, data, 4 );
  memcpy( lamports, data + 4, 8 );
  return tag == SF_SYSTEM_TRANSFER;
}

void sf_token_account_create( sf_account_meta_t account[SF_CREATE_ACCOUNTS], uint8_t const wallet[32],
                              uint8_t const address[32], uint8_t const mint[32], uint8_t const program[32] ) {
  uint8_t const * const key[SF_CREATE_ACCOUNTS] = { wallet, address, wallet, mint, sf_program_system, program };
  for( uint32_t i = 0; i < SF_CREATE_ACCOUNTS; i++ ) {
    memcpy( account[i].pubkey, key[i], 32 );
    account[i].signer   = i == 0;
    account[i].writable = i < 2;
  }
}

uint64_t sf_fee_lamports( uint32_t signatures, uint64_t price_micro_lamports, uint32_t units ) {
  unsigned __int128 micro = (unsigned __int128)price_micro_lamports * units;
  uint64_t base           = (uint64_t)signatures * SF_SIGNATURE_LAMPORTS;
  if( __builtin_expect( micro <= UINT32_MAX * 1000000ul, 1 ) ) return ( (uint64_t)micro + 999999u ) / 1000000u + base;
  unsigned __int128 fee = ( micro + 999999u ) / 1000000u + base;
  return fee > UINT64_MAX ? UINT64_MAX : (uint64_t)fee;
}
