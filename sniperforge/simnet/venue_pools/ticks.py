"""How liquidity lies over the ticks of a new pool: a broad base, and several positions that ordinary trades cross."""

from __future__ import annotations

from sniperforge.simnet.orca_whirlpool_accounts import Position

_POSITIONS = ((-11_000, 11_000, 5), (-1_000, 1_000, 2), (-300, 300, 2), (100, 500, 1), (-500, -100, 1), (-90, 150, 1))
"""Distance of both ends from the price in ticks, and tenths of the liquidity at the price."""
_AT_PRICE = sum(share for low, high, share in _POSITIONS if low < 0 < high)


def positions(tick: int, spacing: int, liquidity: int) -> list[Position]:
    """Positions around a tick, whose sum there is about `liquidity`."""
    made = []
    for low, high, share in _POSITIONS:
        lower = (tick + low) // spacing * spacing
        upper = max((tick + high) // spacing * spacing, lower + spacing)
        made.append(Position(lower, upper, liquidity * share // _AT_PRICE))
    return made


def reserves(liquidity: int, sqrt_price: int) -> tuple[float, float] | None:
    """Reserves of the constant-product pool with this liquidity at this root of a price in Q64.64."""
    root = sqrt_price / 2.0**64
    return (liquidity / root, liquidity * root) if liquidity else None
