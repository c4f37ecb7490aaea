"""`sniperforge lookup-tables`: address lookup tables for the pools that an instance trades.

    sniperforge lookup-tables list
    sniperforge lookup-tables create [--send]

`create` says what it would put where and what that costs; with `--send` the wallet pays for it and owns the tables. A
chain that is no simnet must be armed for that. The instance knows its tables from its next start on. Which pools it
trades is taken from its last start, unless --config or --set say so. The instance's chain has to run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from sniperforge import chain, exits, launch, lookup_tables, options
from sniperforge.config import Config, ConfigError
from sniperforge.rpc import RpcClient, RpcError, RpcUnavailable
from sniperforge.state import StateDirectory
from sniperforge.wallet import keyfile
from sniperforge.wallet.cli import passphrase

_TIMEOUT_S = 60.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sniperforge lookup-tables", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, text in (
        ("list", "the instance's tables as they stand on the chain"),
        ("create", "make tables for the pools that the instance would trade now; without --send only say so"),
    ):
        sub = verbs.add_parser(verb, help=text, description=text)
        options.add(sub)
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        if verb == "create":
            sub.add_argument("--send", action="store_true", help="do it: the wallet pays and owns the tables")
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        found = _list(arguments) if arguments.verb == "list" else _create(arguments)
    except ConfigError as error:
        print(f"sniperforge lookup-tables: {error}", file=sys.stderr)
        return exits.USAGE
    except (chain.ChainNotRunning, RpcUnavailable) as error:
        print(f"sniperforge lookup-tables: {error}", file=sys.stderr)
        return exits.NOT_RUNNING
    except (chain.ChainError, keyfile.KeyFileError, lookup_tables.TableError, RpcError) as error:
        print(f"sniperforge lookup-tables: {error}", file=sys.stderr)
        return exits.FAILED
    print(json.dumps(found) if arguments.json else _text(found))
    return exits.OK


def _text(found: dict[str, Any]) -> str:
    lines = [f"{table['address'] or 'a new table'}: {len(table['accounts'])} accounts" for table in found["tables"]]
    if "rent_lamports" in found:
        lines.append(f"rent {found['rent_lamports']} lamports, given back when the tables are closed")
        lines.append(f"fees {found['fee_lamports']} lamports")
        lines.append("made" if found["sent"] else "nothing was sent; --send makes them")
    return "\n".join(lines or ["no lookup tables; `sniperforge lookup-tables create` makes some"])


def _list(arguments: argparse.Namespace) -> dict[str, Any]:
    config = _config(arguments)
    ends = chain.running_endpoints(config)
    tables = StateDirectory(config.state_dir).own_lookup_tables()
    with _rpc(config, ends.rpc_url) as rpc:
        held = chain.lookup_tables(rpc, tables) if tables else {}
    return {"tables": [{"address": table, "accounts": accounts} for table, accounts in held.items()]}


def _create(arguments: argparse.Namespace) -> dict[str, Any]:
    config = _config(arguments)
    ends = chain.running_endpoints(config)
    if arguments.send and not (ends.simulated or config.chain.armed):
        raise ConfigError("chain.armed: is false, so nothing is sent to a chain that is no simnet; set it to true")
    state = StateDirectory(config.state_dir)
    with _rpc(config, ends.rpc_url) as rpc:
        pools = launch.pools_of(config, rpc)
        contents = lookup_tables.contents(rpc, pools, keyfile.address(config.wallet_path))
        made = [""] * len(contents)
        if arguments.send:
            payer = keyfile.read(config.wallet_path, passphrase=lambda: passphrase(new=False))
            made = [str(table) for table in lookup_tables.create(rpc, payer, contents, timeout_s=_TIMEOUT_S)]
            state.add_lookup_tables(made)
            chain.paid_aside(state, lookup_tables.rent_lamports(contents) + lookup_tables.fee_lamports(contents))
    return {
        "tables": [
            {"address": table, "accounts": [str(key) for key in keys]}
            for table, keys in zip(made, contents, strict=True)
        ],
        "rent_lamports": lookup_tables.rent_lamports(contents),
        "fee_lamports": lookup_tables.fee_lamports(contents),
        "sent": bool(arguments.send),
    }


class _RunRecord(msgspec.Struct):
    """What a run writes of itself beside its journal (`sniperforge.launch`)."""

    config: Config


def _config(arguments: argparse.Namespace) -> Config:
    config = options.config(arguments)
    return config if arguments.config or arguments.settings else started(config)


def started(config: Config) -> Config:
    """What the instance of `config` was last started with; `config` if it never was."""
    records = {
        int(number): path
        for path in (config.state_dir / "journal").glob("*.config.json")
        if (number := path.name.partition(".")[0]).isdecimal()
    }
    if not records:
        return config
    path = records[max(records)]
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_RunRecord).config
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path}: {error}; say what the instance trades with --config or --set") from None
    return msgspec.structs.replace(found, instance=config.instance)


def _rpc(config: Config, url: str) -> RpcClient:
    return RpcClient(url, timeout_ms=config.chain.timeout_ms, ca_path=config.chain.ca_path)
