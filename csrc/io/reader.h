/* reader.h: reads the journal of one run, block by block, nothing unverified.

   A reader stands at a place: a byte of a segment file where the block with the
   next number has to begin.  It goes on from there as long as the blocks are
   whole and numbered without a gap; where they are not, the readable journal
   ends, and the reader keeps standing there.  Reading again later goes on if the
   writer has meanwhile (so a running journal can be followed), and sf_reader_tail
   says what lies behind the end: nothing, a torn tail, or damage.

   A torn tail is what a power cut leaves: blocks that were on their way to the
   disk, at most SF_BLOCK_INFLIGHT of them.  sf_reader_cut takes it off.  Whole
   blocks further behind mean that the disk lost something that was durable;
   that is never cut. */

#ifndef SF_READER_H
#define SF_READER_H
#include "sf_journal.h"

#define SF_READER_TEXT       192
#define SF_READER_COPY_LEAST ( 2UL << 20 ) /* twice a block */

/* Where a block has to begin. */
typedef struct sf_place {
  uint64_t run;
  uint64_t segment;
  uint64_t offset; /* bytes into the segment file */
  uint64_t number; /* of the block */
} sf_place_t;

/* Which records sf_reader_next returns: those of kind k<128 whose bit
   kinds[k/64]>>(k%64) and those of link l<64 whose bit links>>l is set. */
typedef struct sf_filter {
  uint64_t kinds[2];
  uint64_t links;
} sf_filter_t;

/* What lies behind the place of a reader that has come to the end. */
typedef struct sf_tail {
  sf_place_t place;            /* end of the readable journal */
  uint64_t residue_bytes;      /* bytes that are not just zeros at the end, over all segment files from there on */
  uint64_t whole_blocks;       /* of the run, with a later number, found behind the place */
  uint64_t last_number;        /* greatest number of those; 0 if there are none */
  uint32_t segments;           /* segment files after the place's */
  uint32_t damaged;            /* 1: what lies behind is more than a torn tail */
  char file[32];               /* name of the segment file of the place */
  char reason[SF_READER_TEXT]; /* why the readable journal ends there; "" if nothing lies behind */
} sf_tail_t;

typedef struct sf_reader sf_reader_t;

/* sf_reader_open opens the journal of `run` in directory `dir`, at `from` or, if
   that is NULL, at the run's first block.  Returns 0; SF_ERR_NOTFOUND if there is
   no such run; SF_ERR_DATA if `from` is no place of it; SF_ERR_SYS. */
int sf_reader_open( sf_reader_t ** out, char const * dir, uint64_t run, sf_place_t const * from );

void sf_reader_close( sf_reader_t * r );

/* sf_reader_next goes on to the next block that holds at least one record the
   filter takes (NULL takes all), and puts the offsets of those records within the
   block into `off`, which has room for SF_BLOCK_RECORDS.  Returns their count; 0
   at the end; SF_ERR_DATA or SF_ERR_ABI where a block is not whole, with a
   sentence that names file and offset; SF_ERR_SYS.  The block stays valid until
   the next call.  Topology records are digested, not returned. */
int sf_reader_next( sf_reader_t * r, sf_filter_t const * filter, uint32_t * off );

/* sf_reader_copy goes on as long as there is room, and puts the messages of one link one behind the other into `out`:
   headers as recorded, each at a multiple of `align` (a power of two).  Returns the bytes used; 0 at the end; SF_ERR_* like
   sf_reader_next, once what was whole before has been returned; SF_ERR_DATA too where the link's seqs leave a gap, or
   do not begin at *next_seq, which is kept up to date.  Assumes `bytes` is at least SF_READER_COPY_LEAST. */
int64_t sf_reader_copy( sf_reader_t * r, char const * link, uint32_t align, uint64_t * next_seq, void * out,
                        uint64_t bytes );

/* sf_reader_block returns the block sf_reader_next stopped at. */
sf_journal_block_t const * sf_reader_block( sf_reader_t const * r );

/* sf_reader_place tells where the block after that one has to begin. */
void sf_reader_place( sf_reader_t const * r, sf_place_t * out );

/* sf_reader_span tells when the first and the last block read so far were closed
   (CLOCK_REALTIME; 0 if none was), whatever the filter took of them. */
void sf_reader_span( sf_reader_t const * r, uint64_t * first_ns, uint64_t * last_ns );

/* sf_reader_link returns the name of a link of this journal, "" if it has none
   of this index (not known before the first block is read). */
char const * sf_reader_link( sf_reader_t const * r, uint32_t link );

/* sf_reader_tail looks at everything behind the place.  Assumes sf_reader_next
   came to an end.  Returns 0; SF_ERR_ABI if a block with other layouts stands
   there (not ours to judge); SF_ERR_SYS.  Cold: reads the rest of the run's files. */
int sf_reader_tail( sf_reader_t * r, sf_tail_t * out );

/* sf_reader_cut takes off what lies behind the place: truncates its file there
   and removes later segments; `out` is what it found.  Returns 0; SF_ERR_STATE if
   that is damage and not a torn tail; SF_ERR_ABI; SF_ERR_SYS.  Assumes nobody writes this run
   (the caller holds the directory's lock).  Doing it twice is the same as once. */
int sf_reader_cut( sf_reader_t * r, sf_tail_t * out );

#endif
