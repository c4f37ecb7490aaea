#include "io/segment.h"

#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "sf_topology.h"

#ifndef SF_ABI_HASH
#error "SF_ABI_HASH is passed in by the build (csrc/Makefile)"
#endif

SF_ASSERT( SF_BLOCK_RECORDS == SF_BLOCK_MAX / sizeof( sf_journal_record_t ) )

void sf_segment_name( char name[SF_SEGMENT_NAME], uint64_t run, uint64_t segment ) {
  (void)snprintf( name, SF_SEGMENT_NAME, "%08u-%08u.sfj", (uint32_t)( run % 100000000U ),
                  (uint32_t)( segment % 100000000U ) );
}

void sf_block_begin( sf_block_t * b, void * bytes, uint32_t capacity ) {
  b->bytes      = bytes;
  b->capacity   = capacity;
  b->used_bytes = (uint32_t)sizeof( sf_journal_block_t );
  b->record_cnt = 0U;
}

static int block_add( sf_block_t * b, uint16_t link, sf_message_t const * m, void const * payload ) {
  uint32_t bytes  = (uint32_t)sizeof( sf_journal_record_t ) + m->length;
  uint32_t padded = ( bytes + 7U ) & ~7U;
  if( padded > b->capacity - b->used_bytes ) return SF_ERR_FULL;
  uint8_t * p             = b->bytes + b->used_bytes;
  sf_journal_record_t * r = (sf_journal_record_t *)p;
  r->bytes                = bytes;
  r->link                 = link;
  r->_pad0                = 0U;
  r->message              = *m;
  memcpy( r + 1, payload, m->length );
  memset( p + bytes, 0, padded - bytes );
  b->used_bytes += padded;
  b->record_cnt++;
  return 0;
}

int sf_block_add( sf_block_t * b, uint16_t link, sf_message_t const * m ) { return block_add( b, link, m, m + 1 ); }

int sf_block_add_text( sf_block_t * b, char const * text, uint32_t length ) {
  sf_message_t m = { .kind = SF_JOURNAL_TOPOLOGY_RECORD, .length = (uint16_t)length };
  if( length > UINT16_MAX ) return SF_ERR_FULL;
  return block_add( b, UINT16_MAX, &m, text );
}

uint32_t sf_block_close( sf_block_t * b, uint64_t run, uint64_t number, uint64_t time_ns ) {
  uint32_t bytes = ( b->used_bytes + SF_JOURNAL_BLOCK_ALIGN - 1U ) & ~( SF_JOURNAL_BLOCK_ALIGN - 1U );
  memset( b->bytes + b->used_bytes, 0, bytes - b->used_bytes );
  sf_journal_block_t * h = (sf_journal_block_t *)b->bytes;
  *h                     = ( sf_journal_block_t ){ .magic       = SF_JOURNAL_MAGIC,
                                                   .abi_hash    = SF_ABI_HASH,
                                                   .run         = run,
                                                   .number      = number,
                                                   .time_ns     = time_ns,
                                                   .block_bytes = bytes,
                                                   .used_bytes  = b->used_bytes,
                                                   .record_cnt  = b->record_cnt };
  h->crc                 = sf_crc32c( 0U, b->bytes, b->used_bytes );
  return bytes;
}

int sf_block_probe( void const * header, uint64_t run, uint64_t number ) {
  sf_journal_block_t h;
  memcpy( &h, header, sizeof h );
  if( h.magic == 0U ) return 0;
  if( h.magic != SF_JOURNAL_MAGIC ) return sf_err_set( SF_ERR_DATA, "no block begins here (magic 0x%016lx)", h.magic );
  if( h.abi_hash != SF_ABI_HASH )
    return sf_err_set( SF_ERR_ABI,
                       "block was written with other layouts (ABI hash 0x%016lx, this build has 0x%016lx); read it "
                       "with the build that wrote it",
                       h.abi_hash, (uint64_t)SF_ABI_HASH );
  if( h.run != run ) return sf_err_set( SF_ERR_DATA, "block of run %lu in a file of run %lu", h.run, run );
  if( h.number != number )
    return sf_err_set( SF_ERR_DATA, "block number is %lu where %lu has to come", h.number, number );
  if( h.block_bytes < SF_JOURNAL_BLOCK_ALIGN || h.block_bytes > SF_BLOCK_MAX || h.block_bytes % SF_JOURNAL_BLOCK_ALIGN )
    return sf_err_set( SF_ERR_DATA, "block %lu says it has %u bytes", number, h.block_bytes );
  if( h.used_bytes < sizeof h || h.used_bytes > h.block_bytes )
    return sf_err_set( SF_ERR_DATA, "block %lu says %u of its %u bytes are used", number, h.used_bytes, h.block_bytes );
  return (int)h.block_bytes;
}

int sf_block_check( void const * block ) {
  sf_journal_block_t h;
  memcpy( &h, block, sizeof h );
  uint32_t crc = h.crc;
  h.crc        = 0U;
  uint32_t got = sf_crc32c( sf_crc32c( 0U, &h, sizeof h ), (uint8_t const *)block + sizeof h, h.used_bytes - sizeof h );
  if( got != crc )
    return sf_err_set( SF_ERR_DATA, "block %lu: checksum is 0x%08x, its bytes give 0x%08x", h.number, crc, got );
  uint32_t off = (uint32_t)sizeof h;
  uint32_t cnt = 0U;
  while( off < h.used_bytes ) {
    sf_journal_record_t r;
    if( h.used_bytes - off < sizeof r )
      return sf_err_set( SF_ERR_DATA, "block %lu: %u bytes at offset %u are no record", h.number, h.used_bytes - off,
                         off );
    memcpy( &r, (uint8_t const *)block + off, sizeof r );
    uint32_t padded = ( (uint32_t)sizeof r + r.message.length + 7U ) & ~7U;
    if( r.bytes != sizeof r + r.message.length || padded > h.used_bytes - off )
      return sf_err_set( SF_ERR_DATA, "block %lu: record at offset %u says it has %u bytes and a payload of %u",
                         h.number, off, r.bytes, r.message.length );
    if( r.link >= SF_LINK_MAX && r.link != UINT16_MAX )
      return sf_err_set( SF_ERR_DATA, "block %lu: record at offset %u is of link %u", h.number, off, r.link );
    off += padded;
    cnt++;
  }
  if( cnt != h.record_cnt )
    return sf_err_set( SF_ERR_DATA, "block %lu: holds %u records and says %u", h.number, cnt, h.record_cnt );
  return 0;
}
