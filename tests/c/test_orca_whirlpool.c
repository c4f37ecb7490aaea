/* Orca Whirlpool on real accounts: addresses, and bytes that are not what they should be.  Every length, and
   flipped bits: each is refused, or decodes to something whose quotes hold together. */

#include "dex/orca_whirlpool.h"
#include "solana/base58.h"
#include "tick_venue.h"

#define DIR    "accounts/orca_whirlpool/samo_usdc_and_sol_usdc_ts64/"
#define POOL   "HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ"
#define ARRAYS 7

static char const * const array_file[ARRAYS] = {
  "n16896.HoDhUt77EotPNLUfJuvCCLbmpiM1JR6WLqWxeDPR1xvK", "n22528.CEstjhG1v4nUgvGDyFruYEbJ18X8XeN4sX1WFCLt4D5c",
  "n28160.A2W6hiA2nf16iqtbZt9vX8FJbiXjv3DBUG3DgTja61HT", "n33792.2Eh8HEeu45tCWxY6ruLLRN6VcTSD7bfshGj7bZA87Kne",
  "n39424.EVqGhR2ukNuqZNfvFFAitrX6UqrRm2r8ayKX9LH9xHzK", "n45056.C8o6QPGfuJD9XmNQY9ZTMXJE5qSDv4LHXaRA3D26GQ4M",
  "n50688.93a168GhU5TKPri9jdkjysXhfb13z1BqGh5miGs2Pq6a",
};

static sf_orca_whirlpool_work_t work;
static uint8_t pool[SF_WHIRLPOOL_POOL_BYTES + 1], array[ARRAYS][SF_WHIRLPOOL_ARRAY_BYTES + 1], key[32];
static uint8_t oracle[SF_WHIRLPOOL_ORACLE_BYTES];

/* What must hold of any state that could be prepared. */
static void quotes_hold( sf_orca_whirlpool_state_t const * s, sf_rng_t * rng ) {
  for( int i = 0; i < 8; i++ ) {
    uint64_t amount = sf_rng_next( rng ) >> sf_rng_below( rng, 64 );
    sf_quote_t q, back;
    sf_orca_whirlpool_quote_in( s, i & 1, amount, NOW, &q );
    CHECK( q.status <= SF_QUOTE_EXHAUSTED );
    if( q.status != SF_QUOTE_OK ) continue;
    CHECK( q.amount_in <= amount && q.protocol_fee <= q.fee && q.fee <= q.amount_in );
    CHECK( i & 1 ? q.sqrt_price <= s->ticks.sqrt_price : q.sqrt_price >= s->ticks.sqrt_price );
    if( !q.amount_out || s->transfer_fee[0].bps || s->transfer_fee[1].bps ) continue;
    sf_orca_whirlpool_quote_out( s, i & 1, q.amount_out, NOW, &back );
    CHECK( back.status != SF_QUOTE_OK || s->adaptive || back.amount_in <= q.amount_in );
  }
}

static void addresses( void ) {
  sf_account_meta_t meta[SF_WHIRLPOOL_SWAP_ACCOUNT_MAX];
  sf_orca_whirlpool_state_t const * s = &work.state;
  uint8_t user[32]                    = { 1 };
  uint32_t cnt                        = 0;
  for( int v2 = 0; v2 < 2; v2++ ) {
    for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
      int32_t start[SF_WHIRLPOOL_SWAP_ARRAYS];
      CHECK( sf_orca_whirlpool_array_starts( s->spacing, s->ticks.tick, a_to_b, start ) == 3 );
      CHECK( !sf_orca_whirlpool_swap_accounts( s, v2, start, 3, user, user, user, meta, &cnt ) );
      CHECK( cnt == ( v2 ? 15u : 11u ) );
      uint32_t first = cnt - 4;
      for( int i = 0; i < 3; i++ ) {
        for( int f = 0; f < ARRAYS; f++ ) {
          if( -atoi( array_file[f] + 1 ) != start[i] ) continue;
          uint8_t expected[32];
          CHECK( sf_base58_decode( strchr( array_file[f], '.' ) + 1,
                                   (uint32_t)strlen( strchr( array_file[f], '.' ) + 1 ), expected, 32 ) == 32 );
          CHECK( !memcmp( meta[first + (uint32_t)i].pubkey, expected, 32 ) );
        }
        CHECK( meta[first + (uint32_t)i].writable );
      }
      CHECK( !memcmp( meta[v2 ? 4 : 2].pubkey, key, 32 ) && meta[v2 ? 3 : 1].signer );
    }
  }
}

static void events( void ) {
  uint8_t data[121] = { 0xe1, 0xca, 0x49, 0xaf, 0x93, 0x2b, 0xa0, 0x96 };
  sf_whirlpool_traded_t t;
  for( int i = 8; i < 121; i++ ) data[i] = (uint8_t)i;
  data[40] = 1;
  CHECK( !sf_orca_whirlpool_traded_parse( data, 121, &t ) && t.a_to_b && t.pool[0] == 8 );
  CHECK( (uint64_t)t.amount_in == 0x504f4e4d4c4b4a49UL && (uint64_t)t.protocol_fee == 0x7877767574737271UL );
  for( uint32_t len = 0; len < 121; len++ ) CHECK( sf_orca_whirlpool_traded_parse( data, len, &t ) == SF_ERR_DATA );
  data[40] = 2;
  CHECK( sf_orca_whirlpool_traded_parse( data, 121, &t ) == SF_ERR_DATA );
}

/* Makes a tick initialized, if it is not. */
static void tick_begin( uint8_t * data, uint32_t tick ) {
  uint8_t * at = data + 12 + 113 * tick;
  if( !at[0] ) at[0] = 1, at[17] = 1;
}

static tick_venue_t venue_of( int adaptive ) {
  tick_venue_t v = { .row        = &sf_orca_whirlpool_venue,
                     .state_at   = offsetof( sf_orca_whirlpool_work_t, state ),
                     .liquidity  = 49,
                     .price      = 65,
                     .tick       = 81,
                     .net        = 13,
                     .tick_bytes = 113 };
  memcpy( v.key, key, 32 );
  part_add( &v, SF_PART_POOL, pool, SF_WHIRLPOOL_POOL_BYTES );
  for( int i = 0; i < ARRAYS; i++ ) part_add( &v, SF_PART_OWN, array[i], SF_WHIRLPOOL_ARRAY_BYTES );
  if( adaptive ) part_add( &v, SF_PART_OWN, oracle, SF_WHIRLPOOL_ORACLE_BYTES );
  venue_load( &v );
  return v;
}

static void venue( sf_rng_t * rng ) {
  tick_venue_t v = venue_of( 0 );
  work_holds( &v, v.work, rng, 1 );
  lengths_hold( &v, &v.part[0] );
  lengths_hold( &v, &v.part[1] );
  flips_hold( &v, &v.part[0], 0, rng );
  flips_hold( &v, &v.part[3], 6000, rng );
  /* the arrays that are not known exist not: swaps go through them */
  int32_t tick                 = work.state.ticks.tick;
  sf_orca_whirlpool_work_t * w = v.work;
  sf_quote_t q;
  w->arrays.cnt = 1; /* far away */
  CHECK( !venue_price( &v, w ) );
  v.row->quote_in( &w->state, 1, 1000000, NOW, &q );
  CHECK( q.status == SF_QUOTE_EXHAUSTED && !q.amount_in );
  CHECK( !v.row->decode( w, SF_PART_OWN, sf_orca_whirlpool_program, 0, 0, 1, 0 ) && !venue_price( &v, w ) );
  v.row->quote_in( &w->state, 1, 1000000, NOW, &q );
  CHECK( q.status == SF_QUOTE_OK && q.tick <= tick );
  venue_free( &v );
}

static void moments( sf_rng_t * rng ) {
  int32_t span = 88 * 64, start = sf_tick_floor( work.state.ticks.tick, span );
  uint32_t at = 0, place = (uint32_t)( work.state.ticks.tick - start ) / 64;
  while( -atoi( array_file[at] + 1 ) != start ) at++;
  CHECK( at && at + 1 < ARRAYS && place > 2 && place < 85 );
  for( uint32_t i = at - 1; i <= at + 1; i++ ) tick_begin( array[i], i == at ? place - 1 : 40 );
  tick_begin( array[at], place + 2 );
  tick_venue_t v        = venue_of( 0 );
  part_t const * arrays = &v.part[1];
  /* files are in falling order */
  moments_hold( &v, &arrays[at], place - 1, &arrays[at], place + 2, rng );
  venue_free( &v );
  v = venue_of( 0 );
  moments_hold( &v, &arrays[at], place - 1, &arrays[at - 1], 40, rng );
  venue_free( &v );
  v = venue_of( 0 );
  moments_hold( &v, &arrays[at + 1], 40, &arrays[at], place + 2, rng );
  venue_free( &v );
}

int main( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 20220806 );
  events();
  if( dump_read( DIR "sol_usdc_wp_whirlpool." POOL ".json", pool, sizeof( pool ) ) < 0 ) {
    printf( "orca_whirlpool: ok (no recorded accounts: set SNIPERFORGE_DATA)\n" );
    return 0;
  }
  CHECK( sf_base58_decode( POOL, (uint32_t)strlen( POOL ), key, 32 ) == 32 );
  sf_orca_whirlpool_clear( &work, key );
  CHECK( sf_orca_whirlpool_prepare( &work ) == SF_ERR_DATA );
  CHECK( !sf_orca_whirlpool_pool_decode( pool, SF_WHIRLPOOL_POOL_BYTES, &work ) );
  for( int i = 0; i < ARRAYS; i++ ) {
    char name[256];
    snprintf( name, sizeof( name ), DIR "sol_usdc_wp_ta_%s.json", array_file[i] );
    CHECK( dump_read( name, array[i], sizeof( array[i] ) ) == SF_WHIRLPOOL_ARRAY_BYTES );
    CHECK( !sf_orca_whirlpool_array_decode( array[i], SF_WHIRLPOOL_ARRAY_BYTES, &work ) );
  }
  CHECK( !sf_orca_whirlpool_prepare( &work ) && work.arrays.cnt == ARRAYS );
  quotes_hold( &work.state, &rng );
  addresses();
  /* an oracle as a pool with an adaptive fee has it: constants and variables that pass */
  uint64_t tag = 0xf4e5b38cb383c28bUL;
  memcpy( oracle, &tag, 8 );
  memcpy( oracle + 8, key, 32 );
  oracle[48] = 30, oracle[50] = 60, oracle[52] = 100, oracle[55] = 4, oracle[59] = 0x50, oracle[60] = 5;
  oracle[62] = 64, oracle[64] = 64;
  venue( &rng );
  pool[43] ^= 1; /* another fee tier: adaptive */
  tick_venue_t v = venue_of( 1 );
  work_holds( &v, v.work, &rng, 0 );
  lengths_hold( &v, &v.part[1 + ARRAYS] );
  flips_hold( &v, &v.part[1 + ARRAYS], 0, &rng );
  venue_free( &v );
  pool[43] ^= 1;
  moments( &rng );
  printf( "orca_whirlpool: ok\n" );
  return 0;
}
