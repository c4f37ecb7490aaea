/* sf_journal.h: the journal on disk.

   <state_dir>/journal/<run as %08u>-<segment as %08u>.sfj: segments of a fixed,
   preallocated, zero-written size.  A segment is a sequence of blocks, each a
   multiple of 4096 bytes and written whole (O_DIRECT group commit).  A block
   begins with sf_journal_block_t and holds records one after the other, each
   padded to 8 bytes.  The first block of the chain has number 0; numbers rise by
   one over all segments of a run.  A block whose magic, run, number or checksum
   is wrong ends the journal: what follows is a torn tail and is cut, never read
   in part.  A record is a message as it stood on its link.  The first record of
   each segment has kind SF_JOURNAL_TOPOLOGY_RECORD: names of the links, so that a
   journal can be read without its instance. */

#ifndef SF_JOURNAL_H
#define SF_JOURNAL_H
#include "sf_link.h"

#define SF_JOURNAL_MAGIC 0x31304c4e524a4653 /* "SFJRNL01" */
#define SF_JOURNAL_BLOCK_ALIGN 4096

typedef struct sf_journal_block {
  uint64_t magic;        /* SF_JOURNAL_MAGIC */
  uint64_t abi_hash;     /* SF_ABI_HASH of the writer */
  uint64_t run;
  uint64_t number;       /* of this block in this run, from 0 */
  uint64_t time_ns;      /* CLOCK_REALTIME when it was closed */
  uint32_t block_bytes;  /* whole block, a multiple of 4096 */
  uint32_t used_bytes;   /* header and records */
  uint32_t record_cnt;
  uint32_t crc;          /* CRC-32C over [0,used_bytes) with this word 0 */
  uint64_t _pad0;
} sf_journal_block_t;
SF_ASSERT( sizeof(sf_journal_block_t)==64 )

#define SF_JOURNAL_TOPOLOGY_RECORD 0xfffe /* kind: payload is lines "index name\n" of the links; link is 0xffff */

typedef struct sf_journal_record {
  uint32_t     bytes;    /* this header and the payload, before padding to 8 */
  uint16_t     link;     /* index in the topology; 0xffff: not from a link */
  uint16_t     _pad0;
  sf_message_t message;  /* seq is the seq itself */
  /* payload, message.length bytes */
} sf_journal_record_t;
SF_ASSERT( sizeof(sf_journal_record_t)==40 )

#endif
