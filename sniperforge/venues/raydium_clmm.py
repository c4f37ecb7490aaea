"""Raydium CLMM: what its accounts say and what its swaps give, in plain integers.

Follows the program loop by loop (raydium-io/raydium-clmm: `instructions/swap.rs`, `swap_v2.rs`, `states/`,
`libraries/`); the C core (`csrc/dex/raydium_clmm.c`), which works stretches out beforehand, is tested against it.
Rates are per million.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from sniperforge.venues.quote import Quote
from sniperforge.venues.raydium_clmm_swap import (
    ARRAY_TICKS,
    ARRAYS,
    CONTROL_OF,
    NOT_EQUAL,
    OWN_ARRAYS,
    REDUCTION_OF,
    SMALL,
    TRANSFER_FEE,
    Exhausted,
    Swap,
)
from sniperforge.venues.ticks import (
    PPM,
    SQRT_PRICE_MAX_RAYDIUM,
    SQRT_PRICE_MIN,
    TICK_MAX,
    TICK_MIN,
    U64,
    Refused,
    raydium_sqrt_price,
    tick_at,
)
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee

PROGRAM = Pubkey.from_string("CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK")
POOL_BYTES = 1544
CONFIG_BYTES = 117
ARRAY_BYTES = 10240
EXTENSION_BYTES = 1832

POOL_DISCRIMINATOR = bytes.fromhex("f7ede3f5d7c3de46")
CONFIG_DISCRIMINATOR = bytes.fromhex("daf42168cbcb2b6f")
ARRAY_DISCRIMINATOR = bytes.fromhex("c09b55cd31f9812a")
EXTENSION_DISCRIMINATOR = bytes.fromhex("3c9624db61808b99")


class VenueDataError(ValueError):
    """Account bytes are not what they should be; the text has the offset."""


@dataclass(frozen=True)
class Dynamic:
    """The fee by volatility: constants and variables."""

    filter_period: int
    decay_period: int
    reduction_factor: int
    control: int
    accumulator_max: int
    index_reference: int
    reference: int
    accumulator: int
    last_update: int


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
    fee_on: int
    """Which token pays fees: 0 the input, 1 token 0, 2 token 1."""
    dynamic: Dynamic | None


@dataclass(frozen=True)
class Rates:
    """A decoded config account."""

    trade: int
    protocol: int = 0
    fund: int = 0


@dataclass(frozen=True)
class TickArray:
    """A decoded tick array: net liquidity of its initialized ticks, and what of limit orders is not filled."""

    pool: Pubkey
    start: int
    net: dict[int, int]
    orders: dict[int, int]


def decode_pool(data: bytes) -> Pool:
    """The pool in an account's bytes.

    Raises:
        VenueDataError: it is none, or price and tick do not fit.
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
    if data[390] > 2:
        raise VenueDataError(f"raydium clmm pool: fees on token {data[390]} at offset 390")
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
        bitmap=frozenset(bit - OWN_ARRAYS for bit in _ones(bits)),
        fee_on=data[390],
        dynamic=_decode_dynamic(data[1096:1176], spacing),
    )


def _decode_dynamic(data: bytes, tick_spacing: int) -> Dynamic | None:
    if not any(data):
        return None
    filter_period, decay_period, reduction = struct.unpack_from("<HHH", data)
    control, top, index, reference, accumulator = struct.unpack_from("<IIiII", data, 6)
    dynamic = Dynamic(
        filter_period,
        decay_period,
        reduction,
        control,
        top,
        index,
        reference,
        accumulator,
        struct.unpack_from("<Q", data, 26)[0],
    )
    if not (
        0 < filter_period < decay_period
        and 0 < reduction < REDUCTION_OF
        and 0 < control < CONTROL_OF
        and top * tick_spacing < 1 << 32
    ):
        raise VenueDataError("raydium clmm pool: dynamic fee constants at offset 1096")
    if max(reference, accumulator) > top or not 2 * TICK_MIN <= index <= 2 * TICK_MAX:
        raise VenueDataError("raydium clmm pool: dynamic fee variables at offset 1110")
    return dynamic


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
    net, orders = {}, {}
    for i in range(ARRAY_TICKS):
        at = 44 + 168 * i
        tick = struct.unpack_from("<i", data, at)[0]
        amount = int.from_bytes(data[at + 4 : at + 20], "little", signed=True)
        gross = _u128(data, at + 20)
        waiting = sum(struct.unpack_from("<QQ", data, at + 124))
        if waiting >= U64:
            raise VenueDataError(f"raydium clmm tick array: limit orders at offset {at + 124} overflow")
        if abs(amount) > gross:
            raise VenueDataError(f"raydium clmm tick array: liquidity at offset {at + 4} is inconsistent")
        if gross or waiting:
            if tick != start + i * tick_spacing or not TICK_MIN <= tick <= TICK_MAX:
                raise VenueDataError(f"raydium clmm tick array: tick {tick} at offset {at}")
            net[tick] = amount
            if waiting:
                orders[tick] = waiting
    return TickArray(_key(data, 8), start, net, orders)


def decode_extension(data: bytes) -> tuple[Pubkey, frozenset[int]]:
    """The pool, and numbers of the arrays with an initialized tick beyond the pool's own bitmap."""
    _check(data, EXTENSION_BYTES, EXTENSION_DISCRIMINATOR, "bitmap extension")
    found: set[int] = set()
    for page in range(14):
        above = int.from_bytes(data[40 + 64 * page : 104 + 64 * page], "little")
        below = int.from_bytes(data[936 + 64 * page : 1000 + 64 * page], "little")
        found.update(OWN_ARRAYS * (page + 1) + bit for bit in _ones(above))
        found.update(bit - OWN_ARRAYS * (page + 2) for bit in _ones(below))
    return _key(data, 8), frozenset(found)


def _ones(word: int) -> Iterator[int]:
    """Places of the bits that are set."""
    while word:
        yield (word & -word).bit_length() - 1
        word &= word - 1


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
    fee_on: int = 0
    dynamic: Dynamic | None = None
    orders: dict[int, int] = field(default_factory=dict)
    """Amount of limit orders that wait at a tick, in the token that is above or below the price there."""

    @classmethod
    def of(
        cls, pool: Pool, rates: Rates, arrays: Iterable[TickArray], extension: frozenset[int] | None = None
    ) -> State:
        known = list(arrays)
        return cls(
            pool.tick_spacing,
            rates,
            pool.liquidity,
            pool.sqrt_price,
            pool.tick,
            pool.bitmap,
            {array.start: array.net for array in known},
            extension,
            pool.open_time,
            pool.status,
            fee_on=pool.fee_on,
            dynamic=pool.dynamic,
            orders={tick: amount for array in known for tick, amount in array.orders.items()},
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
            return Quote(0, 0, "refused", TRANSFER_FEE)
        return self._quote(a_to_b, False, amount, swapped, now, limit)

    def _transfer_fees(self, a_to_b: bool) -> tuple[TransferFee, TransferFee]:
        a, b = self.transfer_fees
        return (a, b) if a_to_b else (b, a)

    def _quote(self, a_to_b: bool, exact_in: bool, amount: int, swapped: int, now: int, limit: int) -> Quote:
        fee_in, fee_out = self._transfer_fees(a_to_b)
        swap = Swap(self, a_to_b, exact_in, swapped)
        status, error = "ok", 0
        try:
            swap.run(now, limit)
            if not swapped - swap.left or not swap.calculated:
                raise Refused(SMALL)
        except Exhausted:
            status, error = "exhausted", ARRAYS
        except Refused as reason:
            return Quote(0, 0, "refused", reason.code)
        quote = swap.quote(status, error)
        paid = amount if exact_in and quote.amount_in == swapped else fee_in.before(quote.amount_in)
        if paid is None and status != "exhausted":
            return Quote(0, 0, "refused", TRANSFER_FEE)
        paid = quote.amount_in if paid is None else paid  # what it got to may be an amount that cannot be sent
        if status == "ok" and not limit and amount != (paid if exact_in else quote.amount_out):
            return Quote(0, 0, "refused", NOT_EQUAL)  # with a transfer fee more leaves the vault than is asked for
        return quote._replace(amount_in=paid, amount_out=quote.amount_out - fee_out.of(quote.amount_out))
