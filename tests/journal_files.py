"""Writes journals for tests: the format by the shared layouts, the contents as the test says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ipc._core import ffi, lib

LINKS = (
    "raw",
    "market",
    "intent.arb",
    "intent.strategies",
    "order",
    "denied",
    "message",
    "refused",
    "wire",
    "sent",
    "fill",
    "command",
)
ALIGN = 4096
RECORD = ffi.sizeof("sf_journal_record_t")


def payload(layout: str, **fields: Any) -> bytes:
    """The bytes of a struct with these fields."""
    return bytes(ffi.buffer(ffi.new(f"{layout} *", fields)))


def order_number(run: int, n: int) -> int:
    return run << 32 | n


class JournalFiles:
    """One run's journal.  `commit` closes the block; `segment_blocks` of them make a segment."""

    def __init__(self, directory: Path, run: int, segment_blocks: int = 1 << 30, links: Sequence[str] = LINKS) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.run = run
        self.links = links
        self.segment_blocks = segment_blocks
        self.segment = -1
        self.number = 0
        self.time_ns = 1_700_000_000_000_000_000
        self.seq: dict[str, int] = {}
        self.ends: list[tuple[int, int]] = []  # segment and offset behind each block
        self._records = b""
        self._count = 0

    def add(self, link: str, kind: int, data: bytes, tag: int = 0, t_origin: int = 0, t_pub: int = 0) -> int:
        """Appends a message to the block; returns its seq."""
        seq = self.seq.get(link, 0)
        self.seq[link] = seq + 1
        message = {"seq": seq, "kind": kind, "length": len(data), "tag": tag, "t_origin": t_origin, "t_pub": t_pub}
        self._append(self.links.index(link), message, data)
        return seq

    def _append(self, link: int, message: dict[str, int], data: bytes) -> None:
        head = {"bytes": RECORD + len(data), "link": link, "message": message}
        record = bytes(ffi.buffer(ffi.new("sf_journal_record_t *", head))) + data
        self._records += record + bytes(-len(record) % 8)
        self._count += 1

    def commit(self) -> None:
        """Writes the block."""
        if self.number % self.segment_blocks == 0:
            records, count = self._records, self._count
            self._records, self._count = b"", 0
            names = "".join(f"{index} {name}\n" for index, name in enumerate(self.links)).encode()
            self._append(0xFFFF, {"kind": lib.SF_JOURNAL_TOPOLOGY_RECORD, "length": len(names)}, names)
            self._records, self._count = self._records + records, self._count + count
            self.segment += 1
        used = 64 + len(self._records)
        block = ffi.new(
            "sf_journal_block_t *",
            {
                "magic": lib.SF_JOURNAL_MAGIC,
                "abi_hash": lib.sf_abi_hash(),
                "run": self.run,
                "number": self.number,
                "time_ns": self.time_ns,
                "block_bytes": (used + ALIGN - 1) // ALIGN * ALIGN,
                "used_bytes": used,
                "record_cnt": self._count,
            },
        )
        block.crc = lib.sf_crc32c(0, bytes(ffi.buffer(block)) + self._records, used)
        data = bytes(ffi.buffer(block)) + self._records
        with self.path.open("ab") as file:
            file.write(data + bytes(-len(data) % ALIGN))
            self.ends.append((self.segment, file.tell()))
        self.number += 1
        self._records, self._count = b"", 0

    @property
    def path(self) -> Path:
        """The segment being written."""
        return self.segment_path(self.segment)

    def segment_path(self, segment: int) -> Path:
        return self.directory / f"{self.run:08}-{segment:08}.sfj"

    # -- messages -----------------------------------------------------------

    def balance(self, token: int, mint: bytes, amount: int = 0) -> None:
        self.add("fill", lib.SF_MSG_BALANCE, payload("sf_balance_t", token=token, mint=mint, amount=amount))

    def order(self, number: int, **intent: Any) -> None:
        fields = {"intent": 1, "kind": lib.SF_INTENT_CYCLE, "token_in": 0, "token_out": 0, **intent}
        self.add("order", lib.SF_MSG_ORDER, payload("sf_order_t", order=number, intent=fields), t_origin=77)

    def wire(self, number: int, signature: bytes = bytes(range(64)), last_valid: int = 150, link: str = "wire") -> None:
        tx = bytes([1]) + signature + b"message"
        data = payload("sf_wire_t", order=number, last_valid_block_height=last_valid, tx_len=len(tx), tx=tx)
        self.add(link, lib.SF_MSG_WIRE, data)

    def refused(self, number: int, link: str = "refused", reason: int = lib.SF_REFUSE_FEE) -> None:
        self.add(link, lib.SF_MSG_REFUSED, payload("sf_refused_t", order=number, reason=reason))

    def fill(self, number: int, **fields: Any) -> None:
        base = {"order": number, "outcome": lib.SF_FILL_LANDED, "kind": lib.SF_INTENT_CYCLE}
        self.add("fill", lib.SF_MSG_FILL, payload("sf_fill_t", **{**base, **fields}))

    def command(self, verb: int, **fields: Any) -> None:
        self.add("command", lib.SF_MSG_COMMAND, payload("sf_command_t", verb=verb, **fields))
