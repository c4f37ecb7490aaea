/* pump_swap_math.h: what a trade of PumpSwap moves, in integers.

   Let B be the base in the pool, V the quote in its vault, Q = V + virtual reserves (signed).  A trade
   moves an amount of quote on the curve; from it each fee is ceil( amount*rate/10^4 ) by itself.

     buy:    ceil( Q*base / (B-base) ), the fees on top
     spend:  n = floor( budget*10^4 / (10^4+rates) ) less what n and its fees exceed the budget by;
             base = floor( B*(n-1) / (Q+n-1) ), all of the budget is paid
     sell:   floor( Q*base / (B+base) ), the fees off it; V must cover what leaves it

   Functions return 0 or the program's error.  Sources: pump-fun/pump-public-docs (PUMP_SWAP_README,
   VIRTUAL_QUOTE_RESERVES_FEE_ADJUSTMENT, idl/pump_amm.json), @pump-fun/pump-swap-sdk (buy.ts, sell.ts). */

#ifndef SF_SBF_PUMP_SWAP_MATH_H
#define SF_SBF_PUMP_SWAP_MATH_H

#include "sbf/sbf.h"

#define PUMP_SWAP_BASIS_POINTS 10000UL

enum {
  PUMP_SWAP_ZERO_BASE     = 6001,
  PUMP_SWAP_MORE_THAN_ALL = 6016,
  PUMP_SWAP_OVERFLOW      = 6023,
  PUMP_SWAP_BUDGET        = 6039,
  PUMP_SWAP_REAL_QUOTE    = 6063,
};

/* A pool before a trade. */
typedef struct pump_swap_pool {
  uint64_t base;
  uint64_t vault; /* quote in the vault */
  uint64_t quote; /* with virtual reserves: what prices */
  uint64_t kept;  /* of the vault: fees that wait in it */
  uint64_t lp_rate, protocol_rate, creator_rate;
} pump_swap_pool_t;

/* What a trade moves. */
typedef struct pump_swap_trade {
  uint64_t base;
  uint64_t quote; /* on the curve */
  uint64_t lp_fee, protocol_fee, creator_fee;
  uint64_t user_quote; /* what the user pays or gets */
} pump_swap_trade_t;

/* pump_swap_effective sets *quote to the vault and the signed virtual reserves together. */
SBF_FUNCTION uint64_t pump_swap_effective( uint64_t * quote, uint64_t vault, sbf_u128_t const * virtual_reserves ) {
  sbf_u128_t sum = sbf_u128_add( *virtual_reserves, sbf_u128( vault ) );
  *quote         = sum.lo;
  return sum.hi ? PUMP_SWAP_OVERFLOW : 0;
}

SBF_FUNCTION uint64_t pump_swap_fee( uint64_t amount, uint64_t rate ) {
  sbf_u128_t fee;
  sbf_mul_div( &fee, amount, rate, PUMP_SWAP_BASIS_POINTS, true );
  return fee.lo; /* no rate is above all */
}

SBF_FUNCTION void pump_swap_fees( pump_swap_pool_t const * pool, pump_swap_trade_t * trade, uint64_t amount ) {
  trade->lp_fee       = pump_swap_fee( amount, pool->lp_rate );
  trade->protocol_fee = pump_swap_fee( amount, pool->protocol_rate );
  trade->creator_fee  = pump_swap_fee( amount, pool->creator_rate );
}

/* pump_swap_room says whether reserves and vault can take `more` quote. */
SBF_FUNCTION bool pump_swap_room( pump_swap_pool_t const * pool, uint64_t more ) {
  return pool->quote + more >= more && pool->vault + more >= more;
}

SBF_FUNCTION uint64_t pump_swap_buy( pump_swap_pool_t const * pool, pump_swap_trade_t * trade, uint64_t base ) {
  if( !base ) return PUMP_SWAP_ZERO_BASE;
  if( base >= pool->base ) return PUMP_SWAP_MORE_THAN_ALL;
  sbf_u128_t quote;
  sbf_mul_div( &quote, pool->quote, base, pool->base - base, true );
  if( quote.hi ) return PUMP_SWAP_OVERFLOW;
  trade->base  = base;
  trade->quote = quote.lo;
  pump_swap_fees( pool, trade, quote.lo );
  sbf_u128_t stays = sbf_u128_add( quote, sbf_u128( trade->lp_fee ) );
  sbf_u128_t paid  = sbf_u128_add( stays, sbf_u128( trade->protocol_fee ) );
  paid             = sbf_u128_add( paid, sbf_u128( trade->creator_fee ) );
  if( paid.hi || !pump_swap_room( pool, stays.lo ) ) return PUMP_SWAP_OVERFLOW;
  trade->user_quote = paid.lo;
  return 0;
}

SBF_FUNCTION uint64_t pump_swap_spend( pump_swap_pool_t const * pool, pump_swap_trade_t * trade, uint64_t budget ) {
  sbf_u128_t net;
  uint64_t rates = pool->lp_rate + pool->protocol_rate + pool->creator_rate;
  sbf_mul_div( &net, budget, PUMP_SWAP_BASIS_POINTS, PUMP_SWAP_BASIS_POINTS + rates, false );
  pump_swap_fees( pool, trade, net.lo );
  uint64_t fees   = trade->lp_fee + trade->protocol_fee + trade->creator_fee;
  sbf_u128_t all  = sbf_u128_add( net, sbf_u128( fees ) );
  sbf_u128_t over = sbf_u128_sub( all, sbf_u128( budget ) );
  if( !sbf_u128_less( all, sbf_u128( budget ) ) ) net.lo = net.lo > over.lo ? net.lo - over.lo : 0;
  if( net.lo < 2 ) return PUMP_SWAP_BUDGET;
  uint64_t stays = budget - trade->protocol_fee - trade->creator_fee;
  if( !pump_swap_room( pool, stays ) ) return PUMP_SWAP_OVERFLOW;
  sbf_u128_t product, base, rest, divisor = sbf_u128_add( sbf_u128( pool->quote ), sbf_u128( net.lo - 1 ) );
  sbf_mul64( &product, pool->base, net.lo - 1 );
  sbf_u128_div( &base, &rest, &product, &divisor );
  if( !base.lo ) return PUMP_SWAP_ZERO_BASE;
  if( base.lo >= pool->base ) return PUMP_SWAP_MORE_THAN_ALL;
  trade->base       = base.lo;
  trade->quote      = net.lo;
  trade->user_quote = budget;
  return 0;
}

SBF_FUNCTION uint64_t pump_swap_sell( pump_swap_pool_t const * pool, pump_swap_trade_t * trade, uint64_t base ) {
  if( !base ) return PUMP_SWAP_ZERO_BASE;
  if( pool->base + base < base ) return PUMP_SWAP_OVERFLOW;
  sbf_u128_t quote;
  sbf_mul_div( &quote, pool->quote, base, pool->base + base, false );
  trade->base  = base;
  trade->quote = quote.lo;
  pump_swap_fees( pool, trade, quote.lo );
  uint64_t fees = trade->lp_fee + trade->protocol_fee + trade->creator_fee;
  if( fees > quote.lo ) return PUMP_SWAP_OVERFLOW;
  if( quote.lo - trade->lp_fee > pool->vault - pool->kept ) return PUMP_SWAP_REAL_QUOTE;
  trade->user_quote = quote.lo - fees;
  return 0;
}

#endif
