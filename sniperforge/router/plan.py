"""A trade planned: routes, what they give, what everything costs, and the least output to accept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

from sniperforge import text
from sniperforge.router import routes
from sniperforge.router.market import WSOL, Market, MarketError, name_of
from sniperforge.router.routes import Part, Route
from sniperforge.router.slippage import BPS, Slippage, SlippageTerms, Volatility, slippage

LAMPORTS_PER_SIGNATURE = 5000
TOKEN_ACCOUNT_RENT = 2_039_280  # lamports of 165 bytes, given back when the account is closed
_PROBE_LAMPORTS = 10_000_000
_BASE_UNITS = 5_000  # compute units besides the swaps

MODES = ("fastest", "protected")


@dataclass(frozen=True)
class Terms:
    """What a trade may cost and how it is sent.

    Attributes:
        mode: `fastest` or `protected` (see `docs/router.md`).
        cu_price_micro_lamports: priority fee a compute unit.
        tip_lamports: to a block engine, once a transaction; of protected trades and bundles.
        wallet_tokens: mints the wallet has an account of; None = only the input and SOL.
        others_share: usual size of others' trades, as a part of ours.
        slice_impact_bps: a protected trade is cut in time until a slice alone moves its routes less than this.
    """

    mode: str = "fastest"
    max_hops: int = 3
    max_routes: int = 4
    cu_price_micro_lamports: int = 10_000
    compute_units_per_hop: int = 120_000
    tip_lamports: int = 10_000
    wallet_tokens: frozenset[str] | None = None
    others_share: float = 0.25
    slice_impact_bps: float = 20.0
    max_slices: int = 10
    slice_gap_s: float = 2.0
    slippage: SlippageTerms = field(default_factory=SlippageTerms)


@dataclass(frozen=True)
class Slice:
    """A part of the trade in time, quoted on what the slices before it left in the pools."""

    amount_in: int
    amount_out: int
    min_out: int
    impact_bps: float  # against the price before the first slice


@dataclass(frozen=True)
class PlannedRoute:
    """One route of the plan with all its slices; amounts in base units, costs in lamports."""

    part: Part
    impact_bps: float
    slippage: Slippage
    slices: tuple[Slice, ...]
    base_fee: int
    priority_fee: int
    tip: int
    rent: int

    @property
    def min_out(self) -> int:
        return sum(each.min_out for each in self.slices)

    @property
    def lamports(self) -> int:
        return self.base_fee + self.priority_fee + self.tip + self.rent


@dataclass(frozen=True)
class Plan:
    """The trade. All its slices, `slice_gap_s` apart, take their share of every route."""

    market: Market
    terms: Terms
    mint_in: str
    mint_out: str
    routes: tuple[PlannedRoute, ...]
    single_out: int  # what the best single route would give
    lamport_price: float | None  # base units of the output for a lamport; None = not known here
    fastest: Plan | None = None  # the same trade in one piece and without protection

    @property
    def amount_in(self) -> int:
        return sum(route.part.amount_in for route in self.routes)

    @property
    def expected_out(self) -> int:
        return sum(route.part.amount_out for route in self.routes)

    @property
    def min_out(self) -> int:
        return sum(route.min_out for route in self.routes)

    @property
    def slices(self) -> list[Slice]:
        """Those of all routes together; their impact is the mean over what goes in."""
        return [
            Slice(
                amount_in := sum(each.amount_in for each in of_routes),
                sum(each.amount_out for each in of_routes),
                sum(each.min_out for each in of_routes),
                sum(each.impact_bps * each.amount_in for each in of_routes) / amount_in,
            )
            for of_routes in zip(*(route.slices for route in self.routes), strict=True)
        ]

    @property
    def duration_s(self) -> float:
        """From the first slice to the last."""
        return (len(self.routes[0].slices) - 1) * self.terms.slice_gap_s

    @property
    def slice_risk_bps(self) -> float:
        """Standard deviation of the price between the first slice and the last, on the worst route."""
        return max(route.slippage.volatility_bps for route in self.routes) * math.sqrt(self.duration_s)

    @property
    def lamports(self) -> int:
        return sum(route.lamports for route in self.routes)

    @property
    def net_out(self) -> float | None:
        """Output less all costs, in base units of the output; None where lamports have no price here."""
        return None if self.lamport_price is None else self.expected_out - self.lamports * self.lamport_price

    @property
    def notes(self) -> list[str]:
        """What was taken for granted of the pools used."""
        hops = [hop for route in self.routes for hop in route.part.route.hops]
        return list(dict.fromkeys(note for hop in hops for note in hop.pool.notes))

    @property
    def warning(self) -> str:
        """What is wrong with a protected trade, if anything."""
        impact = max(route.slices[0].impact_bps for route in self.routes)
        if self.terms.mode == "fastest" or impact <= self.terms.slice_impact_bps:
            return ""
        return (
            f"even cut into {text.count(len(self.routes[0].slices), 'slice')}, one alone moves a route by {impact:.2f} "
            f"bps, above the limit of {self.terms.slice_impact_bps:g} bps: trade less"
        )

    @property
    def protection(self) -> str:
        """How it is sent."""
        if self.terms.mode == "fastest":
            return (
                "fastest: all lanes at once, priority fee only; others may trade in front of ours within the "
                "slippage. `--mode protected` shows what it costs not to be"
            )
        count = len(self.routes[0].slices)
        return (
            "protected: tight least output from our own quote, a jitodontfront account in the transaction, the "
            f"bundle lane preferred ({self.terms.tip_lamports} lamports tip a transaction), "
            + (f"{count} slices {self.terms.slice_gap_s:g} s apart" if count > 1 else "in one piece")
        )


def plan(
    market: Market,
    mint_in: str,
    mint_out: str,
    amount_in: int,
    terms: Terms,
    volatility: Callable[[Route], Sequence[Volatility]] = lambda route: [Volatility()] * len(route.hops),
) -> Plan:
    """The best execution of `amount_in` of one token into the other.

    Args:
        volatility: how the prices of a route's pools wandered.

    Raises:
        MarketError: there is no route, or none carries so much.
    """
    found = routes.find(market, mint_in, mint_out, amount_in, terms.max_hops)
    price = _lamport_price(market, mint_out)
    count, parts = _cut(found, amount_in, terms, price or 0.0)
    if not parts:
        raise MarketError(_refusal(market, mint_in, mint_out, amount_in, terms))
    created: set[str] = set()
    planned = []
    for part in parts:
        base, priority, tip, _ = _route_lamports(part.route, terms)
        missing = _missing_accounts(part.route, terms, mint_in) - created
        created |= missing
        allowed = slippage(terms.slippage, volatility(part.route), _others_bps(part, terms))
        if terms.mode == "protected":
            allowed = _tight(allowed, terms)
        planned.append(
            PlannedRoute(
                part,
                part.route.impact_bps(part.amount_in),
                allowed,
                tuple(_slices(part, count, allowed)),
                count * base,
                count * priority,
                count * tip,
                len(missing) * TOKEN_ACCOUNT_RENT,
            )
        )
    single = max(route.pays(amount_in) for route in found)
    beside = None
    if terms.mode == "protected":
        beside = plan(market, mint_in, mint_out, amount_in, replace(terms, mode="fastest"), volatility)
    return Plan(market, terms, mint_in, mint_out, tuple(planned), single, price, beside)


def _refusal(market: Market, mint_in: str, mint_out: str, amount_in: int, terms: Terms) -> str:
    """Why a trade is not carried, and how much would be."""
    names = f"from {name_of(mint_in)} to {name_of(mint_out)}"
    if not routes.joined(market, mint_in, mint_out, terms.max_hops):
        return f"{market.where} has no route {names} within {terms.max_hops} hops"

    def of(units: int) -> str:
        if mint_in not in market.decimals:
            return f"{units} base units"
        return f"{text.amount(units, market.decimals[mint_in])} {name_of(mint_in)}"

    fits = routes.largest(market, mint_in, mint_out, amount_in, terms.max_hops, terms.max_routes)
    if fits:
        return (
            f"{of(amount_in)} is more than the routes {names} of {market.where} carry within {terms.max_hops} hops and "
            f"{terms.max_routes} parallel routes; at most {of(fits)} fits"
        )
    return (
        f"no pool on the way {names} in {market.where} gives anything for {of(amount_in)} or less: it is too little to "
        "trade, or the programs refuse swaps there now"
    )


def _route_lamports(route: Route, terms: Terms) -> tuple[int, int, int, int]:
    """Base fee, priority fee, tip and their sum of one transaction."""
    units = _BASE_UNITS + terms.compute_units_per_hop * len(route.hops)
    priority = -(-units * terms.cu_price_micro_lamports // 1_000_000)
    tip = terms.tip_lamports if terms.mode == "protected" else 0
    return LAMPORTS_PER_SIGNATURE, priority, tip, LAMPORTS_PER_SIGNATURE + priority + tip


def _missing_accounts(route: Route, terms: Terms, mint_in: str) -> set[str]:
    held = terms.wallet_tokens if terms.wallet_tokens is not None else frozenset({mint_in, WSOL})
    return {hop.mint_out for hop in route.hops} - held


def _lamport_price(market: Market, mint_out: str) -> float | None:
    if mint_out == WSOL:
        return 1.0
    if WSOL not in market.leaving:
        return None
    found = routes.find(market, WSOL, mint_out, _PROBE_LAMPORTS, 2)
    return found[0].pays(_PROBE_LAMPORTS) / _PROBE_LAMPORTS if found else None


def _others_bps(part: Part, terms: Terms) -> float:
    """What a trade of others' usual size before ours takes from our output.

    It is quoted in front of ours, and is never less than in a pool of constant product with the impact of ours. Where
    the pools do not carry both trades, all of our output may be lost.
    """
    others = max(int(part.amount_in * terms.others_share), 1)
    ahead, together = part.route.pays(others), part.route.pays(part.amount_in + others)
    if not ahead or not together:
        return float(BPS)
    quoted = (1 - (together - ahead) / part.amount_out) * BPS
    return max(quoted, 2 * terms.others_share * part.route.impact_bps(part.amount_in))


def _tight(allowed: Slippage, terms: Terms) -> Slippage:
    """A protected trade's: only the wander, so that a trade put in front of ours makes it fail."""
    wander = allowed.wander_bps / terms.slippage.z
    bps = min(terms.slippage.floor_bps + wander, terms.slippage.ceiling_bps)
    why = (
        f"protected: {terms.slippage.floor_bps:g} bps floor + {wander:.2f} bps wander (1 sd of "
        f"{allowed.volatility_bps:.2f} bps a second over {terms.slippage.land_s:g} s; {allowed.pools}); others' trades "
        "are not allowed for"
    )
    return replace(allowed, bps=bps, wander_bps=wander, others_bps=0.0, why=why)


def _cut(found: list[Route], amount_in: int, terms: Terms, lamport_price: float) -> tuple[int, list[Part]]:
    """In how many slices the trade is made, and its routes; a protected one in as few as keep the impact low."""
    best: tuple[int, list[Part]] = (1, [])
    for count in range(1, (terms.max_slices if terms.mode == "protected" else 1) + 1):
        # each slice pays for the route again
        parts = routes.split(found, amount_in, terms.max_routes, partial(_cost, terms, count * lamport_price))
        if not parts or (count > 1 and not all(all(_outputs(part, count)) for part in parts)):
            break
        best = (count, parts)
        if max(part.route.impact_bps(part.amount_in // count) for part in parts) <= terms.slice_impact_bps:
            break
    return best


def _cost(terms: Terms, lamport_price: float, route: Route) -> float:
    """Of a route's transaction, without rent: it is paid once a token, whichever route needs it first."""
    return _route_lamports(route, terms)[3] * lamport_price


def _inputs(part: Part, count: int) -> list[int]:
    """Equal slices of a route's input; the last takes what is left."""
    size = part.amount_in // count
    return [*[size] * (count - 1), part.amount_in - size * (count - 1)]


def _outputs(part: Part, count: int) -> list[int]:
    """What each slice gives if nothing flows back into the pools: all slices up to it, less all before it."""
    together = [part.route.pays(amount) for amount in accumulate(_inputs(part, count))]
    return [out - before for before, out in pairwise([0, *together])]


def _slices(part: Part, count: int, allowed: Slippage) -> Iterable[Slice]:
    inputs, outputs = _inputs(part, count), _outputs(part, count)
    left = 1 - part.route.impact_bps(inputs[0]) / BPS
    for amount, out in zip(inputs, outputs, strict=True):
        of_first = out * inputs[0] / (amount * outputs[0])  # its price, of the first slice's
        yield Slice(amount, out, allowed.min_out(out), max(0.0, (1 - left * of_first) * BPS))


def to_json(made: Plan) -> dict[str, Any]:
    """The plan as plain values; amounts in base units."""
    return {
        "where": made.market.where,
        "mint_in": made.mint_in,
        "mint_out": made.mint_out,
        "amount_in": made.amount_in,
        "mode": made.terms.mode,
        "protection": made.protection,
        "expected_out": made.expected_out,
        "best_single_route_out": made.single_out,
        "min_out": made.min_out,
        "net_out": made.net_out,
        "lamports": made.lamports,
        "slices": [
            {
                "after_s": number * made.terms.slice_gap_s,
                "amount_in": each.amount_in,
                "expected_out": each.amount_out,
                "min_out": each.min_out,
                "impact_bps": each.impact_bps,
            }
            for number, each in enumerate(made.slices)
        ],
        "slice_risk_bps": made.slice_risk_bps,
        "warning": made.warning,
        "fastest": made.fastest
        and {
            "expected_out": made.fastest.expected_out,
            "min_out": made.fastest.min_out,
            "net_out": made.fastest.net_out,
            "lamports": made.fastest.lamports,
        },
        "routes": [
            {
                "share": route.part.amount_in / made.amount_in,
                "amount_in": route.part.amount_in,
                "expected_out": route.part.amount_out,
                "min_out": route.min_out,
                "impact_bps": route.impact_bps,
                "slippage_bps": route.slippage.bps,
                "volatility_bps": route.slippage.volatility_bps,
                "slippage_why": route.slippage.why,
                "base_fee_lamports": route.base_fee,
                "priority_fee_lamports": route.priority_fee,
                "tip_lamports": route.tip,
                "rent_lamports": route.rent,
                "hops": [
                    {
                        "venue": hop.pool.venue,
                        "pool": hop.pool.address,
                        "mint_in": hop.mint_in,
                        "mint_out": hop.mint_out,
                        "amount_in": quote.amount_in,
                        "amount_out": quote.amount_out,
                        "fee": quote.fee,
                        "fee_mint": hop.mint_in if quote.fee_in_input else hop.mint_out,
                        "crossed": quote.crossed,
                    }
                    for hop, quote in zip(route.part.route.hops, route.part.quotes, strict=True)
                ],
            }
            for route in made.routes
        ],
        "notes": made.notes,
        "left_out": made.market.left_out,
    }
