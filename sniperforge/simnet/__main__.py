"""`sniperforge simnet`: the embedded local Solana from the command line."""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from sniperforge.simnet.config import DEFAULT_CONFIG, ConfigError, load
from sniperforge.simnet.emulation import EmulationError
from sniperforge.simnet.ledger import LedgerError, UnfitLedger
from sniperforge.simnet.server import Endpoints, reset, serve

_PR_SET_PDEATHSIG = 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sniperforge simnet",
        description="An embedded local Solana: real SVM execution behind the real JSON-RPC and WebSocket interfaces.",
        epilog="Every key of [simnet] in configs/default.toml can be set with --set KEY=VALUE."
        " `sniperforge simnet clone --help`: take pools from another node, for --from.",
    )
    add = parser.add_argument
    add("--config", metavar="FILE", action="append", help="TOML file whose [simnet] keys replace the defaults")
    add("--ledger", metavar="DIR", help="directory of the chain")
    add("--reset", action="store_true", help="remove the chain in the ledger directory and start anew")
    add("--rpc-port", metavar="PORT", type=int, help="JSON-RPC port, the WebSocket is the next; 0 = a free pair")
    add("--seed", metavar="N", type=int, help="seed of the market")
    add("--speed", metavar="X", type=float, help="chain time over wall time")
    add("--slot-ms", metavar="MS", type=int, help="length of a slot at speed 1")
    add("--account", metavar=("PUBKEY", "FILE"), nargs=2, action="append", help="load an account dump at genesis")
    add("--account-dir", metavar="DIR", action="append", help="load every account dump below a directory")
    add("--bpf-program", metavar=("ID", "FILE"), nargs=2, action="append", help="run this ELF file as program ID")
    add("--from", dest="clone", metavar="DIR", help="begin with what `simnet clone` took, and no market beside it")
    add("--no-market", action="store_true", help="an empty chain, without mints, pools and traders")
    add("--pools", metavar="N", type=int, help="pools of the market")
    add("--mints", metavar="N", type=int, help="mints of the market")
    add("--set", metavar="KEY=VALUE", action="append", help="any key, e.g. --set faults.latency_ms=50")
    add("--die-with-parent", action="store_true", help="end when the process that started this one ends")
    add("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("ledger", "rpc_port", "seed", "speed", "slot_ms", "clone"):
        value = getattr(arguments, name)
        if value is not None:
            changes[name] = value
    if arguments.account:
        changes["accounts"] = [{"address": key, "file": file} for key, file in arguments.account]
    if arguments.account_dir:
        changes["account_directories"] = arguments.account_dir
    if arguments.bpf_program:
        changes["programs"] = [{"id": key, "file": file} for key, file in arguments.bpf_program]
    market: dict[str, Any] = {}
    if arguments.no_market or arguments.clone is not None:
        market["enabled"] = False  # traders of ours would move what was cloned
    for name in ("pools", "mints"):
        if getattr(arguments, name) is not None:
            market[name] = getattr(arguments, name)
    if market:
        changes["market"] = market
    for text in arguments.set or ():
        _set(changes, text)
    return changes


def _set(changes: dict[str, Any], text: str) -> None:
    path, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f'--set {text}: there is no "="; write --set KEY=VALUE')
    table = changes
    *tables, key = path.split(".")
    for name in tables:
        if not isinstance(table.setdefault(name, {}), dict):
            raise ConfigError(f"--set {text}: simnet.{name} is not a table")
        table = table[name]
    try:
        table[key] = msgspec.json.decode(value)
    except msgspec.DecodeError:
        table[key] = value


def _print(endpoints: Endpoints) -> None:
    market = endpoints.market
    lines = [
        f"JSON-RPC     {endpoints.rpc_url}",
        f"WebSocket    {endpoints.websocket_url}",
        f"genesis hash {endpoints.genesis_hash}",
        f"identity     {endpoints.identity}",
        f"seed         {endpoints.seed}",
        f"ledger       {endpoints.ledger} ({'goes on' if endpoints.restored else 'new'}, slot {endpoints.slot})",
    ]
    lines += [f"emulated     {name} {program}" for program, name in endpoints.emulated.items()]
    lines += [f"loaded       {key}" for key in endpoints.loaded]
    if market.mints:
        lines += ["", f"{'mint':<8} {'address':<44} {'decimals':>8} {'USD':>12}"]
        for mint in market.mints:
            lines.append(f"{mint.symbol:<8} {mint.address:<44} {mint.decimals:>8} {mint.price_usd:>12.6g}")
        lines += ["", f"{'pool':<18} {'address':<44} {'fee bps':>8}  venue"]
        for pool in market.pools:
            pair = "/".join(market.mints[number].symbol for number in pool.mints)
            adopted = "  adopted" if pool.adopted else ""
            lines.append(f"{pair:<18} {pool.address:<44} {pool.trade_fee_rate / 100:>8g}  {pool.venue}{adopted}")
    print("\n".join(lines), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simnet until SIGTERM or Ctrl-C; returns 0, or 2 for a bad configuration or an unusable ledger."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["clone"]:
        from sniperforge.simnet import clone

        return clone.main(given[1:])
    arguments = _parser().parse_args(given)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="simnet: %(message)s")
    logging.getLogger("websockets").setLevel(logging.WARNING)  # a line for each connection otherwise
    if arguments.die_with_parent:
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return 0

    def ready(endpoints: Endpoints) -> None:
        if arguments.json:
            print(msgspec.json.encode(endpoints).decode(), flush=True)
        else:
            _print(endpoints)

    try:
        paths = [DEFAULT_CONFIG, *map(Path, arguments.config or ())]
        config = load(paths, _overrides(arguments))
        if arguments.reset:
            reset(config)
        serve(config, ready=ready)
    except UnfitLedger as error:
        print(f"simnet: {error}; start anew with --reset, or name another --ledger", file=sys.stderr)
        return 2
    except (ConfigError, LedgerError, EmulationError) as error:
        print(f"simnet: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
