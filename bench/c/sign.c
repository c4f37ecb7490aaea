/* bench sign: from an order to signed bytes, part by part.

     build/release/bench/c/sign [ORDERS [CHUNKS]]      JSON lines on stdout

   libsodium_200, _700   crypto_sign_detached of a message of so many bytes
   signer_200, _700      the signer's, which gives the same bytes
   ready_200, _700       the signer's with a nonce made ahead (solana/nonces.h; the pool is forced here), in turns with both
   build, sign           the tiles over routes of one to three CPMM pools, one group in this thread: the order's time
                         of publication to the message's, to the transaction's; order_to_signed is both
   nonce_sign, nonce_order_to_signed   the same where the signer has nonces made ahead
   ladder_build, ladder_sign, ladder_order_to_signed   the same where the order is a rung that was signed ahead
   built_chunk           an order, where orders wait in line: build's tile and both its links
   signed_chunk          the same of build and sign: a transaction on one core */

#include <math.h>

#include "../../tests/c/order_fixture.h"
#include "rig.h"
#include "solana/signer.h"
#include "trade/ladder.h"

#define ROUTES     64
#define BATCH      64
#define BATCHES    8 /* of a chunk */
#define CHUNKS_MAX 1000
#define ORDERS_MAX 200000
#define NONCES     64

typedef enum { ON_THE_SPOT, WITH_LADDER, WITH_NONCES } tiles_mode_t;

static fixture_t fixture;
static uint64_t number; /* of the last order */

/* -- signatures alone ---------------------------------------------------------- */

static void signatures( uint32_t cnt, uint32_t bytes, char const * libsodium, char const * signer,
                        char const * ready ) {
  static uint64_t a[ORDERS_MAX], b[ORDERS_MAX], c[ORDERS_MAX];
  uint8_t message[1232], one[64], other[64];
  sf_nonces_t * nonces;
  sf_signer_t s;
  CHECK( !sf_signer_open( &s, fixture.key_path, -1 ) );
  CHECK( !sf_nonces_open( &nonces, NONCES, 1 ) );
  randombytes_buf( message, sizeof( message ) );
  for( uint32_t i = 0; i < cnt; i++ ) {
    memcpy( message, &i, 4 );
    uint64_t t0 = bench_ticks();
    crypto_sign_detached( one, NULL, message, bytes, fixture.secret );
    uint64_t t1 = bench_ticks();
    sf_signer_sign( &s, other, message, bytes );
    uint64_t t2 = bench_ticks();
    a[i]        = (uint64_t)bench_ns( t1 - t0 );
    b[i]        = (uint64_t)bench_ns( t2 - t1 );
    CHECK( !memcmp( one, other, 64 ) );
    uint64_t t3, t4;
    int is_ready = 0;
    while( !is_ready ) { /* once, but for pauses of this thread that drop the nonce */
      sf_signer_make_nonce( &s, nonces );
      t3       = bench_ticks();
      is_ready = sf_signer_sign_ready( &s, nonces, other, message, bytes );
      t4       = bench_ticks();
    }
    c[i] = (uint64_t)bench_ns( t4 - t3 );
    if( i % 64 == 0 ) CHECK( !crypto_sign_verify_detached( other, message, bytes, s.public_key ) );
  }
  bench_samples_report( libsodium, a, cnt );
  bench_samples_report( signer, b, cnt );
  bench_samples_report( ready, c, cnt );
  sf_nonces_close( nonces );
  sf_signer_close( &s );
}

/* -- the tiles ----------------------------------------------------------------- */

static sf_rig_t * rig_make( int with_sign, tiles_mode_t mode ) {
  int ladder = mode == WITH_LADDER;
  char build[512], sign[1024];
  sf_rig_t * rig;
  snprintf( build, sizeof( build ),
            "wallet=%s\ncu_limit_base=%u\ncu_limit_per_hop=%u\ncu_price_micro_lamports=0\nmax_blockhash_age_ms=150000\n"
            "tip_account=%s\nladder=%d\n",
            fixture.wallet_text, LIMIT_BASE, LIMIT_HOP, fixture.tip_text, ladder );
  snprintf(
      sign, sizeof( sign ),
      "key_path=%s\nmax_amount_lamports=1000000000000\nmax_fee_lamports=2000000\nmax_tip_lamports=10000\n"
      "max_signatures_per_second=1000000\nprograms=CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\ntip_accounts=%s\n"
      "ladder=%d\nnonce_pool=%u\nnonce_pool_force=1\n",
      fixture.key_path, fixture.tip_text, ladder, mode == WITH_NONCES ? NONCES : 0 );
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "build", "build", build );
  if( with_sign ) sf_rig_tile( rig, "sign", "sign", sign );
  sf_rig_burst( rig, "build", BATCH );
  sf_rig_link( rig, "order", NULL, 1024, 320 );
  sf_rig_edge( rig, "order", "build", 1 );
  if( with_sign ) sf_rig_edge( rig, "order", "sign", 1 );
  sf_rig_link( rig, "message", "build", 256, 1344 );
  if( with_sign ) sf_rig_edge( rig, "message", "sign", 1 );
  sf_rig_edge( rig, "message", NULL, 1 );
  sf_rig_link( rig, "refused", "build", 256, 64 );
  if( with_sign ) sf_rig_link( rig, "wire", "sign", 256, 1344 );
  sf_rig_table( rig, "pools", NULL, sizeof( sf_pool_row_t ), 4096 );
  sf_rig_table( rig, "chain", NULL, sizeof( sf_chain_row_t ), 1 );
  CHECK( !sf_rig_start( rig ) );
  sf_chain_row_t chain;
  chain_make( &chain );
  pools_write( rig );
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
  return rig;
}

/* An order over one of the routes, its hops side by side in a ring of pools. */
static void order_next( sf_order_t * order, uint32_t route ) {
  uint32_t pool[3] = { 10 + 4 * route, 11 + 4 * route, 12 + 4 * route };
  number++;
  order_make( order, ORDER( number ), 1 + route % 3, pool, 1000000 + number % 1000 );
}

typedef struct read_back {
  sf_message_t head;
  uint8_t payload[sizeof( sf_wire_t )];
} read_back_t;

/* The next message of a link, which must be of this kind. */
static uint64_t published( sf_rig_t * rig, char const * link, uint32_t kind, read_back_t * got ) {
  CHECK( sf_rig_read( rig, link, got, sizeof( *got ) ) == 1 && got->head.kind == kind );
  return got->head.t_pub;
}

/* Steps until no rung is to be built or signed any more, and no nonce to be made. */
static void ahead_finish( sf_rig_t * rig ) {
  read_back_t got;
  for( uint64_t last = sf_clock_ns(); sf_clock_ns() < last + 50000; ) {
    CHECK( sf_rig_settle( rig ) >= 0 );
    while( sf_rig_read( rig, "message", &got, sizeof( got ) ) == 1 ) last = sf_clock_ns();
  }
}

/* One order after the other; only those count that are rungs with a ladder, that found a nonce with nonces. */
static void stages( uint32_t cnt, tiles_mode_t mode ) {
  static char const * const name[3][3] = { { "build", "sign", "order_to_signed" },
                                           { "ladder_build", "ladder_sign", "ladder_order_to_signed" },
                                           { NULL, "nonce_sign", "nonce_order_to_signed" } };
  static uint64_t build[ORDERS_MAX], sign[ORDERS_MAX], both[ORDERS_MAX];
  static sf_order_t made[ROUTES];
  int ladder      = mode == WITH_LADDER;
  uint32_t routes = ladder ? SF_LADDER_ROUTES : ROUTES, kept = 0;
  uint64_t hits  = 0;
  sf_rig_t * rig = rig_make( 1, mode );
  read_back_t got;
  for( uint32_t route = 0; route < routes; route++ ) order_next( &made[route], route );
  for( uint32_t i = 0; kept < cnt; i++ ) {
    sf_order_t * order = &made[i < 2 * routes ? i % routes : randombytes_uniform( routes )];
    order->order       = ORDER( ++number );
    if( ladder && i % 500 == 0 ) {
      sf_chain_row_t chain;
      chain_make( &chain );
      fake_key( "blockhash", i, chain.blockhash );
      chain.blockhash_ns += i * 1000000000ul;
      CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
      sf_rig_house( rig );
    }
    if( mode != ON_THE_SPOT ) ahead_finish( rig );
    CHECK( !sf_rig_inject( rig, "order", SF_MSG_ORDER, 3, 12345, order, sizeof( *order ) ) );
    uint64_t t0 = sf_clock_ns();
    CHECK( sf_rig_step( rig ) > 0 );
    CHECK( sf_rig_read( rig, "message", &got, sizeof( got ) ) == 1 );
    uint64_t t1  = got.head.t_pub;
    int is_rung  = got.head.kind == SF_MSG_RUNG;
    uint64_t t2  = published( rig, "wire", SF_MSG_WIRE, &got );
    uint64_t was = hits;
    hits         = sf_rig_counter( rig, "sign", "nonce_hits" );
    if( i < 2 * routes || is_rung != ladder || ( hits > was ) != ( mode == WITH_NONCES ) ) continue;
    build[kept]  = t1 - t0;
    sign[kept]   = t2 - t1;
    both[kept++] = t2 - t0;
  }
  uint64_t const * part[3] = { build, sign, both };
  for( uint32_t k = 0; k < 3; k++ )
    if( name[mode][k] ) bench_samples_report( name[mode][k], part[k], cnt );
  sf_rig_close( rig );
}

/* Orders that wait in line, a batch at a time; what is injected and read back is not counted. */
static void in_line( uint32_t chunks, int with_sign ) {
  static uint64_t ns[CHUNKS_MAX];
  static sf_order_t made[ROUTES];
  sf_rig_t * rig = rig_make( with_sign, ON_THE_SPOT );
  read_back_t got;
  for( uint32_t route = 0; route < ROUTES; route++ ) order_next( &made[route], route );
  for( uint32_t k = 0; k < chunks + 2; k++ ) {
    uint64_t sum = 0;
    for( uint32_t n = 0; n < BATCHES; n++ ) {
      for( uint32_t i = 0; i < BATCH; i++ ) {
        made[i].order = ORDER( ++number );
        CHECK( !sf_rig_inject( rig, "order", SF_MSG_ORDER, 3, 12345, &made[i], sizeof( made[i] ) ) );
      }
      uint64_t start = sf_clock_ns();
      CHECK( sf_rig_settle( rig ) >= 0 );
      sum += sf_clock_ns() - start;
      for( uint32_t i = 0; i < BATCH; i++ ) published( rig, "message", SF_MSG_TX, &got );
      for( uint32_t i = 0; i < BATCH && with_sign; i++ ) published( rig, "wire", SF_MSG_WIRE, &got );
    }
    if( k >= 2 ) ns[k - 2] = sum;
  }
  bench_chunks_report( with_sign ? "signed_chunk" : "built_chunk", ns, chunks, BATCH * BATCHES );
  sf_rig_close( rig );
}

int main( int argc, char ** argv ) {
  uint64_t orders = argc > 1 ? strtoull( argv[1], 0, 10 ) : 5000;
  uint64_t chunks = argc > 2 ? strtoull( argv[2], 0, 10 ) : 100;
  if( orders < 100 || orders > ORDERS_MAX || !chunks || chunks > CHUNKS_MAX ) {
    fprintf( stderr, "sign: use 100 to %u orders, 1 to %u chunks\n", ORDERS_MAX, CHUNKS_MAX );
    return 1;
  }
  bench_pin();
  bench_clock_open();
  fixture_open( &fixture );
  signatures( (uint32_t)orders, 200, "libsodium_200", "signer_200", "ready_200" );
  signatures( (uint32_t)orders, 700, "libsodium_700", "signer_700", "ready_700" );
  for( int mode = ON_THE_SPOT; mode <= WITH_NONCES; mode++ ) stages( (uint32_t)orders, (tiles_mode_t)mode );
  in_line( (uint32_t)chunks, 0 );
  in_line( (uint32_t)chunks, 1 );
  fixture_close( &fixture );
  bench_clock_report();
  return 0;
}
