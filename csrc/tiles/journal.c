/* journal: writes every message of all its in-links to disk (sf_journal.h).

   A message is copied once, into the block being filled; its in-link's credit is
   given back then.  A block leaves when it is full, when its first record is
   commit_us old, or at the end of the turn in which a signed transaction came:
   `send` may be waiting for that one.  When all blocks are on their way the tile
   waits for the disk, its producers run out of credit, and risk lets no new order
   out: halt rather than drop.

   Table `durable`, row = in-link: messages of that link with a smaller seq are on
   disk.  Parameters: dir, segment_bytes, block_bytes, blocks, commit_us, engine. */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/file.h"
#include "io/segment.h"
#include "sf_rows.h"
#include "sf_topology.h"
#include "shm/table.h"
#include "tile/tile.h"

#define NAMES_MAX ( SF_LINK_MAX * ( SF_NAME_MAX + 4 ) )

typedef struct sf_journal {
  sf_file_t * file;
  sf_table_t * durable;
  sf_block_t block; /* block.bytes is NULL while no block is being filled */
  uint64_t commit_ns;
  uint64_t opened_ns;    /* engine clock when the block got its first record */
  uint64_t urgent;       /* 1: the block holds a record somebody waits for */
  uint64_t urgent_until; /* a block with a smaller number is such a one */
  uint64_t published;    /* blocks whose seqs are in the table */
  uint64_t run;
  uint32_t block_bytes;
  uint32_t in_cnt;
  uint16_t link[SF_PORT_MAX];                         /* index in the topology */
  uint64_t next_seq[SF_PORT_MAX];                     /* copied into a block: all smaller ones */
  uint64_t row_seq[SF_PORT_MAX];                      /* as in the table */
  uint64_t block_seq[SF_BLOCK_INFLIGHT][SF_PORT_MAX]; /* next_seq when block n%SF_BLOCK_INFLIGHT was closed */
  uint32_t names_length;
  char names[NAMES_MAX];                              /* text of the topology record */
  int records, bytes, blocks, waits, segment, engine; /* counters and gauges */
} sf_journal_t;

static int journal_init( sf_tile_t * t ) {
  sf_journal_t * j        = sf_tile_state( t );
  sf_file_config_t config = { .run = sf_tile_run( t ) };
  char const * engine;
  uint64_t block_bytes, blocks, commit_us;
  int err = sf_tile_param_text( t, "dir", &config.dir );
  if( !err ) err = sf_tile_param_u64( t, "segment_bytes", SF_BLOCK_MAX, 1UL << 40, &config.segment_bytes );
  if( !err ) err = sf_tile_param_u64( t, "block_bytes", SF_JOURNAL_BLOCK_ALIGN, SF_BLOCK_MAX, &block_bytes );
  if( !err ) err = sf_tile_param_u64( t, "blocks", 2U, SF_BLOCK_INFLIGHT, &blocks );
  if( !err ) err = sf_tile_param_u64( t, "commit_us", 0U, 1000000U, &commit_us );
  if( !err ) err = sf_tile_param_text( t, "engine", &engine );
  if( err ) return err;
  if( strcmp( engine, "uring" ) && strcmp( engine, "pwrite" ) )
    return sf_err_set( SF_ERR_ARG, "tile %s: engine is %s; use uring or pwrite", sf_tile_name( t ), engine );
  config.block_bytes = (uint32_t)block_bytes;
  config.block_cnt   = (uint32_t)blocks;
  config.engine      = strcmp( engine, "uring" ) ? SF_FILE_PWRITE : SF_FILE_URING;

  j->run         = config.run;
  j->block_bytes = config.block_bytes;
  j->commit_ns   = commit_us * 1000U;
  j->in_cnt      = sf_tile_in_count( t );
  for( uint32_t i = 0U; i < j->in_cnt; i++ ) {
    j->link[i] = (uint16_t)sf_tile_in_link( t, i );
    j->names_length += (uint32_t)snprintf( j->names + j->names_length, sizeof j->names - j->names_length, "%u %s\n",
                                           j->link[i], sf_tile_in_name( t, i ) );
  }
  j->durable = sf_tile_table( t, "durable" );
  if( !j->durable ) return SF_ERR_NOTFOUND;
  if( j->durable->row_cnt < j->in_cnt || j->durable->row_bytes != sizeof( sf_durable_row_t ) )
    return sf_err_set( SF_ERR_ARG, "tile %s: table durable has %u rows; it needs one for each of %u in-links",
                       sf_tile_name( t ), j->durable->row_cnt, j->in_cnt );
  for( uint32_t i = 0U; i < j->in_cnt; i++ ) {
    sf_durable_row_t row = { .seq = 0U, .link = j->link[i] };
    (void)sf_table_write( j->durable, i, &row );
  }

  j->records = sf_tile_counter( t, "records" );
  j->bytes   = sf_tile_counter( t, "bytes" );
  j->blocks  = sf_tile_counter( t, "blocks" );
  j->waits   = sf_tile_counter( t, "disk_waits" );
  j->segment = sf_tile_gauge( t, "segment" );
  j->engine  = sf_tile_gauge( t, "engine" );
  if( j->engine < 0 ) return j->engine;

  err = sf_file_open( &j->file, &config );
  if( err ) return err;
  char const * why;
  int in_use = sf_file_engine( j->file, &why );
  sf_tile_set( t, j->engine, (uint64_t)in_use );
  if( why[0] )
    fprintf( stderr, "tile %s: %s is not to be had (%s); blocks are written with pwrite%s\n", sf_tile_name( t ), engine,
             why, in_use == SF_FILE_BUFFERED ? " and fdatasync" : "" );
  return 0;
}

/* Tells the rows what is on disk now.  Returns how many blocks that were. */
static int durable_publish( sf_journal_t * j ) {
  uint64_t durable = sf_file_durable( j->file );
  int cnt          = (int)( durable - j->published );
  if( !cnt ) return 0;
  uint64_t const * seq = j->block_seq[( durable - 1U ) % SF_BLOCK_INFLIGHT];
  for( uint32_t i = 0U; i < j->in_cnt; i++ ) {
    if( seq[i] == j->row_seq[i] ) continue;
    j->row_seq[i]        = seq[i];
    sf_durable_row_t row = { .seq = seq[i], .link = j->link[i] };
    (void)sf_table_write( j->durable, i, &row );
  }
  j->published = durable;
  return cnt;
}

static int reap( sf_journal_t * j, int wait ) {
  int got = sf_file_reap( j->file, wait );
  return got < 0 ? got : durable_publish( j );
}

/* Sends the block being filled on its way; with `wait` it has arrived then. */
static int block_commit( sf_tile_t * t, sf_journal_t * j, int wait ) {
  uint64_t number = sf_file_number( j->file );
  uint32_t bytes  = sf_block_close( &j->block, j->run, number, sf_clock_real_ns() );
  memcpy( j->block_seq[number % SF_BLOCK_INFLIGHT], j->next_seq, sizeof j->next_seq );
  sf_tile_count( t, j->records, j->block.record_cnt );
  sf_tile_count( t, j->bytes, bytes );
  sf_tile_count( t, j->blocks, 1U );
  if( j->urgent ) j->urgent_until = number + 1U;
  j->urgent      = 0U;
  j->block.bytes = NULL;
  int err        = sf_file_write( j->file, bytes, wait );
  return err ? err : ( reap( j, 0 ) < 0 ? SF_ERR_IO : 0 );
}

static int block_open( sf_tile_t * t, sf_journal_t * j ) {
  uint8_t * buffer;
  int first;
  int err = sf_file_take( j->file, &buffer, &first );
  if( err == SF_ERR_EMPTY ) sf_tile_count( t, j->waits, 1U );
  while( err == SF_ERR_EMPTY ) {
    int got = reap( j, 1 );
    sf_tile_beat( t ); /* a slow disk holds the engine back; it is not a dead tile */
    err = got < 0 ? got : sf_file_take( j->file, &buffer, &first );
  }
  if( err ) return err;
  sf_block_begin( &j->block, buffer, j->block_bytes );
  j->opened_ns = sf_tile_now( t );
  if( first ) {
    err = sf_block_add_text( &j->block, j->names, j->names_length );
    sf_tile_set( t, j->segment, sf_file_segment( j->file ) );
  }
  return err;
}

static void journal_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  sf_journal_t * j = sf_tile_state( t );
  int err          = j->block.bytes ? 0 : block_open( t, j );
  if( !err && SF_UNLIKELY( sf_block_add( &j->block, j->link[in], m ) ) ) {
    err = block_commit( t, j, 0 );
    if( !err ) err = block_open( t, j );
    if( !err ) err = sf_block_add( &j->block, j->link[in], m );
  }
  if( SF_UNLIKELY( err ) ) {
    (void)sf_tile_fail( t, "%s", err == SF_ERR_FULL ? "a message is larger than journal.block_bytes" : sf_err_text() );
    return;
  }
  j->next_seq[in] = m->seq + 1U;
  if( m->kind == SF_MSG_WIRE ) j->urgent = 1U;
}

static int journal_poll( sf_tile_t * t ) {
  sf_journal_t * j = sf_tile_state( t );
  int done         = reap( j, 0 );
  if( done >= 0 && j->block.bytes ) {
    uint64_t age = sf_tile_now( t ) - j->opened_ns;
    if( j->urgent || age >= j->commit_ns ) done = block_commit( t, j, (int)j->urgent ) ? SF_ERR_IO : done + 1;
    else sf_tile_wake_in( t, j->commit_ns - age );
  }
  while( done >= 0 && j->published < j->urgent_until ) { /* what is before it, asleep: the kernel may need this core */
    int got = reap( j, 1 );
    done    = got < 0 ? got : done + got;
    sf_tile_beat( t );
  }
  return SF_UNLIKELY( done < 0 ) ? sf_tile_fail( t, "%s", sf_err_text() ) : done;
}

static void journal_fini( sf_tile_t * t ) {
  sf_journal_t * j = sf_tile_state( t );
  int err          = j->block.bytes ? block_commit( t, j, 0 ) : 0;
  while( !err && sf_file_durable( j->file ) < sf_file_number( j->file ) ) {
    err = reap( j, 1 ) < 0 ? SF_ERR_IO : 0;
    sf_tile_beat( t );
  }
  if( sf_file_close( j->file ) && !err ) err = SF_ERR_IO;
  j->file = NULL;
  if( err ) (void)sf_tile_fail( t, "%s", sf_err_text() );
}

sf_tile_ops_t const sf_tile_journal = { .kind        = "journal",
                                        .state_bytes = sizeof( sf_journal_t ),
                                        .init        = journal_init,
                                        .poll        = journal_poll,
                                        .msg         = journal_msg,
                                        .fini        = journal_fini };
