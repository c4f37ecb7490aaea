#include "dex/pump_swap.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/pump_fun.h"
#include "solana/program.h"

#define TAG_POOL   0xbc6db111046d9af1UL /* account:Pool */
#define TAG_GLOBAL 0xd9b0fca0ca9c0895UL /* account:GlobalConfig */

#define POOL_CREATOR       11
#define POOL_MINT          43
#define POOL_VAULT         139
#define POOL_COIN_CREATOR  211
#define POOL_MAYHEM        243
#define POOL_CASHBACK      244
#define POOL_VIRTUAL       245
#define POOL_CREATOR_BPS   261
#define POOL_CAN_EDIT      269
#define POOL_HOLDER_REWARD 270
#define POOL_KEPT          271 /* protocol fees, creator fees */

#define GLOBAL_RATES         40
#define GLOBAL_DISABLED      56
#define GLOBAL_RECIPIENT     57
#define GLOBAL_CREATOR_BPS   313
#define GLOBAL_RESERVED      385
#define GLOBAL_BUYBACK       643
#define GLOBAL_CREATOR_RATES 940

#define DISABLED_BUYS  8
#define DISABLED_SALES 16

uint8_t const sf_pump_swap_program[32] = SF_PUMP_SWAP_PROGRAM;

/* Where each version of the account ended. */
static uint32_t const pool_ends[] = { 211, 243, 244, 245, 261, 269, 270, 271, 279, 287 };

int sf_pump_swap_is_pool( uint8_t const * data, uint32_t len ) { return len >= 8 && sf_get_u64( data ) == TAG_POOL; }
int sf_pump_swap_is_global( uint8_t const * data, uint32_t len ) {
  return len >= 8 && sf_get_u64( data ) == TAG_GLOBAL;
}

/* All of a pool but who made it. */
static int pool_read( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, sf_pump_swap_state_t * s ) {
  if( len < SF_PUMP_SWAP_POOL_BYTES_MIN )
    return sf_err_set( SF_ERR_DATA, "pump swap pool: %u bytes, fewer than %u", len, SF_PUMP_SWAP_POOL_BYTES_MIN );
  if( sf_get_u64( data ) != TAG_POOL )
    return sf_err_set( SF_ERR_DATA, "pump swap pool: discriminator %016lx at offset 0", sf_get_u64( data ) );
  uint8_t full[SF_PUMP_SWAP_POOL_BYTES] = { 0 };
  uint32_t end                          = 0;
  for( uint32_t i = 0; i < sizeof( pool_ends ) / sizeof( pool_ends[0] ); i++ )
    if( pool_ends[i] <= len ) end = pool_ends[i];
  int err = sf_pump_fields_check( data, len, end, "pump swap pool" );
  if( err ) return err;
  memcpy( full, data, end );
  for( uint32_t i = POOL_MAYHEM; i <= POOL_HOLDER_REWARD; i++ ) {
    int boolean = i == POOL_MAYHEM || i == POOL_CASHBACK || i == POOL_CAN_EDIT || i == POOL_HOLDER_REWARD;
    if( boolean && full[i] > 1 )
      return sf_err_set( SF_ERR_DATA, "pump swap pool: %u at offset %u is not a bool", full[i], i );
  }
  if( !memcmp( full + POOL_MINT, full + POOL_MINT + 32, 32 ) ||
      !memcmp( full + POOL_VAULT, full + POOL_VAULT + 32, 32 ) )
    return sf_err_set( SF_ERR_DATA, "pump swap pool: both sides are the same at offset %u", POOL_MINT );
  uint64_t creator_bps = sf_get_u64( full + POOL_CREATOR_BPS );
  err                  = sf_pump_rates_check( 0, 0, creator_bps, "pump swap pool", POOL_CREATOR_BPS );
  if( err ) return err;
  sf_u128_t kept = (sf_u128_t)sf_get_u64( full + POOL_KEPT ) + sf_get_u64( full + POOL_KEPT + 8 );
  if( kept >> 64 ) return sf_err_set( SF_ERR_DATA, "pump swap pool: kept fees at offset %u overflow", POOL_KEPT );

  sf_pump_swap_state_t made = { .creator_bps = creator_bps, .kept = (uint64_t)kept };
  memcpy( made.pubkey, pubkey, 32 );
  memcpy( made.creator, full + POOL_CREATOR, 32 );
  memcpy( made.coin_creator, full + POOL_COIN_CREATOR, 32 );
  for( uint32_t side = 0; side < 2; side++ ) {
    memcpy( made.mint[side], full + POOL_MINT + 32 * side, 32 );
    memcpy( made.vault[side], full + POOL_VAULT + 32 * side, 32 );
    memcpy( made.program[side], sf_program_token, 32 );
  }
  made.mayhem   = full[POOL_MAYHEM];
  made.cashback = full[POOL_CASHBACK];
  made.virtual_quote =
      (sf_i128_t)( (sf_u128_t)sf_get_u64( full + POOL_VIRTUAL + 8 ) << 64 | sf_get_u64( full + POOL_VIRTUAL ) );
  *s = made;
  return 0;
}

int sf_pump_swap_pool_decode( uint8_t const pubkey[32], uint8_t const * data, uint32_t len, sf_pump_swap_state_t * s ) {
  sf_pump_swap_state_t made;
  uint8_t authority[32];
  int err = pool_read( pubkey, data, len, &made );
  if( !err ) err = sf_pump_derive( "pool-authority", made.mint[0], sf_pump_fun_program, authority );
  if( err ) return err;
  made.pumps = !memcmp( authority, made.creator, 32 );
  *s         = made;
  return 0;
}

int sf_pump_swap_pool_again( uint8_t const * data, uint32_t len, sf_pump_swap_state_t * s ) {
  sf_pump_swap_state_t made;
  int err = pool_read( s->pubkey, data, len, &made );
  if( err ) return err;
  if( memcmp( made.mint, s->mint, 64 ) || memcmp( made.vault, s->vault, 64 ) || memcmp( made.creator, s->creator, 32 ) )
    return sf_err_set( SF_ERR_DATA, "pump swap pool: what it is made of changed (offset %u)", POOL_CREATOR );
  s->virtual_quote = made.virtual_quote;
  s->kept          = made.kept;
  s->creator_bps   = made.creator_bps;
  s->mayhem        = made.mayhem;
  s->cashback      = made.cashback;
  memcpy( s->coin_creator, made.coin_creator, 32 );
  return 0;
}

int sf_pump_swap_global_decode( uint8_t const * data, uint32_t len, sf_pump_swap_global_t * out ) {
  if( len < SF_PUMP_SWAP_GLOBAL_BYTES_MIN )
    return sf_err_set( SF_ERR_DATA, "pump swap config: %u bytes, fewer than %u", len, SF_PUMP_SWAP_GLOBAL_BYTES_MIN );
  if( sf_get_u64( data ) != TAG_GLOBAL )
    return sf_err_set( SF_ERR_DATA, "pump swap config: discriminator %016lx at offset 0", sf_get_u64( data ) );
  uint64_t lp = sf_get_u64( data + GLOBAL_RATES ), protocol = sf_get_u64( data + GLOBAL_RATES + 8 );
  uint64_t creator = len >= GLOBAL_CREATOR_BPS + 8 ? sf_get_u64( data + GLOBAL_CREATOR_BPS ) : 0;
  int err          = sf_pump_rates_check( lp, protocol, creator, "pump swap config", GLOBAL_RATES );
  if( err ) return err;
  uint8_t creator_rates = len > GLOBAL_CREATOR_RATES ? data[GLOBAL_CREATOR_RATES] : 0;
  if( creator_rates > 1 )
    return sf_err_set( SF_ERR_DATA, "pump swap config: %u at offset %u is not a bool", creator_rates,
                       GLOBAL_CREATOR_RATES );
  *out = ( sf_pump_swap_global_t ){
    .kind          = SF_PUMP_GLOBAL,
    .rates         = { .lp = (uint32_t)lp, .protocol = (uint32_t)protocol, .creator = (uint32_t)creator },
    .no_buys       = ( data[GLOBAL_DISABLED] & DISABLED_BUYS ) != 0,
    .no_sales      = ( data[GLOBAL_DISABLED] & DISABLED_SALES ) != 0,
    .creator_rates = creator_rates,
    .v2            = len > GLOBAL_CREATOR_RATES,
  };
  memcpy( out->recipients.fee, data + GLOBAL_RECIPIENT, 32 );
  if( len >= GLOBAL_RESERVED + 32 ) memcpy( out->recipients.reserved, data + GLOBAL_RESERVED, 32 );
  if( len >= GLOBAL_BUYBACK + 32 ) memcpy( out->recipients.buyback, data + GLOBAL_BUYBACK, 32 );
  return 0;
}

/* What is fixed in the short way.  `most`: of the rates, if they are worked out already. */
static void short_ready( sf_pump_swap_state_t * s, uint64_t most ) {
  if( !most ) most = sf_pump_rates_ready( &s->rates, &s->small_rates );
  int fits = s->base && s->base <= SF_SMALL_MAX && s->room[0] >= UINT64_MAX - SF_SMALL_MAX && s->quote &&
             s->quote <= most && s->room[1] >= UINT64_MAX - SF_SMALL_MAX;
  if( !fits ) most = 0;
  s->small[0] = most ? SF_SMALL_MAX : 0;
  s->small[1] = most;
  s->product  = (sf_u128_t)s->base * s->quote + ( s->quote ? s->quote - 1 : 0 );
  /* a sale takes at most quote/base more out of the curve than was looked for; of more than half of the reserve nobody
     asks, and below that B+in is at most 2B */
  uint64_t more = most ? s->quote / s->base : 0;
  s->sale_most  = most && s->payable > more ? s->payable - more : 0;
  if( s->sale_most > s->quote / 2 ) s->sale_most = s->quote / 2;
}

int sf_pump_swap_price( sf_pump_swap_state_t * s, uint64_t base, uint64_t quote, uint64_t supply,
                        sf_pump_swap_global_t const * global, sf_pump_fee_config_t const * config ) {
  static uint8_t const nobody[32];
  sf_i128_t effective;
  if( __builtin_add_overflow( s->virtual_quote, (sf_i128_t)quote, &effective ) || effective < 0 ||
      effective > (sf_i128_t)UINT64_MAX )
    return sf_err_set( SF_ERR_DATA, "pump swap pool: virtual reserves at offset %u do not fit %lu in the vault",
                       POOL_VIRTUAL, quote );
  if( quote < s->kept )
    return sf_err_set( SF_ERR_DATA, "pump swap pool: vault of %lu keeps fees of %lu", quote, s->kept );
  sf_pump_rates_t rates = global->rates;
  if( config ) {
    sf_u128_t market_cap = 0;
    if( base ) market_cap = (sf_u128_t)effective * ( s->mayhem ? SF_PUMP_SUPPLY : supply ) / base;
    int err = sf_pump_fee_rates( config, (int)s->pumps, s->mint[1], market_cap, &rates );
    if( err ) return err;
    if( global->creator_rates && s->creator_bps ) rates.creator = (uint32_t)s->creator_bps;
  }
  if( !memcmp( s->coin_creator, nobody, 32 ) ) rates.creator = 0;
  int err = sf_pump_rates_check( rates.lp, rates.protocol, rates.creator, "pump swap pool", POOL_CREATOR_BPS );
  if( err ) return err;
  uint64_t most = memcmp( &s->rates, &rates, sizeof( rates ) ) ? 0 : s->small[1];
  s->base       = base;
  s->quote      = (uint64_t)effective;
  s->payable    = quote - s->kept;
  s->room[0]    = UINT64_MAX - base;
  s->room[1]    = UINT64_MAX - quote;
  s->rates      = rates;
  s->no_buys    = global->no_buys;
  s->no_sales   = global->no_sales;
  s->recipients = global->recipients;
  s->v2         = global->v2;
  short_ready( s, most );
  return 0;
}

void sf_pump_swap_ready( sf_pump_swap_state_t * s ) { short_ready( s, 0 ); }

/* -- quotes --------------------------------------------------------------- */

static inline void fill( sf_pump_swap_state_t const * s, int a_to_b, uint64_t in, uint64_t out, uint64_t quote,
                         sf_pump_fees_t const * fees, sf_quote_t * q ) {
  uint64_t leaves = fees->protocol + fees->creator;
  uint64_t a      = a_to_b ? s->base + in : s->base - out;
  uint64_t b      = a_to_b ? s->quote - out - leaves : s->quote + in - leaves;
  sf_quote_fill( q, in, out, a, b, !a_to_b,
                 a_to_b ? sf_product_impact( s->base, in ) : sf_product_impact( s->quote, quote ) );
  q->fee          = fees->lp + leaves;
  q->protocol_fee = fees->protocol;
  q->creator_fee  = fees->creator;
}

/* What `base` brings in a sale.  If `known`, *gross is what comes out of the curve for it. */
static inline uint32_t sell( sf_pump_swap_state_t const * s, uint64_t base, int known, uint64_t * gross,
                             sf_pump_fees_t * fees, uint64_t * out ) {
  if( __builtin_expect( !base, 0 ) ) return SF_PUMP_SWAP_ERR_ZERO_BASE;
  if( __builtin_expect( base > s->room[0], 0 ) ) return SF_PUMP_SWAP_ERR_OVERFLOW;
  if( !known ) *gross = s->quote ? sf_product_out( s->base, s->quote, base ) : 0;
  *fees        = sf_pump_fees_of( &s->rates, *gross );
  uint64_t all = sf_pump_fees_sum( fees );
  if( __builtin_expect( all > *gross, 0 ) ) return SF_PUMP_SWAP_ERR_OVERFLOW;
  if( __builtin_expect( s->payable < *gross - fees->lp, 0 ) ) return SF_PUMP_SWAP_ERR_REAL_QUOTE;
  *out = *gross - all;
  return 0;
}

typedef struct sale {
  uint64_t in;
  uint64_t gross;
  uint64_t out;
  sf_pump_fees_t fees;
} sale_t;

/* The least sale that pays `want`, of those whose gross amount is at least `gross`.  What is paid rises with that but
   for rounding: it takes a few steps at most, fewer if it goes `ahead` of amounts known to pay less. */
static inline uint32_t sale_of( sf_pump_swap_state_t const * s, uint64_t want, uint64_t gross, int ahead,
                                sale_t * sale ) {
  /* the least input for a gross amount brings just that, unless a base token is worth more than one of the quote */
  int known = s->quote <= s->base;
  if( ahead && known ) gross += sf_pump_short( &s->rates, want, gross ); /* else it mostly brings more than is short */
  for( ;; gross++ ) {
    uint64_t rest;
    if( __builtin_expect( !gross || gross >= s->quote, 0 ) ) return SF_PUMP_SWAP_ERR_REAL_QUOTE;
    if( sf_product_in( s->base, s->quote, gross, &sale->in, &rest ) ||
        __builtin_add_overflow( sale->in, (uint64_t)( rest > 0 ), &sale->in ) )
      return SF_PUMP_SWAP_ERR_OVERFLOW;
    uint32_t error = sell( s, sale->in, known, &gross, &sale->fees, &sale->out );
    if( error == SF_PUMP_SWAP_ERR_OVERFLOW && sale->in <= s->room[0] ) continue; /* the fees take more than all */
    if( __builtin_expect( error, 0 ) ) return error;
    sale->gross = gross;
    if( sale->out >= want ) return 0;
  }
}

static __attribute__( ( noinline ) ) void quote_in_long( sf_pump_swap_state_t const * s, int a_to_b, uint64_t amount_in,
                                                         uint64_t now, sf_quote_t * q ) {
  (void)now;
  sf_pump_fees_t fees;
  uint64_t gross, out;
  if( a_to_b ) {
    if( __builtin_expect( s->no_sales, 0 ) ) return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_NO_SALES );
    uint32_t error = sell( s, amount_in, 0, &gross, &fees, &out );
    if( __builtin_expect( error, 0 ) ) return sf_quote_refuse( q, error );
    return fill( s, 1, amount_in, out, gross, &fees, q );
  }
  if( __builtin_expect( s->no_buys, 0 ) ) return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_NO_BUYS );
  uint64_t net = sf_pump_net( &s->rates, amount_in, &fees );
  if( __builtin_expect( net < 2, 0 ) ) return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_BUDGET );
  uint64_t stays = amount_in - fees.protocol - fees.creator;
  if( __builtin_expect( stays > s->room[1] || stays > UINT64_MAX - s->quote, 0 ) )
    return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_OVERFLOW );
  out = sf_product_out( s->quote, s->base, net - 1 );
  if( __builtin_expect( !out, 0 ) ) return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_ZERO_BASE );
  if( __builtin_expect( out >= s->base, 0 ) ) return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_MORE_THAN_ALL );
  fill( s, 0, amount_in, out, net, &fees, q );
}

static __attribute__( ( noinline ) ) void quote_out_long( sf_pump_swap_state_t const * s, int a_to_b,
                                                          uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  (void)now;
  sf_pump_fees_t fees;
  uint64_t gross, rest, in;
  if( __builtin_expect( a_to_b ? s->no_sales : s->no_buys, 0 ) )
    return sf_quote_refuse( q, a_to_b ? SF_PUMP_SWAP_ERR_NO_SALES : SF_PUMP_SWAP_ERR_NO_BUYS );
  if( __builtin_expect( !amount_out, 0 ) ) return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_ZERO_BASE );
  if( a_to_b ) {
    sale_t sale;
    gross          = sf_pump_gross( &s->rates, amount_out );
    uint32_t error = sale_of( s, amount_out, gross, 1, &sale );
    if( __builtin_expect( error, 0 ) ) error = sale_of( s, amount_out, gross, 0, &sale ); /* which error is the first */
    if( __builtin_expect( error, 0 ) ) return sf_quote_refuse( q, error );
    return fill( s, 1, sale.in, sale.out, sale.gross, &sale.fees, q );
  }
  if( __builtin_expect( amount_out >= s->base, 0 ) ) return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_MORE_THAN_ALL );
  if( sf_product_in( s->quote, s->base, amount_out, &gross, &rest ) ||
      __builtin_add_overflow( gross, (uint64_t)( rest > 0 ), &gross ) )
    return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_OVERFLOW );
  fees = sf_pump_fees_of( &s->rates, gross );
  if( __builtin_add_overflow( gross, sf_pump_fees_sum( &fees ), &in ) )
    return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_OVERFLOW );
  uint64_t stays = gross + fees.lp;
  if( __builtin_expect( stays > s->room[1] || stays > UINT64_MAX - s->quote, 0 ) )
    return sf_quote_refuse( q, SF_PUMP_SWAP_ERR_OVERFLOW );
  fill( s, 0, in, amount_out, gross, &fees, q );
}

/* -- the short way ---------------------------------------------------------- */

/* Each takes the registers of its own way only. */
#define SHORT static __attribute__( ( noinline ) ) void

/* A swap of v into the reserve x of one token. */
static inline void fill_small( int a_to_b, uint64_t in, uint64_t out, uint64_t a, uint64_t b, uint64_t x, uint64_t v,
                               sf_pump_fees_t const * fees, sf_quote_t * q ) {
  sf_quote_fill( q, in, out, a, b, !a_to_b, sf_product_impact_small( x, v ) );
  q->fee          = sf_pump_fees_sum( fees );
  q->protocol_fee = fees->protocol;
  q->creator_fee  = fees->creator;
}

SHORT sell_in( sf_pump_swap_state_t const * s, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  if( __builtin_expect( amount_in - 1 >= s->small[0] || s->no_sales, 0 ) )
    return quote_in_long( s, 1, amount_in, now, q );
  uint64_t gross      = sf_product_out_small( s->base, s->quote, amount_in );
  sf_pump_fees_t fees = sf_pump_fees_small( &s->small_rates, gross );
  uint64_t leaves = gross - fees.lp, out = leaves - fees.protocol - fees.creator;
  if( __builtin_expect( (int64_t)out < 0 || leaves > s->payable, 0 ) ) return quote_in_long( s, 1, amount_in, now, q );
  fill_small( 1, amount_in, out, s->base + amount_in, s->quote - leaves, s->base, amount_in, &fees, q );
}

SHORT buy_in( sf_pump_swap_state_t const * s, uint64_t amount_in, uint64_t now, sf_quote_t * q ) {
  sf_pump_fees_t fees;
  if( __builtin_expect( amount_in - 1 >= s->small[1] || s->no_buys, 0 ) )
    return quote_in_long( s, 0, amount_in, now, q );
  int64_t net = sf_pump_net_small( &s->small_rates, amount_in, &fees );
  if( __builtin_expect( net < 2, 0 ) ) return quote_in_long( s, 0, amount_in, now, q );
  uint64_t out = sf_product_out_small( s->quote, s->base, (uint64_t)net - 1 );
  if( __builtin_expect( !out, 0 ) ) return quote_in_long( s, 0, amount_in, now, q );
  fill_small( 0, amount_in, out, s->base - out, s->quote + amount_in - fees.protocol - fees.creator, s->quote,
              (uint64_t)net, &fees, q );
}

/* What a sale leaves 0, and its impact as sf_product_impact_small, in as few stores as there can be: each that waits for
   the division keeps a later quote from its turn. */
static inline void fill_rest( sf_quote_t * q, uint64_t x, uint64_t v ) {
  __m128i const none = _mm_setzero_si128();
  double in          = (double)(int64_t)v;
  __m128i ppm        = _mm_cvttpd_epi32( _mm_set_sd( 1e6 * in / ( (double)(int64_t)x + in ) ) );
  _Static_assert( offsetof( sf_quote_t, crossed ) == offsetof( sf_quote_t, status ) + 16 &&
                      offsetof( sf_quote_t, impact_ppm ) == offsetof( sf_quote_t, crossed ) + 4,
                  "one store each" );
  _mm_storeu_si128( (__m128i *)&q->status, none ); /* to tick */
  _mm_storel_epi64( (__m128i *)&q->crossed, _mm_unpacklo_epi32( none, ppm ) );
  q->sqrt_price = 0;
  q->liquidity  = 0;
}

SHORT sell_out( sf_pump_swap_state_t const * s, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  if( __builtin_expect( amount_out - 1 >= s->small[1] || s->no_sales, 0 ) )
    return quote_out_long( s, 1, amount_out, now, q );
  uint64_t gross = sf_pump_gross_small( &s->small_rates, amount_out ), rest;
  if( __builtin_expect( gross > s->sale_most, 0 ) ) return quote_out_long( s, 1, amount_out, now, q );
  /* B+in = ceil( B*Q / (Q-gross) ): one multiplication less in the chain than ceil( B*gross / (Q-gross) ) */
  uint64_t low = (uint64_t)s->product, high = (uint64_t)( s->product >> 64 );
  __asm__( "subq %2, %0; sbbq $0, %1" : "+a"( low ), "+d"( high ) : "r"( gross ) : "cc" );
  uint64_t left = s->quote - gross, base = sf_div_word( high, low, left, &rest );
  uint64_t in = base - s->base;
  /* floor( Q*in / (B+in) ): Q*in is gross*(B+in) + left-1-rest; if B is at least Q, that is less than B+in */
  if( s->quote > s->base ) gross += ( left - 1 - rest ) / base;
  q->amount_in = in;
  q->reserve_a = base;
  __asm__( "" : "+r"( s ) ); /* read it again: too much for the registers */
  fill_rest( q, s->base, in );
  sf_pump_small_rates_t const * rates = &s->small_rates;
  uint64_t leaves                     = gross - rates->lp.one - sf_rate_down( &rates->lp, gross );
  __asm__( "" : "+r"( leaves ) ); /* here and below: no longer sum instead of it */
  uint64_t protocol = sf_rate_up( &rates->protocol, gross ), creator = 0, out = leaves - protocol;
  if( rates->creator.factor ) {
    creator = sf_rate_up( &rates->creator, gross );
    out -= creator;
  }
  __asm__( "" : "+r"( out ) );
  q->amount_out   = out;
  q->reserve_b    = s->quote - leaves;
  q->fee          = gross - out;
  q->protocol_fee = protocol;
  q->creator_fee  = creator;
  if( __builtin_expect( (int64_t)( out - amount_out ) < 0, 0 ) ) return quote_out_long( s, 1, amount_out, now, q );
}

SHORT buy_out( sf_pump_swap_state_t const * s, uint64_t amount_out, uint64_t now, sf_quote_t * q ) {
  uint64_t gross, more;
  if( __builtin_expect( amount_out - 1 >= s->small[0] || s->no_buys || amount_out >= s->base, 0 ) ||
      sf_product_in_small( s->quote, s->base, amount_out, &gross, &more ) ||
      __builtin_expect( gross > s->small[1], 0 ) )
    return quote_out_long( s, 0, amount_out, now, q );
  sf_pump_fees_t fees = sf_pump_fees_small( &s->small_rates, gross );
  uint64_t stays      = gross + fees.lp;
  fill_small( 0, stays + fees.protocol + fees.creator, amount_out, s->base - amount_out, s->quote + stays, s->quote,
              gross, &fees, q );
}

void sf_pump_swap_quote_in( sf_pump_swap_state_t const * s, int a_to_b, uint64_t amount_in, uint64_t now,
                            sf_quote_t * q ) {
  if( a_to_b ) sell_in( s, amount_in, now, q );
  else buy_in( s, amount_in, now, q );
}

void sf_pump_swap_quote_out( sf_pump_swap_state_t const * s, int a_to_b, uint64_t amount_out, uint64_t now,
                             sf_quote_t * q ) {
  if( a_to_b ) sell_out( s, amount_out, now, q );
  else buy_out( s, amount_out, now, q );
}
