/* bench udp: datagrams of 1,232 bytes in over loopback by every engine of csrc/io/udp.h.

     build/release/bench/c/udp [SECONDS [DRAINS]]      JSON lines on stdout

   A thread on the first core this program may use sends, one on the last core receives, spinning.

   steady   open loop: RATE datagrams a second for SECONDS, each to a socket drawn at random (of 1, of 48), from the time
            it was intended for until sf_udp_poll has given it out.  Beside it send_ns: p50 of the sender's own call,
            within which the kernel puts the datagram into the receiver's queue: nobody receives sooner
   drain    DRAIN datagrams wait in one socket, sent in trains of 40 (UDP_SEGMENT); ns a datagram until the last one is
            given out.  copy_ns: the same bytes, written by the other core, copied once */

#include "rig.h"
#include "base/rng.h"
#include "io/udp.h"
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define BYTES   1232 /* a packet of the cluster's MTU */
#define RATE    20e3
#define WARM_UP 0.02 /* seconds */
#define DRAIN   2000 /* datagrams of one drain */
#define TRAIN   40
#define ROOM    ( 32U << 20 )
#define QUIET   0.2 /* seconds without a datagram: what is missing was lost */

typedef struct packet {
  uint64_t number;
  uint64_t intended; /* TSC */
  uint8_t rest[BYTES - 16];
} packet_t;

static sf_udp_t udp;
static uint32_t first_core;
static bench_schedule_t schedule;
static bench_hist_t in, sends;
static uint64_t sent_all; /* written by the sender, once it has sent all */
static uint8_t written[DRAIN][BYTES], copied[BYTES];

static void die( char const * what ) {
  fprintf( stderr, "bench udp: %s: %s\n", what, sf_err_text() );
  exit( 1 );
}

static void open_sockets( uint32_t engine, uint32_t cnt ) {
  static struct sockaddr_storage address[SF_UDP_SOCKET_MAX];
  for( uint32_t i = 0; i < cnt; i++ )
    *(struct sockaddr_in *)&address[i] =
        ( struct sockaddr_in ){ .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
  if( sf_udp_open( &udp, engine, address, cnt, ROOM ) ) die( "sockets" );
}

static int sender_socket( void ) {
  int fd = socket( AF_INET, SOCK_DGRAM, 0 );
  if( fd < 0 ) die( "socket" );
  return fd;
}

static void sender_pin( void ) {
  if( sf_cpu_pin( first_core ) ) die( "pin" );
}

/* -- steady ------------------------------------------------------------------ */

static void * send_steadily( void * arg ) {
  sender_pin();
  static packet_t p;
  int fd = sender_socket();
  sf_rng_t rng;
  sf_rng_seed( &rng, 1 );
  schedule = bench_schedule( RATE, *(double *)arg, WARM_UP );
  while( schedule.next < schedule.events ) {
    if( !bench_schedule_due( &schedule, &p.intended ) ) continue;
    p.number        = schedule.next - 1;
    uint32_t to     = (uint32_t)sf_rng_below( &rng, udp.socket_cnt );
    uint64_t before = bench_ticks();
    sendto( fd, &p, BYTES, 0, (struct sockaddr *)&udp.socket[to].address, sizeof( struct sockaddr_in ) );
    if( bench_schedule_counts( &schedule, p.number ) )
      bench_hist_add( &sends, (uint64_t)bench_ns( bench_ticks() - before ) );
  }
  sf_store_release( &sent_all, 1 );
  close( fd );
  return NULL;
}

static uint64_t hist_p50( bench_hist_t const * h ) {
  uint64_t seen = 0;
  for( uint32_t i = 0; i < BENCH_BUCKETS; i++ ) {
    seen += h->bucket[i];
    if( 2 * seen >= h->count && seen ) {
      uint32_t shift = i < 2U << BENCH_HALF_BITS ? 0 : ( i >> BENCH_HALF_BITS ) - 1;
      return (uint64_t)( i - ( shift << BENCH_HALF_BITS ) ) << shift;
    }
  }
  return 0;
}

static void steady( uint32_t engine, uint32_t cnt, double seconds ) {
  open_sockets( engine, cnt );
  bench_hist_clear( &in );
  bench_hist_clear( &sends );
  sf_store_release( &sent_all, 0 );
  pthread_t sender;
  if( pthread_create( &sender, NULL, send_steadily, &seconds ) ) die( "thread" );
  uint64_t warm_up = (uint64_t)( RATE * WARM_UP ), events = (uint64_t)( RATE * ( seconds + WARM_UP ) );
  uint64_t got = 0, last = bench_ticks();
  while( got < events ) {
    sf_udp_packet_t const * p;
    uint32_t n   = sf_udp_poll( &udp, &p );
    uint64_t now = bench_ticks();
    if( n ) last = now;
    else if( sf_load_acquire( &sent_all ) && bench_ns( now - last ) > QUIET * 1e9 ) break;
    else sf_pause();
    got += n;
    for( ; n; n--, p++ ) {
      packet_t const * packet = (packet_t const *)p->bytes;
      if( packet->number >= warm_up ) bench_hist_add( &in, (uint64_t)bench_ns( now - packet->intended ) );
    }
  }
  pthread_join( sender, NULL );
  printf( "{\"what\":\"steady\",\"case\":\"%s %u\",\"replaced\":\"%s\",\"lost\":%lu,\"send_ns\":%lu,",
          sf_udp_engine_name( engine ), cnt, udp.replaced, events - got, hist_p50( &sends ) );
  bench_schedule_fields( &schedule );
  printf( "," );
  bench_hist_fields( &in, "ns" );
  printf( "}\n" );
  fflush( stdout );
  sf_udp_close( &udp );
}

/* -- drain ------------------------------------------------------------------- */

static void * send_trains( void * arg ) {
  uint32_t cnt = *(uint32_t *)arg;
  sender_pin();
  static uint8_t bytes[TRAIN * BYTES];
  uint8_t control[CMSG_SPACE( sizeof( uint16_t ) )] __attribute__( ( aligned( 8 ) ) ) = { 0 };
  struct iovec part                                                                   = { bytes, sizeof( bytes ) };
  struct msghdr m    = { .msg_name       = &udp.socket[0].address,
                         .msg_namelen    = sizeof( struct sockaddr_in ),
                         .msg_iov        = &part,
                         .msg_iovlen     = 1,
                         .msg_control    = control,
                         .msg_controllen = sizeof( control ) };
  struct cmsghdr * c = CMSG_FIRSTHDR( &m );
  *c                 = ( struct cmsghdr ){ .cmsg_level = IPPROTO_UDP,
                                           .cmsg_type  = UDP_SEGMENT,
                                           .cmsg_len   = CMSG_LEN( sizeof( uint16_t ) ) };
  memcpy( CMSG_DATA( c ), &( uint16_t ){ BYTES }, sizeof( uint16_t ) );
  int fd = sender_socket();
  for( uint32_t i = 0; i < cnt; i += TRAIN )
    if( sendmsg( fd, &m, 0 ) < 0 ) break;
  close( fd );
  memset( written, (int)cnt, sizeof( written ) );
  return NULL;
}

/* One drain, and one copy: ns a datagram; 0 if datagrams were lost. */
static double drained( double * copy_ns ) {
  uint32_t cnt = udp.socket[0].receive_bytes / 8192; /* what surely fits */
  cnt          = cnt < DRAIN ? cnt / TRAIN * TRAIN : DRAIN;
  pthread_t sender;
  if( pthread_create( &sender, NULL, send_trains, &cnt ) ) die( "thread" );
  pthread_join( sender, NULL );
  uint64_t start = bench_ticks(), sum = 0;
  for( uint32_t i = 0; i < DRAIN; i++ ) {
    memcpy( copied, written[i], BYTES );
    sum += sf_load_relaxed( (uint64_t *)copied );
  }
  *copy_ns      = bench_ns( bench_ticks() - start ) / DRAIN;
  uint32_t got  = 0;
  uint64_t last = start = bench_ticks();
  sf_udp_packet_t const * p;
  while( got < cnt && bench_ns( bench_ticks() - last ) < QUIET * 1e9 ) {
    uint32_t n = sf_udp_poll( &udp, &p );
    if( !n ) continue;
    got += n;
    last = bench_ticks();
  }
  return got == cnt && sum ? bench_ns( last - start ) / cnt : 0;
}

static void drain( uint32_t engine, uint32_t drains ) {
  open_sockets( engine, 1 );
  for( uint32_t i = 0; i < drains; i++ ) {
    double copy_ns, ns = drained( &copy_ns );
    if( ns > 0 )
      printf( "{\"what\":\"drain\",\"case\":\"%s\",\"ns\":%.1f,\"copy_ns\":%.1f}\n", sf_udp_engine_name( engine ), ns,
              copy_ns );
  }
  fflush( stdout );
  sf_udp_close( &udp );
}

int main( int argc, char ** argv ) {
  double seconds  = argc > 1 ? atof( argv[1] ) : 0.5;
  uint32_t drains = argc > 2 ? (uint32_t)atoi( argv[2] ) : 12;
  uint32_t core[SF_CPU_MAX];
  if( sf_cpu_available( core ) < 2 ) {
    fprintf( stderr, "two cores are needed, there is one\n" );
    return 77;
  }
  first_core = core[0];
  bench_pin();
  bench_clock_open();
  for( uint32_t e = 0; e < SF_UDP_ENGINES; e++ ) {
    steady( e, 1, seconds );
    steady( e, 48, seconds );
    drain( e, drains );
  }
  bench_clock_report();
  return 0;
}
