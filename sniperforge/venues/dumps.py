"""Account dumps as `solana account --output json` writes them, and snapshots: directories of dumps of one moment."""

from __future__ import annotations

import binascii
import gzip
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

_ADDRESS_LENGTHS = range(32, 45)
"""Letters of 32 bytes in base58."""


class MissingAccountError(LookupError):
    """A quote needs an account that is not among the dumps; the text names it and what it is for."""


class AmbiguousAccountError(ValueError):
    """Two dumps of one address differ; the text names both files."""


class BrokenDumpError(ValueError):
    """A file that looks like a dump has no account data; the text names it."""


class Account(NamedTuple):
    """One dumped account; addresses are base58."""

    address: str
    owner: str
    data: bytes
    path: Path


class _DumpAccount(msgspec.Struct):
    data: tuple[str, str]
    owner: str
    space: int | None = None


class _Dump(msgspec.Struct):
    account: _DumpAccount
    pubkey: str


def _read(path: Path) -> Account | None:
    try:
        dump = msgspec.json.decode(path.read_bytes(), type=_Dump)
    except msgspec.DecodeError:
        return None  # some other file
    text, encoding = dump.account.data
    try:
        data = b64decode(text) if encoding == "base64" else b""  # text behind the padding is not looked at
    except binascii.Error:
        data = b""
    if len(data) != (dump.account.space if dump.account.space is not None else len(data) or 1):
        raise BrokenDumpError(f"{path}: account data is not base64 of {dump.account.space or 'any'} bytes")
    return Account(dump.pubkey, dump.account.owner, data, path)


class Dumps:
    """The dumps of one or more directories, by address."""

    def __init__(self, where: str, accounts: list[Account]) -> None:
        self.where = where
        self._accounts: dict[str, list[Account]] = {}
        for account in accounts:
            self._accounts.setdefault(account.address, []).append(account)

    def __iter__(self) -> Iterator[Account]:
        return (self[address] for address in self._accounts)

    def unambiguous(self) -> Iterator[Account]:
        """The accounts of which there is one dump, or equal ones."""
        for address in self._accounts:
            try:
                yield self[address]
            except AmbiguousAccountError:
                continue

    def matching(self, matches: Callable[[Account], bool]) -> Iterator[Account]:
        """The accounts that match.  Raises AmbiguousAccountError only for one of them."""
        for address, copies in self._accounts.items():
            if any(map(matches, copies)):
                yield self[address]

    def __contains__(self, address: object) -> bool:
        return address in self._accounts

    def __getitem__(self, address: str) -> Account:
        first, *rest = self._accounts[address]
        for other in rest:
            if other[:3] != first[:3]:
                raise AmbiguousAccountError(f"{first.path} and {other.path} differ; name a directory with one of them")
        return first

    def need(self, address: str, what: str) -> Account:
        """The account at `address`.  Raises MissingAccountError, which says `what` it is."""
        if address not in self._accounts:
            raise MissingAccountError(f"{what} {address} is not in {self.where}")
        return self[address]


def load(directory: Path) -> Dumps:
    """All dumps in `directory` and below it; other files are passed over."""
    return Dumps(str(directory), _accounts(directory))


def _accounts(directory: Path) -> list[Account]:
    return [account for path in sorted(directory.rglob("*.json")) if (account := _read(path))]


def snapshots(directory: Path) -> list[Dumps]:
    """The dumps of every single directory in and below `directory`, and last all of them together.

    Accounts of one directory belong to one moment.
    """
    together = _accounts(directory)
    by_directory: dict[Path, list[Account]] = {}
    for account in together:
        by_directory.setdefault(account.path.parent, []).append(account)
    order = sorted(by_directory, key=str)
    return [*(Dumps(str(path), by_directory[path]) for path in order), Dumps(str(directory), together)]


def table(path: Path) -> Iterator[tuple[str, bytes]]:
    """Addresses and bytes of the accounts in a table: lines of `address,base64`, maybe compressed (`.gz`).

    Raises:
        ValueError: it is a table of something else.
    """
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            address, _, text = line.strip().partition(",")
            if len(address) not in _ADDRESS_LENGTHS:
                raise ValueError(f"{path}: {address[:50]!r} is no address")
            yield address, b64decode(text)


def tables(directory: Path, owner: str) -> list[Dumps]:
    """The tables in and below `directory`, or that one table: each a whole program at one slot.

    The accounts are taken for `owner`'s.
    """
    found = []
    for path in [directory] if directory.is_file() else sorted(directory.rglob("*.csv*")):
        try:
            found.append(Dumps(str(path), [Account(address, owner, data, path) for address, data in table(path)]))
        except (ValueError, EOFError, gzip.BadGzipFile):
            continue  # a table of something else
    return [dumps for dumps in found if any(True for _ in dumps.unambiguous())]
