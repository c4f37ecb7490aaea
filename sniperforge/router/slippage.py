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
from typing import NamedTuple

from sniperforge import text

BPS = 10_000
CHANGES_NEEDED = 3
"""A price that was seen to change less often tells nothing of how it wanders."""


@dataclass(frozen=True)
class SlippageTerms:
    """What the answer depends on; all in basis points and seconds.

    Attributes:
        floor_bps: always allowed.
        ceiling_bps: never more.
        z: standard deviations that shall pass.
        volatility_bps: standard deviation of one second's change of a pool's price, at least, where too few were seen.
        land_s: from the quote until the block.
    """

    floor_bps: float = 2.0
    ceiling_bps: float = 300.0
    z: float = 2.0
    volatility_bps: float = 5.0
    land_s: float = 0.8


class Volatility(NamedTuple):
    """How the price of a pool was seen to wander.

    Attributes:
        bps: standard deviation of a second's change in basis points.
        changes: of the price that were seen.
    """

    bps: float = 0.0
    changes: int = 0


@dataclass(frozen=True)
class Slippage:
    """What to set, in basis points, and why.

    Attributes:
        volatility_bps: of the route in a second.
        pools: where that of each pool is from, for people.
    """

    bps: float
    volatility_bps: float
    pools: str
    wander_bps: float
    others_bps: float
    why: str

    def min_out(self, quoted: int) -> int:
        """The least output to accept; never zero."""
        return max(1, quoted - math.ceil(quoted * self.bps / BPS))


def volatility(prices: Sequence[tuple[float, float]]) -> Volatility:
    """What samples of (seconds, price) tell."""
    changes = [
        (math.log(price / before), at - since)
        for (since, before), (at, price) in pairwise(prices)
        if price > 0 and before > 0 and at > since
    ]
    if not changes:
        return Volatility()
    variance = sum(change * change / span for change, span in changes) / len(changes)
    return Volatility(math.sqrt(variance) * BPS, sum(change != 0 for change, _ in changes))


def slippage(terms: SlippageTerms, seen: Sequence[Volatility], others_bps: float) -> Slippage:
    """What to allow.

    Args:
        seen: of each pool of the route, taken for independent.
        others_bps: how much a trade of others' usual size worsens this route's price.
    """
    sigmas = [_sigma(terms, each) for each in seen]
    sigma = math.hypot(*sigmas)
    wander = terms.z * sigma * math.sqrt(terms.land_s)
    wanted = terms.floor_bps + wander + others_bps
    allowed = min(wanted, terms.ceiling_bps)
    pools = ", ".join(_source(each, taken) for each, taken in zip(seen, sigmas, strict=True))
    why = (
        f"{terms.floor_bps:g} bps floor + {wander:.2f} bps wander ({terms.z:g} sd of {sigma:.2f} bps a second over "
        f"{terms.land_s:g} s; {pools}) + {others_bps:.2f} bps others' trades"
    )
    if allowed < wanted:
        why += f"; cut to the ceiling of {terms.ceiling_bps:g} bps"
    return Slippage(allowed, sigma, pools, wander, others_bps, why)


def _sigma(terms: SlippageTerms, seen: Volatility) -> float:
    return seen.bps if seen.changes >= CHANGES_NEEDED else max(seen.bps, terms.volatility_bps)


def _source(seen: Volatility, taken: float) -> str:
    changes = text.count(seen.changes, "change")
    if seen.changes >= CHANGES_NEEDED:
        return f"{taken:.2f} measured on {changes} of price"
    how = "seen" if taken == seen.bps else "assumed"
    return f"{taken:.2f} {how}, with {changes} of price where {CHANGES_NEEDED} are needed to measure"
