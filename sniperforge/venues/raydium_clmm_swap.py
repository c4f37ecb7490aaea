"""The swap loop of Raydium CLMM's program, in plain integers (raydium-io/raydium-clmm: `instructions/swap.rs`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sniperforge.venues.quote import Quote
from sniperforge.venues.ticks import (
    PPM,
    Q64,
    SQRT_PRICE_MAX_RAYDIUM,
    SQRT_PRICE_MIN,
    TICK_MAX,
    TICK_MIN,
    U64,
    Refused,
    Step,
    ceil_div,
    raydium_sqrt_price,
    step,
    tick_at,
)

if TYPE_CHECKING:
    from sniperforge.venues.raydium_clmm import State

ARRAY_TICKS = 60
OWN_ARRAYS = 512
SWAP_DISABLED = 16
"""Bit of a pool's status."""

NOT_EQUAL = 2501
_NOT_GREATER = 2505
_LESS = 2506
_NOT_APPROVED = 6001
_LIMIT = 6013
_LIQUIDITY = 6019
_ZERO = 6024
SMALL = 6026
ARRAYS = 6027
_DIRECTION = 6041
TRANSFER_FEE = 6044

_SCALE = 10_000
REDUCTION_OF = 10_000
CONTROL_OF = 100_000
_FEE_LIMIT = 100_000
_STEPS = 4096
"""More than a transaction can pay for."""


class Exhausted(Exception):
    """The next array of the bitmap is not known."""


class Swap:
    """The program's loop."""

    def __init__(self, state: State, a_to_b: bool, exact_in: bool, amount: int) -> None:
        self.state, self.a_to_b, self.exact_in, self.amount = state, a_to_b, exact_in, amount
        self.left, self.calculated, self.fee, self.kept = amount, 0, 0, 0
        self.crossed = self.steps = 0
        self.price, self.tick, self.liquidity = state.sqrt_price, state.tick, state.liquidity
        self.span = ARRAY_TICKS * state.tick_spacing
        self.orders = dict(state.orders)
        self.fee_in = state.fee_on == 0 or (state.fee_on == 1) == a_to_b

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
        fees = Fees(self.state, self.a_to_b, now)
        while self.left and self.price != stop:
            while (tick := self.next_tick(array)) is None:
                array = self.next_array(array + (-1 if self.a_to_b else 1), _LIQUIDITY)
            self.go_to(tick, array, stop, fees)

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

    def go_to(self, tick: int, array: int, stop: int, fees: Fees) -> None:
        """Towards the next initialized tick, a spacing at a time while the fee changes."""
        tick_price = raydium_sqrt_price(tick)
        target = max(stop, tick_price) if self.a_to_b else min(stop, tick_price)
        liquidity = self.liquidity
        while True:
            self.steps += 1
            if self.steps > _STEPS:
                raise Refused
            fees.accumulate()
            rate = fees.rate()
            bound, skipped = fees.bound(target, self.liquidity)
            price = self.step(bound, rate) if self.price != bound else bound
            if price == tick_price:
                still = self.orders_at(tick, price, rate, price != stop)
                if not still:
                    liquidity = self.beyond(self.state.arrays[array * self.span][tick])
                self.tick = tick - 1 if self.a_to_b != (still > 0) else tick
            elif price != self.price:
                self.tick = tick_at(price, raydium_sqrt_price)
            self.price = price
            if not self.left or price == target:
                break
            fees.advance(skipped, tick if price == tick_price else self.tick)
        self.liquidity = liquidity

    def orders_at(self, tick: int, price: int, rate: int, further: bool) -> int:
        """What is left of the tick's orders after the swap took of them."""
        waiting = self.orders.get(tick, 0)
        self.match(tick, price, rate)
        still = self.orders.get(tick, 0)
        if self.left and still and (still != waiting or further):
            raise Refused  # the program does not get away from the tick
        return still

    def beyond(self, net: int) -> int:
        """Liquidity beyond a tick with this change."""
        liquidity = self.liquidity + (-net if self.a_to_b else net)
        self.crossed += 1
        if not 0 <= liquidity < 1 << 128:
            raise Refused
        return liquidity

    def step(self, bound: int, rate: int) -> int:
        """One step at constant liquidity; the price after it."""
        if self.fee_in:
            done = self._step(bound, self.left, rate)
            self.take(done.amount_in, done.amount_out, done.fee)
            return done.sqrt_price
        asked = self.left if self.exact_in else ceil_div(self.left * PPM, PPM - rate)
        if asked >= U64:
            raise Refused
        done = self._step(bound, asked, rate)
        fee = ceil_div(done.gross_out * rate, PPM)
        out = done.gross_out - fee
        if not self.exact_in and out > self.left:
            out, fee = self.left, done.gross_out - self.left
        if done.sqrt_price == self.price and not done.amount_in and not out:
            raise Refused  # what is left moves nothing, and the program goes on for ever
        self.take(done.amount_in, out, fee)
        return done.sqrt_price

    def _step(self, bound: int, left: int, rate: int) -> Step:
        done = step(
            liquidity=self.liquidity,
            price=self.price,
            target=bound,
            left=left,
            fee_rate=rate if self.fee_in else 0,
            a_to_b=self.a_to_b,
            exact_in=self.exact_in,
            orca=False,
        )
        if done.sqrt_price < bound if self.a_to_b else done.sqrt_price > bound:
            raise Refused(_LESS)  # the bound lies behind the price, and the amount does not reach back to it
        return done

    def take(self, amount_in: int, amount_out: int, fee: int) -> None:
        paid = amount_in + fee if self.fee_in else amount_in
        self.left -= paid if self.exact_in else amount_out
        self.calculated += amount_out if self.exact_in else paid
        self.fee += fee
        if self.left < 0 or self.calculated >= U64 or paid >= U64 or self.fee >= U64:
            raise Refused
        self.kept += fee * self.state.rates.protocol // PPM + fee * self.state.rates.fund // PPM

    def match(self, tick: int, sqrt_price: int, rate: int) -> None:
        """Limit orders at the tick, filled at its price."""
        waiting = self.orders.get(tick, 0)
        if not self.left or not waiting:
            return
        price = sqrt_price * sqrt_price // Q64 if self.a_to_b else ceil_div(sqrt_price * sqrt_price, Q64)
        if price >= 1 << 128:
            raise Refused
        fee = 0
        if self.exact_in:
            fee = ceil_div(self.left * rate, PPM) if self.fee_in else 0
            amount_in = self.left - fee
            amount_out = amount_in * price // Q64 if self.a_to_b else amount_in * Q64 // price
        else:
            amount_in, amount_out = 0, min(self.left, waiting)
            if not self.fee_in:
                gross = ceil_div(amount_out * PPM, PPM - rate)
                if gross >= U64:
                    raise Refused
                amount_out = min(gross, waiting)
        if not self.exact_in or amount_out > waiting:
            amount_out = min(amount_out, waiting)
            amount_in = ceil_div(amount_out * Q64, price) if self.a_to_b else ceil_div(amount_out * price, Q64)
            fee = ceil_div(amount_in * rate, PPM - rate) if self.fee_in else 0
            if amount_in >= U64 or fee >= U64:
                raise Refused
        self.orders[tick] = waiting - amount_out
        if not self.fee_in:
            fee = ceil_div(amount_out * rate, PPM)
            amount_out -= fee
        if amount_in:
            self.take(amount_in, amount_out, fee)

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
            fee_in_input=self.fee_in,
            sqrt_price=self.price,
            liquidity=self.liquidity,
            tick=self.tick,
            crossed=self.crossed,
        )


class Fees:
    """The fee rate while the price moves: constant, or raised by volatility, tick spacing by tick spacing."""

    def __init__(self, state: State, a_to_b: bool, now: int) -> None:
        self.base, self.spacing, self.a_to_b, self.dynamic = (
            state.rates.trade,
            state.tick_spacing,
            a_to_b,
            state.dynamic,
        )
        if self.dynamic is None:
            return
        self.index, self.accumulator = state.tick // self.spacing, self.dynamic.accumulator
        elapsed = max(0, now - self.dynamic.last_update)
        if elapsed >= self.dynamic.filter_period:
            decayed = self.accumulator * self.dynamic.reduction_factor // REDUCTION_OF
            reference = decayed if elapsed < self.dynamic.decay_period else 0
            self.dynamic = replace(self.dynamic, index_reference=self.index, reference=reference)

    def accumulate(self) -> None:
        if self.dynamic is not None:
            moved = abs(self.dynamic.index_reference - self.index) * _SCALE
            self.accumulator = min(self.dynamic.reference + moved, self.dynamic.accumulator_max)

    def rate(self) -> int:
        if self.dynamic is None:
            return self.base
        crossed = self.accumulator * self.spacing
        added = ceil_div(self.dynamic.control * crossed * crossed, CONTROL_OF * _SCALE * _SCALE)
        return min(self.base + min(added, _FEE_LIMIT), _FEE_LIMIT)

    def bound(self, target: int, liquidity: int) -> tuple[int, bool]:
        """The price up to which the rate holds, and whether spacings may be skipped on the way.

        Beyond a gap without liquidity the program's index lags behind the price, and so may the bound.
        """
        if self.dynamic is None or not liquidity or self.accumulator == self.dynamic.accumulator_max:
            return target, True
        tick = (self.index + (0 if self.a_to_b else 1)) * self.spacing
        price = raydium_sqrt_price(max(TICK_MIN, min(TICK_MAX, tick)))
        return (max(target, price) if self.a_to_b else min(target, price)), False

    def advance(self, skipped: bool, tick: int) -> None:
        if self.dynamic is None:
            return
        if skipped:
            self.index = tick // self.spacing - (1 if not self.a_to_b and tick % self.spacing == 0 else 0)
            if self.accumulator != self.dynamic.accumulator_max:
                self.accumulate()
        self.index += -1 if self.a_to_b else 1
