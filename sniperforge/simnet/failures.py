"""What clients' transactions that failed in a block had found: the newest ones, packed, in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey

from sniperforge.simnet.ledger import StoredAccount

_BYTES = 64 << 20
_LEVEL = 1  # accounts are mostly zeros: the fastest packs them tenfold
_DECODER = msgspec.msgpack.Decoder(list[StoredAccount])


@dataclass(slots=True, frozen=True)
class Failure:
    """What a transaction that failed found when it executed."""

    slot: int
    unix_s: int
    accounts: dict[Pubkey, Account | None]
    """All that it named but programs."""


@dataclass(slots=True, frozen=True)
class _Packed:
    slot: int
    unix_s: int
    accounts: bytes


class Failures:
    """By signature; the oldest goes when all together are larger than `limit_bytes`, and is counted."""

    def __init__(self, limit_bytes: int = _BYTES) -> None:
        self.forgotten = 0
        self._limit = limit_bytes
        self._bytes = 0
        self._kept: dict[bytes, _Packed] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, signature: bytes, slot: int, unix_s: int, found: Mapping[Pubkey, Account | None]) -> None:
        """Remembers what a transaction found."""
        stored = [
            StoredAccount.of(key, slot, account)
            for key, account in found.items()
            if account is None or not account.executable
        ]
        packed = zlib.compress(msgspec.msgpack.encode(stored), _LEVEL)
        self._kept[signature] = _Packed(slot, unix_s, packed)
        self._bytes += len(packed)
        while self._bytes > self._limit:
            self._bytes -= len(self._kept.pop(next(iter(self._kept))).accounts)
            self.forgotten += 1

    def get(self, signature: bytes) -> Failure | None:
        """What the transaction found; None if it did not fail, or is forgotten."""
        packed = self._kept.get(signature)
        if packed is None:
            return None
        stored = _DECODER.decode(zlib.decompress(packed.accounts))
        found = {Pubkey.from_bytes(one.key): one.account() for one in stored}
        return Failure(packed.slot, packed.unix_s, found)
