"""Orca Whirlpool: what its accounts say and what its swaps give, in plain integers.

Follows the program loop by loop (orca-so/whirlpools: `manager/swap_manager.rs`, `manager/fee_rate_manager.rs`,
`state/oracle.rs`, `util/swap_tick_sequence.rs`, `util/sparse_swap.rs`); the C core (`csrc/dex/orca_whirlpool.c`), which
works stretches out beforehand, is tested against it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from solders.pubkey import Pubkey

from sniperforge.venues.quote import Quote
from sniperforge.venues.ticks import (
    SQRT_PRICE_MAX_ORCA,
    SQRT_PRICE_MIN,
    TICK_MAX,
    TICK_MIN,
    U64,
    Refused,
    ceil_div,
    orca_sqrt_price,
    step,
    tick_at,
)
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee

PROGRAM = Pubkey.from_string("whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc")
POOL_BYTES = 653
ARRAY_BYTES = 9988
ORACLE_BYTES = 254
ARRAY_TICKS = 88
SWAP_ARRAYS = 3

POOL_DISCRIMINATOR = bytes.fromhex("3f95d10ce1806309")
ARRAY_DISCRIMINATOR = bytes.fromhex("4561bdbe6e0742bb")
DYNAMIC_DISCRIMINATOR = bytes.fromhex("11d8f68ee1c7da38")
ORACLE_DISCRIMINATOR = bytes.fromhex("8bc283b38cb3e5f4")

_PRICE_OUT_OF_BOUNDS = 6011
_INVALID_TIMESTAMP = 6022
_INVALID_SEQUENCE = 6023
_LIMIT_DIRECTION = 6034
_ZERO_AMOUNT = 6035
_ARRAYS_END = 6038
_TRANSFER_FEE = 6052
_PARTIAL_FILL = 6057
_NOT_ENABLED = 6064

_PROTOCOL_SHARE_OF = 10_000
_SCALE = 10_000
_CONTROL_OF = 100_000
_FEE_LIMIT = 100_000
_REFERENCE_AGE = 3_600


class VenueDataError(ValueError):
    """Account bytes are not what they should be; the text has the offset."""


class Exhausted(Exception):
    """The known tick arrays end here."""


@dataclass(frozen=True)
class Pool:
    """A decoded pool account. Pairs are (token a, token b)."""

    tick_spacing: int
    fee_tier_index: int
    fee_rate: int
    protocol_fee_rate: int
    liquidity: int
    sqrt_price: int
    tick: int
    fees_owed: tuple[int, int]
    mints: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]


@dataclass(frozen=True)
class TickArray:
    """A decoded tick array: net liquidity of its initialized ticks."""

    pool: Pubkey
    start: int
    net: dict[int, int]


@dataclass(frozen=True)
class Oracle:
    """The adaptive fee's constants and variables."""

    pool: Pubkey
    trade_enable: int
    filter_period: int
    decay_period: int
    reduction_factor: int
    control_factor: int
    accumulator_max: int
    group_size: int
    major_swap_ticks: int
    reference_update: int
    major_swap: int
    reference: int
    group_reference: int
    accumulator: int


def decode_pool(data: bytes) -> Pool:
    """The pool in an account's bytes.

    Raises:
        VenueDataError: it is none, or price and tick do not fit.
    """
    _check(data, POOL_BYTES, POOL_DISCRIMINATOR, "whirlpool")
    spacing, tier, fee, protocol = struct.unpack_from("<4H", data, 41)
    if not spacing:
        raise VenueDataError("whirlpool: tick spacing 0 at offset 41")
    if fee > 60_000 or protocol > 2_500:
        raise VenueDataError(f"whirlpool: fees {fee} at offset 45, {protocol} at offset 47")
    sqrt_price, tick = _u128(data, 65), struct.unpack_from("<i", data, 81)[0]
    if not SQRT_PRICE_MIN <= sqrt_price <= SQRT_PRICE_MAX_ORCA:
        raise VenueDataError("whirlpool: price out of range at offset 65")
    real = tick_at(sqrt_price, orca_sqrt_price)
    if tick != real and not (tick == real - 1 and orca_sqrt_price(real) == sqrt_price):
        raise VenueDataError(f"whirlpool: tick {tick} at offset 81, but the price's is {real}")
    mints, vaults = (_key(data, 101), _key(data, 181)), (_key(data, 133), _key(data, 213))
    if mints[0] == mints[1] or vaults[0] == vaults[1]:
        raise VenueDataError("whirlpool: both sides are the same at offset 101")
    owed = struct.unpack_from("<QQ", data, 85)
    return Pool(spacing, tier, fee, protocol, _u128(data, 49), sqrt_price, tick, (owed[0], owed[1]), mints, vaults)


def decode_array(data: bytes, tick_spacing: int) -> TickArray:
    """A tick array of either kind: fixed, or dynamic (only initialized ticks have bytes)."""
    dynamic = data[:8] == DYNAMIC_DISCRIMINATOR
    if not dynamic:
        _check(data, ARRAY_BYTES, ARRAY_DISCRIMINATOR, "whirlpool tick array")
    elif not 148 <= len(data) <= 10_004:
        raise VenueDataError(f"whirlpool tick array: {len(data)} bytes")
    start = struct.unpack_from("<i", data, 8)[0]
    span = ARRAY_TICKS * tick_spacing
    if start % span or not TICK_MIN - span < start <= TICK_MAX:
        raise VenueDataError(f"whirlpool tick array: start tick {start} at offset 8")
    bitmap = _u128(data, 44) if dynamic else 0
    if bitmap >> ARRAY_TICKS:
        raise VenueDataError("whirlpool tick array: bitmap at offset 44 is too long")
    net: dict[int, int] = {}
    at = 60 if dynamic else 12
    for i in range(ARRAY_TICKS):
        flag = data[at] if at < len(data) else 2
        if flag > 1 or (dynamic and flag != bitmap >> i & 1):
            raise VenueDataError(f"whirlpool tick array: offset {at} does not say if tick {i} is initialized")
        if flag:
            tick = start + i * tick_spacing
            if at + 113 > len(data):
                raise VenueDataError(f"whirlpool tick array: tick at offset {at} leaves its {len(data)} bytes")
            amount = int.from_bytes(data[at + 1 : at + 17], "little", signed=True)
            gross = _u128(data, at + 17)
            if abs(amount) > gross or not gross:
                raise VenueDataError(f"whirlpool tick array: liquidity at offset {at + 1} is inconsistent")
            if not TICK_MIN <= tick <= TICK_MAX:
                raise VenueDataError(f"whirlpool tick array: tick {tick} at offset {at} is out of range")
            net[tick] = amount
        at += 1 if dynamic and not flag else 113
    return TickArray(_key(data, 12 if dynamic else 9956), start, net)


def decode_oracle(data: bytes) -> Oracle:
    """The oracle account of a pool with an adaptive fee."""
    _check(data, ORACLE_BYTES, ORACLE_DISCRIMINATOR, "whirlpool oracle")
    filter_period, decay_period, reduction = struct.unpack_from("<HHH", data, 48)
    control, accumulator_max, group_size, major_ticks = struct.unpack_from("<IIHH", data, 54)
    update, major, reference, group, accumulator = struct.unpack_from("<QQIiI", data, 82)
    oracle = Oracle(
        pool=_key(data, 8),
        trade_enable=struct.unpack_from("<Q", data, 40)[0],
        filter_period=filter_period,
        decay_period=decay_period,
        reduction_factor=reduction,
        control_factor=control,
        accumulator_max=accumulator_max,
        group_size=group_size,
        major_swap_ticks=major_ticks,
        reference_update=update,
        major_swap=major,
        reference=reference,
        group_reference=group,
        accumulator=accumulator,
    )
    if not oracle.group_size:
        raise VenueDataError("whirlpool oracle: group of 0 ticks at offset 62")
    if (
        not oracle.filter_period
        or oracle.decay_period <= oracle.filter_period
        or oracle.reduction_factor >= 10_000
        or oracle.control_factor >= _CONTROL_OF
        or oracle.accumulator_max * oracle.group_size >= 1 << 32
    ):
        raise VenueDataError("whirlpool oracle: fee constants at offset 48")
    if max(reference, accumulator) > oracle.accumulator_max or not 2 * TICK_MIN <= group <= 2 * TICK_MAX:
        raise VenueDataError("whirlpool oracle: fee variables at offset 98")
    return oracle


def _check(data: bytes, length: int, discriminator: bytes, what: str) -> None:
    if len(data) != length:
        raise VenueDataError(f"{what}: {len(data)} bytes, not {length}")
    if data[:8] != discriminator:
        raise VenueDataError(f"{what}: discriminator {data[:8].hex()} at offset 0")


def _key(data: bytes, offset: int) -> Pubkey:
    return Pubkey.from_bytes(data[offset : offset + 32])


def _u128(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 16], "little")


def array_starts(tick_spacing: int, tick: int, a_to_b: bool) -> list[int]:
    """Start ticks of the arrays a swap goes through, in order."""
    span = ARRAY_TICKS * tick_spacing
    base = tick // span
    if a_to_b:
        numbers = [base, base - 1, base - 2]
    else:
        base += tick + tick_spacing >= (base + 1) * span
        numbers = [base, base + 1, base + 2]
    return [n * span for n in numbers if (n + 1) * span > TICK_MIN and n * span < TICK_MAX]


@dataclass(frozen=True)
class State:
    """All that prices a pool. An array in `arrays` without ticks may as well not exist on chain."""

    tick_spacing: int
    fee_rate: int
    protocol_fee_rate: int
    liquidity: int
    sqrt_price: int
    tick: int
    arrays: dict[int, dict[int, int]] = field(default_factory=dict)
    """Net liquidity by tick, by start tick of the array."""
    adaptive: bool = False
    oracle: Oracle | None = None
    transfer_fees: tuple[TransferFee, TransferFee] = (NO_FEE, NO_FEE)

    @classmethod
    def of(cls, pool: Pool, arrays: dict[int, dict[int, int]], oracle: Oracle | None = None) -> State:
        return cls(
            pool.tick_spacing,
            pool.fee_rate,
            pool.protocol_fee_rate,
            pool.liquidity,
            pool.sqrt_price,
            pool.tick,
            arrays,
            pool.fee_tier_index != pool.tick_spacing,
            oracle,
        )

    def quote_in(self, a_to_b: bool, amount: int, now: int = 0, limit: int = 0) -> Quote:
        """Swap of exactly `amount` of the input; `limit` is a square-root price, 0 none."""
        fee_in, fee_out = self._transfer_fees(a_to_b)
        swapped = amount - fee_in.of(amount)
        quote = self._run(a_to_b, True, swapped, now, limit)
        if quote.status == "refused":
            return quote
        if quote.amount_in == swapped:
            return quote._replace(amount_in=amount, amount_out=quote.amount_out - fee_out.of(quote.amount_out))
        return self._paid(quote, fee_in, fee_out)

    @staticmethod
    def _paid(quote: Quote, fee_in: TransferFee, fee_out: TransferFee) -> Quote:
        """With transfer fees. What a swap got to when the ticks ended may be an amount that cannot be sent."""
        paid = fee_in.before(quote.amount_in)
        if paid is None and quote.status != "exhausted":
            return Quote(0, 0, "refused", _TRANSFER_FEE)
        paid = quote.amount_in if paid is None else paid
        return quote._replace(amount_in=paid, amount_out=quote.amount_out - fee_out.of(quote.amount_out))

    def quote_out(self, a_to_b: bool, amount: int, now: int = 0, limit: int = 0) -> Quote:
        """Swap for exactly `amount` of the output."""
        fee_in, fee_out = self._transfer_fees(a_to_b)
        swapped = fee_out.before(amount)
        refusal = self._disabled(now)
        if refusal is not None:
            return Quote(0, 0, "refused", refusal)
        if swapped is None:
            return Quote(0, 0, "refused", _TRANSFER_FEE)
        quote = self._run(a_to_b, False, swapped, now, limit)
        if quote.status == "refused":
            return quote
        if not limit and quote.status == "ok" and quote.amount_out != swapped:
            return Quote(0, 0, "refused", _PARTIAL_FILL)
        return self._paid(quote, fee_in, fee_out)

    def _transfer_fees(self, a_to_b: bool) -> tuple[TransferFee, TransferFee]:
        a, b = self.transfer_fees
        return (a, b) if a_to_b else (b, a)

    def _disabled(self, now: int) -> int | None:
        if not self.adaptive:
            return None
        if self.oracle is None:
            return 0
        return _NOT_ENABLED if now < self.oracle.trade_enable else None

    def _run(self, a_to_b: bool, exact_in: bool, amount: int, now: int, limit: int) -> Quote:
        refusal = self._disabled(now)
        if refusal is not None:
            return Quote(0, 0, "refused", refusal)
        swap = _Swap(self, a_to_b, exact_in, amount)
        status, error = "ok", 0
        try:
            swap.run(limit, now)
        except Exhausted:
            status, error = "exhausted", _ARRAYS_END
        except Refused as reason:
            status, error = "refused", reason.code
        return swap.quote(status, error)


class _Swap:
    """The program's loop."""

    def __init__(self, state: State, a_to_b: bool, exact_in: bool, amount: int) -> None:
        self.state, self.a_to_b, self.exact_in, self.amount = state, a_to_b, exact_in, amount
        self.left, self.calculated, self.fee, self.protocol_fee, self.crossed = amount, 0, 0, 0, 0
        self.price, self.tick, self.liquidity = state.sqrt_price, state.tick, state.liquidity
        self.span = ARRAY_TICKS * state.tick_spacing
        self.starts = array_starts(state.tick_spacing, state.tick, a_to_b)
        known = 0
        while known < len(self.starts) and self.starts[known] in state.arrays:
            known += 1
        self.complete = known == len(self.starts)
        self.sequence = self.starts[:known]
        self.place = 0

    def run(self, limit: int, now: int) -> None:
        price_limit = limit or (SQRT_PRICE_MIN if self.a_to_b else SQRT_PRICE_MAX_ORCA)
        if not SQRT_PRICE_MIN <= price_limit <= SQRT_PRICE_MAX_ORCA:
            raise Refused(_PRICE_OUT_OF_BOUNDS)
        if price_limit > self.price if self.a_to_b else price_limit < self.price:
            raise Refused(_LIMIT_DIRECTION)
        if not self.amount:
            raise Refused(_ZERO_AMOUNT)
        fees = _Fees(self.state, self.a_to_b, now)
        while self.left and self.price != price_limit:
            next_tick = self.next_tick()
            next_price = orca_sqrt_price(next_tick)
            target = max(price_limit, next_price) if self.a_to_b else min(price_limit, next_price)
            while True:
                fees.accumulate()
                bound, skipped = fees.bound(target, self.liquidity)
                self.step(bound, fees.rate(), next_tick, next_price)
                fees.advance(skipped, self.price, next_price, next_tick)
                if not self.left or self.price == target:
                    break

    def next_tick(self) -> int:
        """The next initialized tick in the arrays, or the tick where they end."""
        if not self.starts:
            raise Refused(_INVALID_SEQUENCE)
        while True:
            if self.place >= len(self.sequence):
                raise Refused(_ARRAYS_END) if self.complete else Exhausted
            start = self.sequence[self.place]
            ticks = self.state.arrays[start]
            found = [tick for tick in ticks if (tick <= self.tick if self.a_to_b else tick > self.tick)]
            if found:
                return max(found) if self.a_to_b else min(found)
            if self.a_to_b and start <= TICK_MIN:
                return TICK_MIN
            if not self.a_to_b and start + self.span > TICK_MAX:
                return TICK_MAX
            if self.place + 1 == len(self.sequence):
                return start if self.a_to_b else start + self.span - 1
            self.place += 1

    def step(self, bound: int, fee_rate: int, next_tick: int, next_price: int) -> None:
        done = step(
            liquidity=self.liquidity,
            price=self.price,
            target=bound,
            left=self.left,
            fee_rate=fee_rate,
            a_to_b=self.a_to_b,
            exact_in=self.exact_in,
            orca=True,
        )
        self.left -= done.amount_in + done.fee if self.exact_in else done.amount_out
        self.calculated += done.amount_out if self.exact_in else done.amount_in + done.fee
        if self.calculated >= U64:
            raise Refused
        self.fee += done.fee
        self.protocol_fee += done.fee * self.state.protocol_fee_rate // _PROTOCOL_SHARE_OF
        if done.sqrt_price == next_price:
            start = self.sequence[self.place]
            if next_tick in self.state.arrays[start]:
                net = self.state.arrays[start][next_tick]
                self.liquidity += -net if self.a_to_b else net
                self.crossed += 1
                if not 0 <= self.liquidity < 1 << 128:
                    raise Refused
            offset = (next_tick - start) // self.state.tick_spacing
            self.place += offset == (0 if self.a_to_b else ARRAY_TICKS - 1)
            self.tick = next_tick - 1 if self.a_to_b else next_tick
        elif done.sqrt_price != self.price:
            self.tick = tick_at(done.sqrt_price, orca_sqrt_price)
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
            protocol_fee=self.protocol_fee,
            sqrt_price=self.price,
            liquidity=self.liquidity,
            tick=self.tick,
            crossed=self.crossed,
        )


class _Fees:
    """The fee rate while the price moves: constant, or adaptive by groups of ticks."""

    def __init__(self, state: State, a_to_b: bool, now: int) -> None:
        self.fee_rate, self.a_to_b = state.fee_rate, a_to_b
        self.oracle = state.oracle if state.adaptive else None
        if self.oracle is None:
            return
        oracle = self.oracle
        self.size = oracle.group_size
        self.group = state.tick // self.size
        last = max(oracle.reference_update, oracle.major_swap)
        if now < last:
            raise Refused(_INVALID_TIMESTAMP)
        if now - oracle.reference_update > _REFERENCE_AGE or now - last >= oracle.decay_period:
            oracle = replace(oracle, group_reference=self.group, reference=0)
        elif now - last >= oracle.filter_period:
            decayed = oracle.accumulator * oracle.reduction_factor // 10_000
            oracle = replace(oracle, group_reference=self.group, reference=decayed)
        self.oracle = oracle
        self.accumulator = oracle.accumulator
        reach = ceil_div(oracle.accumulator_max - oracle.reference, _SCALE)
        self.core = (oracle.group_reference - reach, oracle.group_reference + reach)
        low, high = self.core[0] * self.size, (self.core[1] + 1) * self.size
        self.core_low = orca_sqrt_price(low) if TICK_MIN < low < TICK_MAX else None
        self.core_high = orca_sqrt_price(high) if TICK_MIN < high < TICK_MAX else None

    def accumulate(self) -> None:
        if self.oracle is not None:
            moved = abs(self.oracle.group_reference - self.group) * _SCALE
            self.accumulator = min(self.oracle.reference + moved, self.oracle.accumulator_max)

    def rate(self) -> int:
        if self.oracle is None:
            return self.fee_rate
        crossed = self.accumulator * self.size
        added = ceil_div(self.oracle.control_factor * crossed * crossed, _CONTROL_OF * _SCALE * _SCALE)
        return min(self.fee_rate + added, _FEE_LIMIT)

    def bound(self, target: int, liquidity: int) -> tuple[int, bool]:
        """The price up to which the rate holds, and whether groups may be skipped on the way."""
        if self.oracle is None:
            return target, False
        if not self.oracle.control_factor or not liquidity:
            return target, True
        if self.core_low is not None and self.group < self.core[0]:
            return (target if self.a_to_b else min(target, self.core_low)), True
        if self.core_high is not None and self.group > self.core[1]:
            return (max(target, self.core_high) if self.a_to_b else target), True
        edge = self.group * self.size + (0 if self.a_to_b else self.size)
        price = orca_sqrt_price(max(TICK_MIN, min(TICK_MAX, edge)))
        return (max(target, price) if self.a_to_b else min(target, price)), False

    def advance(self, skipped: bool, price: int, next_price: int, next_tick: int) -> None:
        if self.oracle is None:
            return
        if skipped:
            tick = next_tick if price == next_price else tick_at(price, orca_sqrt_price)
            on_edge = tick % self.size == 0 and price == (next_price if price == next_price else orca_sqrt_price(tick))
            passed = tick // self.size - (1 if on_edge and not self.a_to_b else 0)
            if passed < self.group if self.a_to_b else passed > self.group:
                self.group = passed
                self.accumulate()
        self.group += -1 if self.a_to_b else 1
