"""Orca Whirlpool accounts and instructions, built from plain values: what a market needs to open pools.

Source: orca-so/whirlpools ``state/{whirlpool,fixed_tick_array,dynamic_tick_array,oracle,config,fee_tier}.rs``,
``instructions/{swap,v2/swap}.rs``.  Pairs are (token a, token b), ordered by address as the program orders them;
prices are square roots of token b per token a in Q64.64; rates are in millionths, the protocol's share of a fee in
hundredths of a percent.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet.faucet import token_account_data
from sniperforge.venues.orca_whirlpool import ARRAY_TICKS, array_starts
from sniperforge.venues.ticks import amount_a, amount_b, orca_sqrt_price, tick_at

PROGRAM_ID = Pubkey.from_string("whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc")
CONFIG = Pubkey.from_string("2LecshUwdy9xi7meFgHtFJQNSKk4KdTrcpvaB56dP2NQ")
TOKEN_PROGRAM_ID = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
MEMO_PROGRAM_ID = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
NOBODY = Pubkey.default()
POOL_SIZE = 653
SUPPLEMENTAL_TICK_ARRAYS = 6
"""The program's number of this kind of remaining accounts."""


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
    fee_tier_index: int
    tick_spacing: int
    mints: tuple[Pubkey, Pubkey]
    token_programs: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    oracle: Pubkey


@dataclass(frozen=True)
class Position:
    """Liquidity between two ticks."""

    lower: int
    upper: int
    liquidity: int


@dataclass(frozen=True)
class AdaptiveFee:
    """What raises a pool's fee by volatility; times in seconds."""

    filter_period: int = 30
    decay_period: int = 600
    reduction_factor: int = 500
    control_factor: int = 4_000
    max_volatility_accumulator: int = 350_000
    tick_group_size: int = 64
    major_swap_threshold_ticks: int = 64
    trade_enable_timestamp: int = 0


def derive_pool(
    *,
    mints: tuple[Pubkey, Pubkey],
    tick_spacing: int,
    config: Pubkey = CONFIG,
    fee_tier_index: int | None = None,
    token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID),
) -> PoolKeys:
    """The keys of a pool of two mints in the program's order.  Pools with an adaptive fee have a fee tier index that
    is not the tick spacing.

    Raises:
        ValueError: the mints are in the other order.
    """
    if bytes(mints[0]) >= bytes(mints[1]):
        raise ValueError(f"token a of a Whirlpool is the one with the lower address: give {mints[1]} first")
    index = tick_spacing if fee_tier_index is None else fee_tier_index
    seed = struct.pack("<H", index)
    pool, _ = _address(b"whirlpool", bytes(config), bytes(mints[0]), bytes(mints[1]), seed)
    vaults = [_address(b"vault", bytes(pool), bytes(mint))[0] for mint in mints]
    oracle, _ = _address(b"oracle", bytes(pool))
    return PoolKeys(pool, config, index, tick_spacing, mints, token_programs, (vaults[0], vaults[1]), oracle)


def read_pool(
    pool: Pubkey, data: bytes, token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID)
) -> PoolKeys:
    """The keys of an existing pool from its account's bytes; raises ValueError for other bytes."""
    if len(data) < POOL_SIZE or data[:8] != _discriminator("account:Whirlpool"):
        raise ValueError(f"{pool} does not hold an Orca Whirlpool")

    def key(offset: int) -> Pubkey:
        return Pubkey.from_bytes(data[offset : offset + 32])

    spacing, index = struct.unpack_from("<HH", data, 41)
    mints, vaults = (key(101), key(181)), (key(133), key(213))
    return PoolKeys(pool, key(8), index, spacing, mints, token_programs, vaults, _address(b"oracle", bytes(pool))[0])


def tick_array_address(pool: Pubkey, start: int) -> Pubkey:
    """Address of the tick array that starts at tick ``start``."""
    return _address(b"tick_array", bytes(pool), str(start).encode())[0]


def swap_arrays(keys: PoolKeys, tick: int, a_to_b: bool) -> tuple[Pubkey, Pubkey, Pubkey]:
    """The three tick arrays that a swap from ``tick`` names; near the ends of the range the last one again."""
    starts = array_starts(keys.tick_spacing, tick, a_to_b)
    found = [tick_array_address(keys.pool, start) for start in starts]
    found += [found[-1]] * (3 - len(found))
    return (found[0], found[1], found[2])


# -- account data -------------------------------------------------------------------------------------------


def pool_data(
    keys: PoolKeys,
    *,
    sqrt_price: int,
    tick: int,
    liquidity: int,
    fee_rate: int,
    protocol_fee_rate: int,
    fee_growth: tuple[int, int] = (0, 0),
    reward_time: int = 0,
) -> bytes:
    """The bytes of a pool's account (653)."""
    seeds = (b"whirlpool", bytes(keys.config), *map(bytes, keys.mints), struct.pack("<H", keys.fee_tier_index))
    head = _discriminator("account:Whirlpool") + bytes(keys.config)
    head += struct.pack(
        "<BHHHH", _address(*seeds)[1], keys.tick_spacing, keys.fee_tier_index, fee_rate, protocol_fee_rate
    )
    head += liquidity.to_bytes(16, "little") + sqrt_price.to_bytes(16, "little") + struct.pack("<iQQ", tick, 0, 0)
    sides = zip(keys.mints, keys.vaults, fee_growth, strict=True)
    body = b"".join(bytes(mint) + bytes(vault) + growth.to_bytes(16, "little") for mint, vault, growth in sides)
    return (head + body + struct.pack("<Q", reward_time)).ljust(POOL_SIZE, b"\0")


def tick_array_data(
    pool: Pubkey, start: int, tick_spacing: int, ticks: Mapping[int, tuple[int, int]], *, dynamic: bool = False
) -> bytes:
    """The bytes of a tick array; ``ticks`` gives net and gross liquidity by tick."""
    body, bitmap = b"", 0
    for i in range(ARRAY_TICKS):
        liquidity = ticks.get(start + i * tick_spacing)
        if liquidity is None:
            body += bytes(1 if dynamic else 113)
            continue
        bitmap |= 1 << i
        net, gross = liquidity
        body += b"\1" + net.to_bytes(16, "little", signed=True) + gross.to_bytes(16, "little") + bytes(80)
    if dynamic:
        head = _discriminator("account:DynamicTickArray") + struct.pack("<i", start) + bytes(pool)
        return head + bitmap.to_bytes(16, "little") + body
    return _discriminator("account:TickArray") + struct.pack("<i", start) + body + bytes(pool)


def oracle_data(pool: Pubkey, fee: AdaptiveFee) -> bytes:
    """The bytes of the oracle (254) of a pool with an adaptive fee, before its first swap."""
    data = _discriminator("account:Oracle") + bytes(pool) + struct.pack("<Q", fee.trade_enable_timestamp)
    data += struct.pack(
        "<HHHIIHH", fee.filter_period, fee.decay_period, fee.reduction_factor, fee.control_factor,
        fee.max_volatility_accumulator, fee.tick_group_size, fee.major_swap_threshold_ticks,
    )  # fmt: skip
    return data.ljust(254, b"\0")


def config_data(protocol_fee_rate: int) -> bytes:
    """The bytes of a WhirlpoolsConfig account (108) that nobody rules."""
    return _discriminator("account:WhirlpoolsConfig") + bytes(96) + struct.pack("<HH", protocol_fee_rate, 0)


def fee_tier_data(config: Pubkey, tick_spacing: int, fee_rate: int) -> bytes:
    """The bytes of a FeeTier account (44)."""
    return _discriminator("account:FeeTier") + bytes(config) + struct.pack("<HH", tick_spacing, fee_rate)


# -- whole pools --------------------------------------------------------------------------------------------


def initialized_ticks(positions: Sequence[Position]) -> dict[int, tuple[int, int]]:
    """Net and gross liquidity by tick."""
    ticks: dict[int, tuple[int, int]] = {}
    for position in positions:
        for tick, sign in ((position.lower, 1), (position.upper, -1)):
            net, gross = ticks.get(tick, (0, 0))
            ticks[tick] = (net + sign * position.liquidity, gross + position.liquidity)
    return ticks


def reserves(positions: Sequence[Position], sqrt_price: int) -> tuple[int, int]:
    """What the positions put into the vaults at this price."""
    a = b = 0
    for position in positions:
        low, high = orca_sqrt_price(position.lower), orca_sqrt_price(position.upper)
        price = max(low, min(high, sqrt_price))
        a += amount_a(position.liquidity, price, high, up=True)
        b += amount_b(position.liquidity, low, price, up=True)
    return a, b


def make_pool(
    keys: PoolKeys,
    *,
    sqrt_price: int,
    positions: Sequence[Position],
    fee_rate: int,
    protocol_fee_rate: int = 300,
    adaptive: AdaptiveFee | None = None,
    dynamic_arrays: bool = False,
    vault_amounts: tuple[int, int] | None = None,
) -> dict[Pubkey, Account]:
    """The accounts of a pool: itself, vaults, tick arrays with an initialized tick, config, fee tier, oracle.

    ``keys`` are :func:`derive_pool`'s.  The vaults hold what the positions put in, or ``vault_amounts``.  A pool with
    an ``adaptive`` fee has an oracle and no fee tier of its own.  Vaults of Token-2022 mints get the bytes that an
    account without extensions has.
    """
    tick = tick_at(sqrt_price, orca_sqrt_price)
    liquidity = sum(p.liquidity for p in positions if p.lower <= tick < p.upper)
    data = pool_data(
        keys, sqrt_price=sqrt_price, tick=tick, liquidity=liquidity, fee_rate=fee_rate,
        protocol_fee_rate=protocol_fee_rate,
    )  # fmt: skip
    accounts = {keys.pool: owned(data), keys.config: owned(config_data(protocol_fee_rate))}
    if adaptive is not None:
        accounts[keys.oracle] = owned(oracle_data(keys.pool, adaptive))
    else:
        tier, _ = _address(b"fee_tier", bytes(keys.config), struct.pack("<H", keys.fee_tier_index))
        accounts[tier] = owned(fee_tier_data(keys.config, keys.tick_spacing, fee_rate))
    span = ARRAY_TICKS * keys.tick_spacing
    ticks = initialized_ticks(positions)
    for start in sorted({tick // span * span for tick in ticks}):
        inside = {tick: ticks[tick] for tick in ticks if start <= tick < start + span}
        data = tick_array_data(keys.pool, start, keys.tick_spacing, inside, dynamic=dynamic_arrays)
        accounts[tick_array_address(keys.pool, start)] = owned(data)
    amounts = vault_amounts or reserves(positions, sqrt_price)
    for vault, mint, program, amount in zip(keys.vaults, keys.mints, keys.token_programs, amounts, strict=True):
        held = token_account_data(mint=mint, owner=keys.pool, amount=amount, rent=None)
        accounts[vault] = owned(held, program)
    return accounts


# -- instructions -------------------------------------------------------------------------------------------


def swap_instruction(
    keys: PoolKeys,
    *,
    tick: int,
    authority: Pubkey,
    user_accounts: tuple[Pubkey, Pubkey],
    a_to_b: bool,
    exact_in: bool,
    amount: int,
    threshold: int,
    sqrt_price_limit: int = 0,
    v2: bool = False,
    supplemental: Sequence[Pubkey] = (),
) -> Instruction:
    """Sells exactly ``amount`` for at least ``threshold``, or buys it for at most ``threshold``.

    ``tick`` is the pool's present one (:func:`current_tick`), ``user_accounts`` hold token a and b.  Only ``v2``
    takes Token-2022 mints and ``supplemental`` tick arrays.
    """

    def account(key: Pubkey, *, writable: bool = True) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=writable)

    signer = AccountMeta(authority, is_signer=True, is_writable=False)
    sides = [account(key) for pair in zip(user_accounts, keys.vaults, strict=True) for key in pair]
    arrays = [account(key) for key in swap_arrays(keys, tick, a_to_b)]
    if v2:
        programs = (*keys.token_programs, MEMO_PROGRAM_ID)
        accounts = [account(key, writable=False) for key in programs] + [signer, account(keys.pool)]
        accounts += [account(mint, writable=False) for mint in keys.mints]
    else:
        accounts = [account(TOKEN_PROGRAM_ID, writable=False), signer, account(keys.pool)]
    accounts += [*sides, *arrays, account(keys.oracle), *map(account, supplemental)]
    data = _discriminator("global:swap_v2" if v2 else "global:swap") + struct.pack("<QQ", amount, threshold)
    data += sqrt_price_limit.to_bytes(16, "little") + bytes((exact_in, a_to_b))
    if v2 and supplemental:
        data += struct.pack("<BIBB", 1, 1, SUPPLEMENTAL_TICK_ARRAYS, len(supplemental))
    elif v2:
        data += b"\0"
    return Instruction(PROGRAM_ID, data, accounts)


def current_tick(pool: bytes) -> int:
    """The tick in a pool's account."""
    return int.from_bytes(pool[81:85], "little", signed=True)
