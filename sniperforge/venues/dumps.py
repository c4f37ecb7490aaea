"""Account dumps as `solana account --output json` writes them, and snapshots: directories of dumps of one moment."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

Built = TypeVar("Built")


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

    def only(self, owner: str, size: int, what: str) -> Account:
        """The one account of program `owner` with `size` bytes.  Raises if there is none, or another one."""
        sizes = [
            address
            for address, copies in self._accounts.items()
            if (copies[0].owner, len(copies[0].data)) == (owner, size)
        ]
        if not sizes:
            raise MissingAccountError(f"{what} is not in {self.where}")
        if len(sizes) > 1:
            raise AmbiguousAccountError(f"{what}: {self.where} holds {len(sizes)} of them; name a directory with one")
        return self[sizes[0]]


def load(directory: Path) -> Dumps:
    """All dumps in `directory` and below it; other files are passed over."""
    return Dumps(str(directory), _accounts(directory))


def _accounts(directory: Path) -> list[Account]:
    return [account for path in sorted(directory.rglob("*.json")) if (account := _read(path))]


def snapshots(directory: Path, hint: str = "") -> list[Dumps]:
    """The dumps of every single directory in and below `directory`, and last all of them together.

    Accounts of one directory belong to one moment.  Directories whose name is in `hint` (the stem of a csv
    file) come first, the longest name before others.
    """
    together = _accounts(directory)
    by_directory: dict[Path, list[Account]] = {}
    for account in together:
        by_directory.setdefault(account.path.parent, []).append(account)
    order = sorted(by_directory, key=lambda path: (-len(path.name) if path.name in hint else 0, str(path)))
    return [*(Dumps(str(path), by_directory[path]) for path in order), Dumps(str(directory), together)]


def complete(found: list[Dumps], build: Callable[[Dumps], Built]) -> Built:
    """What `build` makes of the first of `found` (from `snapshots`) that has all it needs.

    Raises:
        MissingAccountError: none has; about the last, which is all dumps together.
    """
    for dumps in found[:-1]:
        try:
            return build(dumps)
        except (MissingAccountError, AmbiguousAccountError):
            continue
    return build(found[-1])
