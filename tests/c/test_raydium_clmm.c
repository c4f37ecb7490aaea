/* Raydium CLMM on a capture of mainnet: addresses, and bytes that are not what they should be.  Every length, and
   flipped bits: each is refused, or decodes to something whose quotes hold together. */

#include "dex/raydium_clmm.h"
#include "io/base64.h"
#include "solana/base58.h"
#include "tick_venue.h"

#define CAPTURE "accounts/raydium_clmm/sol_usdc_captures/swap_5wW8eVsGVHWZoqZD.json"
#define ARRAYS  3

static sf_raydium_clmm_work_t work;
static uint8_t pool[SF_CLMM_POOL_BYTES + 3], array[ARRAYS][SF_CLMM_ARRAY_BYTES + 3], key[32], array_key[ARRAYS][32];
static uint8_t config[SF_CLMM_CONFIG_BYTES], extension[SF_CLMM_EXTENSION_BYTES];
static char text[65536];

/* The next string of member `name` in the capture. */
static char const * member( char const ** at, char const * name, uint32_t * len ) {
  char quoted[64];
  snprintf( quoted, sizeof( quoted ), "\"%s\"", name );
  char const * from = strstr( *at, quoted );
  CHECK( from );
  from = strchr( from + strlen( quoted ), '"' ) + 1;
  *at  = strchr( from, '"' );
  *len = (uint32_t)( *at - from );
  return from;
}

static int capture_read( void ) {
  char const * root = getenv( "SNIPERFORGE_DATA" );
  char path[512];
  int here = (int)( strrchr( __FILE__, '/' ) - __FILE__ );
  if( root ) snprintf( path, sizeof( path ), "%s/" CAPTURE, root );
  else snprintf( path, sizeof( path ), "%.*s/../../../shared/data/" CAPTURE, here, __FILE__ );
  FILE * f = fopen( path, "r" );
  if( !f ) return -1;
  text[fread( text, 1, sizeof( text ) - 1, f )] = 0;
  fclose( f );
  char const *at = text, *part;
  uint32_t len;
  part = member( &at, "pool_address", &len );
  CHECK( sf_base58_decode( part, len, key, 32 ) == 32 );
  part = member( &at, "pool_b64", &len );
  CHECK( sf_base64_decode( pool, sizeof( pool ), part, len ) == SF_CLMM_POOL_BYTES );
  for( int i = 0; i < ARRAYS; i++ ) {
    part = member( &at, "address", &len );
    CHECK( sf_base58_decode( part, len, array_key[i], 32 ) == 32 );
    part = member( &at, "data_b64", &len );
    CHECK( sf_base64_decode( array[i], sizeof( array[i] ), part, len ) == SF_CLMM_ARRAY_BYTES );
  }
  return 0;
}

static void quotes_hold( sf_raydium_clmm_state_t const * s, sf_rng_t * rng ) {
  for( int i = 0; i < 8; i++ ) {
    uint64_t amount = sf_rng_next( rng ) >> sf_rng_below( rng, 64 );
    sf_quote_t q, back;
    sf_raydium_clmm_quote_in( s, i & 1, amount, NOW, &q );
    CHECK( q.status <= SF_QUOTE_EXHAUSTED );
    if( q.status != SF_QUOTE_OK ) continue;
    CHECK( q.amount_in == amount && q.amount_out && q.protocol_fee <= q.fee );
    CHECK( !q.fee_in_input || q.fee <= q.amount_in );
    CHECK( i & 1 ? q.sqrt_price <= s->ticks.sqrt_price : q.sqrt_price >= s->ticks.sqrt_price );
    sf_raydium_clmm_quote_out( s, i & 1, q.amount_out, NOW, &back );
    CHECK( back.status != SF_QUOTE_OK || back.amount_in <= q.amount_in );
  }
}

static void addresses( void ) {
  sf_account_meta_t meta[SF_CLMM_SWAP_ACCOUNT_MAX];
  sf_raydium_clmm_state_t const * s = &work.state;
  uint8_t user[32]                  = { 1 };
  for( int v2 = 0; v2 < 2; v2++ ) {
    for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
      uint32_t cnt = 0, seen = 0;
      CHECK( !sf_raydium_clmm_swap_accounts( s, v2, a_to_b, s->array[!a_to_b], 2, user, user, user, meta, &cnt ) );
      CHECK( cnt == ( v2 ? 15u : 11u ) && meta[0].signer && !memcmp( meta[2].pubkey, key, 32 ) );
      for( uint32_t i = cnt - 2; i < cnt; i++ )
        for( int k = 0; k < ARRAYS; k++ ) seen += !memcmp( meta[i].pubkey, array_key[k], 32 );
      CHECK( seen == 2 ); /* the capture has the current array and its two neighbours */
    }
  }
  /* far out the bitmap extension comes along, also for the price alone */
  static sf_raydium_clmm_work_t far;
  int32_t number      = 0;
  uint32_t cnt        = 0;
  far.state.spacing   = 1;
  far.extension_known = 1;
  far.extension[1][0][( -600 + 1024 ) / 64] |= 1UL << ( -600 + 1024 ) % 64;
  far.bitmap[0] = 1;
  CHECK( sf_raydium_clmm_next_array( &far, 0, -513, &number ) == 1 && number == -600 );
  CHECK( sf_raydium_clmm_next_array( &far, 1, -599, &number ) == 1 && number == -512 );
  CHECK( !sf_raydium_clmm_next_array( &far, 1, -511, &number ) );
  far.state.ticks.tick = -600 * 60;
  for( number = -600; number <= -512; number += 88 ) {
    CHECK( !sf_raydium_clmm_swap_accounts( &far.state, 1, 1, &number, 1, user, user, user, meta, &cnt ) && cnt == 15 );
    CHECK( !sf_raydium_clmm_swap_accounts( &far.state, 0, 1, &number, 1, user, user, user, meta, &cnt ) && cnt == 11 );
  }
  far.state.ticks.tick = -512 * 60;
  number               = -512;
  CHECK( !sf_raydium_clmm_swap_accounts( &far.state, 1, 1, &number, 1, user, user, user, meta, &cnt ) && cnt == 14 );
  CHECK( sf_raydium_clmm_swap_accounts( &far.state, 1, 0, &number, 0, user, user, user, meta, &cnt ) == SF_ERR_STATE );
}

static void events( void ) {
  uint8_t data[205] = { 0x40, 0xc6, 0xcd, 0xe8, 0x26, 0x08, 0x71, 0xe2 };
  sf_clmm_swap_event_t e;
  for( int i = 8; i < 205; i++ ) data[i] = (uint8_t)i;
  data[168] = 1;
  CHECK( !sf_raydium_clmm_swap_event_parse( data, 205, &e ) && e.a_to_b && e.sender[0] == 40 );
  CHECK( e.amount[0] == 0x8f8e8d8c8b8a8988UL && e.transfer_fee[1] == 0xa7a6a5a4a3a2a1a0UL );
  for( uint32_t len = 0; len < 205; len++ ) CHECK( sf_raydium_clmm_swap_event_parse( data, len, &e ) == SF_ERR_DATA );
  data[168] = 2;
  CHECK( sf_raydium_clmm_swap_event_parse( data, 205, &e ) == SF_ERR_DATA );
}

static tick_venue_t venue_of( void ) {
  tick_venue_t v = { .row        = &sf_raydium_clmm_venue,
                     .state_at   = offsetof( sf_raydium_clmm_work_t, state ),
                     .liquidity  = 237,
                     .price      = 253,
                     .tick       = 269,
                     .net        = 48,
                     .tick_bytes = 168 };
  memcpy( v.key, key, 32 );
  part_add( &v, SF_PART_POOL, pool, SF_CLMM_POOL_BYTES );
  for( int i = 0; i < ARRAYS; i++ ) part_add( &v, SF_PART_OWN, array[i], SF_CLMM_ARRAY_BYTES );
  part_add( &v, SF_PART_OWN, extension, SF_CLMM_EXTENSION_BYTES );
  part_add( &v, SF_PART_SHARED_0, config, SF_CLMM_CONFIG_BYTES );
  venue_load( &v );
  CHECK( !memcmp( v.names.shared[0], work.state.config, 32 ) );
  return v;
}

static void venue( sf_rng_t * rng ) {
  tick_venue_t v = venue_of();
  work_holds( &v, v.work, rng, 1 );
  static uint32_t const rounds[3 + ARRAYS] = { 0, 0, 0, 6000, 0, 0 };
  for( uint32_t i = 0; i < 3 + ARRAYS; i++ ) {
    if( i == 0 || i >= ARRAYS ) lengths_hold( &v, &v.part[i] );
    if( i == 0 || i >= ARRAYS ) flips_hold( &v, &v.part[i], rounds[i], rng );
  }
  venue_free( &v );
}

static void moments( sf_rng_t * rng ) {
  int32_t tick = work.state.ticks.tick, spacing = (int32_t)work.state.spacing, span = 60 * spacing;
  uint32_t at = 0, place = (uint32_t)( tick - sf_tick_floor( tick, span ) ) / (uint32_t)spacing;
  int32_t start[ARRAYS];
  for( int i = 0; i < ARRAYS; i++ ) {
    memcpy( &start[i], array[i] + 40, 4 );
    if( start[i] == sf_tick_floor( tick, span ) ) at = (uint32_t)i;
  }
  uint32_t above = at;
  for( uint32_t i = 0; i < ARRAYS; i++ )
    if( start[i] == start[at] + span ) above = i;
  CHECK( above != at && place < 59 );
  uint32_t low = place, high = place + 1;
  for( uint32_t i = 0; i < 2; i++ ) {
    uint8_t * one = array[at] + 44 + 168 * ( i ? high : low );
    int32_t index = start[at] + (int32_t)( i ? high : low ) * spacing;
    memcpy( one, &index, 4 );
    one[20] |= 1;
  }
  uint8_t * far = array[above] + 44 + 168 * 30;
  int32_t index = start[above] + 30 * spacing;
  memcpy( far, &index, 4 );
  far[20] |= 1;
  tick_venue_t v        = venue_of();
  part_t const * arrays = &v.part[1];
  moments_hold( &v, &arrays[at], low, &arrays[at], high, rng );
  venue_free( &v );
  v = venue_of();
  moments_hold( &v, &arrays[at], low, &arrays[above], 30, rng );
  venue_free( &v );
}

int main( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 20260426 );
  uint64_t tag = 0x6f2bcbcb6821f4daUL;
  memcpy( config, &tag, 8 );
  config[43] = 0xc0, config[44] = 0xd4, config[45] = 1, config[47] = 0x90, config[48] = 1, config[51] = 1;
  config[53] = 0x40, config[54] = 0x9c;
  tag = 0x998b8061db24963cUL;
  memcpy( extension, &tag, 8 );
  events();
  if( capture_read() ) {
    printf( "raydium_clmm: ok (no recorded accounts: set SNIPERFORGE_DATA)\n" );
    return 0;
  }
  memcpy( extension + 8, key, 32 );
  sf_raydium_clmm_clear( &work, key );
  CHECK( sf_raydium_clmm_prepare( &work ) == SF_ERR_DATA );
  CHECK( !sf_raydium_clmm_pool_decode( pool, SF_CLMM_POOL_BYTES, &work ) );
  CHECK( sf_raydium_clmm_prepare( &work ) == SF_ERR_DATA );
  CHECK( !sf_raydium_clmm_config_decode( config, sizeof( config ), &work ) && work.state.ticks.fee_ppm == 400 );
  CHECK( work.state.ticks.share[0] == 120000 && work.state.ticks.share[1] == 40000 );
  CHECK( !sf_raydium_clmm_extension_decode( extension, sizeof( extension ), &work ) );
  for( int i = 0; i < ARRAYS; i++ ) CHECK( !sf_raydium_clmm_array_decode( array[i], SF_CLMM_ARRAY_BYTES, &work ) );
  CHECK( !sf_raydium_clmm_prepare( &work ) && work.arrays.cnt == ARRAYS );
  quotes_hold( &work.state, &rng );
  addresses();
  venue( &rng );
  moments( &rng );
  printf( "raydium_clmm: ok\n" );
  return 0;
}
