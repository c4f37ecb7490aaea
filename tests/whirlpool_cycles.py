"""Every two- and three-hop cycle over the Whirlpool pools of one moment, by brute force and in big integers.

Shares nothing with the searcher in C: pools and quotes are the plain-integer reference's, and all cycles are gone
through. The marginal test is exact (rational numbers of the square root prices), so no cycle that can earn is left
out; the best input of one that can is found by bracketing on exact quotes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from solders.pubkey import Pubkey

from sniperforge.venues import orca_whirlpool as orca
from sniperforge.venues.dumps import table
from sniperforge.venues.golden.orca_whirlpool import Snapshot

PPM = 1_000_000
Edge = tuple[str, bool]
"""Pool and direction (a to b)."""


@dataclass(frozen=True)
class Found:
    """A cycle from one of its tokens on; `profit` of the best input, both in base units of `mint`."""

    mint: Pubkey
    edges: tuple[Edge, ...]
    amount_in: int
    profit: int


class Pools:
    """The pools of a snapshot that have a price, with the arrays a swap of each direction goes through."""

    def __init__(self, path: Path) -> None:
        snapshot = Snapshot(table(path))
        self.addresses = list(snapshot.pools)
        self.mints: dict[str, tuple[Pubkey, Pubkey]] = {}
        self._state: dict[Edge, orca.State] = {}
        self._rate: dict[Edge, Fraction] = {}
        for address in self.addresses:
            _, pool = snapshot.pool(address)
            arrays = snapshot.arrays(address, pool.tick_spacing)
            self.mints[address] = pool.mints
            for a_to_b in (True, False):
                starts = orca.array_starts(pool.tick_spacing, pool.tick, a_to_b)[:3]
                # an array that does not exist is passed as an empty one
                nets = {start: arrays[start][1] if start in arrays else {} for start in starts}
                self._state[address, a_to_b] = orca.State.of(pool, nets)
                price = Fraction(pool.sqrt_price**2, 1 << 128)
                fee = Fraction(PPM - pool.fee_rate, PPM)
                self._rate[address, a_to_b] = (price if a_to_b else 1 / price) * fee

    def rate(self, edge: Edge) -> Fraction:
        """No input gives more than this times itself: the price before the swap, less the fee."""
        return self._rate[edge]

    def pays(self, edge: Edge, amount: int) -> int:
        """What comes out; 0 where the swap fails or does not take all of `amount`."""
        quote = self._state[edge].quote_in(edge[1], amount, 0)
        return quote.amount_out if quote.status == "ok" and quote.amount_in == amount else 0

    def ends(self, edge: Edge) -> tuple[Pubkey, Pubkey]:
        a, b = self.mints[edge[0]]
        return (a, b) if edge[1] else (b, a)


def cycles(pools: Pools) -> Iterator[tuple[Edge, ...]]:
    """All cycles of two and three pools whose marginal rate is above one, each once, whichever token it begins in.

    At the margin a cycle gives the product of the rates for one; for any more it gives less, as every price worsens.
    """
    leaving: dict[Pubkey, list[tuple[Edge, Pubkey]]] = defaultdict(list)
    for address in pools.addresses:
        for a_to_b in (True, False):
            edge = (address, a_to_b)
            first, second = pools.ends(edge)
            leaving[first].append((edge, second))
    for start, edges in leaving.items():
        for one, middle in edges:
            for two, end in leaving[middle]:
                if two[0] == one[0]:
                    continue
                if end == start:
                    if one < two and pools.rate(one) * pools.rate(two) > 1:
                        yield one, two
                    continue
                both = pools.rate(one) * pools.rate(two)
                for three, last in leaving[end]:
                    if last == start and one < min(two, three) and both * pools.rate(three) > 1:
                        yield one, two, three


def rotations(edges: tuple[Edge, ...]) -> Iterator[tuple[Edge, ...]]:
    """The same cycle from each of its tokens on."""
    for begin in range(len(edges)):
        yield edges[begin:] + edges[:begin]


def profit(pools: Pools, edges: tuple[Edge, ...], amount_in: int) -> int:
    """Output less input; minus the input where a hop fails."""
    amount = amount_in
    for edge in edges:
        if not amount:
            break
        amount = pools.pays(edge, amount)
    return amount - amount_in


def best(pools: Pools, edges: tuple[Edge, ...]) -> Found:
    """The input that earns most.

    Profit is concave in the input but for the last few units, which rounding moves: powers of two bracket the best
    input, thirds narrow the bracket, and where anything is earned the last 256 inputs are tried one by one.
    """
    amount = max((1 << bits for bits in range(63)), key=lambda each: profit(pools, edges, each))
    low, high, most = amount // 2, amount * 2, profit(pools, edges, amount)
    while high - low > 256:
        third = (high - low) // 3
        one, two = (profit(pools, edges, each) for each in (low + third, high - third))
        for each, earned in ((low + third, one), (high - third, two)):
            if earned > most:
                amount, most = each, earned
        low, high = (low + third, high) if one < two else (low, high - third)
    if most > 0 or amount <= 256:
        amount = max((amount, *range(max(low, 1), high + 1)), key=lambda each: profit(pools, edges, each))
    return Found(pools.ends(edges[0])[0], edges, amount, profit(pools, edges, amount))


def search(
    pools: Pools, mint: Pubkey, looked_at: Callable[[tuple[Edge, ...]], bool] = lambda walk: True
) -> list[Found]:
    """The cycles from `mint` to `mint` that earn something, of all or of those that are `looked_at`, the best first."""
    turned = (walk for edges in cycles(pools) for walk in rotations(edges) if pools.ends(walk[0])[0] == mint)
    found = [best(pools, walk) for walk in turned if looked_at(walk)]
    return sorted((each for each in found if each.profit > 0), key=lambda each: -each.profit)
