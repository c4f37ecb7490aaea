/* test_sign.c: the signer signs what was ordered, once, and nothing else. */

#include "order_fixture.h"

#define MAX_AMOUNT 1000000ul
#define MAX_FEE    10000ul
#define MAX_TIP    9000ul

static fixture_t      fixture;
static sf_chain_row_t chain;
static uint32_t const cycle[ 3 ] = { 0, 1, 2 };

static sf_rig_t *
rig_new( char const * params ) {
  sf_rig_t * rig;
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "sign", "sign", params );
  sf_rig_link( rig, "order", NULL, 256, 256 );
  sf_rig_edge( rig, "order", "sign", 1 );
  sf_rig_link( rig, "message", NULL, 256, 1344 );
  sf_rig_edge( rig, "message", "sign", 1 );
  sf_rig_link( rig, "wire", "sign", 256, 1344 );
  sf_rig_table( rig, "pools", NULL, sizeof( sf_pool_row_t ), 4096 );
  return rig;
}

static sf_rig_t *
rig_open( uint32_t rate ) {
  char params[ 1024 ];
  snprintf( params, sizeof( params ),
            "key_path=%s\nmax_amount_lamports=%lu\nmax_fee_lamports=%lu\nmax_tip_lamports=%lu\n"
            "max_signatures_per_second=%u\nprograms=CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\ntip_accounts=%s\n",
            fixture.key_path, MAX_AMOUNT, MAX_FEE, MAX_TIP, rate, fixture.tip_text );
  sf_rig_t * rig = rig_new( params );
  CHECK( !sf_rig_start( rig ) );
  pools_write( rig );
  return rig;
}

static void
order_give( sf_rig_t * rig, sf_order_t const * order ) {
  CHECK( !sf_rig_inject( rig, "order", SF_MSG_ORDER, order->intent.bot, 1, order, sizeof( *order ) ) );
  CHECK( sf_rig_settle( rig ) >= 0 );
}

static void
wire_give( sf_rig_t * rig, sf_wire_t const * wire ) {
  uint16_t length = (uint16_t)( offsetof( sf_wire_t, tx ) + wire->tx_len );
  CHECK( !sf_rig_inject( rig, "message", SF_MSG_TX, wire->bot, 12345, wire, length ) );
}

static void
wire_of( sf_order_t const * order, sf_wire_t * wire ) {
  plan_t plan;
  plan_make( &plan, &fixture, order );
  plan_wire( &plan, fixture.wallet.wallet, order, &chain, wire );
}

static void
expect_signed( sf_rig_t * rig, sf_wire_t const * wire ) {
  received_t got;
  uint32_t   kind = next_message( rig, "wire", &got );
  if( kind == SF_MSG_REFUSED )
    fprintf( stderr, "order %lx: reason %u, detail %lu\n", wire->order, got.refused.reason, got.refused.detail );
  CHECK( kind == SF_MSG_WIRE );
  CHECK( got.head.tag == wire->bot && got.head.t_origin == 12345 );
  CHECK( got.head.length == offsetof( sf_wire_t, tx ) + wire->tx_len );
  CHECK( !memcmp( &got.wire, wire, offsetof( sf_wire_t, tx ) + 1 ) ); /* all but the signature as it was */
  CHECK( !memcmp( got.wire.tx + 65, wire->tx + 65, wire->tx_len - 65u ) );
  CHECK( !crypto_sign_verify_detached( got.wire.tx + 1, got.wire.tx + 65, wire->tx_len - 65u, fixture.wallet.wallet ) );
}

static void
expect_refused( sf_rig_t * rig, sf_wire_t const * wire, uint32_t reason ) {
  received_t got;
  CHECK( next_message( rig, "wire", &got ) == SF_MSG_REFUSED );
  if( got.refused.reason != reason )
    fprintf( stderr, "reason %u, detail %lu, wanted %u\n", got.refused.reason, got.refused.detail, reason );
  CHECK( got.refused.reason == reason && got.refused.order == wire->order && got.refused.bot == wire->bot );
  CHECK( got.head.tag == wire->bot && got.head.t_origin == 12345 );
}

static void
orders_are_signed_once( void ) {
  sf_rig_t * rig = rig_open( 1000000 );
  sf_order_t order;
  sf_wire_t  wire;
  for( uint32_t n = 1; n <= 5000; n++ ) {
    order_make( &order, ORDER( n ), 1 + n % 3, cycle, 1000 + n );
    if( n % 4 == 0 ) order.intent.tip_lamports = n;
    if( n % 5 == 0 ) order.intent.cu_limit = 100000;
    wire_of( &order, &wire );
    order_give( rig, &order );
    wire_give( rig, &wire );
    expect_signed( rig, &wire );
    if( n % 500 ) continue;
    wire_give( rig, &wire );
    expect_refused( rig, &wire, SF_REFUSE_UNKNOWN );
    order_give( rig, &order ); /* the same order again does not make it a new one */
    wire_give( rig, &wire );
    expect_refused( rig, &wire, SF_REFUSE_UNKNOWN );
  }
  order_make( &order, ORDER( 1 ), 2, cycle, 1001 ); /* long ago */
  wire_of( &order, &wire );
  wire_give( rig, &wire );
  expect_refused( rig, &wire, SF_REFUSE_UNKNOWN );
  sf_rig_close( rig );
}

static void
message_waits_for_its_order( void ) {
  sf_rig_t * rig = rig_open( 1000 );
  sf_order_t order[ 200 ];
  sf_wire_t  wire[ 200 ];
  received_t got;
  for( uint32_t i = 0; i < 200; i++ ) {
    order_make( &order[ i ], ORDER( i + 1 ), 3, cycle, 1000 );
    wire_of( &order[ i ], &wire[ i ] );
  }
  for( uint32_t i = 0; i < 10; i++ ) wire_give( rig, &wire[ i ] );
  CHECK( !next_message( rig, "wire", &got ) );
  for( uint32_t i = 0; i < 10; i++ ) order_give( rig, &order[ i ] );
  for( uint32_t i = 0; i < 10; i++ ) expect_signed( rig, &wire[ i ] );

  /* a later order says that this one's will not come */
  wire_give( rig, &wire[ 10 ] );
  wire_give( rig, &wire[ 11 ] );
  CHECK( !next_message( rig, "wire", &got ) );
  order_give( rig, &order[ 11 ] );
  expect_refused( rig, &wire[ 10 ], SF_REFUSE_UNKNOWN );
  expect_signed( rig, &wire[ 11 ] );

  /* so does waiting for too long, and too many that wait */
  uint64_t end = sf_clock_ns() + 5000000000ul;
  wire_give( rig, &wire[ 12 ] );
  CHECK( !next_message( rig, "wire", &got ) );
  uint32_t kind = 0;
  while( !kind && sf_clock_ns() < end ) kind = next_message( rig, "wire", &got );
  CHECK( kind == SF_MSG_REFUSED && got.refused.order == wire[ 12 ].order && got.refused.reason == SF_REFUSE_UNKNOWN );
  for( uint32_t i = 20; i < 20 + 128; i++ ) wire_give( rig, &wire[ i ] );
  CHECK( !next_message( rig, "wire", &got ) );
  wire_give( rig, &wire[ 160 ] );
  expect_refused( rig, &wire[ 20 ], SF_REFUSE_UNKNOWN );

  /* orders of another run are not waited for once it is their turn */
  wire[ 161 ].order = 2ul << 32 | 7;
  wire_give( rig, &wire[ 161 ] );
  expect_refused( rig, &wire[ 21 ], SF_REFUSE_UNKNOWN );
  for( uint32_t i = 20; i < 148; i++ ) order_give( rig, &order[ i ] );
  for( uint32_t i = 22; i < 148; i++ ) expect_signed( rig, &wire[ i ] );
  order_give( rig, &order[ 160 ] );
  expect_signed( rig, &wire[ 160 ] );
  expect_refused( rig, &wire[ 161 ], SF_REFUSE_UNKNOWN );
  sf_rig_close( rig );
}

/* -- tampering -------------------------------------------------------------- */

typedef void ( *tamper_t )( sf_order_t * order, plan_t * plan, uint8_t * payer );

static void t_amount( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; p->swap[ 0 ].data[ 8 ] ^= 1; }
static void t_min_out( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; p->swap[ 2 ].data[ 16 ] ^= 1; }
static void t_min_zero( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; memset( p->swap[ 2 ].data + 16, 0, 8 ); }
static void t_tag( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; p->swap[ 1 ].data[ 0 ] ^= 1; }
static void t_short( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; p->instruction[ p->first_swap ].data_len--; }
static void t_order( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  sf_instruction_t first = p->instruction[ p->first_swap ];
  p->instruction[ p->first_swap ] = p->instruction[ p->first_swap + 1 ];
  p->instruction[ p->first_swap + 1 ] = first;
}
static void t_direction( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)y;
  sf_pool_row_t row;
  sf_hop_t      hop = o->intent.hop[ 1 ];
  hop.a_to_b        = 0;
  pool_make( hop.pool, &row );
  CHECK( !sf_swap_make( &p->swap[ 1 ], &hop, &row, &fixture.wallet ) );
}
static void t_pool( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "pool", 77, p->swap[ 0 ].account[ 3 ].pubkey );
}
static void t_user_out( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "thief", 1, p->swap[ 2 ].account[ 5 ].pubkey );
}
static void t_user_in( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  memcpy( p->swap[ 0 ].account[ 4 ].pubkey, p->swap[ 1 ].account[ 4 ].pubkey, 32 );
}
static void t_extra_account( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->swap[ 0 ].account[ 13 ] = p->swap[ 0 ].account[ 12 ];
  p->instruction[ p->first_swap ].account_cnt = 14;
}
static void t_readonly( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; p->swap[ 0 ].account[ 12 ].writable = 0; }
static void t_missing( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; p->cnt--; }
static void t_twice( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[ p->cnt ] = p->instruction[ p->cnt - 1 ];
  p->cnt++;
}
static void t_program( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  static uint8_t program[ 32 ];
  fake_key( "program", 1, program );
  p->instruction[ p->first_swap ].program = program;
}
static void t_extra_program( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[ p->cnt++ ] = ( sf_instruction_t ){ sf_program_token, NULL, p->limit, 0, 5 };
}
static void t_payer( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o;
  fake_key( "payer", 1, y );
  for( int i = 0; i < 3; i++ ) memcpy( p->swap[ i ].account[ 0 ].pubkey, y, 32 );
  memcpy( p->tip_account[ 0 ].pubkey, y, 32 );
}
static void t_signers( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; p->swap[ 0 ].account[ 1 ].signer = 1; }
static void t_tip_higher( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)y;
  sf_system_transfer_data( p->tip, o->intent.tip_lamports + 1 );
}
static void t_tip_above( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)y;
  o->intent.tip_lamports = MAX_TIP + 1;
  sf_system_transfer_data( p->tip, MAX_TIP + 1 );
}
static void t_tip_account( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "thief", 2, p->tip_account[ 1 ].pubkey );
}
static void t_tip_unordered( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)p, (void)y; o->intent.tip_lamports = 0; }
static void t_tip_twice( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[ p->cnt++ ] = p->instruction[ 2 ];
}
static void t_system( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; p->tip[ 0 ] = 8; /* Allocate */ }
static void t_no_limit( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[ 0 ] = p->instruction[ 1 ];
  for( uint32_t i = 1; i + 1 < p->cnt; i++ ) p->instruction[ i ] = p->instruction[ i + 1 ];
  p->cnt--;
}
static void t_limit_twice( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[ p->cnt++ ] = p->instruction[ 0 ];
}
static void t_price( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)y;
  sf_compute_price_data( p->price, o->intent.cu_price_micro_lamports + 1 );
}
static void t_price_max( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; sf_compute_price_data( p->price, UINT64_MAX ); }
static void t_heap( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)y; p->price[ 0 ] = 1; }
static void t_limit_higher( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)y;
  o->intent.cu_limit = 100000;
  sf_compute_limit_data( p->limit, 100000 + 4096 );
}

/* of the order itself: what risk should never have let pass */
static void o_amount( sf_order_t * o ) { o->intent.amount_in = MAX_AMOUNT + 1; o->intent.hop[ 0 ].amount_in = MAX_AMOUNT + 1; }
static void o_min_zero( sf_order_t * o ) { o->intent.hop[ 1 ].min_out = 0; }
static void o_draws_more( sf_order_t * o ) { o->intent.hop[ 1 ].amount_in = o->intent.hop[ 0 ].min_out + 1; }
static void o_chain( sf_order_t * o ) { o->intent.hop[ 1 ].a_to_b = 0; }
static void o_kind( sf_order_t * o ) { o->intent.kind = SF_INTENT_SWAP; }
static void o_kind_unknown( sf_order_t * o ) { o->intent.kind = 3; }
static void o_first( sf_order_t * o ) { o->intent.amount_in++; }
static void o_last( sf_order_t * o ) { o->intent.min_out++; }
static void o_token( sf_order_t * o ) { o->intent.token_in = o->intent.token_out = 1; }

static void
tampering_is_refused( void ) {
  static struct {
    tamper_t tamper;
    uint32_t reason;
  } const table[] = {
    { t_amount, SF_REFUSE_MISMATCH },       { t_min_out, SF_REFUSE_MISMATCH },     { t_min_zero, SF_REFUSE_MISMATCH },
    { t_tag, SF_REFUSE_MISMATCH },          { t_short, SF_REFUSE_MISMATCH },       { t_order, SF_REFUSE_MISMATCH },
    { t_direction, SF_REFUSE_MISMATCH },    { t_pool, SF_REFUSE_MISMATCH },        { t_user_out, SF_REFUSE_MISMATCH },
    { t_user_in, SF_REFUSE_MISMATCH },      { t_extra_account, SF_REFUSE_MISMATCH }, { t_readonly, SF_REFUSE_MISMATCH },
    { t_missing, SF_REFUSE_MISMATCH },      { t_twice, SF_REFUSE_MISMATCH },       { t_program, SF_REFUSE_PROGRAM },
    { t_extra_program, SF_REFUSE_PROGRAM }, { t_payer, SF_REFUSE_MISMATCH },       { t_signers, SF_REFUSE_MISMATCH },
    { t_tip_higher, SF_REFUSE_MISMATCH },   { t_tip_above, SF_REFUSE_FEE },        { t_tip_account, SF_REFUSE_PROGRAM },
    { t_tip_unordered, SF_REFUSE_MISMATCH }, { t_tip_twice, SF_REFUSE_MISMATCH },  { t_system, SF_REFUSE_PROGRAM },
    { t_no_limit, SF_REFUSE_FEE },          { t_limit_twice, SF_REFUSE_FEE },      { t_price, SF_REFUSE_FEE },
    { t_price_max, SF_REFUSE_FEE },         { t_heap, SF_REFUSE_FEE },             { t_limit_higher, SF_REFUSE_FEE },
  };
  sf_rig_t * rig = rig_open( 1000000 );
  uint64_t   n   = 0;
  for( uint32_t i = 0; i < sizeof( table ) / sizeof( table[ 0 ] ); i++ ) {
    sf_order_t order;
    plan_t     plan;
    sf_wire_t  wire;
    uint8_t    payer[ 32 ];
    order_make( &order, ORDER( ++n ), table[ i ].tamper == t_signers ? 2 : 3, cycle, 1000 ); /* room for a signature */
    order.intent.tip_lamports = 500;
    memcpy( payer, fixture.wallet.wallet, 32 );
    plan_make( &plan, &fixture, &order );
    table[ i ].tamper( &order, &plan, payer );
    plan_wire( &plan, payer, &order, &chain, &wire );
    if( table[ i ].tamper == t_signers ) { /* two signatures stand before the message then */
      memmove( wire.tx + 129, wire.tx + 65, wire.tx_len - 65u );
      wire.tx[ 0 ]     = 2;
      wire.message_off = 129;
      wire.tx_len      = (uint16_t)( wire.tx_len + 64 );
    }
    order_give( rig, &order );
    wire_give( rig, &wire );
    expect_refused( rig, &wire, table[ i ].reason );
  }

  static struct {
    void ( *tamper )( sf_order_t * );
    uint32_t reason;
  } const orders[] = {
    { o_amount, SF_REFUSE_LIMIT },    { o_min_zero, SF_REFUSE_LIMIT },         { o_draws_more, SF_REFUSE_LIMIT },
    { o_chain, SF_REFUSE_MISMATCH },  { o_kind, SF_REFUSE_MISMATCH },          { o_kind_unknown, SF_REFUSE_MISMATCH },
    { o_first, SF_REFUSE_MISMATCH },  { o_last, SF_REFUSE_MISMATCH },          { o_token, SF_REFUSE_MISMATCH },
  };
  for( uint32_t i = 0; i < sizeof( orders ) / sizeof( orders[ 0 ] ); i++ ) {
    sf_order_t order;
    sf_wire_t  wire;
    order_make( &order, ORDER( ++n ), 3, cycle, 1000 );
    orders[ i ].tamper( &order );
    wire_of( &order, &wire );
    order_give( rig, &order );
    wire_give( rig, &wire );
    expect_refused( rig, &wire, orders[ i ].reason );
  }
  sf_rig_close( rig );
}

/* Every single byte of the transaction changed: signed only if that byte is one that is free. */
static void
changed_bytes_are_refused( void ) {
  sf_rig_t *       rig = rig_open( 1000000 );
  sf_order_t       order;
  sf_wire_t        wire, bad;
  received_t       got;
  sf_transaction_t tx;
  uint64_t         n = 0;
  uint32_t         passed = 0;
  order_make( &order, ORDER( ++n ), 3, cycle, 1000 );
  order.intent.tip_lamports = 500;
  wire_of( &order, &wire );
  for( uint32_t at = 0; at < wire.tx_len; at++ ) {
    order.order = ORDER( ++n );
    wire_of( &order, &wire );
    CHECK( !sf_transaction_parse( &tx, wire.tx, wire.tx_len ) );
    sf_instruction_view_t limit;
    uint16_t              off = tx.instruction_off;
    sf_transaction_instruction( &tx, &off, &limit );
    uint32_t units_off = (uint32_t)( limit.data + 1 - wire.tx );
    bad                = wire;
    bad.tx[ at ] ^= (uint8_t)( 1u << at % 8 );
    order_give( rig, &order );
    wire_give( rig, &bad );
    uint32_t kind = next_message( rig, "wire", &got );
    int      free = ( at >= 1 && at < 65 ) || /* where the signature goes */
               at == 65 + 3 ||           /* how many accounts are only read */
               at == units_off;          /* a few units that do not change the fee */
    CHECK( kind == SF_MSG_REFUSED || ( kind == SF_MSG_WIRE && free ) );
    passed += kind == SF_MSG_WIRE;
  }
  CHECK( passed >= 64 );

  /* cut and lengthened */
  for( uint32_t cut = 1; cut < wire.tx_len; cut += 7 ) {
    order.order = ORDER( ++n );
    wire_of( &order, &bad );
    bad.tx_len = (uint16_t)( bad.tx_len - cut );
    order_give( rig, &order );
    wire_give( rig, &bad );
    expect_refused( rig, &bad, SF_REFUSE_MISMATCH );
  }
  order.order = ORDER( ++n );
  wire_of( &order, &bad );
  bad.tx_len++;
  order_give( rig, &order );
  wire_give( rig, &bad );
  expect_refused( rig, &bad, SF_REFUSE_MISMATCH );
  sf_rig_close( rig );
}

static void
message_fields_are_held_against_the_bytes( void ) {
  sf_rig_t * rig = rig_open( 1000 );
  sf_order_t order;
  sf_wire_t  wire;
  for( uint32_t i = 0; i < 6; i++ ) {
    order_make( &order, ORDER( i + 1 ), 3, cycle, 1000 );
    wire_of( &order, &wire );
    if( i == 0 ) wire.fee_lamports_max--;
    if( i == 1 ) wire.message_off++;
    if( i == 2 ) wire.blockhash[ 0 ] ^= 1;
    if( i == 3 ) wire.bot++;
    if( i == 4 ) order.intent.hop[ 0 ].pool = 4096; /* the order itself names no pool */
    order_give( rig, &order );
    wire_give( rig, &wire );
    if( i < 5 ) expect_refused( rig, &wire, SF_REFUSE_MISMATCH );
    else expect_signed( rig, &wire );
  }
  order_make( &order, ORDER( 7 ), 3, cycle, 1000 );
  wire_of( &order, &wire );
  order_give( rig, &order );
  CHECK( !sf_rig_inject( rig, "message", SF_MSG_TX, wire.bot, 12345, &wire, 200 ) ); /* length is not tx_len's */
  expect_refused( rig, &wire, SF_REFUSE_SIZE );

  /* amounts of other mints are not lamports */
  order_make( &order, ORDER( 8 ), 1, cycle + 1, MAX_AMOUNT * 100 );
  wire_of( &order, &wire );
  order_give( rig, &order );
  wire_give( rig, &wire );
  expect_signed( rig, &wire );

  /* the fee ceiling is the signer's own */
  order_make( &order, ORDER( 9 ), 1, cycle, 1000 );
  order.intent.cu_price_micro_lamports = 1000000;
  wire_of( &order, &wire );
  order_give( rig, &order );
  wire_give( rig, &wire );
  expect_refused( rig, &wire, SF_REFUSE_FEE );
  sf_rig_close( rig );
}

static void
rate_and_kill_word_are_respected( void ) {
  sf_rig_t *     rig     = rig_open( 5 );
  sf_control_t * control = sf_rig_control( rig );
  sf_order_t     order;
  sf_wire_t      wire;
  received_t     got;
  uint32_t       signed_cnt = 0;
  for( uint32_t i = 1; i <= 10; i++ ) { /* a second's worth at once, then one per 200 ms */
    order_make( &order, ORDER( i ), 3, cycle, 1000 );
    wire_of( &order, &wire );
    order_give( rig, &order );
    wire_give( rig, &wire );
    uint32_t kind = next_message( rig, "wire", &got );
    CHECK( kind == SF_MSG_WIRE || ( kind == SF_MSG_REFUSED && got.refused.reason == SF_REFUSE_LIMIT ) );
    if( i <= 5 ) CHECK( kind == SF_MSG_WIRE );
    signed_cnt += kind == SF_MSG_WIRE;
  }
  CHECK( signed_cnt < 10 );
  sf_rig_close( rig );

  rig     = rig_open( 1000 );
  control = sf_rig_control( rig );
  for( uint32_t i = 1; i <= 3; i++ ) {
    order_make( &order, ORDER( i ), 3, cycle, 1000 );
    if( i >= 2 ) order.intent.flags = SF_INTENT_REDUCE;
    wire_of( &order, &wire );
    order_give( rig, &order );
    sf_store_release( &control->kill, (uint64_t)( i == 3 ? SF_KILL_HALT : SF_KILL_REDUCE ) );
    wire_give( rig, &wire );
    if( i == 2 ) expect_signed( rig, &wire );
    else expect_refused( rig, &wire, SF_REFUSE_KILLED );
  }
  sf_rig_close( rig );
}

static void
key_must_be_private( void ) {
  static char const limits[] = "max_amount_lamports=1\nmax_fee_lamports=5000\nmax_tip_lamports=0\n"
                               "max_signatures_per_second=1\n";
  static char const program[] = "programs=CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\n";
  char              params[ 1024 ];
  sf_rig_t *        rig;

  CHECK( !chmod( fixture.key_path, 0640 ) );
  snprintf( params, sizeof( params ), "key_path=%s\n%s%s", fixture.key_path, limits, program );
  rig = rig_new( params );
  CHECK( sf_rig_start( rig ) < 0 && strstr( sf_err_text(), "chmod 600" ) );
  sf_rig_close( rig );
  CHECK( !chmod( fixture.key_path, 0600 ) );

  snprintf( params, sizeof( params ), "key_path=%s\n%s", fixture.key_path, limits );
  rig = rig_new( params );
  CHECK( sf_rig_start( rig ) < 0 && strstr( sf_err_text(), "sign.programs" ) );
  sf_rig_close( rig );

  snprintf( params, sizeof( params ), "key_path=%s\n%sprograms=abc,def\n", fixture.key_path, limits );
  rig = rig_new( params );
  CHECK( sf_rig_start( rig ) < 0 && strstr( sf_err_text(), "sign.programs: entry 0" ) );
  sf_rig_close( rig );
}

/* The two tiles together: what build makes, sign signs. */
static void
built_transactions_are_signed( void ) {
  char       build[ 512 ], sign[ 1024 ];
  sf_rig_t * rig;
  snprintf( build, sizeof( build ),
            "wallet=%s\ncu_limit_base=%u\ncu_limit_per_hop=%u\ncu_price_micro_lamports=0\nmax_blockhash_age_ms=40000\n"
            "tip_account=%s\n",
            fixture.wallet_text, LIMIT_BASE, LIMIT_HOP, fixture.tip_text );
  snprintf( sign, sizeof( sign ),
            "key_path=%s\nmax_amount_lamports=%lu\nmax_fee_lamports=%lu\nmax_tip_lamports=%lu\n"
            "max_signatures_per_second=1000000\nprograms=CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\ntip_accounts=%s\n",
            fixture.key_path, MAX_AMOUNT, MAX_FEE, MAX_TIP, fixture.tip_text );
  CHECK( !sf_rig_new( &rig ) );
  sf_rig_tile( rig, "sign", "sign", sign ); /* before build, so that a message can come before its order */
  sf_rig_tile( rig, "build", "build", build );
  sf_rig_link( rig, "order", NULL, 256, 256 );
  sf_rig_edge( rig, "order", "build", 1 );
  sf_rig_edge( rig, "order", "sign", 1 );
  sf_rig_link( rig, "message", "build", 256, 1344 );
  sf_rig_edge( rig, "message", "sign", 1 );
  sf_rig_link( rig, "refused", "build", 256, 64 );
  sf_rig_link( rig, "wire", "sign", 256, 1344 );
  sf_rig_table( rig, "pools", NULL, sizeof( sf_pool_row_t ), 4096 );
  sf_rig_table( rig, "chain", NULL, sizeof( sf_chain_row_t ), 1 );
  CHECK( !sf_rig_start( rig ) );
  pools_write( rig );
  CHECK( !sf_table_write( sf_rig_table_of( rig, "chain" ), 0, &chain ) );
  for( uint32_t n = 1; n <= 300; n++ ) {
    sf_order_t order;
    sf_wire_t  wire;
    order_make( &order, ORDER( n ), 1 + n % 3, cycle, 1000 + n );
    order.intent.tip_lamports = n % 2 ? n : 0;
    CHECK( !sf_rig_inject( rig, "order", SF_MSG_ORDER, 3, 12345, &order, sizeof( order ) ) );
    wire_of( &order, &wire );
    expect_signed( rig, &wire );
  }
  sf_rig_close( rig );
}

int
main( void ) {
  sf_clock_init();
  fixture_open( &fixture );
  chain_make( &chain );
  orders_are_signed_once();
  message_waits_for_its_order();
  tampering_is_refused();
  changed_bytes_are_refused();
  message_fields_are_held_against_the_bytes();
  rate_and_kill_word_are_respected();
  key_must_be_private();
  built_transactions_are_signed();
  fixture_close( &fixture );
  printf( "test_sign: ok\n" );
  return 0;
}
