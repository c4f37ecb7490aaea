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
from sniperforge import exits, options
from sniperforge.router import market as markets
from sniperforge.router import plan as plans
from sniperforge.router import table
from sniperforge.router.market import Market, MarketError, name_of
from sniperforge.router.plan import Terms
from sniperforge.router.routes import Route
from sniperforge.router.slippage import BPS, SlippageTerms, Volatility


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
    parser.add_argument(
        "--watch", metavar="SECONDS", type=options.seconds(0, 3600), default=4.0, help="how long prices are watched"
    )
    parser.add_argument("--accounts", metavar="DIR", type=Path, help="account dumps instead of a running instance")
    parser.add_argument(
        "--at", metavar="UNIX", type=options.unix, help="time of the trade with --accounts (default: now)"
    )
    parser.add_argument("--mode", choices=plans.MODES, default="fastest", help="how it is sent (default: fastest)")
    parser.add_argument("--max-hops", type=int, choices=(1, 2, 3), default=3)
    parser.add_argument("--max-routes", type=int, choices=range(1, 9), default=4, help="parallel routes at most")
    parser.add_argument(
        "--cu-price", metavar="MICROLAMPORTS", type=options.whole, default=10_000, help="of a compute unit"
    )
    parser.add_argument(
        "--tip", metavar="LAMPORTS", type=options.whole, default=10_000, help="a transaction, if protected"
    )
    parser.add_argument(
        "--max-slippage-bps",
        metavar="BPS",
        type=_slippage,
        default=SlippageTerms.ceiling_bps,
        help=f"slippage is cut to this (default: {SlippageTerms.ceiling_bps:g})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _slippage(value: str) -> float:
    if 0 < (bps := options.number(value)) < BPS:
        return bps
    raise argparse.ArgumentTypeError(f"{value} must be above 0 and below {BPS} basis points")


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
        print(f"sniperforge execution-optimize: {error}", file=sys.stderr)
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
    print(json.dumps(plans.to_json(made)) if arguments.json else table.table(made))
    return exits.OK


def _market(
    arguments: argparse.Namespace,
) -> tuple[Market, frozenset[str] | None, Callable[[Route], Sequence[Volatility]]]:
    """The pools to trade on, the tokens the wallet has accounts of if that is known, and how routes wander."""
    if arguments.accounts is None:
        from sniperforge.router import live

        seen = live.read(options.config(arguments).instance.name, arguments.watch)
        return seen.market, seen.wallet_tokens, seen.of
    if not arguments.accounts.is_dir():
        raise NotADirectoryError(f"{arguments.accounts} is no directory; --accounts names one with account dumps")
    return markets.from_dumps(arguments.accounts, arguments.at), None, lambda route: [Volatility()] * len(route.hops)


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


if __name__ == "__main__":
    sys.exit(main())
