#include "dex/pump_fun.h"

#include <string.h>

#include "base/err.h"
#include "dex/bytes.h"
#include "dex/metas.h"
#include "solana/address.h"
#include "solana/program.h"

/* first eight bytes of sha256 of "global:<name>" */
typedef struct kind {
  uint64_t tag;
  uint8_t a_to_b;
  uint8_t exact_in;
  uint8_t form;
} kind_t;

static kind_t const kinds[] = {
  { 0xeaebda01123d0666UL, 0, 0, SF_PUMP_FUN_V1 }, /* buy */
  { 0x5fcddf9e0874fc38UL, 0, 1, SF_PUMP_FUN_V1 }, /* buy_exact_sol_in */
  { 0xad837f01a485e633UL, 1, 1, SF_PUMP_FUN_V1 }, /* sell */
  { 0x3dd3c56761ee17b8UL, 0, 0, SF_PUMP_FUN_V2 }, /* buy_v2 */
  { 0x2f5b4d68461cabc2UL, 0, 1, SF_PUMP_FUN_V2 }, /* buy_exact_quote_in_v2 */
  { 0xb240e9e73c82f65dUL, 1, 1, SF_PUMP_FUN_V2 }, /* sell_v2 */
  { 0x506517f5c41d0507UL, 0, 0, SF_PUMP_FUN_V3 }, /* buy_v3 */
  { 0x8884b3d51e50f7e1UL, 0, 1, SF_PUMP_FUN_V3 }, /* buy_exact_quote_in_v3 */
  { 0xd569c42677de921cUL, 1, 1, SF_PUMP_FUN_V3 }, /* sell_v3 */
};
#define KIND_CNT ( sizeof( kinds ) / sizeof( kinds[0] ) )

#define TAG_TRADED 0xee61e64ed37fdbbdUL /* event:TradeEvent */

int sf_pump_fun_trade_data( sf_pump_fun_trade_t const * trade, uint8_t * out ) {
  for( uint32_t i = 0; i < KIND_CNT; i++ ) {
    if( kinds[i].form != trade->form || kinds[i].a_to_b != trade->a_to_b || kinds[i].exact_in != trade->exact_in )
      continue;
    sf_put_u64( out, kinds[i].tag );
    sf_put_u64( out + 8, trade->amount );
    sf_put_u64( out + 16, trade->threshold );
    if( trade->form != SF_PUMP_FUN_V1 || trade->a_to_b ) return SF_PUMP_FUN_DATA_BYTES;
    out[SF_PUMP_FUN_DATA_BYTES] = 0;
    return SF_PUMP_FUN_DATA_BYTES_MAX;
  }
  return sf_err_set( SF_ERR_ARG, "pump.fun trade: form %u has no %s for an exact %s", trade->form,
                     trade->a_to_b ? "sale" : "buy", trade->exact_in ? "input" : "output" );
}

int sf_pump_fun_trade_parse( uint8_t const * data, uint32_t len, sf_pump_fun_trade_t * out ) {
  if( len < SF_PUMP_FUN_DATA_BYTES )
    return sf_err_set( SF_ERR_DATA, "pump.fun trade: %u bytes, fewer than %u", len, SF_PUMP_FUN_DATA_BYTES );
  uint64_t tag = sf_get_u64( data );
  for( uint32_t i = 0; i < KIND_CNT; i++ ) {
    if( kinds[i].tag != tag ) continue;
    *out = ( sf_pump_fun_trade_t ){ .amount    = sf_get_u64( data + 8 ),
                                    .threshold = sf_get_u64( data + 16 ),
                                    .a_to_b    = kinds[i].a_to_b,
                                    .exact_in  = kinds[i].exact_in,
                                    .form      = kinds[i].form };
    return 0;
  }
  return sf_err_set( SF_ERR_DATA, "pump.fun trade: discriminator %016lx at offset 0", tag );
}

/* -- accounts ---------------------------------------------------------------- */

enum {
  GLOBAL,
  MINT,
  QUOTE_MINT,
  PROGRAM_BASE,
  PROGRAM_QUOTE,
  PROGRAM_TOKEN,
  PROGRAM_ASSOCIATED,
  PROGRAM_SYSTEM,
  PROGRAM_FEE,
  PROGRAM,
  RENT,
  FEE_RECIPIENT,
  FEE_RECIPIENT_QUOTE,
  BUYBACK,
  BUYBACK_QUOTE,
  CURVE,
  CURVE_V2,
  CURVE_BASE,
  CURVE_QUOTE,
  USER,
  USER_BASE,
  USER_QUOTE,
  CREATOR,
  CREATOR_QUOTE,
  SHARING,
  VOLUME,
  USER_VOLUME,
  USER_VOLUME_QUOTE,
  FEE_CONFIG,
  EVENTS,
  KEY_CNT
};

#define W   0x40u /* writable */
#define S   0x80u /* signer */
#define KEY 0x3fu

/* of January 2025 */
static uint8_t const list_old_buy[] = {
  GLOBAL,       FEE_RECIPIENT | W, MINT,          CURVE | W, CURVE_BASE | W, USER_BASE | W,
  USER | S | W, PROGRAM_SYSTEM,    PROGRAM_TOKEN, RENT,      EVENTS,         PROGRAM
};
static uint8_t const list_old_sell[] = {
  GLOBAL,         FEE_RECIPIENT | W,  MINT,          CURVE | W, CURVE_BASE | W, USER_BASE | W, USER | S | W,
  PROGRAM_SYSTEM, PROGRAM_ASSOCIATED, PROGRAM_TOKEN, EVENTS,    PROGRAM
};
static uint8_t const list_v1_buy[]  = { GLOBAL,         FEE_RECIPIENT | W, MINT,         CURVE | W,
                                        CURVE_BASE | W, USER_BASE | W,     USER | S | W, PROGRAM_SYSTEM,
                                        PROGRAM_BASE,   CREATOR | W,       EVENTS,       PROGRAM,
                                        VOLUME,         USER_VOLUME | W,   FEE_CONFIG,   PROGRAM_FEE,
                                        CURVE_V2,       BUYBACK | W };
static uint8_t const list_v1_sell[] = { GLOBAL,
                                        FEE_RECIPIENT | W,
                                        MINT,
                                        CURVE | W,
                                        CURVE_BASE | W,
                                        USER_BASE | W,
                                        USER | S | W,
                                        PROGRAM_SYSTEM,
                                        CREATOR | W,
                                        PROGRAM_BASE,
                                        EVENTS,
                                        PROGRAM,
                                        FEE_CONFIG,
                                        PROGRAM_FEE,
                                        USER_VOLUME | W, /* of a cashback coin */
                                        CURVE_V2,
                                        BUYBACK | W };
static uint8_t const list_v2[]      = { GLOBAL,
                                        MINT,
                                        QUOTE_MINT,
                                        PROGRAM_BASE,
                                        PROGRAM_QUOTE,
                                        PROGRAM_ASSOCIATED,
                                        FEE_RECIPIENT | W,
                                        FEE_RECIPIENT_QUOTE | W,
                                        BUYBACK | W,
                                        BUYBACK_QUOTE | W,
                                        CURVE | W,
                                        CURVE_BASE | W,
                                        CURVE_QUOTE | W,
                                        USER | S | W,
                                        USER_BASE | W,
                                        USER_QUOTE | W,
                                        CREATOR | W,
                                        CREATOR_QUOTE | W,
                                        SHARING,
                                        VOLUME | W, /* not of a sale */
                                        USER_VOLUME | W,
                                        USER_VOLUME_QUOTE | W,
                                        FEE_CONFIG,
                                        PROGRAM_FEE,
                                        PROGRAM_SYSTEM,
                                        EVENTS,
                                        PROGRAM };
static uint8_t const list_v3[]      = { GLOBAL,        MINT,          QUOTE_MINT,     PROGRAM_BASE,
                                        PROGRAM_QUOTE, CURVE | W,     CURVE_BASE | W, CURVE_QUOTE | W,
                                        USER | S | W,  USER_BASE | W, USER_QUOTE | W, USER_VOLUME | W,
                                        FEE_CONFIG,    BUYBACK | W,   PROGRAM_SYSTEM, EVENTS,
                                        PROGRAM };

static int native( sf_pump_fun_state_t const * s ) {
  static uint8_t const sol[32];
  return !memcmp( s->quote_mint, sol, 32 );
}

static int keys_fill( sf_pump_fun_state_t const * s, int form, uint8_t const user[32], uint8_t const user_base[32],
                      uint8_t const user_quote[32], uint8_t key[KEY_CNT][32] ) {
  static uint8_t const rent[32] = { 0x06, 0xa7, 0xd5, 0x17, 0x19, 0x2c, 0x5c, 0x51, 0x21, 0x8c, 0xc9,
                                    0x4c, 0x3d, 0x4a, 0xf1, 0x7f, 0x58, 0xda, 0xee, 0x08, 0x9b, 0xa1,
                                    0xfd, 0x44, 0xe3, 0xdb, 0xd9, 0x8a, 0x00, 0x00, 0x00, 0x00 };
  uint8_t const * base          = s->program[0];
  uint8_t const * quote         = s->program[1];
  memcpy( key[MINT], s->mint, 32 );
  memcpy( key[QUOTE_MINT], native( s ) ? sf_mint_wrapped_sol : s->quote_mint, 32 );
  memcpy( key[PROGRAM_BASE], base, 32 );
  memcpy( key[PROGRAM_QUOTE], quote, 32 );
  memcpy( key[PROGRAM_TOKEN], sf_program_token, 32 );
  memcpy( key[PROGRAM_ASSOCIATED], sf_program_associated_token, 32 );
  memcpy( key[PROGRAM_SYSTEM], sf_program_system, 32 );
  memcpy( key[PROGRAM_FEE], sf_pump_fee_program, 32 );
  memcpy( key[PROGRAM], sf_pump_fun_program, 32 );
  memcpy( key[RENT], rent, 32 );
  memcpy( key[FEE_RECIPIENT], s->mayhem ? s->recipients.reserved : s->recipients.fee, 32 );
  memcpy( key[BUYBACK], s->recipients.buyback, 32 );
  memcpy( key[CURVE], s->pubkey, 32 );
  memcpy( key[USER], user, 32 );
  memcpy( key[USER_BASE], user_base, 32 );
  memcpy( key[USER_QUOTE], user_quote, 32 );
  int err = sf_pump_derive( "global", 0, sf_pump_fun_program, key[GLOBAL] );
  if( !err ) err = sf_pump_derive( "__event_authority", 0, sf_pump_fun_program, key[EVENTS] );
  if( !err ) err = sf_address_token( key[CURVE], base, key[MINT], key[CURVE_BASE] );
  if( err || ( form == SF_PUMP_FUN_V1 && s->rates.floor ) ) return err;
  err = sf_pump_derive( "user_volume_accumulator", user, sf_pump_fun_program, key[USER_VOLUME] );
  if( !err ) err = sf_pump_derive( "fee_config", sf_pump_fun_program, sf_pump_fee_program, key[FEE_CONFIG] );
  if( !err && form != SF_PUMP_FUN_V3 )
    err = sf_pump_derive( "creator-vault", s->creator, sf_pump_fun_program, key[CREATOR] );
  if( !err && form != SF_PUMP_FUN_V3 )
    err = sf_pump_derive( "global_volume_accumulator", 0, sf_pump_fun_program, key[VOLUME] );
  if( form == SF_PUMP_FUN_V1 )
    return err ? err : sf_pump_derive( "bonding-curve-v2", key[MINT], sf_pump_fun_program, key[CURVE_V2] );
  if( !err ) err = sf_address_token( key[CURVE], quote, key[QUOTE_MINT], key[CURVE_QUOTE] );
  if( !err ) err = sf_address_token( key[BUYBACK], quote, key[QUOTE_MINT], key[BUYBACK_QUOTE] );
  if( err ) return err;
  if( form == SF_PUMP_FUN_V3 ) {
    /* one account that the buyback is paid to: the wallet for SOL, else its token account */
    if( !native( s ) ) memcpy( key[BUYBACK], key[BUYBACK_QUOTE], 32 );
    return 0;
  }
  err = sf_pump_derive( "sharing-config", key[MINT], sf_pump_fee_program, key[SHARING] );
  if( !err ) err = sf_address_token( key[FEE_RECIPIENT], quote, key[QUOTE_MINT], key[FEE_RECIPIENT_QUOTE] );
  if( !err ) err = sf_address_token( key[CREATOR], quote, key[QUOTE_MINT], key[CREATOR_QUOTE] );
  if( !err ) err = sf_address_token( key[USER_VOLUME], quote, key[QUOTE_MINT], key[USER_VOLUME_QUOTE] );
  return err;
}

typedef struct list {
  uint8_t const * key;
  uint32_t cnt;
} list_t;
#define LIST( keys ) \
  ( list_t ) { keys, sizeof( keys ) }

int sf_pump_fun_trade_accounts( sf_pump_fun_state_t const * s, int form, int a_to_b, uint8_t const user[32],
                                uint8_t const user_base[32], uint8_t const user_quote[32], sf_account_meta_t * out,
                                uint32_t * cnt ) {
  static uint8_t const nobody[32];
  list_t list;
  uint8_t key[KEY_CNT][32];
  if( form == SF_PUMP_FUN_V3 ) list = LIST( list_v3 );
  else if( form == SF_PUMP_FUN_V2 ) list = LIST( list_v2 );
  else if( form != SF_PUMP_FUN_V1 ) return sf_err_set( SF_ERR_ARG, "pump.fun trade: there is no form %d", form );
  else if( s->rates.floor ) list = a_to_b ? LIST( list_old_sell ) : LIST( list_old_buy );
  else list = a_to_b ? LIST( list_v1_sell ) : LIST( list_v1_buy );
  if( form == SF_PUMP_FUN_V3 && s->cashback )
    return sf_err_set( SF_ERR_ARG, "pump.fun trade: form 3 does not take cashback coins" );
  if( form == SF_PUMP_FUN_V1 && !native( s ) )
    return sf_err_set( SF_ERR_ARG, "pump.fun trade: form 1 does not take coins that are not quoted in SOL" );
  int err = keys_fill( s, form, user, user_base, user_quote, key );
  if( err ) return err;
  int buyback = memcmp( s->recipients.buyback, nobody, 32 );
  *cnt        = 0;
  for( uint32_t i = 0; i < list.cnt; i++ ) {
    uint32_t which = list.key[i] & KEY;
    if( form == SF_PUMP_FUN_V2 && a_to_b && which == VOLUME ) continue;
    if( form == SF_PUMP_FUN_V1 && a_to_b && which == USER_VOLUME && !s->cashback ) continue;
    if( form == SF_PUMP_FUN_V1 && !buyback && ( which == CURVE_V2 || which == BUYBACK ) ) continue;
    sf_account_meta_put( out, cnt, key[which], ( list.key[i] & S ) != 0, ( list.key[i] & W ) != 0 );
  }
  return 0;
}

/* -- the event ----------------------------------------------------------------- */

#define EVENT_BYTES_MIN  129 /* without fees: 2024 */
#define EVENT_BYTES_FEES 225
#define EVENT_BYTES_NAME 258 /* the instruction's name follows */
#define EVENT_SHARE      34  /* of a creator among several */

int sf_pump_fun_traded_parse( uint8_t const * data, uint32_t len, sf_pump_fun_traded_t * out ) {
  if( len >= 8 && sf_get_u64( data ) == SF_PUMP_EVENT_TAG ) data += 8, len -= 8;
  if( len < EVENT_BYTES_MIN )
    return sf_err_set( SF_ERR_DATA, "pump.fun event: %u bytes, fewer than %u", len, EVENT_BYTES_MIN );
  if( sf_get_u64( data ) != TAG_TRADED )
    return sf_err_set( SF_ERR_DATA, "pump.fun event: discriminator %016lx at offset 0", sf_get_u64( data ) );
  if( data[56] > 1 ) return sf_err_set( SF_ERR_DATA, "pump.fun event: %u at offset 56 is not a bool", data[56] );
  if( len > EVENT_BYTES_MIN && len < EVENT_BYTES_FEES )
    return sf_err_set( SF_ERR_DATA, "pump.fun event: %u bytes end within the fees", len );
  memset( out, 0, sizeof( *out ) );
  memcpy( out->mint, data + 8, 32 );
  memcpy( out->user, data + 57, 32 );
  out->quote         = sf_get_u64( data + 40 );
  out->tokens        = sf_get_u64( data + 48 );
  out->a_to_b        = !data[56];
  out->exact_in      = out->a_to_b;
  out->time          = sf_get_u64( data + 89 );
  out->virtual_quote = sf_get_u64( data + 97 );
  out->virtual_token = sf_get_u64( data + 105 );
  out->real_quote    = sf_get_u64( data + 113 );
  out->real_token    = sf_get_u64( data + 121 );
  if( len < EVENT_BYTES_FEES ) return 0;
  out->fees         = 1;
  out->protocol_bps = sf_get_u64( data + 161 );
  out->protocol_fee = sf_get_u64( data + 169 );
  memcpy( out->creator, data + 177, 32 );
  out->creator_bps = sf_get_u64( data + 209 );
  out->creator_fee = sf_get_u64( data + 217 );
  if( len < EVENT_BYTES_NAME + 4 ) return 0;
  uint32_t name, shares, at = EVENT_BYTES_NAME;
  memcpy( &name, data + at, 4 );
  at += 4;
  if( name > len - at ) return sf_err_set( SF_ERR_DATA, "pump.fun event: name of %u bytes at offset %u", name, at - 4 );
  out->exact_in |= name > 9 && !memcmp( data + at, "buy_exact", 9 );
  at += name;
  if( len - at < 1 + 32 + 4 ) return 0;
  out->mayhem       = data[at];
  out->cashback_bps = sf_get_u64( data + at + 1 );
  out->cashback     = sf_get_u64( data + at + 9 );
  memcpy( &shares, data + at + 33, 4 );
  at += 37;
  if( shares > ( len - at ) / EVENT_SHARE )
    return sf_err_set( SF_ERR_DATA, "pump.fun event: %u shares at offset %u", shares, at - 4 );
  at += shares * EVENT_SHARE;
  if( len - at < 32 + 24 ) return 0;
  memcpy( out->quote_mint, data + at, 32 );
  out->quote         = sf_get_u64( data + at + 32 );
  out->virtual_quote = sf_get_u64( data + at + 40 );
  out->real_quote    = sf_get_u64( data + at + 48 );
  return 0;
}
