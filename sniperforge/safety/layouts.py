"""Where pools of each venue keep what only the checks look at: LP mint, makers, opening time, locked liquidity.

What prices a pool is `sniperforge.discovery`'s to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from solders.pubkey import Pubkey

from sniperforge.discovery import Venue
from sniperforge.venues import (
    meteora_damm_v2,
    meteora_dlmm,
    orca_whirlpool,
    pump_swap,
    raydium_amm_v4,
    raydium_clmm,
    raydium_cpmm,
)

_REACH = 3
"""Tick or bin arrays read on each side of the price."""


class Layout(NamedTuple):
    """Offsets in a venue's pool account; None where it has no such field."""

    mints: tuple[int, int]
    lp: tuple[int, int] | None = None
    """LP mint, and how much of it the pool has ever given out and not taken back (u64)."""
    creators: tuple[int, ...] = ()
    open_time: int | None = None
    locked: tuple[int, int] | None = None
    """Liquidity, and how much of it is locked for ever (u128)."""


LAYOUTS: Mapping[Pubkey, Layout] = {
    raydium_amm_v4.PROGRAM: Layout((400, 432), lp=(464, 720), open_time=224),
    raydium_cpmm.PROGRAM: Layout((168, 200), lp=(136, 333), creators=(40,), open_time=373),
    raydium_clmm.PROGRAM: Layout((73, 105), creators=(41,), open_time=1080),
    orca_whirlpool.PROGRAM: Layout((101, 181)),
    meteora_dlmm.PROGRAM: Layout((88, 120)),
    meteora_damm_v2.PROGRAM: Layout((168, 200), creators=(648,), locked=(360, 552)),
    pump_swap.PROGRAM: Layout((43, 75), lp=(107, 203), creators=(11, 211)),
}
"""By program; pump.fun's curves are not here: they do not name their mint."""

VAULT_OWNERS = frozenset(
    {
        raydium_cpmm.AUTHORITY,
        Pubkey.find_program_address([b"amm authority"], raydium_amm_v4.PROGRAM)[0],
        meteora_damm_v2.AUTHORITY,
    }
)
"""Owners of all vaults of a venue; elsewhere the pool itself, an account of the venue's program, owns them."""


def key_at(data: bytes, offset: int) -> Pubkey:
    """The address at `offset`."""
    return Pubkey.from_bytes(data[offset : offset + 32])


def number_at(data: bytes, offset: int, size: int) -> int:
    """The unsigned number of `size` bytes at `offset`."""
    return int.from_bytes(data[offset : offset + size], "little")


def pricing(venue: Venue, address: Pubkey, data: bytes) -> list[Pubkey]:
    """The accounts that price a pool, beside itself, its mints and its vaults; some may not exist."""
    anatomy = venue.anatomy(address, data)
    own = [key for key in (anatomy.extension, anatomy.oracle) if key is not None]
    arrays = venue.arrays(address, data, b"", _REACH) if venue.arrays is not None else []
    return [*anatomy.shared, *own, *arrays]
