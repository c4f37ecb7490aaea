/* sign: the only tile that holds the key.  An unsigned transaction in, a signed
   one or a refusal out, once per order.

     order   ──▶ remembered by number, one signature each
     message ──▶ held until its order is known ──▶ checked from its bytes ──▶ signed ──▶ wire

   It believes nobody.  The order comes from risk by its own link, not by way of
   build.  From the order and the pools table it makes out what the swaps
   have to be, and sf_policy_check holds the bytes that will be signed against
   that.  Its limits are its own.

   What the accounts of a swap are is derived once and kept (trade/swap.h): the pools table is read again only when the
   bytes do not agree, because a pool may have changed what it is made of.

   With `ladder` build also sends rungs (trade/ladder.h): transactions of orders that may come, all for one blockhash.  The
   terms of a rung are made out here, from the order its ladder stands around, and its bytes are held against them as against
   an order.  Rungs are signed when nothing else is to do.  What is signed ahead stays here until an order says what the
   rung says: order, kill word, rate and the blockhash's life are looked at then.  It is handed out once, and a rung of
   an older blockhash never.

   With `nonce_pool` what is signed on the spot takes a nonce made ahead (solana/nonces.h), where one is ready; they are made
   when not even a rung is to be signed.

   The amounts of an order must carry over: what a hop takes is at most what the
   hop before it gives at least, so that no order draws more from the wallet than
   its amount_in of token_in. */

#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/err.h"
#include "shm/pool_row.h"
#include "solana/base58.h"
#include "solana/policy.h"
#include "solana/program.h"
#include "solana/signer.h"
#include "tile/tile.h"
#include "trade/cost.h"
#include "trade/ladder.h"
#include "trade/plan.h"

#define ORDERS          2048 /* the latest ones, a power of two */
#define HELD            128  /* messages that wait for their order */
#define HELD_NS_MAX     1000000000ul
#define SECOND_NS       1000000000ul
#define WIRE_HEAD_BYTES offsetof( sf_wire_t, tx )

typedef struct known_order {
  uint64_t number; /* 0 = none */
  uint64_t done;   /* a message for it was signed or refused */
  sf_order_t order;
} known_order_t;

typedef struct held_message {
  uint64_t since_ns;
  uint64_t t_origin;
  uint32_t kind;   /* SF_MSG_TX, SF_MSG_AHEAD, SF_MSG_RUNG */
  uint32_t length; /* of the payload */
  sf_wire_t wire;
} held_message_t;

/* A transaction that was checked, and is signed or will be. */
typedef struct rung {
  uint32_t serial; /* 0 = none */
  uint8_t is_signed;
  uint8_t is_queued; /* its place is in to_sign */
  uint8_t _pad0[2];
  sf_intent_t terms;
  sf_wire_t wire;
} rung_t;

typedef struct sign {
  int in_order;
  int out_wire;
  sf_table_t const * pools;
  sf_signer_t signer;
  sf_nonces_t * nonces; /* NULL = no nonce_pool */
  sf_policy_t policy;
  uint64_t max_amount_lamports;
  uint64_t signature_ns; /* 1 s / max_signatures_per_second */
  uint64_t allowance_ns; /* collected towards signature_ns, at most a second's worth */
  uint64_t allowance_at; /* engine clock */
  uint64_t newest_order; /* highest number seen */
  uint64_t held_first;
  uint64_t held_end;
  int signed_messages;
  int refused_messages;
  int held_messages;
  int ahead_rungs;
  int ahead_signed;
  int ahead_used;
  int ahead_refused;
  int nonce_slots;
  int nonces_ready;
  int nonces_dropped;
  int nonce_hits;
  int nonce_misses;
  sf_token_accounts_t wallet;
  sf_pool_row_t row;
  sf_swap_t * swap[SF_HOP_MAX]; /* of the order in work, in swaps */
  sf_plan_t plan;
  sf_swaps_t swaps;
  held_message_t now; /* the one in work */
  held_message_t held[HELD];
  known_order_t known[ORDERS];

  sf_table_t const * chain; /* NULL = no ladder */
  sf_chain_row_t chain_row;
  uint8_t ahead_blockhash[32]; /* of the last rung that came: those of another one are not handed out any more */
  uint32_t is_idle;            /* no message came since the last turn */
  uint32_t to_sign_first;
  uint32_t to_sign_end;
  uint32_t to_sign[SF_LADDER_PLACES]; /* places, maybe of rungs that are not there any more */
  sf_order_t seed[SF_LADDER_ROUTES];  /* what the ladders stand around */
  rung_t rung[SF_LADDER_PLACES];
} sign_t;

/* Why a message is not signed. */
typedef struct refusal {
  uint32_t reason; /* SF_REFUSE_*, 0 = none */
  uint64_t detail;
} refusal_t;

static refusal_t const nothing_against = { 0, 0 };

/* Reads a comma-separated list of public keys; the key may be absent or empty. */
static int param_keys( sf_tile_t * t, char const * key, uint8_t ( *out )[32], uint32_t max, uint32_t * cnt ) {
  char const * at = sf_tile_param( t, key );
  for( *cnt = 0; at && *at; ( *cnt )++ ) {
    uint32_t len = (uint32_t)strcspn( at, "," );
    if( *cnt == max ) return sf_err_set( SF_ERR_ARG, "%s.%s: more than %u keys", sf_tile_name( t ), key, max );
    if( sf_base58_decode( at, len, out[*cnt], 32 ) != 32 )
      return sf_err_set( SF_ERR_ARG, "%s.%s: entry %u is not a public key", sf_tile_name( t ), key, *cnt );
    at += len + ( at[len] == ',' );
  }
  return 0;
}

static int key_load( sf_tile_t * t, sign_t * s ) {
  struct rlimit const no_core = { 0, 0 };
  char const * path;
  uint64_t fd        = 0;
  int err            = sf_tile_param_text( t, "key_path", &path );
  int has_passphrase = sf_tile_param( t, "key_passphrase_fd" ) != NULL;
  if( !err && has_passphrase ) err = sf_tile_param_u64( t, "key_passphrase_fd", 0, 1u << 20, &fd );
  if( err ) return err;
  if( setrlimit( RLIMIT_CORE, &no_core ) ) return sf_err_set( SF_ERR_SYS, "sign: core dumps cannot be turned off: %m" );
  if( ( err = sf_signer_open( &s->signer, path, has_passphrase ? (int)fd : -1 ) ) ) return err;
  memcpy( s->policy.wallet, s->signer.public_key, 32 );
  memcpy( s->wallet.wallet, s->signer.public_key, 32 );
  return 0;
}

static int nonces_load( sf_tile_t * t, sign_t * s ) {
  uint64_t slots = 0, force = 0;
  int err;
  if( ( sf_tile_param( t, "nonce_pool" ) &&
        ( err = sf_tile_param_u64( t, "nonce_pool", 0, SF_NONCES_MAX, &slots ) ) ) ||
      ( sf_tile_param( t, "nonce_pool_force" ) &&
        ( err = sf_tile_param_u64( t, "nonce_pool_force", 0, 1, &force ) ) ) ||
      ( err = s->nonce_slots = sf_tile_gauge( t, "nonce_slots" ) ) < 0 ||
      ( err = s->nonces_ready = sf_tile_gauge( t, "nonces_ready" ) ) < 0 ||
      ( err = s->nonces_dropped = sf_tile_gauge( t, "nonces_dropped" ) ) < 0 ||
      ( err = s->nonce_hits = sf_tile_counter( t, "nonce_hits" ) ) < 0 ||
      ( err = s->nonce_misses = sf_tile_counter( t, "nonce_misses" ) ) < 0 )
    return err;
  if( slots && ( err = sf_nonces_open( &s->nonces, (uint32_t)slots, (int)force ) ) ) return err;
  sf_tile_set( t, s->nonce_slots, slots );
  return 0;
}

static int sign_init( sf_tile_t * t ) {
  sign_t * s = sf_tile_state( t );
  uint64_t rate;
  uint32_t protect_cnt;
  int err;
  if( ( err = s->in_order = sf_tile_in( t, "order" ) ) < 0 || ( err = sf_tile_in( t, "message" ) ) < 0 ||
      ( err = s->out_wire = sf_tile_out( t, "wire" ) ) < 0 )
    return err;
  if( !( s->pools = sf_tile_table( t, "pools" ) ) ) return SF_ERR_NOTFOUND;
  if( ( err = sf_tile_param_u64( t, "max_amount_lamports", 1, UINT64_MAX, &s->max_amount_lamports ) ) ||
      ( err = sf_tile_param_u64( t, "max_fee_lamports", 5000, UINT64_MAX, &s->policy.max_fee_lamports ) ) ||
      ( err = sf_tile_param_u64( t, "max_tip_lamports", 0, UINT64_MAX, &s->policy.max_tip_lamports ) ) ||
      ( err = sf_tile_param_u64( t, "max_signatures_per_second", 1, 1000000, &rate ) ) ||
      ( err = param_keys( t, "programs", s->policy.program, SF_POLICY_PROGRAM_MAX, &s->policy.program_cnt ) ) ||
      ( err = param_keys( t, "tip_accounts", s->policy.tip_account, SF_POLICY_TIP_MAX, &s->policy.tip_account_cnt ) ) ||
      ( err = param_keys( t, "protect_account", &s->policy.protect_account, 1, &protect_cnt ) ) )
    return err;
  char const * lookups = sf_tile_param( t, "lookup_tables_path" );
  if( lookups && *lookups && ( err = sf_lookups_read( &s->policy.lookups, lookups ) ) ) return err;
  if( !s->policy.program_cnt )
    return sf_err_set( SF_ERR_ARG, "%s.programs: is empty; name the programs that may swap", sf_tile_name( t ) );
  uint64_t ladder = 0;
  if( sf_tile_param( t, "ladder" ) && ( err = sf_tile_param_u64( t, "ladder", 0, 1, &ladder ) ) ) return err;
  if( ladder && !( s->chain = sf_tile_table( t, "chain" ) ) ) return SF_ERR_NOTFOUND;
  s->signature_ns = SECOND_NS / rate;
  s->allowance_ns = SECOND_NS;
  s->allowance_at = sf_clock_ns();
  if( ( err = s->signed_messages = sf_tile_counter( t, "signed_messages" ) ) < 0 ||
      ( err = s->refused_messages = sf_tile_counter( t, "refused_messages" ) ) < 0 ||
      ( err = s->held_messages = sf_tile_counter( t, "held_messages" ) ) < 0 ||
      ( err = s->ahead_rungs = sf_tile_counter( t, "ahead_rungs" ) ) < 0 ||
      ( err = s->ahead_signed = sf_tile_counter( t, "ahead_signed" ) ) < 0 ||
      ( err = s->ahead_used = sf_tile_counter( t, "ahead_used" ) ) < 0 ||
      ( err = s->ahead_refused = sf_tile_counter( t, "ahead_refused" ) ) < 0 )
    return err;
  if( ( err = key_load( t, s ) ) ) return err;
  if( ( err = nonces_load( t, s ) ) ) sf_signer_close( &s->signer );
  return err;
}

static void sign_fini( sf_tile_t * t ) {
  sign_t * s = sf_tile_state( t );
  sf_nonces_close( s->nonces );
  sf_signer_close( &s->signer );
}

/* The hops' swaps, made anew from the pools table where they are not kept or `anew` asks for it. */
static refusal_t swaps_get( sign_t * s, sf_intent_t const * intent, int anew ) {
  for( uint32_t i = 0; i < intent->hop_cnt; i++ ) {
    sf_hop_t const * hop = &intent->hop[i];
    s->swap[i]           = anew ? NULL : sf_swaps_find( &s->swaps, hop );
    if( s->swap[i] ) continue;
    if( !sf_pool_row_read_all( s->pools, hop->pool, &s->row ) )
      s->swap[i] = sf_swaps_make( &s->swaps, hop, &s->row, &s->wallet );
    if( !s->swap[i] ) return ( refusal_t ){ SF_REFUSE_MISMATCH, hop->pool };
  }
  return nothing_against;
}

/* The order says nothing that contradicts itself or the pools, and stays within the limits. */
static refusal_t order_check( sign_t * s, sf_intent_t const * intent ) {
  uint32_t cnt  = intent->hop_cnt;
  uint32_t last = cnt - 1u;
  if( intent->kind != SF_INTENT_CYCLE && intent->kind != SF_INTENT_SWAP )
    return ( refusal_t ){ SF_REFUSE_MISMATCH, intent->kind };
  if( ( intent->kind == SF_INTENT_CYCLE ) != ( intent->token_in == intent->token_out ) )
    return ( refusal_t ){ SF_REFUSE_MISMATCH, intent->token_out };
  if( intent->hop[0].amount_in != intent->amount_in || intent->hop[last].min_out != intent->min_out )
    return ( refusal_t ){ SF_REFUSE_MISMATCH, intent->amount_in };

  uint32_t token = intent->token_in;
  for( uint32_t i = 0; i < cnt; i++ ) {
    sf_hop_t const * hop = &intent->hop[i];
    if( token != s->swap[i]->token_in ) return ( refusal_t ){ SF_REFUSE_MISMATCH, token };
    token = s->swap[i]->token_out;
    if( !hop->amount_in || !hop->min_out || ( i && hop->amount_in > intent->hop[i - 1].min_out ) )
      return ( refusal_t ){ SF_REFUSE_LIMIT, hop->amount_in };
  }
  if( token != intent->token_out ) return ( refusal_t ){ SF_REFUSE_MISMATCH, token };

  if( !memcmp( s->swap[0]->mint_in, sf_mint_wrapped_sol, 32 ) && intent->amount_in > s->max_amount_lamports )
    return ( refusal_t ){ SF_REFUSE_LIMIT, intent->amount_in };
  return nothing_against;
}

/* The bytes say what the order says, and what stands beside them in the message. */
static refusal_t bytes_check( sign_t * s, sf_intent_t const * intent, sf_wire_t const * wire ) {
  sf_policy_finding_t found;
  sf_plan_make( &s->plan, intent, s->swap, s->wallet.wallet );
  sf_policy_order_t const order = { .instruction  = s->plan.instruction,
                                    .cnt          = s->plan.cnt,
                                    .protect      = ( intent->flags & SF_INTENT_PROTECTED ) != 0,
                                    .tip_lamports = intent->tip_lamports };
  if( sf_policy_check( &s->policy, wire->tx, wire->tx_len, &order, &found ) )
    return ( refusal_t ){ found.reason, found.detail };
  if( intent->cu_price_micro_lamports && found.price_micro_lamports != intent->cu_price_micro_lamports )
    return ( refusal_t ){ SF_REFUSE_FEE, found.price_micro_lamports };
  if( intent->cu_limit && found.units > (uint64_t)intent->cu_limit + SF_COST_DISTINCT_UNITS )
    return ( refusal_t ){ SF_REFUSE_FEE, found.units };
  if( wire->message_off != found.message_off || wire->fee_lamports_max != found.fee_lamports + found.tip_lamports ||
      memcmp( wire->blockhash, wire->tx + found.blockhash_off, 32 ) )
    return ( refusal_t ){ SF_REFUSE_MISMATCH, found.fee_lamports };
  return nothing_against;
}

/* Order and bytes against the swaps as they are kept; if they do not fit, once more against the pools table. */
static refusal_t content_check( sign_t * s, sf_intent_t const * intent, sf_wire_t const * wire ) {
  if( !intent->hop_cnt || intent->hop_cnt > SF_HOP_MAX ) return ( refusal_t ){ SF_REFUSE_MISMATCH, intent->hop_cnt };
  refusal_t refusal = nothing_against;
  for( int anew = 0; anew < 2; anew++ ) {
    refusal = swaps_get( s, intent, anew );
    if( !refusal.reason ) refusal = order_check( s, intent );
    if( !refusal.reason ) refusal = bytes_check( s, intent, wire );
    if( refusal.reason != SF_REFUSE_MISMATCH ) break;
  }
  return refusal;
}

static refusal_t rate_check( sign_t * s ) {
  uint64_t now     = sf_clock_ns();
  uint64_t elapsed = now > s->allowance_at ? now - s->allowance_at : 0;
  s->allowance_at  = now;
  s->allowance_ns += elapsed;
  if( s->allowance_ns > SECOND_NS ) s->allowance_ns = SECOND_NS;
  if( s->allowance_ns < s->signature_ns ) return ( refusal_t ){ SF_REFUSE_LIMIT, SECOND_NS / s->signature_ns };
  s->allowance_ns -= s->signature_ns;
  return nothing_against;
}

/* The payload is as long as it says. */
static int length_fits( held_message_t const * m ) {
  if( m->length < WIRE_HEAD_BYTES ) return 0;
  if( m->kind == SF_MSG_RUNG ) return m->length == WIRE_HEAD_BYTES && !m->wire.tx_len;
  return m->wire.tx_len <= SF_TX_MAX && m->length == WIRE_HEAD_BYTES + m->wire.tx_len;
}

/* The rung that a message names, if it may be handed out for this order. */
static refusal_t rung_check( sign_t * s, sf_intent_t const * intent, sf_wire_t const * wire, rung_t ** out ) {
  uint32_t place = wire->rung - 1;
  if( !s->chain || place >= SF_LADDER_PLACES ) return ( refusal_t ){ SF_REFUSE_UNKNOWN, wire->rung };
  rung_t * r = &s->rung[place];
  if( !r->serial || r->serial != wire->rung_serial ) return ( refusal_t ){ SF_REFUSE_UNKNOWN, wire->rung };
  if( !sf_ladder_same( &r->terms, intent ) ) return ( refusal_t ){ SF_REFUSE_MISMATCH, wire->rung };
  sf_chain_row_t const * chain = &s->chain_row;
  if( memcmp( r->wire.blockhash, s->ahead_blockhash, 32 ) || memcmp( r->wire.blockhash, wire->blockhash, 32 ) ||
      sf_table_read( s->chain, 0, &s->chain_row ) || chain->block_height >= r->wire.last_valid_block_height )
    return ( refusal_t ){ SF_REFUSE_BLOCKHASH, wire->rung };
  *out = r;
  return nothing_against;
}

/* All that can be held against the message in s->now; *rung becomes the one it names, or stays. */
static refusal_t message_check( sf_tile_t * t, sign_t * s, rung_t ** rung ) {
  sf_wire_t const * wire = &s->now.wire;
  if( !length_fits( &s->now ) ) return ( refusal_t ){ SF_REFUSE_SIZE, s->now.length };

  known_order_t * known = &s->known[wire->order % ORDERS];
  if( !wire->order || known->number != wire->order || known->done )
    return ( refusal_t ){ SF_REFUSE_UNKNOWN, wire->order };
  known->done = 1; /* whatever comes of it, there is no second message for this order */

  sf_intent_t const * intent = &known->order.intent;
  uint64_t kill              = sf_tile_kill( t );
  if( kill != SF_KILL_RUN && !( kill == SF_KILL_REDUCE && intent->flags & SF_INTENT_REDUCE ) )
    return ( refusal_t ){ SF_REFUSE_KILLED, kill };
  if( wire->bot != intent->bot ) return ( refusal_t ){ SF_REFUSE_MISMATCH, wire->bot };

  refusal_t refusal =
      s->now.kind == SF_MSG_RUNG ? rung_check( s, intent, wire, rung ) : content_check( s, intent, wire );
  if( !refusal.reason ) refusal = rate_check( s );
  return refusal;
}

static void wire_sign( sign_t * s, sf_wire_t * wire ) {
  sf_signer_sign( &s->signer, wire->tx + 1, wire->tx + wire->message_off,
                  (uint64_t)( wire->tx_len - wire->message_off ) );
}

/* The same while an order waits for it. */
static void wire_sign_now( sf_tile_t * t, sign_t * s, sf_wire_t * wire ) {
  int is_ready = s->nonces && sf_signer_sign_ready( &s->signer, s->nonces, wire->tx + 1, wire->tx + wire->message_off,
                                                    (uint64_t)( wire->tx_len - wire->message_off ) );
  if( !is_ready ) wire_sign( s, wire );
  if( s->nonces ) sf_tile_count( t, is_ready ? s->nonce_hits : s->nonce_misses, 1 );
}

static void wire_publish( sf_tile_t * t, sign_t * s, sf_message_t * slot, sf_wire_t const * wire ) {
  uint16_t length = (uint16_t)( WIRE_HEAD_BYTES + wire->tx_len );
  memcpy( slot + 1, wire, length );
  sf_tile_publish( t, (uint32_t)s->out_wire, slot, SF_MSG_WIRE, length, wire->bot, s->now.t_origin );
  sf_tile_count( t, s->signed_messages, 1 );
}

/* -- rungs --------------------------------------------------------------------- */

/* The order that a ladder stands around: as it is kept, or from the orders that came; NULL if it is not known. */
static sf_order_t const * seed_get( sign_t * s, uint32_t ladder, uint64_t number ) {
  sf_order_t * seed           = &s->seed[ladder];
  known_order_t const * known = &s->known[number % ORDERS];
  if( number && seed->order == number ) return seed;
  if( !number || known->number != number ) return NULL;
  *seed = known->order;
  return seed;
}

/* Checks the transaction in s->now and keeps it.  Publishes nothing, whatever is wrong with it. */
static void rung_keep( sf_tile_t * t, sign_t * s ) {
  sf_wire_t const * wire = &s->now.wire;
  uint32_t place         = wire->rung - 1;
  if( !s->chain || place >= SF_LADDER_PLACES ) return;
  sf_order_t const * seed = seed_get( s, place / SF_LADDER_RUNGS, wire->order );
  rung_t * r              = &s->rung[place];
  r->serial               = 0;
  int refused             = !length_fits( &s->now ) || !seed || !wire->rung_serial ||
                sf_ladder_rung( &seed->intent, place % SF_LADDER_RUNGS, &r->terms ) || wire->bot != r->terms.bot ||
                content_check( s, &r->terms, wire ).reason;
  sf_tile_count( t, refused ? s->ahead_refused : s->ahead_rungs, 1 );
  if( refused ) return;
  memcpy( s->ahead_blockhash, wire->blockhash, 32 );
  memcpy( &r->wire, wire, s->now.length );
  r->serial    = wire->rung_serial;
  r->is_signed = 0;
  if( !r->is_queued ) s->to_sign[s->to_sign_end++ % SF_LADDER_PLACES] = place;
  r->is_queued = 1;
}

/* Signs one rung ahead. */
static int rung_sign( sf_tile_t * t, sign_t * s ) {
  if( s->to_sign_first == s->to_sign_end || sf_tile_kill( t ) != SF_KILL_RUN ) return 0;
  rung_t * r   = &s->rung[s->to_sign[s->to_sign_first++ % SF_LADDER_PLACES]];
  r->is_queued = 0;
  if( !r->serial || r->is_signed || memcmp( r->wire.blockhash, s->ahead_blockhash, 32 ) ) return 1;
  wire_sign( s, &r->wire );
  r->is_signed = 1;
  sf_tile_count( t, s->ahead_signed, 1 );
  return 1;
}

/* Hands out a rung for the order of s->now. */
static void rung_use( sf_tile_t * t, sign_t * s, rung_t * r, sf_message_t * slot ) {
  if( !r->is_signed ) wire_sign_now( t, s, &r->wire );
  else sf_tile_count( t, s->ahead_used, 1 );
  r->is_signed  = 1;
  r->serial     = 0; /* once */
  r->wire.order = s->now.wire.order;
  r->wire.bot   = s->now.wire.bot;
  wire_publish( t, s, slot, &r->wire );
}

/* -- messages ------------------------------------------------------------------ */

/* Signs or refuses the message in s->now: publishes one message, but for a rung none. */
static void message_finish( sf_tile_t * t, sign_t * s ) {
  if( s->now.kind == SF_MSG_AHEAD ) {
    rung_keep( t, s );
    return;
  }
  sf_wire_t * wire    = &s->now.wire;
  rung_t * rung       = NULL;
  refusal_t refusal   = message_check( t, s, &rung );
  sf_message_t * slot = sf_tile_claim( t, (uint32_t)s->out_wire );
  if( refusal.reason ) {
    sf_refused_t * refused = (sf_refused_t *)( slot + 1 );
    *refused =
        ( sf_refused_t ){ .order = wire->order, .bot = wire->bot, .reason = refusal.reason, .detail = refusal.detail };
    sf_tile_publish( t, (uint32_t)s->out_wire, slot, SF_MSG_REFUSED, sizeof( *refused ), wire->bot, s->now.t_origin );
    sf_tile_count( t, s->refused_messages, 1 );
    return;
  }
  if( rung ) {
    rung_use( t, s, rung, slot );
    return;
  }
  wire_sign_now( t, s, wire );
  wire_publish( t, s, slot, wire );
}

/* Numbers only rise: one that does not is not a new order, and may have been signed. */
static void order_remember( sign_t * s, sf_order_t const * order ) {
  if( order->order <= s->newest_order ) return;
  known_order_t * known = &s->known[order->order % ORDERS];
  known->number         = order->order;
  known->done           = 0;
  known->order          = *order;
  s->newest_order       = order->order;
  for( uint32_t h = 0; h < order->intent.hop_cnt && h < SF_HOP_MAX; h++ )
    sf_swaps_prefetch( &s->swaps, &order->intent.hop[h] ); /* comes while the message does */
}

/* Says if nothing more is to be waited for: its order has come, or a later one, or it never will. */
static int message_due( sign_t const * s, sf_wire_t const * wire, uint64_t run ) {
  return wire->order <= s->newest_order || wire->order >> 32 != run;
}

static void sign_msg( sf_tile_t * t, uint32_t in, sf_message_t const * m ) {
  sign_t * s = sf_tile_state( t );
  s->is_idle = 0;
  if( in == (uint32_t)s->in_order ) {
    if( m->kind == SF_MSG_ORDER && m->length >= sizeof( sf_order_t ) )
      order_remember( s, (sf_order_t const *)( m + 1 ) );
    return;
  }
  if( m->kind != SF_MSG_TX && m->kind != SF_MSG_AHEAD && m->kind != SF_MSG_RUNG ) return;
  if( m->length < WIRE_HEAD_BYTES || m->length > sizeof( sf_wire_t ) ) return;

  /* a copy of our own: what is checked is what is signed, whatever happens to the link */
  s->now.since_ns = sf_tile_now( t );
  s->now.t_origin = m->t_origin;
  s->now.kind     = m->kind;
  s->now.length   = m->length;
  memcpy( &s->now.wire, m + 1, m->length );
  if( s->held_first == s->held_end && message_due( s, &s->now.wire, sf_tile_run( t ) ) ) {
    message_finish( t, s );
    return;
  }
  held_message_t waiting = s->now;
  int full               = s->held_end - s->held_first == HELD;
  if( full ) s->now = s->held[s->held_first++ % HELD];
  s->held[s->held_end++ % HELD] = waiting;
  sf_tile_count( t, s->held_messages, 1 );
  if( full ) message_finish( t, s );
}

/* Does one thing of what is done ahead: signs a rung, or makes a nonce. */
static int ahead_do( sf_tile_t * t, sign_t * s ) {
  return rung_sign( t, s ) || ( s->nonces && sf_signer_make_nonce( &s->signer, s->nonces ) );
}

static int is_ahead_due( sign_t const * s ) {
  return s->to_sign_first != s->to_sign_end || ( s->nonces && s->nonces->ready < s->nonces->slots );
}

/* Finishes one held message whose time has come; does something ahead where nothing else is to do. */
static int sign_poll( sf_tile_t * t ) {
  sign_t * s  = sf_tile_state( t );
  int is_idle = s->is_idle;
  s->is_idle  = 1;
  if( s->held_first == s->held_end ) {
    if( is_idle ) return ahead_do( t, s );
    if( is_ahead_due( s ) ) sf_tile_wake_in( t, 1 );
    return 0;
  }
  held_message_t const * first = &s->held[s->held_first % HELD];
  if( !message_due( s, &first->wire, sf_tile_run( t ) ) && sf_tile_now( t ) - first->since_ns < HELD_NS_MAX ) return 0;
  s->now = *first;
  s->held_first++;
  message_finish( t, s );
  return 1;
}

static void sign_house( sf_tile_t * t, uint64_t now_ns ) {
  sign_t * s = sf_tile_state( t );
  (void)now_ns;
  if( !s->nonces ) return;
  sf_nonces_look( s->nonces );
  sf_tile_set( t, s->nonces_ready, s->nonces->ready );
  sf_tile_set( t, s->nonces_dropped, s->nonces->dropped );
}

sf_tile_ops_t const sf_tile_sign = {
  .kind        = "sign",
  .state_bytes = sizeof( sign_t ),
  .init        = sign_init,
  .poll        = sign_poll,
  .msg         = sign_msg,
  .house       = sign_house,
  .fini        = sign_fini,
};
