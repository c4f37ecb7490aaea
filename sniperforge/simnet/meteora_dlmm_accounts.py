"""Meteora DLMM accounts and instructions, built from plain values: what a market needs to open pairs.

Source: MeteoraAg/dlmm-sdk ``idls/dlmm.json``, ``commons/src/pda.rs``, ``commons/src/math/price_math.rs``.  Sides are
(x, y); a bin's price is Q64.64 base units of y per base unit of x, (1 + step/10^4)^bin.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

PROGRAM_ID = Pubkey.from_string("LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo")
TOKEN_PROGRAM_ID = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
MEMO_PROGRAM_ID = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
NOBODY = Pubkey.default()
PAIR_SIZE = 904
ARRAY_SIZE = 10136
EXTENSION_SIZE = 1576
ORACLE_SIZE = 3232
ARRAY_BINS = 70
BIN_ID_MAX = 443_636
DEFAULT_ARRAYS = range(-512, 512)
"""Whose bits are in the pair itself; those of others are in the bitmap extension."""


def _discriminator(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:8]


def _address(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)[0]


EVENT_AUTHORITY = _address(b"__event_authority")


@dataclass(frozen=True)
class PairKeys:
    """The addresses of one pair."""

    pair: Pubkey
    bump: int
    mints: tuple[Pubkey, Pubkey]
    token_programs: tuple[Pubkey, Pubkey]
    reserves: tuple[Pubkey, Pubkey]
    oracle: Pubkey
    step: int
    base_factor: int
    has_extension: bool = False

    @property
    def extension(self) -> Pubkey:
        """Where bits of arrays outside ``DEFAULT_ARRAYS`` are."""
        return _address(b"bitmap", bytes(self.pair))

    def array(self, index: int) -> Pubkey:
        """Address of bin array number ``index``."""
        return _address(b"bin_array", bytes(self.pair), struct.pack("<q", index))


@dataclass(frozen=True)
class Parameters:
    """What fees depend on. ``protocol_share`` is basis points of them; ``collect_y``: taken in y alone."""

    filter_period: int = 30
    decay_period: int = 600
    reduction_factor: int = 5_000
    variable_fee_control: int = 7_500
    max_volatility: int = 150_000
    protocol_share: int = 500
    base_fee_power: int = 0
    collect_y: bool = False


DEFAULT_PARAMETERS = Parameters()


@dataclass(frozen=True)
class Bin:
    """What a bin holds."""

    x: int = 0
    y: int = 0


def derive_pair(
    *,
    mints: tuple[Pubkey, Pubkey],
    step: int,
    base_factor: int,
    token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID),
) -> PairKeys:
    """The keys of the permissionless pair of two mints; mint 0 is x."""
    low, high = sorted(map(bytes, mints))
    seeds = [low, high, struct.pack("<H", step), struct.pack("<H", base_factor)]
    pair, bump = Pubkey.find_program_address(seeds, PROGRAM_ID)
    x, y = (_address(bytes(pair), bytes(mint)) for mint in mints)
    return PairKeys(pair, bump, mints, token_programs, (x, y), _address(b"oracle", bytes(pair)), step, base_factor)


def read_pair(
    pair: Pubkey,
    data: bytes,
    token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID),
    *,
    has_extension: bool = False,
) -> PairKeys:
    """The keys of an existing pair from its account's bytes; raises ValueError for other bytes."""
    if len(data) != PAIR_SIZE or data[:8] != _discriminator("account:LbPair"):
        raise ValueError(f"{pair} does not hold a Meteora DLMM pair")
    keys = [Pubkey.from_bytes(data[at : at + 32]) for at in (88, 120, 152, 184, 552)]
    (base_factor,) = struct.unpack_from("<H", data, 8)
    (step,) = struct.unpack_from("<H", data, 80)
    sides = (keys[0], keys[1]), token_programs, (keys[2], keys[3])
    return PairKeys(pair, data[72], *sides, keys[4], step, base_factor, has_extension)


def price_of(bin_id: int, step: int) -> int:
    """Price of a bin by the program's binary power; raises ValueError if it has none."""
    all_bits, result = (1 << 128) - 1, 1 << 64
    square = all_bits // (result + (step << 64) // 10_000)
    for bit in range(19):
        if abs(bin_id) >> bit & 1:
            result = result * square >> 64
        square = square * square >> 64
    if not result:
        raise ValueError(f"no price of bin {bin_id} at step {step}")
    return all_bits // result if bin_id > 0 else result


def bin_at(price: float, step: int) -> int:
    """The bin whose price is nearest to ``price``, base units of y per base unit of x."""
    return round(math.log(price) / math.log(1 + step / 10_000))


def array_of(bin_id: int) -> int:
    """Index of the array that has a bin."""
    return bin_id // ARRAY_BINS


def spot_bins(active_id: int, step: int, *, x: int, y: int, width: int) -> dict[int, Bin]:
    """Liquidity spread evenly: ``x`` over the ``width`` bins above the active one, ``y`` over those below, and a
    share of both in it."""
    bins = {active_id + i: Bin(x=x // (width + 1)) for i in range(1, width + 1)}
    bins |= {active_id - i: Bin(y=y // (width + 1)) for i in range(1, width + 1)}
    bins[active_id] = Bin(x - sum(each.x for each in bins.values()), y - sum(each.y for each in bins.values()))
    return bins


def totals(bins: Mapping[int, Bin]) -> tuple[int, int]:
    """What the reserves hold of these bins."""
    return sum(each.x for each in bins.values()), sum(each.y for each in bins.values())


def pair_data(
    keys: PairKeys,
    *,
    active_id: int,
    arrays: Iterable[int],
    parameters: Parameters = DEFAULT_PARAMETERS,
    disabled: bool = False,
    creator: Pubkey = NOBODY,
) -> bytes:
    """The bytes of a pair's account (904) before its first swap; ``arrays`` are those that hold anything."""
    marked = sum(1 << (index + 512) for index in set(arrays) if index in DEFAULT_ARRAYS)
    p = parameters
    data = _discriminator("account:LbPair")
    data += struct.pack("<4H", keys.base_factor, p.filter_period, p.decay_period, p.reduction_factor)
    data += struct.pack("<IIii", p.variable_fee_control, p.max_volatility, -BIN_ID_MAX, BIN_ID_MAX)
    data += struct.pack("<HBB?3x", p.protocol_share, p.base_fee_power, 0, p.collect_y)
    data += struct.pack("<IIi20x", 0, 0, active_id) + struct.pack("<BHB", keys.bump, keys.step, 0)
    data += struct.pack("<iH??HBB", active_id, keys.step, disabled, True, keys.base_factor, 0, 0)
    data += b"".join(map(bytes, (*keys.mints, *keys.reserves))) + bytes(48 + 288) + bytes(keys.oracle)
    data += marked.to_bytes(128, "little") + bytes(136) + bytes(creator)
    flags = (program != TOKEN_PROGRAM_ID for program in keys.token_programs)
    return (data + struct.pack("<??", *flags)).ljust(PAIR_SIZE, b"\0")


def array_data(keys: PairKeys, index: int, bins: Mapping[int, Bin]) -> bytes:
    """The bytes of a BinArray account (10136) with those of ``bins`` (by bin number) that belong to it."""
    data = bytearray(_discriminator("account:BinArray") + struct.pack("<qB7x", index, 2) + bytes(keys.pair))
    for bin_id in range(index * ARRAY_BINS, (index + 1) * ARRAY_BINS):
        held = bins.get(bin_id, Bin())
        if not held.x and not held.y:
            data += bytes(144)
            continue
        price = price_of(bin_id, keys.step)
        supply = held.x * price + (held.y << 64)
        data += struct.pack("<QQ", held.x, held.y) + price.to_bytes(16, "little")
        data += min(supply, (1 << 128) - 1).to_bytes(16, "little") + bytes(96)
    return bytes(data)


def extension_data(keys: PairKeys, arrays: Iterable[int]) -> bytes:
    """The bytes of a BinArrayBitmapExtension account (1576) that marks the far ones of ``arrays``."""
    listed = set(arrays)
    above = sum(1 << (index - 512) for index in listed if index >= 512)
    below = sum(1 << (-513 - index) for index in listed if index < -512)
    head = _discriminator("account:BinArrayBitmapExtension") + bytes(keys.pair)
    return head + above.to_bytes(768, "little") + below.to_bytes(768, "little")


def oracle_data() -> bytes:
    """The bytes of an Oracle account (3232) without observations."""
    return (_discriminator("account:Oracle") + struct.pack("<QQQ", 0, 0, 100)).ljust(ORACLE_SIZE, b"\0")


def accounts(
    keys: PairKeys, active_id: int, bins: Mapping[int, Bin], parameters: Parameters = DEFAULT_PARAMETERS
) -> dict[Pubkey, bytes]:
    """Every account of a new pair but mints and reserves, by address: what a genesis file needs."""
    indexes = sorted({array_of(bin_id) for bin_id, held in bins.items() if held.x or held.y})
    made = {
        keys.pair: pair_data(keys, active_id=active_id, arrays=indexes, parameters=parameters),
        keys.oracle: oracle_data(),
    }
    if keys.has_extension:
        made[keys.extension] = extension_data(keys, indexes)
    return made | {keys.array(index): array_data(keys, index, bins) for index in indexes}


def with_extension(keys: PairKeys) -> PairKeys:
    """The same pair with a bitmap extension, which it needs for bins far away."""
    return replace(keys, has_extension=True)


def next_arrays(data: bytes, extension: bytes | None, *, x_to_y: bool, count: int) -> list[int]:
    """The ``count`` marked arrays that a swap comes to first, from the bytes of a pair and its extension."""
    marked = {i - 512 for i in range(1024) if data[584 + i // 8] >> i % 8 & 1}
    if extension is not None:
        bits = [extension[40 + i // 8] >> i % 8 & 1 for i in range(2 * 6144)]
        marked |= {512 + i for i in range(6144) if bits[i]} | {-513 - i for i in range(6144) if bits[6144 + i]}
    here = array_of(struct.unpack_from("<i", data, 76)[0])
    ahead = sorted((i for i in marked if (i <= here if x_to_y else i >= here)), reverse=x_to_y)
    return ahead[:count]


def _swap(
    name: str,
    keys: PairKeys,
    user: Pubkey,
    users: tuple[Pubkey, Pubkey],
    x_to_y: bool,
    arrays: Iterable[int],
    amounts: tuple[int, int],
) -> Instruction:
    def ro(key: Pubkey) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=False)

    def rw(key: Pubkey) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=True)

    two = name.endswith("2")
    listed = [
        rw(keys.pair),
        ro(keys.extension if keys.has_extension else PROGRAM_ID),
        *map(rw, keys.reserves),
        *map(rw, users if x_to_y else users[::-1]),
        *map(ro, keys.mints),
        rw(keys.oracle),
        ro(PROGRAM_ID),  # no host
        AccountMeta(user, is_signer=True, is_writable=False),
        *map(ro, keys.token_programs),
        *([ro(MEMO_PROGRAM_ID)] if two else []),
        ro(EVENT_AUTHORITY),
        ro(PROGRAM_ID),
        *(rw(keys.array(index)) for index in arrays),
    ]
    data = _discriminator(f"global:{name}") + struct.pack("<QQ", *amounts) + (bytes(4) if two else b"")
    return Instruction(PROGRAM_ID, data, listed)


def swap_instruction(
    keys: PairKeys,
    *,
    user: Pubkey,
    user_accounts: tuple[Pubkey, Pubkey],
    x_to_y: bool,
    arrays: Iterable[int],
    amount_in: int,
    minimum_amount_out: int,
    older_form: bool = False,
) -> Instruction:
    """Sells exactly ``amount_in``; fails below ``minimum_amount_out`` received.

    ``user_accounts`` are of x and y; ``arrays`` those that the swap may come to (``next_arrays``).
    """
    name, amounts = "swap" if older_form else "swap2", (amount_in, minimum_amount_out)
    return _swap(name, keys, user, user_accounts, x_to_y, arrays, amounts)


def swap_exact_out_instruction(
    keys: PairKeys,
    *,
    user: Pubkey,
    user_accounts: tuple[Pubkey, Pubkey],
    x_to_y: bool,
    arrays: Iterable[int],
    max_amount_in: int,
    amount_out: int,
    older_form: bool = False,
) -> Instruction:
    """Buys exactly ``amount_out`` as received; fails when it costs more than ``max_amount_in``."""
    name, amounts = "swap_exact_out" if older_form else "swap_exact_out2", (max_amount_in, amount_out)
    return _swap(name, keys, user, user_accounts, x_to_y, arrays, amounts)
