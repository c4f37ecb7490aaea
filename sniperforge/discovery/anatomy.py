"""What a pool of each venue is made of, told from the bytes of its own account.

A venue is one line of `VENUES`. Its `anatomy` says which accounts price a pool and which others a swap touches; where
liquidity lies in tick or bin arrays, `arrays` names those around the price. Both only derive addresses; what of them
exists is for `reader` to find out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID, WRAPPED_SOL_MINT

from sniperforge import base58
from sniperforge.venues import (
    meteora_damm_v2,
    meteora_dlmm_accounts,
    orca_whirlpool,
    pump_fees,
    pump_fun,
    pump_swap,
    raydium_amm_v4,
    raydium_clmm,
    raydium_clmm_swap,
    raydium_cpmm,
    ticks,
)

TOKEN = TOKEN_PROGRAM_ID
TOKEN_2022 = TOKEN_2022_PROGRAM_ID
ASSOCIATED_TOKEN = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
WRAPPED_SOL = WRAPPED_SOL_MINT
PUMP_FUN_GLOBAL = Pubkey.find_program_address([b"global"], pump_fun.PROGRAM)[0]
PUMP_FUN_FEE_CONFIG = Pubkey.find_program_address([b"fee_config", bytes(pump_fun.PROGRAM)], pump_fees.PROGRAM)[0]


class NoPoolError(ValueError):
    """An account is no pool of a venue we know; the text says what it is."""


@dataclass(frozen=True)
class Anatomy:
    """The accounts a pool is made of. Pairs are tokens a and b, as its program orders them."""

    mints: tuple[Pubkey | None, Pubkey]
    """The first is None where the account does not say it: a bonding curve's coin."""
    vaults: tuple[Pubkey, ...]
    """Token accounts with what the pool owns, as far as the pool account names them."""
    usable: bool
    """The program would swap now, as far as the pool account says."""
    shared: tuple[Pubkey, ...] = ()
    """Accounts that price this pool and others: configs."""
    extension: Pubkey | None = None
    """Bitmap of arrays that the pool account has no room for; most pools have none."""
    oracle: Pubkey | None = None
    """An account of the pool's own that prices it; it may not exist."""
    others: tuple[Pubkey, ...] = ()
    """What a swap reads or writes besides, and what prices nothing; some may not exist."""


Arrays = Callable[[Pubkey, bytes, bytes, int], list[Pubkey]]
"""Addresses of the arrays around a pool's price, so many in each direction, the nearest first: the pool's address and
bytes, the extension's bytes (none: empty), the number. The array of the price itself is one of them."""


class Venue(NamedTuple):
    """One exchange program."""

    name: str
    program: Pubkey
    anatomy: Callable[[Pubkey, bytes], Anatomy]
    """Raises a VenueDataError (a ValueError) if the bytes are no pool."""
    filters: tuple[dict[str, Any], ...]
    """Of getProgramAccounts and programSubscribe: what passes are pools."""
    vaults_price: bool
    """The balances of the vaults are part of the price."""
    arrays: Arrays | None = None
    programs: tuple[Pubkey, ...] = ()
    """Programs that it calls, beside those that every chain has."""


def _key(data: bytes, offset: int) -> Pubkey:
    return Pubkey.from_bytes(data[offset : offset + 32])


def _derive(program: Pubkey, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), program)[0]


def associated(owner: Pubkey, mint: Pubkey, token_program: Pubkey) -> Pubkey:
    """The associated token account."""
    return _derive(ASSOCIATED_TOKEN, bytes(owner), bytes(token_program), bytes(mint))


# -- constant product ----------------------------------------------------------------------------------


def _amm_v4(address: Pubkey, data: bytes) -> Anatomy:
    pool = raydium_amm_v4.decode_pool(data)
    lp_mint, open_orders, market, target_orders = (_key(data, at) for at in (464, 496, 528, 592))
    return Anatomy(
        mints=pool.mints,
        vaults=pool.vaults,
        usable=pool.status in (raydium_amm_v4.SWAP_ONLY, raydium_amm_v4.WAITING_TRADE),
        others=(lp_mint, open_orders, market, target_orders),
    )


def _cpmm(address: Pubkey, data: bytes) -> Anatomy:
    pool = raydium_cpmm.decode_pool(address, data)
    return Anatomy(
        mints=pool.mints,
        vaults=pool.vaults,
        usable=not pool.status & raydium_cpmm.SWAP_DISABLED,
        shared=(pool.config,),
        others=(pool.observation, _key(data, 136)),
    )


def _pump_swap(address: Pubkey, data: bytes) -> Anatomy:
    pool = pump_swap.decode_pool(data)
    creator = _derive(pump_swap.PROGRAM, b"creator_vault", bytes(pool.coin_creator))
    return Anatomy(
        mints=pool.mints,
        vaults=pool.vaults,
        usable=True,
        shared=(pump_swap.GLOBAL_CONFIG, pump_swap.FEE_CONFIG),
        others=(
            _key(data, 107),
            *(associated(creator, pool.mints[1], program) for program in (TOKEN, TOKEN_2022)),
            _derive(pump_swap.PROGRAM, b"global_volume_accumulator"),
        ),
    )


def _pump_fun(address: Pubkey, data: bytes) -> Anatomy:
    curve = pump_fun.decode_curve(data)
    return Anatomy(
        mints=(None, WRAPPED_SOL if curve.quote_mint == Pubkey.default() else curve.quote_mint),
        vaults=(),
        usable=not curve.complete and curve.virtual[0] > 0,
        shared=(PUMP_FUN_GLOBAL, PUMP_FUN_FEE_CONFIG),
        others=(
            _derive(pump_fun.PROGRAM, b"creator-vault", bytes(curve.creator)),
            _derive(pump_fun.PROGRAM, b"global_volume_accumulator"),
        ),
    )


def curve_of(mint: Pubkey) -> Pubkey:
    """The address of a coin's bonding curve."""
    return _derive(pump_fun.PROGRAM, b"bonding-curve", bytes(mint))


# -- constant product within a range -------------------------------------------------------------------


def _damm_v2(address: Pubkey, data: bytes) -> Anatomy:
    pool = meteora_damm_v2.decode_pool(data)
    return Anatomy(mints=pool.mints, vaults=pool.vaults, usable=not pool.disabled)


# -- ticks and bins ------------------------------------------------------------------------------------


def _clmm(address: Pubkey, data: bytes) -> Anatomy:
    pool = raydium_clmm.decode_pool(data)
    return Anatomy(
        mints=pool.mints,
        vaults=pool.vaults,
        usable=not pool.status & raydium_clmm_swap.SWAP_DISABLED,
        shared=(pool.config,),
        extension=_derive(raydium_clmm.PROGRAM, b"pool_tick_array_bitmap_extension", bytes(address)),
        others=(pool.observation,),
    )


def _clmm_arrays(address: Pubkey, data: bytes, extension: bytes, reach: int) -> list[Pubkey]:
    pool = raydium_clmm.decode_pool(data)
    marked = set(pool.bitmap)
    if extension:
        marked |= raydium_clmm.decode_extension(extension)[1]
    span = raydium_clmm_swap.ARRAY_TICKS * pool.tick_spacing
    return [
        _derive(raydium_clmm.PROGRAM, b"tick_array", bytes(address), struct.pack(">i", number * span))
        for number in _around(marked, pool.tick // span, reach)
    ]


def _dlmm(address: Pubkey, data: bytes) -> Anatomy:
    pair = meteora_dlmm_accounts.decode_pair(data)
    return Anatomy(
        mints=pair.mints,
        vaults=pair.reserves,
        usable=pair.enabled,
        extension=_derive(meteora_dlmm_accounts.PROGRAM, b"bitmap", bytes(address)),
        others=(pair.oracle,),
    )


def _dlmm_arrays(address: Pubkey, data: bytes, extension: bytes, reach: int) -> list[Pubkey]:
    pair = meteora_dlmm_accounts.decode_pair(data)
    marked = set(pair.marked)
    if extension:
        marked |= meteora_dlmm_accounts.decode_bitmap(address, extension)
    return [
        _derive(meteora_dlmm_accounts.PROGRAM, b"bin_array", bytes(address), struct.pack("<q", number))
        for number in _around(marked, pair.active_id // meteora_dlmm_accounts.ARRAY_BINS, reach)
    ]


def _around(marked: Iterable[int], here: int, reach: int) -> list[int]:
    """Of the `marked` numbers the nearest on each side of `here`, and `here`."""
    below = islice(sorted((number for number in marked if number < here), reverse=True), reach)
    above = islice(sorted(number for number in marked if number > here), reach)
    return sorted((here, *below, *above), key=lambda number: abs(number - here))


def _whirlpool(address: Pubkey, data: bytes) -> Anatomy:
    pool = orca_whirlpool.decode_pool(data)
    return Anatomy(
        mints=pool.mints,
        vaults=pool.vaults,
        usable=True,
        oracle=_derive(orca_whirlpool.PROGRAM, b"oracle", bytes(address)),
    )


def _whirlpool_arrays(address: Pubkey, data: bytes, extension: bytes, reach: int) -> list[Pubkey]:
    pool = orca_whirlpool.decode_pool(data)
    span = orca_whirlpool.ARRAY_TICKS * pool.tick_spacing
    low, high = ticks.TICK_MIN // span, ticks.TICK_MAX // span
    here = pool.tick // span
    numbers = range(max(low, here - reach), min(high, here + reach) + 1)
    return [
        _derive(orca_whirlpool.PROGRAM, b"tick_array", bytes(address), str(number * span).encode())
        for number in sorted(numbers, key=lambda number: abs(number - here))
    ]


# -- the table -----------------------------------------------------------------------------------------


def _size(count: int) -> dict[str, Any]:
    return {"dataSize": count}


def _starts(discriminator: bytes) -> dict[str, Any]:
    return {"memcmp": {"offset": 0, "bytes": base58.encode(discriminator)}}


_NOT_COMPLETE = {"memcmp": {"offset": 48, "bytes": base58.encode(b"\0")}}

VENUES: dict[str, Venue] = {
    venue.name: venue
    for venue in (
        Venue("raydium_amm_v4", raydium_amm_v4.PROGRAM, _amm_v4, (_size(raydium_amm_v4.POOL_BYTES),), True),
        Venue(
            "raydium_cpmm",
            raydium_cpmm.PROGRAM,
            _cpmm,
            (_size(raydium_cpmm.POOL_BYTES), _starts(raydium_cpmm.POOL_DISCRIMINATOR)),
            True,
        ),
        Venue(
            "raydium_clmm",
            raydium_clmm.PROGRAM,
            _clmm,
            (_size(raydium_clmm.POOL_BYTES), _starts(raydium_clmm.POOL_DISCRIMINATOR)),
            False,
            _clmm_arrays,
        ),
        Venue(
            "orca_whirlpool",
            orca_whirlpool.PROGRAM,
            _whirlpool,
            (_size(orca_whirlpool.POOL_BYTES), _starts(orca_whirlpool.POOL_DISCRIMINATOR)),
            False,
            _whirlpool_arrays,
        ),
        Venue(
            "meteora_dlmm",
            meteora_dlmm_accounts.PROGRAM,
            _dlmm,
            (_size(meteora_dlmm_accounts.PAIR_BYTES), _starts(meteora_dlmm_accounts.PAIR_DISCRIMINATOR)),
            False,
            _dlmm_arrays,
        ),
        Venue(
            "meteora_damm_v2",
            meteora_damm_v2.PROGRAM,
            _damm_v2,
            (_size(meteora_damm_v2.POOL_BYTES), _starts(meteora_damm_v2.POOL_DISCRIMINATOR)),
            False,
        ),
        Venue(
            "pump_swap",
            pump_swap.PROGRAM,
            _pump_swap,
            (_starts(pump_swap.POOL_DISCRIMINATOR),),
            True,
            programs=(pump_fees.PROGRAM,),
        ),
        Venue(
            "pump_fun",
            pump_fun.PROGRAM,
            _pump_fun,
            (_starts(pump_fun.CURVE_DISCRIMINATOR), _NOT_COMPLETE),
            False,
            programs=(pump_fees.PROGRAM,),
        ),
    )
}
"""By name. The names are those of the venues' modules."""

BY_PROGRAM: dict[Pubkey, Venue] = {venue.program: venue for venue in VENUES.values()}


def dissect(address: Pubkey, owner: Pubkey, data: bytes) -> tuple[Venue, Anatomy]:
    """Venue and anatomy of the pool at `address`.

    Raises:
        NoPoolError: it is none.
    """
    venue = BY_PROGRAM.get(owner)
    if venue is None:
        raise NoPoolError(f"{address} belongs to {owner}, which is no venue we know")
    try:
        return venue, venue.anatomy(address, data)
    except ValueError as error:  # every venue's VenueDataError is one
        raise NoPoolError(f"{address} of {venue.name} is no pool: {error}") from None
