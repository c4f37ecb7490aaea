#include "trade/risk.h"

#include <string.h>

#include "dex/bps.h"
#include "dex/venue.h"

#define NS              1000000000UL
#define DAY_NS          ( 86400UL * NS )
#define PAST_FIRST( r ) ( ( r )->past_cnt > SF_RISK_PAST_MAX ? ( r )->past_cnt - SF_RISK_PAST_MAX : 0 )

void sf_risk_init( sf_risk_t * r, uint64_t run, uint64_t now_ns, uint64_t utc_ns ) {
  r->run       = run;
  r->base      = SF_RISK_TOKEN_NONE;
  r->day       = utc_ns / DAY_NS;
  r->bucket    = r->limit.max_orders_per_second * NS;
  r->bucket_ns = now_ns;
  for( uint32_t b = 0; b < SF_RISK_BOT_MAX; b++ ) r->bot[b].running = r->bot[b].name[0] != 0;
}

/* A position that is about to change. */
static sf_position_row_t * position_at( sf_risk_t * r, uint32_t token ) {
  r->changed[token / 64] |= 1UL << token % 64;
  return &r->position[token];
}

void sf_risk_token( sf_risk_t * r, uint8_t const mint[32] ) {
  if( r->token_cnt == SF_RISK_TOKEN_MAX ) return;
  uint32_t token = r->token_cnt++;
  memcpy( position_at( r, token )->mint, mint, 32 );
  r->token_max[token] = UINT64_MAX;
  if( !memcmp( mint, r->base_mint, 32 ) ) r->base = token;
  for( uint32_t i = 0; i < r->mint_cnt; i++ )
    if( !memcmp( mint, r->mint[i], 32 ) ) r->token_max[token] = r->mint_max[i];
  r->safety[token].listed = token == r->base;
  for( uint32_t i = 0; i < r->listed_cnt; i++ )
    if( !memcmp( mint, r->listed[i], 32 ) ) r->safety[token].listed = 1;
}

/* -- time ----------------------------------------------------------------- */

static void day_roll( sf_risk_t * r, uint64_t utc_ns ) {
  if( utc_ns / DAY_NS <= r->day ) return;
  r->day                      = utc_ns / DAY_NS;
  r->limit.today_lamports     = 0;
  r->limit.today_fee_lamports = 0;
  for( uint32_t i = 0; i < r->token_cnt; i++ ) position_at( r, i )->booked_today = 0;
}

static void bucket_fill( sf_risk_t * r, uint64_t now_ns ) {
  uint64_t rate = r->limit.max_orders_per_second;
  uint64_t dt   = now_ns > r->bucket_ns ? now_ns - r->bucket_ns : 0;
  if( dt > NS ) dt = NS;
  r->bucket += dt * rate;
  if( r->bucket > rate * NS ) r->bucket = rate * NS;
  if( now_ns > r->bucket_ns ) r->bucket_ns = now_ns;
}

/* -- the gate ------------------------------------------------------------- */

typedef struct verdict {
  uint32_t reason; /* 0 = go on */
  uint64_t have;
  uint64_t allowed;
} verdict_t;

#define DENY( why, is, may ) \
  return ( verdict_t ) { SF_DENY_##why, ( is ), ( may ) }
#define PASS \
  return ( verdict_t ) { 0, 0, 0 }

/* An exit: the only thing that may go on when trading is to be reduced. */
static int reduces( sf_risk_t const * r, sf_intent_t const * i ) {
  return i->flags & SF_INTENT_REDUCE && i->kind == SF_INTENT_SWAP && i->token_out == r->base;
}

/* The bot of an intent, NULL if it is not known. */
static inline sf_bot_row_t const * bot_of( sf_risk_t const * r, sf_intent_t const * i ) {
  return i->bot < SF_RISK_BOT_MAX && r->bot[i->bot].name[0] ? &r->bot[i->bot] : 0;
}

static verdict_t check_kill( sf_risk_t const * r, sf_intent_t const * i, sf_risk_view_t const * v,
                             sf_bot_row_t const * bot ) {
  if( v->kill >= SF_KILL_HALT ) DENY( KILLED, v->kill, SF_KILL_RUN );
  if( v->kill == SF_KILL_REDUCE && !reduces( r, i ) ) DENY( KILLED, v->kill, SF_KILL_RUN );
  if( bot && !bot->running ) DENY( KILLED, SF_KILL_HALT, SF_KILL_RUN );
  PASS;
}

static verdict_t check_trading( sf_risk_t const * r, sf_risk_view_t const * v ) {
  if( !v->trading ) DENY( NOT_TRADING, 0, 1 );
  if( v->supervisor_age_ns > r->supervisor_timeout_ns )
    DENY( NOT_TRADING, v->supervisor_age_ns, r->supervisor_timeout_ns );
  PASS;
}

/* have: what is wrong.  1 length, 2 bot, 3 kind, 4 hops, 5 amounts, 6 a hop sells more than the one before is sure to give,
   7 a pool twice, 8 tokens do not lead from one to the other. */
static verdict_t check_form( sf_intent_t const * i, sf_risk_view_t const * v, sf_bot_row_t const * bot ) {
  if( v->length != sizeof( *i ) ) DENY( MALFORMED, 1, sizeof( *i ) );
  if( !bot || !i->intent ) DENY( MALFORMED, 2, 0 );
  if( i->kind != SF_INTENT_CYCLE && i->kind != SF_INTENT_SWAP ) DENY( MALFORMED, 3, 0 );
  if( ( i->kind == SF_INTENT_CYCLE ) != ( i->token_in == i->token_out ) ) DENY( MALFORMED, 3, 0 );
  uint32_t n = i->hop_cnt;
  if( !n || n > SF_HOP_MAX ) DENY( MALFORMED, 4, SF_HOP_MAX );
  if( !i->amount_in || i->hop[0].amount_in != i->amount_in || i->hop[n - 1].min_out != i->min_out )
    DENY( MALFORMED, 5, 0 );
  for( uint32_t h = 0; h < n; h++ ) {
    sf_hop_t const * hop = &i->hop[h];
    if( !hop->amount_in || !hop->min_out || hop->a_to_b > 1 ) DENY( MALFORMED, 5, h );
    if( h && hop->amount_in > i->hop[h - 1].min_out ) DENY( MALFORMED, 6, h );
    for( uint32_t k = 0; k < h; k++ )
      if( i->hop[k].pool == hop->pool ) DENY( MALFORMED, 7, h );
  }
  uint32_t token = i->token_in;
  for( uint32_t h = 0; h < n && v->pool_state[h] != SF_RISK_POOL_UNKNOWN; h++ ) {
    sf_pool_update_t const * p = v->pool[h];
    if( token != ( i->hop[h].a_to_b ? p->token_a : p->token_b ) ) DENY( MALFORMED, 8, h );
    token = i->hop[h].a_to_b ? p->token_b : p->token_a;
    if( h == n - 1 && token != i->token_out ) DENY( MALFORMED, 8, n );
  }
  PASS;
}

static verdict_t check_data( sf_risk_t const * r, sf_intent_t const * i, sf_risk_view_t const * v ) {
  uint64_t age = v->now_ns > v->t_origin ? v->now_ns - v->t_origin : 0;
  uint64_t lag = v->chain_slot > i->slot ? v->chain_slot - i->slot : 0;
  if( age > r->limit.max_data_age_ns ) DENY( STALE, age, r->limit.max_data_age_ns );
  if( r->limit.max_slot_lag && lag > r->limit.max_slot_lag ) DENY( STALE, lag, r->limit.max_slot_lag );
  sf_hop_t const * unknown = 0; /* the first */
  for( uint32_t h = 0; h < i->hop_cnt; h++ ) {
    sf_pool_update_t const * p = v->pool[h];
    if( v->pool_state[h] == SF_RISK_POOL_STALE ) DENY( STALE, i->hop[h].pool, 0 );
    if( v->pool_state[h] != SF_RISK_POOL_GOOD || p->venue != i->hop[h].venue || p->flags & SF_POOL_DISABLED ||
        p->open_time > p->unix_s )
      unknown = unknown ? unknown : &i->hop[h];
  }
  if( unknown ) DENY( UNKNOWN_POOL, unknown->pool, 0 );
  if( i->token_in >= r->token_cnt || i->token_out >= r->token_cnt ) DENY( UNKNOWN_POOL, i->hop[0].pool, 0 );
  PASS;
}

/* have: what the last verdict is (SF_VERDICT_*, 0 = none) against one that passes; its age in slots; the row of the token
   that is paid with, if the verdict speaks of another; or what is put in. */
static verdict_t check_safety( sf_risk_t const * r, sf_intent_t const * i, sf_risk_view_t const * v ) {
  sf_risk_safety_t const * s = &r->safety[i->token_out];
  if( !r->safety_gate || i->kind != SF_INTENT_SWAP || s->listed ) PASS;
  uint32_t last  = i->hop_cnt - 1u;
  uint32_t quote = i->hop[last].a_to_b ? v->pool[last]->token_a : v->pool[last]->token_b;
  uint64_t slot  = v->chain_slot > i->slot ? v->chain_slot : i->slot;
  uint64_t age   = slot > s->slot ? slot - s->slot : 0;
  if( s->outcome != SF_VERDICT_PASSES ) DENY( UNSAFE, s->outcome, SF_VERDICT_PASSES );
  if( age > r->verdict_slots ) DENY( UNSAFE, age, r->verdict_slots );
  if( quote != s->quote ) DENY( UNSAFE, quote, s->quote );
  if( i->hop[last].amount_in > s->amount ) DENY( UNSAFE, i->hop[last].amount_in, s->amount );
  PASS;
}

/* Size and count limits.  `value` is the order's size in lamports, UINT64_MAX if it has none. */
static verdict_t check_size( sf_risk_t const * r, sf_intent_t const * i, uint64_t value ) {
  sf_limit_row_t const * l = &r->limit;
  if( value == UINT64_MAX || value > l->max_order_lamports ) DENY( ORDER_SIZE, value, l->max_order_lamports );
  if( i->amount_in > r->token_max[i->token_in] ) DENY( MINT_SIZE, i->amount_in, r->token_max[i->token_in] );
  if( value > l->max_open_lamports || l->open_lamports > l->max_open_lamports - value )
    DENY( EXPOSURE, l->open_lamports + value, l->max_open_lamports );
  if( l->open_orders >= l->max_open_orders || r->open_cnt == SF_RISK_OPEN_MAX )
    DENY( OPEN_ORDERS, l->open_orders + 1, l->max_open_orders );
  if( r->bucket < NS ) DENY( RATE, l->max_orders_per_second + 1, l->max_orders_per_second );
  PASS;
}

static verdict_t check_cost( sf_risk_t const * r, sf_intent_t const * i, uint64_t fee, uint64_t cost ) {
  sf_limit_row_t const * l = &r->limit;
  uint64_t loss            = ( l->today_lamports < 0 ? 0 - (uint64_t)l->today_lamports : 0 ) + r->open_cost;
  uint64_t used            = l->today_fee_lamports + r->open_cost;
  if( !reduces( r, i ) && ( cost > l->max_daily_loss_lamports || loss > l->max_daily_loss_lamports - cost ) )
    DENY( DAILY_LOSS, loss + cost, l->max_daily_loss_lamports );
  if( i->tip_lamports > l->max_tip_lamports ) DENY( FEE, i->tip_lamports, l->max_tip_lamports );
  if( fee - SF_SIGNATURE_LAMPORTS > l->max_priority_fee_lamports )
    DENY( FEE, fee - SF_SIGNATURE_LAMPORTS, l->max_priority_fee_lamports );
  if( cost > l->max_daily_fee_lamports || used > l->max_daily_fee_lamports - cost )
    DENY( FEE, used + cost, l->max_daily_fee_lamports );
  PASS;
}

/* Each hop must be able to give its min_out, and must ask for nearly all it can give. */
static verdict_t check_price( sf_risk_t const * r, sf_intent_t const * i, uint64_t const * quote ) {
  for( uint32_t h = 0; h < i->hop_cnt; h++ ) {
    uint64_t least = sf_bps_of( quote[h], SF_BPS - r->limit.collar_bps );
    if( i->hop[h].min_out > quote[h] ) DENY( QUOTE, i->hop[h].min_out, quote[h] );
    if( i->hop[h].min_out < least ) DENY( COLLAR, i->hop[h].min_out, least );
  }
  PASS;
}

/* What an order takes while it is open. */
typedef struct takes {
  uint64_t value;
  uint64_t cost;
  uint64_t lamports; /* beside the cost */
  uint64_t reserved; /* of token_in */
} takes_t;

/* The part of the hops' amounts that the wallet has to have in lamports. */
static uint64_t paid_in_lamports( sf_intent_t const * i ) {
  uint64_t sum = 0;
  for( uint32_t h = 0; h < i->hop_cnt; h++ )
    if( i->hop[h].venue == SF_VENUE_PUMP_FUN && !i->hop[h].a_to_b ) {
      uint64_t amount = i->hop[h].amount_in;
      sum             = sum + amount < sum ? UINT64_MAX : sum + amount;
    }
  return sum;
}

/* What the wallet has to have in its account of token_in. */
static uint64_t paid_in_token( sf_intent_t const * i ) {
  return i->hop[0].venue == SF_VENUE_PUMP_FUN && !i->hop[0].a_to_b ? 0 : i->amount_in;
}

static verdict_t check_result( sf_risk_t const * r, sf_intent_t const * i, sf_risk_view_t const * v,
                               takes_t const * takes ) {
  sf_position_row_t const * p = &r->position[i->token_in];
  uint64_t free = p->balance > 0 && (uint64_t)p->balance > p->reserved ? (uint64_t)p->balance - p->reserved : 0;
  uint64_t cost = takes->cost;
  if( takes->reserved > free ) DENY( BALANCE, i->amount_in, free );
  uint64_t bound    = r->open_cost + r->open_lamports;
  uint64_t lamports = v->wallet_lamports > bound ? v->wallet_lamports - bound : 0;
  if( cost > lamports || takes->lamports > lamports - cost ) DENY( BALANCE, cost + takes->lamports, lamports );
  if( i->kind == SF_INTENT_CYCLE ) {
    uint64_t needed = i->token_in == r->base ? i->amount_in + cost : i->amount_in;
    if( needed < i->amount_in || i->min_out < needed ) DENY( UNPROFITABLE, i->min_out, needed );
  }
  if( !v->order_credit ) DENY( CREDIT, 0, 1 );
  PASS;
}

#define CHECK( call )                                             \
  do {                                                            \
    verdict_t verdict_ = call;                                    \
    if( __builtin_expect( verdict_.reason, 0 ) ) return verdict_; \
  } while( 0 )

/* All checks in their order, which change nothing; if all pass `takes` is what the order will. */
static __attribute__( ( noinline ) ) verdict_t check( sf_risk_t const * r, sf_intent_t const * i,
                                                      sf_risk_view_t const * v, sf_bot_row_t const * bot,
                                                      takes_t * takes ) {
  CHECK( check_kill( r, i, v, bot ) );
  CHECK( check_trading( r, v ) );
  CHECK( check_form( i, v, bot ) );
  if( i->intent <= r->last_intent[i->bot] ) DENY( DUPLICATE, i->intent, r->last_intent[i->bot] + 1 );
  CHECK( check_data( r, i, v ) );
  CHECK( check_safety( r, i, v ) );

  uint64_t quote[SF_HOP_MAX];
  for( uint32_t h = 0; h < i->hop_cnt; h++ )
    quote[h] = sf_pool_out( v->pool[h], i->hop[h].a_to_b, i->hop[h].amount_in );
  uint64_t value = i->token_in == r->base ? i->amount_in : i->token_out == r->base ? quote[i->hop_cnt - 1] : UINT64_MAX;
  uint64_t fee   = sf_cost_fee_lamports( &r->cost, i );
  uint64_t cost  = fee + i->tip_lamports < fee ? UINT64_MAX : fee + i->tip_lamports;
  *takes         = ( takes_t ){ value, cost, paid_in_lamports( i ), paid_in_token( i ) };

  CHECK( check_size( r, i, value ) );
  CHECK( check_cost( r, i, fee, cost ) );
  CHECK( check_price( r, i, quote ) );
  CHECK( check_result( r, i, v, takes ) );
  PASS;
}

uint32_t sf_risk_check( sf_risk_t const * r, sf_intent_t const * intent, sf_risk_view_t const * v ) {
  takes_t takes;
  return check( r, intent, v, bot_of( r, intent ), &takes ).reason;
}

static uint64_t reserve( sf_risk_t * r, sf_intent_t const * i, takes_t const * takes ) {
  uint32_t at       = r->open_cnt++;
  uint64_t order    = r->run << 32 | ++r->order_cnt;
  r->open_order[at] = order;
  r->open[at]       = ( sf_risk_open_t ){ .value    = takes->value,
                                          .cost     = takes->cost,
                                          .lamports = takes->lamports,
                                          .reserved = takes->reserved,
                                          .token_in = i->token_in,
                                          .bot      = i->bot };
  r->bucket -= NS;
  r->open_cost += takes->cost;
  r->open_lamports += takes->lamports;
  r->limit.open_lamports += takes->value;
  r->limit.open_orders++;
  position_at( r, i->token_in )->reserved += takes->reserved;
  return order;
}

uint32_t sf_risk_gate( sf_risk_t * r, sf_intent_t const * intent, sf_risk_view_t const * v, uint64_t * order,
                       sf_denied_t * denied ) {
  day_roll( r, v->utc_ns );
  bucket_fill( r, v->now_ns );
  sf_bot_row_t * bot = (sf_bot_row_t *)bot_of( r, intent );
  takes_t takes;
  verdict_t verdict = check( r, intent, v, bot, &takes );
  if( bot ) bot->intents++;
  if( __builtin_expect( !verdict.reason, 1 ) ) {
    r->last_intent[intent->bot] = intent->intent;
    bot->orders++;
    *order = reserve( r, intent, &takes );
    return 0;
  }
  if( verdict.reason > SF_DENY_DUPLICATE ) r->last_intent[intent->bot] = intent->intent;
  r->limit.denied[verdict.reason]++;
  if( bot ) {
    bot->denied++;
    bot->last_reason = verdict.reason;
  }
  *denied = ( sf_denied_t ){ intent->intent, intent->bot, verdict.reason, verdict.have, verdict.allowed };
  return verdict.reason;
}

/* -- the books ------------------------------------------------------------ */

/* Releases an open order; 0 if it is not open. */
static int open_release( sf_risk_t * r, uint64_t order ) {
  uint32_t at = 0;
  while( at < r->open_cnt && r->open_order[at] != order ) at++;
  if( at == r->open_cnt ) return 0;
  sf_risk_open_t const * open = &r->open[at];
  r->open_cost -= open->cost;
  r->open_lamports -= open->lamports;
  r->limit.open_lamports -= open->value;
  r->limit.open_orders--;
  position_at( r, open->token_in )->reserved -= open->reserved;
  r->open_cnt--;
  r->open_order[at] = r->open_order[r->open_cnt];
  r->open[at]       = r->open[r->open_cnt];
  return 1;
}

static int past_known( sf_risk_t const * r, uint64_t order ) {
  for( uint64_t i = PAST_FIRST( r ); i < r->past_cnt; i++ )
    if( r->past_order[i % SF_RISK_PAST_MAX] == order ) return 1;
  return 0;
}

static void position_book( sf_risk_t * r, uint32_t token, int64_t delta ) {
  if( token >= r->token_cnt ) return;
  sf_position_row_t * p = position_at( r, token );
  p->balance += delta;
  p->booked += delta;
  p->booked_today += delta;
}

/* What a landed fill earned or lost, fee and tip (`paid`) not counted. */
static int64_t fill_result( sf_risk_t * r, sf_fill_t const * f, uint64_t paid ) {
  int64_t lamports = f->delta_lamports + (int64_t)paid;
  if( f->kind == SF_INTENT_CYCLE ) return lamports + ( f->token_in == r->base ? f->delta_in : 0 );
  if( f->token_in == r->base ) {
    int64_t price = -( f->delta_in + lamports );
    if( f->token_out >= r->token_cnt || price <= 0 || f->delta_out <= 0 ) return 0;
    sf_risk_lot_t * lot = &r->lot[f->token_out];
    lot->amount += (uint64_t)f->delta_out;
    lot->cost_lamports += (uint64_t)price;
    return 0;
  }
  if( f->token_out == r->base ) {
    int64_t proceeds = f->delta_out + lamports;
    if( f->token_in >= r->token_cnt || proceeds <= 0 || f->delta_in >= 0 ) return 0;
    sf_risk_lot_t * lot = &r->lot[f->token_in];
    uint64_t sold       = 0 - (uint64_t)f->delta_in;
    uint64_t part       = sold < lot->amount ? sold : lot->amount;
    if( !part ) return 0;
    uint64_t cost = (uint64_t)( (unsigned __int128)lot->cost_lamports * part / lot->amount );
    uint64_t got  = (uint64_t)( (unsigned __int128)(uint64_t)proceeds * part / sold );
    lot->amount -= part;
    lot->cost_lamports -= cost;
    return (int64_t)( got - cost );
  }
  return lamports;
}

int sf_risk_fill( sf_risk_t * r, sf_fill_t const * f, uint64_t utc_ns ) {
  int past = ( f->flags & SF_FILL_RECOVERED ) != 0;
  day_roll( r, utc_ns );
  if( past && past_known( r, f->order ) ) return 0;
  if( !open_release( r, f->order ) && !past ) return 0;
  if( past ) r->past_order[r->past_cnt++ % SF_RISK_PAST_MAX] = f->order;

  int landed             = f->outcome == SF_FILL_LANDED;
  sf_bot_row_t * bot     = f->bot < SF_RISK_BOT_MAX ? &r->bot[f->bot] : 0;
  sf_position_row_t * in = f->token_in < r->token_cnt ? position_at( r, f->token_in ) : 0;
  uint64_t paid          = f->fee_lamports + ( landed ? f->tip_lamports : 0 );
  int64_t result         = 0;
  if( landed ) {
    position_book( r, f->token_in, f->delta_in );
    if( f->kind == SF_INTENT_SWAP ) position_book( r, f->token_out, f->delta_out );
    for( uint32_t i = 0; i < SF_LEG_MAX; i++ )
      if( f->leg[i].delta ) position_book( r, f->leg[i].token, f->leg[i].delta );
    result = fill_result( r, f, paid );
  }
  result -= (int64_t)paid;
  r->limit.today_lamports += result;
  r->limit.today_fee_lamports += paid;
  if( in && landed ) in->fills++;
  if( in && f->outcome == SF_FILL_REVERTED ) in->reverted++;
  if( !bot ) return 1;
  bot->landed += landed;
  bot->profitable += landed && result > 0;
  bot->reverted += f->outcome == SF_FILL_REVERTED;
  bot->expired += f->outcome == SF_FILL_EXPIRED;
  bot->dropped += f->outcome == SF_FILL_DROPPED;
  bot->profit_lamports += result;
  bot->fee_lamports += paid;
  return 1;
}

void sf_risk_balance( sf_risk_t * r, sf_balance_t const * b ) {
  if( b->token < r->token_cnt )
    position_at( r, b->token )->balance = b->amount > INT64_MAX ? INT64_MAX : (int64_t)b->amount;
}

int sf_risk_verdict( sf_risk_t * r, sf_verdict_t const * v ) {
  if( v->token >= r->token_cnt || memcmp( r->position[v->token].mint, v->mint, 32 ) ) return SF_ERR_ARG;
  sf_risk_safety_t * s = &r->safety[v->token];
  s->slot              = v->slot;
  s->amount            = v->amount;
  s->quote             = v->quote;
  s->outcome           = v->outcome;
  return 0;
}

static int command_open( sf_risk_t * r, sf_command_t const * c ) {
  if( c->token >= r->token_cnt || r->open_cnt == SF_RISK_OPEN_MAX ) return SF_ERR_ARG;
  if( past_known( r, c->order ) ) return 0;
  for( uint32_t i = 0; i < r->open_cnt; i++ )
    if( r->open_order[i] == c->order ) return 0;
  /* what another token is worth is not known yet: as much as an order may be at most */
  uint64_t value    = c->token == r->base ? c->value : r->limit.max_order_lamports;
  uint32_t at       = r->open_cnt++;
  r->open_order[at] = c->order;
  r->open[at]       = ( sf_risk_open_t ){ .value = value, .reserved = c->value, .token_in = c->token, .bot = c->bot };
  r->limit.open_lamports += value;
  r->limit.open_orders++;
  position_at( r, c->token )->reserved += c->value;
  return 0;
}

static int command_limit( sf_risk_t * r, uint32_t number, uint64_t value ) {
  if( !number || number >= SF_LIMIT_END ) return SF_ERR_ARG;
  if( number == SF_LIMIT_COLLAR_BPS && value > SF_BPS ) return SF_ERR_ARG;
  if( number == SF_LIMIT_MAX_ORDERS_PER_SECOND && value > NS ) return SF_ERR_ARG;
  uint64_t word = value;
  memcpy( (uint8_t *)&r->limit + 8 * number, &word, 8 );
  return 0;
}

int sf_risk_command( sf_risk_t * r, sf_command_t const * c ) {
  switch( c->verb ) {
  case SF_VERB_RESUME: r->limit.today_lamports = 0; return 0;
  case SF_VERB_LIMIT: return command_limit( r, c->number, c->value );
  case SF_VERB_BOT_STOP:
  case SF_VERB_BOT_START:
    if( c->number >= SF_RISK_BOT_MAX || !r->bot[c->number].name[0] ) return SF_ERR_ARG;
    r->bot[c->number].running = c->verb == SF_VERB_BOT_START;
    return 0;
  case SF_VERB_POSITION:
    if( c->token >= r->token_cnt ) return SF_ERR_ARG;
    position_at( r, c->token )->booked += (int64_t)c->value; /* a recovered fill may have come first */
    return 0;
  case SF_VERB_OPEN: return command_open( r, c );
  case SF_VERB_DAY:
    r->limit.today_lamports += (int64_t)c->value;
    r->limit.today_fee_lamports += c->order;
    return 0;
  case SF_VERB_LOT:
    if( c->token >= r->token_cnt ) return SF_ERR_ARG;
    r->lot[c->token].amount += c->value;
    r->lot[c->token].cost_lamports += c->order;
    return 0;
  case SF_VERB_KILL: /* the word itself is in sf_control_t; here for the record */
  case SF_VERB_SOLD: /* for the bot */
  case SF_VERB_HELD:
  case SF_VERB_TRADE: return 0;
  default: return SF_ERR_ARG;
  }
}

uint64_t sf_risk_kill_level( sf_risk_t const * r ) {
  uint64_t max  = r->limit.max_daily_loss_lamports;
  uint64_t loss = r->limit.today_lamports < 0 ? 0 - (uint64_t)r->limit.today_lamports : 0;
  if( !loss || loss < max ) return SF_KILL_RUN;
  return loss / 2 >= max ? SF_KILL_HALT : SF_KILL_REDUCE;
}
