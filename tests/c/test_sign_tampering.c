/* test_sign_tampering.c: whatever is changed in a transaction or its order, it is not signed. */

#include "sign_fixture.h"

/* -- tampering -------------------------------------------------------------- */

typedef void ( *tamper_t )( sf_order_t * order, plan_t * plan, uint8_t * payer );

static void t_amount( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->data[0][8] ^= 1;
}
static void t_min_out( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->data[2][16] ^= 1;
}
static void t_min_zero( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  memset( p->data[2] + 16, 0, 8 );
}
static void t_tag( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->data[1][0] ^= 1;
}
static void t_short( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[p->first_swap].data_len--;
}
static void t_order( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  sf_instruction_t first            = p->instruction[p->first_swap];
  p->instruction[p->first_swap]     = p->instruction[p->first_swap + 1];
  p->instruction[p->first_swap + 1] = first;
}
static void t_direction( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)y;
  sf_pool_row_t row;
  sf_hop_t hop = o->intent.hop[1];
  hop.a_to_b   = 0;
  pool_make( hop.pool, &row );
  CHECK( !sf_swap_make( &p->swap[1], &hop, &row, &fixture.wallet ) );
  p->instruction[p->first_swap + 1].account = p->swap[1].account;
}
static void t_pool( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "pool", 77, p->swap[0].account[3].pubkey );
}
static void t_user_out( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "thief", 1, p->swap[2].account[5].pubkey );
}
static void t_user_in( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  memcpy( p->swap[0].account[4].pubkey, p->swap[1].account[4].pubkey, 32 );
}
static void t_extra_account( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->swap[0].account[13]                    = p->swap[0].account[12];
  p->instruction[p->first_swap].account_cnt = 14;
}
static void t_readonly( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->swap[0].account[12].writable = 0;
}
static void t_missing( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->cnt--;
}
static void t_twice( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[p->cnt] = p->instruction[p->cnt - 1];
  p->cnt++;
}
static void t_program( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  static uint8_t program[32];
  fake_key( "program", 1, program );
  p->instruction[p->first_swap].program = program;
}
static void t_extra_program( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[p->cnt++] = ( sf_instruction_t ){ sf_program_token, NULL, p->limit, 0, 5 };
}
static void t_payer( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o;
  fake_key( "payer", 1, y );
  for( int i = 0; i < 3; i++ ) memcpy( p->swap[i].account[0].pubkey, y, 32 );
  memcpy( p->tip_account[0].pubkey, y, 32 );
}
static void t_signers( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->swap[0].account[1].signer = 1;
}
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
  fake_key( "thief", 2, p->tip_account[1].pubkey );
}
static void t_tip_unordered( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)p, (void)y;
  o->intent.tip_lamports = 0;
}
static void t_tip_twice( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[p->cnt++] = p->instruction[2];
}
static void t_system( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->tip[0] = 8; /* Allocate */
}
static void t_no_limit( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[0] = p->instruction[1];
  for( uint32_t i = 1; i + 1 < p->cnt; i++ ) p->instruction[i] = p->instruction[i + 1];
  p->cnt--;
}
static void t_limit_twice( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[p->cnt++] = p->instruction[0];
}
static void t_price( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)y;
  sf_compute_price_data( p->price, o->intent.cu_price_micro_lamports + 1 );
}
static void t_price_max( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  sf_compute_price_data( p->price, UINT64_MAX );
}
static void t_heap( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->price[0] = 1;
}
static void t_limit_higher( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)y;
  o->intent.cu_limit = 100000;
  sf_compute_limit_data( p->limit, 100000 + 4096 );
}

/* of an order that creates accounts and is protected, over lookup tables */
static void t_create_missing( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  for( uint32_t i = p->first_create; i + 1 < p->cnt; i++ ) p->instruction[i] = p->instruction[i + 1];
  p->cnt--;
}
static void t_create_twice( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  for( uint32_t i = p->cnt++; i > p->first_create; i-- ) p->instruction[i] = p->instruction[i - 1];
}
static void t_create_late( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  sf_instruction_t create           = p->instruction[p->first_swap - 1];
  p->instruction[p->first_swap - 1] = p->instruction[p->first_swap];
  p->instruction[p->first_swap]     = create;
}
static void t_create_owner( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "thief", 1, p->create[0][2].pubkey );
}
static void t_create_account( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "thief", 1, p->create[0][1].pubkey );
}
static void t_create_mint( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "mint", 500, p->create[0][3].pubkey );
}
static void t_create_other( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  static uint8_t const recover[1]      = { 2 };
  p->instruction[p->first_create].data = recover;
}
static void t_create_unordered( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)p, (void)y;
  o->intent.flags = SF_INTENT_PROTECTED;
}
static void t_protect_missing( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[0].account_cnt = 0;
}
static void t_protect_other( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "thief", 1, p->protect.pubkey );
}
static void t_protect_price( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  p->instruction[1].account     = &p->protect;
  p->instruction[1].account_cnt = 1;
}
static void t_protect_unordered( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)p, (void)y;
  o->intent.flags = SF_INTENT_CREATE;
}
static sf_lookups_t other_lookups;
static void t_table_unknown( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  fake_key( "lookup table", 9, other_lookups.table[0].key );
  p->lookups = &other_lookups;
}
static void t_table_moved( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  uint8_t key[32]; /* what the index means is not what the order means */
  memcpy( key, other_lookups.table[0].address[42], 32 );
  memcpy( other_lookups.table[0].address[42], other_lookups.table[0].address[43], 32 );
  memcpy( other_lookups.table[0].address[43], key, 32 );
  p->lookups = &other_lookups;
}
static void t_table_longer( sf_order_t * o, plan_t * p, uint8_t * y ) {
  (void)o, (void)y;
  sf_lookup_table_t * t = &other_lookups.table[0];
  memcpy( t->address[t->cnt++], t->address[42], 32 );
  memset( t->address[42], 0, 32 );
  p->lookups = &other_lookups;
}
static void t_none( sf_order_t * o, plan_t * p, uint8_t * y ) { (void)o, (void)p, (void)y; }

/* of the order itself: what risk should never have let pass */
static void o_amount( sf_order_t * o ) {
  o->intent.amount_in        = MAX_AMOUNT + 1;
  o->intent.hop[0].amount_in = MAX_AMOUNT + 1;
}
static void o_min_zero( sf_order_t * o ) { o->intent.hop[1].min_out = 0; }
static void o_draws_more( sf_order_t * o ) { o->intent.hop[1].amount_in = o->intent.hop[0].min_out + 1; }
static void o_chain( sf_order_t * o ) { o->intent.hop[1].a_to_b = 0; }
static void o_kind( sf_order_t * o ) { o->intent.kind = SF_INTENT_SWAP; }
static void o_kind_unknown( sf_order_t * o ) { o->intent.kind = 3; }
static void o_first( sf_order_t * o ) { o->intent.amount_in++; }
static void o_last( sf_order_t * o ) { o->intent.min_out++; }
static void o_token( sf_order_t * o ) { o->intent.token_in = o->intent.token_out = 1; }

static void tampering_is_refused( void ) {
  static struct {
    tamper_t tamper;
    uint32_t reason;
  } const table[] = {
    { t_amount, SF_REFUSE_MISMATCH },
    { t_min_out, SF_REFUSE_MISMATCH },
    { t_min_zero, SF_REFUSE_MISMATCH },
    { t_tag, SF_REFUSE_MISMATCH },
    { t_short, SF_REFUSE_MISMATCH },
    { t_order, SF_REFUSE_MISMATCH },
    { t_direction, SF_REFUSE_MISMATCH },
    { t_pool, SF_REFUSE_MISMATCH },
    { t_user_out, SF_REFUSE_MISMATCH },
    { t_user_in, SF_REFUSE_MISMATCH },
    { t_extra_account, SF_REFUSE_MISMATCH },
    { t_readonly, SF_REFUSE_MISMATCH },
    { t_missing, SF_REFUSE_MISMATCH },
    { t_twice, SF_REFUSE_MISMATCH },
    { t_program, SF_REFUSE_PROGRAM },
    { t_extra_program, SF_REFUSE_PROGRAM },
    { t_payer, SF_REFUSE_MISMATCH },
    { t_signers, SF_REFUSE_MISMATCH },
    { t_tip_higher, SF_REFUSE_MISMATCH },
    { t_tip_above, SF_REFUSE_FEE },
    { t_tip_account, SF_REFUSE_PROGRAM },
    { t_tip_unordered, SF_REFUSE_MISMATCH },
    { t_tip_twice, SF_REFUSE_MISMATCH },
    { t_system, SF_REFUSE_PROGRAM },
    { t_no_limit, SF_REFUSE_FEE },
    { t_limit_twice, SF_REFUSE_FEE },
    { t_price, SF_REFUSE_FEE },
    { t_price_max, SF_REFUSE_FEE },
    { t_heap, SF_REFUSE_FEE },
    { t_limit_higher, SF_REFUSE_FEE },
  };
  sf_rig_t * rig = rig_open( 1000000 );
  uint64_t n     = 0;
  for( uint32_t i = 0; i < sizeof( table ) / sizeof( table[0] ); i++ ) {
    sf_order_t order;
    plan_t plan;
    sf_wire_t wire;
    uint8_t payer[32];
    order_make( &order, ORDER( ++n ), table[i].tamper == t_signers ? 2 : 3, cycle, 1000 ); /* room for a signature */
    order.intent.tip_lamports = 500;
    memcpy( payer, fixture.wallet.wallet, 32 );
    plan_make( &plan, &fixture, &order );
    table[i].tamper( &order, &plan, payer );
    plan_wire( &plan, payer, &order, &chain, &wire );
    if( table[i].tamper == t_signers ) { /* two signatures stand before the message then */
      memmove( wire.tx + 129, wire.tx + 65, wire.tx_len - 65u );
      wire.tx[0]       = 2;
      wire.message_off = 129;
      wire.tx_len      = (uint16_t)( wire.tx_len + 64 );
    }
    order_give( rig, &order );
    wire_give( rig, &wire );
    expect_refused( rig, &wire, table[i].reason );
  }

  static struct {
    void ( *tamper )( sf_order_t * );
    uint32_t reason;
  } const orders[] = {
    { o_amount, SF_REFUSE_LIMIT },   { o_min_zero, SF_REFUSE_LIMIT }, { o_draws_more, SF_REFUSE_LIMIT },
    { o_chain, SF_REFUSE_MISMATCH }, { o_kind, SF_REFUSE_MISMATCH },  { o_kind_unknown, SF_REFUSE_MISMATCH },
    { o_first, SF_REFUSE_MISMATCH }, { o_last, SF_REFUSE_MISMATCH },  { o_token, SF_REFUSE_MISMATCH },
  };
  for( uint32_t i = 0; i < sizeof( orders ) / sizeof( orders[0] ); i++ ) {
    sf_order_t order;
    sf_wire_t wire;
    order_make( &order, ORDER( ++n ), 3, cycle, 1000 );
    orders[i].tamper( &order );
    wire_of( &order, &wire );
    order_give( rig, &order );
    wire_give( rig, &wire );
    expect_refused( rig, &wire, orders[i].reason );
  }
  sf_rig_close( rig );
}

static void tampering_with_accounts_is_refused( void ) {
  static struct {
    tamper_t tamper;
    uint32_t reason; /* 0 = signed */
  } const table[] = {
    { t_none, 0 },
    { t_create_missing, SF_REFUSE_MISMATCH },
    { t_create_twice, SF_REFUSE_MISMATCH },
    { t_create_late, SF_REFUSE_MISMATCH },
    { t_create_owner, SF_REFUSE_MISMATCH },
    { t_create_account, SF_REFUSE_MISMATCH },
    { t_create_mint, SF_REFUSE_MISMATCH },
    { t_create_other, SF_REFUSE_MISMATCH },
    { t_create_unordered, SF_REFUSE_MISMATCH },
    { t_protect_missing, SF_REFUSE_MISMATCH },
    { t_protect_other, SF_REFUSE_MISMATCH },
    { t_protect_price, SF_REFUSE_MISMATCH },
    { t_protect_unordered, SF_REFUSE_MISMATCH },
    { t_table_unknown, SF_REFUSE_MISMATCH },
    { t_table_moved, SF_REFUSE_MISMATCH },
    { t_table_longer, SF_REFUSE_MISMATCH },
    { t_tip_account, SF_REFUSE_PROGRAM },
    { t_extra_program, SF_REFUSE_PROGRAM },
    { t_user_out, SF_REFUSE_MISMATCH },
    { t_none, 0 },
  };
  sf_rig_t * rig = rig_open( 1000000 );
  for( uint32_t i = 0; i < sizeof( table ) / sizeof( table[0] ); i++ ) {
    sf_order_t order;
    plan_t plan;
    sf_wire_t wire;
    uint8_t payer[32];
    order_make( &order, ORDER( i + 1 ), 3, ( uint32_t[] ){ 10, 11, 12 }, 1000 );
    order.intent.tip_lamports = 500;
    order.intent.flags        = SF_INTENT_CREATE | SF_INTENT_PROTECTED;
    memcpy( payer, fixture.wallet.wallet, 32 );
    plan_make( &plan, &fixture, &order );
    other_lookups = fixture.lookups;
    plan.lookups  = &fixture.lookups;
    table[i].tamper( &order, &plan, payer );
    plan_wire( &plan, payer, &order, &chain, &wire );
    order_give( rig, &order );
    wire_give( rig, &wire );
    if( table[i].reason ) expect_refused( rig, &wire, table[i].reason );
    else expect_signed( rig, &wire );
  }
  sf_rig_close( rig );
}

static void wire_with( sf_order_t const * order, int tables, sf_wire_t * wire ) {
  plan_t plan;
  plan_make( &plan, &fixture, order );
  if( tables ) plan.lookups = &fixture.lookups;
  plan_wire( &plan, fixture.wallet.wallet, order, &chain, wire );
}

/* Every single byte of the transaction changed: signed only if that byte is one that is free. */
static void changed_bytes_are_refused( int tables ) {
  sf_rig_t * rig = rig_open( 1000000 );
  sf_order_t order;
  sf_wire_t wire, bad;
  received_t got;
  sf_transaction_t tx;
  uint64_t n      = 0;
  uint32_t passed = 0;
  order_make( &order, ORDER( ++n ), 3, tables ? ( uint32_t[] ){ 10, 11, 12 } : cycle, 1000 );
  order.intent.tip_lamports = 500;
  if( tables ) order.intent.flags = SF_INTENT_CREATE | SF_INTENT_PROTECTED;
  wire_with( &order, tables, &wire );
  for( uint32_t at = 0; at < wire.tx_len; at++ ) {
    order.order = ORDER( ++n );
    wire_with( &order, tables, &wire );
    CHECK( !sf_transaction_parse( &tx, wire.tx, wire.tx_len ) );
    sf_instruction_view_t limit;
    uint16_t off = tx.instruction_off;
    sf_transaction_instruction( &tx, &off, &limit );
    uint32_t units_off = (uint32_t)( limit.data + 1 - wire.tx );
    bad                = wire;
    bad.tx[at] ^= (uint8_t)( 1u << at % 8 );
    order_give( rig, &order );
    wire_give( rig, &bad );
    uint32_t kind = next_message( rig, "wire", &got );
    int free      = ( at >= 1 && at < 65 ) || /* where the signature goes */
               at == 65 + 3 ||                /* how many accounts are only read */
               at == units_off;               /* a few units that do not change the fee */
    CHECK( kind == SF_MSG_REFUSED || ( kind == SF_MSG_WIRE && free ) );
    passed += kind == SF_MSG_WIRE;
  }
  CHECK( passed >= 64 );

  /* cut and lengthened */
  for( uint32_t cut = 1; cut < wire.tx_len; cut += 7 ) {
    order.order = ORDER( ++n );
    wire_with( &order, tables, &bad );
    bad.tx_len = (uint16_t)( bad.tx_len - cut );
    order_give( rig, &order );
    wire_give( rig, &bad );
    expect_refused( rig, &bad, SF_REFUSE_MISMATCH );
  }
  order.order = ORDER( ++n );
  wire_with( &order, tables, &bad );
  bad.tx_len++;
  order_give( rig, &order );
  wire_give( rig, &bad );
  expect_refused( rig, &bad, SF_REFUSE_MISMATCH );
  sf_rig_close( rig );
}

int main( void ) {
  sf_clock_init();
  fixture_open( &fixture );
  chain_make( &chain );
  tampering_is_refused();
  tampering_with_accounts_is_refused();
  changed_bytes_are_refused( 0 );
  changed_bytes_are_refused( 1 );
  fixture_close( &fixture );
  printf( "test_sign_tampering: ok\n" );
  return 0;
}
