#include "tile/turn.h"
#include "base/clock.h"
#include "base/err.h"

#define MEASURED 16 /* busy turns per one whose length is measured */

int sf_tile_ready_look( sf_tile_t * t, uint64_t messages ) {
  uint64_t need = messages * t->burst, least = INT64_MAX;
  for( uint32_t i = 0; i < t->out_cnt; i++ ) {
    uint64_t more = !i && t->flags & SF_TILE_ORDERED ? messages : 0; /* the turn records */
    if( SF_LIKELY( sf_producer_ready( t->out + i, need + more ) ) ) {
      uint64_t credit = t->out[i].limit - t->out[i].next;
      if( credit < least ) least = credit;
      continue;
    }
    if( messages == 1 ) { /* not even one */
      t->out[i].backpressure_turns++;
      t->count[SF_COUNTER_BACKPRESSURE_TURNS]++;
      t->blocked = 1;
    }
    return 0;
  }
  t->credit = t->count[SF_COUNTER_MESSAGES_OUT] + least; /* whatever is published takes one of each at most */
  return 1;
}

/* -- taking messages in order ---------------------------------------------- */

static void turn_record( sf_tile_t * t, sf_turn_t const * turn ) {
  sf_message_t * slot = sf_link_claim( t->out );
  if( SF_UNLIKELY( !slot ) ) { /* a hook published beyond its burst */
    sf_tile_fail(
        t, "out-link 0 has no credit for a turn record: the tile publishes more than its burst of %lu; raise burst",
        t->burst );
    return;
  }
  memcpy( slot + 1, turn, sizeof( *turn ) );
  sf_link_publish( t->out, slot, SF_MSG_TURN, sizeof( *turn ), 0, 0, sf_clock_ns() );
  t->count[SF_COUNTER_MESSAGES_OUT]++;
}

static sf_message_t const * slot_behind( sf_consumer_t const * c ) {
  return (sf_message_t const *)( c->slots + ( ( c->next + 1 ) & c->mask ) * c->slot_bytes );
}

/* 1 if nothing has come to in-link i since its slot was found empty. */
SF_INLINE int quiet( sf_tile_t const * t, uint32_t i ) {
  return sf_load_acquire( t->watch[i].word ) == t->watch[i].seen;
}

SF_INLINE void watch( sf_tile_t * t, uint32_t i, sf_message_t const * slot ) {
  t->watch[i] = ( sf_watch_t ){ &slot->seq, SF_WATCH_NONE };
  __builtin_prefetch( slot ); /* looked at behind the message before it, last touched a ring ago */
}

/* 1 if in-link i has its next message, -1 if it was overrun; else the slot waited for is watched. */
SF_INLINE int arrived( sf_tile_t * t, uint32_t i ) {
  sf_consumer_t const * c = t->in + i;
  uint64_t const * at     = &sf_consumer_slot( c )->seq;
  uint64_t word           = sf_load_acquire( at );
  if( SF_LIKELY( word == c->next + 1 ) ) return 1;
  if( SF_UNLIKELY( ( word & ~SF_SEQ_BUSY ) > c->next + 1 ) ) return -1;
  t->watch[i] = ( sf_watch_t ){ at, word };
  __builtin_prefetch( slot_behind( c ) );
  return 0;
}

/* The message that has arrived on in-link i, a reliable one, in its slot, which is to be released then. */
SF_INLINE sf_message_t const * peek( sf_tile_t * t, uint32_t i ) {
  sf_consumer_t * c = t->in + i;
  t->peeked         = c;
  t->seq            = c->next;
  watch( t, i, slot_behind( c ) );
  return sf_consumer_slot( c );
}

/* One message of in-link i in buffer, over a jump if need be. */
static __attribute__( ( noinline ) ) sf_message_t const * receive( sf_tile_t * t, uint32_t i, sf_message_t * buffer,
                                                                   uint64_t bytes ) {
  sf_consumer_t * c = t->in + i;
  for( int k = 0; k < 2 && arrived( t, i ); k++ ) {
    uint64_t lost = c->lost;
    int rc        = sf_link_receive( c, buffer, bytes );
    watch( t, i, sf_consumer_slot( c ) );
    if( rc >= 0 ) {
      t->seq = buffer->seq;
      return rc ? buffer : 0;
    }
    t->jumped[i] += c->lost - lost;
    t->count[SF_COUNTER_OVERRUN_MESSAGES] += c->lost - lost;
  }
  return 0;
}

static int waiting( sf_consumer_t const * c ) {
  uint64_t word = sf_load_acquire( &sf_consumer_slot( c )->seq );
  return !( word & SF_SEQ_BUSY ) && word > c->next;
}

/* 1 if what in-link i of an ordered tile may have needs a turn record. */
static int needs_record( sf_tile_t const * t, uint32_t i ) {
  return i || t->jumped[0] || sf_load_acquire( &sf_consumer_slot( t->in )->seq ) != t->in[0].next + 1;
}

/* An ordered tile takes the message t->seq of in-link i. */
static void order( sf_tile_t * t, uint32_t i ) {
  if( i || t->jumped[0] ) {
    sf_turn_t turn = { .in = i, .seq = t->seq, .primary_seq = t->primary_next, .lost = t->jumped[i] };
    turn_record( t, &turn );
    t->jumped[i] = 0;
  }
  if( !i ) t->primary_next = t->seq + 1;
}

/* -- tapes ----------------------------------------------------------------- */

int sf_tile_play( sf_tile_t * t, sf_tape_t const * tape ) {
  if( t->replay_in == SF_TURN_NO_REPLAY )
    return sf_err_set( SF_ERR_ARG, "tile %s follows no recorded turns; only such a one plays a tape", t->spec->name );
  t->tape = tape;
  return 0;
}

int sf_tile_tape_left( sf_tile_t * t ) {
  return t->tape && ( t->tape_load != t->tape->loads || t->tape_off < t->tape->used_bytes );
}

static sf_message_t const * tape_next( sf_tile_t * t ) {
  sf_tape_t const * tape = t->tape;
  if( SF_UNLIKELY( t->tape_load != tape->loads ) ) {
    t->tape_load = tape->loads;
    t->tape_off  = 0;
  }
  if( SF_UNLIKELY( t->tape_off >= tape->used_bytes ) ) return 0;
  sf_message_t const * m = (sf_message_t const *)( tape->bytes + t->tape_off );
  if( SF_UNLIKELY( sizeof( *m ) + m->length > t->in[0].slot_bytes ) ) {
    sf_tile_fail( t, "recorded message %lu of in-link %s has %u bytes; a slot takes %lu", m->seq,
                  sf_tile_in_name( t, 0 ), m->length, t->in[0].slot_bytes - sizeof( *m ) );
    return 0;
  }
  t->tape_off += ( sizeof( *m ) + m->length + SF_TAPE_ALIGN - 1 ) & ~( SF_TAPE_ALIGN - 1UL );
  return m;
}

/* -- following recorded turns ---------------------------------------------- */

/* The next message of in-link i: in buffer, or on the tape. */
static sf_message_t const * next_of( sf_tile_t * t, uint32_t i, sf_message_t * buffer, uint64_t bytes ) {
  if( !i && t->tape ) return tape_next( t );
  return receive( t, i, buffer, bytes );
}

/* Takes messages of in-link i until the one with seq, and returns that. */
static sf_message_t const * skip_to( sf_tile_t * t, uint32_t i, uint64_t seq, sf_message_t * buffer, uint64_t bytes ) {
  sf_message_t const * m;
  for( uint32_t k = 0; k < SF_TURN_BATCH && ( m = next_of( t, i, buffer, bytes ) ); k++ ) {
    if( m->seq == seq ) return m;
    if( m->seq > seq ) {
      sf_tile_fail( t,
                    "the replay gives message %lu of in-link %s where its turns say %lu; the recording is not complete",
                    m->seq, sf_tile_in_name( t, i ), seq );
      return 0;
    }
  }
  return 0;
}

static sf_message_t const * take_replayed( sf_tile_t * t, sf_message_t * buffer, uint64_t bytes, uint32_t * in,
                                           int fresh ) {
  sf_message_t const * m;
  if( !t->replay_held ) {
    if( !receive( t, t->replay_in, buffer, bytes ) ) return 0;
    if( buffer->kind != SF_MSG_TURN || buffer->length < sizeof( sf_turn_t ) ) {
      sf_tile_fail( t, "in-link %s carries a message of kind %u; only turn records belong there",
                    sf_tile_in_name( t, t->replay_in ), buffer->kind );
      return 0;
    }
    memcpy( &t->replay_turn, buffer + 1, sizeof( sf_turn_t ) );
    t->replay_held = 1;
  }
  sf_turn_t const * turn = &t->replay_turn;
  if( turn->in == SF_TURN_IN_END || t->primary_next < turn->primary_seq ) {
    *in = 0;
    if( !( m = next_of( t, 0, buffer, bytes ) ) ) return 0;
    t->primary_next = m->seq + 1;
    return m;
  }
  if( !fresh ) return 0;
  if( turn->in >= t->replay_in ) {
    sf_tile_fail( t, "a turn record names in-link %u of %u; the recording is of another topology", turn->in,
                  t->replay_in );
    return 0;
  }
  *in = turn->in;
  if( !( m = skip_to( t, turn->in, turn->seq, buffer, bytes ) ) ) return 0;
  turn_record( t, turn );
  if( !turn->in ) t->primary_next = m->seq + 1;
  t->replay_held = 0;
  return m;
}

/* The next message of a pass that follows recorded turns. */
static sf_message_t const * pass_replayed( sf_tile_t * t, sf_message_t * buffer, uint64_t bytes, uint32_t * in,
                                           int fresh ) {
  sf_message_t const * m = t->pass_cnt++ < t->batch ? take_replayed( t, buffer, bytes, in, fresh ) : 0;
  if( !m ) t->pass_cnt = 0;
  else {
    t->seq = m->seq;
    t->count[SF_COUNTER_MESSAGES_IN]++;
  }
  return m;
}

SF_INLINE sf_message_t const * take( sf_tile_t * t, sf_message_t * buffer, uint64_t bytes, uint32_t * in, int fresh,
                                     int in_place ) {
  if( SF_UNLIKELY( t->replay_in != SF_TURN_NO_REPLAY ) ) return pass_replayed( t, buffer, bytes, in, fresh );
  uint32_t cnt = t->pass_cnt, ordered = t->flags & SF_TILE_ORDERED;
  for( uint32_t i = t->pass_in; i < t->in_cnt; i++, cnt = 0 ) {
    if( SF_LIKELY( quiet( t, i ) ) || cnt >= t->batch ) continue;
    sf_message_t const * m = 0;
    int is                 = arrived( t, i );
    if( !is ) continue;
    if( fresh || !ordered || !needs_record( t, i ) )
      m = in_place && is > 0 && t->in[i].reliable ? peek( t, i ) : receive( t, i, buffer, bytes );
    else if( !waiting( t->in + i ) ) continue;
    else {
      t->pass_in  = i; /* next batch goes on here */
      t->pass_cnt = cnt;
      return 0;
    }
    if( !m ) continue;
    t->pass_in  = i;
    t->pass_cnt = cnt + 1;
    t->count[SF_COUNTER_MESSAGES_IN]++;
    if( ordered ) order( t, i );
    *in = i;
    return m;
  }
  t->pass_in = t->pass_cnt = 0;
  return 0;
}

sf_message_t const * sf_tile_take( sf_tile_t * t, sf_message_t * buffer, uint64_t bytes, uint32_t * in, int fresh ) {
  return take( t, buffer, bytes, in, fresh, 0 );
}

/* -- the turn -------------------------------------------------------------- */

void sf_tile_samples_add( sf_tile_t * t ) {
  for( uint32_t i = 0; i < t->sample_cnt; i++ ) sf_hist_add( t->cnc->hist + t->sample[i].hist, t->sample[i].ns );
  t->sample_cnt = 0;
}

void sf_tile_wake( sf_tile_t * t ) {
  int due  = 0;
  t->woken = t->count[SF_COUNTER_MESSAGES_OUT];
  for( uint32_t i = 0; i < t->out_cnt; i++ ) due |= sf_producer_wake_due( t->out + i );
  if( SF_LIKELY( !due ) ) return;
  sf_full_barrier();
  for( uint32_t i = 0; i < t->out_cnt; i++ ) {
    if( sf_producer_wake_due( t->out + i ) ) sf_producer_wake_edges( t->out + i );
  }
}

void sf_tile_flush( sf_tile_t * t ) {
  for( uint32_t i = 0; i < t->in_cnt; i++ ) sf_consumer_flush( t->in + i );
  for( uint32_t i = 0; i < t->out_cnt; i++ ) sf_producer_publish_state( t->out + i );
  for( int i = 0; i < SF_COUNTER_FIRST_OWN; i++ ) sf_cnc_set( t->cnc, i, t->count[i] );
}

void sf_tile_house( sf_tile_t * t ) {
  t->house_at = t->now + SF_HOUSE_NS * 3 / 4 + sf_rng_below( &t->rng, SF_HOUSE_NS / 2 );
  sf_clock_sync();
  sf_tile_flush( t );
  if( sf_load_acquire( &t->control->command[t->index] ) == SF_COMMAND_HALT ) sf_store_relaxed( &t->halt, 1U );
  if( t->ops && t->ops->house ) t->ops->house( t, t->now );
  sf_store_release( &t->cnc->heartbeat_ns, t->now );
}

void sf_tile_links_look( sf_tile_t * t ) {
  for( uint32_t i = 0; i < t->in_cnt; i++ ) {
    sf_consumer_flush( t->in + i );
    __builtin_prefetch( slot_behind( t->in + i ) );
  }
}

/* Polls and hands out what came; returns how much that was. */
static __attribute__( ( noinline ) ) int turn_work( sf_tile_t * t ) {
  sf_tile_ops_t const * ops = t->ops;
  int work = 0, ready = 1;
  if( ops->poll ) {
    work  = ops->poll( t );
    ready = !work || sf_tile_ready( t, 1 );
  }
  sf_tile_pass_begin( t );
  t->done = 0;
  if( ops->msg ) {
    sf_message_t const * m;
    uint32_t in;
    int in_place = t->flags & SF_TILE_IN_PLACE;
    while( ready && !t->failed && ( m = take( t, t->message, t->message_bytes, &in, 1, in_place ) ) && !t->failed ) {
      t->done = 0;
      ops->msg( t, in, m );
      if( SF_LIKELY( !t->tape ) ) { /* what a tape has was published in another run */
        if( !t->done ) t->done = sf_clock_ns();
        if( t->done > m->t_pub ) sf_tile_sample( t, SF_HIST_STAGE, t->done - m->t_pub );
        if( !work && t->now >= m->t_pub ) sf_tile_sample( t, SF_HIST_WAIT, t->now - m->t_pub );
      }
      if( t->peeked ) {
        sf_link_release( t->peeked );
        t->peeked = 0;
      }
      work++;
      ready = sf_tile_ready( t, 1 );
    }
  }
  if( !work ) return 0;
  if( !t->done ) t->done = sf_clock_ns();
  if( t->count[SF_COUNTER_BUSY_TURNS]++ % MEASURED == 0 ) sf_tile_sample( t, SF_HIST_TURN, sf_clock_ns() - t->now );
  return work;
}

/* 1 if there is nothing to poll, and nothing came to any in-link since it was found empty. */
SF_INLINE int nothing_came( sf_tile_t const * t ) {
  if( t->ops->poll || SF_UNLIKELY( t->replay_in != SF_TURN_NO_REPLAY ) ) return 0;
  for( uint32_t i = 0; i < t->in_cnt; i++ ) {
    if( !quiet( t, i ) ) return 0;
  }
  return 1;
}

int sf_tile_turn( sf_tile_t * t, uint64_t now ) {
  int work   = 0;
  t->now     = now;
  t->blocked = 0;
  t->wake_at = UINT64_MAX;
  sf_tile_house_due( t );
  if( SF_LIKELY( sf_tile_ready( t, 1 ) ) ) {
    if( SF_LIKELY( nothing_came( t ) ) ) t->pass_in = t->pass_cnt = 0;
    else work = turn_work( t );
  }
  sf_tile_turn_count( t );
  /* one turn in two, the tiles of a group in different ones: a message that comes waits for the rest of a turn */
  if( !work && t->ops->idle && ( t->count[SF_COUNTER_TURNS] ^ t->index ) & 1 ) t->ops->idle( t );
  return work;
}

/* -- ending ---------------------------------------------------------------- */

void sf_tile_end( sf_tile_t * t ) {
  if( t->ended ) return;
  t->ended = 1;
  sf_tile_flush( t );
  if( t->failed ) {
    sf_kill_raise( t->control, SF_KILL_HALT, SF_KILL_BY_SUPERVISOR );
    return; /* the sentence and the state are written already */
  }
  sf_store_release( &t->cnc->state, (uint64_t)SF_STATE_DONE );
}

void sf_tile_finish( sf_tile_t * t ) {
  if( t->ended ) return;
  if( !t->failed ) sf_store_release( &t->cnc->state, (uint64_t)SF_STATE_HALT );
  uint64_t most = 0;
  for( uint32_t i = 0; i < t->in_cnt; i++ ) {
    if( t->in[i].mask + 1 > most ) most = t->in[i].mask + 1;
  }
  for( uint64_t i = 0; t->booted && !t->failed && i < most / SF_TURN_BATCH + 1; i++ ) {
    int work = sf_tile_turn( t, sf_clock_ns() );
    sf_tile_after( t );
    if( !work ) break;
  }
  if( t->booted && t->ops->fini ) t->ops->fini( t );
  t->booted = 0;
  sf_tile_end( t );
  sf_tile_after( t );
}
