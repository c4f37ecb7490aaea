/* pump_fun_math.h: what a trade on pump.fun's newest curve moves, in integers.

   Let T be the virtual tokens, Q the virtual quote.  The curve gets or gives an amount of quote; each fee
   on it is ceil( amount*rate/10^4 ) by itself.

     buy:    floor( Q*tokens / (T-tokens) ) + 1, the fees on top
     spend:  n = floor( budget*10^4 / (10^4+rates) ) less what n and its fees exceed the budget by;
             tokens = floor( T*(n-1) / (Q+n-1) )
     sell:   floor( Q*tokens / (T+tokens) ), the fees off it; the real quote must cover it

   Functions return 0 or the program's error.  Sources: pump-fun/pump-public-docs (idl/pump.json: what it
   says of buy_exact_sol_in; PUMP_PROGRAM_README, bondingCurve.ts). */

#ifndef SF_SBF_PUMP_FUN_MATH_H
#define SF_SBF_PUMP_FUN_MATH_H

#include "sbf/sbf.h"

#define PUMP_BASIS_POINTS 10000UL

enum {
  PUMP_CODE_COMPLETE  = 6005,
  PUMP_CODE_BUY_ZERO  = 6020,
  PUMP_CODE_NO_TOKENS = 6021,
  PUMP_CODE_SELL_ZERO = 6022,
  PUMP_CODE_OVERFLOW  = 6024,
};

/* A curve before a trade. */
typedef struct pump_curve {
  uint64_t virtual_token, virtual_quote, real_token, real_quote;
  uint64_t protocol_rate, creator_rate;
  bool complete;
} pump_curve_t;

/* What a trade moves. */
typedef struct pump_moved {
  uint64_t tokens;
  uint64_t quote; /* on the curve */
  uint64_t protocol_fee, creator_fee;
  uint64_t user_quote; /* what the user pays or gets */
} pump_moved_t;

SBF_FUNCTION uint64_t pump_fee( uint64_t amount, uint64_t rate ) {
  sbf_u128_t fee;
  sbf_mul_div( &fee, amount, rate, PUMP_BASIS_POINTS, true );
  return fee.lo; /* no rate is above all */
}

SBF_FUNCTION void pump_fees( pump_curve_t const * curve, pump_moved_t * moved, uint64_t amount ) {
  moved->protocol_fee = pump_fee( amount, curve->protocol_rate );
  moved->creator_fee  = pump_fee( amount, curve->creator_rate );
}

/* pump_bought enters what a buy of `tokens` for `quote` pays, fees known. */
SBF_FUNCTION uint64_t pump_bought( pump_curve_t const * curve, pump_moved_t * moved, uint64_t tokens, uint64_t quote ) {
  if( !tokens ) return PUMP_CODE_BUY_ZERO;
  if( tokens > curve->real_token ) return PUMP_CODE_NO_TOKENS;
  sbf_u128_t paid = sbf_u128_add( sbf_u128( quote ), sbf_u128( moved->protocol_fee ) );
  paid            = sbf_u128_add( paid, sbf_u128( moved->creator_fee ) );
  if( paid.hi || curve->virtual_quote + quote < quote ) return PUMP_CODE_OVERFLOW;
  moved->tokens     = tokens;
  moved->quote      = quote;
  moved->user_quote = paid.lo;
  return 0;
}

SBF_FUNCTION uint64_t pump_curve_buy( pump_curve_t const * curve, pump_moved_t * moved, uint64_t tokens ) {
  if( curve->complete || !curve->virtual_token ) return PUMP_CODE_COMPLETE;
  if( !tokens ) return PUMP_CODE_BUY_ZERO;
  if( tokens > curve->real_token || tokens >= curve->virtual_token ) return PUMP_CODE_NO_TOKENS;
  sbf_u128_t quote;
  sbf_mul_div( &quote, curve->virtual_quote, tokens, curve->virtual_token - tokens, false );
  quote = sbf_u128_add( quote, sbf_u128( 1 ) );
  if( quote.hi ) return PUMP_CODE_OVERFLOW;
  pump_fees( curve, moved, quote.lo );
  return pump_bought( curve, moved, tokens, quote.lo );
}

SBF_FUNCTION uint64_t pump_curve_spend( pump_curve_t const * curve, pump_moved_t * moved, uint64_t budget ) {
  if( curve->complete || !curve->virtual_token ) return PUMP_CODE_COMPLETE;
  sbf_u128_t net, tokens;
  sbf_mul_div( &net, budget, PUMP_BASIS_POINTS, PUMP_BASIS_POINTS + curve->protocol_rate + curve->creator_rate, false );
  pump_fees( curve, moved, net.lo );
  sbf_u128_t all = sbf_u128_add( net, sbf_u128( moved->protocol_fee + moved->creator_fee ) );
  if( sbf_u128_less( sbf_u128( budget ), all ) ) {
    uint64_t over = sbf_u128_sub( all, sbf_u128( budget ) ).lo;
    net.lo        = net.lo > over ? net.lo - over : 0;
  }
  if( net.lo < 2 ) return PUMP_CODE_BUY_ZERO;
  if( curve->virtual_quote + net.lo < net.lo ) return PUMP_CODE_OVERFLOW;
  sbf_mul_div( &tokens, curve->virtual_token, net.lo - 1, curve->virtual_quote + net.lo - 1, false );
  return pump_bought( curve, moved, tokens.lo, net.lo );
}

SBF_FUNCTION uint64_t pump_curve_sell( pump_curve_t const * curve, pump_moved_t * moved, uint64_t tokens ) {
  if( curve->complete || !curve->virtual_token ) return PUMP_CODE_COMPLETE;
  if( !tokens ) return PUMP_CODE_SELL_ZERO;
  if( curve->virtual_token + tokens < tokens ) return PUMP_CODE_OVERFLOW;
  sbf_u128_t quote;
  sbf_mul_div( &quote, curve->virtual_quote, tokens, curve->virtual_token + tokens, false );
  pump_fees( curve, moved, quote.lo );
  uint64_t fees = moved->protocol_fee + moved->creator_fee;
  if( quote.lo > curve->real_quote || fees > quote.lo ) return PUMP_CODE_OVERFLOW;
  moved->tokens     = tokens;
  moved->quote      = quote.lo;
  moved->user_quote = quote.lo - fees;
  return 0;
}

#endif
