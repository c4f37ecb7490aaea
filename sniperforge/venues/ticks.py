"""Concentrated liquidity in plain integers: tick prices, amounts between prices, one step of a swap.

Written from the programs' published maths (orca-so/whirlpools `math/`, raydium-io/raydium-clmm `libraries/`); the C
core (`csrc/dex/ticks.c`, `tick_math.c`) is tested against it. Square-root prices are Q64.64, amounts base units.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

TICK_MIN = -443_636
TICK_MAX = 443_636
SQRT_PRICE_MIN = 4_295_048_016
SQRT_PRICE_MAX_RAYDIUM = 79_226_673_521_066_979_257_578_248_091
SQRT_PRICE_MAX_ORCA = 79_226_673_515_401_279_992_447_579_055
U64 = 1 << 64
U128 = 1 << 128
Q64 = 1 << 64
PPM = 1_000_000

PriceOf = Callable[[int], int]


class Refused(Exception):
    """The program fails with this custom error code; 0 if it is not a custom one, or arithmetic."""

    def __init__(self, code: int = 0) -> None:
        super().__init__(f"the program fails with {code}")
        self.code = code


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


_RAYDIUM = [
    *(0xFFFCB933BD6FB800, 0xFFF97272373D4000, 0xFFF2E50F5F657000, 0xFFE5CACA7E10F000, 0xFFCB9843D60F7000),
    *(0xFF973B41FA98E800, 0xFF2EA16466C9B000, 0xFE5DEE046A9A3800, 0xFCBE86C7900BB000, 0xF987A7253AC65800),
    *(0xF3392B0822BB6000, 0xE7159475A2CAF000, 0xD097F3BDFD2F2000, 0xA9F746462D9F8000, 0x70D869A156F31C00),
    *(0x31BE135F97ED3200, 0x09AA508B5B85A500, 0x005D6AF8DEDC582C, 0x00002216E584F5FA),
]
_ORCA_DOWN = [
    *(18445821805675392311, 18444899583751176498, 18443055278223354162, 18439367220385604838, 18431993317065449817),
    *(18417254355718160513, 18387811781193591352, 18329067761203520168, 18212142134806087854, 17980523815641551639),
    *(17526086738831147013, 16651378430235024244, 15030750278693429944, 12247334978882834399, 8131365268884726200),
    *(3584323654723342297, 696457651847595233, 26294789957452057, 37481735321082),
]
_ORCA_UP = [
    *(79232123823359799118286999567, 79236085330515764027303304731, 79244008939048815603706035061),
    *(79259858533276714757314932305, 79291567232598584799939703904, 79355022692464371645785046466),
    *(79482085999252804386437311141, 79736823300114093921829183326, 80248749790819932309965073892),
    *(81282483887344747381513967011, 83390072131320151908154831281, 87770609709833776024991924138),
    *(97234110755111693312479820773, 119332217159966728226237229890, 179736315981702064433883588727),
    *(407748233172238350107850275304, 2098478828474011932436660412517, 55581415166113811149459800483533),
    38992368544603139932233054999993551,
]


def _power(tick: int, factors: list[int], bits: int) -> int:
    ratio = 1 << bits
    for i, factor in enumerate(factors):
        if tick >> i & 1:
            ratio = ratio * factor >> bits
    return ratio


def raydium_sqrt_price(tick: int) -> int:
    ratio = _power(abs(tick), _RAYDIUM, 64)
    return (U128 - 1) // ratio if tick > 0 else ratio


def orca_sqrt_price(tick: int) -> int:
    return _power(tick, _ORCA_UP, 96) >> 32 if tick >= 0 else _power(-tick, _ORCA_DOWN, 64)


def tick_at(sqrt_price: int, price_of: PriceOf) -> int:
    """The highest tick whose price is not above `sqrt_price`."""
    guess = round(math.log(sqrt_price / Q64) * 2 / math.log(1.0001))
    guess = max(TICK_MIN, min(TICK_MAX, guess))
    while guess > TICK_MIN and price_of(guess) > sqrt_price:
        guess -= 1
    while guess < TICK_MAX and price_of(guess + 1) <= sqrt_price:
        guess += 1
    return guess


def amount_a(liquidity: int, one: int, other: int, *, up: bool) -> int:
    """What of token a lies between two prices: L * (1/low - 1/high)."""
    low, high = sorted((one, other))
    numerator, denominator = liquidity * (high - low) * Q64, low * high
    return ceil_div(numerator, denominator) if up else numerator // denominator


def amount_b(liquidity: int, one: int, other: int, *, up: bool) -> int:
    """What of token b lies between two prices: L * (high - low)."""
    numerator = liquidity * abs(one - other)
    return ceil_div(numerator, Q64) if up else numerator // Q64


class Step(NamedTuple):
    """What a step took (without fee), gave and cost, and the price after it."""

    amount_in: int
    amount_out: int
    fee: int
    sqrt_price: int
    gross_out: int
    """What it gave before that was cut to what was asked for."""


def step(
    *,
    liquidity: int,
    price: int,
    target: int,
    left: int,
    fee_rate: int,
    a_to_b: bool,
    exact_in: bool,
    orca: bool,
) -> Step:
    """One step towards `target` at constant liquidity, as the programs compute it.

    Raises:
        Refused: the program fails in it.
    """
    given = left * (PPM - fee_rate) // PPM if exact_in else left
    fixed_is_a = a_to_b == exact_in
    fixed_of, other_of = (amount_a, amount_b) if fixed_is_a else (amount_b, amount_a)
    if orca and fixed_is_a and liquidity * abs(price - target) >= 1 << 192:
        raise Refused
    whole = fixed_of(liquidity, price, target, up=exact_in)
    if whole < U64 and given >= whole:
        reached = target
    elif fixed_is_a:
        reached = _price_after_a(liquidity, price, given, add=exact_in, orca=orca)
    else:
        reached = _price_after_b(liquidity, price, given, add=exact_in)
    if orca and not fixed_is_a and liquidity * abs(price - reached) >= 1 << 192:
        raise Refused
    other = _fits(other_of(liquidity, price, reached, up=not exact_in))
    if reached != target:
        fixed = _fits(fixed_of(liquidity, price, reached, up=exact_in))
    elif whole < U64:
        fixed = whole
    elif orca:
        raise Refused
    else:
        fixed = 0  # what Raydium is left with where the whole way overflows, but rounding ends there
    if exact_in and reached != target:
        return Step(fixed, other, left - fixed, reached, other)
    amount_in, gross_out = (fixed, other) if exact_in else (other, fixed)
    amount_out = gross_out if exact_in else min(gross_out, left)
    fee = _fits(ceil_div(amount_in * fee_rate, PPM - fee_rate))
    return Step(amount_in, amount_out, fee, reached, gross_out)


def _fits(amount: int) -> int:
    if amount >= U64:
        raise Refused
    return amount


def _price_after_a(liquidity: int, price: int, amount: int, *, add: bool, orca: bool) -> int:
    if not amount:
        return price
    if orca and liquidity * price >= 1 << 192:
        raise Refused
    denominator = liquidity * Q64 + (amount if add else -amount) * price
    if denominator <= 0 or not liquidity:
        raise Refused
    after = ceil_div(liquidity * Q64 * price, denominator)
    if after >= U128 or (orca and not SQRT_PRICE_MIN <= after <= SQRT_PRICE_MAX_ORCA):
        raise Refused
    return after


def _price_after_b(liquidity: int, price: int, amount: int, *, add: bool) -> int:
    if not amount:
        return price
    if not liquidity:
        raise Refused
    after = price + amount * Q64 // liquidity if add else price - ceil_div(amount * Q64, liquidity)
    if not 0 < after < U128:
        raise Refused
    return after
