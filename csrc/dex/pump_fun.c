#include "dex/pump_fun.h"

#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "solana/program.h"

#define TAG_CURVE  0x60acd86037f8b717UL /* account:BondingCurve */
#define TAG_GLOBAL 0x7f726cc8b1e8e8a7UL /* account:Global */

#define CURVE_RESERVES      8 /* virtual token, virtual quote, real token, real quote */
#define CURVE_SUPPLY        40
#define CURVE_COMPLETE      48
#define CURVE_CREATOR       49
#define CURVE_MAYHEM        81
#define CURVE_CASHBACK      82
#define CURVE_QUOTE_MINT    83
#define CURVE_CREATOR_BPS   115
#define CURVE_CAN_EDIT      123
#define CURVE_HOLDER_REWARD 124

#define GLOBAL_RECIPIENT     41
#define GLOBAL_PROTOCOL_BPS  105
#define GLOBAL_CREATOR_BPS   154
#define GLOBAL_RESERVED      483
#define GLOBAL_BUYBACK       741
#define GLOBAL_CREATOR_RATES 1045

uint8_t const sf_pump_fun_program[32] = SF_PUMP_FUN_PROGRAM;

/* Where each version of the account ended. */
static uint32_t const curve_ends[] = { 49, 81, 82, 83, 115, 123, 124, 125, 133, 141, 142, 150, 158, 166 };

int sf_pump_fun_is_curve( uint8_t const * data, uint32_t len ) { return len >= 8 && sf_get_u64( data ) == TAG_CURVE; }
int sf_pump_fun_is_global( uint8_t const * data, uint32_t len ) { return len >= 8 && sf_get_u64( data ) == TAG_GLOBAL; }

int sf_pump_fun_curve_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, sf_pump_fun_state_t * s ) {
  if( len < SF_PUMP_FUN_CURVE_BYTES_MIN )
    return sf_err_set( SF_ERR_DATA, "pump.fun curve: %u bytes, fewer than %u", len, SF_PUMP_FUN_CURVE_BYTES_MIN );
  if( sf_get_u64( data ) != TAG_CURVE )
    return sf_err_set( SF_ERR_DATA, "pump.fun curve: discriminator %016lx at offset 0", sf_get_u64( data ) );
  uint8_t full[SF_PUMP_FUN_CURVE_BYTES] = { 0 };
  uint32_t end                          = 0;
  for( uint32_t i = 0; i < sizeof( curve_ends ) / sizeof( curve_ends[0] ); i++ )
    if( curve_ends[i] <= len ) end = curve_ends[i];
  int err = sf_pump_fields_check( data, len, end, "pump.fun curve" );
  if( err ) return err;
  memcpy( full, data, end );
  static uint32_t const booleans[] = { CURVE_COMPLETE, CURVE_MAYHEM, CURVE_CASHBACK, CURVE_CAN_EDIT,
                                       CURVE_HOLDER_REWARD };
  for( uint32_t i = 0; i < sizeof( booleans ) / sizeof( booleans[0] ); i++ )
    if( full[booleans[i]] > 1 )
      return sf_err_set( SF_ERR_DATA, "pump.fun curve: %u at offset %u is not a bool", full[booleans[i]], booleans[i] );
  sf_pump_fun_state_t made = {
    .virtual_token = sf_get_u64( full + CURVE_RESERVES ),
    .virtual_quote = sf_get_u64( full + CURVE_RESERVES + 8 ),
    .real_token    = sf_get_u64( full + CURVE_RESERVES + 16 ),
    .real_quote    = sf_get_u64( full + CURVE_RESERVES + 24 ),
    .supply        = sf_get_u64( full + CURVE_SUPPLY ),
    .complete      = full[CURVE_COMPLETE],
    .mayhem        = full[CURVE_MAYHEM],
    .cashback      = full[CURVE_CASHBACK],
    .creator_bps   = sf_get_u64( full + CURVE_CREATOR_BPS ),
  };
  err = sf_pump_rates_check( 0, 0, made.creator_bps, "pump.fun curve", CURVE_CREATOR_BPS );
  if( err ) return err;
  if( made.real_token >= made.virtual_token && made.real_token )
    return sf_err_set( SF_ERR_DATA, "pump.fun curve: %lu real of %lu virtual tokens at offset %u", made.real_token,
                       made.virtual_token, CURVE_RESERVES );
  memcpy( made.pubkey, pubkey, 32 );
  memcpy( made.creator, full + CURVE_CREATOR, 32 );
  memcpy( made.quote_mint, full + CURVE_QUOTE_MINT, 32 );
  memcpy( made.program[0], sf_program_token, 32 );
  memcpy( made.program[1], sf_program_token, 32 );
  *s = made;
  return 0;
}

int sf_pump_fun_global_decode( uint8_t const * data, uint32_t len, sf_pump_fun_global_t * out ) {
  if( len < SF_PUMP_FUN_GLOBAL_BYTES_MIN )
    return sf_err_set( SF_ERR_DATA, "pump.fun global: %u bytes, fewer than %u", len, SF_PUMP_FUN_GLOBAL_BYTES_MIN );
  if( sf_get_u64( data ) != TAG_GLOBAL )
    return sf_err_set( SF_ERR_DATA, "pump.fun global: discriminator %016lx at offset 0", sf_get_u64( data ) );
  uint64_t protocol = sf_get_u64( data + GLOBAL_PROTOCOL_BPS );
  uint64_t creator  = len >= GLOBAL_CREATOR_BPS + 8 ? sf_get_u64( data + GLOBAL_CREATOR_BPS ) : 0;
  int err           = sf_pump_rates_check( 0, protocol, creator, "pump.fun global", GLOBAL_PROTOCOL_BPS );
  if( err ) return err;
  uint8_t creator_rates = len > GLOBAL_CREATOR_RATES ? data[GLOBAL_CREATOR_RATES] : 0;
  if( creator_rates > 1 )
    return sf_err_set( SF_ERR_DATA, "pump.fun global: %u at offset %u is not a bool", creator_rates,
                       GLOBAL_CREATOR_RATES );
  *out = ( sf_pump_fun_global_t ){
    .kind          = SF_PUMP_GLOBAL,
    .rates         = { .protocol = (uint32_t)protocol,
                       .creator  = (uint32_t)creator,
                       .floor    = len == SF_PUMP_FUN_GLOBAL_BYTES_MIN },
    .creator_rates = creator_rates,
  };
  memcpy( out->recipients.fee, data + GLOBAL_RECIPIENT, 32 );
  if( len >= GLOBAL_RESERVED + 32 ) memcpy( out->recipients.reserved, data + GLOBAL_RESERVED, 32 );
  if( len >= GLOBAL_BUYBACK + 32 ) memcpy( out->recipients.buyback, data + GLOBAL_BUYBACK, 32 );
  return 0;
}

/* What is fixed in the short way.  `most`: of the rates, if they are worked out already. */
static void short_ready( sf_pump_fun_state_t * s, uint64_t most ) {
  if( !most ) most = sf_pump_rates_ready( &s->rates, &s->small_rates );
  int fits = s->virtual_token <= SF_SMALL_MAX && s->real_token < s->virtual_token && s->virtual_quote &&
             s->virtual_quote <= most && s->virtual_quote <= s->virtual_token;
  if( !fits || sf_pump_fun_over( s ) || s->rates.lp ) most = 0;
  s->small[0] = most ? SF_SMALL_MAX : 0;
  s->small[1] = most;
}

int sf_pump_fun_price( sf_pump_fun_state_t * s, sf_pump_fun_global_t const * global,
                       sf_pump_fee_config_t const * config ) {
  static uint8_t const nobody[32];
  sf_pump_rates_t rates = global->rates;
  if( config ) {
    sf_u128_t market_cap = 0;
    if( s->virtual_token )
      market_cap = (sf_u128_t)s->virtual_quote * ( s->mayhem ? s->supply : SF_PUMP_SUPPLY ) / s->virtual_token;
    int err = sf_pump_fee_rates( config, 1, s->quote_mint, market_cap, &rates );
    if( err ) return err;
    rates.lp = 0;
    if( global->creator_rates && s->creator_bps ) rates.creator = (uint32_t)s->creator_bps;
  }
  if( !memcmp( s->creator, nobody, 32 ) ) rates.creator = 0;
  int err = sf_pump_rates_check( 0, rates.protocol, rates.creator, "pump.fun curve", CURVE_CREATOR_BPS );
  if( err ) return err;
  uint64_t most = memcmp( &s->rates, &rates, sizeof( rates ) ) ? 0 : s->small[1];
  s->rates      = rates;
  s->recipients = global->recipients;
  short_ready( s, most );
  return 0;
}

void sf_pump_fun_reserves_set( sf_pump_fun_state_t * s, uint64_t virtual_token, uint64_t virtual_quote,
                               uint64_t real_token, uint64_t real_quote, uint32_t protocol_bps, uint32_t creator_bps,
                               int floor ) {
  *s = ( sf_pump_fun_state_t ){
    .virtual_token = virtual_token,
    .virtual_quote = virtual_quote,
    .real_token    = real_token,
    .real_quote    = real_quote,
    .rates         = { .protocol = protocol_bps, .creator = creator_bps, .floor = floor != 0 },
  };
  short_ready( s, 0 );
}

/* -- quotes --------------------------------------------------------------- */

static inline void fill( sf_pump_fun_state_t const * s, int a_to_b, uint64_t in, uint64_t out, uint64_t quote,
                         sf_pump_fees_t const * fees, sf_quote_t * q ) {
  uint64_t a = a_to_b ? s->virtual_token + in : s->virtual_token - out;
  uint64_t b = a_to_b ? s->virtual_quote - quote : s->virtual_quote + quote;
  sf_quote_fill( q, in, out, a, b, !a_to_b,
                 a_to_b ? sf_product_impact( s->virtual_token, in ) : sf_product_impact( s->virtual_quote, quote ) );
  q->fee          = fees->protocol + fees->creator;
  q->protocol_fee = fees->protocol;
  q->creator_fee  = fees->creator;
}

/* What `tokens` cost in a buy. */
static inline void buy( sf_pump_fun_state_t const * s, uint64_t tokens, sf_quote_t * q ) {
  uint64_t quote, rest, in;
  if( __builtin_expect( !tokens, 0 ) ) return sf_quote_refuse( q, SF_PUMP_FUN_ERR_BUY_ZERO );
  if( __builtin_expect( tokens > s->real_token || tokens >= s->virtual_token, 0 ) )
    return sf_quote_refuse( q, SF_PUMP_FUN_ERR_NO_TOKENS );
  if( sf_product_in( s->virtual_quote, s->virtual_token, tokens, &quote, &rest ) ||
      __builtin_add_overflow( quote, 1UL, &quote ) || quote > UINT64_MAX - s->virtual_quote )
    return sf_quote_refuse( q, SF_PUMP_FUN_ERR_OVERFLOW );
  sf_pump_fees_t fees = sf_pump_fees_of( &s->rates, quote );
  if( __builtin_add_overflow( quote, fees.protocol + fees.creator, &in ) )
    return sf_quote_refuse( q, SF_PUMP_FUN_ERR_OVERFLOW );
  fill( s, 0, in, tokens, quote, &fees, q );
}

/* What `tokens` bring in a sale.  If `known`, *gross is what comes out of the curve for them. */
static inline uint32_t sell( sf_pump_fun_state_t const * s, uint64_t tokens, int known, uint64_t * gross,
                             sf_pump_fees_t * fees, uint64_t * out ) {
  if( __builtin_expect( !tokens, 0 ) ) return SF_PUMP_FUN_ERR_SELL_ZERO;
  if( __builtin_expect( tokens > UINT64_MAX - s->virtual_token, 0 ) ) return SF_PUMP_FUN_ERR_OVERFLOW;
  if( !known ) *gross = s->virtual_quote ? sf_product_out( s->virtual_token, s->virtual_quote, tokens ) : 0;
  *fees        = sf_pump_fees_of( &s->rates, *gross );
  uint64_t all = fees->protocol + fees->creator;
  if( __builtin_expect( all > *gross || *gross > s->real_quote, 0 ) ) return SF_PUMP_FUN_ERR_OVERFLOW;
  *out = *gross - all;
  return 0;
}

static __attribute__( ( noinline ) ) void quote_in_long( sf_pump_fun_state_t const * s, int a_to_b, uint64_t amount_in,
                                                         uint64_t now, sf_quote_t * q ) {
  (void)now;
  sf_pump_fees_t fees;
  uint64_t gross, out;
  if( __builtin_expect( sf_pump_fun_over( s ), 0 ) ) return sf_quote_refuse( q, SF_PUMP_FUN_ERR_COMPLETE );
  if( a_to_b ) {
    uint32_t error = sell( s, amount_in, 0, &gross, &fees, &out );
    if( __builtin_expect( error, 0 ) ) return sf_quote_refuse( q, error );
    return fill( s, 1, amount_in, out, gross, &fees, q );
  }
  uint64_t net = sf_pump_net( &s->rates, amount_in, &fees );
  if( __builtin_expect( net < 2, 0 ) ) return sf_quote_refuse( q, SF_PUMP_FUN_ERR_BUY_ZERO );
  if( __builtin_expect( net > UINT64_MAX - s->virtual_quote, 0 ) )
    return sf_quote_refuse( q, SF_PUMP_FUN_ERR_OVERFLOW );
  uint64_t tokens = sf_product_out( s->virtual_quote, s->virtual_token, net - 1 );
  if( __builtin_expect( s->rates.floor, 0 ) ) return buy( s, tokens, q );
  if( __builtin_expect( !tokens, 0 ) ) return sf_quote_refuse( q, SF_PUMP_FUN_ERR_BUY_ZERO );
  if( __builtin_expect( tokens > s->real_token, 0 ) ) return sf_quote_refuse( q, SF_PUMP_FUN_ERR_NO_TOKENS );
  fill( s, 0, net + fees.protocol + fees.creator, tokens, net, &fees, q );
}

static __attribute__( ( noinline ) ) void quote_out_long( sf_pump_fun_state_t const * s, int a_to_b,
                                                          uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  (void)now;
  sf_pump_fees_t fees;
  uint64_t gross, out, in, rest;
  if( __builtin_expect( sf_pump_fun_over( s ), 0 ) ) return sf_quote_refuse( q, SF_PUMP_FUN_ERR_COMPLETE );
  if( !a_to_b ) return buy( s, amount_out, q );
  if( __builtin_expect( !amount_out, 0 ) ) return sf_quote_refuse( q, SF_PUMP_FUN_ERR_SELL_ZERO );
  /* the least input for a gross amount brings just that, unless a token is worth more than one of the quote */
  int exact = s->virtual_quote <= s->virtual_token;
  /* what is paid rises with the gross amount but for rounding: at most a few steps */
  gross = sf_pump_gross( &s->rates, amount_out );
  for( gross += sf_pump_short( &s->rates, amount_out, gross );; gross++ ) {
    if( __builtin_expect( !gross || gross >= s->virtual_quote || gross > s->real_quote, 0 ) )
      return sf_quote_refuse( q, SF_PUMP_FUN_ERR_OVERFLOW );
    if( sf_product_in( s->virtual_token, s->virtual_quote, gross, &in, &rest ) ||
        __builtin_add_overflow( in, (uint64_t)( rest > 0 ), &in ) )
      return sf_quote_refuse( q, SF_PUMP_FUN_ERR_OVERFLOW );
    uint32_t error = sell( s, in, exact, &gross, &fees, &out );
    if( error == SF_PUMP_FUN_ERR_OVERFLOW && in <= UINT64_MAX - s->virtual_token && gross <= s->real_quote )
      continue; /* the fees take more than all */
    if( __builtin_expect( error, 0 ) ) return sf_quote_refuse( q, error );
    if( out >= amount_out ) return fill( s, 1, in, out, gross, &fees, q );
  }
}

/* -- the short way ---------------------------------------------------------- */

/* Each takes the registers of its own way only. */
#define SHORT static __attribute__( ( noinline ) ) void

/* A swap of v into the reserve x of one token. */
static inline void fill_small( int a_to_b, uint64_t in, uint64_t out, uint64_t a, uint64_t b, uint64_t x, uint64_t v,
                               sf_pump_fees_t const * fees, sf_quote_t * q ) {
  sf_quote_fill( q, in, out, a, b, !a_to_b, sf_product_impact_small( x, v ) );
  q->fee          = fees->protocol + fees->creator;
  q->protocol_fee = fees->protocol;
  q->creator_fee  = fees->creator;
}

SHORT sell_in( sf_pump_fun_state_t const * s, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  if( __builtin_expect( amount_in - 1 >= s->small[0] || s->complete, 0 ) )
    return quote_in_long( s, 1, amount_in, now, q );
  uint64_t gross      = sf_product_out_small( s->virtual_token, s->virtual_quote, amount_in );
  sf_pump_fees_t fees = sf_pump_fees_small( &s->small_rates, gross );
  uint64_t out        = gross - fees.protocol - fees.creator;
  if( __builtin_expect( (int64_t)out < 0 || gross > s->real_quote, 0 ) )
    return quote_in_long( s, 1, amount_in, now, q );
  fill_small( 1, amount_in, out, s->virtual_token + amount_in, s->virtual_quote - gross, s->virtual_token, amount_in,
              &fees, q );
}

SHORT buy_in( sf_pump_fun_state_t const * s, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_pump_fees_t fees;
  if( __builtin_expect( amount_in - 1 >= s->small[1] || s->complete, 0 ) )
    return quote_in_long( s, 0, amount_in, now, q );
  int64_t net = sf_pump_net_small( &s->small_rates, amount_in, &fees );
  if( __builtin_expect( net < 2, 0 ) ) return quote_in_long( s, 0, amount_in, now, q );
  uint64_t quote = (uint64_t)net, tokens = sf_product_out_small( s->virtual_quote, s->virtual_token, quote - 1 );
  if( __builtin_expect( tokens - 1 >= s->real_token, 0 ) ) return quote_in_long( s, 0, amount_in, now, q );
  fill_small( 0, quote + fees.protocol + fees.creator, tokens, s->virtual_token - tokens, s->virtual_quote + quote,
              s->virtual_quote, quote, &fees, q );
}

SHORT sell_out( sf_pump_fun_state_t const * s, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  uint64_t in, more;
  if( __builtin_expect( amount_out - 1 >= s->small[1] || s->complete, 0 ) )
    return quote_out_long( s, 1, amount_out, now, q );
  uint64_t gross = sf_pump_gross_small( &s->small_rates, amount_out );
  if( __builtin_expect( gross >= s->virtual_quote || gross > s->real_quote, 0 ) ||
      sf_product_in_small( s->virtual_token, s->virtual_quote, gross, &in, &more ) )
    return quote_out_long( s, 1, amount_out, now, q );
  sf_pump_small_rates_t const * rates = &s->small_rates;
  __asm__( "" : "+r"( rates ) ); /* read them again: too many for the registers */
  sf_pump_fees_t fees = sf_pump_fees_small( rates, gross );
  uint64_t out        = gross - fees.protocol - fees.creator;
  if( __builtin_expect( (int64_t)( out - amount_out ) < 0, 0 ) ) return quote_out_long( s, 1, amount_out, now, q );
  fill_small( 1, in, out, s->virtual_token + in, s->virtual_quote - gross, s->virtual_token, in, &fees, q );
}

SHORT buy_out( sf_pump_fun_state_t const * s, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  uint64_t quote, rest;
  if( __builtin_expect( amount_out - 1 >= s->small[0] || s->complete || amount_out > s->real_token, 0 ) ||
      sf_product_in( s->virtual_quote, s->virtual_token, amount_out, &quote, &rest ) ||
      __builtin_expect( quote >= s->small[1], 0 ) )
    return quote_out_long( s, 0, amount_out, now, q );
  quote++;
  sf_pump_fees_t fees = sf_pump_fees_small( &s->small_rates, quote );
  fill_small( 0, quote + fees.protocol + fees.creator, amount_out, s->virtual_token - amount_out,
              s->virtual_quote + quote, s->virtual_quote, quote, &fees, q );
}

void sf_pump_fun_quote_in( sf_pump_fun_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                           sf_quote_t * q ) {
  if( a_to_b ) sell_in( s, amount_in, now, q );
  else buy_in( s, amount_in, now, q );
}

void sf_pump_fun_quote_out( sf_pump_fun_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                            sf_quote_t * q ) {
  if( a_to_b ) sell_out( s, amount_out, now, q );
  else buy_out( s, amount_out, now, q );
}
