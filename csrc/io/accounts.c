#include "io/accounts.h"
#include "base/err.h"
#include "sf_abi.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t mix( uint64_t v ) {
  v *= 0x9e3779b97f4a7c15UL;
  return v ^ v >> 32;
}

static uint64_t pubkey_hash( uint8_t const * pubkey ) {
  uint64_t v;
  memcpy( &v, pubkey, 8 );
  return mix( v );
}

static void insert( uint32_t * table, uint32_t mask, uint64_t hash, uint32_t i ) {
  while( table[hash & mask] ) hash++;
  table[hash & mask] = i + 1;
}

/* grow makes room for twice as many accounts and builds the tables anew. */
static int grow( sf_accounts_t * a ) {
  uint32_t max           = a->max ? 2 * a->max : 256;
  sf_account_t * account = realloc( a->account, max * sizeof( sf_account_t ) );
  if( account ) a->account = account;
  uint32_t * by_pubkey       = calloc( 4 * max, sizeof( uint32_t ) );
  uint32_t * by_subscription = calloc( 4 * max, sizeof( uint32_t ) );
  if( !account || !by_pubkey || !by_subscription ) {
    free( by_pubkey );
    free( by_subscription );
    return sf_err_set( SF_ERR_SYS, "no memory for %u accounts", max );
  }
  free( a->by_pubkey );
  free( a->by_subscription );
  a->max             = max;
  a->by_pubkey       = by_pubkey;
  a->by_subscription = by_subscription;
  a->mask            = 4 * max - 1;
  for( uint32_t i = 0; i < a->cnt; i++ ) {
    insert( by_pubkey, a->mask, pubkey_hash( account[i].pubkey ), i );
    if( account[i].subscription.state == SF_SUBSCRIPTION_ON )
      insert( by_subscription, a->mask, mix( account[i].subscription.id ), i );
  }
  return 0;
}

static int64_t find( sf_accounts_t const * a, uint8_t const * pubkey ) {
  if( !a->by_pubkey ) return -1;
  for( uint64_t h = pubkey_hash( pubkey ); a->by_pubkey[h & a->mask]; h++ ) {
    uint32_t i = a->by_pubkey[h & a->mask] - 1;
    if( !memcmp( a->account[i].pubkey, pubkey, 32 ) ) return i;
  }
  return -1;
}

int sf_accounts_add( sf_accounts_t * a, uint8_t const pubkey[32], char const * text ) {
  if( a->cnt == a->max ) {
    int err = grow( a );
    if( err ) return err;
  }
  if( find( a, pubkey ) >= 0 ) return SF_ERR_STATE;
  uint32_t i        = a->cnt++;
  sf_account_t * at = &a->account[i];
  memset( at, 0, sizeof( *at ) );
  memcpy( at->pubkey, pubkey, 32 );
  strncpy( at->text, text, sizeof( at->text ) - 1 );
  insert( a->by_pubkey, a->mask, pubkey_hash( pubkey ), i );
  return (int)i;
}

static int add_line( sf_accounts_t * a, char * line, int ( *read )( char const * text, uint8_t pubkey[32] ) ) {
  line[strcspn( line, "#\r\n" )] = 0;
  char * text                    = line + strspn( line, " \t" );
  text[strcspn( text, " \t" )]   = 0;
  if( !*text ) return 0;
  uint8_t pubkey[32];
  if( strlen( text ) >= sizeof( a->account->text ) || read( text, pubkey ) ) return SF_ERR_DATA;
  int64_t i = find( a, pubkey );
  if( i < 0 ) i = sf_accounts_add( a, pubkey, text );
  if( i < 0 ) return (int)i;
  a->account[i].listed = a->loads;
  return 0;
}

/* settle drops what the load did not find, and takes back what it found again. */
static void settle( sf_accounts_t * a ) {
  for( uint32_t i = 0; i < a->cnt; i++ ) {
    sf_account_t * at = &a->account[i];
    uint32_t dropped = at->listed != a->loads, on = at->subscription.state == SF_SUBSCRIPTION_ON;
    if( dropped == at->dropped ) continue;
    a->dropped_cnt += dropped - at->dropped;
    a->unwanted_cnt += on * ( dropped - at->dropped );
    if( dropped && at->version && !at->untold ) {
      at->untold = 1;
      a->untold_cnt++;
    }
    at->dropped = dropped;
  }
}

int sf_accounts_load( sf_accounts_t * a, char const * path, int ( *read )( char const * text, uint8_t pubkey[32] ),
                      struct timespec * mtime ) {
  FILE * file = fopen( path, "re" );
  if( !file ) return sf_err_set( SF_ERR_SYS, "accounts file %s: %m", path );
  struct stat st;
  if( !fstat( fileno( file ), &st ) ) *mtime = st.st_mtim;
  char line[256];
  int err = 0;
  a->loads++;
  for( uint32_t number = 1; !err && fgets( line, sizeof( line ), file ); number++ ) {
    err = add_line( a, line, read );
    if( err == SF_ERR_DATA ) sf_err_set( err, "%s line %u: not a base58 public key", path, number );
  }
  fclose( file );
  if( !err ) settle( a );
  return err;
}

void sf_accounts_fini( sf_accounts_t * a ) {
  for( uint32_t i = 0; i < a->cnt; i++ ) free( a->account[i].data );
  free( a->account );
  free( a->by_pubkey );
  free( a->by_subscription );
  *a = ( sf_accounts_t ){ 0 };
}

static void subscriptions_make( sf_accounts_t * a ) {
  memset( a->by_subscription, 0, ( a->mask + 1UL ) * sizeof( uint32_t ) );
  for( uint32_t k = 0; k < a->cnt; k++ ) {
    sf_subscription_t const * o = &a->account[k].subscription;
    if( o->state == SF_SUBSCRIPTION_ON ) insert( a->by_subscription, a->mask, mix( o->id ), k );
  }
}

void sf_accounts_on( sf_accounts_t * a, uint32_t i, uint64_t id ) {
  sf_subscription_t * s = &a->account[i].subscription;
  int known             = s->state == SF_SUBSCRIPTION_ON; /* then the older id is not looked up any more */
  s->state              = SF_SUBSCRIPTION_ON;
  s->id                 = id;
  s->failures           = 0;
  if( known ) {
    subscriptions_make( a );
  } else {
    insert( a->by_subscription, a->mask, mix( id ), i );
    a->unwanted_cnt += a->account[i].dropped;
  }
}

void sf_accounts_off( sf_accounts_t * a, uint32_t i ) {
  a->account[i].subscription = ( sf_subscription_t ){ 0 };
  a->unwanted_cnt -= a->account[i].dropped;
  subscriptions_make( a );
}

void sf_accounts_reset( sf_accounts_t * a ) {
  if( a->by_subscription ) memset( a->by_subscription, 0, ( a->mask + 1UL ) * sizeof( uint32_t ) );
  for( uint32_t i = 0; i < a->cnt; i++ ) {
    a->account[i].subscription = ( sf_subscription_t ){ 0 };
    a->account[i].live         = 0;
    a->account[i].slot         = 0;
  }
  a->unwanted_cnt = 0;
}

int64_t sf_accounts_by_subscription( sf_accounts_t const * a, uint64_t id ) {
  if( !a->by_subscription ) return -1;
  for( uint64_t h = mix( id ); a->by_subscription[h & a->mask]; h++ ) {
    uint32_t i = a->by_subscription[h & a->mask] - 1;
    if( a->account[i].subscription.id == id ) return i;
  }
  return -1;
}

int sf_account_same( sf_account_t const * a, uint64_t lamports, uint8_t const owner[32], uint8_t const * data,
                     uint32_t n ) {
  return a->slot && a->data_len == n && a->lamports == lamports && !memcmp( a->owner, owner, 32 ) &&
         !memcmp( a->data, data, n );
}

int sf_account_keep( sf_account_t * a, uint64_t slot, uint64_t lamports, uint8_t const owner[32], uint8_t const * data,
                     uint32_t n ) {
  if( n > a->data_max || !a->data ) {
    uint32_t max   = ( n + 64U ) & ~63U;
    uint8_t * more = realloc( a->data, max );
    if( !more ) return SF_ERR_SYS;
    a->data     = more;
    a->data_max = max;
  }
  memcpy( a->data, data, n );
  memcpy( a->owner, owner, 32 );
  a->data_len = n;
  a->lamports = lamports;
  a->slot     = slot;
  return 0;
}
