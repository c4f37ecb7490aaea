"""A plan for people."""

from __future__ import annotations

from collections.abc import Iterator

from sniperforge import text
from sniperforge.router.market import SYMBOLS, name_of
from sniperforge.router.plan import Plan, PlannedRoute

_SHOWN = 5  # pools left out that are named
_REMARKS = {"rent": ", of new token accounts; it comes back when they are closed"}


def table(made: Plan) -> str:
    """Routes, slices, costs and slippage, one below the other."""
    return "\n".join(_Table(made).lines())


class _Table:
    def __init__(self, made: Plan) -> None:
        self._made = made
        self._out = _short(made.mint_out)

    def lines(self) -> Iterator[str]:
        made, market = self._made, self._made.market
        pools = text.count(len(market.pools), "pool")
        names = f"{name_of(made.mint_in)} into {name_of(made.mint_out)},"
        yield f"{self._of(made.mint_in, made.amount_in)} {names} {pools} of {market.where}"
        yield ""
        yield from self._routes()
        yield ""
        if len(made.slices) > 1:
            yield from self._slices()
            yield ""
        yield f"expected  {self._gives(made.expected_out)}"
        if len(made.routes) > 1:
            yield f"          {self._gives(made.expected_out - made.single_out)} more than the best single route"
        yield f"at least  {self._gives(made.min_out)}"
        yield "costs"
        yield from self._costs()
        if made.net_out is not None:
            yield f"net       {self._gives(int(made.net_out))} after all costs"
        yield from self._beside()
        for number, route in enumerate(made.routes, 1):
            yield f"slippage  route {number}: {route.slippage.bps:.2f} bps = {route.slippage.why}"
        yield f"sent      {made.protection}"
        if made.warning:
            yield f"warning   {made.warning}"
        for note in made.notes:
            yield f"note      {note}"
        for sentence in market.left_out[:_SHOWN]:
            yield f"left out  {sentence}"
        if (more := len(market.left_out) - _SHOWN) > 0:
            yield f"left out  {text.count(more, 'more pool')}; --json lists them"

    def _of(self, mint: str, units: int) -> str:
        decimals = self._made.market.decimals
        return text.amount(units, decimals[mint]) if mint in decimals else f"{units} units"

    def _gives(self, units: int) -> str:
        return f"{self._of(self._made.mint_out, units)} {self._out}"

    def _row(self, first: str, amounts: tuple[int, int, int], impact_bps: float) -> str:
        made = self._made
        given, out, least = amounts
        return (
            f"{first:>6}  {self._of(made.mint_in, given):>18}  {self._of(made.mint_out, out):>18}  "
            f"{self._of(made.mint_out, least):>18}  {impact_bps:7.2f} bps"
        )

    def _routes(self) -> Iterator[str]:
        made = self._made
        yield f"{'share':>6}  {'in':>18}  {'out':>18}  {'at least':>18}  {'impact':>11}  {'slippage':>10}  route"
        for route in made.routes:
            part = route.part
            share = f"{100 * part.amount_in / made.amount_in:5.1f}%"
            row = self._row(share, (part.amount_in, part.amount_out, route.min_out), route.impact_bps)
            yield f"{row}  {route.slippage.bps:6.2f} bps  {self._way(route)}"

    def _way(self, route: PlannedRoute) -> str:
        hops = route.part.route.hops
        return " ".join(
            [
                *(f"{_short(hop.mint_in)} -{hop.pool.venue} {hop.pool.address[:8]}->" for hop in hops),
                self._out,
            ]
        )

    def _slices(self) -> Iterator[str]:
        made = self._made
        yield f"{'slice':>6}  {'in':>18}  {'out':>18}  {'at least':>18}  {'impact':>11}  {'after':>10}"
        for number, each in enumerate(made.slices):
            row = self._row(str(number + 1), (each.amount_in, each.amount_out, each.min_out), each.impact_bps)
            yield f"{row}  {number * made.terms.slice_gap_s:8.1f} s"
        yield self._row("total", (made.amount_in, made.expected_out, made.min_out), self._impact())
        yield (
            "        each slice trades on what those before it left: nothing is taken to flow back into the pools in "
            "between; impact is against the price before slice 1"
        )

    def _impact(self) -> float:
        made = self._made
        return sum(route.impact_bps * route.part.amount_in for route in made.routes) / made.amount_in

    def _costs(self) -> Iterator[str]:
        made = self._made
        for route in made.routes:
            for hop, quote in zip(route.part.route.hops, route.part.quotes, strict=True):
                mint = hop.mint_in if quote.fee_in_input else hop.mint_out
                fee = f"{self._of(mint, quote.fee)} {_short(mint)}"
                yield f"  {hop.pool.venue} {hop.pool.address[:8]}: fee {fee}"
        for name, units in _lamports(made).items():
            if units:
                yield f"  {name}: {text.amount(units, 9)} SOL{_REMARKS.get(name, '')}"
        yield "  transfer fees of the tokens are inside the amounts"

    def _beside(self) -> Iterator[str]:
        """What protection costs."""
        made, plain = self._made, self._made.fastest
        if plain is None:
            return
        yield f"{'beside':<23}  {'protected':>18}  {'fastest':>18}"
        lamports, plain_lamports = _lamports(made), _lamports(plain)
        rows: list[tuple[str, str, str]] = [
            (f"{name}, {self._out}", self._of(made.mint_out, ours), self._of(made.mint_out, theirs))
            for name, ours, theirs in (
                ("expected", made.expected_out, plain.expected_out),
                ("at least", made.min_out, plain.min_out),
                ("net", int(made.net_out or 0), int(plain.net_out or 0)),
            )
            if name != "net" or made.net_out is not None
        ]
        rows += [
            (f"{name}, SOL", text.amount(units, 9), text.amount(plain_lamports[name], 9))
            for name, units in lamports.items()
            if units
        ]
        rows.append(("price risk in between", f"{made.slice_risk_bps:.2f} bps", f"{plain.slice_risk_bps:.2f} bps"))
        for name, ours, theirs in rows:
            yield f"  {name:<21}  {ours:>18}  {theirs:>18}"
        if made.duration_s:
            yield (
                f"  price risk: 1 sd of {made.slice_risk_bps / made.duration_s**0.5:.2f} bps a second over the "
                f"{made.duration_s:g} s from the first slice to the last"
            )


def _lamports(made: Plan) -> dict[str, int]:
    """What is paid in lamports, of all transactions."""
    routes = made.routes
    return {
        "base fees": sum(route.base_fee for route in routes),
        "priority fees": sum(route.priority_fee for route in routes),
        "tips": sum(route.tip for route in routes),
        "rent": sum(route.rent for route in routes),
    }


def _short(mint: str) -> str:
    name = name_of(mint)
    return name if name in SYMBOLS else name[:8]
