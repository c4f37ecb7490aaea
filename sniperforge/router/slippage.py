"""How far below its quote a swap may land, from measured depth and recent volatility.

Between the quote and the block the price moves in two ways: it wanders, which grows with the square root of the time,
and others trade on the same pools before us, which moves a shallow pool more than a deep one. What is allowed is

    floor + z * volatility * sqrt(time to land) + what a trade of others' usual size moves on this route

never more than the ceiling, and the least output is never zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BPS = 10_000


@dataclass(frozen=True)
class SlippageTerms:
    """What the answer depends on; all in basis points and seconds.

    Attributes:
        floor_bps: always allowed.
        ceiling_bps: never more.
        z: standard deviations that shall pass.
        volatility_bps: standard deviation of one second's change of price, where none is measured.
        land_s: from the quote until the block.
    """

    floor_bps: float = 2.0
    ceiling_bps: float = 300.0
    z: float = 2.0
    volatility_bps: float = 5.0
    land_s: float = 0.8


@dataclass(frozen=True)
class Slippage:
    """What to set, in basis points, and why."""

    bps: float
    volatility_bps: float
    volatility_measured: bool
    wander_bps: float
    others_bps: float
    why: str

    def min_out(self, quoted: int) -> int:
        """The least output to accept; never zero."""
        return max(1, quoted - math.ceil(quoted * self.bps / BPS))


def volatility_bps(prices: Sequence[tuple[float, float]]) -> float | None:
    """Standard deviation of a second's change in basis points, from samples of (seconds, price).

    None where fewer than three changes were seen: then nothing is known.
    """
    changes = [
        (math.log(price / before), at - since)
        for (since, before), (at, price) in pairwise(prices)
        if price > 0 and before > 0 and at > since
    ]
    if len(changes) < 3:
        return None
    return math.sqrt(sum(change * change / span for change, span in changes) / len(changes)) * BPS


def slippage(terms: SlippageTerms, measured_bps: float | None, others_bps: float) -> Slippage:
    """What to allow.

    Args:
        measured_bps: volatility of the pair as `volatility_bps` gives it; None if not measured.
        others_bps: how much a trade of others' usual size worsens this route's price.
    """
    sigma = terms.volatility_bps if measured_bps is None else measured_bps
    wander = terms.z * sigma * math.sqrt(terms.land_s)
    wanted = terms.floor_bps + wander + others_bps
    allowed = min(wanted, terms.ceiling_bps)
    source = "measured" if measured_bps is not None else "assumed, none was measured"
    why = (
        f"{terms.floor_bps:g} bps floor + {wander:.2f} bps wander ({terms.z:g} sd of {sigma:.2f} bps a second, "
        f"{source}, over {terms.land_s:g} s) + {others_bps:.2f} bps others' trades"
    )
    if allowed < wanted:
        why += f"; cut to the ceiling of {terms.ceiling_bps:g} bps"
    return Slippage(allowed, sigma, measured_bps is not None, wander, others_bps, why)
