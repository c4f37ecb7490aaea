"""`sniperforge token-check`: may this token be bought, and could it be sold again?

    sniperforge token-check MINT [--pool PUBKEY] [--amount N] [--wallet PUBKEY] [--url URL] [--json]

Reads the chain of the instance (its embedded simnet, or chain.url). Ends with 0 if no check refuses, with 6 if one
does. Nothing is signed and no key is read but the wallet's address.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from solders.pubkey import Pubkey

from sniperforge import exits, options
from sniperforge.chain import announced
from sniperforge.config import Config
from sniperforge.rpc import RpcClient, RpcError, RpcUnavailable
from sniperforge.safety.checks import Checker
from sniperforge.safety.reader import Reader
from sniperforge.safety.verdict import Verdict
from sniperforge.text import count
from sniperforge.wallet import keyfile

_TIMEOUT_MS = 20_000
"""A search over all pools of a venue takes a node longer than an ordinary call."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sniperforge token-check", description="Whether a token may be bought, and could be sold again."
    )
    parser.add_argument("mint", metavar="MINT", help="the token's mint")
    parser.add_argument("--pool", metavar="PUBKEY", help="where it would be sold (default: the deepest pool)")
    parser.add_argument(
        "--amount",
        metavar="N",
        type=options.whole,
        help="base units of the pool's other token that the buy spends (default: safety.amount_lamports)",
    )
    parser.add_argument(
        "--wallet",
        metavar="PUBKEY",
        help="who would buy; any address with SOL will do (default: the instance's wallet)",
    )
    parser.add_argument("--url", help="RPC node to ask (default: chain.url, or the instance's embedded chain)")
    options.add(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.url:
        arguments.settings = [*arguments.settings, "chain.url=" + json.dumps(arguments.url)]
    config = options.config(arguments)
    for key in (arguments.mint, arguments.pool, arguments.wallet):
        try:
            Pubkey.from_string(key or str(Pubkey.default()))
        except ValueError:
            return _fail(f"{key!r} is no public key", exits.USAGE)
    if arguments.amount is not None and not 0 < arguments.amount < 1 << 63:
        return _fail(f"--amount {arguments.amount}: use a number of base units above 0", exits.USAGE)
    url = _url(config)
    if url is None:
        return _fail(
            f"instance {config.instance.name} has no chain running; start it with `sniperforge run`, "
            "or name a node with --url",
            exits.NOT_RUNNING,
        )
    try:
        wallet = _wallet(config, arguments.wallet)
        timeout_ms = max(config.chain.timeout_ms, _TIMEOUT_MS)
        with RpcClient(url, timeout_ms=timeout_ms, ca_path=config.chain.ca_path) as rpc:
            verdict = Checker(Reader(rpc), config.safety, wallet).check(
                arguments.mint, arguments.pool, arguments.amount
            )
    except RpcUnavailable as error:
        return _fail(f"{error}; check the node or --url", exits.NOT_RUNNING)
    except keyfile.KeyFileError as error:
        return _fail(str(error), exits.USAGE)
    except RpcError as error:
        return _fail(f"the node refuses to answer: {error}", exits.FAILED)
    print(json.dumps(report(verdict)) if arguments.json else text(verdict))
    return exits.OK if verdict.passes else exits.UNSAFE


def _fail(sentence: str, code: int) -> int:
    print(f"sniperforge token-check: {sentence}", file=sys.stderr)
    return code


def _url(config: Config) -> str | None:
    if not config.chain.embedded:
        return config.chain.url
    found = announced(config.state_dir)
    return found.rpc_url if found is not None else None


def _wallet(config: Config, named: str | None) -> Pubkey | None:
    if named:
        return Pubkey.from_string(named)
    return keyfile.address(config.wallet_path) if config.wallet_path.exists() else None


def report(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain data; `verdict` is "pass" or "refuse"."""
    plain: dict[str, Any] = msgspec.to_builtins(verdict)
    return {"verdict": "pass" if verdict.passes else "refuse", **plain}


def text(verdict: Verdict) -> str:
    """The verdict as a table for people."""
    width = max(len(check.name) for check in verdict.checks)
    lines = [
        f"{check.outcome:6}  {check.name:{width}}  {check.sentence}  (slot {check.slot})" for check in verdict.checks
    ]
    refused = len(verdict.reasons)
    warned = sum(check.outcome == "warn" for check in verdict.checks)
    checks = count(len(verdict.checks), "check")
    end = f"REFUSED by {refused} of {checks}" if refused else f"PASSES {checks}"
    return "\n".join([*lines, f"{verdict.mint}: {end}" + (f", {warned} with a warning" if warned else "")])


if __name__ == "__main__":
    sys.exit(main())
