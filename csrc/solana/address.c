#include "solana/address.h"

#include <sodium.h>

#include "base/err.h"
#include "sf_abi.h"
#include "solana/program.h"

int sf_address_on_curve( uint8_t const address[32] ) {
  /* crypto_core_ed25519_is_valid_point also asks for a canonical encoding and the main subgroup, which
     seven of eight points are not in.  Adding a point to itself asks only that it decompresses. */
  uint8_t sum[32];
  return !crypto_core_ed25519_add( sum, address, address );
}

int sf_address_create( sf_seed_t const * seed, uint32_t seed_cnt, uint8_t const program[32], uint8_t out[32] ) {
  static char const marker[] = "ProgramDerivedAddress";
  if( seed_cnt > SF_SEED_MAX )
    return sf_err_set( SF_ERR_ARG, "address: %u seeds are more than %d", seed_cnt, SF_SEED_MAX );

  crypto_hash_sha256_state hash;
  crypto_hash_sha256_init( &hash );
  for( uint32_t i = 0; i < seed_cnt; i++ ) {
    if( seed[i].len > SF_SEED_BYTES_MAX )
      return sf_err_set( SF_ERR_ARG, "address: seed %u has %u bytes, more than %d", i, seed[i].len, SF_SEED_BYTES_MAX );
    crypto_hash_sha256_update( &hash, seed[i].bytes, seed[i].len );
  }
  crypto_hash_sha256_update( &hash, program, 32 );
  crypto_hash_sha256_update( &hash, (uint8_t const *)marker, sizeof( marker ) - 1 );
  crypto_hash_sha256_final( &hash, out );
  if( sf_address_on_curve( out ) ) return sf_err_set( SF_ERR_CRYPTO, "address: these seeds give a point on the curve" );
  return 0;
}

int sf_address_find( sf_seed_t const * seed, uint32_t seed_cnt, uint8_t const program[32], uint8_t out[32] ) {
  if( seed_cnt >= SF_SEED_MAX )
    return sf_err_set( SF_ERR_ARG, "address: %u seeds leave no room for the bump", seed_cnt );
  uint8_t bump = 255;
  sf_seed_t all[SF_SEED_MAX];
  for( uint32_t i = 0; i < seed_cnt; i++ ) all[i] = seed[i];
  all[seed_cnt] = ( sf_seed_t ){ &bump, 1 };
  for( ;; bump-- ) {
    int err = sf_address_create( all, seed_cnt + 1, program, out );
    if( !err ) return bump;
    if( err != SF_ERR_CRYPTO || !bump ) return err;
  }
}

int sf_address_token( uint8_t const wallet[32], uint8_t const token_program[32], uint8_t const mint[32],
                      uint8_t out[32] ) {
  sf_seed_t const seed[3] = { { wallet, 32 }, { token_program, 32 }, { mint, 32 } };
  int bump                = sf_address_find( seed, 3, sf_program_associated_token, out );
  return bump < 0 ? bump : 0;
}
