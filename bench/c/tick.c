/* bench tick: from account bytes to an order and to a signed transaction, over a made market of 1,000 pools.

     build/release/bench/c/tick [TICKS [SECONDS [TIMES]]]      JSON lines on stdout; with TIMES the bursts only
     build/release/bench/c/tick TICKS --control CORE           up to the order only, made on another core and measured on
                                                               CORE: what a soak holds its own stages against

   All tiles are one group in this thread: book, arb, risk; then the same with build and sign.  A tick is a swap in
   one pool: its state and one vault come first, the other vault makes it coherent and is the clock's start (the
   moment its bytes stand in the raw slot).  Every tick opens a gap, so that nearly every tick becomes an order; after
   it the pool goes back and risk and arb are told that the order has expired.  Times are the messages' own t_pub.

   book, arb, risk, build, sign   each tile's share, from the message before to its own
   tick_to_order, tick_to_signed  from the bytes
   ladder_build, ladder_sign, tick_to_signed_ladder   the same, where the order is a rung that was signed ahead
                                  (trade/ladder.h): changes of HOT_POOLS pools, whose routes' orders come again
   quiet_turn                     a turn of book, arb and risk over a change that opens no gap
   quiet_search                   arb's update and search alone; _clocked: one by one, with the clock's 20 ns
   risk_gate                      the gate alone, each order released again
   quote                          an exact quote
   steady_to_order, steady_to_signed   open loop: STEADY_RATE swaps a second for SECONDS, one in ten opens a gap; from the
                                  time the last account of the swap was intended to stand in the slot, into which it was
                                  written before, as a feed does.  Between swaps the group turns idly, as its runner does
                                  when it spins
   steady_floor                   the same schedule with nothing to do, half of it before and half behind steady_to_order:
                                  from the intended time to that at which a thread sees it that only reads the clock.  What
                                  this machine takes away from whoever runs on it
   burst_to_order, burst_to_signed     as steady, at the times in the file TIMES (u64 ns each, rising) */

#include <math.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../tests/c/cpmm_fixture.h"
#include "base/rng.h"
#include "delay.h"
#include "bot_rig.h"
#include "solana/base58.h"
#include "trade/cycles.h"
#include "trade/risk.h"

#define POOLS       1000
#define TOKENS      300
#define TICKS_MAX   100000
#define CHUNKS      100  /* a run is shorter than a time slice of whatever else is on the core */
#define STEADY_RATE 50e3 /* changes a second */
#define GAP_EVERY   10
#define WARM_UP     0.2 /* seconds */
#define HOT_POOLS   8   /* that change, where transactions are signed ahead */

typedef struct market_pool {
  uint32_t token[2];
  uint64_t amount[2];
} market_pool_t;

static market_pool_t market[POOLS];
static sf_rng_t rng;
static uint64_t slot = 100;

static struct {
  sf_producer_t * producer;
  sf_message_t * slot; /* written and not yet published */
  uint16_t length;
} raw;

static double uniform( void ) { return (double)( sf_rng_next( &rng ) >> 11 ) * 0x1p-53; }

/* Token 0 is WSOL, 1 a dollar: 12 pools between them, 588 of WSOL, 250 of the dollar, 150 of others. */
static void market_make( void ) {
  double value[TOKENS];
  for( uint32_t t = 0; t < TOKENS; t++ ) value[t] = t ? exp( 8 * uniform() - 4 ) : 1;
  for( uint32_t p = 0; p < POOLS; p++ ) {
    uint32_t a = p < 600 ? 0 : p < 850 ? 1 : 2 + (uint32_t)sf_rng_below( &rng, TOKENS - 2 ), b = 1;
    if( p >= 12 ) do
        b = 2 + (uint32_t)sf_rng_below( &rng, TOKENS - 2 );
      while( b == a );
    double depth = exp( 4 * uniform() + 27 ); /* 500 to 29,000 SOL a side */
    market[p]    = ( market_pool_t ){ { a, b },
                                      { (uint64_t)( depth / value[a] * ( 1 + 0.0004 * uniform() ) ),
                                        (uint64_t)( depth / value[b] * ( 1 + 0.0004 * uniform() ) ) } };
  }
}

/* -- the rig ---------------------------------------------------------------- */

static char key_dir[32];
static char key_path[64];

static void key_make( char * wallet ) {
  uint8_t public[32], secret[64];
  DO( sodium_init() );
  crypto_sign_keypair( public, secret );
  sf_pubkey_encode( public, wallet );
  strcpy( key_dir, "/tmp/sf-bench-tick-XXXXXX" );
  if( !mkdtemp( key_dir ) ) exit( 1 );
  snprintf( key_path, sizeof( key_path ), "%s/key.json", key_dir );
  FILE * file = fopen( key_path, "w" );
  if( !file || fchmod( fileno( file ), 0600 ) ) exit( 1 );
  for( int i = 0; i < 64; i++ ) fprintf( file, "%c%u", i ? ',' : '[', secret[i] );
  fprintf( file, "]\n" );
  fclose( file );
}

static void key_remove( void ) {
  unlink( key_path );
  rmdir( key_dir );
}

static void link_add( char const * name, char const * producer, uint32_t depth, uint32_t slot_bytes,
                      char const * consumers ) {
  char list[64], *rest = list;
  sf_rig_link( rig, name, producer, depth, slot_bytes );
  snprintf( list, sizeof( list ), "%s", consumers );
  for( char * c; ( c = strsep( &rest, " " ) ); ) sf_rig_edge( rig, name, strcmp( c, "rig" ) ? c : 0, 1 );
}

#define AHEAD 2 /* of with_sign: rungs are signed ahead */

static void rig_open( int with_sign ) {
  char arb[512], wallet[SF_PUBKEY_TEXT_MAX], build[512], sign[512];
  key_make( wallet );
  snprintf( build, sizeof( build ), BUILD_PARAMS "wallet=%s\nladder=%d\n", wallet, with_sign == AHEAD );
  snprintf( sign, sizeof( sign ),
            "key_path=%s\nmax_amount_lamports=100000000000\nmax_fee_lamports=2000000\nmax_tip_lamports=0\n"
            "max_signatures_per_second=1000000\nprograms=CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\n"
            "tip_accounts=\nladder=%d\n",
            key_path, with_sign == AHEAD );
  DO( sf_rig_new( &rig ) );
  bench_delay_add( rig );
  DO( sf_rig_huge_pages( rig ) );
  sf_rig_tile( rig, "book", "book", "slots_per_epoch=432000\n" );
  snprintf( arb, sizeof( arb ), BOT_PARAMS "ladder_loss_bps=%d\n", with_sign == AHEAD ? 1000 : 0 );
  sf_rig_tile( rig, "arb", "arb", arb );
  sf_rig_tile( rig, "risk", "risk", RISK_PARAMS RISK_LIMITS );
  if( with_sign ) {
    sf_rig_tile( rig, "build", "build", build );
    sf_rig_tile( rig, "sign", "sign", sign );
  }
  sf_rig_burst( rig, "book", 64 );
  link_add( "raw", 0, 512, 10432, "book" );
  link_add( "market", "book", 1024, 3776, "arb rig" );
  link_add( "denied", "risk", 1024, 64, "arb rig" );
  link_add( "fill", 0, 1024, 256, "arb risk" );
  link_add( "intent.arb", "arb", 1024, 320, "risk rig" );
  link_add( "order", "risk", 1024, 320, with_sign ? "build sign rig" : "rig" );
  if( with_sign ) {
    link_add( "message", "build", 256, 1344, "sign rig" );
    link_add( "refused", "build", 256, 64, "rig" );
    link_add( "wire", "sign", 256, 1344, "rig" );
  }
  sf_rig_table( rig, "pools", "book", sizeof( sf_pool_row_t ), 4096 );
  sf_rig_table( rig, "tokens", "book", sizeof( sf_token_row_t ), 1024 );
  sf_rig_table( rig, "chain", 0, sizeof( sf_chain_row_t ), 1 );
  risk_tables( 1024 );
  DO( sf_rig_start( rig ) );
  chain_write( 1000 * SOL );
}

/* Writes an account into the next slot of raw, where nobody sees it before raw_publish. */
static void raw_write( fixture_account_t const * a ) {
  sf_producer_t * p = sf_rig_producer( rig, "raw" );
  raw.producer      = p;
  raw.length        = fixture_length( a );
  raw.slot          = p ? sf_link_claim( p ) : 0;
  if( !raw.slot ) bench_die();
  memcpy( raw.slot + 1, a, raw.length );
}

static void raw_publish( uint64_t t_origin, uint64_t t_pub ) {
  sf_link_publish( raw.producer, raw.slot, SF_MSG_ACCOUNT, raw.length, 0, t_origin, t_pub );
}

static void raw_send( fixture_account_t const * a ) {
  raw_write( a );
  uint64_t now = sf_clock_ns();
  raw_publish( now, now );
}

static void market_read( void ) {
  static fixture_account_t a;
  for( uint32_t p = 0; p < POOLS; p++ ) {
    fixture_pool( &a, p, market[p].token[0], market[p].token[1], slot, SF_RAW_SNAPSHOT );
    raw_send( &a );
    DO( sf_rig_settle( rig ) );
  }
  fixture_config( &a, 2500, 0, slot, SF_RAW_SNAPSHOT );
  raw_send( &a );
  for( uint32_t p = 0; p < POOLS; p++ ) {
    for( uint32_t side = 0; side < 2; side++ ) {
      fixture_vault( &a, p, side, market[p].token[side], market[p].amount[side], slot, SF_RAW_SNAPSHOT );
      raw_send( &a );
    }
    DO( sf_rig_settle( rig ) );
  }
  for( uint32_t t = 0; t < TOKENS; t++ ) {
    fixture_mint( &a, t, slot, SF_RAW_SNAPSHOT );
    raw_send( &a );
    DO( sf_rig_settle( rig ) );
    while( take( "market", 0 ) ) {}
  }
  sf_balance_t balance = { .token = 0, .amount = 100 * SOL };
  sf_table_t * tokens  = sf_rig_table_of( rig, "tokens" );
  for( uint32_t t = 0; t < TOKENS; t++ ) {
    sf_token_row_t row;
    if( !sf_table_read( tokens, t, &row ) && !memcmp( row.mint, sf_mint_wrapped_sol, 32 ) ) balance.token = t;
  }
  DO( sf_rig_inject( rig, "fill", SF_MSG_BALANCE, 0, 0, &balance, sizeof( balance ) ) );
  DO( sf_rig_settle( rig ) );
}

/* A change of pool p to these amounts: two accounts now, the third is left to the caller. */
static void swap_sent( uint32_t p, double factor, fixture_account_t * third ) {
  static fixture_account_t a;
  uint64_t x = (uint64_t)( (double)market[p].amount[0] * factor ),
           y = (uint64_t)( (double)market[p].amount[1] / factor );
  slot++;
  fixture_pool( &a, p, market[p].token[0], market[p].token[1], slot, 0 );
  raw_send( &a );
  fixture_vault( &a, p, 0, market[p].token[0], x, slot, 0 );
  raw_send( &a );
  fixture_vault( third, p, 1, market[p].token[1], y, slot, 0 );
}

static void swap_begin( uint32_t p, double factor, fixture_account_t * third ) {
  swap_sent( p, factor, third );
  DO( sf_rig_settle( rig ) );
}

/* When the message of this kind was published; 0 if there is none. */
static uint64_t published( char const * link, uint16_t kind ) { return take( link, kind ) ? got.m.t_pub : 0; }

static void ticks( uint64_t wanted, int with_sign ) {
  static uint64_t stage[6][TICKS_MAX], to_order[TICKS_MAX], to_signed[TICKS_MAX], quiet[TICKS_MAX];
  uint64_t cnt = 0, tried = 0;
  fixture_account_t third;
  for( ; tried < 2 * wanted && cnt < wanted; tried++ ) {
    uint32_t p    = (uint32_t)sf_rng_below( &rng, POOLS );
    double factor = sf_rng_below( &rng, 2 ) ? 1.015 : 1 / 1.015;
    sf_order_t order;
    uint64_t t[6] = { 0 }; /* bytes, market, intent, order, message, wire */
    swap_begin( p, factor, &third );
    raw_send( &third );
    for( uint32_t turn = 0; turn < 2; turn++ ) DO( sf_rig_step( rig ) );
    t[1] = published( "market", SF_MSG_POOL );
    t[0] = got.m.t_origin;
    t[2] = published( "intent.arb", SF_MSG_INTENT );
    t[3] = published( "order", SF_MSG_ORDER );
    memcpy( &order, got.payload, sizeof( order ) );
    if( with_sign && t[3] ) {
      t[4] = published( "message", SF_MSG_TX );
      t[5] = published( "wire", SF_MSG_WIRE );
    }
    if( t[with_sign ? 5 : 3] ) {
      for( uint32_t s = 1; s < 6; s++ ) stage[s][cnt] = t[s] - t[s - 1];
      to_order[cnt]  = t[3] - t[0];
      to_signed[cnt] = t[5] - t[0];
      cnt++;
    }
    /* back to where it was: a change that opens no gap */
    swap_begin( p, 1, &third );
    raw_send( &third );
    uint64_t start = sf_clock_ns();
    DO( sf_rig_step( rig ) );
    quiet[tried] = sf_clock_ns() - start;
    DO( sf_rig_settle( rig ) );
    if( t[3] ) expire( &order );
    char const * all[] = { "market", "intent.arb", "denied", "order", "message", "wire", "refused" };
    for( uint32_t l = 0; l < ( with_sign ? 7 : 4 ); l++ ) take( all[l], 0 );
  }
  if( cnt < 100 ) {
    fprintf( stderr, "tick: only %lu of %lu changes became orders\n", cnt, tried );
    exit( 1 );
  }
  if( with_sign ) {
    bench_samples_report( "build", stage[4], cnt );
    bench_samples_report( "sign", stage[5], cnt );
    bench_samples_report( "tick_to_signed", to_signed, cnt );
    return;
  }
  bench_samples_report( "book", stage[1], cnt );
  bench_samples_report( "arb", stage[2], cnt );
  bench_samples_report( "risk", stage[3], cnt );
  bench_samples_report( "tick_to_order", to_order, cnt );
  bench_samples_report( "quiet_turn", quiet, tried );
}

/* Another blockhash, far from the last one in time; then until no rung is to be signed any more. */
static void rungs_wait( uint64_t blockhash ) {
  if( blockhash ) {
    sf_chain_row_t chain;
    DO( sf_table_read( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
    memcpy( chain.blockhash, &blockhash, 8 );
    chain.blockhash_ns += 11000000000UL;
    DO( sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
    sf_rig_house( rig );
  }
  for( uint64_t last = sf_clock_ns(); sf_clock_ns() < last + 50000; ) {
    DO( sf_rig_settle( rig ) );
    if( take( "message", SF_MSG_AHEAD ) ) last = sf_clock_ns();
  }
}

static void ticks_ahead( uint64_t wanted ) {
  static uint64_t build[TICKS_MAX], sign[TICKS_MAX], to_signed[TICKS_MAX];
  uint64_t cnt = 0, tried = 0;
  fixture_account_t third;
  for( ; tried < 4 * wanted && cnt < wanted; tried++ ) {
    uint32_t p    = 12 + (uint32_t)sf_rng_below( &rng, HOT_POOLS );
    double factor = sf_rng_below( &rng, 2 ) ? 1.015 : 1 / 1.015;
    sf_order_t order;
    rungs_wait( tried % 100 ? 0 : 1 + tried );
    swap_begin( p, factor, &third );
    raw_send( &third );
    for( uint32_t turn = 0; turn < 2; turn++ ) DO( sf_rig_step( rig ) );
    published( "market", SF_MSG_POOL );
    uint64_t start = got.m.t_origin, ordered = published( "order", SF_MSG_ORDER );
    memcpy( &order, got.payload, sizeof( order ) );
    uint64_t named = ordered ? published( "message", SF_MSG_RUNG ) : 0, out = published( "wire", SF_MSG_WIRE );
    if( named && out ) {
      build[cnt]       = named - ordered;
      sign[cnt]        = out - named;
      to_signed[cnt++] = out - start;
    }
    swap_begin( p, 1, &third );
    raw_send( &third );
    DO( sf_rig_settle( rig ) );
    if( ordered ) expire( &order );
    char const * all[] = { "market", "intent.arb", "denied", "order", "message", "wire", "refused" };
    for( uint32_t l = 0; l < 7; l++ ) take( all[l], 0 );
  }
  if( cnt < 100 ) {
    fprintf( stderr, "tick: only %lu of %lu changes became orders that were signed ahead\n", cnt, tried );
    exit( 1 );
  }
  bench_samples_report( "ladder_build", build, cnt );
  bench_samples_report( "ladder_sign", sign, cnt );
  bench_samples_report( "tick_to_signed_ladder", to_signed, cnt );
}

/* -- steady ------------------------------------------------------------------- */

/* Takes all that was published; an order's time goes into h, and the order expires. */
static void steady_take( bench_hist_t * h, int with_sign ) {
  if( with_sign )
    while( take( "wire", SF_MSG_WIRE ) )
      if( h ) bench_hist_add( h, got.m.t_pub - got.m.t_origin );
  while( take( "order", SF_MSG_ORDER ) ) {
    sf_order_t order;
    memcpy( &order, got.payload, sizeof( order ) );
    if( h && !with_sign ) bench_hist_add( h, got.m.t_pub - got.m.t_origin );
    expire( &order );
  }
  char const * rest[] = { "market", "intent.arb", "denied", "message", "refused" };
  for( uint32_t l = 0; l < ( with_sign ? 5 : 3 ); l++ ) take( rest[l], 0 );
}

static void steady_floor( double per_second, double seconds, bench_hist_t * h ) {
  bench_schedule_t s = bench_schedule( per_second, seconds, 0 );
  while( s.next < s.events ) {
    uint64_t intended;
    while( !bench_schedule_due( &s, &intended ) ) sf_pause();
    bench_hist_add( h, (uint64_t)bench_ns( bench_ticks() - intended ) );
  }
}

static void steady( bench_schedule_t s, int with_sign ) {
  static bench_hist_t h;
  bench_hist_clear( &h );
  if( s.at ) s.start = bench_ticks() + (uint64_t)( 1e6 / bench_clock.ns_per_tick );
  fixture_account_t third;
  uint32_t moved = POOLS; /* a pool that goes back with the next event */
  while( s.next < s.events ) {
    uint32_t p    = moved < POOLS ? moved : (uint32_t)sf_rng_below( &rng, POOLS );
    int gap       = moved == POOLS && s.next % GAP_EVERY == 0;
    double factor = gap ? ( sf_rng_below( &rng, 2 ) ? 1.015 : 1 / 1.015 ) : 1 + 0.0002 * ( uniform() - .5 );
    moved         = gap ? p : POOLS;
    swap_sent( p, factor, &third );
    DO( sf_rig_step( rig ) );
    /* written and worked out now, and not between the change and its order */
    raw_write( &third );
    uint64_t before = bench_ticks(), now = sf_clock_ns(), after = bench_ticks(), intended;
    double ahead      = bench_ns( bench_schedule_at( &s ) ) - bench_ns( before + ( after - before ) / 2 );
    uint64_t t_origin = (uint64_t)( (double)now + ahead );
    while( !bench_schedule_due( &s, &intended ) ) DO( sf_rig_step( rig ) );
    raw_publish( t_origin, t_origin + (uint64_t)bench_ns( s.last_tsc - intended ) );
    DO( sf_rig_step( rig ) );
    steady_take( s.next > s.warm_up ? &h : 0, with_sign );
  }
  printf( "{\"what\":\"steady\",\"case\":\"%s_to_%s\",", s.at ? "burst" : "steady", with_sign ? "signed" : "order" );
  bench_schedule_fields( &s );
  printf( "," );
  bench_hist_fields( &h, "ns" );
  printf( "}\n" );
  fflush( stdout );
}

/* -- alone ------------------------------------------------------------------ */

static void update_of( fixture_update_t * out, uint32_t p, double factor ) {
  fixture_update( out, p, market[p].token[0], market[p].token[1], (uint64_t)( (double)market[p].amount[0] * factor ),
                  (uint64_t)( (double)market[p].amount[1] / factor ), 2500 );
}

static void search_alone( void ) {
  static uint64_t ns[TICKS_MAX];
  sf_cycles_t c;
  sf_cycle_list_t list;
  DO( sf_cycles_open( &c, POOLS, TOKENS, 3, 0, 10 * SOL ) );
  sf_cycles_base( &c, 0 );
  for( uint32_t p = 0; p < POOLS; p++ ) {
    fixture_update_t one;
    update_of( &one, p, 1 );
    DO( sf_cycles_update( &c, &one.u, 0 ) );
  }
  sf_cycles_search( &c, 0, &list );
  fixture_update_t * f = calloc( TICKS_MAX, sizeof( *f ) );
  for( uint32_t i = 0; i < TICKS_MAX; i++ )
    update_of( &f[i], (uint32_t)sf_rng_below( &rng, POOLS ), 1 + 0.0002 * ( uniform() - .5 ) );
  uint64_t chunk[CHUNKS], start;
  for( uint32_t k = 0; k < CHUNKS; k++ ) {
    start = sf_clock_ns();
    for( uint32_t i = k * ( TICKS_MAX / CHUNKS ); i < ( k + 1 ) * ( TICKS_MAX / CHUNKS ); i++ ) {
      sf_cycles_update( &c, &f[i].u, 0 );
      sf_cycles_search( &c, f[i].u.pool, &list );
    }
    chunk[k] = sf_clock_ns() - start;
  }
  bench_chunks_report( "quiet_search", chunk, CHUNKS, TICKS_MAX / CHUNKS );
  for( uint32_t i = 0; i < TICKS_MAX; i++ ) {
    start = sf_clock_ns();
    sf_cycles_update( &c, &f[i].u, 0 );
    sf_cycles_search( &c, f[i].u.pool, &list );
    ns[i] = sf_clock_ns() - start;
  }
  bench_samples_report( "quiet_search_clocked", ns, TICKS_MAX );
  free( f );
  sf_cycles_close( &c );
}

static void gate_alone( void ) {
  sf_risk_t * r            = calloc( 1, sizeof( *r ) );
  r->limit                 = ( sf_limit_row_t ){ .max_order_lamports        = 10 * SOL,
                                                 .max_open_lamports         = 100 * SOL,
                                                 .max_open_orders           = 64,
                                                 .max_orders_per_second     = SOL,
                                                 .max_daily_loss_lamports   = INT64_MAX,
                                                 .max_tip_lamports          = SOL,
                                                 .max_priority_fee_lamports = SOL,
                                                 .max_daily_fee_lamports    = INT64_MAX,
                                                 .collar_bps                = 50,
                                                 .max_data_age_ns           = SOL };
  r->supervisor_timeout_ns = SOL;
  memcpy( r->base_mint, sf_mint_wrapped_sol, 32 );
  strcpy( r->bot[BOT].name, "arb" );
  sf_risk_init( r, 1, 0, 0 );
  uint8_t other[32] = { 9 };
  sf_risk_token( r, sf_mint_wrapped_sol );
  sf_risk_token( r, other );
  r->position[0].balance = (int64_t)( 100 * SOL );
  sf_risk_view_t v = { .trading = 1, .wallet_lamports = 100 * SOL, .order_credit = 1, .length = sizeof( sf_intent_t ) };
  sf_intent_t intent = { .bot                     = BOT,
                         .kind                    = SF_INTENT_CYCLE,
                         .hop_cnt                 = 3,
                         .amount_in               = SOL,
                         .cu_limit                = 240000,
                         .cu_price_micro_lamports = 1000 };
  fixture_update_t pools[3];
  uint64_t amount = SOL;
  for( uint32_t h = 0; h < 3; h++ ) {
    sf_quote_t q;
    fixture_update( &pools[h], h, h, ( h + 1 ) % 3, 1000 * SOL, 1020 * SOL, 2500 );
    v.pool[h]       = &pools[h].u;
    v.pool_state[h] = SF_RISK_POOL_GOOD;
    sf_pool_quote_in( &pools[h].u, 1, amount, &q );
    intent.hop[h] = ( sf_hop_t ){
      .pool = h, .venue = SF_VENUE_RAYDIUM_CPMM, .a_to_b = 1, .amount_in = amount, .min_out = q.amount_out
    };
    amount = q.amount_out;
  }
  intent.min_out = amount;
  uint64_t order;
  sf_denied_t denied;
  uint64_t chunk[CHUNKS];
  for( uint32_t k = 0; k < CHUNKS; k++ ) {
    uint64_t start = sf_clock_ns();
    for( uint32_t i = 0; i < 10000; i++ ) {
      intent.intent++;
      v.now_ns = v.t_origin = intent.intent * 100;
      if( sf_risk_gate( r, &intent, &v, &order, &denied ) ) {
        fprintf( stderr, "tick: the gate denied: %u have %lu allowed %lu\n", denied.reason, denied.have,
                 denied.allowed );
        exit( 1 );
      }
      sf_fill_t fill = { .order = order, .bot = BOT, .outcome = SF_FILL_EXPIRED };
      sf_risk_fill( r, &fill, 0 );
    }
    chunk[k] = sf_clock_ns() - start;
  }
  bench_chunks_report( "risk_gate", chunk, CHUNKS, 10000 );
  free( r );
}

static void quote_alone( void ) {
  static fixture_update_t f[1024];
  static uint64_t amount[1024];
  for( uint32_t i = 0; i < 1024; i++ ) {
    update_of( &f[i], (uint32_t)sf_rng_below( &rng, POOLS ), 1 );
    amount[i] = 1 + sf_rng_below( &rng, SOL );
  }
  uint64_t chunk[CHUNKS], sum = 0;
  for( uint32_t k = 0; k < CHUNKS; k++ ) {
    uint64_t start = sf_clock_ns();
    for( uint32_t n = 0; n < 10; n++ )
      for( uint32_t i = 0; i < 1024; i++ ) {
        sf_quote_t q;
        sf_raydium_cpmm_quote_in( &f[i].s, i & 1, amount[i], 0, &q );
        sum += q.amount_out;
      }
    chunk[k] = sf_clock_ns() - start;
  }
  if( sum ) bench_chunks_report( "quote", chunk, CHUNKS, 10240 );
}

/* Bursts: events at the times in a file of u64 nanoseconds, the first tenth of them not counted. */
static int bursts( char const * path ) {
  FILE * file = fopen( path, "r" );
  struct stat about;
  if( !file || fstat( fileno( file ), &about ) || about.st_size < 800 ) {
    fprintf( stderr, "tick: %s is no file of times\n", path );
    return 1;
  }
  uint64_t cnt = (uint64_t)about.st_size / 8, *at = malloc( cnt * 8 );
  if( !at || fread( at, 8, cnt, file ) != cnt ) return 1;
  fclose( file );
  for( uint64_t i = 0; i < cnt; i++ ) at[i] = (uint64_t)( (double)at[i] / bench_clock.ns_per_tick );
  bench_schedule_t s = { .at = at, .events = cnt, .warm_up = cnt / 10, .interval = (double)at[cnt - 1] / (double)cnt };
  for( int with_sign = 0; with_sign < 2; with_sign++ ) {
    rig_open( with_sign );
    market_read();
    steady( s, with_sign );
    sf_rig_close( rig );
    key_remove();
  }
  bench_clock_report();
  free( at );
  return 0;
}

static int control( uint64_t wanted, uint16_t core ) {
  rig_open( 0 );
  market_read();
  DO( sf_cpu_pin( core ) );
  ticks( wanted, 0 );
  sf_rig_close( rig );
  key_remove();
  bench_clock_report();
  return 0;
}

int main( int argc, char ** argv ) {
  uint64_t wanted = argc > 1 ? strtoull( argv[1], 0, 10 ) : 5000;
  double seconds  = argc > 2 ? atof( argv[2] ) : 2;
  if( wanted < 200 || wanted > TICKS_MAX / 2 ) {
    fprintf( stderr, "tick: %s ticks; use 200 to %u\n", argv[1], TICKS_MAX / 2 );
    return 1;
  }
  bench_pin();
  bench_clock_open();
  sf_rng_seed( &rng, 1 );
  market_make();
  if( argc > 3 && !strcmp( argv[2], "--control" ) ) return control( wanted, (uint16_t)atoi( argv[3] ) );
  if( argc > 3 ) return bursts( argv[3] );
  quote_alone();
  gate_alone();
  search_alone();
  for( int with_sign = 0; with_sign < 2; with_sign++ ) {
    rig_open( with_sign );
    market_read();
    ticks( wanted, with_sign );
    if( seconds > 0 ) {
      static bench_hist_t idle;
      if( !with_sign ) steady_floor( STEADY_RATE, seconds / 4, &idle );
      steady( bench_schedule( STEADY_RATE, seconds, WARM_UP ), with_sign );
      if( !with_sign ) steady_floor( STEADY_RATE, seconds / 4, &idle );
      if( !with_sign ) bench_hist_report( "steady_floor", &idle, "ns" );
    }
    sf_rig_close( rig );
    key_remove();
  }
  rig_open( AHEAD );
  market_read();
  ticks_ahead( wanted );
  sf_rig_close( rig );
  key_remove();
  bench_clock_report();
  return 0;
}
