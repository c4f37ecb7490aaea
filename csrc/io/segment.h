/* segment.h: blocks and segments of the journal.

   sf_journal.h has the layout.  This is the one place that makes blocks and the
   one place that judges them: the journal tile fills blocks through sf_block_*,
   every reader goes through sf_block_probe and sf_block_check (reader.h).

     <dir>/00000007-00000000.sfj                <dir>/00000007-00000001.sfj
     +---------+---------+--...--+-- - - -+     +---------+---------+--...
     | block 0 | block 1 |       | zeros  |     | block n | block n+1
     +---------+---------+--...--+-- - - -+     +---------+---------+--...
     multiples of 4096 bytes; a segment ends where less than the writer's largest
     block is left, or where a reader finds zeros and the next file goes on. */

#ifndef SF_SEGMENT_H
#define SF_SEGMENT_H
#include <stddef.h>
#include "sf_journal.h"

#define SF_BLOCK_MAX      1048576 /* bytes of the largest block */
#define SF_BLOCK_INFLIGHT 64      /* most blocks a writer may have on their way to the disk */
#define SF_BLOCK_RECORDS  26214   /* most records of a block: SF_BLOCK_MAX over the smallest record */
#define SF_SEGMENT_NAME   24      /* bytes of a segment's file name, its zero included */

/* A block being filled. */
typedef struct sf_block {
  uint8_t * bytes;     /* 8-byte aligned */
  uint32_t capacity;   /* a multiple of SF_JOURNAL_BLOCK_ALIGN, at most SF_BLOCK_MAX */
  uint32_t used_bytes; /* header and records so far */
  uint32_t record_cnt;
} sf_block_t;

/* sf_segment_name writes the file name of a segment: "<run>-<segment>.sfj".
   Assumes both are below 10^8 (sf_file_open and sf_reader_open refuse more). */
void sf_segment_name( char name[SF_SEGMENT_NAME], uint64_t run, uint64_t segment );

/* sf_block_begin makes b an empty block over `bytes`. */
void sf_block_begin( sf_block_t * b, void * bytes, uint32_t capacity );

/* sf_block_add appends one message (payload behind the header at m+1).
   Returns 0, or SF_ERR_FULL and leaves b as it was.  Hot: one copy. */
int sf_block_add( sf_block_t * b, uint16_t link, sf_message_t const * m );

/* sf_block_add_text appends a SF_JOURNAL_TOPOLOGY_RECORD with this text.
   Returns 0 or SF_ERR_FULL. */
int sf_block_add_text( sf_block_t * b, char const * text, uint32_t length );

/* sf_block_close writes the header and zeros up to the next multiple of 4096.
   Returns the bytes to write.  Cost: one CRC-32C over the used bytes. */
uint32_t sf_block_close( sf_block_t * b, uint64_t run, uint64_t number, uint64_t time_ns );

/* sf_block_probe judges a block's header (64 bytes).  Returns the bytes of the
   block, 0 if nothing was ever written here (magic zero), SF_ERR_DATA if it is
   no block, of another run or not number `number`, SF_ERR_ABI if it was written
   with other layouts; both with a sentence. */
int sf_block_probe( void const * header, uint64_t run, uint64_t number );

/* sf_block_check judges the rest of a block that sf_block_probe accepted: all
   its bytes are at `block`.  Returns 0, or SF_ERR_DATA with a sentence.
   After 0 every record lies inside the block: walk them with sf_block_next. */
int sf_block_check( void const * block );

/* sf_block_next returns the offset of the record behind the one at `off` (0:
   the first one), or 0 at the end.  Assumes sf_block_check returned 0. */
static inline uint32_t sf_block_next( sf_journal_block_t const * block, uint32_t off ) {
  if( off == 0U ) return block->record_cnt ? (uint32_t)sizeof( sf_journal_block_t ) : 0U;
  sf_journal_record_t const * r = (sf_journal_record_t const *)( (uint8_t const *)block + off );
  uint32_t next                 = off + ( ( r->bytes + 7U ) & ~7U );
  return next < block->used_bytes ? next : 0U;
}

#endif
