"""Raydium CLMM: what its accounts say and what its swaps give, in plain integers.

Follows the program loop by loop (raydium-io/raydium-clmm: `instructions/swap.rs`, `swap_v2.rs`, `states/`,
`libraries/`); the C core (`csrc/dex/raydium_clmm.c`), which works stretches out beforehand, is tested against it.
Rates are per million.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from sniperforge.venues.quote import Quote
from sniperforge.venues.ticks import (
    PPM,
    SQRT_PRICE_MAX_RAYDIUM,
    SQRT_PRICE_MIN,
    TICK_MAX,
    TICK_MIN,
    U64,
    Refused,
    raydium_sqrt_price,
    step,
    tick_at,
)
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee

PROGRAM = Pubkey.from_string("CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK")
POOL_BYTES = 1544
CONFIG_BYTES = 117
ARRAY_BYTES = 10240
EXTENSION_BYTES = 1832
ARRAY_TICKS = 60
OWN_ARRAYS = 512
SWAP_DISABLED = 16
"""Bit of a pool's status."""

POOL_DISCRIMINATOR = bytes.fromhex("f7ede3f5d7c3de46")
CONFIG_DISCRIMINATOR = bytes.fromhex("daf42168cbcb2b6f")
ARRAY_DISCRIMINATOR = bytes.fromhex("c09b55cd31f9812a")
EXTENSION_DISCRIMINATOR = bytes.fromhex("3c9624db61808b99")

_NOT_EQUAL = 2501
_NOT_GREATER = 2505
_NOT_APPROVED = 6001
_LIMIT = 6013
_LIQUIDITY = 6019
_ZERO = 6024
_SMALL = 6026
_ARRAYS = 6027
_DIRECTION = 6041
_TRANSFER_FEE = 6044


class VenueDataError(ValueError):
    """Account bytes are not what they should be; the text has the offset."""


class Exhausted(Exception):
    """The next array of the bitmap is not known."""


@dataclass(frozen=True)
class Pool:
    """A decoded pool account. Pairs are (token 0, token 1), also called a and b."""

    config: Pubkey
    mints: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    observation: Pubkey
    tick_spacing: int
    liquidity: int
    sqrt_price: int
    tick: int
    status: int
    open_time: int
    bitmap: frozenset[int]
    """Numbers of the arrays with an initialized tick, of those the pool account speaks of (-512 to 511)."""


@dataclass(frozen=True)
class Rates:
    """A decoded config account."""

    trade: int
    protocol: int = 0
    fund: int = 0


@dataclass(frozen=True)
class TickArray:
    """A decoded tick array: net liquidity of its initialized ticks."""

    pool: Pubkey
    start: int
    net: dict[int, int]


def decode_pool(data: bytes) -> Pool:
    """The pool in an account's bytes.

    Raises:
        VenueDataError: it is none, price and tick do not fit, or it prices in a way that is not implemented.
    """
    _check(data, POOL_BYTES, POOL_DISCRIMINATOR, "pool")
    spacing = struct.unpack_from("<H", data, 235)[0]
    if not spacing:
        raise VenueDataError("raydium clmm pool: tick spacing 0 at offset 235")
    sqrt_price, tick = _u128(data, 253), struct.unpack_from("<i", data, 269)[0]
    if not SQRT_PRICE_MIN <= sqrt_price < SQRT_PRICE_MAX_RAYDIUM:
        raise VenueDataError("raydium clmm pool: price out of range at offset 253")
    real = tick_at(sqrt_price, raydium_sqrt_price)
    if tick != real and not (tick == real - 1 and raydium_sqrt_price(real) == sqrt_price):
        raise VenueDataError(f"raydium clmm pool: tick {tick} at offset 269, but the price's is {real}")
    mints, vaults = (_key(data, 73), _key(data, 105)), (_key(data, 137), _key(data, 169))
    if mints[0] == mints[1] or vaults[0] == vaults[1]:
        raise VenueDataError("raydium clmm pool: both sides are the same at offset 73")
    if data[390]:
        raise VenueDataError(f"raydium clmm pool: fees on one token only ({data[390]} at offset 390) are not priced")
    if any(data[1096:1176]):
        raise VenueDataError("raydium clmm pool: a fee by volatility (offset 1096) is not priced")
    bits = int.from_bytes(data[904:1032], "little")
    return Pool(
        config=_key(data, 9),
        mints=mints,
        vaults=vaults,
        observation=_key(data, 201),
        tick_spacing=spacing,
        liquidity=_u128(data, 237),
        sqrt_price=sqrt_price,
        tick=tick,
        status=data[389],
        open_time=struct.unpack_from("<Q", data, 1080)[0],
        bitmap=frozenset(i - OWN_ARRAYS for i in range(2 * OWN_ARRAYS) if bits >> i & 1),
    )


def decode_config(data: bytes) -> Rates:
    """The rates in a config account's bytes."""
    _check(data, CONFIG_BYTES, CONFIG_DISCRIMINATOR, "config")
    protocol, trade = struct.unpack_from("<II", data, 43)
    fund = struct.unpack_from("<I", data, 53)[0]
    if trade >= PPM or protocol + fund > PPM:
        raise VenueDataError(f"raydium clmm config: rates {trade} at offset 47, {protocol} at 43, {fund} at 53")
    return Rates(trade, protocol, fund)


def decode_array(data: bytes, tick_spacing: int) -> TickArray:
    """A tick array."""
    _check(data, ARRAY_BYTES, ARRAY_DISCRIMINATOR, "tick array")
    start = struct.unpack_from("<i", data, 40)[0]
    span = ARRAY_TICKS * tick_spacing
    if start % span or not TICK_MIN - span < start <= TICK_MAX:
        raise VenueDataError(f"raydium clmm tick array: start tick {start} at offset 40")
    net = {}
    for i in range(ARRAY_TICKS):
        at = 44 + 168 * i
        tick = struct.unpack_from("<i", data, at)[0]
        amount = int.from_bytes(data[at + 4 : at + 20], "little", signed=True)
        gross = _u128(data, at + 20)
        if any(data[at + 124 : at + 140]):
            raise VenueDataError(f"raydium clmm tick array: limit orders (offset {at + 124}) are not priced")
        if abs(amount) > gross:
            raise VenueDataError(f"raydium clmm tick array: liquidity at offset {at + 4} is inconsistent")
        if gross:
            if tick != start + i * tick_spacing or not TICK_MIN <= tick <= TICK_MAX:
                raise VenueDataError(f"raydium clmm tick array: tick {tick} at offset {at}")
            net[tick] = amount
    return TickArray(_key(data, 8), start, net)


def decode_extension(data: bytes) -> tuple[Pubkey, frozenset[int]]:
    """The pool, and numbers of the arrays with an initialized tick beyond the pool's own bitmap."""
    _check(data, EXTENSION_BYTES, EXTENSION_DISCRIMINATOR, "bitmap extension")
    found = set()
    for page in range(14):
        above = int.from_bytes(data[40 + 64 * page : 104 + 64 * page], "little")
        below = int.from_bytes(data[936 + 64 * page : 1000 + 64 * page], "little")
        for bit in range(OWN_ARRAYS):
            if above >> bit & 1:
                found.add(OWN_ARRAYS * (page + 1) + bit)
            if below >> bit & 1:
                found.add(bit - OWN_ARRAYS * (page + 2))
    return _key(data, 8), frozenset(found)


def _check(data: bytes, length: int, discriminator: bytes, what: str) -> None:
    if len(data) != length:
        raise VenueDataError(f"raydium clmm {what}: {len(data)} bytes, not {length}")
    if data[:8] != discriminator:
        raise VenueDataError(f"raydium clmm {what}: discriminator {data[:8].hex()} at offset 0")


def _key(data: bytes, offset: int) -> Pubkey:
    return Pubkey.from_bytes(data[offset : offset + 32])


def _u128(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 16], "little")


@dataclass(frozen=True)
class State:
    """All that prices a pool."""

    tick_spacing: int
    rates: Rates
    liquidity: int
    sqrt_price: int
    tick: int
    bitmap: frozenset[int] = frozenset()
    arrays: dict[int, dict[int, int]] = field(default_factory=dict)
    """Net liquidity by tick, by start tick of the array; only those that are known."""
    extension: frozenset[int] | None = None
    open_time: int = 0
    status: int = 0
    transfer_fees: tuple[TransferFee, TransferFee] = (NO_FEE, NO_FEE)

    @classmethod
    def of(
        cls, pool: Pool, rates: Rates, arrays: dict[int, dict[int, int]], extension: frozenset[int] | None = None
    ) -> State:
        return cls(
            pool.tick_spacing,
            rates,
            pool.liquidity,
            pool.sqrt_price,
            pool.tick,
            pool.bitmap,
            arrays,
            extension,
            pool.open_time,
            pool.status,
        )

    def quote_in(self, a_to_b: bool, amount: int, now: int, limit: int = 0) -> Quote:
        """Swap of exactly `amount` of the input; `limit` is a square-root price, 0 none."""
        fee_in, _ = self._transfer_fees(a_to_b)
        return self._quote(a_to_b, True, amount, amount - fee_in.of(amount), now, limit)

    def quote_out(self, a_to_b: bool, amount: int, now: int, limit: int = 0) -> Quote:
        """Swap for exactly `amount` of the output."""
        _, fee_out = self._transfer_fees(a_to_b)
        swapped = fee_out.before(amount)
        if swapped is None:
            return Quote(0, 0, "refused", _TRANSFER_FEE)
        return self._quote(a_to_b, False, amount, swapped, now, limit)

    def _transfer_fees(self, a_to_b: bool) -> tuple[TransferFee, TransferFee]:
        a, b = self.transfer_fees
        return (a, b) if a_to_b else (b, a)

    def _quote(self, a_to_b: bool, exact_in: bool, amount: int, swapped: int, now: int, limit: int) -> Quote:
        fee_in, fee_out = self._transfer_fees(a_to_b)
        swap = _Swap(self, a_to_b, exact_in, swapped)
        status, error = "ok", 0
        try:
            swap.run(now, limit)
            if not swapped - swap.left or not swap.calculated:
                raise Refused(_SMALL)
            if swap.left and not limit:
                raise Refused(_NOT_EQUAL)
        except Exhausted:
            status, error = "exhausted", _ARRAYS
        except Refused as reason:
            return Quote(0, 0, "refused", reason.code)
        quote = swap.quote(status, error)
        paid = amount if exact_in and quote.amount_in == swapped else fee_in.before(quote.amount_in)
        if paid is None:
            return Quote(0, 0, "refused", _TRANSFER_FEE)
        return quote._replace(amount_in=paid, amount_out=quote.amount_out - fee_out.of(quote.amount_out))


class _Swap:
    """The program's loop."""

    def __init__(self, state: State, a_to_b: bool, exact_in: bool, amount: int) -> None:
        self.state, self.a_to_b, self.exact_in, self.amount = state, a_to_b, exact_in, amount
        self.left, self.calculated, self.fee, self.kept, self.crossed = amount, 0, 0, 0, 0
        self.price, self.tick, self.liquidity = state.sqrt_price, state.tick, state.liquidity
        self.span = ARRAY_TICKS * state.tick_spacing

    def run(self, now: int, limit: int) -> None:
        if now <= self.state.open_time:
            raise Refused(_NOT_GREATER)
        if not self.amount:
            raise Refused(_ZERO)
        if self.state.status & SWAP_DISABLED:
            raise Refused(_NOT_APPROVED)
        stop = limit or (SQRT_PRICE_MIN + 1 if self.a_to_b else SQRT_PRICE_MAX_RAYDIUM - 1)
        if not (SQRT_PRICE_MIN < stop < self.price if self.a_to_b else self.price < stop < SQRT_PRICE_MAX_RAYDIUM):
            raise Refused(_LIMIT)
        array = self.next_array(self.tick // self.span, _DIRECTION)
        while self.left and self.price != stop:
            while (tick := self.next_tick(array)) is None:
                array = self.next_array(array + (-1 if self.a_to_b else 1), _LIQUIDITY)
            self.step(tick, array, stop)

    def next_array(self, number: int, error: int) -> int:
        """Number of the next array with an initialized tick, from `number` on."""
        low, high = TICK_MIN // self.span, TICK_MAX // self.span
        while low <= number <= high:
            own = -OWN_ARRAYS <= number < OWN_ARRAYS
            if not own and self.state.extension is None:
                raise Exhausted
            if number in (self.state.bitmap if own else self.state.extension or ()):
                if number * self.span not in self.state.arrays:
                    raise Exhausted
                return number
            number += -1 if self.a_to_b else 1
        raise Refused(error)

    def next_tick(self, array: int) -> int | None:
        ticks = self.state.arrays[array * self.span]
        found = [tick for tick in ticks if (tick <= self.tick if self.a_to_b else tick > self.tick)]
        return (max(found) if self.a_to_b else min(found)) if found else None

    def step(self, tick: int, array: int, stop: int) -> None:
        tick_price = raydium_sqrt_price(tick)
        done = step(
            liquidity=self.liquidity,
            price=self.price,
            target=max(stop, tick_price) if self.a_to_b else min(stop, tick_price),
            left=self.left,
            fee_rate=self.state.rates.trade,
            a_to_b=self.a_to_b,
            exact_in=self.exact_in,
            orca=False,
        )
        self.left -= done.amount_in + done.fee if self.exact_in else done.amount_out
        self.calculated += done.amount_out if self.exact_in else done.amount_in + done.fee
        if self.calculated >= U64 or done.amount_in + done.fee >= U64:
            raise Refused
        self.fee += done.fee
        self.kept += done.fee * self.state.rates.protocol // PPM + done.fee * self.state.rates.fund // PPM
        if done.sqrt_price == tick_price:
            net = self.state.arrays[array * self.span][tick]
            self.liquidity += -net if self.a_to_b else net
            self.crossed += 1
            if not 0 <= self.liquidity < 1 << 128:
                raise Refused
            self.tick = tick - 1 if self.a_to_b else tick
        elif done.sqrt_price != self.price:
            self.tick = tick_at(done.sqrt_price, raydium_sqrt_price)
        self.price = done.sqrt_price

    def quote(self, status: str, error: int) -> Quote:
        specified = self.amount - self.left
        amount_in, amount_out = (specified, self.calculated) if self.exact_in else (self.calculated, specified)
        return Quote(
            amount_in,
            amount_out,
            status,
            error,
            fee=self.fee,
            protocol_fee=self.kept,
            sqrt_price=self.price,
            liquidity=self.liquidity,
            tick=self.tick,
            crossed=self.crossed,
        )
