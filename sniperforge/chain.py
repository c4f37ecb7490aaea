"""The chain an instance trades on: where it is, what it lists, and a wallet prepared on an embedded one."""

from __future__ import annotations

import base64
import time
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID

from sniperforge.config import Config, is_loopback
from sniperforge.processes import alive
from sniperforge.rpc import RpcClient, RpcError, RpcUnavailable
from sniperforge.state import StateDirectory
from sniperforge.wallet import keyfile

Say = Callable[[str], None]

_LOOKUP_PROGRAM = "AddressLookupTab1e1111111111111111111111111"
_LOOKUP_HEAD = 56
_LOOKUP_ACTIVE = b"\xff" * 8  # deactivation slot of a table that is in use


class ChainError(Exception):
    """The chain cannot be used; the text says why and what to do."""


class ChainUnavailable(ChainError):
    """The chain does not answer now; trying again may help."""


class ChainNotRunning(ChainUnavailable):
    """The instance's embedded simnet does not run."""


class Announcement(msgspec.Struct, frozen=True):
    """`<state_dir>/simnet.json`: where the embedded simnet of this instance is."""

    pid: int
    rpc_url: str
    websocket_url: str
    genesis_hash: str


@dataclass(frozen=True)
class Endpoints:
    """Where the chain is. `simulated` is true for a simnet; everything booked from it says so."""

    rpc_url: str
    websocket_url: str
    simulated: bool


def announcement_path(state_dir: Path) -> Path:
    """Where the embedded simnet of `state_dir` says where it is."""
    return state_dir / "simnet.json"


def announced(state_dir: Path) -> Announcement | None:
    """What the embedded simnet of `state_dir` said of itself; None if it does not run."""
    try:
        found = msgspec.json.decode(announcement_path(state_dir).read_bytes(), type=Announcement)
    except (OSError, msgspec.DecodeError):
        return None
    return found if alive(found.pid) else None


def _websocket_url(url: str) -> str:
    """The WebSocket of a node: the next port on plain HTTP, as validators do; the same address with TLS."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        return parts._replace(scheme="wss").geturl()
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return parts._replace(scheme="ws", netloc=f"{host}:{(parts.port or 80) + 1}").geturl()


def endpoints(config: Config) -> Endpoints:
    """The configured endpoints; for an embedded chain those its simnet announces.

    Raises:
        ChainError: the embedded simnet did not announce itself in time.
    """
    if not config.chain.embedded:
        url = config.chain.url
        return Endpoints(url, config.chain.websocket_url or _websocket_url(url), simulated=_is_simnet(config, url))
    deadline = time.monotonic() + config.supervisor.start_timeout_ms / 1000
    while True:
        found = announced(config.state_dir)
        if found is not None:
            return Endpoints(found.rpc_url, found.websocket_url, simulated=True)
        if time.monotonic() > deadline:
            raise ChainUnavailable("the embedded simnet did not come up in time; raise supervisor.start_timeout_ms")
        time.sleep(0.002)


def running_endpoints(config: Config) -> Endpoints:
    """The same for a command beside the engine, which does not wait for a chain to come up.

    Raises:
        ChainNotRunning: the embedded simnet does not run.
    """
    if config.chain.embedded and announced(config.state_dir) is None:
        raise ChainNotRunning(
            f"instance {config.instance.name} has no chain running, and this needs it; start it with "
            "`sniperforge run`, or name a node with --set chain.url=URL"
        )
    return endpoints(config)


def _is_simnet(config: Config, url: str) -> bool:
    if not is_loopback(url):
        return False
    with RpcClient(url, timeout_ms=config.chain.timeout_ms, ca_path=config.chain.ca_path) as rpc:
        try:
            rpc.call("simnetStatus")
        except (RpcError, RpcUnavailable):
            return False
    return True


def await_healthy(rpc: RpcClient, *, timeout_s: float) -> None:
    """Waits until the node answers `getHealth` with ok.

    Raises:
        ChainError: it did not within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            rpc.call("getHealth")
            return
        except (RpcError, RpcUnavailable) as error:
            reason = str(error)
        if time.monotonic() > deadline:
            raise ChainUnavailable(f"{rpc.url} is not healthy: {reason}; check chain.url or wait for the node")
        time.sleep(0.005)


def settle(rpc: RpcClient, *, timeout_s: float) -> None:
    """Waits until the chain has confirmed all that was done so far.

    Raises:
        ChainUnavailable: it did not in time.
    """
    last = rpc.call("getSlot", {"commitment": "processed"})
    deadline = time.monotonic() + timeout_s
    while rpc.call("getSlot", {"commitment": "confirmed"}) < last:
        if time.monotonic() > deadline:
            raise ChainUnavailable(
                f"slot {last} was not confirmed within {timeout_s:.0f} s; does the chain stand still?"
            )
        time.sleep(0.01)


def wallet_address(config: Config, state: StateDirectory, say: Say) -> Pubkey:
    """The wallet's address; a new key is made for an embedded chain that has none yet.

    Raises:
        ChainError: there is no key file for a real chain, or the books are of another wallet.
        sniperforge.wallet.keyfile.KeyFileError: the file cannot be used.
    """
    path = config.wallet_path
    if not path.exists():
        wallet = _saved_baseline(state)["wallet"] if state.baseline_path.exists() else None
        if wallet:
            raise ChainError(
                f"wallet.path: {path} does not exist, and the books in {state.path} are of wallet {wallet}; "
                f"put its key there, use another --instance, or {clean_state(config.instance.name)}"
            )
        if not config.chain.embedded:
            raise ChainError(f"wallet.path: {path} does not exist; make one with `sniperforge wallet create`")
        address = keyfile.create(path)
        say(f"made a new wallet {address} in {path}")
        return address
    address = keyfile.address(path)
    _check_books(config, state, "wallet", str(address))
    return address


def clean_state(name: str) -> str:
    """What removes all that instance `name` keeps, as advice."""
    return f"remove this one and its wallet's key with `sniperforge clean --instance {name} --state --yes`"


def _saved_baseline(state: StateDirectory) -> dict[str, Any]:
    saved: dict[str, Any] = msgspec.json.decode(state.baseline_path.read_bytes())
    return saved


def _check_books(config: Config, state: StateDirectory, key: str, now: str) -> None:
    """Whether the books of this state directory, if there are any, are of the chain or wallet `now`."""
    if not state.baseline_path.exists():
        return
    saved = _saved_baseline(state)[key]
    if saved != now:
        raise ChainError(
            f"{state.path}: its books are of {key} {saved}, not {now}; "
            f"use another --instance, or {clean_state(config.instance.name)}"
        )


def balances(rpc: RpcClient, wallet: Pubkey, *, commitment: str) -> dict[str, int]:
    """What the wallet holds: mint -> base units, and "lamports"."""
    options = {"encoding": "jsonParsed", "commitment": commitment}
    found: dict[str, int] = {}
    for program in (str(TOKEN_PROGRAM_ID), str(TOKEN_2022_PROGRAM_ID)):
        accounts: list[dict[str, Any]] = rpc.call(
            "getTokenAccountsByOwner", str(wallet), {"programId": program}, options
        )["value"]
        for account in accounts:
            info = account["account"]["data"]["parsed"]["info"]
            found[info["mint"]] = found.get(info["mint"], 0) + int(info["tokenAmount"]["amount"])
    found["lamports"] = int(rpc.call("getBalance", str(wallet), {"commitment": commitment})["value"])
    return found


def baseline(config: Config, rpc: RpcClient, wallet: Pubkey, state: StateDirectory, genesis_hash: str) -> bool:
    """Notes what the wallet holds before the first order of this state directory; False if that was done before.

    Raises:
        ChainError: the state directory belongs to another chain or wallet.
    """
    path = state.baseline_path
    if path.exists():
        _check_books(config, state, "genesis_hash", genesis_hash)
        _check_books(config, state, "wallet", str(wallet))
        return False
    held = balances(rpc, wallet, commitment="processed")
    record = {"genesis_hash": genesis_hash, "wallet": str(wallet), "balances": held}
    state.write(path, msgspec.json.encode(record).decode())
    return True


def saved_balances(state: StateDirectory) -> dict[str, int]:
    """What the wallet held before the first order, without what was paid aside since."""
    held: dict[str, int] = _saved_baseline(state)["balances"]
    return held


def paid_aside(state: StateDirectory, lamports: int) -> None:
    """Notes lamports that the wallet paid for something that is no order, so that the books still equal the chain."""
    if state.baseline_path.exists():
        record = _saved_baseline(state)
        record["balances"]["lamports"] -= lamports
        state.write(state.baseline_path, msgspec.json.encode(record).decode())


def lookup_tables(rpc: RpcClient, tables: Sequence[str]) -> dict[str, list[str]]:
    """Address lookup tables as they stand on the chain: address -> addresses, in the table's order.

    Raises:
        ChainError: one is missing, is something else, or is being closed.
    """
    options = {"encoding": "base64", "commitment": "confirmed"}
    accounts = rpc.call("getMultipleAccounts", list(tables), options)["value"]
    found: dict[str, list[str]] = {}
    for table, account in zip(tables, accounts, strict=True):
        data = base64.b64decode(account["data"][0]) if account else b""
        entries, rest = divmod(len(data) - _LOOKUP_HEAD, 32)
        if not account or account["owner"] != _LOOKUP_PROGRAM or data[:4] != b"\1\0\0\0" or entries < 0 or rest:
            raise ChainError(f"lookup_tables: {table} is no address lookup table on this chain; take it out")
        if data[4:12] != _LOOKUP_ACTIVE:
            raise ChainError(f"lookup_tables: {table} is being closed; take it out")
        found[table] = [
            str(Pubkey.from_bytes(data[at : at + 32])) for at in range(_LOOKUP_HEAD, _LOOKUP_HEAD + 32 * entries, 32)
        ]
    return found
