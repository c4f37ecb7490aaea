/* The rows of Raydium AMM v4, Meteora DLMM and DAMM v2, PumpSwap and pump.fun over real accounts: a pool is met, priced
   and travels, its curve is what small swaps pay and its limit what passes; every cut and every flipped bit is refused or
   leaves something that can be quoted. */

#include <math.h>

#include "base/rng.h"
#include "check.h"
#include "dex/meteora_damm_v2.h"
#include "dex/meteora_dlmm.h"
#include "dex/pump_fun.h"
#include "dex/pump_swap.h"
#include "dex/raydium_amm_v4.h"
#include "dex/venue.h"
#include "dump.h"
#include "solana/address.h"
#include "solana/program.h"

#define ACCOUNT_MAX 12000
#define DLMM        "accounts/meteora_dlmm/"
#define NOW         1790000000UL
#define SLOT        900000000UL

typedef struct source {
  uint32_t part; /* SF_PART_*, or the number of a shared account behind SF_PART_SHARED_0 */
  char const * file;
} source_t;

typedef struct pool {
  sf_venue_t const * row;
  source_t source[8]; /* the pool first, an end last */
} pool_t;

static pool_t const pools[] = {
  { &sf_raydium_amm_v4_venue,
    { { SF_PART_POOL, "accounts/raydium_amm_v4/sol_usdc/amm_id.json" },
      { SF_PART_VAULT_A, "accounts/raydium_amm_v4/sol_usdc/amm_coin_vault.json" },
      { SF_PART_VAULT_B, "accounts/raydium_amm_v4/sol_usdc/amm_pc_vault.json" } } },
  { &sf_meteora_dlmm_venue,
    { { SF_PART_POOL, DLMM "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig/lb_pair.json" },
      { SF_PART_OWN, DLMM "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig/bin_array_1.json" },
      { SF_PART_OWN, DLMM "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig/bin_array_2.json" } } },
  { &sf_meteora_dlmm_venue,
    { { SF_PART_POOL, DLMM "B5Eia4cE71tKuEDaqPHucJLG2fxySKyKzLMewd2nUvoc/lb_pair.json" },
      { SF_PART_OWN, DLMM "B5Eia4cE71tKuEDaqPHucJLG2fxySKyKzLMewd2nUvoc/bin_array_1.json" },
      { SF_PART_OWN, DLMM "B5Eia4cE71tKuEDaqPHucJLG2fxySKyKzLMewd2nUvoc/bin_array_2.json" },
      { SF_PART_MINT_A, DLMM "B5Eia4cE71tKuEDaqPHucJLG2fxySKyKzLMewd2nUvoc/token_x_mint.json" } } },
  { &sf_meteora_damm_v2_venue,
    { { SF_PART_POOL, "accounts/meteora_damm_v2/3u2BK3ykdjv1hAeGQwAkZMxjb4otV5yvW7g72uviCaZZ.json" } } },
  { &sf_meteora_damm_v2_venue,
    { { SF_PART_POOL, "accounts/meteora_damm_v2/8Pm2kZpnxD3hoMmt4bjStX2Pw2Z9abpbHzZxMPqxPmie.json" } } },
  { &sf_meteora_damm_v2_venue,
    { { SF_PART_POOL, "accounts/meteora_damm_v2/CGPxT5d1uf9a8cKVJuZaJAU76t2EfLGbTmRbfvLLZp5j.json" } } },
  { &sf_pump_swap_venue,
    { { SF_PART_POOL, "accounts/pump_amm/usdc_sol/pool.json" },
      { SF_PART_VAULT_A, "accounts/pump_amm/usdc_sol/pool_base_token_account.json" },
      { SF_PART_VAULT_B, "accounts/pump_amm/usdc_sol/pool_quote_token_account.json" },
      { SF_PART_SHARED_0, "accounts/pump_amm/usdc_sol/global_config.json" },
      { SF_PART_SHARED_1, "accounts/pump_amm/usdc_sol/fee_config.json" },
      { SF_PART_MINT_A, "" },
      { SF_PART_MINT_B, "" } } },
  { &sf_pump_fun_venue,
    { { SF_PART_POOL, "tx/pump_fun/2024_raw_bondingCurve_from_getAccountInfo.json" },
      { SF_PART_SHARED_0, "accounts/pump_fun/global_2025q1.json" },
      { SF_PART_VAULT_A, "" } } },
  { &sf_pump_fun_venue,
    { { SF_PART_POOL, "tx/pump_fun/2025_raw_bonding_curve_from_getaccountinfo.json" },
      { SF_PART_SHARED_0, "accounts/pump_fun/global_2025q1.json" },
      { SF_PART_VAULT_A, "" } } },
};

static uint8_t pubkey[32];
static uint8_t shared[2][8192] __attribute__( ( aligned( 16 ) ) );
static sf_pool_names_t names;
static sf_rng_t rng;

static uint8_t const * owner_of( pool_t const * p, uint32_t part ) {
  int of_2022 = p->row == &sf_meteora_dlmm_venue && part == SF_PART_MINT_A;
  return of_2022 ? sf_program_token_2022 : sf_program_token;
}

/* The coin that a curve's token account holds: there is no recorded one, nor of PumpSwap's mints. */
static uint8_t const coin[32] = { 7 };

static int part_read( source_t const * source, uint8_t * out ) {
  if( source->file[0] ) return dump_read( source->file, out, ACCOUNT_MAX );
  memset( out, 0, 165 );
  if( source->part == SF_PART_MINT_A || source->part == SF_PART_MINT_B ) {
    out[41] = 1; /* a supply of 2^40, of 6 decimals */
    out[44] = 6;
    out[45] = 1;
    return 82;
  }
  memcpy( out, coin, 32 );
  memcpy( out + 32, pubkey, 32 );
  out[108] = 1;
  return 165;
}

/* The key of a pool, as its accounts say it. */
static void key_make( pool_t const * p ) {
  static uint8_t data[ACCOUNT_MAX];
  uint8_t const * at = 0;
  memset( pubkey, 9, 32 );
  for( source_t const * s = p->source + 1; s->file && !at; s++ ) {
    if( p->row == &sf_pump_fun_venue ) CHECK( !sf_pump_derive( "bonding-curve", coin, sf_pump_fun_program, pubkey ) );
    else if( s->part != SF_PART_SHARED_0 && s->part != SF_PART_MINT_A && s->part != SF_PART_MINT_B ) {
      part_read( s, data );
      at = data + ( s->part == SF_PART_OWN ? 24 : 32 );
    }
  }
  if( at && p->row != &sf_raydium_amm_v4_venue ) memcpy( pubkey, at, 32 );
}

static int part_put( pool_t const * p, void * work, source_t const * s, uint8_t const * data, uint32_t len ) {
  if( s->part >= SF_PART_SHARED_0 ) return p->row->shared_decode( data, len, shared[s->part - SF_PART_SHARED_0] );
  return p->row->decode( work, s->part, owner_of( p, s->part ), data, len, SLOT, 1000 );
}

static int price( pool_t const * p, void * work ) {
  void const * given[2] = { 0, 0 };
  for( source_t const * s = p->source; s->file; s++ )
    if( s->part >= SF_PART_SHARED_0 ) given[s->part - SF_PART_SHARED_0] = shared[s->part - SF_PART_SHARED_0];
  return p->row->price( work, given, SLOT );
}

/* Travels into a block of exactly its size, so that a sanitizer sees every byte too far. */
static void * travelled( pool_t const * p, void const * work, uint32_t * bytes ) {
  static uint8_t room[SF_POOL_STATE_MAX] __attribute__( ( aligned( 64 ) ) );
  *bytes = p->row->travel( work, room );
  CHECK( *bytes && *bytes % 16 == 0 && *bytes <= SF_POOL_STATE_MAX );
  void * state = malloc( *bytes );
  memcpy( state, room, *bytes );
  return state;
}

/* What a state says of itself holds together, whatever bytes it was made of. */
static void say( pool_t const * p, void const * state ) {
  sf_venue_t const * row = p->row;
  uint64_t reserve[2];
  int32_t array[SF_SWAP_ARRAYS];
  row->reserves( state, reserve );
  if( row->open_time ) row->open_time( state );
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    sf_quote_t q;
    sf_curve_t c;
    if( row->arrays ) CHECK( row->arrays( state, a_to_b, array ) <= SF_SWAP_ARRAYS );
    row->curve( state, a_to_b, NOW, &c );
    CHECK( c.rate >= 0 && c.depth >= 0 && c.limit >= 0 && ( c.rate == 0 || c.limit >= 1 ) );
    for( int i = 0; i < 3; i++ ) {
      uint64_t amount = i ? sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ) : UINT64_MAX;
      row->quote_in( state, a_to_b, amount, NOW, &q );
      CHECK( q.status <= SF_QUOTE_EXHAUSTED && ( q.status || q.amount_in <= amount ) );
      uint64_t out = row->out_small ? row->out_small( state, a_to_b, amount, NOW ) : 0;
      CHECK( !out || ( !q.status && q.amount_out == out ) );
      row->quote_out( state, a_to_b, amount, NOW, &q );
      CHECK( q.status <= SF_QUOTE_EXHAUSTED && ( q.status || q.amount_out >= amount ) );
    }
    if( row->disabled && row->disabled( state ) ) {
      row->quote_in( state, a_to_b, 1000000, NOW, &q );
      CHECK( q.status == SF_QUOTE_REFUSED && c.rate == 0 );
    }
  }
}

/* Quotes read no more than quote_bytes of a state. */
static void quote_bytes_check( pool_t const * p, void const * state, uint32_t bytes ) {
  static uint8_t other[SF_POOL_STATE_MAX] __attribute__( ( aligned( 64 ) ) );
  if( !p->row->quote_bytes ) return;
  CHECK( p->row->quote_bytes < bytes );
  for( uint32_t i = 0; i < bytes; i++ )
    other[i] = i < p->row->quote_bytes ? ( (uint8_t const *)state )[i] : (uint8_t)sf_rng_next( &rng );
  for( uint32_t k = 0; k < 200; k++ ) {
    uint64_t amount = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    sf_quote_t a, b;
    p->row->quote_in( state, k & 1, amount, NOW, &a );
    p->row->quote_in( other, k & 1, amount, NOW, &b );
    CHECK( a.status == b.status && a.error == b.error && ( a.status || a.amount_out == b.amount_out ) );
    p->row->quote_out( state, k & 1, amount, NOW, &a );
    p->row->quote_out( other, k & 1, amount, NOW, &b );
    CHECK( a.status == b.status && a.error == b.error && ( a.status || a.amount_in == b.amount_in ) );
  }
}

/* The curve within 10^-9 of what swaps pay, up to its limit. */
static void curve_check( pool_t const * p, void const * state ) {
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    sf_curve_t c;
    sf_quote_t q;
    p->row->curve( state, a_to_b, NOW, &c );
    if( c.rate == 0 ) continue;
    double top = c.limit < 0x1p62 ? c.limit : 0x1p62;
    for( int i = 0; i <= 60; i++ ) {
      double v = floor( top * pow( 0.5, i ) );
      if( v < 1 ) break;
      p->row->quote_in( state, a_to_b, (uint64_t)v, NOW, &q );
      double out = c.rate * v / ( 1 + c.depth * v );
      if( q.status == SF_QUOTE_REFUSED && ( out < 3 || v < 100 ) ) continue; /* nothing comes out */
      if( q.status )
        fprintf( stderr, "%s %d: %.0f of a limit of %.0f fails with %u\n", p->row->name, a_to_b, v, c.limit, q.error );
      CHECK( q.status == SF_QUOTE_OK );
      /* rounding takes up to a unit off the input, and some off the output */
      double most = 1e-9 * out + 5 + 3 * c.rate;
      /* a mint withholds a share, but no more than its maximum: a large swap pays more than the curve */
      int capped = names.needs & ( SF_PART_BIT( SF_PART_MINT_A ) | SF_PART_BIT( SF_PART_MINT_B ) ) && v > 1e5;
      double off = (double)q.amount_out - out;
      if( off < -most || ( off > most && !capped ) )
        fprintf( stderr, "%s %d: %lu pays %lu, the curve %.3f\n", p->row->name, a_to_b, q.amount_in, q.amount_out,
                 out );
      CHECK( off >= -most && ( off <= most || capped ) );
    }
  }
}

static void swap_check( pool_t const * p, void const * state ) {
  uint8_t const payer[32] = { 1 }, in[32] = { 2 }, out[32] = { 3 };
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    sf_swap_ask_t ask = {
      .payer = payer, .user_in = in, .user_out = out, .amount_in = 1000, .min_out = 77, .a_to_b = a_to_b
    };
    sf_account_meta_t meta[SF_SWAP_ACCOUNT_MAX];
    uint8_t data[2][SF_SWAP_DATA_BYTES_MAX];
    uint32_t cnt, len[2], signers = 0, seen = 0;
    if( p->row->arrays ) ask.array_cnt = p->row->arrays( state, a_to_b, ask.array );
    CHECK( !p->row->swap_accounts( state, &ask, meta, &cnt ) && cnt <= SF_SWAP_ACCOUNT_MAX );
    for( uint32_t i = 0; i < cnt; i++ ) {
      signers += meta[i].signer;
      if( meta[i].signer ) CHECK( !memcmp( meta[i].pubkey, payer, 32 ) );
      int sol = p->row == &sf_pump_fun_venue && !memcmp( meta[i].pubkey, a_to_b ? out : in, 32 );
      CHECK( !sol ); /* lamports move, not wrapped ones */
      if( !memcmp( meta[i].pubkey, in, 32 ) ) seen |= meta[i].writable;
      if( !memcmp( meta[i].pubkey, out, 32 ) ) seen |= 2u * meta[i].writable;
    }
    CHECK( signers == 1 && seen == ( p->row != &sf_pump_fun_venue ? 3u : a_to_b ? 1u : 2u ) );
    for( int i = 0; i < 2; i++ ) {
      ask.amount_in = i ? UINT64_MAX : 1000;
      CHECK( !p->row->swap_data( state, &ask, data[i], &len[i] ) && len[i] && len[i] <= SF_SWAP_DATA_BYTES_MAX );
    }
    CHECK( len[0] == len[1] && memcmp( data[0], data[1], len[0] ) );
  }
}

/* Every length and flipped bit of one account of a pool whose others are as recorded. */
static void shake( pool_t const * p, source_t const * s, uint8_t const * data, uint32_t len, void const * good ) {
  sf_venue_t const * row = p->row;
  void * work            = malloc( row->work_bytes );
  uint8_t pool[32];
  uint32_t bytes, every = len > 2000 ? 7 : 1;
  for( uint32_t l = 0; l <= len; l++ ) {
    uint8_t * exact = dump_exact( data, len, l );
    int kind        = row->account_kind( exact, l );
    CHECK( kind == SF_ERR_DATA || ( kind >= SF_ACCOUNT_OTHER && kind <= SF_ACCOUNT_OWN ) );
    if( row->own_pool && ( l == len || l % 64 == 0 ) ) row->own_pool( exact, l, pool );
    memcpy( work, good, row->work_bytes );
    int err = part_put( p, work, s, exact, l );
    CHECK( err == 0 || err == SF_ERR_DATA );
    if( l == len ) CHECK( !err );
    else if( err )
      CHECK( s->part >= SF_PART_SHARED_0 || s->part == SF_PART_OWN || p->row == &sf_meteora_dlmm_venue ||
             !memcmp( work, good, row->work_bytes ) );
    if( s->part == SF_PART_POOL ) {
      memset( work, 0, row->work_bytes );
      err = row->meet( pubkey, exact, l, work, &names );
      CHECK( err == 0 || err == SF_ERR_DATA );
    }
    free( exact );
  }
  for( uint32_t bit = 0; bit < 8 * len; bit += 1 + (uint32_t)sf_rng_below( &rng, every ) ) {
    uint8_t * flipped = dump_exact( data, len, len );
    flipped[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
    row->account_kind( flipped, len );
    if( row->own_pool ) row->own_pool( flipped, len, pool );
    memcpy( work, good, row->work_bytes );
    int err = part_put( p, work, s, flipped, len );
    CHECK( err == 0 || err == SF_ERR_DATA );
    if( !err && !price( p, work ) ) {
      void * state = travelled( p, work, &bytes );
      say( p, state );
      free( state );
    }
    free( flipped );
    if( s->part >= SF_PART_SHARED_0 ) CHECK( !part_put( p, work, s, data, len ) );
  }
  free( work );
}

static int pool_check( pool_t const * p ) {
  static uint8_t data[ACCOUNT_MAX];
  sf_venue_t const * row = p->row;
  void * work            = calloc( 1, row->work_bytes );
  uint32_t have          = SF_PART_BIT( SF_PART_POOL ), bytes;
  int len                = part_read( p->source, data );
  if( len < 0 ) return 0;
  CHECK( row->shared_bytes <= sizeof( shared[0] ) && row->compute_units && row->venue && row->name );
  key_make( p );
  CHECK( row->account_kind( data, (uint32_t)len ) == SF_ACCOUNT_POOL );
  CHECK( !row->meet( pubkey, data, (uint32_t)len, work, &names ) );
  for( source_t const * s = p->source + 1; s->file; s++ ) {
    len = part_read( s, data );
    CHECK( len > 0 );
    if( s->part == SF_PART_OWN ) {
      uint8_t pool[32];
      CHECK( row->account_kind( data, (uint32_t)len ) == SF_ACCOUNT_OWN );
      CHECK( !row->own_pool( data, (uint32_t)len, pool ) && !memcmp( pool, pubkey, 32 ) );
    }
    if( s->part >= SF_PART_SHARED_0 ) CHECK( row->account_kind( data, (uint32_t)len ) == SF_ACCOUNT_SHARED );
    CHECK( !part_put( p, work, s, data, (uint32_t)len ) );
    have |= SF_PART_BIT( s->part );
  }
  int old_program = p->row == &sf_pump_fun_venue; /* of which the recorded global account is: it has no fee config */
  CHECK( ( names.needs & ~have & ~( old_program ? SF_PART_BIT( SF_PART_SHARED_1 ) : 0u ) ) == 0 );
  CHECK( names.moves && ( names.moves & ~names.needs ) == 0 );
  CHECK( !price( p, work ) );
  void * state = travelled( p, work, &bytes );
  say( p, state );
  curve_check( p, state );
  quote_bytes_check( p, state, bytes );
  swap_check( p, state );
  uint64_t reserve[2];
  row->reserves( state, reserve );
  CHECK( reserve[0] && reserve[1] );
  printf( "%s: work of %u bytes, state of %u\n", row->name, row->work_bytes, bytes );
  free( state );
  for( source_t const * s = p->source; s->file; s++ ) {
    len = part_read( s, data );
    shake( p, s, data, (uint32_t)len, work );
  }
  free( work );
  return 1;
}

int main( void ) {
  int found = 0;
  sf_rng_seed( &rng, 12 );
  for( uint32_t i = 0; i < sizeof( pools ) / sizeof( pools[0] ); i++ ) found += pool_check( &pools[i] );
  printf( "venue rows: %d pools%s\n", found, found ? "" : " (no recorded accounts: set SNIPERFORGE_DATA)" );
  return 0;
}
