"""A recorded day of Orca Whirlpool, replayed: every swap's amounts from the state before it.

The tape has every successful instruction of a day with the amounts it moved; the accounts are those at the day's
end. What is not recorded is worked out:

* Liquidity by tick at the start is that of the end less the day's changes. A position's range is in the
  instruction that opened it or in its account; of one that was closed during the day the range follows from the
  amounts that it paid, which fit one pair of ticks in its two arrays.
* The price at the start is the one number per pool that makes the day come out: a start too high ends too high,
  so that bisection finds it, until the price at the end is the account's to the last bit.

After that nothing is free: thousands of swaps, each with two amounts, are compared with the plain-integer reference.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from sniperforge.venues import orca_whirlpool as orca
from sniperforge.venues.ticks import Q64, amount_a, amount_b, orca_sqrt_price, tick_at

POSITION_DISCRIMINATOR = bytes.fromhex("aabc8fe47a40f7d0")
_PPM = 1_000_000


class Swap(NamedTuple):
    """One recorded swap; amounts as they moved."""

    a_to_b: bool
    exact_in: bool
    amount: int
    limit: int
    amount_in: int
    amount_out: int
    arrays: frozenset[str]
    slot: int


class Change(NamedTuple):
    """Liquidity added to a position (or taken off, below zero), and what it moved."""

    position: str
    liquidity: int
    amount_a: int
    amount_b: int
    lower_array: str
    upper_array: str


Event = Swap | Change


@dataclass
class Day:
    """The events of each pool in order, and what the tape says of positions and new pools."""

    events: dict[str, list[Event]] = field(default_factory=dict)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    """Square-root price of each pool that was made that day."""


@dataclass
class Closing:
    """Accounts at the end of the day."""

    pools: dict[str, orca.Pool] = field(default_factory=dict)
    arrays: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Pool and start tick of each tick array."""
    ticks: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)
    """Net and gross liquidity by tick, by pool."""
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)


def _instructions(path: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
    with gzip.open(path, "rt") as file:
        for line in file:
            block = json.loads(line)
            for transaction in block["transactions"]:
                for instruction in transaction["instructions"]:
                    yield block["slot"], instruction["name"], instruction["payload"]


def read_day(path: Path) -> Day:
    """The tape: a block a line, as orca-so/whirlpool-tx-replayer stores them."""
    day = Day()
    for slot, name, payload in _instructions(path):
        one, other = (int(payload.get(f"transferAmount{i}", 0)) for i in range(2))
        if name == "swap":
            event: Event = Swap(
                payload["dataAToB"] == 1,
                payload["dataAmountSpecifiedIsInput"] == 1,
                int(payload["dataAmount"]),
                int(payload["dataSqrtPriceLimit"]),
                one,
                other,
                frozenset(payload[f"keyTickArray{i}"] for i in range(3)),
                slot,
            )
        elif name in ("increaseLiquidity", "decreaseLiquidity"):
            sign = 1 if name == "increaseLiquidity" else -1
            event = Change(
                payload["keyPosition"],
                sign * int(payload["dataLiquidityAmount"]),
                one,
                other,
                payload["keyTickArrayLower"],
                payload["keyTickArrayUpper"],
            )
        else:
            if name.startswith("openPosition"):
                day.ranges[payload["keyPosition"]] = payload["dataTickLowerIndex"], payload["dataTickUpperIndex"]
            elif name == "initializePool":
                day.created[payload["keyWhirlpool"]] = int(payload["dataInitialSqrtPrice"])
            continue
        day.events.setdefault(payload["keyWhirlpool"], []).append(event)
    return day


def read_closing(path: Path) -> Closing:
    """All accounts of the program at the end of the day."""
    closing = Closing()
    with gzip.open(path, "rt") as file:
        accounts = [(entry["pubkey"], base64.b64decode(entry["data"])) for entry in json.load(file)["accounts"]]
    for address, data in accounts:
        if data[:8] == orca.POOL_DISCRIMINATOR:
            closing.pools[address] = orca.decode_pool(data)
        elif data[:8] == POSITION_DISCRIMINATOR:
            lower, upper = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (88, 92))
            closing.ranges[address] = lower, upper
    for address, data in accounts:
        if data[:8] != orca.ARRAY_DISCRIMINATOR:
            continue
        pool = str(Pubkey.from_bytes(data[9956:9988]))
        array = orca.decode_array(data, closing.pools[pool].tick_spacing)
        closing.arrays[address] = pool, array.start
        ticks = closing.ticks.setdefault(pool, {})
        for tick, net in array.net.items():
            at = 12 + 113 * ((tick - array.start) // closing.pools[pool].tick_spacing)
            ticks[tick] = net, int.from_bytes(data[at + 17 : at + 33], "little")
    return closing


class Mismatch(NamedTuple):
    """The first event that the replay does not give, and whether the price must have been lower for it."""

    place: int
    too_high: bool


class Result(NamedTuple):
    """What became of one pool's day."""

    swaps: int
    explained: int
    changes: int
    changes_explained: int
    reasons: Counter[str]
    closing: bool
    """Price, tick and liquidity at the end of the replay are the account's, to the last bit."""


class PoolDay:
    """One pool's day."""

    def __init__(self, address: str, day: Day, closing: Closing) -> None:
        self.pool = closing.pools[address]
        self.events = day.events.get(address, [])
        self.created = day.created.get(address)
        self.starts = {key: start for key, (pool, start) in closing.arrays.items() if pool == address}
        self.span = orca.ARRAY_TICKS * self.pool.tick_spacing
        self.closing_ticks = closing.ticks.get(address, {})
        self.ranges = {**closing.ranges, **day.ranges}
        self.unknown: set[str] = set()
        self.offset = self.pool.liquidity - _liquidity_at(self.pool.tick, self.closing_ticks)
        """What the pool's liquidity is above that of its positions: not zero in two of the pools, from before."""

    # -- ranges of positions that were closed ------------------------------------------------------------

    def find_ranges(self) -> None:
        """Fills in the ranges of positions that neither the tape nor an account has."""
        for place, event in enumerate(self.events):
            if isinstance(event, Change) and event.position not in self.ranges:
                found = self._range_of(event, self._price_near(place))
                if found is None:
                    self.unknown.add(event.position)
                else:
                    self.ranges[event.position] = found

    def _price_near(self, place: int) -> int:
        """The price around an event, from the nearest swap: what it paid, without its fee."""
        swaps = [(abs(i - place), i) for i, event in enumerate(self.events) if isinstance(event, Swap)]
        for _, i in sorted(swaps):
            swap = self.events[i]
            assert isinstance(swap, Swap)
            paid = swap.amount_in * (_PPM - self.pool.fee_rate) // _PPM
            if min(paid, swap.amount_out) < 10_000:
                continue
            b, a = (swap.amount_out, paid) if swap.a_to_b else (paid, swap.amount_out)
            return int((b / a) ** 0.5 * Q64)
        return self.pool.sqrt_price

    def _range_of(self, change: Change, price: int) -> tuple[int, int] | None:
        """The pair of ticks in the position's two arrays whose amounts are nearest to those that moved.

        A position that moves one token is wholly on one side of the price, and its amount fits exactly one pair.
        """
        liquidity, up = abs(change.liquidity), change.liquidity > 0
        lowers, uppers = (self._ticks_of(key) for key in (change.lower_array, change.upper_array))
        if not lowers or not uppers or not liquidity:
            return None
        if change.amount_a and change.amount_b:
            return self._range_around(change, lowers, uppers, price)
        of, amount = (amount_a, change.amount_a) if change.amount_a else (amount_b, change.amount_b)
        found = [
            (lower, upper)
            for lower in lowers
            for upper in uppers
            if lower < upper and of(liquidity, self._price(lower), self._price(upper), up=up) == amount
        ]
        return found[0] if len(found) == 1 else self._nearest_edge(change, found, price)

    def _range_around(self, change: Change, lowers: list[int], uppers: list[int], price: int) -> tuple[int, int] | None:
        """The pair of ticks around the price: each amount says what the price is if its tick is the right one.

        Of all pairs within a twentieth of `price` the one whose two prices agree best.
        """
        liquidity = abs(change.liquidity)
        by_lower = [(self._price(t) + change.amount_b * Q64 // liquidity, t) for t in lowers]
        by_upper = [
            (liquidity * Q64 * self._price(t) // (liquidity * Q64 + change.amount_a * self._price(t)), t)
            for t in uppers
        ]
        near = [
            (abs(one - other), lower, upper)
            for one, lower in by_lower
            for other, upper in by_upper
            if lower < upper and 20 * max(abs(one - price), abs(other - price)) < price
        ]
        return min(near)[1:] if near else None

    def _nearest_edge(self, change: Change, found: list[tuple[int, int]], price: int) -> tuple[int, int] | None:
        """Of several exact pairs the one on the side of the price that the token says."""
        side = [
            pair
            for pair in found
            if (self._price(pair[0]) >= price if change.amount_a else self._price(pair[1]) <= price)
        ]
        return side[0] if len(side) == 1 else None

    def _ticks_of(self, array: str) -> list[int]:
        start = self.starts.get(array)
        return [] if start is None else [start + i * self.pool.tick_spacing for i in range(orca.ARRAY_TICKS)]

    def _price(self, tick: int) -> int:
        return orca_sqrt_price(max(-443_636, min(443_636, tick)))

    # -- replay ------------------------------------------------------------------------------------------

    def start(self) -> dict[int, tuple[int, int]]:
        """Net and gross liquidity by tick before the first event."""
        ticks = {tick: [net, gross] for tick, (net, gross) in self.closing_ticks.items()}
        for event in self.events:
            if isinstance(event, Change) and event.position not in self.unknown:
                lower, upper = self.ranges[event.position]
                for tick, sign in ((lower, 1), (upper, -1)):
                    entry = ticks.setdefault(tick, [0, 0])
                    entry[0] -= sign * event.liquidity
                    entry[1] -= event.liquidity
        return {tick: (net, gross) for tick, (net, gross) in ticks.items()}

    def replay(self, price: int, seen: Callable[[int, bool], None] | None = None) -> Mismatch | orca.State:
        """Runs the day from a starting price; the state at the end, or the first event that comes out otherwise.

        With `seen`, which is called with each event's place and whether it is as recorded, nothing stops the run.
        """
        ticks = self.start()
        gross = {tick: both[1] for tick, both in ticks.items()}
        arrays: dict[int, dict[int, int]] = {start: {} for start in self.starts.values()}
        for tick, (net, total) in ticks.items():
            if total:
                arrays[tick // self.span * self.span][tick] = net
        tick = tick_at(price, orca_sqrt_price)
        state = orca.State(
            self.pool.tick_spacing,
            self.pool.fee_rate,
            self.pool.protocol_fee_rate,
            _liquidity_at(tick, ticks) + self.offset,
            price,
            tick,
            {},
        )
        for place, event in enumerate(self.events):
            if isinstance(event, Swap):
                named = {self.starts[key] for key in event.arrays if key in self.starts}
                state = replace(state, arrays={start: arrays[start] for start in named})
                function = state.quote_in if event.exact_in else state.quote_out
                quote = function(event.a_to_b, event.amount, 0, event.limit)
                right = quote.status == "ok" and quote[:2] == (event.amount_in, event.amount_out)
                if not right and seen is None:
                    return Mismatch(place, _too_high(event, quote.amount_in, quote.amount_out))
                state = replace(state, sqrt_price=quote.sqrt_price, tick=quote.tick, liquidity=quote.liquidity)
            else:
                state, right, too_high = self._change(event, state, arrays, gross)
                if not right and seen is None:
                    return Mismatch(place, too_high)
            if seen is not None:
                seen(place, right)
        return state

    def _change(
        self, event: Change, state: orca.State, arrays: dict[int, dict[int, int]], gross: dict[int, int]
    ) -> tuple[orca.State, bool, bool]:
        if event.position in self.unknown:
            return state, False, False
        lower, upper = self.ranges[event.position]
        low, high = self._price(lower), self._price(upper)
        at, up, size = min(max(state.sqrt_price, low), high), event.liquidity > 0, abs(event.liquidity)
        inside = lower <= state.tick < upper
        if not inside:  # the program goes by the tick: right at the upper end the price says the same
            at = low if state.tick < lower else high
        moved = amount_a(size, at, high, up=up), amount_b(size, low, at, up=up)
        right = moved == (event.amount_a, event.amount_b)
        too_high = moved[1] > event.amount_b or (moved[1] == event.amount_b and moved[0] < event.amount_a)
        for tick, sign in ((lower, 1), (upper, -1)):
            array = arrays[tick // self.span * self.span]
            gross[tick] = gross.get(tick, 0) + event.liquidity
            array[tick] = array.get(tick, 0) + sign * event.liquidity
            if not gross[tick]:
                del array[tick]
        liquidity = state.liquidity + event.liquidity if inside else state.liquidity
        return replace(state, liquidity=liquidity), right, too_high

    def solve(self) -> int:
        """The price at the start of the day.

        The first event that comes out otherwise finds the neighbourhood from far away. The price at the end finds
        it exactly, but for days in which a swap ends at its price limit or at a tick: many starts have the same end
        then, and the events before decide again.
        """
        if self.created is not None:
            return self.created
        near, goal = self._price_near(0), self.pool.sqrt_price

        def off(price: int) -> bool:
            end = self.replay(price)
            return end.too_high if isinstance(end, Mismatch) else end.sqrt_price >= goal

        price = near
        for spread in (20, 2):  # the first swap's price is near, but where there is next to no liquidity
            price = _first(near - near // spread, near + near // spread, off)
            end = self.replay(price)
            if isinstance(end, orca.State) and end.sqrt_price == goal:
                return price
        price = _first(near - near // 20, near + near // 20, off)
        width = 4 * abs(self._end(price) - goal) + 1000
        low = _first(price - width, price + width, lambda one: self._end(one) >= goal)
        high = _first(low, price + width, lambda one: self._end(one) > goal)
        return _first(low, high - 1, off)

    def _end(self, price: int) -> int:
        end = self.replay(price, lambda place, right: None)
        assert isinstance(end, orca.State)
        return end.sqrt_price

    def run(self) -> Result:
        """Replays the day and counts."""
        self.find_ranges()
        price = self.solve()
        outcome: dict[int, bool] = {}
        end = self.replay(price, outcome.__setitem__)
        swaps = [place for place, event in enumerate(self.events) if isinstance(event, Swap)]
        changes = [place for place, event in enumerate(self.events) if isinstance(event, Change)]
        reasons: Counter[str] = Counter()
        for place in swaps:
            if not outcome[place]:
                reasons["a range of a closed position is unknown" if self.unknown else "amounts differ"] += 1
        return Result(
            len(swaps),
            sum(outcome[place] for place in swaps),
            len(changes),
            sum(outcome[place] for place in changes),
            reasons,
            isinstance(end, orca.State)
            and (end.sqrt_price, end.tick, end.liquidity)
            == (self.pool.sqrt_price, self.pool.tick, self.pool.liquidity),
        )


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least number from `low` on, `high` at most, for which it holds."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _liquidity_at(tick: int, ticks: dict[int, tuple[int, int]]) -> int:
    return sum(net for at, (net, _) in ticks.items() if at <= tick)


def _too_high(swap: Swap, amount_in: int, amount_out: int) -> bool:
    """Whether the replay's price of a is above the recorded one."""
    if swap.exact_in and amount_in == swap.amount_in:
        return (amount_out > swap.amount_out) == swap.a_to_b
    if swap.exact_in:  # a limit was met: what went in says how far away it was
        return (amount_in > swap.amount_in) == swap.a_to_b
    return (amount_in < swap.amount_in) == swap.a_to_b


def replay_day(tape: Path, closing: Path) -> dict[str, Result]:
    """The day of every pool on a tape."""
    day, end = read_day(tape), read_closing(closing)
    return {address: PoolDay(address, day, end).run() for address in day.events}
