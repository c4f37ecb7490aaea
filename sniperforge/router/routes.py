"""Routes of one to three hops, and the best way to spread a trade over several of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from sniperforge.router.market import Hop, Market
from sniperforge.venues.quote import Quote

_WIDTH = 6  # ways to a token that are followed further
_CANDIDATES = 24  # routes that a split is made of
_PARTS = 64  # a trade is spread in so many steps


@dataclass(frozen=True)
class Route:
    """Hops one after the other; a token is met once."""

    hops: tuple[Hop, ...]

    @property
    def pools(self) -> frozenset[str]:
        return frozenset(hop.pool.address for hop in self.hops)

    def quotes(self, amount_in: int) -> list[Quote] | None:
        """What each hop pays for what the one before gives; None where one of them would fail."""
        found = []
        for hop in self.hops:
            quote = hop.pays(amount_in)
            if quote.status != "ok" or not quote.amount_out:
                return None
            found.append(quote)
            amount_in = quote.amount_out
        return found

    def pays(self, amount_in: int) -> int:
        """Output for an input, 0 where it would fail."""
        quotes = self.quotes(amount_in) if amount_in else None
        return quotes[-1].amount_out if quotes else 0

    def impact_bps(self, amount_in: int) -> float:
        """How much worse the price of a swap that can be is than that before it, fees not counted."""
        left = 1.0
        for hop, quote in zip(self.hops, self.quotes(amount_in) or (), strict=False):
            left *= 1 - hop.pool.impact_ppm(hop.a_to_b, amount_in) / 1_000_000
            amount_in = quote.amount_out
        return (1 - left) * 10_000


@dataclass(frozen=True)
class Part:
    """What one route of a split takes and gives."""

    route: Route
    amount_in: int
    quotes: tuple[Quote, ...]

    @property
    def amount_out(self) -> int:
        return self.quotes[-1].amount_out


def find(market: Market, mint_in: str, mint_out: str, amount_in: int, max_hops: int) -> list[Route]:
    """Routes that can carry some of a trade, the best for all of it first.

    Of all ways to a token, those that give most of it are followed further: once for the whole trade and once for
    a small part of it, as a shallow pool may be best for that.
    """
    found: dict[tuple[tuple[str, bool], ...], Route] = {}
    for amount in dict.fromkeys((amount_in, max(amount_in // 16, 1), max(amount_in // 256, 1))):
        for route in _walk(market, mint_in, mint_out, amount, max_hops):
            found.setdefault(tuple((hop.pool.address, hop.a_to_b) for hop in route.hops), route)
    return sorted(found.values(), key=lambda route: (-route.pays(amount_in), len(route.hops)))


def _walk(market: Market, mint_in: str, mint_out: str, amount: int, max_hops: int) -> list[Route]:
    done: list[tuple[int, Route]] = []
    reached: dict[str, list[tuple[int, tuple[Hop, ...]]]] = {mint_in: [(amount, ())]}
    last = {hop.mint_in for hop in _arriving(market, mint_out)}
    for left in range(max_hops - 1, -1, -1):
        further: dict[str, list[tuple[int, tuple[Hop, ...]]]] = defaultdict(list)
        for token, ways in reached.items():
            for hop in market.leaving[token]:
                to_end = hop.mint_out == mint_out
                if not to_end and (not left or (left == 1 and hop.mint_out not in last)):
                    continue
                for held, hops in ways:
                    if hop.mint_out == mint_in or any(hop.mint_out == each.mint_out for each in hops):
                        continue
                    quote = hop.pays(held)
                    if quote.status != "ok" or not quote.amount_out:
                        continue
                    if to_end:
                        done.append((quote.amount_out, Route((*hops, hop))))
                    else:
                        further[hop.mint_out].append((quote.amount_out, (*hops, hop)))
        reached = {token: sorted(ways, key=lambda way: -way[0])[:_WIDTH] for token, ways in further.items()}
    done.sort(key=lambda each: -each[0])
    return [route for _, route in done[:_CANDIDATES]]


def joined(market: Market, mint_in: str, mint_out: str, max_hops: int) -> bool:
    """Whether pools lead from one token to the other, whatever they pay."""
    reached = {mint_in}
    for _ in range(max_hops):
        reached |= {hop.mint_out for mint in reached for hop in market.leaving[mint]}
    return mint_out in reached


def largest(market: Market, mint_in: str, mint_out: str, too_much: int, max_hops: int, max_routes: int) -> int:
    """The largest trade below `too_much` that is carried, to a part in ten thousand; 0 if there is none."""

    def carried(amount: int) -> bool:
        return bool(split(find(market, mint_in, mint_out, amount, max_hops), amount, max_routes, lambda route: 0.0))

    fits, above = too_much, too_much
    while fits and not carried(fits):
        fits, above = fits // 4, fits
    while fits and above - fits > 1 + fits // 10_000:
        middle = (fits + above) // 2
        fits, above = (middle, above) if carried(middle) else (fits, middle)
    return fits


def _arriving(market: Market, mint: str) -> list[Hop]:
    return [Hop(hop.pool, not hop.a_to_b) for hop in market.leaving[mint]]


def split(routes: list[Route], amount_in: int, max_routes: int, route_cost: Callable[[Route], float]) -> list[Part]:
    """The trade over at most `max_routes` routes without a pool in common, so that the most is left after costs.

    Steps of the trade go one by one to the route that gives most for the next one; then ever smaller steps are moved
    between routes as long as that gives more. All amounts are exact quotes.

    Args:
        route_cost: what taking a route costs once, in base units of the output.
    """
    best: _Spread | None = None
    for start in range(min(len(routes), 4)):
        spread = _Spread(routes[:_CANDIDATES], route_cost)
        if spread.fill(start, amount_in, max_routes) and (best is None or spread.worth() > best.worth()):
            best = spread
    if best is None:
        return []
    best.refine(amount_in)
    parts = []
    for number, amount in sorted(best.chosen.items(), key=lambda each: -each[1]):
        quotes = routes[number].quotes(amount)
        if quotes:
            parts.append(Part(routes[number], amount, tuple(quotes)))
    return parts


class _Spread:
    """A trade over some of the routes: `chosen` is the input of each, by its number."""

    def __init__(self, routes: list[Route], route_cost: Callable[[Route], float]) -> None:
        self.chosen: dict[int, int] = {}
        self._routes = routes
        self._cost = [route_cost(route) for route in routes]
        self._known: dict[tuple[int, int], int] = {}

    def _pays(self, number: int, amount: int) -> int:
        if not amount:
            return 0
        if (number, amount) not in self._known:
            self._known[number, amount] = self._routes[number].pays(amount)
        return self._known[number, amount]

    def worth(self) -> float:
        """Output less the costs of the routes taken."""
        return self._worth(self.chosen)

    def _worth(self, chosen: dict[int, int]) -> float:
        return sum(self._pays(number, amount) - self._cost[number] for number, amount in chosen.items() if amount)

    def fill(self, start: int, amount_in: int, max_routes: int) -> bool:
        """Spreads the whole trade, beginning with route `start`; False if that cannot be."""
        self.chosen = {start: 0}
        left = amount_in
        while left:
            more = min(max(amount_in // _PARTS, 1), left)
            number = self._next(more, max_routes)
            if number is None:
                return False
            self.chosen[number] = self.chosen.get(number, 0) + more
            left -= more
        self.chosen = {number: amount for number, amount in self.chosen.items() if amount}
        return True

    def _next(self, more: int, max_routes: int) -> int | None:
        """The route that gives most for `more` on top of what it has."""
        used = frozenset[str]().union(*(self._routes[number].pools for number in self.chosen))
        best: tuple[float, int] | None = None
        for number, route in enumerate(self._routes):
            if number not in self.chosen and (len(self.chosen) == max_routes or used & route.pools):
                continue
            held = self.chosen.get(number, 0)
            after = self._pays(number, held + more)
            gain = after - self._pays(number, held) - (0.0 if held else self._cost[number])
            if after and (best is None or gain > best[0]):
                best = (gain, number)
        return best[1] if best else None

    def refine(self, amount_in: int) -> None:
        """Moves steps between the routes taken while that gives more; a route may end up with nothing."""
        step = max(amount_in // _PARTS, 1)
        while step and len(self.chosen) > 1:
            if not any(self._move(source, target, step) for source in self.chosen for target in self.chosen):
                step //= 4
        self.chosen = {number: amount for number, amount in self.chosen.items() if amount}

    def _move(self, source: int, target: int, step: int) -> bool:
        amount = min(step, self.chosen[source])
        if source == target or not amount:
            return False
        trial = {
            **self.chosen,
            source: self.chosen[source] - amount,
            target: self.chosen[target] + amount,
        }
        if not self._pays(target, trial[target]) or self._worth(trial) <= self._worth(self.chosen):
            return False
        self.chosen = trial
        return True
