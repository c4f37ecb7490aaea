"""Where pools of each venue keep what the checks look at: mints, vaults, LP mint, makers, opening time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

from sniperforge.venues import (
    meteora_damm_v2,
    meteora_dlmm,
    meteora_dlmm_accounts,
    orca_whirlpool,
    pump_fun,
    pump_swap,
    raydium_amm_v4,
    raydium_clmm,
    raydium_cpmm,
)
from sniperforge.venues.pools import PUMP_FUN_FEE_CONFIG, PUMP_FUN_GLOBAL, WRAPPED_SOL

_REACH = 3
"""Tick or bin arrays read on each side of the price."""

Needs = Callable[[Pubkey, bytes], list[Pubkey]]


def _nothing(address: Pubkey, data: bytes) -> list[Pubkey]:
    return []


class Layout(NamedTuple):
    """A venue's pool account. Numbers are offsets; None where it has no such field."""

    name: str
    program: Pubkey
    size: int | None
    """Length of the account; None where versions differ."""
    mints: tuple[int, int]
    vaults: tuple[int, int]
    needs: Needs = _nothing
    """Further accounts that price the pool."""
    lp: tuple[int, int] | None = None
    """LP mint, and how much of it the pool has ever given out and not taken back (u64)."""
    creators: tuple[int, ...] = ()
    open_time: int | None = None
    locked: tuple[int, int] | None = None
    """Liquidity, and how much of it is locked for ever (u128)."""


def key_at(data: bytes, offset: int) -> Pubkey:
    """The address at `offset`."""
    return Pubkey.from_bytes(data[offset : offset + 32])


def _config(offset: int) -> Needs:
    return lambda address, data: [key_at(data, offset)]


def _seeded(program: Pubkey, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), program)[0]


def _clmm_needs(address: Pubkey, data: bytes) -> list[Pubkey]:
    pool = raydium_clmm.decode_pool(data)
    span = 60 * pool.tick_spacing
    starts = [(pool.tick // span + i) * span for i in range(-_REACH, _REACH + 1)]
    arrays = [_seeded(raydium_clmm.PROGRAM, b"tick_array", bytes(address), struct.pack(">i", n)) for n in starts]
    extension = _seeded(raydium_clmm.PROGRAM, b"pool_tick_array_bitmap_extension", bytes(address))
    return [pool.config, extension, *arrays]


def _whirlpool_needs(address: Pubkey, data: bytes) -> list[Pubkey]:
    pool = orca_whirlpool.decode_pool(data)
    arrays = whirlpool_arrays(address, pool, True) + whirlpool_arrays(address, pool, False)
    return [_seeded(orca_whirlpool.PROGRAM, b"oracle", bytes(address)), *dict.fromkeys(arrays)]


def whirlpool_arrays(address: Pubkey, pool: orca_whirlpool.Pool, a_to_b: bool) -> list[Pubkey]:
    """The tick arrays that a swap names, in order."""
    starts = orca_whirlpool.array_starts(pool.tick_spacing, pool.tick, a_to_b)
    return [_seeded(orca_whirlpool.PROGRAM, b"tick_array", bytes(address), str(n).encode()) for n in starts]


def _dlmm_needs(address: Pubkey, data: bytes) -> list[Pubkey]:
    middle = meteora_dlmm_accounts.decode_pair(data).active_id // meteora_dlmm_accounts.ARRAY_BINS
    numbers = range(middle - _REACH, middle + _REACH + 1)
    arrays = [_seeded(meteora_dlmm.PROGRAM, b"bin_array", bytes(address), struct.pack("<q", n)) for n in numbers]
    return [_seeded(meteora_dlmm.PROGRAM, b"bitmap", bytes(address)), *arrays]


def _pump_swap_needs(address: Pubkey, data: bytes) -> list[Pubkey]:
    return [pump_swap.GLOBAL_CONFIG, pump_swap.FEE_CONFIG]


LAYOUTS: Mapping[Pubkey, Layout] = {
    layout.program: layout
    for layout in (
        Layout(
            "raydium_amm_v4", raydium_amm_v4.PROGRAM, 752, (400, 432), (336, 368), lp=(464, 720), open_time=224
        ),
        Layout(
            "raydium_cpmm", raydium_cpmm.PROGRAM, 637, (168, 200), (72, 104), _config(8),
            lp=(136, 333), creators=(40,), open_time=373,
        ),
        Layout(
            "raydium_clmm", raydium_clmm.PROGRAM, 1544, (73, 105), (137, 169), _clmm_needs,
            creators=(41,), open_time=1080,
        ),
        Layout("orca_whirlpool", orca_whirlpool.PROGRAM, 653, (101, 181), (133, 213), _whirlpool_needs),
        Layout("meteora_dlmm", meteora_dlmm.PROGRAM, 904, (88, 120), (152, 184), _dlmm_needs),
        Layout(
            "meteora_damm_v2", meteora_damm_v2.PROGRAM, 1112, (168, 200), (232, 264),
            creators=(648,), locked=(360, 552),
        ),
        Layout(
            "pump_swap", pump_swap.PROGRAM, None, (43, 75), (139, 171), _pump_swap_needs,
            lp=(107, 203), creators=(11, 211),
        ),
    )
}  # fmt: skip
"""By program; pump.fun's curves are apart: they do not name their mint."""

POOL_DISCRIMINATORS = {
    raydium_cpmm.PROGRAM: raydium_cpmm.POOL_DISCRIMINATOR,
    raydium_clmm.PROGRAM: raydium_clmm.POOL_DISCRIMINATOR,
    pump_swap.PROGRAM: pump_swap.POOL_DISCRIMINATOR,
    meteora_dlmm.PROGRAM: meteora_dlmm_accounts.PAIR_DISCRIMINATOR,
}

VAULT_OWNERS = frozenset(
    {
        raydium_cpmm.AUTHORITY,
        _seeded(raydium_amm_v4.PROGRAM, b"amm authority"),
        meteora_damm_v2.AUTHORITY,
    }
)
"""Owners of all vaults of a venue; elsewhere the pool itself, an account of the venue's program, owns them."""

PROGRAMS = frozenset({*LAYOUTS, pump_fun.PROGRAM})


class CurveKeys(NamedTuple):
    """The addresses of a bonding curve."""

    curve: Pubkey
    tokens: Pubkey
    quote: Pubkey
    needs: tuple[Pubkey, ...]


def curve_address(mint: Pubkey) -> Pubkey:
    """pump.fun's bonding curve of a mint, whether or not there is one."""
    return _seeded(pump_fun.PROGRAM, b"bonding-curve", bytes(mint))


def curve_keys(mint: Pubkey, program: Pubkey, curve: pump_fun.Curve) -> CurveKeys:
    """The addresses of the curve of a mint of token program `program`."""
    address = curve_address(mint)
    quote = WRAPPED_SOL if curve.quote_mint == Pubkey.default() else curve.quote_mint
    tokens = get_associated_token_address(address, mint, program)
    needs = (Pubkey.from_string(PUMP_FUN_GLOBAL), Pubkey.from_string(PUMP_FUN_FEE_CONFIG))
    return CurveKeys(address, tokens, quote, needs)
