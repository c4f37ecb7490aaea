"""`sniperforge execution-optimize`: the best execution of one trade, with all its costs.

    sniperforge execution-optimize --trade-size 1000 --token USDC [--for SOL] [--mode protected]
        [--instance NAME | --accounts DIR] [--json]

The pools come from a running instance, which is watched for a moment to see how prices wander, or from a directory
of account dumps. Nothing is sent.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from ipc.errors import CoreError
from sniperforge import exits, options, text
from sniperforge.router import market as markets
from sniperforge.router import plan as plans
from sniperforge.router.market import Market, MarketError, name_of
from sniperforge.router.plan import Plan, Terms
from sniperforge.router.routes import Route
from sniperforge.router.slippage import SlippageTerms


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sniperforge execution-optimize",
        description="Plans one trade over all pools, in one to three hops and over parallel routes. Nothing is sent.",
    )
    parser.add_argument(
        "--trade-size", metavar="AMOUNT", required=True, help="whole tokens that go in, e.g. 1000 or 0.5"
    )
    parser.add_argument("--token", metavar="TOKEN", required=True, help="what goes in: USDC, SOL, ... or a mint")
    parser.add_argument("--for", metavar="TOKEN", dest="into", help="what shall come out (default: SOL; for SOL: USDC)")
    options.add(parser)
    parser.add_argument("--watch", metavar="SECONDS", type=float, default=4.0, help="how long prices are watched")
    parser.add_argument("--accounts", metavar="DIR", type=Path, help="account dumps instead of a running instance")
    parser.add_argument("--at", metavar="UNIX", type=int, help="time of the trade with --accounts (default: now)")
    parser.add_argument("--mode", choices=plans.MODES, default="fastest", help="how it is sent (default: fastest)")
    parser.add_argument("--max-hops", type=int, choices=(1, 2, 3), default=3)
    parser.add_argument("--max-routes", type=int, choices=range(1, 9), default=4, help="parallel routes at most")
    parser.add_argument("--cu-price", metavar="MICROLAMPORTS", type=int, default=10_000, help="of a compute unit")
    parser.add_argument("--tip", metavar="LAMPORTS", type=int, default=10_000, help="a transaction, if protected")
    parser.add_argument("--max-slippage-bps", metavar="BPS", type=float, default=SlippageTerms.ceiling_bps)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 1 if no route carries the trade, 2 if it cannot be asked so."""
    arguments = _parser().parse_args(argv)
    try:
        found, wallet_tokens, volatility = _market(arguments)
        mint_in = found.token(arguments.token)
        mint_out = found.token(arguments.into or ("USDC" if name_of(mint_in) == "SOL" else "SOL"))
        amount = _base_units(arguments.trade_size, found.decimals_of(mint_in))
        if mint_in == mint_out:
            raise ValueError(f"{name_of(mint_in)} goes in and comes out; name another token with --for")
        found.decimals_of(mint_out)
    except CoreError as error:
        print(f"sniperforge execution-optimize: {error}; start it with `sniperforge run`", file=sys.stderr)
        return exits.NOT_RUNNING
    except (ValueError, OSError) as error:
        print(f"sniperforge execution-optimize: {error}", file=sys.stderr)
        return exits.USAGE
    terms = Terms(
        mode=arguments.mode,
        max_hops=arguments.max_hops,
        max_routes=arguments.max_routes,
        cu_price_micro_lamports=arguments.cu_price,
        tip_lamports=arguments.tip,
        wallet_tokens=wallet_tokens,
        slippage=SlippageTerms(ceiling_bps=arguments.max_slippage_bps),
    )
    try:
        made = plans.plan(found, mint_in, mint_out, amount, terms, volatility)
    except MarketError as error:
        print(f"sniperforge execution-optimize: {error}", file=sys.stderr)
        return exits.FAILED
    print(json.dumps(plans.to_json(made)) if arguments.json else _table(made))
    return exits.OK


def _market(
    arguments: argparse.Namespace,
) -> tuple[Market, frozenset[str] | None, Callable[[Route], float | None]]:
    """The pools to trade on, the tokens the wallet has accounts of if that is known, and how routes wander."""
    if arguments.accounts is None:
        from sniperforge.router import live

        seen = live.read(options.config(arguments).instance.name, arguments.watch)
        return seen.market, seen.wallet_tokens, seen.of
    if not arguments.accounts.is_dir():
        raise NotADirectoryError(f"{arguments.accounts} is no directory; --accounts names one with account dumps")
    return markets.from_dumps(arguments.accounts, arguments.at), None, lambda route: None


def _base_units(size: str, decimals: int) -> int:
    try:
        units = Decimal(size).scaleb(decimals)
    except InvalidOperation:
        raise ValueError(f"--trade-size {size} is no number") from None
    if not units.is_finite() or units <= 0 or units != units.to_integral_value() or units >= 1 << 64:
        raise ValueError(
            f"--trade-size {size}: must be above zero, have at most {decimals} decimals and fit 64 bits in base units"
        )
    return int(units)


def _table(made: Plan) -> str:
    market = made.market
    names = name_of(made.mint_in), name_of(made.mint_out)

    def of(mint: str, units: int) -> str:
        return text.amount(units, market.decimals[mint]) if mint in market.decimals else f"{units} units"

    lines = [
        f"{of(made.mint_in, made.amount_in)} {names[0]} into {names[1]}, {len(market.pools)} pools of {market.where}",
        "",
        f"{'share':>6}  {'in':>18}  {'out':>18}  {'at least':>18}  {'impact':>9}  {'slippage':>9}  route",
    ]
    for route in made.routes:
        part = route.part
        way = " ".join(
            f"{name_of(hop.mint_in)[:8]} -{hop.pool.venue} {hop.pool.address[:8]}-> " for hop in part.route.hops
        )
        lines.append(
            f"{100 * part.amount_in / made.slice_in:5.1f}%  {of(made.mint_in, part.amount_in):>18}  "
            f"{of(made.mint_out, part.amount_out):>18}  {of(made.mint_out, route.min_out):>18}  "
            f"{route.impact_bps:5.2f} bps  {route.slippage.bps:5.2f} bps  {way}{names[1]}"
        )
    lines += ["", f"expected  {of(made.mint_out, made.expected_out)} {names[1]}" + _slices(made)]
    if len(made.routes) > 1:
        gain = made.expected_out - made.single_out
        lines.append(f"          {of(made.mint_out, gain)} {names[1]} more than the best single route")
    lines.append(f"at least  {of(made.mint_out, sum(route.min_out for route in made.routes))} {names[1]}")
    lines += ["costs"]
    for route in made.routes:
        for hop, quote in zip(route.part.route.hops, route.part.quotes, strict=True):
            mint = hop.mint_in if quote.fee_in_input else hop.mint_out
            lines.append(f"  {hop.pool.venue} {hop.pool.address[:8]}: fee {of(mint, quote.fee)} {name_of(mint)}")
    for name, units in (
        ("base fees", sum(route.base_fee for route in made.routes)),
        ("priority fees", sum(route.priority_fee for route in made.routes)),
        ("tips", sum(route.tip for route in made.routes)),
        ("rent of new token accounts (comes back when they are closed)", sum(route.rent for route in made.routes)),
    ):
        if units:
            lines.append(f"  {name}: {text.amount(units, 9)} SOL")
    lines.append("  transfer fees of the tokens are inside the amounts")
    if made.net_out is not None:
        lines.append(f"net       {of(made.mint_out, int(made.net_out))} {names[1]} after all costs")
    lines += [f"slippage  {route.slippage.why}" for route in made.routes[:1]]
    lines.append(f"sent      {made.protection}")
    lines += [f"left out  {sentence}" for sentence in market.left_out[:5]]
    if len(market.left_out) > 5:
        lines.append(f"left out  {len(market.left_out) - 5} more pools; --json lists them")
    return "\n".join(lines)


def _slices(made: Plan) -> str:
    if made.slices == 1:
        return ""
    return f" a slice, {made.slices} slices {made.terms.slice_gap_s:g} s apart"


if __name__ == "__main__":
    sys.exit(main())
