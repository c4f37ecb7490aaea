"""Meteora DAMM v2 (cp-amm): a plain reference of what a pool account says and what its swaps give.

Written in unbounded integers from the program's published rules (MeteoraAg/damm-v2, as of 0.2): a range of constant
liquidity or, for compounding pools, two reserves; base fee schedules, the rate limiter, the volatility fee. The C core
(`csrc/dex/meteora_damm_v2.c`) is tested against it. Amounts are base units, rates are per 10^9, prices are square
roots in Q64.64 of token b per token a.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isqrt
from typing import NamedTuple

from solders.pubkey import Pubkey

from sniperforge.venues.quote import Quote

PROGRAM = Pubkey.from_string("cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG")
AUTHORITY = Pubkey.find_program_address([b"pool_authority"], PROGRAM)[0]
EVENT_AUTHORITY = Pubkey.find_program_address([b"__event_authority"], PROGRAM)[0]

POOL_BYTES = 1112
POOL_DISCRIMINATOR = bytes.fromhex("f19a6d0411b16dbc")
SQRT_MIN = 4295048016
SQRT_MAX = 79226673521066979257578248091

LINEAR, EXPONENTIAL, LIMITER, PRICE_LINEAR, PRICE_EXPONENTIAL = range(5)
BOTH, ONLY_B, COMPOUNDING = range(3)

_Run = Callable[[], Quote]
_Number = Callable[[int, int], int]
_Need = Callable[[bool, int], None]

U64 = 1 << 64
Q64 = 1 << 64
Q128 = 1 << 128
BPS = 10_000
RATE = 10**9
RATE_BPS = RATE // BPS

OVERFLOW, DISABLED, ZERO, CAST, RANGE, UNDETERMINED = 6000, 6003, 6006, 6007, 6015, 6051
"""The program's custom errors."""


class VenueDataError(ValueError):
    """Account bytes are not what they should be; the text has the offset."""


class Refused(Exception):
    """The program fails; the argument is its custom error, 0 if it has none."""

    def __init__(self, error: int = OVERFLOW) -> None:
        super().__init__(error)
        self.error = error


class TransferFee(NamedTuple):
    """What a Token-2022 mint withholds: `bps` of what is sent, rounded up, at most `maximum`."""

    maximum: int = 0
    bps: int = 0

    def arrives(self, sent: int) -> int:
        """What is left of `sent`."""
        return sent - min(_up(sent * self.bps, BPS), self.maximum)

    def sent(self, arrives: int) -> int:
        """What to send, by the program's inverse; it fails where that is not exact."""
        if not arrives or not self.bps:
            return arrives
        if self.bps == BPS:
            fee = self.maximum
        else:
            gross = min(_up(arrives * BPS, BPS - self.bps), arrives + self.maximum)
            if gross >= U64:
                raise Refused
            fee = gross - self.arrives(gross)
        if arrives + fee >= U64 or self.arrives(arrives + fee) != arrives:
            raise Refused
        return arrives + fee


@dataclass(frozen=True)
class BaseFee:
    """The base rate. Meaning of the factors by mode, as in the account."""

    mode: int
    cliff: int
    count: int
    period: int
    reduction: int
    duration: int = 0
    limit: int = 0

    def after(self, periods: int) -> int:
        """The rate after that many periods of a schedule."""
        periods = min(periods, self.count)
        if self.mode in (LINEAR, PRICE_LINEAR):
            if self.reduction * periods > self.cliff:
                raise Refused
            return self.cliff - self.reduction * periods
        if not self.reduction:
            return self.cliff
        base = Q64 - self.reduction * Q64 // BPS
        if base < 0:
            raise Refused
        power = Q64
        for bit in range(16):
            if periods >> bit & 1:
                power = power * base >> 64
            base = base * base >> 64
        if not power:
            raise Refused
        return _up(power * self.cliff, Q64)


@dataclass(frozen=True)
class Volatility:
    """Parameters and state of the variable rate."""

    most: int
    control: int
    step: int
    filter_seconds: int
    decay_seconds: int
    keep: int
    updated: int
    bin_step: int
    reference: int
    accumulator: int
    carried: int

    def rate(self) -> int:
        """What it adds to the rate of the next swap."""
        rate = _up((self.accumulator * self.step) ** 2 * self.control, 10**11)
        if rate >= U64:
            raise Refused(CAST)
        return rate

    def before(self, price: int, now: int) -> Volatility:
        """As it is when a swap at `now` begins at `price`."""
        elapsed = max(0, now - self.updated)
        if elapsed < self.filter_seconds:
            return self
        carried = self.accumulator * self.keep // BPS if elapsed < self.decay_seconds else 0
        return replace(self, reference=price, carried=carried)

    def moved(self, one: int, other: int) -> int:
        """Twice the steps between two prices."""
        low, high = sorted((one, other))
        if not low or high * Q64 // low >= Q128:
            raise Refused
        return (high * Q64 // low - Q64) // self.bin_step * 2

    def after(self, start: int, end: int, now: int) -> Volatility:
        """As it is when a swap at `now` from `start` has come to `end`."""
        seen = self.before(start, now)
        accumulator = min(seen.carried + self.moved(end, seen.reference) * BPS, self.most)
        updated = now if self.moved(start, end) else self.updated
        return replace(seen, accumulator=accumulator, updated=updated)


class Leg(NamedTuple):
    """A swap on the curve, fees not counted."""

    given: int
    taken: int
    price: int
    left: int = 0


@dataclass(frozen=True)
class State:
    """A decoded pool, and what prices it besides. Pairs are (a, b)."""

    mints: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    liquidity: int
    price: int
    bounds: tuple[int, int]
    start_price: int
    reserves: tuple[int, int]
    base: BaseFee
    volatility: Volatility | None
    most_rate: int
    protocol_percent: int
    referral_percent: int
    compounding_bps: int
    activation: int
    by_time: bool
    disabled: bool
    collect: int
    token_2022: tuple[bool, bool]
    transfer_fees: tuple[TransferFee, TransferFee] = (TransferFee(), TransferFee())
    slot: int = U64 - 1
    referral: bool = False

    def quote_in(self, a_to_b: bool, amount: int, now: int) -> Quote:
        """What comes out for `amount` at unix second `now`."""
        return self._answer(lambda: self._exact_in(a_to_b, amount, now))

    def quote_out(self, a_to_b: bool, amount: int, now: int) -> Quote:
        """What has to go in for `amount` to come out."""
        return self._answer(lambda: self._exact_out(a_to_b, amount, now))

    def quote_partial(self, a_to_b: bool, amount: int, now: int) -> Quote:
        """As `quote_in`, but the swap ends where the range does."""
        return self._answer(lambda: self._partial(a_to_b, amount, now))

    def after(self, quote: Quote, now: int) -> State:
        """The pool after the swap of `quote`."""
        moved = self.volatility and self.volatility.after(self.price, quote.sqrt_price, now)
        return replace(
            self, price=quote.sqrt_price, reserves=(quote.reserve_a, quote.reserve_b), volatility=moved or None
        )

    # -- the three modes

    @staticmethod
    def _answer(run: _Run) -> Quote:
        try:
            return run()
        except Refused as refused:
            return Quote(0, 0, "refused", refused.error, fee_in_input=False)

    def _exact_in(self, a_to_b: bool, amount: int, now: int) -> Quote:
        point, fee_in, fee_out = self._open(a_to_b, now)
        net = fee_in.arrives(amount)
        if not net:
            raise Refused(ZERO)
        rate = self._rate(a_to_b, point, net, None)
        fee = _up(net * rate, RATE) if self._on_input(a_to_b) else 0
        leg = self._give(a_to_b, net - fee)
        if not self._on_input(a_to_b):
            fee = _up(leg.taken * rate, RATE)
        out = leg.taken - (0 if self._on_input(a_to_b) else fee)
        return self._close(a_to_b, leg, fee, now, amount, fee_out.arrives(out))

    def _partial(self, a_to_b: bool, amount: int, now: int) -> Quote:
        point, fee_in, fee_out = self._open(a_to_b, now)
        net = fee_in.arrives(amount)
        if not net:
            raise Refused(ZERO)
        rate = self._rate(a_to_b, point, net, None)
        on_input = self._on_input(a_to_b)
        fee = _up(net * rate, RATE) if on_input else 0
        leg = self._give_partly(a_to_b, net - fee)
        paid = net
        if leg.left:
            paid = leg.given
            if on_input:
                paid = _gross(leg.given, self._rate(a_to_b, point, None, leg.given))
                fee = paid - leg.given
        if not on_input:
            fee = _up(leg.taken * rate, RATE)
        out = leg.taken - (0 if on_input else fee)
        return self._close(a_to_b, leg, fee, now, fee_in.sent(paid), fee_out.arrives(out))

    def _exact_out(self, a_to_b: bool, amount: int, now: int) -> Quote:
        point, fee_in, fee_out = self._open(a_to_b, now)
        if not amount:
            raise Refused(ZERO)
        gross = fee_out.sent(amount)
        if self._on_input(a_to_b):
            leg = self._take(a_to_b, gross)
            paid = _gross(leg.given, self._rate(a_to_b, point, None, leg.given))
            fee = paid - leg.given
        else:
            taken = _gross(gross, self._rate(a_to_b, point, None, gross))
            leg = self._take(a_to_b, taken)
            paid, fee = leg.given, taken - gross
        return self._close(a_to_b, leg, fee, now, fee_in.sent(paid), amount)

    def _open(self, a_to_b: bool, now: int) -> tuple[int, TransferFee, TransferFee]:
        point = now if self.by_time else self.slot
        if self.disabled or point < self.activation:
            raise Refused(DISABLED)
        a, b = self.transfer_fees
        return (point, a, b) if a_to_b else (point, b, a)

    def _close(self, a_to_b: bool, leg: Leg, fee: int, now: int, paid: int, received: int) -> Quote:
        protocol = fee * self.protocol_percent // 100
        referral = protocol * self.referral_percent // 100 if self.referral else 0
        kept = (fee - protocol) * self.compounding_bps // BPS
        if not self.liquidity:
            raise Refused
        a, b = self.reserves
        a, b = (a + leg.given, b - leg.taken) if a_to_b else (a - leg.taken, b + leg.given)
        b_kept = b + kept
        if min(a, b) < 0 or max(a, b, b_kept) >= U64:
            raise Refused
        price = leg.price
        if self.collect == COMPOUNDING:
            if not a:
                raise Refused
            price = isqrt(b_kept * Q128 // a)
        if self.volatility:
            self.volatility.after(self.price, price, now)
        return Quote(
            paid,
            received,
            fee=fee,
            protocol_fee=protocol - referral,
            creator_fee=referral,
            fee_in_input=self._on_input(a_to_b),
            reserve_a=a,
            reserve_b=b_kept,
            sqrt_price=price,
            liquidity=self.liquidity,
        )

    # -- the rate

    def _on_input(self, a_to_b: bool) -> bool:
        return self.collect != BOTH and not a_to_b

    def _rate(self, a_to_b: bool, point: int, amount: int | None, left: int | None) -> int:
        """The rate on `amount`, or on that of which `left` is left."""
        rate = self._base_rate(a_to_b, point, amount, left) + (self.volatility.rate() if self.volatility else 0)
        if rate >= U64:
            raise Refused(CAST)
        return min(rate, self.most_rate)

    def _base_rate(self, a_to_b: bool, point: int, amount: int | None, left: int | None) -> int:
        base = self.base
        if base.mode in (LINEAR, EXPONENTIAL):
            return base.after((point - self.activation) // base.period) if base.period else base.cliff
        if base.mode == LIMITER:
            if not base.period or a_to_b or point > self.activation + base.duration:
                return base.cliff
            limiter = Limiter(base.cliff, base.count * RATE_BPS, base.period, base.limit * RATE_BPS)
            return limiter.rate(amount) if amount is not None else limiter.rate_before(left or 0)
        if self.activation + base.duration >= U64:
            raise Refused
        if point > self.activation + base.duration:
            return base.after(base.count)
        if self.price <= self.start_price:
            return base.after(0)
        if not self.start_price:
            raise Refused
        return base.after((self.price - self.start_price) * BPS // self.start_price // base.period)

    # -- the curve

    def _between(self, token: int, low: int, high: int, up: bool) -> int:
        """The amount of token 0 (a) or 1 (b) that lies between two prices."""
        top, bottom = (self.liquidity * (high - low), low * high if token == 0 else Q128)
        amount = _up(top, bottom) if up else top // bottom
        if amount >= U64:
            raise Refused
        return amount

    def _price_given(self, a_to_b: bool, given: int) -> int:
        if not self.liquidity:
            raise Refused(0)
        if a_to_b:
            return _up(self.liquidity * self.price, self.liquidity + given * self.price) if given else self.price
        price = self.price + given * Q128 // self.liquidity
        if price >= Q128:
            raise Refused(CAST)
        return price

    def _give(self, a_to_b: bool, given: int) -> Leg:
        if self.collect == COMPOUNDING:
            x, y = self.reserves if a_to_b else self.reserves[::-1]
            if x + given >= U64 or not x + given:
                raise Refused
            return Leg(given, y * given // (x + given), self.price)
        price = self._price_given(a_to_b, given)
        if not self.bounds[0] <= price <= self.bounds[1]:
            raise Refused(RANGE)
        low, high = sorted((price, self.price))
        return Leg(given, self._between(1 if a_to_b else 0, low, high, up=False), price)

    def _give_partly(self, a_to_b: bool, given: int) -> Leg:
        if self.collect == COMPOUNDING:
            return self._give(a_to_b, given)
        end = self.bounds[0 if a_to_b else 1]
        low, high = sorted((end, self.price))
        room = _up(self.liquidity * (high - low), low * high if a_to_b else Q128)
        price = end if given >= room else self._price_given(a_to_b, given)
        low, high = sorted((price, self.price))
        taken = self._between(1 if a_to_b else 0, low, high, up=False)
        return Leg(min(given, room), taken, price, max(0, given - room))

    def _take(self, a_to_b: bool, taken: int) -> Leg:
        if self.collect == COMPOUNDING:
            x, y = self.reserves if a_to_b else self.reserves[::-1]
            if taken >= y:
                raise Refused
            given = _up(x * taken, y - taken)
            if given >= U64:
                raise Refused(CAST)
            return Leg(given, taken, self.price)
        if not self.liquidity:
            raise Refused(0)
        if a_to_b:
            price = self.price - _up(taken * Q128, self.liquidity)
            if price < 0:
                raise Refused
        else:
            if taken * self.price >= self.liquidity:
                raise Refused
            price = _up(self.liquidity * self.price, self.liquidity - taken * self.price)
            if price >= Q128:
                raise Refused(CAST)
        if not self.bounds[0] <= price <= self.bounds[1]:
            raise Refused(RANGE)
        low, high = sorted((price, self.price))
        return Leg(self._between(0 if a_to_b else 1, low, high, up=True), taken, price)


class Limiter(NamedTuple):
    """A rate that grows by `increment` with each `unit` of the amount, from `cliff` to `most`."""

    cliff: int
    increment: int
    unit: int
    most: int

    def rate(self, amount: int) -> int:
        """The rate of a whole amount."""
        if amount <= self.unit:
            return self.cliff
        steps = (self.most - self.cliff) // self.increment
        whole = min(amount // self.unit, steps + 1)
        # the first `whole` units pay cliff, cliff + increment, ...; the rest pays the next rate, or the highest
        fee = self.unit * (whole * self.cliff + self.increment * (whole * (whole - 1) // 2))
        rest = amount - whole * self.unit
        rate = self.most if whole > steps else self.cliff + whole * self.increment
        return _up(_up(fee + rest * rate, RATE) * RATE, amount)

    def left(self, amount: int) -> int:
        """What is left of an amount."""
        return amount - _up(amount * self.rate(amount), RATE)

    def rate_before(self, left: int) -> int:
        """The rate of the amount of which `left` is left, the way the program solves for it."""
        if left <= self.left(self.unit):
            return self.cliff
        edge = ((self.most - self.cliff) // self.increment + 1) * self.unit
        limit = min(edge, U64 - 1)
        at_limit = self.left(limit)
        if left == at_limit:
            return self.rate(limit)
        if left > at_limit:
            if edge > limit:
                raise Refused
            amount = limit + _gross(left - at_limit, self.most)
            if amount >= U64:
                raise Refused
        else:
            linear = self.unit * (2 * RATE + self.increment - 2 * self.cliff)
            inside = linear**2 - 4 * self.increment * 2 * left * RATE * self.unit
            if inside < 0:
                raise Refused
            whole = (linear - isqrt(inside)) // (2 * self.increment)
            if whole >= U64:
                raise Refused(CAST)
            rest = left - self.left(whole)
            if rest < 0:
                raise Refused
            amount = whole + _gross(rest, self.cliff + self.increment * (whole // self.unit))
            if amount >= U64:
                raise Refused(CAST)
        if amount < left:
            raise Refused
        rate = _up((amount - left) * RATE, amount)
        if rate < self.cliff:
            raise Refused(UNDETERMINED)
        return rate


def _up(top: int, bottom: int) -> int:
    return -(-top // bottom)


def _gross(left: int, rate: int) -> int:
    """The least amount of which `left` is left after a fee."""
    if rate >= RATE:
        raise Refused
    gross = _up(left * RATE, RATE - rate)
    if gross >= U64:
        raise Refused(CAST)
    return gross


def decode_pool(data: bytes) -> State:
    """The pool in an account's bytes.

    Raises:
        VenueDataError: it is none, it has an unknown mode, or numbers that the program never lets stand together.
    """
    if len(data) != POOL_BYTES:
        raise VenueDataError(f"meteora damm v2 pool: {len(data)} bytes, not {POOL_BYTES}")

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little")

    def need(holds: bool, at: int) -> None:
        if not holds:
            raise VenueDataError(f"meteora damm v2 pool: {data[at : at + 16].hex()}... at offset {at}")

    need(data[:8] == POOL_DISCRIMINATOR, 0)
    for at, most in (
        (16, 4),
        (48, 100),
        (50, 100),
        (480, 1),
        (481, 1),
        (482, 1),
        (483, 1),
        (484, 2),
        (486, 1),
        (696, 1),
    ):
        need(data[at] <= most, at)
    need(number(54, 2) <= BPS, 54)
    state = State(
        mints=(Pubkey.from_bytes(data[168:200]), Pubkey.from_bytes(data[200:232])),
        vaults=(Pubkey.from_bytes(data[232:264]), Pubkey.from_bytes(data[264:296])),
        liquidity=number(360, 16),
        price=number(456, 16),
        bounds=(number(424, 16), number(440, 16)),
        start_price=number(152, 16),
        reserves=(number(680, 8), number(688, 8)),
        base=_decode_base(number, need),
        volatility=_decode_volatility(number, need) if data[56] else None,
        most_rate=(9900 if data[486] else 5000) * RATE_BPS,
        protocol_percent=data[48],
        referral_percent=data[50],
        compounding_bps=number(54, 2),
        activation=number(472, 8),
        by_time=data[480] == 1,
        disabled=data[481] == 1,
        collect=data[484],
        token_2022=(data[482] == 1, data[483] == 1),
    )
    need(state.price < 1 << 112, 456)
    if state.collect == COMPOUNDING:
        return state
    low, high = state.bounds
    need(SQRT_MIN <= low < high, 424)
    need(high <= SQRT_MAX, 440)
    need(low <= state.price <= high, 456)
    if data[696]:
        return state
    try:
        a = state._between(0, state.price, high, up=True)
        return replace(state, reserves=(a, state._between(1, low, state.price, up=True)))
    except Refused:
        raise VenueDataError("meteora damm v2 pool: liquidity at offset 360 needs too large reserves") from None


def _decode_base(number: _Number, need: _Need) -> BaseFee:
    mode, cliff, count = number(16, 1), number(8, 8), number(22, 2)
    need(cliff <= RATE, 8)
    if mode == LIMITER:
        base = BaseFee(mode, cliff, count, number(32, 8), 0, number(24, 4), number(28, 4))
        parts = (base.count, base.period, base.duration, base.limit)
        need(all(parts) or not any(parts), 22)
        need(base.limit <= 9900 and (not base.limit or cliff <= base.limit * RATE_BPS), 28)
        need(count < BPS, 22)
        return base
    if mode in (LINEAR, EXPONENTIAL):
        base = BaseFee(mode, cliff, count, number(24, 8), number(32, 8))
    else:
        base = BaseFee(mode, cliff, count, number(24, 4), number(32, 8), number(28, 4))
        need(base.period > 0, 24)
    if base.period:
        try:
            base.after(count)
        except Refused:
            need(False, 32)
    return base


def _decode_volatility(number: _Number, need: _Need) -> Volatility:
    found = Volatility(
        most=number(64, 4),
        control=number(68, 4),
        step=number(72, 2),
        filter_seconds=number(74, 2),
        decay_seconds=number(76, 2),
        keep=number(78, 2),
        updated=number(80, 8),
        bin_step=number(88, 16),
        reference=number(104, 16),
        accumulator=number(120, 16),
        carried=number(136, 16),
    )
    need(found.bin_step >= 1 << 16, 88)
    need(found.reference < 1 << 112, 104)
    need(found.accumulator <= found.most, 120)
    need(found.carried < 1 << 48, 136)
    need((found.accumulator * found.step) ** 2 * found.control + 10**11 - 1 < Q128, 120)
    try:
        found.rate()
    except Refused:
        need(False, 120)
    return found
