"""Raydium CLMM accounts and instructions, built from plain values: what a market needs to open pools.

Source: raydium-io/raydium-clmm ``states/{pool,config,tick_array,tickarray_bitmap_extension,oracle,pool_fee}.rs``,
``instructions/{swap,swap_v2}.rs``.  Pairs are (token 0, token 1), ordered by address as the program orders them;
prices are square roots of token 1 per token 0 in Q64.64; rates are in millionths, those of protocol and fund of the
fee.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet.faucet import token_account_data
from sniperforge.simnet.orca_whirlpool_accounts import Position, initialized_ticks
from sniperforge.venues.raydium_clmm_swap import ARRAY_TICKS, OWN_ARRAYS
from sniperforge.venues.ticks import amount_a, amount_b, raydium_sqrt_price, tick_at

PROGRAM_ID = Pubkey.from_string("CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK")
TOKEN_PROGRAM_ID = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022_PROGRAM_ID = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
MEMO_PROGRAM_ID = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
NOBODY = Pubkey.default()
POOL_SIZE = 1544
SWAP_ARRAYS = 3
"""Tick arrays that a swap names, as many as it can go through in a transaction."""


@lru_cache(maxsize=64)
def _discriminator(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:8]


@lru_cache(maxsize=4096)
def _address(*seeds: bytes) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)


def owned(data: bytes, owner: Pubkey = PROGRAM_ID) -> Account:
    """An account with these bytes, free of rent."""
    return Account((128 + len(data)) * 6960, data, owner)


@dataclass(frozen=True)
class PoolKeys:
    """The addresses of one pool."""

    pool: Pubkey
    config: Pubkey
    tick_spacing: int
    mints: tuple[Pubkey, Pubkey]
    token_programs: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    observation: Pubkey
    extension: Pubkey


@dataclass(frozen=True)
class DynamicFee:
    """What raises a pool's fee by volatility; times in seconds."""

    filter_period: int = 30
    decay_period: int = 600
    reduction_factor: int = 5_000
    control: int = 1_500
    max_volatility_accumulator: int = 350_000


def config_address(index: int) -> Pubkey:
    """Address of AmmConfig number ``index``."""
    return _address(b"amm_config", struct.pack(">H", index))[0]


def derive_pool(
    *,
    config: Pubkey,
    mints: tuple[Pubkey, Pubkey],
    tick_spacing: int,
    token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID),
) -> PoolKeys:
    """The keys of the pool of two mints in the program's order.

    Raises:
        ValueError: the mints are in the other order.
    """
    if bytes(mints[0]) >= bytes(mints[1]):
        raise ValueError(f"token 0 of a Raydium CLMM pool has the lower address: give {mints[1]} first")
    pool = bytes(_address(b"pool", bytes(config), *map(bytes, mints))[0])
    vaults = [_address(b"pool_vault", pool, bytes(mint))[0] for mint in mints]
    return PoolKeys(
        Pubkey.from_bytes(pool),
        config,
        tick_spacing,
        mints,
        token_programs,
        (vaults[0], vaults[1]),
        _address(b"observation", pool)[0],
        _address(b"pool_tick_array_bitmap_extension", pool)[0],
    )


def read_pool(
    pool: Pubkey, data: bytes, token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID)
) -> PoolKeys:
    """The keys of an existing pool from its account's bytes; raises ValueError for other bytes."""
    if len(data) < POOL_SIZE or data[:8] != _discriminator("account:PoolState"):
        raise ValueError(f"{pool} does not hold a Raydium CLMM pool")

    def key(offset: int) -> Pubkey:
        return Pubkey.from_bytes(data[offset : offset + 32])

    (spacing,) = struct.unpack_from("<H", data, 235)
    extension, _ = _address(b"pool_tick_array_bitmap_extension", bytes(pool))
    mints, vaults = (key(73), key(105)), (key(137), key(169))
    return PoolKeys(pool, key(9), spacing, mints, token_programs, vaults, key(201), extension)


def tick_array_address(pool: Pubkey, start: int) -> Pubkey:
    """Address of the tick array that starts at tick ``start``."""
    return _address(b"tick_array", bytes(pool), struct.pack(">i", start))[0]


def _bits(data: bytes, first: int) -> frozenset[int]:
    value, found = int.from_bytes(data, "little"), []
    while value:
        found.append(first + (value & -value).bit_length() - 1)
        value &= value - 1
    return frozenset(found)


def array_numbers(pool: bytes, extension: bytes) -> frozenset[int]:
    """Numbers of the arrays with an initialized tick: their start tick over 60 times the spacing."""
    numbers = _bits(pool[904:1032], -OWN_ARRAYS)
    for page in range(14):
        numbers |= _bits(extension[40 + 64 * page : 104 + 64 * page], OWN_ARRAYS * (page + 1))
        numbers |= _bits(extension[936 + 64 * page : 1000 + 64 * page], -OWN_ARRAYS * (page + 2))
    return numbers


def current_tick(pool: bytes) -> int:
    """The tick in a pool's account."""
    return int.from_bytes(pool[269:273], "little", signed=True)


def swap_arrays(pool: bytes, extension: bytes, zero_for_one: bool) -> list[int]:
    """Start ticks of the arrays that a swap names: the next ones of the bitmap, at most three."""
    span = ARRAY_TICKS * int(struct.unpack_from("<H", pool, 235)[0])
    at = current_tick(pool) // span
    numbers = array_numbers(pool, extension)
    if zero_for_one:
        ahead = sorted((n for n in numbers if n <= at), reverse=True)
    else:
        ahead = sorted(n for n in numbers if n >= at)
    return [number * span for number in ahead[:SWAP_ARRAYS]]


# -- account data -------------------------------------------------------------------------------------------


def config_data(
    *, index: int, tick_spacing: int, trade_fee_rate: int, protocol_fee_rate: int, fund_fee_rate: int
) -> bytes:
    """The bytes of an AmmConfig account (117) that nobody rules."""
    bump = _address(b"amm_config", struct.pack(">H", index))[1]
    head = _discriminator("account:AmmConfig") + struct.pack("<BH", bump, index) + bytes(32)
    rates = struct.pack("<IIHI", protocol_fee_rate, trade_fee_rate, tick_spacing, fund_fee_rate)
    return (head + rates).ljust(117, b"\0")


def _bitmap(numbers: Iterable[int], first: int, size: int) -> bytes:
    return sum(1 << number - first for number in numbers if first <= number < first + 8 * size).to_bytes(size, "little")


def pool_data(
    keys: PoolKeys,
    *,
    sqrt_price: int,
    tick: int,
    liquidity: int,
    numbers: Iterable[int],
    decimals: tuple[int, int] = (9, 6),
    open_time: int = 0,
    fee_on: int = 0,
    dynamic: DynamicFee | None = None,
) -> bytes:
    """The bytes of a pool's account (1544); ``numbers`` are of the arrays with an initialized tick.

    ``fee_on`` says which token pays fees: 0 the one that comes in, 1 token 0, 2 token 1.
    """
    bump = _address(b"pool", bytes(keys.config), *map(bytes, keys.mints))[1]
    addresses = (keys.config, NOBODY, *keys.mints, *keys.vaults, keys.observation)
    data = bytearray(_discriminator("account:PoolState") + bytes((bump,)) + b"".join(map(bytes, addresses)))
    data += struct.pack("<BBH", *decimals, keys.tick_spacing)
    data += liquidity.to_bytes(16, "little") + sqrt_price.to_bytes(16, "little") + struct.pack("<i", tick)
    data += bytes(POOL_SIZE - len(data))
    data[390] = fee_on
    data[904:1032] = _bitmap(numbers, -OWN_ARRAYS, 128)
    struct.pack_into("<Q", data, 1080, open_time)
    if dynamic is not None:
        struct.pack_into(
            "<HHHIIi", data, 1096, dynamic.filter_period, dynamic.decay_period, dynamic.reduction_factor,
            dynamic.control, dynamic.max_volatility_accumulator, tick // keys.tick_spacing,
        )  # fmt: skip
    return bytes(data)


def extension_data(pool: Pubkey, numbers: Iterable[int]) -> bytes:
    """The bytes of a pool's bitmap extension (1832)."""
    known = list(numbers)
    above = [_bitmap(known, OWN_ARRAYS * (page + 1), 64) for page in range(14)]
    below = [_bitmap(known, -OWN_ARRAYS * (page + 2), 64) for page in range(14)]
    return _discriminator("account:TickArrayBitmapExtension") + bytes(pool) + b"".join(above + below)


def tick_array_data(
    pool: Pubkey,
    start: int,
    tick_spacing: int,
    ticks: Mapping[int, tuple[int, int]],
    orders: Mapping[int, int] | None = None,
) -> bytes:
    """The bytes of a tick array (10240): net and gross liquidity by tick, and the amounts of limit orders there."""
    waiting = orders or {}
    data = bytearray(_discriminator("account:TickArrayState") + bytes(pool) + struct.pack("<i", start))
    data += bytes(10_240 - len(data))
    used = set(ticks) | set(waiting)
    for tick in used:
        at = 44 + 168 * ((tick - start) // tick_spacing)
        net, gross = ticks.get(tick, (0, 0))
        struct.pack_into("<i", data, at, tick)
        data[at + 4 : at + 20] = net.to_bytes(16, "little", signed=True)
        data[at + 20 : at + 36] = gross.to_bytes(16, "little")
        struct.pack_into("<Q", data, at + 124, waiting.get(tick, 0))
    data[10_124] = len(used)
    return bytes(data)


def observation_data(pool: Pubkey) -> bytes:
    """The bytes of a pool's ObservationState account (4483) before its first swap."""
    return (_discriminator("account:ObservationState") + bytes(11) + bytes(pool)).ljust(4_483, b"\0")


# -- whole pools --------------------------------------------------------------------------------------------


def reserves(positions: Sequence[Position], orders: Mapping[int, int], sqrt_price: int) -> tuple[int, int]:
    """What positions and limit orders put into the vaults at this price."""
    amounts = [0, 0]
    for position in positions:
        low, high = raydium_sqrt_price(position.lower), raydium_sqrt_price(position.upper)
        price = max(low, min(high, sqrt_price))
        amounts[0] += amount_a(position.liquidity, price, high, up=True)
        amounts[1] += amount_b(position.liquidity, low, price, up=True)
    for tick, amount in orders.items():
        amounts[raydium_sqrt_price(tick) <= sqrt_price] += amount
    return amounts[0], amounts[1]


def make_pool(
    keys: PoolKeys,
    *,
    sqrt_price: int,
    positions: Sequence[Position],
    config_index: int,
    trade_fee_rate: int,
    protocol_fee_rate: int = 120_000,
    fund_fee_rate: int = 40_000,
    fee_on: int = 0,
    dynamic: DynamicFee | None = None,
    orders: Mapping[int, int] | None = None,
    open_time: int = 0,
    vault_amounts: tuple[int, int] | None = None,
) -> dict[Pubkey, Account]:
    """The accounts of a pool: itself, config, vaults, tick arrays, bitmap extension, observations.

    ``keys`` are :func:`derive_pool`'s of :func:`config_address` ``(config_index)``.  ``orders`` are amounts of limit
    orders by tick, of token 0 above the price and of token 1 below.  The vaults hold what positions and orders put
    in, or ``vault_amounts``; those of Token-2022 mints get the bytes that an account without extensions has.
    """
    tick = tick_at(sqrt_price, raydium_sqrt_price)
    waiting = dict(orders or {})
    ticks = initialized_ticks(positions)
    span = ARRAY_TICKS * keys.tick_spacing
    numbers = sorted({at // span for at in (*ticks, *waiting)})
    data = pool_data(
        keys, sqrt_price=sqrt_price, tick=tick, numbers=numbers, open_time=open_time, fee_on=fee_on, dynamic=dynamic,
        liquidity=sum(p.liquidity for p in positions if p.lower <= tick < p.upper),
    )  # fmt: skip
    config = config_data(
        index=config_index, tick_spacing=keys.tick_spacing, trade_fee_rate=trade_fee_rate,
        protocol_fee_rate=protocol_fee_rate, fund_fee_rate=fund_fee_rate,
    )  # fmt: skip
    accounts = {
        keys.pool: owned(data),
        keys.config: owned(config),
        keys.observation: owned(observation_data(keys.pool)),
        keys.extension: owned(extension_data(keys.pool, numbers)),
    }
    for start in (number * span for number in numbers):
        inside = {at: ticks[at] for at in ticks if start <= at < start + span}
        there = {at: waiting[at] for at in waiting if start <= at < start + span}
        array = tick_array_data(keys.pool, start, keys.tick_spacing, inside, there)
        accounts[tick_array_address(keys.pool, start)] = owned(array)
    amounts = vault_amounts or reserves(positions, waiting, sqrt_price)
    for vault, mint, program, amount in zip(keys.vaults, keys.mints, keys.token_programs, amounts, strict=True):
        held = token_account_data(mint=mint, owner=keys.pool, amount=amount, rent=None)
        accounts[vault] = owned(held, program)
    return accounts


# -- instructions -------------------------------------------------------------------------------------------


def swap_instruction(
    keys: PoolKeys,
    *,
    arrays: Sequence[int],
    payer: Pubkey,
    user_accounts: tuple[Pubkey, Pubkey],
    zero_for_one: bool,
    exact_in: bool,
    amount: int,
    threshold: int,
    sqrt_price_limit: int = 0,
    v2: bool = False,
) -> Instruction:
    """Sells exactly ``amount`` for at least ``threshold``, or buys it for at most ``threshold``.

    ``arrays`` are start ticks (:func:`swap_arrays`), ``user_accounts`` hold token 0 and token 1.  Only ``v2`` takes
    Token-2022 mints.
    """

    def account(key: Pubkey, *, writable: bool = True) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=writable)

    into, out = (0, 1) if zero_for_one else (1, 0)
    accounts = [
        AccountMeta(payer, is_signer=True, is_writable=False),
        account(keys.config, writable=False),
        account(keys.pool),
        account(user_accounts[into]),
        account(user_accounts[out]),
        account(keys.vaults[into]),
        account(keys.vaults[out]),
        account(keys.observation),
        account(TOKEN_PROGRAM_ID, writable=False),
    ]
    named = [account(tick_array_address(keys.pool, start)) for start in arrays]
    if v2:
        others = (TOKEN_2022_PROGRAM_ID, MEMO_PROGRAM_ID, keys.mints[into], keys.mints[out])
        accounts += [*(account(key, writable=False) for key in others), account(keys.extension), *named]
    else:
        accounts += [*named[:1], account(keys.extension), *named[1:]]
    data = _discriminator("global:swap_v2" if v2 else "global:swap") + struct.pack("<QQ", amount, threshold)
    return Instruction(PROGRAM_ID, data + sqrt_price_limit.to_bytes(16, "little") + bytes((exact_in,)), accounts)
