"""The chain on disk: what lets a killed simnet go on where it was.

    ledger/
      genesis.json        what the chain was made from; written once
      snapshot            every account (and the recent versions of it) at the moment the state log began
      state-<n>.log       account states written by each batch of transactions, and the slots, since the snapshot
      history-<n>.log     executed transactions and blocks, in segments; the oldest goes when there are too many

A record is `length, crc32, payload`.  A batch goes to the history first and then, with the history position, to the
state log; both before anything is answered or notified.  The state log decides: a torn tail of it is cut, and the
history is cut to the position of its last whole record.  The files are not synced: the process may die at any moment,
the machine may not.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey

from sniperforge.simnet.transactions import Record

_FRAME = struct.Struct("<II")
_TRANSACTION_HEADER = struct.Struct("<BQ64s?")
_SEGMENT_BYTES = 8 << 20
_KIND_TRANSACTION = 1
_KIND_BLOCK = 2
_ENCODER = msgspec.msgpack.Encoder()
_RECORD_DECODER = msgspec.msgpack.Decoder(Record)
_FORMAT = 2


class LedgerError(RuntimeError):
    """The ledger cannot be used; the text says why and what to do."""


class UnfitLedger(LedgerError):
    """The chain in the ledger is damaged or another one; what to do is for the caller to say: take another, or anew."""


class Genesis(msgspec.Struct, frozen=True, kw_only=True):
    """What the chain was made from."""

    format: int
    genesis_hash: str
    seed: int
    unix_time: int
    market: dict[str, Any]
    loaded: list[str]
    asked: dict[str, Any] = {}
    """Keys of [simnet.market] that made the market, as they were."""
    first_slot: int = 0
    """The slot of the genesis state, at `unix_time`; that of a clone, else 0."""


class BlockInfo(msgspec.Struct, array_like=True, frozen=True):
    """A finished block."""

    slot: int
    height: int
    parent: int
    time: int


class Location(msgspec.Struct, array_like=True, frozen=True):
    """Where a transaction's record lies in the history, with its slot and whether it failed."""

    slot: int
    segment: int
    offset: int
    failed: bool


class StoredAccount(msgspec.Struct, array_like=True, frozen=True):
    """An account's state since `slot`; None for one that does not exist."""

    key: bytes
    slot: int
    state: tuple[int, bytes, bool, int, bytes] | None

    @staticmethod
    def of(key: Pubkey, slot: int, account: Account | None) -> StoredAccount:
        """The stored form of `account`."""
        if account is None:
            return StoredAccount(bytes(key), slot, None)
        state = (account.lamports, bytes(account.owner), account.executable, account.rent_epoch, account.data)
        return StoredAccount(bytes(key), slot, state)

    def account(self) -> Account | None:
        """The account as the runtime takes it."""
        if self.state is None:
            return None
        lamports, owner, executable, rent_epoch, data = self.state
        return Account(lamports, data, Pubkey.from_bytes(owner), executable, rent_epoch)


class _BlockRecord(msgspec.Struct, array_like=True, tag=1, frozen=True):
    block: BlockInfo
    segment: int
    offset: int
    capitalization: int
    transactions: int


class _BatchRecord(msgspec.Struct, array_like=True, tag=2, frozen=True):
    slot: int
    segment: int
    offset: int
    capitalization: int
    transactions: int
    accounts: list[StoredAccount]


class _Snapshot(msgspec.Struct, array_like=True, frozen=True):
    generation: int
    segment: int
    offset: int
    capitalization: int
    transactions: int
    blocks: list[BlockInfo]
    accounts: list[StoredAccount]


_STATE_DECODER = msgspec.msgpack.Decoder(_BlockRecord | _BatchRecord)
_SNAPSHOT_DECODER = msgspec.msgpack.Decoder(_Snapshot)


@dataclass
class State:
    """The chain's state as the bank hands it over and gets it back; versions and blocks oldest first."""

    blocks: list[BlockInfo]
    accounts: list[StoredAccount]
    capitalization: int
    transactions: int


@dataclass
class _Segment:
    number: int
    file: int
    end: int


@dataclass
class Ledger:
    """One ledger directory, locked by this process."""

    directory: Path
    snapshot_log_bytes: int
    history_bytes: int
    genesis: Genesis | None = None
    locations: dict[bytes, Location] = field(default_factory=dict)
    blocks: dict[int, BlockInfo] = field(default_factory=dict)
    by_slot: dict[int, list[bytes]] = field(default_factory=dict)
    _lock: int = -1
    _state_file: int = -1
    _state_bytes: int = 0
    _generation: int = 0
    _segments: list[_Segment] = field(default_factory=list)
    _unscanned: list[_Segment] = field(default_factory=list)

    def open(self, *, reset: bool) -> None:
        """Lock the directory, creating it if need be, and read the genesis.  Raises LedgerError."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"ledger {self.directory}: {error.strerror}; use a writable directory") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LedgerError(
                f"ledger {self.directory} is in use by another simnet; stop that one, or use another directory"
            ) from error
        if reset:
            for path in self._files():
                path.unlink()
        path = self.directory / "genesis.json"
        if not path.exists():
            return
        try:
            self.genesis = msgspec.json.decode(path.read_bytes(), type=Genesis)
        except msgspec.DecodeError as error:
            raise UnfitLedger(f"{path} is not a genesis file ({error})") from error
        if self.genesis.format != _FORMAT:
            raise UnfitLedger(f"{path} has format {self.genesis.format}, this build writes {_FORMAT}")

    def _files(self) -> list[Path]:
        names = ("genesis.json", "snapshot", "snapshot.new", "genesis.json.new")
        found = [self.directory / name for name in names if (self.directory / name).exists()]
        return found + sorted(self.directory.glob("state-*.log")) + sorted(self.directory.glob("history-*.log"))

    def create(self, genesis: Genesis, state: State) -> None:
        """Begin a new chain with `state` at its first slot."""
        for path in self._files():
            path.unlink()
        self._add_segment(0)
        self.snapshot(state)
        self._replace("genesis.json", msgspec.json.encode(genesis))
        self.genesis = genesis

    def load(self, recent_slots: int) -> State:
        """The state after the last whole record, torn tails cut; the history of the last `recent_slots` is indexed.

        Raises LedgerError when the snapshot is damaged.
        """
        path = self.directory / "snapshot"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UnfitLedger(f"{path}: {error.strerror}") from error
        payload = next(_frames(content), None)
        if payload is None:
            raise UnfitLedger(f"{path} is damaged")
        snapshot = _SNAPSHOT_DECODER.decode(payload[1])
        self._generation = snapshot.generation
        state = State(snapshot.blocks, snapshot.accounts, snapshot.capitalization, snapshot.transactions)
        segment, offset = snapshot.segment, snapshot.offset
        self._open_state_log()
        log = _read_all(self._state_file)
        self._state_bytes = 0
        for end, payload_bytes in _frames(log):
            self._state_bytes = end
            record = _STATE_DECODER.decode(payload_bytes)
            state.capitalization, state.transactions = record.capitalization, record.transactions
            segment, offset = record.segment, record.offset
            if isinstance(record, _BlockRecord):
                state.blocks.append(record.block)
            else:
                state.accounts.extend(record.accounts)
        os.ftruncate(self._state_file, self._state_bytes)
        self._load_history(segment, offset, state.blocks[-1].slot - recent_slots)
        return state

    def _load_history(self, segment: int, offset: int, since_slot: int) -> None:
        for path in sorted(self.directory.glob("history-*.log")):
            number = int(path.stem.split("-")[1])
            if number > segment:
                path.unlink()
                continue
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            if number == segment:
                os.ftruncate(file, offset)
            self._segments.append(_Segment(number, file, os.fstat(file).st_size))
        if not self._segments or self._segments[-1].number != segment:
            self._add_segment(segment)
        self._unscanned = list(self._segments)
        oldest = since_slot + 1
        while self._unscanned and oldest > since_slot:
            oldest = self._scan(self._unscanned.pop())

    def scan_older(self) -> bool:
        """Index one more segment of old history; returns whether more remain.  Cost: a few milliseconds."""
        if self._unscanned:
            self._scan(self._unscanned.pop())
        return bool(self._unscanned)

    def _scan(self, segment: _Segment) -> int:
        oldest = 1 << 63
        content = os.pread(segment.file, segment.end, 0)
        start = 0
        for end, payload in _frames(content):
            kind, slot, signature, failed = _TRANSACTION_HEADER.unpack_from(payload)
            if kind == _KIND_TRANSACTION:
                self.locations[signature] = Location(slot, segment.number, start, failed)
                self.by_slot.setdefault(slot, []).append(signature)
            else:
                self.blocks[slot] = msgspec.msgpack.decode(payload[_TRANSACTION_HEADER.size :], type=BlockInfo)
            oldest = min(oldest, slot)
            start = end
        return oldest

    def append_batch(
        self,
        slot: int,
        records: Sequence[tuple[bytes, Record]],
        accounts: Sequence[StoredAccount],
        *,
        capitalization: int,
        transactions: int,
    ) -> None:
        """Write executed transactions (signature, record) and the account states they left."""
        frames = bytearray()
        segment = self._segments[-1]
        for signature, record in records:
            failed = record.error is not None
            payload = _TRANSACTION_HEADER.pack(_KIND_TRANSACTION, slot, signature, failed) + _ENCODER.encode(record)
            self.locations[signature] = Location(slot, segment.number, segment.end + len(frames), failed)
            self.by_slot.setdefault(slot, []).append(signature)
            frames += _frame(payload)
        self._append_history(frames)
        batch = _BatchRecord(slot, segment.number, segment.end, capitalization, transactions, list(accounts))
        self._append_state(_ENCODER.encode(batch))

    def append_block(self, block: BlockInfo, *, capitalization: int, transactions: int) -> None:
        """Write a begun block: slot, height and parent, so that a restart goes on after it."""
        self.blocks[block.slot] = block
        header = _TRANSACTION_HEADER.pack(_KIND_BLOCK, block.slot, b"", False)
        self._append_history(_frame(header + _ENCODER.encode(block)))
        segment = self._segments[-1]
        record = _BlockRecord(block, segment.number, segment.end, capitalization, transactions)
        self._append_state(_ENCODER.encode(record))
        if segment.end >= _SEGMENT_BYTES:
            self._add_segment(segment.number + 1)

    def _append_history(self, frames: bytes | bytearray) -> None:
        segment = self._segments[-1]
        _write_all(segment.file, frames)
        segment.end += len(frames)

    def _append_state(self, payload: bytes) -> None:
        frame = _frame(payload)
        _write_all(self._state_file, frame)
        self._state_bytes += len(frame)

    @property
    def wants_snapshot(self) -> bool:
        """Whether the state log has grown past its limit."""
        return self._state_bytes > self.snapshot_log_bytes

    def snapshot(self, state: State) -> None:
        """Replace snapshot and state log by `state`."""
        segment = self._segments[-1]
        old = self.directory / f"state-{self._generation}.log"
        self._generation += 1
        snapshot = _Snapshot(
            self._generation,
            segment.number,
            segment.end,
            state.capitalization,
            state.transactions,
            state.blocks,
            state.accounts,
        )
        self._replace("snapshot", _frame(_ENCODER.encode(snapshot)))
        if self._state_file >= 0:
            os.close(self._state_file)
        self._open_state_log()
        self._state_bytes = 0
        old.unlink(missing_ok=True)

    def read(self, signature: bytes) -> Record | None:
        """The record of a transaction, or None when the history does not hold it."""
        location = self.locations.get(signature)
        while location is None and self._unscanned:
            self.scan_older()
            location = self.locations.get(signature)
        return self._read(location) if location is not None else None

    def _read(self, location: Location) -> Record:
        file = next(segment.file for segment in self._segments if segment.number == location.segment)
        length, _ = _FRAME.unpack(os.pread(file, _FRAME.size, location.offset))
        payload = os.pread(file, length, location.offset + _FRAME.size)
        return _RECORD_DECODER.decode(payload[_TRANSACTION_HEADER.size :])

    def executed(self, slot: int) -> list[tuple[bytes, Record]]:
        """The transactions of a slot that is indexed, in order."""
        return [(signature, self._read(self.locations[signature])) for signature in self.by_slot.get(slot, ())]

    def signatures_for(self, address: bytes) -> Iterator[tuple[bytes, Record]]:
        """Transactions that name `address`, newest first."""
        while self.scan_older():
            pass
        for segment in reversed(self._segments):
            content = os.pread(segment.file, segment.end, 0)
            if address not in content:
                continue
            found = []
            for _, payload in _frames(content):
                if payload[0] == _KIND_TRANSACTION and address in payload:
                    found.append((payload[9:73], payload))
            for signature, payload in reversed(found):
                record = _RECORD_DECODER.decode(payload[_TRANSACTION_HEADER.size :])
                yield signature, record

    def close(self) -> None:
        """Close every file and release the lock."""
        for segment in self._segments:
            os.close(segment.file)
        self._segments.clear()
        for file in (self._state_file, self._lock):
            if file >= 0:
                os.close(file)
        self._state_file = self._lock = -1

    def _add_segment(self, number: int) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(self.directory / f"history-{number:08d}.log", flags, 0o600)
        self._segments.append(_Segment(number, file, os.fstat(file).st_size))
        while len(self._segments) > 2 and sum(segment.end for segment in self._segments) > self.history_bytes:
            self._remove_segment()

    def _remove_segment(self) -> None:
        while self.scan_older():
            pass
        oldest = self._segments.pop(0)
        os.close(oldest.file)
        (self.directory / f"history-{oldest.number:08d}.log").unlink()
        for signature in [s for s, location in self.locations.items() if location.segment == oldest.number]:
            self.by_slot.pop(self.locations.pop(signature).slot, None)
        first = min((location.slot for location in self.locations.values()), default=0)
        for slot in [slot for slot in self.blocks if slot < first]:
            del self.blocks[slot]

    def _open_state_log(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._state_file = os.open(self.directory / f"state-{self._generation}.log", flags, 0o600)

    def _replace(self, name: str, content: bytes) -> None:
        path = self.directory / f"{name}.new"
        path.write_bytes(content)
        path.rename(self.directory / name)


def _frame(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _frames(content: bytes) -> Iterator[tuple[int, bytes]]:
    """(end, payload) of each whole record, up to the first that is cut or damaged."""
    position = 0
    while position + _FRAME.size <= len(content):
        length, checksum = _FRAME.unpack_from(content, position)
        start = position + _FRAME.size
        position = start + length
        payload = content[start:position]
        if not length or len(payload) != length or zlib.crc32(payload) != checksum:
            return
        yield position, payload


def _read_all(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _write_all(file: int, content: bytes | bytearray) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
