"""Meteora DLMM: what its accounts say, and the price of a bin.

Layouts are those of the program's IDL (MeteoraAg/dlmm-sdk `idls/dlmm.json`), prices its `math/u64x64_math.rs`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from solders.pubkey import Pubkey

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

BPS = 10_000
Q64 = 1 << 64
U128_MAX = (1 << 128) - 1


class VenueDataError(ValueError):
    """Account bytes are not what they should be; the text has the offset."""


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
