#include "trade/ladder.h"

#include <string.h>

uint8_t const sf_ladder_down[SF_LADDER_RUNGS] = { 6, 4, 2, 0, 1, 3, 5, 7 };

static uint32_t const share[SF_LADDER_RUNGS][2] = {
  { 1, 1 }, { 4, 5 }, { 5, 4 }, { 16, 25 }, { 25, 16 }, { 64, 125 }, { 125, 64 }, { 256, 625 },
};

/* v in proportion, rounded up or down; UINT64_MAX if it is too large. */
static uint64_t scale( uint64_t v, uint32_t const by[2], int up ) {
  unsigned __int128 x = ( (unsigned __int128)v * by[0] + ( up ? by[1] - 1 : 0 ) ) / by[1];
  return x > UINT64_MAX ? UINT64_MAX : (uint64_t)x;
}

int sf_ladder_rung( sf_intent_t const * seed, uint32_t rung, sf_intent_t * out ) {
  if( rung >= SF_LADDER_RUNGS || !seed->hop_cnt || seed->hop_cnt > SF_HOP_MAX ) return SF_ERR_LIMIT;
  uint32_t const * by = share[rung];
  *out                = *seed;
  if( !rung ) return 0;
  out->amount_in     = scale( seed->amount_in, by, 0 );
  out->expected_out  = scale( seed->expected_out, by, 0 );
  out->min_out       = scale( seed->min_out, by, 1 );
  out->tip_lamports  = scale( seed->tip_lamports, by, 0 );
  out->cost_lamports = seed->cost_lamports - seed->tip_lamports + out->tip_lamports;
  for( uint32_t h = 0; h < seed->hop_cnt; h++ ) {
    out->hop[h].amount_in = scale( seed->hop[h].amount_in, by, 0 );
    out->hop[h].min_out   = scale( seed->hop[h].min_out, by, 1 );
    if( !out->hop[h].amount_in || out->hop[h].min_out == UINT64_MAX ) return SF_ERR_LIMIT;
  }
  uint64_t even = out->amount_in + out->cost_lamports;
  if( seed->kind == SF_INTENT_CYCLE && out->min_out < even ) {
    out->min_out                        = even;
    out->hop[seed->hop_cnt - 1].min_out = even;
  }
  return out->amount_in < UINT64_MAX / 2 && out->min_out < UINT64_MAX ? 0 : SF_ERR_LIMIT;
}

int sf_ladder_same( sf_intent_t const * a, sf_intent_t const * b ) {
  return a->amount_in == b->amount_in && a->min_out == b->min_out && a->kind == b->kind && a->flags == b->flags &&
         a->hop_cnt == b->hop_cnt && a->token_in == b->token_in && a->token_out == b->token_out &&
         a->tip_lamports == b->tip_lamports && a->cu_price_micro_lamports == b->cu_price_micro_lamports &&
         a->cu_limit == b->cu_limit && a->hop_cnt <= SF_HOP_MAX &&
         !memcmp( a->hop, b->hop, a->hop_cnt * sizeof( sf_hop_t ) );
}
