/* rig.h: a tile, or several, in the calling thread without processes: for unit
   tests, benches, fuzzers and replay.

     sf_rig_t * rig;
     sf_rig_new( &rig );
     sf_rig_tile( rig, "risk", "risk", "max_order_lamports=1000\n" );
     sf_rig_link( rig, "intent.a", 0, 64, 256 );  sf_rig_edge( rig, "intent.a", "risk", 1 );
     sf_rig_link( rig, "order", "risk", 64, 256 );
     sf_rig_table( rig, "pools", 0, sizeof(sf_pool_row_t), 64 );
     sf_rig_start( rig );
     sf_rig_inject( rig, "intent.a", SF_MSG_INTENT, 0, 0, &intent, sizeof intent );
     sf_rig_settle( rig );
     sf_rig_read( rig, "order", buffer, sizeof buffer );
     sf_rig_close( rig );

   A link or table without producer or writer belongs to the rig.  A link without
   any edge gets a reliable one to the rig.  All tiles are one group, in the order
   added; the instance is a private /dev/shm/sf-t<pid>-<n>.  Every function
   returns 0 (or what it says) or SF_ERR_* with a sentence; a build call after a
   failed one returns that failure again, so only sf_rig_start need be checked. */

#ifndef SF_TILE_RIG_H
#define SF_TILE_RIG_H
#include "tile/group.h"

typedef struct sf_rig sf_rig_t;

int sf_rig_new( sf_rig_t ** rig );
int sf_rig_state_dir( sf_rig_t * rig, char const * path );
int sf_rig_huge_pages( sf_rig_t * rig ); /* ask for them, as configs/default.toml does */
int sf_rig_tile( sf_rig_t * rig, char const * name, char const * kind, char const * params );
int sf_rig_burst( sf_rig_t * rig, char const * tile, uint32_t burst ); /* 1 unless set */
int sf_rig_link( sf_rig_t * rig, char const * name, char const * producer, uint32_t depth, uint32_t slot_bytes );
int sf_rig_edge( sf_rig_t * rig, char const * link, char const * consumer /* NULL = the rig */, uint32_t reliable );
int sf_rig_table( sf_rig_t * rig, char const * name, char const * writer, uint32_t row_bytes, uint32_t row_cnt );

/* sf_rig_ops makes the rig use these ops for a kind instead of the tile table. */
int sf_rig_ops( sf_rig_t * rig, sf_tile_ops_t const * ops );

/* sf_rig_start creates the instance (run number 1, trading 1, supervisor heartbeat
   now) and boots the tiles. */
int sf_rig_start( sf_rig_t * rig );

/* sf_rig_step gives each tile one turn: how much they did, or SF_ERR_STATE.
   sf_rig_settle steps until nobody had work twice in a row (at most 100000 turns)
   and returns the total. */
int sf_rig_step( sf_rig_t * rig );
int sf_rig_settle( sf_rig_t * rig );

/* sf_rig_house makes the housekeeping of all tiles due in the next step. */
void sf_rig_house( sf_rig_t * rig );

int sf_rig_inject( sf_rig_t * rig, char const * link, uint16_t kind, uint32_t tag, uint64_t t_origin,
                   void const * payload, uint16_t length );
int sf_rig_read( sf_rig_t * rig, char const * link, void * message, uint64_t bytes ); /* 1, 0, SF_ERR_OVERRUN */

/* for benches: the handles behind inject and read; NULL if the rig has none */
sf_producer_t * sf_rig_producer( sf_rig_t * rig, char const * link );
sf_consumer_t * sf_rig_consumer( sf_rig_t * rig, char const * link );

sf_table_t * sf_rig_table_of( sf_rig_t * rig, char const * name );
sf_tile_t * sf_rig_tile_of( sf_rig_t * rig, char const * name );
sf_cnc_t * sf_rig_cnc( sf_rig_t * rig, char const * tile );
uint64_t sf_rig_counter( sf_rig_t * rig, char const * tile, char const * counter );
sf_control_t * sf_rig_control( sf_rig_t * rig );
sf_instance_t * sf_rig_instance( sf_rig_t * rig );

/* sf_rig_close finishes the tiles and removes the instance. */
void sf_rig_close( sf_rig_t * rig );

#endif
