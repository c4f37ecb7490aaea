/* binding.h: what Python sees of the C core, as cffi reads it.  The shared
   layouts come before this text (ipc/abi.py), the C headers that declare the
   same things are included by binding.c: the compiler checks that both agree. */

/* base */
char const * sf_err_text( void );
char const * sf_err_name( int code );
int sf_clock_init( void );
void sf_clock_sync( void );
uint64_t sf_clock_ns( void );
uint64_t sf_clock_real_ns( void );
uint64_t sf_hist_quantile( sf_hist_t const * h, uint64_t ppm );
void sf_hist_merge( sf_hist_t * to, sf_hist_t const * from );
uint32_t sf_hist_bucket( uint64_t v );
uint64_t sf_hist_bucket_top( uint32_t bucket );
void sf_hist_add( sf_hist_t * h, uint64_t v );
uint32_t sf_crc32c( uint32_t seed, void const * p, uint64_t n );
uint64_t sf_probe_line_ps( uint64_t bytes, int huge );
uint64_t sf_probe_fault_ps( void );
int sf_cpu_pin( uint32_t core );
int sf_cpu_avoid( uint32_t const * core, uint32_t cnt );
void sf_cpu_name_thread( char const * name );

/* shm: topology */
sf_topology_t * sf_topology_alloc( void );
void sf_topology_free( sf_topology_t * t );
int sf_topology_group_add( sf_topology_t * t, char const * name, uint32_t wait, uint32_t core, uint32_t flags );
int sf_topology_tile_add( sf_topology_t * t, char const * name, char const * kind, uint32_t group, uint32_t flags,
                          uint32_t burst );
int sf_topology_link_add( sf_topology_t * t, char const * name, uint32_t producer, uint32_t depth,
                          uint32_t slot_bytes );
int sf_topology_edge_add( sf_topology_t * t, uint32_t link, uint32_t consumer, uint32_t reliable );
int sf_topology_table_add( sf_topology_t * t, char const * name, uint32_t writer, uint32_t row_bytes,
                           uint32_t row_cnt );
int sf_topology_params_set( sf_topology_t * t, uint32_t tile, char const * text );
int sf_topology_validate( sf_topology_t * t );
int sf_topology_validate_on( sf_topology_t * t, uint32_t const * core, uint32_t core_cnt );
void sf_topology_place( sf_topology_t * t, uint32_t const * core, uint32_t const * node, uint32_t core_cnt );
int sf_topology_is_pair( sf_topology_t const * t, uint32_t link );
int sf_topology_notes( sf_topology_t const * t, char * out, uint64_t out_bytes );
int sf_topology_layout( sf_topology_t * t );
int sf_topology_tile_find( sf_topology_t const * t, char const * name );
int sf_topology_link_find( sf_topology_t const * t, char const * name );
int sf_topology_table_find( sf_topology_t const * t, char const * name );
int sf_topology_group_find( sf_topology_t const * t, char const * name );

/* shm: workspace and pool */
typedef struct sf_memory {
  void * base;
  uint64_t bytes;
  uint32_t locked;
  uint32_t bound;
  uint32_t huge;
  ...;
} sf_memory_t;
typedef struct sf_workspace {
  sf_memory_t memory;
  ...;
} sf_workspace_t;
uint64_t sf_abi_hash( void );
int sf_workspace_create( sf_workspace_t * ws, char const * dir, char const * name, uint64_t bytes, uint32_t node,
                         uint32_t flags );
int sf_workspace_open( sf_workspace_t * ws, char const * dir, char const * name, uint32_t flags );
void sf_workspace_close( sf_workspace_t * ws );
uint64_t sf_pool_bytes( uint32_t element_bytes, uint32_t element_cnt );
sf_pool_t * sf_pool_create( sf_workspace_t * ws, uint64_t off, char const * name, uint32_t element_bytes,
                            uint32_t element_cnt );
uint32_t sf_pool_take( sf_pool_t * p );
int sf_pool_give( sf_pool_t * p, uint32_t index );
void * sf_pool_element( sf_pool_t * p, uint32_t index );

/* shm: instance */
typedef struct sf_instance {
  char dir[256];
  sf_topology_t * topology;
  sf_control_t * control;
  ...;
} sf_instance_t;
int sf_instance_create( char const * dir, sf_topology_t const * t );
int sf_instance_new( sf_instance_t ** inst, char const * dir );
void sf_instance_delete( sf_instance_t * inst );
int sf_instance_stale( char const * dir );
int sf_instance_owner( char const * dir );
int sf_instance_remove( char const * dir );
int sf_instance_workspace( sf_instance_t * inst, uint32_t tile, int writable, sf_workspace_t ** ws );
sf_cnc_t * sf_instance_cnc( sf_instance_t * inst, uint32_t tile );
sf_link_t * sf_instance_link_at( sf_instance_t * inst, uint32_t link );
sf_edge_t * sf_instance_edge_at( sf_instance_t * inst, uint32_t edge );
sf_table_t * sf_instance_table_at( sf_instance_t * inst, uint32_t table );
int sf_kill_raise( sf_control_t * c, uint64_t level, uint64_t by );
void sf_kill_lower( sf_control_t * c );
void sf_command_set( sf_control_t * c, uint32_t tile, uint64_t command );
uint64_t sf_cnc_read( sf_cnc_t const * cnc, char const * name );
void sf_cnc_error( sf_cnc_t const * cnc, char * out );

/* shm: links and tables */
typedef struct sf_producer {
  uint64_t next;
  ...;
} sf_producer_t;
typedef struct sf_consumer {
  uint64_t next;
  uint64_t lost;
  ...;
} sf_consumer_t;
int sf_instance_producer( sf_instance_t * inst, uint32_t link, sf_producer_t * p );
int sf_instance_consumer( sf_instance_t * inst, uint32_t edge, sf_consumer_t * c );
int sf_consumer_open( sf_consumer_t * c, sf_link_t const * link, sf_edge_t * edge );
void sf_producer_close( sf_producer_t * p );
uint64_t sf_link_credit( sf_producer_t * p );
int sf_link_send( sf_producer_t * p, uint16_t kind, uint32_t tag, uint64_t t_origin, void const * payload,
                  uint16_t length );
void sf_producer_publish_state( sf_producer_t * p );
void sf_producer_wake( sf_producer_t * p );
int sf_link_receive( sf_consumer_t * c, sf_message_t * out, uint64_t out_bytes );
void sf_consumer_flush( sf_consumer_t * c );
int sf_table_write( sf_table_t * t, uint32_t row, void const * row_bytes );

/* tile */
typedef struct sf_tile sf_tile_t;
typedef struct sf_ptile sf_ptile_t;
#define SF_TILE_ORDERED ...
int sf_ptile_open( sf_ptile_t ** t, sf_instance_t * inst, char const * name, uint32_t flags );
int sf_ptile_start( sf_ptile_t * t );
uint32_t sf_ptile_stride( sf_ptile_t * t );
void sf_ptile_wait( sf_ptile_t * const * t, uint32_t cnt, uint64_t max_wait_ns );
void sf_ptile_halt( sf_ptile_t * t );
void sf_ptile_fail( sf_ptile_t * t, char const * sentence );
void sf_ptile_close( sf_ptile_t * t );
int sf_ptile_publish( sf_ptile_t * t, uint32_t out, void const * messages, uint32_t stride, uint32_t cnt );
sf_tile_t * sf_ptile_tile( sf_ptile_t * t );
int sf_tile_in( sf_tile_t * t, char const * link );
int sf_tile_out( sf_tile_t * t, char const * link );
uint32_t sf_tile_in_count( sf_tile_t * t );
char const * sf_tile_in_name( sf_tile_t * t, uint32_t in );
uint64_t sf_tile_credit( sf_tile_t * t, uint32_t out );
uint64_t sf_tile_seq( sf_tile_t * t, uint32_t out );
uint32_t sf_tile_out_payload( sf_tile_t * t, uint32_t out );
sf_table_t * sf_tile_table( sf_tile_t * t, char const * name );
uint64_t sf_tile_kill( sf_tile_t * t );
uint64_t sf_tile_now( sf_tile_t * t );
uint64_t sf_tile_run( sf_tile_t * t );
char const * sf_tile_state_dir( sf_tile_t * t );
uint32_t sf_tile_param_count( sf_tile_t * t );
int sf_tile_param_at( sf_tile_t * t, uint32_t i, char const ** key, char const ** value );
int sf_tile_counter( sf_tile_t * t, char const * name );
int sf_tile_gauge( sf_tile_t * t, char const * name );
void sf_tile_count( sf_tile_t * t, int counter, uint64_t add );
void sf_tile_set( sf_tile_t * t, int gauge, uint64_t v );

/* tile: groups of C tiles, stepped by the caller */
typedef struct sf_group sf_group_t;
int sf_group_open( sf_group_t ** group, sf_instance_t * inst, uint32_t index );
int sf_group_boot( sf_group_t * g );
void sf_group_finish( sf_group_t * g );
void sf_group_close( sf_group_t * g );
uint32_t sf_group_tile_count( sf_group_t * g );
sf_tile_t * sf_group_tile( sf_group_t * g, uint32_t i );

/* tile: what a bot in a replay reads its primary in-link from (tile/tape.h) */
#define SF_TAPE_ALIGN ...
typedef struct sf_tape {
  uint8_t const * bytes;
  uint64_t used_bytes;
  uint64_t loads;
} sf_tape_t;
int sf_tile_play( sf_tile_t * t, sf_tape_t const * tape );
int sf_tile_tape_left( sf_tile_t * t );

/* io: the journal's reader (io/reader.h, io/segment.h) */
typedef struct sf_place {
  uint64_t run;
  uint64_t segment;
  uint64_t offset;
  uint64_t number;
} sf_place_t;
typedef struct sf_filter {
  uint64_t kinds[2];
  uint64_t links;
} sf_filter_t;
typedef struct sf_tail {
  sf_place_t place;
  uint64_t residue_bytes;
  uint64_t whole_blocks;
  uint64_t last_number;
  uint32_t segments;
  uint32_t damaged;
  char file[32];
  char reason[192];
} sf_tail_t;
typedef struct sf_reader sf_reader_t;
#define SF_BLOCK_MAX         ...
#define SF_BLOCK_RECORDS     ...
#define SF_READER_COPY_LEAST ...
int sf_reader_open( sf_reader_t ** out, char const * dir, uint64_t run, sf_place_t const * from );
void sf_reader_close( sf_reader_t * r );
int sf_reader_next( sf_reader_t * r, sf_filter_t const * filter, uint32_t * off );
int64_t sf_reader_copy( sf_reader_t * r, char const * link, uint32_t align, uint64_t * next_seq, void * out,
                        uint64_t bytes );
sf_journal_block_t const * sf_reader_block( sf_reader_t const * r );
void sf_reader_place( sf_reader_t const * r, sf_place_t * out );
void sf_reader_span( sf_reader_t const * r, uint64_t * first_ns, uint64_t * last_ns );
char const * sf_reader_link( sf_reader_t const * r, uint32_t link );
int sf_reader_tail( sf_reader_t * r, sf_tail_t * out );
int sf_reader_cut( sf_reader_t * r, sf_tail_t * out );

/* binding.c: what takes one call here and would take many */

/* What ipc_tile_turn found, besides the messages. */
typedef struct ipc_turn {
  uint32_t house;   /* 1 = housekeeping was due: call the house hook */
  uint32_t run_cnt; /* messages of the same in-link in a row */
  uint32_t run_in[256];
  uint32_t run_end[256]; /* index of the first message after run i */
} ipc_turn_t;
#define IPC_TURN_MAX ...

/* ipc_tile_turn is sf_ptile_house and sf_ptile_turn, and tells which messages
   came from the same in-link.  max is at most IPC_TURN_MAX. */
int ipc_tile_turn( sf_ptile_t * t, void * buffer, uint16_t * in, uint32_t max, uint64_t max_wait_ns,
                   ipc_turn_t * turn );

/* ipc_tile_publish publishes one message.  SF_ERR_FULL without credit. */
int ipc_tile_publish( sf_ptile_t * t, uint32_t out, uint16_t kind, uint32_t tag, uint64_t t_origin,
                      void const * payload, uint32_t length );

/* ipc_group_steps gives each tile of a group up to max turns, until nobody had
   work.  Returns how much they did, or SF_ERR_STATE if a tile failed. */
int ipc_group_steps( sf_group_t * g, uint32_t max );

/* ipc_link_receive copies up to max messages, `stride` bytes apart.  Returns how
   many; after a jump it goes on behind it (lost is in the consumer). */
int ipc_link_receive( sf_consumer_t * c, void * buffer, uint32_t stride, uint32_t max );

/* ipc_row_read is sf_table_read that waits, without the interpreter's lock, up to two seconds for a writer that the
   kernel has put aside within the row. */
int ipc_row_read( sf_table_t const * t, uint32_t row, void * out );
/* ipc_table_read copies rows [first,first+cnt) one after the other; a row that was
   never written is zero.  Returns how many were ever written. */
int ipc_table_read( sf_table_t const * t, uint32_t first, uint32_t cnt, void * out );

/* ipc_hist_copy makes a private copy of a histogram that is being written. */
void ipc_hist_copy( sf_hist_t const * shared, sf_hist_t * out );

/* ipc_counters_copy copies all counters of a cnc page. */
void ipc_counters_copy( sf_cnc_t const * cnc, uint64_t * out );

/* ipc_tile_known returns 1 if this build has a C tile of that kind, else 0. */
int ipc_tile_known( char const * kind );

/* ipc_kill_on_signal makes SIGUSR1 raise the kill word to halt in this process,
   also while Python does not run: the handler is in C. */
int ipc_kill_on_signal( sf_control_t * c );

uint64_t ipc_load( uint64_t const * word );
void ipc_store( uint64_t * word, uint64_t value );

/* dex: what all venues share (dex/quote.h, dex/token.h, dex/transfer_fee.h).  A state is opaque:
   typedef struct sf_<venue>_state { ...; } sf_<venue>_state_t; */
typedef struct sf_quote {
  uint64_t amount_in;
  uint64_t amount_out;
  uint64_t fee;
  uint64_t protocol_fee;
  uint64_t creator_fee;
  uint64_t reserve_a;
  uint64_t reserve_b;
  uint32_t status;
  uint32_t error;
  uint32_t fee_in_input;
  int32_t tick;
  uint32_t crossed;
  uint32_t impact_ppm;
  ...;
} sf_quote_t;
#define SF_QUOTE_OK        ...
#define SF_QUOTE_REFUSED   ...
#define SF_QUOTE_EXHAUSTED ...
typedef struct sf_token_account {
  uint8_t const * mint;
  uint8_t const * owner;
  uint64_t amount;
} sf_token_account_t;
int sf_token_account_decode( uint8_t const program[32], uint8_t const * data, uint32_t len, sf_token_account_t * out );
typedef struct sf_transfer_fee {
  uint64_t maximum;
  uint64_t bps;
} sf_transfer_fee_t;
int sf_transfer_fee_decode( uint8_t const program[32], uint8_t const * data, uint32_t len, uint64_t epoch,
                            sf_transfer_fee_t * out );

/* ipc_quote_wide is sqrt_price and liquidity of a quote, the lower word of each first. */
void ipc_quote_wide( sf_quote_t const * q, uint64_t out[4] );

/* dex: pools of any venue (dex/venue.h) */
typedef struct sf_venue sf_venue_t;
sf_venue_t const * sf_venue_get( uint32_t venue );
void sf_pool_update_fill( sf_venue_t const * venue, void const * state, uint32_t state_bytes, uint64_t unix_s,
                          sf_pool_update_t * update );

/* ipc_pool_quote is sf_pool_quote_in (exact_in = 1) or sf_pool_quote_out on a market message's payload, which need not
   be aligned.  SF_ERR_DATA if the payload is not as long as it says. */
int ipc_pool_quote( void const * payload, uint64_t bytes, int a_to_b, int exact_in, uint64_t amount, sf_quote_t * q );

/* ipc_pool_swap_accounts writes the keys that a swap by `payer` through such a pool names (room for SF_SWAP_ACCOUNT_MAX of
   32 bytes) and returns how many. */
#define SF_SWAP_ACCOUNT_MAX ...
int ipc_pool_swap_accounts( void const * payload, uint64_t bytes, int a_to_b, uint8_t const payer[32],
                            uint8_t const user_in[32], uint8_t const user_out[32], void * out );

/* trade: cycles (trade/cycles.h) */
typedef struct sf_route {
  uint32_t hop_cnt;
  uint32_t edge[3];
  uint64_t amount_in[3];
  uint64_t min_out[3];
  uint64_t expected_out;
} sf_route_t;
typedef struct sf_cycles {
  uint32_t base;
  uint64_t cut_searches;
  ...;
} sf_cycles_t;
int sf_cycles_open( sf_cycles_t * c, uint32_t pool_max, uint32_t token_max, uint32_t hop_max, uint32_t slippage_bps,
                    uint64_t max_input );
void sf_cycles_close( sf_cycles_t * c );
void sf_cycles_base( sf_cycles_t * c, uint32_t token );
int sf_cycles_update( sf_cycles_t * c, sf_pool_update_t const * update, int stale );

/* ipc_cycles_all is sf_cycles_all with the first `max` cycles in out; returns how many there are. */
int ipc_cycles_all( sf_cycles_t * c, sf_route_t * out, uint32_t max );

/* The store of pools that book drives (dex/pools.h). */
typedef struct sf_pools {
  uint32_t cnt;
  uint32_t stale_cnt;
  uint64_t count[...];
  ...;
} sf_pools_t;
#define SF_POOLS_MALFORMED ...
#define SF_POOLS_UNKNOWN   ...
int sf_pools_open( sf_pools_t * p, uint32_t pools, uint32_t mints, uint64_t slots_per_epoch );
void sf_pools_close( sf_pools_t * p );
void sf_pools_time( sf_pools_t * p, uint64_t unix_s );
void sf_pools_slot( sf_pools_t * p, uint64_t slot );
void sf_pools_reset( sf_pools_t * p, uint64_t t_origin );
int sf_pools_changed( sf_pools_t * p, uint32_t * pool );

/* ipc_pools_account is sf_pools_account of one account.  Returns SF_ERR_LIMIT if it is too long for a message. */
int ipc_pools_account( sf_pools_t * p, uint8_t const pubkey[32], uint8_t const owner[32], uint64_t slot, uint32_t flags,
                       uint8_t const * data, uint32_t len );

/* ipc_pools_payload writes what a market message of a pool says (room for IPC_POOL_BYTES_MAX), and its address.  Returns
   its bytes, 0 if the pool has no price. */
#define IPC_POOL_BYTES_MAX ...
int ipc_pools_payload( sf_pools_t const * p, uint32_t pool, uint8_t address[32], void * out );

/* dex: raydium_cpmm */
typedef struct sf_raydium_cpmm_config {
  uint32_t trade;
  uint32_t creator;
  uint32_t protocol;
  uint32_t fund;
} sf_raydium_cpmm_config_t;
typedef struct sf_raydium_cpmm_state {
  uint64_t reserve[2];
  uint64_t amount[2];
  sf_raydium_cpmm_config_t rates;
  uint32_t creator_fee;
  uint32_t creator_fee_on;
  sf_transfer_fee_t transfer_fee[2];
  uint64_t open_time;
  uint32_t swap_disabled;
  ...;
} sf_raydium_cpmm_state_t;
typedef struct sf_raydium_cpmm_swap {
  uint64_t amount;
  uint64_t threshold;
  uint8_t exact_in;
} sf_raydium_cpmm_swap_t;
typedef struct sf_raydium_cpmm_traded {
  uint8_t pool[32];
  uint64_t reserve_in;
  uint64_t reserve_out;
  uint64_t amount_in;
  uint64_t amount_out;
  uint64_t transfer_fee_in;
  uint64_t transfer_fee_out;
  uint64_t trade_fee;
  uint64_t creator_fee;
  uint8_t exact_in;
} sf_raydium_cpmm_traded_t;
int sf_raydium_cpmm_pool_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len,
                                 sf_raydium_cpmm_state_t * s );
int sf_raydium_cpmm_config_decode( uint8_t const * data, uint32_t len, sf_raydium_cpmm_config_t * out );
int sf_raydium_cpmm_price( sf_raydium_cpmm_state_t * s, uint64_t amount_a, uint64_t amount_b,
                           sf_raydium_cpmm_config_t const * config );
void sf_raydium_cpmm_quote_in( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q );
void sf_raydium_cpmm_quote_out( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q );
int sf_raydium_cpmm_swap_parse( uint8_t const * data, uint32_t len, sf_raydium_cpmm_swap_t * out );
int sf_raydium_cpmm_traded_parse( uint8_t const * data, uint32_t len, sf_raydium_cpmm_traded_t * out );

/* dex: orca_whirlpool */
typedef struct sf_orca_whirlpool_state {
  sf_transfer_fee_t transfer_fee[2];
  ...;
} sf_orca_whirlpool_state_t;
typedef struct sf_orca_whirlpool_work {
  sf_orca_whirlpool_state_t state;
  ...;
} sf_orca_whirlpool_work_t;
void sf_orca_whirlpool_clear( sf_orca_whirlpool_work_t * w, uint8_t const pubkey[32] );
int sf_orca_whirlpool_account( uint8_t const * data, uint32_t len, sf_orca_whirlpool_work_t * w );
int sf_orca_whirlpool_array_absent( sf_orca_whirlpool_work_t * w, int32_t start );
int sf_orca_whirlpool_prepare( sf_orca_whirlpool_work_t * w );
void sf_orca_whirlpool_quote_in( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                 sf_quote_t * q );
void sf_orca_whirlpool_quote_out( sf_orca_whirlpool_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                  sf_quote_t * q );

/* dex: raydium_clmm */
typedef struct sf_raydium_clmm_state {
  sf_transfer_fee_t transfer_fee[2];
  ...;
} sf_raydium_clmm_state_t;
typedef struct sf_raydium_clmm_work {
  sf_raydium_clmm_state_t state;
  ...;
} sf_raydium_clmm_work_t;
typedef struct sf_clmm_config {
  uint32_t trade;
  uint32_t protocol;
  uint32_t fund;
} sf_clmm_config_t;
void sf_raydium_clmm_clear( sf_raydium_clmm_work_t * w, uint8_t const pubkey[32] );
int sf_raydium_clmm_account( uint8_t const * data, uint32_t len, sf_raydium_clmm_work_t * w );
void sf_raydium_clmm_fee_set( sf_raydium_clmm_work_t * w, sf_clmm_config_t const * config );
int sf_raydium_clmm_prepare( sf_raydium_clmm_work_t * w );
void sf_raydium_clmm_quote_in( sf_raydium_clmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q );
void sf_raydium_clmm_quote_out( sf_raydium_clmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q );

/* dex: meteora_damm_v2 */
typedef struct sf_meteora_damm_v2_state {
  sf_transfer_fee_t transfer_fee[2];
  ...;
} sf_meteora_damm_v2_state_t;
int sf_meteora_damm_v2_decode( uint8_t const * data, uint32_t len, sf_meteora_damm_v2_state_t * out );
void sf_meteora_damm_v2_quote_in( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                  sf_quote_t * q );
void sf_meteora_damm_v2_quote_out( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                   sf_quote_t * q );
void sf_meteora_damm_v2_quote_partial( sf_meteora_damm_v2_state_t const * s, int a_to_b, uint64_t amount_in,
                                       uint64_t now, sf_quote_t * q );

/* dex: meteora_dlmm */
typedef struct sf_meteora_dlmm_state {
  uint32_t newest;
  uint64_t slot;
  sf_transfer_fee_t transfer_fee[2];
  uint64_t reserve[2];
  uint32_t plain_account[2];
  ...;
} sf_meteora_dlmm_state_t;
typedef struct sf_meteora_dlmm_work {
  sf_meteora_dlmm_state_t head;
  ...;
} sf_meteora_dlmm_work_t;
#define SF_DLMM_STATE_MAX ...
void sf_meteora_dlmm_clear( sf_meteora_dlmm_work_t * w, uint8_t const pubkey[32] );
int sf_meteora_dlmm_account( uint8_t const * data, uint32_t len, sf_meteora_dlmm_work_t * w );
uint32_t sf_meteora_dlmm_travel( sf_meteora_dlmm_work_t const * w, uint32_t arrays, uint32_t bytes,
                                 sf_meteora_dlmm_state_t * s );
void sf_meteora_dlmm_quote_in( sf_meteora_dlmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q );
void sf_meteora_dlmm_quote_out( sf_meteora_dlmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q );

/* dex: raydium_amm_v4 */
typedef struct sf_account_meta {
  uint8_t pubkey[32];
  uint8_t signer;
  uint8_t writable;
} sf_account_meta_t;
typedef struct sf_raydium_amm_v4_state {
  uint64_t reserve[2];
  uint64_t room[2];
  uint64_t fee_numerator;
  uint64_t fee_denominator;
  uint64_t open_time;
  uint32_t status;
  ...;
} sf_raydium_amm_v4_state_t;
typedef struct sf_raydium_amm_v4_swap {
  uint64_t amount;
  uint64_t threshold;
  uint8_t exact_in;
  uint8_t brief;
} sf_raydium_amm_v4_swap_t;
typedef struct sf_raydium_amm_v4_traded {
  uint64_t amount;
  uint64_t threshold;
  uint64_t user_source;
  uint64_t reserve[2];
  uint64_t other;
  uint8_t exact_in;
  uint8_t a_to_b;
} sf_raydium_amm_v4_traded_t;
int sf_raydium_amm_v4_pool_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len,
                                   sf_raydium_amm_v4_state_t * s );
int sf_raydium_amm_v4_vaults( sf_raydium_amm_v4_state_t * s, uint64_t coin, uint64_t pc );
void sf_raydium_amm_v4_quote_in( sf_raydium_amm_v4_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                                 sf_quote_t * q );
void sf_raydium_amm_v4_quote_out( sf_raydium_amm_v4_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                  sf_quote_t * q );
uint32_t sf_raydium_amm_v4_swap_data( sf_raydium_amm_v4_swap_t const * swap, uint8_t * out );
int sf_raydium_amm_v4_swap_parse( uint8_t const * data, uint32_t len, sf_raydium_amm_v4_swap_t * out );
int sf_raydium_amm_v4_swap_accounts( sf_raydium_amm_v4_state_t const * s, int brief, uint8_t const user_in[32],
                                     uint8_t const user_out[32], uint8_t const owner[32], sf_account_meta_t * out,
                                     uint32_t * cnt );
int sf_raydium_amm_v4_traded_parse( uint8_t const * data, uint32_t len, sf_raydium_amm_v4_traded_t * out );

/* dex: pump_fun, pump_swap and the fees of both */
typedef struct sf_pump_rates {
  uint32_t lp;
  uint32_t protocol;
  uint32_t creator;
  uint32_t floor;
} sf_pump_rates_t;
typedef struct sf_pump_recipients {
  ...;
} sf_pump_recipients_t;
typedef struct sf_pump_fee_config {
  ...;
} sf_pump_fee_config_t;
int sf_pump_fee_config_decode( uint8_t const * data, uint32_t len, sf_pump_fee_config_t * out );
typedef struct sf_pump_fun_global {
  sf_pump_rates_t rates;
  sf_pump_recipients_t recipients;
  ...;
} sf_pump_fun_global_t;
typedef struct sf_pump_fun_state {
  uint64_t virtual_token;
  uint64_t virtual_quote;
  uint64_t real_token;
  uint64_t real_quote;
  sf_pump_rates_t rates;
  uint32_t complete;
  uint8_t quote_mint[32];
  uint8_t mint[32];
  uint8_t program[2][32];
  sf_pump_recipients_t recipients;
  ...;
} sf_pump_fun_state_t;
typedef struct sf_pump_fun_trade {
  uint64_t amount;
  uint64_t threshold;
  uint8_t a_to_b;
  uint8_t exact_in;
  uint8_t form;
} sf_pump_fun_trade_t;
typedef struct sf_pump_fun_traded {
  uint8_t mint[32];
  uint8_t user[32];
  uint8_t creator[32];
  uint8_t quote_mint[32];
  uint64_t time;
  uint64_t tokens;
  uint64_t quote;
  uint64_t virtual_token;
  uint64_t virtual_quote;
  uint64_t real_token;
  uint64_t real_quote;
  uint64_t protocol_bps;
  uint64_t protocol_fee;
  uint64_t creator_bps;
  uint64_t creator_fee;
  uint64_t cashback_bps;
  uint64_t cashback;
  uint8_t a_to_b;
  uint8_t exact_in;
  uint8_t fees;
  uint8_t mayhem;
} sf_pump_fun_traded_t;
int sf_pump_fun_curve_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, sf_pump_fun_state_t * s );
int sf_pump_fun_global_decode( uint8_t const * data, uint32_t len, sf_pump_fun_global_t * out );
int sf_pump_fun_price( sf_pump_fun_state_t * s, sf_pump_fun_global_t const * global,
                       sf_pump_fee_config_t const * config );
void sf_pump_fun_reserves_set( sf_pump_fun_state_t * s, uint64_t virtual_token, uint64_t virtual_quote,
                               uint64_t real_token, uint64_t real_quote, uint32_t protocol_bps, uint32_t creator_bps,
                               int floor );
void sf_pump_fun_quote_in( sf_pump_fun_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                           sf_quote_t * q );
void sf_pump_fun_quote_out( sf_pump_fun_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                            sf_quote_t * q );
int sf_pump_fun_trade_data( sf_pump_fun_trade_t const * trade, uint8_t * out );
int sf_pump_fun_trade_parse( uint8_t const * data, uint32_t len, sf_pump_fun_trade_t * out );
int sf_pump_fun_trade_accounts( sf_pump_fun_state_t const * s, int form, int a_to_b, uint8_t const user[32],
                                uint8_t const user_base[32], uint8_t const user_quote[32], sf_account_meta_t * out,
                                uint32_t * cnt );
int sf_pump_fun_traded_parse( uint8_t const * data, uint32_t len, sf_pump_fun_traded_t * out );
typedef struct sf_pump_swap_global {
  sf_pump_rates_t rates;
  sf_pump_recipients_t recipients;
  ...;
} sf_pump_swap_global_t;
typedef struct sf_pump_swap_state {
  uint64_t base;
  uint64_t quote;
  uint64_t payable;
  uint64_t room[2];
  sf_pump_rates_t rates;
  uint32_t no_buys;
  uint32_t no_sales;
  uint32_t pumps;
  uint8_t program[2][32];
  sf_pump_recipients_t recipients;
  ...;
} sf_pump_swap_state_t;
typedef struct sf_pump_swap_trade {
  uint64_t amount;
  uint64_t threshold;
  uint8_t a_to_b;
  uint8_t exact_in;
  uint8_t v2;
} sf_pump_swap_trade_t;
typedef struct sf_pump_swap_traded {
  uint8_t pool[32];
  uint8_t user[32];
  uint8_t coin_creator[32];
  uint64_t time;
  uint64_t base;
  uint64_t quote;
  uint64_t threshold;
  uint64_t reserve[2];
  uint64_t user_quote;
  uint64_t bps[3];
  uint64_t fee[3];
  uint64_t cashback_bps;
  uint64_t cashback;
  uint8_t a_to_b;
  uint8_t exact_in;
} sf_pump_swap_traded_t;
int sf_pump_swap_pool_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, sf_pump_swap_state_t * s );
int sf_pump_swap_global_decode( uint8_t const * data, uint32_t len, sf_pump_swap_global_t * out );
void sf_pump_swap_ready( sf_pump_swap_state_t * s );
int sf_pump_swap_price( sf_pump_swap_state_t * s, uint64_t base, uint64_t quote, uint64_t supply,
                        sf_pump_swap_global_t const * global, sf_pump_fee_config_t const * config );
void sf_pump_swap_quote_in( sf_pump_swap_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                            sf_quote_t * q );
void sf_pump_swap_quote_out( sf_pump_swap_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                             sf_quote_t * q );
int sf_pump_swap_trade_data( sf_pump_swap_trade_t const * trade, uint8_t * out );
int sf_pump_swap_trade_parse( uint8_t const * data, uint32_t len, sf_pump_swap_trade_t * out );
int sf_pump_swap_trade_accounts( sf_pump_swap_state_t const * s, int v2, int a_to_b, uint8_t const user[32],
                                 uint8_t const user_base[32], uint8_t const user_quote[32], sf_account_meta_t * out,
                                 uint32_t * cnt );
int sf_pump_swap_traded_parse( uint8_t const * data, uint32_t len, sf_pump_swap_traded_t * out );

/* dex: meteora_dlmm, instructions */
typedef struct sf_dlmm_swap {
  uint64_t amount;
  uint64_t threshold;
  int32_t active;
  uint32_t form;
  uint16_t impact_bps;
  uint8_t active_given;
  uint8_t slices;
} sf_dlmm_swap_t;
#define SF_DLMM_SWAP             ...
#define SF_DLMM_SWAP2            ...
#define SF_DLMM_SWAP_ACCOUNT_MAX ...
int sf_meteora_dlmm_swap_parse( uint8_t const * data, uint32_t len, sf_dlmm_swap_t * out );
int sf_meteora_dlmm_swap_accounts( sf_meteora_dlmm_state_t const * s, uint32_t form, uint32_t array_cnt,
                                   int32_t const * array, uint8_t const user[32], uint8_t const user_in[32],
                                   uint8_t const user_out[32], sf_account_meta_t * out, uint32_t * cnt );
