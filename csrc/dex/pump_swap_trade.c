#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/metas.h"
#include "dex/pump_swap.h"
#include "solana/address.h"
#include "solana/program.h"

/* first eight bytes of sha256 of "global:<name>" */
typedef struct kind {
  uint64_t tag;
  uint8_t a_to_b;
  uint8_t exact_in;
  uint8_t v2;
} kind_t;

static kind_t const kinds[] = {
  { 0xeaebda01123d0666UL, 0, 0, 0 }, /* buy */
  { 0x70e8d9b452152ec6UL, 0, 1, 0 }, /* buy_exact_quote_in */
  { 0xad837f01a485e633UL, 1, 1, 0 }, /* sell */
  { 0x3dd3c56761ee17b8UL, 0, 0, 1 }, /* buy_v2 */
  { 0x2f5b4d68461cabc2UL, 0, 1, 1 }, /* buy_exact_quote_in_v2 */
  { 0xb240e9e73c82f65dUL, 1, 1, 1 }, /* sell_v2 */
};
#define KIND_CNT   ( sizeof( kinds ) / sizeof( kinds[0] ) )
#define DATA_BYTES 24 /* a buy of v1 has one more: whether to count volume */

#define TAG_BOUGHT 0x7777f52c1f52f467UL /* event:BuyEvent */
#define TAG_SOLD   0x2adc03a50a372f3eUL /* event:SellEvent */

int sf_pump_swap_trade_data( sf_pump_swap_trade_t const * trade, uint8_t * out ) {
  for( uint32_t i = 0; i < KIND_CNT; i++ ) {
    if( kinds[i].v2 != trade->v2 || kinds[i].a_to_b != trade->a_to_b || kinds[i].exact_in != trade->exact_in ) continue;
    sf_put_u64( out, kinds[i].tag );
    sf_put_u64( out + 8, trade->amount );
    sf_put_u64( out + 16, trade->threshold );
    if( trade->v2 || trade->a_to_b ) return DATA_BYTES;
    out[DATA_BYTES] = 0;
    return DATA_BYTES + 1;
  }
  return sf_err_set( SF_ERR_ARG, "pump swap trade: there is no %s for an exact %s", trade->a_to_b ? "sale" : "buy",
                     trade->exact_in ? "input" : "output" );
}

int sf_pump_swap_trade_parse( uint8_t const * data, uint32_t len, sf_pump_swap_trade_t * out ) {
  if( len < DATA_BYTES ) return sf_err_set( SF_ERR_DATA, "pump swap trade: %u bytes, fewer than %u", len, DATA_BYTES );
  uint64_t tag = sf_get_u64( data );
  for( uint32_t i = 0; i < KIND_CNT; i++ ) {
    if( kinds[i].tag != tag ) continue;
    *out = ( sf_pump_swap_trade_t ){ .amount    = sf_get_u64( data + 8 ),
                                     .threshold = sf_get_u64( data + 16 ),
                                     .a_to_b    = kinds[i].a_to_b,
                                     .exact_in  = kinds[i].exact_in,
                                     .v2        = kinds[i].v2 };
    return 0;
  }
  return sf_err_set( SF_ERR_DATA, "pump swap trade: discriminator %016lx at offset 0", tag );
}

/* -- accounts ---------------------------------------------------------------- */

int sf_pump_swap_trade_accounts( sf_pump_swap_state_t const * s, int v2, int a_to_b, uint8_t const user[32],
                                 uint8_t const user_base[32], uint8_t const user_quote[32], sf_account_meta_t * out,
                                 uint32_t * cnt ) {
  static uint8_t const nobody[32];
  uint8_t config[32], events[32], fee_config[32], user_volume[32], user_volume_quote[32], volume[32],
      recipient_quote[32], buyback_quote[32], creator[32], creator_quote[32], pool_v2[32];
  uint8_t const * recipient = s->mayhem ? s->recipients.reserved : s->recipients.fee;
  int buyback               = memcmp( s->recipients.buyback, nobody, 32 ) != 0;
  int created               = buyback && memcmp( s->coin_creator, nobody, 32 );
  if( v2 && s->cashback ) return sf_err_set( SF_ERR_ARG, "pump swap trade: v2 does not take cashback coins" );
  int err = sf_pump_derive( "global_config", 0, sf_pump_swap_program, config );
  if( !err ) err = sf_pump_derive( "__event_authority", 0, sf_pump_swap_program, events );
  if( !err ) err = sf_pump_derive( "fee_config", sf_pump_swap_program, sf_pump_fee_program, fee_config );
  if( !err ) err = sf_pump_derive( "user_volume_accumulator", user, sf_pump_swap_program, user_volume );
  if( !err && ( v2 || buyback ) )
    err = sf_address_token( s->recipients.buyback, s->program[1], s->mint[1], buyback_quote );
  if( !err && !v2 ) err = sf_address_token( recipient, s->program[1], s->mint[1], recipient_quote );
  if( !err && !v2 ) err = sf_pump_derive( "global_volume_accumulator", 0, sf_pump_swap_program, volume );
  if( !err && !v2 ) err = sf_pump_derive( "creator_vault", s->coin_creator, sf_pump_swap_program, creator );
  if( !err && !v2 ) err = sf_address_token( creator, s->program[1], s->mint[1], creator_quote );
  if( !err && created ) err = sf_pump_derive( "pool-v2", s->mint[0], sf_pump_swap_program, pool_v2 );
  if( !err && s->cashback ) err = sf_address_token( user_volume, s->program[1], s->mint[1], user_volume_quote );
  if( err ) return err;
  uint32_t n = 0;
  sf_account_meta_put( out, &n, s->pubkey, 0, 1 );
  sf_account_meta_put( out, &n, user, 1, 1 );
  sf_account_meta_put( out, &n, config, 0, 0 );
  sf_account_meta_put( out, &n, s->mint[0], 0, 0 );
  sf_account_meta_put( out, &n, s->mint[1], 0, 0 );
  sf_account_meta_put( out, &n, user_base, 0, 1 );
  sf_account_meta_put( out, &n, user_quote, 0, 1 );
  sf_account_meta_put( out, &n, s->vault[0], 0, 1 );
  sf_account_meta_put( out, &n, s->vault[1], 0, 1 );
  if( !v2 ) {
    sf_account_meta_put( out, &n, recipient, 0, 0 );
    sf_account_meta_put( out, &n, recipient_quote, 0, 1 );
  }
  sf_account_meta_put( out, &n, s->program[0], 0, 0 );
  sf_account_meta_put( out, &n, s->program[1], 0, 0 );
  sf_account_meta_put( out, &n, sf_program_system, 0, 0 );
  if( v2 ) {
    sf_account_meta_put( out, &n, user_volume, 0, 1 );
    sf_account_meta_put( out, &n, fee_config, 0, 0 );
    sf_account_meta_put( out, &n, buyback_quote, 0, 1 );
  } else sf_account_meta_put( out, &n, sf_program_associated_token, 0, 0 );
  sf_account_meta_put( out, &n, events, 0, 0 );
  sf_account_meta_put( out, &n, sf_pump_swap_program, 0, 0 );
  if( !v2 ) {
    sf_account_meta_put( out, &n, creator_quote, 0, 1 );
    sf_account_meta_put( out, &n, creator, 0, 0 );
    if( !a_to_b ) {
      sf_account_meta_put( out, &n, volume, 0, 1 );
      sf_account_meta_put( out, &n, user_volume, 0, 1 );
    }
    sf_account_meta_put( out, &n, fee_config, 0, 0 );
    sf_account_meta_put( out, &n, sf_pump_fee_program, 0, 0 );
    if( s->cashback ) {
      sf_account_meta_put( out, &n, user_volume_quote, 0, 1 );
      if( a_to_b ) sf_account_meta_put( out, &n, user_volume, 0, 1 );
    }
    if( created ) sf_account_meta_put( out, &n, pool_v2, 0, 0 );
    if( buyback ) {
      sf_account_meta_put( out, &n, s->recipients.buyback, 0, 0 );
      sf_account_meta_put( out, &n, buyback_quote, 0, 1 );
    }
  }
  *cnt = n;
  return 0;
}

/* -- the events ------------------------------------------------------------------ */

#define EVENT_BYTES_MIN 304 /* without a coin creator: before May 2025 */
#define EVENT_BYTES     352

/* Behind the eight bytes that tell which: fourteen numbers, then addresses. */
int sf_pump_swap_traded_parse( uint8_t const * data, uint32_t len, sf_pump_swap_traded_t * out ) {
  if( len >= 8 && sf_get_u64( data ) == SF_PUMP_EVENT_TAG ) data += 8, len -= 8;
  if( len < 8 + EVENT_BYTES_MIN )
    return sf_err_set( SF_ERR_DATA, "pump swap event: %u bytes, fewer than %u", len, 8 + EVENT_BYTES_MIN );
  uint64_t tag = sf_get_u64( data );
  if( tag != TAG_BOUGHT && tag != TAG_SOLD )
    return sf_err_set( SF_ERR_DATA, "pump swap event: discriminator %016lx at offset 0", tag );
  if( len > 8 + EVENT_BYTES_MIN && len < 8 + EVENT_BYTES )
    return sf_err_set( SF_ERR_DATA, "pump swap event: %u bytes end within the creator's fee", len );
  data += 8;
  len -= 8;
  memset( out, 0, sizeof( *out ) );
  out->a_to_b     = tag == TAG_SOLD;
  out->exact_in   = out->a_to_b;
  out->time       = sf_get_u64( data );
  out->base       = sf_get_u64( data + 8 );
  out->threshold  = sf_get_u64( data + 16 );
  out->reserve[0] = sf_get_u64( data + 40 );
  out->reserve[1] = sf_get_u64( data + 48 );
  out->quote      = sf_get_u64( data + 56 );
  for( uint32_t i = 0; i < 2; i++ ) {
    out->bps[i] = sf_get_u64( data + 64 + 16 * i );
    out->fee[i] = sf_get_u64( data + 72 + 16 * i );
  }
  out->user_quote = sf_get_u64( data + 104 );
  memcpy( out->pool, data + 112, 32 );
  memcpy( out->user, data + 144, 32 );
  if( len < EVENT_BYTES ) return 0;
  memcpy( out->coin_creator, data + 304, 32 );
  out->bps[2] = sf_get_u64( data + 336 );
  out->fee[2] = sf_get_u64( data + 344 );
  uint32_t at = EVENT_BYTES;
  if( !out->a_to_b ) {
    /* whether volume counts, four numbers and a time of it, the least base, the instruction's name */
    uint32_t name;
    at += 1 + 4 * 8 + 8;
    if( len < at + 4 ) return 0;
    memcpy( &name, data + at, 4 );
    at += 4;
    if( name > len - at )
      return sf_err_set( SF_ERR_DATA, "pump swap event: name of %u bytes at offset %u", name, at + 4 );
    out->exact_in = name > 9 && !memcmp( data + at, "buy_exact", 9 );
    at += name;
    if( out->exact_in ) {
      uint64_t budget = out->quote;
      out->quote      = out->user_quote;
      out->user_quote = budget;
    }
  }
  if( len - at < 16 ) return 0;
  out->cashback_bps = sf_get_u64( data + at );
  out->cashback     = sf_get_u64( data + at + 8 );
  return 0;
}
