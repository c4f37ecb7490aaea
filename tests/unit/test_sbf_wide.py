"""The emulated programs' wide integers and tick prices (`csrc/sbf/wide.h`, `ticks.h`) against Python's own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from sniperforge.venues.ticks import (
    SQRT_PRICE_MAX_ORCA,
    SQRT_PRICE_MAX_RAYDIUM,
    SQRT_PRICE_MIN,
    TICK_MAX,
    TICK_MIN,
    orca_sqrt_price,
    raydium_sqrt_price,
    tick_at,
)
from tests import native_sbf

WORDS = 5
MASK = 2**64 - 1

DECLARATIONS = """
int divide( uint64_t * quotient, uint64_t const * n, uint64_t const * d );
void divide_up( uint64_t * quotient, uint64_t const * n, uint64_t const * d );
void multiply( uint64_t * product, uint64_t const * a, uint64_t const * b );
void add( uint64_t * a, uint64_t const * b );
void subtract( uint64_t * a, uint64_t const * b );
void orca_price( uint64_t * price, int64_t tick );
void raydium_price( uint64_t * price, int64_t tick );
int64_t orca_tick( uint64_t const * price );
int64_t raydium_tick( uint64_t const * price );
"""

GLUE = """
#include "sbf/orca_whirlpool_math.h"
#include "sbf/raydium_clmm_math.h"
#define WIDE( p ) ( (wide_t *)( p ) )
#define U128( p ) ( (sbf_u128_t *)( p ) )
int divide( uint64_t * quotient, uint64_t const * n, uint64_t const * d ) {
  return wide_div( WIDE( quotient ), WIDE( n ), WIDE( d ) );
}
void divide_up( uint64_t * quotient, uint64_t const * n, uint64_t const * d ) {
  wide_div_up( WIDE( quotient ), WIDE( n ), WIDE( d ) );
}
void multiply( uint64_t * product, uint64_t const * a, uint64_t const * b ) {
  wide_mul( WIDE( product ), U128( a ), U128( b ) );
}
void add( uint64_t * a, uint64_t const * b ) { wide_add( WIDE( a ), WIDE( b ) ); }
void subtract( uint64_t * a, uint64_t const * b ) { wide_sub( WIDE( a ), WIDE( b ) ); }
void orca_price( uint64_t * price, int64_t tick ) { whirlpool_price_of( U128( price ), tick ); }
void raydium_price( uint64_t * price, int64_t tick ) { clmm_price_of( U128( price ), tick ); }
int64_t orca_tick( uint64_t const * price ) { return whirlpool_tick_at( U128( price ) ); }
int64_t raydium_tick( uint64_t const * price ) {
  int64_t tick = 0;
  return clmm_tick_at( &tick, U128( price ) ) ? INT64_MIN : tick;
}
"""


class Wide:
    """Numbers as C has them."""

    def __init__(self, directory: Path) -> None:
        self.ffi, self.lib = native_sbf.build(directory, DECLARATIONS, GLUE)

    def words(self, value: int, count: int = WORDS) -> Any:
        return self.ffi.new("uint64_t[]", [value >> 64 * i & MASK for i in range(count)])

    def value(self, words: Any, count: int = WORDS) -> int:
        return sum(word << 64 * i for i, word in enumerate(self.ffi.unpack(words, count)))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Wide:
    return Wide(tmp_path_factory.mktemp("wide"))


def some_number(rng: random.Random, words: int) -> int:
    """Often with words of only ones or zeros, where carries and the corrections of a quotient's digit are."""
    pattern = [0, 1, MASK, MASK - 1, 1 << 63, (1 << 63) - 1, rng.getrandbits(64), rng.getrandbits(64)]
    return sum(rng.choice(pattern) << 64 * i for i in range(words)) >> rng.randrange(8)


def test_arithmetic(wide: Wide) -> None:
    rng = random.Random(1)
    for _ in range(60_000):
        n, d = some_number(rng, rng.randrange(1, 6)), some_number(rng, rng.randrange(1, 5)) or 1
        if rng.randrange(3) == 0:  # a quotient that almost goes up
            q = some_number(rng, max(1, 5 - -(-d.bit_length() // 64)))
            n = min(q * d + rng.choice([0, d - 1, rng.randrange(d)]), 2**320 - 1)
        quotient = wide.words(0)
        rest = wide.lib.divide(quotient, wide.words(n), wide.words(d))
        assert (wide.value(quotient), rest) == (n // d, n % d != 0), (n, d)
        wide.lib.divide_up(quotient, wide.words(n), wide.words(d))
        assert wide.value(quotient) == -(-n // d)
        a, b = some_number(rng, 2), some_number(rng, 2)
        wide.lib.multiply(quotient, wide.words(a, 2), wide.words(b, 2))
        assert wide.value(quotient) == a * b
        more, less = max(n, d), min(n, d)
        total = wide.words(more)
        wide.lib.subtract(total, wide.words(less))
        assert wide.value(total) == more - less
        wide.lib.add(total, wide.words(less))
        assert wide.value(total) == more


def test_tick_prices(wide: Wide) -> None:
    rng = random.Random(2)
    price = wide.words(0, 2)
    near = [edge + i for edge in (TICK_MIN, 0, TICK_MAX - 3) for i in range(4)]
    for tick in (*near, *(rng.randrange(TICK_MIN, TICK_MAX + 1) for _ in range(4_000))):
        wide.lib.orca_price(price, tick)
        assert wide.value(price, 2) == orca_sqrt_price(tick)
        wide.lib.raydium_price(price, tick)
        assert wide.value(price, 2) == raydium_sqrt_price(tick)


def test_ticks_of_prices(wide: Wide) -> None:
    rng = random.Random(3)
    for _ in range(4_000):
        tick = rng.randrange(TICK_MIN, TICK_MAX)
        for price_of, find, highest in (
            (orca_sqrt_price, wide.lib.orca_tick, SQRT_PRICE_MAX_ORCA),
            (raydium_sqrt_price, wide.lib.raydium_tick, SQRT_PRICE_MAX_RAYDIUM),
        ):
            low, high = price_of(tick), price_of(tick + 1)
            for price in (low, high - 1, rng.randrange(low, high), SQRT_PRICE_MIN, highest - 1):
                assert find(wide.words(price, 2)) == tick_at(price, price_of), price
    outside = (SQRT_PRICE_MIN - 1, SQRT_PRICE_MAX_RAYDIUM)
    assert all(wide.lib.raydium_tick(wide.words(price, 2)) == -(2**63) for price in outside)
