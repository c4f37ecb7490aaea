/* pump_fee.h: what pump.fun's two programs charge, the bonding curve and PumpSwap.

   Fees are taken in the quote token: added to a buy, deducted from a sell.  Each is a share in basis points of the
   amount that the curve moves, rounded up by itself; the program of January 2025 rounded its only one down.
   The rates are in the fee program's config account, by the coin's market cap before the trade:

     pool or curve is   quoted in            pays
     not pump.fun's     anything             flat
     pump.fun's         SOL                  the last of `tier` whose market cap is reached, at least the first
     pump.fun's         USDC                 the same of `stable`, or of `tier` if there is none
     pump.fun's         anything else        exotic, or flat while that is all zero

   A coin without a creator pays no creator's fee; a coin's own rate may replace the config's (global accounts say).
   Source: pump-fun/pump-public-docs, @pump-fun/pump-swap-sdk (fees.ts, buy.ts), @pump-fun/pump-sdk (bondingCurve.ts). */

#ifndef SF_DEX_PUMP_FEE_H
#define SF_DEX_PUMP_FEE_H

#include "dex/product.h"

extern uint8_t const sf_pump_fee_program[32]; /* pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ */

#define SF_PUMP_FEE_CONFIG_BYTES_MIN 2512
#define SF_PUMP_TIER_MAX             128
#define SF_PUMP_BPS_MAX              5000               /* of all rates together; more is taken for wrong bytes */
#define SF_PUMP_SUPPLY               1000000000000000UL /* of every coin that pump.fun makes */

/* What decoded shared accounts are; the first word of each. */
#define SF_PUMP_GLOBAL     1 /* a program's global account */
#define SF_PUMP_FEE_CONFIG 2

#define SF_PUMP_EVENT_TAG 0x1d9acb512ea545e4UL /* in front of an event that a program sends to itself */

typedef struct sf_pump_rates {
  uint32_t lp; /* basis points; stays in the pool */
  uint32_t protocol;
  uint32_t creator; /* also cashback to the buyer, where a coin gives that instead */
  uint32_t floor;   /* 1: rounded down (2025-01) */
} sf_pump_rates_t;

/* The same for the short way of quotes (dex/product.h). */
typedef struct sf_pump_small_rates {
  sf_rate_t lp;
  sf_rate_t protocol;
  sf_rate_t creator;
  sf_rate_t keep;      /* what is left of a budget */
  sf_rate_t on_top[3]; /* lp, protocol and creator of what all of them leave */
  uint64_t ones;       /* of the last three */
  uint64_t _pad0;
} sf_pump_small_rates_t;

/* Who fees are paid to, as a program's global account says. */
typedef struct sf_pump_recipients {
  uint8_t fee[32];
  uint8_t reserved[32]; /* of coins in mayhem mode */
  uint8_t buyback[32];  /* zero before there was one (April 2026) */
} sf_pump_recipients_t;

typedef struct sf_pump_tier {
  sf_u128_t market_cap; /* base units of the quote token */
  sf_pump_rates_t rates;
} sf_pump_tier_t;

typedef struct sf_pump_fee_config {
  uint64_t kind; /* SF_PUMP_FEE_CONFIG */
  sf_pump_rates_t flat;
  sf_pump_rates_t exotic;
  uint32_t tier_cnt;
  uint32_t stable_cnt; /* behind the others in `tier` */
  sf_pump_tier_t tier[SF_PUMP_TIER_MAX];
} sf_pump_fee_config_t;

/* sf_pump_fee_config_is says if an account has the config's discriminator. */
int sf_pump_fee_config_is( uint8_t const * data, uint32_t len );

/* sf_pump_fee_config_decode reads the config; its length says which of the parts it has.
   Returns 0 or SF_ERR_DATA with the offset. */
int sf_pump_fee_config_decode( uint8_t const * data, uint32_t len, sf_pump_fee_config_t * out );

/* sf_pump_fee_rates writes what a trade at this market cap pays.  quote_mint all zero is SOL.
   Returns 0, or SF_ERR_DATA if the config has no tier. */
int sf_pump_fee_rates( sf_pump_fee_config_t const * config, int pumps, uint8_t const quote_mint[32],
                       sf_u128_t market_cap, sf_pump_rates_t * out );

/* sf_pump_rates_check returns 0, or SF_ERR_DATA if rates at `offset` of `what` are more than SF_PUMP_BPS_MAX. */
int sf_pump_rates_check( uint64_t lp, uint64_t protocol, uint64_t creator, char const * what, uint32_t offset );

/* sf_pump_rates_ready works out rates for the short way and returns up to which amount of the quote token it may be taken,
   0 if there is none for such rates. */
uint64_t sf_pump_rates_ready( sf_pump_rates_t const * r, sf_pump_small_rates_t * out );

/* sf_pump_fields_check says that bytes from `end`, the last field's end, to len are zero: room for fields that we do
   not know.  Returns 0 or SF_ERR_DATA with the offset. */
int sf_pump_fields_check( uint8_t const * data, uint32_t len, uint32_t end, char const * what );

/* sf_pump_derive is the address that a program derives from a word and, unless NULL, a key.  Returns 0 or fails as
   sf_address_find. */
int sf_pump_derive( char const * word, uint8_t const * key, uint8_t const program[32], uint8_t out[32] );

/* -- amounts; all hot ------------------------------------------------------ */

typedef struct sf_pump_fees {
  uint64_t lp;
  uint64_t protocol;
  uint64_t creator;
} sf_pump_fees_t;

static inline sf_pump_fees_t sf_pump_fees_of( sf_pump_rates_t const * r, uint64_t amount ) {
  if( __builtin_expect( r->floor, 0 ) )
    return ( sf_pump_fees_t ){ sf_bps_of( amount, r->lp ), sf_bps_of( amount, r->protocol ),
                               sf_bps_of( amount, r->creator ) };
  return ( sf_pump_fees_t ){ sf_bps_up( amount, r->lp ), sf_bps_up( amount, r->protocol ),
                             sf_bps_up( amount, r->creator ) };
}

static inline uint64_t sf_pump_fees_sum( sf_pump_fees_t const * f ) { return f->lp + f->protocol + f->creator; }

/* sf_pump_net is what of a budget goes into the curve: floor( budget*10^4 / (10^4+rates) ), less what rounding up makes
   the fees too much.  The fees are those before that. */
static inline uint64_t sf_pump_net( sf_pump_rates_t const * r, uint64_t budget, sf_pump_fees_t * fees ) {
  uint64_t d   = SF_BPS + r->lp + r->protocol + r->creator, net, rest;
  sf_u128_t n  = (sf_u128_t)budget * SF_BPS; /* its high word is below 10^4 */
  net          = sf_div_word( (uint64_t)( n >> 64 ), (uint64_t)n, d, &rest );
  *fees        = sf_pump_fees_of( r, net );
  uint64_t all = net + sf_pump_fees_sum( fees ); /* exceeds the budget by less than 3 */
  int64_t over = (int64_t)( all - budget );
  over &= ~( over >> 63 ); /* without a branch: every other budget has some */
  return net > (uint64_t)over ? net - (uint64_t)over : 0;
}

/* sf_pump_gross is an amount below or at the least of which `want` remains after fees: each that is rounded down may
   leave one more.  0 if it does not fit. */
static inline uint64_t sf_pump_gross( sf_pump_rates_t const * r, uint64_t want ) {
  uint64_t rates = r->lp + r->protocol + r->creator, d = SF_BPS - rates, whole;
  if( __builtin_expect( r->floor, 0 ) ) want = want > 3 ? want - 3 : 0;
  if( __builtin_mul_overflow( want / d, (uint64_t)SF_BPS, &whole ) ||
      __builtin_add_overflow( whole, ( want % d * SF_BPS + d - 1 ) / d, &whole ) )
    return 0;
  return whole ? whole : 1;
}

/* sf_pump_short is how much less than `want` remains of the amount that sf_pump_gross says.  Each unit more leaves at
   most one more, so the amount is short by at least so many.  May be 0 in any case. */
static inline uint64_t sf_pump_short( sf_pump_rates_t const * r, uint64_t want, uint64_t gross ) {
  if( __builtin_expect( !gross || gross > UINT64_MAX / 2, 0 ) ) return 0; /* so that the sum of both fits */
  sf_pump_fees_t fees = sf_pump_fees_of( r, gross );
  int64_t off         = (int64_t)( want - ( gross - sf_pump_fees_sum( &fees ) ) );
  return (uint64_t)( off & ~( off >> 63 ) ); /* without a branch: every other amount is short */
}

/* -- the short way; amounts are not 0 -------------------------------------- */

static inline sf_pump_fees_t sf_pump_fees_small( sf_pump_small_rates_t const * r, uint64_t amount ) {
  return ( sf_pump_fees_t ){ sf_rate_up( &r->lp, amount ), sf_rate_up( &r->protocol, amount ),
                             sf_rate_up( &r->creator, amount ) };
}

/* sf_pump_net_small is sf_pump_net, below 2 also where that says 0. */
static inline int64_t sf_pump_net_small( sf_pump_small_rates_t const * r, uint64_t budget, sf_pump_fees_t * fees ) {
  uint64_t net = sf_rate_down( &r->keep, budget );
  *fees        = sf_pump_fees_small( r, net );
  int64_t over = (int64_t)( net + sf_pump_fees_sum( fees ) - budget );
  return (int64_t)net - ( over & ~( over >> 63 ) );
}

/* sf_pump_gross_small is an amount below or at the least of which `want` remains after fees.  That is at least want and the
   fees of want/(1-rates), each rounded up; fees are no lower on what is more. */
static inline uint64_t sf_pump_gross_small( sf_pump_small_rates_t const * r, uint64_t want ) {
  return want + r->ones + sf_rate_down( &r->on_top[0], want ) + sf_rate_down( &r->on_top[1], want ) +
         sf_rate_down( &r->on_top[2], want );
}

#endif
