/* Links in one thread: geometry, credits, overrun, pair write-back, restart rule. */

#include "check.h"
#include "shm/instance.h"
#include "shm/workspace.h"

typedef struct ring {
  sf_link_t * link;
  sf_edge_t * edge[4];
  sf_producer_t p;
  sf_consumer_t c[4];
  uint32_t cnt;
} ring_t;

static sf_edge_t * edge_make( uint32_t reliable ) {
  sf_edge_t * e = aligned_alloc( SF_ALIGN, sizeof( *e ) );
  memset( e, 0, sizeof( *e ) );
  e->reliable = reliable;
  return e;
}

/* A ring in private memory with `reliable` reliable and `lossy` lossy consumers. */
static void ring_make( ring_t * r, uint32_t depth, uint32_t slot_bytes, uint32_t reliable, uint32_t lossy ) {
  uint64_t bytes = sf_link_bytes( depth, slot_bytes );
  memset( r, 0, sizeof( *r ) );
  r->link = aligned_alloc( SF_ALIGN, bytes );
  memset( r->link, 0, bytes );
  r->link->object.size = bytes;
  snprintf( r->link->object.name, SF_NAME_MAX, "test" );
  r->link->depth      = depth;
  r->link->slot_bytes = slot_bytes;
  r->link->slot_off   = sizeof( sf_link_t );
  r->link->flags =
      ( lossy ? SF_LINK_BROADCAST : 0 ) | ( reliable == 1 && !lossy && slot_bytes == 64 ? SF_LINK_PAIR : 0 );
  r->cnt = reliable + lossy;
  for( uint32_t i = 0; i < r->cnt; i++ ) r->edge[i] = edge_make( i >= lossy ); /* lossy first: the producer sorts */
  CHECK( !sf_producer_open( &r->p, r->link, (sf_edge_t const * const *)r->edge, r->cnt ) );
  for( uint32_t i = 0; i < r->cnt; i++ ) CHECK( !sf_consumer_open( r->c + i, r->link, r->edge[i] ) );
}

static void ring_free( ring_t * r ) {
  sf_producer_close( &r->p );
  for( uint32_t i = 0; i < r->cnt; i++ ) free( r->edge[i] );
  free( r->link );
}

static uint64_t buffer[SF_SLOT_MAX / 8];
static sf_message_t * const out = (sf_message_t *)buffer;

static void test_geometry( void ) {
  CHECK( !sf_link_bytes( 1000, 64 ) && !sf_link_bytes( 2, 64 ) && !sf_link_bytes( 1U << 25, 64 ) );
  CHECK( !sf_link_bytes( 64, 0 ) && !sf_link_bytes( 64, 63 ) && !sf_link_bytes( 64, 96 ) &&
         !sf_link_bytes( 64, SF_SLOT_MAX + 64 ) );
  CHECK( sf_link_bytes( 64, 64 ) == 256 + 64 * 64 && sf_link_bytes( 4, 1344 ) % SF_ALIGN == 0 );
  ring_t r;
  ring_make( &r, 8, 128, 1, 0 );
  sf_link_t const good = *r.link;
  sf_producer_t p;
  sf_consumer_t c;
  for( int i = 0; i < 6; i++ ) { /* shared geometry is never trusted */
    *r.link = good;
    switch( i ) {
    case 0: r.link->depth = 7; break;
    case 1: r.link->depth = 16; break;
    case 2: r.link->slot_bytes = 100; break;
    case 3: r.link->slot_off = 0; break;
    case 4: r.link->slot_off = 1UL << 60; break;
    case 5: r.link->object.size = 64; break;
    }
    CHECK( sf_producer_open( &p, r.link, 0, 0 ) == SF_ERR_ABI );
    CHECK( sf_consumer_open( &c, r.link, r.edge[0] ) == SF_ERR_ABI );
    CHECK_SAYS( "link test" );
  }
  *r.link = good;
  ring_free( &r );
}

static void test_content( void ) {
  static uint32_t const slots[] = { 64, 128, 256, 1344 };
  for( int k = 0; k < 4; k++ ) {
    for( uint32_t lossy = 0; lossy < 2; lossy++ ) {
      ring_t r;
      ring_make( &r, 8, slots[k], !lossy, lossy );
      uint8_t payload[SF_SLOT_MAX];
      for( uint64_t n = 0; n < 40; n++ ) {
        uint16_t length = (uint16_t)( n % ( slots[k] - 31 ) );
        for( uint64_t i = 0; i < length; i++ ) payload[i] = (uint8_t)( n + i );
        CHECK( !sf_link_send( &r.p, (uint16_t)( n + 1 ), (uint32_t)( n * 3 ), n * 5, payload, length ) );
        CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == 1 );
        CHECK( out->seq == n && out->kind == n + 1 && out->length == length && out->tag == n * 3 &&
               out->t_origin == n * 5 && out->t_pub );
        CHECK( !memcmp( out + 1, payload, length ) );
        for( int i = 0; i < SF_IDLE_POLLS; i++ ) CHECK( !sf_link_receive( r.c, out, sizeof( buffer ) ) );
        CHECK( sf_load_relaxed( &r.edge[0]->cursor ) == n + 1 ); /* flushed when idle */
      }
      CHECK( sf_link_send( &r.p, 1, 0, 0, payload, (uint16_t)( slots[k] - 31 ) ) == SF_ERR_ARG );
      ring_free( &r );
    }
  }
}

static void test_credit( void ) {
  ring_t r;
  ring_make( &r, 16, 64, 2, 0 );
  CHECK( !( r.link->flags & SF_LINK_PAIR ) && sf_link_credit( &r.p ) == 16 );
  for( int i = 0; i < 16; i++ ) CHECK( !sf_link_send( &r.p, 1, 0, 0, 0, 0 ) );
  CHECK( sf_link_send( &r.p, 1, 0, 0, 0, 0 ) == SF_ERR_FULL && !sf_link_claim( &r.p ) &&
         !sf_producer_ready( &r.p, 1 ) );
  for( int i = 0; i < 3; i++ ) CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == 1 );
  CHECK( !sf_link_credit( &r.p ) ); /* below a quarter nothing comes back while busy */
  CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == 1 );
  CHECK( !sf_link_credit( &r.p ) ); /* the other one is slower */
  for( int i = 0; i < 8; i++ ) CHECK( sf_link_receive( r.c + 1, out, sizeof( buffer ) ) == 1 );
  CHECK( sf_link_credit( &r.p ) == 4 && sf_producer_ready( &r.p, 4 ) && !sf_producer_ready( &r.p, 5 ) );
  sf_message_t * slot = sf_link_claim( &r.p );
  CHECK( slot && slot == sf_link_claim( &r.p ) );
  ring_free( &r );
}

static void test_peek( void ) {
  ring_t r;
  ring_make( &r, 8, 64, 1, 0 );
  CHECK( r.link->flags & SF_LINK_PAIR );
  for( uint64_t n = 0; n < 50; n++ ) {
    CHECK( !sf_link_peek( r.c ) );
    sf_message_t * slot = sf_link_claim( &r.p );
    memcpy( slot + 1, &n, 8 );
    sf_link_publish( &r.p, slot, 9, 8, 0, 0, 0 );
    sf_message_t const * m = sf_link_peek( r.c );
    CHECK( m && m == sf_link_peek( r.c ) && m->seq == n + 1 && !memcmp( m + 1, &n, 8 ) );
    sf_link_release( r.c );
    CHECK( !sf_load_relaxed( &m->seq ) ); /* written back */
  }
  ring_free( &r );
}

static void test_overrun( void ) {
  ring_t r;
  ring_make( &r, 8, 128, 1, 1 ); /* c[0] lossy, c[1] reliable */
  uint64_t sent = 0;
  for( ; sent < 8; sent++ ) CHECK( !sf_link_send( &r.p, 1, 0, 0, &sent, 8 ) );
  CHECK( sf_link_send( &r.p, 1, 0, 0, &sent, 8 ) == SF_ERR_FULL ); /* the reliable one holds it back */
  for( int i = 0; i < 8; i++ ) CHECK( sf_link_receive( r.c + 1, out, sizeof( buffer ) ) == 1 );
  CHECK( !sf_link_receive( r.c + 1, out, sizeof( buffer ) ) );
  for( ; sent < 11; sent++ ) CHECK( !sf_link_send( &r.p, 1, 0, 0, &sent, 8 ) );
  /* slot 0 holds message 8 now */
  CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == SF_ERR_OVERRUN && r.c->lost == 8 &&
         sf_load_relaxed( &r.edge[0]->lost ) == 8 );
  for( uint64_t n = 8; n < 11; n++ ) {
    CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == 1 && out->seq == n && !memcmp( out + 1, &n, 8 ) );
  }
  CHECK( !sf_link_receive( r.c, out, sizeof( buffer ) ) );
  /* a claimed slot is busy: nothing to read there, before and after a lap */
  sf_message_t * slot = sf_link_claim( &r.p );
  CHECK( !sf_link_receive( r.c, out, sizeof( buffer ) ) );
  sf_link_publish( &r.p, slot, 1, 0, 0, 0, 0 );
  CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == 1 && out->seq == 11 && r.c->lost == 8 );
  ring_free( &r );
}

/* A length that does not fit the slot is cut, not believed. */
static void test_length( void ) {
  ring_t r;
  ring_make( &r, 8, 256, 1, 0 );
  sf_message_t * slot = sf_link_claim( &r.p );
  CHECK( slot );
  sf_link_publish( &r.p, slot, 1, 65535, 0, 0, 0 );
  buffer[256 / 8] = 0x1122334455667788;
  CHECK( sf_link_receive( r.c, out, 256 ) == 1 && buffer[256 / 8] == 0x1122334455667788 );
  ring_free( &r );
}

static void test_restart( void ) {
  ring_t r;
  ring_make( &r, 8, 128, 1, 0 );
  sf_edge_t const * edge[1] = { r.edge[0] };
  for( int i = 0; i < 5; i++ ) CHECK( !sf_link_send( &r.p, 1, 0, 0, 0, 0 ) );
  for( int i = 0; i < 3; i++ ) CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == 1 );
  /* closed in order: both go on where they were */
  sf_producer_close( &r.p );
  sf_consumer_flush( r.c );
  CHECK( !sf_producer_open( &r.p, r.link, edge, 1 ) && r.p.next == 5 && sf_link_credit( &r.p ) == 6 );
  CHECK( !sf_consumer_open( r.c, r.link, r.edge[0] ) && r.c->next == 3 );
  CHECK( !sf_link_send( &r.p, 1, 0, 0, 0, 0 ) );
  for( uint64_t n = 3; n < 6; n++ ) CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == 1 && out->seq == n );
  /* died: what it published after the last housekeeping is not in `published` */
  sf_producer_t second;
  CHECK( sf_producer_open( &second, r.link, edge, 1 ) == SF_ERR_STATE );
  CHECK_SAYS( "start the instance anew" );
  ring_free( &r );
  /* a late lossy reader begins with what its slot holds */
  ring_make( &r, 8, 64, 0, 1 );
  for( int i = 0; i < 20; i++ ) CHECK( !sf_link_send( &r.p, 1, 0, 0, 0, 0 ) );
  CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == SF_ERR_OVERRUN );
  CHECK( sf_link_receive( r.c, out, sizeof( buffer ) ) == 1 && out->seq == 16 && r.c->lost == 16 );
  ring_free( &r );
}

int main( void ) {
  test_geometry();
  test_content();
  test_credit();
  test_peek();
  test_overrun();
  test_length();
  test_restart();
  printf( "link: geometry, content, credit, peek, overrun, length, restart\n" );
  return 0;
}
