/* Meteora DAMM v2: real pool accounts with every length and every flipped bit are refused or decode into what can be
   quoted; instruction and event readers take no bytes that are not there. */

#include "base/rng.h"
#include "check.h"
#include "dex/bytes.h"
#include "dex/meteora_damm_v2_curve.h"

#define POOLS 3

static char const * const pools[POOLS] = { "3u2BK3ykdjv1hAeGQwAkZMxjb4otV5yvW7g72uviCaZZ",
                                           "8Pm2kZpnxD3hoMmt4bjStX2Pw2Z9abpbHzZxMPqxPmie",
                                           "CGPxT5d1uf9a8cKVJuZaJAU76t2EfLGbTmRbfvLLZp5j" };

/* The account's bytes in a dump (base64 in JSON).  Returns 0, or -1 if there is no such file. */
static int dump( char const * pool, uint8_t out[SF_METEORA_DAMM_V2_POOL_BYTES] ) {
  char const * root = getenv( "SNIPERFORGE_DATA" );
  char path[512], text[8192];
  int here = (int)( strrchr( __FILE__, '/' ) - __FILE__ );
  if( root ) snprintf( path, sizeof( path ), "%s/accounts/meteora_damm_v2/%s.json", root, pool );
  else
    snprintf( path, sizeof( path ), "%.*s/../../../shared/data/accounts/meteora_damm_v2/%s.json", here, __FILE__,
              pool );
  FILE * f = fopen( path, "r" );
  if( !f ) return -1;
  text[fread( text, 1, sizeof( text ) - 1, f )] = 0;
  fclose( f );
  char const * at = strstr( text, "\"data\"" );
  CHECK( at && ( at = strchr( at, '[' ) ) && ( at = strchr( at, '"' ) ) );
  static char const digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint32_t bits = 0, have = 0, len = 0;
  for( at++; *at != '"' && *at != '='; at++ ) {
    bits = bits << 6 | (uint32_t)( strchr( digits, *at ) - digits );
    have += 6;
    if( have < 8 ) continue;
    have -= 8;
    CHECK( len < SF_METEORA_DAMM_V2_POOL_BYTES );
    out[len++] = (uint8_t)( bits >> have );
  }
  CHECK( len == SF_METEORA_DAMM_V2_POOL_BYTES );
  return 0;
}

/* Quotes of all modes: what is ok keeps its promises. */
static void quote_all( sf_meteora_damm_v2_state_t const * s, uint64_t amount, uint64_t now ) {
  for( int a_to_b = 0; a_to_b < 2; a_to_b++ ) {
    sf_quote_t q;
    sf_meteora_damm_v2_quote_in( s, a_to_b, amount, now, &q );
    if( q.status == SF_QUOTE_OK ) {
      CHECK( q.amount_in == amount && q.protocol_fee <= q.fee && q.impact_ppm <= 1000000 );
      sf_meteora_damm_v2_state_t then = *s;
      sf_meteora_damm_v2_apply( &then, &q, now );
      CHECK( then.sqrt_price == q.sqrt_price );
      uint64_t out = q.amount_out;
      sf_meteora_damm_v2_quote_out( s, a_to_b, out, now, &q );
      if( q.status == SF_QUOTE_OK ) CHECK( q.amount_out == out );
    } else CHECK( q.status == SF_QUOTE_REFUSED && !q.amount_out && !q.amount_in );
    sf_meteora_damm_v2_quote_partial( s, a_to_b, amount, now, &q );
    if( q.status == SF_QUOTE_OK ) CHECK( q.amount_in <= amount );
  }
}

static void shake( uint8_t const * data ) {
  sf_meteora_damm_v2_state_t state;
  uint32_t good = 0, refused = 0;
  for( uint32_t len = 0; len < SF_METEORA_DAMM_V2_POOL_BYTES + 16; len++ ) {
    uint8_t * exact = calloc( 1, len ? len : 1 ); /* its own block, so that a sanitizer sees every byte too far */
    memcpy( exact, data, len < SF_METEORA_DAMM_V2_POOL_BYTES ? len : SF_METEORA_DAMM_V2_POOL_BYTES );
    int err = sf_meteora_damm_v2_decode( exact, len, &state );
    CHECK( err == ( len == SF_METEORA_DAMM_V2_POOL_BYTES ? 0 : SF_ERR_DATA ) );
    free( exact );
  }
  uint8_t flipped[SF_METEORA_DAMM_V2_POOL_BYTES];
  for( uint32_t bit = 0; bit < 8 * SF_METEORA_DAMM_V2_POOL_BYTES; bit++ ) {
    memcpy( flipped, data, sizeof( flipped ) );
    flipped[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
    if( sf_meteora_damm_v2_decode( flipped, sizeof( flipped ), &state ) ) {
      refused++;
      CHECK_SAYS( "at offset" );
      continue;
    }
    good++;
    quote_all( &state, 1000000, 1755000000 );
    quote_all( &state, UINT64_MAX, 1755000000 );
  }
  CHECK( good > 1000 && refused > 100 );
}

/* Random bytes in all that prices a pool, in place of single bits. */
static void scramble( uint8_t const * data ) {
  sf_meteora_damm_v2_state_t state;
  uint8_t bytes[SF_METEORA_DAMM_V2_POOL_BYTES];
  uint32_t good = 0;
  sf_rng_t rng;
  sf_rng_seed( &rng, 7 );
  for( uint32_t i = 0; i < 200000; i++ ) {
    memcpy( bytes, data, sizeof( bytes ) );
    for( uint64_t n = 1 + sf_rng_below( &rng, 4 ); n; n-- ) {
      uint64_t at = sf_rng_below( &rng, 2 ) ? 8 + sf_rng_below( &rng, 160 ) : 360 + sf_rng_below( &rng, 340 );
      bytes[at]   = (uint8_t)sf_rng_next( &rng );
    }
    bytes[16] = (uint8_t)sf_rng_below( &rng, 5 );
    bytes[56] = (uint8_t)sf_rng_below( &rng, 2 );
    if( sf_meteora_damm_v2_decode( bytes, sizeof( bytes ), &state ) ) continue;
    good++;
    state.transfer_fee[0] = ( sf_transfer_fee_t ){ sf_rng_next( &rng ), sf_rng_below( &rng, 10001 ) };
    quote_all( &state, sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 ), 1755000000 + sf_rng_below( &rng, 100 ) );
  }
  CHECK( good > 10000 );
}

static void test_readers( void ) {
  sf_meteora_damm_v2_swap_t swap = { 258, 3, SF_METEORA_DAMM_V2_EXACT_OUT }, got;
  sf_meteora_damm_v2_event_t event;
  uint8_t data[SF_METEORA_DAMM_V2_DATA_BYTES];
  sf_meteora_damm_v2_swap_data( &swap, data );
  CHECK( !sf_meteora_damm_v2_swap_read( data, sizeof( data ), &got ) && !memcmp( &swap, &got, sizeof( got ) ) );
  for( uint32_t len = 0; len < sizeof( data ); len++ )
    CHECK( sf_meteora_damm_v2_swap_read( data, len, &got ) == SF_ERR_DATA );
  data[24] = 3;
  CHECK( sf_meteora_damm_v2_swap_read( data, sizeof( data ), &got ) == SF_ERR_DATA );
  sf_put_u64( data, 0xc88775e1919ec6f8UL ); /* the older form, always exact in */
  CHECK( !sf_meteora_damm_v2_swap_read( data, 24, &got ) && got.mode == SF_METEORA_DAMM_V2_EXACT_IN );
  CHECK( got.amount == 258 && got.threshold == 3 );
  CHECK( sf_meteora_damm_v2_swap_read( data, 23, &got ) == SF_ERR_DATA );

  uint64_t const tags[] = { 0x93bbaa8ad5153c1bUL, 0x99755026a83342bdUL };
  for( int i = 0; i < 2; i++ ) {
    uint8_t bytes[200] = { 0 };
    sf_put_u64( bytes, 0x1d9acb512ea545e4UL );
    sf_put_u64( bytes + 8, tags[i] );
    for( uint32_t len = 0; len <= sizeof( bytes ); len++ ) {
      uint8_t * exact = calloc( 1, len ? len : 1 );
      memcpy( exact, bytes, len );
      CHECK( sf_meteora_damm_v2_event_read( exact, len, &event ) == ( len < ( i ? 180 : 138 ) ? SF_ERR_DATA : 0 ) );
      free( exact );
    }
    bytes[48] = 2;
    CHECK( sf_meteora_damm_v2_event_read( bytes, sizeof( bytes ), &event ) == SF_ERR_DATA );
  }
}

/* Words of any size, all ones and zeros included. */
static uint64_t word( sf_rng_t * rng ) {
  uint64_t v = sf_rng_next( rng ) >> sf_rng_below( rng, 64 );
  return sf_rng_below( rng, 6 ) ? v : sf_rng_below( rng, 2 ) ? UINT64_MAX : 0;
}

/* Quotients of one word against the long division. */
static void test_digits( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 3 );
  uint32_t small = 0;
  for( uint32_t i = 0; i < 1000000; i++ ) {
    uint64_t n[3] = { word( &rng ), word( &rng ), word( &rng ) }, d0 = word( &rng ), d1 = word( &rng ) >> 1, q, up;
    sf_u128_t d = (sf_u128_t)d1 << 64 | d0, exact = 0;
    if( i & 1 && d1 ) n[2] %= d1;
    int rest = sf_wide_div( ( sf_u256_t ){ { n[0], n[1], n[2], 0 } }, sf_wide_of( d ), &exact );
    if( sf_near_digit( n[2], n[1], n[0], d, 0, &q ) ) {
      CHECK( sf_near_digit( n[2], n[1], n[0], d, 1, &up ) );
      CHECK( !d1 || n[2] >= d1 || exact + 1 >= d1 );
      continue;
    }
    CHECK( !sf_near_digit( n[2], n[1], n[0], d, 1, &up ) );
    CHECK( rest >= 0 && exact == q && up == q + (uint64_t)rest );
    small++;
  }
  CHECK( small > 200000 );
}

/* What single words say of a swap in the range against 256 bits. */
static void test_near( void ) {
  sf_rng_t rng;
  sf_rng_seed( &rng, 4 );
  uint32_t common[4] = { 0 }, near[4] = { 0 };
  for( uint32_t i = 0; i < 4000000; i++ ) {
    sf_meteora_damm_v2_state_t s = { .collect_mode = SF_DAMM_V2_COLLECT_BOTH, .fee_max = 1 };
    s.liquidity  = ( (sf_u128_t)sf_rng_next( &rng ) << 64 | sf_rng_next( &rng ) ) >> sf_rng_below( &rng, 128 );
    s.sqrt_price = ( (sf_u128_t)( sf_rng_next( &rng ) >> 32 ) << 64 | sf_rng_next( &rng ) ) >> sf_rng_below( &rng, 64 );
    if( s.sqrt_price < 4295048016UL ) continue;
    s.sqrt_min = s.sqrt_price - ( s.sqrt_price - 4295048016UL ) / ( 1 + sf_rng_below( &rng, 8 ) );
    s.sqrt_max = s.sqrt_price + ( ( (sf_u128_t)1 << 96 ) - s.sqrt_price ) / ( 1 + sf_rng_below( &rng, 8 ) );
    int a_to_b = (int)( i & 1 ), in = (int)( i >> 1 & 1 );
    uint64_t v = word( &rng );
    sf_damm_v2_leg_t fast, slow;
    sf_damm_v2_prepare( &s );
    int err = in ? sf_damm_v2_leg_in( &s, a_to_b, v, 0, &slow ) : sf_damm_v2_leg_out( &s, a_to_b, v, &slow );
    common[i & 3] += !err && slow.in && slow.out;
    if( sf_damm_v2_leg_near( &s, a_to_b, in, v, &fast ) ) continue;
    near[i & 3]++;
    CHECK( !err && fast.in == slow.in && fast.out == slow.out && !slow.left && fast.sqrt_price == slow.sqrt_price );
  }
  for( int k = 0; k < 4; k++ ) CHECK( near[k] > 20000 && common[k] );
}

int main( void ) {
  uint8_t data[SF_METEORA_DAMM_V2_POOL_BYTES];
  test_readers();
  test_digits();
  test_near();
  for( int i = 0; i < POOLS; i++ ) {
    if( dump( pools[i], data ) ) {
      printf( "test_meteora_damm_v2: readers hold; no recorded accounts, set SNIPERFORGE_DATA\n" );
      return 0;
    }
    shake( data );
    scramble( data );
  }
  printf( "test_meteora_damm_v2: lengths, flipped bits and random bytes of %d pools, swaps in single words, readers\n",
          POOLS );
  return 0;
}
