"""Meteora DLMM: what its swaps give, in plain integers.

Follows the published program bin by bin (MeteoraAg/dlmm-sdk: `commons/src/quote.rs`, `extensions/`, `math/`); the C
core (`csrc/dex/meteora_dlmm.c`), which lists the bins of a direction beforehand, is tested against it. Side 0 is
token x, side 1 token y. `newest` says which build of the program is meant: the older ones know neither limit orders
nor a fee from the output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sniperforge.venues.meteora_dlmm_accounts import (
    ARRAY_BINS,
    ARRAY_BYTES,
    ARRAY_DISCRIMINATOR,
    BITMAP_DISCRIMINATOR,
    BPS,
    ID_MAX,
    PAIR_BYTES,
    PAIR_DISCRIMINATOR,
    PROGRAM,
    Q64,
    Bin,
    Pair,
    VenueDataError,
    decode_array,
    decode_bitmap,
    decode_pair,
    price_of,
    transfer_fee,
)
from sniperforge.venues.quote import Quote
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee

__all__ = [
    "ARRAY_BINS",
    "ARRAY_BYTES",
    "ARRAY_DISCRIMINATOR",
    "BITMAP_DISCRIMINATOR",
    "ID_MAX",
    "PAIR_BYTES",
    "PAIR_DISCRIMINATOR",
    "POOL_DISABLED",
    "PROGRAM",
    "Bin",
    "Pair",
    "State",
    "VenueDataError",
    "decode_array",
    "decode_bitmap",
    "decode_pair",
    "price_of",
    "transfer_fee",
]

INSUFFICIENT_LIQUIDITY = 6012
OVERFLOW = 6018
NO_BITMAP_EXTENSION = 6036
NO_MARKED_ARRAY = 6037
POOL_DISABLED = 6042
UNDETERMINED = 6085
TOKEN_FUNDS = 1
TOKEN_WITHHOLD = 13

U64 = 1 << 64
RATE_OF = 10**9
RATE_MAX = 10**8
ORDER_FEE_BPS = 5_000

_DEFAULT_MAP = range(-512, 512)
_PERMISSION, _CUSTOMIZABLE = 1, 2
_BY_SLOT, _BY_TIME = 0, 1
_UNDETERMINED_FUNCTION, _LIMIT_ORDER_FUNCTION = 0, 2
_FEE_ONLY_Y = 1


class Refused(Exception):
    """The program fails; `args[0]` is its custom code, 0 if none is known."""


class _End(Exception):
    """The loaded bin arrays end before `bin_id`."""

    def __init__(self, bin_id: int) -> None:
        self.bin_id = bin_id


class _Fill(NamedTuple):
    """One bin's part of a swap."""

    amount_in: int
    amount_out: int
    fee: int
    protocol: int


_Swap = Callable[[int, bool, list[int], int, int], tuple[_Fill, int]]


def _u64(value: int) -> int:
    if not 0 <= value < U64:
        raise Refused(OVERFLOW)
    return value


def _ceil(n: int, d: int) -> int:
    return -(-n // d)


def _on_top(amount: int, rate: int) -> int:
    return _u64(_ceil(amount * rate, RATE_OF - rate))


def _inside(amount: int, rate: int) -> int:
    return _u64(_ceil(amount * rate, RATE_OF))


@dataclass(frozen=True)
class State:
    """All that prices a pair."""

    pair: Pair
    arrays: dict[int, tuple[Bin, ...]]
    """By index; what is not here is not loaded."""
    far: frozenset[int] | None = None
    """Marked arrays of the bitmap extension, None if the pair has none."""
    newest: bool = True
    slot: int = 0
    transfer_fees: tuple[TransferFee, TransferFee] = (NO_FEE, NO_FEE)
    reserves: tuple[int, int] | None = None
    """What the reserves hold, if known."""
    plain_accounts: tuple[bool, bool] = (False, False)
    """Whether the payer's account of a side has no room for withheld fees, so that Token-2022 will not pay into it."""
    _prices: dict[int, int] = field(default_factory=dict, compare=False, repr=False)

    def quote_in(self, x_to_y: bool, amount: int, now: int) -> Quote:
        """swap2: what comes out for `amount`."""
        return self._quote(x_to_y, amount, now, self._swap_in)

    def quote_out(self, x_to_y: bool, amount: int, now: int) -> Quote:
        """swap_exact_out2: what has to go in for `amount`."""
        return self._quote(x_to_y, amount, now, self._swap_out)

    # -- the walk --

    def _bins(self, x_to_y: bool) -> Iterator[tuple[int, Bin]]:
        """Active bin and all after it, as the program comes to them; Refused or _End where it cannot go on."""
        direction = -1 if x_to_y else 1
        bin_id = self.pair.active_id
        while True:
            index = self._next_array(bin_id // ARRAY_BINS, direction)
            if index != bin_id // ARRAY_BINS:
                bin_id = index * ARRAY_BINS + (ARRAY_BINS - 1 if x_to_y else 0)
            if index not in self.arrays:
                raise _End(bin_id)
            while bin_id // ARRAY_BINS == index:
                if abs(bin_id) > ID_MAX:
                    raise Refused(INSUFFICIENT_LIQUIDITY)
                yield bin_id, self.arrays[index][bin_id % ARRAY_BINS]
                bin_id += direction
            if abs(bin_id) > ID_MAX:
                raise Refused(INSUFFICIENT_LIQUIDITY)

    def _next_array(self, index: int, direction: int) -> int:
        if self.far is None and index not in _DEFAULT_MAP:
            raise Refused(NO_BITMAP_EXTENSION)
        marked = self.pair.marked | (self.far or frozenset())
        found = [other for other in marked if (other - index) * direction >= 0]
        if found:
            return min(found, key=lambda other: abs(other - index))
        raise Refused(NO_BITMAP_EXTENSION if self.far is None else NO_MARKED_ARRAY)

    def _price(self, bin_id: int) -> int:
        if bin_id not in self._prices:
            price = price_of(bin_id, self.pair.bin_step)
            self._prices[bin_id] = price or 0
        return self._prices[bin_id]

    # -- fees --

    def _references(self, now: int) -> tuple[int, int]:
        """Index and volatility reference at a swap's start."""
        pair = self.pair
        elapsed = now - pair.last_update
        if elapsed < pair.filter_period:
            return pair.index_reference, pair.volatility_reference
        if elapsed >= pair.decay_period:
            return pair.active_id, 0
        product = pair.accumulator * pair.reduction_factor
        if product >= 1 << 32:
            raise Refused(OVERFLOW)
        return pair.active_id, product // BPS

    def _rate(self, references: tuple[int, int], bin_id: int) -> int:
        pair = self.pair
        base = pair.base_factor * pair.bin_step * 10 * 10**pair.base_fee_power
        accumulator = min(references[1] + abs(references[0] - bin_id) * BPS, pair.max_accumulator)
        variable = _ceil(pair.variable_fee_control * (accumulator * pair.bin_step) ** 2, 10**11)
        return int(min(base + variable, RATE_MAX))

    def _orders(self, x_to_y: bool, at: Bin) -> list[int]:
        """Limit orders that a swap of this direction fills, in order."""
        kind = self.pair.function_type
        supported = kind == _LIMIT_ORDER_FUNCTION or (kind == _UNDETERMINED_FUNCTION and not self.pair.has_rewards)
        if self.newest and supported and at.orders_ask != x_to_y:
            return [at.orders_left, at.open_orders]
        return []

    def _fee_on_input(self, x_to_y: bool) -> bool:
        return not (self.newest and self.pair.collect_fee_mode == _FEE_ONLY_Y and x_to_y)

    # -- one bin --

    def _fill_older(self, price: int, x_to_y: bool, own: int, left: int, rate: int) -> _Fill:
        most_in = _amount_in(own, price, x_to_y)
        most_fee = _on_top(most_in, rate)
        if left > _u64(most_in + most_fee):
            taken, out, fee = most_in + most_fee, own, most_fee
        else:
            fee = _inside(left, rate)
            taken, out = left, min(_amount_out(left - fee, price, x_to_y), own)
        return _Fill(taken, out, fee, fee * self.pair.protocol_share // BPS)

    def _fill_newest(self, price: int, x_to_y: bool, layers: list[int], left: int, rate: int) -> _Fill:
        on_input = self._fee_on_input(x_to_y)
        fee = _inside(left, rate) if on_input else 0
        usable = rest = left - fee
        out = 0
        taken: list[int] = []
        for place, layer in enumerate(layers):
            if place and not rest:
                break
            most_in = _amount_in(layer, price, x_to_y)
            taken.append(min(rest, most_in))
            out = _u64(out + (layer if rest >= most_in else _amount_out(rest, price, x_to_y)))
            rest -= taken[-1]
        amount_in = left
        if rest:
            usable -= rest
            fee = _on_top(usable, rate) if on_input else 0
            amount_in = _u64(usable + fee)
        if not on_input:
            fee = _inside(out, rate)
            out -= fee
        protocol = 0
        if sum(taken) and fee:
            own_fee = _ceil(fee * taken[0], sum(taken))
            order_fee = fee - own_fee
            protocol = order_fee - order_fee * ORDER_FEE_BPS // BPS + own_fee * self.pair.protocol_share // BPS
        return _Fill(amount_in, out, fee, protocol)

    def _take_older(self, price: int, x_to_y: bool, own: int, left: int, rate: int) -> _Fill:
        out = min(own, left)
        amount = _amount_in(out, price, x_to_y)
        fee = _on_top(amount, rate)
        return _Fill(_u64(amount + fee), out, fee, fee * self.pair.protocol_share // BPS)

    def _take_newest(self, price: int, x_to_y: bool, layers: list[int], left: int, rate: int) -> _Fill:
        on_input = self._fee_on_input(x_to_y)
        gross = left if on_input else _u64(left + _on_top(left, rate))
        if gross >= min(sum(layers), U64 - 1):
            filled = self._fill_newest(price, x_to_y, layers, U64 - 1, rate)
            return filled if filled.amount_out else _Fill(0, 0, 0, 0)
        amount = _amount_in(gross, price, x_to_y)
        if on_input:
            amount = _u64(amount + _on_top(amount, rate))
        filled = self._fill_newest(price, x_to_y, layers, amount, rate)
        over = filled.amount_out - left
        if over < 0:
            raise Refused(UNDETERMINED)
        return filled._replace(amount_out=left, protocol=filled.protocol + (over if over > 1 else 0))

    # -- the swap --

    def _swap_in(self, price: int, x_to_y: bool, layers: list[int], left: int, rate: int) -> tuple[_Fill, int]:
        if self.newest:
            filled = self._fill_newest(price, x_to_y, layers, left, rate)
        else:
            filled = self._fill_older(price, x_to_y, layers[0], left, rate)
        return filled, left - filled.amount_in

    def _swap_out(self, price: int, x_to_y: bool, layers: list[int], left: int, rate: int) -> tuple[_Fill, int]:
        if self.newest:
            filled = self._take_newest(price, x_to_y, layers, left, rate)
        else:
            filled = self._take_older(price, x_to_y, layers[0], left, rate)
        return filled, left - filled.amount_out

    def _open(self, now: int) -> bool:
        if self.pair.pair_type in (_PERMISSION, _CUSTOMIZABLE):
            here = self.slot if self.pair.activation_type == _BY_SLOT else now
            return self.pair.enabled and here >= self.pair.activation_point
        return self.pair.enabled

    def _quote(self, x_to_y: bool, amount: int, now: int, swap: _Swap) -> Quote:
        try:
            return self._run(x_to_y, amount, now, swap)
        except Refused as refused:
            return Quote(0, 0, "refused", refused.args[0], fee_in_input=False, tick=self.pair.active_id)

    def _run(self, x_to_y: bool, amount: int, now: int, swap: _Swap) -> Quote:
        if not self._open(now):
            raise Refused(POOL_DISABLED)
        references = self._references(now)
        if not amount:
            raise Refused(0)
        exact_in = swap == self._swap_in
        side_in, side_out = (0, 1) if x_to_y else (1, 0)
        fee_in, fee_out = self.transfer_fees[side_in], self.transfer_fees[side_out]
        left = amount - fee_in.of(amount) if exact_in else _sent(fee_out, amount)
        fills: list[_Fill] = []
        status, tick = "ok", self.pair.active_id
        try:
            way = self._bins(x_to_y)
            while left:
                bin_id, at = next(way)
                layers = [at.y if x_to_y else at.x, *self._orders(x_to_y, at)]
                price = self._price(bin_id)
                if any(layers) and price:
                    tick = bin_id
                    filled, left = swap(price, x_to_y, layers, left, self._rate(references, bin_id))
                    fills.append(filled)
                    _u64(sum(fill.amount_in for fill in fills))
                    _u64(sum(fill.amount_out for fill in fills))
        except _End as end:
            status, tick = "exhausted", end.bin_id
        total_in, total_out, fee, protocol = (sum(part) for part in zip((0, 0, 0, 0), *fills, strict=True))
        withheld = fee_out.of(total_out)
        if self.reserves is not None and total_out > self.reserves[side_out]:
            raise Refused(TOKEN_FUNDS)
        if withheld and self.plain_accounts[side_out]:
            raise Refused(TOKEN_WITHHOLD)
        if status == "ok" and total_out == withheld:
            raise Refused(0)
        reserves = [0, 0]
        if self.reserves is not None:
            reserves[side_in] = _u64(self.reserves[side_in] + total_in)
            reserves[side_out] = self.reserves[side_out] - total_out
        done = status == "ok"
        return Quote(
            amount_in=amount if exact_in and done else _sent(fee_in, total_in),
            amount_out=amount if done and not exact_in else total_out - withheld,
            status=status,
            fee=fee,
            protocol_fee=protocol,
            fee_in_input=self._fee_on_input(x_to_y),
            reserve_a=reserves[0],
            reserve_b=reserves[1],
            tick=tick,
            crossed=abs(tick - self.pair.active_id),
        )


def _sent(fee: TransferFee, arrives: int) -> int:
    sent = fee.before(arrives)
    if sent is None:
        raise Refused(OVERFLOW)
    return sent


def _amount_in(out: int, price: int, x_to_y: bool) -> int:
    return _u64(_ceil(out << 64, price) if x_to_y else _ceil(out * price, Q64))


def _amount_out(amount: int, price: int, x_to_y: bool) -> int:
    return _u64(amount * price >> 64 if x_to_y else (amount << 64) // price)
