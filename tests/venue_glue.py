"""The tick venues of the C core, compiled by themselves, for differential tests against the references."""

from __future__ import annotations

import ctypes
import ctypes.util
import random
from pathlib import Path
from typing import Any

from sniperforge.venues.quote import Quote
from tests import core_library

STATUS = {0: "ok", 1: "refused", 2: "exhausted"}

DECLARATIONS = """
char const * sf_err_text( void );
void state_clear( uint8_t const * pubkey );
int state_account( uint8_t const * data, uint32_t len );
int state_prepare( void );
void state_transfer_fee( int side, uint64_t bps, uint64_t maximum );
void state_quote( int a_to_b, int exact_in, uint64_t amount, uint64_t limit_low, uint64_t limit_high, uint64_t now,
                  uint64_t * out );
uint32_t travel_differs( uint64_t seed, uint32_t rounds, uint32_t max, uint64_t now, uint32_t * seen );
double state_cost( int a_to_b, int exact_in, uint64_t amount, uint64_t rounds );
int swap_parse( uint8_t const * data, uint32_t len, uint64_t * out );
uint32_t swap_data( uint64_t const * in, uint8_t * out );
"""

GLUE = """
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "dex/{venue}.h"
#include "dex/venue.h"
#include "base/rng.h"
static sf_{venue}_work_t work;
void state_clear( uint8_t const * pubkey ) {{ sf_{venue}_clear( &work, pubkey ); }}
int state_account( uint8_t const * data, uint32_t len ) {{ return sf_{venue}_account( data, len, &work ); }}
int state_prepare( void ) {{ return sf_{venue}_prepare( &work ); }}
void state_transfer_fee( int side, uint64_t bps, uint64_t maximum ) {{
  work.state.transfer_fee[side] = ( sf_transfer_fee_t ){{ .bps = bps, .maximum = maximum }};
}}
void state_quote( int a_to_b, int exact_in, uint64_t amount, uint64_t limit_low, uint64_t limit_high, uint64_t now,
                  uint64_t * out ) {{
  sf_quote_t q;
  sf_{venue}_quote( &work.state, a_to_b, exact_in, amount, (sf_u128_t)limit_high << 64 | limit_low, now, &q );
  uint64_t words[] = {{ q.amount_in, q.amount_out, q.status, q.error, q.fee, q.protocol_fee, (uint64_t)q.sqrt_price,
                       (uint64_t)( q.sqrt_price >> 64 ), (uint64_t)q.liquidity, (uint64_t)( q.liquidity >> 64 ),
                       (uint64_t)(int64_t)q.tick, q.crossed, q.fee_in_input }};
  for( unsigned i = 0; i < sizeof( words ) / 8; i++ ) out[i] = words[i];
}}
/* How many of some random quotes on a copy of at most so many bytes differ from those on the whole, where the copy does
   not end first; counts in `seen` those that could be compared, those that could not, and the ticks that travel. */
uint32_t travel_differs( uint64_t seed, uint32_t rounds, uint32_t max, uint64_t now, uint32_t * seen ) {{
  sf_rng_t rng;
  uint32_t differ = 0, bytes;
  void * room = aligned_alloc( 16, SF_POOL_STATE_MAX );
  bytes = sf_{venue}_travel( &work, max, room );
  if( bytes > max || bytes % 16 ) return UINT32_MAX;
  sf_{venue}_state_t * copy = aligned_alloc( 16, bytes );
  memcpy( copy, room, bytes );
  free( room );
  sf_rng_seed( &rng, seed );
  for( uint32_t i = 0; i < rounds; i++ ) {{
    sf_quote_t q[2];
    int a_to_b = (int)( i & 1 ), exact_in = (int)( i >> 1 & 1 );
    uint64_t amount = sf_rng_next( &rng ) >> sf_rng_below( &rng, 64 );
    if( i & 4 ) {{
      /* as much as the copy has, or one less or more */
      sf_{venue}_quote( copy, a_to_b, exact_in, UINT64_MAX >> 2, 0, now, &q[0] );
      amount = ( exact_in ? q[0].amount_in : q[0].amount_out ) - 1 + sf_rng_below( &rng, 3 );
    }}
    memset( q, 0, sizeof( q ) );
    sf_{venue}_quote( copy, a_to_b, exact_in, amount, 0, now, &q[0] );
    sf_{venue}_quote( &work.state, a_to_b, exact_in, amount, 0, now, &q[1] );
    if( q[0].status == SF_QUOTE_EXHAUSTED ) {{
      seen[1]++;
      continue;
    }}
    seen[0]++;
    differ += memcmp( &q[0], &q[1], sizeof( q[0] ) ) != 0;
  }}
  seen[2] += copy->ticks.cnt;
  free( copy );
  return differ;
}}
double state_cost( int a_to_b, int exact_in, uint64_t amount, uint64_t rounds ) {{
  sf_quote_t q = {{ 0 }};
  struct timespec from, to;
  clock_gettime( CLOCK_MONOTONIC, &from );
  for( uint64_t i = 0; i < rounds; i++ )
    sf_{venue}_quote( &work.state, a_to_b, exact_in, amount + ( i & 1 ) + ( q.amount_out & 0 ), 0, 2000000000, &q );
  clock_gettime( CLOCK_MONOTONIC, &to );
  return ( (double)( to.tv_sec - from.tv_sec ) * 1e9 + (double)( to.tv_nsec - from.tv_nsec ) ) / (double)rounds;
}}
"""

SHARED = ["dex/ticks.c", "dex/ticks_list.c", "dex/tick_math.c", "dex/transfer_fee.c", "dex/token.c"]
ADDRESSES = ["solana/address.c"]
OWN = {
    "orca_whirlpool": ["dex/orca_whirlpool.c", "dex/orca_whirlpool_adaptive.c", "dex/orca_whirlpool_swap.c"],
    "raydium_clmm": ["dex/raydium_clmm.c", "dex/raydium_clmm_steps.c", "dex/raydium_clmm_swap.c"],
}

MASK = 2**64 - 1
STATE_MAX = 3584


class Core:
    """One pool's state in C."""

    def __init__(self, directory: Path, venue: str, swap_glue: str) -> None:
        # derived addresses need SHA-256
        ctypes.CDLL(ctypes.util.find_library("sodium"), mode=ctypes.RTLD_GLOBAL)
        self.ffi, self.lib = core_library.build(
            directory,
            [*OWN[venue], *SHARED, *ADDRESSES],
            DECLARATIONS,
            GLUE.format(venue=venue) + swap_glue,
        )
        self.out = self.ffi.new("uint64_t[13]")

    def load(self, pubkey: bytes, accounts: list[bytes]) -> int:
        """Puts accounts into a fresh state and prepares it; the first negative code, or 0."""
        self.lib.state_clear(pubkey)
        for data in accounts:
            code = self.lib.state_account(data, len(data))
            if code:
                return int(code)
        return int(self.lib.state_prepare())

    def travels(self, now: int, rounds: int = 64, most: int = STATE_MAX) -> tuple[int, int, int]:
        """Whether quotes on a copy of at most so many bytes are those on the whole, as far as the copy goes.

        Returns how many could be compared, how many went too far, and the ticks of the copy.
        """
        seen = self.ffi.new("uint32_t[3]")
        assert self.lib.travel_differs(most, rounds, most, now, seen) == 0
        return seen[0], seen[1], seen[2]

    @property
    def error(self) -> str:
        return bytes(self.ffi.string(self.lib.sf_err_text())).decode()

    def quote(self, a_to_b: bool, exact_in: bool, amount: int, limit: int = 0, now: int = 0) -> Quote:
        self.lib.state_quote(a_to_b, exact_in, amount, limit & MASK, limit >> 64, now, self.out)
        w: list[Any] = self.ffi.unpack(self.out, 13)
        tick = w[10] - 2**64 if w[10] >> 63 else w[10]
        status = STATUS[w[2]]
        if status == "refused":
            return Quote(0, 0, status, w[3])
        return Quote(
            w[0],
            w[1],
            status,
            w[3],
            fee=w[4],
            protocol_fee=w[5],
            sqrt_price=w[6] | w[7] << 64,
            liquidity=w[8] | w[9] << 64,
            tick=tick,
            crossed=w[11],
            fee_in_input=w[12] == 1,
        )


def plain(quote: Quote) -> Quote:
    """A refusal without the amounts it got to."""
    return Quote(0, 0, "refused", quote.error) if quote.status == "refused" else quote


def some_amount(rng: random.Random) -> int:
    """0, 1, the maximum, and everything between on a logarithmic scale."""
    if rng.randrange(8) == 0:
        return rng.choice([0, 1, 2, 3, 10**6, 2**32, 2**62, 2**63, MASK - 1, MASK])
    return rng.getrandbits(64) >> rng.randrange(64)


LIQUIDITY_BITS = [1, 8, 20, 32, 40, 45, 50, 50, 55, 55, 60, 64, 70, 80, 95, 110]
"""Mostly as pools have it, at times absurd."""


def some_liquidity(rng: random.Random, bits: int) -> int:
    return rng.getrandbits(bits) + 1
