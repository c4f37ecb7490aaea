/* bench decode: from the bytes of accounts to a priced pool, per venue.

     build/release/bench/c/decode FILE [SAMPLES]      JSON lines on stdout

   FILE is written by bench/decode.py (little endian): "SFDECOD1", u64 pools; per pool a head_t and its accounts, the pool's
   own first: sf_raw_account_t and data, to a multiple of 16.

   pool, vault, array   decode of one account by the venue's row: the pool's account, a vault, a tick or bin array
   update               all accounts that a swap changes, through book's store, until the pool is priced anew and its state
                        ready to travel: what book does for a swap

   A sample is the mean of BATCH, in picoseconds. */

#include "dex/pools.h"
#include "rig.h"

#define BATCH   16
#define WARM_UP 8 /* samples */
#define OWN_MAX 64

typedef struct head {
  char venue[32];
  uint64_t unix_s;
  uint64_t slot;
  uint64_t accounts;
  uint64_t zero;
} head_t;

static bench_hist_t hist;

static void * part( FILE * file, uint64_t bytes ) {
  uint64_t padded = ( bytes + 15 ) / 16 * 16;
  void * memory   = aligned_alloc( 64, ( padded + 63 ) / 64 * 64 );
  if( !memory || fread( memory, 1, padded, file ) != padded ) {
    fprintf( stderr, "decode: the file ends early\n" );
    exit( 1 );
  }
  return memory;
}

static sf_raw_account_t * account( FILE * file ) {
  sf_raw_account_t * raw  = part( file, sizeof( *raw ) );
  sf_raw_account_t * both = aligned_alloc( 64, ( sizeof( *raw ) + raw->data_len + 127 ) / 64 * 64 );
  *both                   = *raw;
  uint8_t * data          = part( file, raw->data_len );
  memcpy( both + 1, data, raw->data_len );
  free( data );
  free( raw );
  return both;
}

static uint8_t const * data_of( sf_raw_account_t const * raw ) { return (uint8_t const *)( raw + 1 ); }

static void report( char const * venue, char const * what, uint32_t bytes ) {
  printf( "{\"what\":\"decode\",\"venue\":\"%s\",\"case\":\"%s\",\"bytes\":%u,", venue, what, bytes );
  bench_hist_fields( &hist, "ps" );
  printf( "}\n" );
  fflush( stdout );
}

/* One kind of account, of which there are cnt, in turn. */
static void decode_case( sf_venue_t const * v, void * work, uint32_t p, sf_raw_account_t * const * raw, uint32_t cnt,
                         char const * what, uint32_t samples ) {
  bench_hist_clear( &hist );
  for( uint32_t s = 0, next = 0; s < samples; s++ ) {
    int rc         = 0;
    uint64_t begin = bench_ticks();
    for( uint32_t i = 0; i < BATCH; i++ ) {
      sf_raw_account_t const * r = raw[next];
      next                       = next + 1 == cnt ? 0 : next + 1;
      rc |= v->decode( work, p, r->owner, data_of( r ), r->data_len, r->slot, 0 );
    }
    uint64_t ticks = bench_ticks() - begin;
    if( rc ) {
      fprintf( stderr, "decode: %s: %s is refused\n", v->name, what );
      exit( 1 );
    }
    if( s >= WARM_UP ) bench_hist_add( &hist, (uint64_t)( 1000 * bench_ns( ticks ) / BATCH ) );
  }
  report( v->name, what, raw[0]->data_len );
}

/* The accounts that a swap changes, as of a new slot; how many pools were priced. */
static uint32_t swap( sf_pools_t * store, sf_raw_account_t * const * moving, uint32_t cnt ) {
  uint64_t slot   = moving[0]->slot + 1;
  uint32_t priced = 0, pool;
  for( uint32_t k = 0; k < cnt; k++ ) {
    moving[k]->slot = slot;
    sf_pools_account( store, moving[k], 0 );
  }
  while( sf_pools_changed( store, &pool ) ) priced++;
  return priced;
}

static void update_case( sf_pools_t * store, sf_venue_t const * v, sf_raw_account_t * const * moving, uint32_t cnt,
                         uint32_t samples ) {
  uint32_t bytes = 0;
  for( uint32_t k = 0; k < cnt; k++ ) bytes += moving[k]->data_len;
  bench_hist_clear( &hist );
  for( uint32_t s = 0; s < samples; s++ ) {
    uint32_t changed = 0;
    uint64_t begin   = bench_ticks();
    for( uint32_t i = 0; i < BATCH; i++ ) changed += swap( store, moving, cnt );
    uint64_t ticks = bench_ticks() - begin;
    if( changed != BATCH ) {
      fprintf( stderr, "decode: %s: %u of %d swaps were priced\n", v->name, changed, BATCH );
      exit( 1 );
    }
    if( s >= WARM_UP ) bench_hist_add( &hist, (uint64_t)( 1000 * bench_ns( ticks ) / BATCH ) );
  }
  report( v->name, "update", bytes );
}

static sf_raw_account_t * find( sf_raw_account_t * const * raw, uint64_t cnt, uint8_t const key[32] ) {
  for( uint64_t i = 0; i < cnt; i++ )
    if( !memcmp( raw[i]->pubkey, key, 32 ) ) return raw[i];
  return 0;
}

static void pool_case( FILE * file, uint32_t samples ) {
  head_t * head           = part( file, sizeof( *head ) );
  sf_raw_account_t ** raw = calloc( head->accounts, sizeof( *raw ) );
  for( uint64_t i = 0; i < head->accounts; i++ ) raw[i] = account( file );
  sf_venue_t const * v  = sf_venue_of_program( raw[0]->owner );
  sf_pool_names_t names = { 0 };
  void * work           = v ? aligned_alloc( 64, ( v->work_bytes + 63UL ) / 64 * 64 ) : 0;
  if( work ) memset( work, 0, v->work_bytes );
  if( !work || v->meet( raw[0]->pubkey, data_of( raw[0] ), raw[0]->data_len, work, &names ) ) {
    fprintf( stderr, "decode: %s: its pool is refused\n", head->venue );
    exit( 1 );
  }
  sf_raw_account_t *own[OWN_MAX], *moving[4], *vault = find( raw, head->accounts, names.vault[0] );
  uint32_t own_cnt = 0, moving_cnt = 0;
  for( uint64_t i = 1; i < head->accounts && own_cnt < OWN_MAX; i++ ) {
    uint8_t pool[32];
    if( !memcmp( raw[i]->owner, v->program, 32 ) &&
        v->account_kind( data_of( raw[i] ), raw[i]->data_len ) == SF_ACCOUNT_OWN && v->own_pool &&
        !v->own_pool( data_of( raw[i] ), raw[i]->data_len, pool ) && !memcmp( pool, raw[0]->pubkey, 32 ) &&
        ( !own_cnt || raw[i]->data_len == own[0]->data_len ) )
      own[own_cnt++] = raw[i];
  }
  if( names.moves & SF_PART_BIT( SF_PART_POOL ) ) moving[moving_cnt++] = raw[0];
  for( uint32_t side = 0; side < 2; side++ )
    if( names.moves & SF_PART_BIT( SF_PART_VAULT_A + side ) ) {
      sf_raw_account_t * one = find( raw, head->accounts, names.vault[side] );
      if( one ) moving[moving_cnt++] = one;
    }

  sf_pools_t store;
  uint32_t pool, priced = 0;
  if( sf_pools_open( &store, 64, 64, 432000 ) ) exit( 1 );
  sf_pools_time( &store, head->unix_s );
  for( uint64_t i = 0; i < head->accounts; i++ ) sf_pools_account( &store, raw[i], 0 );
  sf_pools_slot( &store, head->slot + 1 );
  while( sf_pools_changed( &store, &pool ) ) priced++;
  for( uint64_t i = 0; i < head->accounts; i++ ) raw[i]->flags = 0; /* from here on as the feed's */
  for( uint32_t k = 0; k < moving_cnt; k++ ) moving[k]->slot = head->slot + 1;
  if( !priced ) {
    fprintf( stderr, "decode: %s: its accounts do not price it\n", head->venue );
    exit( 1 );
  }
  if( !swap( &store, moving, moving_cnt ) )
    for( uint32_t k = 0; k < own_cnt; k++ ) { /* where a swap also changes the array that it ends in */
      sf_pools_slot( &store, moving[0]->slot + 1 );
      while( sf_pools_changed( &store, &pool ) ) {}
      moving[moving_cnt] = own[k];
      if( swap( &store, moving, moving_cnt + 1 ) ) {
        moving_cnt++;
        break;
      }
    }
  decode_case( v, work, SF_PART_POOL, raw, 1, "pool", samples );
  if( vault && names.moves & SF_PART_BIT( SF_PART_VAULT_A ) )
    decode_case( v, work, SF_PART_VAULT_A, &vault, 1, "vault", samples );
  if( own_cnt ) decode_case( v, work, SF_PART_OWN, own, own_cnt, "array", samples );
  update_case( &store, v, moving, moving_cnt, samples );
  sf_pools_close( &store );
  for( uint64_t i = 0; i < head->accounts; i++ ) free( raw[i] );
  free( raw );
  free( work );
  free( head );
}

int main( int argc, char ** argv ) {
  FILE * file      = argc > 1 ? fopen( argv[1], "r" ) : 0;
  uint32_t samples = argc > 2 ? (uint32_t)atoi( argv[2] ) : 2000;
  if( !file || samples <= WARM_UP ) {
    fprintf( stderr, "usage: decode FILE [SAMPLES]\n" );
    return 2;
  }
  bench_pin();
  bench_clock_open();
  struct {
    char magic[8];
    uint64_t pools;
  } * head = part( file, 16 );
  if( memcmp( head->magic, "SFDECOD1", 8 ) ) {
    fprintf( stderr, "decode: %s is no file of accounts\n", argv[1] );
    return 2;
  }
  for( uint64_t p = 0; p < head->pools; p++ ) pool_case( file, samples );
  fclose( file );
  free( head );
  bench_clock_report();
  return 0;
}
