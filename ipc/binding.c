/* binding.c: compiled into ipc._core by cffi, in front of the wrappers that it
   makes from binding.h. */

#include "base/clock.h"
#include "base/cpu.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/hist.h"
#include "base/probe.h"
#include "dex/meteora_damm_v2.h"
#include "dex/meteora_dlmm.h"
#include "dex/orca_whirlpool.h"
#include "dex/pools.h"
#include "dex/pump_fun.h"
#include "dex/pump_swap.h"
#include "dex/quote.h"
#include "dex/raydium_amm_v4.h"
#include "dex/raydium_clmm.h"
#include "dex/raydium_cpmm.h"
#include "dex/token.h"
#include "io/reader.h"
#include "io/segment.h"
#include "shm/cnc.h"
#include "shm/control.h"
#include "shm/instance.h"
#include "shm/link.h"
#include "shm/pool.h"
#include "shm/table.h"
#include "shm/topology.h"
#include "shm/workspace.h"
#include "sf_journal.h"
#include "tile/group.h"
#include "tile/ptile.h"
#include "tile/tape.h"
#include "trade/cycles.h"
#include <signal.h>
#include <unistd.h>

#define IPC_TURN_MAX 256

typedef struct ipc_turn {
  uint32_t house;
  uint32_t run_cnt;
  uint32_t run_in[IPC_TURN_MAX];
  uint32_t run_end[IPC_TURN_MAX];
} ipc_turn_t;

static int ipc_tile_turn( sf_ptile_t * t, void * buffer, uint16_t * in, uint32_t max, uint64_t max_wait_ns,
                          ipc_turn_t * turn ) {
  turn->run_cnt = 0;
  turn->house   = (uint32_t)sf_ptile_house( t );
  int n         = sf_ptile_turn( t, buffer, in, max < IPC_TURN_MAX ? max : IPC_TURN_MAX, max_wait_ns );
  for( int i = 0; i < n; i++ ) {
    if( !i || in[i] != in[i - 1] ) turn->run_in[turn->run_cnt++] = in[i];
    turn->run_end[turn->run_cnt - 1] = (uint32_t)i + 1;
  }
  return n;
}

static int ipc_tile_publish( sf_ptile_t * t, uint32_t out, uint16_t kind, uint32_t tag, uint64_t t_origin,
                             void const * payload, uint32_t length ) {
  struct {
    sf_message_t header;
    uint8_t payload[2048];
  } m;
  uint32_t room = sf_tile_out_payload( sf_ptile_tile( t ), out );
  if( length > room || length > sizeof m.payload ) {
    return sf_err_set( SF_ERR_ARG, "a payload of %u bytes does not fit: out-link %u takes at most %u", length, out,
                       room );
  }
  m.header = ( sf_message_t ){ .kind = kind, .length = (uint16_t)length, .tag = tag, .t_origin = t_origin };
  memcpy( m.payload, payload, length );
  int n = sf_ptile_publish( t, out, &m, sizeof m, 1 );
  return n == SF_ERR_FULL ? sf_err_set( SF_ERR_FULL, "out-link %u: a reliable consumer is a full ring behind", out )
                          : n;
}

static int ipc_group_steps( sf_group_t * g, uint32_t max ) {
  int done = 0;
  for( uint32_t i = 0; i < max; i++ ) {
    int n = sf_group_step( g );
    if( n < 0 ) return n;
    if( !n ) break;
    done += n;
  }
  return done;
}

static int ipc_link_receive( sf_consumer_t * c, void * buffer, uint32_t stride, uint32_t max ) {
  uint32_t n = 0;
  while( n < max ) {
    int got = sf_link_receive( c, (sf_message_t *)( (uint8_t *)buffer + (uint64_t)n * stride ), stride );
    if( !got ) break;
    if( got == 1 ) n++;
  }
  return (int)n;
}

#define ROW_WAIT_US 100 /* between two looks at a row whose writer stands in it: it does not run */
#define ROW_WAITS   20000

static int ipc_row_read( sf_table_t const * t, uint32_t row, void * out ) {
  int code = sf_table_read( t, row, out );
  for( int i = 0; code == SF_ERR_OVERRUN && i < ROW_WAITS; i++ ) {
    usleep( ROW_WAIT_US );
    code = sf_table_read( t, row, out );
  }
  if( !code || code == SF_ERR_EMPTY ) return code;
  return sf_err_set( code, "table %s: row %u cannot be read (%s)", t->object.name, row,
                     code == SF_ERR_OVERRUN ? "its writer has stood in it for two seconds" : "there is no such row" );
}

static int ipc_table_read( sf_table_t const * t, uint32_t first, uint32_t cnt, void * out ) {
  int written = 0;
  for( uint32_t i = 0; i < cnt; i++ ) {
    uint8_t * to = (uint8_t *)out + (uint64_t)i * t->row_bytes;
    int code     = ipc_row_read( t, first + i, to );
    if( code == SF_ERR_EMPTY ) memset( to, 0, t->row_bytes );
    else if( code ) return code;
    else written++;
  }
  return written;
}

static void ipc_hist_copy( sf_hist_t const * shared, sf_hist_t * out ) {
  sf_words_copy_out( out, shared, sizeof( sf_hist_t ) / 8 );
}

static void ipc_counters_copy( sf_cnc_t const * cnc, uint64_t * out ) {
  sf_words_copy_out( out, cnc->counter, SF_COUNTER_MAX );
}

static int ipc_tile_known( char const * kind ) { return sf_tile_find( kind ) != 0; }

static sf_control_t * ipc_control;

static void ipc_on_signal( int number ) {
  (void)number;
  (void)sf_kill_raise( ipc_control, SF_KILL_HALT, SF_KILL_BY_SIGNAL );
}

static int ipc_kill_on_signal( sf_control_t * c ) {
  ipc_control             = c;
  struct sigaction action = { .sa_handler = ipc_on_signal, .sa_flags = SA_RESTART };
  return sigaction( SIGUSR1, &action, 0 ) ? sf_err_set( SF_ERR_SYS, "SIGUSR1 cannot be handled: %m" ) : 0;
}

static uint64_t ipc_load( uint64_t const * word ) { return sf_load_acquire( word ); }
static void ipc_store( uint64_t * word, uint64_t value ) { sf_store_release( word, value ); }

static void ipc_quote_wide( sf_quote_t const * q, uint64_t out[4] ) {
  out[0] = (uint64_t)q->sqrt_price;
  out[1] = (uint64_t)( q->sqrt_price >> 64 );
  out[2] = (uint64_t)q->liquidity;
  out[3] = (uint64_t)( q->liquidity >> 64 );
}

static int ipc_pool_quote( void const * payload, uint64_t bytes, int a_to_b, int exact_in, uint64_t amount,
                           sf_quote_t * q ) {
  _Alignas( 16 ) sf_pool_slot_t slot; /* a payload in Python is not aligned */
  if( bytes < sizeof( slot.update ) || bytes > sizeof( slot ) )
    return sf_err_set( SF_ERR_DATA, "pool update: %lu bytes", bytes );
  memcpy( &slot, payload, bytes );
  if( slot.update.state_bytes != bytes - sizeof( slot.update ) )
    return sf_err_set( SF_ERR_DATA, "pool update: %lu bytes, of which a state of %u", bytes, slot.update.state_bytes );
  if( exact_in ) sf_pool_quote_in( &slot.update, a_to_b, amount, q );
  else sf_pool_quote_out( &slot.update, a_to_b, amount, q );
  return 0;
}

static int ipc_pool_swap_accounts( void const * payload, uint64_t bytes, int a_to_b, uint8_t const payer[32],
                                   uint8_t const user_in[32], uint8_t const user_out[32], void * out ) {
  _Alignas( 16 ) sf_pool_slot_t slot;
  sf_account_meta_t account[SF_SWAP_ACCOUNT_MAX];
  uint32_t cnt;
  if( bytes < sizeof( slot.update ) || bytes > sizeof( slot ) )
    return sf_err_set( SF_ERR_DATA, "pool update: %lu bytes", bytes );
  memcpy( &slot, payload, bytes );
  sf_venue_t const * venue = sf_venue_get( slot.update.venue );
  if( !venue || slot.update.state_bytes != bytes - sizeof( slot.update ) )
    return sf_err_set( SF_ERR_DATA, "pool update: venue %u, %lu bytes", slot.update.venue, bytes );
  sf_swap_ask_t ask = { .payer     = payer,
                        .user_in   = user_in,
                        .user_out  = user_out,
                        .amount_in = 1,
                        .min_out   = 1,
                        .a_to_b    = a_to_b,
                        .array_cnt = slot.update.array_cnt[!a_to_b] };
  memcpy( ask.array, slot.update.array[!a_to_b], sizeof( ask.array ) );
  int err = venue->swap_accounts( slot.state, &ask, account, &cnt );
  if( err ) return err;
  for( uint32_t i = 0; i < cnt; i++ ) memcpy( (uint8_t *)out + 32 * i, account[i].pubkey, 32 );
  return (int)cnt;
}

typedef struct ipc_routes {
  sf_route_t * out;
  uint32_t cnt;
  uint32_t max;
} ipc_routes_t;

static int route_keep( void * arg, sf_route_t const * route ) {
  ipc_routes_t * routes = arg;
  if( routes->cnt < routes->max ) routes->out[routes->cnt++] = *route;
  return 0;
}

static int ipc_cycles_all( sf_cycles_t * c, sf_route_t * out, uint32_t max ) {
  ipc_routes_t routes = { .out = out, .max = max };
  return sf_cycles_all( c, route_keep, &routes );
}

#define IPC_ACCOUNT_MAX    10240
#define IPC_POOL_BYTES_MAX sizeof( sf_pool_slot_t )

static int ipc_pools_account( sf_pools_t * p, uint8_t const pubkey[32], uint8_t const owner[32], uint64_t slot,
                              uint32_t flags, uint8_t const * data, uint32_t len ) {
  struct {
    sf_raw_account_t raw;
    uint8_t data[IPC_ACCOUNT_MAX];
  } account = { .raw = { .slot = slot, .flags = flags, .data_len = len } };
  if( len > IPC_ACCOUNT_MAX )
    return sf_err_set( SF_ERR_LIMIT, "an account of %u bytes is longer than the %u of a message", len,
                       IPC_ACCOUNT_MAX );
  memcpy( account.raw.pubkey, pubkey, 32 );
  memcpy( account.raw.owner, owner, 32 );
  memcpy( account.data, data, len );
  sf_pools_account( p, &account.raw, 0 );
  return 0;
}

static int ipc_pools_payload( sf_pools_t const * p, uint32_t pool, uint8_t address[32], void * out ) {
  if( pool >= p->cnt || p->pool[pool].stale ) return 0;
  uint32_t bytes = (uint32_t)sizeof( sf_pool_update_t ) + p->at[pool].update.state_bytes;
  memcpy( address, p->pool[pool].pubkey, 32 );
  memcpy( out, &p->at[pool], bytes );
  return (int)bytes;
}
