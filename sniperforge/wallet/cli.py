"""`sniperforge wallet`: make, show, encrypt and decrypt the key file; ask the chain what it holds.

A passphrase comes from the environment (SNIPERFORGE_PASSPHRASE) or from standard input, never from an argument.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID

from sniperforge import exits, options
from sniperforge.chain import announced
from sniperforge.config import Config, ConfigError
from sniperforge.rpc import RpcClient, RpcError, RpcUnavailable
from sniperforge.wallet import keyfile

PASSPHRASE_VARIABLE = "SNIPERFORGE_PASSPHRASE"
TOKEN_PROGRAMS = str(TOKEN_PROGRAM_ID), str(TOKEN_2022_PROGRAM_ID)
_MINTS_A_CALL = 100


def main(argv: Sequence[str]) -> int:
    """Runs `sniperforge wallet` with these arguments; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        config = options.config(arguments)
        path = arguments.path or config.wallet_path
        command: Callable[[argparse.Namespace, Config, Path], dict[str, Any]] = arguments.command
        result = command(arguments, config, path)
    except ConfigError as error:
        print(f"sniperforge wallet: {error}", file=sys.stderr)
        return exits.USAGE
    except (keyfile.KeyFileError, RpcError, RpcUnavailable) as error:
        print(f"sniperforge wallet: {error}", file=sys.stderr)
        return exits.FAILED
    if arguments.json:
        print(json.dumps(result))
    else:
        print(arguments.text(result))
    return exits.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sniperforge wallet",
        description="The key file and what its account holds. "
        f"A passphrase is taken from {PASSPHRASE_VARIABLE} or from standard input.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, help_text: str, command: Callable[..., dict[str, Any]], text: Callable[[dict[str, Any]], str]
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text)
        sub.set_defaults(command=command, text=text)
        sub.add_argument("--path", type=Path, help="key file; without it wallet.path of the configuration")
        options.add(sub)
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        return sub

    create = add("create", "make a new key; an existing file is never overwritten", _create, _address_text)
    create.add_argument("--encrypt", action="store_true", help="encrypt it with a passphrase")
    add("address", "print the public key", _address, _address_text)
    add("show", "print what the file is; never the secret", _show, _show_text)
    add("encrypt", "encrypt the key file with a passphrase, in place", _encrypt, _show_text)
    add("decrypt", "turn an encrypted key file into the Solana CLI's form, in place", _decrypt, _show_text)
    balance = add("balance", "ask the chain what the wallet holds", _balance, _balance_text)
    balance.add_argument("--url", help="RPC node; without it chain.url of the configuration")
    return parser


def passphrase(*, new: bool) -> str:
    """The passphrase from the environment, else from standard input; a new one is asked for twice at a terminal."""
    value = os.environ.get(PASSPHRASE_VARIABLE)
    if value is not None:
        return value
    if not sys.stdin.isatty():
        value = sys.stdin.readline().rstrip("\n")
        if not value:
            raise keyfile.KeyFileError(f"passphrase: there is none; set {PASSPHRASE_VARIABLE} or type it at a terminal")
        return value
    value = getpass.getpass("passphrase: ")
    if new and getpass.getpass("once more: ") != value:
        raise keyfile.KeyFileError("passphrase: the two differ")
    return value


def _create(arguments: argparse.Namespace, config: Config, path: Path) -> dict[str, Any]:
    secret = passphrase(new=True) if arguments.encrypt else None
    address = keyfile.create(path, passphrase=secret)
    return {"address": str(address), "path": str(path)}


def _address(arguments: argparse.Namespace, config: Config, path: Path) -> dict[str, Any]:
    return {"address": str(keyfile.address(path)), "path": str(path)}


def _show(arguments: argparse.Namespace, config: Config, path: Path) -> dict[str, Any]:
    return {
        "address": str(keyfile.address(path)),
        "path": str(path),
        "form": "encrypted" if keyfile.is_encrypted(path) else "solana-cli",
    }


def _encrypt(arguments: argparse.Namespace, config: Config, path: Path) -> dict[str, Any]:
    if keyfile.is_encrypted(path):
        raise keyfile.KeyFileError(f"key file {path}: is encrypted already")
    keyfile.encrypt(path, passphrase(new=True))
    return _show(arguments, config, path)


def _decrypt(arguments: argparse.Namespace, config: Config, path: Path) -> dict[str, Any]:
    if not keyfile.is_encrypted(path):
        raise keyfile.KeyFileError(f"key file {path}: is not encrypted")
    keyfile.decrypt(path, passphrase(new=False))
    return _show(arguments, config, path)


def _balance(arguments: argparse.Namespace, config: Config, path: Path) -> dict[str, Any]:
    chain = config.chain
    if arguments.url:
        url = arguments.url
    elif not chain.embedded:
        url = chain.url
    else:
        running = announced(config.state_dir)
        if running is None:
            raise ConfigError(
                f"chain.url: the embedded chain of instance {config.instance.name} does not run; "
                "start it with `sniperforge run`, or give --url"
            )
        url = running.rpc_url
    owner = str(keyfile.address(path))
    try:
        client = RpcClient(url, timeout_ms=chain.timeout_ms, ca_path=chain.ca_path)
    except ValueError as error:
        raise ConfigError(f"--url: {error}") from None
    with client as rpc:
        lamports = rpc.call("getBalance", owner, {"commitment": chain.commitment})["value"]
        tokens = _token_balances(rpc, owner, chain.commitment)
    return {"address": owner, "lamports": lamports, "tokens": tokens}


def _token_balances(rpc: RpcClient, owner: str, commitment: str) -> list[dict[str, Any]]:
    """Every token account of `owner`: account, mint, amount in base units, decimals."""
    from solders.pubkey import Pubkey

    options = {"encoding": "base64", "commitment": commitment}
    balances = []
    for program in TOKEN_PROGRAMS:
        answer = rpc.call("getTokenAccountsByOwner", owner, {"programId": program}, options)
        for entry in answer["value"]:
            data = base64.b64decode(entry["account"]["data"][0])
            mint, amount = str(Pubkey.from_bytes(data[:32])), int.from_bytes(data[64:72], "little")
            balances.append({"account": entry["pubkey"], "mint": mint, "amount": amount})
    mints = sorted({balance["mint"] for balance in balances})
    decimals: dict[str, int] = {}
    for start in range(0, len(mints), _MINTS_A_CALL):
        some = mints[start : start + _MINTS_A_CALL]
        answer = rpc.call("getMultipleAccounts", some, options)
        for mint, account in zip(some, answer["value"], strict=True):
            decimals[mint] = base64.b64decode(account["data"][0])[44] if account else 0
    return [balance | {"decimals": decimals[balance["mint"]]} for balance in balances]


def _address_text(result: dict[str, Any]) -> str:
    return str(result["address"])


def _show_text(result: dict[str, Any]) -> str:
    return f"{result['address']}  {result['form']}  {result['path']}"


def _balance_text(result: dict[str, Any]) -> str:
    lines = [f"{result['address']}", f"{_decimal(result['lamports'], 9):>28} SOL"]
    lines += [f"{_decimal(token['amount'], token['decimals']):>28} {token['mint']}" for token in result["tokens"]]
    return "\n".join(lines)


def _decimal(amount: int, decimals: int) -> str:
    """`amount` base units as a decimal number, exact."""
    if not decimals:
        return str(amount)
    whole, part = divmod(amount, 10**decimals)
    return f"{whole}.{part:0{decimals}d}"
