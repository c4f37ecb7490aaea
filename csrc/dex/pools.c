#include "dex/pools.h"

#include <string.h>

#include "sf_abi.h"

/* kinds of entries in the map */
#define ENTRY_POOL   1 /* index: pool */
#define ENTRY_SHARED 2 /* index into shared */
#define ENTRY_VAULT  3 /* index: 2*pool + side */
#define ENTRY_MINT   4 /* index into mints */
#define ENTRY_OWN    5 /* index into own */

#define NONE UINT32_MAX

static uint8_t const nobody[32];

static int is_nobody( uint8_t const key[32] ) { return !memcmp( key, nobody, 32 ); }

static uint8_t const * data_of( sf_raw_account_t const * raw ) { return (uint8_t const *)( raw + 1 ); }

/* -- changes ---------------------------------------------------------------- */

static void queue_put( sf_pools_t * p, uint32_t i ) {
  if( p->pool[i].queued ) return;
  p->pool[i].queued         = 1;
  p->queue[p->queue_tail++] = i;
  p->queue_cnt++;
  if( p->queue_tail == p->max ) p->queue_tail = 0;
}

static void pool_stale( sf_pools_t * p, uint32_t i ) {
  sf_pool_entry_t * pool = &p->pool[i];
  if( pool->stale ) return;
  pool->stale = 1;
  p->stale_cnt++;
  if( pool->priced ) queue_put( p, i );
  if( p->on_pool ) p->on_pool( p->owner, i );
}

/* -- a pool becomes a price --------------------------------------------------- */

static void const * shared_of( sf_pools_t const * p, sf_pool_entry_t const * pool, int i ) {
  return pool->shared[i] == NONE ? 0 : sf_shared_at( &p->shared, pool->shared[i] );
}

static int pool_ready( sf_pools_t const * p, sf_pool_entry_t const * pool ) {
  uint32_t have = pool->parts.known;
  for( int i = 0; i < 2; i++ )
    if( pool->shared[i] != NONE && p->shared.entry[pool->shared[i]].known ) have |= SF_PART_BIT( SF_PART_SHARED_0 + i );
  return !( pool->names.needs & ~have ) && !pool->parked && !pool->own_bad && !pool->forgotten;
}

/* Of one moment, as far as can be told.  Assumes it is ready. */
static int pool_whole( sf_pool_entry_t const * pool ) {
  return sf_parts_coherent( &pool->parts, pool->names.moves ) && pool->own_read == pool->own_cnt &&
         ( !pool->venue->whole || pool->venue->whole( pool->work ) );
}

/* Why the pool may not be traded although its price is known: a count, or -1. */
static int disabled_reason( sf_pools_t * p, sf_pool_entry_t const * pool, sf_pool_update_t const * u ) {
  if( u->flags & SF_POOL_DISABLED ) return SF_POOLS_STATUS;
  if( pool->extended ) return SF_POOLS_EXTENSION;
  if( pool->frozen ) return SF_POOLS_FROZEN;
  if( u->open_time <= p->unix_s ) return -1;
  if( u->open_time < p->next_open ) p->next_open = u->open_time;
  return SF_POOLS_NOT_OPEN;
}

/* Prices a pool that is ready. */
static void pool_settle( sf_pools_t * p, uint32_t i ) {
  sf_pool_entry_t * pool     = &p->pool[i];
  sf_pool_slot_t * at        = &p->at[i];
  void const * const both[2] = { shared_of( p, pool, 0 ), shared_of( p, pool, 1 ) };
  if( pool->venue->price( pool->work, both, pool->slot ) ) {
    sf_pools_count( p, SF_POOLS_MALFORMED );
    pool_stale( p, i );
    return;
  }
  sf_pool_update_fill( pool->venue, at->state, pool->venue->travel( pool->work, at->state ), p->unix_s, &at->update );
  int reason = disabled_reason( p, pool, &at->update );
  if( reason >= 0 ) at->update.flags |= SF_POOL_DISABLED;
  if( reason >= 0 && pool->disabled != reason + 1 ) sf_pools_count( p, reason );
  if( pool->simulated ) at->update.flags |= SF_POOL_SIMULATED;
  pool->disabled  = (uint8_t)( reason + 1 );
  at->update.slot = pool->slot;
  p->stale_cnt -= pool->stale;
  pool->stale  = 0;
  pool->priced = 1;
  pool->begun  = 0;
  queue_put( p, i );
}

/* One of the pool's own accounts came with good bytes. */
static void pool_touched( sf_pools_t * p, uint32_t i, sf_raw_account_t const * raw, uint64_t t_origin ) {
  sf_pool_entry_t * pool = &p->pool[i];
  if( raw->slot > pool->slot ) pool->slot = raw->slot;
  pool->simulated = ( raw->flags & SF_RAW_SIMULATED ) != 0;
  pool->t_origin  = t_origin;
  if( !pool_ready( p, pool ) ) return;
  if( pool_whole( pool ) ) {
    pool_settle( p, i );
  } else if( !pool->waiting ) {
    pool->waiting                = 1;
    p->waiting[p->waiting_cnt++] = i;
  }
}

static void part_bad( sf_pools_t * p, uint32_t i, uint32_t part ) {
  sf_pools_count( p, SF_POOLS_MALFORMED );
  p->pool[i].parts.known &= ~SF_PART_BIT( part );
  pool_stale( p, i );
}

/* -- accounts of one pool ------------------------------------------------------- */

static int part_decode( sf_pools_t * p, sf_pool_entry_t * pool, uint32_t part, sf_raw_account_t const * raw ) {
  return pool->venue->decode( pool->work, part, raw->owner, data_of( raw ), raw->data_len, raw->slot, p->epoch );
}

static void program_is( sf_pool_entry_t * pool, uint32_t side, uint8_t const program[32] ) {
  if( !memcmp( pool->names.program[side], program, 32 ) ) return;
  memcpy( pool->names.program[side], program, 32 );
  pool->named = 0;
}

/* The pool's account is no more, or is no longer followed: what comes of it later is another pool. */
static void pool_forget( sf_pools_t * p, uint32_t i ) {
  for( uint64_t n = 0; n < p->map.cnt; n++ ) {
    sf_account_entry_t * e = &p->map.entry[n];
    if( ( e->kind == ENTRY_POOL && e->index == i ) || ( e->kind == ENTRY_VAULT && e->index / 2 == i ) ||
        ( e->kind == ENTRY_OWN && p->own[e->index].pool == i ) )
      e->kind = 0;
  }
  sf_pools_count( p, SF_POOLS_CLOSED );
  p->pool[i].parts.known = 0;
  p->pool[i].forgotten   = 1;
  p->pool[i].complete    = 1;
  pool_stale( p, i );
}

/* The pool's account or one of its vaults; decoded says that it is in work already. */
static void on_part( sf_pools_t * p, uint32_t i, uint32_t part, sf_raw_account_t const * raw, uint64_t t_origin,
                     int decoded ) {
  sf_pool_entry_t * pool = &p->pool[i];
  if( !( raw->flags & SF_RAW_SNAPSHOT ) && sf_parts_old( &pool->parts, part, raw->slot ) ) {
    sf_pools_count( p, SF_POOLS_OLD );
    return;
  }
  if( part == SF_PART_POOL && !raw->data_len ) {
    pool_forget( p, i );
    return;
  }
  int good = decoded;
  if( good ) {
  } else if( part == SF_PART_POOL ) {
    good = !memcmp( raw->owner, pool->venue->program, 32 ) && !part_decode( p, pool, part, raw );
  } else {
    uint32_t side = part - SF_PART_VAULT_A, bit = 1u << side;
    uint8_t const * program = pool->names.program[side];
    int same                = !memcmp( raw->owner, program, 32 );
    good                    = ( same || is_nobody( program ) ) && !part_decode( p, pool, part, raw );
    if( good ) {
      if( !same ) program_is( pool, side, raw->owner );
      pool->frozen = (uint8_t)( ( pool->frozen & ~bit ) | ( sf_token_account_frozen( data_of( raw ) ) ? bit : 0 ) );
    }
  }
  if( !good ) {
    part_bad( p, i, part );
    return;
  }
  sf_parts_set( &pool->parts, part, raw->slot, raw->flags & SF_RAW_SNAPSHOT );
  pool_touched( p, i, raw, t_origin );
}

/* An account that names its pool. */
static void on_own( sf_pools_t * p, sf_pool_own_t * own, sf_raw_account_t const * raw, uint64_t t_origin ) {
  sf_pool_entry_t * pool = &p->pool[own->pool];
  int again              = own->read == p->resets && !own->gone;
  uint8_t names[32];
  if( !( raw->flags & SF_RAW_SNAPSHOT ) && again && raw->slot < own->slot ) {
    sf_pools_count( p, SF_POOLS_OLD );
    return;
  }
  if( !raw->data_len ) { /* a venue only closes what no swap needs */
    sf_pools_count( p, SF_POOLS_CLOSED );
    pool->own_cnt -= !own->gone;
    pool->own_read -= again;
    pool->own_bad -= own->bad;
    own->gone = 1;
    own->bad  = 0;
    return;
  }
  int good = !memcmp( raw->owner, pool->venue->program, 32 ) &&
             !pool->venue->own_pool( data_of( raw ), raw->data_len, names ) && !memcmp( names, pool->pubkey, 32 ) &&
             !part_decode( p, pool, SF_PART_OWN, raw );
  pool->own_cnt += own->gone;
  pool->own_read += !again;
  pool->own_bad += ( good ? 0 : 1 ) - own->bad;
  own->gone = 0;
  own->bad  = !good;
  own->read = p->resets;
  own->slot = raw->slot;
  if( good ) {
    pool_touched( p, own->pool, raw, t_origin );
  } else {
    sf_pools_count( p, SF_POOLS_MALFORMED );
    pool_stale( p, own->pool );
  }
}

/* -- accounts of many pools ------------------------------------------------------- */

/* Puts a mint into a pool's work. */
static void mint_apply( sf_pools_t * p, uint32_t i, uint32_t side ) {
  sf_pool_entry_t * pool    = &p->pool[i];
  sf_pool_update_t * u      = &p->at[i].update;
  sf_mint_entry_t const * e = &p->mints.entry[side ? u->token_b : u->token_a];
  uint32_t part             = SF_PART_MINT_A + side;
  pool->extended &= ( uint8_t ) ~( 1u << side );
  if( e->about.flags & SF_MINT_UNKNOWN ) pool->extended |= (uint8_t)( 1u << side );
  if( !e->known ) {
    pool->parts.known &= ~SF_PART_BIT( part );
    pool_stale( p, i );
    return;
  }
  program_is( pool, side, e->program );
  if( pool->names.needs & SF_PART_BIT( part ) &&
      pool->venue->decode( pool->work, part, e->program, e->brief, e->brief_len, p->slot, p->epoch ) )
    part_bad( p, i, part );
  else pool->parts.known |= SF_PART_BIT( part );
}

static int mint_of( sf_pools_t const * p, uint32_t i, uint32_t side, uint32_t mint ) {
  sf_pool_update_t const * u = &p->at[i].update;
  return !p->pool[i].parked && ( side ? u->token_b : u->token_a ) == mint;
}

/* What a pool uses has changed.  One in the middle of a change takes it over with that. */
static void pool_used( sf_pools_t * p, uint32_t i, uint64_t t_origin ) {
  sf_pool_entry_t * pool = &p->pool[i];
  if( !pool_ready( p, pool ) ) {
    pool_stale( p, i );
  } else if( !pool->waiting || pool_whole( pool ) ) {
    pool->t_origin = t_origin;
    pool_settle( p, i );
  }
}

/* The pools with a mint take it over: all of them, or those whose price its supply is part of. */
static void mint_users( sf_pools_t * p, uint32_t mint, int supply_only, uint64_t t_origin ) {
  for( uint32_t i = 0; i < p->cnt; i++ ) {
    uint32_t uses = 0;
    if( supply_only && !p->pool[i].venue->by_supply ) continue;
    for( uint32_t side = 0; side < 2; side++ ) {
      if( !mint_of( p, i, side, mint ) ) continue;
      mint_apply( p, i, side );
      uses = 1;
    }
    if( uses ) pool_used( p, i, t_origin );
  }
}

static void on_mint( sf_pools_t * p, uint32_t mint, sf_raw_account_t const * raw, uint64_t t_origin ) {
  uint32_t was = p->mints.entry[mint].known;
  int changed  = sf_mints_take( &p->mints, mint, raw->owner, data_of( raw ), raw->data_len );
  if( changed < 0 ) sf_pools_count( p, SF_POOLS_MALFORMED );
  if( !changed || ( changed < 0 && !was ) ) return;
  if( p->on_mint && changed == SF_MINTS_CHANGED ) p->on_mint( p->owner, mint );
  mint_users( p, mint, changed == SF_MINTS_SUPPLY, t_origin );
}

static void on_shared( sf_pools_t * p, uint32_t shared, sf_raw_account_t const * raw, uint64_t t_origin ) {
  uint32_t was = p->shared.entry[shared].known;
  int changed  = sf_shared_take( &p->shared, shared, data_of( raw ), raw->data_len );
  if( changed < 0 ) sf_pools_count( p, SF_POOLS_MALFORMED );
  if( !changed || ( changed < 0 && !was ) ) return;
  for( uint32_t i = 0; i < p->cnt; i++ )
    if( p->pool[i].shared[0] == shared || p->pool[i].shared[1] == shared ) pool_used( p, i, t_origin );
}

/* -- meeting accounts -------------------------------------------------------------- */

static int mint_meet( sf_pools_t * p, uint8_t const mint[32], uint8_t const program[32] ) {
  sf_account_entry_t const * entry = sf_account_map_find( &p->map, mint );
  if( entry ) {
    if( entry->kind != ENTRY_MINT || sf_mints_program( &p->mints, entry->index, program ) ) return SF_ERR_DATA;
    return (int)entry->index;
  }
  if( p->mints.cnt == p->mints.max || sf_account_map_add( &p->map, mint, ENTRY_MINT, p->mints.cnt ) )
    return SF_ERR_FULL;
  int i = sf_mints_add( &p->mints, mint, program );
  if( p->on_mint ) p->on_mint( p->owner, (uint32_t)i );
  return i;
}

static int shared_meet( sf_pools_t * p, sf_venue_t const * venue, uint8_t const pubkey[32] ) {
  sf_account_entry_t const * entry = sf_account_map_find( &p->map, pubkey );
  if( entry )
    return entry->kind == ENTRY_SHARED && p->shared.entry[entry->index].venue == venue ? (int)entry->index
                                                                                       : SF_ERR_DATA;
  if( p->shared.cnt == p->shared.max || sf_account_map_add( &p->map, pubkey, ENTRY_SHARED, p->shared.cnt ) )
    return SF_ERR_FULL;
  return sf_shared_add( &p->shared, venue );
}

/* What the new pool names becomes known: 0, SF_ERR_FULL or SF_ERR_DATA. */
static int names_meet( sf_pools_t * p, sf_pool_entry_t * pool, sf_pool_update_t * u, uint8_t const pubkey[32] ) {
  sf_pool_names_t const * names = &pool->names;
  uint32_t mint[2]              = { NONE, NONE };
  for( int i = 0; i < 2; i++ ) {
    pool->shared[i] = NONE;
    if( is_nobody( names->shared[i] ) ) continue;
    int shared = shared_meet( p, pool->venue, names->shared[i] );
    if( shared < 0 ) return shared;
    pool->shared[i] = (uint32_t)shared;
  }
  for( uint32_t side = 0; side < 2; side++ ) {
    if( !side && pool->parked ) continue;
    int i = mint_meet( p, names->mint[side], names->program[side] );
    if( i < 0 ) return i;
    mint[side] = (uint32_t)i;
  }
  if( mint[0] == mint[1] ) return SF_ERR_DATA;
  int watched[2];
  for( uint32_t side = 0; side < 2; side++ ) {
    watched[side] = names->needs & SF_PART_BIT( SF_PART_VAULT_A + side ) && !is_nobody( names->vault[side] );
    if( !watched[side] ) continue;
    if( sf_account_map_find( &p->map, names->vault[side] ) || !memcmp( pubkey, names->vault[side], 32 ) )
      return SF_ERR_DATA;
  }
  if( sf_account_map_find( &p->map, pubkey ) ) return SF_ERR_DATA; /* its own config or mint */
  if( watched[0] && watched[1] && !memcmp( names->vault[0], names->vault[1], 32 ) ) return SF_ERR_DATA;
  if( sf_account_map_add( &p->map, pubkey, ENTRY_POOL, p->cnt ) ) return SF_ERR_FULL;
  for( uint32_t side = 0; side < 2; side++ )
    if( watched[side] && sf_account_map_add( &p->map, names->vault[side], ENTRY_VAULT, 2 * p->cnt + side ) )
      return SF_ERR_FULL;
  u->token_a = mint[0];
  u->token_b = mint[1];
  return 0;
}

static void pool_meet( sf_pools_t * p, sf_venue_t const * venue, sf_raw_account_t const * raw, uint64_t t_origin ) {
  uint64_t bytes = ( venue->work_bytes + 63UL ) & ~63UL;
  if( p->cnt == p->max || p->work_used + bytes > p->work_bytes ) {
    sf_pools_count( p, SF_POOLS_NO_ROOM );
    return;
  }
  uint32_t i             = p->cnt;
  sf_pool_entry_t * pool = &p->pool[i];
  sf_pool_update_t * u   = &p->at[i].update;
  memset( pool, 0, sizeof( *pool ) );
  pool->venue = venue;
  pool->work  = p->work + p->work_used;
  int err     = venue->meet( raw->pubkey, data_of( raw ), raw->data_len, pool->work, &pool->names );
  if( err ) err = SF_ERR_DATA;
  pool->parked = is_nobody( pool->names.mint[0] );
  if( !err ) err = names_meet( p, pool, u, raw->pubkey );
  if( err ) {
    sf_pools_count( p, err == SF_ERR_FULL ? SF_POOLS_NO_ROOM : SF_POOLS_MALFORMED );
    memset( pool->work, 0, venue->work_bytes );
    return;
  }
  memcpy( pool->pubkey, raw->pubkey, 32 );
  pool->stale   = 1;
  p->incomplete = 1;
  u->pool       = i;
  u->venue      = venue->venue;
  p->work_used += bytes;
  p->cnt++;
  p->stale_cnt++;
  if( !pool->parked ) {
    for( uint32_t side = 0; side < 2; side++ ) mint_apply( p, i, side );
    if( p->on_pool ) p->on_pool( p->owner, i );
  }
  on_part( p, i, SF_PART_POOL, raw, t_origin, 1 );
}

/* A token account of a pool whose mint was not known: now it is.  The venue's decode tells if it is the right one. */
static void vault_meet( sf_pools_t * p, uint32_t i, sf_token_account_t const * account, sf_raw_account_t const * raw,
                        uint64_t t_origin ) {
  sf_pool_entry_t * pool = &p->pool[i];
  if( part_decode( p, pool, SF_PART_VAULT_A, raw ) ) {
    sf_pools_count( p, SF_POOLS_MALFORMED );
    return;
  }
  int mint = mint_meet( p, account->mint, raw->owner );
  if( mint < 0 || (uint32_t)mint == p->at[i].update.token_b ||
      sf_account_map_add( &p->map, raw->pubkey, ENTRY_VAULT, 2 * i ) ) {
    sf_pools_count( p, mint < 0 && mint != SF_ERR_FULL ? SF_POOLS_MALFORMED : SF_POOLS_NO_ROOM );
    return;
  }
  memcpy( pool->names.mint[0], account->mint, 32 );
  memcpy( pool->names.program[0], raw->owner, 32 );
  memcpy( pool->names.vault[0], raw->pubkey, 32 );
  p->at[i].update.token_a = (uint32_t)mint;
  pool->parked            = 0;
  pool->named             = 0;
  for( uint32_t side = 0; side < 2; side++ ) mint_apply( p, i, side );
  if( p->on_pool ) p->on_pool( p->owner, i );
  on_part( p, i, SF_PART_VAULT_A, raw, t_origin, 0 );
}

static void own_meet( sf_pools_t * p, sf_venue_t const * venue, sf_raw_account_t const * raw, uint64_t t_origin ) {
  uint8_t pool[32];
  int err                          = venue->own_pool( data_of( raw ), raw->data_len, pool );
  sf_account_entry_t const * entry = err ? 0 : sf_account_map_find( &p->map, pool );
  if( !entry || entry->kind != ENTRY_POOL || p->pool[entry->index].venue != venue ) {
    sf_pools_count( p, err ? SF_POOLS_MALFORMED : SF_POOLS_UNKNOWN );
    return;
  }
  uint32_t i = entry->index;
  if( p->own_cnt == p->own_max || sf_account_map_add( &p->map, raw->pubkey, ENTRY_OWN, p->own_cnt ) ) {
    sf_pools_count( p, SF_POOLS_NO_ROOM );
    return;
  }
  sf_pool_own_t * own = &p->own[p->own_cnt++];
  own->pool           = i;
  own->gone           = 1; /* until on_own has read it */
  on_own( p, own, raw, t_origin );
}

/* An account that is not in the map. */
static void on_unknown( sf_pools_t * p, sf_raw_account_t const * raw, uint64_t t_origin ) {
  uint8_t const * data     = data_of( raw );
  sf_venue_t const * venue = sf_venue_of_program( raw->owner );
  if( venue ) {
    int kind = venue->account_kind( data, raw->data_len ), index;
    switch( kind ) {
    case SF_ACCOUNT_POOL: pool_meet( p, venue, raw, t_origin ); return;
    case SF_ACCOUNT_OWN: own_meet( p, venue, raw, t_origin ); return;
    case SF_ACCOUNT_SHARED:
      index = shared_meet( p, venue, raw->pubkey );
      if( index < 0 ) sf_pools_count( p, SF_POOLS_NO_ROOM );
      else on_shared( p, (uint32_t)index, raw, t_origin );
      return;
    default: sf_pools_count( p, kind < 0 ? SF_POOLS_MALFORMED : SF_POOLS_UNKNOWN ); return;
    }
  }
  sf_token_account_t account;
  if( !sf_token_account_decode( raw->owner, data, raw->data_len, &account ) ) {
    sf_account_entry_t const * entry = sf_account_map_find( &p->map, account.owner );
    if( entry && entry->kind == ENTRY_POOL && p->pool[entry->index].parked ) {
      vault_meet( p, entry->index, &account, raw, t_origin );
      return;
    }
  }
  sf_pools_count( p, SF_POOLS_UNKNOWN );
}

/* -- what its owner calls ------------------------------------------------------------ */

/* With a new epoch what mints withhold may be another. */
static void slot_seen( sf_pools_t * p, uint64_t slot, uint64_t t_origin ) {
  if( slot <= p->slot ) return;
  uint64_t was = p->epoch;
  p->slot      = slot;
  p->epoch     = slot / p->slots_per_epoch;
  if( p->epoch == was ) return;
  for( uint32_t i = 0; i < p->mints.cnt; i++ )
    if( sf_mint_entry_fee( &p->mints.entry[i] ) ) mint_users( p, i, 0, t_origin );
}

/* An account of a pool came.  The others that a swap changes are next; their entries stand beside this one. */
static void pool_come( sf_pools_t * p, uint32_t i, sf_account_entry_t const * entry ) {
  sf_pool_entry_t * pool = &p->pool[i];
  if( pool->begun ) return;
  pool->begun = 1;
  for( uint32_t side = 0; side < 2; side++ )
    if( pool->names.moves & SF_PART_BIT( SF_PART_VAULT_A + side ) )
      sf_account_map_prefetch( &p->map, pool->names.vault[side] );
  __builtin_prefetch( entry - 2 );
  __builtin_prefetch( entry + 2 );
  if( p->on_touch ) p->on_touch( p->owner, i );
}

void sf_pools_account( sf_pools_t * p, sf_raw_account_t const * raw, uint64_t t_origin ) {
  slot_seen( p, raw->slot, t_origin );
  sf_account_entry_t const * entry = sf_account_map_find( &p->map, raw->pubkey );
  uint32_t i                       = entry ? entry->index : 0;
  if( entry && ( entry->kind == ENTRY_POOL || entry->kind == ENTRY_VAULT ) )
    pool_come( p, entry->kind == ENTRY_POOL ? i : i / 2, entry );
  switch( entry ? entry->kind : 0 ) {
  case ENTRY_POOL: on_part( p, i, SF_PART_POOL, raw, t_origin, 0 ); return;
  case ENTRY_VAULT: on_part( p, i / 2, SF_PART_VAULT_A + i % 2, raw, t_origin, 0 ); return;
  case ENTRY_OWN: on_own( p, &p->own[i], raw, t_origin ); return;
  case ENTRY_SHARED: on_shared( p, i, raw, t_origin ); return;
  case ENTRY_MINT: on_mint( p, i, raw, t_origin ); return;
  default:
    if( raw->data_len ) on_unknown( p, raw, t_origin );
    return;
  }
}

/* A pool of which nothing is outstanding: what names it and did not come does not exist. */
static void pools_complete( sf_pools_t * p, uint64_t slot ) {
  p->incomplete = 0;
  for( uint32_t i = 0; i < p->cnt; i++ ) {
    sf_pool_entry_t * pool = &p->pool[i];
    if( pool->complete ) continue;
    pool->complete = pool_ready( p, pool ) && pool->own_read == pool->own_cnt && pool->slot < slot;
    p->incomplete |= !pool->complete;
    if( pool->complete && pool->venue->own_pool &&
        !pool->venue->decode( pool->work, SF_PART_OWN, pool->venue->program, nobody, 0, pool->slot, p->epoch ) &&
        pool_whole( pool ) )
      pool_settle( p, i );
  }
}

/* What waited for the end of its slot is complete as it is. */
void sf_pools_slot( sf_pools_t * p, uint64_t slot ) {
  if( p->incomplete ) pools_complete( p, slot );
  uint32_t kept = 0;
  for( uint32_t k = 0; k < p->waiting_cnt; k++ ) {
    uint32_t i             = p->waiting[k];
    sf_pool_entry_t * pool = &p->pool[i];
    if( pool_ready( p, pool ) && !pool_whole( pool ) ) {
      if( pool->slot >= slot ) {
        p->waiting[kept++] = i;
        continue;
      }
      pool_settle( p, i );
    }
    pool->waiting = 0;
  }
  p->waiting_cnt = kept;
}

void sf_pools_reset( sf_pools_t * p, uint64_t t_origin ) {
  p->resets++;
  for( uint32_t i = 0; i < p->cnt; i++ ) {
    sf_pool_entry_t * pool = &p->pool[i];
    for( uint32_t part = 0; part < SF_PARTS_MOVE; part++ ) pool->parts.known &= ~SF_PART_BIT( part );
    pool->own_read = 0;
    pool->slot     = 0;
    pool->waiting  = 0;
    pool->t_origin = t_origin;
    pool_stale( p, i );
  }
  p->waiting_cnt = 0;
  sf_pools_count( p, SF_POOLS_RESETS );
}

void sf_pools_time( sf_pools_t * p, uint64_t unix_s ) {
  p->unix_s = unix_s;
  if( p->next_open == UINT64_MAX || p->unix_s < p->next_open ) return;
  p->next_open = UINT64_MAX;
  for( uint32_t i = 0; i < p->cnt; i++ ) {
    sf_pool_entry_t * pool = &p->pool[i];
    uint32_t opens         = p->at[i].update.open_time;
    if( pool->disabled != SF_POOLS_NOT_OPEN + 1 ) continue;
    if( opens > p->unix_s ) {
      if( opens < p->next_open ) p->next_open = opens;
    } else if( pool_ready( p, pool ) && ( !pool->waiting || pool_whole( pool ) ) ) {
      pool_settle( p, i );
    }
  }
}
