"""Meteora DAMM v2 accounts and instructions, built from plain values: what a market needs to open pools.

Source: MeteoraAg/damm-v2 ``state/{pool,fee}.rs``, ``instructions/swap/ix_swap.rs``.  Pairs are (a, b); prices are
square roots in Q64.64 of base units of b per base unit of a; rates are per 10^9.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

PROGRAM_ID = Pubkey.from_string("cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG")
TOKEN_PROGRAM_ID = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
INSTRUCTIONS_SYSVAR_ID = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")
NOBODY = Pubkey.default()
POOL_SIZE = 1112
SQRT_PRICE_MIN = 4295048016
SQRT_PRICE_MAX = 79226673521066979257578248091
RATE_ONE = 10**9
BOTH, ONLY_B, COMPOUNDING = range(3)
"""In which token fees are collected; compounding pools have no range."""
LINEAR, EXPONENTIAL, LIMITER, PRICE_LINEAR, PRICE_EXPONENTIAL = range(5)
EXACT_IN, PARTIAL, EXACT_OUT = range(3)


def _discriminator(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:8]


def _address(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)[0]


AUTHORITY = _address(b"pool_authority")
"""Owner of every vault."""
EVENT_AUTHORITY = _address(b"__event_authority")


@dataclass(frozen=True)
class PoolKeys:
    """The addresses of one pool."""

    pool: Pubkey
    mints: tuple[Pubkey, Pubkey]
    token_programs: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    limiter: bool = False
    """Whether a swap must name the sysvar of instructions."""


@dataclass(frozen=True)
class BaseFee:
    """The part of the rate that does not depend on volatility.

    ``cliff`` is the rate at the start.  Linear and exponential schedules take ``reduction`` off it (rate, or
    basis points) each of ``periods`` periods of ``period`` seconds or slots; by price ``period`` is basis points
    of the root's rise and ``duration`` ends it.  A limiter adds ``periods`` basis points each further ``reduction``
    of a buy, up to ``most`` basis points, for ``duration``.
    """

    cliff: int = 2_500_000
    mode: int = LINEAR
    periods: int = 0
    period: int = 0
    reduction: int = 0
    duration: int = 0
    most: int = 0


@dataclass(frozen=True)
class DynamicFee:
    """The part of the rate that grows with the square of volatility."""

    max_volatility: int = 14_460_000
    control: int = 956
    step: int = 1
    filter_seconds: int = 10
    decay_seconds: int = 120
    keep: int = 5_000


def sqrt_price(price: Fraction | float) -> int:
    """The root of a price, in base units of b per base unit of a."""
    price = Fraction(price)
    return isqrt((price.numerator << 128) // price.denominator)


def amounts_of(
    liquidity: int, price: int, price_min: int = SQRT_PRICE_MIN, price_max: int = SQRT_PRICE_MAX
) -> tuple[int, int]:
    """What the vaults hold of that liquidity between two prices, rounded up."""
    a = -(-liquidity * (price_max - price) // (price * price_max))
    return a, -(-liquidity * (price - price_min) >> 128)


def liquidity_of(b: int, price: int, price_min: int = SQRT_PRICE_MIN) -> int:
    """The liquidity of a pool that holds ``b`` base units of token b."""
    return (b << 128) // (price - price_min)


def derive_pool(
    *, mints: tuple[Pubkey, Pubkey], token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID)
) -> PoolKeys:
    """The keys of the customizable pool of two mints."""
    low, high = sorted(map(bytes, mints))
    pool = _address(b"cpool", high, low)
    vaults = tuple(_address(b"token_vault", bytes(mint), bytes(pool)) for mint in mints)
    return PoolKeys(pool, mints, token_programs, (vaults[0], vaults[1]))


def read_pool(
    pool: Pubkey, data: bytes, token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID)
) -> PoolKeys:
    """The keys of an existing pool from its account's bytes; raises ValueError for other bytes."""
    if len(data) != POOL_SIZE or data[:8] != _discriminator("account:Pool"):
        raise ValueError(f"{pool} does not hold a Meteora DAMM v2 pool")
    keys = [Pubkey.from_bytes(data[at : at + 32]) for at in (168, 200, 232, 264)]
    limiter = data[16] == LIMITER and any(data[22:40])
    return PoolKeys(pool, (keys[0], keys[1]), token_programs, (keys[2], keys[3]), limiter)


def _base_fee(base: BaseFee) -> bytes:
    data = struct.pack("<QB5xH", base.cliff, base.mode, base.periods)
    if base.mode == LIMITER:
        data += struct.pack("<II", base.duration, base.most)
    elif base.mode in (LINEAR, EXPONENTIAL):
        data += struct.pack("<Q", base.period)
    else:
        data += struct.pack("<II", base.period, base.duration)
    return data + struct.pack("<Q8x", base.reduction)


def _dynamic_fee(dynamic: DynamicFee | None) -> bytes:
    if dynamic is None:
        return bytes(96)
    data = struct.pack("<?7xII", True, dynamic.max_volatility, dynamic.control)
    data += struct.pack("<4H", dynamic.step, dynamic.filter_seconds, dynamic.decay_seconds, dynamic.keep)
    return (data + bytes(8) + ((dynamic.step << 64) // 10_000).to_bytes(16, "little")).ljust(96, b"\0")


DEFAULT_BASE = BaseFee()


def pool_data(
    keys: PoolKeys,
    *,
    price: int,
    liquidity: int,
    price_min: int = SQRT_PRICE_MIN,
    price_max: int = SQRT_PRICE_MAX,
    base: BaseFee = DEFAULT_BASE,
    dynamic: DynamicFee | None = None,
    collect: int = BOTH,
    protocol_percent: int = 20,
    referral_percent: int = 20,
    compounding_bps: int = 0,
    reserves: tuple[int, int] | None = None,
    activation_point: int = 0,
    by_time: bool = True,
    disabled: bool = False,
    creator: Pubkey = NOBODY,
) -> bytes:
    """The bytes of a pool's account (1112) before its first swap.

    ``reserves`` are what the pool counts as its own; by default what its liquidity is between the two prices
    (``amounts_of``), which a compounding pool has none of: it must be given them.
    """

    def wide(value: int) -> bytes:
        return value.to_bytes(16, "little")

    if reserves is None:
        reserves = amounts_of(liquidity, price, price_min, price_max)
    flags = [program != TOKEN_PROGRAM_ID for program in keys.token_programs]
    fees = _base_fee(base) + struct.pack("<BxB3xH", protocol_percent, referral_percent, compounding_bps)
    data = _discriminator("account:Pool") + fees + _dynamic_fee(dynamic) + wide(price)
    data += b"".join(map(bytes, (*keys.mints, *keys.vaults))) + bytes(64) + wide(liquidity) + bytes(48)
    data += wide(price_min) + wide(price_max) + wide(price)
    data += struct.pack("<Q????BBBx", activation_point, by_time, disabled, *flags, collect, 1, 1)
    data += bytes(64 + 16 + 80) + bytes(creator) + struct.pack("<QQB", *reserves, 1)
    return data.ljust(POOL_SIZE, b"\0")


def _accounts(
    keys: PoolKeys, payer: Pubkey, accounts: tuple[Pubkey, Pubkey], referral: Pubkey | None
) -> list[AccountMeta]:
    def ro(key: Pubkey) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=False)

    def rw(key: Pubkey) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=True)

    listed = [ro(AUTHORITY), rw(keys.pool), *map(rw, accounts), *map(rw, keys.vaults), *map(ro, keys.mints)]
    listed += [AccountMeta(payer, is_signer=True, is_writable=False), *map(ro, keys.token_programs)]
    listed += [ro(PROGRAM_ID) if referral is None else rw(referral), ro(EVENT_AUTHORITY), ro(PROGRAM_ID)]
    return [*listed, ro(INSTRUCTIONS_SYSVAR_ID)] if keys.limiter else listed


def swap_instruction(
    keys: PoolKeys,
    *,
    payer: Pubkey,
    input_account: Pubkey,
    output_account: Pubkey,
    amount_in: int,
    minimum_amount_out: int,
    referral: Pubkey | None = None,
) -> Instruction:
    """Sells exactly ``amount_in`` of the input account's mint; fails below ``minimum_amount_out`` received."""
    data = _discriminator("global:swap") + struct.pack("<QQ", amount_in, minimum_amount_out)
    return Instruction(PROGRAM_ID, data, _accounts(keys, payer, (input_account, output_account), referral))


def swap2_instruction(
    keys: PoolKeys,
    *,
    payer: Pubkey,
    input_account: Pubkey,
    output_account: Pubkey,
    amount: int,
    threshold: int,
    mode: int = EXACT_IN,
    referral: Pubkey | None = None,
) -> Instruction:
    """Sells ``amount`` for at least ``threshold`` (all of it, or with ``PARTIAL`` as much as the range takes), or
    with ``EXACT_OUT`` buys ``amount`` for at most ``threshold``."""
    data = _discriminator("global:swap2") + struct.pack("<QQB", amount, threshold, mode)
    return Instruction(PROGRAM_ID, data, _accounts(keys, payer, (input_account, output_account), referral))
