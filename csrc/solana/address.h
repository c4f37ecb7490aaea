/* address.h: addresses that programs derive.

   A program-derived address is the SHA-256 of its seeds, the program's id and a
   marker, and must not be a point on the Ed25519 curve, so that no key can
   exist for it.  The runtime's rule is only "decompresses to a point"
   (curve25519-dalek): points of small order, points outside the main subgroup
   and encodings that are not canonical all count as points. */

#ifndef SF_SOLANA_ADDRESS_H
#define SF_SOLANA_ADDRESS_H

#include <stdint.h>

#define SF_SEED_MAX       16 /* seeds of an address, the bump included */
#define SF_SEED_BYTES_MAX 32 /* bytes of a seed */

typedef struct sf_seed {
  void const * bytes;
  uint32_t len;
} sf_seed_t;

/* sf_address_on_curve says if 32 bytes decompress to a point of the curve, by the runtime's rule. */
int sf_address_on_curve( uint8_t const address[32] );

/* sf_address_create derives the address of exactly these seeds.
   Fails with SF_ERR_ARG if there are too many or too long seeds, with SF_ERR_CRYPTO if the result is
   on the curve. */
int sf_address_create( sf_seed_t const * seed, uint32_t seed_cnt, uint8_t const program[32], uint8_t out[32] );

/* sf_address_find derives the address with the highest bump seed that gives one, and returns that
   bump.  Fails as sf_address_create.  Cost: about 25 us for each bump tried, two on average. */
int sf_address_find( sf_seed_t const * seed, uint32_t seed_cnt, uint8_t const program[32], uint8_t out[32] );

/* sf_address_token derives the associated token account of a wallet for a mint of token_program
   (SPL Token or Token-2022: the program is one of the seeds).  Returns 0 or fails as above. */
int sf_address_token( uint8_t const wallet[32], uint8_t const token_program[32], uint8_t const mint[32],
                      uint8_t out[32] );

#endif
