"""Reads a run's journal through the C reader (csrc/io/reader.h): whole blocks, verified, nothing else.

    with Reader(directory, run=7) as reader:
        for record in reader.records(kinds=[lib.SF_MSG_FILL]):
            print(record.seq, record.fields())

A running journal can be read too: where the end was, reading goes on later.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ipc._core import ffi, lib
from ipc.errors import check, text
from ipc.layout import dtype
from sniperforge.journal.records import LAYOUTS, decode

_SEGMENT = re.compile(r"(\d{8})-(\d{8})\.sfj")
_BLOCK = dtype("sf_journal_block_t")
_RECORD = dtype("sf_journal_record_t")
_WORD = 8
"""Blocks, records and payloads begin at multiples of so many bytes, and rows of a layout have one for length."""


def run_files(directory: Path) -> dict[int, list[Path]]:
    """The segment files of each run, both in rising order; empty if there is no such directory."""
    found: dict[int, list[Path]] = {}
    if directory.is_dir():
        for path in sorted(directory.iterdir()):
            match = _SEGMENT.fullmatch(path.name)
            if match:
                found.setdefault(int(match[1]), []).append(path)
    return found


def runs(directory: Path) -> list[int]:
    """Numbers of the runs that have a journal, rising."""
    return sorted(run_files(directory))


class Place(msgspec.Struct, frozen=True):
    """Where a block has to begin: its run, segment file, byte offset and block number."""

    run: int
    segment: int = 0
    offset: int = 0
    number: int = 0


def segment_path(directory: Path, run: int, segment: int) -> Path:
    """The file of a segment."""
    return directory / f"{run:08}-{segment:08}.sfj"


def beginning(directory: Path, run: int, segment: int) -> Place:
    """Where the first block of a segment stands.

    Raises:
        OSError: it cannot be read.
    """
    head = np.fromfile(segment_path(directory, run, segment), _BLOCK, count=1)
    return Place(run, segment, 0, int(head["number"][0]) if len(head) else 0)


@dataclass(frozen=True, slots=True)
class Tail:
    """What lies behind the end of the readable journal (sf_tail_t)."""

    place: Place
    file: str
    reason: str
    """Why the journal ends there; "" if nothing lies behind."""
    residue_bytes: int
    segments: int
    whole_blocks: int
    damaged: bool
    """More than a torn tail: whole blocks stand too far behind."""


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it stood on its link."""

    run: int
    link: str
    kind: int
    seq: int
    tag: int
    t_origin: int
    t_pub: int
    time_ns: int
    """CLOCK_REALTIME when its block was closed."""
    payload: bytes

    def fields(self) -> dict[str, Any]:
        """The payload as plain values, keys as base58; see `records.decode`."""
        return decode(self.kind, self.payload)


class Batch:
    """The records of one block that a filter took.  Valid until the next batch."""

    def __init__(self, reader: Reader, block: Any, offsets: npt.NDArray[np.uint32]) -> None:
        self._reader = reader
        self._words = np.frombuffer(ffi.buffer(block, block.used_bytes), np.uint64, block.used_bytes // _WORD)
        self._offsets = offsets
        self._headers: npt.NDArray[np.void] | None = None
        self.run = int(block.run)
        self.number = int(block.number)
        self.time_ns = int(block.time_ns)

    def __len__(self) -> int:
        return len(self._offsets)

    def headers(self) -> npt.NDArray[np.void]:
        """`sf_journal_record_t` of each record, copied once."""
        if self._headers is None:
            self._headers = self._rows(self._offsets, _RECORD)
        return self._headers

    def payloads(self, kind: int) -> npt.NDArray[np.void]:
        """The payloads of all records of `kind` as an array of its layout, copied."""
        layout = dtype(LAYOUTS[kind])
        headers = self.headers()["message"]
        offsets = self._offsets[(headers["kind"] == kind) & (headers["length"] >= layout.itemsize)]
        return self._rows(offsets + _RECORD.itemsize, layout)

    def _rows(self, offsets: npt.NDArray[Any], layout: np.dtype[np.void]) -> npt.NDArray[np.void]:
        words = offsets[:, None] // _WORD + np.arange(layout.itemsize // _WORD)
        found: npt.NDArray[np.void] = self._words[words].view(layout)[:, 0]
        return found

    def payload(self, index: int) -> bytes:
        """The payload of the record with this place among `headers`."""
        offset, length = int(self._offsets[index]), int(self.headers()["bytes"][index])
        return bytes(self._words.data.cast("B")[offset + _RECORD.itemsize : offset + length])

    def records(self) -> Iterator[Record]:
        """The records one by one."""
        link_name = self._reader.link_name
        view = self._words.data.cast("B")
        size = _RECORD.itemsize
        for offset, header in zip(self._offsets.tolist(), self.headers().tolist(), strict=True):
            length, link, (seq, kind, _, tag, t_origin, t_pub) = header
            yield Record(
                self.run,
                link_name(link),
                kind,
                seq,
                tag,
                t_origin,
                t_pub,
                self.time_ns,
                bytes(view[offset + size : offset + length]),
            )


class Reader:
    """The journal of one run, from its beginning or from a place on.

    Raises:
        CoreError: NOTFOUND, there is no such run; DATA, `start` is no place of it.
    """

    def __init__(self, directory: Path, run: int, start: Place | None = None) -> None:
        self.run = run
        place = ffi.NULL
        if start is not None:
            place = ffi.new("sf_place_t *", [run, start.segment, start.offset, start.number])
        box = ffi.new("sf_reader_t **")
        check(lib.sf_reader_open(box, str(directory).encode(), run, place))
        self._reader: Any = ffi.gc(box[0], lib.sf_reader_close)
        self._offsets = ffi.new("uint32_t[]", lib.SF_BLOCK_RECORDS)
        self._array = np.frombuffer(ffi.buffer(self._offsets), np.uint32)
        self._names: dict[int, str] = {}

    def close(self) -> None:
        """Closes the files."""
        if self._reader is not None:
            ffi.release(self._reader)
            self._reader = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def link_name(self, index: int) -> str:
        """Name of a link of this run."""
        if index not in self._names:
            self._names[index] = text(lib.sf_reader_link(self._reader, index)) or f"link {index}"
        return self._names[index]

    @property
    def place(self) -> Place:
        """Where the next block has to begin."""
        out = ffi.new("sf_place_t *")
        lib.sf_reader_place(self._reader, out)
        return Place(out.run, out.segment, out.offset, out.number)

    @property
    def span_ns(self) -> tuple[int, int]:
        """CLOCK_REALTIME when the first and the last block read so far were closed, whatever `kinds` took of them."""
        first, last = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        lib.sf_reader_span(self._reader, first, last)
        return first[0], last[0]

    def batches(self, kinds: Collection[int] | None = None) -> Iterator[Batch]:
        """Batches up to the end, of records of these kinds (all if None).

        Raises:
            CoreError: DATA, a block is not whole, or ABI; the sentence names file and offset.
        """
        only = ffi.NULL
        if kinds is not None:
            mask = sum(1 << kind for kind in set(kinds))
            only = ffi.new("sf_filter_t *", {"kinds": [mask & (1 << 64) - 1, mask >> 64], "links": (1 << 64) - 1})
        while count := check(lib.sf_reader_next(self._reader, only, self._offsets)):
            yield Batch(self, lib.sf_reader_block(self._reader), self._array[:count])

    def records(self, kinds: Collection[int] | None = None) -> Iterator[Record]:
        """Records up to the end, of these kinds (all if None).  Raises like `batches`."""
        for batch in self.batches(kinds):
            yield from batch.records()

    def tail(self) -> Tail:
        """Looks behind the end that `batches` came to."""
        out = ffi.new("sf_tail_t *")
        check(lib.sf_reader_tail(self._reader, out))
        return self._tail(out)

    def cut(self) -> Tail:
        """Takes off what lies behind the end; returns what it was.

        The caller holds the directory's lock, and nobody writes this run.

        Raises:
            CoreError: STATE, it is damage and not a torn tail.
        """
        out = ffi.new("sf_tail_t *")
        check(lib.sf_reader_cut(self._reader, out))
        return self._tail(out)

    @staticmethod
    def _tail(out: Any) -> Tail:
        return Tail(
            place=Place(out.place.run, out.place.segment, out.place.offset, out.place.number),
            file=text(out.file),
            reason=text(out.reason),
            residue_bytes=out.residue_bytes,
            segments=out.segments,
            whole_blocks=out.whole_blocks,
            damaged=bool(out.damaged),
        )
