"""Meteora DLMM: what its accounts say and what its swaps give, in plain integers.

Follows the published program bin by bin (MeteoraAg/dlmm-sdk: `commons/src/quote.rs`, `extensions/`, `math/`); the C
core (`csrc/dex/meteora_dlmm.c`), which lists the bins of a direction beforehand, is tested against it. Side 0 is
token x, side 1 token y. `newest` says which build of the program is meant: the older ones know neither limit orders
nor a fee from the output.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from solders.pubkey import Pubkey

from sniperforge.venues.quote import Quote
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee

PROGRAM = Pubkey.from_string("LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo")
PAIR_BYTES = 904
ARRAY_BYTES = 10136
BITMAP_BYTES = 1576
ARRAY_BINS = 70
ID_MAX = 443_636

PAIR_DISCRIMINATOR = bytes.fromhex("210b3162b565b10d")
ARRAY_DISCRIMINATOR = bytes.fromhex("5c8e5cdc059446b5")
BITMAP_DISCRIMINATOR = bytes.fromhex("506f7c7137ed1205")

INSUFFICIENT_LIQUIDITY = 6012
OVERFLOW = 6018
NO_BITMAP_EXTENSION = 6036
NO_MARKED_ARRAY = 6037
POOL_DISABLED = 6042
UNDETERMINED = 6085
TOKEN_FUNDS = 1
TOKEN_WITHHOLD = 13

U64 = 1 << 64
Q64 = 1 << 64
U128_MAX = (1 << 128) - 1
RATE_OF = 10**9
RATE_MAX = 10**8
BPS = 10_000
ORDER_FEE_BPS = 5_000

_DEFAULT_MAP = range(-512, 512)
_PERMISSION, _CUSTOMIZABLE = 1, 2
_BY_SLOT, _BY_TIME = 0, 1
_UNDETERMINED_FUNCTION, _LIMIT_ORDER_FUNCTION = 0, 2
_FEE_ONLY_Y = 1


class VenueDataError(ValueError):
    """Account bytes are not what they should be; the text has the offset."""


class Refused(Exception):
    """The program fails; `args[0]` is its custom code, 0 if none is known."""


class _End(Exception):
    """The loaded bin arrays end before `bin_id`."""

    def __init__(self, bin_id: int) -> None:
        self.bin_id = bin_id


@dataclass(frozen=True)
class Pair:
    """A decoded LbPair account."""

    mints: tuple[Pubkey, Pubkey]
    reserves: tuple[Pubkey, Pubkey]
    oracle: Pubkey
    token_2022: tuple[bool, bool]
    active_id: int
    bin_step: int
    base_factor: int
    base_fee_power: int
    variable_fee_control: int
    max_accumulator: int
    filter_period: int
    decay_period: int
    reduction_factor: int
    protocol_share: int
    accumulator: int
    volatility_reference: int
    index_reference: int
    last_update: int
    function_type: int
    collect_fee_mode: int
    pair_type: int
    enabled: bool
    activation_type: int
    activation_point: int
    has_rewards: bool
    marked: frozenset[int]
    """Indexes of the bin arrays with liquidity, of -512 to 511."""


class Bin(NamedTuple):
    """What a swap reads of a bin. In older builds the last three are statistics."""

    x: int = 0
    y: int = 0
    open_orders: int = 0
    orders_left: int = 0
    orders_ask: bool = False


class _Fill(NamedTuple):
    """One bin's part of a swap."""

    amount_in: int
    amount_out: int
    fee: int
    protocol: int


_Swap = Callable[[int, bool, list[int], int, int], tuple[_Fill, int]]


def _check(what: str, data: bytes, size: int, discriminator: bytes) -> None:
    if len(data) != size:
        raise VenueDataError(f"{what}: {len(data)} bytes, not {size}")
    if data[:8] != discriminator:
        raise VenueDataError(f"{what}: discriminator at offset 0 is of another kind")


def _bits(data: bytes) -> Iterator[int]:
    return (8 * i + bit for i, byte in enumerate(data) for bit in range(8) if byte >> bit & 1)


def decode_pair(data: bytes) -> Pair:
    """Decodes an LbPair account.

    Raises:
        VenueDataError: it is none, or says what the program would not have written.
    """
    _check("pair", data, PAIR_BYTES, PAIR_DISCRIMINATOR)
    limits = {34: 9, 35: 2, 36: 1, 75: 3, 82: 1, 86: 1, 880: 1, 881: 1}
    for offset, most in limits.items():
        if data[offset] > most:
            raise VenueDataError(f"pair: {data[offset]} at offset {offset} is above {most}")
    factor, filter_period, decay_period, reduction, control, most_volatile = struct.unpack_from("<4H2I", data, 8)
    accumulator, reference, index = struct.unpack_from("<IIi", data, 40)
    active, step = struct.unpack_from("<iH", data, 76)
    (share,) = struct.unpack_from("<H", data, 32)
    if not 1 <= step <= 400:
        raise VenueDataError(f"pair: bin step {step} at offset 80")
    if share > BPS:
        raise VenueDataError(f"pair: protocol share {share} at offset 32")
    if abs(active) > ID_MAX or price_of(active, step) is None:
        raise VenueDataError(f"pair: no bin {active} at offset 76")
    keys = [Pubkey.from_bytes(data[at : at + 32]) for at in (88, 120, 152, 184, 552)]
    return Pair(
        mints=(keys[0], keys[1]),
        reserves=(keys[2], keys[3]),
        oracle=keys[4],
        token_2022=(data[880] == 1, data[881] == 1),
        active_id=active,
        bin_step=step,
        base_factor=factor,
        base_fee_power=data[34],
        variable_fee_control=control,
        max_accumulator=most_volatile,
        filter_period=filter_period,
        decay_period=decay_period,
        reduction_factor=reduction,
        protocol_share=share,
        accumulator=accumulator,
        volatility_reference=reference,
        index_reference=index,
        last_update=struct.unpack_from("<q", data, 56)[0],
        function_type=data[35],
        collect_fee_mode=data[36],
        pair_type=data[75],
        enabled=data[82] == 0,
        activation_type=data[86],
        activation_point=struct.unpack_from("<Q", data, 816)[0],
        has_rewards=any(data[264:296]) or any(data[408:440]),
        marked=frozenset(bit - 512 for bit in _bits(data[584:712])),
    )


def decode_array(address: Pubkey, pair: Pair, data: bytes) -> tuple[int, tuple[Bin, ...]]:
    """Index and bins of a BinArray account of the pair at `address`.

    Raises:
        VenueDataError: it is none, another pair's, or a stored price is not its bin's.
    """
    _check("bin array", data, ARRAY_BYTES, ARRAY_DISCRIMINATOR)
    (index,) = struct.unpack_from("<q", data, 8)
    if data[24:56] != bytes(address):
        raise VenueDataError("bin array: it is another pair's (offset 24)")
    if data[16] > 2:
        raise VenueDataError(f"bin array: version {data[16]} at offset 16")
    if not -ID_MAX // ARRAY_BINS <= index <= ID_MAX // ARRAY_BINS:
        raise VenueDataError(f"bin array: index {index} at offset 8")
    bins = []
    for place in range(ARRAY_BINS):
        at = 56 + 144 * place
        x, y = struct.unpack_from("<QQ", data, at)
        stored = int.from_bytes(data[at + 16 : at + 32], "little")
        bin_id = index * ARRAY_BINS + place
        price = price_of(bin_id, pair.bin_step) if abs(bin_id) <= ID_MAX else None
        if stored and stored != price:
            raise VenueDataError(f"bin array: price of bin {bin_id} at offset {at + 16} is not its id's")
        if price is None and (x or y):
            raise VenueDataError(f"bin array: bin {bin_id} at offset {at} has liquidity but no price")
        open_orders, _, left, _, ask = struct.unpack_from("<QQQIB", data, at + 112)
        bins.append(Bin(x, y, open_orders, left, ask != 0))
    return index, tuple(bins)


def decode_bitmap(address: Pubkey, data: bytes) -> frozenset[int]:
    """Indexes of the marked bin arrays below -512 and above 511, from a BinArrayBitmapExtension account.

    Raises:
        VenueDataError: it is none, or another pair's.
    """
    _check("bitmap extension", data, BITMAP_BYTES, BITMAP_DISCRIMINATOR)
    if data[8:40] != bytes(address):
        raise VenueDataError("bitmap extension: it is another pair's (offset 8)")
    above = {512 + bit for bit in _bits(data[40:808])}
    below = {-513 - bit for bit in _bits(data[808:1576])}
    return frozenset(above | below)


def transfer_fee(mint: bytes, epoch: int) -> TransferFee:
    """What a Token-2022 mint withholds in `epoch`; nothing if it has no such extension.

    Raises:
        VenueDataError: the extensions do not fit the account.
    """
    at = 166
    while at + 4 <= len(mint):
        kind, size = struct.unpack_from("<HH", mint, at)
        at += 4
        if not kind:
            break
        if at + size > len(mint) or (kind == 1 and size != 108):
            raise VenueDataError(f"mint: extension of {size} bytes at offset {at - 4}")
        if kind == 1:
            older, newer = (struct.unpack_from("<QQH", mint, at + offset) for offset in (72, 90))
            _, maximum, bps = newer if epoch >= newer[0] else older
            return TransferFee(bps, maximum)
        at += size
    return NO_FEE


def price_of(bin_id: int, bin_step: int) -> int | None:
    """Price of a bin in Q64.64, y for x, by the program's binary power of 1 + step; None if it finds none."""
    result = Q64
    square = U128_MAX // (Q64 + (bin_step << 64) // BPS)  # powers of the inverse stay below 1
    for digit in reversed(bin(abs(bin_id))[2:]):
        if digit == "1":
            result = result * square >> 64
        square = square * square >> 64
    if not result:
        return None
    return U128_MAX // result if bin_id > 0 else result


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

    def with_pair(self, pair: Pair) -> State:
        """The same with another state of the pair account."""
        return replace(self, pair=pair)

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
