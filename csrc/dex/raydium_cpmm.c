#include "dex/raydium_cpmm.h"

#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/product.h"
#include "dex/token.h"

#define PPM 1000000u

/* first eight bytes of sha256 of "account:PoolState", "account:AmmConfig" */
#define TAG_POOL   0x46dec3d7f5e3edf7UL
#define TAG_CONFIG 0x6f2bcbcb6821f4daUL

#define POOL_CONFIG          8
#define POOL_VAULT           72
#define POOL_MINT            168
#define POOL_PROGRAM         232
#define POOL_OBSERVATION     296
#define POOL_STATUS          329
#define POOL_DECIMALS        331
#define POOL_PROTOCOL_FEES   341
#define POOL_FUND_FEES       357
#define POOL_OPEN_TIME       373
#define POOL_CREATOR_FEE_ON  389
#define POOL_CREATOR_ENABLED 390
#define POOL_CREATOR_FEES    397

#define STATUS_NO_SWAP 4

#define CONFIG_TRADE    12
#define CONFIG_PROTOCOL 20
#define CONFIG_FUND     28
#define CONFIG_CREATOR  108

uint8_t const sf_raydium_cpmm_program[32]   = { 0xa9, 0x2a, 0x5a, 0x8b, 0x4f, 0x29, 0x59, 0x52, 0x84, 0x25, 0x50,
                                                0xaa, 0x93, 0xfd, 0x5b, 0x95, 0xb5, 0xac, 0xe6, 0xa8, 0xeb, 0x92,
                                                0x0c, 0x93, 0x94, 0x2e, 0x43, 0x69, 0x0c, 0x20, 0xec, 0x73 };
uint8_t const sf_raydium_cpmm_authority[32] = { 0xeb, 0x00, 0xd9, 0xf5, 0xb2, 0x92, 0xb4, 0x21, 0x4a, 0xc7, 0xd0,
                                                0x37, 0xb4, 0xd6, 0xf0, 0x64, 0x50, 0xb9, 0x64, 0x60, 0x0d, 0xf3,
                                                0x73, 0x05, 0x2b, 0xb5, 0xe8, 0x4f, 0x2f, 0x8e, 0x9a, 0x67 };

static int account_check( uint8_t const * data, uint32_t len, uint32_t bytes, uint64_t tag, char const * what ) {
  if( len != bytes ) return sf_err_set( SF_ERR_DATA, "raydium cpmm %s: %u bytes, not %u", what, len, bytes );
  if( sf_get_u64( data ) != tag )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm %s: discriminator %016lx at offset 0", what, sf_get_u64( data ) );
  return 0;
}

int sf_raydium_cpmm_pool_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len,
                                 sf_raydium_cpmm_state_t * state ) {
  int err = account_check( data, len, SF_RAYDIUM_CPMM_POOL_BYTES, TAG_POOL, "pool" );
  if( err ) return err;
  sf_raydium_cpmm_state_t s = *state;
  memcpy( s.pubkey, pubkey, 32 );
  memcpy( s.config, data + POOL_CONFIG, 32 );
  memcpy( s.observation, data + POOL_OBSERVATION, 32 );
  for( uint32_t side = 0; side < 2; side++ ) {
    memcpy( s.vault[side], data + POOL_VAULT + 32 * side, 32 );
    memcpy( s.mint[side], data + POOL_MINT + 32 * side, 32 );
    memcpy( s.program[side], data + POOL_PROGRAM + 32 * side, 32 );
    s.decimals[side] = data[POOL_DECIMALS + side];
    if( !sf_token_program_known( s.program[side] ) )
      return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: no token program at offset %u", POOL_PROGRAM + 32 * side );
    sf_u128_t owed = (sf_u128_t)sf_get_u64( data + POOL_PROTOCOL_FEES + 8 * side ) +
                     sf_get_u64( data + POOL_FUND_FEES + 8 * side ) + sf_get_u64( data + POOL_CREATOR_FEES + 8 * side );
    if( owed >> 64 )
      return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: fees owed at offset %u overflow",
                         POOL_PROTOCOL_FEES + 8 * side );
    s.owed[side] = (uint64_t)owed;
  }
  if( !memcmp( s.mint[0], s.mint[1], 32 ) || !memcmp( s.vault[0], s.vault[1], 32 ) )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: both sides are the same at offset %u", POOL_VAULT );
  s.creator_fee_on      = data[POOL_CREATOR_FEE_ON];
  s.creator_fee_enabled = data[POOL_CREATOR_ENABLED];
  if( s.creator_fee_on > 2 )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: creator fee on %u at offset %u", s.creator_fee_on,
                       POOL_CREATOR_FEE_ON );
  if( s.creator_fee_enabled > 1 )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: %u at offset %u is not a bool", s.creator_fee_enabled,
                       POOL_CREATOR_ENABLED );
  s.open_time     = sf_get_u64( data + POOL_OPEN_TIME );
  s.swap_disabled = ( data[POOL_STATUS] & STATUS_NO_SWAP ) != 0;
  *state          = s;
  return 0;
}

int sf_raydium_cpmm_config_decode( uint8_t const * data, uint32_t len, sf_raydium_cpmm_config_t * out ) {
  int err = account_check( data, len, SF_RAYDIUM_CPMM_CONFIG_BYTES, TAG_CONFIG, "config" );
  if( err ) return err;
  uint64_t trade = sf_get_u64( data + CONFIG_TRADE ), creator = sf_get_u64( data + CONFIG_CREATOR );
  uint64_t protocol = sf_get_u64( data + CONFIG_PROTOCOL ), fund = sf_get_u64( data + CONFIG_FUND );
  if( trade >= PPM || creator >= PPM || trade + creator >= PPM )
    return sf_err_set( SF_ERR_DATA,
                       "raydium cpmm config: rates %lu at offset %u and %lu at offset %u leave nothing of %u", trade,
                       CONFIG_TRADE, creator, CONFIG_CREATOR, PPM );
  if( protocol > PPM || fund > PPM || protocol + fund > PPM )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm config: shares %lu and %lu at offset %u are more than %u", protocol,
                       fund, CONFIG_PROTOCOL, PPM );
  *out = ( sf_raydium_cpmm_config_t ){
    .trade = (uint32_t)trade, .creator = (uint32_t)creator, .protocol = (uint32_t)protocol, .fund = (uint32_t)fund
  };
  return 0;
}

/* Works out the rates of the short way; returns the greatest amount that they may be taken of. */
static uint64_t rates_ready( sf_raydium_cpmm_state_t * s ) {
  uint32_t trade         = s->rates.trade;
  uint64_t small         = SF_SMALL_MAX;
  uint64_t const limit[] = { sf_rate_up_ready( trade, PPM, &s->trade ),
                             sf_rate_up_ready( trade, PPM - trade, &s->on_top ),
                             sf_rate_down_ready( s->rates.protocol, PPM, &s->protocol ),
                             sf_rate_down_ready( s->rates.fund, PPM, &s->fund ) };
  for( uint32_t i = 0; i < sizeof( limit ) / sizeof( limit[0] ); i++ )
    if( limit[i] < small ) small = limit[i];
  return small;
}

/* What is fixed in the short way, which knows neither creator's nor transfer fees.  `small` says that the rates are
   worked out already, and for which amounts. */
static void short_ready( sf_raydium_cpmm_state_t * s, uint64_t small ) {
  if( !small ) small = rates_ready( s );
  for( uint32_t side = 0; side < 2; side++ )
    if( !s->reserve[side] || s->amount[side] > SF_SMALL_MAX || s->transfer_fee[side].bps ) small = 0;
  s->small = s->rates.trade && !s->creator_fee ? small : 0;
}

int sf_raydium_cpmm_price( sf_raydium_cpmm_state_t * s, uint64_t amount_a, uint64_t amount_b,
                           sf_raydium_cpmm_config_t const * config ) {
  if( amount_a < s->owed[0] || amount_b < s->owed[1] )
    return sf_err_set( SF_ERR_DATA, "raydium cpmm pool: vaults of %lu and %lu owe %lu and %lu in fees", amount_a,
                       amount_b, s->owed[0], s->owed[1] );
  uint64_t small = memcmp( &s->rates, config, sizeof( *config ) ) ? 0 : s->small;
  s->amount[0]   = amount_a;
  s->amount[1]   = amount_b;
  s->reserve[0]  = amount_a - s->owed[0];
  s->reserve[1]  = amount_b - s->owed[1];
  s->rates       = *config;
  s->creator_fee = s->creator_fee_enabled ? config->creator : 0;
  short_ready( s, small );
  return 0;
}

/* -- quotes --------------------------------------------------------------- */

#define INLINE static inline __attribute__( ( always_inline ) )

/* floor( v*rate / 10^6 ).  Assumes rate is at most 10^6. */
INLINE uint64_t share( uint64_t v, uint32_t rate ) {
  sf_u128_t n = (sf_u128_t)v * rate;
  uint64_t rest;
  return __builtin_expect( !( n >> 64 ), 1 ) ? (uint64_t)n / PPM
                                             : sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, PPM, &rest );
}

/* ceil( v*rate / 10^6 ), at most v. */
INLINE uint64_t share_up( uint64_t v, uint32_t rate ) {
  sf_u128_t n = (sf_u128_t)v * rate + ( PPM - 1 );
  uint64_t rest;
  return __builtin_expect( !( n >> 64 ), 1 ) ? (uint64_t)n / PPM
                                             : sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, PPM, &rest );
}

/* The least amount that leaves `v` after a fee of rate.  Returns -1 if it does not fit 64 bits. */
INLINE int before_share( uint64_t v, uint32_t rate, uint64_t * out ) {
  uint64_t rest;
  *out = v;
  if( !rate ) return 0;
  sf_u128_t n = (sf_u128_t)v * PPM;
  if( __builtin_expect( (uint64_t)( n >> 64 ) >= PPM - rate, 0 ) ) return -1;
  *out = sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, PPM - rate, &rest );
  return __builtin_add_overflow( *out, (uint64_t)( rest > 0 ), out ) ? -1 : 0;
}

typedef struct sides {
  uint64_t x;        /* reserve of what comes in */
  uint64_t y;        /* of what goes out */
  uint32_t rate_in;  /* taken from the input */
  uint32_t rate_out; /* taken off the output */
  int on_input;      /* the creator's fee is part of rate_in */
} sides_t;

INLINE sides_t sides_of( sf_raydium_cpmm_state_t const * s, int a_to_b ) {
  sides_t k;
  uint32_t creator = s->creator_fee;
  k.on_input       = !s->creator_fee_on || s->creator_fee_on == ( a_to_b ? 1u : 2u );
  k.x              = s->reserve[!a_to_b];
  k.y              = s->reserve[!!a_to_b];
  k.rate_in        = s->rates.trade + ( k.on_input ? creator : 0 );
  k.rate_out       = k.on_input ? 0 : creator;
  return k;
}

/* The program splits the input fee by its rate. */
INLINE int no_rate( sides_t const * k ) { return __builtin_expect( !k->rate_in, 0 ) && k->on_input; }

INLINE int closed( sf_raydium_cpmm_state_t const * s, uint64_t now ) {
  return __builtin_expect( s->swap_disabled | ( now < s->open_time ), 0 );
}

/* A swap in which `given` came into the vault, `fee` of it was taken, and `gross` left the curve. */
INLINE void fill( sf_raydium_cpmm_state_t const * s, sides_t const * k, int a_to_b, uint64_t amount_in,
                  uint64_t amount_out, uint64_t given, uint64_t fee, uint64_t gross, uint64_t creator_out,
                  sf_quote_t * q ) {
  uint64_t creator_in = 0, rest;
  if( k->on_input && s->creator_fee ) {
    sf_u128_t n = (sf_u128_t)fee * s->creator_fee;
    creator_in  = sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, k->rate_in, &rest );
  }
  uint64_t trade  = fee - creator_in;
  uint64_t shares = share( trade, s->rates.protocol ) + share( trade, s->rates.fund );
  uint64_t in     = k->x + given - shares - creator_in;
  uint64_t out    = k->y - gross;
  sf_quote_fill( q, amount_in, amount_out, a_to_b ? in : out, a_to_b ? out : in, 1,
                 sf_product_impact( k->x, given - fee ) );
  q->fee          = fee;
  q->protocol_fee = shares;
  q->creator_fee  = creator_in + creator_out;
}

static __attribute__( ( noinline ) ) uint64_t product_out_wide( uint64_t x, uint64_t y, uint64_t v ) {
  return (uint64_t)( (sf_u128_t)y * v / ( (sf_u128_t)x + v ) );
}

static __attribute__( ( noinline ) ) void quote_in_long( sf_raydium_cpmm_state_t const * s, int a_to_b,
                                                         uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sides_t k = sides_of( s, a_to_b );
  if( closed( s, now ) ) return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_NOT_APPROVED );
  uint64_t given = amount_in - sf_transfer_fee_of( &s->transfer_fee[!a_to_b], amount_in );
  if( __builtin_expect( !given, 0 ) ) return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_NOT_GREATER );
  if( __builtin_expect( !k.x || !k.y, 0 ) ) return sf_quote_refuse( q, 0 ); /* division by zero: it panics */
  if( no_rate( &k ) ) return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_ZERO );
  uint64_t fee = share_up( given, k.rate_in ), v = given - fee;
  int fits         = given <= UINT64_MAX - s->amount[!a_to_b]; /* else the transfer fails, if the program did not */
  uint64_t gross   = __builtin_expect( fits, 1 ) ? sf_product_out( k.x, k.y, v ) : product_out_wide( k.x, k.y, v );
  uint64_t creator = share_up( gross, k.rate_out ), out = gross - creator;
  out -= sf_transfer_fee_of( &s->transfer_fee[!!a_to_b], out );
  if( __builtin_expect( !out, 0 ) ) return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_NOT_GREATER );
  if( __builtin_expect( !fits, 0 ) ) return sf_quote_refuse( q, 0 );
  fill( s, &k, a_to_b, amount_in, out, given, fee, gross, creator, q );
}

static __attribute__( ( noinline ) ) void quote_out_long( sf_raydium_cpmm_state_t const * s, int a_to_b,
                                                          uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  sides_t k     = sides_of( s, a_to_b );
  uint64_t sent = amount_out, gross, v, rest, given, in;
  if( __builtin_expect( !amount_out, 0 ) ) return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_NOT_GREATER );
  if( closed( s, now ) ) return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_NOT_APPROVED );
  if( sf_transfer_fee_before( &s->transfer_fee[!!a_to_b], amount_out, &sent ) )
    return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_TRANSFER_FEE );
  if( __builtin_expect( !k.x || !k.y, 0 ) ) return sf_quote_refuse( q, 0 );
  if( before_share( sent, k.rate_out, &gross ) || gross >= k.y ) return sf_quote_refuse( q, 0 ); /* it panics */
  if( sf_product_in( k.x, k.y, gross, &v, &rest ) ) return sf_quote_refuse( q, 0 );
  /* up; but below one to the nearest */
  uint64_t up = v ? rest > 0 : rest >= k.y - gross - rest;
  if( __builtin_add_overflow( v, up, &v ) || before_share( v, k.rate_in, &given ) ) return sf_quote_refuse( q, 0 );
  if( no_rate( &k ) ) return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_ZERO );
  if( __builtin_expect( !given, 0 ) ) return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_NOT_GREATER );
  in = given;
  if( sf_transfer_fee_before( &s->transfer_fee[!a_to_b], given, &in ) )
    return sf_quote_refuse( q, SF_RAYDIUM_CPMM_ERR_TRANSFER_FEE );
  if( __builtin_expect( given > UINT64_MAX - s->amount[!a_to_b], 0 ) ) return sf_quote_refuse( q, 0 );
  fill( s, &k, a_to_b, in, amount_out, given, given - v, gross, gross - sent, q );
}

/* -- the short way --------------------------------------------------------- */

INLINE void fill_small( sf_raydium_cpmm_state_t const * s, int side, uint64_t in, uint64_t out, uint64_t fee,
                        sf_quote_t * q ) {
  uint64_t x = s->reserve[side], shares = sf_rate_down( &s->protocol, fee ) + sf_rate_down( &s->fund, fee );
  sf_quote_fill_side( q, side, in, out, x + in - shares, s->reserve[!side] - out,
                      sf_product_impact_small( x, in - fee ) );
  q->fee          = fee;
  q->protocol_fee = shares;
}

void sf_raydium_cpmm_quote_in( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                               sf_quote_t * q ) {
  int side = !a_to_b;
  if( __builtin_expect( amount_in - 1 >= s->small, 0 ) || closed( s, now ) )
    return quote_in_long( s, a_to_b, amount_in, now, q );
  uint64_t fee = sf_rate_up( &s->trade, amount_in );
  uint64_t out = sf_product_out_small( s->reserve[side], s->reserve[!side], amount_in - fee );
  if( __builtin_expect( !out, 0 ) ) return quote_in_long( s, a_to_b, amount_in, now, q );
  fill_small( s, side, amount_in, out, fee, q );
}

uint64_t sf_raydium_cpmm_out_small( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now ) {
  if( __builtin_expect( amount_in - 1 >= s->small, 0 ) || closed( s, now ) ) return 0;
  uint64_t left = amount_in - sf_rate_up( &s->trade, amount_in );
  return sf_product_out_small( s->reserve[!a_to_b], s->reserve[!!a_to_b], left );
}

void sf_raydium_cpmm_quote_out( sf_raydium_cpmm_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                                sf_quote_t * q ) {
  int side = !a_to_b;
  uint64_t v, more;
  if( __builtin_expect( amount_out - 1 >= s->small || amount_out >= s->reserve[!side], 0 ) || closed( s, now ) ||
      sf_product_in_small( s->reserve[side], s->reserve[!side], amount_out, &v, &more ) ||
      __builtin_expect( v < 2 || v > s->small, 0 ) ) /* what is below 1 is rounded in another way */
    return quote_out_long( s, a_to_b, amount_out, now, q );
  uint64_t fee = sf_rate_up( &s->on_top, v );
  fill_small( s, side, v + fee, amount_out, fee, q );
}
