/* crc32c.h: CRC-32C (Castagnoli), by the SSE4.2 instruction that the x86-64-v2
   baseline has; three at a time from 3 KiB on. */

#ifndef SF_BASE_CRC32C_H
#define SF_BASE_CRC32C_H
#include <stdint.h>

/* sf_crc32c returns the checksum of n bytes at p, continued from seed: 0 to
   begin, the last result to go on.  "123456789" gives 0xe3069283. */
uint32_t sf_crc32c( uint32_t seed, void const * p, uint64_t n );

#endif
