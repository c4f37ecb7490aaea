"""A trade planned: routes, what they give, what everything costs, and the least output to accept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sniperforge.router import routes
from sniperforge.router.market import WSOL, Market, MarketError, name_of
from sniperforge.router.routes import Part, Route
from sniperforge.router.slippage import BPS, Slippage, SlippageTerms, slippage

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
        slice_impact_bps: a protected trade is cut in time until a slice moves its routes less than this.
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
class PlannedRoute:
    """One route of the plan; amounts in base units, costs in lamports."""

    part: Part
    impact_bps: float
    slippage: Slippage
    min_out: int
    base_fee: int
    priority_fee: int
    tip: int
    rent: int

    @property
    def lamports(self) -> int:
        return self.base_fee + self.priority_fee + self.tip + self.rent


@dataclass(frozen=True)
class Plan:
    """The trade. `slices` are its equal parts in time, `slice_gap_s` apart; routes are those of one slice."""

    market: Market
    terms: Terms
    mint_in: str
    mint_out: str
    amount_in: int
    slices: int
    routes: tuple[PlannedRoute, ...]
    single_out: int  # what the best single route would give for a slice
    lamport_price: float | None  # base units of the output for a lamport; None = not known here
    protection: str

    @property
    def slice_in(self) -> int:
        return sum(route.part.amount_in for route in self.routes)

    @property
    def expected_out(self) -> int:
        return sum(route.part.amount_out for route in self.routes)

    @property
    def lamports(self) -> int:
        return sum(route.lamports for route in self.routes)

    @property
    def net_out(self) -> float | None:
        """Output of a slice less all costs, in base units of the output; None where lamports have no price here."""
        return None if self.lamport_price is None else self.expected_out - self.lamports * self.lamport_price


def plan(
    market: Market,
    mint_in: str,
    mint_out: str,
    amount_in: int,
    terms: Terms,
    volatility: Callable[[Route], float | None] = lambda route: None,
) -> Plan:
    """The best execution of `amount_in` of one token into the other.

    Args:
        volatility: measured volatility of a route's price in basis points a second.

    Raises:
        MarketError: there is no route, or none carries so much.
    """
    found = routes.find(market, mint_in, mint_out, amount_in, terms.max_hops)
    if not found:
        raise MarketError(
            f"{market.where} has no route from {name_of(mint_in)} to {name_of(mint_out)} within {terms.max_hops} hops"
        )
    slices = _slices(market, mint_in, mint_out, amount_in, terms, found) if terms.mode == "protected" else 1
    size = -(-amount_in // slices)
    price = _lamport_price(market, mint_out)
    # what a second, third ... route costs on top: rent is paid once a token, whichever route needs it first
    cost = lambda route: _route_lamports(route, terms)[3] * (price or 0.0)  # noqa: E731
    parts = routes.split(found, size, terms.max_routes, cost)
    if not parts:
        raise MarketError(
            f"no routes of {market.where} together carry {size} base units of {name_of(mint_in)}; trade less, or allow "
            "more routes"
        )
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
                _impact_bps(part),
                allowed,
                allowed.min_out(part.amount_out),
                base,
                priority,
                tip,
                len(missing) * TOKEN_ACCOUNT_RENT,
            )
        )
    single = max(route.pays(size) for route in found)
    return Plan(
        market, terms, mint_in, mint_out, amount_in, slices, tuple(planned), single, price, _protection(terms, slices)
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


def _rate(route: Route, amount: int) -> float:
    return route.pays(amount) / amount if amount else 0.0


def _impact_bps(part: Part) -> float:
    """How much worse the whole part's price is than a thousandth's, fees being alike in both."""
    small = _rate(part.route, max(part.amount_in // 1000, 1))
    whole = part.amount_out / part.amount_in
    return max(0.0, (1 - whole / small) * BPS) if small else 0.0


def _others_bps(part: Part, terms: Terms) -> float:
    """What a trade of others' usual size before ours takes from our output."""
    others = int(part.amount_in * terms.others_share)
    alone, together = part.route.pays(part.amount_in), part.route.pays(part.amount_in + others)
    behind = together - part.route.pays(others)
    return max(0.0, (1 - behind / alone) * BPS) if others and alone and together else 0.0


def _tight(allowed: Slippage, terms: Terms) -> Slippage:
    """A protected trade's: only the wander, so that a trade put in front of ours makes it fail."""
    bps = min(terms.slippage.floor_bps + allowed.wander_bps / terms.slippage.z, allowed.bps)
    why = (
        f"protected: {terms.slippage.floor_bps:g} bps floor + one standard deviation of wander "
        f"({allowed.wander_bps / terms.slippage.z:.2f} bps); others' trades are not allowed for"
    )
    return Slippage(bps, allowed.volatility_bps, allowed.volatility_measured, allowed.wander_bps, 0.0, why)


def _slices(market: Market, mint_in: str, mint_out: str, amount_in: int, terms: Terms, found: Sequence[Route]) -> int:
    """How many equal parts in time keep the impact of each below the limit."""
    for count in range(1, terms.max_slices + 1):
        size = -(-amount_in // count)
        parts = routes.split(list(found), size, terms.max_routes, lambda route: 0.0)
        if parts and max(_impact_bps(part) for part in parts) <= terms.slice_impact_bps:
            return count
    return terms.max_slices


def _protection(terms: Terms, slices: int) -> str:
    if terms.mode == "fastest":
        return (
            "fastest: all lanes at once, priority fee only; others may trade in front of ours within the slippage. "
            "`--mode protected` shows what it costs not to be"
        )
    return (
        f"protected: tight least output from our own quote, a jitodontfront account in the transaction, the "
        f"bundle lane preferred ({terms.tip_lamports} lamports tip a transaction)"
        + (f", {slices} slices {terms.slice_gap_s:g} s apart" if slices > 1 else ", in one piece")
    )


def to_json(made: Plan) -> dict[str, Any]:
    """The plan as plain values; amounts in base units."""
    return {
        "where": made.market.where,
        "mint_in": made.mint_in,
        "mint_out": made.mint_out,
        "amount_in": made.amount_in,
        "mode": made.terms.mode,
        "protection": made.protection,
        "slices": made.slices,
        "slice_gap_s": made.terms.slice_gap_s if made.slices > 1 else 0,
        "slice_in": made.slice_in,
        "expected_out": made.expected_out,
        "expected_out_all_slices": made.expected_out * made.slices,
        "best_single_route_out": made.single_out,
        "min_out": sum(route.min_out for route in made.routes),
        "net_out": made.net_out,
        "lamports": made.lamports,
        "routes": [
            {
                "share": route.part.amount_in / made.slice_in,
                "amount_in": route.part.amount_in,
                "expected_out": route.part.amount_out,
                "min_out": route.min_out,
                "impact_bps": route.impact_bps,
                "slippage_bps": route.slippage.bps,
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
        "left_out": made.market.left_out,
    }
