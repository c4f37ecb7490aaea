"""`sniperforge simnet clone`: pools of any node taken to the desk, with all that prices and runs them.

A pool comes with what prices it, what else its swaps touch, its mints, and the programs that run it.
"""

from __future__ import annotations

import argparse
import sys
import time
import urllib.parse
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from solders.pubkey import Pubkey

from sniperforge import exits
from sniperforge.discovery import Account, Anatomy, NoPoolError, Reader, Venue, dissect
from sniperforge.discovery.anatomy import TOKEN, TOKEN_2022, associated
from sniperforge.rpc import RpcBusy, RpcClient, RpcError, RpcUnavailable
from sniperforge.simnet import sbf
from sniperforge.simnet.clone_files import FORMAT, Manifest, sha256, write

REACH = 400
"""Tick or bin arrays on each side of the price that are taken, if they exist."""

_UPGRADEABLE = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
_LOADERS = (
    Pubkey.from_string("BPFLoader2111111111111111111111111111111111"),
    Pubkey.from_string("BPFLoader1111111111111111111111111111111111"),
)
_LOADER_4 = Pubkey.from_string("LoaderV411111111111111111111111111111111111")
_PROGRAM_DATA_HEADER = 45
_LOADER_4_HEADER = 48
_ROUNDS = 8
_BUSY_TRIES = 8
_TRANSFER_HOOK = 14
_LOOKED_FOR = ("array", "fee recipient")


class CloneError(Exception):
    """The pools could not be taken; the text says why and what to do."""


@dataclass
class _Part:
    """An account that belongs to a clone."""

    what: str
    needed: bool


@dataclass
class _Take:
    """What has been collected so far."""

    pools: dict[Pubkey, tuple[Venue, Anatomy]] = field(default_factory=dict)
    parts: dict[Pubkey, _Part] = field(default_factory=dict)
    programs: set[Pubkey] = field(default_factory=set)
    mints: dict[Pubkey, tuple[Pubkey, Pubkey]] = field(default_factory=dict)

    @property
    def named(self) -> set[Pubkey]:
        """All but those that were only looked for."""
        return self.programs | {key for key, part in self.parts.items() if part.what not in _LOOKED_FOR}

    def add(self, addresses: Iterable[Pubkey], what: str, *, needed: bool) -> None:
        for address in addresses:
            if address != Pubkey.default():
                part = self.parts.setdefault(address, _Part(what, needed))
                part.needed |= needed


# -- collecting ----------------------------------------------------------------------------------------


class Cloner:
    """Collects pools over JSON-RPC.

    Args:
        rpc: the node. Requests that it refuses as too many are repeated, less and less often.
        say: is told what goes on.
    """

    def __init__(self, rpc: RpcClient, *, say: Callable[[str], None]) -> None:
        self._rpc = rpc
        self._say = say
        self._reader = Reader(self._call)

    def _call(self, method: str, *params: Any) -> Any:
        for attempt in range(_BUSY_TRIES):
            try:
                return self._rpc.call(method, *params)
            except RpcBusy as error:
                if attempt == _BUSY_TRIES - 1:
                    raise
                pause = 0.25 * 2**attempt
                self._say(f"{error}: asking again in {pause:g} s")
                time.sleep(pause)
        raise AssertionError("unreachable")

    def take(self, addresses: Sequence[Pubkey]) -> tuple[Manifest, dict[str, bytes]]:
        """The manifest and every file of a clone of the pools at `addresses`.

        Raises:
            CloneError: one is no pool, or something it needs is missing.
            RpcError, RpcUnavailable: the node.
        """
        genesis = self._call("getGenesisHash")
        slots_per_epoch = self._call("getEpochSchedule")["slotsPerEpoch"]
        take, accounts = self._consistent(addresses)
        slots = sorted(account.slot for account in accounts.values())
        first, last = slots[0], slots[-1]
        unix_time = self._block_time(last)
        programs = self._programs(take)
        manifest, files = _files(take, accounts, programs)
        head: dict[str, Any] = {
            "format": FORMAT,
            "node": urllib.parse.urlsplit(self._rpc.url).hostname or "",  # the rest of the URL may be a secret
            "genesis_hash": genesis,
            "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "slots": (first, last),
            "slot": last,
            "unix_time": unix_time,
            "slots_per_epoch": slots_per_epoch,
            "not_there": sorted(str(key) for key in take.named - accounts.keys() - programs.keys()),
        }
        return msgspec.convert({**head, **manifest}, Manifest), files

    def _consistent(self, addresses: Sequence[Pubkey]) -> tuple[_Take, dict[Pubkey, Account]]:
        """All accounts, read again until none is missing that the last reading names; of one slot where possible."""
        asked: set[Pubkey] = set()
        absent: set[Pubkey] = set()
        wanted = set(addresses)
        for turn in range(1, _ROUNDS + 1):
            asked = (asked | wanted) - absent
            known = self._reader.accounts(sorted(asked, key=str))
            absent |= asked - known.keys()
            take = self._anatomies(addresses, known)
            wanted = set(take.parts)
            slots = {account.slot for account in known.values()}
            self._say(f"reading {turn}: {len(known)} accounts at {len(slots)} slot{'s' * (len(slots) != 1)}")
            if wanted <= asked | absent and len(slots) == 1:
                break
        missing = [f"{part.what} {key}" for key, part in take.parts.items() if part.needed and key not in known]
        if missing:
            raise CloneError(f"the node has no {', no '.join(sorted(missing))}")
        return take, {address: known[address] for address in take.parts if address in known}

    def _anatomies(self, addresses: Sequence[Pubkey], known: Mapping[Pubkey, Account]) -> _Take:
        take = _Take()
        for address in addresses:
            if address not in known:
                raise CloneError(f"{address} does not exist on this node; name a pool of it")
            account = known[address]
            try:
                venue, anatomy = dissect(address, account.owner, account.data)
            except NoPoolError as error:
                raise CloneError(f"{error}; name a pool of a venue we know") from None
            take.pools[address] = (venue, anatomy)
            take.add([address], "pool", needed=True)
            take.add(anatomy.vaults, "vault", needed=True)
            take.add(anatomy.shared, "config", needed=venue.name in ("raydium_cpmm", "raydium_clmm"))
            take.add(_one(anatomy.extension), "bitmap extension", needed=False)
            take.add(_one(anatomy.oracle), "oracle", needed=False)
            take.add(anatomy.others, "other", needed=False)
            self._mints(take, address, anatomy)
            take.add(self._arrays(venue, address, account, anatomy, known), "array", needed=False)
            take.programs |= {venue.program, *venue.programs}
            _touched(take, venue, account.data, anatomy, known)
        for mint in {mint for pair in take.mints.values() for mint in pair}:
            _hook(take, mint, known)
        return take

    def _mints(self, take: _Take, address: Pubkey, anatomy: Anatomy) -> None:
        first, second = anatomy.mints
        if first is None:
            coin = self._reader.coin(address)
            if coin is None:
                raise CloneError(f"the bonding curve {address} has no token account that says what its coin is")
            first = coin[0]
            take.add([coin[1]], "vault", needed=True)
        take.mints[address] = (first, second)
        take.add(take.mints[address], "mint", needed=True)

    @staticmethod
    def _arrays(
        venue: Venue, address: Pubkey, account: Account, anatomy: Anatomy, known: Mapping[Pubkey, Account]
    ) -> list[Pubkey]:
        if venue.arrays is None:
            return []
        extension = known.get(anatomy.extension) if anatomy.extension is not None else None
        try:
            return venue.arrays(address, account.data, extension.data if extension is not None else b"", REACH)
        except ValueError as error:
            raise CloneError(f"{address}: {error}") from None

    def _block_time(self, slot: int) -> int:
        try:
            when = self._call("getBlockTime", slot)
        except RpcError as error:
            self._say(f"{error}: taking this machine's time for the slot's")
            when = None
        return int(when) if when is not None else int(time.time())

    # programs

    def _programs(self, take: _Take) -> dict[Pubkey, list[tuple[Pubkey, Account]]]:
        """The accounts of each program, and last the one with its ELF file in it."""
        found = {}
        for program in sorted(take.programs, key=str):
            account = self._reader.accounts([program]).get(program)
            if account is None or not account.executable:
                self._say(f"the node has no program {program}: where it is emulated, the emulation will run")
                continue
            found[program] = [(program, account)]
            if account.owner == _UPGRADEABLE and len(account.data) >= 36:
                address = Pubkey.from_bytes(account.data[4:36])
                data = self._reader.accounts([address]).get(address)
                if data is None:
                    raise CloneError(f"the node has no ProgramData account {address} of program {program}")
                found[program].append((address, data))
            size = len(found[program][-1][1].data)
            self._say(f"program {program}: {size} bytes")
        return found


def _one(address: Pubkey | None) -> tuple[Pubkey, ...]:
    return () if address is None else (address,)


def _keys(data: bytes, *offsets: int) -> list[Pubkey]:
    return [Pubkey.from_bytes(data[at : at + 32]) for at in offsets if at + 32 <= len(data)]


def _touched(take: _Take, venue: Venue, pool: bytes, anatomy: Anatomy, known: Mapping[Pubkey, Account]) -> None:
    """What a swap touches that another account than the pool's names."""
    if venue.name == "raydium_amm_v4":
        market, program = _keys(pool, 528, 560)
        take.programs.add(program)
        if market in known and known[market].data[:5] == b"serum":  # queues, book and vaults of an OpenBook market
            take.add(_keys(known[market].data, 117, 165, 221, 253, 285, 317), "market", needed=False)
    elif venue.name in ("pump_fun", "pump_swap") and anatomy.shared[0] in known:
        data = known[anatomy.shared[0]].data
        recipients = _RECIPIENTS[venue.name]
        keys = _keys(data, *(at + 32 * i for at, count in recipients for i in range(count)))
        take.add(keys, "fee recipient", needed=False)
        if venue.name == "pump_swap":
            tokens = [associated(key, anatomy.mints[1], program) for key in keys for program in (TOKEN, TOKEN_2022)]
            take.add(tokens, "fee recipient", needed=False)


_RECIPIENTS = {"pump_fun": ((41, 1), (162, 7)), "pump_swap": ((57, 8),)}
"""Offset and number of the addresses in the program's global account that fees are paid to."""


def _hook(take: _Take, mint: Pubkey, known: Mapping[Pubkey, Account]) -> None:
    """The program that a Token-2022 mint has called at each transfer, and the list of accounts it wants."""
    account = known.get(mint)
    if account is None or account.owner != TOKEN_2022:
        return
    at = 166
    while at + 4 <= len(account.data):
        kind, size = (int.from_bytes(account.data[i : i + 2], "little") for i in (at, at + 2))
        if not kind:
            return
        if kind == _TRANSFER_HOOK and size == 64:
            (program,) = _keys(account.data, at + 36)
            if program != Pubkey.default():
                take.programs.add(program)
                metas, _ = Pubkey.find_program_address([b"extra-account-metas", bytes(mint)], program)
                take.add([metas], "transfer hook", needed=False)
        at += 4 + size


def elf_of(account: Account) -> bytes:
    """The ELF file in a program's account, or in its ProgramData.  Raises CloneError for a loader we do not know."""
    if account.owner == _UPGRADEABLE:
        return account.data[_PROGRAM_DATA_HEADER:]
    if account.owner == _LOADER_4:
        return account.data[_LOADER_4_HEADER:]
    if account.owner in _LOADERS:
        return account.data
    raise CloneError(f"programs of loader {account.owner} cannot be taken")


# -- writing -------------------------------------------------------------------------------------------


def _dump(address: Pubkey, account: Account) -> bytes:
    shown = {
        "lamports": account.lamports,
        "data": [b64encode(account.data).decode(), "base64"],
        "owner": str(account.owner),
        "executable": account.executable,
        "rentEpoch": account.rent_epoch,
        "space": len(account.data),
    }
    return msgspec.json.encode({"pubkey": str(address), "account": shown}) + b"\n"


def _files(
    take: _Take,
    accounts: Mapping[Pubkey, Account],
    programs: Mapping[Pubkey, Sequence[tuple[Pubkey, Account]]],
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest's tables, and the files by name."""
    files: dict[str, bytes] = {}
    listed: dict[str, Any] = {}
    rows = [(take.parts[address].what, address, account) for address, account in accounts.items()]
    rows += [("program", address, account) for parts in programs.values() for address, account in parts]
    for what, address, account in sorted(rows, key=lambda row: str(row[1])):
        name = f"{address}.json"
        files[name] = _dump(address, account)
        listed[str(address)] = {"file": name, "what": what, "slot": account.slot, "sha256": sha256(files[name])}
    loaded: dict[str, Any] = {}
    for program, parts in programs.items():
        name, elf = f"programs/{program}.so", elf_of(parts[-1][1])
        files[name] = elf
        loaded[str(program)] = {
            "file": name,
            "loader": str(parts[0][1].owner),
            "emulation": sbf.built_from(elf) is not None,
            "sha256": sha256(elf),
        }
    pools = {
        str(address): {"venue": venue.name, "mints": tuple(str(mint) for mint in take.mints[address])}
        for address, (venue, _) in take.pools.items()
    }
    return {"pools": pools, "accounts": listed, "programs": loaded}, files


# -- the command ---------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sniperforge simnet clone",
        description="Collect pools with everything that prices them, their mints and their programs over JSON-RPC;"
        " `sniperforge simnet --from DIR` runs them.",
    )
    add = parser.add_argument
    add("--url", metavar="RPC", required=True, help="http or https URL of a node's JSON-RPC")
    add("--pool", metavar="PUBKEY", nargs="+", action="extend", required=True, help="pools of any of the eight venues")
    add("--out", metavar="DIR", type=Path, required=True, help="directory for the clone")
    add("--force", action="store_true", help="replace what is in a directory that is not empty")
    add("--timeout-ms", metavar="MS", type=int, default=30_000, help="longest wait for one answer of the node")
    add("--ca", metavar="FILE", default="", help="certificates to trust for https, instead of the system's")
    add("--json", action="store_true", help="print the manifest as one JSON object instead of text")
    return parser


def _address(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise ValueError(f"--pool {text}: is no public key; name a pool by its address, 32 bytes in base58") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Makes a clone; returns an exit code (docs/exit-codes.md)."""
    arguments = _parser().parse_args(argv)

    def say(text: str) -> None:
        print(f"clone: {text}", file=sys.stderr, flush=True)

    try:
        pools = list(dict.fromkeys(map(_address, arguments.pool)))
        rpc = RpcClient(arguments.url, timeout_ms=arguments.timeout_ms, ca_path=arguments.ca)
    except (ValueError, OSError) as error:
        say(f"{error}")
        return exits.USAGE
    out: Path = arguments.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (arguments.force and out.is_dir()):
        say(f"{out} is not an empty directory; name another one, or replace what is in it with --force")
        return exits.REFUSED
    with rpc:
        try:
            manifest, files = Cloner(rpc, say=say).take(pools)
            write(out, manifest, files)
        except RpcUnavailable as error:
            say(f"{error}; check --url and that the node runs")
            return exits.NOT_RUNNING
        except (CloneError, RpcError, OSError) as error:
            say(f"{error}")
            return exits.FAILED
        except KeyboardInterrupt:
            return exits.INTERRUPTED
    print(msgspec.json.encode(manifest).decode() if arguments.json else _text(out, manifest))
    return exits.OK


def _text(out: Path, manifest: Manifest) -> str:
    first, last = manifest.slots
    slots = f"slot {last}" if first == last else f"slots {first} to {last}"
    lines = [f"{out}: {len(manifest.accounts)} accounts and {len(manifest.programs)} programs at {slots}"]
    lines += [f"pool     {address} {pool.venue}" for address, pool in manifest.pools.items()]
    for address, program in manifest.programs.items():
        lines.append(f"program  {address}{' (an emulation)' if program.emulation else ''}")
    lines.append(f"run it with `sniperforge simnet --from {out}`")
    return "\n".join(lines)
