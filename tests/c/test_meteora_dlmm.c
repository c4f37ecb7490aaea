/* Meteora DLMM: prices of bins, decoders on real accounts with every length and every flipped bit, a swap that the
   real program made, the instructions and events. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "dex/bytes.h"
#include "dex/meteora_dlmm.h"
#include "solana/program.h"

#define POOL "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig"

static uint8_t const pool_key[32] = { 0xce, 0x43, 0x70, 0x62, 0xb6, 0x13, 0x78, 0x12, 0x4d, 0x04, 0x11,
                                      0x36, 0x51, 0x04, 0xd0, 0x76, 0x7a, 0x58, 0x04, 0x92, 0xdb, 0xa6,
                                      0x4f, 0x23, 0x58, 0xe9, 0x89, 0x3d, 0xbe, 0x19, 0x16, 0x15 };

static sf_meteora_dlmm_work_t work, twin;
static sf_meteora_dlmm_state_t * state; /* what travels of a work */
static uint8_t room[SF_DLMM_STATE_MAX] __attribute__( ( aligned( 16 ) ) );

static void travel( sf_meteora_dlmm_work_t const * w, uint32_t arrays, uint32_t bytes ) {
  state = (sf_meteora_dlmm_state_t *)room;
  memset( room, 0xa5, sizeof( room ) );
  uint32_t used = sf_meteora_dlmm_travel( w, arrays, bytes, state );
  assert( used <= bytes && used % 16 == 0 );
}

/* The data of an account dump in $SNIPERFORGE_DATA, or beside the checkout; its length, or -1. */
static int dump( char const * name, uint8_t * out, uint32_t max ) {
  static char text[32768];
  char path[1024];
  char const * dir = getenv( "SNIPERFORGE_DATA" );
  int here         = (int)( strrchr( __FILE__, '/' ) - __FILE__ );
  if( dir ) snprintf( path, sizeof( path ), "%s/accounts/meteora_dlmm/" POOL "/%s.json", dir, name );
  else
    snprintf( path, sizeof( path ), "%.*s/../../../shared/data/accounts/meteora_dlmm/" POOL "/%s.json", here, __FILE__,
              name );
  FILE * file = fopen( path, "r" );
  if( !file ) return -1;
  text[fread( text, 1, sizeof( text ) - 1, file )] = 0;
  fclose( file );
  char const * at = strstr( text, "\"data\"" );
  at              = at ? strchr( at, '[' ) : 0;
  at              = at ? strchr( at, '"' ) : 0;
  if( !at ) return -1;
  uint32_t n = 0, bits = 0, have = 0;
  for( at++; *at && *at != '"' && *at != '='; at++ ) {
    char const * digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bits                = bits << 6 | (uint32_t)( strchr( digits, *at ) - digits );
    if( ( have += 6 ) < 8 ) continue;
    have -= 8;
    if( n == max ) return -1;
    out[n++] = (uint8_t)( bits >> have );
  }
  return (int)n;
}

static void test_price( void ) {
  sf_u128_t one = (sf_u128_t)1 << 64;
  assert( sf_meteora_dlmm_price( 0, 25 ) == one );
  assert( sf_meteora_dlmm_price( 1, 250 ) == ( one | 0x0666666666666667UL ) );
  assert( sf_meteora_dlmm_price( -1, 250 ) == 0xf9c18f9c18f9c18fUL );
  for( int32_t id = -SF_DLMM_ID_MAX; id < SF_DLMM_ID_MAX; id += 997 )
    assert( id + 997 > SF_DLMM_ID_MAX || sf_meteora_dlmm_price( id, 1 ) <= sf_meteora_dlmm_price( id + 997, 1 ) );
  assert( !sf_meteora_dlmm_price( -SF_DLMM_ID_MAX, 400 ) && !sf_meteora_dlmm_price( SF_DLMM_ID_MAX, 400 ) );
  assert( sf_meteora_dlmm_array_of( 0 ) == 0 && sf_meteora_dlmm_array_of( 69 ) == 0 );
  assert( sf_meteora_dlmm_array_of( -1 ) == -1 && sf_meteora_dlmm_array_of( -70 ) == -1 );
  assert( sf_meteora_dlmm_array_of( -71 ) == -2 );
}

/* Whatever was decoded: a quote ends, and gives out no more than the bins hold. */
static void quotes( sf_meteora_dlmm_work_t const * w, sf_rng_t * rng ) {
  travel( w, UINT32_MAX, SF_DLMM_STATE_MAX );
  sf_meteora_dlmm_state_t const * s = state;
  for( int i = 0; i < 4; i++ ) {
    sf_quote_t q;
    uint64_t amount = sf_rng_next( rng ) >> sf_rng_below( rng, 64 ), now = sf_rng_next( rng ) >> 33;
    int a_to_b = i & 1;
    if( i & 2 ) sf_meteora_dlmm_quote_in( s, a_to_b, amount, now, &q );
    else sf_meteora_dlmm_quote_out( s, a_to_b, amount, now, &q );
    assert( q.status <= SF_QUOTE_EXHAUSTED && q.protocol_fee <= q.fee + 2 );
    sf_u128_t all = 0;
    for( uint32_t k = 0; k < s->way[!a_to_b].step_cnt; k++ ) all += sf_meteora_dlmm_steps( s, !a_to_b )[k].out;
    assert( q.amount_out <= all );
  }
}

static void shake( uint8_t const * data, uint32_t len, sf_rng_t * rng ) {
  for( uint32_t l = 0; l <= len + 16; l++ ) {
    uint8_t * exact = calloc( 1, l ? l : 1 ); /* its own block, so that a sanitizer sees every byte too far */
    memcpy( exact, data, l < len ? l : len );
    assert( !sf_meteora_dlmm_account( exact, l, &twin ) == ( l == len ) );
    free( exact );
  }
  uint8_t * flipped = malloc( len );
  for( uint32_t bit = 0; bit < 8 * len; bit++ ) {
    memcpy( flipped, data, len );
    flipped[bit / 8] ^= (uint8_t)( 1u << bit % 8 );
    int err = sf_meteora_dlmm_account( flipped, len, &twin );
    if( err ) assert( sf_err_text()[0] );
    if( bit % 16 == 0 || len == SF_DLMM_PAIR_BYTES ) quotes( &twin, rng );
    assert( twin.array_cnt <= 3 && twin.head.bin_step == 250 );
    if( twin.array_cnt == 3 ) twin.array_cnt = 2; /* the flipped index made another one */
    if( len == SF_DLMM_PAIR_BYTES ) assert( !sf_meteora_dlmm_account( data, len, &twin ) );
  }
  assert( !sf_meteora_dlmm_account( data, len, &twin ) );
  free( flipped );
}

static int test_real( void ) {
  static uint8_t account[3][12000];
  char const * names[3] = { "lb_pair", "bin_array_1", "bin_array_2" };
  int len[3];
  sf_rng_t rng;
  sf_rng_seed( &rng, 5 );
  sf_meteora_dlmm_clear( &work, pool_key );
  work.head.newest = 0;
  for( int i = 0; i < 3; i++ ) {
    len[i] = dump( names[i], account[i], sizeof( account[i] ) );
    if( len[i] < 0 ) return 0;
    assert( !sf_meteora_dlmm_account( account[i], (uint32_t)len[i], &work ) );
  }
  travel( &work, UINT32_MAX, SF_DLMM_STATE_MAX );
  assert( state->active == 15 && state->bin_step == 250 );
  assert( sf_meteora_dlmm_array_decode( account[0], (uint32_t)len[0], &work ) == SF_ERR_DATA );
  sf_quote_t q;
  sf_meteora_dlmm_quote_in( state, 1, 175134709, 1734391452, &q ); /* what the real program paid */
  assert( q.status == SF_QUOTE_OK && q.amount_out == 234759306 && q.tick == 11 && q.crossed == 4 && q.impact_ppm );
  sf_meteora_dlmm_quote_out( state, 0, 226821373, 1734391507, &q );
  assert( q.status == SF_QUOTE_OK && q.amount_in == 348759410 && q.tick == 19 );
  sf_meteora_dlmm_quote_in( state, 0, UINT64_MAX / 2, 1734391452, &q ); /* the next array up is marked, not loaded */
  assert( q.status == SF_QUOTE_EXHAUSTED && q.amount_out && q.amount_in && q.tick == 70 );
  sf_meteora_dlmm_quote_in( state, 1, UINT64_MAX / 2, 1734391452, &q );
  assert( q.status == SF_QUOTE_REFUSED && q.error == SF_DLMM_ERR_NO_BITMAP && !q.amount_out );
  work.array_cnt = 0;
  travel( &work, UINT32_MAX, SF_DLMM_STATE_MAX );
  sf_meteora_dlmm_quote_in( state, 1, 1000, 1734391452, &q );
  assert( q.status == SF_QUOTE_EXHAUSTED && !q.amount_in && !q.amount_out );
  work.array_cnt = 2;
  twin           = work;
  for( int newest = 0; newest < 2; newest++ ) {
    twin.head.newest = (uint32_t)newest;
    for( int i = 0; i < 3; i++ ) shake( account[i], (uint32_t)len[i], &rng );
  }
  return 1;
}

static void test_bitmap( void ) {
  static uint8_t data[SF_DLMM_BITMAP_BYTES] = { 0x50, 0x6f, 0x7c, 0x71, 0x37, 0xed, 0x12, 0x05 };
  int32_t index                             = 0;
  sf_meteora_dlmm_clear( &work, pool_key );
  assert( sf_meteora_dlmm_array_next( &work, 1, -513, &index ) == SF_DLMM_ERR_NO_BITMAP );
  memcpy( data + 8, pool_key, 32 );
  data[40]   = 1;    /* array 512 */
  data[807]  = 0x80; /* array 6655 */
  data[808]  = 2;    /* array -514 */
  data[1575] = 0x80; /* array -6656 */
  assert( !sf_meteora_dlmm_account( data, sizeof( data ), &work ) );
  assert( !sf_meteora_dlmm_array_next( &work, 0, 0, &index ) && index == 512 );
  assert( !sf_meteora_dlmm_array_next( &work, 0, 513, &index ) && index == 6655 );
  assert( !sf_meteora_dlmm_array_next( &work, 1, 0, &index ) && index == -514 );
  assert( !sf_meteora_dlmm_array_next( &work, 1, -515, &index ) && index == -6656 );
  assert( !sf_meteora_dlmm_array_next( &work, 0, -515, &index ) && index == -514 );
  assert( sf_meteora_dlmm_array_next( &work, 0, 6656, &index ) == SF_DLMM_ERR_NO_ARRAY );
  data[8] ^= 1;
  assert( sf_meteora_dlmm_account( data, sizeof( data ), &work ) == SF_ERR_DATA );
}

static void test_swap( void ) {
  uint8_t data[SF_DLMM_SWAP_DATA_MAX + 8], back[SF_DLMM_SWAP_DATA_MAX];
  sf_dlmm_swap_t got;
  for( uint32_t form = 0; form < SF_DLMM_FORMS; form++ )
    for( uint8_t given = 0; given < 2; given++ ) {
      int impact          = form >= SF_DLMM_PRICE_IMPACT;
      sf_dlmm_swap_t swap = { .amount = 258, .form = form };
      if( impact ) {
        swap.impact_bps   = 77;
        swap.active_given = given;
        swap.active       = given ? -9 : 0;
      } else swap.threshold = 7;
      memset( data, 0, sizeof( data ) );
      uint32_t len = sf_meteora_dlmm_swap_data( &swap, data );
      assert( len <= SF_DLMM_SWAP_DATA_MAX );
      assert( !sf_meteora_dlmm_swap_parse( data, len, &got ) && !memcmp( &got, &swap, sizeof( got ) ) );
      assert( sf_meteora_dlmm_swap_data( &got, back ) == len && !memcmp( back, data, len ) );
      for( uint32_t l = 0; l < len; l++ ) assert( sf_meteora_dlmm_swap_parse( data, l, &got ) == SF_ERR_DATA );
      assert( sf_meteora_dlmm_swap_parse( data, len + 1, &got ) == SF_ERR_DATA );
    }
  /* a slice: transfer hook of x, three accounts */
  sf_dlmm_swap_t two = { .amount = 1, .form = SF_DLMM_SWAP2 };
  uint32_t len       = sf_meteora_dlmm_swap_data( &two, data );
  data[len - 4]      = 1;
  assert( sf_meteora_dlmm_swap_parse( data, len, &got ) == SF_ERR_DATA );
  data[len]     = 0;
  data[len + 1] = 3;
  assert( !sf_meteora_dlmm_swap_parse( data, len + 2, &got ) && got.slices == 1 );
  data[len] = 5;
  assert( sf_meteora_dlmm_swap_parse( data, len + 2, &got ) == SF_ERR_DATA );
}

static void test_event( void ) {
  uint8_t data[8 + 8 + 147] = { 0xe4, 0x45, 0xa5, 0x2e, 0x51, 0xcb, 0x9a, 0x1d,
                                0x51, 0x6c, 0xe3, 0xbe, 0xcd, 0xd0, 0x0a, 0xc4 };
  sf_dlmm_traded_t got;
  uint8_t * event = data + 8;
  event[72]       = 5;
  event[76]       = 6;
  sf_put_u64( event + 80, 1000 );
  sf_put_u64( event + 88, 900 );
  event[96] = 1;
  sf_put_u64( event + 97, 10 );
  sf_put_u64( event + 105, 2 );
  event[113] = 100;
  assert( !sf_meteora_dlmm_traded_parse( data, 16 + 129, &got ) && !got.newest && got.start == 5 && got.end == 6 );
  assert( got.amount_in == 1000 && got.amount_out == 900 && got.fee == 10 && got.protocol_fee == 2 && got.x_to_y );
  assert( !sf_meteora_dlmm_traded_parse( event, 8 + 129, &got ) && got.rate == 100 );
  assert( sf_meteora_dlmm_traded_parse( event, 8 + 147, &got ) == SF_ERR_DATA );
  static uint8_t const newest[8] = { 0x2e, 0x74, 0x52, 0xd7, 0x94, 0x1b, 0x54, 0x4d };
  memset( event, 0, 155 );
  memcpy( event, newest, 8 );
  event[80] = 1;
  sf_put_u64( event + 97, 1000 );
  sf_put_u64( event + 113, 900 );
  sf_put_u64( event + 137, 3 );
  event[153] = 1;
  event[154] = 1;
  assert( !sf_meteora_dlmm_traded_parse( data, sizeof( data ), &got ) && got.newest && got.amount_in == 1000 );
  assert( got.amount_out == 900 && got.order_fee == 3 && got.fee_in_input && got.fee_in_x );
  event[153] = 2;
  assert( sf_meteora_dlmm_traded_parse( data, sizeof( data ), &got ) == SF_ERR_DATA );
}

/* The accounts of a pair's array -1 and 0 are those of its dumps. */
static void test_accounts( void ) {
  static uint8_t const array_0[32]     = { 0x42, 0x08, 0x0d, 0x10, 0x1c, 0x39, 0x60, 0xdb, 0x62, 0xfe, 0x60,
                                           0xba, 0x49, 0x28, 0xdc, 0x7d, 0xaa, 0x64, 0x7b, 0x87, 0x04, 0x0a,
                                           0x3d, 0xf0, 0xb6, 0x0d, 0x3f, 0x2a, 0xa6, 0xc7, 0x1c, 0x69 },
                       array_minus[32] = { 0xc2, 0x9c, 0xf6, 0x37, 0x43, 0xe8, 0x67, 0xf6, 0xf1, 0x54, 0x28,
                                           0xa5, 0xe3, 0x0a, 0x88, 0x6f, 0x06, 0x21, 0x6a, 0xc0, 0xb9, 0x22,
                                           0x55, 0x57, 0x5b, 0x06, 0xf6, 0x63, 0x32, 0xd3, 0x68, 0x9d };
  sf_account_meta_t meta[SF_DLMM_SWAP_ACCOUNT_MAX];
  uint8_t user[32] = { 1 }, in[32] = { 2 }, out[32] = { 3 };
  uint32_t cnt;
  sf_meteora_dlmm_clear( &work, pool_key );
  int32_t const down[2] = { 0, -1 };
  for( uint32_t form = 0; form < SF_DLMM_FORMS; form++ ) {
    uint32_t fixed = form & 1 ? 16 : 15;
    assert( !sf_meteora_dlmm_swap_accounts( &work.head, form, 2, down, user, in, out, meta, &cnt ) &&
            cnt == fixed + 2 );
    assert( !memcmp( meta[0].pubkey, pool_key, 32 ) && meta[0].writable && meta[10].signer && !meta[10].writable );
    assert( !memcmp( meta[1].pubkey, sf_meteora_dlmm_program, 32 ) && !meta[1].writable );
    assert( !memcmp( meta[fixed].pubkey, array_0, 32 ) && !memcmp( meta[fixed + 1].pubkey, array_minus, 32 ) );
    assert( meta[fixed].writable && !memcmp( meta[fixed - 1].pubkey, sf_meteora_dlmm_program, 32 ) );
    assert( !sf_meteora_dlmm_swap_accounts( &work.head, form, 1, down, user, in, out, meta, &cnt ) &&
            cnt == fixed + 1 );
  }
  assert( sf_meteora_dlmm_swap_accounts( &work.head, SF_DLMM_FORMS, 1, down, user, in, out, meta, &cnt ) ==
          SF_ERR_ARG );
}

int main( void ) {
  test_price();
  test_bitmap();
  test_swap();
  test_event();
  test_accounts();
  int real = test_real();
  printf( "meteora dlmm: prices, bitmap, instructions, events%s\n",
          real ? ", real accounts" : "; no real accounts here" );
  return 0;
}
